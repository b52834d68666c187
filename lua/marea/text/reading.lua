--- What every class that reads texts has in common, so that encodings, models and vectors can take
-- any of them: `text.Tokenizer`, `text.Pipeline`, `text.SubwordTokenizer`.
--
-- Each has the methods
--
-- - `texts_to_padded(texts, padding)` → int32 tensor (N, T), report
-- - `encode_sequences(texts)` → sequences, report
-- - `id_count()` → number of ids, from 0
-- - `word_of(id)` → its text, or nil
-- - `first_word_id()` → 1 where id 0 is padding, else 0
-- - `unknown_id()` → id of unknown words, or nil
-- - `document_frequencies()` → function id → number of documents with the word; number of documents
-- - `get_config()`, and the class `from_config(config)`; the config's `class` names it
-- @module marea.text.reading
local options = require "marea.nn.options"

local reading = {}

local classes = { Tokenizer = "marea.text.tokenizer", Pipeline = "marea.text.pipeline",
  SubwordTokenizer = "marea.text.subword_tokenizer" }

--- The reader of texts that a config describes.
-- @raise when the config is malformed, or its class is not known
function reading.from_config(config)
  if type(config) ~= "table" then error("tokenizer: malformed description", 0) end
  local class = config.class or "Tokenizer"
  if not classes[class] then
    error(("a tokenizer of the class %s is not known here; there are Pipeline, SubwordTokenizer, "
      .. "Tokenizer"):format(options.show(class)), 0)
  end
  return require(classes[class]).from_config(config)
end

return reading
