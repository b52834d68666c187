--- Sentences in columns: CoNLL and CoNLL-U.
-- @module marea.corpora.sentences
local native = require "marea.native"
local options = require "marea.nn.options"
local reader = require "marea.corpora.reader"

local sentences = {}

local Sentences = reader.class("conll")

function Sentences:open()
  return native.conll(self.path, self.width, self.separator, self.conllu)
end

local function numbered_rows(rows, pattern, first, second)
  local list = {}
  for i, cells in ipairs(rows) do
    local a, b = cells[1]:match(pattern)
    list[i] = { [first] = math.tointeger(tonumber(a)), [second] = math.tointeger(tonumber(b)),
      form = cells[2], lemma = cells[3], upos = cells[4], deps = cells[9], misc = cells[10] }
  end
  return list
end

function Sentences:read(source)
  local lists, ranges, empty, comments = source:next(self.places)
  if not lists then return nil, ranges end
  local sentence = {}
  for i, name in ipairs(self.names) do sentence[name] = lists[i] end
  if not self.conllu then return sentence end
  sentence.ranges = numbered_rows(ranges, "^(%d+)%-(%d+)$", "first", "last")
  sentence.empty = numbered_rows(empty, "^(%d+)%.(%d+)$", "after", "number")
  sentence.comments = comments
  for _, comment in ipairs(comments) do
    local name, value = comment:match("^([%w_]+)%s*=%s*(.*)$")
    if name == "text" or name == "sent_id" then sentence[name] = value end
  end
  return sentence
end

function Sentences:read_batch(source, bytes)
  local list, so_far = {}, 0
  while so_far < bytes do
    local sentence, message = self:read(source)
    if not sentence then
      if message then return nil, message end
      break
    end
    list[#list + 1] = sentence
    for _, word in ipairs(sentence[self.names[1]]) do so_far = so_far + #word + 1 end
  end
  return list[1] and list
end

local function check_names(who, names)
  if type(names) ~= "table" or #names == 0 then
    error(who .. ": columns must be a list of names, got " .. options.show(names), 0)
  end
end

--- Sentences with a word a line and an empty line behind each sentence. A step gives a table:
-- column name → list of the words' cells.
-- @tparam string path plain or gzip
-- @tparam[opt] table given `columns` ({ "word", "pos", "tag" }): names of all columns of the file;
-- `separator` (" ": one blank or more)
-- @usage for s in assert(corpora.conll("esp.train")) do print(s.word[1], s.tag[1]) end
-- @return a reader, or nil and a message with path, line and column
function sentences.conll(path, given)
  local read = options.read("corpora.conll", given,
    { columns = { "word", "pos", "tag" }, separator = " " })
  check_names("corpora.conll", read.columns)
  if type(read.separator) ~= "string" or #read.separator ~= 1 then
    error("corpora.conll: separator must be a string of one byte, got "
      .. options.show(read.separator), 0)
  end
  local places = {}
  for i in ipairs(read.columns) do places[i] = i end
  return reader.start(setmetatable({ path = path, names = read.columns, places = places,
    width = #places, separator = read.separator, conllu = false }, Sentences))
end

local conllu_names = { "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc" }

--- Sentences of a CoNLL-U file (universaldependencies.org). A step gives a table with lists for the
-- words: `form lemma upos xpos feats head deprel deps misc` (strings; "_" where there is nothing);
-- `ranges`: list of { first, last, form, misc }, the written forms of contracted words; `empty`:
-- list of { after, number, form, lemma, upos, deps }; `comments`, and of these `text` and
-- `sent_id`.
-- @tparam string path plain or gzip
-- @tparam[opt] table given `columns`: those wanted (default: all)
-- @return a reader, or nil and a message with path, line and column
function sentences.conllu(path, given)
  local read = options.read("corpora.conllu", given, { columns = conllu_names })
  check_names("corpora.conllu", read.columns)
  local places = {}
  for i, name in ipairs(read.columns) do
    options.choice("corpora.conllu", "columns", name, conllu_names)
    for place, known in ipairs(conllu_names) do
      if name == known then places[i] = place + 1 end
    end
  end
  return reader.start(setmetatable({ path = path, names = read.columns, places = places,
    width = 10, separator = "\t", conllu = true }, Sentences))
end

return sentences
