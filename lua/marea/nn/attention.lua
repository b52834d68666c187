--- Attention of queries over the steps of a sequence, and attention as pooling.
--
-- Called on a list, as in Keras: `layer({ query, value })` or `layer({ query, value, key })`, (B, Q,
-- D), (B, K, E), (B, K, D); `key` defaults to `value`. The result is (B, Q, E). In the call, `mask`
-- = { query mask, value mask }, each (B, steps) or nil; `use_causal_mask` (false): a query sees the
-- keys up to its own place; `return_attention_scores` (false): the weights (B, Q, K) follow.
--
-- Hidden values get the weight 0, exactly, and a query that sees nothing gets zeros; so do hidden
-- queries. The query's mask goes on.
-- @module marea.nn.attention
local heads = require "marea.nn.attention_inputs"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local room = {}

-- Scores (B, Q, K) → the weighted sum of the values, and the weights.
local function attend(self, scores, inputs, call)
  local weights = ops.masked_softmax(scores, inputs.value_mask, call.use_causal_mask)
  if call.training and self.dropout > 0 then
    weights = ops.dropout(weights, self.dropout, self.random)
  end
  local y = heads.hide(ops.matmul(weights, inputs.value), inputs.query_mask)
  if call.return_attention_scores then return y, weights end
  return y
end

local function check_depth(self, shapes)
  local query, key = shapes.query, shapes.key
  if query[3] ~= key[3] then
    self:fail("queries have %d features, keys %d; they must agree", query[3], key[3])
  end
end

--- Luong's attention: score = q · k, or with `score_mode` = "concat" w sum tanh(q + k). With
-- `use_scale` a learned scalar: it multiplies the dot product, or q + k. `dropout` is on the
-- weights.
room.Attention = Layer:extend("Attention", {
  builtin = true,
  takes_list = true,
  masking = "pass",
  call_options = heads.call_options,
  compute_mask = heads.compute_mask,
  output_shape = heads.output_shape,
  options = { use_scale = false, score_mode = "dot", dropout = 0 },
})

function room.Attention:init()
  options.choice("Attention", "score_mode", self.score_mode, { "dot", "concat" })
  options.number("Attention", "dropout", self.dropout, 0, 1)
end

function room.Attention:build_weights(shapes)
  check_depth(self, heads.shapes(self, shapes))
  if self.use_scale then
    self.scale = self:add_weight{ name = "scale", shape = {}, initializer = "ones" }
  end
  if self.score_mode == "concat" then
    self.concat_score_weight = self:add_weight{ name = "concat_score_weight", shape = {},
      initializer = "ones" }
  end
end

function room.Attention:call(list, call)
  local inputs = heads.read(self, list, call)
  check_depth(self, heads.shapes(self, list))
  local query, key = inputs.query, inputs.key
  local scores
  if self.score_mode == "dot" then
    scores = ops.matmul(query, ops.transpose(key))
    if self.scale then scores = scores * self.scale end
  else
    if self.scale then query, key = query * self.scale, key * self.scale end
    scores = ops.additive_scores(query, key) * self.concat_score_weight
  end
  return attend(self, scores, inputs, call)
end

--- Bahdanau's attention (Bahdanau et al., 2015): score = sum scale_d tanh(q_d + k_d), scale (D)
-- being a weight unless `use_scale` is false.
room.AdditiveAttention = Layer:extend("AdditiveAttention", {
  builtin = true,
  takes_list = true,
  masking = "pass",
  call_options = heads.call_options,
  compute_mask = heads.compute_mask,
  output_shape = heads.output_shape,
  options = { use_scale = true, dropout = 0 },
})

function room.AdditiveAttention:init()
  options.number("AdditiveAttention", "dropout", self.dropout, 0, 1)
end

function room.AdditiveAttention:build_weights(shapes)
  local read = heads.shapes(self, shapes)
  check_depth(self, read)
  if self.use_scale then
    self.scale = self:add_weight{ name = "scale", shape = { read.query[3] } }
  end
end

function room.AdditiveAttention:call(list, call)
  local inputs = heads.read(self, list, call)
  check_depth(self, heads.shapes(self, list))
  return attend(self, ops.additive_scores(inputs.query, inputs.key, self.scale), inputs, call)
end

--- A whole sequence as one vector, (B, T, D) → (B, D): the steps' sum, each weighted by softmax over
-- the visible steps of v · tanh(h W + b) (Yang et al., 2016, equations 5 to 7, with one level). `units`
-- of W; D when it is not given. Weights: kernel (D, units), bias (units), context (units, 1). In the
-- call, `return_attention_scores`: the weights (B, T) follow. A row without any visible step gives
-- zeros.
-- @usage nn.Bidirectional{ nn.LSTM{ 64, return_sequences = true } }, nn.AttentionPooling1D{ 64 }
room.AttentionPooling1D = Layer:extend("AttentionPooling1D", {
  builtin = true,
  masking = "consume",
  call_options = { return_attention_scores = true },
  positional = { "units" },
  options = {
    units = options.optional, use_bias = true, kernel_initializer = "glorot_uniform",
    bias_initializer = "zeros", context_initializer = "glorot_uniform",
    kernel_regularizer = options.optional,
  },
})
local Pooling = room.AttentionPooling1D

function Pooling:init()
  if self.units then self.units = options.integer("AttentionPooling1D", "units", self.units) end
end

function Pooling:build_weights(shape)
  if #shape ~= 3 then
    self:fail("input is (%s), expected (batch, time, features)", table.concat(shape, ", "))
  end
  self.features = shape[3]
  local units = self.units or self.features
  self.kernel = self:add_weight{ name = "kernel", shape = { self.features, units },
    initializer = self.kernel_initializer, regularizer = self.kernel_regularizer }
  if self.use_bias then
    self.bias = self:add_weight{ name = "bias", shape = { units },
      initializer = self.bias_initializer }
  end
  self.context = self:add_weight{ name = "context", shape = { units, 1 },
    initializer = self.context_initializer }
end

function Pooling:call(x, call)
  local shape = self:expect(x, 3, self.features)
  local scores = ops.matmul(ops.tanh(ops.affine(x, self.kernel, self.bias)), self.context)
  local weights = ops.masked_softmax(scores:reshape({ shape[1], 1, shape[2] }), call.mask)
  local y = ops.matmul(weights, x):reshape({ shape[1], shape[3] })
  if call.return_attention_scores then return y, weights:reshape({ shape[1], shape[2] }) end
  return y
end

function Pooling.output_shape(_, shape)
  return { shape[1], shape[3] }
end

return room
