-- tokenizer.json: ids, places and texts of Hugging Face's tokenizers for the same files
-- (scripts/fixtures/subword.py), writing, broken files; and the SubwordTokenizer around a model.
local helper = require "spec.helper"
local json = require "marea.json"
local native = require "marea.native"
local huggingface = require "marea.text.huggingface"
local marea = require "marea"
local SubwordTokenizer = marea.text.SubwordTokenizer

local file <close> = assert(io.open("spec/golden/subword.json"))
local golden = assert(json.decode(file:read("a")))

local function with_file(content, f)
  local path = os.tmpname()
  local out <close> = assert(io.open(path, "wb"))
  out:write(content)
  out:close()
  local result = table.pack(pcall(f, path))
  os.remove(path)
  if not result[1] then error(result[2], 0) end
  return table.unpack(result, 2, result.n)
end

local function load(content)
  return with_file(content, huggingface.load)
end

local shapes = {}
for _, shape in ipairs(golden.shapes) do shapes[shape.name] = shape end

-- Hugging Face's places are whole characters; ours are bytes of them.
local function whole_characters(text, first, last)
  if first > last then return "nothing" end
  while first > 1 and text:byte(first) & 0xC0 == 0x80 do first = first - 1 end
  while last < #text and text:byte(last + 1) & 0xC0 == 0x80 do last = last + 1 end
  return first - 1 .. "-" .. last
end

-- With composed characters theirs leave out the marks.
local function places_of(case, tokenizer)
  local ids, first, last = tokenizer:places(case.text)
  local theirs, ours = {}, {}
  for i = 1, #ids do
    ours[i] = whole_characters(case.text, first[i], last[i])
    local place = case.places[i]
    theirs[i] = place[1] == place[2] and "nothing" or place[1] .. "-" .. place[2]
  end
  return theirs, ours
end

describe("tokenizer.json", function()
  for name, shape in pairs(shapes) do
    describe(name, function()
      local tokenizer = assert(load(shape.file))

      it("gives Hugging Face's ids", function()
        for _, case in ipairs(shape.cases) do
          assert.are.same({ case.ids }, (tokenizer:encode{ case.text }), case.text)
        end
      end)

      it("decodes as Hugging Face does", function()
        for _, case in ipairs(shape.cases) do
          if case.decoded then assert.are.equal(case.decoded, tokenizer:decode(case.ids)) end
        end
      end)

      it("gives the same places", function()
        for _, case in ipairs(shape.cases) do
          assert.are.same(case.ids, (tokenizer:places(case.text)))
          if not case.text:find("\u{301}") then
            local theirs, ours = places_of(case, tokenizer)
            assert.are.same(theirs, ours, case.text)
          end
        end
      end)

      it("is the same when it is written and read again", function()
        local again = with_file("", function(path)
          assert.is_true(huggingface.write(tokenizer, path))
          return assert(huggingface.load(path))
        end)
        local config = json.decode(json.encode(tokenizer:get_config()))
        local rebuilt = SubwordTokenizer.from_config(config)
        for _, case in ipairs(shape.cases) do
          assert.are.same({ case.ids }, (again:encode{ case.text }), case.text)
          assert.are.same({ case.ids }, (rebuilt:encode{ case.text }), case.text)
          if case.decoded then assert.are.equal(case.decoded, again:decode(case.ids)) end
        end
      end)
    end)
  end

  it("covers composed characters with their marks", function()
    local tokenizer = assert(load(shapes.unigram.file))
    local text = "nin\u{303}o"
    local tokens, first, last = tokenizer:tokens(text, { places = true })
    for i, token in ipairs(tokens) do
      if token == "ñ" then assert.are.equal("n\u{303}", text:sub(first[i], last[i])) end
    end
    assert.are.equal(#text, last[#last])
  end)

  it("reads older spellings", function()
    local tokenizer = assert(load[[{ "model": { "vocab": { "a": 0, "b": 1, "ab": 2 },
      "merges": [ "a b" ] }, "pre_tokenizer": { "type": "Metaspace", "replacement": "_",
      "add_prefix_space": false } }]])
    assert.are.same({ { 2, 0 } }, (tokenizer:encode{ "aba" }))
  end)

  it("keeps padding for texts_to_padded", function()
    local tokenizer = assert(load[[{ "padding": { "strategy": { "Fixed": 4 }, "direction": "Left",
      "pad_to_multiple_of": null, "pad_id": 7, "pad_type_id": 0, "pad_token": "p" },
      "model": { "type": "BPE", "vocab": { "a": 0 }, "merges": [] } }]])
    assert.are.same({ { 7, 7, 0, 0 } }, tokenizer:texts_to_padded({ "aa" }):totable())
  end)
end)

describe("a broken tokenizer.json", function()
  local function message_of(content)
    local tokenizer, message = load(content)
    assert.is_nil(tokenizer)
    return message
  end

  local function has(part, content)
    local message = message_of(content)
    assert.is_truthy(message:find(part, 1, true), message)
  end

  local function with_model(more, model)
    return ('{ %s "model": %s }'):format(more, model
      or '{ "type": "BPE", "vocab": { "a": 0, "b": 1, "ab": 2 }, "merges": [["a", "b"]] }')
  end

  it("is named with line and column", function()
    local whole = shapes.gpt2.file
    has("JSON, line 1, column ", whole:sub(1, #whole // 2))
    has("JSON, line 3, column 13", '{\n"model": {\n "type" "BPE" } }')
    has("JSON, line 1", "")
    has("JSON, line 1", "\xff\xfe")
  end)

  it("that is not there gives nil and a message", function()
    local tokenizer, message = huggingface.load("/nowhere/tokenizer.json")
    assert.is_nil(tokenizer)
    assert.is_truthy(message:find("/nowhere/tokenizer.json", 1, true))
  end)

  it("is refused with what is not supported and its place", function()
    has('pre_tokenizer.pretokenizers[1]: "UnicodeScripts" is not supported', with_model(
      '"pre_tokenizer": { "type": "Sequence", "pretokenizers": [ { "type": "Whitespace" }, '
      .. '{ "type": "UnicodeScripts" } ] },'))
    has('normalizer: "Precompiled" is not supported', with_model(
      '"normalizer": { "type": "Precompiled" },'))
    has([[normalizer.pattern: the regular expression "a+" is not supported]], with_model(
      '"normalizer": { "type": "Replace", "pattern": { "Regex": "a+" }, "content": "" },'))
    has('decoder: "CTC" is not supported', with_model('"decoder": { "type": "CTC" },'))
    has('post_processor: "Other" is not supported', with_model(
      '"post_processor": { "type": "Other" },'))
    has('model: "WordLevel" is not supported', with_model("",
      '{ "type": "WordLevel", "vocab": {}, "unk_token": "u" }'))
    has('truncation.direction: "Left" is not supported', with_model(
      '"truncation": { "direction": "Left", "max_length": 3 },'))
    has('model: ByteLevel with "WordPiece" is not supported', with_model(
      '"pre_tokenizer": { "type": "ByteLevel" },', '{ "type": "WordPiece", "vocab": {}, '
      .. '"unk_token": "u", "continuing_subword_prefix": "##" }'))
  end)

  it("is refused for wrong types and contradictions", function()
    has("the file: expected an object", "3")
    has("model: expected an object", "{}")
    has("model: expected an object or a list, got 3", '{ "model": 3 }')
    has("model.vocab: expected an object or a list, got nothing", with_model("",
      '{ "type": "BPE", "merges": [] }'))
    has('model.vocab["a"]: the id is 1.5', with_model("",
      '{ "type": "BPE", "vocab": { "a": 1.5 }, "merges": [] }'))
    has('model.vocab["a"]: the id is -1', with_model("",
      '{ "type": "BPE", "vocab": { "a": -1 }, "merges": [] }'))
    has('model.vocab["a"]: the id is 99999999999', with_model("",
      '{ "type": "BPE", "vocab": { "a": 99999999999 }, "merges": [] }'))
    has("too big integer", with_model("",
      '{ "type": "BPE", "vocab": { "a": 99999999999999999999999 }, "merges": [] }'))
    has("model.merges[0]: expected two pieces", with_model("",
      '{ "type": "BPE", "vocab": { "a": 0 }, "merges": [ "a b c" ] }'))
    has('merge 1: the merge of "a" and "c": the right one is no piece', with_model("",
      '{ "type": "BPE", "vocab": { "a": 0 }, "merges": [ "a c" ] }'))
    has('have the same id 0', with_model("",
      '{ "type": "BPE", "vocab": { "a": 0, "b": 0 }, "merges": [] }'))
    has("model.unk_id: 9, but the vocabulary has 1 pieces", with_model("",
      '{ "type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]] }'))
    has("model.vocab[0]: expected a piece and a score", with_model("",
      '{ "type": "Unigram", "vocab": [["a"]] }'))
    has("model.dropout: expected a number, got true", with_model("",
      '{ "type": "BPE", "vocab": {}, "merges": [], "dropout": true }'))
    has("dropout must be a number from 0 to 1", with_model("",
      '{ "type": "BPE", "vocab": {}, "merges": [], "dropout": 7 }'))
    has("added_tokens[0].id: expected a number", with_model('"added_tokens": [ {} ],'))
    has("added token 1 is an empty text", with_model(
      '"added_tokens": [ { "id": 5, "content": "" } ],'))
    has('the added token "ab" has id 5, but 2 in the model', with_model(
      '"added_tokens": [ { "id": 5, "content": "ab" } ],'))
    has('have the same id 5', with_model('"added_tokens": [ { "id": 5, "content": "x" }, '
      .. '{ "id": 5, "content": "y" } ],'))
    has("post_processor.single: the text itself is missing", with_model(
      '"post_processor": { "type": "TemplateProcessing", "single": [], "special_tokens": {} },'))
    has("but 2 stand around each text", with_model('"truncation": { "max_length": 1 }, '
      .. '"post_processor": { "type": "BertProcessing", "cls": ["a", 0], "sep": ["b", 1] },'))
    has("byte_level must be the last splitter", with_model('"pre_tokenizer": { "type": "Sequence", '
      .. '"pretokenizers": [ { "type": "ByteLevel" }, { "type": "Whitespace" } ] },'))
  end)

  it("never does more than give a message", function()
    local random = 2024
    local function below(n)
      random = (random * 1103515245 + 12345) % 2147483648
      return random // 8 % n
    end
    local bytes = '{}[]",:0123456789.-eabtrufnls\\ \0\xff'
    for _, name in ipairs{ "added", "llama", "bert", "unigram_bytes" } do
      local whole = shapes[name].file
      for _ = 1, 60 do
        local content = whole
        for _ = 1, 1 + below(3) do
          local at, pick = 1 + below(#content), 1 + below(#bytes)
          content = content:sub(1, at - 1) .. bytes:sub(pick, pick) .. content:sub(at + 1 + below(2))
        end
        local tokenizer, message = load(content)
        assert.is_true(tokenizer ~= nil or type(message) == "string")
        if tokenizer then pcall(tokenizer.encode, tokenizer, { "the [MASK] boat, ñ 日本" }) end
      end
    end
  end)
end)

describe("writing", function()
  local function written(given)
    given.kind = given.kind or "bpe"
    given.vocab_size = 60
    local tokenizer = SubwordTokenizer(given)
    tokenizer:fit(golden.corpus)
    return function() huggingface.write(tokenizer, os.tmpname()) end
  end

  it("names the stage without a counterpart", function()
    assert.fails('the normalizer "html" has no counterpart', written{ normalize = "html" })
    assert.fails('"lower" has no counterpart in tokenizer.json: write final_sigma = false',
      written{ normalize = "lower" })
    assert.fails('the splitter "words" has no counterpart', written{ split = "words" })
    assert.fails("has no model yet", huggingface.write, SubwordTokenizer{ kind = "bpe" }, "x")
  end)

  it("to a folder that is not there gives nil and a message", function()
    local tokenizer = assert(load(shapes.gpt2.file))
    local done, message = huggingface.write(tokenizer, "/nowhere/tokenizer.json")
    assert.is_nil(done)
    assert.is_truthy(message:find("/nowhere", 1, true))
  end)
end)

describe("SubwordTokenizer", function()
  local kinds = {
    bytes = { kind = "bpe", byte_level = true, vocab_size = 400 },
    bpe = { kind = "bpe", vocab_size = 300, unk_token = "<unk>", special_tokens = { "<unk>" } },
    wordpiece = { kind = "wordpiece", vocab_size = 300, special_tokens = { "[UNK]" } },
    unigram = { kind = "unigram", vocab_size = 200, unk_token = "<unk>" },
  }

  local function fitted(name, more)
    local given = {}
    for key, value in pairs(kinds[name]) do given[key] = value end
    for key, value in pairs(more or {}) do given[key] = value end
    local tokenizer = SubwordTokenizer(given)
    tokenizer:fit(golden.corpus)
    return tokenizer
  end

  it("trains and brings its texts back", function()
    for name in pairs(kinds) do
      local tokenizer = fitted(name)
      local ids = tokenizer:encode(golden.corpus)
      for i, text in ipairs(golden.corpus) do
        if name ~= "wordpiece" then assert.are.equal(text, tokenizer:decode(ids[i])) end
        assert.is_true(#ids[i] < #text)
      end
    end
  end)

  it("brings any text back with bytes", function()
    local tokenizer = fitted("bytes")
    for _, case in ipairs(shapes.gpt2.cases) do
      assert.are.equal(case.text, tokenizer:decode(tokenizer:encode{ case.text }[1]))
    end
  end)

  it("gives places whose text is the token", function()
    local tokenizer = fitted("bpe")
    local text = golden.corpus[1]
    local tokens, first, last = tokenizer:tokens(text, { places = true })
    for i, token in ipairs(tokens) do
      local part = text:sub(first[i], last[i]):gsub(" ", "▁")
      if i > 1 then assert.are.equal(token, part) end
    end
  end)

  it("does not depend on the number of threads", function()
    local tokenizer, texts = fitted("bytes", { dropout = 0.2 }), {}
    for i = 1, 3000 do texts[i] = golden.corpus[i % #golden.corpus + 1]:rep(1 + i % 7) end
    local before = marea.threads()
    local plain, seeded = {}, {}
    for _, count in ipairs{ 1, 2, 5 } do
      marea.threads(count)
      plain[#plain + 1] = json.encode((tokenizer:encode(texts)))
      seeded[#seeded + 1] = json.encode((tokenizer:encode(texts, { seed = 3 })))
    end
    marea.threads(before)
    assert.is_true(plain[1] == plain[2] and plain[1] == plain[3])
    assert.is_true(seeded[1] == seeded[2] and seeded[1] == seeded[3])
    assert.is_true(plain[1] ~= seeded[1])
    assert.is_true(json.encode((tokenizer:encode(texts, { seed = 4 }))) ~= seeded[1])
  end)

  it("counts what it lost", function()
    local tokenizer = fitted("bpe", { max_length = 5, added = { "<mask>" } })
    local ids, report = tokenizer:encode{ "la ☃ barca <mask>", "", "la barca vieja se mueve" }
    assert.are.equal(1, report.unknown)
    assert.are.equal(1, report.added)
    assert.are.equal(1, report.empty)
    assert.is_true(report.cut > 0)
    assert.are.equal(5, #ids[3])
    local none = SubwordTokenizer{ kind = "bpe", vocab_size = 100 }
    none:fit(golden.corpus)
    assert.are.equal(1, select(2, none:encode{ "la ☃ barca" }).dropped)
  end)

  it("sets added tokens apart", function()
    local tokenizer = fitted("bytes", { added = { "<x>", { content = "wave", special = false,
      single_word = true }, { content = "<y>", lstrip = true, rstrip = true } } })
    local tokens = tokenizer:tokens("a<x>b wave waves  <y>  c")
    local joined = table.concat(tokens, "|")
    assert.is_truthy(joined:find("a|<x>|b|Ġ|wave|", 1, true), joined)
    assert.is_truthy(joined:find("|<y>|c", 1, true), joined)
    local ids = tokenizer:encode{ "a<x>b wave" }
    assert.are.equal("ab wave", tokenizer:decode(ids[1]))
    assert.are.equal("a<x>b wave", tokenizer:decode(ids[1], { specials = true }))
    assert.are.equal(403, tokenizer:size())
    assert.are.equal(400, tokenizer:id("<x>"))
  end)

  it("gives places behind added tokens of the normalized text", function()
    local tokenizer = fitted("bytes", { normalize = { "nfd", "strip_marks" },
      added = { { content = "nino", special = false, normalized = true } } })
    local text = "el ñ niño áé mar"
    local tokens, first, last = tokenizer:tokens(text, { places = true })
    local seen = {}
    for i, token in ipairs(tokens) do seen[token] = text:sub(first[i], last[i]) end
    assert.are.equal("niño", seen.nino)
    assert.are.equal(#text, last[#last])
    assert.are.equal("r", text:sub(last[#last], last[#last]))
    for i = 2, #tokens do assert.are.equal(last[i - 1] + 1, first[i]) end
  end)

  it("puts tokens around each text", function()
    local tokenizer = fitted("wordpiece", { special_tokens = { "[UNK]", "[CLS]", "[SEP]" },
      before = { "[CLS]" }, after = { "[SEP]" } })
    local ids = tokenizer:encode{ "", "la" }
    assert.are.same({ 1, 2 }, ids[1])
    assert.are.equal(1, ids[2][1])
    assert.are.equal(2, ids[2][#ids[2]])
    assert.are.equal("la", tokenizer:decode(ids[2]))
  end)

  it("refuses or replaces bytes that are no UTF-8", function()
    local tokenizer = fitted("bytes", { added = { "<x>" } })
    assert.fails("text 2: byte 6 is not valid UTF-8", tokenizer.encode, tokenizer,
      { "a", "a<x>b\xff" })
    local replacing = fitted("bytes", { added = { "<x>" }, invalid = "replace" })
    local ids, report = replacing:encode{ "a\xff<x>" }
    assert.are.equal("a\u{FFFD}", replacing:decode(ids[1]))
    assert.are.equal(1, report.invalid_bytes)
  end)

  it("takes a Lua function as a stage", function()
    marea.text.register("normalizer", "spec_shout", function(text) return text:upper() end)
    local tokenizer = fitted("bytes", { normalize = "spec_shout" })
    assert.are.equal("ABC", tokenizer:decode(tokenizer:encode{ "abc" }[1]))
    marea.text.register("normalizer", "spec_shout", function() error("no voice", 0) end, 2)
    local failing = SubwordTokenizer{ model = tokenizer.model, normalize = "spec_shout",
      split = "byte_level" }
    assert.fails("no voice", failing.encode, failing, { "abc" })
  end)

  it("says what is wrong", function()
    local empty = SubwordTokenizer{ kind = "bpe" }
    assert.fails("there is no model yet", empty.encode, empty, { "a" })
    assert.fails("give a kind of model to train, or a model", SubwordTokenizer, {})
    assert.fails("unknown option", SubwordTokenizer, { kind = "bpe", vocab = 3 })
    assert.fails("model must be one of marea.text.subword", SubwordTokenizer, { model = 3 })
    assert.fails("decoder must be one of", SubwordTokenizer, { kind = "bpe", decoder = "x" })
    assert.fails("the token string \"[CLS]\" has no id", fitted, "bpe", { before = { "[CLS]" } })
    assert.fails("belong together", fitted, "bytes", { split = "whitespace" })
    assert.fails("expected a list of texts", fitted("bpe").encode, fitted("bpe"), "text")
  end)

  it("leaves no memory behind, whatever fails", function()
    local tokenizer = fitted("bytes", { added = { "<x>" }, normalize = "nfc" })
    local config = tokenizer:get_config()
    local function everything()
      local again = SubwordTokenizer.from_config(config)
      again:encode({ "la <x> barca", ("hola"):rep(40) }, { seed = 2 })
      again:places("e\u{301}l <x> mar")
      again:decode{ 70, 80, 90 }
    end
    helper.leak_check(function()
      everything()
      local failed = 0
      for n = 1, 150 do
        native.fail_at(n < 60 and n or 9 * n)
        if not pcall(everything) then failed = failed + 1 end
        native.fail_at(0)
      end
      assert.is_true(failed > 30, failed)
    end)
  end)
end)
