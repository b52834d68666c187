--- States as values: what a recurrent layer, or a row of layers, carries from one call to the next.
--
--     local s = model:zero_state()
--     y, s = model(first_half, s)
--     y, s = model(second_half, s)       -- the same as the second half of model(whole)
--
-- A value is never changed by a call, so that keeping an old one rewinds, and using one twice
-- forks. States made while a tape is open belong to it; `s:keep()` outlives it.
-- @classmod marea.nn.State
local masks = require "marea.nn.masks"
local ops = require "marea.ops"

local State = {}
State.__index = State

local states = {}

--- A state of tensors (B, units), in the order of the layers; an empty list is zeros for any batch.
function states.new(list)
  return setmetatable(list or {}, State)
end

--- Whether a value is a state.
function states.is(value)
  return getmetatable(value) == State
end

local function each(self, f)
  local list = {}
  for i, tensor in ipairs(self) do list[i] = f(tensor) end
  return states.new(list)
end

--- Copies that belong to no tape and have no history.
function State:keep()
  return each(self, function(tensor) return tensor:clone() end)
end

--- The same numbers without history: gradients stop here.
function State:detach()
  return each(self, ops.detach)
end

--- The states of some samples of the batch: ids from 0, as for `take`.
function State:rows(ids)
  ids = ops.as_ids(ids)
  return each(self, function(tensor) return ops.take(tensor, ids) end)
end

State.__tostring = function(self)
  local shapes = {}
  for i, tensor in ipairs(self) do shapes[i] = "(" .. table.concat(tensor:shape(), ", ") .. ")" end
  return "State " .. (#shapes > 0 and table.concat(shapes, " ") or "of zeros")
end

local function check_carries(layer)
  if layer.stateful then
    layer:fail("is stateful and keeps its states itself; make it without stateful to pass them")
  end
  if layer:state_count() > 0 or states.steps_are_samples(layer) then return end
  layer:walk(function(inner, path)
    if path ~= "" and inner:state_count() > 0 then
      layer:fail("does not pass the states of %s on; call that layer itself", tostring(inner))
    end
  end)
end

local function take(layer, given)
  local count = layer:state_count()
  if #given ~= 0 and #given ~= count then
    layer:fail("the state holds %d tensors, expected %d (or none, for zeros)", #given, count)
  end
  return given
end

--- Output, mask and new states of a layer; what `Layer.advance` does unless a class knows better.
function states.advance(layer, x, list, call)
  check_carries(layer)
  if layer:state_count() == 0 then
    local y = layer(x, { mask = call.mask, training = call.training })
    return y, masks.of(y), {}
  end
  local results = table.pack(layer(x, { mask = call.mask, training = call.training,
    initial_state = #list > 0 and list or nil, return_state = true }))
  local outputs = #results - layer:state_count() -- a missing second state is nil
  if outputs ~= 1 then layer:fail("has %d outputs; states need one", outputs) end
  return results[1], masks.of(results[1]), table.move(results, 2, #results, 1, {})
end

--- Layers in a row, each with its share of the list.
function states.advance_row(layers, x, list, call)
  local mask, at, new = call.mask, 0, {}
  for _, layer in ipairs(layers) do
    local count = layer:state_count()
    local share = #list > 0 and table.move(list, at + 1, at + count, 1, {}) or {}
    local y, next_mask, after = layer:advance(x, share, { mask = mask, training = call.training })
    table.move(after, 1, #after, #new + 1, new)
    x, mask, at = y, next_mask, at + count
  end
  return x, mask, new
end

-- Pieces ------------------------------------------------------------------------------------------

local function sees_one_step(layer)
  return layer.kernel_size == 1 and layer.strides == 1
end

-- An alpha for each step belongs to a place in the sequence.
local function shares_steps(layer)
  local alpha = layer.alpha
  return alpha == nil or #alpha:shape() < 2 or alpha:size(1) == 1
end

local function joins_features(layer)
  local shape, axis = layer.input_shape and layer.input_shape[1], layer.axis
  local rank = type(shape) == "table" and #shape or 3
  return rank < 3 or (axis < 0 and rank + 1 + axis or axis) ~= 2
end

-- Layers of the library that do at each step the same, whatever stands beside it; or when that is so.
local stepwise = { Conv1D = sees_one_step, PReLU = shares_steps, Concatenate = joins_features }
for name in ([[Input Embedding Masking Dense TiedDense SampledSoftmax Activation ReLU LeakyReLU ELU
  Softmax ActivityRegularization Dropout SpatialDropout1D GaussianNoise GaussianDropout AlphaDropout
  LayerNormalization RMSNormalization BatchNormalization TimeDistributed Add Subtract Multiply Average
  Maximum Minimum]]):gmatch("%S+") do
  stepwise[name] = true
end

local function is_stepwise(layer)
  if layer.stepwise then return true end
  local known = getmetatable(layer).builtin and stepwise[layer.class_name]
  return known == true or known and known(layer) or false
end

local function refuse_pieces(layer, who)
  if layer.class_name == "Lambda" then
    layer:fail("%s: f may look across time; say stepwise = true if it treats each step by itself", who)
  elseif not getmetatable(layer).builtin then
    layer:fail("%s: may look across time; declare stepwise = true in the class if it treats each step "
      .. "by itself", who)
  end
  layer:fail("%s: looks across time; it needs the whole sequence and cannot take it in pieces", who)
end

-- Whether a layer is made of layers and hands their states on, as models do.
local function hands_on(layer)
  return layer.layers ~= nil and layer.advance ~= states.advance
end

--- Raises unless a sequence can come in pieces: unless every layer in and under this one runs forwards
-- and either has states or treats each step by itself. A class of one's own says so by the field
-- `stepwise = true`, a Lambda by the option.
-- @tparam Layer layer
-- @tparam string who for messages
function states.require_pieces(layer, who)
  if layer.go_backwards or layer.backward then
    layer:fail("%s: reads the sequence from its end and cannot take it in pieces", who)
  end
  if layer.check_pieces then layer:check_pieces(who) end
  if not hands_on(layer) then
    if layer:state_count() > 0 then return end
    if not is_stepwise(layer) then refuse_pieces(layer, who) end
    if states.steps_are_samples(layer) then return end
  end
  for _, child in ipairs(layer.children) do states.require_pieces(child, who) end
end

--- Adds the layers that carry the states of a layer or model to a list, in the order of the states; one
-- that is called twice in a graph comes twice.
function states.holders(layer, list)
  if layer.graph then
    for _, node in ipairs(layer.graph.nodes) do states.holders(node.layer, list) end
  elseif hands_on(layer) then
    for _, part in ipairs(layer.layers) do states.holders(part, list) end
  elseif layer:state_count() > 0 then
    list[#list + 1] = layer
  end
  return list
end

--- Whether what is under a layer sees its steps as samples, so that states there end with a step.
function states.steps_are_samples(layer)
  return layer.class_name == "TimeDistributed"
end

-- A recurrent layer by itself is called with states in either direction, as with initial_state; what
-- stands behind it must take pieces.
local function check_call(layer)
  if layer.layers or layer:state_count() == 0 then states.require_pieces(layer, "called with states") end
end

--- layer(x, state) → y, new state.
function states.call(layer, x, given, mask)
  if not states.is(given.states) then
    layer:fail("states must come from zero_state() or an earlier call, got %s",
      require("marea.nn.options").show(given.states))
  end
  if given.initial_state ~= nil then layer:fail("give states or initial_state, not both") end
  check_call(layer)
  local list = take(layer, given.states)
  local y, _, new = layer:advance(x, list, { mask = mask, training = given.training })
  return y, states.new(new)
end

return states
