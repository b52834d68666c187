-- Files of tensors as scripts see them; the format itself is tested in core/test.
local marea = require "marea"
local native = require "marea.native"

describe("safetensors", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("keep tensors and texts", function()
    local tensors = { kernel = marea.tensor{ { 1.5, -2 }, { 0, 4 } },
      ["sílaba"] = marea.tensor({ 1, 2, 3 }, { dtype = "int32" }), scalar = marea.tensor(7) }
    assert.is_true(native.save_tensors(path, tensors, { config = '{"capa":"ñ"}', empty = "" }))
    local read, texts = native.load_tensors(path)
    assert.same({ config = '{"capa":"ñ"}', empty = "" }, texts)
    for name, tensor in pairs(tensors) do assert.is_true(tensor:same(read[name]), name) end
    assert.is_true(native.save_tensors(path, {}))
    read, texts = native.load_tensors(path)
    assert.same({ {}, {} }, { read, texts })
  end)

  it("give nil and a message for files that are missing or broken", function()
    local result, text = native.load_tensors("/nowhere/model.safetensors")
    assert.is_nil(result)
    assert.match("/nowhere/model.safetensors", text, 1, true)
    local file = assert(io.open(path, "wb"))
    file:write(("<I8"):pack(2), "{}x")
    file:close()
    result, text = native.load_tensors(path)
    assert.is_nil(result)
    assert.match("its tensors cover 0", text, 1, true)
    result, text = native.save_tensors("/nowhere/model.safetensors", {})
    assert.is_nil(result)
    assert.match("cannot write", text, 1, true)
  end)

  it("raise for a programmer's mistake, without a leak", function()
    local function refuse(part, ...)
      local ok, text = pcall(native.save_tensors, ...)
      assert.is_false(ok)
      assert.match(part, text, 1, true)
    end
    collectgarbage()
    local before = native.memory()
    refuse('"x" is a number, expected a tensor', path, { x = 1 })
    refuse("the name of a tensor must be a string", path, { marea.tensor(1) })
    refuse("cannot be the name", path, { __metadata__ = marea.tensor(1) })
    refuse("must be a string, got a number", path, {}, { epoch = 3 })
    refuse("zero byte", path, {}, { note = "a\0b" })
    refuse("is not UTF-8", path, {}, { note = "\xff" })
    collectgarbage()
    collectgarbage()
    assert.equal(before, native.memory())
  end)
end)
