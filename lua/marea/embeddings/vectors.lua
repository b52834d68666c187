--- The questions that a store of word vectors answers.
--
-- A word that is not in the store is an error that names it, unless the store has the parts of words
-- (fastText): then its vector is made of them. Cosines with a vector of zeros are 0.
-- @module marea.embeddings.vectors
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"
local ops = require "marea.ops"

local Vectors = {}

local function from_core(core)
  local self = setmetatable({ core = core }, Vectors)
  local rows, width = core:size()
  self.rows, self.width = rows, width
  self.type, self.bytes, self.mapped, self.least_part, self.most_part = core:facts()
  local card = select(6, core:facts())
  self.card = card and json.decode(card) or nil
  return self
end

Vectors.from_core = from_core

local function new_vectors(_, given)
  local read = options.read("Vectors", given, { words = options.required, matrix = options.required,
    type = "float32", card = options.optional })
  if type(read.words) ~= "table" then
    error("Vectors: words must be a list, got " .. options.show(read.words), 0)
  end
  options.choice("Vectors", "type", read.type, { "float32", "float16", "int8" })
  local self = from_core(native.vectors(read.words, ops.as_real(read.matrix), read.type))
  self.card = read.card
  return self
end

setmetatable(Vectors, { __call = new_vectors })

function Vectors:__len() return self.rows end

function Vectors:__tostring()
  return ("Vectors: %d words × %d, %s%s%s, %.1f MB in memory"):format(self.rows, self.width,
    self.type, self.mapped and ", mapped" or "",
    self.most_part > 0 and (", parts of %d to %d characters"):format(self.least_part, self.most_part)
      or "", self.bytes / 1e6)
end

-- ---- words and rows ------------------------------------------------------------------------------

--- Whether a word has a row of its own.
function Vectors:has(word) return self.core:find(word) ~= nil end

--- The row of a word, from 1 in the order of the file (usually the most frequent first), or nil.
function Vectors:row(word) return self.core:find(word) end

--- The word of a row, and the length of its vector.
function Vectors:word(row) return self.core:word(row) end

--- The words of rows first … last (default: all).
function Vectors:words(first, last) return self.core:words(first, last) end

local function length_of(x)
  return math.sqrt(math.max((x * x):sum():item(), 0))
end

-- x divided by its length; zeros stay.
local function unit(x)
  local length = length_of(x)
  return length > 0 and x * (1 / length) or x
end

local function unknown(self, word)
  error(("the word %q has no vector (%d words%s)"):format(tostring(word), self.rows,
    self.most_part > 0 and ", and no part of it is known" or ""), 0)
end

--- The vector of a word, as a tensor (D); a tensor is returned as it is.
-- @tparam string|tensor word
-- @tparam[opt] table given `unit = true`: of length 1; `default`: instead of an error
-- @raise for a word without a vector
function Vectors:vector(word, given)
  local read = options.read("vector", given, { unit = false, default = options.optional })
  local x
  if ops.is_tensor(word) then
    x = ops.as_real(word):reshape{ -1 }
    if x:count() ~= self.width then
      error(("vector: expected %d numbers, got %d"):format(self.width, x:count()), 0)
    end
  elseif type(word) ~= "string" then
    error("vector: expected a word or a tensor, got " .. options.show(word), 0)
  else
    local row = self.core:find(word)
    x = row and self.core:rows({ row }):reshape{ -1 } or self.core:subword(word)
    if not x and read.default ~= nil then return read.default end
    if not x then unknown(self, word) end
  end
  return read.unit and unit(x) or x
end

--- The vectors of words as a tensor (n,D); nil gives all rows.
-- @tparam[opt] {string,...} words
-- @tparam[opt] table given `unit = true`: each of length 1
function Vectors:vectors(words, given)
  local read = options.read("vectors", given, { unit = false })
  if words == nil then return self.core:rows(nil, read.unit) end
  local rows = {}
  for i, word in ipairs(words) do
    rows[i] = type(word) == "string" and self.core:find(word) or 0
  end
  local x = self.core:rows(rows, read.unit)
  for i, word in ipairs(words) do
    if rows[i] == 0 then x:narrow(1, i, 1):assign_(self:vector(word, read):reshape{ 1, -1 }) end
  end
  return x
end

-- ---- likeness ------------------------------------------------------------------------------------

local function cosine(a, b)
  local product = length_of(a) * length_of(b)
  if product == 0 then return 0 end
  return math.max(-1, math.min(1, (a * b):sum():item() / product))
end

--- The cosine of two words.
function Vectors:similarity(a, b)
  return cosine(self:vector(a), self:vector(b))
end

--- 1 - similarity.
function Vectors:distance(a, b) return 1 - self:similarity(a, b) end

--- The cosine distances (1 - cosine) from a word to others.
-- @tparam string|tensor word
-- @tparam[opt] {string,...} others default: all words, in their order, as a tensor (V)
-- @treturn {number,...}|tensor
function Vectors:distances(word, others)
  local x = self:vector(word, { unit = true })
  if others == nil then return 1 - self.core:cosines(x) end
  local list = {}
  for i, other in ipairs(others) do list[i] = 1 - cosine(x, self:vector(other)) end
  return list
end

-- The mean of vectors of length 1, of length 1.
local function mean_unit(self, words)
  local x = self:vectors(words, { unit = true })
  return unit(x:mean(1))
end

--- The cosine of the means of two sets of words.
function Vectors:n_similarity(first, second)
  for _, set in ipairs{ first, second } do
    if type(set) ~= "table" or #set == 0 then
      error("n_similarity: expected two lists of words that are not empty", 0)
    end
  end
  return cosine(self:vectors(first):mean(1), self:vectors(second):mean(1))
end

-- ---- neighbours ----------------------------------------------------------------------------------

local function results(self, rows, scores, excluded, topn)
  local list = {}
  for i, row in ipairs(rows) do
    if #list == topn then break end
    if not excluded[row] then
      local word = self.core:word(row)
      list[#list + 1] = { word, scores[i], word = word, score = scores[i], row = row }
    end
  end
  return list
end

-- { "king", { "woman", 0.5 }, tensor } → vectors of length 1 and weights; rows to leave out.
local function read_side(self, name, side, sign, terms, excluded)
  if side == nil then return end
  if type(side) == "string" or ops.is_tensor(side) then side = { side } end
  if type(side) ~= "table" then
    error(("most_similar: %s must be a word or a list, got %s"):format(name, options.show(side)), 0)
  end
  for _, item in ipairs(side) do
    local weight = sign
    if type(item) == "table" then item, weight = item[1], sign * (tonumber(item[2]) or 1) end
    terms[#terms + 1] = { self:vector(item, { unit = true }), weight }
    local row = type(item) == "string" and self.core:find(item)
    if row then excluded[row] = true end
  end
end

local function count_keys(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

local MOST <const> = 65536 -- the longest list that the core keeps

local function restricted(self, who, restrict)
  if restrict == nil then return self.rows end
  return math.min(self.rows, options.integer(who, "restrict_vocab", restrict))
end

local function search_best(self, topn, excluded)
  return math.max(1, math.min(topn + count_keys(excluded), math.max(self.rows, 1), MOST))
end

local function search_add(self, terms, search)
  local sum
  for _, term in ipairs(terms) do
    local part = term[1] * term[2]
    sum = sum and sum + part or part
  end
  return self.core:search(unit(sum), search)
end

local function search_multiply(self, terms, search)
  local list = {}
  search.positive, search.negative, search.multiply = 0, 0, true
  for _, sign in ipairs{ 1, -1 } do
    for _, term in ipairs(terms) do
      if term[2] * sign > 0 then
        list[#list + 1] = term[1]
        local side = sign > 0 and "positive" or "negative"
        search[side] = search[side] + 1
      end
    end
  end
  if search.positive == 0 then error("most_similar: method \"mul\" needs a positive word", 0) end
  return self.core:search(ops.stack(list, 1), search)
end

--- The words nearest to the mean of some words less others: king - man + woman.
-- @tparam string|table given a word, or `positive`, `negative` (a word or tensor, or a list of them
-- or of { word, weight }), `topn` 10, `restrict_vocab` = n: only the first n rows, `method` "add"
-- (3CosAdd: cosine with the mean of the vectors at length 1; Mikolov et al., 2013) or "mul"
-- (3CosMul; Levy and Goldberg, 2014)
-- @treturn {{word,score,word=,score=,row=},...} the words asked about are left out. From the third
-- question on, a large float32 store keeps its rows in bytes too, to look there first: a quarter more
-- memory, several times as fast, the same answers
function Vectors:most_similar(given)
  if type(given) == "string" or ops.is_tensor(given) then given = { positive = given } end
  local read = options.read("most_similar", given, { positive = options.optional,
    negative = options.optional, topn = 10, restrict_vocab = options.optional, method = "add" })
  options.choice("most_similar", "method", read.method, { "add", "mul" })
  local topn = options.integer("most_similar", "topn", read.topn)
  local terms, excluded = {}, {}
  read_side(self, "positive", read.positive, 1, terms, excluded)
  read_side(self, "negative", read.negative, -1, terms, excluded)
  if #terms == 0 then error("most_similar: give positive or negative words", 0) end
  local search = { best = search_best(self, topn, excluded),
    last = restricted(self, "most_similar", read.restrict_vocab) }
  local ask = read.method == "add" and search_add or search_multiply
  local rows, scores = ask(self, terms, search)
  return results(self, rows[1], scores[1], excluded, topn)
end

--- The nearest words of many words (or of the rows of a tensor) at once, by blocked products.
-- @tparam {string,...}|tensor words
-- @tparam[opt] table given `topn` 10, `restrict_vocab`
-- @treturn {{{word,score},...},...} one list a word, without the word itself
function Vectors:neighbours(words, given)
  local read = options.read("neighbours", given, { topn = 10, restrict_vocab = options.optional })
  local topn = options.integer("neighbours", "topn", read.topn)
  local tensor = ops.is_tensor(words)
  local x
  if tensor then
    x = ops.as_real(words)
    local lengths = (x * x):sum(-1, true) ^ 0.5
    x = x / ops.where(ops.not_zero(lengths), lengths, ops.ones(lengths:shape()))
  else
    if type(words) ~= "table" then
      error("neighbours: expected a list of words or a tensor, got " .. options.show(words), 0)
    end
    if #words == 0 then return {} end
    x = self:vectors(words, { unit = true })
  end
  local rows, scores = self.core:search(x, { best = search_best(self, topn, { 1 }),
    last = restricted(self, "neighbours", read.restrict_vocab) })
  local lists = {}
  for i, found in ipairs(rows) do
    local own = not tensor and self.core:find(words[i])
    lists[i] = results(self, found, scores[i], own and { [own] = true } or {}, topn)
  end
  return lists
end

--- a is to b as c is to …: the words nearest to b - a + c.
-- @tparam string a @tparam string b @tparam string c
-- @tparam[opt] table given as for most_similar: `topn`, `restrict_vocab`, `method`
function Vectors:analogy(a, b, c, given)
  local asked = { positive = { b, c }, negative = { a } }
  for name, value in pairs(given or {}) do asked[name] = value end
  return self:most_similar(asked)
end

--- The word that fits least: the lowest cosine with the mean of all (at length 1).
-- @tparam {string,...} words
-- @treturn string
-- @treturn table `scores` (word → cosine with the mean), `margin` to the next lowest
function Vectors:doesnt_match(words)
  if type(words) ~= "table" or #words < 2 then
    error("doesnt_match: expected a list of two words or more", 0)
  end
  local mean = mean_unit(self, words)
  local list, scores = {}, {}
  for i, word in ipairs(words) do
    local score = cosine(self:vector(word), mean)
    list[i], scores[word] = { word, score, i }, score
  end
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[3] < b[3]
  end)
  return list[1][1], { scores = scores, margin = list[2][2] - list[1][2] }
end

--- The words that are closer to a than b is, nearest first.
function Vectors:closer_than(a, b)
  local rank = self:rank(a, b)
  if rank == 1 then return {} end
  local closer, limit = {}, self:similarity(a, b)
  for _, item in ipairs(self:most_similar{ positive = a, topn = math.min(rank + 8, MOST - 1) }) do
    if item.word == b then break end
    if item.score >= limit - 1e-6 then closer[#closer + 1] = item.word end
  end
  return closer
end

--- The place of b among the neighbours of a, from 1.
function Vectors:rank(a, b)
  local scores = self.core:cosines(self:vector(a, { unit = true }))
  local row, own = self.core:find(b), self.core:find(a)
  local limit = row and scores:get(row) or self:similarity(a, b)
  local closer = ops.greater(scores, limit):sum():item()
  if own and own ~= row and scores:get(own) > limit then closer = closer - 1 end
  return math.floor(closer + .5) + 1
end

-- ---- documents -----------------------------------------------------------------------------------

-- word → share of the document, of words with a vector; rows in the order of first sight.
local function bag(self, name, words)
  if type(words) ~= "table" then
    error(("wmdistance: %s must be a list of words, got %s"):format(name, options.show(words)), 0)
  end
  local place, list, counts, total = {}, {}, {}, 0
  for _, word in ipairs(words) do
    if self:has(word) then
      if not place[word] then
        list[#list + 1] = word
        place[word], counts[#list] = #list, 0
      end
      counts[place[word]] = counts[place[word]] + 1
      total = total + 1
    end
  end
  for i, count in ipairs(counts) do counts[i] = count / total end
  return list, counts
end

-- Euclidean distances between two sets of vectors; equal words exactly 0.
local function costs(first, second, x, y)
  local square_x, square_y = (x * x):sum(2, true), (y * y):sum(2, true):transpose()
  local squares = (square_x + square_y - x:matmul(y:transpose()) * 2):totable()
  for i, row in ipairs(squares) do
    for j, square in ipairs(row) do
      row[j] = first[i] == second[j] and 0 or math.sqrt(math.max(square, 0))
    end
  end
  return ops.tensor(squares)
end

--- Word mover's distance (Kusner et al., 2015), exact: the least distance that the words of one text
-- have to travel to become the other.
-- @tparam {string,...} first words of a text; those without a row are left out
-- @tparam {string,...} second
-- @tparam[opt] table given `norm` (true): distances between vectors of length 1
-- @treturn number infinity when one text has no word with a vector
function Vectors:wmdistance(first, second, given)
  local read = options.read("wmdistance", given, { norm = true })
  local words_a, mass_a = bag(self, "the first text", first)
  local words_b, mass_b = bag(self, "the second text", second)
  if #words_a == 0 or #words_b == 0 then return math.huge end
  local asked = { unit = read.norm }
  local cost = costs(words_a, words_b, self:vectors(words_a, asked), self:vectors(words_b, asked))
  return native.transport(ops.tensor(mass_a), ops.tensor(mass_b), cost)
end

-- ---- files ---------------------------------------------------------------------------------------

--- Writes the vectors; the file is replaced as a whole or stays.
-- @tparam string path a text or binary file whose name ends in .gz is packed
-- @tparam[opt] table given `format`: "marea" (default: safetensors that is mapped when read; words,
-- rows of any type, parts of words, card), "glove" (text), "text" (text with a header, as word2vec and
-- fastText's .vec), "word2vec" (binary), "fasttext" (fastText's .bin, with the rows of words' parts when
-- there are any; ranks stand for the counts, which a store has not); `type`: float32, float16 or int8
-- rows, of "marea" files
-- @treturn true, or nil and a message
-- @raise for a word that the format cannot hold
function Vectors:save(path, given)
  local read = options.read("save", given, { format = "marea", type = self.type })
  options.choice("save", "format", read.format, { "marea", "glove", "text", "word2vec", "fasttext" })
  local core = self.core
  if read.type ~= self.type then
    options.choice("save", "type", read.type, { "float32", "float16", "int8" })
    core = self:converted(read.type).core
  end
  if read.format == "marea" then core:set_card(self.card and json.encode(self.card) or nil) end
  local name = read.format == "glove" and "text" or read.format
  return core:save(path, name, read.format ~= "glove")
end

--- A copy whose rows are of another type ("float32", "float16", "int8"). Parts of words stay behind.
function Vectors:converted(type_name)
  options.choice("converted", "type", type_name, { "float32", "float16", "int8" })
  local copy = from_core(self.core:with_rows(self.core:rows(), type_name))
  copy.card = self.card
  return copy
end

-- ---- other files of the class --------------------------------------------------------------------

local later = {
  evaluate_analogies = "evaluation", evaluate_pairs = "evaluation",
  direction = "spaces", project = "spaces", centred = "spaces", all_but_the_top = "spaces",
  normalised = "spaces", aligned_to = "spaces", matrix = "transfer",
}

function Vectors.__index(_, name)
  local own = rawget(Vectors, name)
  if own ~= nil or not later[name] then return own end
  local method = require("marea.embeddings." .. later[name])[name]
  rawset(Vectors, name, method)
  return method
end

return Vectors
