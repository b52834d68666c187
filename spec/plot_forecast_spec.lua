-- plot.forecast: a forecast behind its history.
local gnuplot = require "marea.plot.gnuplot"
local marea = require "marea"
require "spec.helper" -- its assertions
local plot, timeseries = marea.plot, marea.timeseries

-- What Forecaster:forecast returns, with numbers that are known.
local function made(names)
  local forecaster = timeseries.Forecaster{ lookback = 2, horizon = 3, model = function(info)
    return marea.Sequential{ marea.nn.Flatten{}, marea.nn.Dense{ info.outputs } }
  end, seed = 1 }
  local rows = {}
  for t = 1, 24 do rows[t] = #names == 1 and { t % 5 } or { t % 5, 100 + t % 7 } end
  local series = timeseries.Series{ rows, names = names, start = "2020-01", frequency = "month" }
  forecaster:fit(series, { epochs = 1 })
  local forecast = forecaster:forecast(3)
  for h = 1, 3 do
    for c = 1, #names do
      local level = c == 1 and 2 or 103
      forecast.mean[h][c], forecast.low[h][c], forecast.high[h][c] = level, level - h, level + h
    end
  end
  return series, forecast
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

-- The text of gnuplot's input, and the path; nothing is drawn.
local function drawn(f)
  local draw, seen = gnuplot.draw, nil
  gnuplot.draw = function(path, lines)
    seen = { path = path, text = table.concat(lines, "\n") }
    return true
  end
  local ok, message = pcall(f)
  gnuplot.draw = draw
  assert(ok, message)
  return seen
end

-- The data of block number n as rows of numbers.
local function block(text, n)
  local rows, place = {}, 0
  for body in text:gmatch("<<%s*[%w_]+\n(.-)\n[%w_]+\n") do
    place = place + 1
    if place == n then
      for line in body:gmatch("[^\n]+") do
        local row = {}
        for number in line:gmatch("%S+") do row[#row + 1] = tonumber(number) end
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

describe("plot.forecast", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function()
    for _, ending in ipairs{ "", ".png", ".svg" } do os.remove(path .. ending) end
  end)

  it("draws a forecast where its dates are", function()
    local series, forecast = made{ "ventas" }
    local rows = {}
    for t = 1, 30 do rows[t] = t % 5 end
    local longer = timeseries.Series{ rows, names = { "ventas" }, start = "2020-01", frequency = "month" }
    local function check(history, given, known, actual)
      given.path = path .. ".png"
      local text = drawn(function() assert(plot.forecast(history, forecast, given)) end).text
      local band = block(text, 1)
      for h = 1, 3 do assert.is_true(math.abs(band[h][1] - (2022 + (h - 1) / 12)) < 0.01) end
      assert.are.equal(known, #block(text, 2))
      local third = block(text, 3)
      assert.are.equal(actual, #third)
      assert.is_true(math.abs(third[1][1] - 2022) < 0.01, third[1][1])
    end
    check(series, {}, 24, 3) -- the third block is the forecast itself
    check(longer, {}, 24, 3) -- or what came
    check(longer, { last = 6 }, 6, 3)
    check(series, { actual = longer:slice(25) }, 24, 3)
    check(series:slice(1, 20), { actual = longer:slice(25, 26) }, 20, 2)
    -- Without dates a longer history tells by its rows, and a shorter one is drawn up to the forecast.
    local plain = timeseries.Series{ rows, names = { "ventas" } }
    local forecaster = timeseries.Forecaster{ lookback = 2, horizon = 3, seed = 1, model = function(info)
      return marea.Sequential{ marea.nn.Flatten{}, marea.nn.Dense{ info.outputs } }
    end }
    forecaster:fit(plain:slice(1, 24), { epochs = 1 })
    forecast = forecaster:forecast()
    for _, case in ipairs{ { plain, 25 }, { plain:slice(1, 24), 25 },
      { timeseries.Series{ { 1, 2, 3 }, names = { "ventas" } }, 4 } } do
      local text = drawn(function() assert(plot.forecast(case[1], forecast, { path = path .. ".png" })) end).text
      assert.are.equal(case[2], block(text, 1)[1][1])
    end
  end)

  it("draws history, forecast and interval in the terminal", function()
    local series, forecast = made{ "ventas" }
    local text = plot.forecast(series, forecast, { title = "año y ñandú", width = 40, height = 10 })
    local lines = lines_of(text)
    assert.are.equal("año y ñandú", lines[1])
    -- The axis goes from the least bound to the greatest value or bound, and over the years.
    assert.is_truthy(text:find("       -1 │", 1, true), text)
    assert.is_truthy(text:find("        5 │", 1, true), text)
    assert.is_truthy(text:find("2020", 1, true), text)
    assert.are_not.equal(text, plot.forecast(series, forecast, { title = "año y ñandú", width = 40,
      height = 10, last = 6 }))
  end)

  it("shows what came, and another column by name or number", function()
    local series, forecast = made{ "a", "b" }
    local wide = { width = 40, height = 10 }
    local first = plot.forecast(series, forecast, wide)
    wide.column = "b"
    local second = plot.forecast(series, forecast, wide)
    assert.is_truthy(second:find("106 │", 1, true), second)
    assert.is_falsy(first:find("106 │", 1, true))
    wide.column = 2
    assert.are.equal(second, plot.forecast(series, forecast, wide))
    local came = timeseries.Series{ { { 0, 140 }, { 0, 140 }, { 0, 140 }, { 0, 999 } },
      names = { "a", "b" } }
    wide.actual = came -- longer than the forecast: its fourth row is not shown
    local third = plot.forecast(series, forecast, wide)
    assert.is_truthy(third:find("140 │", 1, true), third)
    assert.is_falsy(third:find("999", 1, true))
  end)

  it("hands gnuplot the right numbers", function()
    local series, forecast = made{ "ventas" }
    local came = timeseries.Series{ { 7, 8, 9 }, names = { "ventas" } }
    local seen = drawn(function()
      assert.is_true(plot.forecast(series, forecast, { path = "x.svg", last = 4, actual = came }))
    end)
    assert.are.equal("x.svg", seen.path)
    for _, part in ipairs{ "interval", "known", "what came", "forecast" } do
      assert.is_truthy(seen.text:find(part, 1, true), part)
    end
    local band, known, actual, mean = block(seen.text, 1), block(seen.text, 2), block(seen.text, 3),
      block(seen.text, 4)
    assert.are.same({ 3, 4, 3, 3 }, { #band, #known, #actual, #mean })
    for h = 1, 3 do
      local x = 2022 + (h - 1) / 12 -- 2022-01 … 2022-03
      for _, rows in ipairs{ band, actual, mean } do assert.is_true(math.abs(rows[h][1] - x) < 0.01) end
      assert.are.same({ 2 - h, 2 + h, 6 + h, 2 }, { band[h][2], band[h][3], actual[h][2], mean[h][2] })
    end
    for i = 1, 4 do assert.are.equal((20 + i) % 5, known[i][2]) end
  end)

  it("counts rows where there are no dates", function()
    local series, forecast = made{ "ventas" }
    local plain = timeseries.Series{ series:column(1), names = { "ventas" } }
    local seen = drawn(function() plot.forecast(plain, forecast, { path = "x.png" }) end)
    assert.are.equal(1, block(seen.text, 2)[1][1])
    assert.are.equal(25, block(seen.text, 3)[1][1])
  end)

  it("writes PNG and SVG files", function()
    if not gnuplot.installed() then return pending("gnuplot (package gnuplot-nox) is missing") end
    local series, forecast = made{ "ventas" }
    assert.is_true(plot.forecast(series, forecast, { path = path .. ".png" }))
    assert.is_true(plot.forecast(series, forecast, { path = path .. ".svg", title = "ñ" }))
    local file <close> = assert(io.open(path .. ".svg"))
    assert.is_truthy(file:read("a"):find("80% interval", 1, true))
    local ok, message = plot.forecast(series, forecast, { path = "/nowhere/a.png" })
    assert.is_nil(ok)
    assert.is_truthy(message:find("/nowhere/a.png", 1, true))
  end)

  it("says what does not fit", function()
    local series, forecast = made{ "ventas" }
    assert.fails('forecast: there is no column string "profit"; there are ventas', plot.forecast, series,
      forecast, { column = "profit" })
    assert.fails("last must be a positive whole number", plot.forecast, series, forecast, { last = 0 })
    assert.fails("forecast: title must be a string", plot.forecast, series, forecast, { title = 3 })
    assert.fails("unknown option", plot.forecast, series, forecast, { colour = "red" })
    local other = timeseries.Series{ { 1, 2 }, names = { "x" } }
    assert.fails("there is no column", plot.forecast, other, forecast)
    assert.fails("there is no column", plot.forecast, series, forecast, { actual = other })
  end)
end)
