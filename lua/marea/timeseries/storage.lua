--- Forecasters in files: the network's own file, with transforms, residuals and the last rows of the
-- training part in its metadata. An ensemble's networks are the branches of one model.
-- @module marea.timeseries.storage
local calendar = require "marea.timeseries.calendar"
local checkpoint = require "marea.model.checkpoint"
local Ensemble = require "marea.timeseries.ensemble"
local fitting = require "marea.timeseries.fitting"
local Forecaster = require "marea.timeseries.forecaster"
local frequency = require "marea.timeseries.frequency"
local json = require "marea.json"
local leakage = require "marea.timeseries.leakage"
local losses = require "marea.losses"
local Model = require "marea.model.functional"
local nn = require "marea.nn"
local optim = require "marea.optim"
local options = require "marea.nn.options"
local Pipeline = require "marea.timeseries.pipeline"
local Scores = require "marea.timeseries.scores"
local Series = require "marea.timeseries.series"

local storage = {}

local VERSION <const> = 1
local kept = { "lookback", "horizon", "strategy", "normalize", "encoding", "independent", "quantiles",
  "calendar", "lost", "spread", "residuals_of", "seed" }
-- The options of `fit` that a file holds; the others are no numbers.
local training = { epochs = "number", batch_size = "number", verbose = "number", shuffle = "boolean",
  validation_split = "number", patience = "number", folds = "number" }

local function describe_series(series)
  local known = json.array{}
  for _, name in ipairs(series.names) do
    if series.known[name] then known[#known + 1] = name end
  end
  return { columns = series.columns, names = series.names, known = known, times = series.times,
    kind = series.kind, frequency = series.frequency, period = series.period }
end

local function describe_span(span)
  local result = {}
  for _, name in ipairs(leakage.span) do result[name] = span[name] end
  return result
end

-- What a forecaster needs to learn again as it did: loss, optimizer and options of `fit`. A loss that is
-- a function cannot be kept, which whoever fits again is told.
local function describe_training(self, description)
  if self.loss then
    local config, message = losses.get(self.loss):get_config()
    description.loss = config or { missing = message }
  end
  description.optimizer = self.optimizer
  if type(self.optimizer) == "table" then
    description.optimizer = { class_name = self.optimizer.class_name,
      config = self.optimizer:get_config() }
  end
  description.training = self.training and {}
  for name, value in pairs(self.training or {}) do
    if type(value) == training[name] then description.training[name] = value end
  end
end

local function describe(self)
  local description = { version = VERSION, roles = { targets = json.array(self.roles.targets),
    others = json.array(self.roles.others), known = json.array(self.roles.known) },
    pipeline = self.pipeline:get_config(), history = describe_series(self.history),
    residuals = self.residuals }
  if #self.roles.others > 0 then description.others = self.others_pipeline:get_config() end
  if self.known_pipeline and #self.roles.known > 0 then
    description.known = self.known_pipeline:get_config()
  end
  for _, name in ipairs(kept) do description[name] = self[name] end
  description.fitted = describe_span(self.fitted)
  local validation = self.fitted.validation
  description.fitted.validation = validation and describe_span(validation)
  describe_training(self, description)
  description.scores = self.scores and self.scores:describe()
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
  local inputs, outputs = {}, {}
  for i, member in ipairs(self.members) do
    local shape = member.network.input_shape
    inputs[i] = nn.Input{ shape = { shape[2], shape[3] } }
    outputs[i] = member.network(inputs[i])
  end
  return Model{ inputs = inputs, outputs = outputs }
end

-- Calls f while the members' networks have names of their own: "net", "net_2" …
local function with_names(self, f)
  local before, taken, names = {}, {}, json.array{}
  for i, member in ipairs(self.members) do
    local network, count = member.network, 1
    before[i], names[i] = network.name, network.name
    while taken[names[i]] do
      count = count + 1
      names[i] = ("%s_%d"):format(network.name, count)
    end
    taken[names[i]] = true
  end
  for i, member in ipairs(self.members) do member.network.name = names[i] end
  local result = table.pack(pcall(f, names))
  for i, member in ipairs(self.members) do member.network.name = before[i] end
  if not result[1] then error(result[2], 0) end
  return table.unpack(result, 2, result.n)
end

--- See Ensemble:save.
function storage.save_ensemble(self, path)
  local members, scores = json.array{}, self:valid_scores()
  for i, member in ipairs(self.members) do members[i] = describe(member) end
  return with_names(self, function(names)
    local model = branches(self)
    model.extra = { ensemble = json.encode{ version = VERSION, combine = self.combine, names = names,
      members = members, scores = scores and scores:describe() } }
    return checkpoint.save(model, path)
  end)
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

local function restore_span(given)
  if type(given) ~= "table" then refuse("what was learnt from is malformed") end
  local result = {}
  for _, name in ipairs{ "first", "last", "rows" } do
    result[name] = whole(given[name], name, math.mininteger)
  end
  for _, name in ipairs{ "first_time", "last_time" } do
    result[name] = given[name] and whole(given[name], name, math.mininteger)
  end
  if (result.first_time == nil) ~= (result.last_time == nil) then refuse("last_time is malformed") end
  result.from, result.to = table.unpack(texts({ given.from, given.to }, "what was learnt from"))
  if not (result.from and result.to) then refuse("what was learnt from is malformed") end
  return result
end

local function restore_loss(given)
  if given == nil then return nil end
  if type(given) == "table" and given.missing ~= nil then
    return function()
      error("fit: the loss was a function, which the file does not hold: set forecaster.loss first", 0)
    end
  end
  return losses.get(given)
end

local function restore_training(given)
  if given == nil then return nil end
  if type(given) ~= "table" then refuse("the training is malformed") end
  local result = {}
  for name, value in pairs(given) do
    if type(value) ~= training[name] then refuse("the training's %s is malformed", options.show(name)) end
    result[name] = value
  end
  return result
end

-- The columns that a network reads, by the roles and the calendar.
local function count_features(self)
  local dates = self.calendar and #(calendar.columns({ 0 }, self.calendar, self.encoding)) or 0
  return self.unknown + #self.roles.known + dates
end

-- Raises unless what the file says fits together: network, transforms, residuals, history.
local function check_whole(self, given_lost)
  local lost = math.max(self.pipeline.lost, #self.roles.others > 0 and self.others_pipeline.lost or 0)
  if given_lost ~= lost then
    refuse("lost is %d, the transforms use up %d rows", given_lost, lost)
  end
  local info = fitting.info_of(self, count_features(self))
  local shape = self.network.input_shape
  if type(shape) ~= "table" or shape[2] ~= info.rows or shape[3] ~= info.features then
    refuse("the network does not read %d rows of %d features", info.rows, info.features)
  end
  fitting.check_answers("the file", self.network, info)
  for _, list in pairs(self.roles) do
    for _, name in ipairs(list) do self.history:place(name, "the history") end
  end
  if self.history.rows < lost + self.lookback then refuse("the history is too short") end
end

-- A forecaster as the constructor makes it, with what it had learnt.
local function restore(network, d)
  if d.version ~= VERSION then
    refuse("holds a forecaster of version %s, expected %d", options.show(d.version), VERSION)
  end
  if type(d.roles) ~= "table" or type(d.fitted) ~= "table" then refuse("is malformed") end
  local self = Forecaster{ model = network, lookback = d.lookback, horizon = d.horizon,
    strategy = d.strategy, normalize = d.normalize, encoding = d.encoding, independent = d.independent,
    quantiles = restore_quantiles(d.quantiles), calendar = d.calendar, loss = restore_loss(d.loss),
    optimizer = d.optimizer and optim.get(d.optimizer), training = restore_training(d.training),
    seed = d.seed and whole(d.seed, "the seed", math.mininteger),
    targets = texts(d.roles.targets, "the targets") }
  self.roles = { targets = self.targets, others = texts(d.roles.others, "the columns"),
    known = texts(d.roles.known, "the columns") }
  self.pipeline = Pipeline.from_config(d.pipeline)
  if d.others then self.others_pipeline = Pipeline.from_config(d.others) end
  self.known_pipeline = d.known and Pipeline.from_config(d.known) or nil
  self.lost = whole(d.lost, "lost", 0)
  self.unknown = #self.roles.targets + #self.roles.others
  self.network, self.fitted = network, restore_span(d.fitted)
  self.fitted.validation = d.fitted.validation and restore_span(d.fitted.validation)
  self.reads_future = fitting.reads_future(self, count_features(self))
  self.residuals = restore_residuals(d.residuals, self.horizon, #self.roles.targets)
  self.residuals_of = options.choice("residuals", "residuals_of", d.residuals_of or "training",
    { "validation", "folds", "training" })
  self.spread = options.number("residuals", "spread", d.spread or 1, 1)
  self.history = restore_series(d.history)
  self.history = self.history:with{ first = self.fitted.last - self.history.rows + 1 }
  check_whole(self, self.lost)
  self.scores = d.scores and Scores.restore(d.scores)
  return self
end

local function restore_ensemble(model, d)
  if d.version ~= VERSION then
    refuse("holds an ensemble of version %s, expected %d", options.show(d.version), VERSION)
  end
  local networks, taken, given = {}, {}, { combine = d.combine }
  for _, layer in ipairs(model.layers) do networks[layer.name] = layer end
  if type(d.members) ~= "table" then refuse("the members are malformed") end
  for i, name in ipairs(texts(d.names, "the members' names")) do
    if taken[name] then refuse("members %d and %d have one network", taken[name], i) end
    taken[name] = i
    if not networks[name] or type(d.members[i]) ~= "table" then refuse("member %d is malformed", i) end
    given[i] = restore(networks[name], d.members[i])
  end
  local ensemble = Ensemble(given)
  Ensemble.require_fitted(ensemble, "load")
  if d.scores then ensemble:set_scores(Scores.restore(d.scores)) end
  return ensemble
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
