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
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"

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

local function check_layer(self, layer, place)
  if type(layer) ~= "table" or not layer.class_name or not layer.weight_list then
    local hint = type(layer) == "table" and layer.class_name
      and (" (the class itself; write nn.%s{ … })"):format(layer.class_name) or ""
    self:fail("item %d is not a layer: %s%s", place, options.show(layer), hint)
  end
end

function Sequential:init()
  local layers = self.layers
  self.layers = {}
  for place, layer in ipairs(layers) do
    check_layer(self, layer, place)
    self:add(layer)
  end
end

--- Appends a layer; returns the model.
function Sequential:add(layer)
  check_layer(self, layer, #self.layers + 1)
  for _, known in ipairs(self.layers) do
    if known.name == layer.name then self:fail("has two layers named %q", layer.name) end
  end
  if self.built then self:fail("is built; a layer cannot be added any more") end
  table.insert(self.layers, layer)
  table.insert(self.children, layer)
  local first = self.layers[1]
  -- With a declared input shape the weights exist from the start, as in Keras.
  if first == layer and layer.full_shape then
    self.declared = layer:full_shape()
  elseif first == layer and layer.input_length then
    self.declared = { -1, layer.input_length }
  end
  if self.declared then self:extend_build() end
  return self
end

-- Builds the layers that are not built yet, from the declared shape on.
function Sequential:extend_build()
  local shape = self.declared
  for _, layer in ipairs(self.layers) do
    layer:build(shape)
    shape = layer:output_shape(shape)
  end
end

function Sequential:build_weights(shape)
  if #self.layers == 0 then self:fail("has no layer") end
  self.declared = shape
  self:extend_build()
end

--- The layer of a name, or at a place.
function Sequential:get_layer(which)
  if math.type(which) == "integer" then return self.layers[which] end
  for _, layer in ipairs(self.layers) do
    if layer.name == which then return layer end
  end
  local names = {}
  for i, layer in ipairs(self.layers) do names[i] = layer.name end
  self:fail("has no layer %q; it has %s", tostring(which), table.concat(names, ", "))
end

--- Output and its mask.
function Sequential:forward(x, call)
  call = call or {}
  local mask = call.mask
  if call.lengths ~= nil then mask = self:read_mask(x, call) end
  local inner = { training = call.training, mask = mask }
  for _, layer in ipairs(self.layers) do
    local y = layer(x, inner)
    mask = layer:compute_mask(x, inner.mask)
    inner = { training = inner.training, mask = mask }
    x = y
  end
  return x, mask
end

function Sequential:call(x, call)
  local y, mask = self:forward(x, call)
  self.last_mask = mask
  return y
end

function Sequential:compute_mask()
  local mask = self.last_mask
  self.last_mask = nil
  return mask
end

function Sequential:output_shape(shape)
  for _, layer in ipairs(self.layers) do shape = layer:output_shape(shape) end
  return shape
end

--- Forgets the states of every stateful layer.
function Sequential:reset_states()
  for _, layer in ipairs(self.layers) do
    if layer.reset_states then layer:reset_states() end
  end
end

--- How the model is trained.
-- @tparam table given `optimizer` (a name or object, "rmsprop"), `loss` (a name, object or
-- function(target, prediction)), `metrics` (a list of names or objects, {})
-- @treturn table the model
function Sequential:compile(given)
  local read = options.read("compile", given, { optimizer = "rmsprop", loss = options.required,
    metrics = options.optional })
  self.optimizer = require("marea.optim").get(read.optimizer)
  self.loss = require("marea.losses").get(read.loss, self)
  local specs = read.metrics or {}
  if type(specs) ~= "table" or specs.update then specs = { specs } end
  local metrics = require "marea.metrics"
  self.metric_specs, self.metrics, self.compiled = {}, nil, true
  for i, spec in ipairs(specs) do
    local metric = metrics.get(spec, self.loss.name) -- refuses unknown names now
    self.metric_specs[i] = type(spec) == "table" and metric or spec
  end
  self.epoch = 0
  return self
end

--- Prints the layers, their output shapes and parameters.
-- @tparam[opt] function write called with each line; default print
function Sequential:summary(write)
  require("marea.model.summary")(self, write or print)
end

local function forward_to(file, ...)
  for _, name in ipairs{ ... } do
    Sequential[name] = function(self, ...) return require(file)[name](self, ...) end
  end
end

forward_to("marea.model.training", "fit", "train_on_batch")
forward_to("marea.model.inference", "evaluate", "predict", "predict_text", "predict_classes")
forward_to("marea.model.checkpoint", "save", "save_weights", "load_weights")

--- A model from the config that get_config made.
function Sequential.from_config(class, config)
  if type(config.layers) ~= "table" then error("Sequential: layers is missing", 0) end
  local layers = {}
  for i, description in ipairs(config.layers) do layers[i] = registry.deserialize(description) end
  return class{ layers = layers, name = config.name, trainable = config.trainable }
end

return Sequential
