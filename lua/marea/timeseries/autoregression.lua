--- Autoregression: the next value as a linear function of the last ones, by least squares.
-- @module marea.timeseries.autoregression
local Baseline = require "marea.timeseries.baseline"
local least_squares = require "marea.timeseries.least_squares"
local options = require "marea.nn.options"

local autoregression = {}

-- Differences -------------------------------------------------------------------------------------

-- (1 - B)^d (1 - B^m)^D as coefficients of B^0, B^1, …
local function difference_polynomial(given)
  local product = { 1 }
  local function times(lag)
    local longer = {}
    for i = 1, #product + lag do
      longer[i] = (product[i] or 0) - (product[i - lag] or 0)
    end
    product = longer
  end
  for _ = 1, given.differences do times(1) end
  for _ = 1, given.seasonal_differences do times(given.period) end
  return product
end

local function filter(polynomial, y)
  local z, lost = {}, #polynomial - 1
  for t = 1, #y - lost do
    local sum = 0
    for i, c in ipairs(polynomial) do
      if c ~= 0 then sum = sum + c * y[t + lost - i + 1] end
    end
    z[t] = sum
  end
  return z
end

-- Weights of y[t-1], y[t-2], … of the autoregression on differences: 1 - phi(B) · differences(B).
local function weights_of(phi, polynomial)
  local weights = {}
  for i = 1, #phi + #polynomial - 1 do
    local sum = -(polynomial[i + 1] or 0)
    for j = 1, math.min(i, #phi) do sum = sum + phi[j] * (polynomial[i - j + 1] or 0) end
    weights[i] = sum
  end
  return weights
end

-- Least squares -----------------------------------------------------------------------------------

-- Constant, time (from 1 at the first difference) and `order` lags as columns, for targets after `skip`.
local function design(z, order, skip, trend)
  local columns, targets = {}, table.move(z, skip + 1, #z, 1, {})
  if trend ~= "n" then
    columns[1] = {}
    for t = 1, #targets do columns[1][t] = 1 end
  end
  if trend == "ct" then
    columns[2] = {}
    for t = 1, #targets do columns[2][t] = t + skip end
  end
  for lag = 1, order do
    columns[#columns + 1] = table.move(z, skip + 1 - lag, #z - lag, 1, {})
  end
  return columns, targets
end

local terms = { n = 0, c = 1, ct = 2 }

-- All orders are judged on the same targets; one decomposition tells what each leaves.
local function choose_order(z, given, most)
  local columns, targets = design(z, most, most, given.trend)
  local n = #targets
  local _, sums = least_squares.linear(columns, targets)
  local best, least
  for order = 0, most do
    local k = terms[given.trend] + order
    local penalty = given.criterion == "bic" and math.log(n) or 2
    -- One more parameter, the variance, is the same for all.
    local value = n * math.log(math.max(sums[k + 1] / n, 1e-300)) + penalty * k
    if not least or value < least then best, least = order, value end
  end
  return best
end

-- As many lags as leave half the values for judging, at most 12 (n / 100)^(1/4) (Schwert, 1989).
local function most_lags(given, z)
  if given.max_order then return given.max_order end
  return math.max(0, math.min((#z - terms[given.trend]) // 2 - 1, math.floor(12 * (#z / 100) ^ 0.25)))
end

local function require_enough(given, y, lost, order)
  local least = lost + 2 * order + terms[given.trend] + 2
  Baseline.require_length("autoregression", y, math.max(4, least),
    ("%d lags and %d lost to differences"):format(order, lost))
end

-- Residuals and the state: the last values, and the number of the next one.
local function state_of(y, z, order, polynomial, given)
  local columns, targets = design(z, order, order, given.trend)
  local found, sums = least_squares.linear(columns, targets)
  local from = terms[given.trend]
  local phi = table.move(found, from + 1, from + order, 1, {})
  local state = { order = order, phi = phi, constant = from > 0 and found[1] or 0,
    slope = from > 1 and found[2] or 0, weights = weights_of(phi, polynomial), residuals = {},
    next = #z + 1, tail = {} }
  for t = order + 1, #z do
    local e = z[t] - state.constant - state.slope * t
    for lag = 1, order do e = e - phi[lag] * z[t - lag] end
    state.residuals[t - order] = e
  end
  local n, k = #targets, from + order
  state.sse = sums[k + 1]
  state.sigma = Baseline.sigma(state.residuals, k)
  local deviance = n * (math.log(2 * math.pi * math.max(state.sse / n, 1e-300)) + 1)
  state.aic, state.bic = deviance + 2 * (k + 1), deviance + math.log(n) * (k + 1)
  for lag = 1, #state.weights do state.tail[lag] = y[#y + 1 - lag] end
  return state
end

-- The forecaster ----------------------------------------------------------------------------------

local function check(given)
  local who = "autoregression"
  if given.order ~= "auto" then given.order = options.integer(who, "order", given.order, 0) end
  if given.max_order then
    given.max_order = options.integer(who, "max_order", given.max_order, 0)
  end
  options.choice(who, "criterion", given.criterion, { "aic", "bic" })
  options.choice(who, "trend", given.trend, { "n", "c", "ct" })
  given.differences = options.integer(who, "differences", given.differences, 0)
  given.seasonal_differences = options.integer(who, "seasonal_differences",
    given.seasonal_differences, 0)
  if given.period then given.period = options.integer(who, "period", given.period, 2) end
  if given.seasonal_differences > 0 and not given.period then
    error("autoregression: seasonal_differences need a period", 0)
  end
end

local function title(given)
  local parts = { "order " .. given.order .. (given.order == "auto" and " by " .. given.criterion
    or "") }
  if given.differences > 0 then parts[2] = "differences " .. given.differences end
  if given.seasonal_differences > 0 then
    parts[#parts + 1] = ("seasonal differences %d, period %d"):format(given.seasonal_differences,
      given.period)
  end
  return "autoregression (" .. table.concat(parts, ", ") .. ")"
end

local kind = { options = { order = "auto", max_order = options.optional, criterion = "aic",
  trend = "c", differences = 0, seasonal_differences = 0, period = options.optional },
  positional = { "order" }, check = check, title = title }

function kind.fit(given, y)
  local polynomial = difference_polynomial(given)
  local lost = #polynomial - 1
  require_enough(given, y, lost, given.order == "auto" and given.max_order
    or given.order == "auto" and 0 or given.order)
  local z = filter(polynomial, y)
  local order = given.order
  if order == "auto" then order = choose_order(z, given, most_lags(given, z)) end
  return state_of(y, z, order, polynomial, given)
end

function kind.mean(state)
  local sum = state.constant + state.slope * state.next
  for lag, weight in ipairs(state.weights) do sum = sum + weight * state.tail[lag] end
  return sum
end

function kind.update(state, value)
  state.next = state.next + 1
  if #state.weights > 0 then
    table.insert(state.tail, 1, value)
    state.tail[#state.tail] = nil
  end
end

function kind.copy(state)
  local copy = {}
  for name, value in pairs(state) do copy[name] = value end
  copy.tail = table.move(state.tail, 1, #state.tail, 1, {})
  return copy
end

-- The lags of the first residual, the latest first; time counts from the first difference.
function kind.begin(state, y)
  local start = { weights = state.weights, constant = state.constant, slope = state.slope,
    next = state.order + 1, tail = {} }
  for lag = 1, #state.weights do start.tail[lag] = y[#state.weights + 1 - lag] end
  return start
end

kind.fields = { weights = "numbers", tail = "numbers", constant = "number", slope = "number",
  next = "count" }

function kind.sound(state) return #state.tail == #state.weights end

-- The error h steps ahead is Σ psi[j] e, with psi the weights of the moving average of infinite
-- order (Box and Jenkins, 1976, section 5.1); estimated coefficients count as known.
function kind.spread(state, h)
  local psi, squares = { 1 }, 1
  for j = 1, h - 1 do
    local sum = 0
    for lag = 1, math.min(j, #state.weights) do
      sum = sum + state.weights[lag] * psi[j - lag + 1]
    end
    psi[j + 1] = sum
    squares = squares + sum * sum
  end
  return state.sigma * math.sqrt(squares)
end

function kind.parameters(state)
  return { order = state.order, coefficients = table.move(state.phi, 1, state.order, 1, {}),
    constant = state.constant, slope = state.slope, sse = state.sse, aic = state.aic,
    bic = state.bic }
end

--- z[t] = constant + slope t + Σ coefficient[i] z[t - i] + e, with z the series or its differences,
-- by least squares on all targets that have their lags.
-- @function autoregression
-- @tparam[opt] table given `order` (first; "auto": by `criterion` up to `max_order`), `criterion`
-- "aic" (default) or "bic"; `max_order` (12 (T / 100)^(1/4), and leaving half the series as targets);
-- `trend`: "n" (none), "c" (constant, default), "ct" (constant and time); `differences` (0),
-- `seasonal_differences` (0) of `period` steps
autoregression.autoregression = Baseline.define("autoregression", kind)

return autoregression
