--- Windows that move along time as ONNX nodes: Conv1D, MaxPooling1D, AveragePooling1D.
--
-- ONNX has the features before the time, so values are turned on the way in and out. "same" is
-- SAME_UPPER: of an odd number of padded steps the extra one comes last, as in Keras.
-- @module marea.interop.onnx_windows
local activations = require "marea.interop.onnx_activations"
local masks = require "marea.interop.onnx_masks"
local ops = require "marea.ops"

local windows = {}

local LOWEST <const> = -3.4028234663852886e38

local function with_padding(attributes, layer, reach)
  if layer.padding == "same" then
    attributes.auto_pad = "SAME_UPPER"
  elseif layer.padding == "causal" then
    attributes.pads = { reach - 1, 0 }
  end
  return attributes
end

-- "same" with gaps between the steps of the window: the number of padded steps is known, strides
-- being 1 then.
local function conv_attributes(layer)
  local reach = (layer.kernel_size - 1) * layer.dilation_rate + 1
  local attributes = { kernel_shape = { layer.kernel_size }, strides = { layer.strides },
    dilations = { layer.dilation_rate }, group = layer.groups }
  if layer.padding == "same" and layer.strides == 1 then
    attributes.pads = { (reach - 1) // 2, reach - 1 - (reach - 1) // 2 }
    return attributes
  end
  return with_padding(attributes, layer, reach)
end

-- With "valid" an output is visible when its whole window is, otherwise when its place is.
local function conv_mask(g, layer, mask)
  if not mask then return nil end
  if layer.padding ~= "valid" then
    if layer.strides == 1 then return mask end
    return { post = mask.post, value = g:node("Slice", { mask.value, g:ints{ 0 },
      g:ints{ math.maxinteger }, g:ints{ 1 }, g:ints{ layer.strides } }) }
  end
  local ones = {}
  for i = 1, layer.kernel_size do ones[i] = 1 end
  local seen = g:node("Conv", { g:unsqueeze(mask.value, 1),
    g:floats("window", ones, { 1, 1, layer.kernel_size }) },
    { kernel_shape = { layer.kernel_size }, strides = { layer.strides },
      dilations = { layer.dilation_rate } })
  local whole = g:node("Greater", { g:node("Squeeze", { seen, g:ints{ 1 } }),
    g:scalar(layer.kernel_size - 0.5) })
  return masks.from(g, whole, mask.post)
end

--- Masked steps count as zeros.
function windows.Conv1D(g, layer, x, refuse)
  local value = x.value
  if x.mask then value = g:node("Mul", { value, masks.columns(g, x.mask) }) end
  local kernel = g:once(layer.kernel, function()
    return g:floats("W", ops.permute(layer.kernel, 3, 2, 1))
  end)
  local inputs = { g:transpose(value, 0, 2, 1), kernel }
  if layer.bias then
    inputs[3] = g:once(layer.bias, function() return g:floats("B", layer.bias) end)
  end
  local y = g:transpose(g:node("Conv", inputs, conv_attributes(layer)), 0, 2, 1)
  y = activations.node(g, layer.activation, y)
  if not y then refuse(layer, "its activation is none of the library's by name") end
  return { { value = y, mask = conv_mask(g, layer, x.mask) } }
end

local function pool_attributes(layer)
  return with_padding({ kernel_shape = { layer.pool_size }, strides = { layer.strides } }, layer)
end

-- (B, T) → (B, T'): visible where any step of the window is.
local function pooled_mask(g, layer, mask)
  local seen = g:node("MaxPool", { g:unsqueeze(mask.value, 1) }, pool_attributes(layer))
  return { value = g:node("Squeeze", { seen, g:ints{ 1 } }), post = mask.post }
end

function windows.MaxPooling1D(g, layer, x)
  local value, mask = x.value, nil
  if x.mask then
    value = g:node("Where", { masks.visible(g, x.mask), value, g:scalar(LOWEST) })
    mask = pooled_mask(g, layer, x.mask)
  end
  local y = g:node("MaxPool", { g:transpose(value, 0, 2, 1) }, pool_attributes(layer))
  y = g:transpose(y, 0, 2, 1)
  if mask then y = g:node("Where", { masks.visible(g, mask), y, g:scalar(0) }) end
  return { { value = y, mask = mask } }
end

-- With a mask the shares of visible steps cancel the number of steps in the window.
function windows.AveragePooling1D(g, layer, x)
  local function average(value)
    local y = g:node("AveragePool", { g:transpose(value, 0, 2, 1) }, pool_attributes(layer))
    return g:transpose(y, 0, 2, 1)
  end
  if not x.mask then return { { value = average(x.value) } } end
  local columns = masks.columns(g, x.mask)
  local mask = pooled_mask(g, layer, x.mask)
  local share = g:node("Max", { average(columns), g:scalar(1e-30) })
  local y = g:node("Div", { average(g:node("Mul", { x.value, columns })), share })
  return { { value = y, mask = mask } }
end

return windows
