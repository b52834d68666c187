-- The functional Model: graphs, several inputs and outputs, shared layers, files.
local json = require "marea.json"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function ids(rows, width, phase)
  local list = {}
  for i = 1, rows do
    list[i] = {}
    for t = 1, width do list[i][t] = t > i % width + 1 and 0 or (i * 7 + t * t * 3 + phase) % 9 + 1 end
  end
  return marea.tensor(list, { dtype = "int32" })
end

local function data(rows)
  local topic, good = {}, {}
  for i = 1, rows do topic[i], good[i] = i % 3, i % 2 end
  return { title = ids(rows, 4, 0), body = ids(rows, 6, 2) },
    { topic = marea.tensor(topic, { dtype = "int32" }), good = marea.tensor(good) }
end

-- Two inputs, two outputs, a shared Embedding and every kind of random stream.
local function reader()
  local title = marea.Input{ { 4 }, dtype = "int32", name = "title" }
  local body = marea.Input{ { -1 }, dtype = "int32", name = "body" }
  local words = nn.Embedding{ 10, 3, mask_zero = true, name = "words" }
  local a = nn.LSTM{ 3, dropout = .2 }(words(title))
  local b = nn.Bidirectional{ nn.GRU{ 2, recurrent_dropout = .2 } }(nn.GaussianNoise{ .1 }(words(body)))
  local both = nn.Dropout{ .3 }(nn.Concatenate{}{ a, b })
  return marea.Model{ inputs = { title, body }, outputs = {
    topic = nn.Dense{ 3, activation = "softmax", name = "topic" }(both),
    good = nn.Dense{ 1, activation = "sigmoid", name = "good" }(both) } }
end

local function compiled()
  return reader():compile{ optimizer = marea.optim.Adam{ learning_rate = .01 },
    loss = { topic = "sparse_categorical_crossentropy", good = "binary_crossentropy" },
    metrics = { topic = { "accuracy" }, good = { "accuracy", "auc" } }, loss_weights = { good = .5 } }
end

local function with_path(f)
  local path = os.tmpname()
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

local function same_weights(a, b)
  local list = b:get_weights()
  assert.equal(#list, #a:get_weights())
  for i, tensor in ipairs(a:get_weights()) do
    if not tensor:same(list[i]) then return false end
  end
  return true
end

describe("a Model", function()
  it("computes what its layers compute", function()
    local a, b = marea.Input{ { 3 } }, marea.Input{ { 3 } }
    local dense = nn.Dense{ 2, activation = "tanh" }
    local model = marea.Model{ inputs = { a, b }, outputs = nn.Add{}{ dense(a), dense(b) } }
    local x, y = numbers{ 2, 3 }, numbers({ 2, 3 }, 1)
    assert.is_true(model{ x, y }:same(dense(x) + dense(y)))
    assert.equal(2, #model:parameters()) -- shared weights come once
    local tape <close> = marea.tape()
    tape:backward(model{ x, y }:sum())
    local both = dense:get_gradients()[1]:clone()
    local parts = marea.zeros{ 3, 2 }
    for _, part in ipairs{ x, y } do
      local inner <close> = marea.tape()
      inner:backward(dense(part):sum())
      parts = (parts + dense:get_gradients()[1]):clone()
    end
    near(both, parts, 1e-5)
  end)

  it("knows shapes when it is made", function()
    local x = marea.Input{ { -1, 5 } }
    local y, h, c = nn.LSTM{ 4, return_sequences = true, return_state = true }(x)
    assert.same({ -1, -1, 4 }, y:shape())
    assert.same({ -1, 4 }, c:shape())
    assert.same({ -1, -1, 8 }, nn.Concatenate{}{ y, y }:shape())
    assert.same({ -1, 4 }, (h + c):shape())
    assert.same({ -1, 4, -1 }, nn.Permute{ { 2, 1 } }(y):shape())
    assert.truthy(tostring(y):find("(batch, any, 4)", 1, true))
  end)

  it("hands states and masks on", function()
    local x = marea.Input{ { -1 }, dtype = "int32" }
    local z = marea.Input{ { 4, 3 } }
    local e = nn.Embedding{ 10, 3, mask_zero = true, name = "ids" }(x)
    local _, h, c = nn.LSTM{ 3, return_state = true, name = "encoder" }(e)
    local decoder = nn.LSTM{ 3, return_sequences = true, name = "decoder" }
    local model = marea.Model{ inputs = { x, z }, outputs = decoder(z, { initial_state = { h, c } }) }
    local short, long = marea.tensor({ { 3, 4 } }, { dtype = "int32" }), marea.tensor({ { 3, 4, 0, 0, 0 } },
      { dtype = "int32" })
    local embedding, encoder = model:get_layer "ids", model:get_layer "encoder"
    local _, hs, cs = encoder(embedding(short))
    local input = numbers{ 1, 4, 3 }
    near(decoder(input, { initial_state = { hs, cs } }), model{ long, input })
    local flat = marea.Model{ inputs = x, outputs = nn.Flatten{ name = "flat" }(e) }
    raises(function() flat(long) end, 'Flatten "flat"', "mask")
  end)

  it("hands a mask on with both outputs of a Bidirectional that does not merge", function()
    local x = marea.Input{ { -1 }, dtype = "int32" }
    local e = nn.Embedding{ 10, 3, mask_zero = true }(x)
    local a, b = nn.Bidirectional{ nn.GRU{ 2, return_sequences = true }, merge_mode = "none" }(e)
    assert.same({ -1, -1, 2 }, b:shape())
    local model = marea.Model{ inputs = x, outputs = nn.LSTM{ 2 }(b - a) }
    near(model(marea.tensor({ { 3, 4 } }, { dtype = "int32" })),
      model(marea.tensor({ { 3, 4, 0 } }, { dtype = "int32" })))
  end)

  it("reads texts by its tokenizer", function()
    local tokenizer = marea.text.Tokenizer{ num_words = 20, oov_token = "<oov>" }
    tokenizer:fit_on_texts{ "el mar sube", "el mar baja" }
    local x = marea.Input{ { 4 }, dtype = "int32" }
    local pooled = nn.GlobalAveragePooling1D{}(nn.Embedding{ 20, 3, mask_zero = true }(x))
    local model = marea.Model{ inputs = x, outputs = nn.Dense{ 1, activation = "sigmoid" }(pooled) }
    model.tokenizer = tokenizer
    with_path(function(path)
      assert(model:save(path))
      local loaded = assert(marea.load(path))
      assert.is_true(loaded:predict_text("el mar sube"):same(model:predict({ "el mar sube" })))
      assert.equal(1, #loaded:predict_classes{ "el mar" })
    end)
  end)

  it("nests in models, and holds Sequentials", function()
    local x = marea.Input{ { 3 } }
    local inner = marea.Model{ inputs = x, outputs = { nn.Dense{ 2 }(x), nn.Dense{ 4 }(x) }, name = "inner" }
    local y = marea.Input{ { 3 } }
    local a, b = inner(y)
    assert.same({ -1, 4 }, b:shape())
    local head = marea.Sequential{ nn.Dense{ 2 }, nn.Dense{ 1 }, name = "head" }
    local model = marea.Model{ inputs = y, outputs = nn.Add{}{ head(a), nn.Dense{ 1 }(b) } }
    assert.equal(10, #model:parameters())
    assert.truthy(model:parameters()["inner/" .. inner.layers[2].name .. "/kernel"])
    with_path(function(path)
      assert(model:save(path))
      local loaded = assert(marea.load(path))
      local input = numbers{ 5, 3 }
      assert.is_true(loaded:predict(input):same(model:predict(input)))
    end)
  end)

  it("has the weights of a layer once that stands inside and outside of a model in it", function()
    local x, shared = marea.Input{ { 3 } }, nn.Dense{ 3, kernel_regularizer = "l2" }
    local inner = marea.Model{ inputs = x, outputs = shared(x), name = "inner" }
    local y = marea.Input{ { 3 } }
    local model = marea.Model{ inputs = y, outputs = shared(inner(y)) }
    assert.equal(2, #model:parameters())
    assert.equal(12, (model:count_params()))
    assert.equal(1, #model:losses())
  end)

  it("counts the losses of every call of a shared layer", function()
    local a, b = marea.Input{ { 2 } }, marea.Input{ { 2 } }
    local penalty = nn.ActivityRegularization{ l2 = 1 }
    local model = marea.Model{ inputs = { a, b }, outputs = nn.Add{}{ penalty(a), penalty(b) } }
    model:compile{ loss = "mse" }
    near(1 + 4, model:evaluate({ { { 1, 0 } }, { { 0, 2 } } }, { { 1, 2 } }).loss)
    near(1 + 4, model:evaluate({ { { 1, 0 } }, { { 0, 2 } } }, { { 1, 2 } }).loss) -- and not those before
  end)

  it("shows its connections", function()
    local lines = {}
    reader():summary(function(line) lines[#lines + 1] = line end)
    local text = table.concat(lines, "\n")
    assert.truthy(text:find("Connected to", 1, true))
    assert.truthy(text:find("words %(Embedding%) +%(batch, 4, 3%) +30 +title"))
    assert.truthy(text:find("shared +body"))
  end)
end)

describe("training with several inputs and outputs", function()
  local x, y = data(24)
  local quiet = { epochs = 2, verbose = 0, batch_size = 8 }

  it("weighs losses and logs them by output", function()
    local model = compiled()
    local result = model:evaluate(x, y)
    near(result.topic_loss + .5 * result.good_loss, result.loss, 1e-5)
    assert.truthy(result.topic_accuracy and result.good_auc)
    assert.equal(result.loss, result[1])
    local history = model:fit(x, y, { epochs = 30, verbose = 0, batch_size = 8, validation_split = .25 })
    assert.is_true(history.loss[30] < history.loss[1])
    assert.equal(30, #history.val_topic_loss)
  end)

  it("takes lists as well as names", function()
    local model = compiled()
    local a = model:evaluate(x, y)
    local b = model:evaluate({ x.title, x.body }, { y.good, y.topic }) -- outputs by name: in their order
    assert.equal(a.loss, b.loss)
    local p = model:predict(x, { batch_size = 5 })
    assert.same({ 24, 3 }, p.topic:shape())
    assert.is_true(p[1]:same(p.good))
  end)

  it("weighs samples by output", function()
    local model = compiled()
    local half = {}
    for i = 1, 24 do half[i] = .5 end
    local a, b = model:evaluate(x, y), model:evaluate(x, y, { sample_weight = { topic = half } })
    near(a.topic_loss * .5, b.topic_loss, 1e-5)
    near(a.good_loss, b.good_loss, 1e-6)
    near(a.loss * .5, model:evaluate(x, y, { sample_weight = half }).loss, 1e-5)
  end)

  it("may leave an output without a loss", function()
    local model = reader():compile{ loss = { good = "bce" } }
    model:fit(x, { good = y.good }, quiet)
    raises(function() model:fit(x, { topic = y.topic }, quiet) end, 'y "good" is missing')
  end)

  it("goes on from its file bit for bit", function()
    with_path(function(path)
      marea.manual_seed(3)
      local whole = compiled()
      whole:fit(x, y, { epochs = 4, verbose = 0, batch_size = 8 })
      marea.manual_seed(3)
      local first = compiled()
      first:fit(x, y, { epochs = 2, verbose = 0, batch_size = 8 })
      assert(first:save(path))
      local seed, made = native.seed_state()
      local second = assert(marea.load(path))
      assert.same({ seed, made }, { native.seed_state() })
      second:fit(x, y, { epochs = 4, initial_epoch = 2, verbose = 0, batch_size = 8 })
      assert.is_true(same_weights(whole, second))
      assert.same({ "good", "topic" }, second:output_names())
      local p, q = whole:predict(x), second:predict(x)
      assert.is_true(p.topic:same(q.topic) and p.good:same(q.good))
    end)
  end)

  it("leaves nothing behind", function()
    local function once() compiled():fit(x, y, quiet) end
    once()
    require("spec.helper").leak_check(once)
  end)

  it("says what does not fit", function()
    local model = compiled()
    raises(function() model:fit(x.title, y, quiet) end, "x must be a list of 2", '"title", "body"')
    raises(function() model:fit({ title = x.title }, y, quiet) end, 'x lacks "body"')
    raises(function() model:fit({ title = x.title, text = x.body }, y, quiet) end, 'no "text"')
    raises(function() model:fit({ x.title, x.body:narrow(1, 1, 3) }, y, quiet) end, 'x "body" has 3')
    raises(function() model:fit(x, y, { class_weight = { 1 }, verbose = 0 }) end, "class_weight")
    raises(function() model:fit(x, y, { bucket_by_length = true, verbose = 0 }) end, "one input")
    raises(function()
      model:fit(x, { good = y.good, topic = marea.full({ 24 }, 7, { dtype = "int32" }) }, quiet)
    end, 'output "topic"', "class 7", "allowed are 0 to 2")
    raises(function() reader():compile{ loss = { tpoic = "mse" } } end, 'no "tpoic"', '"topic"')
    raises(function() reader():compile{ loss = "mse", metrics = "accuracy" } end, "metrics", "2 outputs")
    raises(function() model:predict_classes(x) end, "several outputs")
  end)
end)

describe("a graph that does not fit", function()
  local a, b = marea.Input{ { 3 }, name = "a" }, marea.Input{ { 4 }, name = "b" }

  it("is refused when it is made, naming the layer", function()
    raises(function() nn.Add{ name = "sum" }{ a, b } end, 'Add "sum"', "(1, 3), (1, 4)", "axis 2")
    raises(function() nn.Dense{ 2, name = "d" }{ a, b } end, 'Dense "d"', "list of 2", "Concatenate")
    raises(function() nn.Flatten{ name = "f" }(marea.Input{ { 2 ^ 20, 2 ^ 20 } }) end, 'Flatten "f"', "too large")
    raises(function() nn.LSTM{ 2, name = "l" }(a) end, 'LSTM "l"', "(batch, time, features)")
    local dense = nn.Dense{ 2, name = "shared" }
    dense(a)
    raises(function() dense(b) end, 'Dense "shared"', "expects 3 features")
    raises(function() nn.Add{ name = "sum" }{ a, marea.ones{ 2, 3 } } end, 'Add "sum"', "input 2", "symbolic")
    raises(function() nn.Add{}(marea.ones{ 2, 3 }) end, "two inputs or more, got one input")
    raises(function() nn.Dense{ 2 }(a, { mask = marea.ones{ 1, 3 } }) end, "masks go through a Model")
  end)

  it("is refused when inputs and outputs do not belong together", function()
    local y = nn.Add{}{ nn.Dense{ 2 }(a), nn.Dense{ 2 }(b) }
    raises(function() marea.Model{ inputs = a, outputs = y } end, 'Input "b"', "not among the inputs")
    raises(function() marea.Model{ inputs = { a, b }, outputs = nn.Dense{ 2 }(a) } end, '"b"', "no output")
    raises(function() marea.Model{ inputs = { y }, outputs = nn.Dense{ 2 }(y) } end, "marea.Input")
    raises(function() marea.Model{ inputs = { a, a }, outputs = nn.Dense{ 2 }(a) } end, "listed twice")
    raises(function() marea.Model{ inputs = 3, outputs = y } end, "symbolic")
    local one, two = nn.Dense{ 2, name = "twin" }, nn.Dense{ 2, name = "twin" }
    raises(function() marea.Model{ inputs = a, outputs = two(one(a)) } end, 'two layers named "twin"')
    local model = marea.Model{ inputs = { a, b }, outputs = y }
    raises(function() model(marea.ones{ 1, 3 }) end, "has 2 inputs", "one tensor")
    raises(function() model{ marea.ones{ 1, 3 }, marea.ones{ 1, 5 } } end, 'Input "b"', "(1, 5)")
  end)

  it("is refused when it comes from a file", function()
    local model = marea.Model{ inputs = { a }, outputs = nn.Dense{ 2, name = "d" }(a) }
    local function broken(change)
      with_path(function(path)
        assert(model:save(path))
        local tensors, texts = native.load_tensors(path)
        local architecture = json.decode(texts.architecture)
        change(architecture.config)
        texts.architecture = json.encode(architecture)
        assert(native.save_tensors(path, tensors, texts))
        local loaded, message = marea.load(path)
        assert.is_nil(loaded)
        assert.truthy(message:find("graph of a Model", 1, true) or message:find("malformed", 1, true)
          or message:find("outputs", 1, true), message)
      end)
    end
    broken(function(c) c.nodes[2].inputs[1].node = 2 end) -- itself
    broken(function(c) c.nodes[2].inputs[1].node = 9 end)
    broken(function(c) c.nodes[2].layer = "nobody" end)
    broken(function(c) c.nodes[2].call = { mask = true } end)
    broken(function(c) c.outputs[1].output = 3 end)
    broken(function(c) c.outputs = nil end)
    broken(function(c) c.nodes = 3 end)
    broken(function(c) c.inputs[1].node = 2 end)
    broken(function(c) c.output_names = { 1 } end)
  end)
end)

describe("TiedDense", function()
  local function make()
    local words = nn.Embedding{ 6, 3, name = "words" }
    return marea.Sequential{ words, nn.GRU{ 3, return_sequences = true }, nn.TiedDense{ words, name = "out" } }
  end

  it("uses the table of an Embedding; the gradients of both uses add up", function()
    local words = nn.Embedding{ 6, 3 }
    local out = nn.TiedDense{ words, use_bias = false }
    local x = marea.tensor({ { 1, 2, 1 } }, { dtype = "int32" })
    out(words(x))
    assert.equal(0, #out:parameters())
    local weights = numbers{ 1, 3, 6 }
    local ok, report = marea.gradcheck(function() return (out(words(x)) * weights):sum() end,
      { words:parameters().embeddings })
    assert.is_true(ok, report.numeric)
  end)

  it("is saved with the table once, and trained on", function()
    with_path(function(path)
      local x, y = ids(8, 4, 0), marea.zeros({ 8, 4 }, { dtype = "int32" })
      local model = make():compile{ loss = marea.losses.SparseCategoricalCrossentropy{ from_logits = true } }
      x = native.cast(native.clip(native.cast(x, "real"), 0, 5), "int32")
      model:fit(x, y, { verbose = 0 })
      assert(model:save(path))
      local count = 0
      for name in pairs((native.load_tensors(path))) do
        if name:find("^words/embeddings$") or name:find("^out/") then count = count + 1 end
      end
      assert.equal(2, count) -- the table and out's bias
      local loaded = assert(marea.load(path))
      model:fit(x, y, { verbose = 0, epochs = 2, initial_epoch = 1 })
      loaded:fit(x, y, { verbose = 0, epochs = 2, initial_epoch = 1 })
      assert.is_true(same_weights(model, loaded))
    end)
  end)

  it("says what is missing", function()
    raises(function() nn.TiedDense{ 3 } end, "nn.Embedding")
    raises(function() nn.TiedDense{ "words", name = "out" }(numbers{ 1, 3 }) end, 'TiedDense "out"', '"words"')
    raises(function() nn.TiedDense{ nn.Embedding{ 4, 2, name = "w" } }(numbers{ 1, 3 }) end, '"w"', "2 columns")
    local alone = marea.Sequential{ nn.TiedDense{ nn.Embedding{ 4, 3 } } }:build{ -1, 3 }
    raises(function() alone:save(os.tmpname()) end, "not in the model")
  end)
end)

describe("Lambda", function()
  it("is saved under the name of a registered function", function()
    nn.register_function("spec_double", function(x) return x * 2 end)
    local model = marea.Sequential{ nn.Dense{ 2 }, nn.Lambda{ "spec_double", mask = "pass" } }:build{ -1, 3 }
    with_path(function(path)
      assert(model:save(path))
      local x = numbers{ 2, 3 }
      assert.is_true(model:predict(x):same(assert(marea.load(path)):predict(x)))
      nn.register_function("spec_double", function(input) return input * 3 end, 2)
      local loaded, message = marea.load(path)
      assert.is_nil(loaded)
      assert.truthy(message:find("version 2, version 1 is needed", 1, true), message)
    end)
  end)

  it("says why it cannot be saved, and which name is unknown", function()
    local model = marea.Sequential{ nn.Lambda{ function(x) return x end, name = "mine" } }:build{ -1, 3 }
    raises(function() model:save(os.tmpname()) end, 'Lambda "mine"', "register_function")
    raises(function() nn.Lambda{ "spec_unknown" } end, '"spec_unknown"', "register_function")
    raises(function() nn.Lambda{ 3 } end, "function")
    local empty = nn.Lambda{ function() end, name = "empty" }
    raises(function() empty(marea.zeros{ 2, 3 }) end, 'Lambda "empty": f must return a tensor, result 1 is nil')
    raises(function() marea.Sequential{ nn.Lambda{ function() return 3 end }, nn.Dense{ 1 } }:build{ -1, 3 } end,
      "Lambda", "result 1 is number 3")
  end)
end)
