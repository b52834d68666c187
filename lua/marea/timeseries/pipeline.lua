--- A chain of transforms, learnt from the training part and inverted on forecasts.
--
--     local pipeline = timeseries.Pipeline{ "log", { "difference", 12 }, "standard" }
--     pipeline:fit(train)                             -- remembers what it was fitted on
--     local ready = pipeline:transform(series)        -- a Series, 12 rows shorter
--     local y = pipeline:inverse(values, series, 100) -- values (H) that follow row 100
-- @classmod marea.timeseries.Pipeline
local options = require "marea.nn.options"
require "marea.timeseries.innovations" -- its class may stand in a file
local transform = require "marea.timeseries.transform"
local transforms = require "marea.timeseries.transforms"
local scalers = require "marea.timeseries.scalers"

local Pipeline = { __name = "marea pipeline" }
Pipeline.__index = Pipeline

local short = { log = transforms.Log, boxcox = transforms.BoxCox, difference = transforms.Difference,
  standard = scalers.StandardScaler, minmax = scalers.MinMaxScaler, robust = scalers.RobustScaler }

-- A stage from a name, { name, argument } or an object; a copy, so that two forecasters never share
-- what they have learnt.
local function read_stage(stage, place)
  if type(stage) == "string" then stage = { stage } end
  if type(stage) == "table" and stage.class_name and transform.classes[stage.class_name] then
    local given = {}
    for name in pairs(stage.declared) do given[name] = stage[name] end
    return transform.classes[stage.class_name](given)
  end
  local class = type(stage) == "table" and short[stage[1]]
  if not class then
    local known = {}
    for name in pairs(short) do known[#known + 1] = name end
    table.sort(known)
    error(("Pipeline: stage %d is %s; there are %s"):format(place,
      options.show(type(stage) == "table" and stage[1] or stage), table.concat(known, ", ")), 0)
  end
  local given = {}
  for key, value in pairs(stage) do
    if key ~= 1 then given[math.type(key) == "integer" and key - 1 or key] = value end
  end
  return class(given)
end

local function construct(_, stages)
  if type(stages) == "string" then stages = { stages } end
  if type(stages) ~= "table" then
    error("Pipeline: expected a list of stages, got " .. options.show(stages), 0)
  end
  local self = setmetatable({ stages = {}, lost = 0, pointwise = true, only_scales = true,
    anchored = false }, Pipeline)
  for i, stage in ipairs(stages) do
    local read = read_stage(stage, i)
    self.stages[i] = read
    self.lost = self.lost + read.lost
    self.pointwise = self.pointwise and read.pointwise
    self.only_scales = self.only_scales and read.scales == true
    self.anchored = self.anchored or read.anchored == true
  end
  return self
end

function Pipeline:__tostring()
  local list = {}
  for i, stage in ipairs(self.stages) do list[i] = tostring(stage) end
  return #list == 0 and "as it is" or table.concat(list, " → ")
end

--- Learns from a series, which should be the training part alone.
-- @treturn Pipeline itself; `fitted` says on which rows and dates
-- @raise naming the column that is constant, or the value that has no logarithm
function Pipeline:fit(series)
  if series.rows <= self.lost then
    error(("Pipeline: %d rows, the differences use up %d"):format(series.rows, self.lost), 0)
  end
  local columns, before = series.columns, {}
  self.width = #columns
  for i, stage in ipairs(self.stages) do
    local text = i > 1 and (" (after %s)"):format(table.concat(before, ", ")) or ""
    stage:fit(columns, series.names, 1, series.rows, text)
    before[i] = tostring(stage)
    local next_columns = {}
    for d, column in ipairs(columns) do
      next_columns[d] = stage:apply(column, d, series.names[d])
    end
    columns = next_columns
  end
  self.lost = 0 -- what a stage uses up may be learnt
  for _, stage in ipairs(self.stages) do self.lost = self.lost + stage.lost end
  self.fitted = true
  return self
end

local function require_fitted(self, width, who)
  if not self.fitted then error(who .. ": fit the pipeline first, on the training part", 0) end
  if width ~= self.width then
    error(("%s: %d columns, the pipeline was fitted on %d"):format(who, width, self.width), 0)
  end
end

--- What goes into each stage, and what comes out of the last: a list of lists of columns. The rows
-- that differences use up are false.
function Pipeline:trace(series)
  require_fitted(self, #series.columns, "Pipeline")
  local trace = { series.columns }
  for i, stage in ipairs(self.stages) do
    trace[i + 1] = {}
    for d, column in ipairs(trace[i]) do
      trace[i + 1][d] = stage:apply(column, d, series.names[d])
    end
  end
  return trace
end

--- The transformed series; the first `lost` rows are gone.
function Pipeline:transform(series)
  if series.rows <= self.lost then
    error(("Pipeline: %d rows, the differences use up %d"):format(series.rows, self.lost), 0)
  end
  local trace = self:trace(series)
  local columns = {}
  for d, column in ipairs(trace[#trace]) do
    columns[d] = table.move(column, self.lost + 1, series.rows, 1, {})
  end
  return series:with{ columns = columns, rows = series.rows - self.lost,
    first = series.first + self.lost,
    times = series.times and table.move(series.times, self.lost + 1, series.rows, 1, {}) }
end

--- What H transformed values of column d that follow row `origin` were before.
-- @tparam {number,...} values
-- @tparam integer d
-- @tparam table trace what `trace` returned for the series that holds the history
-- @tparam integer origin
-- @treturn {number,...}
function Pipeline:invert_column(values, d, trace, origin)
  for i = #self.stages, 1, -1 do
    values = self.stages[i]:invert(values, d, trace[i][d], origin)
  end
  return values
end

--- Undoes the transforms on values that follow a row of a series.
-- @tparam {table,...}|{number,...} values a list of H numbers for each column, or one list
-- @tparam Series series the history, in its own units
-- @tparam[opt] integer origin the last row known (the last of the series)
-- @treturn table alike
function Pipeline:inverse(values, series, origin)
  origin = origin or series.rows
  local single = type(values[1]) ~= "table"
  local lists, trace = single and { values } or values, self:trace(series)
  require_fitted(self, #lists, "Pipeline")
  local result = {}
  for d, list in ipairs(lists) do result[d] = self:invert_column(list, d, trace, origin) end
  return single and result[1] or result
end

--- The pipeline as a table for JSON.
function Pipeline:get_config()
  local stages = {}
  for i, stage in ipairs(self.stages) do stages[i] = transform.serialize(stage) end
  return { width = self.width, stages = require("marea.json").array(stages) }
end

--- A fitted pipeline from such a table.
-- @raise when it is malformed
function Pipeline.from_config(config)
  local width = type(config) == "table" and math.tointeger(config.width)
  if not width or width < 1 or type(config.stages) ~= "table" then
    error("the transforms are malformed", 0)
  end
  local stages = {}
  for i, description in ipairs(config.stages) do
    stages[i] = transform.deserialize(description, width)
  end
  local self = construct(nil, {})
  for i, stage in ipairs(stages) do
    self.stages[i], self.lost = stage, self.lost + stage.lost
    self.pointwise = self.pointwise and stage.pointwise
    self.only_scales = self.only_scales and stage.scales == true
    self.anchored = self.anchored or stage.anchored == true
  end
  self.width, self.fitted = width, true
  return self
end

return setmetatable(Pipeline, { __call = construct })
