-- Keras's numbers for layers that merge and move, and for a model with two inputs and two outputs
-- (scripts/fixtures/functional.py).
local json = require "marea.json"
local marea = require "marea"
local support = require "spec.support"
local nn, near, numbers = marea.nn, support.near, support.numbers

local file = assert(io.open("spec/golden/functional.json"))
local golden = assert(json.decode(file:read("a")))
file:close()

local A, B, C = numbers{ 2, 4, 3 }, numbers({ 2, 4, 3 }, 1), numbers({ 2, 3 }, 2)

-- Axes of tensors count the batch as 1 here, as 0 in Keras.
local cases = {
  ["Add"] = { nn.Add{}, { A, B } },
  ["Add of fewer axes"] = { nn.Add{}, { A, C } },
  ["Subtract"] = { nn.Subtract{}, { A, B } },
  ["Multiply"] = { nn.Multiply{}, { A, B } },
  ["Average"] = { nn.Average{}, { A, B } },
  ["Maximum"] = { nn.Maximum{}, { A, B } },
  ["Minimum"] = { nn.Minimum{}, { A, B } },
  ["Concatenate"] = { nn.Concatenate{}, { A, B } },
  ["Concatenate time"] = { nn.Concatenate{ axis = 2 }, { A, B } },
  ["Dot features"] = { nn.Dot{ 3 }, { A, B } },
  ["Dot time"] = { nn.Dot{ 2 }, { A, B } },
  ["Dot cosine"] = { nn.Dot{ -1, normalize = true }, { A, B } },
  ["Dot query"] = { nn.Dot{ { 2, 3 } }, { C, B } },
  ["Dot vectors"] = { nn.Dot{ 2 }, { C, C } },
  ["Permute"] = { nn.Permute{ { 2, 1 } }, A },
  ["Reshape"] = { nn.Reshape{ { -1, 2 } }, A },
  ["RepeatVector"] = { nn.RepeatVector{ 3 }, C },
  ["Cropping1D"] = { nn.Cropping1D{ { 1, 2 } }, A },
  ["ZeroPadding1D"] = { nn.ZeroPadding1D{ { 2, 1 } }, A },
  ["UpSampling1D"] = { nn.UpSampling1D{ 3 }, A },
  ["ReLU"] = { nn.ReLU{ max_value = .8, negative_slope = .1, threshold = .2 }, A },
  ["LeakyReLU"] = { nn.LeakyReLU{}, A },
  ["ELU"] = { nn.ELU{ .7 }, A },
  ["PReLU"] = { nn.PReLU{ alpha_initializer = nn.initializers.Constant{ .25 } }, A },
  ["Softmax"] = { nn.Softmax{}, A },
}

describe("Keras's numbers", function()
  for name, case in pairs(cases) do
    it("come from " .. name, function()
      local y = case[1](case[2])
      near(golden.layers[name], y, 1e-6)
      if type(case[2]) ~= "table" then
        local shape = y:shape()
        shape[1] = -1
        local given = case[2]:shape()
        given[1] = -1
        assert.same(shape, case[1]:output_shape(given))
      end
    end)
  end

  it("come from masks of merged inputs", function()
    local masks = { marea.tensor{ { 1, 1, 0, 0 }, { 0, 1, 0, 1 } },
      marea.tensor{ { 1, 0, 1, 0 }, { 0, 0, 0, 1 } } }
    near(golden.layers["mask of Add"], nn.Add{}:compute_mask({ A, B }, masks))
    near(golden.layers["mask of Concatenate"], nn.Concatenate{}:compute_mask({ A, B }, masks))
    near(golden.layers["mask of Concatenate time"],
      nn.Concatenate{ axis = 2 }:compute_mask({ A, B }, { masks[1] }))
    assert.is_nil(nn.Add{}:compute_mask({ A, B }, { masks[1] }))
    near(masks[1], nn.Add{}:compute_mask({ A, C }, { masks[1] })) -- C has no time axis
  end)

  it("come from a model with two inputs, a shared layer and a mask", function()
    local ids, series = marea.Input{ { 4 }, dtype = "int32" }, marea.Input{ { 4, 3 } }
    local words = nn.Embedding{ 6, 3, mask_zero = true }
    local shared = nn.Dense{ 3, activation = "tanh" }
    local lstm, gru = nn.LSTM{ 2 }, nn.GRU{ 2 }
    local both = nn.Concatenate{}{ lstm(shared(words(ids))), gru(shared(series)) }
    local classes, value = nn.Dense{ 2, activation = "softmax" }, nn.Dense{ 1 }
    local model = marea.Model{ inputs = { ids, series }, outputs = { classes(both), value(both) } }
    local place = 0
    for _, layer in ipairs{ words, shared, lstm, gru, classes, value } do
      local count = #layer:parameters()
      layer:set_weights(table.move(golden.model.weights, place + 1, place + count, 1, {}))
      place = place + count
    end
    assert.equal(#golden.model.weights, place)
    local p = model:predict{ golden.model.ids, A }
    near(golden.model.outputs[1], p[1], 1e-6)
    near(golden.model.outputs[2], p[2], 1e-6)
  end)
end)
