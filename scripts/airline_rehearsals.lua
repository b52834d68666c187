-- Air passengers, twelve months ahead: how scripts/airline.lua came to its network on a base.
--
-- Every setting is rehearsed within the first 132 months: fitted on the first 84, 87, 90 … 120 months,
-- it forecasts the twelve that follow. The last year, 1960, is cut off before anything else happens.
-- What counts is the RMSE over these 13 origins together, mean over the seeds; the least of those with
-- a network is taken. (At first the origins were 84, 96, 108 and 120, with one seed; four were too few
-- to tell one setting from the other.)
--
-- Usage: marea scripts/airline_rehearsals.lua [--data FILE.csv] [--seeds N] [--bases N]
--   --data   a monthly series with dates (default: the 144 months that come with Marea)
--   --seeds  networks of each setting (default 3)
--   --bases  only the first N bases of the table (default all 6)
local marea = require "marea"
local nn, timeseries = marea.nn, marea.timeseries
local baselines = timeseries.baselines

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ seeds = 3, bases = 6,
  data = require("marea.corpora.files").own_folder() .. "/airline-passengers.csv" }

if options.seeds < 1 or options.bases < 1 then error("--seeds and --bases must be at least 1", 0) end

local series, message = timeseries.read_csv(options.data)
if not series then error(message, 0) end
series = series:slice(1, 132)

local bases = {
  { "autoregression of order 13", base = baselines.autoregression{ order = 13 } },
  { "the same of logarithms", base = baselines.autoregression{ order = 13 }, transforms = { "log" } },
  { "Holt-Winters, additive", base = baselines.holt_winters{ period = 12 } },
  { "the same of logarithms", base = baselines.holt_winters{ period = 12 }, transforms = { "log" } },
  { "Holt-Winters, multiplicative", base = baselines.holt_winters{ period = 12,
    seasonal = "multiplicative" } },
  { "seasonal naive of logarithms", base = "seasonal_naive", transforms = { "log" } },
}

-- The last layer starts at 0, so that training starts from the base; weights decay towards it.
local function network(units)
  return function(info)
    return marea.Sequential{ nn.GRU{ units },
      nn.Dense{ info.outputs, kernel_initializer = "zeros" } }
  end
end

local networks = { { "the base alone", strategy = "direct", epochs = 0 } }
for _, strategy in ipairs{ "direct", "recursive" } do
  for _, epochs in ipairs{ 5, 15, 40 } do
    networks[#networks + 1] = { ("GRU(8), %s, %d epochs"):format(strategy, epochs),
      strategy = strategy, epochs = epochs }
  end
end

local function squares_of(setting, chosen, rows, seed)
  local forecaster = timeseries.Forecaster{ base = setting.base, transforms = setting.transforms,
    strategy = chosen.strategy, horizon = chosen.strategy == "direct" and 12 or 1, lookback = 24,
    seed = seed, model = network(8),
    optimizer = marea.optim.AdamW{ learning_rate = 0.003, weight_decay = 0.1 } }
  forecaster:fit(series:slice(1, rows), { epochs = math.max(1, chosen.epochs) })
  local sum = 0
  for h, row in ipairs(forecaster:forecast(12, { paths = 2 }).mean) do
    sum = sum + (row[1] - series.columns[1][rows + h]) ^ 2
  end
  return sum
end

-- RMSE over all origins, and by the year in which they lie: means over the seeds.
local function rehearse(setting, chosen)
  local total, by_year = 0, {}
  local seeds = chosen.epochs == 0 and 1 or options.seeds
  for seed = 1, seeds do
    local all, count, years = 0, 0, {}
    for rows = 84, 120, 3 do
      local squares, year = squares_of(setting, chosen, rows, seed), (rows - 84) // 12 + 1
      all, count = all + squares, count + 12
      years[year] = years[year] or { 0, 0 }
      years[year][1], years[year][2] = years[year][1] + squares, years[year][2] + 12
    end
    total = total + math.sqrt(all / count) / seeds
    for year, sums in ipairs(years) do
      by_year[year] = (by_year[year] or 0) + math.sqrt(sums[1] / sums[2]) / seeds
    end
  end
  return total, by_year
end

print(("%-30s %-28s %6s   %6s %6s %6s %6s"):format("base", "network", "RMSE", "from 84", "96", "108",
  "120"))
local best
for place, setting in ipairs(bases) do
  for _, chosen in ipairs(place <= options.bases and networks or {}) do
    local rmse, by_year = rehearse(setting, chosen)
    print(("%-30s %-28s %6.2f   %6.2f %6.2f %6.2f %6.2f"):format(setting[1], chosen[1], rmse,
      table.unpack(by_year)))
    if chosen.epochs > 0 and (not best or rmse < best.rmse) then
      best = { rmse = rmse, text = setting[1] .. "; " .. chosen[1] }
    end
  end
end
print(("\nThe least of those with a network: %s (%.2f)"):format(best.text, best.rmse))
