--- Elman: a simple recurrent network with an output flow of its own.
local activations = require "marea.nn.activations"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local recurrent = require "marea.nn.recurrent"

--- h = g1(x K + h' U + b), y = g2(h V + d) (Elman, 1990). Output (B, output_units), or (B, T,
-- output_units) with `return_sequences`; the state is h, (B, units). `output_units`: `units` unless
-- given. `g1` runs inside the recurrence, `g2` is any activation, softmax too. Weights: kernel
-- (D, u), recurrent_kernel (u, u), bias (u), output_kernel (u, o), output_bias (o). Masked steps,
-- states, dropout, directions and norm are those of SimpleRNN.
-- @usage nn.Elman{ 32, 10, g2 = "softmax", return_sequences = true }
-- @classmod marea.nn.Elman
local Elman = recurrent.define("Elman", {
  activation = options.optional, output_units = options.optional, g1 = "tanh", g2 = "linear",
  output_initializer = "glorot_uniform",
}, { positional = { "units", "output_units" }, cell = "rnn", gates = 1, states = 1 })

local hidden = { init = Elman.init, build_weights = Elman.build_weights }

function Elman:init()
  if self.activation ~= nil and self.activation ~= self.g1 then
    error("Elman: the activation of the state is g1, that of the output g2", 0)
  end
  self.activation = self.g1
  hidden.init(self)
  self.activate_output = activations.get(self.g2, "Elman")
  self.output_units = options.integer("Elman", "output_units",
    self.output_units == nil and self.units or self.output_units)
  self.output_size = self.output_units
end

function Elman:build_weights(shape)
  hidden.build_weights(self, shape)
  self.output_kernel = self:add_weight{ name = "output_kernel",
    shape = { self.units, self.output_units }, initializer = self.output_initializer }
  if not self.use_bias then return end
  self.output_bias = self:add_weight{ name = "output_bias", shape = { self.output_units },
    initializer = self.bias_initializer }
end

-- 1 where an output is shown, 0 before a row's first visible step (with zero_output_for_mask: at
-- every hidden one), of shape (B, T, 1) or (B, 1): a network of one unit counts the steps so far.
local one = ops.ones{ 1, 1 }
local function shown(layer, mask)
  local shape = mask:shape()
  local seen = ops.recurrent{ name = "Elman", cell = "rnn", x = mask:reshape{ shape[1], shape[2], 1 },
    kernel = one, recurrent_kernel = one, activation = "linear", mask = mask,
    return_sequences = layer.return_sequences, backwards = layer.go_backwards,
    original_order = layer.original_order, zero_output_for_mask = layer.zero_output_for_mask }
  return ops.not_zero(seen)
end

--- y of states h (B, u) or (B, T, u).
function Elman:output_of(h)
  local y = h:matmul(self.output_kernel)
  if self.output_bias then y = y + self.output_bias end
  return self.activate_output(y)
end

function Elman:call(x, call)
  local h, last = self:run(x, call)
  local y = self:output_of(h)
  if call.mask then y = y * ops.no_grad(shown, self, ops.as_real(call.mask)) end
  self:regularize_activity(y)
  if self.return_state or call.return_state then return y, last end
  return y
end

function Elman:output_shape(shape)
  if self.return_sequences then return { shape[1], shape[2], self.output_units } end
  return { shape[1], self.output_units }
end

return Elman
