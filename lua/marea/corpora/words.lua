--- Words: similarities of pairs, analogies, ready-made vectors, those that come with Marea.
-- @module marea.corpora.words
local native = require "marea.native"
local options = require "marea.nn.options"
local files = require "marea.corpora.files"
local lines = require "marea.corpora.lines"
local tables = require "marea.corpora.tables"

local words = {}

-- %S would take bytes of UTF-8 for blanks in some locales.
local four_words = "^" .. ("([^ \t]+)[ \t]+"):rep(3) .. "([^ \t]+)[ \t]*$"

local similarity_sets = { "wordsim353", "wordsim353-similarity", "wordsim353-relatedness",
  "simlex999", "rg65", "mc30" }

--- Pairs of words with a human judgement of how alike they are: WordSim-353 (Finkelstein et al.,
-- 2002; split by Agirre et al., 2009), SimLex-999 (Hill et al., 2015), RG-65 (Rubenstein &
-- Goodenough, 1965), MC-30 (Miller & Charles, 1991).
-- @tparam[opt] table given `name` ("wordsim353", "wordsim353-similarity", "wordsim353-relatedness",
-- "simlex999", "rg65", "mc30"), `dir` (default: MAREA_DATA)
-- @treturn table { first, second, scores }: lists of words, real tensor (N)
-- @return nil and a message
function words.wordsim(given)
  local read = options.read("corpora.wordsim", given,
    { name = "wordsim353", dir = options.optional }, { "name" })
  options.choice("corpora.wordsim", "name", read.name, similarity_sets)
  local dir, message = files.folder("corpora.wordsim", read.dir)
  if not dir then return nil, message end
  local path, columns
  path, message = files.find(dir, { "wordsim" }, read.name .. ".tsv")
  if not path then return nil, message end
  columns, message = tables.read_table(tables.tsv(path, { columns = { 1, 2, 3 }, header = false }))
  if not columns then return nil, message end
  local scores, place = native.numbers(columns[3])
  if not scores then
    return nil, ('"%s" line %d: the score is "%s", expected a number'):format(path, place,
      columns[3][place])
  end
  return { first = columns[1], second = columns[2], scores = scores }
end

--- Word analogies (Mikolov et al., 2013): a is to b as c is to d.
-- @tparam[opt] table given `name` ("words" or "phrases"), `dir` (default: MAREA_DATA)
-- @treturn table { sections = list of { name, syntactic, questions = list of { a, b, c, d } },
-- total }; a section is syntactic when its name begins with "gram"
-- @return nil and a message
function words.analogies(given)
  local read = options.read("corpora.analogies", given, { name = "words", dir = options.optional },
    { "name" })
  options.choice("corpora.analogies", "name", read.name, { "words", "phrases" })
  local dir, message = files.folder("corpora.analogies", read.dir)
  if not dir then return nil, message end
  local path, list
  path, message = files.find(dir, { "analogies" }, ("questions-%s.txt"):format(read.name))
  if not path then return nil, message end
  list, message = lines.read_lines(path)
  if not list then return nil, message end
  local sections, total = {}, 0
  for i, line in ipairs(list) do
    local name = line:match("^: *(.-) *$")
    local a, b, c, d = line:match(four_words)
    if name then
      sections[#sections + 1] = { name = name, syntactic = name:sub(1, 4) == "gram",
        questions = {} }
    elseif a and sections[1] then
      local questions = sections[#sections].questions
      questions[#questions + 1] = { a, b, c, d }
      total = total + 1
    elseif line ~= "" then
      return nil, ('"%s" line %d: expected ": section" or four words'):format(path, i)
    end
  end
  return { sections = sections, total = total }
end

--- Word vectors in GloVe's text format (Pennington et al., 2014): a word and its numbers in each
-- line, one blank between them, no header.
-- @tparam[opt] table given `name` ("glove.6B.50d.top10000", the file's name without .txt), `dir`
-- (default: MAREA_DATA)
-- @treturn table { words = list, vectors = real tensor (N, D) }
-- @return nil and a message
function words.glove(given)
  local read = options.read("corpora.glove", given,
    { name = "glove.6B.50d.top10000", dir = options.optional }, { "name" })
  local dir, message = files.folder("corpora.glove", read.dir)
  if not dir then return nil, message end
  local path, vectors
  path, message = files.find(dir, { "glove" }, read.name .. ".txt")
  if not path then return nil, message end
  vectors, message = require("marea.embeddings").load(path)
  if not vectors then return nil, message end
  local list = vectors:words()
  return { words = list, vectors = vectors:vectors(list) }
end

--- The word vectors that come with Marea: small, of texts that may be passed on, with rows of bytes.
-- How they were made, of which texts and under which licence says their `card`, and
-- corpora/README.md.
-- @tparam string|table given "en" or "es", or { language = …, dir = … (another folder) }
-- @treturn Vectors words in lower case, the most frequent first
-- @return nil and a message
-- @usage assert(corpora.vectors("es")):most_similar("playa")
function words.vectors(given)
  if type(given) == "string" then given = { language = given } end
  local read = options.read("corpora.vectors", given, { language = options.required,
    dir = options.optional }, { "language" })
  options.choice("corpora.vectors", "language", read.language, { "en", "es" })
  return require("marea.embeddings").load(("%s/vectors_%s.safetensors"):format(
    read.dir or files.own_folder(), read.language))
end

local vector_files = { "fasttext-text-cyrillic.291x5.vec", "fasttext-text.1762x10.vec",
  "word2vec-binary.2747x10.bin", "word2vec-binary.2x2.bin", "word2vec-text.1750x10.txt",
  "word2vec-text.2x2.txt" }

--- Small files of word vectors in the forms of word2vec and fastText (gensim's test data), read by
-- marea.embeddings.load.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table file name → Vectors
-- @return nil and a message
function words.vector_formats(given)
  local read = options.read("corpora.vector_formats", given, { dir = options.optional })
  local dir, message = files.folder("corpora.vector_formats", read.dir)
  if not dir then return nil, message end
  local embeddings, sets = require "marea.embeddings", {}
  for _, name in ipairs(vector_files) do
    local path
    path, message = files.find(dir, { "vector-formats" }, name)
    if not path then return nil, message end
    sets[name], message = embeddings.load(path)
    if not sets[name] then return nil, message end
  end
  return sets
end

return words
