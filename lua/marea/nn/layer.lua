--- The base of every layer.
--
-- A layer is made by its class, builds its weights when it first sees an input (or by
-- `layer:build(shape)`), and is called on a tensor:
--
--     local dense = nn.Dense{ 16, activation = "relu" }
--     local y = dense(x)
--
-- A layer of one's own needs no C:
--
--     local Scale = nn.Layer:extend("Scale", {
--       options = { start = 1 },
--       masking = "pass",
--       build = function(self, shape)
--         self.scale = self:add_weight{ name = "scale", shape = { shape[#shape] },
--           initializer = nn.initializers.Constant{ self.start } }
--       end,
--       call = function(self, x) return x * self.scale end,
--     })
--
-- and is then trained, saved and loaded like any other.
-- @classmod marea.nn.Layer
local masks = require "marea.nn.masks"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"
local states = require "marea.nn.states"
local symbolic = require "marea.nn.symbolic"
local weights = require "marea.nn.weights"

local Layer = { class_name = "Layer", builtin = true }
Layer.__index = Layer

--- Whether the class takes a sparse matrix (marea.sparse) as its input.
Layer.takes_sparse = false

--- Whether the class takes a list of tensors as its input: `layer({ a, b }, { mask = { ma, mb } })`.
-- `build`, `call`, `compute_mask` and `output_shape` then get lists too.
Layer.takes_list = false

--- Names of options in a call that only this class knows; `call` finds them in its last argument.
Layer.call_options = {}

--- What a class does with a mask: "pass" (the mask goes on), "consume" (uses it; nothing goes on) or
-- "refuse" (cannot respect it: an error with `mask_hint`).
Layer.masking = "refuse"
Layer.mask_hint = 'declare masking = "pass" or "consume" in the class if it can'

--- Whether each step of the output hangs on its own step of the input alone, so that a sequence can come
-- in pieces (streams, states as values, generation, tbptt). A class of one's own says so.
Layer.stepwise = false

--- Options of every layer.
Layer.options = { name = options.optional, trainable = true }
--- Names of the positional options, in order.
Layer.positional = {}
--- Options that are not part of get_config.
Layer.transient = {}

local function raise(layer, message, ...)
  error(("%s %q: %s"):format(layer.class_name, layer.name, message:format(...)), 0)
end

--- Raises an error that names the layer.
function Layer:fail(message, ...)
  raise(self, message, ...)
end

local function construct(class, given)
  if class.options == Layer.options then
    error("Layer is the base class; make your own with nn.Layer:extend(name, definition)", 0)
  end
  local layer = setmetatable({}, class)
  if class.arrange then given = class.arrange(given) end
  local values = options.read(class.class_name, given, class.options, class.positional)
  for name, value in pairs(values) do layer[name] = value end
  layer.name = values.name or registry.next_name(class.class_name)
  if type(layer.name) ~= "string" or layer.name == "" or layer.name:find("/", 1, true) then
    error(("%s: name must be a string without \"/\", got %s"):format(class.class_name,
      options.show(layer.name)), 0)
  end
  layer.built = false
  layer.weight_list = {}
  layer.children = {}
  if class.init then layer:init() end
  return layer
end

local call_options = { mask = true, lengths = true, initial_state = true, training = true,
  return_state = true, states = true }

local function refuse_call_option(self, name)
  local known = {}
  for key in pairs(call_options) do known[#known + 1] = key end
  for key in pairs(self.call_options) do known[#known + 1] = key end
  table.sort(known)
  raise(self, "unknown option %s in the call; the options are %s",
    type(name) == "string" and ("%q"):format(name) or options.show(name), table.concat(known, ", "))
end

local function read_call(self, given)
  if given == nil then return {} end
  if states.is(given) then return { states = given } end
  if type(given) ~= "table" then
    raise(self, "the second argument is a table of options, got %s", options.show(given))
  end
  for name in pairs(given) do
    if not call_options[name] and not self.call_options[name] then refuse_call_option(self, name) end
  end
  return given
end

-- What a table may be: a list of tensors for a class that takes one.
local function check_list(self, x)
  if not self.takes_list then
    raise(self, "expects a tensor, got %s", #x > 0 and ops.is_tensor(x[1])
      and ("a list of %d; join them with nn.Concatenate{} or nn.Add{}"):format(#x) or options.show(x))
  end
  if #x == 0 then raise(self, "expects a list of tensors, got an empty one") end
  for i, item in ipairs(x) do
    if not ops.is_tensor(item) then
      raise(self, "expects a list of tensors, item %d is %s", i, options.show(item))
    end
  end
end

local function check_input(self, x)
  if ops.is_tensor(x) or self.takes_sparse and ops.is_sparse(x) then return end
  if ops.is_sparse(x) then
    raise(self, "expects a tensor, got a sparse matrix; use x:todense(), or let a Dense layer come first")
  end
  if type(x) == "table" and not getmetatable(x) then return check_list(self, x) end
  raise(self, "expects a tensor, got %s", options.show(x))
end

local function shape_of(x)
  if type(x) ~= "table" or getmetatable(x) then return x:shape() end
  local shapes = {}
  for i, item in ipairs(x) do shapes[i] = item:shape() end
  return shapes
end

-- In a pass through a graph, a layer may be called several times and all its losses count; outside
-- of one, those of the last call do.
local function forget_losses(self)
  local pass = symbolic.pass()
  if not pass or self.loss_pass ~= pass then self.extra_losses = nil end
  self.loss_pass = pass
end

local function inner_options(self, x, given)
  local training = given.training
  if training == nil then training = ops.recording() end
  local inner = { training = training, initial_state = given.initial_state,
    return_state = given.return_state, mask = self:read_mask(x, given) }
  for name in pairs(self.call_options) do inner[name] = given[name] end
  return inner
end

--- Calls the layer.
-- @tparam tensor|{tensor,...} x a list for classes that take several inputs. Symbolic tensors
-- (marea.Input and what layers gave for it) record the call for a marea.Model.
-- @tparam[opt] table second `mask` (B,T) of 0 and 1 (a list for a list of inputs; without it the mask
-- that travels with x, as an Embedding with mask_zero gave it; false: none), or `lengths` (B);
-- `initial_state`; `return_state`; `training` (default: true while a tape records, else false); or a
-- state, alone or as `states`, see marea.nn.states
-- @treturn tensor the output (recurrent layers with return_state: and the states; called with a state:
-- and the new state)
-- @raise naming the layer, what it expects and what came
local function call(self, x, second)
  local given = read_call(self, second)
  if type(x) == "table" then
    x = self:arrange_inputs(x)
    if symbolic.among(x) then return symbolic.apply(self, x, given) end
  end
  check_input(self, x)
  if not self.built then self:build(shape_of(x)) end
  self:sync()
  forget_losses(self)
  if given.states then return states.call(self, x, given, self:read_mask(x, given)) end
  local outer, inner = ops.tape_label(self.name), inner_options(self, x, given)
  local results = table.pack(self:call(x, inner))
  ops.tape_label(outer)
  masks.carry(results, self:compute_mask(x, inner.mask))
  if not self.seen_output and ops.is_tensor(results[1]) then
    self.seen_input, self.seen_output = shape_of(x), results[1]:shape()
  end
  return table.unpack(results, 1, results.n)
end

--- The inputs of a call as a list in the layer's order; a model knows its inputs by name.
function Layer.arrange_inputs(_, x)
  return x
end

Layer.__call = call
setmetatable(Layer, { __call = construct })

function Layer.__tostring(layer)
  return ("%s %q"):format(layer.class_name, layer.name)
end

--- A class of one's own.
-- @tparam string name as it appears in files and messages
-- @tparam table definition any of `options`, `positional`, `masking`, `init(self)`,
-- `build(self, shape)`, `call(self, x, call)`, `output_shape(self, shape)`; the rest becomes
-- methods
-- @treturn table the class, registered
function Layer:extend(name, definition)
  local class = {}
  for key, value in pairs(definition or {}) do class[key] = value end
  class.class_name = name
  -- `build` of the base does the book-keeping and calls the class's own.
  if class.build then class.build_weights, class.build = class.build, nil end
  class.options = setmetatable({}, { __index = self.options })
  for key, value in pairs(self.options) do class.options[key] = value end
  for key, value in pairs(definition and definition.options or {}) do class.options[key] = value end
  setmetatable(class.options, nil)
  class.builtin = class.builtin or false
  class.__index, class.__call, class.__tostring = class, call, Layer.__tostring
  setmetatable(class, { __index = self, __call = construct })
  return registry.add(class)
end

-- Masks ---------------------------------------------------------------------------------------

--- The mask of a call, checked, or nil; for a list of inputs a list with gaps.
function Layer:read_mask(x, given)
  return masks.read(self, x, given)
end

--- The mask of the output, given input and mask: a (B,T) tensor or nil. A layer with several outputs
-- whose masks differ gives a list; else what comes after the first output has no mask.
function Layer:compute_mask(_, mask)
  return self.masking == "pass" and mask or nil
end

-- States --------------------------------------------------------------------------------------

--- Number of state tensors that the layer carries from step to step.
function Layer:state_count()
  return self.states or 0
end

--- The state before the first step: zeros, for any batch.
function Layer.zero_state()
  return states.new()
end

--- Output, its mask and the list of new states for a list of states ({}: zeros).
Layer.advance = states.advance

-- Weights -------------------------------------------------------------------------------------

--- Makes the weights for inputs of a shape, batch first (-1: unknown); called by the first call.
-- @treturn Layer itself
function Layer:build(shape)
  if self.built then return self end
  if type(shape) ~= "table" then
    raise(self, "build expects a shape such as { -1, 10, 8 }, got %s", options.show(shape))
  end
  self.random = self.random or ops.new_stream()
  self.input_shape = table.move(shape, 1, #shape, 1, {})
  if self.build_weights then self:build_weights(self.input_shape) end
  self.built = true
  return self
end

--- Adds a weight while building.
-- @tparam table spec `name`, `shape`, `initializer` (a name, object or function), and optionally
-- `regularizer`, `constraint`, `trainable` (true)
-- @treturn tensor the weight
function Layer:add_weight(spec)
  return weights.add(self, spec)
end

--- Every weight and sub-layer's weight as { name, tensor, regularizer, constraint, trainable, path };
-- those of a layer that stands in several places come once.
function Layer:entries(prefix, list, met)
  prefix, list, met = prefix or "", list or {}, met or {}
  if met[self] then return list end
  met[self] = true
  for _, entry in ipairs(self.weight_list) do
    entry.path = prefix .. entry.name
    list[#list + 1] = entry
  end
  for _, child in ipairs(self.children) do child:entries(prefix .. child.name .. "/", list, met) end
  return list
end

--- Brings the tensors' requires_grad in line with `trainable` of the layer and its parents.
function Layer:sync(parent)
  local trainable = self.trainable and parent ~= false
  if self.synced ~= trainable then
    for _, entry in ipairs(self.weight_list) do
      entry.tensor.requires_grad = trainable and entry.trainable
    end
  end
  self.synced = trainable
  for _, child in ipairs(self.children) do child:sync(trainable) end
end

--- The weights as named tensors: `p.kernel`, `p[1]`, `pairs(p)` (name, tensor, in Keras's order).
function Layer:parameters()
  self:sync()
  return weights.collection(self:entries())
end

--- Copies of all weights, in Keras's order.
-- @treturn {tensor,...}
function Layer:get_weights()
  return weights.get(self:entries())
end

--- Sets all weights, in the order of get_weights.
-- @tparam {tensor|table,...} list
-- @raise when number or shapes differ
function Layer:set_weights(list)
  if not self.built then raise(self, "has no weights before it is built; call build(shape) first") end
  weights.set(("%s %q"):format(self.class_name, self.name), self:entries(), list)
end

--- The gradients of the last backward, in the order of get_weights; zeros where none arrived.
-- @treturn {tensor,...}
function Layer:get_gradients()
  return weights.gradients(self:entries())
end

--- Number of elements in all weights; the second value counts the trainable ones.
function Layer:count_params()
  self:sync()
  return weights.count(self:entries())
end

--- Calls f(layer, path) for this layer (path "") and all layers in it ("bidirectional/forward_lstm"),
-- once for each.
function Layer:walk(f, path, met)
  path, met = path or "", met or {}
  if met[self] then return end
  met[self] = true
  f(self, path)
  for _, child in ipairs(self.children) do
    child:walk(f, path == "" and child.name or path .. "/" .. child.name, met)
  end
end

-- Losses --------------------------------------------------------------------------------------

--- Adds a scalar tensor to the loss of the current step; for use inside `call`.
function Layer:add_loss(loss)
  self.extra_losses = self.extra_losses or {}
  table.insert(self.extra_losses, loss)
end

--- Adds the loss of the `activity_regularizer`, if the layer has one; for use inside `call`.
function Layer:regularize_activity(y)
  if self.activity_regularizer == nil then return end
  self.activity_penalty = self.activity_penalty
    or require("marea.nn.regularizers").get(self.activity_regularizer)
  self:add_loss(self.activity_penalty(y))
end

--- Scalar tensors of the weights' regularisers and of `add_loss`.
function Layer:losses()
  local list = {}
  self:walk(function(layer)
    for _, entry in ipairs(layer.weight_list) do
      if entry.regularizer and entry.tensor.requires_grad then
        list[#list + 1] = entry.regularizer(entry.tensor)
      end
    end
    for _, loss in ipairs(layer.extra_losses or {}) do list[#list + 1] = loss end
  end)
  return list
end

-- Saving --------------------------------------------------------------------------------------

local function plain(self, name, value)
  if type(value) ~= "table" then
    if type(value) == "function" or type(value) == "userdata" then
      raise(self, "option %s is a %s, which a file cannot hold; use a name or a registered class",
        name, type(value))
    end
    return value
  end
  if value.class_name and value.get_config then return registry.serialize(value) end
  if getmetatable(value) then raise(self, "option %s cannot be saved", name) end
  local copy = {}
  for key, item in pairs(value) do copy[key] = plain(self, name, item) end
  return copy
end

--- The options that rebuild this layer, as a table for JSON.
function Layer:get_config()
  local config = {}
  for name in pairs(getmetatable(self).options) do
    if not self.transient[name] then config[name] = plain(self, name, self[name]) end
  end
  return config
end

--- Rebuilds an option value that is { class_name, config }. Overridden where an option holds
-- something else than a layer.
function Layer.revive(_, name, value)
  local reviver = require("marea.nn.revive")
  return reviver(name, value)
end

--- A layer from its config.
function Layer.from_config(class, config)
  local given = {}
  for name, value in pairs(config) do
    if type(name) ~= "string" then error("a layer's config must be an object", 0) end
    if type(value) == "table" and value.class_name then value = class:revive(name, value) end
    given[name] = value
  end
  return class(given)
end

-- Shapes --------------------------------------------------------------------------------------

--- The shape of the output for a shape of the input (-1: unknown). A class that does not say is
-- asked by calling it on zeros.
function Layer:output_shape(shape)
  if self.seen_output and symbolic.same_but_batch(self.seen_input, shape) then
    local result = table.move(self.seen_output, 1, #self.seen_output, 1, {})
    result[1] = type(shape[1]) == "table" and shape[1][1] or shape[1]
    return result
  end
  return symbolic.infer_shapes(self, shape)[1]
end

--- The shapes of all outputs, for a call in a graph.
-- @tparam table shape of the input, or a list of shapes
-- @tparam[opt] table dtypes of the inputs by place
-- @tparam[opt] table state_shapes of the initial states
-- @treturn {table,...}
function Layer:output_shapes(shape, dtypes, state_shapes)
  return symbolic.infer_shapes(self, shape, dtypes, state_shapes)
end

--- Checks element type, rank and, when given, the size of the last axis against what the weights
-- expect.
function Layer:expect(x, low_rank, features, what)
  local shape = x:shape()
  if x:dtype() == "int32" then raise(self, "expects real numbers, got int32 ids") end
  if #shape < low_rank or (features and shape[#shape] ~= features) then
    raise(self, "input is (%s), %s", table.concat(shape, ", "), features
      and ("%s expects %d features in the last axis"):format(what or "kernel", features)
      or ("expected %d axes or more"):format(low_rank))
  end
  return shape
end

return Layer
