-- Truncated back-propagation in fit: against plain fit, against windows walked by hand with a tape, and
-- its messages.
local marea = require "marea"
local support = require "spec.support"
local nn, near, raises = marea.nn, support.near, support.raises

local B <const>, T <const> = 4, 9

local function ids(phase)
  local rows = {}
  for b = 1, B do
    rows[b] = {}
    for t = 1, T do rows[b][t] = 1 + (b * 5 + t * 3 + phase * t * t) % 6 end
  end
  return marea.tensor(rows, { dtype = "int32" })
end

local function labeller(given)
  marea.manual_seed(11)
  given = given or {}
  local model = marea.Sequential{ nn.Embedding{ 8, 5, mask_zero = true },
    nn.LSTM{ 6, return_sequences = true, stateful = given.stateful, dropout = given.dropout or 0 },
    nn.GRU{ 5, return_sequences = true }, nn.Dense{ 7 } }
  model:build{ -1, -1 }
  support.scatter(model)
  model:compile{ optimizer = marea.optim.SGD{ 0.5 },
    loss = marea.losses.SparseCategoricalCrossentropy{ from_logits = true }, metrics = { "accuracy" } }
  return model
end

local function weights(model)
  local list = {}
  for i, tensor in ipairs(model:get_weights()) do list[i] = tensor:totable() end
  return list
end

local quiet = { epochs = 2, verbose = 0, batch_size = 2, shuffle = false }
local function with(tbptt, more)
  local given = { tbptt = tbptt }
  for _, from in ipairs{ quiet, more or {} } do
    for name, value in pairs(from) do given[name] = value end
  end
  return given
end

describe("fit{ tbptt }", function()
  it("is plain fit when a window holds the whole sequence, bit for bit", function()
    for _, dropout in ipairs{ 0, 0.3 } do
      local given = { dropout = dropout }
      local plain, one, two = labeller(given), labeller(given), labeller(given)
      local x, y = ids(0), ids(1)
      local a, b = plain:fit(x, y, quiet), one:fit(x, y, with(T))
      two:fit(x, y, with({ k1 = T, k2 = 20 }))
      assert.are.same(weights(plain), weights(one))
      assert.are.same(weights(plain), weights(two))
      assert.are.same(a.loss, b.loss)
      assert.are.same(a.accuracy, b.accuracy)
    end
  end)

  -- The same windows by hand: states as values, detached, an update a window.
  local function by_hand(model, x, y, k1, k2)
    local embedding, lstm, gru, dense = table.unpack(model.layers)
    local optimizer = marea.optim.SGD{ 0.5 }
    optimizer:build(model)
    local loss_of = marea.losses.SparseCategoricalCrossentropy{ from_logits = true }
    local function run(first, last, states)
      local part = x:narrow(2, first, last - first + 1)
      local mask = embedding:compute_mask(part)
      local a, h, c = lstm(embedding(part), { mask = mask, initial_state = states[1], return_state = true })
      local b, g = gru(a, { mask = mask, initial_state = states[2], return_state = true })
      return dense(b), { { h:clone(), c:clone() }, { g:clone() } }, mask
    end
    for _ = 1, quiet.epochs do
      for rows = 1, B, 2 do
        local whole_x, whole_y = x, y
        x, y = x:narrow(1, rows, 2), y:narrow(1, rows, 2)
        local at, states = 1, {}
        for new = 1, T, k1 do
          local last = math.min(new + k1 - 1, T)
          local first = math.max(1, last - k2 + 1)
          if first > at then
            marea.no_grad(function() states = select(2, run(at, first - 1, states)) end)
          end
          local tape <close> = marea.tape()
          local p, after, mask = run(first, last, states)
          local count = last - new + 1
          p = p:narrow(2, last - first + 2 - count, count)
          mask = mask:narrow(2, last - first + 2 - count, count)
          tape:backward(loss_of(y:narrow(2, new, count), p, { mask = mask }))
          optimizer:step()
          at = first
          if k1 == k2 then at, states = last + 1, after end
        end
        x, y = whole_x, whole_y
      end
    end
  end

  for title, sizes in pairs{ ["k1 = k2"] = { 3, 3 }, ["a rest"] = { 4, 4 }, ["k2 > k1"] = { 2, 5 },
    ["k2 = 2 k1"] = { 3, 6 } } do
    it("is the windows walked by hand: " .. title, function()
      for _, padding in ipairs{ "none", "pre", "post" } do
        local x, y = ids(0), ids(1)
        for t = 1, padding == "none" and 0 or 4 do
          x:set(2, padding == "pre" and t or T + 1 - t, 0)
          x:set(3, padding == "pre" and t or T + 1 - t, 0)
        end
        local model, other = labeller(), labeller()
        model:fit(x, y, with{ k1 = sizes[1], k2 = sizes[2] })
        by_hand(other, x, y, sizes[1], sizes[2])
        near(weights(other), weights(model), marea.precision == "float" and 2e-5 or nil)
      end
    end)
  end

  it("learns from the last window where the target is one for the sequence", function()
    local function classifier()
      marea.manual_seed(4)
      local model = marea.Sequential{ nn.Embedding{ 8, 5 }, nn.GRU{ 6 }, nn.Dense{ 1 } }
      model:compile{ optimizer = marea.optim.SGD{ 0.5 }, loss = "mse" }
      model:build{ -1, -1 }
      support.scatter(model)
      return model
    end
    local x, y = ids(0), marea.tensor{ 1, 0, -1, 2 }
    local model, other = classifier(), classifier()
    model:fit(x, y, with({ k1 = 2, k2 = 4 }, { epochs = 1, batch_size = B }))
    local embedding, gru, dense = table.unpack(other.layers)
    local _, state = gru(embedding(x:narrow(2, 1, T - 4)), { return_state = true })
    local tape <close> = marea.tape()
    local p = dense(gru(embedding(x:narrow(2, T - 3, 4)), { initial_state = { state:clone() } }))
    tape:backward((p:reshape{ B } - y):square():mean())
    local optimizer = marea.optim.SGD{ 0.5 }
    optimizer:build(other)
    optimizer:step()
    near(weights(other), weights(model), marea.precision == "float" and 1e-5 or nil)
  end)

  it("serves graphs, lengths and sample weights, and learns", function()
    marea.manual_seed(7)
    local words = marea.Input{ { -1 }, dtype = "int32" }
    local h = nn.LSTM{ 16, return_sequences = true }(nn.Embedding{ 8, 8 }(words))
    local model = marea.Model{ inputs = words, outputs = nn.Dense{ 7 }(nn.GRU{ 12, return_sequences = true }(h)) }
    model:compile{ optimizer = "adam", loss = marea.losses.SparseCategoricalCrossentropy{ from_logits = true } }
    local x = ids(0)
    local history = model:fit(x, x, { tbptt = { k1 = 2, k2 = 4 }, epochs = 150, verbose = 0, batch_size = 2,
      lengths = { T, 5, 1, T }, sample_weight = { 1, 1, 2, 1 } })
    assert.is_true(history.loss[150] < history.loss[1] / 2)
    assert.is_nil(model.layers[3].kept_states)
  end)

  it("takes class weights as the sample weights of their targets, and shows callbacks whole batches", function()
    local x, y = ids(0), ids(1)
    local by_class, by_sample = labeller(), labeller()
    local class, sample = {}, marea.zeros{ B, T }
    for id = 1, 6 do class[id] = id / 4 end
    for b = 1, B do
      for t = 1, T do sample:set(b, t, y:get(b, t) / 4) end
    end
    local batches = 0
    local counter = marea.callbacks.LambdaCallback{ on_batch_end = function() batches = batches + 1 end }
    by_class:fit(x, y, with({ k1 = 2, k2 = 4 }, { class_weight = class, callbacks = { counter } }))
    by_sample:fit(x, y, with({ k1 = 2, k2 = 4 }, { sample_weight = sample }))
    near(weights(by_class), weights(by_sample))
    assert.equal(quiet.epochs * B // 2, batches)
    local plain = labeller()
    plain:fit(x, y, with{ k1 = 2, k2 = 4 })
    assert.is_false(by_class:get_weights()[1]:same(plain:get_weights()[1]))
  end)

  it("moves a learned initial state in the first window alone", function()
    local function moved(first, last)
      local model = marea.Sequential{ nn.GRU{ 3, return_sequences = true, learn_initial_state = true } }
      model:build{ -1, -1, 2 }
      support.scatter(model)
      model:compile{ optimizer = "sgd", loss = "mse" }
      local weight = marea.zeros{ 2, 6 }
      for t = first, last do for b = 1, 2 do weight:set(b, t, 1) end end
      local before = model.layers[1].initial_h:clone()
      model:fit(support.numbers{ 2, 6, 2 }, support.numbers({ 2, 6, 3 }, 1),
        { tbptt = 3, epochs = 1, verbose = 0, sample_weight = weight })
      return not before:same(model.layers[1].initial_h)
    end
    assert.is_true(moved(1, 3))
    assert.is_false(moved(4, 6))
  end)

  it("leaves the states of stateful layers where the batch ended", function()
    local plain, truncated = labeller{ stateful = true }, labeller{ stateful = true }
    for _, model in ipairs{ plain, truncated } do model.optimizer.learning_rate = 1e-12 end
    plain:fit(ids(0), ids(1), { epochs = 1, verbose = 0, batch_size = B, shuffle = false })
    truncated:fit(ids(0), ids(1), { epochs = 1, verbose = 0, batch_size = B, shuffle = false, tbptt = 3 })
    near(plain.layers[2].kept_states[1], truncated.layers[2].kept_states[1], 1e-5)
  end)

  it("goes on from a file as if it had not stopped", function()
    local whole = labeller{ dropout = 0.2 }
    whole:fit(ids(0), ids(1), with(3, { epochs = 4, shuffle = true }))
    local parted = labeller{ dropout = 0.2 }
    parted:fit(ids(0), ids(1), with(3, { epochs = 2, shuffle = true }))
    local path = os.tmpname()
    assert(parted:save(path))
    parted = assert(marea.load(path))
    os.remove(path)
    parted:fit(ids(0), ids(1), with(3, { initial_epoch = 2, epochs = 4, shuffle = true }))
    assert.are.same(weights(whole), weights(parted))
  end)

  it("says what is wrong", function()
    local x, y = ids(0), ids(1)
    local function fit(model, tbptt) return function() model:fit(x, y, with(tbptt)) end end
    raises(fit(labeller(), { k1 = 4, k2 = 3 }), "k2 is 3 and k1 4")
    raises(fit(labeller(), 0), "k1 must be a positive whole number")
    raises(fit(labeller(), { k1 = 1.5 }), "k1")
    raises(fit(labeller(), { k1 = 2, k3 = 4 }), '"k3"')
    local function model_of(...)
      local model = marea.Sequential{ nn.Embedding{ 8, 4 }, ... }
      model:compile{ loss = "mse" }
      return model
    end
    local function sequences() return nn.LSTM{ 3, return_sequences = true } end
    raises(fit(model_of(nn.Bidirectional{ sequences() }, nn.Dense{ 1 }), 3), "from its end")
    raises(fit(model_of(sequences(), nn.Conv1D{ 2, 3, padding = "same" }), 3), 'Conv1D "conv1d', "looks across time")
    raises(fit(model_of(sequences(), nn.GlobalMaxPooling1D{}, nn.Dense{ 1 }), 3), "GlobalMaxPooling1D")
    raises(fit(model_of(nn.Dense{ 1 }), 3), "no recurrent layer")
    raises(fit(model_of(nn.Conv1D{ 2, 3, padding = "causal" }, sequences()), 3), "Conv1D", "looks across time")
    raises(fit(model_of(nn.LSTM{ 3, go_backwards = true }, nn.Dense{ 1 }), 3), "LSTM", "from its end")
    local from = marea.Input{ { -1, 3 } }
    local states = sequences()(from)
    local attends = marea.Model{ inputs = from, outputs = nn.Attention{ name = "looks" }{ states, states } }
    attends:compile{ loss = "mse" }
    raises(function() attends:fit(marea.zeros{ 2, 4, 3 }, marea.zeros{ 2, 4, 3 }, with(2)) end,
      'Attention "looks"', "looks across time")
    local words, gru = marea.Input{ { -1, 3 } }, nn.GRU{ 3, return_sequences = true }
    local twice = marea.Model{ inputs = words, outputs = gru(gru(words)) }
    twice:compile{ loss = "mse" }
    raises(function() twice:fit(marea.zeros{ 2, 4, 3 }, marea.zeros{ 2, 4, 3 }, with(2)) end, "two places of the graph")
    local bad = labeller()
    bad:set_weights((function()
      local list = bad:get_weights()
      list[1]:fill_(0 / 0)
      return list
    end)())
    raises(fit(bad, 3), "steps 1 to 3")
  end)
end)
