--- What the specs of forecasting share.
local assert = require "luassert"
local helper = require "spec.helper"
local json = require "marea.json"
local marea = require "marea"
local nn, timeseries = marea.nn, marea.timeseries

local support = {}

--- The series of scripts/fixtures/baselines.py: a wandering trend, a season of m steps, errors that
-- look random; `grows`: they multiply.
function support.series(n, m, grows)
  local y, level = {}, 50
  for t = 1, n do
    local e = math.sin(t * t * 0.37) + math.cos(t * 1.9)
    local season = math.sin(2 * math.pi * t / m)
    level = level + 0.6 + 2 * math.sin(t * t * 1.3)
    local value = grows and level * (1 + 0.25 * season) * (1 + 0.02 * e)
      or level + 12 * season + 2 * e
    y[t] = math.floor(value * 1e6 + .5) / 1e6
  end
  return y
end

function support.golden()
  local file <close> = assert(io.open("spec/golden/baselines.json"))
  return assert(json.decode(file:read("a")))
end

--- A series of the collection as a list.
function support.read(folder, name)
  return assert(marea.corpora.time_series{ name, dir = folder }).values:reshape{ -1 }:totable()
end

--- Monthly sales with growth and a season of 12; of a regular shape when `noise` is 0. As a list, and
-- ten years of them as a series.
function support.sales(rows, noise)
  local list = {}
  for t = 0, rows - 1 do
    list[t + 1] = (100 + t) * (1 + 0.3 * math.sin(2 * math.pi * t / 12)) + noise * math.sin(t * t)
  end
  return list
end

function support.monthly(noise)
  return timeseries.Series{ support.sales(120, noise), start = "2010-01", frequency = "month",
    names = { "sales" } }
end

--- A network that learns, for a forecaster's `model`.
function support.small(info)
  return marea.Sequential{ nn.LSTM{ 4 }, nn.Dense{ info.outputs } }
end

--- An optimizer that leaves a network as it was made.
support.untrained = marea.optim.SGD{ learning_rate = 1e-30 }

--- Calls f with the path of a file that holds the forecaster, and removes it.
function support.file_of(forecaster, f)
  local path = os.tmpname()
  assert(forecaster:save(path))
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

--- Fails unless a forecaster of a file answers as the one that was saved, also from another history,
-- and still knows the training part that neither may be judged on.
function support.same_forecasts(forecaster, loaded, steps, train, history)
  for _, options in ipairs{ {}, { history = history } } do
    local a, b = forecaster:forecast(steps, options), loaded:forecast(steps, options)
    assert.are.same({ a.mean, a.low, a.high, a.dates }, { b.mean, b.low, b.high, b.dates })
  end
  assert.fails("leakage", loaded.evaluate, loaded, train)
end

local program = [[
local timeseries = require("marea").timeseries
local forecaster, series = assert(timeseries.load(%q)), assert(timeseries.read_csv(%q))
local forecast = forecaster:forecast(3, { history = series })
for h = 1, 3 do print(("%%s %%.17g"):format(forecast.dates[h], forecast.mean[h][1])) end]]

--- Fails unless a fresh process forecasts three steps as this one does, from a file of the forecaster
-- and a table with the series' rows first … last.
function support.same_in_fresh_process(forecaster, series, first, last)
  local csv = os.tmpname()
  local file = assert(io.open(csv, "w"))
  file:write("Month,sales\n")
  for t = first, last do file:write(("%s,%.17g\n"):format(series:date(t), series.columns[1][t])) end
  file:close()
  local text
  support.file_of(forecaster, function(path)
    local process = assert(io.popen(("%q -e '%s'"):format(helper.program, program:format(path, csv))))
    text = process:read("a")
    process:close()
  end)
  os.remove(csv)
  local expected, lines = forecaster:forecast(3, { history = series:slice(1, last) }), {}
  for h = 1, 3 do lines[h] = ("%s %.17g\n"):format(expected.dates[h], expected.mean[h][1]) end
  assert.are.equal(table.concat(lines), text)
end

return support
