--- Sequential: layers in a row, trained with `compile` and `fit`.
--
--     local model = marea.Sequential{
--       nn.Embedding{ 10000, 32, mask_zero = true },
--       nn.LSTM{ 32 },
--       nn.Dense{ 1, activation = "sigmoid" },
--     }
--     model:compile{ optimizer = "adam", loss = "binary_crossentropy", metrics = { "accuracy" } }
--     model:fit(x, y, { epochs = 3, validation_split = 0.2 })
--     model:save("reviews.safetensors")
-- @classmod marea.Sequential
local base = require "marea.model.base"
local Layer = require "marea.nn.layer"
local masks = require "marea.nn.masks"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"
local states = require "marea.nn.states"

local function arrange(given)
  if given == nil then given = {} end
  if type(given) ~= "table" or getmetatable(given) then given = { given } end
  local result = { layers = given.layers or {} }
  if #given > 0 then result.layers = table.move(given, 1, #given, 1, {}) end
  for key, value in pairs(given) do
    if math.type(key) ~= "integer" and key ~= "layers" then result[key] = value end
  end
  return result
end

--- Layers in a row. A model is a layer too, and may stand in another model.
local Sequential = Layer:extend("Sequential", {
  builtin = true,
  masking = "pass",
  takes_sparse = true,
  arrange = arrange,
  options = { layers = options.required },
})

base(Sequential)

function Sequential:init()
  local layers = self.layers
  self.layers = {}
  for place, layer in ipairs(layers) do
    self:check_layer(layer, place)
    self:add(layer)
  end
end

--- Appends a layer; returns the model.
function Sequential:add(layer)
  self:check_layer(layer, #self.layers + 1)
  for _, known in ipairs(self.layers) do
    if known.name == layer.name then self:fail("has two layers named %q", layer.name) end
  end
  if self.built then self:fail("is built; a layer cannot be added any more") end
  table.insert(self.layers, layer)
  table.insert(self.children, layer)
  self:link_layers()
  local first = self.layers[1]
  -- With a declared input shape the weights exist from the start, as in Keras.
  if first == layer and layer.full_shape then
    self.declared = layer:full_shape()
  elseif first == layer and layer.input_length then
    self.declared = { -1, layer.input_length }
  end
  if self.declared and not registry.loading() then self:extend_build() end
  return self
end

-- Builds the layers that are not built yet, from the declared shape on.
function Sequential:extend_build()
  local shape = self.declared
  for _, layer in ipairs(self.layers) do
    if layer.return_state or layer.merge_mode == "none" then
      self:fail("%s gives several outputs, and one can go on in a row; marea.Model takes several",
        tostring(layer))
    end
    layer:build(shape)
    shape = layer:output_shape(shape)
  end
end

function Sequential:build_weights(shape)
  if #self.layers == 0 then self:fail("has no layer") end
  self.declared = shape
  self:extend_build()
end

function Sequential:state_count()
  local count = 0
  for _, layer in ipairs(self.layers) do count = count + layer:state_count() end
  return count
end

function Sequential:advance(x, list, call)
  return states.advance_row(self.layers, x, list, call)
end

-- What goes on in the row.
local function one_output(self, layer, y, ...)
  if select("#", ...) > 0 then
    self:fail("%s gives several outputs, and one can go on in a row; marea.Model takes several",
      tostring(layer))
  end
  return y
end

--- Output and its mask.
function Sequential:forward(x, call)
  call = call or {}
  local mask = call.mask
  if call.lengths ~= nil then mask = self:read_mask(x, call) end
  local inner = { training = call.training, mask = mask }
  for _, layer in ipairs(self.layers) do
    x = one_output(self, layer, layer(x, inner))
    mask = masks.of(x)
    inner = { training = inner.training, mask = mask or false }
  end
  return x, mask
end

function Sequential:call(x, call)
  local y, mask = self:forward(x, call)
  self.last_mask = mask
  return y
end

function Sequential:output_shape(shape)
  for _, layer in ipairs(self.layers) do shape = layer:output_shape(shape) end
  return shape
end

--- The name of the one output.
function Sequential:output_names()
  return { self.layers[#self.layers] and self.layers[#self.layers].name or "output" }
end

--- The layers that give the outputs.
function Sequential:head_layers()
  local last = self.layers[#self.layers]
  return last and last.head_layers and last:head_layers() or { last }
end

--- The shapes of the outputs, batch first, once the model is built.
function Sequential:head_shapes()
  return { self:output_shape(self.input_shape) }
end

--- The one input.
function Sequential.input_names()
  return { "x" }
end

--- The shape of the one input for data of it.
function Sequential.declared_shape(_, x)
  local shape = x:shape()
  shape[1] = -1
  return shape
end

-- The layer that reads the input.
local function reader(self)
  for _, layer in ipairs(self.layers) do
    if layer.class_name ~= "Input" then return layer end
  end
end

--- The Embedding that reads the input, in a list, and whether nothing else reads it.
function Sequential:embeddings_of()
  local layer = reader(self)
  if layer and layer.class_name == "Embedding" then return { layer }, true end
  if layer and layer.embeddings_of then return layer:embeddings_of(1) end
  return {}, false
end

--- Whether the first layer fixes the number of steps, so that a batch cannot be narrower.
function Sequential:fixed_width()
  local first = self.layers[1]
  local shape = first.full_shape and first:full_shape()
  return first.input_length ~= nil or shape ~= nil and (shape[2] or -1) > 0
end

--- One step at a time, for serving and generation; see marea.generate.stream.
function Sequential:stream(given)
  return require("marea.generate.stream").stream(self, given)
end

--- A model from the config that get_config made.
function Sequential.from_config(class, config)
  if type(config.layers) ~= "table" then error("Sequential: layers is missing", 0) end
  local layers = {}
  for i, description in ipairs(config.layers) do layers[i] = registry.deserialize(description) end
  return class{ layers = layers, name = config.name, trainable = config.trainable }
end

return Sequential
