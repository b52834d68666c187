--- The parts of a tokenizer.json around the model: normalizers, pre-tokenizers, post-processors and
-- decoders as stages of a SubwordTokenizer, and back.
-- @module marea.text.huggingface_parts
local json = require "marea.json"

local parts = {}

--- Raises with the place in the file.
function parts.refuse(place, message)
  error(("%s: %s"):format(place, message), 0)
end
local refuse = parts.refuse

local function below(place, name)
  return place and ("%s.%s"):format(place, name) or name
end

--- A field of an object, checked; `needed = false`: it may be absent.
function parts.need(object, name, kind, place, needed)
  local value = object[name]
  if value == nil and needed == false then return nil end
  if type(value) ~= kind then
    local names = { table = "an object or a list", string = "a string", number = "a number",
      boolean = "true or false" }
    refuse(below(place, name), ("expected %s, got %s"):format(names[kind],
      value == nil and "nothing" or type(value) == "table" and "an object or a list"
      or tostring(value)))
  end
  return value
end
local need = parts.need

local function type_of(object, place)
  if type(object) ~= "table" then refuse(place, "expected an object") end
  return need(object, "type", "string", place)
end

local function unknown(place, name)
  refuse(place, ("%q is not supported"):format(name))
end

local function flag(object, name, place, default)
  local value = need(object, name, "boolean", place, false)
  if value == nil then return default end
  return value
end

-- A pattern that is a plain string.
local function plain_pattern(object, place)
  local pattern = need(object, "pattern", "table", place)
  if type(pattern.String) == "string" then return pattern.String end
  refuse(below(place, "pattern"), ("the regular expression %q is not supported"):format(
    tostring(pattern.Regex)))
end

-- ---- normalizers ---------------------------------------------------------------------------------

local normalizers = {
  NFC = function() return { "nfc" } end,
  NFD = function() return { "nfd" } end,
  NFKC = function() return { "nfkc" } end,
  NFKD = function() return { "nfkd" } end,
  Lowercase = function() return { { "lower", final_sigma = false } } end,
  StripAccents = function() return { { "strip_marks", all = true } } end,
  Strip = function(o, place)
    return { { "strip", left = flag(o, "strip_left", place, true),
      right = flag(o, "strip_right", place, true) } }
  end,
  Prepend = function(o, place)
    return { { "prepend", text = need(o, "prepend", "string", place) } }
  end,
  Replace = function(o, place)
    return { { "replace", from = plain_pattern(o, place), to = need(o, "content", "string", place) } }
  end,
  BertNormalizer = function(o, place)
    local lower = flag(o, "lowercase", place, true)
    local list = {}
    if flag(o, "clean_text", place, true) then list[#list + 1] = "clean" end
    if flag(o, "handle_chinese_chars", place, true) then list[#list + 1] = "cjk_spaces" end
    if flag(o, "strip_accents", place, lower) then
      list[#list + 1] = "nfd"
      list[#list + 1] = "strip_marks"
    end
    if lower then list[#list + 1] = { "lower", final_sigma = false } end
    return list
  end,
}

--- An object of the file → list of stages.
function parts.read_normalizer(object, place)
  if object == nil then return {} end
  local name = type_of(object, place)
  if name == "Sequence" then
    local all = {}
    for i, item in ipairs(need(object, "normalizers", "table", place)) do
      local list = parts.read_normalizer(item, ("%s.normalizers[%d]"):format(place, i - 1))
      for _, stage in ipairs(list) do all[#all + 1] = stage end
    end
    return all
  end
  if not normalizers[name] then unknown(place, name) end
  return normalizers[name](object, place)
end

local function bert(name)
  local object = { type = "BertNormalizer", clean_text = false, handle_chinese_chars = false,
    strip_accents = false, lowercase = false }
  object[name] = true
  return object
end

local function no_counterpart(kind, name, why)
  error(("huggingface: the %s %q has no counterpart in tokenizer.json%s"):format(kind, name,
    why and ": " .. why or ""), 0)
end

local normalizer_writers = {
  nfc = function() return { type = "NFC" } end,
  nfd = function() return { type = "NFD" } end,
  nfkc = function() return { type = "NFKC" } end,
  nfkd = function() return { type = "NFKD" } end,
  clean = function() return bert("clean_text") end,
  cjk_spaces = function() return bert("handle_chinese_chars") end,
  strip = function(o) return { type = "Strip", strip_left = o.left, strip_right = o.right } end,
  replace = function(o)
    return { type = "Replace", pattern = { String = o.from }, content = o.to }
  end,
  lower = function(o)
    if o.final_sigma then no_counterpart("normalizer", "lower", "write final_sigma = false") end
    return { type = "Lowercase" }
  end,
  strip_marks = function(o, before)
    if o.all then return { type = "StripAccents" } end
    if not before or before.name ~= "nfd" then
      no_counterpart("normalizer", "strip_marks", "unless nfd stands before it")
    end
    return bert("strip_accents")
  end,
  prepend = function(o)
    if o.unless_there then no_counterpart("normalizer", "prepend", "with unless_there") end
    return { type = "Prepend", prepend = o.text }
  end,
}

-- Nothing, the only one, or a Sequence of them.
local function sequence_of(list, field)
  if #list < 2 then return list[1] end
  return { type = "Sequence", [field] = json.array(list) }
end

--- Stages (as kept by a tokenizer) → the object of the file, or nil.
function parts.write_normalizer(stages)
  local list = {}
  for i, stage in ipairs(stages) do
    local writer = normalizer_writers[stage.name]
    if not writer then no_counterpart("normalizer", stage.name) end
    list[i] = writer(stage, stages[i - 1])
  end
  return sequence_of(list, "normalizers")
end

-- ---- pre-tokenizers ------------------------------------------------------------------------------

local behaviors = { Removed = "removed", Isolated = "isolated",
  MergedWithPrevious = "merged_with_previous", MergedWithNext = "merged_with_next",
  Contiguous = "contiguous" }

local behavior_names = {}
for name, own in pairs(behaviors) do behavior_names[own] = name end

local function behavior_of(object, place)
  local name = need(object, "behavior", "string", place, false) or "Isolated"
  return behaviors[name] or unknown(below(place, "behavior"), name)
end

-- The scheme of Metaspace, which older files write as add_prefix_space.
local function scheme_of(object, place)
  local scheme = need(object, "prepend_scheme", "string", place, false)
  if scheme == nil then
    scheme = flag(object, "add_prefix_space", place, true) and "always" or "never"
  end
  if scheme ~= "always" and scheme ~= "first" and scheme ~= "never" then
    unknown(below(place, "prepend_scheme"), scheme)
  end
  return scheme
end

local pre_tokenizers = {
  Whitespace = function() return "words_or_marks" end,
  WhitespaceSplit = function() return "whitespace" end,
  BertPreTokenizer = function() return "bert" end,
  Punctuation = function(o, place) return { "punctuation", behavior = behavior_of(o, place) } end,
  Digits = function(o, place)
    return { "digits", individual = flag(o, "individual_digits", place, false) }
  end,
  CharDelimiterSplit = function(o, place)
    return { "literal", text = need(o, "delimiter", "string", place), behavior = "removed" }
  end,
  Split = function(o, place)
    if flag(o, "invert", place, false) then unknown(below(place, "invert"), "true") end
    return { "literal", text = plain_pattern(o, place), behavior = behavior_of(o, place) }
  end,
  Metaspace = function(o, place)
    return { "metaspace", text = need(o, "replacement", "string", place),
      prepend = scheme_of(o, place), cut = flag(o, "split", place, true) }
  end,
  ByteLevel = function(o, place)
    return { "byte_level", prefix_space = flag(o, "add_prefix_space", place, true),
      cut = flag(o, "use_regex", place, true) }
  end,
}

local function add_pre_tokenizers(object, place, all)
  local name = type_of(object, place)
  if name == "Sequence" then
    for i, item in ipairs(need(object, "pretokenizers", "table", place)) do
      add_pre_tokenizers(item, ("%s.pretokenizers[%d]"):format(place, i - 1), all)
    end
    return
  end
  if not pre_tokenizers[name] then unknown(place, name) end
  all[#all + 1] = pre_tokenizers[name](object, place)
end

--- The object of the file → list of splitters, and whether they end in bytes.
function parts.read_pre_tokenizer(object)
  local all = {}
  if object ~= nil then add_pre_tokenizers(object, "pre_tokenizer", all) end
  local last = all[#all]
  return all, type(last) == "table" and last[1] == "byte_level"
end

local splitter_writers = {
  words_or_marks = function() return { type = "Whitespace" } end,
  whitespace = function() return { type = "WhitespaceSplit" } end,
  bert = function() return { type = "BertPreTokenizer" } end,
  punctuation = function(o)
    return { type = "Punctuation", behavior = behavior_names[o.behavior] }
  end,
  digits = function(o) return { type = "Digits", individual_digits = o.individual } end,
  literal = function(o)
    return { type = "Split", pattern = { String = o.text }, behavior = behavior_names[o.behavior],
      invert = false }
  end,
  metaspace = function(o)
    return { type = "Metaspace", replacement = o.text, prepend_scheme = o.prepend, split = o.cut }
  end,
  byte_level = function(o)
    return { type = "ByteLevel", add_prefix_space = o.prefix_space, trim_offsets = true,
      use_regex = o.cut }
  end,
}

--- Splitters → the object of the file, or nil.
function parts.write_pre_tokenizer(stages)
  local list = {}
  for i, stage in ipairs(stages) do
    local writer = splitter_writers[stage.name]
    if not writer then no_counterpart("splitter", stage.name) end
    list[i] = writer(stage)
  end
  return sequence_of(list, "pretokenizers")
end

-- ---- post-processors -----------------------------------------------------------------------------

local function append(list, more)
  for _, item in ipairs(more) do list[#list + 1] = item end
end

local function template_ids(object, special, place)
  local tokens = need(object, "special_tokens", "table", place)
  local name = need(special, "id", "string", place)
  local token = need(tokens, name, "table", below(place, "special_tokens"))
  return need(token, "ids", "table", ("%s.special_tokens[%q]"):format(place, name))
end

local function read_template(object, place, post)
  local seen = false
  for i, piece in ipairs(need(object, "single", "table", place)) do
    local here = ("%s.single[%d]"):format(place, i - 1)
    if type(piece) ~= "table" then refuse(here, "expected an object") end
    if piece.Sequence then
      if seen then refuse(here, "the text comes twice") end
      seen = true
    elseif type(piece.SpecialToken) == "table" then
      append(seen and post.after or post.before, template_ids(object, piece.SpecialToken, place))
    else
      refuse(here, "expected Sequence or SpecialToken")
    end
  end
  if not seen then refuse(below(place, "single"), "the text itself is missing") end
end

-- { "[CLS]", 101 } → the id.
local function mark(object, name, place)
  local pair = need(object, name, "table", place)
  if math.type(pair[2]) ~= "integer" then
    refuse(below(place, name), "expected a token and its id")
  end
  return pair[2]
end

local function read_marks(object, place, post)
  append(post.before, { mark(object, "cls", place) })
  append(post.after, { mark(object, "sep", place) })
end

local post_processors = {
  TemplateProcessing = read_template,
  BertProcessing = read_marks,
  RobertaProcessing = function(object, place, post)
    read_marks(object, place, post)
    post.trim = post.trim or flag(object, "trim_offsets", place, true)
  end,
  ByteLevel = function(object, place, post)
    post.trim = post.trim or flag(object, "trim_offsets", place, true)
  end,
}

local function add_post_processors(object, place, post)
  local name = type_of(object, place)
  if name == "Sequence" then
    for i, item in ipairs(need(object, "processors", "table", place)) do
      add_post_processors(item, ("%s.processors[%d]"):format(place, i - 1), post)
    end
    return
  end
  if not post_processors[name] then unknown(place, name) end
  post_processors[name](object, place, post)
end

--- The object of the file → ids before, ids after, whether places are trimmed.
function parts.read_post_processor(object)
  local post = { before = {}, after = {}, trim = false }
  if object ~= nil then add_post_processors(object, "post_processor", post) end
  return post.before, post.after, post.trim
end

-- Ids around the text as a template. One of two texts: before A after B after.
local function template(tokenizer)
  local tokens, single, pair = {}, {}, {}
  local function special(id, type_id)
    local name = tokenizer:token(id) or tostring(id)
    tokens[name] = { id = name, ids = { id }, tokens = { name } }
    return { SpecialToken = { id = name, type_id = type_id } }
  end
  local function add(list, ids, type_id)
    for _, id in ipairs(ids) do list[#list + 1] = special(id, type_id) end
  end
  local function text(list, name, type_id)
    list[#list + 1] = { Sequence = { id = name, type_id = type_id } }
  end
  for _, list in ipairs{ single, pair } do
    add(list, tokenizer.before, 0)
    text(list, "A", 0)
    add(list, tokenizer.after, 0)
  end
  text(pair, "B", 1)
  add(pair, tokenizer.after, 1)
  return { type = "TemplateProcessing", single = single, pair = pair, special_tokens = tokens }
end

--- What stands around a tokenizer's texts → the object of the file, or nil.
function parts.write_post_processor(tokenizer)
  local list = {}
  if tokenizer.trim then
    list[1] = { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true }
  end
  if #tokenizer.before + #tokenizer.after > 0 then list[#list + 1] = template(tokenizer) end
  return sequence_of(list, "processors")
end

-- ---- decoders ------------------------------------------------------------------------------------

local decoders = {
  ByteLevel = function() return "byte_level" end,
  ByteFallback = function() return "byte_fallback" end,
  Fuse = function() return "fuse" end,
  WordPiece = function(o, place)
    return { "wordpiece", prefix = need(o, "prefix", "string", place, false) or "##",
      cleanup = flag(o, "cleanup", place, true) }
  end,
  Metaspace = function(o, place)
    return { "metaspace", text = need(o, "replacement", "string", place),
      drop_first = scheme_of(o, place) ~= "never" }
  end,
  BPEDecoder = function(o, place)
    return { "suffix", text = need(o, "suffix", "string", place, false) or "</w>" }
  end,
  Strip = function(o, place)
    return { "strip", text = need(o, "content", "string", place),
      left = need(o, "start", "number", place), right = need(o, "stop", "number", place) }
  end,
  Replace = function(o, place)
    return { "replace", from = plain_pattern(o, place), to = need(o, "content", "string", place) }
  end,
}

--- The object of the file → list of steps.
function parts.read_decoder(object, place)
  if object == nil then return {} end
  local name = type_of(object, place)
  if name == "Sequence" then
    local all = {}
    for i, item in ipairs(need(object, "decoders", "table", place)) do
      append(all, parts.read_decoder(item, ("%s.decoders[%d]"):format(place, i - 1)))
    end
    return all
  end
  if not decoders[name] then unknown(place, name) end
  return { decoders[name](object, place) }
end

local decoder_writers = {
  byte_level = function()
    return { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true }
  end,
  byte_fallback = function() return { type = "ByteFallback" } end,
  fuse = function() return { type = "Fuse" } end,
  wordpiece = function(o) return { type = "WordPiece", prefix = o.prefix, cleanup = o.cleanup } end,
  metaspace = function(o)
    return { type = "Metaspace", replacement = o.text,
      prepend_scheme = o.drop_first and "always" or "never", split = true }
  end,
  suffix = function(o) return { type = "BPEDecoder", suffix = o.text } end,
  strip = function(o)
    return { type = "Strip", content = o.text, start = o.left, stop = o.right }
  end,
  replace = function(o)
    return { type = "Replace", pattern = { String = o.from }, content = o.to }
  end,
}

--- Steps → the object of the file, or nil.
function parts.write_decoder(steps)
  local list = {}
  for i, step in ipairs(steps) do list[i] = decoder_writers[step.name](step) end
  return sequence_of(list, "decoders")
end

return parts
