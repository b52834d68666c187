--- Penalties on weights or outputs, added to the loss: L1, L2, both.
--
--     nn.Dense{ 16, kernel_regularizer = "l2" }                            -- 0.01 Σ w²
--     nn.Dense{ 16, kernel_regularizer = nn.regularizers.L1L2{ l2 = 1e-4 } }
--
-- A regulariser is called with a tensor and returns a scalar tensor; a function that does the same
-- serves too.
-- @module marea.nn.regularizers
local objects = require "marea.nn.objects"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local regularizers = {}

local family = objects.family("regularizer", { l1_l2 = "L1L2" })

local function check(self)
  for _, name in ipairs{ "l1", "l2" } do
    if self[name] then options.number(self.class_name, name, self[name], 0) end
  end
end

local function penalty(self, x)
  local l1, l2 = self.l1 or 0, self.l2 or 0
  local absolute = l1 ~= 0 and ops.sum(ops.abs(x)) * l1 or nil
  local squares = (l2 ~= 0 or not absolute) and ops.sum(ops.square(x)) * l2 or nil
  if absolute and squares then return absolute + squares end
  return absolute or squares
end

local function define(name, declared, positional)
  regularizers[name] = objects.define(family, name, { options = declared, positional = positional,
    init = check, call = penalty })
end

--- l1 Σ |x|.
-- @function L1
define("L1", { l1 = 0.01 }, { "l1" })

--- l2 Σ x².
-- @function L2
define("L2", { l2 = 0.01 }, { "l2" })

--- l1 Σ |x| + l2 Σ x².
-- @function L1L2
define("L1L2", { l1 = 0, l2 = 0 }, { "l1", "l2" })

--- The regulariser meant by a name ("l1", "l2", "l1_l2"), an object, a saved description or a
-- function; nil for nil.
function regularizers.get(given)
  return objects.get(family, given)
end

--- The regulariser that { class_name, config } describes.
function regularizers.deserialize(description)
  return objects.deserialize(family, description)
end

return regularizers
