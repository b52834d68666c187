-- Tensors and tapes as a script sees them.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"

describe("tensor", function()
  it("comes from nested lists and goes back", function()
    local x = marea.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
    assert.are.same({ 2, 3 }, x:shape())
    assert.are.same({ { 1, 2, 3 }, { 4, 5, 6 } }, x:totable())
    assert.are.equal(6, x:get(2, 3))
    assert.are.equal(4, x:get(-1, 1))
    assert.are.equal(2, #x)
    assert.are.equal(7, marea.tensor(7):item())
    assert.are.same({ 2, 0 }, marea.tensor{ {}, {} }:shape())
    local ids = marea.tensor({ 1, 2 }, { dtype = "int32" })
    assert.are.equal("integer", math.type(ids:get(1)))
  end)

  it("says which element does not fit", function()
    assert.fails("element [2][1] is a string, expected a number", marea.tensor, { { 1 }, { "a" } })
    assert.fails("list [2] has 1 items, the first one has 2", marea.tensor, { { 1, 2 }, { 3 } })
    assert.fails("element [2] is a table, expected a number", marea.tensor, { 1, { 2 } })
    assert.fails("element [2] is a number, expected a list of 1", marea.tensor, { { 1 }, 2 })
    assert.fails("element [2]: an int32 tensor holds whole numbers", marea.tensor, { 1, 0.5 },
      { dtype = "int32" })
    assert.fails("expected a number or a (nested) list", marea.tensor, "x")
    assert.fails("at most 6 axes", marea.tensor, { { { { { { { 1 } } } } } } })
    assert.fails("no tensor can have the shape", marea.zeros, { 1 << 40, 1 << 40 })
    assert.fails("out of memory", marea.zeros, { 1 << 28, 1 << 28 })
    assert.fails("index 3 of axis 1, which has 2", marea.ones{ 2 }.get, marea.ones{ 2 }, 3)
    assert.fails("expected a single element", marea.ones{ 2 }.item, marea.ones{ 2 })
    assert.fails("tensor expected, got table (make one with marea.tensor)", native.tanh, { 1 })
    assert.fails("axis 3, the tensor has axes 1 to 2", marea.ones{ 2, 2 }.sum, marea.ones{ 2, 2 }, 3)
  end)

  it("has views that share and copies that do not", function()
    local x = marea.tensor{ { 1, 2 }, { 3, 4 } }
    local view, copy = x:select(1, 2), x:clone()
    x:set(2, 1, 30)
    assert.are.same({ 30, 4 }, view:totable())
    assert.are.equal(3, copy:get(2, 1))
    assert.are.same({ { 1, 30 }, { 2, 4 } }, x:transpose():totable())
  end)

  it("is readable", function()
    assert.are.equal("[  1 2.5]  (2) " .. native.precision, tostring(marea.tensor{ 1, 2.5 }))
    assert.are.equal("[]  (0) int32", tostring(marea.tensor({}, { dtype = "int32" })))
    local large = tostring(marea.zeros{ 100, 100 })
    assert.is_true(#large < 500 and large:find("…", 1, true) ~= nil)
    assert.is_truthy(large:find("(100, 100)", 1, true))
  end)

  it("makes ranges and the same random numbers for the same seed", function()
    assert.are.same({ 1, 2, 3 }, marea.arange(1, 3):totable())
    assert.are.same({ 0, 0.5, 1 }, marea.arange(0, 1, 0.5):totable())
    marea.manual_seed(3)
    local a = marea.randn{ 4 }
    marea.manual_seed(3)
    assert.is_true(a:same(marea.randn{ 4 }))
    assert.is_false(a:same(marea.randn{ 4 }))
  end)
end)

describe("memory", function()
  it("outside Lua is freed with the tensors", function()
    helper.leak_check(function()
      for _ = 1, 50 do marea.zeros{ 100, 100 }:tanh():sum() end
    end)
  end)

  it("does not pile up while Lua's collector sleeps", function()
    local ballast = {}
    for i = 1, 1e5 do ballast[i] = { i } end
    local before = helper.bytes()
    marea.memory("reset")
    local x = marea.ones{ 250000 }
    for _ = 1, 1000 do x = x + 1 end -- 1 GB of temporaries, in float
    local peak = marea.memory().peak
    assert.is_true(peak - before < 200e6, ("from %d to %d bytes"):format(before, peak))
    assert.are.equal(1001, x:get(1))
    assert.are.equal(1e5, #ballast)
  end)
end)

describe("tape", function()
  it("gives gradients and dies with its temporaries", function()
    local x = marea.tensor{ 1, 2, 3 }
    x.requires_grad = true
    local kept
    do
      local tape <close> = marea.tape()
      kept = x * x
      tape:backward(kept:sum())
    end
    assert.are.same({ 2, 4, 6 }, x.grad:totable())
    assert.fails("tensor belongs to a closed tape", kept.shape, kept)
    assert.are.equal("tensor (its tape is closed)", tostring(kept))
    x.grad = nil
    assert.is_nil(x.grad)
  end)

  it("replaces gradients, or adds to them when asked", function()
    local x = marea.tensor{ 3 }
    x.requires_grad = true
    for i, accumulate in ipairs{ false, false, true } do
      local tape <close> = marea.tape()
      tape:backward((x * x):sum(), { accumulate = accumulate })
      assert.are.equal(i == 3 and 12 or 6, x.grad:item())
    end
  end)

  it("is closed after an error too", function()
    helper.leak_check(function()
      pcall(function()
        local tape <close> = marea.tape() -- luacheck: ignore tape
        error(marea.ones{ 10 })
      end)
      assert.is_false(native.tape_active())
    end)
  end)

  it("refuses what has no gradient", function()
    local tape <close> = marea.tape()
    assert.fails("the loss has to be one number, it is (2)", tape.backward, tape, marea.ones{ 2 })
    assert.fails("the loss was not computed on this tape", tape.backward, tape, marea.ones{ 1 })
    assert.fails("requires a gradient", tape.backward, tape, marea.ones{ 1 } + 1)
    assert.fails("int32 tensors have no gradient", function()
      marea.tensor({ 1 }, { dtype = "int32" }).requires_grad = true
    end)
  end)

  it("does not record inside no_grad, which restores after an error", function()
    local x = marea.tensor{ 1 }
    x.requires_grad = true
    local tape <close> = marea.tape() -- luacheck: ignore tape
    assert.is_false(native.no_grad(function() return (x * 2).requires_grad end))
    assert.is_false(pcall(marea.no_grad, error, "x"))
    assert.is_true((x * 2).requires_grad)
  end)

  it("finds the first NaN with layer and place", function()
    local x = marea.tensor{ { 1, 0 }, { -1, 2 } }
    x.requires_grad = true
    local tape <close> = marea.tape()
    tape:label("encoder")
    local y = x * 2
    tape:label("logs")
    y:log()
    local found = tape:nonfinite()
    assert.are.equal("log", found.op)
    assert.are.equal("logs", found.label)
    assert.are.same({ 1, 2 }, found.place)
  end)

  it("runs operations written in Lua", function()
    local function cube(tape, x)
      return tape:custom({ x }, function(v)
        return v * v * v, function(dy) return dy * v * v * 3 end
      end)
    end
    local x = marea.tensor{ 1, 2 }
    x.requires_grad = true
    do
      local tape <close> = marea.tape()
      tape:backward(cube(tape, x):sum())
    end
    assert.are.same({ 3, 12 }, x.grad:totable())
    helper.leak_check(function()
      local tape <close> = marea.tape()
      local bad = tape:custom({ x }, function(v) return v * 1, function() error("oh no", 0) end end)
      assert.fails("oh no", tape.backward, tape, bad:sum())
    end)
    local tape <close> = marea.tape()
    local short = tape:custom({ x }, function(v) return v * 1, function() return marea.ones{ 3 } end end)
    assert.fails("gradient 1 is (3), the input is (2)", tape.backward, tape, short:sum())
  end)
end)

describe("json", function()
  it("keeps whole numbers and doubles exact", function()
    local values = { 1, 2.5, 0.1, 1 / 3, 9007199254740993, -0.0, "ñ\n\"", true }
    local copy = marea.json.decode(marea.json.encode(values))
    assert.are.same(values, copy)
    assert.are.equal("integer", math.type(copy[1]))
    assert.are.equal("[]", marea.json.encode(marea.json.array{}))
    assert.are.equal("{}", marea.json.encode{})
  end)

  it("refuses what is no JSON", function()
    for _, bad in ipairs{ "", "{", "[1,]", '{"a":1,"a":2}', ("["):rep(1e5), "\xff" } do
      local value, message = marea.json.decode(bad)
      assert.is_nil(value)
      assert.is_string(message)
    end
    local loop = {}
    loop[1] = loop
    assert.fails("json:", marea.json.encode, loop)
    assert.fails("json:", marea.json.encode, { 0 / 0 })
    assert.fails("json:", marea.json.encode, { print })
  end)
end)
