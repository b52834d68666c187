--- encoder_decoder: a sequence to another one of another length (Sutskever, Vinyals & Le, 2014; Cho et
-- al., 2014), with or without attention (Bahdanau, Cho & Bengio, 2015; Luong, Pham & Manning, 2015).
--
--     local model = marea.builders.encoder_decoder{ source = { tokenizer = english },
--       target = { tokenizer = spanish }, units = 128, attention = "general", bidirectional = true }
--     model:fit(sentences, translations, { epochs = 10, validation_split = 0.1 })
--     print(model:decode("I am cold"))
--     print(model:decode("I am cold", { method = "beam", width = 5 }))
--
-- The encoder's last states are the decoder's first ones (through a layer of their own when it is
-- bidirectional). Padding hides itself: id 0.
-- @module marea.builders.encoder_decoder
local data = require "marea.model.data"
local Decoder = require "marea.builders.decoder"
local decoding = require "marea.builders.decoding"
local lessons = require "marea.builders.lessons"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local recurrent = require "marea.builders.recurrent"
local sequence = require "marea.sequence"
local teaching = require "marea.builders.teaching"
local vocabularies = require "marea.builders.vocabularies"

--- A model whose `fit` and `evaluate` take sources and targets, and whose `decode` takes sources.
--
-- `source` and `target`: { tokenizer = } or { vocabulary = number of ids }, with `embedding` (64),
-- `weights` and `trainable` as for nn.Embedding; the source may be { features = D } instead, for
-- sequences of vectors. The target's `start` and `stop` marks are tokens or ids of the vocabulary, or,
-- when they are not given, two ids more. `cell` ("LSTM"), `units` (64), `num_layers` (1), `cell_options`
-- (of the cell's class), `bidirectional` (false: the encoder), `dropout` (0: before each recurrent layer
-- and before the scores), `attention` (false, "dot", "general" or "additive"), `max_length` (50: words
-- of a target), `scheduled_sampling` (0: the share of tokens that the decoder feeds itself in training;
-- or { from = 0, to = 0.5, epochs = 10 }), `bias_from_shares` (true: the first `fit` gives the scores' bias
-- the logarithm of each token's share of the targets, unless it already holds something).
--
-- `fit` takes what a model's does, sources and targets as texts, lists of words or ids of any lengths, or
-- matrices of ids padded with 0, and sources of vectors as lists or (N, S, D) with `lengths` (N); with
-- `bucket_by_length` batches hold targets of like length, and among those sources of like length, and each
-- batch is as wide as its longest.
local SequenceToSequence = teaching.class("SequenceToSequence", { attention = false,
  bidirectional = false })

-- The layers that make a bidirectional encoder's states the decoder's.
local function make_bridges(self)
  self.bridges = {}
  for i, layer in ipairs(self.decoder.layers) do
    self.bridges[i] = {}
    for k, width in ipairs(layer.state_size) do
      self.bridges[i][k] = nn.Dense{ width, activation = k == 1 and "tanh" or nil,
        name = ("bridge_%d_%s"):format(i, k == 1 and "h" or "c") }
    end
  end
end

local function make_encoder(self)
  self.source_words = recurrent.reader(self.from, "source_words")
  self.encoder = {}
  for i = 1, self.num_layers do
    self.encoder[i] = recurrent.layer(self, "encoder_" .. i, true, self.bidirectional)
  end
  if self.dropout > 0 then self.encoder_drop = nn.Dropout{ self.dropout, name = "encoder_dropout" } end
end

local function list_layers(self)
  local list = { self.source_words }
  table.move(self.encoder, 1, #self.encoder, #list + 1, list)
  list[#list + 1] = self.encoder_drop
  for _, row in ipairs(self.bridges or {}) do table.move(row, 1, #row, #list + 1, list) end
  local rest = self.decoder:children()
  return table.move(rest, 1, #rest, #list + 1, list)
end

function SequenceToSequence:make()
  local who = self.class_name
  if not self.target.vocabulary then
    error(who .. ": the target must be words; marea.builders.one_to_many gives vectors", 0)
  end
  if self.attention then options.choice(who, "attention", self.attention, { "dot", "general", "additive" }) end
  options.boolean(who, "bidirectional", self.bidirectional)
  self.target_size = vocabularies.add_marks(who, "target", self.target)
  make_encoder(self)
  local width = self.encoder[#self.encoder]
  width = self.bidirectional and width.forward.state_size[1] * 2 or width.state_size[1]
  self.decoder = Decoder.new(self, { size = self.target_size, side = self.target,
    outputs = self.target_size, attention = self.attention, memory_features = width })
  if self.bidirectional then make_bridges(self) end
  return list_layers(self)
end

function SequenceToSequence:build_weights()
  local features = self.from.features or self.source_words:build{ -1, -1 }.output_dim
  for _, layer in ipairs(self.encoder) do
    if self.encoder_drop then self.encoder_drop:build{ -1, -1, features } end
    layer:build{ -1, -1, features }
    features = layer:output_shape({ -1, -1, features })[3]
  end
  for i, row in ipairs(self.bridges or {}) do
    for k, bridge in ipairs(row) do bridge:build{ -1, 2 * self.decoder.layers[i].state_size[k] } end
  end
  self.decoder:build()
end

function SequenceToSequence:declared_shape()
  return { self.from.features and { -1, -1, self.from.features } or { -1, -1 }, { -1, -1 } }
end

-- Running -----------------------------------------------------------------------------------------

-- Forward states, then backward ones → one of each kind.
local function hand_over(self, i, list)
  local row = self.bridges and self.bridges[i]
  if not row then return list end
  local merged = {}
  for k, bridge in ipairs(row) do merged[k] = bridge(ops.concat({ list[k], list[#row + k] }, 2)) end
  return merged
end

--- What the decoder begins with: { rows, states (of each layer), memory }.
-- @tparam tensor source (B, S) ids or (B, S, D)
-- @tparam[opt] boolean training
-- @tparam[opt] tensor mask (B, S) of more than the padding of words
function SequenceToSequence:encode(source, training, mask)
  local x, list = source, {}
  if self.source_words then
    x, mask = self.source_words(source), self.source_words:compute_mask(source, mask)
  end
  for i, layer in ipairs(self.encoder) do
    if self.encoder_drop then x = self.encoder_drop(x, { training = training }) end
    local results = table.pack(layer(x, { mask = mask, training = training, return_state = true }))
    x, list[i] = results[1], hand_over(self, i, table.move(results, 2, layer.states + 1, 1, {}))
  end
  return { rows = source:size(1), states = list, memory = self.decoder:remember(x, mask) }
end

--- Scores (B, T, ids) of the tokens that follow `previous`, and their mask.
-- @tparam {tensor,tensor} x source (B, S) and previous (B, T): the start mark and the target's tokens
function SequenceToSequence:forward(x, call)
  local training, previous = call and call.training, ops.as_ids(x[2])
  teaching.check_steps(self, previous)
  local masks = teaching.masks(self, x, call)
  local begun, decoder = self:encode(x[1], training, masks[1]), self.decoder
  local mask = decoder.words:compute_mask(previous, masks[2])
  local y = teaching.run(self, previous, mask, begun, training)
  return decoder.scores(y), mask
end

-- Ids of the first steps of each row.
local function cut(where, source, lengths)
  if ops.is_tensor(source) then source = data.attempt(where, ops.as_ids, source):totable() end
  if type(source) ~= "table" or vocabularies.kind(source) ~= "items" or type(source[1]) ~= "table" then
    error(where .. ": lengths are for ids and vectors; texts and lists of words have their own", 0)
  end
  lengths = lessons.lengths(where, lengths, #source, function(i) return #source[i] end)
  local rows = {}
  for i, row in ipairs(source) do rows[i] = table.move(row, 1, lengths[i], 1, {}) end
  return rows
end

-- Sources as the encoder reads them: rows of ids, or a tensor of vectors; their number; lengths (N).
local function read_source(self, where, source, lengths)
  if not self.from.vocabulary then
    local x, own = lessons.vectors(where, self.from.features, source)
    if lengths then
      own = ops.tensor(lessons.lengths(where, lengths, x:size(1), function() return x:size(2) end),
        { dtype = "int32" })
    end
    return x, x:size(1), own
  end
  if lengths then source = cut(where, source, lengths) end
  local rows = vocabularies.rows(self, where, self.from, source)
  return rows, #rows
end

local function padded(self, source, first, last)
  if not self.from.vocabulary then return source:narrow(1, first, last - first + 1) end
  return (sequence.pad_sequences(table.move(source, first, last, 1, {}), { padding = "post" }))
end

--- Sources as one tensor, and their lengths.
function SequenceToSequence:read_source(where, source, lengths)
  local read, rows, own = read_source(self, where, source, lengths)
  return padded(self, read, 1, rows), own
end

--- Source and target as fit needs them.
function SequenceToSequence:lesson(who, source, target, lengths)
  local list = lessons.lengths_of(who, self:input_names(), lengths, 1)
  source, list[1] = self:read_source(who .. ": source", source, list[1])
  local previous, y = teaching.teach(self, who .. ": target", target)
  if y:size(1) ~= source:size(1) then
    error(("%s: %d sources and %d targets"):format(who, source:size(1), y:size(1)), 0)
  end
  return { source, previous }, y, next(list) and list
end

--- Targets for sources.
-- @param source texts (one, or a list), lists of words or ids, a padded int32 matrix, or vectors: (N, S, D),
-- or lists of them of any lengths
-- @tparam[opt] table given `method` ("greedy": the likeliest token at each step; "beam": `width` (5),
-- `n_best` (1), `length_penalty` (1), `penalty` as for marea.generate.beam; "sample": `temperature`,
-- `top_k`, `top_p`, `min_p`, `repetition_penalty`, `seed` as for marea.generate.tokens; an option of another
-- method than the one that is asked for is refused, but for the seed), `max_length`
-- (the model's), `batch_size` (64, greedy), `attention` (false; true, greedy: the weights follow), `unknown`
-- (false; true: the tokenizer's unknown word may be said), `lengths` (N: the steps of ids or vectors that count)
-- @treturn table a text (or, without a tokenizer, ids) for each source; one alone for one text; with
-- n_best > 1 lists of hypotheses with `output`, `tokens`, `score`, `log_probability`
-- @treturn table with `attention`: for each source a list, for each token the weights of the source's steps
function SequenceToSequence:decode(source, given)
  local single = type(source) == "string"
  local read = decoding.read(self, given)
  self.report = {}
  local rows, count, lengths = read_source(self, "decode: source", single and { source } or source, read.lengths)
  vocabularies.tell(self, "decode")
  local results, attention = decoding.run(self, count, function(first, last)
    local x, mask = padded(self, rows, first, last), nil
    if lengths then mask = self:read_mask({ x }, { lengths = { lengths:narrow(1, first, last - first + 1) } })[1] end
    return self:encode(x, false, mask)
  end, read)
  if single then return results[1], attention and attention[1] end
  return results, attention
end

return SequenceToSequence
