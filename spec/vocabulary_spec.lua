-- Vocabularies: reading them, ranking, merging, extending, files.
local helper = require "spec.helper"
local json = require "marea.json"
local marea = require "marea"
local native = require "marea.native"
local text = marea.text

local documents = { "el mar y el mar", "la mar de ñandú", "¿y el ñandú?" }

local function fitted(options)
  local pipeline = text.Pipeline(options or { "unicode" })
  pipeline:fit(documents)
  return pipeline.vocabulary
end

local function words_of(v)
  local list = {}
  for i, item in ipairs(v:most_common(1000)) do list[i] = item.word end
  return table.concat(list, " ")
end

local function with_file(name, content, f)
  local path = os.tmpname()
  os.remove(path)
  path = path .. name
  if content then
    local file = assert(io.open(path, "wb"))
    file:write(content)
    file:close()
  end
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

describe("A vocabulary", function()
  it("can be read", function()
    local v = fitted()
    assert.are.equal("el mar y ñandú la de", words_of(v))
    assert.are.same({ 6, 8, 3 }, { #v, v:size(), v:documents_seen() })
    assert.are.same({ 0, 1, 2, 5 }, { v:id("<pad>"), v:id("<unk>"), v:id("el"), v:id("ñandú") })
    assert.are.same({ "<pad>", "<unk>", "el", "de" }, { v:word(0), v:word(1), v:word(2), v:word(7) })
    assert.is_nil(v:id("mares"))
    assert.is_nil(v:id(nil))
    for _, id in ipairs{ 8, -1, math.maxinteger, math.mininteger } do assert.is_nil(v:word(id)) end
    assert.are.same({ 3, 2 }, { v:count("el") })
    assert.are.same({ 2, 2 }, { v:count("ñandú") })
    assert.are.same({ 0, 0 }, { v:count("mares") })
    assert.is_true(v:is_special(1))
    assert.is_false(v:is_special(2))
    assert.are.same({ { word = "el", id = 2, count = 3, documents = 2 } }, v:most_common(1))
    assert.are.equal("6 words + 2 special tokens = 8 ids, from 3 documents", tostring(v))
    local lines = {}
    for line in v:table(1):gmatch("[^\n]+") do lines[#lines + 1] = line:gsub("%s+", " ") end
    assert.are.same({ " id count documents token", " 0 <pad>", " 1 <unk>", " 2 3 2 el" }, lines)
  end)

  it("ranks again by other limits, and says what they leave out", function()
    local v = fitted()
    assert.are.same({ words = 2, beyond_keep = 4 }, v:rank{ keep = 2 })
    assert.are.equal("el mar", words_of(v))
    assert.are.equal("2 words + 2 special tokens = 4 ids, from 3 documents (4 words left out by the "
      .. "limits)", tostring(v))
    assert.are.same({ words = 4, rare = 2 }, v:rank{ min_count = 2 })
    assert.are.same({ words = 6 }, v:rank{ order = "bytes" })
    assert.are.equal("de el la mar y ñandú", words_of(v))
    assert.are.same({ words = 6 }, v:rank{ ties = "descending" })
    assert.are.equal("mar el ñandú y la de", words_of(v))
    assert.are.same({ words = 6 }, v:rank())
    for option, message in pairs{ keep = "keep must be a whole number of at least 0",
      min_count = "min_count must be a whole number", min_documents = "min_documents must be a whole",
      max_documents = "max_documents must be a whole number" } do
      assert.fails(message, v.rank, v, { [option] = 0.5 })
      assert.fails(message, v.rank, v, { [option] = -1 })
    end
    assert.fails('unknown option "least"', v.rank, v, { least = 1 })
    assert.fails("invalid option 'x'", v.rank, v, { order = "x" })
  end)

  it("with special tokens has them first and differing", function()
    local v = text.Vocabulary{ specials = { "[A]", "[B]" } }
    v:extend{ "x" }
    assert.are.same({ 0, 1, 2 }, { v:id("[A]"), v:id("[B]"), v:id("x") })
    assert.fails('special token 2 is string "[A]"; expected strings that differ', text.Vocabulary,
      { specials = { "[A]", "[A]" } })
    assert.fails("special token 1 is number 3", text.Vocabulary, { specials = { 3 } })
  end)

  it("is extended by words that were not counted, behind the others", function()
    local v = fitted()
    assert.are.same({ words = 8 }, v:extend{ "nuevo", "mar", "otro" })
    assert.are.equal("el mar y ñandú la de nuevo otro", words_of(v))
    assert.are.same({ 3, 2 }, { v:count("mar") })
    assert.are.same({ 0, 0 }, { v:count("nuevo") })
    assert.fails("extend: word 2 is a number, expected a string", v.extend, v, { "a", 3 })
  end)

  it("merges another: counts and documents add up", function()
    local a, pipeline = fitted(), text.Pipeline{ "unicode" }
    pipeline:fit{ "mar mar mar sol", "sol" }
    assert.are.same({ words = 7 }, a:merge(pipeline.vocabulary))
    assert.are.equal("mar el y ñandú sol la de", words_of(a))
    assert.are.same({ 6, 3 }, { a:count("mar") })
    assert.are.same({ 2, 2 }, { a:count("sol") })
    assert.are.equal(5, a:documents_seen())
    local all = text.Pipeline{ "unicode" }
    all:fit{ documents[1], documents[2], documents[3], "mar mar mar sol", "sol" }
    assert.are.equal(all.vocabulary.native:hash(), a.native:hash())
    assert.fails("cannot be merged into itself", a.merge, a, a)
  end)

  it("survives JSON, in memory and in a file", function()
    for _, options in ipairs{ { "unicode" }, { "sklearn", keep = 3 }, { split = "bytes" },
      { split = "code_points", min_count = 2 } } do
      local v = fitted(options)
      local copy = text.Vocabulary.from_config(assert(json.decode(json.encode(v:get_config()))))
      assert.are.equal(v:table(50), copy:table(50))
      with_file(".json", nil, function(path)
        assert(v:save(path))
        local loaded = assert(text.Vocabulary.load(path))
        assert.are.equal(v:table(50), loaded:table(50))
        assert.are.equal(v.native:hash(), loaded.native:hash())
        assert.are.equal(tostring(v), tostring(loaded))
      end)
    end
  end)

  it("survives lines of words and counts", function()
    local v = fitted()
    with_file(".txt", nil, function(path)
      assert(v:save(path))
      local file = assert(io.open(path, "rb"))
      assert.are.equal("el 3\nmar 3\ny 2\nñandú 2\nla 1\nde 1\n", file:read("a"))
      file:close()
      local loaded = assert(text.Vocabulary.load(path, { specials = { "<pad>", "<unk>" } }))
      assert.are.equal(words_of(v), words_of(loaded))
      assert.are.same({ 3, 0 }, { loaded:count("mar") })
      assert.are.equal(v:id("ñandú"), loaded:id("ñandú"))
      assert.are.equal(0, assert(text.Vocabulary.load(path)):id("el"))
    end)
    with_file(".txt", "z 5\nde la mar 7\na\u{A0}b 1\n", function(path)
      local loaded = assert(text.Vocabulary.load(path))
      assert.are.equal("z de la mar a\u{A0}b", words_of(loaded))
      assert.are.same({ 7, 0 }, { loaded:count("de la mar") })
      local nothing, message = loaded:save(path)
      assert.is_nil(nothing)
      assert.is_truthy(message:find('the token "de la mar" holds a blank; only JSON can keep it', 1,
        true), message)
    end)
  end)

  it("says what is wrong with a file", function()
    local cases = {
      { ".txt", "uno 1\ndos\n", "line 2: expected a word, a blank and a count" },
      { ".txt", "uno 1\ndos -2\n", "line 2: expected a word, a blank and a count" },
      { ".txt", " 1\n", "line 1: expected a word" },
      { ".txt", "a 99999999999999999999\n", "line 1: expected a word" },
      { ".txt", "uno 1\nuno 2\n", 'has the word "uno" twice' },
      { ".json", "{", "" }, { ".json", "[]", "malformed description" },
      { ".json", "", "" }, { ".json", "3", "malformed description" },
      { ".json", '{"words":["a"],"specials":[]}', "" },
      { ".json", '{"words":["a",[300]],"specials":[],"counts":[1,1],"documents":[1,1],'
        .. '"document_count":1}', "word 2 is no list of bytes" },
      { ".json", '{"words":["a"],"specials":[],"counts":[1.5],"documents":[1],"document_count":1}',
        "a count that is no count" },
      { ".json", '{"words":["a"],"specials":[],"counts":[1],"documents":[1],"document_count":1,'
        .. '"hash":"00"}', "do not match their hash" },
    }
    for _, case in ipairs(cases) do
      with_file(case[1], case[2], function(path)
        local nothing, message = text.Vocabulary.load(path)
        assert.is_nil(nothing, case[2])
        assert.is_truthy(message:find(case[3], 1, true), message)
      end)
    end
    for _, name in ipairs{ "/nowhere/words.txt", "/nowhere/words.json" } do
      local nothing, message = text.Vocabulary.load(name)
      assert.is_nil(nothing)
      assert.is_truthy(message:find("nowhere", 1, true), message)
      nothing, message = fitted():save(name)
      assert.is_nil(nothing)
      assert.is_string(message)
    end
  end)

  it("has lists of stop words", function()
    for _, language in ipairs{ "es", "en" } do
      local seen, list = {}, text.Vocabulary.stop_words(language)
      assert.is_true(#list > 50)
      for _, word in ipairs(list) do
        assert.is_truthy(utf8.len(word))
        assert.is_nil(seen[word], word)
        seen[word] = true
      end
    end
    assert.fails("language must be one of es, en", text.Vocabulary.stop_words, "fr")
  end)

  it("tells long and short words apart, whatever their bytes", function()
    local pipeline, list = text.Pipeline{ split = "whitespace" }, {}
    for length = 1, 40 do
      for _, byte in ipairs{ "a", "\0", "ñ" } do list[#list + 1] = byte:rep(length) end
      list[#list + 1] = ("a"):rep(length) .. "\0"
      list[#list + 1] = "\0" .. ("a"):rep(length)
    end
    pipeline:fit{ table.concat(list, " ") }
    local unique = {}
    for _, word in ipairs(list) do unique[word] = (unique[word] or 0) + 1 end
    for word, count in pairs(unique) do assert.are.equal(count, (pipeline.vocabulary:count(word))) end
  end)

  it("leaves no memory behind, whichever allocation fails", function()
    local other = fitted()
    helper.leak_check(function()
      local function work()
        local v = text.Vocabulary{ specials = { "<pad>" } }
        v:extend{ "uno", "dos", "un-nombre-bastante-largo" }
        v:merge(other)
        v:rank{ keep = 2 }
        return text.Vocabulary.from_config(v:get_config())
      end
      for n = 1, 200 do
        native.fail_at(n)
        local ok, message = pcall(work)
        native.fail_at(0)
        if ok then break end
        assert.is_truthy(tostring(message):find("out of memory", 1, true), tostring(message))
        assert.is_true(n < 200)
      end
    end)
  end)
end)
