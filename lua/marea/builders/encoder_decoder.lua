--- Sequence → sequence of another length: an encoder, whose last states the decoder begins in (Sutskever
-- et al., 2014), with or without attention over the encoder's steps.
--
-- Attention comes after the decoder's recurrence (Luong et al., 2015), so that training with teacher
-- forcing runs each recurrent layer once over the whole sequence. Their input feeding, where the decoder
-- reads the attention's last output, is not offered: it would need a step after another in training,
-- which costs most of the speed for about one point of BLEU (their table 1).
-- @module marea.builders.encoder_decoder
local decoder = require "marea.builders.decoder"
local feeding = require "marea.builders.feeding"
local generating = require "marea.builders.generating"
local Layer = require "marea.nn.layer"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local sources = require "marea.builders.pairs"
local parts = require "marea.builders.parts"
local registry = require "marea.nn.registry"

local room = {}

local who <const> = "encoder_decoder"

local declared = parts.options{ source = options.required, target = options.required,
  bidirectional = false, attention = false, scheduled_sampling = 0, max_length = 100 }
local own = { trainable = true }
for name, default in pairs(declared) do own[name] = default end
for _, name in ipairs{ "optimizer", "loss", "metrics" } do own[name] = nil end

local Class = Layer:extend("EncoderDecoder", {
  builtin = true,
  masking = "pass",
  takes_list = true,
  options = own,
})
room.class = Class

generating.extend(Class)

local function check(plan)
  parts.check(who, plan)
  options.boolean(who, "bidirectional", plan.bidirectional)
  if plan.attention then
    options.choice(who, "attention", plan.attention, { "dot", "general", "additive" })
  end
  feeding.check(who, plan.scheduled_sampling)
  plan.max_length = options.integer(who, "max_length", plan.max_length)
end

-- The layers that read the source before the recurrence.
local function source_layers(self)
  local source = self.plan.source
  if self.reads_ids then
    self.source_embedding = parts.embedding(source, "encoder_embedding", true)
    return { self.source_embedding }
  end
  return source.mask_value ~= nil and { nn.Masking{ source.mask_value, name = "encoder_masking" } } or {}
end

local function joined_sizes(self, cell)
  local forward = cell.forward or cell
  local sizes = {}
  for i, size in ipairs(forward.state_size) do sizes[i] = self.plan.bidirectional and 2 * size or size end
  return sizes
end

-- A Dense layer for each state whose size the decoder does not share, such as both directions joined.
local function make_bridges(self)
  local sizes, place, bridges = self.decoder:state_sizes(), 0, {}
  for i, cell in ipairs(self.encoder) do
    for k, size in ipairs(joined_sizes(self, cell)) do
      place = place + 1
      if size ~= sizes[place] then
        local layer = nn.Dense{ sizes[place], name = ("bridge_%d_%d"):format(i, k) }
        bridges[place] = layer
        table.insert(self.layers, layer)
      end
    end
  end
  return bridges
end

function Class:init()
  local plan = generating.take_plan(self)
  check(plan)
  plan.source, self.reads_ids = parts.read_input(who, "source", plan.source)
  plan.target, self.marks = sources.read_target(who, plan.target, true)
  self.target, self.max_length = plan.target, plan.max_length
  self.tokenizers = { source = plan.source.tokenizer, target = plan.target.tokenizer }
  self.readers = source_layers(self)
  self.encoder = parts.stack(plan, "encoder", plan.attention ~= false, plan.bidirectional)
  local last = self.encoder[#self.encoder]
  local width = (last.forward or last).state_units * (plan.bidirectional and 2 or 1)
  self.decoder = decoder.new(who, plan, width)
  for _, list in ipairs{ self.readers, self.encoder, self.decoder.layers } do
    table.move(list, 1, #list, #self.layers + 1, self.layers)
  end
  self.bridges = make_bridges(self)
  self.children = self.layers
  if not registry.loading() then self:build(self:declared_shape()) end
end

--- The shapes of the inputs: { source, teacher }.
function Class:declared_shape()
  local teacher = self.decoder.ids and { -1, -1 } or { -1, -1, self.target.features }
  return { self.reads_ids and { -1, -1 } or { -1, -1, self.plan.source.features }, teacher }
end

function Class:build_weights()
  self.input_shape = self:declared_shape()
  local shape = self.input_shape[1]
  for _, layers in ipairs{ self.readers, self.encoder } do
    for _, layer in ipairs(layers) do
      layer:build(shape)
      shape = layer:output_shape(shape)
    end
  end
  self.decoder:build()
  local place = 0
  for _, cell in ipairs(self.encoder) do
    for _, size in ipairs(joined_sizes(self, cell)) do
      place = place + 1
      if self.bridges[place] then self.bridges[place]:build{ -1, size } end
    end
  end
end

-- The states of a layer, those of both directions side by side.
local function join_states(self, results)
  if not self.plan.bidirectional then return table.move(results, 2, results.n, 1, {}) end
  local half, list = (results.n - 1) // 2, {}
  for i = 1, half do list[i] = ops.concat({ results[i + 1], results[i + 1 + half] }, 2) end
  return list
end

--- What the decoder begins with: { states, memory }.
-- @tparam tensor x sources
-- @tparam[opt] tensor mask (B, S)
-- @tparam[opt] boolean training
function Class:encode(x, mask, training)
  local list = {}
  for _, layer in ipairs(self.readers) do
    local y = layer(x, { mask = mask, training = training })
    x, mask = y, layer:compute_mask(x, mask)
  end
  for _, cell in ipairs(self.encoder) do
    local results = table.pack(cell(x, { mask = mask, training = training, return_state = true }))
    x = results[1]
    for _, state in ipairs(join_states(self, results)) do
      local bridge = self.bridges[#list + 1]
      list[#list + 1] = bridge and bridge(state) or state
    end
  end
  local attention = self.decoder.attention
  return { states = list, memory = attention and attention:remember(x, mask) or nil }
end

--- Sources as one tensor.
Class.read_source = sources.source

--- An encoder–decoder: one model with `fit(sources, targets)` and `decode(sources)`.
--
-- @tparam table given `source` and `target` (see marea.builders.parts.read_input; { tokenizer,
-- embedding }, { vocabulary, embedding } or { features }; the target of ids also `start` and `stop`, ids
-- or tokens of its tokenizer, by default "<s>" and "</s>"; of vectors `activation`), `units`,
-- `bidirectional` (false; of the encoder), `attention` (false, "dot", "general" or "additive"; see
-- marea.builders.attending), `max_length` (100; steps of a target at most, with its stop mark),
-- `scheduled_sampling` (0; the share of steps that read the model's own output in training, or
-- function(epoch), which a file does not hold; see marea.builders.feeding), and what
-- marea.builders.parts.options names
-- @treturn EncoderDecoder compiled; other methods: attention_weights, source_of
-- @raise for options out of range, and when the target's vocabulary lacks a mark
function room.build(given)
  local read = options.read(who, given, declared)
  local made = {}
  for name in pairs(own) do made[name] = read[name] end
  made.name = read.name or who
  local model = Class(made)
  return parts.compile_decoder(model, read)
end

return room
