--- Loss and metrics of a batch, evaluate and predict.
-- @module marea.model.inference
local data = require "marea.model.data"
local metrics = require "marea.metrics"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local targets = require "marea.model.targets"

local inference = {}

--- Raises unless compile was called.
function inference.require_compiled(model, who)
  if not model.compiled then
    error(("%s: call model:compile{ optimizer = …, loss = … } first"):format(who), 0)
  end
end

--- Makes the metric objects, which "accuracy" needs the output's shape for.
function inference.make_metrics(model)
  if model.metrics then return end
  local shape = model:output_shape(model.input_shape)
  model.metrics = {}
  for i, spec in ipairs(model.metric_specs) do
    model.metrics[i] = metrics.get(spec, model.loss.name, shape[#shape])
  end
end

function inference.reset_metrics(model)
  for _, metric in ipairs(model.metrics) do metric:reset() end
end

-- The mask as far as it belongs to the targets: steps of (B, T, …) outputs.
local function loss_mask(p, mask)
  local shape = p:shape()
  if mask and #shape > 2 and shape[2] == mask:size(2) then return mask end
end

--- The loss of a batch, with regularisation.
function inference.total_loss(model, batch, p, mask)
  local loss = model.loss(batch.y, p,
    { sample_weight = batch.weight, mask = loss_mask(p, mask), reduction = model.loss.config.reduction })
  if #loss:shape() > 0 then loss = ops.mean(loss) end
  for _, extra in ipairs(model:losses()) do loss = loss + extra end
  return loss
end

function inference.update_metrics(model, batch, p, mask)
  if #model.metrics == 0 then return end
  local given = { sample_weight = nil, mask = loss_mask(p, mask) }
  ops.no_grad(function()
    for _, metric in ipairs(model.metrics) do metric:update(batch.y, p, given) end
  end)
end

--- The values so far by name.
function inference.logs(model, loss)
  local logs = { loss = loss }
  for _, metric in ipairs(model.metrics) do logs[metric.name] = metric:result() end
  return logs
end

--- Whether the model's first layer masks id 0.
function inference.masks_padding(model)
  for _, layer in ipairs(model.layers) do
    if layer.class_name == "Embedding" then return layer.mask_zero end
    if layer.class_name ~= "Input" then return false end
  end
  return false
end

--- Makes Ctrl-C raise a flag instead of an error, until the returned value is closed.
function inference.flag_interrupts()
  ops.interrupted() -- one that came too late for whoever ran before is forgotten
  local before = ops.interrupt_watch(true)
  return setmetatable({}, { __close = function() ops.interrupt_watch(before) end })
end

local function evaluate_batch(model, batch)
  local _ <close> = ops.tape()
  return ops.no_grad(function()
    local p, mask = model:forward(batch.x, { training = false, lengths = batch.lengths })
    inference.update_metrics(model, batch, p, mask)
    return inference.total_loss(model, batch, p, mask):item()
  end)
end

--- Loss and metrics over a set, by name; nil when `stop`, asked after each batch, says so.
function inference.run(model, set, size, stop)
  local total = 0
  inference.reset_metrics(model)
  for i = 1, data.steps(set.rows, size) do
    local batch = data.batch(set, i, size)
    total = total + evaluate_batch(model, batch) * batch.rows
    if stop and stop() then return nil end
  end
  return inference.logs(model, total / set.rows)
end

--- Loss and metrics on data.
-- @tparam tensor|table x
-- @tparam tensor|table y
-- @tparam[opt] table given `batch_size` 32, `sample_weight`, `lengths` (as for fit), `verbose` 0
-- @treturn table { loss = …, accuracy = … }, and the same as a list in that order
function inference.evaluate(model, x, y, given)
  local read = options.read("evaluate", given, { batch_size = 32, sample_weight = options.optional,
    lengths = options.optional, verbose = 0 })
  inference.require_compiled(model, "evaluate")
  local set = data.read("evaluate", model, x, y, read)
  model:build(set.x:shape())
  inference.make_metrics(model)
  targets.check("evaluate", model, set)
  local result = inference.run(model, set, options.integer("evaluate", "batch_size", read.batch_size))
  result[1] = result.loss
  for i, metric in ipairs(model.metrics) do result[i + 1] = result[metric.name] end
  return result
end

local function predict_batch(model, result, set, i, size)
  local _ <close> = ops.tape()
  return ops.no_grad(function()
    local batch = data.batch(set, i, size)
    local p = model:forward(batch.x, { training = false, lengths = batch.lengths })
    if not result then
      local shape = p:shape()
      shape[1] = set.rows
      result = ops.zeros(shape)
    end
    result:narrow(1, batch.first, batch.rows):assign_(p)
    return result
  end)
end

--- Outputs for data, batch by batch; memory does not grow with the number of batches.
-- @tparam tensor|table x, or texts when the model has a tokenizer
-- @tparam[opt] table given `batch_size` 32, `lengths` (as for fit)
-- @treturn tensor (N, …)
-- @raise naming sample and step of a NaN or infinity, or of an id that is out of range
function inference.predict(model, x, given)
  local read = options.read("predict", given, { batch_size = 32, lengths = options.optional,
    verbose = 0 })
  local size = options.integer("predict", "batch_size", read.batch_size)
  local set = data.read_inputs("predict", model, x, read)
  if not model.built then model:build(set.x:shape()) end
  local result
  for i = 1, data.steps(set.rows, size) do result = predict_batch(model, result, set, i, size) end
  return result
end

--- Outputs for raw texts, by the model's tokenizer.
-- @tparam string|{string,...} texts
-- @treturn tensor (N, …)
function inference.predict_text(model, texts, given)
  if type(texts) == "string" then texts = { texts } end
  if type(texts) ~= "table" or #texts == 0 then
    error("predict_text: expects a list of texts, got " .. options.show(texts), 0)
  end
  return inference.predict(model, data.encode_texts(model, texts), given)
end

--- The class of each sample as a table of ids from 0: the largest output or, with one output, 1
-- where it is above 0.5.
function inference.predict_classes(model, x, given)
  local p = inference.predict(model, x, given)
  local shape = p:shape()
  if shape[#shape] > 1 then return ops.argmax_ids(p, #shape):totable() end
  shape[#shape] = nil
  return ops.as_ids(ops.greater(p, 0.5)):reshape(shape):totable()
end

return inference
