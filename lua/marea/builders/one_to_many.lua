--- Value → sequence: by repeating the value at every step, or by a loop that reads its own output.
-- @module marea.builders.one_to_many
local decoder = require "marea.builders.decoder"
local feeding = require "marea.builders.feeding"
local generating = require "marea.builders.generating"
local Layer = require "marea.nn.layer"
local marea = require "marea.model"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local sources = require "marea.builders.pairs"
local parts = require "marea.builders.parts"
local registry = require "marea.nn.registry"

local room = {}

local who <const> = "one_to_many"

local declared = parts.options{ input = options.required, target = options.required,
  steps = options.required, feedback = true, teacher_forcing = true, scheduled_sampling = 0 }
local own = { trainable = true }
for name, default in pairs(declared) do own[name] = default end
for _, name in ipairs{ "optimizer", "loss", "metrics", "feedback" } do own[name] = nil end

local Class = Layer:extend("OneToMany", {
  builtin = true,
  masking = "refuse",
  mask_hint = "its input has no time axis",
  takes_list = true,
  options = own,
})
room.class = Class

generating.extend(Class)

local function check(plan)
  parts.check(who, plan)
  plan.steps = options.integer(who, "steps", plan.steps)
  options.boolean(who, "teacher_forcing", plan.teacher_forcing)
  feeding.check(who, plan.scheduled_sampling)
  if not plan.teacher_forcing and plan.scheduled_sampling ~= 0 and plan.scheduled_sampling ~= 1 then
    error(who .. ": scheduled_sampling mixes teacher forcing and the model's own output; leave it out "
      .. "with teacher_forcing = false", 0)
  end
end

function Class:init()
  local plan = generating.take_plan(self)
  check(plan)
  plan.input, self.reads_ids = parts.read_input(who, "input", plan.input)
  plan.target, self.marks = sources.read_target(who, plan.target, true)
  self.input, self.target = plan.input, plan.target
  self.steps, self.max_length = plan.steps, plan.steps
  if not plan.teacher_forcing then self.scheduled_sampling, self.free_running = 1, true end
  self.tokenizers = { source = plan.input.tokenizer, target = plan.target.tokenizer }
  self.decoder = decoder.new(who, plan)
  if self.reads_ids then
    self.source_embedding = parts.embedding(plan.input, "input_embedding", false)
    self.layers[1] = self.source_embedding
  end
  self.first = {}
  for i, size in ipairs((self.decoder:state_sizes())) do
    self.first[i] = nn.Dense{ size, activation = "tanh", name = "state_" .. i }
    table.insert(self.layers, self.first[i])
  end
  table.move(self.decoder.layers, 1, #self.decoder.layers, #self.layers + 1, self.layers)
  self.children = self.layers
  if not registry.loading() then self:build(self:declared_shape()) end
end

--- The shapes of the inputs: { value, teacher }.
function Class:declared_shape()
  return { self.reads_ids and { -1, 1 } or { -1, self.input.features },
    self.decoder.ids and { -1, -1 } or { -1, -1, self.target.features } }
end

function Class:build_weights()
  self.input_shape = self:declared_shape()
  local width = self.input.features
  if self.reads_ids then
    self.source_embedding:build{ -1, 1 }
    width = self.source_embedding.output_dim
  end
  for _, layer in ipairs(self.first) do layer:build{ -1, width } end
  self.decoder:build()
end

--- The states that the decoder begins in: tanh of the value, or of its embedding, by a Dense layer each.
function Class:encode(x, _, training)
  if self.reads_ids then
    local y = self.source_embedding(x, { training = training })
    x = y:reshape{ x:size(1), self.source_embedding.output_dim }
  end
  local list = {}
  for i, layer in ipairs(self.first) do list[i] = layer(x) end
  return { states = list }
end

local shape_text = require("marea.nn.weights").shape_text

--- Values as one tensor: ids (N, 1) or vectors (N, D).
function Class:read_source(caller, x)
  if self.reads_ids and self.tokenizers.source and type(x) == "table" and type(x[1]) == "string" then
    x = sources.source(self, caller, x)
  end
  if type(x) ~= "table" and not ops.is_tensor(x) then
    self:fail("%s: source must be a tensor or a table, got %s", caller, options.show(x))
  end
  x = ops.tensor(x, self.reads_ids and { dtype = "int32" } or nil)
  x = self.reads_ids and ops.as_ids(x) or ops.as_real(x)
  local shape = x:shape()
  local width = self.reads_ids and 1 or self.input.features
  if #shape == 1 and width == 1 then shape = { shape[1], 1 } end
  if #shape ~= 2 or shape[2] ~= width or shape[1] == 0 then
    self:fail("%s: source is %s, expected (batch, %d)", caller, shape_text(x:shape()), width)
  end
  return x:reshape(shape)
end

-- Without feedback ----------------------------------------------------------------------------------

local function check_plain(read)
  for _, name in ipairs{ "teacher_forcing", "scheduled_sampling" } do
    if read[name] ~= declared[name] then
      error(("%s: %s says what is fed back; feedback is false"):format(who, name), 0)
    end
  end
end

-- The value repeated at every step: a Sequential, all of whose steps run at once.
local function build_plain(read)
  check_plain(read)
  parts.check(who, read)
  local input, ids = parts.read_input(who, "input", read.input)
  local target = sources.read_target(who, read.target, false)
  local layers
  if ids then
    layers = { nn.Input{ { 1 }, dtype = "int32", name = "input" },
      parts.embedding(input, "embedding", false),
      nn.Reshape{ { input.embedding }, name = "vector" } }
  else
    layers = { nn.Input{ { input.features }, name = "input" } }
  end
  layers[#layers + 1] = nn.RepeatVector{ options.integer(who, "steps", read.steps), name = "repeat" }
  local stack = parts.stack(read, read.cell, true)
  table.move(stack, 1, #stack, #layers + 1, layers)
  local activation = target.vocabulary and "softmax" or target.activation or "linear"
  layers[#layers + 1] = nn.Dense{ target.vocabulary or target.features, activation = activation,
    name = "output" }
  local model = marea.Sequential{ layers = layers, name = read.name or who }
  read.activation = activation
  return parts.compile(model, read)
end

--- A model of sequences that follow from a value.
--
-- With `feedback` the decoder begins in states that come from the value and reads its own output, step
-- by step; `fit(values, sequences)` teaches it by teacher forcing, `decode(values)` runs it. Without
-- feedback the value is repeated at every step (RepeatVector), all steps run at once, and the result is a
-- Sequential: fit, evaluate and predict.
-- @usage builders.one_to_many{ input = { features = 2 }, target = { features = 1 }, steps = 20, units = 32 }
-- @tparam table given `input` { features } or { vocabulary, embedding } (one id), `target` { features,
-- activation } or { vocabulary or tokenizer, embedding, start, stop }, `steps` (of vectors exactly, of
-- ids at most, with the stop mark), `units`, `feedback` (true), `teacher_forcing` (true; false: the model
-- reads its own output in training too), `scheduled_sampling` (0; as for encoder_decoder), and what
-- marea.builders.parts.options names
-- @treturn OneToMany|Sequential compiled
function room.build(given)
  local read = options.read(who, given, declared)
  options.boolean(who, "feedback", read.feedback)
  if not read.feedback then return build_plain(read) end
  local made = {}
  for name in pairs(own) do made[name] = read[name] end
  made.name = read.name or who
  return parts.compile_decoder(Class(made), read)
end

return room
