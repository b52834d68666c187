--- Plots made of characters: points and curves where there is nothing but a terminal.
-- @module marea.plot.terminal
local terminal = {}

local function bounds(values)
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    if value == value and value > -math.huge and value < math.huge then
      low, high = math.min(low, value), math.max(high, value)
    end
  end
  if low > high then return 0, 1 end
  if low == high then
    local margin = low == 0 and 1 or math.abs(low) / 2
    return low - margin, high + margin
  end
  return low, high
end

-- The cells of a braille character: 2 wide, 4 high, by their bits.
local dots = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } }

local Canvas = {}
Canvas.__index = Canvas

--- A canvas of `width` × `height` characters over the given ranges.
function terminal.canvas(width, height, xs, ys)
  local self = setmetatable({ width = width, height = height, bits = {}, texts = {} }, Canvas)
  self.x_low, self.x_high = bounds(xs)
  self.y_low, self.y_high = bounds(ys)
  return self
end

-- Place in dots, from the top left corner; nil for what is no number.
function Canvas:place(x, y)
  local across = (x - self.x_low) / (self.x_high - self.x_low)
  local down = (self.y_high - y) / (self.y_high - self.y_low)
  if not (across >= 0 and across <= 1 and down >= 0 and down <= 1) then return nil end
  return math.floor(across * (2 * self.width - 1) + 0.5),
    math.floor(down * (4 * self.height - 1) + 0.5)
end

function Canvas:dot(across, down)
  local cell = down // 4 * self.width + across // 2
  self.bits[cell] = (self.bits[cell] or 0) | dots[across % 2 + 1][down % 4 + 1]
end

function Canvas:point(x, y)
  local across, down = self:place(x, y)
  if across then self:dot(across, down) end
end

function Canvas:line(x1, y1, x2, y2)
  local a1, d1 = self:place(x1, y1)
  local a2, d2 = self:place(x2, y2)
  if not (a1 and a2) then return end
  local steps = math.max(math.abs(a2 - a1), math.abs(d2 - d1), 1)
  for i = 0, steps do
    self:dot(math.floor(a1 + (a2 - a1) * i / steps + 0.5),
      math.floor(d1 + (d2 - d1) * i / steps + 0.5))
  end
end

--- Writes a text beside a point where there is room; false where there is none.
function Canvas:label(x, y, text)
  local across, down = self:place(x, y)
  if not across then return false end
  local characters = {}
  for _, code in utf8.codes(text, true) do characters[#characters + 1] = utf8.char(code) end
  local row = down // 4
  for _, first in ipairs{ across // 2 + 1, across // 2 - #characters } do
    local free = first >= 0 and first + #characters <= self.width
    for i = 0, #characters - 1 do
      free = free and not self.texts[row * self.width + first + i]
    end
    if free then
      for i, character in ipairs(characters) do
        self.texts[row * self.width + first + i - 1] = character
      end
      return true
    end
  end
  return false
end

--- The lines of the plot, with the ranges at its edges.
function Canvas:render(title)
  local lines = {}
  if title then lines[1] = title end
  for row = 0, self.height - 1 do
    local cells = {}
    for column = 0, self.width - 1 do
      local at = row * self.width + column
      local bits = self.bits[at]
      cells[#cells + 1] = self.texts[at] or (bits and utf8.char(0x2800 + bits)) or " "
    end
    local edge = row == 0 and ("%9.4g"):format(self.y_high)
      or row == self.height - 1 and ("%9.4g"):format(self.y_low) or (" "):rep(9)
    lines[#lines + 1] = edge .. " │" .. table.concat(cells):gsub(" +$", "")
  end
  lines[#lines + 1] = (" "):rep(10) .. "└" .. ("─"):rep(self.width)
  local low, high = ("%.4g"):format(self.x_low), ("%.4g"):format(self.x_high)
  lines[#lines + 1] = (" "):rep(11) .. low .. (" "):rep(math.max(1, self.width - #low - #high))
    .. high
  return table.concat(lines, "\n")
end

return terminal
