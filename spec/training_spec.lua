-- What fit does around its steps: buckets and lengths, splits, targets.
local marea = require "marea"
local native = require "marea.native"
require "spec.helper"
local support = require "spec.support"
local training = require "spec.support_training"
local batches = require "marea.model.batches"
local nn, raises, near = marea.nn, support.raises, support.near
local corpus, classifier, with = training.corpus, training.classifier, training.with
local same_weights = training.same_weights

local function ids(t) return native.tensor(t, { dtype = "int32" }) end

describe("EarlyStopping with restore_best_weights", function()
  it("says which weights the model has, at both endings", function()
    local lines, before = {}, print
    _G.print = function(text) lines[#lines + 1] = text end
    local x, y = corpus(16, 4)
    for _, patience in ipairs{ 0, 99 } do
      classifier():fit(x, y, with{ epochs = 3, callbacks = { marea.callbacks.EarlyStopping{
        monitor = "accuracy", min_delta = 2, patience = patience, restore_best_weights = true,
        verbose = 1 } } })
    end
    _G.print = before
    assert.are.equal(3, #lines)
    assert.truthy(lines[1]:find("Epoch 2: early stopping", 1, true))
    assert.truthy(lines[2]:find("those of the best epoch, 1", 1, true))
    assert.truthy(lines[3]:find("those of the best epoch, 1", 1, true))
  end)
end)

describe("bucket_by_length", function()
  local function gradients(model, batch)
    local tape <close> = marea.tape()
    local p, mask = model:forward(batch.x, { training = true, lengths = batch.lengths })
    tape:backward(require("marea.model.heads").total_loss(model, batch, p, mask))
    return model:get_gradients()
  end

  for _, padding in ipairs{ "pre", "post" } do
    it("gives the gradients of the untrimmed rows: padding " .. padding, function()
      local x, y = corpus(24, 9, padding)
      local model = classifier(2)
      model:build{ -1, 9 }
      local lengths, seen = batches.lengths(x), 0
      local order = batches.order(24, { bucket_lengths = lengths, batch_size = 4 }, nil)
      for first = 1, 24, 4 do
        local rows = order:narrow(1, first, 4)
        local whole = { x = native.take(x, rows), y = native.take(y, rows) }
        local trimmed = { x = whole.x, y = whole.y }
        batches.trim(trimmed)
        seen = seen + trimmed.x:size(2)
        local a, b = gradients(model, whole), gradients(model, trimmed)
        for i = 1, #a do near(a[i], b[i], 1e-6) end
      end
      assert.is_true(seen < 6 * 9)
    end)
  end

  it("trains as the same batches would without it", function()
    local x, y = corpus(24, 9, "post")
    local bucketed = classifier(4)
    bucketed:fit(x, y, with{ bucket_by_length = true, shuffle = false, batch_size = 4 })
    local order = batches.order(24, { bucket_lengths = batches.lengths(x), batch_size = 4 }, nil)
    local plain = classifier(4)
    plain:fit(native.take(x, order), native.take(y, order), with{ shuffle = false, batch_size = 4 })
    local a, b = bucketed:get_weights(), plain:get_weights()
    for i = 1, #a do near(a[i], b[i], 1e-4) end
  end)

  it("cuts targets that have the same steps", function()
    local x = corpus(24, 9, "pre")
    local function tagger()
      marea.manual_seed(3)
      return marea.Sequential{ nn.Embedding{ 10, 4, mask_zero = true },
        nn.GRU{ 4, return_sequences = true }, nn.Dense{ 10, activation = "softmax" } }
        :compile{ loss = "sparse_categorical_crossentropy", optimizer = "sgd" }
    end
    local a = tagger():fit(x, x, with{ bucket_by_length = true, batch_size = 24 })
    local b = tagger():fit(x, x, with{ batch_size = 24 })
    near(a.loss, b.loss, 1e-5)
  end)

  it("prints the share of padding, and keeps it in the history", function()
    local x, y = corpus(64, 9, "post")
    local text, before = {}, io.stdout
    local progress = require "marea.progress"
    local new = progress.new
    progress.new = function(epochs, steps, verbose)
      return new(epochs, steps, verbose, { flush = function() end,
        write = function(_, ...) text[#text + 1] = table.concat{ ... } end })
    end
    local history = classifier():fit(x, y, { bucket_by_length = true, batch_size = 8, epochs = 2 })
    classifier(1, { mask_zero = false }):fit(x, y, { bucket_by_length = true, batch_size = 8 })
    progress.new = new
    assert.are.equal(before, io.stdout)
    local out = table.concat(text)
    assert.truthy(out:match("^bucket_by_length: %d+%.%d%% of the steps are padding, 4%d%.%d%% with "
      .. "batches of 8 in the data's order\nEpoch 1/2"), out)
    assert.truthy(out:find("all are computed, because the model does not mask its input", 1, true))
    assert.are.equal(2, select(2, out:gsub("bucket_by_length", "")))
    assert.is_true(history.padding_share < .1)
  end)
end)

describe("lengths", function()
  it("go with the batches into the layers, so that 0 may be a real id", function()
    local x, y, lengths = corpus(24, 9, "post")
    x:set(2, 1, 0)
    local function run(model, given)
      model:fit(x, y, with(given))
      return model:predict(x, { lengths = given.lengths })
    end
    local options = { lengths = lengths, batch_size = 5, validation_split = .25 }
    local a = run(classifier(6, { mask_zero = false }), options)
    options.bucket_by_length, options.shuffle = true, false
    local model = classifier(6, { mask_zero = false })
    run(model, options)
    -- Whatever stands behind the end makes no difference.
    local other = x:clone()
    local list = lengths:totable()
    for i = 1, 24 do
      for t = list[i] + 1, 9 do other:set(i, t, 7) end
    end
    near(model:predict(x, { lengths = lengths }), model:predict(other, { lengths = list }))
    near(model:evaluate(x, y, { lengths = lengths }).loss,
      model:evaluate(other, y, { lengths = lengths }).loss)
    assert.is_false(a:same(model:predict(x)))
  end)

  it("agree with mask_zero where 0 is padding", function()
    local x, y, lengths = corpus(24, 9, "post")
    local a = classifier(7)
    a:fit(x, y, with{})
    local b = classifier(7, { mask_zero = false })
    b:fit(x, y, with{ lengths = lengths })
    assert.is_true(same_weights(a, b))
  end)

  it("bucket reals too, and pass into validation_data", function()
    marea.manual_seed(1)
    local x, y = support.numbers{ 12, 5, 2 }, marea.ones{ 12 }
    local lengths = { 1, 5, 2, 4, 3, 0, 1, 5, 2, 4, 3, 0 }
    local model = marea.Sequential{ nn.LSTM{ 3 }, nn.Dense{ 1 } }:compile{ loss = "mse" }
    local history = model:fit(x, y, with{ lengths = lengths, bucket_by_length = true,
      batch_size = 4, shuffle = false, validation_data = { x, y, lengths = lengths } })
    near(history.val_loss[1], model:evaluate(x, y, { lengths = lengths }).loss)
    near(1 / 6, history.padding_share)
    model = marea.Sequential{ marea.Input{ { 5, 2 } }, nn.LSTM{ 3 }, nn.Dense{ 1 } }
    model:compile{ loss = "mse" }:fit(x, y, with{ lengths = lengths, bucket_by_length = true,
      batch_size = 4 })
  end)

  it("are refused where they do not fit, or cannot be respected", function()
    local x, y = corpus(3, 4)
    raises(function() classifier():fit(x, y, with{ lengths = { 1, 2 } }) end, "lengths are (2)",
      "3 samples")
    raises(function() classifier():fit(x, y, with{ lengths = { 1, 5, 2 } }) end, "sample 2",
      "length 5", "0 to 4")
    raises(function() classifier():predict(x, { lengths = { 1, -1, 2 } }) end, "length -1")
    local flat = marea.Sequential{ nn.Embedding{ 10, 2 }, nn.Flatten{}, nn.Dense{ 1 } }
    raises(function() flat:predict(x, { lengths = { 1, 2, 3 } }) end, "cannot respect the mask")
  end)
end)

describe("validation_method", function()
  local splitting = require "marea.model.splitting"
  local function set_of(classes)
    local rows = #classes
    return { x = marea.arange(1, rows):reshape{ rows, 1 }, y = marea.tensor(classes), rows = rows }
  end
  local sorted = {}
  for i = 1, 40 do sorted[i] = i <= 10 and 0 or i <= 36 and 1 or 2 end

  it("takes the last rows, or rows at random in the order of the data", function()
    local train, held = splitting.split(set_of(sorted), .25, "last", 1)
    assert.are.same({ 30, 10 }, { train.rows, held.rows })
    near(marea.arange(31, 40), held.x:reshape{ -1 })
    train, held = splitting.split(set_of(sorted), .25, "shuffled", 1)
    assert.are.same({ 30, 10 }, { train.rows, held.rows })
    local seen, last = {}, { 0, 0 }
    for part, set in ipairs{ train, held } do
      for _, row in ipairs(set.x:reshape{ -1 }:totable()) do
        assert.is_true(row > last[part])
        last[part], seen[#seen + 1] = row, row
      end
    end
    assert.are.equal(40, #seen)
    local _, again = splitting.split(set_of(sorted), .25, "shuffled", 1)
    assert.is_true(held.x:same(again.x))
    _, again = splitting.split(set_of(sorted), .25, "shuffled", 2)
    assert.is_false(held.x:same(again.x))
  end)

  it("keeps each class's share when stratified", function()
    for seed = 1, 5 do
      local train, held = splitting.split(set_of(sorted), .25, "stratified", seed)
      assert.are.same({ 30, 10 }, { train.rows, held.rows })
      local counts = { [0] = 0, 0, 0 }
      for _, class in ipairs(held.y:totable()) do counts[class] = counts[class] + 1 end
      assert.is_true(counts[0] == 2 or counts[0] == 3)
      assert.is_true(counts[1] == 6 or counts[1] == 7)
      assert.are.equal(1, counts[2])
    end
    local one_hot = native.one_hot(ids(sorted), 3)
    local _, held = splitting.split({ x = one_hot, y = one_hot, rows = 40 }, .25, "stratified", 1)
    assert.are.equal(1, held.y:select(2, 3):sum():item())
    raises(function()
      splitting.split(set_of{ .5, 1, 0, 1 }, .5, "stratified", 1)
    end, "class ids", "fractions")
    raises(function()
      splitting.split({ x = one_hot, y = ids{ { 1, 2 }, { 1, 2 } }, rows = 2 }, .5, "stratified", 1)
    end, "one class a sample", "(2, 2)")
  end)

  it("is an option of fit, which warns about one class only where there is one", function()
    local x, y = corpus(32, 5)
    local order = {}
    for i, value in ipairs(y:totable()) do order[i] = { i - 1, value } end
    table.sort(order, function(a, b) if a[2] ~= b[2] then return a[2] < b[2] end return a[1] < b[1] end)
    for i, item in ipairs(order) do order[i] = item[1] end
    x, y = native.take(x, ids(order)), native.take(y, ids(order))
    local function warning(method)
      return support.stderr_of(function()
        classifier():fit(x, y, with{ validation_split = .1, validation_method = method })
      end)
    end
    assert.truthy(warning():find('validation_method = "stratified"', 1, true))
    assert.are.equal("", warning("stratified"))
    raises(function() warning("first") end, "validation_method", "last, shuffled, stratified")
    assert.are.equal("", support.stderr_of(function()
      classifier():fit(x, y, with{ validation_method = "stratified" }) -- nothing to split
    end))
  end)
end)

describe("fit and evaluate refuse, with sample, step, value and range:", function()
  local x, y = corpus(6, 4)
  local function words(classes)
    return marea.Sequential{ nn.Embedding{ 10, 4, mask_zero = true }, nn.GRU{ 3 },
      nn.Dense{ classes, activation = "softmax" } }
      :compile{ loss = "sparse_categorical_crossentropy" }
  end

  it("bare strings and texts where numbers are due", function()
    raises(function() classifier():fit("a text", y, with{}) end, "fit: x is a bare string")
    raises(function() classifier():fit(x, "pos", with{}) end, "fit: y is a bare string")
    raises(function() classifier():fit(x, { "pos", "neg" }, with{}) end, "fit: y holds text", '"pos"',
      "class ids")
    raises(function() classifier():evaluate(x, "pos") end, "evaluate: y is a bare string")
    raises(function() classifier():fit(x, y, with{ sample_weight = "one" }) end, "sample_weight")
    raises(function() classifier():fit(x, y, with{ class_weight = "balanced" }) end, "class_weight",
      '"balanced"')
    raises(function() classifier():fit({ { 1, "a" } }, { 1 }, with{}) end, "fit: x: ", "[1][2]")
    raises(function() classifier():fit(x, { 1, { 2 } }, with{}) end, "fit: y: ")
    raises(function() classifier():fit(x, y, with{ validation_data = { x, "y" } }) end,
      "fit: validation_data: y is a bare string")
    raises(function() classifier():fit(x, y, with{ callbacks = "early" }) end, "callbacks")
  end)

  it("NaN and infinity", function()
    local bad = marea.ones{ 3, 2, 2 }
    bad:set(2, 1, 2, 0 / 0)
    local model = marea.Sequential{ nn.GRU{ 2 }, nn.Dense{ 1 } }:compile{ loss = "mse" }
    raises(function() model:predict(bad) end, "predict: x holds NaN at sample 2, step 1, feature 2")
    raises(function() model:evaluate(bad, { 1, 2, 3 }) end, "evaluate: x holds NaN at sample 2")
    raises(function() classifier():fit(x, y, with{ sample_weight = { 1, 1, 1, 1 / 0, 1, 1 } }) end,
      "sample_weight holds inf at sample 4")
    raises(function() classifier():fit(x, y, with{ class_weight = { [0] = 0 / 0 } }) end,
      "class_weight")
    raises(function() classifier():fit(x, y, with{ validation_data = { x, { 1, 0 / 0, 0, 1, 1, 1 } } })
    end, "fit: validation_data: y holds NaN at sample 2")
  end)

  it("ids out of range, also in a later batch of predict", function()
    local rows = {}
    for i = 1, 100 do rows[i] = { i == 77 and 12 or 1, 2 } end
    raises(function() classifier():predict(ids(rows)) end, "sample 77, step 1 has id 12, allowed are 0 to 9")
  end)

  it("targets out of the loss's range", function()
    raises(function() words(3):fit(x, { 0, 1, 2, 3, 0, 0 }, with{}) end,
      "fit: y holds class 3 at sample 4", "3 classes", "0 to 2")
    raises(function() words(3):evaluate(x, { 0, -1, 2, 1, 0, 0 }) end, "class -1 at sample 2")
    raises(function() words(3):fit(x, { 0, 1.5, 2, 1, 0, 0 }, with{}) end, "y holds 1.5 at sample 2",
      "class ids")
    raises(function() classifier():fit(x, { 0, 1, 2, 1, 0, 0 }, with{}) end, "y holds 2 at sample 3",
      "binary_crossentropy allows 0 to 1")
    raises(function()
      classifier():fit(x, y, with{ validation_data = { x, { 0, 1, 1, 1, -1, 0 } } })
    end, "fit: validation: y holds -1 at sample 5")
    local tagger = marea.Sequential{ nn.Embedding{ 10, 4 }, nn.GRU{ 3, return_sequences = true },
      nn.Dense{ 10, activation = "softmax" } }:compile{ loss = "sparse_categorical_crossentropy" }
    local tags = x:clone()
    tags:set(5, 1, 10)
    raises(function() tagger:fit(x, tags, with{}) end, "class 10 at sample 5, step 1", "0 to 9")
    local lenient = marea.Sequential{ nn.Embedding{ 10, 4 }, nn.GRU{ 3 },
      nn.Dense{ 3, activation = "softmax" } }
    lenient:compile{ loss = marea.losses.SparseCategoricalCrossentropy{ ignore_class = -1 } }
    lenient:fit(x, { 0, -1, 2, 1, 0, 0 }, with{})
  end)
end)

describe("a step whose gradient is not finite", function()
  it("changes nothing, and is no error for who asks", function()
    local w = marea.tensor{ 1, 2 }
    w.requires_grad = true
    local optimizer = marea.optim.Adam{}:build{ w }
    local function backward(factor)
      local tape <close> = marea.tape()
      tape:backward((w * factor):sum())
    end
    backward(native.largest * 10)
    local before, after = optimizer:try_step()
    assert.are.equal(math.huge, before)
    assert.is_nil(after)
    assert.are.same({ 1, 2 }, w:totable())
    assert.are.equal(0, optimizer.iterations)
    raises(function() optimizer:try_step() end, "fresh gradient") -- it is spent
    backward(3)
    before, after = optimizer:try_step()
    near({ 3 * 2 ^ .5, 3 * 2 ^ .5 }, { before, after })
    assert.are.equal(1, optimizer.iterations)
  end)
end)
