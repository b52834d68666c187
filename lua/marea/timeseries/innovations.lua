--- The stage of a pipeline that leaves what a simple forecaster could not foresee.
--
-- Each value becomes its innovation: its distance from what the baseline forecast one step before,
-- divided by the root mean square of the training part's (a share of the forecast where the
-- baseline's errors are relative). The inverse lets the baseline go on from the origin and adds the
-- innovations that are given to it step by step: zeros give the baseline's own forecast, a network's
-- answers the hybrid one (Zhang, 2003; for exponential smoothing Smyl, 2020).
-- @module marea.timeseries.innovations
local Baseline = require "marea.timeseries.baseline"
local baselines = require "marea.timeseries.baselines"
local options = require "marea.nn.options"
local transform = require "marea.timeseries.transform"

local WHO <const> = "Forecaster: base"

-- Names of baselines, and whether they are told the series' season.
local names = { naive = false, drift = false, mean = false, autoregression = false, holt = false,
  simple_exponential_smoothing = false, seasonal_naive = true, holt_winters = true,
  exponential_smoothing = true }

local Innovations = transform.class("Innovations", { base = options.required, period = 1 }, { "base" },
  { "scale" })
Innovations.pointwise = false
Innovations.anchored = true -- the baseline's states run from the training part's first row on

function Innovations:init()
  local known = {}
  for name in pairs(names) do known[#known + 1] = name end
  table.sort(known)
  if type(self.base) == "string" then
    options.choice("Forecaster", "base", self.base, known)
  elseif getmetatable(self.base) ~= Baseline or names[self.base.who] == nil then
    error(("%s must be one of %s, or such an object of timeseries.baselines, got %s"):format(WHO,
      table.concat(known, ", "), options.show(self.base)), 0)
  end
end

-- The baseline, not fitted; a name's season is the series'.
local function baseline_of(self)
  if type(self.base) ~= "string" then return self.base end
  local given = {}
  if names[self.base] then
    if self.period < 2 and self.base ~= "exponential_smoothing" then
      error(("%s = %q needs a season, the series has none; give timeseries.baselines.%s{ period = … } "
        .. "or the series a period"):format(WHO, self.base, self.base), 0)
    end
    given.period = self.period
  end
  return baselines[self.base](given)
end

-- The rows at a column's beginning that differences have used up.
local function used_up(column)
  local count = 0
  while column[count + 1] == false do count = count + 1 end
  return count
end

local function root_mean_square(list)
  local squares = 0
  for _, e in ipairs(list) do squares = squares + e * e end
  return math.sqrt(squares / #list)
end

--- Fits the baseline to rows 1 … last of each column.
-- @raise what the baseline raises, with the column's name
function Innovations:fit(columns, column_names, _, last)
  local baseline = baseline_of(self)
  self.baseline, self.starts, self.scale, self.lead, self.lost = baseline, {}, {}, {}, 0
  self.widening, self.cache = {}, {}
  for d, column in ipairs(columns) do
    local before = used_up(column)
    local y = table.move(column, before + 1, last, 1, {})
    local ok, state = pcall(baseline.kind.fit, baseline.given, y)
    if not ok then error(("%s, column %q: %s"):format(WHO, column_names[d], state), 0) end
    local size = root_mean_square(state.residuals)
    self.starts[d] = baseline.kind.begin(state, y)
    self.lead[d] = #y - #state.residuals
    self.lost = math.max(self.lost, self.lead[d])
    self.scale[d] = size > 0 and size or 1
    -- Fitting has made residuals smaller than errors to come.
    self.widening[d] = size > 0 and state.sigma / size or 1
  end
end

-- The baseline's forecast of the next value, and what one unit of innovation adds to it.
local function expect(self, state, d)
  local mean = self.baseline.kind.mean(state)
  return mean, state.relative and mean * self.scale[d] or self.scale[d]
end

local function start(self, column, d)
  return self.baseline.kind.copy(self.starts[d]), used_up(column) + self.lead[d]
end

--- Innovations of a column that begins where the training part began.
function Innovations:apply(column, d)
  local kind, result = self.baseline.kind, {}
  local state, before = start(self, column, d)
  if kind.accepts then
    kind.accepts(self.baseline.given, table.move(column, before + 1, #column, 1, {}))
  end
  for t = 1, math.min(before, #column) do result[t] = false end
  for t = before + 1, #column do
    local mean, unit = expect(self, state, d)
    if state.relative and mean <= 0 then
      error(("%s: %s forecasts %g for row %d: relative errors need forecasts above 0"):format(WHO,
        self.baseline:name(), mean, t), 0)
    end
    result[t] = (column[t] - mean) / unit
    kind.update(state, column[t])
  end
  return result
end

-- The baseline's state after row `origin`; paths from one origin follow each other, so the last
-- state is kept.
local function state_at(self, column, d, origin)
  local kind, cache = self.baseline.kind, self.cache
  if cache.column ~= column or cache.d ~= d or cache.row > origin then
    cache.column, cache.d = column, d
    cache.state, cache.row = start(self, column, d)
    if origin < cache.row then
      error(("%s: %s needs %d rows of history, there are %d"):format(WHO, self.baseline:name(),
        cache.row, origin), 0)
    end
  end
  for t = cache.row + 1, origin do kind.update(cache.state, column[t]) end
  cache.row = origin
  return kind.copy(cache.state)
end

function Innovations:invert(values, d, column, origin)
  local state, result = state_at(self, column, d, origin), {}
  for h, innovation in ipairs(values) do
    local mean, unit = expect(self, state, d)
    result[h] = mean + unit * innovation
    self.baseline.kind.update(state, result[h])
  end
  return result
end

function Innovations:describe()
  local name = self.baseline and self.baseline:name()
    or type(self.base) == "string" and self.base:gsub("_", " ") or self.base:name()
  return "what is left over by " .. name
end

-- Files -------------------------------------------------------------------------------------------

--- The stage as a table for JSON: the baseline by name and options, its states at the beginning.
function Innovations:get_config()
  return { base = self.baseline.who, options = self.baseline.original, starts = self.starts,
    scale = self.scale, lead = self.lead }
end

local function refuse(what)
  error("Innovations: " .. what .. " is malformed", 0)
end

local function finite(value)
  return type(value) == "number" and value - value == 0
end

-- One field of a state as the kind of baseline has it.
local fits = {
  number = finite,
  count = function(value) return math.tointeger(value) and value >= 1 end,
  boolean = function(value) return type(value) == "boolean" end,
  numbers = function(value)
    if type(value) ~= "table" then return false end
    for _, item in ipairs(value) do
      if not finite(item) then return false end
    end
    return true
  end,
}

local function restore_state(baseline, given)
  if type(given) ~= "table" then refuse("a state") end
  local state = {}
  for name, form in pairs(baseline.kind.fields) do
    if not fits[form](given[name]) then refuse("the state's " .. name) end
    state[name] = form == "count" and math.tointeger(given[name]) or given[name]
    if form == "numbers" then state[name] = table.move(given[name], 1, #given[name], 1, {}) end
  end
  if baseline.kind.sound and not baseline.kind.sound(state, baseline.given) then refuse("a state") end
  return state
end

--- A fitted stage from such a table; `width` columns.
-- @raise when it is malformed
function Innovations.from_config(config, width)
  if type(config.base) ~= "string" or names[config.base] == nil then refuse("the base") end
  if type(config.options) ~= "table" then refuse("the base's options") end
  local self = Innovations{ base = baselines[config.base](config.options) }
  self.baseline, self.starts, self.lead, self.scale = self.base, {}, {}, {}
  self.lost, self.cache = 0, {}
  for _, name in ipairs{ "starts", "lead", "scale" } do
    if type(config[name]) ~= "table" or #config[name] ~= width then refuse(name) end
  end
  for d = 1, width do
    self.starts[d] = restore_state(self.baseline, config.starts[d])
    self.lead[d] = math.tointeger(config.lead[d])
    if not self.lead[d] or self.lead[d] < 0 then refuse("lead") end
    self.lost = math.max(self.lost, self.lead[d])
    if not finite(config.scale[d]) or config.scale[d] <= 0 then refuse("scale") end
    self.scale[d] = config.scale[d]
  end
  return self
end

return Innovations
