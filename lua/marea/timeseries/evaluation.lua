--- Forecasts judged from every origin of a part, beside baselines that cost nothing.
-- @module marea.timeseries.evaluation
local continuation = require "marea.timeseries.continuation"
local forecast = require "marea.timeseries.forecast"
local leakage = require "marea.timeseries.leakage"
local metrics = require "marea.timeseries.metrics"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local preparing = require "marea.timeseries.preparing"
local rolling = require "marea.timeseries.rolling"
local Scores = require "marea.timeseries.scores"
local windows = require "marea.timeseries.windows"

local evaluation = {}

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

-- 200 |a - p| / (|a| + |p|), 0 where both are 0 (see metrics.smape).
local function smape(actual, predicted)
  local sizes = ops.abs(actual) + ops.abs(predicted)
  return 200 * ops.mean(ops.abs(predicted - actual) / (sizes + ops.less_equal(sizes, 0))):item()
end

-- Mean pinball loss of the two bounds as quantiles (see metrics.pinball).
local function pinball_of(actual, low, high, level)
  local q = (1 - level) / 2
  local below, above = actual - ops.tensor(low), actual - ops.tensor(high)
  local function loss(d, share)
    return ops.mean(d * share + (ops.abs(d) - d) * 0.5):item()
  end
  return (loss(below, q) + loss(above, 1 - q)) / 2
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

-- The part ----------------------------------------------------------------------------------------

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
  forecast.check_paths("evaluate", read)
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
  if not read.in_sample then leakage.check_unseen(self, part) end
  part:require_whole("evaluate")
  continuation.check_step(self, part, "evaluate")
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
  for _, name in ipairs(Scores.baselines) do
    local p = baselines[name](seen.targets.values, seen.origins, read.horizon, seen.targets.period)
    scores.baselines[name] = p and errors_of(in_units(actual), in_units(p))
  end
  scores.mape, scores.actual, scores.predicted = mape(actual, predicted), actual, predicted
  scores.smape = smape(actual, predicted)
  if not unit then scores.mase = mase(seen.targets, seen.origins[1] + 1, actual, predicted) end
  if read.level then
    scores.coverage, scores.width = coverage_of(actual, seen.low, seen.high)
    scores.pinball = pinball_of(actual, seen.low, seen.high, read.level)
    scores.low, scores.high, scores.level = seen.low, seen.high, read.level
  end
  return scores
end

--- The scores of what evaluation.foresee returned.
function evaluation.score(seen, read)
  local scores = Scores.of(measure(seen, read))
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

return evaluation
