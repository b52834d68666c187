--- Dense: activation(x kernel + bias).
local activations = require "marea.nn.activations"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- Fully connected over the last axis: (…, D) → (…, units). Weights: kernel (D, units), bias
-- (units). Passes masks on. A sparse matrix (N, D) is taken as it is, in time by its entries.
-- @usage nn.Dense{ 16, activation = "relu", kernel_regularizer = "l2" }
local Dense = Layer:extend("Dense", {
  builtin = true,
  positional = { "units" },
  masking = "pass",
  takes_sparse = true,
  options = {
    units = options.required, activation = options.optional, use_bias = true,
    kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
    kernel_regularizer = options.optional, bias_regularizer = options.optional,
    activity_regularizer = options.optional,
    kernel_constraint = options.optional, bias_constraint = options.optional,
  },
})

function Dense:init()
  self.units = options.integer("Dense", "units", self.units)
  self.activate = activations.get(self.activation, "Dense")
end

function Dense:build_weights(shape)
  self.features = shape[#shape]
  self.kernel = self:add_weight{ name = "kernel", shape = { self.features, self.units },
    initializer = self.kernel_initializer, regularizer = self.kernel_regularizer,
    constraint = self.kernel_constraint }
  if self.use_bias then
    self.bias = self:add_weight{ name = "bias", shape = { self.units },
      initializer = self.bias_initializer, regularizer = self.bias_regularizer,
      constraint = self.bias_constraint }
  end
end

function Dense:call(x)
  self:expect(x, 2, self.features)
  local product = ops.is_sparse(x) and ops.sparse_matmul or ops.affine
  local y = self.activate(product(x, self.kernel, self.bias))
  self:regularize_activity(y)
  return y
end

function Dense:output_shape(shape)
  local result = table.move(shape, 1, #shape, 1, {})
  result[#result] = self.units
  return result
end

return Dense
