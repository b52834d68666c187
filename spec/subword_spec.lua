-- Sub-word models: training, cutting words, decoding, dropout, hostile input. Fixtures: merges and
-- vocabularies of Hugging Face's trainers for the same word counts (scripts/fixtures/subword.py).
local helper = require "spec.helper"
local marea = require "marea"
local json = require "marea.json"
local native = require "marea.native"
local subword = require "marea.text.subword"

local file <close> = assert(io.open("spec/golden/subword.json"))
local golden = assert(json.decode(file:read("a")))

local words = { hug = 10, pug = 5, pun = 12, bun = 4, hugs = 5, ["ñandú"] = 3, aaaaaa = 2 }

local function trained(given)
  local all = { words = words, vocab_size = 40 }
  for name, value in pairs(given) do all[name] = value end
  return subword.train(all)
end

local function pieces(model, word, given)
  return table.concat(model:pieces_of((model:encode_word(word, given))), " ")
end

describe("training", function()
  for _, case in ipairs(golden.bpe_training) do
    it("gives Hugging Face's BPE merges and ids: " .. case.name, function()
      local o = case.options
      local model = subword.train{ kind = "bpe", words = case.counts, special_tokens = { "<unk>" },
        vocab_size = o.size, limit_alphabet = o.limit_alphabet, min_frequency = o.min_frequency,
        max_token_length = o.max_token_length }
      local left, right = model.native:merges()
      local merges = {}
      for i = 1, #left do merges[i] = { left[i], right[i] } end
      assert.are.same(case.merges, merges)
      for piece, id in pairs(case.vocab) do assert.are.equal(id, model:id(piece)) end
      local count = 0
      for _ in pairs(case.vocab) do count = count + 1 end
      assert.are.equal(count, model:size())
    end)
  end

  it("gives Hugging Face's Unigram pieces", function()
    local case = golden.unigram_training
    local model = subword.train{ kind = "unigram", words = case.counts, vocab_size = 400 }
    assert.are.equal(#case.vocab, model:size())
    local scores = {}
    local own, _, own_scores = model.native:pieces()
    for i, piece in ipairs(own) do scores[piece] = own_scores[i] end
    for _, entry in ipairs(case.vocab) do
      assert.is_truthy(scores[entry[1]], entry[1])
      -- The penalties of characters without a score of their own follow the order of a hash table.
      assert.is_true(math.abs(scores[entry[1]] - entry[2]) < 0.01, entry[1])
    end
  end)

  it("does not depend on the order in which a table is walked", function()
    local first = trained{ kind = "bpe" }:get_config()
    for _ = 1, 5 do assert.are.same(first, trained{ kind = "bpe" }:get_config()) end
  end)

  it("puts special tokens first and stops at vocab_size", function()
    local model = trained{ kind = "bpe", special_tokens = { "<pad>", "<unk>" }, vocab_size = 15 }
    assert.are.equal("<pad>", model:token(0))
    assert.are.equal("<unk>", model:token(1))
    assert.are.equal(15, model:size())
    assert.are.equal("hug", pieces(trained{ kind = "bpe" }, "hug"))
  end)

  it("trains WordPiece with its prefix", function()
    local model = trained{ kind = "wordpiece", special_tokens = { "[UNK]" } }
    assert.are.equal("hugs", pieces(model, "hugs"))
    assert.are.equal("b ##ug", pieces(model, "bug"))
    assert.are.equal("[UNK]", pieces(model, "huz"))
  end)

  it("takes any form of words", function()
    local list = {}
    for word, count in pairs(words) do
      for _ = 1, count do list[#list + 1] = word end
    end
    table.sort(list)
    local expected = trained{ kind = "bpe" }:get_config()
    assert.are.same(expected, trained{ kind = "bpe", words = list }:get_config())
    local pipeline = require("marea.text").Pipeline{ split = "whitespace" }
    pipeline:fit{ table.concat(list, " ") }
    assert.are.same(expected, trained{ kind = "bpe", words = pipeline }:get_config())
    assert.are.same(expected, trained{ kind = "bpe", words = pipeline.vocabulary }:get_config())
  end)

  it("says what is wrong with options", function()
    assert.fails("kind must be one of bpe, wordpiece, unigram", trained, { kind = "bep" })
    assert.fails("vocab_size must be a positive whole number", trained,
      { kind = "bpe", vocab_size = 0 })
    assert.fails("unknown option", trained, { kind = "bpe", vocabsize = 3 })
    assert.fails("dropout must be a number from 0 to 1", trained, { kind = "bpe", dropout = 1.5 })
    assert.fails("is not in the vocabulary", trained, { kind = "bpe", unk_token = "<u>" })
    assert.fails("the words have 11 characters", trained, { kind = "unigram", vocab_size = 5 })
    assert.fails("shrinking_factor is 1", trained, { kind = "unigram", shrinking_factor = 1 })
    assert.fails("expected a string and a whole number", trained,
      { kind = "bpe", words = { a = "b" } })
    for _, kind in ipairs{ "bpe", "wordpiece", "unigram" } do
      assert.fails('of the word "a\xff" is not valid UTF-8', trained,
        { kind = kind, words = { ["a\xff"] = 1 }, special_tokens = { "[UNK]" } })
    end
  end)

  it("works without words", function()
    assert.are.equal(1, trained{ kind = "bpe", words = {}, special_tokens = { "a" } }:size())
    assert.are.equal(256, trained{ kind = "bpe", words = {}, byte_level = true, vocab_size = 300 }
      :size())
    assert.are.equal(1, trained{ kind = "unigram", words = {}, unk_token = "<unk>" }:size())
  end)
end)

-- The plainest form of BPE: look for the smallest rank, merge its leftmost place, again and again.
local function naive(model, word)
  local ranks, symbols = {}, {}
  local left, right = model.native:merges()
  for i = 1, #left do ranks[left[i] .. " " .. right[i]] = i end
  for character in word:gmatch(utf8.charpattern) do symbols[#symbols + 1] = character end
  while true do
    local best, at
    for i = 1, #symbols - 1 do
      local rank = ranks[symbols[i] .. " " .. symbols[i + 1]]
      if rank and (not best or rank < best) then best, at = rank, i end
    end
    if not best then return table.concat(symbols, " ") end
    symbols[at] = symbols[at] .. table.remove(symbols, at + 1)
  end
end

describe("cutting words", function()
  it("merges long words as short ones", function()
    local model = trained{ kind = "bpe", vocab_size = 30 }
    local random = 12345
    local letters = { "h", "u", "g", "s", "p", "n", "b", "a", "ñ", "d", "ú" }
    for length = 1, 130, 3 do
      local list = {}
      for i = 1, length do
        random = (random * 1103515245 + 12345) % 2147483648
        list[i] = letters[random // 65536 % #letters + 1]
      end
      local word = table.concat(list)
      assert.are.equal(naive(model, word), pieces(model, word))
    end
  end)

  it("gives each piece its bytes", function()
    local model = trained{ kind = "bpe", vocab_size = 14 }
    local word = "ñandúhug"
    local ids, first, last = model:encode_word(word)
    local parts = {}
    for i = 1, #ids do parts[i] = word:sub(first[i], last[i]) end
    assert.are.same(model:pieces_of(ids), parts)
  end)

  it("marks, fuses or drops unknown characters and counts them", function()
    local given = { kind = "bpe", special_tokens = { "<unk>" }, unk_token = "<unk>" }
    local model = trained(given)
    assert.are.equal("<unk> <unk> hug <unk>", pieces(model, "xyhugz"))
    assert.are.equal(3, model:report().unknown)
    given.fuse_unk = true
    assert.are.equal("<unk> hug <unk>", pieces(trained(given), "xyhugz"))
    model = trained{ kind = "bpe" }
    assert.are.equal("hug", pieces(model, "xyhugz"))
    assert.are.equal("hug", pieces(model, "xyhugz")) -- from the cache
    assert.are.equal(6, model:report().dropped)
    assert.are.equal(2, model:report().words)
  end)

  it("falls back to bytes", function()
    local specials = { "<unk>" }
    for byte = 0, 255 do specials[#specials + 1] = ("<0x%02X>"):format(byte) end
    for _, kind in ipairs{ "bpe", "unigram" } do
      local model = trained{ kind = kind, special_tokens = specials, unk_token = "<unk>",
        byte_fallback = true, vocab_size = 290 }
      local ids, first, last = model:encode_word("€")
      assert.are.same({ "<0xE2>", "<0x82>", "<0xAC>" }, model:pieces_of(ids))
      assert.are.same({ { 1, 1, 1 }, { 3, 3, 3 } }, { first, last })
      assert.are.equal("€hug日", model:decode((model:encode_word("€hug日"))))
    end
  end)

  it("takes whole words with ignore_merges", function()
    local model = subword.new{ kind = "bpe", pieces = { "a", "b", "ab", "abab" }, left = { "a" },
      right = { "b" } }
    assert.are.equal("ab ab", pieces(model, "abab"))
    model = subword.new{ kind = "bpe", pieces = { "a", "b", "ab", "abab" }, left = { "a" },
      right = { "b" }, ignore_merges = true }
    assert.are.equal("abab", pieces(model, "abab"))
    assert.are.equal("ab a", pieces(model, "aba"))
  end)

  it("takes the longest WordPiece, up to max_input_chars_per_word", function()
    local model = subword.new{ kind = "wordpiece", max_input_chars_per_word = 5,
      pieces = { "[UNK]", "un", "##aff", "##able", "##a", "##ñ", "u" } }
    assert.are.equal("un ##aff", pieces(model, "unaff"))
    assert.are.equal("un ##a ##ñ", pieces(model, "unañ"))
    assert.are.equal("[UNK]", pieces(model, "unaffx"))
    assert.are.equal("[UNK]", pieces(model, "unaffa"))
    assert.are.equal(2, model:report().unknown)
  end)

  it("finds the most probable pieces", function()
    local model = subword.new{ kind = "unigram", unk_token = "<unk>",
      pieces = { "<unk>", "a", "b", "c", "ab", "bc", "abc" }, scores = { 0, -3, -3, -3, -4, -1, -6 } }
    assert.are.equal("a bc", pieces(model, "abc"))
    assert.are.equal("a bc <unk> ab", pieces(model, "abcxyzab"))
    model = subword.new{ kind = "unigram", pieces = { "a", "b", "ab" }, scores = { -1, -1, -2 } }
    assert.are.equal("ab ab", pieces(model, "abab")) -- of equal paths the longer piece, found first
    local without = subword.new{ kind = "unigram", pieces = { "a" }, scores = { -1 } }
    assert.fails('"ñ" has no piece', without.encode_word, without, "añ")
  end)

  it("keeps empty words, NUL bytes, broken UTF-8", function()
    for _, kind in ipairs{ "bpe", "wordpiece", "unigram" } do
      local model = trained{ kind = kind, special_tokens = { "[UNK]" }, unk_token = "[UNK]" }
      assert.are.same({}, (model:encode_word("")))
      assert.is_true(#model:encode_word("hu\0g") > 0)
      assert.is_true(#model:encode_word("hu\xff\xe2\x82g") > 0)
    end
  end)

  it("brings any bytes back", function()
    local model = trained{ kind = "bpe", byte_level = true, vocab_size = 300 }
    for _, word in ipairs{ "hugs", "¿Qué?", "👨‍👩‍👧‍👦", "שלום", "e\u{301}", "a\0b", " x", "日本" } do
      assert.are.equal(word, model:decode((model:encode_word(word))))
    end
    local all = {}
    for byte = 0, 255 do all[byte + 1] = string.char(byte) end
    local ids = model:encode_word(table.concat(all))
    assert.are.equal(256, #ids)
    assert.are.equal(("\u{FFFD}"):rep(3) .. "A", model:decode{ ids[129], ids[200], ids[256], ids[66] })
  end)

  it("stays quick on a word of a million bytes", function()
    local longest = { bpe = "hugñandúpun", unigram = "hugñandúpun", wordpiece = "aug" }
    for kind, part in pairs(longest) do
      local model, long = trained{ kind = kind, special_tokens = { "[UNK]" }, unk_token = "[UNK]",
        max_input_chars_per_word = 1 << 30 }, part:rep(1000000 // #part)
      assert.is_true(long == model:decode((model:encode_word(long))))
    end
    assert.is_true(#trained{ kind = "bpe" }:encode_word(("a"):rep(1000000)) > 100000)
  end)
end)

describe("BPE dropout", function()
  local function model_with(dropout)
    return trained{ kind = "bpe", dropout = dropout }
  end

  it("needs a seed, and 0 changes nothing", function()
    assert.are.equal("hugs", pieces(model_with(0.5), "hugs"))
    assert.are.equal("hugs", pieces(model_with(0), "hugs", { seed = 1 }))
  end)

  it("gives characters at 1", function()
    assert.are.equal("h u g s", pieces(model_with(1), "hugs", { seed = 1 }))
  end)

  it("is the same for the same seed, and the text stays", function()
    local model, seen = model_with(0.5), {}
    for seed = 1, 60 do
      local cut = pieces(model, "ñandú", { seed = seed })
      assert.are.equal(cut, pieces(model, "ñandú", { seed = seed }))
      assert.are.equal("ñandú", (cut:gsub(" ", "")))
      seen[cut] = true
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.is_true(count > 3)
    assert.is_true(seen["ñandú"])
  end)

  it("skips merges at its rate", function()
    local model = subword.new{ kind = "bpe", pieces = { "a", "b", "ab" }, left = { "a" },
      right = { "b" }, dropout = 0.3 }
    local apart = 0
    for seed = 1, 2000 do apart = apart + #model:encode_word("ab", { seed = seed }) - 1 end
    assert.is_true(math.abs(apart / 2000 - 0.3) < 0.04)
  end)
end)

describe("a model", function()
  it("is rebuilt from its config", function()
    for _, kind in ipairs{ "bpe", "wordpiece", "unigram" } do
      local model = trained{ kind = kind, special_tokens = { "[UNK]" }, unk_token = "[UNK]" }
      local config = json.decode(json.encode(model:get_config()))
      local again = subword.from_config(config)
      assert.are.same(model:get_config(), again:get_config())
      assert.are.same({ model:encode_word("hugspuñ") }, { again:encode_word("hugspuñ") })
    end
  end)

  it("refuses contradictions", function()
    local function new(given)
      return function() subword.new(given) end
    end
    local base = { "a", "b", "ab" }
    assert.fails('the piece "a" comes twice', new{ kind = "bpe", pieces = { "a", "a" } })
    assert.fails('"a" and "b" have the same id 4', new{ kind = "bpe", pieces = { "a", "b" },
      ids = { 4, 4 } })
    assert.fails('merge 1: the merge of "a" and "c": the right one is no piece',
      new{ kind = "bpe", pieces = base, left = { "a" }, right = { "c" } })
    assert.fails("their junction is no piece", new{ kind = "bpe", pieces = base, left = { "b" },
      right = { "a" } })
    assert.fails("differ in length", new{ kind = "bpe", pieces = base, left = { "b" }, right = {} })
    assert.fails("expected a whole number from 0", new{ kind = "bpe", pieces = base,
      ids = { 0, 1, 2.5 } })
    assert.fails("expected a whole number from 0", new{ kind = "bpe", pieces = base,
      ids = { 0, 1, 1 << 40 } })
    assert.fails('the unknown piece "[UNK]" is not in the vocabulary', new{ kind = "wordpiece",
      pieces = base })
    assert.fails("needs scores", new{ kind = "unigram", pieces = base })
    assert.fails("is not finite", new{ kind = "unigram", pieces = base, scores = { 0, 1, 0 / 0 } })
    assert.fails("belong to BPE", new{ kind = "wordpiece", pieces = base, byte_level = true,
      unk_token = "a" })
    assert.fails("malformed", subword.from_config, { kind = "bpe" })
  end)

  it("names an id without a piece", function()
    local model = trained{ kind = "bpe" }
    assert.fails("decode: id 4000 at place 2 has no piece", model.decode, model, { 1, 4000 })
    assert.is_nil(model:token(-1))
    assert.is_nil(model:id("nothing of the kind"))
  end)

  it("finds pieces under ids with gaps", function()
    local model = subword.new{ kind = "bpe", pieces = { "a", "b", "c" }, ids = { 7, 2000000000, 0 } }
    assert.are.same({ "a", "b", "c" }, { model:token(7), model:token(2000000000), model:token(0) })
    assert.is_nil(model:token(1))
    assert.are.same({ 7, 2000000000, 0 }, (model:encode_word("abc")))
  end)

  it("leaves no memory behind, whatever fails", function()
    local function everything(kind)
      local model = trained{ kind = kind, special_tokens = { "[UNK]" }, unk_token = "[UNK]" }
      model:encode_word("hugspun")
      model:encode_word(("hugñ"):rep(40))
      model:decode((model:encode_word("hug")))
      subword.from_config(model:get_config())
    end
    for _, kind in ipairs{ "bpe", "wordpiece", "unigram" } do
      helper.leak_check(function()
        everything(kind)
        local failed = 0
        for n = 1, 200 do
          native.fail_at(n < 60 and n or 7 * n)
          if not pcall(everything, kind) then failed = failed + 1 end
          native.fail_at(0)
        end
        assert.is_true(failed > 40)
      end)
    end
  end)
end)

describe("a model file", function()
  it("may carry a sub-word tokenizer, and reads raw text with it", function()
    local nn = marea.nn
    local texts = { "la marea sube", "la marea baja", "el mar y la luna" }
    local tokenizer = marea.text.SubwordTokenizer{ kind = "bpe", byte_level = true, vocab_size = 280 }
    tokenizer:fit(texts)
    marea.manual_seed(1)
    local model = marea.Sequential{ nn.Embedding{ tokenizer:id_count(), 4 }, nn.GRU{ 3 },
      nn.Dense{ 1, activation = "sigmoid" } }
    model:compile{ optimizer = "sgd", loss = "binary_crossentropy" }
    model:fit(tokenizer:texts_to_padded(texts, { maxlen = 8 }), marea.tensor{ 1, 0, 1 },
      { epochs = 1, verbose = 0 })
    model.tokenizer, model.maxlen = tokenizer, 8
    local path = os.tmpname()
    assert(model:save(path))
    local loaded = assert(marea.load(path))
    os.remove(path)
    assert.are.same(model:predict(texts):totable(), loaded:predict(texts):totable())
  end)
end)
