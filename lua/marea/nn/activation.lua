--- Layers that apply a function to each element: Activation, ReLU, LeakyReLU, ELU, PReLU, Softmax,
-- ActivityRegularization.
local activations = require "marea.nn.activations"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local room = {}

--- An activation by name as a layer of its own.
room.Activation = Layer:extend("Activation", {
  builtin = true,
  positional = { "activation" },
  masking = "pass",
  options = { activation = options.required },
})

function room.Activation:init()
  self.activate = activations.get(self.activation, "Activation")
end

function room.Activation:call(x)
  return self.activate(x)
end

function room.Activation.output_shape(_, shape)
  return shape
end

-- A layer without weights that treats each element, or each step, by itself.
local function plain(name, definition)
  definition.builtin, definition.masking = true, "pass"
  definition.output_shape = function(_, shape) return shape end
  room[name] = Layer:extend(name, definition)
end

--- max(x, 0) with Keras's options: `negative_slope` (0) below `threshold` (0), at most `max_value`.
plain("ReLU", {
  positional = { "max_value" },
  options = { max_value = options.optional, negative_slope = 0, threshold = 0 },
  init = function(self)
    if self.max_value ~= nil then options.number("ReLU", "max_value", self.max_value, 0) end
    options.number("ReLU", "negative_slope", self.negative_slope, 0)
    options.number("ReLU", "threshold", self.threshold, 0)
  end,
  call = function(self, x)
    local above = x
    if self.max_value then above = ops.clip(x, -math.huge, self.max_value) end
    if self.threshold == 0 and self.negative_slope == 0 then return ops.relu(above) end
    local below = (x - self.threshold) * self.negative_slope
    return ops.where(ops.greater_equal(x, self.threshold), above, below)
  end,
})

--- x where it is positive, else `negative_slope` (0.3) x.
plain("LeakyReLU", {
  positional = { "negative_slope" },
  options = { negative_slope = 0.3 },
  init = function(self) options.number("LeakyReLU", "negative_slope", self.negative_slope, 0) end,
  call = function(self, x)
    return ops.where(ops.greater_equal(x, 0), x, x * self.negative_slope)
  end,
})

--- x where it is positive, else `alpha` (1) (e^x - 1) (Clevert et al., 2016).
plain("ELU", {
  positional = { "alpha" },
  options = { alpha = 1 },
  init = function(self) options.number("ELU", "alpha", self.alpha) end,
  call = function(self, x)
    if self.alpha == 1 then return ops.elu(x) end
    return ops.where(ops.greater(x, 0), x, ops.elu(ops.clip(x, -math.huge, 0)) * self.alpha)
  end,
})

--- e^x / sum e^x over the last axis.
plain("Softmax", { call = function(_, x) return ops.softmax(x) end })

--- x where it is positive, else alpha x with a learned alpha for each place after the batch (He et al.,
-- 2015). `shared_axes` lists axes (1 is the first after the batch, as in Keras) along which alpha is
-- one; a time axis of any length must be among them. Weight: alpha.
room.PReLU = Layer:extend("PReLU", {
  builtin = true,
  masking = "pass",
  options = { alpha_initializer = "zeros", alpha_regularizer = options.optional,
    alpha_constraint = options.optional, shared_axes = options.optional },
})

function room.PReLU:init()
  local axes = self.shared_axes
  if type(axes) == "number" then axes = { axes } end
  if axes ~= nil and type(axes) ~= "table" then
    self:fail("shared_axes must be a list of axes, got %s", options.show(axes))
  end
  for i, axis in ipairs(axes or {}) do options.integer("PReLU", ("shared_axes[%d]"):format(i), axis) end
  self.shared_axes = axes
end

function room.PReLU:build_weights(shape)
  local sizes = table.move(shape, 2, #shape, 1, {})
  for _, axis in ipairs(self.shared_axes or {}) do
    if axis > #sizes then self:fail("shared_axes holds %d, the input has %d axes after the batch", axis, #sizes) end
    sizes[axis] = 1
  end
  for axis, size in ipairs(sizes) do
    if size < 0 then
      self:fail("axis %d after the batch has no fixed size; put it into shared_axes", axis)
    end
  end
  self.alpha = self:add_weight{ name = "alpha", shape = sizes, initializer = self.alpha_initializer,
    regularizer = self.alpha_regularizer, constraint = self.alpha_constraint }
end

function room.PReLU:call(x)
  self:expect(x, 2)
  return ops.relu(x) - self.alpha * ops.relu(-x)
end

function room.PReLU.output_shape(_, shape)
  return shape
end

--- Hands its input on and adds `l1` Σ|x| + `l2` Σx² of it to the loss.
plain("ActivityRegularization", {
  options = { l1 = 0, l2 = 0 },
  init = function(self)
    self.penalty = require("marea.nn.regularizers").L1L2{ l1 = self.l1, l2 = self.l2 }
  end,
  call = function(self, x)
    self:add_loss(self.penalty(x))
    return x
  end,
})

return room
