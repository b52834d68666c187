--- marea.native with a few conversions that the library's own rooms share.
-- @module marea.ops
local native = require "marea.native"

local ops = setmetatable({}, { __index = native })

--- A tensor from a number or a nested list; a tensor is returned as it is.
function ops.tensor(t, given)
  if native.is_tensor(t) then return t end
  return native.tensor(t, given)
end

--- x as reals; x itself when it is that already.
function ops.as_real(x)
  x = ops.tensor(x)
  return x:dtype() == "int32" and native.cast(x, "real") or x
end

--- x as int32 ids; x itself when it is that already.
function ops.as_ids(x)
  x = ops.tensor(x, { dtype = "int32" })
  return x:dtype() == "int32" and x or native.cast(x, "int32")
end

local zero_id = native.zeros({}, { dtype = "int32" })

--- 1 where x, ids or reals, is not 0.
function ops.not_zero(x)
  return native.not_equal(x, x:dtype() == "int32" and zero_id or 0)
end

--- The first largest element along an axis as an id, counted from 0 (argmax counts from 1).
function ops.argmax_ids(x, axis)
  return native.cast(native.cast(native.argmax(x, axis), "real") - 1, "int32")
end

return ops
