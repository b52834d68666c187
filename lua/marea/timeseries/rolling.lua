--- Forecasts from many origins at once: the network's answers as (N,H,C), straight or step by step.
-- @module marea.timeseries.rolling
local ops = require "marea.ops"
local preparing = require "marea.timeseries.preparing"
local windows = require "marea.timeseries.windows"

local rolling = {}

local BATCH <const> = 256

-- The network's answers (N,H,C,Q) in the units of the windows.
local function answers(self, x, count)
  local p = self.network:predict(x, { batch_size = BATCH })
  local horizon, quantiles = self.horizon, self.quantiles and #self.quantiles or 1
  local targets = #self.roles.targets
  if self.independent then
    return p:reshape{ targets, count, horizon, quantiles }:permute(2, 3, 1, 4)
  end
  return p:reshape{ count, horizon, targets, quantiles }
end

-- The answers on the transformed scale, (N,H,C) for one quantile; by default the middle one.
local function pick(self, p, level, q)
  local shape = p:shape()
  q = q or self.quantiles and self.median or 1
  local chosen = p:narrow(4, q, 1):reshape{ shape[1], shape[2], shape[3] }
  return preparing.from_window(chosen, level)
end

--- Direct forecasts.
-- @tparam table self the forecaster
-- @tparam table prepared what preparing.table returned
-- @tparam {integer,...} origins 0-based rows of its table
-- @tparam[opt] boolean every a list with one tensor for each quantile instead of the middle one
-- @treturn tensor|table (N,H,C) on the transformed scale
function rolling.direct(self, prepared, origins, every)
  local x, level = preparing.inputs(self, prepared, origins)
  local p = answers(self, x, #origins)
  if not every then return pick(self, p, level) end
  local list = {}
  for q = 1, #self.quantiles do list[q] = pick(self, p, level, q) end
  return list
end

-- A window one step on: the answer becomes its last row, with what is known of the row.
local function advance(self, prepared, x, origins, step, values)
  local rows = { values:reshape{ #origins, 1, self.unknown } }
  local known = prepared.z:size(2) - self.unknown
  if known > 0 then
    local at = windows.gather(prepared.z, origins, { step })
    rows[2] = at:narrow(3, self.unknown + 1, known)
  end
  local row = #rows == 1 and rows[1] or ops.concat(rows, 3)
  if self.lookback == 1 then return row end
  return ops.concat({ x:narrow(2, 2, self.lookback - 1), row }, 2)
end

--- Forecasts that go on from their own answers, a step at a time.
-- @tparam table self the forecaster
-- @tparam table prepared
-- @tparam {integer,...} origins
-- @tparam integer horizon
-- @tparam[opt] function noise step → tensor (N,C) that is added to the answer, on the window's scale
-- of the transformed values; for simulated paths
-- @treturn tensor (N,H,C) on the transformed scale
function rolling.recursive(self, prepared, origins, horizon, noise)
  local count, targets = #origins, #self.roles.targets
  local x = windows.gather(prepared.z, origins, windows.range(1 - self.lookback, self.lookback))
  local steps = {}
  for step = 1, horizon do
    local input, level = preparing.normalize(self, x)
    if self.independent then input = preparing.one_by_one(self, input) end
    local p = answers(self, input, count)
    local y = pick(self, p, level):reshape{ count, targets }
    if noise then y = y + noise(step) end
    steps[step] = y
    if step < horizon then x = advance(self, prepared, x, origins, step, y) end
  end
  return ops.stack(steps, 2)
end

--- Forecasts (N,H,C) by the forecaster's strategy, on the transformed scale.
function rolling.forecast(self, prepared, origins, horizon)
  if self.strategy == "recursive" then
    return rolling.recursive(self, prepared, origins, horizon)
  end
  local p = rolling.direct(self, prepared, origins)
  return horizon == self.horizon and p or p:narrow(2, 1, horizon)
end

--- Forecasts in the series' own units: (N,H,C), from (N,H,C) on the transformed scale.
-- Scales are undone as tensors, other transforms value by value, from the history at each origin.
function rolling.invert(self, prepared, origins, p)
  if self.pipeline.only_scales then
    for i = #self.pipeline.stages, 1, -1 do
      local stage = self.pipeline.stages[i]
      p = p * ops.tensor(stage.scale) + ops.tensor(stage.shift)
    end
    return p
  end
  local rows = p:totable()
  for n, window in ipairs(rows) do
    local origin = origins[n] + 1 + self.lost
    for c = 1, #self.roles.targets do
      local list = {}
      for h, values in ipairs(window) do list[h] = values[c] end
      for h, value in ipairs(self.pipeline:invert_column(list, c, prepared.trace, origin)) do
        window[h][c] = value
      end
    end
  end
  return ops.tensor(rows)
end

--- 0-based rows of the table from which `horizon` rows can be judged: every `stride`-th, so that the
-- targets begin at row `first` (of the series) or later.
function rolling.origins(self, prepared, first, horizon, stride)
  local from = math.max(self.lookback - 1, first - 2 - self.lost)
  local to = prepared.rows - horizon - 1
  local list = {}
  for origin = from, to, stride or 1 do list[#list + 1] = origin end
  return list
end

return rolling
