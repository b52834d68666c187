-- Options and descriptions of pipelines, sound and malformed; memory that runs out.
local helper = require "spec.helper"
local json = require "marea.json"
local marea = require "marea"
local native = require "marea.native"
local texts = require "spec.texts"
local text = marea.text
local with_threads = texts.with_threads

describe("Options that contradict each other or are none", function()
  local cases = {
    { { shortest = 5, longest = 3 }, "longest is 3, shortest is 5: no token could stay" },
    { { within = true }, "within = true asks for n-grams of characters; give ngrams" },
    { { within = "yes", ngrams = 2 }, "within must be true or false" },
    { { within = true, ngrams = 2, split = "bytes" }, "not be followed by n-grams within the pieces" },
    { { ngrams = 0 }, "ngrams must be a positive whole number, got number 0" },
    { { ngrams = "2" }, "ngrams must be a width or a list of widths" },
    { { ngrams = { 2, 2 } }, "ngrams holds 2 twice" },
    { { ngrams = 65 }, "n-grams of 65, allowed are 1 to 64" },
    { { join = 3, ngrams = 2 }, "join must be a string, got number 3" },
    { { join = "\xff", ngrams = 2 }, "what joins n-grams is not UTF-8" },
    { { stop_words = "fr" }, "language must be one of es, en" },
    { { stop_words = 3 }, "stop_words must be a language or a list of words, got number 3" },
    { { stop_words = { "a", 3 } }, "stop word 2 must be a string, got number 3" },
    { { keep = 0 }, "keep must be a positive whole number" },
    { { keep = 1.5 }, "keep must be a positive whole number" },
    { { min_count = -1 }, "min_count must be a whole number of at least 0" },
    { { min_documents = 1.5 }, "a whole number of documents or a share from 0.0 to 1.0, got number 1.5" },
    { { max_documents = -1 }, "max_documents must be a whole number of documents or a share" },
    { { max_documents = "all" }, "max_documents must be a whole number of documents or a share" },
    { { order = "alphabet" }, "order must be one of count, bytes, first" },
    { { ties = "random" }, "ties must be one of first, ascending, descending, signed" },
    { { unknown = 3 }, "unknown must be a string or false, got number 3" },
    { { pad = true }, "pad must be a string or false, got boolean true" },
    { { unknown = false, unknown_buckets = 2 }, "unknown_buckets needs an unknown token" },
    { { unknown_buckets = 1e9 }, "unknown_buckets is 1000000000, at most 1000000 are allowed" },
    { { specials = { "[PAD]" } }, 'pad is "<pad>", which specials does not hold' },
    { { specials = { "<pad>", "[UNK]" } }, 'unknown is "<unk>", which specials does not hold' },
    { { specials = { "<pad>", "<unk>", "<unk>" } }, "special token 3 is" },
    { { specials = { "<pad>", "<unk>", "x" }, unknown_buckets = 2 }, '"<unk>2" behind "<unk>"' },
    { { specials = 3 }, "specials must be a list of tokens, got number 3" },
    { { "spanish" }, "preset must be one of bert, es, fasttext, glove, keras, sklearn" },
    { { tokens = 3 }, 'Pipeline: unknown option "tokens"' },
  }
  for _, case in ipairs(cases) do
    it(case[2], function() assert.fails(case[2], text.Pipeline, case[1]) end)
  end
end)

describe("A pipeline's description", function()
  local documents = { "El mar y la luna.", "la MAR salada", "¿luna?" }

  it("rebuilds it, through JSON", function()
    for _, options in ipairs{ { "unicode" }, { "es", stop_words = "es" }, { "keras", keep = 3 },
      { "textvectorization", ngrams = { 1, 2 } }, { "sklearn", min_documents = 1.0 * 1 / 3 },
      { "glove" }, { "fasttext", min_count = 1 }, { "bert" }, { split = "bytes" },
      { "sklearn", max_documents = 1.0 }, { "sklearn", max_documents = 2 },
      { normalize = { { "lower", final_sigma = false }, { "collapse", spaces = "ascii" } },
        split = { { "literal", text = " ", behavior = "contiguous" }, { "digits", individual = true } },
        shortest = 2, longest = 9, unknown_buckets = 3, join = "_", ngrams = 2, ties = "ascending",
        invalid = "replace", order = "first" },
      { pad = false, unknown = "?", within = true, ngrams = { 2, 3 } } } do
      local pipeline = text.Pipeline(options)
      pipeline:fit(documents)
      local config = assert(json.decode(json.encode(pipeline:get_config())))
      local copy = text.Pipeline.from_config(config)
      assert.are.equal(tostring(pipeline), tostring(copy))
      assert.are.same((pipeline:encode(documents)), (copy:encode(documents)))
      assert.are.equal(pipeline.max_documents, copy.max_documents)
      assert.are.equal(math.type(pipeline.max_documents), math.type(copy.max_documents))
      assert.are.equal(pipeline:decode(pipeline:encode(documents)[1]),
        copy:decode(copy:encode(documents)[1]))
      assert.are.equal(json.encode(pipeline:get_config()), json.encode(copy:get_config()))
    end
  end)

  it("that is malformed raises", function()
    local function config(change)
      local pipeline = text.Pipeline{ "unicode" }
      pipeline:fit(documents)
      local given = assert(json.decode(json.encode(pipeline:get_config())))
      change(given)
      return given
    end
    local wrong = {
      function(c) c.vocabulary = nil end, function(c) c.vocabulary = {} end,
      function(c) c.vocabulary.words = "x" end, function(c) c.vocabulary.words[1] = 3 end,
      function(c) c.vocabulary.counts[1] = -1 end, function(c) c.vocabulary.counts[2] = "x" end,
      function(c) c.vocabulary.documents = nil end, function(c) c.vocabulary.document_count = "x" end,
      function(c) c.vocabulary.words[2] = c.vocabulary.words[1] end,
      function(c) c.vocabulary.specials = { 1, 2 } end, function(c) c.vocabulary.hash = "0" end,
      function(c) c.vocabulary.rule = { order = "x" } end, function(c) c.vocabulary.rule = 3 end,
      function(c) c.vocabulary.rule = { keep = "x" } end, function(c) c.split = { 3 } end,
      function(c) c.split = { { name = "x" } } end, function(c) c.normalize = "?" end,
      function(c) c.normalize = { { name = "lower", x = 1 } } end, function(c) c.ngrams = "x" end,
      function(c) c.keep = "x" end, function(c) c.unknown_buckets = 1e300 end,
      function(c) c.other = 1 end, function(c) c.stop_words = { 1 } end,
      function(c) c.min_documents = {} end, function(c) c.pad = 3 end,
      function(c) c.normalize = { { name = "spec", version = "x" } } end,
      function(c) c.normalize = { { name = {}, version = 1 } } end,
    }
    for i, change in ipairs(wrong) do
      local ok, message = pcall(text.Pipeline.from_config, config(change))
      assert.is_false(ok, "case " .. i)
      assert.is_string(message, "case " .. i)
    end
    assert.fails("malformed description", text.Pipeline.from_config, 3)
  end)

  it("reads well", function()
    local pipeline = text.Pipeline{ "es" }
    pipeline:fit(documents)
    assert.are.equal("Pipeline: normalize html, urls, nfc, lower, strip_accents; split words; "
      .. "6 words + 2 special tokens = 8 ids, from 3 documents", tostring(pipeline))
  end)
end)

describe("When memory runs out", function()
  local options = { normalize = { "html", "urls", "nfkd", "lower", { "strip_accents", keep = "ñ" },
    { "replace", from = "a", to = "bb" }, "clean", "cjk_spaces", "collapse" },
    split = { "whitespace", { "words", punctuation = "keep" }, "digits" }, ngrams = { 1, 3 },
    stop_words = { "x", "y" }, longest = 50, invalid = "replace" }
  local list = texts.made(40, 60, 9)

  -- Fails the nth allocation of f for every n until f succeeds; the last result.
  local function fail_each(f, most)
    for n = 1, most do
      native.fail_at(n)
      local ok, message = pcall(f)
      native.fail_at(0)
      if ok then return message end
      assert.is_truthy(tostring(message):find("out of memory", 1, true), tostring(message))
    end
    error("the work needs more allocations than " .. most)
  end

  for _, n in ipairs{ 1, 2 } do
    it(("nothing is left behind, with %d thread(s)"):format(n), function()
      with_threads(n, function()
        local expected = text.Pipeline(options)
        expected:fit(list)
        helper.leak_check(function()
          local pipeline = text.Pipeline(options)
          fail_each(function() return text.Pipeline(options) end, 200)
          fail_each(function() return pipeline:count(list) end, 2000)
          fail_each(function() return pipeline:rank() end, 20)
          assert.are.equal(expected.vocabulary.native:hash(), pipeline.vocabulary.native:hash())
          fail_each(function() return pipeline:encode(list) end, 2000)
          for _, source in ipairs{ list[1], texts.written[1] } do
            fail_each(function() return pipeline:tokens(source, { places = true }) end, 500)
            fail_each(function() return pipeline:normalized(source) end, 500)
          end
        end)
      end)
    end)
  end
end)
