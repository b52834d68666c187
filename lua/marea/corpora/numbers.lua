--- Numbers: time series, images of digits.
-- @module marea.corpora.numbers
local native = require "marea.native"
local options = require "marea.nn.options"
local files = require "marea.corpora.files"
local tables = require "marea.corpora.tables"

local numbers = {}

local series = {
  ["airline-passengers"] = {}, ["daily-min-temperatures"] = {}, ["monthly-sunspots"] = {},
  shampoo = {}, ETTh1 = {}, exchange_rate = { header = false },
}

local function series_names()
  local names = {}
  for name in pairs(series) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- The names of the columns with numbers, and of the one with dates (nil: none).
local function read_header(path, header)
  local source, message = native.csv(path, ",", '"')
  if not source then return nil, message end
  local opened <close> = source
  local row
  row, message = opened:row()
  if not row then return nil, message or ('"%s" is empty'):format(path) end
  if header then return row end
  for i = 1, #row do row[i] = i end
  return row
end

--- A time series of the collection, by name: "airline-passengers" (thousands a month, 1949 to 1960;
-- Box & Jenkins, 1976), "daily-min-temperatures" (°C, Melbourne, 1981 to 1990), "monthly-sunspots"
-- (1749 to 1983), "shampoo" (three years), "ETTh1" (hourly, 7 columns; Zhou et al., 2021),
-- "exchange_rate" (daily, 8 currencies; Lai et al., 2018).
-- @tparam table given `name`, `dir` (default: MAREA_DATA)
-- @treturn table { values = real tensor (T, D), names = list of the D columns, dates = list of T
-- strings } (exchange_rate has neither names nor dates)
-- @return nil and a message
function numbers.time_series(given)
  local read = options.read("corpora.time_series", given,
    { name = options.required, dir = options.optional }, { "name" })
  options.choice("corpora.time_series", "name", read.name, series_names())
  local dir, message = files.folder("corpora.time_series", read.dir)
  if not dir then return nil, message end
  local path, names, columns
  path, message = files.find(dir, { "time-series" }, { read.name .. ".csv", read.name .. ".txt" })
  if not path then return nil, message end
  local header = series[read.name].header ~= false
  names, message = read_header(path, header)
  if not names then return nil, message end
  columns, message = tables.read_table(tables.csv(path, { header = header, columns = names }))
  if not columns then return nil, message end
  local result, vectors = { dates = header and columns[names[1]] or nil }, {}
  if header then table.remove(names, 1) end
  for i, name in ipairs(names) do
    local place
    vectors[i], place = native.numbers(columns[name])
    if not vectors[i] then
      return nil, ('"%s" row %d, column "%s": "%s" is no number'):format(path, place, name,
        columns[name][place])
    end
  end
  if not vectors[1] then return nil, ('"%s" has no column of numbers'):format(path) end
  result.values, result.names = native.stack(vectors, 2), header and names or nil
  return result
end

local function digits(dir, part)
  local images, labels, message
  local path = files.find(dir, { "mnist-t10k", "mnist" }, part .. "-images-idx3-ubyte")
  if not path then return nil end
  images, message = native.idx(path)
  if not images then return nil, message end
  path, message = files.find(dir, { "mnist-t10k", "mnist" }, part .. "-labels-idx1-ubyte")
  if not path then return nil, message end
  labels, message = native.idx(path, "int32")
  if not labels then return nil, message end
  if labels:size(1) ~= images:size(1) then
    return nil, ('"%s": %d labels for %d images'):format(path, labels:size(1), images:size(1))
  end
  return { images = images, labels = labels }
end

--- Handwritten digits (MNIST; LeCun et al., 1998) from IDX files. The test part must be there; the
-- training part is read where it lies beside it.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { test = { images, labels }, train = … or nil }; images: real tensor (N, 28, 28)
-- of 0 to 255; labels: int32 tensor (N)
-- @return nil and a message
function numbers.mnist(given)
  local read = options.read("corpora.mnist", given, { dir = options.optional }, { "dir" })
  local dir, message = files.folder("corpora.mnist", read.dir)
  if not dir then return nil, message end
  local result = {}
  for part, name in pairs{ test = "t10k", train = "train" } do
    result[part], message = digits(dir, name)
    if message then return nil, message end
  end
  if not result.test then
    return nil, ('"%s" has no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz'):format(dir)
  end
  return result
end

return numbers
