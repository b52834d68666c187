--- The options of a script: pairs of `--name value` behind its name.
--
--     local options = dofile(folder .. "arguments.lua"){ words = 10000, data = "" }
--
-- @tparam table defaults name → default value; where it is a number, the option takes whole numbers
-- @treturn table name → value; what stands without a name before it is a list from 1 on
-- @raise for an option that does not exist, one without a value, a number that is none
return function(defaults)
  local options, i = {}, 1
  for name, value in pairs(defaults) do options[name] = value end
  while arg[i] do
    local name = arg[i]:match("^%-%-([%a-]+)$")
    if not name then
      options[#options + 1] = arg[i]
      i = i + 1
    else
      local default, value = defaults[name], arg[i + 1]
      if default == nil or not value then
        error("unknown option or missing value: " .. arg[i] .. " (see the top of the script)", 0)
      end
      if type(default) == "number" then
        value = math.tointeger(tonumber(value)) or error(arg[i] .. " must be a whole number", 0)
      end
      options[name] = value
      i = i + 2
    end
  end
  return options
end
