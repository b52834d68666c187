-- Metrics of forecasts and rolling-origin evaluation: against scikit-learn
-- (spec/golden/baselines.json, made by scripts/fixtures/baselines.py), figures of the collection's
-- README, and counts by formula.
local forecasting = require "spec.support_forecasting"
local helper = require "spec.helper"
local marea = require "marea"
local support = require "spec.support"

local timeseries = marea.timeseries
local baselines, metrics, backtest = timeseries.baselines, timeseries.metrics, timeseries.backtest
local near, raises = support.near, support.raises
local exact = 1e-12
local nan = 0 / 0

describe("metrics of forecasts", function()
  local y = forecasting.series(48, 12, true)
  local actual = table.move(y, 37, 48, 1, {})
  local predicted = table.move(y, 25, 36, 1, {})
  local history = table.move(y, 1, 36, 1, {})

  it("agree with scikit-learn", function()
    local golden = forecasting.golden().errors
    for _, name in ipairs{ "mae", "mse", "rmse", "mape", "smape" } do
      near(golden[name], metrics[name](actual, predicted), 1e-7)
    end
    near(golden.mase, metrics.mase(actual, predicted, history, 12), 1e-7)
    near(golden.rmsse, metrics.rmsse(actual, predicted, history, 12), 1e-7)
    for q, value in pairs(golden.pinball) do
      near(value, metrics.pinball(actual, predicted, tonumber(q)), 1e-7)
    end
  end)

  it("by hand: scaled errors, intervals, skill", function()
    near(3, metrics.mase({ 10, 2 }, { 7, 5 }, { 1, 2, 3, 4 }), exact)
    near(2, metrics.mase({ 10 }, { 7 }, { 1, 2, 3, 3 }, 2), exact)
    near(math.sqrt(5), metrics.rmsse({ 5, 4 }, { 4, 1 }, { 1, 2, 1, 2 }), exact)
    near(1 / 2, metrics.coverage({ 1, 2, 3, 4 }, { 1, 3, 2, 0 }, { 1, 4, 3, 3 }), exact)
    near((2 + 10 * 1 + 2 + 4 + 10 * 3) / 3,
      metrics.winkler({ 1, 3, 9 }, { 2, 2, 2 }, { 4, 4, 6 }, 0.8), exact)
    near((0.2 * 3 + 0.8 * 2) / 2, metrics.pinball({ 5, 1 }, { 2, 3 }, 0.2), exact)
    near(0.25, metrics.skill(3, 4), exact)
    near(-1, metrics.skill(2, 1), exact)
    near((0 + 200 + 2 * 100 / 3) / 3, metrics.smape({ 0, 0, 2 }, { 0, 3, 1 }), exact)
  end)

  it("take lists, rows and tensors, and average over columns", function()
    local a, p = { { 1, 10 }, { 2, 20 } }, { { 2, 10 }, { 2, 26 } }
    near(7 / 4, metrics.mae(a, p), exact)
    near(7 / 4, metrics.mae(marea.tensor(a), p), exact)
    near(math.sqrt(37 / 4), metrics.rmse(marea.tensor(a), marea.tensor(p)), exact)
    near((0.5 / 1 + 3 / 2) / 2, metrics.mase(a, p, { { 1, 3 }, { 2, 5 }, { 1, 7 } }), exact)
    near(1, metrics.mae(marea.tensor{ 1, 2 }, { 2, 3 }), exact)
  end)

  it("are nil with a message where they are not defined", function()
    local function undefined(value, message, ...)
      assert.is_nil(value)
      for _, part in ipairs{ ... } do assert.truthy(message:find(part, 1, true), message) end
    end
    local value, message = metrics.mape({ 1, 0 }, { 1, 1 })
    undefined(value, message, "value 2 is 0", "mase")
    value, message = metrics.mase({ 1 }, { 2 }, { 4, 4, 4 })
    undefined(value, message, "mase", "column 1", "every 1 step")
    value, message = metrics.rmsse({ 1 }, { 2 }, { 4, 5, 4, 5 }, 2)
    undefined(value, message, "rmsse", "every 2 steps")
    value, message = metrics.skill(1, 0)
    undefined(value, message, "no error")
  end)

  it("refuse what cannot be compared", function()
    for _, name in ipairs{ "mae", "mse", "rmse", "mape", "smape", "mase", "rmsse", "pinball",
      "coverage", "winkler" } do
      local function call(a, p)
        if name == "mase" or name == "rmsse" then return metrics[name](a, p, { 1, 2, 4 }) end
        if name == "pinball" then return metrics.pinball(a, p, .5) end
        if name == "coverage" or name == "winkler" then return metrics[name](a, p, p, .5) end
        return metrics[name](a, p)
      end
      raises(function() call({ 1, nan }, { 1, 2 }) end, name, "actual", "value 2", "NaN")
      raises(function() call({ 1, 2 }, { 1 / 0, 2 }) end, name, "argument 2", "value 1", "inf")
      raises(function() call({ 1, 2 }, { 1 }) end, name, "2 × 1", "1 × 1")
      raises(function() call({ 1, 2 }, { { 1, 2 } }) end, name, "1 × 2")
    end
    raises(function() metrics.mase({ 1 }, { 1 }, { 1, 2 }, 2) end, "2 values", "the period, 2")
    raises(function() metrics.mase({ 1 }, { 1 }, { { 1, 2 }, { 3, 4 } }) end, "2 columns, actual 1")
    raises(function() metrics.mase({ 1 }, { 1 }, { 1, 2 }, 0) end, "period")
    raises(function() metrics.pinball({ 1 }, { 1 }, 1) end, "q", "between 0 and 1")
    raises(function() metrics.coverage({ 1 }, { 2 }, { 1 }) end, "low 2 lies above high 1", "step 1")
    raises(function() metrics.winkler({ 1 }, { 1 }, { 2 }, 80) end, "level", "80")
    raises(function() metrics.skill(-1, 2) end, "error")
  end)
end)

describe("backtest on the collection:", function()
  local folder = helper.data_folder()

  local function on_data(name, f, title)
    it(title or name, function()
      if not folder then return pending("needs ../shared/data or the variable MAREA_DATA") end
      f(forecasting.read(folder, name))
    end)
  end

  local function figure(expected, value, digits)
    assert.equal(expected, ("%." .. (digits or 2) .. "f"):format(value))
  end

  on_data("airline-passengers", function(y)
    local result = backtest(baselines.naive{}, y, { initial = 96, period = 12 })
    local naive, seasonal = result.models[1], result.reference
    figure("48.04", naive.rmse)
    figure("40.04", naive.mae)
    figure("41.85", seasonal.rmse)
    figure("36.98", seasonal.mae)
    assert.equal(48, #result.origins)
    result = backtest(baselines.drift{}, y, { initial = 120, horizon = 24, period = 12 })
    figure("76.99", result.reference.rmse) -- 76.9946; printed there as 77.00
    figure("71.25", result.reference.mae)
    result = backtest({}, y, { initial = 132, horizon = 12, period = 12 })
    figure("50.71", result.reference.rmse)
    figure("47.83", result.reference.mae)
  end)

  on_data("airline-passengers", function(y)
    -- statsmodels 0.15 ends in a valley with 15952.88.
    local model = baselines.holt_winters{ 12, seasonal = "multiplicative" }:fit(y)
    assert.is_true(model:parameters().sse < 12880)
  end, "airline-passengers: the search of Holt and Winters finds the lower of two valleys")

  on_data("daily-min-temperatures", function(y)
    local result = backtest(baselines.naive{}, y, { initial = #y - 730, period = 365, refit = false })
    figure("2.481", result.models[1].rmse, 3)
    figure("3.728", result.reference.rmse, 3)
  end)

  on_data("monthly-sunspots", function(y)
    local result = backtest({}, y, { initial = #y - 564, refit = false })
    figure("20.09", result.reference.rmse)
    figure("14.84", result.reference.mae)
  end)

  on_data("airline-passengers", function(y)
    local result = backtest({ baselines.holt_winters{ 12, seasonal = "multiplicative",
      error = "multiplicative" }, baselines.autoregression{ 13 } }, y,
      { initial = 96, horizon = 12, step = 6, period = 12, level = 0.8 })
    for i = 1, 2 do
      assert.is_true(result.models[i].skill > 0.25)
      assert.is_true(result.models[i].mase < 0.9)
    end
    -- intervals of 80 %
    assert.is_true(result.models[1].coverage > 0.7 and result.models[1].coverage < 0.9)
  end, "airline-passengers: smoothing and autoregression are better than the season before")
end)

-- A forecaster that writes down what it is asked.
local function recorder(answer)
  local calls = {}
  local model = { calls = calls }
  function model.fit(_, values)
    calls[#calls + 1] = { "fit", values[1], values[#values], #values }
  end
  function model.update(_, values)
    calls[#calls + 1] = { "update", values[1], values[#values], #values }
  end
  function model.forecast(_, h, given)
    calls[#calls + 1] = { "forecast", h, given and given.history and #given.history }
    return answer(h)
  end
  return model
end

local function zeros(h)
  local list = {}
  for step = 1, h do list[step] = 0 end
  return list
end

-- Months of which the eighth and ninth are not there.
local function dates_with_a_hole(count)
  local list = timeseries.Series{ zeros(count + 2), start = "2020-01", frequency = "month" }.dates
  table.remove(list, 8)
  table.remove(list, 8)
  return list
end

describe("backtest with covariates", function()
  local rows = {}
  for t = 1, 40 do rows[t] = { 50 + 9 * math.sin(t / 2), t % 5, t % 3, 90 - t } end
  local series = timeseries.Series{ rows, names = { "sales", "fair", "rain", "visits" },
    known = { "fair" }, start = "2020-01", frequency = "month", period = 4 }
  local both = { "visits", "sales" }

  -- Answers with the last row of what it has seen, with names where it has some.
  local function last_row(names)
    local model = { seen = {} }
    function model.fit(self, values) self.values = values end
    function model.forecast(self, h, given)
      local values = given.history or self.values
      self.seen[#self.seen + 1] = { values.rows, table.concat(values.names, " "), given.known }
      local mean = {}
      for t = 1, h do
        mean[t] = {}
        for d, name in ipairs(names) do mean[t][d] = values:column(name)[values.rows] end
      end
      return { mean = mean, names = names }
    end
    return model
  end

  it("gives models all columns and the future of the known ones, and judges the targets", function()
    for _, refit in ipairs{ true, false } do
      local model = last_row{ "sales", "rain", "visits" }
      local result = backtest({ model, baselines.naive{} }, series, { initial = 30, horizon = 4,
        step = 3, targets = both, refit = refit })
      assert.same({ 30, 33, 36 }, result.origins)
      for i, seen in ipairs(model.seen) do
        local origin = result.origins[i]
        assert.same({ origin, "sales fair rain visits" }, { seen[1], seen[2] })
        assert.same({ "fair" }, seen[3].names)
        assert.equal(series:date(origin + 1), seen[3]:date(1))
        assert.is_true(seen[3].rows >= 4)
      end
      -- The baseline gets the targets alone, and says the same; columns are found by their names.
      assert.same(both, result.targets)
      near(result.models[2].rmse, result.models[1].rmse, 1e-6)
      near(result.models[2].by_column[1].rmse, result.models[1].by_column[1].rmse, 1e-6)
      near({ 90 - 30, rows[30][1] }, result.models[1].forecasts[1].mean[2], 1e-6)
      near(math.sqrt(7.5), result.models[1].by_column[1].rmse, 1e-6)
    end
    -- Columns that are not known are the targets unless told.
    local result = backtest({}, series, { initial = 30 })
    assert.same({ "sales", "rain", "visits" }, result.targets)
    assert.equal(3, #result.reference.by_column)
  end)

  for _, strategy in ipairs{ "direct", "recursive" } do
    it("judges forecasters as they forecast by hand: " .. strategy, function()
      local own = strategy == "direct" and series or series:select{ "sales", "fair" }
      for _, refit in ipairs{ true, false } do
        local model = timeseries.Forecaster{ lookback = 4, horizon = strategy == "direct" and 6 or 1,
          strategy = strategy, targets = { "sales" }, model = forecasting.small, seed = 2,
          training = { epochs = 2 } }
        local result = backtest(model, own, { initial = 28, horizon = 6, step = 3, refit = refit,
          level = .5, targets = "sales" })
        assert.same({ 28, 31, 34 }, result.origins)
        for i, origin in ipairs(result.origins) do
          if i == 1 or refit then model:fit(own:slice(1, origin)) end
          local given = { history = own:slice(1, origin), level = .5, known = own }
          local forecast = model:forecast(6, given)
          assert.same(forecast.mean, result.models[1].forecasts[i].mean)
          assert.same(forecast.low, result.models[1].forecasts[i].low)
        end
      end
    end)
  end

  it("says which columns do not fit", function()
    local far = timeseries.Forecaster{ lookback = 4, horizon = 6, targets = "sales",
      model = forecasting.small, training = { epochs = 1 } }
    raises(function() backtest(far, series, { initial = 36, horizon = 3, targets = "sales" }) end,
      "known: the 6 steps 2023-01 … 2023-06 are needed", "2023-05 is not there")
    local given = { initial = 30, targets = { "sales", "visits" } }
    raises(function() backtest(last_row{ "sales" }, series, given) end, "model 1 gave a forecast of the "
      .. 'columns sales; column "visits" is to be judged too: targets')
    given.targets = { "fair" }
    raises(function() backtest({}, series, given) end, 'column "fair" is known in advance')
    given.targets = { "profit" }
    raises(function() backtest({}, series, given) end, 'no column string "profit"')
    raises(function() backtest({}, { 1, 2, 3 }, { initial = 2, targets = { "a" } }) end,
      "targets are names of columns of a Series")
    local missing = rows[20][3]
    rows[20][3] = nan
    raises(function() backtest({}, timeseries.Series{ rows }, { initial = 30, targets = "value_1" }) end,
      'backtest: 1 values are missing, the first in column "value_3"')
    rows[20][3] = missing
  end)
end)

describe("backtest", function()
  local y = {}
  for t = 1, 20 do y[t] = t end

  local function fits(calls, what)
    local list = {}
    for _, call in ipairs(calls) do
      if call[1] == what then list[#list + 1] = call[2] .. "-" .. call[3] end
    end
    return table.concat(list, " ")
  end

  it("stands at every origin and shows each model only what came before", function()
    local model = recorder(zeros)
    local result = backtest(model, y, { initial = 10, horizon = 3, step = 2 })
    assert.same({ 10, 12, 14, 16 }, result.origins)
    assert.equal("1-10 1-12 1-14 1-16", fits(model.calls, "fit"))
    assert.equal(8, #model.calls)
    model = recorder(zeros)
    backtest(model, y, { initial = 10, horizon = 3, step = 2, window = "sliding", length = 6 })
    assert.equal("5-10 7-12 9-14 11-16", fits(model.calls, "fit"))
    model = recorder(zeros)
    backtest(model, y, { initial = 10, horizon = 3, step = 2, refit = false })
    assert.equal("1-10", fits(model.calls, "fit"))
    assert.equal("11-12 13-14 15-16", fits(model.calls, "update"))
    model = recorder(zeros)
    backtest(model, y, { initial = 10, horizon = 3, refit = 3 })
    assert.equal("1-10 1-13 1-16", fits(model.calls, "fit"))
    assert.equal("11-11 12-12 14-14 15-15 17-17", fits(model.calls, "update"))
    model = recorder(zeros)
    model.update = nil
    backtest(model, y, { initial = 18, refit = false })
    assert.same({ { "fit", 1, 18, 18 }, { "forecast", 1 }, { "forecast", 1, 19 } }, model.calls)
  end)

  it("judges by step and over all", function()
    local result = backtest(recorder(function(h)
      local list = {}
      for step = 1, h do list[step] = 20 + step end
      return list
    end), y, { initial = 18, horizon = 2, names = "mine" })
    local mine, naive = result.models[1], result.reference
    assert.equal("mine", mine.name)
    near(2, mine.mae, exact)
    near({ 2, 2 }, { mine.by_horizon[1].rmse, mine.by_horizon[2].rmse }, exact)
    near({ 1, 2 }, { naive.by_horizon[1].rmse, naive.by_horizon[2].rmse }, exact)
    near(math.sqrt(2.5), naive.rmse, exact)
    near(1 - 2 / math.sqrt(2.5), mine.skill, exact)
    near({ -1, 0 }, { mine.by_horizon[1].skill, mine.by_horizon[2].skill }, exact)
    near({ 2, 2 }, { mine.mase, mine.rmsse }, exact)
    assert.same({ { 21 }, { 22 } }, mine.forecasts[1].mean)
    near(100 * (2 / 19 + 2 / 20) / 2, mine.mape, exact)
  end)

  it("judges intervals and takes objects with mean, low and high", function()
    local result = backtest(recorder(function()
      return { mean = { { 15.5 } }, low = { { 10 } }, high = { { 17 } } }
    end), y, { initial = 15, level = 0.8 })
    local found = result.models[1]
    near(2 / 5, found.coverage, exact)
    near(7 + 10 * (1 + 2 + 3) / 5, found.winkler, exact)
    near((0.1 * (6 + 7 + 8 + 9 + 10) + 0.1 * (1 + 0) + 0.9 * (1 + 2 + 3)) / 10, found.pinball, exact)
    assert.is_number(result.reference.coverage)
  end)

  it("takes columns, tensors and things with values and slice", function()
    local rows = {}
    for t = 1, 20 do rows[t] = { t, t * t } end
    local by_rows = backtest(baselines.drift{}, rows, { initial = 10, horizon = 2 })
    local x = marea.tensor(rows)
    local by_tensor = backtest(baselines.drift{}, x, { initial = 10, horizon = 2 })
    near(by_rows.models[1].rmse, by_tensor.models[1].rmse, 1e-5)
    near(0, by_rows.models[1].by_column[1].rmse, 1e-9)
    near((by_rows.models[1].by_column[1].mse + by_rows.models[1].by_column[2].mse) / 2,
      by_rows.models[1].mse, 1e-9)
    local function series(part)
      return { values = part, slice = function(_, first, last)
        return series(part:narrow(1, first, last - first + 1))
      end }
    end
    local seen
    local model = { fit = function(_, values) seen = values end,
      forecast = function() return { { 1, 2 }, { 3, 4 } } end }
    backtest(model, series(x), { initial = 18, horizon = 2 })
    assert.same({ 18, 2 }, seen.values:shape())
    assert.is_function(seen.slice)
  end)

  it("with and without refit agrees where nothing is estimated", function()
    local series = forecasting.series(60, 4)
    local kept = backtest(baselines.naive{}, series, { initial = 30, horizon = 3, period = 4,
      refit = false, level = 0.5 })
    local anew = backtest(baselines.naive{}, series, { initial = 30, horizon = 3, period = 4 })
    near(anew.models[1].rmse, kept.models[1].rmse, exact)
    near(anew.reference.mase, kept.reference.mase, exact)
  end)

  it("takes the season of a series", function()
    local series = forecasting.monthly(2)
    local mine = backtest(baselines.drift{}, series, { initial = 100, horizon = 6 })
    local told = backtest(baselines.drift{}, series:column(1), { initial = 100, horizon = 6, period = 12 })
    assert.equal(12, mine.period)
    assert.equal("seasonal naive (period 12)", mine.reference.name)
    near({ told.models[1].skill, told.models[1].mase }, { mine.models[1].skill, mine.models[1].mase },
      1e-4) -- the series is rounded to floats
    assert.equal("naive", backtest({}, series, { initial = 100, period = 1 }).reference.name)
    assert.equal("naive", backtest({}, series:column(1), { initial = 100 }).reference.name)
    raises(function() backtest({}, series, { initial = 12 }) end, "first window has 12 rows",
      "the period, 12", "the series' season; period = 1")
  end)

  it("gives the mean of MASE over origins", function()
    local series = forecasting.series(40, 4)
    local result = backtest({}, series, { initial = 30, horizon = 5, step = 5, period = 4 })
    local sum = 0
    for i, origin in ipairs(result.origins) do
      sum = sum + metrics.mase(table.move(series, origin + 1, origin + 5, 1, {}),
        result.reference.forecasts[i].mean, table.move(series, 1, origin, 1, {}), 4)
    end
    near(sum / 2, result.reference.mase, exact)
  end)

  it("prints a table with the skill score beside the seasonal naive forecast", function()
    local series = forecasting.series(60, 4)
    local text = tostring(backtest({ baselines.mean{}, baselines.naive{} }, series,
      { initial = 40, horizon = 8, period = 4, level = 0.8, names = { "año" } }))
    for _, part in ipairs{ "13 origins, rows 40 to 52, horizon 8; expanding window, fitted at each",
      "RMSE", "MASE", "skill", "covers (80 %)", "Winkler", "RMSE@1", "RMSE@8", "año", "naive",
      "seasonal naive (period 4)", "+0.000", "1 - RMSE / RMSE of seasonal naive" } do
      assert.truthy(text:find(part, 1, true), part)
    end
    local widths = {}
    for line in text:gmatch("\n(  [^\n]+)") do widths[#widths + 1] = utf8.len(line) end
    assert.equal(widths[1], widths[2])
    assert.equal(widths[2], widths[4])
    text = tostring(backtest({}, { 0, 0, 0, 0, 0 }, { initial = 3 }))
    assert.truthy(text:find("–", 1, true))
    assert.truthy(text:find("not defined", 1, true))
  end)

  it("refuses what makes no sense", function()
    local function run(given, model, values)
      return function() backtest(model or baselines.naive{}, values or y, given) end
    end
    local holes = timeseries.Series{ y, dates = dates_with_a_hole(20), frequency = "month" }
    raises(run({ initial = 10 }, nil, holes), "backtest: the series has holes: 2 rows are missing")
    raises(function() metrics.mase({ 1 }, { 2 }, holes) end, "mase: history: the series has holes")
    raises(run{}, "initial is missing")
    raises(run{ initial = 20 }, "no origin", "20 rows", "need 21")
    raises(run{ initial = 15, horizon = 6 }, "no origin", "need 21")
    raises(run{ initial = 10, horizon = 0 }, "horizon", "positive whole number")
    raises(run{ initial = 10, step = 0 }, "step")
    raises(run{ initial = 12, period = 12 }, "first window has 12 rows", "the period, 12")
    raises(run{ initial = 10, window = "rolling" }, "expanding, sliding")
    raises(run{ initial = 10, window = "sliding", length = 11 }, "length 11", "initial 10")
    raises(run{ initial = 10, refit = 0 }, "refit")
    raises(run{ initial = 10, names = 3 }, "names must be a list of texts, got number 3")
    raises(run{ initial = 10, level = 80 }, "level", "between 0 and 1")
    raises(run{ initial = 10, lookback = 3 }, 'unknown option "lookback"')
    raises(run({ initial = 10 }, nil, { 1, 2, nan }), "backtest", "value 3", "NaN")
    raises(run({ initial = 10 }, { { fit = 1 } }), "model 1", "fit and forecast")
    raises(run({ initial = 10 }, "naive"), "model 1", 'string "naive"')
    raises(run({ initial = 10, horizon = 2, names = { "mine" } }, recorder(function() return { 1 } end)),
      "mine", "1 steps", "expected 2 × 1")
    raises(run({ initial = 10, level = .5 }, recorder(zeros)), "model 1", "no lower bound", "level")
    raises(run({ initial = 10 }, recorder(function() return { nan } end)), "model 1", "forecast", "NaN")
  end)
end)
