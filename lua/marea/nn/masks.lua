--- Masks of a layer's call: (B,T) tensors of 0 and 1, or lengths, checked.
--
-- A mask travels with the tensor that a layer gave, so that `gru(embedding(ids))` knows what is padding;
-- operations on the tensor (`h * 2`) give one without a mask.
-- @module marea.nn.masks
local ops = require "marea.ops"
local options = require "marea.nn.options"

local masks = {}

local carried = setmetatable({}, { __mode = "k" }) -- a layer's output → its mask
local sound = setmetatable({}, { __mode = "k" }) -- masks that hold 0 and 1 alone

--- The mask that travels with a tensor, or nil.
function masks.of(x)
  return carried[x]
end

--- Lets a mask travel with the outputs of a layer: with the first, or a list with all.
function masks.carry(outputs, mask)
  if type(mask) ~= "table" then mask = { mask } end
  for i, y in ipairs(outputs) do
    if i > 1 and not mask[i] then break end
    carried[y] = mask[i]
    if mask[i] then sound[mask[i]] = true end
  end
end

local function check_values(layer, mask)
  if sound[mask] then return end
  local values = ops.as_real(mask)
  local wrong = 1 - ops.equal(values, 0) - ops.equal(values, 1)
  if wrong:count() > 0 and wrong:max():item() ~= 0 then
    local place = wrong:reshape({ -1 }):argmax():item() - 1
    layer:fail("the mask holds %g at sample %d, step %d; expected 0 (hidden) or 1 (visible)",
      values:reshape({ -1 }):get(place + 1), place // mask:size(2) + 1, place % mask:size(2) + 1)
  end
  sound[mask] = true
end

local function of_lengths(layer, x, lengths)
  lengths = ops.tensor(lengths, { dtype = "int32" })
  local shape, given = x:shape(), lengths:shape()
  if #given ~= 1 or given[1] ~= shape[1] then
    layer:fail("lengths must hold one number for each of %d samples, got %s", shape[1],
      #given == 0 and "a single one" or tostring(given[1]))
  end
  lengths = ops.as_real(lengths)
  if lengths:count() > 0 then
    local least, most = lengths:min():item(), lengths:max():item()
    if least < 0 or most > shape[2] then
      layer:fail("lengths hold %d, allowed are 0 to %d (the time axis)", least < 0 and least or most,
        shape[2])
    end
  end
  local steps = ops.arange(0, shape[2] - 1):reshape({ 1, shape[2] })
  return ops.less(steps, lengths:reshape({ shape[1], 1 }))
end

-- The mask of one input.
local function read_one(layer, x, mask, lengths)
  if lengths ~= nil then
    if mask ~= nil then layer:fail("give mask or lengths, not both") end
    mask = of_lengths(layer, x, lengths)
  elseif mask == nil then
    mask = carried[x]
  end
  if not mask then return nil end
  if layer.masking == "refuse" then
    layer:fail("cannot respect the mask of its input; %s", layer.mask_hint)
  end
  if type(mask) == "table" then mask = ops.tensor(mask) end
  if not ops.is_tensor(mask) then
    layer:fail("the mask must be a (batch, time) tensor of 0 and 1, got %s", options.show(mask))
  end
  local shape, wanted = mask:shape(), x:shape()
  if #shape ~= 2 or shape[1] ~= wanted[1] or shape[2] ~= (wanted[2] or 0) then
    layer:fail("the mask is (%s), expected (batch %d, time %s)", table.concat(shape, ", "),
      wanted[1], wanted[2] or "?")
  end
  check_values(layer, mask)
  return mask
end

--- The mask of a call, or nil.
-- @tparam Layer layer for messages and for what it does with masks
-- @tparam tensor|{tensor,...} x
-- @tparam table given `mask` (false: none, even where one travels with x) or `lengths`; lists, maybe
-- with gaps, when x is a list
-- @treturn tensor|table|nil a list by the place of the input when x is a list
function masks.read(layer, x, given)
  local mask, lengths = given.mask, given.lengths
  if type(x) ~= "table" or getmetatable(x) then return read_one(layer, x, mask, lengths) end
  if mask == false then return nil end
  for name, value in pairs{ mask = mask, lengths = lengths } do
    if type(value) ~= "table" then
      layer:fail("%s must be a list, one for each of %d inputs, got %s", name, #x, options.show(value))
    end
  end
  local list, any = {}, false
  for i, item in ipairs(x) do
    list[i] = read_one(layer, item, mask and mask[i], lengths and lengths[i])
    any = any or list[i] ~= nil
  end
  return any and list or nil
end

--- The mask of inputs that are merged step by step: a step is visible where it is in any of them, and
-- everywhere (nil) when one has no mask; Keras's rule. Inputs without a time axis beside others that
-- have one, such as (B, D) added to (B, T, D), do not count.
-- @tparam {tensor,...} x
-- @tparam table|nil list masks by place, maybe with gaps
-- @treturn tensor|nil
function masks.any(x, list)
  if not list then return nil end
  local rank, result = 0, nil
  for _, item in ipairs(x) do rank = math.max(rank, #item:shape()) end
  for i, item in ipairs(x) do
    if #item:shape() == rank then
      if not list[i] then return nil end
      result = result and ops.maximum(result, list[i]) or list[i]
    end
  end
  return result
end

return masks
