local marea = require "marea"
local registry = require "marea.nn.registry"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function ids(t)
  return marea.tensor(t, { dtype = "int32" })
end

-- Class → how to make it, its input, and call options: gradients of all are checked below, and a
-- layer of the library that is missing here fails.
local function sequence() return numbers{ 2, 4, 3 } end
local mask = { { 1, 1, 0, 1 }, { 0, 1, 1, 0 } }
local function masked() return { mask = marea.tensor(mask) } end

local table_of_layers = {
  Dense = { { function() return nn.Dense{ 3, activation = "tanh" } end, sequence } },
  Embedding = { { function() return nn.Embedding{ 5, 3 } end,
    function() return ids{ { 1, 4, 1 }, { 0, 2, 4 } } end } },
  Flatten = { { function() return nn.Flatten{} end, sequence } },
  Reshape = { { function() return nn.Reshape{ { 2, 6 } } end, sequence } },
  RepeatVector = { { function() return nn.RepeatVector{ 3 } end, function() return numbers{ 2, 3 } end } },
  Activation = { { function() return nn.Activation{ "softmax" } end, sequence } },
  Lambda = { { function() return nn.Lambda{ function(x) return x * x end } end, sequence } },
  Dropout = { { function() return nn.Dropout{ .5 } end, sequence } },
  SpatialDropout1D = { { function() return nn.SpatialDropout1D{ .5 } end, sequence } },
  GlobalAveragePooling1D = { { function() return nn.GlobalAveragePooling1D{} end, sequence },
    { function() return nn.GlobalAveragePooling1D{} end, sequence, masked } },
  GlobalMaxPooling1D = { { function() return nn.GlobalMaxPooling1D{} end, sequence },
    { function() return nn.GlobalMaxPooling1D{} end, sequence, masked } },
  Masking = { { function() return nn.Masking{} end, sequence } },
  LayerNormalization = { { function() return nn.LayerNormalization{} end, sequence } },
  Input = { { function() return nn.Input{ { 4, 3 } } end, sequence } },
  TimeDistributed = { { function() return nn.TimeDistributed{ nn.Dense{ 2 } } end, sequence } },
  Sequential = { { function() return marea.Sequential{ nn.GRU{ 2 }, nn.Dense{ 1 } } end, sequence } },
}
for _, class in ipairs{ "SimpleRNN", "LSTM", "GRU" } do
  table_of_layers[class] = {}
  for _, options in ipairs{ { return_sequences = true }, { go_backwards = true },
    { return_sequences = true, go_backwards = true, zero_output_for_mask = true },
    { use_bias = false, activation = "softsign" }, { reset_after = class == "GRU" and false or nil } } do
    local make = function()
      local given = { 2 }
      for key, value in pairs(options) do given[key] = value end
      return nn[class](given)
    end
    table.insert(table_of_layers[class], { make, sequence })
    table.insert(table_of_layers[class], { make, sequence, masked })
  end
end
-- Cells with an update gate alone, and the forms of all cells.
local function forms(class, ...)
  table_of_layers[class] = table_of_layers[class] or {}
  for _, given in ipairs{ ... } do
    local function make()
      local options = { 2, return_sequences = true }
      for key, value in pairs(given) do options[key] = value end
      return nn[class](options)
    end
    table.insert(table_of_layers[class], { make, sequence })
    table.insert(table_of_layers[class], { make, sequence, masked })
  end
end
forms("SimpleGRU", {}, { candidate = "x", update = "keep" }, { norm = "layer" },
  { candidate = "x", norm = "layer", learn_initial_state = true })
forms("MinimalGatedUnit", {}, { update = "keep" }, { gate = "hb" }, { gate = "h", use_bias = false },
  { gate = "b", norm = "layer" }, { norm = "layer", activation = "softsign" })
forms("SimpleRNN", { norm = "layer" }, { learn_initial_state = true }, { zoneout = .3 })
forms("GRU", { update = "write" }, { update = "write", reset_after = false }, { norm = "layer" },
  { norm = "layer", reset_after = false, zoneout = .2 })
forms("LSTM", { peephole = "gers2000" }, { peephole = "slides" }, { coupled = true },
  { projection = 1 }, { cell_clip = .15 }, { norm = "layer" }, { zoneout = .2, zoneout_cell = .3 },
  { peephole = "onnx", norm = "layer", projection = 1, zoneout_cell = .3 },
  { peephole = "slides", norm = "layer", zoneout = .2, zoneout_cell = .3, go_backwards = true },
  { peephole = "slides", coupled = true, projection = 1, activation = "softsign" },
  { peephole = "gers2000", coupled = true, norm = "layer", learn_initial_state = true,
    projection = 1 })
local function lua_cell(x, state)
  local h = (x * .5 + state[1]):tanh()
  return h, { h }
end
forms("Elman", {}, { output_units = 3, g1 = "softsign", g2 = "softmax" },
  { go_backwards = true, norm = "layer", learn_initial_state = true })
table_of_layers.RNN = {}
for _, backwards in ipairs{ false, true } do
  table.insert(table_of_layers.RNN, { function()
    return nn.RNN{ cells = { nn.LSTM{ 2, projection = 1 }, nn.Elman{ 3 }, { lua_cell, state_size = 3 } },
      return_sequences = true, go_backwards = backwards }
  end, sequence, masked })
end
for _, given in ipairs{ {}, { go_backwards = true, zero_output_for_mask = true } } do
  local function make()
    return nn.RNN{ lua_cell, state_size = 3, return_sequences = true,
      go_backwards = given.go_backwards, zero_output_for_mask = given.zero_output_for_mask }
  end
  table.insert(table_of_layers.RNN, { make, sequence })
  table.insert(table_of_layers.RNN, { make, sequence, masked })
end
-- Layers with windows, statistics and attention.
table_of_layers.Conv1D = {
  { function() return nn.Conv1D{ 2, 2, padding = "causal", activation = "tanh" } end, sequence, masked },
  { function() return nn.Conv1D{ 3, 2, strides = 2, groups = 3 } end, sequence },
}
for _, class in ipairs{ "MaxPooling1D", "AveragePooling1D" } do
  table_of_layers[class] = { { function() return nn[class]{} end, sequence },
    { function() return nn[class]{ 3, strides = 1, padding = "same" } end, sequence, masked } }
end
for _, class in ipairs{ "BatchNormalization", "RMSNormalization", "AttentionPooling1D", "CRF" } do
  local argument = class == "CRF" and 3 or nil
  table_of_layers[class] = { { function() return nn[class]{ argument } end, sequence, masked } }
end
table_of_layers.SampledSoftmax = { { function() return nn.SampledSoftmax{ 7 } end, sequence, masked } }

local function pair() return { numbers{ 2, 4, 3 }, numbers({ 2, 4, 3 }, 5) } end
local function pair_masked()
  return { mask = { marea.tensor{ { 1, 1, 0, 0 }, { 1, 1, 1, 1 } }, marea.tensor(mask) } }
end
local function causal() return { use_causal_mask = true } end
for class, given in pairs{ Attention = { use_scale = true, score_mode = "concat" },
  AdditiveAttention = {}, MultiHeadAttention = { 2, 2, value_dim = 3 } } do
  local function make() return nn[class](given) end
  table_of_layers[class] = { { make, pair, pair_masked }, { make, pair, causal } }
end
table.insert(table_of_layers.Attention, { function() return nn.Attention{} end, pair, pair_masked })
table.insert(table_of_layers.MultiHeadAttention,
  { function() return nn.MultiHeadAttention{ 1, 2 } end, sequence, masked })

table_of_layers.Bidirectional = {}
for _, mode in ipairs{ "concat", "sum", "mul", "ave" } do
  table.insert(table_of_layers.Bidirectional, { function()
    return nn.Bidirectional{ nn.LSTM{ 2, return_sequences = mode ~= "sum" }, merge_mode = mode }
  end, sequence, masked })
end

for name, cases in pairs(require "spec.layer_cases") do table_of_layers[name] = cases end

local function shapes_of(x)
  if type(x) ~= "table" then return x:shape() end
  local shapes = {}
  for i, item in ipairs(x) do shapes[i] = item:shape() end
  return shapes
end

describe("gradients", function()
  it("are checked for every layer", function()
    for _, name in ipairs(registry.builtin_names()) do
      assert.is_truthy(table_of_layers[name], name .. " is missing in the table")
    end
  end)

  for name, cases in pairs(table_of_layers) do
    it("of " .. name .. " agree with differences", function()
      for number, case in ipairs(cases) do
        local layer, x = case[1](), case[2]()
        local call = case[3] and case[3]() or {}
        call.training = false
        layer:build(shapes_of(x))
        support.scatter(layer)
        if layer.moving_variance then -- a variance is not negative
          layer.moving_variance:assign_(layer.moving_variance:square() + .5)
        end
        local weights = numbers(layer(x, call):shape(), 1)
        local inputs = {}
        for _, input in ipairs(type(x) == "table" and x or { x }) do
          if input:dtype() ~= "int32" then inputs[#inputs + 1] = input end
        end
        for _, tensor in pairs(layer:parameters()) do inputs[#inputs + 1] = tensor end
        if #inputs > 0 then
          local ok, report = marea.gradcheck(function()
            return (layer(x, call) * weights):sum()
          end, inputs)
          assert.is_true(ok, ("%s case %d: input %s element %s: %s, measured %s"):format(name, number,
            report.input, report.element, report.analytic, report.numeric))
        end
      end
    end)
  end
end)

describe("options", function()
  it("that do not exist are refused with the list", function()
    raises(function() nn.Dense{ 2, activaton = "relu" } end, "Dense", '"activaton"', "activation",
      "use_bias")
    raises(function() nn.Dense{} end, "Dense", "units is missing")
    raises(function() nn.Dense{ 2, 3 } end, "place 2")
    raises(function() nn.Dense{ 2, units = 3 } end, "given twice")
    raises(function() nn.Dense{ 2, activation = "reluu" } end, "reluu", "softplus")
    raises(function() nn.Dense{ "many" } end, "units", '"many"')
    raises(function() nn.Layer{} end, "nn.Layer:extend")
  end)

  it("may be a single value", function()
    assert.equal(3, nn.Dense(3).units)
    assert.equal("relu", nn.Activation "relu".activation)
  end)

  it("name and number layers by themselves", function()
    nn.reset_names()
    assert.equal("dense", nn.Dense{ 1 }.name)
    assert.equal("dense_1", nn.Dense{ 1 }.name)
    assert.equal("simple_rnn", nn.SimpleRNN{ 1 }.name)
    assert.equal("global_average_pooling1d", nn.GlobalAveragePooling1D{}.name)
    assert.equal("lstm", nn.LSTM{ 1 }.name)
    raises(function() nn.Dense{ 1, name = "a/b" } end, "name")
  end)
end)

describe("weights", function()
  it("can be read, set and named", function()
    local dense = nn.Dense{ 2, name = "head" }
    raises(function() dense:set_weights{} end, "head", "before it is built")
    dense:build{ -1, 3 }
    dense:set_weights{ { { 1, 2 }, { 3, 4 }, { 5, 6 } }, { 7, 8 } }
    near({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, dense:get_weights()[1])
    near({ 16, 20 }, dense(marea.tensor{ { 1, 1, 1 } }):totable()[1])
    local parameters = dense:parameters()
    assert.equal(2, #parameters)
    near({ 7, 8 }, parameters.bias)
    near({ 7, 8 }, parameters[2])
    assert.is_nil(parameters.kernle)
    raises(function() dense:set_weights{ { { 1, 2 } }, { 7, 8 } } end, 'Dense "head"', '"kernel"',
      "(3, 2)", "(1, 2)")
    raises(function() dense:set_weights{ { 7, 8 } } end, "2 weights, got 1")
    near({ 7, 8 }, parameters.bias) -- nothing changed
  end)

  it("are copies when read", function()
    local dense = nn.Dense{ 1 }
    dense:build{ -1, 1 }
    local before = dense:get_weights()[1]
    dense:set_weights{ { { 5 } }, { 0 } }
    assert.not_equal(5, before:item())
  end)

  it("have gradients in the same order, zeros where none arrived", function()
    local dense = nn.Dense{ 2 }
    local x = marea.tensor{ { 1, 2 } }
    dense:build{ -1, 2 }
    near({ { 0, 0 }, { 0, 0 } }, dense:get_gradients()[1])
    local tape <close> = marea.tape()
    tape:backward(dense(x):sum())
    near({ { 1, 1 }, { 2, 2 } }, dense:get_gradients()[1])
    near({ 1, 1 }, dense:get_gradients()[2])
  end)

  it("do not learn when the layer is frozen", function()
    local dense = nn.Dense{ 2, trainable = false }
    dense:build{ -1, 2 }
    assert.is_false(dense:parameters().kernel.requires_grad)
    dense.trainable = true
    assert.is_true(dense:parameters().kernel.requires_grad)
    assert.same({ 6, 6 }, { dense:count_params() })
  end)

  it("are owned even when made under a tape", function()
    local dense = nn.LSTM{ 2 }
    do
      local tape <close> = marea.tape()
      tape:backward(dense(numbers{ 1, 2, 2 }):sum())
    end
    assert.equal(3, #dense:get_weights())
  end)

  it("depend on the seed and the order of building alone", function()
    local function draw()
      marea.manual_seed(5)
      local a, b = nn.Dense{ 3 }, nn.Dense{ 3 }
      a:build{ -1, 2 }
      b:build{ -1, 2 }
      return a:get_weights()[1], b:get_weights()[1]
    end
    local a, b = draw()
    local c, d = draw()
    assert.is_true(a:same(c) and b:same(d))
    assert.is_false(a:same(b))
  end)
end)

describe("Embedding", function()
  it("looks up rows and masks id 0", function()
    local layer = nn.Embedding{ 3, 2, mask_zero = true, weights = { { 0, 0 }, { 1, 2 }, { 3, 4 } } }
    local x = ids{ { 0, 1, 2 } }
    near({ { { 0, 0 }, { 1, 2 }, { 3, 4 } } }, layer(x))
    near({ { 0, 1, 1 } }, layer:compute_mask(x))
    assert.is_nil(nn.Embedding{ 3, 2 }:compute_mask(x))
  end)

  it("takes whole reals as ids, and fractions not", function()
    local layer = nn.Embedding{ 3, 2 }
    assert.is_true(layer(marea.tensor{ { 1, 2 } }):same(layer(ids{ { 1, 2 } })))
    raises(function() layer(marea.tensor{ { 1.5 } }) end, "1.5")
  end)

  it("can be given a table and frozen", function()
    local layer = nn.Embedding{ 2, 2, weights = { marea.tensor{ { 1, 2 }, { 3, 4 } } },
      trainable = false }
    near({ { { 3, 4 } } }, layer(ids{ { 1 } }))
    assert.is_false(layer:parameters()[1].requires_grad)
    raises(function() nn.Embedding{ 3, 2, weights = { { 1, 2 } } }:build{ -1, 2 } end, "(3, 2)",
      "(1, 2)")
  end)

  it("names sample, step, id and range of a wrong id", function()
    local layer = nn.Embedding{ 10, 2, name = "words" }
    raises(function() layer(ids{ { 1, 2 }, { 3, 10 } }) end, "words", "sample 2", "step 2", "10", "9")
    raises(function() layer(ids{ { -1 } }) end, "words", "sample 1", "-1")
  end)
end)

describe("pooling", function()
  local x = marea.tensor{ { { 1, 5 }, { 3, 1 }, { 9, 9 } }, { { 2, 2 }, { 0, 0 }, { 9, 9 } } }
  local visible = marea.tensor{ { 1, 1, 0 }, { 0, 0, 0 } }

  it("averages the visible steps", function()
    near({ { 2, 3 }, { 0, 0 } }, nn.GlobalAveragePooling1D{}(x, { mask = visible }))
    near({ 13 / 3, 5 }, nn.GlobalAveragePooling1D{}(x):totable()[1])
  end)

  it("takes the largest of the visible steps", function()
    near({ { 3, 5 }, { 0, 0 } }, nn.GlobalMaxPooling1D{}(x, { mask = visible }))
    near({ 9, 9 }, nn.GlobalMaxPooling1D{}(x):totable()[1])
    local negative = nn.GlobalMaxPooling1D{}(x * -1, { mask = visible })
    near({ -1, -1 }, negative:totable()[1])
  end)
end)

describe("masks", function()
  it("stop at Flatten with a hint", function()
    local flatten = nn.Flatten{ name = "flat" }
    raises(function() flatten(numbers{ 1, 2, 2 }, { mask = marea.ones{ 1, 2 } }) end, 'Flatten "flat"',
      "mask", "GlobalAveragePooling1D")
  end)

  it("travel through a model", function()
    local model = marea.Sequential{ nn.Embedding{ 9, 3, mask_zero = true }, nn.Dropout{ .1 },
      nn.Dense{ 2 }, nn.LSTM{ 2, return_sequences = true }, nn.GlobalAveragePooling1D{},
      nn.Dense{ 1 } }
    local short, long = ids{ { 3, 4 } }, ids{ { 0, 0, 3, 4, 0 } }
    near(model(short), model(long))
  end)

  it("are made by Masking", function()
    local layer = nn.Masking{ mask_value = -1 }
    local x = marea.tensor{ { { -1, -1 }, { -1, 2 }, { 0, 0 } } }
    near({ { 0, 1, 1 } }, layer:compute_mask(x))
    near({ { { 0, 0 }, { -1, 2 }, { 0, 0 } } }, layer(x))
  end)
end)

describe("dropout", function()
  it("keeps the mean, in training only", function()
    local x = marea.ones{ 100, 100 }
    local layer = nn.Dropout{ .25 }
    assert.is_true(layer(x):same(x))
    local y = layer(x, { training = true })
    assert.is_true(math.abs(y:mean():item() - 1) < .03)
    assert.is_true(y:min():item() == 0)
    near(1 / .75, y:max())
  end)

  it("follows the tape unless told", function()
    local x = marea.ones{ 10, 10 }
    local layer = nn.Dropout{ .5 }
    local tape <close> = marea.tape()
    assert.is_false(layer(x):same(x))
    assert.is_true(layer(x, { training = false }):same(x))
    assert.is_true(marea.no_grad(function() return layer(x) end):same(x))
    assert.is_true(tape:length() >= 0)
  end)

  it("drops whole channels in its spatial form", function()
    local y = nn.SpatialDropout1D{ .5 }(marea.ones{ 4, 5, 6 }, { training = true })
    local t = y:totable()
    for b = 1, 4 do
      for d = 1, 6 do
        for step = 2, 5 do assert.equal(t[b][1][d], t[b][step][d]) end
      end
    end
  end)

  it("shares along axes of size 1 in noise_shape", function()
    local y = nn.Dropout{ .5, noise_shape = { -1, 1 } }(marea.ones{ 20, 3 }, { training = true })
    for _, row in ipairs(y:totable()) do
      assert.equal(row[1], row[2])
      assert.equal(row[1], row[3])
    end
  end)

  it("refuses a rate of 1", function()
    raises(function() nn.Dropout{ 1 } end, "rate", "[0, 1)")
  end)
end)

describe("LayerNormalization", function()
  it("has mean 0 and deviation 1", function()
    local y = nn.LayerNormalization{}(marea.tensor{ { 1, 2, 3, 6 } })
    near(0, y:mean(), 1e-6)
    near(math.sqrt(3.5 / 3.501), (y * y):mean():item() ^ .5, 1e-5)
  end)
end)

describe("losses inside layers", function()
  it("come from regularisers of weights and of outputs, and from add_loss", function()
    local dense = nn.Dense{ 1, kernel_regularizer = nn.regularizers.L2{ .5 },
      activity_regularizer = nn.regularizers.L1{ .1 } }
    dense:build{ -1, 2 }
    dense:set_weights{ { { 1 }, { 2 } }, { 0 } }
    dense(marea.tensor{ { 1, 1 }, { -1, -1 } })
    local losses = dense:losses()
    near(.5 * 5, losses[1])
    near(.1 * 6, losses[2])
    dense(marea.tensor{ { 0, 0 } })
    near(0, dense:losses()[2]) -- those of the last call alone
    dense.trainable = false
    dense(marea.tensor{ { 0, 0 } })
    assert.equal(1, #dense:losses())
  end)

  it("may be one's own", function()
    local Penalty = nn.Layer:extend("SpecPenalty", { call = function(self, x)
      self:add_loss(x:square():sum())
      return x
    end })
    local model = marea.Sequential{ Penalty{}, nn.Dense{ 1, kernel_initializer = "zeros" } }
    model:compile{ loss = "mse" }
    near(1 + 4 + 1, model:evaluate({ { 1, 2 } }, { 1 }).loss)
  end)
end)

describe("layers of one's own", function()
  local Scale = nn.Layer:extend("SpecScale", {
    options = { start = 1 },
    positional = { "start" },
    masking = "pass",
    build = function(self, shape)
      self.scale = self:add_weight{ name = "scale", shape = { shape[#shape] }, initializer = "ones" }
    end,
    call = function(self, x) return x * self.scale * self.start end,
  })

  it("build, count, learn and hand on masks", function()
    local layer = Scale{ 2, name = "mine" }
    local x = numbers{ 2, 3 }
    near(x * 2, layer(x))
    assert.equal(3, (layer:count_params()))
    local tape <close> = marea.tape()
    tape:backward(layer(x):sum())
    near((x * 2):sum(1), layer:get_gradients()[1])
    assert.same({ -1, 3 }, layer:output_shape{ -1, 3 })
    assert.equal('SpecScale "mine"', tostring(layer))
  end)

  it("refuse unknown options and masks by default", function()
    raises(function() Scale{ 1, speed = 2 } end, "SpecScale", "speed", "start")
    local Plain = nn.Layer:extend("SpecPlain", { call = function(_, x) return x end })
    raises(function() Plain{}(numbers{ 1, 2, 2 }, { mask = marea.ones{ 1, 2 } }) end, "SpecPlain",
      'masking = "pass"')
  end)

  it("cannot take a name of the library", function()
    raises(function() nn.Layer:extend("Dense", {}) end, "Dense", "another name")
    raises(function() nn.Layer:extend("two words", {}) end, "two words")
  end)

  it("report weights that do not make sense", function()
    local Broken = nn.Layer:extend("SpecBroken", { build = function(self, shape)
      self:add_weight{ name = "w", shape = { shape[2] } }
    end, call = function(_, x) return x end })
    raises(function() Broken{}:build{ -1, -1 } end, "SpecBroken", '"w"', "axis 1")
  end)
end)

describe("a layer called on", function()
  it("something else than a tensor says so", function()
    raises(function() nn.Dense{ 2, name = "d" }({ 1, 2 }) end, 'Dense "d"', "expects a tensor")
    raises(function() nn.Dense{ 2 }(numbers{ 1, 2 }, true) end, "table of options")
  end)

  it("another width says what the kernel expects", function()
    local dense = nn.Dense{ 2, name = "d" }
    dense:build{ -1, 3 }
    raises(function() dense(numbers{ 1, 4 }) end, 'Dense "d"', "(1, 4)", "expects 3")
  end)
end)

describe("what becomes of a mask", function()
  local hidden_numbers = 100

  -- The input with other numbers at the hidden steps.
  local function disturb(x)
    local y = x:clone()
    for b, row in ipairs(mask) do
      for t, visible in ipairs(row) do
        for d = 1, visible == 0 and y:size(3) or 0 do y:set(b, t, d, hidden_numbers) end
      end
    end
    return y
  end

  for name, cases in pairs(table_of_layers) do
    it("is declared and kept by " .. name, function()
      local class = registry.find(name)
      assert.not_nil(rawget(class, "masking"), name .. " does not say what becomes of a mask")
      for number, case in ipairs(cases) do
        local layer, x = case[1](), case[2]()
        local many = type(x) == "table"
        local first = many and x[1] or x
        if first:dtype() == "int32" or #first:shape() ~= 3 then goto continue end
        local given = many and { marea.tensor(mask) } or marea.tensor(mask)
        if many and #x[2]:shape() == 3 and name ~= "Dot" then given[2] = given[1] end
        if layer.masking == "refuse" then
          raises(function() layer(x, { mask = given }) end, name, "mask")
        else
          local where = ("%s case %d"):format(name, number)
          local y = layer(x, { mask = given, training = false })
          local out = layer:compute_mask(x, given)
          if layer.masking == "pass" and not (name == "Dot" or name == "Sequential") then
            assert.not_nil(out, where .. " loses the mask")
          end
          if out then assert.same({ y:size(1), y:size(2) }, out:shape(), where) end
          local other = disturb(first)
          if many then
            other = { other, table.unpack(x, 2) }
            if given[2] then other[2] = disturb(x[2]) end
          end
          local z = layer(other, { mask = given, training = false })
          if out then -- what is visible does not depend on what is hidden
            local shape = out:shape()
            while #shape < #y:shape() do shape[#shape + 1] = 1 end
            y, z = y * out:reshape(shape), z * out:reshape(shape)
          end
          near(y, z)
        end
        ::continue::
      end
    end)
  end
end)
