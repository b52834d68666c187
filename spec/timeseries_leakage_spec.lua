-- What a forecaster has learnt from is no test, whichever way the rows come.
local marea = require "marea"
local forecasting = require "spec.support_forecasting"
require "spec.helper" -- its assertions
local nn, timeseries = marea.nn, marea.timeseries
local Forecaster, Series = timeseries.Forecaster, timeseries.Series
local monthly = forecasting.monthly

local function line(info)
  return marea.Sequential{ nn.Flatten{}, nn.Dense{ info.outputs } }
end

local function forecaster_of(more)
  local given = { lookback = 4, horizon = 2, model = line, seed = 1, training = { epochs = 1 } }
  for name, option in pairs(more or {}) do given[name] = option end
  return Forecaster(given)
end

describe("leakage is refused:", function()
  local series = monthly(4)
  local train, validation, test = series:split{ 72, 24, 24 }
  local plain = Series{ forecasting.sales(120, 4), names = { "sales" } }

  local function refused(forecaster, part, message)
    assert.fails("evaluate: leakage: " .. (message or "transforms and network"), forecaster.evaluate,
      forecaster, part)
  end

  -- The forecaster, and what its file holds.
  local function both(forecaster, f)
    f(forecaster)
    forecasting.file_of(forecaster, function(path) f(assert(timeseries.load(path))) end)
  end

  it("judging by the validation part", function()
    for _, base in ipairs{ false, "holt_winters" } do
      local forecaster = forecaster_of{ base = base or nil }
      forecaster:fit(train, { epochs = 2, validation = validation, patience = 1 })
      both(forecaster, function(one)
        refused(one, validation, "early stopping and intervals have learnt from 2016-01 … 2017-12 "
          .. "(24 rows), the part to be judged begins at 2016-01; judge by what lies behind it")
        refused(one, series:slice(90), "early stopping")
        assert.are.equal(23, one:evaluate(test).windows)
        assert.are.equal(23, one:evaluate(validation, { in_sample = true }).windows)
      end)
      forecaster:fit(train)
      assert.are.equal(23, forecaster:evaluate(validation).windows)
    end
  end)

  it("the same without dates", function()
    local first, second, third = plain:split{ 72, 24, 24 }
    local forecaster = forecaster_of()
    forecaster:fit(first, { validation = second })
    both(forecaster, function(one)
      refused(one, second, "early stopping and intervals have learnt from row 73 … row 96")
      refused(one, plain:slice(80), "early stopping")
      refused(one, plain:slice(50, 90))
      assert.are.equal(23, one:evaluate(third).windows)
    end)
  end)

  it("validation that begins within the training part, without dates", function()
    local forecaster = forecaster_of()
    assert.fails("fit: the validation part begins at row 50, the training part ends at row 100: leakage",
      forecaster.fit, forecaster, plain:slice(1, 100), { validation = plain:slice(50, 120) })
    assert.fails("begins at row 1, the training part ends at row 120: leakage", forecaster.fit, forecaster,
      plain:column(1), { validation = plain:column(1) })
    forecaster:fit(plain:slice(1, 100), { validation = plain:slice(101) })
    forecaster:fit(plain:slice(1, 100):column(1), { validation = plain:slice(101):column(1) })
    assert.fails('fit: validation: there is no column string "sales"; there are value', forecaster.fit, forecaster,
      plain:slice(1, 100), { validation = plain:column(1) })
  end)

  it("the same list once more, and copies of it", function()
    local forecaster, values = forecaster_of(), plain:column(1)
    forecaster:fit(values)
    both(forecaster, function(one)
      refused(one, values)
      refused(one, table.move(values, 1, 120, 1, {}))
    end)
    refused(forecaster, table.move(values, 1, 60, 1, {}))
    -- Another list is another series, as far as anyone can tell.
    forecaster:fit(table.move(values, 1, 96, 1, {}))
    assert.are.equal(19, forecaster:evaluate(table.move(values, 97, 120, 1, {})).windows)
  end)

  it("columns that are chosen twice, and parts of a series that a file does not know", function()
    local rows = {}
    for t, value in ipairs(plain:column(1)) do rows[t] = { value, math.cos(t) } end
    local wide, forecaster = Series{ rows, names = { "a", "b" } }, forecaster_of()
    forecaster:fit(wide:select{ "a" })
    both(forecaster, function(one) refused(one, wide:select{ "a" }) end)
    forecaster:fit(wide:slice(1, 96):select{ "a" })
    both(forecaster, function(one)
      refused(one, wide:slice(1, 96):select{ "a" })
      refused(one, wide:select{ "a" }:slice(40, 90))
      assert.are.equal(23, one:evaluate(wide:select{ "a" }:slice(97)).windows)
    end)
  end)

  it("transforms that see the windows which are held out", function()
    local list = forecasting.sales(60, 1)
    local other = table.move(list, 1, 60, 1, {})
    for t = 49, 60 do other[t] = 1000 end
    local reports = {}
    for i, values in ipairs{ list, other } do
      local forecaster = forecaster_of{ transforms = { "minmax" } }
      -- 55 windows: 11 of them are held out, whose targets begin at row 49
      forecaster:fit(Series{ values }, { validation_split = 0.2 })
      reports[i] = forecaster.report:match("transforms, fitted on row 1 … row 48: (.*)")
      assert.are.same({ forecaster.pipeline.stages[1].shift[1] + forecaster.pipeline.stages[1].scale[1] },
        { math.max(table.unpack(list, 1, 48)) })
    end
    assert.is_truthy(reports[1] and reports[1] == reports[2])
    assert.fails("of 3 windows 2 are held out for validation and 1 lie between: none is left", function()
      forecaster_of():fit(Series{ { 1, 2, 3, 4, 5, 6, 7, 9 } }, { validation_split = 0.6 })
    end)
  end)
end)
