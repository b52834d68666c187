--- Several inputs or outputs: lists in order, or tables by name.
-- @module marea.model.parts
local options = require "marea.nn.options"

local parts = {}

local function quoted(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = ("%q"):format(name) end
  return table.concat(list, ", ")
end

local function check_names(who, what, names, given)
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for key in pairs(given) do
    if type(key) == "string" and not known[key] then
      error(("%s: %s has no %q; there are %s"):format(who, what, key, quoted(names)), 0)
    end
  end
end

-- Whether a table holds nothing but values by name.
local function by_name(given)
  if type(given) ~= "table" or getmetatable(given) or next(given) == nil then return false end
  for key in pairs(given) do
    if type(key) ~= "string" then return false end
  end
  return true
end

parts.by_name = by_name

--- What was given for inputs or outputs, as a list by place.
-- @tparam string who for messages
-- @tparam string what "x", "y", "sample_weight" …
-- @tparam {string,...} names of the inputs or outputs
-- @tparam any given with one name the value itself, or a table by name; with several a list or a
-- table by name
-- @tparam[opt] boolean gaps whether values may be missing
-- @treturn table
function parts.list(who, what, names, given, gaps)
  if given == nil then return {} end
  if by_name(given) then
    check_names(who, what, names, given)
    local list = {}
    for i, name in ipairs(names) do
      list[i] = given[name]
      if list[i] == nil and not gaps then
        error(("%s: %s lacks %q"):format(who, what, name), 0)
      end
    end
    return list
  end
  if #names == 1 then return { given } end
  if type(given) ~= "table" or getmetatable(given) or not gaps and #given ~= #names then
    error(("%s: %s must be a list of %d or a table by name (%s), got %s"):format(who, what, #names,
      quoted(names), type(given) == "table" and not getmetatable(given)
        and ("a list of %d"):format(#given) or options.show(given)), 0)
  end
  local list = {}
  for i in ipairs(names) do list[i] = given[i] or nil end
  return list
end

--- Applies f to a value or, where there are several, to each of `count`, gaps left out.
function parts.each(value, count, f)
  if value == nil then return nil end
  if (count or 1) == 1 then return f(value) end
  local list = {}
  for i = 1, count do
    if value[i] ~= nil then list[i] = f(value[i]) end
  end
  return list
end

--- Value number `i` of `count`; with one, the value itself.
function parts.get(value, count, i)
  if (count or 1) == 1 or value == nil then return value end
  return value[i]
end

return parts
