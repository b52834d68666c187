-- Series: dates, holes, calendar, longer steps.
require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local timeseries = marea.timeseries
local dates = timeseries.dates

local golden = assert(marea.json.decode(assert(io.open("spec/golden/timeseries.json")):read("a")))

describe("dates", function()
  it("are read as pandas reads them", function()
    for _, case in ipairs(golden.calendar) do
      local time = dates.parse(case[1])
      assert.are.equal(case[9], time, case[1])
      local p = dates.parts(time)
      assert.are.same({ case[2], (p.month + 2) // 3 == case[3], case[4], case[5], case[6], case[7],
        case[8] }, { p.month, true, p.weekday, p.day, p.yearday, p.hour, p.minute })
      assert.are.equal(case[1], dates.format(time, "time"))
    end
  end)

  it("go there and back for every day of 800 years", function()
    local year, month, day = 1599, 12, 31
    for days = dates.days(1600, 1, 1), dates.days(2400, 1, 1) do
      day = day + 1
      if day > dates.month_length(year, month) then
        day, month = 1, month + 1
        if month > 12 then month, year = 1, year + 1 end
      end
      local y, m, d = dates.civil(days)
      if y ~= year or m ~= month or d ~= day then error(("%d: %d-%d-%d"):format(days, y, m, d)) end
    end
  end)

  it("are known in many forms, English and Spanish", function()
    for text, expected in pairs{ ["1949-01"] = "1949-01 month", ["1949"] = "1949 year",
      ["1949-Q3"] = "1949-Q3 quarter", ["1949T2"] = "1949-Q2 quarter", ["1-07"] = "1-07 month",
      ["19490103"] = "1949-01-03 day", ["1949/1/3"] = "1949-01-03 day",
      ["1949-01-03T09:30"] = "1949-01-03 09:30 time",
      ["1949-01-03 09:30:15.250Z"] = "1949-01-03 09:30:15 time",
      ["1949-01-03T00:30:00+01:00"] = "1949-01-02 23:30 time",
      ["January 1949"] = "1949-01 month", ["ene 1949"] = "1949-01 month",
      ["3 de enero de 1949"] = "1949-01-03 day", ["Jan 3, 1949"] = "1949-01-03 day",
      ["1949 DICIEMBRE"] = "1949-12 month", ["sept. 1949"] = "1949-09 month",
      [" 29 febrero 2024 "] = "2024-02-29 day", ["1 Aug 1949"] = "1949-08-01 day" } do
      local time, kind = dates.parse(text)
      assert.are.equal(expected, time and dates.format(time, kind) .. " " .. kind or kind, text)
    end
  end)

  it("take a format", function()
    for _, case in ipairs{ { "03/01/1949", "%d/%m/%Y", "1949-01-03" },
      { "03/ene/49", "%d/%b/%y", "2049-01-03" }, { "3.1.99 7:05", "%d.%m.%y %H:%M", "1999-01-03 07:05" },
      { "enero 1949", "%B %Y", "1949-01" } } do
      local time, kind = dates.parse(case[1], case[2])
      assert.are.equal(case[3], time and dates.format(time, kind) or kind)
    end
  end)

  it("say why they are none", function()
    for text, part in pairs{ ["03/01/1949"] = "date_format", ["1949-13"] = "no month 13",
      ["1949-02-29"] = "no day 29", ["2024-01-01 24:00"] = "no time 24", ["Jan 49"] = "century",
      ["soon"] = "no date", [""] = "no date", ["1949-01-03x"] = "no date", ["12"] = "no date" } do
      local time, message = dates.parse(text)
      assert.is_nil(time, text)
      assert.is_truthy(message:find(part, 1, true), text .. ": " .. message)
    end
    assert.fails("%q is unknown", dates.parse, "1949", "%q")
    assert.fails("no %Y", dates.parse, "1949", "%m")
    local _, message = dates.parse("1949", "%d/%m/%Y")
    assert.is_truthy(message:find('form "%d/%m/%Y"', 1, true))
    _, message = dates.parse("foo 1949", "%b %Y")
    assert.is_truthy(message:find('no month "foo"', 1, true))
  end)
end)

describe("frequencies", function()
  local frequency = timeseries.frequency

  it("are inferred from dates", function()
    for _, case in ipairs{ { { "1949-01", "1949-02", "1949-04" }, "month", 12 },
      { { "2024-01-31", "2024-02-29", "2024-03-31" }, "month", 12 },
      { { "2024-01-15", "2024-04-15", "2024-07-15" }, "quarter", 4 },
      { { "2020", "2021", "2023" }, "year", 1 }, { { "2024-01-01", "2024-01-08" }, "week", 52 },
      { { "2024-02-28", "2024-02-29", "2024-03-01" }, "day", 7 },
      { { "2024-02-28 23:00", "2024-02-29 00:00" }, "hour", 24 },
      { { "2024-02-28 23:45", "2024-02-29 00:00" }, "15 minutes", 96 } } do
      local list = {}
      for i, text in ipairs(case[1]) do list[i] = dates.parse(text) end
      local freq = assert(frequency.infer(list), case[2])
      assert.are.same({ case[2], case[3] }, { frequency.name(freq), frequency.period(freq) })
    end
    assert.is_nil(frequency.infer{ 0, 60, 150, 210, 270 })
    assert.is_nil(frequency.infer{ 0 })
  end)

  it("count over ends of months", function()
    local series = timeseries.Series{ { 1, 2, 3 }, start = "2023-12-31", frequency = "month" }
    assert.are.same({ "2023-12-31", "2024-01-31", "2024-02-29" }, series.dates)
    assert.are.same({ "2024-03-31", 3 }, { series:date(4), series:row("2024-02-29") })
    local ends = timeseries.Series{ { 1, 2 }, dates = { "2023-12-31", "2024-01-31" } }
    assert.are.equal("2024-02-29", ends:date(3))
    assert.are.equal("2023-11-30", ends:date(0))
    local named = timeseries.Series{ { 1, 2, 3 }, dates = { "2024-02-29", "2024-03-31", "2024-05-31" },
      frequency = "month" }
    assert.are.same({ "2024-04-30", "2024-06-30" }, { named:gaps()[1].from, named:date(4) })
    assert.are.equal("2024-04-30", named:regular():date(3))
    local whole = timeseries.Series{ { 1, 2 }, dates = { "2024-01-31", "2024-03-31" },
      frequency = "month" }:regular()
    assert.are.equal("2024-03-31", whole:slice(1, 2):date(3))
    for _, day in ipairs{ 1, 15, 28, 31 } do -- a regular series stays one wherever it is cut
      whole = timeseries.Series{ { 1, 2, 3, 4, 5, 6, 7 }, start = ("2023-10-%02d"):format(day),
        frequency = "month" }
      assert.are.equal(0, select(2, whole:gaps()))
      for last = 1, 6 do assert.are.equal(whole:date(7), whole:slice(1, last):date(7)) end
    end
    assert.fails('"fortnight" is unknown', frequency.parse, "fortnight")
    assert.fails("is unknown", frequency.parse, "0 days")
  end)
end)

describe("a series", function()
  it("holds values, names, dates", function()
    local series = timeseries.Series{ { { 1, 2 }, { 3, 4 }, { 5, 6 } }, names = { "a", "b" },
      start = "2024-01", frequency = "month", known = { "b" } }
    assert.are.same({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, series.values:totable())
    assert.are.same({ 3, 12, "2024-03", "2024-05", true }, { #series, series.period, series:date(3),
      series:date(5), series.known.b })
    assert.are.same({ 2, 4, 6 }, series:column("b"))
    assert.are.same({ { 2 }, { 4 }, { 6 } }, series:select("b").values:totable())
    assert.are.equal("series of 3 rows, 2024-01 … 2024-03 (month, season of 12): a, b", tostring(series))
    assert.are.equal(2, series:row("2024-02"))
    assert.are.equal("row 2", timeseries.Series{ marea.tensor{ 1, 2 } }:date(2))
  end)

  it("is split in time, by rows, shares and dates", function()
    local list = {}
    for t = 1, 24 do list[t] = t end
    local series = timeseries.Series{ list, start = "2024-01", frequency = "month" }
    local function sizes(...)
      local result = {}
      for i, part in ipairs{ ... } do result[i] = part.rows .. " " .. part:date(1) end
      return result
    end
    assert.are.same({ "12 2024-01", "6 2025-01" }, sizes(series:split{ 12, 6 }))
    assert.are.same({ "16 2024-01", "8 2025-05" }, sizes(series:split{ 0.67, 0.33 }))
    assert.are.same({ "3 2024-01", "7 2024-04", "14 2024-11" },
      sizes(series:split{ "2024-04", "2024-11" }))
    local _, test = series:split{ 12, 12 }
    local longer, before = test:with_context(5)
    assert.are.same({ 17, 5, "2024-08" }, { longer.rows, before, longer:date(1) })
    longer, before = test:select("value"):with_context(99)
    assert.are.same({ 24, 12 }, { longer.rows, before })
    -- One number has its rest behind it; of several the rest belongs to none.
    assert.are.same({ "19 2024-01", "5 2025-08" }, sizes(series:split{ 0.8 }))
    assert.are.same({ "20 2024-01", "4 2025-09" }, sizes(series:split{ 20 }))
    assert.are.same({ "14 2024-01", "5 2025-03" }, sizes(series:split{ 0.6, 0.2 }))
    assert.are.same({ "8 2024-01", "8 2024-09", "8 2025-05" }, sizes(series:split{ 1 / 3, 1 / 3, 1 / 3 }))
    assert.are.same({ "1 2024-01", "1 2024-02", "2 2024-03", "1 2024-05" },
      sizes(series:split{ 0.05, 0.05, 0.05, 0.05 }))
    assert.are.same({ "3 2024-01", "6 2024-04" }, sizes(series:split{ "2024-04", 6 }))
    assert.fails("the one part takes all 24 rows, none is left for a second", series.split, series, { 24 })
    assert.fails("part 2 (0.001) has no rows", series.split, series, { 0.5, 0.001 })
    assert.fails("part 1 (2024-01) has no rows", series.split, series, { "2024-01" })
    assert.fails("part 2 (2024-03) has no rows", series.split, series, { "2024-05", "2024-03" })
    assert.fails("the parts have 29 rows, the series 24", series.split, series, { 0.7, 0.5 })
    assert.fails("part 1 (rows, a share below 1, or a date) must be a positive whole number, got number 1.5",
      series.split, series, { 1.5 })
    assert.fails("the parts have 30 rows, the series 24", series.split, series, { 20, 10 })
    assert.fails("no row has the date 2030-01", series.split, series, { "2030-01" })
    assert.fails("expected a list", series.split, series, 3)
    assert.fails("rows 3 to 30 of a series of 24", series.slice, series, 3, 30)
  end)

  it("writes dates that are found again", function()
    local mixed = timeseries.Series{ { 1, 2, 3 }, dates = { "2024", "2024-01-15", "2024-02" } }
    assert.are.same({ "2024-01-01", "2024-01-15", "2024-02-01" }, mixed.dates)
    for start, given in pairs{ ["2024-01"] = "month", ["2024-01-15"] = "month", ["2024-Q2"] = "quarter",
      ["2024-05-01"] = "quarter", ["2024-01-01 06:30"] = "day", ["2024"] = "year",
      ["2024-02-29 00:00"] = "hour" } do
      local series = timeseries.Series{ { 1, 2, 3 }, start = start, frequency = given }
      assert.are.equal(start, series:date(1))
      assert.are.equal(3, series:row(series:date(3)))
    end
  end)

  it("refuses what does not fit", function()
    local Series = timeseries.Series
    for part, given in pairs{ ["no values"] = { {} }, ["row 2 has 1 values"] = { { { 1, 2 }, { 3 } } },
      ['column "value", row 2: expected a number, got string "x"'] = { { 1, "x" } },
      ["row 1 is infinite"] = { { math.huge } }, ["2 dates for 1 rows"] = { { 1 }, dates = { "1", "2" } },
      ["does not come after"] = { { 1, 2 }, dates = { "2024-02", "2024-01" } },
      ["2024-01-02 is no whole number of steps (week) after 2024-01-01"] = { { 1, 2 },
        dates = { "2024-01-01", "2024-01-02" }, frequency = "week" },
      ["2024-03-30 is no whole number of steps (month) after 2024-02-29; every month has the days up to "
        .. "28, and a last one"] = { { 1, 2, 3 }, start = "2024-01-30", frequency = "month" },
      ["start needs a frequency"] = { { 1 }, start = "2024" }, ["frequency needs dates"] = { { 1 },
        frequency = "day" }, ["names must be"] = { { { 1, 2 } }, names = { "a", "a" } },
      ["there is no column"] = { { 1 }, known = { "b" } }, ["expected (T) or (T, D)"] = {
        marea.zeros{ 2, 2, 2 } }, ["must be a tensor or a table"] = { 3 },
      ["names must be a list of texts, got number 3"] = { { 1 }, names = 3 },
      ["dates must be a list of texts, got number 3"] = { { 1 }, dates = 3 },
      ["known must be a list of texts, got boolean true"] = { { 1 }, known = true },
      ["known: there is no column"] = { { 1 }, known = "b" },
      ["2 names for 1 columns"] = { { 1 }, names = { "a", "b" } } } do
      assert.fails(part, Series, given)
    end
    local series = Series{ { 1, 2 } }
    assert.fails("there is no column string \"b\"; there are value", series.select, series, { "b" })
    assert.fails("join: expected a Series, got number 3", series.join, series, 3)
    assert.fails("row: expected the text of a date, got number 3", series.row, series, 3)
    assert.fails('date: expected the number of a row, got string "a"', series.date, series, "a")
    assert.are.same({ { "a" }, true }, { Series{ { 1 }, names = "a", known = "a" }.names,
      Series{ { 1 }, names = "a", known = "a" }.known.a })
    assert.fails("2 rows and 1 rows", series.join, series, Series{ { 1 } })
    local dated = Series{ { 1, 2 }, names = { "a" }, start = "2024", frequency = "year" }
    assert.fails("row 1 is of 2024 here and of 2025 there", dated.join, dated,
      Series{ { 1, 2 }, start = "2025", frequency = "year" })
  end)
end)

describe("filling", function()
  local nan = 0 / 0
  local function series_of(list, given)
    given = given or {}
    given[1] = list
    return timeseries.Series(given)
  end

  it("goes between neighbours or by the last value, as pandas", function()
    support.near(golden.interpolation.linear, series_of{ nan, 2, nan, nan, 8, 9, nan, 7, nan }
      :fill("linear"):column(1), 1e-12)
    local filled, report = series_of{ 2, nan, nan, 8, 9, nan, 7, nan }:fill("previous")
    support.near(golden.interpolation.previous, filled:column(1), 0)
    assert.are.same({ 0, 4 }, { report.rows, report.values })
    assert.are.same({ 1, 0, 3 }, series_of{ 1, nan, 3 }:fill(0):column(1))
  end)

  it("looks a season away", function()
    local filled = series_of({ 1, 2, nan, nan, 5, 6, 7, nan, nan }, { period = 3 }):fill("seasonal")
    assert.are.same({ 1, 2, 6, 4, 5, 6, 7, 5, 6 }, filled:column(1))
    assert.fails('column "value": 1 missing values', function()
      series_of({ 1, nan, 3 }, { period = 2 }):fill("seasonal")
    end)
  end)

  it("closes holes, and says what it cannot do", function()
    local holes = series_of({ 1, 4 }, { dates = { "2024-01", "2024-04" }, frequency = "month" })
    local filled, report = holes:fill("linear")
    assert.are.same({ 1, 2, 3, 4 }, filled:column(1))
    assert.are.same({ "2024-03", 2, 2 }, { filled:date(3), report.rows, report.values })
    assert.fails("have no value to be filled from", function() series_of{ nan, 2 }:fill("previous") end)
    assert.fails("have no value to be filled from", function() series_of{ nan, nan }:fill("linear") end)
    assert.fails('expected "linear"', function() holes:fill("magic") end)
    assert.fails("needs a period", function() series_of{ 1, nan }:fill("seasonal") end)
  end)
end)

describe("longer steps", function()
  local function days(count, f)
    local list = {}
    for t = 0, count - 1 do list[t + 1] = f(t) end
    return list
  end
  local daily = timeseries.Series{ days(100, function(t) return t % 13 end), start = "2023-12-20",
    frequency = "day" }
  local hourly = timeseries.Series{ days(60, function(t) return t end), start = "2024-02-28 05:00",
    frequency = "hour" }

  for _, case in ipairs{ { "month_sum", daily, "month", "sum" }, { "month_mean", daily, "month", "mean" },
    { "week_mean", daily, "week", "mean" }, { "day_sum", hourly, "day", "sum" },
    { "six_hours_max", hourly, "6 hours", "max" } } do
    it("are those of pandas: " .. case[1], function()
      local result = case[2]:resample(case[3], case[4])
      local texts, values = {}, {}
      for i, pair in ipairs(golden.resampling[case[1]]) do texts[i], values[i] = pair[1], pair[2] end
      assert.are.same(texts, result.dates)
      support.near(values, result:column(1), 1e-12)
    end)
  end

  it("know which are not whole", function()
    local _, report = daily:resample("month", "sum")
    assert.are.same({ { date = "2023-12", rows = 12, expected = 31 },
      { date = "2024-03", rows = 28, expected = 31 } }, report.partial)
    local whole = daily:resample("month", "sum", { partial = "drop" })
    assert.are.same({ "2024-01", "2024-02" }, whole.dates)
    -- Missing values make a step as incomplete as missing rows do.
    local rows = {}
    for t = 1, 72 do rows[t] = { t > 27 and t < 49 and 0 / 0 or 1, t == 72 and 0 / 0 or 2 } end
    local hours = timeseries.Series{ rows, start = "2024-01-01", frequency = "hour", names = { "a", "b" } }
    local sums
    sums, report = hours:resample("day", "sum")
    assert.are.same({ { 24, 48 }, { 3, 48 }, { 24, 46 } }, sums.values:totable())
    assert.are.same({ { date = "2024-01-02", rows = 3, expected = 24, column = "a" },
      { date = "2024-01-03", rows = 23, expected = 24, column = "b" } }, report.partial)
    assert.are.same({ "2024-01-01", "2024-01-02" }, hours:resample("day", "sum", { partial = "drop" }).dates)
    local missing = hours:slice(3):resample("day", "sum", { partial = "missing" }):missing()
    local found = {}
    for i, cell in ipairs(missing) do found[i] = cell.column .. " " .. cell.date end
    assert.are.same({ "a 2024-01-01", "a 2024-01-02", "b 2024-01-01", "b 2024-01-03" }, found)
    -- And the last days of months are counted as months are.
    local ends = timeseries.Series{ { 1, 2, 3, 4, 5 }, start = "2020-01-31", frequency = "month" }
    local quarters
    quarters, report = ends:resample("quarter", "sum", { partial = "drop" })
    assert.are.same({ { 6 }, "2020-Q1" }, { quarters:column(1), quarters:date(1) })
    assert.are.same({ { date = "2020-Q2", rows = 2, expected = 3 } }, report.partial)
    assert.are.same({ 1, 2, 3, 4, 5 }, ends:resample("month", "sum"):column(1))
    local weeks = timeseries.Series{ { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, start = "2024-01-03",
      frequency = "week" } -- five Wednesdays, four, and one of four
    _, report = weeks:resample("month", "sum")
    assert.are.same({ { date = "2024-03", rows = 1, expected = 4 } }, report.partial)
    weeks = timeseries.Series{ { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, start = "2024-03-04",
      frequency = "week" } -- four Mondays, five, the first of them the first of April, and one of four
    _, report = weeks:resample("month", "sum")
    assert.are.same({ { date = "2024-05", rows = 1, expected = 4 } }, report.partial)
    assert.fails("partial must be one of keep, drop, missing", daily.resample, daily, "month", "sum",
      { partial = "no" })
    assert.fails("hour is shorter than the series' own step, day", daily.resample, daily, "hour", "sum")
    assert.fails("how must be one of", daily.resample, daily, "month", "median")
    assert.fails("has no dates", function() timeseries.Series{ { 1 } }:resample("day", "sum") end)
  end)
end)

describe("the calendar", function()
  it("gives angles or a column for each value, known in advance", function()
    local series = timeseries.Series{ { 1, 2, 3, 4 }, start = "2024-03-31 22:00", frequency = "hour" }
    local more = series:with_calendar({ "month", "weekday", "hour" })
    assert.are.same({ "value", "month_sin", "month_cos", "weekday_sin", "weekday_cos", "hour_sin",
      "hour_cos" }, more.names)
    local function angle(k, n) return math.sin(2 * math.pi * k / n), math.cos(2 * math.pi * k / n) end
    local m1, m2 = angle(3, 12)
    local w1, w2 = angle(0, 7) -- 2024-04-01 is a Monday
    local h1, h2 = angle(1, 24)
    support.near({ 4, m1, m2, w1, w2, h1, h2 }, more.values:select(1, 4))
    assert.is_true(more.known.hour_cos)
    local hot = series:with_calendar({ "weekday", "quarter" }, { encoding = "one_hot" })
    assert.are.same({ 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0 }, hot.values:select(1, 1):totable())
    assert.are.same({ 4, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0 }, hot.values:select(1, 4):totable())
    assert.are.equal("weekday_1", hot.names[2])
    assert.fails("calendar feature must be one of", series.with_calendar, series, { "moon" })
    assert.fails("has no dates", function() timeseries.Series{ { 1 } }:with_calendar{ "month" } end)
  end)
end)
