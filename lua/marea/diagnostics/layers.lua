--- Which layers can be looked into, and what arrives at each of them.
-- @module marea.diagnostics.layers
local layers = {}

-- Cells whose output is their state h, so that one tensor a step holds all that goes on.
local plain = { SimpleRNN = true, LSTM = true, GRU = true, SimpleGRU = true, MinimalGatedUnit = true }

--- Whether a layer's output at a step is its state.
function layers.is_plain(layer)
  return plain[layer.class_name] == true
end

--- The layers of a model, or the layer itself; models within it are unfolded.
function layers.of(model, list)
  list = list or {}
  for _, layer in ipairs(model.layers or { model }) do
    if layer.layers then layers.of(layer, list) else list[#list + 1] = layer end
  end
  return list
end

-- Lets `visit` answer for a layer; it sees the layer as it is without that.
local function watch(layer, visit)
  local function watching(self, x, call)
    self.call = nil
    local _ <close> = setmetatable({}, { __close = function() self.call = watching end })
    local y = visit(self, x, call.mask)
    if y ~= nil then return y end
    return self:call(x, call)
  end
  layer.call = watching
end

--- Runs the model, a row or a graph of layers, without dropout. `visit(layer, x, mask)` is asked at each
-- of its layers, and may return the layer's output in its place.
-- @treturn tensor the model's output
-- @treturn ?tensor its mask
function layers.run(model, x, call, visit)
  local watched = layers.of(model)
  local _ <close> = setmetatable({}, { __close = function()
    for _, layer in ipairs(watched) do layer.call = nil end
  end })
  for _, layer in ipairs(watched) do watch(layer, visit) end
  call.training = false
  if model.forward then return model:forward(x, call) end
  return model(x, call)
end

return layers
