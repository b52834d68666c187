--- MultiHeadAttention: several attentions side by side, each on a projection of its own.
local heads = require "marea.nn.attention_inputs"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- softmax(Q Kᵀ / sqrt(key_dim)) V for each of `num_heads` projections of query, key (`key_dim`
-- features each) and value (`value_dim`, key_dim), joined and projected to `output_shape` features,
-- by default the query's (Vaswani et al., 2017). Called on { query, value } or { query, value, key },
-- or on one tensor, which then attends to itself; masks, `use_causal_mask` and
-- `return_attention_scores` (B, heads, Q, K) as in marea.nn.attention; `attention_mask` (B, Q, K) of 0
-- and 1 hides single pairs. `dropout` is on the weights.
--
-- Weights as in Keras: query/kernel (D, heads, key_dim), query/bias (heads, key_dim), the same for
-- key and value, attention_output/kernel (heads, value_dim, out), attention_output/bias (out).
-- @usage nn.MultiHeadAttention{ 4, 16 }(x, { mask = mask })
local MultiHeadAttention = Layer:extend("MultiHeadAttention", {
  builtin = true,
  takes_list = true,
  masking = "pass",
  call_options = { use_causal_mask = true, return_attention_scores = true, attention_mask = true },
  positional = { "num_heads", "key_dim" },
  options = {
    num_heads = options.required, key_dim = options.required, value_dim = options.optional,
    dropout = 0, use_bias = true, output_features = options.optional,
    kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
    kernel_regularizer = options.optional, bias_regularizer = options.optional,
    kernel_constraint = options.optional, bias_constraint = options.optional,
  },
})

function MultiHeadAttention:init()
  local who = "MultiHeadAttention"
  self.num_heads = options.integer(who, "num_heads", self.num_heads)
  self.key_dim = options.integer(who, "key_dim", self.key_dim)
  self.value_dim = options.integer(who, "value_dim", self.value_dim or self.key_dim)
  if self.output_features then
    self.output_features = options.integer(who, "output_features", self.output_features)
  end
  options.number(who, "dropout", self.dropout, 0, 1)
end

-- A tensor or its shape stands for query and value at once.
local function as_list(x)
  if ops.is_tensor(x) or math.type(x[1]) then return { x, x } end
  return x
end

local function add_projection(self, name, shape, bias_shape)
  local projection = { kernel = self:add_weight{ name = name .. "/kernel", shape = shape,
    initializer = self.kernel_initializer, regularizer = self.kernel_regularizer,
    constraint = self.kernel_constraint } }
  if self.use_bias then
    projection.bias = self:add_weight{ name = name .. "/bias", shape = bias_shape,
      initializer = self.bias_initializer, regularizer = self.bias_regularizer,
      constraint = self.bias_constraint }
  end
  return projection
end

function MultiHeadAttention:build_weights(shape)
  local shapes = heads.shapes(self, as_list(shape))
  self.features = { query = shapes.query[3], key = shapes.key[3], value = shapes.value[3] }
  self.projections = {}
  for _, name in ipairs{ "query", "key", "value" } do
    local width = name == "value" and self.value_dim or self.key_dim
    self.projections[name] = add_projection(self, name,
      { self.features[name], self.num_heads, width }, { self.num_heads, width })
  end
  self.out = self.output_features or self.features.query
  self.output_projection = add_projection(self, "attention_output",
    { self.num_heads, self.value_dim, self.out }, { self.out })
end

-- (B, T, D) → (B, heads, T, width)
local function project(self, name, x)
  self:expect(x, 3, self.features[name], name .. "/kernel")
  local projection = self.projections[name]
  local shape = projection.kernel:shape()
  local bias = projection.bias and projection.bias:reshape({ -1 })
  local y = ops.affine(x, projection.kernel:reshape({ shape[1], shape[2] * shape[3] }), bias)
  return y:reshape({ x:size(1), x:size(2), shape[2], shape[3] }):permute(1, 3, 2, 4)
end

-- The pairs that are visible: the mask of the values, the given one, or both.
local function pair_mask(self, inputs, given)
  if given == nil then return inputs.value_mask end
  local mask = ops.as_real(given)
  local shape, rows = mask:shape(), inputs.query:size(1)
  if #shape ~= 3 or shape[1] ~= rows or shape[2] ~= inputs.query:size(2)
    or shape[3] ~= inputs.key:size(2) then
    self:fail("attention_mask is (%s), expected (batch %d, queries %d, keys %d)",
      table.concat(shape, ", "), rows, inputs.query:size(2), inputs.key:size(2))
  end
  if not inputs.value_mask then return mask end
  return mask * inputs.value_mask:reshape({ rows, 1, shape[3] })
end

function MultiHeadAttention:call(x, call)
  local list = as_list(x)
  if ops.is_tensor(x) then call.mask = { call.mask, call.mask } end
  local inputs = heads.read(self, list, call)
  local query = project(self, "query", inputs.query) * (1 / math.sqrt(self.key_dim))
  local key, value = project(self, "key", inputs.key), project(self, "value", inputs.value)
  local weights = ops.masked_softmax(ops.matmul(query, ops.transpose(key)),
    pair_mask(self, inputs, call.attention_mask), call.use_causal_mask)
  local dropped = call.training and self.dropout > 0
    and ops.dropout(weights, self.dropout, self.random) or weights
  local joined = ops.matmul(dropped, value):permute(1, 3, 2, 4)
  local rows, steps = inputs.query:size(1), inputs.query:size(2)
  local width = self.num_heads * self.value_dim
  local y = ops.affine(joined:reshape({ rows, steps, width }),
    self.output_projection.kernel:reshape({ width, self.out }), self.output_projection.bias)
  y = heads.hide(y, inputs.query_mask)
  if call.return_attention_scores then return y, weights end
  return y
end

function MultiHeadAttention.compute_mask(_, x, mask)
  if ops.is_tensor(x) then return mask end
  return mask and mask[1] or nil
end

function MultiHeadAttention:output_shape(shape)
  local query = as_list(shape)[1]
  return { query[1], query[2], self.output_features or query[3] }
end

return MultiHeadAttention
