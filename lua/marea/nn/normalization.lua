--- LayerNormalization.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

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
  for _, part in ipairs{ { "gamma", self.scale }, { "beta", self.center } } do
    local name, wanted = part[1], part[2]
    if wanted then
      self[name] = self:add_weight{ name = name, shape = { self.features },
        initializer = self[name .. "_initializer"], regularizer = self[name .. "_regularizer"],
        constraint = self[name .. "_constraint"] }
    end
  end
end

function LayerNormalization:call(x)
  self:expect(x, 2, self.features, "gamma")
  return ops.layer_norm(x, self.gamma, self.beta, self.epsilon)
end

function LayerNormalization.output_shape(_, shape)
  return shape
end

return LayerNormalization
