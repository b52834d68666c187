-- Gates: against biases that say them, against the cells' formulas step by step, and what looking must
-- not change.
local marea = require "marea"
local formulas = require "spec.support_cells"
local support = require "spec.support"
local nn, gates = marea.nn, marea.diagnostics.gates
local near, raises, numbers = support.near, support.raises, support.numbers
require "spec.helper"

local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

local function silent(layer)
  layer:build{ -1, -1, 2 }
  layer.kernel:fill_(0)
  layer.recurrent_kernel:fill_(0)
  return layer
end

describe("diagnostics.gates", function()
  before_each(function() marea.manual_seed(3) end)

  it("knows an LSTM's gates and half-lives from its biases", function()
    local layer = silent(nn.LSTM{ 2, name = "cell" })
    layer.bias:assign_(marea.tensor{ -3, -3, 2, 4, 0, 0, 3, 3 })
    local found = gates(layer, marea.randn{ 3, 5, 2 }).cell
    near({ sigmoid(-3), 1 }, { found.input.mean, found.input.shut })
    near({ (sigmoid(2) + sigmoid(4)) / 2, 0.5 }, { found.forget.mean, found.forget.open })
    near(1, found.output.open)
    near({ math.log(0.5) / math.log(sigmoid(2)), math.log(0.5) / math.log(sigmoid(4)) },
      found.half_lives, 1e-5)
  end)

  it("adds both biases of a GRU", function()
    local layer = silent(nn.GRU{ 1, name = "cell" })
    layer.bias:assign_(marea.tensor{ { 1, -2, 0 }, { 0.5, -1, 0 } })
    local report = gates(layer, marea.randn{ 1, 4, 2 })
    near({ sigmoid(1.5), sigmoid(-3) }, { report.cell.update.mean, report.cell.reset.mean })
    assert.truthy(tostring(report):find("half-life", 1, true))
  end)

  it("knows what an update gate keeps", function()
    for update, keeps in pairs{ keep = "update", write = "1 - update" } do
      local layer = silent(nn.GRU{ 1, update = update, reset_after = false, name = "cell" })
      layer.bias:assign_(marea.tensor{ 1, 0, 0 })
      local report = gates(layer, marea.randn{ 1, 4, 2 })
      local share = update == "keep" and sigmoid(1) or 1 - sigmoid(1)
      assert.equal(keeps, report.cell.keeps)
      near(sigmoid(1), report.cell.update.mean)
      near({ math.log(0.5) / math.log(share) }, report.cell.half_lives, 1e-5)
      assert.truthy(tostring(report):find("(a step keeps " .. keeps .. ")", 1, true))
    end
  end)
end)

-- Forms of each cell, one after another and together.
local forms = {
  LSTM = { {}, { coupled = true }, { peephole = "gers2000" }, { peephole = "slides" },
    { norm = "layer", zoneout = 0.2, zoneout_cell = 0.3 }, { projection = 2, cell_clip = 0.2 },
    { coupled = true, peephole = "onnx", norm = "layer", cell_clip = 0.1, use_bias = false },
    { peephole = { output = "old", inputs = "hc" }, learn_initial_state = true } },
  GRU = { {}, { compat = "slides" }, { norm = "layer", learn_initial_state = true },
    { reset_after = false, norm = "layer", zoneout = 0.3 } },
  SimpleGRU = { {}, { candidate = "x", update = "keep", norm = "layer" } },
  MinimalGatedUnit = { {}, { gate = "hb" }, { gate = "h", update = "keep" }, { gate = "b", norm = "layer" } },
}

local x = numbers{ 2, 5, 4 }
local mask = marea.tensor{ { 1, 1, 0, 1, 1 }, { 0, 1, 1, 0, 0 } }

-- Mean of each gate over the visible steps, by the formulas; in the order of time or backwards.
local function by_formulas(layer)
  local old, sums, count = {}, {}, mask:sum():item() * layer.units
  for i, width in ipairs(layer.state_size) do
    old[i] = marea.zeros{ 2, width } + (layer.learn_initial_state and layer[i == 1 and "initial_h"
      or "initial_c"] or 0)
  end
  for p = 1, 5 do
    local t = layer.go_backwards and 6 - p or p
    local visible = mask:narrow(2, t, 1)
    local new, values = formulas.step(layer, x:select(2, t), old)
    for name, value in pairs(values) do
      sums[name] = (sums[name] or 0) + (value * visible):sum():item() / count
    end
    for i, state in ipairs(new) do old[i] = state * visible + old[i] * (1 - visible) end
  end
  return sums
end

describe("diagnostics.gates", function()
  for class, list in pairs(forms) do
    it("finds the gates of the formulas in every form: " .. class, function()
      for i, options in ipairs(list) do
        local given = { 3, name = "cell", go_backwards = i % 2 == 0, zero_output_for_mask = i % 3 == 0 }
        for option, value in pairs(options) do given[option] = value end
        local layer = nn[class](given)
        layer:build{ -1, -1, 4 }
        support.scatter(layer, 1)
        local found = gates(layer, x, { mask = mask }).cell
        for name, value in pairs(by_formulas(layer)) do near(value, found[name].mean, 1e-5) end
      end
    end)
  end

  it("does not see how hidden steps are shown, or where they stand", function()
    local function look(options)
      marea.manual_seed(5)
      local layer = nn.LSTM{ 4, name = "cell", return_sequences = true,
        zero_output_for_mask = options.zero_output_for_mask }
      local found = gates(layer, options.x, { mask = options.mask }).cell
      return { found.input.mean, found.forget.mean, found.output.mean, found.half_lives }
    end
    local plain = look{ x = x, mask = mask }
    near(plain, look{ x = x, mask = mask, zero_output_for_mask = true }, 0)
    for _, side in ipairs{ "before", "after" } do
      local pad, hidden = numbers({ 2, 2, 4 }, 4), marea.zeros{ 2, 2 }
      local both = side == "before" and { { pad, x }, { hidden, mask } } or { { x, pad }, { mask, hidden } }
      near(plain, look{ x = marea.concat(both[1], 2), mask = marea.concat(both[2], 2) }, 1e-6)
    end
  end)

  it("does not move the states of stateful layers, and begins with them", function()
    local layers = { nn.LSTM{ 3, stateful = true, return_sequences = true, name = "low" },
      nn.Bidirectional{ nn.GRU{ 3, stateful = true, return_sequences = true } },
      nn.Elman{ 3, 2, stateful = true } }
    local model = marea.Sequential(layers)
    model:compile{ optimizer = "sgd", loss = "mse" }
    local first = model:predict(x)
    model:reset_states()
    local fresh = gates(model, x).low.forget.mean
    near(first, model:predict(x), 0)
    local second = model:predict(x)
    model:reset_states()
    model:predict(x)
    assert.not_equal(fresh, gates(model, x).low.forget.mean)
    marea.diagnostics.gradients(model, x, marea.zeros{ 2, 2 })
    near(second, model:predict(x), 0)
  end)

  it("looks into every layer of a model, both directions, and names those it leaves out", function()
    local model = marea.Sequential{ nn.Embedding{ 9, 4, mask_zero = true },
      nn.Bidirectional{ nn.LSTM{ 3, return_sequences = true, name = "low" } },
      nn.SimpleRNN{ 3, return_sequences = true, name = "plain" },
      nn.RNN{ function(input, state) return input, state end, state_size = 3, return_sequences = true,
        name = "own" }, nn.GRU{ 5, name = "high" }, nn.Dense{ 1 } }
    local report = gates(model, { { 0, 2, 3, 4 }, { 3, 1, 0, 0 } })
    assert.equal(3, #report.forward_low.half_lives)
    assert.equal(3, #report.backward_low.half_lives)
    assert.equal(5, #report.high.half_lives)
    local text = tostring(report)
    assert.truthy(text:find("left out: plain (SimpleRNN): it has no gates", 1, true), text)
    assert.truthy(text:find("left out: own (RNN): its cell runs by itself inside nn.RNN", 1, true), text)
  end)

  it("tells layers of one name apart by their paths", function()
    local input = marea.Input{ { 5, 4 } }
    local inner = marea.Sequential{ nn.LSTM{ 2, name = "cell" }, name = "inner" }
    local model = marea.Model{ inputs = input,
      outputs = nn.Concatenate{}{ inner(input), nn.GRU{ 3, name = "cell" }(input),
        nn.Flatten{}(nn.TimeDistributed{ nn.Dense{ 1 }, name = "each" }(input)) } }
    local report = gates(model, x)
    assert.equal(2, #report["inner/cell"].half_lives)
    assert.equal(3, #report.cell.half_lives)
  end)

  it("names the layers and the reason when no gates are there", function()
    raises(function() gates(nn.Dense{ 1, name = "d" }, marea.zeros{ 1, 2 }) end,
      'gates: there is no recurrent layer in Dense "d"')
    raises(function() gates(nn.Elman{ 2, name = "e" }, marea.zeros{ 1, 2, 1 }) end,
      'gates: no layer of Elman "e" shows gates; e (Elman): it has no gates')
    raises(function() gates(nn.LSTM{ 2, name = "l" }, marea.zeros{ 1, 2, 1 }, { lengths = { 0 } }) end,
      "l (LSTM): no step of this batch is visible")
    raises(function() gates() end, "gates: expected a model or a layer, got nil")
    raises(function() gates(marea.Sequential{ nn.LSTM{ 2 } }) end, "gates: x must be a tensor or a table")
    raises(function() gates(nn.LSTM{ 2 }, x, { limit = 0.7 }) end, "gates: limit")
  end)

  it("takes what the builders' fit takes", function()
    local words = { vocabulary = 9 }
    local model = marea.builders.encoder_decoder{ source = words, target = words, units = 4,
      bidirectional = true }
    local report = gates(model, { { 1, 2, 3 }, { 4 } }, { target = { { 3, 2, 1 }, { 5, 6 } } })
    for _, name in ipairs{ "forward_encoder_1", "backward_encoder_1", "decoder_1" } do
      assert.equal(4, #report[name].half_lives)
    end
    raises(function() gates(model, { { 1, 2, 3 } }) end, "reads sources and targets; give the targets, too: "
      .. "gates(model, sources, { target = targets })")
    local tagger = marea.builders.many_to_many{ source = words, outputs = 3, units = 4 }
    local padded = gates(tagger, { { 1, 2, 3 }, { 4 } })
    assert.equal(padded.recurrent_1.forget.mean, gates(tagger, { { 1, 2, 3, 0 }, { 4, 0, 0, 0 } },
      { lengths = { 3, 1 } }).recurrent_1.forget.mean)
    local tokenizer = marea.text.Tokenizer{}
    tokenizer:fit_on_texts{ "a b c" }
    local reader = marea.builders.many_to_one{ source = { tokenizer = tokenizer }, units = 4,
      cell = "MGU" }
    assert.equal(4, #gates(reader, { "a b", "c" }).recurrent_1.half_lives)
  end)
end)
