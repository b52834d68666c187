-- What the fuzz targets found, as scripts meet it: a clear message, never a crash. The inputs
-- themselves are replayed by CTest (spec/fuzz).
require "spec.helper"
local marea = require "marea"
local text = marea.text

describe("stages of bytes and of one's own", function()
  it("refuse pieces that another stage would take for UTF-8", function()
    local message = "bytes must be the last"
    assert.fails(message, text.Pipeline, { split = { "bytes", "graphemes" } })
    assert.fails(message, text.Pipeline, { split = "bytes", ngrams = { 1, 2 }, within = true })
    assert.are.same({ "\xc3", "\xb1", "\xc3\xb1" },
      text.Pipeline{ split = { "words", "bytes" }, ngrams = { 1, 2 }, join = "" }:tokens("ñ"))
  end)

  it("refuse what their functions break", function()
    text.register("normalizer", "broken_input_half", function(s) return s:sub(1, -2) end)
    text.register("splitter", "broken_input_bytes", function(s)
      local pieces = {}
      for i = 1, #s do pieces[i] = s:sub(i, i) end
      return pieces
    end)
    local half = text.Pipeline{ normalize = "broken_input_half", split = "graphemes" }
    assert.are.same({ "a" }, half:tokens("ab"))
    assert.fails("not valid UTF-8", half.tokens, half, "año ñ")
    local bytes = text.Pipeline{ split = { "broken_input_bytes", "graphemes" } }
    assert.are.same({ "a", "b" }, bytes:tokens("ab"))
    assert.fails("piece 2, which cuts a character", bytes.tokens, bytes, "añ")
  end)
end)

describe("a vocabulary", function()
  it("may hold the empty word alone", function()
    local v = assert(text.Vocabulary.from_config{ specials = {}, words = { "" }, counts = { 2 },
      documents = { 1 }, document_count = 1 })
    assert.are.equal("", v:word(0))
    assert.are.equal(0, v:id(""))
  end)

  it("says what is malformed", function()
    local function broken(name, value)
      local config = { specials = {}, words = { "a" }, counts = { 1 }, documents = { 1 },
        document_count = 1 }
      config[name] = value
      return config
    end
    for name, value in pairs{ counts = 5, documents = "x", document_count = -1 } do
      assert.fails("the vocabulary is malformed", text.Vocabulary.from_config, broken(name, value))
    end
    assert.fails("no count", text.Vocabulary.from_config, broken("counts", { math.maxinteger }))
    assert.fails("specials must be a list", text.Vocabulary, { specials = 5 })
    local path = os.tmpname() .. ".json"
    assert(io.open(path, "w")):write("null"):close()
    local v, message = text.Vocabulary.load(path)
    os.remove(path)
    assert.is_nil(v)
    assert.is_truthy(message:find("malformed", 1, true))
  end)
end)

describe("Keras's JSON of a tokenizer", function()
  it("gives nil and a message for everything else", function()
    local from_json = text.Tokenizer.from_json
    for source, part in pairs{ ["null"] = "expected an object", ["5"] = "expected an object",
      ["{}"] = "expected an object", ['{"config":{}}'] = "word_index",
      ['{"config":{"word_index":"5"}}'] = "word_index must be a JSON object",
      ['{"config":{"word_index":"{\\"a\\":\\"x\\"}"}}'] = "word_index must have words",
      ['{"config":{"word_index":"{}","word_counts":"[1]"}}'] = "word_counts must have words" } do
      local tokenizer, message = from_json(source)
      assert.is_nil(tokenizer, source)
      assert.is_truthy(message:find(part, 1, true), message)
    end
  end)
end)
