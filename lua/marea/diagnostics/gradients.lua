--- Norms of the gradient by time step, layer and weight, before and after clipping.
--
-- The norm at step t is ‖dL/dh_t‖ over the whole batch, L the loss that `fit` minimises and h_t the
-- state after the step, by all paths that lead from it to L. Where it shrinks towards the first steps
-- the network forgets, where it grows it explodes (Bengio, Simard and Frasconi, 1994; Pascanu,
-- Mikolov and Bengio, 2013).
-- @module marea.diagnostics.gradients
local heads = require "marea.model.heads"
local inference = require "marea.model.inference"
local data = require "marea.model.data"
local layers = require "marea.diagnostics.layers"
local ops = require "marea.ops"
local options = require "marea.nn.options"

-- One layer step by step. `probes[t]` are zeros that are added to the state after step t: their
-- gradient is that of the state.
local function unroll(layer, x, mask, probes)
  local batch, time = x:size(1), x:size(2)
  local states, outputs = nil, {}
  for p = 1, time do
    local t = layer.go_backwards and time + 1 - p or p
    local visible = mask and mask:narrow(2, t, 1)
    local results = table.pack(layer(x:narrow(2, t, 1),
      { mask = visible, initial_state = states, training = false }))
    local probe = ops.zeros{ batch, layer.state_units }
    probe.requires_grad = true
    probes[t] = probe
    states = { results[2] + probe, table.unpack(results, 3) }
    outputs[p] = states[1]
  end
  return outputs
end

-- A layer as it runs in `unroll`: one step at a time, states handed on.
local function stepwise(layer)
  local before = { return_sequences = layer.return_sequences, return_state = layer.return_state,
    stateful = layer.stateful }
  layer.return_sequences, layer.return_state, layer.stateful = false, true, false
  return setmetatable({}, { __close = function()
    for name, value in pairs(before) do layer[name] = value end
  end })
end

local function traced(layer, x, mask, probes)
  local outputs
  do
    local _ <close> = stepwise(layer)
    outputs = unroll(layer, x, mask, probes)
  end
  if not layer.return_sequences then return outputs[#outputs] end
  return ops.stack(outputs, 2)
end

local function norm_of(tensor)
  return math.sqrt(ops.sum(tensor * tensor):item())
end

-- What clipping leaves of each weight's gradient, by the optimizer's options.
local function clipped(norms, gradients, config)
  local total = 0
  for _, norm in ipairs(norms) do total = total + norm * norm end
  total = math.sqrt(total)
  local after = {}
  for i, norm in ipairs(norms) do
    after[i] = norm
    if config.clipnorm then
      after[i] = math.min(norm, config.clipnorm)
    elseif config.global_clipnorm and total > config.global_clipnorm then
      after[i] = norm * config.global_clipnorm / total
    elseif config.clipvalue then
      after[i] = norm_of(ops.clip(gradients[i], -config.clipvalue, config.clipvalue))
    end
  end
  return after, total
end

local function weight_norms(model)
  local names, norms, gradients = {}, {}, {}
  for _, entry in ipairs(model:entries()) do
    local gradient = entry.tensor.requires_grad and entry.tensor.grad
    if gradient then
      names[#names + 1], norms[#norms + 1] = entry.path, norm_of(gradient)
      gradients[#gradients + 1] = gradient
    end
  end
  return names, norms, gradients
end

local Report = {}
Report.__index = Report

local function number(value)
  return ("%10.3g"):format(value)
end

-- Some steps, the first and the last among them.
local function some_steps(count)
  local shown = {}
  for i = 0, math.min(count, 6) - 1 do
    shown[#shown + 1] = 1 + math.floor(i * (count - 1) / math.max(math.min(count, 6) - 1, 1) + 0.5)
  end
  return shown
end

function Report:__tostring()
  local lines = { ("loss %.4g, norm of the gradient %.4g, after clipping %.4g"):format(self.loss,
    self.norm, self.clipped_norm) }
  local names = {}
  for name in pairs(self.steps) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local before, after = self.steps[name].before, self.steps[name].after
    lines[#lines + 1] = ("%s: |dL/dh| by time step"):format(name)
    local head, first, second = { "  step  " }, { "  before" }, { "  after " }
    for _, t in ipairs(some_steps(#before)) do
      head[#head + 1], first[#first + 1] = ("%10d"):format(t), number(before[t])
      second[#second + 1] = number(after[t])
    end
    for _, row in ipairs{ head, first, second } do lines[#lines + 1] = table.concat(row) end
  end
  lines[#lines + 1] = "weights                                before     after"
  for _, weight in ipairs(self.weights) do
    lines[#lines + 1] = ("  %-32s%s%s"):format(weight.name, number(weight.before),
      number(weight.after))
  end
  return table.concat(lines, "\n")
end

-- Contributions of all steps to a layer's weights are clipped by one factor: that of its recurrent
-- kernel.
local function factor_of(layer, weights)
  for _, weight in ipairs(weights) do
    if weight.tensor == layer.recurrent_kernel then
      return weight.before > 0 and weight.after / weight.before or 1
    end
  end
  return 1
end

local function make_report(model, loss, probes)
  local names, norms, gradients = weight_norms(model)
  local config = model.optimizer and model.optimizer.config or {}
  local after, total = clipped(norms, gradients, config)
  local report = setmetatable({ loss = loss, norm = total, clipped_norm = 0, weights = {},
    steps = {} }, Report)
  for i, name in ipairs(names) do
    report.weights[i] = { name = name, before = norms[i], after = after[i] }
    report.clipped_norm = report.clipped_norm + after[i] ^ 2
  end
  report.clipped_norm = math.sqrt(report.clipped_norm)
  local tensors = {}
  for _, entry in ipairs(model:entries()) do tensors[entry.path] = entry.tensor end
  for _, weight in ipairs(report.weights) do weight.tensor = tensors[weight.name] end
  for layer, list in pairs(probes) do
    local steps = { before = {}, after = {} }
    local factor = factor_of(layer, report.weights)
    for t, probe in ipairs(list) do
      steps.before[t] = probe.grad and norm_of(probe.grad) or 0
      steps.after[t] = steps.before[t] * factor
    end
    report.steps[layer.name] = steps
  end
  for _, weight in ipairs(report.weights) do
    weight.tensor.grad = nil -- as if nobody had asked
    weight.tensor = nil
  end
  return report
end

--- Norms of the gradient of one batch; nothing is trained.
-- Dropout is off. Layers inside Bidirectional, cells in Lua and other recurrent layers whose output
-- is not their state take part, but are not traced by step.
-- @tparam Sequential|Model model compiled; a layer that is called twice shows its last call
-- @tparam tensor|table x the batch
-- @tparam tensor|table y its targets
-- @tparam[opt] table given `lengths` (B), `sample_weight` (B)
-- @treturn table `loss`; `norm`, `clipped_norm`: joint norm before and after the optimizer's clipping;
-- `steps`: layer name → { before = {…}, after = {…} } by time step; `weights`: a list of { name,
-- before, after }. tostring shows it
-- @raise when the model is not compiled
return function(model, x, y, given)
  local read = options.read("gradients", given, { lengths = options.optional,
    sample_weight = options.optional })
  inference.require_compiled(model, "gradients")
  local set = data.read("gradients", model, x, y, read)
  model:build(data.build_shape(set))
  model:sync()
  local probes = {}
  local tape <close> = ops.tape()
  local p, mask = layers.run(model, set.x, { lengths = set.lengths }, function(layer, input, visible)
    if not layers.is_plain(layer) then return nil end
    probes[layer] = {}
    return traced(layer, input, visible, probes[layer])
  end)
  local loss = heads.total_loss(model, set, p, mask)
  tape:backward(loss)
  return make_report(model, loss:item(), probes)
end
