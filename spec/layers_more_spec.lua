-- Layers that disturb, move and wrap: what the table of layers_table_spec does not show.
local marea = require "marea"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

describe("noise", function()
  local x = marea.ones{ 100, 100 }

  it("is there in training only, with the deviation that was asked for", function()
    marea.manual_seed(4)
    for layer, stddev in pairs{ [nn.GaussianNoise{ .5 }] = .5, [nn.GaussianDropout{ .2 }] = .5 } do
      layer:build{ -1, 100 }
      assert.is_true(layer(x, { training = false }):same(x))
      local y = layer(x, { training = true })
      near(1, y:mean(), .03)
      near(stddev, (y - 1):square():mean():item() ^ .5, .03)
    end
  end)

  it("of AlphaDropout keeps mean and variance", function()
    marea.manual_seed(5)
    local layer = nn.AlphaDropout{ .3 }
    layer:build{ -1, 100 }
    local z = marea.randn{ 200, 100 }
    local y = layer(z, { training = true })
    near(z:mean(), y:mean(), .04)
    near(1, y:square():mean(), .06)
  end)

  it("refuses what is no rate or deviation", function()
    raises(function() nn.GaussianNoise{ -1 } end, "GaussianNoise", "stddev")
    raises(function() nn.GaussianDropout{ 1 } end, "GaussianDropout", "rate")
  end)
end)

describe("TimeDistributed", function()
  it("takes ids, and a Sequential that makes and uses a mask", function()
    local inner = marea.Sequential{ nn.Embedding{ 5, 3, mask_zero = true }, nn.GRU{ 2 } }
    local x = marea.tensor({ { { 1, 2, 0 }, { 3, 0, 0 } } }, { dtype = "int32" })
    local y = nn.TimeDistributed{ inner }(x)
    near(inner(marea.tensor({ { 3 } }, { dtype = "int32" })), y:select(2, 2))
  end)

  it("does not lose a mask that is made inside", function()
    local x = marea.tensor({ { { 1, 2, 0 } } }, { dtype = "int32" })
    raises(function()
      nn.TimeDistributed{ nn.Embedding{ 5, 3, mask_zero = true }, name = "outer" }(x)
    end, 'TimeDistributed "outer"', "mask", "Sequential")
  end)

  it("keeps all outputs", function()
    local layer = nn.TimeDistributed{ nn.LSTM{ 2, return_state = true } }
    local y, h, c = layer(numbers{ 2, 3, 4, 5 })
    assert.same({ { 2, 3, 2 }, { 2, 3, 2 }, { 2, 3, 2 } }, { y:shape(), h:shape(), c:shape() })
    near(y, h)
  end)
end)

describe("layers that move numbers", function()
  it("say what does not fit", function()
    local x = numbers{ 2, 4, 3 }
    raises(function() nn.Reshape{ { 5, -1 }, name = "r" }(x) end, 'Reshape "r"', "12 numbers", "5, -1")
    raises(function() nn.Reshape{ { -1, -1 } } end, "only one")
    raises(function() nn.Permute{ { 1, 3 } } end, "Permute", "1 to n")
    raises(function() nn.Permute{ { 1 }, name = "p" }(x) end, 'Permute "p"', "(2, 4, 3)")
    raises(function() nn.Cropping1D{ { 2, 2 }, name = "c" }(x) end, 'Cropping1D "c"', "4 of 4")
    raises(function() nn.ZeroPadding1D{ "x" } end, "ZeroPadding1D", "padding")
    raises(function() nn.UpSampling1D{ 0 } end, "UpSampling1D", "size")
    raises(function() nn.RepeatVector{ 2, name = "v" }(x) end, 'RepeatVector "v"', "(2, 4, 3)")
    raises(function() nn.PReLU{ name = "p" }:build{ -1, -1, 3 } end, 'PReLU "p"', "shared_axes")
  end)

  it("move masks along", function()
    local x, mask = numbers{ 1, 3, 2 }, marea.tensor{ { 1, 0, 1 } }
    near({ { 0, 1 } }, nn.Cropping1D{ { 1, 0 } }:compute_mask(x, mask))
    near({ { 0, 1, 0, 1, 0 } }, nn.ZeroPadding1D{}:compute_mask(x, mask))
    near({ { 1, 1, 0, 0, 1, 1 } }, nn.UpSampling1D{}:compute_mask(x, mask))
  end)
end)

describe("layers that merge", function()
  local a, b = numbers{ 2, 3, 4 }, numbers{ 2, 5, 4 }

  it("say what does not fit", function()
    raises(function() nn.Concatenate{ name = "j" }{ a, b } end, 'Concatenate "j"', "(2, 3, 4), (2, 5, 4)")
    raises(function() nn.Concatenate{ axis = 1 } end, "axis", "from 2")
    raises(function() nn.Concatenate{ axis = 4, name = "j" }{ a, a } end, 'Concatenate "j"', "axis 4")
    raises(function() nn.Dot{ 2, name = "s" }{ a, b } end, 'Dot "s"', "axis 2")
    raises(function() nn.Dot{ "x" } end, "axes")
    raises(function() nn.Subtract{}{ a, a, a } end, "2 inputs, got 3")
    raises(function() nn.Add{ name = "sum" }{ a, 3 } end, 'Add "sum"', "item 2")
    raises(function() nn.Add{ name = "sum" }({ a, a }, { lengths = { 1, 2 } }) end, 'Add "sum"',
      "one number for each of 2 samples, got a single one")
    raises(function() nn.Add{ name = "sum" }{ a, numbers{ 3, 3, 4 } } end, 'Add "sum"', "batches")
    raises(function() nn.Add{ name = "sum" }({ a, a }, { mask = marea.ones{ 2, 3 } }) end, 'Add "sum"',
      "mask must be a list")
  end)

  it("give the mask of a product a place, or refuse it", function()
    local mask = marea.tensor{ { 1, 1, 0 }, { 1, 0, 0 } }
    local layer = nn.Dot{ 3 }
    near(mask, layer:compute_mask({ a, b }, { mask }))
    raises(function() layer({ b, a }, { mask = { nil, mask } }) end, "mask of input 2")
    local over_time = nn.Dot{ 2 }({ a, a }, { mask = { mask } })
    local zeroed = a * mask:reshape{ 2, 3, 1 }
    near(nn.Dot{ 2 }{ zeroed, a }, over_time)
  end)
end)
