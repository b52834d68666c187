local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises = marea.nn, support.near, support.raises

-- Rows of ids, padded before; the class says whether ids above 5 are in the majority.
local function corpus(n, width)
  local x, y = {}, {}
  for i = 1, n do
    local row, score = {}, 0
    for t = 1, width do
      local id = t <= i % width and 0 or (i * 7 + t * t * 3) % 9 + 1
      row[t] = id
      if id > 0 then score = score + (id > 5 and 1 or -1) end
    end
    x[i], y[i] = row, score > 0 and 1 or 0
  end
  return marea.tensor(x, { dtype = "int32" }), marea.tensor(y)
end

local function classifier(options)
  options = options or {}
  return marea.Sequential{
    nn.Embedding{ 10, 4, mask_zero = true },
    nn.GRU{ 6, dropout = options.dropout or 0, recurrent_dropout = options.recurrent_dropout or 0 },
    nn.Dense{ 1, activation = "sigmoid" },
  }:compile{ optimizer = options.optimizer or marea.optim.Adam{ learning_rate = .02 },
    loss = options.loss or "binary_crossentropy", metrics = options.metrics or { "accuracy" } }
end

local function line_model(options)
  options = options or {}
  local model = marea.Sequential{ nn.Dense{ 1, use_bias = false, kernel_initializer = "zeros",
    kernel_regularizer = options.regularizer, kernel_constraint = options.constraint } }
  return model:compile{ optimizer = options.optimizer or marea.optim.SGD{ learning_rate = .1 },
    loss = "mse" }
end

local quiet = { verbose = 0 }
local function with(given)
  local result = { verbose = 0 }
  for key, value in pairs(given) do result[key] = value end
  return result
end

describe("fit", function()
  local x, y = corpus(96, 6)

  it("learns, and gives a history", function()
    marea.manual_seed(1)
    local model = classifier{ metrics = { "accuracy", "auc" } }
    local history = model:fit(x, y, with{ epochs = 8, validation_split = .25 })
    assert.equal(8, #history.loss)
    assert.is_true(history.loss[8] < history.loss[1] * .6)
    assert.equal(8, #history.val_accuracy)
    assert.equal(8, #history.val_auc)
    assert.is_true(history.gradient_norm[1] > 0)
    local result = model:evaluate(x, y)
    assert.is_true(result.accuracy > .85)
    assert.equal(result.loss, result[1])
    assert.equal(result.accuracy, result[2])
    assert.equal(8, model.epoch)
  end)

  it("gives the same bits for the same seed, and others for another", function()
    local function train(seed)
      marea.manual_seed(seed)
      local model = classifier{ dropout = .2, recurrent_dropout = .2 }
      local history = model:fit(x, y, with{ epochs = 2 })
      return history.loss[2], model:get_weights()
    end
    local a, weights_a = train(3)
    local b, weights_b = train(3)
    assert.equal(a, b)
    for i, w in ipairs(weights_a) do assert.is_true(w:same(weights_b[i])) end
    assert.not_equal(a, (train(4)))
  end)

  it("gives the same bits for any number of threads", function()
    local before = marea.threads()
    local reference
    for _, threads in ipairs{ 1, 2, 4 } do
      marea.threads(threads)
      marea.manual_seed(3)
      local model = classifier{ dropout = .2 }
      local loss = model:fit(x, y, with{ epochs = 1 }).loss[1]
      reference = reference or loss
      assert.equal(reference, loss)
    end
    marea.threads(before)
  end)

  it("makes the step that the formulas say", function()
    local model = line_model()
    model:fit({ { 1 }, { 2 } }, { 1, 2 }, with{ batch_size = 2 })
    near({ { .1 * (1 * 1 + 2 * 2) } }, model:get_weights()[1]) -- lr · mean(2 (y - 0) x)
    model = line_model()
    model:fit({ { 1 }, { 2 } }, { 1, 2 }, with{ batch_size = 1, shuffle = false })
    near({ { .2 + .1 * 2 * (2 - .4) * 2 } }, model:get_weights()[1])
  end)

  it("weighs samples and classes, a missing class with 1", function()
    local model = line_model()
    model:fit({ { 1 }, { 2 } }, { 1, 2 }, with{ sample_weight = { 1, .5 }, batch_size = 2 })
    near({ { .1 * (1 + .5 * 4) } }, model:get_weights()[1])
    model = line_model()
    model:fit({ { 1 }, { 2 } }, { 1, 2 }, with{ class_weight = { [2] = 3 }, batch_size = 2 })
    near({ { .1 * (1 + 3 * 4) } }, model:get_weights()[1])
    model = line_model()
    model:fit({ { 1 }, { 2 } }, { 1, 2 }, with{ class_weight = { [1] = 2, [2] = 3 }, batch_size = 2,
      sample_weight = { .5, 1 } })
    near({ { .1 * (.5 * 2 + 3 * 4) } }, model:get_weights()[1])
  end)

  it("reports the mean over samples, whatever the batches", function()
    local model = line_model{ optimizer = marea.optim.SGD{ learning_rate = 0 } }
    local history = model:fit({ { 1 }, { 2 }, { 3 } }, { 1, 2, 3 }, with{ batch_size = 2 })
    near(14 / 3, history.loss[1])
    near(14 / 3, model:evaluate({ { 1 }, { 2 }, { 3 } }, { 1, 2, 3 }, { batch_size = 2 }).loss)
  end)

  it("adds regularisation to the reported loss, and applies constraints", function()
    local model = line_model{ regularizer = marea.nn.regularizers.L2{ .5 } }
    model:build{ -1, 1 }
    model:set_weights{ { { 2 } } }
    near(4 + .5 * 4, model:evaluate({ { 1 } }, { 0 }).loss)
    model = line_model{ constraint = marea.nn.constraints.MaxNorm{ .05 } }
    model:fit({ { 1 } }, { 1 }, quiet)
    near(.05, model:get_weights()[1], 1e-5)
  end)

  it("trains only what is not frozen", function()
    local model = classifier()
    model:build{ -1, 6 }
    model.layers[1].trainable = false
    local before = model:get_weights()
    model:fit(x, y, quiet)
    local after = model:get_weights()
    assert.is_true(before[1]:same(after[1]))
    assert.is_false(before[2]:same(after[2]))
  end)

  it("takes its validation from the end, before shuffling", function()
    local seen = marea.Sequential{ nn.Dense{ 1 } }:compile{ loss = "mse", metrics = {
      function(target) return target end } }
    local history = seen:fit({ { 1 }, { 1 }, { 1 }, { 1 } }, { 1, 2, 3, 40 },
      with{ validation_split = .25 })
    near(40, history.val_custom_metric[1])
    near(2, history.custom_metric[1])
    history = seen:fit({ { 1 } }, { 1 }, with{ validation_data = { { { 1 }, { 1 } }, { 5, 6 } } })
    near(5.5, history.val_custom_metric[1])
  end)

  it("warns when the validation part has one class", function()
    local sorted = marea.tensor{ 0, 0, 1, 1 }
    local text = support.stderr_of(function()
      classifier():fit(x:narrow(1, 1, 4), sorted, with{ validation_split = .5 })
    end)
    assert.truthy(text:find("all 2 validation samples are of class 1", 1, true))
    text = support.stderr_of(function()
      classifier():fit(x, y, with{ validation_split = .5 })
    end)
    assert.equal("", text)
  end)

  it("bucketing by length sees every sample once an epoch, in batches of like lengths", function()
    local sums, count = 0, 0
    local model = marea.Sequential{ nn.Embedding{ 10, 2, mask_zero = true },
      nn.GlobalAveragePooling1D{}, nn.Dense{ 1 } }
    model:compile{ loss = "mse", metrics = { function(target)
      sums, count = sums + target:sum():item(), count + target:count()
      return target
    end } }
    local targets = marea.arange(1, 96)
    model:fit(x, targets, with{ bucket_by_length = true, batch_size = 10 })
    assert.equal(96, count)
    assert.equal(96 * 97 / 2, sums)
    raises(function() model:fit({ { 1.5, 2 } }, { 1 }, with{ bucket_by_length = true }) end,
      "bucket_by_length", "ids")
  end)

  it("counts epochs on from initial_epoch", function()
    local model = line_model()
    local history = model:fit({ { 1 } }, { 1 }, with{ epochs = 5, initial_epoch = 3 })
    assert.same({ 4, 5 }, history.epoch)
  end)

  it("learns sequences with masks", function()
    local model = marea.Sequential{ nn.Embedding{ 10, 4, mask_zero = true },
      nn.Bidirectional{ nn.LSTM{ 4, return_sequences = true } },
      nn.TimeDistributed{ nn.Dense{ 10, activation = "softmax" } } }
    model:compile{ optimizer = marea.optim.Adam{ learning_rate = .05 },
      loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
    local history = model:fit(x, x, with{ epochs = 20 })
    assert.is_true(history.accuracy[20] > .9)
    -- What stands at padded steps makes no difference.
    local other = (x:not_equal(marea.zeros({ 1, 1 }, { dtype = "int32" })) - 1):abs()
    local disturbed = (x:cast("real") + other * 3):cast("int32")
    near(model:evaluate(x, x).loss, model:evaluate(x, disturbed).loss)
  end)

  it("prints one plain line an epoch when the output is no terminal", function()
    local progress = require "marea.progress"
    local parts = {}
    local out = { write = function(_, ...) parts[#parts + 1] = table.concat{ ... } end,
      flush = function() end }
    local bar = progress.new(3, 10, 1, out)
    bar:epoch_begin(2)
    bar:batch_end(5, { loss = 1 })
    bar:epoch_end{ val_loss = .5, loss = 1e-5, accuracy = .25 }
    assert.truthy(table.concat(parts):match(
      "^Epoch 2/3 %- %d+%.%ds %- loss 1%.000e%-05 %- accuracy 0%.2500 %- val_loss 0%.5000\n$"))
  end)

  it("leaves no memory behind", function()
    local model = classifier()
    model:fit(x, y, quiet)
    model:predict(x)
    helper.leak_check(function()
      model:fit(x, y, with{ validation_split = .25 })
      model:evaluate(x, y)
      model:predict(x)
      pcall(model.predict, model, marea.tensor({ { 99 } }, { dtype = "int32" }))
    end)
  end)
end)

describe("memory that runs out", function()
  it("is an error at every place, and leaves nothing behind", function()
    local x, y = corpus(8, 4)
    local model = classifier{ dropout = .1 }
    model:fit(x, y, with{ batch_size = 4 })
    collectgarbage()
    local failures, before = 0, helper.bytes()
    for n = 1, 400 do
      native.fail_at(n)
      local ok, message = pcall(function()
        model:fit(x, y, with{ batch_size = 4, validation_split = .5 })
        model:predict(x)
      end)
      native.fail_at(0)
      if ok then break end
      failures = failures + 1
      assert.truthy(tostring(message):find("memory", 1, true), tostring(message))
    end
    assert.is_true(failures > 5 and failures < 400, tostring(failures))
    assert.equal(before, helper.bytes())
    model:fit(x, y, quiet)
  end)
end)

describe("fit stops", function()
  local x, y = corpus(64, 6)

  it("at NaN, saying which layer, step and batch first had it", function()
    local model = marea.Sequential{ nn.LSTM{ 2, activation = "exponential", name = "wild",
      return_sequences = true }, nn.GlobalAveragePooling1D{}, nn.Dense{ 1 } }
    model:compile{ loss = "mse" }
    local rows = marea.ones{ 6, 3, 1 }
    rows:set(4, 2, 1, 1e30)
    model:build{ -1, 3, 1 }
    support.scatter(model)
    local before = model:get_weights()
    raises(function()
      model:fit(rows, marea.zeros{ 6 }, with{ batch_size = 2, shuffle = false, epochs = 3 })
    end, "epoch 1, batch 2 of 3", 'layer "wild"', "sample 2", "step 2", "learning_rate")
    assert.is_true(#before > 0)
  end)

  it("quietly with TerminateOnNaN", function()
    local model = line_model{ optimizer = marea.optim.SGD{ learning_rate = 1e30 } }
    local history = model:fit({ { 1e10 }, { 1e10 } }, { 1, 1 }, with{ epochs = 50, batch_size = 1,
      callbacks = { marea.callbacks.TerminateOnNaN{} } })
    assert.is_true(#history.epoch < 50)
    assert.truthy(history.problem)
  end)

  it("at Ctrl-C, after the batch, with a usable model", function()
    if not package.preload["marea.line"] then
      pending("Lua's own interpreter answers Ctrl-C itself, with an error")
      return
    end
    local model = classifier()
    local history = model:fit(x, y, with{ epochs = 5, batch_size = 8, callbacks = {
      marea.callbacks.LambdaCallback{ on_batch_end = function(batch)
        if batch == 2 then io.popen("kill -INT $PPID"):close() end
      end } } })
    assert.is_true(history.interrupted)
    assert.equal(0, #history.epoch)
    assert.equal(64, model:predict(x):size(1))
    assert.equal(1, #model:fit(x, y, quiet).loss)
  end)

  it("when a callback says so", function()
    local model = line_model()
    local history = model:fit({ { 1 } }, { 1 }, with{ epochs = 9, callbacks = {
      { on_epoch_end = function(self, epoch) self.model.stop_training = epoch == 2 end } } })
    assert.equal(2, #history.loss)
  end)
end)

describe("fit refuses", function()
  local x, y = corpus(8, 6)

  it("a model that was not compiled, and unknown options", function()
    raises(function() marea.Sequential{ nn.Dense{ 1 } }:fit(x, y) end, "fit: call model:compile")
    raises(function() classifier():fit(x, y, { epoch = 3 }) end, "fit", '"epoch"', "epochs")
    raises(function() classifier():fit(x, y, with{ epochs = 0 }) end, "epochs")
    raises(function() classifier():fit(x, y, with{ validation_split = 1 }) end, "validation_split")
    raises(function() classifier():fit(x, y, with{ validation_split = .99 }) end, "8 samples")
  end)

  it("counts that differ, and empty data", function()
    raises(function() classifier():fit(x, y:narrow(1, 1, 5), quiet) end, "8 samples", "5")
    raises(function() classifier():fit(x, nil, quiet) end, "y is missing")
    raises(function() classifier():fit(x, y, with{ sample_weight = { 1, 2 } }) end, "sample_weight",
      "8 samples")
    raises(function() classifier():fit(x, y, with{ validation_data = { x } }) end, "validation_data")
    raises(function() classifier():fit(marea.zeros({ 0, 6 }, { dtype = "int32" }), marea.zeros{ 0 },
      quiet) end, "no samples")
    raises(function() classifier():fit(3, y, quiet) end, "x must be a tensor or a table")
  end)

  it("NaN in data, naming the place", function()
    local bad = marea.ones{ 3, 2, 2 }
    bad:set(2, 1, 2, 0 / 0)
    local model = marea.Sequential{ nn.GRU{ 2 }, nn.Dense{ 1 } }:compile{ loss = "mse" }
    raises(function() model:fit(bad, { 1, 2, 3 }, quiet) end, "x holds", "sample 2", "step 1",
      "feature 2")
    raises(function() model:fit(marea.ones{ 2, 1, 2 }, { 1, 1 / 0 }, quiet) end, "y holds", "sample 2")
  end)

  it("targets of another shape, and ids out of range", function()
    raises(function() classifier():fit(x, marea.zeros{ 8, 3 }, quiet) end, "targets are (8, 3)",
      "(8, 1)")
    local wrong = x:clone()
    wrong:set(3, 6, 10)
    local model = classifier()
    model.layers[1].name = "words"
    raises(function() model:fit(wrong, y, quiet) end, 'Embedding "words": fit: sample 3, step 6 has '
      .. "id 10, allowed are 0 to 9")
    wrong:set(2, 1, -4)
    raises(function() model:evaluate(wrong, y) end, "sample 2, step 1 has id -4")
    raises(function() model:predict(wrong) end, "words", "sample 2", "-4")
  end)

  it("class weights that are no weights", function()
    raises(function() classifier():fit(x, y, with{ class_weight = { a = 1 } }) end, "class_weight")
  end)

  it("losses, metrics and optimizers that do not exist, at compile", function()
    local model = marea.Sequential{ nn.Dense{ 1 } }
    raises(function() model:compile{ loss = "msee" } end, "msee", "mean_squared_error")
    raises(function() model:compile{ loss = "mse", metrics = { "acuracy" } } end, "acuracy")
    raises(function() model:compile{ loss = "mse", optimizer = "adan" } end, "adan", "Adam")
    raises(function() model:compile{} end, "loss is missing")
  end)
end)

describe("predict", function()
  local x = corpus(20, 6)

  it("does not depend on the batch size, and keeps memory flat", function()
    local model = classifier()
    local reference = model:predict(x)
    assert.same({ 20, 1 }, reference:shape())
    for _, size in ipairs{ 1, 3, 20, 100 } do near(reference, model:predict(x, { batch_size = size })) end
    assert.is_true(reference:same(model:predict(x)))
    assert.is_false(reference.requires_grad)
  end)

  it("takes tables, and gives classes", function()
    local model = classifier()
    assert.equal(2, #model:predict_classes{ { 1, 2, 3 }, { 4, 5, 6 } })
    local many = marea.Sequential{ nn.Dense{ 3, weights = nil, kernel_initializer = "identity" } }
    assert.same({ 2, 0 }, many:predict_classes{ { 0, 1, 3 }, { 5, 1, 2 } })
  end)

  it("refuses what is no data", function()
    raises(function() classifier():predict("a text") end, "bare string")
    raises(function() classifier():predict{ "a text" } end, "no tokenizer")
    raises(function() classifier():predict(x, { batch = 3 }) end, '"batch"', "batch_size")
    raises(function() classifier():predict_text{} end, "list of texts")
  end)
end)

describe("the open loop", function()
  it("is what fit does", function()
    local rows, targets = marea.tensor{ { 1 }, { 2 } }, marea.tensor{ 1, 2 }
    local model = line_model()
    model:build{ -1, 1 }
    local optimizer = marea.optim.SGD{ learning_rate = .1 }:build(model)
    for _ = 1, 3 do
      local tape <close> = marea.tape()
      local loss = marea.losses.mse(targets, model(rows))
      tape:backward(loss)
      optimizer:step()
    end
    local fitted = line_model()
    fitted:fit(rows, targets, with{ epochs = 3, batch_size = 2 })
    assert.is_true(model:get_weights()[1]:same(fitted:get_weights()[1]))
  end)

  it("trains one batch at a time", function()
    local model = line_model()
    local loss, norm = model:train_on_batch({ { 1 }, { 2 } }, { 1, 2 })
    near(2.5, loss)
    near(5, norm)
  end)
end)

describe("Sequential", function()
  it("builds with a declared input, and checks it", function()
    local model = marea.Sequential{ marea.Input{ { 4, 3 } }, nn.GRU{ 2 }, nn.Dense{ 1 } }
    assert.equal(3 * (2 * 5 + 4) + 3, (model:count_params()))
    raises(function() model(marea.ones{ 2, 5, 3 }) end, "input is (2, 5, 3)", "(batch, 4, 3)")
    model = marea.Sequential{ nn.Embedding{ 5, 2, input_length = 3 }, nn.Flatten{}, nn.Dense{ 1 } }
    assert.equal(10 + 6 + 1, (model:count_params()))
  end)

  it("finds layers, adds layers, and refuses what is none", function()
    local model = marea.Sequential{ nn.Dense{ 2, name = "a" } }
    assert.equal(model, model:add(nn.Dense{ 1, name = "b" }))
    assert.equal("b", model:get_layer("b").name)
    assert.equal("a", model:get_layer(1).name)
    raises(function() model:get_layer("c") end, '"c"', "a, b")
    raises(function() model:add(nn.Dense{ 1, name = "a" }) end, 'two layers named "a"')
    raises(function() marea.Sequential{ nn.Dense } end, "item 1", "nn.Dense{")
    raises(function() marea.Sequential{ nn.Dense{ 1 }, 3 } end, "item 2", "number 3")
    raises(function() marea.Sequential{}:build{ -1, 2 } end, "has no layer")
    model:build{ -1, 2 }
    raises(function() model:add(nn.Dense{ 1 }) end, "is built")
  end)

  it("may stand in another model", function()
    local inner = marea.Sequential{ nn.Embedding{ 9, 2, mask_zero = true }, nn.Dense{ 2 } }
    local model = marea.Sequential{ inner, nn.LSTM{ 2 } }
    local ids = { dtype = "int32" }
    near(model(marea.tensor({ { 1, 2 } }, ids)), model(marea.tensor({ { 0, 1, 2, 0 } }, ids)))
    assert.equal(6, #model:get_weights())
  end)

  it("prints a summary", function()
    local model = marea.Sequential{ nn.Embedding{ 1000, 8, name = "words", trainable = false },
      nn.LSTM{ 4, name = "lstm" }, name = "reader" }
    model:build{ -1, 7 }
    local lines = {}
    model:summary(function(line) lines[#lines + 1] = line end)
    local text = table.concat(lines, "\n")
    for _, part in ipairs{ 'Model "reader"', "words (Embedding)", "(batch, 7, 8)", "8,000 (0 trained)",
      "(batch, 4)", "208", "Parameters: 8,208, trained: 208, frozen: 8,000" } do
      assert.truthy(text:find(part, 1, true), part)
    end
  end)
end)
