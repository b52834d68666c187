--- The gates of the library's cells, worked out from the weights, the input and the states before each
-- step. The formulas are those of core/kernels/recurrent.h.
-- @module marea.diagnostics.cells
local activations = require "marea.nn.activations"
local ops = require "marea.ops"

local cells = {}

-- Gates by the order in which they are shown.
local gates = { LSTM = { "input", "forget", "output" }, GRU = { "update", "reset" },
  SimpleGRU = { "update" }, MinimalGatedUnit = { "forget" } }

--- The names of a layer's gates, or nil when it has none.
function cells.gates(layer)
  return gates[layer.class_name]
end

-- The columns of a gate in a weight, or nil when the gate does not see that part.
local function columns(layer, part, weight, place)
  if weight == nil then return nil end
  if layer.lacks[part] then place = place - 1 end
  if place < 1 then return nil end
  return weight:narrow(#weight:shape(), (place - 1) * layer.units + 1, layer.units)
end

-- gain (a - mean) / sqrt(var + epsilon) over the units.
local function normalised(layer, a, place)
  if not layer.norm then return a end
  local centred = a - ops.mean(a, 3, true)
  local variance = ops.mean(centred * centred, 3, true)
  return centred / ops.sqrt(variance + layer.norm_epsilon) * layer.norm_gain:select(1, place)
end

-- What a peephole adds, for states c (B, T, u); or nil.
local function look(layer, gate, c)
  local weight = layer["peephole_" .. gate]
  if not weight then return nil end
  return #weight:shape() == 2 and c:matmul(weight) or c * weight
end

-- A gate's sum (B, T, u); x is nil where the gate does not see it.
local function sum_of(layer, place, x, h, more)
  local kernel = x and columns(layer, "x", layer.kernel, place)
  local recurrent = columns(layer, "h", layer.recurrent_kernel, place)
  local sum = more or ops.zeros{ h:size(1), h:size(2), layer.units }
  if kernel then sum = sum + x:matmul(kernel) end
  if recurrent then sum = sum + h:matmul(recurrent) end
  sum = normalised(layer, sum, place)
  local bias = columns(layer, "b", layer.bias, place)
  if not bias then return sum end
  return sum + (#bias:shape() == 2 and ops.sum(bias, 1) or bias) -- input and recurrent bias
end

local find = {}

function find.LSTM(layer, squash, x, h, c)
  local looks = layer.looks or {}
  local seen = looks.inputs ~= "hc" and x or nil
  local input = squash(sum_of(layer, 1, seen, h, look(layer, "i", c)))
  local forget = layer.coupled and 1 - input
    or squash(sum_of(layer, 2, seen, h, look(layer, "f", c)))
  local candidate, output = layer.coupled and 2 or 3, layer.coupled and 3 or 4
  if layer.peephole_o and looks.output ~= "old" then
    c = forget * c + input * activations.get(layer.activation)(sum_of(layer, candidate, x, h))
    if layer.cell_clip then c = ops.clip(c, -layer.cell_clip, layer.cell_clip) end
  end
  output = squash(sum_of(layer, output, seen, h, look(layer, "o", c)))
  return { input = input, forget = forget, output = output }, forget, "forget"
end

-- The share of the old state that an update gate keeps.
local function kept(layer, gate, name)
  if layer.update == "write" then return 1 - gate, "1 - " .. name end
  return gate, name
end

function find.GRU(layer, squash, x, h)
  local update = squash(sum_of(layer, 1, x, h))
  return { update = update, reset = squash(sum_of(layer, 2, x, h)) }, kept(layer, update, "update")
end

function find.SimpleGRU(layer, squash, x, h)
  local update = squash(sum_of(layer, 1, x, h))
  return { update = update }, kept(layer, update, "update")
end

function find.MinimalGatedUnit(layer, squash, x, h)
  local forget = squash(sum_of(layer, 1, x, h))
  return { forget = forget }, kept(layer, forget, "forget")
end

--- The gates' values.
-- @tparam Layer layer one of those with gates
-- @tparam tensor x (B, T, D)
-- @tparam {tensor,...} before the states before each step, (B, T, n) each, by time
-- @treturn table gate → (B, T, units)
-- @treturn tensor the share of its old state that each unit keeps, (B, T, units)
-- @treturn string that share in words, such as "1 - update"
function cells.values(layer, x, before)
  local squash = activations.get(layer.recurrent_activation)
  return find[layer.class_name](layer, squash, x, before[1], before[2])
end

return cells
