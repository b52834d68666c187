--- TiedDense: scores for all words from the table of an Embedding.
local activations = require "marea.nn.activations"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- activation(x Eᵀ + bias) with the table E (V, D) of an Embedding (Press and Wolf, 2017; Inan et al.,
-- 2017): (…, D) → (…, V). The gradients of both uses add up. Weight: bias (V) if `use_bias`; the
-- table is the Embedding's, is saved and trained with it, and must be in the same model. `embedding` is
-- the layer or, in a model that holds it, its name.
-- @usage local words = nn.Embedding{ 10000, 64 }
--   marea.Sequential{ words, nn.LSTM{ 64, return_sequences = true }, nn.TiedDense{ words } }
local TiedDense = Layer:extend("TiedDense", {
  builtin = true,
  positional = { "embedding" },
  masking = "pass",
  transient = { embedding = true },
  options = {
    embedding = options.required, activation = options.optional, use_bias = true,
    bias_initializer = "zeros", bias_regularizer = options.optional,
    bias_constraint = options.optional,
  },
})

function TiedDense:init()
  local given = self.embedding
  if type(given) == "table" and given.class_name == "Embedding" then
    self.tied = given
  elseif type(given) ~= "string" then
    error("TiedDense: embedding must be an nn.Embedding or the name of one, got " .. options.show(given), 0)
  end
  self.activate = activations.get(self.activation, "TiedDense")
end

--- The layer whose weights this one uses.
function TiedDense:partner()
  return self.tied
end

--- Looks for the Embedding by its name among the layers of a model.
function TiedDense:find_partner(model)
  if self.tied then return end
  local found
  model:walk(function(layer)
    if layer.class_name == "Embedding" and layer.name == self.embedding then
      if found then self:fail("there are two Embeddings named %q in %s", self.embedding, tostring(model)) end
      found = layer
    end
  end)
  self.tied = found
end

-- The Embedding, with a table.
local function partner(self)
  local embedding = self.tied
  if not embedding then
    self:fail("there is no Embedding named %q in the model before it", tostring(self.embedding))
  end
  return embedding:build{ -1, -1 }
end

function TiedDense:build_weights(shape)
  local embedding = partner(self)
  self.features = embedding.output_dim
  if shape[#shape] ~= self.features then
    self:fail("input is (%s), the table of %s has %d columns; the last axis must have that many",
      table.concat(shape, ", "), tostring(embedding), self.features)
  end
  if self.use_bias then
    self.bias = self:add_weight{ name = "bias", shape = { embedding.input_dim },
      initializer = self.bias_initializer, regularizer = self.bias_regularizer,
      constraint = self.bias_constraint }
  end
end

function TiedDense:call(x)
  self:expect(x, 2, self.features, "the tied table")
  local scores = ops.matmul(x, partner(self).embeddings:transpose(1, 2))
  return self.activate(self.bias and scores + self.bias or scores)
end

function TiedDense:output_shape(shape)
  local result = table.move(shape, 1, #shape, 1, {})
  result[#result] = partner(self).input_dim
  return result
end

-- A file holds the table once, with the Embedding; here its name.
function TiedDense:get_config()
  local config = Layer.get_config(self)
  config.embedding = self.tied and self.tied.name or self.embedding
  return config
end

return TiedDense
