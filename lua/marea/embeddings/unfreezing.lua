--- The callback that lets pretrained embeddings learn from some epoch on.
-- @module marea.embeddings.unfreezing
local options = require "marea.nn.options"

local UnfreezeEmbeddings = {}

function UnfreezeEmbeddings:init()
  self.epoch = options.integer(self.class_name, "epoch", self.epoch)
  if self.learning_rate ~= nil then
    options.number(self.class_name, "learning_rate", self.learning_rate, 0)
  end
  options.number(self.class_name, "factor", self.factor, 0)
end

function UnfreezeEmbeddings:on_train_begin() self.done = false end

-- The weights' names to train, after their layers were set free.
local function unfreeze(self)
  local found = {}
  self.model:walk(function(layer, path)
    if layer.class_name ~= "Embedding" then return end
    if self.layer ~= nil and layer ~= self.layer and layer.name ~= self.layer then return end
    layer.trainable = true
    layer:train_rows(self.rows)
    found[#found + 1] = path == "" and "embeddings" or path .. "/embeddings"
  end)
  if #found == 0 then
    error(("%s: the model has no %s"):format(self.class_name, self.layer ~= nil
      and ("Embedding %s"):format(tostring(self.layer)) or "Embedding"), 0)
  end
  return found
end

function UnfreezeEmbeddings:on_epoch_begin(epoch)
  if self.done or epoch < self.epoch then return end
  self.done = true
  local optimizer, found = self.model.optimizer, unfreeze(self)
  local factor = self.factor
  if self.learning_rate then
    local rate = optimizer.learning_rate
    if rate <= 0 then error(("%s: the optimizer's learning rate is 0"):format(self.class_name), 0) end
    factor = self.learning_rate / rate
  end
  self.model:sync()
  optimizer:bind(self.model:entries())
  for _, name in ipairs(found) do optimizer:set_factor(name, factor) end
end

--- Lets frozen embeddings learn from epoch `epoch` on: vectors that were given first steer the layers
-- above, and are then tuned with care. `layer`: the layer or its name (default: every Embedding);
-- `learning_rate`: that of the embeddings (a schedule of the optimizer still bends it), or `factor`
-- (0.1) of the optimizer's; `rows`: only these ids begin to learn.
-- @usage callbacks.UnfreezeEmbeddings{ epoch = 3, learning_rate = 1e-4 }
-- @function callbacks.UnfreezeEmbeddings
return function(define)
  local class = define("UnfreezeEmbeddings", { epoch = options.required,
    learning_rate = options.optional, factor = .1, layer = options.optional,
    rows = options.optional }, { "epoch" })
  for name, method in pairs(UnfreezeEmbeddings) do class[name] = method end
end
