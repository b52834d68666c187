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
local Sequential = require "marea.model.sequential"

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

--- A Sequential with `decode`.
--
-- `source`: { tokenizer = }, { vocabulary = number of ids } (id 0 is padding), with `embedding` (64),
-- `weights`, `trainable` as for nn.Embedding, or { features = D }. `outputs` (1): their number, or the
-- names of the classes; `task`: "binary" (with one output), "classes" (with more) or "values";
-- `pooling` ("last": the last state; "max", "mean", "attention" over all steps), `bidirectional` (false),
-- `cell` ("LSTM"), `units` (64), `num_layers` (1), `cell_options`, `dropout` (0).
local ManyToOne = room.class("ManyToOne", { pooling = "last", bidirectional = false }, "consume", make)

-- Targets with names of classes as ids.
local function read_targets(self, who, y)
  if type(y) ~= "table" or type(y[1]) ~= "string" then return y end
  local ids = {}
  for i, name in ipairs(y) do ids[i] = room.class_id(self, ("%s: target %d"):format(who, i), name) end
  return ids
end

--- x and y as Sequential's fit takes them.
function ManyToOne:lesson(who, x, y)
  return x, read_targets(self, who, y)
end

--- As for Sequential; targets may be names of classes.
function ManyToOne:fit(x, y, given)
  if not self.compiled then self:compile{} end
  local validation = given and given.validation_data
  if type(validation) == "table" and validation[2] then
    local copy = {}
    for key, value in pairs(given) do copy[key] = value end
    copy.validation_data = { validation[1], read_targets(self, "fit: validation", validation[2]),
      validation[3], lengths = validation.lengths }
    given = copy
  end
  return Sequential.fit(self, x, read_targets(self, "fit", y), given)
end

--- As for Sequential; targets may be names of classes.
function ManyToOne:evaluate(x, y, given)
  return Sequential.evaluate(self, x, read_targets(self, "evaluate", y), given)
end

--- The value of each sequence: the name or id of its class, or its numbers.
-- @param x as for fit
-- @tparam[opt] table given as for predict
-- @treturn table
function ManyToOne:decode(x, given)
  local p = self:predict(x, given)
  if self.task == "values" then return p:totable() end
  local ids = room.likeliest(self, p)
  for i, id in ipairs(ids) do ids[i] = room.class_name(self, id) end
  return ids
end

return ManyToOne
