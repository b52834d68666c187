--- What the builders share: descriptions of inputs, stacks of recurrent layers, compiling.
-- @module marea.builders.parts
local nn = require "marea.nn"
local options = require "marea.nn.options"

local parts = {}

local cells = { simple_rnn = "SimpleRNN", lstm = "LSTM", gru = "GRU", simple_gru = "SimpleGRU",
  minimal_gated_unit = "MinimalGatedUnit" }

--- The options of every builder that has a stack of recurrent layers, added to its own.
--
-- `cell` "lstm" (or "gru", "simple_rnn", "simple_gru", "minimal_gated_unit"), `units`, `layers` (1),
-- `dropout` (0) on the inputs of each cell, `recurrent_dropout` (0), `cell_options` (anything else that
-- the cell's class knows, such as { peephole = "gers2000" }); for compile `optimizer` ("adam"), `loss`,
-- `metrics`; and `name`.
function parts.options(own)
  local declared = { cell = "lstm", units = options.required, layers = 1, dropout = 0,
    recurrent_dropout = 0, cell_options = options.optional, optimizer = "adam", loss = options.optional,
    metrics = options.optional, name = options.optional }
  for name, value in pairs(own) do declared[name] = value end
  return declared
end

-- What the builder itself says of its cells.
local taken = { "units", "name", "dropout", "recurrent_dropout", "return_sequences", "return_state",
  "go_backwards", "stateful", "zero_output_for_mask" }

local function check_cell_options(who, given)
  if given == nil then return end
  if type(given) ~= "table" or getmetatable(given) then
    error(("%s: cell_options must be a table of options of the cell, got %s"):format(who,
      options.show(given)), 0)
  end
  for _, name in ipairs(taken) do
    if given[name] ~= nil then
      error(("%s: cell_options has %s, which the builder decides"):format(who, name), 0)
    end
  end
end

--- Checks what `parts.options` declares.
function parts.check(who, given)
  options.choice(who, "cell", given.cell, { "lstm", "gru", "simple_rnn", "simple_gru",
    "minimal_gated_unit" })
  for _, name in ipairs{ "units", "layers" } do
    given[name] = options.integer(who, name, given[name])
  end
  options.number(who, "dropout", given.dropout, 0, 1)
  options.number(who, "recurrent_dropout", given.recurrent_dropout, 0, 1)
  check_cell_options(who, given.cell_options)
end

--- A recurrent layer of the stack. `own` holds what is not the same in all of them.
function parts.cell(given, own)
  local made = { units = given.units, dropout = given.dropout,
    recurrent_dropout = given.recurrent_dropout }
  for name, value in pairs(given.cell_options or {}) do made[name] = value end
  for name, value in pairs(own) do made[name] = value end
  return nn[cells[given.cell]](made)
end

--- A stack of recurrent layers as a list.
-- @tparam table given the builder's options
-- @tparam string prefix of the layers' names
-- @tparam boolean sequences whether the last layer gives every step
-- @tparam[opt] boolean bidirectional
function parts.stack(given, prefix, sequences, bidirectional)
  local list = {}
  for i = 1, given.layers do
    local name = ("%s_%d"):format(prefix, i)
    local layer = parts.cell(given, { return_sequences = sequences or i < given.layers, name = name })
    list[i] = bidirectional and nn.Bidirectional{ layer, name = name } or layer
  end
  return list
end

local input_options = { vocabulary = options.optional, embedding = options.optional,
  tokenizer = options.optional, features = options.optional, mask_value = options.optional,
  weights = options.optional, trainable = options.optional }

local function one_of(who, what, read)
  local ids = read.vocabulary ~= nil or read.tokenizer ~= nil or read.weights ~= nil
  if ids == (read.features ~= nil) then
    error(("%s: %s needs either vocabulary (or a tokenizer) and embedding, for ids, or features, for "
      .. "vectors"):format(who, what), 0)
  end
  return ids
end

local function read_ids(who, what, read)
  if read.tokenizer ~= nil then
    require("marea.generate.texts").require_tokenizer(("%s: %s"):format(who, what), read.tokenizer)
    read.vocabulary = read.vocabulary or read.tokenizer:id_count()
  end
  if read.mask_value ~= nil then
    error(("%s: %s.mask_value serves vectors (features); id 0 is padding"):format(who, what), 0)
  end
  if read.weights == nil then
    read.vocabulary = options.integer(who, what .. ".vocabulary", read.vocabulary)
    read.embedding = options.integer(who, what .. ".embedding", read.embedding)
  end
end

--- A description of an input: { vocabulary, embedding } for ids, of which 0 is padding, { tokenizer,
-- embedding } for texts, or { features } for vectors, where steps of `mask_value` alone are padding.
-- `weights` (V, E) is a table of vectors to start from, `trainable` (true) whether it learns.
-- @treturn table with `ids`, whether it is of ids
function parts.read_input(who, what, given, more)
  local declared = {}
  for name, value in pairs(input_options) do declared[name] = value end
  for name, value in pairs(more or {}) do declared[name] = value end
  if type(given) ~= "table" or getmetatable(given) then
    error(("%s: %s must be a table such as { vocabulary = 1000, embedding = 32 }, got %s"):format(who,
      what, options.show(given)), 0)
  end
  local read = options.read(("%s: %s"):format(who, what), given, declared)
  local ids = one_of(who, what, read)
  if ids then
    read_ids(who, what, read)
  else
    read.features = options.integer(who, what .. ".features", read.features)
    if read.mask_value ~= nil then options.number(who, what .. ".mask_value", read.mask_value) end
  end
  return read, ids
end

--- The Embedding of a description of ids.
function parts.embedding(read, name, mask_zero)
  return nn.Embedding{ input_dim = read.vocabulary, output_dim = read.embedding, weights = read.weights,
    trainable = read.trainable ~= false, mask_zero = mask_zero, name = name }
end

--- The layers that read an input: an Embedding, or Input and maybe Masking.
function parts.reader(who, given)
  local read, ids = parts.read_input(who, "input", given)
  if ids then return { parts.embedding(read, "embedding", true) }, read end
  local list = { nn.Input{ { -1, read.features }, name = "input" } }
  if read.mask_value ~= nil then list[2] = nn.Masking{ read.mask_value, name = "masking" } end
  return list, read
end

local losses = { softmax = "sparse_categorical_crossentropy", sigmoid = "binary_crossentropy" }

--- The Dense layer at the end: `outputs` numbers with `activation`.
function parts.output(who, given)
  return nn.Dense{ options.integer(who, "outputs", given.outputs), activation = given.activation,
    name = "output" }
end

--- Compiles by the builder's options. What is learnt follows from the output's activation where no loss
-- is given: softmax: classes; sigmoid: yes or no; else numbers, by their mean squared error.
function parts.compile(model, given, loss, metrics)
  loss = given.loss or loss or losses[given.activation] or "mean_squared_error"
  if metrics == nil and losses[given.activation] then metrics = { "accuracy" } end
  return model:compile{ optimizer = given.optimizer, loss = loss, metrics = given.metrics or metrics }
end

--- Compiles a model that feeds its output back: of ids by the cross-entropy of its logits, of vectors by
-- the mean squared error, where no loss is given.
function parts.compile_decoder(model, given)
  local loss, metrics = given.loss, given.metrics
  if model.decoder.ids then
    loss = loss or require("marea.losses").SparseCategoricalCrossentropy{ from_logits = true }
    metrics = metrics or { "accuracy" }
  end
  return model:compile{ optimizer = given.optimizer, loss = loss or "mean_squared_error",
    metrics = metrics }
end

return parts
