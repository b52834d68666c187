--- Dropout (Srivastava et al., 2014) and its form for sequences.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local room = {}

local function read_rate(layer)
  options.number(layer.class_name, "rate", layer.rate, 0, 1)
end

local function same_shape(_, shape)
  return shape
end

--- In training, sets each element to 0 with probability `rate` and scales the rest by
-- 1/(1 - rate); else does nothing. `noise_shape` shares a decision along axes of size 1.
room.Dropout = Layer:extend("Dropout", {
  builtin = true,
  positional = { "rate" },
  masking = "pass",
  options = { rate = options.required, noise_shape = options.optional },
  init = read_rate,
  output_shape = same_shape,
})

function room.Dropout:call(x, call)
  if not call.training or self.rate == 0 then return x end
  local noise = self.noise_shape
  if noise then
    noise = table.move(noise, 1, #noise, 1, {})
    for axis, size in ipairs(x:shape()) do
      if noise[axis] == -1 then noise[axis] = size end
    end
  end
  return ops.dropout(x, self.rate, self.random, noise)
end

--- Drops whole channels of a sequence: one decision for each sample and channel, at all steps.
room.SpatialDropout1D = Layer:extend("SpatialDropout1D", {
  builtin = true,
  positional = { "rate" },
  masking = "pass",
  options = { rate = options.required },
  init = read_rate,
  output_shape = same_shape,
})

function room.SpatialDropout1D:call(x, call)
  local shape = self:expect(x, 3)
  if not call.training or self.rate == 0 then return x end
  return ops.dropout(x, self.rate, self.random, { shape[1], 1, shape[3] })
end

return room
