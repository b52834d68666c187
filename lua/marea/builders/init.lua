--- The four architectures of sequence models, each from one table of options.
--
-- | builder | from | to |
-- |---|---|---|
-- | `many_to_one` | a sequence | a value or a class |
-- | `one_to_many` | a value | a sequence |
-- | `many_to_many` | a sequence | a value or label at each of its steps |
-- | `encoder_decoder` | a sequence | a sequence of another length |
--
--     local model = marea.builders.encoder_decoder{
--       source = { tokenizer = english, embedding = 64 },
--       target = { tokenizer = spanish, embedding = 64, start = "<s>", stop = "</s>" },
--       units = 128, attention = "general",
--     }
--     model:fit(english_texts, spanish_texts, { epochs = 10 })
--     print(model:decode("good morning"))
--
-- Each gives one model that is compiled already (`optimizer`, `loss`, `metrics`; `compile` changes
-- them) and has fit, evaluate, predict or decode, summary and save; marea.load reads it.
-- @module marea.builders
local files = { many_to_one = "many_to_one", many_to_many = "many_to_many", one_to_many = "one_to_many",
  encoder_decoder = "encoder_decoder" }
-- The classes of the models that feed their own output back.
local classes = { EncoderDecoder = "encoder_decoder", OneToMany = "one_to_many" }

return setmetatable({}, {
  __index = function(builders, name)
    local file = files[name] or classes[name]
    if not file then return nil end
    local room = require("marea.builders." .. file)
    local value = files[name] and room.build or room.class
    rawset(builders, name, value)
    return value
  end,
  lazy = { files, classes }, -- for completion in the REPL
})
