--- What fit, evaluate and predict are given, checked and cut into batches.
-- @module marea.model.data
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
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
  local maxlen = model.maxlen or type(trained) == "number" and trained
  return (tokenizer:texts_to_padded(texts, { maxlen = maxlen and maxlen > 0 and maxlen or nil,
    padding = model.padding, truncating = model.truncating }))
end

--- f(…), whose error begins with `who` and not with a place in the library's files.
function data.attempt(who, f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  error(("%s: %s"):format(who, (tostring(results[2]):gsub("^[^:]*:%d+: ", ""))), 0)
end

-- A table as a tensor; the error says of which argument.
local function as_tensor(who, what, t, given)
  return data.attempt(who .. ": " .. what, ops.tensor, t, given)
end

-- One input as a tensor: a tensor, a nested table of numbers, or texts for a model with a tokenizer.
local function read_x(who, what, model, place, x)
  if type(x) == "string" then
    error(("%s: %s is a bare string; give a list of texts: { %q }"):format(who, what, x:sub(1, 40)), 0)
  end
  if is_texts(x) then return data.encode_texts(model, x) end
  if not ops.is_tensor(x) and not ops.is_sparse(x) then
    if type(x) ~= "table" then
      error(("%s: %s must be a tensor or a table, got %s"):format(who, what, options.show(x)), 0)
    end
    local ids = #model:embeddings_of(place) > 0 and all_whole(x)
    x = as_tensor(who, what, x, ids and { dtype = "int32" } or nil)
  end
  if #x:shape() < 1 then
    error(("%s: %s must have a batch axis, got a single number"):format(who, what), 0)
  end
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

-- The layer checks each batch, but knows places in a shuffled batch only.
local function check_ids(who, layer, x)
  if ops.is_sparse(x) then return end
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

-- Targets of one output as a tensor with as many rows as x.
local function read_y(who, what, y, rows)
  if type(y) == "string" then
    error(("%s: %s is a bare string; give a list of numbers, one for each sample"):format(who, what), 0)
  end
  if is_texts(y) then
    error(("%s: %s holds text (%q at sample 1); give numbers, such as class ids from 0"):format(who,
      what, y[1]:sub(1, 40)), 0)
  end
  if not ops.is_tensor(y) then
    if type(y) ~= "table" then
      error(("%s: %s must be a tensor or a table, got %s"):format(who, what, options.show(y)), 0)
    end
    y = as_tensor(who, what, y)
  end
  local shape = y:shape()
  if shape[1] ~= rows then
    error(("%s: x has %d samples, %s has %s"):format(who, rows, what, shape[1] or "none"), 0)
  end
  check_finite(who, what, y)
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

-- "x", or with several of them 'x "title"'.
local function label(what, names, i)
  return #names == 1 and what or ("%s %q"):format(what, names[i])
end

-- One value as it is, several as the list.
local function one_or_list(list, names)
  if #names == 1 then return list[1] end
  return list
end

local function read_inputs(who, model, names, given, one_batch)
  local list, rows = parts.list(who, "x", names, given), nil
  if given == nil then list = { read_x(who, "x", model, 1, nil) } end
  for i in ipairs(names) do
    local what = label("x", names, i)
    local x = read_x(who, what, model, i, list[i])
    rows = rows or x:size(1)
    if x:size(1) ~= rows then
      error(("%s: %s has %d samples, %s has %d"):format(who, label("x", names, 1), rows, what,
        x:size(1)), 0)
    end
    if rows == 0 then error(who .. ": x has no samples", 0) end
    check_finite(who, what, x)
    for _, layer in ipairs(not one_batch and model:embeddings_of(i) or {}) do check_ids(who, layer, x) end
    list[i] = x
  end
  return list, rows
end

--- Inputs alone, checked: { x, lengths, rows, inputs, outputs }. `x` and what else comes for each input
-- or output is the tensor itself where there is one, else a list; `inputs` and `outputs` count them.
-- `one_batch`: ids are left to the layer, whose message names the same places.
function data.read_inputs(who, model, x, given, one_batch)
  local names = model:input_names()
  local list, rows = read_inputs(who, model, names, x, one_batch)
  local lengths = parts.list(who, "lengths", names, given.lengths, true)
  for i in ipairs(names) do lengths[i] = read_lengths(who, lengths[i], list[i]) end
  return { x = one_or_list(list, names), rows = rows, inputs = #names,
    outputs = #model:output_names(), lengths = next(lengths) and one_or_list(lengths, names) or nil }
end

-- A weight for all outputs, or one for each.
local function read_weights(who, names, given, rows)
  local list = {}
  if ops.is_tensor(given) or type(given) == "table" and type(given[1]) == "number" then
    local weight = read_weight(who, given, rows)
    for i in ipairs(names) do list[i] = weight end
    return list
  end
  for i, weight in pairs(parts.list(who, "sample_weight", names, given, true)) do
    list[i] = read_weight(who, weight, rows)
  end
  return list
end

--- Inputs, targets, weights and lengths, checked: as read_inputs, with { y, weight }. An output without
-- a loss needs no targets.
function data.read(who, model, x, y, given, one_batch)
  given = given or {}
  local set = data.read_inputs(who, model, x, given, one_batch)
  local names = model:output_names()
  if y == nil then error(who .. ": y is missing", 0) end
  local list = parts.list(who, "y", names, y, true)
  for i in ipairs(names) do
    if list[i] ~= nil then
      list[i] = read_y(who, label("y", names, i), list[i], set.rows)
    elseif model.heads[i].loss then
      error(("%s: %s is missing"):format(who, label("y", names, i)), 0)
    end
  end
  local weight = read_weights(who, names, given.sample_weight, set.rows)
  if given.class_weight then
    if #names > 1 then error("fit: class_weight serves models with one output; use sample_weight", 0) end
    weight[1] = weigh_classes(given.class_weight, list[1], weight[1])
  end
  set.y, set.weight = one_or_list(list, names), one_or_list(weight, names)
  return set
end

--- The shape to build a model with for its input: unknown batch, a list for several inputs.
function data.build_shape(set)
  return parts.each(set.x, set.inputs, function(x)
    local shape = x:shape()
    shape[1] = -1
    return shape
  end)
end

-- kind → the field of a set that counts its values
local kinds = { x = "inputs", lengths = "inputs", y = "outputs", weight = "outputs" }

-- A set of the rows that f takes from each tensor.
local function rows_of(set, rows, f)
  local part = { rows = rows, inputs = set.inputs, outputs = set.outputs }
  for kind, count in pairs(kinds) do part[kind] = parts.each(set[kind], set[count], f) end
  return part
end

--- Consecutive rows of a set, as a set.
function data.part(set, first, count)
  local part = rows_of(set, count, function(x) return x:narrow(1, first, count) end)
  part.first = first
  return part
end

--- The rows of a set that `ids` (int32, 0-based) lists, as a set.
function data.pick(set, ids)
  return rows_of(set, ids:size(1), function(x) return x:take(ids) end)
end

--- The class that all targets share, or nil; for a warning about an unshuffled corpus.
function data.single_class(set)
  if (set.outputs or 1) > 1 then return nil end
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
