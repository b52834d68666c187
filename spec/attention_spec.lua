-- Attention: masks, causality, scores, bad input. Golden numbers are in layers_golden_spec.lua,
-- gradients in ops_spec.lua and layers_table_spec.lua.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local classes = {
  function() return nn.Attention{} end,
  function() return nn.Attention{ use_scale = true, score_mode = "concat" } end,
  function() return nn.AdditiveAttention{} end,
  function() return nn.MultiHeadAttention{ 2, 3 } end,
}

describe("attention", function()
  it("does not see hidden values, wherever they stand", function()
    local query, value = numbers{ 2, 3, 4 }, numbers{ 2, 5, 4 }
    for _, make in ipairs(classes) do
      local layer = make()
      local expected = layer{ query, value }
      local noise = numbers({ 2, 2, 4 }, 9)
      local ones, zeros = marea.ones{ 2, 5 }, marea.zeros{ 2, 2 }
      for _, order in ipairs{ { value, noise }, { noise, value } } do
        local front = order[1] == noise
        local y, weights = layer({ query, native.concat(order, 2) }, { return_attention_scores = true,
          mask = { nil, native.concat(front and { zeros, ones } or { ones, zeros }, 2) } })
        near(expected, y, 1e-5)
        local shape = weights:shape()
        local hidden = weights:narrow(#shape, front and 1 or 6, 2)
        assert.are.equal(0, hidden:abs():max():item())
        near(marea.ones(weights:sum(#shape):shape()), weights:sum(#shape), 1e-5)
      end
    end
  end)

  it("does not look ahead with use_causal_mask", function()
    local x = numbers{ 1, 5, 4 }
    for _, make in ipairs(classes) do
      local layer = make()
      local whole = layer({ x, x }, { use_causal_mask = true })
      local changed = native.concat({ x:narrow(2, 1, 3), numbers({ 1, 2, 4 }, 3) }, 2)
      local other = layer({ changed, changed }, { use_causal_mask = true })
      near(whole:narrow(2, 1, 3), other:narrow(2, 1, 3), 1e-5)
    end
  end)

  it("gives zeros for hidden queries and for queries that see nothing", function()
    local query, value = numbers{ 2, 3, 4 }, numbers{ 2, 5, 4 }
    local query_mask = marea.tensor{ { 1, 1, 0 }, { 1, 1, 1 } }
    local value_mask = marea.tensor{ { 1, 1, 1, 1, 1 }, { 0, 0, 0, 0, 0 } }
    for _, make in ipairs(classes) do
      local layer = make()
      local y = layer({ query, value }, { mask = { query_mask, value_mask } })
      assert.are.equal(0, y:select(1, 1):select(1, 3):abs():max():item())
      assert.are.equal(0, y:select(1, 2):abs():max():item())
      assert.is_true(layer:compute_mask({ query, value }, { query_mask }):same(query_mask))
    end
  end)

  it("of one tensor on itself passes its mask on", function()
    local x, mask = numbers{ 2, 3, 4 }, marea.tensor{ { 1, 1, 0 }, { 1, 1, 1 } }
    local layer = nn.MultiHeadAttention{ 2, 3 }
    near(layer({ x, x }, { mask = { mask, mask } }), layer(x, { mask = mask }), 1e-6)
    local model = marea.Sequential{ nn.Embedding{ 9, 4, mask_zero = true }, layer,
      nn.GlobalAveragePooling1D{} }
    local function ids(t) return marea.tensor(t, { dtype = "int32" }) end
    near(model:predict(ids{ { 3, 4, 5 } }), model:predict(ids{ { 3, 4, 5, 0, 0 } }), 1e-5)
  end)

  it("drops weights in training only", function()
    local x = numbers{ 1, 4, 3 }
    for _, layer in ipairs{ nn.Attention{ dropout = .5 }, nn.MultiHeadAttention{ 1, 2, dropout = .5 } } do
      near(layer({ x, x }, { training = false }), layer({ x, x }, { training = false }))
      assert.is_false(layer({ x, x }, { training = true }):same(layer({ x, x }, { training = false })))
    end
  end)

  it("hides single pairs", function()
    local x = numbers{ 1, 3, 4 }
    local layer = nn.MultiHeadAttention{ 2, 3 }
    local pairs_mask = { { { 1, 0, 0 }, { 1, 1, 0 }, { 1, 1, 1 } } }
    near(layer(x, { use_causal_mask = true }), layer(x, { attention_mask = pairs_mask }), 1e-6)
    raises(function() layer(x, { attention_mask = { { { 1 } } } }) end, "attention_mask is (1, 1, 1)",
      "queries 3")
  end)

  it("refuses what does not fit", function()
    local query, value = numbers{ 2, 3, 4 }, numbers{ 2, 5, 4 }
    local layer = nn.Attention{}
    raises(function() layer(query) end, "Attention", "got one tensor")
    raises(function() layer{ query } end, "got 1")
    raises(function() layer{} end, "empty")
    raises(function() layer{ query, 3 } end, "item 2", "number 3")
    raises(function() layer{ query, numbers{ 3, 5, 4 } } end, "share the batch")
    raises(function() layer{ query, numbers{ 2, 5, 3 } } end, "4 features, keys 3")
    raises(function() layer{ query, value, numbers{ 2, 6, 4 } } end, "share the batch")
    raises(function() layer({ query, value }, { mask = marea.ones{ 2, 3 } }) end, "must be a list")
    raises(function() layer({ query, value }, { mask = { marea.ones{ 2, 5 } } }) end,
      "the mask is (2, 5)", "time 3")
    raises(function() layer({ query, value }, { causal = true }) end, '"causal"', "use_causal_mask")
    raises(function() nn.Attention{ score_mode = "cosine" } end, "score_mode")
    raises(function() nn.MultiHeadAttention{ 2 } end, "key_dim is missing")
    raises(function() nn.MultiHeadAttention{ 0, 2 } end, "num_heads")
    raises(function() nn.Dense{ 2 }({ query, value }) end, "expects a tensor")
    raises(function() native.masked_softmax(query, marea.ones{ 2, 3 }) end, "the mask is (2, 3)")
    raises(function() native.masked_softmax(numbers{ 2, 3 }) end, "the scores are (2, 3)")
    raises(function() native.additive_scores(query, numbers{ 2, 5, 3 }) end, "(2, 5, 3)", "absent")
  end)

  it("has the same bits for any number of threads", function()
    local query, key, scale = numbers{ 9, 6, 5 }, numbers{ 9, 7, 5 }, numbers{ 5 }
    local before, results = marea.threads(), {}
    scale.requires_grad, query.requires_grad = true, true
    for _, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      local tape <close> = marea.tape()
      local y = native.additive_scores(query, key, scale)
      tape:backward(y:square():sum())
      results[#results + 1] = { y:clone(), query.grad, scale.grad }
    end
    marea.threads(before)
    for i = 1, 3 do
      assert.is_true(results[1][i]:same(results[2][i]) and results[1][i]:same(results[3][i]))
    end
  end)

  it("is saved and loaded, in Keras's order of weights", function()
    local model = marea.Sequential{ nn.Embedding{ 9, 4 }, nn.MultiHeadAttention{ 2, 3, value_dim = 5 },
      nn.AttentionPooling1D{ 6 }, nn.Dense{ 1 } }
    model:compile{ loss = "mse" }
    local x = marea.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }, { dtype = "int32" })
    model:fit(x, marea.tensor{ 0, 1 }, { verbose = 0 })
    local path = os.tmpname()
    assert(model:save(path))
    local loaded = assert(marea.load(path))
    os.remove(path)
    assert.is_true(model:predict(x):same(loaded:predict(x)))
    local names = {}
    for name, tensor in pairs(model.layers[2]:parameters()) do
      names[#names + 1] = name .. " " .. table.concat(tensor:shape(), ",")
    end
    assert.are.same({ "query/kernel 4,2,3", "query/bias 2,3", "key/kernel 4,2,3", "key/bias 2,3",
      "value/kernel 4,2,5", "value/bias 2,5", "attention_output/kernel 2,5,4",
      "attention_output/bias 4" }, names)
  end)
end)

describe("AttentionPooling1D", function()
  it("is a weighted mean of the visible steps", function()
    local x = numbers{ 2, 5, 3 }
    local layer = nn.AttentionPooling1D{ 4 }
    local y, weights = layer(x, { return_attention_scores = true })
    near(native.sum(x * weights:reshape{ 2, 5, 1 }, 2), y, 1e-5)
    near({ 1, 1 }, weights:sum(2), 1e-5)
    local wide = native.concat({ numbers({ 2, 3, 3 }, 8), x }, 2)
    local mask = native.concat({ marea.zeros{ 2, 3 }, marea.ones{ 2, 5 } }, 2)
    near(y, layer(wide, { mask = mask }), 1e-5)
    near(marea.zeros{ 2, 3 }, layer(x, { mask = marea.zeros{ 2, 5 } }))
    assert.is_nil(layer:compute_mask(x, mask))
    raises(function() layer(numbers{ 2, 5, 4 }) end, "3 features")
    raises(function() nn.AttentionPooling1D{}(numbers{ 2, 5 }) end, "(batch, time, features)")
  end)

  it("leaves no memory behind", function()
    helper.leak_check(function()
      local x = numbers{ 2, 3, 4 }
      x.requires_grad = true
      for _, make in ipairs(classes) do
        local tape <close> = marea.tape()
        local layer = make()
        tape:backward(layer({ x, x }, { use_causal_mask = true }):sum())
      end
    end)
  end)
end)
