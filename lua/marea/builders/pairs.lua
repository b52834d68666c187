--- Sources and targets as the models of this room read them: texts or ids, padded; targets with their
-- marks, shifted for teacher forcing.
-- @module marea.builders.pairs
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.builders.parts"
local sequence = require "marea.sequence"
local texts = require "marea.generate.texts"
local weights = require "marea.nn.weights"

local room = {}

-- Texts or ids --------------------------------------------------------------------------------------

local function is_texts(x)
  return type(x) == "table" and type(x[1]) == "string"
end

local function check_texts(model, who, what, list, tokenizer)
  if not tokenizer then
    model:fail("%s: %s holds texts, but has no tokenizer; give %s = { tokenizer = … } to the builder",
      who, what, what)
  end
  for i, item in ipairs(list) do
    if type(item) ~= "string" then
      model:fail("%s: text %d of the %s is %s, expected a string", who, i, what, options.show(item))
    end
  end
end

local function check_not_empty(model, who, ids)
  if #ids:shape() ~= 2 then
    model:fail("%s: source is %s, expected (batch, time) ids", who, weights.shape_text(ids:shape()))
  end
  if ids:size(2) == 0 then model:fail("%s: source 1 is empty: it has no step", who) end
  local empty = ops.equal(ops.max(ops.not_zero(ids), 2), 0)
  if ops.max(empty):item() > 0 then
    model:fail("%s: source %d is empty: it has no id but padding (0)", who,
      math.tointeger(empty:argmax():item()))
  end
end

-- A table of numbers as a tensor; errors name the argument.
local function as_tensor(model, who, what, x, ids)
  if ops.is_tensor(x) then return x end
  if type(x) ~= "table" then
    model:fail("%s: %s must be a tensor or a table, got %s", who, what, options.show(x))
  end
  if #x == 0 then model:fail("%s: %s has no samples", who, what) end
  local ok, tensor = pcall(ops.tensor, x, ids and { dtype = "int32" } or nil)
  if not ok then model:fail("%s: %s: %s", who, what, tensor) end
  return tensor
end

--- Sources as one tensor: ids (N, S) or vectors (N, S, D).
-- @raise naming the first source that is empty
function room.source(model, who, x)
  if is_texts(x) then
    local tokenizer = model.tokenizers.source
    check_texts(model, who, "source", x, tokenizer)
    x = tokenizer:texts_to_padded(x, { padding = "post" })
  elseif model.reads_ids and type(x) == "table" and type(x[1]) == "table" then
    x = sequence.pad_sequences(x, { padding = "post" })
  end
  x = as_tensor(model, who, "source", x, model.reads_ids)
  if model.reads_ids then
    x = ops.as_ids(x)
    check_not_empty(model, who, x)
  end
  return x
end

-- Targets -------------------------------------------------------------------------------------------

local function rows_of(model, who, target)
  if is_texts(target) then
    local tokenizer = model.tokenizers.target
    check_texts(model, who, "target", target, tokenizer)
    return tokenizer:encode_sequences(target):totable()
  end
  if ops.is_tensor(target) then
    if #target:shape() ~= 2 then
      model:fail("%s: target is %s, expected (batch, time) ids", who, weights.shape_text(target:shape()))
    end
    return ops.as_ids(target):totable()
  end
  if type(target) ~= "table" then
    model:fail("%s: target must be texts, a tensor or rows of ids, got %s", who, options.show(target))
  end
  for i, row in ipairs(target) do
    if type(row) ~= "table" then
      model:fail("%s: target %d is %s, expected a row of ids", who, i, options.show(row))
    end
  end
  return target
end

-- The part of a row that is neither padding nor mark.
local function bare(model, who, number, row)
  local first, last = 1, #row
  while first <= last and row[first] == 0 do first = first + 1 end
  while last >= first and row[last] == 0 do last = last - 1 end
  if row[first] == model.marks.start then first = first + 1 end
  if last >= first and row[last] == model.marks.stop then last = last - 1 end
  for t = first, last do
    local id = row[t]
    if math.tointeger(id) == nil or id <= 0 or id >= model.target.vocabulary then
      model:fail("%s: target %d has %s at step %d, allowed are ids 1 to %d (0 only pads the ends)", who,
        number, options.show(id), t, model.target.vocabulary - 1)
    end
  end
  return first, last
end

local function check_length(model, who, number, steps, note)
  if steps > model.max_length then
    model:fail("%s: target %d has %d steps%s, the decoder allows %d; give max_length to the builder",
      who, number, steps, note, model.max_length)
  end
end

-- What the decoder reads (start, words) and what it shall say (words, stop).
local function teach_ids(model, who, target)
  local inputs, goals = {}, {}
  for i, row in ipairs(rows_of(model, who, target)) do
    local first, last = bare(model, who, i, row)
    check_length(model, who, i, last - first + 2, " with its stop mark")
    inputs[i] = table.move(row, first, last, 2, { model.marks.start })
    goals[i] = table.move(row, first, last, 1, {})
    table.insert(goals[i], model.marks.stop)
  end
  if #inputs == 0 then model:fail("%s: target has no samples", who) end
  return sequence.pad_sequences(inputs, { padding = "post" }),
    sequence.pad_sequences(goals, { padding = "post" })
end

-- Of vectors: zeros, then each step but the last.
local function teach_vectors(model, who, target)
  local y = ops.as_real(as_tensor(model, who, "target", target))
  local shape, features = y:shape(), model.target.features
  if #shape == 2 and features == 1 then shape = { shape[1], shape[2], 1 } end
  if #shape ~= 3 or shape[3] ~= features or shape[2] == 0 then
    model:fail("%s: target is %s, expected (batch, time, %d)", who, weights.shape_text(y:shape()), features)
  end
  if not model.steps then check_length(model, who, 1, shape[2], "") end
  if model.steps and shape[2] ~= model.steps then
    model:fail("%s: target has %d steps, expected %d", who, shape[2], model.steps)
  end
  y = y:reshape(shape)
  local start = ops.zeros{ shape[1], 1, features }
  if shape[2] == 1 then return start, y end
  return ops.concat({ start, y:narrow(2, 1, shape[2] - 1) }, 2), y
end

--- What fit and evaluate read for sources and targets.
-- @treturn {tensor,tensor} source and teacher
-- @treturn tensor y
function room.read(model, who, source, target)
  local x = model:read_source(who, source)
  if target == nil then model:fail("%s: target is missing", who) end
  local teacher, y
  if model.decoder.ids then
    teacher, y = teach_ids(model, who, target)
  else
    teacher, y = teach_vectors(model, who, target)
  end
  if teacher:size(1) ~= x:size(1) then
    model:fail("%s: there are %d sources and %d targets", who, x:size(1), teacher:size(1))
  end
  return { x, teacher }, y
end

-- Marks and tokenizers ------------------------------------------------------------------------------

local function mark_of(who, target, tokenizer, name)
  local mark = target[name]
  if tokenizer then return texts.mark(who, tokenizer, name, mark) end
  mark = type(mark) == "number" and math.tointeger(mark) or mark
  if math.type(mark) ~= "integer" or mark < 1 or mark >= target.vocabulary then
    error(("%s: target.%s is %s, expected the id of the %s mark, 1 to %d, or a tokenizer that has it")
      :format(who, name, options.show(mark), name, target.vocabulary - 1), 0)
  end
  return mark
end

--- The ids { start, stop } of a target's marks; by default "<s>" and "</s>" of its tokenizer.
-- @raise when the vocabulary lacks one
function room.marks(who, target)
  local tokenizer = target.tokenizer
  if tokenizer then target.start, target.stop = target.start or "<s>", target.stop or "</s>" end
  local marks = { start = mark_of(who, target, tokenizer, "start"),
    stop = mark_of(who, target, tokenizer, "stop") }
  for name, id in pairs(marks) do
    if id == 0 then error(("%s: the %s mark has the id 0, which is padding"):format(who, name), 0) end
  end
  if marks.start == marks.stop then
    error(("%s: start and stop are the same mark, id %d"):format(who, marks.start), 0)
  end
  target.start, target.stop = marks.start, marks.stop -- as a file holds them, beside its tokenizer
  return marks
end

--- The description of a target, { vocabulary or tokenizer, embedding, start, stop } or { features,
-- activation }, and the ids of its marks if they are needed.
function room.read_target(who, given, with_marks)
  local read, ids = parts.read_input(who, "target", given, { start = options.optional,
    stop = options.optional, activation = options.optional })
  if read.mask_value ~= nil then
    error(who .. ": target.mask_value is not offered; targets of vectors are of one length", 0)
  end
  return read, ids and with_marks and room.marks(who, read) or nil
end

return room
