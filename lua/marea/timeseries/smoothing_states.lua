--- First guesses of level, trend and season for exponential smoothing.
-- @module marea.timeseries.smoothing_states
local least_squares = require "marea.timeseries.least_squares"

local smoothing_states = {}

-- The middle of each season-long stretch: a centred moving average, nil near the ends.
local function moving_average(y, m, last)
  local half, trend = m // 2, {}
  for t = half + 1, last - half do
    local sum = 0
    for k = t - half, t + half do sum = sum + y[k] end
    -- An even season has no middle value: both ends count for half.
    if m % 2 == 0 then sum = sum - (y[t - half] + y[t + half]) / 2 end
    trend[t] = sum / m
  end
  return trend
end

-- What each step of the season adds or multiplies, on average.
local function season_of(y, m, last, multiplicative)
  local trend, sums, counts = moving_average(y, m, last), {}, {}
  for slot = 1, m do sums[slot], counts[slot] = 0, 0 end
  for t, middle in pairs(trend) do
    local slot = (t - 1) % m + 1
    sums[slot] = sums[slot] + (multiplicative and y[t] / middle or y[t] - middle)
    counts[slot] = counts[slot] + 1
  end
  local season, total = {}, 0
  for slot = 1, m do
    season[slot] = counts[slot] > 0 and sums[slot] / counts[slot] or multiplicative and 1 or 0
    total = total + season[slot]
  end
  for slot = 1, m do
    if multiplicative then
      season[slot] = math.max(1e-3, season[slot] * m / total)
    else
      season[slot] = season[slot] - total / m
    end
  end
  return season
end

--- Level and trend before the first value, and the season, from the first seasons (as Hyndman,
-- Koehler, Ord and Snyder, 2008, section 2.6.1, do it).
-- @tparam {number,...} y two seasons at least, where there is one
-- @tparam integer m steps in a season; 1: none
-- @tparam boolean multiplicative
-- @tparam boolean trended
-- @treturn number level
-- @treturn number trend
-- @treturn {number,...} season m numbers, or none
function smoothing_states.guess(y, m, multiplicative, trended)
  local season = {}
  if m > 1 then season = season_of(y, m, math.min(#y, 4 * m), multiplicative) end
  local ones, times, adjusted = {}, {}, {}
  for t = 1, math.min(#y, math.max(10, 2 * m)) do
    local s = season[(t - 1) % m + 1]
    ones[t], times[t] = 1, t
    adjusted[t] = not s and y[t] or multiplicative and y[t] / s or y[t] - s
  end
  local found = least_squares.linear(trended and { ones, times } or { ones }, adjusted)
  return found[1], found[2] or 0, season
end

return smoothing_states
