--- Where a NaN or infinity came from.
-- @module marea.model.nonfinite
local nonfinite = {}

--- Whether a number is NaN or infinite.
function nonfinite.is(value)
  return value ~= value or value == math.huge or value == -math.huge
end

local function place_text(place)
  if #place == 0 then return "" end
  local text = (", sample %d"):format(place[1])
  if #place > 2 then text = text .. (", step %d"):format(place[2]) end
  return text
end

--- A sentence on the first operation of the tape with a NaN or infinite output.
-- @tparam tape tape
-- @tparam string what "the loss" or "the gradient"
-- @tparam number value
-- @tparam string where " in epoch 1, batch 3 of 10", or ""
function nonfinite.report(tape, what, value, where)
  local text = ("%s is %s%s"):format(what, value ~= value and "NaN" or tostring(value), where)
  local report = tape:nonfinite()
  if not report then
    return text .. "; every value of the forward pass is finite, so it arose in backward. Try "
      .. "clipping (clipnorm) or a smaller learning_rate"
  end
  local who = report.label ~= "" and ("layer %q, operation %s"):format(report.label, report.op)
    or ("operation %s"):format(report.op)
  return ("%s; it arose first in %s%s. Try clipping (clipnorm) or a smaller learning_rate"):format(
    text, who, place_text(report.place))
end

return nonfinite
