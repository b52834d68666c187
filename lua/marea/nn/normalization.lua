--- LayerNormalization, RMSNormalization and BatchNormalization.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local room = {}

-- The weights gamma and beta over the last axis, as far as `wanted` says.
local function add_affine(self, wanted)
  for _, name in ipairs{ "gamma", "beta" } do
    if wanted[name] then
      self[name] = self:add_weight{ name = name, shape = { self.features },
        initializer = self[name .. "_initializer"], regularizer = self[name .. "_regularizer"],
        constraint = self[name .. "_constraint"] }
    end
  end
end

local function same_shape(_, shape)
  return shape
end

--- gamma (x - mean)/sqrt(variance + epsilon) + beta over the last axis (Ba et al., 2016). Weights:
-- gamma (D) if `scale`, beta (D) if `center`.
local LayerNormalization = Layer:extend("LayerNormalization", {
  builtin = true,
  masking = "pass",
  options = {
    epsilon = 1e-3, center = true, scale = true,
    beta_initializer = "zeros", gamma_initializer = "ones",
    beta_regularizer = options.optional, gamma_regularizer = options.optional,
    beta_constraint = options.optional, gamma_constraint = options.optional,
  },
})

function LayerNormalization:init()
  options.number("LayerNormalization", "epsilon", self.epsilon, 0)
end

function LayerNormalization:build_weights(shape)
  self.features = shape[#shape]
  add_affine(self, { gamma = self.scale, beta = self.center })
end

function LayerNormalization:call(x)
  self:expect(x, 2, self.features, "gamma")
  return ops.layer_norm(x, self.gamma, self.beta, self.epsilon)
end

LayerNormalization.output_shape = same_shape
room.LayerNormalization = LayerNormalization

--- gamma x/sqrt(mean of x² + epsilon) over the last axis (Zhang and Sennrich, 2019). Weight: gamma
-- (D).
room.RMSNormalization = Layer:extend("RMSNormalization", {
  builtin = true,
  masking = "pass",
  options = { epsilon = 1e-6 },
  output_shape = same_shape,
})

function room.RMSNormalization:init()
  options.number("RMSNormalization", "epsilon", self.epsilon, 0)
end

function room.RMSNormalization:build_weights(shape)
  self.features = shape[#shape]
  self.gamma = self:add_weight{ name = "scale", shape = { self.features }, initializer = "ones" }
end

function room.RMSNormalization:call(x)
  local axes = #self:expect(x, 2, self.features, "scale")
  local power = ops.mean(ops.square(x), axes, true)
  return x / ops.sqrt(power + self.epsilon) * self.gamma
end

--- gamma (x - mean)/sqrt(variance + epsilon) + beta for each feature of the last axis (Ioffe and
-- Szegedy, 2015). In training mean and (biased) variance are those of the batch, over visible steps
-- only, and the moving averages go on: moving = momentum moving + (1 - momentum) batch. Otherwise,
-- and in a frozen layer, the moving averages serve. Weights: gamma, beta, moving_mean,
-- moving_variance, (D) each; the last two are not trained.
local BatchNormalization = Layer:extend("BatchNormalization", {
  builtin = true,
  masking = "pass",
  options = {
    momentum = 0.99, epsilon = 1e-3, center = true, scale = true,
    beta_initializer = "zeros", gamma_initializer = "ones",
    moving_mean_initializer = "zeros", moving_variance_initializer = "ones",
    beta_regularizer = options.optional, gamma_regularizer = options.optional,
    beta_constraint = options.optional, gamma_constraint = options.optional,
  },
  output_shape = same_shape,
})
room.BatchNormalization = BatchNormalization

function BatchNormalization:init()
  options.number("BatchNormalization", "momentum", self.momentum, 0, 1)
  options.number("BatchNormalization", "epsilon", self.epsilon, 0)
end

function BatchNormalization:build_weights(shape)
  if #shape < 2 or #shape > 3 then
    self:fail("input is (%s), expected (batch, features) or (batch, time, features)",
      table.concat(shape, ", "))
  end
  self.features = shape[#shape]
  add_affine(self, { gamma = self.scale, beta = self.center })
  for _, name in ipairs{ "moving_mean", "moving_variance" } do
    self[name] = self:add_weight{ name = name, shape = { self.features }, trainable = false,
      initializer = self[name .. "_initializer"] }
  end
end

-- A batch without any visible step says nothing about the data.
local function follow(self, mean, variance, mask)
  if mask and ops.sum(mask):item() == 0 then return end
  ops.no_grad(function()
    for name, value in pairs{ moving_mean = mean, moving_variance = variance } do
      self[name]:assign_(self[name] * self.momentum + value * (1 - self.momentum))
    end
  end)
end

function BatchNormalization:call(x, call)
  self:expect(x, 2, self.features, "gamma")
  if call.training and self.synced ~= false then
    local y, mean, variance = ops.batch_norm(x, call.mask, self.gamma, self.beta, self.epsilon)
    follow(self, mean, variance, call.mask)
    return y
  end
  local factor = ops.reciprocal(ops.sqrt(self.moving_variance + self.epsilon))
  if self.gamma then factor = factor * self.gamma end
  local y = (x - self.moving_mean) * factor
  return self.beta and y + self.beta or y
end

return room
