--- The two sides of a builder: words (a tokenizer, or a number of ids) or vectors of reals; and
-- sequences of words as rows of ids.
-- @module marea.builders.vocabularies
local ops = require "marea.ops"
local options = require "marea.nn.options"
local reading = require "marea.text.reading"
local texts = require "marea.generate.texts"

local vocabularies = {}

local declared = { vocabulary = options.optional, tokenizer = options.optional, embedding = 64,
  features = options.optional, weights = options.optional, trainable = true,
  start = options.optional, stop = options.optional }

--- A side as it was given, checked: { vocabulary, tokenizer, embedding, weights, trainable } or
-- { features }.
-- @tparam string who the builder
-- @tparam string name "source", "target" …
function vocabularies.read(who, name, given)
  local where = who .. ": " .. name
  if type(given) ~= "table" or getmetatable(given) then
    error(("%s must be a table with vocabulary, tokenizer or features, got %s"):format(where,
      options.show(given)), 0)
  end
  local side = options.read(where, given, declared)
  if type(side.tokenizer) == "table" and not getmetatable(side.tokenizer) then -- from a file
    side.tokenizer = reading.from_config(side.tokenizer)
  end
  if side.tokenizer then
    texts.require_tokenizer(where, side.tokenizer)
    side.vocabulary = side.vocabulary or side.tokenizer:id_count()
  end
  if (side.vocabulary == nil) == (side.features == nil) then
    error(where .. " needs a vocabulary (the number of ids) or a tokenizer, or else features (the size of "
      .. "a vector of reals)", 0)
  end
  for _, option in ipairs{ "vocabulary", "embedding", "features" } do
    if side[option] ~= nil then side[option] = options.integer(where, option, side[option]) end
  end
  return side
end

-- A side for a file.
local function describe(side)
  local config = {}
  for name in pairs(declared) do config[name] = side[name] end
  if config.weights then config.embedding, config.weights = ops.tensor(config.weights):size(2), nil end
  config.tokenizer = side.tokenizer and side.tokenizer:get_config()
  return config
end

--- The options of a builder for a file.
-- @tparam table model
-- @tparam table names its options' names as keys
function vocabularies.config_of(model, names)
  local config = { name = model.name, trainable = model.trainable }
  for name in pairs(names) do config[name] = model[name] end
  config.source, config.target = describe(model.from), model.target and describe(model.target)
  return config
end

local function mark_of(where, side, name, mark)
  if side.tokenizer and type(mark) == "string" then
    return texts.mark(where, side.tokenizer, name, mark)
  end
  if math.type(mark) ~= "integer" or mark < 1 or mark >= side.vocabulary then
    error(("%s: the vocabulary lacks the %s mark %s; it has the ids 1 to %d (0 is padding)"):format(where,
      name, options.show(mark), side.vocabulary - 1), 0)
  end
  return mark
end

--- Gives a side of words its marks. Marks that are not named become two ids more.
-- @treturn integer the number of ids with the marks
function vocabularies.add_marks(who, name, side)
  local where, size = who .. ": " .. name, side.vocabulary
  side.start_id = side.start ~= nil and mark_of(where, side, "start", side.start) or size
  if side.start == nil then size = size + 1 end
  side.stop_id = side.stop ~= nil and mark_of(where, side, "stop", side.stop) or size
  if side.stop == nil then size = size + 1 end
  return size
end

--- The ids that stand for words which a side does not know.
-- @treturn {integer,...} none, one, or the buckets of a Pipeline
function vocabularies.unknown_ids(side)
  local tokenizer = side.tokenizer
  local first = tokenizer and tokenizer.unknown_id and tokenizer:unknown_id()
  local list = {}
  for i = 1, first and (tokenizer.unknown_buckets or 1) or 0 do list[i] = first + i - 1 end
  return list
end

-- A row of a padded matrix without its zeros.
local function without_padding(row)
  local ids = {}
  for _, id in ipairs(row) do
    if id ~= 0 then ids[#ids + 1] = id end
  end
  return ids
end

local function check_row(where, i, row, size)
  if type(row) ~= "table" then
    error(("%s: sample %d is %s, expected a text or a list of ids"):format(where, i, options.show(row)), 0)
  end
  for t, id in ipairs(row) do
    if math.type(id) ~= "integer" or id < 0 or id >= size then
      error(("%s: sample %d, step %d has id %s, allowed are 0 to %d"):format(where, i, t, options.show(id),
        size - 1), 0)
    end
  end
end

--- Sequences of words as lists of ids: of texts, lists of ids, or a padded int32 matrix.
-- @tparam string where for messages: "fit: source" …
-- @tparam table side
-- @tparam table|tensor given
-- @treturn {{integer,...},...}
function vocabularies.rows(where, side, given)
  if type(given) == "string" then
    error(("%s is a bare string; give a list of texts: { %q }"):format(where, given:sub(1, 40)), 0)
  end
  if ops.is_tensor(given) then given = ops.as_ids(given):totable() end
  if type(given) ~= "table" then
    error(("%s: expected texts, lists of ids or an int32 tensor (N, T), got %s"):format(where,
      options.show(given)), 0)
  end
  if #given == 0 then error(where .. " has no samples", 0) end
  if type(given[1]) == "string" then
    texts.require_tokenizer(where, side.tokenizer)
    return (side.tokenizer:encode_sequences(given):totable())
  end
  local rows = {}
  for i, row in ipairs(given) do
    check_row(where, i, row, side.vocabulary)
    rows[i] = without_padding(row)
  end
  return rows
end

--- Raises, naming the first, when a row has no word.
function vocabularies.refuse_empty(where, rows)
  for i, row in ipairs(rows) do
    if #row == 0 then
      error(("%s: sample %d is empty (or holds unknown words alone); leave it out"):format(where, i), 0)
    end
  end
end

--- The text of ids, or the ids where there is no tokenizer.
function vocabularies.show(side, ids)
  if not side.tokenizer then return ids end
  local known = {}
  for _, id in ipairs(ids) do
    if id < side.tokenizer:id_count() then known[#known + 1] = id end
  end
  return texts.decode(side.tokenizer, known)
end

return vocabularies
