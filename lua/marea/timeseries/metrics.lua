--- Errors of forecasts, in the units of the series.
--
--     local metrics = marea.timeseries.metrics
--     print(metrics.rmse(actual, predicted))
--     print(metrics.mase(actual, predicted, history, 12))
--
-- `actual` and what it is compared with are lists, rows or tensors of one shape, (T) or (T,D); over
-- all values there is one result. NaN and infinity are refused. A measure that the values leave
-- undefined is nil and a message.
-- @module marea.timeseries.metrics
local columns = require "marea.timeseries.columns"
local options = require "marea.nn.options"

local metrics = {}

-- Columns of two or more series of one shape.
local function read(who, actual, ...)
  local list = { (columns.read(who .. ": actual", actual)) }
  for i, other in ipairs{ ... } do
    local got = columns.read(("%s: argument %d"):format(who, i + 1), other)
    if #got ~= #list[1] or #got[1] ~= #list[1][1] then
      error(("%s: actual is %d × %d (steps × columns), argument %d is %d × %d"):format(who,
        #list[1][1], #list[1], i + 1, #got[1], #got), 0)
    end
    list[i + 1] = got
  end
  return table.unpack(list)
end

-- The mean of f(actual, predicted …) over all values.
local function mean_of(f, actual, first, second)
  local sum, count = 0, 0
  for d, column in ipairs(actual) do
    for t, value in ipairs(column) do
      sum = sum + f(value, first[d][t], second and second[d][t])
      count = count + 1
    end
  end
  return sum / count
end

local function absolute(a, p) return math.abs(a - p) end
local function squared(a, p) return (a - p) ^ 2 end

--- The mean absolute error.
function metrics.mae(actual, predicted)
  return mean_of(absolute, read("mae", actual, predicted))
end

--- The mean squared error.
function metrics.mse(actual, predicted)
  return mean_of(squared, read("mse", actual, predicted))
end

--- The root of the mean squared error.
function metrics.rmse(actual, predicted)
  return math.sqrt(mean_of(squared, read("rmse", actual, predicted)))
end

--- The mean absolute error in percent of the actual value, |a - p| / |a|.
-- @treturn number percent; nil and a message where an actual value is 0
function metrics.mape(actual, predicted)
  local a, p = read("mape", actual, predicted)
  for _, column in ipairs(a) do
    for t, value in ipairs(column) do
      if value == 0 then
        return nil, ("mape: actual value %d is 0, a percentage of it is not defined; use mase"):format(t)
      end
    end
  end
  return 100 * mean_of(function(x, y) return math.abs((x - y) / x) end, a, p)
end

--- The symmetric form, 200 |a - p| / (|a| + |p|) (Makridakis, 1993; as in the M4 competition), 0 to
-- 200; where both are 0 the error is 0.
-- @treturn number percent
function metrics.smape(actual, predicted)
  local a, p = read("smape", actual, predicted)
  return mean_of(function(x, y)
    return x == y and 0 or 200 * math.abs(x - y) / (math.abs(x) + math.abs(y))
  end, a, p)
end

--- The errors of the seasonal naive forecast one step ahead within rows first … last of a column of
-- plain numbers: what MASE and RMSSE divide by.
-- @treturn number mean absolute error
-- @treturn number mean squared error
function metrics.naive_errors(column, period, first, last)
  local sum, squares = 0, 0
  for t = first + period, last do
    local change = column[t] - column[t - period]
    sum, squares = sum + math.abs(change), squares + change * change
  end
  local count = last - first + 1 - period
  return sum / count, squares / count
end

-- The naive errors of each column of a history; nil where one is 0.
local function scales(who, history, period)
  local list = columns.read_steps(who .. ": history", history)
  for d, column in ipairs(list) do
    if #column <= period then
      error(("%s: the history has %d values, expected more than the period, %d"):format(who, #column,
        period), 0)
    end
    local sum, squares = metrics.naive_errors(column, period, 1, #column)
    if sum == 0 then
      return nil, ("%s: not defined, column %d of the history repeats itself exactly every %d step%s")
        :format(who, d, period, period == 1 and "" or "s")
    end
    list[d] = who == "rmsse" and squares or sum
  end
  return list
end

-- The mean over columns of the mean error of each, divided by its scale.
local function scaled(who, f, actual, predicted, history, period)
  period = options.integer(who, "period", period or 1)
  local a, p = read(who, actual, predicted)
  local list, message = scales(who, history, period)
  if not list then return nil, message end
  if #list ~= #a then
    error(("%s: the history has %d columns, actual %d"):format(who, #list, #a), 0)
  end
  local sum = 0
  for d, column in ipairs(a) do
    local value = mean_of(f, { column }, { p[d] }) / list[d]
    sum = sum + (who == "rmsse" and math.sqrt(value) or value)
  end
  return sum / #a
end

--- The mean absolute error over that of the seasonal naive forecast one step ahead within a history
-- (Hyndman and Koehler, 2006); below 1 is better than it. Over columns: the mean.
-- @param actual
-- @param predicted
-- @param history the series before, with more values than a period
-- @tparam[opt=1] integer period
-- @treturn number; nil and a message where the history is constant or repeats itself exactly
function metrics.mase(actual, predicted, history, period)
  return scaled("mase", absolute, actual, predicted, history, period)
end

--- The same with squares, under a root (Makridakis et al., 2022).
function metrics.rmsse(actual, predicted, history, period)
  return scaled("rmsse", squared, actual, predicted, history, period)
end

local function probability(who, name, value)
  if type(value) ~= "number" or not (value > 0 and value < 1) then
    error(("%s: %s must be a number between 0 and 1, got %s"):format(who, name,
      options.show(value)), 0)
  end
  return value
end

--- The loss of a forecast of quantile q (Koenker and Bassett, 1978): q (a - p) where p is too low,
-- (1 - q) (p - a) where it is too high.
-- @param actual
-- @param predicted
-- @tparam number q in (0, 1)
-- @treturn number
function metrics.pinball(actual, predicted, q)
  probability("pinball", "q", q)
  return mean_of(function(a, p)
    return a >= p and q * (a - p) or (1 - q) * (p - a)
  end, read("pinball", actual, predicted))
end

local function ordered(who, low, high)
  for d, column in ipairs(low) do
    for t, value in ipairs(column) do
      if value > high[d][t] then
        error(("%s: low %g lies above high %g at step %d"):format(who, value, high[d][t], t), 0)
      end
    end
  end
end

--- The share of values within low … high, both included.
-- @treturn number 0 to 1
function metrics.coverage(actual, low, high)
  local a, l, h = read("coverage", actual, low, high)
  ordered("coverage", l, h)
  return mean_of(function(x, below, above)
    return x >= below and x <= above and 1 or 0
  end, a, l, h)
end

--- The score of an interval (Winkler, 1972; Gneiting and Raftery, 2007, equation 43): its width, and
-- 2 / (1 - level) times how far the value lies outside. Less is better.
-- @param actual
-- @param low
-- @param high
-- @tparam number level in (0, 1): what the interval is to cover
-- @treturn number
function metrics.winkler(actual, low, high, level)
  probability("winkler", "level", level)
  local a, l, h = read("winkler", actual, low, high)
  ordered("winkler", l, h)
  local price = 2 / (1 - level)
  return mean_of(function(x, below, above)
    return above - below + price * (math.max(0, below - x) + math.max(0, x - above))
  end, a, l, h)
end

--- How much of a reference's error is gone: 1 - error / reference. 1 is perfect, 0 as good as the
-- reference, negative worse.
-- @tparam number err of the forecast, by any measure that is 0 for a perfect one
-- @tparam number reference the same of the reference, say the seasonal naive forecast
-- @treturn number; nil and a message where the reference has no error
function metrics.skill(err, reference)
  options.number("skill", "error", err, 0)
  options.number("skill", "reference", reference, 0)
  if reference == 0 then return nil, "skill: not defined, the reference has no error" end
  return 1 - err / reference
end

return metrics
