-- States in and out of Bidirectional against Keras (spec/golden/bidirectional.json, made by
-- scripts/fixtures/bidirectional.py), and what they are by definition.
local helper = require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local nn, near, numbers = marea.nn, support.near, support.numbers

local golden = (function()
  local file <close> = assert(io.open("spec/golden/bidirectional.json"))
  return assert(marea.json.decode(file:read("a")))
end)()

local tolerance = helper.double and 1e-6 or 5e-5

local function made(case, return_state)
  local options = { 3, return_state = return_state }
  for name, value in pairs(case.options) do options[name] = value end
  local layer = nn.Bidirectional{ nn[case.layer](options), merge_mode = case.merge_mode }
  layer:build{ -1, -1, 2 }
  layer:set_weights(case.weights)
  return layer
end

-- The results, and the gradients of sum(result * (1, 2, 3, ...)/10) over all of them.
local function check(case, layer, return_state)
  local x, states = marea.tensor(case.x), {}
  for i, values in ipairs(case.states) do states[i] = marea.tensor(values) end
  local wanted = { x, table.unpack(states) }
  for _, tensor in ipairs(wanted) do tensor.requires_grad = true end
  local tape <close> = marea.tape()
  local results = table.pack(layer(x, { initial_state = states, return_state = return_state,
    mask = #case.mask > 0 and marea.tensor(case.mask) or nil }))
  assert.equal(#case.results, results.n)
  local loss = 0
  for i, expected in ipairs(case.results) do
    near(expected, results[i], tolerance)
    local n = results[i]:count()
    loss = loss + (results[i]:reshape{ n } * marea.arange(1, n) * 0.1):sum()
  end
  tape:backward(loss)
  for _, weight in ipairs(layer:entries()) do wanted[#wanted + 1] = weight.tensor end
  assert.equal(#case.gradients, #wanted)
  for i, tensor in ipairs(wanted) do near(case.gradients[i], tensor.grad, 10 * tolerance) end
end

describe("states of Bidirectional", function()
  for i, case in ipairs(golden.cases) do
    it(("are those of Keras, in and out, %d: %s, %s"):format(i, case.layer, case.merge_mode), function()
      check(case, made(case, true))
      check(case, made(case, false), true) -- asked for in the call
    end)
  end

  it("come from both outputs without a merge, after them", function()
    local layer, x = nn.Bidirectional{ nn.LSTM{ 3, return_state = true }, merge_mode = "none" },
      numbers{ 2, 4, 2 }
    layer:build{ -1, -1, 2 }
    support.scatter(layer)
    local states = {}
    for i = 1, 4 do states[i] = numbers({ 2, 3 }, i) end
    local results = table.pack(layer(x, { initial_state = states }))
    assert.equal(6, results.n)
    local forward = table.pack(layer.forward(x, { initial_state = { states[1], states[2] } }))
    local backward = table.pack(layer.backward(x, { initial_state = { states[3], states[4] } }))
    near(forward[1], results[1], 0)
    near(backward[1], results[2], 0)
    for i = 1, 2 do
      near(forward[i + 1], results[i + 2], 0)
      near(backward[i + 1], results[i + 4], 0)
    end
  end)

  it("go on to another Bidirectional, as an encoder's to its decoder", function()
    local function states_of(layer, x) return table.move(table.pack(layer(x)), 2, 5, 1, {}) end
    local encoder = nn.Bidirectional{ nn.LSTM{ 3, return_state = true } }
    local decoder = nn.Bidirectional{ nn.LSTM{ 3, return_sequences = true } }
    local a, b = marea.Input{ { 4, 2 } }, marea.Input{ { 5, 3 } }
    local _, fh, fc, bh, bc = encoder(a)
    local model = marea.Model{ inputs = { a, b },
      outputs = decoder(b, { initial_state = { fh, fc, bh, bc } }) }
    support.scatter(model)
    local x, y = numbers{ 2, 4, 2 }, numbers({ 2, 5, 3 }, 1)
    near(decoder(y, { initial_state = states_of(encoder, x) }), model{ x, y }, 0)
  end)

  it("say how many they must be, and of which shape", function()
    local layer = nn.Bidirectional{ nn.LSTM{ 3 }, name = "both" }
    local x, state = numbers{ 2, 4, 2 }, marea.zeros{ 2, 3 }
    assert.fails('Bidirectional "both": initial_state must hold 4 tensors, forward first', layer, x,
      { initial_state = { state, state } })
    assert.fails("initial_state must hold 4 tensors", layer, x, { initial_state = state })
    assert.fails("initial_state 2 is (1, 3), expected (2, 3)", layer, x,
      { initial_state = { state, state, state, marea.zeros{ 1, 3 } } })
  end)

  it("need as many features from both layers to be merged", function()
    local function both(mode)
      return nn.Bidirectional{ nn.GRU{ 2 }, merge_mode = mode, name = "both",
        backward_layer = nn.GRU{ 3, go_backwards = true } }
    end
    for _, mode in ipairs{ "sum", "mul", "ave" } do
      support.raises(function() both(mode)(numbers{ 2, 4, 2 }) end, 'Bidirectional "both": merge_mode', mode,
        "got 2 forwards and 3 backwards")
    end
    assert.same({ 2, 5 }, both("concat")(numbers{ 2, 4, 2 }):shape())
    assert.same({ 2, 3 }, select(2, both("none")(numbers{ 2, 4, 2 })):shape())
  end)
end)
