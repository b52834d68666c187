-- Tokenizer and friends: Keras's rules, Unicode, hostile input.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local text = marea.text

local function words(source, given)
  return text.text_to_word_sequence(source, given)
end

describe("text_to_word_sequence", function()
  it("lower-cases, filters, splits, drops empty pieces", function()
    assert.are.same({ "the", "film's", "end", "good", "bad" }, words("The film's END -- good; (bad)!"))
    assert.are.same({}, words(" \t\n!!! "))
    assert.are.same({}, words(""))
  end)

  it("keeps what is not in Keras's filter set", function()
    assert.are.same({ "¿qué", "«sí»", "no…", "a\rb", "uno\u{A0}dos" },
      words("¿Qué? «Sí», no… a\rb uno\u{A0}dos"))
  end)

  local lower_cases = {
    { "ÁRBOL ÑANDÚ ÜBER", { "árbol", "ñandú", "über" } },
    { "İSTANBUL IĞDIR", { "i̇stanbul", "iğdir" } },
    { "STRASSE ẞ ß", { "strasse", "ß", "ß" } },
    { "ΟΔΟΣ ΣΟΦΟΣ Σ", { "οδος", "σοφος", "σ" } },
    { "ПРИВЕТ ЁЖ", { "привет", "ёж" } },
    { "E\u{301}TE\u{301}", { "e\u{301}te\u{301}" } },
    { "👍🏽 OK 日本", { "👍🏽", "ok", "日本" } },
    { "𐐀", { "𐐨" } },
  }
  for _, case in ipairs(lower_cases) do
    it("lower-cases " .. case[1], function() assert.are.same(case[2], words(case[1])) end)
  end

  it("takes filters and split of any characters", function()
    assert.are.same({ "Hola", "adiós" }, words("¿Hola adiós?", { filters = "¿?", lower = false }))
    assert.are.same({ "a b", "c" }, words("a b--c--", { filters = "", split = "--" }))
    assert.are.same({ "a", "b" }, words("añb", { filters = "", split = "ñ" }))
    assert.are.same({ "a", "b", "c" }, words("a!b::c", { split = "::" , filters = "!" }))
  end)

  it("keeps NUL bytes and long words", function()
    assert.are.same({ "a\0b" }, words("A\0B"))
    local long = ("x"):rep(1e6)
    assert.are.same({ long, "y" }, words(long .. " y"))
  end)

  it("names the byte that is no UTF-8", function()
    for _, bad in ipairs{ "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80" } do
      assert.fails("byte 3 is not valid UTF-8", words, "ab" .. bad)
    end
  end)

  it("leaves no memory behind, whatever fails", function()
    helper.leak_check(function()
      for n = 1, 12 do
        native.fail_at(n)
        pcall(words, ("Hello wörld "):rep(1000))
        native.fail_at(0)
      end
    end)
  end)
end)

describe("Tokenizer", function()
  local documents = { "a a b", "b c", "c c c d" }

  local function fitted(given)
    local tokenizer = text.Tokenizer(given or {})
    tokenizer:fit_on_texts(documents)
    return tokenizer
  end

  it("ranks by count, ties in the order of first sight", function()
    local t = fitted()
    assert.are.same({ c = 1, a = 2, b = 3, d = 4 }, t.word_index)
    assert.are.same({ "c", "a", "b", "d" }, t.index_word)
    assert.are.same({ a = 2, b = 2, c = 4, d = 1 }, t.word_counts)
    assert.are.same({ a = 1, b = 2, c = 2, d = 1 }, t.word_docs)
    assert.are.same({ 2, 1, 2, 1 }, t.index_docs)
    assert.are.equal(3, t.document_count)
  end)

  it("goes on counting when it is fitted again", function()
    local t = fitted()
    t:fit_on_texts{ "d d d d d" }
    assert.are.same({ "d", "c", "a", "b" }, t.index_word)
    assert.are.equal(4, t.document_count)
  end)

  it("counts nothing of a list in which a text is refused", function()
    local t = fitted()
    assert.fails("text 2: byte 1 is not valid UTF-8", t.fit_on_texts, t, { "e e e e e e", "\xff" })
    assert.fails("text 2 is a number", t.fit_on_texts, t, { { "e" }, 2 })
    assert.are.same({ c = 1, a = 2, b = 3, d = 4 }, t.word_index)
    assert.are.equal(3, t.document_count)
  end)

  it("keeps ids below num_words, so k - 1 words; with an OOV word, k - 2", function()
    assert.are.same({ { 1, 2, 1 } }, (fitted{ num_words = 3 }:texts_to_sequences{ "c a b d z c" }))
    local t = fitted{ num_words = 4, oov_token = "<oov>" }
    local sequences, report = t:texts_to_sequences{ "c a b d z c", "" }
    assert.are.same({ { 2, 3, 1, 1, 1, 2 }, {} }, sequences)
    assert.are.same({ words = 6, unknown = 1, beyond_limit = 2, empty = 1 }, report)
    assert.are.equal(1, t.word_index["<oov>"])
    assert.are.equal(2, t.word_index.c)
  end)

  it("turns ids back into words", function()
    assert.are.same({ "c a", "" }, fitted{ num_words = 3 }:sequences_to_texts{ { 1, 2, 3, 99 }, {} })
    assert.are.same({ "? c ?" },
      fitted{ num_words = 3, oov_token = "?" }:sequences_to_texts{ { 1, 2, 4 } })
  end)

  it("makes matrices in four modes", function()
    local t = fitted()
    assert.near_all({ { 0, 0, 1, 1, 0 }, { 0, 1, 0, 1, 0 }, { 0, 1, 0, 0, 1 } },
      t:texts_to_matrix(documents))
    assert.near_all({ { 0, 0, 2, 1, 0 }, { 0, 1, 0, 1, 0 }, { 0, 3, 0, 0, 1 } },
      t:texts_to_matrix(documents, "count"))
    assert.near_all({ { 0, 0, 2 / 3, 1 / 3, 0 }, { 0, 0.5, 0, 0.5, 0 }, { 0, 0.75, 0, 0, 0.25 } },
      t:texts_to_matrix(documents, "freq"))
    assert.near_all({ { 0, 0, 1.551415069, 0.693147181, 0 }, { 0, 0.693147181, 0, 0.693147181, 0 },
      { 0, 1.454647191, 0, 0, 0.916290732 } }, t:texts_to_matrix(documents, "tfidf"))
    assert.are.same({ 3, 2 }, fitted{ num_words = 2 }:texts_to_matrix(documents):shape())
  end)

  it("works on characters, to which filters do not apply", function()
    local t = text.Tokenizer{ char_level = true }
    t:fit_on_texts{ "Ñu, ñ!" }
    assert.are.same({ "ñ", "u", ",", " ", "!" }, t.index_word)
  end)

  it("takes lists of words as they are, lower-cased", function()
    local t = text.Tokenizer{}
    t:fit_on_texts{ { "New York", "Ñu", "ñu" }, { "x,y" } }
    assert.are.same({ "ñu", "new york", "x,y" }, t.index_word)
    assert.are.same({ { 2, 3 } }, (t:texts_to_sequences{ { "NEW YORK", "x,y", "z" } }))
  end)

  it("survives Keras's JSON", function()
    local t = fitted{ num_words = 4, oov_token = "<oov>" }
    local copy = assert(text.tokenizer_from_json(t:to_json()))
    assert.are.same(t.word_index, copy.word_index)
    assert.are.same(t.word_counts, copy.word_counts)
    assert.are.equal(t.document_count, copy.document_count)
    assert.are.same((t:texts_to_sequences(documents)), (copy:texts_to_sequences(documents)))
    for _, bad in ipairs{ "", "{", "[]", "{}", '{"config": 3}', '{"config": {"word_index": "x"}}' } do
      local nothing, message = text.tokenizer_from_json(bad)
      assert.is_nil(nothing)
      assert.is_string(message)
    end
  end)

  it("survives its own description, and notices a changed one", function()
    local t = fitted()
    local config = t:get_config()
    local copy = text.Tokenizer.from_config(config)
    assert.are.same(t.word_index, copy.word_index)
    config.words[1] = "changed"
    assert.fails("does not match its hash", text.Tokenizer.from_config, config)
  end)

  it("counts the same with any number of threads", function()
    local many, stream = {}, marea.stream
    for i = 1, 6000 do
      local list = {}
      for j = 1, 200 do list[j] = "wort" .. stream:below(3000) end
      many[i] = table.concat(list, " ")
    end
    local before, hashes = marea.threads(), {}
    for _, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      local t = text.Tokenizer{}
      t:fit_on_texts(many)
      hashes[#hashes + 1] = t.vocabulary:hash()
    end
    marea.threads(before)
    assert.are.same({ hashes[1], hashes[1], hashes[1] }, hashes)
  end)

  it("says what is wrong", function()
    local t = text.Tokenizer{}
    assert.fails("expected a list of texts, got a single string", t.fit_on_texts, t, "bare")
    assert.fails("text 2 is a number, expected a string", t.fit_on_texts, t, { "a", 3 })
    assert.fails("text 2: byte 1 is not valid UTF-8", t.fit_on_texts, t, { "a", "\xff" })
    assert.fails('unknown option "numwords"', text.Tokenizer, { numwords = 3 })
    assert.fails("num_words must be a positive whole number", text.Tokenizer, { num_words = 0 })
    assert.fails("split must be at least one character", text.Tokenizer, { split = "" })
  end)

  it("reads real reviews #data", function()
    local folder = helper.data_folder()
    if not folder then return pending("the data sets are not here") end
    local corpus = assert(marea.corpora.imdb{ dir = folder })
    assert.are.equal(25000, #corpus.train.texts)
    local t = text.Tokenizer{ num_words = 10000 }
    t:fit_on_texts(corpus.train.texts)
    assert.are.equal("the", t.index_word[1])
    local x, report = t:texts_to_padded(corpus.train.texts, { maxlen = 200 })
    assert.are.same({ 25000, 200 }, x:shape())
    assert.are.equal(report.tokens - report.lost, x:not_equal(native.zeros_like(x)):sum():item())
  end)
end)

describe("hashing", function()
  it("is the same in every process and stays in 1 … n-1", function()
    local ids = text.hashing_trick("el gato y el perro", 50)
    assert.are.equal(ids[1], ids[4])
    for _, id in ipairs(ids) do assert.is_true(id >= 1 and id <= 49) end
    assert.are.same(ids, text.one_hot("El gato y el perro!", 50))
    assert.are_not.same(ids, text.hashing_trick("el gato y el perro", 50, { seed = 1 }))
    assert.fails("n must be a whole number of at least 2", text.hashing_trick, "a", 1)
  end)
end)
