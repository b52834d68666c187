--- Whether targets are what the loss can take: before training, with the place of the first that is
-- not.
-- @module marea.model.targets
local ops = require "marea.ops"
local parts = require "marea.model.parts"

local targets = {}

local CHUNK <const> = 4096 -- rows looked at together, which bounds the memory

local function place_text(index, shape, first)
  local place = {}
  index = index - 1
  for axis = #shape, 1, -1 do
    place[axis] = index % shape[axis] + 1
    index = index // shape[axis]
  end
  local text = ("sample %d"):format(first + place[1] - 1)
  if #shape > 1 and shape[2] > 1 then text = text .. (", step %d"):format(place[2]) end
  return text
end

-- The first element for which `wrong(chunk)` is not 0, as its value and place; nil when there is none.
local function first_wrong(y, wrong)
  for first = 1, y:size(1), CHUNK do
    local rows = math.min(CHUNK, y:size(1) - first + 1)
    local part = ops.as_real(y:narrow(1, first, rows))
    local flags = wrong(part)
    if ops.max(flags):item() > 0 then
      local index = math.tointeger(flags:reshape{ -1 }:argmax():item())
      local value = part:reshape{ -1 }:get(index)
      return math.tointeger(value) or value, place_text(index, part:shape(), first)
    end
  end
end

-- The cast knows no place; it is looked for once it has failed.
local function check_whole(who, y)
  if pcall(ops.cast, y, "int32") then return end
  local shape = y:shape()
  for index, value in ipairs(y:reshape{ -1 }:totable()) do
    if not math.tointeger(value) then
      error(("%s: y holds %s at %s, expected class ids"):format(who, value,
        place_text(index, shape, 1)), 0)
    end
  end
end

local function check_classes(who, y, classes, ignored)
  local value, place = first_wrong(y, function(part)
    local wrong = ops.less(part, 0) + ops.greater(part, classes - 1)
    if ignored then wrong = wrong * ops.not_equal(part, ignored) end
    return wrong
  end)
  if value then
    error(("%s: y holds class %s at %s, the output has %d classes: allowed are 0 to %d"):format(who,
      value, place, classes, classes - 1), 0)
  end
  if y:dtype() ~= "int32" then check_whole(who, y) end
end

local function check_share(who, y, loss)
  local value, place = first_wrong(y, function(part)
    return ops.less(part, 0) + ops.greater(part, 1)
  end)
  if value then
    error(("%s: y holds %s at %s, %s allows 0 to 1"):format(who, value, place, loss), 0)
  end
end

--- Raises unless the targets of a set are in the range that the model's losses allow.
function targets.check(who, model, set)
  local shapes = model:head_shapes()
  for i, head in ipairs(model.heads) do
    local name, y = head.loss and head.loss.name, parts.get(set.y, set.outputs, i)
    local place = set.outputs > 1 and ("%s: output %q"):format(who, head.name) or who
    if not y then name = nil end
    if name == "sparse_categorical_crossentropy" then
      check_classes(place, y, shapes[i][#shapes[i]], head.loss.config.ignore_class)
    elseif name == "binary_crossentropy" or name == "categorical_crossentropy" then
      check_share(place, y, name)
    end
  end
end

return targets
