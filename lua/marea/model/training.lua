--- fit: the open loop of the README, with batches, metrics, validation and callbacks around it.
-- @module marea.model.training
local batches = require "marea.model.batches"
local callbacks = require "marea.callbacks"
local data = require "marea.model.data"
local inference = require "marea.model.inference"
local ops = require "marea.ops"
local nonfinite = require "marea.model.nonfinite"
local options = require "marea.nn.options"
local progress = require "marea.progress"

local training = {}

local fit_options = {
  batch_size = 32, epochs = 1, verbose = 1, callbacks = options.optional, validation_split = 0,
  validation_data = options.optional, shuffle = true, class_weight = options.optional,
  sample_weight = options.optional, initial_epoch = 0, bucket_by_length = false,
  validation_batch_size = options.optional, validation_freq = 1, steps_per_epoch = options.optional,
}

--- One step: forward, backward, update. The tape's temporaries are gone when it returns.
-- @treturn number the loss
-- @treturn number the norm of the gradient before clipping
local function step(model, batch, where)
  local tape <close> = ops.tape()
  local p, mask = model:forward(batch.x, { training = true })
  local loss = inference.total_loss(model, batch, p, mask)
  local value = loss:item()
  if nonfinite.is(value) then return value, value, nonfinite.report(tape, "the loss", value, where) end
  tape:backward(loss)
  local norm = model.optimizer:gradient_norm()
  if nonfinite.is(norm) then return value, norm, nonfinite.report(tape, "the gradient", norm, where) end
  model.optimizer:step()
  inference.update_metrics(model, batch, p, mask)
  return value, norm
end

-- Builds what depends on the data: weights, metrics, the optimizer's list.
local function prepare(model, set, who)
  inference.require_compiled(model, who)
  local shape = set.x:shape()
  shape[1] = -1
  model:build(shape)
  inference.make_metrics(model)
  model:sync()
  model.optimizer:bind(model:entries())
  model.shuffle_stream = model.shuffle_stream or ops.new_stream()
end

--- One step on one batch, outside fit. Returns loss and gradient norm.
function training.train_on_batch(model, x, y, given)
  local set = data.read("train_on_batch", model, x, y, given)
  prepare(model, set, "train_on_batch")
  local value, norm, problem = step(model, set, "")
  if problem then error(problem, 0) end
  return value, norm
end

local function read_options(given)
  local read = options.read("fit", given, fit_options)
  for _, name in ipairs{ "batch_size", "epochs", "validation_freq" } do
    read[name] = options.integer("fit", name, read[name])
  end
  read.initial_epoch = options.integer("fit", "initial_epoch", read.initial_epoch, 0)
  if read.verbose == true then read.verbose = 1 end
  if read.verbose == false then read.verbose = 0 end
  return read
end

local function validation_set(model, set, read)
  if read.validation_data then
    local given = read.validation_data
    if type(given) ~= "table" or given[1] == nil or given[2] == nil then
      error("fit: validation_data must be { x, y } or { x, y, sample_weight }", 0)
    end
    return set, data.read("fit: validation_data", model, given[1], given[2],
      { sample_weight = given[3] })
  end
  if read.validation_split == 0 then return set, nil end
  return data.split(set, read.validation_split)
end

local classifies = { binary_crossentropy = true, categorical_crossentropy = true,
  sparse_categorical_crossentropy = true, hinge = true, squared_hinge = true }

local function warn_about(model, validation)
  if not validation or not classifies[model.loss.name] then return end
  local class = data.single_class(validation)
  if class then
    io.stderr:write(("fit: warning: all %d validation samples are of class %d; validation_split takes "
      .. "the last rows, so shuffle the data before\n"):format(validation.rows, class))
  end
end

-- One pass over the data. Returns the logs and whether it ended early.
local function run_epoch(model, set, read, run)
  local order = batches.order(set.rows, read, model.shuffle_stream)
  local sums = { loss = 0, norm = 0, rows = 0 }
  local logs
  inference.reset_metrics(model)
  for i = 1, run.steps do
    local batch = data.batch(set, i, read.batch_size, order)
    if read.trim then batch.x = batches.trim(batch.x) end
    local where = (" in epoch %d, batch %d of %d"):format(run.epoch, i, run.steps)
    local value, norm, problem = step(model, batch, where)
    if problem then
      if not run.callbacks:accepts_nonfinite() then error("fit: " .. problem, 0) end
      run.progress:note(problem)
      model.stop_training, run.problem = true, problem
    end
    sums.loss, sums.rows = sums.loss + value * batch.rows, sums.rows + batch.rows
    sums.norm = sums.norm + norm * batch.rows
    logs = inference.logs(model, sums.loss / sums.rows)
    logs.gradient_norm = sums.norm / sums.rows
    run.callbacks:call("on_batch_end", i, logs)
    run.progress:batch_end(i, logs)
    if ops.interrupted() then
      run.interrupted = i
      break
    end
    if problem then break end
  end
  return logs
end

local function validate(model, validation, read, logs)
  local size = read.validation_batch_size or read.batch_size
  for name, value in pairs(inference.run(model, validation, size)) do logs["val_" .. name] = value end
end

local function run_epochs(model, set, validation, read, run)
  for epoch = read.initial_epoch + 1, read.epochs do
    run.epoch = epoch
    run.callbacks:call("on_epoch_begin", epoch, {})
    run.progress:epoch_begin(epoch)
    local logs = run_epoch(model, set, read, run)
    if run.interrupted then
      run.history.interrupted = true
      run.progress:note(("Interrupted after batch %d of %d in epoch %d; the model keeps what it has "
        .. "learnt."):format(run.interrupted, run.steps, epoch))
      return
    end
    if validation and epoch % read.validation_freq == 0 and not run.problem then
      validate(model, validation, read, logs)
    end
    model.epoch = epoch
    run.callbacks:call("on_epoch_end", epoch, logs)
    run.history:on_epoch_end(epoch, logs)
    run.progress:epoch_end(logs)
    if model.stop_training then return end
  end
end

--- Trains the model.
-- @tparam tensor|table x (N, …), or texts when the model has a tokenizer
-- @tparam tensor|table y (N, …)
-- @tparam[opt] table given `batch_size` 32, `epochs` 1 (the number of the last epoch),
-- `initial_epoch` 0, `validation_split` 0 (the last rows, before any shuffling), `validation_data`
-- { x, y[, sample_weight] }, `shuffle` true, `class_weight` { [id] = weight }, `sample_weight` (N) or
-- (N,T), `bucket_by_length` false (batches of like lengths), `callbacks`, `verbose` 1
-- @treturn History per-epoch lists: `history.loss[1]`
-- @raise for data that does not fit; and, naming layer, step and batch, when the loss or the
-- gradient is NaN or infinite (unless callbacks.TerminateOnNaN is there, which only stops)
function training.fit(model, x, y, given)
  local read = read_options(given)
  inference.require_compiled(model, "fit")
  local set = data.read("fit", model, x, y, read)
  local validation
  set, validation = validation_set(model, set, read)
  prepare(model, set, "fit")
  warn_about(model, validation)
  if read.bucket_by_length then
    if set.x:dtype() ~= "int32" or #set.x:shape() ~= 2 then
      error("fit: bucket_by_length needs x as (batch, time) of ids padded with 0", 0)
    end
    read.lengths = batches.lengths(set.x)
    read.trim = inference.masks_padding(model)
  end
  local steps = data.steps(set.rows, read.batch_size)
  if read.steps_per_epoch then
    steps = math.min(steps, options.integer("fit", "steps_per_epoch", read.steps_per_epoch))
  end
  local run = { callbacks = callbacks.list(read.callbacks, model), history = callbacks.History(),
    steps = steps, progress = progress.new(read.epochs, steps, read.verbose) }
  model.history, model.stop_training = run.history, false
  local _ <close> = inference.flag_interrupts()
  run.callbacks:call("on_train_begin", model)
  run_epochs(model, set, validation, read, run)
  run.callbacks:call("on_train_end")
  run.history.problem = run.problem
  return run.history
end

return training
