--- Layers as ONNX nodes: a function for each class.
--
-- `layers.CLASS(g, layer, x, refuse, states, call)` takes the values that go in (and initial
-- states, and options of the call) and gives a list of those that come out. A value is { value = its
-- name in the graph, mask = a mask of onnx_masks or nil }; x is a list of them for layers that take
-- lists. `refuse(layer, message, …)` raises.
-- @module marea.interop.onnx_layers
local activations = require "marea.interop.onnx_activations"
local masks = require "marea.interop.onnx_masks"
local recurrent = require "marea.interop.onnx_recurrent"

local layers = {}

local function activate(g, layer, y, refuse)
  local result = activations.node(g, layer.activation, y)
  if not result then
    refuse(layer, "its activation, a %s, is none of the library's by name",
      type(layer.activation))
  end
  return result
end

local function weight(g, layer, name)
  return g:once(layer[name], function() return g:floats(name, layer[name]) end)
end

local function affine(g, layer, x)
  local y = g:node("MatMul", { x, weight(g, layer, "kernel") })
  return layer.bias and g:node("Add", { y, weight(g, layer, "bias") }) or y
end

-- Through and with the mask ---------------------------------------------------------------------

local function same(_, _, x)
  return { x }
end

for _, name in ipairs{ "Input", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout",
  "AlphaDropout" } do
  layers[name] = same -- only training knows them
end

function layers.Dense(g, layer, x, refuse)
  return { { value = activate(g, layer, affine(g, layer, x.value), refuse), mask = x.mask } }
end

-- With the table of the Embedding, turned.
function layers.TiedDense(g, layer, x, refuse)
  local words = g:once(layer:partner().embeddings, function()
    return g:floats("embeddings", layer:partner().embeddings)
  end)
  local y = g:node("MatMul", { x.value, g:transpose(words, 1, 0) })
  if layer.bias then y = g:node("Add", { y, weight(g, layer, "bias") }) end
  return { { value = activate(g, layer, y, refuse), mask = x.mask } }
end

function layers.Activation(g, layer, x, refuse)
  return { { value = activate(g, layer, x.value, refuse), mask = x.mask } }
end

function layers.Embedding(g, layer, x)
  local mask = x.mask
  if layer.mask_zero then
    local seen = g:node("Not", { g:node("Equal", { x.value, g:ints(0) }) })
    local own = masks.from(g, seen, g.post)
    mask = mask and { value = g:node("Mul", { own.value, mask.value }), post = g.post } or own
  end
  return { { value = g:node("Gather", { weight(g, layer, "embeddings"), x.value }), mask = mask } }
end

function layers.Masking(g, layer, x)
  local other = g:node("Not", { g:node("Equal", { x.value, g:scalar(layer.mask_value) }) })
  local mask = { value = g:reduce("ReduceMax", g:cast(other, "float"), { 2 }), post = g.post }
  if x.mask then mask.value = g:node("Mul", { mask.value, x.mask.value }) end
  return { { value = g:node("Mul", { x.value, masks.columns(g, mask) }), mask = mask } }
end

function layers.LayerNormalization(g, layer, x)
  local size = { layer.features }
  local function part(name, value)
    if layer[name] then return weight(g, layer, name) end
    local list = {}
    for i = 1, layer.features do list[i] = value end
    return g:floats(name, list, size)
  end
  local y = g:node("LayerNormalization", { x.value, part("gamma", 1), part("beta", 0) },
    { axis = -1, epsilon = layer.epsilon + 0.0 })
  return { { value = y, mask = x.mask } }
end

function layers.RMSNormalization(g, layer, x)
  local square = g:node("Mul", { x.value, x.value })
  local power = g:node("Add", { g:reduce("ReduceMean", square, { -1 }, true),
    g:scalar(layer.epsilon) })
  local y = g:node("Div", { x.value, g:node("Sqrt", { power }) })
  return { { value = g:node("Mul", { y, weight(g, layer, "gamma") }), mask = x.mask } }
end

-- The moving averages make it one multiplication and one addition for each feature.
function layers.BatchNormalization(g, layer, x)
  local factor, shift = {}, {}
  local mean, variance = layer.moving_mean:totable(), layer.moving_variance:totable()
  local gamma, beta = layer.gamma and layer.gamma:totable(), layer.beta and layer.beta:totable()
  for i = 1, layer.features do
    factor[i] = (gamma and gamma[i] or 1) / math.sqrt(variance[i] + layer.epsilon)
    shift[i] = (beta and beta[i] or 0) - mean[i] * factor[i]
  end
  local y = g:node("Mul", { x.value, g:floats("factor", factor, { layer.features }) })
  y = g:node("Add", { y, g:floats("shift", shift, { layer.features }) })
  return { { value = y, mask = x.mask } }
end

-- Moving numbers --------------------------------------------------------------------------------

function layers.Flatten(g, _, x)
  return { { value = g:node("Flatten", { x.value }, { axis = 1 }) } }
end

function layers.Reshape(g, layer, x)
  local shape = g:ints{ 0, table.unpack(layer.target_shape) }
  return { { value = g:node("Reshape", { x.value, shape }) } }
end

function layers.Permute(g, layer, x)
  return { { value = g:transpose(x.value, 0, table.unpack(layer.dims)) } }
end

-- f on the value and on the mask, which has the time as its axis 1 too.
local function along_time(x, f, post)
  local mask = x.mask and { value = f(x.mask.value, 2), post = post }
  return { { value = f(x.value, 3), mask = mask } }
end

function layers.Cropping1D(g, layer, x)
  local last = layer.cropping[2] == 0 and math.maxinteger or -layer.cropping[2]
  return along_time(x, function(value)
    return g:node("Slice", { value, g:ints{ layer.cropping[1] }, g:ints{ last }, g:ints{ 1 } })
  end, x.mask and x.mask.post)
end

function layers.ZeroPadding1D(g, layer, x)
  local before, behind = layer.padding[1], layer.padding[2]
  return along_time(x, function(value, axes)
    local pads = axes == 3 and { 0, before, 0, 0, behind, 0 } or { 0, before, 0, behind }
    return g:node("Pad", { value, g:ints(pads) })
  end, x.mask and x.mask.post and before == 0)
end

-- (B, T, …) → (B, T, size, …) → (B, size T, …)
function layers.UpSampling1D(g, layer, x)
  return along_time(x, function(value, axes)
    local many = g:node("Expand", { g:unsqueeze(value, 2),
      g:ints(axes == 3 and { 1, 1, layer.size, 1 } or { 1, 1, layer.size }) })
    return g:node("Reshape", { many, g:ints(axes == 3 and { 0, -1, layer.input_shape[3] }
      or { 0, -1 }) })
  end, x.mask and x.mask.post)
end

function layers.RepeatVector(g, layer, x)
  local one = g:unsqueeze(x.value, 1)
  return { { value = g:node("Expand", { one, g:ints{ 1, layer.n, 1 } }) } }
end

-- Recurrent layers ------------------------------------------------------------------------------

for _, name in ipairs{ "SimpleRNN", "GRU", "SimpleGRU", "LSTM" } do
  layers[name] = function(g, layer, x, refuse, states)
    return recurrent.layer(g, layer, x, refuse, states)
  end
end

function layers.Bidirectional(g, layer, x, refuse, states)
  return recurrent.bidirectional(g, layer, x, refuse, states)
end

-- Pooling over all steps ------------------------------------------------------------------------

function layers.GlobalAveragePooling1D(g, _, x)
  if not x.mask then return { { value = g:reduce("ReduceMean", x.value, { 1 }) } } end
  local sum = g:reduce("ReduceSum", g:node("Mul", { x.value, masks.columns(g, x.mask) }), { 1 })
  local count = g:node("Max", { masks.counts(g, x.mask), g:ints(1) })
  return { { value = g:node("Div", { sum, g:cast(count, "float") }) } }
end

local LOWEST <const> = -3.4028234663852886e38

function layers.GlobalMaxPooling1D(g, _, x)
  if not x.mask then return { { value = g:reduce("ReduceMax", x.value, { 1 }) } } end
  local visible = masks.visible(g, x.mask)
  local seen = g:node("Where", { visible, x.value, g:scalar(LOWEST) })
  local largest = g:reduce("ReduceMax", seen, { 1 })
  local some = g:node("Greater", { masks.any(g, x.mask), g:scalar(0) })
  return { { value = g:node("Where", { some, largest, g:scalar(0) }) } }
end

function layers.AttentionPooling1D(g, layer, x)
  local scores = g:node("Tanh", { affine(g, layer, x.value) })
  scores = g:node("MatMul", { scores, weight(g, layer, "context") })
  if x.mask then
    scores = g:node("Where", { masks.visible(g, x.mask), scores, g:scalar(LOWEST) })
  end
  local shares = g:node("Softmax", { scores }, { axis = 1 })
  if x.mask then shares = g:node("Mul", { shares, masks.columns(g, x.mask) }) end
  return { { value = g:reduce("ReduceSum", g:node("Mul", { x.value, shares }), { 1 }) } }
end

-- Merging ---------------------------------------------------------------------------------------

-- Visible where any input is; everywhere when one has no mask.
local function any_mask(g, list)
  local result
  for _, x in ipairs(list) do
    if not x.mask then return nil end
    result = result and { value = g:node("Max", { result.value, x.mask.value }),
      post = result.post and x.mask.post } or x.mask
  end
  return result
end

local function check_ranks(layer, refuse)
  local shapes = layer.input_shape
  for i = 2, #shapes do
    if #shapes[i] ~= #shapes[1] then
      refuse(layer, "inputs with %d and %d axes are not exported; give them the same number",
        #shapes[1], #shapes[i])
    end
  end
end

local function elementwise(op, average)
  return function(g, layer, list, refuse)
    check_ranks(layer, refuse)
    local y = list[1].value
    for i = 2, #list do y = g:node(op, { y, list[i].value }) end
    if average then y = g:node("Div", { y, g:scalar(#list) }) end
    return { { value = y, mask = any_mask(g, list) } }
  end
end

layers.Add, layers.Subtract = elementwise "Add", elementwise "Sub"
layers.Multiply, layers.Average = elementwise "Mul", elementwise("Add", true)
layers.Maximum, layers.Minimum = elementwise "Max", elementwise "Min"

function layers.Concatenate(g, layer, list, refuse)
  local names, rank = {}, #layer.input_shape[1]
  for i, x in ipairs(list) do names[i] = x.value end
  local axis = layer.axis < 0 and rank + layer.axis or layer.axis - 1
  local mask = any_mask(g, list)
  for _, x in ipairs(list) do
    if x.mask and rank > 2 and axis == 1 then
      refuse(layer, "joining masked sequences along the time is not exported")
    end
  end
  return { { value = g:node("Concat", names, { axis = axis }), mask = mask } }
end

return layers
