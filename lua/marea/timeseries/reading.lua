--- A series from a CSV file with dates.
-- @module marea.timeseries.reading
local dates = require "marea.timeseries.dates"
local frequency = require "marea.timeseries.frequency"
local options = require "marea.nn.options"
local Series = require "marea.timeseries.series"
local tables = require "marea.corpora.tables"

local reading = {}

-- Messages travel as errors with this mark up to read_csv, which returns nil and the message.
local Problem = {}

local function refuse(message, ...)
  error(setmetatable({ text = message:format(...) }, Problem), 0)
end

local declared = { path = options.required, date = options.optional, columns = options.optional,
  header = true, separator = ",", decimal = ".", date_format = options.optional,
  frequency = options.optional, missing = options.optional, sort = false, duplicates = "refuse",
  known = options.optional, period = options.optional }

local joins = {} -- how rows of one date become one: f(list of values)

function joins.first(list) return list[1] end
function joins.last(list) return list[#list] end
function joins.sum(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum
end
function joins.mean(list) return joins.sum(list) / #list end

local function check_type(name, value, expected)
  if value ~= nil and type(value) ~= expected then
    error(("read_csv: %s must be a %s, got %s"):format(name, expected, options.show(value)), 0)
  end
end

local function is_column(value)
  return type(value) == "string" or math.type(value) == "integer"
end

-- A list of the names and numbers of columns; one alone stands for a list of it.
local function column_list(name, value)
  if value == nil then return nil end
  local list = is_column(value) and { value } or value
  if type(list) ~= "table" or #list == 0 then
    error(("read_csv: %s must be a list of names or numbers of columns, got %s"):format(name,
      options.show(value)), 0)
  end
  for _, which in ipairs(list) do
    if not is_column(which) then
      error(("read_csv: %s: a column must be a name or a whole number, got %s"):format(name,
        options.show(which)), 0)
    end
  end
  return list
end

local function check_options(read)
  if type(read.known) == "string" then read.known = { read.known } end
  for name, expected in pairs{ path = "string", date_format = "string", missing = "table",
    known = "table" } do
    check_type(name, read[name], expected)
  end
  if read.date and not is_column(read.date) then
    error("read_csv: date must be the name or number of a column, or false, got "
      .. options.show(read.date), 0)
  end
  read.columns = column_list("columns", read.columns)
  if read.period ~= nil then
    read.period = options.integer("read_csv", "period", read.period)
  end
  options.boolean("read_csv", "header", read.header)
end

local function read_options(given)
  local read = options.read("read_csv", given, declared, { "path" })
  check_options(read)
  -- Whoever says that there is a header may have numbers in it.
  read.sure = type(given) == "table" and given.header ~= nil
  options.choice("read_csv", "duplicates", read.duplicates, { "refuse", "first", "last", "mean", "sum" })
  options.choice("read_csv", "decimal", read.decimal, { ".", "," })
  options.boolean("read_csv", "sort", read.sort)
  read.absent = {}
  for _, text in ipairs(read.missing or { "", "NA", "NaN", "nan", "null", "?", "-" }) do
    read.absent[text] = true
  end
  return read
end

-- Columns ---------------------------------------------------------------------------------------

local function refuse_twin(read, first, second, name)
  refuse('"%s" line 1: the columns %d and %d are both called "%s"; rename one of them, or leave it out '
    .. "with columns = { … }, which takes numbers too", read.path, first, second, name)
end

-- The place of a column by name or number.
local function place_of(read, header, which)
  if math.type(which) == "integer" and which >= 1 and which <= #header then return which end
  local found
  for place, name in ipairs(header) do
    if name == which then
      if found then refuse_twin(read, found, place, name) end
      found = place
    end
  end
  if found then return found end
  refuse('"%s" line 1: there is no column %s; there are %s', read.path, options.show(which),
    table.concat(header, ", "))
end

-- Places of the date (nil: there is none) and of the columns of numbers.
local function choose(read, header)
  local date = read.date
  if date == nil then date = 1 end
  date = date and place_of(read, header, date) or nil
  local places = {}
  if read.columns then
    for i, which in ipairs(read.columns) do places[i] = place_of(read, header, which) end
  else
    for place = 1, #header do
      if place ~= date then places[#places + 1] = place end
    end
  end
  if #places == 0 then refuse('"%s" has no column of numbers', read.path) end
  return date, places
end

-- The names of the columns of numbers: each has one, of its own.
local function names_of(read, header, places)
  local names, seen = {}, {}
  for i, place in ipairs(places) do
    local name = header[place]
    if not name:find("%S") then
      if not read.columns then
        refuse('"%s" line 1: column %d has no name; write one, or say which columns to read with '
          .. "columns = { … }, by their numbers", read.path, place)
      end
      name = "column_" .. place
    end
    if seen[name] == place then
      refuse('"%s": columns has "%s" (column %d) twice', read.path, name, place)
    elseif seen[name] then
      refuse_twin(read, seen[name], place, name)
    end
    names[i], seen[name] = name, place
  end
  return names
end

-- "1.234.567,8" as tonumber reads it; nil when points do not group three digits each.
local function from_comma(text)
  local sign, whole, rest = text:match("^([-+]?)([%d.]*)(.*)$")
  if rest:find(".", 1, true) then return nil end
  if whole:find(".", 1, true) then
    local head, groups = whole:match("^([1-9]%d?%d?)(%..*)$")
    if not head or groups:gsub("%.%d%d%d", "") ~= "" then return nil end
    whole = whole:gsub("%.", "")
  end
  return sign .. whole .. rest:gsub(",", ".")
end

-- A cell as a number, NaN where it is missing; nil when it is neither.
local function to_number(read, cell)
  local text = cell:match("^%s*(.-)%s*$")
  if read.absent[text] then return 0 / 0 end
  if read.decimal == "," then text = from_comma(text) end
  return text and text:find("^[-+]?%.?%d") and not text:find("[xX]") and tonumber(text) or nil
end

local function number_of(read, cell, line, name)
  local value = to_number(read, cell)
  if not value then
    refuse('"%s" line %d, column "%s": "%s" is no number%s', read.path, line, name, cell,
      read.decimal == "," and cell:find(".", 1, true)
      and ' (with decimal = "," points stand between groups of three digits)' or "")
  end
  value = value + 0.0
  if value == math.huge or value == -math.huge then
    refuse('"%s" line %d, column "%s": %s is too large', read.path, line, name, cell)
  end
  return value
end

-- Whether a row has a date where dates stand and numbers where numbers stand: no names of columns.
local function is_data(read, row, date, places)
  if date and not dates.parse(row[date], read.date_format) then return false end
  local numbers = 0
  for _, place in ipairs(places) do
    local value = to_number(read, row[place])
    if not value then return false end
    if value == value then numbers = numbers + 1 end
  end
  return date ~= nil or numbers > 0
end

local function date_of(read, cell, line)
  local time, kind = dates.parse(cell, read.date_format)
  if not time then refuse('"%s" line %d: date "%s": %s', read.path, line, cell, kind) end
  return time, kind
end

-- Rows ------------------------------------------------------------------------------------------

-- The names in the first line, or made up without them.
local function header_of(read, row)
  if read.header then return row end
  local names = {}
  for i = 1, #row do names[i] = #row == 1 and "value" or "value_" .. i end
  return names
end

-- Goes through the file: { names, dated, times, kind, lines, columns }, as the rows stand.
local function read_rows(read)
  local opened, message = tables.csv(read.path, { header = false, separator = read.separator })
  if not opened then refuse("%s", message) end
  local rows <close> = opened
  local data = { times = {}, lines = {}, columns = {} }
  local function next_row()
    local row, problem = rows:next()
    if problem then refuse("%s", problem) end
    return row
  end
  local row = next_row()
  if not row then refuse('"%s" is empty', read.path) end
  local header = header_of(read, row)
  local date, places = choose(read, header)
  if read.header then
    if not read.sure and is_data(read, row, date, places) then
      refuse('"%s" line 1: "%s" are no names of columns but values; header = false reads them (header = '
        .. "true takes them as names)", read.path, table.concat(row, read.separator))
    end
    row = next_row()
  end
  data.dated, data.names = date ~= nil, names_of(read, header, places)
  for i = 1, #places do data.columns[i] = {} end
  while row do
    local n, line = #data.lines + 1, rows:report().line
    data.lines[n] = line
    if date then
      local time, kind = date_of(read, row[date], line)
      data.times[n], data.kind = time, dates.finer(data.kind, kind)
    end
    for i, place in ipairs(places) do
      data.columns[i][n] = number_of(read, row[place], line, data.names[i])
    end
    row = next_row()
  end
  if #data.lines == 0 then refuse('"%s" has no rows', read.path) end
  return data
end

local function reorder(data, order)
  for _, list in ipairs{ data.times, data.lines, table.unpack(data.columns) } do
    local copy = table.move(list, 1, #order, 1, {})
    for i, from in ipairs(order) do list[i] = copy[from] end
  end
end

-- Rows in the order of their dates; refused, or sorted and counted.
local function put_in_order(read, data, report)
  local out_of_order = 0
  for i = 2, #data.times do
    if data.times[i] < data.times[i - 1] then
      out_of_order = out_of_order + 1
      if not read.sort then
        refuse('"%s" line %d: %s comes before %s of line %d: the dates are not sorted; sort = true '
          .. "sorts them", read.path, data.lines[i], dates.format(data.times[i], data.kind),
          dates.format(data.times[i - 1], data.kind), data.lines[i - 1])
      end
    end
  end
  report.out_of_order = out_of_order
  if out_of_order == 0 then return end
  local order = {}
  for i = 1, #data.times do order[i] = i end
  table.sort(order, function(a, b)
    if data.times[a] ~= data.times[b] then return data.times[a] < data.times[b] end
    return a < b
  end)
  reorder(data, order)
end

-- Rows of one date become one, or are refused.
local function join_duplicates(read, data, report)
  local join, kept, i = joins[read.duplicates], 0, 1
  report.duplicates = {}
  while i <= #data.lines do
    local last = i
    while data.times[last + 1] == data.times[i] do last = last + 1 end
    if last > i then
      local note = { date = dates.format(data.times[i], data.kind), lines = table.move(data.lines, i,
        last, 1, {}) }
      report.duplicates[#report.duplicates + 1] = note
      if not join then
        refuse('"%s" lines %s: the date %s is there %d times; duplicates = "first", "last", "mean" or '
          .. '"sum" makes one of them', read.path, table.concat(note.lines, ", "), note.date,
          #note.lines)
      end
    end
    kept = kept + 1
    data.times[kept], data.lines[kept] = data.times[i], data.lines[i]
    for _, column in ipairs(data.columns) do
      column[kept] = last == i and column[i] or join(table.move(column, i, last, 1, {}))
    end
    i = last + 1
  end
  for _, list in ipairs{ data.times, data.lines, table.unpack(data.columns) } do
    for k = #list, kept + 1, -1 do list[k] = nil end
  end
end

-- The frequency: given or inferred; and the holes, with the lines beside them.
local function find_frequency(read, data)
  if not read.frequency then return (frequency.infer(data.times)) end
  local freq, misfit = frequency.fit(frequency.parse(read.frequency), data.times)
  if misfit then
    refuse('"%s" line %d: %s is no whole number of steps (%s) after %s', read.path, data.lines[misfit],
      dates.format(data.times[misfit], data.kind), frequency.name(freq),
      dates.format(data.times[misfit - 1], data.kind))
  end
  return freq
end

local Report = { __name = "marea report" }
Report.__index = Report

function Report.__tostring(report)
  local lines = { ("%s: %d rows"):format(report.path, report.rows) }
  local function add(format, ...) lines[#lines + 1] = "  " .. format:format(...) end
  if report.frequency == nil and report.dated then
    add("the distance between dates is not regular")
  end
  if report.out_of_order > 0 then add("%d dates were out of order; sorted", report.out_of_order) end
  for _, note in ipairs(report.duplicates) do
    add("%s is there %d times (lines %s)", note.date, #note.lines, table.concat(note.lines, ", "))
  end
  for _, gap in ipairs(report.gaps) do
    add("after line %d %d rows are missing: %s%s", gap.line, gap.missing, gap.from,
      gap.missing > 1 and " … " .. gap.to or "")
  end
  for _, cell in ipairs(report.missing) do
    add('line %d, column "%s": missing (%s)', cell.line, cell.column, cell.date)
  end
  return table.concat(lines, "\n")
end

local function finish(read, data, report)
  local freq = data.dated and find_frequency(read, data) or nil
  local series = Series.from_parts{ columns = data.columns, names = data.names, frequency = freq,
    times = data.dated and data.times or nil, kind = data.kind, period = read.period }
  series.known = Series.known_names(read.known, data.names)
  report.rows, report.frequency, report.dated = series.rows, freq and frequency.name(freq), data.dated
  report.gaps = series:gaps()
  for _, gap in ipairs(report.gaps) do gap.line = data.lines[gap.after] end
  report.missing = series:missing()
  for _, cell in ipairs(report.missing) do cell.line = data.lines[cell.row] end
  return series, report
end

--- Reads a table of dates and numbers, plain or gzip.
--
-- Nothing is repaired in silence: rows out of order and dates that are there twice are refused with
-- their lines unless an option says what to do, holes and missing values are reported with their
-- lines and stay holes until `series:fill`.
-- @tparam string|table given the path, or a table with it first and
--
-- - `date`: the column with dates, by name or number (1); false: there is none
-- - `columns`: those with numbers, by name or number (all others); an unnamed one that is chosen by its
--   number is called "column_3" by its place
-- - `header` (true): the first line holds names; unless `header = true` is said, one with a date and
--   numbers is refused
-- - `separator` (","), `decimal` ("."; with "," points may stand between groups of three digits)
-- - `date_format`: %Y %y %m %b %B %d %H %M %S (without it the forms of dates.parse)
-- - `frequency`: "month", "hour", "15 minutes" … (the most common distance)
-- - `missing`: texts of missing values ({ "", "NA", "NaN", "nan", "null", "?", "-" })
-- - `sort` (false): sorts rows that are out of order
-- - `duplicates` ("refuse"): "first", "last", "mean", "sum" of rows with one date
-- - `known`, `period`: as for Series
-- @treturn Series|nil
-- @treturn table|string report { path, rows, frequency, out_of_order, duplicates, gaps, missing },
-- which can be printed; or the message, with path, line and column
function reading.read_csv(given)
  local read = read_options(given)
  local ok, series, report = pcall(function()
    local data = read_rows(read)
    local notes = setmetatable({ path = read.path, out_of_order = 0, duplicates = {} }, Report)
    if data.dated then
      put_in_order(read, data, notes)
      join_duplicates(read, data, notes)
    end
    return finish(read, data, notes)
  end)
  if ok then return series, report end
  if getmetatable(series) == Problem then return nil, series.text end
  error(series, 0)
end

return reading
