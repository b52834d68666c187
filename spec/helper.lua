-- What the specs share.
local assert = require "luassert"
local native = require "marea.native"
local say = require "say"

local helper = {}

helper.double = native.precision == "double"

-- Reference numbers have 9 decimals; a float computation agrees to about 1e-6.
helper.tolerance = helper.double and 2e-9 or 2e-6

local function flatten(value, list)
  list = list or {}
  if type(value) == "table" then
    for _, item in ipairs(value) do flatten(item, list) end
  else
    list[#list + 1] = value
  end
  return list
end

-- assert.near_all(expected, tensor or table [, tolerance]): element by element, any nesting.
local function near_all(state, arguments)
  local expected, actual, tolerance = arguments[1], arguments[2], arguments[3] or helper.tolerance
  local want = flatten(native.is_tensor(expected) and expected:totable() or expected)
  local got = flatten(native.is_tensor(actual) and actual:totable() or actual)
  if #want ~= #got then
    state.failure_message = ("%d elements expected, %d came"):format(#want, #got)
    return false
  end
  for i = 1, #want do
    local apart = math.abs(want[i] - got[i])
    if apart ~= apart or apart > tolerance then
      state.failure_message = ("element %d: expected %.10g, got %.10g"):format(i, want[i], got[i])
      return false
    end
  end
  return true
end

say:set("assertion.near_all.positive", "%s")
assert:register("assertion", "near_all", near_all, "assertion.near_all.positive")

-- assert.fails(part, f, …): f raises an error whose text holds the part.
local function fails(state, arguments)
  local part, f = arguments[1], arguments[2]
  local ok, message = pcall(f, table.unpack(arguments, 3, arguments.n))
  if ok then
    state.failure_message = "an error was expected with the text: " .. part
    return false
  end
  if not tostring(message):find(part, 1, true) then
    state.failure_message = ("expected an error with %q, got: %s"):format(part, tostring(message))
    return false
  end
  return true
end
assert:register("assertion", "fails", fails, "assertion.near_all.positive")

-- Bytes outside Lua after all garbage is gone.
function helper.bytes()
  collectgarbage()
  collectgarbage()
  return (native.memory())
end

-- Runs f and checks that it leaves nothing behind.
function helper.leak_check(f)
  local before = helper.bytes()
  f()
  assert.are.equal(before, helper.bytes())
end

-- Our own interpreter, when it is what runs the specs, or nil.
for i = 0, -9, -1 do
  if arg and arg[i] and arg[i]:match("marea[^/]*$") then helper.program = arg[i] end
end

-- Where the real data sets are, or nil; specs that need them are pending without.
function helper.data_folder()
  for _, folder in ipairs{ os.getenv("MAREA_DATA") or "", "../shared/data" } do
    local file = io.open(folder .. "/SHA256SUMS")
    if file then
      file:close()
      return folder
    end
  end
end

--- f succeeds when no memory is missing; with the first, second … allocation failing it raises an error
-- that says so, and leaves nothing behind.
function helper.survives_failures(f, least, most)
  f()
  helper.leak_check(function()
    local failures = 0
    for n = 1, 1000 do
      native.fail_at(n)
      local ok, message = pcall(f)
      native.fail_at(0)
      if ok then break end
      failures = failures + 1
      assert.is_truthy(tostring(message):find("memory", 1, true), message)
    end
    assert.is_true(failures > (least or 20) and failures < (most or 1000))
    collectgarbage()
  end)
end

return helper
