--- Where labels go so that they do not overlap.
-- @module marea.plot.labels
local labels = {}

-- Right, left, above, below, then the corners: in units of the label's width and height, from the
-- point to the label's middle.
local places = { { 0.5, 0 }, { -0.5, 0 }, { 0, 0.9 }, { 0, -0.9 }, { 0.5, 0.8 }, { -0.5, 0.8 },
  { 0.5, -0.8 }, { -0.5, -0.8 } }

local function apart(a, b)
  return a.right <= b.left or b.right <= a.left or a.top <= b.bottom or b.top <= a.bottom
end

local function box_at(x, y, place, width, height, gap)
  local sign = place[1] > 0 and 1 or place[1] < 0 and -1 or 0
  local middle_x, middle_y = x + place[1] * width + sign * gap, y + place[2] * height
  return { left = middle_x - width / 2, right = middle_x + width / 2, bottom = middle_y - height / 2,
    top = middle_y + height / 2, x = middle_x, y = middle_y }
end

local function free(box, taken)
  for _, other in ipairs(taken) do
    if not apart(box, other) then return false end
  end
  return true
end

--- Places one label after the other, the first ones first; each takes the first of eight places
-- around its point where it meets no label and no point placed before, or none.
-- @tparam table points { { x, y, text } … }, in the units of `width` and `height`
-- @tparam table size `width(text)`, `height`, `gap` between a point and its label, `point` (size of
-- a point), `limits` { left, right, bottom, top }
-- @treturn table place → { x, y } of a label's middle, or false where there was no room
-- @treturn integer labels without room
function labels.place(points, size)
  local taken, result, missing = {}, {}, 0
  local limits, half = size.limits, size.point / 2
  for i, point in ipairs(points) do
    local width, best = size.width(point[3]), false
    for _, place in ipairs(places) do
      local box = box_at(point[1], point[2], place, width, size.height, size.gap)
      if box.left >= limits.left and box.right <= limits.right and box.bottom >= limits.bottom
        and box.top <= limits.top and free(box, taken) then
        best = box
        break
      end
    end
    if best then
      taken[#taken + 1] = best
      taken[#taken + 1] = { left = point[1] - half, right = point[1] + half,
        bottom = point[2] - half, top = point[2] + half }
    else
      missing = missing + 1
    end
    result[i] = best and { best.x, best.y }
  end
  return result, missing
end

return labels
