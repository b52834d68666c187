--- Lua functions that saved models may name.
-- @module marea.nn.functions
local options = require "marea.nn.options"

local functions = {}

local by_name, names = {}, {}

--- Registers a function under a name, so that a model that uses it can be saved; whoever loads the
-- file must have registered it too.
-- @tparam string name
-- @tparam function f
-- @tparam[opt=1] integer version raise it when f gives other results: files remember it
function functions.register(name, f, version)
  if type(name) ~= "string" or name == "" then
    error("register_function: name must be a string, got " .. options.show(name), 0)
  end
  if type(f) ~= "function" then
    error("register_function: expected a function, got " .. options.show(f), 0)
  end
  by_name[name] = { f = f, version = options.integer("register_function", "version", version or 1) }
  names[f] = name
end

--- The function of a name and its version.
-- @tparam string who for messages
-- @tparam string name
-- @tparam[opt] integer version that is needed
-- @raise when there is none, or another version of it
function functions.find(who, name, version)
  local known = by_name[name]
  if not known then
    error(("%s: no function %q is registered; call nn.register_function(%q, f) first"):format(who, name,
      name), 0)
  end
  if version and version ~= known.version then
    error(("%s: the function %q is registered with version %d, version %s is needed"):format(who, name,
      known.version, version), 0)
  end
  return known.f, known.version
end

--- The name that a function is registered under, or nil.
function functions.name_of(f)
  return names[f]
end

return functions
