--- many_to_one: a sequence to a value, a class or several numbers.
--
--     local model = marea.builders.many_to_one{ source = { tokenizer = tokenizer }, units = 32,
--       outputs = { "bad", "good" } }
--     model:fit(reviews, { "good", "bad", … }, { epochs = 3 })
--     print(model:decode({ "What a film!" })[1])                  -- good
--
-- @module marea.builders.many_to_one
local nn = require "marea.nn"
local options = require "marea.nn.options"
local room = require "marea.builders.reading_sequences"

local poolings = { max = "GlobalMaxPooling1D", mean = "GlobalAveragePooling1D",
  attention = "AttentionPooling1D" }

local function make(self)
  options.boolean(self.class_name, "bidirectional", self.bidirectional)
  options.choice(self.class_name, "pooling", self.pooling, { "last", "max", "mean", "attention" })
  room.add_recurrent(self, self.pooling ~= "last")
  if self.pooling ~= "last" then
    table.insert(self.layers, nn[poolings[self.pooling]]{ name = "pooling" })
  end
  room.add_outputs(self)
end

--- A Sequential with `decode`. `fit`, `evaluate` and `predict` take tensors, or lists of sequences of any
-- lengths: texts, words, ids or vectors; targets may be names of classes.
--
-- `source`: { tokenizer = }, { vocabulary = number of ids } (id 0 is padding), with `embedding` (64),
-- `weights`, `trainable` as for nn.Embedding, or { features = D }. `outputs` (1): their number, or the
-- names of the classes; `task`: "binary" (with one output), "classes" (with more) or "values";
-- `pooling` ("last": the last state; "max", "mean", "attention" over all steps), `bidirectional` (false),
-- `cell` ("LSTM"), `units` (64), `num_layers` (1), `cell_options`, `dropout` (0).
local ManyToOne = room.class("ManyToOne", { pooling = "last", bidirectional = false }, "consume", make)

--- Targets with names of classes as ids.
function ManyToOne:read_targets(who, _, _, y)
  if type(y) ~= "table" or type(y[1]) ~= "string" then return y end
  local ids = {}
  for i, name in ipairs(y) do ids[i] = room.class_id(self, ("%s: target %d"):format(who, i), name) end
  return ids
end

--- The value of each sequence: the name or id of its class, or its numbers.
-- @param x as for fit
-- @tparam[opt] table given as for predict
-- @treturn table
function ManyToOne:decode(x, given)
  local p = room.predict(self, "decode", x, given)
  if self.task == "values" then return p:totable() end
  local ids = room.likeliest(self, p)
  for i, id in ipairs(ids) do ids[i] = room.class_name(self, id) end
  return ids
end

return ManyToOne
