--- Text to ids, by the rules of Keras's Tokenizer.
--
--     local tokenizer = text.Tokenizer{ num_words = 10000 }
--     tokenizer:fit_on_texts(texts)
--     local x, report = tokenizer:texts_to_padded(texts, { maxlen = 200 })
--
-- All work per token happens in C. For other rules see marea.text.pipeline.
-- @module marea.text.tokenizer
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"
local stages = require "marea.text.stages"

local Tokenizer = {}
Tokenizer.__index = Tokenizer

local declared = {
  num_words = options.optional, filters = native.keras_filters, lower = true, split = " ",
  char_level = false, oov_token = options.optional,
}

--- A tokenizer.
-- @tparam[opt] table given `num_words` (ids stay below it; default: all), `filters` (characters
-- that separate, beside `split`), `lower` (true), `split` (" "), `char_level` (false), `oov_token`
-- (gets id 1 and stands for every word that has no id)
-- @treturn Tokenizer
local function new_tokenizer(_, given)
  local self = options.read("Tokenizer", given, declared)
  if self.num_words ~= nil then
    self.num_words = options.integer("Tokenizer", "num_words", self.num_words)
  end
  if self.oov_token ~= nil and type(self.oov_token) ~= "string" then
    error("Tokenizer: oov_token must be a string", 0)
  end
  local _, core = stages.read("Tokenizer", { normalize = self.lower and { "lower" } or nil,
    split = self.char_level and "code_points"
      or { { "filters", filters = self.filters, split = self.split } } }, native.keras_filters)
  self.pipeline = native.pipeline(core)
  self.vocabulary = native.vocabulary()
  return setmetatable(self, Tokenizer)
end

setmetatable(Tokenizer, { __call = new_tokenizer })

local function is_word_list(texts)
  return type(texts) == "table" and type(texts[1]) == "table"
end

local function lower_words(self, words)
  if not self.lower then return words end
  local lowered = {}
  for i, word in ipairs(words) do lowered[i] = self.lowering:normalize(word) end
  return lowered
end

-- Items that are lists of words are taken as they are, except for lower case.
local function word_lists(self, texts)
  self.lowering = self.lowering or native.pipeline{ normalize = { { kind = "lower" } } }
  local lists = {}
  for i, words in ipairs(texts) do
    if type(words) == "string" then words = self.pipeline:tokens(words)
    elseif type(words) == "table" then words = lower_words(self, words)
    else error(("text %d is a %s, expected a string or a list of words"):format(i, type(words)), 0)
    end
    lists[i] = words
  end
  return lists
end

--- Counts words; may be called again with more texts. Ids follow the counts.
-- @tparam {string,...} texts one document each (or lists of words)
-- @raise naming the item that is no text, or the byte that is no UTF-8
function Tokenizer:fit_on_texts(texts)
  local counts = native.vocabulary() -- of these texts: when one is refused, nothing is counted
  if is_word_list(texts) then
    for _, words in ipairs(word_lists(self, texts)) do counts:count_words(words) end
  else
    counts:count(self.pipeline, texts)
  end
  local words, documents = self.vocabulary:size()
  if words + documents == 0 then self.vocabulary = counts else self.vocabulary:merge(counts) end
  self.vocabulary:rank{}
  self.tables = nil
end

-- Keras's rule: 0 is free, 1 the OOV token where there is one, words follow; ids stay below
-- num_words, and any other word is the OOV token or is left out.
local function rule(self)
  local encoding = { first_id = 1, limit = self.num_words or 0, unknown_id = -1 }
  if self.oov_token then
    encoding.first_id, encoding.unknown_id = 2, 1
    encoding.specials, encoding.special_ids = native.vocabulary(), { 1 }
    encoding.specials:add(self.oov_token)
  end
  return encoding
end

local function encode(self, texts)
  if is_word_list(texts) then
    return self.vocabulary:encode_words(word_lists(self, texts), rule(self))
  end
  return self.vocabulary:encode(self.pipeline, texts, rule(self))
end

--- The ids of texts.
-- @treturn {{integer,...},...}
-- @treturn table report: words (in the texts), unknown, beyond_limit (known, but id >= num_words),
-- empty (texts without an id)
function Tokenizer:texts_to_sequences(texts)
  local sequences, report = encode(self, texts)
  return sequences:totable(), report
end

--- The ids of texts as one int32 tensor (N, maxlen), without a Lua table in between.
-- @tparam {string,...} texts
-- @tparam[opt] table padding as for sequence.pad_sequences
-- @treturn tensor
-- @treturn table report of both steps
function Tokenizer:texts_to_padded(texts, padding)
  local sequences, encoding = encode(self, texts)
  local x, report = require("marea.sequence").pad_sequences(sequences, padding)
  for name, value in pairs(encoding) do report[name] = value end
  return x, report
end

--- The ids of texts without a Lua table in between.
function Tokenizer:encode_sequences(texts)
  return encode(self, texts)
end

-- What marea.text.reading asks of every reader of texts.

function Tokenizer:id_count()
  return self.num_words or self.vocabulary:size() + 1 + (self.oov_token and 1 or 0)
end

function Tokenizer:word_of(id)
  return self.index_word[id]
end

function Tokenizer.first_word_id()
  return 1
end

function Tokenizer:unknown_id()
  return self.oov_token and 1 or nil
end

function Tokenizer:document_frequencies()
  local frequency = self.index_docs
  return function(id) return frequency[id] or 0 end, self.document_count
end

--- Sequences of ids as a bag-of-words matrix (N, num_words).
-- @tparam {{integer,...},...} sequences
-- @tparam[opt="binary"] string mode "binary", "count", "freq" or "tfidf"
function Tokenizer:sequences_to_matrix(sequences, mode)
  local _, documents = self.vocabulary:size()
  local frequency
  if mode == "tfidf" then
    if documents == 0 then error("tfidf needs fit_on_texts first", 0) end
    frequency = self.index_docs
  end
  if type(sequences) == "table" then sequences = native.sequences(sequences) end
  return sequences:matrix(mode or "binary", self:id_count(), frequency, documents)
end

--- Texts as a bag-of-words matrix.
-- @tparam {string,...} texts
-- @tparam[opt="binary"] string mode as for sequences_to_matrix
-- @tparam[opt] table given `sparse` (false): a sparse matrix (marea.sparse), whose size goes by the
-- words that are there, not by the columns
function Tokenizer:texts_to_matrix(texts, mode, given)
  local read = options.read("texts_to_matrix", given, { sparse = false })
  local sequences = encode(self, texts)
  if not read.sparse then return self:sequences_to_matrix(sequences, mode) end
  return require("marea.text.weighting").keras(self, sequences, mode, self:id_count())
end

--- Ids back to words, joined by one blank; ids without a word become the OOV word or vanish.
function Tokenizer:sequences_to_texts(sequences)
  local words, limit = self.index_word, self.num_words or math.huge
  local texts = {}
  for i, ids in ipairs(sequences) do
    local list = {}
    for _, id in ipairs(ids) do
      list[#list + 1] = id < limit and words[id] or self.oov_token
    end
    texts[i] = table.concat(list, " ")
  end
  return texts
end

-- Tables for reading, made when they are asked for ------------------------------------------------

local function make_tables(self)
  local words, counts, documents, ranks = self.vocabulary:words()
  local shift = self.oov_token and 1 or 0
  local tables = { word_index = {}, index_word = {}, word_counts = {}, word_docs = {},
    index_docs = {} }
  if self.oov_token then
    tables.word_index[self.oov_token], tables.index_word[1] = 1, self.oov_token
  end
  for i, word in ipairs(words) do
    local id = ranks[i] + shift
    if tables.word_index[word] == nil then tables.word_index[word] = id end
    tables.index_word[id] = word
    tables.word_counts[word], tables.word_docs[word] = counts[i], documents[i]
    tables.index_docs[id] = documents[i]
  end
  return tables
end

local lazy = { word_index = true, index_word = true, word_counts = true, word_docs = true,
  index_docs = true }

function Tokenizer.__index(self, name)
  if lazy[name] then
    local tables = rawget(self, "tables") or make_tables(self)
    rawset(self, "tables", tables)
    return tables[name]
  end
  if name == "document_count" then
    local _, documents = self.vocabulary:size()
    return documents
  end
  return Tokenizer[name]
end

-- Saving ------------------------------------------------------------------------------------------

--- Everything that rebuilds the tokenizer, for JSON.
function Tokenizer:get_config()
  local words, counts, documents = self.vocabulary:words()
  local _, document_count = self.vocabulary:size()
  return { num_words = self.num_words, filters = self.filters, lower = self.lower,
    split = self.split, char_level = self.char_level, oov_token = self.oov_token,
    words = json.array(words), counts = json.array(counts), documents = json.array(documents),
    document_count = document_count, hash = self.vocabulary:hash() }
end

--- The tokenizer of a config.
-- @raise when the config is malformed or its words do not give its hash
function Tokenizer.from_config(config)
  if type(config) ~= "table" or type(config.words) ~= "table" then
    error("tokenizer: malformed description", 0)
  end
  local self = Tokenizer{ num_words = config.num_words, filters = config.filters,
    lower = config.lower, split = config.split, char_level = config.char_level,
    oov_token = config.oov_token }
  self.vocabulary:restore(config.words, config.counts, config.documents, config.document_count)
  self.vocabulary:rank{}
  if config.hash ~= nil and config.hash ~= self.vocabulary:hash() then
    error("tokenizer: the vocabulary does not match its hash; the file was changed", 0)
  end
  return self
end

--- The tokenizer as JSON in Keras's format.
function Tokenizer:to_json()
  local index_word, index_docs = {}, {}
  for id, word in pairs(self.index_word) do index_word[tostring(id)] = word end
  for id, count in pairs(self.index_docs) do index_docs[tostring(id)] = count end
  return json.encode{ class_name = "Tokenizer", config = {
    num_words = self.num_words, filters = self.filters, lower = self.lower, split = self.split,
    char_level = self.char_level, oov_token = self.oov_token,
    document_count = self.document_count,
    word_counts = json.encode(self.word_counts), word_docs = json.encode(self.word_docs),
    word_index = json.encode(self.word_index), index_word = json.encode(index_word),
    index_docs = json.encode(index_docs),
  } }
end

-- A field of Keras's config that is an object written as JSON within JSON: word → whole number.
local function numbers_of(config, name, default)
  local field = config[name] == nil and default or config[name]
  local map = type(field) == "string" and json.decode(field)
  if type(map) ~= "table" then
    error(("tokenizer: config.%s must be a JSON object in a string"):format(name), 0)
  end
  for word, number in pairs(map) do
    if type(word) ~= "string" or math.type(number) ~= "integer" then
      error(("tokenizer: config.%s must have words and whole numbers"):format(name), 0)
    end
  end
  return map
end

local function from_keras(outer)
  local config = type(outer) == "table" and outer.config
  if type(config) ~= "table" then
    error("tokenizer: expected an object with class_name and config, as Keras writes it", 0)
  end
  local index = numbers_of(config, "word_index")
  local counts, documents = numbers_of(config, "word_counts", "{}"),
    numbers_of(config, "word_docs", "{}")
  local words, word_counts, word_documents = {}, {}, {}
  for word in pairs(index) do
    if word ~= config.oov_token or counts[word] then words[#words + 1] = word end
  end
  table.sort(words, function(a, b)
    if index[a] ~= index[b] then return index[a] < index[b] end
    return a < b
  end)
  for i, word in ipairs(words) do
    word_counts[i], word_documents[i] = counts[word] or 0, documents[word] or 0
  end
  return Tokenizer.from_config{ num_words = config.num_words, filters = config.filters,
    lower = config.lower, split = config.split, char_level = config.char_level,
    oov_token = config.oov_token, words = words, counts = word_counts, documents = word_documents,
    document_count = config.document_count or 0 }
end

--- A tokenizer from Keras's JSON; nil and a message when it is malformed.
-- Words are taken in the order of their ids, so that ties stay as they were.
function Tokenizer.from_json(source)
  local outer, message = json.decode(source)
  if message then return nil, message end
  local ok, result = pcall(from_keras, outer)
  if not ok then return nil, result end
  return result
end

return Tokenizer
