-- Every cell in C against its formulas written with elementary operations, run by nn.RNN: outputs,
-- states and all gradients, for the forms that meet and for masks, states and directions.
local marea = require "marea"
local formulas = require "spec.support_cells"
local support = require "spec.support"
local nn, near, numbers = marea.nn, support.near, support.numbers

local function composed(layer, given)
  return nn.RNN{ function(x, state)
    local new = formulas.step(layer, x, state)
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
