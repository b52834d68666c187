--- The plot of a forecast.
-- @module marea.plot.forecast
local dates = require "marea.timeseries.dates"
local drawing = require "marea.plot.drawing"
local gnuplot = require "marea.plot.gnuplot"
local options = require "marea.nn.options"

-- Places of rows on the axis: years and parts of years where there are dates, else row numbers.
local function moments(series, first, last)
  local list = {}
  for row = first, last do
    local time = series.times and series:time(row)
    local parts = time and dates.parts(time)
    list[#list + 1] = parts and parts.year + (time - dates.days(parts.year, 1, 1) * 86400) / 31557600
      or series.first + row - 1
  end
  return list
end

local function pairs_of(xs, values)
  local rows = {}
  for i, x in ipairs(xs) do rows[i] = { x, values[i] } end
  return rows
end

local function draw_forecast(parts, read)
  local lines, band = drawing.heading(read), {}
  for i, x in ipairs(parts.xs) do band[i] = { x, parts.low[i], parts.high[i] } end
  local pieces = { ("%s using 1:2:3 with filledcurves fs solid 0.25 noborder lc 2 title %s"):format(
    drawing.block(lines, band), gnuplot.quote(parts.interval)) }
  for _, curve in ipairs{ { "known", parts.known, "lc 1" }, { "what came", parts.actual, "lc 7" },
    { "forecast", parts.mean, "lc 2 lw 2" } } do
    if curve[2] then
      pieces[#pieces + 1] = ("%s using 1:2 with lines %s title %s"):format(drawing.block(lines, curve[2]),
        curve[3], gnuplot.quote(curve[1]))
    end
  end
  lines[#lines + 1] = "plot " .. table.concat(pieces, ", ")
  return gnuplot.draw(read.path, lines, drawing.pixels(read))
end

local function forecast_as_text(parts, read)
  local all = table.move(parts.known, 1, #parts.known, 1, {})
  for _, list in ipairs{ pairs_of(parts.xs, parts.low), pairs_of(parts.xs, parts.high),
    parts.actual or {} } do
    table.move(list, 1, #list, #all + 1, all)
  end
  local xs, ys = {}, {}
  for i, row in ipairs(all) do xs[i], ys[i] = row[1], row[2] end
  local shown = drawing.canvas(read, xs, ys)
  for _, list in ipairs{ parts.known, parts.actual or {}, parts.mean } do
    for i = 2, #list do shown:line(list[i - 1][1], list[i - 1][2], list[i][1], list[i][2]) end
  end
  for i, x in ipairs(parts.xs) do -- the interval's bounds as dots
    shown:point(x, parts.low[i])
    shown:point(x, parts.high[i])
  end
  return shown:render(read.title)
end

--- A forecast behind its history, with its interval.
-- @tparam Series history what came before, ending where the forecast begins
-- @tparam Forecast forecast what Forecaster:forecast returned
-- @tparam[opt] table given `column` (the first target), `actual` (a Series of what came), `last` (so
-- many rows of the history), `title`, `xlabel`, `ylabel`, `width`, `height`, `path`
-- @treturn string the plot; with a path true, or nil and a message
return function(history, forecast, given)
  local read = drawing.read_options("forecast", given, { column = options.optional,
    actual = options.optional, last = options.optional })
  local column = read.column or forecast.names[1]
  local mean, low, high = forecast:column(column)
  local first = 1
  if read.last then
    first = math.max(1, history.rows - options.integer("forecast", "last", read.last) + 1)
  end
  local known = history:column(column)
  local parts = { low = low, high = high, xs = moments(history, history.rows + 1,
    history.rows + forecast.rows), interval = ("%g%% interval"):format(100 * forecast.level) }
  parts.known = pairs_of(moments(history, first, history.rows),
    table.move(known, first, history.rows, 1, {}))
  parts.mean = pairs_of(parts.xs, mean)
  if read.actual then
    local rows = math.min(read.actual.rows, forecast.rows)
    parts.actual = pairs_of(table.move(parts.xs, 1, rows, 1, {}), read.actual:column(column))
  end
  return (read.path and draw_forecast or forecast_as_text)(parts, read)
end
