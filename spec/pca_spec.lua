-- Principal components: against scikit-learn (spec/golden/reduce.json, made by
-- scripts/fixtures/reduce.py) and by what they must be.
local helper = require "spec.helper"
local json = require "marea.json"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support_reduce"

local pca = marea.decomposition.pca
local close = helper.double and 1e-8 or 2e-5

local function golden()
  local file <close> = assert(io.open("spec/golden/reduce.json"))
  return assert(json.decode(file:read("a"))).pca
end

describe("pca", function()
  it("agrees with scikit-learn, signs included", function()
    for _, case in ipairs(golden()) do
      local scores, info = pca(support.points(case.n, case.d), case.count)
      assert.near_all(case.mean, info.mean, close)
      assert.near_all(case.components, info.components, close)
      assert.near_all(case.scores, scores, 10 * close)
      assert.near_all(case.variance, info.explained_variance, 20 * close)
      assert.near_all(case.ratio, info.explained_variance_ratio, close)
      assert.near_all(case.singular, info.singular_values, 10 * close)
      assert.equal("exact", info.method)
    end
  end)

  it("finds the same by the randomised method", function()
    local x = support.points(60, 30)
    local scores, info = pca(x, 4)
    local randomised, other = pca(x, 4, { method = "randomised", seed = 5 })
    assert.equal("randomised", other.method)
    assert.near_all(info.singular_values, other.singular_values, 1e-3)
    assert.near_all(info.components, other.components, 2e-3)
    assert.near_all(scores, randomised, 5e-2)
  end)

  it("transforms new points and comes back", function()
    local x = support.points(12, 4)
    local scores, info = pca(x, 4)
    assert.near_all(x, info:inverse(scores), 10 * close)
    assert.is_true(info:transform(x:narrow(1, 3, 2)):same(scores:narrow(1, 3, 2):keep()))
    local _, two = pca(x, 2)
    local flat = two:inverse(two:transform(x))
    assert.near_all(two:transform(x), two:transform(flat), 50 * close)
    assert.fails("the points have 3 columns, it was fitted to 4", info.transform, info,
      marea.zeros{ 2, 3 })
    assert.fails("the scores have 3 columns, there are 4 components", info.inverse, info,
      marea.zeros{ 2, 3 })
  end)

  it("takes constant columns and equal points", function()
    local _, info = pca(marea.tensor{ { 1, 7, 0 }, { 3, 7, 0 }, { 8, 7, 0 } }, 2)
    assert.near_all({ { 1, 0, 0 } }, info.components:narrow(1, 1, 1), close)
    assert.near_all({ 13, 0 }, info.explained_variance, 20 * close)
    local scores, same = pca(marea.ones{ 4, 6 }, 3)
    assert.near_all({ 0, 0, 0 }, same.explained_variance, close)
    assert.near_all({ 0, 0, 0 }, same.explained_variance_ratio)
    assert.is_true(scores:all_finite())
    local gram = same.components:matmul(same.components:transpose())
    assert.near_all({ { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }, gram, close)
    assert.is_truthy(tostring(info):find("2 components of 3 columns", 1, true))
  end)

  it("has the same bits for any number of threads", function()
    local before = marea.threads()
    local x = marea.rand{ 700, 40 }
    for _, method in ipairs{ "exact", "randomised" } do
      marea.threads(1)
      local one = pca(x, 3, { method = method })
      for _, threads in ipairs{ 2, 8 } do
        marea.threads(threads)
        assert.is_true(one:same((pca(x, 3, { method = method }))), method)
      end
    end
    marea.threads(before)
  end)

  it("refuses what makes no sense", function()
    assert.fails("1 row, at least 2 are needed", pca, marea.ones{ 1, 3 }, 1)
    assert.fails("4 components of 5 rows and 3 columns, possible are 1 to 3", pca,
      marea.ones{ 5, 3 }, 4)
    assert.fails("element (2, 1) is NaN", pca, marea.tensor{ { 1, 2 }, { 0 / 0, 1 } }, 1)
    assert.fails("element (1, 2) is infinite", pca, marea.tensor{ { 1, 1 / 0 }, { 0, 1 } }, 1)
    assert.fails("expected reals (points, dimensions)", pca, marea.ones{ 5 }, 1)
    assert.fails("method must be one of", pca, marea.ones{ 5, 3 }, 1, { method = "qr" })
  end)

  it("gives everything back, also when memory runs out", function()
    local x = marea.rand{ 30, 40 }
    for _, method in ipairs{ "exact", "randomised" } do
      helper.leak_check(function()
        support.exhaust(native, function() return (pca(x, 3, { method = method })) end)
      end)
    end
  end)
end)
