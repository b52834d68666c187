-- The parts of the REPL that need no terminal.
local marea = require "marea"
local repl = require "marea.repl"

describe("the REPL", function()
  it("shows values readably", function()
    assert.are.equal('{ 1, "a\\n", { b = 2 } }', repl.show{ 1, "a\n", { b = 2 } })
    assert.are.equal("ñandú", repl.show("ñandú"))
    assert.are.equal("{}", repl.show{})
    assert.are.equal(tostring(marea.ones{ 2 }), repl.show(marea.ones{ 2 }))
    local loop = {}
    loop.loop = loop
    assert.is_truthy(repl.show(loop):find("…", 1, true))
    local long = {}
    for i = 1, 1000 do long[i] = i end
    assert.is_truthy(repl.show(long):find("980 more", 1, true))
  end)

  it("completes globals, fields and methods", function()
    assert.are.same({ "string.rep" }, repl.complete("string.rep"))
    assert.are.same({}, repl.complete("nothing.at.all"))
    _G.spec_marea = marea
    local later = repl.complete("spec_marea.Seq")
    _G.spec_marea = nil
    assert.are.same({ "spec_marea.Sequential" }, later)
    _G.spec_tensor = marea.ones{ 2 }
    local words = repl.complete("spec_tensor:mat")
    _G.spec_tensor = nil
    assert.are.same({ "spec_tensor:matmul" }, words)
  end)

  it("survives errors, also those that are no text", function()
    local print_before, lines = print, {}
    _G.print = function(text) lines[#lines + 1] = text end
    local fine = repl.evaluate(function() return 1, nil, "x" end)
    local bad = repl.evaluate(function() error({ 1 }) end)
    _G.print = print_before
    assert.is_true(fine)
    assert.is_false(bad)
    assert.are.same({ "1\tnil\tx", "error: { 1 }" }, lines)
  end)
end)
