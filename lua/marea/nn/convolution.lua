--- Conv1D: a window that moves along time.
local activations = require "marea.nn.activations"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local room = {}

--- (B, T, D) → (B, T', filters): activation(x * kernel + bias), a cross-correlation over windows of
-- `kernel_size` steps that lie `dilation_rate` apart. T' is (T - (kernel_size - 1) dilation_rate - 1)
-- // strides + 1 for `padding` "valid", ceil(T / strides) for "same" and "causal" (no output sees a
-- later step). Weights: kernel (kernel_size, D / groups, filters), bias (filters).
--
-- Masked steps count as zeros, as if the sequence ended there. The mask goes on: with "valid" an
-- output is visible when its whole window is, otherwise when the input step at its place is.
-- @usage nn.Conv1D{ 128, 5, activation = "relu" }
room.Conv1D = Layer:extend("Conv1D", {
  builtin = true,
  positional = { "filters", "kernel_size" },
  masking = "pass",
  options = {
    filters = options.required, kernel_size = options.required, strides = 1, padding = "valid",
    dilation_rate = 1, groups = 1, activation = options.optional, use_bias = true,
    kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
    kernel_regularizer = options.optional, bias_regularizer = options.optional,
    activity_regularizer = options.optional,
    kernel_constraint = options.optional, bias_constraint = options.optional,
  },
})
local Conv1D = room.Conv1D

function Conv1D:init()
  for _, name in ipairs{ "filters", "kernel_size", "strides", "dilation_rate", "groups" } do
    local value = self[name]
    if type(value) == "table" and #value == 1 then value = value[1] end -- Keras's tuples of one
    self[name] = options.integer("Conv1D", name, value)
  end
  options.choice("Conv1D", "padding", self.padding, { "valid", "same", "causal" })
  if self.strides > 1 and self.dilation_rate > 1 then
    error("Conv1D: strides and dilation_rate cannot both be above 1", 0)
  end
  if self.filters % self.groups ~= 0 then
    error(("Conv1D: filters (%d) must be a multiple of groups (%d)"):format(self.filters,
      self.groups), 0)
  end
  self.activate = activations.get(self.activation, "Conv1D")
end

function Conv1D:build_weights(shape)
  if #shape ~= 3 then
    self:fail("input is (%s), expected (batch, time, features)", table.concat(shape, ", "))
  end
  self.features = shape[3]
  if self.features % self.groups ~= 0 then
    self:fail("has %d input features, which must be a multiple of groups (%d)", self.features,
      self.groups)
  end
  self.kernel = self:add_weight{ name = "kernel",
    shape = { self.kernel_size, self.features // self.groups, self.filters },
    initializer = self.kernel_initializer, regularizer = self.kernel_regularizer,
    constraint = self.kernel_constraint }
  if self.use_bias then
    self.bias = self:add_weight{ name = "bias", shape = { self.filters },
      initializer = self.bias_initializer, regularizer = self.bias_regularizer,
      constraint = self.bias_constraint }
  end
end

local function reach(self)
  return (self.kernel_size - 1) * self.dilation_rate + 1
end

function Conv1D:call(x, call)
  local shape = self:expect(x, 3, self.features)
  if self.padding == "valid" and shape[2] < reach(self) then
    self:fail('input has %d steps, the window spans %d (kernel_size %d, dilation_rate %d); pad the '
      .. 'sequences, or use padding = "same"', shape[2], reach(self), self.kernel_size,
      self.dilation_rate)
  end
  if call.mask then x = ops.mul(x, call.mask:reshape({ shape[1], shape[2], 1 })) end
  local y = self.activate(ops.conv1d(x, self.kernel, self.bias, self.padding, self.strides,
    self.dilation_rate, self.groups))
  self:regularize_activity(y)
  return y
end

function Conv1D:compute_mask(_, mask)
  if not mask then return nil end
  local rows, steps = mask:size(1), mask:size(2)
  if self.padding ~= "valid" and self.strides == 1 then return mask end
  -- As a convolution of its own: with ones over the window, or with a single 1 at the place.
  local whole = self.padding == "valid"
  local kernel = ops.ones({ whole and self.kernel_size or 1, 1, 1 })
  local seen = ops.conv1d(mask:reshape({ rows, steps, 1 }), kernel, nil, "valid", self.strides,
    whole and self.dilation_rate or 1)
  return ops.greater_equal(seen:reshape({ rows, -1 }), whole and self.kernel_size or 1)
end

function Conv1D:output_shape(shape)
  local steps = shape[2]
  if steps >= 0 and self.padding == "valid" then
    steps = (steps - reach(self)) // self.strides + 1
  elseif steps >= 0 then
    steps = -(-steps // self.strides)
  end
  return { shape[1], steps, self.filters }
end

return room
