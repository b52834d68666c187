-- Lua functions as stages of a pipeline: what they give, their errors, model files that need them.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local texts = require "spec.texts"
local nn, text = marea.nn, marea.text
local with_threads = texts.with_threads

describe("A Lua function as a stage", function()
  local calls = 0
  text.register("normalizer", "spec_swap", function(source)
    calls = calls + 1
    return (source:gsub("uno", "tres"))
  end)
  text.register("normalizer", "spec_reverse", function(source) return source:reverse() end)
  text.register("splitter", "spec_commas", function(source)
    local list = {}
    for part in source:gmatch("[^,]+") do list[#list + 1] = part end
    return list
  end, 3)

  it("works among the others, with places", function()
    local pipeline = text.Pipeline{ normalize = { "lower", "spec_swap" },
      split = { "spec_commas", "words" } }
    local tokens, first, last = pipeline:tokens("UNO dos,ñu", { places = true })
    assert.are.same({ "tres", "dos", "ñu" }, tokens)
    assert.are.same({ { 1, 1, 1 }, { 11, 11, 11 } }, { first, last }) -- all of the text
    tokens, first = text.Pipeline{ split = { "spec_commas", "words" } }:tokens("UNO dos,ñu",
      { places = true })
    assert.are.same({ { "UNO", "dos", "ñu" }, { 1, 5, 9 } }, { tokens, first })
    pipeline:fit{ "uno", "uno, dos", "" }
    assert.are.same({ { 2, 3 }, { 2 } }, (pipeline:encode{ "tres dos", "uno" }))
    -- Of one length, and yet not byte by byte the same.
    local _, from, to = text.Pipeline{ normalize = "spec_reverse", split = "code_points" }
      :tokens("ab", { places = true })
    assert.are.same({ { 1, 1 }, { 2, 2 } }, { from, to })
  end)

  it("runs in the caller's thread, in the order of the texts", function()
    local seen = {}
    text.register("normalizer", "spec_order", function(source)
      seen[#seen + 1] = source
      return source
    end)
    local list = {}
    for i = 1, 200 do list[i] = ("%d "):format(i):rep(1000) end
    with_threads(8, function()
      local pipeline = text.Pipeline{ normalize = "spec_order" }
      pipeline:fit(list)
      assert.are.same(list, seen)
      seen = {}
      pipeline:encode(list)
      assert.are.same(list, seen)
    end)
  end)

  it("passes its error on, and is not called again after it", function()
    local tries = 0
    text.register("normalizer", "spec_fails", function(source)
      tries = tries + 1
      if source:find("bad") then error{ code = 7 } end
      return source
    end)
    local pipeline = text.Pipeline{ normalize = { "lower", "spec_fails" } }
    pipeline:fit{ "good" }
    local list = {}
    for i = 1, 100 do list[i] = ("good "):rep(10000) end
    list[3] = "bad"
    for _, name in ipairs{ "fit", "encode" } do
      tries = 0
      local ok, problem = pcall(pipeline[name], pipeline, list)
      assert.is_false(ok)
      assert.are.equal(7, problem.code)
      assert.is_true(tries <= 60)
    end
    for _, f in ipairs{ pipeline.tokens, pipeline.normalized } do
      local ok, problem = pcall(f, pipeline, "bad")
      assert.is_false(ok)
      assert.are.equal(7, problem.code)
    end
    assert.are.same({ "fine" }, pipeline:tokens("fine"))
    assert.are.equal(1, pipeline.vocabulary:documents_seen())
  end)

  it("must give what its kind gives", function()
    local function failing(kind, value, message)
      text.register(kind, "spec_wrong", function() return value end)
      local pipeline = text.Pipeline{ [kind == "normalizer" and "normalize" or "split"] = "spec_wrong" }
      assert.fails(message, pipeline.tokens, pipeline, "ñu dos")
      assert.fails(message, pipeline.fit, pipeline, { "ñu dos" })
    end
    failing("normalizer", nil, "a normalizer's function must return a string, it returned a nil")
    failing("normalizer", 3, "a normalizer's function must return a string, it returned a number")
    failing("normalizer", "a\xff", "whose byte 2 is not valid UTF-8")
    failing("splitter", "ñu", "a splitter's function must return a list, it returned a string")
    failing("splitter", { "ñu", 3 }, "gave piece 2, which is no part of the rest of the text")
    failing("splitter", { "dos", "ñu" }, "gave piece 2, which is no part of the rest of the text")
    failing("splitter", { "\xc3" }, "gave piece 1, which cuts a character")
    failing("splitter", { "\xb1u" }, "gave piece 1, which cuts a character")
    text.register("splitter", "spec_wrong", function() return { "", "ñu", "" } end)
    assert.are.same({ "ñu" }, text.Pipeline{ split = "spec_wrong" }:tokens("ñu dos"))
  end)

  it("must not use the pipeline it is part of, but may use others", function()
    local own, other = nil, text.Pipeline{ normalize = "lower" }
    text.register("normalizer", "spec_inner", function(source)
      if source == "own" then own:tokens("x") end
      if source == "yield" then coroutine.yield() end
      return table.concat(other:tokens(source), " ")
    end)
    own = text.Pipeline{ normalize = "spec_inner" }
    assert.are.same({ "a", "b" }, own:tokens("A, B"))
    assert.fails("must not use that pipeline", own.tokens, own, "own")
    assert.are.same({ "a" }, own:tokens("A"))
    local thread = coroutine.create(function() return own:tokens("yield") end)
    local ok, message = coroutine.resume(thread)
    assert.is_false(ok)
    assert.is_truthy(message:find("attempt to yield", 1, true), message)
    assert.are.same({ "a" }, coroutine.wrap(function() return own:tokens("A") end)())
  end)

  it("is registered by a name of its own", function()
    local wrong = {
      { { "tokenizer", "x", print }, "kind must be one of normalizer, splitter" },
      { { "normalizer", 3, print }, "name must be a string, got number 3" },
      { { "normalizer", "x", "f" }, "expected a function, got string \"f\"" },
      { { "normalizer", "lower", print }, '"lower" is the name of a normalizer of Marea\'s' },
      { { "splitter", "words", print }, '"words" is the name of a splitter of Marea\'s' },
      { { "splitter", "x", print, 0 }, "version must be a positive whole number" },
    }
    for _, case in ipairs(wrong) do
      assert.fails(case[2], text.register, table.unpack(case[1]))
    end
    assert.fails('there is no splitter called string "spec_swap"', text.Pipeline,
      { split = "spec_swap" })
  end)

  it("leaves no memory behind when it fails or when memory does", function()
    local pipeline = text.Pipeline{ normalize = { "lower", "spec_swap" },
      split = { "spec_commas", "words" }, ngrams = { 1, 2 } }
    pipeline:fit{ "uno" }
    helper.leak_check(function()
      text.register("splitter", "spec_breaks", function() error("broken") end)
      local breaking = text.Pipeline{ split = { "words", "spec_breaks" } }
      for _ = 1, 3 do
        pcall(breaking.fit, breaking, { "a", "b" })
        pcall(breaking.tokens, breaking, "a")
      end
      for n = 1, 60 do
        native.fail_at(n)
        pcall(pipeline.encode, pipeline, { "uno, dos", "ñu" })
        native.fail_at(0)
      end
    end)
  end)

  local function with_model(f)
    local path = os.tmpname()
    local pipeline = text.Pipeline{ normalize = { "lower", "spec_swap" },
      split = { "spec_commas", "words" }, keep = 10 }
    local documents = { "uno, bien", "dos, mal", "uno bien", "mal" }
    pipeline:fit(documents)
    local model = marea.Sequential{ nn.Embedding{ 12, 4 }, nn.Flatten{}, nn.Dense{ 1 } }
    model:compile{ loss = "mse" }
    model.tokenizer, model.maxlen = pipeline, 4
    model:fit(documents, { 1, 0, 1, 0 }, { verbose = 0 })
    local ok, message = pcall(f, model, path, documents)
    os.remove(path)
    if not ok then error(message, 0) end
  end

  it("comes back with a model file, which says what it needs", function()
    with_model(function(model, path, documents)
      assert(model:save(path))
      local before = model:predict_text(documents)
      calls = 0
      local loaded = assert(marea.load(path))
      assert.is_true(before:same(loaded:predict_text(documents)))
      assert.is_true(calls > 0)
      assert.are.equal(tostring(model.tokenizer), tostring(loaded.tokenizer))
      local function edited(from, to)
        local tensors, metadata = native.load_tensors(path)
        local n
        metadata.tokenizer, n = metadata.tokenizer:gsub(from, to)
        assert.are.equal(1, n)
        local other = path .. ".edited"
        assert(native.save_tensors(other, tensors, metadata))
        local nothing, message = marea.load(other)
        os.remove(other)
        assert.is_nil(nothing)
        return message
      end
      local message = edited("spec_swap", "spec_missing")
      assert.is_truthy(message:find('there is no normalizer called string "spec_missing" '
        .. "(version 1, registered by text.register when it was saved)", 1, true), message)
      message = edited('"version":3', '"version":2')
      assert.is_truthy(message:find('the splitter "spec_commas" is registered with version 3, '
        .. "version 2 is needed", 1, true), message)
      message = edited('"class":"Pipeline"', '"class":"Lexer"')
      assert.is_truthy(message:find('a tokenizer of the class string "Lexer"', 1, true), message)
      message = edited('"<unk>"],', '"[unk]"],')
      assert.is_truthy(message:find("special token 2 is", 1, true), message)
      message = edited('"bien"', '"bueno"')
      assert.is_truthy(message:find("hash", 1, true), message)
    end)
  end)
end)
