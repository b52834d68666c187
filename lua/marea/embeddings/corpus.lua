--- Texts on their way into the training of vectors: read as often as needed, in constant memory
-- when they come from a file.
-- @module marea.embeddings.corpus
local native = require "marea.native"
local options = require "marea.nn.options"

local Corpus = {}
Corpus.__index = Corpus

local BATCH_BYTES <const> = 1 << 22
local USUAL_MIN_COUNT <const>, SMALL_TOKENS <const> = 5, 100000

--- What a trainer's options say about texts; a trainer adds its own.
Corpus.declared = {
  pipeline = "unicode", min_count = options.optional, max_vocab = options.optional,
}

-- An iterator can be read once, a corpus is read twice: its texts are kept.
local function gather(iterator)
  local texts = {}
  for batch in iterator do
    if type(batch) ~= "table" then
      error("corpus: the iterator gave a " .. type(batch) .. ", expected lists of texts", 0)
    end
    table.move(batch, 1, #batch, #texts + 1, texts)
  end
  return texts
end

local function source_of(who, corpus)
  if type(corpus) == "string" then return { path = corpus } end
  if type(corpus) == "function" then return { texts = gather(corpus) } end
  if type(corpus) == "table" and corpus.batches then return { reader = corpus } end
  if type(corpus) == "table" then return { texts = corpus } end
  error(("%s: the corpus must be a list of texts, the path of a file of lines, a reader or an "
    .. "iterator that gives lists of texts, got %s"):format(who, options.show(corpus)), 0)
end

-- A pipeline of the caller's, or a new one by preset or description; whether it is new.
local function pipeline_of(who, given)
  local text = require "marea.text"
  if type(given) == "table" and given.core and given.vocabulary then return given, false end
  if type(given) == "string" or type(given) == "table" then
    local described = type(given) == "string" and { given } or given
    return text.Pipeline(described), true
  end
  error(("%s: pipeline must be a text.Pipeline, the name of a preset or a table of its options, "
    .. "got %s"):format(who, options.show(given)), 0)
end

local function count_tokens(vocabulary)
  local tokens = 0
  for rank = 1, #vocabulary do
    local _, _, count = vocabulary.native:at(rank)
    tokens = tokens + count
  end
  return tokens
end

-- Counts the words. nil and a message for a file.
local function fit(self)
  local source, pipeline = self.source, self.pipeline
  if source.path then
    local report, message = pipeline:fit_lines(source.path)
    if not report then return nil, message end
  else
    pipeline:count(source.reader or source.texts)
    pipeline:rank()
  end
  return true
end

-- Which words stay: by the caller's limits; else words seen five times, or all words of a small
-- corpus. A pipeline of the caller's keeps its own limits where none are asked for.
local function limit(self, read)
  local pipeline, all = self.pipeline, count_tokens(self.pipeline.vocabulary)
  if self.own then
    pipeline.ties = "ascending" -- a cut among equal counts does not depend on the order of texts
    pipeline.min_count = USUAL_MIN_COUNT
    if read.min_count == nil and all < SMALL_TOKENS then
      pipeline.min_count = 1
      self:note("the corpus has %d words: min_count is 1", all)
    end
  end
  pipeline.keep = read.max_vocab or pipeline.keep
  pipeline.min_count = read.min_count or pipeline.min_count
  pipeline:rank()
end

--- Notes that explain what was decided for the caller.
function Corpus:note(...)
  self.notes[#self.notes + 1] = string.format(...)
end

--- Opens a corpus and gives its words their ids.
-- @tparam string who for messages
-- @param corpus a list of texts, a path, a reader, an iterator of lists of texts
-- @tparam table read options `pipeline`, `min_count`, `max_vocab`; a pipeline that has words already
-- keeps them
-- @treturn Corpus, or nil and a message
function Corpus.open(who, corpus, read)
  if read.min_count then options.integer(who, "min_count", read.min_count, 0) end
  if read.max_vocab then options.integer(who, "max_vocab", read.max_vocab) end
  local self = setmetatable({ source = source_of(who, corpus), notes = {} }, Corpus)
  self.pipeline, self.own = pipeline_of(who, read.pipeline)
  if #self.pipeline.vocabulary == 0 then
    local ok, message = fit(self)
    if not ok then return nil, message end
    limit(self, read)
  end
  self.tokens = count_tokens(self.pipeline.vocabulary)
  return self
end

--- Words and their rows as one object, where there are words.
-- @treturn Vectors, or { words =, matrix = }
function Corpus.vectors(words, matrix)
  if #words == 0 then return { words = words, matrix = matrix } end
  return require("marea.embeddings.vectors"){ words = words, matrix = matrix }
end

--- The words in the order of their ids, which run from 0 to #words - 1 here.
function Corpus:words()
  local words = {}
  for rank = 1, #self.pipeline.vocabulary do words[rank] = self.pipeline.vocabulary.native:at(rank) end
  return words
end

--- How often each of them occurred.
function Corpus:counts()
  local counts = {}
  for rank = 1, #self.pipeline.vocabulary do
    local _, _, count = self.pipeline.vocabulary.native:at(rank)
    counts[rank] = count
  end
  return counts
end

local function batches_of(self)
  local source = self.source
  if source.texts then
    local given = false
    return function()
      if given then return nil end
      given = true
      return source.texts
    end
  end
  if source.reader then return source.reader:batches(BATCH_BYTES) end
  local reader, message = require("marea.corpora.lines").lines(source.path)
  if not reader then return nil, message end
  return reader:batches(BATCH_BYTES)
end

--- Calls f(ids) for the texts, batch by batch; words without an id are left out and take no place.
-- @tparam function f gets sequences; what it returns other than true ends the reading
-- @return true, or f's results; nil and a message for a file
function Corpus:each(f)
  local vocabulary = self.pipeline.vocabulary.native
  local encoding = { first_id = 0, unknown_id = -1, unknown_ids = 1, specials = native.vocabulary(),
    special_ids = {} }
  local batches, message = batches_of(self)
  if not batches then return nil, message end
  for texts in batches do
    local ok, problem = f((vocabulary:encode(self.pipeline.core, texts, encoding)))
    if not ok then return ok, problem end
  end
  return true
end

return Corpus
