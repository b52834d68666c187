--- Exponential smoothing: simple, with trend (Holt, 1957), with season (Winters, 1960).
--
-- Smoothing parameters and first states are estimated together: by least squares where errors add,
-- by likelihood where they grow with the mean. Parameters are those of Hyndman, Koehler, Ord and
-- Snyder (Forecasting with Exponential Smoothing, 2008): alpha in [0, 1], beta in [0, alpha], gamma in
-- [0, 1 - alpha], phi in [0.8, 0.98].
-- @module marea.timeseries.smoothing
local Baseline = require "marea.timeseries.baseline"
local options = require "marea.nn.options"
local smoothing_model = require "marea.timeseries.smoothing_model"

local smoothing = {}

-- Work of one step of the search (values × numbers searched²) above which a season stays as guessed.
local DEAR <const> = 2e6

local function form_of(given, y)
  local form = { trended = given.trend ~= "none", damped = given.trend == "damped",
    multiplicative = given.seasonal == "multiplicative", relative = given.error == "multiplicative",
    m = given.seasonal == "none" and 1 or given.period }
  local dear = #y * (form.m + 5) ^ 2 > DEAR
  form.fixed_season = form.m > 1 and (given.initial == "heuristic" or given.initial == "auto" and dear)
  return form
end

local function require_positive(who, y)
  for t, value in ipairs(y) do
    if value <= 0 then
      error(("%s: multiplicative season or error needs values above 0, value %d is %g; use \"additive\"")
        :format(who, t, value), 0)
    end
  end
end

-- Fewest values: two seasons, and more values than numbers that are estimated without a season.
local function require_enough(given, y)
  if given.seasonal ~= "none" then
    Baseline.require_length(given.who, y, 2 * given.period,
      "two seasons of " .. given.period .. " steps")
  end
  Baseline.require_length(given.who, y, given.trend == "none" and 3 or given.trend == "damped" and 6
    or 5)
end

local kind = { mean = smoothing_model.mean, update = smoothing_model.update,
  copy = smoothing_model.copy, spread = smoothing_model.spread }

-- The fitted state, or nil where no smoothing keeps the means above 0.
local function try(given, y)
  local state = smoothing_model.fit(form_of(given, y), y)
  if not state then return nil end
  state.trend_kind, state.seasonal_kind, state.error_kind = given.trend, given.seasonal, given.error
  return state
end

local function fit(given, y)
  require_enough(given, y)
  if given.seasonal == "multiplicative" or given.error == "multiplicative" then
    require_positive(given.who, y)
  end
  local state = try(given, y)
  if not state then
    error(given.who .. ": no smoothing keeps the means above 0; use \"additive\"", 0)
  end
  return state
end

function kind.accepts(given, y)
  if given.seasonal == "multiplicative" or given.error == "multiplicative" then
    require_positive(given.who .. ": update", y)
  end
end

function kind.parameters(state)
  local trended, seasonal = state.trend_kind ~= "none", state.seasonal_kind ~= "none"
  local season, m = {}, #state.season
  for k = 1, m do season[k] = state.season[(state.slot + k - 2) % m + 1] end
  return { alpha = state.alpha, beta = trended and state.beta or nil,
    phi = state.trend_kind == "damped" and state.phi or nil, gamma = seasonal and state.gamma or nil,
    level = state.level, slope = trended and state.trend or nil, season = seasonal and season or nil,
    sse = state.sse, aic = state.aic, aicc = state.aicc, bic = state.bic,
    trend = state.trend_kind, seasonal = state.seasonal_kind, error = state.error_kind,
    initial = { level = state.start.level, slope = state.start.trend,
      season = state.start.season } }
end

function kind.begin(state)
  local start = smoothing_model.copy(state.start)
  start.relative = state.relative or false
  start.multiplicative = start.multiplicative or false
  return start
end

kind.fields = { alpha = "number", beta = "number", gamma = "number", phi = "number", level = "number",
  trend = "number", season = "numbers", slot = "count", multiplicative = "boolean",
  relative = "boolean" }

function kind.sound(state, given)
  local m = #state.season
  return (m == 0 or m == given.period) and state.slot <= math.max(1, m)
end

-- A kind with the shared functions and some of its own.
local function variant(own)
  for name, value in pairs(kind) do
    if own[name] == nil then own[name] = value end
  end
  return own
end

--- A level that moves towards each value: level ← level + alpha (y - level).
-- @function simple_exponential_smoothing
-- @tparam[opt] table given `error`: "additive" (default) or "multiplicative"
smoothing.simple_exponential_smoothing = Baseline.define("simple_exponential_smoothing", variant{
  options = { error = "additive" }, fit = fit,
  check = function(given)
    local who = "simple_exponential_smoothing"
    options.choice(who, "error", given.error, { "additive", "multiplicative" })
    given.who, given.trend, given.seasonal = who, "none", "none"
  end,
})

--- Level and trend (Holt, 1957; damped: Gardner and McKenzie, 1985).
-- @function holt
-- @tparam[opt] table given `damped` (false): the trend dies away; `error` "additive" (default) or
-- "multiplicative"
smoothing.holt = Baseline.define("holt", variant{
  options = { damped = false, error = "additive" }, fit = fit,
  title = function(given) return given.damped and "holt (damped)" or "holt" end,
  check = function(given)
    options.boolean("holt", "damped", given.damped)
    options.choice("holt", "error", given.error, { "additive", "multiplicative" })
    given.who, given.seasonal = "holt", "none"
    given.trend = given.damped and "damped" or "additive"
  end,
})

local function check_season(given)
  given.period = options.integer(given.who, "period", given.period, 2)
  options.choice(given.who, "initial", given.initial, { "auto", "estimated", "heuristic" })
end

--- Level, trend and season (Winters, 1960).
-- @function holt_winters
-- @tparam table given `period` (first): steps in a season; `seasonal`: "additive" (default) or
-- "multiplicative"; `damped` (false); `trend` (true: false leaves it out); `error`: "additive"
-- (default: least squares) or "multiplicative" (likelihood; errors, and so intervals, grow with the
-- mean); `initial`: "estimated" with the rest, "heuristic" (season from a moving average) or "auto"
-- (default: heuristic for long seasons in long series)
smoothing.holt_winters = Baseline.define("holt_winters", variant{
  options = { period = options.required, seasonal = "additive", damped = false, trend = true,
    error = "additive", initial = "auto" },
  positional = { "period" }, fit = fit,
  title = function(given)
    return ("holt-winters (%s%s, period %d)"):format(given.seasonal,
      given.trend == "damped" and ", damped" or given.trend == "none" and ", no trend" or "",
      given.period)
  end,
  check = function(given)
    given.who = "holt_winters"
    options.choice(given.who, "seasonal", given.seasonal, { "additive", "multiplicative" })
    options.choice(given.who, "error", given.error, { "additive", "multiplicative" })
    options.boolean(given.who, "damped", given.damped)
    options.boolean(given.who, "trend", given.trend)
    if given.damped and not given.trend then
      error("holt_winters: damped needs a trend; leave out trend = false", 0)
    end
    check_season(given)
    given.trend = given.damped and "damped" or given.trend and "additive" or "none"
  end,
})

-- The forms that are tried: errors that multiply and seasons that multiply only where all is above
-- 0; a season that multiplies goes with errors that do.
local function candidates(given, y)
  local positive = true
  for _, value in ipairs(y) do positive = positive and value > 0 end
  local list = {}
  for _, seasonal in ipairs(given.period > 1 and #y >= 2 * given.period
    and { "none", "additive", "multiplicative" } or { "none" }) do
    for _, trend in ipairs{ "none", "additive", "damped" } do
      for _, kind_of_error in ipairs{ "additive", "multiplicative" } do
        local multiplies = kind_of_error == "multiplicative"
        if (positive or not multiplies) and (seasonal ~= "multiplicative" or multiplies) then
          list[#list + 1] = { who = given.who, period = given.period, initial = given.initial,
            seasonal = seasonal, trend = trend, error = kind_of_error }
        end
      end
    end
  end
  return list
end

--- The form of smoothing that suits the series: of all with and without trend, damping and season,
-- with errors that add or multiply, the one with the least AICc (Hyndman et al., 2002).
-- @function exponential_smoothing
-- @tparam[opt] table given `period` (first; 1: no season), `initial` as in holt_winters
smoothing.exponential_smoothing = Baseline.define("exponential_smoothing", variant{
  options = { period = 1, initial = "auto" }, positional = { "period" },
  title = function(given)
    return "exponential smoothing (by AICc"
      .. (given.period > 1 and (", period %d)"):format(given.period) or ")")
  end,
  check = function(given)
    given.who = "exponential_smoothing"
    given.period = options.integer(given.who, "period", given.period)
    options.choice(given.who, "initial", given.initial, { "auto", "estimated", "heuristic" })
  end,
  fit = function(given, y)
    Baseline.require_length(given.who, y, 6)
    local best
    for _, candidate in ipairs(candidates(given, y)) do
      local state = try(candidate, y)
      if state and (not best or state.aicc < best.aicc) then best = state end
    end
    return best
  end,
  accepts = function() end,
})

return smoothing
