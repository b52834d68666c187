--- Texts to the ids of a sub-word model, and back.
--
--     local tokenizer = text.SubwordTokenizer{ kind = "bpe", byte_level = true, vocab_size = 8000 }
--     tokenizer:fit(texts)
--     local ids, report = tokenizer:encode{ "¿Qué tal la película?" }
--     print(tokenizer:decode(ids[1]))        -- ¿Qué tal la película?
--
-- The stages: added tokens ("[MASK]") are set apart, the rest is normalized, cut into words and each
-- word into pieces; ids such as "[CLS]" stand around the text. Ids are those of a Hugging Face
-- tokenizer of the same parts (marea.text.huggingface reads and writes its files). All work per
-- token happens in C, with all threads.
-- @module marea.text.subword_tokenizer
local json = require "marea.json"
local native = require "marea.native"
local options = require "marea.nn.options"
local stages = require "marea.text.stages"
local subword = require "marea.text.subword"

local SubwordTokenizer = {}
SubwordTokenizer.__index = SubwordTokenizer

-- ---- stages --------------------------------------------------------------------------------------

-- What each kind of model has around it when nothing else is asked for.
local standard = {
  bytes = { split = { "byte_level" }, decoder = { "byte_level" } },
  bpe = { split = { "metaspace" }, decoder = { "metaspace" } },
  wordpiece = { normalize = { "clean", "cjk_spaces", { "lower", final_sigma = false } },
    split = { "bert" }, decoder = { "wordpiece" } },
  unigram = { normalize = { "nfkc" }, split = { "metaspace" }, decoder = { "metaspace" } },
}

local without_blanks = { whitespace = true, bert = true, words_or_marks = true }

local function stage_options(stage, declared)
  if type(stage) == "string" then stage = { stage } end
  local given = {}
  for name, value in pairs(stage) do
    if name ~= 1 and name ~= "name" then given[name] = value end
  end
  local who = "SubwordTokenizer: splitter " .. tostring(stage[1] or stage.name)
  return options.read(who, given, declared), who
end

local function name_of(stage)
  if type(stage) ~= "table" then return stage end
  return stage[1] or stage.name
end

-- "▁" for blanks, and in front of words. In front of words that stand after another splitter it
-- is the model's matter (before_word).
local function add_metaspace(plan, stage)
  local o, who = stage_options(stage, { text = "▁", prepend = "always", cut = true })
  options.choice(who, "prepend", o.prepend, { "always", "first", "never" })
  local prepend = { "prepend", text = o.text, unless_there = true }
  if #plan.split == 0 then
    table.insert(plan.steps, { "replace", from = " ", to = o.text })
    if o.prepend ~= "never" then plan.prepend = prepend end
    plan.first_only = o.prepend == "first"
  elseif o.prepend == "first" then
    error(who .. ': prepend = "first" after another splitter is not supported', 0)
  elseif not plan.no_blanks then
    error(who .. " must come first, or after a splitter that leaves no blanks", 0)
  elseif o.prepend == "always" then
    plan.before_word = o.text
  end
  if o.cut then table.insert(plan.split, { "metaspace", text = o.text }) end
  return { name = "metaspace", text = o.text, prepend = o.prepend, cut = o.cut }
end

local function add_byte_level(plan, stage)
  local o, who = stage_options(stage, { prefix_space = false, cut = true })
  if o.prefix_space then
    if #plan.split > 0 then
      error(who .. ": prefix_space after another splitter is not supported", 0)
    end
    plan.prepend = { "prepend", text = " ", unless_there = true }
  end
  if o.cut then table.insert(plan.split, "byte_level") end
  plan.bytes = true
  return { name = "byte_level", prefix_space = o.prefix_space, cut = o.cut }
end

-- The splitters as written → what the core's pipelines do.
local function read_split(list)
  local plan, kept = { steps = {}, split = {} }, {}
  if type(list) ~= "table" or (list[1] and name_of(list) == list[1] and #list == 1
    and list.name == nil and next(list, 1) ~= nil) then
    list = { list }
  end
  for i, stage in ipairs(list) do
    local name = name_of(stage)
    if plan.bytes then error("SubwordTokenizer: byte_level must be the last splitter", 0) end
    if name == "metaspace" then kept[i] = add_metaspace(plan, stage)
    elseif name == "byte_level" then kept[i] = add_byte_level(plan, stage)
    else
      kept[i] = false
      table.insert(plan.split, stage)
      plan.no_blanks = plan.no_blanks or without_blanks[name]
    end
  end
  return plan, kept
end

local function joined(...)
  local all = {}
  for _, list in ipairs{ ... } do
    for _, item in ipairs(list) do all[#all + 1] = item end
  end
  return all
end

-- A native pipeline, and its stages as files keep them.
local function pipeline_of(normalize, split, invalid)
  local kept, core = stages.read("SubwordTokenizer", { normalize = normalize, split = split },
    native.keras_filters)
  core.replace_invalid = invalid == "replace"
  return native.pipeline(core), kept
end

local function build_pipelines(self)
  local plan, kept_split = read_split(self.split)
  local split = #plan.split > 0 and plan.split or { "none" }
  local normalize = self.normalize
  if type(normalize) == "string" then normalize = { normalize } end
  local kept
  self.normalizing, kept = pipeline_of(normalize, { "none" }, self.invalid)
  self.normalize = kept.normalize
  local prepended = joined(plan.steps, { plan.prepend })
  local kept_first
  self.first, kept_first = pipeline_of(prepended, split)
  self.rest = pipeline_of(plan.first_only and plan.steps or prepended, split)
  self.counting = pipeline_of(joined(normalize, prepended), split, self.invalid)
  local number = #kept_first.split
  for i = #kept_split, 1, -1 do -- from behind: the plan may hold fewer splitters
    local stage = kept_split[i]
    if stage == false then kept_split[i] = kept_first.split[number] end
    if stage == false or stage.cut then number = number - 1 end
  end
  self.split, self.before_word, self.bytes = kept_split, plan.before_word, plan.bytes or false
end

-- ---- decoders ------------------------------------------------------------------------------------

local decoders = {
  byte_level = {}, byte_fallback = {}, fuse = {},
  wordpiece = { prefix = "##", cleanup = true },
  metaspace = { text = "▁", drop_first = true }, suffix = { text = "</w>" },
  strip = { text = " ", left = 0, right = 0 }, replace = { from = options.required, to = "" },
}

local core_decoders = {
  wordpiece = function(o) return { from = o.prefix, flag = o.cleanup } end,
  metaspace = function(o) return { from = o.text, flag = o.drop_first } end,
  suffix = function(o) return { from = o.text } end,
  strip = function(o) return { from = o.text, left = o.left, right = o.right } end,
  replace = function(o) return { from = o.from, to = o.to } end,
}

local function read_decoder(list)
  local kept, core = {}, {}
  if type(list) == "string" then list = { list } end
  for i, step in ipairs(list) do
    if type(step) == "string" then step = { step } end
    local name, given = name_of(step), {}
    options.choice("SubwordTokenizer", "decoder", name, { "byte_level", "byte_fallback", "fuse",
      "wordpiece", "metaspace", "suffix", "strip", "replace" })
    for key, value in pairs(step) do
      if key ~= 1 and key ~= "name" then given[key] = value end
    end
    local o = options.read("SubwordTokenizer: decoder " .. name, given, decoders[name])
    kept[i] = { name = name }
    for key, value in pairs(o) do kept[i][key] = value end
    core[i] = core_decoders[name] and core_decoders[name](o) or {}
    core[i].kind = name
  end
  return kept, native.decoder(core)
end

-- ---- making --------------------------------------------------------------------------------------

local own_options = {
  model = options.optional, normalize = options.optional, split = options.optional,
  decoder = options.optional, added = {}, before = {}, after = {}, max_length = options.optional,
  padding = options.optional, invalid = "refuse", trim = false,
}

local function declared_options()
  local all = {}
  for _, list in ipairs{ subword.model_options, subword.training_options, own_options } do
    for name, default in pairs(list) do all[name] = default end
  end
  all.kind, all.words = options.optional, nil
  return all
end

local token_flags = { id = options.optional, content = options.required, special = true,
  single_word = false, lstrip = false, rstrip = false, normalized = options.optional }

local function read_added(list)
  local read = {}
  for i, token in ipairs(list) do
    if type(token) == "string" then token = { content = token } end
    read[i] = options.read(("SubwordTokenizer: added token %d"):format(i), token, token_flags)
    if read[i].normalized == nil then read[i].normalized = not read[i].special end
  end
  return read
end

-- Gives added tokens their ids: the model's, else the next free ones.
local function number_added(self)
  local largest = -1
  local _, ids = self.model.native:pieces()
  if #ids > 0 then largest = ids[#ids] end
  for _, token in ipairs(self.added) do largest = math.max(largest, token.id or -1) end
  for _, token in ipairs(self.added) do
    local known = self.model:id(token.content)
    if token.id and known and known ~= token.id then
      error(("SubwordTokenizer: the added token %q has id %d, but %d in the model"):format(
        token.content, token.id, known), 0)
    end
    token.id = token.id or known
    if token.id == nil then
      largest = largest + 1
      token.id = largest
    end
  end
end

-- Tokens or ids → ids.
local function ids_of(self, field)
  local ids = {}
  for i, token in ipairs(self[field]) do
    ids[i] = type(token) == "number" and token or self:id(token)
    if ids[i] == nil then
      error(("SubwordTokenizer: %s: the token %s has no id"):format(field, options.show(token)), 0)
    end
  end
  return ids
end

local function build_encoder(self)
  number_added(self)
  if self.bytes ~= self.model.options.byte_level then
    error("SubwordTokenizer: the splitter byte_level and a byte-level model belong together", 0)
  end
  self.added_ids = {}
  for _, token in ipairs(self.added) do self.added_ids[token.content] = token.id end
  self.before, self.after = ids_of(self, "before"), ids_of(self, "after")
  self.encoder = native.subword_encoder{ model = self.model.native, normalize = self.normalizing,
    first = self.first, rest = self.rest, added = self.added, before = self.before,
    after = self.after, most = self.max_length, before_word = self.before_word, trim = self.trim,
    replace_invalid = self.invalid == "replace" }
end

local function new_tokenizer(_, given)
  local self = options.read("SubwordTokenizer", given, declared_options())
  if not self.model and not self.kind then
    error("SubwordTokenizer: give a kind of model to train, or a model", 0)
  end
  if self.model and getmetatable(self.model) ~= subword.Subword then
    error("SubwordTokenizer: model must be one of marea.text.subword, got "
      .. options.show(self.model), 0)
  end
  options.choice("SubwordTokenizer", "invalid", self.invalid, { "refuse", "replace" })
  options.boolean("SubwordTokenizer", "trim", self.trim)
  if self.max_length then options.integer("SubwordTokenizer", "max_length", self.max_length) end
  local model = self.model and self.model.options or self
  local usual = standard[model.byte_level and "bytes" or model.kind] or {}
  self.normalize = self.normalize or usual.normalize or {}
  self.split = self.split or usual.split or {}
  build_pipelines(self)
  self.decoder, self.decoding = read_decoder(self.decoder or usual.decoder or {})
  self.added = read_added(self.added)
  setmetatable(self, SubwordTokenizer)
  if self.model then build_encoder(self) end
  return self
end

--- A tokenizer.
-- @tparam table given either `model` (of marea.text.subword) or the `kind` and options of one to
-- train with fit (subword.train); `normalize` and `split`: stages as of text.Pipeline, and
-- { "metaspace", text = "▁", prepend = "always" | "first" | "never", cut = true } and
-- { "byte_level", prefix_space = false, cut = true }; `decoder`: steps { "byte_level" },
-- { "wordpiece", prefix, cleanup }, { "metaspace", text, drop_first }, { "suffix", text },
-- "byte_fallback", "fuse", { "strip", text, left, right }, { "replace", from, to };
-- `added`: tokens that are never cut, strings or { content =, id =, special =, single_word =,
-- lstrip =, rstrip =, normalized = }; `before`, `after`: tokens or ids around each text;
-- `max_length`: ids per text, those around it included; `padding`: { pad_id, direction, length };
-- `invalid`: "refuse" or "replace" bytes that are no UTF-8; `trim`: places leave white space out
-- @raise for contradictions
setmetatable(SubwordTokenizer, { __call = new_tokenizer })

-- ---- training ------------------------------------------------------------------------------------

local function add_counts(report, more)
  for name, value in pairs(more) do report[name] = (report[name] or 0) + value end
end

local function count(self, texts)
  local report, counts = {}, native.vocabulary()
  if type(texts) == "userdata" or (type(texts) == "table" and texts.batches) then
    texts = texts:batches()
  end
  if type(texts) == "function" then
    for batch in texts do add_counts(report, counts:count(self.counting, batch)) end
  else
    add_counts(report, counts:count(self.counting, texts))
  end
  return counts, report
end

--- Trains the model on texts.
-- @tparam {string,...}|function|table texts a list, an iterator of lists, or a reader of corpora
-- @treturn table report of the stages
function SubwordTokenizer:fit(texts)
  if self.before_word then
    error("SubwordTokenizer: metaspace behind another splitter can be applied, not trained", 0)
  end
  local counts, report = count(self, texts)
  local given = { kind = self.kind or self.model.options.kind, words = counts }
  local from = self.model and self.model.options or self
  for name in pairs(subword.model_options) do given[name] = from[name] end
  for name in pairs(subword.training_options) do
    if name ~= "words" then given[name] = self[name] end
  end
  self.model = subword.train(given)
  if #self.added == 0 then self.added = read_added(self.special_tokens) end
  build_encoder(self)
  return report
end

-- ---- ids -----------------------------------------------------------------------------------------

local function encoder_of(self)
  return self.encoder
    or error("SubwordTokenizer: there is no model yet; call fit first or give one", 0)
end

local seed_option = { seed = options.optional }

--- The ids of texts.
-- @tparam {string,...} texts
-- @tparam[opt] table given `seed`: turns the model's dropout on; text i has random numbers of its own
-- @treturn {{integer,...},...}
-- @treturn table report: words, tokens, unknown (tokens that are the unknown piece), dropped
-- (characters without a piece), added (tokens set apart), cut (ids beyond max_length), empty
-- @raise naming the text and the byte that is no UTF-8, unless invalid = "replace"
function SubwordTokenizer:encode(texts, given)
  local sequences, report = self:encode_sequences(texts, given)
  return sequences:totable(), report
end

--- The same without a Lua table in between: what pad_sequences and the encodings take.
function SubwordTokenizer:encode_sequences(texts, given)
  local read = options.read("encode", given, seed_option)
  return encoder_of(self):encode(texts, read.seed)
end

--- The ids of one text and where each lies in it.
-- @tparam string source
-- @tparam[opt] table given `seed`
-- @treturn {integer,...} ids
-- @treturn {integer,...} first byte of each, from 1: source:sub(first, last) is what it was made of
-- @treturn {integer,...} last byte; the ids around the text have 1 and 0
-- @treturn table report
function SubwordTokenizer:places(source, given)
  local read = options.read("places", given, seed_option)
  return encoder_of(self):places(source, read.seed)
end

--- The pieces of one text, spelt as in the vocabulary.
-- @tparam string source
-- @tparam[opt] table given `places = true`: also where each lies in the raw text; `seed`
-- @treturn {string,...}
function SubwordTokenizer:tokens(source, given)
  local read = options.read("tokens", given, { places = false, seed = options.optional })
  local ids, first, last = encoder_of(self):places(source, read.seed)
  local list = {}
  for i, id in ipairs(ids) do list[i] = self:token(id) end
  if not read.places then return list end
  return list, first, last
end

--- The ids as one int32 tensor (N, maxlen), filled with the padding token's id.
-- @tparam {string,...} texts
-- @tparam[opt] table padding as for sequence.pad_sequences
function SubwordTokenizer:texts_to_padded(texts, padding)
  local sequences, report = self:encode_sequences(texts)
  local own = self.padding or {}
  local given = { value = own.pad_id, maxlen = own.length,
    padding = own.direction == "left" and "pre" or own.direction and "post" or nil }
  for key, value in pairs(padding or {}) do given[key] = value end
  local x, more = require("marea.sequence").pad_sequences(sequences, given)
  for name, value in pairs(report) do more[name] = value end
  return x, more
end

--- The text of ids.
-- @tparam {integer,...} ids
-- @tparam[opt] table given `specials = true`: special tokens are shown
-- @treturn string
-- @raise for an id without a token
function SubwordTokenizer:decode(ids, given)
  local read = options.read("decode", given, { specials = false })
  return encoder_of(self):decode(self.decoding, ids, read.specials)
end

--- The token of an id, spelt as in the vocabulary; nil for an id without one.
function SubwordTokenizer:token(id)
  for _, token in ipairs(self.added) do
    if token.id == id then return token.content end
  end
  return self.model and self.model:token(id)
end

--- The id of a token; nil for what is none.
function SubwordTokenizer:id(token)
  return self.added_ids and self.added_ids[token] or (self.model and self.model:id(token))
end

--- Number of ids: pieces and added tokens.
function SubwordTokenizer:size()
  if not self.model then return 0 end
  local size = self.model:size()
  for _, token in ipairs(self.added) do
    if not self.model:id(token.content) then size = size + 1 end
  end
  return size
end

-- What marea.text.reading asks of every reader of texts.

function SubwordTokenizer:id_count()
  return self:size()
end

function SubwordTokenizer:word_of(id)
  return self:token(id)
end

function SubwordTokenizer.first_word_id()
  return 0
end

function SubwordTokenizer:unknown_id()
  local unknown = self.model and self.model.options.unk_token
  return unknown and self.model:id(unknown)
end

function SubwordTokenizer.document_frequencies()
  error("a SubwordTokenizer does not count documents; call Tfidf:fit with texts", 0)
end

--- The text after the normalizer.
function SubwordTokenizer:normalized(source)
  return self.normalizing:normalize(source)
end

-- ---- saving --------------------------------------------------------------------------------------

local kept_options = { "max_length", "padding", "invalid", "trim" }

--- Everything that rebuilds the tokenizer, for JSON.
function SubwordTokenizer:get_config()
  if not self.model then error("SubwordTokenizer: there is no model yet to save", 0) end
  local config = { class = "SubwordTokenizer", normalize = json.array(self.normalize),
    split = json.array(self.split), decoder = json.array(self.decoder),
    added = json.array(self.added), before = json.array(self.before),
    after = json.array(self.after), model = self.model:get_config() }
  for _, name in ipairs(kept_options) do config[name] = self[name] end
  return config
end

--- The tokenizer of a config.
-- @raise when it is malformed, or needs a stage that is not registered
function SubwordTokenizer.from_config(config)
  if type(config) ~= "table" or type(config.model) ~= "table" then
    error("SubwordTokenizer: malformed description", 0)
  end
  local given = {}
  for name, value in pairs(config) do
    if name ~= "class" then given[name] = value end
  end
  given.model = subword.from_config(config.model)
  return SubwordTokenizer(given)
end

function SubwordTokenizer:__tostring()
  local function names(list)
    local parts = {}
    for i, stage in ipairs(list) do parts[i] = stage.name end
    return #parts > 0 and table.concat(parts, ", ") or "nothing"
  end
  return ("SubwordTokenizer: normalize %s; split %s; %s, %d added tokens"):format(
    names(self.normalize), names(self.split), self.model and tostring(self.model) or "no model yet",
    #self.added)
end

return SubwordTokenizer
