--- Histories of forecasters whose base runs from the training part's first row on: what is given is
-- put behind the rows of the training part that came before it.
-- @module marea.timeseries.continuation
local frequency = require "marea.timeseries.frequency"

local continuation = {}

local function refuse(who, message, ...)
  error(who .. ": " .. message:format(...), 0)
end

-- The place of a dated series' first row, counted from the training part's first; it must follow
-- without a hole.
local function place_by_date(past, series, who)
  local first = series.times[1]
  for row, time in ipairs(past.times) do
    if time == first then return row end
  end
  if past:time(past.rows + 1) == first then return past.rows + 1 end
  for row, time in ipairs(series.times) do
    if time == past.times[1] then return 2 - row end
  end
  if series.times[series.rows] < past.times[1] then
    refuse(who, "the series ends before the training part begins (%s)", past:date(1))
  end
  refuse(who, "the base has seen the rows %s … %s and goes on from there; a series that begins at %s "
    .. "leaves a gap: give it from %s on", past:date(1), past:date(past.rows), series:date(1),
    past:date(past.rows + 1))
end

-- Without dates rows count; that the series is the same one shows where both have values.
local function place_by_row(self, series, who)
  local past = self.history
  local place = series.first - self.fitted.first + 1
  if (rawget(series, "root") or series) == self.fitted.root then return place end
  local shared = math.min(past.rows, place + series.rows - 1)
  if place > past.rows or shared < 1 then
    refuse(who, "without dates the base cannot tell where the series lies; give dates, or the rows "
      .. "from the training part's first one on")
  end
  for _, name in ipairs(self.roles.targets) do
    local own, other = past.columns[past:place(name)], series.columns[series:place(name, who)]
    for row = math.max(1, place), shared do
      if own[row] ~= other[row - place + 1] then
        refuse(who, "without dates rows are counted, and row %d of column %q is not that of the "
          .. "training part; give dates, or the rows from the training part's first one on", row, name)
      end
    end
  end
  return place
end

local function place_of(self, series, who)
  local past = self.history
  if (past.times == nil) ~= (series.times == nil) then
    refuse(who, "%s has dates and %s has none: the base cannot tell where it lies",
      past.times and "the training part" or "the series",
      past.times and "the series" or "the training part")
  end
  local place = past.times and place_by_date(past, series, who) or place_by_row(self, series, who)
  if place + series.rows < 2 then
    refuse(who, "the series ends before the training part begins (%s)", past:date(1))
  elseif past.times and past:time(place + series.rows - 1) ~= series.times[series.rows] then
    refuse(who, "the dates are not as far apart as those of the training part")
  end
  return place
end

--- Raises when a series' dates are not as far apart as those that the forecaster has learnt from.
function continuation.check_step(self, series, who)
  local own, other = self.history.frequency, series.frequency
  if own and other and (own.unit ~= other.unit or own.count ~= other.count) then
    refuse(who, "the dates are not as far apart as those of the training part: %s here, "
      .. "%s there", frequency.name(other), frequency.name(own))
  end
end

--- A series from the training part's first row on.
-- @tparam Forecaster self fitted; `history` is its whole training part
-- @tparam Series part with the rows that it knows before itself
-- @tparam string who for messages
-- @treturn Series the training part's rows before it, and its own
-- @treturn integer how many rows lie before the part's first
-- @raise when rows between the training part and it are missing, or its place cannot be told
function continuation.join(self, part, who)
  local past = self.history
  local longer, before = part:with_context(part.first)
  local place = place_of(self, longer, who)
  local columns, times = {}, longer.times and {}
  local skipped = math.max(0, 1 - place)
  local function append(list, target, source)
    table.move(source, 1, place - 1, 1, target)
    table.move(list, skipped + 1, longer.rows, #target + 1, target)
  end
  for d, name in ipairs(longer.names) do
    columns[d] = {}
    append(longer.columns[d], columns[d], past.columns[past:place(name, who)])
  end
  if times then append(longer.times, times, past.times) end
  local joined = longer:with{ columns = columns, times = times, rows = #columns[1],
    first = self.fitted.first }
  joined.root = nil
  return joined, place - 1 + before
end

return continuation
