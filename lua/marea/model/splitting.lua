--- fit's validation_split: which rows are held back.
-- @module marea.model.splitting
local data = require "marea.model.data"
local native = require "marea.native"
local options = require "marea.nn.options"

local splitting = {}

--- Names for `validation_method`: the last rows as they stand (Keras's way), rows at random, or rows
-- at random with each class in the same share as in the whole.
splitting.methods = { "last", "shuffled", "stratified" }

-- Layers and shuffles have the streams from 1 on.
local STREAM <const> = 0

local function as_rows(list)
  table.sort(list) -- in the order of the data, so that only the choice is random
  return native.tensor(list, { dtype = "int32" })
end

local function by_chance(order, first)
  return table.move(order, 1, first, 1, {}), table.move(order, first + 1, #order, 1, {})
end

-- Classes as lists of rows, in the order of `order`.
local function group(order, ids)
  local groups, classes = {}, {}
  for _, row in ipairs(order) do
    local class = ids[row + 1]
    if not groups[class] then
      groups[class] = {}
      classes[#classes + 1] = class
    end
    table.insert(groups[class], row)
  end
  table.sort(classes)
  return groups, classes
end

-- How many of each class are held back: shares rounded so that they add up to `held`, the largest
-- remainders first.
local function quotas(groups, classes, held, rows)
  local quota, left, remainders = {}, held, {}
  for i, class in ipairs(classes) do
    local exact = #groups[class] * held / rows
    quota[class] = math.floor(exact)
    left = left - quota[class]
    remainders[i] = { class = class, place = i, rest = exact - quota[class] }
  end
  table.sort(remainders, function(a, b)
    if a.rest ~= b.rest then return a.rest > b.rest end
    return a.place < b.place
  end)
  for i = 1, left do
    local class = remainders[i].class
    quota[class] = quota[class] + 1
  end
  return quota
end

-- A class id for each row.
local function classes_of(set)
  if (set.outputs or 1) > 1 then
    error("fit: validation_method \"stratified\" serves models with one output", 0)
  end
  local ok, ids = pcall(data.class_ids, set.y)
  if not ok then
    error("fit: validation_method \"stratified\" needs class ids, y holds fractions", 0)
  end
  if #ids:shape() ~= 1 then
    error(("fit: validation_method \"stratified\" needs one class a sample, y is (%s)"):format(
      table.concat(set.y:shape(), ", ")), 0)
  end
  return ids:totable()
end

local function stratified(order, first, set)
  local groups, classes = group(order, classes_of(set))
  local quota = quotas(groups, classes, #order - first, #order)
  local train, held = {}, {}
  for _, class in ipairs(classes) do
    local rows, kept = groups[class], #groups[class] - quota[class]
    table.move(rows, 1, kept, #train + 1, train)
    table.move(rows, kept + 1, #rows, #held + 1, held)
  end
  return train, held
end

--- A set cut in two: floor(n (1 - share)) rows to train on, the rest to validate with.
-- @tparam table set
-- @tparam number share in (0, 1)
-- @tparam string method one of splitting.methods
-- @tparam integer seed of the random methods; the same seed gives the same rows
-- @raise when a part would be empty, or classes are asked for and y holds none
function splitting.split(set, share, method, seed)
  options.number("fit", "validation_split", share, 0, 1)
  options.choice("fit", "validation_method", method, splitting.methods)
  local first = math.floor(set.rows * (1 - share))
  if first < 1 or first >= set.rows then
    error(("fit: validation_split %g of %d samples leaves one part empty"):format(share, set.rows), 0)
  end
  if method == "last" then
    return data.part(set, 1, first), data.part(set, first + 1, set.rows - first)
  end
  local order = native.new_stream(seed, STREAM):permutation(set.rows):totable()
  local choose = method == "stratified" and stratified or by_chance
  local train, held = choose(order, first, set)
  return data.pick(set, as_rows(train)), data.pick(set, as_rows(held))
end

return splitting
