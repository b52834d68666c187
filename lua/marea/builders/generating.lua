--- The methods of the models that feed their own output back: EncoderDecoder and OneToMany.
--
-- Such a class has `decoder`, `max_length`, `tokenizers`, `marks` (of ids), `reads_ids`, and the methods
-- `encode(source, mask, training)` → { states, memory } and `read_source(who, source)` → tensor.
-- @module marea.builders.generating
local base = require "marea.model.base"
local decoding = require "marea.builders.decoding"
local feeding = require "marea.builders.feeding"
local inference = require "marea.model.inference"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local sources = require "marea.builders.pairs"
local training = require "marea.model.training"
local weights = require "marea.nn.weights"

local generating, methods = {}, {}

-- What training asks of a model -------------------------------------------------------------------

--- The inputs: the source, and the target that the decoder reads.
function methods.input_names()
  return { "source", "teacher" }
end

--- The one output.
function methods.output_names()
  return { "output" }
end

--- Its shape.
function methods:head_shapes()
  return { { -1, -1, self.decoder.outputs } }
end

--- (batch, steps of the teacher, outputs).
function methods:output_shape(shape)
  return { shape[1][1], shape[2][2], self.decoder.outputs }
end

--- The Embedding that reads an input, and whether nothing else does.
function methods:embeddings_of(i)
  local layer = i == 1 and self.source_embedding or i == 2 and self.decoder.embedding
  return { layer or nil }, layer ~= nil and layer ~= false
end

--- Any number of steps is read.
function methods.fixed_width()
  return false
end

--- Logits that keep padding and the start mark from being said, (V).
function methods:hidden_ids()
  if not self.hidden then
    local list = {}
    for id = 0, self.decoder.outputs - 1 do
      list[id + 1] = (id == 0 or id == self.marks.start) and -math.huge or 0
    end
    self.hidden = ops.tensor(list)
  end
  return self.hidden
end

local function check_states(self, given, batch)
  local sizes, names = self.decoder:state_sizes()
  if ops.is_tensor(given) then given = { given } end
  if type(given) ~= "table" or #given ~= #sizes then
    self:fail("initial_state must hold the %d states of the decoder, got %s", #sizes,
      type(given) == "table" and #given or options.show(given))
  end
  for i, state in ipairs(given) do
    local wanted = weights.shape_text{ batch, sizes[i] }
    local came = ops.is_tensor(state) and weights.shape_text(state:shape()) or options.show(state)
    if came ~= wanted then
      self:fail("initial_state %d (of %s) is %s, expected %s", i, names[i], came, wanted)
    end
  end
  return given
end

--- Outputs (B, T, K) and their mask for { source, teacher }. `initial_state`, a list, stands for the
-- states that the decoder would begin in.
function methods:forward(x, call)
  call = call or {}
  if type(x) ~= "table" or getmetatable(x) or #x ~= 2 then
    self:fail("takes a list { source, teacher }, got %s", ops.is_tensor(x) and "one tensor"
      or options.show(x))
  end
  local masks = call.mask or {}
  if call.lengths ~= nil then masks = self:read_mask(x, { lengths = call.lengths }) or {} end
  local context = self:encode(x[1], masks[1], call.training)
  if call.initial_state ~= nil then
    context.states = check_states(self, call.initial_state, x[1]:size(1))
  end
  local inner = { training = call.training, mask = masks[2] }
  local rate = self.free_running and 1 or call.training and feeding.rate(self) or 0
  if rate > 0 then return feeding.run(self, x[2], context, inner, rate) end
  local y, _, mask = self.decoder:run(x[2], context.states, context.memory, inner)
  return y, mask
end

function methods:call(x, call)
  local y, mask = self:forward(x, call)
  self.last_mask = mask
  return y
end

-- Training ----------------------------------------------------------------------------------------

--- Trains the model. Options as for Sequential's fit; `validation_data` is { sources, targets }.
-- @tparam table|tensor source texts, rows of ids or (N, S) ids, (N, S, D) vectors
-- @tparam table|tensor target texts, rows of ids or (N, T) ids (their marks may be missing and padding
-- is left out), or (N, T, D) vectors
-- @tparam[opt] table given
-- @treturn History
function methods:fit(source, target, given)
  local read = {}
  for name, value in pairs(given or {}) do read[name] = value end
  local x, y = sources.read(self, "fit", source, target)
  local held = read.validation_data
  if type(held) == "table" and held[1] ~= nil and held[2] ~= nil then
    local vx, vy = sources.read(self, "fit: validation_data", held[1], held[2])
    read.validation_data = { vx, vy, held[3], lengths = held.lengths }
  end
  -- Schedules of sampling go by the epoch.
  if self.compiled then self.epoch = read.initial_epoch or 0 end
  return training.fit(self, x, y, read)
end

--- One step on one batch; returns loss and gradient norm.
function methods:train_on_batch(source, target, given)
  local x, y = sources.read(self, "train_on_batch", source, target)
  return training.train_on_batch(self, x, y, given)
end

--- Loss and metrics under teacher forcing; with `free_running = true` the decoder reads its own output
-- instead of the target. Other options as for Sequential's evaluate.
function methods:evaluate(source, target, given)
  local read = {}
  for name, value in pairs(given or {}) do read[name] = value end
  local x, y = sources.read(self, "evaluate", source, target)
  local before = self.free_running
  local _ <close> = setmetatable({}, { __close = function() self.free_running = before end })
  if read.free_running ~= nil then
    self.free_running = options.boolean("evaluate", "free_running", read.free_running)
  end
  read.free_running = nil
  return inference.evaluate(self, x, y, read)
end

methods.decode = decoding.decode
methods.attention_weights = decoding.attention_weights
methods.source_of = decoding.source_of

--- The same as decode.
methods.predict = decoding.decode
methods.predict_text = decoding.decode

--- A sequence has no class.
function methods:predict_classes()
  self:fail("predict_classes: gives sequences; use decode")
end

-- Files -------------------------------------------------------------------------------------------

-- A description without what a file holds elsewhere (tokenizers, tables of vectors).
local function plain(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in pairs(value) do
    if key ~= "tokenizer" and key ~= "weights" then copy[key] = plain(item) end
  end
  return copy
end

--- The options of a model in a table of their own, `model.plan`. `layers` and `source` are names of what
-- every model has; they are given free.
function generating.take_plan(model)
  local plan = {}
  for name in pairs(getmetatable(model).options) do plan[name] = model[name] end
  model.plan, model.layers, model.source = plan, {}, nil
  return plan
end

--- The options that rebuild a model; of a schedule, which is a function, a file knows nothing.
function methods:get_config()
  local config = plain(self.plan)
  config.name, config.trainable = self.name, self.trainable
  local sampling = self.scheduled_sampling
  config.scheduled_sampling = type(sampling) ~= "function" and sampling or 0
  return config
end

--- Gives a class these methods.
-- @tparam table class
function generating.extend(class)
  base(class)
  for name, method in pairs(methods) do class[name] = method end
end

return generating
