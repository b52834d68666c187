-- What forecasters check in their options and series, and what their scores and texts say.
local marea = require "marea"
local forecasting = require "spec.support_forecasting"
require "spec.helper" -- its assertions
local support = require "spec.support"
local timeseries = marea.timeseries
local Forecaster, Series = timeseries.Forecaster, timeseries.Series
local monthly, small = forecasting.monthly, forecasting.small

describe("forecasters check", function()
  local series = monthly(1)
  local train, test = series:split{ 96, 24 }
  local forecaster = Forecaster{ lookback = 1, horizon = 2, model = small, seed = 1,
    training = { epochs = 1 } }
  forecaster:fit(train)

  it("the options of intervals, in forecast and in evaluate", function()
    for who, call in pairs{ forecast = function(given) forecaster:forecast(2, given) end,
      evaluate = function(given)
        given.level = given.level or 0.8
        forecaster:evaluate(test, given)
      end } do
      local function fails(part, given) assert.fails(who .. ": " .. part, call, given) end
      fails("level is a share between 0 and 1, 0.8 for 80 %; got 80", { level = 80 })
      fails("level is a share between 0 and 1, 0.8 for 80 %; got 1", { level = 1 })
      fails("level must be a number in", { level = -1 })
      fails("level must be a number in", { level = 0 })
      fails("level must be a number in", { level = "wide" })
      fails("paths must be", { paths = 0 })
      fails("paths must be", { paths = 2.5 })
      fails('seed must be a whole number', { seed = "x" })
    end
    assert.fails("quantiles have a loss of their own, the pinball loss; leave loss out", Forecaster,
      { lookback = 2, model = small, quantiles = { 0.1, 0.5, 0.9 }, loss = "mae" })
  end)

  it("what validates, and series that are too short for a difference", function()
    assert.fails("fit: the validation part of 1 rows holds no window", forecaster.fit, forecaster,
      Series{ { 1, 3, 2, 5 } }, { validation = { 4 } })
    forecaster:fit({ 1, 3, 2, 5, 4, 6 }, { validation = { 7, 6, 9, 8 } })
    assert.fails("Series: column", forecaster.fit, forecaster, { 1, 3, 2, 5 }, { validation = { "x" } })
    local yearly = Forecaster{ lookback = 1, model = small, transforms = { { "difference", 12 } } }
    assert.fails("fit: the series has 10 rows, one window needs 14 (lookback 1, horizon 1, 12 used up",
      yearly.fit, yearly, series:slice(1, 10))
    local seasons = {}
    for t = 1, 60 do seasons[t] = t % 12 end
    yearly = Forecaster{ lookback = 1, model = small,
      transforms = { { "difference", 12 }, "standard" } }
    assert.fails('column "value" (after difference of lag 12) is constant in the training part', yearly.fit,
      yearly, seasons)
    forecaster:fit(train)
  end)

  it("that dates are as far apart as those that were learnt from", function()
    local daily = Series{ series:column(1), start = "2020-01-01", frequency = "day", names = { "sales" } }
    local message = ": the dates are not as far apart as those of the training part: day here, month there"
    assert.fails("forecast" .. message, forecaster.forecast, forecaster, 2, { history = daily })
    assert.fails("evaluate" .. message, forecaster.evaluate, forecaster, daily)
    assert.fails("fit: validation" .. message, forecaster.fit, forecaster, train, { validation = daily })
    -- One row has no frequency, a list no dates.
    assert.are.equal(2, forecaster:forecast(2, { history = test:slice(1, 1) }).rows)
    assert.are.equal(2, forecaster:forecast(2, { history = Series{ { 1, 2 }, names = { "sales" } } }).rows)
  end)

  it("by sMAPE, and intervals by the pinball loss", function()
    local metrics = timeseries.metrics
    local scores = forecaster:evaluate(test, { level = 0.6 })
    local function flat(rows) return marea.tensor(rows):reshape{ -1 } end
    local actual = flat(scores.actual:totable())
    support.near(metrics.smape(actual, flat(scores.predicted:totable())), scores.smape, 1e-3)
    support.near((metrics.pinball(actual, flat(scores.low), 0.2)
      + metrics.pinball(actual, flat(scores.high), 0.8)) / 2, scores.pinball, 1e-3)
    assert.is_truthy(tostring(scores):find("; sMAPE [%d.]+%%; MASE"))
    assert.is_truthy(tostring(scores):find("pinball loss [%d.]+"))
    assert.is_nil(forecaster:evaluate(test).pinball)
  end)

  it("nothing away: a season stands beside each forecast, numbers show what tells them apart", function()
    local text = tostring(forecaster:forecast(2))
    for h = 1, 2 do
      assert.is_truthy(text:find(("2018%%-%02d[^\n]* %s\n"):format(h, (("%.6g"):format(
        series.columns[1][84 + h]):gsub("%.", "%%.")))), text)
    end
    local forecast = forecaster:forecast(2)
    local function shown(mean, low, high)
      for h = 1, 2 do forecast.mean[h][1], forecast.low[h][1], forecast.high[h][1] = mean, low, high end
      return tostring(forecast):match("2018%-01 +(%S+) +(%S+) +(%S+)")
    end
    assert.are.same({ "1234567", "1234321", "1234890" }, { shown(1234567.2, 1234321, 1234890) })
    assert.are.same({ "413.7", "390.1", "436.5" }, { shown(413.71, 390.12, 436.49) })
    assert.are.same({ "0.01234", "0.01200", "0.01400" }, { shown(0.012341, 0.012, 0.014) })
    assert.are.same({ "7.5", "7.5", "7.5" }, { shown(7.5, 7.5, 7.5) })
    assert.are.same({ "1e-12", "0", "2e-12" }, { shown(1e-12, 0, 2e-12) })
  end)

  it("Box-Cox of negative lambda: paths beyond its limit end at a value", function()
    local list = {}
    for i = 1, 120 do list[i] = 1 / (2 + math.sin(i / 3) + 0.3 * math.sin(i * i)) end
    local steep = Forecaster{ lookback = 4, horizon = 12, model = small, seed = 1,
      transforms = { "boxcox", "standard" }, training = { epochs = 1, folds = 0 } }
    local whole = Series{ list }
    steep:fit(whole:slice(1, 100))
    for _, steps in ipairs(steep.residuals) do -- most paths leave the range
      for _, row in ipairs(steps) do row[1] = 20 * row[1] end
    end
    local forecast = steep:forecast()
    for h = 1, 12 do
      local high = forecast.high[h][1]
      assert.is_true(forecast.low[h][1] <= forecast.mean[h][1] and forecast.mean[h][1] <= high)
      assert.is_true(high <= 10 * math.max(table.unpack(list)) * 1.000001)
    end
    assert.is_true(steep:evaluate(whole:slice(101), { level = 0.8 }).coverage > 0)
  end)
end)
