-- Convolution, pooling, normalisation and attention against Keras (spec/golden/layers.json, made by
-- scripts/fixtures/layers.py): outputs, gradients and moving averages.
local helper = require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local nn, near = marea.nn, support.near

local golden = (function()
  local file = assert(io.open("spec/golden/layers.json"))
  local result = assert(marea.json.decode(file:read("a")))
  file:close()
  return result
end)()

-- Keras has 1/sqrt(key_dim) in single precision.
local tolerance = helper.double and 1e-7 or 2e-5

local function inputs_of(case)
  local list = {}
  for i, values in ipairs(case.inputs) do
    list[i] = marea.tensor(values)
    list[i].requires_grad = true
  end
  return list
end

local function call_of(case)
  local call = { training = case.training }
  for name, value in pairs(case.call) do call[name] = value end
  if case.masks then
    local masks = {}
    for i, mask in ipairs(case.masks) do masks[i] = #mask > 0 and marea.tensor(mask) or nil end
    call.mask = #case.inputs > 1 and masks or masks[1]
  end
  return call
end

local function check(case)
  local layer = nn[case.layer](case.options)
  local list, call = inputs_of(case), call_of(case)
  local x = #list > 1 and list or list[1]
  layer(x, { training = false })
  layer:set_weights(case.weights)
  local tape <close> = marea.tape()
  local y = layer(x, call)
  near(case.output, y, tolerance)
  local n = y:count()
  tape:backward((y:reshape{ n } * marea.arange(1, n) * 0.1):sum())
  for i, input in ipairs(list) do near(case.gradients[i], input.grad, 10 * tolerance) end
  local place = #list
  for _, entry in ipairs(layer:entries()) do
    if entry.trainable then
      place = place + 1
      near(case.gradients[place], entry.tensor.grad, 20 * tolerance)
    end
  end
  assert.are.equal(#case.gradients, place)
  for k, values in ipairs(case.after or {}) do near(values, layer:get_weights()[k], tolerance) end
end

describe("layers as in Keras", function()
  for i, case in ipairs(golden.cases) do
    it(("%d: %s"):format(i, case.layer), function() check(case) end)
  end
end)
