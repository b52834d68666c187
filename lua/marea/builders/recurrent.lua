--- Recurrent layers one on another, as the builders ask for them.
-- @module marea.builders.recurrent
local nn = require "marea.nn"
local options = require "marea.nn.options"

local recurrent = {}

local cells = { rnn = "SimpleRNN", simplernn = "SimpleRNN", gru = "GRU", lstm = "LSTM",
  simplegru = "SimpleGRU", mgu = "MinimalGatedUnit", minimalgatedunit = "MinimalGatedUnit" }

--- What every builder says about its recurrent layers, with defaults.
recurrent.options = { cell = "LSTM", units = 64, num_layers = 1, cell_options = options.optional, dropout = 0 }

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
  options.number(who, "dropout", self.dropout, 0, 1)
  if self.cell_options ~= nil and type(self.cell_options) ~= "table" then
    error(("%s: cell_options must be a table of the cell's options, got %s"):format(who,
      options.show(self.cell_options)), 0)
  end
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
