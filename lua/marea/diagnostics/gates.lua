--- How the gates of LSTM, GRU and their kin stand: shares that are shut or open, half-life of what is
-- kept.
--
-- A unit that keeps the share f of its memory a step on average (the forget gate of an LSTM; of an
-- update gate z, z or 1 - z by the layer's `update`) has half of it left after ln ½ / ln f steps.
-- Saturated gates pass no gradient (Karpathy, Johnson and Fei-Fei, 2015, draw the same shares).
-- @module marea.diagnostics.gates
local cells = require "marea.diagnostics.cells"
local layers = require "marea.diagnostics.layers"
local ops = require "marea.ops"
local options = require "marea.nn.options"

-- States before every step by time, a list of (B, T, n).
local function states_before(layer, x, call)
  local lists = {}
  for i in ipairs(layer.state_size) do lists[i] = {} end
  layers.each_step(layer, x, call, function(_, t, before, after)
    for i, state in ipairs(before) do lists[i][t] = state end
    return after
  end)
  for i, list in ipairs(lists) do lists[i] = ops.stack(list, 2) end
  return lists
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

local function look_into(layer, x, call, limit)
  local weight = call.mask and ops.as_real(call.mask) or ops.ones{ x:size(1), x:size(2) }
  weight = weight:reshape{ x:size(1), x:size(2), 1 }
  if ops.sum(weight):item() == 0 then return nil, "no step of this batch is visible" end
  local gates, share, keeps = cells.values(layer, x, states_before(layer, x, call))
  local result = { keeps = keeps, half_lives = half_lives(mean(share, weight, true)) }
  for name, values in pairs(gates) do
    result[name] = { mean = mean(values, weight), shut = mean(ops.less(values, limit), weight),
      open = mean(ops.greater(values, 1 - limit), weight) }
  end
  return result
end

local Report = {}
Report.__index = Report

local function life(value)
  return value == math.huge and "∞" or ("%.1f"):format(value)
end

local function show_layer(lines, item, found, limit)
  lines[#lines + 1] = ("%s (%s)   mean   shut   open   (shut: below %g, open: above %g)"):format(
    item.name, item.class_name, limit, 1 - limit)
  for _, name in ipairs(item.gates) do
    local gate = found[name]
    lines[#lines + 1] = ("  %-14s %6.3f %5.1f%% %5.1f%%"):format(name, gate.mean, 100 * gate.shut,
      100 * gate.open)
  end
  local lives = found.half_lives
  lines[#lines + 1] = ("  half-life of a unit's memory (a step keeps %s), steps: %s to %s, median %s")
    :format(found.keeps, life(lives[1]), life(lives[#lives]), life(lives[(#lives + 1) // 2]))
end

local function skipped_text(item)
  return ("%s (%s): %s"):format(item.name, item.class_name, item.reason)
end

function Report:__tostring()
  local lines = {}
  for _, item in ipairs(self.order) do show_layer(lines, item, self[item.name], self.limit) end
  for _, item in ipairs(self.skipped) do lines[#lines + 1] = "left out: " .. skipped_text(item) end
  return table.concat(lines, "\n")
end

local function refuse(model, report)
  if #report.skipped == 0 then
    error("gates: there is no recurrent layer in " .. tostring(model), 0)
  end
  local lines = {}
  for i, item in ipairs(report.skipped) do lines[i] = skipped_text(item) end
  error(("gates: no layer of %s shows gates; %s"):format(tostring(model), table.concat(lines, "; ")), 0)
end

local function make_report(model, found, limit)
  local report = setmetatable({ order = {}, skipped = {}, limit = limit }, Report)
  for _, item in ipairs(layers.recurrent(model)) do
    local layer, seen = item.layer, found[item.layer]
    local entry = { name = item.name, class_name = layer.class_name, gates = cells.gates(layer) }
    if seen and seen.half_lives then
      report[item.name] = seen
      table.insert(report.order, entry)
    else
      entry.reason = seen or layers.why_not(layer) or not entry.gates and "it has no gates"
        or "the batch does not pass through it"
      table.insert(report.skipped, entry)
    end
  end
  if #report.order == 0 then refuse(model, report) end
  return report
end

--- The gates of every LSTM, GRU, SimpleGRU and MinimalGatedUnit of a model in all their forms (or of
-- one layer), both directions of a Bidirectional too, for a batch. Dropout is off; stateful layers begin
-- with the states they keep, which stay as they are. Zoneout does not count as keeping.
-- @tparam Sequential|Model|Layer model
-- @tparam tensor|table x the batch, as `predict` takes it (of marea.builders: as `fit` takes x)
-- @tparam[opt] table given `mask` (B, T) or `lengths` (B); `target`: of encoder_decoder and one_to_many
-- the targets, which the decoder reads; `limit` 0.1: a gate below it is shut, one above 1 - limit open
-- @treturn table layer name → { input = { mean, shut, open }, forget = …, output = … } (GRU: update,
-- reset; SimpleGRU: update; MinimalGatedUnit: forget), shares in 0 … 1 over the visible steps;
-- half_lives: sorted, steps, one for each unit; keeps: whose mean they follow from, such as "forget" or
-- "1 - update". `order`: the layers; `skipped`: a list of { name, class_name, reason } of the recurrent
-- layers that are left out. A layer that is called twice shows its last call. tostring shows it
-- @raise when no layer shows gates, naming each recurrent layer and the reason
return function(model, x, given)
  local read = options.read("gates", given, { mask = options.optional, lengths = options.optional,
    target = options.optional, limit = 0.1 })
  options.number("gates", "limit", read.limit, 0, 0.5)
  layers.check("gates", model)
  local lengths
  local unused -- luacheck: ignore unused
  x, unused, read = layers.lesson("gates", model, x, read.target, read)
  x, lengths = layers.inputs("gates", model, x, read.lengths)
  local found = {}
  local tape <close> = ops.tape() -- luacheck: ignore tape
  ops.no_grad(function()
    layers.run(model, x, { mask = read.mask, lengths = lengths }, function(layer, input, call)
      if not cells.gates(layer) or layers.why_not(layer) or not layers.takes(layer, input) then
        return nil
      end
      local result, reason = look_into(layer, input, call, read.limit)
      found[layer] = result or reason
      return nil
    end)
  end)
  return make_report(model, found, read.limit)
end
