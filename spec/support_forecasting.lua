--- What the specs of forecasting share.
local json = require "marea.json"
local marea = require "marea"

local support = {}

--- The series of scripts/fixtures/baselines.py: a wandering trend, a season of m steps, errors that
-- look random; `grows`: they multiply.
function support.series(n, m, grows)
  local y, level = {}, 50
  for t = 1, n do
    local e = math.sin(t * t * 0.37) + math.cos(t * 1.9)
    local season = math.sin(2 * math.pi * t / m)
    level = level + 0.6 + 2 * math.sin(t * t * 1.3)
    local value = grows and level * (1 + 0.25 * season) * (1 + 0.02 * e)
      or level + 12 * season + 2 * e
    y[t] = math.floor(value * 1e6 + .5) / 1e6
  end
  return y
end

function support.golden()
  local file <close> = assert(io.open("spec/golden/baselines.json"))
  return assert(json.decode(file:read("a")))
end

--- A series of the collection as a list.
function support.read(folder, name)
  return assert(marea.corpora.time_series{ name, dir = folder }).values:reshape{ -1 }:totable()
end

return support
