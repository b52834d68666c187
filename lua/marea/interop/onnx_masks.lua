--- Masks in ONNX graphs.
--
-- ONNX's recurrent operators know one thing: a length for each row, from its beginning. A mask that
-- hides steps at the end is that. For any other the visible steps are gathered at the beginning in
-- their order, and the outputs put back where they belong; hidden steps then repeat the output
-- before them, or are zero, as in Marea.
--
-- A mask is { value = name of (B, T) floats of 0 and 1, post = true if it only hides ends }; what
-- follows from it is computed once.
-- @module marea.interop.onnx_masks
local masks = {}

--- A mask from a (B, T) value of booleans.
function masks.from(g, visible, post)
  return { value = g:cast(visible, "float"), post = post }
end

local function once(mask, field, make)
  mask[field] = mask[field] or make()
  return mask[field]
end

--- The mask as (B, T, 1) floats.
function masks.columns(g, mask)
  return once(mask, "columns", function() return g:unsqueeze(mask.value, -1) end)
end

--- The mask as booleans, (B, T, 1).
function masks.visible(g, mask)
  return once(mask, "visible", function()
    return g:node("Greater", { masks.columns(g, mask), g:scalar(0) })
  end)
end

--- How many steps of each row are visible, (B, 1) int64.
function masks.counts(g, mask)
  return once(mask, "counts", function()
    return g:reduce("ReduceSum", g:cast(mask.value, "int64"), { 1 }, true)
  end)
end

--- Whether a row has a visible step: (B, 1) booleans.
function masks.some(g, mask)
  return once(mask, "some", function()
    return g:node("Greater", { masks.counts(g, mask), g:ints(0) })
  end)
end

--- 1 for rows with a visible step, else 0: (B, 1) floats.
function masks.any(g, mask)
  return once(mask, "any_step", function() return g:cast(masks.some(g, mask), "float") end)
end

-- Operators want at least one step; what comes of it is hidden afterwards.
local function lengths_column(g, mask)
  return once(mask, "column", function()
    return g:node("Max", { masks.counts(g, mask), g:ints(1) })
  end)
end

--- sequence_lens: (B) int32.
function masks.lengths(g, mask)
  return once(mask, "lengths", function()
    local flat = g:node("Squeeze", { lengths_column(g, mask), g:ints{ 1 } })
    return g:cast(flat, "int32")
  end)
end

-- Rows of steps by number: x (B, T, D), places (B, T) → (B, T, D).
local function pick(g, x, places)
  return g:node("GatherND", { x, g:unsqueeze(places, -1) }, { batch_dims = 1 })
end

-- The numbers of the visible steps in their order, then those of the hidden ones: (B, T) int64. The
-- keys to sort by are the steps' numbers, for hidden ones larger by a number above all of them.
local function order(g, mask)
  return once(mask, "order", function()
    local whole = g:cast(mask.value, "int64")
    local ones = g:node("Add", { g:node("Mul", { whole, g:ints(0) }), g:ints(1) })
    local steps = g:node("CumSum", { ones, g:ints(1) })
    local hidden = g:node("Sub", { ones, whole })
    local keys = g:node("Add", { steps, g:node("Mul", { hidden, g:ints(1 << 40) }) })
    local size = g:node("Slice", { g:node("Shape", { mask.value }), g:ints{ 1 }, g:ints{ 2 } })
    local outputs = { g:name("TopK_keys"), g:name("TopK_places") }
    g:node("TopK", { keys, size }, { axis = 1, largest = 0, sorted = 1 }, outputs)
    return outputs[2]
  end)
end

--- x (B, T, D) with the visible steps of each row at its beginning.
function masks.gather(g, mask, x)
  if mask.post then return x end
  return pick(g, x, order(g, mask))
end

-- Where a step's output lies among the gathered ones, and whether there is one yet.
local function places(g, mask, backwards)
  local whole = g:cast(mask.value, "int64")
  local sum = g:node("CumSum", { whole, g:ints(1) })
  if backwards then
    local place = g:node("Sub", { sum, whole })
    return place, g:node("Less", { place, masks.counts(g, mask) })
  end
  return g:node("Sub", { sum, g:ints(1) }), g:node("Greater", { sum, g:ints(0) })
end

--- The opposite of `gather` for outputs (B, T, u): hidden steps repeat the output of the visible
-- step before them (behind them if it runs backwards), or are zero.
function masks.spread(g, mask, y, backwards, zeros)
  local place, there = places(g, mask, backwards)
  local last = g:node("Sub", { lengths_column(g, mask), g:ints(1) })
  place = g:node("Max", { g:node("Min", { place, last }), g:ints(0) })
  local seen = zeros and masks.columns(g, mask) or g:unsqueeze(g:cast(there, "float"), -1)
  return g:node("Mul", { pick(g, y, place), seen })
end

return masks
