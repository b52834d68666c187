--- One step at a time through a model, for serving and generation.
--
--     local stream = model:stream{ batch = 1 }
--     local p = stream:step(id)          -- (1, V); the next step writes into the same tensor
--
-- Embedding, SimpleRNN, GRU, LSTM, SimpleGRU, MinimalGatedUnit, Dense and activations run in C and
-- allocate nothing per step; with other layers (a cell of one's own) or forms (peepholes, norm,
-- projection, cell_clip, zoneout), and in a Model that is no row of layers, a step runs through the
-- layers themselves. Every step counts: masks belong to whole sequences. What looks across time
-- (Conv1D, attention, Bidirectional …) is refused; see states.require_pieces in marea.nn.states.
-- @classmod marea.generate.Stream
local forms = require "marea.nn.recurrent_forms"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"
local states = require "marea.nn.states"
local weights = require "marea.nn.weights"

local Stream = {}
Stream.__index = Stream

local silent = { Input = true, Dropout = true, SpatialDropout1D = true }

-- The layers that a model is a row of; nil for other graphs and for layers.
local function row_of(layer)
  if layer.graph then return layer:row() end
  return layer.layers
end

local flatten

-- TimeDistributed as what it holds, where that sees the features alone.
local function flatten_steps(layer, list)
  local inner = flatten(layer.layer, {})
  for _, item in ipairs(inner) do
    if item.class_name ~= "Dense" and item.class_name ~= "Activation" then inner = { layer } end
  end
  table.move(inner, 1, #inner, #list + 1, list)
end

-- Rows within rows as one list.
function flatten(layer, list)
  local row = row_of(layer)
  if row then
    for _, item in ipairs(row) do flatten(item, list) end
  elseif layer.class_name == "TimeDistributed" then
    flatten_steps(layer, list)
  elseif not silent[layer.class_name] then
    list[#list + 1] = layer
  end
  return list
end

-- A layer must be one of the library's own, without an option that the steps in C do not know.
local known = {}
for name in ([[name trainable units activation recurrent_activation use_bias unit_forget_bias
  reset_after coupled update candidate gate kernel_initializer recurrent_initializer bias_initializer kernel_regularizer
  recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint
  bias_constraint dropout recurrent_dropout return_sequences return_state stateful
  zero_output_for_mask go_backwards learn_initial_state compat input_dim output_dim mask_zero
  trainable_rows weights input_length embeddings_initializer embeddings_regularizer
  embeddings_constraint]]):gmatch("%S+") do
  known[name] = true
end

local function is_plain(layer)
  local class = getmetatable(layer)
  if not class.builtin or registry.find(layer.class_name) ~= class then return false end
  for name, default in pairs(class.options) do
    local usual = default
    if usual == options.optional then usual = nil end
    if not known[name] and layer[name] ~= usual then return false end
  end
  return true
end

local add = {}

function add.Embedding(stepper, layer)
  stepper:embedding(layer.embeddings)
  return true
end

local function add_activation(stepper, which)
  if which == nil or which == "linear" then return true end
  return type(which) == "string" and stepper:activation(which)
end

function add.Dense(stepper, layer, bare)
  stepper:dense(layer.kernel, layer.bias)
  return bare or add_activation(stepper, layer.activation)
end

function add.Activation(stepper, layer, bare)
  return bare or add_activation(stepper, layer.activation)
end

local function add_recurrent(stepper, layer, _, list)
  stepper:recurrent(layer.cell, layer.activation, layer.recurrent_activation, layer.kernel,
    layer.recurrent_kernel, layer.bias, list[1], list[2], layer.update == "write")
  return true
end

function add.Softmax(stepper, _, bare)
  return bare or stepper:activation("softmax")
end

for _, name in ipairs{ "SimpleRNN", "LSTM", "GRU", "SimpleGRU", "MinimalGatedUnit" } do
  add[name] = add_recurrent
end

-- The row of layers in C, or nil when one of them is not known there.
local function compile(self, features)
  local stepper, at = ops.stepper(self.batch, features), 0
  for i, layer in ipairs(self.layers) do
    local count = layer:state_count()
    local own = table.move(self.values, at + 1, at + count, 1, {})
    local bare = self.bare and i == #self.layers
    local f = add[layer.class_name]
    local plain = f and (layer.class_name == "Activation" or is_plain(layer))
    if not plain or not f(stepper, layer, bare, own) then return nil end
    at = at + count
  end
  return stepper
end

-- States as owned tensors that live as long as the stream; of which sizes, a first step tells.
local function make_values(self, x)
  local _ <close> = ops.tape()
  local y, _, new = ops.no_grad(states.advance_row, self.layers, x, {}, { training = false })
  for i, tensor in ipairs(new) do self.values[i] = ops.zeros(tensor:shape()) end
  local shape = y:shape()
  if #shape ~= 2 and shape[2] ~= 1 then
    error("stream: the model's output has no place for one step at a time", 0)
  end
  self.output = y:reshape{ self.batch, shape[#shape] }:clone()
end

-- The states before the first step, of all sequences or one: those that were learned, else zeros.
local function begin(self, row)
  local at, count = 0, row and 1 or self.batch
  for _, layer in ipairs(self.holders) do
    local learned = layer.learn_initial_state
      and ops.no_grad(forms.initial_states, layer, count) or {}
    for i = 1, layer:state_count() do
      local value = self.values[at + i]
      if row then value = value:narrow(1, row, 1) end
      if learned[i] then value:assign_(learned[i]) else value:fill_(0) end
    end
    at = at + layer:state_count()
  end
end

-- Whether a step takes ids.
local function takes_ids(self, model)
  local first = self.layers[1]
  if first.class_name == "Embedding" then return true end
  local input = model.graph and model.inputs[1] or model.layers[1]
  return input.dtype == "int32" or first.graph ~= nil and first.inputs[1].dtype == "int32"
end

local function trial_input(self, model)
  if takes_ids(self, model) then
    self.ids = ops.zeros({ self.batch, 1 }, { dtype = "int32" })
    return self.ids, 0
  end
  local shape = model.input_shape
  return ops.zeros{ self.batch, 1, shape[#shape] }, shape[#shape]
end

local function check_model(model)
  if not model:build_declared() then
    model:fail("stream: has no weights yet; fit it, or build(shape) it first")
  end
  if #model:input_names() > 1 then
    model:fail("stream: has %d inputs; a step takes one", #model:input_names())
  end
  states.require_pieces(model, "stream")
  model:walk(function(layer)
    if layer.stateful then
      layer:fail("stream: keeps states itself; make the same model without stateful and take the weights "
        .. "over: twin:set_weights(model:get_weights())")
    end
  end)
end

-- The layer that the outputs come from.
local function last_layer(layer)
  if layer.graph then return last_layer(layer.outputs[1].node.layer) end
  if layer.layers then
    local last = #layer.layers
    while last > 1 and silent[layer.layers[last].class_name] do last = last - 1 end
    return last_layer(layer.layers[last])
  end
  return layer.class_name == "TimeDistributed" and last_layer(layer.layer) or layer
end

-- Its activation, or nil.
local function activation_of(layer)
  if layer.class_name == "Softmax" then return "softmax" end
  if layer.class_name == "Elman" then return layer.g2 end
  return layer:state_count() == 0 and layer.activation or nil
end

local gives_scores = { Dense = true, TiedDense = true, SampledSoftmax = true }

-- Whether the first outputs are probabilities.
local function are_probabilities(output)
  local sum = 0
  for _, p in ipairs(output:select(1, 1):totable()) do
    if p < 0 then return false end
    sum = sum + p
  end
  return math.abs(sum - 1) < 1e-5
end

-- Raises for outputs that are no logits. What a layer of one's own does, or one behind a softmax,
-- the numbers tell.
local function check_logits(self, model, last)
  local activation = activation_of(last)
  if activation and activation ~= "softmax" and activation ~= "linear"
    and activation ~= "log_softmax" then
    model:fail("stream: ends in %s, which gives no logits; it must end in softmax or without an "
      .. "activation", options.show(activation))
  end
  if not self.bare and not gives_scores[last.class_name] and are_probabilities(self.output) then
    model:fail("stream: ends in %s, whose outputs are probabilities, not logits; end in a Dense, or "
      .. "in an activation \"softmax\", which can be left out", tostring(last))
  end
end

--- A stream of a built model; a method of models.
-- @tparam Sequential|Model model
-- @tparam[opt] table given `batch` (1): sequences side by side; `logits` (false): leave a softmax at
-- the end out, so that the outputs are its logits
-- @treturn Stream
-- @raise naming the layer that cannot run one step at a time
function Stream.stream(model, given)
  local read = options.read("stream", given, { batch = 1, logits = false })
  check_model(model)
  local self = setmetatable({ batch = options.integer("stream", "batch", read.batch),
    values = {}, places = {}, layers = flatten(model, {}), holders = states.holders(model, {}),
    model = model }, Stream)
  if #self.layers == 0 then model:fail("stream: has no layer that computes") end
  local last, logits = last_layer(model), options.boolean("stream", "logits", read.logits)
  self.bare = logits and activation_of(last) == "softmax"
  local x, features = trial_input(self, model)
  make_values(self, x)
  if logits then check_logits(self, model, last) end
  begin(self)
  self.features = features
  self.stepper = compile(self, features)
  return self
end

local function refuse_input(self, input)
  local what = self.ids and "an id" or ("a vector of %d"):format(self.features)
  if self.batch > 1 then what = what .. (" for each of %d sequences"):format(self.batch) end
  local came = options.show(input)
  if ops.is_tensor(input) then
    came = "a tensor " .. weights.shape_text(input:shape())
  elseif type(input) == "table" then
    came = ("a list of %d"):format(#input)
  end
  error(("stream: step takes %s, got %s"):format(what, came), 0)
end

-- A tensor with one row for each sequence: ids (batch), or reals (batch, features).
local function read_tensor(self, input)
  local x = self.ids and ops.as_ids(input) or ops.as_real(input)
  local rows = self.batch == 1 and 1 or x:shape()[1]
  if x:count() ~= self.batch * (self.ids and 1 or self.features) or rows ~= self.batch then
    refuse_input(self, input)
  end
  return x
end

local function read_vectors(self, input)
  local rows = self.batch == 1 and type(input[1]) ~= "table" and { input } or input
  local fine = #rows == self.batch
  for _, row in ipairs(rows) do fine = fine and type(row) == "table" and #row == self.features end
  if not fine then refuse_input(self, input) end
  return ops.tensor(rows)
end

-- Fills the ids in place; what is given is one id, a list, or a tensor.
local function read_input(self, input)
  if ops.is_tensor(input) then return read_tensor(self, input) end
  if type(input) == "number" and self.ids and self.batch == 1 then input = { input } end
  if type(input) ~= "table" then refuse_input(self, input) end
  if not self.ids then return read_vectors(self, input) end
  if #input ~= self.batch then refuse_input(self, input) end
  for i, id in ipairs(input) do
    if not math.tointeger(id) then
      error(("stream: the id of sequence %d must be a whole number, got %s"):format(i, options.show(id)), 0)
    end
    self.ids:set(i, 1, id)
  end
  return self.ids
end

-- A step through the layers themselves.
local function slow_step(self, x)
  local _ <close> = ops.tape()
  if self.ids then x = ops.as_ids(x):reshape{ self.batch, 1 }
  else x = ops.as_real(x):reshape{ self.batch, 1, self.features }
  end
  local y, _, new = ops.no_grad(states.advance_row, self.layers, x, self.values,
    { training = false })
  if self.bare then y = ops.log(y) end
  self.output:assign_(y:reshape(self.output:shape()))
  for i, tensor in ipairs(new) do self.values[i]:assign_(tensor) end
  return self.output
end

--- One step.
-- @tparam integer|table|tensor input an id (batch of one), a list of ids, an int32 tensor (batch), or
-- reals (batch, features) for a model without Embedding, of which a batch of one may come as a list
-- @treturn tensor (batch, V): the model's output; the next step overwrites it
-- @raise for an id outside the embedding; the states have not changed then
function Stream:step(input)
  if not self.stepper then return slow_step(self, read_input(self, input)) end
  if math.type(input) ~= "integer" or self.batch ~= 1 or not self.ids then input = read_input(self, input) end
  self.stepper:step(self.output, input)
  return self.output
end

--- Steps through a list of ids (a batch of one); returns the last output, or nil for an empty list.
function Stream:feed(ids)
  local y
  for _, id in ipairs(ids) do y = self:step(id) end
  return y
end

--- The states as a value (copies), for later.
-- @treturn State
function Stream:state()
  return states.new(self.values):keep()
end

-- The layer whose state stands at each place, and the shape for so many sequences.
local function places(self, count)
  local list = self.places[count] or {}
  if self.places[count] then return list end
  for _, layer in ipairs(self.holders) do
    for _ = 1, layer:state_count() do
      local shape = self.values[#list + 1]:shape()
      shape[1] = count
      list[#list + 1] = { layer = tostring(layer), shape = weights.shape_text(shape) }
    end
  end
  self.places[count] = list
  return list
end

local function refuse_count(state, expected)
  local came = type(state) == "table" and #state .. " tensors" or options.show(state)
  local names = {}
  for i, place in ipairs(expected) do names[i] = place.layer .. " " .. place.shape end
  error(("stream: the state holds %s, the model has %d: %s"):format(came, #expected,
    table.concat(names, ", ")), 0)
end

local function check_state(self, state, count)
  local expected = places(self, count)
  if type(state) ~= "table" or #state ~= #expected then refuse_count(state, expected) end
  for i, tensor in ipairs(state) do
    local came = ops.is_tensor(tensor) and weights.shape_text(tensor:shape()) or options.show(tensor)
    if came ~= expected[i].shape then
      error(("stream: state %d is %s, expected %s, as %s has it"):format(i, came, expected[i].shape,
        expected[i].layer), 0)
    end
  end
end

local function is_beginning(state)
  return state == nil or type(state) == "table" and #state == 0
end

--- Goes back, or to another sequence: takes over a state; nil: as at the beginning, zeros or the
-- learned initial states.
-- @tparam State|nil state of as many sequences
function Stream:restore(state)
  if is_beginning(state) then
    begin(self)
    return self
  end
  check_state(self, state, self.batch)
  for i, tensor in ipairs(state) do self.values[i]:assign_(tensor) end
  return self
end

--- The same for one of the sequences, with its state of one.
-- @tparam integer row from 1
-- @tparam State|nil state
function Stream:restore_row(row, state)
  if is_beginning(state) then
    begin(self, row)
  else
    check_state(self, state, 1)
    for i, tensor in ipairs(self.values) do tensor:narrow(1, row, 1):assign_(state[i]) end
  end
  return self
end

--- Back to the beginning.
function Stream:reset()
  return self:restore(nil)
end

return Stream
