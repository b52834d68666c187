--- Layers by class name: what a saved architecture is turned back into layers with.
-- Nothing from a file is executed: a name that is not registered here is an error.
-- @module marea.nn.registry
local registry = {}

local classes = {}
local loaders = {}
local origins = {} -- name of a class of the library → the file that it was made in

-- Whether the class is the library's own one of that name; it may have other names, too.
local function is_own(class, name)
  return class ~= nil and class.builtin and class.class_name == name
end

-- The file that is being loaded, as its main chunk names it.
local function running_file()
  local level, info = 2, debug.getinfo(2, "S")
  while info and info.what ~= "main" do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  return info and info.source or "?"
end

--- Registers a class under its name. A class of one's own must be registered (which
-- `nn.Layer:extend` does) before a model that holds it is loaded; doing so again replaces it.
-- @tparam table class
-- @tparam[opt] string name default: class.class_name
-- @treturn table the class
-- @raise when the name belongs to a layer of the library, or when the library has two of that name
function registry.add(class, name)
  name = name or class.class_name
  if type(name) ~= "string" or not name:match("^[%a_][%w_]*$") then
    error(("a layer class needs a name of letters, digits and _, got %q"):format(tostring(name)), 0)
  end
  local known, own = classes[name], is_own(class, name)
  if (is_own(known, name) or loaders[name]) and not own then
    error(("%s is a layer of the library; give your class another name"):format(name), 0)
  end
  local origin = own and known ~= class and running_file() or nil
  if origin and known and origins[name] ~= origin then -- and not its own file, loaded again
    error(("the name %s of a layer of the library is taken by another class; give one of them another "
      .. "name"):format(name), 0)
  end
  classes[name] = class
  origins[name] = origin or origins[name]
  return class
end

--- Tells which module defines a built-in class, which is then loaded when it is asked for.
-- @raise when another module has a class of that name
function registry.lazy(name, module)
  if loaders[name] and loaders[name] ~= module then
    error(("the layer %s cannot be in %s: the name is taken by a class of %s"):format(name, module,
      loaders[name]), 0)
  end
  loaders[name] = module
end

--- The class of that name, or nil.
function registry.find(name)
  require "marea.nn" -- where the library's own classes are listed
  if classes[name] == nil and loaders[name] then require(loaders[name]) end
  return classes[name]
end

--- The library's own class names, sorted.
function registry.builtin_names()
  local names = {}
  for name in pairs(loaders) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function snake_case(name)
  return (name:gsub("(%l)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2"):lower())
end

local counters = {}

--- A name for the next layer of a class: dense, dense_1, dense_2 …
function registry.next_name(class_name)
  local base = snake_case(class_name)
  local n = counters[base] or 0
  counters[base] = n + 1
  return n == 0 and base or base .. "_" .. n
end

--- Starts the automatic names from the beginning.
function registry.reset_names()
  counters = {}
end

--- A layer as a table for JSON: { class_name, config }.
function registry.serialize(layer)
  return { class_name = layer.class_name, config = layer:get_config() }
end

--- The layer that such a table describes.
-- @raise for an unknown class or a malformed description
function registry.deserialize(description)
  if type(description) ~= "table" or type(description.class_name) ~= "string"
    or type(description.config) ~= "table" then
    error("a layer's description must hold class_name and config", 0)
  end
  local class = registry.find(description.class_name)
  if not class then
    error(("layer class %q is not known here; define it with nn.Layer:extend(%q, …) before loading")
      :format(description.class_name, description.class_name), 0)
  end
  return class:from_config(description.config)
end

local is_loading = false

--- Whether an architecture is being read from a file, whose weights come after it: models with a
-- declared shape do not build themselves then.
function registry.loading()
  return is_loading
end

--- The layer that a file describes, with nothing built.
-- @raise as registry.deserialize
function registry.load(description)
  local before = is_loading
  local _ <close> = setmetatable({}, { __close = function() is_loading = before end })
  is_loading = true
  return registry.deserialize(description)
end

return registry
