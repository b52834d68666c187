-- Gradients through time, against what can be worked out on paper and against a step of training.
local marea = require "marea"
local nn, diagnostics = marea.nn, marea.diagnostics
require "spec.helper"

local function near(expected, got, tolerance)
  assert.is_true(math.abs(expected - got) <= (tolerance or 1e-4) * math.max(1, math.abs(expected)),
    ("expected %.9g, got %.9g"):format(expected, got))
end

local function compiled(layers, optimizer)
  local model = marea.Sequential(layers)
  model:compile{ optimizer = optimizer or "sgd", loss = "mse" }
  return model
end

describe("diagnostics.gradients", function()
  before_each(function() marea.manual_seed(3) end)

  it("follows the powers of an orthogonal kernel in a linear network", function()
    for _, gain in ipairs{ 0.5, 1, 1.25 } do
      local model = compiled{ nn.SimpleRNN{ 4, activation = "linear", name = "cell",
        recurrent_initializer = nn.initializers.Orthogonal{ gain = gain } }, nn.Dense{ 1 } }
      local report = diagnostics.gradients(model, marea.randn{ 3, 9, 2 }, marea.randn{ 3, 1 })
      local norms = report.steps.cell.before
      assert.equal(9, #norms)
      for t = 1, 8 do near(norms[9] * gain ^ (9 - t), norms[t]) end
    end
  end)

  it("has the loss and the norm of a training step, and trains nothing", function()
    local model = compiled{ nn.Embedding{ 9, 4, mask_zero = true },
      nn.LSTM{ 3, return_sequences = true, name = "low" }, nn.GRU{ 5, name = "high" }, nn.Dense{ 1 } }
    local x = marea.tensor({ { 0, 2, 3, 4 }, { 3, 1, 0, 0 } }, { dtype = "int32" })
    local y = marea.tensor{ { 1 }, { 0 } }
    local report = diagnostics.gradients(model, x, y)
    local again = diagnostics.gradients(model, x, y)
    assert.equal(report.norm, again.norm)
    assert.is_nil(model:parameters()[1].grad)
    local loss, norm = model:train_on_batch(x, y)
    near(loss, report.loss)
    near(norm, report.norm)
    assert.equal(4, #report.steps.low.before)
    assert.equal(4, #report.steps.high.before)
    assert.equal(#model:get_weights(), #report.weights)
    assert.truthy(tostring(report):find("low: |dL/dh| by time step", 1, true))
  end)

  -- Loss and norm of the report are those of a training step of the same model.
  local function as_in_training(model, x, y, given)
    local report = diagnostics.gradients(model, x, y, given)
    local loss, norm = model:train_on_batch(x, y, given)
    near(loss, report.loss)
    near(norm, report.norm)
    return report
  end

  it("follows every cell of the library, Bidirectional too", function()
    for _, layer in ipairs{ nn.SimpleGRU{ 3, name = "cell" }, nn.MinimalGatedUnit{ 3, name = "cell" },
      nn.LSTM{ 3, projection = 2, peephole = "onnx", name = "cell" },
      nn.GRU{ 3, norm = "layer", learn_initial_state = true, name = "cell" },
      nn.SimpleRNN{ 3, activity_regularizer = marea.nn.regularizers.L2{ 0.1 }, name = "cell" },
      nn.Elman{ 3, 2, g2 = "softmax", name = "cell" } } do
      local model = compiled{ layer, nn.Dense{ 1 } }
      local report = as_in_training(model, marea.randn{ 2, 4, 2 }, marea.randn{ 2, 1 })
      assert.is_true(report.steps.cell.before[1] > 0)
      assert.equal(0, #report.skipped)
    end
    for _, mode in ipairs{ "concat", "sum" } do
      for _, sequences in ipairs{ true, false } do
        local model = compiled{ nn.Bidirectional{ nn.LSTM{ 3, return_sequences = sequences, name = "both" },
          merge_mode = mode }, sequences and nn.GlobalMaxPooling1D{} or nn.Flatten{}, nn.Dense{ 1 } }
        local report = as_in_training(model, marea.randn{ 2, 4, 2 }, marea.randn{ 2, 1 })
        assert.same({ "forward_both", "backward_both" }, report.order)
        for _, steps in pairs(report.steps) do assert.is_true(steps.before[1] * steps.before[4] > 0) end
      end
    end
  end)

  it("shows hidden steps as the layers do", function()
    for _, options in ipairs{ {}, { zero_output_for_mask = true }, { learn_initial_state = true },
      { go_backwards = true } } do
      for _, class in ipairs{ "LSTM", "Elman" } do
        local given = { 3, return_sequences = true, name = "cell" }
        for name, value in pairs(options) do given[name] = value end
        local layer = nn[class](given)
        layer:build{ -1, -1, 4 }
        if layer.initial_h then layer.initial_h:fill_(0.5) end
        local model = compiled{ nn.Embedding{ 9, 4, mask_zero = true }, layer,
          nn.Lambda{ function(y) return y:sum(2) end, mask = "consume" }, nn.Dense{ 1 } }
        as_in_training(model, marea.tensor({ { 0, 2, 0, 4 }, { 3, 1, 0, 0 } }, { dtype = "int32" }),
          marea.tensor{ { 1 }, { 0 } })
      end
    end
  end)

  it("names the layers that it does not follow", function()
    local model = compiled{ nn.RNN{ function(x, state) return x, state end, state_size = 2, name = "own" },
      nn.Dense{ 1 } }
    local report = as_in_training(model, marea.randn{ 2, 4, 2 }, marea.randn{ 2, 1 })
    assert.truthy(tostring(report):find("own (RNN): not followed by step: its cell runs by itself inside "
      .. "nn.RNN", 1, true))
  end)

  it("takes what the builders' fit takes", function()
    local words = { vocabulary = 9 }
    local model = marea.builders.encoder_decoder{ source = words, target = words, units = 4,
      bidirectional = true, attention = "general" }
    model:compile{}
    local report = as_in_training(model, { { 1, 2, 3 }, { 4 } }, { { 3, 2, 1 }, { 5, 6 } })
    assert.same({ "forward_encoder_1", "backward_encoder_1", "decoder_1" }, report.order)
    assert.equal(4, #report.steps.decoder_1.before)
    local ok, message = pcall(diagnostics.gradients, model, { { 1, 2, 3 } })
    assert.is_false(ok)
    assert.truthy(message:find("reads sources and targets; give the targets, too", 1, true), message)
    local tagger = marea.builders.many_to_many{ source = words, outputs = { "a", "b" }, units = 4 }
    tagger:compile{}
    assert.equal(3, #diagnostics.gradients(tagger, { { 1, 2, 3 }, { 4 } },
      { { "a", "b", "a" }, { "b" } }).steps.recurrent_1.before)
    local reader = marea.builders.many_to_one{ source = words, outputs = { "a", "b" }, units = 4 }
    reader:compile{}
    assert.equal(2, #diagnostics.gradients(reader, { { 1, 2 }, { 4, 0 } }, { "a", "b" }).steps.recurrent_1
      .before)
  end)

  local function linear(gain, optimizer)
    return compiled({ nn.SimpleRNN{ 16, activation = "linear", name = "rnn",
      recurrent_initializer = nn.initializers.Orthogonal{ gain = gain } }, nn.Dense{ 1 } }, optimizer)
  end

  it("holds norms from the smallest number to the largest", function()
    local report = diagnostics.gradients(linear(0.75, marea.optim.SGD{ clipnorm = 1 }),
      marea.rand{ 8, 200, 2 } * 0.1, marea.rand{ 8, 1 })
    local norms = report.steps.rnn.before
    local expected = norms[200] * 0.75 ^ 199
    assert.is_true(math.abs(norms[1] / expected - 1) < 1e-4)
    assert.is_true(expected > 0 and expected < 1e-24)
    assert.is_string(marea.plot.curves(report.steps.rnn, { log_y = true }))
    -- Ahead of zeros, a gradient that grows meets nothing that could overflow but its own norm.
    report = diagnostics.gradients(linear(1.35), marea.zeros{ 8, 200, 2 }, marea.rand{ 8, 1 })
    norms = report.steps.rnn.before
    assert.is_true(math.abs(norms[1] / norms[200] / 1.35 ^ 199 - 1) < 1e-4)
    assert.is_true(norms[1] > 1e25)
    assert.is_nil(report.problem)
  end)

  it("names what is not finite and where it arose", function()
    local huge = marea.precision == "double" and 7.5 or 1.35 -- its square overflows
    local report = diagnostics.gradients(linear(huge), marea.rand{ 8, 200, 2 } * 0.1, marea.rand{ 8, 1 })
    assert.truthy(report.problem:find("^the loss is inf; it arose first in "), report.problem)
    assert.equal(1, tostring(report):find(report.problem, 1, true))
    assert.is_nil(tostring(report):find("-nan", 1, true))
    report = diagnostics.gradients(linear(marea.precision == "double" and 100 or 2), marea.zeros{ 8, 200, 2 },
      marea.rand{ 8, 1 })
    local step = tonumber(report.problem:match("^the gradient is [%-%a]+ at step (%d+) of rnn; every value"))
    local norms = report.steps.rnn.before
    assert.is_true(norms[step] - norms[step] ~= 0)
    assert.is_true(norms[step + 1] < math.huge)
  end)

  it("reads a backward layer's steps by the time they belong to", function()
    local model = compiled{ nn.SimpleRNN{ 3, activation = "linear", go_backwards = true, name = "cell",
      recurrent_initializer = nn.initializers.Orthogonal{ gain = 2 } }, nn.Dense{ 1 } }
    local norms = diagnostics.gradients(model, marea.randn{ 2, 5, 2 }, marea.randn{ 2, 1 }).steps.cell
      .before
    near(norms[1] * 2 ^ 4, norms[5])
  end)

  it("follows a graph with branches, and leaves the layers as they were", function()
    local function graph(dropout)
      marea.manual_seed(8)
      local x = marea.Input{ { 4, 2 } }
      local seen = nn.LSTM{ 3, return_sequences = true, name = "low" }(x)
      local sum = nn.Add{}{ nn.GRU{ 3, name = "left" }(seen), nn.SimpleRNN{ 3, name = "right" }(seen),
        nn.GlobalMaxPooling1D{}(seen) }
      local model = marea.Model{ inputs = x, outputs = nn.Dense{ 1 }(nn.Dropout{ dropout }(sum)) }
      model:compile{ optimizer = "sgd", loss = "mse" }
      return model
    end
    local x, y = marea.randn{ 3, 4, 2 }, marea.randn{ 3, 1 }
    local model = graph(0)
    local report = diagnostics.gradients(model, x, y)
    for _, name in ipairs{ "low", "left", "right" } do assert.equal(4, #report.steps[name].before) end
    assert.equal(3, #diagnostics.gates(model, x).left.half_lives)
    for _, layer in ipairs(model.layers) do assert.is_nil(rawget(layer, "call")) end
    local loss, norm = model:train_on_batch(x, y)
    near(loss, report.loss)
    near(norm, report.norm)
    local silent = diagnostics.gradients(graph(0.5), x, y)
    near(report.norm, silent.norm)
  end)

  it("leaves the layers as they were after an error", function()
    local model = compiled{ nn.GRU{ 3, name = "cell" }, nn.Dense{ 1 } }
    diagnostics.gradients(model, marea.randn{ 2, 3, 2 }, marea.randn{ 2, 1 })
    assert.is_false((pcall(diagnostics.gradients, model, marea.randn{ 2, 3, 5 }, marea.randn{ 2, 1 })))
    assert.is_nil(rawget(model.layers[1], "call"))
    assert.is_false(model.layers[1].return_state)
  end)

  it("shows what each way of clipping leaves", function()
    local x, y = marea.randn{ 4, 6, 2 }, marea.randn{ 4, 1 }
    local function report(options)
      marea.manual_seed(5)
      local model = compiled({ nn.SimpleRNN{ 3, name = "cell" }, nn.Dense{ 1 } },
        marea.optim.SGD(options))
      return diagnostics.gradients(model, x, y)
    end
    local free = report{}
    assert.equal(free.norm, free.clipped_norm)
    local each = report{ clipnorm = 0.01 }
    near(0.01 * math.sqrt(#each.weights), each.clipped_norm)
    local all = report{ global_clipnorm = 0.01 }
    near(0.01, all.clipped_norm)
    local factor = 0.01 / all.norm
    for t, norm in ipairs(all.steps.cell.before) do near(norm * factor, all.steps.cell.after[t]) end
    local value = report{ clipvalue = 1e-3 }
    for _, weight in ipairs(value.weights) do
      assert.is_true(weight.after <= weight.before and weight.after > 0)
    end
  end)

  it("asks for a compiled model", function()
    local model = marea.Sequential{ nn.Dense{ 1 } }
    assert.has_error(function() diagnostics.gradients(model, marea.zeros{ 1, 2 }, marea.zeros{ 1, 1 }) end,
      "gradients: call model:compile{ optimizer = …, loss = … } first")
  end)
end)
