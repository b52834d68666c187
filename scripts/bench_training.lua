-- The Marea side of scripts/bench: trains one model on random ids and prints samples/s and MB.
-- Usage: marea scripts/bench_training.lua CELL BATCH THREADS SECONDS
local marea = require "marea"
local nn = marea.nn

local TIME <const>, VOCABULARY <const> = 200, 10000
local cells = {
  rnn32 = { 32, function() return nn.SimpleRNN { 32 } end },
  gru32 = { 32, function() return nn.GRU { 32 } end },
  lstm32 = { 32, function() return nn.LSTM { 32 } end },
  lstm128 = { 100, function() return nn.LSTM { 128 } end },
  flatten8 = { 8, function() return nn.Flatten {} end },
}

local cell, batch, threads, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local width, recurrent = table.unpack(cells[cell] or error("unknown cell"))
marea.threads(threads)
marea.manual_seed(1)

local rows, labels = {}, {}
for i = 1, batch do
  rows[i], labels[i] = {}, { math.random(0, 1) }
  for t = 1, TIME do rows[i][t] = math.random(1, VOCABULARY - 1) end
end
local ids = marea.tensor(rows, { dtype = "int32" })
local targets = marea.tensor(labels)

local model = marea.Sequential {
  nn.Embedding { VOCABULARY, width },
  recurrent(),
  nn.Dense { 1, activation = "sigmoid" },
}
model:compile { optimizer = "adam", loss = "binary_crossentropy" }

marea.memory("reset")

local function step() model:train_on_batch(ids, targets) end

for _ = 1, 3 do step() end
local done, start = 0, marea.clock()
while marea.clock() - start < seconds do
  step()
  done = done + batch
end
print(string.format("%.1f %.1f", done / (marea.clock() - start), marea.memory().peak / 2 ^ 20))
