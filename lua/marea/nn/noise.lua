--- Noise in training: GaussianNoise, GaussianDropout, AlphaDropout. Elsewhere they do nothing.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local room = {}

local function noise(name, definition)
  definition.builtin, definition.masking = true, "pass"
  definition.output_shape = function(_, shape) return shape end
  local disturb = definition.disturb
  function definition:call(x, call)
    self:expect(x, 1)
    if not call.training or self[self.positional[1]] == 0 then return x end
    return disturb(self, x)
  end
  room[name] = Layer:extend(name, definition)
end

local function read_rate(layer)
  options.number(layer.class_name, "rate", layer.rate, 0, 1)
end

--- Adds numbers from N(0, `stddev`²).
noise("GaussianNoise", {
  positional = { "stddev" },
  options = { stddev = options.required },
  init = function(self) options.number("GaussianNoise", "stddev", self.stddev, 0) end,
  disturb = function(self, x)
    return x + self.random:normal(x:shape()) * self.stddev
  end,
})

--- Multiplies by numbers from N(1, rate/(1 - rate)) (Srivastava et al., 2014, section 10).
noise("GaussianDropout", {
  positional = { "rate" },
  options = { rate = options.required },
  init = read_rate,
  disturb = function(self, x)
    local stddev = math.sqrt(self.rate / (1 - self.rate))
    return x * (self.random:normal(x:shape()) * stddev + 1)
  end,
})

-- What selu saturates at: -scale alpha.
local SATURATION <const> = -1.0507009873554805 * 1.6732632423543772

--- Dropout that keeps mean and variance of what selu gives: dropped elements get selu's lowest value,
-- then all are scaled and shifted (Klambauer et al., 2017). `noise_shape` shares a decision along axes
-- of size 1.
noise("AlphaDropout", {
  positional = { "rate" },
  options = { rate = options.required, noise_shape = options.optional },
  init = read_rate,
  disturb = function(self, x)
    local shape = self.noise_shape and table.move(self.noise_shape, 1, #self.noise_shape, 1, {}) or x:shape()
    for axis, size in ipairs(shape) do
      if size == -1 then shape[axis] = x:size(axis) end
    end
    local keep = ops.greater_equal(self.random:uniform(shape), self.rate)
    local a = ((1 - self.rate) * (1 + self.rate * SATURATION ^ 2)) ^ -0.5
    return ops.where(keep, x, ops.full({}, SATURATION)) * a - a * SATURATION * self.rate
  end,
})

return room
