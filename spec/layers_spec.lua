-- Layers: options, weights, masks, losses, layers of one's own.
local folders = require "spec.folders"
local marea = require "marea"
local registry = require "marea.nn.registry"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function ids(t)
  return marea.tensor(t, { dtype = "int32" })
end

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
    for _, name in ipairs{ "Dense", "Sequential", "StackedRNNCells" } do
      raises(function() nn.Layer:extend(name, {}) end, name .. " is a layer of the library", "another name")
    end
    raises(function() nn.register(nn.Dense, "LSTM") end, "LSTM is a layer of the library")
    raises(function() nn.Layer:extend("two words", {}) end, "two words")
  end)

  it("may be defined again under their own name, or have a second one", function()
    local function define(factor)
      return nn.Layer:extend("SpecAgain", { call = function(_, x) return x * factor end })
    end
    local first, second = define(2), define(3)
    assert.equal(second, registry.find("SpecAgain"))
    near(6, registry.deserialize{ class_name = "SpecAgain", config = {} }(marea.tensor{ { 2 } }))
    nn.register(first)
    assert.equal(first, registry.find("SpecAgain"))
    for _, class in ipairs{ nn.Dense, nn.LSTM, first } do
      assert.equal(class, nn.register(class, "SpecAlias"))
      assert.equal(class, registry.find("SpecAlias"))
    end
    assert.equal(nn.Dense, nn.register(nn.Dense)) -- nothing new
  end)

  it("report weights that do not make sense", function()
    local Broken = nn.Layer:extend("SpecBroken", { build = function(self, shape)
      self:add_weight{ name = "w", shape = { shape[2] } }
    end, call = function(_, x) return x end })
    raises(function() Broken{}:build{ -1, -1 } end, "SpecBroken", '"w"', "axis 1")
  end)
end)

describe("the library", function()
  it("has one class of a name", function()
    local message = "the name Dense of a layer of the library is taken by another class"
    local dense = nn.Dense
    raises(function() nn.Layer:extend("Dense", { builtin = true }) end, message, "another name")
    assert.equal(dense, registry.find("Dense"))
    nn.Layer:extend("SpecTaken", {})
    raises(function() nn.Layer:extend("SpecTaken", { builtin = true }) end, "SpecTaken", "is taken")
    assert.is_false(registry.find("SpecTaken").builtin)
    raises(function() registry.lazy("Dense", "marea.nn.other") end, "layer Dense", "marea.nn.other",
      "taken by a class of marea.nn.dense")
    registry.lazy("Dense", "marea.nn.dense") -- nothing new
  end)

  it("may load the file of a class again", function()
    local text = 'local class = require("marea.nn.layer"):extend("SpecLoaded", { builtin = true }) '
      .. "return class" -- no tail call, which would hide the file
    local root = folders.new{ ["one.lua"] = text, ["two.lua"] = text }
    finally(folders.clean)
    local first = dofile(root .. "/one.lua")
    local again = dofile(root .. "/one.lua")
    assert.not_equal(first, again)
    assert.equal(again, registry.find("SpecLoaded"))
    raises(function() dofile(root .. "/two.lua") end, "the name SpecLoaded", "is taken")
    assert.equal(again, registry.find("SpecLoaded"))
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
