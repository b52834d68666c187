local marea = require "marea"
local support = require "spec.support"
local losses, near, raises = marea.losses, support.near, support.raises

local T = marea.tensor
local coarse = marea.precision == "double" and 1e-8 or 1e-5

describe("losses, check values", function()
  local cases = {
    { "binary_crossentropy", { 1 }, { 0 }, 16.118095651, 1e-2 },
    { "binary_crossentropy", { 1 }, { .9 }, 0.105360516 },
    { "categorical_crossentropy", { { 1, 0 } }, { { .2, .2 } }, 0.693147181 },
    { "sparse_categorical_crossentropy", { 0 }, { { .2, .2 } }, 0.693147181 },
    { "huber", { .5 }, { 0 }, 0.125 },
    { "huber", { 2 }, { 0 }, 1.5 },
    { "log_cosh", { 0 }, { 2 }, 1.325002747 },
    { "mean_squared_logarithmic_error", { 1 }, { 3 }, 0.480453014 },
    { "mean_squared_error", { 1, 2 }, { 3, 2 }, 2 },
    { "mean_absolute_error", { 1, 2 }, { 3, 2 }, 1 },
    { "mean_absolute_percentage_error", { 4, 2 }, { 3, 2 }, 12.5 },
    { "kl_divergence", { { .5, .5 } }, { { .25, .75 } }, .5 * math.log(2) + .5 * math.log(2 / 3) },
    { "poisson", { 2 }, { 3 }, 3 - 2 * math.log(3), 1e-6 },
    { "cosine_similarity", { { 3, 4 } }, { { 4, 3 } }, -.96 },
    { "hinge", { { 0, 1 } }, { { .5, .5 } }, 1 },
    { "squared_hinge", { { 0, 1 } }, { { .5, .5 } }, 1.25 },
    { "categorical_hinge", { { 0, 1 } }, { { .5, .25 } }, 1.25 },
  }
  for i, case in ipairs(cases) do
    it(("%s (%d)"):format(case[1], i), function()
      near(case[4], losses[case[1]](case[2], T(case[3])), case[5] or coarse)
    end)
  end

  -- Functions that are no losses, and the one whose labels have a shape of their own.
  local others = { get = true, of_layer = true, reduce_values = true, reduce_samples = true,
    ctc_decode = true, ctc = true }

  it("are differentiable", function()
    local y, ids = T{ { 1, 0, 0 }, { 0, .5, .5 } }, T({ 0, 2 }, { dtype = "int32" })
    for name, loss in pairs(losses) do
      if type(loss) == "function" and name:match("^%l") and not others[name] then
        local p = T{ { .31, .23, .46 }, { .12, .71, .17 } }
        local ok, report = marea.gradcheck(function(q)
          return loss(name:match("^sparse") and ids or y, q)
        end, { p }, { tolerance = marea.precision == "double" and 1e-6 or 5e-2,
          step = marea.precision == "double" and 1e-6 or 1e-3 })
        assert.is_true(ok or name:match("percent") ~= nil or name == "mape",
          ("%s: %s, measured %s"):format(name, report.analytic, report.numeric))
      end
    end
  end)
end)

describe("options of losses", function()
  local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

  it("from_logits agrees with probabilities", function()
    near(losses.binary_crossentropy(T{ 1, 0 }, T{ sigmoid(.3), sigmoid(-2) }),
      losses.binary_crossentropy(T{ 1, 0 }, T{ .3, -2 }, { from_logits = true }), 1e-5)
    local logits = T{ { .1, 2, -1 } }
    for _, pair in ipairs{ { "categorical_crossentropy", T{ { 0, 1, 0 } } },
      { "sparse_categorical_crossentropy", T({ 1 }, { dtype = "int32" }) } } do
      near(losses[pair[1]](pair[2], logits:softmax()),
        losses[pair[1]](pair[2], logits, { from_logits = true }), 1e-5)
    end
  end)

  it("large logits stay finite", function()
    near(1000, losses.binary_crossentropy(T{ 0 }, T{ 1000 }, { from_logits = true }))
  end)

  it("label_smoothing", function()
    near(losses.binary_crossentropy(T{ .95 }, T{ .7 }),
      losses.binary_crossentropy(T{ 1 }, T{ .7 }, { label_smoothing = .1 }))
    near(losses.categorical_crossentropy(T{ { .95, .05 } }, T{ { .7, .3 } }),
      losses.categorical_crossentropy(T{ { 1, 0 } }, T{ { .7, .3 } }, { label_smoothing = .1 }))
  end)

  it("reduction none, sum and mean", function()
    local y, p = T{ { 1, 2 }, { 3, 4 } }, T{ { 1, 4 }, { 3, 3 } }
    near({ 2, .5 }, losses.mse(y, p, { reduction = "none" }))
    near(2.5, losses.mse(y, p, { reduction = "sum" }))
    near(1.25, losses.mse(y, p))
  end)

  it("the mean runs over batch and time", function()
    near(2, losses.mse(marea.zeros{ 2, 3, 1 }, marea.full({ 2, 3, 1 }, math.sqrt(2))), 1e-5)
  end)

  it("mask and sample weights", function()
    local y, p = marea.zeros{ 2, 2, 1 }, T{ { { 1 }, { 2 } }, { { 3 }, { 4 } } }
    local mask = T{ { 1, 0 }, { 1, 1 } }
    near((1 + 9 + 16) / 3, losses.mse(y, p, { mask = mask }))
    near((2 * 1 + 9 + 16) / 3, losses.mse(y, p, { mask = mask, sample_weight = { 2, 1 } }))
    near((1 + 4 + 2 * 25) / 4, losses.mse(y, p, { sample_weight = { { 1, 1 }, { 2, 2 } } }))
    near(0, losses.mse(y, p, { mask = marea.zeros{ 2, 2 } }))
  end)

  it("ignore_class drops positions", function()
    local p = T{ { .5, .5 }, { .9, .1 } }
    near(-math.log(.5), losses.sparse_categorical_crossentropy({ 0, -1 }, p, { ignore_class = -1 }),
      1e-6)
  end)

  it("targets (B) and predictions (B, 1) are alike", function()
    near(losses.mse(T{ { 1 }, { 2 } }, T{ { 3 }, { 5 } }), losses.mse(T{ 1, 2 }, T{ { 3 }, { 5 } }))
    near(losses.mse(T{ { 1 }, { 2 } }, T{ { 3 }, { 5 } }), losses.mse({ { 1 }, { 2 } }, T{ 3, 5 }))
  end)
end)

describe("losses by name and as objects", function()
  it("carry their options", function()
    local loss = losses.BinaryCrossentropy{ from_logits = true, label_smoothing = .1 }
    near(losses.bce({ 1 }, T{ .3 }, { from_logits = true, label_smoothing = .1 }), loss({ 1 }, T{ .3 }))
    assert.equal("binary_crossentropy", losses.get("bce").name)
    assert.equal("mean_squared_error", losses.get(losses.mse).name)
    assert.same({ class_name = "huber", config = { delta = 2 } }, losses.Huber{ delta = 2 }:get_config())
    assert.equal(2, losses.get{ class_name = "huber", config = { delta = 2 } }.config.delta)
  end)

  it("may be a function of one's own", function()
    local loss = losses.get(function(y, p) return ((y - p) * 2):abs() end)
    near(6, loss(T{ 1, 2 }, T{ 4, 5 }))
    near(3, loss(T{ 1, 2 }, T{ 4, 5 }, { sample_weight = { 1, 0 } }))
  end)
end)

describe("losses refuse", function()
  it("shapes that do not agree", function()
    raises(function() losses.mse(T{ 1, 2, 3 }, T{ { 1 }, { 2 } }) end, "mean_squared_error", "(3)",
      "(2, 1)")
    raises(function() losses.sparse_categorical_crossentropy({ 0, 1, 0 }, T{ { .5, .5 } }) end,
      "one id for each row", "(3)", "(1, 2)")
    raises(function() losses.mse(T{ 1 }, T{ 1 }, { sample_weight = { 1, 2 } }) end, "sample_weight")
  end)

  it("unknown names and options, listing what there is", function()
    raises(function() losses.get("bcee") end, "bcee", "binary_crossentropy", "huber")
    raises(function() losses.mse(T{ 1 }, T{ 1 }, { reduktion = "sum" }) end, "reduktion", "reduction")
    raises(function() losses.MeanSquaredError{ from_logits = true } end, "from_logits")
    raises(function() losses.mse(T{ 1 }, T{ 1 }, { reduction = "max" }) end, "none", "sum")
  end)

  it("ids that are no class", function()
    raises(function() losses.sparse_categorical_crossentropy({ 2 }, T{ { .5, .5 } }) end, "2")
  end)
end)
