-- Weights of PyTorch and Keras: their outputs after loading, round trips, files that do not fit.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local golden = require "spec.interop_cases".golden()

local nn, interop = marea.nn, marea.interop

local function tensor_of(value)
  local ids = type(value) ~= "table" and math.type(value) == "integer"
  local inner = value
  while type(inner) == "table" do inner = inner[1] end
  if math.type(inner) == "integer" then ids = true end
  return marea.tensor(value, ids and { dtype = "int32" } or nil)
end

local function state_of(case)
  local state = {}
  for name, value in pairs(case.state) do state[name] = tensor_of(value) end
  return state
end

-- Every other number is a little away, so that nothing can be right by chance.
local function scramble(model)
  for _, entry in ipairs(model:entries()) do
    entry.tensor:assign_(marea.rand(entry.tensor:shape()))
  end
end

local function built(x, ...)
  local model = marea.Sequential{ ... }
  model:build(x:shape())
  scramble(model)
  return model
end

local function same_weights(a, b)
  local theirs = b:entries()
  for i, entry in ipairs(a:entries()) do
    assert.is_true(entry.tensor:same(theirs[i].tensor), entry.path)
  end
end

-- Our layers for each of PyTorch's cases, and the names that they have there.
local function rnn(class, more)
  local given = { 2, return_sequences = true, name = "rnn" }
  for key, value in pairs(more or {}) do given[key] = value end
  return class(given)
end

local function both(class, name)
  return nn.Bidirectional{ class{ 2, return_sequences = true }, name = name }
end

local torch = {
  LSTM = function() return { rnn(nn.LSTM) }, { rnn = "" } end,
  GRU = function() return { rnn(nn.GRU) }, { rnn = "" } end,
  RNN = function() return { rnn(nn.SimpleRNN) }, { rnn = "" } end,
  RNN_relu = function() return { rnn(nn.SimpleRNN, { activation = "relu" }) }, { rnn = "" } end,
  GRU_no_bias = function() return { rnn(nn.GRU, { use_bias = false }) }, { rnn = "" } end,
  LSTM_2 = function()
    return { rnn(nn.LSTM), rnn(nn.LSTM, { name = "b" }) }, { rnn = "", b = "" }
  end,
  LSTM_2_bi = function() return { both(nn.LSTM, "a"), both(nn.LSTM, "b") }, { a = "", b = "" } end,
  GRU_2_bi = function() return { both(nn.GRU, "a"), both(nn.GRU, "b") }, { a = "", b = "" } end,
  RNN_2_bi = function()
    return { both(nn.SimpleRNN, "a"), both(nn.SimpleRNN, "b") }, { a = "", b = "" }
  end,
  LSTM_proj = function()
    return { nn.Bidirectional{ nn.LSTM{ 4, projection = 2, return_sequences = true }, name = "a" } },
      { a = "" }
  end,
  Linear = function() return { nn.Dense{ 2, name = "d" } }, { d = "" } end,
  Embedding = function() return { nn.Embedding{ 5, 3, name = "e" } }, { e = "" } end,
  LayerNorm = function()
    return { nn.LayerNormalization{ epsilon = 1e-5, name = "n" } }, { n = "" }
  end,
  Conv1d = function() return { nn.Conv1D{ 4, 2, dilation_rate = 2, name = "c" } }, { c = "" } end,
  MultiheadAttention = function()
    return { nn.MultiHeadAttention{ 2, 3, name = "m" } }, { m = "" }
  end,
  BatchNorm1d = function()
    return { nn.BatchNormalization{ epsilon = 1e-5, name = "n" } }, { n = "" }
  end,
}

local keras = {
  text = function()
    return nn.Embedding{ 6, 3, mask_zero = true, name = "embedding" },
      nn.Bidirectional{ nn.LSTM{ 2, return_sequences = true, name = "lstm" },
        name = "bidirectional" },
      nn.GRU{ 3, name = "gru" }, nn.Dense{ 1, activation = "sigmoid", name = "dense" }
  end,
  before = function() return nn.GRU{ 2, reset_after = false, name = "gru_1" } end,
  series = function()
    return nn.Conv1D{ 4, 2, activation = "relu", name = "conv1d" },
      nn.BatchNormalization{ name = "batch_normalization" },
      nn.SimpleRNN{ 3, return_sequences = true, name = "simple_rnn" },
      nn.LayerNormalization{ name = "layer_normalization" },
      nn.TimeDistributed{ nn.Dense{ 2, name = "dense_1" }, name = "time_distributed" },
      nn.GlobalAveragePooling1D{}
  end,
}

describe("interop.pytorch", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    path = path .. ".safetensors"
  end)
  after_each(function() os.remove(path) end)

  for name, make in pairs(torch) do
    it("gives PyTorch's outputs for " .. name .. " and writes its weights back", function()
      local case = golden.pytorch.cases[name]
      local x, state = tensor_of(case.x), state_of(case)
      local layers, map = make()
      local model = built(x, table.unpack(layers))
      assert(native.save_tensors(path, state))
      local report = assert(interop.pytorch.load(model, path, { map = map }))
      assert.same({ #layers, {}, {}, {} },
        { report.loaded, report.missing, report.misfits, report.unexpected })
      assert.near_all(case.y, model:predict(x), helper.double and 1e-6 or 2e-6)
      for _, format in ipairs{ "safetensors", "npz" } do
        assert(interop.pytorch.save(model, path, { map = map, format = format }))
        local written = assert((format == "npz" and native.load_npz or native.load_tensors)(path))
        for key, tensor in pairs(state) do
          -- The two biases of SimpleRNN and LSTM are added.
          if not (key:match("^bias_[ih]h_l") and not name:match("^GRU")) then
            assert.is_true(tensor:same(written[key]), key)
          end
          written[key] = nil
        end
        assert.is_nil(next(written))
      end
      assert(interop.pytorch.save(model, path, { map = map }))
      local twin = built(x, table.unpack((make())))
      assert(interop.pytorch.load(twin, path, { map = map }))
      same_weights(model, twin)
    end)
  end

  it("names by layer, or as map says; equal names are one stack", function()
    local function names(map)
      local x = marea.zeros{ 1, 2, 3 }
      local model = built(x, nn.LSTM{ 2, return_sequences = true, use_bias = false, name = "low" },
        marea.Sequential{ nn.LSTM{ 2, use_bias = false, name = "high" }, name = "inner" },
        nn.Dense{ 1, name = "out" })
      assert(interop.pytorch.save(model, path, { map = map }))
      local list = {}
      for name in pairs((native.load_tensors(path))) do list[#list + 1] = name end
      table.sort(list)
      return list
    end
    assert.same({ "inner.high.weight_hh_l0", "inner.high.weight_ih_l0", "low.weight_hh_l0",
      "low.weight_ih_l0", "out.bias", "out.weight" }, names())
    assert.same({ "head.bias", "head.weight", "rnn.weight_hh_l0", "rnn.weight_hh_l1",
      "rnn.weight_ih_l0", "rnn.weight_ih_l1" },
      names{ low = "rnn", ["inner/high"] = "rnn", out = "head" })
  end)

  it("tells what weights alone do not", function()
    local model = built(marea.zeros({ 1, 2 }, { dtype = "int32" }),
      nn.Embedding{ 4, 3, mask_zero = true, name = "e" },
      nn.Bidirectional{ nn.LSTM{ 2, return_sequences = true }, merge_mode = "sum", name = "b" },
      nn.LayerNormalization{ name = "n" })
    local notes = assert(interop.pytorch.save(model, path))
    assert.match('Embedding "e": id 0 is padding: padding_idx = 0', notes[1], 1, true)
    assert.match('Bidirectional "b": PyTorch joins the directions; merge them by "sum"', notes[2],
      1, true)
    assert.equal('LayerNormalization "n": eps = 0.001 in PyTorch', notes[3])
  end)

  it("writes a GRU whose z writes as the one that keeps", function()
    local x = marea.randn{ 2, 4, 3 }
    local write = built(x, nn.GRU{ 2, update = "write", name = "g" })
    local keep = built(x, nn.GRU{ 2, name = "g" })
    assert(interop.pytorch.save(write, path))
    assert(interop.pytorch.load(keep, path))
    assert.near_all(write(x), keep(x), 1e-6)
  end)

  it("refuses layers without a counterpart, by name", function()
    local function refuse(part, ...)
      local model = built(marea.zeros{ 1, 2, 3 }, ...)
      assert.fails(part, interop.pytorch.save, model, path)
      assert.fails(part, interop.pytorch.load, model, path)
    end
    refuse('GRU "g": its reset gate works before',
      nn.GRU{ 2, reset_after = false, name = "g" })
    refuse('LSTM "l": its activation is "relu", PyTorch\'s is tanh',
      nn.LSTM{ 2, activation = "relu", name = "l" })
    refuse('its recurrent_activation is "hard_sigmoid"',
      nn.LSTM{ 2, recurrent_activation = "hard_sigmoid" })
    refuse('its activation is "sigmoid", PyTorch\'s is tanh or relu',
      nn.SimpleRNN{ 2, activation = "sigmoid" })
    refuse("PyTorch's needs as many features everywhere as num_heads times key_dim (4)",
      nn.MultiHeadAttention{ 2, 2 })
    refuse("it runs backwards", nn.LSTM{ 2, go_backwards = true })
    refuse("its forward copy runs backwards", nn.Bidirectional{ nn.LSTM{ 2, go_backwards = true } })
    refuse("its two copies differ",
      nn.Bidirectional{ nn.LSTM{ 2 }, backward_layer = nn.LSTM{ 3, go_backwards = true } })
    local Own = nn.Layer:extend("InteropOwn", {
      build = function(self) self.w = self:add_weight{ name = "w", shape = { 1 } } end,
      call = function(self, x) return x * self.w end,
    })
    refuse('InteropOwn "own" has weights that PyTorch\'s names do not cover',
      Own{ name = "own" })
  end)

  it("leaves everything as it was when a file does not fit, and says why", function()
    local model = built(marea.zeros{ 1, 3 }, nn.Dense{ 2, name = "a" }, nn.Dense{ 2, name = "b" })
    local before = model:get_weights()
    local function refuse(tensors, ...)
      assert(native.save_tensors(path, tensors))
      local report, message = interop.pytorch.load(model, path)
      assert.is_nil(report)
      for _, part in ipairs{ ... } do assert.match(part, message, 1, true) end
      for i, tensor in ipairs(model:get_weights()) do assert.is_true(tensor:same(before[i])) end
    end
    local good = { ["a.weight"] = marea.ones{ 2, 3 }, ["a.bias"] = marea.ones{ 2 },
      ["b.weight"] = marea.ones{ 2, 2 }, ["c.bias"] = marea.ones{ 2 } }
    refuse(good, 'missing: b.bias (2), for Dense "b"', "unexpected: c.bias")
    good["c.bias"], good["b.bias"] = nil, marea.ones{ 3 }
    refuse(good, 'of another shape: b.bias is (3), Dense "b" expects (2)')
    local report = assert(interop.pytorch.load(model, path, { strict = false }))
    assert.same({ 1, 1 }, { report.loaded, #report.misfits })
    assert.near_all({ 1, 1 }, model.layers[1].bias)
    assert.is_true(model.layers[2].kernel:same(before[3]))
    local nothing, message = interop.pytorch.load(model, "/nowhere/x.npz")
    assert.is_nil(nothing)
    assert.match("/nowhere/x.npz", message, 1, true)
  end)

  it("works while a tape records", function()
    local model = built(marea.zeros{ 1, 2, 3 }, nn.GRU{ 2 }, nn.Dense{ 1 })
    local before = model:get_weights()
    local tape <close> = marea.tape()
    tape:backward(marea.losses.mean_squared_error(marea.ones{ 1, 1 }, model(marea.ones{ 1, 2, 3 })))
    assert(interop.pytorch.save(model, path))
    scramble(model)
    assert(interop.pytorch.load(model, path))
    for i, entry in ipairs(model:entries()) do assert.is_true(entry.tensor:same(before[i])) end
    assert(marea.interop.onnx.export(model, path))
  end)

  it("leaves no memory behind", function()
    local model = built(marea.zeros{ 1, 2, 3 }, nn.Bidirectional{ nn.GRU{ 2 } }, nn.Dense{ 1 })
    local function exchange()
      for _, room in ipairs{ interop.pytorch, interop.keras } do
        assert(room.save(model, path))
        assert(room.load(model, path))
      end
      assert.is_nil((interop.keras.load(model, "/nowhere/w.npz")))
    end
    exchange()
    helper.leak_check(exchange)
  end)

  it("keeps gamma and beta that a layer does not have", function()
    local model = built(marea.zeros{ 1, 3 }, nn.LayerNormalization{ scale = false, name = "n" })
    assert(interop.pytorch.save(model, path))
    assert(interop.pytorch.load(model, path))
    assert(native.save_tensors(path, { ["n.weight"] = marea.tensor{ 1, 2, 1 },
      ["n.bias"] = marea.zeros{ 3 } }))
    local _, message = interop.pytorch.load(model, path)
    assert.match("its weight is not all ones, but the layer has scale = false", message, 1, true)
  end)

  it("says what is wrong with its arguments", function()
    local model = built(marea.zeros{ 1, 3 }, nn.Dense{ 2, name = "a" })
    assert.fails("expected a model or a layer, got number 3", interop.pytorch.save, 3, path)
    assert.fails("has no weights yet", interop.pytorch.save, marea.Sequential{ nn.Dense{ 2 } },
      path)
    assert.fails("ends in neither .safetensors nor .npz; in Python: safetensors.torch",
      interop.pytorch.load, model, "net.pt")
    assert.fails("ends in neither", interop.pytorch.load, model, "net")
    assert.fails("path must be a string", interop.pytorch.load, model, 3)
    assert.fails("format must be one of safetensors, npz", interop.pytorch.load, model, path,
      { format = "h5" })
    assert.fails("unknown option \"maps\"", interop.pytorch.load, model, path, { maps = {} })
    assert.fails("map must be a table", interop.pytorch.load, model, path, { map = "a" })
    assert.fails("strict must be true or false", interop.pytorch.load, model, path, { strict = 1 })
    assert.fails('map names the layer "b", which is not there; the layers with weights are a',
      interop.pytorch.load, model, path, { map = { b = "x" } })
    assert.fails("map holds string \"a\" = number 1", interop.pytorch.load, model, path,
      { map = { a = 1 } })
    local two = built(marea.zeros{ 1, 3 }, nn.Dense{ 2, name = "a" }, nn.Dense{ 2, name = "b" })
    assert.fails('gives a second "a.', interop.pytorch.save, two, path, { map = { b = "a" } })
  end)
end)

describe("interop.keras", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    path = path .. ".npz"
  end)
  after_each(function() os.remove(path) end)

  for name, make in pairs(keras) do
    it("gives Keras's outputs for " .. name .. " and writes its weights back", function()
      local case = golden.keras.cases[name]
      local x, state = tensor_of(case.x), state_of(case)
      local model = built(x, make())
      assert(native.save_npz(path, state))
      assert(interop.keras.load(model, path))
      assert.near_all(case.y, model:predict(x), helper.double and 1e-6 or 3e-6)
      -- As numpy.savez(path, *model.get_weights()) writes them.
      local ordered = {}
      for i, key in ipairs(case.order) do ordered[("arr_%d"):format(i - 1)] = state[key] end
      scramble(model)
      assert(native.save_npz(path, ordered))
      assert(interop.keras.load(model, path))
      assert.near_all(case.y, model:predict(x), helper.double and 1e-6 or 3e-6)
      assert(interop.keras.save(model, path))
      local written = assert(native.load_npz(path))
      for key, tensor in pairs(state) do
        local bare = key:match("/(.*)")
        assert.is_true(tensor:same(written[bare]), bare)
        written[bare] = nil
      end
      assert.is_nil(next(written))
    end)
  end

  it("renames by map, also what lies inside", function()
    local model = built(marea.zeros{ 1, 2, 3 }, nn.Bidirectional{ nn.GRU{ 2, name = "g" },
      name = "b" }, nn.Dense{ 1, name = "d" })
    local map = { b = "encoder", d = "" }
    assert(interop.keras.save(model, path, { map = map }))
    local names = assert(native.load_npz(path))
    assert.is_truthy(names["encoder/forward_g/gru_cell/kernel"])
    assert.is_truthy(names.bias)
    local before = model:get_weights()
    scramble(model)
    assert(interop.keras.load(model, path, { map = map }))
    for i, tensor in ipairs(model:get_weights()) do assert.is_true(tensor:same(before[i])) end
  end)

  it("refuses layers that Keras does not have, by name", function()
    local words = nn.Embedding{ 4, 3 }
    for class, layer in pairs{ SimpleGRU = nn.SimpleGRU{ 2, name = "x" }, CRF = nn.CRF{ 3, name = "x" },
      MinimalGatedUnit = nn.MinimalGatedUnit{ 2, name = "x" }, Elman = nn.Elman{ 2, name = "x" },
      AttentionPooling1D = nn.AttentionPooling1D{ name = "x" },
      TiedDense = nn.TiedDense{ words, name = "x" } } do
      local model = built(marea.zeros({ 1, 2 }, { dtype = "int32" }), words, layer)
      local part = ('%s "x": Keras has no %s'):format(class, class)
      assert.fails("keras.save: " .. part, interop.keras.save, model, path)
      assert.fails("keras.load: " .. part, interop.keras.load, model, path)
    end
    local Own = nn.Layer:extend("KerasOwn", {
      build = function(self) self.w = self:add_weight{ name = "w", shape = { 1 } } end,
      call = function(self, x) return x * self.w end,
    })
    assert(interop.keras.save(built(marea.zeros{ 1, 2 }, Own{ name = "own" }), path))
    assert.is_truthy(native.load_npz(path)["own/w"])
  end)

  it("says how to load layers of other names, and that nothing fits", function()
    local function make(name) return built(marea.zeros{ 1, 3 }, nn.Dense{ 2, name = name }) end
    local a, b = make("dense"), make("dense_1")
    for _, room in ipairs{ interop.keras, interop.pytorch } do
      assert(room.save(a, path))
      for _, strict in ipairs{ true, false } do
        local report, message = room.load(b, path, { strict = strict })
        assert.is_nil(report)
        assert.match("unexpected: dense", message, 1, true)
        assert.match("if only the names differ, give the file's: map = { [\"dense_1\"] = \"…\" }", message,
          1, true)
      end
      assert.equal(1, assert(room.load(b, path, { map = { dense_1 = "dense" } })).loaded)
      assert.is_true(b.layers[1].kernel:same(a.layers[1].kernel))
      scramble(b)
    end
  end)

  it("lists what does not fit and refuses what it cannot read", function()
    local model = built(marea.zeros{ 1, 3 }, nn.Dense{ 2, name = "dense" })
    assert(native.save_npz(path, { ["m/dense/kernel"] = marea.ones{ 2, 3 },
      ["m/dense/gain"] = marea.ones{ 2 } }))
    local report, message = interop.keras.load(model, path)
    assert.is_nil(report)
    assert.match('missing: dense/bias (2), for Dense "dense". of another shape: dense/kernel is '
      .. '(2, 3), Dense "dense" expects (3, 2). unexpected: dense/gain', message, 1, true)
    assert.fails("numpy.savez", interop.keras.load, model, "model.weights.h5")
    assert.fails("numpy.savez", interop.keras.load, model, "model.keras")
    assert.fails("has no weights yet", interop.keras.save, marea.Sequential{ nn.Dense{ 2 } }, path)
    local writes = built(marea.zeros{ 1, 2, 3 }, nn.GRU{ 2, update = "write", name = "g" })
    assert.fails('GRU "g": option update has no counterpart in Keras', interop.keras.save, writes, path)
    assert.fails('map names the layer "x"', interop.keras.save, model, path, { map = { x = "y" } })
  end)
end)
