--- Running text for language models and word vectors, and sentence pairs.
-- @module marea.corpora.running
local native = require "marea.native"
local options = require "marea.nn.options"
local files = require "marea.corpora.files"
local lines = require "marea.corpora.lines"
local tables = require "marea.corpora.tables"

local running = {}

-- The path of a file of a set, from the options of a loader.
local function find(who, read, sets, names)
  local dir, message = files.folder(who, read.dir)
  if not dir then return nil, message end
  return files.find(dir, sets, names)
end

local function read_whole(who, read, sets, names)
  local path, message = find(who, read, sets, names)
  if not path then return nil, message end
  return native.read_text(path)
end

--- The Penn Treebank's newspaper text as prepared by Mikolov (2010), for word language models.
-- @tparam[opt] table given `dir` (default: MAREA_DATA); `eos` ("<eos>"): put behind each sentence,
-- which makes 10,000 different words; false: nothing
-- @treturn table { train = { texts }, valid = …, test = … }: a sentence each, words apart by one
-- blank
-- @return nil and a message
function running.ptb(given)
  local read = options.read("corpora.ptb", given, { dir = options.optional, eos = "<eos>" },
    { "dir" })
  local result = {}
  for _, part in ipairs{ "train", "valid", "test" } do
    local path, message = find("corpora.ptb", read, { "ptb", "simple-examples/data",
      "ptb/simple-examples/data" },
      ("ptb.%s.txt"):format(part))
    if not path then return nil, message end
    local texts
    texts, message = lines.read_lines(path)
    if not texts then return nil, message end
    local ending = read.eos and " " .. read.eos or ""
    for i, line in ipairs(texts) do texts[i] = line:match("^ *(.-) *$") .. ending end
    result[part] = { texts = texts }
  end
  return result
end

--- Shakespeare's plays for character language models (Karpathy, 2015): 1,115,394 characters.
-- @tparam[opt] table given `dir` (default: MAREA_DATA); `valid_share` (0.1): the last part
-- @treturn table { text, train = { texts }, valid = { texts } }: one long text each
-- @return nil and a message
function running.tiny_shakespeare(given)
  local read = options.read("corpora.tiny_shakespeare", given,
    { dir = options.optional, valid_share = 0.1 }, { "dir" })
  options.number("corpora.tiny_shakespeare", "valid_share", read.valid_share, 0, 1)
  local text, message = read_whole("corpora.tiny_shakespeare", read, { "tiny-shakespeare" },
    "input.txt")
  if not text then return nil, message end
  local split = math.floor(#text * (1 - read.valid_share))
  return { text = text, train = { texts = { text:sub(1, split) } },
    valid = { texts = { text:sub(split + 1) } } }
end

local function paragraphs(text)
  local list, open = {}, {}
  for line in (text .. "\n\n"):gmatch("(.-)\r?\n") do
    line = line:match("^[ \t]*(.-)[ \t]*$")
    if line ~= "" then open[#open + 1] = line
    elseif open[1] then
      list[#list + 1] = table.concat(open, " ")
      open = {}
    end
  end
  return list
end

--- Don Quijote (Cervantes; Project Gutenberg no. 2000). Reads quijote.txt, or the original pg2000.txt
-- without the publisher's words before and behind the book.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { text, train = { texts } }: the whole book; its paragraphs, each in one line
-- @return nil and a message
function running.es_quijote(given)
  local read = options.read("corpora.es_quijote", given, { dir = options.optional }, { "dir" })
  local text, message = read_whole("corpora.es_quijote", read, { "es-quijote" },
    { "quijote.txt", "pg2000.txt" })
  if not text then return nil, message end
  text = text:gsub("\r\n", "\n")
  -- Project Gutenberg's own words stand before and behind these lines
  local _, begins = text:find("%*%*%* ?START OF TH[^\n]*\n")
  local ends = text:find("%*%*%* ?END OF TH")
  if begins and ends then text = text:sub(begins + 1, ends - 1) end
  return { text = text, train = { texts = paragraphs(text) } }
end

--- Spanish novels of 1880 to 1940, European and American (collected by the CLiGS group, Würzburg,
-- 2017): 3.6 million words. Reads the .txt files of the folder es-novels, in the order of their names.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { train = { texts }, names }: paragraphs, each in one line; the files' names
-- @return nil and a message
function running.es_novels(given)
  local read = options.read("corpora.es_novels", given, { dir = options.optional }, { "dir" })
  local dir, message = files.folder("corpora.es_novels", read.dir)
  if not dir then return nil, message end
  local folder = files.find_folder(dir, { "es-novels", "." })
  if not folder then return nil, ('"%s": no such folder'):format(dir) end
  local texts, names = {}, {}
  for _, name in ipairs((native.folder(folder))) do
    if name:find("%.txt$") then
      local text
      text, message = native.read_text(folder .. "/" .. name)
      if not text then return nil, message end
      for line in text:gmatch("[^\r\n]+") do
        if line:find("%S") then texts[#texts + 1] = line:match("^%s*(.*)$") end
      end
      names[#names + 1] = name
    end
  end
  if #names == 0 then return nil, ('"%s": there is no .txt file'):format(folder) end
  return { train = { texts = texts }, names = names }
end

--- The beginning of text8 (Mahoney): English Wikipedia of 2006, a to z and blanks, one long line.
-- Reads text8-head.txt or, where it lies, the whole text8.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { text, train = { texts } }: one text
-- @return nil and a message
function running.text8_head(given)
  local read = options.read("corpora.text8_head", given, { dir = options.optional }, { "dir" })
  local text, message = read_whole("corpora.text8_head", read, { "text8-head", "text8" },
    { "text8-head.txt", "text8" })
  if not text then return nil, message end
  return { text = text, train = { texts = { text } } }
end

-- Sentences and their translations, a pair a line with a tab between.
local function read_pairs(path)
  local columns, message = tables.read_table(tables.tsv(path, { columns = { 1, 2 }, header = false }))
  if not columns then return nil, message end
  return { texts = columns[1], targets = columns[2] }
end

--- English sentences with their Spanish translations (Tatoeba, from manythings.org/anki), sorted by
-- their length. An English sentence comes once for each of its translations.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { train = { texts (English), targets (Spanish) } }
-- @return nil and a message
function running.spa_eng(given)
  local read = options.read("corpora.spa_eng", given, { dir = options.optional }, { "dir" })
  local path, message = find("corpora.spa_eng", read, { "spa-eng", "spa-eng/spa-eng" },
    "spa.txt")
  if not path then return nil, message end
  local train
  train, message = read_pairs(path)
  if not train then return nil, message end
  return { train = train }
end

--- The sentence pairs that come with Marea: 480 short ones, each once, made for it from a few
-- moulds, for trying things out without any other data.
-- @tparam[opt] table given `dir` (default: the folder that Marea ships)
-- @treturn table { train = { texts (English), targets (Spanish) } }
-- @return nil and a message
function running.sentence_pairs(given)
  local read = options.read("corpora.sentence_pairs", given, { dir = options.optional }, { "dir" })
  local train, message = read_pairs((read.dir or files.own_folder()) .. "/pairs_en_es.txt")
  if not train then return nil, message end
  return { train = train }
end

return running
