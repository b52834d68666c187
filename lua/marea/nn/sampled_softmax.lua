--- SampledSoftmax: the last layer over a large vocabulary, trained on a few classes at a time.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- (…, D) → logits (…, units). In training the layer hands its input on, and its loss looks at the
-- target and `num_sampled` classes drawn for the batch instead of all:
--
--     local out = nn.SampledSoftmax{ 50000, num_sampled = 256 }
--     model:compile{ loss = out:loss() }
--
-- Outside of training (evaluate, predict) the logits are exact, and so is the loss, the cross-entropy
-- of their softmax. Classes are drawn with repetition from `sampler` "log_uniform" (ids in order of
-- falling frequency; P(id) = ln((id + 2)/(id + 1))/ln(units + 1)) or in proportion to counts^power
-- (`counts`: one number for each id; `power` 0.75). `estimator` "softmax": the sum of the softmax is
-- that of the target and, by importance (Bengio and Senécal, 2008), of the other drawn classes, each
-- divided by how often it is expected in the draw; so the loss estimates the exact one. "nce":
-- noise-contrastive estimation (Gutmann and Hyvärinen, 2010), which takes each class for itself.
--
-- Metrics that `fit` shows while training need the logits of all classes, which takes the time that
-- the sampling saves; leave them to the validation. Weights: kernel (units, D), bias (units, 1): rows
-- that were not drawn have no gradient.
local SampledSoftmax = Layer:extend("SampledSoftmax", {
  builtin = true,
  positional = { "units" },
  masking = "pass",
  options = {
    units = options.required, num_sampled = 64, sampler = "log_uniform", counts = options.optional,
    power = 0.75, estimator = "softmax", use_bias = true,
    kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
  },
})

local function read_counts(self)
  if ops.is_tensor(self.counts) then self.counts = self.counts:totable() end
  if type(self.counts) ~= "table" or #self.counts ~= self.units then
    error(("SampledSoftmax: counts must hold one number for each of %d ids, got %s"):format(
      self.units, type(self.counts) == "table" and #self.counts or options.show(self.counts)), 0)
  end
  for id, count in ipairs(self.counts) do
    if type(count) ~= "number" or not (count >= 0 and count < math.huge) then
      error(("SampledSoftmax: the count of id %d is %s, expected 0 or more"):format(id - 1,
        options.show(count)), 0)
    end
  end
end

function SampledSoftmax:init()
  local who = "SampledSoftmax"
  self.units = options.integer(who, "units", self.units)
  self.num_sampled = options.integer(who, "num_sampled", self.num_sampled)
  options.choice(who, "sampler", self.sampler, { "log_uniform" })
  options.choice(who, "estimator", self.estimator, { "softmax", "nce" })
  options.number(who, "power", self.power, 0)
  if self.counts then read_counts(self) end
end

-- Probabilities of the ids; one that was never counted is as rare as one that was counted once.
local function distribution(self)
  local weights
  if self.counts then
    weights = ops.pow(ops.maximum(ops.tensor(self.counts), 1), self.power)
  else
    local ids = ops.arange(0, self.units - 1)
    weights = ops.log1p(ops.reciprocal(ids + 1))
  end
  return weights / ops.sum(weights):item()
end

function SampledSoftmax:build_weights(shape)
  self.features = shape[#shape]
  self.kernel = self:add_weight{ name = "kernel", shape = { self.units, self.features },
    initializer = self.kernel_initializer }
  if self.use_bias then
    self.bias = self:add_weight{ name = "bias", shape = { self.units, 1 },
      initializer = self.bias_initializer }
  end
  ops.no_grad(function()
    local p = distribution(self)
    self.alias = ops.new_sampler(p)
    self.log_expected = ops.log(p * self.num_sampled):clone()
  end)
end

function SampledSoftmax:call(x, call)
  self:expect(x, 2, self.features)
  self.hands_on = call.training and ops.recording()
  return self.hands_on and x or self:logits(x)
end

--- The logits of all classes.
function SampledSoftmax:logits(x)
  return ops.affine(x, ops.transpose(self.kernel), self.bias and self.bias:reshape({ self.units }))
end

function SampledSoftmax:output_shape(shape)
  local result = table.move(shape, 1, #shape, 1, {})
  result[#result] = self.units
  return result
end

-- Logits of the targets (…), and those of the drawn classes (…, S) less the logarithm of how often
-- each is expected; where a target itself is among them.
local function sampled_logits(self, y, h)
  local last = #h:shape()
  local drawn = self.alias:draw(self.random, self.num_sampled)
  local own = ops.sum(h * ops.embedding(self.kernel, y), last)
  local offset = -ops.take(self.log_expected, drawn)
  if self.bias then
    own = own + ops.embedding(self.bias, y):reshape(y:shape())
    offset = offset + ops.embedding(self.bias, drawn):reshape({ -1 })
  end
  local others = ops.affine(h, ops.transpose(ops.embedding(self.kernel, drawn)), offset)
  local wide = y:shape()
  wide[#wide + 1] = 1
  return own, others, ops.equal(y:reshape(wide), drawn)
end

local function sampled_values(self, y, h)
  local own, others, hits = sampled_logits(self, y, h)
  local last = #h:shape()
  if self.estimator == "nce" then
    own = own - ops.take(self.log_expected, y)
    local noise = ops.binary_crossentropy_logits(ops.zeros(others:shape()), others)
    return ops.binary_crossentropy_logits(ops.ones(own:shape()), own) + ops.sum(noise, last)
  end
  others = ops.where(hits, ops.full({}, -1e9), others)
  local wide = own:shape()
  wide[last] = 1
  return ops.logsumexp(ops.concat({ own:reshape(wide), others }, last), last) - own
end

--- The loss for compile, for class ids (B) or (B, T). `reduction` "mean", "sum" or "none".
function SampledSoftmax:loss(config)
  local given = options.read("SampledSoftmax:loss", config, { reduction = "mean" })
  return require("marea.losses").of_layer("sampled_softmax", self, given)
end

--- The loss of ids and of what the last call gave; used by `loss`.
function SampledSoftmax:compute_loss(y, p, given)
  local losses = require "marea.losses"
  local read = { reduction = given.reduction, sample_weight = given.sample_weight, mask = given.mask }
  if not self.hands_on then
    read.from_logits = true
    return losses.sparse_categorical_crossentropy(y, p, read)
  end
  y = ops.as_ids(y)
  local shape, wanted = y:shape(), p:shape()
  wanted[#wanted] = nil
  if #shape == #wanted + 1 and shape[#shape] == 1 then shape[#shape] = nil end
  if table.concat(shape, ",") ~= table.concat(wanted, ",") then
    self:fail("targets are (%s), expected (%s)", table.concat(shape, ", "), table.concat(wanted, ", "))
  end
  return losses.reduce_values("sampled_softmax", sampled_values(self, y:reshape(shape), p), read)
end

return SampledSoftmax
