--- How far the rows of a series lie apart: months, or seconds; inferred from dates, counted with.
--
-- A frequency is { unit = "month" or "second", count = n, month_end = true or nil }.
-- @module marea.timeseries.frequency
local dates = require "marea.timeseries.dates"

local frequency = {}

local DAY <const> = 86400

-- name → unit, count, steps in a season, what moments are written as
local names = {
  second = { "second", 1, 60, "time" }, minute = { "second", 60, 60, "time" },
  hour = { "second", 3600, 24, "time" }, day = { "second", DAY, 7, "day" },
  week = { "second", 7 * DAY, 52, "day" }, month = { "month", 1, 12, "month" },
  quarter = { "month", 3, 4, "quarter" }, year = { "month", 12, 1, "year" },
}
local by_size = { "year", "quarter", "month", "week", "day", "hour", "minute", "second" }

--- A frequency from its name: "month", "15 minutes", "2 weeks" …
-- @raise for a name that is unknown, listing those there are
function frequency.parse(text)
  if type(text) == "table" and text.unit then return text end
  local count, name = tostring(text):match("^(%d*)%s*(%a+)$")
  name = name and (names[name] and name or name:match("^(.-)s$"))
  local known = name and names[name]
  local times = count == "" and 1 or math.tointeger(tonumber(count))
  if not known or not times or times < 1 then
    error(('frequency: %q is unknown; there are %s, also as "15 minutes"'):format(tostring(text),
      table.concat(by_size, ", ")), 0)
  end
  return { unit = known[1], count = known[2] * times }
end

-- The largest named unit that fits a whole number of times.
local function named(freq)
  for _, name in ipairs(by_size) do
    local unit = names[name]
    if unit[1] == freq.unit and freq.count % unit[2] == 0 then return name, freq.count // unit[2] end
  end
end

--- "month", "15 minutes".
function frequency.name(freq)
  local name, times = named(freq)
  return times == 1 and name or ("%d %ss"):format(times, name)
end

--- Steps in a season: 12 months, 4 quarters, 24 hours, 7 days, 52 weeks; of n minutes a day's.
function frequency.period(freq)
  local name, times = named(freq)
  if name == "minute" and times > 1 and DAY % freq.count == 0 then return DAY // freq.count end
  if names[name][3] % times == 0 then return names[name][3] // times end
  return 1
end

--- What kind of text its moments are written as.
function frequency.kind(freq)
  return names[(named(freq))][4]
end

local function month_of(time)
  local year, month, day = dates.civil(time // DAY)
  return year * 12 + month - 1, day, time % DAY
end

--- The moment n steps later (n may be negative).
function frequency.add(freq, time, n)
  if freq.unit == "second" then return time + n * freq.count end
  local index, day, rest = month_of(time)
  index = index + n * freq.count
  local year, month = index // 12, index % 12 + 1
  local last = dates.month_length(year, month)
  return dates.days(year, month, freq.month_end and last or math.min(day, last)) * DAY + rest
end

--- The number of steps from one moment to a later one; nil when it is not whole.
function frequency.between(freq, from, to)
  local apart, other
  if freq.unit == "second" then
    apart = to - from
  else
    local first, second = month_of(from), month_of(to)
    apart, other = second - first, true
  end
  if apart % freq.count ~= 0 then return nil end
  local steps = apart // freq.count
  if other and frequency.add(freq, from, steps) ~= to then return nil end
  return steps
end

-- Whether all moments lie on one day of their months (or all on the last), at one time of day; and
-- whether that is the last, which a day 31 always is.
local function monthly(times)
  local _, first, rest = month_of(times[1])
  local same, ends = true, true
  for _, time in ipairs(times) do
    local index, day, seconds = month_of(time)
    same = same and day == first
    ends = ends and day == dates.month_length(index // 12, index % 12 + 1)
    if seconds ~= rest or not (same or ends) then return false end
  end
  return same or ends, ends and (not same or first == 31) or nil
end

--- A frequency as moments follow it: months whose moments lie on last days stay on them.
-- @tparam table freq
-- @tparam {integer,...} times sorted moments
-- @treturn table the frequency
-- @treturn integer|nil the place (from 2) of the first moment that is no whole number of steps after
-- the one before it
function frequency.fit(freq, times)
  if freq.unit == "month" and select(2, monthly(times)) then
    freq = { unit = "month", count = freq.count, month_end = true }
  end
  for i = 2, #times do
    if not frequency.between(freq, times[i - 1], times[i]) then return freq, i end
  end
  return freq
end

-- The difference that occurs most often (the smaller one of equals).
local function commonest(values)
  local counts, best = {}, nil
  for i = 2, #values do
    local apart = values[i] - values[i - 1]
    counts[apart] = (counts[apart] or 0) + 1
  end
  for apart, count in pairs(counts) do
    if not best or count > counts[best] or count == counts[best] and apart < best then best = apart end
  end
  return best
end

--- The frequency of sorted moments: the most common distance, of which the others must be multiples.
-- @treturn table|nil nil when there are fewer than two moments or no such distance
-- @treturn integer the place (from 2) of the first moment that does not fit
function frequency.infer(times)
  if #times < 2 then return nil end
  local by_month, month_end = monthly(times)
  local freq
  if by_month then
    local indices = {}
    for i, time in ipairs(times) do indices[i] = month_of(time) end
    freq = { unit = "month", count = commonest(indices), month_end = month_end }
  else
    freq = { unit = "second", count = commonest(times) }
  end
  if freq.count < 1 then return nil, 2 end
  local fitted, misfit = frequency.fit(freq, times)
  if misfit then return nil, misfit end
  return fitted
end

return frequency
