--- What the two builders with a decoder share: teacher forcing, and training by it.
--
-- The decoder reads the start mark and the target, and is to say the target and the stop mark: at each
-- step it is given the true token before it (Williams & Zipser, 1989). Targets of reals begin with zeros
-- and have no marks.
-- @module marea.builders.teaching
local base = require "marea.model.base"
local data = require "marea.model.data"
local inference = require "marea.model.inference"
local Layer = require "marea.nn.layer"
local lessons = require "marea.builders.lessons"
local losses = require "marea.losses"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
local recurrent = require "marea.builders.recurrent"
local registry = require "marea.nn.registry"
local sequence = require "marea.sequence"
local vocabularies = require "marea.builders.vocabularies"

local teaching = {}

local function check_share(what, value)
  if type(value) == "number" and value >= 0 and value <= 1 then return end
  error(("%s must be a share from 0 to 1, got %s"):format(what, options.show(value)), 0)
end

-- Options of scheduled sampling, checked: a share, or { from, to, epochs }.
local function read_schedule(self)
  local given = self.scheduled_sampling
  local who = self.class_name .. ": scheduled_sampling"
  if type(given) == "table" then
    given = options.read(who, given, { from = 0, to = options.required, epochs = options.required })
    check_share(who .. ": from", given.from)
    check_share(who .. ": to", given.to)
    options.integer(who, "epochs", given.epochs)
    self.scheduled_sampling = given
  else
    check_share(who, given)
  end
end

-- The share of tokens that the decoder feeds itself in this epoch of training.
local function rate_of(self)
  local given = self.scheduled_sampling
  if type(given) == "number" then return given end
  return given.from + (given.to - given.from) * math.min((self.epoch or 0) / given.epochs, 1)
end

local function refuse_long(self, where, i, length)
  if length <= self.max_length then return end
  error(("%s: sample %d has %d steps, the decoder allows max_length = %d; shorten the target or build "
    .. "with a larger max_length"):format(where, i, length, self.max_length), 0)
end

local function teach_words(self, where, target)
  local side = self.target
  local previous, y = vocabularies.rows(self, where, side, target), {}
  for i, row in ipairs(previous) do
    refuse_long(self, where, i, #row)
    y[i] = table.move(row, 1, #row, 1, {})
    table.insert(y[i], side.stop_id)
    table.insert(row, 1, side.start_id)
  end
  local padding = { padding = "post" }
  return (sequence.pad_sequences(previous, padding)), (sequence.pad_sequences(y, padding))
end

-- The place of the longest sequence.
local function longest(lengths)
  return lengths and math.tointeger(ops.as_real(lengths):argmax():item()) or 1
end

local function teach_reals(self, where, target)
  local lengths
  target, lengths = lessons.vectors(where, self.target.features, target)
  local shape = target:shape()
  refuse_long(self, where, longest(lengths), shape[2])
  local start = ops.zeros{ shape[1], 1, shape[3] }
  if shape[2] == 1 then return start, target, lengths end
  return ops.concat({ start, target:narrow(2, 1, shape[2] - 1) }, 2), target, lengths
end

--- What the decoder reads and what it is to say.
-- @treturn tensor (N, T) or (N, T, K)
-- @treturn tensor of the same shape
-- @treturn tensor|nil lengths of vectors (N), when they differ
-- @raise for a target without a word
function teaching.teach(self, where, target)
  if target == nil then error(where .. " is missing", 0) end
  if self.target.vocabulary then return teach_words(self, where, target) end
  return teach_reals(self, where, target)
end

-- Scores begin with the logarithm of each word's share of the targets (half a time for words that are not
-- there), as Karpathy (2019, "A recipe for training neural networks") advises: else the first steps teach
-- those shares through the attentional vector, whose tanh can saturate (at a rate of 0.005 all of it did),
-- and attention does not learn any more.
local function start_from_shares(self, y)
  local scores = self.decoder.scores
  local weights = scores:get_weights()
  if weights[2]:square():sum():item() > 0 then return end
  local counts, total = {}, 0
  for id = 0, scores.units - 1 do counts[id + 1] = 0.5 end
  for _, row in ipairs(y:totable()) do
    for _, id in ipairs(row) do
      if id ~= 0 then counts[id + 1] = counts[id + 1] + 1 end
    end
  end
  for _, count in ipairs(counts) do total = total + count end
  for i, count in ipairs(counts) do counts[i] = math.log(count / total) end
  scores:set_weights{ weights[1], ops.tensor(counts) }
end

-- fit, evaluate, train_on_batch and compile of a class.
local function extend_training(class)
  lessons.extend(class)
  local compile = class.compile
  --- As for Sequential; the loss is that of what is said (cross-entropy of words, mean squared error of
  -- reals) and the optimizer "adam" where they are not given.
  function class:compile(given)
    local read = lessons.options("compile", given)
    read.optimizer = read.optimizer or "adam"
    if read.loss == nil then
      read.loss = self.target.vocabulary and losses.SparseCategoricalCrossentropy{ from_logits = true }
        or "mean_squared_error"
    end
    return compile(self, read)
  end
end

-- What models tell training and saving about themselves.
local interface = {}

function interface.input_names() return { "source", "previous" } end

function interface.output_names() return { "target" } end

function interface.fixed_width() return false end

function interface:before_fit(y)
  if self.target.vocabulary and self.bias_from_shares then start_from_shares(self, y) end
end

--- The inputs of ids, by whose lengths fit can gather samples.
function interface:bucket_inputs()
  if not self.decoder.words then return {} end
  return self.source_words and self.source_words.mask_zero and { 1, 2 } or { 2 }
end

-- What the decoder reads: a tensor, rows of ids that begin with the start mark, texts, or vectors.
local function read_previous(self, where, previous)
  if ops.is_tensor(previous) or type(previous) ~= "table" then return previous end
  if not self.target.vocabulary then return lessons.vectors(where, self.target.features, previous) end
  if vocabularies.kind(previous) ~= "items" then return (teach_words(self, where, previous)) end
  return (data.attempt(where, sequence.pad_sequences, previous, { padding = "post" }))
end

--- What the decoder says after each step of `previous`, of which the truth is known: scores (B, T, ids), or
-- vectors (B, T, K).
-- @tparam table x { source, previous }, or by these names: the source as for fit; what the decoder reads, as
-- ids that begin with the start mark (`model.target.start_id`), texts (the mark is added), or vectors
-- @tparam[opt] table given as for a model's predict
function interface:predict(x, given)
  local read, names = lessons.options("predict", given), self:input_names()
  local list, lengths = parts.list("predict", "x", names, x), lessons.lengths_of("predict", names, read.lengths, 1)
  self.report = {}
  list[1], lengths[1] = self:read_source("predict: source", list[1], lengths[1])
  local own
  list[2], own = read_previous(self, "predict: previous", list[2])
  lengths[2] = lengths[2] or own
  read.lengths = next(lengths) and lengths
  vocabularies.tell(self, "predict", read.verbose)
  return inference.predict(self, list, read)
end

function interface:head_shapes() return { { -1, -1, self.target_size } } end

function interface:output_shape(shapes) return { shapes[2][1], shapes[2][2], self.target_size } end

function interface:embeddings_of(i)
  local words = i == 1 and self.source_words or i == 2 and self.decoder.words or nil
  return { words }, words ~= nil
end

function interface:call(x, call)
  local y, mask = self:forward(x, call)
  self.last_mask = mask
  return y
end

--- A class of models with a decoder.
--
-- It has `make()` → its layers in order, `build_weights`, `declared_shape`, `forward`, `read_source(where,
-- source, lengths)` → a tensor, its lengths, and `lesson` (see marea.builders.lessons).
-- @tparam string name
-- @tparam table declared options of its own
function teaching.class(name, declared)
  for option, default in pairs(recurrent.options) do declared[option] = default end
  declared.source, declared.target = options.required, options.required
  declared.max_length, declared.scheduled_sampling, declared.bias_from_shares = 50, 0, true
  local class = Layer:extend(name, { builtin = true, masking = "pass", takes_list = true, options = declared })
  base(class)
  extend_training(class)
  for method, f in pairs(interface) do class[method] = f end

  function class:init()
    recurrent.check(self)
    self.from, self.source = vocabularies.read(name, "source", self.source), nil
    self.target = vocabularies.read(name, "target", self.target)
    self.max_length = options.integer(name, "max_length", self.max_length)
    options.boolean(name, "bias_from_shares", self.bias_from_shares)
    read_schedule(self)
    self.layers = self:make()
    self.children = self.layers
    if not registry.loading() then self:build(self:declared_shape()) end
  end

  function class:get_config()
    return vocabularies.config_of(self, declared)
  end
  return class
end

--- The masks of source and previous steps that a call gives or its lengths say, maybe with gaps.
function teaching.masks(self, x, call)
  if not call then return {} end
  return call.mask or call.lengths and self:read_mask(x, { lengths = call.lengths }) or {}
end

--- What the decoder makes its scores of for a target, by teacher forcing or in part by itself.
-- @tparam table self the model
-- @tparam tensor previous what comes before each step of the target
-- @tparam tensor|nil mask of it
-- @tparam table begun states and memory that the decoder begins with
function teaching.run(self, previous, mask, begun, training)
  local rate = training and rate_of(self) or 0
  if rate > 0 then
    return self.decoder:run_scheduled(previous, mask, begun.states, begun.memory, rate)
  end
  return (self.decoder:run(previous, mask, begun.states, begun.memory, training))
end

--- Raises when the decoder is given more steps than its maximum and the start mark.
function teaching.check_steps(self, previous)
  if previous:size(2) <= self.max_length + 1 then return end
  self:fail("the teacher's sequence has %d steps, the decoder allows the start mark and max_length = %d",
    previous:size(2), self.max_length)
end

return teaching
