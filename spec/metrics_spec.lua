local marea = require "marea"
local support = require "spec.support"
local metrics, near, raises = marea.metrics, support.near, support.raises

local T = marea.tensor

local function value(which, y, p, given)
  local metric = metrics.get(which)
  metric:update(y, p, given)
  return metric:result()
end

describe("accuracies", function()
  it("binary: strictly above one half", function()
    near(.75, value("binary_accuracy", T{ 1, 0, 1, 0 }, T{ .6, .5, .5, .1 }))
    near(1, value(metrics.BinaryAccuracy{ threshold = .4 }, T{ { 1 }, { 1 } }, T{ { .45 }, { .9 } }))
  end)

  it("categorical and sparse: the first of equal largest scores", function()
    local p = T{ { .2, .8 }, { .5, .5 }, { .9, .1 } }
    near(2 / 3, value("categorical_accuracy", T{ { 0, 1 }, { 0, 1 }, { 1, 0 } }, p))
    near(2 / 3, value("sparse_categorical_accuracy", { 1, 1, 0 }, p))
    near(1, value("sparse_categorical_accuracy", { { 1 }, { 0 }, { 0 } }, p))
  end)

  it("top k: ties favour a hit, NaN never hits", function()
    local p = T{ { .1, .2, .3, .4 }, { .25, .25, .25, .25 }, { .7, .1, .1, .1 } }
    local top = metrics.SparseTopKCategoricalAccuracy{ k = 1 }
    near(1 / 3, value(top, { 2, 0, 3 }, p))
    near(0, value(metrics.SparseTopKCategoricalAccuracy{ k = 2 }, { 0 }, T{ { 0 / 0, 1 } }))
    near(1, value("top_k_categorical_accuracy", T{ { 0, 1, 0 } }, T{ { .5, .1, .4 } }))
  end)

  it("'accuracy' follows loss and shape", function()
    assert.equal("SparseCategoricalAccuracy",
      metrics.get("accuracy", "sparse_categorical_crossentropy", 3).class_name)
    assert.equal("CategoricalAccuracy", metrics.get("acc", "categorical_crossentropy", 3).class_name)
    assert.equal("BinaryAccuracy", metrics.get("accuracy", "binary_crossentropy", 1).class_name)
    assert.equal("acc", metrics.get("acc", "binary_crossentropy").name)
    local p = T{ { .2, .8 }, { .6, .4 } }
    near(.5, value("accuracy", { 1, 1 }, p))
    near(.5, value("accuracy", { { 1 }, { 1 } }, p))
    near(1, value("accuracy", T{ { 0, 1 }, { 1, 0 } }, p))
    near(.5, value("accuracy", { 1, 1 }, T{ { .8 }, { .4 } }))
  end)

  it("are means over all samples, not over batches", function()
    local metric = metrics.get("binary_accuracy")
    metric:update(T{ 1, 1, 1 }, T{ 1, 1, 1 })
    metric:update(T{ 1 }, T{ 0 })
    near(.75, metric:result())
    metric:reset()
    near(0, metric:result())
  end)

  it("leave masked steps out and weigh samples", function()
    local y, p = T{ { { 1 }, { 1 } } }, T{ { { 1 }, { 0 } } }
    near(.5, value("binary_accuracy", y, p))
    near(1, value("binary_accuracy", y, p, { mask = T{ { 1, 0 } } }))
    near(.75, value("binary_accuracy", T{ 1, 1 }, T{ 1, 0 }, { sample_weight = { 3, 1 } }))
  end)
end)

describe("counting metrics", function()
  local y, p = T{ 1, 1, 0, 0, 1 }, T{ .9, .2, .8, .5, .7 }

  it("precision, recall and the counts", function()
    near(2 / 3, value("precision", y, p))
    near(2 / 3, value("recall", y, p))
    near(2, value("true_positives", y, p))
    near(1, value("false_positives", y, p))
    near(1, value("true_negatives", y, p))
    near(1, value("false_negatives", y, p))
    near(0, value("precision", T{ 0 }, T{ 0 }))
    near(1, value(metrics.Recall{ thresholds = .1 }, y, p))
  end)

  it("F1 of each class and its means", function()
    local targets = T{ { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }
    local scores = T{ { .6, .2, .2 }, { .7, .2, .1 }, { .1, .1, .8 } }
    near({ 2 / 3, 0, 1 }, value("f1_score", targets, scores), 1e-6)
    near(5 / 9, value(metrics.F1Score{ average = "macro" }, targets, scores), 1e-6)
    near(2 / 3, value(metrics.F1Score{ average = "micro" }, targets, scores), 1e-6)
    near(5 / 9, value(metrics.F1Score{ average = "weighted" }, targets, scores), 1e-6)
    local f2 = metrics.FBetaScore{ beta = 2, threshold = .5 }
    near(5 * .5 / (4 * .5 + 1), value(f2, T{ { 1 }, { 0 } }, T{ { .9 }, { .8 } }), 1e-6)
  end)
end)

describe("AUC", function()
  it("is 1 for perfect, near 1/2 for useless, and between otherwise", function()
    near(1, value("auc", T{ 0, 0, 1, 1 }, T{ .1, .2, .8, .9 }))
    near(0, value("auc", T{ 1, 1, 0, 0 }, T{ .1, .2, .8, .9 }))
    near(.75, value("auc", T{ 0, 0, 1, 1 }, T{ .1, .4, .35, .8 }))
    near(.5, value("auc", T{ 0, 1 }, T{ .5, .5 }))
  end)

  it("adds up over batches and takes logits", function()
    local metric = metrics.AUC{}
    metric:update(T{ 0, 1 }, T{ .1, .35 })
    metric:update(T{ 0, 1 }, T{ .4, .8 })
    near(.75, metric:result())
    near(1, value(metrics.AUC{ from_logits = true }, T{ 0, 1 }, T{ -3, 3 }))
  end)

  it("draws precision against recall when asked", function()
    near(1, value(metrics.AUC{ curve = "PR" }, T{ 0, 0, 1, 1 }, T{ .1, .2, .8, .9 }), 1e-6)
  end)
end)

describe("regression metrics", function()
  it("RMSE is the root of the running mean", function()
    local metric = metrics.get("rmse")
    metric:update(T{ 0 }, T{ 1 })
    metric:update(T{ 0, 0, 0 }, T{ 3, 3, 3 })
    near(math.sqrt(7), metric:result())
  end)

  it("R2, errors and cosine", function()
    near(1 - .5 / 2, value("r2", T{ 1, 2, 3 }, T{ 1.5, 2, 2.5 }))
    near(1, value("mae", T{ { 1, 2 } }, T{ { 2, 3 } }))
    near(.96, value("cosine_similarity", T{ { 3, 4 } }, T{ { 4, 3 } }))
  end)
end)

describe("language metrics", function()
  it("perplexity and bits per character of valid tokens", function()
    local p = T{ { { .5, .5 }, { .25, .75 } } }
    near(math.exp((math.log(2) + math.log(4)) / 2), value("perplexity", { { 0, 0 } }, p), 1e-5)
    near(1, value("bits_per_character", { { 0, 0 } }, p, { mask = T{ { 1, 0 } } }), 1e-5)
  end)
end)

describe("metrics", function()
  it("may be a function, a mean, or unknown", function()
    near(2, value(function(y, p) return (y - p):abs() end, T{ 1, 2 }, T{ 3, 4 }))
    local mean = metrics.Mean{}
    mean:update(2)
    mean:update(5, 2)
    near(4, mean:result())
    raises(function() metrics.get("acuracy") end, "acuracy", "accuracy", "auc")
    raises(function() metrics.AUC{ thresholds = 3 } end, "AUC", "num_thresholds")
    raises(function() value("mse", T{ 1, 2 }, T{ { 1, 2, 3 } }) end, "(2)", "(1, 3)")
  end)

  it("say how they are saved", function()
    local config = metrics.get("auc"):get_config()
    assert.equal("AUC", config.class_name)
    assert.equal(200, metrics.get(config).num_thresholds)
  end)
end)
