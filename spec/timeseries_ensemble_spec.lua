-- Ensembles: several forecasters whose forecasts are combined.
local marea = require "marea"
require "spec.helper" -- its assertions
local nn, timeseries = marea.nn, marea.timeseries
local Ensemble, Forecaster, Series = timeseries.Ensemble, timeseries.Forecaster, timeseries.Series

local function monthly(rows)
  local list = {}
  for t = 0, rows - 1 do
    list[t + 1] = (100 + t) * (1 + 0.3 * math.sin(2 * math.pi * t / 12)) + 4 * math.sin(t * t)
  end
  return Series{ list, start = "2010-01", frequency = "month", names = { "sales" } }
end

local function small(info)
  return marea.Sequential{ nn.GRU{ 3 }, nn.Dense{ info.outputs } }
end

local function member(seed, more)
  local given = { lookback = 6, horizon = 4, model = small, seed = seed, training = { epochs = 2 } }
  for name, option in pairs(more or {}) do given[name] = option end
  return Forecaster(given)
end

-- Three that see the series in different ways: differences, on a base, step by step.
local function three()
  return member(1, { transforms = { "log", { "difference", 12 } } }),
    member(2, { base = "holt_winters", lookback = 9 }), member(3, { strategy = "recursive", horizon = 1 })
end

-- What `combine` does, once more, in a plain way: of (H) lists of { value }.
local function by_hand(kind, lists)
  local result = {}
  for h = 1, #lists[1] do
    local values, sum = {}, 0
    for i, list in ipairs(lists) do
      values[i] = list[h][1]
      sum = sum + list[h][1]
    end
    table.sort(values)
    result[h] = { kind == "median" and values[2] or sum / #values }
  end
  return result
end

local function forecasts_of(members, given)
  local parts = { mean = {}, low = {}, high = {} }
  for i, one in ipairs(members) do
    local forecast = one:forecast(4, given)
    for name, lists in pairs(parts) do lists[i] = forecast[name] end
  end
  return parts
end

local function file_of(ensemble, f)
  local path = os.tmpname()
  assert(ensemble:save(path))
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

describe("an ensemble", function()
  local series = monthly(120)
  local train, test = series:split{ 96, 24 }

  local function fitted(given)
    local a, b, c = three()
    local ensemble = Ensemble{ a, b, c, combine = given }
    ensemble:fit(train)
    return ensemble
  end

  it("forecasts the mean or the median of what its members forecast", function()
    for _, kind in ipairs{ "mean", "median" } do
      local ensemble = fitted(kind)
      for _, given in ipairs{ { level = 0.6 }, { history = series:slice(1, 110), seed = 7 } } do
        local forecast = ensemble:forecast(nil, given)
        local parts = forecasts_of(ensemble.members, given)
        for name, lists in pairs(parts) do
          assert.are.same(by_hand(kind, lists), forecast[name])
        end
      end
    end
  end)

  it("takes the middle of an even number of members", function()
    local members = { member(1), member(2), member(3), member(4) }
    local ensemble = Ensemble{ members[1], members[2], members[3], members[4], combine = "median" }
    ensemble:fit(train)
    for h, row in ipairs(ensemble:forecast(4).mean) do
      local values = {}
      for i, one in ipairs(members) do values[i] = one:forecast(4).mean[h][1] end
      table.sort(values)
      assert.are.equal((values[2] + values[3]) / 2, row[1])
    end
  end)

  it("learns as its members by themselves, in any order", function()
    local ensemble, a, b, c = fitted("mean"), three()
    for _, one in ipairs{ c, b, a } do one:fit(train) end
    for i, one in ipairs{ a, b, c } do
      assert.are.same(one:forecast(4).mean, ensemble.members[i]:forecast(4).mean)
    end
    assert.is_truthy(ensemble.report:find("3. ", 1, true))
  end)

  it("forecasts as far as all of its members can", function()
    local ensemble = Ensemble{ member(1, { horizon = 6 }), member(2, { horizon = 3 }) }
    ensemble:fit(train)
    assert.are.equal(3, ensemble:forecast().rows)
    assert.fails("asked for 4 steps, the forecaster has learnt 3", ensemble.forecast, ensemble, 4)
    assert.fails("horizon 6, the forecaster has learnt 3", ensemble.evaluate, ensemble, test,
      { horizon = 6 })
    local steps = { strategy = "recursive", horizon = 1 }
    local recursive = Ensemble{ member(1, steps), member(2, steps) }
    recursive:fit(train)
    assert.are.equal(1, recursive:forecast().rows)
    assert.are.equal(9, recursive:forecast(9).rows)
  end)

  it("is judged by its own forecasts, from the origins of its members", function()
    local ensemble = fitted("mean")
    local scores = ensemble:evaluate(test, { level = 0.8 })
    assert.are.equal(21, scores.windows)
    local sum, inside = 0, 0
    for n = 1, 21 do
      local parts = forecasts_of(ensemble.members, { history = series:slice(1, 95 + n) })
      for h, row in ipairs(by_hand("mean", parts.mean)) do
        local error_ = row[1] - series.columns[1][95 + n + h]
        sum = sum + error_ ^ 2
        assert.are.near(row[1], scores.predicted:totable()[n][h][1], 1e-3)
      end
      for h = 1, 4 do
        local value = series.columns[1][95 + n + h]
        inside = inside + (value >= scores.low[n][h][1] and value <= scores.high[n][h][1] and 1 or 0)
      end
    end
    assert.are.near(math.sqrt(sum / 84), scores.rmse, 1e-3)
    assert.are.near(inside / 84, scores.coverage, 1e-6)
    assert.are.near(1 - scores.rmse / scores.baselines["seasonal naive"].rmse, scores.skill, 1e-6)
    assert.are.equal(scores, ensemble.scores)
    assert.is_truthy(tostring(ensemble:forecast(4)):find("skill score", 1, true))
    local worst = 0
    for _, one in ipairs(ensemble.members) do
      worst = math.max(worst, one:evaluate(test, { horizon = 4 }).rmse)
    end
    assert.is_true(scores.rmse < worst)
    assert.fails("leakage", ensemble.evaluate, ensemble, series:slice(90, 120))
    assert.is_nil(fitted("mean").scores)
  end)

  it("stands in a backtest beside others", function()
    local a, b = member(1), member(2, { base = "seasonal_naive", transforms = { "log" } })
    local result = timeseries.backtest({ Ensemble{ a, b } }, series, { horizon = 4, initial = 96,
      step = 10, period = 12, level = 0.8 })
    assert.are.equal("mean of 2 forecasters, horizon 4", result.models[1].name)
    assert.are.equal(4, #result.models[1].forecasts[1].low)
  end)

  it("forecasts the same from a file, and from a file of that", function()
    local ensemble = fitted("median")
    local expected = ensemble:forecast(4, { history = series:slice(1, 104) })
    file_of(ensemble, function(path)
      local loaded = assert(timeseries.load(path))
      file_of(loaded, function(second)
        for _, one in ipairs{ loaded, assert(timeseries.load(second)) } do
          local forecast = one:forecast(4, { history = series:slice(1, 104) })
          assert.are.same({ expected.mean, expected.low, expected.high, expected.dates },
            { forecast.mean, forecast.low, forecast.high, forecast.dates })
          assert.are.equal(tostring(ensemble), tostring(one))
          assert.are.equal(ensemble:evaluate(test).rmse, one:evaluate(test).rmse)
        end
      end)
    end)
  end)

  it("is refused when its file is broken", function()
    file_of(fitted("mean"), function(path)
      local model = assert(marea.load(path))
      local good = model.extra.ensemble
      local function refused(message, change)
        local copy = marea.json.decode(good)
        change(copy)
        model.extra.ensemble = marea.json.encode(copy)
        assert(model:save(path))
        local loaded, problem = timeseries.load(path)
        assert.is_nil(loaded)
        assert.is_truthy(problem:find("ensemble: ", 1, true) and problem:find(message, 1, true), problem)
      end
      refused("version number 2, expected 1", function(d) d.version = 2 end)
      refused("members are malformed", function(d) d.members = nil end)
      refused("names is malformed", function(d) d.names = nil end)
      refused("member 2 is malformed", function(d) d.names[2] = "elsewhere" end)
      refused("member 3 is malformed", function(d) d.members[3] = "text" end)
      refused("two forecasters or more", function(d) d.names = { d.names[1] } end)
      refused("combine", function(d) d.combine = "sum" end)
      refused("member 2 forecasts sales, member 1 x", function(d) d.members[1].roles.targets = { "x" } end)
      model.extra.ensemble = "{"
      assert(model:save(path))
      assert.is_nil((timeseries.load(path)))
    end)
  end)

  it("says what is wrong with it", function()
    local a, b = member(1), member(2)
    assert.fails("Ensemble: give two forecasters or more", Ensemble, { a })
    assert.fails("Ensemble: give two forecasters or more", Ensemble, a)
    assert.fails("Ensemble: give two forecasters or more", Ensemble, nil)
    assert.fails("member 2 must be a timeseries.Forecaster, got", Ensemble,
      { a, timeseries.baselines.naive{} })
    assert.fails("member 3 is member 1 again; make another one", Ensemble, { a, b, a })
    assert.fails("combine", Ensemble, { a, b, combine = "sum" })
    assert.fails("weights", Ensemble, { a, b, weights = { 1, 2 } })
    local ensemble = Ensemble{ a, b }
    for _, name in ipairs{ "forecast", "evaluate", "save" } do
      assert.fails(name .. ": fit the ensemble first (member 1 is not fitted)", ensemble[name], ensemble,
        name == "evaluate" and test or nil)
    end
    local two = Series{ { { 1, 2 }, { 2, 3 }, { 4, 3 }, { 3, 1 }, { 2, 2 }, { 5, 4 }, { 4, 4 }, { 6, 5 } },
      names = { "x", "y" } }
    local short = { lookback = 2, horizon = 1 }
    local x = member(1, { lookback = 2, horizon = 1, targets = { "x" } })
    local differing = Ensemble{ x, member(2, short) }
    assert.fails("member 2 forecasts x, y, member 1 x; give all the same targets", differing.fit,
      differing, two)
  end)

  it("refuses to judge members from different origins", function()
    local ensemble = Ensemble{ member(1), member(2, { lookback = 9 }) }
    ensemble:fit(train)
    local alone = Series{ table.move(test:column(1), 1, 24, 1, {}), start = "2018-01", frequency = "month",
      names = { "sales" } }
    assert.fails("member 2 can be judged from 2018-10 on, member 1 from 2018-07; take the part",
      ensemble.evaluate, ensemble, alone)
  end)
end)
