--- What Series is made of, checked: columns of numbers, names, dates.
-- @module marea.timeseries.series_input
local dates = require "marea.timeseries.dates"
local frequency = require "marea.timeseries.frequency"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local input = {}

--- D lists of T values, from a tensor (T) or (T,D), a list, or a list of rows.
function input.columns(values)
  if ops.is_tensor(values) then
    local shape = values:shape()
    if #shape == 1 then return { values:totable() } end
    if #shape ~= 2 then
      error(("Series: values are (%s), expected (T) or (T, D)"):format(table.concat(shape, ", ")), 0)
    end
    local columns = {}
    for d = 1, shape[2] do columns[d] = values:select(2, d):totable() end
    return columns
  end
  if type(values) ~= "table" then
    error("Series: values must be a tensor or a table, got " .. options.show(values), 0)
  end
  if type(values[1]) ~= "table" then return { table.move(values, 1, #values, 1, {}) } end
  local columns = {}
  for d = 1, #values[1] do columns[d] = {} end
  for t, row in ipairs(values) do
    if type(row) ~= "table" or #row ~= #columns then
      error(("Series: row %d has %s values, the first one %d"):format(t,
        type(row) == "table" and #row or "no", #columns), 0)
    end
    for d = 1, #columns do columns[d][t] = row[d] end
  end
  return columns
end

--- The number of rows; raises naming column and row of what is no number, or infinite.
function input.check(columns, names)
  local rows = columns[1] and #columns[1] or 0
  if rows == 0 then error("Series: there are no values", 0) end
  for d, column in ipairs(columns) do
    for t = 1, rows do
      local value = column[t]
      if type(value) ~= "number" then
        error(("Series: column %q, row %d: expected a number, got %s"):format(names[d], t,
          options.show(value)), 0)
      end
      if value == math.huge or value == -math.huge then
        error(("Series: column %q, row %d is infinite"):format(names[d], t), 0)
      end
    end
  end
  return rows
end

--- A list of texts; one text alone stands for a list of it.
function input.texts(name, value)
  if type(value) == "string" then return { value } end
  if value ~= nil and type(value) ~= "table" then
    error(("Series: %s must be a list of texts, got %s"):format(name, options.show(value)), 0)
  end
  return value
end

--- `count` different names, those that are not given made up.
function input.names(count, given)
  local names, seen = {}, {}
  for d = 1, count do
    local name = given and given[d]
    names[d] = name or count == 1 and "value" or "value_" .. d
    if type(names[d]) ~= "string" or seen[names[d]] then
      error(("Series: names must be %d different texts, got %s at place %d"):format(count,
        options.show(name), d), 0)
    end
    seen[names[d]] = true
  end
  if given and #given > count then
    error(("Series: %d names for %d columns"):format(#given, count), 0)
  end
  return names
end

--- Moments and their kind from a list of texts, in order.
function input.dates(list, rows, format)
  if #list ~= rows then error(("Series: %d dates for %d rows"):format(#list, rows), 0) end
  local times, kind = {}, nil
  for i, text in ipairs(list) do
    local time, found = dates.parse(tostring(text), format)
    if not time then error(("Series: date %d, %q: %s"):format(i, tostring(text), found), 0) end
    if i > 1 and time <= times[i - 1] then
      error(("Series: date %d, %s, does not come after %s"):format(i, text, list[i - 1]), 0)
    end
    times[i], kind = time, dates.finer(kind, found)
  end
  return times, kind
end

--- The moments of a number of rows from a start on.
function input.regular(start, freq, rows)
  local first, kind = dates.parse(tostring(start))
  if not first then error(("Series: start, %q: %s"):format(tostring(start), kind), 0) end
  local times = {}
  for i = 1, rows do times[i] = frequency.add(freq, first, i - 1) end
  return times
end

--- The frequency that was asked for, as the dates follow it.
function input.fit(freq, times, kind)
  local fitted, misfit = frequency.fit(freq, times)
  if misfit then
    error(("Series: %s is no whole number of steps (%s) after %s%s"):format(
      dates.format(times[misfit], kind), frequency.name(freq), dates.format(times[misfit - 1], kind),
      freq.unit == "month" and "; every month has the days up to 28, and a last one" or ""), 0)
  end
  return fitted
end

--- The shortest form of dates that holds the first one whole: months that begin on a 15th need days.
function input.kind(freq, first)
  for _, kind in ipairs{ frequency.kind(freq), "day" } do
    if dates.parse(dates.format(first, kind)) == first then return kind end
  end
  return "time"
end

return input
