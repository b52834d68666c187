--- Holes and missing values, closed on demand.
-- @module marea.timeseries.filling
local frequency = require "marea.timeseries.frequency"
local options = require "marea.nn.options"

local filling = {}

--- A series with a row for every step of its frequency; the new rows' values are missing.
-- @raise when the dates have no common distance
function filling.regular(series)
  local _, absent = series:gaps()
  if absent == 0 then return series end
  local columns, times, row = {}, {}, 0
  for d = 1, #series.columns do columns[d] = {} end
  for i = 1, series.rows do
    local steps = i == 1 and 1
      or frequency.between(series.frequency, series.times[i - 1], series.times[i])
    for k = 1, steps do
      row = row + 1
      times[row] = k == steps and series.times[i]
        or frequency.add(series.frequency, series.times[i - 1], k)
      for d, column in ipairs(series.columns) do
        columns[d][row] = k == steps and column[i] or 0 / 0
      end
    end
  end
  local result = series:with{ columns = columns, times = times, rows = row }
  result.root = nil
  return result
end

local function is_missing(value)
  return value ~= value
end

-- Each way fills the places of NaN in `x` (T values) from those that are there; it returns how many
-- it could not fill.
local ways = {}

local function next_present(x, from, rows)
  for t = from, rows do
    if not is_missing(x[t]) then return t end
  end
end

-- At the ends, where there is no line, the nearest value.
function ways.linear(x, rows)
  local before, t = nil, 1
  local filled = table.move(x, 1, rows, 1, {})
  while t <= rows do
    if is_missing(x[t]) then
      local after = next_present(x, t, rows)
      if not (before or after) then return x, rows end
      local left, right = x[before or after], x[after or before]
      for k = t, (after or rows + 1) - 1 do
        local share = before and after and (k - before) / (after - before) or 0
        filled[k] = left + share * (right - left)
      end
      t = after or rows + 1
    else
      before, t = t, t + 1
    end
  end
  return filled, 0
end

function ways.previous(x, rows)
  local filled, left = {}, 0
  for t = 1, rows do
    filled[t] = is_missing(x[t]) and t > 1 and filled[t - 1] or x[t]
    if is_missing(filled[t]) then left = left + 1 end
  end
  return filled, left
end

-- The value a season (or several) before, or after, or the mean of the nearest of both sides.
function ways.seasonal(x, rows, period)
  local filled, left = {}, 0
  local function search(t, step)
    t = t + step
    while t >= 1 and t <= rows and is_missing(x[t]) do t = t + step end
    return t >= 1 and t <= rows and x[t] or nil
  end
  for t = 1, rows do
    filled[t] = x[t]
    if is_missing(x[t]) then
      local before, after = search(t, -period), search(t, period)
      if before and after then
        filled[t] = (before + after) / 2
      elseif before or after then
        filled[t] = before or after
      else
        left = left + 1
      end
    end
  end
  return filled, left
end

local function constant(value)
  return function(x, rows)
    local filled = {}
    for t = 1, rows do filled[t] = is_missing(x[t]) and value or x[t] end
    return filled, 0
  end
end

--- Closes holes and fills missing values.
-- @tparam Series series
-- @tparam string|number how "linear" (between neighbours; at the ends the nearest value),
-- "previous", "seasonal" (the mean of the nearest values a whole number of seasons before and after,
-- or the one there is), or a number
-- @tparam[opt] table given `period` for "seasonal" (the series')
-- @treturn Series
-- @treturn table report { rows = new rows, values = filled values, those of new rows too }
-- @raise naming the column when something cannot be filled this way
function filling.fill(series, how, given)
  local read = options.read("fill", given, { period = series.period })
  local period = options.integer("fill", "period", read.period)
  local way = type(how) == "number" and how == how and constant(how) or ways[how]
  if not way then
    error('fill: expected "linear", "previous", "seasonal" or a number, got ' .. options.show(how), 0)
  end
  if how == "seasonal" and period < 2 then
    error("fill: \"seasonal\" needs a period of at least 2; give period", 0)
  end
  local whole = filling.regular(series)
  local report = { rows = whole.rows - series.rows, values = #whole:missing() }
  if report.values == 0 then return whole, report end
  local columns = {}
  for d, column in ipairs(whole.columns) do
    local left
    columns[d], left = way(column, whole.rows, period)
    if left > 0 then
      error(("fill: column %q: %d missing values have no value to be filled from (%s)"):format(
        whole.names[d], left, tostring(how)), 0)
    end
  end
  local result = whole:with{ columns = columns }
  result.root = nil
  return result, report
end

return filling
