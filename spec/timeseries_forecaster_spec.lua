-- Forecasters: fitted on a training part, forecasting, judged, saved.
local helper = require "spec.helper"
local marea = require "marea"
local forecasting = require "spec.support_forecasting"
local support = require "spec.support"
local nn, timeseries = marea.nn, marea.timeseries
local Forecaster, Series = timeseries.Forecaster, timeseries.Series
local monthly, small, untrained = forecasting.monthly, forecasting.small, forecasting.untrained

-- A network that answers with its last inputs: the forecast "as now" on the transformed scale.
local function last_value(info)
  local model = marea.Sequential{ nn.Flatten{}, nn.Dense{ info.outputs } }
  model:build{ -1, info.rows, info.features }
  local kernel, bias = model.layers[2].kernel, model.layers[2].bias
  kernel:fill_(0)
  bias:fill_(0)
  for h = 1, info.outputs do
    kernel:set((info.lookback - 1) * info.features + (h - 1) % info.targets + 1, h, 1)
  end
  return model
end

describe("a forecaster", function()
  it("undoes its transforms: an ideal network forecasts exactly", function()
    local series = monthly(0)
    local train, test = series:split{ 108, 12 }
    -- A season's difference repeated: what the network of last values says after `difference 12`.
    local forecaster = Forecaster{ lookback = 3, horizon = 12, model = last_value,
      optimizer = untrained, transforms = { { "difference", 12 }, "standard" } }
    forecaster:fit(train, { epochs = 1 })
    local forecast = forecaster:forecast()
    local d = series.columns[1][108] - series.columns[1][96]
    for h = 1, 12 do
      assert.is_true(math.abs(forecast.mean[h][1] - (series.columns[1][96 + h] + d)) < 1e-2)
    end
    assert.are.same({ "2019-01", "2019-12" }, { forecast.dates[1], forecast.dates[12] })
    -- And of last values, untransformed, is the naive forecast, whose scores are known.
    local naive = Forecaster{ lookback = 2, horizon = 1, model = last_value, optimizer = untrained }
    naive:fit(train, { epochs = 1 })
    local scores = naive:evaluate(test)
    assert.is_true(math.abs(scores.rmse - scores.baselines.naive.rmse) < 1e-2)
    assert.are.equal(12, scores.windows)
  end)

  it("learns, and beats the seasonal naive forecast", function()
    local train, test = monthly(2):split{ 108, 12 }
    local forecaster = Forecaster{ lookback = 12, horizon = 6, model = small, seed = 3,
      transforms = { "log", { "difference", 12 }, "standard" },
      optimizer = marea.optim.Adam{ learning_rate = 0.01 } }
    local history = forecaster:fit(train, { epochs = 20 })
    assert.is_true(history.loss[20] < history.loss[1])
    local scores = forecaster:evaluate(test, { level = 0.8 })
    assert.is_true(scores.skill > 0.4, tostring(scores))
    assert.are.same({ 7, "2019-01", "2019-12" }, { scores.windows, scores.first, scores.last })
    for _, part in ipairs{ "seasonal naive", "naive", "drift", "mean", "skill score: 1 - RMSE",
      "intervals of 80% hold" } do
      assert.is_truthy(tostring(scores):find(part, 1, true))
    end
    local text = tostring(forecaster:forecast())
    assert.is_truthy(text:find("judged on 7 windows", 1, true) and text:find("skill score", 1, true))
    for _, part in ipairs{ "79 windows: lookback 12, horizon 6 (direct)",
      "first  input 2011-01 … 2011-12 → target 2012-01 … 2012-06",
      "last   input 2017-07 … 2018-06 → target 2018-07 … 2018-12", "log → difference of lag 12" } do
      assert.is_truthy(forecaster.report:find(part, 1, true), forecaster.report)
    end
  end)

  it("gives the same bits from the same seed, and other ones from another", function()
    local train = monthly(2):slice(1, 60)
    local function run(seed)
      local forecaster = Forecaster{ lookback = 6, horizon = 3, model = small, seed = seed }
      forecaster:fit(train, { epochs = 2 })
      return forecaster:forecast(3)
    end
    local a, b, c = run(1), run(1), run(2)
    assert.are.same({ a.mean, a.low, a.high }, { b.mean, b.low, b.high })
    assert.are_not.same(a.mean, c.mean)
  end)

  it("goes on from its own answers, as far as one likes", function()
    local train, test = monthly(0):split{ 96, 24 }
    local forecaster = Forecaster{ lookback = 2, strategy = "recursive", model = last_value,
      optimizer = untrained, transforms = { { "difference", 12 } } }
    forecaster:fit(train, { epochs = 1 })
    local forecast = forecaster:forecast(30, { paths = 50 })
    local c = train.columns[1]
    local d = c[96] - c[84]
    for h = 1, 30 do
      local expected = c[84 + (h - 1) % 12 + 1] + d * ((h - 1) // 12 + 1)
      assert.is_true(math.abs(forecast.mean[h][1] - expected) < 1e-3 * expected, h)
    end
    local scores = forecaster:evaluate(test, { horizon = 24 })
    assert.are.same({ 1, 24 }, { scores.windows, #scores.by_horizon })
    assert.fails("the recursive strategy learns one step; horizon is 3", Forecaster,
      { lookback = 2, horizon = 3, strategy = "recursive", model = small })
    assert.fails("asked for 7 steps, the forecaster has learnt 6", function()
      local direct = Forecaster{ lookback = 4, horizon = 6, model = small }
      direct:fit(train, { epochs = 1 })
      direct:forecast(7)
    end)
  end)

  it("takes covariates, known futures and the calendar", function()
    local rows, future = {}, {}
    for t = 0, 83 do
      local holiday = t % 5 == 0 and 1 or 0
      rows[t + 1] = { math.sin(t / 3) + holiday, math.cos(t / 3), holiday }
      if t >= 80 then future[t - 79] = { holiday } end
    end
    local all = Series{ rows, names = { "y", "x", "holiday" }, known = { "holiday" },
      start = "2024-01-01", frequency = "day" }
    local series = all:slice(1, 80)
    local known = Series{ future, names = { "holiday" }, known = { "holiday" } }
    local shapes
    local forecaster = Forecaster{ lookback = 7, horizon = 4, targets = { "y" }, seed = 1,
      calendar = { "weekday" }, known_transforms = { "minmax" },
      model = function(info)
        shapes = info
        return small(info)
      end }
    forecaster:fit(series, { epochs = 2 })
    assert.are.same({ 11, 5, 4, 1 }, { shapes.rows, shapes.features, shapes.outputs, shapes.targets })
    local forecast = forecaster:forecast(4, { known = known })
    assert.are.same({ "y" }, forecast.names)
    -- Another future of the known column is another forecast.
    local other = forecaster:forecast(4, { known = Series{ { { 1 }, { 1 }, { 1 }, { 1 } },
      names = { "holiday" } } })
    assert.are_not.same(forecast.mean, other.mean)
    assert.fails('the future of column "holiday" is needed for 4 rows', forecaster.forecast, forecaster)
    assert.fails("known has 1 rows, 4 are needed", forecaster.forecast, forecaster, 4,
      { known = known:slice(1, 1) })
    assert.fails('the recursive strategy needs the future of column "x"', function()
      Forecaster{ lookback = 7, targets = "y", strategy = "recursive", model = small }:fit(series)
    end)
    local recursive = Forecaster{ lookback = 7, strategy = "recursive", model = small, seed = 1 }
    recursive:fit(series, { epochs = 1 })
    assert.are.equal(4, recursive:forecast(4, { known = known }).rows)
    -- The judged part takes its known columns from itself.
    assert.are.equal(1, forecaster:evaluate(all:slice(81, 84)).windows)
    assert.fails("is known in advance and cannot be a target", function()
      Forecaster{ lookback = 7, targets = { "holiday" }, model = small }:fit(series)
    end)
  end)

  it("reads the window with an encoder and writes with a decoder", function()
    local train = monthly(1):slice(1, 84)
    for _, cell in ipairs{ "lstm", "gru", "rnn" } do
      local forecaster = Forecaster{ lookback = 12, horizon = 6, strategy = "encoder_decoder", seed = 1,
        calendar = { "month" }, normalize = "last", model = function(info)
          return marea.Sequential{ timeseries.EncoderDecoder{ 4, horizon = info.horizon,
            outputs = info.targets, cell = cell } }
        end }
      local history = forecaster:fit(train, { epochs = 8 })
      assert.is_true(history.loss[8] < history.loss[1])
      assert.are.equal(6, forecaster:forecast().rows)
    end
    local layer = timeseries.EncoderDecoder{ 4, horizon = 6 }
    assert.fails("nothing is left to read", layer, marea.zeros{ 1, 6, 2 })
    local unbuilt = timeseries.EncoderDecoder{ 4, horizon = 6 }
    assert.fails("expected (batch, lookback + horizon, features)", unbuilt.build, unbuilt, { -1, 6 })
  end)

  it("answers quantiles that are in order", function()
    local train, test = monthly(4):split{ 96, 24 }
    local forecaster = Forecaster{ lookback = 12, horizon = 6, quantiles = { 0.1, 0.5, 0.9 }, seed = 1,
      transforms = { "log", { "difference", 12 }, "standard" }, model = small,
      optimizer = marea.optim.Adam{ learning_rate = 0.01 } }
    forecaster:fit(train, { epochs = 40 })
    local forecast = forecaster:forecast(4, { level = 0.8 })
    for h = 1, 4 do
      assert.is_true(forecast.low[h][1] <= forecast.mean[h][1]
        and forecast.mean[h][1] <= forecast.high[h][1])
    end
    assert.is_true(forecaster:evaluate(test, { level = 0.8 }).coverage > 0.3)
    assert.fails("level 0.5 needs the quantiles 0.25 and 0.75", forecaster.forecast, forecaster, 2,
      { level = 0.5 })
    assert.fails("must hold 0.5", Forecaster, { lookback = 2, model = small, quantiles = { 0.1, 0.9 } })
    assert.fails("quantiles must rise", Forecaster, { lookback = 2, model = small,
      quantiles = { 0.5, 0.1 } })
    assert.fails("cannot be summed up over a difference of lag 1", Forecaster, { lookback = 2,
      horizon = 2, model = small, quantiles = { 0.5 }, transforms = { "difference" } })
    assert.fails("quantiles of several steps need the strategy direct", Forecaster, { lookback = 2,
      model = small, quantiles = { 0.5 }, strategy = "recursive" })
  end)

  it("forecasts each column by itself with one network", function()
    local rows = {}
    for t = 0, 99 do rows[t + 1] = { math.sin(t / 2), 100 + 50 * math.cos(t / 3), 7 - t % 4 } end
    local train, validation, test = Series{ rows, names = { "a", "b", "c" } }:split{ 60, 20, 20 }
    local info
    local forecaster = Forecaster{ lookback = 8, horizon = 3, independent = true, normalize = "standard",
      seed = 1, model = function(given)
        info = given
        return small(given)
      end }
    local history = forecaster:fit(train, { epochs = 6, validation = validation, patience = 3 })
    assert.are.same({ 1, 3 }, { info.features, info.outputs })
    assert.is_not_nil(history.val_loss[1])
    assert.is_truthy(forecaster.report:find("18 windows held out", 1, true), forecaster.report)
    local scores = forecaster:evaluate(test, { units = "scaled" })
    assert.are.same({ 18, 18, 3, 3 }, { scores.windows, table.unpack(scores.predicted:shape()) })
    -- Each column's answer depends on that column alone.
    local changed = {}
    for t = 1, 60 do changed[t] = { rows[t][1], rows[t][2], rows[t][3] + (t > 50 and 1 or 0) } end
    local a = forecaster:forecast(3)
    local b = forecaster:forecast(3, { history = Series{ changed, names = { "a", "b", "c" } } })
    for h = 1, 3 do
      assert.are.equal(a.mean[h][1], b.mean[h][1])
      assert.are.equal(a.mean[h][2], b.mean[h][2])
      assert.are_not.equal(a.mean[h][3], b.mean[h][3])
    end
  end)

  it("holds windows out so that no target is in both parts", function()
    local forecaster = Forecaster{ lookback = 4, horizon = 5, model = small, seed = 1 }
    forecaster:fit(monthly(1):slice(1, 60), { epochs = 1, validation_split = 0.2 })
    local last = forecaster.report:match("last   input [%d-]+ … [%d-]+ → target [%d-]+ … ([%d-]+)")
    local first = forecaster.report:match("validation\n  first  input [%d-]+ … [%d-]+ → target ([%d-]+)")
    assert.is_true(last < first, forecaster.report)
    assert.fails("patience needs validation", forecaster.fit, forecaster, monthly(1), { patience = 1 })
  end)

  it("normalises windows and undoes it: levels far away change nothing", function()
    for _, how in ipairs{ "last", "standard" } do
      local near, far = {}, {}
      for t = 0, 59 do near[t + 1], far[t + 1] = math.sin(t), math.sin(t) + 1000 end
      local forecaster = Forecaster{ lookback = 6, horizon = 2, normalize = how, transforms = {},
        model = small, seed = 1 }
      forecaster:fit(Series{ near }, { epochs = 2 })
      local a = forecaster:forecast(2)
      local b = forecaster:forecast(2, { history = Series{ far } })
      for h = 1, 2 do
        assert.is_true(math.abs(a.mean[h][1] + 1000 - b.mean[h][1]) < 2e-3, how)
      end
    end
  end)
end)

describe("what would be leakage or nonsense is refused:", function()
  local series = monthly(1)
  local train, test = series:split{ 96, 24 }
  local forecaster = Forecaster{ lookback = 12, horizon = 2, model = small, seed = 1 }
  forecaster:fit(train, { epochs = 1 })

  it("judging on what was learnt from", function()
    local greedy = Forecaster{ lookback = 12, horizon = 2, model = small, seed = 1 }
    greedy:fit(series, { epochs = 1 })
    assert.fails("leakage: transforms and network have learnt from 2010-01 … 2019-12 (120 rows), the "
      .. "part to be judged begins at 2018-01", greedy.evaluate, greedy, test)
    assert.are.equal(23, greedy:evaluate(test, { in_sample = true }).windows)
    assert.fails("leakage", forecaster.evaluate, forecaster, train)
    -- Without dates by the rows of the same series.
    local plain = Series{ series:column(1) }
    local first, second = plain:split{ 96, 24 }
    forecaster:fit(first, { epochs = 1 })
    assert.fails("leakage", forecaster.evaluate, forecaster, first)
    assert.are.equal(23, forecaster:evaluate(second).windows)
    forecaster:fit(train, { epochs = 1 })
  end)

  it("a lookback that swallows the test part", function()
    local alone = Series{ test:column(1), names = { "sales" }, start = "2018-01", frequency = "month" }
    assert.are.equal(11, forecaster:evaluate(alone).windows)
    assert.fails("a lookback of 12 rows (and 0 for differences) swallows the test part of 10 rows",
      forecaster.evaluate, forecaster, alone:slice(1, 10):with{ root = false })
    assert.are.equal(23, forecaster:evaluate(test).windows) -- as a part it knows its past
  end)

  it("validation before the end of training", function()
    assert.fails("the validation part begins at 2010-01, the training part ends at 2017-12: leakage",
      forecaster.fit, forecaster, train, { validation = series:slice(1, 40), epochs = 1 })
    forecaster:fit(train, { epochs = 1 })
  end)

  it("a series shorter than a window, holes, constant columns", function()
    assert.fails("the series has 13 rows, one window needs 14 (lookback 12, horizon 2, 0 used up by "
      .. "differences)", forecaster.fit, forecaster, series:slice(1, 13))
    assert.fails("holds no window of horizon 2", forecaster.evaluate, forecaster, test:slice(1, 1))
    assert.fails("the history has 5 rows, 12 are needed", forecaster.forecast, forecaster, 2,
      { history = test:slice(1, 5) })
    assert.fails("the series has holes: 1 rows are missing, the first 2024-03", forecaster.fit,
      forecaster, Series{ { 1, 2, 3 }, dates = { "2024-01", "2024-02", "2024-04" } })
    assert.fails("values are missing", forecaster.fit, forecaster, Series{ { 1, 0 / 0, 3 } })
    local flat = {}
    for t = 1, 40 do flat[t] = { t, 5 } end
    assert.fails('column "b" is constant', forecaster.fit, forecaster, Series{ flat, names = { "a", "b" } })
    assert.fails("dates have no common distance", forecaster.fit, forecaster,
      Series{ { 1, 2, 3 }, dates = { "2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:30" } })
    forecaster:fit(train, { epochs = 1 })
  end)

  it("options that contradict each other, networks that do not fit", function()
    local function fails(part, given)
      given.lookback, given.model = given.lookback or 2, given.model or small
      assert.fails(part, function() Forecaster(given):fit(train, { epochs = 1 }) end)
    end
    fails("strategy must be one of", { strategy = "guess" })
    fails("normalize must be one of", { normalize = "first" })
    fails("lookback must be a positive whole number", { lookback = 0 })
    fails("independent needs the strategy", { independent = true, strategy = "encoder_decoder" })
    fails("calendar feature must be one of", { calendar = { "moon" } })
    fails("known_transforms cannot hold differences", { known_transforms = { "difference" } })
    fails("no column string \"profit\"; there are sales", { targets = { "profit" } })
    fails("there is no target", { targets = {} })
    fails("the network answers (batch, 3), expected (batch, 1): 1 steps, 1 columns, 1 quantiles",
      { model = function() return marea.Sequential{ nn.LSTM{ 4 }, nn.Dense{ 3 } } end })
    fails("model must be a Sequential, or a function(info)", { model = function() return 3 end })
    fails("unknown option", { colour = "red" })
    assert.fails("fit the forecaster first", function()
      Forecaster{ lookback = 2, model = small }:forecast(1)
    end)
    assert.fails('units = "scaled" needs transforms = { "standard" }', function()
      local log = Forecaster{ lookback = 2, model = small, transforms = { "log" } }
      log:fit(train, { epochs = 1 })
      log:evaluate(test, { units = "scaled" })
    end)
    assert.fails("calendar features need dates", function()
      Forecaster{ lookback = 2, model = small, calendar = { "month" } }:fit(Series{ { 1, 2, 3, 4 } })
    end)
  end)
end)

describe("a forecaster in a file", function()
  it("forecasts the same, of every strategy", function()
    local train = monthly(1):slice(1, 96)
    for _, given in ipairs{
      { horizon = 4, transforms = { "boxcox", { "difference", 12 }, "robust" } },
      { strategy = "recursive", calendar = { "month" }, normalize = "last" },
      { horizon = 4, quantiles = { 0.1, 0.5, 0.9 }, calendar = { "month" }, encoding = "one_hot" },
      { horizon = 4, strategy = "encoder_decoder", model = function(info)
        return marea.Sequential{ timeseries.EncoderDecoder{ 3, horizon = info.horizon } }
      end },
      { horizon = 4, model = function(info)
        return marea.Sequential{ timeseries.DLinear{ info.horizon, kernel_size = 5 } }
      end } } do
      given.lookback, given.model, given.seed = 6, given.model or small, 1
      local forecaster = Forecaster(given)
      forecaster:fit(train, { epochs = 2 })
      forecasting.file_of(forecaster, function(path)
        forecasting.same_forecasts(forecaster, assert(timeseries.load(path)), 4, train, train)
      end)
    end
  end)

  it("forecasts in a fresh process from a CSV", function()
    if not helper.program then return pending("runs only in our own interpreter") end
    local series = monthly(1)
    local forecaster = Forecaster{ lookback = 12, horizon = 3, model = small, seed = 1,
      transforms = { "log", { "difference", 12 }, "standard" } }
    forecaster:fit(series:slice(1, 100), { epochs = 2 })
    forecasting.same_in_fresh_process(forecaster, series, 1, 110)
  end)

  it("is refused when its description is broken", function()
    local forecaster = Forecaster{ lookback = 3, horizon = 2, model = small, seed = 1 }
    forecaster:fit(monthly(1):slice(1, 40), { epochs = 1 })
    local good
    forecasting.file_of(forecaster, function(path)
      local network = assert(marea.load(path))
      good = marea.json.decode(network.extra.forecaster)
      for _, change in ipairs{ { "version", 9 }, { "lookback", -1 }, { "horizon", 3 }, { "roles", 3 },
        { "pipeline", {} }, { "residuals", {} }, { "residuals", { { { "x" } } } }, { "history", {} },
        { "lost", -1 }, { "quantiles", { "a" } }, { "strategy", "x" }, { "fitted", 1 },
        { "calendar", { "moon" } } } do
        local copy = marea.json.decode(marea.json.encode(good))
        copy[change[1]] = change[2]
        network.extra.forecaster = marea.json.encode(copy)
        assert(network:save(path))
        local loaded, message = timeseries.load(path)
        assert.is_nil(loaded, change[1])
        assert.is_truthy(message:find(path, 1, true), message)
      end
      network.extra.forecaster = "{"
      assert(network:save(path))
      assert.is_nil((timeseries.load(path)))
      network.extra = nil
      assert(network:save(path))
      local _, message = timeseries.load(path)
      assert.is_truthy(message:find("a model without a forecaster", 1, true))
    end)
    local nothing, message = timeseries.load("/nowhere.safetensors")
    assert.is_nil(nothing)
    assert.is_truthy(message:find("/nowhere", 1, true))
  end)
end)

describe("the layer DLinear", function()
  it("is a linear map of the window's average and its rest", function()
    local layer = timeseries.DLinear{ 2, kernel_size = 3 }
    local x = support.numbers{ 2, 5, 3 }
    layer(x)
    support.scatter(layer)
    local y = layer(x):totable()
    local weights = layer:get_weights()
    local a, b, c = weights[1]:totable(), weights[2]:totable(), weights[3]:totable()
    x = x:totable()
    for n = 1, 2 do for d = 1, 3 do for h = 1, 2 do
      local sum = c[h]
      for t = 1, 5 do
        local function at(k) return x[n][math.max(1, math.min(5, k))][d] end
        local trend = (at(t - 1) + at(t) + at(t + 1)) / 3
        sum = sum + trend * a[t][h] + (at(t) - trend) * b[t][h]
      end
      support.near(sum, y[n][h][d])
    end end end
    assert.are.same({ -1, 2, 3 }, layer:output_shape{ -1, 5, 3 })
    assert.fails("input has 4 steps, the kernels expect 5", layer, marea.zeros{ 1, 4, 3 })
  end)

  it("has right gradients, and so has the encoder with its decoder", function()
    if not helper.double then return pending("needs double precision") end
    for _, case in ipairs{ { timeseries.DLinear{ 2, kernel_size = 3 }, { 2, 5, 2 } },
      { timeseries.EncoderDecoder{ 2, horizon = 2, outputs = 2 }, { 2, 5, 3 } } } do
      local x = support.numbers(case[2])
      case[1](x)
      support.scatter(case[1])
      local inputs = { x }
      for _, entry in ipairs(case[1]:entries()) do inputs[#inputs + 1] = entry.tensor end
      local weights = support.numbers(case[1]:output_shape(case[2]), 1)
      local ok, worst = marea.gradcheck(function(given) return (case[1](given) * weights):sum() end,
        inputs)
      assert.is_true(ok, worst.worst)
    end
  end)
end)

describe("the quantile loss", function()
  local losses = marea.losses

  it("is least at the quantile, and mean over several", function()
    local y, p = { { 3, 1 } }, { { 2, 2 } }
    support.near(0.9 * 1 / 2 + 0.1 * 1 / 2, losses.quantile(y, p, { quantiles = { 0.9 } }))
    support.near((0.1 * 1 + 0.1 * 1) / 2, losses.pinball({ { 3, 1 } }, { { 2, 2 } },
      { quantiles = { 0.1, 0.9 } }))
    local values = {}
    for i = 1, 9 do values[i] = { i } end
    local function at(c)
      local guess = {}
      for i = 1, 9 do guess[i] = { c } end
      return losses.Quantile{ quantiles = { 0.25 } }(values, guess):item()
    end
    assert.is_true(at(3) < at(2) and at(3) < at(4))
  end)

  it("refuses what is no quantile", function()
    assert.fails("quantiles must be a list of numbers between 0 and 1", losses.Quantile,
      { quantiles = { 1.5 } })
    assert.fails("no multiple of 3 quantiles", losses.quantile, { { 1, 2 } }, { { 1, 2 } },
      { quantiles = { 0.1, 0.5, 0.9 } })
  end)
end)
