--- Layers, loaded when they are first used.
-- @module marea.nn
local registry = require "marea.nn.registry"

local nn = {}

-- class → file, and the field of the file's table that holds it (nil: the file returns the class)
local files = {
  Layer = "layer", Dense = "dense", Embedding = "embedding", Masking = "masking",
  LayerNormalization = "normalization.LayerNormalization",
  RMSNormalization = "normalization.RMSNormalization",
  BatchNormalization = "normalization.BatchNormalization", Input = "input", Bidirectional = "bidirectional",
  TimeDistributed = "time_distributed",
  Flatten = "reshaping.Flatten", Reshape = "reshaping.Reshape",
  RepeatVector = "reshaping.RepeatVector", Permute = "reshaping.Permute",
  Cropping1D = "reshaping.Cropping1D", ZeroPadding1D = "reshaping.ZeroPadding1D",
  UpSampling1D = "reshaping.UpSampling1D",
  Activation = "activation.Activation", ReLU = "activation.ReLU", LeakyReLU = "activation.LeakyReLU",
  ELU = "activation.ELU", PReLU = "activation.PReLU", Softmax = "activation.Softmax",
  ActivityRegularization = "activation.ActivityRegularization",
  Lambda = "lambda", TiedDense = "tied",
  Add = "merging.Add", Subtract = "merging.Subtract", Multiply = "merging.Multiply",
  Average = "merging.Average", Maximum = "merging.Maximum", Minimum = "merging.Minimum",
  Concatenate = "merging.Concatenate", Dot = "merging.Dot",
  GaussianNoise = "noise.GaussianNoise", GaussianDropout = "noise.GaussianDropout",
  AlphaDropout = "noise.AlphaDropout",
  Dropout = "dropout.Dropout", SpatialDropout1D = "dropout.SpatialDropout1D",
  GlobalAveragePooling1D = "pooling.GlobalAveragePooling1D",
  GlobalMaxPooling1D = "pooling.GlobalMaxPooling1D",
  MaxPooling1D = "pooling.MaxPooling1D", AveragePooling1D = "pooling.AveragePooling1D",
  Conv1D = "convolution.Conv1D",
  Attention = "attention.Attention", AdditiveAttention = "attention.AdditiveAttention",
  MultiHeadAttention = "multi_head_attention", AttentionPooling1D = "attention.AttentionPooling1D",
  CRF = "crf", SampledSoftmax = "sampled_softmax",
  SimpleRNN = "recurrent.SimpleRNN", GRU = "recurrent.GRU", LSTM = "recurrent.LSTM",
  RNN = "rnn", SimpleGRU = "recurrent.SimpleGRU", MinimalGatedUnit = "recurrent.MinimalGatedUnit",
  Elman = "elman",
}
local rooms = { activations = true, initializers = true, regularizers = true, constraints = true,
  convert = true }

for name, place in pairs(files) do
  if name ~= "Layer" then registry.lazy(name, "marea.nn." .. place:match("^[^.]+")) end
end

for _, name in ipairs{ "FunctionCell", "StackedRNNCells" } do registry.lazy(name, "marea.nn.cells") end
registry.lazy("Sequential", "marea.model.sequential")
registry.lazy("Model", "marea.model.functional")
for name, file in pairs{ SequenceToSequence = "encoder_decoder", OneToMany = "one_to_many",
  ManyToOne = "many_to_one", ManyToMany = "many_to_many" } do
  registry.lazy(name, "marea.builders." .. file)
end

--- Registers a class of one's own under its name, so that saved models can hold it; what
-- `nn.Layer:extend` makes is registered already.
function nn.register(class, name)
  return registry.add(class, name)
end

--- Registers a Lua function under a name, for Lambda layers in saved models; see marea.nn.functions.
-- @function register_function
nn.register_function = require("marea.nn.functions").register

--- Starts the automatic names (dense, dense_1 …) from the beginning.
nn.reset_names = registry.reset_names

setmetatable(nn, {
  __index = function(_, name)
    local value
    if rooms[name] then
      value = require("marea.nn." .. name)
    elseif files[name] then
      local file, field = files[name]:match("^([^.]+)%.?(.*)$")
      value = require("marea.nn." .. file)
      if field ~= "" then value = value[field] end
    else
      return nil
    end
    rawset(nn, name, value)
    return value
  end,
  lazy = { files, rooms }, -- for completion in the REPL
})

return nn
