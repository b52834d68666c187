-- The Marea side of `scripts/bench recurrent`: forward and backward of one recurrent layer, in
-- milliseconds of processor time a step, on one thread.
-- Usage: marea scripts/bench_recurrent.lua CELL B T D H SECONDS [VARIANT]
-- VARIANT: an option of the cell, such as peephole or norm, or "mask" (half of the steps hidden).
local marea = require "marea"
local cell, B, T, D, H = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3]),
  math.tointeger(arg[4]), math.tointeger(arg[5])
local seconds, variant = tonumber(arg[6]), arg[7] or "plain"

local variants = {
  plain = {}, mask = {}, peephole = { peephole = "gers2000" }, norm = { norm = "layer" },
  recurrent_dropout = { recurrent_dropout = .2 }, projection = { projection = H // 2 },
  coupled = { coupled = true },
}
local options = { H, return_sequences = true }
for name, value in pairs(variants[variant]) do options[name] = value end

marea.threads(1)
local layer, x = marea.nn[cell](options), marea.randn{ B, T, D }
x.requires_grad = true
local call = { training = true }
if variant == "mask" then
  call.mask = marea.ones{ B, T }
  call.mask:narrow(2, T // 2 + 1, T // 2):fill_(0)
end

local function step()
  local tape <close> = marea.tape()
  tape:backward(layer(x, call):sum())
end

for _ = 1, 3 do step() end
local done, start = 0, os.clock()
while os.clock() - start < seconds do
  step()
  done = done + 1
end
print(("%.4f"):format((os.clock() - start) / done * 1000))
