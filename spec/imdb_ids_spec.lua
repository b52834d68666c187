-- IMDB's reviews as ids: Keras's rules, the decoder, the counters.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local corpora = marea.corpora

local function golden()
  local file = assert(io.open("spec/golden/imdb_ids.json"))
  local content = file:read("a")
  file:close()
  return assert(marea.json.decode(content))
end

local function int32(list) return marea.tensor(list, { dtype = "int32" }) end

-- A corpus whose words w1, w2 … have the ranks 1, 2 …: a long review at the end, with each word
-- more often than the next, sees to it.
local function corpus_of(reference)
  local corpus = {}
  for _, part in ipairs{ "train", "test" } do
    local texts, numbers = {}, {}
    for i, ranks in ipairs(reference[part]) do
      local words = {}
      for j, rank in ipairs(ranks) do words[j] = "w" .. rank end
      texts[i], numbers[i] = table.concat(words, " "), i - 1
    end
    corpus[part] = { texts = texts, labels = int32(numbers) }
  end
  local filler = {}
  for rank = 1, 20 do filler[rank] = (("w%d "):format(rank)):rep(20 * (21 - rank)) end
  local train = corpus.train
  train.texts[#train.texts + 1] = table.concat(filler)
  train.labels = marea.concat({ train.labels, int32{ 99 } }, 1)
  return corpus
end

describe("imdb_ids", function()
  it("are Keras's", function()
    local reference = golden()
    local corpus = corpus_of(reference)
    for number, case in ipairs(reference.cases) do
      local options = { corpus = corpus, shuffle = false }
      for name, value in pairs(case.options) do
        if value == "none" then options[name] = false else options[name] = value end
      end
      local result = assert(corpora.imdb_ids(options))
      for _, part in ipairs{ "train", "test" } do
        for i, row in ipairs(case[part]) do
          local what = ("case %d, %s, row %d"):format(number, part, i)
          assert.are.equal(row[1], result[part].labels:get(i), what)
          assert.are.same(row[2], result[part].sequences[i], what)
        end
      end
    end
  end)

  local function tiny(options)
    options.corpus = {
      train = { texts = { "bueno bueno bueno cine cine", "malo cine cine bueno", "bueno" },
        labels = marea.tensor{ 1, 0, 1 } },
      test = { texts = { "cine nuevo", "bueno malo" }, labels = marea.tensor{ 0, 1 } },
    }
    options.shuffle = options.shuffle or false
    return corpora.imdb_ids(options)
  end

  it("decode to the review, with marks", function()
    local result = assert(tiny{ num_words = 7 })
    assert.are.same({ bueno = 1, cine = 2, malo = 3, nuevo = 4 }, result.word_index)
    assert.are.same({ 1, 4, 4, 4, 5, 5 }, result.train.sequences[1])
    assert.are.equal("<start> bueno bueno bueno cine cine",
      result.decode(result.train.sequences[1]))
    assert.are.equal("<start> cine <oov>", result.decode(result.test.sequences[1]))
    assert.are.equal("bueno <900>", result.decode{ 0, 0, 4, 900 })
    assert.are.same({ reviews = 2, dropped = 0, cut = 0, outside = 1 }, result.test.report)
  end)

  it("drop long reviews and cut them by two different options", function()
    local result = assert(tiny{ num_words = 100, drop_longer = 5 })
    assert.are.equal(1, #result.train.sequences) -- with the start mark they have 6, 5 and 2 ids
    assert.are.equal(2, result.train.report.dropped)
    result = assert(tiny{ num_words = 100, truncate = 3 })
    assert.are.same({ 4, 5, 5 }, result.train.sequences[1])
    assert.are.equal(5, result.train.report.cut)
    result = assert(tiny{ num_words = 100, truncate = 3, truncating = "post" })
    assert.are.same({ 1, 4, 4 }, result.train.sequences[1])
    result = assert(tiny{ num_words = 5, truncate = 2, truncating = "post", oov_char = false })
    assert.are.same({ 1, 4 }, result.train.sequences[2]) -- words left out take no room
  end)

  it("leave out words that the training part lacks, if asked", function()
    local result = assert(tiny{ num_words = 100, counted = "train" })
    assert.is_nil(result.word_index.nuevo)
    assert.are.same({ 1, 5, 2 }, result.test.sequences[1])
  end)

  it("shuffle reviews and labels alike, the same each time", function()
    local one, two = assert(tiny{ shuffle = true }), assert(tiny{ shuffle = true })
    assert.are.same(one.train.sequences, two.train.sequences)
    for i, ids in ipairs(one.train.sequences) do
      assert.are.equal(#ids == 5 and 0 or 1, one.train.labels:get(i))
    end
  end)

  it("say what is wrong", function()
    assert.fails("maxlen and drop_longer are the same", tiny, { maxlen = 3, drop_longer = 3 })
    assert.fails("num_words must be a positive whole number", tiny, { num_words = 0 })
    assert.fails("truncating must be one of pre, post", tiny, { truncating = "both" })
    assert.fails("unknown option", tiny, { max_len = 3 })
    local result, message = tiny{ drop_longer = 2 }
    assert.is_nil(result)
    assert.is_truthy(message:find("no review of train is shorter than 2 ids", 1, true), message)
    assert.fails("index_from 2147483646 is too large", tiny, { index_from = 2147483646 })
  end)

  it("give all memory back, also when it runs out", function()
    helper.leak_check(function()
      for n = 1, 60 do
        native.fail_at(n)
        pcall(tiny, { num_words = 7 })
        native.fail_at(0)
      end
    end)
  end)
end)
