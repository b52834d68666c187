--- Scalers: (x - shift) / scale, learnt column by column from the training part.
-- @module marea.timeseries.scalers
local options = require "marea.nn.options"
local transform = require "marea.timeseries.transform"

local scalers = {}

-- A class of scalers from `measure(self, sorted values)` → shift, scale.
local function scaler(name, declared, measure)
  local class = transform.class(name, declared, {}, { "shift", "scale" })
  class.scales = true

  function class:fit(columns, names, first, last, before)
    self.shift, self.scale = {}, {}
    for d, column in ipairs(columns) do
      local values = {}
      for t = first, last do
        if column[t] then values[#values + 1] = column[t] end
      end
      table.sort(values)
      if #values == 0 or values[1] == values[#values] then
        error(("%s: column %q%s is constant in the training part (rows %d to %d): nothing can be "
          .. "scaled by it; leave %s out"):format(name, names[d], before, first, last,
          before ~= "" and "the scaler" or "it"), 0)
      end
      self.shift[d], self.scale[d] = measure(self, values)
      if self.scale[d] <= 0 then
        error(("%s: column %q cannot be scaled: its spread is %g; take another scaler"):format(name,
          names[d], self.scale[d]), 0)
      end
    end
  end

  function class:apply(column, d)
    local result, shift, scale = {}, self.shift[d], self.scale[d]
    for t, value in ipairs(column) do result[t] = value and (value - shift) / scale end
    return result
  end

  function class:invert(values, d)
    local result = {}
    for h, value in ipairs(values) do result[h] = value * self.scale[d] + self.shift[d] end
    return result
  end

  function class:describe()
    local list = {}
    for d, shift in ipairs(self.shift or {}) do
      list[d] = ("(x - %.4g) / %.4g"):format(shift, self.scale[d])
    end
    return ("%s%s"):format(name, #list > 0 and ": " .. table.concat(list, ", ", 1,
      math.min(#list, 4)) .. (#list > 4 and " …" or "") or "")
  end

  return class
end

--- (x - mean) / deviation; `ddof` 0 as scikit-learn and the book have it, 1 as pandas.
scalers.StandardScaler = scaler("StandardScaler", { ddof = 0 }, function(self, values)
  local mean, square = 0, 0
  for _, value in ipairs(values) do mean = mean + value / #values end
  for _, value in ipairs(values) do square = square + (value - mean) ^ 2 end
  return mean, math.sqrt(square / (#values - self.ddof))
end)

--- The training part's least and largest value become the ends of `feature_range` ({0, 1}).
local MinMax = scaler("MinMaxScaler", { feature_range = { 0, 1 } }, function(self, values)
  local low, high = self.feature_range[1], self.feature_range[2]
  local scale = (values[#values] - values[1]) / (high - low)
  return values[1] - low * scale, scale
end)
scalers.MinMaxScaler = MinMax

function MinMax:init()
  local range = self.feature_range
  if type(range) ~= "table" or type(range[1]) ~= "number" or type(range[2]) ~= "number"
    or range[1] >= range[2] then
    error("MinMaxScaler: feature_range must be { low, high }, got " .. options.show(range), 0)
  end
end

-- A quantile of sorted values, linear between them (type 7 of Hyndman and Fan, 1996).
local function quantile(values, share)
  local at = 1 + share * (#values - 1)
  local below = math.floor(at)
  local above = math.min(below + 1, #values)
  return values[below] + (at - below) * (values[above] - values[below])
end
scalers.quantile = quantile

--- (x - median) / (distance of the quartiles), which a few outliers do not move; other shares by
-- `quantile_range` ({25, 75}).
local Robust = scaler("RobustScaler", { quantile_range = { 25, 75 } }, function(self, values)
  local low, high = self.quantile_range[1] / 100, self.quantile_range[2] / 100
  return quantile(values, 0.5), quantile(values, high) - quantile(values, low)
end)
scalers.RobustScaler = Robust

function Robust:init()
  local range = self.quantile_range
  if type(range) ~= "table" or type(range[1]) ~= "number" or type(range[2]) ~= "number"
    or not (0 <= range[1] and range[1] < range[2] and range[2] <= 100) then
    error("RobustScaler: quantile_range must be { low, high } in 0 to 100, got "
      .. options.show(range), 0)
  end
end

return scalers
