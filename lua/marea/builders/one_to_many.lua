--- one_to_many: a value to a sequence, as in naming a picture (Vinyals et al., 2015) or drawing a curve.
--
--     local model = marea.builders.one_to_many{ source = { features = 3 },      -- (N, 3)
--       target = { features = 1 }, max_length = 50, units = 32 }                 -- (N, 50, 1)
--     model:fit(parameters, curves, { epochs = 20 })
--     local curves = model:decode(parameters)
--
-- With `feedback` (the default) the value sets the decoder's first states and the decoder reads what it
-- said before; in training it is told the truth (teacher forcing), or its own words for a share of the
-- steps (`scheduled_sampling`). Without it the value is read at every step.
-- @module marea.builders.one_to_many
local data = require "marea.model.data"
local Decoder = require "marea.builders.decoder"
local decoding = require "marea.builders.decoding"
local lessons = require "marea.builders.lessons"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local teaching = require "marea.builders.teaching"
local vocabularies = require "marea.builders.vocabularies"

--- A model whose `fit`, `evaluate` and `decode` take values.
--
-- `source`: { features = D } for vectors (N, D), or { vocabulary = K, embedding = 64 } for ids of kinds
-- (N), or { tokenizer = } for kinds by name. `target`: words, as for encoder_decoder, or { features = K } for
-- vectors: (N, steps, K), with `lengths` (N) of it in `fit`, or lists of sequences of any lengths. `feedback`
-- (true), `max_length` (50: words, or steps of vectors), `scheduled_sampling` (0), `cell`, `units`,
-- `num_layers`, `cell_options`, `dropout` as for encoder_decoder.
local OneToMany = teaching.class("OneToMany", { feedback = true })

-- A Dense layer for each state of each recurrent layer.
local function make_starts(self)
  self.starts = {}
  for i, layer in ipairs(self.decoder.layers) do
    self.starts[i] = {}
    for k, width in ipairs(layer.state_size) do
      self.starts[i][k] = nn.Dense{ width, activation = "tanh",
        name = ("start_%d_%s"):format(i, k == 1 and "h" or "c") }
    end
  end
end

local function list_layers(self)
  local list = { self.source_words }
  for _, row in ipairs(self.starts or {}) do table.move(row, 1, #row, #list + 1, list) end
  local rest = self.decoder:children()
  return table.move(rest, 1, #rest, #list + 1, list)
end

-- Options of what is fed back.
local function check_without_feedback(self)
  local why = "with feedback = false the decoder reads the value, not what it said"
  if self.scheduled_sampling ~= 0 then
    error(("%s: scheduled_sampling would change nothing: %s"):format(self.class_name, why), 0)
  end
  vocabularies.refuse_idle(self.class_name .. ": target", self.target, { "weights", "trainable" }, why)
end

function OneToMany:make()
  local who = self.class_name
  options.boolean(who, "feedback", self.feedback)
  if not self.feedback then check_without_feedback(self) end
  local from = self.from
  if from.vocabulary then
    self.source_words = nn.Embedding{ from.vocabulary, not from.weights and from.embedding or nil,
      weights = from.weights, trainable = from.trainable, name = "source_words" }
  end
  self.value_size = from.features or self.source_words.output_dim
  local words = self.target.vocabulary
  self.target_size = words and vocabularies.add_marks(who, "target", self.target) or self.target.features
  self.decoder = Decoder.new(self, { size = self.feedback and words and self.target_size,
    features = self.feedback and self.target.features or self.value_size, side = self.target,
    outputs = self.target_size })
  if self.feedback then make_starts(self) end
  return list_layers(self)
end

function OneToMany:build_weights()
  if self.source_words then self.source_words:build{ -1 } end
  for _, row in ipairs(self.starts or {}) do
    for _, start in ipairs(row) do start:build{ -1, self.value_size } end
  end
  self.decoder:build()
end

function OneToMany:declared_shape()
  return { self.from.features and { -1, self.from.features } or { -1 },
    self.target.vocabulary and { -1, -1 } or { -1, -1, self.target.features } }
end

-- Running -----------------------------------------------------------------------------------------

--- What the decoder begins with: { rows, states (of each layer), value (B, D) }.
function OneToMany:encode(source)
  local value, list = self.source_words and self.source_words(source) or ops.as_real(source), {}
  for i, row in ipairs(self.starts or {}) do
    list[i] = {}
    for k, start in ipairs(row) do list[i][k] = start(value) end
  end
  return { rows = value:size(1), states = list, value = value }
end

-- The value at each of T steps: (B, D) → (B, T, D).
local function repeated(value, steps)
  return ops.broadcast(value:reshape{ value:size(1), 1, value:size(2) },
    { value:size(1), steps, value:size(2) })
end

--- Outputs (B, T, …) and their mask.
-- @tparam {tensor,tensor} x source and what comes before each step of the target
function OneToMany:forward(x, call)
  local training, previous, decoder = call and call.training, x[2], self.decoder
  teaching.check_steps(self, previous)
  local begun = self:encode(x[1])
  local mask = teaching.masks(self, x, call)[2]
  if self.target.vocabulary then mask = mask or ops.not_zero(ops.as_ids(previous)) end
  local y
  if self.feedback then
    y = teaching.run(self, previous, mask, begun, training)
  else
    y = decoder:run(repeated(begun.value, previous:size(2)), mask, begun.states, nil, training)
  end
  return decoder.scores(y), mask
end

-- Kinds as ids (N): ids, or words of the tokenizer.
local function read_kinds(self, where, source)
  if type(source) == "string" or type(source) == "table" and vocabularies.kind(source) ~= "items" then
    local rows = vocabularies.rows(self, where, self.from, source)
    for i, row in ipairs(rows) do
      if #row > 1 then error(("%s: sample %d has %d words, a kind is one"):format(where, i, #row), 0) end
      rows[i] = row[1]
    end
    source = rows
  end
  return data.attempt(where, ops.as_ids, source)
end

--- Values as a tensor (N, D), or kinds (N).
function OneToMany:read_source(where, source, lengths)
  if lengths then error(where .. " is a value and has no lengths", 0) end
  source = self.source_words and read_kinds(self, where, source) or data.attempt(where, ops.as_real, source)
  local shape, wanted = source:shape(), self.source_words and 1 or 2
  if #shape ~= wanted or wanted == 2 and shape[2] ~= self.from.features then
    error(("%s is (%s), expected (samples%s)"):format(where, table.concat(shape, ", "),
      wanted == 2 and ", " .. self.from.features or ""), 0)
  end
  return source
end

--- Source and target as fit needs them.
function OneToMany:lesson(who, source, target, lengths)
  local list = lessons.lengths_of(who, self:input_names(), lengths, 2)
  if list[2] and self.target.vocabulary then error(who .. ": lengths are for targets of vectors", 0) end
  source = self:read_source(who .. ": source", source, list[1])
  local previous, y, own = teaching.teach(self, who .. ": target", target)
  list[2] = list[2] or own
  return { source, previous }, y, next(list) and list
end

-- A step of vectors: what was said (B, 1, K), and the states after it, beyond the tape.
local function step_reals(self, fed, list)
  local _ <close> = ops.tape{ retain_grad = false }
  return ops.no_grad(function()
    local y, after = self.decoder:run(fed, nil, list, nil, false)
    for _, row in ipairs(after) do
      for k, state in ipairs(row) do row[k] = state:clone() end
    end
    return self.decoder.scores(y):clone(), after
  end)
end

-- Vectors (B, steps, K), one after another.
local function decode_reals(self, begun, steps)
  local outputs, fed, list = {}, ops.zeros{ begun.rows, 1, self.target_size }, begun.states
  for t = 1, steps do
    fed, list = step_reals(self, fed, list)
    outputs[t] = fed
  end
  return ops.concat(outputs, 2)
end

-- Everything at once, where the steps do not depend on what was said.
local function decode_without_feedback(self, begun, steps, unknown)
  local y = self.decoder.scores((self.decoder:run(repeated(begun.value, steps), nil, {}, nil, false)))
  if not self.target.vocabulary then return y end
  local rows = ops.argmax_ids(y + decoding.silence(self, unknown), 3):totable()
  for i, row in ipairs(rows) do
    local ids = {}
    for _, id in ipairs(row) do
      if id == self.target.stop_id then break end
      ids[#ids + 1] = id
    end
    rows[i] = vocabularies.show(self.target, ids)
  end
  return rows
end

--- Sequences for values.
-- @tparam tensor|table source vectors (N, D), or kinds (N): ids, or words of the source's tokenizer
-- @tparam[opt] table given as for encoder_decoder, without `attention` and `lengths`; of words without
-- feedback only `max_length` (the model's) and `unknown`, of vectors only `max_length` (the steps)
-- @treturn table|tensor texts or lists of ids; vectors: a tensor (N, steps, K)
function OneToMany:decode(source, given)
  local read = decoding.read(self, given)
  if not self.target.vocabulary then
    decoding.refuse_methods(self, given, "a model of vectors takes max_length alone", { max_length = true })
  elseif not self.feedback then
    decoding.refuse_methods(self, given, "without feedback each step has its likeliest word",
      { max_length = true, unknown = true, method = "greedy" })
  end
  self.report = {}
  source = self:read_source("decode: source", source, read.lengths)
  vocabularies.tell(self, "decode")
  if self.feedback and self.target.vocabulary then
    return (decoding.run(self, source:size(1), function(first, last)
      return self:encode(source:narrow(1, first, last - first + 1))
    end, read))
  end
  return ops.no_grad(function()
    local begun = self:encode(source)
    local decode = self.feedback and decode_reals or decode_without_feedback
    return decode(self, begun, read.max_length, read.unknown)
  end)
end

return OneToMany
