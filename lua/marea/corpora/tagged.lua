--- Sentences with a tag for each word: CoNLL-2002 (Spanish), Universal Dependencies (English).
-- @module marea.corpora.tagged
local options = require "marea.nn.options"
local files = require "marea.corpora.files"
local sentences = require "marea.corpora.sentences"

local tagged = {}

-- All sentences of a reader: field → list with an entry a sentence.
local function collect(fields, reader, message)
  if not reader then return nil, message end
  local opened <close> = reader
  local lists, count = {}, 0
  for to in pairs(fields) do lists[to] = {} end
  while true do
    local sentence
    sentence, message = opened:next()
    if not sentence then break end
    count = count + 1
    for to, from in pairs(fields) do lists[to][count] = sentence[from] end
  end
  if message then return nil, message end
  return lists
end

--- Spanish news with named entities (CoNLL-2002; Tjong Kim Sang, 2002).
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { train = { sentences, tags, pos }, valid (testa) = …, test (testb) = … }: lists
-- of lists of strings, a string a word; tags in IOB2 (B-PER, I-PER, O …)
-- @return nil and a message
function tagged.conll2002_es(given)
  local read = options.read("corpora.conll2002_es", given, { dir = options.optional }, { "dir" })
  local dir, message = files.folder("corpora.conll2002_es", read.dir)
  if not dir then return nil, message end
  local result = {}
  for part, name in pairs{ train = "esp.train", valid = "esp.testa", test = "esp.testb" } do
    local path
    path, message = files.find(dir, { "conll2002-es", "conll2002",
      "conll2002-es/conll2002" }, name)
    if not path then return nil, message end
    result[part], message = collect({ sentences = "word", pos = "pos", tags = "tag" },
      sentences.conll(path))
    if not result[part] then return nil, message end
  end
  return result
end

--- The English Web Treebank of Universal Dependencies (Silveira et al., 2014). Words are the
-- syntactic ones: "didn't" is did + n't, and stands whole in `ranges`.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { train = { sentences, tags, xpos, lemmas, heads, relations, features, texts, ids,
-- ranges, empty }, valid (dev) = …, test = … }; tags: UPOS; texts: the sentence as written; heads:
-- strings; ranges and empty: as from corpora.conllu
-- @return nil and a message
function tagged.ud_english_ewt(given)
  local read = options.read("corpora.ud_english_ewt", given, { dir = options.optional }, { "dir" })
  local dir, message = files.folder("corpora.ud_english_ewt", read.dir)
  if not dir then return nil, message end
  local result = {}
  for part, name in pairs{ train = "train", valid = "dev", test = "test" } do
    local path
    path, message = files.find(dir, { "ud-english-ewt", "UD_English-EWT" },
      ("en_ewt-ud-%s.conllu"):format(name))
    if not path then return nil, message end
    result[part], message = collect({ sentences = "form", tags = "upos", xpos = "xpos",
      lemmas = "lemma", heads = "head", relations = "deprel", features = "feats", texts = "text",
      ids = "sent_id", ranges = "ranges", empty = "empty" }, sentences.conllu(path))
    if not result[part] then return nil, message end
  end
  return result
end

return tagged
