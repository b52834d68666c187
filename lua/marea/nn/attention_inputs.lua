--- What the attention layers share: reading queries, values and keys with their masks.
-- @module marea.nn.attention_inputs
local ops = require "marea.ops"

local inputs = {}

inputs.call_options = { use_causal_mask = true, return_attention_scores = true }

local function named(self, list)
  if #list < 2 or #list > 3 then
    self:fail("takes a list { query, value } or { query, value, key }, got %d", #list)
  end
  return { query = list[1], value = list[2], key = list[3] or list[2] }
end

local function shape_text(shape)
  return "(" .. table.concat(shape, ", ") .. ")"
end

--- The shapes of a list of shapes or of tensors, by name; batch and time are checked against each
-- other (-1: unknown).
function inputs.shapes(self, list)
  if ops.is_tensor(list) or math.type(list[1]) then
    self:fail("takes a list { query, value } or { query, value, key }, got one tensor")
  end
  local shapes = named(self, list)
  for name, shape in pairs(shapes) do
    if ops.is_tensor(shape) then shapes[name] = shape:shape() end
    if #shapes[name] ~= 3 then
      self:fail("%s is %s, expected (batch, time, features)", name, shape_text(shapes[name]))
    end
  end
  local query, value, key = shapes.query, shapes.value, shapes.key
  if query[1] ~= value[1] or value[1] ~= key[1] or value[2] ~= key[2] then
    self:fail("query is %s, value %s, key %s; they share the batch, values and keys the time too",
      shape_text(query), shape_text(value), shape_text(key))
  end
  return shapes
end

--- { query, value, key, query_mask, value_mask } of a call, checked.
function inputs.read(self, list, call)
  inputs.shapes(self, list)
  local read = named(self, list)
  for _, x in ipairs(list) do self:expect(x, 3) end
  local masks = call.mask or {}
  read.query_mask, read.value_mask = masks[1], masks[2]
  if masks[3] then
    read.value_mask = read.value_mask and ops.mul(read.value_mask, masks[3]) or masks[3]
  end
  return read
end

--- y (B, T, …) with zeros at hidden steps.
function inputs.hide(y, mask)
  if not mask then return y end
  return ops.mul(y, mask:reshape({ mask:size(1), mask:size(2), 1 }))
end

--- The query's mask goes on.
function inputs.compute_mask(_, _, masks)
  return masks and masks[1] or nil
end

--- (B, Q, features of the values).
function inputs.output_shape(_, shapes)
  return { shapes[1][1], shapes[1][2], shapes[2][3] }
end

return inputs
