-- Splitters: how each cuts, where the pieces lie, chains of them, errors, linear time.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local texts = require "spec.texts"
local text = marea.text

local function tokens(split, source, given)
  local options = { split = split }
  for name, value in pairs(given or {}) do options[name] = value end
  return text.Pipeline(options):tokens(source)
end

local flags = "🇪🇸🇲🇽"
local family = "👨\u{200D}👩\u{200D}👧"

-- Splitters, text, tokens.
local cases = {
  { "none", "a b", { "a b" } },
  { "filters", "The film's END -- good; ¿sí? a\rb", { "The", "film's", "END", "good", "¿sí", "a\rb" } },
  { { { "filters", filters = "¿?ñ", split = "." } }, "¿a?bñc.d e", { "a", "b", "c", "d e" } },
  { { { "filters", filters = "!", split = "::" } }, "a!b::c: d", { "a", "b", "c: d" } },
  { { { "filters", filters = "", split = "ñ" } }, "añbñ", { "a", "b" } },
  { "whitespace", " a\tb\u{A0}c\u{3000}d\u{2028}e\u{85}f\u{1C}g\u{200B}h ",
    { "a", "b", "c", "d", "e", "f\u{1C}g\u{200B}h" } },
  { { { "whitespace", spaces = "ascii" } }, "a\u{A0}b c\fd\ve", { "a\u{A0}b", "c", "d", "e" } },
  { { { "whitespace", spaces = "python" } }, "a\u{A0}b\u{1F}c", { "a", "b", "c" } },
  { "words", "¿Qué tal? «Sí», dijo; can't 3,5 a_b", { "Qué", "tal", "Sí", "dijo", "can't", "3,5", "a_b" } },
  { { { "words", punctuation = "keep" } }, "¿Qué? «Sí»…", { "¿", "Qué", "?", "«", "Sí", "»", "…" } },
  { "words", "e\u{301}l n\u{303}u", { "e\u{301}l", "n\u{303}u" } },
  { "words", family .. flags .. " 👍🏽", { family, "🇪🇸", "🇲🇽", "👍🏽" } },
  { "words", "שלום, עולם! צה\"ל", { "שלום", "עולם", "צה\"ל" } },
  { "words", "مرحبا ١٢٣", { "مرحبا", "١٢٣" } },
  { "words", "日本カタカナ", { "日", "本", "カタカナ" } },
  { "words", "Die Straße, 3.5km; l'eau aujourd’hui", { "Die", "Straße", "3.5km", "l'eau", "aujourd’hui" } },
  { "code_points", "añe\u{301}", { "a", "ñ", "e", "\u{301}" } },
  { "graphemes", "ae\u{301}" .. family .. flags .. "각\r\n", { "a", "e\u{301}", family, "🇪🇸", "🇲🇽", "각", "\r\n" } },
  { "bytes", "añ", { "a", "\xC3", "\xB1" } },
  { "word_runs", "El gato-y 3º a_b don't ½", { "El", "gato", "y", "3º", "a_b", "don", "t", "½" } },
  { { { "word_runs", min = 2 } }, "y el ñu ñ né", { "el", "ñu", "né" } },
  { { { "word_runs", min = 3 } }, "el ñus ñu", { "ñus" } },
  { "words_or_marks", "¿Qué?? a_b, e\u{301}!", { "¿", "Qué", "??", "a_b", ",", "e\u{301}", "!" } },
  { "bert", "¿Qué?? a_b $5", { "¿", "Qué", "?", "?", "a", "_", "b", "$", "5" } },
  { "byte_level", "I'll go  home\n\n3x!? é", { "I", "'ll", " go", " ", " home", "\n", "\n", "3", "x", "!?", " é" } },
  { "byte_level", "a  ", { "a", "  " } },
  { "byte_level", "DON'T '", { "DON", "'", "T", " '" } },
  { "metaspace", "▁el▁▁niño", { "▁el", "▁", "▁niño" } },
  { { { "metaspace", text = "_" } }, "a_b_", { "a", "_b", "_" } },
  { "punctuation", "a,b..¿c", { "a", ",", "b", ".", ".", "¿", "c" } },
  { { { "punctuation", behavior = "removed" } }, "a,b..¿c", { "a", "b", "c" } },
  { { { "punctuation", behavior = "contiguous" } }, "a,b..¿c", { "a", ",", "b", "..¿", "c" } },
  { { { "punctuation", behavior = "merged_with_previous" } }, ",a,b..", { ",", "a,", "b.", "." } },
  { { { "punctuation", behavior = "merged_with_next" } }, "a,b..", { "a", ",b", ".", "." } },
  { "digits", "a12b ٣½", { "a", "12", "b ", "٣½" } },
  { { { "digits", individual = true } }, "a12", { "a", "1", "2" } },
  { { { "literal", text = "--" } }, "a--b----c-", { "a", "b", "c-" } },
  { { { "literal", text = "--", behavior = "isolated" } }, "a----b", { "a", "--", "--", "b" } },
  { { { "literal", text = "--", behavior = "contiguous" } }, "a----b", { "a", "----", "b" } },
  { { { "literal", text = "ñ", behavior = "merged_with_next" } }, "añb", { "a", "ñb" } },
  { { { "literal", text = "ñ", behavior = "merged_with_previous" } }, "añb", { "añ", "b" } },
  { { "whitespace", "punctuation", { "digits", individual = true } }, "a1, b22.",
    { "a", "1", ",", "b", "2", "2", "." } },
  { { "words", "graphemes" }, "no, é", { "n", "o", "é" } },
  { { "whitespace", "bytes" }, "ñ a", { "\xC3", "\xB1", "a" } },
}

local plain_splitters = { "none", "filters", "whitespace", "words", "code_points", "graphemes",
  "bytes", "word_runs", "words_or_marks", "bert", "byte_level", "metaspace", "punctuation", "digits",
  { "words", punctuation = "keep" }, { "literal", text = " ", behavior = "contiguous" } }

describe("A splitter", function()
  for i, case in ipairs(cases) do
    local name = type(case[1]) == "string" and case[1] or "case " .. i
    it(("%s: %q"):format(name, case[2]), function()
      assert.are.same(case[3], tokens(case[1], case[2]))
    end)
  end

  it("gives nothing for nothing", function()
    for _, split in ipairs(plain_splitters) do assert.are.same({}, tokens({ split }, "")) end
    for _, split in ipairs{ "whitespace", "words", "filters", "bert", "words_or_marks" } do
      assert.are.same({}, tokens({ split }, " \t\n "))
    end
  end)

  it("gives parts of the text, at their places, in order and apart", function()
    for _, split in ipairs(plain_splitters) do
      local pipeline = text.Pipeline{ split = { split } }
      for _, source in ipairs(texts.all(200, 11)) do
        local list, first, last = pipeline:tokens(source, { places = true })
        local at = 1
        for i, token in ipairs(list) do
          assert.is_true(first[i] >= at and last[i] >= first[i] and last[i] <= #source)
          assert.are.equal(token, source:sub(first[i], last[i]))
          at = last[i] + 1
        end
        assert.are.same(list, pipeline:tokens(source))
      end
    end
  end)

  it("that keeps all loses no byte", function()
    for _, split in ipairs{ "none", "code_points", "graphemes", "bytes", "byte_level", "digits",
      "punctuation", { "metaspace", text = "a" }, { "literal", text = "a", behavior = "isolated" } } do
      for _, source in ipairs(texts.all(200, 12)) do
        assert.are.equal(source, table.concat(tokens({ split }, source)))
      end
    end
  end)

  it("cuts the same in long texts as in short ones", function()
    -- Longer than the chunks in which separators are searched, at every phase.
    for _, split in ipairs{ "whitespace", "filters", "word_runs", "words", "bert" } do
      local pipeline = text.Pipeline{ split = split }
      for pad = 0, 70 do
        local source = ("x"):rep(pad) .. (" ñandú\u{3000}é b"):rep(130)
        local expected = { ("x"):rep(pad) }
        if pad == 0 then expected = {} end
        for _ = 1, 130 do
          table.move({ "ñandú", "é", "b" }, 1, 3, #expected + 1, expected)
        end
        -- Each b touches nothing: a blank follows. Keras's filters keep the wide blank in the word.
        if split == "filters" then
          expected = pad == 0 and {} or { ("x"):rep(pad) }
          for _ = 1, 130 do table.move({ "ñandú\u{3000}é", "b" }, 1, 2, #expected + 1, expected) end
        end
        assert.are.same(expected, pipeline:tokens(source))
      end
    end
  end)

  it("says what is wrong with its options", function()
    local wrong = {
      { "word", 'there is no splitter called string "word"; there are bert, byte_level' },
      { { { "words", punctuation = "all" } }, "punctuation must be one of drop, keep" },
      { { { "words", keep = true } }, 'splitter words: unknown option "keep"' },
      { { { "word_runs", min = 0 } }, "min must be a positive whole number, got number 0" },
      { { { "literal" } }, "splitter literal: text is missing" },
      { { { "literal", text = "" } }, "the separator must be at least one character" },
      { { { "literal", text = "a", behavior = "kept" } }, "behavior must be one of removed, isolated" },
      { { { "metaspace", text = "" } }, "the separator must be at least one character" },
      { { { "metaspace", text = "\xff" } }, "the separators must be UTF-8" },
      { { { "filters", split = "" } }, "split must be at least one character" },
      { { { "filters", filters = "\xff" } }, "the separators must be UTF-8" },
      { { { "digits", individual = 1 } }, "individual must be true or false, got number 1" },
      { { { "whitespace", spaces = "none" } }, "spaces must be one of unicode, ascii, python" },
      { { "bytes", "words" }, "the splitter bytes must be the last one" },
      { 7, "split must be a list of stages, got number 7" },
    }
    for _, case in ipairs(wrong) do assert.fails(case[2], text.Pipeline, { split = case[1] }) end
    local many = {}
    for i = 1, 9 do many[i] = "words" end
    assert.fails("split has 9 items, at most 8 are allowed", text.Pipeline, { split = many })
  end)

  it("takes one stage with its options without a list around it", function()
    assert.are.same({ "el" }, tokens({ "word_runs", min = 2 }, "y el"))
  end)

  it("is done with 20 MB without a blank and a million of the worst characters", function()
    local long = ("ab1"):rep(20 * 1024 * 1024 // 3)
    for _, split in ipairs{ "filters", "whitespace", "words", "word_runs", "words_or_marks", "bert" } do
      assert.are.equal(long, tokens(split, long)[1])
    end
    local n = 1000000
    local worst = { ("\u{301}"):rep(n // 2), "a" .. (":"):rep(n), ("a:"):rep(n // 2) .. "a",
      ("'"):rep(n), ("🇪"):rep(n // 8), ("a\u{200D}"):rep(n // 8), (","):rep(n), ("1,"):rep(n // 2),
      "a" .. (":" .. ("\u{301}"):rep(50)):rep(n // 100) }
    for _, split in ipairs{ "words", "graphemes", "bert", "byte_level", "punctuation",
      "words_or_marks" } do
      for _, source in ipairs(worst) do assert.is_table(tokens(split, source)) end
    end
  end)

  it("leaves no memory behind, whichever allocation fails", function()
    helper.leak_check(function()
      for _, split in ipairs(plain_splitters) do
        for n = 1, 60 do
          native.fail_at(n)
          local ok, message = pcall(tokens, { split }, texts.written[1], { stop_words = { "x" } })
          native.fail_at(0)
          if ok then break end
          assert.is_truthy(message:find("out of memory", 1, true), message)
          assert.is_true(n < 60)
        end
      end
    end)
  end)
end)
