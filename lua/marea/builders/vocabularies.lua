--- The two sides of a builder: words (a tokenizer, or a number of ids) or vectors of reals; and
-- sequences of words as rows of ids.
-- @module marea.builders.vocabularies
local data = require "marea.model.data"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local reading = require "marea.text.reading"
local texts = require "marea.generate.texts"

local vocabularies = {}

local declared = { vocabulary = options.optional, tokenizer = options.optional, embedding = 64,
  features = options.optional, weights = options.optional, trainable = true,
  start = options.optional, stop = options.optional }

-- Whether a tokenizer has words beside its special tokens.
local function knows_words(tokenizer)
  local vocabulary = tokenizer.vocabulary
  for id = tokenizer:first_word_id(), tokenizer:id_count() - 1 do
    local special = id == tokenizer:unknown_id() or vocabulary and vocabulary.is_special and vocabulary:is_special(id)
    if not special and tokenizer:word_of(id) then return true end
  end
  return false
end

-- What would be taken for padding because its id is 0, or nil.
local function hidden_word(tokenizer)
  if tokenizer:first_word_id() > 0 then return nil end
  for _, token in ipairs(tokenizer.added or {}) do
    if token.id == 0 and token.special then return nil end
  end
  return tokenizer:word_of(0)
end

-- A tokenizer, or what a file says about one.
local function read_tokenizer(where, given)
  local plain = type(given) == "table" and not getmetatable(given)
  if plain and next(given) ~= nil and given[1] == nil then
    return data.attempt(where, reading.from_config, given)
  end
  if type(given) ~= "table" or plain or not given.encode_sequences then
    error(("%s: tokenizer must be one of marea.text (Tokenizer, Pipeline, SubwordTokenizer), got %s"):format(where,
      options.show(given)), 0)
  end
  if not knows_words(given) then
    error(where .. ": the tokenizer knows no words yet; give it texts (fit_on_texts, fit) before the model is made", 0)
  end
  local hidden = hidden_word(given)
  if hidden then
    error(("%s: the tokenizer gives id 0 to %q, which is padding in models; let a padding token come first "
      .. "(special_tokens = { \"<pad>\" } of a SubwordTokenizer, pad of a Pipeline)"):format(where, hidden), 0)
  end
  return given
end

local marks = { "start", "stop" }

--- Raises for options of a side that would change nothing, unless they are as by default.
function vocabularies.refuse_idle(where, side, names, why)
  for _, name in ipairs(names) do
    local default = declared[name] ~= options.optional and declared[name] or nil
    if side[name] ~= default then
      error(("%s: %s = %s would change nothing: %s"):format(where, name, tostring(side[name]), why), 0)
    end
  end
end

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
  side.name = name
  if side.tokenizer ~= nil then
    side.tokenizer = read_tokenizer(where, side.tokenizer)
    side.vocabulary = side.vocabulary or side.tokenizer:id_count()
  end
  if (side.vocabulary == nil) == (side.features == nil) then
    error(where .. " needs a vocabulary (the number of ids) or a tokenizer, or else features (the size of "
      .. "a vector of reals)", 0)
  end
  for _, option in ipairs{ "vocabulary", "embedding", "features" } do
    if side[option] ~= nil then side[option] = options.integer(where, option, side[option]) end
  end
  if name == "source" then vocabularies.refuse_idle(where, side, marks, "marks begin and end targets of words") end
  if side.features then
    vocabularies.refuse_idle(where, side, { "tokenizer", "embedding", "weights", "trainable", "start", "stop" },
      "it is for words, not for features")
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
  if side.start_id == side.stop_id then
    error(("%s: start and stop are both %s; they must differ, or no sequence would end"):format(where,
      options.show(side.start)), 0)
  end
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

local function check_row(where, i, row, size, hint)
  if type(row) ~= "table" then
    error(("%s: sample %d is %s, expected a text or a list of ids"):format(where, i, options.show(row)), 0)
  end
  for t, id in ipairs(row) do
    if math.type(id) ~= "integer" or id < 0 or id >= size then
      error(("%s: sample %d, step %d has id %s, allowed are 0 to %d%s"):format(where, i, t, options.show(id),
        size - 1, hint), 0)
    end
  end
end

-- Raises, naming the first, when a row has no word.
local function refuse_empty(where, rows)
  for i, row in ipairs(rows) do
    if #row == 0 then
      error(("%s: sample %d is empty (or holds unknown words alone); leave it out"):format(where, i), 0)
    end
  end
end

--- What a list of sequences holds: "texts", "words" (lists of them) or "items" (ids, vectors, …).
function vocabularies.kind(given)
  if type(given[1]) == "string" then return "texts" end
  for _, row in ipairs(given) do
    if type(row) ~= "table" or type(row[1]) == "string" then return type(row) == "table" and "words" or "items" end
    if row[1] ~= nil then return "items" end
  end
  return "items"
end

local function check_samples(where, given, wanted, text)
  for i, sample in ipairs(given) do
    if type(sample) ~= wanted then
      error(("%s: sample %d is %s, expected a %s as sample 1 is"):format(where, i, options.show(sample), text), 0)
    end
  end
end

-- What a tokenizer left out without putting a token for unknown words in its place.
local function left_out(tokenizer, report)
  if report.dropped then return report.dropped end
  return tokenizer:unknown_id() and 0 or report.unknown + (report.beyond_limit or 0)
end

--- Texts, or lists of words, as the ids that pad_sequences takes.
--
-- What the tokenizer says about them is added up in `model.report` by the side's name ("source",
-- "target"): words, unknown, empty …, and `left_out`, the words that have no id and no token in their
-- place.
-- @tparam table model
-- @tparam string where for messages: "fit: source" …
-- @tparam table side
-- @tparam {string,...}|{{string,...},...} given
-- @treturn userdata sequences
-- @treturn integer how many words were left out
function vocabularies.encode(model, where, side, given)
  local tokenizer, words = side.tokenizer or model.tokenizer, vocabularies.kind(given) == "words"
  if not tokenizer then
    error(("%s holds words, but the model has no tokenizer for them; make it with %s = { tokenizer = … }")
      :format(where, side.name), 0)
  end
  check_samples(where, given, words and "table" or "string", words and "list of words" or "text")
  if words and not tokenizer.fit_on_texts then
    error(where .. ": lists of words are for a text.Tokenizer; this tokenizer reads texts", 0)
  end
  local sequences, report = data.attempt(where, tokenizer.encode_sequences, tokenizer, given)
  report.left_out = left_out(tokenizer, report)
  model.report = model.report or {}
  local sums = model.report[side.name] or {}
  model.report[side.name] = sums
  for name, count in pairs(report) do
    if math.type(count) == "integer" then sums[name] = (sums[name] or 0) + count end
  end
  return sequences, report.left_out
end

--- Says, once for each side of a model, that words were left out, unless `verbose` is 0 or false.
function vocabularies.tell(model, who, verbose)
  if verbose == 0 or verbose == false then return end
  model.told = model.told or {}
  for _, name in ipairs{ "source", "target" } do
    local report = model.report and model.report[name]
    if report and report.left_out > 0 and not model.told[name] then
      model.told[name] = true
      io.stderr:write(("%s: warning: %s: %d %s left out, which the tokenizer does not know; give it a token "
        .. "for them (oov_token, or unknown of a Pipeline). model.report counts them; this is said once\n")
        :format(who, name, report.left_out, report.dropped and "characters were"
          or ("of %d words were"):format(report.words)))
    end
  end
end

-- Ids beyond the vocabulary that the model was made for.
local function check_rows(where, side, rows, hint)
  for i, row in ipairs(rows) do check_row(where, i, row, side.vocabulary, hint) end
end

--- Sequences of words as lists of ids: of texts, lists of words or ids, or a padded int32 matrix.
-- @tparam table model
-- @tparam string where for messages: "fit: source" …
-- @tparam table side
-- @tparam table|tensor given
-- @treturn {{integer,...},...}
-- @raise naming the first row without a word
function vocabularies.rows(model, where, side, given)
  if type(given) == "string" then
    error(("%s is a bare string; give a list of texts: { %q }"):format(where, given:sub(1, 40)), 0)
  end
  if ops.is_tensor(given) then given = data.attempt(where, ops.as_ids, given):totable() end
  if type(given) ~= "table" then
    error(("%s: expected texts, lists of words or ids, or an int32 tensor (N, T), got %s"):format(where,
      options.show(given)), 0)
  end
  if #given == 0 then error(where .. " has no samples", 0) end
  local rows = {}
  if vocabularies.kind(given) == "items" then
    check_rows(where, side, given, "")
    for i, row in ipairs(given) do rows[i] = without_padding(row) end
  else
    rows = vocabularies.encode(model, where, side, given):totable()
    check_rows(where, side, rows, "; the tokenizer has grown since the model was made")
  end
  refuse_empty(where, rows)
  return rows
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
