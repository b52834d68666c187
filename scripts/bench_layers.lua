-- The Marea side of `scripts/bench layers`: forward and backward of one layer, in milliseconds of
-- processor time a step.
-- Usage: marea scripts/bench_layers.lua WHAT THREADS SECONDS
local marea = require "marea"
local nn, losses = marea.nn, marea.losses

local function differentiable(shape)
  local x = marea.randn(shape)
  x.requires_grad = true
  return x
end

local function ids(shape, classes)
  local x = marea.zeros(shape, { dtype = "int32" })
  local flat = x:reshape{ -1 }
  for i = 1, x:count() do flat:set(i, i * 7 % (classes - 1) + 1) end
  return x
end

-- The last quarter of each row is hidden.
local function mask(rows, steps)
  local m = marea.ones{ rows, steps }
  m:narrow(2, steps * 3 // 4 + 1, steps // 4):assign_(marea.zeros{ rows, steps // 4 })
  return m
end

-- What → a function that makes a function for the scalar of one step.
local cases = {}

function cases.conv1d()
  local layer, x = nn.Conv1D{ 128, 5 }, differentiable{ 32, 200, 100 }
  return function() return layer(x):sum() end
end

function cases.maxpool()
  local layer, x = nn.MaxPooling1D{ 2 }, differentiable{ 32, 200, 64 }
  return function() return layer(x):sum() end
end

function cases.batchnorm()
  local layer, x = nn.BatchNormalization{}, differentiable{ 32, 200, 64 }
  return function() return layer(x, { training = true }):sum() end
end

function cases.multihead()
  local layer, x = nn.MultiHeadAttention{ 4, 16 }, differentiable{ 32, 200, 64 }
  local call = { mask = mask(32, 200) }
  return function() return layer(x, call):sum() end
end

function cases.additive()
  local layer, q, v = nn.AdditiveAttention{}, differentiable{ 32, 20, 64 }, differentiable{ 32, 200, 64 }
  local call = { mask = { [2] = mask(32, 200) } }
  return function() return layer({ q, v }, call):sum() end
end

function cases.ctc()
  local logits, labels = differentiable{ 32, 200, 30 }, ids({ 32, 40 }, 30)
  return function() return losses.ctc(labels, logits) end
end

function cases.crf()
  local crf, x, tags = nn.CRF{ 17 }, differentiable{ 32, 50, 17 }, ids({ 32, 50 }, 17)
  return function() return crf:compute_loss(tags, crf(x), {}) end
end

local what, threads, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
marea.threads(threads)
marea.manual_seed(1)
local make = (cases[what] or error("unknown layer"))()

local function step()
  local tape <close> = marea.tape()
  tape:backward(make())
end

for _ = 1, 3 do step() end
local done, start, wall = 0, os.clock(), marea.clock()
while marea.clock() - wall < seconds do
  step()
  done = done + 1
end
print(string.format("%.3f", (os.clock() - start) / done * 1000))
