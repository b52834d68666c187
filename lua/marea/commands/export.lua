--- marea export: a saved model for other programs, in one command.
-- @module marea.commands.export
local interop = require "marea.interop"
local marea = require "marea"

local USAGE <const> = [[
usage: marea export [options] model.safetensors output

Writes a model that model:save made for another program:

  output.onnx                       an ONNX file (onnxruntime and others run it)
  output.safetensors, output.npz    its weights, by --to
  --to pytorch|keras                names and layout of the weights
  --map OURS=THEIRS                 a layer's name on the other side; may be given several times
  --opset N (17)                    ONNX's operator set, 17 to 22
  --padding any|post (any)          post: masks only ever hide the last steps of a row
  --lengths 0|1 (0)                 1: a second input with the length of each row
]]

local function fail(message)
  io.stderr:write("marea export: ", message, "\n")
  os.exit(1, true)
end

local readers = {
  to = function(text)
    if text == "pytorch" or text == "keras" then return text end
    return fail("--to takes pytorch or keras, got " .. text)
  end,
  opset = function(text)
    return math.tointeger(tonumber(text)) or fail("--opset takes a number, got " .. text)
  end,
  padding = function(text) return text end,
  lengths = function(text)
    if text ~= "0" and text ~= "1" then fail("--lengths takes 0 or 1, got " .. text) end
    return text == "1"
  end,
}

local function read_arguments(arguments)
  local given, map, files, i = {}, {}, {}, 1
  while i <= #arguments do
    local word = arguments[i]
    local name = word:match("^%-%-(%a+)$")
    if word == "-h" or word == "--help" then
      io.stdout:write(USAGE)
      os.exit(0, true)
    elseif name == "map" or readers[name] then
      i = i + 1
      local text = arguments[i] or fail(word .. " needs a value")
      if name == "map" then
        local ours, theirs = text:match("^([^=]+)=(.*)$")
        map[ours or fail("--map takes OURS=THEIRS, got " .. text)] = theirs
      else
        given[name] = readers[name](text)
      end
    elseif word:sub(1, 1) == "-" then
      fail("unknown option " .. word .. "; --help lists them")
    else
      files[#files + 1] = word
    end
    i = i + 1
  end
  if #files ~= 2 then fail("expected a model and an output; --help explains") end
  return given, map, files[1], files[2]
end

local function write(model, output, given, map)
  if output:match("%.onnx$") then
    if given.to or next(map) then fail("--to and --map are for weights, not for an ONNX file") end
    return interop.onnx.export(model, output, given)
  end
  local room = given.to
    or fail("--to pytorch or --to keras says whose weights " .. output .. " gets")
  given.to = nil
  if next(given) then fail("--" .. next(given) .. " is for ONNX files") end
  return interop[room].save(model, output, { map = map })
end

local function main(arguments)
  local given, map, input, output = read_arguments(arguments)
  local model, message = marea.load(input)
  if not model then fail(message) end
  local ok, result
  ok, result, message = pcall(write, model, output, given, map)
  if not ok or not result then fail(ok and message or tostring(result)) end
  for _, note in ipairs(type(result) == "table" and result or {}) do io.stderr:write(note, "\n") end
end

main(arg)
