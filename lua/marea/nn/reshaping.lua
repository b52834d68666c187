--- Layers that only move numbers: Flatten, Reshape, RepeatVector, Permute, Cropping1D, ZeroPadding1D,
-- UpSampling1D.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local reshaping = {}

local function product(shape, first)
  local n = 1
  for i = first, #shape do
    if shape[i] < 0 then return -1 end
    n = n * shape[i]
  end
  return n
end

--- (B, T, E) → (B, T·E).
reshaping.Flatten = Layer:extend("Flatten", {
  builtin = true,
  masking = "refuse",
  mask_hint = "padded steps would count as data. Use GlobalAveragePooling1D or a recurrent layer, "
    .. "or mask_zero = false if padding is meant to count",
})

function reshaping.Flatten.call(_, x)
  local shape = x:shape()
  return x:reshape({ shape[1], product(shape, 2) })
end

function reshaping.Flatten.output_shape(_, shape)
  return { shape[1], product(shape, 2) }
end

--- Gives each sample the shape `target_shape`, without the batch axis; one size may be -1.
reshaping.Reshape = Layer:extend("Reshape", {
  builtin = true,
  positional = { "target_shape" },
  masking = "refuse",
  options = { target_shape = options.required },
  mask_hint = "the time axis may be gone after it",
})

function reshaping.Reshape:init()
  local target, inferred = self.target_shape, 0
  if type(target) ~= "table" then
    error("Reshape: target_shape must be a table of sizes, got " .. options.show(target), 0)
  end
  for axis, size in ipairs(target) do
    if size == -1 then
      inferred = inferred + 1
    else
      options.integer("Reshape", ("target_shape[%d]"):format(axis), size)
    end
  end
  if inferred > 1 then error("Reshape: only one size of target_shape can be -1", 0) end
end

-- The target for samples of n numbers (-1: unknown), with the -1 computed.
function reshaping.Reshape:target(n)
  local known = 1
  for _, size in ipairs(self.target_shape) do
    if size > 0 then known = known * size end
  end
  local sizes = {}
  for axis, size in ipairs(self.target_shape) do
    sizes[axis] = size
    if size < 0 and n >= 0 then sizes[axis] = n // known end
  end
  if n >= 0 and product(sizes, 1) ~= n then
    self:fail("a sample has %d numbers, target_shape (%s) does not", n,
      table.concat(self.target_shape, ", "))
  end
  return sizes
end

function reshaping.Reshape:call(x)
  local shape = x:shape()
  return x:reshape({ shape[1], table.unpack(self:target(product(shape, 2))) })
end

function reshaping.Reshape:output_shape(shape)
  return { shape[1], table.unpack(self:target(product(shape, 2))) }
end

--- (B, D) → (B, n, D): the same vector at n steps, as a decoder's input.
reshaping.RepeatVector = Layer:extend("RepeatVector", {
  builtin = true,
  positional = { "n" },
  masking = "refuse",
  options = { n = options.required },
  mask_hint = "its input has no time axis",
})

function reshaping.RepeatVector:init()
  self.n = options.integer("RepeatVector", "n", self.n)
end

function reshaping.RepeatVector:call(x)
  local shape = self:expect(x, 2)
  if #shape ~= 2 then self:fail("input is (%s), expected (batch, features)", table.concat(shape, ", ")) end
  local one = x:reshape({ shape[1], 1, shape[2] })
  return ops.broadcast(one, { shape[1], self.n, shape[2] })
end

function reshaping.RepeatVector:output_shape(shape)
  return { shape[1], self.n, shape[2] }
end

--- The axes after the batch in a new order: `dims` counts them from 1, as in Keras.
-- @usage nn.Permute{ { 2, 1 } }                               -- (B, T, D) → (B, D, T)
reshaping.Permute = Layer:extend("Permute", {
  builtin = true,
  positional = { "dims" },
  masking = "refuse",
  options = { dims = options.required },
  mask_hint = "the time axis changes its place",
})

function reshaping.Permute:init()
  local met = {}
  for i, axis in ipairs(type(self.dims) == "table" and self.dims or {}) do
    met[options.integer("Permute", ("dims[%d]"):format(i), axis)] = true
  end
  if type(self.dims) ~= "table" or #met ~= #self.dims or #met == 0 then
    error("Permute: dims must hold 1 to n, each once, such as { 2, 1 }", 0)
  end
end

function reshaping.Permute:call(x)
  local order = { 1 }
  for i, axis in ipairs(self.dims) do order[i + 1] = axis + 1 end
  if #x:shape() ~= #order then
    self:fail("input is (%s), dims are for %d axes after the batch", table.concat(x:shape(), ", "),
      #self.dims)
  end
  return x:permute(table.unpack(order))
end

function reshaping.Permute:output_shape(shape)
  local result = { shape[1] }
  for i, axis in ipairs(self.dims) do result[i + 1] = shape[axis + 1] end
  return result
end

-- A count for both ends, or { left, right }.
local function read_ends(layer, name)
  local value = layer[name]
  if type(value) == "number" then value = { value, value } end
  if type(value) ~= "table" or #value ~= 2 then
    error(("%s: %s must be a number or { left, right }, got %s"):format(layer.class_name, name,
      options.show(layer[name])), 0)
  end
  local ends = {}
  for i = 1, 2 do ends[i] = options.integer(layer.class_name, name, value[i], 0) end
  layer[name] = ends
end

local function resize_time(shape, f)
  return { shape[1], shape[2] < 0 and -1 or f(shape[2]), table.unpack(shape, 3) }
end

--- Cuts steps off both ends: (B, T, D) → (B, T - left - right, D); the mask is cut too.
reshaping.Cropping1D = Layer:extend("Cropping1D", {
  builtin = true,
  positional = { "cropping" },
  masking = "pass",
  options = { cropping = { 1, 1 } },
  init = function(self) read_ends(self, "cropping") end,
})

function reshaping.Cropping1D:crop(x)
  local left, right = self.cropping[1], self.cropping[2]
  local length = x:size(2) - left - right
  if length < 1 then self:fail("cuts %d of %d steps; none is left", left + right, x:size(2)) end
  return x:narrow(2, left + 1, length)
end

function reshaping.Cropping1D:call(x)
  self:expect(x, 3)
  return self:crop(x)
end

function reshaping.Cropping1D:compute_mask(_, mask)
  return mask and self:crop(mask)
end

function reshaping.Cropping1D:output_shape(shape)
  return resize_time(shape, function(n) return n - self.cropping[1] - self.cropping[2] end)
end

--- Adds steps of zeros at both ends: (B, T, D) → (B, T + left + right, D). With a mask, the new steps
-- are hidden.
reshaping.ZeroPadding1D = Layer:extend("ZeroPadding1D", {
  builtin = true,
  positional = { "padding" },
  masking = "pass",
  options = { padding = 1 },
  init = function(self) read_ends(self, "padding") end,
})

function reshaping.ZeroPadding1D:pad(x)
  local shape = x:shape()
  local parts = {}
  for _, count in ipairs{ self.padding[1], false, self.padding[2] } do
    if not count then
      parts[#parts + 1] = x
    elseif count > 0 then
      shape[2] = count
      parts[#parts + 1] = ops.zeros(shape)
    end
  end
  return #parts == 1 and x or ops.concat(parts, 2)
end

function reshaping.ZeroPadding1D:call(x)
  self:expect(x, 3)
  return self:pad(x)
end

function reshaping.ZeroPadding1D:compute_mask(_, mask)
  return mask and self:pad(mask)
end

function reshaping.ZeroPadding1D:output_shape(shape)
  return resize_time(shape, function(n) return n + self.padding[1] + self.padding[2] end)
end

--- Each step `size` (2) times: (B, T, D) → (B, size T, D); so for the mask.
reshaping.UpSampling1D = Layer:extend("UpSampling1D", {
  builtin = true,
  positional = { "size" },
  masking = "pass",
  options = { size = 2 },
  init = function(self) self.size = options.integer("UpSampling1D", "size", self.size) end,
})

-- x (B, T, …): axis 2 repeated step by step.
local function repeat_steps(x, n)
  local shape = x:shape()
  local one, many = { shape[1], shape[2], 1 }, { shape[1], shape[2], n }
  table.move(shape, 3, #shape, 4, one)
  table.move(shape, 3, #shape, 4, many)
  shape[2] = shape[2] * n
  return ops.broadcast(x:reshape(one), many):reshape(shape)
end

function reshaping.UpSampling1D:call(x)
  self:expect(x, 3)
  return repeat_steps(x, self.size)
end

function reshaping.UpSampling1D:compute_mask(_, mask)
  return mask and repeat_steps(mask, self.size)
end

function reshaping.UpSampling1D:output_shape(shape)
  return resize_time(shape, function(n) return n * self.size end)
end

return reshaping
