-- Exponential smoothing: against statsmodels (spec/golden/baselines.json, made by
-- scripts/fixtures/baselines.py) and what must hold.
local forecasting = require "spec.support_forecasting"
local least_squares = require "marea.timeseries.least_squares"
local marea = require "marea"
local smoothing_model = require "marea.timeseries.smoothing_model"
local support = require "spec.support"

local baselines = marea.timeseries.baselines
local near, raises = support.near, support.raises

local function model_of(case)
  if case.seasonal == "none" then
    return case.trend == "none" and baselines.simple_exponential_smoothing{}
      or baselines.holt{ damped = case.damped }
  end
  return baselines.holt_winters{ case.m, trend = case.trend ~= "none", damped = case.damped,
    seasonal = case.seasonal == "mul" and "multiplicative" or "additive" }
end

describe("the recursion of smoothing", function()
  it("with given parameters and states agrees with statsmodels", function()
    for _, case in ipairs(forecasting.golden().filtered) do
      local state = { alpha = .4, beta = .1, gamma = .2, phi = case.damped and .9 or 1, level = 50,
        trend = .5, season = case.start, slot = 1, multiplicative = case.grows, sigma = 1 }
      local sum = 0
      for _, value in ipairs(forecasting.series(case.n, case.m, case.grows)) do
        sum = sum + (value - smoothing_model.mean(state)) ^ 2
        smoothing_model.update(state, value)
      end
      near(case.sse, sum, 1e-9)
      for h, expected in ipairs(case.forecast) do
        if case.spread then near(case.spread[h], smoothing_model.spread(state, h), 1e-12) end
        local mean = smoothing_model.mean(state)
        near(expected, mean, 1e-10)
        smoothing_model.update(state, mean)
      end
      if case.grows then assert.is_nil(smoothing_model.spread(state, 1)) end
    end
  end)
end)

describe("smoothing by least squares", function()
  it("leaves as little as statsmodels or less, and then forecasts the same", function()
    local same = 0
    for _, case in ipairs(forecasting.golden().smoothing) do
      local model = model_of(case):fit(forecasting.series(case.n, case.m, case.grows))
      local sse = model:parameters().sse
      assert.is_true(sse <= case.sse * (1 + 1e-7), model:name())
      -- statsmodels gives the m-th forecast without the last value.
      if sse > case.sse * (1 - 1e-6) then
        same = same + 1
        local mean = model:forecast(case.m - 1)
        case.forecast[case.m] = nil
        near(case.forecast, mean, 1e-5)
      end
    end
    assert.is_true(same >= 5)
  end)

  it("finds the valley of a trend that lasts where another one is near", function()
    local y = table.move(forecasting.read("corpora", "airline-passengers"), 1, 132, 1, {})
    local found = baselines.holt{ damped = true }:fit(y)
    -- statsmodels 0.15: L-BFGS-B with phi in [0.8, 0.98] and first states estimated.
    near({ 0.98, 128193.0827 }, { found:parameters().phi, found:parameters().sse }, 1e-6)
    near(408.0823, found:forecast(12)[12], 1e-5)
  end)

  it("by likelihood does no worse than statsmodels either", function()
    for _, case in ipairs(forecasting.golden().likelihood) do
      local model = baselines.holt_winters{ case.m, trend = case.trend ~= "none",
        seasonal = "multiplicative", error = "multiplicative" }
      local y = forecasting.series(case.n, case.m, true)
      local found = model:fit(y):parameters()
      local state = { alpha = found.alpha, beta = found.beta or 0, gamma = found.gamma, phi = 1,
        level = found.initial.level, trend = found.initial.slope, season = found.initial.season,
        slot = 1, multiplicative = true }
      local squares, logarithms = 0, 0
      for _, value in ipairs(y) do
        local mean = smoothing_model.mean(state)
        squares = squares + (value / mean - 1) ^ 2
        logarithms = logarithms + math.log(mean)
        smoothing_model.update(state, value)
      end
      local reached = #y * math.log(squares / #y) + 2 * logarithms
      assert.is_true(reached <= case.value + 1e-6, model:name())
      near(case.forecast, model:forecast(case.m), 0.02)
      local residuals, sum = model:residuals(), 0
      for _, e in ipairs(residuals) do sum = sum + e * e end
      near(squares, sum, 1e-9)
    end
  end)

  it("follows new values as a fit with these parameters would", function()
    local y = forecasting.series(72, 12, true)
    for _, seasonal in ipairs{ "additive", "multiplicative" } do
      local model = baselines.holt_winters{ 12, seasonal = seasonal }
      local ahead = model:fit(y):forecast(20)
      near(table.move(ahead, 8, 20, 1, {}), model:update(table.move(ahead, 1, 7, 1, {})):forecast(13),
        1e-9)
      local before = model:forecast(1)[1]
      model:update{ before + 5 }
      local p = model:parameters()
      assert.equal(12, #p.season)
      local sum = 0
      for _, s in ipairs(p.initial.season) do sum = sum + s end
      near(seasonal == "additive" and 0 or 12, sum, 1e-9)
    end
  end)

  it("finds a line and a season that are exact", function()
    local line, sum, product = {}, {}, {}
    local season = { 5, -3, 2, -4 }
    for t = 1, 24 do
      line[t] = 10 + 3 * t
      sum[t] = line[t] + season[(t - 1) % 4 + 1]
      product[t] = line[t] * (1 + season[(t - 1) % 4 + 1] / 20)
    end
    near({ 85, 88 }, baselines.holt{}:fit(line):forecast(2), 1e-5)
    near({ 90, 85, 93, 90 }, baselines.holt_winters{ 4 }:fit(sum):forecast(4), 1e-4)
    near({ 85 * 1.25, 88 * .85 }, baselines.holt_winters{ 4, seasonal = "multiplicative" }
      :fit(product):forecast(2), 1e-3)
  end)

  it("chooses the form by AICc", function()
    local function chosen(y, period)
      local p = baselines.exponential_smoothing{ period or 1 }:fit(y):parameters()
      return p.trend, p.seasonal, p.aicc
    end
    local y, flat = forecasting.series(60, 4), {}
    for t = 1, 40 do flat[t] = math.sin(t * t * .9) end
    local _, seasonal = chosen(y, 4)
    assert.are_not.equal("none", seasonal)
    assert.equal("none", (chosen(flat)))
    assert.equal("none", select(2, chosen(table.move(y, 1, 7, 1, {}), 4))) -- less than two seasons
    local _, _, least = chosen(y, 4)
    for _, model in ipairs{ baselines.holt_winters{ 4 }, baselines.holt{},
      baselines.holt_winters{ 4, seasonal = "multiplicative", error = "multiplicative" } } do
      assert.is_true(least <= model:fit(y):parameters().aicc)
    end
  end)

  it("leaves a long season in a long series as it was guessed", function()
    local y = forecasting.series(800, 60)
    local model = baselines.holt_winters{ 60 }:fit(y)
    local p = model:parameters()
    local guess = baselines.holt_winters{ 60, initial = "heuristic" }:fit(y):parameters()
    near(guess.sse, p.sse, 1e-9)
    local mean = model:forecast(60)
    for h = 1, 60 do assert.is_true(math.abs(mean[h] - y[740 + h]) < 60) end
  end)

  it("refuses what it cannot model", function()
    local y = forecasting.series(30, 4, true)
    y[17] = -2
    for _, model in ipairs{ baselines.holt_winters{ 4, seasonal = "multiplicative" },
      baselines.holt_winters{ 4, error = "multiplicative" },
      baselines.holt{ error = "multiplicative" } } do
      raises(function() model:fit(y) end, model.who, "above 0", "value 17 is -2", '"additive"')
      y[17] = 20
      model:fit(y)
      raises(function() model:update{ 4, 0 } end, "above 0", "value 2 is 0")
      y[17] = -2
    end
    raises(function() baselines.holt_winters{ 12 }:fit(forecasting.series(23, 12)) end, "holt_winters",
      "23 values", "at least 24", "two seasons of 12 steps")
    raises(function() baselines.holt{}:fit{ 1, 2, 3, 4 } end, "holt", "at least 5")
    raises(function() baselines.holt_winters{} end, "period is missing")
    raises(function() baselines.holt_winters{ 1 } end, "period", "at least 2")
    raises(function() baselines.holt_winters{ 4, seasonal = "mul" } end, "additive, multiplicative")
    raises(function() baselines.holt_winters{ 4, error = "x" } end, "error", "additive")
    raises(function() baselines.holt_winters{ 4, initial = "x" } end, "initial", "heuristic")
    raises(function() baselines.holt_winters{ 4, damped = 1 } end, "damped", "true or false")
    raises(function() baselines.holt_winters{ 4, damped = true, trend = false } end, "needs a trend")
    raises(function() baselines.exponential_smoothing{ 4 }:fit{ 1, 2, 3 } end, "at least 6")
    assert.equal("holt-winters (additive, no trend, period 4)",
      baselines.holt_winters{ 4, trend = false }:name())
  end)
end)

describe("least squares", function()
  it("solves what is linear, and gives a dependent column nothing", function()
    local x, y = { {}, {}, {} }, {}
    for t = 1, 9 do
      x[1][t], x[2][t], x[3][t] = 1, t, 2 * t + 3
      y[t] = 4 + 3 * t
    end
    local found, sums = least_squares.linear(x, y)
    near({ 4, 3, 0 }, found, 1e-9)
    near(0, sums[3], 1e-18)
    assert.is_true(sums[1] > sums[2] and sums[2] > sums[3])
  end)

  it("finds the valley of Rosenbrock, and the lowest point within bounds", function()
    local function rosenbrock(low)
      return { low = { low, -5 }, high = { 5, 5 }, scale = { 1, 1 }, residuals = function(x, r)
        r[1], r[2] = 10 * (x[2] - x[1] ^ 2), 1 - x[1]
        return r[1] ^ 2 + r[2] ^ 2
      end }
    end
    local x, sum = least_squares.nonlinear(rosenbrock(-5), { -1.2, 1 }, 200)
    near({ 1, 1, 0 }, { x[1], x[2], sum }, 1e-5)
    x, sum = least_squares.nonlinear(rosenbrock(2), { 3, 1 }, 200)
    near({ 2, 4, 1 }, { x[1], x[2], sum }, 1e-5)
  end)
end)
