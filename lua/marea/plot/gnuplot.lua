--- Pictures by gnuplot, an own program: its commands and the data go through a pipe.
-- Nothing of a label or a number is ever a command: numbers are printed with %.9g, of texts only
-- letters, digits and blanks stay as they are.
-- @module marea.plot.gnuplot
local gnuplot = {}

-- Control characters become blanks, other ASCII marks their octal escapes.
local function escape(mark)
  return mark:find("%c") and " " or ("\\%03o"):format(mark:byte())
end

--- A text as gnuplot's quoted string, in which no quote, backslash or back-tick is left.
-- Digits behind an escape are escaped too, since gnuplot would take them for a part of it.
function gnuplot.quote(text)
  return '"' .. tostring(text):gsub("[^%w \x80-\xff]+%d*", function(run)
    return (run:gsub(".", escape))
  end) .. '"'
end

-- A path inside the command; line breaks cannot be part of it.
local function check_path(path)
  if path:find("%c") then return nil, "the path holds a control character" end
  return true
end

--- A finite number, or NaN as gnuplot leaves it out.
function gnuplot.number(value)
  if value ~= value or value == math.huge or value == -math.huge then return "NaN" end
  return ("%.9g"):format(value)
end

local missing = "gnuplot is not installed: it makes the PNG and SVG files (Debian and Ubuntu: "
  .. "apt-get install gnuplot-nox); plot.html_map and the plots in the terminal work without it"

--- Whether gnuplot can be started.
function gnuplot.installed()
  local pipe = io.popen("command -v gnuplot 2>/dev/null")
  if not pipe then return false end
  local found = pipe:read("l")
  pipe:close()
  return found ~= nil and found ~= ""
end

local terminals = {
  png = "pngcairo", svg = "svg",
}

--- Runs commands that draw into a file: PNG or SVG by the path's ending.
-- @tparam string path
-- @tparam table commands lines
-- @tparam table size { width, height } in pixels
-- @treturn true, or nil and a message
function gnuplot.draw(path, commands, size)
  local ending = path:match("%.(%a+)$")
  local terminal = ending and terminals[ending:lower()]
  if not terminal then
    return nil, ("%s: the picture's kind is told by the ending: .png or .svg"):format(path)
  end
  local ok, message = check_path(path)
  if not ok then return nil, ("%q: %s"):format(path, message) end
  if not gnuplot.installed() then return nil, missing end
  local file, problem = io.open(path, "ab") -- gnuplot's own message would go to the screen
  if not file then return nil, problem end
  file:close()
  local pipe = io.popen("gnuplot 2>/dev/null", "w")
  if not pipe then return nil, missing end
  pipe:write(("set terminal %s noenhanced size %d,%d font 'DejaVu Sans,10'\n"):format(terminal,
    size[1], size[2]))
  pipe:write("set encoding utf8\nset output ", gnuplot.quote(path), "\n")
  pipe:write(table.concat(commands, "\n"), "\nunset output\n")
  if not pipe:close() then return nil, path .. ": gnuplot could not draw this" end
  return true
end

return gnuplot
