-- Labelled texts from files.
require "spec.helper"
local marea = require "marea"

local function file_with(content)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  return path
end

describe("read_tsv", function()
  it("finds columns by name", function()
    local path = file_with("id\ttext\tlabel\n1\tuno\t0\n2\tdos\t1\n")
    assert.are.same({ label = { "0", "1" }, text = { "uno", "dos" } },
      marea.corpora.read_tsv(path, { "label", "text" }))
    os.remove(path)
  end)

  local broken = {
    ["there is no column"] = "a\tb\n1\t2\n",
    ["line 3: 1 cells"] = "label\ttext\n1\tx\n0\n",
    ["is empty"] = "",
  }
  for part, content in pairs(broken) do
    it("says what is broken: " .. part, function()
      local path = file_with(content)
      local result, message = marea.corpora.read_tsv(path, { "label", "text" })
      os.remove(path)
      assert.is_nil(result)
      assert.is_truthy(message:find(part, 1, true), message)
    end)
  end

  it("notices a cut gzip file", function()
    local path = file_with("\x1f\x8b\x08\0\0\0\0\0\0\3\x4b")
    local result, message = marea.corpora.read_tsv(path, { "label" })
    os.remove(path)
    assert.is_nil(result)
    assert.is_string(message)
  end)
end)

describe("reviews", function()
  for _, language in ipairs{ "es", "en" } do
    it("are balanced, each in one part only: " .. language, function()
      local corpus = assert(marea.corpora.reviews{ language = language })
      local seen, positive = {}, 0
      for _, part in ipairs{ "train", "test" } do
        for i, source in ipairs(corpus[part].texts) do
          assert.is_nil(seen[source])
          seen[source] = true
          positive = positive + corpus[part].labels:get(i)
        end
      end
      local all = #corpus.train.texts + #corpus.test.texts
      assert.are.equal(640, all)
      assert.are.equal(all / 2, positive)
      assert.are.equal(math.floor(all * 0.2 + 0.5), #corpus.test.texts)
    end)
  end

  it("are named in messages when they are missing", function()
    local result, message = marea.corpora.imdb{ dir = "/nowhere" }
    assert.is_nil(result)
    assert.is_truthy(message:find("/nowhere/train.tsv.gz", 1, true))
  end)
end)

describe("stop words", function()
  local function read(language)
    local file = assert(io.open(("corpora/stopwords_%s.txt"):format(language), "rb"))
    local heading, words = file:read("l"), {}
    for word in file:lines() do words[#words + 1] = word end
    file:close()
    return heading, words
  end

  for language, wanted in pairs{
    en = { "the", "of", "isn't", "because" }, es = { "el", "según", "también", "estáis" } } do
    it("are sorted, each once, one a line: " .. language, function()
      local heading, words = read(language)
      assert.are.equal("#", heading:sub(1, 1))
      local there = {}
      for i, word in ipairs(words) do
        assert.is_truthy(utf8.len(word))
        assert.is_nil(word:find("[%s%u]"))
        if i > 1 then assert.is_true(words[i - 1] < word) end
        there[word] = true
      end
      for _, word in ipairs(wanted) do assert.is_true(there[word], word) end
    end)
  end
end)
