-- Residuals that intervals are drawn from: those of the training windows, or crossed by folds.
local forecasting = require "spec.support_forecasting"
local marea = require "marea"
require "spec.helper" -- its assertions
local nn, timeseries = marea.nn, marea.timeseries
local Forecaster, Series = timeseries.Forecaster, timeseries.Series

local function noisy(rows)
  local list = {}
  for t = 1, rows do list[t] = math.sin(t * t) + 0.3 * math.cos(t) end
  return Series{ list }
end

-- Weights as they begin: the answers do not depend on what was learnt.
local untrained = marea.optim.SGD{ learning_rate = 1e-30 }

local function line(info)
  return marea.Sequential{ nn.Flatten{}, nn.Dense{ info.outputs, kernel_initializer = "zeros" } }
end

-- Learns its training windows by heart.
local function greedy(info)
  return marea.Sequential{ nn.Flatten{}, nn.Dense{ 64, activation = "tanh" }, nn.Dense{ info.outputs } }
end

describe("fit{ folds }", function()
  it("keeps one residual a window, in the order of the windows", function()
    local function residuals(folds)
      local forecaster = Forecaster{ lookback = 4, horizon = 3, model = line, optimizer = untrained,
        seed = 1 }
      forecaster:fit(noisy(40), { epochs = 1, folds = folds })
      return forecaster.residuals
    end
    local plain = residuals(0)
    assert.are.equal(34, #plain)
    for _, folds in ipairs{ 2, 5, 7 } do
      local crossed = residuals(folds)
      assert.are.equal(34, #crossed)
      for i, row in ipairs(plain) do
        for h = 1, 3 do assert.is_true(math.abs(row[h][1] - crossed[i][h][1]) < 1e-5) end
      end
    end
  end)

  it("learns from windows that share no target with the block", function()
    local seen = {}
    local forecaster = Forecaster{ lookback = 2, horizon = 3, transforms = {}, seed = 1,
      model = function(info)
        local network = line(info)
        local fit = network.fit
        network.fit = function(self, x, y, given)
          seen[#seen + 1] = y:totable()
          return fit(self, x, y, given)
        end
        return network
      end }
    local list = {}
    for t = 1, 24 do list[t] = t end -- 20 windows; the first target of window i is i + 2
    forecaster:fit(Series{ list }, { epochs = 1, folds = 4 })
    assert.are.equal(5, #seen)
    assert.are.equal(20, #seen[1])
    for k = 1, 4 do
      local first, last = 5 * (k - 1) + 1, 5 * k
      local expected, got = {}, {}
      for i = 1, 20 do
        if i + 2 < first or i > last + 2 then expected[#expected + 1] = i + 2 end
      end
      for i, targets in ipairs(seen[k + 1]) do got[i] = math.floor(targets[1] + 0.5) end
      assert.are.same(expected, got)
      for _, targets in ipairs(seen[k + 1]) do -- no target of theirs is one of the block's
        for _, t in ipairs(targets) do assert.is_true(t < first + 2 or t > last + 4) end
      end
    end
  end)

  it("does not change the forecast, and widens what flatters", function()
    local function fitted(folds)
      local forecaster = Forecaster{ lookback = 6, horizon = 2, model = greedy, seed = 3,
        optimizer = marea.optim.Adam{ learning_rate = 0.01 } }
      local history = forecaster:fit(noisy(60), { epochs = 150, folds = folds })
      return forecaster:forecast(2, { level = 0.8 }), history
    end
    local plain, history = fitted(0)
    local crossed, again = fitted(4)
    assert.are.same(plain.mean, crossed.mean)
    assert.are.same(history.loss, again.loss)
    for h = 1, 2 do
      local narrow, wide = plain.high[h][1] - plain.low[h][1], crossed.high[h][1] - crossed.low[h][1]
      assert.is_true(wide > 2 * narrow, ("%g and %g"):format(narrow, wide))
    end
  end)

  it("is not needed where windows are held out", function()
    local forecaster = Forecaster{ lookback = 4, horizon = 2, model = line, seed = 1 }
    forecaster:fit(noisy(44), { epochs = 1, validation_split = 0.25 })
    assert.are.equal(10, #forecaster.residuals)
    assert.are.equal("validation", forecaster.residuals_of)
    assert.fails("those of the validation part or those of the folds", forecaster.fit, forecaster,
      noisy(44), { folds = 3, validation_split = 0.25 })
    local quantiles = Forecaster{ lookback = 4, model = line, quantiles = { 0.1, 0.5, 0.9 } }
    assert.fails("folds give residuals, and this forecaster's intervals are its network's quantiles",
      quantiles.fit, quantiles, noisy(44), { folds = 3 })
  end)

  it("is done unasked for few windows, and said of many", function()
    local function fitted(rows, given)
      local forecaster = Forecaster{ lookback = 1, horizon = 2, model = line, optimizer = untrained,
        seed = 1 }
      forecaster:fit(noisy(rows), given or { epochs = 1 })
      return forecaster
    end
    local note = "rest on windows that were learnt from"
    for rows, kind in pairs{ [9] = "training", [10] = "folds", [502] = "folds", [503] = "training" } do
      local forecaster = fitted(rows)
      assert.are.equal(kind, forecaster.residuals_of, rows)
      assert.are.equal(kind == "training", tostring(forecaster:forecast()):find(note, 1, true) ~= nil)
      assert.is_truthy(forecaster.report:find(kind == "folds" and "by a network that has not seen it"
        or "which flatters", 1, true))
    end
    local plain = fitted(40, { epochs = 1, folds = 0 })
    assert.are.equal("training", plain.residuals_of)
    forecasting.file_of(plain, function(path)
      local loaded = assert(timeseries.load(path))
      assert.are.same({ plain.spread, "training" }, { loaded.spread, loaded.residuals_of })
      assert.are.equal(tostring(plain:forecast()), tostring(loaded:forecast()))
    end)
  end)

  it("cuts long horizons too: no more than half of the other windows is left out", function()
    local sizes = {}
    local forecaster = Forecaster{ lookback = 2, horizon = 24, transforms = {}, seed = 1,
      model = function(info)
        local network = line(info)
        local fit = network.fit
        network.fit = function(self, x, y, given)
          sizes[#sizes + 1] = x:size(1)
          return fit(self, x, y, given)
        end
        return network
      end }
    forecaster:fit(noisy(65), { epochs = 1, folds = 4 }) -- 40 windows in blocks of 10
    assert.are.same({ 40, 15, 16, 16, 15 }, sizes)
    assert.are.equal(40, #forecaster.residuals)
  end)

  it("goes with a base, whose fitted errors count wider", function()
    local base = timeseries.baselines.autoregression{ 8 }
    local forecaster = Forecaster{ lookback = 3, base = base, model = line, optimizer = untrained,
      seed = 1 }
    local series = noisy(60)
    forecaster:fit(series, { epochs = 1, folds = 3 })
    base:fit(series)
    local squares, errors = 0, base:residuals()
    for _, e in ipairs(errors) do squares = squares + e * e end
    local widening = base:parameters().sigma / math.sqrt(squares / #errors)
    local scale = math.sqrt(squares / #errors)
    assert.is_true(widening > 1.05)
    for i, row in ipairs(forecaster.residuals) do
      assert.is_true(math.abs(row[1][1] - widening * errors[i + 3] / scale) < 1e-4)
    end
  end)

  it("refuses what cannot be cut", function()
    local forecaster = Forecaster{ lookback = 4, horizon = 2, model = line, seed = 1 }
    local function fails(part, folds)
      assert.fails(part, forecaster.fit, forecaster, noisy(12), { epochs = 1, folds = folds })
    end
    fails("fit: folds must be 0 or at least 2, got 1", 1)
    fails("folds must be", -2)
    fails("folds must be", 2.5)
    fails("fit: 7 windows of horizon 2 cannot be cut into 8 folds", 8)
  end)
end)

describe("an interval", function()
  local function with_residuals(list, spread, more)
    local given = { lookback = 1, transforms = {}, model = line, optimizer = untrained, seed = 1 }
    for name, option in pairs(more or {}) do given[name] = option end
    local forecaster = Forecaster(given)
    forecaster:fit(noisy(40), { epochs = 1, folds = 0 })
    forecaster.residuals, forecaster.spread = list, spread
    return forecaster
  end

  it("lies around the forecast, however one-sided the residuals are", function()
    local list = {}
    for i = 1, 50 do list[i] = { { 3 } } end
    local forecast = with_residuals(list, 1):forecast(1, { level = 0.8, paths = 501 })
    assert.is_true(math.abs(forecast.mean[1][1] - forecast.low[1][1] - 3) < 1e-5)
    assert.is_true(math.abs(forecast.high[1][1] - forecast.mean[1][1] - 3) < 1e-5)
    for i = 1, 50 do list[i] = { { 1 + i % 7 } } end
    forecast = with_residuals(list, 1, { strategy = "recursive" }):forecast(5)
    for h = 1, 5 do
      local mean, low, high = forecast.mean[h][1], forecast.low[h][1], forecast.high[h][1]
      assert.is_true(low < mean and mean < high)
    end
  end)

  it("is wider the fewer stretches of a horizon the residuals are of", function()
    local function spread(rows, horizon)
      local forecaster = Forecaster{ lookback = 1, horizon = horizon, model = line, seed = 1 }
      forecaster:fit(noisy(rows), { epochs = 1 })
      return forecaster.spread
    end
    assert.is_true(math.abs(spread(102, 1) - math.sqrt(102 / 100)) < 1e-12)
    assert.is_true(math.abs(spread(31, 10) - math.sqrt(4 / 2)) < 1e-12)
    assert.is_true(math.abs(spread(12, 10) - math.sqrt(2.5 / 0.5)) < 1e-12)
    local list = {}
    for i = 1, 50 do list[i] = { { 3 } } end
    local forecast = with_residuals(list, 2):forecast(1)
    assert.is_true(math.abs(forecast.high[1][1] - forecast.mean[1][1] - 6) < 1e-5)
  end)

  it("heeds late residuals more than early ones", function()
    local list = {}
    for i = 1, 100 do list[i] = { { i <= 50 and 1 or 5 } } end
    -- Of weights that rise from 1 to 4, the earlier half has a third.
    local forecast = with_residuals(list, 1):forecast(1, { level = 0.3, paths = 4000 })
    assert.is_true(math.abs(forecast.high[1][1] - forecast.mean[1][1] - 1) < 1e-5)
    forecast = with_residuals(list, 1):forecast(1, { level = 0.4, paths = 4000 })
    assert.is_true(math.abs(forecast.high[1][1] - forecast.mean[1][1] - 5) < 1e-5)
  end)
end)
