--- Models for and from other programs: weights of PyTorch and Keras, ONNX files.
--
--     local interop = marea.interop
--     assert(interop.pytorch.load(model, "net.safetensors", { map = { lstm = "rnn" } }))
--     assert(interop.onnx.export(model, "model.onnx"))
--
-- @module marea.interop
local parts = { pytorch = "marea.interop.pytorch", keras = "marea.interop.keras",
  onnx = "marea.interop.onnx" }

return setmetatable({}, {
  __index = function(self, name)
    if not parts[name] then return nil end
    local value = require(parts[name])
    rawset(self, name, value)
    return value
  end,
  lazy = { parts }, -- for completion in the REPL
})
