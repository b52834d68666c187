--- Recurrent layers as ONNX's RNN, GRU and LSTM, with sequence_lens from the mask.
--
-- Source: ONNX's operator documentation (RNN, GRU, LSTM; sets 14 and 22). The weights' layout is
-- that of marea.nn.convert.
-- @module marea.interop.onnx_recurrent
local activations = require "marea.interop.onnx_activations"
local convert = require "marea.nn.convert"
local masks = require "marea.interop.onnx_masks"
local ops = require "marea.ops"
local strange_option = require "marea.interop.strange_option"

local recurrent = {}

local cells = { rnn = "RNN", gru = "GRU", gru_before = "GRU", simple_gru_x = "GRU", lstm = "LSTM",
  lstm_coupled = "LSTM" }

-- W, R, B, P and learned initial states of one direction or two, and the attributes that belong to
-- them.
local function weights_of(g, copies)
  return g:once(copies[1], function()
    local lists, attributes = { W = {}, R = {}, B = {}, P = {}, initial_h = {}, initial_c = {} }, nil
    for i, layer in ipairs(copies) do
      local theirs
      theirs, attributes = convert.export(layer, "onnx")
      for name, list in pairs(lists) do list[i] = theirs[name] end
    end
    local names = {}
    for _, name in ipairs{ "W", "R", "B", "P", "initial_h", "initial_c" } do
      local list = lists[name]
      names[name] = list[1] and g:floats(name, ops.stack(list, 1)) or ""
    end
    return { names = names, attributes = attributes }
  end)
end

-- The attributes of an operator that runs these copies.
local function attributes_of(copies, own, refuse)
  local attributes, layer, name = activations.attributes(copies)
  if not attributes then
    refuse(layer, "activation %q does not exist in ONNX's %s", name, cells[layer.cell])
  end
  for key, value in pairs(own) do -- of one copy; the activations are those of all
    if not key:find("^activation") then attributes[key] = value end
  end
  return attributes
end

-- Forms that the operators have; marea.nn.convert refuses those peepholes that they have not.
local taken = { peephole = true, coupled = true, update = true, candidate = true,
  learn_initial_state = true }

local function check(layer, refuse)
  if not cells[layer.cell] then refuse(layer, "ONNX has no such cell") end
  if layer.cell_clip then
    refuse(layer, "cell_clip cuts the cell state; clip of ONNX's %s cuts what goes into every "
      .. "activation, the gates' sums too", cells[layer.cell])
  end
  local strange = strange_option(layer, taken)
  if strange then refuse(layer, "option %s has no counterpart in ONNX", strange) end
  if layer.stateful then
    refuse(layer, "is stateful, which a graph cannot be; make it with stateful = false")
  end
end

-- Initial states that were given, of all directions, as (dirs, B, u).
local function given_states(g, copies, states)
  local count, list = #states // #copies, {}
  for i = 1, count do
    local parts = {}
    for d = 1, #copies do parts[d] = g:unsqueeze(states[(d - 1) * count + i].value, 0) end
    list[i] = #parts == 1 and parts[1] or g:node("Concat", parts, { axis = 0 })
  end
  return list
end

-- Learned ones, repeated for each row of x (B, T, D); none where nothing was learned.
local function learned_states(g, names, x)
  if names.initial_h == "" then return {} end
  local batch = g:node("Slice", { g:node("Shape", { x }), g:ints{ 0 }, g:ints{ 1 } })
  local sizes = g:node("Concat", { g:ints{ 1 }, batch, g:ints{ 1 } }, { axis = 0 })
  local list = { g:node("Expand", { names.initial_h, sizes }) }
  if names.initial_c ~= "" then list[2] = g:node("Expand", { names.initial_c, sizes }) end
  return list
end

-- The operator over x (B, T, D) for copies in one direction or both; gives Y (T, dirs, B, u), Y_h
-- and Y_c (dirs, B, u), and as `initial` what the states began with, if not zeros.
local function operator(g, copies, x, mask, states, direction, refuse)
  local first, initial = copies[1], states and given_states(g, copies, states)
  local weights = weights_of(g, copies)
  initial = initial or learned_states(g, weights.names, x)
  local attributes = attributes_of(copies, weights.attributes, refuse)
  attributes.direction = direction
  if mask then x = masks.gather(g, mask, x) end
  local names = weights.names
  local inputs = { g:transpose(x, 1, 0, 2), names.W, names.R, names.B,
    mask and masks.lengths(g, mask) or "", initial[1] or "", initial[2] or "", names.P }
  while inputs[#inputs] == "" do inputs[#inputs] = nil end
  local outputs = { g:name("Y"), g:name("Y_h"), initial = initial }
  if cells[first.cell] == "LSTM" then outputs[3] = g:name("Y_c") end
  g:node(cells[first.cell], inputs, attributes, outputs)
  return outputs
end

-- What the layer of one direction gives: its sequence or last output, then its states. Without a
-- visible step the output is zero, and the states are those that it began with.
local function results_of(g, layer, outputs, at, mask)
  local function of_direction(name) return g:node("Gather", { name, g:ints(at) }, { axis = 0 }) end
  local function visible(value)
    return mask and g:node("Mul", { value, masks.any(g, mask) }) or value
  end
  local results = {}
  for i = 2, #outputs do
    local value, initial = of_direction(outputs[i]), outputs.initial[i - 1]
    if mask and initial then
      results[1] = results[1] or visible(value)
      results[i] = g:node("Where", { masks.some(g, mask), value, of_direction(initial) })
    else
      results[i] = visible(value)
      results[1] = results[1] or results[i]
    end
  end
  if layer.return_sequences then
    local y = g:node("Gather", { outputs[1], g:ints(at) }, { axis = 1 })
    y = g:transpose(y, 1, 0, 2)
    if mask then y = masks.spread(g, mask, y, layer.go_backwards, layer.zero_output_for_mask) end
    if layer.go_backwards and not layer.original_order then y = g:reverse(y) end
    results[1] = y
  end
  return results
end

local function as_values(layer, results, mask)
  local values = { { value = results[1], mask = layer.return_sequences and mask or nil } }
  if layer.return_state then
    for i = 2, #results do values[i] = { value = results[i] } end
  end
  return values
end

--- The values of a SimpleRNN, GRU, SimpleGRU or LSTM.
-- @tparam Graph g
-- @tparam Layer layer
-- @tparam table x { value, mask }
-- @tparam function refuse(layer, message, …) raises
-- @tparam[opt] table states initial ones
function recurrent.layer(g, layer, x, refuse, states)
  check(layer, refuse)
  local outputs = operator(g, { layer }, x.value, x.mask, states,
    layer.go_backwards and "reverse" or "forward", refuse)
  return as_values(layer, results_of(g, layer, outputs, 0, x.mask), x.mask)
end

-- One operator can run both copies when they are of one kind.
local function pair(a, b)
  return a.cell == b.cell and a.units == b.units and not a.go_backwards and b.go_backwards
    and (a.bias == nil) == (b.bias == nil) and (a.peephole_i == nil) == (b.peephole_i == nil)
    and a.learn_initial_state == b.learn_initial_state
end

local merges = { concat = "Concat", sum = "Add", mul = "Mul", ave = "Add" }

local function merge(g, mode, a, b)
  if mode == "concat" then return g:node("Concat", { a, b }, { axis = -1 }) end
  local y = g:node(merges[mode], { a, b })
  return mode == "ave" and g:node("Mul", { y, g:scalar(0.5) }) or y
end

local function both_directions(g, layer, x, refuse, states)
  local forward, backward = layer.forward, layer.backward
  if pair(forward, backward) then
    local outputs = operator(g, { forward, backward }, x.value, x.mask, states, "bidirectional",
      refuse)
    return results_of(g, forward, outputs, 0, x.mask), results_of(g, backward, outputs, 1, x.mask)
  end
  if states then refuse(layer, "initial states of two different copies are not exported") end
  local results = {}
  for i, copy in ipairs{ forward, backward } do
    local outputs = operator(g, { copy }, x.value, x.mask, nil,
      copy.go_backwards and "reverse" or "forward", refuse)
    results[i] = results_of(g, copy, outputs, 0, x.mask)
  end
  return results[1], results[2]
end

--- The values of a Bidirectional.
function recurrent.bidirectional(g, layer, x, refuse, states)
  check(layer.forward, refuse)
  check(layer.backward, refuse)
  local a, b = both_directions(g, layer, x, refuse, states)
  if layer.return_sequences and not layer.backward.go_backwards then b[1] = g:reverse(b[1]) end
  local mask = layer.return_sequences and x.mask or nil
  local values
  if layer.merge_mode == "none" then
    values = { { value = a[1], mask = mask }, { value = b[1], mask = mask } }
  else
    values = { { value = merge(g, layer.merge_mode, a[1], b[1]), mask = mask } }
  end
  if layer.return_state then
    for _, results in ipairs{ a, b } do
      for i = 2, #results do values[#values + 1] = { value = results[i] } end
    end
  end
  return values
end

return recurrent
