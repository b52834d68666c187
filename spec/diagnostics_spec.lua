-- Gradients through time and gates, against what can be worked out on paper.
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

  it("traces every cell whose output is its state", function()
    for _, layer in ipairs{ nn.SimpleGRU{ 3, name = "cell" }, nn.MinimalGatedUnit{ 3, name = "cell" },
      nn.LSTM{ 3, projection = 2, peephole = "onnx", name = "cell" },
      nn.GRU{ 3, norm = "layer", name = "cell" } } do
      local model = compiled{ layer, nn.Dense{ 1 } }
      local x, y = marea.randn{ 2, 4, 2 }, marea.randn{ 2, 1 }
      local report = diagnostics.gradients(model, x, y)
      local loss, norm = model:train_on_batch(x, y)
      near(loss, report.loss)
      near(norm, report.norm)
      assert.is_true(report.steps.cell.before[1] > 0)
    end
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

describe("diagnostics.gates", function()
  local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

  local function silent(layer)
    layer:build{ -1, -1, 2 }
    layer.kernel:fill_(0)
    layer.recurrent_kernel:fill_(0)
    return layer
  end

  it("knows an LSTM's gates and half-lives from its biases", function()
    local layer = silent(nn.LSTM{ 2, name = "cell" })
    layer.bias:assign_(marea.tensor{ -3, -3, 2, 4, 0, 0, 3, 3 })
    local found = diagnostics.gates(layer, marea.randn{ 3, 5, 2 }).cell
    near(sigmoid(-3), found.input.mean)
    near(1, found.input.shut)
    near((sigmoid(2) + sigmoid(4)) / 2, found.forget.mean)
    near(0.5, found.forget.open)
    near(1, found.output.open)
    near(math.log(0.5) / math.log(sigmoid(2)), found.half_lives[1], 1e-3)
    near(math.log(0.5) / math.log(sigmoid(4)), found.half_lives[2], 1e-3)
  end)

  it("adds both biases of a GRU", function()
    local layer = silent(nn.GRU{ 1, name = "cell" })
    layer.bias:assign_(marea.tensor{ { 1, -2, 0 }, { 0.5, -1, 0 } })
    local report = diagnostics.gates(layer, marea.randn{ 1, 4, 2 })
    near(sigmoid(1.5), report.cell.update.mean)
    near(sigmoid(-3), report.cell.reset.mean)
    assert.truthy(tostring(report):find("half-life", 1, true))
  end)

  it("leaves hidden steps out, on either side", function()
    local layer = nn.LSTM{ 3, name = "cell" }
    local x = marea.randn{ 2, 3, 2 }
    local whole = diagnostics.gates(layer, x).cell
    for _, side in ipairs{ "before", "after" } do
      local pad = marea.randn{ 2, 2, 2 }
      local longer = marea.concat(side == "before" and { pad, x } or { x, pad }, 2)
      local row = side == "before" and { 0, 0, 1, 1, 1 } or { 1, 1, 1, 0, 0 }
      local masked = diagnostics.gates(layer, longer, { mask = marea.tensor{ row, row } }).cell
      for _, gate in ipairs{ "input", "forget", "output" } do
        near(whole[gate].mean, masked[gate].mean, 1e-5)
      end
    end
  end)

  it("looks into every layer of a model, and says when there is none", function()
    local model = marea.Sequential{ nn.Embedding{ 9, 4, mask_zero = true },
      nn.LSTM{ 3, return_sequences = true, name = "low" }, nn.GRU{ 5, name = "high" }, nn.Dense{ 1 } }
    local x = marea.tensor({ { 0, 2, 3, 4 }, { 3, 1, 0, 0 } }, { dtype = "int32" })
    local report = diagnostics.gates(model, x)
    assert.equal(3, #report.low.half_lives)
    assert.equal(5, #report.high.half_lives)
    assert.has_error(function() diagnostics.gates(nn.Dense{ 1, name = "d" }, marea.zeros{ 1, 2 }) end,
      'gates: there is no LSTM or GRU in its plain form among the layers of Dense "d"')
    assert.has_error(function() diagnostics.gates(nn.LSTM{ 2, coupled = true, name = "l" }, marea.zeros{ 1, 2, 1 }) end,
      'gates: there is no LSTM or GRU in its plain form among the layers of LSTM "l"')
  end)
end)
