-- Air passengers, twelve months ahead: how scripts/airline.lua came to its networks on bases.
--
-- Every setting is rehearsed within the first 132 months: fitted on the first 84, 87, 90 … 120 months,
-- it forecasts the twelve that follow. The last year, 1960, is cut off before anything else happens.
-- What counts is the RMSE over these 13 origins together, mean over the seeds. The same is told of
-- ensembles: for each network, of the mean forecast of every set of bases. The least of all that have
-- a network is taken. (At first the origins were 84, 96, 108 and 120, with one seed; four were too few
-- to tell one setting from the other. Then single bases were taken, before there were ensembles.)
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
  { "autoregression of logarithms", base = baselines.autoregression{ order = 13 }, transforms = { "log" } },
  { "Holt-Winters, additive", base = baselines.holt_winters{ period = 12 } },
  { "Holt-Winters of logarithms", base = baselines.holt_winters{ period = 12 }, transforms = { "log" } },
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

local FIRST <const>, LAST <const>, STEP <const> = 84, 120, 3

local function forecast_of(setting, chosen, rows, seed)
  local forecaster = timeseries.Forecaster{ base = setting.base, transforms = setting.transforms,
    strategy = chosen.strategy, horizon = chosen.strategy == "direct" and 12 or 1, lookback = 24,
    seed = seed, model = network(8),
    optimizer = marea.optim.AdamW{ learning_rate = 0.003, weight_decay = 0.1 } }
  forecaster:fit(series:slice(1, rows), { epochs = math.max(1, chosen.epochs) })
  local list = {}
  for h, row in ipairs(forecaster:forecast(12, { paths = 2 }).mean) do list[h] = row[1] end
  return list
end

-- By seed and rows, the twelve months that a setting forecasts.
local function rehearse(setting, chosen)
  local by_seed = {}
  for seed = 1, chosen.epochs == 0 and 1 or options.seeds do
    by_seed[seed] = {}
    for rows = FIRST, LAST, STEP do by_seed[seed][rows] = forecast_of(setting, chosen, rows, seed) end
  end
  return by_seed
end

-- Mean squared error of the mean of several forecasts made after `rows` months.
local function error_of(members, seed, rows)
  local sum = 0
  for h = 1, 12 do
    local mean = 0
    for _, by_seed in ipairs(members) do mean = mean + by_seed[seed][rows][h] / #members end
    sum = sum + (mean - series.columns[1][rows + h]) ^ 2 / 12
  end
  return sum
end

-- RMSE of the mean of several settings over the origins from `first` to `last`, mean over the seeds.
local function judge(members, first, last)
  local total, seeds = 0, #members[1]
  for seed = 1, seeds do
    local sum, count = 0, 0
    for rows = first, last, STEP do
      sum, count = sum + error_of(members, seed, rows), count + 1
    end
    total = total + math.sqrt(sum / count) / seeds
  end
  return total
end

-- Every setting by itself -------------------------------------------------------------------------

print(("%-30s %-28s %6s   %6s %6s %6s %6s"):format("base", "network", "RMSE", "from 84", "96", "108",
  "120"))
local found, answers = {}, {}
local function note(rmse, text)
  found[#found + 1] = { rmse = rmse, text = text }
end

for place = 1, math.min(options.bases, #bases) do
  local setting = bases[place]
  answers[place] = {}
  for i, chosen in ipairs(networks) do
    local by_seed = rehearse(setting, chosen)
    answers[place][i] = by_seed
    local rmse = judge({ by_seed }, FIRST, LAST)
    print(("%-30s %-28s %6.2f   %6.2f %6.2f %6.2f %6.2f"):format(setting[1], chosen[1], rmse,
      judge({ by_seed }, 84, 93), judge({ by_seed }, 96, 105), judge({ by_seed }, 108, 117),
      judge({ by_seed }, 120, 120)))
    if chosen.epochs > 0 then note(rmse, chosen[1] .. "; " .. setting[1]) end
  end
end

-- Every set of bases ------------------------------------------------------------------------------

for i, chosen in ipairs(networks) do
  for set = 1, (1 << #answers) - 1 do
    local members, names = {}, {}
    for place, by_network in ipairs(answers) do
      if set >> (place - 1) & 1 == 1 then
        members[#members + 1], names[#names + 1] = by_network[i], bases[place][1]
      end
    end
    if #members > 1 and chosen.epochs > 0 then
      note(judge(members, FIRST, LAST), chosen[1] .. "; mean of: " .. table.concat(names, ", "))
    end
  end
end

table.sort(found, function(a, b) return a.rmse < b.rmse end)
print(("\nThe least of %d with a network, alone or as an ensemble:"):format(#found))
for i = 1, math.min(10, #found) do print(("%6.2f  %s"):format(found[i].rmse, found[i].text)) end
