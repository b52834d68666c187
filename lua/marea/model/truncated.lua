--- Truncated back-propagation through time: long sequences in windows (Williams & Peng, 1990,
-- "BPTT(h; h')").
--
-- The time axis of a batch is walked `k1` steps at a time. For each of these pieces the last `k2` steps up
-- to its end are run, from the states in which the steps before ended; the loss counts the new steps, the
-- gradient goes back to the beginning of the window, and the weights move. Where the target belongs to the
-- whole sequence, only the last window is learnt from. With k2 > k1 the steps between two windows' beginnings
-- are run once more, for their states (BatchNormalization counts them again).
-- @module marea.model.truncated
local heads = require "marea.model.heads"
local nonfinite = require "marea.model.nonfinite"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
local states = require "marea.nn.states"

local truncated = {}

--- The option of fit: k steps, or { k1 =, k2 = }.
function truncated.read(given)
  if given == nil then return nil end
  if type(given) ~= "table" then given = { k1 = given } end
  local read = options.read("fit: tbptt", given, { k1 = options.required, k2 = options.optional })
  local k1 = options.integer("fit: tbptt", "k1", read.k1)
  local k2 = options.integer("fit: tbptt", "k2", read.k2 or k1)
  if k2 < k1 then
    error(("fit: tbptt: k2 is %d and k1 %d; the gradient goes back at least over the new steps")
      :format(k2, k1), 0)
  end
  return { k1 = k1, k2 = k2 }
end

-- A layer's states are kept in one place, which two calls of it would share.
local function refuse_shared(model)
  local met = {}
  for _, node in ipairs(model.graph and model.graph.nodes or {}) do
    if met[node.layer] and node.layer:state_count() > 0 then
      node.layer:fail("fit: tbptt: stands in two places of the graph; its states cannot be told apart")
    end
    met[node.layer] = true
  end
end

-- Adds the recurrent layers in and under a layer to the list.
local function collect(layer, list)
  if layer.cell and layer.reset_states then
    list[#list + 1] = layer
    return
  end
  if states.steps_are_samples(layer) then return end
  refuse_shared(layer)
  for _, child in ipairs(layer.children) do collect(child, list) end
end

--- The recurrent layers of a model, whose states go from window to window.
-- @raise for a model without any, and for layers that look across time
function truncated.layers(model)
  local list = {}
  states.require_pieces(model, "fit: tbptt")
  collect(model, list)
  if #list == 0 then model:fail("fit: tbptt: has no recurrent layer") end
  return list
end

-- Makes the layers keep their states for the time of a batch; those that are stateful anyway go on from
-- the batch before.
local function hold_states(layers)
  local before = {}
  for i, layer in ipairs(layers) do
    before[i], layer.stateful = layer.stateful, true
    if not before[i] then layer:reset_states() end
  end
  return setmetatable({}, { __close = function()
    for i, layer in ipairs(layers) do
      layer.stateful = before[i]
      if not before[i] then layer:reset_states() end
    end
  end })
end

local function kept(layers)
  local list = {}
  for i, layer in ipairs(layers) do list[i] = layer.kept_states or false end
  return list
end

local function put_back(layers, list)
  for i, layer in ipairs(layers) do layer.kept_states = list[i] or nil end
end

-- The steps first … last of a batch.
local function window_of(model, batch, first, last)
  local inputs, width, count = #model:input_names(), batch.time, last - first + 1
  local part = { rows = batch.rows, y = batch.y, weight = batch.weight }
  local function cut(tensor)
    if #tensor:shape() < 2 or tensor:size(2) ~= width then return tensor end
    return tensor:narrow(2, first, count)
  end
  part.x = parts.each(batch.x, inputs, cut)
  part.lengths = parts.each(batch.lengths, inputs, function(lengths)
    return ops.as_ids((ops.as_real(lengths) - (first - 1)):clip(0, count))
  end)
  return part, cut
end

-- Runs steps for their states alone.
local function advance(model, batch, first, last)
  if last < first then return end
  local _ <close> = ops.tape{ retain_grad = false }
  local part = window_of(model, batch, first, last)
  ops.no_grad(function() model:forward(part.x, { training = true, lengths = part.lengths }) end)
end

-- Outputs, or masks, of the last `count` steps.
local function last_steps(outputs, number, width, count)
  return parts.each(outputs, number, function(tensor)
    local shape = tensor:shape()
    if #shape < 2 or shape[2] ~= width then return tensor end
    return tensor:narrow(2, width - count + 1, count)
  end)
end

-- How many places of the outputs are no padding.
local function visible(number, mask, everything)
  local count, whole = 0, mask == nil
  parts.each(mask, number, function(tensor) count = count + ops.sum(ops.as_real(tensor)):item() end)
  return whole and everything or count
end

-- One update from the window first … last, of which the steps from `new` on count: loss, norm, number of
-- places that counted, problem. Without any such place nothing moves.
local function learn(model, batch, first, new, last, where)
  local tape <close> = ops.tape{ retain_grad = false }
  local part = window_of(model, batch, first, last)
  local p, mask = model:forward(part.x, { training = true, lengths = part.lengths })
  if batch.timed then
    local number, width, count = #model:output_names(), last - first + 1, last - new + 1
    p, mask = last_steps(p, number, width, count), last_steps(mask, number, width, count)
    local _, cut = window_of(model, batch, new, last)
    part.y, part.weight = parts.each(batch.y, number, cut), parts.each(batch.weight, number, cut)
  end
  local count = visible(#model:output_names(), mask, part.rows * (last - new + 1))
  if count == 0 then return 0, 0, 0 end
  where = ("%s, steps %d to %d"):format(where, new, last)
  local loss = heads.total_loss(model, part, p, mask)
  local value = loss:item()
  if nonfinite.is(value) then
    return value, value, count, nonfinite.report(tape, "the loss", value, where)
  end
  tape:backward(loss)
  local norm, after = model.optimizer:try_step()
  if not after then return value, norm, count, nonfinite.report(tape, "the gradient", norm, where) end
  heads.update_metrics(model, part, p, mask)
  return value, norm, count
end

-- The pieces of the time axis: { first step of the window, first new step, last step }.
local function windows(batch, k1, k2)
  local T, list = batch.time, {}
  if not batch.timed then return { { math.max(1, T - k2 + 1), 1, T } } end
  for new = 1, T, k1 do
    local last = math.min(new + k1 - 1, T)
    list[#list + 1] = { math.max(1, last - k2 + 1), new, last }
  end
  return list
end

-- Every input of a sequence has the same steps.
local function time_of(model, batch)
  local time
  parts.each(batch.x, #model:input_names(), function(x)
    local steps = #x:shape() > 1 and x:size(2) or nil
    if time and steps and steps ~= time then
      model:fail("fit: tbptt: its inputs have %d and %d steps; they must go side by side", time, steps)
    end
    time = time or steps
  end)
  return time or model:fail("fit: tbptt: its input has no time axis")
end

local function is_timed(model)
  local timed
  for _, shape in ipairs(model:head_shapes()) do
    local own = #shape > 2
    if timed ~= nil and own ~= timed then
      model:fail("fit: tbptt: some outputs have a time axis and others have none")
    end
    timed = own
  end
  return timed
end

--- One batch, window by window.
-- @tparam table model
-- @tparam table batch
-- @tparam string where for messages
-- @tparam table read { k1, k2, layers }
-- @treturn number the mean loss of a step that is no padding
-- @treturn number the mean norm of the gradients
-- @treturn string|nil what was NaN or infinite
function truncated.step(model, batch, where, read)
  batch.time, batch.timed = time_of(model, batch), is_timed(model)
  local _ <close> = hold_states(read.layers)
  local at, value, norm, counted = 1, 0, 0, 0 -- the layers hold the states before step `at`
  for _, window in ipairs(windows(batch, read.k1, read.k2)) do
    local first, new, last = table.unpack(window)
    advance(model, batch, at, first - 1)
    local before = kept(read.layers)
    local own_value, own_norm, count, problem = learn(model, batch, first, new, last, where)
    if problem then return own_value, own_norm, problem end
    value, norm, counted = value + own_value * count, norm + own_norm * count, counted + count
    at = last + 1
    if read.k2 > read.k1 then -- the next window begins earlier
      put_back(read.layers, before)
      at = first
    end
  end
  counted = math.max(counted, 1)
  return value / counted, norm / counted
end

return truncated
