--- TimeDistributed: a layer at every step.
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"

--- (B, T, …) → (B, T, …): applies `layer` to each step as if it were a sample.
-- @usage nn.TimeDistributed{ nn.Dense{ 10, activation = "softmax" } }
local TimeDistributed = Layer:extend("TimeDistributed", {
  builtin = true,
  positional = { "layer" },
  masking = "pass",
  options = { layer = options.required },
})

function TimeDistributed:init()
  if type(self.layer) ~= "table" or not self.layer.class_name then
    error("TimeDistributed: layer must be a layer, got " .. options.show(self.layer), 0)
  end
  self.children = { self.layer }
end

local function step_shape(shape)
  local batch = shape[1] > 0 and shape[2] > 0 and shape[1] * shape[2] or -1
  return { batch, table.unpack(shape, 3) }
end

function TimeDistributed:build_weights(shape)
  if #shape < 3 then
    self:fail("input is (%s), expected (batch, time, …)", table.concat(shape, ", "))
  end
  self.layer:build(step_shape(shape))
end

function TimeDistributed:call(x, call)
  local shape = self:expect(x, 3)
  local y = self.layer(x:reshape(step_shape(shape)), { training = call.training })
  return y:reshape({ shape[1], shape[2], table.unpack(y:shape(), 2) })
end

function TimeDistributed:output_shape(shape)
  local inner = self.layer:output_shape(step_shape(shape))
  return { shape[1], shape[2], table.unpack(inner, 2) }
end

return TimeDistributed
