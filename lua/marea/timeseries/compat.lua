--- Windows exactly as other programs cut them, the odd ends included.
-- @module marea.timeseries.compat
local ops = require "marea.ops"
local options = require "marea.nn.options"
local Series = require "marea.timeseries.series"
local windows = require "marea.timeseries.windows"

local compat = {}

local WHO <const> = "compat_windows"

-- The options; `least`: those that are whole numbers, name → the least one.
local function read_options(given, declared, least)
  local read = options.read(WHO, given, declared)
  for name, low in pairs(least) do
    if read[name] ~= nil then read[name] = options.integer(WHO, name, read[name], low) end
  end
  return read
end

local function refuse(message, ...)
  error(WHO .. ": " .. message:format(...), 0)
end

local function as_matrix(what, values)
  if getmetatable(values) == Series then return values.values end
  if type(values) ~= "table" and not ops.is_tensor(values) then
    refuse("%s must be a Series, a tensor or a table, got %s", what, options.show(values))
  end
  values = ops.as_real(values)
  return #values:shape() == 1 and values:reshape{ -1, 1 } or values
end

-- 0-based rows, so that the numbers are those of the programs they come from.
local kinds = {}

-- TimeseriesGenerator of Keras 2: a sample ends before row r, its target is row r.
function kinds.keras_generator(rows, given)
  local read = read_options(given, { length = options.required, sampling_rate = 1, stride = 1,
    start_index = 0, end_index = rows - 1, batch_size = 128, reverse = false },
    { length = 1, sampling_rate = 1, stride = 1, batch_size = 1, start_index = 0, end_index = 0 })
  options.boolean(WHO, "reverse", read.reverse)
  local stride, span = read.stride, read.batch_size * read.stride
  local first, last = read.start_index + read.length, read.end_index
  if last >= rows then refuse("end_index is %d, the last of %d rows is %d", last, rows, rows - 1) end
  if first > last then
    refuse("start_index + length = %d > end_index = %d of %d rows: there is no window", first, last, rows)
  end
  local count = (last - first) // stride + 1
  local targets = windows.range(first, count, stride)
  local offsets = windows.range(-read.length, (read.length - 1) // read.sampling_rate + 1,
    read.sampling_rate)
  if read.reverse then
    table.sort(offsets, function(a, b) return a > b end)
  end
  return targets, offsets, targets, { batches = (last - first + span) // span }
end

-- timeseries_dataset_from_array: the target is that of a window's first row.
function kinds.keras_dataset(rows, given, target_rows)
  local read = read_options(given, { sequence_length = options.required, sequence_stride = 1,
    sampling_rate = 1, start_index = 0, end_index = rows, batch_size = 128 },
    { sequence_length = 1, sequence_stride = 1, sampling_rate = 1, batch_size = 1, start_index = 0,
    end_index = 0 })
  local length, rate, stride = read.sequence_length, read.sampling_rate, read.sequence_stride
  local places = math.min(read.end_index, rows) - read.start_index - (length - 1) * rate
  if target_rows then places = math.min(places, target_rows) end
  if places < 1 then refuse("%d rows hold no window of %d", rows, (length - 1) * rate + 1) end
  local count = (places - 1) // stride + 1
  local starts = windows.range(read.start_index, count, stride)
  -- The targets are counted from start_index as the data are.
  return starts, windows.range(0, length, rate), starts, { batches = (count - 1) // read.batch_size + 1 }
end

-- The generator of the book (Chollet, 2017, 6.3): rows before r, target column 1 at r + delay. The
-- book's loop drops the last windows of each round; all are here.
function kinds.book_generator(rows, given)
  local read = read_options(given, { lookback = options.required, delay = options.required,
    min_index = 0, max_index = options.optional, step = 6, column = 2 },
    { lookback = 1, delay = 0, min_index = 0, max_index = 0, step = 1, column = 1 })
  local lookback, delay, step = read.lookback, read.delay, read.step
  local last = read.max_index or rows - delay - 1
  local first = read.min_index + lookback
  if first >= last or last + delay > rows then
    refuse("min_index + lookback = %d, max_index = %d, delay %d, %d rows: there is no window", first, last,
      delay, rows)
  end
  local origins = windows.range(first, last - first)
  return origins, windows.range(-lookback, lookback // step, step),
    windows.range(first + delay, last - first), { column = read.column }
end

-- The targets of windows, column by column or, for the book, one of them.
local function targets_at(y, rows, column)
  if rows[#rows] >= y:size(1) then
    refuse("the targets have %d rows, the last window's is row %d (from 0): give as many as the data have",
      y:size(1), rows[#rows])
  end
  local taken = y:take(ops.tensor(rows, { dtype = "int32" }))
  if not column then return taken end
  if column > y:size(2) then refuse("column %d of the targets, which have %d", column, y:size(2)) end
  return taken:select(2, column)
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
    refuse("expected a table of options, got %s", options.show(given))
  end
  local kind = options.choice(WHO, "compat", given.compat,
    { "keras_generator", "keras_dataset", "book_generator" })
  local rest = {}
  for name, value in pairs(given) do
    if name ~= "compat" then rest[name] = value end
  end
  local x = as_matrix("data", data)
  local y = targets ~= nil and as_matrix("targets", targets) or x
  local starts, offsets, rows, notes = kinds[kind](x:size(1), rest, targets and y:size(1))
  local result = { x = windows.gather(x, starts, offsets), rows = rows, count = #starts,
    batches = notes.batches }
  result.y = targets_at(y, rows, notes.column)
  return result
end

return compat
