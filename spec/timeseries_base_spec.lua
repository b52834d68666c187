-- Forecasters on a base: a network on what a simple forecaster leaves over.
local forecasting = require "spec.support_forecasting"
local helper = require "spec.helper"
local marea = require "marea"
local near = require "spec.support".near
local nn, timeseries = marea.nn, marea.timeseries
local baselines, Forecaster, Series = timeseries.baselines, timeseries.Forecaster, timeseries.Series
local file_of, small, untrained = forecasting.file_of, forecasting.small, forecasting.untrained

local function numbers(rows) return forecasting.sales(rows, 4) end

-- A network whose last layer answers one number, whatever it reads.
local function constant(value)
  return function(info)
    return marea.Sequential{ nn.SimpleRNN{ 2 }, nn.Dense{ info.outputs, kernel_initializer = "zeros",
      bias_initializer = nn.initializers.Constant(value) } }
  end
end

-- A forecaster that answers `value` on the base, fitted.
local function fixed(base, value, train, more)
  local given = { lookback = 6, horizon = 12, base = base, model = constant(value), seed = 1,
    optimizer = untrained }
  for name, option in pairs(more or {}) do given[name] = option end
  local forecaster = Forecaster(given)
  forecaster:fit(train, { epochs = 1 })
  return forecaster
end

local function column(rows)
  local list = {}
  for h, row in ipairs(rows) do list[h] = row[1] end
  return list
end

local every = { { "naive", baselines.naive{} }, { "drift", baselines.drift{} },
  { "mean", baselines.mean{} }, { "holt", baselines.holt{} },
  { "simple_exponential_smoothing", baselines.simple_exponential_smoothing{} },
  { "seasonal_naive", baselines.seasonal_naive{ 12 } },
  { "holt_winters", baselines.holt_winters{ 12 } }, { "autoregression", baselines.autoregression{} },
  { baselines.autoregression{ 2, differences = 1 }, baselines.autoregression{ 2, differences = 1 } },
  { baselines.autoregression{ 2, trend = "ct" }, baselines.autoregression{ 2, trend = "ct" } },
  { baselines.holt_winters{ 12, seasonal = "multiplicative", error = "multiplicative" },
    baselines.holt_winters{ 12, seasonal = "multiplicative", error = "multiplicative" } } }

describe("a forecaster on a base", function()
  local series = forecasting.monthly(4)
  local train, test = series:split{ 96, 24 }

  it("is the base when its network answers 0, also from later months", function()
    for _, pair in ipairs(every) do
      local alone = pair[2]
      local forecaster = fixed(pair[1], 0, train)
      alone:fit(train:column(1))
      near(alone:forecast(12), column(forecaster:forecast().mean), 1e-5)
      alone:update(series:slice(97, 103):column(1))
      for _, history in ipairs{ series:slice(1, 103), series:slice(90, 103), series:slice(97, 103) } do
        near(alone:forecast(12), column(forecaster:forecast(12, { history = history }).mean), 1e-5)
      end
    end
  end)

  it("adds to the base what the network answers, and the base takes it in", function()
    -- Of the last value, c innovations of s each add up.
    local forecaster = fixed("naive", 0.5, train, { transforms = {} })
    local y, squares = train:column(1), 0
    for t = 2, 96 do squares = squares + (y[t] - y[t - 1]) ^ 2 end
    local step, expected = 0.5 * math.sqrt(squares / 95), {}
    for h = 1, 12 do expected[h] = y[96] + h * step end
    near(expected, column(forecaster:forecast().mean), 1e-4)
    -- Relative errors multiply: every step is the base's times (1 + c s).
    local growing = baselines.holt_winters{ 12, seasonal = "multiplicative", error = "multiplicative" }
    forecaster = fixed(growing, 0.5, train)
    growing:fit(train:column(1))
    local sum = 0
    for _, e in ipairs(growing:residuals()) do sum = sum + e * e end
    local share = 0.5 * math.sqrt(sum / 96)
    expected = {}
    for h = 1, 12 do
      expected[h] = growing:forecast(1)[1] * (1 + share)
      growing:update{ expected[h] }
    end
    near(expected, column(forecaster:forecast().mean), 1e-4)
    -- Behind a logarithm too.
    local logs, list = {}, {}
    for t, value in ipairs(y) do logs[t] = math.log(value) end
    local alone = baselines.holt_winters{ 12 }
    alone:fit(logs)
    for h, value in ipairs(alone:forecast(12)) do list[h] = math.exp(value) end
    near(list, column(fixed("holt_winters", 0, train, { transforms = { "log" } }):forecast().mean),
      1e-4)
  end)

  it("goes on from its own answers, as far as one likes", function()
    local recursive = { strategy = "recursive", horizon = 1 }
    local alone = baselines.holt_winters{ 12 }
    alone:fit(train:column(1))
    local forecast = fixed("holt_winters", 0, train, recursive):forecast(40, { paths = 20 })
    near(alone:forecast(40), column(forecast.mean), 1e-5)
    local y, squares = train:column(1), 0
    for t = 13, 96 do squares = squares + (y[t] - y[t - 12]) ^ 2 end
    local step, expected = 0.25 * math.sqrt(squares / 84), {}
    for h = 1, 30 do expected[h] = (expected[h - 12] or y[84 + h]) + step end
    near(expected, column(fixed("seasonal_naive", 0.25, train, recursive):forecast(30,
      { paths = 2 }).mean), 1e-4)
  end)

  it("reads innovations: the errors of the base one step ahead, in deviations", function()
    local seen
    local forecaster = Forecaster{ lookback = 5, base = "autoregression", seed = 1, model = function(info)
      local network = small(info)
      local fit = network.fit
      network.fit = function(self, x, y, given)
        seen = seen or { x:totable(), y:totable() }
        return fit(self, x, y, given)
      end
      return network
    end }
    forecaster:fit(train, { epochs = 1 })
    local alone, squares = baselines.autoregression{}, 0
    alone:fit(train:column(1))
    local errors = alone:residuals()
    for _, e in ipairs(errors) do squares = squares + e * e end
    local scale = math.sqrt(squares / #errors)
    assert.are.equal(#errors - 5, #seen[1])
    for i = 1, #seen[1] do
      for l = 1, 5 do assert.is_true(math.abs(seen[1][i][l][1] - errors[i + l - 1] / scale) < 1e-4) end
      assert.is_true(math.abs(seen[2][i][1] - errors[i + 5] / scale) < 1e-4)
    end
  end)

  it("goes on from any row, in any order", function()
    local forecaster, y = fixed("drift", 0, train), train:column(1)
    local pipeline, slope = forecaster.pipeline, (y[96] - y[1]) / 95
    local trace = pipeline:trace(train)
    for _, origin in ipairs{ 60, 40, 40, 96, 2 } do
      near({ y[origin] + slope, y[origin] + 2 * slope },
        pipeline:invert_column({ 0, 0 }, 1, trace, origin), 1e-9)
    end
    assert.fails("drift needs 1 rows of history, there are 0", pipeline.invert_column, pipeline, { 0 },
      1, trace, 0)
  end)

  it("is fitted to the training part alone, and judged only on what follows", function()
    local other = numbers(120)
    for t = 97, 120 do other[t] = 1e4 * other[t] end
    local changed = Series{ other, start = "2010-01", frequency = "month", names = { "sales" } }
    local function fitted(from)
      local forecaster = Forecaster{ lookback = 6, horizon = 3, base = "holt_winters", model = small,
        seed = 2 }
      forecaster:fit(from:slice(1, 96), { epochs = 2 })
      return forecaster
    end
    local a, b = fitted(series), fitted(changed)
    assert.are.same({ a:forecast().mean, a:forecast().low }, { b:forecast().mean, b:forecast().low })
    assert.fails("leakage", a.evaluate, a, train)
    assert.is_true(a:evaluate(train, { in_sample = true }).windows > 80)
    local scores = a:evaluate(test, { level = 0.8 })
    assert.are.same({ 22, "2018-01", "2019-12" }, { scores.windows, scores.first, scores.last })
    -- A part that is all there is goes behind the training part, which the forecaster remembers.
    local alone = Series{ test:column(1), start = "2018-01", frequency = "month", names = { "sales" } }
    assert.is_true(math.abs(a:evaluate(alone).rmse - scores.rmse) < 1e-4)
    -- Each forecast is that of a history which ends before it.
    local forecast = a:forecast(3, { history = series:slice(1, 100) })
    near(column(forecast.mean), column(scores.predicted:totable()[5]), 1e-5)
  end)

  it("validates on what follows, from the base's states at its end", function()
    local first, second = series:slice(1, 80), series:slice(81, 110)
    local forecaster = Forecaster{ lookback = 6, horizon = 2, base = "holt_winters", model = constant(0),
      optimizer = untrained, seed = 1 }
    local history = forecaster:fit(first, { epochs = 2, validation = second, patience = 1 })
    local alone, sum, y = baselines.holt_winters{ 12 }, 0, series:column(1)
    alone:fit(first:column(1))
    local squares, errors = 0, {}
    for _, e in ipairs(alone:residuals()) do squares = squares + e * e / 80 end
    for t = 81, 110 do
      errors[t] = y[t] - alone:forecast(1)[1]
      alone:update{ y[t] }
    end
    for t = 81, 109 do sum = sum + (errors[t] ^ 2 + errors[t + 1] ^ 2) / 2 / squares / 29 end
    assert.is_true(math.abs(history.val_loss[1] - sum) < 1e-3 * sum)
    assert.is_truthy(forecaster.report:find("what is left over by holt-winters", 1, true))
  end)

  it("draws intervals that hold what they promise", function()
    -- Steps of a random walk: the base knows all there is to know, and the spread grows with the root.
    local stream, walk = require "marea.native".new_stream(7, 0), { 0 }
    for t, u in ipairs(stream:uniform({ 1199 }, -1, 1):totable()) do walk[t + 1] = walk[t] + u end
    local all = Series{ walk }
    local forecaster = fixed("naive", 0, all:slice(1, 700), { horizon = 4 })
    local scores = forecaster:evaluate(all:slice(701), { level = 0.8, stride = 3 })
    assert.is_true(scores.coverage > 0.74 and scores.coverage < 0.86, tostring(scores))
    local forecast = forecaster:forecast(4, { level = 0.8, paths = 4000 })
    local ratio = (forecast.high[4][1] - forecast.low[4][1]) / (forecast.high[1][1] - forecast.low[1][1])
    assert.is_true(ratio > 1.4 and ratio < 2.2, ratio)
  end)

  it("takes several columns, covariates and the calendar", function()
    local rows = {}
    for t, value in ipairs(numbers(96)) do rows[t] = { value, 50 + t + 3 * math.cos(t), t % 7 } end
    local wide = Series{ rows, names = { "a", "b", "x" }, start = "2010-01", frequency = "month" }
    local forecaster = fixed("holt", 0, wide, { targets = { "a", "b" }, calendar = { "month" } })
    for d, name in ipairs{ "a", "b" } do
      local alone = baselines.holt{}
      alone:fit(wide:column(name))
      local own = {}
      for h, row in ipairs(forecaster:forecast().mean) do own[h] = row[d] end
      near(alone:forecast(12), own, 1e-5)
    end
  end)

  it("says what does not fit", function()
    local function fails(part, given, from)
      given.lookback, given.model = 3, small
      assert.fails(part, function() Forecaster(given):fit(from or train, { epochs = 1 }) end)
    end
    fails("base must be one of autoregression, drift", { base = "oracle" })
    fails("or such an object of timeseries.baselines, got number 3", { base = 3 })
    fails("base leaves errors around 0", { base = "naive", normalize = "last" })
    fails("quantiles cannot be summed up over a base", { base = "naive", horizon = 2,
      quantiles = { 0.5 } })
    fails('base = "holt_winters" needs a season, the series has none', { base = "holt_winters" },
      Series{ numbers(50) })
    fails('base, column "sales": holt_winters: the series has 20 values', { base = "holt_winters" },
      series:slice(1, 20))
    fails("multiplicative season or error needs values above 0", { base = baselines.holt_winters{ 12,
      seasonal = "multiplicative" }, transforms = { "standard" } })
    local forecaster = fixed("naive", 0, series:slice(25, 96))
    local function refuses(part, history)
      assert.fails(part, forecaster.forecast, forecaster, 2, { history = history })
    end
    local y = numbers(120)
    local function from(start, first, frequency)
      return Series{ table.move(y, first, 120, 1, {}), start = start, names = { "sales" },
        frequency = frequency or "month" }
    end
    refuses("has seen the rows 2012-01 … 2017-12 and goes on from there; a series that begins at 2018-03 "
      .. "leaves a gap: give it from 2018-01 on", from("2018-03", 99))
    refuses("the dates are not as far apart", from("2018-01-01", 97, "day"))
    refuses("the series ends before the training part begins", series:slice(1, 20))
    refuses("the training part has dates and the series has none", Series{ y, names = { "sales" } })
    local plain = Series{ y, names = { "sales" } }
    forecaster = fixed("naive", 0, plain:slice(1, 96))
    refuses("without dates the base cannot tell", Series{ { 1, 2, 3 } }:with{ first = 500 })
    refuses("row 1 of column \"sales\" is not that of the training part", Series{ table.move(y, 90, 120,
      1, {}), names = { "sales" } })
    assert.is_true(forecaster:evaluate(plain:slice(97)).windows == 13)
    assert.are.equal(12, forecaster:forecast(12, { history = Series{ y, names = { "sales" } } }).rows)
  end)

  it("is backtested like any other", function()
    local forecaster = Forecaster{ lookback = 3, horizon = 2, base = "drift", model = constant(0),
      optimizer = untrained, training = { epochs = 1 }, seed = 1 }
    for _, refit in ipairs{ true, false } do
      local result = timeseries.backtest({ forecaster, baselines.drift{} }, numbers(40),
        { initial = 30, horizon = 2, refit = refit })
      assert.is_true(math.abs(result.models[1].rmse - result.models[2].rmse) < 1e-3)
    end
  end)
end)

describe("a forecaster on a base in a file", function()
  local series = forecasting.monthly(4)
  local train = series:slice(1, 96)

  it("forecasts the same, with every base", function()
    for _, pair in ipairs(every) do
      local forecaster = Forecaster{ lookback = 6, horizon = 4, base = pair[1], model = small, seed = 1 }
      forecaster:fit(train, { epochs = 2 })
      file_of(forecaster, function(path)
        local loaded = assert(timeseries.load(path))
        forecasting.same_forecasts(forecaster, loaded, 4, train, series:slice(80, 104))
        file_of(loaded, function(again)
          assert.are.same(forecaster:forecast().mean, assert(timeseries.load(again)):forecast().mean)
        end)
      end)
    end
    -- Rows without dates keep their numbers.
    local plain = Series{ numbers(60) }
    local forecaster = fixed("naive", 0, plain:slice(11, 50), { horizon = 2 })
    file_of(forecaster, function(path)
      local loaded = assert(timeseries.load(path))
      near({ plain:column(1)[60], plain:column(1)[60] },
        column(loaded:forecast(2, { history = Series{ numbers(60) } }).mean), 1e-6)
    end)
  end)

  it("forecasts in a fresh process from a CSV", function()
    if not helper.program then return pending("runs only in our own interpreter") end
    local forecaster = Forecaster{ lookback = 12, horizon = 3, base = "holt_winters", model = small,
      transforms = { "log" }, seed = 1 }
    forecaster:fit(train, { epochs = 2 })
    forecasting.same_in_fresh_process(forecaster, series, 94, 110)
  end)

  it("is refused when its base is broken", function()
    for _, pair in ipairs{ { "holt_winters", { "season", { 1, 2 } }, { "slot", 0 }, { "slot", 13 },
        { "level", "x" }, { "multiplicative", 1 }, { "season", { "a" } } },
      { "autoregression", { "tail", {} }, { "weights", { {} } }, { "next", 0.5 } },
      { "seasonal_naive", { "season", { 1 } }, { "slot", 99 } } } do
      local forecaster = fixed(pair[1], 0, train, { horizon = 2 })
      file_of(forecaster, function(path)
        local network = assert(marea.load(path))
        local good = network.extra.forecaster
        local function refused(change)
          local copy = marea.json.decode(good)
          change(copy.pipeline.stages[#copy.pipeline.stages].config)
          network.extra.forecaster = marea.json.encode(copy)
          assert(network:save(path))
          local loaded, message = timeseries.load(path)
          assert.is_nil(loaded)
          assert.is_truthy(message:find("forecaster: ", 1, true), message)
        end
        for i = 2, #pair do
          refused(function(config) config.starts[1][pair[i][1]] = pair[i][2] end)
        end
        for name, value in pairs{ base = "os", options = 3, starts = {}, scale = { 0 }, lead = { -1 } } do
          refused(function(config) config[name] = value end)
        end
        refused(function(config) config.starts = { 1 } end)
        refused(function(config) config.options = { colour = "red" } end)
      end)
    end
  end)
end)
