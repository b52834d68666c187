--- What fit prints: a moving bar on a terminal, one plain line an epoch elsewhere.
-- @module marea.progress
local ops = require "marea.ops"

local progress = {}
progress.__index = progress

local width = 24

--- @tparam integer epochs the last epoch's number
-- @tparam integer steps batches in an epoch
-- @tparam[opt] integer verbose 0 nothing; 1 bar on a terminal; 2 lines only
-- @tparam[opt] file out default io.stdout
function progress.new(epochs, steps, verbose, out)
  local terminal = verbose == 1 and out == nil and ops.is_terminal()
  return setmetatable({ epochs = epochs, steps = steps, verbose = verbose, bar = terminal,
    out = out or io.stdout }, progress)
end

local order = { "loss", "accuracy" }

-- "loss 0.3012 - accuracy 0.8710 - val_loss …": training first, then validation.
local function values_text(logs)
  local names = {}
  for name, value in pairs(logs) do
    if type(value) == "number" then names[#names + 1] = name end
  end
  local function rank(name)
    local base = name:gsub("^val_", "")
    local place = #order + 1
    for i, known in ipairs(order) do
      if base == known then place = i end
    end
    return (name:find("^val_") and 100 or 0) + place
  end
  table.sort(names, function(a, b)
    if rank(a) ~= rank(b) then return rank(a) < rank(b) end
    return a < b
  end)
  for i, name in ipairs(names) do
    local value = logs[name]
    local small = value ~= 0 and math.abs(value) < 1e-3
    names[i] = ("%s %s"):format(name, (small and "%.3e" or "%.4f"):format(value))
  end
  return table.concat(names, " - ")
end

function progress:epoch_begin(epoch)
  self.epoch, self.start, self.shown = epoch, ops.clock(), 0
end

--- Redraws the bar, at most some ten times a second.
function progress:batch_end(batch, logs)
  if not self.bar then return end
  local now = ops.clock()
  if now - self.shown < 0.1 and batch < self.steps then return end
  self.shown = now
  local full = width * batch // self.steps
  local left = (now - self.start) / batch * (self.steps - batch)
  self.out:write(("\r\27[KEpoch %d/%d [%s%s] %d/%d %.0fs left %s"):format(self.epoch, self.epochs,
    ("="):rep(full), (" "):rep(width - full), batch, self.steps, left, values_text(logs)))
  self.out:flush()
end

function progress:epoch_end(logs)
  if self.verbose == 0 then return end
  local seconds = ops.clock() - self.start
  self.out:write(("%sEpoch %d/%d - %.1fs - %s\n"):format(self.bar and "\r\27[K" or "", self.epoch,
    self.epochs, seconds, values_text(logs)))
  self.out:flush()
end

--- A line of its own between the others.
function progress:note(text)
  if self.verbose == 0 then return end
  self.out:write((self.bar and "\r\27[K" or ""), text, "\n")
  self.out:flush()
end

return progress
