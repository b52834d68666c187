--- Forecasters in files: the network's own file, with transforms, residuals and the last rows of the
-- training part in its metadata. An ensemble's networks are the branches of one model.
-- @module marea.timeseries.storage
local checkpoint = require "marea.model.checkpoint"
local Ensemble = require "marea.timeseries.ensemble"
local Forecaster = require "marea.timeseries.forecaster"
local frequency = require "marea.timeseries.frequency"
local json = require "marea.json"
local Model = require "marea.model.functional"
local nn = require "marea.nn"
local options = require "marea.nn.options"
local Pipeline = require "marea.timeseries.pipeline"
local Series = require "marea.timeseries.series"

local storage = {}

local VERSION <const> = 1
local kept = { "lookback", "horizon", "strategy", "normalize", "encoding", "independent", "quantiles",
  "calendar", "lost", "unknown", "reads_future", "median" }
local span = { "first_time", "last_time", "first", "last", "rows", "from", "to" }

local function describe_series(series)
  local known = json.array{}
  for _, name in ipairs(series.names) do
    if series.known[name] then known[#known + 1] = name end
  end
  return { columns = series.columns, names = series.names, known = known, times = series.times,
    kind = series.kind, frequency = series.frequency, period = series.period }
end

local function describe(self)
  local description = { version = VERSION, roles = { targets = json.array(self.roles.targets),
    others = json.array(self.roles.others), known = json.array(self.roles.known) },
    pipeline = self.pipeline:get_config(), history = describe_series(self.history),
    residuals = self.residuals, fitted = {} }
  if #self.roles.others > 0 then description.others = self.others_pipeline:get_config() end
  if self.known_pipeline and #self.roles.known > 0 then
    description.known = self.known_pipeline:get_config()
  end
  for _, name in ipairs(kept) do description[name] = self[name] end
  for _, name in ipairs(span) do description.fitted[name] = self.fitted[name] end
  return description
end

--- See Forecaster:save.
function storage.save(self, path)
  self.network.extra = self.network.extra or {}
  self.network.extra.forecaster = json.encode(describe(self))
  return checkpoint.save(self.network, path)
end

-- A model whose branches are the members' networks, each with an input of its own.
local function branches(self)
  local inputs, outputs, names = {}, {}, json.array{}
  for i, member in ipairs(self.members) do
    local shape = member.network.input_shape
    inputs[i] = nn.Input{ shape = { shape[2], shape[3] } }
    outputs[i] = member.network(inputs[i])
  end
  local model = Model{ inputs = inputs, outputs = outputs }
  for i, member in ipairs(self.members) do names[i] = member.network.name end
  return model, names
end

--- See Ensemble:save.
function storage.save_ensemble(self, path)
  local model, names = branches(self)
  local members = json.array{}
  for i, member in ipairs(self.members) do members[i] = describe(member) end
  model.extra = { ensemble = json.encode{ version = VERSION, combine = self.combine, names = names,
    members = members } }
  return checkpoint.save(model, path)
end

-- Loading -----------------------------------------------------------------------------------------

local function refuse(message, ...)
  error(message:format(...), 0)
end

local function texts(list, what)
  if type(list) ~= "table" then refuse("%s is malformed", what) end
  for _, item in ipairs(list) do
    if type(item) ~= "string" then refuse("%s is malformed", what) end
  end
  return list
end

local function whole(value, what, low)
  local number = math.tointeger(value)
  if not number or number < (low or 1) then refuse("%s is malformed", what) end
  return number
end

local function restore_frequency(given)
  if given == nil then return nil end
  if type(given) ~= "table" or given.unit ~= "month" and given.unit ~= "second" then
    refuse("the frequency is malformed")
  end
  return { unit = given.unit, count = whole(given.count, "the frequency"),
    month_end = given.month_end == true or nil }
end

-- Everything is checked by Series.new; the moments here.
local function restore_series(given)
  if type(given) ~= "table" or type(given.columns) ~= "table" then refuse("the history is malformed") end
  local rows, names = {}, texts(given.names, "the history's names")
  for d, column in ipairs(given.columns) do
    if type(column) ~= "table" then refuse("the history is malformed") end
    for t, value in ipairs(column) do
      rows[t] = rows[t] or {}
      rows[t][d] = value
    end
  end
  local series = Series.new{ rows, names = names, known = texts(given.known, "the history's columns"),
    period = whole(given.period, "the period") }
  if given.times == nil then return series end
  local freq, times = restore_frequency(given.frequency), {}
  if type(given.times) ~= "table" or #given.times ~= series.rows or type(given.kind) ~= "string" then
    refuse("the history's dates are malformed")
  end
  for i, time in ipairs(given.times) do
    times[i] = math.tointeger(time)
    if not times[i] or math.abs(times[i]) > 1e12 or i > 1 and times[i] <= times[i - 1] then
      refuse("the history's dates are malformed")
    end
  end
  frequency.name(freq or { unit = "second", count = 1 })
  return series:with{ times = times, kind = given.kind, frequency = freq }
end

local function restore_residuals(given, horizon, targets)
  if type(given) ~= "table" or #given == 0 then refuse("the residuals are malformed") end
  for _, row in ipairs(given) do
    local fine = type(row) == "table" and #row == horizon
    for h = 1, fine and horizon or 0 do
      fine = fine and type(row[h]) == "table" and #row[h] == targets
      for c = 1, fine and targets or 0 do fine = fine and type(row[h][c]) == "number" end
    end
    if not fine then refuse("the residuals are malformed") end
  end
  return given
end

local function restore_quantiles(given)
  for _, q in ipairs(type(given) == "table" and given or {}) do
    if type(q) ~= "number" then refuse("the quantiles are malformed") end
  end
  return given
end

-- A forecaster as the constructor makes it, with what it had learnt.
local function restore(network, d)
  if d.version ~= VERSION then
    refuse("holds a forecaster of version %s, expected %d", options.show(d.version), VERSION)
  end
  local self = Forecaster{ model = network, lookback = d.lookback, horizon = d.horizon,
    strategy = d.strategy, normalize = d.normalize, encoding = d.encoding, independent = d.independent,
    quantiles = restore_quantiles(d.quantiles), calendar = d.calendar }
  if type(d.roles) ~= "table" or type(d.fitted) ~= "table" then refuse("is malformed") end
  self.roles = { targets = texts(d.roles.targets, "the targets"),
    others = texts(d.roles.others, "the columns"), known = texts(d.roles.known, "the columns") }
  self.pipeline = Pipeline.from_config(d.pipeline)
  if d.others then self.others_pipeline = Pipeline.from_config(d.others) end
  self.known_pipeline = d.known and Pipeline.from_config(d.known) or nil
  self.lost = whole(d.lost, "lost", 0)
  self.unknown = #self.roles.targets + #self.roles.others
  self.reads_future = d.reads_future == true
  self.network, self.fitted = network, {}
  for _, name in ipairs(span) do self.fitted[name] = d.fitted[name] end
  for _, name in ipairs{ "first_time", "last_time", "first", "last", "rows" } do
    if self.fitted[name] ~= nil then
      self.fitted[name] = whole(self.fitted[name], name, math.mininteger)
    end
  end
  self.residuals = restore_residuals(d.residuals, self.horizon, #self.roles.targets)
  self.history = restore_series(d.history)
  return self
end

local function restore_ensemble(model, d)
  if d.version ~= VERSION then
    refuse("holds an ensemble of version %s, expected %d", options.show(d.version), VERSION)
  end
  local networks, given = {}, { combine = d.combine }
  for _, layer in ipairs(model.layers) do networks[layer.name] = layer end
  if type(d.members) ~= "table" then refuse("the members are malformed") end
  for i, name in ipairs(texts(d.names, "the members' names")) do
    if not networks[name] or type(d.members[i]) ~= "table" then refuse("member %d is malformed", i) end
    given[i] = restore(networks[name], d.members[i])
  end
  return Ensemble(given)
end

--- The forecaster, or the ensemble, of a file that its `save` wrote.
-- @tparam string path
-- @treturn Forecaster|Ensemble|nil what the file holds, or nil and a message when it is missing, broken,
-- or holds a model without a forecaster
function storage.load(path)
  require "marea.timeseries.layers" -- its classes may stand in the file
  local model, message = checkpoint.load(path)
  if not model then return nil, message end
  local extra = model.extra or {}
  local kind, text = "forecaster", extra.forecaster
  if extra.ensemble then kind, text = "ensemble", extra.ensemble end
  if type(text) ~= "string" then
    return nil, path .. ": holds a model without a forecaster; marea.load reads it"
  end
  local description, problem = json.decode(text)
  if type(description) ~= "table" then
    return nil, ("%s: %s: %s"):format(path, kind, tostring(problem or "is no object"))
  end
  local ok, result = pcall(extra.ensemble and restore_ensemble or restore, model, description)
  if not ok then return nil, ("%s: %s: %s"):format(path, kind, tostring(result)) end
  return result
end

return storage
