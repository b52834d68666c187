--- Series as columns of plain numbers, and results in the form in which the series came.
-- @module marea.timeseries.columns
local ops = require "marea.ops"
local options = require "marea.nn.options"

local columns = {}

-- Squares of larger numbers, summed up, would overflow.
local LARGEST <const> = 1e150

local function refuse(who, place, value)
  local what = value ~= value and "NaN (a missing value: fill it first)" or options.show(value)
  error(("%s: value %s: expected a finite number (up to 1e150), got %s"):format(who, place, what), 0)
end

-- Checks a column; the place of a value in messages is "t" or "t of column d".
local function check(who, column, d, count)
  for t, value in ipairs(column) do
    if type(value) ~= "number" or value ~= value or math.abs(value) > LARGEST then
      refuse(who, count > 1 and ("%d of column %d"):format(t, d) or tostring(t), value)
    end
  end
end

local function from_rows(who, rows)
  local list = {}
  for d = 1, #rows[1] do list[d] = {} end
  for t, row in ipairs(rows) do
    if type(row) ~= "table" or #row ~= #list then
      error(("%s: row %d has %s values, the first one %d"):format(who, t,
        type(row) == "table" and #row or "no", #list), 0)
    end
    for d, column in ipairs(list) do column[t] = row[d] end
  end
  return list
end

--- The columns of a series.
-- @tparam string who for messages
-- @param values list of T numbers, list of T rows with D numbers, tensor (T) or (T,D), or a Series
-- @treturn {{number,...},...} D lists of T numbers; never the lists that were given
-- @treturn string the form: "list", "rows", "vector" or "matrix"
-- @raise for anything else, rows that are unequally long, no values, and NaN or infinity (place named)
function columns.read(who, values)
  if type(values) == "table" and ops.is_tensor(values.values) then values = values.values end
  local list, form
  if ops.is_tensor(values) then
    if values:rank() ~= 1 and values:rank() ~= 2 then
      error(("%s: values are (%s), expected (T) or (T, D)"):format(who,
        table.concat(values:shape(), ", ")), 0)
    end
    form = values:rank() == 1 and "vector" or "matrix"
    values = values:totable()
  elseif type(values) == "table" then
    form = type(values[1]) == "table" and "rows" or "list"
  else
    error(("%s: values must be a list, tensor or Series, got %s"):format(who,
      options.show(values)), 0)
  end
  if #values == 0 then error(who .. ": there are no values", 0) end
  if type(values[1]) == "table" then
    list = from_rows(who, values)
  else
    list = { table.move(values, 1, #values, 1, {}) }
  end
  for d, column in ipairs(list) do check(who, column, d, #list) end
  return list, form
end

--- As read, where each row stands for one step after the one before it.
-- @raise also for a Series with holes or missing values, or without a common distance
function columns.read_steps(who, values)
  if type(values) == "table" and values.require_whole then values:require_whole(who) end
  return columns.read(who, values)
end

--- Columns in the form in which a series came (see read).
function columns.write(list, form)
  if form == "list" then return list[1] end
  if form == "vector" then return ops.tensor(list[1]) end
  local rows = {}
  for t = 1, #list[1] do
    rows[t] = {}
    for d, column in ipairs(list) do rows[t][d] = column[t] end
  end
  return form == "rows" and rows or ops.tensor(rows)
end

--- The rows first … last of a series, in its own form (a Series keeps its dates).
function columns.slice(values, first, last)
  if ops.is_tensor(values) then return values:narrow(1, first, last - first + 1) end
  if ops.is_tensor(values.values) then return values:slice(first, last) end
  return table.move(values, first, last, 1, {})
end

return columns
