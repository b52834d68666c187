--- Windows exactly as other programs cut them, the odd ends included.
-- @module marea.timeseries.compat
local ops = require "marea.ops"
local options = require "marea.nn.options"
local Series = require "marea.timeseries.series"
local windows = require "marea.timeseries.windows"

local compat = {}

local function as_matrix(values)
  if getmetatable(values) == Series then return values.values end
  values = ops.as_real(values)
  return #values:shape() == 1 and values:reshape{ -1, 1 } or values
end

-- 0-based rows, so that the numbers are those of the programs they come from.
local kinds = {}

-- TimeseriesGenerator of Keras 2: a sample ends before row r, its target is row r.
function kinds.keras_generator(rows, given)
  local read = options.read("compat_windows", given, { length = options.required, sampling_rate = 1,
    stride = 1, start_index = 0, end_index = rows - 1, batch_size = 128, reverse = false })
  local length = options.integer("compat_windows", "length", read.length)
  local rate = options.integer("compat_windows", "sampling_rate", read.sampling_rate)
  local stride = options.integer("compat_windows", "stride", read.stride)
  local batch = options.integer("compat_windows", "batch_size", read.batch_size)
  local first, last = read.start_index + length, read.end_index
  if first > last or last >= rows then
    error(("compat_windows: start_index + length = %d > end_index = %d of %d rows: there is no "
      .. "window"):format(first, last, rows), 0)
  end
  local count = (last - first) // stride + 1
  local targets = windows.range(first, count, stride)
  local offsets = windows.range(-length, (length - 1) // rate + 1, rate)
  if read.reverse then
    table.sort(offsets, function(a, b) return a > b end)
  end
  return targets, offsets, targets, { batches = (last - first + batch * stride) // (batch * stride) }
end

-- timeseries_dataset_from_array: the target is that of a window's first row.
function kinds.keras_dataset(rows, given, target_rows)
  local read = options.read("compat_windows", given, { sequence_length = options.required,
    sequence_stride = 1, sampling_rate = 1, start_index = 0, end_index = rows, batch_size = 128 })
  local length = options.integer("compat_windows", "sequence_length", read.sequence_length)
  local rate = options.integer("compat_windows", "sampling_rate", read.sampling_rate)
  local stride = options.integer("compat_windows", "sequence_stride", read.sequence_stride)
  local batch = options.integer("compat_windows", "batch_size", read.batch_size)
  local places = math.min(read.end_index, rows) - read.start_index - (length - 1) * rate
  if target_rows then places = math.min(places, target_rows) end
  if places < 1 then
    error(("compat_windows: %d rows hold no window of %d"):format(rows, (length - 1) * rate + 1), 0)
  end
  local count = (places - 1) // stride + 1
  local starts = windows.range(read.start_index, count, stride)
  -- The targets are counted from start_index as the data are.
  return starts, windows.range(0, length, rate), starts, { batches = (count - 1) // batch + 1 }
end

-- The generator of the book (Chollet, 2017, 6.3): rows before r, target column 1 at r + delay. The
-- book's loop drops the last windows of each round; all are here.
function kinds.book_generator(rows, given)
  local read = options.read("compat_windows", given, { lookback = options.required,
    delay = options.required, min_index = 0, max_index = options.optional, step = 6, column = 2 })
  local lookback = options.integer("compat_windows", "lookback", read.lookback)
  local delay = options.integer("compat_windows", "delay", read.delay, 0)
  local step = options.integer("compat_windows", "step", read.step)
  local last = read.max_index or rows - delay - 1
  local first = read.min_index + lookback
  if first >= last or last + delay > rows then
    error(("compat_windows: min_index + lookback = %d, max_index = %d, delay %d, %d rows: there is no "
      .. "window"):format(first, last, delay, rows), 0)
  end
  local origins = windows.range(first, last - first)
  return origins, windows.range(-lookback, lookback // step, step),
    windows.range(first + delay, last - first), { column = read.column }
end

--- Windows as Keras cuts them.
-- @tparam Series|tensor|table data (T,D) or (T)
-- @tparam[opt] tensor|table targets (T, …) in the rows of the data; default: the data
-- @tparam table given `compat` and the options of its original:
--
-- - "keras_generator" (TimeseriesGenerator): `length`, `sampling_rate` 1, `stride` 1, `start_index`
--   0, `end_index` the last row, `reverse` false, `batch_size` 128. The sample of row r has the rows
--   before it, r - length …; its target is row r
-- - "keras_dataset" (timeseries_dataset_from_array): `sequence_length`, `sequence_stride` 1,
--   `sampling_rate` 1, `start_index`, `end_index`, `batch_size` 128. A window's target is that of its
--   *first* row: to forecast, shift the targets by (sequence_length - 1) sampling_rate + h
-- - "book_generator" (Chollet, 2017): `lookback`, `delay`, `min_index` 0, `max_index`, `step` 6,
--   `column` 2 of the target
--
-- Indices are the originals', from 0.
-- @treturn table { x (N,L,D), y (N, …), count, rows (of the targets, from 0), batches }
function compat.windows(data, targets, given)
  if given == nil then targets, given = nil, targets end
  if type(given) ~= "table" then
    error("compat_windows: expected a table of options, got " .. options.show(given), 0)
  end
  local kind = options.choice("compat_windows", "compat", given.compat,
    { "keras_generator", "keras_dataset", "book_generator" })
  local rest = {}
  for name, value in pairs(given) do
    if name ~= "compat" then rest[name] = value end
  end
  local x = as_matrix(data)
  local y = targets and as_matrix(targets) or x
  local starts, offsets, rows, notes = kinds[kind](x:size(1), rest, targets and y:size(1))
  local result = { x = windows.gather(x, starts, offsets), rows = rows, count = #starts,
    batches = notes.batches }
  result.y = y:take(ops.tensor(rows, { dtype = "int32" }))
  if notes.column then result.y = result.y:select(2, notes.column) end
  return result
end

return compat
