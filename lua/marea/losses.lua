--- Losses with Keras's names and formulas: `loss(target, prediction, options)` → scalar tensor.
--
-- Options of every loss: `reduction` "mean" (of all remaining elements; the default), "sum" or
-- "none" (one value a sample or step); `sample_weight` (B) or (B,T); `mask` (B,T) of 0 and 1: the
-- mean is then over the visible steps. `from_logits` and `label_smoothing` where they make sense.
--
--     losses.binary_crossentropy(y, model(x))
--     losses.BinaryCrossentropy{ from_logits = true }        -- for compile
-- @module marea.losses
local ops = require "marea.ops"
local options = require "marea.nn.options"
local structured = require "marea.losses.structured"

local losses = {}

local epsilon = 1e-7
local formulas = {} -- name → function(y, p, options) → one value a sample or step
local takes = {} -- name → the options that it knows beside the common ones

local function shape_text(x)
  return "(" .. table.concat(x:shape(), ", ") .. ")"
end

-- Targets (B) beside predictions (B, 1), and the reverse, mean the same thing.
local function align(name, y, p)
  local shape, wanted = y:shape(), p:shape()
  local short, long = shape, wanted
  if #short > #long then short, long = long, short end
  local agree = #long == #short or #long == #short + 1 and long[#long] == 1
  for axis = 1, #short do agree = agree and short[axis] == long[axis] end
  if not agree then
    error(("%s: targets are %s, predictions %s; the shapes must agree"):format(name, shape_text(y),
      shape_text(p)), 0)
  end
  return #shape == #wanted and y or y:reshape(wanted)
end

local function last_axis(x)
  return #x:shape()
end

local function mean_last(x)
  return ops.mean(x, last_axis(x))
end

local function sum_last(x)
  return ops.sum(x, last_axis(x))
end

-- p divided by its sum, so that un-normalised scores count as probabilities.
local function probabilities(p)
  p = p / ops.sum(p, last_axis(p), true)
  return ops.clip(p, epsilon, 1 - epsilon)
end

-- Keras reads {0, 1} labels of the hinge losses as -1 and 1.
local function signed(y)
  local binary = ops.sum(ops.not_equal(ops.square(y), y)):item() == 0
  return binary and y * 2 - 1 or y
end

function formulas.binary_crossentropy(y, p, given)
  local s = given.label_smoothing or 0
  if s > 0 then y = y * (1 - s) + s / 2 end
  if given.from_logits then return mean_last(ops.binary_crossentropy_logits(y, p)) end
  return mean_last(ops.binary_crossentropy(y, p))
end
takes.binary_crossentropy = { from_logits = true, label_smoothing = true }

function formulas.categorical_crossentropy(y, p, given)
  local s = given.label_smoothing or 0
  if s > 0 then y = y * (1 - s) + s / p:size(last_axis(p)) end
  if given.from_logits then return -sum_last(y * ops.log_softmax(p)) end
  return -sum_last(y * ops.log(probabilities(p)))
end
takes.categorical_crossentropy = { from_logits = true, label_smoothing = true }

function formulas.sparse_categorical_crossentropy(ids, p, given)
  local ignored = given.ignore_class
  local counted
  if ignored then
    counted = ops.not_equal(ids, ops.full({}, ignored, { dtype = "int32" }))
    ids = ops.cast(ops.cast(ids, "real") * counted, "int32")
  end
  local values
  if given.from_logits then
    values = ops.sparse_crossentropy_logits(ids, p)
  else
    values = -ops.log(ops.pick(probabilities(p), ids))
  end
  return counted and values * counted or values, counted
end
takes.sparse_categorical_crossentropy = { from_logits = true, ignore_class = true }

function formulas.mean_squared_error(y, p)
  return mean_last(ops.square(y - p))
end

function formulas.mean_absolute_error(y, p)
  return mean_last(ops.abs(y - p))
end

function formulas.mean_absolute_percentage_error(y, p)
  return mean_last(ops.abs(y - p) / ops.clip(ops.abs(y), epsilon, math.huge)) * 100
end

function formulas.mean_squared_logarithmic_error(y, p)
  local a = ops.log(ops.clip(p, epsilon, math.huge) + 1)
  local b = ops.log(ops.clip(y, epsilon, math.huge) + 1)
  return mean_last(ops.square(b - a))
end

function formulas.huber(y, p, given)
  local delta = given.delta or 1
  local e = ops.abs(y - p)
  local small = ops.less_equal(e, delta)
  return mean_last(ops.where(small, ops.square(e) * 0.5, e * delta - 0.5 * delta * delta))
end
takes.huber = { delta = true }

function formulas.quantile(y, p, given)
  local quantiles = given.quantiles or { 0.5 }
  if p:size(last_axis(p)) % #quantiles ~= 0 then
    error(("quantile: the last axis has %d numbers, which is no multiple of %d quantiles"):format(
      p:size(last_axis(p)), #quantiles), 0)
  end
  local e = (y - p):reshape{ -1, #quantiles }
  local q = ops.tensor(quantiles)
  local values = ops.maximum(e * q, e * (q - 1))
  return mean_last(values:reshape(p:shape()))
end
takes.quantile = { quantiles = true }

function formulas.log_cosh(y, p)
  local e = p - y
  return mean_last(e + ops.softplus(e * -2) - math.log(2))
end

function formulas.kl_divergence(y, p)
  y, p = ops.clip(y, epsilon, 1), ops.clip(p, epsilon, 1)
  return sum_last(y * ops.log(y / p))
end

function formulas.poisson(y, p)
  return mean_last(p - y * ops.log(p + epsilon))
end

local function unit(x)
  local norm2 = ops.sum(ops.square(x), last_axis(x), true)
  return x / ops.sqrt(ops.clip(norm2, 1e-12, math.huge))
end

function formulas.cosine_similarity(y, p)
  return -sum_last(unit(y) * unit(p))
end

function formulas.hinge(y, p)
  return mean_last(ops.relu(1 - signed(y) * p))
end

function formulas.squared_hinge(y, p)
  return mean_last(ops.square(ops.relu(1 - signed(y) * p)))
end

function formulas.categorical_hinge(y, p)
  local positive = sum_last(y * p)
  local negative = ops.max((1 - y) * p, last_axis(p))
  return ops.relu(negative - positive + 1)
end

-- Of whole sequences: labels and scores differ in shape, and masks are read inside.
formulas.ctc = structured.ctc
takes.ctc = { blank = true, label_lengths = true, input_lengths = true, zero_infinity = true }
--- Labels from the logits of a network trained with `ctc`, greedily or by a beam; see
-- marea.losses.structured.
losses.ctc_decode = structured.ctc_decode

-- Reduction -----------------------------------------------------------------------------------

-- A weight or mask of the shape of the values, or of their leading axes.
local function spread(name, what, weight, values)
  weight = ops.as_real(weight)
  local shape, wanted = weight:shape(), values:shape()
  while #shape > #wanted and shape[#shape] == 1 do shape[#shape] = nil end
  for axis = 1, #wanted do
    shape[axis] = shape[axis] or 1
    if shape[axis] ~= wanted[axis] and shape[axis] ~= 1 then shape = {} break end
  end
  if #shape ~= #wanted then
    error(("%s: %s is %s, the losses are %s"):format(name, what, shape_text(weight),
      shape_text(values)), 0)
  end
  return weight:reshape(shape)
end

local function reduce(name, values, given, counted)
  local mask = given.mask and spread(name, "mask", given.mask, values) or counted
  if mask and given.mask and counted then mask = mask * counted end
  if mask then values = values * mask end
  if given.sample_weight then
    values = values * spread(name, "sample_weight", given.sample_weight, values)
  end
  local reduction = given.reduction or "mean"
  if reduction == "none" then return values end
  if reduction == "sum" then return ops.sum(values) end
  if not mask then return ops.mean(values) end
  local visible = ops.sum(mask * ops.ones(values:shape())):item()
  return ops.sum(values) / math.max(visible, 1)
end

--- Reduces values (one a sample or step) as every loss does; for losses of one's own. `given`:
-- `reduction`, `sample_weight`, `mask`.
function losses.reduce_values(name, values, given)
  return reduce(name, values, given)
end

--- Reduces values (B) of whole samples, whose mask has been read; for losses of one's own.
function losses.reduce_samples(name, values, given)
  return reduce(name, values, { reduction = given.reduction, sample_weight = given.sample_weight })
end

local row_wise = { categorical_crossentropy = true, kl_divergence = true, cosine_similarity = true,
  categorical_hinge = true }
local common = { reduction = "mean", sample_weight = options.optional, mask = options.optional }

-- Shares strictly between 0 and 1.
local function check_quantiles(name, list)
  if list == nil then return end
  local fine = type(list) == "table" and #list > 0
  for i = 1, fine and #list or 0 do
    fine = fine and type(list[i]) == "number" and list[i] > 0 and list[i] < 1
  end
  if not fine then
    error(("%s: quantiles must be a list of numbers between 0 and 1, got %s"):format(name,
      type(list) == "table" and options.show(list[1]) or options.show(list)), 0)
  end
end

local function check(name, given)
  if type(given) ~= "table" then
    error(("%s: options must be a table, got %s"):format(name, options.show(given)), 0)
  end
  for key in pairs(given) do
    if common[key] == nil and not (takes[name] and takes[name][key]) then
      local known = {}
      for option in pairs(common) do known[#known + 1] = option end
      for option in pairs(takes[name] or {}) do known[#known + 1] = option end
      table.sort(known)
      error(("%s: unknown option %s; the options are %s"):format(name, options.show(key),
        table.concat(known, ", ")), 0)
    end
  end
  options.choice(name, "reduction", given.reduction or "mean", { "mean", "sum", "none" })
  check_quantiles(name, given.quantiles)
end

-- `ignored` is a class that may lie outside, such as -1.
local function check_range(name, y, classes, ignored)
  local reals = ops.as_real(y)
  local wrong = ops.less(reals, 0) + ops.greater_equal(reals, classes)
  if ignored then wrong = wrong * ops.not_equal(reals, ignored) end
  if wrong:count() == 0 or wrong:max():item() == 0 then return end
  local place = wrong:reshape({ -1 }):argmax():item() - 1
  local steps = #y:shape() > 1 and y:size(2) or 1
  error(("%s: sample %d%s has class %d, allowed are 0 to %d"):format(name, place // steps + 1,
    #y:shape() > 1 and (", step %d"):format(place % steps + 1) or "",
    math.tointeger(reals:reshape({ -1 }):get(place + 1)), classes - 1), 0)
end

local function read_ids(name, y, p, ignored)
  y = ops.as_ids(y)
  local shape, wanted = y:shape(), p:shape()
  wanted[#wanted] = nil
  if #shape == #wanted + 1 and shape[#shape] == 1 then shape[#shape] = nil end
  if table.concat(shape, ",") ~= table.concat(wanted, ",") then
    error(("%s: class ids are %s, predictions %s; expected one id for each row of scores"):format(name,
      shape_text(y), shape_text(p)), 0)
  end
  y = y:reshape(shape)
  check_range(name, y, p:size(last_axis(p)), ignored)
  return y
end

local function compute(name, y, p, given)
  given = given or {}
  check(name, given)
  p = ops.tensor(p)
  if name == "ctc" then return losses.reduce_samples(name, formulas.ctc(y, p, given), given) end
  if #p:shape() == 0 then p = p:reshape({ 1 }) end
  if name == "sparse_categorical_crossentropy" then
    y = read_ids(name, y, p, given.ignore_class)
  else
    y = ops.as_real(y)
    if #y:shape() == 0 then y = y:reshape({ 1 }) end
    y = align(name, y, p)
    -- (B) is one number a sample, where a formula does not need a row of scores.
    if #p:shape() == 1 and not row_wise[name] then y, p = y:reshape({ -1, 1 }), p:reshape({ -1, 1 }) end
  end
  local values, counted = formulas[name](y, p, given)
  return reduce(name, values, given, counted)
end

-- Each loss takes targets y and predictions p of equal shape, (B) and (B, 1) meaning the same, and
-- gives a scalar tensor (with reduction "none" one value a sample or step). The class of the same
-- name in CamelCase (`losses.MeanSquaredError{ … }`) makes an object with fixed options. They raise
-- an error for shapes that do not agree and for unknown options.

--- -(y ln p + (1 - y) ln(1 - p)), p clipped to 1e-7; `bce`, `BinaryCrossentropy`.
-- Options: `from_logits` false, `label_smoothing` 0. @function binary_crossentropy
--- -sum y ln p over the last axis, p divided by its sum; `CategoricalCrossentropy`. Options:
-- `from_logits`, `label_smoothing`. @function categorical_crossentropy
--- -ln p[id] for class ids (B) or (B, T) from 0; `SparseCategoricalCrossentropy`. Options:
-- `from_logits`, `ignore_class` (an id that does not count). @function sparse_categorical_crossentropy
--- mean (y - p)²; `mse`, `MeanSquaredError`. @function mean_squared_error
--- mean |y - p|; `mae`, `MeanAbsoluteError`. @function mean_absolute_error
--- 100 mean |y - p| / max(|y|, 1e-7), in per cent; `mape`, `MeanAbsolutePercentageError`.
-- @function mean_absolute_percentage_error
--- mean (ln(1 + y) - ln(1 + p))²; `msle`, `MeanSquaredLogarithmicError`.
-- @function mean_squared_logarithmic_error
--- e²/2 up to |e| = `delta` (1), then linear (Huber, 1964); `Huber`. @function huber
--- mean max(q e, (q - 1) e), e = y - p, for each q of `quantiles` ({0.5}): the pinball loss
-- (Koenker and Bassett, 1978), least at the quantile q. With several, the last axis holds them in turn
-- (for two steps and { 0.1, 0.9 }: 0.1, 0.9, 0.1, 0.9); `pinball`, `Quantile`. @function quantile
--- mean ln cosh(p - y); `logcosh`, `LogCosh`. @function log_cosh
--- sum y ln(y/p) over the last axis; `kld`, `kullback_leibler_divergence`, `KLDivergence`.
-- @function kl_divergence
--- mean p - y ln p; `Poisson`. @function poisson
--- -cos of the angle between y and p over the last axis: -1 is best; `cosine`, `CosineSimilarity`.
-- @function cosine_similarity
--- mean max(1 - y p, 0), labels 0 and 1 read as -1 and 1; `Hinge`. @function hinge
--- mean max(1 - y p, 0)²; `SquaredHinge`. @function squared_hinge
--- max(max (1 - y) p - sum y p + 1, 0); `CategoricalHinge`. @function categorical_hinge
--- -ln P(labels) by connectionist temporal classification (Graves et al., 2006), for labels (B, U)
-- without an alignment and logits (B, T, C); `CTC`. Options: `blank` 0, `label_lengths` (B; else
-- labels end where the blank or a negative id pads them), `input_lengths` (B), `zero_infinity` false
-- (a sample with more labels than steps is an error). @function ctc
for name in pairs(formulas) do
  losses[name] = function(y, p, given) return compute(name, y, p, given) end
end

-- Objects -------------------------------------------------------------------------------------

local Loss = {}
Loss.__index = Loss

function Loss:__call(y, p, extra)
  local given = {}
  for key, value in pairs(self.config) do given[key] = value end
  for key, value in pairs(extra or {}) do given[key] = value end
  if self.layer then return self.layer:compute_loss(y, ops.tensor(p), given) end
  if self.custom then
    local values = self.custom(y, p)
    if not ops.is_tensor(values) then
      error(("loss %q must return a tensor, got %s"):format(self.name, options.show(values)), 0)
    end
    return reduce(self.name, values, given)
  end
  return compute(self.name, y, p, given)
end

function Loss:__tostring()
  return "loss " .. self.name
end

--- { class_name, config } for a file.
function Loss:get_config()
  if self.custom then
    return nil, ("loss %q is a function, which a file cannot hold"):format(self.name)
  end
  return { class_name = self.name, config = self.config }
end

local function object(name, config, custom)
  return setmetatable({ name = name, config = config or {}, custom = custom }, Loss)
end

local aliases = { mse = "mean_squared_error", mae = "mean_absolute_error",
  mape = "mean_absolute_percentage_error", msle = "mean_squared_logarithmic_error",
  bce = "binary_crossentropy", kld = "kl_divergence", logcosh = "log_cosh",
  kullback_leibler_divergence = "kl_divergence", cosine = "cosine_similarity", pinball = "quantile" }
local spelt = { kl_divergence = "KLDivergence", ctc = "CTC" }

for alias, name in pairs(aliases) do losses[alias] = losses[name] end
for name in pairs(formulas) do
  local class = spelt[name] or name:gsub("^%l", string.upper):gsub("_(%l)", string.upper)
  losses[class] = function(config)
    config = config or {}
    check(name, config)
    return object(name, config)
  end
end

--- The loss of a layer that computes its own (nn.CRF, nn.SampledSoftmax), by the method
-- `compute_loss(self, y, p, options)` → scalar tensor. In a file it is known by the layer's name.
-- @tparam string name
-- @tparam Layer layer
-- @tparam[opt] table config `reduction` and what the layer knows
function losses.of_layer(name, layer, config)
  local given = { layer = layer.name }
  for key, value in pairs(config or {}) do given[key] = value end
  options.choice(name, "reduction", given.reduction or "mean", { "mean", "sum", "none" })
  local loss = object(name, given)
  loss.layer = layer
  return loss
end

local function from_layer(which, model)
  local name = which.config.layer
  local layer = model and type(name) == "string" and model:get_layer(name)
  if not layer or not layer.compute_loss then
    error(("the loss %s belongs to a layer %s; give layer:loss()"):format(
      options.show(which.class_name), options.show(name)), 0)
  end
  local config = {}
  for key, value in pairs(which.config) do
    if key ~= "layer" then config[key] = value end
  end
  return layer:loss(config)
end

--- The loss object that a name, an object or a function(y, p) stands for.
-- @tparam string|function|table which
-- @tparam[opt] Sequential model whose layer a loss from a file may belong to
-- @raise for an unknown name, listing the known ones
function losses.get(which, model)
  if getmetatable(which) == Loss then return which end
  if type(which) == "function" then
    for name in pairs(formulas) do
      if losses[name] == which then return object(name) end
    end
    return object("custom_loss", nil, which)
  end
  local name = type(which) == "string" and (aliases[which] or which)
  if formulas[name] then return object(name) end
  if type(which) == "table" and formulas[which.class_name] then
    check(which.class_name, which.config or {})
    return object(which.class_name, which.config)
  end
  if type(which) == "table" and type(which.config) == "table" and which.config.layer then
    return from_layer(which, model)
  end
  local known = {}
  for known_name in pairs(formulas) do known[#known + 1] = known_name end
  table.sort(known)
  error(("unknown loss %s; known are %s"):format(options.show(which), table.concat(known, ", ")), 0)
end

return losses
