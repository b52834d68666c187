-- k-means and k-NN against scikit-learn (scripts/fixtures/cluster.py), and what they refuse.
local helper = require "spec.helper"
local json = require "marea.json"
local marea = require "marea"
local cluster, neighbors = marea.cluster, marea.neighbors

local function golden()
  local file <close> = assert(io.open("spec/golden/cluster.json"))
  return json.decode(file:read("a"))
end

local function numbers(rows, columns, start)
  local list = {}
  for i = 1, rows do
    list[i] = {}
    for j = 1, columns do list[i][j] = (start + ((i - 1) * columns + j) * 0.6180339887498949) % 1 end
  end
  return marea.tensor(list)
end

local base = numbers(20, 3, 0)
local points = marea.concat({ base, base + marea.tensor{ 3, 0, 1 }, base + marea.tensor{ 0, 4, 0 } }, 1)
local queries = numbers(8, 3, 0.3) * 4
local want = golden()
local near = helper.double and 1e-8 or 1e-5

-- What is written to standard error while f runs.
local function warnings(f)
  local text, real = {}, io.stderr
  io.stderr = { write = function(_, ...) text[#text + 1] = table.concat{ ... } end } -- luacheck: ignore
  local ok, message = pcall(f)
  io.stderr = real -- luacheck: ignore
  assert(ok, message)
  return table.concat(text)
end

describe("kmeans", function()
  it("moves given centers as scikit-learn does", function()
    local start = marea.stack({ points:select(1, 1), points:select(1, 26), points:select(1, 46) }, 1)
    local groups = cluster.kmeans(points, 3, { init = start })
    assert.same(want.labels, groups.labels:totable())
    assert.near_all(want.centers, groups.centers, near)
    assert.near_all({ want.inertia }, { groups.inertia }, 1e-4)
    local far = cluster.kmeans(points, 4, { init = points:narrow(1, 1, 4), tol = 0 })
    assert.same(want.far_labels, far.labels:totable())
    assert.near_all({ want.far_inertia }, { far.inertia }, 1e-4)
    assert.truthy(tostring(groups):find("3 groups of 20, 20, 20 points", 1, true))
  end)

  it("finds as good groups by itself, the same for any number of threads", function()
    local before, found = marea.threads(), {}
    for i, threads in ipairs{ 1, 2, 5 } do
      marea.threads(threads)
      found[i] = cluster.kmeans(points, 4, { seed = 3, tol = 0, n_init = 30 })
    end
    marea.threads(before)
    assert.is_true(found[1].inertia <= want.best_inertia * 1.0001)
    for i = 2, 3 do assert.same(found[1].centers:totable(), found[i].centers:totable()) end
    assert.same(found[1].labels:totable(), found[1]:predict(points):totable())
    assert.is_true(cluster.kmeans(points, 4, { init = "random", n_init = 20 }).inertia
      <= want.best_inertia * 1.01)
  end)

  it("gives an empty group the farthest point", function()
    local x = marea.tensor{ { 0 }, { 0 }, { 1 }, { 9 } }
    local groups = cluster.kmeans(x, 3, { init = marea.tensor{ { 0 }, { 50 }, { 1 } } })
    assert.near_all({ 0 }, { groups.inertia })
    local one = cluster.kmeans(marea.zeros{ 4, 2 }, 2)
    assert.equal(0, one.inertia)
  end)

  it("says what is wrong", function()
    assert.fails("5 groups of 4 points", cluster.kmeans, marea.zeros{ 4, 2 }, 5)
    assert.fails("(4)", cluster.kmeans, marea.zeros{ 4 }, 2)
    assert.fails("init is (2, 1), expected (2, 2)", cluster.kmeans, marea.zeros{ 4, 2 }, 2,
      { init = marea.zeros{ 2, 1 } })
    assert.fails("NaN or an infinity", cluster.kmeans, marea.tensor{ { 0 }, { 0 / 0 } }, 1)
    assert.fails("k must be", cluster.kmeans, marea.zeros{ 4, 2 }, 0)
  end)
end)

describe("k-NN", function()
  local labels = {}
  for i = 0, 59 do labels[i + 1] = i // 20 end
  local truth = marea.tensor(labels, { dtype = "int32" })
  for i = 1, 60, 7 do labels[i] = (labels[i] + 1) % 3 end

  it("finds neighbours and their distances", function()
    local places, distances = neighbors.kneighbors(points, queries, 4)
    assert.same(want.places, places:totable())
    assert.near_all(want.distances, distances, near * 10)
    local own = neighbors.kneighbors(points, nil, 1)
    for i, place in ipairs(own:totable()) do assert.is_true(place[1] ~= i) end
  end)

  it("votes as scikit-learn does", function()
    for _, weights in ipairs{ "uniform", "distance" } do
      local knn = neighbors.KNeighborsClassifier{ 5, weights = weights }:fit(points, labels)
      assert.near_all(want[weights].probabilities, knn:predict_proba(queries), near * 100)
      assert.same(want[weights].classes, knn:predict(queries):totable())
      assert.near_all({ want[weights].score }, { knn:score(points, truth) }, 1e-6)
    end
  end)

  it("says what is wrong", function()
    local knn = neighbors.KNeighborsClassifier{ 3 }
    assert.fails("call fit(x, labels) first", knn.predict, knn, queries)
    assert.fails("60 points need as many labels, got (2)", knn.fit, knn, points, { 0, 1 })
    assert.fails("n_neighbors is 3, but there are 2 points", knn.fit, knn, marea.zeros{ 2, 2 }, { 0, 1 })
    assert.fails("labels are ids from 0", knn.fit, knn, marea.zeros{ 3, 2 }, { 0, 1, -1 })
    knn:fit(points, labels)
    assert.fails("queries have 2 columns, points 3", knn.predict, knn, marea.zeros{ 1, 2 })
    assert.fails("k is 61, allowed are 1 to 60", neighbors.kneighbors, points, queries, 61)
    assert.fails("k is 60, allowed are 1 to 59", neighbors.kneighbors, points, nil, 60)
    assert.fails("with a point at least", neighbors.kneighbors, marea.zeros{ 3 }, nil, 1)
  end)
end)

describe("a t-SNE map", function()
  local map = marea.manifold.tsne(points, { iterations = 20, early_iterations = 5, seed = 1 })

  it("is no input for k-means or k-NN, as both say", function()
    local said = warnings(function() cluster.kmeans(map, 3) end)
    assert.truthy(said:find("kmeans: this is a t-SNE map", 1, true), said)
    said = warnings(function() neighbors.KNeighborsClassifier{ 1 }:fit(map, marea.zeros{ 60 }) end)
    assert.truthy(said:find("KNeighborsClassifier: this is a t-SNE map", 1, true), said)
    said = warnings(function() neighbors.kneighbors(map, nil, 2) end)
    assert.truthy(said:find("kneighbors: this is a t-SNE map", 1, true), said)
    assert.equal("", warnings(function() cluster.kmeans(points, 3) end))
  end)
end)
