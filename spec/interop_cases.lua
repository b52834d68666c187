-- What the specs of interop share: the golden numbers.
local json = require "marea.json"

local cases = {}

-- The numbers that scripts/fixtures/NAME.py made.
function cases.golden(name)
  local file = assert(io.open("spec/golden/" .. (name or "interop") .. ".json"))
  local golden = assert(json.decode(file:read("a")))
  file:close()
  return golden
end

return cases
