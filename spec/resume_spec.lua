-- Training that stops and goes on: from a file, or in the same process.
local marea = require "marea"
require "spec.helper"
local raises = require("spec.support").raises
local training = require "spec.support_training"
local corpus, classifier, with = training.corpus, training.classifier, training.with
local same_weights = training.same_weights

local function folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir %q"):format(path)))
  finally(function() os.execute(("rm -r %q"):format(path)) end)
  return path
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

describe("training that goes on from a file", function()
  local x, y = corpus(48, 6)
  -- Noise, so that the validation goes up and down and every callback has something to do.
  local noisy = y:clone()
  for i = 1, 48, 5 do noisy:set(i, 1 - noisy:get(i)) end

  local function callbacks_of(path, given)
    return {
      marea.callbacks.ModelCheckpoint{ path .. "/m-{epoch}" },
      marea.callbacks.ModelCheckpoint{ path .. "/best", save_best_only = true },
      marea.callbacks.ReduceLROnPlateau{ patience = 1, factor = .5, cooldown = 2, min_delta = 1 },
      marea.callbacks.EarlyStopping{ patience = given.patience, restore_best_weights = given.restore },
      marea.callbacks.CSVLogger(path .. "/log.csv"),
    }
  end

  local function options_of(list, first, given)
    return with{ epochs = given.epochs, initial_epoch = first, callbacks = list, batch_size = 8,
      validation_split = .25, validation_method = given.method or "last", bucket_by_length = true }
  end

  for name, given in pairs{
    ["to its end, with the best weights at the end"] = { epochs = 7, patience = 9, restore = true },
    ["to its end, with the last weights at the end"] = { epochs = 6, patience = 9, restore = false },
    ["until it stops early"] = { epochs = 30, patience = 2, restore = true, method = "shuffled" },
  } do
    it("ends exactly as if it had not stopped: " .. name, function()
      local path = folder()
      local straight = classifier(3, { dropout = .2 })
      local list = callbacks_of(path, given)
      straight:fit(x, noisy, options_of(list, 0, given))
      local log, rate = read(path .. "/log.csv"), straight.optimizer.learning_rate
      local epochs = select(2, log:gsub("\n", "")) - 1
      assert.is_true(rate < .05) -- the plateau was met
      assert.are.equal(given.epochs == 30, epochs < given.epochs)
      for stopped = 1, epochs - 1 do
        marea.manual_seed(1000 + stopped)
        local model = assert(marea.load(path .. "/m-" .. stopped))
        local other = callbacks_of(path, given)
        model:fit(x, noisy, options_of(other, model.epoch, given))
        assert.is_true(same_weights(straight, model), "stopped at " .. stopped)
        assert.are.equal(log, read(path .. "/log.csv"))
        assert.are.equal(rate, model.optimizer.learning_rate)
        for i, field in ipairs{ "best", "best", "wait", "wait" } do
          assert.are.equal(list[i][field], other[i][field])
        end
        assert.are.equal(list[4].best_epoch, other[4].best_epoch)
        assert.are.equal(list[4].stopped_epoch, other[4].stopped_epoch)
      end
    end)
  end

  it("also when the fit had come to its end, or in the same process", function()
    local path, given = folder(), { patience = 9, restore = true }
    local function part(model, first, last)
      given.epochs = last
      model:fit(x, noisy, options_of(callbacks_of(path, given), first, given))
      return model
    end
    local straight = part(classifier(5), 0, 6)
    local model = part(classifier(5), 0, 3)
    assert(model:save(path .. "/half"))
    assert.is_true(same_weights(straight, part(model, 3, 6)))
    assert.is_true(same_weights(straight, part(assert(marea.load(path .. "/half")), 3, 6)))
    local again = assert(marea.load(path .. "/half"))
    assert(again:save(path .. "/copy")) -- states that nobody took up are kept
    assert.is_true(same_weights(straight, part(assert(marea.load(path .. "/copy")), 3, 6)))
  end)

  it("from the last weights, where the best ones were given back at the end", function()
    local function part(model, first, last) -- the weights before the best ones were given back
      local stopper = marea.callbacks.EarlyStopping{ monitor = "loss", mode = "max", patience = 9,
        restore_best_weights = true } -- the "best" is the first epoch
      model:fit(x, y, with{ initial_epoch = first, epochs = last, callbacks = { stopper } })
      assert.are.equal(1, stopper.best_epoch)
      return stopper.last_weights
    end
    local function agree(a, b)
      for i = 1, #a do assert.is_true(a[i]:same(b[i])) end
    end
    local path = folder() .. "/m"
    local straight = part(classifier(5), 0, 5)
    local model = classifier(5)
    part(model, 0, 3)
    assert(model:save(path))
    local loaded = assert(marea.load(path))
    local best = loaded:get_weights()
    agree(straight, part(loaded, 3, 5))
    agree(straight, part(model, 3, 5))
    loaded = assert(marea.load(path)) -- another epoch: from the weights as they are
    loaded:fit(x, y, with{ epochs = 1, callbacks = { { on_train_begin = function(_, m)
      for i, w in ipairs(m:get_weights()) do assert.is_true(w:same(best[i])) end
    end } } })
  end)

  it("starts callbacks anew at another epoch, and after an early stop", function()
    local stopper = marea.callbacks.EarlyStopping{ monitor = "loss", patience = 50 }
    local model = classifier(5)
    model:fit(x, y, with{ epochs = 3, callbacks = { stopper } })
    local best = stopper.best
    model:fit(x, y, with{ epochs = 4, initial_epoch = 3, callbacks = { stopper } })
    assert.is_true(stopper.best <= best)
    model:fit(x, y, with{ epochs = 1, callbacks = { stopper } })
    assert.are.equal(0, stopper.wait)
    local quick = marea.callbacks.EarlyStopping{ monitor = "loss", min_delta = 1e9 }
    model:fit(x, y, with{ epochs = 9, callbacks = { quick } })
    assert.are.equal(2, quick.stopped_epoch)
    model:fit(x, y, with{ epochs = 3, initial_epoch = 2, callbacks = { quick } })
    assert.are.equal(0, quick.stopped_epoch)
    assert.are.equal(0, quick.wait)
  end)

  it("keeps the state of a callback of one's own", function()
    local path = folder() .. "/m"
    local function counter()
      return { class_name = "Counter", seen = 0,
        on_epoch_end = function(self) self.seen = self.seen + 1 end,
        get_state = function(self) return { seen = self.seen }, { w = marea.full({ 2 }, self.seen) } end,
        set_state = function(self, state, tensors) self.seen, self.w = state.seen, tensors.w end }
    end
    local model, own = classifier(), counter()
    model:fit(x, y, with{ epochs = 2, callbacks = { own } })
    assert(model:save(path))
    own = counter()
    assert(marea.load(path)):fit(x, y, with{ epochs = 3, initial_epoch = 2, callbacks = { own } })
    assert.are.equal(3, own.seen)
    assert.are.same({ 2, 2 }, own.w:totable())
    own = { get_state = function() return { 1 } end }
    model:fit(x, y, with{ callbacks = { own } })
    raises(function() model:save(path) end, "get_state must return a table of named numbers")
    own.get_state = function() return { x = true } end -- a class_name is no must
    assert(model:save(path))
    assert(marea.load(path))
  end)

  it("refuses a file whose states are malformed", function()
    local path = folder() .. "/m"
    local model = classifier()
    model:fit(x, y, with{ epochs = 1, callbacks = { marea.callbacks.EarlyStopping{ monitor = "loss",
      restore_best_weights = true } } })
    assert(model:save(path))
    local bytes = read(path)
    for _, change in ipairs{ { '\\"class_name\\":\\"EarlyStopping\\"', '\\"klass_name\\":\\"EarlyStopping\\"' },
      { '\\"list\\"', '\\"lisp\\"' }, { "callbacks/1/best/1", "callbacks/1/best/2" },
      { "callbacks/1/last/3", "callbacks/3/last/3" } } do
      local from, to = change[1]:gsub("%p", "%%%0"), change[2]:gsub("%%", "%%%%")
      local broken, count = bytes:gsub(from, to)
      assert.is_true(count > 0, change[1])
      local file = assert(io.open(path, "wb"))
      file:write(broken)
      file:close()
      local nothing, message = marea.load(path)
      assert.is_nil(nothing, change[1])
      assert.is_string(message)
    end
  end)
end)
