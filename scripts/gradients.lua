-- What goes wrong in recurrent networks, seen: gradients that explode, clipping that tames them, and
-- a dependency that a SimpleRNN forgets and an LSTM carries.
--
-- Usage: marea scripts/gradients.lua [options]
--   --lengths LIST   lengths of the adding problem (default 10,50,100,200,400)
--   --steps N        most training steps a network gets (default 1500)
--   --picture DIR    also draws the three plots as PNG files in this folder
--   --seed N         seed of all random numbers (default 1)
--
-- The adding problem (Hochreiter and Schmidhuber, 1997): every step brings a number from 0 to 1 and
-- a mark; two steps are marked, one in each half; the answer is the sum of their numbers. Who always
-- says 1 has a mean squared error of 1/6.
local marea = require "marea"
local nn, optim, plot = marea.nn, marea.optim, marea.plot

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ lengths = "10,50,100,200,400",
  steps = 1500, seed = 1, picture = "" }
local steps, lengths = options.steps, {}
for length in options.lengths:gmatch("%d+") do lengths[#lengths + 1] = math.tointeger(length) end
local start = marea.clock()
marea.manual_seed(options.seed)

local UNITS <const>, BATCH <const> = 32, 64

local function show(name, curves, given)
  print(plot.curves(curves, given))
  if options.picture ~= "" then
    given.path = ("%s/%s.png"):format(options.picture, name)
    local drawn, message = plot.curves(curves, given)
    print(drawn and "drawn: " .. given.path or message)
  end
end

-- A batch of the adding problem: x (B, T, 2), y (B, 1).
local function adding(length)
  local values, marks, sums = marea.rand{ BATCH, length }, {}, {}
  local first, second = marea.rand{ BATCH }:totable(), marea.rand{ BATCH }:totable()
  for b = 1, BATCH do
    local row, half = {}, length // 2
    for t = 1, length do row[t] = 0 end
    local early = 1 + math.floor(first[b] * half)
    local late = half + 1 + math.floor(second[b] * (length - half))
    row[early], row[late] = 1, 1
    marks[b], sums[b] = row, { values:get(b, early) + values:get(b, late) }
  end
  return marea.stack({ values, marea.tensor(marks) }, 3), marea.tensor(sums)
end

local function network(layer, optimizer)
  local model = marea.Sequential{ layer, nn.Dense{ 1 } }
  model:compile{ optimizer = optimizer, loss = "mse" }
  return model
end

local function rnn(gain)
  return nn.SimpleRNN{ UNITS, name = "recurrent",
    recurrent_initializer = nn.initializers.Orthogonal{ gain = gain } }
end

local function lstm(forget_bias)
  local layer = nn.LSTM{ UNITS, name = "recurrent" }
  layer:build{ -1, -1, 2 }
  layer.bias:narrow(1, UNITS + 1, UNITS):fill_(forget_bias)
  return layer
end

-- An LSTM whose units remember from one step up to `length` steps, spread evenly: the forget gate's
-- bias is the logarithm of that time, the input gate's its negative (Tallec and Ollivier, 2018).
local function patient_lstm(length)
  local layer = lstm(0)
  local spread = marea.rand{ UNITS }:totable()
  for unit = 1, UNITS do
    local bias = math.log(1 + spread[unit] * math.max(length - 2, 0))
    layer.bias:set(unit, -bias)
    layer.bias:set(UNITS + unit, bias)
  end
  return layer
end

print "1  The gradient of one batch, step by step, in networks that have learnt nothing yet (100 steps)"
local curves = {}
local untrained = { { "RNN, gain 0.8", rnn(0.8) }, { "RNN, gain 1", rnn(1) },
  { "RNN, gain 1.5", rnn(1.5) }, { "LSTM, bias 1", lstm(1) }, { "LSTM, bias 5", lstm(5) } }
for _, case in ipairs(untrained) do -- a list: all draw from one stream, so their order counts
  local name, layer = table.unpack(case)
  local model = network(layer, "sgd")
  local x, y = adding(100)
  curves[name] = marea.diagnostics.gradients(model, x * 0.1, y).steps.recurrent.before
end
show("gradient_by_step", curves, { log_y = true, xlabel = "time step", ylabel = "|dL/dh|",
  title = "Norm of the gradient by time step (powers of ten)" })
print [[
Backwards from step 100 to 1: the recurrent kernel multiplies the gradient at each step. With a gain
below 1 nothing arrives, above 1 it grows until tanh saturates. The LSTM multiplies by its forget gate:
σ(1) = 0.73 a step forgets too, σ(5) = 0.99 carries the gradient through all hundred steps.
]]

print "2  Training an RNN that explodes (gain 1.05, 100 steps, SGD), without and with clipping"
local losses, norms = {}, {}
for _, case in ipairs{ { "no clipping" }, { "clipnorm 1", 1 } } do
  local name, clip = table.unpack(case)
  local model = network(rnn(1.05), optim.SGD{ learning_rate = 0.1, clipnorm = clip })
  losses[name], norms[name] = {}, 0
  for step = 1, math.min(200, steps) do
    local ok, loss, norm = pcall(model.train_on_batch, model, adding(100))
    if not ok then
      print(("%s: stopped at step %d: %s"):format(name, step, loss))
      break
    end
    losses[name][step], norms[name] = math.min(loss, 1e9), math.max(norms[name], norm)
  end
  print(("%-12s last loss %8.3g, largest norm of a gradient %.3g"):format(name,
    losses[name][#losses[name]], norms[name]))
end
show("clipping", losses, { log_y = true, xlabel = "step", ylabel = "loss",
  title = "Loss (powers of ten)" })

print(("\n3  The adding problem, %d steps of %d sequences at most, Adam, clipnorm 1; always saying 1 has "
  .. "an error of 0.1667"):format(steps, BATCH))

-- Trains until the error of ten batches stays below 0.01, or steps are used up.
local function train(make, length, rate)
  local model = network(make(length), optim.Adam{ learning_rate = rate, clipnorm = 1 })
  local recent = {}
  for step = 1, steps do
    recent[(step - 1) % 10 + 1] = model:train_on_batch(adding(length))
    local worst = math.max(table.unpack(recent))
    if #recent == 10 and worst < 0.01 then return step, model end
  end
  return nil, model
end

local function error_on_new(model, length)
  local sum = 0
  for _ = 1, 10 do
    local x, y = adding(length)
    sum = sum + model:evaluate(x, y).loss
  end
  return sum / 10
end

local contestants = {
  { "SimpleRNN", function() return rnn(1) end, 0.001 },
  { "LSTM", patient_lstm, 0.01 },
}
local results = { SimpleRNN = {}, LSTM = {} }
print("length   SimpleRNN: error, steps         LSTM: error, steps       seconds")
for _, length in ipairs(lengths) do
  local began, cells = marea.clock(), {}
  for i, contestant in ipairs(contestants) do
    local name, make, rate = table.unpack(contestant)
    local solved, model = train(make, length, rate)
    local err = error_on_new(model, length)
    table.insert(results[name], { length, err })
    cells[i] = ("%8.4f %12s"):format(err, solved and "solved, " .. solved or "not solved")
  end
  print(("%6d   %-29s   %-29s %5.1f"):format(length, cells[1], cells[2], marea.clock() - began))
end
show("adding", results, { xlabel = "length", ylabel = "error",
  title = "Mean squared error on new sequences" })
print(("\n%.0f s. Both had the same steps; the LSTM's forget gates start open for 1 to `length` steps."):format(
  marea.clock() - start))
