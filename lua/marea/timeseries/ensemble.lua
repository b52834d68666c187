--- Several forecasters as one: their forecasts are combined (Bates and Granger, 1969).
--
--     local ensemble = timeseries.Ensemble{ on_autoregression, on_smoothing, on_last_year }
--     ensemble:fit(train)
--     print(ensemble:forecast(12))
--
-- Errors of forecasters that see a series in different ways lie in different directions, and a plain
-- mean is hard to beat by weights that are learnt. The bounds of an interval are combined as the
-- forecasts are: the mean of the members' quantiles (Lichtendahl, Grushka-Cockayne and Winkler, 2013).
-- Whatever takes a Forecaster takes an Ensemble: backtest, plot.forecast, files.
-- @classmod marea.timeseries.Ensemble
local evaluation = require "marea.timeseries.evaluation"
local Forecaster = require "marea.timeseries.forecaster"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local Series = require "marea.timeseries.series"

local Ensemble = { __name = "marea ensemble" }
local methods = {}
Ensemble.__index = methods

-- Members -----------------------------------------------------------------------------------------

local function check_members(members)
  if #members < 2 then error("Ensemble: give two forecasters or more", 0) end
  local place = {}
  for i, member in ipairs(members) do
    if getmetatable(member) ~= Forecaster then
      error(("Ensemble: member %d must be a timeseries.Forecaster, got %s"):format(i,
        options.show(member)), 0)
    elseif place[member] then
      error(("Ensemble: member %d is member %d again; make another one, with a seed of its own"):format(
        i, place[member]), 0)
    end
    place[member] = i
  end
end

-- The steps that every member can forecast.
local function common_horizon(members)
  local horizon
  for _, member in ipairs(members) do
    if member.strategy ~= "recursive" then
      horizon = math.min(horizon or math.huge, member.horizon)
    end
  end
  return horizon or 1, horizon and "direct" or "recursive"
end

-- Members know their targets once they are fitted.
local function check_targets(members)
  local first
  for i, member in ipairs(members) do
    local own = member.roles and table.concat(member.roles.targets, ", ")
    first = first or own
    if own and own ~= first then
      error(("Ensemble: member %d forecasts %s, member 1 %s; give all the same targets"):format(i, own,
        first), 0)
    end
  end
end

-- Combining ---------------------------------------------------------------------------------------

local combinations = {}

function combinations.mean(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

function combinations.median(values)
  table.sort(values)
  local middle = (#values + 1) // 2
  if #values % 2 == 1 then return values[middle] end
  return (values[middle] + values[middle + 1]) / 2
end

-- Lists of lists … of numbers, all of one shape, number by number.
local function combine(how, lists)
  if type(lists[1]) == "number" then return how(lists) end
  local result = {}
  for i = 1, #lists[1] do
    local items = {}
    for k, list in ipairs(lists) do items[k] = list[i] end
    result[i] = combine(how, items)
  end
  return result
end

local function combined(self, items, part)
  local lists = {}
  for i, item in ipairs(items) do lists[i] = item[part] end
  return combine(combinations[self.combine], lists)
end

-- As a forecaster ---------------------------------------------------------------------------------

--- An ensemble.
-- @tparam table given the forecasters, two or more, and `combine`: "mean" (default) or "median"
-- @treturn Ensemble { members, horizon = the steps that all of them can forecast }
local function construct(_, given)
  local members, named = {}, {}
  for key, value in pairs(type(given) == "table" and given or {}) do
    if math.type(key) ~= "integer" then named[key] = value end
  end
  if type(given) == "table" and not getmetatable(given) then
    table.move(given, 1, #given, 1, members)
  end
  check_members(members)
  local self = setmetatable(options.read("Ensemble", named, { combine = "mean" }), Ensemble)
  options.choice("Ensemble", "combine", self.combine, { "mean", "median" })
  self.members = members
  check_targets(members)
  self.horizon, self.strategy = common_horizon(members)
  return self
end

--- Fits every member, one after the other: see Forecaster:fit.
-- @treturn table the members' histories; `self.report` says in words what was done
function methods:fit(series, given)
  series = Series.of(series)
  local histories, reports = {}, {}
  for i, member in ipairs(self.members) do
    histories[i] = member:fit(series, given)
    reports[i] = ("%d. %s"):format(i, member.report)
  end
  check_targets(self.members)
  self.report = table.concat(reports, "\n")
  return histories
end

local function require_fitted(self, who)
  for i, member in ipairs(self.members) do
    if not member.network then
      error(("%s: fit the ensemble first (member %d is not fitted)"):format(who, i), 0)
    end
  end
end

--- Forecasts what follows a history: see Forecaster:forecast.
-- @treturn Forecast
function methods:forecast(horizon, given)
  require_fitted(self, "forecast")
  local items = {}
  for i, member in ipairs(self.members) do
    items[i] = member:forecast(horizon or self.horizon, given)
  end
  local result = items[1]
  local mean, low, high = combined(self, items, "mean"), combined(self, items, "low"),
    combined(self, items, "high")
  result.mean, result.low, result.high, result.scores = mean, low, high, self.scores
  return result
end

-- Members whose bases know the training part see more of the past than others.
local function check_windows(items)
  for i, seen in ipairs(items) do
    if #seen.origins ~= #items[1].origins or seen.first ~= items[1].first then
      error(("evaluate: member %d can be judged from %s on, member 1 from %s; take the part with "
        .. "series:split, whose parts know their past"):format(i, seen.first, items[1].first), 0)
    end
  end
end

--- Judges the combined forecasts from every origin of a later part: see Forecaster:evaluate.
-- @treturn Scores
function methods:evaluate(series, given)
  require_fitted(self, "evaluate")
  local read, items, part = evaluation.read_options(self, given), {}, Series.of(series)
  for i, member in ipairs(self.members) do items[i] = evaluation.foresee(member, part, read) end
  check_windows(items)
  local seen = items[1]
  for _, item in ipairs(items) do item.predicted = item.predicted:totable() end
  seen.predicted = ops.tensor(combined(self, items, "predicted"))
  if read.level then
    seen.low, seen.high = combined(self, items, "low"), combined(self, items, "high")
  end
  local scores = evaluation.score(seen, read)
  if not read.in_sample then self.scores = scores end
  return scores
end

--- What the ensemble is called in tables.
function methods:name()
  return ("%s of %d forecasters, horizon %d"):format(self.combine, #self.members, self.horizon)
end

--- Writes all members into one file, which timeseries.load reads.
-- @treturn boolean|nil true, or nil and a message
function methods:save(path)
  require_fitted(self, "save")
  return require("marea.timeseries.storage").save_ensemble(self, path)
end

function Ensemble.__tostring(self)
  local lines = { "ensemble, " .. self:name() .. ":" }
  for i, member in ipairs(self.members) do lines[i + 1] = "  " .. tostring(member) end
  return table.concat(lines, "\n")
end

return setmetatable(Ensemble, { __call = construct })
