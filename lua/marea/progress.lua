--- What fit prints: a moving bar on a terminal, one plain line an epoch elsewhere.
-- @module marea.progress
local ops = require "marea.ops"

local progress = {}
progress.__index = progress

local BAR <const>, SHORT_BAR <const> = 24, 8 -- its cells, where there is room and where not
local NARROW <const> = 40 -- columns below which there is no bar
local PAUSE <const> = 0.1 -- seconds from one drawing to the next

-- A terminal on which a line can be rewritten.
local function can_rewrite()
  return ops.is_terminal() and os.getenv("TERM") ~= "dumb"
end

--- @tparam integer epochs the last epoch's number
-- @tparam integer steps batches in an epoch
-- @tparam[opt] integer verbose 0 nothing; 1 bar on a terminal; 2 lines only
-- @tparam[opt] file out default io.stdout
function progress.new(epochs, steps, verbose, out)
  local terminal = verbose == 1 and out == nil and can_rewrite()
  return setmetatable({ epochs = epochs, steps = steps, verbose = verbose, bar = terminal,
    out = out or io.stdout }, progress)
end

local order = { "loss", "accuracy" }

local function rank(name)
  local base = name:gsub("^val_", "")
  local place = #order + 1
  for i, known in ipairs(order) do
    if base == known then place = i end
  end
  return (name:find("^val_") and 100 or 0) + place
end

-- "loss 0.3012 - accuracy 0.8710 - val_loss …": training first, then validation.
local function values_text(logs)
  local names = {}
  for name, value in pairs(logs) do
    if type(value) == "number" then names[#names + 1] = name end
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

-- "7s", "2:05", "1:02:03"
local function time_text(seconds)
  local whole = math.floor(seconds + 0.5)
  if whole < 60 then return whole .. "s" end
  if whole < 3600 then return ("%d:%02d"):format(whole // 60, whole % 60) end
  return ("%d:%02d:%02d"):format(whole // 3600, whole // 60 % 60, whole % 60)
end

-- The first so many code points; a line that reaches the last column would begin another.
local function cut(text, columns)
  if (utf8.len(text) or #text) < columns then return text end
  return text:sub(1, (utf8.offset(text, columns) or columns) - 1)
end

local function bar_of(cells, batch, steps)
  local full = cells * batch // steps
  return ("[%s%s]"):format(("="):rep(full), (" "):rep(cells - full))
end

--- One line of at most `columns` - 1 characters: epoch, bar, batches, time left, values. Where room
-- is short the bar shrinks first, then the values are cut.
function progress:line(batch, seconds, logs, columns)
  local shown = {}
  for name, value in pairs(logs) do
    if name ~= "gradient_norm" then shown[name] = value end -- the epoch's line has it
  end
  local head = ("Epoch %d/%d "):format(self.epoch, self.epochs)
  local left = seconds / batch * (self.steps - batch)
  local count = ("%" .. #tostring(self.steps) .. "d"):format(batch) -- the bar keeps its place
  local tail = (" %s/%d %s left %s"):format(count, self.steps, time_text(left), values_text(shown))
  local room = columns - 1 - #head - (utf8.len(tail) or #tail) - 2
  local cells = math.max(SHORT_BAR, math.min(BAR, room))
  local bar = columns < NARROW and "" or bar_of(cells, batch, self.steps)
  return cut(head .. bar .. tail, columns)
end

function progress:epoch_begin(epoch)
  self.epoch, self.start, self.shown = epoch, ops.clock(), 0
end

--- Redraws the bar, at most some ten times a second.
function progress:batch_end(batch, logs)
  if not self.bar then return end
  local now = ops.clock()
  if now - self.shown < PAUSE then return end
  self.shown = now
  local columns = ops.terminal_width() or 80
  self.out:write("\r\27[K", self:line(batch, now - self.start, logs, columns))
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
