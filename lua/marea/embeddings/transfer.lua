--- From word vectors to the weights of an Embedding.
-- @module marea.embeddings.transfer
local native = require "marea.native"
local options = require "marea.nn.options"

local transfer = {}

-- ---- words by id ---------------------------------------------------------------------------------

-- { size = number of ids, words = { [id] = word }, counts = { [word] = n }, pad = id of padding,
-- unknown = { [id] = true } }
local function of_tokenizer(tokenizer)
  local vocabulary = { words = {}, counts = tokenizer.word_counts, pad = 0, unknown = {} }
  local words = tokenizer.index_word
  local last = #words
  if tokenizer.num_words then last = math.min(last, tokenizer.num_words - 1) end
  vocabulary.size = last + 1
  for id = 1, last do vocabulary.words[id] = words[id] end
  if tokenizer.oov_token then vocabulary.unknown[1] = true end
  return vocabulary
end

local function of_vocabulary(source, pad)
  local vocabulary = { size = source:size(), words = {}, counts = {}, unknown = {} }
  for id = 0, source:size() - 1 do
    local word = source:word(id)
    vocabulary.words[id] = word
    if word == pad then
      vocabulary.pad = id
    elseif source:is_special(id) then
      vocabulary.unknown[id] = true
    else
      vocabulary.counts[word] = source:count(word)
    end
  end
  return vocabulary
end

local function of_subwords(tokenizer)
  local vocabulary = { size = tokenizer:size(), words = {}, counts = {}, unknown = {} }
  for id = 0, vocabulary.size - 1 do vocabulary.words[id] = tokenizer:token(id) end
  return vocabulary
end

local function of_list(list)
  local vocabulary = { size = #list, words = {}, counts = {}, unknown = {} }
  for i, word in ipairs(list) do
    if type(word) ~= "string" then
      error(("matrix: word %d is a %s, expected a string"):format(i, type(word)), 0)
    end
    vocabulary.words[i - 1] = word
  end
  return vocabulary
end

local function ids_of(source)
  if type(source) == "table" then
    if source.texts_to_sequences then return of_tokenizer(source) end
    if source.vocabulary and source.core and source.encode then
      return of_vocabulary(source.vocabulary, source.pad)
    end
    if source.is_special and source.word then return of_vocabulary(source, "<pad>") end
    if source.token and source.size then return of_subwords(source) end
    if #source > 0 and not getmetatable(source) then return of_list(source) end
  end
  error("expected a Tokenizer, Pipeline, Vocabulary, SubwordTokenizer or a list of words, got "
    .. options.show(source), 0)
end

-- ---- fallbacks -----------------------------------------------------------------------------------

local stages = { lower = { { kind = "lower" } },
  strip_accents = { { kind = "nfd" }, { kind = "strip_accents" }, { kind = "nfc" } } }

-- Functions word → word, in order; each goes on from what the one before made.
local function chain_of(fallback)
  local chain = {}
  if type(fallback) == "string" then fallback = { fallback } end
  for i, step in ipairs(fallback or {}) do
    if type(step) == "function" then
      chain[i] = { name = "function", apply = step }
    else
      options.choice("matrix", "fallback", step, { "lower", "strip_accents" })
      local pipeline = native.pipeline{ normalize = stages[step] }
      chain[i] = { name = step, apply = function(word)
        return utf8.len(word) and pipeline:normalize(word) or word
      end }
    end
  end
  return chain
end

--- The words that `load` has to keep for a tokenizer (or list) and its fallbacks.
function transfer.words_to_load(source, fallback)
  local vocabulary, chain = ids_of(source), chain_of(fallback)
  local list, seen = {}, {}
  local function keep(word)
    if word ~= nil and not seen[word] then
      seen[word] = true
      list[#list + 1] = word
    end
  end
  for id = 0, vocabulary.size - 1 do
    local word = vocabulary.words[id]
    keep(word)
    for _, step in ipairs(chain) do
      word = word and step.apply(word)
      keep(word)
    end
  end
  keep("<unk>")
  keep("unk")
  return list
end

local function find(self, word, chain)
  local row = self.core:find(word)
  if row then return row, "exact" end
  for _, step in ipairs(chain) do
    word = step.apply(word)
    row = word and self.core:find(word)
    if row then return row, step.name end
  end
end

-- ---- what words without a vector get -------------------------------------------------------------

local function moments(x)
  local mean = x:mean():item()
  local square = (x * x):mean():item()
  return mean, math.sqrt(math.max(square - mean * mean, 0))
end

local fillers = {}

function fillers.zeros() return function() end end

function fillers.mean(self)
  local mean = self.core:rows():mean(1, true)
  return function() return mean end
end

function fillers.unk(self)
  local row = self.core:find("<unk>") or self.core:find("unk")
  if not row then error('matrix: oov = "unk", but the vectors have no "<unk>" and no "unk"', 0) end
  local x = self.core:rows{ row }
  return function() return x end
end

-- Normal, with the mean and deviation of the vectors that were found.
function fillers.random(self, read, rows)
  local known = {}
  for _, row in pairs(rows) do if row > 0 and #known < 10000 then known[#known + 1] = row end end
  local mean, deviation = 0, .05
  if #known > 0 then mean, deviation = moments(self.core:rows(known)) end
  local stream = read.seed and native.new_stream(read.seed) or native.new_stream()
  return function() return stream:normal({ 1, self.width }) * deviation + mean end
end

function fillers.subword(self)
  if self.most_part == 0 then
    error('matrix: oov = "subword" needs vectors with the parts of words (fastText\'s .bin)', 0)
  end
  return function(word)
    local x = word and self.core:subword(word)
    return x and x:reshape{ 1, -1 }
  end
end

-- ---- the matrix ----------------------------------------------------------------------------------

local function report_of(misses, by)
  local function part() return { found = 0, total = 0, share = 0 } end
  return { types = part(), tokens = part(), by = by, misses = misses }
end

local function count(part, found, n)
  part.total = part.total + n
  if found then part.found = part.found + n end
end

local function finish(report, most)
  for _, name in ipairs{ "types", "tokens" } do
    local part = report[name]
    part.share = part.total > 0 and part.found / part.total or 0
  end
  table.sort(report.misses, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.id < b.id
  end)
  report.missed = #report.misses
  for i = #report.misses, most + 1, -1 do report.misses[i] = nil end
  return setmetatable(report, { __tostring = function()
    local words = {}
    for i, miss in ipairs(report.misses) do
      if i <= 10 then words[i] = ("%s (%d)"):format(miss.word, miss.count) end
    end
    return ("%d of %d words have vectors (%.1f%%), %.1f%% of the tokens; the most frequent without: %s")
      :format(report.types.found, report.types.total, 100 * report.types.share,
        100 * report.tokens.share, #words > 0 and table.concat(words, ", ") or "none")
  end })
end

--- The weights for an Embedding: the vector of each id's word.
-- @tparam Tokenizer|Pipeline|Vocabulary|SubwordTokenizer|{string,...} source what gives words their
-- ids; a list's ids count from 0. The padding id gets zeros
-- @tparam[opt] table given
-- `oov`: what a word without a vector gets: "zeros" (default), "mean" (of all vectors), "random"
-- (normal, with mean and deviation of the vectors that were found; `seed` fixes it), "unk" (the row of
-- "<unk>"), "subword" (the mean of its parts, zeros when none is known);
-- `fallback`: tried in order, each from what the one before made: "lower", "strip_accents", or a
-- function word → word; `misses` (20): how many words without a vector are listed
-- @treturn tensor (number of ids, D)
-- @treturn table coverage: `types` and `tokens` { found, total, share }, `by` (how many words
-- were found "exact", by "lower" …), `misses` { word, id, count } by frequency, `missed`, `ids_missed`
-- (list of the ids without a vector, for `nn.Embedding{ trainable = … }`); tostring says it in a line
function transfer.matrix(self, source, given)
  local read = options.read("matrix", given, { oov = "zeros", fallback = options.optional,
    misses = 20, seed = options.optional })
  options.choice("matrix", "oov", read.oov, { "zeros", "mean", "random", "unk", "subword" })
  local vocabulary, chain = ids_of(source), chain_of(read.fallback)
  local rows, by, misses, missed_ids = {}, {}, {}, {}
  local report = report_of(misses, by)
  for id = 0, vocabulary.size - 1 do
    local word = vocabulary.words[id]
    local row, how
    if word and id ~= vocabulary.pad and not vocabulary.unknown[id] then
      local n = vocabulary.counts[word] or 0
      row, how = find(self, word, chain)
      count(report.types, row, 1)
      count(report.tokens, row, n)
      if row then by[how] = (by[how] or 0) + 1
      else misses[#misses + 1] = { word = word, id = id, count = n } end
    end
    rows[id + 1] = row or 0
    if not row and id ~= vocabulary.pad and (word or vocabulary.unknown[id]) then
      missed_ids[#missed_ids + 1] = id
    end
  end
  local x = self.core:rows(rows)
  local fill = fillers[read.oov](self, read, rows)
  for _, id in ipairs(missed_ids) do
    local value = fill(vocabulary.words[id])
    if value then x:narrow(1, id + 1, 1):assign_(value) end
  end
  report.ids_missed = missed_ids
  return x, finish(report, read.misses)
end

return transfer
