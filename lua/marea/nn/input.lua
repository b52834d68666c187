--- Input: declares the shape of a sample, so that a model is built when it is made.
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"
local symbolic = require "marea.nn.symbolic"

--- `shape` is without the batch axis; -1 is any size. `dtype` is "real" (the default) or "int32" for
-- ids. It may be the first layer of a Sequential, and layers may be called on it to make a Model.
-- @usage marea.Input{ { 200 }, dtype = "int32" }
local Input = Layer:extend("Input", {
  builtin = true,
  positional = { "shape" },
  masking = "pass",
  takes_sparse = true,
  options = { shape = options.required, dtype = options.optional, batch_size = options.optional },
})

function Input:init()
  if type(self.shape) == "number" then self.shape = { self.shape } end
  if type(self.shape) ~= "table" then
    error("Input: shape must be a table of sizes such as { 200 }, got " .. options.show(self.shape), 0)
  end
  for axis, size in ipairs(self.shape) do
    if size ~= -1 then options.integer("Input", "shape[" .. axis .. "]", size) end
  end
  if self.dtype ~= nil then options.choice("Input", "dtype", self.dtype, { "real", "int32" }) end
end

--- What layers are called on in a Model.
function Input:symbol()
  if not self.output then
    self:build(self:full_shape())
    local node = { layer = self, inputs = {}, outputs = {} }
    self.output = symbolic.new(node, 1, self:full_shape(), self.dtype)
  end
  return self.output
end

--- The shape with the batch axis.
function Input:full_shape()
  return { self.batch_size or -1, table.unpack(self.shape) }
end

function Input:call(x)
  local shape = x:shape()
  local fits = #shape == #self.shape + 1
  for axis, size in ipairs(self.shape) do
    fits = fits and (size == -1 or shape[axis + 1] == size)
  end
  if not fits then
    self:fail("input is (%s), declared is (batch, %s)", table.concat(shape, ", "),
      table.concat(self.shape, ", "))
  end
  return x
end

function Input.output_shape(_, shape)
  return shape
end

return Input
