-- Air passengers, 1949 to 1960: the recipe that every course has, why it forecasts nothing, and one
-- that does.
--
-- Usage: marea scripts/airline.lua [--data FILE.csv] [--seeds N] [--picture FILE.png|.svg] [--save PATH]
--   --data     a monthly series with dates (default: the 144 months that come with Marea)
--   --seeds    networks of each kind that are trained and judged (default 10)
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

-- Trains a forecaster with each seed and judges it on the test part; RMSEs, coverages, the last one.
local function judge(make, train, test, given)
  local errors, coverages, forecaster, scores = {}, {}, nil, nil
  for seed = 1, seeds do
    forecaster = make(seed)
    forecaster:fit(train)
    scores = forecaster:evaluate(test, given)
    errors[seed], coverages[seed] = scores.rmse, scores.coverage
  end
  return errors, coverages, forecaster, scores
end

-- 1. The recipe as it stands ----------------------------------------------------------------------

print("\n1. The usual recipe: one month in, min-max scaling, LSTM(4), 100 epochs; 67% to learn from\n")
local train, test = series:split{ 0.67, 0.33 }

local function usual(seed)
  return timeseries.Forecaster{ lookback = 1, transforms = { "minmax" }, seed = seed,
    training = { epochs = 100, batch_size = 1 },
    model = function() return marea.Sequential{ nn.LSTM{ 4 }, nn.Dense{ 1 } } end }
end

local errors, _, forecaster, scores = judge(usual, train, test)
print(forecaster.report)
print(scores)

-- How far the forecasts are from the month before, and from the month they are for.
local naive = timeseries.metrics.rmse(scores.predicted:reshape{ -1 },
  timeseries.windows(series:slice(train.rows, series.rows - 1), { lookback = 1, horizon = 1 }).count
    and marea.tensor(table.move(series:column(1), train.rows, series.rows - 1, 1, {})))
print(([[
RMSE over %d seeds: %.1f, of the last value itself: %.1f.
What it says is not what will come but what has been: its forecasts are %.1f (RMSE) away from the month
before, and %.1f from the month they are for. With one month of input there is nothing else to learn: no
season is in view, and the test part lies above everything that was scaled to 0 … 1.]]):format(seeds,
  mean_of(errors), scores.baselines.naive.rmse, naive, mean_of(errors)))

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
  { "one month ahead", rows = 96, horizon = 1, cell = nn.LSTM, units = 16, lookback = 18, epochs = 15 },
  { "12 months at once", rows = 132, horizon = 12, cell = nn.GRU, units = 8, lookback = 24, epochs = 15,
    bases = { { base = baselines.autoregression{ order = 13 } },
      { base = baselines.holt_winters{ period = 12, seasonal = "multiplicative" } },
      { base = "seasonal_naive", transforms = { "log" } } },
    optimizer = marea.optim.AdamW{ learning_rate = 0.003, weight_decay = 0.1 } },
  { "24 months at once", rows = 120, horizon = 24, cell = nn.LSTM, units = 16, lookback = 18,
    epochs = 15 },
}

local function network(protocol, last)
  return function(info)
    return marea.Sequential{ protocol.cell{ protocol.units },
      nn.Dense{ info.outputs, kernel_initializer = last } }
  end
end

-- On a base, the last layer starts at 0: training starts from the base.
local function on(protocol, start_from, seed)
  return timeseries.Forecaster{ lookback = protocol.lookback, horizon = protocol.horizon, seed = seed,
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

for _, protocol in ipairs(protocols) do
  local known, ahead = series:slice(1, protocol.rows), series:slice(protocol.rows + 1)
  local list, coverages
  list, coverages, forecaster = judge(better(protocol), known, ahead, { level = 0.8 })
  print(("\n%s, %d months to learn from"):format(protocol[1], protocol.rows))
  print(timeseries.backtest({ baselines.naive{}, baselines.drift{}, baselines.autoregression{ order = 13 },
    baselines.holt_winters{ period = 12, seasonal = "additive" },
    baselines.holt_winters{ period = 12, seasonal = "multiplicative" } }, series,
    { initial = protocol.rows, horizon = protocol.horizon, period = 12, refit = false }))
  table.sort(list)
  local reference = forecaster.scores.baselines["seasonal naive"].rmse
  print(("  %d seeds: RMSE %.1f (%.1f to %.1f), skill score %.3f, 80%% intervals hold %.0f%%"):format(
    seeds, mean_of(list), list[1], list[#list], 1 - mean_of(list) / reference,
    100 * mean_of(coverages)))
  protocol.forecaster, protocol.known, protocol.ahead = forecaster, known, ahead
end

-- Eleven of 12 intervals are no share to speak of: the same from every month of the last four years on.
do
  local list, coverages = judge(better(protocols[2]), series:slice(1, 96), series:slice(97), { level = 0.8,
    paths = 100 })
  print(("\n12 months at once from each of 37 months, learnt from the first 96: RMSE %.1f, 80%% intervals hold "
    .. "%.0f%%"):format(mean_of(list), 100 * mean_of(coverages)))
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
