--- Attention of a decoder over the encoder's outputs, after the recurrence (Luong et al., 2015):
-- c = the sum of the memory's steps, weighted by softmax of their scores (equations 7 and 8);
-- output tanh(W [c; h]) (equation 5).
--
-- Scores of a decoder's output h and a memory's step m: "dot" h · m, "general" h · (W m) written as
-- (h W) · m, "additive" v · tanh(W h + b + U m) (Bahdanau et al., 2015).
-- @module marea.builders.attending
local nn = require "marea.nn"
local ops = require "marea.ops"

local Attending = {}
Attending.__index = Attending

local attending = {}

local make = {}

function make.dot(who, width, memory_width)
  if width ~= memory_width then
    error(('%s: attention "dot" needs outputs of one size, the encoder has %d features and the decoder '
      .. '%d; use "general"'):format(who, memory_width, width), 0)
  end
  return nil, nil, nn.Attention{ name = "attention" }
end

function make.general(_, _, memory_width)
  return nn.Dense{ memory_width, use_bias = false, name = "attention_query" }, nil,
    nn.Attention{ name = "attention" }
end

function make.additive(_, width)
  return nn.Dense{ width, name = "attention_query" },
    nn.Dense{ width, use_bias = false, name = "attention_key" }, nn.AdditiveAttention{ name = "attention" }
end

--- Attention of a kind; `layers` holds its layers.
-- @tparam string who for messages
-- @tparam string kind
-- @tparam integer width of the decoder's outputs
-- @tparam integer memory_width of the encoder's
function attending.new(who, kind, width, memory_width)
  local self = setmetatable({ width = width, memory_width = memory_width, layers = {} }, Attending)
  self.query, self.key, self.score = make[kind](who, width, memory_width)
  self.vector = nn.Dense{ width, activation = "tanh", use_bias = false, name = "attention_vector" }
  for _, name in ipairs{ "query", "key", "score", "vector" } do
    if self[name] then table.insert(self.layers, self[name]) end
  end
  return self
end

--- Builds the layers.
function Attending:build()
  local query, key = { -1, -1, self.width }, { -1, -1, self.memory_width }
  local value = { -1, -1, self.memory_width }
  if self.query then
    self.query:build(query)
    query = self.query:output_shape(query)
  end
  if self.key then
    self.key:build(key)
    key = self.key:output_shape(key)
  end
  self.score:build{ query, value, key }
  self.vector:build{ -1, -1, self.memory_width + self.width }
end

--- What of the memory is needed at every step: { value, key, mask }.
-- @tparam tensor value (B, S, M)
-- @tparam tensor|nil mask (B, S)
function Attending:remember(value, mask)
  return { value = value, key = self.key and self.key(value) or value, mask = mask }
end

--- Outputs (B, T, width) for the decoder's h (B, T, width), and the weights (B, T, S).
function Attending:attend(h, memory, training)
  local query = self.query and self.query(h) or h
  local context, weights = self.score({ query, memory.value, memory.key },
    { mask = { [2] = memory.mask }, training = training, return_attention_scores = true })
  return self.vector(ops.concat({ context, h }, 3)), weights
end

return attending
