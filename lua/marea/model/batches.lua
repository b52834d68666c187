--- The order of an epoch's samples: as they are, shuffled, or shuffled and gathered by length.
-- @module marea.model.batches
local ops = require "marea.ops"

local batches = {}

-- Batches of one bucket are drawn from this many batches' worth of shuffled samples, so that
-- neighbours stay random while lengths agree.
local bucket_batches = 50

--- Number of steps of each row that are not padding (id 0), as a table.
function batches.lengths(x)
  return ops.sum(ops.not_zero(x), 2):totable()
end

local function by_length(ids, lengths, first, last)
  local part = table.move(ids, first, last, 1, {})
  local place = {}
  for i, id in ipairs(part) do place[id] = i end
  table.sort(part, function(a, b)
    local la, lb = lengths[a + 1], lengths[b + 1]
    if la ~= lb then return la < lb end
    return place[a] < place[b]
  end)
  table.move(part, 1, #part, first, ids)
end

-- Whole batches in a random order; the short last one stays last.
local function shuffle_batches(ids, size, stream)
  local whole = #ids // size
  local result = {}
  for _, batch in ipairs(stream:permutation(whole):totable()) do
    table.move(ids, batch * size + 1, (batch + 1) * size, #result + 1, result)
  end
  return table.move(ids, whole * size + 1, #ids, #result + 1, result)
end

--- The order of one epoch: an int32 tensor of 0-based rows, or nil for the order of the data.
-- @tparam integer rows
-- @tparam table given `shuffle`, `batch_size`, `lengths` (a table when bucketing)
-- @tparam stream stream
function batches.order(rows, given, stream)
  if not given.shuffle then return nil end
  local order = stream:permutation(rows)
  if not given.lengths then return order end
  local ids, chunk = order:totable(), bucket_batches * given.batch_size
  for first = 1, rows, chunk do
    by_length(ids, given.lengths, first, math.min(first + chunk - 1, rows))
  end
  if rows >= given.batch_size then ids = shuffle_batches(ids, given.batch_size, stream) end
  return ops.tensor(ids, { dtype = "int32" })
end

--- The columns of ids that hold anything but padding in this batch; for models that mask id 0,
-- to which the others make no difference.
function batches.trim(x)
  local used = ops.max(ops.not_zero(x), 1):totable()
  local first, last = 1, #used
  while first < last and used[first] == 0 do first = first + 1 end
  while last > first and used[last] == 0 do last = last - 1 end
  return x:narrow(2, first, last - first + 1)
end

return batches
