-- Seven columns of a power transformer's load and temperature, by the hour (ETTh1; Zhou et al., 2021):
-- forecast a day or four days ahead, judged as the papers judge.
--
-- Usage: marea scripts/energy.lua [--data DIR] [--horizon 24|96 …] [--epochs N] [--limit ROWS] [--model NAME]
--   --data     the folder with time-series/ETTh1.csv(.gz); default: the variable MAREA_DATA
--   --horizon  24 (default), 96 or another; "both" for 24 and 96
--   --epochs   most epochs (default 8; training stops when the validation part gets no better)
--   --model    dlinear, gru or both (default)
--   --limit    rows of the training part that are used, the last ones (default all 8,640)
-- The split is 8,640 hours to learn from, 2,880 to choose by, 2,880 to be judged by; errors are in
-- deviations of the training part. Published, for horizon 24: Informer 0.577, LSTMa 0.650 (Zhou et al.,
-- 2021); for 96: DLinear 0.375, FEDformer 0.376, Autoformer 0.449, Informer 0.865 (Zeng et al., 2023).
local marea = require "marea"
local nn, timeseries = marea.nn, marea.timeseries

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ data = os.getenv("MAREA_DATA") or "",
  horizon = "24", epochs = 8, model = "both", limit = 8640 }
local function whole(name)
  return math.tointeger(tonumber(options[name])) or error("--" .. name .. " must be a whole number", 0)
end
local epochs, limit = options.epochs, options.limit
local horizons = options.horizon == "both" and { 24, 96 } or { whole("horizon") }

local path, message = require("marea.corpora.files").find(options.data, { "time-series" },
  { "ETTh1.csv" })
if not path then
  io.stderr:write(message, "\nGive the folder of ETTh1.csv with --data, or fetch it: scripts/corpus list\n")
  os.exit(1)
end
local series = assert(timeseries.read_csv(path))
print(series)
local train, validation, test = series:split{ 8640, 2880, 2880 }
if limit < train.rows then train = train:slice(train.rows - limit + 1) end

local DAY <const>, LOOKBACK <const> = 24, 336 -- two weeks are read

-- One network for all columns: days of a column one after the other, each squeezed, then a GRU over
-- the days (patches, as in SegRNN; Lin et al., 2023), all hours of the horizon at once.
local models = {
  { "DLinear", "none", function(info) return marea.Sequential{ timeseries.DLinear{ info.horizon } } end },
  { "GRU over days", "last", function(info)
    return marea.Sequential{ nn.Reshape{ { LOOKBACK // DAY, DAY } }, nn.Dense{ 64, activation = "relu" },
      nn.GRU{ 64 }, nn.Dense{ info.outputs } }
  end },
}

local function run(model, horizon)
  local before = marea.clock()
  local forecaster = timeseries.Forecaster{ lookback = LOOKBACK, horizon = horizon, model = model[3],
    independent = true, normalize = model[2], seed = 1 }
  local history = forecaster:fit(train, { epochs = epochs, validation = validation, patience = 2,
    batch_size = 256 })
  local seconds = marea.clock() - before
  local scores = forecaster:evaluate(test, { units = "scaled" })
  print(("\n%s, horizon %d: %d epochs in %.1f s\n%s\n%s"):format(model[1], horizon, #history.loss,
    seconds, forecaster.report, scores))
  return scores
end

for _, horizon in ipairs(horizons) do
  local rows = {}
  for i, model in ipairs(models) do
    if options.model == "both" or options.model == (i == 1 and "dlinear" or "gru") then
      local scores = run(model, horizon)
      rows[#rows + 1] = ("%-24s %.3f %7.3f %8.3f"):format(model[1], scores.mse, scores.mae, scores.skill)
    end
  end
  print(("\n%-24s %s\n%s"):format("horizon " .. horizon, "  MSE     MAE    skill",
    table.concat(rows, "\n")))
end
