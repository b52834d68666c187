-- BLEU against sacrebleu (spec/golden/bleu.json, made by scripts/fixtures/bleu.py).
local marea = require "marea"
local json = require "marea.json"
local support = require "spec.support"
local near, raises, bleu = support.near, support.raises, marea.metrics.bleu

describe("metrics.bleu", function()
  it("agrees with sacrebleu, with one reference and with two, smoothed or not", function()
    local file <close> = assert(io.open("spec/golden/bleu.json"))
    for _, case in ipairs(json.decode(file:read("a"))) do
      local score, parts = bleu(case.hypotheses, case.references, { smooth = case.smooth })
      near({ case.one, case.brevity, case.length, case.reference_length },
        { score, parts.brevity, parts.length, parts.reference_length }, 1e-9)
      local pairs_of = {}
      for i, reference in ipairs(case.references) do pairs_of[i] = { reference, case.others[i] } end
      near({ case.two }, { (bleu(case.hypotheses, pairs_of, { smooth = case.smooth })) }, 1e-9)
      if not case.smooth then near(case.precisions, parts.precisions, 1e-9) end
    end
  end)

  it("takes tokens too, and scores nothing as nothing", function()
    near({ 100 }, { (bleu({ { "ver", "la", "mar", "azul" } }, { { { "ver", "la", "mar", "azul" } } })) })
    assert.are.equal(0, (bleu({}, {})))
    assert.are.equal(0, (bleu({ "" }, { "sol y mar" })))
    assert.are.equal(0, (bleu({ "sol" }, { "sol y mar" })))
    near({ 100 * math.exp(1 - 3) }, { (bleu({ "sol" }, { "sol y mar" }, { max_order = 1 })) }, 1e-6)
  end)

  it("says what is wrong", function()
    raises(function() bleu({ "a" }, {}) end, "metrics.bleu", "1 hypotheses and 0 references")
    raises(function() bleu("a", { "a" }) end, "two lists of one length")
    raises(function() bleu({ 7 }, { "a" }) end, "hypothesis 1 is number 7")
    raises(function() bleu({ "a" }, { {} }) end, "reference 1 is")
    raises(function() bleu({ "a" }, { { 5 } }) end, "reference 1 is number 5")
    raises(function() bleu({ "a" }, { "a" }, { max_order = 0 }) end, "max_order")
    raises(function() bleu({ "a" }, { "a" }, { smoth = true }) end, "smoth")
  end)
end)
