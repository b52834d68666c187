--- Masking: hides the steps at which every feature equals a value.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- (B, T, D) → the same, with hidden steps set to zero, and a mask for what follows. A step is
-- visible when any feature differs from `mask_value` (0).
local Masking = Layer:extend("Masking", {
  builtin = true,
  positional = { "mask_value" },
  options = { mask_value = 0 },
  masking = "pass",
})

function Masking:init()
  options.number("Masking", "mask_value", self.mask_value)
end

local function visible(self, x, mask)
  local own = ops.max(ops.not_equal(x, self.mask_value), 3)
  return mask and ops.mul(own, mask) or own
end

function Masking:call(x, call)
  self:expect(x, 3)
  local mask = visible(self, x, call.mask)
  return ops.mul(x, mask:reshape({ mask:size(1), mask:size(2), 1 }))
end

function Masking:compute_mask(x, mask)
  return visible(self, x, mask)
end

function Masking.output_shape(_, shape)
  return shape
end

return Masking
