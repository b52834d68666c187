--- Models: making, training, loading.
-- @module marea.model
local places = { Sequential = { "marea.model.sequential" }, Model = { "marea.model.functional" },
  load = { "marea.model.checkpoint", "load" } }

return setmetatable({}, {
  __index = function(models, name)
    local place = places[name]
    if not place then return nil end
    local value = require(place[1])
    if place[2] then value = value[place[2]] end
    rawset(models, name, value)
    return value
  end,
})
