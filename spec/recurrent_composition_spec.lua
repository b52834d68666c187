-- Every cell in C against its formulas written with elementary operations, run by nn.RNN: outputs,
-- states and all gradients, for the forms that meet and for masks, states and directions.
local marea = require "marea"
local support = require "spec.support"
local nn, near, numbers = marea.nn, support.near, support.numbers

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
  return { layer.projection and out:matmul(layer.projection_kernel) or out, new }
end

function steps.GRU(layer, x, s)
  local h, u = s[1], layer.units
  if not layer.reset_after then
    local r = gate_sum(layer, 2, x, h):sigmoid()
    return { blend(layer, gate_sum(layer, 1, x, h):sigmoid(), h, gate_sum(layer, 3, x, r * h):tanh()) }
  end
  local z = (gate_sum(layer, 1, x, h) + bias_of(layer, 1, 2)):sigmoid()
  local r = (gate_sum(layer, 2, x, h) + bias_of(layer, 2, 2)):sigmoid()
  local q = h:matmul(block(layer.recurrent_kernel, 3, u))
  q = normal(layer, q, layer.norm and layer.norm_gain:select(1, 4)) + bias_of(layer, 3, 2)
  return { blend(layer, z, h, (gate_sum(layer, 3, x) + r * q):tanh()) }
end

function steps.SimpleGRU(layer, x, s)
  local h = s[1]
  local g = gate_sum(layer, 2, x, layer.candidate == "xh" and h or nil):tanh()
  return { blend(layer, gate_sum(layer, 1, x, h):sigmoid(), h, g) }
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
  return { blend(layer, f, h, new:tanh()) }
end

function steps.Elman(layer, x, s)
  return steps.SimpleRNN(layer, x, s)
end

local function zoned(layer, new, old)
  for i, d in ipairs{ layer.zoneout, layer.zoneout_cell } do
    if d > 0 then new[i] = d * old[i] + (1 - d) * new[i] end
  end
  return new
end

local function composed(layer, given)
  return nn.RNN{ function(x, state)
    local new = zoned(layer, steps[layer.class_name](layer, x, state), state)
    local y = new[1]
    if layer.output_kernel then
      y = layer.activate_output(y:matmul(layer.output_kernel) + layer.output_bias)
    end
    return y, new
  end, state_size = layer.state_size, output_size = layer.output_size, return_state = true,
    return_sequences = given.return_sequences, go_backwards = given.go_backwards,
    zero_output_for_mask = given.zero_output_for_mask }
end

local x, mask = numbers{ 3, 5, 4 },
  marea.tensor{ { 0, 1, 0, 1, 1 }, { 0, 0, 0, 0, 0 }, { 1, 1, 1, 0, 0 } }

local ways = {
  { { return_sequences = true }, {} },
  { { return_sequences = true }, { mask = mask } },
  { { go_backwards = true }, { mask = mask } },
  { { return_sequences = true, go_backwards = true, zero_output_for_mask = true }, { mask = mask } },
}

-- Outputs, states, the gradients of x, of the initial states and of all weights.
local function results(run, layer, call)
  local states = {}
  for i, size in ipairs(layer.state_size) do states[i] = numbers({ 3, size }, i) end
  call = { mask = call.mask, training = false, initial_state = states }
  local wanted = { x, table.unpack(states) }
  for _, weight in pairs(layer:parameters()) do wanted[#wanted + 1] = weight end
  for _, tensor in ipairs(wanted) do
    tensor.requires_grad, tensor.grad = true, nil
  end
  local list = {}
  do
    local tape <close> = marea.tape()
    local out = table.pack(run(x, call))
    local loss = 0
    for i = 1, out.n do
      list[i] = out[i]:totable()
      loss = loss + (out[i] * numbers(out[i]:shape(), 10 + i)):sum()
    end
    tape:backward(loss)
  end
  for _, tensor in ipairs(wanted) do
    list[#list + 1] = (tensor.grad or marea.zeros(tensor:shape())):totable()
    tensor.grad = nil
  end
  return list
end

local cells = {
  SimpleRNN = { {}, { norm = "layer" }, { zoneout = .3 }, { norm = "layer", zoneout = .3 },
    { use_bias = false } },
  Elman = { { output_units = 2, g2 = "sigmoid" }, { norm = "layer", zoneout = .2 } },
  GRU = {}, SimpleGRU = {}, LSTM = {},
  MinimalGatedUnit = { { gate = "hb", use_bias = false }, { gate = "h", use_bias = false } },
}
for _, update in ipairs{ "keep", "write" } do
  for _, norm in ipairs{ false, "layer" } do
    local given = { update = update, norm = norm or nil, zoneout = norm and .2 or 0 }
    local function add(class, key, value)
      local own = { [key or 1] = value }
      for name, option in pairs(given) do own[name] = option end
      table.insert(cells[class], own)
    end
    add("GRU", "reset_after", true)
    add("GRU", "reset_after", false)
    add("SimpleGRU", "candidate", "x")
    add("SimpleGRU", "candidate", "xh")
    for _, gate in ipairs{ "xhb", "hb", "h", "b" } do add("MinimalGatedUnit", "gate", gate) end
  end
end
local looks = { false }
for _, form in ipairs{ "diagonal", "full" } do
  for _, output in ipairs{ "new", "old" } do
    for _, inputs in ipairs{ "xhc", "hc" } do
      looks[#looks + 1] = { form = form, output = output, inputs = inputs }
    end
  end
end
local more = { {}, { norm = "layer" }, { projection = 2 }, { cell_clip = .2 },
  { zoneout = .2, zoneout_cell = .3 },
  { norm = "layer", projection = 2, cell_clip = .2, zoneout = .2, zoneout_cell = .3 } }
for _, peephole in ipairs(looks) do
  for _, coupled in ipairs{ false, true } do
    for _, options in ipairs(more) do
      local own = { peephole = peephole or nil, coupled = coupled }
      for name, value in pairs(options) do own[name] = value end
      table.insert(cells.LSTM, own)
    end
  end
end

local function shown(options)
  local parts = {}
  for name, value in pairs(options) do
    if type(value) == "table" then value = table.concat({ value.form, value.output, value.inputs }, " ") end
    parts[#parts + 1] = ("%s = %s"):format(name, value)
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

describe("a cell in C is its formulas", function()
  local tolerance = marea.precision == "double" and 1e-10 or 2e-4
  for class, list in pairs(cells) do
    it(class, function()
      for number, options in ipairs(list) do
        for way, pair in ipairs(ways) do
          local given = { 3, return_state = true }
          for key, value in pairs(options) do given[key] = value end
          for key, value in pairs(pair[1]) do given[key] = value end
          local layer = nn[class](given)
          layer:build{ -1, 5, 4 }
          support.scatter(layer, .7)
          local ok, message = pcall(near, results(composed(layer, given), layer, pair[2]),
            results(layer, layer, pair[2]), tolerance)
          if not ok then
            error(("case %d (%s), way %d: %s"):format(number, shown(options), way, message), 0)
          end
        end
      end
    end)
  end
end)
