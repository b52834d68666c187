--- Metrics with Keras's names: objects with `update(target, prediction, { sample_weight, mask })`,
-- `result()` and `reset()`. Each is a running mean weighted by sample count, so that a small last
-- batch counts for what it is.
--
--     local auc = metrics.AUC{}
--     auc:update(y, model(x))
--     print(auc:result())
--
-- `y` and `p` have one shape; (B) and (B, 1) mean the same. Names in lower case with underscores
-- (`"binary_accuracy"`) serve in compile; "accuracy" means what fits the loss. `bleu` scores translations
-- (metrics/bleu.lua).
-- @module marea.metrics
local ops = require "marea.ops"
local options = require "marea.nn.options"
local arithmetic = require "marea.metrics.arithmetic"
local last_axis, alike, weights_for = arithmetic.last_axis, arithmetic.alike, arithmetic.weights_for
local positive, ids_for = arithmetic.positive, arithmetic.ids_for

local metrics = { bleu = require "marea.metrics.bleu" }

local classes = {} -- Keras's snake-case name → class

local Metric = {}
Metric.__index = Metric

local function construct(class, given)
  local metric = options.read(class.class_name, given, class.options, class.positional)
  setmetatable(metric, class)
  metric.name = metric.name or class.metric_name
  metric:reset()
  return metric
end

local function define(class_name, name, definition)
  local class = { class_name = class_name, metric_name = name, direction = "max" }
  for key, value in pairs(definition) do class[key] = value end
  class.options = { name = options.optional }
  for key, value in pairs(definition.options or {}) do class.options[key] = value end
  class.__index = class
  class.__tostring = function(metric) return "metric " .. metric.name end
  setmetatable(class, { __index = Metric, __call = construct })
  classes[name] = class
  metrics[class_name] = class
  return class
end

--- { class_name, config } for a file.
function Metric:get_config()
  local config = {}
  for key in pairs(getmetatable(self).options) do config[key] = self[key] end
  return { class_name = self.class_name, config = config }
end

-- Running means -------------------------------------------------------------------------------

local mean = {}

function mean:reset()
  self.sum, self.weight = 0, 0
end

function mean:update(y, p, given)
  local values = self:values(y, p)
  local weights = weights_for(values, given)
  if weights then
    self.sum = self.sum + ops.sum(values * weights):item()
    self.weight = self.weight + ops.sum(weights):item()
  else
    self.sum = self.sum + ops.sum(values):item()
    self.weight = self.weight + values:count()
  end
end

function mean:result()
  return self.weight > 0 and self.sum / self.weight or 0
end

local function running_mean(class_name, name, values, definition)
  local full = { reset = mean.reset, update = mean.update, result = mean.result, values = values }
  for key, value in pairs(definition or {}) do full[key] = value end
  return define(class_name, name, full)
end

local function mean_last(x)
  return ops.mean(x, last_axis(x))
end

--- Share of predictions on the right side of `threshold` (0.5). @function BinaryAccuracy
--- Share of rows whose largest score is at the target's largest. @function CategoricalAccuracy
--- The same for targets as class ids from 0. @function SparseCategoricalAccuracy
--- Share of rows whose target is among the `k` (5) best; ties favour a hit.
-- @function TopKCategoricalAccuracy
--- The same for class ids. @function SparseTopKCategoricalAccuracy
running_mean("BinaryAccuracy", "binary_accuracy", function(self, y, p)
  y, p = alike(self, y, p)
  return mean_last(ops.equal(positive(p, self.threshold), y))
end, { options = { threshold = 0.5 } })

running_mean("CategoricalAccuracy", "categorical_accuracy", function(self, y, p)
  y, p = alike(self, y, p)
  return ops.equal(ops.argmax(y, last_axis(y)), ops.argmax(p, last_axis(p)))
end)

running_mean("SparseCategoricalAccuracy", "sparse_categorical_accuracy", function(_, y, p)
  p = ops.as_real(p)
  return ops.equal(ids_for(y, p), ops.argmax_ids(p, last_axis(p)))
end)

-- A hit: fewer than k scores are strictly greater than the target's, so ties favour a hit.
local function top_k(ids, p, k)
  local own = ops.pick(p, ids)
  local shape = own:shape()
  shape[#shape + 1] = 1
  local above = ops.sum(ops.greater(p, own:reshape(shape)), last_axis(p))
  local finite = ops.equal(own, own) -- NaN never hits
  return ops.less(above, k) * finite
end

running_mean("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy",
  function(self, y, p)
    p = ops.as_real(p)
    return top_k(ids_for(y, p), p, self.k)
  end, { options = { k = 5 }, positional = { "k" } })

running_mean("TopKCategoricalAccuracy", "top_k_categorical_accuracy", function(self, y, p)
  y, p = alike(self, y, p)
  return top_k(ops.argmax_ids(y, last_axis(y)), p, self.k)
end, { options = { k = 5 }, positional = { "k" } })

--- The losses of these names as metrics (see marea.losses).
-- @function MeanSquaredError @function MeanAbsoluteError @function MeanAbsolutePercentageError
-- @function MeanSquaredLogarithmicError @function LogCoshError @function KLDivergence
-- @function Poisson @function Hinge @function BinaryCrossentropy @function CategoricalCrossentropy
-- @function SparseCategoricalCrossentropy
--- The cosine itself: 1 is best, unlike the loss. @function CosineSimilarity
--- The root of the mean (y - p)². @function RootMeanSquaredError
local from_losses = {
  MeanSquaredError = "mean_squared_error", MeanAbsoluteError = "mean_absolute_error",
  MeanAbsolutePercentageError = "mean_absolute_percentage_error",
  MeanSquaredLogarithmicError = "mean_squared_logarithmic_error",
  LogCoshError = "log_cosh", KLDivergence = "kl_divergence", Poisson = "poisson", Hinge = "hinge",
  BinaryCrossentropy = "binary_crossentropy", CategoricalCrossentropy = "categorical_crossentropy",
  SparseCategoricalCrossentropy = "sparse_categorical_crossentropy",
}
for class_name, loss in pairs(from_losses) do
  running_mean(class_name, loss, function(_, y, p)
    return require("marea.losses")[loss](y, p, { reduction = "none" })
  end, { direction = "min" })
end

running_mean("CosineSimilarity", "cosine_similarity", function(_, y, p)
  return -require("marea.losses").cosine_similarity(y, p, { reduction = "none" })
end)

running_mean("RootMeanSquaredError", "root_mean_squared_error", function(self, y, p)
  y, p = alike(self, y, p)
  return ops.square(y - p)
end, { direction = "min", result = function(self) return math.sqrt(mean.result(self)) end })

local function token_loss(_, y, p)
  return require("marea.losses").sparse_categorical_crossentropy(y, p, { reduction = "none" })
end

--- e^(mean negative log-likelihood) over valid tokens. @function Perplexity
--- That mean in bits. @function BitsPerCharacter
running_mean("Perplexity", "perplexity", token_loss,
  { direction = "min", result = function(self) return math.exp(mean.result(self)) end })
running_mean("BitsPerCharacter", "bits_per_character", token_loss,
  { direction = "min", result = function(self) return mean.result(self) / math.log(2) end })

-- Counts of hits and misses -------------------------------------------------------------------

local counts = {}

function counts:reset()
  self.tp, self.fp, self.fn, self.tn = 0, 0, 0, 0
end

function counts:update(y, p, given)
  y, p = alike(self, y, p)
  local predicted, actual = positive(p, self.thresholds), positive(y, 0.5)
  local weights = weights_for(y, given) or ops.ones(y:shape())
  local function total(x) return ops.sum(x * weights):item() end
  local tp, all_predicted, all_actual = total(predicted * actual), total(predicted), total(actual)
  self.tp, self.fp = self.tp + tp, self.fp + all_predicted - tp
  self.fn = self.fn + all_actual - tp
  self.tn = self.tn + ops.sum(weights):item() - all_predicted - all_actual + tp
end

local function share(part, rest)
  return part + rest > 0 and part / (part + rest) or 0
end

local function counting(class_name, name, result, direction)
  define(class_name, name, { reset = counts.reset, update = counts.update, result = result,
    options = { thresholds = 0.5 }, positional = { "thresholds" }, direction = direction })
end

--- Hits among the predicted, at `thresholds` (0.5); 0 when nothing was predicted. @function Precision
--- Hits among the actual ones. @function Recall
--- How many (weighted) predictions were right or wrong in which way.
-- @function TruePositives @function TrueNegatives @function FalsePositives @function FalseNegatives
counting("Precision", "precision", function(self) return share(self.tp, self.fp) end)
counting("Recall", "recall", function(self) return share(self.tp, self.fn) end)
counting("TruePositives", "true_positives", function(self) return self.tp end)
counting("TrueNegatives", "true_negatives", function(self) return self.tn end)
counting("FalsePositives", "false_positives", function(self) return self.fp end, "min")
counting("FalseNegatives", "false_negatives", function(self) return self.fn end, "min")

-- F scores: one for each class (average none), or their "macro", "micro" or "weighted" mean -------

local f_score = {}

function f_score:reset()
  self.totals = nil
end

function f_score:update(y, p, given)
  y, p = alike(self, y, p)
  local axis = last_axis(p)
  local classes_count, rows = p:size(axis), p:count() // p:size(axis)
  local predicted
  if self.threshold then
    predicted = positive(p, self.threshold)
  else
    predicted = ops.one_hot(ops.argmax_ids(p, axis), classes_count)
  end
  local weights = weights_for(ops.mean(y, axis), given)
  weights = weights and weights:reshape({ rows, 1 }) or ops.ones({ rows, 1 })
  y, predicted = y:reshape({ rows, classes_count }), predicted:reshape({ rows, classes_count })
  local function total(x) return ops.sum(x * weights, 1):totable() end
  local tp, all_predicted, all_actual = total(predicted * y), total(predicted), total(y)
  self.totals = self.totals or {}
  for i = 1, classes_count do
    local sums = self.totals[i] or { tp = 0, predicted = 0, actual = 0 }
    self.totals[i] = sums
    sums.tp = sums.tp + tp[i]
    sums.predicted = sums.predicted + all_predicted[i]
    sums.actual = sums.actual + all_actual[i]
  end
end

local function f_of(sums, beta)
  local precision = sums.tp / (sums.predicted + 1e-7)
  local recall = sums.tp / (sums.actual + 1e-7)
  return (1 + beta * beta) * precision * recall / (precision * beta * beta + recall + 1e-7)
end

function f_score:result()
  local each, all = {}, { tp = 0, predicted = 0, actual = 0 }
  local weighted, sum = 0, 0
  for i, sums in ipairs(self.totals or {}) do
    each[i] = f_of(sums, self.beta)
    for key, value in pairs(sums) do all[key] = all[key] + value end
    sum, weighted = sum + each[i], weighted + each[i] * sums.actual
  end
  if self.average == "none" then return #each == 1 and each[1] or each end
  if self.average == "micro" then return f_of(all, self.beta) end
  if self.average == "macro" then return #each > 0 and sum / #each or 0 end
  return all.actual > 0 and weighted / all.actual or 0
end

local function define_f(class_name, name, own)
  local defaults = { average = "none", threshold = options.optional }
  for key, value in pairs(own) do defaults[key] = value end
  define(class_name, name, { reset = f_score.reset, update = f_score.update,
    result = f_score.result, options = defaults, beta = 1 })
end

--- (1 + b²) precision recall / (b² precision + recall) with `beta` 1; one a class, or `average`
-- "macro", "micro" or "weighted"; `threshold` nil takes the largest score. @function FBetaScore
--- The same with beta 1. @function F1Score
define_f("FBetaScore", "fbeta_score", { beta = 1 })
define_f("F1Score", "f1_score", {})

-- Area under the curve by 200 thresholds ----------------------------------------------------------

--- Area under the curve "ROC" or "PR" (Davis and Goadrich, 2006), by `num_thresholds` 200 as in
-- Keras; `from_logits` false.
local AUC = define("AUC", "auc", { options = { num_thresholds = 200, curve = "ROC",
  from_logits = false } })

function AUC:reset()
  options.choice("AUC", "curve", self.curve, { "ROC", "PR" })
  local n = options.integer("AUC", "num_thresholds", self.num_thresholds, 2)
  self.thresholds, self.tp, self.fp = {}, {}, {}
  for i = 1, n do
    self.thresholds[i] = i == 1 and -1e-7 or i == n and 1 + 1e-7 or (i - 1) / (n - 1)
    self.tp[i], self.fp[i] = 0, 0
  end
  self.positives, self.negatives = 0, 0
end

function AUC:update(y, p, given)
  y, p = alike(self, y, p)
  if self.from_logits then p = ops.sigmoid(p) end
  local n, steps = p:count(), #self.thresholds
  local actual = positive(y, 0.5)
  local weights = weights_for(y, given) or ops.ones(y:shape())
  local hit = (actual * weights):reshape({ n, 1 })
  local miss = ((1 - actual) * weights):reshape({ n, 1 })
  local above = ops.greater(p:reshape({ n, 1 }),
    ops.tensor(self.thresholds):reshape({ 1, steps }))
  local tp, fp = ops.sum(above * hit, 1):totable(), ops.sum(above * miss, 1):totable()
  for i = 1, steps do
    self.tp[i], self.fp[i] = self.tp[i] + tp[i], self.fp[i] + fp[i]
  end
  self.positives = self.positives + ops.sum(hit):item()
  self.negatives = self.negatives + ops.sum(miss):item()
end

local function roc_area(self)
  local area = 0
  for i = 1, #self.thresholds - 1 do
    local width = share(self.fp[i], self.negatives - self.fp[i])
      - share(self.fp[i + 1], self.negatives - self.fp[i + 1])
    local a = share(self.tp[i], self.positives - self.tp[i])
    local b = share(self.tp[i + 1], self.positives - self.tp[i + 1])
    area = area + width * (a + b) / 2
  end
  return area
end

-- Davis and Goadrich (2006): between two thresholds true positives grow linearly with the
-- predicted ones, which precision does not.
local function pr_area(self)
  local area = 0
  for i = 1, #self.thresholds - 1 do
    local d_tp = self.tp[i] - self.tp[i + 1]
    local predicted, next_predicted = self.tp[i] + self.fp[i], self.tp[i + 1] + self.fp[i + 1]
    local slope = predicted > next_predicted and d_tp / (predicted - next_predicted) or 0
    local intercept = self.tp[i + 1] - slope * next_predicted
    local ratio = predicted > 0 and next_predicted > 0 and predicted / next_predicted or 1
    if self.positives > 0 then
      area = area + slope * (d_tp + intercept * math.log(ratio)) / self.positives
    end
  end
  return area
end

function AUC:result()
  return self.curve == "ROC" and roc_area(self) or self.curve == "PR" and pr_area(self) or 0
end

-- Coefficient of determination ----------------------------------------------------------------

--- R² = 1 - sum (y - p)² / sum (y - mean y)²: 1 is best; all outputs as one. @function R2Score
local R2 = define("R2Score", "r2_score", {})

function R2:reset()
  self.n, self.sum, self.squares, self.residual = 0, 0, 0, 0
end

function R2:update(y, p, given)
  y, p = alike(self, y, p)
  local weights = weights_for(y, given) or ops.ones(y:shape())
  local function total(x) return ops.sum(x * weights):item() end
  self.n = self.n + ops.sum(weights):item()
  self.sum, self.squares = self.sum + total(y), self.squares + total(ops.square(y))
  self.residual = self.residual + total(ops.square(y - p))
end

function R2:result()
  if self.n == 0 then return 0 end
  local total = self.squares - self.sum * self.sum / self.n
  return total > 0 and 1 - self.residual / total or 0
end

--- The mean of values: `update(values)`.
local Mean = define("Mean", "mean", { reset = mean.reset, result = mean.result })

function Mean:update(value, weight)
  if ops.is_tensor(value) then value = ops.mean(value):item() end
  weight = weight or 1
  self.sum, self.weight = self.sum + value * weight, self.weight + weight
end

-- Getting by name -----------------------------------------------------------------------------

local aliases = { mse = "mean_squared_error", mae = "mean_absolute_error",
  mape = "mean_absolute_percentage_error", msle = "mean_squared_logarithmic_error",
  rmse = "root_mean_squared_error", r2 = "r2_score", f1 = "f1_score", bpc = "bits_per_character",
  top_k_accuracy = "top_k_categorical_accuracy", ppl = "perplexity" }

-- "accuracy" means what fits the loss, or else the shapes of the first batch.
local function accuracy_for(loss_name, last)
  if loss_name == "sparse_categorical_crossentropy" then return "sparse_categorical_accuracy" end
  if loss_name == "categorical_crossentropy" and (last or 2) > 1 then return "categorical_accuracy" end
  if loss_name == "binary_crossentropy" or last == 1 then return "binary_accuracy" end
end

local by_shape = { direction = "max" }
by_shape.__index = by_shape

function by_shape:update(y, p, given)
  y, p = ops.tensor(y), ops.tensor(p)
  local targets, scores = y:shape(), p:shape()
  local name = "binary_accuracy"
  if #scores > 1 and scores[#scores] > 1 then
    local ids = #targets < #scores or targets[#targets] == 1
    name = ids and "sparse_categorical_accuracy" or "categorical_accuracy"
  end
  self.chosen = self.chosen or classes[name]{}
  self.chosen:update(y, p, given)
end

function by_shape:reset()
  if self.chosen then self.chosen:reset() end
end

function by_shape:result()
  return self.chosen and self.chosen:result() or 0
end

local custom = {}

function custom.update(self, y, p, given)
  mean.update(self, y, p, given)
end

--- The metric that a name, an object or a function(y, p) stands for.
-- @param which "accuracy", "auc" …
-- @tparam[opt] string loss_name what "accuracy" is decided by
-- @tparam[opt] integer last size of the predictions' last axis
-- @raise for an unknown name, listing the known ones
function metrics.get(which, loss_name, last)
  if type(which) == "table" and which.update then return which end
  if type(which) == "function" then
    local metric = setmetatable({ name = "custom_metric", update = custom.update, reset = mean.reset,
      result = mean.result, direction = "max",
      values = function(_, y, p) return which(y, p) end }, Metric)
    function metric.get_config() return nil, "a metric that is a function cannot be saved" end
    metric:reset()
    return metric
  end
  if type(which) == "table" and type(which.class_name) == "string" and metrics[which.class_name] then
    return metrics[which.class_name](which.config)
  end
  local name = type(which) == "string" and (aliases[which] or which)
  if name == "accuracy" or name == "acc" then
    local fitting = accuracy_for(loss_name, last)
    local metric = fitting and classes[fitting]{} or setmetatable({}, by_shape)
    metric.name = which
    return metric
  end
  local class = classes[name] or type(name) == "string" and rawget(metrics, name)
  if type(class) == "table" and class.class_name then
    local metric = class{}
    if which ~= class.class_name then metric.name = which end
    return metric
  end
  local known = { "accuracy" }
  for known_name in pairs(classes) do known[#known + 1] = known_name end
  table.sort(known)
  error(("unknown metric %s; known are %s"):format(options.show(which), table.concat(known, ", ")), 0)
end

return metrics
