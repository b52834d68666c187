--- Which words stand near which: counted once, trained on as often as wanted.
--
--     local counts = assert(cooccurrence.count("corpus.txt", { window_size = 10 }))
--     print(counts)                                  -- 15440 words, 3326875 pairs …
--     local a = train_glove(counts, { vector_size = 50 })
--     local b = train_glove(counts, { vector_size = 100, seed = 2 })
--
-- @module marea.embeddings.cooccurrence
local native = require "marea.native"
local options = require "marea.nn.options"
local Corpus = require "marea.embeddings.corpus"

local Cooccurrence = {}
Cooccurrence.__index = Cooccurrence

--- The options of counting, with their defaults.
Cooccurrence.declared = {
  window_size = 15, symmetric = true, distance_weighting = true, memory = 4.0,
  folder = options.optional, pipeline = Corpus.declared.pipeline,
  min_count = options.optional, max_vocab = options.optional,
}

local function check(who, read)
  options.integer(who, "window_size", read.window_size)
  options.boolean(who, "symmetric", read.symmetric)
  options.boolean(who, "distance_weighting", read.distance_weighting)
  options.number(who, "memory", read.memory, 0)
  if read.memory == 0 then error(who .. ": memory must be a number of gigabytes above 0", 0) end
end

-- The native counter, filled; nil and a message when the disk is full or a file is broken.
local function fill(self, read)
  local counter = native.cooccurrence{ words = #self.vocabulary, window = read.window_size,
    symmetric = read.symmetric, weighting = read.distance_weighting,
    memory = math.max(1, math.floor(read.memory * 2 ^ 30)), folder = read.folder }
  local ok, message = self.corpus:each(function(ids) return counter:add(ids) end)
  if ok then ok, message = counter:finish() end
  if not ok then
    counter:close()
    return nil, message
  end
  self.counter = counter
  return self
end

--- Counts the pairs of a corpus: X[i][j] is the sum of 1/d over all places where the words i and j
-- stand d apart, up to a window. Words that the vocabulary left out take no place. Texts are not
-- joined. Pennington, Socher & Manning, 2014.
-- @param corpus list of texts, path of a file of lines (plain or gzip), reader, or iterator that
-- gives lists of texts
-- @tparam[opt] table given `window_size` (15), `symmetric` (true; false: only the words to the
-- right), `distance_weighting` (true; false: 1 for every distance), `memory` (4.0: gigabytes; what
-- does not fit goes to temporary files in `folder`, default TMPDIR or /tmp), `pipeline` ("unicode":
-- a preset, options or a text.Pipeline; one with words keeps them), `min_count` (5; 1 for texts of
-- less than 100,000 words), `max_vocab`
-- @treturn Cooccurrence with `vocabulary`, `pipeline`, `words` and `report` (tokens; stored: pairs,
-- of a symmetric matrix each once; spilled: bytes; files)
-- @return nil and a message for a file that is missing or broken and for a full disk
function Cooccurrence.count(corpus, given)
  local read = options.read("cooccurrence.count", given, Cooccurrence.declared)
  check("cooccurrence.count", read)
  local opened, message = Corpus.open("cooccurrence.count", corpus, read)
  if not opened then return nil, message end
  local self = setmetatable({ corpus = opened, pipeline = opened.pipeline,
    vocabulary = opened.pipeline.vocabulary, words = opened:words(), notes = opened.notes,
    asked = { window_size = read.window_size, symmetric = read.symmetric,
      distance_weighting = read.distance_weighting }, memory = read.memory }, Cooccurrence)
  local ok
  ok, message = fill(self, read)
  if not ok then return nil, message end
  self.report = self.counter:report()
  return self
end

--- Whether a value is what `count` returns.
function Cooccurrence.is(value)
  return getmetatable(value) == Cooccurrence
end

--- The stored entries as { { word, word, value }, … }, of a symmetric matrix each pair once.
-- @tparam[opt] integer limit
-- @raise when a temporary file cannot be read
function Cooccurrence:pairs(limit)
  local rows, columns, values = self.counter:pairs(limit)
  if not rows then error(columns, 0) end
  local list = {}
  for k, row in ipairs(rows) do
    list[k] = { self.words[row + 1], self.words[columns[k] + 1], values[k] }
  end
  return list
end

--- Gives its memory and files back before the collector does.
function Cooccurrence:close()
  self.counter:close()
end

Cooccurrence.__close = Cooccurrence.close

Cooccurrence.__tostring = function(self)
  local r = self.report
  return ("Cooccurrence: %d words, %d tokens, %d pairs%s"):format(#self.words, r.tokens, r.stored,
    r.files > 0 and (", %d temporary files of %d bytes"):format(r.files, r.spilled) or "")
end

return Cooccurrence
