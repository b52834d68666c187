--- Elman: a simple recurrent network with an output flow of its own.
local activations = require "marea.nn.activations"
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"

--- h_t = g1(x_t K + h_{t-1} U + b), y_t = g2(h_t V + c) (Elman, 1990), K (D, units), U (units, units),
-- V (units, output_units). Input (B, T, D); output (B, output_units), or (B, T, output_units) with
-- `return_sequences`; with `return_state` the last h follows. `g1` ("tanh") runs inside the recurrence and
-- is element-wise; `g2` ("linear") is any activation. At a masked step h stays, and so does y. Weights:
-- kernel K, recurrent_kernel U, bias b, output kernel V, output bias c.
-- @usage nn.Elman{ 32, 10, g1 = "tanh", g2 = "softmax", return_sequences = true }
local Elman = Layer:extend("Elman", {
  builtin = true,
  positional = { "units", "output_units" },
  masking = "consume",
  states = 1,
  options = {
    units = options.required, output_units = options.required, g1 = "tanh", g2 = "linear",
    use_bias = true, kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal",
    bias_initializer = "zeros", output_initializer = "glorot_uniform", dropout = 0,
    recurrent_dropout = 0, return_sequences = false, return_state = false, go_backwards = false,
    stateful = false,
  },
})

function Elman:init()
  local nn = require "marea.nn"
  self.output_units = options.integer("Elman", "output_units", self.output_units)
  self.g2 = self.g2 or "linear"
  activations.get(self.g2, "Elman")
  options.boolean("Elman", "return_state", self.return_state)
  self.recurrent = nn.SimpleRNN{ self.units, name = "recurrent", activation = self.g1,
    use_bias = self.use_bias, kernel_initializer = self.kernel_initializer,
    recurrent_initializer = self.recurrent_initializer, bias_initializer = self.bias_initializer,
    dropout = self.dropout, recurrent_dropout = self.recurrent_dropout,
    return_sequences = self.return_sequences, return_state = true, go_backwards = self.go_backwards,
    stateful = self.stateful }
  self.output = nn.Dense{ self.output_units, name = "output", activation = self.g2,
    use_bias = self.use_bias, kernel_initializer = self.output_initializer,
    bias_initializer = self.bias_initializer }
  self.units = self.recurrent.units
  self.children = { self.recurrent, self.output }
end

function Elman:build_weights(shape)
  self.recurrent:build(shape)
  self.output:build(self.recurrent:output_shape(shape))
end

function Elman:call(x, call)
  local h, last = self.recurrent(x,
    { mask = call.mask, initial_state = call.initial_state, training = call.training })
  local y = self.output(h, { training = call.training })
  if self.return_state or call.return_state then return y, last end
  return y
end

--- Forgets the state that a stateful layer kept, or sets it (B, units).
function Elman:reset_states(states)
  self.recurrent:reset_states(states)
end

function Elman:compute_mask(_, mask)
  return self.return_sequences and mask or nil
end

function Elman:output_shape(shape)
  if self.return_sequences then return { shape[1], shape[2], self.output_units } end
  return { shape[1], self.output_units }
end

return Elman
