--- The formulas of the cells, written with elementary operations.
local marea = require "marea"

local formulas = {}

-- Blocks of `units` columns of x (B, n units).
local function block(x, i, units)
  return x:narrow(#x:shape(), (i - 1) * units + 1, units)
end

-- gain (a - mean) / sqrt(var + epsilon), or a itself.
local function normal(layer, a, gain)
  if not layer.norm then return a end
  local centred = a - a:mean(2, true)
  return centred / (centred:square():mean(2, true) + layer.norm_epsilon):sqrt() * gain
end

local function bias_of(layer, gate, row)
  if not layer.bias then return 0 end
  return block(row and layer.bias:select(1, row) or layer.bias, gate, layer.units)
end

-- The sum of a gate: x K + (h or nothing) U + more, normalised, + its bias.
local function gate_sum(layer, gate, x, h, more)
  local units = layer.units
  local a = x and x:matmul(block(layer.kernel, gate, units)) or marea.zeros{ 1, units }
  if h then a = a + h:matmul(block(layer.recurrent_kernel, gate, units)) end
  if more then a = a + more end
  local gain = layer.norm and layer.norm_gain:select(1, gate)
  return normal(layer, a, gain) + bias_of(layer, gate, layer.reset_after and 1 or nil)
end

local function look(layer, gate, c)
  local p = layer["peephole_" .. gate]
  if not p then return nil end
  return #p:shape() == 2 and c:matmul(p) or c * p
end

local function blend(layer, z, h, g)
  if layer.update == "write" then z = 1 - z end
  return z * h + (1 - z) * g
end

-- cell → f(layer, x, states) → new states, gates by name
local steps = {}

function steps.SimpleRNN(layer, x, s)
  return { gate_sum(layer, 1, x, s[1]):tanh() }
end

function steps.LSTM(layer, x, s)
  local h, c, looks = s[1], s[2], layer.looks or {}
  local seen = looks.inputs ~= "hc" and x or nil
  local I, F, C, O = 1, 2, 3, 4
  if layer.coupled then C, O = 2, 3 end
  local i = gate_sum(layer, I, seen, h, look(layer, "i", c)):sigmoid()
  local f = layer.coupled and 1 - i or gate_sum(layer, F, seen, h, look(layer, "f", c)):sigmoid()
  local new = f * c + i * gate_sum(layer, C, x, h):tanh()
  if layer.cell_clip then new = new:clip(-layer.cell_clip, layer.cell_clip) end
  local o = gate_sum(layer, O, seen, h, look(layer, "o", looks.output == "old" and c or new)):sigmoid()
  local shown = layer.norm and normal(layer, new, layer.cell_gain) + layer.cell_bias or new
  local out = o * shown:tanh()
  return { layer.projection and out:matmul(layer.projection_kernel) or out, new },
    { input = i, forget = f, output = o }
end

function steps.GRU(layer, x, s)
  local h, u = s[1], layer.units
  if not layer.reset_after then
    local r = gate_sum(layer, 2, x, h):sigmoid()
    local z = gate_sum(layer, 1, x, h):sigmoid()
    return { blend(layer, z, h, gate_sum(layer, 3, x, r * h):tanh()) }, { update = z, reset = r }
  end
  local z = (gate_sum(layer, 1, x, h) + bias_of(layer, 1, 2)):sigmoid()
  local r = (gate_sum(layer, 2, x, h) + bias_of(layer, 2, 2)):sigmoid()
  local q = h:matmul(block(layer.recurrent_kernel, 3, u))
  q = normal(layer, q, layer.norm and layer.norm_gain:select(1, 4)) + bias_of(layer, 3, 2)
  return { blend(layer, z, h, (gate_sum(layer, 3, x) + r * q):tanh()) }, { update = z, reset = r }
end

function steps.SimpleGRU(layer, x, s)
  local h = s[1]
  local g = gate_sum(layer, 2, x, layer.candidate == "xh" and h or nil):tanh()
  local z = gate_sum(layer, 1, x, h):sigmoid()
  return { blend(layer, z, h, g) }, { update = z }
end

-- The candidate's columns are the last ones; the gate's stand before them where it has any.
local function last_block(x, units) return x:narrow(#x:shape(), x:size(#x:shape()) - units + 1, units) end

function steps.MinimalGatedUnit(layer, x, s)
  local h, u, sees = s[1], layer.units, layer.gate
  local sum = marea.zeros{ h:size(1), u }
  if sees:find("x") then sum = sum + x:matmul(block(layer.kernel, 1, u)) end
  if sees:find("h") then sum = sum + h:matmul(block(layer.recurrent_kernel, 1, u)) end
  sum = normal(layer, sum, layer.norm and layer.norm_gain:select(1, 1))
  if sees:find("b") and layer.bias then sum = sum + block(layer.bias, 1, u) end
  local f = sum:sigmoid()
  local new = x:matmul(last_block(layer.kernel, u)) + (f * h):matmul(last_block(layer.recurrent_kernel, u))
  new = normal(layer, new, layer.norm and layer.norm_gain:select(1, 2))
  if layer.bias then new = new + last_block(layer.bias, u) end
  return { blend(layer, f, h, new:tanh()) }, { forget = f }
end

function steps.Elman(layer, x, s)
  return steps.SimpleRNN(layer, x, s)
end

--- One step of a layer, x (B, D): the states after it and the values of its gates by name.
function formulas.step(layer, x, old)
  local new, gates = steps[layer.class_name](layer, x, old)
  for i, d in ipairs{ layer.zoneout, layer.zoneout_cell } do
    if d > 0 then new[i] = d * old[i] + (1 - d) * new[i] end
  end
  return new, gates
end

return formulas
