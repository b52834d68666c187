--- Text: from raw bytes to tokens, words, ids.
--
-- `Tokenizer` has the rules and names of Keras. `Pipeline` is built of stages: every normalizer and
-- splitter by name, presets that reproduce other tools to the letter, a vocabulary to read.
-- @module marea.text
local native = require "marea.native"
local options = require "marea.nn.options"
local stages = require "marea.text.stages"
local Tokenizer = require "marea.text.tokenizer"

local text = { Tokenizer = Tokenizer, tokenizer_from_json = Tokenizer.from_json,
  register = stages.register }

-- Functions ---------------------------------------------------------------------------------------

--- The words of one text.
-- @tparam string source
-- @tparam[opt] table given `filters`, `lower`, `split`
-- @treturn {string,...}
function text.text_to_word_sequence(source, given)
  local read = options.read("text_to_word_sequence", given,
    { filters = native.keras_filters, lower = true, split = " " })
  return Tokenizer(read).pipeline:tokens(source)
end

--- Ids by hashing: hash(word) mod (n - 1) + 1, the same in every process. Different words may share
-- an id.
-- @tparam string source
-- @tparam integer n ids are 1 … n-1
-- @tparam[opt] table given `hash`: "marea" (default) or "md5", which gives the ids of Keras's
-- hash_function "md5"; `seed` (not for md5), and as for text_to_word_sequence
function text.hashing_trick(source, n, given)
  options.integer("hashing_trick", "n", n, 2)
  given = given or {}
  local words = text.text_to_word_sequence(source,
    { filters = given.filters, lower = given.lower, split = given.split })
  local hash = options.choice("hashing_trick", "hash", given.hash or "marea", { "marea", "md5" })
  if hash == "md5" and given.seed then error("hashing_trick: md5 has no seed", 0) end
  for i, word in ipairs(words) do
    words[i] = (hash == "md5" and native.md5_modulo(word, n - 1)
      or native.hash_bytes(word, given.seed or 0) % (n - 1)) + 1
  end
  return words
end

--- What Keras calls one_hot: hashing_trick.
text.one_hot = text.hashing_trick

-- Loaded when they are first used.
local parts = { Pipeline = "marea.text.pipeline", Vocabulary = "marea.text.vocabulary",
  Phrases = "marea.text.phrases",
  encodings = "marea.text.encodings", subword = "marea.text.subword",
  SubwordTokenizer = "marea.text.subword_tokenizer", huggingface = "marea.text.huggingface" }

return setmetatable(text, {
  __index = function(_, name)
    local value = parts[name] and require(parts[name])
    rawset(text, name, value)
    return value
  end,
})
