--- Initial values of weights, with Keras's names and formulas.
--
--     nn.Dense{ 16, kernel_initializer = "he_normal" }
--     nn.Dense{ 16, kernel_initializer = nn.initializers.RandomNormal{ stddev = 0.01 } }
--
-- An initialiser is called with a shape and a random stream (without one: a new stream under the
-- seed of `marea.manual_seed`) and returns a new tensor. With `seed` it gives the same values at
-- each call. A function of shape and stream serves as one too.
-- @module marea.nn.initializers
local native = require "marea.native"
local objects = require "marea.nn.objects"
local options = require "marea.nn.options"

local initializers = {}

local family = objects.family("initializer", {
  uniform = "RandomUniform", normal = "RandomNormal", one = "Ones", zero = "Zeros",
  identity_matrix = "Identity", IdentityInitializer = "Identity",
})

local function stream_for(self, stream)
  if self.seed then return native.new_stream(self.seed, 0) end
  return stream or native.new_stream()
end

-- A class whose values are drawn by fill(self, tensor, stream).
local function random(name, declared, positional, fill)
  declared.seed = options.optional
  initializers[name] = objects.define(family, name, {
    options = declared, positional = positional,
    call = function(self, shape, stream)
      return fill(self, native.zeros(shape), stream_for(self, stream))
    end,
  })
end

--- Uniform in [minval, maxval): Keras's "uniform".
-- @function RandomUniform
random("RandomUniform", { minval = -0.05, maxval = 0.05 }, { "minval", "maxval" },
  function(self, x, stream)
    return native.initialise_uniform(x, stream, self.minval, self.maxval)
  end)

--- Normal: Keras's "normal".
-- @function RandomNormal
random("RandomNormal", { mean = 0, stddev = 0.05 }, { "mean", "stddev" },
  function(self, x, stream)
    return native.initialise_normal(x, stream, self.mean, self.stddev)
  end)

--- Normal, cut at two deviations by drawing again.
-- @function TruncatedNormal
random("TruncatedNormal", { mean = 0, stddev = 0.05 }, { "mean", "stddev" },
  function(self, x, stream)
    return native.initialise_truncated(x, stream, self.mean, self.stddev)
  end)

--- Variance scale / fan; see VarianceScaling in Keras. `mode` "fan_in", "fan_out" or "fan_avg";
-- `distribution` "truncated_normal", "untruncated_normal" or "uniform".
-- @function VarianceScaling
random("VarianceScaling", { scale = 1, mode = "fan_in", distribution = "truncated_normal" },
  { "scale", "mode", "distribution" },
  function(self, x, stream)
    return native.initialise_scaled(x, stream, self.scale, self.mode, self.distribution)
  end)

--- Uniform or normal with variance 2/(fan_in + fan_out) (Glorot and Bengio, 2010).
-- @function GlorotUniform
-- @function GlorotNormal
--- With variance 2/fan_in (He et al., 2015).
-- @function HeUniform
-- @function HeNormal
--- With variance 1/fan_in (LeCun et al., 1998).
-- @function LecunUniform
-- @function LecunNormal
for name, case in pairs{
  GlorotUniform = { 1, "fan_avg", "uniform" }, GlorotNormal = { 1, "fan_avg", "truncated_normal" },
  HeUniform = { 2, "fan_in", "uniform" }, HeNormal = { 2, "fan_in", "truncated_normal" },
  LecunUniform = { 1, "fan_in", "uniform" }, LecunNormal = { 1, "fan_in", "truncated_normal" },
} do
  random(name, {}, {}, function(_, x, stream)
    return native.initialise_scaled(x, stream, case[1], case[2], case[3])
  end)
end

--- Orthogonal rows or columns times `gain`, for two axes or more (Saxe et al., 2013).
-- @function Orthogonal
random("Orthogonal", { gain = 1 }, { "gain" },
  function(self, x, stream) return native.initialise_orthogonal(x, stream, self.gain) end)
family.aliases.OrthogonalInitializer = "Orthogonal"

--- `gain` on the diagonal of a matrix.
-- @function Identity
initializers.Identity = objects.define(family, "Identity", {
  options = { gain = 1 }, positional = { "gain" },
  call = function(self, shape)
    return native.initialise_identity(native.zeros(shape), self.gain)
  end,
})

--- Zeros.
-- @function Zeros
initializers.Zeros = objects.define(family, "Zeros", { call = function(_, shape)
  return native.zeros(shape)
end })

--- Ones.
-- @function Ones
initializers.Ones = objects.define(family, "Ones", { call = function(_, shape)
  return native.ones(shape)
end })

--- One value everywhere, or the values of a tensor of the weight's shape (word vectors, say). Saved
-- with a model, a tensor counts as 0: the model's file holds the weight itself.
-- @function Constant
initializers.Constant = objects.define(family, "Constant", {
  options = { value = 0 }, positional = { "value" },
  init = function(self)
    if type(self.value) == "table" then self.value = native.tensor(self.value) end
    if type(self.value) ~= "number" and not native.is_tensor(self.value) then
      error("Constant: value must be a number or a tensor, got " .. options.show(self.value), 0)
    end
  end,
  call = function(self, shape)
    if type(self.value) == "number" then return native.full(shape, self.value) end
    return native.zeros(shape):assign_(self.value)
  end,
  get_config = function(self)
    return { value = type(self.value) == "number" and self.value or 0 }
  end,
})

--- The initialiser meant by a name ("glorot_uniform", "GlorotUniform"), an object, a saved
-- description or a function.
-- @raise for an unknown name, with the list of names
function initializers.get(given)
  return objects.get(family, given)
end

--- The initialiser that { class_name, config } describes.
function initializers.deserialize(description)
  return objects.deserialize(family, description)
end

return initializers
