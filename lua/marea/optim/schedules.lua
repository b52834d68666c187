--- Learning rates that change with the number of steps done (0 before the first step).
--
--     optim.Adam{ learning_rate = optim.schedules.ExponentialDecay{ 0.1, 1000, 0.96 } }
--
-- A schedule is called with a step and returns the rate; any function that does serves as well, but
-- cannot be saved with a model. Names, defaults and formulas are Keras's.
-- @module marea.optim.schedules
local objects = require "marea.nn.objects"
local options = require "marea.nn.options"

local schedules = {}

local family = objects.family("schedule")

local function define(name, definition)
  schedules[name] = objects.define(family, name, definition)
end

local function positive(self, ...)
  for _, name in ipairs{ ... } do
    local value = options.number(self.class_name, name, self[name])
    if value <= 0 then
      error(("%s: %s must be above 0, got %g"):format(self.class_name, name, value), 0)
    end
  end
end

local function check_decay(self)
  options.number(self.class_name, "initial_learning_rate", self.initial_learning_rate, 0)
  positive(self, "decay_steps")
end

local decaying = { initial_learning_rate = options.required, decay_steps = options.required,
  decay_rate = options.required, staircase = false }
local decaying_order = { "initial_learning_rate", "decay_steps", "decay_rate", "staircase" }

local function periods(self, step)
  local share = step / self.decay_steps
  return self.staircase and math.floor(share) or share
end

--- initial_learning_rate · decay_rate ^ (step / decay_steps); with `staircase` the exponent is
-- rounded down.
-- @function ExponentialDecay
define("ExponentialDecay", { options = decaying, positional = decaying_order, init = check_decay,
  call = function(self, step)
    return self.initial_learning_rate * self.decay_rate ^ periods(self, step)
  end })

--- initial_learning_rate / (1 + decay_rate · step / decay_steps); with `staircase` the quotient is
-- rounded down.
-- @function InverseTimeDecay
define("InverseTimeDecay", { options = decaying, positional = decaying_order, init = check_decay,
  call = function(self, step)
    return self.initial_learning_rate / (1 + self.decay_rate * periods(self, step))
  end })

--- values[1] up to and including step boundaries[1], then values[2] up to boundaries[2] … and the
-- last value, of which there is one more than boundaries, after them all.
-- @function PiecewiseConstantDecay
define("PiecewiseConstantDecay", {
  options = { boundaries = options.required, values = options.required },
  positional = { "boundaries", "values" },
  init = function(self)
    if type(self.boundaries) ~= "table" or type(self.values) ~= "table"
      or #self.values ~= #self.boundaries + 1 then
      error("PiecewiseConstantDecay: boundaries and values must be lists, with one value more than "
        .. "boundaries", 0)
    end
    for i = 2, #self.boundaries do
      if self.boundaries[i] <= self.boundaries[i - 1] then
        error("PiecewiseConstantDecay: boundaries must rise", 0)
      end
    end
  end,
  call = function(self, step)
    for i, boundary in ipairs(self.boundaries) do
      if step <= boundary then return self.values[i] end
    end
    return self.values[#self.values]
  end,
})

--- From initial_learning_rate down to end_learning_rate by (1 - step / decay_steps) ^ power. With
-- `cycle` decay_steps is stretched to its next multiple at or above the step; else the rate stays.
-- @function PolynomialDecay
define("PolynomialDecay", {
  options = { initial_learning_rate = options.required, decay_steps = options.required,
    end_learning_rate = 1e-4, power = 1, cycle = false },
  positional = { "initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle" },
  init = check_decay,
  call = function(self, step)
    local steps = self.decay_steps
    if self.cycle then
      steps = steps * math.max(1, math.ceil(step / steps))
    else
      step = math.min(step, steps)
    end
    local left = (1 - step / steps) ^ self.power
    return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate
  end,
})

local function cosine(share)
  return 0.5 * (1 + math.cos(math.pi * share))
end

--- Half a cosine from the initial rate down to alpha times it (Loshchilov and Hutter, 2017). With
-- `warmup_target`: first straight from initial_learning_rate to it within warmup_steps, then the
-- cosine from there.
-- @function CosineDecay
define("CosineDecay", {
  options = { initial_learning_rate = options.required, decay_steps = options.required, alpha = 0,
    warmup_target = options.optional, warmup_steps = 0 },
  positional = { "initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps" },
  init = check_decay,
  call = function(self, step)
    local top = self.initial_learning_rate
    if self.warmup_target then
      if step < self.warmup_steps then
        return top + (self.warmup_target - top) * step / self.warmup_steps
      end
      top, step = self.warmup_target, step - self.warmup_steps
    end
    local share = math.min(step, self.decay_steps) / self.decay_steps
    return top * ((1 - self.alpha) * cosine(share) + self.alpha)
  end,
})

--- Cosines that start again: the first lasts first_decay_steps, each further one t_mul times as
-- long and m_mul times as high; alpha is the floor (Loshchilov and Hutter, 2017).
-- @function CosineDecayRestarts
define("CosineDecayRestarts", {
  options = { initial_learning_rate = options.required, first_decay_steps = options.required,
    t_mul = 2, m_mul = 1, alpha = 0 },
  positional = { "initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha" },
  init = function(self)
    positive(self, "first_decay_steps", "m_mul")
    options.number("CosineDecayRestarts", "t_mul", self.t_mul, 1)
  end,
  call = function(self, step)
    local left, length, height = step / self.first_decay_steps, 1, 1
    if self.t_mul == 1 then
      height = self.m_mul ^ math.floor(left)
      left = left % 1
    else
      while left >= length do
        left, length, height = left - length, length * self.t_mul, height * self.m_mul
      end
    end
    return self.initial_learning_rate
      * ((1 - self.alpha) * height * cosine(left / length) + self.alpha)
  end,
})

--- The schedule meant by a saved description, an object or a function.
function schedules.get(given)
  return objects.get(family, given)
end

--- The schedule that { class_name, config } describes.
function schedules.deserialize(description)
  return objects.deserialize(family, description)
end

return schedules
