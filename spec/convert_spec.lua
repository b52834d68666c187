-- Weights of recurrent layers in other programs' layouts. What PyTorch and onnxruntime make of them
-- is in the specs of interop; here: the slides' layout by its formulas, round trips, refusals.
local marea = require "marea"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers
local convert = nn.convert

local x = numbers{ 2, 5, 4 }

local function made(class, options)
  local given = { 3, return_sequences = true }
  for key, value in pairs(options or {}) do given[key] = value end
  local layer = nn[class](given)
  layer:build{ -1, 5, 4 }
  support.scatter(layer)
  return layer
end

local cases = {
  { "SimpleRNN", {}, "pytorch", "onnx", "slides" },
  { "GRU", {}, "pytorch", "onnx" },
  { "GRU", { update = "write" }, "keras", "pytorch", "onnx" },
  { "GRU", { reset_after = false }, "keras", "onnx", "slides" },
  { "GRU", { compat = "slides" }, "keras", "onnx", "slides" },
  { "LSTM", {}, "keras", "pytorch", "onnx", "slides" },
  { "LSTM", { use_bias = false }, "pytorch", "onnx", "slides" },
  { "LSTM", { projection = 2 }, "pytorch" },
  { "LSTM", { peephole = "onnx" }, "onnx" },
  { "LSTM", { coupled = true, peephole = "gers2000" }, "onnx" },
  { "LSTM", { peephole = "slides" }, "slides" },
  { "LSTM", { learn_initial_state = true }, "onnx" },
  { "SimpleGRU", { candidate = "x", update = "keep" }, "onnx", "slides" },
  { "SimpleGRU", { candidate = "xh" }, "keras", "slides" },
  { "MinimalGatedUnit", {}, "slides" },
  { "MinimalGatedUnit", { update = "keep" }, "keras" },
  { "LSTM", { activation = "relu", recurrent_activation = "hard_sigmoid" }, "keras", "onnx" },
  { "SimpleRNN", { activation = "relu" }, "pytorch" },
  { "LSTM", { norm = "layer", cell_clip = 2 }, "keras" },
}

describe("weights go to another layout and back", function()
  for _, case in ipairs(cases) do
    for i = 3, #case do
      it(("%s in that of %s, case %d"):format(case[1], case[i], i), function()
        local layer = made(case[1], case[2])
        local again = nn[case[1]](layer:get_config())
        again:build{ -1, 5, 4 }
        convert.import(again, convert.export(layer, case[i]), case[i])
        near(layer(x), again(x), 1e-6)
      end)
    end
  end

  it("by the layer's compat unless another is named", function()
    local gru = made("GRU", { compat = "slides" })
    assert.is_truthy(convert.export(gru).W_z)
    assert.is_truthy(convert.export(gru, "onnx").R)
  end)

  it("to ONNX with the activations that are not the usual ones", function()
    local function attributes(...) return select(2, convert.export(made(...), "onnx")) end
    assert.same({ "Sigmoid", "Relu", "Relu" }, attributes("LSTM", { activation = "relu" }).activations)
    local hard = attributes("GRU", { recurrent_activation = "hard_sigmoid_tf" })
    assert.same({ { "HardSigmoid", "Tanh" }, { 0.2 }, { 0.5 } },
      { hard.activations, hard.activation_alpha, hard.activation_beta })
    assert.same({ "Softsign" }, attributes("SimpleRNN", { activation = "softsign" }).activations)
    assert.is_nil(attributes("LSTM").activations)
  end)

  it("between a z that keeps and one that writes", function()
    local write = made("GRU", { reset_after = false, update = "write" })
    local keep = made("GRU", { reset_after = false })
    convert.import(keep, convert.export(write, "onnx"), "onnx")
    near(write(x), keep(x), 1e-6)
    keep:set_weights(write:get_weights())
    assert.is_false(pcall(near, write(x), keep(x), 1e-3))
  end)
end)

describe("the slides' layout", function()
  -- One step on [h, x] and [h, c] as the slides write it, with column vectors.
  local function affine(theirs, gate, a, b)
    local v = marea.concat({ a, b }, 2)
    return v:matmul(theirs["W_" .. gate]:transpose()) + theirs["b_" .. gate]
  end

  it("is the slides' GRU", function()
    local layer = made("GRU", { compat = "slides" })
    local w, h = convert.export(layer), numbers({ 2, 3 }, 4)
    local step = x:select(2, 1)
    local z, r = affine(w, "z", h, step):sigmoid(), affine(w, "r", h, step):sigmoid()
    local g = affine(w, "h", r * h, step):tanh()
    near((1 - z) * h + z * g, layer(x:narrow(2, 1, 1), { initial_state = h }):select(2, 1), 1e-6)
  end)

  it("is the slides' LSTM with peepholes in the place of x", function()
    local layer = made("LSTM", { compat = "slides", peephole = true })
    local w, h, c = convert.export(layer), numbers({ 2, 3 }, 4), numbers({ 2, 3 }, 5)
    assert.same({ 3, 6 }, w.W_i:shape())
    assert.same({ 3, 7 }, w.W_c:shape())
    local function gate(name) return affine(w, name, h, c):sigmoid() end
    local new = gate("f") * c + gate("i") * affine(w, "c", h, x:select(2, 1)):tanh()
    near(gate("o") * new:tanh(),
      layer(x:narrow(2, 1, 1), { initial_state = { h, c } }):select(2, 1), 1e-6)
  end)
end)

describe("convert refuses", function()
  local function refuse(part, class, options, layout)
    raises(function() convert.export(made(class, options), layout) end, class, part)
  end

  it("cells and forms that the other has not", function()
    refuse("resets after the product", "GRU", { reset_after = false }, "pytorch")
    refuse("PyTorch has no such cell", "SimpleGRU", {}, "pytorch")
    refuse("PyTorch has no peephole", "LSTM", { peephole = "onnx" }, "pytorch")
    refuse("PyTorch has no learned initial state", "LSTM", { learn_initial_state = true }, "pytorch")
    refuse("ONNX has no projection", "LSTM", { projection = 2 }, "onnx")
    refuse("ONNX has no norm", "SimpleRNN", { norm = "layer" }, "onnx")
    refuse("ONNX has no such cell", "MinimalGatedUnit", {}, "onnx")
    refuse("peepholes are diagonal", "LSTM", { peephole = "slides" }, "onnx")
    refuse("reset_after = false", "GRU", {}, "slides")
    refuse("peepholes are full", "LSTM", { peephole = "onnx" }, "slides")
    refuse('gate = "h" lacks weights that slides', "MinimalGatedUnit", { gate = "h" }, "slides")
    refuse("a SimpleRNN and a Dense", "Elman", {}, "pytorch")
    refuse('its activation is "relu", PyTorch\'s is tanh', "LSTM", { activation = "relu" }, "pytorch")
    refuse('"sigmoid", PyTorch\'s is tanh or relu', "SimpleRNN", { activation = "sigmoid" }, "pytorch")
    refuse("PyTorch's is sigmoid", "GRU", { recurrent_activation = "hard_sigmoid" }, "pytorch")
    refuse('activation "selu" does not exist in ONNX\'s GRU', "GRU", { activation = "selu" }, "onnx")
    refuse('make it with update = "keep"', "MinimalGatedUnit", {}, "keras")
    refuse('make it with update = "write"', "MinimalGatedUnit", { update = "keep" }, "slides")
    refuse("needs a sigmoid", "GRU", { update = "write", recurrent_activation = "tanh" }, "keras")
  end)

  it("numbers that the cell has no place for", function()
    local function lost(from, to, layout, ...)
      local theirs, names = convert.export(from, layout), { ... }
      local before = to:get_weights()
      raises(function() convert.import(to, theirs, layout) end, to.class_name, "holds numbers for gate",
        table.unpack(names))
      for i, weight in ipairs(to:get_weights()) do near(before[i], weight, 0) end
    end
    local gru = made("GRU", { reset_after = false })
    lost(gru, made("SimpleGRU", { candidate = "x" }), "onnx", "W", "gate r")
    local theirs = convert.export(gru, "onnx")
    for _, name in ipairs{ "W", "R" } do theirs[name]:narrow(1, 4, 3):fill_(0) end
    theirs.B:narrow(1, 4, 3):fill_(0)
    theirs.B:narrow(1, 13, 3):fill_(0)
    raises(function() convert.import(made("SimpleGRU", { candidate = "x" }), theirs, "onnx") end, "R", "gate h")
    lost(made("LSTM"), made("LSTM", { coupled = true }), "onnx", "gate f")
  end)

  it("what does not fit, and changes nothing then", function()
    local layer = made("LSTM")
    local before, theirs = layer:get_weights(), convert.export(layer, "pytorch")
    theirs.weight_hh = marea.zeros{ 12, 2 }
    raises(function() convert.import(layer, theirs, "pytorch") end, "LSTM", "weight_hh is (12, 2)",
      "(12, 3)")
    theirs.weight_hh = nil
    raises(function() convert.import(layer, theirs, "pytorch") end, "weight_hh is missing")
    theirs.weight_hh, theirs.more = marea.zeros{ 12, 3 }, marea.zeros{ 1 }
    raises(function() convert.import(layer, theirs, "pytorch") end, '"more"')
    for i, weight in ipairs(layer:get_weights()) do near(before[i], weight, 0) end
  end)

  it("what is no recurrent layer, is not built, or no layout", function()
    raises(function() convert.export(nn.Dense{ 2 }) end, "convert", "recurrent layer")
    raises(function() convert.export(nn.LSTM{ 2 }) end, "LSTM", "build(shape)")
    raises(function() convert.export(made("LSTM"), "theano") end, "layout", "pytorch")
  end)
end)
