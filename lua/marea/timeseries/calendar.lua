--- What a date says: month, weekday, hour … as numbers for a model. Known for every future date.
-- @module marea.timeseries.calendar
local dates = require "marea.timeseries.dates"
local options = require "marea.nn.options"

local calendar = {}

-- name → number of values, value from 0, names of the values (one-hot)
local features = {
  month = { 12, function(p) return p.month - 1 end, 1 },
  quarter = { 4, function(p) return (p.month - 1) // 3 end, 1 },
  weekday = { 7, function(p) return p.weekday - 1 end, 1 },
  hour = { 24, function(p) return p.hour end, 0 },
  minute = { 60, function(p) return p.minute end, 0 },
  day = { 31, function(p) return p.day - 1 end, 1 },
  yearday = { 366, function(p) return p.yearday - 1 end, 1 },
}
local order = { "day", "hour", "minute", "month", "quarter", "weekday", "yearday" }

--- Checks a list of calendar features.
function calendar.check(who, list, encoding)
  if type(list) ~= "table" or #list == 0 then
    error(("%s: expected a list of calendar features, got %s"):format(who, options.show(list)), 0)
  end
  for _, name in ipairs(list) do options.choice(who, "calendar feature", name, order) end
  options.choice(who, "encoding", encoding, { "cyclic", "one_hot" })
end

--- Columns for moments.
-- @tparam {integer,...} times
-- @tparam {string,...} list of "month", "quarter", "weekday" (1 Monday), "day", "yearday", "hour",
-- "minute"
-- @tparam string encoding "cyclic" (sine and cosine of the angle that the value has in its cycle:
-- December is near January) or "one_hot" (a column for each value)
-- @treturn {table,…} columns
-- @treturn {string,…} their names: "month_sin", "month_cos", or "month_1" …
function calendar.columns(times, list, encoding)
  local columns, names = {}, {}
  for _, name in ipairs(list) do
    local count, value, base = table.unpack(features[name])
    local first = #columns
    for k = 1, encoding == "cyclic" and 2 or count do
      columns[first + k] = {}
      names[first + k] = encoding == "cyclic" and name .. (k == 1 and "_sin" or "_cos")
        or ("%s_%d"):format(name, base + k - 1)
    end
    for t, time in ipairs(times) do
      local v = value(dates.parts(time))
      if encoding == "cyclic" then
        local angle = 2 * math.pi * v / count
        columns[first + 1][t], columns[first + 2][t] = math.sin(angle), math.cos(angle)
      else
        for k = 1, count do columns[first + k][t] = v == k - 1 and 1.0 or 0.0 end
      end
    end
  end
  return columns, names
end

--- A series with calendar columns behind its own, known in advance.
-- @tparam Series series with dates
-- @tparam {string,...} list e.g. { "month", "weekday" }
-- @tparam[opt] table given `encoding` "cyclic" (default) or "one_hot"
-- @treturn Series
function calendar.with_calendar(series, list, given)
  local read = options.read("with_calendar", given, { encoding = "cyclic" })
  calendar.check("with_calendar", list, read.encoding)
  if not series.times then error("with_calendar: the series has no dates", 0) end
  local columns, names = calendar.columns(series.times, list, read.encoding)
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  return series:join(series:with{ columns = columns, names = names, known = known })
end

return calendar
