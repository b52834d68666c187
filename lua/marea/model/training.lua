--- fit: the open loop of the README, with batches, metrics, validation and callbacks around it.
-- @module marea.model.training
local batches = require "marea.model.batches"
local callbacks = require "marea.callbacks"
local data = require "marea.model.data"
local heads = require "marea.model.heads"
local inference = require "marea.model.inference"
local ops = require "marea.ops"
local nonfinite = require "marea.model.nonfinite"
local options = require "marea.nn.options"
local progress = require "marea.progress"
local splitting = require "marea.model.splitting"
local targets = require "marea.model.targets"
local truncated = require "marea.model.truncated"

local training = {}

local fit_options = {
  batch_size = 32, epochs = 1, verbose = 1, callbacks = options.optional, validation_split = 0,
  validation_method = "last", validation_data = options.optional, shuffle = true, class_weight = options.optional,
  sample_weight = options.optional, lengths = options.optional, initial_epoch = 0, bucket_by_length = false,
  validation_batch_size = options.optional, validation_freq = 1, steps_per_epoch = options.optional,
  tbptt = options.optional,
}

--- One step: forward, backward, update. The tape's temporaries are gone when it returns.
-- @treturn number the loss
-- @treturn number the norm of the gradient before clipping
local function step(model, batch, where)
  local tape <close> = ops.tape{ retain_grad = false }
  local p, mask = model:forward(batch.x, { training = true, lengths = batch.lengths })
  local loss = heads.total_loss(model, batch, p, mask)
  local value = loss:item()
  if nonfinite.is(value) then return value, value, nonfinite.report(tape, "the loss", value, where) end
  tape:backward(loss)
  local norm, after = model.optimizer:try_step()
  if not after then return value, norm, nonfinite.report(tape, "the gradient", norm, where) end
  heads.update_metrics(model, batch, p, mask)
  return value, norm
end

-- Builds what depends on the data: weights, metrics, the optimizer's list.
local function prepare(model, set, who)
  model:build(data.build_shape(set))
  heads.make_metrics(model)
  targets.check(who, model, set)
  model:sync()
  model.optimizer:bind(model:entries())
  model.shuffle_stream = model.shuffle_stream or ops.new_stream()
end

--- One step on one batch, outside fit. Returns loss and gradient norm.
function training.train_on_batch(model, x, y, given)
  inference.require_compiled(model, "train_on_batch")
  local set = data.read("train_on_batch", model, x, y, given, true)
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
  read.tbptt = truncated.read(read.tbptt)
  if read.verbose == true then read.verbose = 1 end
  if read.verbose == false then read.verbose = 0 end
  return read
end

local function validation_set(model, set, read)
  if read.validation_data then
    local given = read.validation_data
    if type(given) ~= "table" or given[1] == nil or given[2] == nil then
      error("fit: validation_data must be { x, y } or { x, y, sample_weight, lengths = … }", 0)
    end
    return set, data.read("fit: validation_data", model, given[1], given[2],
      { sample_weight = given[3], lengths = given.lengths })
  end
  if read.validation_split == 0 then return set, nil end
  model.split_seed = model.split_seed or ops.seed_state()
  return splitting.split(set, read.validation_split, read.validation_method, model.split_seed)
end

local classifies = { binary_crossentropy = true, categorical_crossentropy = true,
  sparse_categorical_crossentropy = true, hinge = true, squared_hinge = true }

local function warn_about(model, validation)
  if not validation or #model.heads > 1 or not classifies[model.loss.name] then return end
  local class = data.single_class(validation)
  if class then
    io.stderr:write(("fit: warning: all %d validation samples are of class %d; validation_split takes "
      .. "the last rows: shuffle the data before, or use validation_method = \"stratified\"\n")
      :format(validation.rows, class))
  end
end

-- Says once what bucketing saves.
local function note_padding(read, run, order)
  if not read.bucket_lengths or run.history.padding_share then return end
  run.history.padding_share = batches.padding_share(read.bucket_lengths, order, read.batch_size)
  local before = batches.padding_share(read.bucket_lengths, nil, read.batch_size)
  run.progress:note(("bucket_by_length: %.1f%% of the steps are padding, %.1f%% with batches of %d "
    .. "in the data's order%s"):format(100 * run.history.padding_share, 100 * before, read.batch_size,
    read.trim and "" or "; all are computed, because the model does not mask its input"))
end

-- One pass over the data. Returns the logs.
local function run_epoch(model, set, read, run)
  local order = batches.order(set.rows, read, model.shuffle_stream)
  local sums = { loss = 0, norm = 0, rows = 0 }
  local logs
  note_padding(read, run, order)
  heads.reset(model)
  for i = 1, run.steps do
    local batch = data.batch(set, i, read.batch_size, order)
    if read.trim_inputs then
      batches.trim_inputs(batch, read.trim_inputs)
    elseif read.trim then
      batches.trim(batch, read.timed)
    end
    local where = (" in epoch %d, batch %d of %d"):format(run.epoch, i, run.steps)
    local take = read.tbptt and truncated.step or step
    local value, norm, problem = take(model, batch, where, read.tbptt)
    if problem then
      if not run.callbacks:accepts_nonfinite() then error("fit: " .. problem, 0) end
      run.progress:note(problem)
      model.stop_training, run.problem = true, problem
    end
    sums.loss, sums.rows = sums.loss + value * batch.rows, sums.rows + batch.rows
    sums.norm = sums.norm + norm * batch.rows
    logs = heads.logs(model, sums.loss / sums.rows)
    logs.gradient_norm = sums.norm / sums.rows
    run.callbacks:call("on_batch_end", i, logs)
    run.progress:batch_end(i, logs)
    if ops.interrupted() then run.interrupted = ("after batch %d of %d"):format(i, run.steps) end
    if run.interrupted or problem then break end
  end
  return logs
end

local function validate(model, validation, read, run, logs)
  local size = read.validation_batch_size or read.batch_size
  local values = inference.run(model, validation, size, ops.interrupted)
  if not values then run.interrupted = "during the validation" end
  for name, value in pairs(values or {}) do logs["val_" .. name] = value end
end

local function run_epochs(model, set, validation, read, run)
  for epoch = read.initial_epoch + 1, read.epochs do
    run.epoch = epoch
    run.callbacks:call("on_epoch_begin", epoch, {})
    run.progress:epoch_begin(epoch)
    local logs = run_epoch(model, set, read, run)
    local asked = validation and epoch % read.validation_freq == 0
    if asked and not (run.problem or run.interrupted) then
      validate(model, validation, read, run, logs)
    end
    if run.interrupted then
      run.history.partial = logs
      run.progress:note(("Interrupted %s in epoch %d; the model keeps what it has learnt.")
        :format(run.interrupted, epoch))
      return
    end
    model.epoch = epoch
    run.callbacks:epoch_end(epoch, logs)
    run.history:on_epoch_end(epoch, logs)
    run.progress:epoch_end(logs)
    if model.stop_training then return end
  end
end

-- Of the inputs that a model names, the last decides first; it has the steps of the targets.
local function prepare_input_buckets(model, set, read)
  local inputs = model.bucket_inputs and model:bucket_inputs() or {}
  local has_lengths = false -- of what would be cut
  for _, i in ipairs(inputs) do has_lengths = has_lengths or set.lengths ~= nil and set.lengths[i] ~= nil end
  if #inputs == 0 or has_lengths then
    error("fit: bucket_by_length serves models with one input, and builders whose decoder reads words, "
      .. "without lengths", 0)
  end
  read.bucket_lengths = batches.lengths(set.x[inputs[#inputs]])
  if #inputs > 1 then read.bucket_ties = batches.lengths(set.x[inputs[1]]) end
  read.trim, read.trim_inputs = true, inputs
end

local function prepare_buckets(model, set, read)
  if not read.bucket_by_length then return end
  if set.inputs > 1 then return prepare_input_buckets(model, set, read) end
  local ids = set.x:dtype() == "int32" and #set.x:shape() == 2
  if not set.lengths and not ids then
    error("fit: bucket_by_length needs lengths, or x as (batch, time) of ids padded with 0", 0)
  end
  read.bucket_lengths = set.lengths or batches.lengths(set.x)
  read.trim = (set.lengths ~= nil or inference.masks_padding(model)) and not model:fixed_width()
  read.timed = true
  for _, shape in ipairs(model:head_shapes()) do read.timed = read.timed and #shape > 2 end
end

local function count_steps(set, read)
  local steps = data.steps(set.rows, read.batch_size)
  if not read.steps_per_epoch then return steps end
  return math.min(steps, options.integer("fit", "steps_per_epoch", read.steps_per_epoch))
end

--- Trains the model.
--
-- Ctrl-C ends the epoch after the current batch: the model keeps what it has learnt, the history its
-- whole epochs; `history.interrupted` is true and `history.partial` has the values of the epoch that
-- was cut. A second Ctrl-C ends the process.
-- @tparam tensor|table x (N, …), or texts when the model has a tokenizer. A Model with several inputs
-- takes a list of them, or a table by their names; so for y, sample_weight and lengths
-- @tparam tensor|table y (N, …)
-- @tparam[opt] table given `batch_size` 32, `epochs` 1 (the number of the last epoch),
-- `initial_epoch` 0, `validation_split` 0 and `validation_method` "last" (Keras's: the last rows,
-- before any shuffling), "shuffled" or "stratified" (by class), `validation_data`
-- { x, y[, sample_weight], lengths = … }, `shuffle` true, `class_weight` { [id] = weight } (for one output),
-- `sample_weight` (N) or (N,T), `lengths` (N; the first so many steps of each row are real, and
-- layers get the mask that says so), `bucket_by_length` false (batches of like lengths, by `lengths`
-- or by the ids that are not 0; of a builder with a decoder first by the targets, then by the sources),
-- `tbptt` (steps, or { k1 =, k2 = }: long sequences in windows, an update
-- every k1 steps from a gradient over the last k2; see marea.model.truncated), `callbacks`, `verbose` 1.
-- When initial_epoch is the epoch at which training stopped (`model.epoch`), callbacks of the same kinds go
-- on with their state.
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
  if validation then targets.check("fit: validation", model, validation) end
  warn_about(model, validation)
  prepare_buckets(model, set, read)
  if read.tbptt then read.tbptt.layers = truncated.layers(model) end
  local steps = count_steps(set, read)
  local run = { callbacks = callbacks.list(read.callbacks, model), history = callbacks.History(),
    steps = steps, progress = progress.new(read.epochs, steps, read.verbose) }
  model.history, model.stop_training = run.history, false
  local _ <close> = inference.flag_interrupts()
  run.callbacks:begin(model, read.initial_epoch)
  run_epochs(model, set, validation, read, run)
  run.callbacks:call("on_train_end")
  run.history.problem = run.problem
  run.history.interrupted = run.interrupted ~= nil or ops.interrupted()
  return run.history
end

return training
