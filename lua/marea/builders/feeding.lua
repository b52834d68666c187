--- What a decoder reads while it learns: the step before of the target (teacher forcing), or now and
-- then of its own output (scheduled sampling, Bengio et al., 2015).
-- @module marea.builders.feeding
local ops = require "marea.ops"
local options = require "marea.nn.options"

local feeding = {}

--- Checks a rate of scheduled sampling: a share or function(epoch) → share.
function feeding.check(who, rate)
  if type(rate) == "function" then return end
  if type(rate) ~= "number" or not (rate >= 0 and rate <= 1) then
    error(("%s: scheduled_sampling must be a share from 0 to 1 or a function(epoch) that gives one, "
      .. "got %s"):format(who, options.show(rate)), 0)
  end
end

--- The share of the steps that read the model's own output in its current epoch (from 1).
function feeding.rate(model)
  local rate = model.scheduled_sampling
  if type(rate) ~= "function" then return rate end
  local epoch = (model.epoch or 0) + 1
  local share = rate(epoch)
  if type(share) ~= "number" or not (share >= 0 and share <= 1) then
    model:fail("scheduled_sampling gave %s for epoch %d, expected a share from 0 to 1",
      options.show(share), epoch)
  end
  return share
end

-- Where a row of the batch reads its own output, (B, 1): a coin for each row and step.
local function coins(model, batch, rate)
  if rate >= 1 then return ops.ones{ batch, 1 } end
  return ops.less(model.random:uniform{ batch, 1 }, rate)
end

-- The ids (B, 1) to read: the likeliest of the step before where the coin says so and the teacher's
-- step is not padding. `hidden` (V) keeps marks that are no words from being read.
local function next_ids(truth, logits, own, hidden)
  local best = ops.as_real(ops.argmax_ids(ops.detach(logits) + hidden, 3))
  local reads = own * ops.not_zero(truth)
  return ops.as_ids(ops.where(reads, best, ops.as_real(truth)))
end

local function next_vectors(truth, y, own)
  local shape = y:shape()
  return ops.where(ops.broadcast(own:reshape{ shape[1], 1, 1 }, shape), y, truth)
end

--- All steps one after another, each reading the teacher or, at `rate`, the output before it. Ids that
-- are fed back are the likeliest and carry no gradient, vectors carry theirs.
-- @tparam table model a model of this room
-- @tparam tensor teacher (B, T) or (B, T, D)
-- @tparam table context states and memory
-- @tparam table call `training`, `mask` of the teacher
-- @tparam number rate 0 to 1
-- @treturn tensor outputs (B, T, K)
-- @treturn tensor|nil mask
function feeding.run(model, teacher, context, call, rate)
  local decoder, states = model.decoder, context.states
  local outputs, masks, y = {}, {}, nil
  for t = 1, teacher:size(2) do
    local x = teacher:narrow(2, t, 1)
    if y then
      local own = coins(model, x:size(1), rate)
      x = decoder.ids and next_ids(x, y, own, model:hidden_ids()) or next_vectors(x, y, own)
    end
    local mask
    y, states, mask = decoder:run(x, states, context.memory,
      { training = call.training, mask = call.mask and call.mask:narrow(2, t, 1) })
    outputs[t], masks[t] = y, mask
  end
  return ops.concat(outputs, 2), masks[1] and ops.concat(masks, 2) or nil
end

return feeding
