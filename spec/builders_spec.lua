-- The four builders: what they learn, what padding, batches and files must not change, the decoder
-- against its formulas, and their messages.
local marea = require "marea"
local support = require "spec.support"
local builders, near, raises = marea.builders, support.near, support.raises

local function path_of(name)
  return os.tmpname() .. name
end

local function saved(model)
  local path = path_of(".safetensors")
  assert(model:save(path))
  local loaded = assert(marea.load(path))
  os.remove(path)
  return loaded
end

local function ids(rows)
  return marea.tensor(rows, { dtype = "int32" })
end

-- Lists of 2 to 5 ids, and their reverses.
local function reversals(count)
  local sources, targets, state = {}, {}, 5
  for i = 1, count do
    sources[i], targets[i] = {}, {}
    local length = 2 + i % 4
    for t = 1, length do
      state = (state * 1103515245 + 12345) % 2147483648
      sources[i][t] = 1 + state // 65536 % 7
      targets[i][length - t + 1] = sources[i][t]
    end
  end
  return sources, targets
end

local function share_right(results, targets)
  local right = 0
  for i, row in ipairs(results) do
    if table.concat(row, " ") == table.concat(targets[i], " ") then right = right + 1 end
  end
  return right / #targets
end

local function reverser(given)
  marea.manual_seed(3)
  local read = { source = { vocabulary = 8, embedding = 12 }, target = { vocabulary = 8, embedding = 12 },
    units = 32, max_length = 6 }
  for name, value in pairs(given or {}) do read[name] = value end
  return builders.encoder_decoder(read)
end

describe("builders.encoder_decoder", function()
  for title, given in pairs{
    ["dot attention"] = { attention = "dot" },
    ["general attention over both directions"] = { attention = "general", bidirectional = true, cell = "gru" },
    ["additive attention, two layers"] = { attention = "additive", num_layers = 2 },
    ["scheduled sampling"] = { attention = "general", scheduled_sampling = { to = 0.25, epochs = 5 } },
  } do
    it("learns to reverse: " .. title, function()
      local sources, targets = reversals(600)
      local model = reverser(given)
      model:compile{ optimizer = marea.optim.Adam{ 0.004 } }
      local history = model:fit(sources, targets, { epochs = 20, verbose = 0 })
      assert.is_true(history.loss[20] < 0.2)
      assert.is_true(share_right(model:decode(sources), targets) > 0.95)
      assert.is_true(share_right(saved(model):decode(sources), targets) > 0.95)
    end)
  end

  it("says the same for one and for many sources, padded or not, by every method", function()
    local sources, targets = reversals(120)
    for _, given in ipairs{ {}, { attention = "general", bidirectional = true } } do
      local model = reverser(given)
      model:fit(sources, targets, { epochs = 4, verbose = 0 })
      local together = model:decode(sources, { batch_size = 50 })
      for i = 1, 20 do
        local alone = model:decode({ sources[i] })[1]
        assert.are.same(alone, together[i])
        assert.are.same(alone, model:decode({ sources[i] }, { method = "beam", width = 1, length_penalty = 0 })[1])
        assert.are.same(alone, model:decode({ sources[i] }, { method = "sample", temperature = 0 })[1])
      end
      local padded = marea.sequence.pad_sequences(sources, { padding = "pre", maxlen = 9 })
      assert.are.same(together, model:decode(padded))
    end
  end)

  it("gives the logits of a row whatever stands beside it", function()
    local model = reverser{ attention = "additive", bidirectional = true }
    local alone = model{ ids{ { 1, 2, 3 } }, ids{ { 8, 3, 2 } } }
    local beside = model{ ids{ { 1, 2, 3, 0, 0 }, { 4, 4, 4, 4, 4 } }, ids{ { 8, 3, 2, 0 }, { 8, 4, 4, 4 } } }
    near(alone:select(1, 1), beside:select(1, 1):narrow(1, 1, 3), 1e-5)
  end)

  it("samples the same for a seed and gives the best of a beam", function()
    local sources, targets = reversals(200)
    local model = reverser{ attention = "general" }
    model:fit(sources, targets, { epochs = 3, verbose = 0 })
    local function sample(seed) return model:decode(sources, { method = "sample", seed = seed }) end
    assert.are.same(sample(4), sample(4))
    assert.are_not.same(sample(4), sample(5))
    local found = model:decode({ sources[1] }, { method = "beam", width = 4, n_best = 3 })[1]
    assert.are.equal(3, #found)
    assert.is_true(found[1].score >= found[2].score and found[2].score >= found[3].score)
    assert.are.same(found[1].tokens, found[1].output)
  end)

  it("says neither padding nor the start mark, however little it has learnt", function()
    for seed = 1, 6 do
      marea.manual_seed(seed)
      local model = marea.builders.encoder_decoder{ source = { vocabulary = 6 },
        target = { vocabulary = 6, start = 1, stop = 2 }, units = 8, max_length = 6 }
      for _, method in ipairs{ "greedy", "beam", "sample" } do
        for _, said in ipairs(model:decode({ { 3, 4 }, { 5 } }, { method = method, seed = 1 })) do
          for _, id in ipairs(said) do assert.is_true(id > 2, method .. " says " .. id) end
        end
      end
    end
  end)

  it("shows where attention looked", function()
    local sources, targets = reversals(400)
    local model = reverser{ attention = "general" }
    model:fit(sources, targets, { epochs = 25, verbose = 0 })
    local said, weights = model:decode({ sources[3], sources[4] }, { attention = true })
    assert.are.equal(#said[1], #weights[1])
    for _, row in ipairs(weights[1]) do
      local sum = 0
      for t, weight in ipairs(row) do
        sum = sum + weight
        if t > #sources[3] then assert.are.equal(0, weight) end
      end
      near({ 1 }, { sum }, 1e-5)
    end
  end)

  it("is the composition of its layers", function()
    local model = reverser{ attention = "general", cell = "gru" }
    local source, previous = ids{ { 1, 5, 2, 0 }, { 3, 3, 3, 3 } }, ids{ { 8, 2, 4 }, { 8, 1, 1 } }
    local expected = marea.no_grad(function()
      local layer = function(name) return model:get_layer(name) end
      local mask = marea.tensor{ { 1, 1, 1, 0 }, { 1, 1, 1, 1 } }
      local h, last = layer "encoder_1"(layer "source_words"(source), { mask = mask, return_state = true })
      local s = layer "decoder_1"(layer "target_words"(previous), { initial_state = { last } })
      local scores = s:matmul(layer "attention_query".kernel):matmul(h:transpose())
      local hidden = (1 - mask):reshape{ 2, 1, 4 } * -1e9
      local context = (scores + hidden):softmax(3):matmul(h)
      local combine, out = layer "attention_combine", layer "scores"
      local joined = marea.concat({ context, s }, 3):matmul(combine.kernel) + combine.bias
      return joined:tanh():matmul(out.kernel) + out.bias
    end)
    near(expected, model({ source, previous }, { training = false }), 1e-5)
  end)

  it("has the gradients of its loss", function()
    if marea.precision ~= "double" then return pending("in the double build") end
    for _, given in ipairs{ { attention = "additive", bidirectional = true }, { attention = "general", cell = "gru" },
      { cell = "rnn", num_layers = 2 } } do
      given.units = 3
      given.source, given.target = { vocabulary = 5, embedding = 2 }, { vocabulary = 4, embedding = 2 }
      local model = reverser(given)
      support.scatter(model)
      local wanted = {}
      for _, tensor in pairs(model:parameters()) do wanted[#wanted + 1] = tensor end
      local ok, report = marea.gradcheck(function()
        local y = model({ ids{ { 1, 2, 0 }, { 3, 4, 1 } }, ids{ { 4, 1, 2 }, { 4, 3, 0 } } }, { training = true })
        return (y * support.numbers(y:shape(), 1)):sum()
      end, wanted)
      assert.is_true(ok, ("%g at input %s"):format(report.worst, report.input))
    end
  end)

  it("feeds itself as often as it is told to", function()
    local model = reverser{ attention = "general", scheduled_sampling = 1 }
    local decoder = model.decoder
    local source, previous = ids{ { 1, 5, 2 } }, ids{ { 8, 2, 4, 6 } }
    marea.no_grad(function()
      local begun = model:encode(source, false)
      near((decoder:run(previous, nil, begun.states, begun.memory, false)),
        decoder:run_scheduled(previous, nil, begun.states, begun.memory, 0), 1e-6)
      local said, fed = {}, { 8 }
      for t = 1, 4 do
        local y = decoder:run(ids{ fed }, nil, begun.states, begun.memory, false)
        said[t] = decoder.scores(y):select(1, 1):select(1, t):argmax():item() - 1
        fed[#fed + 1] = math.tointeger(said[t])
      end
      near((decoder:run(ids{ { 8, said[1], said[2], said[3] } }, nil, begun.states,
        begun.memory, false)), decoder:run_scheduled(previous, nil, begun.states, begun.memory, 1), 1e-5)
    end)
  end)

  it("trains on texts and goes on from a file to the same numbers", function()
    local english = { "one two", "three", "two one three", "one", "two" }
    local spanish = { "dos uno", "tres", "tres uno dos", "uno", "dos" }
    local tokenizers = {}
    for i, texts in ipairs{ english, spanish } do
      tokenizers[i] = marea.text.Tokenizer{}
      tokenizers[i]:fit_on_texts(texts)
    end
    local model = reverser{ source = { tokenizer = tokenizers[1] }, target = { tokenizer = tokenizers[2] },
      attention = "dot", dropout = 0.1 }
    model:fit(english, spanish, { epochs = 40, verbose = 0, batch_size = 2 })
    assert.are.equal("dos uno", model:decode("one two"))
    local loaded = saved(model)
    assert.are.equal("dos uno", loaded:decode("one two"))
    for _, each in ipairs{ model, loaded } do
      each:fit(english, spanish, { initial_epoch = 40, epochs = 42, verbose = 0, batch_size = 2 })
    end
    for i, tensor in ipairs(model:get_weights()) do
      assert.are.same(tensor:totable(), loaded:get_weights()[i]:totable())
    end
    near({ model:evaluate(english, spanish).loss }, { loaded:evaluate(english, spanish).loss })
  end)

  it("says what is wrong", function()
    local model = reverser()
    local function with(given) return function() reverser(given) end end
    raises(function() model:decode({ { 1 } }, { method = "beam", width = 0 }) end, "width (of the beam)", "0")
    raises(function() model:decode({ { 1 } }, { attention = true }) end, "attention")
    raises(function() model:decode({ { 1 }, {} }) end, "sample 2 is empty")
    raises(function() model:decode({ { 1, 9 } }) end, "sample 1, step 2 has id number 9, allowed are 0 to 7")
    raises(function() model:decode("hola") end, "tokenizer")
    raises(function() model:fit({ { 1 } }, { { 1, 1, 1, 1, 1, 1, 1 } }, { verbose = 0 }) end, "sample 1 has 7 steps",
      "max_length = 6")
    raises(function() model:fit({ { 1 }, { 2 } }, { { 1 } }, { verbose = 0 }) end, "2 sources and 1 targets")
    raises(function() model{ ids{ { 1 } }, ids{ { 8, 1, 1, 1, 1, 1, 1, 1 } } } end, "teacher's sequence has 8 steps")
    raises(function() model.decoder:run(ids{ { 8 } }, nil, { { marea.zeros{ 1, 3 }, marea.zeros{ 1, 3 } } }) end,
      "decoder_1", "initial_state 1 is (1, 3), expected (1, 32)")
    raises(with{ target = { vocabulary = 7, start = 7 } }, "lacks the start mark")
    raises(with{ target = { vocabulary = 7, stop = "</s>" } }, "lacks the stop mark")
    raises(with{ target = { features = 3 } }, "target must be words")
    raises(with{ source = {} }, "source needs a vocabulary")
    raises(with{ source = 8 }, "source must be a table")
    raises(with{ attention = "dot", bidirectional = true }, "compares 32 features", "64 of the encoder")
    raises(with{ attention = "hard" }, "attention must be one of")
    raises(with{ cell = "tanh" }, "cell must be one of")
    raises(with{ scheduled_sampling = 2 }, "scheduled_sampling")
    raises(with{ scheduled_sampling = { from = 0, epochs = 2 } }, "to is missing")
    raises(with{ unit = 3 }, 'unknown option "unit"')
  end)
end)

describe("builders.one_to_many", function()
  local function curves()
    local x, y = {}, {}
    for i = 1, 120 do
      local slope = 0.1 + i % 12 / 24
      x[i], y[i] = { slope }, {}
      for t = 1, 12 do y[i][t] = { math.sin(slope * t) } end
    end
    return x, y
  end

  for _, feedback in ipairs{ true, false } do
    it("draws curves " .. (feedback and "with" or "without") .. " feedback", function()
      marea.manual_seed(2)
      local x, y = curves()
      local model = builders.one_to_many{ source = { features = 1 }, target = { features = 1 }, max_length = 12,
        units = 20, feedback = feedback }
      local history = model:fit(x, y, { epochs = 60, verbose = 0, batch_size = 10 })
      assert.is_true(history.loss[60] < 0.02)
      local drawn = model:decode(x)
      assert.are.same({ 120, 12, 1 }, drawn:shape())
      assert.is_true((drawn - marea.tensor(y)):square():mean():item() < 0.06)
      near(drawn, saved(model):decode(x), 1e-6)
    end)
  end

  it("spells words for kinds, also when it feeds itself in training", function()
    for _, given in ipairs{ {}, { scheduled_sampling = 0.3 }, { feedback = false } } do
      marea.manual_seed(2)
      local names = { { 1, 2, 3 }, { 4, 5 }, { 2, 2, 2, 2 } }
      local x, y = {}, {}
      for i = 1, 90 do x[i], y[i] = i % 3, names[i % 3 + 1] end
      given.source, given.target = { vocabulary = 3, embedding = 8 }, { vocabulary = 6, embedding = 8 }
      given.max_length, given.units = 5, 16
      local model = builders.one_to_many(given)
      model:fit(x, y, { epochs = 150, batch_size = 10, verbose = 0 })
      assert.are.same(names, model:decode{ 0, 1, 2 })
      assert.are.same(names, saved(model):decode{ 0, 1, 2 })
    end
  end)

  it("says what is wrong", function()
    local model = builders.one_to_many{ source = { features = 2 }, target = { features = 1 }, max_length = 3 }
    raises(function() model:decode{ { 1, 2, 3 } } end, "(1, 3), expected (samples, 2)")
    raises(function() model:fit({ { 1, 2 } }, { { { 1 }, { 2 }, { 3 }, { 4 } } }) end, "has 4 steps", "max_length = 3")
    raises(function() model:fit({ { 1, 2 } }, { { { 1, 2 } } }) end, "expected (samples, steps, 1)")
  end)
end)

describe("builders.many_to_one", function()
  it("tells kinds of texts by name, from a file too", function()
    marea.manual_seed(1)
    local texts, moods = {}, {}
    for i = 1, 80 do
      local good = i % 2 == 0
      texts[i], moods[i] = (good and "qué buena " or "qué mala ") .. ("muy "):rep(i % 4), good and "sí" or "no"
    end
    local tokenizer = marea.text.Tokenizer{}
    tokenizer:fit_on_texts(texts)
    for _, pooling in ipairs{ "last", "max", "mean", "attention" } do
      local model = builders.many_to_one{ source = { tokenizer = tokenizer, embedding = 8 }, units = 8,
        outputs = { "no", "sí" }, pooling = pooling, bidirectional = pooling ~= "last" }
      model:fit(texts, moods, { epochs = 12, verbose = 0, batch_size = 8, validation_data = { texts, moods } })
      assert.are.same({ "sí", "no" }, model:decode{ "buena", "mala" })
      assert.are.same({ "sí", "no" }, saved(model):decode{ "buena", "mala" })
      assert.is_true(model:evaluate(texts, moods).loss < 0.69)
    end
  end)

  it("gives numbers and yes or no", function()
    local x, sums, signs = {}, {}, {}
    for i = 1, 64 do
      x[i] = { { i % 5 / 5 - 0.4 }, { i % 3 / 3 - 0.3 } }
      sums[i] = x[i][1][1] + x[i][2][1]
      signs[i] = sums[i] > 0 and 1 or 0
    end
    marea.manual_seed(1)
    local model = builders.many_to_one{ source = { features = 1 }, task = "values", units = 8, cell = "rnn" }
    model:fit(x, sums, { epochs = 40, verbose = 0, batch_size = 8 })
    near({ sums[1] }, { model:decode(x)[1][1] }, 0.1)
    model = builders.many_to_one{ source = { features = 1 }, units = 8 }
    model:fit(x, signs, { epochs = 60, verbose = 0, batch_size = 8 })
    assert.are.equal(signs[2], model:decode(x)[2])
  end)

  it("says what is wrong", function()
    raises(function() builders.many_to_one{ source = { vocabulary = 9 }, outputs = 1, task = "classes" } end, "binary")
    raises(function() builders.many_to_one{ source = { vocabulary = 9 },
      outputs = { "a", "a" } } end, "different texts")
    local model = builders.many_to_one{ source = { vocabulary = 9 }, outputs = { "a", "b" } }
    raises(function() model:fit(ids{ { 1 } }, { "c" }) end, 'target 1 is "c"', "a, b")
  end)
end)

describe("builders.many_to_many", function()
  local sentences, tags = {}, {}
  for i = 1, 90 do
    sentences[i], tags[i] = {}, {}
    for t = 1, 2 + i % 4 do
      local place = (i * 7 + t * 5) % 3 == 0
      sentences[i][t], tags[i][t] = place and "Lugo" or t % 2 == 0 and "en" or "vivo", place and "B-LOC" or "O"
    end
  end
  local tokenizer = marea.text.Tokenizer{ oov_token = "<unk>" }
  tokenizer:fit_on_texts(sentences)

  for _, crf in ipairs{ false, "iob2" } do
    it("labels words " .. (crf and "with" or "without") .. " a CRF", function()
      marea.manual_seed(1)
      local model = builders.many_to_many{ source = { tokenizer = tokenizer, embedding = 8 }, units = 8,
        bidirectional = true, outputs = { "O", "B-LOC", "I-LOC" }, crf = crf }
      model:fit(sentences, tags, { epochs = 25, verbose = 0, batch_size = 8,
        validation_data = { sentences, tags } })
      assert.are.same(tags, model:decode(sentences))
      assert.are.same(tags, saved(model):decode(sentences))
      assert.is_true(model:evaluate(sentences, tags).loss < 1)
    end)
  end

  it("gives numbers for each step of vectors", function()
    marea.manual_seed(1)
    local x = support.numbers{ 40, 6, 2 }
    local y = x:narrow(3, 1, 1) * 0.5
    local model = builders.many_to_many{ source = { features = 2 }, task = "values", units = 12 }
    model:fit(x, y, { epochs = 60, verbose = 0, batch_size = 8 })
    near(y:select(1, 1), marea.tensor(model:decode(x)[1]), 0.15)
  end)

  it("says what is wrong", function()
    local model = builders.many_to_many{ source = { tokenizer = tokenizer }, outputs = { "O", "B-LOC" } }
    raises(function() model:fit({ { "vivo" } }, { { "O", "O" } }) end, "sample 1 has 1 steps and 2 targets")
    raises(function() model:fit({ { "vivo" } }, { { "X" } }) end, 'step 1 is "X"', "O, B-LOC")
    raises(function() builders.many_to_many{ source = { features = 2 }, crf = true } end, "a CRF is for classes")
    local plain = builders.many_to_many{ source = { vocabulary = 5 }, outputs = 3 }
    raises(function() plain:decode{ { "vivo" } } end, "no tokenizer")
  end)
end)
