--- Text to tokens, words and ids, stage by stage:
-- normalizer → splitter → stop words → phrases → n-grams → vocabulary → ids, and back.
--
--     local pipeline = text.Pipeline{ normalize = { "nfc", "lower" }, split = "words", keep = 10000 }
--     pipeline:fit(texts)
--     local ids, report = pipeline:encode{ "¿Qué tal la película?" }
--     print(pipeline:decode(ids[1]))
--
-- `text.Pipeline{ "sklearn" }` takes a preset (marea.text.presets), whose options can be changed by
-- naming them. All work per token happens in C.
-- @module marea.text.pipeline
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"
local Phrases = require "marea.text.phrases"
local stages = require "marea.text.stages"
local Vocabulary = require "marea.text.vocabulary"

local Pipeline = {}
Pipeline.__index = Pipeline

local declared = {
  preset = options.optional, normalize = options.optional, split = options.optional,
  ngrams = options.optional, join = " ", within = false, shortest = 0, longest = 0,
  stop_words = options.optional, phrases = options.optional, invalid = "refuse",
  keep = options.optional, min_count = 0, min_documents = 0, max_documents = options.optional,
  order = "count", ties = "first",
  specials = options.optional, pad = "<pad>", unknown = "<unk>", unknown_buckets = 1,
}

-- 2 or { 1, 2 } → the list of widths; nil: no n-grams.
local function widths(ngrams, within)
  if ngrams == nil then return nil end
  if type(ngrams) == "number" then ngrams = { ngrams } end
  if type(ngrams) ~= "table" then
    error("Pipeline: ngrams must be a width or a list of widths, got " .. options.show(ngrams), 0)
  end
  local list = {}
  local seen = {}
  for i, width in ipairs(ngrams) do
    list[i] = options.integer("Pipeline", "ngrams", width)
    if seen[list[i]] then error(("Pipeline: ngrams holds %d twice"):format(list[i]), 0) end
    seen[list[i]] = true
  end
  if #list == 0 or (#list == 1 and list[1] == 1 and not within) then return nil end
  return list
end

local function stop_list(stop_words)
  if type(stop_words) == "string" then return Vocabulary.stop_words(stop_words) end
  if stop_words ~= nil and type(stop_words) ~= "table" then
    error("Pipeline: stop_words must be a language or a list of words, got "
      .. options.show(stop_words), 0)
  end
  for i, word in ipairs(stop_words or {}) do
    if type(word) ~= "string" then
      error(("Pipeline: stop word %d must be a string, got %s"):format(i, options.show(word)), 0)
    end
  end
  return stop_words
end

-- Phrases, one or a list, as objects or their configs → the list of objects.
local function phrases_list(phrases)
  if phrases == nil then return nil end
  if type(phrases) ~= "table" then
    error("Pipeline: phrases must be text.Phrases or a list of them, got " .. options.show(phrases), 0)
  end
  if getmetatable(phrases) == Phrases or phrases.class then phrases = { phrases } end
  local list = {}
  for i, item in ipairs(phrases) do
    list[i] = getmetatable(item) == Phrases and item or Phrases.from_config(item)
  end
  return #list > 0 and list or nil
end

-- The special tokens, in the order of their ids from 0: padding and unknown first.
local function special_list(self)
  if self.specials then return self.specials end
  local list = {}
  if self.pad then list[#list + 1] = self.pad end
  if self.unknown then
    list[#list + 1] = self.unknown
    for i = 2, self.unknown_buckets do list[#list + 1] = ("%s%d"):format(self.unknown, i) end
  end
  return list
end

local function check_strings(self)
  for _, name in ipairs{ "join", "pad", "unknown" } do
    local value = self[name]
    if value ~= nil and type(value) ~= "string" then
      error(("Pipeline: %s must be a string%s, got %s"):format(name,
        name == "join" and "" or " or false", options.show(value)), 0)
    end
  end
  options.boolean("Pipeline", "within", self.within)
end

local function place_in(list, token)
  for i, other in ipairs(list) do if other == token then return i end end
end

-- A list of special tokens must hold the ones that have a part to play.
local function check_specials(self)
  if self.unknown_buckets > 1 and not self.unknown then
    error("Pipeline: unknown_buckets needs an unknown token, unknown is false", 0)
  end
  if self.specials == nil then return end
  if type(self.specials) ~= "table" then
    error("Pipeline: specials must be a list of tokens, got " .. options.show(self.specials), 0)
  end
  for _, name in ipairs{ "pad", "unknown" } do
    if self[name] and not place_in(self.specials, self[name]) then
      error(("Pipeline: %s is %q, which specials does not hold; name one of them or set %s = false")
        :format(name, self[name], name), 0)
    end
  end
  local first = self.unknown and place_in(self.specials, self.unknown)
  for i = 2, self.unknown_buckets do
    local bucket = ("%s%d"):format(self.unknown, i)
    if self.specials[first + i - 1] ~= bucket then
      error(("Pipeline: %d unknown_buckets need %q behind %q in specials"):format(
        self.unknown_buckets, bucket, self.specials[first + i - 2]), 0)
    end
  end
end

local function check_documents(name, value)
  local whole, share = math.type(value) == "integer", type(value) == "number" and value <= 1
  if value == nil or ((whole or share) and value >= 0) then return end
  error(("Pipeline: %s must be a whole number of documents or a share from 0.0 to 1.0, got %s")
    :format(name, options.show(value)), 0)
end

local MOST_BUCKETS <const> = 1000000

local function check(self)
  check_strings(self)
  options.choice("Pipeline", "invalid", self.invalid, { "refuse", "replace" })
  options.choice("Pipeline", "order", self.order, { "count", "bytes", "first" })
  options.choice("Pipeline", "ties", self.ties, { "first", "ascending", "descending",
    "signed" })
  for _, name in ipairs{ "shortest", "longest", "min_count" } do
    self[name] = options.integer("Pipeline", name, self[name], 0)
  end
  if self.longest > 0 and self.longest < self.shortest then
    error(("Pipeline: longest is %d, shortest is %d: no token could stay"):format(self.longest,
      self.shortest), 0)
  end
  check_documents("min_documents", self.min_documents)
  check_documents("max_documents", self.max_documents)
  if self.keep ~= nil then self.keep = options.integer("Pipeline", "keep", self.keep) end
  self.unknown_buckets = options.integer("Pipeline", "unknown_buckets", self.unknown_buckets)
  if self.unknown_buckets > MOST_BUCKETS then
    error(("Pipeline: unknown_buckets is %d, at most %d are allowed"):format(self.unknown_buckets,
      MOST_BUCKETS), 0)
  end
  check_specials(self)
  if self.within and not self.ngrams then
    error("Pipeline: within = true asks for n-grams of characters; give ngrams", 0)
  end
end

local function new_pipeline(_, given)
  if type(given) == "string" then given = { given } end
  given = given or {}
  local name = given.preset or given[1]
  if name ~= nil then
    local merged = require("marea.text.presets").get(name)
    for key, value in pairs(given) do if key ~= 1 then merged[key] = value end end
    merged.preset = name
    given = merged
  end
  local self = options.read("Pipeline", given, declared)
  if given.pad == false then self.pad = nil end
  if given.unknown == false then self.unknown = nil end
  self.ngrams = widths(self.ngrams, self.within)
  self.stop_words = stop_list(self.stop_words)
  self.phrases = phrases_list(self.phrases)
  check(self)
  local core
  self.stages, core = stages.read("Pipeline", { normalize = self.normalize,
    split = self.split or "words" }, native.keras_filters)
  core.ngrams, core.join, core.within, core.stop_words = self.ngrams, self.join, self.within,
    self.stop_words
  if self.phrases then
    core.phrases = {}
    for i, phrases in ipairs(self.phrases) do core.phrases[i] = phrases.native end
  end
  core.shortest, core.longest = self.shortest, self.longest
  core.replace_invalid = self.invalid == "replace"
  self.core = native.pipeline(core)
  self.vocabulary = Vocabulary{ specials = special_list(self) }
  return setmetatable(self, Pipeline)
end

setmetatable(Pipeline, { __call = new_pipeline })

--- The text after the normalizer.
-- @raise naming the byte that is no UTF-8, unless invalid = "replace"
function Pipeline:normalized(source)
  return self.core:normalize(source)
end

--- The tokens of one text.
-- @tparam string source
-- @tparam[opt] table given `places = true`: also where each lies in the raw text
-- @treturn {string,...}
-- @treturn {integer,...} first byte of each, from 1 (with places)
-- @treturn {integer,...} last byte of each: source:sub(first, last) is what it was made of
function Pipeline:tokens(source, given)
  local read = options.read("tokens", given, { places = false })
  return self.core:tokens(source, read.places)
end

-- ---- the vocabulary ------------------------------------------------------------------------------

-- The least number of documents that a limit allows.
local function fewest(value, total)
  return math.type(value) == "integer" and value or math.ceil(value * total)
end

-- The greatest; scikit-learn compares with the product itself.
local function most_of(value, total)
  return math.type(value) == "integer" and value or math.floor(value * total)
end

--- Gives the words their ids again, after counts were merged or limits changed.
-- @treturn table report: words (with an id), rare, in_few_documents, in_many_documents, beyond_keep
function Pipeline:rank()
  local _, documents = self.vocabulary.native:size()
  local least, most = fewest(self.min_documents, documents), 0
  if self.max_documents and documents > 0 then
    most = most_of(self.max_documents, documents)
    if most < math.max(least, 1) then
      error(("Pipeline: of %d documents min_documents is %d, max_documents %d: no word could stay")
        :format(documents, least, most), 0)
    end
  end
  return self.vocabulary:rank{ order = self.order, ties = self.ties, keep = self.keep,
    min_count = self.min_count, min_documents = least, max_documents = most }
end

-- Counters that can be printed: "words 20000, rare 31, urls 4".
local Report = {}

function Report:__tostring()
  local names = {}
  for name in pairs(self) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = name .. " " .. tostring(self[name]) end
  return table.concat(names, ", ")
end

local function add_counts(report, more)
  for name, value in pairs(more) do report[name] = (report[name] or 0) + value end
end

--- Counts words; may be called again with more texts. Ids follow the counts.
-- @tparam {string,...}|function|table texts a list of texts, an iterator that gives lists of texts
-- (such as reader:batches()), or a reader of corpora.lines and the like; each text is a document
-- @treturn table report: what the stages changed or left out, what the limits left out
-- @raise naming the text and the byte that is no UTF-8
function Pipeline:fit(texts)
  local report = self:count(texts)
  add_counts(report, self:rank())
  return setmetatable(report, Report)
end

--- Counts without giving ids: rank does that. When a text is refused or a function fails, nothing
-- has been counted.
-- @treturn table report: what the stages changed or left out
function Pipeline:count(texts)
  if type(texts) == "string" then
    error("Pipeline: expected a list of texts, got a single string; put it in { }", 0)
  end
  local report, counts = {}, native.vocabulary()
  if type(texts) == "userdata" or (type(texts) == "table" and texts.batches) then
    texts = texts:batches()
  end
  if type(texts) == "function" then
    for batch in texts do add_counts(report, counts:count(self.core, batch)) end
  else
    add_counts(report, counts:count(self.core, texts))
  end
  self.vocabulary:take(counts)
  return report
end

--- Counts the words of a file of which every line is a document, plain or gzip, without loading
-- it: in constant memory and on all threads.
-- @tparam string path
-- @tparam[opt] table given `longest`: bytes of the longest line that is accepted
-- @treturn table report as of fit
-- @return nil and a message when the file is missing or broken, or a line is no UTF-8
function Pipeline:fit_lines(path, given)
  local read = options.read("fit_lines", given, { longest = options.optional })
  local counts = native.vocabulary()
  local report, message = counts:count_lines(self.core, path, read.longest)
  if not report then return nil, message end
  self.vocabulary:take(counts)
  add_counts(report, self:rank())
  return setmetatable(report, Report)
end

-- ---- ids -----------------------------------------------------------------------------------------

local function encode(self, texts)
  if #self.vocabulary == 0 then
    local words = self.vocabulary.native:size()
    error(words == 0 and "Pipeline: the vocabulary is empty; call fit or load one first"
      or ("Pipeline: none of the %d words has an id; the limits leave all out, or rank is still to \z
        be called"):format(words), 0)
  end
  return self.vocabulary.native:encode(self.core, texts, self.vocabulary:encoding{
    unknown = self.unknown, buckets = self.unknown_buckets })
end

--- The ids of texts. A word without an id becomes the unknown token's, or one of its buckets by a
-- stable hash, or is left out when `unknown = false`.
-- @tparam {string,...} texts
-- @treturn {{integer,...},...}
-- @treturn table report: words, unknown, empty (texts without an id), and what the stages changed
function Pipeline:encode(texts)
  local sequences, report = encode(self, texts)
  return sequences:totable(), setmetatable(report, Report)
end

--- The same without a Lua table in between: what pad_sequences and the encodings take.
function Pipeline:encode_sequences(texts)
  return encode(self, texts)
end

--- The ids as one int32 tensor (N, maxlen), filled with the padding token's id.
-- @tparam {string,...} texts
-- @tparam[opt] table padding as for sequence.pad_sequences
-- @treturn tensor
-- @treturn table report of both steps
function Pipeline:texts_to_padded(texts, padding)
  local sequences, encoding = encode(self, texts)
  local given = { value = self.vocabulary:id(self.pad) or 0 }
  for key, value in pairs(padding or {}) do given[key] = value end
  local x, report = require("marea.sequence").pad_sequences(sequences, given)
  for name, value in pairs(encoding) do report[name] = value end
  return x, report
end

-- Whether decode shows an id: words, and the unknown token with its buckets.
local function is_shown(self, id, specials)
  if self.vocabulary:word(id) == self.pad then return false end
  if specials or not self.vocabulary:is_special(id) then return true end
  local unknown = self.unknown and self.vocabulary:id(self.unknown)
  return unknown and id >= unknown and id < unknown + self.unknown_buckets
end

-- What marea.text.reading asks of every reader of texts.

function Pipeline:id_count()
  return self.vocabulary:size()
end

function Pipeline:word_of(id)
  return self.vocabulary:word(id)
end

function Pipeline:first_word_id()
  return self.vocabulary:id(self.pad) == 0 and 1 or 0
end

function Pipeline:unknown_id()
  return self.vocabulary:id(self.unknown)
end

function Pipeline:document_frequencies()
  local vocabulary = self.vocabulary
  local function frequency(id)
    if vocabulary:is_special(id) then return 0 end
    local _, documents = vocabulary:count(vocabulary:word(id))
    return documents
  end
  return frequency, vocabulary:documents_seen()
end

--- Tokens of ids, joined; padding is left out.
-- @tparam {integer,...} ids
-- @tparam[opt] table given `join` (default " ", nothing when tokens are characters or bytes),
-- `specials = true`: special tokens are shown
-- @treturn string
-- @raise for an id without a token
function Pipeline:decode(ids, given)
  local read = options.read("decode", given, { join = options.optional, specials = false })
  local last = self.stages.split[#self.stages.split].name
  local glued = last == "code_points" or last == "graphemes" or last == "bytes"
  local words = {}
  for i, id in ipairs(ids) do
    local whole = type(id) == "number" and math.tointeger(id)
    local word = whole and self.vocabulary:word(whole)
    if not word then
      error(("decode: id %s at place %d, the vocabulary has 0 to %d"):format(tostring(id), i,
        self.vocabulary:size() - 1), 0)
    end
    if is_shown(self, whole, read.specials) then words[#words + 1] = word end
  end
  return table.concat(words, read.join or (glued and "" or " "))
end

-- ---- saving --------------------------------------------------------------------------------------

local kept = { "preset", "ngrams", "join", "within", "shortest", "longest", "stop_words", "invalid",
  "keep", "min_count", "min_documents", "max_documents", "order", "ties", "specials",
  "unknown_buckets" }

--- Everything that rebuilds the pipeline, for JSON.
function Pipeline:get_config()
  local config = { class = "Pipeline", normalize = json.array(self.stages.normalize),
    split = json.array(self.stages.split), pad = self.pad or false,
    unknown = self.unknown or false, vocabulary = self.vocabulary:get_config() }
  for _, name in ipairs(kept) do config[name] = self[name] end
  if self.phrases then
    config.phrases = json.array{}
    for i, phrases in ipairs(self.phrases) do config.phrases[i] = phrases:get_config() end
  end
  for _, name in ipairs{ "specials", "stop_words" } do -- lists, also when they are empty
    if self[name] then config[name] = json.array(table.move(self[name], 1, #self[name], 1, {})) end
  end
  return config
end

--- The pipeline of a config.
-- @raise when it is malformed, or needs a stage that is not registered
function Pipeline.from_config(config)
  if type(config) ~= "table" or type(config.vocabulary) ~= "table" then
    error("Pipeline: malformed description", 0)
  end
  local given = {}
  for name, value in pairs(config) do
    if name ~= "class" and name ~= "vocabulary" and name ~= "preset" then given[name] = value end
  end
  local self = Pipeline(given)
  self.preset = config.preset
  local specials = self.vocabulary.specials
  self.vocabulary = Vocabulary.from_config(config.vocabulary)
  for i = 1, math.max(#specials, #self.vocabulary.specials) do
    if specials[i] ~= self.vocabulary.specials[i] then
      error(("Pipeline: special token %d is %s, the vocabulary has %s"):format(i,
        options.show(specials[i]), options.show(self.vocabulary.specials[i])), 0)
    end
  end
  self:rank()
  return self
end

Pipeline.__tostring = function(self)
  local function names(list)
    local parts = {}
    for i, stage in ipairs(list) do parts[i] = stage.name end
    return #parts > 0 and table.concat(parts, ", ") or "nothing"
  end
  return ("Pipeline: normalize %s; split %s; %s"):format(names(self.stages.normalize),
    names(self.stages.split), tostring(self.vocabulary))
end

return Pipeline
