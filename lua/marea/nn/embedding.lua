--- Embedding: a row of a table for each id.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- ids (B,T) → (B,T,output_dim). Weight: embeddings (input_dim, output_dim). With `mask_zero` id 0
-- is padding, and what follows gets a mask. A mask or lengths that are given go on to what follows, so
-- that 0 may be a real id; with `mask_zero` too, a step must be visible in both. `weights` gives the
-- table (a tensor or {tensor}) and, when they are left out, input_dim and output_dim. Ids outside
-- 0 … input_dim-1 are always an error.
--
-- `trainable` may be a list (or int32 tensor) of ids: only their rows learn, the others get no
-- gradient, as for words that are not in the pretrained vectors. (A regularizer, a constraint or
-- weight decay still moves all rows.) `train_rows` changes that later.
-- @usage nn.Embedding{ 10000, 32, mask_zero = true }
-- @usage nn.Embedding{ weights = matrix, trainable = report.ids_missed }
local Embedding = Layer:extend("Embedding", {
  builtin = true,
  positional = { "input_dim", "output_dim" },
  transient = { weights = true },
  options = {
    input_dim = options.optional, output_dim = options.optional, mask_zero = false,
    trainable_rows = options.optional,
    weights = options.optional, input_length = options.optional,
    embeddings_initializer = "uniform", embeddings_regularizer = options.optional,
    activity_regularizer = options.optional, embeddings_constraint = options.optional,
  },
  masking = "pass",
})

-- The sizes of the weights that are given, for those that are left out.
local function sizes_from(self, given)
  local shape = ops.is_tensor(given) and given:shape()
  if type(given) == "table" and type(given[1]) == "table" then shape = { #given, #given[1] } end
  if not shape or #shape ~= 2 then return end
  if self.input_dim == nil then self.input_dim = shape[1] end
  if self.output_dim == nil then self.output_dim = shape[2] end
end

function Embedding:init()
  local given = self.weights
  if type(given) == "table" and #given == 1 and ops.is_tensor(given[1]) then given = given[1] end
  sizes_from(self, given)
  if type(self.trainable) == "table" or ops.is_tensor(self.trainable) then
    self.trainable_rows, self.trainable = self.trainable, true
  end
  for _, name in ipairs{ "input_dim", "output_dim" } do
    if self[name] == nil then error("Embedding: " .. name .. " is missing", 0) end
  end
  self.input_dim = options.integer("Embedding", "input_dim", self.input_dim)
  self.output_dim = options.integer("Embedding", "output_dim", self.output_dim)
  options.boolean("Embedding", "mask_zero", self.mask_zero)
  options.boolean("Embedding", "trainable", self.trainable)
  self.given_table, self.weights = given, nil
  self:train_rows(self.trainable_rows)
end

--- Lets only the rows of these ids learn; nil: all rows.
-- @tparam {integer,...}|tensor|nil ids 0 … input_dim-1
function Embedding:train_rows(ids)
  self.trainable_rows, self.learns = nil, nil
  if ids == nil then return end
  if ops.is_tensor(ids) then ids = ids:totable() end
  if type(ids) ~= "table" then self:fail("the rows that learn are a list of ids") end
  local list, learns = {}, ops.zeros({ self.input_dim, 1 })
  for i, id in ipairs(ids) do
    local whole = type(id) == "number" and math.tointeger(id)
    if not whole or whole < 0 or whole >= self.input_dim then
      self:fail("row %d of those that learn is %s, expected an id from 0 to %d", i, tostring(id),
        self.input_dim - 1)
    end
    list[i] = whole
    learns:set(whole + 1, 1, 1)
  end
  self.trainable_rows, self.learns = list, learns
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
  if self.learns and self.embeddings.requires_grad and ops.recording() then
    y = ops.where(ops.embedding(self.learns, ops.as_ids(x)), y, ops.detach(y))
  end
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
