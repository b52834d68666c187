--- Pipelines that reproduce other tools to the letter, or suit a language.
--
-- Each is checked by cases that were computed with the tool itself (spec/golden/presets.json).
-- @module marea.text.presets
local native = require "marea.native"
local options = require "marea.nn.options"

local presets = {}

local list = {
  --- What we would choose: Unicode's words of composed, lower-case text; marks apart are dropped.
  unicode = { normalize = { "nfc", "lower" }, split = { "words" } },

  --- Spanish without accents, but with ñ; tags and URLs out of the way.
  es = { normalize = { "html", "urls", "nfc", "lower", { "strip_accents", keep = "ñ" } },
    split = { "words" } },

  --- Keras's Tokenizer: filter marks and lower case, cut at blanks; ids from 1, ties in the order of
  -- first sight; unknown words are left out.
  keras = { normalize = { "lower" }, split = { { "filters", filters = native.keras_filters } },
    specials = { "" }, pad = "", unknown = false },

  --- TextVectorization of Keras 2.6 to 3: lower-cases A to Z alone, deletes ASCII marks, cuts at
  -- white space; ids "" 0, "[UNK]" 1; ties by bytes, backwards.
  textvectorization = { normalize = { "lower_ascii", "delete_punctuation" },
    split = { { "whitespace", spaces = "ascii" } }, ties = "descending", pad = "",
    unknown = "[UNK]" },

  --- CountVectorizer and TfidfVectorizer of scikit-learn: runs of two or more word characters,
  -- alphabetical ids from 0, unknown words are left out.
  sklearn = { normalize = { "lower" }, split = { { "word_runs", min = 2 } }, order = "bytes",
    ties = "ascending", specials = {}, pad = false, unknown = false },

  --- vocab_count of Stanford's GloVe: what stands between blanks and tabs, ties by bytes with a
  -- sign. (It cuts words at 999 bytes, which this does not.)
  glove = { normalize = { { "characters", from = "\r", to = "" } },
    split = { { "filters", filters = "\t\n\0" } }, ties = "signed", specials = {}, pad = false,
    unknown = false },

  --- fastText's dictionary: what stands between blanks, at least five times (minCount of
  -- unsupervised training). The sentence mark </s> at line ends is the reader's business.
  fasttext = { split = { { "filters", filters = "\t\n\v\f\r\0" } }, min_count = 5,
    specials = {}, pad = false, unknown = false },

  --- The words that BERT's uncased models cut into pieces: clean, without accents (ñ becomes n),
  -- lower case (σ also at the end of a word), each mark apart.
  bert = { normalize = { "clean", "cjk_spaces", "nfd", "strip_marks",
      { "lower", final_sigma = false } },
    split = { "bert" }, specials = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" }, pad = "[PAD]",
    unknown = "[UNK]" },
}

--- The names of all presets.
function presets.names()
  local names = {}
  for name in pairs(list) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- A copy of a preset's options.
function presets.get(name)
  options.choice("Pipeline", "preset", name, presets.names())
  local copy = {}
  for key, value in pairs(list[name]) do copy[key] = value end
  return copy
end

return presets
