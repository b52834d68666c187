--- Pictures: scatter plots, curves, bars, training histories, maps.
--
--     local plot = marea.plot
--     print(plot.scatter(map, { labels = words }))                  -- in the terminal
--     assert(plot.scatter(map, { labels = words, path = "map.png" }))
--     assert(plot.html_map("map.html", { points = map, labels = words }))
--     assert(plot.history(history, "training.svg"))
--
-- With a `path` that ends in .png or .svg gnuplot draws the file (Debian's package gnuplot-nox; it
-- is needed for nothing else) and true comes back, or nil and a message. Without one the plot is
-- made of characters and comes back as a text.
-- @module marea.plot
local common = require "marea.plot.drawing"
local gnuplot = require "marea.plot.gnuplot"
local html = require "marea.plot.html"
local json = require "marea.json"
local labels = require "marea.plot.labels"
local native = require "marea.native"
local options = require "marea.nn.options"

local plot = {}

local block, canvas, heading = common.block, common.canvas, common.heading
local pixels, read_options = common.pixels, common.read_options

local function to_rows(who, points)
  local rows = native.is_tensor(points) and points:totable() or points
  if type(rows) ~= "table" then
    error(("%s: points must be a tensor (N, 2) or a list of pairs, got %s"):format(who,
      options.show(points)), 0)
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" or type(row[1]) ~= "number" or type(row[2]) ~= "number" then
      error(("%s: point %d is no pair of numbers"):format(who, i), 0)
    end
  end
  return rows
end

local function check_length(who, name, list, n)
  if list ~= nil and (type(list) ~= "table" or #list ~= n) then
    error(("%s: %d points, but %s"):format(who, n, type(list) == "table"
      and ("%d %s"):format(#list, name) or name .. " is " .. options.show(list)), 0)
  end
end

local function columns(rows)
  local xs, ys = {}, {}
  for i, row in ipairs(rows) do xs[i], ys[i] = row[1], row[2] end
  return xs, ys
end

-- Names of groups in their order of appearance, and each point's group from 1.
local function number_groups(groups, n)
  local names, places, numbers = {}, {}, {}
  for i = 1, n do
    local name = groups and tostring(groups[i]) or ""
    if not places[name] then
      names[#names + 1] = name
      places[name] = #names
    end
    numbers[i] = places[name]
  end
  return names, numbers
end

-- Scatter plots -----------------------------------------------------------------------------------

local function finite_bounds(values)
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    if value == value and value ~= math.huge and value ~= -math.huge then
      low, high = math.min(low, value), math.max(high, value)
    end
  end
  if low > high then low, high = 0, 1 end
  local margin = high > low and 0.05 * (high - low) or 1
  return low - margin, high + margin
end

-- Labels are placed in pixels of the drawing, which is a little smaller than the picture.
local function label_lines(lines, rows, read, box)
  local size = pixels(read)
  local per_x = (size[1] - 160) / (box[2] - box[1])
  local per_y = (size[2] - 90) / (box[4] - box[3])
  local points = {}
  for i, row in ipairs(rows) do
    points[i] = { (row[1] - box[1]) * per_x, (row[2] - box[3]) * per_y, tostring(read.labels[i]) }
  end
  local placed, missing = labels.place(points, { height = 13, gap = 5, point = 4,
    width = function(text) return 7 * (utf8.len(text) or #text) end,
    limits = { left = 0, right = size[1] - 160, bottom = 0, top = size[2] - 90 } })
  for i = 1, #rows do
    if placed[i] then
      lines[#lines + 1] = ("set label %s at %s,%s center"):format(gnuplot.quote(points[i][3]),
        gnuplot.number(placed[i][1] / per_x + box[1]), gnuplot.number(placed[i][2] / per_y + box[3]))
    end
  end
  return missing
end

local function draw_scatter(rows, read)
  local lines = heading(read)
  local xs, ys = columns(rows)
  local box = { finite_bounds(xs) }
  box[3], box[4] = finite_bounds(ys)
  lines[#lines + 1] = ("set xrange [%s:%s]"):format(gnuplot.number(box[1]), gnuplot.number(box[2]))
  lines[#lines + 1] = ("set yrange [%s:%s]"):format(gnuplot.number(box[3]), gnuplot.number(box[4]))
  local missing = read.labels and label_lines(lines, rows, read, box) or 0
  local names, numbers = number_groups(read.groups, #rows)
  local parts = {}
  for group, name in ipairs(names) do
    local members = {}
    for i, row in ipairs(rows) do
      if numbers[i] == group then members[#members + 1] = { row[1], row[2] } end
    end
    parts[group] = ("%s using 1:2 with points pt 7 ps 0.5 lc %d %s"):format(block(lines, members),
      group, read.groups and "title " .. gnuplot.quote(name) or "notitle")
  end
  if #parts == 0 then return nil, "scatter: there are no points" end
  lines[#lines + 1] = "plot " .. table.concat(parts, ", ")
  local ok, message = gnuplot.draw(read.path, lines, pixels(read))
  if not ok then return nil, message end
  return true, missing
end

--- Points in the plane.
-- @tparam tensor|table points (N, 2), or a list of pairs
-- @tparam[opt] table given `labels` (N texts: the first ones have the choice of places, those that
-- would overlap are left out), `groups` (N names, coloured; in the terminal all look the same),
-- `title`, `xlabel`, `ylabel`, `width`, `height` (pixels of a file; characters in the terminal),
-- `path`
-- @treturn string the plot; with a path true and the number of labels left out, or nil and a message
function plot.scatter(points, given)
  local read = read_options("scatter", given, { labels = options.optional,
    groups = options.optional })
  local rows = to_rows("scatter", points)
  check_length("scatter", "labels", read.labels, #rows)
  check_length("scatter", "groups", read.groups, #rows)
  if read.path then return draw_scatter(rows, read) end
  local drawing = canvas(read, columns(rows))
  for i, row in ipairs(rows) do
    drawing:point(row[1], row[2])
    if read.labels then drawing:label(row[1], row[2], tostring(read.labels[i])) end
  end
  return drawing:render(read.title)
end

-- Curves and bars ---------------------------------------------------------------------------------

-- { name = list } or { { name, list } … } as a list of { name, rows } in a fixed order.
local function to_curves(who, curves)
  if type(curves) ~= "table" or next(curves) == nil then
    error(("%s: expected { name = list of numbers, … }, got %s"):format(who,
      options.show(curves)), 0)
  end
  local result = {}
  for name, values in pairs(curves) do
    values = native.is_tensor(values) and values:totable() or values
    local rows = {}
    for i, value in ipairs(type(values) == "table" and values or {}) do
      local row = type(value) == "table" and value or { i, value }
      if type(row[1]) ~= "number" or type(row[2]) ~= "number" then
        error(("%s: value %d of %q is no number"):format(who, i, tostring(name)), 0)
      end
      rows[i] = row
    end
    if #rows == 0 then error(("%s: %q has no values"):format(who, tostring(name)), 0) end
    result[#result + 1] = { name = tostring(name), rows = rows }
  end
  table.sort(result, function(a, b) return a.name < b.name end)
  return result
end

-- The values of a curve that can be drawn; where there are others, a sentence on them.
local function finite_rows(curve)
  local rows, first, last, value = {}, nil, nil, nil
  for i, row in ipairs(curve.rows) do
    if row[2] - row[2] == 0 then
      rows[#rows + 1] = row
    else
      if not first then first, value = i, row[2] end
      last = i
    end
  end
  if not first then return rows end
  local count = #curve.rows - #rows
  return rows, ("%d of the %d values of %q %s not finite (%s at %d%s)"):format(count, #curve.rows,
    curve.name, count == 1 and "is" or "are", value ~= value and "nan" or tostring(value), first,
    last > first and (", the last one at %d"):format(last) or "")
end

-- A sentence for each curve of which values are left out.
local function check_values(curves)
  local notes, drawn = {}, 0
  for _, curve in ipairs(curves) do
    local rows, note = finite_rows(curve)
    drawn, notes[#notes + 1] = drawn + #rows, note
  end
  if drawn == 0 then
    error("curves: there is nothing to draw: " .. table.concat(notes, "; "), 0)
  end
  return notes
end

-- Values as powers of ten, zeros about a power below the smallest other; a sentence on those.
local function to_logarithms(curves)
  local lowest, zeros = math.huge, 0
  for _, curve in ipairs(curves) do
    for i, row in ipairs(curve.rows) do
      if row[2] < 0 then
        error(("curves: value %d of %q is %g; log_y draws values from 0 on"):format(i, curve.name,
          row[2]), 0)
      end
      if row[2] > 0 then lowest = math.min(lowest, row[2]) end
      if row[2] == 0 then zeros = zeros + 1 end
    end
  end
  local floor = lowest == math.huge and 0 or math.floor(math.log(lowest, 10) - 0.5)
  for _, curve in ipairs(curves) do
    for i, row in ipairs(curve.rows) do
      curve.rows[i] = { row[1], row[2] == 0 and floor or math.log(row[2], 10) }
    end
  end
  return zeros > 0 and ("0 is drawn at 1e%d"):format(floor) or nil
end

local function draw_curves(curves, read, notes)
  local lines, parts = heading(read), {}
  if read.log_y then lines[#lines + 1] = "set format y '1e%g'" end
  if notes[1] then
    lines[#lines + 1] = "set label " .. gnuplot.quote(table.concat(notes, "; "))
      .. " at graph 0.01,0.97 font ',8'"
  end
  for i, curve in ipairs(curves) do
    parts[i] = ("%s using 1:2 with linespoints pt 7 ps 0.4 lw 1.5 lc %d title %s"):format(
      block(lines, curve.rows), i, gnuplot.quote(curve.name))
  end
  lines[#lines + 1] = "plot " .. table.concat(parts, ", ")
  return gnuplot.draw(read.path, lines, pixels(read))
end

-- The curve's name at its end, or where else on it there is room: curves may end together.
local function label_curve(drawing, curve)
  local rows = finite_rows(curve)
  if #rows == 0 then return end
  for _, share in ipairs{ 1, 0, 0.5, 0.25, 0.75 } do
    local row = rows[1 + math.floor(share * (#rows - 1) + 0.5)]
    if drawing:label(row[1], row[2], curve.name) then return end
  end
end

--- Curves, one or several in one plot.
-- @tparam table curves name → list of numbers (drawn over 1, 2, …), list of pairs, or tensor
-- @tparam[opt] table given `title`, `xlabel`, `ylabel`, `width`, `height`, `path`; `log_y` (false): the
-- y axis holds powers of ten (in the terminal their exponents), zeros are drawn about a power
-- below the smallest value
-- @treturn string the plot, and below it what is drawn at another place or not at all (NaN and
-- infinities); with a path true, or nil and a message
-- @raise when no value is finite, and with log_y for values below 0
function plot.curves(curves, given)
  local read = read_options("curves", given, { log_y = false })
  options.boolean("curves", "log_y", read.log_y)
  curves = to_curves("curves", curves)
  local notes = check_values(curves)
  if read.log_y then notes[#notes + 1] = to_logarithms(curves) end
  if read.path then return draw_curves(curves, read, notes) end
  local xs, ys = {}, {}
  for _, curve in ipairs(curves) do
    for _, row in ipairs(curve.rows) do xs[#xs + 1], ys[#ys + 1] = row[1], row[2] end
  end
  local drawing = canvas(read, xs, ys)
  for _, curve in ipairs(curves) do
    local rows = curve.rows
    drawing:point(rows[1][1], rows[1][2])
    for i = 2, #rows do
      drawing:line(rows[i - 1][1], rows[i - 1][2], rows[i][1], rows[i][2])
    end
    label_curve(drawing, curve)
  end
  table.insert(notes, 1, drawing:render(read.title))
  return table.concat(notes, "\n")
end

local function text_width(text)
  return utf8.len(text) or #text
end

local function bars_as_text(names, values, read)
  local widest, most, lines = 0, 0, { read.title }
  for i, name in ipairs(names) do
    widest, most = math.max(widest, text_width(name)), math.max(most, math.abs(values[i]))
  end
  for i, name in ipairs(names) do
    local length = most > 0 and math.floor(math.abs(values[i]) / most * (read.width or 40) + 0.5)
      or 0
    lines[#lines + 1] = ("%s%s │%s %.4g"):format(name, (" "):rep(widest - text_width(name)),
      (values[i] < 0 and "░" or "█"):rep(length), values[i])
  end
  return table.concat(lines, "\n")
end

--- Bars, one for each name.
-- @tparam table names
-- @tparam table values as many finite numbers; in the terminal negative ones are drawn lighter
-- @tparam[opt] table given as for `curves`
-- @treturn string the plot; with a path true, or nil and a message
function plot.bars(names, values, given)
  local read = read_options("bars", given, {})
  values = native.is_tensor(values) and values:totable() or values
  if type(names) ~= "table" or type(values) ~= "table" or #names ~= #values or #names == 0 then
    error("bars: expected a list of names and as many values", 0)
  end
  local texts, rows = {}, {}
  for i, value in ipairs(values) do
    if type(value) ~= "number" or value - value ~= 0 then
      error(("bars: value %d is no finite number"):format(i), 0)
    end
    texts[i], rows[i] = tostring(names[i]):gsub("%c", " "), { i - 1, value }
  end
  if not read.path then return bars_as_text(texts, values, read) end
  local lines, ticks = heading(read), {}
  for i, text in ipairs(texts) do ticks[i] = ("%s %d"):format(gnuplot.quote(text), i - 1) end
  lines[#lines + 1] = "set style fill solid 0.8\nset boxwidth 0.7\nset xtics rotate by -45"
  lines[#lines + 1] = "set xtics (" .. table.concat(ticks, ", ") .. ")"
  local data = block(lines, rows)
  lines[#lines + 1] = ("plot %s using 1:2 with boxes lc 1 notitle"):format(data)
  return gnuplot.draw(read.path, lines, pixels(read))
end

--- The curves of a training: every list of numbers in a history, over the epochs.
-- @tparam table history what `model:fit` returned, or name → list
-- @tparam[opt] string path
-- @tparam[opt] table given as for `curves`
-- @treturn string the plot; with a path true, or nil and a message
function plot.history(history, path, given)
  local curves, lists = {}, type(history) == "table" and history or {}
  lists = rawget(lists, "history") or lists
  for name, values in pairs(lists) do
    if type(name) == "string" and type(values) == "table" and type(values[1]) == "number" then
      curves[name] = values
    end
  end
  if next(curves) == nil then
    error("history: expected what model:fit returned, with a value for each epoch", 0)
  end
  local read = { xlabel = "epoch", path = path }
  for name, value in pairs(given or {}) do read[name] = value end
  return plot.curves(curves, read)
end

--- A forecast behind its history, with its interval; see marea.plot.forecast. @function forecast
--- A table of numbers as shades; see marea.plot.heat_map. @function heat_map

-- Maps and tables ---------------------------------------------------------------------------------

--- A map as one HTML file that needs no network: drag and wheel move it, a field searches, names
-- show under the pointer, labels never overlap.
-- @tparam string path
-- @tparam table given `points` (a tensor (N, 2) or pairs), `labels` (N texts), `groups` (N names,
-- coloured), `notes` (N texts, shown under the pointer), `title`
-- @treturn true, or nil and a message
function plot.html_map(path, given)
  local read = options.read("html_map", given, { points = options.required,
    labels = options.required, groups = options.optional, notes = options.optional,
    title = "map" })
  local rows = to_rows("html_map", read.points)
  for _, name in ipairs{ "labels", "groups", "notes" } do
    check_length("html_map", name, read[name], #rows)
  end
  local data = { x = json.array{}, y = json.array{}, label = json.array{} }
  for i, row in ipairs(rows) do
    if row[1] - row[1] ~= 0 or row[2] - row[2] ~= 0 then
      error(("html_map: point %d is not finite"):format(i), 0)
    end
    data.x[i], data.y[i], data.label[i] = row[1], row[2], tostring(read.labels[i])
  end
  if read.groups then
    local _, numbers = number_groups(read.groups, #rows)
    for i, number in ipairs(numbers) do numbers[i] = number - 1 end
    data.group = json.array(numbers)
  end
  if read.notes then
    data.note = json.array{}
    for i, note in ipairs(read.notes) do data.note[i] = tostring(note) end
  end
  return html.write(path, tostring(read.title), data)
end

--- Neighbours as a table of text, a column for each word that was asked for.
-- @tparam table neighbours word → list of { word, similarity } (as most_similar returns them), or a
-- list of { word, list } where the order matters
-- @treturn string
function plot.neighbours(neighbours)
  local lists = {}
  if #neighbours > 0 then
    lists = neighbours
  else
    for word, list in pairs(neighbours) do lists[#lists + 1] = { word, list } end
    table.sort(lists, function(a, b) return a[1] < b[1] end)
  end
  local lines, longest = { "" }, 0
  for _, entry in ipairs(lists) do longest = math.max(longest, #entry[2]) end
  for row = 1, longest do lines[row + 1] = "" end
  for _, entry in ipairs(lists) do
    local width = text_width(entry[1])
    for _, item in ipairs(entry[2]) do
      width = math.max(width, text_width(item.word or item[1]) + 6)
    end
    lines[1] = lines[1] .. entry[1] .. (" "):rep(width - text_width(entry[1]) + 2)
    for row = 1, longest do
      local item = entry[2][row]
      local word = item and (item.word or item[1]) or ""
      local value = item and ("%.3f"):format(item.similarity or item[2]) or ""
      lines[row + 1] = lines[row + 1] .. word
        .. (" "):rep(width - text_width(word) - #value) .. value .. "  "
    end
  end
  for i, line in ipairs(lines) do lines[i] = line:gsub(" +$", "") end
  return table.concat(lines, "\n")
end

return setmetatable(plot, {
  __index = function(_, name)
    local value = (name == "forecast" or name == "heat_map") and require("marea.plot." .. name) or nil
    rawset(plot, name, value)
    return value
  end,
})
