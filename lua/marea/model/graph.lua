--- The graph of a functional Model: found from its outputs, run in order, written to a file and read.
--
-- A graph is { nodes, inputs, outputs }: nodes so that each comes after those it depends on, inputs
-- and outputs as symbolic tensors (marea.nn.symbolic).
-- @module marea.model.graph
local json = require "marea.json"
local registry = require "marea.nn.registry"
local symbolic = require "marea.nn.symbolic"

local graph = {}

-- Finding -----------------------------------------------------------------------------------------

local function each_parent(node, f)
  for _, symbol in ipairs(node.inputs) do f(symbol.node) end
  for _, symbol in ipairs(node.states or {}) do f(symbol.node) end
end

-- Depth first, without recursion: a chain may be longer than Lua's stack of C calls allows.
local function visit(root, met, nodes)
  local stack = { root }
  while #stack > 0 do
    local node = stack[#stack]
    if met[node] then
      table.remove(stack)
      if met[node] == "open" then
        met[node] = "done"
        nodes[#nodes + 1] = node
      end
    else
      met[node] = "open"
      local parents = {}
      each_parent(node, function(parent) table.insert(parents, 1, parent) end)
      for _, parent in ipairs(parents) do
        if not met[parent] then stack[#stack + 1] = parent end
      end
    end
  end
end

--- The graph between inputs and outputs, both lists of symbolic tensors.
-- @raise when an output depends on an Input that is not listed, or an input leads nowhere
function graph.trace(model, inputs, outputs)
  local nodes, met, declared = {}, {}, {}
  for _, symbol in ipairs(outputs) do visit(symbol.node, met, nodes) end
  for i, symbol in ipairs(inputs) do
    local layer = symbol.node.layer
    if declared[symbol.node] then model:fail("input %q is listed twice", layer.name) end
    declared[symbol.node] = true
    if not met[symbol.node] then
      model:fail("no output depends on input %d, %q", i, layer.name)
    end
  end
  for _, node in ipairs(nodes) do
    if #node.inputs == 0 and not declared[node] then
      model:fail("an output depends on Input %q, which is not among the inputs", node.layer.name)
    end
  end
  return { nodes = nodes, inputs = inputs, outputs = outputs }
end

--- The layers of a graph, each once, in the order of their first call.
function graph.layers(model, made)
  local layers, by_name, met = {}, {}, {}
  for _, node in ipairs(made.nodes) do
    local layer = node.layer
    if not met[layer] then
      met[layer] = true
      if by_name[layer.name] then model:fail("has two layers named %q", layer.name) end
      by_name[layer.name] = layer
      layers[#layers + 1] = layer
    end
  end
  return layers
end

-- Running -----------------------------------------------------------------------------------------

-- The values that symbols stand for, as the layer takes them.
local function gather(symbols, values, list)
  if not list then return values[symbols[1]] end
  local items = {}
  for i, symbol in ipairs(symbols) do items[i] = values[symbol] end
  return items
end

local function call_options(node, values, masks, training)
  local given = { training = training, mask = gather(node.inputs, masks, node.list) }
  if node.states then given.initial_state = gather(node.states, values, true) end
  for name, value in pairs(node.call or {}) do given[name] = value end
  return given
end

-- Results of a layer and the mask of the first, or of each.
local function call_layer(node, x, given)
  local results = table.pack(node.layer(x, given))
  return results, node.layer:compute_mask(x, given.mask)
end

-- The same with the layer's share of the states that `carry` holds: { list, new, at }.
local function advance_layer(node, x, given, carry)
  local count, share = node.layer:state_count(), {}
  if #carry.list > 0 then table.move(carry.list, carry.at + 1, carry.at + count, 1, share) end
  local y, mask, after = node.layer:advance(x, share, { mask = given.mask, training = given.training })
  table.move(after, 1, #after, #carry.new + 1, carry.new)
  carry.at = carry.at + count
  return { y }, mask
end

local function run_node(node, values, masks, training, carry)
  local x = gather(node.inputs, values, node.list)
  local given = call_options(node, values, masks, training)
  local results, mask = (carry and advance_layer or call_layer)(node, x, given, carry)
  for i, symbol in pairs(node.outputs) do
    values[symbol] = results[i]
    if type(mask) == "table" then
      masks[symbol] = mask[i]
    elseif i == 1 then
      masks[symbol] = mask
    end
  end
end

--- Runs a graph.
-- @tparam table made the graph
-- @tparam {tensor,...} x one for each input
-- @tparam {tensor,...} given_masks one for each input, maybe with gaps
-- @tparam boolean training
-- @tparam[opt] {tensor,...} list states of the nodes in order, or {} for zeros
-- @treturn {tensor,...} the outputs
-- @treturn {tensor,...} their masks, maybe with gaps
-- @treturn {tensor,...} the new states, where `list` was given
function graph.run(made, x, given_masks, training, list)
  local _ <close> = symbolic.begin_pass()
  local values, masks = {}, {}
  local carry = list and { list = list, new = {}, at = 0 }
  for i, symbol in ipairs(made.inputs) do
    values[symbol] = symbol.node.layer(x[i], { training = training })
    masks[symbol] = given_masks[i]
  end
  for _, node in ipairs(made.nodes) do
    if #node.inputs > 0 then run_node(node, values, masks, training, carry) end
  end
  local outputs, output_masks = {}, {}
  for i, symbol in ipairs(made.outputs) do
    outputs[i], output_masks[i] = values[symbol], masks[symbol]
  end
  return outputs, output_masks, carry and carry.new
end

-- Steps --------------------------------------------------------------------------------------------

local function refuse_node(node, who, message, ...)
  node.layer:fail("%s: %s, which has no place where a sequence comes in pieces", who, message:format(...))
end

--- Raises where initial states come from the graph: they would begin anew with each piece.
function graph.check_pieces(made, who)
  for _, node in ipairs(made.nodes) do
    if node.states then refuse_node(node, who, "its initial states come from the graph") end
  end
end

--- Raises for what a graph does besides handing first outputs on, as states cannot follow it there.
function graph.check_advance(made, who)
  local function check(symbols)
    for _, symbol in ipairs(symbols) do
      if symbol.index > 1 then refuse_node(symbol.node, who, "its output %d is used", symbol.index) end
    end
  end
  check(made.outputs)
  for _, node in ipairs(made.nodes) do
    check(node.inputs)
    for option in pairs(node.call or {}) do
      if option ~= "return_state" then refuse_node(node, who, "it is called with %s", option) end
    end
  end
end

-- Whether a node does nothing but call its layer on the first output of the node before.
local function follows(node, before)
  local input = node.inputs[1]
  return input.node == before and input.index == 1 and not node.list and not node.states
    and not next(node.call or {})
end

--- The layers behind the input of a graph that is a row, in order; nil for other graphs.
function graph.row(made)
  local layers, before = {}, made.inputs[1].node
  for _, node in ipairs(made.nodes) do
    if #node.inputs > 0 then
      if not follows(node, before) then return nil end
      layers[#layers + 1], before = node.layer, node
    end
  end
  local last = made.outputs[1]
  if #made.inputs + #made.outputs > 2 or last.node ~= before or last.index ~= 1 then return nil end
  return layers
end

--- The shapes of the outputs for other shapes of the inputs than those declared.
function graph.shapes(made, shapes)
  local known = {}
  for i, symbol in ipairs(made.inputs) do known[symbol] = shapes[i] end
  local function sizes(symbols)
    local list, dtypes = {}, {}
    for i, symbol in ipairs(symbols or {}) do list[i], dtypes[i] = known[symbol], symbol.dtype end
    return list, dtypes
  end
  for _, node in ipairs(made.nodes) do
    if #node.inputs > 0 then
      local list, dtypes = sizes(node.inputs)
      local results = node.layer:output_shapes(node.list and list or list[1], dtypes,
        node.states and (sizes(node.states)))
      for i, symbol in pairs(node.outputs) do known[symbol] = results[i] end
    end
  end
  return (sizes(made.outputs))
end

-- Saving ------------------------------------------------------------------------------------------

local function references(symbols, numbers)
  local list = json.array{}
  for i, symbol in ipairs(symbols) do
    list[i] = { node = numbers[symbol.node], output = symbol.index }
  end
  return list
end

--- A graph as tables for JSON: layers once each, nodes that refer to earlier nodes by number.
function graph.describe(made, layers)
  local description = { layers = json.array{}, nodes = json.array{} }
  for i, layer in ipairs(layers) do description.layers[i] = registry.serialize(layer) end
  local numbers = {}
  for i, node in ipairs(made.nodes) do
    numbers[node] = i
    description.nodes[i] = { layer = node.layer.name, list = node.list or nil, call = node.call,
      inputs = references(node.inputs, numbers),
      states = node.states and references(node.states, numbers) }
  end
  description.inputs = references(made.inputs, numbers)
  description.outputs = references(made.outputs, numbers)
  return description
end

local function refuse(message, ...)
  error(("the graph of a Model is malformed: " .. message):format(...), 0)
end

local function list_of(value, what)
  if type(value) ~= "table" then refuse("%s is missing", what) end
  return value
end

-- Symbols by reference to nodes that were read before; their sizes come when the model is built.
local function read_references(list, nodes, what)
  local symbols = {}
  for i, item in ipairs(list_of(list, what)) do
    local node = type(item) == "table" and nodes[math.tointeger(item.node) or 0]
    local index = node and math.tointeger(item.output)
    if not index or index < 1 or index > 1000 then refuse("%s %d refers to nothing", what, i) end
    symbols[i] = node.outputs[index] or symbolic.new(node, index)
  end
  return symbols
end

local function read_call(call)
  for name, value in pairs(list_of(call or {}, "call")) do
    local kind = type(value)
    if type(name) ~= "string" or kind ~= "boolean" and kind ~= "number" and kind ~= "string"
      or name == "mask" or name == "lengths" or name == "initial_state" then
      refuse("option %s of a call", tostring(name))
    end
  end
  return call
end

local function read_node(item, layers, nodes)
  local layer = type(item) == "table" and layers[item.layer]
  if not layer then refuse("node %d has no layer", #nodes + 1) end
  local inputs = read_references(item.inputs, nodes, "input")
  if #inputs == 0 then
    if layer.class_name ~= "Input" then refuse("node %d has no input", #nodes + 1) end
    return layer:symbol().node
  end
  if not item.list and #inputs ~= 1 then refuse("node %d has %d inputs", #nodes + 1, #inputs) end
  return { layer = layer, inputs = inputs, list = item.list == true, outputs = {},
    call = read_call(item.call),
    states = item.states and read_references(item.states, nodes, "state") or nil }
end

--- The graph that graph.describe described. Nothing is built yet.
-- @raise for anything that does not fit together
function graph.read(description)
  local layers, nodes = {}, {}
  for _, item in ipairs(list_of(description.layers, "layers")) do
    local layer = registry.deserialize(item)
    layers[layer.name] = layer
  end
  for i, item in ipairs(list_of(description.nodes, "nodes")) do
    nodes[i] = read_node(item, layers, nodes)
  end
  local inputs = read_references(description.inputs, nodes, "input")
  local outputs = read_references(description.outputs, nodes, "output")
  for i, symbol in ipairs(inputs) do
    if symbol.node.layer.class_name ~= "Input" then refuse("input %d is not an Input", i) end
  end
  if #inputs == 0 or #outputs == 0 then refuse("inputs or outputs are missing") end
  return { nodes = nodes, inputs = inputs, outputs = outputs }
end

return graph
