--- Compares gradients from a tape with central differences.
-- @module marea.gradcheck
local native = require "marea.native"

local function value_of(f, inputs)
  return native.no_grad(function()
    local tape <close> = native.tape() -- luacheck: ignore tape
    return f(table.unpack(inputs)):item()
  end)
end

local function numeric(f, inputs, x, i, step)
  local flat = x:reshape{ -1 }
  local before = flat:get(i)
  flat:set(i, before + step)
  local above = value_of(f, inputs)
  flat:set(i, before - step)
  local below = value_of(f, inputs)
  flat:set(i, before)
  return (above - below) / (2 * step)
end

--- Checks dL/dx of f(inputs…) → one number, for every element of every input.
-- Exact work needs the double build (`marea --double`); in float the tolerance is coarse.
-- @tparam function f
-- @tparam {tensor,...} inputs real tensors outside any tape
-- @tparam[opt] table options `step`, `tolerance` (relative to 1 + |gradient|)
-- @treturn boolean whether all agree
-- @treturn table { worst, input, element, analytic, numeric }
return function(f, inputs, options)
  if type(inputs) ~= "table" then
    error("gradcheck: expects a function and a list of tensors, got " .. type(inputs), 0)
  end
  options = options or {}
  local precise = native.precision == "double"
  local step = options.step or (precise and 1e-5 or 1e-2)
  local tolerance = options.tolerance or (precise and 1e-7 or 2e-2)
  for _, x in ipairs(inputs) do x.requires_grad = true end
  do
    local tape <close> = native.tape() -- luacheck: ignore tape
    tape:backward(f(table.unpack(inputs)))
  end
  local report = { worst = 0 }
  for number, x in ipairs(inputs) do
    local gradient = (x.grad or native.zeros(x:shape())):reshape{ -1 }
    for i = 1, x:count() do
      local analytic, measured = gradient:get(i), numeric(f, inputs, x, i, step)
      local difference = math.abs(analytic - measured) / (1 + math.abs(measured))
      if difference ~= difference or difference > report.worst then
        report = { worst = difference, input = number, element = i, analytic = analytic,
          numeric = measured }
      end
    end
  end
  return report.worst <= tolerance, report
end
