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

-- A frequency as an axis of whole numbers: seconds, or months.
local function place_of(time, unit)
  if unit == "second" then return time end
  local year, month = dates.civil(time // DAY)
  return year * 12 + month
end

-- How many of the series' own steps a long step holds when none is missing; nil where that is unknown.
local function expected(series, start, freq)
  local own = series.frequency
  if not own or own.unit == "month" and freq.unit ~= "month" then return nil end
  local origin = place_of(series.times[1], own.unit)
  local function before(time) return (place_of(time, own.unit) - 1 - origin) // own.count end
  return before(frequency.add(freq, start, 1)) - before(start)
end

local function length(freq)
  return frequency.add({ unit = freq.unit, count = freq.count }, 0, 1)
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

-- Notes the columns of a step that hold fewer values than it has steps; true when there is any.
local function note(report, series, bin, whole, kind)
  if not whole then return false end
  local date, partial = dates.format(bin.start, kind), #bin.rows < whole
  if partial then
    table.insert(report.partial, { date = date, rows = #bin.rows, expected = whole })
  end
  for d, list in ipairs(bin.values) do
    if #list < #bin.rows then
      partial = true
      table.insert(report.partial, { date = date, rows = #list, expected = whole,
        column = series.names[d] })
    end
  end
  return partial
end

local function check(series, step, how, given)
  local read = options.read("resample", given, { partial = "keep" })
  options.choice("resample", "partial", read.partial, { "keep", "drop", "missing" })
  read.fold = folds[options.choice("resample", "how", how,
    { "sum", "mean", "min", "max", "first", "last" })]
  if not series.times then error("resample: the series has no dates", 0) end
  read.frequency = frequency.parse(step)
  if series.frequency and length(read.frequency) < length(series.frequency) then
    error(("resample: %s is shorter than the series' own step, %s"):format(step,
      frequency.name(series.frequency)), 0)
  end
  return read
end

--- Rows gathered into longer steps.
--
-- Missing values and missing rows are left out of sums, means …; a step without any value is missing.
-- @tparam Series series with dates
-- @tparam string step "day", "month", "6 hours" … longer than the series' own
-- @tparam string how "sum", "mean", "min", "max", "first" or "last"
-- @tparam[opt] table given `partial`: what becomes of steps with fewer values than they have steps of
-- the series: "keep" (default), "drop" (those at the ends), or "missing" (they have no value)
-- @treturn Series its dates are the steps' beginnings
-- @treturn table report { partial = list of { date, rows, expected }, and { date, rows = values,
-- expected, column } where values of a column are missing }
function resampling.resample(series, step, how, given)
  local read = check(series, step, how, given)
  local freq, report = read.frequency, { partial = {} }
  local kind, bins = frequency.kind(freq), gather(series, freq)
  local columns, times = {}, {}
  for d = 1, #series.columns do columns[d] = {} end
  for i, bin in ipairs(bins) do
    local whole = expected(series, bin.start, freq)
    bin.values = {}
    for d, column in ipairs(series.columns) do bin.values[d] = values_of(column, bin.rows) end
    local partial = note(report, series, bin, whole, kind)
    if not (partial and read.partial == "drop" and (i == 1 or i == #bins)) then
      times[#times + 1] = bin.start
      for d, list in ipairs(bin.values) do
        local kept = #list > 0 and (read.partial ~= "missing" or not whole or #list == whole)
        columns[d][#times] = kept and read.fold(list) or 0 / 0
      end
    end
  end
  if #times == 0 then error("resample: the series has no whole " .. step, 0) end
  local result = series:with{ columns = columns, times = times, rows = #times, frequency = freq,
    kind = kind, period = frequency.period(freq), first = 1 }
  result.root = nil
  return result, report
end

return resampling
