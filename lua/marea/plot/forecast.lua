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

-- Rows first … last of a column as points.
local function rows_of(series, column, first, last)
  return pairs_of(moments(series, first, last), table.move(series:column(column), first, last, 1, {}))
end

-- Where the forecast lies: behind the rows that it was made from, which may end before the history, or
-- after it. Without dates, behind the history, unless that reaches further.
local function places_of(history, forecast)
  local from = forecast.history
  local further = history.first + history.rows > from.first + from.rows
  if not (from.times and history.times) and not (further and not from.times and not history.times) then
    from = history
  end
  return moments(from, from.rows + 1, from.rows + forecast.rows)
end

-- The last row before a place on the axis.
local function rows_before(history, x)
  local list = moments(history, 1, history.rows)
  local last = #list
  while last > 1 and list[last] >= x do last = last - 1 end
  return last
end

--- A forecast behind its history, with its interval.
-- @tparam Series history what came before; rows from the forecast's first date on are what came
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
  local parts = { low = low, high = high, xs = places_of(history, forecast),
    interval = ("%g%% interval"):format(100 * forecast.level) }
  local last = rows_before(history, parts.xs[1])
  if read.last then
    first = math.max(1, last - options.integer("forecast", "last", read.last) + 1)
  end
  parts.known = rows_of(history, column, first, last)
  parts.mean = pairs_of(parts.xs, mean)
  if read.actual and read.actual.times and history.times then
    parts.actual = rows_of(read.actual, column, 1, math.min(read.actual.rows, forecast.rows))
  elseif read.actual then
    local rows = math.min(read.actual.rows, forecast.rows)
    parts.actual = pairs_of(table.move(parts.xs, 1, rows, 1, {}), read.actual:column(column))
  elseif last < history.rows then
    parts.actual = rows_of(history, column, last + 1, math.min(history.rows, last + forecast.rows))
  end
  return (read.path and draw_forecast or forecast_as_text)(parts, read)
end
