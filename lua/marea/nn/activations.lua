--- Activations by their Keras names; each maps a tensor to a tensor of the same shape.
-- @module marea.nn.activations
local ops = require "marea.ops"
local options = require "marea.nn.options"

local activations = {}

local elementwise = { "relu", "tanh", "sigmoid", "hard_sigmoid", "hard_sigmoid_tf", "softplus",
  "softsign", "elu", "selu", "gelu", "silu", "leaky_relu" }
for _, name in ipairs(elementwise) do activations[name] = ops[name] end

--- x.
function activations.linear(x) return x end
--- e^x.
activations.exponential = ops.exp
--- e^x / sum e^x over the last axis.
activations.softmax = ops.softmax
--- ln softmax over the last axis.
activations.log_softmax = ops.log_softmax
--- The older name of silu.
activations.swish = ops.silu
--- min(max(x, 0), 6).
function activations.relu6(x) return ops.clip(x, 0, 6) end
--- x tanh(softplus(x)) (Misra, 2019).
function activations.mish(x) return ops.mul(x, ops.tanh(ops.softplus(x))) end

local names = {}
for name in pairs(activations) do names[#names + 1] = name end
table.sort(names)

--- The activation that a name, a function or nil (linear) stands for.
-- @raise for an unknown name, listing the known ones
function activations.get(which, who)
  if which == nil then return activations.linear end
  if type(which) == "function" then return which end
  for _, name in ipairs(names) do
    if name == which then return activations[name] end
  end
  error(("%s: unknown activation %s; known are %s"):format(who or "activations",
    options.show(which), table.concat(names, ", ")), 0)
end

return activations
