--- Bags of words and their weights; see marea.text.encodings.
-- @module marea.text.weighting
local json = require "marea.json"
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local weighting = {}

-- tf, idf, norm and the id in the first column, unless told otherwise.
local rules = {
  keras = { tf = "log", idf = "keras", norm = "none", first_id = 0 },
  textvectorization = { tf = "count", idf = "keras", norm = "none", first_id = 1 },
  sklearn = { tf = "count", idf = "sklearn", norm = "l2", first_id = 1 },
  gensim = { tf = "count", idf = "gensim", norm = "l2", first_id = 1 },
}
local rule_names = { "keras", "textvectorization", "sklearn", "gensim" }
local norms = { "none", "l1", "l2", "max" }

--- A norm's name, checked; false means "none".
function weighting.norm(who, norm)
  return options.choice(who, "norm", norm or "none", norms)
end

local common = { rule = "keras", sparse = true, tokenizer = options.optional,
  columns = options.optional, norm = options.optional, first_id = options.optional }

-- The options that every encoding has, with the rule's defaults.
local function settle(who, read)
  local rule = rules[options.choice(who, "rule", read.rule, rule_names)]
  local first = rule.first_id
  if read.tokenizer and first > 0 then first = read.tokenizer:first_word_id() end
  read.first_id = options.integer(who, "first_id", read.first_id or first, 0)
  if read.columns then read.columns = options.integer(who, "columns", read.columns) end
  options.boolean(who, "sparse", read.sparse)
  return rule
end

-- Counting ----------------------------------------------------------------------------------------

local function holds_strings(x)
  for _, item in ipairs(x) do
    if type(item) == "string" then return true end
    if type(item) == "table" and item[1] ~= nil then return type(item[1]) == "string" end
  end
  return false
end

-- The tokenizer's counts start with id 0, which no word has.
local function count_texts(who, x, read)
  if not read.tokenizer then
    error(who .. ": texts need a tokenizer: { tokenizer = … }", 0)
  end
  local counts = native.sparse_counts(read.tokenizer:encode_sequences(x), 0,
    read.tokenizer:id_count())
  local columns = read.columns or counts:size(2) - read.first_id
  local left = counts:size(2) - read.first_id
  if columns == left and read.first_id == 0 then return counts end
  if columns > left or left < 0 then
    error(("%s: columns is %d, the tokenizer has ids for %d"):format(who, columns,
      math.max(left, 0)), 0)
  end
  return counts:narrow(2, read.first_id + 1, columns)
end

-- Counts of ids as a sparse matrix; and, where the first column is id 0, the lengths, which Keras
-- divides by.
local function count(who, x, read)
  if ops.is_sparse(x) then return x end
  if type(x) == "string" then
    error(("%s: expected a list of texts, got a single string; put it in { }"):format(who), 0)
  end
  if type(x) == "table" and holds_strings(x) then return count_texts(who, x, read) end
  if ops.is_tensor(x) then
    x = native.sequences_of(ops.as_ids(x))
  elseif type(x) == "table" then
    x = native.sequences(x)
  elseif type(x) ~= "userdata" then
    error(("%s: expected texts, lists of ids or a sparse matrix, got %s"):format(who,
      options.show(x)), 0)
  end
  local columns = read.columns or math.max(native.highest_id(x) + 1 - read.first_id, 0)
  return native.sparse_counts(x, read.first_id, columns), read.first_id == 0 and x:lengths() or nil
end

--- Binary, count and freq matrices.
function weighting.plain(x, scheme, given)
  local who = "encodings.matrix"
  local read = options.read(who, given, common)
  settle(who, read)
  local counts, lengths = count(who, x, read)
  local norm = weighting.norm(who, read.norm)
  local result = counts
  if scheme ~= "count" or norm ~= "none" then
    result = native.weigh(counts, scheme, nil, norm, scheme == "freq" and lengths or nil)
  end
  return read.sparse and result or result:todense()
end

--- Keras's texts_to_matrix over sequences of ids, sparse.
function weighting.keras(tokenizer, sequences, mode, columns)
  mode = options.choice("texts_to_matrix", "mode", mode or "binary",
    { "binary", "count", "freq", "tfidf" })
  local counts = native.sparse_counts(sequences, 0, columns)
  if mode == "count" then return counts end
  if mode ~= "tfidf" then
    return native.weigh(counts, mode, nil, nil, mode == "freq" and sequences:lengths() or nil)
  end
  local tfidf = weighting.Tfidf{ tokenizer = tokenizer, columns = columns }
  return tfidf:fit_tokenizer():transform(counts)
end

-- Tf-idf ------------------------------------------------------------------------------------------

local Tfidf = { class_name = "Tfidf" }
Tfidf.__index = Tfidf

local declared = setmetatable({ sublinear_tf = options.optional, smooth_idf = options.optional,
  use_idf = options.optional, oov_id = options.optional }, { __index = common })
for name, default in pairs(common) do declared[name] = default end
setmetatable(declared, nil)

local only = { sublinear_tf = "sklearn", smooth_idf = "sklearn", use_idf = "sklearn",
  oov_id = "textvectorization" }

--- Weights that are learnt from some documents and applied to others.
--
--     local tfidf = encodings.Tfidf{ rule = "sklearn", tokenizer = tokenizer }
--     local x = tfidf:fit_transform(train.texts)
--     local x_test = tfidf:transform(test.texts)
--
-- @tparam[opt] table given `rule` "keras", "textvectorization", "sklearn" or "gensim" (formulas:
-- encodings.matrix); `norm`, `columns`, `first_id`, `sparse`, `tokenizer` as there. With rule
-- "sklearn": `sublinear_tf` (false; 1 + ln c instead of c), `smooth_idf` (true; false:
-- ln(N/df) + 1), `use_idf` (true). With rule "textvectorization": `oov_id`, whose idf is the mean of
-- all others (default: the tokenizer's OOV id)
-- @treturn Tfidf
-- @raise for options of another rule
local function new_tfidf(_, given)
  local self = options.read("Tfidf", given, declared)
  local rule = settle("Tfidf", self)
  for name, owner in pairs(only) do
    if self[name] ~= nil and owner ~= self.rule then
      error(("Tfidf: %s belongs to rule %q, the rule is %q"):format(name, owner, self.rule), 0)
    end
  end
  self.given_norm, self.norm = self.norm, weighting.norm("Tfidf", self.norm or rule.norm)
  self.tf = self.sublinear_tf and "log" or rule.tf
  self.idf_rule = self.smooth_idf == false and "sklearn_plain" or rule.idf
  if self.oov_id == nil and self.rule == "textvectorization" and self.tokenizer then
    self.oov_id = self.tokenizer:unknown_id()
  end
  return setmetatable(self, Tfidf)
end

weighting.Tfidf = setmetatable(Tfidf, { __call = new_tfidf })

-- TextVectorization gives the OOV column the mean of the idf of its words.
local function average_oov(self, idf)
  local place = self.oov_id and self.oov_id - self.first_id + 1
  local columns = idf:size(1)
  if not place or place < 1 or place > columns or columns < 2 then return end
  local total = idf:sum():item() - idf:get(place)
  if self.first_id == 0 and place > 1 then -- column 0 is padding, no word
    total, columns = total - idf:get(1), columns - 1
  end
  idf:set(place, columns > 1 and total / (columns - 1) or 0)
end

local function set_frequencies(self, df, documents)
  self.df, self.documents, self.columns = df, documents, df:size(1)
  if self.use_idf ~= false then
    self.idf = native.idf(self.idf_rule, documents, df)
    average_oov(self, self.idf)
  end
  return self
end

--- Learns the number of documents and in how many of them each word is.
-- @param x as for encodings.matrix
-- @treturn Tfidf itself
function Tfidf:fit(x)
  local counts = count("Tfidf", x, self)
  if #counts == 0 then error("Tfidf: there are no documents to fit on", 0) end
  return set_frequencies(self, counts:column_counts(), #counts)
end

--- Takes both from the documents that the tokenizer was fitted on.
function Tfidf:fit_tokenizer()
  local tokenizer = self.tokenizer
  if not tokenizer then error("Tfidf: fit_tokenizer needs a tokenizer", 0) end
  local frequency, documents = tokenizer:document_frequencies()
  if documents == 0 then error("tfidf needs fit_on_texts first", 0) end
  local list, columns = {}, self.columns or tokenizer:id_count() - self.first_id
  for place = 1, columns do list[place] = frequency(place - 1 + self.first_id) end
  return set_frequencies(self, ops.tensor(list, { dtype = "int32" }), documents)
end

--- The weights of documents.
-- @param x as for encodings.matrix
-- @treturn sparse|tensor (N, V)
function Tfidf:transform(x)
  if not self.df then error("Tfidf: transform comes after fit", 0) end
  local counts = count("Tfidf", x, self)
  if counts:size(2) ~= self.columns then
    error(("Tfidf: the counts have %d columns, it was fitted on %d"):format(counts:size(2),
      self.columns), 0)
  end
  local result = native.weigh(counts, self.tf, self.idf, self.norm)
  return self.sparse and result or result:todense()
end

--- fit and transform of the same documents.
function Tfidf:fit_transform(x)
  local counts = count("Tfidf", x, self)
  return self:fit(counts):transform(counts)
end

--- Everything that rebuilds it, for JSON; the tokenizer too.
function Tfidf:get_config()
  return { rule = self.rule, norm = self.given_norm, columns = self.columns,
    first_id = self.first_id, sparse = self.sparse, sublinear_tf = self.sublinear_tf,
    smooth_idf = self.smooth_idf, use_idf = self.use_idf, oov_id = self.oov_id,
    tokenizer = self.tokenizer and self.tokenizer:get_config(), documents = self.documents,
    df = self.df and json.array(self.df:totable()) }
end

--- A Tfidf from its config.
-- @raise when the config is malformed
function Tfidf.from_config(config)
  if type(config) ~= "table" then error("Tfidf: malformed description", 0) end
  local given = {}
  for name, value in pairs(config) do given[name] = value end
  given.df, given.documents = nil, nil
  if given.tokenizer then
    given.tokenizer = require("marea.text.reading").from_config(given.tokenizer)
  end
  local self = Tfidf(given)
  if config.df == nil then return self end
  if type(config.df) ~= "table" or math.type(config.documents) ~= "integer"
    or #config.df ~= config.columns then
    error("Tfidf: malformed description: df and documents do not fit", 0)
  end
  return set_frequencies(self, ops.tensor(config.df, { dtype = "int32" }), config.documents)
end

return weighting
