--- Texts as numbers: bags of words (counts, frequencies, tf-idf), hashing, one-hot.
--
--     local encodings = marea.text.encodings
--     local x = encodings.matrix(texts, { tokenizer = tokenizer, scheme = "tfidf", rule = "sklearn" })
--     local x, report = encodings.hashing(texts, { columns = 2^18 })
--     print(encodings.one_hot_report(tokenizer, sequences).text)
--
-- Bags of words come as sparse matrices (marea.sparse), which nn.Dense takes as they are.
-- @module marea.text.encodings
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weighting = require "marea.text.weighting"
require "marea.sparse"

local encodings = {}

encodings.Tfidf = weighting.Tfidf

local schemes = { "binary", "count", "freq", "tfidf" }

--- A matrix (N, V) of documents by words.
--
-- | rule | tf-idf | norm | first column |
-- |---|---|---|---|
-- | keras | (1 + ln c) ln(1 + N/(1 + df)) | none | id 0, always empty |
-- | textvectorization | c ln(1 + N/(1 + df)); the OOV word: the mean of the others' | none | id 1 |
-- | sklearn | c (ln((1 + N)/(1 + df)) + 1) | L2 | id 1 |
-- | gensim | c log2(N/df) | L2 | id 1 |
--
-- c is the word's count in the document, N the number of documents, df how many of them have the
-- word. With a tokenizer N and df are those of its fit; without, those of the data themselves (use
-- Tfidf to weigh new documents as the old ones were).
-- @tparam {string,...}|{{integer,...},...}|tensor|sparse x texts (which need `tokenizer`), lists of
-- ids, an int32 tensor (N,T) of ids padded with 0, or counts
-- @tparam[opt] table given `scheme` "binary", "count", "freq" (c / length) or "tfidf"; `rule`
-- "keras"; `sparse` true; `tokenizer`; `columns` (V; default: the tokenizer's or the highest id's),
-- `norm` "l1", "l2", "max" or "none" (the rule's), `first_id` (the id in the first column); and
-- Tfidf's options
-- @treturn sparse|tensor
-- @raise for texts without a tokenizer, or options that the rule does not have
function encodings.matrix(x, given)
  given = given or {}
  if type(given) ~= "table" then
    error("encodings.matrix: the second argument is a table of options, got " .. options.show(given),
      0)
  end
  local scheme = options.choice("encodings.matrix", "scheme", given.scheme or "binary", schemes)
  local rest = {}
  for name, value in pairs(given) do rest[name] = value end
  rest.scheme = nil
  if scheme ~= "tfidf" then return weighting.plain(x, scheme, rest) end
  local tfidf = weighting.Tfidf(rest)
  if tfidf.tokenizer then
    tfidf:fit_tokenizer()
    return tfidf:transform(x)
  end
  return tfidf:fit_transform(x)
end

-- Hashing -----------------------------------------------------------------------------------------

-- What each rule does when nothing is said.
local hash_rules = {
  marea = { signed = true, norm = "l2" },
  sklearn = { signed = true, norm = "l2" },
  keras = { signed = false, norm = "none" },
}

-- The columns of the words by id (below `first` are no words), and how many different ones there are.
local function hash_words(reader, first, read)
  local words, used, count = {}, {}, 0
  for id = 0, reader:id_count() - 1 do words[id + 1] = id >= first and reader:word_of(id) or "" end
  local to = native.hash_columns(words, read.rule, read.columns, read.seed, read.signed)
  for place, column in ipairs(to:totable()) do
    if column < 0 then column = ~column end
    if place > first and not used[column] then used[column], count = true, count + 1 end
  end
  return to, count
end

-- Words that meet one already there when `words` balls fall into `columns` boxes.
local function expected_collisions(words, columns)
  return words - columns * (1 - (1 - 1 / columns) ^ words)
end

-- A reader that was fitted on the texts, and the id of its first word.
local function cut_with(read, texts)
  local text = require "marea.text"
  if read.pipeline == nil then
    local tokenizer = text.Tokenizer(read.tokenizer)
    tokenizer:fit_on_texts(texts)
    return tokenizer, 1
  elseif read.tokenizer ~= nil then
    error("hashing: give tokenizer or pipeline, not both", 0)
  end
  local pipeline = text.Pipeline(read.pipeline)
  pipeline:fit(texts)
  return pipeline, pipeline:id_count() - #pipeline.vocabulary
end

--- Texts as a matrix (N, columns) without a vocabulary to keep: a hash of the word picks the column
-- (Weinberger et al., 2009). The hash is the same in every process and on every machine. Words that
-- meet in a column cannot be told apart; with `signed` half of them subtract, so that sums stay
-- unbiased.
-- @tparam {string,...} texts (or lists of words)
-- @tparam[opt] table given `columns` 2^18, `seed` 0, `rule`: "marea" (64 bits), "sklearn"
-- (MurmurHash3 as in HashingVectorizer) or "keras" (1 + md5 mod (columns - 1), column 0 stays
-- empty); `signed` (true; keras: false), `norm` ("l2"; keras: "none"), `sparse` true, `tokenizer` or
-- `pipeline`: options of the text.Tokenizer (default) or text.Pipeline that cuts the texts
-- @treturn sparse|tensor
-- @treturn table report: words (different ones), columns, used (columns with a word), collisions
-- (words that share the column of another: words - used) and expected_collisions (for a perfect
-- hash)
function encodings.hashing(texts, given)
  local read = options.read("hashing", given, { columns = 2 ^ 18, seed = 0, rule = "marea",
    signed = options.optional, norm = options.optional, sparse = true,
    tokenizer = options.optional, pipeline = options.optional })
  local names = { "marea", "sklearn", "keras" }
  local rule = hash_rules[options.choice("hashing", "rule", read.rule, names)]
  local reserved = read.rule == "keras" and 1 or 0
  read.columns = options.integer("hashing", "columns", read.columns, 1 + reserved)
  read.seed = options.integer("hashing", "seed", read.seed, 0)
  if read.signed == nil then read.signed = rule.signed end
  options.boolean("hashing", "signed", read.signed)
  local norm = weighting.norm("hashing", read.norm or rule.norm)
  local reader, first = cut_with(read, texts)
  local to, used = hash_words(reader, first, read)
  local counts = native.sparse_counts(reader:encode_sequences(texts), 0, reader:id_count())
  local x = counts:remap(to, read.columns):scale(nil, nil, norm)
  local words, places = reader:id_count() - first, read.columns - reserved
  return read.sparse and x or x:todense(), { words = words, columns = read.columns, used = used,
    collisions = words - used, expected_collisions = expected_collisions(words, places) }
end

-- One-hot -----------------------------------------------------------------------------------------

local function padded(ids, given)
  if ops.is_tensor(ids) then return ops.as_ids(ids) end
  if type(ids) == "table" and type(ids[1]) == "number" then
    return ops.tensor(ids, { dtype = "int32" })
  end
  return (require("marea.sequence").pad_sequences(ids, { maxlen = given.maxlen,
    padding = given.padding, truncating = given.truncating }))
end

local OneHot = {}
OneHot.__index = OneHot

--- One-hot vectors that are never written down: the ids and their number. Multiplying by a matrix,
-- which for a one-hot vector only picks a row, is done as just that.
--
--     local x = encodings.OneHot(sequences, 10000)
--     local y = x:matmul(w)      -- (N, T, 10000) times (10000, U) → (N, T, U), with w's gradient
--
-- An id 0 is padding: its vector is all zeros. Methods: `shape()`, `matmul(w)`, `todense()`,
-- `bytes()`.
-- @tparam {{integer,...},...}|tensor ids lists, padded to the longest; or int32 of any shape
-- @tparam integer depth ids are 0 … depth-1
-- @tparam[opt] table given `maxlen`, `padding` and `truncating` ("post"), as in pad_sequences
function encodings.OneHot(ids, depth, given)
  local read = options.read("OneHot", given, { maxlen = options.optional, padding = "post",
    truncating = "post" })
  depth = options.integer("OneHot", "depth", depth)
  ids = padded(ids, read)
  if ids:count() > 0 then
    local flat = ops.as_real(ids:reshape{ -1 })
    local low, high = ops.min(flat):item(), ops.max(flat):item()
    if low < 0 or high >= depth then
      error(("OneHot: an id is %d, allowed are 0 to %d"):format(low < 0 and low or high, depth - 1),
        0)
    end
  end
  return setmetatable({ ids = ids, depth = depth }, OneHot)
end

function OneHot:shape()
  local shape = self.ids:shape()
  shape[#shape + 1] = self.depth
  return shape
end

-- 1 for words, 0 for padding, with one axis more than the ids.
local function presence(self)
  local shape = self.ids:shape()
  shape[#shape + 1] = 1
  return ops.not_zero(self.ids):reshape(shape)
end

function OneHot:matmul(w)
  return ops.embedding(w, self.ids) * presence(self)
end

function OneHot:todense()
  return ops.one_hot(self.ids, self.depth) * presence(self)
end

--- Bytes of the ids, which is all that is kept.
function OneHot:bytes()
  return 4 * self.ids:count()
end

function OneHot:__tostring()
  return ("one-hot (%s), kept as ids"):format(table.concat(self:shape(), ", "))
end

--- One-hot vectors written out: (N, T, depth) for lists of ids. Words or characters, as the
-- tokenizer has cut the texts. An id 0, padding, is all zeros.
-- @tparam {{integer,...},...}|tensor ids
-- @tparam integer depth ids are 0 … depth-1
-- @tparam[opt] table given as for OneHot
-- @treturn tensor
function encodings.one_hot(ids, depth, given)
  return encodings.OneHot(ids, depth, given):todense()
end

encodings.one_hot_report = require "marea.text.one_hot_report"

return encodings
