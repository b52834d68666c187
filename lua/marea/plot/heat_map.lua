--- A table of numbers as shades: where attention looks, confusions, similarities.
-- @module marea.plot.heat_map
local common = require "marea.plot.drawing"
local gnuplot = require "marea.plot.gnuplot"
local native = require "marea.native"
local options = require "marea.nn.options"

local WHO <const> = "heat_map"
local shades <const> = { " ", "░", "▒", "▓", "█" }

local function check_row(row, i, columns)
  if type(row) ~= "table" or #row ~= columns then
    error(("%s: row %d has %s numbers, row 1 has %d"):format(WHO, i,
      type(row) == "table" and #row or "no", columns), 0)
  end
  for k, value in ipairs(row) do
    if type(value) ~= "number" or value - value ~= 0 then
      error(("%s: row %d, column %d is %s, expected a finite number"):format(WHO, i, k,
        options.show(value)), 0)
    end
  end
end

-- Rows of equally many finite numbers.
local function read_rows(values)
  local rows = native.is_tensor(values) and values:totable() or values
  if type(rows) ~= "table" or type(rows[1]) ~= "table" or #rows[1] == 0 then
    error(("%s: values must be a tensor (rows, columns) or a list of rows, got %s"):format(WHO,
      options.show(values)), 0)
  end
  for i, row in ipairs(rows) do check_row(row, i, #rows[1]) end
  return rows
end

local function read_labels(name, given, count)
  local labels = {}
  if given ~= nil and (type(given) ~= "table" or #given ~= count) then
    error(("%s: %s must be a list of %d texts, got %s"):format(WHO, name, count,
      type(given) == "table" and ("%d of them"):format(#given) or options.show(given)), 0)
  end
  for i = 1, count do labels[i] = (tostring(given and given[i] or i):gsub("%c", " ")) end
  return labels
end

local function bounds(rows, read)
  local low, high = math.huge, -math.huge
  for _, row in ipairs(rows) do
    for _, value in ipairs(row) do low, high = math.min(low, value), math.max(high, value) end
  end
  low, high = read.low or low, read.high or high
  if low > high then
    error(("%s: low is %g, above high, %g"):format(WHO, low, high), 0)
  end
  return low, high
end

local function text_width(text)
  return utf8.len(text) or #text
end

local function pad(text, width)
  return text .. (" "):rep(width - text_width(text))
end

local function shade(value, low, high)
  local share = high > low and (value - low) / (high - low) or 0
  local step = math.floor(math.max(0, math.min(1, share)) * #shades)
  return shades[math.min(step, #shades - 1) + 1]
end

-- A column is as wide as its label, so that the labels can stand above.
local function as_text(rows, names, columns, read)
  local low, high = bounds(rows, read)
  local widest, lines, head = 0, { read.title }, {}
  for _, name in ipairs(names) do widest = math.max(widest, text_width(name)) end
  for k, column in ipairs(columns) do head[k] = pad(column, 2) end
  lines[#lines + 1] = pad("", widest) .. " " .. table.concat(head, " ")
  for i, row in ipairs(rows) do
    local cells = {}
    for k, value in ipairs(row) do cells[k] = shade(value, low, high):rep(text_width(head[k])) end
    lines[#lines + 1] = pad(names[i], widest) .. " " .. table.concat(cells, " ")
  end
  for i, line in ipairs(lines) do lines[i] = line:gsub(" +$", "") end
  return table.concat(lines, "\n")
end

local function ticks(axis, labels)
  local list = {}
  for i, label in ipairs(labels) do list[i] = ("%s %d"):format(gnuplot.quote(label), i - 1) end
  return ("set %stics (%s)"):format(axis, table.concat(list, ", "))
end

local function draw(rows, names, columns, read)
  local low, high = bounds(rows, read)
  if low == high then high = low + 1 end -- gnuplot refuses an empty range
  local lines = common.heading(read)
  lines[#lines + 1] = "unset grid\nset palette defined (0 '#ffffff', 1 '#08306b')"
  lines[#lines + 1] = ("set cbrange [%s:%s]"):format(gnuplot.number(low), gnuplot.number(high))
  lines[#lines + 1] = ("set xrange [-0.5:%s]\nset yrange [%s:-0.5]"):format(
    gnuplot.number(#columns - 0.5), gnuplot.number(#names - 0.5))
  lines[#lines + 1] = "set xtics rotate by 45 right"
  lines[#lines + 1] = ticks("x", columns)
  lines[#lines + 1] = ticks("y", names)
  local data = common.block(lines, rows)
  lines[#lines + 1] = ("plot %s matrix with image notitle"):format(data)
  return gnuplot.draw(read.path, lines, common.pixels(read))
end

--- Numbers as shades, the first row on top.
-- @tparam tensor|table values (rows, columns), finite
-- @tparam[opt] table given `rows`, `columns`: their labels (default: numbers); `low`, `high`: what
-- is lightest and darkest (default: the least and the largest value); `title`, `xlabel`, `ylabel`,
-- `width`, `height`, `path`
-- @treturn string the plot; with a path true, or nil and a message
-- @usage print(plot.heat_map(weights, { rows = target_words, columns = source_words }))
return function(values, given)
  local read = common.read_options(WHO, given, { rows = options.optional,
    columns = options.optional, low = options.optional, high = options.optional })
  for _, name in ipairs{ "low", "high" } do
    if read[name] ~= nil then options.number(WHO, name, read[name]) end
  end
  local rows = read_rows(values)
  local names = read_labels("rows", read.rows, #rows)
  local columns = read_labels("columns", read.columns, #rows[1])
  if read.path then return draw(rows, names, columns, read) end
  return as_text(rows, names, columns, read)
end
