-- npz files: NumPy's own, round trips, and files that are broken.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local golden = require "spec.interop_cases".golden().numpy.files

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

describe("npz files", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function write(bytes)
    local file = assert(io.open(path, "wb"))
    file:write(bytes)
    file:close()
  end

  local function read()
    local file = assert(io.open(path, "rb"))
    local bytes = file:read("a")
    file:close()
    return bytes
  end

  local function refuse(bytes, part)
    write(bytes)
    local tensors, message = native.load_npz(path)
    assert.is_nil(tensors)
    assert.match(part, message, 1, true)
  end

  for _, name in ipairs{ "stored", "deflated" } do
    it("of NumPy, " .. name, function()
      write(bytes_of(golden[name]))
      local arrays = assert(native.load_npz(path))
      local small = { { -2.5, -1.5, -0.5 }, { 0.5, 1.5, 2.5 } }
      for _, key in ipairs{ "plain", "fortran", "half", "wide" } do
        assert.same(small, arrays[key]:totable(), key)
      end
      assert.same({ 3, -1, 7 }, arrays.ids:totable())
      assert.equal("int32", arrays.ids:dtype())
      assert.same({ 1, 0 }, arrays.flags:totable())
      assert.same({ 2, 3, 4 }, arrays.cube:shape())
      assert.equal(1 * 12 + 2 * 4 + 3, arrays.cube:get(2, 3, 4))
      assert.equal(1 * 4 + 2, arrays.cube:get(1, 2, 3))
      assert.equal(1.5, arrays.scalar:item())
      assert.same({ 0, 3 }, arrays.empty:shape())
      assert.same({ 1.25 }, arrays["a/b"]:totable())
    end)
  end

  it("keep tensors, and the same content gives the same bytes", function()
    local tensors = { k = marea.tensor{ { 1.5, -2, 3 }, { 0, 4, 1e-30 } }, s = marea.tensor(7),
      ["ñ/ids"] = marea.tensor({ 1, 2, -3 }, { dtype = "int32" }), none = marea.zeros{ 2, 0 } }
    tensors.turned = tensors.k:transpose()
    assert.is_true(native.save_npz(path, tensors))
    local first = read()
    local loaded = assert(native.load_npz(path))
    for name, tensor in pairs(tensors) do assert.is_true(tensor:same(loaded[name]), name) end
    assert.is_true(native.save_npz(path, loaded))
    assert.equal(first, read())
    assert.is_true(native.save_npz(path, {}))
    assert.same({}, native.load_npz(path))
  end)

  it("of other types are refused by name", function()
    refuse(bytes_of(golden.big), 'array "a": its numbers are big-endian')
    refuse(bytes_of(golden.complex), 'its type is "<c8", expected f2, f4, f8')
    refuse(bytes_of(golden.object), 'its type is "|O"')
  end)

  it("are refused when they are broken, at whatever byte", function()
    refuse("", "fewer than 22 bytes")
    refuse(("x"):rep(100), "the record at its end is missing")
    refuse("PK\5\6" .. ("\255"):rep(16) .. "\0\0", "is one part of several")
    local _, text = native.load_npz("/nowhere/w.npz")
    assert.match("/nowhere/w.npz", text, 1, true)
    helper.leak_check(function()
      for _, name in ipairs{ "stored", "deflated" } do
        local good = bytes_of(golden[name])
        for cut = 0, #good - 1, 7 do
          write(good:sub(1, cut))
          assert.is_nil((native.load_npz(path)))
        end
        for at = 1, #good, 3 do -- a changed byte is found, or does not matter
          write(good:sub(1, at - 1) .. string.char(good:byte(at) ~ 0x41) .. good:sub(at + 1))
          local tensors, message = native.load_npz(path)
          assert(tensors or #message > 0)
        end
      end
    end)
  end)

  -- One array with this header, in an archive of ours around it.
  local function array(header, data, name)
    local text = header .. "\n"
    local body = "\x93NUMPY\1\0" .. ("<s2"):pack(text) .. data
    name = name or "a.npy"
    local common = ("<I2I2I2I4I4I4I4I2I2"):pack(20, 0, 0, 0, 0, #body, #body, #name, 0)
    local entry = "PK\3\4" .. common .. name .. body
    local line = "PK\1\2" .. ("<I2"):pack(20) .. common .. ("<I2I2I2I4I4"):pack(0, 0, 0, 0, 0)
      .. name
    return entry .. line .. "PK\5\6" .. ("<I2I2I2I2I4I4I2"):pack(0, 0, 1, 1, #line, #entry, 0)
  end

  it("are checked by their sum", function()
    refuse(array("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "\0\0\0\0"),
      "its CRC-32 is wrong")
  end)

  it("of other forms of ZIP are refused by name", function()
    local good = array("{}", "")
    local line = good:find("PK\1\2", 1, true)
    local function with(at, bytes)
      return good:sub(1, line + at - 1) .. bytes .. good:sub(line + at + #bytes)
    end
    refuse(with(8, "\1\0"), "it is encrypted")
    refuse(with(10, "\12\0"), "its packing method is 12, expected 0 (stored) or 8 (deflated)")
    refuse(with(24, "\255\255\255\255"), "zip64")
    refuse(with(24, "\0\0\0\1"), "bytes unpacked, which its")
    refuse(with(42, "\0\0\0\1"), "it lies outside of the file")
    refuse(with(42, "\1\0\0\0"), "its header is damaged")
    refuse(with(46, "\0"), "the name of an entry is empty or holds a zero byte")
    refuse(with(46 + 2, "_"), 'entry "a._py" is no .npy array')
    refuse(with(28, "\255\255"), "its directory is cut short or damaged")
  end)

  it("raise for a programmer's mistake", function()
    assert.fails('"x" is a number, expected a tensor', native.save_npz, path, { x = 1 })
    local done, message = native.save_npz("/nowhere/w.npz", { x = marea.ones{ 1 } })
    assert.is_nil(done)
    assert.match("cannot write", message, 1, true)
  end)
end)
