--- How tensors are shown: small ones whole, large ones with their first and last parts.
-- @module marea.display
local native = require "marea.native"

local EDGE <const> = 3
local WHOLE <const> = 100 -- elements up to which everything is shown

local function number_text(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then return tostring(value) end
  return ("%.4g"):format(value)
end

-- The indices of an axis that are shown; false marks the gap.
local function visible(size, whole)
  local list = {}
  for i = 1, size do
    if whole or size <= 2 * EDGE + 1 or i <= EDGE or i > size - EDGE then
      list[#list + 1] = i
    elseif list[#list] then
      list[#list + 1] = false
    end
  end
  return list
end

local function collect(x, shape, whole, index, depth, cells)
  if depth > #shape then
    local text = number_text(x:get(table.unpack(index)))
    cells.width = math.max(cells.width, #text)
    return text
  end
  local rows = {}
  for _, i in ipairs(visible(shape[depth], whole)) do
    index[depth] = i
    rows[#rows + 1] = i and collect(x, shape, whole, index, depth + 1, cells) or false
  end
  return rows
end

local function lay_out(rows, depth, rank, width, indent)
  local parts = {}
  for i, row in ipairs(rows) do
    if not row then
      parts[i] = "…"
    elseif depth == rank then
      parts[i] = (" "):rep(width - #row) .. row
    else
      parts[i] = lay_out(row, depth + 1, rank, width, indent .. " ")
    end
  end
  if depth == rank then return "[" .. table.concat(parts, " ") .. "]" end
  return "[" .. table.concat(parts, "\n" .. indent .. " ") .. "]"
end

--- The text of a tensor: values, then shape and type.
local function tensor_text(x)
  local shape = x:shape()
  local facts = ("(%s) %s"):format(table.concat(shape, ", "), x:dtype())
  if #shape == 0 then return number_text(x:item()) .. "  " .. facts end
  if x:count() == 0 then return "[]  " .. facts end
  local cells = { width = 0 }
  local rows = collect(x, shape, x:count() <= WHOLE, {}, 1, cells)
  return lay_out(rows, 1, #shape, cells.width, "") .. "  " .. facts
end

local function protected_text(x)
  local ok, text = pcall(tensor_text, x)
  return ok and text or "tensor (its tape is closed)"
end

native.tensor_metatable.__tostring = protected_text

return { tensor_text = tensor_text }
