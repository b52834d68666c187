--- What `compat` chooses for recurrent layers: the forms and defaults of another program.
--
-- An option that is given wins over the preset. How weights go from one layout to the other is in
-- marea.nn.convert, which takes the layer's `compat` as its layout.
-- Sources: the documentation of Keras 3, of PyTorch's nn.RNN, GRU and LSTM, and of ONNX's operators.
-- @module marea.nn.recurrent_compat
local initializers = require "marea.nn.initializers"
local options = require "marea.nn.options"

local compat = {}

local names = { "keras", "onnx", "pytorch", "slides" }

-- PyTorch draws all weights, biases too, from U(-1/sqrt(units), 1/sqrt(units)).
local function uniform(units)
  local bound = type(units) == "number" and units >= 1 and 1 / math.sqrt(units) or nil
  return bound and initializers.RandomUniform{ -bound, bound }
end

local presets = {
  keras = function() return {} end,
  pytorch = function(units)
    return { kernel_initializer = uniform(units), recurrent_initializer = uniform(units),
      bias_initializer = uniform(units), unit_forget_bias = false }
  end,
  -- linear_before_reset is 0 unless it is given.
  onnx = function() return { reset_after = false, unit_forget_bias = false, update = "keep" } end,
  -- z writes, r works before the product, the simple GRU's candidate sees x alone.
  slides = function()
    return { reset_after = false, unit_forget_bias = false, update = "write", candidate = "x" }
  end,
}

-- The form that `peephole = true` means.
local peepholes = { keras = "gers2000", onnx = "onnx", slides = "slides" }

--- Puts the preset of `compat` under the options that are given.
-- @tparam table class the layer's class
-- @param given what the constructor got
-- @return the same with more options
-- @raise for an unknown preset, and for peepholes in one that has none
function compat.arrange(class, given)
  if type(given) ~= "table" or getmetatable(given) then return given end
  local who, name = class.class_name, given.compat or "keras"
  options.choice(who, "compat", name, names)
  local all = {}
  for key, value in pairs(presets[name](given.units or given[1])) do
    if class.options[key] ~= nil then all[key] = value end
  end
  for key, value in pairs(given) do all[key] = value end
  if all.peephole == true and class.options.peephole then
    all.peephole = peepholes[name]
    if not all.peephole then
      error(("%s: %s has no peepholes; choose peephole = \"gers2000\", \"onnx\" or \"slides\""):format(
        who, name), 0)
    end
  end
  return all
end

return compat
