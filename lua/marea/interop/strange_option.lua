--- Options of recurrent layers that other programs do not have.
-- @module marea.interop.strange_option
local options = require "marea.nn.options"

-- What the exchange takes care of, or what only training knows.
local known = {}
for name in ([[units activation recurrent_activation use_bias reset_after unit_forget_bias name
  trainable kernel_initializer recurrent_initializer bias_initializer kernel_regularizer
  recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint
  recurrent_constraint bias_constraint dropout recurrent_dropout return_sequences return_state
  go_backwards stateful zero_output_for_mask compat]]):gmatch("%S+") do
  known[name] = true
end

--- The name of an option that is set to something else than its default and that the conversions
-- know nothing about, so that a variant of a cell is never taken for the plain one; else nil.
-- @tparam Layer layer
-- @tparam[opt] table more options that this conversion takes care of: name → true
local function strange_option(layer, more)
  local class = getmetatable(layer)
  local names = {}
  for name, default in pairs(class.options) do
    if default == options.optional then default = nil end
    if not known[name] and not (more and more[name]) and layer[name] ~= default then names[#names + 1] = name end
  end
  table.sort(names)
  return names[1]
end

return strange_option
