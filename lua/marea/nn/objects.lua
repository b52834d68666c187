--- Small callable objects with options: initialisers, regularisers, constraints, schedules.
-- They are made from a table of options, from a name, from a saved description or from a function,
-- and describe themselves for saving.
-- @module marea.nn.objects
local options = require "marea.nn.options"

local objects = {}

local function snake_case(name)
  return (name:gsub("(%l)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2"):lower())
end

--- A family of classes.
-- @tparam string kind for messages: "initializer"
-- @tparam[opt] table aliases further names → class name
function objects.family(kind, aliases)
  return { kind = kind, classes = {}, names = {}, aliases = aliases or {} }
end

-- Only the options that were declared, so that a file gets nothing else.
local function get_config(object)
  local config = {}
  for name in pairs(getmetatable(object).declared) do
    local value = object[name]
    if type(value) == "userdata" or type(value) == "function" then
      error(("%s: %s is a %s, which a file cannot hold"):format(object.class_name, name,
        type(value)), 0)
    end
    config[name] = value
  end
  return config
end

--- Adds a class to a family.
-- @tparam table family
-- @tparam string name
-- @tparam table definition `options` with defaults, `positional` names in order, `call(self, …)`,
-- and, where needed, `init(self)` and `get_config(self)`
-- @treturn function the constructor
function objects.define(family, name, definition)
  local class = { class_name = name, declared = definition.options or {},
    get_config = definition.get_config or get_config, __call = definition.call }
  class.__index = class
  class.__tostring = function() return name end
  local function construct(given)
    local object = options.read(name, given, class.declared, definition.positional)
    setmetatable(object, class)
    if definition.init then definition.init(object) end
    return object
  end
  family.classes[name] = construct
  family.names[#family.names + 1] = name
  family.aliases[snake_case(name)] = name
  return construct
end

local function unknown(family, name)
  local names = table.move(family.names, 1, #family.names, 1, {})
  table.sort(names)
  error(("no %s is called %q; there are %s"):format(family.kind, name,
    table.concat(names, ", ")), 0)
end

--- The object that { class_name, config } describes.
-- @raise for an unknown class or a malformed description
function objects.deserialize(family, description)
  if type(description) ~= "table" or type(description.class_name) ~= "string"
    or type(description.config) ~= "table" then
    error(("the description of a %s must hold class_name and config"):format(family.kind), 0)
  end
  local construct = family.classes[description.class_name]
  if not construct then unknown(family, description.class_name) end
  return construct(description.config)
end

--- The object meant by a name, an object, a description or a function; nil for nil.
function objects.get(family, given)
  if given == nil or type(given) == "function" then return given end
  if type(given) == "string" then
    local construct = family.classes[family.aliases[given] or given]
    if not construct then unknown(family, given) end
    return construct{}
  end
  if type(given) == "table" and given.class_name and given.config then
    return objects.deserialize(family, given)
  end
  local metatable = type(given) == "table" and getmetatable(given)
  if metatable and metatable.__call then return given end
  error(("expected the name of a %s, an object or a function, got %s"):format(family.kind,
    options.show(given)), 0)
end

return objects
