--- Sub-word models: words cut into pieces of a vocabulary.
--
--     local model = subword.train{ kind = "bpe", words = pipeline.vocabulary, vocab_size = 8000 }
--     local ids, first, last = model:encode_word("película")
--     print(model:token(ids[1]), model:id("pel"), model:size())
--
-- Kinds: "bpe" (merges of neighbours; Sennrich, Haddow & Birch, 2016; with byte_level = true of
-- bytes, Radford et al., 2019), "wordpiece" (the longest piece from the left; Schuster & Nakajima,
-- 2012), "unigram" (the most probable pieces; Kudo, 2018). The same words give the merges and ids
-- of Hugging Face's trainers. Texts are the business of marea.text.subword_tokenizer.
-- @module marea.text.subword
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"

local subword = {}

local Subword = {}
Subword.__index = Subword
subword.Subword = Subword

-- Options of a model; the names are those of Hugging Face.
local model_options = {
  kind = options.required, byte_level = false, unk_token = options.optional,
  continuing_subword_prefix = options.optional, end_of_word_suffix = options.optional,
  fuse_unk = false, byte_fallback = false, ignore_merges = false, dropout = 0,
  max_input_chars_per_word = 100,
}

local function with(declared, more)
  local all = {}
  for name, default in pairs(declared) do all[name] = default end
  for name, default in pairs(more) do all[name] = default end
  return all
end

local strings = { "unk_token", "continuing_subword_prefix", "end_of_word_suffix" }
local flags = { "byte_level", "fuse_unk", "byte_fallback", "ignore_merges" }

-- The checked options of a model, and what the core takes.
local function read_model_options(who, given)
  local kept = {}
  for name in pairs(model_options) do kept[name] = given[name] end
  options.choice(who, "kind", kept.kind, { "bpe", "wordpiece", "unigram" })
  for _, name in ipairs(strings) do
    if kept[name] ~= nil and type(kept[name]) ~= "string" then
      error(("%s: %s must be a string, got %s"):format(who, name, options.show(kept[name])), 0)
    end
  end
  for _, name in ipairs(flags) do options.boolean(who, name, kept[name]) end
  if type(kept.dropout) ~= "number" or not (kept.dropout >= 0 and kept.dropout <= 1) then
    error(("%s: dropout must be a number from 0 to 1, got %s"):format(who,
      options.show(kept.dropout)), 0)
  end
  options.integer(who, "max_input_chars_per_word", kept.max_input_chars_per_word)
  if kept.kind == "wordpiece" then
    kept.unk_token = kept.unk_token or "[UNK]"
    kept.continuing_subword_prefix = kept.continuing_subword_prefix or "##"
  end
  local core = { kind = kept.kind, byte_level = kept.byte_level, unknown = kept.unk_token,
    prefix = kept.continuing_subword_prefix, suffix = kept.end_of_word_suffix,
    fuse_unknown = kept.fuse_unk, byte_fallback = kept.byte_fallback,
    ignore_merges = kept.ignore_merges, dropout = kept.dropout,
    max_characters = kept.max_input_chars_per_word }
  return kept, core
end

local function wrap(kept, model)
  return setmetatable({ options = kept, native = model }, Subword)
end

--- A model of given pieces.
-- @tparam table given `kind`, `pieces` (list of strings), `ids` (of the pieces; default 0, 1, 2 …),
-- `scores` (unigram: log probabilities), `left` and `right` (bpe: the pieces of each merge, in the
-- order of their ranks), and the options of a model: `byte_level`, `unk_token`,
-- `continuing_subword_prefix`, `end_of_word_suffix`, `fuse_unk`, `byte_fallback`, `ignore_merges`,
-- `dropout` (0 to 1), `max_input_chars_per_word` (wordpiece: 100)
-- @raise for contradictions: a merge of unknown pieces, two pieces under one id, …
function subword.new(given)
  local read = options.read("subword", given, with(model_options, { pieces = options.required,
    ids = options.optional, scores = options.optional, left = options.optional,
    right = options.optional }))
  if type(read.pieces) ~= "table" then
    error("subword: pieces must be a list of strings, got " .. options.show(read.pieces), 0)
  end
  local kept, core = read_model_options("subword", read)
  local ids = read.ids
  if ids == nil then
    ids = {}
    for i = 1, #read.pieces do ids[i] = i - 1 end
  end
  if read.kind == "unigram" and read.scores == nil then
    error("subword: a unigram model needs scores", 0)
  end
  local model = native.subword(core, read.pieces, ids, read.scores, read.left, read.right)
  return wrap(kept, model)
end

-- Counts of words in any form, as the core's table.
local function counts_of(words)
  if type(words) == "userdata" then return words end
  if type(words) ~= "table" then
    error("subword.train: words must be a vocabulary, a list of words or a table word → count, got "
      .. options.show(words), 0)
  end
  if type(words.native) == "userdata" then return words.native end
  if type(words.vocabulary) == "table" then return words.vocabulary.native end
  local vocabulary = native.vocabulary()
  if #words > 0 then
    vocabulary:count_words(words)
    return vocabulary
  end
  local sorted = {}
  for word, count in pairs(words) do
    if type(word) ~= "string" or math.type(count) ~= "integer" or count < 0 then
      error(("subword.train: words: %s = %s, expected a string and a whole number"):format(
        options.show(word), options.show(count)), 0)
    end
    sorted[#sorted + 1] = word
  end
  table.sort(sorted)
  for _, word in ipairs(sorted) do vocabulary:add(word, words[word], 0) end
  return vocabulary
end

local training_options = {
  words = options.required, vocab_size = options.optional, min_frequency = 0, special_tokens = {},
  limit_alphabet = options.optional, initial_alphabet = options.optional,
  max_token_length = options.optional, max_piece_length = options.optional,
  seed_size = options.optional, n_sub_iterations = options.optional,
  shrinking_factor = options.optional,
}

subword.training_options = training_options
subword.model_options = model_options

-- GPT-2's 256 characters.
local function byte_alphabet()
  local list, moved = {}, 0
  for byte = 0, 255 do
    local itself = (byte >= 33 and byte <= 126) or (byte >= 161 and byte <= 172) or byte >= 174
    list[#list + 1] = utf8.char(itself and byte or 256 + moved)
    if not itself then moved = moved + 1 end
  end
  return table.concat(list)
end

local function alphabet_of(read)
  local given = read.initial_alphabet
  if type(given) == "table" then given = table.concat(given) end
  if given ~= nil and type(given) ~= "string" then
    error("subword.train: initial_alphabet must be a string or a list of characters, got "
      .. options.show(given), 0)
  end
  return given or (read.byte_level and byte_alphabet() or nil)
end

local function size_option(name, value, low)
  return value and options.integer("subword.train", name, value, low) or nil
end

--- Trains a model.
-- @tparam table given `kind`; `words`: a vocabulary with counts, a pipeline, a list of words or a
-- table word → count; `vocab_size` (30000; unigram: 8000): pieces, special tokens included;
-- `special_tokens`: strings that get the first ids; bpe and wordpiece: `min_frequency` of a merge,
-- `limit_alphabet` (the most frequent characters only), `initial_alphabet` (characters that are
-- pieces in any case; byte_level: all bytes), `max_token_length`; unigram: `max_piece_length` (16),
-- `seed_size` (1,000,000), `n_sub_iterations` (2), `shrinking_factor` (0.75); and the options of a
-- model as for subword.new
-- @treturn Subword
-- @raise when vocab_size is too small for the characters, a word is no UTF-8, …
function subword.train(given)
  local read = options.read("subword.train", given, with(model_options, training_options))
  local kept, core = read_model_options("subword.train", read)
  local model = native.subword_train(counts_of(read.words), core, {
    vocab_size = size_option("vocab_size", read.vocab_size) or
      (read.kind == "unigram" and 8000 or 30000),
    min_frequency = size_option("min_frequency", read.min_frequency, 0),
    special_tokens = read.special_tokens, alphabet = alphabet_of(read),
    limit_alphabet = size_option("limit_alphabet", read.limit_alphabet),
    max_token_length = size_option("max_token_length", read.max_token_length),
    max_piece_length = size_option("max_piece_length", read.max_piece_length),
    seed_size = size_option("seed_size", read.seed_size),
    sub_iterations = size_option("n_sub_iterations", read.n_sub_iterations),
    shrinking_factor = read.shrinking_factor,
  })
  return wrap(kept, model)
end

--- The pieces of one word.
-- @tparam string word for a byte-level model the raw bytes
-- @tparam[opt] table given `seed`: turns the model's dropout on
-- @treturn {integer,...} ids
-- @treturn {integer,...} first byte of each piece in the word, from 1
-- @treturn {integer,...} last byte
function Subword:encode_word(word, given)
  local read = options.read("encode_word", given, { seed = options.optional })
  return self.native:encode(word, read.seed)
end

--- The pieces of ids, one after the other, without any decoding.
-- @raise for an id without a piece
function Subword:pieces_of(ids)
  local list = {}
  for i, id in ipairs(ids) do
    list[i] = self.native:piece(id)
      or error(("decode: id %s at place %d has no piece"):format(tostring(id), i), 0)
  end
  return list
end

-- What turns a word's pieces back into the word.
local function word_decoder(self)
  local o, steps = self.options, {}
  if o.byte_level then steps = { { kind = "byte_level" } } end
  if o.byte_fallback then steps = { { kind = "byte_fallback" } } end
  if o.kind == "wordpiece" then
    steps = { { kind = "wordpiece", from = o.continuing_subword_prefix, flag = false } }
  end
  if (o.end_of_word_suffix or "") ~= "" then
    steps[#steps + 1] = { kind = "suffix", from = o.end_of_word_suffix }
  end
  steps[#steps + 1] = { kind = "fuse" }
  return native.decoder(steps)
end

--- The text of ids: the reverse of encode_word.
-- @raise for an id without a piece
function Subword:decode(ids)
  self.decoder = self.decoder or word_decoder(self)
  return self.decoder:decode(self:pieces_of(ids))
end

--- Number of pieces.
function Subword:size()
  return self.native:size()
end

--- The piece of an id, spelt as in the vocabulary; nil for an id without one.
function Subword:token(id)
  return self.native:piece(id)
end

--- The id of a piece; nil for what is none.
function Subword:id(token)
  return self.native:id(token)
end

--- Counters of encode_word since the model was made: words, tokens, unknown, dropped.
function Subword:report()
  return self.native:report()
end

--- Everything that rebuilds the model, for JSON.
function Subword:get_config()
  local config = { class = "Subword" }
  for name, value in pairs(self.options) do config[name] = value end
  local pieces, ids, scores = self.native:pieces()
  config.pieces, config.ids = json.array(pieces), json.array(ids)
  if self.options.kind == "unigram" then config.scores = json.array(scores) end
  if self.options.kind == "bpe" then
    local left, right = self.native:merges()
    config.left, config.right = json.array(left), json.array(right)
  end
  return config
end

--- The model of a config.
-- @raise when it is malformed
function Subword.from_config(config)
  if type(config) ~= "table" or type(config.pieces) ~= "table" then
    error("subword: malformed description", 0)
  end
  local given = {}
  for name, value in pairs(config) do
    if name ~= "class" then given[name] = value end
  end
  return subword.new(given)
end

subword.from_config = Subword.from_config

function Subword:__tostring()
  local o = self.options
  return ("%s%s model of %d pieces"):format(o.kind, o.byte_level and " (bytes)" or "", self:size())
end

return subword
