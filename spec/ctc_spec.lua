-- CTC against the enumeration of all paths and against PyTorch (spec/golden/ctc.json, made by
-- scripts/fixtures/ctc.py); decoding; bad input. Gradients are in ops_spec.lua too.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local losses, near, raises, numbers = marea.losses, support.near, support.raises, support.numbers

local golden = (function()
  local file = assert(io.open("spec/golden/ctc.json"))
  local result = assert(marea.json.decode(file:read("a")))
  file:close()
  return result
end)()

local function ids(t)
  return marea.tensor(t, { dtype = "int32" })
end

-- Probability of every labelling, by its ids joined with commas, from rows of probabilities.
local function enumerate(rows, blank)
  local result = {}
  local function go(t, labels, before, p)
    if t > #rows then
      local key = table.concat(labels, ",")
      result[key] = (result[key] or 0) + p
      return
    end
    for c = 0, #rows[1] - 1 do
      local longer = labels
      if c ~= blank and c ~= before then
        longer = table.move(labels, 1, #labels, 1, {})
        longer[#longer + 1] = c
      end
      go(t + 1, longer, c, p * rows[t][c + 1])
    end
  end
  go(1, {}, blank, 1)
  return result
end

describe("the CTC loss", function()
  it("agrees with the enumeration of all paths", function()
    for blank = 0, 2, 2 do
      local x = numbers({ 1, 5, 3 }, blank) * 2
      for key, p in pairs(enumerate(x:softmax():totable()[1], blank)) do
        local labels = {}
        for id in key:gmatch("%d+") do labels[#labels + 1] = math.tointeger(tonumber(id)) end
        local padded = #labels > 0 and labels or { blank }
        near(-math.log(p), losses.ctc(ids{ padded }, x, { blank = blank,
          label_lengths = { #labels } }), 1e-4)
      end
    end
  end)

  it("agrees with PyTorch, gradient included", function()
    for _, case in ipairs(golden) do
      local x = marea.tensor(case.logits)
      x.requires_grad = true
      local tape <close> = marea.tape()
      local values = losses.ctc(ids(case.labels), x, { blank = case.blank, reduction = "none",
        label_lengths = case.lengths, input_lengths = case.inputs })
      near(case.losses, values, helper.double and 1e-8 or 1e-5)
      tape:backward((values * marea.arange(1, #case.lengths)):sum())
      near(case.gradient, x.grad, helper.double and 1e-8 or 1e-5)
    end
  end)

  it("takes labels that the blank or negative ids pad, and masks on either side", function()
    local x = numbers{ 2, 6, 4 }
    local wanted = losses.ctc(ids{ { 1, 2 }, { 3, 3 } }, x, { reduction = "none" })
    near(wanted, losses.ctc(ids{ { 1, 2, 0, 0 }, { 3, 3, -1, -1 } }, x, { reduction = "none" }))
    local wide = native.concat({ numbers({ 2, 2, 4 }, 9), x, numbers({ 2, 1, 4 }, 4) }, 2)
    local mask = native.concat({ marea.zeros{ 2, 2 }, marea.ones{ 2, 6 }, marea.zeros{ 2, 1 } }, 2)
    near(wanted, losses.ctc(ids{ { 1, 2 }, { 3, 3 } }, wide, { mask = mask, reduction = "none" }), 1e-5)
    near(wanted:mean(), losses.CTC{}(ids{ { 1, 2 }, { 3, 3 } }, x), 1e-5)
  end)

  it("counts impossible samples as nothing when asked", function()
    local x = numbers{ 2, 3, 3 }
    x.requires_grad = true
    local tape <close> = marea.tape()
    local values = losses.ctc(ids{ { 1, 1, 2 }, { 1, 2, 0 } }, x,
      { zero_infinity = true, reduction = "none" })
    assert.are.equal(0, values:get(1))
    assert.is_true(values:get(2) > 0)
    local never = marea.tensor{ { { 0, -math.huge }, { 0, -math.huge } } } -- no path has the label
    assert.are.equal(math.huge, losses.ctc(ids{ { 1 } }, never):item())
    assert.are.equal(0, losses.ctc(ids{ { 1 } }, never, { zero_infinity = true }):item())
    tape:backward(values:sum())
    assert.are.equal(0, x.grad:select(1, 1):abs():max():item())
    assert.is_true(x.grad:select(1, 2):abs():max():item() > 0)
  end)

  it("refuses what does not fit", function()
    local x = numbers{ 2, 4, 3 }
    raises(function() losses.ctc(ids{ { 1, 2 }, { 1, 3 } }, x) end, "sample 2, label 2 is 3")
    raises(function() losses.ctc(ids{ { 1, 0 }, { 1, 2 } }, x, { label_lengths = { 2, 2 } }) end,
      "label 2 is 0", "without the blank 0")
    raises(function() losses.ctc(ids{ { 1, 1, 1 }, { 1, 2, 1 } }, x) end,
      "sample 1 has 3 labels, which need 5 steps, and 4 steps", "zero_infinity")
    raises(function() losses.ctc(ids{ { 1 }, { 2 } }, x, { input_lengths = { 4, 5 } }) end,
      "sample 2 has input length 5, allowed are 0 to 4")
    raises(function() losses.ctc(ids{ { 1 }, { 2 } }, x, { input_lengths = { 4 } }) end,
      "one number for each of 2 samples")
    raises(function() losses.ctc(ids{ { 1 }, { 2 } }, x, { label_lengths = { 1, 2 } }) end,
      "sample 2 has label length 2, allowed are 0 to 1")
    raises(function() losses.ctc(ids{ { 1 }, { 2 } }, x, { blank = 3 }) end, "the blank is 3")
    raises(function() losses.ctc(ids{ { 1 } }, x) end, "labels (1, 1)")
    raises(function() losses.ctc(ids{ 1, 2 }, x) end, "labels are (2)")
    raises(function() losses.ctc(ids{ { 1 }, { 2 } }, x, { blanc = 0 }) end, '"blanc"')
  end)

  it("has the same bits for any number of threads, and leaves no memory behind", function()
    helper.leak_check(function()
      local x, before, results = numbers{ 11, 7, 4 }, marea.threads(), {}
      local labels = {}
      for i = 1, 11 do labels[i] = { i % 3 + 1, 1, 2 } end
      x.requires_grad = true
      for _, n in ipairs{ 1, 2, 8 } do
        marea.threads(n)
        local tape <close> = marea.tape()
        tape:backward(losses.ctc(ids(labels), x))
        results[#results + 1] = x.grad
      end
      marea.threads(before)
      assert.is_true(results[1]:same(results[2]) and results[1]:same(results[3]))
      pcall(losses.ctc, ids(labels), x, { blank = 2 })
    end)
  end)

  it("trains a model to read labels without an alignment", function()
    marea.manual_seed(3)
    local x, y = {}, {}
    for i = 1, 12 do
      local a, b = i % 3 + 1, (i + i // 3) % 3 + 1
      x[i] = { a, a, 4, b, b, b }
      y[i] = { a, b }
    end
    local model = marea.Sequential{ marea.nn.Embedding{ 5, 6 }, marea.nn.Dense{ 4 } }
    model:compile{ optimizer = marea.optim.Adam{ .05 }, loss = "ctc" }
    local history = model:fit(ids(x), ids(y), { epochs = 80, verbose = 0 })
    assert.is_true(history.loss[80] < .2, "loss " .. history.loss[80])
    for i, list in ipairs(losses.ctc_decode(model:predict(ids(x)), { beam_width = 5 })) do
      assert.are.equal(table.concat(y[i], ","), table.concat(list, ","))
    end
  end)
end)

describe("ctc_decode", function()
  it("reads the best path, greedily", function()
    local function row(c)
      local scores = { 0, 0, 0 }
      scores[c + 1] = 5
      return scores
    end
    local x = marea.tensor{ { row(1), row(1), row(0), row(1), row(2), row(0) } }
    local result = losses.ctc_decode(x)
    assert.are.equal("1,1,2", table.concat(result[1], ","))
    near(6 * math.log(math.exp(5) / (math.exp(5) + 2)), result[1].log_p, 1e-5)
    assert.are.equal("1,1", table.concat(losses.ctc_decode(x, { input_lengths = { 4 } })[1], ","))
    assert.are.equal("0,1,0", table.concat(losses.ctc_decode(x, { blank = 2,
      mask = { { 0, 0, 1, 1, 0, 1 } } })[1], ","))
    assert.are.same({}, losses.ctc_decode(marea.zeros{ 0, 4, 3 }))
  end)

  it("finds the most probable labels with a beam that holds all prefixes", function()
    for phase = 1, 4 do
      local x = numbers({ 1, 5, 3 }, phase) * 2
      local exact = {}
      for key, p in pairs(enumerate(x:softmax():totable()[1], 0)) do
        exact[#exact + 1] = { key = key, p = p }
      end
      table.sort(exact, function(a, b) return a.p > b.p end)
      local found = losses.ctc_decode(x, { beam_width = 500, paths = 8 })[1]
      assert.are.equal(8, #found)
      for i = 1, 8 do
        assert.are.equal(exact[i].key, table.concat(found[i], ","))
        near(math.log(exact[i].p), found[i].log_p, 1e-4)
      end
      local narrow = losses.ctc_decode(x, { beam_width = 2 })[1]
      assert.is_true(narrow.log_p <= found[1].log_p + 1e-5)
    end
  end)

  it("refuses what does not fit", function()
    local x = numbers{ 1, 4, 3 }
    raises(function() losses.ctc_decode(x, { beam_width = 0 }) end, "beam_width")
    raises(function() losses.ctc_decode(x, { paths = 2 }) end, "2 paths from a beam of 1")
    raises(function() losses.ctc_decode(x, { blank = 3 }) end, "the blank is 3, allowed are 0 to 2")
    raises(function() losses.ctc_decode(numbers{ 4, 3 }) end, "logits are (4, 3)")
    raises(function() losses.ctc_decode(x, { mask = marea.ones{ 1, 3 } }) end, "the mask is (1, 3)")
    raises(function() losses.ctc_decode(x, { width = 3 }) end, '"width"')
  end)
end)
