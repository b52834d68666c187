-- Sampled softmax: against the exact one, its samplers, training, bad input.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function ids(t)
  return marea.tensor(t, { dtype = "int32" })
end

-- The sampled loss as training sees it, and the exact one.
local function both(layer, h, y)
  layer:build{ -1, h:size(2) }
  support.scatter(layer)
  local _ <close> = marea.tape()
  local sampled = layer:compute_loss(y, layer(h, { training = true }), {})
  local exact = layer:compute_loss(y, layer(h, { training = false }), {})
  return sampled:item(), exact:item()
end

describe("samplers", function()
  it("draw by their weights, the same ids for the same stream", function()
    local sampler = native.new_sampler(marea.tensor{ 1, 0, 3, 4 })
    local drawn = sampler:draw(native.new_stream(1, 2), 40000):totable()
    local counts = { 0, 0, 0, 0 }
    for _, id in ipairs(drawn) do counts[id + 1] = counts[id + 1] + 1 end
    near({ 1 / 8, 0, 3 / 8, 4 / 8 }, { counts[1] / 40000, counts[2] / 40000, counts[3] / 40000,
      counts[4] / 40000 }, .01)
    assert.are.same(drawn, sampler:draw(native.new_stream(1, 2), 40000):totable())
  end)

  it("refuse weights that are none", function()
    raises(function() native.new_sampler(marea.zeros{ 3 }) end, "one of them positive")
    raises(function() native.new_sampler(marea.tensor{ 1, -1 }) end, "weight 2")
    raises(function() native.new_sampler(marea.tensor{ 1, 0 / 0 }) end, "weight 2")
    raises(function() native.new_sampler(marea.ones{ 2, 2 }) end, "(V) weights")
    raises(function() native.new_sampler(marea.ones{ 2 }):draw(native.new_stream(), 0) end, "positive")
  end)
end)

describe("SampledSoftmax", function()
  it("comes to the exact loss with many samples, for each sampler", function()
    local h, y = numbers{ 4, 5 }, ids{ 3, 0, 19, 7 }
    local counts = {}
    for i = 1, 20 do counts[i] = 400 // i end
    for _, given in ipairs{ {}, { counts = counts }, { counts = counts, power = 0 } } do
      given[1], given.num_sampled = 20, 60000
      local sampled, exact = both(nn.SampledSoftmax(given), h, y)
      near(exact, sampled, .02)
    end
  end)

  it("has the gradient of the exact loss with many samples", function()
    local h, y = numbers{ 3, 4 }, ids{ 1, 5, 2 }
    local layer = nn.SampledSoftmax{ 6, num_sampled = 40000 }
    layer:build{ -1, 4 }
    support.scatter(layer)
    local slopes = {}
    for i, training in ipairs{ true, false } do
      local tape <close> = marea.tape()
      tape:backward(layer:compute_loss(y, layer(h, { training = training }), {}))
      slopes[i] = layer:get_gradients()
    end
    near(slopes[2][1], slopes[1][1], .02)
    near(slopes[2][2], slopes[1][2], .02)
  end)

  it("draws the same classes for the same seed", function()
    local values = {}
    for i = 1, 2 do
      marea.manual_seed(9)
      values[i] = both(nn.SampledSoftmax{ 50, num_sampled = 7 }, numbers{ 3, 4 }, ids{ 1, 49, 2 })
    end
    assert.are.equal(values[1], values[2])
  end)

  it("leaves hidden steps out", function()
    local h, y = numbers{ 2, 3, 4 }, ids{ { 1, 2, 3 }, { 4, 5, 0 } }
    local layer = nn.SampledSoftmax{ 9, num_sampled = 5 }
    layer:build{ -1, -1, 4 }
    local function loss(x, targets, mask)
      layer.random = native.new_stream(1, 1)
      local _ <close> = marea.tape()
      return layer:compute_loss(targets, layer(x, { training = true }), { mask = mask }):item()
    end
    local mask = marea.tensor{ { 1, 1, 1 }, { 1, 1, 0 } }
    local wide = native.concat({ h, numbers({ 2, 2, 4 }, 3) }, 2)
    local zeros = marea.zeros{ 2, 2 }
    near(loss(h, y, mask), loss(wide, ids{ { 1, 2, 3, 0, 0 }, { 4, 5, 0, 0, 0 } },
      native.concat({ mask, zeros }, 2)), 1e-5)
  end)

  for _, estimator in ipairs{ "softmax", "nce" } do
    it("trains and evaluates exactly: " .. estimator, function()
      marea.manual_seed(6)
      local x, y = {}, {}
      for i = 1, 60 do x[i], y[i] = { i % 12 }, { (i * 5) % 12 } end
      local out = nn.SampledSoftmax{ 12, num_sampled = 6, estimator = estimator }
      local model = marea.Sequential{ nn.Embedding{ 12, 8 }, out }
      model:compile{ optimizer = marea.optim.Adam{ .05 }, loss = out:loss(), metrics = { "accuracy" } }
      model:fit(ids(x), ids(y), { epochs = 60, verbose = 0 })
      local result = model:evaluate(ids(x), ids(y))
      assert.is_true(result.accuracy > .99, "accuracy " .. result.accuracy)
      near(marea.losses.sparse_categorical_crossentropy(ids(y), model:predict(ids(x)),
        { from_logits = true }):item(), result.loss, 1e-4)
      local path = os.tmpname()
      assert(model:save(path))
      near(result.loss, assert(marea.load(path)):evaluate(ids(x), ids(y)).loss, 1e-5)
      os.remove(path)
    end)
  end

  it("shows metrics of all classes while it trains", function()
    local x = ids{ { 0, 1, 2 }, { 3, 1, 0 } }
    local out = nn.SampledSoftmax{ 9, num_sampled = 3 }
    local model = marea.Sequential{ nn.Embedding{ 9, 4 }, out }
    model:compile{ optimizer = marea.optim.SGD{ learning_rate = 1e-30 }, loss = out:loss(),
      metrics = { "accuracy" } }
    -- The targets are what the model says: all are right, and not where the features are largest.
    local p = model:predict(x):argmax(3):totable()
    for _, row in ipairs(p) do
      for t, place in ipairs(row) do row[t] = place - 1 end
    end
    p = ids(p)
    local history = model:fit(x, p, { verbose = 0 })
    assert.are.equal(1, history.history.accuracy[1])
    assert.are.equal(1, model:evaluate(x, p).accuracy)
  end)

  it("is trained by its own loss alone", function()
    for _, loss in ipairs{ "sparse_categorical_crossentropy",
      marea.losses.SparseCategoricalCrossentropy{ from_logits = true }, nn.SampledSoftmax{ 5 }:loss() } do
      local model = marea.Sequential{ nn.Embedding{ 5, 4 }, marea.Sequential{ nn.SampledSoftmax{ 5 } } }
      raises(function() model:compile{ loss = loss } end, 'SampledSoftmax "', "say loss = layer:loss()")
    end
    local x = marea.Input{ { 3 }, dtype = "int32" }
    local model = marea.Model{ inputs = x, outputs = nn.SampledSoftmax{ 5 }(nn.Embedding{ 5, 4 }(x)) }
    raises(function() model:compile{ loss = "sparse_categorical_crossentropy" } end, "cannot read")
  end)

  it("touches only the rows that it drew", function()
    local layer = nn.SampledSoftmax{ 1000, num_sampled = 4 }
    layer:build{ -1, 3 }
    local tape <close> = marea.tape()
    tape:backward(layer:compute_loss(ids{ 5 }, layer(numbers{ 1, 3 }, { training = true }), {}))
    local touched = 0
    for _, row in ipairs(layer:get_gradients()[1]:totable()) do
      if row[1] ~= 0 then touched = touched + 1 end
    end
    assert.is_true(touched >= 1 and touched <= 5)
  end)

  it("refuses what does not fit", function()
    raises(function() nn.SampledSoftmax{} end, "units is missing")
    raises(function() nn.SampledSoftmax{ 5, num_sampled = 0 } end, "num_sampled")
    raises(function() nn.SampledSoftmax{ 5, sampler = "uniform" } end, "log_uniform")
    raises(function() nn.SampledSoftmax{ 3, counts = { 1, 2 } } end, "each of 3 ids, got 2")
    raises(function() nn.SampledSoftmax{ 2, counts = { 1, -2 } } end, "the count of id 1")
    raises(function() both(nn.SampledSoftmax{ 5 }, numbers{ 2, 3 }, ids{ 1, 5 }) end, "id 5")
    raises(function() both(nn.SampledSoftmax{ 5 }, numbers{ 2, 3 }, ids{ 1 }) end, "targets are (1)")
  end)

  it("leaves no memory behind", function()
    helper.leak_check(function()
      both(nn.SampledSoftmax{ 5 }, numbers{ 2, 3 }, ids{ 1, 4 })
    end)
  end)
end)
