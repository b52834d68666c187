-- Phrases against gensim's (spec/golden/phrases.json, made by scripts/fixtures/phrases.py) and by
-- hand.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local text = marea.text

local golden = (function()
  local file = assert(io.open("spec/golden/phrases.json"))
  local result = assert(marea.json.decode(file:read("a")))
  file:close()
  return result
end)()

local function words_of(source)
  local list = {}
  for word in source:gmatch("%S+") do list[#list + 1] = word end
  return list
end

local function lists_of(texts)
  local lists = {}
  for i, source in ipairs(texts) do lists[i] = words_of(source) end
  return lists
end

local function plain()
  return text.Pipeline{ split = "whitespace" }
end

local function fitted(given, texts)
  local phrases = text.Phrases(given)
  phrases:fit(plain(), texts or golden.texts)
  return phrases
end

-- Compares a list of { phrase =, score = } with an object phrase → score.
local function same_scores(expected, list)
  local left = 0
  for _ in pairs(expected) do left = left + 1 end
  assert.are.equal(left, #list)
  for i, item in ipairs(list) do
    assert.is_number(expected[item.phrase], item.phrase)
    assert.is_true(math.abs(expected[item.phrase] - item.score) <= 1e-12 * math.abs(item.score))
    if i > 1 then assert.is_true(list[i - 1].score >= item.score) end
  end
end

describe("phrases", function()
  it("have gensim's counts, scores and joined texts", function()
    for _, case in ipairs(golden.cases) do
      local phrases = fitted(case.options)
      local config = phrases:get_config()
      for i, entry in ipairs(case.vocabulary) do
        assert.are.same(entry, { config.entries[i], config.counts[i] })
      end
      assert.are.equal(#case.vocabulary, #config.entries)
      assert.are.equal(case.words, config.words)
      same_scores(case.all, phrases:top())
      same_scores(case.found, phrases:find(plain(), golden.new))
      same_scores(case.found, phrases:find(nil, lists_of(golden.new)))
      assert.are.same(case.own, (phrases:apply(lists_of(golden.texts))))
      assert.are.same(case.new, (phrases:apply(lists_of(golden.new))))
      assert.are.same(case.frozen_new, (phrases:freeze():apply(lists_of(golden.new))))
    end
  end)

  it("are the same counted at once, in parts, as lists of words and on any number of threads",
    function()
      local texts = {}
      for i = 1, 30000 do
        texts[i] = golden.texts[i % #golden.texts + 1] .. " w" .. i * 7919 % 4001
      end
      local before = marea.threads()
      local want
      for _, threads in ipairs{ 1, 2, 7 } do
        marea.threads(threads)
        local config = fitted({}, texts):get_config()
        want = want or config
        assert.are.same(want, config)
      end
      marea.threads(before)
      local parts = text.Phrases()
      parts:fit(plain(), table.move(texts, 1, 15000, 1, {}))
      parts:fit(plain(), table.move(texts, 15001, 30000, 1, {}))
      assert.are.same(want, parts:get_config())
      local lists = text.Phrases()
      local at = 0
      lists:fit(nil, function()
        at = at + 1
        if at <= 3 then return lists_of(table.move(texts, at * 10000 - 9999, at * 10000, 1, {})) end
      end)
      assert.are.same(want, lists:get_config())
    end)

  it("forget the rarest words above max_vocabulary, as gensim does", function()
    local phrases = text.Phrases{ min_count = 1, threshold = 0.1, max_vocabulary = 40 }
    local pruned = 0
    for _, source in ipairs(golden.texts) do
      pruned = pruned + (phrases:fit(plain(), { source }).pruned or 0)
    end
    local config = phrases:get_config()
    assert.is_true(pruned > 0)
    assert.are.equal(golden.pruned.least, config.least)
    assert.are.equal(#golden.pruned.vocabulary, #config.entries)
    for i, entry in ipairs(golden.pruned.vocabulary) do
      assert.are.same(entry, { config.entries[i], config.counts[i] })
    end
    assert.are.same(phrases:get_config(), text.Phrases.from_config(phrases:get_config()):get_config())
  end)

  it("keep empty words, join from left to right and never at a connector", function()
    local phrases = text.Phrases{ min_count = 1, threshold = 0.1, connector_words = { "of" } }
    phrases:fit(nil, { { "a", "b", "c" }, { "a", "b", "c" }, { "b", "of", "c" }, { "b", "of", "c" } })
    assert.are.same({ "a_b", "c", "b_of_c" }, (phrases:apply{ "a", "b", "c", "b", "of", "c" }))
    assert.are.same({ "of", "a_b", "of", "of", "c", "of" },
      (phrases:apply{ "of", "a", "b", "of", "of", "c", "of" }))
    assert.are.same({ "", "a_b", "" }, (phrases:apply{ "", "a", "b", "" }))
    assert.are.same({}, (phrases:apply{}))
    local _, found = phrases:apply{ { "a", "b" }, { "a", "b", "a", "b" } }
    assert.are.equal(3, found)
  end)

  it("have lists of connector words", function()
    local phrases = fitted({ min_count = 1, threshold = 0.5, connector_words = "es" })
    assert.are.same({ "mar_de_la_luna" }, (phrases:apply{ "mar", "de", "la", "luna" }))
    assert.are.equal("Phrases: 3 words and pairs counted in 4 words",
      tostring(fitted({ connector_words = "en" }, { "bay of the moon" })))
  end)
end)

describe("phrases in a pipeline", function()
  it("are joined behind stop words and before n-grams, with their places", function()
    local phrases = fitted{ min_count = 1, threshold = 0.1 }
    local source = "The HIGH  water, low water"
    local pipeline = text.Pipeline{ normalize = "lower", split = "words", phrases = phrases,
      stop_words = { "the" } }
    local tokens, first, last = pipeline:tokens(source, { places = true })
    assert.are.same({ "high_water", "low_water" }, tokens)
    assert.are.equal("HIGH  water", source:sub(first[1], last[1]))
    assert.are.equal("low water", source:sub(first[2], last[2]))
    pipeline = text.Pipeline{ normalize = "lower", split = "words", phrases = phrases, ngrams = { 1, 2 } }
    assert.are.same({ "the", "high_water", "low_water", "the high_water", "high_water low_water" },
      pipeline:tokens(source))
    assert.are.equal(4, pipeline:fit{ source, source }.phrases)
    assert.are.equal(2, (pipeline.vocabulary:count("high_water")))
    assert.are.equal(pipeline.vocabulary:id("low_water"), pipeline:encode{ "low water" }[1][1])
  end)

  it("can follow one another, as in gensim", function()
    local first = fitted{ min_count = 1, threshold = 1.0 }
    local second = text.Phrases{ min_count = 1, threshold = 0.5 }
    second:fit(text.Pipeline{ split = "whitespace", phrases = first }, golden.texts)
    local pipeline = text.Pipeline{ split = "whitespace", phrases = { first, second } }
    for i, source in ipairs(golden.new) do
      assert.are.same(golden.chain.new[i], pipeline:tokens(source))
    end
    for i, source in ipairs(golden.texts) do
      assert.are.same(golden.chain.own[i], pipeline:tokens(source))
    end
  end)

  it("are saved and loaded with it, full and frozen", function()
    for _, freeze in ipairs{ false, true } do
      local phrases = fitted{ min_count = 1, threshold = 0.1, connector_words = { "of", "the" } }
      phrases:fit(plain(), golden.texts)
      if freeze then phrases = phrases:freeze() end
      local pipeline = text.Pipeline{ split = "whitespace", phrases = phrases, ngrams = 2 }
      pipeline:fit(golden.texts)
      local config = marea.json.decode(marea.json.encode(pipeline:get_config()))
      local loaded = text.Pipeline.from_config(config)
      assert.are.same(pipeline:get_config(), loaded:get_config())
      for _, source in ipairs(golden.new) do
        assert.are.same(pipeline:tokens(source), loaded:tokens(source))
      end
      local read = text.Phrases.from_config(config.phrases[1])
      assert.are.same({ "boats_of_the_bay", "lie" }, (read:apply(words_of("boats of the bay lie"))))
    end
  end)

  it("outlive every other hold on them", function()
    local pipeline = text.Pipeline{ split = "whitespace", phrases = fitted{ min_count = 1, threshold = 0.1 } }
    pipeline.phrases = nil
    collectgarbage()
    collectgarbage()
    assert.are.same({ "high_water" }, pipeline:tokens("high water"))
  end)

  it("count on one thread when a function of Lua is a stage", function()
    text.register("normalizer", "phrases_spec_lower", string.lower)
    local phrases = text.Phrases{ min_count = 1, threshold = 0.1 }
    phrases:fit(text.Pipeline{ normalize = "phrases_spec_lower", split = "whitespace" },
      { "High WATER", "high water" })
    assert.are.same({ "high_water" }, (phrases:apply{ "high", "water" }))
  end)
end)

describe("phrases say what is wrong", function()
  it("in options", function()
    assert.fails("min_count", text.Phrases, { min_count = 0 })
    assert.fails("threshold is 0, expected more than 0", text.Phrases, { threshold = 0 })
    assert.fails("threshold is 10, expected -1 to 1", text.Phrases, { scoring = "npmi", threshold = 10 })
    assert.fails("threshold must be a number", text.Phrases, { threshold = "5" })
    assert.fails("scoring", text.Phrases, { scoring = "pmi" })
    assert.fails("join must be at least one character", text.Phrases, { join = "" })
    assert.fails("join is not UTF-8", text.Phrases, { join = "\xff" })
    assert.fails("connector_words", text.Phrases, { connector_words = "de" })
    assert.fails("connector_words", text.Phrases, { connector_words = 5 })
    assert.fails("phrases must be", text.Pipeline, { phrases = "x" })
    assert.fails("malformed", text.Pipeline, { phrases = { {} } })
    local one = text.Phrases()
    assert.fails("at most 4", text.Pipeline, { phrases = { one, one, one, one, one } })
  end)

  it("in texts, and nothing is counted then", function()
    local phrases = text.Phrases{ min_count = 1 }
    assert.fails("text 2: byte 3 is not valid UTF-8", phrases.fit, phrases, plain(), { "a b", "a \xff" })
    assert.fails("expected a pipeline", phrases.fit, phrases, { "a b" })
    assert.fails("expected a list of texts", phrases.fit, phrases, nil, { "a b" })
    assert.fails("text 2 is a number", phrases.apply, phrases, { "a", 5 })
    assert.fails("text 1: byte 1", phrases.find, phrases, plain(), { "\xff" })
    assert.are.equal("Phrases: 0 words and pairs counted in 0 words", tostring(phrases))
    local frozen = fitted{ min_count = 1 }:freeze()
    assert.fails("frozen", frozen.fit, frozen, plain(), { "a" })
    assert.fails("frozen", frozen.fit, frozen, nil, { { "a" } })
  end)

  it("in configs", function()
    local good = fitted{ min_count = 1 }:get_config()
    local function broken(name, value)
      local config = {}
      for key, old in pairs(good) do config[key] = old end
      config[name] = value
      return config
    end
    assert.fails("malformed", text.Phrases.from_config, 5)
    assert.fails("expected lists", text.Phrases.from_config, broken("entries", 5))
    assert.fails("malformed counts", text.Phrases.from_config, broken("counts", {}))
    assert.fails("malformed counts", text.Phrases.from_config, broken("words", -1))
    assert.fails("malformed counts", text.Phrases.from_config, broken("least", "x"))
    assert.fails("malformed scores", text.Phrases.from_config, broken("scores", {}))
    assert.fails("twice", text.Phrases.from_config, broken("entries", { "a", "a" }))
  end)
end)

describe("phrases and memory", function()
  it("leave nothing behind", function()
    helper.leak_check(function()
      local phrases = fitted{ min_count = 1, threshold = 0.1 }
      phrases:find(plain(), golden.new)
      phrases:freeze():top(3)
      phrases:apply(lists_of(golden.new))
      text.Pipeline{ split = "whitespace", phrases = phrases }:tokens("high water")
    end)
  end)

  it("survive a failure of any allocation", function()
    local texts, pipeline = table.move(golden.texts, 1, 5, 1, {}), plain()
    local function all()
      local phrases = text.Phrases{ min_count = 1, threshold = 0.1, max_vocabulary = 60 }
      phrases:fit(pipeline, texts)
      phrases:fit(nil, { { "high", "water", "low" } })
      phrases:find(pipeline, golden.new)
      phrases:freeze():top()
      text.Pipeline{ split = "whitespace", phrases = phrases, ngrams = 2 }:tokens("high water low")
    end
    all()
    helper.leak_check(function()
      for n = 1, 10000 do
        native.fail_at(n)
        local ok, message = pcall(all)
        native.fail_at(0)
        if ok then return end
        assert.is_truthy(message:find("memory", 1, true), message)
      end
      error("the failures never ended")
    end)
  end)
end)
