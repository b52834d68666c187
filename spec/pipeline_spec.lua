-- The whole pipeline: places, n-grams, limits, ids and back, threads, lines of files.
require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local texts = require "spec.texts"
local text = marea.text
local with_threads = texts.with_threads

-- Chains whose result for a part of a text does not depend on what stands around it.
local chains = {
  { normalize = {}, split = "words" },
  { normalize = { "nfc" }, split = "graphemes" },
  { normalize = { "nfc" }, split = "code_points" },
  { normalize = { "nfd" }, split = "code_points" },
  { normalize = { "nfkc", "fold" }, split = "words" },
  { normalize = { "nfkd", { "lower", final_sigma = false } }, split = "code_points" },
  { normalize = { { "strip_accents", keep = "ñ" } }, split = "whitespace" },
  { normalize = { "strip_accents" }, split = "code_points" },
  { normalize = { { "digits", to = "<n>", runs = true } }, split = "whitespace" },
  { normalize = { { "replace", from = "a", to = "áé" }, "nfd" }, split = "code_points" },
  { normalize = { { "characters", from = "aeñ¿", to = "" } }, split = "whitespace" },
  { normalize = { "clean", "cjk_spaces", "nfd", "strip_marks" }, split = "bert" },
  { normalize = { "nfkc", "nfd", "strip_combining", "nfc" }, split = { "whitespace", "punctuation" } },
  { normalize = { "delete_punctuation", "lower_ascii" }, split = { { "word_runs", min = 2 } } },
}

describe("Places", function()
  for i, chain in ipairs(chains) do
    it(("of chain %d: the part of the text gives the token"):format(i), function()
      local pipeline = text.Pipeline(chain)
      for _, source in ipairs(texts.all(250, 20 + i)) do
        local tokens, first, last = pipeline:tokens(source, { places = true })
        local before = 1
        for k, token in ipairs(tokens) do
          assert.is_true(first[k] >= before and first[k] <= last[k] + 1 and last[k] <= #source)
          before = first[k]
          local part = source:sub(first[k], last[k])
          assert.is_truthy(utf8.len(part), part)
          assert.is_truthy(pipeline:normalized(part):find(token, 1, true),
            ("%q of %q in %q"):format(token, part, source))
        end
      end
    end)
  end

  it("of all stages lie in the text, in order, on whole characters", function()
    local pipeline = text.Pipeline{ normalize = { "html", "urls", "nfkd", "lower", "strip_accents",
      "nfc", { "digits", runs = true, to = "0" }, { "replace", from = "o", to = "oo" }, "clean",
      "cjk_spaces", { "prepend", text = "> " }, "collapse", "strip", "fold" },
      split = { "whitespace", "punctuation", "digits" } }
    for _, source in ipairs(texts.all(500, 50)) do
      local tokens, first, last = pipeline:tokens(source, { places = true })
      local before = 1
      for k in ipairs(tokens) do
        assert.is_true(first[k] >= before and first[k] <= last[k] + 1 and last[k] <= #source)
        before = first[k]
        assert.is_truthy(utf8.len(source:sub(first[k], last[k])))
      end
      assert.are.same(tokens, pipeline:tokens(source))
    end
  end)

  local function parts(options, source)
    local _, first, last = text.Pipeline(options):tokens(source, { places = true })
    local list = {}
    for i = 1, #first do list[i] = source:sub(first[i], last[i]) end
    return list
  end

  it("name what a token was made of", function()
    assert.are.same({ "ca<b>sa</b>ña", "fin" }, parts({ normalize = { { "html", to = "" } } },
      "ca<b>sa</b>ña <i>fin</i>"))
    assert.are.same({ "ve", "http://a.b/c?d" }, parts({ normalize = "urls" }, "ve http://a.b/c?d."))
    assert.are.same({ "&ntilde;u" }, parts({ normalize = { "html", "nfd", "strip_marks" } },
      "&ntilde;u"))
    assert.are.same({ "E\u{301}L" }, parts({ normalize = { "nfc", "lower" } }, "E\u{301}L"))
    assert.are.same({ "", "a", "b" }, parts({ normalize = { { "prepend", text = "▁" } },
      split = "code_points" }, "ab"))
    -- Marks change places and lengths within one character: all of it is named.
    local swapped = "a\u{301}\u{1DC2}"
    assert.are.same({ swapped, swapped }, parts({ normalize = "nfc", split = "code_points" }, swapped))
    assert.are.same({ "<b>", "<b>", "<b>", "x" }, parts({ normalize = { { "html", to = "T-G" } },
      split = "code_points" }, "<b>x"))
    assert.are.same({ "a", "\xff", "b" }, parts({ split = "code_points", invalid = "replace" },
      "a\xffb"))
  end)

  it("of n-grams span their pieces", function()
    local source = "¿El mar, la mar?"
    assert.are.same({ "El mar", "mar, la", "la mar", "El mar, la", "mar, la mar" },
      parts({ ngrams = { 2, 3 } }, source))
    assert.are.same({ "ñ", "ñu", "u" }, parts({ within = true, ngrams = 2 }, "ñu"))
  end)
end)

describe("n-grams", function()
  local function grams(options, source) return text.Pipeline(options):tokens(source) end

  it("of words come width by width, joined", function()
    assert.are.same({ "a", "b", "c", "a b", "b c" }, grams({ ngrams = { 1, 2 } }, "a b c"))
    assert.are.same({ "a b", "b c", "a", "b", "c" }, grams({ ngrams = { 2, 1 } }, "a b c"))
    assert.are.same({ "a_b_c" }, grams({ ngrams = 3, join = "_" }, "a b c"))
    assert.are.same({ "ab" }, grams({ ngrams = 2, join = "" }, "a b"))
    assert.are.same({}, grams({ ngrams = 4 }, "a b c"))
    assert.are.same({ "a", "b" }, grams({ ngrams = 1 }, "a b"))
    assert.are.same({ "a", "b" }, grams({ ngrams = {} }, "a b"))
  end)

  it("of characters go through the text, or stay within words", function()
    local through = { split = "code_points", ngrams = { 2, 3 }, join = "" }
    assert.are.same({ "ñu", "u ", " a", "ñu ", "u a" }, grams(through, "ñu a"))
    local within = { split = "whitespace", within = true, ngrams = { 1, 3 } }
    assert.are.same({ " ", "ñ", "u", " ", " ñu", "ñu ", " ", "a", " ", " a " }, grams(within, "ñu a"))
    within.ngrams = { 4, 5 }
    assert.are.same({ " ñu ", " a " }, grams(within, "ñu a")) -- a short word once
    within.join, within.ngrams = "<>", 3
    assert.are.same({ "<>a", ">a<", "a<>" }, grams(within, "a"))
    assert.are.same({ " ", "a", " " }, grams({ within = true, ngrams = 1 }, "a"))
  end)

  it("are made of what is left after stop words and short words", function()
    local options = { stop_words = { "la", "y" }, shortest = 2, ngrams = { 1, 2 } }
    assert.are.same({ "luna", "mar", "luna mar" }, grams(options, "la luna y o mar"))
  end)
end)

describe("Limits on tokens", function()
  it("count in characters, and count what they leave out", function()
    local pipeline = text.Pipeline{ shortest = 2, longest = 4, stop_words = { "el", "é" } }
    assert.are.same({ "ñu", "añil" }, pipeline:tokens("y ñu el añil grande é"))
    local report = pipeline:fit{ "y ñu el añil grande é", "ñ" }
    assert.are.same({ words = 2, too_short = 3, too_long = 1, stop_words = 1 }, report)
  end)

  it("know the stop words of two languages", function()
    assert.are.same({ "gato", "negro" }, text.Pipeline{ "unicode", stop_words = "es" }
      :tokens("El gato y la de los negro"))
    assert.are.same({ "cat", "sat" }, text.Pipeline{ "unicode", stop_words = "en" }
      :tokens("The cat and it sat"))
  end)
end)

describe("Ids", function()
  local documents = { "El mar y la luna, el mar.", "La luna LLENA", "", "¿el ñu?" }

  it("come by count, with padding and unknown in front, and go back to words", function()
    local pipeline = text.Pipeline{ "unicode" }
    local report = pipeline:fit(documents)
    assert.are.same({ words = 7 }, report)
    local v = pipeline.vocabulary
    assert.are.same({ 0, 1, 2, 3 }, { v:id("<pad>"), v:id("<unk>"), v:id("el"), v:id("mar") })
    local ids, counts = pipeline:encode{ "EL mar verde", "", "azul" }
    assert.are.same({ { 2, 3, 1 }, {}, { 1 } }, ids)
    assert.are.same({ words = 4, unknown = 2, beyond_limit = 0, empty = 1 }, counts)
    assert.are.equal("el mar <unk>", pipeline:decode(ids[1]))
    assert.are.equal("el mar", pipeline:decode{ 0, 2, 0, 3 })
    assert.are.equal("", pipeline:decode{})
    assert.are.equal("el-mar", pipeline:decode({ 2, 3 }, { join = "-" }))
  end)

  it("decode to the normalized tokens, joined", function()
    local all = texts.all(300, 33)
    for _, options in ipairs{ { "unicode" }, { "es" }, { "bert" },
      { normalize = { "nfkc" }, split = "graphemes" }, { normalize = "nfd", split = "code_points" },
      { split = "bytes" }, { split = "byte_level" } } do
      local pipeline = text.Pipeline(options)
      pipeline:fit(all)
      local last = pipeline.stages.split[#pipeline.stages.split].name
      local glued = last == "graphemes" or last == "code_points" or last == "bytes"
      for i, ids in ipairs((pipeline:encode(all))) do
        local expected = table.concat(pipeline:tokens(all[i]), glued and "" or " ")
        assert.are.equal(expected, pipeline:decode(ids))
        if glued then assert.are.equal(pipeline:normalized(all[i]), pipeline:decode(ids)) end
      end
    end
  end)

  it("of unknown words fall into buckets by a hash that never changes", function()
    local pipeline = text.Pipeline{ "unicode", unknown_buckets = 3 }
    pipeline:fit(documents)
    assert.are.same({ "<pad>", "<unk>", "<unk>2", "<unk>3" }, pipeline.vocabulary.specials)
    assert.are.equal(4, pipeline.vocabulary:id("el"))
    local seen = {}
    for i = 1, 100 do
      local word = "palabra" .. i
      local ids = pipeline:encode{ word, word .. " " .. word }
      assert.is_true(ids[1][1] >= 1 and ids[1][1] <= 3)
      assert.are.same({ ids[1][1], ids[1][1] }, ids[2])
      seen[ids[1][1]] = true
    end
    assert.are.same({ true, true, true }, seen)
    local expected = 1 + (native.hash_bytes("verde", 0) * 2 + 0) % 3 -- twice: hash_bytes is halved
    assert.is_true(pipeline:encode{ "verde" }[1][1] <= 3 and expected <= 3)
    assert.are.equal("<unk> <unk>2 <unk>3 el", pipeline:decode{ 0, 1, 2, 3, 4 })
  end)

  it("of unknown words are left out when unknown = false", function()
    local pipeline = text.Pipeline{ "unicode", unknown = false }
    pipeline:fit(documents)
    local ids, counts = pipeline:encode{ "el azul mar", "azul" }
    assert.are.same({ { 1, 2 }, {} }, ids)
    assert.are.same({ words = 4, unknown = 2, beyond_limit = 0, empty = 1 }, counts)
  end)

  it("of special tokens in a text are theirs", function()
    local pipeline = text.Pipeline{ split = "whitespace", specials = { "<pad>", "<unk>", "<eos>" } }
    pipeline:fit{ "a <eos> b" }
    assert.are.same({ { 3, 2, 5, 1 } }, (pipeline:encode{ "a <eos> b c" }))
    assert.are.equal("a", pipeline:decode{ 3, 2 })
    assert.are.equal("a <eos>", pipeline:decode({ 3, 2, 0 }, { specials = true }))
  end)

  it("without a word in the vocabulary are all unknown, and an empty vocabulary says so", function()
    local pipeline = text.Pipeline{ "unicode" }
    assert.fails("the vocabulary is empty; call fit or load one first", pipeline.encode, pipeline,
      { "a" })
    pipeline:fit{ "", " ", "…" }
    assert.fails("the vocabulary is empty", pipeline.encode, pipeline, { "a" })
    pipeline:fit{ "uno" }
    local ids, report = pipeline:encode{ "dos tres", "…" }
    assert.are.same({ { 1, 1 }, {} }, ids)
    assert.are.same({ words = 2, unknown = 2, beyond_limit = 0, empty = 1 }, report)
    local strict = text.Pipeline{ "unicode", min_count = 5 }
    assert.are.same({ words = 0, rare = 1 }, strict:fit{ "uno uno" })
    assert.fails("none of the 1 words has an id; the limits leave all out", strict.encode, strict,
      { "uno" })
  end)

  it("exist for words that have been counted only after rank", function()
    local pipeline = text.Pipeline{ "unicode" }
    pipeline:fit{ "uno" }
    local many = {}
    for i = 1, 5000 do many[i] = "nuevo" .. i end
    pipeline:count{ table.concat(many, " ") }
    assert.is_nil(pipeline.vocabulary:id("nuevo5000"))
    assert.are.same({ { 2, 1 } }, (pipeline:encode{ "uno nuevo5000" }))
    assert.are.equal(1, #pipeline.vocabulary)
    pipeline:rank()
    assert.are.equal(5001, #pipeline.vocabulary)
    assert.are.equal(5002, pipeline.vocabulary:id("nuevo5000"))
  end)

  it("that are none raise in decode", function()
    local pipeline = text.Pipeline{ "unicode" }
    pipeline:fit(documents)
    for _, id in ipairs{ 9, -1, 2.5, "2", math.maxinteger, math.mininteger } do
      assert.fails("at place 2, the vocabulary has 0 to 8", pipeline.decode, pipeline, { 2, id })
    end
  end)

  it("are padded with the padding token", function()
    local pipeline = text.Pipeline{ "unicode", specials = { "<unk>", "<pad>" } }
    pipeline:fit(documents)
    local x, report = pipeline:texts_to_padded({ "el mar", "" }, { maxlen = 3, padding = "post" })
    assert.near_all({ { 2, 3, 1 }, { 1, 1, 1 } }, x)
    assert.are.equal(2, report.words)
  end)

  it("need texts", function()
    local pipeline = text.Pipeline{ "unicode" }
    assert.fails("expected a list of texts, got a single string", pipeline.fit, pipeline, "bare")
    assert.fails("text 2 is a number, expected a string", pipeline.fit, pipeline, { "a", 3 })
    pipeline:fit{ "a" }
    assert.fails("text 2 is a boolean, expected a string", pipeline.encode, pipeline, { "a", true })
    assert.fails("string expected, got nil", pipeline.tokens, pipeline)
  end)
end)

describe("Text that is no UTF-8", function()
  it("is refused with its number and byte, and nothing of the list is counted", function()
    local pipeline = text.Pipeline{ "unicode" }
    pipeline:fit{ "uno" }
    local before = pipeline.vocabulary.native:hash()
    for n = 1, 8, 7 do
      with_threads(n, function()
        local list = {}
        for i = 1, 4000 do list[i] = ("palabra%d "):format(i):rep(20) end
        list[3001], list[3990] = "ab\xff", "\xff"
        assert.fails("text 3001: byte 3 is not valid UTF-8 (0xff)", pipeline.fit, pipeline, list)
        assert.fails("text 3001: byte 3 is not valid UTF-8 (0xff)", pipeline.encode, pipeline, list)
      end)
    end
    assert.are.equal(before, pipeline.vocabulary.native:hash())
    assert.are.equal(1, pipeline.vocabulary:documents_seen())
    assert.fails("byte 2 is not valid UTF-8", pipeline.tokens, pipeline, "a\xff")
  end)

  it("is replaced and counted when that is asked for", function()
    local pipeline = text.Pipeline{ "unicode", invalid = "replace" }
    assert.are.same({ words = 4, invalid_bytes = 2 }, pipeline:fit{ "año\xff bien", "a\xc3 o" })
    local _, report = pipeline:encode{ "\x80año" }
    assert.are.equal(1, report.invalid_bytes)
    assert.are.equal(0, report.unknown)
  end)
end)

describe("Counts, ids and reports", function()
  local many = texts.made(1500, 300, 7)
  local options = { normalize = { "html", "urls", "nfkc", "lower", { "strip_accents", keep = "ñ" },
    { "digits", runs = true } }, split = { { "words", punctuation = "keep" } }, ngrams = { 1, 2 },
    shortest = 1, longest = 12, stop_words = { "a", "o" }, min_count = 2, unknown_buckets = 2 }

  local function flat(report)
    local parts = {}
    for name, value in pairs(report) do parts[#parts + 1] = name .. "=" .. value end
    table.sort(parts)
    return table.concat(parts, " ")
  end

  local function run(fit)
    local pipeline = text.Pipeline(options)
    local report = fit(pipeline)
    local ids, second = pipeline:encode(many)
    local parts = {}
    for i, list in ipairs(ids) do parts[i] = table.concat(list, " ") end
    return { pipeline.vocabulary.native:hash(), pipeline.vocabulary:documents_seen(),
      table.concat(parts, "\n"), flat(report), flat(second) }
  end

  local function batches(size)
    local at = 1
    return function()
      if at > #many then return nil end
      local batch = table.move(many, at, math.min(at + size - 1, #many), 1, {})
      at = at + size
      return batch
    end
  end

  it("do not depend on the number of threads or on how texts are grouped", function()
    local expected = run(function(p) return p:fit(many) end)
    assert.is_true(#expected[3] > 100000 and #table.concat(many) > 400000)
    for _, n in ipairs{ 1, 2, 8 } do
      with_threads(n, function()
        assert.are.same(expected, run(function(p) return p:fit(many) end))
        for _, size in ipairs{ 7, 1000 } do
          local got = run(function(p) return p:fit(batches(size)) end)
          assert.are.same(expected, got)
        end
      end)
    end
    local twice = run(function(p)
      local report = p:count(table.move(many, 1, 700, 1, {}))
      for name, value in pairs(p:count(table.move(many, 701, 1500, 1, {}))) do
        report[name] = (report[name] or 0) + value
      end
      for name, value in pairs(p:rank()) do report[name] = value end
      return report
    end)
    assert.are.same(expected, twice)
  end)

  it("of words that were there without a count do not depend on threads either", function()
    local hashes = {}
    for _, n in ipairs{ 1, 2, 8 } do
      with_threads(n, function()
        local p = text.Pipeline{ "unicode" }
        local list = {}
        for i = 1, 3000 do list[i] = ("w%d z%d "):format(i % 700, i):rep(30) end
        local counts = native.vocabulary()
        for _, word in ipairs{ "z2999", "w3", "z1" } do counts:add(word, 0, 0) end
        counts:count(p.core, list)
        assert.are.equal("z2999", counts:words()[1])
        hashes[#hashes + 1] = counts:hash()
      end)
    end
    assert.are.same({ hashes[1], hashes[1], hashes[1] }, hashes)
  end)

  it("of a reader of lines are those of its texts", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    local lines = {}
    for i = 1, 500 do lines[i] = ("línea %d de %d"):format(i, i % 7) end
    lines[10] = ""
    file:write(table.concat(lines, "\n"), "\n")
    file:close()
    local a, b, c = text.Pipeline{ "unicode" }, text.Pipeline{ "unicode" }, text.Pipeline{ "unicode" }
    a:fit(lines)
    b:fit(assert(marea.corpora.lines(path)))
    assert(c:fit_lines(path))
    assert.are.equal(a.vocabulary.native:hash(), b.vocabulary.native:hash())
    assert.are.equal(a.vocabulary.native:hash(), c.vocabulary.native:hash())
    assert.are.equal(500, c.vocabulary:documents_seen())
    file = assert(io.open(path, "wb"))
    file:write("bien\n\xff\n")
    file:close()
    local report, message = c:fit_lines(path)
    assert.is_nil(report)
    assert.is_truthy(message:find("byte 1 is not valid UTF-8", 1, true), message)
    assert.are.equal(500, c.vocabulary:documents_seen())
    os.remove(path)
    report, message = c:fit_lines(path)
    assert.is_nil(report)
    assert.is_string(message)
  end)
end)

describe("A document", function()
  it("may hold NUL bytes", function()
    assert.are.same({ "a\0b", "\0" }, text.Pipeline{ split = "whitespace" }:tokens("a\0b \0"))
    assert.are.same({ "a", "\0", "b" }, text.Pipeline{ split = "code_points" }:tokens("a\0b"))
    local pipeline = text.Pipeline{ split = "whitespace" }
    pipeline:fit{ "a\0b a\0c a\0b" }
    assert.are.same({ { 2, 3 } }, (pipeline:encode{ "a\0b a\0c" }))
  end)

  it("may be empty, and counts as a document", function()
    local pipeline = text.Pipeline{ "unicode" }
    assert.are.same({ words = 1 }, pipeline:fit{ "", "a", "" })
    assert.are.equal(3, pipeline.vocabulary:documents_seen())
    assert.are.same({ words = 1 }, pipeline:fit{})
  end)

  it("may be long: one word of 20 MB", function()
    local long = ("ñ"):rep(10 * 1024 * 1024)
    local pipeline = text.Pipeline{ "unicode" }
    pipeline:fit{ long, "b" }
    assert.are.same({ { 2 }, { 3 } }, (pipeline:encode{ long, "b" }))
    assert.are.equal(long, pipeline:decode{ 2 })
  end)
end)

describe("Limits on words", function()
  local documents = { "a a a b", "b c", "c c d", "e" } -- a 3 in 1, b 2 in 2, c 3 in 2, d 1, e 1

  local function words(options)
    local pipeline = text.Pipeline(options)
    local report = pipeline:fit(documents)
    local list = {}
    for i, item in ipairs(pipeline.vocabulary:most_common(100)) do list[i] = item.word end
    return table.concat(list, " "), report
  end

  it("keep = k means k words, whatever else has an id", function()
    for k = 1, 5 do
      local list, report = words{ keep = k, unknown_buckets = 2 }
      assert.are.equal(k, #list:gsub(" ", ""))
      assert.are.equal(5 - k, report.beyond_keep or 0)
    end
  end)

  it("order words by count with ties by a named rule, by bytes or as they came", function()
    assert.are.equal("a c b d e", (words{}))
    assert.are.equal("c a b e d", (words{ ties = "descending" }))
    assert.are.equal("a b c d e", (words{ order = "bytes" }))
    assert.are.equal("a b c d e", (words{ order = "first" }))
    assert.are.equal("a b c", (words{ order = "bytes", keep = 3 }))
    local pipeline = text.Pipeline{ split = "whitespace", ties = "ascending" }
    pipeline:fit{ "ñu za z Z" }
    assert.are.equal(5, pipeline.vocabulary:id("ñu"))
    pipeline = text.Pipeline{ split = "whitespace", ties = "signed" }
    pipeline:fit{ "za ñu z Z" }
    assert.are.same({ 2, 3, 4, 5 }, { pipeline.vocabulary:id("ñu"), pipeline.vocabulary:id("Z"),
      pipeline.vocabulary:id("z"), pipeline.vocabulary:id("za") })
  end)

  it("by count and by documents, as numbers or as shares", function()
    local list, report = words{ min_count = 2 }
    assert.are.equal("a c b", list)
    assert.are.same({ words = 3, rare = 2 }, report)
    list, report = words{ min_documents = 2 }
    assert.are.equal("c b", list)
    assert.are.same({ words = 2, in_few_documents = 3 }, report)
    assert.are.equal("c b", (words{ min_documents = 0.5 }))
    assert.are.equal("c b", (words{ min_documents = 0.26 }))
    assert.are.equal("a c b d e", (words{ min_documents = 0.25 }))
    list, report = words{ max_documents = 1 }
    assert.are.equal("a d e", list)
    assert.are.same({ words = 3, in_many_documents = 2 }, report)
    assert.are.equal("a d e", (words{ max_documents = 0.4 }))
    assert.are.equal("a c b d e", (words{ max_documents = 1.0 }))
    list, report = words{ min_count = 2, max_documents = 1, keep = 1 }
    assert.are.equal("a", list)
    assert.are.same({ words = 1, rare = 2, in_many_documents = 2 }, report)
  end)

  it("that no word could meet raise", function()
    assert.fails("of 4 documents min_documents is 3, max_documents 2: no word could stay", words,
      { min_documents = 3, max_documents = 2 })
    assert.fails("of 4 documents min_documents is 0, max_documents 0", words, { max_documents = 0.1 })
    assert.fails("max_documents 0: no word could stay", words, { max_documents = 0 })
  end)
end)

describe("a pipeline's report", function()
  it("can be printed", function()
    local pipeline = text.Pipeline{ normalize = { "urls", "lower" }, split = "words", keep = 1 }
    assert.are.equal("beyond_keep 2, urls 1, words 1",
      tostring(pipeline:fit{ "mira http://mar.example", "mira bien" }))
    local _, report = pipeline:encode{ "mira otra" }
    assert.are.equal("beyond_limit 0, empty 0, unknown 1, words 2", tostring(report))
  end)
end)
