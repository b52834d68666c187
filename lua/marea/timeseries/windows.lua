--- Windows: samples for training cut out of a series, with no row lost in silence.
-- @module marea.timeseries.windows
local ops = require "marea.ops"
local options = require "marea.nn.options"
local Series = require "marea.timeseries.series"

local windows = {}

local Windows = { __name = "marea windows" }
Windows.__index = Windows

--- Rows of x (T,D) gathered as (N,L,D): row `offset[l]` (from 0) after each of the starts (N; int
-- list or the tensor of 0-based rows).
function windows.gather(x, starts, offsets)
  starts = ops.as_real(ops.tensor(starts, { dtype = "int32" }))
  offsets = ops.as_real(ops.tensor(offsets, { dtype = "int32" }))
  local n, length = starts:size(1), offsets:size(1)
  local ids = ops.cast(starts:reshape{ n, 1 } + offsets:reshape{ 1, length }, "int32")
  return x:take(ids:reshape{ -1 }):reshape{ n, length, x:size(2) }
end

--- Whole numbers first, first + step … as a list.
function windows.range(first, count, step)
  local list = {}
  for i = 1, count do list[i] = first + (i - 1) * (step or 1) end
  return list
end

--- The number of windows in T rows: floor((T - span - delay - horizon) / stride) + 1 with span =
-- (lookback - 1) step + 1; 0 when the series is shorter than one.
function windows.count(rows, read)
  local free = rows - ((read.lookback - 1) * read.step + 1) - read.delay - read.horizon
  return free < 0 and 0 or free // read.stride + 1
end

local function read_options(given)
  local read = options.read("windows", given, { lookback = options.required, horizon = 1, stride = 1,
    step = 1, delay = 0, targets = options.optional, inputs = options.optional, anchor = "end" })
  for name, low in pairs{ lookback = 1, horizon = 1, stride = 1, step = 1, delay = 0 } do
    read[name] = options.integer("windows", name, read[name], low)
  end
  options.choice("windows", "anchor", read.anchor, { "end", "start" })
  return read
end

local function columns_of(series, names)
  return names and series:select(names) or series
end

function Windows:__tostring()
  local lines = { ("%d windows of %d rows%s → %d%s, stride %d"):format(self.count, self.lookback,
    self.step > 1 and (" (every %d.)"):format(self.step) or "", self.horizon,
    self.delay > 0 and (" after %d more"):format(self.delay) or "", self.stride) }
  for _, name in ipairs{ "first", "last" } do
    local w = self[name]
    lines[#lines + 1] = ("  %-5s  input %s … %s → target %s%s"):format(name, w.input[1], w.input[2],
      w.target[1], w.target[2] ~= w.target[1] and " … " .. w.target[2] or "")
  end
  if self.unused > 0 then
    lines[#lines + 1] = ("  %d rows at the %s are in no window, because of the stride"):format(
      self.unused, self.anchor == "end" and "beginning" or "end")
  end
  return table.concat(lines, "\n")
end

-- The dates of window i, for the report.
local function describe(self, series, i)
  local start = self.starts[i]
  local last = start + (self.lookback - 1) * self.step
  local target = last + 1 + self.delay
  return { input = { series:date(start), series:date(last) },
    target = { series:date(target), series:date(target + self.horizon - 1) } }
end

--- Windows of a series for training: L rows of input, then H rows of target.
-- @tparam Series|tensor|table series (or its values)
-- @tparam table given
--
-- - `lookback`: rows of input, `step` (1) rows apart
-- - `horizon` (1): rows of target, which follow the input after `delay` (0) more rows
-- - `stride` (1): rows between the starts of windows
-- - `anchor` ("end"): with a stride, the last row is always a target and what does not fit is left
--   out at the beginning; "start" begins with the first row
-- - `targets`, `inputs`: names of columns (all)
-- @treturn Windows { x (N,L,D), y (N,H,C), count, starts (rows from 1), first, last (dates), unused };
-- it can be printed. The number is floor((T - span - delay - horizon) / stride) + 1, span =
-- (lookback - 1) step + 1.
-- @raise when the series is shorter than one window, or has holes or missing values
function windows.windows(series, given)
  local read = read_options(given)
  series = Series.of(series)
  series:require_whole("windows")
  local count = windows.count(series.rows, read)
  local span = (read.lookback - 1) * read.step + 1
  local needed = span + read.delay + read.horizon
  if count == 0 then
    error(("windows: the series has %d rows, one window needs %d (lookback %d, step %d, delay %d, "
      .. "horizon %d)"):format(series.rows, needed, read.lookback, read.step, read.delay,
      read.horizon), 0)
  end
  local self = setmetatable(read, Windows)
  self.count = count
  self.unused = series.rows - needed - (count - 1) * read.stride
  self.starts = windows.range(read.anchor == "end" and self.unused + 1 or 1, count, read.stride)
  local zero_based = windows.range(self.starts[1] - 1, count, read.stride)
  self.x = windows.gather(columns_of(series, read.inputs).values, zero_based,
    windows.range(0, read.lookback, read.step))
  self.y = windows.gather(columns_of(series, read.targets).values, zero_based,
    windows.range(span + read.delay, read.horizon))
  self.first, self.last = describe(self, series, 1), describe(self, series, count)
  return self
end

return windows
