--- Word vectors: loaded, asked, judged, changed, and given to a model.
--
--     local embeddings = marea.embeddings
--     local vectors = assert(embeddings.load("glove.6B.100d.txt.gz"))
--     print(vectors:analogy("man", "king", "woman")[1].word)          -- queen
--     local table, report = vectors:matrix(tokenizer, { oov = "random" })
--     local layer = marea.nn.Embedding{ weights = table, trainable = false }
-- @module marea.embeddings
local native = require "marea.native"
local options = require "marea.nn.options"
local Vectors = require "marea.embeddings.vectors"

local embeddings = {}

--- A store of words and their vectors.
-- @tparam table given `words` (list of strings that differ), `matrix` (tensor or nested table,
-- (V,D)), `type` "float32" (default), "float16" or "int8", `card`: table of strings that travels
-- with the file (source, licence …)
-- @treturn Vectors
-- @raise when sizes differ, a word is there twice, a number is NaN or infinite
embeddings.Vectors = Vectors

local load_options = {
  format = "auto", type = options.optional, limit = 0, width = 0, words = options.optional,
  fallback = options.optional, subwords = true, mapped = true, progress = options.optional,
}

-- The words that a tokenizer, a vocabulary or a list asks for, with their fallbacks.
local function wanted(words, fallback)
  if words == nil then return nil end
  local transfer = require "marea.embeddings.transfer"
  return transfer.words_to_load(words, fallback)
end

-- progress = true draws on standard error, at most twice a second.
local function drawing(path)
  local shown = native.clock()
  return function(done, total)
    local now = native.clock()
    if now - shown < .5 or total == 0 then return true end
    shown = now
    io.stderr:write(("\r%s: %d%%%s"):format(path, 100 * done // total, done == total and "\n" or ""))
    return true
  end
end

--- Reads vectors, plain or gzip; the format is told by the content: text of GloVe, word2vec or
-- fastText (with a header "V D" or without; words may hold blanks), word2vec's binary form,
-- fastText's .bin with the parts of words, and Marea's own file, which is mapped and there in
-- milliseconds.
-- @tparam string path
-- @tparam[opt] table given
-- `words`: a list, tokenizer, pipeline or vocabulary: only these are kept, with what `fallback`
-- ({ "lower", "strip_accents" }) makes of them; `limit`: the first so many rows; `type` of the rows:
-- "float32", "float16", "int8" (default: float32, or the file's own); `format` "auto", "text",
-- "word2vec", "fasttext", "marea"; `width`: numbers a row, for a text whose first words end in
-- numbers; `subwords = false` leaves fastText's parts out; `mapped = false` copies and checks a file
-- of Marea's own; `progress`: true, or a function of the bytes read and all bytes (0: unknown) that
-- stops reading when it returns false
-- @treturn Vectors or nil
-- @treturn table|string report { format, rows, seen, duplicates (the first one stays), left_out,
-- mapped }, or the message, which names the line or byte
function embeddings.load(path, given)
  if type(path) ~= "string" then
    error("load: path must be a string, got " .. options.show(path), 0)
  end
  local read = options.read("load", given, load_options)
  options.choice("load", "format", read.format, { "auto", "text", "word2vec", "fasttext", "marea" })
  local progress = read.progress
  if progress == true then progress = drawing(path) end
  if progress == false then progress = nil end
  if progress ~= nil and type(progress) ~= "function" then
    error("load: progress must be true or a function, got " .. options.show(progress), 0)
  end
  local core, report = native.vectors_load(path, { format = read.format, type = read.type,
    limit = options.integer("load", "limit", read.limit, 0),
    width = options.integer("load", "width", read.width, 0),
    only = wanted(read.words, read.fallback), copy = not read.mapped,
    no_subwords = not read.subwords, progress = progress })
  if not core then return nil, report end
  local vectors = Vectors.from_core(core)
  report.rows = #vectors
  return vectors, report
end

--- The hash of fastText for a part of a word (FNV-1a over sign-extended bytes), before the modulo.
embeddings.subword_hash = native.subword_hash

-- name → file; loaded when first used.
local parts = {}

return setmetatable(embeddings, {
  __index = function(_, name)
    local value = parts[name] and require(parts[name])
    rawset(embeddings, name, value)
    return value
  end,
})
