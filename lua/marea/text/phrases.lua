--- Phrases (collocations): neighbours that occur together more often than their words let expect
-- become one token.
--
--     local phrases = text.Phrases{ min_count = 5, threshold = 10, connector_words = "es" }
--     phrases:fit(text.Pipeline{ normalize = { "lower" } }, texts)
--     for _, item in ipairs(phrases:top(10)) do print(item.phrase, item.score, item.count) end
--     local pipeline = text.Pipeline{ normalize = { "lower" }, phrases = phrases }
--
-- Counts, scores and joining are those of gensim's Phrases, its peculiarities included:
--
-- - words and joined pairs are counted in one table: |V| counts both, and a word `new_york` of the
--   texts counts with the pair;
-- - connector words are counted among the words of the texts, not in the table;
-- - a text is joined greedily from left to right, so of `a b c` with phrases `a_b` and `b_c` comes
--   `a_b c`;
-- - top takes phrases apart at `join`, so words that hold it are taken apart, too.
--
-- It differs in two: an empty word stays (gensim loses it), and the table is pruned after each 16 MB
-- of texts instead of after each text, so that any number of threads gives the same.
-- @module marea.text.phrases
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"

local Phrases = {}
Phrases.__index = Phrases

-- Articles, prepositions and conjunctions, which stand inside phrases.
local connectors = {
  en = { "a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with",
    "without" },
  es = { "a", "al", "con", "de", "del", "e", "el", "en", "la", "las", "los", "o", "para", "por",
    "sin", "u", "un", "una", "y" },
}

local declared = { min_count = 5, threshold = options.optional, scoring = "default", join = "_",
  connector_words = {}, max_vocabulary = 40000000 }

local function connector_list(given)
  if type(given) == "string" then
    return connectors[options.choice("Phrases", "connector_words", given, { "en", "es" })]
  end
  if type(given) ~= "table" then
    error("Phrases: connector_words must be a list of words, \"en\" or \"es\", got "
      .. options.show(given), 0)
  end
  return given
end

--- Phrases that have learned nothing yet.
-- @tparam[opt] table given `min_count` (5): rarer pairs are no phrases; `threshold`: a pair is a
-- phrase when its score is greater (10 for "default", where it must be positive; 0.5 for "npmi",
-- -1 to 1); `scoring`: "default", (n_ab - min_count) · |V| / (n_a · n_b) (Mikolov et al., 2013), or
-- "npmi", ln(p_ab / (p_a · p_b)) / -ln p_ab (Bouma, 2009); `join` ("_"), at least one character;
-- `connector_words`: words that may stand inside a phrase, never at its ends, a list, "en" or "es";
-- `max_vocabulary` (40,000,000) words and pairs, above which the rarest are forgotten; 0: never
local function new_phrases(_, given)
  local self = options.read("Phrases", given, declared)
  options.choice("Phrases", "scoring", self.scoring, { "default", "npmi" })
  self.min_count = options.integer("Phrases", "min_count", self.min_count)
  self.max_vocabulary = options.integer("Phrases", "max_vocabulary", self.max_vocabulary, 0)
  if self.threshold == nil then self.threshold = self.scoring == "npmi" and 0.5 or 10.0 end
  if type(self.threshold) ~= "number" then
    error("Phrases: threshold must be a number, got " .. options.show(self.threshold), 0)
  end
  if type(self.join) ~= "string" then
    error("Phrases: join must be a string, got " .. options.show(self.join), 0)
  end
  self.connector_words = connector_list(self.connector_words)
  self.native = native.phrases(self.scoring, self.min_count, self.threshold, self.max_vocabulary,
    self.join, self.connector_words)
  return setmetatable(self, Phrases)
end

setmetatable(Phrases, { __call = new_phrases })

local kept = { "min_count", "threshold", "scoring", "join", "max_vocabulary" }

--- The options they were made with.
function Phrases:options()
  local given = { connector_words = table.move(self.connector_words, 1, #self.connector_words, 1, {}) }
  for _, name in ipairs(kept) do given[name] = self[name] end
  return given
end

-- ---- learning ------------------------------------------------------------------------------------

local function pipeline_core(who, pipeline)
  if type(pipeline) ~= "table" or type(pipeline.core) ~= "userdata" then
    error(("%s: expected a pipeline and texts, or nil and lists of words; got %s"):format(who,
      options.show(pipeline)), 0)
  end
  return pipeline.core
end

--- Counts the words and pairs of texts; may be called again with more.
-- @tparam Pipeline|nil pipeline makes the tokens; nil when texts are lists of words
-- @tparam {string,...}|{{string,...},...}|function texts a list of texts, lists of words, or an
-- iterator that gives such lists (reader:batches()); no phrase goes beyond its text
-- @treturn table report: what the stages changed or left out; `pruned`: words and pairs forgotten
-- @raise for frozen phrases; naming the text and the byte that is no UTF-8
function Phrases:fit(pipeline, texts)
  local core = pipeline ~= nil and pipeline_core("Phrases:fit", pipeline)
  local report = {}
  if type(texts) == "userdata" or (type(texts) == "table" and texts.batches) then
    texts = texts:batches()
  end
  local function count(batch)
    local more = core and self.native:count(core, batch) or self.native:count_words(batch)
    for name, value in pairs(more) do report[name] = (report[name] or 0) + value end
  end
  if type(texts) == "function" then
    for batch in texts do count(batch) end
  else
    count(texts)
  end
  return report
end

--- The phrases alone, with their scores: smaller in memory and in files; no more texts can be
-- counted, and every text whose words do not hold `join` gives the same.
-- @treturn Phrases
function Phrases:freeze()
  local frozen = Phrases(self:options())
  frozen.native = self.native:freeze()
  return frozen
end

-- ---- using ---------------------------------------------------------------------------------------

--- Tokens with their phrases joined.
-- @tparam {string,...}|{{string,...},...} tokens of one text, or of several
-- @treturn {string,...}|{{string,...},...}
-- @treturn integer how many phrases were joined
function Phrases:apply(tokens)
  if type(tokens) ~= "table" or type(tokens[1]) ~= "table" then return self.native:join(tokens) end
  local lists, total = {}, 0
  for i, list in ipairs(tokens) do
    local found
    lists[i], found = self.native:join(list)
    total = total + found
  end
  return lists, total
end

--- The phrases that occur in texts (gensim's find_phrases).
-- @tparam Pipeline|nil pipeline as for fit
-- @tparam {string,...}|{{string,...},...} texts
-- @treturn {{phrase=,score=,count=},...} the highest score first; count: joined in these texts
function Phrases:find(pipeline, texts)
  if pipeline == nil then return self.native:find_words(texts) end
  return self.native:find(pipeline_core("Phrases:find", pipeline), texts)
end

--- The n phrases with the highest scores of all that were learned (gensim's export_phrases).
-- @tparam[opt] integer n all when left out
-- @treturn {{phrase=,score=,count=},...} count: in the texts that were counted
function Phrases:top(n)
  return self.native:top(n == nil and math.maxinteger or options.integer("Phrases:top", "n", n, 0))
end

function Phrases:__tostring()
  local entries, words, frozen = self.native:size()
  if frozen then return ("Phrases: %d, frozen, of %d words"):format(entries, words) end
  return ("Phrases: %d words and pairs counted in %d words"):format(entries, words)
end

-- ---- saving --------------------------------------------------------------------------------------

--- Everything that rebuilds them, for JSON. Counts of pairs are many: freeze first where nothing
-- more will be counted.
function Phrases:get_config()
  local config = self:options()
  local entries, counts, scores, words, least = self.native:state()
  config.class = "Phrases"
  config.connector_words = json.array(config.connector_words)
  config.entries, config.counts = json.array(entries), json.array(counts)
  config.scores = scores and json.array(scores)
  config.words, config.least = words, least
  return config
end

--- The phrases of a config.
-- @raise when it is malformed
function Phrases.from_config(config)
  if type(config) ~= "table" or config.class ~= "Phrases" then
    error("Phrases: malformed description", 0)
  end
  local given = { connector_words = config.connector_words }
  for _, name in ipairs(kept) do given[name] = config[name] end
  local self = Phrases(given)
  self.native:restore(config.entries, config.counts, config.scores, config.words, config.least)
  return self
end

return Phrases
