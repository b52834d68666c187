-- What the builders read: words that they know or not, and sequences of any lengths.
local marea = require "marea"
local support = require "spec.support"
local builders, near, raises = marea.builders, support.near, support.raises

local function tokenizer_of(texts, given)
  local tokenizer = marea.text.Tokenizer(given or {})
  tokenizer:fit_on_texts(texts)
  return tokenizer
end

local sentences = { "tengo frío", "tienes hambre", "tengo mucha hambre" }
local known = tokenizer_of(sentences)

-- Builders of words, as functions of a tokenizer, with what their fit is given beside the source.
local reading = {
  many_to_one = { make = function(side) return builders.many_to_one{ source = side, units = 4, outputs = 2 } end,
    targets = { 0, 1, 1 } },
  many_to_many = { make = function(side) return builders.many_to_many{ source = side, units = 4, outputs = 2 } end,
    targets = { { 0, 1 }, { 0, 1 }, { 0, 1, 1 } } },
  encoder_decoder = { make = function(side)
    return builders.encoder_decoder{ source = side, target = { vocabulary = 3 }, units = 4 }
  end, targets = { { 1 }, { 2 }, { 1, 2 } } },
}

local quiet = { epochs = 1, verbose = 0 }

describe("words that a builder does not know", function()
  it("are counted in model.report and told once", function()
    local model = reading.encoder_decoder.make{ tokenizer = known }
    local said = support.stderr_of(function()
      model:evaluate({ "tengo sed", "zz frío yy" }, { { 1 }, { 2 } })
    end)
    assert.is_truthy(said:find("evaluate: warning: source: 3 of 5 words were left out", 1, true), said)
    assert.are.equal(3, model.report.source.left_out)
    assert.are.equal(5, model.report.source.words)
    assert.are.equal("", support.stderr_of(function() model:decode("zz frío") end))
    assert.are.same({ 1, 2 }, { model.report.source.left_out, model.report.source.words })
    model:decode("tengo frío")
    assert.are.equal(0, model.report.source.left_out)
  end)

  it("are counted for targets and validation data too, in silence when told so", function()
    local model = builders.encoder_decoder{ source = { vocabulary = 4 }, target = { tokenizer = known }, units = 4 }
    local said = support.stderr_of(function()
      model:fit({ { 1 }, { 2 } }, { "tengo sed", "frío" }, { epochs = 1, verbose = 0,
        validation_data = { { { 3 } }, { "sed sed hambre" } } })
    end)
    assert.are.equal("", said)
    assert.are.same({ 3, 6 }, { model.report.target.left_out, model.report.target.words })
  end)

  it("are counted by many_to_one, also in predict, predict_text and beyond num_words", function()
    local model = reading.many_to_one.make{ tokenizer = tokenizer_of(sentences, { num_words = 3 }) }
    local said = support.stderr_of(function() model:predict{ "tengo hambre frío" } end)
    assert.is_truthy(said:find("predict: warning: source: 1 of 3 words were left out", 1, true), said)
    model:predict_text("tengo sed frío")
    assert.are.equal(2, model.report.source.left_out)
    model:decode{ "tengo sed" }
    assert.are.equal(1, model.report.source.left_out)
  end)

  it("are none with a token for unknown words", function()
    for _, tokenizer in ipairs{ tokenizer_of(sentences, { oov_token = "<unk>" }),
      (function() local p = marea.text.Pipeline{ split = "words" } p:fit(sentences) return p end)() } do
      for name, each in pairs(reading) do
        local model = each.make{ tokenizer = tokenizer }
        assert.are.equal("", support.stderr_of(function() model:decode{ "tengo sed" } end), name)
        assert.are.equal(0, model.report.source.left_out)
        assert.are.equal(1, model.report.source.unknown)
      end
    end
  end)

  it("would shift the labels of many_to_many, which refuses them", function()
    local model = reading.many_to_many.make{ tokenizer = known }
    raises(function() model:decode{ "tengo frío", "tengo sed" } end, "decode: x: sample 2 has 2 words",
      "knows 1", "oov_token")
    raises(function() model:fit({ { "tengo", "mucho", "frío" } }, { { 0, 1, 1 } }, quiet) end,
      "fit: x: sample 1 has 3 words, of which the tokenizer knows 2")
    assert.are.same({ {} }, model:decode{ {} })
  end)

  it("do not make an empty sample", function()
    for _, name in ipairs{ "many_to_one", "encoder_decoder" } do
      local model = reading[name].make{ tokenizer = known }
      for _, x in ipairs{ { "tengo", "" }, { "tengo", "zz" }, { { "tengo" }, {} }, { { 1 }, {} } } do
        raises(function() model:decode(x) end, "decode: ", "sample 2 is empty", "leave it out")
        raises(function() model:fit(x, { reading[name].targets[1], reading[name].targets[2] }, quiet) end,
          "fit: ", "sample 2 is empty")
      end
    end
    local target = { tokenizer = known }
    local model = builders.encoder_decoder{ source = { vocabulary = 4 }, target = target, units = 4 }
    for _, y in ipairs{ { "frío", "palabras desconocidas" }, { "frío", "" }, { { 1 }, {} }, { { 1 }, { 0 } } } do
      raises(function() model:fit({ { 1 }, { 2 } }, y, quiet) end, "fit: target: sample 2 is empty")
    end
    model = builders.one_to_many{ source = { features = 1 }, target = target, units = 4 }
    raises(function() model:evaluate({ { 1 } }, { "zz" }) end, "evaluate: target: sample 1 is empty")
  end)

  it("are all words for a tokenizer that has read nothing", function()
    for _, tokenizer in ipairs{ marea.text.Tokenizer{}, marea.text.Tokenizer{ num_words = 9, oov_token = "?" },
      marea.text.Pipeline{ split = "words" } } do
      for _, each in pairs(reading) do
        raises(function() each.make{ tokenizer = tokenizer } end, "source: the tokenizer knows no words yet", "fit")
      end
      raises(function()
        builders.one_to_many{ source = { features = 2 }, target = { tokenizer = tokenizer } }
      end, "OneToMany: target: the tokenizer knows no words yet")
    end
  end)

  it("are not hidden by an id 0 that is no padding", function()
    local function subwords(special)
      local tokenizer = marea.text.SubwordTokenizer{ kind = "bpe", vocab_size = 40, special_tokens = special }
      tokenizer:fit(sentences)
      return tokenizer
    end
    for _, tokenizer in ipairs{ subwords(), (function()
      local p = marea.text.Pipeline{ split = "words", pad = false, unknown = false }
      p:fit(sentences)
      return p
    end)() } do
      for _, each in pairs(reading) do
        raises(function() each.make{ tokenizer = tokenizer } end, "source: the tokenizer gives id 0 to ", "padding")
      end
    end
    local model = builders.encoder_decoder{ source = { tokenizer = subwords{ "<pad>" } },
      target = { tokenizer = subwords{ "<pad>" } }, units = 4 }
    model:fit(sentences, sentences, quiet)
    local said = support.stderr_of(function() model:decode("tengo ñandú") end)
    assert.are.equal(3, model.report.source.left_out) -- ñ, d, ú
    assert.is_truthy(said:find("source: 3 characters were left out", 1, true), said)
  end)

  it("come from a tokenizer that has grown since", function()
    local tokenizer = tokenizer_of{ "uno dos" }
    local model = reading.encoder_decoder.make{ tokenizer = tokenizer }
    tokenizer:fit_on_texts{ "tres tres tres cuatro" }
    raises(function() model:decode("dos tres cuatro") end, "sample 1", "the tokenizer has grown since")
  end)
end)

describe("inputs of the builders", function()
  local rows = { { 1, 2 }, { 1, 3, 2 }, { 4 } }
  local vectors = { { { 1, 0 }, { 0, 1 } }, { { 1, 0 }, { 1, 1 }, { 0, 1 } }, { { 2, 2 } } }

  -- A tensor of the same vectors with garbage where there is none.
  local function garbage()
    local x = marea.ones{ 3, 3, 2 } * 7
    for i, row in ipairs(vectors) do
      for t, vector in ipairs(row) do
        for k, value in ipairs(vector) do x:set(i, t, k, value) end
      end
    end
    return x
  end
  local lengths = { 2, 3, 1 }

  -- Each sample alone, together and as a padded tensor.
  local function same_answers(model, given, tensor, options)
    local together = model:decode(given)
    for i, sample in ipairs(given) do assert.are.same({ together[i] }, model:decode{ sample }) end
    assert.are.same(together, model:decode(tensor, options))
    return together
  end

  local function train_alike(make, x, y, tensor, given)
    local results = {}
    for i, source in ipairs{ x, tensor } do
      marea.manual_seed(4)
      local model = make()
      local read = { epochs = 3, verbose = 0, validation_data = { source, y } }
      if i == 2 then
        read.lengths = given.lengths
        read.validation_data.lengths = given.lengths
      end
      local history = model:fit(source, y, read)
      local evaluated = model:evaluate(source, y, i == 2 and given or {})
      results[i] = { history.loss[3], history.val_loss[3], evaluated.loss }
      assert.is_number(model:train_on_batch(source, y, i == 2 and given or {}))
    end
    near(results[1], results[2], 1e-5)
  end

  it("are lists of ids of any lengths", function()
    local padded = marea.sequence.pad_sequences(rows, { padding = "post" })
    for _, cell in ipairs{ "lstm", "gru" } do
      local function many_to_one()
        return builders.many_to_one{ source = { vocabulary = 5 }, units = 4, cell = cell }
      end
      train_alike(many_to_one, rows, { 0, 1, 1 }, padded, {})
      local model = many_to_one()
      near(model:predict(padded), model:predict(rows), 1e-6)
      assert.are.same(model:predict_classes(padded), model:predict_classes(rows))
      assert.are.equal(3, #same_answers(model, rows, padded))
    end
    local function translator() return builders.encoder_decoder{ source = { vocabulary = 5 },
      target = { vocabulary = 5 }, attention = "dot", units = 4 } end
    train_alike(translator, rows, rows, padded, {})
    local model = translator()
    same_answers(model, rows, padded)
    local previous = { { 5, 1 }, { 5, 2, 3 }, { 5 } }
    near(model:predict{ padded, (marea.sequence.pad_sequences(previous, { padding = "post" })) },
      model:predict{ source = rows, previous = previous }, 1e-6)
  end)

  it("are ids of which only the first count", function()
    local model = builders.encoder_decoder{ source = { vocabulary = 5 }, target = { vocabulary = 5 }, units = 4 }
    local full = marea.tensor({ { 1, 2, 4 }, { 1, 3, 2 }, { 4, 4, 4 } }, { dtype = "int32" })
    assert.are.same(model:decode(rows), model:decode(full, { lengths = lengths }))
    assert.are.same({ model:evaluate(rows, rows).loss }, { model:evaluate(full, rows, { lengths = lengths }).loss })
    raises(function() model:decode(full, { lengths = { 2, 4, 1 } }) end, "sample 2 has length 4, allowed are 1 to 3")
    raises(function() model:decode(full, { lengths = { 2, 4 } }) end, "lengths are 2, expected one for each of 3")
    raises(function() model:decode({ "a" }, { lengths = { 1 } }) end, "lengths are for ids and vectors")
  end)

  it("are lists of vectors of any lengths, or a tensor with lengths", function()
    local function many_to_one() return builders.many_to_one{ source = { features = 2 }, units = 4,
      bidirectional = true, pooling = "mean" } end
    train_alike(many_to_one, vectors, { 0, 1, 1 }, garbage(), { lengths = lengths })
    local model = many_to_one()
    near(model:predict(garbage(), { lengths = lengths }), model:predict(vectors), 1e-6)
    same_answers(model, vectors, garbage(), { lengths = lengths })
    local function translator() return builders.encoder_decoder{ source = { features = 2 },
      target = { vocabulary = 5 }, attention = "general", bidirectional = true, units = 4 } end
    train_alike(translator, vectors, rows, garbage(), { lengths = lengths })
    train_alike(translator, vectors, rows, garbage(), { lengths = { lengths } })
    train_alike(translator, vectors, rows, garbage(), { lengths = { source = marea.tensor(lengths) } })
    model = translator()
    same_answers(model, vectors, garbage(), { lengths = lengths })
    for _, method in ipairs{ "beam", "sample" } do
      assert.are.same(model:decode(vectors, { method = method, seed = 3 }),
        model:decode(garbage(), { method = method, seed = 3, lengths = lengths }))
    end
    local previous = { { 5, 1 }, { 5 }, { 5 } }
    near(model:predict({ garbage(), previous }, { lengths = lengths }), model:predict{ vectors, previous }, 1e-6)
    local function labeller() return builders.many_to_many{ source = { features = 2 }, outputs = 2, units = 4 } end
    same_answers(labeller(), vectors, garbage(), { lengths = lengths })
  end)

  it("go into batches of like lengths", function()
    local alike = { { { 1, 0 }, { 0, 1 } }, { { 2, 0 }, { 0, 2 } }, { { 1, 1 }, { 1, 1 } } }
    for _, x in ipairs{ vectors, alike } do
      local models = {
        { builders.many_to_one{ source = { features = 2 }, units = 4 }, { 0, 1, 1 } },
        { builders.many_to_many{ source = { features = 2 }, outputs = 2, units = 4 }, {} },
        { builders.encoder_decoder{ source = { features = 2 }, target = { vocabulary = 5 }, units = 4 }, rows },
      }
      for i, row in ipairs(x) do
        models[2][2][i] = {}
        for t in ipairs(row) do models[2][2][i][t] = t % 2 end
      end
      for _, pair in ipairs(models) do
        local history = pair[1]:fit(x, pair[2], { epochs = 1, verbose = 0, batch_size = 2, bucket_by_length = true })
        assert.is_number(history.padding_share)
      end
    end
    local model = builders.encoder_decoder{ source = { vocabulary = 5 }, target = { vocabulary = 5 }, units = 4 }
    raises(function()
      model:fit(rows, rows, { lengths = { [2] = { 1, 1, 1 } }, bucket_by_length = true, verbose = 0 })
    end, "without lengths")
  end)

  it("are lists of words", function()
    local words = { { "tengo", "frío" }, { "tienes", "hambre" }, { "tengo", "mucha", "hambre" } }
    for _, name in ipairs{ "many_to_one", "many_to_many", "encoder_decoder" } do
      local each = reading[name]
      train_alike(function() return each.make{ tokenizer = known } end, sentences, each.targets, words, {})
      local model = each.make{ tokenizer = known }
      assert.are.same(model:decode(sentences), model:decode(words))
    end
    local model = builders.encoder_decoder{ source = { tokenizer = known }, target = { tokenizer = known }, units = 4 }
    assert.are.same({ model:evaluate(sentences, sentences).loss }, { model:evaluate(words, words).loss })
    near(model:predict{ sentences, sentences }, model:predict{ words, words }, 1e-6)
    local pipeline = marea.text.Pipeline{ split = "words" }
    pipeline:fit(sentences)
    raises(function() reading.many_to_one.make{ tokenizer = pipeline }:decode(words) end, "decode: x: lists of words",
      "text.Tokenizer")
  end)

  it("are kinds by name, and targets of vectors of any lengths, in one_to_many", function()
    local curves = { { { 1 }, { 2 } }, { { 3 }, { 1 }, { 2 } }, { { 4 } } }
    local padded = marea.tensor{ { { 1 }, { 2 }, { 9 } }, { { 3 }, { 1 }, { 2 } }, { { 4 }, { 9 }, { 9 } } }
    local names = tokenizer_of{ "sol luna mar" }
    for _, feedback in ipairs{ true, false } do
      local results = {}
      for i, given in ipairs{ { { "sol", "luna", "mar" }, curves }, { { 1, 2, 3 }, padded, lengths } } do
        marea.manual_seed(2)
        local model = builders.one_to_many{ source = { tokenizer = names }, target = { features = 1 }, units = 4,
          max_length = 3, feedback = feedback }
        local history = model:fit(given[1], given[2], { epochs = 3, verbose = 0, lengths = given[3],
          validation_data = { given[1], given[2], lengths = given[3] } })
        results[i] = { history.loss[3], history.val_loss[3],
          model:evaluate(given[1], given[2], { lengths = given[3] }).loss }
        near(model:decode{ 1, 3 }, model:decode{ "sol", "mar" }, 1e-6)
        near(model:predict({ given[1], padded }, { lengths = { [2] = lengths } }),
          model:predict{ given[1], curves }, 1e-6)
        raises(function() model:decode{ "sol mar" } end, "decode: source: sample 1 has 2 words, a kind is one")
        raises(function() model:decode{ "sol", "río" } end, "sample 2 is empty")
      end
      near(results[1], results[2], 1e-5)
    end
  end)

  it("have messages without our files", function()
    local one = builders.many_to_one{ source = { features = 2 }, units = 4 }
    local words = builders.many_to_one{ source = { vocabulary = 5 }, units = 4 }
    local two = builders.encoder_decoder{ source = { features = 2 }, target = { vocabulary = 5 }, units = 4 }
    local value = builders.one_to_many{ source = { features = 2 }, target = { features = 1 }, units = 4 }
    local kind = builders.one_to_many{ source = { vocabulary = 3 }, target = { vocabulary = 4 }, units = 4 }
    for wanted, f in pairs{
      ["decode: x: sequence 2, place 1: axis 1 of the item has 1"] = function()
        one:decode{ { { 1, 2 } }, { { 1 } } } end,
      ["decode: x is (1, 2, 3), expected (samples, steps, 2)"] = function()
        one:decode{ { { 1, 2, 3 }, { 1, 2, 3 } } } end,
      ["decode: x is (1, 2), expected (samples, steps, 2)"] = function() one:decode{ { 1, 2 } } end,
      ["decode: x: sample 2 is empty"] = function() one:decode{ { { 1, 2 } }, {} } end,
      ["decode: x: expected a tensor or a list of sequences, got number 5"] = function() one:decode(5) end,
      ["predict: x: expected a tensor or a list of sequences, got an empty list"] = function() one:predict{} end,
      ["decode: x is a bare string"] = function() words:decode("hola") end,
      ["decode: x: sequence 1 is a number, expected a list"] = function() words:decode{ 1, 2 } end,
      ["fit: options are a table, got number 3"] = function() words:fit(rows, { 0, 1, 1 }, 3) end,
      ["decode: source: expected a tensor (samples, steps, 2) or a list"] = function() two:decode{} end,
      ["decode: source: sequence 2, place 1: axis 1"] = function() two:decode{ { { 1, 2 } }, { { 1 } } } end,
      ["fit: source: lengths: sample 1 has length 9, allowed are 1 to 3"] = function()
        two:fit(garbage(), rows, { lengths = { 9, 1, 1 } }) end,
      ['predict: x must be a list of 2 or a table by name ("source", "previous")'] = function() two:predict(rows) end,
      ["decode: source: tensor: list [2] has 1 items"] = function() value:decode{ { 1, 2 }, { 1 } } end,
      ["decode: source: tensor: element [2] is"] = function() kind:decode{ {}, 1 } end,
      ["decode: source is a value and has no lengths"] = function() kind:decode({ 1 }, { lengths = { 1 } }) end,
      ["fit: y: sequence 1, place 1: 1.5, expected a whole number"] = function()
        builders.many_to_many{ source = { vocabulary = 3 }, outputs = 2 }:fit({ { 1 } }, { { 1.5 } }) end,
      ["fit: target: "] = function() two:fit(vectors, marea.ones{ 3, 2 } * 0.5) end,
      ["fit: target is (1, 0, 1), expected (samples, steps, 1)"] = function()
        value:fit({ { 1, 2 } }, marea.zeros{ 1, 0, 1 }) end,
      ["fit: target: sequence 2, place 1: axis 1"] = function() value:fit({ { 1, 2 }, { 1, 2 } },
        { { { 1 } }, { { 1, 2 } } }) end,
    } do
      local ok, message = pcall(f)
      assert.is_false(ok, wanted)
      assert.are.equal(wanted, message:sub(1, #wanted))
    end
  end)
end)
