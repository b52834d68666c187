--- Options of a constructor: `Dense{ 32, activation = "tanh" }`.
-- A class declares its options with their defaults; anything else is refused with the list of what
-- exists, so that a misspelt option never goes unnoticed.
-- @module marea.nn.options
local options = {}

--- Default of an option that must be given.
options.required = setmetatable({}, { __tostring = function() return "required" end })
--- Default of an option that may be left out and is then nil.
options.optional = setmetatable({}, { __tostring = function() return "optional" end })

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

--- A value as it is shown in messages.
function options.show(value)
  if type(value) == "string" then return string.format("string %q", value) end
  if value == nil then return "nil" end
  if type(value) == "table" and not getmetatable(value) then return "a table" end
  return type(value) .. " " .. tostring(value)
end

--- Reads the argument of a constructor.
-- @tparam string who the class, for messages
-- @tparam table|nil given positional values first, then named ones; a single value that is not a
-- plain table counts as the first positional one
-- @tparam table declared option name → default, `options.required` or `options.optional`
-- @tparam[opt] table positional names of the positional values, in order
-- @treturn table option name → value
-- @raise for an unknown, missing or repeated option
function options.read(who, given, declared, positional)
  positional = positional or {}
  if given == nil then given = {} end
  if type(given) ~= "table" or getmetatable(given) then given = { given } end
  local values = {}
  for key, value in pairs(given) do
    local name = key
    if math.type(key) == "integer" then
      name = positional[key]
      if name == nil then
        error(("%s: takes %d positional value%s, got one at place %d (%s)"):format(who, #positional,
          #positional == 1 and "" or "s", key, options.show(value)), 0)
      end
      if given[name] ~= nil then
        error(("%s: %s is given twice, by place and by name"):format(who, name), 0)
      end
    elseif declared[key] == nil then
      error(("%s: unknown option %s; the options are %s"):format(who,
        type(key) == "string" and ("%q"):format(key) or options.show(key),
        table.concat(sorted_keys(declared), ", ")), 0)
    end
    values[name] = value
  end
  for name, default in pairs(declared) do
    if values[name] == nil then
      if default == options.required then
        error(("%s: %s is missing"):format(who, name), 0)
      elseif default ~= options.optional then
        values[name] = default
      end
    end
  end
  return values
end

local function refuse(who, name, expected, value)
  error(("%s: %s must be %s, got %s"):format(who, name, expected, options.show(value)), 0)
end

--- Checks that a value is a whole number of at least `low` (1) and returns it as an integer.
function options.integer(who, name, value, low)
  low = low or 1
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole or whole < low then
    refuse(who, name, low == 1 and "a positive whole number" or "a whole number of at least " .. low,
      value)
  end
  return whole
end

--- Checks that a value is a number in [low, high) and returns it.
function options.number(who, name, value, low, high)
  low, high = low or -math.huge, high or math.huge
  if type(value) ~= "number" or not (value >= low and value < high) then
    refuse(who, name, ("a number in [%g, %g)"):format(low, high), value)
  end
  return value
end

--- Checks that a value is one of the given strings and returns it.
function options.choice(who, name, value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return value end
  end
  refuse(who, name, "one of " .. table.concat(choices, ", "), value)
end

--- Checks that a value is true or false and returns it.
function options.boolean(who, name, value)
  if type(value) ~= "boolean" then refuse(who, name, "true or false", value) end
  return value
end

return options
