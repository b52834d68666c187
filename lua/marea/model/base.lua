--- What Sequential and Model share: compile, fit, evaluate, predict, save, and how layers stand in them.
-- @module marea.model.base
local heads = require "marea.model.heads"
local options = require "marea.nn.options"

local base = {}

--- Raises unless a value is a layer.
function base:check_layer(layer, place)
  if type(layer) ~= "table" or not layer.class_name or not layer.weight_list then
    local hint = type(layer) == "table" and layer.class_name
      and (" (the class itself; write nn.%s{ … })"):format(layer.class_name) or ""
    self:fail("item %d is not a layer: %s%s", place, options.show(layer), hint)
  end
end

--- The layer of a name, or at a place.
function base:get_layer(which)
  if math.type(which) == "integer" then return self.layers[which] end
  for _, layer in ipairs(self.layers) do
    if layer.name == which then return layer end
  end
  local names = {}
  for i, layer in ipairs(self.layers) do names[i] = layer.name end
  self:fail("has no layer %q; it has %s", tostring(which), table.concat(names, ", "))
end

--- Builds the model if it is not, but its first layer declares the shape of the input.
-- @treturn boolean whether it is built now
function base:build_declared()
  if not self.built and self.declared then self:build(self.declared) end
  return self.built
end

--- Forgets the states of every stateful layer.
function base:reset_states()
  for _, layer in ipairs(self.layers) do
    if layer.reset_states then layer:reset_states() end
  end
end

-- Lets layers that were read from a file, or were given a name, find the layer that they refer to.
function base:link_layers()
  self:walk(function(layer)
    if layer.find_partner then layer:find_partner(self) end
  end)
end

--- The mask of the last output; `call` has kept it.
function base:compute_mask()
  return self.last_mask
end

--- How the model is trained.
--
-- With several outputs `loss`, `metrics` and `loss_weights` are lists in the order of the outputs or
-- tables by their names; one loss may serve all. An output without a loss is not trained. The loss
-- is the sum of the outputs' losses times their weights.
-- @tparam table given `optimizer` (a name or object, "rmsprop"), `loss` (a name, object or
-- function(target, prediction)), `metrics` (a list of names or objects, {}), `loss_weights` (1 each)
-- @treturn table the model
function base:compile(given)
  local read = options.read("compile", given, { optimizer = "rmsprop", loss = options.required,
    metrics = options.optional, loss_weights = options.optional })
  self.optimizer = require("marea.optim").get(read.optimizer)
  self.heads = heads.read(self, read)
  self.loss, self.metric_specs = self.heads[1].loss, self.heads[1].metric_specs
  self.metrics, self.metrics_by_name, self.compiled = nil, nil, true
  self.epoch = 0
  return self
end

--- Prints the layers, their output shapes, parameters and, in a Model, their connections.
-- @tparam[opt] function write called with each line; default print
function base:summary(write)
  require("marea.model.summary")(self, write or print)
end

local function forward_to(file, ...)
  for _, name in ipairs{ ... } do
    base[name] = function(self, ...) return require(file)[name](self, ...) end
  end
end

forward_to("marea.model.training", "fit", "train_on_batch")
forward_to("marea.model.inference", "evaluate", "predict", "predict_text", "predict_classes")
forward_to("marea.model.checkpoint", "save", "save_weights", "load_weights")

--- Gives a class of models these methods.
-- @tparam table class
return function(class)
  for name, method in pairs(base) do class[name] = method end
end
