-- What training of encoder–decoders begins with, its batches of like length, and the words that are
-- not said.
local marea = require "marea"
local batches = require "marea.model.batches"
local support = require "spec.support"
local builders, near, raises = marea.builders, support.near, support.raises

local quiet = { verbose = 0 }

local function ids(rows)
  return marea.tensor(rows, { dtype = "int32" })
end

local function make(given)
  marea.manual_seed(3)
  local read = { source = { vocabulary = 8, embedding = 5 }, target = { vocabulary = 8, embedding = 5 },
    units = 6, max_length = 9, attention = "general" }
  for name, value in pairs(given or {}) do read[name] = value end
  return builders.encoder_decoder(read)
end

-- Sources of 1 to 7 ids and targets of 1 to 5, whose lengths do not go together.
local function pairs_of(count)
  local sources, targets = {}, {}
  for i = 1, count do
    sources[i], targets[i] = {}, {}
    for t = 1, 1 + i * 5 % 7 do sources[i][t] = 1 + (i + t) % 7 end
    for t = 1, 1 + i * 3 % 5 do targets[i][t] = 1 + (i * t) % 7 end
  end
  return sources, targets
end

local function same_weights(a, b, tolerance)
  for i, tensor in ipairs(a:get_weights()) do
    if tolerance then
      near(tensor, b:get_weights()[i], tolerance)
    else
      assert.are.same(tensor:totable(), b:get_weights()[i]:totable())
    end
  end
end

describe("bucket_by_length of builders with a decoder", function()
  local function fit(model, sources, targets, given)
    model:compile{ optimizer = marea.optim.SGD{ 0.5 } }
    given.verbose, given.batch_size = 0, 8
    return model:fit(sources, targets, given)
  end

  it("trains as the same batches would, each padded to the longest of all", function()
    local sources, targets = pairs_of(48)
    local bucketed = make()
    local history = fit(bucketed, sources, targets, { bucket_by_length = true, shuffle = false, epochs = 2 })
    local x = make():lesson("fit", sources, targets)
    local order = batches.order(48, { batch_size = 8, bucket_lengths = batches.lengths(x[2]),
      bucket_ties = batches.lengths(x[1]) })
    local source_rows, target_rows, lengths = {}, {}, {}
    for i, row in ipairs(order:totable()) do
      source_rows[i], target_rows[i] = sources[row + 1], targets[row + 1]
      lengths[i] = #target_rows[i] * 100 + #source_rows[i]
      assert.is_true(i == 1 or lengths[i] >= lengths[i - 1])
    end
    local plain = make()
    local expected = fit(plain, source_rows, target_rows, { shuffle = false, epochs = 2 })
    near(expected.loss, history.loss, 1e-5)
    same_weights(plain, bucketed, 1e-5)
    assert.is_true(history.padding_share < 0.2)
  end)

  it("cuts each input to its longest row, targets and their weights to the decoder's", function()
    local x = { ids{ { 1, 2, 0, 0 }, { 3, 0, 0, 0 } }, ids{ { 8, 1, 2, 0, 0 }, { 8, 0, 0, 0, 0 } } }
    local batch = { x = x, y = ids{ { 1, 2, 9, 0, 0 }, { 9, 0, 0, 0, 0 } }, weight = marea.ones{ 2, 5 } }
    batches.trim_inputs(batch, { 1, 2 })
    assert.are.same({ { 1, 2 }, { 3, 0 } }, batch.x[1]:totable())
    assert.are.same({ { 8, 1, 2 }, { 8, 0, 0 } }, batch.x[2]:totable())
    assert.are.same({ { 1, 2, 9 }, { 9, 0, 0 } }, batch.y:totable())
    assert.are.same({ 2, 3 }, batch.weight:shape())
    assert.are.same({ 2, 4 }, x[1]:shape())
  end)

  it("gives the same numbers on any number of threads", function()
    local before, sources, targets = marea.threads(), pairs_of(60)
    local first
    for _, threads in ipairs{ 1, 2, 3 } do
      marea.threads(threads)
      local model = make{ dropout = 0.2, bidirectional = true }
      fit(model, sources, targets, { bucket_by_length = true, epochs = 2 })
      first = first or model
      same_weights(first, model)
    end
    marea.threads(before)
  end)

  it("serves sources of reals and one_to_many", function()
    local _, targets = pairs_of(24)
    local model = make{ source = { features = 2 } }
    local history = fit(model, support.numbers{ 24, 3, 2 }, targets, { bucket_by_length = true })
    assert.is_true(history.padding_share < 0.2)
    local speller = builders.one_to_many{ source = { features = 2 }, target = { vocabulary = 8 }, units = 4 }
    assert.is_true(fit(speller, support.numbers{ 24, 2 }, targets, { bucket_by_length = true }).padding_share < 0.2)
    local curves = builders.one_to_many{ source = { features = 2 }, target = { features = 1 }, units = 4 }
    raises(function()
      curves:fit(support.numbers{ 4, 2 }, support.numbers{ 4, 3, 1 }, { bucket_by_length = true, verbose = 0 })
    end, "bucket_by_length serves models with one input, and builders whose decoder reads words")
  end)
end)

describe("bias_from_shares", function()
  it("begins with the shares of the words, once", function()
    local model = make()
    model:compile{ optimizer = marea.optim.SGD{ 0 } }
    model:fit({ { 1 }, { 2 }, { 3 } }, { { 4, 4 }, { 4, 5 }, { 5 } }, quiet)
    local counts = { 0.5, 0.5, 0.5, 0.5, 3, 2, 0.5, 0.5, 0.5, 3 } -- 9 is the stop mark
    for _, id in ipairs{ 5, 6, 10 } do counts[id] = counts[id] + 0.5 end
    local total = 0
    for _, count in ipairs(counts) do total = total + count end
    for i, count in ipairs(counts) do counts[i] = math.log(count / total) end
    local bias = model:get_layer("scores"):get_weights()[2]
    near(counts, bias, 1e-5)
    model:fit({ { 1 } }, { { 7, 7, 7, 7 } }, quiet)
    assert.are.same(bias:totable(), model:get_layer("scores"):get_weights()[2]:totable())
  end)

  it("leaves the bias alone when it is told to, and in evaluate", function()
    for _, given in ipairs{ { bias_from_shares = false }, {} } do
      local model = make(given)
      model:compile{ optimizer = marea.optim.SGD{ 0 } }
      local method = given.bias_from_shares == false and "fit" or "evaluate"
      model[method](model, { { 1 } }, { { 4, 4 } }, quiet)
      near(marea.zeros{ 10 }, model:get_layer("scores"):get_weights()[2])
    end
    raises(function() make{ bias_from_shares = 1 } end, "bias_from_shares must be true or false")
  end)
end)

describe("decode of a model with an unknown word", function()
  local texts = { "el gato", "la casa", "el perro", "la gata" }

  -- A model that would say its unknown word at every step.
  local function unsure(tokenizer)
    tokenizer:fit(texts)
    local model = make{ source = { tokenizer = tokenizer }, target = { tokenizer = tokenizer } }
    local scores = model:get_layer("scores")
    local bias = {}
    for id = 0, scores.units - 1 do bias[id + 1] = id == tokenizer:unknown_id() and 50 or 0 end
    scores:set_weights{ scores:get_weights()[1], marea.tensor(bias) }
    return model
  end

  it("does not say it, unless it is allowed to", function()
    local model = unsure(marea.text.Pipeline{ normalize = { "nfc", "lower" }, min_count = 2 })
    for _, method in ipairs{ "greedy", "beam", "sample" } do
      local said = model:decode({ "el gato" }, { method = method, seed = 1 })[1]
      assert.is_nil(said:find("<unk>", 1, true), method .. ": " .. said)
      said = model:decode({ "el gato" }, { method = method, seed = 1, unknown = true })[1]
      assert.is_truthy(said:find("^<unk> <unk>"), method .. ": " .. said)
    end
    raises(function() model:decode({ "el gato" }, { unknown = 1 }) end, "unknown must be true or false")
  end)

  it("knows the unknown words of each tokenizer", function()
    local tokenizer = marea.text.Tokenizer{ oov_token = "<nada>" }
    tokenizer:fit_on_texts(texts)
    local vocabularies = require "marea.builders.vocabularies"
    assert.are.same({ 1 }, vocabularies.unknown_ids{ tokenizer = tokenizer })
    assert.are.same({}, vocabularies.unknown_ids{ tokenizer = marea.text.Tokenizer{} })
    assert.are.same({}, vocabularies.unknown_ids{ vocabulary = 4 })
    for buckets, expected in pairs{ [0] = {}, [1] = { 1 }, [3] = { 1, 2, 3 } } do
      local pipeline = marea.text.Pipeline{ unknown = buckets > 0 and "<unk>", unknown_buckets = math.max(buckets, 1) }
      pipeline:fit(texts)
      assert.are.same(expected, vocabularies.unknown_ids{ tokenizer = pipeline })
    end
  end)

  it("says no padding either where the decoder does not read what it said", function()
    local model = builders.one_to_many{ source = { features = 1 }, target = { vocabulary = 5 }, units = 3,
      feedback = false, max_length = 4 }
    local scores = model:get_layer("scores")
    scores:set_weights{ scores:get_weights()[1], marea.tensor{ 60, 0, 40, 0, 0, 50, 0 } } -- 5 starts, 6 stops
    assert.are.same({ { 2, 2, 2, 2 } }, model:decode(marea.ones{ 1, 1 }))
  end)
end)
