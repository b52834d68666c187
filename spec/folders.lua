--- Folders with files for the specs of corpora, removed again at the end.
local folders = {}
local made = {}

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- Runs a shell command with quoted arguments.
function folders.run(command, ...)
  local parts = { command }
  for _, argument in ipairs{ ... } do parts[#parts + 1] = quoted(argument) end
  assert(os.execute(table.concat(parts, " ")))
end

--- A new folder with files: path → content.
function folders.new(files)
  local root = os.tmpname()
  os.remove(root)
  folders.run("mkdir -p --", root)
  made[#made + 1] = root
  for path, content in pairs(files) do
    local folder = path:match("^(.*)/[^/]*$")
    if folder then folders.run("mkdir -p --", root .. "/" .. folder) end
    local file = assert(io.open(root .. "/" .. path, "wb"))
    file:write(content)
    file:close()
  end
  return root
end

--- Removes every folder that was made.
function folders.clean()
  for _, root in ipairs(made) do
    if root:match("^/tmp/[^/]+$") then folders.run("rm -r --", root) end
  end
  made = {}
end

return folders
