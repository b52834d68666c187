--- Callbacks of fit, with Keras's names and rules.
--
-- A callback is a table with any of `on_train_begin(self, model)`, `on_epoch_begin(self, epoch)`,
-- `on_batch_end(self, batch, logs)`, `on_epoch_end(self, epoch, logs)`, `on_train_end(self)`;
-- epochs and batches count from 1. `self.model` is the model; `self.model.stop_training = true`
-- ends training after the epoch.
--
-- So that training which stopped can go on as if it had not, a callback may have `get_state(self)`,
-- which returns a table of numbers, strings and booleans and, if need be, a second table name →
-- tensor, and `set_state(self, state, tensors)`, called after on_train_begin. model:save keeps the
-- states; fit with `initial_epoch` at the epoch they are from gives each to the callback of the same
-- class and `monitor`.
-- @module marea.callbacks
local options = require "marea.nn.options"

local callbacks = {}

local function define(name, declared, positional)
  local class = { class_name = name }
  class.__index = class
  callbacks[name] = setmetatable(class, {
    __call = function(_, given)
      local callback = setmetatable(options.read(name, given, declared, positional), class)
      if callback.init then callback:init() end
      return callback
    end,
  })
  return class
end

-- Which way a monitored value improves ----------------------------------------------------------

local function direction(callback)
  local mode = callback.mode
  options.choice(callback.class_name, "mode", mode, { "auto", "min", "max" })
  if mode ~= "auto" then return mode end
  local name = callback.monitor:gsub("^val_", "")
  local metric = (callback.model and callback.model.metrics_by_name or {})[name]
  if metric then return metric.direction end
  return (name:find("acc") or name:find("auc")) and "max" or "min"
end

-- Starts `improved`, `best` for a callback with monitor, mode and min_delta.
local function watch(callback)
  local way = direction(callback)
  local delta = math.abs(callback.min_delta or 0)
  callback.best = way == "min" and math.huge or -math.huge
  function callback.improved(current, best)
    if way == "min" then return current + delta < best end
    return current - delta > best
  end
end

-- The numbers of a callback by name; what is infinite (no best yet) is left out, for JSON.
local function numbers(callback, names)
  local state = {}
  for _, name in ipairs(names) do
    local value = callback[name]
    if value == value and math.abs(value) < math.huge then state[name] = value end
  end
  return state
end

local function set_numbers(callback, names, state)
  for _, name in ipairs(names) do
    if type(state[name]) == "number" then callback[name] = state[name] end
  end
end

local function keeps_numbers(class, names)
  function class:get_state() return numbers(self, names) end
  function class:set_state(state) set_numbers(self, names, state) end
end

local function monitored(callback, logs)
  local value = logs[callback.monitor]
  if value == nil and not callback.warned then
    local known = {}
    for name in pairs(logs) do known[#known + 1] = name end
    table.sort(known)
    callback.warned = true
    io.stderr:write(("%s: there is no %q; there are %s\n"):format(callback.class_name,
      callback.monitor, table.concat(known, ", ")))
  end
  return value
end

--- Stops when `monitor` has not improved by more than `min_delta` for `patience` epochs; with
-- `restore_best_weights` (Keras's default is false) the model has the best epoch's weights when
-- training ends, whether by this or by itself.
local EarlyStopping = define("EarlyStopping", { monitor = "val_loss", min_delta = 0, patience = 0,
  verbose = 0, mode = "auto", baseline = options.optional, restore_best_weights = false,
  start_from_epoch = 0 }, { "monitor" })

function EarlyStopping:on_train_begin()
  watch(self)
  self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
  self.best_weights, self.last_weights = nil, nil
end

function EarlyStopping:on_epoch_end(epoch, logs)
  local current = monitored(self, logs)
  if current == nil or epoch <= self.start_from_epoch then return end
  if self.restore_best_weights and not self.best_weights then
    self.best_weights, self.best_epoch = self.model:get_weights(), epoch
  end
  self.wait = self.wait + 1
  if self.improved(current, self.best) then
    self.best, self.best_epoch = current, epoch
    if self.restore_best_weights then self.best_weights = self.model:get_weights() end
    if self.baseline == nil or self.improved(current, self.baseline) then self.wait = 0 end
    return
  end
  if self.wait >= self.patience and epoch > 1 then
    self.stopped_epoch, self.model.stop_training = epoch, true
  end
end

-- The last weights are kept aside: training that goes on later goes on from them.
function EarlyStopping:on_train_end()
  if self.stopped_epoch > 0 and self.verbose > 0 then
    print(("Epoch %d: early stopping; best was epoch %d"):format(self.stopped_epoch, self.best_epoch))
  end
  if not self.restore_best_weights or not self.best_weights then return end
  self.last_weights = self.model:get_weights()
  self.model:set_weights(self.best_weights)
  if self.verbose > 0 then
    print(("The weights are those of the best epoch, %d (%s %.6g)"):format(self.best_epoch,
      self.monitor, self.best))
  end
end

local stopping_numbers = { "wait", "best", "best_epoch", "stopped_epoch" }

function EarlyStopping:get_state()
  local tensors = {}
  for _, kind in ipairs{ "best", "last" } do
    for i, tensor in ipairs(self[kind .. "_weights"] or {}) do
      tensors[("%s/%d"):format(kind, i)] = tensor
    end
  end
  return numbers(self, stopping_numbers), tensors
end

local function weights_of(tensors, kind)
  local list, i = {}, 1
  while tensors[("%s/%d"):format(kind, i)] do
    list[i] = tensors[("%s/%d"):format(kind, i)]
    i = i + 1
  end
  return #list > 0 and list or nil
end

function EarlyStopping:set_state(state, tensors)
  set_numbers(self, stopping_numbers, state)
  if not self.restore_best_weights then return end
  self.best_weights = weights_of(tensors, "best")
  local last = weights_of(tensors, "last")
  if last then self.model:set_weights(last) end
end

--- Multiplies the learning rate by `factor` when `monitor` has not improved for `patience` epochs.
local ReduceLROnPlateau = define("ReduceLROnPlateau", { monitor = "val_loss", factor = 0.1,
  patience = 10, verbose = 0, mode = "auto", min_delta = 1e-4, cooldown = 0, min_lr = 0 },
  { "monitor" })

function ReduceLROnPlateau:init()
  options.number("ReduceLROnPlateau", "factor", self.factor, 0, 1)
end

function ReduceLROnPlateau:on_train_begin()
  watch(self)
  self.wait, self.cooldown_counter = 0, 0
end

function ReduceLROnPlateau:on_epoch_end(epoch, logs)
  local optimizer = self.model.optimizer
  logs.learning_rate = optimizer.learning_rate
  local current = monitored(self, logs)
  if current == nil then return end
  if self.cooldown_counter > 0 then
    self.cooldown_counter, self.wait = self.cooldown_counter - 1, 0
  end
  if self.improved(current, self.best) then
    self.best, self.wait = current, 0
  elseif self.cooldown_counter <= 0 then
    self.wait = self.wait + 1
    local old = optimizer.learning_rate
    if self.wait >= self.patience and old > self.min_lr then
      optimizer.learning_rate = math.max(old * self.factor, self.min_lr)
      self.cooldown_counter, self.wait = self.cooldown, 0
      if self.verbose > 0 then
        print(("Epoch %d: learning rate is now %g"):format(epoch, optimizer.learning_rate))
      end
    end
  end
end

keeps_numbers(ReduceLROnPlateau, { "wait", "cooldown_counter", "best" })

--- Saves the model after each epoch, or only when `monitor` improved (strictly) with
-- `save_best_only`. In the path, {epoch} and {val_loss} … stand for values; {epoch:02d} formats.
-- It comes after the other callbacks at an epoch's end, so that the file holds their states.
local ModelCheckpoint = define("ModelCheckpoint", { filepath = options.required,
  monitor = "val_loss", verbose = 0, save_best_only = false, save_weights_only = false,
  mode = "auto", save_freq = 1, initial_value_threshold = options.optional }, { "filepath" })

function ModelCheckpoint:on_train_begin()
  watch(self)
  self.decided = nil
  if self.initial_value_threshold then self.best = self.initial_value_threshold end
end

keeps_numbers(ModelCheckpoint, { "best" })

local function fill(path, epoch, logs)
  return (path:gsub("{([%w_]+):?([^}]*)}", function(name, format)
    local value = name == "epoch" and epoch or logs[name]
    if value == nil then return nil end
    if format == "" then return tostring(value) end
    return ("%" .. format):format(value)
  end))
end

-- Whether to save after this epoch. All of them decide before the first one saves, so that each file
-- has the best values of all.
function ModelCheckpoint:decide(epoch, logs)
  self.decided, self.due = epoch, epoch % self.save_freq == 0
  if not self.due or not self.save_best_only then return end
  local current = monitored(self, logs)
  self.due = current ~= nil and self.improved(current, self.best)
  if self.due then self.best = current end
end

function ModelCheckpoint:on_epoch_end(epoch, logs)
  if self.decided ~= epoch then self:decide(epoch, logs) end
  if not self.due then return end
  local path = fill(self.filepath, epoch, logs)
  local ok, message
  if self.save_weights_only then
    ok, message = self.model:save_weights(path)
  else
    ok, message = self.model:save(path)
  end
  if not ok then error("ModelCheckpoint: " .. message, 0) end
  self.last_path = path
  if self.verbose > 0 then print(("Epoch %d: saved to %s"):format(epoch, path)) end
end

--- Writes a line of values for each epoch to a CSV file. When training goes on at a later epoch, the
-- lines up to it are kept and later ones replaced.
local CSVLogger = define("CSVLogger", { filename = options.required, separator = ",",
  append = false }, { "filename" })

-- Nothing but that it was there: fit then says at which epoch training goes on.
function CSVLogger.get_state() return {} end

-- The header and the lines up to an epoch, of a file that may not be there.
local function lines_until(path, epoch)
  local kept = {}
  local file = io.open(path, "r")
  if not file then return kept end
  for line in file:lines("L") do
    local number = tonumber(line:match("^%d+"))
    if line:sub(-1) == "\n" and (#kept == 0 or number and number <= epoch) then
      kept[#kept + 1] = line
    end
  end
  file:close()
  return kept
end

function CSVLogger:on_train_begin()
  local kept = self.resumed_at and lines_until(self.filename, self.resumed_at) or {}
  local existing = self.append and not self.resumed_at and io.open(self.filename, "r")
  self.has_header = #kept > 0 or existing and existing:read(1) ~= nil
  if existing then existing:close() end
  local file, message = io.open(self.filename, existing and "a" or "w")
  if not file then error("CSVLogger: " .. message, 0) end
  file:setvbuf("line")
  file:write(table.concat(kept))
  self.file, self.keys = file, nil
end

function CSVLogger:on_epoch_end(epoch, logs)
  if not self.keys then
    self.keys = {}
    for name in pairs(logs) do self.keys[#self.keys + 1] = name end
    table.sort(self.keys)
    if not self.has_header then
      self.file:write("epoch", self.separator, table.concat(self.keys, self.separator), "\n")
    end
  end
  local row = { tostring(epoch) }
  for _, name in ipairs(self.keys) do row[#row + 1] = ("%.9g"):format(logs[name] or 0 / 0) end
  local ok, message = self.file:write(table.concat(row, self.separator), "\n")
  if not ok then error("CSVLogger: " .. message, 0) end
end

function CSVLogger:on_train_end()
  if self.file then self.file:close() end
  self.file = nil
end

--- Sets the learning rate at each epoch's start to schedule(epoch, rate); epochs count from 1.
local LearningRateScheduler = define("LearningRateScheduler", { schedule = options.required,
  verbose = 0 }, { "schedule" })

function LearningRateScheduler:on_epoch_begin(epoch)
  local optimizer = self.model.optimizer
  local rate = self.schedule(epoch, optimizer.learning_rate)
  if type(rate) ~= "number" then
    error("LearningRateScheduler: schedule must return a number, got " .. options.show(rate), 0)
  end
  optimizer.learning_rate = rate
  if self.verbose > 0 then print(("Epoch %d: learning rate %g"):format(epoch, rate)) end
end

function LearningRateScheduler:on_epoch_end(_, logs)
  logs.learning_rate = self.model.optimizer.learning_rate
end

local moments = { "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end",
  "on_batch_begin", "on_batch_end" }

--- Calls functions of one's own: LambdaCallback{ on_epoch_end = function(epoch, logs) … end }.
local lambda_options = {}
for _, moment in ipairs(moments) do lambda_options[moment] = options.optional end
callbacks.LambdaCallback = function(given)
  local functions = options.read("LambdaCallback", given, lambda_options)
  local callback = { class_name = "LambdaCallback" }
  for moment, f in pairs(functions) do
    callback[moment] = function(_, ...) return f(...) end
  end
  return callback
end

--- Ends training without an error at the first loss that is NaN or infinite.
local TerminateOnNaN = define("TerminateOnNaN", {})
TerminateOnNaN.accepts_nonfinite = true

--- Collects each epoch's values; fit returns it. `history.loss[1]` and `history.history.loss[1]`
-- are the loss of the first epoch.
local History = {}

function History.__index(self, name)
  return History[name] or rawget(self, "history")[name]
end

function History:on_epoch_end(epoch, logs)
  table.insert(self.epoch, epoch)
  for name, value in pairs(logs) do
    self.history[name] = self.history[name] or {}
    table.insert(self.history[name], value)
  end
end

function History:__tostring()
  local lines = {}
  for i, epoch in ipairs(self.epoch) do
    local parts = {}
    for name, values in pairs(self.history) do
      if type(values[i]) == "number" then parts[#parts + 1] = ("%s %.4f"):format(name, values[i]) end
    end
    table.sort(parts)
    lines[i] = ("epoch %d: %s"):format(epoch, table.concat(parts, ", "))
  end
  return table.concat(lines, "\n")
end

callbacks.History = function()
  return setmetatable({ class_name = "History", history = {}, epoch = {} }, History)
end

--- Trains frozen embeddings from a later epoch on; see marea.embeddings.unfreezing.
-- @function UnfreezeEmbeddings
require("marea.embeddings.unfreezing")(define)

-- The list that fit runs ------------------------------------------------------------------------

local List = {}
List.__index = List

--- All callbacks of a fit as one.
function callbacks.list(given, model)
  if given ~= nil and (type(given) ~= "table" or given.class_name) then
    error("fit: callbacks must be a table of callbacks, got " .. options.show(given), 0)
  end
  for i, callback in ipairs(given or {}) do
    if type(callback) ~= "table" then
      error(("fit: callback %d must be a table, got %s"):format(i, options.show(callback)), 0)
    end
    callback.model = model
  end
  return setmetatable({ members = given or {} }, List)
end

--- Calls a moment of every callback that has it.
function List:call(moment, ...)
  for _, callback in ipairs(self.members) do
    local f = callback[moment]
    if f then f(callback, ...) end
  end
end

--- on_epoch_end of all; those that save come last.
function List:epoch_end(epoch, logs)
  self.epoch = epoch
  local last = {}
  for _, callback in ipairs(self.members) do
    if callback.decide then
      last[#last + 1] = callback
    elseif callback.on_epoch_end then
      callback:on_epoch_end(epoch, logs)
    end
  end
  for _, callback in ipairs(last) do callback:decide(epoch, logs) end
  for _, callback in ipairs(last) do callback:on_epoch_end(epoch, logs) end
end

local function kind_of(callback)
  return callback.class_name or "callback"
end

-- What a file can hold.
local function check_state(callback, state)
  local fine = type(state) == "table"
  for name, value in pairs(fine and state or {}) do
    local kind = type(value)
    fine = fine and type(name) == "string"
      and (kind == "number" or kind == "string" or kind == "boolean")
  end
  if not fine then
    error(kind_of(callback) .. ": get_state must return a table of named numbers, strings and booleans",
      0)
  end
end

--- The states of those that have one, as { epoch = …, { class_name, monitor, state, tensors }, … };
-- nil before the first epoch's end, and after training that a callback ended: it is over.
function List:states()
  if not self.epoch then return nil end
  local states = { epoch = self.epoch }
  for _, callback in ipairs(self.members) do
    if callback.get_state then
      local state, tensors = callback:get_state()
      check_state(callback, state)
      if (state.stopped_epoch or 0) > 0 then return nil end
      states[#states + 1] = { class_name = kind_of(callback), monitor = callback.monitor,
        state = state, tensors = tensors or {} }
    end
  end
  return states
end

-- Takes the first state of a callback's kind out of the list.
local function take_state(states, callback)
  for i, item in ipairs(states) do
    if item.class_name == kind_of(callback) and item.monitor == callback.monitor then
      return table.remove(states, i)
    end
  end
end

-- What the model knows of an earlier fit that ended at this epoch.
local function earlier_states(model, epoch)
  local states = model.callback_list and model.callback_list:states() or model.callback_states
  return epoch > 0 and states and states.epoch == epoch and states or {}
end

--- on_train_begin of all, with their states when training goes on where it stopped.
function List:begin(model, epoch)
  local states = { table.unpack(earlier_states(model, epoch)) }
  model.callback_list, model.callback_states = self, nil
  for _, callback in ipairs(self.members) do
    local item = callback.get_state and take_state(states, callback)
    callback.resumed_at = item and epoch or nil
    if callback.on_train_begin then callback:on_train_begin(model) end
    if item and callback.set_state then callback:set_state(item.state, item.tensors) end
  end
end

--- Whether one of them takes care of NaN itself.
function List:accepts_nonfinite()
  for _, callback in ipairs(self.members) do
    if callback.accepts_nonfinite then return true end
  end
  return false
end

return callbacks
