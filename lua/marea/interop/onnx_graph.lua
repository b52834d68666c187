--- An ONNX graph that grows node by node, and its bytes.
--
-- Source of the field numbers: onnx.proto of the ONNX project (IR version 8 and later).
-- @module marea.interop.onnx_graph
local ops = require "marea.ops"
local protobuf = require "marea.interop.protobuf"

local int, float, bytes, each = protobuf.int, protobuf.float, protobuf.bytes, protobuf.each

local Graph = {}
Graph.__index = Graph

local FLOAT <const>, INT32 <const>, INT64 <const> = 1, 6, 7
local types = { float = FLOAT, int32 = INT32, int64 = INT64 }

--- An empty graph for an operator set.
function Graph.new(opset)
  return setmetatable({ opset = opset, nodes = {}, initializers = {}, inputs = {}, outputs = {},
    constants = {}, numbers = {}, prefix = "" }, Graph)
end

-- Values ----------------------------------------------------------------------------------------

--- A name that nothing else has: the prefix, then what it is.
function Graph:name(what)
  local name = self.prefix .. what
  local n = self.numbers[name] or 0
  self.numbers[name] = n + 1
  return n == 0 and name or ("%s_%d"):format(name, n)
end

local function as_attribute(name, value)
  local body = bytes(1, name)
  if math.type(value) == "integer" then return body .. int(3, value) .. int(20, 2) end
  if math.type(value) == "float" then return body .. float(2, value) .. int(20, 1) end
  if type(value) == "string" then return body .. bytes(4, value) .. int(20, 3) end
  if type(value[1]) == "string" then return body .. each(bytes, 9, value) .. int(20, 8) end
  if math.type(value[1]) == "float" then return body .. each(float, 7, value) .. int(20, 6) end
  return body .. each(int, 8, value) .. int(20, 7)
end

--- Adds a node.
-- @tparam string op the operator
-- @tparam {string,...} inputs names of values; "" is an input that is left out
-- @tparam[opt] table attributes name → integer, float, string or a list of one of these
-- @tparam[opt] {string,...} outputs their names; default: one, named after the operator
-- @treturn string the name of the first output
function Graph:node(op, inputs, attributes, outputs)
  outputs = outputs or { self:name(op) }
  local names = {}
  for name in pairs(attributes or {}) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = as_attribute(name, attributes[name]) end
  self.nodes[#self.nodes + 1] = each(bytes, 1, inputs) .. each(bytes, 2, outputs)
    .. bytes(3, outputs[1] .. "/node") .. bytes(4, op) .. each(bytes, 5, names)
  return outputs[1]
end

local CHUNK <const> = 128

-- The elements of a nested table as little-endian bytes.
local function raw(value, format)
  local flat, parts = {}, {}
  local function walk(item)
    if type(item) ~= "table" then
      flat[#flat + 1] = item
      return
    end
    for _, inner in ipairs(item) do walk(inner) end
  end
  walk(value)
  for first = 1, #flat, CHUNK do
    local last = math.min(first + CHUNK - 1, #flat)
    parts[#parts + 1] = ("<" .. format:rep(last - first + 1)):pack(table.unpack(flat, first, last))
  end
  return table.concat(parts)
end

--- A constant from its bytes.
function Graph:initializer(name, kind, shape, data)
  self.initializers[#self.initializers + 1] = each(int, 1, shape) .. int(2, types[kind])
    .. bytes(8, name) .. bytes(9, data)
  return name
end

--- A tensor, or a nested table with its shape, as constant float32.
function Graph:floats(name, value, shape)
  if ops.is_tensor(value) then value, shape = value:totable(), value:shape() end
  return self:initializer(self:name(name), "float", shape, raw(value, "f"))
end

--- One float for element-wise operators.
function Graph:scalar(x)
  local key = ("float %.17g"):format(x)
  self.constants[key] = self.constants[key]
    or self:initializer("constant/" .. key:gsub(" ", "_"), "float", {}, ("<f"):pack(x))
  return self.constants[key]
end

--- A list of whole numbers, or a single one (a tensor without axes).
function Graph:ints(value)
  local list = type(value) == "table" and value or { value }
  local key = (type(value) == "table" and "ints " or "int ") .. table.concat(list, "_")
  self.constants[key] = self.constants[key] or self:initializer(
    "constant/" .. key:gsub(" ", "_"), "int64", type(value) == "table" and { #list } or {},
    ("<" .. ("i8"):rep(#list)):pack(table.unpack(list)))
  return self.constants[key]
end

--- What `make` gives, once for each key: the weights of a layer that is called twice.
function Graph:once(key, make)
  if self.constants[key] == nil then self.constants[key] = make() end
  return self.constants[key]
end

-- Often used nodes ------------------------------------------------------------------------------

--- A reduction over axes (0-based). From operator set 18 on all take the axes as an input.
function Graph:reduce(op, x, axes, keep)
  local attributes = { keepdims = keep and 1 or 0 }
  if op == "ReduceSum" or self.opset >= 18 then
    return self:node(op, { x, self:ints(axes) }, attributes)
  end
  attributes.axes = axes
  return self:node(op, { x }, attributes)
end

--- x with an axis of size 1 at a place (0-based, -1: behind the last).
function Graph:unsqueeze(x, axis)
  return self:node("Unsqueeze", { x, self:ints{ axis } })
end

--- x as another type: "float", "int32", "int64".
function Graph:cast(x, kind)
  return self:node("Cast", { x }, { to = types[kind] })
end

--- x with the axes in another order (0-based).
function Graph:transpose(x, ...)
  return self:node("Transpose", { x }, { perm = { ... } })
end

--- x turned around along axis 1, the time.
function Graph:reverse(x)
  return self:node("Slice", { x, self:ints{ -1 }, self:ints{ math.mininteger + 1 }, self:ints{ 1 },
    self:ints{ -1 } })
end

-- The file --------------------------------------------------------------------------------------

-- shape nil: not even the number of axes is known.
local function value_info(name, kind, shape)
  local dims = {}
  for i, size in ipairs(shape or {}) do
    -- A size, a name for what may vary, or nothing known.
    local dim = type(size) == "string" and bytes(2, size) or size >= 0 and int(1, size) or ""
    dims[i] = bytes(1, dim)
  end
  local tensor = int(1, types[kind]) .. bytes(2, shape and table.concat(dims))
  return bytes(1, name) .. bytes(2, bytes(1, tensor))
end

--- Declares an input; sizes are whole numbers, or names for what may vary.
function Graph:input(name, kind, shape)
  self.inputs[#self.inputs + 1] = value_info(name, kind, shape)
  self.numbers[name] = 1
  return name
end

--- Declares that a value is an output of that name; -1 is a size that is not known, and without a
-- shape nothing is.
function Graph:output(value, name, shape)
  self:node("Identity", { value }, nil, { name })
  self.outputs[#self.outputs + 1] = value_info(name, "float", shape)
end

-- The version of the file's form that came with each operator set.
local function ir_version(opset)
  return opset >= 21 and 10 or opset >= 19 and 9 or 8
end

--- The bytes of the file.
-- @tparam string name of the graph
-- @tparam string producer_version
-- @tparam table texts metadata, key → text
function Graph:serialize(name, producer_version, texts)
  local graph = each(bytes, 1, self.nodes) .. bytes(2, name) .. each(bytes, 5, self.initializers)
    .. each(bytes, 11, self.inputs) .. each(bytes, 12, self.outputs)
  local keys = {}
  for key in pairs(texts) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do keys[i] = bytes(1, key) .. bytes(2, texts[key]) end
  return int(1, ir_version(self.opset)) .. bytes(2, "marea") .. bytes(3, producer_version)
    .. bytes(7, graph) .. bytes(8, int(2, self.opset)) .. each(bytes, 14, keys)
end

return Graph
