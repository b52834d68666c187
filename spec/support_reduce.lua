-- What the specs of reductions share.
local marea = require "marea"

local support = {}

--- The points of scripts/fixtures/reduce.py.
function support.points(n, d)
  local rows = {}
  for i = 1, n do
    rows[i] = {}
    for j = 1, d do
      local value = math.sin(i * j * 0.7) * (d - j + 1) + math.cos(i * 0.3)
      rows[i][j] = tonumber(("%.6f"):format(value))
    end
  end
  return marea.tensor(rows)
end

--- Well separated groups: points (n, d) and the group of each.
function support.groups(n, d, count)
  local stream = require "marea.native".new_stream(11, 1)
  local noise = stream:normal{ n, d }:totable()
  local group = {}
  for i = 1, n do
    group[i] = (i - 1) % count
    noise[i][group[i] % d + 1] = noise[i][group[i] % d + 1] + 20
  end
  return marea.tensor(noise), group
end

--- Runs f with the first, second, third … allocation failing until it succeeds; every failure must
-- be an error about memory.
function support.exhaust(native, f)
  for n = 1, 10000 do
    native.fail_at(n)
    local ok, message = pcall(f)
    native.fail_at(0)
    if ok then return n end
    assert(tostring(message):find("memory", 1, true), message)
  end
  error("never succeeded")
end

return support
