--- Pooling over all steps of a sequence, (B, T, D) → (B, D), with masked steps left out.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"

local room = {}

local function pooled_shape(_, shape)
  return { shape[1], shape[3] }
end

local function columns(mask)
  return mask:reshape({ mask:size(1), mask:size(2), 1 })
end

--- The mean of the visible steps; zeros for a row without any.
room.GlobalAveragePooling1D = Layer:extend("GlobalAveragePooling1D", {
  builtin = true, masking = "consume", output_shape = pooled_shape,
})

function room.GlobalAveragePooling1D:call(x, call)
  self:expect(x, 3)
  if not call.mask then return ops.mean(x, 2) end
  local sum = ops.sum(ops.mul(x, columns(call.mask)), 2)
  local count = ops.sum(call.mask, 2, true)
  return ops.div(sum, ops.maximum(count, 1))
end

--- The largest value of each feature among the visible steps; zeros for a row without any. (Keras
-- ignores the mask here.)
room.GlobalMaxPooling1D = Layer:extend("GlobalMaxPooling1D", {
  builtin = true, masking = "consume", output_shape = pooled_shape,
})

function room.GlobalMaxPooling1D:call(x, call)
  self:expect(x, 3)
  if not call.mask then return ops.max(x, 2) end
  local mask = columns(call.mask)
  local lowest = ops.full({}, -ops.largest)
  local largest = ops.max(ops.where(mask, x, lowest), 2)
  local any = ops.max(call.mask, 2, true)
  return ops.where(any, largest, ops.zeros{})
end

return room
