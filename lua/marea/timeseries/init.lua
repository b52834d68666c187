--- Time series: read, prepared, cut into windows, forecast, judged.
--
--     local timeseries = marea.timeseries
--     local series = assert(timeseries.read_csv("airline-passengers.csv"))
--     local train, test = series:split{ 132, 12 }
--     local forecaster = timeseries.Forecaster{ lookback = 12, horizon = 12,
--       transforms = { "log", { "difference", 12 }, "standard" },
--       model = function(info)
--         return marea.Sequential{ marea.nn.LSTM{ 16 }, marea.nn.Dense{ info.outputs } }
--       end }
--     forecaster:fit(train, { epochs = 100 })
--     print(forecaster:forecast(12, { level = 0.8 }))      -- dates, mean, interval
--     print(forecaster:evaluate(test))                     -- beside baselines, with skill scores
--     assert(forecaster:save("airline.safetensors"))       -- network, transforms, last rows
--
--     local model = timeseries.baselines.holt_winters{ period = 12, seasonal = "multiplicative" }
--     print(timeseries.backtest({ model, forecaster }, series, { horizon = 12, initial = 96,
--       period = 12 }))
--
-- The rest of the room: `dates`, `frequency`, `calendar`, `windows` and `compat_windows`, the
-- transforms (`Pipeline`, `Log`, `BoxCox`, `Difference`, `StandardScaler`, `MinMaxScaler`,
-- `RobustScaler`), `DLinear` and `EncoderDecoder` (layers).
-- @module marea.timeseries
local timeseries = {}

--- Series from numbers; see marea.timeseries.Series. @function Series
--- Series from a CSV file; see marea.timeseries.reading. @function read_csv
--- Windows for training; see marea.timeseries.windows. @function windows
--- Keras's own windows; see marea.timeseries.compat. @function compat_windows
--- A chain of transforms; see marea.timeseries.pipeline. @function Pipeline
--- A forecaster around any network; see marea.timeseries.Forecaster. @function Forecaster
--- Several forecasters as one; see marea.timeseries.Ensemble. @function Ensemble
--- A saved forecaster or ensemble; see marea.timeseries.storage. @function load
--- Naive forecasts, smoothing, autoregression; see marea.timeseries.baselines. @table baselines
--- Errors of forecasts; see marea.timeseries.metrics. @table metrics
--- Rolling-origin evaluation; see marea.timeseries.backtest. @function backtest

-- name → file, and the field of the file's table that holds it (nil: what the file returns)
local parts = {
  dates = { "dates" }, frequency = { "frequency" }, calendar = { "calendar" },
  Series = { "series" }, read_csv = { "reading", "read_csv" },
  windows = { "windows", "windows" }, compat_windows = { "compat", "windows" },
  Pipeline = { "pipeline" }, Log = { "transforms", "Log" }, BoxCox = { "transforms", "BoxCox" },
  Difference = { "transforms", "Difference" }, StandardScaler = { "scalers", "StandardScaler" },
  MinMaxScaler = { "scalers", "MinMaxScaler" }, RobustScaler = { "scalers", "RobustScaler" },
  Forecaster = { "forecaster" }, Ensemble = { "ensemble" }, load = { "storage", "load" },
  DLinear = { "layers", "DLinear" }, EncoderDecoder = { "layers", "EncoderDecoder" },
  baselines = { "baselines" }, metrics = { "metrics" }, backtest = { "backtest", "backtest" },
}

return setmetatable(timeseries, {
  __index = function(_, name)
    local part = parts[name]
    if not part then return nil end
    local value = require("marea.timeseries." .. part[1])
    if part[2] then value = value[part[2]] end
    rawset(timeseries, name, value)
    return value
  end,
  lazy = { parts }, -- for completion in the REPL
})
