local helper = require "spec.helper"
local native = require "marea.native"
local glove = require "marea.embeddings.glove"
local word2vec = require "marea.embeddings.word2vec"

-- Two groups of words that never stand together.
local texts = {}
for i = 1, 400 do
  local words, group = {}, i % 2 == 0 and "día" or "noche"
  for j = 1, 12 do words[j] = group .. (i * i * 3 + j * 5 + i * j) % 9 end
  texts[i] = table.concat(words, " ")
end

local function train(given, corpus)
  local _, training = assert(word2vec.train(corpus or texts, given))
  return training
end

local function bits(tensor)
  local list = tensor:reshape{ -1 }:totable()
  for i, x in ipairs(list) do list[i] = ("%a"):format(x) end
  return table.concat(list, " ")
end

local function cosine(a, b)
  local ab, aa, bb = 0, 0, 0
  for i = 1, #a do ab, aa, bb = ab + a[i] * b[i], aa + a[i] ^ 2, bb + b[i] ^ 2 end
  return ab / (aa * bb) ^ 0.5
end

-- Mean cosine of the words within a group, and of words of two groups.
local function closeness(training)
  local rows, words = training.matrix:totable(), training.words
  local within, across, n, m = 0, 0, 0, 0
  for i = 1, #words do
    for j = 1, i - 1 do
      local c = cosine(rows[i], rows[j])
      if words[i]:sub(1, 3) == words[j]:sub(1, 3) then within, n = within + c, n + 1
      else across, m = across + c, m + 1 end
    end
  end
  return within / n, across / m
end

describe("word2vec", function()
  after_each(function() native.threads(2) end)

  for _, model in ipairs{ "skipgram", "cbow" } do
    it(model .. " tells apart what never stands together", function()
      for _, deterministic in ipairs{ true, false } do
        -- Without determinism two threads give other numbers each time: one shows the rule.
        native.threads(deterministic and 2 or 1)
        local training = train{ model = model, vector_size = 20, window_size = 3, epochs = 20,
          sample = 0, deterministic = deterministic }
        assert.is_true(training.losses[20] < training.losses[1])
        local within, across = closeness(training)
        assert.is_true(within > across + 0.2, ("%g %g"):format(within, across))
      end
    end)

    it(model .. " learns without locks on two threads", function()
      native.threads(2)
      local training = train{ model = model, vector_size = 20, window_size = 3, epochs = 20,
        sample = 0, deterministic = false }
      assert.is_true(training.losses[20] < training.losses[1])
      local within, across = closeness(training)
      assert.is_true(within > across, ("%g %g"):format(within, across))
    end)

    it(model .. " gives the same bits for any number of threads", function()
      local given = { model = model, vector_size = 9, epochs = 2 }
      native.threads(1)
      local one = train(given)
      for _, threads in ipairs{ 2, 8 } do
        native.threads(threads)
        local more = train(given)
        assert.are.same(one.losses, more.losses)
        assert.are.equal(bits(one.matrix), bits(more.matrix))
      end
      given.seed = 2
      assert.are_not.equal(bits(one.matrix), bits(train(given).matrix))
    end)

    it(model .. " runs out of memory without a leak", function()
      local few = table.move(texts, 1, 20, 1, {})
      local function run()
        return word2vec.train(few, { model = model, vector_size = 3, epochs = 1 })
      end
      helper.survives_failures(run)
    end)
  end

  -- Output rows are zero at first, so that every g is half the rate (which falls from 0.1 to 0.075
  -- from the first word to the second) and input rows stay. Each example draws one other word, which
  -- counts unless it is the word itself.
  it("makes the first step by hand", function()
    local first, second = 0.1 / 2, 0.1 * (1 - 1 / 4) / 2
    local sums = { 0, 0 }
    for seed = 1, 20 do
      local trainer = native.word2vec({ 1, 1 }, { dimensions = 3, window = 1, negative = 1,
        epochs = 1, rate = 0.1, sample = 0, power = 0.75, seed = seed })
      local h = trainer:export("inputs"):totable()
      trainer:add(native.sequences{ { 0, 1 } })
      local done, loss, examples = trainer:go_on(100)
      assert.is_true(done)
      assert.are.equal(2, examples)
      local out = trainer:export("outputs"):totable()
      -- out[1] = first h[2] − n[2] second h[1], out[2] = second h[1] − n[1] first h[2]
      local n = { math.abs(out[2][1] - second * h[1][1]) > 1e-6 and 1 or 0,
        math.abs(out[1][1] - first * h[2][1]) > 1e-6 and 1 or 0 }
      for i = 1, 3 do
        assert.near_all({ first * h[2][i] - n[2] * second * h[1][i],
          second * h[1][i] - n[1] * first * h[2][i] }, { out[1][i], out[2][i] }, 1e-8)
      end
      assert.is_true(math.abs(loss - (2 + n[1] + n[2]) * math.log(2)) < 1e-6)
      assert.near_all(h, trainer:export("inputs"), 1e-12)
      sums = { sums[1] + n[1], sums[2] + n[2] }
    end
    for i = 1, 2 do assert.is_true(sums[i] > 2 and sums[i] < 18) end
  end)

  it("shares its words with GloVe", function()
    local _, first = assert(glove.train(texts, { vector_size = 4, iter = 1 }))
    local training = train{ vector_size = 4, epochs = 1, pipeline = first.pipeline }
    assert.are.equal(first.vocabulary, training.vocabulary)
    assert.are.same(first.matrix:shape(), training.matrix:shape())
  end)

  it("takes tiny corpora", function()
    for _, corpus in ipairs{ {}, { "" }, { "sol" }, { "sol sol" }, { "el sol brilla" } } do
      for _, model in ipairs{ "skipgram", "cbow" } do
        local training = train({ model = model, vector_size = 4, epochs = 3 }, corpus)
        assert.are.equal(3, #training.losses)
        for _, x in ipairs(training.matrix:reshape{ -1 }:totable()) do assert.are.equal(x, x) end
      end
    end
  end)

  it("tells how it gets on, and stops when it is told to", function()
    local seen, last = {}, nil
    local training = train{ vector_size = 4, epochs = 9, progress = function(p) last = p end,
      on_epoch = function(info)
        seen[#seen + 1] = info.loss
        assert.is_truthy(info.vectors())
        return info.epoch < 3
      end }
    assert.are.same(training.losses, seen)
    assert.are.equal(3, #seen)
    assert.are.equal(last.total, last.done)
  end)

  it("names what is wrong", function()
    assert.fails('unknown option "iter"', word2vec.train, texts, { iter = 3 })
    assert.fails("model must be one of skipgram, cbow", word2vec.train, texts, { model = "sg" })
    assert.fails("negative must be a positive whole number", word2vec.train, texts, { negative = 0 })
    assert.fails("learning_rate must be", word2vec.train, texts, { learning_rate = 0 })
    assert.fails("expected whole numbers from 1 to 65536", word2vec.train, texts,
      { vector_size = 1 << 20 })
    assert.fails("lower learning_rate", word2vec.train, texts,
      { learning_rate = 1e5, epochs = 60, vector_size = 4 })
    local result, message = word2vec.train("/nowhere/text", {})
    assert.is_nil(result)
    assert.is_truthy(message:find("No such file", 1, true))
  end)
end)
