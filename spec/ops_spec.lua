-- Every operation: values by hand where they say something, gradients against differences. The
-- table below must name all operations; one that is missing fails.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"

local function numbers(shape, low, high)
  return native.new_stream(7, #shape + shape[1]):uniform(shape, low or -2, high or 2)
end

local function ids(list)
  return marea.tensor(list, { dtype = "int32" })
end

-- Multiplies by different weights before the sum, so that no gradient is constant by accident.
local function weigh(y)
  local n = y:count()
  return (y:reshape{ n } * native.arange(1, n) * 0.1):sum()
end

local function unary(low, high)
  return function(op)
    return { function(x) return weigh(op(x)) end, { numbers({ 3, 2 }, low, high) } }
  end
end

local function binary(low, high)
  return function(op)
    return { function(a, b) return weigh(op(a, b)) end,
      { numbers({ 2, 3, 2 }, low, high), numbers({ 3, 1 }, low, high) } }
  end
end

local function reduce(op)
  return { function(x) return weigh(op(x, 2)) + op(x) * 0.3 + weigh(op(x, -1, true)) end,
    { numbers{ 2, 3, 2 } } }
end

local away = unary(0.2, 2) -- from the kinks and poles at 0

local gradients = {
  neg = unary(), abs = away, exp = unary(), log = away, log1p = away, sqrt = away,
  square = unary(), reciprocal = away, sin = unary(), cos = unary(), tanh = unary(),
  sigmoid = unary(), relu = away, leaky_relu = unary(-2, -0.1), elu = unary(-2, -0.1),
  selu = unary(-2, -0.1), gelu = unary(), silu = unary(), softplus = unary(),
  softsign = unary(), hard_sigmoid = unary(), hard_sigmoid_tf = unary(),
  softmax = unary(), log_softmax = unary(),
  add = binary(), sub = binary(), mul = binary(), div = binary(0.5, 2), maximum = binary(),
  minimum = binary(), sum = reduce, mean = reduce, max = reduce, min = reduce,
  logsumexp = reduce,
  pow = function(op)
    return { function(x) return weigh(op(x, 1.7)) end, { numbers({ 4 }, 0.3, 2) } }
  end,
  clip = function(op)
    return { function(x) return weigh(op(x, -0.55, 0.65)) end, { numbers{ 5 } } }
  end,
  where = function(op)
    local condition = marea.tensor{ { 1 }, { 0 } }
    return { function(a, b) return weigh(op(condition, a, b)) end,
      { numbers{ 2, 3 }, numbers{ 3 } } }
  end,
  affine = function(op)
    return { function(x, k, b) return weigh(op(x, k, b)) + weigh(op(x, k)) end,
      { numbers{ 2, 2, 3 }, numbers{ 3, 2 }, numbers{ 2 } } }
  end,
  embedding = function(op)
    local which = ids{ { 0, 2, 2 }, { 4, 0, 1 } }
    return { function(table) return weigh(op(table, which)) end, { numbers{ 5, 2 } } }
  end,
  take = function(op)
    local which = ids{ 2, 0, 2 }
    return { function(x) return weigh(op(x, which)) end, { numbers{ 3, 2 } } }
  end,
  pick = function(op)
    local which = ids{ 1, 0 }
    return { function(x) return weigh(op(x, which)) end, { numbers{ 2, 3 } } }
  end,
  reverse_sequence = function(op)
    local lengths = ids{ 2, 0, 3 }
    return { function(x) return weigh(op(x, lengths)) end, { numbers{ 3, 3, 2 } } }
  end,
  binary_crossentropy = function(op)
    local y = marea.tensor{ 0, 1, 0.3 }
    return { function(p) return weigh(op(y, p)) end, { numbers({ 3 }, 0.1, 0.9) } }
  end,
  binary_crossentropy_logits = function(op)
    local y = marea.tensor{ 0, 1, 0.3 }
    return { function(x) return weigh(op(y, x)) end, { numbers{ 3 } } }
  end,
  sparse_crossentropy_logits = function(op)
    local y = ids{ 2, 0 }
    return { function(x) return weigh(op(y, x)) end, { numbers{ 2, 3 } } }
  end,
  reshape = function(op)
    return { function(x) return weigh(op(x:transpose(), { 3, -1 })) end, { numbers{ 2, 3 } } }
  end,
  broadcast = function(op)
    return { function(x) return weigh(op(x, { 2, 3, 2 })) end, { numbers{ 3, 1 } } }
  end,
  permute = function(op)
    return { function(x) return weigh(op(x, 3, 1, 2)) end, { numbers{ 2, 3, 2 } } }
  end,
  transpose = function(op)
    return { function(x) return weigh(op(x)) + weigh(op(x, 1, 3)) end, { numbers{ 2, 3, 2 } } }
  end,
  narrow = function(op)
    return { function(x) return weigh(op(x:transpose(), 1, 2, 2)) end, { numbers{ 2, 3 } } }
  end,
  select = function(op)
    return { function(x) return weigh(op(x, 2, -1)) + weigh(op(x, 1, 1)) end, { numbers{ 2, 3 } } }
  end,
  flip = function(op)
    return { function(x) return weigh(op(x, 2)) end, { numbers{ 2, 3 } } }
  end,
  cast = function(op)
    return { function(x) return weigh(op(x, "real")) end, { numbers{ 3 } } }
  end,
  concat = function(op)
    return { function(a, b) return weigh(op({ a, b, a }, 2)) end, { numbers{ 2, 1 }, numbers{ 2, 2 } } }
  end,
  stack = function(op)
    return { function(a, b) return weigh(op({ a, b }, 3)) end, { numbers{ 2, 2 }, numbers{ 2, 2 } } }
  end,
  dropout = function(op)
    return { function(x) return weigh(op(x, 0.4, native.new_stream(3, 3), { 2, 1, 2 })) end,
      { numbers{ 2, 3, 2 } } }
  end,
  layer_norm = function(op)
    return { function(x, g, b) return weigh(op(x, g, b, 1e-3)) + weigh(op(x)) end,
      { numbers{ 3, 4 }, numbers{ 4 }, numbers{ 4 } } }
  end,
}

gradients.sparse_matmul = function(op)
  local x = marea.sparse{ { 0, 1.5, 0, -2 }, { 0, 0, 0, 0 }, { 0.5, 3, 0, 0 } }
  return { function(w, b) return weigh(op(x, w, b)) + weigh(op(x:narrow(1, 2, 2), w)) end,
    { numbers{ 4, 2 }, numbers{ 2 } } }
end

gradients.matmul = function(op)
  return { function(a, b, c) return weigh(op(op(a, b), c)) + weigh(op(a, a:transpose())) end,
    { numbers{ 2, 2, 3 }, numbers{ 3, 2 }, numbers{ 2, 2 } } }
end

-- Windows along time; every border, stride, dilation and group at least once.
gradients.conv1d = function(op)
  return { function(x, k, b, grouped)
    return weigh(op(x, k, b)) + weigh(op(x, k, b, "same", 2)) + weigh(op(x, k, nil, "causal", 1, 2))
      + weigh(op(x, grouped, nil, "same", 1, 1, 2))
  end, { numbers{ 2, 6, 4 }, numbers{ 3, 4, 2 }, numbers{ 2 }, numbers{ 2, 2, 4 } } }
end

local row_mask = marea.tensor{ { 1, 1, 0, 1, 1 }, { 0, 0, 1, 0, 0 } }

gradients.pool1d = function(op)
  return { function(x)
    return weigh(op(x, nil, 2)) + weigh(op(x, row_mask, 3, 2, "same"))
      + weigh(op(x, row_mask, 2, 1, "same", true)) + weigh(op(x, nil, 3, 1, "valid", true))
  end, { numbers{ 2, 5, 2 } } }
end

gradients.batch_norm = function(op)
  return { function(x, g, b)
    return weigh((op(x, row_mask, g, b))) + weigh((op(x, nil, nil, nil, 1e-2)))
  end, { numbers{ 2, 5, 2 }, numbers{ 2 }, numbers{ 2 } } }
end

gradients.masked_softmax = function(op)
  return { function(x, wide)
    return weigh(op(x, row_mask)) + weigh(op(x, nil, true)) + weigh(op(wide, row_mask, true))
  end, { numbers{ 2, 3, 5 }, numbers{ 2, 2, 2, 5 } } }
end

gradients.additive_scores = function(op)
  return { function(q, k, scale) return weigh(op(q, k, scale)) + weigh(op(q, k)) end,
    { numbers{ 2, 2, 3 }, numbers{ 2, 4, 3 }, numbers{ 3 } } }
end

gradients.crf_loss = function(op)
  local tags = ids{ { 0, 2, 9, 1, 1 }, { 9, 9, 2, 9, 9 } }
  return { function(x, first, last, between)
    return weigh(op(x, tags, row_mask, first, last, between))
  end, { numbers{ 2, 5, 3 }, numbers{ 3 }, numbers{ 3 }, numbers{ 3, 3 } } }
end

gradients.ctc_loss = function(op)
  local labels, lengths = ids{ { 1, 1, 2 }, { 3, 0, 0 } }, ids{ 3, 1 }
  return { function(x) return weigh(op(x, labels, lengths, row_mask)) end, { numbers{ 2, 5, 4 } } }
end

-- Operations without a gradient.
local constant = { crf_marginals = true, crf_decode = true,
   equal = true, not_equal = true, less = true, less_equal = true, greater = true,
  greater_equal = true, argmax = true, one_hot = true, detach = true }

describe("operations", function()
  for name, op in pairs(native.operations) do
    if not constant[name] then
      it("have a right gradient: " .. name, function()
        assert(gradients[name], "no gradient check in the table for " .. name)
        local f, inputs = table.unpack(gradients[name](op))
        local ok, report = marea.gradcheck(f, inputs)
        assert.is_true(ok, ("worst %g at input %s, element %s: %s, differences say %s"):format(
          report.worst, report.input, report.element, report.analytic, report.numeric))
      end)
    end
  end

  it("name no operation that does not exist", function()
    for name in pairs(gradients) do assert.is_function(native.operations[name], name) end
    for name in pairs(constant) do assert.is_function(native.operations[name], name) end
  end)

  it("leave no memory behind", function()
    helper.leak_check(function()
      for name, make in pairs(gradients) do
        local f, inputs = table.unpack(make(native.operations[name]))
        f(table.unpack(inputs))
      end
    end)
  end)

  it("have the values of their formulas", function()
    local x = marea.tensor{ -1, 0, 0.5 }
    assert.near_all({ 0, 0, 0.5 }, x:relu())
    assert.near_all({ -0.2, 0, 0.5 }, x:leaky_relu())
    assert.near_all({ 1 / 3, 0.5, 0.5 + 0.5 / 6 }, x:hard_sigmoid())
    assert.near_all({ 0.3, 0.5, 0.6 }, x:hard_sigmoid_tf())
    assert.near_all({ -0.158655254, 0, 0.345731231 }, x:gelu())
    assert.near_all({ -0.268941421, 0, 0.311229666 }, x:silu())
    assert.near_all({ 0.313261688, 0.693147181, 0.974076984 }, x:softplus())
    assert.near_all({ -0.761594156, 0, 0.462117157 }, x:tanh())
    assert.near_all({ 0.268941421, 0.5, 0.622459331 }, x:sigmoid())
    assert.near_all({ 0.609460038, 0.224207818, 0.135988916, 0.030343229 },
      marea.tensor{ 2, 1, 0.5, -1 }:softmax())
  end)

  it("stay right at the ends of the numbers", function()
    local x = marea.tensor{ -math.huge, -1e30, -100, 100, 1e30, math.huge }
    assert.near_all({ -1, -1, -1, 1, 1, 1 }, x:tanh())
    assert.near_all({ 0, 0, 0, 1, 1, 1 }, x:sigmoid())
    assert.are.equal(math.huge, marea.tensor{ 1000 }:exp():get(1))
    assert.are.equal(0, marea.tensor{ -1000 }:exp():get(1))
    local nan = marea.tensor{ 0 / 0 }
    for _, name in ipairs{ "exp", "tanh", "sigmoid", "relu" } do
      local y = native.operations[name](nan):get(1)
      assert.is_true(y ~= y, name)
    end
    assert.near_all({ 1e4 }, marea.tensor{ 1e4, 0 }:logsumexp(1))
    assert.near_all({ 1, 0 }, marea.tensor{ 1e4, 0 }:softmax())
  end)

  it("broadcast as NumPy does, and say when they cannot", function()
    local y = marea.ones{ 2, 1, 3 } + marea.ones{ 4, 1 }
    assert.are.same({ 2, 4, 3 }, y:shape())
    assert.fails("add: a is (2, 3), b is (2); axes must be equal or 1", function()
      return marea.ones{ 2, 3 } + marea.ones{ 2 }
    end)
  end)

  it("say what was expected and what came", function()
    assert.fails("matmul: a is (8, 64), b is (32, 16); a's columns must equal b's rows", function()
      return marea.ones{ 8, 64 }:matmul(marea.ones{ 32, 16 })
    end)
    assert.fails("embedding: sample 2, step 1 has id 9, allowed are 0 to 4", function()
      return native.embedding(marea.ones{ 5, 2 }, ids{ { 0, 1 }, { 9, 1 } })
    end)
    assert.fails("reshape: (2, 3) has 6 elements and cannot become (4, -1)", function()
      return marea.ones{ 2, 3 }:reshape{ 4, -1 }
    end)
    assert.fails("concat: item 1 is (2, 3), item 2 is (3, 3)", function()
      return native.concat({ marea.ones{ 2, 3 }, marea.ones{ 3, 3 } }, 2)
    end)
    assert.fails("narrow: elements 2 to 4 of axis 1, which has 3", function()
      return marea.ones{ 3 }:narrow(1, 2, 3)
    end)
    assert.fails("expects real numbers, got int32", function() return ids{ 1 } + 1 end)
    assert.fails("the rate is 1", function()
      return native.dropout(marea.ones{ 2 }, 1, native.new_stream())
    end)
  end)
end)

describe("the same bits", function()
  it("come out for 1, 2 and 8 threads", function()
    local a, b = numbers{ 130, 70 }, numbers{ 70, 90 }
    local before, results = marea.threads(), {}
    for _, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      results[#results + 1] = a:matmul(b):tanh():sum(1)
    end
    marea.threads(before)
    assert.is_true(results[1]:same(results[2]) and results[1]:same(results[3]))
  end)
end)

describe("gradients of sums and means", function()
  it("add to what is there, along any axis", function()
    local x = numbers{ 3, 4, 2 }
    local ok, report = marea.gradcheck(function(a)
      local all = a:sum() * .5 + a:mean()
      for axis = 1, 3 do all = all + (a:sum(axis) * a:mean(axis)):sum() end
      return all
    end, { x }, { tolerance = helper.double and 1e-7 or 5e-2 })
    assert.is_true(ok, ("worst %g"):format(report.worst))
  end)
end)
