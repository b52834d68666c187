--- From a series to what a network reads: transformed columns, known columns, windows.
--
-- The columns of a table are, in this order, the targets, the other columns whose future is not
-- known, and those known in advance (with the calendar's). Rows count from 1 in the series, and `lost`
-- less in the table, because differences use up the first ones.
-- @module marea.timeseries.preparing
local calendar = require "marea.timeseries.calendar"
local frequency = require "marea.timeseries.frequency"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local Series = require "marea.timeseries.series"
local windows = require "marea.timeseries.windows"

local preparing = {}

--- Which columns are what: { targets, others, known } as lists of names.
-- @raise when a target is unknown or known in advance
function preparing.roles(who, series, targets)
  local roles, is_target = { targets = {}, others = {}, known = {} }, {}
  if targets == nil then
    targets = {}
    for _, name in ipairs(series.names) do
      if not series.known[name] then targets[#targets + 1] = name end
    end
  end
  for i, name in ipairs(type(targets) == "table" and targets or { targets }) do
    roles.targets[i] = series.names[series:place(name, who .. ": targets")]
    if series.known[roles.targets[i]] then
      error(("%s: column %q is known in advance and cannot be a target"):format(who, name), 0)
    end
    is_target[roles.targets[i]] = true
  end
  if #roles.targets == 0 then error(who .. ": there is no target", 0) end
  for _, name in ipairs(series.names) do
    if series.known[name] then
      roles.known[#roles.known + 1] = name
    elseif not is_target[name] then
      roles.others[#roles.others + 1] = name
    end
  end
  return roles
end

local function move(list, first, last, result)
  return table.move(list, first, last, #result + 1, result)
end

-- The future of known columns ---------------------------------------------------------------------

local function refuse(self, message, ...)
  error(("%s: known: "):format(self.who) .. message:format(...), 0)
end

-- What was given as a series: { name = list } and, for a single column, its list too.
local function as_future(self, given, extra)
  local names = self.roles.known
  if given == nil then
    error(("%s: the future of column %q is needed for %d rows: give known = a series with it")
      :format(self.who, names[1], extra), 0)
  end
  if getmetatable(given) == Series then return given end
  if type(given) == "table" and given[1] == nil and next(given) ~= nil then
    local rows = {}
    for d, name in ipairs(names) do
      local list = given[name]
      if type(list) ~= "table" then
        refuse(self, "expected a list of the steps to come for column %q, got %s", name,
          options.show(list))
      end
      for t = 1, extra do
        rows[t] = rows[t] or {}
        if list[t] == nil then
          refuse(self, "column %q has %d values, %d are needed", name, #list, extra)
        end
        rows[t][d] = list[t]
      end
    end
    return Series{ rows, names = names }
  end
  if #names == 1 and (type(given) == "table" or ops.is_tensor(given)) then
    local series = Series.of(given)
    if #series.names == 1 then return series:with{ names = names } end
  end
  refuse(self, "expected a Series or { name = list } with the columns %s, got %s",
    table.concat(names, ", "), options.show(given))
end

-- The rows of `future` that hold the steps after a series, by their dates.
local function rows_by_date(self, series, future, extra)
  local a, b = series.frequency, future.frequency
  if a and b and (a.unit ~= b.unit or a.count ~= b.count) then
    refuse(self, "its step is a %s, that of the history a %s", frequency.name(b), frequency.name(a))
  end
  local places, rows = {}, {}
  for row, time in ipairs(future.times) do places[time] = row end
  for k = 1, extra do
    rows[k] = places[series:time(series.rows + k)]
    if not rows[k] then
      refuse(self, "the %d step%s %s … %s %s needed, it holds %s … %s: %s is not there", extra,
        extra == 1 and "" or "s", series:date(series.rows + 1), series:date(series.rows + extra),
        extra == 1 and "is" or "are", future:date(1), future:date(future.rows),
        series:date(series.rows + k))
    end
  end
  return rows
end

-- Without dates the first rows, or those behind the series in what both were cut from.
local function rows_by_place(self, series, future, extra)
  local root, before = rawget(series, "root") or series, 0
  if (rawget(future, "root") or future) == root then
    before = series.first + series.rows - future.first
  end
  if before < 0 then
    refuse(self, "its first row is %d after the one that follows the history", -before)
  elseif future.rows - before < extra then
    error(("%s: known has %d rows%s, %d are needed"):format(self.who, math.max(0, future.rows - before),
      before > 0 and " after the history" or "", extra), 0)
  end
  local rows = {}
  for k = 1, extra do rows[k] = before + k end
  return rows
end

local function rows_ahead(self, series, future, extra)
  if future.times and not series.times then
    refuse(self, "it has dates and the history has none: what follows the history cannot be told")
  end
  return (future.times and rows_by_date or rows_by_place)(self, series, future, extra)
end

-- The known columns over rows first … series.rows + extra, the calendar's included.
local function known_columns(self, series, first, extra, given)
  local result, last = {}, series.rows
  local future, rows
  if extra > 0 and #self.roles.known > 0 then
    future = as_future(self, given, extra)
    rows = rows_ahead(self, series, future, extra)
  end
  for i, name in ipairs(self.roles.known) do
    local column = move(series.columns[series:place(name)], first, last, {})
    if future then
      local ahead = future.columns[future:place(name, self.who .. ": known")]
      for _, row in ipairs(rows) do
        local value = ahead[row]
        if value ~= value then
          refuse(self, "column %q is missing at %s", name, future:date(row))
        end
        column[#column + 1] = value
      end
    end
    result[i] = column
  end
  if self.calendar then
    if not series.times then
      error(self.who .. ": calendar features need dates, the series has none", 0)
    end
    local times = {}
    for row = first, last + extra do times[#times + 1] = series:time(row) end
    for _, column in ipairs((calendar.columns(times, self.calendar, self.encoding))) do
      result[#result + 1] = column
    end
  end
  return result
end

-- Known columns go through their own scaler; the calendar's stay as they are.
local function scale_known(self, columns)
  for i, name in ipairs(self.roles.known) do
    if self.known_pipeline then
      for _, stage in ipairs(self.known_pipeline.stages) do
        columns[i] = stage:apply(columns[i], i, name)
      end
    end
  end
end

--- The table of a series for a forecaster that is fitted.
-- @tparam table self `roles`, `pipeline`, `others_pipeline`, `known_pipeline`, `calendar`,
-- `encoding`, `shift_known`, `lost`, `who`
-- @tparam Series series
-- @tparam[opt=0] integer extra rows beyond the end (columns that are not known are 0 there)
-- @tparam[opt] Series|table future the known columns of these rows: a Series, in which they are found
-- by their dates (without dates they are its first ones), or { name = list }
-- @treturn table { z = tensor (rows - lost + extra, F), trace, series, rows = rows - lost }
function preparing.table(self, series, extra, future)
  extra = extra or 0
  local first, targets = self.lost + 1, series:select(self.roles.targets)
  local trace = self.pipeline:trace(targets)
  local columns = {}
  local function add(list)
    for _, column in ipairs(list) do
      local part = move(column, first, series.rows, {})
      for _ = 1, extra do part[#part + 1] = 0 end
      columns[#columns + 1] = ops.tensor(part)
    end
  end
  add(trace[#trace])
  if #self.roles.others > 0 then
    local others = self.others_pipeline:trace(series:select(self.roles.others))
    add(others[#others])
  end
  local known = known_columns(self, series, first, extra, future)
  scale_known(self, known)
  for _, column in ipairs(known) do
    if self.shift_known then -- a row holds what is known of the next one
      table.remove(column, 1)
      column[#column + 1] = 0
    end
    columns[#columns + 1] = ops.tensor(column)
  end
  return { z = ops.stack(columns, 2), trace = trace, series = series,
    rows = series.rows - self.lost }
end

-- Normalising a window ----------------------------------------------------------------------------

local SMALL <const> = 1e-5 -- keeps a window of equal values from dividing by 0

--- A window's own level, and spread, taken off its unknown columns: "last" subtracts the last value
-- (as NLinear; Zeng et al., 2023), "standard" the mean and divides by the deviation (as reversible
-- instance normalisation; Kim et al., 2022), "none" leaves it.
-- @tparam table self `normalize`, `unknown` (number of unknown columns, which come first)
-- @tparam tensor x (N,L,F)
-- @treturn tensor x alike
-- @treturn table { base, spread }: tensors (N,1,unknown) or nil
function preparing.normalize(self, x)
  if self.normalize == "none" then return x, {} end
  local length, features = x:size(2), x:size(3)
  local values = x:narrow(3, 1, self.unknown)
  local level = {}
  if self.normalize == "last" then
    level.base = values:narrow(2, length, 1)
    values = values - level.base
  else
    level.base = ops.mean(values, 2, true)
    values = values - level.base
    level.spread = ops.sqrt(ops.mean(ops.square(values), 2, true) + SMALL)
    values = values / level.spread
  end
  if features == self.unknown then return values, level end
  return ops.concat({ values, x:narrow(3, self.unknown + 1, features - self.unknown) }, 3), level
end

local function targets_of(tensor, count)
  return tensor:size(3) == count and tensor or tensor:narrow(3, 1, count)
end

--- Targets (N,H,C) on the scale of their windows.
function preparing.to_window(y, level)
  local count = y:size(3)
  if level.base then y = y - targets_of(level.base, count) end
  if level.spread then y = y / targets_of(level.spread, count) end
  return y
end

--- And back.
function preparing.from_window(y, level)
  local count = y:size(3)
  if level.spread then y = y * targets_of(level.spread, count) end
  if level.base then y = y + targets_of(level.base, count) end
  return y
end

-- Windows -----------------------------------------------------------------------------------------

-- One column at a time as samples of their own: (N,L,C + K) → (C N,L,1 + K), column by column.
local function one_by_one(self, x)
  local count, known = #self.roles.targets, x:size(3) - self.unknown
  local list = {}
  for c = 1, count do
    local own = x:narrow(3, c, 1)
    list[c] = known > 0 and ops.concat({ own, x:narrow(3, self.unknown + 1, known) }, 3) or own
  end
  return count == 1 and list[1] or ops.concat(list, 1)
end
preparing.one_by_one = one_by_one

--- What the network reads at the given origins (0-based rows of the table: the last row of input).
-- @treturn tensor (N,L,F), with the future rows (N,L + H,F) when the forecaster reads them
-- @treturn table the windows' levels, for from_window
function preparing.inputs(self, prepared, origins)
  local z = prepared.z
  local x = windows.gather(z, origins, windows.range(1 - self.lookback, self.lookback))
  local level
  x, level = preparing.normalize(self, x)
  if self.reads_future then
    local future = windows.gather(z, origins, windows.range(1, self.horizon))
    local blank = ops.zeros{ #origins, self.horizon, self.unknown }
    local known = z:size(2) - self.unknown
    if known > 0 then
      future = ops.concat({ blank, future:narrow(3, self.unknown + 1, known) }, 3)
    else
      future = blank
    end
    x = ops.concat({ x, future }, 2)
  end
  if self.independent then x = one_by_one(self, x) end
  return x, level
end

--- The transformed targets (N,H,C) that follow the origins.
function preparing.targets(self, prepared, origins, horizon)
  local y = windows.gather(prepared.z, origins, windows.range(1, horizon or self.horizon))
  return targets_of(y, #self.roles.targets)
end

return preparing
