--- What plots share: options, sizes, gnuplot's data blocks.
-- @module marea.plot.drawing
local gnuplot = require "marea.plot.gnuplot"
local options = require "marea.nn.options"
local terminal = require "marea.plot.terminal"

local drawing = {}

-- What all plots take.
local common = { title = options.optional, path = options.optional, width = options.optional,
  height = options.optional, xlabel = options.optional, ylabel = options.optional }

--- The options of a plot: `more` beside those of all.
function drawing.read_options(who, given, more)
  local declared = {}
  for name, value in pairs(common) do declared[name] = value end
  for name, value in pairs(more) do declared[name] = value end
  local read = options.read(who, given, declared)
  for name, low in pairs{ width = 4, height = 4 } do
    if read[name] ~= nil then read[name] = options.integer(who, name, read[name], low) end
  end
  for _, name in ipairs{ "title", "path", "xlabel", "ylabel" } do
    if read[name] ~= nil and type(read[name]) ~= "string" then
      error(("%s: %s must be a string, got %s"):format(who, name, options.show(read[name])), 0)
    end
  end
  return read
end

--- Width and height of a picture.
function drawing.pixels(read)
  return { read.width or 900, read.height or 700 }
end

--- A canvas of characters over points.
function drawing.canvas(read, xs, ys)
  return terminal.canvas(read.width or 64, read.height or 20, xs, ys)
end

--- gnuplot's lines for title and axes.
function drawing.heading(read)
  local lines = { "set grid lc rgb '#dddddd'", "set key outside right top" }
  for _, name in ipairs{ "title", "xlabel", "ylabel" } do
    if read[name] then lines[#lines + 1] = ("set %s %s"):format(name, gnuplot.quote(read[name])) end
  end
  return lines
end

--- Appends a data block of rows; its name.
function drawing.block(lines, rows)
  local name = ("$d%d"):format(#lines)
  lines[#lines + 1] = name .. " << EOD"
  for _, row in ipairs(rows) do
    local numbers = {}
    for i, value in ipairs(row) do numbers[i] = gnuplot.number(value) end
    lines[#lines + 1] = table.concat(numbers, " ")
  end
  lines[#lines + 1] = "EOD"
  return name
end

return drawing
