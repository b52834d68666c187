--- JSON: whole numbers stay whole, doubles exact.
-- @module marea.json
local native = require "marea.native"

local json = {}

--- Value → text; keys in alphabetical order.
-- @function encode
json.encode = native.json_encode

--- Text → value, or nil and a message. null becomes nil.
-- @function decode
json.decode = native.json_decode

--- Marks a table as a list, so that an empty one is written as [].
function json.array(t)
  return setmetatable(t, { __json_array = true })
end

return json
