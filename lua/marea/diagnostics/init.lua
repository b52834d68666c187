--- What goes on inside a recurrent network: gradients through time, gates, what clipping does.
--
--     local diagnostics = marea.diagnostics
--     local report = diagnostics.gradients(model, x, y)
--     print(report)                                   -- norms of a few time steps and all weights
--     print(marea.plot.curves(report.steps.lstm, { log_y = true }))
--     print(diagnostics.gates(model, x))              -- saturation, half-life of the forget gate
-- @module marea.diagnostics
local places = {
  gradients = "marea.diagnostics.gradients",
  gates = "marea.diagnostics.gates",
}

return setmetatable({}, {
  __index = function(room, name)
    if not places[name] then return nil end
    local value = require(places[name])
    rawset(room, name, value)
    return value
  end,
})
