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
local base = require "marea.model.base"
local Decoder = require "marea.builders.decoder"
local decoding = require "marea.builders.decoding"
local Layer = require "marea.nn.layer"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local recurrent = require "marea.builders.recurrent"
local registry = require "marea.nn.registry"
local teaching = require "marea.builders.teaching"
local vocabularies = require "marea.builders.vocabularies"

local declared = { source = options.required, target = options.required, feedback = true,
  max_length = 50, scheduled_sampling = 0 }
for name, default in pairs(recurrent.options) do declared[name] = default end

--- A model whose `fit`, `evaluate` and `decode` take values.
--
-- `source`: { features = D } for vectors (N, D), or { vocabulary = K, embedding = 64 } for ids of kinds
-- (N). `target`: words, as for encoder_decoder, or { features = K } for vectors (N, steps, K). `feedback`
-- (true), `max_length` (50: words, or steps of vectors), `scheduled_sampling` (0), `cell`, `units`,
-- `num_layers`, `cell_options`, `dropout` as for encoder_decoder.
local OneToMany = Layer:extend("OneToMany", {
  builtin = true,
  masking = "pass",
  takes_list = true,
  options = declared,
})

base(OneToMany)
teaching.extend(OneToMany)

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
  local list = { self.kinds }
  for _, row in ipairs(self.starts or {}) do table.move(row, 1, #row, #list + 1, list) end
  local rest = self.decoder:children()
  return table.move(rest, 1, #rest, #list + 1, list)
end

function OneToMany:init()
  local who = self.class_name
  recurrent.check(self)
  self.from, self.source = vocabularies.read(who, "source", self.source), nil
  self.target = vocabularies.read(who, "target", self.target)
  options.boolean(who, "feedback", self.feedback)
  self.max_length = options.integer(who, "max_length", self.max_length)
  teaching.read_schedule(self)
  if self.from.vocabulary then
    self.kinds = nn.Embedding{ self.from.vocabulary, self.from.embedding, name = "kinds" }
  end
  self.value_size = self.from.features or self.from.embedding
  local words = self.target.vocabulary
  self.target_size = words and vocabularies.add_marks(who, "target", self.target) or self.target.features
  self.decoder = Decoder.new(self, { size = self.feedback and words and self.target_size,
    features = self.feedback and self.target.features or self.value_size, side = self.target,
    outputs = self.target_size })
  if self.feedback then make_starts(self) end
  self.layers = list_layers(self)
  self.children = self.layers
  if not registry.loading() then self:build(self:declared_shape()) end
end

function OneToMany:build_weights()
  if self.kinds then self.kinds:build{ -1 } end
  for _, row in ipairs(self.starts or {}) do
    for _, start in ipairs(row) do start:build{ -1, self.value_size } end
  end
  self.decoder:build()
end

-- What models tell training and saving about themselves.

function OneToMany.input_names() return { "source", "previous" } end

function OneToMany.output_names() return { "target" } end

function OneToMany:declared_shape()
  return { self.from.features and { -1, self.from.features } or { -1 },
    self.target.vocabulary and { -1, -1 } or { -1, -1, self.target.features } }
end

function OneToMany:head_shapes() return { { -1, -1, self.target_size } } end

function OneToMany:output_shape(shapes) return { shapes[2][1], shapes[2][2], self.target_size } end

function OneToMany:embeddings_of(i)
  local words = i == 1 and self.kinds or i == 2 and self.decoder.words
  return { words or nil }, words and true or false
end

function OneToMany.fixed_width() return false end

function OneToMany:get_config()
  return vocabularies.config_of(self, declared)
end

-- Running -----------------------------------------------------------------------------------------

--- What the decoder begins with: { rows, states (of each layer), value (B, D) }.
function OneToMany:encode(source)
  local value, list = self.kinds and self.kinds(source) or ops.as_real(source), {}
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
  if previous:size(2) > self.max_length + 1 then
    self:fail("the teacher's sequence has %d steps, the decoder allows max_length = %d", previous:size(2),
      self.max_length)
  end
  local begun = self:encode(x[1])
  local mask = self.target.vocabulary and ops.not_zero(ops.as_ids(previous)) or nil
  local rate = training and self.feedback and teaching.rate(self) or 0
  local y
  if not self.feedback then
    y = decoder:run(repeated(begun.value, previous:size(2)), mask, begun.states, training)
  elseif rate > 0 then
    y = decoder:run_scheduled(previous, mask, begun.states, nil, rate)
  else
    y = decoder:run(previous, mask, begun.states, training)
  end
  return decoder:score(y, nil, training), mask
end

function OneToMany:call(x, call)
  local y, mask = self:forward(x, call)
  self.last_mask = mask
  return y
end

local function read_source(self, where, source)
  source = self.kinds and ops.as_ids(source) or ops.as_real(source)
  local shape, wanted = source:shape(), self.kinds and 1 or 2
  if #shape ~= wanted or wanted == 2 and shape[2] ~= self.from.features then
    error(("%s is (%s), expected (samples%s)"):format(where, table.concat(shape, ", "),
      wanted == 2 and ", " .. self.from.features or ""), 0)
  end
  return source
end

--- Source and target as fit needs them.
function OneToMany:lesson(who, source, target)
  local previous, y = teaching.teach(self, who .. ": target", target)
  return { read_source(self, who .. ": source", source), previous }, y
end

-- A step of vectors: what was said (B, 1, K), and the states after it, beyond the tape.
local function step_reals(self, fed, list)
  local _ <close> = ops.tape{ retain_grad = false }
  return ops.no_grad(function()
    local y, after = self.decoder:run(fed, nil, list, false)
    for _, row in ipairs(after) do
      for k, state in ipairs(row) do row[k] = state:clone() end
    end
    return self.decoder:score(y, nil, false):clone(), after
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
local function decode_without_feedback(self, begun, steps)
  local y = self.decoder:score(self.decoder:run(repeated(begun.value, steps), nil, {}, false), nil, false)
  if not self.target.vocabulary then return y end
  local rows = ops.argmax_ids(y, 3):totable()
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
-- @tparam tensor|table source vectors (N, D), or ids (N)
-- @tparam[opt] table given as for encoder_decoder, without `attention`; of vectors and without feedback
-- only `max_length` (the steps; the model's)
-- @treturn table|tensor texts or lists of ids; vectors: a tensor (N, steps, K)
function OneToMany:decode(source, given)
  local read = decoding.read(self, given)
  source = read_source(self, "decode: source", source)
  if self.feedback and self.target.vocabulary then
    return (decoding.run(self, source:size(1), function(first, last)
      return self:encode(source:narrow(1, first, last - first + 1))
    end, read))
  end
  return ops.no_grad(function()
    local begun = self:encode(source)
    local decode = self.feedback and decode_reals or decode_without_feedback
    return decode(self, begun, read.max_length)
  end)
end

return OneToMany
