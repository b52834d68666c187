-- Forecasters in files, and what fitting again leaves of what was there before.
local helper = require "spec.helper"
local marea = require "marea"
local forecasting = require "spec.support_forecasting"
local timeseries = marea.timeseries
local Forecaster = timeseries.Forecaster
local monthly, small = forecasting.monthly, forecasting.small

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

  it("learns again as it did", function()
    local rows = {}
    for t, value in ipairs(monthly(2):column(1)) do rows[t] = { value, 3 * math.cos(t) } end
    local wide = timeseries.Series{ rows, names = { "p", "x" }, start = "2010-01", frequency = "month" }
    for _, given in ipairs{
      { targets = { "p" }, loss = "mae", optimizer = marea.optim.SGD{ learning_rate = 0.05 }, horizon = 6,
        training = { epochs = 3, batch_size = 7, folds = 2, shuffle = false } },
      { targets = { "p" }, base = "holt", loss = marea.losses.Huber{ delta = 0.5 }, optimizer = "rmsprop" },
      { transforms = { "log", { "difference", 12 }, "standard" }, targets = { "p" },
        covariate_transforms = { "minmax" }, training = { epochs = 2, validation_split = 0.2,
          patience = 1 } },
      { targets = { "p" }, quantiles = { 0.25, 0.5, 0.75 }, horizon = 2 } } do
      given.lookback, given.model, given.seed = 4, small, 5
      given.training = given.training or { epochs = 1 }
      local forecaster = Forecaster(given)
      forecaster:fit(wide:slice(1, 90))
      forecasting.file_of(forecaster, function(path)
        local loaded = assert(timeseries.load(path))
        forecaster:fit(wide:slice(1, 100))
        loaded:fit(wide:slice(1, 100))
        local function numbers(one)
          local forecast = one:forecast(nil, { level = 0.5 })
          return { forecast.mean, forecast.low, forecast.high }
        end
        assert.are.same(numbers(forecaster), numbers(loaded))
        assert.are.equal(forecaster.report, loaded.report)
      end)
    end
  end)

  it("says that a loss of one's own is not in it", function()
    local forecaster = Forecaster{ lookback = 4, model = small, training = { epochs = 1 },
      loss = function(y, p) return ((y - p) * (y - p)):mean() end }
    forecaster:fit(monthly(1))
    local path = os.tmpname()
    assert(forecaster:save(path))
    local loaded = assert(timeseries.load(path))
    assert.are.same(forecaster:forecast().mean, loaded:forecast().mean)
    assert.fails("the loss was a function, which the file does not hold: set forecaster.loss", loaded.fit,
      loaded, monthly(1))
    loaded.loss = "mse"
    loaded:fit(monthly(1))
    os.remove(path)
  end)

  it("is refused when its description is broken", function()
    local forecaster = Forecaster{ lookback = 3, horizon = 2, model = small, seed = 1,
      transforms = { { "difference", 12 } } }
    forecaster:fit(monthly(1):slice(1, 40), { epochs = 1 })
    local good
    forecasting.file_of(forecaster, function(path)
      local network = assert(marea.load(path))
      good = marea.json.decode(network.extra.forecaster)
      for _, change in ipairs{ { "version", 9 }, { "lookback", -1 }, { "horizon", 3 }, { "roles", 3 },
        { "pipeline", {} }, { "residuals", {} }, { "residuals", { { { "x" } } } }, { "history", {} },
        { "lost", -1 }, { "quantiles", { "a" } }, { "strategy", "x" }, { "fitted", 1 },
        { "calendar", { "moon" } }, { "lost", 0 }, { "quantiles", { 0.25, 0.5 } },
        { "calendar", { "month" } }, { "strategy", "encoder_decoder" }, { "spread", 0.5 },
        { "residuals_of", "thin air" }, { "optimizer", "luck" }, { "loss", "os" }, { "seed", 0.5 },
        { "training", { epochs = "os" } }, { "training", { callbacks = 3 } }, { "training", 3 } } do
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

describe("fitting again", function()
  local series = monthly(1)
  local train, test = series:split{ 96, 24 }

  local function fitted()
    local forecaster = Forecaster{ lookback = 12, horizon = 2, model = small, seed = 1,
      training = { epochs = 1 } }
    forecaster:fit(train)
    return forecaster
  end

  it("forgets the scores of the old network", function()
    local forecaster = fitted()
    forecaster:evaluate(test)
    assert.is_truthy(tostring(forecaster:forecast()):find("judged on 23 windows", 1, true))
    forecaster:fit(series)
    assert.is_nil(forecaster.scores)
    assert.is_truthy(tostring(forecaster:forecast()):find("not judged yet", 1, true))
  end)

  it("changes nothing when it fails", function()
    local forecaster = fitted()
    local before, report = forecaster:forecast(), forecaster.report
    local scores = forecaster:evaluate(test)
    local function unchanged()
      assert.are.same({ before.mean, before.low, before.dates },
        { forecaster:forecast().mean, forecaster:forecast().low, forecaster:forecast().dates })
      assert.are.equal(report, forecaster.report)
      assert.are.equal(scores, forecaster.scores)
    end
    assert.fails("one window needs 14", forecaster.fit, forecaster, series:slice(1, 13))
    unchanged()
    forecaster.model = nil
    assert.fails("model must be", forecaster.fit, forecaster, series:slice(1, 60))
    unchanged()
    forecaster.model = function(info)
      local network = small(info)
      network.fit = function() error("interrupted", 0) end
      return network
    end
    assert.fails("interrupted", forecaster.fit, forecaster, series:slice(1, 60))
    unchanged()
  end)

  it("keeps the scores of a judged network in its file", function()
    local forecaster = fitted()
    local scores = forecaster:evaluate(test, { level = 0.8 })
    forecasting.file_of(forecaster, function(path)
      local loaded = assert(timeseries.load(path))
      assert.are.equal(tostring(scores), tostring(loaded.scores))
      assert.are.same(scores.by_horizon, loaded.scores.by_horizon)
      assert.are.equal(tostring(forecaster:forecast()), tostring(loaded:forecast()))
    end)
    forecaster:fit(train)
    forecasting.file_of(forecaster, function(path)
      assert.is_nil(assert(timeseries.load(path)).scores)
    end)
  end)

  it("refuses broken scores", function()
    local forecaster = fitted()
    forecaster:evaluate(test, { level = 0.8 })
    forecasting.file_of(forecaster, function(path)
      local network = assert(marea.load(path))
      local good = network.extra.forecaster
      for _, change in ipairs{
        function(s) s.rmse = "small" end, function(s) s.windows = 1.5 end, function(s) s.first = nil end,
        function(s) s.baselines = nil end, function(s) s.baselines["seasonal naive"] = nil end,
        function(s) s.baselines.naive.mae = nil end, function(s) s.coverage = nil end,
        function(s) s.by_horizon[1] = "x" end, function(s) s.skill = {} end } do
        local copy = marea.json.decode(good)
        change(copy.scores)
        network.extra.forecaster = marea.json.encode(copy)
        assert(network:save(path))
        local loaded, message = timeseries.load(path)
        assert.is_nil(loaded)
        assert.is_truthy(message:find("the scores are malformed", 1, true), message)
      end
    end)
  end)
end)
