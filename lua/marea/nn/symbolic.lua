--- Symbolic tensors: what a layer gives for a marea.Input, so that calls make a graph.
--
-- A symbolic tensor knows its shape and the call that makes it, a node { layer, inputs, list, call,
-- states, outputs }. marea.Model runs the nodes that lead from its inputs to its outputs.
-- @module marea.nn.symbolic
local ops = require "marea.ops"
local options = require "marea.nn.options"

local symbolic = {}

local Symbol = {}
Symbol.__index = Symbol

--- The shape with the batch axis; -1 is any size.
function Symbol:shape()
  return table.move(self.sizes, 1, #self.sizes, 1, {})
end

function Symbol:__tostring()
  local sizes = {}
  for i, size in ipairs(self.sizes or {}) do sizes[i] = size < 0 and "any" or tostring(size) end
  sizes[1] = sizes[1] == "any" and "batch" or sizes[1]
  return ("symbolic tensor (%s) of layer %q"):format(table.concat(sizes, ", "), self.node.layer.name)
end

for event, class in pairs{ __add = "Add", __sub = "Subtract", __mul = "Multiply" } do
  Symbol[event] = function(a, b)
    return require("marea.nn")[class]{}({ a, b })
  end
end

--- Output number `index` of a node.
function symbolic.new(node, index, sizes, dtype)
  local symbol = setmetatable({ node = node, index = index, sizes = sizes, dtype = dtype }, Symbol)
  node.outputs[index] = symbol
  return symbol
end

--- The symbolic tensor that a value is or, if it is an Input layer, stands for; else nil.
function symbolic.of(value)
  if type(value) ~= "table" then return nil end
  if getmetatable(value) == Symbol then return value end
  return value.class_name == "Input" and value.weight_list and value:symbol() or nil
end

--- Whether a value or an item of a list is symbolic.
function symbolic.among(value)
  if symbolic.of(value) then return true end
  if type(value) ~= "table" or getmetatable(value) then return false end
  for _, item in ipairs(value) do
    if symbolic.of(item) then return true end
  end
  return false
end

-- Passes ----------------------------------------------------------------------------------------

local current

--- The pass through a graph that is going on, or nil.
function symbolic.pass()
  return current
end

--- Starts a pass, unless one is going on; it ends when the returned value is closed.
function symbolic.begin_pass()
  local before = current
  current = current or {}
  return setmetatable({}, { __close = function() current = before end })
end

-- Shapes ----------------------------------------------------------------------------------------

--- Whether two shapes, or lists of shapes, agree in all axes but the first.
function symbolic.same_but_batch(a, b)
  if type(a) ~= "table" or type(b) ~= "table" or #a ~= #b then return false end
  for i = 1, #a do
    if type(a[i]) == "table" or type(b[i]) == "table" then
      if not symbolic.same_but_batch(a[i], b[i]) then return false end
    elseif i > 1 and a[i] ~= b[i] then
      return false
    end
  end
  return true
end

-- Sizes that are not known are tried as these two; what differs in the output is not known either.
-- They are far apart, so that strides and windows do not make the results equal.
local trial_sizes = { 64, 128 }

-- Numbers in a sample that are tried at most: a file may declare any size.
local MOST <const> = 2 ^ 27

local function zeros_of(shape, unknown, dtype)
  local sizes, guessed, count = {}, false, 1
  for axis, size in ipairs(shape) do
    sizes[axis] = size
    if size < 0 then
      sizes[axis] = axis == 1 and 1 or unknown
      guessed = guessed or axis > 1
    end
    count = count * sizes[axis]
  end
  if count > MOST then
    error(("an input of (%s) is too large to find the shapes that follow from it"):format(
      table.concat(shape, ", ")), 0)
  end
  return ops.zeros(sizes, dtype and { dtype = dtype }), guessed
end

local function zeros_for(shape, unknown, dtypes)
  if type(shape[1]) ~= "table" then return zeros_of(shape, unknown, dtypes and dtypes[1]) end
  local list, guessed = {}, false
  for i, one in ipairs(shape) do
    local guess
    list[i], guess = zeros_of(one, unknown, dtypes and dtypes[i])
    guessed = guessed or guess
  end
  return list, guessed
end

-- Runs f; afterwards the layer has the states and losses that it had before.
local function without_traces(layer, f)
  local stateful = {}
  layer:walk(function(inner)
    stateful[inner], inner.stateful = inner.stateful, inner.stateful and false
  end)
  local ok, result = pcall(f)
  layer:walk(function(inner)
    inner.stateful, inner.extra_losses, inner.last_mask = stateful[inner], nil, nil
  end)
  if ok then return result end
  local message = tostring(result)
  if message:find(("%q"):format(layer.name), 1, true) then error(message, 0) end
  layer:fail("%s", message)
end

-- The shapes of all outputs for inputs of zeros.
local function try(layer, shape, unknown, dtypes, states)
  return without_traces(layer, function()
    local _ <close> = ops.tape()
    return ops.no_grad(function()
      local x, guessed = zeros_for(shape, unknown, dtypes)
      local initial
      for i, state in ipairs(states or {}) do
        initial = initial or {}
        initial[i] = zeros_of(state, unknown)
      end
      local results = table.pack(layer:call(x, { training = false, initial_state = initial }))
      local shapes = { guessed = guessed }
      while results.n > 1 and results[results.n] == nil do results.n = results.n - 1 end
      for i = 1, results.n do
        if not ops.is_tensor(results[i]) then
          layer:fail("must return tensors, output %d is %s", i, options.show(results[i]))
        end
        shapes[i] = results[i]:shape()
      end
      return shapes
    end)
  end)
end

--- The shapes of all outputs of a layer, found by calling it on zeros.
-- @tparam Layer layer built
-- @tparam table shape of the input, or a list of shapes; -1 is any size
-- @tparam[opt] table dtypes of the inputs by place
-- @tparam[opt] table states shapes of the initial states
-- @treturn {table,...}
function symbolic.infer_shapes(layer, shape, dtypes, states)
  local first = try(layer, shape, trial_sizes[1], dtypes, states)
  local second = first.guessed and try(layer, shape, trial_sizes[2], dtypes, states) or first
  local batch = type(shape[1]) == "table" and shape[1][1] or shape[1]
  for i, sizes in ipairs(first) do
    for axis, size in ipairs(sizes) do
      if second[i][axis] ~= size then sizes[axis] = -1 end
    end
    sizes[1] = batch
  end
  first.guessed = nil
  return first
end

-- Nodes -----------------------------------------------------------------------------------------

local function sizes_of(symbols)
  local shapes, dtypes = {}, {}
  for i, symbol in ipairs(symbols) do shapes[i], dtypes[i] = symbol.sizes, symbol.dtype end
  return shapes, dtypes
end

--- Builds a node's layer, if need be, and sets the sizes of its outputs from those of its inputs.
function symbolic.infer(node)
  local layer = node.layer
  if #node.inputs == 0 then return end -- an Input knows its shape
  local shapes, dtypes = sizes_of(node.inputs)
  local shape = node.list and shapes or shapes[1]
  layer:build(shape)
  local results = layer:output_shapes(shape, dtypes, node.states and (sizes_of(node.states)))
  for i, sizes in ipairs(results) do
    if node.outputs[i] then
      node.outputs[i].sizes = sizes
    else
      symbolic.new(node, i, sizes)
    end
  end
  for i in pairs(node.outputs) do
    if i > #results then layer:fail("has %d outputs, number %d is asked for", #results, i) end
  end
end

local function read_symbols(layer, what, list)
  local symbols = {}
  for i, item in ipairs(list) do
    symbols[i] = symbolic.of(item)
    if not symbols[i] then
      layer:fail("%s %d is %s, expected a symbolic tensor as the others are", what, i,
        options.show(item))
    end
  end
  return symbols
end

-- Options of a call that a file can hold; masks find their way by themselves.
local function read_options(layer, given)
  local call
  for name, value in pairs(given) do
    if name == "mask" or name == "lengths" then
      layer:fail("%s cannot be given with symbolic tensors: masks go through a Model by themselves", name)
    elseif name ~= "initial_state" then
      if type(value) ~= "boolean" and type(value) ~= "number" and type(value) ~= "string" then
        layer:fail("option %s of a symbolic call must be a number, a string or a boolean, got %s", name,
          options.show(value))
      end
      call = call or {}
      call[name] = value
    end
  end
  return call
end

--- Records a call of a layer on symbolic tensors.
-- @treturn symbol,... its outputs
function symbolic.apply(layer, x, given)
  local single = symbolic.of(x)
  if not single and not layer.takes_list then
    layer:fail("expects one input, got a list of %d; join them with nn.Concatenate{} or nn.Add{}", #x)
  end
  local node = { layer = layer, list = not single, outputs = {},
    inputs = read_symbols(layer, "input", single and { single } or x),
    call = read_options(layer, given) }
  local states = given.initial_state
  if states ~= nil then
    node.states = read_symbols(layer, "initial_state", symbolic.of(states) and { states } or states)
  end
  symbolic.infer(node)
  return table.unpack(node.outputs)
end

return symbolic
