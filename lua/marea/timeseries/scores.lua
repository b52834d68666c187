--- What the judging of forecasts came to: measures, beside those of baselines. It can be printed, and
-- travels in a forecaster's file.
-- @classmod marea.timeseries.Scores
local json = require "marea.json"
local metrics = require "marea.timeseries.metrics"

local Scores = { __name = "marea scores" }
local methods = {}
Scores.__index = methods

--- Names of the baselines, in the order in which they are shown.
Scores.baselines = { "seasonal naive", "naive", "drift", "mean" }

--- Scores from a table of measures.
function Scores.of(measures)
  return setmetatable(measures, Scores)
end

--- One line: the error beside the reference's, and the skill score 1 - RMSE / RMSE of the seasonal
-- naive forecast.
function methods:summary()
  local reference = self.baselines[self.reference]
  return ("judged on %d windows, %s … %s: RMSE %.4g, %s %.4g, skill score %s"):format(self.windows,
    self.first, self.last, self.rmse, self.reference, reference.rmse,
    self.skill and ("%.3f"):format(self.skill) or "not defined")
end

function Scores.__tostring(self)
  local lines = { ("%d windows, horizon %d, %s … %s%s"):format(self.windows, self.horizon, self.first,
    self.last, self.units == "scaled" and "; in deviations of the training part" or "") }
  lines[2] = ("%-16s %10s %10s %10s %12s"):format("", "RMSE", "MAE", "MSE", "skill score")
  local reference = self.baselines[self.reference].rmse
  local function row(name, e)
    local s = metrics.skill(e.rmse, reference)
    lines[#lines + 1] = ("%-16s %10.4g %10.4g %10.4g %12s"):format(name, e.rmse, e.mae, e.mse,
      s and ("%.3f"):format(s) or "-")
  end
  row("this forecaster", self)
  for _, name in ipairs(Scores.baselines) do
    if self.baselines[name] then row(name, self.baselines[name]) end
  end
  lines[#lines + 1] = ("skill score: 1 - RMSE / RMSE of the %s forecast%s%s"):format(self.reference,
    (self.mape and ("; MAPE %.2f%%"):format(self.mape) or "")
      .. (self.smape and ("; sMAPE %.2f%%"):format(self.smape) or ""),
    self.mase and ("; MASE %.3f"):format(self.mase) or "")
  if self.coverage then
    lines[#lines + 1] = ("intervals of %g%% hold %.1f%% of the values; mean width %.4g%s"):format(
      100 * self.level, 100 * self.coverage, self.width,
      self.pinball and (", pinball loss %.4g"):format(self.pinball) or "")
  end
  return table.concat(lines, "\n")
end

-- Files -------------------------------------------------------------------------------------------

local texts = { "units", "first", "last", "reference" }
local numbers = { "windows", "horizon", "rmse", "mse", "mae" }
local maybe = { "mape", "smape", "mase", "skill", "coverage", "width", "level", "pinball" }

--- The scores as a table for JSON: measures alone, no forecasts.
function methods:describe()
  local result = { by_horizon = json.array(self.by_horizon), baselines = {} }
  for _, list in ipairs{ texts, numbers, maybe } do
    for _, name in ipairs(list) do result[name] = self[name] end
  end
  for name, errors in pairs(self.baselines) do
    result.baselines[name] = { rmse = errors.rmse, mse = errors.mse, mae = errors.mae }
  end
  return result
end

local function check(fine)
  if not fine then error("the scores are malformed", 0) end
end

local function is_number(value)
  return type(value) == "number" and value - value == 0
end

-- A table's numbers; those that may be missing too.
local function read_numbers(given, names, result, optional)
  check(type(given) == "table")
  for _, name in ipairs(names) do
    check(is_number(given[name]) or optional and given[name] == nil)
    result[name] = given[name]
  end
  return result
end

--- Scores from such a table.
-- @raise when it is malformed
function Scores.restore(given)
  local result = read_numbers(given, numbers, { baselines = {}, by_horizon = {} })
  read_numbers(given, maybe, result, true)
  check((result.coverage == nil) == (result.width == nil) and (result.coverage == nil)
    == (result.level == nil))
  result.windows, result.horizon = math.tointeger(result.windows), math.tointeger(result.horizon)
  check(result.windows and result.horizon)
  for _, name in ipairs(texts) do
    check(type(given[name]) == "string")
    result[name] = given[name]
  end
  check(type(given.baselines) == "table" and type(given.by_horizon) == "table")
  for _, name in ipairs(Scores.baselines) do
    if given.baselines[name] ~= nil then
      result.baselines[name] = read_numbers(given.baselines[name], { "rmse", "mse", "mae" }, {})
    end
  end
  check(result.baselines[result.reference])
  for h, value in ipairs(given.by_horizon) do
    check(is_number(value))
    result.by_horizon[h] = value
  end
  return Scores.of(result)
end

return Scores
