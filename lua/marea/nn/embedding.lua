--- Embedding: a row of a table for each id.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- ids (B,T) → (B,T,output_dim). Weight: embeddings (input_dim, output_dim). With `mask_zero` id 0
-- is padding, and what follows gets a mask. A mask or lengths that are given go on to what follows, so
-- that 0 may be a real id; with `mask_zero` too, a step must be visible in both. `weights` gives the
-- table (a tensor or {tensor}). Ids outside 0 … input_dim-1 are always an error.
-- @usage nn.Embedding{ 10000, 32, mask_zero = true }
local Embedding = Layer:extend("Embedding", {
  builtin = true,
  positional = { "input_dim", "output_dim" },
  transient = { weights = true },
  options = {
    input_dim = options.required, output_dim = options.required, mask_zero = false,
    weights = options.optional, input_length = options.optional,
    embeddings_initializer = "uniform", embeddings_regularizer = options.optional,
    activity_regularizer = options.optional, embeddings_constraint = options.optional,
  },
  masking = "pass",
})

function Embedding:init()
  self.input_dim = options.integer("Embedding", "input_dim", self.input_dim)
  self.output_dim = options.integer("Embedding", "output_dim", self.output_dim)
  options.boolean("Embedding", "mask_zero", self.mask_zero)
  local given = self.weights
  if type(given) == "table" and #given == 1 and ops.is_tensor(given[1]) then given = given[1] end
  self.given_table, self.weights = given, nil
end

function Embedding:build_weights()
  self.embeddings = self:add_weight{ name = "embeddings",
    shape = { self.input_dim, self.output_dim }, initializer = self.embeddings_initializer,
    regularizer = self.embeddings_regularizer, constraint = self.embeddings_constraint }
  if self.given_table then
    self.built = true
    self:set_weights{ self.given_table }
    self.given_table = nil
  end
end

function Embedding:call(x)
  local ok, y = pcall(ops.embedding, self.embeddings, ops.as_ids(x))
  if not ok then self:fail("%s", y) end -- an id out of range; the layer's name helps to find it
  self:regularize_activity(y)
  return y
end

function Embedding:compute_mask(x, mask)
  if not self.mask_zero then return mask end
  local own = ops.not_zero(x)
  return mask and ops.mul(own, mask) or own
end

function Embedding:output_shape(shape)
  local result = table.move(shape, 1, #shape, 1, {})
  result[#result + 1] = self.output_dim
  return result
end

return Embedding
