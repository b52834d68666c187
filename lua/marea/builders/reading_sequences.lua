--- What the two builders that read a sequence and say values share: layers in a row from a few options,
-- names of classes, and training with a loss that fits.
-- @module marea.builders.reading_sequences
local data = require "marea.model.data"
local Layer = require "marea.nn.layer"
local lessons = require "marea.builders.lessons"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
local recurrent = require "marea.builders.recurrent"
local sequence = require "marea.sequence"
local Sequential = require "marea.model.sequential"
local vocabularies = require "marea.builders.vocabularies"

local room = {}

local tasks = {
  binary = { activation = "sigmoid", loss = "binary_crossentropy" },
  classes = { activation = "softmax", loss = "sparse_categorical_crossentropy" },
  values = { activation = "linear", loss = "mean_squared_error" },
}

-- Lists of sequences that labels stand beside: a word that is left out would shift them.
local function refuse_lost(self, where, x)
  for i, sample in ipairs(x) do
    local sequences, lost = vocabularies.encode(self, where, self.from, { sample })
    if lost > 0 then
      local known = #sequences:totable()[1]
      error(("%s: sample %d has %d words, of which the tokenizer knows %d; give it a token for unknown words "
        .. "(oov_token, or unknown of a Pipeline)"):format(where, i, known + lost, known), 0)
    end
  end
end

local function refuse_empty(where, lengths)
  for i, length in ipairs(lengths:totable()) do
    if length == 0 then
      error(("%s: sample %d is empty (or holds unknown words alone); leave it out"):format(where, i), 0)
    end
  end
end

-- Texts, lists of words or ids as ids. Texts of many_to_one are padded as the model says.
local function read_words(self, where, x)
  local padding = { padding = "post" }
  if vocabularies.kind(x) ~= "items" then
    local sequences, lost = vocabularies.encode(self, where, self.from, x)
    if self.aligned and lost > 0 then refuse_lost(self, where, x) end
    if not self.aligned then
      padding = { padding = self.padding, truncating = self.truncating, maxlen = self.maxlen }
    end
    x = sequences
  end
  local ids, report = data.attempt(where, sequence.pad_sequences, x, padding)
  if self.aligned then return ids, report.lengths end
  refuse_empty(where, report.lengths)
  return ids
end

--- What the model reads as a tensor, and its lengths where it is padded behind and does not say so itself.
-- @tparam table self the model; with `aligned` each step has a target of its own
-- @tparam string where for messages
-- @param x a tensor as it is; texts, lists of words, of ids or of vectors, of any lengths
function room.read_source(self, where, x)
  x = parts.list(where, "x", self:input_names(), x)[1]
  if ops.is_tensor(x) or ops.is_sparse(x) then return x end
  if type(x) == "string" then
    error(("%s is a bare string; give a list of texts: { %q }"):format(where, x:sub(1, 40)), 0)
  elseif type(x) ~= "table" or #x == 0 then
    error(("%s: expected a tensor or a list of sequences, got %s"):format(where,
      type(x) == "table" and "an empty list" or options.show(x)), 0)
  end
  if self.from.vocabulary then return read_words(self, where, x) end
  local vectors, _, lengths = lessons.vectors(where, self.from.features, x)
  return vectors, lengths
end

--- Outputs for what the model reads.
-- @treturn tensor
-- @treturn tensor what was read
-- @treturn tensor|nil its lengths
function room.predict(self, who, x, given)
  local read = lessons.options(who, given)
  self.report = {}
  local tensor, lengths = room.read_source(self, who .. ": x", x)
  read.lengths = read.lengths or lengths
  vocabularies.tell(self, who, read.verbose)
  return Sequential.predict(self, tensor, read), tensor, read.lengths
end

--- A class of builders: Sequentials that are made of `declared` options. Its objects have `read_targets(where,
-- x, lengths, y)`, which gives y as training takes it.
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
    local read = lessons.options("compile", given)
    read.optimizer = read.optimizer or "adam"
    if read.loss == nil then read.loss = self.crf_layer and self.crf_layer:loss() or tasks[self.task].loss end
    return Sequential.compile(self, read)
  end

  --- Data as fit needs it; x alone where y is nil.
  function class:lesson(who, x, y, lengths)
    local own
    x, own = room.read_source(self, who .. ": x", x)
    return x, y ~= nil and self:read_targets(who, x, own, y) or nil, lengths or own
  end

  lessons.extend(class)

  --- As for Sequential; x as for fit.
  function class:predict(x, given)
    return (room.predict(self, "predict", x, given))
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
  if self.task == "binary" and self.units_out > 1 then
    error(("%s: task = \"binary\" is for one output, got %d; for one of %d classes use task = \"classes\"")
      :format(who, self.units_out, self.units_out), 0)
  end
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
