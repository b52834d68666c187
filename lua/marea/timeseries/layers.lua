--- Layers that forecasters are made of, beside those of marea.nn.
-- @module marea.timeseries.layers
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local layers = {}

-- DLinear -----------------------------------------------------------------------------------------

--- Two linear maps from the window to the horizon, one for the moving average of the window and one
-- for what is left, the same for every column (Zeng et al., 2023, "Are Transformers effective for
-- time series forecasting?"). (B,L,D) → (B,H,D). Weights: trend_kernel (L,H), rest_kernel (L,H),
-- bias (H).
-- @usage timeseries.DLinear{ 96, kernel_size = 25 }
local DLinear = nn.Layer:extend("DLinear", {
  positional = { "horizon" },
  mask_hint = "windows have no padding",
  options = { horizon = options.required, kernel_size = 25, kernel_initializer = "glorot_uniform" },
})
layers.DLinear = DLinear

function DLinear:init()
  self.horizon = options.integer("DLinear", "horizon", self.horizon)
  self.kernel_size = options.integer("DLinear", "kernel_size", self.kernel_size)
end

-- (L,L): column t averages the rows around t; the ends are repeated beyond the window.
local function averaging(length, size)
  local matrix, share = {}, 1 / size
  for row = 1, length do
    matrix[row] = {}
    for column = 1, length do matrix[row][column] = 0 end
  end
  for column = 1, length do
    for k = 0, size - 1 do
      local row = math.max(1, math.min(length, column - (size - 1) // 2 + k))
      matrix[row][column] = matrix[row][column] + share
    end
  end
  return ops.tensor(matrix)
end

function DLinear:build_weights(shape)
  if #shape ~= 3 or shape[2] < 1 then
    self:fail("input is (%s), expected (batch, %s, columns)", table.concat(shape, ", "),
      "a known number of steps")
  end
  self.length = shape[2]
  self.average = averaging(self.length, self.kernel_size)
  for _, name in ipairs{ "trend_kernel", "rest_kernel" } do
    self[name] = self:add_weight{ name = name, shape = { self.length, self.horizon },
      initializer = self.kernel_initializer }
  end
  self.bias = self:add_weight{ name = "bias", shape = { self.horizon }, initializer = "zeros" }
end

function DLinear:call(x)
  local shape = self:expect(x, 3)
  if shape[2] ~= self.length then
    self:fail("input has %d steps, the kernels expect %d", shape[2], self.length)
  end
  local rows = x:transpose(2, 3):reshape{ shape[1] * shape[3], self.length }
  local trend = rows:matmul(self.average)
  local y = ops.affine(trend, self.trend_kernel, self.bias)
    + (rows - trend):matmul(self.rest_kernel)
  return y:reshape{ shape[1], shape[3], self.horizon }:transpose(2, 3)
end

function DLinear:output_shape(shape)
  return { shape[1], self.horizon, shape[3] }
end

-- Encoder and decoder -----------------------------------------------------------------------------

--- A recurrent layer reads the window, another one goes on from its states through the rows to be
-- forecast (Sutskever et al., 2014, without feedback): its inputs there are what is known in advance,
-- columns that are not known being 0. (B, L + H, D) → (B, H, outputs).
-- @usage timeseries.EncoderDecoder{ 32, horizon = 12, outputs = 1, cell = "gru" }
local EncoderDecoder = nn.Layer:extend("EncoderDecoder", {
  positional = { "units" },
  mask_hint = "windows have no padding",
  options = { units = options.required, horizon = options.required, outputs = 1, cell = "lstm",
    dropout = 0 },
})
layers.EncoderDecoder = EncoderDecoder

function EncoderDecoder:init()
  local who = "EncoderDecoder"
  self.units = options.integer(who, "units", self.units)
  self.horizon = options.integer(who, "horizon", self.horizon)
  self.outputs = options.integer(who, "outputs", self.outputs)
  options.choice(who, "cell", self.cell, { "lstm", "gru", "rnn" })
  local class = ({ lstm = nn.LSTM, gru = nn.GRU, rnn = nn.SimpleRNN })[self.cell]
  self.encoder = class{ self.units, return_state = true, dropout = self.dropout, name = "encoder" }
  self.decoder = class{ self.units, return_sequences = true, name = "decoder" }
  self.head = nn.Dense{ self.outputs, name = "head" }
  self.children = { self.encoder, self.decoder, self.head }
end

function EncoderDecoder:build_weights(shape)
  if #shape ~= 3 then
    self:fail("input is (%s), expected (batch, lookback + horizon, features)",
      table.concat(shape, ", "))
  end
  self.encoder:build{ shape[1], -1, shape[3] }
  self.decoder:build{ shape[1], -1, shape[3] }
  self.head:build{ shape[1], -1, self.units }
end

function EncoderDecoder:call(x, call)
  local steps = x:size(2)
  if steps <= self.horizon then
    self:fail("input has %d rows, %d of them are to be forecast: nothing is left to read", steps,
      self.horizon)
  end
  local given = { training = call.training }
  local states = table.pack(self.encoder(x:narrow(2, 1, steps - self.horizon), given))
  local y = self.decoder(x:narrow(2, steps - self.horizon + 1, self.horizon),
    { training = call.training, initial_state = { table.unpack(states, 2, states.n) } })
  return self.head(y, given)
end

function EncoderDecoder:output_shape(shape)
  return { shape[1], self.horizon, self.outputs }
end

return layers
