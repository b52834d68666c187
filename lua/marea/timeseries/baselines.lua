--- Forecasters that anything better must beat: what any network's error is to be read beside.
--
--     local model = baselines.seasonal_naive{ period = 12 }
--     model:fit(values)
--     local mean, low, high = model:forecast(24, { level = 0.8 })
--     model:update{ 417, 391 }                 -- new values; nothing is estimated anew
--
-- All have the methods of marea.timeseries.Baseline. Intervals follow Hyndman and Athanasopoulos
-- (Forecasting: Principles and Practice, 3rd edition, 2021, table 5.2).
-- @module marea.timeseries.baselines
local Baseline = require "marea.timeseries.baseline"
local options = require "marea.nn.options"

local baselines = {}

--- Steps of the last value: the forecast is the last value. @function naive
baselines.naive = Baseline.define("naive", {
  fit = function(_, y)
    Baseline.require_length("naive", y, 2)
    local residuals = {}
    for t = 2, #y do residuals[t - 1] = y[t] - y[t - 1] end
    return { last = y[#y], residuals = residuals, sigma = Baseline.sigma(residuals) }
  end,
  mean = function(state) return state.last end,
  update = function(state, value) state.last = value end,
  copy = function(state) return { last = state.last } end,
  begin = function(_, y) return { last = y[1] } end,
  fields = { last = "number" },
  spread = function(state, h) return state.sigma * math.sqrt(h) end,
})

--- The value of the same step in the last season (month, weekday, hour …).
-- @function seasonal_naive
-- @tparam table given `period` (first): steps in a season, 12 for months
baselines.seasonal_naive = Baseline.define("seasonal_naive", {
  options = { period = options.required }, positional = { "period" },
  check = function(given)
    given.period = options.integer("seasonal_naive", "period", given.period)
  end,
  title = function(given) return ("seasonal naive (period %d)"):format(given.period) end,
  fit = function(given, y)
    local m = given.period
    Baseline.require_length("seasonal_naive", y, m + 1, "a season and one value")
    local residuals = {}
    for t = m + 1, #y do residuals[t - m] = y[t] - y[t - m] end
    return { season = table.move(y, #y - m + 1, #y, 1, {}), slot = 1, residuals = residuals,
      sigma = Baseline.sigma(residuals) }
  end,
  mean = function(state) return state.season[state.slot] end,
  update = function(state, value)
    state.season[state.slot] = value
    state.slot = state.slot % #state.season + 1
  end,
  copy = function(state)
    return { season = table.move(state.season, 1, #state.season, 1, {}), slot = state.slot }
  end,
  spread = function(state, h)
    return state.sigma * math.sqrt((h - 1) // #state.season + 1)
  end,
  begin = function(state, y)
    return { season = table.move(y, 1, #state.season, 1, {}), slot = 1 }
  end,
  fields = { season = "numbers", slot = "count" },
  sound = function(state, given) return #state.season == given.period and state.slot <= given.period end,
})

--- The line through the first and the last value, continued. The slope stays in update.
-- @function drift
baselines.drift = Baseline.define("drift", {
  fit = function(_, y)
    Baseline.require_length("drift", y, 3)
    local slope, residuals = (y[#y] - y[1]) / (#y - 1), {}
    for t = 2, #y do residuals[t - 1] = y[t] - y[t - 1] - slope end
    return { last = y[#y], slope = slope, count = #y, residuals = residuals,
      sigma = Baseline.sigma(residuals, 1) }
  end,
  mean = function(state) return state.last + state.slope end,
  update = function(state, value) state.last = value end,
  copy = function(state) return { last = state.last, slope = state.slope } end,
  spread = function(state, h)
    return state.sigma * math.sqrt(h * (1 + h / (state.count - 1)))
  end,
  parameters = function(state) return { slope = state.slope } end,
  begin = function(state, y) return { last = y[1], slope = state.slope } end,
  fields = { last = "number", slope = "number" },
})

--- The mean of the series that was fitted. @function mean
baselines.mean = Baseline.define("mean", {
  fit = function(_, y)
    Baseline.require_length("mean", y, 2)
    local sum, residuals = 0, {}
    for _, value in ipairs(y) do sum = sum + value end
    local mean = sum / #y
    for t, value in ipairs(y) do residuals[t] = value - mean end
    return { level = mean, count = #y, residuals = residuals, sigma = Baseline.sigma(residuals, 1) }
  end,
  mean = function(state) return state.level end,
  update = function() end,
  spread = function(state) return state.sigma * math.sqrt(1 + 1 / state.count) end,
  parameters = function(state) return { mean = state.level } end,
  copy = function(state) return { level = state.level } end,
  begin = function(state) return { level = state.level } end,
  fields = { level = "number" },
})

--- A level that follows the series; see marea.timeseries.smoothing.
-- @function simple_exponential_smoothing

--- Level and trend; see marea.timeseries.smoothing. @function holt

--- Level, trend and season; see marea.timeseries.smoothing. @function holt_winters

--- The form that suits the series; see marea.timeseries.smoothing. @function exponential_smoothing

--- A linear function of the last values; see marea.timeseries.autoregression.
-- @function autoregression

local files = { simple_exponential_smoothing = "smoothing", holt = "smoothing",
  holt_winters = "smoothing", exponential_smoothing = "smoothing",
  autoregression = "autoregression" }

return setmetatable(baselines, {
  __index = function(_, name)
    local value = files[name] and require("marea.timeseries." .. files[name])[name]
    rawset(baselines, name, value)
    return value
  end,
  lazy = { files }, -- for completion in the REPL
})
