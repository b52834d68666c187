-- Masks outside of models: how they travel from layer to layer, and what they may hold.
local marea = require "marea"
require "spec.helper" -- its assertions
local support = require "spec.support"
local nn = marea.nn
local near = support.near

local function ids(rows)
  return marea.tensor(rows, { dtype = "int32" })
end

local padded, plain = ids{ { 3, 1, 2, 0, 0 }, { 2, 4, 0, 0, 0 } }, ids{ { 3, 1, 2, 0 }, { 2, 4, 0, 0 } }

local function words()
  return nn.Embedding{ 6, 3, mask_zero = true }
end

describe("a mask travels with what a layer gives", function()
  local embedding, gru = words(), nn.GRU{ 2, return_sequences = true }
  local last = nn.LSTM{ 2 }

  it("through layers that are called one by one", function()
    local row = marea.Sequential{ embedding, nn.Dropout{ 0.5 }, gru, last }
    local y = last(gru(nn.Dropout{ 0.5 }(embedding(padded))))
    near(row(padded), y, 0)
    near(last(gru(embedding(plain))), y, 1e-6)
    local tape <close> = marea.tape()
    near(y, last(gru(embedding(padded))), 0)
    tape:backward(last(gru(embedding(padded))):sum())
  end)

  it("through layers made of layers", function()
    local Reader = nn.Layer:extend("SpecReader", { masking = "consume",
      init = function(self) self.children = { embedding, gru, last } end,
      call = function(_, x) return last(gru(embedding(x))) end })
    local reader = Reader{}
    near(reader(plain), reader(padded), 1e-6)
  end)

  it("until a layer uses it, an operation makes a new tensor, or it is told not to", function()
    local h = gru(embedding(padded))
    local pool = nn.GlobalAveragePooling1D{}
    local hidden, all = pool(h), pool(h, { mask = false })
    near(h:mean(2), all, 1e-6)
    assert.is_true((hidden - all):abs():max():item() > 1e-3)
    near(all, pool(h * 1), 1e-6)
    local both = nn.Bidirectional{ nn.GRU{ 2 } }
    near(both(h * 1), both(h, { mask = false }), 0)
    -- What reads no steps any more has no mask to refuse.
    assert.has_no.errors(function() nn.Dense{ 1 }(last(h)) end)
  end)

  it("and is refused where it would be lost", function()
    assert.fails("cannot respect the mask of its input", nn.Flatten{}, embedding(padded))
  end)

  it("to each of several inputs", function()
    local a, b = embedding(padded), embedding(padded):clone()
    near(nn.Add{}({ a, a }, { mask = false }), nn.Add{}{ a, a }, 0)
    local pool = nn.GlobalAveragePooling1D{}
    -- A step is visible where it is in any of the inputs; one without a mask shows all.
    near(pool(a * 2), pool(nn.Add{}{ a, b }), 1e-6)
    near(2 * pool(a), pool(nn.Add{}{ a, a }), 1e-6)
  end)
end)

describe("a layer that goes backwards", function()
  local function check(make)
    local embedding, layer = words(), make()
    local pool, after = nn.GlobalAveragePooling1D{}, nn.GRU{ 2 }
    for _, rest in ipairs{ pool, after } do
      local row = marea.Sequential{ embedding, layer, rest }
      near(row(ids{ { 1, 2 } }), row(ids{ { 1, 2, 0, 0 } }), 1e-6)
      near(row(ids{ { 1, 2 } }), row(ids{ { 0, 1, 2, 0 } }), 1e-6)
    end
  end

  it("turns the mask round with its outputs", function()
    check(function() return nn.GRU{ 3, go_backwards = true, return_sequences = true } end)
    check(function() return nn.RNN{ nn.GRU{ 3 }, go_backwards = true, return_sequences = true } end)
    check(function() return nn.Bidirectional{ nn.GRU{ 3, go_backwards = true, return_sequences = true } } end)
    check(function() return nn.Bidirectional{ nn.LSTM{ 3, return_sequences = true } } end)
  end)
end)

describe("the values of a mask", function()
  local x = support.numbers({ 2, 4, 3 }, 1)

  it("are 0 and 1", function()
    for _, layer in ipairs{ nn.GRU{ 2 }, nn.GlobalAveragePooling1D{}, nn.Attention{} } do
      local input = layer.class_name == "Attention" and { x, x } or x
      for _, value in ipairs{ 0.5, -1, 0 / 0 } do
        local mask = marea.ones{ 2, 4 }
        mask:set(2, 3, value)
        local given = { mask = input == x and mask or { mask, mask } }
        assert.fails("sample 2, step 3; expected 0 (hidden) or 1 (visible)", layer, input, given)
      end
    end
    assert.has_no.errors(function()
      nn.GRU{ 2 }(x, { mask = marea.ones({ 2, 4 }, { dtype = "int32" }) })
      nn.GRU{ 2 }(x, { mask = { { 1, 1, 0, 0 }, { 0, 0, 1, 1 } } })
    end)
  end)
end)

describe("a row of layers", function()
  it("refuses a layer with several outputs", function()
    for _, layer in ipairs{ nn.Bidirectional{ nn.GRU{ 2 }, merge_mode = "none" },
      nn.LSTM{ 2, return_state = true } } do
      local row = marea.Sequential{ layer, nn.Dense{ 1 } }
      assert.fails("gives several outputs, and one can go on in a row; marea.Model takes several", row.build,
        row, { -1, 4, 3 })
    end
    local Two = nn.Layer:extend("SpecTwo", { masking = "pass", call = function(_, x) return x, x end })
    assert.fails('SpecTwo "', marea.Sequential{ Two{}, nn.Dense{ 1 } }, support.numbers({ 2, 3 }, 1))
  end)
end)
