-- The conditional random field against the enumeration of all paths; masks, constraints, training,
-- bad input. Gradients are in ops_spec.lua.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function ids(t)
  return marea.tensor(t, { dtype = "int32" })
end

-- Calls f(path, score) for every path through a table of emissions (T, K).
local function each_path(emissions, weights, f, path)
  path = path or {}
  local K = #emissions[1]
  if #path == #emissions then
    local score = weights.first[path[1]] + weights.last[path[#path]]
    for t, tag in ipairs(path) do
      score = score + emissions[t][tag] + (t > 1 and weights.between[path[t - 1]][tag] or 0)
    end
    return f(path, score)
  end
  for tag = 1, K do
    path[#path + 1] = tag
    each_path(emissions, weights, f, path)
    path[#path] = nil
  end
end

local function enumerate(emissions, weights)
  local result = { total = 0, best = -math.huge, marginals = {} }
  for t = 1, #emissions do
    result.marginals[t] = {}
    for k = 1, #emissions[1] do result.marginals[t][k] = 0 end
  end
  each_path(emissions, weights, function(path, score)
    result.total = result.total + math.exp(score)
    for t, tag in ipairs(path) do
      result.marginals[t][tag] = result.marginals[t][tag] + math.exp(score)
    end
    if score > result.best then
      result.best, result.path = score, table.move(path, 1, #path, 1, {})
    end
  end)
  for _, row in ipairs(result.marginals) do
    for k in ipairs(row) do row[k] = row[k] / result.total end
  end
  return result
end

local function random_case(T, K, phase)
  local x = numbers({ 1, T, K }, phase) * 2
  local weights = { first = numbers({ K }, phase + 1), last = numbers({ K }, phase + 2),
    between = numbers({ K, K }, phase + 3) * 1.5 }
  local plain = {}
  for name, tensor in pairs(weights) do plain[name] = tensor:totable() end
  return x, weights, plain
end

describe("the conditional random field", function()
  it("agrees with the enumeration of all paths", function()
    for _, size in ipairs{ { 1, 3 }, { 2, 2 }, { 4, 3 }, { 5, 4 }, { 3, 1 } } do
      local T, K = size[1], size[2]
      local x, weights, plain = random_case(T, K, T)
      local wanted = enumerate(x:totable()[1], plain)
      local tags = {}
      for t = 1, T do tags[t] = t % K end
      local score = plain.first[tags[1] + 1] + plain.last[tags[T] + 1]
      for t = 1, T do
        score = score + x:get(1, t, tags[t] + 1)
          + (t > 1 and plain.between[tags[t - 1] + 1][tags[t] + 1] or 0)
      end
      local loss = native.crf_loss(x, ids{ tags }, nil, weights.first, weights.last, weights.between)
      near({ math.log(wanted.total) - score }, loss, 1e-5)
      near({ wanted.marginals },
        native.crf_marginals(x, nil, weights.first, weights.last, weights.between), 1e-5)
      local best = native.crf_decode(x, nil, weights.first, weights.last, weights.between):totable()[1]
      for t = 1, T do assert.are.equal(wanted.path[t] - 1, best[t]) end
    end
  end)

  it("leaves hidden steps out, wherever they stand", function()
    local x, weights = random_case(4, 3, 7)
    local tags = ids{ { 2, 0, 1, 1 } }
    local function all(emissions, labels, mask)
      return native.crf_loss(emissions, labels, mask, weights.first, weights.last, weights.between),
        native.crf_decode(emissions, mask, weights.first, weights.last, weights.between)
    end
    local loss, best = all(x, tags)
    local order = { { 0, 1, 2, 3 }, { 0, -1, 1, -1, 2, 3, -1 }, { -1, -1, 0, 1, 2, 3 } }
    for _, places in ipairs(order) do
      local wide, labels, mask = {}, {}, {}
      for i, place in ipairs(places) do
        wide[i] = place < 0 and { 50, -50, 9 } or x:select(2, place + 1):totable()[1]
        labels[i] = place < 0 and 77 or tags:get(1, place + 1)
        mask[i] = place < 0 and 0 or 1
      end
      local other, found = all(marea.tensor{ wide }, ids{ labels }, marea.tensor{ mask })
      near(loss, other, 1e-5)
      for i, place in ipairs(places) do
        assert.are.equal(place < 0 and 0 or best:get(1, place + 1), found:get(1, i))
      end
    end
    near({ 0 }, (all(x, tags, marea.zeros{ 1, 4 })))
  end)

  it("stays right with scores of any size", function()
    local first, last = marea.zeros{ 2 }, marea.zeros{ 2 }
    local between = marea.tensor{ { 0, -1e4 }, { -1e4, 0 } }
    -- Only the two constant paths count; the first has 900 less at one end and 800 more at the other.
    local x = marea.tensor{ { { -900, 0 }, { 0, 0 }, { 800, 0 } } }
    x.requires_grad, between.requires_grad = true, true
    local tape <close> = marea.tape()
    local loss = native.crf_loss(x, ids{ { 0, 0, 0 } }, nil, first, last, between)
    near({ 100 }, loss)
    tape:backward(loss:sum())
    near({ { { -1, 1 }, { -1, 1 }, { -1, 1 } } }, x.grad)
    near({ { -2, 0 }, { 0, 2 } }, between.grad)
    -- The only way is over transitions that underflow beside a strong one.
    local steep = marea.tensor{ { 1e4, -1e4 }, { -1e4, -1e4 } }
    local y = native.crf_loss(marea.tensor{ { { 0, 3e4 }, { 0, 3e4 } } }, ids{ { 1, 1 } }, nil, first,
      last, steep)
    near({ 0 }, y)
  end)

  it("has the same bits for any number of threads", function()
    local x, weights = numbers{ 19, 6, 4 }, select(2, random_case(2, 4, 3))
    local labels = {}
    for i = 1, 19 do labels[i] = { i % 4, 1, 2, i % 3, 0, 3 } end
    local before, results = marea.threads(), {}
    x.requires_grad, weights.between.requires_grad, weights.first.requires_grad = true, true, true
    for _, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      local tape <close> = marea.tape()
      local loss = native.crf_loss(x, ids(labels), nil, weights.first, weights.last, weights.between)
      tape:backward(loss:mean())
      results[#results + 1] = { loss:clone(), x.grad, weights.between.grad, weights.first.grad }
    end
    marea.threads(before)
    for i = 1, 4 do
      assert.is_true(results[1][i]:same(results[2][i]) and results[1][i]:same(results[3][i]))
    end
  end)

  it("refuses operands that do not fit", function()
    local x, w = random_case(3, 2, 1)
    local function loss(emissions, tags, mask, between)
      return native.crf_loss(emissions, tags, mask, w.first, w.last, between or w.between)
    end
    raises(function() loss(x, ids{ { 0, 1, 2 } }) end, "sample 1, step 3 has tag 2, allowed are 0 to 1")
    raises(function() loss(x, ids{ { 0, -1, 1 } }) end, "step 2 has tag -1")
    raises(function() loss(x, ids{ { 0, 1 } }) end, "tags (1, 2)")
    raises(function() loss(x, ids{ { 0, 1, 1 } }, marea.ones{ 1, 2 }) end, "the mask is (1, 2)")
    raises(function() loss(x, ids{ { 0, 1, 1 } }, nil, marea.ones{ 2, 3 }) end,
      "transitions are (2, 3)")
    raises(function() loss(numbers{ 3, 2 }, ids{ { 0, 1, 1 } }) end, "the emissions are (3, 2)")
    raises(function() native.crf_decode(x, nil, w.last, numbers{ 3 }, w.between) end, "end is (3)")
  end)
end)

describe("nn.CRF", function()
  local names = { "O", "B-LOC", "I-LOC", "B-PER", "I-PER" }

  it("never decodes what its constraint forbids", function()
    local crf = nn.CRF{ names, constraint = "iob2" }
    crf:build{ -1, -1, 5 }
    for phase = 1, 20 do
      local before = "O"
      for _, tag in ipairs(crf:decode_names(numbers({ 1, 12, 5 }, phase) * 3)[1]) do
        local kind = tag:match("^I%-(.*)")
        assert.is_true(not kind or before == "B-" .. kind or before == tag, before .. " " .. tag)
        before = tag
      end
    end
    local p = crf:marginals(numbers{ 1, 4, 5 })
    near({ 0, 0 }, { p:get(1, 1, 3), p:get(1, 1, 5) })
  end)

  it("takes pairs of its user's as constraint", function()
    local crf = nn.CRF{ { "a", "b" }, constraint = { { "start", "a" }, { "b", "b" }, { "a", "end" } } }
    crf:build{ -1, -1, 2 }
    local x = marea.tensor{ { { 9, 0 }, { 0, 9 }, { 9, 0 } } }
    assert.are.same({ { "b", "a", "b" } }, crf:decode_names(x))
    assert.are.same({ { 1, 0, 1 } }, crf:decode(x):totable())
    -- Training takes the tags as they come.
    near(3 * math.log(math.exp(9) + 1), crf:compute_loss(ids{ { 1, 0, 1 } }, x, {}), 1e-5)
    raises(function() nn.CRF{ 2, constraint = { { 0, 5 } } } end, "tag number 5")
    raises(function() nn.CRF{ 2, constraint = { { "start", "end" } } } end, "number 1")
    raises(function() nn.CRF{ 2, constraint = { 3 } } end, "number 1 is number 3")
    raises(function() nn.CRF{ 2, constraint = "iob2" } end, "names")
    raises(function() nn.CRF{ 2, constraint = "bioes" } end, "iob2")
    raises(function() nn.CRF{ { "a", "a" } } end, "number 2")
    raises(function() nn.CRF{ {} } end, "empty")
    raises(function() nn.CRF{ 0 } end, "tags")
    raises(function() nn.CRF{ 3 }(numbers{ 1, 2, 2 }) end, "nn.Dense{ 3 }")
    raises(function() nn.CRF{ 3 }:decode(numbers{ 1, 2, 3 }) end, "before it is built")
  end)

  -- The tag at each step says only whether a run goes on, which the word does not show: without its
  -- neighbours the second word of a run cannot be told from the first.
  local function runs()
    local x, y, lengths = {}, {}, {}
    for i = 1, 24 do
      x[i], y[i], lengths[i] = {}, {}, 3 + i % 4
      for t = 1, 6 do
        local inside = t <= lengths[i] and (i * 7 + t * 3) % 5 < 3
        x[i][t] = t > lengths[i] and 0 or inside and 3 or 4
        y[i][t] = not inside and 0 or (t > 1 and y[i][t - 1] > 0) and 2 or 1
      end
    end
    return ids(x), ids(y), lengths
  end

  it("learns what single steps cannot know, with masks", function()
    local x, y, lengths = runs()
    local function train(padded, tags, given)
      marea.manual_seed(2)
      local crf = nn.CRF{ { "O", "B-X", "I-X" }, constraint = "iob2" }
      local model = marea.Sequential{ nn.Embedding{ 6, 4, mask_zero = true }, nn.Dense{ 3 }, crf }
      model:compile{ optimizer = marea.optim.Adam{ .1 }, loss = crf:loss(),
        metrics = { crf:accuracy() } }
      return model, crf, model:fit(padded, tags, { epochs = 60, verbose = 0, shuffle = false,
        lengths = given })
    end
    local model, crf, history = train(x, y)
    assert.is_true(history.crf_accuracy[60] > .99, "accuracy " .. history.crf_accuracy[60])
    local best = crf:decode(model:predict(x), { lengths = lengths })
    assert.are.same(y:totable(), best:totable())
    -- Wider padding on either side trains the same model.
    local function zeros(n) return native.zeros({ 24, n }, { dtype = "int32" }) end
    local _, _, other = train(native.concat({ x, zeros(3) }, 2), native.concat({ y, zeros(3) }, 2))
    local _, _, front = train(native.concat({ zeros(2), x }, 2), native.concat({ zeros(2), y }, 2))
    near(history.loss, other.loss, 1e-3)
    near(history.loss, front.loss, 1e-3)
  end)

  it("is saved with its loss", function()
    local x, y = runs()
    local crf = nn.CRF{ { "O", "B-X", "I-X" }, constraint = "iob2" }
    local model = marea.Sequential{ nn.Embedding{ 6, 4, mask_zero = true }, nn.Dense{ 3 }, crf }
    model:compile{ optimizer = "adam", loss = crf:loss{ reduction = "sum" } }
    model:fit(x, y, { verbose = 0 })
    local path = os.tmpname()
    assert(model:save(path))
    local loaded = assert(marea.load(path))
    near(model:evaluate(x, y).loss, loaded:evaluate(x, y).loss)
    loaded:fit(x, y, { verbose = 0 })
    os.remove(path)
    raises(function() marea.losses.get{ class_name = "crf", config = { layer = "crf" } } end,
      "belongs to a layer")
    raises(function() crf:loss{ reduction = "token" } end, "reduction")
    raises(function() model:compile{ loss = "sparse_categorical_crossentropy" } end,
      'the loss sparse_categorical_crossentropy cannot read what CRF "', "say loss = layer:loss()")
    raises(function() marea.losses.get{ class_name = "hinge", config = -1 } end, "options must be a table")
  end)

  it("leaves no memory behind", function()
    helper.leak_check(function()
      local crf = nn.CRF{ 3 }
      local x = numbers{ 2, 4, 3 }
      local tape <close> = marea.tape()
      tape:backward(crf:compute_loss(ids{ { 0, 1, 2, 0 }, { 1, 1, 1, 1 } }, crf(x), {}))
      crf:decode(x)
      crf:marginals(x)
      pcall(function() crf:compute_loss(ids{ { 0, 1, 2, 9 }, { 1, 1, 1, 1 } }, crf(x), {}) end)
    end)
  end)
end)
