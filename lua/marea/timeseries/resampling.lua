--- A series of longer steps: sums or means over months, days, hours.
-- @module marea.timeseries.resampling
local dates = require "marea.timeseries.dates"
local frequency = require "marea.timeseries.frequency"
local options = require "marea.nn.options"

local resampling = {}

local DAY <const> = 86400

-- The beginning of the step that a moment lies in. Steps of seconds count from midnight
-- 1970-01-01, weeks from a Monday, months from January of year 0.
local function beginning(time, freq)
  if freq.unit == "second" then
    local origin = freq.count % (7 * DAY) == 0 and -3 * DAY or 0
    return time - (time - origin) % freq.count
  end
  local year, month = dates.civil(time // DAY)
  local index = year * 12 + month - 1
  index = index - index % freq.count
  return dates.days(index // 12, index % 12 + 1, 1) * DAY
end

local folds = {}

function folds.sum(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum
end
function folds.mean(list) return folds.sum(list) / #list end
function folds.min(list)
  local least = list[1]
  for _, value in ipairs(list) do least = math.min(least, value) end
  return least
end
function folds.max(list)
  local most = list[1]
  for _, value in ipairs(list) do most = math.max(most, value) end
  return most
end
function folds.first(list) return list[1] end
function folds.last(list) return list[#list] end

-- How many of its own steps a long step should hold.
local function expected(series, start, freq)
  return series.frequency and frequency.between(series.frequency, beginning(start, series.frequency),
    frequency.add(freq, start, 1))
end

-- Lists of rows by the long steps they lie in, in order; steps without a row have an empty list.
local function gather(series, freq)
  local bins = {}
  for t, time in ipairs(series.times) do
    local start = beginning(time, freq)
    while #bins > 0 and bins[#bins].start < start do
      local following = frequency.add(freq, bins[#bins].start, 1)
      bins[#bins + 1] = { start = following, rows = {} }
    end
    if #bins == 0 then bins[1] = { start = start, rows = {} } end
    table.insert(bins[#bins].rows, t)
  end
  return bins
end

local function values_of(column, rows)
  local list = {}
  for _, t in ipairs(rows) do
    if column[t] == column[t] then list[#list + 1] = column[t] end
  end
  return list
end

--- Rows gathered into longer steps.
-- @tparam Series series with dates
-- @tparam string step "day", "month", "6 hours" … longer than the series' own
-- @tparam string how "sum", "mean", "min", "max", "first" or "last"
-- @tparam[opt] table given `partial` "keep" (default) or "drop": steps at the ends that hold fewer
-- rows than a whole one; inside, missing values are left out of sums and means, and a step without
-- any value is missing
-- @treturn Series its dates are the steps' beginnings
-- @treturn table report { partial = list of { date, rows, expected } }
function resampling.resample(series, step, how, given)
  local read = options.read("resample", given, { partial = "keep" })
  options.choice("resample", "partial", read.partial, { "keep", "drop" })
  local fold = folds[options.choice("resample", "how", how,
    { "sum", "mean", "min", "max", "first", "last" })]
  if not series.times then error("resample: the series has no dates", 0) end
  local freq = frequency.parse(step)
  if series.frequency and frequency.add(freq, 0, 1) < frequency.add(series.frequency, 0, 1) then
    error(("resample: %s is shorter than the series' own step, %s"):format(step,
      frequency.name(series.frequency)), 0)
  end
  local bins, report = gather(series, freq), { partial = {} }
  local columns, times = {}, {}
  for d = 1, #series.columns do columns[d] = {} end
  for i, bin in ipairs(bins) do
    local whole = expected(series, bin.start, freq)
    local partial = whole and #bin.rows < whole
    local kind = frequency.kind(freq)
    if partial then
      table.insert(report.partial, { date = dates.format(bin.start, kind), rows = #bin.rows,
        expected = whole })
    end
    if not (partial and read.partial == "drop" and (i == 1 or i == #bins)) then
      times[#times + 1] = bin.start
      for d, column in ipairs(series.columns) do
        local list = values_of(column, bin.rows)
        columns[d][#times] = #list > 0 and fold(list) or 0 / 0
      end
    end
  end
  if #times == 0 then error("resample: the series has no whole " .. step, 0) end
  local result = series:with{ columns = columns, times = times, rows = #times, frequency = freq,
    kind = frequency.kind(freq), period = frequency.period(freq), first = 1 }
  result.root = nil
  return result, report
end

return resampling
