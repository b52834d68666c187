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

local function read_options(given)
  local read = options.read("read_csv", given, declared, { "path" })
  if type(read.path) ~= "string" then
    error("read_csv: path must be a string, got " .. options.show(read.path), 0)
  end
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

-- The place of a column by name or number.
local function place_of(read, header, which)
  if math.type(which) == "integer" and which >= 1 and which <= #header then return which end
  for place, name in ipairs(header) do
    if name == which then return place end
  end
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

-- A cell as a number; NaN where it is missing.
local function number_of(read, cell, line, name)
  local text = cell:match("^%s*(.-)%s*$")
  if read.absent[text] then return 0 / 0 end
  if read.decimal == "," then text = text:gsub("%.", ""):gsub(",", ".") end
  local value = text:find("^[-+]?%.?%d") and not text:find("[xX]") and tonumber(text)
  if not value then
    refuse('"%s" line %d, column "%s": "%s" is no number', read.path, line, name, cell)
  end
  value = value + 0.0
  if value - value ~= 0 then
    refuse('"%s" line %d, column "%s": %s is too large', read.path, line, name, cell)
  end
  return value
end

local function date_of(read, cell, line)
  local time, kind = dates.parse(cell, read.date_format)
  if not time then refuse('"%s" line %d: date "%s": %s', read.path, line, cell, kind) end
  return time, kind
end

-- Rows ------------------------------------------------------------------------------------------

-- Goes through the file: { header, times, kind, lines, columns }, as the rows stand.
local function read_rows(read)
  local opened, message = tables.csv(read.path, { header = false, separator = read.separator })
  if not opened then refuse("%s", message) end
  local rows <close> = opened
  local data = { times = {}, lines = {}, columns = {} }
  local date, places
  local function next_row()
    local row, problem = rows:next()
    if problem then refuse("%s", problem) end
    return row
  end
  local row = next_row()
  if not row then refuse('"%s" is empty', read.path) end
  data.header = row
  if read.header then
    row = next_row()
  else
    data.header = {}
    for i = 1, #row do data.header[i] = #row == 1 and "value" or "value_" .. i end
  end
  date, places = choose(read, data.header)
  for i = 1, #places do data.columns[i] = {} end
  while row do
    local n, line = #data.lines + 1, rows:report().line
    data.lines[n] = line
    if date then
      local time, kind = date_of(read, row[date], line)
      data.times[n], data.kind = time, data.kind == "time" and "time" or kind
    end
    for i, place in ipairs(places) do
      data.columns[i][n] = number_of(read, row[place], line, data.header[place])
    end
    row = next_row()
  end
  if #data.lines == 0 then refuse('"%s" has no rows', read.path) end
  data.dated, data.names = date ~= nil, {}
  for i, place in ipairs(places) do data.names[i] = data.header[place] end
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
  local freq = read.frequency and frequency.parse(read.frequency)
  if not freq then return (frequency.infer(data.times)) end
  for i = 2, #data.times do
    if not frequency.between(freq, data.times[i - 1], data.times[i]) then
      refuse('"%s" line %d: %s is no whole number of steps (%s) after %s', read.path, data.lines[i],
        dates.format(data.times[i], data.kind), frequency.name(freq),
        dates.format(data.times[i - 1], data.kind))
    end
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
-- - `columns`: those with numbers (all others)
-- - `header` (true), `separator` (","), `decimal` ("."; with "," points group thousands)
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
