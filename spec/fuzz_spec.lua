-- Operations and methods called with whatever comes to hand: each must answer or raise an error.
-- The sanitizers' build makes this telling.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"

-- Numbers of its own, so that the calls are the same each time.
local stream

local function chance(limit)
  return stream:uniform{ 1 }:get(1) < limit
end

local function draw(n)
  return math.floor(stream:uniform{ 1 }:get(1) * n) + 1
end

-- Nothing that could really be allocated and fill the machine.
local specials = { 0, -1, 1, 2, 3, 7, 1.5, 0 / 0, math.huge, -math.huge, math.maxinteger,
  math.mininteger, 1e300, -1e-300, -2 ^ 31, 2 ^ 53, "", "abc", "¿", "\0\255", "real", "int32",
  true, false }

local function any_tensor()
  local shape = {}
  for axis = 1, draw(5) - 1 do shape[axis] = draw(4) - 1 end
  local x
  if chance(0.3) then
    x = marea.zeros(shape, { dtype = "int32" })
  else
    x = stream:uniform(shape)
    if chance(0.3) then x.requires_grad = true end
  end
  if #shape >= 2 and chance(0.3) then x = x:transpose() end
  return x
end

local function any_value(depth)
  if chance(0.45) then return any_tensor() end
  if chance(0.6) then return specials[draw(#specials)] end
  if chance(0.2) then return nil end
  if chance(0.2) then return any_tensor end
  if chance(0.1) then return native.new_stream(1, 1) end
  local list = {}
  for i = 1, draw(4) - 1 do list[i] = depth > 2 and draw(6) - 1 or any_value(depth + 1) end
  if chance(0.2) then list.dtype = "int32" end
  return list
end

local functions = {}
for _, name in ipairs{ "tensor", "zeros", "ones", "full", "tape", "concat", "stack" } do
  functions[name] = native[name]
end
for name, f in pairs(native.operations) do functions[name] = f end
for name, f in pairs(native.tensor_metatable and native.tensor_metatable.methods or {}) do
  functions[":" .. name] = f
end
local names = {}
for name in pairs(functions) do names[#names + 1] = name end
table.sort(names)

local function play(seed, calls)
  stream = native.new_stream(seed, 99)
  for _ = 1, calls do
    local arguments, count = {}, draw(5) - 1
    for i = 1, count do arguments[i] = any_value(0) end
    local tape = chance(0.3) and native.tape() or nil
    local name = names[draw(#names)]
    if name:sub(1, 1) == ":" then
      arguments[1] = any_tensor()
      count = math.max(count, 1)
    end
    local ok, y = pcall(functions[name], table.unpack(arguments, 1, count))
    if tape then
      if ok and native.is_tensor(y) then pcall(function() tape:backward(y:sum()) end) end
      if chance(0.7) then tape:close() end -- the others are lost
    end
  end
end

describe("operations with any arguments", function()
  for seed = 1, 3 do
    it("answer or raise an error, and leave nothing behind: seed " .. seed, function()
      play(seed, 10) -- what the first calls make once and keep
      helper.leak_check(function()
        play(seed, 2000)
        stream = nil
        native.tape():close()
      end)
    end)
  end
end)

describe("memory under a tape", function()
  it("outlives the tensor that a view looks into", function()
    local tape <close> = marea.tape()
    local view
    do
      local owner = marea.full({ 100, 100 }, 7)
      view = owner:transpose():narrow(1, 2, 3)
    end
    helper.bytes() -- collects the owner
    local other = marea.full({ 100, 100 }, 3)
    assert.are.equal(7, view:get(3, 100))
    assert.are.equal(3, other:get(1, 1))
    assert.are.equal(0, tape:length())
  end)

  it("outlives the handle of an outer tape", function()
    local inner, view
    do
      local outer = marea.tape() -- luacheck: ignore
      local x = marea.full({ 100, 100 }, 7) * 1
      inner = marea.tape()
      view = x:transpose()
    end
    helper.bytes()
    assert.are.equal(7, view:get(100, 1))
    inner:close()
    assert.is_false(native.tape_active())
  end)

  it("is safe from a custom operation that empties its inputs or closes its tape", function()
    local x = marea.ones{ 3 }
    x.requires_grad = true
    local tape = marea.tape()
    local inputs = { x }
    local y = tape:custom(inputs, function(a)
      inputs[1] = nil
      helper.bytes()
      return a * 2, function(dy)
        tape:close()
        helper.bytes()
        return dy * 2
      end
    end)
    tape:backward(y:sum())
    assert.near_all({ 2, 2, 2 }, x.grad)
    assert.fails("closed tape", function() return y:item() end)
    local second <close> = marea.tape()
    assert.fails("closed tape", function()
      second:custom({ x }, function(a)
        local result = a * 2
        second:close()
        return result, function(dy) return dy end
      end)
    end)
  end)

  it("a walk inside a walk leaves the outer one's gradients right", function()
    local x, w = marea.ones{ 3 }, marea.ones{ 2 }
    x.requires_grad, w.requires_grad = true, true
    local tape <close> = marea.tape()
    local y = tape:custom({ x * 3 }, function(a)
      return a * 2, function(dy)
        local inner = marea.tape()
        native.grad_enable(true)
        inner:backward((w * 5):sum())
        native.grad_enable(false)
        inner:close()
        return dy * 2
      end
    end)
    tape:backward(y:sum())
    assert.near_all({ 6, 6, 6 }, x.grad)
    assert.near_all({ 5, 5 }, w.grad)
  end)
end)
