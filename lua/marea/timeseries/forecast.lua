--- A forecast: dates, means and intervals, and how it is shown.
-- @module marea.timeseries.forecast
local continuation = require "marea.timeseries.continuation"
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local preparing = require "marea.timeseries.preparing"
local rolling = require "marea.timeseries.rolling"
local scalers = require "marea.timeseries.scalers"
local Series = require "marea.timeseries.series"

local forecast = {}

local Forecast = { __name = "marea forecast" }
Forecast.__index = Forecast

-- Intervals ---------------------------------------------------------------------------------------

-- `count` rows of residuals (R,H,C), drawn at random and then each with its signs turned: errors
-- towards one side in the windows they are of may be to the other one next time, and a bias counts as
-- an error as well.
local function drawn(self, residuals, count, stream)
  local half = (count + 1) // 2
  local picked = residuals:take(forecast.draw(stream, residuals:size(1), half)) * self.spread
  local both = ops.concat({ picked, picked * -1 }, 1)
  return count % 2 == 0 and both or both:narrow(1, 1, count)
end

-- Paths (P,H,C) on the transformed scale around the mean (1,H,C): whole rows of residuals, so that
-- steps and columns keep their company.
local function direct_paths(self, residuals, mean, paths, stream)
  local horizon = mean:size(2)
  if horizon < residuals:size(2) then residuals = residuals:narrow(2, 1, horizon) end
  return drawn(self, residuals, paths, stream) + mean
end

local function recursive_paths(self, residuals, prepared, origin, horizon, paths, stream)
  residuals = residuals:reshape{ residuals:size(1), residuals:size(3) }
  local origins = {}
  for i = 1, paths do origins[i] = origin end
  return rolling.recursive(self, prepared, origins, horizon, function()
    return drawn(self, residuals, paths, stream)
  end)
end

--- `count` places 0 … size - 1 drawn at random, as int32; the last is drawn four times as often as the
-- first, for the spread of errors may change in time (weights that decay, as in Barber, Candès, Ramdas
-- and Tibshirani, 2023).
function forecast.draw(stream, size, count)
  local list = stream:uniform{ count }:totable()
  for i, value in ipairs(list) do
    list[i] = math.min(size - 1, math.floor(math.log(1 + 3 * value, 4) * size))
  end
  return ops.tensor(list, { dtype = "int32" })
end

-- Quantiles low and high of paths (P,H,C) for each step and column.
local function bounds(paths, level)
  local rows = paths:totable()
  local low, high = {}, {}
  for h = 1, #rows[1] do
    low[h], high[h] = {}, {}
    for c = 1, #rows[1][1] do
      local values = {}
      for p = 1, #rows do values[p] = rows[p][h][c] end
      table.sort(values)
      low[h][c] = scalers.quantile(values, (1 - level) / 2)
      high[h][c] = scalers.quantile(values, (1 + level) / 2)
    end
  end
  return low, high
end

-- By the network's own quantiles; crossing ones are put in order (Chernozhukov et al., 2010).
local function quantile_bounds(self, prepared, origins, level)
  local places = {}
  for _, wanted in ipairs{ (1 - level) / 2, (1 + level) / 2 } do
    for i, q in ipairs(self.quantiles) do
      if math.abs(q - wanted) < 1e-9 then places[#places + 1] = i end
    end
  end
  if #places < 2 then
    error(("forecast: level %g needs the quantiles %g and %g; the forecaster has %s"):format(level,
      (1 - level) / 2, (1 + level) / 2, table.concat(self.quantiles, ", ")), 0)
  end
  local list = rolling.direct(self, prepared, origins, true)
  for i, p in ipairs(list) do list[i] = rolling.invert(self, prepared, origins, p) end
  local low, high = list[1], list[1]
  for i = 2, #list do low, high = ops.minimum(low, list[i]), ops.maximum(high, list[i]) end
  if places[1] == 1 and places[2] == #list then return low, high end
  low, high = list[places[1]], list[places[2]]
  return ops.minimum(low, high), ops.maximum(low, high)
end

--- Intervals at many origins, from quantiles or by bootstrapping residuals: low and high as lists of N
-- tables of H rows of C numbers.
-- @tparam tensor mean (N,H,C) on the transformed scale
-- @tparam table given `level`, `paths`, `seed`
function forecast.intervals(self, prepared, origins, mean, given)
  if self.quantiles then
    local low, high = quantile_bounds(self, prepared, origins, given.level)
    local horizon = mean:size(2)
    return low:narrow(2, 1, horizon):totable(), high:narrow(2, 1, horizon):totable()
  end
  local low, high = {}, {}
  local stream, residuals = native.new_stream(given.seed, 0), self:residual_tensor()
  for n, origin in ipairs(origins) do
    local repeated, paths = {}
    if self.strategy == "recursive" then
      paths = recursive_paths(self, residuals, prepared, origin, mean:size(2), given.paths, stream)
    else
      paths = direct_paths(self, residuals, mean:narrow(1, n, 1), given.paths, stream)
    end
    for i = 1, given.paths do repeated[i] = origin end
    low[n], high[n] = bounds(rolling.invert(self, prepared, repeated, paths), given.level)
  end
  return low, high
end

--- Checks the options of intervals: `level` (may be nil), `paths`, `seed`.
function forecast.check_paths(who, read)
  if read.level ~= nil then
    if type(read.level) == "number" and read.level >= 1 then
      error(("%s: level is a share between 0 and 1, 0.8 for 80 %%; got %g"):format(who, read.level), 0)
    end
    options.number(who, "level", read.level, 1e-6, 1)
  end
  read.paths = options.integer(who, "paths", read.paths, 2)
  read.seed = options.integer(who, "seed", read.seed, math.mininteger)
end

-- Making ------------------------------------------------------------------------------------------

local function read_options(self, horizon, given)
  local read = options.read("forecast", given, { history = options.optional, known = options.optional,
    level = 0.8, paths = 500, seed = 1 })
  horizon = options.integer("forecast", "horizon", horizon or self.horizon)
  if self.strategy ~= "recursive" and horizon > self.horizon then
    error(("forecast: asked for %d steps, the forecaster has learnt %d; make it with horizon = %d, or "
      .. "with the recursive strategy"):format(horizon, self.horizon, horizon), 0)
  end
  forecast.check_paths("forecast", read)
  return horizon, read
end

local function check_history(self, series)
  series:require_whole("forecast")
  continuation.check_step(self, series, "forecast")
  if self.pipeline.anchored then series = continuation.join(self, series, "forecast") end
  local needed = self.lost + self.lookback
  if series.rows < needed then
    error(("forecast: the history has %d rows, %d are needed (lookback %d, %d for differences)")
      :format(series.rows, needed, self.lookback, self.lost), 0)
  end
  if self.pipeline.anchored then return series end
  return series:slice(series.rows - needed + 1, series.rows)
end

--- See Forecaster:forecast.
function forecast.make(self, horizon, given)
  local read
  horizon, read = read_options(self, horizon, given)
  local history = read.history and Series.of(read.history) or self.history
  local series = check_history(self, history)
  local extra = self.reads_future and self.horizon or self.shift_known and horizon or 0
  local prepared = preparing.table(self, series, extra, read.known)
  local origins = { prepared.rows - 1 }
  local mean = rolling.forecast(self, prepared, origins, horizon)
  local low, high = forecast.intervals(self, prepared, origins, mean, read)
  local result = setmetatable({ names = self.roles.targets, level = read.level,
    mean = rolling.invert(self, prepared, origins, mean):totable()[1], low = low[1], high = high[1],
    rows = horizon, history = history:select(self.roles.targets), scores = self.scores,
    flatters = not self.quantiles and self.residuals_of == "training" }, Forecast)
  result.dates = {}
  for h = 1, horizon do
    result.dates[h] = history.times and history:date(history.rows + h) or ("step %d"):format(h)
  end
  return result
end

--- One column of a forecast as three lists: mean, low, high.
function Forecast:column(name)
  local place
  for c, own in ipairs(self.names) do
    if own == name or c == name then place = c end
  end
  if not place then
    error(("forecast: there is no column %s; there are %s"):format(options.show(name),
      table.concat(self.names, ", ")), 0)
  end
  local lists = { {}, {}, {} }
  for h = 1, self.rows do
    for i, kind in ipairs{ "mean", "low", "high" } do lists[i][h] = self[kind][h][place] end
  end
  return table.unpack(lists)
end

-- What the last season says about step h, beside which a forecast stands.
local function seasonal(self, c, h)
  local history, period = self.history, self.history.period
  local row = history.rows + h - period * ((h + period - 1) // period)
  return row >= 1 and history.columns[c][row] or nil
end

-- How the numbers of column c are shown: so that the ends of the narrowest interval differ in three
-- digits.
local function format_of(self, c)
  local width = math.huge
  for h = 1, self.rows do
    local own = self.high[h][c] - self.low[h][c]
    if own > 0 then width = math.min(width, own) end
  end
  if width == math.huge then return "%.6g" end
  local places = math.max(0, 2 - math.floor(math.log(width, 10)))
  return places <= 8 and ("%%.%df"):format(places) or "%.10g"
end

function Forecast:__tostring()
  local lines = {}
  for c, name in ipairs(self.names) do
    lines[#lines + 1] = ("%-16s %10s %10s %10s %12s"):format(name, "forecast",
      ("low %g%%"):format(100 * self.level), "high", self.history.period > 1 and "last season"
      or "last value")
    local form = format_of(self, c)
    for h = 1, self.rows do
      local before = seasonal(self, c, h)
      lines[#lines + 1] = ("%-16s %10s %10s %10s %12s"):format(self.dates[h],
        form:format(self.mean[h][c]), form:format(self.low[h][c]), form:format(self.high[h][c]),
        before and ("%.6g"):format(before) or "-")
    end
  end
  if self.flatters then
    lines[#lines + 1] = "low and high rest on windows that were learnt from, and may be too near: fit with "
      .. "folds, or a validation part"
  end
  if self.scores then
    lines[#lines + 1] = self.scores:summary()
  else
    lines[#lines + 1] = "not judged yet: forecaster:evaluate(a later part) gives the skill score"
  end
  return table.concat(lines, "\n")
end

return forecast
