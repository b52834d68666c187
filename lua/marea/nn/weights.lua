--- Lists of weights: adding, copying, setting, counting.
-- @module marea.nn.weights
local ops = require "marea.ops"
local options = require "marea.nn.options"

local weights = {}

local function shape_text(shape)
  local sizes = {}
  for axis, size in ipairs(type(shape) == "table" and shape or {}) do sizes[axis] = tostring(size) end
  return "(" .. table.concat(sizes, ", ") .. ")"
end
weights.shape_text = shape_text

-- From the file that the layer is loaded from, or drawn.
local function first_values(layer, read)
  if layer.source then return layer.source(read.name, read.shape) end
  local initialize = require("marea.nn.initializers").get(read.initializer)
  return initialize(read.shape, layer.random)
end

--- Adds a weight to a layer; see Layer:add_weight.
function weights.add(layer, spec)
  local read = options.read("add_weight", spec, { name = options.required, shape = options.required,
    initializer = "glorot_uniform", regularizer = options.optional, constraint = options.optional,
    trainable = true })
  for _, entry in ipairs(layer.weight_list) do
    if entry.name == read.name then layer:fail("has two weights named %q", read.name) end
  end
  for axis, size in ipairs(read.shape) do
    if not math.tointeger(size) or size < 1 then
      layer:fail("weight %q of shape %s: axis %d is not known", read.name, shape_text(read.shape),
        axis)
    end
  end
  local regularizers = require "marea.nn.regularizers"
  local constraints = require "marea.nn.constraints"
  local tensor = first_values(layer, read)
  tensor.requires_grad = layer.trainable and read.trainable
  table.insert(layer.weight_list, { name = read.name, tensor = tensor, trainable = read.trainable,
    regularizer = regularizers.get(read.regularizer), constraint = constraints.get(read.constraint) })
  return tensor
end

local collection = {}

function collection.__index(self, name)
  local entries = rawget(self, "entries")
  if type(name) == "number" then return entries[name] and entries[name].tensor end
  for _, entry in ipairs(entries) do
    if entry.path == name then return entry.tensor end
  end
end

function collection.__len(self)
  return #rawget(self, "entries")
end

function collection.__pairs(self)
  local entries, i = rawget(self, "entries"), 0
  return function()
    i = i + 1
    if entries[i] then return entries[i].path, entries[i].tensor end
  end
end

--- Named tensors: by place, by name, and in order with pairs.
function weights.collection(entries)
  return setmetatable({ entries = entries }, collection)
end

--- Owned copies of all tensors.
function weights.get(entries)
  local list = {}
  for i, entry in ipairs(entries) do list[i] = entry.tensor:clone() end
  return list
end

--- Sets all tensors from tensors or nested tables; nothing changes when one does not fit.
function weights.set(who, entries, list)
  if #list ~= #entries then
    error(("%s has %d weights, got %d"):format(who, #entries, #list), 0)
  end
  local tensors = {}
  for i, entry in ipairs(entries) do
    local tensor = ops.tensor(list[i])
    local wanted, came = shape_text(entry.tensor:shape()), shape_text(tensor:shape())
    if wanted ~= came then
      error(("%s: weight %d, %q, is %s, got %s"):format(who, i, entry.path, wanted, came), 0)
    end
    tensors[i] = tensor
  end
  for i, entry in ipairs(entries) do entry.tensor:assign_(tensors[i]) end
end

--- Dense gradients, zeros where none arrived.
function weights.gradients(entries)
  local list = {}
  for i, entry in ipairs(entries) do
    list[i] = entry.tensor.grad or ops.zeros(entry.tensor:shape())
  end
  return list
end

--- Number of elements: all, and those of trainable tensors.
function weights.count(entries)
  local all, trainable = 0, 0
  for _, entry in ipairs(entries) do
    local n = 1
    for _, size in ipairs(entry.tensor:shape()) do n = n * size end
    all = all + n
    if entry.tensor.requires_grad then trainable = trainable + n end
  end
  return all, trainable
end

return weights
