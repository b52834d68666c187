--- What the two builders that read a sequence and say values share: layers in a row from a few options,
-- names of classes, and training with a loss that fits.
-- @module marea.builders.reading_sequences
local Layer = require "marea.nn.layer"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local recurrent = require "marea.builders.recurrent"
local Sequential = require "marea.model.sequential"
local vocabularies = require "marea.builders.vocabularies"

local room = {}

local tasks = {
  binary = { activation = "sigmoid", loss = "binary_crossentropy" },
  classes = { activation = "softmax", loss = "sparse_categorical_crossentropy" },
  values = { activation = "linear", loss = "mean_squared_error" },
}

--- A class of builders: Sequentials that are made of `declared` options.
-- @tparam string name
-- @tparam table declared options of its own
-- @tparam string masking what becomes of a mask
-- @tparam function make(self) adds the layers behind the embedding to self.layers
function room.class(name, declared, masking, make)
  for option, default in pairs(recurrent.options) do declared[option] = default end
  declared.source, declared.outputs, declared.task = options.required, 1, options.optional
  local class = Sequential:extend(name, { builtin = true, options = declared, masking = masking,
    arrange = function(given) return given end, from_config = Layer.from_config })
  class.options.layers = nil

  function class:init()
    recurrent.check(self)
    self.from, self.source = vocabularies.read(name, "source", self.source), nil
    self.tokenizer = self.from.tokenizer
    room.read_outputs(self)
    self.layers = { nn.Input{ self.from.vocabulary and { -1 } or { -1, self.from.features },
      dtype = self.from.vocabulary and "int32" or nil, name = "source" } }
    self.layers[2] = recurrent.reader(self.from, "words")
    make(self)
    Sequential.init(self)
  end

  function class:get_config()
    local config = vocabularies.config_of(self, declared)
    config.source.tokenizer = nil -- saved once, as the model's
    return config
  end

  --- As for Sequential; loss and optimizer ("adam") that fit where they are not given.
  function class:compile(given)
    local read = {}
    for key, value in pairs(given or {}) do read[key] = value end
    read.optimizer = read.optimizer or "adam"
    if read.loss == nil then read.loss = self.crf_layer and self.crf_layer:loss() or tasks[self.task].loss end
    return Sequential.compile(self, read)
  end
  return class
end

--- Outputs: their number, or the names of classes; and the task that follows.
function room.read_outputs(self)
  local who = self.class_name
  if type(self.outputs) == "table" then
    self.classes, self.class_ids = self.outputs, {}
    for i, class in ipairs(self.outputs) do
      if type(class) ~= "string" or self.class_ids[class] then
        error(("%s: output %d is %s; names of classes are different texts"):format(who, i,
          options.show(class)), 0)
      end
      self.class_ids[class] = i - 1
    end
    self.units_out = #self.outputs
  else
    self.units_out = options.integer(who, "outputs", self.outputs)
  end
  self.task = self.task or (self.units_out == 1 and "binary" or "classes")
  options.choice(who, "task", self.task, { "binary", "classes", "values" })
  if self.task == "classes" and self.units_out < 2 then
    error(who .. ": a task of classes needs 2 outputs or more; for yes or no use task = \"binary\"", 0)
  end
end

--- The recurrent layers; the last one gives all its steps with `sequences`.
function room.add_recurrent(self, sequences)
  for i = 1, self.num_layers do
    if self.dropout > 0 then table.insert(self.layers, nn.Dropout{ self.dropout, name = "dropout_" .. i }) end
    table.insert(self.layers, recurrent.layer(self, "recurrent_" .. i, sequences or i < self.num_layers,
      self.bidirectional))
  end
  if self.dropout > 0 then table.insert(self.layers, nn.Dropout{ self.dropout, name = "dropout" }) end
end

--- The last Dense layer, with the task's activation.
function room.add_outputs(self, activation)
  table.insert(self.layers, nn.Dense{ self.units_out, name = "outputs",
    activation = activation or tasks[self.task].activation })
end

--- The id of a class by its name; ids are returned as they are.
function room.class_id(self, where, name)
  if type(name) ~= "string" then return name end
  local id = self.class_ids and self.class_ids[name]
  if id then return id end
  error(("%s is %q; the classes are %s"):format(where, name,
    self.classes and table.concat(self.classes, ", ") or "ids, this model has no names"), 0)
end

--- Classes by name where there are names.
function room.class_name(self, id)
  return self.classes and self.classes[id + 1] or id
end

--- Ids of the most probable classes along the last axis, as a nested table.
function room.likeliest(self, p)
  local shape = p:shape()
  if self.task ~= "binary" then return ops.argmax_ids(p, #shape):totable() end
  shape[#shape] = nil
  return ops.as_ids(ops.greater(p, 0.5)):reshape(shape):totable()
end

return room
