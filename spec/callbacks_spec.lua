local marea = require "marea"
local support = require "spec.support"
local callbacks, raises = marea.callbacks, support.raises

-- A stand-in for a model: what callbacks touch of one.
local function fake_model()
  local model = { optimizer = marea.optim.SGD{ learning_rate = 1 }, saved = {}, weights = 0 }
  function model:get_weights() return self.weights end
  function model:set_weights(weights) self.weights = weights end
  function model:save(path)
    table.insert(self.saved, path)
    return true
  end
  model.save_weights = model.save
  return model
end

-- Feeds one value an epoch; returns the epoch after which training stopped, and the model.
local function run(callback, values, name)
  local model = fake_model()
  local list = callbacks.list({ callback }, model)
  list:call("on_train_begin", model)
  local last
  for epoch, value in ipairs(values) do
    list:call("on_epoch_begin", epoch, {})
    model.weights = epoch
    list:call("on_epoch_end", epoch, { [name or "val_loss"] = value })
    last = epoch
    if model.stop_training then break end
  end
  list:call("on_train_end")
  return last, model
end

describe("EarlyStopping", function()
  it("stops when patience is used up", function()
    assert.equal(5, (run(callbacks.EarlyStopping{ patience = 2 }, { 5, 4, 3, 3, 3, 3, 3 })))
    assert.equal(2, (run(callbacks.EarlyStopping{}, { 5, 5, 5 })))
    assert.equal(6, (run(callbacks.EarlyStopping{ patience = 3 }, { 3, 2, 1, 2, 2, 2, 0 })))
    assert.equal(4, (run(callbacks.EarlyStopping{ patience = 4 }, { 1, 2, 2, 2 })))
  end)

  it("min_delta must be exceeded", function()
    assert.equal(3, (run(callbacks.EarlyStopping{ patience = 2, min_delta = .5 }, { 3, 2.8, 2.6, 1 })))
    assert.equal(4, (run(callbacks.EarlyStopping{ patience = 2, min_delta = .5 }, { 3, 2.4, 2.4, 2 })))
  end)

  it("takes accuracies and AUC upwards", function()
    local given = { monitor = "val_accuracy", patience = 1 }
    assert.equal(4, (run(callbacks.EarlyStopping(given), { .5, .6, .7, .6, .9 }, "val_accuracy")))
    assert.equal(3, (run(callbacks.EarlyStopping{ monitor = "val_auc" }, { .5, .6, .5 }, "val_auc")))
    assert.equal(2, (run(callbacks.EarlyStopping{ monitor = "score", mode = "max" }, { 2, 1 }, "score")))
  end)

  it("a baseline that is not beaten uses patience up", function()
    assert.equal(3, (run(callbacks.EarlyStopping{ patience = 3, baseline = 1 }, { 5, 4, 4, 3 })))
  end)

  it("restores the best weights, also when training ends by itself", function()
    local stopper = callbacks.EarlyStopping{ patience = 2, restore_best_weights = true }
    local _, model = run(stopper, { 3, 1, 2, 2, 0 })
    assert.equal(2, model.weights)
    assert.equal(2, stopper.best_epoch)
    _, model = run(callbacks.EarlyStopping{ patience = 9, restore_best_weights = true }, { 3, 1, 2 })
    assert.equal(2, model.weights)
    _, model = run(callbacks.EarlyStopping{ patience = 1 }, { 3, 1, 2 })
    assert.equal(3, model.weights)
  end)

  it("waits for start_from_epoch", function()
    assert.equal(5, (run(callbacks.EarlyStopping{ start_from_epoch = 3 }, { 1, 2, 3, 4, 5, 6 })))
  end)

  it("says once when what it watches does not exist", function()
    local text = support.stderr_of(function() run(callbacks.EarlyStopping "val_los", { 1, 2, 3 }) end)
    assert.truthy(text:find("val_los", 1, true) and text:find("val_loss", 1, true))
    assert.equal(1, select(2, text:gsub("there is no", "")))
  end)
end)

describe("ReduceLROnPlateau", function()
  local function rates(given, values)
    local list = {}
    local reducer = callbacks.ReduceLROnPlateau(given)
    local wrapped = { on_train_begin = function() reducer:on_train_begin() end }
    function wrapped.on_epoch_end(self, epoch, logs)
      reducer.model = self.model
      reducer:on_epoch_end(epoch, logs)
      list[epoch] = self.model.optimizer.learning_rate
    end
    run(wrapped, values)
    return list
  end

  it("multiplies after patience, not below min_lr", function()
    assert.same({ 1, 1, .5, .5, .25, .25 }, rates({ patience = 2, factor = .5 }, { 1, 1, 1, 1, 1, 1 }))
    assert.same({ 1, .5, .4, .4 }, rates({ patience = 1, factor = .5, min_lr = .4 }, { 1, 1, 1, 1 }))
  end)

  it("rests during the cooldown", function()
    assert.same({ 1, .5, .5, .5, .25 },
      rates({ patience = 1, factor = .5, cooldown = 2 }, { 1, 1, 1, .9, 1 }))
  end)

  it("an improvement below 1e-4 does not count", function()
    assert.same({ 1, .5 }, rates({ patience = 1, factor = .5 }, { 1, .99995 }))
    assert.same({ 1, 1 }, rates({ patience = 1, factor = .5 }, { 1, .999 }))
  end)

  it("refuses a factor of 1", function()
    raises(function() callbacks.ReduceLROnPlateau{ factor = 1 } end, "factor")
  end)
end)

describe("ModelCheckpoint", function()
  it("writes every epoch, with values in the name", function()
    local _, model = run(callbacks.ModelCheckpoint "m-{epoch:02d}-{val_loss:.1f}", { 3, 2.25 })
    assert.same({ "m-01-3.0", "m-02-2.2" }, model.saved)
  end)

  it("writes only strict improvements when asked", function()
    local _, model = run(callbacks.ModelCheckpoint{ "{epoch}", save_best_only = true }, { 3, 3, 2, 4 })
    assert.same({ "1", "3" }, model.saved)
    _, model = run(callbacks.ModelCheckpoint{ "{epoch}", save_best_only = true,
      initial_value_threshold = 2.5 }, { 3, 2 })
    assert.same({ "2" }, model.saved)
  end)

  it("raises when the file cannot be written", function()
    local callback = callbacks.ModelCheckpoint "x"
    callback.model = { save = function() return nil, "disk full" end }
    callback:on_train_begin()
    raises(function() callback:on_epoch_end(1, { val_loss = 1 }) end, "ModelCheckpoint", "disk full")
  end)
end)

describe("CSVLogger", function()
  it("writes a header and a line an epoch", function()
    local path = os.tmpname()
    run(callbacks.CSVLogger(path), { 3, 2.5 })
    run(callbacks.CSVLogger{ path, append = true }, { 1 })
    local file = assert(io.open(path))
    local text = file:read("a")
    file:close()
    os.remove(path)
    assert.equal("epoch,val_loss\n1,3\n2,2.5\n1,1\n", text)
  end)

  it("raises when the folder is not there", function()
    raises(function() run(callbacks.CSVLogger "/nowhere/at/all.csv", { 1 }) end, "CSVLogger")
  end)
end)

describe("other callbacks", function()
  it("LearningRateScheduler sets the rate at each epoch's start", function()
    local scheduler = callbacks.LearningRateScheduler(function(epoch, rate)
      return epoch < 3 and rate or rate / 2
    end)
    local _, model = run(scheduler, { 1, 1, 1, 1 })
    assert.equal(.25, model.optimizer.learning_rate)
    raises(function() run(callbacks.LearningRateScheduler(function() end), { 1 }) end, "number")
  end)

  it("LambdaCallback calls functions", function()
    local seen = {}
    run(callbacks.LambdaCallback{
      on_train_begin = function() seen[#seen + 1] = "begin" end,
      on_epoch_end = function(epoch, logs) seen[#seen + 1] = epoch + logs.val_loss end,
    }, { 10, 20 })
    assert.same({ "begin", 11, 22 }, seen)
    raises(function() callbacks.LambdaCallback{ on_epoch = print } end, "on_epoch", "on_epoch_end")
  end)

  it("History holds a list for each value", function()
    local history = callbacks.History()
    history:on_epoch_end(1, { loss = 3 })
    history:on_epoch_end(2, { loss = 2 })
    assert.same({ 3, 2 }, history.loss)
    assert.same({ 3, 2 }, history.history.loss)
    assert.same({ 1, 2 }, history.epoch)
    assert.truthy(tostring(history):find("epoch 2: loss 2.0000", 1, true))
  end)

  it("must be tables in a list", function()
    raises(function() callbacks.list(callbacks.EarlyStopping{}, {}) end, "table of callbacks")
    raises(function() callbacks.list({ 3 }, {}) end, "callback 1", "number 3")
    raises(function() callbacks.EarlyStopping{ patiense = 3 } end, "patiense", "patience")
  end)
end)
