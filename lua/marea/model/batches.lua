--- The order of an epoch's samples: as they are, shuffled, or gathered by length.
-- @module marea.model.batches
local ops = require "marea.ops"

local batches = {}

-- Batches of one bucket are drawn from this many batches' worth of samples, so that neighbours stay
-- random while lengths agree.
local bucket_batches = 50

--- Number of steps of each row that are not padding (id 0), as an int32 tensor.
function batches.lengths(x)
  return ops.cast(ops.sum(ops.not_zero(x), 2), "int32")
end

--- The order of one epoch: an int32 tensor of 0-based rows, or nil for the order of the data.
-- With bucket_lengths, pools of 50 batches are sorted by length; with shuffle, the pools are random and so
-- is the order of the batches, of which the short last one stays last.
-- @tparam integer rows
-- @tparam table given `shuffle`, `batch_size`, `bucket_lengths` (an int32 tensor when bucketing),
-- `bucket_ties` (another one, which orders rows of one length)
-- @tparam stream stream
function batches.order(rows, given, stream)
  local order = given.shuffle and stream:permutation(rows) or nil
  if not given.bucket_lengths then return order end
  order = order or ops.arange(0, rows - 1, 1, { dtype = "int32" })
  local pool = bucket_batches * given.batch_size
  if given.bucket_ties then ops.bucket_sort(order, given.bucket_ties, pool) end -- sorting is stable
  ops.bucket_sort(order, given.bucket_lengths, pool)
  if given.shuffle then ops.bucket_shuffle(order, given.batch_size, stream) end
  return order
end

--- The share of steps that are padding when each batch is as wide as its longest row.
function batches.padding_share(lengths, order, size)
  local places, items = ops.bucket_measure(order, lengths, size)
  return places == 0 and 0 or (places - items) / places
end

-- The first and last column of ids that hold anything but padding.
local function used_columns(x)
  local used = ops.max(ops.not_zero(x), 1):totable()
  local first, last = 1, #used
  while first < last and used[first] == 0 do first = first + 1 end
  while last > first and used[last] == 0 do last = last - 1 end
  return first, last
end

local function used_columns_of(batch)
  if not batch.lengths then return used_columns(batch.x) end
  return 1, math.max(1, math.tointeger(ops.max(ops.as_real(batch.lengths)):item()))
end

local function narrow_time(tensor, width, first, last)
  if not tensor or tensor:size(2) ~= width then return tensor end
  return tensor:narrow(2, first, last - first + 1)
end

local function trim_targets(batch, width, first, last)
  for _, kind in ipairs{ "y", "weight" } do
    local tensor = batch[kind]
    if tensor and #tensor:shape() > 1 then
      batch[kind] = narrow_time(tensor, width, first, last)
    end
  end
end

--- Cuts the columns off a batch that are padding in all its rows; for models that mask it, to which
-- they make no difference.
-- @tparam table batch
-- @tparam boolean timed whether targets and weights have the same steps
function batches.trim(batch, timed)
  local width = batch.x:size(2)
  local first, last = used_columns_of(batch)
  batch.x = narrow_time(batch.x, width, first, last)
  if timed then trim_targets(batch, width, first, last) end
end

--- The same for models that read several inputs of ids: each is cut to its own longest row.
-- @tparam table batch
-- @tparam {integer,...} inputs those that are ids; the targets have the steps of the last one
function batches.trim_inputs(batch, inputs)
  local x = table.move(batch.x, 1, #batch.x, 1, {})
  for _, i in ipairs(inputs) do
    local width, first, last = x[i]:size(2), used_columns(x[i])
    x[i] = narrow_time(x[i], width, first, last)
    if i == inputs[#inputs] then trim_targets(batch, width, first, last) end
  end
  batch.x = x
end

return batches
