--- Dates of time series: read, computed with, written.
--
-- A moment is a whole number: seconds since 1970-01-01 00:00 of the proleptic Gregorian calendar,
-- without leap seconds and without time zones (a moment with an offset is read as its UTC).
-- @module marea.timeseries.dates
local dates = {}

local DAY <const> = 86400

--- Days since 1970-01-01 (Hinnant, 2013, chrono-compatible algorithms). Any year.
function dates.days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    - 719468
end

--- Year, month and day of a number of days since 1970-01-01.
function dates.civil(days)
  local z = days + 719468
  local era = z // 146097
  local of_era = z - era * 146097
  local year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year + year // 4 - year // 100)
  local shifted = (5 * of_year + 2) // 153
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, of_year - (153 * shifted + 2) // 5 + 1
end

--- How many days a month has.
function dates.month_length(year, month)
  if month == 2 then return (year % 4 == 0 and year % 100 ~= 0 or year % 400 == 0) and 29 or 28 end
  return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
end

--- The parts of a moment.
-- @treturn table { year, month, day, hour, minute, second, weekday (1 Monday … 7 Sunday), yearday }
function dates.parts(moment)
  local days, rest = moment // DAY, moment % DAY
  local year, month, day = dates.civil(days)
  return { year = year, month = month, day = day, hour = rest // 3600, minute = rest // 60 % 60,
    second = rest % 60, weekday = (days + 3) % 7 + 1, yearday = days - dates.days(year, 1, 1) + 1 }
end

-- A moment from parts (the missing ones are the first), or nil and what is out of range.
local function moment(p)
  local month, day = p.month or 1, p.day or 1
  if month < 1 or month > 12 then return nil, ("there is no month %d"):format(month) end
  if day < 1 or day > dates.month_length(p.year, month) then
    return nil, ("month %d of year %d has no day %d"):format(month, p.year, day)
  end
  local hour, minute, second = p.hour or 0, p.minute or 0, p.second or 0
  if hour > 23 or minute > 59 or second > 59 then
    return nil, ("there is no time %02d:%02d:%02d"):format(hour, minute, second)
  end
  return dates.days(p.year, month, day) * DAY + hour * 3600 + minute * 60 + second
end

-- Names of months ---------------------------------------------------------------------------------

local months = {}
for i, names in ipairs{ "january enero jan ene", "february febrero feb", "march marzo mar",
  "april abril apr abr", "may mayo", "june junio jun", "july julio jul",
  "august agosto aug ago", "september septiembre setiembre sep sept set",
  "october octubre oct", "november noviembre nov", "december diciembre dec dic" } do
  for name in names:gmatch("%a+") do months[name] = i end
end

--- The number of a month by its English or Spanish name, whole or short; nil for another word.
function dates.month_by_name(name)
  return months[name:lower()]
end

-- "3 de enero de 1949", "Jan 3, 1949", "January 1949", "1949 ene"
local function parse_named(text)
  local numbers, month = {}, nil
  for word in text:gsub("[.,/-]", " "):gmatch("%S+") do
    local number = word:match("^(%d+)[ºª]?$")
    if number then
      numbers[#numbers + 1] = number
    elseif months[word:lower()] and not month then
      month = months[word:lower()]
    elseif word ~= "de" and word ~= "del" then
      return nil
    end
  end
  if not month or #numbers < 1 or #numbers > 2 then return nil end
  local year, day = numbers[#numbers], numbers[#numbers - 1]
  if #year < 3 and day and #day > 2 then year, day = day, year end
  if #year < 3 then return nil, "the year needs its century, or give date_format with %y" end
  local found, message = moment{ year = math.tointeger(year), month = month,
    day = day and math.tointeger(day) }
  return found, found and (day and "day" or "month") or message
end

-- Numbers -----------------------------------------------------------------------------------------

local function whole(text)
  return text and text ~= "" and math.tointeger(tonumber(text)) or nil
end

-- The clock after a date: "T09:30", " 09:30:15.5", with Z or an offset; seconds to add, or nil.
local function parse_clock(text)
  local hour, minute, rest = text:match("^[T ](%d%d?):(%d%d)(.*)$")
  if not hour then return nil end
  local second, zone = rest:match("^:(%d%d)%.?%d*(.*)$")
  zone = zone or rest
  local shift = 0
  if zone ~= "" and zone ~= "Z" then
    local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
    if not sign then return nil end
    shift = (whole(hours) * 60 + whole(minutes)) * (sign == "+" and -60 or 60)
  end
  return { hour = whole(hour), minute = whole(minute), second = whole(second) or 0 }, shift
end

local function parse_numeric(text)
  local year, month, day, rest = text:match("^(%d%d%d%d)[-/.](%d%d?)[-/.](%d%d?)(.*)$")
  if not year then year, month, day, rest = text:match("^(%d%d%d%d)(%d%d)(%d%d)(.*)$") end
  if year then
    local clock, shift = {}, 0
    if rest ~= "" then
      clock, shift = parse_clock(rest)
      if not clock then return nil end
    end
    clock.year, clock.month, clock.day = whole(year), whole(month), whole(day)
    local found, message = moment(clock)
    return found and found + shift, found and (rest == "" and "day" or "time") or message
  end
  local quarter
  year, quarter = text:match("^(%d%d%d%d)[- ]?[QT]([1-4])$")
  if year then return moment{ year = whole(year), month = 3 * whole(quarter) - 2 }, "quarter" end
  year, month = text:match("^(%d+)[-/](%d%d)$")
  if year and (#year == 4 or #year <= 3) then
    local found, message = moment{ year = whole(year), month = whole(month) }
    return found, found and "month" or message
  end
  year = text:match("^(%d%d%d%d)$")
  if year then return moment{ year = whole(year) }, "year" end
end

-- By a format -------------------------------------------------------------------------------------

local directives = {
  Y = { "(%d%d%d%d)", "year" }, m = { "(%d%d?)", "month" }, d = { "(%d%d?)", "day" },
  H = { "(%d%d?)", "hour" }, M = { "(%d%d)", "minute" }, S = { "(%d%d)", "second" },
  y = { "(%d%d)", "short_year" }, b = { "([%a.]+)", "name" }, B = { "([%a.]+)", "name" },
}
local kinds = { { "hour", "time" }, { "day", "day" }, { "month", "month" } }

-- A date_format as a pattern and the names of its captures; raises for a directive that is unknown.
local function compile(format)
  local fields, kind = {}, "year"
  local pattern = format:gsub("%%?.", function(piece)
    local letter = piece:match("^%%(.)$")
    if not letter then return (piece:gsub("%p", "%%%0")) end
    local directive = directives[letter]
    if not directive then
      error(("date_format: %%%s is unknown; there are %%Y %%y %%m %%b %%B %%d %%H %%M %%S"):format(
        letter), 0)
    end
    fields[#fields + 1] = directive[2]
    return directive[1]
  end)
  local has = {}
  for _, field in ipairs(fields) do has[field == "name" and "month" or field] = true end
  if not (has.year or has.short_year) then error("date_format: there is no %Y or %y in it", 0) end
  for i = #kinds, 1, -1 do
    if has[kinds[i][1]] then kind = kinds[i][2] end
  end
  return "^" .. pattern .. "$", fields, kind
end

local function parse_by(text, format)
  local pattern, fields, kind = compile(format)
  local values = { text:match(pattern) }
  if #values == 0 then return nil, ("is not of the form %q"):format(format) end
  local parts = {}
  for i, field in ipairs(fields) do parts[field] = values[i] end
  local read = {}
  for field, value in pairs(parts) do read[field] = whole(value) end
  if parts.name then
    read.month = dates.month_by_name((parts.name:gsub("%.", "")))
    if not read.month then return nil, ("there is no month %q"):format(parts.name) end
  end
  -- Two digits as POSIX reads them: 69 to 99 are of the last century.
  if read.short_year then read.year = read.short_year + (read.short_year >= 69 and 1900 or 2000) end
  local found, message = moment(read)
  return found, found and kind or message
end

--- Reads a date.
--
-- Known without a format: ISO 8601 ("1949-01-03", "1949-01-03T09:30:15Z", with a blank for the T,
-- "19490103", "1949-01", "1949"), quarters ("1949-Q2"), year-months without a century ("1-01" is
-- month 1 of year 1) and names of months in English and Spanish ("January 1949", "3 de enero de
-- 1949", "Jan 3, 1949"). Numbers such as 03/01/1949, which people read in two ways, need a format.
-- @tparam string text
-- @tparam[opt] string format with %Y %y %m %b %B %d %H %M %S
-- @treturn integer|nil the moment
-- @treturn string its kind ("year", "quarter", "month", "day", "time"), or why it is no date
function dates.parse(text, format)
  text = text:match("^%s*(.-)%s*$")
  if format then return parse_by(text, format) end
  local found, kind = parse_numeric(text)
  if not found and kind == nil and text:find("%a%a") then found, kind = parse_named(text) end
  if not found and kind == nil and text:find("^%d%d?[/.-]%d%d?[/.-]%d+$") then
    kind = 'day or month first? give date_format, as "%d/%m/%Y"'
  end
  return found, kind or "is no date that is known without a date_format"
end

local fineness = { year = 1, quarter = 2, month = 3, day = 4, time = 5 }

--- The kind of two that says more, for texts that must hold both; either may be nil.
function dates.finer(a, b)
  if not (a and b) then return a or b end
  return fineness[a] > fineness[b] and a or b
end

--- The text of a moment, of a kind; what dates.parse reads.
function dates.format(time, kind)
  local p = dates.parts(time)
  local year = p.year >= 1000 and ("%04d"):format(p.year) or tostring(p.year)
  if kind == "year" then return year end
  if kind == "quarter" then return ("%s-Q%d"):format(year, (p.month + 2) // 3) end
  if kind == "month" then return ("%s-%02d"):format(year, p.month) end
  local day = ("%s-%02d-%02d"):format(year, p.month, p.day)
  if kind == "day" then return day end
  if p.second ~= 0 then return ("%s %02d:%02d:%02d"):format(day, p.hour, p.minute, p.second) end
  return ("%s %02d:%02d"):format(day, p.hour, p.minute)
end

return dates
