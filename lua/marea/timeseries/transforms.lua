--- Logarithm, Box–Cox, differences.
-- @module marea.timeseries.transforms
local options = require "marea.nn.options"
local transform = require "marea.timeseries.transform"

local transforms = {}

local function map(column, f)
  local result = {}
  for t, value in ipairs(column) do result[t] = value and f(value) end
  return result
end

-- Log ---------------------------------------------------------------------------------------------

--- ln x, for growth that is a share of the level; the values must be positive. The inverse of a
-- mean forecast is the median of a log-normal one.
local Log = transform.class("Log", {}, {}, {})
transforms.Log = Log
Log.fit = transform.nothing

-- Raises for a value that has no logarithm.
local function require_positive(who, column, name, hint)
  for t, value in ipairs(column) do
    if value and value <= 0 then
      transform.refuse(who, name, t, "%g has no logarithm%s", value, hint)
    end
  end
end

function Log.apply(_, column, _, name)
  require_positive("Log", column, name, "; values must be positive")
  return map(column, math.log)
end

function Log.invert(_, values)
  return map(values, math.exp)
end

function Log.describe()
  return "log"
end

-- Box–Cox -----------------------------------------------------------------------------------------

--- (x^lambda - 1)/lambda, ln x for 0 (Box and Cox, 1964). Without `lambda` each column's is the one
-- of largest likelihood in [-5, 5], found on the training part.
-- A negative one has a limit, -1/lambda, which means infinity: forecasts up there become ten times the
-- largest value of the training part.
local BoxCox = transform.class("BoxCox", { lambda = options.optional }, { "lambda" },
  { "lambdas", "ceilings" })
transforms.BoxCox = BoxCox

function BoxCox:init()
  if self.lambda ~= nil then options.number("BoxCox", "lambda", self.lambda, -10, 10) end
end

local function box_cox(x, lambda)
  if math.abs(lambda) < 1e-9 then return math.log(x) end
  return (x ^ lambda - 1) / lambda
end

-- The log-likelihood of a normal sample, without constants: (λ - 1) Σ ln x - n/2 ln s².
local function likelihood(values, logs, lambda)
  local n, mean, square = #values, 0, 0
  for _, x in ipairs(values) do mean = mean + box_cox(x, lambda) / n end
  for _, x in ipairs(values) do square = square + (box_cox(x, lambda) - mean) ^ 2 / n end
  return (lambda - 1) * logs - n / 2 * math.log(square)
end

-- The maximum of a function with one peak, by golden sections.
local function maximise(f, low, high)
  local ratio <const> = (math.sqrt(5) - 1) / 2
  local a, b = high - ratio * (high - low), low + ratio * (high - low)
  local fa, fb = f(a), f(b)
  while high - low > 1e-9 do
    if fa > fb then
      high, b, fb = b, a, fa
      a = high - ratio * (high - low)
      fa = f(a)
    else
      low, a, fa = a, b, fb
      b = low + ratio * (high - low)
      fb = f(b)
    end
  end
  return (low + high) / 2
end

function BoxCox:fit(columns, names, first, last)
  self.lambdas, self.ceilings = {}, {}
  for d, column in ipairs(columns) do
    local values, logs, largest = {}, 0, 0
    for t = first, last do
      if column[t] then
        if column[t] <= 0 then
          transform.refuse("BoxCox", names[d], t, "%g; values must be positive", column[t])
        end
        values[#values + 1], logs = column[t], logs + math.log(column[t])
        largest = math.max(largest, column[t])
      end
    end
    self.ceilings[d] = 10 * largest
    local constant = true
    for _, value in ipairs(values) do constant = constant and value == values[1] end
    if constant and self.lambda == nil then
      error(("BoxCox: column %q is constant in the training part; give lambda"):format(names[d]), 0)
    end
    self.lambdas[d] = self.lambda
      or maximise(function(lambda) return likelihood(values, logs, lambda) end, -5, 5)
  end
end

function BoxCox:apply(column, d, name)
  require_positive("BoxCox", column, name, "; values must be positive")
  return map(column, function(x) return box_cox(x, self.lambdas[d]) end)
end

-- Below the range of the transform the limit is 0 for a positive lambda.
function BoxCox:invert(values, d)
  local lambda, ceiling = self.lambdas[d], self.ceilings[d]
  return map(values, function(y)
    if math.abs(lambda) < 1e-9 then return math.exp(y) end
    local base = lambda * y + 1
    if lambda > 0 then return base > 0 and base ^ (1 / lambda) or 0.0 end
    return base > 0 and math.min(base ^ (1 / lambda), ceiling) or ceiling
  end)
end

function BoxCox:describe()
  local list = {}
  for d, lambda in ipairs(self.lambdas or {}) do list[d] = ("%.3f"):format(lambda) end
  return ("Box–Cox (lambda %s)"):format(#list > 0 and table.concat(list, ", ")
    or self.lambda or "by likelihood")
end

-- Difference --------------------------------------------------------------------------------------

--- x[t] - x[t - lag]: lag 1 for the change from row to row, a season's length for that from season
-- to season. Uses up `lag` rows; the inverse adds to the history, and is exact.
local Difference = transform.class("Difference", { lag = 1 }, { "lag" }, {})
transforms.Difference = Difference
Difference.pointwise = false
Difference.fit = transform.nothing

function Difference:init()
  self.lag = options.integer("Difference", "lag", self.lag)
  self.lost = self.lag
end

function Difference:apply(column)
  local result = {}
  for t, value in ipairs(column) do
    local before = t > self.lag and column[t - self.lag]
    result[t] = before and value - before or false
  end
  return result
end

function Difference:invert(values, _, input, origin)
  local result = {}
  for h, value in ipairs(values) do
    local before = h > self.lag and result[h - self.lag] or input[origin + h - self.lag]
    if not before then
      error(("Difference: needs %d rows of history, there are %d"):format(self.lag, origin), 0)
    end
    result[h] = value + before
  end
  return result
end

function Difference:describe()
  return "difference of lag " .. self.lag
end

return transforms
