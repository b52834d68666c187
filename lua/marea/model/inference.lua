--- evaluate and predict.
-- @module marea.model.inference
local data = require "marea.model.data"
local heads = require "marea.model.heads"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
local targets = require "marea.model.targets"

local inference = {}

--- Raises unless compile was called.
function inference.require_compiled(model, who)
  if not model.compiled then
    error(("%s: call model:compile{ optimizer = …, loss = … } first"):format(who), 0)
  end
end

--- Whether all that reads the first input masks id 0.
function inference.masks_padding(model)
  local layers, alone = model:embeddings_of(1)
  for _, layer in ipairs(layers) do alone = alone and layer.mask_zero end
  return alone
end

--- Makes Ctrl-C raise a flag instead of an error, until the returned value is closed.
function inference.flag_interrupts()
  ops.interrupted() -- one that came too late for whoever ran before is forgotten
  local before = ops.interrupt_watch(true)
  return setmetatable({}, { __close = function() ops.interrupt_watch(before) end })
end

local function evaluate_batch(model, batch)
  local _ <close> = ops.tape{ retain_grad = false }
  return ops.no_grad(function()
    local p, mask = model:forward(batch.x, { training = false, lengths = batch.lengths })
    heads.update_metrics(model, batch, p, mask)
    return heads.total_loss(model, batch, p, mask):item()
  end)
end

--- Loss and metrics over a set, by name, and the names in order; nil when `stop`, asked after each
-- batch, says so.
function inference.run(model, set, size, stop)
  local total = 0
  heads.reset(model)
  for i = 1, data.steps(set.rows, size) do
    local batch = data.batch(set, i, size)
    total = total + evaluate_batch(model, batch) * batch.rows
    if stop and stop() then return nil end
  end
  return heads.logs(model, total / set.rows)
end

--- Loss and metrics on data.
-- @tparam tensor|table x
-- @tparam tensor|table y
-- @tparam[opt] table given `batch_size` 32, `sample_weight`, `lengths` (as for fit), `verbose` 0
-- @treturn table { loss = …, accuracy = … }, and the same as a list in that order; with several
-- outputs { loss = …, NAME_loss = …, NAME_accuracy = … }
function inference.evaluate(model, x, y, given)
  local read = options.read("evaluate", given, { batch_size = 32, sample_weight = options.optional,
    lengths = options.optional, verbose = 0 })
  inference.require_compiled(model, "evaluate")
  local set = data.read("evaluate", model, x, y, read)
  model:build(data.build_shape(set))
  heads.make_metrics(model)
  targets.check("evaluate", model, set)
  local result, names = inference.run(model, set,
    options.integer("evaluate", "batch_size", read.batch_size))
  for i, name in ipairs(names) do result[i] = result[name] end
  return result
end

-- Writes the outputs of a batch into the results, which the first batch makes.
local function predict_batch(model, results, set, i, size)
  local _ <close> = ops.tape{ retain_grad = false }
  ops.no_grad(function()
    local batch = data.batch(set, i, size)
    local p = model:forward(batch.x, { training = false, lengths = batch.lengths })
    for k = 1, set.outputs do
      local output = parts.get(p, set.outputs, k)
      if not results[k] then
        local shape = output:shape()
        shape[1] = set.rows
        results[k] = ops.zeros(shape)
      end
      results[k]:narrow(1, batch.first, batch.rows):assign_(output)
    end
  end)
end

--- Outputs for data, batch by batch; memory does not grow with the number of batches.
-- @tparam tensor|table x, or texts when the model has a tokenizer
-- @tparam[opt] table given `batch_size` 32, `lengths` (as for fit)
-- @treturn tensor (N, …); with several outputs a table of them, by place and by name
-- @raise naming sample and step of a NaN or infinity, or of an id that is out of range
function inference.predict(model, x, given)
  local read = options.read("predict", given, { batch_size = 32, lengths = options.optional,
    verbose = 0 })
  local size = options.integer("predict", "batch_size", read.batch_size)
  local set = data.read_inputs("predict", model, x, read)
  if not model.built then model:build(data.build_shape(set)) end
  local results = {}
  for i = 1, data.steps(set.rows, size) do predict_batch(model, results, set, i, size) end
  if set.outputs == 1 then return results[1] end
  for i, name in ipairs(model:output_names()) do results[name] = results[i] end
  return results
end

--- Outputs for raw texts, by the model's tokenizer.
-- @tparam string|{string,...} texts
-- @treturn tensor (N, …)
function inference.predict_text(model, texts, given)
  if type(texts) == "string" then texts = { texts } end
  if type(texts) ~= "table" or #texts == 0 then
    error("predict_text: expects a list of texts, got " .. options.show(texts), 0)
  end
  return model:predict(texts, given)
end

--- The class of each sample as a table of ids from 0: the largest output or, with one output, 1
-- where it is above 0.5.
function inference.predict_classes(model, x, given)
  if #model:output_names() > 1 then
    error("predict_classes: the model has several outputs; use predict and argmax", 0)
  end
  local p = model:predict(x, given)
  local shape = p:shape()
  if shape[#shape] > 1 then return ops.argmax_ids(p, #shape):totable() end
  shape[#shape] = nil
  return ops.as_ids(ops.greater(p, 0.5)):reshape(shape):totable()
end

return inference
