--- Recurrent layers one on another, as the builders ask for them.
-- @module marea.builders.recurrent
local nn = require "marea.nn"
local options = require "marea.nn.options"

local recurrent = {}

-- More than anyone trains; a file that asks for millions would be built for ever.
local most_layers <const> = 100

local cells = { rnn = "SimpleRNN", simplernn = "SimpleRNN", gru = "GRU", lstm = "LSTM",
  simplegru = "SimpleGRU", mgu = "MinimalGatedUnit", minimalgatedunit = "MinimalGatedUnit" }

--- What every builder says about its recurrent layers, with defaults.
recurrent.options = { cell = "LSTM", units = 64, num_layers = 1, cell_options = options.optional, dropout = 0 }

-- Options of a cell that the builder sets itself, and what serves instead.
local own = {
  units = "give the builder's own units", name = "the builder names its layers",
  return_sequences = "the builder sets it for each layer", return_state = "the builder asks for states itself",
  go_backwards = "a layer that reads backwards gives its steps in reverse order and, in a decoder, has read "
    .. "the future; use bidirectional = true, or reverse the sequences",
  zero_output_for_mask = "padding is hidden by masks; the last output of a padded sequence would be 0",
  stateful = "each sequence begins with states of its own",
}

local function check_cell_options(who, given)
  if given == nil then return end
  if type(given) ~= "table" then
    error(("%s: cell_options must be a table of the cell's options, got %s"):format(who, options.show(given)), 0)
  end
  for name in pairs(given) do
    if type(name) ~= "string" then
      error(("%s: cell_options are given by name, got one at place %s"):format(who, tostring(name)), 0)
    elseif own[name] then
      error(("%s: cell_options cannot hold %s: %s"):format(who, name, own[name]), 0)
    end
  end
end

--- Checks those options of a builder and brings the cell's name into its usual form.
function recurrent.check(self)
  local who = self.class_name
  local name = type(self.cell) == "string" and cells[self.cell:lower()]
  if not name then
    error(("%s: cell must be one of GRU, LSTM, MinimalGatedUnit, SimpleGRU, SimpleRNN, got %s"):format(who,
      options.show(self.cell)), 0)
  end
  self.cell = name
  self.units = options.integer(who, "units", self.units)
  self.num_layers = options.integer(who, "num_layers", self.num_layers)
  if self.num_layers > most_layers then
    error(("%s: num_layers must be at most %d, got %d"):format(who, most_layers, self.num_layers), 0)
  end
  options.number(who, "dropout", self.dropout, 0, 1)
  check_cell_options(who, self.cell_options)
end

--- One recurrent layer of a builder; `bidirectional` wraps it.
function recurrent.layer(self, name, return_sequences, bidirectional)
  local given = { self.units, return_sequences = return_sequences, name = name }
  for option, value in pairs(self.cell_options or {}) do given[option] = value end
  local layer = nn[self.cell](given)
  return bidirectional and nn.Bidirectional{ layer, name = "both_" .. name } or layer
end

--- What turns the builder's input into features: an Embedding of words that hides id 0, or nothing.
-- @tparam table side `vocabulary` (number of ids), `embedding`, `weights`, `trainable`; or `features`
function recurrent.reader(side, name)
  if not side.vocabulary then return nil end
  return nn.Embedding{ side.vocabulary, not side.weights and side.embedding or nil, mask_zero = true,
    weights = side.weights, trainable = side.trainable, name = name }
end

return recurrent
