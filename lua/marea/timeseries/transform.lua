--- What all transforms of a series' columns share.
--
-- A transform works on lists of T numbers, one for each column; rows that a difference has used up
-- are `false` at their beginning, so that places never shift. It has
--
-- - `fit(self, columns, names, first, last, before)`: learns from rows first … last alone; `before`
--   tells in messages what has been done to the columns (" (after log)"; "" for nothing);
-- - `apply(self, column, d)` → the transformed list of column number d;
-- - `invert(self, values, d, input, origin)` → what H values that follow row `origin` were before,
--   `input` being the list that `apply` was given;
-- - `lost`: rows used up at the beginning; `pointwise`: whether each value is changed by itself;
--   `anchored`: whether columns must begin where the training part began;
-- - `get_config(self)` and `from_config(config, width)` where the options and `learnt` do not tell all.
-- @module marea.timeseries.transform
local options = require "marea.nn.options"

local transform = { classes = {} }

--- A class of transforms.
-- @tparam string name
-- @tparam table declared options with their defaults
-- @tparam table positional names of the positional options
-- @tparam table learnt names of the fields that `fit` sets
function transform.class(name, declared, positional, learnt)
  local class = { class_name = name, learnt = learnt, declared = declared, lost = 0,
    pointwise = true }
  class.__index = class
  class.__name = "marea transform"
  function class.__tostring(self) return self:describe() end
  transform.classes[name] = class
  return setmetatable(class, { __call = function(_, given)
    local self = setmetatable(options.read(name, given, declared, positional), class)
    if self.init then self:init() end
    return self
  end })
end

--- A fit that learns nothing.
function transform.nothing() end

--- Raises with the column's name and the row.
function transform.refuse(who, name, row, message, ...)
  error(("%s: column %q, row %d: %s"):format(who, name, row, message:format(...)), 0)
end

--- A transform as a table for JSON.
function transform.serialize(self)
  if self.get_config then return { class_name = self.class_name, config = self:get_config() } end
  local config = {}
  for name in pairs(self.declared) do config[name] = self[name] end
  for _, name in ipairs(self.learnt) do config[name] = self[name] end
  return { class_name = self.class_name, config = config }
end

-- A list of finite numbers of a length.
local function check_learnt(class, name, list, width)
  local fine = type(list) == "table" and #list == width
  for i = 1, fine and width or 0 do
    fine = fine and type(list[i]) == "number" and list[i] - list[i] == 0
  end
  if not fine then error(("%s: %s is malformed"):format(class.class_name, name), 0) end
end

--- A transform from such a table; `width` columns.
-- @raise for an unknown class or a malformed config
function transform.deserialize(description, width)
  local class = type(description) == "table" and transform.classes[description.class_name]
  if not class or type(description.config) ~= "table" then
    error("transform " .. options.show(type(description) == "table" and description.class_name)
      .. " is unknown", 0)
  end
  if class.from_config then return class.from_config(description.config, width) end
  local given = {}
  for name in pairs(class.declared) do given[name] = description.config[name] end
  local self = class(given)
  for _, name in ipairs(class.learnt) do
    check_learnt(class, name, description.config[name], width)
    self[name] = description.config[name]
  end
  return self
end

return transform
