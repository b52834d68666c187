-- Initialisers, regularisers and constraints as scripts see them.
local marea = require "marea"
local initializers = require "marea.nn.initializers"
local regularizers = require "marea.nn.regularizers"
local constraints = require "marea.nn.constraints"

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

describe("initializers", function()
  it("are found by Keras's names", function()
    for _, name in ipairs{ "zeros", "ones", "constant", "uniform", "normal", "random_uniform",
      "random_normal", "truncated_normal", "variance_scaling", "glorot_uniform", "glorot_normal",
      "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal", "identity",
      "GlorotUniform", "Zeros" } do
      local initialize = initializers.get(name)
      assert.same({ 3, 2 }, initialize({ 3, 2 }):shape())
      local again = initializers.deserialize{ class_name = initialize.class_name,
        config = initialize:get_config() }
      assert.equal(initialize.class_name, again.class_name)
    end
    assert.match('no initializer is called "glorot"', message(initializers.get, "glorot"), 1, true)
    assert.match("stdev", message(initializers.RandomNormal, { stdev = 1 }), 1, true)
  end)

  it("stay within Keras's limits", function()
    local x = initializers.get("glorot_uniform")({ 100, 32 })
    assert.is_true(x:abs():max():item() <= 0.213200717)
    assert.is_true(x:abs():max():item() > 0.21)
    x = initializers.get("uniform")({ 100, 32 })
    assert.is_true(x:abs():max():item() <= 0.05)
  end)

  it("follow the seed", function()
    marea.manual_seed(3)
    local a = initializers.get("he_normal")({ 4, 5 })
    local b = initializers.get("he_normal")({ 4, 5 })
    marea.manual_seed(3)
    local c = initializers.get("he_normal")({ 4, 5 })
    assert.is_true(a:same(c))
    assert.is_false(a:same(b))
    local own = initializers.GlorotUniform{ seed = 7 }
    assert.is_true(own({ 2, 2 }):same(own({ 2, 2 })))
  end)

  it("give orthogonal and constant matrices", function()
    local q = initializers.Orthogonal{ gain = 2 }({ 3, 6 })
    local gram = q:matmul(q:transpose())
    for i = 1, 3 do
      for j = 1, 3 do assert.near(i == j and 4 or 0, gram:get(i, j), 1e-5) end
    end
    assert.same({ { 2, 0 }, { 0, 2 } }, initializers.Identity{ 2 }({ 2, 2 }):totable())
    assert.same({ 0.5, 0.5 }, initializers.Constant{ 0.5 }({ 2 }):totable())
    local vectors = marea.tensor{ { 1, 2 }, { 3, 4 } }
    local constant = initializers.Constant{ vectors }
    local x = constant({ 2, 2 })
    assert.is_true(x:same(vectors))
    x:set(1, 1, 9)
    assert.equal(1, vectors:get(1, 1))
    assert.match("(2, 2)", message(constant, { 3, 2 }), 1, true)
    assert.same({ value = 0 }, constant:get_config())
  end)
end)

describe("regularizers", function()
  it("have Keras's values and gradients", function()
    local w = marea.tensor{ { 3, 0.3 }, { -4, 0.4 } }
    assert.near(0.077, regularizers.get("l1")(w):item(), 1e-6)
    assert.near(0.2525, regularizers.get("l2")(w):item(), 1e-6)
    assert.near(0.3295, regularizers.L1L2{ 0.01, 0.01 }(w):item(), 1e-6)
    assert.near(0, regularizers.get("l1_l2")(w):item(), 0)
    w.requires_grad = true
    local tape <close> = marea.tape()
    tape:backward(regularizers.L1L2{ l1 = 0.5, l2 = 0.25 }(w))
    assert.near(2, w.grad:get(1, 1), 1e-6)
    assert.near(-2.5, w.grad:get(2, 1), 1e-6)
  end)

  it("refuse what makes no sense", function()
    assert.is_nil(regularizers.get(nil))
    assert.match("l2 must be a number", message(regularizers.L2, { -1 }), 1, true)
    assert.match('no regularizer is called "l3"', message(regularizers.get, "l3"), 1, true)
    local config = regularizers.L2{ 0.5 }:get_config()
    assert.same({ l2 = 0.5 }, config)
    assert.equal(0.5, regularizers.deserialize{ class_name = "L2", config = config }.l2)
  end)
end)

describe("constraints", function()
  local w = marea.tensor{ { 3, 0.3 }, { 4, -0.4 } }

  local function check(constraint, expected)
    local result = constraint(w)
    for i = 1, 2 do
      for j = 1, 2 do assert.near(expected[i][j], result:get(i, j), 1e-5) end
    end
  end

  it("have Keras's values and leave their argument alone", function()
    check(constraints.MaxNorm{ 2 }, { { 1.2, 0.3 }, { 1.6, -0.4 } })
    check(constraints.UnitNorm{}, { { 0.6, 0.6 }, { 0.8, -0.8 } })
    check(constraints.MinMaxNorm{ 1, 2, rate = 0.5 }, { { 2.1, 0.45 }, { 2.8, -0.6 } })
    check(constraints.NonNeg{}, { { 3, 0.3 }, { 4, 0 } })
    check(constraints.UnitNorm{ axis = 2 }, { { 0.995037, 0.0995037 }, { 0.995037, -0.0995037 } })
    check(constraints.MaxNorm{ 100, axis = { 1, -1 } }, { { 3, 0.3 }, { 4, -0.4 } })
    assert.near(3, w:get(1, 1), 0)
  end)

  it("refuse what makes no sense", function()
    assert.is_nil(constraints.get(nil))
    assert.match("MaxNorm{ 3 }", message(constraints.get, 3), 1, true)
    assert.match("axis 3", message(constraints.UnitNorm{ axis = 3 }, w), 1, true)
    assert.match("0 <= least <= most", message(constraints.MinMaxNorm{ 2, 1 }, w), 1, true)
  end)
end)
