-- The Marea side of `scripts/bench series`: epochs of the airline recipe (lookback 1, LSTM 4, Dense 1,
-- Adam, batches of 1, 95 samples), trained one sample at a time; prints milliseconds an epoch.
-- Usage: marea scripts/bench_series.lua THREADS SECONDS
local marea = require "marea"
local nn, timeseries = marea.nn, marea.timeseries

marea.threads(tonumber(arg[1]))
local series = assert(timeseries.read_csv("corpora/airline-passengers.csv"))
local train = timeseries.Pipeline{ "minmax" }:fit(series:slice(1, 96)):transform(series:slice(1, 96))
local windows = timeseries.windows(train, { lookback = 1 })
local model = marea.Sequential{ nn.LSTM{ 4 }, nn.Dense{ 1 } }
model:compile{ optimizer = "adam", loss = "mse" }
local y = windows.y:reshape{ windows.count, 1 }

local function epoch() model:fit(windows.x, y, { batch_size = 1, verbose = 0 }) end

epoch()
local done, start = 0, marea.clock()
while marea.clock() - start < tonumber(arg[2]) do
  epoch()
  done = done + 1
end
print(("%.3f"):format(1000 * (marea.clock() - start) / done))
