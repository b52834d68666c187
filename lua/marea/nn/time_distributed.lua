--- TimeDistributed: a layer at every step.
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"

--- (B, T, …) → (B, T, …): applies `layer` to each step as if it were a sample; ids too, as for the
-- words of each sentence. The mask of the steps goes on. A mask that `layer` makes itself has no place
-- outside of it: put what makes it and what uses it into one Sequential.
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
  local shape = x:shape()
  if #shape < 3 then self:fail("input is (%s), expected (batch, time, …)", table.concat(shape, ", ")) end
  local steps = x:reshape(step_shape(shape))
  local results = table.pack(self.layer(steps, { training = call.training }))
  if self.layer:compute_mask(steps) then
    self:fail("%s makes a mask, which would be lost here; wrap a Sequential of it and of the layer that "
      .. "uses the mask", tostring(self.layer))
  end
  for i = 1, results.n do
    local y = results[i]
    results[i] = y and y:reshape({ shape[1], shape[2], table.unpack(y:shape(), 2) })
  end
  return table.unpack(results, 1, results.n)
end

function TimeDistributed:output_shape(shape)
  local inner = self.layer:output_shape(step_shape(shape))
  return { shape[1], shape[2], table.unpack(inner, 2) }
end

return TimeDistributed
