--- The decoder of the builders: from states (and, with attention, a memory of steps) to a sequence.
--
-- Attention stands behind the recurrent layers (Luong, Pham & Manning, 2015, equations 5 to 8, without
-- input feeding), so that a whole target sequence is one pass of the recurrent layers in training.
-- @module marea.builders.decoder
local nn = require "marea.nn"
local ops = require "marea.ops"
local recurrent = require "marea.builders.recurrent"

local Decoder = {}
Decoder.__index = Decoder

local function make_attention(self, owner, kind, memory_features)
  local width = self.layers[#self.layers].state_size[1]
  if kind == "dot" and memory_features ~= width then
    owner:fail("attention \"dot\" compares %d features of the decoder with %d of the encoder; use "
      .. "\"general\" or \"additive\"", width, memory_features)
  end
  if kind == "additive" then
    self.attend = nn.AdditiveAttention{ name = "attention" }
    self.key = nn.Dense{ owner.units, use_bias = false, name = "attention_key" }
  else
    self.attend = nn.Attention{ name = "attention" }
  end
  if kind ~= "dot" then
    self.query = nn.Dense{ kind == "general" and memory_features or owner.units, use_bias = false,
      name = "attention_query" }
  end
  self.combine = nn.Dense{ owner.units, activation = "tanh", name = "attention_combine" }
end

--- The decoder of a builder, whose weights become the builder's.
-- @tparam table owner the builder, with the options of recurrent
-- @tparam table given `size` and `side` (of words) or `features` (of a vector of reals); `outputs`;
-- `attention` ("dot", "general", "additive" or false) over steps of `memory_features`
function Decoder.new(owner, given)
  local self = setmetatable({ layers = {}, owner = owner, features = given.features }, Decoder)
  if given.size then
    local side = given.side
    self.words = recurrent.reader({ vocabulary = given.size, embedding = side.embedding,
      weights = side.weights, trainable = side.trainable }, "target_words")
  end
  for i = 1, owner.num_layers do
    self.layers[i] = recurrent.layer(owner, "decoder_" .. i, true)
  end
  if owner.dropout > 0 then self.drop = nn.Dropout{ owner.dropout, name = "decoder_dropout" } end
  if given.attention then make_attention(self, owner, given.attention, given.memory_features) end
  self.scores = nn.Dense{ given.outputs, name = "scores" }
  self.memory_features = given.memory_features
  return self
end

--- Its layers, in the order in which data passes.
function Decoder:children()
  local list = { self.words }
  table.move(self.layers, 1, #self.layers, #list + 1, list)
  for _, part in ipairs{ "drop", "query", "key", "attend", "combine" } do list[#list + 1] = self[part] end
  list[#list + 1] = self.scores
  return list
end

--- Makes the weights.
function Decoder:build()
  local features = self.features
  if self.words then
    self.words:build{ -1, -1 }
    features = self.words.output_dim
  end
  for _, layer in ipairs(self.layers) do
    layer:build{ -1, -1, features }
    features = layer.state_size[1]
  end
  if self.drop then self.drop:build{ -1, -1, features } end
  if self.attend then
    local memory = self.memory_features
    if self.query then self.query:build{ -1, -1, features } end
    if self.key then self.key:build{ -1, -1, memory } end
    local query = self.query and self.query.units or features
    self.attend:build{ { -1, -1, query }, { -1, -1, memory }, { -1, -1, self.key and self.key.units or memory } }
    self.combine:build{ -1, -1, memory + features }
    features = self.combine.units
  end
  self.scores:build{ -1, -1, features }
end

--- What attention looks at: steps (B, S, E), their mask, and the keys that follow from them.
function Decoder:remember(values, mask)
  return { values = values, mask = mask, keys = self.key and self.key(values) or values }
end

-- The recurrent layers over (B, T, features).
local function recur(self, x, mask, states, training)
  local after = {}
  for i, layer in ipairs(self.layers) do
    if self.drop then x = self.drop(x, { training = training }) end
    local results = table.pack(layer(x, { mask = mask or false, training = training, initial_state = states[i],
      return_state = true }))
    x, after[i] = results[1], table.move(results, 2, layer.states + 1, 1, {})
  end
  if self.drop then x = self.drop(x, { training = training }) end
  return x, after
end

-- tanh(W [context; y]) and the weights (B, T, S). Several rows of one memory are as many queries.
local function attend(self, y, memory, training)
  local shape = y:shape()
  local shared = shape[1] > 1 and memory.values:size(1) == 1
  if shared then y = y:reshape{ 1, shape[1] * shape[2], shape[3] } end
  local context, weights = self.attend({ self.query and self.query(y) or y, memory.values, memory.keys },
    { mask = { [2] = memory.mask }, training = training, return_attention_scores = true })
  y = self.combine(ops.concat({ context, y }, 3))
  if not shared then return y, weights end
  return y:reshape{ shape[1], shape[2], -1 }, weights:reshape{ shape[1], shape[2], -1 }
end

--- The recurrent layers and attention over tokens (B, T) or vectors (B, T, K).
-- @tparam table states of each layer a list of tensors
-- @tparam table|nil memory what attention looks at; of B rows, or of one for all
-- @treturn tensor (B, T, units): what the scores are made of
-- @treturn table the states after the last step
-- @treturn tensor|nil the weights of attention (B, T, S)
function Decoder:run(previous, mask, states, memory, training)
  local x = self.words and self.words(previous) or previous
  local y, after = recur(self, x, mask, states, training)
  if not self.attend then return y, after end
  local attended, weights = attend(self, y, memory, training)
  return attended, after, weights
end

-- 1 for a share `rate` of the rows.
local function chance(rows, rate, stream)
  if rate <= 0 or rate >= 1 then return ops.ones{ rows } * (rate > 0 and 1 or 0) end
  return ops.greater(ops.dropout(ops.ones{ rows }, 1 - rate, stream), 0)
end

-- What is fed next: for some rows the decoder's own output (under the dropout of this step), for the others
-- the truth.
local function choose(self, truth, y, rate)
  return ops.no_grad(function()
    local own = self.scores(y)
    local shape, given = truth:shape(), ops.as_real(truth)
    if self.words then own = ops.as_real(ops.argmax_ids(own, 3)) end
    local fed = chance(shape[1], rate, self.owner.random):reshape(#shape == 2 and { -1, 1 } or { -1, 1, 1 })
    if self.words then fed = fed * ops.not_zero(truth) end -- padding stays
    local mixed = given + (own - given) * fed
    return self.words and ops.as_ids(mixed) or mixed
  end)
end

--- The same over a sequence of which a share `rate` of the tokens is what the decoder itself
-- would have said (scheduled sampling; Bengio et al., 2015), step by step.
function Decoder:run_scheduled(previous, mask, states, memory, rate)
  local steps, outputs, fed = previous:size(2), {}, previous:narrow(2, 1, 1)
  for t = 1, steps do
    local y
    y, states = self:run(fed, mask and mask:narrow(2, t, 1), states, memory, true)
    outputs[t] = y
    if t < steps then fed = choose(self, previous:narrow(2, t + 1, 1), y, rate) end
  end
  return ops.concat(outputs, 2)
end

return Decoder
