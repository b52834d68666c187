--- Which layers can be looked into, and what arrives at each of them.
-- @module marea.diagnostics.layers
local layers = {}

-- Cells whose output is their state h, so that one tensor a step holds all that goes on.
local plain = { SimpleRNN = true, LSTM = true, GRU = true, SimpleGRU = true, MinimalGatedUnit = true }

--- Whether a layer's output at a step is its state.
function layers.is_plain(layer)
  return plain[layer.class_name] == true
end

--- The layers of a model in a row, models within it unfolded.
function layers.in_row(model, list)
  list = list or {}
  for _, layer in ipairs(model.layers or { model }) do
    if layer.layers and layer.forward then
      layers.in_row(layer, list)
    else
      list[#list + 1] = layer
    end
  end
  return list
end

--- Runs the model layer by layer: `visit(layer, x, mask)` may return a layer's output in its place.
-- @treturn tensor the model's output
-- @treturn ?tensor its mask
function layers.run(model, x, mask, visit)
  for _, layer in ipairs(layers.in_row(model)) do
    local y = visit(layer, x, mask)
    if y == nil then y = layer(x, { mask = mask, training = false }) end
    mask = layer:compute_mask(x, mask)
    x = y
  end
  return x, mask
end

return layers
