-- Simple forecasters and autoregression: against formulas, statsmodels (spec/golden/baselines.json,
-- made by scripts/fixtures/baselines.py), and what must hold for all.
local forecasting = require "spec.support_forecasting"
local helper = require "spec.helper"
local marea = require "marea"
local normal = require "marea.timeseries.normal"
local support = require "spec.support"

local timeseries = marea.timeseries
local baselines = timeseries.baselines
local near, raises = support.near, support.raises
local exact = 1e-12
local nan = 0 / 0

-- One of each kind that fits any series of 30 values above 0.
local function every_kind()
  return { baselines.naive{}, baselines.seasonal_naive{ 4 }, baselines.drift{}, baselines.mean{},
    baselines.simple_exponential_smoothing{}, baselines.holt{}, baselines.holt{ damped = true },
    baselines.holt_winters{ 4 }, baselines.holt_winters{ 4, seasonal = "multiplicative" },
    baselines.holt_winters{ 4, seasonal = "multiplicative", error = "multiplicative" },
    baselines.exponential_smoothing{ 4 }, baselines.autoregression{ 2 }, baselines.autoregression{},
    baselines.autoregression{ 1, differences = 1, seasonal_differences = 1, period = 4 } }
end

describe("simple forecasts", function()
  local y = { 3, 5, 4, 8, 6, 9 }

  it("are the last value, the last season, the line, the mean", function()
    near({ 9, 9, 9 }, baselines.naive{}:fit(y):forecast(3))
    near({ 4 + 4, 6, 9, 8 }, baselines.seasonal_naive{ period = 3 }:fit(y):forecast(4))
    near({ 9 + 1.2, 9 + 2.4 }, baselines.drift{}:fit(y):forecast(2), exact)
    near({ 35 / 6, 35 / 6 }, baselines.mean{}:fit(y):forecast(2), exact)
  end)

  it("have the intervals of the formulas", function()
    local z = 1.2815515655446004
    local function check(model, sigma, spread)
      local mean, low, high = model:fit(y):forecast(5, { level = 0.8 })
      near(sigma, model:parameters().sigma, exact)
      for h = 1, 5 do
        near(mean[h] + z * sigma * spread(h), high[h], 1e-11)
        near(mean[h] - z * sigma * spread(h), low[h], 1e-11)
      end
    end
    check(baselines.naive{}, math.sqrt((4 + 1 + 16 + 4 + 9) / 5), math.sqrt)
    check(baselines.seasonal_naive{ 2 }, math.sqrt((1 + 9 + 4 + 1) / 4), function(h)
      return math.sqrt((h + 1) // 2)
    end)
    check(baselines.drift{}, math.sqrt((34 - 5 * 1.44) / 4), function(h)
      return math.sqrt(h * (1 + h / 5))
    end)
    check(baselines.mean{}, math.sqrt((231 - 35 * 35 / 6) / 5), function()
      return math.sqrt(1 + 1 / 6)
    end)
  end)

  it("take new values in and keep what was estimated", function()
    near({ 2, 2 }, baselines.naive{}:fit(y):update{ 7, 2 }:forecast(2))
    near({ 9, 7, 2 }, baselines.seasonal_naive{ 3 }:fit(y):update{ 7, 2 }:forecast(3))
    near({ 3.2 }, baselines.drift{}:fit(y):update{ 7, 2 }:forecast(1), exact)
    near({ 35 / 6 }, baselines.mean{}:fit(y):update{ 7, 2 }:forecast(1), exact)
  end)
end)

describe("autoregression", function()
  local golden = forecasting.golden()

  it("agrees with statsmodels", function()
    for _, case in ipairs(golden.regression) do
      local model = baselines.autoregression{ case.order, trend = case.trend }
      model:fit(forecasting.series(case.n, 12))
      local found, expected = model:parameters(), {}
      if case.trend ~= "n" then expected[1] = found.constant end
      if case.trend == "ct" then expected[2] = found.slope end
      for _, value in ipairs(found.coefficients) do expected[#expected + 1] = value end
      near(case.parameters, expected, 1e-6)
      near(case.aic, found.aic, 1e-8)
      near(case.bic, found.bic, 1e-8)
      local mean, low, high = model:forecast(8, { level = 0.9 })
      near(case.forecast, mean, 1e-7)
      for h = 1, 8 do
        near(case.spread[h], (high[h] - low[h]) / 2 / normal.quantile(0.95), 1e-7)
      end
    end
  end)

  it("chooses the order as statsmodels does", function()
    for _, case in ipairs(golden.orders) do
      local model = baselines.autoregression{ max_order = case.most, criterion = case.criterion }
      assert.equal(case.order, model:fit(forecasting.series(case.n, 12)):parameters().order)
    end
  end)

  it("finds the rule of a series that has one", function()
    local y = { 1, 2 }
    for t = 3, 40 do y[t] = 1 + 0.5 * y[t - 1] - 0.8 * y[t - 2] + (t % 7 == 0 and 3 or 0) end
    local rest = table.move(y, 33, 40, 1, {})
    local model = baselines.autoregression{ 2 }:fit(table.move(y, 1, 32, 1, {}))
    model:update(rest)
    local found = model:parameters()
    near(found.constant + found.coefficients[1] * y[40] + found.coefficients[2] * y[39],
      model:forecast(1)[1], exact)
  end)

  it("continues lines and seasons through differences", function()
    local line, season = {}, {}
    for t = 1, 20 do line[t], season[t] = 3 + 2 * t, ({ 1, 5, 2, 9 })[(t - 1) % 4 + 1] + t end
    near({ 45, 47, 49 }, baselines.autoregression{ 0, differences = 1 }:fit(line):forecast(3), 1e-9)
    near({ 45, 47, 49 }, baselines.autoregression{ 0, trend = "n", differences = 2 }:fit(line)
      :forecast(3), 1e-9)
    near({ 22, 27, 25, 33 }, baselines.autoregression{ 0, seasonal_differences = 1, period = 4 }
      :fit(season):forecast(4), 1e-9)
    near({ 22, 27, 25, 33, 26 }, baselines.autoregression{ 0, trend = "n", differences = 1,
      seasonal_differences = 1, period = 4 }:fit(season):forecast(5), 1e-9)
    near({ 45, 47 }, baselines.autoregression{ 0, trend = "ct" }:fit(line):forecast(2), 1e-9)
  end)

  it("goes on with new values as if it had known them", function()
    local y = forecasting.series(60, 12)
    local model = baselines.autoregression{ 3, trend = "ct", differences = 1 }
    local ahead = model:fit(y):forecast(3)
    local stepped = model:update{ ahead[1], ahead[2] }:forecast(1)
    near(ahead[3], stepped[1], 1e-10)
  end)

  it("says when it grows without bound", function()
    local y = {}
    for t = 1, 20 do y[t] = 2 ^ t end
    local model = baselines.autoregression{ 1, trend = "n" }:fit(y)
    near(2 ^ 21, model:forecast(1)[1], 1e-6)
    raises(function() model:forecast(3000) end, "autoregression", "not finite", "fewer steps")
  end)

  it("refuses what does not fit", function()
    local y = forecasting.series(20, 4)
    raises(function() baselines.autoregression{ 12 }:fit(y) end, "20 values", "12 lags")
    raises(function() baselines.autoregression{ -1 } end, "order", "at least 0")
    raises(function() baselines.autoregression{ seasonal_differences = 1 } end, "need a period")
    raises(function() baselines.autoregression{ trend = "x" } end, "trend", "n, c, ct")
    raises(function() baselines.autoregression{ criterion = "hq" } end, "criterion", "aic, bic")
    raises(function() baselines.autoregression{ lags = 2 } end, 'unknown option "lags"', "max_order")
  end)
end)

describe("every forecaster", function()
  local y = forecasting.series(36, 4, true)

  it("answers in the form in which the series came, column by column", function()
    local other = forecasting.series(36, 6, true)
    local rows = {}
    for t = 1, #y do rows[t] = { y[t], other[t] } end
    for _, model in ipairs(every_kind()) do
      local first = model:fit(y):forecast(3)
      local second = model:fit(other):forecast(3)
      assert.equal("number", type(first[1]))
      model:fit(rows)
      local both = model:forecast(3)
      for h = 1, 3 do near({ first[h], second[h] }, both[h], exact) end
      assert.equal(2, #model:parameters())
      assert.equal(2, #model:residuals())
      assert.truthy(tostring(model):find("column 2", 1, true))
      local mean, low = model:fit(marea.tensor(rows)):forecast(3, { level = 0.5 })
      assert.same({ 3, 2 }, mean:shape())
      assert.same({ 3, 2 }, low:shape())
      near(marea.tensor(both), mean, 2e-3) -- the series is rounded to floats
      assert.same({ 3 }, model:fit(marea.tensor(y)):forecast(3):shape())
    end
  end)

  it("leaves what it was given as it was, and forecasts twice the same", function()
    for _, model in ipairs(every_kind()) do
      local copy = table.move(y, 1, #y, 1, {})
      model:fit(copy)
      local _, low, high = model:forecast(6, { level = 0.8, paths = 50 })
      local _, low2, high2 = model:forecast(6, { level = 0.8, paths = 50 })
      assert.same(low, low2)
      assert.same(high, high2)
      assert.same(y, copy)
      for h = 1, 6 do assert.is_true(low[h] <= high[h]) end
    end
  end)

  it("draws paths that agree with the formula, by a seed", function()
    local long = forecasting.series(100, 4, true)
    for _, model in ipairs(every_kind()) do
      model:fit(long)
      local given = { level = 0.8, method = "bootstrap", paths = 2000 }
      local mean, low, high = model:forecast(8, given)
      local _, other = model:forecast(8, { level = 0.8, method = "bootstrap", paths = 2000, seed = 2 })
      assert.is_false(low[8] == other[8])
      local ok, _, formula_low, formula_high = pcall(model.forecast, model, 8, { level = 0.8,
        method = "analytic" })
      if ok then
        for h = 1, 8 do
          local width = formula_high[h] - formula_low[h]
          near(1, (high[h] - low[h]) / width, 0.25)
        end
      else
        raises(function() model:forecast(8, { level = 0.8, method = "analytic" }) end, "no formula")
        for h = 1, 8 do assert.is_true(low[h] < mean[h] and mean[h] < high[h]) end
      end
    end
  end)

  it("draws paths that do not drift where the forecast does not", function()
    local rising = {}
    for t = 1, 60 do rising[t] = 3 * t + math.sin(t * t) end
    local mean, low, high = baselines.naive{}:fit(rising):forecast(6, { level = 0.8,
      method = "bootstrap" })
    for h = 1, 6 do
      assert.is_true(low[h] < mean[h] and mean[h] < high[h])
      near(mean[h], (low[h] + high[h]) / 2, 0.02)
    end
  end)

  it("forecasts a constant series by its constant", function()
    local constant = {}
    for t = 1, 30 do constant[t] = 7 end
    for _, model in ipairs(every_kind()) do
      local mean, low, high = model:fit(constant):forecast(9, { level = 0.9, paths = 20 })
      for h = 1, 9 do near({ 7, 7, 7 }, { mean[h], low[h], high[h] }, 1e-6) end
    end
  end)

  it("gives finite numbers for odd series", function()
    local odd = { {}, {}, {}, {} }
    for t = 1, 30 do
      odd[1][t] = t % 9 == 0 and 1e6 or 1e-3
      odd[2][t] = 1e9 + t % 2
      odd[3][t] = 1e-9 * (t % 3 + 1)
      odd[4][t] = 31 - t
    end
    for _, series in ipairs(odd) do
      for _, model in ipairs(every_kind()) do
        local parts = table.pack(model:fit(series):forecast(40, { level = 0.95, paths = 50 }))
        for _, part in ipairs(parts) do
          for _, value in ipairs(part) do
            assert.is_true(value == value and math.abs(value) < math.huge)
          end
        end
      end
    end
  end)

  it("refuses missing values, other forms and use before fit", function()
    for _, model in ipairs(every_kind()) do
      raises(function() model:forecast(1) end, model.who, "forecast before fit")
      raises(function() model:update{ 1 } end, model.who, "update before fit")
      raises(function() model:fit{ 1, 2, nan, 4 } end, model.who, "value 3", "NaN")
      raises(function() model:fit{ { 1, 2 }, { 3, 1 / 0 } } end, "value 2 of column 2", "inf")
      raises(function() model:fit{ 1, "2" } end, "value 2", 'string "2"')
      raises(function() model:fit{ 1, 1e200 } end, "value 2", "1e150")
      raises(function() model:fit{ { 1, 2 }, { 3 } } end, "row 2 has 1 values, the first one 2")
      raises(function() model:fit{} end, "no values")
      raises(function() model:fit(3) end, "list, tensor or Series", "number 3")
      raises(function() model:fit(marea.zeros{ 2, 2, 2 }) end, "(2, 2, 2)", "(T, D)")
      raises(function() model:fit{ 5 } end, model.who, "1 value, expected at least")
      raises(function() model:fit{ { 5, 6 } } end, "(column 1)")
      model:fit(y)
      raises(function() model:update{ { 1, 2 } } end, "2 columns, it was fitted to 1")
      raises(function() model:update{ nan } end, "NaN")
      raises(function() model:forecast(0) end, "positive whole number", "0")
      raises(function() model:forecast(1, { level = 1 }) end, "level", "between 0 and 1")
      raises(function() model:forecast(1, { level = .5, paths = 1 }) end, "paths", "at least 2")
      raises(function() model:forecast(1, { level = .5, method = "guess" }) end, "analytic, bootstrap")
    end
    raises(function() baselines.seasonal_naive{} end, "period is missing")
    raises(function() baselines.seasonal_naive{ 0 } end, "period", "positive whole number")
    raises(function() baselines.seasonal_naive{ 12 }:fit(forecasting.series(12, 4)) end,
      "12 values", "at least 13")
    assert.equal("seasonal naive (period 12)", baselines.seasonal_naive{ 12 }:name())
    assert.equal("naive; not fitted", tostring(baselines.naive{}))
  end)

  it("refuses a series with holes, and new values that leave one", function()
    local series = timeseries.Series{ y, start = "2020-01-31", frequency = "month" }
    local dates, values = series.dates, table.move(y, 1, #y, 1, {})
    for _ = 1, 3 do
      table.remove(dates, 9)
      table.remove(values, 9)
    end
    local holes = timeseries.Series{ values, dates = dates, frequency = "month" }
    local uneven = timeseries.Series{ { 1, 2, 3, 4 }, dates = { "2020-01-01", "2020-01-02",
      "2020-01-04", "2020-01-07" }, names = { "x" } }
    local missing = timeseries.Series{ { 1, 2, nan, 4 }, start = "2020", frequency = "year" }
    local whole, rest = series:split{ 30, 6 }
    for _, model in ipairs(every_kind()) do
      raises(function() model:fit(holes) end, model.who .. ": fit: the series has holes: 3 rows are "
        .. "missing, the first 2020-09-30")
      raises(function() model:fit(uneven:resample("day", "sum")) end, model.who .. ": fit",
        "values are missing", "fill(")
      raises(function() model:fit(missing) end, "1 values are missing", 'column "value" at 2022')
      model:fit(whole)
      raises(function() model:update(holes) end, model.who .. ": update: the series has holes")
      raises(function() model:update(series:slice(33, 36)) end, model.who .. ": update: the values "
        .. "begin at 2022-09-30, those that are known end at 2022-06-30; give them from 2022-07-31 on")
      raises(function()
        model:update(timeseries.Series{ { 1, 2 }, start = "2022-07-31", frequency = "day" })
      end, "update", "not as far apart")
      local before = model:forecast(1):totable()
      raises(function() model:update(series:slice(30, 36)) end, "begin at 2022-06")
      near(before, model:forecast(1), 0)
      model:update{ y[31] }:update(series:slice(32, 34)):update(series:slice(35, 36))
      local expected = model:forecast(4)
      near(model:fit(whole):update(rest):forecast(4), expected, 1e-5)
    end
  end)

  it("leaves nothing behind outside Lua", function()
    helper.leak_check(function()
      baselines.naive{}:fit(marea.tensor(y)):forecast(3, { level = .8, method = "bootstrap" })
    end)
  end)
end)

describe("quantiles of the normal distribution", function()
  it("agree with scipy", function()
    for _, case in ipairs(forecasting.golden().normal) do
      near(case[2], normal.quantile(case[1]), 1e-11)
    end
  end)
end)
