--- The interactive interpreter: type Lua, see results.
-- @module marea.repl
local marea = require "marea"
local native = require "marea.native"

local repl = {}

local HELP <const> = [[
Type Lua. The value of an expression is shown; a statement that is not finished is continued on
the next line. Tab completes names, the arrow keys bring back earlier lines, Ctrl-C stops a
computation, Ctrl-D leaves.

  x = marea.tensor{ { 1, 2 }, { 3, 4 } }      x:matmul(x)      x:shape()
  layer = nn.LSTM{ 8 }                        layer(marea.randn{ 2, 5, 3 })
  marea.manual_seed(1)    marea.threads(2)    marea.memory()

At hand: marea and its parts nn, optim, losses, metrics, text, sequence, corpora.]]

-- Showing values --------------------------------------------------------------------------------

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return ({ ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" })[c]
      or ("\\%d"):format(c:byte())
  end) .. '"'
end

local function key_order(a, b)
  if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
  return type(a) < type(b)
end

local LONGEST <const>, DEEPEST <const> = 20, 3

local show

local function show_table(t, depth)
  local parts, keys, n = {}, {}, #t
  for i = 1, math.min(n, LONGEST) do parts[i] = show(t[i], depth + 1) end
  if n > LONGEST then parts[#parts + 1] = ("… %d more"):format(n - LONGEST) end
  for key in pairs(t) do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then keys[#keys + 1] = key end
  end
  table.sort(keys, key_order)
  for i, key in ipairs(keys) do
    if i > LONGEST then
      parts[#parts + 1] = ("… %d more"):format(#keys - LONGEST)
      break
    end
    local name = type(key) == "string" and key:match("^[%a_][%w_]*$") and key
      or "[" .. show(key, DEEPEST) .. "]"
    parts[#parts + 1] = name .. " = " .. show(t[key], depth + 1)
  end
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

--- A value as the REPL shows it.
function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then return depth > 0 and quoted(value) or value end
  if type(value) == "table" and not (getmetatable(value) or {}).__tostring then
    return depth >= DEEPEST and "{ … }" or show_table(value, depth)
  end
  return tostring(value)
end
repl.show = show

-- Reading ---------------------------------------------------------------------------------------

-- A chunk from what was typed so far: as an expression if that makes sense, else as statements.
-- Returns the chunk, or nil and a message; `true` as third value asks for another line.
local function compile(text)
  local expression = text:gsub("^%s*=", "")
  local chunk = load("return " .. expression, "=input")
  if chunk then return chunk end
  local message
  chunk, message = load(text, "=input")
  return chunk, message, message ~= nil and message:find("<eof>", 1, true) ~= nil
end

local function traceback(message)
  if type(message) ~= "string" then return show(message) end
  return message
end

local function print_values(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local ok, text = pcall(show, (select(i, ...)))
    parts[i] = ok and text or "<cannot be shown: " .. tostring(text) .. ">"
  end
  if #parts > 0 then print(table.concat(parts, "\t")) end
end

--- Runs what was typed; prints its values or its error.
-- @tparam function chunk
-- @tparam[opt=xpcall] function run how to call it
-- @treturn boolean whether it ran without an error
function repl.evaluate(chunk, run)
  local ok, message = (run or xpcall)(function() print_values(chunk()) end, traceback)
  if not ok then print("error: " .. tostring(message)) end
  return ok
end

-- Completion ------------------------------------------------------------------------------------

local function names_of(value)
  local names, seen = {}, {}
  local function add(t)
    for key in pairs(type(t) == "table" and t or {}) do
      if type(key) == "string" and not seen[key] then
        seen[key] = true
        names[#names + 1] = key
      end
    end
  end
  if type(value) == "table" then add(value) end
  local meta = getmetatable(value)
  for _ = 1, 10 do
    if type(meta) ~= "table" then break end
    add(meta.methods)
    for _, later in ipairs(type(meta.lazy) == "table" and meta.lazy or {}) do add(later) end
    add(meta.__index)
    if type(meta.__index) ~= "table" then break end
    meta = getmetatable(meta.__index)
  end
  return names
end

--- Words that can follow the text before the cursor.
function repl.complete(text)
  local path, separator, start = text:match("^(.-)([.:]?)([%w_]*)$")
  local value = _ENV
  if separator ~= "" then
    for name in path:gmatch("[%w_]+") do
      local ok, field = pcall(function() return value[name] end)
      if not ok or field == nil then return {} end
      value = field
    end
  elseif path ~= "" then
    return {}
  end
  local words = {}
  for _, name in ipairs(names_of(value)) do
    if name:sub(1, #start) == start then words[#words + 1] = path .. separator .. name end
  end
  table.sort(words)
  return words
end

-- The loop --------------------------------------------------------------------------------------

local function history_path()
  local home = os.getenv("XDG_STATE_HOME")
    or (os.getenv("HOME") and os.getenv("HOME") .. "/.local/state")
  return home and home .. "/marea/history"
end

local function prepare()
  _G.marea = marea
  for _, name in ipairs{ "nn", "optim", "losses", "metrics", "text", "sequence", "corpora" } do
    if _G[name] == nil then
      local ok, part = pcall(function() return marea[name] end)
      if ok then _G[name] = part end
    end
  end
  _G.help = function() print(HELP) end
end

-- One statement, which may take several lines. Returns its text (nil: end of input; false: Ctrl-C),
-- and the chunk or nil and a message.
local function read_chunk(line)
  local text = line.read("> ")
  if not text then return text end
  while true do
    local chunk, message, unfinished = compile(text)
    if not unfinished then return text, chunk, message end
    local more = line.read(">> ")
    if more == false then return false end
    if more == nil then return text, nil, message end
    text = text .. "\n" .. more
  end
end

local function save_history(line, path)
  if not path or line.save_history(path) then return end
  local folder = path:match("^(.*)/")
  os.execute("mkdir -p '" .. folder:gsub("'", "'\\''") .. "' 2>/dev/null")
  line.save_history(path)
end

--- Reads and runs until the end of input.
function repl.run()
  local line = require "marea.line"
  local path = history_path()
  line.begin()
  prepare()
  line.complete(repl.complete)
  if path then line.load_history(path) end
  print(("%s (%s, %s), %s; help() explains, Ctrl-D leaves"):format(marea._VERSION,
    native.precision, native.isa, _VERSION))
  while true do
    local text, chunk, message = read_chunk(line)
    if text == nil then break end
    if text and text:match("%S") then line.remember((text:gsub("\n", " "))) end
    if chunk then
      repl.evaluate(chunk, line.run)
    elseif text == false then
      print()
    elseif text:match("%S") then
      print("error: " .. message)
    end
  end
  print()
  save_history(line, path)
end

return repl
