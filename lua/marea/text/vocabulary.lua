--- Words with their counts and ids, to be read and trusted.
--
--     local v = pipeline.vocabulary
--     print(v)                        -- 10000 words + 2 special tokens = 10002 ids
--     print(v:id("película"), v:word(17), v:count("película"))
--     v:save("words.txt")             -- "word count" lines; or .json
--
-- Ids count from 0: special tokens first, in their order, then the words by rank.
-- @module marea.text.vocabulary
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"

local Vocabulary = {}

--- A vocabulary.
-- @tparam[opt] table given `specials`: list of special tokens, which get the first ids
local function new_vocabulary(_, given)
  local self = options.read("Vocabulary", given, { specials = {} })
  local seen = {}
  if type(self.specials) ~= "table" then
    error("Vocabulary: specials must be a list of strings, got " .. options.show(self.specials), 0)
  end
  for i, token in ipairs(self.specials) do
    if type(token) ~= "string" or seen[token] then
      error(("Vocabulary: special token %d is %s; expected strings that differ"):format(i,
        options.show(token)), 0)
    end
    seen[token] = i - 1
  end
  self.special_id = seen
  self.native = native.vocabulary()
  self.native:rank{}
  return setmetatable(self, Vocabulary)
end

setmetatable(Vocabulary, { __call = new_vocabulary })

--- Number of ids: special tokens and ranked words.
function Vocabulary:size()
  local _, _, ranked = self.native:size()
  return #self.specials + ranked
end

--- Number of ranked words, without the special tokens.
function Vocabulary:__len()
  local _, _, ranked = self.native:size()
  return ranked
end

--- Number of documents that were counted.
function Vocabulary:documents_seen()
  local _, documents = self.native:size()
  return documents
end

--- Bytes that words, counts and table take.
function Vocabulary:bytes()
  return self.native:bytes()
end

--- The id of a word or a special token; nil for a word without one.
function Vocabulary:id(word)
  if word == nil then return nil end
  if self.special_id[word] then return self.special_id[word] end
  local _, rank = self.native:find(word)
  return rank and rank - 1 + #self.specials
end

--- The word of an id, from 0; nil beyond the last.
function Vocabulary:word(id)
  if id < 0 then return nil end
  if id < #self.specials then return self.specials[id + 1] end
  return (self.native:at(id - #self.specials + 1))
end

function Vocabulary:is_special(id)
  return id < #self.specials
end

--- How often a word occurred (0 for an unknown one), and in how many documents.
function Vocabulary:count(word)
  local _, _, count, documents = self.native:find(word)
  return count or 0, documents or 0
end

--- Ranks the words again: which have ids, and in what order.
-- @tparam[opt] table rule `keep` = k: exactly k words (special tokens not counted); `min_count`,
-- `min_documents`, `max_documents`; `order`: "count" (the most frequent first), "bytes"
-- (alphabetical by code point), "first" (as they came); `ties` of equal counts: "first",
-- "ascending", "descending" (by bytes), "signed" (by bytes from -128 to 127, as GloVe does)
-- @treturn table report: words, rare, in_few_documents, in_many_documents, beyond_keep
function Vocabulary:rank(rule)
  rule = options.read("rank", rule, { keep = 0, min_count = 0, min_documents = 0, max_documents = 0,
    order = "count", ties = "first" })
  for _, name in ipairs{ "keep", "min_count", "min_documents", "max_documents" } do
    rule[name] = options.integer("rank", name, rule[name], 0)
  end
  self.rule = rule
  local report = self.native:rank(rule)
  report.words, report.ranked = report.ranked, nil
  for name, value in pairs(report) do
    if value == 0 and name ~= "words" then report[name] = nil end
  end
  return report
end

-- How native encoding finds ids.
function Vocabulary:encoding(given)
  local specials, ids = native.vocabulary(), {}
  for i, token in ipairs(self.specials) do
    specials:add(token)
    ids[i] = i - 1
  end
  return { first_id = #self.specials, specials = specials, special_ids = ids,
    unknown_id = given.unknown and self.special_id[given.unknown] or -1,
    unknown_ids = given.buckets or 1 }
end

--- The first n words with their counts.
-- @treturn {{word=,id=,count=,documents=},...}
function Vocabulary:most_common(n)
  local list = {}
  for rank = 1, math.min(n or 10, #self) do
    local word, _, count, documents = self.native:at(rank)
    list[rank] = { word = word, id = rank - 1 + #self.specials, count = count,
      documents = documents }
  end
  return list
end

--- A table to read: special tokens and the first n words with id, count, documents.
function Vocabulary:table(n)
  local lines = { ("%8s  %10s  %10s  %s"):format("id", "count", "documents", "token") }
  for id, token in ipairs(self.specials) do
    lines[#lines + 1] = ("%8d  %10s  %10s  %s"):format(id - 1, "", "", token)
  end
  for _, item in ipairs(self:most_common(n or 20)) do
    lines[#lines + 1] = ("%8d  %10d  %10d  %s"):format(item.id, item.count, item.documents, item.word)
  end
  return table.concat(lines, "\n")
end

function Vocabulary:__tostring()
  local all, documents = self.native:size()
  local left_out = all - #self
  return ("%d words + %d special tokens = %d ids, from %d documents%s"):format(#self,
    #self.specials, self:size(), documents,
    left_out > 0 and (" (%d words left out by the limits)"):format(left_out) or "")
end

--- Adds words that have not been counted, behind the ones that are there (their ids do not change
-- while the order is "first" or counts are higher).
-- @tparam {string,...} words
function Vocabulary:extend(words)
  for i, word in ipairs(words) do
    if type(word) ~= "string" then
      error(("extend: word %d is a %s, expected a string"):format(i, type(word)), 0)
    end
    self.native:add(word, 0, 0)
  end
  return self:rank(self.rule)
end

-- Takes over what was counted aside: nothing of it when counting failed. Ids stay as they are
-- until rank.
function Vocabulary:take(counts)
  local words, documents = self.native:size()
  if words == 0 and documents == 0 then
    self.native = counts
  else
    self.native:merge(counts)
  end
end

--- Adds the counts of another vocabulary; new words come last among equals.
function Vocabulary:merge(other)
  self.native:merge(other.native)
  return self:rank(self.rule)
end

-- ---- files ---------------------------------------------------------------------------------------

-- Tokens that are no UTF-8 (bytes), which JSON cannot hold, as lists of their bytes.
local function for_json(words)
  if utf8.len(table.concat(words, " ")) then return words end
  for i, word in ipairs(words) do
    if not utf8.len(word) then words[i] = json.array{ word:byte(1, -1) } end
  end
  return words
end

local function from_json(words)
  local read = {}
  for i, word in ipairs(words) do
    if type(word) == "table" then
      local ok, bytes = pcall(string.char, table.unpack(word))
      if not ok then error(("Vocabulary: word %d is no list of bytes"):format(i), 0) end
      word = bytes
    end
    read[i] = word
  end
  return read
end

--- Everything that rebuilds the vocabulary, for JSON.
function Vocabulary:get_config()
  local words, counts, documents = self.native:words()
  local _, document_count = self.native:size()
  return { class = "Vocabulary", specials = json.array(self.specials), words = json.array(for_json(words)),
    counts = json.array(counts), documents = json.array(documents),
    document_count = document_count, hash = self.native:hash(), rule = self.rule }
end

--- @raise when the config is malformed or its words do not give its hash
function Vocabulary.from_config(config)
  if type(config) ~= "table" or type(config.words) ~= "table" or type(config.specials) ~= "table"
  then
    error("Vocabulary: malformed description", 0)
  end
  local self = Vocabulary{ specials = config.specials }
  self.native:restore(from_json(config.words), config.counts, config.documents, config.document_count)
  if config.hash ~= nil and config.hash ~= self.native:hash() then
    error("Vocabulary: the words do not match their hash; the file was changed", 0)
  end
  self:rank(config.rule)
  return self
end

--- Writes the ranked words: "word count" lines as GloVe's programs do, or all as JSON when the path
-- ends in .json.
-- @treturn true, or nil and a message
function Vocabulary:save(path)
  local content
  if path:match("%.json$") then
    content = json.encode(self:get_config())
  else
    local lines = {}
    for rank = 1, #self do
      local word, _, count = self.native:at(rank)
      if word:find("[\n ]") then
        return nil, ("save: the token %q holds a blank; only JSON can keep it"):format(word)
      end
      lines[rank] = word .. " " .. count .. "\n"
    end
    content = table.concat(lines)
  end
  return native.write_file(path, content)
end

-- "word count" lines; the last blank separates.
local function read_lines(path)
  local reader, message = native.lines(path)
  if not reader then return nil, message end
  local lines <close> = reader
  local words, counts, documents = {}, {}, {}
  for number = 1, math.huge do
    local line
    line, message = lines:next()
    if not line then break end
    local word, count = line:match("^(.+) (%d+)$")
    if not word or not math.tointeger(tonumber(count)) then
      return nil, ('"%s" line %d: expected a word, a blank and a count'):format(path, number)
    end
    words[number], counts[number], documents[number] = word, math.tointeger(tonumber(count)), 0
  end
  if message then return nil, message end
  return { words = words, counts = counts, documents = documents }
end

--- Reads what save wrote (or GloVe's vocab_count). Words of lines keep their order.
-- @tparam string path
-- @tparam[opt] table given `specials` for a file of lines
-- @treturn Vocabulary, or nil and a message
function Vocabulary.load(path, given)
  local read = options.read("Vocabulary.load", given, { specials = {} })
  local config, message
  if path:match("%.json$") then
    local file
    file, message = io.open(path, "rb")
    if not file then return nil, message end
    config, message = json.decode(file:read("a"))
    file:close()
  else
    config, message = read_lines(path)
    if config then
      config.specials, config.document_count = read.specials, 0
      config.rule = { order = "first" }
    end
  end
  if message then return nil, message end
  local ok, result = pcall(Vocabulary.from_config, config)
  if not ok then return nil, ('"%s": %s'):format(path, result) end
  return result
end

--- A list of stop words that comes with Marea.
-- @tparam string language "es" or "en"
-- @treturn {string,...}
function Vocabulary.stop_words(language)
  options.choice("stop_words", "language", language, { "es", "en" })
  local folder = require("marea.corpora.files").own_folder()
  local words = {}
  for line in io.lines(("%s/stopwords_%s.txt"):format(folder, language)) do
    if not line:match("^#") then words[#words + 1] = line end
  end
  return words
end

Vocabulary.__index = Vocabulary

return Vocabulary
