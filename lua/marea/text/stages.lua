--- The stages of a text pipeline by name, with their options.
--
-- A stage is written as its name or as `{ name, option = … }` (in files: `name = …`):
--
--     normalize = { "nfc", "lower", { "strip_accents", keep = "ñ" } }
--
-- Normalizers: `nfc`, `nfd`, `nfkc`, `nfkd`; `lower` (final_sigma = true: ς at the end of words),
-- `lower_ascii`, `fold`; `strip_accents` (keep: composed letters that stay), `strip_marks` (after nfd;
-- all = false: also spacing and enclosing marks), `strip_combining`; `html` (to), `urls` (to), `digits`
-- (to, runs = false: each digit), `replace` (from, to), `characters` (from: any of them, to),
-- `delete_punctuation` (ASCII marks), `prepend` (text, once = false: also when it is there), `strip`
-- (left, right), `collapse` (two or more blanks are one; spaces), `clean`, `cjk_spaces`.
--
-- Splitters: `none`, `filters` (filters, split), `words` (punctuation = "drop" or "keep"),
-- `whitespace` (spaces), `code_points`, `graphemes`, `bytes` (only as the last), `word_runs` (min),
-- `words_or_marks`, `bert`, `byte_level`, `metaspace` (text), `punctuation` (behavior), `digits`
-- (individual), `literal` (text, behavior). `spaces` is "unicode", "ascii" or "python" (with U+001C to
-- U+001F); `behavior` says what becomes of a separator, as Hugging Face names it.
--
-- A Lua function becomes a stage when it is registered under a name; a model file that needs it
-- says so, and loading fails clearly where it is not registered.
-- @module marea.text.stages
local native = require "marea.native"
local options = require "marea.nn.options"

local stages = {}

-- name → options with their defaults; `reads` turns them into what the core takes.
local normalizers = {
  nfc = {}, nfd = {}, nfkc = {}, nfkd = {}, lower = { final_sigma = true }, lower_ascii = {},
  fold = {}, strip_marks = { all = false }, strip_combining = {},
  collapse = { spaces = "unicode" }, clean = {}, cjk_spaces = {},
  strip_accents = { keep = "" }, html = { to = " " }, urls = { to = "URL" },
  digits = { to = "0", runs = false }, replace = { from = options.required, to = "" },
  characters = { from = options.required, to = " " }, delete_punctuation = {},
  prepend = { text = options.required, unless_there = false },
  strip = { left = true, right = true },
}

local splitters = {
  none = {}, whitespace = { spaces = "unicode" }, code_points = {}, graphemes = {}, bytes = {}, words_or_marks = {},
  bert = {}, byte_level = {}, filters = { filters = false, split = " " },
  words = { punctuation = "drop" }, word_runs = { min = 1 }, metaspace = { text = "▁" },
  punctuation = { behavior = "isolated" }, digits = { individual = false },
  literal = { text = options.required, behavior = "removed" },
}

local ASCII_MARKS <const> = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

local function string_option(who, name, value)
  if type(value) ~= "string" then
    error(("%s: %s must be a string, got %s"):format(who, name, options.show(value)), 0)
  end
  return value
end

local function composed(characters)
  return native.pipeline{ normalize = { { kind = "nfc" } } }:normalize(characters)
end

-- How each stage's options reach the core, where they differ from { kind = name }.
local core_normalizers = {
  lower = function(o) return { apart = not o.final_sigma } end,
  collapse = function(o) return { spaces = o.spaces } end,
  strip_accents = function(o) return { from = composed(o.keep) } end,
  html = function(o) return { to = o.to } end,
  urls = function(o) return { to = o.to } end,
  digits = function(o) return { to = o.to, whole = o.runs } end,
  replace = function(o) return { from = o.from, to = o.to } end,
  characters = function(o) return { from = o.from, to = o.to } end,
  delete_punctuation = function() return { kind = "characters", from = ASCII_MARKS, to = "" } end,
  prepend = function(o) return { to = o.text, once = o.unless_there } end,
  strip_marks = function(o) return { whole = o.all } end,
  strip = function(o) return { left = o.left, right = o.right } end,
}

local core_splitters = {
  whitespace = function(o) return { spaces = o.spaces } end,
  words = function(o) return { keep = o.punctuation == "keep" } end,
  word_runs = function(o) return { least = o.min } end,
  metaspace = function(o) return { text = o.text } end,
  punctuation = function(o) return { behavior = o.behavior } end,
  digits = function(o) return { each = o.individual } end,
  literal = function(o) return { text = o.text, behavior = o.behavior } end,
}

-- Registered functions: kind → name → { f, version }.
local registered = { normalizer = {}, splitter = {} }

--- Makes a Lua function a stage that can be named and saved.
-- A normalizer takes a text and returns one; a splitter takes a text and returns the list of its
-- pieces, in order, each a part of the text.
-- @tparam string kind "normalizer" or "splitter"
-- @tparam string name
-- @tparam function f
-- @tparam[opt=1] integer version raise it when f gives other results: files remember it
function stages.register(kind, name, f, version)
  options.choice("text.register", "kind", kind, { "normalizer", "splitter" })
  string_option("text.register", "name", name)
  if type(f) ~= "function" then
    error("text.register: expected a function, got " .. options.show(f), 0)
  end
  if (kind == "normalizer" and normalizers or splitters)[name] then
    error(("text.register: %q is the name of a %s of Marea's"):format(name, kind), 0)
  end
  registered[kind][name] = { f = f, version = options.integer("text.register", "version",
    version or 1) }
end

local function names_of(kind, known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  for name in pairs(registered[kind]) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

-- A stage of the caller's: { kind = "function" } with the function, and what a file keeps of it.
local function own_stage(who, kind, name, given)
  local own = registered[kind][name]
  if not own then
    local needs = given.version and (" (version %d, registered by text.register when it was saved)")
      :format(given.version) or ""
    local known = kind == "normalizer" and normalizers or splitters
    error(("%s: there is no %s called %s%s; there are %s"):format(who, kind, options.show(name),
      needs, names_of(kind, known)), 0)
  end
  if given.version and given.version ~= own.version then
    error(("%s: the %s %q is registered with version %d, version %d is needed"):format(who, kind,
      name, own.version, given.version), 0)
  end
  return { name = name, version = own.version }, { kind = "function", f = own.f }
end

-- Options with a few values; all others are strings.
local choices = {
  behavior = { "removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous" },
  punctuation = { "drop", "keep" }, spaces = { "unicode", "ascii", "python" },
}
local flags = { runs = true, left = true, right = true, individual = true, final_sigma = true,
  unless_there = true, all = true }

local function check_options(who, o)
  for name, value in pairs(o) do
    if name == "min" then o.min = options.integer(who, "min", value)
    elseif choices[name] then options.choice(who, name, value, choices[name])
    elseif flags[name] then options.boolean(who, name, value)
    elseif name ~= "filters" or value then string_option(who, name, value)
    end
  end
end

-- Keras's rule has two cases: with one character to split at all separators are one class; a longer
-- text takes the place of the filters first and then cuts.
local function filters_stage(o, keras_filters)
  o.filters = o.filters or keras_filters
  if o.split == "" then error("splitter filters: split must be at least one character", 0) end
  if utf8.len(o.split) == 1 then
    return nil, { kind = "filters", text = o.filters .. o.split }
  end
  return { kind = "characters", from = o.filters, to = o.split },
    { kind = "literal", text = o.split, behavior = "removed" }
end

-- One stage: what a file keeps of it, and what the core takes.
local function read_stage(who, kind, stage)
  local known = kind == "normalizer" and normalizers or splitters
  if type(stage) == "string" then stage = { stage } end
  if type(stage) ~= "table" then
    error(("%s: a %s is a name or { name, … }, got %s"):format(who, kind, options.show(stage)), 0)
  end
  local name, given = stage[1] or stage.name, {}
  for key, value in pairs(stage) do
    if key ~= 1 and key ~= "name" then given[key] = value end
  end
  if not known[name] then return own_stage(who, kind, name, given) end
  who = ("%s: %s %s"):format(who, kind, name)
  local o = options.read(who, given, known[name])
  check_options(who, o)
  local kept = { name = name }
  for key, value in pairs(o) do kept[key] = value end
  local core_of = (kind == "normalizer" and core_normalizers or core_splitters)[name]
  local core = core_of and core_of(o) or {}
  core.kind = core.kind or name
  return kept, core, o
end

local function list_of(who, field, value)
  if value == nil then return {} end
  if type(value) == "string" then return { value } end
  if type(value) ~= "table" then
    error(("%s: %s must be a list of stages, got %s"):format(who, field, options.show(value)), 0)
  end
  for key in pairs(value) do
    if math.type(key) ~= "integer" then return { value } end -- a stage with its options
  end
  return value
end

--- Checks the stages of a pipeline.
-- @tparam string who for messages
-- @tparam table given `normalize`, `split`
-- @tparam string keras_filters
-- @treturn table the same with every option written out, for files
-- @treturn table lists for the core
function stages.read(who, given, keras_filters)
  local kept, core = { normalize = {}, split = {} }, { normalize = {}, split = {} }
  for _, stage in ipairs(list_of(who, "normalize", given.normalize)) do
    kept.normalize[#kept.normalize + 1], core.normalize[#core.normalize + 1] =
      read_stage(who, "normalizer", stage)
  end
  for _, stage in ipairs(list_of(who, "split", given.split)) do
    local described, piece, o = read_stage(who, "splitter", stage)
    if piece.kind == "filters" then
      local before
      before, piece = filters_stage(o, keras_filters)
      described.filters = o.filters
      core.normalize[#core.normalize + 1] = before
    end
    kept.split[#kept.split + 1], core.split[#core.split + 1] = described, piece
  end
  return kept, core
end

return stages
