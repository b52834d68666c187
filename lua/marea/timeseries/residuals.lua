--- The errors that intervals are drawn from: of which windows they are, and how much wider those to
-- come will be.
--
-- A network's errors on the windows it has learnt from are smaller than its errors to come. So the
-- residuals are of windows that it has not seen: of the validation part where there is one, else of
-- blocks of the training windows, each forecast by a network that learns from the others
-- (cross-validated residuals; Barber, Candès, Ramdas and Tibshirani, 2021). Many training windows are
-- not learnt from again unasked.
-- @module marea.timeseries.residuals
local ops = require "marea.ops"
local preparing = require "marea.timeseries.preparing"
local rolling = require "marea.timeseries.rolling"

local residuals = {}

local MOST <const> = 50000 -- numbers that are kept
local FOLDS <const> = 3 -- blocks, where nothing else is asked for
local FEW <const> = 500 -- windows up to which blocks are cut unasked
local FEWEST <const> = 8 -- and from which on

--- The number of blocks that suits so many training windows; 0 for none.
function residuals.folds(windows)
  return windows >= FEWEST and windows <= FEW and FOLDS or 0
end

--- What was right minus what was answered, on the transformed scale: up to so many windows.
-- @treturn tensor (N,H,C)
function residuals.of(self, prepared, origins)
  local width = self.horizon * #self.roles.targets
  local most = math.max(20, MOST // width)
  local chosen, step = {}, math.max(1, #origins / most)
  for k = 1, math.min(#origins, most) do chosen[k] = origins[math.floor((k - 1) * step) + 1] end
  local p = rolling.forecast(self, prepared, chosen, self.horizon)
  return preparing.targets(self, prepared, chosen) - p
end

-- How many windows next to block first … last of `count` nobody learns from: those that share a
-- target with it, but not more than half of all others, lest nothing is left of a long horizon.
local function margin(first, last, count, horizon)
  local most = (count - (last - first + 1)) // 2
  local wide = horizon - 1
  while wide > 0 and math.min(wide, first - 1) + math.min(wide, count - last) > most do
    wide = wide - 1
  end
  return wide
end

-- The origins of block k of n consecutive ones, and the others that may be learnt from.
local function fold(origins, k, n, horizon)
  local first, last = #origins * (k - 1) // n + 1, #origins * k // n
  local block, rest = table.move(origins, first, last, 1, {}), {}
  local wide = margin(first, last, #origins, horizon)
  for i, origin in ipairs(origins) do
    if i < first - wide or i > last + wide then rest[#rest + 1] = origin end
  end
  return block, rest
end

--- Residuals of all windows, block by block.
-- @tparam Forecaster self its network is the whole one, before and after
-- @tparam table prepared
-- @tparam {integer,...} origins of the training windows
-- @tparam integer folds blocks
-- @tparam function learn origins → a network that has learnt from their windows
-- @treturn tensor (N,H,C)
function residuals.crossed(self, prepared, origins, folds, learn)
  if #origins < folds then
    error(("fit: %d windows of horizon %d cannot be cut into %d folds"):format(#origins, self.horizon,
      folds), 0)
  end
  local whole, list = self.network, {}
  for k = 1, folds do
    local block, rest = fold(origins, k, folds, self.horizon)
    self.network = learn(rest)
    local part = residuals.of(self, prepared, block):totable()
    table.move(part, 1, #part, #list + 1, list)
  end
  self.network = whole
  return ops.tensor(list)
end

--- By what errors to come are larger: n errors around a mean that is itself estimated from them tell
-- of the next one by s² (1 + 1/n), s² being their squares over n - 1. Windows overlap, so n counts the
-- stretches as long as the horizon; on a base the rows, for its errors one step ahead hardly hang
-- together.
-- @tparam Forecaster self
-- @tparam integer windows that the residuals are of
-- @treturn number at least 1
function residuals.spread(self, windows)
  local rows = windows + self.horizon - 1
  local n = math.max(1.5, self.pipeline.anchored and rows or rows / self.horizon)
  return math.sqrt((n + 1) / (n - 1))
end

--- What intervals of a forecaster rest on, in words.
function residuals.describe(self)
  local text = ({ validation = "the windows held out for validation",
    folds = "training windows, each forecast by a network that has not seen it",
    training = "the windows that were learnt from, which flatters: fit with folds or validation" })
    [self.residuals_of]
  return self.quantiles and "intervals: the network's quantiles"
    or ("intervals: residuals of %s; widened by %.2f"):format(text, self.spread)
end

return residuals
