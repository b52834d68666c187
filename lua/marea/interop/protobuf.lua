--- Writing protocol buffers (protobuf.dev, "Encoding"), as far as ONNX files need them.
--
-- A message is the concatenation of its fields; every function gives the bytes of one field, and ""
-- for nil.
-- @module marea.interop.protobuf
local protobuf = {}

local VARINT <const>, FIXED32 <const>, BYTES <const> = 0, 5, 2

-- Seven bits a byte, the lowest first; negative numbers as their 64 bits.
local function varint(n)
  local parts = {}
  while n > 127 or n < 0 do
    parts[#parts + 1] = string.char(n & 127 | 128)
    n = n >> 7
  end
  parts[#parts + 1] = string.char(n)
  return table.concat(parts)
end

local function tag(field, kind)
  return varint(field << 3 | kind)
end

--- A whole number.
function protobuf.int(field, n)
  return n and tag(field, VARINT) .. varint(n) or ""
end

--- A float.
function protobuf.float(field, x)
  return x and tag(field, FIXED32) .. ("<f"):pack(x) or ""
end

--- A string, bytes or a message that is written already.
function protobuf.bytes(field, s)
  return s and tag(field, BYTES) .. varint(#s) .. s or ""
end

--- One field for each item of a list.
function protobuf.each(write, field, list)
  local parts = {}
  for i, item in ipairs(list) do parts[i] = write(field, item) end
  return table.concat(parts)
end

return protobuf
