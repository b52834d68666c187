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

-- W, R, B and P of one direction or two, and the attributes that belong to them.
local function weights_of(g, copies)
  return g:once(copies[1], function()
    local lists, attributes = { W = {}, R = {}, B = {}, P = {} }, nil
    for i, layer in ipairs(copies) do
      local theirs
      theirs, attributes = convert.export(layer, "onnx")
      for name, list in pairs(lists) do list[i] = theirs[name] end
    end
    local names = {}
    for _, name in ipairs{ "W", "R", "B", "P" } do
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
local taken = { peephole = true, coupled = true, update = true, candidate = true }

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

-- The operator over x (B, T, D) for copies in one direction or both; gives Y (T, dirs, B, u), Y_h
-- and Y_c (dirs, B, u).
local function operator(g, copies, x, mask, initial, direction, refuse)
  local first = copies[1]
  local weights = weights_of(g, copies)
  local attributes = attributes_of(copies, weights.attributes, refuse)
  attributes.direction = direction
  if mask then x = masks.gather(g, mask, x) end
  local names = weights.names
  local inputs = { g:transpose(x, 1, 0, 2), names.W, names.R, names.B,
    mask and masks.lengths(g, mask) or "", initial[1] or "", initial[2] or "", names.P }
  while inputs[#inputs] == "" do inputs[#inputs] = nil end
  local outputs = { g:name("Y"), g:name("Y_h") }
  if cells[first.cell] == "LSTM" then outputs[3] = g:name("Y_c") end
  g:node(cells[first.cell], inputs, attributes, outputs)
  return outputs
end

-- What the layer of one direction gives: its sequence or last output, then its states.
local function results_of(g, layer, outputs, at, mask)
  local function state(name)
    local value = g:node("Gather", { name, g:ints(at) }, { axis = 0 })
    return mask and g:node("Mul", { value, masks.any(g, mask) }) or value
  end
  local results = {}
  for i = 2, #outputs do results[i] = state(outputs[i]) end
  results[1] = results[2]
  if layer.return_sequences then
    local y = g:node("Gather", { outputs[1], g:ints(at) }, { axis = 1 })
    y = g:transpose(y, 1, 0, 2)
    if mask then y = masks.spread(g, mask, y, layer.go_backwards, layer.zero_output_for_mask) end
    if layer.go_backwards and not layer.original_order then y = g:reverse(y) end
    results[1] = y
  end
  return results
end

local function initial_states(g, layers, states, mask, refuse)
  if not states then return {} end
  if mask then refuse(layers[1], "initial states beside a mask are not exported") end
  local count = #states // #layers
  local list = {}
  for i = 1, count do
    local parts = {}
    for d = 1, #layers do parts[d] = g:unsqueeze(states[(d - 1) * count + i].value, 0) end
    list[i] = #parts == 1 and parts[1] or g:node("Concat", parts, { axis = 0 })
  end
  return list
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
  local initial = initial_states(g, { layer }, states, x.mask, refuse)
  local outputs = operator(g, { layer }, x.value, x.mask, initial,
    layer.go_backwards and "reverse" or "forward", refuse)
  return as_values(layer, results_of(g, layer, outputs, 0, x.mask), x.mask)
end

-- One operator can run both copies when they are of one kind.
local function pair(a, b)
  return a.cell == b.cell and a.units == b.units and not a.go_backwards and b.go_backwards
    and (a.bias == nil) == (b.bias == nil) and (a.peephole_i == nil) == (b.peephole_i == nil)
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
    local initial = initial_states(g, { forward, backward }, states, x.mask, refuse)
    local outputs = operator(g, { forward, backward }, x.value, x.mask, initial, "bidirectional",
      refuse)
    return results_of(g, forward, outputs, 0, x.mask), results_of(g, backward, outputs, 1, x.mask)
  end
  if states then refuse(layer, "initial states of two different copies are not exported") end
  local results = {}
  for i, copy in ipairs{ forward, backward } do
    local outputs = operator(g, { copy }, x.value, x.mask, {},
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
