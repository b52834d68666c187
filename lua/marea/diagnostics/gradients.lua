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
local nonfinite = require "marea.model.nonfinite"
local ops = require "marea.ops"
local options = require "marea.nn.options"

-- One layer step by step. `probes[t]` are zeros that are added to the state after step t: their
-- gradient is that of the state. A hidden step shows what the layer shows there: zeros before the
-- first visible one.
local function unroll(layer, x, call, probes)
  local mask, outputs, shown = call.mask and ops.as_real(call.mask), {}, nil
  local states = layers.each_step(layer, x, call, function(p, t, _, after)
    local probe = ops.zeros(after[1]:shape())
    probe.requires_grad = true
    probes[t] = probe
    after[1] = after[1] + probe
    local y = layer.output_of and layer:output_of(after[1]) or after[1]
    if mask then
      local visible = mask:narrow(2, t, 1)
      shown = shown and not layer.zero_output_for_mask and ops.not_zero(shown + visible) or visible
      y = y * shown
    end
    outputs[layer.original_order and t or p] = y
    return after
  end)
  local last = layer.original_order and layer.go_backwards and 1 or #outputs
  return outputs, outputs[last], states
end

-- What the layer gives, made step by step: packed as a call's results.
local function traced(layer, x, call, probes)
  local outputs, last, states = unroll(layer, x, call, probes)
  local y = layer.return_sequences and ops.stack(outputs, 2) or last
  layer:regularize_activity(y)
  if not (layer.return_state or call.return_state) then return table.pack(y) end
  return table.pack(y, table.unpack(states))
end

-- Squares of small and of large numbers leave the range of floats: they are taken of shares of the
-- largest.
local function norm_of(tensor)
  if not tensor:all_finite() then return ops.sum(ops.abs(tensor)):item() end
  local largest = ops.max(ops.abs(tensor)):item()
  if largest == 0 then return 0 end
  local shares = tensor / largest
  return largest * math.sqrt(ops.sum(shares * shares):item())
end

local function joint_norm(norms)
  local largest, sum = 0, 0
  for _, norm in ipairs(norms) do
    if nonfinite.is(norm) then return norm end
    largest = math.max(largest, norm)
  end
  if largest == 0 then return 0 end
  for _, norm in ipairs(norms) do sum = sum + (norm / largest) ^ 2 end
  return largest * math.sqrt(sum)
end

-- What clipping leaves of each weight's gradient, by the optimizer's options.
local function clipped(norms, gradients, config)
  local total, after = joint_norm(norms), {}
  if nonfinite.is(total) then return norms, total end -- no clipping brings that back
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

local function bare(value, format)
  return value ~= value and "nan" or (format or "%.3g"):format(value) -- never "-nan"
end

local function number(value)
  return ("%10s"):format(bare(value))
end

-- Some steps, the first and the last among them.
local function some_steps(count)
  local shown = {}
  for i = 0, math.min(count, 6) - 1 do
    shown[#shown + 1] = 1 + math.floor(i * (count - 1) / math.max(math.min(count, 6) - 1, 1) + 0.5)
  end
  return shown
end

local function show_steps(lines, name, steps)
  lines[#lines + 1] = ("%s: |dL/dh| by time step"):format(name)
  local head, first, second = { "  step  " }, { "  before" }, { "  after " }
  for _, t in ipairs(some_steps(#steps.before)) do
    head[#head + 1], first[#first + 1] = ("%10d"):format(t), number(steps.before[t])
    second[#second + 1] = number(steps.after[t])
  end
  for _, row in ipairs{ head, first, second } do lines[#lines + 1] = table.concat(row) end
end

function Report:__tostring()
  local lines = { self.problem }
  lines[#lines + 1] = ("loss %s, norm of the gradient %s, after clipping %s"):format(
    bare(self.loss, "%.4g"), bare(self.norm), bare(self.clipped_norm))
  for _, name in ipairs(self.order) do show_steps(lines, name, self.steps[name]) end
  for _, item in ipairs(self.skipped) do
    lines[#lines + 1] = ("%s (%s): not followed by step: %s"):format(item.name, item.class_name,
      item.reason)
  end
  local widest = 32
  for _, weight in ipairs(self.weights) do widest = math.max(widest, #weight.name) end
  local row = "%-" .. widest + 2 .. "s%s%s"
  lines[#lines + 1] = row:format("weights", "    before", "     after")
  for _, weight in ipairs(self.weights) do
    lines[#lines + 1] = row:format("  " .. weight.name, number(weight.before), number(weight.after))
  end
  return table.concat(lines, "\n")
end

-- Contributions of all steps to a layer's weights are clipped by one factor: that of its recurrent
-- kernel.
local function factor_of(layer, weights)
  for _, weight in ipairs(weights) do
    if weight.tensor == layer.recurrent_kernel then
      local factor = weight.after / weight.before
      return nonfinite.is(factor) and 1 or factor -- 0 / 0 among them
    end
  end
  return 1
end

local function steps_of(layer, probes, weights)
  local steps, factor = { before = {}, after = {} }, factor_of(layer, weights)
  for t, probe in ipairs(probes) do
    steps.before[t] = probe.grad and norm_of(probe.grad) or 0
    steps.after[t] = steps.before[t] * factor
  end
  return steps
end

-- Every recurrent layer is followed or named.
local function add_steps(report, model, probes)
  for _, item in ipairs(layers.recurrent(model)) do
    local layer = item.layer
    if probes[layer] then
      report.steps[item.name] = steps_of(layer, probes[layer], report.weights)
      table.insert(report.order, item.name)
    else
      table.insert(report.skipped, { name = item.name, class_name = layer.class_name,
        reason = layers.why_not(layer) or "the batch does not pass through it" })
    end
  end
end

-- The latest step, against the order of time in which gradients travel, that is NaN or infinite.
local function last_nonfinite(report)
  for _, name in ipairs(report.order) do
    local before = report.steps[name].before
    for t = #before, 1, -1 do
      if nonfinite.is(before[t]) then return before[t], (" at step %d of %s"):format(t, name) end
    end
  end
  for _, weight in ipairs(report.weights) do
    if nonfinite.is(weight.before) then return weight.before, " for " .. weight.name end
  end
  return nil
end

-- A sentence on what is NaN or infinite, as `fit` says it.
local function problem_of(report, tape)
  if nonfinite.is(report.loss) then return nonfinite.report(tape, "the loss", report.loss, "") end
  local value, where = last_nonfinite(report)
  return value and nonfinite.report(tape, "the gradient", value, where)
end

local function make_report(model, loss, probes)
  local names, norms, gradients = weight_norms(model)
  local config = model.optimizer and model.optimizer.config or {}
  local after, total = clipped(norms, gradients, config)
  local report = setmetatable({ loss = loss, norm = total, clipped_norm = joint_norm(after),
    weights = {}, steps = {}, order = {}, skipped = {} }, Report)
  local tensors = {}
  for _, entry in ipairs(model:entries()) do tensors[entry.path] = entry.tensor end
  for i, name in ipairs(names) do
    report.weights[i] = { name = name, before = norms[i], after = after[i], tensor = tensors[name] }
  end
  add_steps(report, model, probes)
  for _, weight in ipairs(report.weights) do
    weight.tensor.grad = nil -- as if nobody had asked
    weight.tensor = nil
  end
  return report
end

--- Norms of the gradient of one batch; nothing is trained.
-- Dropout is off. Both directions of a Bidirectional are followed. Cells in Lua take part, but are not
-- followed by step. Stateful layers begin with the states they keep, which stay as they are.
-- @tparam Sequential|Model model compiled; a layer that is called twice shows its last call
-- @tparam tensor|table x the batch, as `fit` takes it (of marea.builders too: texts, lists, sources)
-- @tparam tensor|table y its targets
-- @tparam[opt] table given `lengths` (B), `sample_weight` (B)
-- @treturn table `loss`; `norm`, `clipped_norm`: joint norm before and after the optimizer's clipping;
-- `steps`: layer name → { before = {…}, after = {…} } by time step; `order`: those names; `skipped`: a
-- list of { name, class_name, reason } of the recurrent layers that were not followed; `weights`: a list
-- of { name, before, after }; `problem`: what is NaN or infinite and where it arose, or nil. tostring
-- shows it
-- @raise when the model is not compiled
return function(model, x, y, given)
  local read = options.read("gradients", given, { lengths = options.optional,
    sample_weight = options.optional })
  layers.check("gradients", model)
  inference.require_compiled(model, "gradients")
  x, y, read = layers.lesson("gradients", model, x, y, read)
  local set = data.read("gradients", model, x, y, read)
  model:build(data.build_shape(set))
  model:sync()
  local probes = {}
  local tape <close> = ops.tape()
  local p, mask = layers.run(model, set.x, { lengths = set.lengths }, function(layer, input, call)
    if layers.why_not(layer) or not layers.takes(layer, input) then return nil end
    probes[layer] = {}
    return traced(layer, input, call, probes[layer])
  end)
  local loss = heads.total_loss(model, set, p, mask)
  tape:backward(loss)
  local report = make_report(model, loss:item(), probes)
  report.problem = problem_of(report, tape)
  return report
end
