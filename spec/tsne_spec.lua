-- t-SNE: the small example of the reference, the three methods against each other, bad input.
local helper = require "spec.helper"
local json = require "marea.json"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support_reduce"

local manifold = marea.manifold
local tsne = manifold.tsne

local function settings(more)
  local all = { n_components = 2, perplexity = 2, metric = "euclidean", method = "exact",
    angle = 0.5 }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

-- The step that one iteration takes from a map, and the divergence there.
local function forces(x, map, method, angle)
  local t <close> = native.tsne(x, settings{ perplexity = 30, method = method, angle = angle,
    n_components = map:size(2) })
  t:set_map(map)
  local divergence = t:divergence()
  t:run(1, { exaggeration = 1e-9, learning_rate = 1e3, momentum = 0, max_step = 0 })
  return t:map() - map, divergence
end

local function relative(a, b)
  local apart = a - b
  return math.sqrt((apart * apart):sum():item() / (b * b):sum():item())
end

describe("tsne", function()
  it("finds the precisions and weights of the small example", function()
    local x = marea.tensor{ { 0, 0 }, { 1, 0 }, { 0, 2 }, { 4, 3 }, { 5, 5 } }
    local pairs_of = native.tsne(x, settings()):pairs()
    assert.near_all({ 0.187358, 0.212237, 0.401072, 0.176835, 0.071146 }, pairs_of.beta, 5e-5)
    local expected = { { nil, 0.131960, 0.095748, 0.003035, 0.003276 },
      { nil, nil, 0.069378, 0.009897, 0.006216 }, { nil, nil, nil, 0.009914, 0.010205 },
      { nil, nil, nil, nil, 0.160371 } }
    for i = 1, 5 do
      for j = i + 1, 5 do
        assert.near_all({ expected[i][j], expected[i][j] },
          { pairs_of.p[i][j], pairs_of.p[j][i] }, 2e-6)
      end
    end
  end)

  it("has the gradient and divergence of its formulas", function()
    local x, n = support.points(7, 3), 7
    local y = support.points(7, 2)
    local t = native.tsne(x, settings{ perplexity = 1.7 })
    local p, at = t:pairs().p, y:totable()
    local q, z = {}, 0
    for i = 1, n do
      q[i] = {}
      for j = 1, n do
        local d = (at[i][1] - at[j][1]) ^ 2 + (at[i][2] - at[j][2]) ^ 2
        q[i][j] = 1 / (1 + d)
        if i ~= j then z = z + q[i][j] end
      end
    end
    local divergence, moved, mean = 0, {}, { 0, 0 }
    for i = 1, n do
      local slope = { 0, 0 }
      for j = 1, n do
        local weight = p[i][j] or 0
        if weight > 0 then divergence = divergence + weight * math.log(weight / (q[i][j] / z)) end
        for a = 1, 2 do
          slope[a] = slope[a] + (weight - (i ~= j and q[i][j] / z or 0)) * q[i][j]
            * (at[i][a] - at[j][a])
        end
      end
      moved[i] = {}
      for a = 1, 2 do
        -- A first step: the gain is 0.8 or 1.2, as velocity 0 counts as not above 0.
        moved[i][a] = at[i][a] - 10 * (slope[a] > 0 and 1.2 or 0.8) * slope[a]
        mean[a] = mean[a] + moved[i][a] / n
      end
    end
    for i = 1, n do
      for a = 1, 2 do moved[i][a] = moved[i][a] - mean[a] end
    end
    t:set_map(y)
    assert.near_all({ divergence }, { t:divergence() }, 1e-5)
    t:run(1, { exaggeration = 1, learning_rate = 10, momentum = 0, max_step = 0 })
    assert.near_all(moved, t:map(), 1e-4)
  end)

  it("has the same forces by all methods", function()
    local x = support.groups(1600, 5, 4)
    for axes = 1, 3 do
      local map = native.new_stream(3, 1):normal({ 1600, axes }, 0, 7)
      local exact, divergence = forces(x, map, "exact", 0.5)
      for method, allowed in pairs{ barnes_hut = 0.03, fft = axes < 3 and 0.003 or nil } do
        local force, other = forces(x, map, method, 0.5)
        assert.is_true(relative(force, exact) < allowed, method .. axes .. " "
          .. relative(force, exact))
        assert.near_all({ divergence }, { other }, 0.02)
      end
      local every_cell_opened = forces(x, map, "barnes_hut", 0)
      assert.is_true(relative(every_cell_opened, exact) < 1e-3)
    end
  end)

  it("keeps groups together, by every method and metric", function()
    local x, group = support.groups(150, 6, 3)
    for _, given in ipairs{ { method = "exact" }, { method = "barnes_hut" }, { method = "fft" },
      { metric = "cosine" }, { n_components = 3, method = "barnes_hut" }, { n_components = 1 },
      { initial = "random", seed = 4 } } do
      given.iterations, given.perplexity = 400, 15
      local map, info = tsne(x, given)
      local index = map:totable()
      local wrong = 0
      for i = 1, 150 do
        local best, least = nil, math.huge
        for j = 1, 150 do
          local d = 0
          for a = 1, #index[i] do d = d + (index[i][a] - index[j][a]) ^ 2 end
          if j ~= i and d < least then best, least = j, d end
        end
        if group[best] ~= group[i] then wrong = wrong + 1 end
      end
      assert.is_true(wrong <= 3, tostring(wrong))
      assert.is_true(info.kl_divergence > 0 and info.kl_divergence < 2)
      assert.is_true(manifold.trustworthiness(x, map, 5) > 0.8)
    end
  end)

  it("has the same bits for any number of threads", function()
    local before = marea.threads()
    local x = support.groups(1100, 5, 4)
    for _, given in ipairs{ { method = "exact" }, { method = "barnes_hut" }, { method = "fft" },
      { method = "barnes_hut", n_components = 3 }, { method = "fft", n_components = 1 } } do
      given.iterations, given.early_iterations = 60, 30
      marea.threads(1)
      local one, first = tsne(x, given)
      for _, threads in ipairs{ 2, 8 } do
        marea.threads(threads)
        local other, info = tsne(x, given)
        assert.is_true(one:same(other), given.method)
        assert.equal(first.kl_divergence, info.kl_divergence)
      end
    end
    marea.threads(before)
  end)

  it("calls back and stops on demand", function()
    local x, calls = support.groups(60, 4, 3), {}
    local _, info = tsne(x, { every = 20, callback = function(iteration, divergence, map)
      calls[#calls + 1] = iteration
      assert.is_true(divergence == divergence and manifold.is_map(map))
      return iteration < 60
    end })
    assert.same({ 20, 40, 60 }, calls)
    assert.equal("callback", info.stopped)
    assert.equal(60, info.iterations)
    assert.equal(3, #info.history)
    assert.is_truthy(tostring(info):find("after 60 iterations (stopped: callback)", 1, true))
  end)

  it("chooses and notes a perplexity that the points allow", function()
    local _, info = tsne(support.points(13, 3), { iterations = 10 })
    assert.equal(4, info.perplexity)
    assert.equal("perplexity 4 instead of 30, because there are only 13 points", info.notes[1])
    assert.fails("perplexity 30, but a point has 12 others; expected 1 to 12", tsne,
      support.points(13, 3), { perplexity = 30 })
    assert.fails("perplexity must be a number", tsne, support.points(13, 3), { perplexity = 0.5 })
  end)

  it("takes two points, equal points and constant columns", function()
    for _, rows in ipairs{ { { 1, 2 }, { 3, 4 } }, { { 1, 2 }, { 1, 2 } },
      { { 5, 0 }, { 5, 1 }, { 5, 2 }, { 5, 2 }, { 5, 2 } } } do
      for _, method in ipairs{ "exact", "barnes_hut", "fft" } do
        for _, metric in ipairs{ "euclidean", "cosine" } do
          local map, info = tsne(marea.tensor(rows), { method = method, metric = metric })
          assert.is_true(map:all_finite())
          assert.is_true(info.kl_divergence == info.kl_divergence)
        end
      end
    end
    local map = tsne(marea.ones{ 40, 3 }, { iterations = 300 })
    assert.is_true(map:all_finite())
    assert.is_true(tsne(marea.tensor{ { 1 }, { 2 }, { 4 } }):all_finite()) -- fewer than the map has
  end)

  it("refuses what makes no sense", function()
    local x = support.points(20, 3)
    assert.fails("1 point, at least 2 are needed", tsne, marea.ones{ 1, 3 })
    assert.fails("element (2, 2) is NaN", tsne, marea.tensor{ { 1, 2 }, { 3, 0 / 0 } })
    assert.fails("the method fft makes maps of 1 or 2", tsne, x,
      { method = "fft", n_components = 3 })
    assert.fails("4 dimensions asked for", tsne, x, { n_components = 4 })
    assert.fails("expected points (N, D)", tsne, marea.ones{ 5 })
    assert.fails("unknown option \"perplexty\"", tsne, x, { perplexty = 5 })
    assert.fails("the start is (3, 2), expected (20, 2)", tsne, x, { initial = marea.ones{ 3, 2 } })
    assert.fails("angle is 2", tsne, x, { angle = 2 })
    assert.fails("learning_rate must be", tsne, x, { learning_rate = -1 })
    assert.fails("learning rate 0", tsne, x, { learning_rate = 0 })
    assert.fails("callback must be a function", tsne, x, { callback = 3 })
    assert.fails("the map diverges at learning rate", tsne, x,
      { learning_rate = 1e300, max_step = 0 })
    local largest = native.largest
    assert.fails("overflow", tsne, marea.tensor{ { largest }, { -largest }, { 0 } })
  end)

  it("places new points into an old map", function()
    local x, group = support.groups(150, 6, 3)
    local map, info = tsne(x, { iterations = 400, perplexity = 15 })
    local copy = map:keep()
    local placed = info:place(x:narrow(1, 1, 30):keep())
    assert.is_true(map:same(copy))
    assert.is_true(manifold.is_map(placed))
    local old, new = map:totable(), placed:totable()
    for i = 1, 30 do
      local best, least = nil, math.huge
      for j = 1, 150 do
        local d = (new[i][1] - old[j][1]) ^ 2 + (new[i][2] - old[j][2]) ^ 2
        if d < least then best, least = j, d end
      end
      assert.equal(group[i], group[best])
    end
    local alone = info:place(x:narrow(1, 4, 1):keep())
    assert.near_all(new[4], alone:select(1, 1), 1e-4)
    assert.fails("new points have 2 columns, the old ones 6", info.place, info, marea.ones{ 1, 2 })
    assert.fails("new points: element (1, 1) is NaN", info.place, info,
      marea.full({ 1, 6 }, 0 / 0))
  end)

  it("knows its maps and warns", function()
    local x = support.points(12, 3)
    local map = tsne(x, { iterations = 10 })
    local text
    assert.is_true(manifold.warn_if_map(map, "kmeans", function(t) text = t end))
    assert.is_truthy(text:find("kmeans: this is a t-SNE map", 1, true))
    assert.is_false(manifold.warn_if_map(x, "kmeans", error))
  end)

  it("gives everything back, also when memory runs out", function()
    local x = support.groups(40, 4, 3)
    for _, method in ipairs{ "exact", "barnes_hut", "fft" } do
      helper.leak_check(function()
        support.exhaust(native, function()
          local map, info = tsne(x, { method = method, iterations = 3 })
          return map, info:place(x)
        end)
      end)
    end
  end)
end)

describe("trustworthiness", function()
  it("agrees with scikit-learn", function()
    local file <close> = assert(io.open("spec/golden/reduce.json"))
    for _, case in ipairs(assert(json.decode(file:read("a"))).trustworthiness) do
      local x = support.points(case.n, case.d)
      local y = x:narrow(2, case.d - 1, 2)
      assert.near_all({ case.value }, { manifold.trustworthiness(x, y, case.k) }, 1e-9)
    end
  end)

  it("refuses too many neighbours", function()
    local x = support.points(10, 2)
    assert.equal(1, manifold.trustworthiness(x, x, 4))
    assert.fails("5 neighbours of 10 points", manifold.trustworthiness, x, x, 5)
    assert.fails("10 points, but 9 in their map", manifold.trustworthiness, x, support.points(9, 2))
  end)
end)
