--- Time series: baselines to beat, exponential smoothing, autoregression, and fair judging.
--
--     local timeseries = marea.timeseries
--     local model = timeseries.baselines.holt_winters{ period = 12, seasonal = "multiplicative" }
--     model:fit(values)
--     local mean, low, high = model:forecast(12, { level = 0.8 })
--     print(timeseries.backtest(model, values, { horizon = 12, initial = 96, period = 12 }))
-- @module marea.timeseries
local timeseries = {}

--- Naive forecasts, smoothing, autoregression; see marea.timeseries.baselines. @table baselines
--- Errors of forecasts; see marea.timeseries.metrics. @table metrics
--- Rolling-origin evaluation; see marea.timeseries.backtest. @function backtest

-- name → file, and the field of the file's table that holds it (nil: what the file returns)
local parts = {
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
