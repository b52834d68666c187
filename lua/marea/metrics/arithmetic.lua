--- What the metrics share: targets and predictions brought to one shape, and their weights.
-- @module marea.metrics.arithmetic
local ops = require "marea.ops"

local arithmetic = {}

function arithmetic.last_axis(x)
  return #x:shape()
end

-- Targets in the predictions' shape: (B) and (B, 1) mean the same.
function arithmetic.alike(metric, y, p)
  y, p = ops.as_real(y), ops.as_real(p)
  local shape = p:shape()
  if #shape < 2 then shape = { p:count(), 1 } end
  if table.concat(y:shape(), ",") == table.concat(p:shape(), ",") then
    return y:reshape(shape), p:reshape(shape)
  end
  if #y:shape() == #p:shape() or y:count() ~= p:count() then
    error(("metric %s: targets are (%s), predictions (%s)"):format(metric.name,
      table.concat(y:shape(), ", "), table.concat(p:shape(), ", ")), 0)
  end
  return y:reshape(shape), p:reshape(shape)
end

-- Weights for values of a shape: sample_weight times mask, repeated over the missing axes; nil when
-- there are none.
function arithmetic.weights_for(values, given)
  local product
  for _, weight in ipairs{ given and given.sample_weight or false, given and given.mask or false } do
    if weight then
      weight = ops.as_real(weight)
      local shape = weight:shape()
      while #shape > #values:shape() do shape[#shape] = nil end
      while #shape < #values:shape() do shape[#shape + 1] = 1 end
      weight = weight:reshape(shape)
      product = product and product * weight or weight
    end
  end
  return product and ops.broadcast(product, values:shape())
end

-- All places where x equals y, as 0 and 1.
function arithmetic.positive(x, threshold)
  return ops.greater(x, threshold)
end

-- Ids in the shape of the predictions without their last axis.
function arithmetic.ids_for(y, p)
  local shape = p:shape()
  shape[#shape] = nil
  return ops.as_ids(y):reshape(shape)
end

return arithmetic
