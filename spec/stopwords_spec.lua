-- The lists of stop words that come with Marea.
require "spec.helper"

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
