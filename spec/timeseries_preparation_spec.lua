-- Transforms, scalers, pipelines, windows.
require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local forecasting = require "spec.support_forecasting"
local timeseries = marea.timeseries

local golden = assert(marea.json.decode(assert(io.open("spec/golden/timeseries.json")):read("a")))

-- The series of the golden numbers: trend, season and a pattern of five.
local function formula(t)
  return 20 + t / 2 + 6 * math.sin(2 * math.pi * t / 12) + t * 7 % 5
end
local values, squares = {}, {}
for t = 0, 47 do
  values[t + 1] = formula(t)
  squares[t + 1] = { formula(t), formula(t) ^ 2 / 10 }
end
local series = timeseries.Series{ values, start = "2020-01", frequency = "month" }
local pair = timeseries.Series{ squares, start = "2020-01", frequency = "month", names = { "a", "b" } }

describe("scalers", function()
  for name, stage in pairs{ standard = "standard", minmax = "minmax", robust = "robust",
    minmax_range = { "minmax", feature_range = { -1, 2 } },
    robust_range = { "robust", quantile_range = { 10, 80 } } } do
    it("are those of scikit-learn, fitted on the training part: " .. name, function()
      local pipeline = timeseries.Pipeline{ stage }:fit(pair:slice(1, 36))
      local scaled = pipeline:transform(pair)
      for d = 1, 2 do
        for t, row in ipairs(golden.scalers[name]) do
          assert.is_true(math.abs(row[d] - scaled.columns[d][t]) < 1e-12)
        end
      end
      local back = pipeline:inverse(scaled.columns, pair, 0)
      for d = 1, 2 do support.near(pair.columns[d], back[d], 1e-12) end
    end)
  end

  it("refuse a constant column by its name", function()
    local flat = timeseries.Series{ { { 1, 5 }, { 2, 5 }, { 3, 5 }, { 4, 9 } }, names = { "x", "y" } }
    for _, name in ipairs{ "standard", "minmax", "robust" } do
      assert.fails('column "y" is constant in the training part (rows 1 to 3)', function()
        timeseries.Pipeline{ name }:fit(flat:slice(1, 3))
      end)
    end
    local quartiles = timeseries.Series{ { 1, 5, 5, 5, 5, 5, 9 } }
    assert.fails('column "value" cannot be scaled', function()
      timeseries.Pipeline{ "robust" }:fit(quartiles)
    end)
    assert.fails("feature_range must be", timeseries.MinMaxScaler, { feature_range = { 1, 1 } })
    assert.fails("quantile_range must be", timeseries.RobustScaler, { quantile_range = { 5, 200 } })
  end)
end)

describe("transforms", function()
  it("find SciPy's lambda of Box and Cox", function()
    local pipeline = timeseries.Pipeline{ "boxcox" }:fit(series)
    assert.is_true(math.abs(pipeline.stages[1].lambdas[1] - golden.box_cox.lambda) < 1e-6)
    support.near(golden.box_cox.values, pipeline:transform(series):column(1), 1e-5)
    local half = timeseries.Pipeline{ { "boxcox", 0.5 } }:fit(series)
    support.near(golden.box_cox.half, half:transform(series):column(1), 1e-12)
    assert.is_truthy(tostring(half):find("lambda 0.500", 1, true))
    -- λ 0 is the logarithm, and one near 0 is near to it.
    local zero = timeseries.Pipeline{ timeseries.BoxCox{ 0 } }:fit(series)
    support.near(math.log(values[5]), zero:transform(series):column(1)[5], 1e-12)
  end)

  it("never give NaN when they are undone outside their range", function()
    local half = timeseries.Pipeline{ { "boxcox", 0.5 } }:fit(series)
    assert.are.same({ 0 }, half:inverse({ -3 }, series))
    local negative = timeseries.Pipeline{ { "boxcox", -0.5 } }:fit(series)
    -- Beyond the limit 2 of a negative lambda, and below it far up: ten times the largest value.
    local most = 10 * math.max(table.unpack(series:column(1)))
    assert.are.same({ most, most, most }, negative:inverse({ 3, 2, 1.99999999 }, series))
    support.near(4, negative:inverse({ 1 }, series)[1], 1e-12)
    local again = timeseries.Pipeline.from_config(negative:get_config())
    assert.are.same({ most }, again:inverse({ 3 }, series))
  end)

  it("refuse values without a logarithm by column and row", function()
    local cold = timeseries.Series{ { 3, 0, 2 }, names = { "temp" } }
    assert.fails('Log: column "temp", row 2: 0 has no logarithm', function()
      timeseries.Pipeline{ "log" }:fit(cold)
    end)
    assert.fails('BoxCox: column "temp", row 2: 0; values must be positive', function()
      timeseries.Pipeline{ "boxcox" }:fit(cold)
    end)
    assert.fails("constant", function()
      timeseries.Pipeline{ "boxcox" }:fit(timeseries.Series{ { 2, 2, 2 } })
    end)
  end)

  it("of every kind and order are undone exactly from the history, at any origin", function()
    local chains = { { "log" }, { "difference" }, { { "difference", 12 } },
      { "log", { "difference", 12 }, "difference", "standard" }, { "boxcox", "difference", "minmax" },
      { "standard", "difference", { "difference", 3 } }, { "minmax", { "difference", lag = 2 } } }
    for i, stages in ipairs(chains) do
      local pipeline = timeseries.Pipeline(stages):fit(pair:slice(1, 30))
      local ready = pipeline:transform(pair)
      assert.are.equal(48 - pipeline.lost, ready.rows)
      assert.are.equal(pair:date(pipeline.lost + 1), ready:date(1))
      for _, origin in ipairs{ pipeline.lost, 20, 30, 47 } do
        local ahead, expected = {}, {}
        for d = 1, 2 do
          ahead[d] = table.move(ready.columns[d], origin - pipeline.lost + 1, ready.rows, 1, {})
          expected[d] = table.move(pair.columns[d], origin + 1, 48, 1, {})
        end
        if origin > 0 then
          local back = pipeline:inverse(ahead, pair, origin)
          for d = 1, 2 do support.near(expected[d], back[d], 1e-10) end
        end
      end
      assert.is_true(pipeline.lost < 14, i)
    end
  end)

  it("travel as JSON, and a malformed one is refused", function()
    local pipeline = timeseries.Pipeline{ "boxcox", { "difference", 12 }, "robust" }:fit(pair)
    local text = marea.json.encode(pipeline:get_config())
    local copy = timeseries.Pipeline.from_config(marea.json.decode(text))
    assert.are.same(pipeline:transform(pair).columns, copy:transform(pair).columns)
    for _, broken in ipairs{ "{}", '{"width":0,"stages":[]}', '{"width":1,"stages":[{}]}',
      '{"width":1,"stages":[{"class_name":"Exec","config":{}}]}',
      '{"width":2,"stages":[{"class_name":"StandardScaler","config":{"shift":[1],"scale":[1]}}]}',
      '{"width":1,"stages":[{"class_name":"BoxCox","config":{"lambdas":["x"]}}]}',
      '{"width":1,"stages":[{"class_name":"Difference","config":{"lag":-4}}]}' } do
      assert.is_false(pcall(timeseries.Pipeline.from_config, marea.json.decode(broken)), broken)
    end
  end)

  it("are refused when they are not what they should be", function()
    local Pipeline = timeseries.Pipeline
    assert.fails("stage 1 is string \"cube\"; there are boxcox, difference", Pipeline, { "cube" })
    assert.fails("stage 2 is number 3", Pipeline, { "log", 3 })
    assert.fails("fit the pipeline first", function() Pipeline{ "log" }:transform(series) end)
    assert.fails("2 columns, the pipeline was fitted on 1", function()
      Pipeline{ "log" }:fit(series):transform(pair)
    end)
    assert.fails("lag must be a positive whole number", Pipeline, { { "difference", 0 } })
    assert.fails("3 rows, the differences use up 12", function()
      Pipeline{ { "difference", 12 } }:fit(series:slice(1, 3))
    end)
    assert.fails("needs 12 rows of history, there are 5", function()
      Pipeline{ { "difference", 12 } }:fit(series):inverse({ 1 }, series, 5)
    end)
  end)
end)

describe("the future of known columns", function()
  local rows = {}
  for t = 1, 60 do rows[t] = { 20 + t % 12, t % 5 == 0 and 1 or 0 } end
  local names = { "y", "fair" }
  local function series_of(list, start, frequency)
    return timeseries.Series{ list, names = names, known = { "fair" }, start = start,
      frequency = frequency }
  end
  local dated, plain = series_of(rows, "2020-01", "month"), series_of(rows)
  local ahead = table.move(dated:column("fair"), 49, 54, 1, {})

  local function forecaster(strategy, whole)
    local made = timeseries.Forecaster{ lookback = 3, horizon = strategy == "direct" and 6 or 1,
      strategy = strategy, seed = 3, model = forecasting.small, optimizer = forecasting.untrained }
    made:fit(whole:slice(1, 48), { epochs = 1 })
    return made
  end

  for _, strategy in ipairs{ "direct", "recursive" } do
    it("is found by its dates, not by its place: " .. strategy, function()
      local model = forecaster(strategy, dated)
      local expected = model:forecast(6, { known = dated:slice(49, 54) }).mean
      local other = model:forecast(6, { known = { 9, 9, 9, 9, 9, 9 } }).mean
      assert.are_not.same(expected, other)
      for _, known in ipairs{ dated, dated:slice(40), dated:slice(49), ahead, { fair = ahead },
        marea.tensor(ahead), timeseries.Series{ ahead, names = { "fair" } } } do
        assert.are.same(expected, model:forecast(6, { known = known }).mean)
      end
      -- Without dates by the place in the series of which both are parts, or from the first row on.
      local undated = forecaster(strategy, plain)
      for _, known in ipairs{ plain, plain:slice(40), plain:slice(49), ahead } do
        assert.are.same(expected, undated:forecast(6, { known = known }).mean)
      end
      assert.fails("known has 4 rows after the history, 6 are needed", undated.forecast, undated, 6,
        { known = plain:slice(1, 52) })
      assert.fails("its first row is 9 after the one that follows the history", undated.forecast, undated, 6,
        { known = plain:slice(58, 60) })
      assert.fails("it has dates and the history has none", undated.forecast, undated, 6,
        { known = dated })
    end)
  end

  it("is refused where it is not there", function()
    local model = forecaster("direct", dated)
    local function refused(known, ...)
      local message = select(2, pcall(model.forecast, model, 6, { known = known }))
      for _, part in ipairs{ ... } do
        assert.is_truthy(tostring(message):find(part, 1, true), tostring(message))
      end
    end
    refused(dated:slice(1, 12), "known: the 6 steps 2024-01 … 2024-06 are needed, it holds 2020-01 … "
      .. "2020-12: 2024-01 is not there")
    refused(dated:slice(49, 52), "it holds 2024-01 … 2024-04: 2024-05 is not there")
    refused(series_of(rows, "2024-01-01", "day"), "known: its step is a day, that of the history a month")
    refused(series_of(rows, "2024-01", "quarter"), "known: its step is a quarter, that of the history a "
      .. "month")
    refused(dated:slice(49, 54):with{ names = { "y", "rain" } }, 'there is no column string "fair"')
    refused({ 1, 0, 0 }, "known has 3 rows, 6 are needed")
    refused({ fair = { 1, 0 } }, 'known: column "fair" has 2 values, 6 are needed')
    refused({ rain = ahead }, 'expected a list of the steps to come for column "fair", got nil')
    refused({ { 1, 2 } }, "expected a Series or { name = list } with the columns fair, got a table")
    refused("x", "expected a Series", 'got string "x"')
    refused({ 1, 0, 0 / 0, 0, 0, 0 }, 'column "fair" is missing at row 3')
    refused(nil, 'the future of column "fair" is needed for 6 rows: give known')
  end)
end)

describe("windows", function()
  it("are as many as the formula says, none lost", function()
    for rows = 1, 24 do
      local list = {}
      for t = 1, rows do list[t] = t end
      for lookback = 1, 4 do for horizon = 1, 3 do for step = 1, 3 do for stride = 1, 4 do
        local needed = (lookback - 1) * step + 1 + horizon
        local given = { lookback = lookback, horizon = horizon, step = step, stride = stride }
        if rows < needed then
          assert.is_false(pcall(timeseries.windows, list, given))
        else
          local w = timeseries.windows(list, given)
          assert.are.equal((rows - needed) // stride + 1, w.count)
          -- The last row is a target, and each window is what it should be.
          assert.are.equal(rows, w.y:get(w.count, horizon, 1))
          for i, start in ipairs(w.starts) do
            assert.are.equal(start, w.x:get(i, 1, 1))
            assert.are.equal(start + (lookback - 1) * step + 1, w.y:get(i, 1, 1))
          end
          assert.are.equal(w.starts[1] - 1, w.unused)
        end
      end end end end
    end
  end)

  it("say which they are, with dates", function()
    local w = timeseries.windows(pair, { lookback = 12, horizon = 3, stride = 5, step = 2, delay = 1,
      targets = { "b" }, inputs = { "a" } })
    assert.are.same({ 5, 12, 1 }, w.x:shape())
    assert.are.same({ 5, 3, 1 }, w.y:shape())
    local text = tostring(w)
    for _, part in ipairs{ "5 windows of 12 rows (every 2.) → 3 after 1 more, stride 5",
      "first  input 2020-02 … 2021-12 → target 2022-02 … 2022-04",
      "last   input 2021-10 … 2023-08 → target 2023-10 … 2023-12",
      "1 rows at the beginning are in no window" } do
      assert.is_truthy(text:find(part, 1, true), text)
    end
    local early = timeseries.windows(pair, { lookback = 12, horizon = 3, stride = 5, step = 2,
      delay = 1, anchor = "start" })
    assert.are.equal(1, early.starts[1])
  end)

  it("refuse a series that is shorter than one", function()
    assert.fails("the series has 48 rows, one window needs 49 (lookback 48, step 1, delay 0, horizon 1)",
      timeseries.windows, series, { lookback = 48 })
    assert.fails("lookback is missing", timeseries.windows, series, {})
    assert.fails("stride must be a positive whole number", timeseries.windows, series,
      { lookback = 2, stride = 0 })
    assert.fails("no column string \"c\"", timeseries.windows, pair, { lookback = 2, targets = { "c" } })
  end)

  local data, targets = {}, {}
  for t = 0, 19 do data[t + 1], targets[t + 1] = { 2 * t, 2 * t + 1 }, 20 * t end

  for i, case in ipairs(golden.generator) do
    it("are those of Keras's TimeseriesGenerator: " .. i, function()
      local given = { compat = "keras_generator", batch_size = 3 }
      for name, value in pairs(case.given) do given[name] = value end
      local w = timeseries.compat_windows(data, targets, given)
      assert.are.same(case.x, w.x:totable())
      support.near(case.y, w.y, 0)
      assert.are.equal(case.batches, w.batches)
    end)
  end

  for i, case in ipairs(golden.dataset) do
    it("are those of timeseries_dataset_from_array: " .. i, function()
      local given = { compat = "keras_dataset", batch_size = 3 }
      for name, value in pairs(case.given) do given[name] = value end
      local w = timeseries.compat_windows(data, table.move(targets, 1, case.targets, 1, {}), given)
      assert.are.same(case.x, w.x:totable())
      support.near(case.y, w.y, 0)
      assert.are.equal(case.batches, w.batches)
    end)
  end

  it("are those of the book's generator, with those that its loop drops", function()
    local w = timeseries.compat_windows(data, { compat = "book_generator", lookback = 6, delay = 2,
      step = 3, min_index = 1 })
    assert.are.same({ 10, 7, 16 }, { w.count, w.rows[1] - 2, w.rows[w.count] - 2 })
    assert.are.same({ { 2, 3 }, { 8, 9 } }, w.x:select(1, 1):totable())
    assert.are.equal(2 * 9 + 1, w.y:get(1))
  end)

  it("of others are refused when there are none", function()
    local compat = timeseries.compat_windows
    assert.fails("there is no window", compat, data, { compat = "keras_generator", length = 20 })
    assert.fails("end_index is 20, the last of 20 rows is 19", compat, data, { compat = "keras_generator",
      length = 3, end_index = 20 })
    assert.fails("20 rows hold no window of 21", compat, data, { compat = "keras_dataset",
      sequence_length = 21 })
    assert.fails("there is no window", compat, data, { compat = "book_generator", lookback = 19, delay = 2 })
    for part, given in pairs{ ['end_index must be a whole number of at least 0, got string "a"'] = {
      compat = "keras_generator", length = 3, end_index = "a" },
      ["start_index must be a whole number of at least 0, got number -4"] = { compat = "keras_generator",
        length = 3, start_index = -4 },
      ["start_index must be a whole number of at least 0, got number 1.5"] = { compat = "keras_generator",
        length = 3, start_index = 1.5 },
      ["reverse must be true or false"] = { compat = "keras_generator", length = 3, reverse = 1 },
      ['end_index must be a whole number of at least 0, got string "b"'] = { compat = "keras_dataset",
        sequence_length = 3, end_index = "b" },
      ["start_index must be a whole number of at least 0, got number -1"] = { compat = "keras_dataset",
        sequence_length = 3, start_index = -1 },
      ["min_index must be a whole number"] = { compat = "book_generator", lookback = 3, delay = 1,
        min_index = "x" },
      ["max_index must be a whole number"] = { compat = "book_generator", lookback = 3, delay = 1,
        max_index = "x" },
      ["column 7 of the targets, which have 2"] = { compat = "book_generator", lookback = 3, delay = 1,
        column = 7 },
      ["column must be a positive whole number"] = { compat = "book_generator", lookback = 3, delay = 1,
        column = "T" } } do
      assert.fails(part, compat, data, given)
    end
    assert.fails("the targets have 3 rows, the last window's is row 19 (from 0)", compat, data,
      { 1, 2, 3 }, { compat = "keras_generator", length = 3 })
    assert.fails('targets must be a Series, a tensor or a table, got string "x"', compat, data, "x",
      { compat = "keras_dataset", sequence_length = 3 })
    assert.fails('data must be a Series, a tensor or a table, got string "x"', compat, "x",
      { compat = "keras_dataset", sequence_length = 3 })
    assert.fails("compat must be one of", compat, data, { compat = "pandas" })
    assert.fails("expected a table of options", compat, data)
  end)
end)
