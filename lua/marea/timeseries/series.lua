--- Series: numbers in rows that follow each other in time, with names and dates.
--
--     local series = assert(timeseries.read_csv("airline-passengers.csv"))
--     print(series)                                  -- 144 rows, 1949-01 … 1960-12, month …
--     local train, test = series:split{ 96, 48 }
--
-- Fields: `values` (tensor (T,D)), `names` (D texts), `dates` (T texts; nil without dates),
-- `frequency` (nil: the distances differ, or there are no dates), `period` (steps in a season),
-- `known` (name → true: columns whose future is known). A missing value is NaN until it is filled.
-- A series is never changed: methods return new ones, and a part knows the series it is from.
-- @classmod marea.timeseries.Series
local dates = require "marea.timeseries.dates"
local frequency = require "marea.timeseries.frequency"
local input = require "marea.timeseries.series_input"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local Series = { __name = "marea series" }
local methods = {}

local function is_missing(value)
  return value ~= value
end

-- Fields that cost time are made when they are asked for.
local lazy = {}

function lazy.values(self)
  return ops.stack(self:tensors(), 2)
end

function lazy.dates(self)
  if not self.times then return nil end
  local list = {}
  for i, time in ipairs(self.times) do list[i] = dates.format(time, self.kind) end
  return list
end

function Series.__index(self, name)
  if methods[name] then return methods[name] end
  local value = lazy[name] and lazy[name](self)
  rawset(self, name, value)
  return value
end

function Series.__len(self)
  return self.rows
end

-- Making ------------------------------------------------------------------------------------------

-- The columns whose future is known, as a set; for the room's own files.
function Series.known_names(list, names)
  local has, known = {}, {}
  for _, name in ipairs(names) do has[name] = true end
  for _, name in ipairs(list or {}) do
    if not has[name] then error(("known: there is no column %q"):format(tostring(name)), 0) end
    known[name] = true
  end
  return known
end

local function construct(fields)
  return setmetatable(fields, Series)
end

--- A series from numbers.
-- @tparam table given
--
-- - `values`: tensor (T) or (T,D), a list of numbers or of rows
-- - `names`: D texts ("value", or "value_1" …)
-- - `dates`: T texts that dates.parse reads (with `date_format`), in order; or `start` and
--   `frequency` ("month", "15 minutes" …); or neither
-- - `known`: names of the columns whose future is known in advance (holidays, prices …)
-- - `period`: steps in a season (by the frequency: 12 months, 24 hours, 7 days …; else 1)
-- @treturn Series
-- @raise naming row and column of what does not fit
function Series.new(given)
  local read = options.read("Series", given, { values = options.required, names = options.optional,
    dates = options.optional, date_format = options.optional, start = options.optional,
    frequency = options.optional, known = options.optional, period = options.optional }, { "values" })
  local columns = input.columns(read.values)
  local names = input.names(#columns, input.texts("names", read.names))
  local rows = input.check(columns, names)
  local freq = read.frequency and frequency.parse(read.frequency)
  local times, kind
  if read.dates then
    times, kind = input.dates(input.texts("dates", read.dates), rows, read.date_format)
    freq = freq and input.fit(freq, times, kind) or frequency.infer(times)
  elseif read.start then
    if not freq then error("Series: start needs a frequency", 0) end
    times = input.regular(read.start, freq, rows)
    kind = input.kind(freq, times[1])
    freq = input.fit(freq, times, kind)
  elseif freq then
    error("Series: frequency needs dates or a start", 0)
  end
  return Series.from_parts{ columns = columns, names = names, times = times, kind = kind,
    frequency = freq, known = Series.known_names(input.texts("known", read.known), names), rows = rows,
    period = read.period and options.integer("Series", "period", read.period) }
end

--- A series from checked parts, for the room's own files.
function Series.from_parts(parts)
  parts.rows = parts.rows or #parts.columns[1]
  parts.known = parts.known or {}
  parts.period = parts.period or parts.frequency and frequency.period(parts.frequency) or 1
  parts.first = parts.first or 1
  return construct(parts)
end

--- A Series as it is; plain values as one without dates.
function Series.of(values)
  if getmetatable(values) == Series then return values end
  return Series.new{ values }
end

-- This series with some fields replaced.
local function with(self, changes)
  local parts = { columns = self.columns, names = self.names, times = self.times, kind = self.kind,
    frequency = self.frequency, known = self.known, period = self.period, rows = self.rows,
    first = self.first, root = rawget(self, "root") }
  for name, value in pairs(changes) do parts[name] = value end
  return construct(parts)
end
methods.with = with

--- The columns as tensors (T), for one tensor of several or for arithmetic.
function methods:tensors()
  local list = {}
  for d, column in ipairs(self.columns) do list[d] = ops.tensor(column) end
  return list
end

-- Asking ------------------------------------------------------------------------------------------

--- The place of a column by its name, or the number itself.
-- @raise listing the columns there are
function methods:place(name, who)
  if math.type(name) == "integer" and self.names[name] then return name end
  for d, known in ipairs(self.names) do
    if known == name then return d end
  end
  error(("%s: there is no column %s; there are %s"):format(who or "series",
    options.show(name), table.concat(self.names, ", ")), 0)
end

--- A column as a list of numbers.
function methods:column(name)
  return table.move(self.columns[self:place(name)], 1, self.rows, 1, {})
end

--- The text of a row's date; beyond the end by the frequency; without dates "row 7".
function methods:date(row)
  if math.type(row) ~= "integer" then
    error("date: expected the number of a row, got " .. options.show(row), 0)
  end
  if not self.times then return "row " .. self.first + row - 1 end
  return dates.format(self:time(row), self.kind)
end

--- The moment of a row, also before the first or after the last one.
-- @raise when the row is outside and there is no frequency
function methods:time(row)
  if not self.times then return nil end
  if self.times[row] then return self.times[row] end
  if not self.frequency then
    error("series: the dates have no common distance, so there are none beyond the last", 0)
  end
  return frequency.add(self.frequency, self.times[self.rows], row - self.rows)
end

--- The row of a date, given as a text; nil and a message when no row has it.
function methods:row(text)
  if type(text) ~= "string" then
    error("row: expected the text of a date, got " .. options.show(text), 0)
  end
  local time, message = dates.parse(text)
  if not time then return nil, ("%q: %s"):format(text, message) end
  for i, own in ipairs(self.times or {}) do
    if own == time then return i end
  end
  return nil, ("no row has the date %s"):format(text)
end

--- Holes: the rows that the frequency asks for and that are not there.
-- @treturn {table,…} { after = row before the hole, missing = number of rows, from, to (texts) }
-- @treturn integer all missing rows
function methods:gaps()
  local list, total = {}, 0
  if not (self.times and self.frequency) then return list, 0 end
  for i = 2, self.rows do
    local apart = frequency.between(self.frequency, self.times[i - 1], self.times[i])
    if apart and apart > 1 then
      total = total + apart - 1
      list[#list + 1] = { after = i - 1, missing = apart - 1,
        from = dates.format(frequency.add(self.frequency, self.times[i - 1], 1), self.kind),
        to = dates.format(frequency.add(self.frequency, self.times[i], -1), self.kind) }
    end
  end
  return list, total
end

--- Missing values: { { row, column, date }, … }, by column.
function methods:missing()
  local list = {}
  for d, column in ipairs(self.columns) do
    for t = 1, self.rows do
      if is_missing(column[t]) then
        list[#list + 1] = { row = t, column = self.names[d], date = self:date(t) }
      end
    end
  end
  return list
end

--- Raises unless the series is regular and whole, as models need it.
function methods:require_whole(who)
  local gaps, rows = self:gaps()
  if rows > 0 then
    error(("%s: the series has holes: %d rows are missing, the first %s; series:fill(\"linear\") or "
      .. "another way closes them"):format(who, rows, gaps[1].from), 0)
  end
  if self.times and not self.frequency and self.rows > 1 then
    error(who .. ": the dates have no common distance; give frequency, or resample", 0)
  end
  local missing = self:missing()
  if #missing > 0 then
    error(("%s: %d values are missing, the first in column %q at %s; series:fill(\"linear\") or "
      .. "another way fills them"):format(who, #missing, missing[1].column, missing[1].date), 0)
  end
end

function Series.__tostring(self)
  local span = self.times and ("%s … %s"):format(self:date(1), self:date(self.rows)) or "no dates"
  local name = self.frequency and frequency.name(self.frequency)
    or self.times and "irregular" or "no frequency"
  local notes = {}
  local _, gaps = self:gaps()
  if gaps > 0 then notes[#notes + 1] = ("%d rows missing in holes"):format(gaps) end
  local missing = #self:missing()
  if missing > 0 then notes[#notes + 1] = ("%d values missing"):format(missing) end
  return ("series of %d rows, %s (%s, season of %d): %s%s"):format(self.rows, span, name, self.period,
    table.concat(self.names, ", "), #notes > 0 and "; " .. table.concat(notes, ", ") or "")
end

-- Parts -------------------------------------------------------------------------------------------

--- Rows first … last as a series that knows where it is from.
function methods:slice(first, last)
  first = options.integer("slice", "first", first)
  last = options.integer("slice", "last", last or self.rows, first)
  if last > self.rows then
    error(("slice: rows %d to %d of a series of %d"):format(first, last, self.rows), 0)
  end
  local columns = {}
  for d, column in ipairs(self.columns) do columns[d] = table.move(column, first, last, 1, {}) end
  return with(self, { columns = columns, rows = last - first + 1, first = self.first + first - 1,
    times = self.times and table.move(self.times, first, last, 1, {}),
    root = rawget(self, "root") or self })
end

--- Some columns, by name, in the order of the list.
function methods:select(names)
  if type(names) ~= "table" then names = { names } end
  local columns, chosen, known = {}, {}, {}
  for i, name in ipairs(names) do
    local place = self:place(name, "select")
    columns[i], chosen[i] = self.columns[place], self.names[place]
    known[chosen[i]] = self.known[chosen[i]]
  end
  local root = rawget(self, "root")
  return with(self, { columns = columns, names = chosen, known = known,
    root = root and root:select(names) })
end

--- Two series of equal dates (or, without dates, lengths) side by side.
-- @raise also when both have a column of one name
function methods:join(other)
  if getmetatable(other) ~= Series then
    error("join: expected a Series, got " .. options.show(other), 0)
  end
  if self.rows ~= other.rows then
    error(("join: %d rows and %d rows"):format(self.rows, other.rows), 0)
  end
  for i = 1, self.times and other.times and self.rows or 0 do
    if self.times[i] ~= other.times[i] then
      error(("join: row %d is of %s here and of %s there"):format(i, self:date(i), other:date(i)), 0)
    end
  end
  local columns, names = { table.unpack(self.columns) }, { table.unpack(self.names) }
  local known = {}
  for name in pairs(self.known) do known[name] = true end
  for name in pairs(other.known) do known[name] = true end
  table.move(other.columns, 1, #other.columns, #columns + 1, columns)
  table.move(other.names, 1, #other.names, #names + 1, names)
  local result = with(self, { columns = columns, names = input.names(#names, names), known = known })
  result.root = nil -- its columns are others
  return result
end

-- Where a part of a split ends: a count or a share (below 1) further on, or before the row of a date.
-- Not rounded, so that rounding one share does not shift those behind it.
local function part_end(self, part, i, before)
  if type(part) == "string" then
    local row, message = self:row(part)
    if not row then error("split: " .. message, 0) end
    return row - 1
  elseif type(part) == "number" and part > 0 and part < 1 then
    return before + self.rows * part
  end
  return before + options.integer("split", ("part %d (rows, a share below 1, or a date)"):format(i), part)
end

-- The last rows of the parts.
local function split_ends(self, given)
  local ends, exact = {}, 0
  for i, part in ipairs(given) do
    exact = part_end(self, part, i, exact)
    ends[i] = math.floor(exact + 0.5)
    if ends[i] > self.rows then
      error(("split: the parts have %d rows, the series %d"):format(ends[i], self.rows), 0)
    elseif ends[i] <= (ends[i - 1] or 0) then
      error(("split: part %d (%s) has no rows"):format(i, tostring(part)), 0)
    end
  end
  if #given == 1 and ends[1] == self.rows then
    error(("split: the one part takes all %d rows, none is left for a second"):format(self.rows), 0)
  end
  if #given == 1 or type(given[#given]) == "string" then ends[#ends + 1] = self.rows end
  return ends
end

--- Parts in the order of time: `train, validation, test = series:split{ 8640, 2880, 2880 }` by rows,
-- `series:split{ 0.7, 0.2 }` by shares, `series:split{ "1957-01" }` by the dates at which later parts
-- begin. A single number has its rest behind it: `train, test = series:split{ 0.8 }`. With several
-- numbers, what is left over behind them belongs to no part.
-- @treturn Series …
-- @raise when a part has no rows, or the parts have more than the series
function methods:split(given)
  if type(given) ~= "table" or #given == 0 then
    error("split: expected a list of rows, shares or dates, got " .. options.show(given), 0)
  end
  local parts, first = {}, 1
  for i, last in ipairs(split_ends(self, given)) do
    parts[i] = self:slice(first, last)
    first = last + 1
  end
  return table.unpack(parts)
end

--- The rows before this part in the series it is from, at most `count`, joined before it.
-- @treturn Series the longer part
-- @treturn integer how many rows were put before
function methods:with_context(count)
  local root = rawget(self, "root")
  local before = root and math.min(count, self.first - root.first) or 0
  if before == 0 then return self, 0 end
  local first = self.first - root.first + 1
  return root:slice(first - before, first + self.rows - 1), before
end

local function forward_to(file, ...)
  for _, name in ipairs{ ... } do
    methods[name] = function(self, ...) return require("marea.timeseries." .. file)[name](self, ...) end
  end
end

forward_to("filling", "fill", "regular")
forward_to("resampling", "resample")
forward_to("calendar", "with_calendar")

Series.methods = methods

return setmetatable(Series, { __call = function(_, given) return Series.new(given) end })
