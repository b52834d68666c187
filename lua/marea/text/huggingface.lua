--- Hugging Face's tokenizer.json: read and written.
--
--     local tokenizer = huggingface.load("tokenizer.json")  -- a SubwordTokenizer; nil, message
--     local ids = tokenizer:encode{ "Hola, ¿qué tal?" }
--     huggingface.write(tokenizer, "copy/tokenizer.json")
--
-- Ids are those of the file, which count from 0. What a file asks for and Marea does not have is
-- refused with its name and its place, as in `pre_tokenizer.pretokenizers[1]: "UnicodeScripts" is
-- not supported` (places in lists count from 0, as in the file's own language). Padding is read into
-- the tokenizer's `padding`, which texts_to_padded uses; encode does not pad.
-- @module marea.text.huggingface
local json = require "marea.json"
local native = require "marea.native"
local parts = require "marea.text.huggingface_parts"
local subword = require "marea.text.subword"
local SubwordTokenizer = require "marea.text.subword_tokenizer"

local huggingface = {}

local need, refuse = parts.need, parts.refuse

-- ---- models --------------------------------------------------------------------------------------

-- An object piece → id as two lists, by id.
local function read_vocab(vocab, place)
  local pieces, ids = {}, {}
  for piece, id in pairs(vocab) do
    if math.type(id) ~= "integer" or id < 0 or id > 0x7fffffff then
      refuse(("%s[%q]"):format(place, piece), ("the id is %s, expected a whole number from 0 to %d")
        :format(tostring(id), 0x7fffffff))
    end
    pieces[#pieces + 1] = piece
  end
  table.sort(pieces, function(a, b)
    if vocab[a] ~= vocab[b] then return vocab[a] < vocab[b] end
    return a < b
  end)
  for i, piece in ipairs(pieces) do ids[i] = vocab[piece] end
  return pieces, ids
end

-- Pairs of pieces: { "a", "b" } or, in older files, "a b".
local function read_merges(merges, place)
  local left, right = {}, {}
  for i, merge in ipairs(merges) do
    local a, b
    if type(merge) == "string" then a, b = merge:match("^([^ ]+) ([^ ]+)$")
    elseif type(merge) == "table" and #merge == 2 then a, b = merge[1], merge[2] end
    if type(a) ~= "string" or type(b) ~= "string" then
      refuse(("%s[%d]"):format(place, i - 1), "expected two pieces")
    end
    left[i], right[i] = a, b
  end
  return left, right
end

local function read_bpe(model, bytes)
  local pieces, ids = read_vocab(need(model, "vocab", "table", "model"), "model.vocab")
  local left, right = read_merges(need(model, "merges", "table", "model"), "model.merges")
  return subword.new{ kind = "bpe", byte_level = bytes, pieces = pieces, ids = ids, left = left,
    right = right, unk_token = need(model, "unk_token", "string", "model", false),
    continuing_subword_prefix = need(model, "continuing_subword_prefix", "string", "model", false),
    end_of_word_suffix = need(model, "end_of_word_suffix", "string", "model", false),
    fuse_unk = need(model, "fuse_unk", "boolean", "model", false) or false,
    byte_fallback = need(model, "byte_fallback", "boolean", "model", false) or false,
    ignore_merges = need(model, "ignore_merges", "boolean", "model", false) or false,
    dropout = need(model, "dropout", "number", "model", false) or 0 }
end

local function read_wordpiece(model)
  local pieces, ids = read_vocab(need(model, "vocab", "table", "model"), "model.vocab")
  return subword.new{ kind = "wordpiece", pieces = pieces, ids = ids,
    unk_token = need(model, "unk_token", "string", "model"),
    continuing_subword_prefix = need(model, "continuing_subword_prefix", "string", "model"),
    max_input_chars_per_word = need(model, "max_input_chars_per_word", "number", "model", false)
      or 100 }
end

local function read_unigram(model)
  local pieces, scores = {}, {}
  for i, entry in ipairs(need(model, "vocab", "table", "model")) do
    local place = ("model.vocab[%d]"):format(i - 1)
    if type(entry) ~= "table" or type(entry[1]) ~= "string" or type(entry[2]) ~= "number" then
      refuse(place, "expected a piece and a score")
    end
    pieces[i], scores[i] = entry[1], entry[2]
  end
  local unknown = need(model, "unk_id", "number", "model", false)
  if unknown and not pieces[unknown + 1] then
    refuse("model.unk_id", ("%s, but the vocabulary has %d pieces"):format(tostring(unknown),
      #pieces))
  end
  return subword.new{ kind = "unigram", pieces = pieces, scores = scores,
    unk_token = unknown and pieces[unknown + 1],
    byte_fallback = need(model, "byte_fallback", "boolean", "model", false) or false }
end

-- Files of older versions do not name the kind of their model.
local function kind_of(model)
  if model.type ~= nil then return need(model, "type", "string", "model") end
  if model.merges then return "BPE" end
  if type(model.vocab) == "table" and #model.vocab > 0 then return "Unigram" end
  return model.continuing_subword_prefix and "WordPiece" or "WordLevel"
end

local function read_model(model, bytes)
  local kind = kind_of(model)
  if bytes and kind ~= "BPE" then refuse("model", ("ByteLevel with %q is not supported"):format(kind))
  end
  if kind == "BPE" then return read_bpe(model, bytes) end
  if kind == "WordPiece" then return read_wordpiece(model) end
  if kind == "Unigram" then return read_unigram(model) end
  refuse("model", ("%q is not supported"):format(kind))
end

-- ---- the rest ------------------------------------------------------------------------------------

local function read_added(list)
  local added = {}
  for i, token in ipairs(list or {}) do
    local place = ("added_tokens[%d]"):format(i - 1)
    if type(token) ~= "table" then refuse(place, "expected an object") end
    added[i] = { id = need(token, "id", "number", place),
      content = need(token, "content", "string", place) }
    for _, name in ipairs{ "special", "single_word", "lstrip", "rstrip", "normalized" } do
      added[i][name] = need(token, name, "boolean", place, false) or false
    end
  end
  return added
end

local function read_truncation(truncation)
  if truncation == nil then return nil end
  local direction = need(truncation, "direction", "string", "truncation", false) or "Right"
  if direction ~= "Right" then
    refuse("truncation.direction", ("%q is not supported"):format(direction))
  end
  return need(truncation, "max_length", "number", "truncation")
end

local function read_padding(padding)
  if padding == nil then return nil end
  local strategy = padding.strategy
  local length = type(strategy) == "table" and strategy.Fixed or nil
  local direction = need(padding, "direction", "string", "padding", false) or "Right"
  return { pad_id = need(padding, "pad_id", "number", "padding"), length = length,
    direction = direction == "Left" and "left" or "right" }
end

local function describe(file)
  if type(file) ~= "table" then refuse("the file", "expected an object") end
  local normalize = parts.read_normalizer(file.normalizer, "normalizer")
  local split, bytes = parts.read_pre_tokenizer(file.pre_tokenizer)
  local before, after, trim = parts.read_post_processor(file.post_processor)
  local decoder = parts.read_decoder(file.decoder, "decoder")
  return { normalize = normalize, split = split, decoder = decoder, before = before, after = after,
    trim = trim, added = read_added(need(file, "added_tokens", "table", nil, false)),
    max_length = read_truncation(need(file, "truncation", "table", nil, false)),
    padding = read_padding(need(file, "padding", "table", nil, false)),
    model = read_model(need(file, "model", "table", nil), bytes) }
end

-- The result of f, or nil and the message of the error that it raised.
local function guarded(path, f, ...)
  local ok, result = pcall(f, ...)
  if ok then return result end
  return nil, ('"%s": %s'):format(path, tostring(result))
end

local function read_json(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local content = file:read("a")
  file:close()
  if not content then return nil, ('"%s" cannot be read'):format(path) end
  local value
  value, message = json.decode(content)
  if value == nil then return nil, ('"%s": %s'):format(path, message or "it holds null") end
  return value
end

--- What a tokenizer.json describes, in the options of a SubwordTokenizer: normalize, split, decoder,
-- added, before, after, trim, max_length, padding and the model.
-- @tparam string path
-- @treturn table, or nil and a message
function huggingface.read(path)
  local file, message = read_json(path)
  if file == nil then return nil, message end
  return guarded(path, describe, file)
end

--- The tokenizer of a tokenizer.json.
-- @tparam string path
-- @treturn SubwordTokenizer, or nil and a message
function huggingface.load(path)
  local description, message = huggingface.read(path)
  if not description then return nil, message end
  return guarded(path, SubwordTokenizer, description)
end

-- ---- writing -------------------------------------------------------------------------------------

-- jansson has no NUL in keys, so a piece with one has no place in an object.
local function vocab_object(model)
  local pieces, ids = model.native:pieces()
  local vocab = {}
  for i, piece in ipairs(pieces) do
    if piece:find("\0", 1, true) then
      refuse("model.vocab", ("the piece %q holds a NUL byte"):format(piece))
    end
    vocab[piece] = ids[i]
  end
  return vocab
end

local function write_bpe(model)
  local o, merges = model.options, {}
  local left, right = model.native:merges()
  for i = 1, #left do merges[i] = { left[i], right[i] } end
  return { type = "BPE", dropout = o.dropout > 0 and o.dropout or nil, unk_token = o.unk_token,
    continuing_subword_prefix = o.continuing_subword_prefix,
    end_of_word_suffix = o.end_of_word_suffix, fuse_unk = o.fuse_unk,
    byte_fallback = o.byte_fallback, ignore_merges = o.ignore_merges, vocab = vocab_object(model),
    merges = json.array(merges) }
end

local function write_wordpiece(model)
  local o = model.options
  return { type = "WordPiece", unk_token = o.unk_token,
    continuing_subword_prefix = o.continuing_subword_prefix,
    max_input_chars_per_word = o.max_input_chars_per_word, vocab = vocab_object(model) }
end

-- Unigram's ids are places in a list, so there must be no gaps.
local function write_unigram(model)
  local o, vocab = model.options, {}
  local pieces, ids, scores = model.native:pieces()
  for i, piece in ipairs(pieces) do
    if ids[i] ~= i - 1 then
      refuse("model.vocab", ("the ids of a Unigram model must be 0, 1, 2 …, but there is no %d")
        :format(i - 1))
    end
    vocab[i] = { piece, scores[i] }
  end
  return { type = "Unigram", unk_id = o.unk_token and model:id(o.unk_token),
    byte_fallback = o.byte_fallback, vocab = json.array(vocab) }
end

local model_writers = { bpe = write_bpe, wordpiece = write_wordpiece, unigram = write_unigram }

local function write_added(list)
  local sorted = {}
  for i, token in ipairs(list) do
    sorted[i] = {}
    for name, value in pairs(token) do sorted[i][name] = value end
  end
  table.sort(sorted, function(a, b) return a.id < b.id end)
  return json.array(sorted)
end

local function write_padding(padding)
  if not padding then return nil end
  return { strategy = padding.length and { Fixed = padding.length } or "BatchLongest",
    direction = padding.direction == "left" and "Left" or "Right", pad_id = padding.pad_id,
    pad_type_id = 0, pad_token = padding.pad_token or "[PAD]" }
end

--- A tokenizer as the object that a tokenizer.json holds.
-- @tparam SubwordTokenizer tokenizer with a model
-- @treturn table
-- @raise naming the stage that Hugging Face's tokenizers do not have
function huggingface.describe(tokenizer)
  if not tokenizer.model then error("huggingface: the tokenizer has no model yet", 0) end
  local truncation = tokenizer.max_length and { max_length = tokenizer.max_length,
    direction = "Right", strategy = "LongestFirst", stride = 0 }
  return { version = "1.0", truncation = truncation, padding = write_padding(tokenizer.padding),
    added_tokens = write_added(tokenizer.added),
    normalizer = parts.write_normalizer(tokenizer.normalize),
    pre_tokenizer = parts.write_pre_tokenizer(tokenizer.split),
    post_processor = parts.write_post_processor(tokenizer),
    decoder = parts.write_decoder(tokenizer.decoder),
    model = model_writers[tokenizer.model.options.kind](tokenizer.model) }
end

--- Writes a tokenizer as tokenizer.json.
-- @tparam SubwordTokenizer tokenizer
-- @tparam string path
-- @treturn true, or nil and a message
-- @raise naming the stage that Hugging Face's tokenizers do not have
function huggingface.write(tokenizer, path)
  return native.write_file(path, json.encode(huggingface.describe(tokenizer)))
end

return huggingface
