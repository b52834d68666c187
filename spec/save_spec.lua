local json = require "marea.json"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises = marea.nn, support.near, support.raises

local function with_path(f)
  local path = os.tmpname()
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

local function corpus(n, width)
  local x, y = {}, {}
  for i = 1, n do
    x[i], y[i] = {}, i % 2
    for t = 1, width do x[i][t] = (i * 7 + t * t * 3) % 9 + 1 end
  end
  return marea.tensor(x, { dtype = "int32" }), marea.tensor(y)
end

-- Every kind of state that there is: dropout of each sort, a bidirectional and a stateful layer.
local function rich_model(optimizer)
  return marea.Sequential{
    nn.Embedding{ 10, 4, mask_zero = true, embeddings_regularizer = "l2" },
    nn.SpatialDropout1D{ .2 },
    nn.Bidirectional{ nn.LSTM{ 3, return_sequences = true, dropout = .2, recurrent_dropout = .2 } },
    nn.LayerNormalization{},
    nn.GRU{ 3, stateful = true, reset_after = false },
    nn.Dropout{ .3 },
    nn.Dense{ 1, activation = "sigmoid", kernel_constraint = nn.constraints.MaxNorm{ 2 } },
  }:compile{ optimizer = optimizer, loss = marea.losses.BinaryCrossentropy{ label_smoothing = .1 },
    metrics = { "accuracy", marea.metrics.AUC{ num_thresholds = 50 } } }
end

local optimizers = {
  SGD = function() return marea.optim.SGD{ learning_rate = .05, momentum = .9, clipnorm = 1 } end,
  Adam = function() return marea.optim.Adam{ learning_rate = .01, amsgrad = true } end,
  RMSprop = function() return marea.optim.RMSprop{ centered = true, momentum = .5 } end,
  Nadam = function()
    return marea.optim.Nadam{ learning_rate = marea.optim.schedules.ExponentialDecay{
      initial_learning_rate = .01, decay_steps = 3, decay_rate = .9 } }
  end,
}

local function same_weights(a, b)
  local list = b:get_weights()
  for i, tensor in ipairs(a:get_weights()) do
    if not tensor:same(list[i]) then return false, i end
  end
  return true
end

describe("a saved model", function()
  local x, y = corpus(40, 5)
  local function options(first, last)
    return { epochs = last, initial_epoch = first, batch_size = 8, verbose = 0 }
  end

  for name, make in pairs(optimizers) do
    it("trains on bit for bit as if it had not stopped: " .. name, function()
      with_path(function(path)
        marea.manual_seed(11)
        local whole = rich_model(make())
        local reference = whole:fit(x, y, options(0, 4))
        marea.manual_seed(11)
        local first = rich_model(make())
        first:fit(x, y, options(0, 2))
        assert(first:save(path))
        marea.manual_seed(99) -- what happens outside makes no difference
        local second = assert(marea.load(path))
        assert.equal(2, second.epoch)
        local history = second:fit(x, y, options(second.epoch, 4))
        assert.same({ 3, 4 }, history.epoch)
        for key, values in pairs(history.history) do
          assert.equal(reference.history[key][3], values[1], key)
          assert.equal(reference.history[key][4], values[2], key)
        end
        assert.is_true(same_weights(whole, second))
        assert.equal(whole.optimizer.iterations, second.optimizer.iterations)
        -- and the first one was not disturbed by being saved
        first:fit(x, y, options(2, 4))
        assert.is_true(same_weights(whole, first))
      end)
    end)
  end

  it("predicts the same, keeps names and configuration", function()
    with_path(function(path)
      local model = rich_model(optimizers.Adam())
      model:fit(x, y, options(0, 1))
      model:reset_states()
      assert(model:save(path))
      local loaded = assert(marea.load(path))
      assert.is_true(model:predict(x, { batch_size = 8 }):same(loaded:predict(x, { batch_size = 8 })))
      for i, layer in ipairs(model.layers) do
        assert.equal(layer.name, loaded.layers[i].name)
        assert.same(layer:get_config(), loaded.layers[i]:get_config())
      end
      assert.equal(.1, loaded.loss.config.label_smoothing)
      assert.equal(50, loaded.metric_specs[2].num_thresholds)
      assert(loaded:save(path)) -- and once more
      assert(marea.load(path))
      local tensors = native.load_tensors(path)
      assert.truthy(tensors[model.layers[5].name .. "/recurrent_kernel"])
    end)
  end)

  it("may leave the optimizer out", function()
    with_path(function(path)
      local model = rich_model(optimizers.Adam())
      model:fit(x, y, options(0, 1))
      assert(model:save(path, { include_optimizer = false }))
      for name in pairs((native.load_tensors(path))) do
        assert.is_nil(name:match("^optimizer/"))
      end
      raises(function() marea.load(path):fit(x, y) end, "compile")
    end)
  end)

  it("does not disturb the numbering of random streams when it is loaded", function()
    with_path(function(path)
      local model = rich_model(optimizers.Adam())
      model:build{ -1, 5 }
      assert(model:save(path))
      local seed, made = native.seed_state()
      assert(marea.load(path))
      assert.same({ seed, made }, { native.seed_state() })
    end)
  end)

  it("keeps its weights apart from its architecture if you like", function()
    with_path(function(path)
      local function make()
        return marea.Sequential{ nn.Dense{ 2, name = "a" }, nn.Dense{ 1, name = "b" } }:build{ -1, 3 }
      end
      local one, two = make(), make()
      assert(one:save_weights(path))
      assert.is_true(two:load_weights(path))
      assert.is_true(same_weights(one, two))
      local other = marea.Sequential{ nn.Dense{ 2, name = "a" }, nn.Dense{ 3, name = "b" } }
      other:build{ -1, 3 }
      local before = other:get_weights()
      local ok, message = other:load_weights(path)
      assert.is_nil(ok)
      assert.truthy(message:find('"b/kernel" is (2, 1)', 1, true), message)
      assert.is_true(before[1]:same(other:get_weights()[1]))
    end)
  end)
end)

describe("a model with a tokenizer", function()
  local texts = { "¡Qué buena película!", "una película mala", "muy buena", "mala, muy mala" }

  local function reader()
    local tokenizer = marea.text.Tokenizer{ num_words = 20, oov_token = "<oov>" }
    tokenizer:fit_on_texts(texts)
    local model = marea.Sequential{ nn.Embedding{ 20, 4, mask_zero = true }, nn.GRU{ 3 },
      nn.Dense{ 1, activation = "sigmoid" } }
    model:compile{ loss = "binary_crossentropy" }
    model.tokenizer, model.maxlen = tokenizer, 4
    model:fit(texts, { 1, 0, 1, 0 }, { verbose = 0 })
    return model
  end

  it("reads raw text after loading, as before", function()
    with_path(function(path)
      local model = reader()
      assert(model:save(path))
      local loaded = assert(marea.load(path))
      local reference = model:predict_text(texts)
      assert.is_true(reference:same(loaded:predict_text(texts)))
      assert.is_true(reference:same(loaded:predict(texts)))
      assert.same({ 1, 1 }, loaded:predict_text("una sola"):shape())
      assert.equal(4, loaded.maxlen)
      near(loaded:predict_text{ "buena" }, loaded:predict_text{ "BUENA" })
    end)
  end)

  it("reads raw text in a fresh process", function()
    with_path(function(path)
      local model = reader()
      assert(model:save(path))
      local program = arg and arg[-1]
      if not program or not program:match("marea") then return end
      local code = ([[
        local model = assert(require("marea").load(%q))
        io.write(("%%.17g"):format(model:predict_text{ %q }:item()))]]):format(path, texts[1])
      local process = io.popen(("%s -e '%s'"):format(program, code:gsub("'", "'\\''")))
      local answer = process:read("a")
      process:close()
      assert.equal(("%.17g"):format(model:predict_text{ texts[1] }:item()), answer)
    end)
  end)

  it("refuses texts that are none, and a changed vocabulary", function()
    with_path(function(path)
      local model = reader()
      raises(function() model:predict_text{ "a", 3 } end, "text 2", "number 3")
      raises(function() model:predict "a text" end, "bare string")
      assert(model:save(path))
      local tensors, metadata = native.load_tensors(path)
      metadata.tokenizer = metadata.tokenizer:gsub("buena", "buene")
      assert(native.save_tensors(path, tensors, metadata))
      local loaded, message = marea.load(path)
      assert.is_nil(loaded)
      assert.truthy(message:find("hash", 1, true), message)
    end)
  end)
end)

describe("layers of one's own", function()
  local x = support.numbers{ 4, 3 }

  local function define()
    return nn.Layer:extend("SpecGate", {
      options = { start = 2 },
      build = function(self, shape)
        self.inner = nn.Dense{ shape[#shape], name = "inner" }
        self.children = { self.inner }
        self.inner:build(shape)
        self.gate = self:add_weight{ name = "gate", shape = { shape[#shape] }, initializer = "ones" }
      end,
      call = function(self, input) return self.inner(input) * self.gate * self.start end,
    })
  end

  it("are saved and loaded like any other, with layers inside", function()
    with_path(function(path)
      local Gate = define()
      local model = marea.Sequential{ Gate{ start = 3, name = "mine" }, nn.Dense{ 1 } }
      model:compile{ loss = "mse", optimizer = "adam" }
      model:fit(x, { 1, 2, 3, 4 }, { epochs = 2, verbose = 0 })
      assert(model:save(path))
      local loaded = assert(marea.load(path))
      assert.equal(3, loaded.layers[1].start)
      assert.is_true(same_weights(model, loaded))
      assert.is_true(model:predict(x):same(loaded:predict(x)))
      model:fit(x, { 1, 2, 3, 4 }, { epochs = 3, initial_epoch = 2, verbose = 0 })
      loaded:fit(x, { 1, 2, 3, 4 }, { epochs = 3, initial_epoch = 2, verbose = 0 })
      assert.is_true(same_weights(model, loaded))
    end)
  end)

  it("must be known where they are loaded", function()
    with_path(function(path)
      define()
      local model = marea.Sequential{ require("marea.nn.registry").find("SpecGate"){}, nn.Dense{ 1 } }
      model:build{ -1, 3 }
      assert(model:save(path))
      local tensors, metadata = native.load_tensors(path)
      metadata.architecture = metadata.architecture:gsub("SpecGate", "Unheard")
      assert(native.save_tensors(path, tensors, metadata))
      local loaded, message = marea.load(path)
      assert.is_nil(loaded)
      assert.truthy(message:find('"Unheard" is not known here', 1, true), message)
    end)
  end)
end)

describe("saving refuses", function()
  it("models without weights, and functions as options", function()
    raises(function() marea.Sequential{ nn.Dense{ 1 } }:save("x") end, "no weights yet")
    local model = marea.Sequential{ nn.Dense{ 1, activation = function(x) return x end, name = "d" } }
    model:build{ -1, 2 }
    raises(function() model:save("x") end, 'Dense "d"', "activation", "function")
    local lambda = marea.Sequential{ nn.Lambda(function(x) return x end) }:build{ -1, 2 }
    raises(function() lambda:save("x") end, "Lambda", "function")
  end)

  it("a folder that is not there: nil and a message", function()
    local model = marea.Sequential{ nn.Dense{ 1 } }:build{ -1, 2 }
    local ok, message = model:save("/nowhere/at/all")
    assert.is_nil(ok)
    assert.truthy(message:find("/nowhere/at/all", 1, true), message)
  end)

  it("a loss of one's own: the rest is saved, and it says so", function()
    with_path(function(path)
      local model = marea.Sequential{ nn.Dense{ 1 } }
      model:compile{ loss = function(y, p) return (y - p):abs() end }
      model:fit({ { 1 } }, { 1 }, { verbose = 0 })
      local text = support.stderr_of(function() assert(model:save(path)) end)
      assert.truthy(text:find("compile", 1, true))
      assert.is_true(same_weights(model, (assert(marea.load(path)))))
    end)
  end)

  it("a full disk: the old file stays whole", function()
    local full = io.open("/dev/full", "w")
    if not full then return end
    full:close()
    local model = marea.Sequential{ nn.Dense{ 1 } }:build{ -1, 2 }
    local ok, message = model:save("/dev/full/model")
    assert.is_nil(ok)
    assert.is_string(message)
  end)
end)

describe("broken files", function()
  local function small()
    local model = marea.Sequential{ nn.Embedding{ 5, 2, name = "e" }, nn.GRU{ 2, name = "g" },
      nn.Dense{ 1, name = "d" } }
    model:compile{ loss = "mse", optimizer = marea.optim.SGD{ momentum = .9 } }
    model:fit(marea.tensor({ { 1, 2 } }, { dtype = "int32" }), { 1 }, { verbose = 0 })
    return model
  end

  local function bytes_of(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    return text
  end

  local function write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  it("that are missing or no model give nil and a message with the path", function()
    local model, message = marea.load("/nowhere/model")
    assert.is_nil(model)
    assert.truthy(message:find("/nowhere/model", 1, true))
    raises(function() marea.load(3) end, "path must be a string")
    with_path(function(path)
      assert(native.save_tensors(path, { a = marea.ones{ 2 } }, {}))
      model, message = marea.load(path)
      assert.is_nil(model)
      assert.truthy(message:find("is not a model", 1, true))
    end)
  end)

  it("that are cut anywhere give nil and a message", function()
    with_path(function(path)
      assert(small():save(path))
      local whole = bytes_of(path)
      for length = 0, #whole - 1, 37 do
        write(path, whole:sub(1, length))
        local model, message = marea.load(path)
        assert.is_nil(model)
        assert.is_string(message)
      end
    end)
  end)

  it("with any byte changed load or give a message, and never crash", function()
    with_path(function(path)
      assert(small():save(path))
      local whole = bytes_of(path)
      for at = 1, #whole, 11 do
        local changed = string.char((whole:byte(at) + 1 + at % 250) % 256)
        write(path, whole:sub(1, at - 1) .. changed .. whole:sub(at + 1))
        local model, message = marea.load(path)
        assert.is_true(model ~= nil or type(message) == "string")
      end
    end)
  end)

  -- What a hostile or mistaken file may hold; each change, and a part of the message.
  local cases = {
    { "a weight is missing", '"g/kernel" is missing', function(t) t["g/kernel"] = nil end },
    { "a weight has another shape", '"d/kernel" is (3, 1), the architecture expects (2, 1)',
      function(t) t["d/kernel"] = marea.ones{ 3, 1 } end },
    { "a weight holds ids", "whole numbers",
      function(t) t["d/kernel"] = marea.zeros({ 2, 1 }, { dtype = "int32" }) end },
    { "a tensor too many", '"more" belongs to nothing', function(t) t.more = marea.ones{ 1 } end },
    { "a slot is missing", "momentum", function(t)
      for name in pairs(t) do if name:match("^optimizer/d/kernel") then t[name] = nil end end
    end, true },
    { "no architecture", "no architecture", function(_, m) m.architecture = nil end },
    { "JSON that is none", "JSON", function(_, m) m.architecture = "{" end },
    { "JSON of another kind", "JSON object", function(_, m) m.architecture = "3" end },
    { "another class", "expected a Sequential", function(_, m)
      m.architecture = json.encode{ class_name = "Dense", config = { units = 3 } }
    end },
    { "units beyond memory", "is (5, 2), the architecture expects", function(_, m)
      m.architecture = m.architecture:gsub('"input_dim":5', '"input_dim":1000000000000')
    end },
    { "a negative size", "input_dim", function(_, m)
      m.architecture = m.architecture:gsub('"input_dim":5', '"input_dim":-5')
    end },
    { "an option that does not exist", "unknown option", function(_, m)
      m.architecture = m.architecture:gsub('"input_dim":5', '"input_dim":5,"evil":1')
    end },
    { "code where a name is due", "activation", function(_, m)
      m.architecture = m.architecture:gsub('"activation":"tanh"', '"activation":"os.exit()"')
    end },
    { "layers that are no list", "", function(_, m)
      m.architecture = json.encode{ class_name = "Sequential", config = { layers = 3 } }
    end },
    { "no input shape", "input shape", function(_, m)
      local description = json.decode(m.architecture)
      description.input_shape = nil
      m.architecture = json.encode(description)
    end },
    { "a training state of another kind", "training", function(_, m) m.training = '{"epoch":"x"}' end },
    { "a stream of another kind", "stream", function(_, m)
      m.training = m.training:gsub('%[[-%d]+,[-%d]+,[-%d]+%]', '["a",{},1.5]')
    end },
    { "a loss that does not exist", "unknown loss", function(_, m)
      m.compile = m.compile:gsub("mean_squared_error", "os_execute")
    end },
    { "an optimizer that does not exist", "optimizer", function(_, m)
      m.compile = m.compile:gsub('"SGD"', '"SGDD"')
    end },
    { "compile arguments of another kind", "", function(_, m) m.compile = "[]" end },
    { "a tokenizer of another kind", "tokenizer", function(_, m) m.tokenizer = '{"words":3}' end },
  }
  for _, case in ipairs(cases) do
    it("refuses: " .. case[1], function()
      with_path(function(path)
        assert(small():save(path))
        local tensors, metadata = native.load_tensors(path)
        case[3](tensors, metadata)
        assert(native.save_tensors(path, tensors, metadata))
        local model, message = marea.load(path)
        assert.is_nil(model)
        assert.truthy(message:find(case[2], 1, true) and message:find(path, 1, true), message)
      end)
    end)
  end
end)
