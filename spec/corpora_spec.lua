-- Every loader on the real data sets; the numbers are those of the collection's README.
local helper = require "spec.helper"
local marea = require "marea"
local corpora = marea.corpora

local folder = helper.data_folder()

local function on_data(name, f)
  it(name, function()
    if not folder then return pending("needs ../shared/data or the variable MAREA_DATA") end
    f()
  end)
end

-- Words apart by single blanks; done with string functions alone, for there are many.
local function words_in(texts)
  local count = 0
  for _, text in ipairs(texts) do
    local _, blanks = text:gsub(" +", " ")
    count = count + blanks + 1
  end
  return count
end

local function items_in(lists)
  local count = 0
  for _, list in ipairs(lists) do count = count + #list end
  return count
end

local function sum(tensor)
  local total = 0
  for _, value in ipairs(tensor:totable()) do total = total + value end
  return total
end

describe("corpora on the collection:", function()
  on_data("imdb", function()
    local set = assert(corpora.imdb{ dir = folder, unsup = true })
    for _, part in ipairs{ "train", "test" } do
      assert.are.equal(25000, #set[part].texts)
      assert.are.equal(12500, sum(set[part].labels))
      assert.are.equal("neg/0", set[part].names[1])
    end
    local ratings = {}
    for _, rating in ipairs(set.train.ratings:totable()) do
      ratings[rating] = (ratings[rating] or 0) + 1
    end
    assert.are.same({ [1] = 5100, [2] = 2284, [3] = 2420, [4] = 2696, [7] = 2496, [8] = 3009,
      [9] = 2263, [10] = 4732 }, ratings)
    assert.are.equal(50000, #set.unsup.texts)
    local distinct, count = {}, 0
    for _, text in ipairs(assert(corpora.imdb{ dir = folder, breaks = true }).train.texts) do
      if not distinct[text] then count = count + 1 end
      distinct[text] = true
    end
    assert.are.equal(24904, count)
  end)

  on_data("imdb_sample", function()
    local set = assert(corpora.imdb_sample{ dir = folder, breaks = true })
    assert.are.equal(2000, #set.train.texts)
    assert.are.equal(1000, sum(set.train.labels))
    -- quoted cells must give the text of the tables, in which tabs became blanks
    local whole, known = assert(corpora.imdb{ dir = folder, breaks = true }), {}
    for _, text in ipairs(whole.train.texts) do known[text] = true end
    for _, text in ipairs(set.train.texts) do assert.is_true(known[text:gsub("\t", " ")]) end
  end)

  on_data("imdb_ids", function()
    local set = assert(corpora.imdb_ids{ dir = folder, num_words = 10000, drop_longer = 100 })
    for _, part in ipairs{ "train", "test" } do
      local report = set[part].report
      assert.are.equal(25000, report.reviews + report.dropped)
      assert.are.equal(report.reviews, set[part].labels:size(1))
      for _, ids in ipairs(set[part].sequences) do assert.is_true(#ids < 100) end
    end
    assert.are.equal(1, set.word_index.the)
    assert.are.equal(1, set.train.sequences[1][1])
    assert.are.equal("<start> the", set.decode{ 1, 4 })
  end)

  on_data("movie_reviews", function()
    for fold = 0, 9, 9 do
      local set = assert(corpora.movie_reviews{ dir = folder, fold = fold })
      assert.are.equal(200, #set.test.texts)
      assert.are.equal(100, sum(set.test.labels))
      assert.are.equal(1800, #set.train.texts)
      assert.are.equal(2000, #set.all.texts)
      for _, own in ipairs(set.test.folds) do assert.are.equal(fold, own) end
    end
  end)

  on_data("es_sentiment_tweets", function()
    local set = assert(corpora.es_sentiment_tweets{ dir = folder })
    for part, count in pairs{ train = 1839, valid = 324, test = 870 } do
      assert.are.equal(count, #set[part].texts)
      assert.are.equal(count, sum(set[part].labels)) -- balanced: the mean label is 1
    end
    assert.are.equal("estoy hasta el ojete de que me digáis que tengo cara de mala leche",
      set.train.texts[1])
  end)

  on_data("trec_questions", function()
    local set = assert(corpora.trec_questions{ dir = folder })
    assert.are.same({ 5452, 500 }, { #set.train.texts, #set.test.texts })
    assert.are.same({ 5, 49 }, { #set.label_names, #set.fine_names })
    assert.are.equal("DESC", set.label_names[set.train.labels:get(1)])
    assert.are.equal("DESC:manner", set.fine_names[set.train.fine_labels:get(1)])
  end)

  on_data("ptb", function()
    local set, words = assert(corpora.ptb{ dir = folder }), {}
    for part, counts in pairs{ train = { 42068, 929589 }, valid = { 3370, 73760 },
      test = { 3761, 82430 } } do
      assert.are.same(counts, { #set[part].texts, words_in(set[part].texts) })
    end
    local count = 0
    for _, text in ipairs(set.train.texts) do
      for word in text:gmatch("[^ ]+") do
        if not words[word] then count = count + 1 end
        words[word] = true
      end
    end
    assert.are.equal(10000, count)
  end)

  on_data("tiny_shakespeare", function()
    local set, seen, distinct = assert(corpora.tiny_shakespeare{ dir = folder }), {}, 0
    assert.are.equal(1115394, #set.text)
    assert.are.same({ 1003854, 111540 }, { #set.train.texts[1], #set.valid.texts[1] })
    for character in set.text:gmatch(".") do
      if not seen[character] then distinct = distinct + 1 end
      seen[character] = true
    end
    assert.are.equal(65, distinct)
  end)

  on_data("es_quijote", function()
    local set = assert(corpora.es_quijote{ dir = folder })
    assert.are.equal(2097953, utf8.len(set.text))
    local _, lines = set.text:gsub("\n", "\n")
    assert.are.equal(37453, lines)
    local _, words = set.text:gsub("[^ \n]+", "")
    assert.are.equal(381217, words)
    assert.are.equal(381217, words_in(set.train.texts))
  end)

  on_data("text8_head", function()
    local set = assert(corpora.text8_head{ dir = folder })
    assert.are.equal(6877824, #set.text)
    local _, words = set.text:gsub("[^ \n]+", "")
    assert.are.equal(1171946, words)
  end)

  on_data("spa_eng", function()
    local set = assert(corpora.spa_eng{ dir = folder })
    assert.are.same({ 118964, 118964 }, { #set.train.texts, #set.train.targets })
    assert.are.same({ "Go.", "Ve." }, { set.train.texts[1], set.train.targets[1] })
  end)

  on_data("conll2002_es", function()
    local set = assert(corpora.conll2002_es{ dir = folder })
    for part, counts in pairs{ train = { 8323, 264715 }, valid = { 1915, 52923 },
      test = { 1517, 51533 } } do
      assert.are.same(counts, { #set[part].sentences, items_in(set[part].sentences) })
      assert.are.equal(counts[2], items_in(set[part].tags))
    end
    local entities = {}
    for _, tags in ipairs(set.train.tags) do
      for _, tag in ipairs(tags) do
        local kind = tag:match("^B%-(.*)")
        if kind then entities[kind] = (entities[kind] or 0) + 1 end
      end
    end
    assert.are.same({ LOC = 4913, ORG = 7390, PER = 4321, MISC = 2173 }, entities)
    assert.are.equal("Melbourne", set.train.sentences[1][1])
  end)

  on_data("ud_english_ewt", function()
    local set, kinds, count = assert(corpora.ud_english_ewt{ dir = folder }), {}, 0
    for part, counts in pairs{ train = { 12544, 204577 }, valid = { 2001, 25147 },
      test = { 2077, 25094 } } do
      assert.are.same(counts, { #set[part].sentences, items_in(set[part].sentences) })
      assert.are.equal(counts[1], #set[part].texts)
      for _, tags in ipairs(set[part].tags) do
        for _, tag in ipairs(tags) do
          if not kinds[tag] then count = count + 1 end
          kinds[tag] = true
        end
      end
    end
    assert.are.equal(17, count)
    assert.is_true(items_in(set.train.ranges) > 1000)
  end)

  on_data("vector_formats", function()
    local sets = assert(corpora.vector_formats{ dir = folder })
    local sizes = {}
    for name, vectors in pairs(sets) do sizes[name] = #vectors end
    assert.are.same({ ["fasttext-text-cyrillic.291x5.vec"] = 291,
      ["fasttext-text.1762x10.vec"] = 1762, ["word2vec-binary.2747x10.bin"] = 2747,
      ["word2vec-binary.2x2.bin"] = 2, ["word2vec-text.1750x10.txt"] = 1750,
      ["word2vec-text.2x2.txt"] = 2 }, sizes)
  end)

  on_data("time_series", function()
    for name, facts in pairs{
      ["airline-passengers"] = { 144, 1, "1949-01", "1960-12" },
      ["daily-min-temperatures"] = { 3650, 1, "1981-01-01", "1990-12-31" },
      ["monthly-sunspots"] = { 2820, 1, "1749-01", "1983-12" },
      shampoo = { 36, 1, "1-01", "3-12" },
      ETTh1 = { 17420, 7, "2016-07-01 00:00:00", "2018-06-26 19:00:00" },
      exchange_rate = { 7588, 8 },
    } do
      local set = assert(corpora.time_series{ name, dir = folder })
      local dates = set.dates or {}
      assert.are.same(facts,
        { set.values:size(1), set.values:size(2), dates[1], dates[#dates] })
    end
    local set = assert(corpora.time_series{ "airline-passengers", dir = folder })
    assert.are.equal(112, set.values:get(1, 1))
    assert.are.same({ "Passengers" }, set.names)
    assert.are.equal("OT", corpora.time_series{ "ETTh1", dir = folder }.names[7])
  end)

  on_data("wordsim and analogies", function()
    for name, count in pairs{ wordsim353 = 353, ["wordsim353-similarity"] = 203,
      ["wordsim353-relatedness"] = 252, simlex999 = 999, rg65 = 65, mc30 = 30 } do
      local set = assert(corpora.wordsim{ name, dir = folder })
      assert.are.same({ count, count, count }, { #set.first, #set.second, set.scores:size(1) })
    end
    local set, semantic = assert(corpora.analogies{ dir = folder }), 0
    for _, section in ipairs(set.sections) do
      if not section.syntactic then semantic = semantic + #section.questions end
    end
    assert.are.same({ 14, 19544, 8869 }, { #set.sections, set.total, semantic })
    assert.are.same({ "Athens", "Greece", "Baghdad", "Iraq" }, set.sections[1].questions[1])
    assert.are.equal(3218, assert(corpora.analogies{ "phrases", dir = folder }).total)
  end)

  on_data("glove", function()
    for name, size in pairs{ ["glove.6B.50d.top10000"] = { 10000, 50 },
      ["glove.6B.100d.top2600"] = { 2600, 100 },
      ["glove.twitter.27B.25d.common11925"] = { 11925, 25 } } do
      local set = assert(corpora.glove{ name, dir = folder })
      assert.are.same(size, set.vectors:shape())
      assert.are.equal(size[1], #set.words)
    end
    local set = assert(corpora.glove{ dir = folder })
    assert.are.equal("the", set.words[1])
    -- Rows of vectors are float32, in the double build too.
    local as_float = { string.unpack("ff", string.pack("ff", 0.418, 0.24968)) }
    assert.near_all({ as_float[1], as_float[2] }, set.vectors:select(1, 1):narrow(1, 1, 2))
  end)

  on_data("mnist", function()
    local set = assert(corpora.mnist{ dir = folder })
    assert.are.same({ 10000, 28, 28 }, set.test.images:shape())
    assert.are.same({ 7, 2, 1, 0, 4 }, set.test.labels:narrow(1, 1, 5):totable())
    assert.are.equal(255, set.test.images:max():item())
    assert.is_nil(set.train)
  end)
end)
