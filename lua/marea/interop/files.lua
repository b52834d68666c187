--- Files of named tensors: safetensors and npz, told by the ending of the name.
-- @module marea.interop.files
local ops = require "marea.ops"
local options = require "marea.nn.options"

local files = {}

-- What other programs write, and how it becomes something that holds numbers alone.
local hints = {
  h5 = "in Python: numpy.savez(\"w.npz\", **{ w.path: w.numpy() for w in model.weights })",
  keras = "in Python: numpy.savez(\"w.npz\", **{ w.path: w.numpy() for w in model.weights })",
  pt = "in Python: safetensors.torch.save_file(model.state_dict(), \"w.safetensors\")",
}
hints.hdf5, hints.pth, hints.bin, hints.ckpt, hints.pkl = hints.h5, hints.pt, hints.pt, hints.pt,
  hints.pt

local function format_of(who, path, given)
  if type(path) ~= "string" then
    error(("%s: path must be a string, got %s"):format(who, options.show(path)), 0)
  end
  if given ~= nil then return options.choice(who, "format", given, { "safetensors", "npz" }) end
  local ending = (path:match("%.([%w]+)$") or ""):lower()
  if ending == "safetensors" or ending == "npz" then return ending end
  error(("%s: %q ends in neither .safetensors nor .npz%s"):format(who, path,
    hints[ending] and "; " .. hints[ending] or " (or give format)"), 0)
end

--- Reads every tensor of a file.
-- @tparam string who for messages
-- @tparam string path
-- @tparam[opt] string format "safetensors" or "npz"; default: by the path's ending
-- @treturn table|nil name → tensor, or nil and a message for a file that is missing or broken
function files.read(who, path, format)
  local load = format_of(who, path, format) == "npz" and ops.load_npz or ops.load_tensors
  local tensors, message = load(path)
  if not tensors then return nil, message end
  return tensors
end

--- Writes tensors; the file is replaced as a whole or stays as it was.
-- @tparam table tensors name → tensor
-- @tparam table texts metadata, which an npz file leaves out
-- @treturn boolean|nil true, or nil and a message
function files.write(who, path, tensors, texts, format)
  if format_of(who, path, format) == "npz" then return ops.save_npz(path, tensors) end
  return ops.save_tensors(path, tensors, texts)
end

return files
