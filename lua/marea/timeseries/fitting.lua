--- How a forecaster learns: roles of columns, transforms, windows, the network, residuals.
-- @module marea.timeseries.fitting
local callbacks = require "marea.callbacks"
local continuation = require "marea.timeseries.continuation"
local leakage = require "marea.timeseries.leakage"
local losses = require "marea.losses"
local native = require "marea.native"
local ops = require "marea.ops"
local optim = require "marea.optim"
local options = require "marea.nn.options"
local Pipeline = require "marea.timeseries.pipeline"
local preparing = require "marea.timeseries.preparing"
local registry = require "marea.nn.registry"
local residuals = require "marea.timeseries.residuals"
local rolling = require "marea.timeseries.rolling"
local Series = require "marea.timeseries.series"

local fitting = {}

local FEWEST_ROWS <const> = 16 -- that are kept of the training part

local function read_folds(self, read)
  if read.folds == nil then return end
  read.folds = options.integer("fit", "folds", read.folds, 0)
  if read.folds == 1 then error("fit: folds must be 0 or at least 2, got 1", 0) end
  if read.folds == 0 then return end
  if self.quantiles then
    error("fit: folds give residuals, and this forecaster's intervals are its network's quantiles; leave "
      .. "folds out", 0)
  elseif read.validation or read.validation_split ~= 0 then
    error("fit: residuals are those of the validation part or those of the folds; leave one of the two "
      .. "out", 0)
  end
end

local function read_options(self, given)
  local read = options.read("fit", given, { epochs = 100, batch_size = 32, verbose = 0,
    callbacks = options.optional, shuffle = true, validation = options.optional,
    validation_split = 0, patience = options.optional, folds = options.optional })
  read_folds(self, read)
  options.number("fit", "validation_split", read.validation_split, 0, 1)
  read.validation = read.validation and Series.of(read.validation)
  if read.patience ~= nil then
    read.patience = options.integer("fit", "patience", read.patience, 0)
    if not read.validation and read.validation_split == 0 then
      error("fit: patience needs validation or validation_split", 0)
    end
  end
  return read
end

-- Which columns are what, how many features there are, and what the network is told.
local function lay_out(self, series)
  self.roles = preparing.roles("fit", series, self.targets)
  local roles = self.roles
  if self.strategy == "recursive" and #roles.others > 0 then
    error(("fit: the recursive strategy needs the future of column %q: make it a target, name it in "
      .. "known, or take the strategy direct"):format(roles.others[1]), 0)
  end
  if self.independent and #roles.others > 0 then
    error(("fit: independent forecasts each column by itself; column %q is no target"):format(
      roles.others[1]), 0)
  end
  self.lost = math.max(self.pipeline.lost, #roles.others > 0 and self.others_pipeline.lost or 0)
  self.unknown = #roles.targets + #roles.others
end

-- Scalers and bases learn from the first `rows` rows.
local function fit_transforms(self, series, rows)
  local roles, part = self.roles, series:slice(1, rows)
  for _, stage in ipairs(self.pipeline.stages) do
    if stage.anchored then stage.period = series.period end
  end
  self.pipeline:fit(part:select(roles.targets))
  if #roles.others > 0 then self.others_pipeline:fit(part:select(roles.others)) end
  if self.known_pipeline and #roles.known > 0 then
    self.known_pipeline:fit(part:select(roles.known))
  end
  self.lost = math.max(self.lost, self.pipeline.lost)
end

--- Whether the network reads rows of the future, of so many features.
function fitting.reads_future(self, features)
  return self.strategy == "encoder_decoder" or self.strategy == "direct" and features > self.unknown
end

--- What the network is told: its `info` (see Forecaster).
function fitting.info_of(self, features)
  local known = features - self.unknown
  local targets = self.independent and 1 or #self.roles.targets
  local quantiles = self.quantiles and #self.quantiles or 1
  return { horizon = self.horizon, lookback = self.lookback, targets = targets,
    quantiles = quantiles, features = self.independent and 1 + known or features,
    rows = self.lookback + (self.reads_future and self.horizon or 0),
    outputs = self.horizon * targets * quantiles }
end

--- Raises unless a network answers what `info` asks for.
-- @treturn boolean whether it answers (batch, horizon, outputs / horizon)
function fitting.check_answers(who, network, info)
  local shape, outputs = network:output_shape{ -1, info.rows, info.features }, 1
  for axis = 2, #shape do outputs = outputs * shape[axis] end
  if outputs ~= info.outputs or #shape == 3 and shape[2] ~= info.horizon then
    error(("%s: the network answers (%s), expected (batch, %d): %d steps, %d columns, %d quantiles "
      .. "(or batch, %d, %d)"):format(who, "batch, " .. table.concat(shape, ", ", 2), info.outputs,
      info.horizon, info.targets, info.quantiles, info.horizon, info.outputs // info.horizon), 0)
  end
  return #shape == 3
end

-- A network without weights: what the function makes, or a copy of the model that was given.
local function new_network(self, info)
  local network
  if type(self.model) == "function" then
    network = self.model(info)
  elseif type(self.model) == "table" and self.model.class_name then
    network = registry.deserialize(registry.serialize(self.model))
  end
  if type(network) ~= "table" or not network.fit then
    error("fit: model must be a Sequential, or a function(info) that returns one, got "
      .. options.show(network or self.model), 0)
  end
  network:build{ -1, info.rows, info.features }
  return network, fitting.check_answers("fit", network, info)
end

-- Transformed targets as the network should answer them.
local function answers_of(self, y, info, by_step)
  local count = y:size(1)
  if self.independent then
    y = y:permute(3, 1, 2)
    count = count * #self.roles.targets
  end
  if self.quantiles then
    y = y:reshape{ -1, 1 } * ops.ones{ 1, info.quantiles }
  end
  return y:reshape(by_step and { count, info.horizon, info.outputs // info.horizon }
    or { count, info.outputs })
end

local function samples(self, prepared, origins, info, by_step)
  local x, level = preparing.inputs(self, prepared, origins)
  local y = preparing.to_window(preparing.targets(self, prepared, origins), level)
  return { x, answers_of(self, y, info, by_step) }
end

-- How many of the last windows are held out.
local function count_held(windows, share)
  return share > 0 and math.max(1, math.floor(windows * share + 0.5)) or 0
end

-- The rows before the first target that is held out, from which transforms may learn.
local function rows_to_learn(self, series, share)
  local windows = series.rows - self.lost - self.lookback - self.horizon + 1
  local held = count_held(windows, share)
  if held == 0 or windows - held < self.horizon then return series.rows end -- too short is told later
  return series.rows - held - self.horizon + 1
end

-- The origins to learn from and those held out. Between them are `horizon - 1` that belong to
-- neither, because their targets would be in both.
local function split_origins(self, origins, share)
  local held = count_held(#origins, share)
  if held == 0 then return origins, {} end
  local last = #origins - held - (self.horizon - 1)
  if last < 1 then
    error(("fit: of %d windows %d are held out for validation and %d lie between: none is left")
      :format(#origins, held, self.horizon - 1), 0)
  end
  return table.move(origins, 1, last, 1, {}), table.move(origins, #origins - held + 1, #origins, 1, {})
end

-- A validation part with the rows before it that its first window reads.
local function validation_table(self, part)
  for _, list in pairs(self.roles) do
    for _, name in ipairs(list) do part:place(name, "fit: validation") end
  end
  part:require_whole("fit: validation")
  local longer, before
  if self.pipeline.anchored then
    longer, before = continuation.join(self, part, "fit: validation")
  else
    longer, before = part:with_context(self.lost + self.lookback)
  end
  local prepared = preparing.table(self, longer)
  local origins = rolling.origins(self, prepared, before + 1, self.horizon)
  if #origins == 0 then
    error(("fit: the validation part of %d rows holds no window of horizon %d"):format(part.rows,
      self.horizon), 0)
  end
  return prepared, origins
end

local function check_length(self, series)
  if series.rows < self.lost + self.lookback + self.horizon then
    error(("fit: the series has %d rows, one window needs %d (lookback %d, horizon %d, %d used up by "
      .. "differences)"):format(series.rows, self.lookback + self.horizon + self.lost, self.lookback,
      self.horizon, self.lost), 0)
  end
end

local function window_text(self, prepared, origin)
  local series, last = prepared.series, origin + 1 + self.lost
  return ("input %s … %s → target %s%s"):format(series:date(last - self.lookback + 1),
    series:date(last), series:date(last + 1),
    self.horizon > 1 and " … " .. series:date(last + self.horizon) or "")
end

local function describe(self, prepared, train, held, held_table)
  local lines = { ("%d windows: lookback %d, horizon %d (%s)"):format(#train, self.lookback,
    self.horizon, self.strategy),
    "  first  " .. window_text(self, prepared, train[1]),
    "  last   " .. window_text(self, prepared, train[#train]) }
  if #held > 0 then
    lines[#lines + 1] = ("%d windows held out for validation"):format(#held)
    lines[#lines + 1] = "  first  " .. window_text(self, held_table, held[1])
    lines[#lines + 1] = "  last   " .. window_text(self, held_table, held[#held])
  end
  return table.concat(lines, "\n")
end

-- What is remembered of the training part: its span, and its last rows: those that a forecast starts
-- from, and enough to show a season beside it, and to tell the series from others.
local function remember(self, series, validation)
  local count = math.max(self.lost + self.lookback, series.period, FEWEST_ROWS)
  local first = math.max(1, series.rows - count + 1)
  if self.pipeline.anchored then first = 1 end
  self.history = series:slice(first, series.rows)
  self.fitted = leakage.span_of(series)
  self.fitted.validation = validation and leakage.span_of(validation)
end

-- A second fit must not go on with the first one's moments.
local function fresh(optimizer)
  if type(optimizer) ~= "table" then return optimizer end
  return optim.get{ class_name = optimizer.class_name, config = optimizer:get_config() }
end

local function run(self, network, train, held, read)
  local list = { table.unpack(read.callbacks or {}) }
  if read.patience then
    list[#list + 1] = callbacks.EarlyStopping{ monitor = "val_loss", patience = read.patience,
      restore_best_weights = true }
  end
  network:compile{ optimizer = fresh(self.optimizer),
    loss = self.quantiles and losses.Quantile{ quantiles = self.quantiles } or self.loss or "mse" }
  return network:fit(train[1], train[2], { epochs = read.epochs, batch_size = read.batch_size,
    verbose = read.verbose, shuffle = read.shuffle, validation_data = held, callbacks = list })
end

-- Residuals to draw intervals from, as lists. Where the base was fitted to the rows they are of, its
-- errors there are smaller than those to come.
local function keep(self, errors, of)
  for _, stage in ipairs(self.pipeline.stages) do
    if stage.anchored and of ~= "validation" then errors = errors * ops.tensor(stage.widening) end
  end
  self.residuals, self.residuals_of = errors:totable(), of
end

-- A forecaster of the same options, which may learn without that one's knowledge.
local function draft(self)
  local new = setmetatable({}, getmetatable(self))
  for name, value in pairs(self) do new[name] = value end
  for _, name in ipairs{ "pipeline", "others_pipeline", "known_pipeline" } do
    new[name] = self[name] and Pipeline(self[name].stages)
  end
  return new
end

-- Makes the network and lets it learn from the windows of `train`; then what intervals rest on.
local function learn(self, prepared, train, held, held_table, read)
  local info = fitting.info_of(self, prepared.z:size(2))
  local function on(origins, validation, how)
    local network, by_step = new_network(self, info)
    if validation then validation = samples(self, held_table, validation, info, by_step) end
    return network, run(self, network, samples(self, prepared, origins, info, by_step), validation, how)
  end
  local history
  self.network, history = on(train, #held > 0 and held or nil, read)
  local folds = self.quantiles and 0 or read.folds or residuals.folds(#train)
  self.spread = residuals.spread(self, #held > 0 and #held or #train)
  if #held > 0 then
    keep(self, residuals.of(self, held_table, held), "validation")
  elseif folds > 0 then
    local quietly = { epochs = read.epochs, batch_size = read.batch_size, verbose = 0,
      shuffle = read.shuffle }
    keep(self, residuals.crossed(self, prepared, train, folds, function(origins)
      return (on(origins, nil, quietly))
    end), "folds")
  else
    keep(self, residuals.of(self, prepared, train), "training")
  end
  return history
end

--- Learns as Forecaster:fit does, but leaves the forecaster as it is.
-- @treturn Forecaster one of the same options that has learnt, for `adopt`
-- @treturn History
function fitting.learn(self, series, given)
  self = draft(self)
  local read = read_options(self, given)
  series:require_whole("fit")
  lay_out(self, series)
  local rows = rows_to_learn(self, series, read.validation_split)
  check_length(self, series)
  fit_transforms(self, series, rows)
  check_length(self, series) -- a base may have used up more
  local prepared = preparing.table(self, series)
  remember(self, series, read.validation)
  self.reads_future = fitting.reads_future(self, prepared.z:size(2))
  local train, held = split_origins(self, rolling.origins(self, prepared, 1, self.horizon),
    read.validation_split)
  local held_table = prepared
  if read.validation then
    leakage.check_order(read.validation, series, self.roles.targets)
    continuation.check_step(self, read.validation, "fit: validation")
    held_table, held = validation_table(self, read.validation)
  end
  if self.seed then native.manual_seed(self.seed) end
  local history = learn(self, prepared, train, held, held_table, read)
  self.report = ("%s\ntransforms, fitted on %s … %s: %s\n%s"):format(describe(self, prepared, train,
    held, held_table), series:date(1), series:date(rows), self.pipeline, residuals.describe(self))
  return self, history
end

--- Takes over what another one of the same options has learnt; scores were those of the old network.
function fitting.adopt(self, learnt)
  for name, value in pairs(learnt) do self[name] = value end
  self.scores = nil
end

--- See Forecaster:fit. A fit that fails changes nothing.
function fitting.fit(self, series, given)
  local learnt, history = fitting.learn(self, series, given)
  fitting.adopt(self, learnt)
  return history
end

return fitting
