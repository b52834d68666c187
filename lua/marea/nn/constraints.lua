--- Constraints on weights, applied after each step of the optimizer.
--
--     nn.Dense{ 16, kernel_constraint = nn.constraints.MaxNorm{ 3 } }
--
-- A constraint is called with the weights and returns new ones; a function that does the same
-- serves too. `axis` counts from 1 and may be a list: the axes along which a norm is taken. The
-- default, 1, runs over the inputs of each unit.
-- @module marea.nn.constraints
local native = require "marea.native"
local objects = require "marea.nn.objects"
local options = require "marea.nn.options"

local constraints = {}

local family = objects.family("constraint", { nonneg = "NonNeg", non_neg = "NonNeg",
  max_norm = "MaxNorm", unit_norm = "UnitNorm", min_max_norm = "MinMaxNorm" })

local function axes_of(self)
  return type(self.axis) == "table" and self.axis or { self.axis }
end

local function define(name, declared, positional, low, high)
  constraints[name] = objects.define(family, name, {
    options = declared, positional = positional,
    call = function(self, w)
      return native.constrain_norm(w:clone(), axes_of(self), self[low] or low, self[high] or high,
        self.rate or 1)
    end,
  })
end

--- Norms of at most `max_value`.
-- @function MaxNorm
define("MaxNorm", { max_value = 2, axis = 1 }, { "max_value", "axis" }, 0, "max_value")

--- Norms of 1.
-- @function UnitNorm
define("UnitNorm", { axis = 1 }, { "axis" }, 1, 1)

--- Norms from min_value to max_value, approached by `rate`: 1 at once, less gradually.
-- @function MinMaxNorm
define("MinMaxNorm", { min_value = 0, max_value = 1, rate = 1, axis = 1 },
  { "min_value", "max_value", "rate", "axis" }, "min_value", "max_value")

--- No negative weights.
-- @function NonNeg
constraints.NonNeg = objects.define(family, "NonNeg", { call = function(_, w)
  return native.constrain_nonnegative(w:clone())
end })

--- The constraint meant by a name ("max_norm", "non_neg" …), an object, a saved description or a
-- function; nil for nil.
function constraints.get(given)
  if type(given) == "number" then
    error("a constraint is an object such as MaxNorm{ 3 }, got " .. options.show(given), 0)
  end
  return objects.get(family, given)
end

--- The constraint that { class_name, config } describes.
function constraints.deserialize(description)
  return objects.deserialize(family, description)
end

return constraints
