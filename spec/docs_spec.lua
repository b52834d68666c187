-- What is public is documented: the name stands in a doc comment of its room's file.
local marea = require "marea"
local native = require "marea.native"

local root = assert(package.searchpath("marea", package.path)):match("^(.*)init%.lua$")

-- The doc comments of a file, and the line that follows each (which names what it is about).
local function documented(path)
  local file = assert(io.open(root .. path))
  local parts, inside = {}, false
  for line in file:lines() do
    if line:find("^%s*%-%-%-") then inside = true end
    if inside then parts[#parts + 1] = line end
    if inside and not line:find("^%s*%-%-") then inside = false end
  end
  file:close()
  return table.concat(parts, "\n")
end

local function check(path, names)
  local text, missing = documented(path), {}
  for name in pairs(names) do
    if not text:find("%f[%w_]" .. name .. "%f[^%w_]") then missing[#missing + 1] = name end
  end
  table.sort(missing)
  assert.are.equal("", table.concat(missing, " "), "without a doc comment in " .. path)
end

local function functions_of(t)
  local names = {}
  for name, value in pairs(t) do
    if type(value) == "function" or type(value) == "table" then names[name] = true end
  end
  return names
end

describe("the documentation names", function()
  it("every method of tensors", function()
    check("tensor.lua", native.tensor_metatable.methods)
  end)

  for room, path in pairs{ losses = "losses.lua", metrics = "metrics/init.lua", optim = "optim.lua",
    callbacks = "callbacks.lua", sequence = "sequence.lua" } do
    it("everything in " .. room, function()
      check(path, functions_of(marea[room]))
    end)
  end

  for _, room in ipairs{ "initializers", "regularizers", "constraints" } do
    it("everything in nn." .. room, function()
      check("nn/" .. room .. ".lua", functions_of(marea.nn[room]))
    end)
  end

  for _, room in ipairs{ "pytorch", "keras", "onnx" } do
    it("everything in interop." .. room, function()
      check("interop/" .. room .. ".lua", functions_of(marea.interop[room]))
    end)
  end

  it("everything in marea itself", function()
    check("init.lua", { tensor = true, zeros = true, ones = true, full = true, arange = true,
      rand = true, randn = true, manual_seed = true, threads = true, tape = true, no_grad = true,
      gradcheck = true, load = true, clock = true, memory = true, concat = true, stack = true,
      where = true, Sequential = true, Model = true, Input = true })
  end)
end)
