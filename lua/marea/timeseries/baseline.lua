--- What all simple forecasters share: `fit`, `update`, `forecast` with intervals, column by column.
--
-- A kind of forecaster is a table of functions on one column:
--
-- - `fit(given, y)` → state, with `residuals` (one step ahead) and `sigma` (their deviation)
-- - `mean(state)` → the forecast of the next value
-- - `update(state, value)`: the next value has come; what was estimated stays
-- - `copy(state)` → a state whose updates leave the first one alone
-- - `spread(state, h)` → the deviation of the error h steps ahead, or nil where only paths tell
-- - `parameters(state)` → a table with what was estimated
-- - `begin(state, y)` → the state before the first value of y that has a residual
-- - `fields`: what such a state holds, name → "number", "numbers", "count" or "boolean", and
--   `sound(state, given)`: whether the sizes of its lists agree; for files
--
-- Forecasts of several steps update a copy with its own forecasts.
-- @classmod marea.timeseries.Baseline
local columns = require "marea.timeseries.columns"
local native = require "marea.native"
local normal = require "marea.timeseries.normal"
local options = require "marea.nn.options"

local Baseline = { __name = "marea baseline" }
local methods = {}
Baseline.__index = methods

-- The options as they were given, all by name, for files.
local function named(given, kind)
  local result = {}
  if type(given) ~= "table" then given = { given } end
  for key, value in pairs(given) do result[(kind.positional or {})[key] or key] = value end
  return result
end

--- A class of forecasters: a function from options to a new one.
-- @tparam string name
-- @tparam table kind the functions above, `title(given)` → text; for `options` and `positional` see
-- marea.nn.options; `check(given)` raises for options that do not fit
-- @treturn function
function Baseline.define(name, kind)
  return function(given)
    local read = options.read(name, given, kind.options or {}, kind.positional)
    if kind.check then kind.check(read) end
    return setmetatable({ kind = kind, given = read, who = name, original = named(given, kind) },
      Baseline)
  end
end

--- What the forecaster is called, with its main options.
function methods:name()
  return self.kind.title and self.kind.title(self.given) or self.who:gsub("_", " ")
end

--- Learns from a series; each column by itself. Everything learnt before is forgotten.
-- @param values list of T numbers or of rows, tensor (T) or (T,D), or a Series
-- @treturn Baseline itself
-- @raise for missing values and holes, and a series too short for the forecaster or outside what it
-- can model
function methods:fit(values)
  local list, form = columns.read_steps(self.who .. ": fit", values)
  local states = {}
  for d, column in ipairs(list) do
    local ok, state = pcall(self.kind.fit, self.given, column)
    if not ok then
      if #list > 1 and type(state) == "string" then state = ("%s (column %d)"):format(state, d) end
      error(state, 0)
    end
    states[d] = state
  end
  self.states, self.form = states, form
  -- What new values must follow, where there are dates.
  self.past = type(values) == "table" and values.times and values.frequency and values or nil
  self.ahead = 0
  return self
end

local function require_fitted(self, who)
  if not self.states then error(("%s: %s before fit"):format(self.who, who), 0) end
end

-- Raises when new values have dates that do not follow the last ones.
local function require_next(self, values)
  local past = self.past
  if not (past and type(values) == "table" and values.times) then return end
  local expected = past.rows + self.ahead + 1
  if values.times[1] ~= past:time(expected) then
    error(("%s: update: the values begin at %s, those that are known end at %s; give them from %s on")
      :format(self.who, values:date(1), past:date(expected - 1), past:date(expected)), 0)
  elseif values.times[values.rows] ~= past:time(expected + values.rows - 1) then
    error(("%s: update: the values' dates are not as far apart as those that were fitted"):format(
      self.who), 0)
  end
end

--- Takes new values in; what was estimated stays.
-- @param values as in fit, with as many columns
-- @treturn Baseline itself
-- @raise also for a Series with dates that does not begin where the last one ended
function methods:update(values)
  require_fitted(self, "update")
  local list = columns.read_steps(self.who .. ": update", values)
  if #list ~= #self.states then
    error(("%s: update: %d columns, it was fitted to %d"):format(self.who, #list, #self.states), 0)
  end
  for _, column in ipairs(list) do
    if self.kind.accepts then self.kind.accepts(self.given, column) end
  end
  require_next(self, values)
  for d, column in ipairs(list) do
    for _, value in ipairs(column) do self.kind.update(self.states[d], value) end
  end
  self.ahead = self.ahead + #list[1]
  return self
end

--- The forecasts of one column: a list of h numbers.
local function means(kind, state, h)
  local future, list = kind.copy(state), {}
  for step = 1, h do
    list[step] = kind.mean(future)
    kind.update(future, list[step])
  end
  return list
end

local function analytic(kind, state, mean, level)
  local z = normal.quantile(0.5 + level / 2)
  local low, high = {}, {}
  for step, value in ipairs(mean) do
    local half = z * kind.spread(state, step)
    low[step], high[step] = value - half, value + half
  end
  return low, high
end

-- An autoregression may grow without bound.
local function require_finite(who, list)
  for step, value in ipairs(list) do
    if value ~= value or math.abs(value) == math.huge then
      error(("%s: the forecast of step %d is not finite: the model grows without bound; ask for fewer "
        .. "steps, or fit it with differences"):format(who, step), 0)
    end
  end
end

-- Quantile q of a sorted list, between its neighbours (Hyndman and Fan, 1996, type 7).
local function quantile(sorted, q)
  local place = 1 + q * (#sorted - 1)
  local below = math.floor(place)
  local share = place - below
  return sorted[below] + share * ((sorted[below + 1] or sorted[below]) - sorted[below])
end

-- Residuals as they are drawn: about zero, and as wide as sigma, which counts what fitting took.
local function drawable(state)
  local list, sum, squares = state.residuals, 0, 0
  for _, e in ipairs(list) do sum = sum + e end
  local middle = sum / #list
  for _, e in ipairs(list) do squares = squares + (e - middle) ^ 2 end
  local scale = squares > 0 and state.sigma / math.sqrt(squares / #list) or 0
  local result = {}
  for i, e in ipairs(list) do result[i] = (e - middle) * scale end
  return result
end

local function bootstrap(kind, state, h, read, column)
  local stream = native.new_stream(read.seed, column)
  local residuals, at = drawable(state), {}
  for step = 1, h do at[step] = {} end
  for path = 1, read.paths do
    local future = kind.copy(state)
    for step = 1, h do
      local value = kind.mean(future)
      local e = residuals[stream:below(#residuals) + 1]
      value = state.relative and value * (1 + e) or value + e
      at[step][path] = value
      kind.update(future, value)
    end
  end
  local low, high = {}, {}
  for step = 1, h do
    table.sort(at[step])
    low[step] = quantile(at[step], 0.5 - read.level / 2)
    high[step] = quantile(at[step], 0.5 + read.level / 2)
  end
  return low, high
end

local forecast_options = { level = options.optional, method = "auto", paths = 1000, seed = 1 }

local function read_forecast_options(who, given)
  local read = options.read(who, given, forecast_options)
  options.choice(who, "method", read.method, { "auto", "analytic", "bootstrap" })
  read.paths = options.integer(who, "paths", read.paths, 2)
  read.seed = options.integer(who, "seed", read.seed, 0)
  local level = read.level
  if level ~= nil and not (type(level) == "number" and level > 0 and level < 1) then
    error(("%s: level must be a number between 0 and 1, got %s"):format(who, options.show(level)), 0)
  end
  return read
end

-- The bounds of one column, by formula where there is one and paths are not asked for.
local function interval(self, state, mean, read, column)
  local formula = self.kind.spread(state, 1) ~= nil
  if read.method == "analytic" and not formula then
    error(self.who .. ": forecast: there is no formula for this interval; ask for method "
      .. "\"bootstrap\"", 0)
  end
  if formula and read.method ~= "bootstrap" then
    return analytic(self.kind, state, mean, read.level)
  end
  return bootstrap(self.kind, state, #mean, read, column)
end

--- Forecasts the next h values.
-- @tparam integer h
-- @tparam[opt] table given `level` in (0, 1): an interval that covers so much; `method` of the
-- interval: "analytic" (normal errors), "bootstrap" (paths with residuals drawn at random), "auto"
-- (analytic where there is a formula); `paths` (1000), `seed` (1)
-- @return mean: h numbers or rows, in the form that was fitted
-- @return low and high, where a level was given
-- @raise before fit
function methods:forecast(h, given)
  require_fitted(self, "forecast")
  local who = self.who .. ": forecast"
  h = options.integer(who, "h", h)
  local read = read_forecast_options(who, given)
  local mean, low, high = {}, {}, {}
  for d, state in ipairs(self.states) do
    mean[d] = means(self.kind, state, h)
    require_finite(who, mean[d])
    if read.level then
      low[d], high[d] = interval(self, state, mean[d], read, d)
      require_finite(who, low[d])
      require_finite(who, high[d])
    end
  end
  if not read.level then return columns.write(mean, self.form) end
  return columns.write(mean, self.form), columns.write(low, self.form),
    columns.write(high, self.form)
end

--- What was estimated: a table, or a list of tables where there are several columns.
function methods:parameters()
  require_fitted(self, "parameters")
  local list = {}
  for d, state in ipairs(self.states) do
    list[d] = self.kind.parameters and self.kind.parameters(state) or {}
    list[d].sigma = state.sigma
  end
  return #list == 1 and list[1] or list
end

--- The errors one step ahead within the series that was fitted: a list of numbers, or a list of such
-- lists where there are several columns. Relative errors where the model has those.
function methods:residuals()
  require_fitted(self, "residuals")
  local list = {}
  for d, state in ipairs(self.states) do
    list[d] = table.move(state.residuals, 1, #state.residuals, 1, {})
  end
  return #list == 1 and list[1] or list
end

-- "alpha 0.3, sigma 2": the parameters that are single values.
local function parameters_text(parameters)
  local names, cells = {}, {}
  for name, value in pairs(parameters) do
    if type(value) ~= "table" then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local value = parameters[name]
    cells[i] = name .. " " .. (type(value) == "number" and ("%.5g"):format(value) or value)
  end
  return table.concat(cells, ", ")
end

function Baseline.__tostring(self)
  if not self.states then return self:name() .. "; not fitted" end
  local list = self:parameters()
  if #self.states == 1 then list = { list } end
  local lines = { self:name() }
  for d, parameters in ipairs(list) do
    lines[d + 1] = (#list > 1 and ("  column %d: "):format(d) or "  ") .. parameters_text(parameters)
  end
  return table.concat(lines, "\n")
end

--- The deviation of residuals around zero, with `lost` degrees of freedom taken away where they last.
function Baseline.sigma(residuals, lost)
  local squares = 0
  for _, e in ipairs(residuals) do squares = squares + e * e end
  return math.sqrt(squares / math.max(1, #residuals - (lost or 0)))
end

--- Raises unless a column has `least` values.
function Baseline.require_length(who, y, least, why)
  if #y < least then
    error(("%s: the series has %d value%s, expected at least %d%s"):format(who, #y,
      #y == 1 and "" or "s", least, why and (" (%s)"):format(why) or ""), 0)
  end
end

return Baseline
