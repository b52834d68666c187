--- Where the loaders look for their files.
-- @module marea.corpora.files
local native = require "marea.native"

local files = {}

--- The folder with the data that the project ships: beside the sources, or installed.
function files.own_folder()
  local source = debug.getinfo(1, "S").source
  if source:match("^@lua/marea/corpora/[^/]*$") then return "corpora" end -- a relative LUA_PATH
  local here = source:match("^@(.*)/lua/marea/corpora/[^/]*$")
  if here then return here .. "/corpora" end
  local installed = source:match("^@(.*)/lua/5%.4/marea/corpora/[^/]*$")
  return installed and installed .. "/marea/corpora"
end

--- The folder that was given, or that of the variable MAREA_DATA.
-- @return nil and a message when there is neither
function files.folder(who, dir)
  dir = dir or os.getenv("MAREA_DATA")
  if dir == nil or dir == "" then
    return nil, who .. ": there is no folder: give dir = …, or set the variable MAREA_DATA"
  end
  if type(dir) ~= "string" then
    error(("%s: dir must be the path of a folder, got a %s"):format(who, type(dir)), 0)
  end
  return dir
end

--- The first file that exists of `names`, each as it stands or with .gz, in the folder `dir` itself
-- or in one of its sub-folders `sets`.
-- @tparam string dir
-- @tparam {string,...} sets
-- @tparam {string,...}|string names
-- @return its path, or nil and why the first one cannot be read
function files.find(dir, sets, names)
  local message
  if type(names) == "string" then names = { names } end
  for _, place in ipairs{ dir, table.unpack(sets) } do
    local folder = place == dir and dir or dir .. "/" .. place
    for _, name in ipairs(names) do
      for _, ending in ipairs{ ".gz", "" } do
        local path = folder .. "/" .. name .. ending
        local file, why = io.open(path, "rb")
        if file then
          local _, unreadable = file:read(0) -- a folder can be opened, but not read
          file:close()
          if not unreadable then return path end
        end
        message = message or why
      end
    end
  end
  return nil, message
end

--- The first of the folders dir/name that exists, or nil.
function files.find_folder(dir, names)
  for _, name in ipairs(names) do
    local path = name == "." and dir or dir .. "/" .. name
    if native.folder(path) then return path end
  end
end

return files
