--- What fit, evaluate and predict are given, checked and cut into batches.
-- @module marea.model.data
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

local data = {}

local shape_text = function(x) return weights.shape_text(x:shape()) end

local function all_whole(t)
  for _, item in ipairs(t) do
    if type(item) == "table" then
      if not all_whole(item) then return false end
    elseif type(item) ~= "number" or not math.tointeger(item) then
      return false
    end
  end
  return true
end

local function is_texts(x)
  return type(x) == "table" and type(x[1]) == "string"
end

-- The Embedding that reads x, or nil.
local function embedding_of(model)
  local first = model.layers[1]
  if first and first.class_name == "Input" then first = model.layers[2] end
  return first and first.class_name == "Embedding" and first or nil
end

--- Texts as padded ids, by the model's tokenizer. The width is model.maxlen or, when that is not
-- set, the one that the model was trained on.
function data.encode_texts(model, texts)
  local tokenizer = model.tokenizer
  if not tokenizer then
    error("this model has no tokenizer and cannot read texts; set model.tokenizer before saving", 0)
  end
  for i, text in ipairs(texts) do
    if type(text) ~= "string" then
      error(("text %d must be a string, got %s"):format(i, options.show(text)), 0)
    end
  end
  local trained = model.input_shape and model.input_shape[2]
  local maxlen = model.maxlen or trained
  return (tokenizer:texts_to_padded(texts, { maxlen = maxlen and maxlen > 0 and maxlen or nil,
    padding = model.padding, truncating = model.truncating }))
end

-- A table as a tensor; the error says of which argument.
local function as_tensor(who, what, t, given)
  local ok, x = pcall(ops.tensor, t, given)
  if not ok then error(("%s: %s: %s"):format(who, what, (x:gsub("^[^:]*:%d+: ", ""))), 0) end
  return x
end

--- x as a tensor: a tensor, a nested table of numbers, or texts for a model with a tokenizer.
function data.read_x(who, model, x)
  if type(x) == "string" then
    error(("%s: x is a bare string; give a list of texts: { %q }"):format(who, x:sub(1, 40)), 0)
  end
  if is_texts(x) then return data.encode_texts(model, x) end
  if not ops.is_tensor(x) and not ops.is_sparse(x) then
    if type(x) ~= "table" then
      error(("%s: x must be a tensor or a table, got %s"):format(who, options.show(x)), 0)
    end
    x = as_tensor(who, "x", x, embedding_of(model) and all_whole(x) and { dtype = "int32" } or nil)
  end
  if #x:shape() < 1 then error(who .. ": x must have a batch axis, got a single number", 0) end
  return x
end

local function place_of(index, shape)
  local place = {}
  index = index - 1
  for axis = #shape, 1, -1 do
    place[axis] = index % shape[axis] + 1
    index = index // shape[axis]
  end
  return place
end

-- NaN in data would only show itself later, as a loss that is NaN.
local function check_finite(who, what, x)
  if ops.is_sparse(x) then
    local row, column, value = x:nonfinite()
    if row then
      error(("%s: %s holds %s at sample %d, feature %d"):format(who, what, tostring(value), row,
        column), 0)
    end
    return
  end
  if x:dtype() == "int32" then return end
  local finite, index = x:all_finite()
  if finite then return end
  local place = place_of(index, x:shape())
  local names = { "sample", "step", "feature" }
  for axis, at in ipairs(place) do
    place[axis] = ("%s %d"):format(names[axis] or "axis " .. axis, at)
  end
  local value = x:reshape({ -1 }):get(index)
  error(("%s: %s holds %s at %s"):format(who, what, value ~= value and "NaN" or tostring(value),
    table.concat(place, ", ")), 0)
end

local CHUNK <const> = 4096 -- rows looked at together, which bounds the memory of the check

-- The layer checks each batch, but knows places in a shuffled batch only. A single batch is in order.
local function check_ids(who, model, x)
  local layer = embedding_of(model)
  if not layer or ops.is_sparse(x) or who == "train_on_batch" then return end
  for first = 1, x:size(1), CHUNK do
    local rows = math.min(CHUNK, x:size(1) - first + 1)
    local ids = ops.as_real(x:narrow(1, first, rows))
    if ids:min():item() < 0 or ids:max():item() >= layer.input_dim then
      local wrong = ops.less(ids, 0) + ops.greater_equal(ids, layer.input_dim)
      local place = place_of(wrong:argmax():item(), ids:shape())
      layer:fail("%s: sample %d%s has id %d, allowed are 0 to %d", who, first + place[1] - 1,
        place[2] and (", step %d"):format(place[2]) or "",
        math.tointeger(ids:get(table.unpack(place))), layer.input_dim - 1)
    end
  end
end

--- Targets as a tensor with as many rows as x.
function data.read_y(who, y, rows)
  if y == nil then error(who .. ": y is missing", 0) end
  if type(y) == "string" then
    error(("%s: y is a bare string; give a list of numbers, one for each sample"):format(who), 0)
  end
  if is_texts(y) then
    error(("%s: y holds text (%q at sample 1); give numbers, such as class ids from 0"):format(who,
      y[1]:sub(1, 40)), 0)
  end
  if not ops.is_tensor(y) then
    if type(y) ~= "table" then
      error(("%s: y must be a tensor or a table, got %s"):format(who, options.show(y)), 0)
    end
    y = as_tensor(who, "y", y)
  end
  local shape = y:shape()
  if shape[1] ~= rows then
    error(("%s: x has %d samples, y has %s"):format(who, rows, shape[1] or "none"), 0)
  end
  return y
end

local function read_weight(who, weight, rows)
  if weight == nil then return nil end
  if not ops.is_tensor(weight) then
    if type(weight) ~= "table" then
      error(("%s: sample_weight must be a tensor or a table, got %s"):format(who,
        options.show(weight)), 0)
    end
    weight = as_tensor(who, "sample_weight", weight)
  end
  check_finite(who, "sample_weight", weight)
  weight = ops.as_real(weight)
  local shape = weight:shape()
  if shape[1] ~= rows then
    error(("%s: sample_weight is %s for %d samples"):format(who, shape_text(weight), rows), 0)
  end
  return weight
end

-- How many of each row's first steps are real, for rows that are padded after.
local function read_lengths(who, lengths, x)
  if lengths == nil then return nil end
  lengths = ops.as_ids(lengths)
  local shape, wanted = lengths:shape(), x:shape()
  if #shape ~= 1 or shape[1] ~= wanted[1] or #wanted < 2 then
    error(("%s: lengths are %s, expected one for each of %d samples of %s"):format(who,
      shape_text(lengths), wanted[1], shape_text(x)), 0)
  end
  for row, length in ipairs(lengths:totable()) do
    if length < 0 or length > wanted[2] then
      error(("%s: lengths: sample %d has length %d, allowed are 0 to %d"):format(who, row, length,
        wanted[2]), 0)
    end
  end
  return lengths
end

--- Class ids of targets: ids, {0, 1} reals or one-hot rows.
local function class_ids(y)
  local shape = y:shape()
  if y:dtype() ~= "int32" and #shape > 1 and shape[#shape] > 1 then
    return ops.argmax_ids(y, #shape)
  end
  if #shape > 1 and shape[#shape] == 1 then
    shape[#shape] = nil
    y = y:reshape(shape)
  end
  return ops.as_ids(y)
end

-- A weight for each target from { [class] = weight }; a class that is not named counts 1.
local function weigh_classes(class_weight, y, weight)
  if type(class_weight) ~= "table" then
    error("fit: class_weight must be a table { [class id] = weight }, got "
      .. options.show(class_weight), 0)
  end
  local ids = class_ids(y)
  local shape = ids:shape()
  local rows = ids:reshape({ -1 })
  local highest = ops.max(ops.as_real(rows)):item()
  local table_of = {}
  for class = 0, math.tointeger(highest) do table_of[class + 1] = 1 end
  for class, value in pairs(class_weight) do
    local id = math.tointeger(class)
    if not id or id < 0 or type(value) ~= "number" or value ~= value
      or math.abs(value) == math.huge then
      error(("fit: class_weight maps class ids (0, 1 …) to numbers, got [%s] = %s"):format(
        tostring(class), tostring(value)), 0)
    end
    table_of[id + 1] = value
    for missing = #table_of + 1, id do table_of[missing] = 1 end
  end
  local result = ops.take(ops.tensor(table_of), rows):reshape(shape)
  if not weight then return result end
  local sizes = weight:shape()
  while #sizes < #shape do sizes[#sizes + 1] = 1 end
  return result * weight:reshape(sizes)
end

data.class_ids = class_ids

--- Inputs alone, checked: { x, lengths, rows }.
function data.read_inputs(who, model, x, given)
  x = data.read_x(who, model, x)
  local rows = x:size(1)
  if rows == 0 then error(who .. ": x has no samples", 0) end
  check_finite(who, "x", x)
  check_ids(who, model, x)
  return { x = x, rows = rows, lengths = read_lengths(who, given.lengths, x) }
end

--- Inputs, targets, weights and lengths, checked: { x, y, weight, lengths, rows }.
function data.read(who, model, x, y, given)
  given = given or {}
  local set = data.read_inputs(who, model, x, given)
  y = data.read_y(who, y, set.rows)
  check_finite(who, "y", y)
  local weight = read_weight(who, given.sample_weight, set.rows)
  if given.class_weight then weight = weigh_classes(given.class_weight, y, weight) end
  set.y, set.weight = y, weight
  return set
end

local function rows_of(x, first, count)
  return x and x:narrow(1, first, count)
end

local kinds = { "x", "y", "weight", "lengths" }

--- Consecutive rows of a set, as a set.
function data.part(set, first, count)
  local part = { rows = count, first = first }
  for _, kind in ipairs(kinds) do part[kind] = rows_of(set[kind], first, count) end
  return part
end

--- The rows of a set that `ids` (int32, 0-based) lists, as a set.
function data.pick(set, ids)
  local part = { rows = ids:size(1) }
  for _, kind in ipairs(kinds) do part[kind] = set[kind] and set[kind]:take(ids) end
  return part
end

--- The class that all targets share, or nil; for a warning about an unshuffled corpus.
function data.single_class(set)
  local shape = set.y:shape()
  if #shape > 2 or set.rows < 2 then return nil end
  local ids = ops.as_real(class_ids(set.y))
  local lowest, highest = ops.min(ids):item(), ops.max(ids):item()
  return lowest == highest and math.tointeger(lowest) or nil
end

--- Batch number `i` (from 1) of a set: of consecutive rows, or of the rows that `order` (int32,
-- 0-based) lists.
function data.batch(set, i, size, order)
  local first = (i - 1) * size + 1
  local count = math.min(size, set.rows - first + 1)
  if not order then return data.part(set, first, count) end
  local batch = data.pick(set, order:narrow(1, first, count))
  batch.first = first
  return batch
end

--- Number of batches.
function data.steps(rows, size)
  return (rows + size - 1) // size
end

return data
