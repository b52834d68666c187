-- Plots: what the text ones show, that files are what they claim, that no label is ever a command.
local callbacks = require "marea.callbacks"
local gnuplot = require "marea.plot.gnuplot"
require "spec.helper" -- its assertions
local json = require "marea.json"
local labels = require "marea.plot.labels"
local marea = require "marea"

local plot = marea.plot

local function contents(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function overlap(a, b, width, height)
  return math.abs(a[1] - b[1]) < width - 1e-9 and math.abs(a[2] - b[2]) < height - 1e-9
end

describe("plot", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function()
    for _, ending in ipairs{ "", ".png", ".svg", ".html", ".x" } do os.remove(path .. ending) end
  end)

  it("places labels where they do not overlap", function()
    local stream = require "marea.native".new_stream(5, 2)
    local points = stream:uniform({ 200, 2 }, 0, 400):totable()
    for i, point in ipairs(points) do point[3] = "word" .. i end
    local placed, missing = labels.place(points, { width = function() return 40 end, height = 12,
      gap = 4, point = 4, limits = { left = 0, right = 400, bottom = 0, top = 400 } })
    local there = {}
    for i = 1, 200 do
      if placed[i] then there[#there + 1] = placed[i] end
    end
    assert.equal(200, #there + missing)
    assert.is_true(#there > 100)
    for i = 1, #there do
      assert.is_true(there[i][1] >= 20 and there[i][1] <= 380)
      for j = 1, i - 1 do assert.is_false(overlap(there[i], there[j], 40, 12)) end
    end
  end)

  it("draws points in the terminal", function()
    local text = plot.scatter({ { 0, 0 }, { 1, 1 } }, { labels = { "año", "b" }, width = 20,
      height = 5, title = "mar" })
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(8, #lines)
    assert.equal("mar", lines[1])
    assert.is_truthy(lines[2]:find("        1 │", 1, true) and lines[2]:find("b", 1, true))
    assert.is_truthy(lines[6]:find("año", 1, true))
    assert.equal(plot.scatter(marea.tensor{ { 0, 0 }, { 1, 1 } }),
      plot.scatter{ { 0, 0 }, { 1, 1 } })
    assert.is_string(plot.scatter({ { 0, 0 / 0 }, { 1 / 0, 2 } })) -- left out
    assert.is_string(plot.scatter({}))
    assert.is_string(plot.scatter({ { 3, 3 } }))
  end)

  it("draws curves, bars and histories in the terminal", function()
    local text = plot.curves({ loss = { 3, 2, 1 }, val_loss = { { 1, 3 }, { 3, 2 } } })
    assert.is_truthy(text:find("loss", 1, true) and text:find("val_loss", 1, true))
    assert.equal("uno  │████ 2\ndós  │░░ -1\ncero │ 0",
      plot.bars({ "uno", "dós", "cero" }, { 2, -1, 0 }, { width = 4 }))
    local history = callbacks.History()
    for epoch = 1, 3 do
      history:on_epoch_end(epoch, { loss = 1 / epoch, val_accuracy = epoch / 4 })
    end
    assert.is_truthy(plot.history(history):find("val_accuracy", 1, true))
    assert.fails("what model:fit returned", plot.history, {})
  end)

  it("draws zeros below all else in powers of ten, and says what it leaves out", function()
    local curves = { a = { 1e-6, 1e-3, 0, 1 }, b = { 0 / 0, 1e-2, 1 / 0, 1e-1 } }
    local text = plot.curves(curves, { log_y = true })
    assert.truthy(text:find("\n +-7 │"), text)
    assert.truthy(text:find('\n2 of the 4 values of "b" are not finite (nan at 1, the last one at 3)'
      .. "\n0 is drawn at 1e-7", 1, true), text)
    assert.truthy(plot.curves{ a = { 1, -1 / 0 } }:find('\n1 of the 2 values of "a" is not finite (-inf at 2)',
      1, true))
    assert.is_nil(plot.curves{ a = { 1, 2 } }:find("finite"))
    assert.truthy(plot.curves({ a = { 0, 0 } }, { log_y = true }):find("0 is drawn at 1e0", 1, true))
    if not gnuplot.installed() then return end
    assert.is_true(plot.curves(curves, { log_y = true, path = path .. ".svg" }))
    assert.truthy(contents(path .. ".svg"):find("0 is drawn at 1e-7", 1, true))
  end)

  it("lists neighbours", function()
    assert.equal("mar           rey\nocéano 0.900  reina    0.800\n              príncipe 0.700",
      plot.neighbours{ rey = { { "reina", 0.8 }, { "príncipe", 0.7 } },
        mar = { { word = "océano", similarity = 0.9 } } })
    assert.equal("z\na 0.500\n", plot.neighbours{ { "z", { { "a", 0.5 } } } } .. "\n")
  end)

  it("writes PNG and SVG files", function()
    if not gnuplot.installed() then return pending("gnuplot (package gnuplot-nox) is missing") end
    local points = { { 1, 2 }, { 3, 4 }, { 0 / 0, 1 } }
    assert.is_true(plot.scatter(points, { path = path .. ".png", groups = { "a", "b", "a" } }))
    assert.equal("\x89PNG", contents(path .. ".png"):sub(1, 4))
    assert.is_true(plot.curves({ loss = { 3, 2 } }, { path = path .. ".svg", title = "ñandú" }))
    local svg = contents(path .. ".svg")
    assert.is_truthy(svg:find("<svg", 1, true) and svg:find("ñandú", 1, true))
    assert.is_true(plot.bars({ "x", "y" }, { 1, 2 }, { path = path .. ".png" }))
    assert.is_true(plot.history({ loss = { 2, 1 } }, path .. ".svg"))
    local ok, message = plot.scatter(points, { path = "/nowhere/a.png" })
    assert.is_nil(ok)
    assert.is_truthy(message:find("/nowhere/a.png", 1, true))
  end)

  it("keeps marks and digits of a text apart", function()
    if not gnuplot.installed() then return pending("gnuplot (package gnuplot-nox) is missing") end
    local title = "3.14159: 1-2, ¿10^6?"
    assert.is_true(plot.curves({ ["gain 1.5"] = { 3, 2 } }, { path = path .. ".svg", title = title,
      log_y = true }))
    local picture = contents(path .. ".svg")
    assert.is_truthy(picture:find(title, 1, true))
    assert.is_truthy(picture:find("gain 1.5", 1, true))
  end)

  it("never takes a label for a command", function()
    if not gnuplot.installed() then return pending("gnuplot (package gnuplot-nox) is missing") end
    local made = path .. ".x"
    local hostile = { "`touch " .. made .. "`", "'; system('touch " .. made .. "'); '",
      "\"; !touch " .. made, "a\n!touch " .. made .. "\n", "$(touch " .. made .. ")", "EOD\nx",
      "@x{_2}" }
    local points = {}
    for i = 1, #hostile do points[i] = { i, i * i % 5 } end
    assert.is_true(plot.scatter(points, { path = path .. ".svg", labels = hostile,
      groups = hostile, title = hostile[1], xlabel = hostile[2], ylabel = hostile[4] }))
    assert.is_true(plot.bars(hostile, { 1, 2, 3, 4, 5, 6, 7 }, { path = path .. ".png",
      title = hostile[3] }))
    assert.is_nil(io.open(made))
    assert.is_truthy(contents(path .. ".svg"):find("@x{_2}", 1, true)) -- as it is, not as markup
    local ok, message = plot.scatter(points, { path = path .. "'\n!touch " .. made .. "\n.png" })
    assert.is_nil(ok)
    assert.is_truthy(message:find("control character", 1, true))
    assert.is_nil(io.open(made))
  end)

  it("names the package when gnuplot is missing", function()
    local installed = gnuplot.installed
    gnuplot.installed = function() return false end
    local ok, message = plot.curves({ loss = { 3, 2 } }, { path = path .. ".png" })
    gnuplot.installed = installed
    assert.is_nil(ok)
    assert.is_truthy(message:find("gnuplot-nox", 1, true))
    ok, message = plot.curves({ loss = { 3, 2 } }, { path = path .. ".gif" })
    assert.is_nil(ok)
    assert.is_truthy(message:find(".png or .svg", 1, true))
  end)

  it("writes a map as one HTML file", function()
    local words = { "</script><script>alert(1)</script>", "ñ \"q\" & <b>", "%1 @DATA@" }
    assert.is_true(plot.html_map(path .. ".html", { points = marea.tensor{ { 1, 2 }, { 3, 4 },
      { 5, 6.5 } }, labels = words, groups = { "x", "y", "x" }, notes = { 1, 2, 3 },
      title = "<mar> & \"sal\" %1" }))
    local page = contents(path .. ".html")
    assert.is_nil(page:find("<script>alert", 1, true))
    assert.is_nil(page:find("https?://"))
    assert.is_truthy(page:find("<title>&lt;mar&gt; &amp; &quot;sal&quot; %1</title>", 1, true))
    local data = assert(json.decode(page:match("const data = (.-);\n")))
    assert.same(words, data.label)
    assert.same({ x = { 1, 3, 5 }, y = { 2, 4, 6.5 }, group = { 0, 1, 0 } },
      { x = data.x, y = data.y, group = data.group })
    assert.same({ "1", "2", "3" }, data.note)
    local ok, message = plot.html_map("/nowhere/m.html", { points = { { 1, 2 } },
      labels = { "a" } })
    assert.is_nil(ok)
    assert.is_truthy(message:find("/nowhere", 1, true))
  end)

  it("refuses what makes no sense", function()
    assert.fails("point 2 is no pair of numbers", plot.scatter, { { 1, 2 }, { 3 } })
    assert.fails("points must be a tensor (N, 2)", plot.scatter, 5)
    assert.fails("1 points, but 2 labels", plot.scatter, { { 1, 2 } }, { labels = { "a", "b" } })
    assert.fails("unknown option \"colour\"", plot.scatter, {}, { colour = 1 })
    assert.fails("value 2 of \"a\" is no number", plot.curves, { a = { 1, "x" } })
    assert.fails("\"a\" has no values", plot.curves, { a = {} })
    assert.fails("value 2 of \"a\" is -1; log_y draws values from 0 on", plot.curves, { a = { 1, -1 } },
      { log_y = true })
    assert.fails("nothing to draw: 2 of the 2 values of \"a\" are not finite (nan at 1, the last one at 2)",
      plot.curves, { a = { 0 / 0, 1 / 0 } })
    assert.truthy(plot.curves({ a = { 1e-3, 1e5 } }, { log_y = true }):find("-3 │", 1, true))
    assert.fails("expected { name = list", plot.curves, {})
    assert.fails("value 1 is no finite number", plot.bars, { "a" }, { 1 / 0 })
    assert.fails("a list of names and as many values", plot.bars, { "a" }, { 1, 2 })
    assert.fails("point 1 is not finite", plot.html_map, path,
      { points = { { 0 / 0, 1 } }, labels = { "a" } })
    assert.fails("labels is missing", plot.html_map, path, { points = {} })
  end)
end)
