-- The builders' options: what is taken, what is refused and how it says so.
local marea = require "marea"
local support = require "spec.support"
local builders, near, raises = marea.builders, support.near, support.raises

-- Every builder with a few options more.
local function each_builder(f)
  local source = { vocabulary = 5, embedding = 4 }
  for name, given in pairs{
    many_to_one = { source = source, units = 4 },
    many_to_many = { source = source, units = 4, outputs = 3 },
    one_to_many = { source = source, target = { vocabulary = 5, embedding = 4 }, units = 4 },
    encoder_decoder = { source = source, target = { vocabulary = 5, embedding = 4 }, units = 4 },
  } do
    f(name, function(more)
      local read = {}
      for key, value in pairs(given) do read[key] = value end
      for key, value in pairs(more or {}) do read[key] = value end
      return builders[name](read)
    end)
  end
end

describe("recurrent layers of the builders", function()
  it("refuse options of the cell that the builder sets itself, and take the others", function()
    each_builder(function(_, make)
      for option, value in pairs{ go_backwards = true, stateful = true, return_sequences = true, return_state = true,
        name = "x", units = 3, zero_output_for_mask = true } do
        raises(function() make{ cell_options = { [option] = value } } end, "cell_options cannot hold " .. option)
      end
      raises(function() make{ cell_options = { 7 } } end, "cell_options are given by name", "place 1")
      raises(function() make{ cell_options = 7 } end, "cell_options must be a table")
      raises(function() make{ cell_options = { gates = 7 } } end, 'unknown option "gates"')
      local model = make{ cell_options = { recurrent_dropout = 0.5 }, num_layers = 2 }
      local found = 0
      for _, layer in ipairs(model.layers) do
        if layer.recurrent_dropout == 0.5 then found = found + 1 end
      end
      assert.is_true(found >= 2)
    end)
  end)
end)

describe("options that would change nothing", function()
  it("are refused by decode, by name and method", function()
    local words = builders.encoder_decoder{ source = { vocabulary = 5 }, target = { vocabulary = 5 }, units = 4 }
    local named = builders.one_to_many{ source = { vocabulary = 3 }, target = { vocabulary = 5 }, units = 4 }
    local own = {
      greedy = { batch_size = 3 },
      beam = { width = 20, n_best = 3, length_penalty = 0, penalty = "gnmt" },
      sample = { temperature = 2, top_k = 3, top_p = 0.5, min_p = 0.1, repetition_penalty = 1.2 },
    }
    for method in pairs(own) do
      for belongs, given in pairs(own) do
        for name, value in pairs(given) do
          local function decode(model, x)
            return function() model:decode(x, { method = method, [name] = value, seed = 1, attention = false }) end
          end
          if method ~= belongs then
            raises(decode(words, { { 1 } }), ("%s belongs to method = %q; the method is %q"):format(name, belongs,
              method))
            raises(decode(named, { 1 }), name .. " belongs to method")
          elseif name ~= "n_best" then
            decode(words, { { 1 } })()
            decode(named, { 1 })()
          end
        end
      end
    end
    raises(function() words:decode({ { 1 } }, { width = 5 }) end, 'the method is "greedy"')
    raises(function() words:decode({ { 1 } }, { method = "beam", attention = true }) end, "attention belongs")
    raises(function() words:decode({ { 1 } }, { method = "beam", width = 2, n_best = 3 }) end, "n_best is 3")
    raises(function() words:decode({ { 1 } }, { method = "sample", top_k = -1 }) end, "top_k")
  end)

  it("are refused by one_to_many without methods", function()
    for _, feedback in ipairs{ true, false } do
      local vectors = builders.one_to_many{ source = { features = 2 }, target = { features = 1 }, feedback = feedback,
        units = 4 }
      local values = marea.ones{ 1, 2 }
      assert.are.same({ 1, 4, 1 }, vectors:decode(values, { max_length = 4 }):shape())
      for _, given in ipairs{ { method = "beam" }, { method = "greedy" }, { method = "beam", n_best = 2 },
        { seed = 1 }, { unknown = true }, { lengths = { 1 } } } do
        raises(function() vectors:decode(values, given) end, "OneToMany:decode", "would change nothing",
          "takes max_length alone")
      end
      raises(function() vectors:decode(values, { lenght = 3 }) end, 'unknown option "lenght"')
    end
    local words = builders.one_to_many{ source = { features = 2 }, target = { vocabulary = 4 }, feedback = false }
    words:decode({ { 1, 2 } }, { max_length = 3, unknown = true, method = "greedy" })
    for _, given in ipairs{ { method = "beam" }, { method = "sample" }, { batch_size = 3 }, { seed = 2 } } do
      raises(function() words:decode({ { 1, 2 } }, given) end, "would change nothing", "without feedback")
    end
  end)

  it("are refused when the model is made", function()
    local source, target = { features = 2 }, { vocabulary = 4 }
    local tokenizer = marea.text.Tokenizer{}
    tokenizer:fit_on_texts{ "tengo frío" }
    local function make(given)
      return function()
        local read = { source = source, target = target, units = 4 }
        for key, value in pairs(given) do read[key] = value end
        return builders.one_to_many(read)
      end
    end
    raises(make{ feedback = false, scheduled_sampling = 0.5 }, "scheduled_sampling would change nothing", "feedback")
    raises(make{ feedback = false, scheduled_sampling = { to = 1, epochs = 2 } }, "scheduled_sampling")
    raises(make{ feedback = false, target = { vocabulary = 4, weights = marea.ones{ 2, 2 } } }, "target: weights",
      "would change nothing")
    raises(make{ target = { features = 1, start = 2 } }, "OneToMany: target: start = 2 would change nothing")
    raises(make{ source = { features = 2, embedding = 7 } }, "source: embedding = 7", "not for features")
    raises(make{ source = { features = 2, trainable = false } }, "source: trainable = false")
    each_builder(function(_, build)
      for name, value in pairs{ start = 99, stop = "zz" } do
        raises(function() build{ source = { vocabulary = 5, [name] = value } } end,
          ("source: %s = %s would change nothing"):format(name, value), "targets of words")
      end
    end)
    for _, given in ipairs{ { vocabulary = 5, start = 2, stop = 2 },
      { tokenizer = tokenizer, start = "tengo", stop = tokenizer.word_index.tengo } } do
      raises(make{ target = given }, "target: start and stop are both", "must differ")
      raises(function() builders.encoder_decoder{ source = { vocabulary = 3 }, target = given } end, "must differ")
    end
  end)

  it("are none of them: tables of kinds are the embedding of one_to_many", function()
    local weights = marea.tensor{ { 1, 2 }, { 3, 4 }, { 5, 6 } }
    local model = builders.one_to_many{ source = { vocabulary = 3, weights = weights, trainable = false },
      target = { features = 1 }, units = 4, max_length = 2 }
    near(weights, model:get_layer("source_words").embeddings)
    model:fit({ 0, 1, 2 }, marea.ones{ 3, 2, 1 }, { epochs = 1, verbose = 0 })
    near(weights, model:get_layer("source_words").embeddings)
    local path = os.tmpname()
    assert(model:save(path))
    local loaded = assert(marea.load(path))
    os.remove(path)
    near(model:decode{ 0, 2 }, loaded:decode{ 0, 2 }, 1e-6)
  end)
end)

describe("options of the builders", function()
  local function saved(model)
    local path = os.tmpname()
    assert(model:save(path))
    local loaded, message = marea.load(path)
    os.remove(path)
    return loaded, message
  end

  it("say which of them holds the tokenizer", function()
    local plain = builders.encoder_decoder{ source = { vocabulary = 5 }, target = { vocabulary = 5 }, units = 4 }
    raises(function() plain:decode("hola") end, "decode: source holds words", "make it with source = { tokenizer = … }")
    raises(function() plain:fit({ { 1 } }, { "hola" }) end, "fit: target holds words", "target = { tokenizer = … }")
    for _, name in ipairs{ "many_to_one", "many_to_many" } do
      local model = builders[name]{ source = { vocabulary = 5 }, outputs = 2 }
      raises(function() model:decode{ "hola" } end, "decode: x holds words", "source = { tokenizer = … }")
    end
    each_builder(function(_, make)
      for _, tokenizer in ipairs{ { "a", "b" }, {}, 7, "a", marea.ones{ 2 } } do
        raises(function() make{ source = { tokenizer = tokenizer } } end,
          "source: tokenizer must be one of marea.text (Tokenizer, Pipeline, SubwordTokenizer)")
      end
      raises(function() make{ source = { tokenizer = { class = "Other" } } } end, "source: ", "Other")
    end)
  end)

  it("refuse several outputs for yes or no", function()
    for _, name in ipairs{ "many_to_one", "many_to_many" } do
      for _, outputs in ipairs{ 3, { "a", "b", "c" } } do
        raises(function() builders[name]{ source = { features = 2 }, outputs = outputs, task = "binary" } end,
          'task = "binary" is for one output, got 3', 'task = "classes"')
      end
    end
  end)

  it("map accuracy to the best path of a CRF, from a file too", function()
    marea.manual_seed(3)
    local x, y = {}, {}
    for i = 1, 30 do
      x[i], y[i] = {}, {}
      for t = 1, 2 + i % 4 do
        x[i][t], y[i][t] = 1 + (i * t) % 5, t % 3 == 2 and "B-X" or t % 3 == 0 and "I-X" or "O"
      end
    end
    local function make(metrics)
      local model = builders.many_to_many{ source = { vocabulary = 6 }, units = 4, outputs = { "O", "B-X", "I-X" },
        crf = "iob2" }
      model:compile{ metrics = metrics }
      model:build{ -1, -1 }
      return model
    end
    local model = make{ "accuracy", "sparse_categorical_accuracy" }
    model:fit(x, y, { epochs = 4, verbose = 0 })
    local loaded = saved(model)
    for _, each in ipairs{ model, loaded } do
      local right, steps = 0, 0
      for i, labels in ipairs(each:decode(x)) do
        for t, label in ipairs(labels) do
          right, steps = right + (label == y[i][t] and 1 or 0), steps + 1
        end
      end
      local values = each:evaluate(x, y)
      near({ right / steps }, { values.accuracy }, 1e-6)
      assert.is_true(math.abs(values.sparse_categorical_accuracy - values.accuracy) > 0.01)
    end
    for name, metrics in pairs{ acc = "acc", accuracy = { crf = { "accuracy" } },
      crf_accuracy = { model.crf_layer:accuracy() } } do
      local other = make(metrics)
      other:set_weights(model:get_weights())
      near({ model:evaluate(x, y).accuracy }, { other:evaluate(x, y)[name] }, 1e-6)
    end
    raises(function() make{ "acuracy" } end, 'unknown metric string "acuracy"')
  end)

  it("bound the number of layers, also in a file", function()
    each_builder(function(_, make)
      make{ num_layers = 3 }
      raises(function() make{ num_layers = 101 } end, "num_layers must be at most 100, got 101")
      raises(function() make{ num_layers = 0 } end, "num_layers must be a positive whole number")
      local model = make()
      if not model.built then model:build{ -1, -1 } end
      model.num_layers = 10000000 -- as a file might say
      local loaded, message = saved(model)
      assert.is_nil(loaded)
      assert.is_truthy(message:find("num_layers must be at most 100, got 10000000", 1, true), message)
    end)
  end)
end)
