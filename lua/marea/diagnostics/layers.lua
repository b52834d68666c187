--- Which layers can be looked into, what arrives at each of them, and a layer step by step.
-- @module marea.diagnostics.layers
local data = require "marea.model.data"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local layers = {}

-- Cells of the library whose output follows from their state h, so that one tensor a step holds all
-- that goes on.
local stepped = { SimpleRNN = true, Elman = true, LSTM = true, GRU = true, SimpleGRU = true,
  MinimalGatedUnit = true }

--- Why a recurrent layer cannot be followed step by step, or nil.
function layers.why_not(layer)
  if stepped[layer.class_name] then return nil end
  if layer.class_name == "RNN" then return "its cell runs by itself inside nn.RNN" end
  return "its class is none of the library's cells"
end

--- Raises unless it is a model or a layer.
function layers.check(who, model)
  if type(model) == "table" and type(model.walk) == "function" then return end
  error(("%s: expected a model or a layer, got %s"):format(who, options.show(model)), 0)
end

--- What `fit` makes of x and y, for models that read more than tensors (marea.builders): texts, lists
-- of different lengths, names of classes, sources and targets. Other data comes back as it is.
function layers.lesson(who, model, x, y, given)
  local arranged = type(x) == "table" and (ops.is_tensor(x[1]) or x.previous ~= nil)
  if not model.lesson or arranged then return x, y, given end
  if model.decoder and y == nil then
    error(("%s: %s reads sources and targets; give the targets, too%s"):format(who, tostring(model),
      who == "gates" and ": gates(model, sources, { target = targets })" or ""), 0)
  end
  local read = {}
  for key, value in pairs(given) do read[key] = value end
  x, y, read.lengths = model:lesson(who, x, y, given.lengths)
  return x, y, read
end

--- Inputs as `predict` takes them, for a model; for a layer a tensor.
-- @treturn tensor|table
-- @treturn ?tensor lengths
function layers.inputs(who, model, x, lengths)
  if not model.input_names then return ops.tensor(x), lengths end
  local set = data.read_inputs(who, model, x, { lengths = lengths })
  if not model.built then model:build(data.build_shape(set)) end
  return set.x, set.lengths
end

-- The layers in a model (or the layer itself), those inside of others too: a list of { layer, name },
-- where a name that several have is the path. What stands in nn.RNN is its cell and sees single steps.
local function list_layers(model)
  local list, count, met = {}, {}, {}
  local function add(layer, path)
    if met[layer] then return end
    met[layer] = true
    count[layer.name] = (count[layer.name] or 0) + 1
    list[#list + 1] = { layer = layer, name = layer.name, path = path }
    if layer.class_name == "RNN" then return end
    for _, child in ipairs(layer.children) do
      add(child, path == "" and child.name or path .. "/" .. child.name)
    end
  end
  add(model, "")
  for _, item in ipairs(list) do
    if count[item.name] > 1 and item.path ~= "" then item.name = item.path end
  end
  return list
end

--- The recurrent layers among them, in their order.
function layers.recurrent(model)
  local found = {}
  for _, item in ipairs(list_layers(model)) do
    local layer = item.layer
    local whole = layer.class_name == "RNN" or #layer.children == 0
    if whole and layer:state_count() > 0 then found[#found + 1] = item end
  end
  return found
end

-- Lets `visit` answer for a layer; it sees the layer as it is without that.
local function watch(layer, visit)
  local function watching(self, x, call)
    self.call = nil
    local _ <close> = setmetatable({}, { __close = function() self.call = watching end })
    local results = visit(self, x, call)
    if results then return table.unpack(results, 1, results.n) end
    return self:call(x, call)
  end
  layer.call = watching
end

-- The states that stateful layers keep, to be put back: looking must not move them.
local function keep_states(model)
  local kept = {}
  model:walk(function(layer) kept[layer] = layer.kept_states or false end)
  return setmetatable({}, { __close = function()
    for layer, states in pairs(kept) do layer.kept_states = states or nil end
  end })
end

--- Runs the model, a row or a graph of layers, without dropout. `visit(layer, x, call)` is asked at
-- each of its layers, and may return what the layer gives in its place, packed with `n`.
-- @treturn tensor the model's output
-- @treturn ?tensor its mask
function layers.run(model, x, call, visit)
  local watched = list_layers(model)
  local kept <close> = keep_states(model) -- luacheck: ignore kept
  local _ <close> = setmetatable({}, { __close = function()
    for _, item in ipairs(watched) do item.layer.call = nil end
  end })
  for _, item in ipairs(watched) do watch(item.layer, visit) end
  call.training = false
  if model.input_names then return model:forward(x, call) end
  return model(x, call)
end

-- A layer as it runs step by step: the last state, and nothing that is meant for whole sequences.
local function stepwise(layer)
  local before = { return_sequences = layer.return_sequences, return_state = layer.return_state,
    stateful = layer.stateful, activity_regularizer = layer.activity_regularizer }
  layer.return_sequences, layer.return_state, layer.stateful = false, true, false
  layer.activity_regularizer = nil
  return setmetatable({}, { __close = function()
    for name, value in pairs(before) do layer[name] = value end
  end })
end

--- Whether x is what the layer expects; if not, the layer itself says so best.
function layers.takes(layer, x)
  local shape = x:shape()
  return #shape == 3 and shape[2] > 0 and shape[3] == layer.features
end

--- Calls a layer step by step in its own order, from the states that it would begin with.
-- @tparam Layer layer one with `why_not` nil
-- @tparam tensor x (B, T, D)
-- @tparam table call `mask`, `initial_state`
-- @tparam function f(p, t, before, after) → states to go on with: place in the order, time, the lists
-- of states before and after the step
-- @treturn {tensor,...} the last states
function layers.each_step(layer, x, call, f)
  local batch, time = x:size(1), x:size(2)
  local states = layer:initial_states(batch, call)
  if #states == 0 then
    for i, width in ipairs(layer.state_size) do states[i] = ops.zeros{ batch, width } end
  end
  local _ <close> = stepwise(layer)
  for p = 1, time do
    local t = layer.go_backwards and time + 1 - p or p
    local results = table.pack(layer(x:narrow(2, t, 1), { initial_state = states, training = false,
      mask = call.mask and call.mask:narrow(2, t, 1) }))
    states = f(p, t, states, table.move(results, 2, results.n, 1, {}))
  end
  return states
end

return layers
