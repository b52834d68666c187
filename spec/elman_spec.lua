-- Elman against its own formula, written out step by step.
local helper = require "spec.helper"
local marea = require "marea"
local nn = marea.nn
local near = helper.double and 1e-12 or 1e-6

local function by_hand(layer, x)
  local K, U, b, V, c = table.unpack(layer:get_weights())
  local h, list = marea.zeros{ x:size(1), layer.units }, {}
  for t = 1, x:size(2) do
    h = (x:select(2, t):matmul(K) + h:matmul(U) + b):tanh()
    list[t] = nn.Activation{ "softmax" }(h:matmul(V) + c)
  end
  return marea.stack(list, 2), h
end

describe("Elman", function()
  before_each(function() marea.manual_seed(2) end)

  it("is its formula", function()
    local layer, x = nn.Elman{ 4, 3, g2 = "softmax", return_sequences = true, return_state = true },
      marea.randn{ 2, 5, 3 }
    local y, h = layer(x)
    local wanted, last = by_hand(layer, x)
    assert.near_all(wanted, y, near)
    assert.near_all(last, h, near)
    layer.output_bias:assign_(marea.randn{ 3 })
    assert.near_all((by_hand(layer, x)), (layer(x)), near)
  end)

  it("hides padding on either side", function()
    local layer, x = nn.Elman{ 4, 2 }, marea.randn{ 2, 3, 3 }
    local whole, pad = layer(x), marea.randn{ 2, 2, 3 }
    local row = marea.tensor{ { 1, 1, 1, 0, 0 }, { 1, 1, 1, 0, 0 } }
    assert.near_all(whole, layer(marea.concat({ x, pad }, 2), { mask = row }), near)
    row = marea.tensor{ { 0, 0, 1, 1, 1 }, { 0, 0, 1, 1, 1 } }
    assert.near_all(whole, layer(marea.concat({ pad, x }, 2), { mask = row }), near)
  end)

  it("comes in pieces, trains, and is saved", function()
    local model = marea.Sequential{ nn.Elman{ 4, 2, return_sequences = true, name = "e" }, nn.Dense{ 1 } }
    local x, y = marea.randn{ 4, 6, 2 }, marea.randn{ 4, 6, 1 }
    model:compile{ optimizer = "adam", loss = "mse" }
    local first = model:train_on_batch(x, y)
    for _ = 1, 20 do model:train_on_batch(x, y) end
    assert.is_true(model:train_on_batch(x, y) < first)
    local a, state = model(x:narrow(2, 1, 2), model:zero_state())
    local b = model(x:narrow(2, 3, 4), state)
    assert.near_all(model(x), marea.concat({ a, b }, 2), near)
    local path = os.tmpname()
    assert(model:save(path))
    assert.near_all(model(x), assert(marea.load(path))(x), 0)
    os.remove(path)
    assert.same({ "e/kernel", "e/recurrent_kernel", "e/bias", "e/output_kernel", "e/output_bias" }, (function()
      local names = {}
      for i, entry in ipairs(model.layers[1]:entries("e/")) do names[i] = entry.path end
      return names
    end)())
  end)

  it("says what it needs", function()
    assert.equal(3, nn.Elman{ 3 }.output_units)
    assert.fails("reluu", nn.Elman, { 3, 2, g2 = "reluu" })
    assert.fails("softmax", nn.Elman, { 3, 2, g1 = "softmax" })
  end)
end)
