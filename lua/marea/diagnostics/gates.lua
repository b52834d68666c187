--- How the gates of LSTM and GRU stand: shares that are shut or open, half-life of what is kept.
--
-- A unit whose forget gate (LSTM) or update gate (GRU, which keeps what it lets through) is f on
-- average keeps the share f of its memory a step, so that half of it is left after ln ½ / ln f steps.
-- Saturated gates pass no gradient (Karpathy, Johnson and Fei-Fei, 2015, draw the same shares).
-- @module marea.diagnostics.gates
local activations = require "marea.nn.activations"
local layers = require "marea.diagnostics.layers"
local ops = require "marea.ops"
local options = require "marea.nn.options"

-- Gates and which of them keeps the state, by the blocks' order in the kernel.
local known = {
  LSTM = { gates = { { "input", 1 }, { "forget", 2 }, { "output", 4 } }, keeps = "forget" },
  GRU = { gates = { { "update", 1 }, { "reset", 2 } }, keeps = "update" },
}

-- The forms of a cell change its gates' sums or what they mean.
local function is_known(layer)
  return known[layer.class_name] and not (layer.peephole or layer.coupled or layer.projection
    or layer.norm or layer.update == "write")
end

-- States after every step, (B, T, u).
local function all_states(layer, x, mask)
  local before = layer.return_sequences
  layer.return_sequences = true
  local _ <close> = setmetatable({}, { __close = function() layer.return_sequences = before end })
  return (layer(x, { mask = mask, training = false }))
end

-- States before every step: one later, zeros first.
local function shifted(states)
  local zeros = ops.zeros{ states:size(1), 1, states:size(3) }
  if states:size(2) == 1 then return zeros end
  return ops.concat({ zeros, states:narrow(2, 1, states:size(2) - 1) }, 2)
end

local function block(tensor, axis, place, units)
  return tensor:narrow(axis, (place - 1) * units + 1, units)
end

local function gate_bias(layer, place)
  if not layer.bias then return nil end
  if #layer.bias:shape() == 1 then return block(layer.bias, 1, place, layer.units) end
  return block(layer.bias, 2, place, layer.units):sum(1) -- input and recurrent bias
end

local function gate_values(layer, x, before, place)
  local sum = x:matmul(block(layer.kernel, 2, place, layer.units))
    + before:matmul(block(layer.recurrent_kernel, 2, place, layer.units))
  local bias = gate_bias(layer, place)
  if bias then sum = sum + bias end
  return activations.get(layer.recurrent_activation)(sum)
end

-- Mean over the visible steps: of all units, or one number a unit.
local function mean(values, weight, by_unit)
  local sum = ops.sum(ops.sum(values * weight, 1), 1)
  sum = sum / ops.sum(weight):item()
  return by_unit and sum or ops.mean(sum):item()
end

local function half_lives(means)
  local lives = {}
  for i, f in ipairs(means:totable()) do
    lives[i] = f <= 0 and 0 or f >= 1 and math.huge or math.log(0.5) / math.log(f)
  end
  table.sort(lives)
  return lives
end

local function look_into(layer, x, mask, limit)
  local kind = known[layer.class_name]
  local states = all_states(layer, x, mask)
  if layer.go_backwards then x, mask = ops.flip(x, 2), mask and ops.flip(mask, 2) end
  local weight = mask or ops.ones{ x:size(1), x:size(2) }
  weight = weight:reshape{ x:size(1), x:size(2), 1 }
  local before, result = shifted(states), {}
  for _, gate in ipairs(kind.gates) do
    local name, place = gate[1], gate[2]
    local values = gate_values(layer, x, before, place)
    result[name] = { mean = mean(values, weight), shut = mean(ops.less(values, limit), weight),
      open = mean(ops.greater(values, 1 - limit), weight) }
    if name == kind.keeps then
      result.half_lives = half_lives(mean(values, weight, true))
    end
  end
  return result
end

local Report = {}
Report.__index = Report

local function life(value)
  return value == math.huge and "∞" or ("%.1f"):format(value)
end

function Report:__tostring()
  local lines = {}
  for _, layer in ipairs(self.order) do
    local found = self[layer.name]
    lines[#lines + 1] = ("%s (%s)   mean   shut   open   (shut: below %g, open: above %g)"):format(
      layer.name, layer.class_name, self.limit, 1 - self.limit)
    for _, gate in ipairs(known[layer.class_name].gates) do
      local g = found[gate[1]]
      lines[#lines + 1] = ("  %-14s %6.3f %5.1f%% %5.1f%%"):format(gate[1], g.mean, 100 * g.shut,
        100 * g.open)
    end
    local lives = found.half_lives
    lines[#lines + 1] = ("  half-life of a unit's memory, steps: %s to %s, median %s"):format(
      life(lives[1]), life(lives[#lives]), life(lives[(#lives + 1) // 2]))
  end
  return table.concat(lines, "\n")
end

--- The gates of every LSTM and GRU of a model (or of one layer), for a batch.
-- @tparam Sequential|Model|Layer model
-- @tparam tensor|table x the batch that the model (or the layer) gets
-- @tparam[opt] table given `mask` (B, T) or `lengths` (B); `limit` 0.1: a gate below it is shut, one
-- above 1 - limit open
-- @treturn table layer name → { input = { mean, shut, open }, forget = …, output = … } (GRU: update,
-- reset), shares in 0 … 1 over the visible steps, and half_lives: sorted, steps, one for each unit
-- @raise when there is no such layer; peepholes, projections and other forms are left out
return function(model, x, given)
  local read = options.read("gates", given, { mask = options.optional, lengths = options.optional,
    limit = 0.1 })
  options.number("gates", "limit", read.limit, 0, 0.5)
  local report = setmetatable({ order = {}, limit = read.limit }, Report)
  x = ops.tensor(x)
  local tape <close> = ops.tape() -- luacheck: ignore tape
  ops.no_grad(function()
    layers.run(model, x, { mask = read.mask, lengths = read.lengths }, function(layer, input, visible)
      if not is_known(layer) then return end
      report.order[#report.order + 1] = { name = layer.name, class_name = layer.class_name }
      report[layer.name] = look_into(layer, input, visible, read.limit)
    end)
  end)
  if #report.order == 0 then
    error("gates: there is no LSTM or GRU in its plain form among the layers of " .. tostring(model), 0)
  end
  return report
end
