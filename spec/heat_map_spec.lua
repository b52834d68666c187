-- Heat maps: the shades of the text, files, and what is refused.
local gnuplot = require "marea.plot.gnuplot"
require "spec.helper" -- its assertions
local marea = require "marea"

local heat_map = marea.plot.heat_map

describe("plot.heat_map", function()
  it("shades numbers between the least and the largest, labels above and beside", function()
    local text = heat_map({ { 0, 1, 2 }, { 3, 4, 2 } },
      { rows = { "sí", "mañana" }, columns = { "I", "you", "año" }, title = "mar" })
    assert.equal("mar\n       I  you año\nsí        ░░░ ▒▒▒\nmañana ▓▓ ███ ▒▒▒", text)
    assert.equal(heat_map{ { 0, 1 } }, heat_map(marea.tensor{ { 0, 1 } }))
  end)

  it("keeps to low and high, also where values lie outside", function()
    assert.equal("  1  2  3\n1    ▒▒ ██", heat_map({ { -5, 0.5, 7 } }, { low = 0, high = 1 }))
    assert.equal("  1  2\n1", heat_map{ { 4, 4 } }) -- no range, no shade
    assert.equal("  1  2  3\n1 ░░ ▒▒", heat_map({ { 0.2, 0.4, 0 } }, { high = 1 }))
  end)

  it("draws files, whatever the labels hold", function()
    if not gnuplot.installed() then return pending("needs gnuplot") end
    local path = os.tmpname()
    local file = path .. ".svg"
    assert.is_true(heat_map({ { 0, 1 }, { 1, 1 } }, { rows = { "\"`rm`\n", "ñ" }, columns = { "a", "b" },
      path = file }))
    local opened = assert(io.open(file))
    local text = opened:read("a")
    opened:close()
    assert.is_truthy(text:find("<svg", 1, true))
    assert.is_truthy(text:find("ñ", 1, true))
    assert.is_true(heat_map({ { 1 } }, { path = file })) -- an empty range
    local ok, message = heat_map({ { 1 } }, { path = path .. ".x" })
    assert.is_nil(ok)
    assert.is_truthy(message:find(".png or .svg", 1, true))
    os.remove(path)
    os.remove(file)
    os.remove(path .. ".x")
  end)

  it("says what is wrong", function()
    assert.fails("list of rows, got string", heat_map, "x")
    assert.fails("list of rows", heat_map, {})
    assert.fails("row 2 has 1 numbers, row 1 has 2", heat_map, { { 1, 2 }, { 1 } })
    assert.fails("row 1, column 2 is number", heat_map, { { 1, 0 / 0 } })
    assert.fails("rows must be a list of 1 texts, got 2 of them", heat_map, { { 1 } }, { rows = { "a", "b" } })
    assert.fails("columns must be a list of 2 texts, got string", heat_map, { { 1, 2 } }, { columns = "ab" })
    assert.fails("low is 2, above high, 1", heat_map, { { 1 } }, { low = 2, high = 1 })
    assert.fails("unknown option", heat_map, { { 1 } }, { colour = "red" })
  end)
end)
