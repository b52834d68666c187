--- Activations as ONNX nodes, and as names inside ONNX's recurrent operators.
-- @module marea.interop.onnx_activations
local activations = {}

local function one(op, attributes)
  return function(g, x) return g:node(op, { x }, attributes) end
end

local function times_sigmoid(g, x)
  return g:node("Mul", { x, g:node("Sigmoid", { x }) })
end

-- x/2 (1 + erf(x/√2))
local function gelu(g, x)
  local inner = g:node("Erf", { g:node("Mul", { x, g:scalar(math.sqrt(0.5)) }) })
  local half = g:node("Mul", { x, g:scalar(0.5) })
  return g:node("Mul", { half, g:node("Add", { inner, g:scalar(1) }) })
end

local SIXTH <const> = 1 / 6

local nodes = {
  linear = function(_, x) return x end,
  relu = one "Relu", tanh = one "Tanh", sigmoid = one "Sigmoid", softplus = one "Softplus",
  softsign = one "Softsign", exponential = one "Exp",
  elu = one("Elu", { alpha = 1.0 }),
  selu = one("Selu", { alpha = 1.6732632423543772, gamma = 1.0507009873554805 }),
  leaky_relu = one("LeakyRelu", { alpha = 0.2 }),
  hard_sigmoid = one("HardSigmoid", { alpha = SIXTH, beta = 0.5 }),
  hard_sigmoid_tf = one("HardSigmoid", { alpha = 0.2, beta = 0.5 }),
  softmax = one("Softmax", { axis = -1 }), log_softmax = one("LogSoftmax", { axis = -1 }),
  silu = times_sigmoid, swish = times_sigmoid, gelu = gelu,
  relu6 = function(g, x) return g:node("Clip", { x, g:scalar(0), g:scalar(6) }) end,
  mish = function(g, x)
    return g:node("Mul", { x, g:node("Tanh", { g:node("Softplus", { x }) }) })
  end,
}

--- The node, or nodes, of an activation by name; nil: linear. Gives the value's name, or nil for an
-- activation that is none of the library's by name.
function activations.node(g, which, x)
  if which == nil then return x end
  local make = nodes[which]
  return make and make(g, x)
end

-- name, alpha, beta
local recurrent = {
  tanh = { "Tanh" }, sigmoid = { "Sigmoid" }, relu = { "Relu" }, softsign = { "Softsign" },
  softplus = { "Softplus" }, elu = { "Elu", 1.0 }, leaky_relu = { "LeakyRelu", 0.2 },
  hard_sigmoid = { "HardSigmoid", SIXTH, 0.5 }, hard_sigmoid_tf = { "HardSigmoid", 0.2, 0.5 },
  linear = { "Affine", 1.0, 0.0 },
}

-- The activations of a layer in the order in which its operator uses them.
local function used_by(layer)
  if layer.gates == 1 then return { layer.activation } end
  if layer.states == 2 then return { layer.recurrent_activation, layer.activation, layer.activation } end
  return { layer.recurrent_activation, layer.activation }
end

--- The attributes that name the activations of ONNX's RNN, GRU and LSTM; none where they are the usual
-- ones.
-- @tparam {Layer,...} copies one layer for each direction
-- @treturn ?table nil where one does not exist there
-- @treturn ?Layer the layer that has it
-- @treturn ?string its name
function activations.attributes(copies)
  local names, alpha, beta, plain = {}, {}, {}, true
  for _, layer in ipairs(copies) do
    for i, name in ipairs(used_by(layer)) do
      local known = recurrent[name]
      if not known then return nil, layer, name end
      names[#names + 1], alpha[#alpha + 1], beta[#beta + 1] = known[1], known[2], known[3]
      plain = plain and known[1] == (i == 1 and layer.gates > 1 and "Sigmoid" or "Tanh")
    end
  end
  if plain then return {} end
  return { activations = names, activation_alpha = #alpha > 0 and alpha or nil,
    activation_beta = #beta > 0 and beta or nil }
end

return activations
