--- Model: a graph of layers with any number of inputs and outputs (Keras's functional Model).
--
--     local title = marea.Input{ { 20 }, dtype = "int32", name = "title" }
--     local body = marea.Input{ { 200 }, dtype = "int32", name = "body" }
--     local words = nn.Embedding{ 10000, 32, mask_zero = true }        -- one table for both
--     local both = nn.Concatenate{}{ nn.LSTM{ 16 }(words(title)), nn.LSTM{ 32 }(words(body)) }
--     local model = marea.Model{ inputs = { title, body },
--       outputs = { topic = nn.Dense{ 5, activation = "softmax", name = "topic" }(both),
--         good = nn.Dense{ 1, activation = "sigmoid" }(both) } }
--     model:compile{ loss = { topic = "sparse_categorical_crossentropy", good = "bce" } }
--     model:fit({ title = t, body = b }, { topic = k, good = g })
--
-- A layer that is called twice has its weights once. Models and Sequentials are layers: they can be
-- called on symbolic tensors too. Shapes are checked when the calls are made.
-- @classmod marea.Model
local base = require "marea.model.base"
local graph = require "marea.model.graph"
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
local registry = require "marea.nn.registry"
local symbolic = require "marea.nn.symbolic"

--- `inputs` and `outputs` are symbolic tensors: one, a list or a table by name (then in the order of
-- the names). The names of a list are those of the layers.
local Model = Layer:extend("Model", {
  builtin = true,
  masking = "pass",
  takes_list = true,
  options = { inputs = options.required, outputs = options.required },
})

base(Model)

-- Symbols and their names; `kind` for messages.
local function read_symbols(self, kind, given)
  if symbolic.of(given) then given = { given } end
  if type(given) ~= "table" or getmetatable(given) then
    self:fail("%s must be symbolic tensors (marea.Input, or what layers gave for it), got %s", kind,
      options.show(given))
  end
  local symbols, names = {}, {}
  if parts.by_name(given) then
    for name in pairs(given) do names[#names + 1] = name end
    table.sort(names)
  end
  for i = 1, math.max(#given, #names) do
    local value = given[names[i] or i]
    symbols[i] = symbolic.of(value)
    if not symbols[i] then
      self:fail("%s %s must be a symbolic tensor, got %s", kind, names[i] or i, options.show(value))
    end
  end
  if #symbols == 0 then self:fail("has no %s", kind) end
  return symbols, #names > 0 and names or nil
end

-- Names of layers, made different where a layer gives several outputs.
local function names_of(symbols)
  local names, taken = {}, {}
  for i, symbol in ipairs(symbols) do
    local name, n = symbol.node.layer.name, 1
    while taken[name] do
      n = n + 1
      name = symbol.node.layer.name .. "_" .. n
    end
    names[i], taken[name] = name, true
  end
  return names
end

function Model:init()
  local inputs, outputs = self.inputs, self.outputs
  if type(inputs) == "table" and inputs.graph then -- from a file
    self.graph, self.names = inputs.graph, inputs.names
  else
    self.names = {}
    inputs, self.names.inputs = read_symbols(self, "inputs", inputs)
    outputs, self.names.outputs = read_symbols(self, "outputs", outputs)
    for i, symbol in ipairs(inputs) do
      if symbol.node.layer.class_name ~= "Input" then
        self:fail("input %d is what layer %q gave; inputs must be marea.Input{ … }", i,
          symbol.node.layer.name)
      end
    end
    self.graph = graph.trace(self, inputs, outputs)
  end
  self.inputs, self.outputs = self.graph.inputs, self.graph.outputs
  self.layers = graph.layers(self, self.graph)
  self.children = self.layers
  self:link_layers()
  if not registry.loading() then self:build(self:declared_shape()) end
end

--- The names of the inputs, in order.
function Model:input_names()
  return self.names.inputs or names_of(self.inputs)
end

--- The names of the outputs, in order.
function Model:output_names()
  return self.names.outputs or names_of(self.outputs)
end

--- The declared shape of the input; a list of shapes when there are several.
function Model:declared_shape()
  local shapes = {}
  for i, symbol in ipairs(self.inputs) do shapes[i] = symbol.node.layer:full_shape() end
  return #shapes == 1 and shapes[1] or shapes
end

-- A model that comes from a file meets its shapes here; otherwise the calls have built everything.
function Model:build_weights(shape)
  local declared = self:declared_shape()
  if not symbolic.same_but_batch(shape, declared) then self:check_shapes(shape) end
  self.input_shape = declared
  for _, node in ipairs(self.graph.nodes) do symbolic.infer(node) end
  for _, symbol in ipairs(self.outputs) do
    if not symbol.sizes then self:fail("layer %q has fewer outputs", symbol.node.layer.name) end
  end
end

-- Shapes of other inputs than the declared ones must fit them.
function Model:check_shapes(shape)
  local shapes = type(shape[1]) == "table" and shape or { shape }
  if #shapes ~= #self.inputs then
    self:fail("has %d inputs, got %d", #self.inputs, #shapes)
  end
  for i, symbol in ipairs(self.inputs) do
    local wanted = symbol.node.layer:full_shape()
    local fits = #wanted == #shapes[i]
    for axis = 2, #wanted do
      local size = shapes[i][axis]
      fits = fits and (wanted[axis] < 0 or size < 0 or wanted[axis] == size)
    end
    if not fits then
      self:fail("input %q is (%s), declared is (%s)", self:input_names()[i],
        table.concat(shapes[i], ", "), table.concat(wanted, ", "))
    end
  end
end

--- Inputs by name as the list that the layers get.
function Model:arrange_inputs(x)
  if parts.by_name(x) then return self:one_or_list(parts.list(self.name, "input", self:input_names(), x)) end
  if not getmetatable(x) and #self.inputs == 1 and #x == 1 then return x[1] end
  if not getmetatable(x) and #x ~= #self.inputs then
    self:fail("has %d inputs, got a list of %d", #self.inputs, #x)
  end
  return x
end

function Model:one_or_list(list)
  return #self.inputs == 1 and list[1] or list
end

-- `mask` and `lengths` as lists by the place of the input.
local function input_masks(self, x, call)
  local single = #self.inputs == 1
  local mask = call.mask
  if call.lengths ~= nil then mask = self:read_mask(x, { lengths = call.lengths }) end
  if mask == nil then return {} end
  return single and { mask } or mask
end

-- Inputs as a list.
local function input_list(self, x)
  if type(x) == "table" then x = self:arrange_inputs(x) end
  local single = #self.inputs == 1
  if single ~= (type(x) ~= "table" or getmetatable(x) ~= nil) then
    self:fail("has %d inputs, got %s", #self.inputs, single and "a list" or "one tensor")
  end
  return single and { x } or x, x
end

--- Outputs and their masks: tensors for one output, else lists.
function Model:forward(x, call)
  call = call or {}
  local list, arranged = input_list(self, x)
  local y, masks = graph.run(self.graph, list, input_masks(self, arranged, call), call.training)
  if #self.outputs == 1 then return y[1], masks[1] end
  return y, masks
end

function Model:call(x, call)
  local y, mask = self:forward(x, call)
  self.last_mask = mask
  if #self.outputs == 1 then return y end
  return table.unpack(y, 1, #self.outputs)
end

-- Steps -----------------------------------------------------------------------------------------

--- State tensors of all calls in the graph; a layer that is called twice has two shares.
function Model:state_count()
  local count = 0
  for _, node in ipairs(self.graph.nodes) do count = count + node.layer:state_count() end
  return count
end

--- Raises where initial states come from the graph.
function Model:check_pieces(who)
  graph.check_pieces(self.graph, who)
end

function Model:advance(x, list, call)
  if #self.outputs > 1 then self:fail("has %d outputs; states need one", #self.outputs) end
  graph.check_advance(self.graph, "called with states")
  local inputs, arranged = input_list(self, x)
  local y, masks, new = graph.run(self.graph, inputs, input_masks(self, arranged, call), call.training,
    list)
  return y[1], masks[1], new
end

--- The layers of a graph that is a row; nil for other graphs.
function Model:row()
  return graph.row(self.graph)
end

--- One step at a time, for serving and generation, of a graph with one input and one output; see
-- marea.generate.stream.
function Model:stream(given)
  return require("marea.generate.stream").stream(self, given)
end

--- The shapes of all outputs for a shape of the input, or a list of shapes.
function Model:output_shapes(shape)
  if not symbolic.same_but_batch(shape, self.input_shape) then
    self:check_shapes(shape)
    return graph.shapes(self.graph, #self.inputs == 1 and { shape } or shape)
  end
  return self:head_shapes()
end

--- The shape of the first output.
function Model:output_shape(shape)
  return self:output_shapes(shape)[1]
end

--- The shapes of the outputs as declared.
function Model:head_shapes()
  local shapes = {}
  for i, symbol in ipairs(self.outputs) do shapes[i] = symbol:shape() end
  return shapes
end

--- The Embeddings that read input `i`, and whether nothing else does.
function Model:embeddings_of(i)
  local list, alone = {}, true
  for _, node in ipairs(self.graph.nodes) do
    for place, symbol in ipairs(node.inputs) do
      if symbol == self.inputs[i] then
        local found, all = {}, false
        if node.layer.class_name == "Embedding" then
          found, all = { node.layer }, true
        elseif node.layer.embeddings_of then
          found, all = node.layer:embeddings_of(place)
        end
        table.move(found, 1, #found, #list + 1, list)
        alone = alone and all
      end
    end
  end
  return list, alone and #list > 0
end

--- Whether the number of steps of the first input is declared.
function Model:fixed_width()
  return (self.inputs[1].sizes[2] or -1) > 0
end

-- Saving ----------------------------------------------------------------------------------------

function Model:get_config()
  local config = graph.describe(self.graph, self.layers)
  config.name, config.trainable = self.name, self.trainable
  config.input_names, config.output_names = self.names.inputs, self.names.outputs
  return config
end

local function read_names(list, count)
  if list == nil then return nil end
  local met = {}
  local fine = type(list) == "table" and #list == count
  for i = 1, fine and count or 0 do
    fine = fine and type(list[i]) == "string" and not met[list[i]]
    if fine then met[list[i]] = true end
  end
  if not fine then error("Model: the names of inputs or outputs are malformed", 0) end
  return list
end

--- A model from the config that get_config made.
function Model.from_config(class, config)
  local read = graph.read(config)
  local names = { inputs = read_names(config.input_names, #read.inputs),
    outputs = read_names(config.output_names, #read.outputs) }
  return class{ inputs = { graph = read, names = names }, outputs = read.outputs, name = config.name,
    trainable = config.trainable }
end

return Model
