-- Normalizer steps: what each does, its options, its counters, its errors; linear time.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local texts = require "spec.texts"
local text = marea.text

local function normalized(steps, source, given)
  local options = { normalize = steps, split = "none" }
  for name, value in pairs(given or {}) do options[name] = value end
  return text.Pipeline(options):normalized(source)
end

-- Steps, text, result.
local cases = {
  { "nfc", "e\u{301} n\u{303} a\u{302}\u{323} \u{212B} ᄀ\u{1161}\u{11A8}", "é ñ ậ Å 각" },
  { "nfc", "ﬁ ² Ａ ｶﾞ", "ﬁ ² Ａ ｶﾞ" },
  { "nfd", "é ñ ậ 각", "e\u{301} n\u{303} a\u{323}\u{302} \u{1100}\u{1161}\u{11A8}" },
  { "nfkc", "ﬁ ² Ａ ｶﾞ ㄱㅏ ﾡￂﾣ ½", "fi 2 A ガ 가 갃 1⁄2" },
  { "nfkd", "ﬁ é ガ ｶﾞ", "fi e\u{301} カ\u{3099} カ\u{3099}" },
  { "nfkd", "a\u{301}\u{FF9F}", "a\u{309A}\u{301}" },
  { "lower", "ÁRBOL ÑU ÇA ẞ Ǆ 𐐀 ÅBC", "árbol ñu ça ß ǆ 𐐨 åbc" },
  { "lower", "İ I ı", "i\u{307} i ı" },
  { "lower", "ΟΔΟΣ ΣΑΣ ΑΣ'Β Α'Σ' Σ \u{301}Σ ªΣ", "οδος σας ασ'β α'ς' σ \u{301}σ ªς" },
  { { { "lower", final_sigma = false } }, "ΟΔΟΣ", "οδοσ" },
  { "lower_ascii", "ÁRBOL AbC Ñ", "Árbol abc Ñ" },
  { "fold", "Straße GROẞ ΟΔΟΣ İ ﬁ ǰ", "strasse gross οδοσ i\u{307} fi j\u{30C}" },
  { "strip_accents", "ÁRBOL ñandú e\u{301} ç å ø 각 ậ", "ARBOL nandu e c a ø 각 a" },
  { { { "strip_accents", keep = "ñÑ" } }, "ñandú n\u{303}u ÑU ý", "ñandu ñu ÑU y" },
  { { { "strip_accents", keep = "n\u{303}" } }, "ñandú", "ñandu" },
  { { "nfd", "strip_marks" }, "é हि ा", "e हि ा" },
  { { "nfd", { "strip_marks", all = true } }, "é हि ा x\u{20DD}", "e ह  x" },
  { { "nfkd", "strip_combining" }, "é ﬁ ¨", "e fi  " },
  { "html", "a<b>c</b> <br/>d<!-- x > y -->e", "a c   d e" },
  { { { "html", to = "" } }, "ca<i>sa</i>", "casa" },
  { "html", "1 < 2 > 0 <3 a<b", "1 < 2 > 0 <3 a<b" },
  { "html", "&lt;&gt;&amp;&quot;&apos;&ntilde;&iquest;&#233;&#xE9;&#XE9;&hellip;", "<>&\"'ñ¿éé\u{E9}…" },
  { "html", "&unknown; &; &#; &#x; &#0; &#xD800; &#1114112; &#99999999; & &am", "&unknown; &; &#; &#x; "
    .. "&#0; &#xD800; &#1114112; &#99999999; & &am" },
  { "html", "<!-- never closed <b>", "<!-- never closed  " },
  { "html", "<?xml?><!DOCTYPE x>y", "  y" },
  { "urls", "ver http://a.es/x?y=ñ, (www.b.com) o HTTPS://C.D/e.", "ver URL, (URL) o URL." },
  { { { "urls", to = "" } }, "a ftp://x.y b", "a  b" },
  { "urls", "xhttp://no www. http:// https://", "xhttp://no www. http:// https://" },
  { "urls", "«http://a.b» \"http://c.d\" <http://e.f> ‘www.g.h’", "«URL» \"URL\" <URL> ‘URL’" },
  { "digits", "a12 ٣ ½ x²", "a00 0 ½ x²" },
  { { { "digits", to = "#", runs = true } }, "1234,5 ١٢٣", "#,# #" },
  { { { "replace", from = "aa", to = "b" } }, "aaaaa", "bba" },
  { { { "replace", from = "ñ" } }, "añoñ", "ao" },
  { { { "characters", from = "¿?ñ", to = "·" } }, "¿año?", "·a·o·" },
  { { { "characters", from = "ab" } }, "cab", "c  " },
  { "delete_punctuation", "don't, ¿sí? (a_b) «c» x-y", "dont ¿sí ab «c» xy" },
  { { { "prepend", text = "> " } }, "a", "> a" },
  { { { "prepend", text = "> " } }, "", "" },
  { { { "prepend", text = ">", unless_there = true } }, ">a", ">a" },
  { { { "prepend", text = ">", unless_there = true } }, "a", ">a" },
  { "strip", " \t\u{A0}a b\u{3000}\n", "a b" },
  { { { "strip", right = false } }, " a ", "a " },
  { { { "strip", left = false } }, " a ", " a" },
  { "strip", " \t ", "" },
  { "collapse", "a  b\tc \u{A0} d\u{1C}\u{1C}e", "a b\tc d\u{1C}\u{1C}e" },
  { { { "collapse", spaces = "python" } }, "d\u{1C}\u{1C}e", "d e" },
  { { { "collapse", spaces = "ascii" } }, "a\t\tb\u{A0}\u{A0}c", "a b\u{A0}\u{A0}c" },
  { "clean", "a\0b\tc\u{200B}d\u{FFFD}e\u{A0}f\u{7F}\u{E000}\u{85}g\u{378}", "ab cde fg\u{378}" },
  { "cjk_spaces", "東京a한カ", " 東  京 a한カ" },
  { { "nfkc", "lower", { "strip_accents", keep = "ñ" }, "delete_punctuation", "collapse", "strip" },
    "  ÑANDÚ,  Ｃａｆé!  ", "ñandu cafe" },
  { {}, "Ñ stays  as it is", "Ñ stays  as it is" },
}

describe("A normalizer step", function()
  for _, case in ipairs(cases) do
    local steps, source, expected = table.unpack(case)
    local names = {}
    for _, step in ipairs(type(steps) == "table" and steps or { steps }) do
      names[#names + 1] = type(step) == "table" and step[1] .. "{…}" or step
    end
    it(("%s: %q"):format(table.concat(names, ", "), source), function()
      assert.are.equal(expected, normalized(steps, source))
    end)
  end

  it("changes nothing in ASCII that needs no change, nor in an empty text", function()
    local plain = "all ascii, no change 123\n"
    for _, name in ipairs{ "nfc", "nfd", "nfkc", "nfkd", "strip_accents", "strip_marks",
      "strip_combining", "cjk_spaces", "lower", "fold", "urls", "html", "collapse" } do
      assert.are.equal(plain, normalized(name, plain), name)
      assert.are.equal("", normalized(name, ""), name)
    end
  end)

  it("gives valid UTF-8 for any text, and normal forms are idempotent", function()
    local all = texts.all(300, 5)
    for _, name in ipairs{ "nfc", "nfd", "nfkc", "nfkd", "lower", "fold", "strip_accents",
      "strip_marks", "html", "urls", "digits", "clean", "cjk_spaces", "collapse", "strip" } do
      for _, source in ipairs(all) do
        local once = normalized(name, source)
        assert.is_truthy(utf8.len(once), name)
        if name:find("^nf") or name == "fold" or name == "clean" or name == "collapse" then
          assert.are.equal(once, normalized(name, once), name)
        end
      end
    end
  end)

  it("counts what it changes or loses", function()
    local function report(steps, source)
      local counted = text.Pipeline{ normalize = steps, split = "none", invalid = "replace" }
        :fit{ source, source }
      counted.words = nil
      return counted
    end
    assert.are.same({ tags = 4, entities = 2 }, report("html", "<b>a</b> &amp; &nix;"))
    assert.are.same({ urls = 2 }, report("urls", "www.a.b x"))
    assert.are.same({ digits = 6 }, report({ { "digits", runs = true } }, "12 3"))
    assert.are.same({ accents = 4 }, report("strip_accents", "é ñ o"))
    assert.are.same({ accents = 2 }, report({ "nfd", "strip_marks" }, "é"))
    assert.are.same({ controls = 4 }, report("clean", "a\0b\1c"))
    assert.are.same({ invalid_bytes = 6 }, report({}, "\xffa\xc3b\x80"))
  end)

  it("refuses or replaces what is no UTF-8", function()
    for _, bad in ipairs{ "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80",
      "\xf0\x9f\x98" } do
      assert.fails(("byte 3 is not valid UTF-8 (0x%02x)"):format(bad:byte()), normalized, "lower",
        "AB" .. bad)
      local replaced = normalized("lower", "AB" .. bad .. "Ñ", { invalid = "replace" })
      assert.are.equal("ab" .. ("\u{FFFD}"):rep(#bad) .. "ñ", replaced)
    end
  end)

  it("says what is wrong with its options", function()
    local wrong = {
      { "upper", 'there is no normalizer called string "upper"; there are characters, cjk_spaces, clean' },
      { { { "lower", keep = "ñ" } }, 'normalizer lower: unknown option "keep"' },
      { { { "replace" } }, "normalizer replace: from is missing" },
      { { { "replace", from = "" } }, "replace needs a text to look for" },
      { { { "replace", from = 3 } }, "normalizer replace: from must be a string, got number 3" },
      { { { "replace", from = "a", to = "\xff" } }, "a text to replace or to insert is not UTF-8" },
      { { { "strip_accents", keep = "\xff" } }, "byte 1 is not valid UTF-8" },
      { { { "strip", left = "yes" } }, "strip: left must be true or false, got string \"yes\"" },
      { { { "collapse", spaces = "all" } }, "spaces must be one of unicode, ascii, python" },
      { { 3 }, "a normalizer is a name or { name, … }, got number 3" },
      { 3, "normalize must be a list of stages, got number 3" },
      { { {} }, "there is no normalizer called nil" },
    }
    for _, case in ipairs(wrong) do
      assert.fails(case[2], text.Pipeline, { normalize = case[1], split = "none" })
    end
    local many = {}
    for i = 1, 17 do many[i] = "lower" end
    assert.fails("normalize has 17 items, at most 16 are allowed", text.Pipeline,
      { normalize = many })
    assert.fails("invalid must be one of refuse, replace", text.Pipeline, { invalid = "ignore" })
  end)

  it("takes one stage with its options without a list around it", function()
    assert.are.equal("n ñ", normalized({ "strip_accents", keep = "ñ" }, "ń ñ"))
  end)

  it("is done with a million characters of the worst kind", function()
    local n = 1000000
    local worst = { ("<"):rep(n), ("&"):rep(n), ("<a"):rep(n // 2), ("<!--"):rep(n // 4),
      ("&#"):rep(n // 2), ("Σ"):rep(n), ("Σ'"):rep(n // 2), ("\u{301}"):rep(n // 2), "A" .. ("\u{301}")
      :rep(n // 4) .. ("\u{323}"):rep(n // 4), ("www."):rep(n // 4), "http://" .. ("."):rep(n),
      ("h"):rep(n), ("1"):rep(n), (" "):rep(n), ("Ａ"):rep(n // 3) }
    for _, name in ipairs{ "html", "urls", "lower", "nfc", "nfkd", "strip_accents", "collapse",
      "strip", "digits", "fold", "clean" } do
      for i, source in ipairs(worst) do
        assert.is_truthy(utf8.len(normalized(name, source)), name .. " " .. i)
      end
    end
  end)

  it("leaves no memory behind, whichever allocation fails", function()
    local steps = { "html", "urls", "nfkd", "lower", { "strip_accents", keep = "ñ" }, "nfc",
      { "digits", runs = true }, { "replace", from = "a", to = "bb" }, "delete_punctuation", "clean",
      "cjk_spaces", { "prepend", text = "_" }, "collapse", "strip", "fold" }
    local source = table.concat(texts.written, " "):gsub("%z", "")
    local expected = normalized(steps, source)
    helper.leak_check(function()
      local failed = 0
      for n = 1, 400 do
        native.fail_at(n)
        local ok, result = pcall(normalized, steps, source)
        native.fail_at(0)
        if ok then
          assert.are.equal(expected, result)
          break
        end
        assert.is_truthy(result:find("out of memory", 1, true), result)
        failed = n
      end
      assert.is_true(failed > 30 and failed < 400)
    end)
  end)
end)
