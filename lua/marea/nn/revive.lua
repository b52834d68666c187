--- Turns { class_name, config } of a saved option back into an object, by the option's name.
local function revive(name, value)
  local room
  if name:match("initializer$") then room = require "marea.nn.initializers"
  elseif name:match("regularizer$") then room = require "marea.nn.regularizers"
  elseif name:match("constraint$") then room = require "marea.nn.constraints"
  else return require("marea.nn.registry").deserialize(value) end
  return room.deserialize(value)
end

return revive
