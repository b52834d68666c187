--- What the specs of training share.
local marea = require "marea"
local nn = marea.nn

local support = {}

--- Rows of ids of different lengths, a class for each, and the lengths.
function support.corpus(n, width, padding)
  local rows, y = {}, {}
  for i = 1, n do
    rows[i] = {}
    for t = 1, (i * 5) % width + 1 do rows[i][t] = (i * 7 + t * t * 3) % 9 + 1 end
    y[i] = rows[i][1] > 5 and 1 or 0
  end
  local x, report = marea.sequence.pad_sequences(rows, { maxlen = width, padding = padding })
  return x, marea.tensor(y), report.lengths
end

--- A small network that reads such rows, the same for the same seed.
function support.classifier(seed, options)
  options = options or {}
  marea.manual_seed(seed or 1)
  nn.reset_names()
  return marea.Sequential{
    nn.Embedding{ 10, 4, mask_zero = options.mask_zero ~= false },
    nn.GRU{ 6, dropout = options.dropout or 0, recurrent_dropout = options.dropout or 0 },
    nn.Dense{ 1, activation = "sigmoid" },
  }:compile{ optimizer = options.optimizer or marea.optim.Adam{ learning_rate = .05 },
    loss = "binary_crossentropy", metrics = { "accuracy" } }
end

--- Whether two models have the same weights, bit for bit.
function support.same_weights(a, b)
  local left, right = a:get_weights(), b:get_weights()
  for i = 1, #left do
    if not left[i]:same(right[i]) then return false end
  end
  return #left == #right
end

--- Options of a fit that prints nothing.
function support.with(given)
  local result = { verbose = 0 }
  for key, value in pairs(given) do result[key] = value end
  return result
end

return support
