--- Pooling with masked steps left out: over all steps of a sequence, (B, T, D) → (B, D), or over
-- windows, (B, T, D) → (B, T', D).
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

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

-- Windows -------------------------------------------------------------------------------------

local windowed = {}

function windowed:init()
  local who = self.class_name
  self.pool_size = options.integer(who, "pool_size", self.pool_size)
  self.strides = options.integer(who, "strides", self.strides or self.pool_size)
  options.choice(who, "padding", self.padding, { "valid", "same" })
end

local function pool(self, x, mask)
  return ops.pool1d(x, mask, self.pool_size, self.strides, self.padding, self.average)
end

function windowed:call(x, call)
  local shape = self:expect(x, 3)
  if self.padding == "valid" and shape[2] < self.pool_size then
    self:fail('input has %d steps, the window spans %d; pad the sequences, or use padding = "same"',
      shape[2], self.pool_size)
  end
  return pool(self, x, call.mask)
end

-- An output is visible when any step of its window is.
function windowed:compute_mask(_, mask)
  if not mask then return nil end
  local rows, steps = mask:size(1), mask:size(2)
  return ops.pool1d(mask:reshape({ rows, steps, 1 }), nil, self.pool_size, self.strides,
    self.padding):reshape({ rows, -1 })
end

function windowed:output_shape(shape)
  local steps = shape[2]
  if steps >= 0 and self.padding == "valid" then
    steps = (steps - self.pool_size) // self.strides + 1
  elseif steps >= 0 then
    steps = -(-steps // self.strides)
  end
  return { shape[1], steps, shape[3] }
end

local function define(name, definition)
  for key, value in pairs(windowed) do definition[key] = value end
  definition.builtin, definition.masking = true, "pass"
  definition.positional = { "pool_size" }
  room[name] = Layer:extend(name, definition)
end

--- The largest visible value of each window of `pool_size` (2) steps, which moves by `strides`
-- (pool_size); `padding` "valid" or "same". Zeros for a window without a visible step.
define("MaxPooling1D", {
  options = { pool_size = 2, strides = options.optional, padding = "valid" },
})

--- The mean of the visible steps of each window; with "same" only steps of the sequence count.
define("AveragePooling1D", {
  average = true,
  options = { pool_size = 2, strides = options.optional, padding = "valid" },
})

return room
