--- Layers that merge a list of inputs: Add, Subtract, Multiply, Average, Maximum, Minimum,
-- Concatenate, Dot. `nn.Add{}{ a, b }`.
--
-- Masks as in Keras: a step of the output is visible where it is visible in any of the inputs, and
-- everywhere when one of them has no mask. Unlike there, an input without a time axis does not count.
-- @module marea.nn.merging
local Layer = require "marea.nn.layer"
local masks = require "marea.nn.masks"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

local merging = {}

-- At least two shapes, whether from a build or of tensors.
local function check_count(layer, count, wanted)
  if wanted and count ~= wanted or count < 2 then
    layer:fail("takes a list of %s, got %s", wanted and wanted .. " inputs" or "two inputs or more",
      count == 1 and "one input" or count)
  end
end

local function build(layer, shape)
  if type(shape[1]) ~= "table" then check_count(layer, 1, layer.wanted) end
  check_count(layer, #shape, layer.wanted)
end

local function shapes_of(list)
  local shapes = {}
  for i, x in ipairs(list) do shapes[i] = x:shape() end
  return shapes
end

local function shapes_text(shapes)
  local texts = {}
  for i, shape in ipairs(shapes) do texts[i] = weights.shape_text(shape) end
  return table.concat(texts, ", ")
end

-- Checks what every merge needs: a list, reals, one batch.
local function check_list(layer, list)
  if ops.is_tensor(list) then check_count(layer, 1, layer.wanted) end
  check_count(layer, #list, layer.wanted)
  for i, x in ipairs(list) do
    if x:dtype() == "int32" then layer:fail("input %d holds int32 ids, expected real numbers", i) end
    if x:size(1) ~= list[1]:size(1) then
      layer:fail("the inputs are %s: their batches differ", shapes_text(shapes_of(list)))
    end
  end
end

-- Inputs of fewer axes get axes of size 1 after the batch, as in Keras.
local function align(layer, list)
  check_list(layer, list)
  local rank = 0
  for _, x in ipairs(list) do rank = math.max(rank, #x:shape()) end
  local aligned = {}
  for i, x in ipairs(list) do
    local shape = x:shape()
    while #shape < rank do table.insert(shape, 2, 1) end
    aligned[i] = #x:shape() < rank and x:reshape(shape) or x
  end
  for axis = 2, rank do
    local size = 1
    for _, x in ipairs(aligned) do
      local own = x:size(axis)
      if own ~= 1 and size ~= 1 and own ~= size then
        layer:fail("the inputs are %s: axis %d does not fit", shapes_text(shapes_of(list)), axis)
      end
      if own ~= 1 then size = own end
    end
  end
  return aligned
end

local function any_mask(_, x, mask)
  return masks.any(x, mask)
end

local function elementwise(name, merge, definition)
  local class = { builtin = true, masking = "pass", takes_list = true, build = build,
    compute_mask = any_mask }
  function class:call(list)
    local aligned = align(self, list)
    local y = aligned[1]
    for i = 2, #aligned do y = merge(y, aligned[i]) end
    return self.finish and self.finish(y, #aligned) or y
  end
  for key, value in pairs(definition or {}) do class[key] = value end
  merging[name] = Layer:extend(name, class)
end

--- a + b + …; axes of size 1 are repeated. @function Add
elementwise("Add", ops.add)
--- a - b, of two inputs. @function Subtract
elementwise("Subtract", ops.sub, { wanted = 2 })
--- a b …, element by element. @function Multiply
elementwise("Multiply", ops.mul)
--- (a + b + …)/n. @function Average
elementwise("Average", ops.add, { finish = function(y, count) return y / count end })
--- The largest of each element. @function Maximum
elementwise("Maximum", ops.maximum)
--- The smallest of each element. @function Minimum
elementwise("Minimum", ops.minimum)

-- An axis as it is given (from 1, or from -1 backwards) within a rank.
local function axis_of(layer, name, axis, rank)
  local result = axis < 0 and rank + 1 + axis or axis
  if result < 2 or result > rank then
    layer:fail("%s %d is not an axis after the batch of %d axes", name, axis, rank)
  end
  return result
end

local function read_axis(layer, name, axis)
  local whole = type(axis) == "number" and math.tointeger(axis)
  if not whole or whole == 0 or whole == 1 then
    layer:fail("%s must be a whole number from 2 (the first axis after the batch) or negative, got %s",
      name, options.show(axis))
  end
  return whole
end

--- The inputs one after the other along `axis` (-1, the last; 2 is the first after the batch). Along
-- the time axis of sequences (2) their masks are joined too.
-- @usage nn.Concatenate{}{ forwards, backwards }
local Concatenate = Layer:extend("Concatenate", {
  builtin = true, masking = "pass", takes_list = true, build = build,
  positional = { "axis" },
  options = { axis = -1 },
})
merging.Concatenate = Concatenate

function Concatenate:init()
  self.axis = read_axis(self, "axis", self.axis)
end

function Concatenate:call(list)
  check_list(self, list)
  local shapes = shapes_of(list)
  local axis = axis_of(self, "axis", self.axis, #shapes[1])
  for _, shape in ipairs(shapes) do
    local fits = #shape == #shapes[1]
    for i = 1, #shapes[1] do fits = fits and (i == axis or shape[i] == shapes[1][i]) end
    if not fits then
      self:fail("the inputs are %s: all axes but %d must agree", shapes_text(shapes), axis)
    end
  end
  return ops.concat(list, axis)
end

function Concatenate:compute_mask(list, mask)
  if not mask then return nil end
  local rank = #list[1]:shape()
  if rank < 3 or axis_of(self, "axis", self.axis, rank) ~= 2 then return masks.any(list, mask) end
  local parts = {}
  for i, x in ipairs(list) do parts[i] = mask[i] or ops.ones({ x:size(1), x:size(2) }) end
  return ops.concat(parts, 2)
end

--- Sums over products along an axis of each of two inputs: (B, …, n) and (B, n, …) to (B, …, …). `axes`
-- is one axis for both or { first, second }, from 2 or negative; `normalize` divides by the lengths
-- first, which gives cosines. Two inputs (B, n) give (B, 1).
--
-- Masks: steps that are summed over count as zeros where they are hidden. A time axis that stays as
-- the second axis of the output hands its mask on; a mask that has no place in the output is refused.
-- @usage nn.Dot{ axes = 3 }{ queries, keys }                  -- (B,T,D), (B,S,D) → (B,T,S)
local Dot = Layer:extend("Dot", {
  builtin = true, masking = "pass", takes_list = true, build = build, wanted = 2,
  positional = { "axes" },
  options = { axes = options.required, normalize = false },
})
merging.Dot = Dot

function Dot:init()
  local axes = self.axes
  if type(axes) == "number" then axes = { axes, axes } end
  if type(axes) ~= "table" or #axes ~= 2 then
    self:fail("axes must be one axis or { first, second }, got %s", options.show(self.axes))
  end
  self.axes = { read_axis(self, "axes", axes[1]), read_axis(self, "axes", axes[2]) }
  options.boolean("Dot", "normalize", self.normalize)
end

-- The axes of both inputs that are summed over.
local function contracted(self, a, b)
  return axis_of(self, "axes", self.axes[1], #a:shape()), axis_of(self, "axes", self.axes[2], #b:shape())
end

-- Moves an axis to a place, the others in order.
local function move_axis(x, from, to)
  if from == to then return x end
  local order = {}
  for axis = 1, #x:shape() do
    if axis ~= from then order[#order + 1] = axis end
  end
  table.insert(order, to, from)
  return x:permute(table.unpack(order))
end

local function unit(x, axis)
  local squares = ops.sum(ops.square(x), axis, true)
  return x / ops.sqrt(ops.maximum(squares, 1e-12))
end

-- Whether the mask of an input hides what is summed over, stays as the output's second axis, or is lost.
local function fate(place, axis, other_rank)
  if axis == 2 then return "summed" end
  if place == 1 or other_rank == 2 then return "stays" end
  return "lost"
end

local function hide(self, x, axis, mask, place, other)
  if not mask then return x end
  local what = fate(place, axis, #other:shape())
  if what == "lost" then
    self:fail("cannot respect the mask of input 2, whose time axis is not the second axis of the "
      .. "output; exchange the inputs, or mask the scores yourself")
  end
  if what == "stays" then return x end
  local shape = { mask:size(1), mask:size(2) }
  while #shape < #x:shape() do shape[#shape + 1] = 1 end
  return ops.mul(x, mask:reshape(shape))
end

-- (B, …, n) as (B, rows, n), and the sizes of the rows.
local function flatten(x)
  local shape = x:shape()
  local rest = table.move(shape, 2, #shape - 1, 1, {})
  local rows = 1
  for _, size in ipairs(rest) do rows = rows * size end
  return x:reshape{ shape[1], rows, shape[#shape] }, rest
end

function Dot:call(list, call)
  check_list(self, list)
  local a, b = list[1], list[2]
  local i, k = contracted(self, a, b)
  if a:size(i) ~= b:size(k) then
    self:fail("the inputs are %s: axis %d of the first must be as long as axis %d of the second",
      shapes_text(shapes_of(list)), i, k)
  end
  local mask = call.mask or {}
  a, b = hide(self, a, i, mask[1], 1, b), hide(self, b, k, mask[2], 2, a)
  if self.normalize then a, b = unit(a, i), unit(b, k) end
  local left, rows = flatten(move_axis(a, i, #a:shape()))
  local right, columns = flatten(move_axis(b, k, #b:shape()))
  local sizes = { a:size(1) }
  table.move(rows, 1, #rows, 2, sizes)
  table.move(columns, 1, #columns, #sizes + 1, sizes)
  if #sizes == 1 then sizes[2] = 1 end
  return ops.matmul(left, right:transpose(2, 3)):reshape(sizes)
end

function Dot:compute_mask(list, mask)
  if not mask then return nil end
  local i, k = contracted(self, list[1], list[2])
  local first, second = mask[1], mask[2]
  if first and fate(1, i, #list[2]:shape()) ~= "stays" then first = nil end
  if second and fate(2, k, #list[1]:shape()) ~= "stays" then second = nil end
  return first or second
end

return merging
