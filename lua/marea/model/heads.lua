--- The outputs of a model as training sees them: each with its loss, its weight and its metrics.
-- @module marea.model.heads
local losses = require "marea.losses"
local metrics = require "marea.metrics"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"

local heads = {}

-- One loss for all outputs, or one for each.
local function read_losses(model, names, given)
  local one = type(given) ~= "table" or getmetatable(given) or given.class_name
  if #names == 1 and type(given) == "table" and not one and #given == 1 then given, one = given[1], true end
  local list = {}
  if one then
    for i in ipairs(names) do list[i] = losses.get(given, model) end
    return list
  end
  for i, loss in pairs(parts.list("compile", "loss", names, given, true)) do
    list[i] = losses.get(loss, model)
  end
  if next(list) == nil then error("compile: no output has a loss", 0) end
  return list
end

local function read_metrics(head, specs)
  if specs == nil then specs = {} end
  if type(specs) ~= "table" or specs.update then specs = { specs } end
  for i, spec in ipairs(specs) do
    local metric = metrics.get(spec, head.loss and head.loss.name) -- refuses unknown names now
    head.metric_specs[i] = type(spec) == "table" and metric or spec
  end
end

local function metrics_by_output(names, given)
  if given == nil then return {} end
  if #names == 1 and not parts.by_name(given) then return { given } end
  if type(given) ~= "table" or given.update then
    error(("compile: metrics of a model with %d outputs are a list of lists or a table by output, got %s")
      :format(#names, options.show(given)), 0)
  end
  return parts.list("compile", "metrics", names, given, true)
end

-- A layer that comes with a loss of its own (CRF, SampledSoftmax) gives what other losses misread.
local function check_partners(layer, loss)
  if not (layer and layer.compute_loss and loss) or loss.layer == layer or loss.name == "custom_loss" then
    return
  end
  error(("compile: the loss %s cannot read what %s gives; keep the layer in a variable and say loss = "
    .. "layer:loss()"):format(loss.name, tostring(layer)), 0)
end

--- The heads { name, layer, loss, weight, metric_specs } that the options of compile describe.
function heads.read(model, given)
  local names = model:output_names()
  local layers = model.head_layers and model:head_layers() or {}
  local read = read_losses(model, names, given.loss)
  local specs = metrics_by_output(names, given.metrics)
  local weights = parts.list("compile", "loss_weights", names, given.loss_weights, true)
  local list = {}
  for i, name in ipairs(names) do
    check_partners(layers[i], read[i])
    local head = { name = name, layer = layers[i], loss = read[i], metric_specs = {},
      weight = weights[i] and options.number("compile", "loss_weights", weights[i]) or 1 }
    read_metrics(head, specs[i])
    list[i] = head
  end
  return list
end

--- Makes the metric objects, which "accuracy" needs the output's shape for. With several outputs
-- their names begin with the output's.
function heads.make_metrics(model)
  if model.metrics then return end
  local shapes = model:head_shapes()
  model.metrics, model.metrics_by_name = {}, {}
  for i, head in ipairs(model.heads) do
    head.metrics, head.metric_names = {}, {}
    for k, spec in ipairs(head.metric_specs) do
      local metric = metrics.get(spec, head.loss and head.loss.name, shapes[i][#shapes[i]])
      local name = #model.heads > 1 and head.name .. "_" .. metric.name or metric.name
      head.metrics[k], head.metric_names[k] = metric, name
      table.insert(model.metrics, metric)
      model.metrics_by_name[name] = metric
    end
  end
end

--- Starts loss and metrics anew.
function heads.reset(model)
  for _, head in ipairs(model.heads) do head.sum, head.rows = 0, 0 end
  for _, metric in ipairs(model.metrics) do metric:reset() end
end

-- The mask as far as it belongs to the targets: steps of (B, T, …) outputs.
local function loss_mask(p, mask)
  local shape = p:shape()
  if mask and #shape > 2 and shape[2] == mask:size(2) then return mask end
end

-- Calls f(head, y, p, weight, mask) for each output with targets.
local function each_head(model, batch, p, mask, f)
  local count = #model.heads
  for i, head in ipairs(model.heads) do
    local y, output = parts.get(batch.y, count, i), parts.get(p, count, i)
    if y ~= nil then
      f(head, y, output, parts.get(batch.weight, count, i), loss_mask(output, parts.get(mask, count, i)))
    end
  end
end

local function head_loss(head, y, p, weight, mask)
  local loss = head.loss(y, p,
    { sample_weight = weight, mask = mask, reduction = head.loss.config.reduction })
  return #loss:shape() > 0 and ops.mean(loss) or loss
end

--- The loss of a batch, with regularisation.
-- @tparam table model
-- @tparam table batch { x, y, weight, rows }
-- @tparam tensor|table p one for each output
-- @tparam tensor|table|nil mask of p
-- @treturn tensor a scalar
function heads.total_loss(model, batch, p, mask)
  local total
  local several = #model.heads > 1
  each_head(model, batch, p, mask, function(head, y, output, weight, visible)
    if not head.loss then return end
    local loss = head_loss(head, y, output, weight, visible)
    if several then
      head.sum, head.rows = (head.sum or 0) + loss:item() * batch.rows, (head.rows or 0) + batch.rows
    end
    if head.weight ~= 1 then loss = loss * head.weight end
    total = total and total + loss or loss
  end)
  for _, extra in ipairs(model:losses()) do total = total + extra end
  return total
end

--- Lets the metrics see a batch.
function heads.update_metrics(model, batch, p, mask)
  if #model.metrics == 0 then return end
  ops.no_grad(function()
    each_head(model, batch, p, mask, function(head, y, output, _, visible)
      if head.layer and head.layer.hands_on then output = head.layer:logits(output) end
      for _, metric in ipairs(head.metrics) do
        metric:update(y, output, { sample_weight = nil, mask = visible })
      end
    end)
  end)
end

--- The values so far by name: `loss`, and with several outputs `NAME_loss` and `NAME_METRIC` of each.
-- @treturn table
-- @treturn {string,...} the names in that order
function heads.logs(model, loss)
  local logs, names = { loss = loss }, { "loss" }
  local function log(name, value)
    logs[name] = value
    names[#names + 1] = name
  end
  for _, head in ipairs(#model.heads > 1 and model.heads or {}) do
    if head.loss then log(head.name .. "_loss", head.sum / math.max(head.rows, 1)) end
  end
  for _, head in ipairs(model.heads) do
    for k, metric in ipairs(head.metrics) do log(head.metric_names[k], metric:result()) end
  end
  return logs, names
end

return heads
