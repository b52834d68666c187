-- Forms of the recurrent cells: golden numbers from the formulas (computed in double precision by an
-- independent program), and what each form must do by definition.
local marea = require "marea"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function built(class, gates, options, more)
  local given = { 2, return_sequences = true }
  for key, value in pairs(options) do given[key] = value end
  local layer = nn[class](given)
  layer:build{ -1, 3, 2 }
  local weights = support.golden_weights(gates, 1)
  for _, weight in ipairs(more or {}) do weights[#weights + 1] = marea.tensor(weight) end
  layer:set_weights(weights)
  return layer
end

local function run(layer)
  local x = marea.tensor(support.golden_input)
  x.requires_grad = true
  local tape <close> = marea.tape()
  local y = layer(x)
  local loss = (y * marea.tensor{ 1, 2 }):sum()
  tape:backward(loss)
  return { y = y:totable()[1], loss = loss:item(), dx = x.grad:totable()[1],
    gradients = layer:get_gradients() }
end

local diagonal = { { .1, .2 }, { -.1, -.2 }, { .05, .1 } }

-- V[i][j] = ((4i + 3j) mod 5 - 2)/10 by the columns of i, f and o.
local function full()
  local blocks = {}
  for place, first in ipairs{ 0, 2, 6 } do
    blocks[place] = {}
    for i = 0, 1 do
      blocks[place][i + 1] = {}
      for j = 0, 1 do blocks[place][i + 1][j + 1] = ((4 * i + 3 * (first + j)) % 5 - 2) / 10 end
    end
  end
  return blocks
end

local cases = {
  { "LSTM with diagonal peepholes", class = "LSTM", gates = 4, options = { peephole = "gers2000" },
    more = diagonal,
    y = { 0.040339009, -0.099143302, 0.081353232, -0.085903861, 0.016331514, 0.009412046 },
    loss = -0.213246479,
    dx = { -0.018917472, 0.182965375, -0.038059651, 0.210890328, -0.037714494, 0.153467732 },
    bias = { 0.089584522, -0.134568862, 0.032087073, -0.143771852, 0.899782143, 1.664402771,
      0.072958886, -0.179362233 },
    peepholes = { 0.002726959, -0.000003155, 0.004025868, 0.032644053, 0.009025252, 0.042050682 } },
  { "LSTM whose o sees the old cell", class = "LSTM", gates = 4,
    options = { peephole = { output = "old" } }, more = diagonal,
    y = { 0.040265521, -0.100605804, 0.081190149, -0.085542361, 0.016403248, 0.009376829 } },
  { "LSTM with the slides' peepholes", class = "LSTM", gates = 4, options = { peephole = "slides" },
    more = full(),
    y = { 0.045573510, -0.110773948, 0.085521211, -0.099539470, 0.028619874, 0.014361952 },
    loss = -0.232188337,
    dx = { -0.038817429, 0.177396480, -0.070060702, 0.201032898, -0.050752087, 0.141832654 },
    bias = { 0.087871340, -0.169550384, 0.039296562, -0.130660774, 0.936055685, 1.734206775,
      0.087342530, -0.166481802 },
    first_rows = { 0.003545049, 0.006475147, 0.005499913, -0.016477515, 0.007124988,
      -0.005622703 } },
  { "GRU of the slides", class = "GRU", gates = 3,
    options = { reset_after = false, update = "write" },
    y = { 0.076850206, -0.248355552, 0.163066838, -0.210406176, 0.037800857, 0.000189513 },
    loss = -0.639426530,
    dx = { -0.163592331, 0.530242198, -0.174711135, 0.398185162, -0.042042917, 0.190508046 },
    bias = { 0.118407659, -0.098536033, 0.011094745, 0.050812134, 1.916912964, 3.632269444 } },
  { "SimpleGRU whose candidate sees x", class = "SimpleGRU", gates = 2, options = { candidate = "x" },
    y = { 0.019451831, 0.156560092, 0.138438811, 0.019690502, -0.030278753, -0.001199146 },
    loss = 0.477714786,
    dx = { 0.034230172, -0.490416894, -0.016627828, -0.323951339, 0.087302013, -0.238834435 },
    bias = { 0.049757719, 0.014793716, 1.774613108, 4.125522596 } },
  { "SimpleGRU whose candidate sees h, too", class = "SimpleGRU", gates = 2,
    options = { candidate = "xh" },
    y = { 0.019451831, 0.156560092, 0.130561701, 0.051815595, -0.056704907, 0.037734137 } },
}

describe("forms of recurrent cells, golden numbers", function()
  for _, case in ipairs(cases) do
    it(case[1], function()
      local got = run(built(case.class, case.gates, case.options, case.more))
      near(case.y, got.y)
      if not case.loss then return end
      near(case.loss, got.loss)
      near(case.dx, got.dx)
      near(case.bias, got.gradients[3])
      local of = { table.unpack(got.gradients, 4, 6) }
      if case.peepholes then near(case.peepholes, { of[1]:totable(), of[2]:totable(), of[3]:totable() }) end
      if case.first_rows then
        near(case.first_rows, { of[1]:totable()[1], of[2]:totable()[1], of[3]:totable()[1] })
      end
    end)
  end
end)

-- A layer with weights of its own, and the same with other options.
local function pair(class, options, others)
  local layers = {}
  for i, given in ipairs{ options, others } do
    local all = { 3, return_sequences = true }
    for key, value in pairs(given) do all[key] = value end
    layers[i] = nn[class](all)
    layers[i]:build{ -1, 5, 4 }
    support.scatter(layers[i])
  end
  return layers[1], layers[2]
end

describe("a form", function()
  local x = numbers{ 2, 5, 4 }

  it("is the plain cell when it has nothing to do", function()
    local plain, other = pair("LSTM", {}, { cell_clip = 100 })
    near(plain(x), other(x))
    plain, other = pair("LSTM", {}, { peephole = "gers2000" })
    for _, gate in ipairs{ "i", "f", "o" } do other["peephole_" .. gate]:fill_(0) end
    near(plain(x), other(x))
    plain, other = pair("LSTM", {}, { projection = 3 })
    other.projection_kernel:assign_(marea.tensor{ { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } })
    near(plain(x), other(x))
    plain, other = pair("GRU", {}, { learn_initial_state = true })
    other.initial_h:fill_(0)
    near(plain(x), other(x))
  end)

  it("with update = \"write\" is the other with z negated", function()
    local keep, write = pair("SimpleGRU", { update = "keep" }, { update = "write" })
    for _, name in ipairs{ "kernel", "recurrent_kernel", "bias" } do
      local weight = write[name]
      local z = weight:narrow(#weight:shape(), 1, 3)
      z:assign_(-z)
    end
    near(keep(x), write(x))
  end)

  it("projects the output and the state h to other features", function()
    local layer = nn.LSTM{ 5, projection = 2, return_sequences = true, return_state = true }
    local y, h, c = layer(x)
    assert.are.same({ 2, 5, 2 }, y:shape())
    assert.are.same({ 2, 2 }, h:shape())
    assert.are.same({ 2, 5 }, c:shape())
    assert.are.same({ 2, 5, 2 }, layer:output_shape{ 2, 5, 4 })
    assert.are.same({ 2, 20 }, layer.recurrent_kernel:shape())
  end)

  it("keeps c within the clip", function()
    local _, layer = pair("LSTM", {}, { cell_clip = .1, return_state = true })
    local _, _, c = layer(x)
    for _, row in ipairs(c:totable()) do
      for _, value in ipairs(row) do assert.is_true(math.abs(value) <= .1 + 1e-6) end
    end
  end)

  it("does not see padding", function()
    for _, options in ipairs{ { peephole = "slides", norm = "layer", zoneout = .2, zoneout_cell = .1 },
      { coupled = true, projection = 2, peephole = "onnx" } } do
      local _, layer = pair("LSTM", {}, options)
      local alone = layer(x:narrow(2, 1, 3))
      local padded = layer(x, { mask = marea.tensor{ { 1, 1, 1, 0, 0 }, { 1, 1, 1, 0, 0 } } })
      near(alone, padded:narrow(2, 1, 3), 0)
    end
  end)
end)

describe("peephole as a table", function()
  it("is the presets' forms by their parts", function()
    for name, parts in pairs{ slides = { form = "full", output = "old", inputs = "hc" }, onnx = {} } do
      local preset, same = pair("LSTM", { peephole = name }, { peephole = parts })
      near(preset(numbers{ 2, 5, 4 }), same(numbers{ 2, 5, 4 }), 0)
    end
  end)

  it("refuses other parts", function()
    raises(function() nn.LSTM{ 2, peephole = { form = "round" } } end, "LSTM: peephole", "form", "full")
    raises(function() nn.LSTM{ 2, peephole = { shape = "full" } } end, "LSTM: peephole", '"shape"')
    raises(function() nn.LSTM{ 2, peephole = { inputs = "xh" } } end, "inputs", "hc")
    raises(function() nn.LSTM{ 2, peephole = { output = 1 } } end, "output", "old")
  end)
end)

describe("compat", function()
  it("chooses forms and defaults, and an option wins over it", function()
    local gru = nn.GRU{ 2, compat = "slides" }
    assert.is_false(gru.reset_after)
    assert.equal("write", gru.update)
    assert.equal("keep", nn.GRU{ 2, compat = "slides", update = "keep" }.update)
    assert.equal("x", nn.SimpleGRU{ 2, compat = "slides" }.candidate)
    assert.is_true(nn.GRU{ 2, compat = "pytorch" }.reset_after)
    assert.is_false(nn.GRU{ 2, compat = "onnx" }.reset_after)
    for name, form in pairs{ keras = "gers2000", onnx = "onnx", slides = "slides" } do
      assert.equal(form, nn.LSTM{ 2, compat = name, peephole = true }.peephole)
    end
  end)

  it("pytorch draws every weight between -1/sqrt(u) and 1/sqrt(u)", function()
    local layer = nn.LSTM{ 100, compat = "pytorch" }
    layer:build{ -1, 3, 50 }
    for _, weight in pairs(layer:parameters()) do
      local most = weight:abs():max():item()
      assert.is_true(most <= .1 and most > .09)
    end
  end)

  it("refuses other programs, and peepholes that a program has not", function()
    raises(function() nn.LSTM{ 2, compat = "theano" } end, "LSTM", "compat", "keras, onnx, pytorch")
    raises(function() nn.LSTM{ 2, compat = "pytorch", peephole = true } end, "LSTM: pytorch has no")
  end)
end)

describe("Elman", function()
  local elman = nn.Elman{ 4, 3, g2 = "softmax", return_sequences = true, return_state = true }
  local x = numbers{ 2, 5, 3 }

  it("hands out g2 of h, of its own width, and keeps h as its state", function()
    local y, h = elman(x)
    local rnn = nn.SimpleRNN{ 4, return_sequences = true }
    rnn:build{ -1, 5, 3 }
    rnn:set_weights(table.move(elman:get_weights(), 1, 3, 1, {}))
    local hidden = rnn(x)
    near((hidden:matmul(elman.output_kernel) + elman.output_bias):softmax(), y)
    near(hidden:select(2, 5), h)
    assert.same({ 2, 5, 3 }, elman:output_shape{ 2, 5, 3 })
    assert.same({ 2, 6 }, nn.Bidirectional{ nn.Elman{ 4, 3 } }(x):shape())
  end)

  it("shows zeros before the first visible step and repeats at hidden ones", function()
    local y = elman(x, { mask = marea.tensor{ { 0, 1, 0, 0, 1 }, { 0, 0, 0, 0, 0 } } }):totable()
    assert.same({ 0, 0, 0 }, y[1][1])
    assert.same(y[1][2], y[1][3])
    assert.same(y[1][2], y[1][4])
    assert.same({ 0, 0, 0 }, y[2][5])
    assert.is_true(y[1][5][1] > 0)
  end)

  it("refuses activation in the place of g1, and what is none", function()
    raises(function() nn.Elman{ 2, activation = "relu" } end, "Elman", "g1", "g2")
    raises(function() nn.Elman{ 2, g1 = "softmax" } end, "Elman", "softmax")
    raises(function() nn.Elman{ 2, output_units = 0 } end, "Elman", "output_units")
  end)
end)

describe("cells with forms", function()
  local cells = {
    function() return nn.LSTM{ 3, peephole = "slides", projection = 2, norm = "layer", zoneout = .1,
      return_sequences = true } end,
    function() return nn.LSTM{ 3, coupled = true, return_sequences = true } end,
    function() return nn.GRU{ 3, update = "write", return_sequences = true } end,
    function() return nn.SimpleGRU{ 3, return_sequences = true } end,
    function() return nn.MinimalGatedUnit{ 3, return_sequences = true } end,
    function() return nn.MinimalGatedUnit{ 3, gate = "h", return_sequences = true } end,
  }

  it("carry their states from one part of a sequence to the next, and stream", function()
    for i, make in ipairs(cells) do
      local model, x = marea.Sequential{ make() }, numbers{ 2, 4, 3 }
      local whole = model(x)
      local y, state = model(x:narrow(2, 1, 2), model:zero_state())
      near(whole:narrow(2, 1, 2), y)
      near(whole:narrow(2, 3, 2), (model(x:narrow(2, 3, 2), state)))
      local stream = model:stream{ batch = 2 }
      assert.equal(i > 1, stream.stepper ~= nil) -- the first one has forms beyond the steps in C
      for t = 1, 4 do
        local step = stream:step(x:narrow(2, t, 1):reshape{ 2, 3 })
        near(whole:narrow(2, t, 1), step)
      end
    end
  end)

  -- In C, and through the layers with two states of two widths (the projection).
  it("stream from their learned initial states, at the start and again", function()
    for _, rows in ipairs{ 1, 3 } do
      local model = marea.Sequential{}
      for _, layer in ipairs{ nn.GRU, nn.LSTM, nn.SimpleRNN } do
        model:add(layer{ 3, return_sequences = true, learn_initial_state = true })
      end
      local x = numbers{ rows, 4, 2 }
      for _, last in ipairs{ nn.GRU{ 2, return_sequences = true },
        nn.MinimalGatedUnit{ 2, gate = "h", learn_initial_state = true, return_sequences = true },
        nn.LSTM{ 4, projection = 2, learn_initial_state = true, return_sequences = true } } do
        local row = marea.Sequential{ model, last }
        row:build{ -1, -1, 2 }
        support.scatter(row)
        local whole, stream = row(x), row:stream{ batch = rows }
        assert.equal(last.projection == nil, stream.stepper ~= nil)
        local function walk()
          for t = 1, 4 do near(whole:select(2, t), stream:step(x:select(2, t):clone())) end
        end
        walk()
        stream:reset()
        walk()
        for _, layer in ipairs(model.layers) do layer.initial_h:fill_(-.25) end -- learned on
        whole = row(x)
        walk(stream:restore(row:zero_state()))
      end
    end
  end)

  it("generate from their learned initial states, each beam too", function()
    local model = marea.Sequential{ nn.Embedding{ 5, 3 }, nn.GRU{ 4, return_sequences = true,
      learn_initial_state = true }, nn.Dense{ 5, activation = "softmax" } }
    model:build{ -1, -1 }
    support.scatter(model, 2)
    local best = marea.generate.beam(model, { start = 1, width = 2, max_length = 3 })[1]
    local ids = { 1, table.unpack(best.tokens, 1, 2) }
    local p = model(marea.tensor({ ids }, { dtype = "int32" }))
    for t, token in ipairs(best.tokens) do near(p:get(1, t, token + 1), best.probabilities[t]) end
  end)

  it("work in both directions and come back from a config", function()
    for _, make in ipairs(cells) do
      local layer, x = nn.Bidirectional{ make() }, numbers{ 2, 4, 3 }
      local y = layer(x)
      assert.are.same(y:shape(), layer:output_shape{ 2, 4, 3 })
      local registry = require "marea.nn.registry"
      local copy = registry.deserialize(registry.serialize(layer))
      copy:build{ 2, 4, 3 }
      copy:set_weights(layer:get_weights())
      near(y, copy(x), 0)
    end
  end)
end)

describe("zoneout", function()
  local x = numbers{ 2, 6, 3 }

  it("keeps units in training, by chance, and mixes by its rate otherwise", function()
    local layer = nn.SimpleRNN{ 40, zoneout = .5, return_sequences = true }
    layer:build{ -1, 6, 3 }
    local y = layer(x, { training = true }):totable()
    local kept = 0
    for t = 2, 6 do
      for j = 1, 40 do kept = kept + (y[1][t][j] == y[1][t - 1][j] and 1 or 0) end
    end
    assert.is_true(kept > 60 and kept < 140)
    local plain = nn.SimpleRNN{ 40, return_sequences = true }
    plain:build{ -1, 6, 3 }
    plain:set_weights(layer:get_weights())
    near(plain(x):narrow(2, 1, 1) * .5, layer(x):narrow(2, 1, 1))
  end)

  it("lets gradients through in training", function()
    local layer = nn.LSTM{ 3, zoneout = .3, zoneout_cell = .3 }
    layer:build{ -1, 6, 3 }
    local tape <close> = marea.tape()
    tape:backward(layer(x, { training = true }):sum())
    for _, gradient in ipairs(layer:get_gradients()) do
      assert.is_true(gradient:abs():sum():item() > 0)
    end
  end)
end)

describe("forms refuse", function()
  it("what is not among them", function()
    raises(function() nn.LSTM{ 2, peephole = "all" } end, "LSTM", "peephole", "gers2000")
    raises(function() nn.GRU{ 2, update = "z" } end, "GRU", "update", "keep")
    raises(function() nn.GRU{ 2, peephole = "onnx" } end, "GRU: unknown option \"peephole\"")
    raises(function() nn.SimpleGRU{ 2, candidate = "h" } end, "SimpleGRU", "candidate", "xh")
    raises(function() nn.MinimalGatedUnit{ 2, gate = "x" } end, "MinimalGatedUnit", "gate", "xhb")
    raises(function() nn.MinimalGatedUnit{ 2, gate = "b", use_bias = false } end, "use_bias = true")
    raises(function() nn.SimpleRNN{ 2, norm = "batch" } end, "SimpleRNN", "norm", "layer")
    raises(function() nn.LSTM{ 2, zoneout = 1 } end, "LSTM", "zoneout")
    raises(function() nn.LSTM{ 2, cell_clip = -1 } end, "LSTM", "cell_clip")
    raises(function() nn.LSTM{ 2, projection = 3 } end, "LSTM: projection is 3, allowed are 1 to the 2")
  end)

  it("states of another width than the projection's", function()
    local layer = nn.LSTM{ 3, projection = 2 }
    raises(function()
      layer(numbers{ 1, 2, 2 }, { initial_state = { marea.zeros{ 1, 3 }, marea.zeros{ 1, 3 } } })
    end, "initial_state 1", "(1, 3)", "(1, 2)")
  end)
end)
