local marea = require "marea"
local support = require "spec.support"
local nn, near, raises = marea.nn, support.near, support.raises

local function all_options(class, options)
  local given = { 2, return_sequences = true }
  for key, value in pairs(options or {}) do given[key] = value end
  return nn[class](given)
end

local function golden(class, gates, options, call)
  local layer = all_options(class, options)
  layer:build{ -1, 3, 2 }
  layer:set_weights(support.golden_weights(gates, class == "GRU" and layer.reset_after and 2 or 1))
  local x = marea.tensor(support.golden_input)
  x.requires_grad = true
  local tape <close> = marea.tape()
  local y = layer(x, call)
  local loss = (y * marea.tensor{ 1, 2 }):sum()
  tape:backward(loss)
  local gradients = layer:get_gradients()
  return { y = y:totable()[1], loss = loss:item(), dx = x.grad:totable()[1], gradients = gradients,
    layer = layer }
end

local cases = {
  { class = "SimpleRNN", gates = 1,
    y = { -0.421899005, 0.148885034, -0.207940118, -0.097216377, 0.316380013, -0.197335845 },
    loss = -0.604793488,
    dx = { -0.226599737, -0.348205028, -0.238879348, -0.315547814, -0.269971106, -0.204442688 },
    bias = { 2.451500637, 6.792478290 }, row = { -0.523069277, -1.401275005 } },
  { class = "LSTM", gates = 4,
    y = { 0.040265521, -0.100605804, 0.080846346, -0.086312082, 0.016685056, 0.012377350 },
    loss = -0.211284150,
    dx = { -0.017718104, 0.180739109, -0.039671665, 0.212031495, -0.040940754, 0.156748152 },
    bias = { 0.089573864, -0.131797383, 0.032057498, -0.141543364, 0.896267022, 1.674181255,
      0.073300945, -0.176742674 },
    row = { 0.001464593, 0.003713153, 0.002027342, -0.008044512, 0.031472308, 0.066065837,
      0.002519210, -0.002620660 } },
  { class = "GRU", gates = 3,
    y = { 0.122858110, -0.203404162, 0.216067061, -0.174433524, 0.082022484, 0.073225009 },
    loss = -0.188277699,
    dx = { 0.007869772, 0.250535781, -0.092203047, 0.395854331, -0.135031011, 0.346331545 },
    bias = { -0.069217428, 0.067816582, -0.010253528, 0.117936327, 2.395483249, 3.521782365,
      -0.069217428, 0.067816582, -0.010253528, 0.117936327, 1.282013588, 1.724710689 },
    row = { 0.008099659, -0.053064995, -0.001726407, 0.017103147, 0.109882280, 0.178832442 } },
  { class = "GRU", gates = 3, options = { reset_after = false },
    y = { 0.120525114, -0.213761605, 0.213425369, -0.186922147, 0.084727967, 0.056464065 },
    loss = -0.269760923,
    dx = { 0.022261131, 0.239768689, -0.086058802, 0.400301221, -0.132565105, 0.359311527 },
    bias = { -0.076220002, 0.088805521, 0.018435988, 0.048275454, 2.383758457, 3.483418597 },
    row = { 0.007609591, -0.051100493, 0.003274633, 0.007586400, 0.103068023, 0.192764130 } },
}

describe("recurrent layers, golden numbers", function()
  for _, case in ipairs(cases) do
    it(case.class .. (case.options and " reset before" or ""), function()
      local got = golden(case.class, case.gates, case.options)
      near(case.y, got.y)
      near(case.loss, got.loss)
      near(case.dx, got.dx)
      near(case.row, got.gradients[2]:totable()[1])
      near(case.bias, got.gradients[3])
    end)
  end

  it("LSTM's cell state comes second", function()
    local layer = all_options("LSTM", { return_state = true })
    layer:build{ -1, 3, 2 }
    layer:set_weights(support.golden_weights(4))
    local y, h, c = layer(marea.tensor(support.golden_input))
    near(y:totable()[1][3], h:totable()[1])
    near({ 0.036912858, 0.020817435 }, c:totable()[1])
  end)

  it("LSTM with mask 1, 0, 1", function()
    local got = golden("LSTM", 4, nil, { mask = marea.tensor{ { 1, 0, 1 } } })
    near({ 0.040265521, -0.100605804, 0.040265521, -0.100605804, 0.001237862, -0.004693711 }, got.y)
    near(-0.330041735, got.loss)
    near({ -0.023194826, 0.270361210, 0, 0, -0.037985333, 0.158288065 }, got.dx)
    assert.equal(0, got.dx[2][1])
    assert.equal(0, got.dx[2][2])
  end)

  it("GRU with mask 0, 1, 1", function()
    local got = golden("GRU", 3, nil, { mask = marea.tensor{ { 0, 1, 1 } } })
    near({ 0, 0, 0.174405266, -0.104718306, 0.061826252, 0.094091174 }, got.y)
    near(0.214977255, got.loss)
    near({ 0, 0, -0.062277160, 0.350256641, -0.130909219, 0.339320146 }, got.dx)
  end)
end)

local classes = {
  { "SimpleRNN" }, { "LSTM" }, { "GRU" }, { "GRU", { reset_after = false } },
}

local function each_class(what, f)
  for _, pair in ipairs(classes) do
    local class, extra = pair[1], pair[2]
    it(class .. (extra and " (reset before) " or " ") .. what, function()
      f(function(options)
        local given = { 3 }
        for key, value in pairs(extra or {}) do given[key] = value end
        for key, value in pairs(options or {}) do given[key] = value end
        local layer = nn[class](given)
        layer:build{ -1, -1, 2 }
        support.scatter(layer)
        return layer
      end)
    end)
  end
end

-- Rows of steps in a width, before, behind or around the padding; with the mask.
local function padded(rows, width, side)
  local x, mask = {}, {}
  for b, row in ipairs(rows) do
    x[b], mask[b] = {}, {}
    local start = side == "pre" and width - #row or 0
    for t = 1, width do
      local step = row[t - start]
      x[b][t] = step or { 7, -9 }
      mask[b][t] = step and 1 or 0
    end
  end
  return marea.tensor(x), { mask = marea.tensor(mask) }
end

describe("padding", function()
  each_class("changes nothing on either side, at any width", function(make)
    local rows = { { { .5, -1 } }, { { .1, .2 } } }
    local layer = make()
    local reference = layer(marea.tensor(rows))
    for _, width in ipairs{ 1, 2, 3, 4, 7, 8 } do
      for _, side in ipairs{ "pre", "post" } do
        local y = layer(padded(rows, width, side))
        assert.is_true(y:same(reference), side .. " " .. width)
      end
    end
  end)

  each_class("gives zeros for a row without steps", function(make)
    local y = make()(padded({ { { .5, -1 }, { 1, 2 } }, {} }, 3, "pre"))
    assert.same({ 0, 0, 0 }, y:totable()[2])
  end)

  each_class("reads lengths as a mask", function(make)
    local rows = { { { .5, -1 }, { 1, 2 } }, { { 3, 1 } } }
    local x, call = padded(rows, 4, "post")
    local layer = make()
    assert.is_true(layer(x, call):same(layer(x, { lengths = { 2, 1 } })))
  end)

  each_class("zero_output_for_mask gives zeros at hidden steps", function(make)
    local x, call = padded({ { { .5, -1 } } }, 3, "post")
    local y = make{ return_sequences = true, zero_output_for_mask = true }(x, call):totable()[1]
    assert.same({ 0, 0, 0 }, y[2])
    assert.same({ 0, 0, 0 }, y[3])
    assert.not_equal(0, y[1][1])
  end)
end)

describe("time", function()
  each_class("go_backwards reads from the end and answers in that order", function(make)
    local x = support.numbers{ 2, 4, 2 }
    local forward, backward = make{ return_sequences = true }, make{ return_sequences = true,
      go_backwards = true }
    near(forward(x:flip(2)), backward(x))
    near(backward(x):select(2, 4), make{ go_backwards = true }(x))
  end)

  each_class("in two stateful parts equals the whole", function(make)
    local x = support.numbers{ 2, 6, 2 }
    local whole, parts = make{ return_sequences = true }, make{ return_sequences = true,
      stateful = true }
    local expected = whole(x)
    near(expected:narrow(2, 1, 2), parts(x:narrow(2, 1, 2)))
    near(expected:narrow(2, 3, 4), parts(x:narrow(2, 3, 4)))
    parts:reset_states()
    near(expected, parts(x))
  end)

  each_class("initial_state continues a sequence", function(make)
    local x = support.numbers{ 2, 6, 2 }
    local layer = make{ return_state = true }
    local first = table.pack(layer(x:narrow(2, 1, 2)))
    local state = table.move(first, 2, first.n, 1, {})
    near((layer(x)), (layer(x:narrow(2, 3, 4), { initial_state = state })))
  end)

  it("a stateful layer refuses another batch size", function()
    local layer = nn.GRU{ 3, stateful = true, name = "kept" }
    layer(support.numbers{ 2, 3, 2 })
    raises(function() layer(support.numbers{ 3, 3, 2 }) end, 'GRU "kept"', "2 samples", "batch of 3",
      "reset_states")
  end)
end)

describe("dropout inside", function()
  each_class("drops in training only, and anew at each call", function(make)
    local layer = make{ dropout = .5, recurrent_dropout = .5 }
    local x = support.numbers{ 2, 4, 2 }
    assert.is_true(layer(x):same(layer(x)))
    local a, b = layer(x, { training = true }), layer(x, { training = true })
    assert.is_false(a:same(b))
  end)
end)

describe("Bidirectional", function()
  local function pair(options)
    local layer = nn.Bidirectional(options)
    layer:build{ -1, -1, 2 }
    support.scatter(layer)
    return layer
  end

  it("merges in every mode", function()
    local x = support.numbers{ 2, 3, 2 }
    local none = pair{ nn.GRU{ 2, return_sequences = true }, merge_mode = "none" }
    local a, b = none(x)
    local merged = { concat = marea.concat({ a, b }, 3), sum = a + b, mul = a * b, ave = (a + b) / 2 }
    for mode, expected in pairs(merged) do
      near(expected, pair{ nn.GRU{ 2, return_sequences = true }, merge_mode = mode }(x))
    end
    near(none.forward(x), a)
  end)

  it("answers in the order of x", function()
    local x = support.numbers{ 1, 4, 2 }
    local layer = pair{ nn.SimpleRNN{ 2, return_sequences = true } }
    local only = nn.SimpleRNN{ 2, return_sequences = true }
    only:build{ -1, 4, 2 }
    only:set_weights(layer.backward:get_weights())
    near(only(x:flip(2)):flip(2), layer(x):narrow(3, 3, 2))
  end)

  it("reverses each row within its own length", function()
    local rows = { { { .5, -1 }, { 1, 2 } }, { { 3, 1 } } }
    for _, sequences in ipairs{ true, false } do
      local layer = pair{ nn.LSTM{ 2, return_sequences = sequences } }
      for b, row in ipairs(rows) do
        local alone = layer(marea.tensor{ row })
        for _, side in ipairs{ "pre", "post" } do
          local y = layer(padded(rows, 5, side)):narrow(1, b, 1)
          if sequences then y = y:narrow(2, side == "pre" and 6 - #row or 1, #row) end
          near(alone, y)
        end
      end
    end
  end)

  it("keeps weights of both copies in order, and hands states out in order", function()
    local layer = pair{ nn.LSTM{ 2, return_state = true, name = "inner" } }
    assert.equal(6, #layer:get_weights())
    local names = {}
    for name in pairs(layer:parameters()) do names[#names + 1] = name end
    assert.equal("forward_inner/kernel", names[1])
    assert.equal("backward_inner/bias", names[6])
    local results = table.pack(layer(support.numbers{ 1, 3, 2 }))
    assert.equal(5, results.n)
    near(layer.forward(support.numbers{ 1, 3, 2 }), results[2])
  end)

  it("freezes both copies with itself", function()
    local layer = pair{ nn.GRU{ 2 } }
    layer.trainable = false
    assert.is_false(layer:parameters()[1].requires_grad)
    assert.equal(0, select(2, layer:count_params()))
  end)

  it("refuses what is not recurrent, and unknown modes", function()
    raises(function() nn.Bidirectional{ nn.Dense{ 2 } } end, "recurrent layer")
    raises(function() nn.Bidirectional{ nn.GRU{ 2 }, merge_mode = "max" } end, "merge_mode", "concat")
  end)
end)

describe("recurrent layers refuse", function()
  it("inputs of another width, naming the layer", function()
    local layer = nn.LSTM{ 2, name = "encoder" }
    layer:build{ -1, -1, 64 }
    raises(function() layer(support.numbers{ 3, 5, 10 }) end,
      'LSTM "encoder": input is (batch 3, time 5, 10), kernel expects 64 features')
  end)

  it("inputs without a time axis", function()
    raises(function() nn.GRU{ 2 }(support.numbers{ 3, 5 }) end, "(3, 5)", "(batch, time, features)")
  end)

  it("masks and states of another shape", function()
    local layer = nn.LSTM{ 2 }
    local x = support.numbers{ 2, 3, 2 }
    raises(function() layer(x, { mask = marea.ones{ 2, 4 } }) end, "mask is (2, 4)", "time 3")
    raises(function() layer(x, { initial_state = marea.ones{ 2, 2 } }) end, "2 tensors")
    raises(function() layer(x, { initial_state = { marea.ones{ 2, 3 }, marea.ones{ 2, 2 } } }) end,
      "initial_state 1 is (2, 3), expected (2, 2)")
    raises(function() layer(x, { mask = marea.ones{ 2, 3 }, lengths = { 1, 2 } }) end, "not both")
    raises(function() layer(x, { lengths = { 1 } }) end, "lengths", "2 samples")
  end)

  it("activations that cannot run inside", function()
    raises(function() nn.LSTM{ 2, activation = "softmax" } end, "activation", "softmax")
    raises(function() nn.GRU{ 2, activation = function(x) return x end } end, "by name")
    raises(function() nn.GRU{ 2, activation = "tanhh" } end, "unknown activation", "tanh")
  end)

  it("rates outside [0, 1) and units that are not whole", function()
    raises(function() nn.LSTM{ 2, dropout = 1 } end, "dropout", "[0, 1)")
    raises(function() nn.LSTM{ 0 } end, "units", "positive whole number")
    raises(function() nn.LSTM{ 2.5 } end, "units", "2.5")
  end)
end)

describe("initial weights", function()
  it("LSTM starts with ones for the forget gate", function()
    local layer = nn.LSTM{ 2 }
    layer:build{ -1, -1, 3 }
    assert.same({ 0, 0, 1, 1, 0, 0, 0, 0 }, layer.bias:totable())
    local plain = nn.LSTM{ 2, unit_forget_bias = false }
    plain:build{ -1, -1, 3 }
    assert.equal(0, plain.bias:get(3))
  end)

  it("counts parameters as Keras does", function()
    local counts = { SimpleRNN = 4 * (3 + 4 + 1), LSTM = 4 * 4 * (3 + 4 + 1), GRU = 3 * (4 * 7 + 8) }
    for class, expected in pairs(counts) do
      local layer = nn[class]{ 4 }
      layer:build{ -1, -1, 3 }
      assert.equal(expected, (layer:count_params()))
    end
  end)
end)
