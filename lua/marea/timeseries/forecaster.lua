--- A forecaster: transforms, windows and any network of the toolkit in one object.
--
-- It is fitted on a training part alone, forecasts from the end of that part or of any later
-- history, is judged beside baselines, and is saved as one file with all it has learnt.
-- @classmod marea.timeseries.Forecaster
local calendar = require "marea.timeseries.calendar"
local fitting = require "marea.timeseries.fitting"
local Innovations = require "marea.timeseries.innovations"
local options = require "marea.nn.options"
local ops = require "marea.ops"
local Pipeline = require "marea.timeseries.pipeline"
local Series = require "marea.timeseries.series"

local Forecaster = { __name = "marea forecaster" }
local methods = {}
Forecaster.__index = methods

local declared = {
  model = options.required, lookback = options.required, horizon = 1, strategy = "direct",
  targets = options.optional, transforms = options.optional, covariate_transforms = options.optional,
  known_transforms = options.optional, normalize = "none", calendar = options.optional,
  encoding = "cyclic", independent = false, quantiles = options.optional, optimizer = "adam",
  loss = options.optional, seed = options.optional, training = options.optional,
  base = options.optional,
}

local function read_quantiles(list)
  if list == nil then return nil end
  if type(list) ~= "table" or #list == 0 then
    error("Forecaster: quantiles must be a list such as { 0.1, 0.5, 0.9 }, got "
      .. options.show(list), 0)
  end
  local median
  for i, q in ipairs(list) do
    options.number("Forecaster", "quantile " .. i, q, 1e-6, 1)
    if i > 1 and q <= list[i - 1] then error("Forecaster: quantiles must rise", 0) end
    if q == 0.5 then median = i end
  end
  if not median then error("Forecaster: quantiles must hold 0.5, the point forecast", 0) end
  return list, median
end

local function check_strategy(self)
  local who = "Forecaster"
  options.choice(who, "strategy", self.strategy, { "direct", "recursive", "encoder_decoder" })
  options.choice(who, "normalize", self.normalize, { "none", "last", "standard" })
  if self.strategy == "recursive" and self.horizon ~= 1 then
    error(("Forecaster: the recursive strategy learns one step; horizon is %d (leave it out and ask "
      .. "forecast(h) for any h)"):format(self.horizon), 0)
  end
  if self.independent and self.strategy == "encoder_decoder" then
    error("Forecaster: independent needs the strategy direct or recursive", 0)
  end
end

-- Differences of a lag below the horizon add steps up, and quantiles of sums are not sums of
-- quantiles.
local function check_quantiles(self)
  if not self.quantiles then return end
  if self.strategy == "recursive" then
    error("Forecaster: quantiles of several steps need the strategy direct; with the recursive one, "
      .. "intervals are simulated (leave quantiles out)", 0)
  end
  for _, stage in ipairs(self.pipeline.stages) do
    if stage.anchored and self.horizon > 1 then
      error("Forecaster: quantiles cannot be summed up over a base; leave quantiles out: intervals are "
        .. "then drawn from residuals", 0)
    end
    if stage.lag and stage.lag < self.horizon then
      error(("Forecaster: quantiles cannot be summed up over a difference of lag %d for horizon %d; "
        .. "leave quantiles out: intervals are then drawn from residuals"):format(stage.lag,
        self.horizon), 0)
    end
  end
end

-- The transforms of the targets, the base's stage behind those that are given.
local function target_stages(self)
  if not self.base then return self.transforms or { "standard" } end
  if self.normalize ~= "none" then
    error("Forecaster: base leaves errors around 0, which have no level of their own; leave normalize "
      .. "out", 0)
  end
  local given = self.transforms or {}
  local stages = type(given) == "table" and table.move(given, 1, #given, 1, {}) or { given }
  stages[#stages + 1] = Innovations{ base = self.base }
  return stages
end

--- A forecaster.
-- @tparam table given
--
-- - `model`: a Sequential without weights, or function(info) → one; info = { outputs (of a last
--   Dense layer), horizon, lookback, rows (of input), features, targets (columns), quantiles (number) }.
--   It reads (B, rows, features) and answers (B, outputs) or (B, horizon, outputs / horizon)
-- - `lookback`: rows that the network reads
-- - `horizon` (1) and `strategy`: "direct" (all steps at once), "recursive" (one step, its answer is
--   read for the next), "encoder_decoder" (as direct; the network also reads `horizon` rows of the
--   future, see timeseries.EncoderDecoder)
-- - `targets`: columns to forecast (all whose future is not known)
-- - `transforms` ({ "standard" }) of the targets, `covariate_transforms` ({ "standard" }) of other
--   columns, `known_transforms` ({}) of known ones: see Pipeline
-- - `base`: a simple forecaster on whose errors the network works: "holt_winters", "autoregression",
--   "seasonal_naive" … (with the season of the series), or an object of timeseries.baselines with
--   options of its own. It is fitted to the transformed targets of the training part alone; the
--   network reads its errors one step ahead, in deviations, and answers those to come; the forecast
--   is the base's, which takes each answer in (Zhang, 2003; with "log" they multiply, as in Smyl,
--   2020). A network that answers 0 is the base. `transforms` are then {} unless given
-- - `normalize`: a window's own level "none", "last" (minus its last value) or "standard"
-- - `calendar`: features of the date, { "month", "weekday" … }, `encoding` "cyclic" or "one_hot"
-- - `independent` (false): one network for all columns, each by itself
-- - `quantiles`: e.g. { 0.1, 0.5, 0.9 }: the network answers these (loss: pinball)
-- - `optimizer` ("adam"), `loss` ("mse"), `seed` (sets marea.manual_seed before the network is made)
-- - `training`: the options of `fit`, for whoever calls fit(series) alone, as timeseries.backtest does
-- @treturn Forecaster
local function construct(_, given)
  local self = setmetatable(options.read("Forecaster", given, declared), Forecaster)
  self.who = "Forecaster"
  self.lookback = options.integer("Forecaster", "lookback", self.lookback)
  self.horizon = options.integer("Forecaster", "horizon", self.horizon)
  options.boolean("Forecaster", "independent", self.independent)
  check_strategy(self)
  self.quantiles, self.median = read_quantiles(self.quantiles)
  if self.quantiles and self.loss ~= nil then
    error("Forecaster: quantiles have a loss of their own, the pinball loss; leave loss out", 0)
  end
  if self.calendar then calendar.check("Forecaster", self.calendar, self.encoding) end
  self.pipeline = Pipeline(target_stages(self))
  self.others_pipeline = Pipeline(self.covariate_transforms or { "standard" })
  self.known_pipeline = self.known_transforms and Pipeline(self.known_transforms)
  if self.known_pipeline and not self.known_pipeline.pointwise then
    error("Forecaster: known_transforms cannot hold differences", 0)
  end
  check_quantiles(self)
  self.shift_known = self.strategy == "recursive"
  return self
end

--- Learns transforms and network from a series: the training part alone.
-- @tparam Series|tensor|table series
-- @tparam[opt] table given `epochs` 100, `batch_size` 32, `verbose` 0, `callbacks`, `shuffle` true;
-- `validation`: a later part of the same series, or `validation_split` 0: the share of the last
-- windows that is held out (no target is in both); `patience`: EarlyStopping on the validation loss
-- with the best weights; `folds`: what intervals are drawn from. Residuals are those of the validation
-- part, if there is one; else of so many blocks of windows, each forecast by a network that has not seen
-- it (folds more trainings on a part of the windows); 0: of the windows that were learnt from, which
-- flatters. By default 3 for 8 to 500 windows, 0 for more or fewer. The forecast does not change
-- @treturn History of model:fit; `self.report` says in words what was done
-- @raise when the series has holes, a scaler's column is constant, or the series is shorter than a
-- window
function methods:fit(series, given)
  return fitting.fit(self, Series.of(series), given or self.training)
end

local function require_fitted(self, who)
  if not self.network then error(who .. ": fit the forecaster first", 0) end
end

--- Forecasts what follows a history.
-- @tparam[opt] integer horizon steps (the forecaster's own)
-- @tparam[opt] table given `history` (a Series with the last lookback rows at least; the end of the
-- training part), `known` (of the steps to come: a Series, whose rows are found by date, or
-- { name = list }), `level` (0.8) of the interval; `paths` 500 and `seed` 1 of the residual bootstrap
-- @treturn Forecast { dates, names, mean, low, high (H lists of C), level }; it can be printed
function methods:forecast(horizon, given)
  require_fitted(self, "forecast")
  return require("marea.timeseries.forecast").make(self, horizon, given)
end

--- Judges forecasts from every origin of a part that the forecaster has not seen, beside the
-- baselines (last value, same step of the last season, drift, mean).
-- @tparam Series series a later part; its lookback is read from what lies before it
-- @tparam[opt] table given `horizon` (the forecaster's), `stride` 1 between origins, `units` "own" or
-- "scaled" (errors divided by the training part's deviation, column by column), `level` (nil: no
-- intervals), `paths`, `seed`, `in_sample` (false): judge on the training part, which is no test
-- @treturn Scores { rmse, mae, mse, mape, smape, mase, by_horizon, baselines, skill, windows; with
-- `level` coverage, width, and pinball: the mean pinball loss of both bounds }; it can be printed
-- @raise when the part overlaps what was learnt from, be it the training part or the one that validated
-- (without dates: where the rows of both are equal), has other steps, or holds no window
function methods:evaluate(series, given)
  require_fitted(self, "evaluate")
  return require("marea.timeseries.evaluation").evaluate(self, Series.of(series), given)
end

--- What the forecaster is called in tables.
function methods:name()
  return ("%s, lookback %d, horizon %d"):format(self.strategy:gsub("_", " "), self.lookback,
    self.horizon)
end

--- Writes network, transforms, residuals and the last rows of the training part into one file.
-- @treturn boolean|nil true, or nil and a message
function methods:save(path)
  require_fitted(self, "save")
  return require("marea.timeseries.storage").save(self, path)
end

function Forecaster.__tostring(self)
  return ("forecaster (%s, lookback %d, horizon %d): %s%s"):format(self.strategy, self.lookback,
    self.horizon, tostring(self.pipeline), self.network and "" or "; not fitted")
end

--- The residuals of training or validation windows as a tensor (R,H,C), for intervals.
function methods:residual_tensor()
  return ops.tensor(self.residuals)
end

return setmetatable(Forecaster, { __call = construct })
