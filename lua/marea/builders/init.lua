--- Builders: the four shapes of problem with sequences, each as one object with `fit` and `decode`.
--
-- | | |
-- |---|---|
-- | many_to_one | a sequence to a value: the mood of a review, tomorrow's temperature |
-- | one_to_many | a value to a sequence: a name for a kind, a curve for its parameters |
-- | many_to_many | a sequence to one of the same length: a tag for each word |
-- | encoder_decoder | a sequence to one of another length: a translation, a sum |
--
--     local model = marea.builders.many_to_one{ source = { vocabulary = 10000 }, units = 32 }
--     model:fit(x, y, { epochs = 3 })
--     print(model:decode(x)[1])
--
-- Sequences are texts, lists of words, of ids or of vectors, of any lengths, or tensors; padding with id 0
-- (words) or beyond `lengths` (vectors) changes nothing. What a tokenizer says about the words of the last
-- call is in `model.report.source` and `.target`: words, unknown, and `left_out`, those without an id and
-- without a token in their place, which are told once on the error stream (never with verbose = 0) and
-- refused where labels stand beside them (many_to_many). A sample without a word is refused.
--
-- They are made of the layers of marea.nn, are saved by `model:save` and come back by `marea.load`.
-- @module marea.builders
local places = { many_to_one = "marea.builders.many_to_one", one_to_many = "marea.builders.one_to_many",
  many_to_many = "marea.builders.many_to_many", encoder_decoder = "marea.builders.encoder_decoder" }

return setmetatable({}, {
  __index = function(builders, name)
    if not places[name] then return nil end
    local class = require(places[name])
    rawset(builders, name, class)
    return class
  end,
  lazy = { places },
})
