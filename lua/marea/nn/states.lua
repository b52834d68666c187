--- States as values: what a recurrent layer, or a row of layers, carries from one call to the next.
--
--     local s = model:zero_state()
--     y, s = model(first_half, s)
--     y, s = model(second_half, s)       -- the same as the second half of model(whole)
--
-- A value is never changed by a call, so that keeping an old one rewinds, and using one twice
-- forks. States made while a tape is open belong to it; `s:keep()` outlives it.
-- @classmod marea.nn.State
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
  if layer:state_count() > 0 then return end
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
    return layer(x, { mask = call.mask, training = call.training }),
      layer:compute_mask(x, call.mask), {}
  end
  local results = table.pack(layer(x, { mask = call.mask, training = call.training,
    initial_state = #list > 0 and list or nil, return_state = true }))
  local outputs = #results - layer:state_count() -- a missing second state is nil
  if outputs ~= 1 then layer:fail("has %d outputs; states need one", outputs) end
  return results[1], layer:compute_mask(x, call.mask), table.move(results, 2, #results, 1, {})
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

--- layer(x, state) → y, new state.
function states.call(layer, x, given, mask)
  if not states.is(given.states) then
    layer:fail("states must come from zero_state() or an earlier call, got %s",
      require("marea.nn.options").show(given.states))
  end
  if given.initial_state ~= nil then layer:fail("give states or initial_state, not both") end
  local list = take(layer, given.states)
  local y, _, new = layer:advance(x, list, { mask = mask, training = given.training })
  return y, states.new(new)
end

--- Raises unless every layer runs forwards in time, so that a sequence can come in pieces.
function states.require_forward(layer, who)
  layer:walk(function(inner)
    if inner.go_backwards or inner.backward then
      inner:fail("%s: reads the sequence from its end and cannot take it in pieces", who)
    end
  end)
end

return states
