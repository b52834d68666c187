--- What the specs of layers and models share.
local marea = require "marea"

local support = {}

local function flatten(value, list)
  list = list or {}
  if type(value) == "table" then
    for _, item in ipairs(value) do flatten(item, list) end
  else
    list[#list + 1] = value
  end
  return list
end

--- Fails unless tensors or nested tables agree within a tolerance.
function support.near(expected, actual, tolerance)
  if type(expected) == "userdata" then expected = expected:totable() end
  if type(actual) == "userdata" then actual = actual:totable() end
  local a, b = flatten(expected), flatten(actual)
  if #a ~= #b then error(("expected %d numbers, got %d"):format(#a, #b), 2) end
  tolerance = tolerance or (marea.precision == "double" and 2e-9 or 3e-6)
  for i = 1, #a do
    local close = math.abs(a[i] - b[i]) <= tolerance * math.max(1, math.abs(a[i]))
    if not close then -- also for NaN
      error(("number %d: expected %.9g, got %.9g"):format(i, a[i], b[i]), 2)
    end
  end
end

--- Fails unless f raises a message that holds each of the plain texts.
function support.raises(f, ...)
  local ok, message = pcall(f)
  if ok then error("expected an error, none was raised", 2) end
  message = tostring(message)
  for _, text in ipairs{ ... } do
    if not message:find(text, 1, true) then
      error(("expected %q in the message, got %q"):format(text, message), 2)
    end
  end
end

--- Kernel, recurrent kernel and bias of the golden numbers, for G gates; D = u = 2.
function support.golden_weights(gates, bias_rows)
  local columns = 2 * gates
  local kernel, recurrent, bias, second = { {}, {} }, { {}, {} }, {}, {}
  for j = 0, columns - 1 do
    for i = 0, 1 do
      kernel[i + 1][j + 1] = ((5 * i + 3 * j) % 7 - 3) / 10
      recurrent[i + 1][j + 1] = ((2 * i + 5 * j) % 9 - 4) / 10
    end
    bias[j + 1] = (j % 5 - 2) / 20
    second[j + 1] = (j % 3 - 1) / 20
  end
  return { kernel, recurrent, bias_rows == 2 and { bias, second } or bias }
end

support.golden_input = { { { .5, -1 }, { 1, .25 }, { -.75, .5 } } }

--- Fills a layer's weights with small numbers that differ from each other and from zero.
function support.scatter(layer, scale)
  local n = 0
  for _, tensor in pairs(layer:parameters()) do
    local flat = tensor:reshape{ -1 }
    for i = 1, tensor:count() do
      n = n + 1
      flat:set(i, (scale or .5) * math.sin(n * 1.7 + .3))
    end
  end
end

--- A tensor of a shape with numbers that look random but are not.
function support.numbers(shape, phase)
  local x = marea.zeros(shape)
  local flat = x:reshape{ -1 }
  for i = 1, x:count() do flat:set(i, math.sin(i * 2.3 + (phase or 0))) end
  return x
end

--- Silences standard error while f runs; returns what was written.
function support.stderr_of(f)
  local old, parts = io.stderr, {}
  -- luacheck: push ignore 122
  io.stderr = { write = function(_, ...) for _, s in ipairs{ ... } do parts[#parts + 1] = s end end }
  local ok, message = pcall(f)
  io.stderr = old
  -- luacheck: pop
  if not ok then error(message, 0) end
  return table.concat(parts)
end

return support
