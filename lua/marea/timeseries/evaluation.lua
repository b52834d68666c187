--- Forecasts judged from every origin of a part, beside baselines that cost nothing.
-- @module marea.timeseries.evaluation
local continuation = require "marea.timeseries.continuation"
local forecast = require "marea.timeseries.forecast"
local metrics = require "marea.timeseries.metrics"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local preparing = require "marea.timeseries.preparing"
local rolling = require "marea.timeseries.rolling"
local windows = require "marea.timeseries.windows"

local evaluation = {}

local Scores = { __name = "marea scores" }
Scores.__index = Scores

-- Baselines ---------------------------------------------------------------------------------------

-- Each gives (N,H,C) for origins (0-based rows of `values` (T,C)).
local baselines = {}

function baselines.naive(values, origins, horizon)
  local offsets = {}
  for h = 1, horizon do offsets[h] = 0 end
  return windows.gather(values, origins, offsets)
end

baselines["seasonal naive"] = function(values, origins, horizon, period)
  if origins[1] + 1 < period then return nil end
  local offsets = {}
  for h = 1, horizon do offsets[h] = h - period * ((h + period - 1) // period) end
  return windows.gather(values, origins, offsets)
end

-- The last value plus h times the mean change since the first row.
function baselines.drift(values, origins, horizon)
  local last = baselines.naive(values, origins, horizon)
  local first = values:narrow(1, 1, 1):reshape{ 1, 1, values:size(2) }
  local shares, steps = {}, {}
  for n, origin in ipairs(origins) do shares[n] = 1 / math.max(1, origin) end
  for h = 1, horizon do steps[h] = h end
  return last + (last - first) * (ops.tensor(shares):reshape{ -1, 1, 1 })
    * (ops.tensor(steps):reshape{ 1, -1, 1 })
end

function baselines.mean(values, origins, horizon)
  local sums, rows, result = {}, values:totable(), {}
  local n = 1
  for t, row in ipairs(rows) do
    for c, value in ipairs(row) do sums[c] = (sums[c] or 0) + value end
    if origins[n] == t - 1 then
      result[n] = {}
      for c, sum in ipairs(sums) do result[n][c] = sum / t end
      n = n + 1
    end
  end
  local means = ops.tensor(result):reshape{ #origins, 1, values:size(2) }
  return means * ops.ones{ 1, horizon, 1 }
end

local order = { "seasonal naive", "naive", "drift", "mean" }

-- Errors ------------------------------------------------------------------------------------------

local function errors_of(actual, predicted)
  local e = predicted - actual
  local mse = ops.mean(ops.square(e)):item()
  return { mse = mse, rmse = math.sqrt(mse), mae = ops.mean(ops.abs(e)):item() }
end

-- Means over the steps of the horizon, step by step.
local function by_horizon(actual, predicted)
  local square = ops.mean(ops.mean(ops.square(predicted - actual), 3), 1):totable()
  local list = {}
  for h, value in ipairs(square) do list[h] = math.sqrt(value) end
  return list
end

-- In per cent; nil where a value is 0.
local function mape(actual, predicted)
  if ops.min(ops.abs(actual)):item() == 0 then return nil end
  return 100 * ops.mean(ops.abs((predicted - actual) / actual)):item()
end

-- Mean absolute error over that of the seasonal naive forecast before the first target (Hyndman and
-- Koehler, 2006), mean over the columns; nil where that is 0 or there are too few rows.
local function mase(series, before, actual, predicted)
  if before <= series.period then return nil end
  local sum = 0
  for c, column in ipairs(series.columns) do
    local scale = metrics.naive_errors(column, series.period, 1, before)
    if scale == 0 then return nil end
    sum = sum + ops.mean(ops.abs((predicted - actual):narrow(3, c, 1))):item() / scale
  end
  return sum / #series.columns
end

local function coverage_of(actual, low, high)
  low, high = ops.tensor(low), ops.tensor(high)
  local inside = ops.greater_equal(actual, low) * ops.less_equal(actual, high)
  return ops.mean(inside):item(), ops.mean(high - low):item()
end

-- Leakage -----------------------------------------------------------------------------------------

-- Raises when the part's targets begin within what the forecaster has learnt from.
local function check_unseen(self, part)
  local fitted = self.fitted
  local seen
  if part.times and fitted.last_time then
    seen = part.times[1] <= fitted.last_time and part.times[part.rows] >= fitted.first_time
  else
    local root = rawget(part, "root") or part
    seen = fitted.root == root and part.first <= fitted.last
  end
  if seen then
    error(("evaluate: leakage: transforms and network have learnt from %s … %s (%d rows), the part to "
      .. "be judged begins at %s; fit on what lies before it, or say in_sample = true"):format(
      fitted.from, fitted.to, fitted.rows, part:date(1)), 0)
  end
end

-- The part with everything before it (the baselines look further back than the network), and the
-- number of rows before.
local function with_history(self, part)
  if self.pipeline.anchored then return continuation.join(self, part, "evaluate") end
  local longer, before = part:with_context(part.first)
  local needed = self.lost + self.lookback
  if before == 0 and part.rows < needed + 1 then
    error(("evaluate: a lookback of %d rows (and %d for differences) swallows the test part of %d rows, "
      .. "and nothing is known of what lies before it; take it with series:split, whose parts know "
      .. "their past"):format(self.lookback, self.lost, part.rows), 0)
  end
  return longer, before
end

-- Scores ------------------------------------------------------------------------------------------

--- The options of `evaluate`, checked against what the forecaster can do.
function evaluation.read_options(self, given)
  local read = options.read("evaluate", given, { horizon = self.horizon, stride = 1, units = "own",
    level = options.optional, paths = 200, seed = 1, in_sample = false })
  read.horizon = options.integer("evaluate", "horizon", read.horizon)
  read.stride = options.integer("evaluate", "stride", read.stride)
  options.choice("evaluate", "units", read.units, { "own", "scaled" })
  if self.strategy ~= "recursive" and read.horizon > self.horizon then
    error(("evaluate: horizon %d, the forecaster has learnt %d"):format(read.horizon, self.horizon), 0)
  end
  return read
end

-- Deviations of the training part, by which errors are divided; ones for the series' own units.
local function unit_of(self, read)
  if read.units == "own" then return nil end
  for _, stage in ipairs(self.pipeline.stages) do
    if stage.class_name == "StandardScaler" and #self.pipeline.stages == 1 then
      return ops.tensor(stage.scale)
    end
  end
  error('evaluate: units = "scaled" needs transforms = { "standard" }', 0)
end

--- What a forecaster says from every origin of a part, beside what came.
-- @tparam table read the options
-- @treturn table { targets = Series with what lies before, origins = its 0-based rows, `first` and `last`
-- date of what is forecast, actual, predicted (N,H,C), low, high (lists, with `level`), unit }
function evaluation.foresee(self, part, read)
  if not read.in_sample then check_unseen(self, part) end
  part:require_whole("evaluate")
  local longer, before = with_history(self, part)
  local prepared = preparing.table(self, longer)
  local origins = rolling.origins(self, prepared, before + 1, read.horizon, read.stride)
  if #origins == 0 then
    error(("evaluate: the part of %d rows holds no window of horizon %d"):format(part.rows,
      read.horizon), 0)
  end
  local seen = { targets = longer:select(self.roles.targets), origins = {}, unit = unit_of(self, read),
    first = longer:date(origins[1] + self.lost + 2),
    last = longer:date(origins[#origins] + self.lost + 1 + read.horizon) }
  for n, origin in ipairs(origins) do seen.origins[n] = origin + self.lost end
  seen.actual = windows.gather(seen.targets.values, seen.origins, windows.range(1, read.horizon))
  local mean = rolling.forecast(self, prepared, origins, read.horizon)
  seen.predicted = rolling.invert(self, prepared, origins, mean)
  if read.level then
    seen.low, seen.high = forecast.intervals(self, prepared, origins, mean, read)
  end
  return seen
end

local function measure(seen, read)
  local actual, predicted, unit = seen.actual, seen.predicted, seen.unit
  local function in_units(x) return unit and x / unit or x end
  local scores = errors_of(in_units(actual), in_units(predicted))
  scores.baselines, scores.by_horizon = {}, by_horizon(in_units(actual), in_units(predicted))
  for _, name in ipairs(order) do
    local p = baselines[name](seen.targets.values, seen.origins, read.horizon, seen.targets.period)
    scores.baselines[name] = p and errors_of(in_units(actual), in_units(p))
  end
  scores.mape, scores.actual, scores.predicted = mape(actual, predicted), actual, predicted
  if not unit then scores.mase = mase(seen.targets, seen.origins[1] + 1, actual, predicted) end
  if read.level then
    scores.coverage, scores.width = coverage_of(actual, seen.low, seen.high)
    scores.low, scores.high, scores.level = seen.low, seen.high, read.level
  end
  return scores
end

--- The scores of what evaluation.foresee returned.
function evaluation.score(seen, read)
  local scores = setmetatable(measure(seen, read), Scores)
  scores.windows, scores.horizon, scores.units = #seen.origins, read.horizon, read.units
  scores.first, scores.last = seen.first, seen.last
  local reference = scores.baselines["seasonal naive"]
  scores.reference = reference and "seasonal naive" or "naive"
  scores.skill = metrics.skill(scores.rmse, (reference or scores.baselines.naive).rmse)
  return scores
end

--- See Forecaster:evaluate.
function evaluation.evaluate(self, part, given)
  local read = evaluation.read_options(self, given)
  local scores = evaluation.score(evaluation.foresee(self, part, read), read)
  if not read.in_sample then self.scores = scores end
  return scores
end

--- One line: the error beside the reference's, and the skill score 1 - RMSE / RMSE of the seasonal
-- naive forecast.
function Scores:summary()
  local reference = self.baselines[self.reference]
  return ("judged on %d windows, %s … %s: RMSE %.4g, %s %.4g, skill score %s"):format(self.windows,
    self.first, self.last, self.rmse, self.reference, reference.rmse,
    self.skill and ("%.3f"):format(self.skill) or "not defined")
end

function Scores:__tostring()
  local lines = { ("%d windows, horizon %d, %s … %s%s"):format(self.windows, self.horizon, self.first,
    self.last, self.units == "scaled" and "; in deviations of the training part" or "") }
  lines[2] = ("%-16s %10s %10s %10s %12s"):format("", "RMSE", "MAE", "MSE", "skill score")
  local reference = self.baselines[self.reference].rmse
  local function row(name, e)
    local s = metrics.skill(e.rmse, reference)
    lines[#lines + 1] = ("%-16s %10.4g %10.4g %10.4g %12s"):format(name, e.rmse, e.mae, e.mse,
      s and ("%.3f"):format(s) or "-")
  end
  row("this forecaster", self)
  for _, name in ipairs(order) do
    if self.baselines[name] then row(name, self.baselines[name]) end
  end
  lines[#lines + 1] = ("skill score: 1 - RMSE / RMSE of the %s forecast%s%s"):format(self.reference,
    self.mape and ("; MAPE %.2f%%"):format(self.mape) or "",
    self.mase and ("; MASE %.3f"):format(self.mase) or "")
  if self.coverage then
    lines[#lines + 1] = ("intervals of %g%% hold %.1f%% of the values; mean width %.4g"):format(
      100 * self.level, 100 * self.coverage, self.width)
  end
  return table.concat(lines, "\n")
end

return evaluation
