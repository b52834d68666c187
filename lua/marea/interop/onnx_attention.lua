--- Attention layers as ONNX nodes.
-- @module marea.interop.onnx_attention
local masks = require "marea.interop.onnx_masks"

local attention = {}

--- Options of a call that are exported; a call may ask for them.
attention.call_options = { use_causal_mask = true }

local LOWEST <const> = -3.4028234663852886e38

-- Size of an axis (0-based) as a list of one.
local function size_of(g, x, axis)
  return g:node("Slice", { g:node("Shape", { x }), g:ints{ axis }, g:ints{ axis + 1 } })
end

-- 1 where a query's place is not before the key's: (Q, K).
local function causal_pairs(g, query, key)
  local shape = g:node("Concat", { size_of(g, query, 1), size_of(g, key, 1) }, { axis = 0 })
  return g:node("Trilu", { g:node("Expand", { g:scalar(1), shape }) }, { upper = 0 })
end

-- What may be seen, to be broadcast to the scores, or nil. `axes`: how many stand between batch and
-- keys.
local function visible_pairs(g, inputs, call, axes)
  local seen = call and call.use_causal_mask and causal_pairs(g, inputs[1].value, inputs[3].value)
  for i = 2, 3 do
    if inputs[i].mask and not (i == 3 and inputs[3] == inputs[2]) then
      local keys = inputs[i].mask.value
      for _ = 1, axes do keys = g:unsqueeze(keys, 1) end
      seen = seen and g:node("Mul", { seen, keys }) or keys
    end
  end
  return seen or nil
end

-- Softmax over the last axis with the weight 0 where nothing may be seen, also for whole rows.
local function softmax(g, scores, seen)
  if not seen then return g:node("Softmax", { scores }, { axis = -1 }) end
  local visible = g:node("Greater", { seen, g:scalar(0) })
  local hidden = g:node("Where", { visible, scores, g:scalar(LOWEST) })
  return g:node("Mul", { g:node("Softmax", { hidden }, { axis = -1 }), seen })
end

-- { query, value, key } of a list.
local function named(list)
  return { list[1], list[2], list[3] or list[2] }
end

local function finish(g, y, query)
  if query.mask then y = g:node("Mul", { y, masks.columns(g, query.mask) }) end
  return { { value = y, mask = query.mask } }
end

local function constant(g, layer, name)
  return g:once(layer[name], function() return g:floats(name, layer[name]) end)
end

-- tanh(q + k) for all pairs, (B, Q, K, D).
local function sums(g, query, key)
  return g:node("Tanh", { g:node("Add", { g:unsqueeze(query, 2), g:unsqueeze(key, 1) }) })
end

local function attend(g, inputs, scores, call)
  local shares = softmax(g, scores, visible_pairs(g, inputs, call, 1))
  return finish(g, g:node("MatMul", { shares, inputs[2].value }), inputs[1])
end

function attention.Attention(g, layer, list, _, _, call)
  local inputs = named(list)
  local query, key = inputs[1].value, inputs[3].value
  local function scaled(x)
    return layer.scale and g:node("Mul", { x, constant(g, layer, "scale") }) or x
  end
  if layer.score_mode == "dot" then
    local scores = scaled(g:node("MatMul", { query, g:transpose(key, 0, 2, 1) }))
    return attend(g, inputs, scores, call)
  end
  local scores = g:reduce("ReduceSum", sums(g, scaled(query), scaled(key)), { 3 })
  return attend(g, inputs,
    g:node("Mul", { scores, constant(g, layer, "concat_score_weight") }), call)
end

function attention.AdditiveAttention(g, layer, list, _, _, call)
  local inputs = named(list)
  local pairs_of = sums(g, inputs[1].value, inputs[3].value)
  if layer.scale then pairs_of = g:node("Mul", { pairs_of, constant(g, layer, "scale") }) end
  return attend(g, inputs, g:reduce("ReduceSum", pairs_of, { 3 }), call)
end

-- Several heads -----------------------------------------------------------------------------------

-- A kernel of three axes as a matrix (rows, columns), and its bias in a row.
local function affine(g, x, projection, rows, columns)
  local kernel = g:once(projection.kernel, function()
    return g:floats("kernel", projection.kernel:totable(), { rows, columns })
  end)
  local y = g:node("MatMul", { x, kernel })
  if not projection.bias then return y end
  return g:node("Add", { y, g:once(projection.bias, function()
    return g:floats("bias", projection.bias:totable(), { columns })
  end) })
end

-- (B, T, D) → (B, heads, T, width)
local function project(g, layer, name, x, width)
  local columns = layer.num_heads * width
  local y = affine(g, x.value, layer.projections[name], layer.features[name], columns)
  y = g:node("Reshape", { y, g:ints{ 0, 0, layer.num_heads, width } })
  return g:transpose(y, 0, 2, 1, 3)
end

function attention.MultiHeadAttention(g, layer, x, _, _, call)
  local inputs = named(x.value and { x, x } or x)
  local query = project(g, layer, "query", inputs[1], layer.key_dim)
  local value = project(g, layer, "value", inputs[2], layer.value_dim)
  local key = project(g, layer, "key", inputs[3], layer.key_dim)
  query = g:node("Mul", { query, g:scalar(1 / math.sqrt(layer.key_dim)) })
  local scores = g:node("MatMul", { query, g:transpose(key, 0, 1, 3, 2) })
  local shares = softmax(g, scores, visible_pairs(g, inputs, call, 2))
  local joined = g:transpose(g:node("MatMul", { shares, value }), 0, 2, 1, 3)
  local width = layer.num_heads * layer.value_dim
  joined = g:node("Reshape", { joined, g:ints{ 0, 0, width } })
  return finish(g, affine(g, joined, layer.output_projection, width, layer.out), inputs[1])
end

return attention
