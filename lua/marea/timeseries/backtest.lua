--- Rolling-origin evaluation (Tashman, 2000): a forecaster stands at many moments of the past, knows
-- what came before each, and is judged by what came after.
--
--     local result = marea.timeseries.backtest(model, values, { horizon = 12, initial = 96,
--       period = 12, level = 0.8 })
--     print(result)                             -- a table; the seasonal naive forecast is always in it
--     print(result.models[1].rmse, result.models[1].skill)
-- @module marea.timeseries.backtest
local Baseline = require "marea.timeseries.baseline"
local baselines = require "marea.timeseries.baselines"
local columns = require "marea.timeseries.columns"
local metrics = require "marea.timeseries.metrics"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local preparing = require "marea.timeseries.preparing"
local report = require "marea.timeseries.backtest_report"
local Series = require "marea.timeseries.series"

local backtest = {}

local WHO <const> = "backtest"

-- Options -----------------------------------------------------------------------------------------

local declared = { horizon = 1, initial = options.required, step = 1, window = "expanding",
  length = options.optional, refit = true, period = options.optional, level = options.optional,
  names = options.optional, targets = options.optional }

-- `season`: the series' own, for `period`.
local function read_options(given, rows, season)
  local read = options.read(WHO, given, declared)
  local own = read.period == nil
  read.period = read.period or season or 1
  for _, name in ipairs{ "horizon", "initial", "step", "period" } do
    read[name] = options.integer(WHO, name, read[name])
  end
  options.choice(WHO, "window", read.window, { "expanding", "sliding" })
  read.length = options.integer(WHO, "length", read.length or read.initial)
  if read.length > read.initial then
    error(("%s: length %d of the sliding window exceeds initial %d"):format(WHO, read.length,
      read.initial), 0)
  end
  if type(read.refit) ~= "boolean" then
    read.refit = options.integer(WHO, "refit (every so many origins, or true or false)", read.refit)
  end
  if type(read.names) == "string" then read.names = { read.names } end
  if read.names ~= nil and type(read.names) ~= "table" then
    error(("%s: names must be a list of texts, got %s"):format(WHO, options.show(read.names)), 0)
  end
  if read.level ~= nil and not (type(read.level) == "number" and read.level > 0 and read.level < 1) then
    error(("%s: level must be a number between 0 and 1, got %s"):format(WHO,
      options.show(read.level)), 0)
  end
  if read.initial + read.horizon > rows then
    error(("%s: no origin: the series has %d rows, initial %d and horizon %d need %d"):format(WHO,
      rows, read.initial, read.horizon, read.initial + read.horizon), 0)
  end
  local least = read.window == "sliding" and read.length or read.initial
  if least <= read.period then
    error(("%s: the first window has %d rows, the seasonal naive forecast needs more than the period, %d%s")
      :format(WHO, least, read.period, own and " (the series' season; period = 1 compares with the "
      .. "last value)" or ""), 0)
  end
  return read
end

-- What models get and what they are judged by: { whole, judged, names, known, list }. Columns that
-- are not judged are covariates: simple forecasters, which use none, do not get them.
local function lay_out(values, targets)
  if getmetatable(values) ~= Series then
    if targets ~= nil then
      error(("%s: targets are names of columns of a Series; the values are none"):format(WHO), 0)
    end
    local list = columns.read_steps(WHO, values)
    if type(values) == "table" and ops.is_tensor(values.values) and not values.slice then
      values = values.values
    end
    return { whole = values, judged = values, list = list }
  end
  values:require_whole(WHO)
  local roles = preparing.roles(WHO, values, targets)
  local judged = values:select(roles.targets)
  return { whole = values, judged = judged, names = judged.names, list = columns.read(WHO, judged),
    known = #roles.known > 0 and values:select(roles.known) or nil }
end

-- Forecasts ---------------------------------------------------------------------------------------

-- The judged columns of rows that have names.
local function by_name(name, part, rows, own, names)
  local places, picked = {}, {}
  for place, column in ipairs(own) do places[column] = place end
  for t, row in ipairs(rows) do
    picked[t] = {}
    for d, column in ipairs(names) do
      if not places[column] then
        error(("%s: %s gave a %s of the columns %s; column %q is to be judged too: targets says which "
          .. "are"):format(WHO, name, part, table.concat(own, ", "), column), 0)
      end
      picked[t][d] = row[places[column]]
    end
  end
  return picked
end

-- A column list of what a model answered: list, rows, tensor, or an object with `mean` (and `low`,
-- `high`), all with h steps.
local function as_columns(name, part, answer, h, count)
  if answer == nil then
    error(("%s: %s gave no %s; leave level out, or give a model with intervals"):format(WHO, name,
      part), 0)
  end
  local list = columns.read(("%s: %s: %s"):format(WHO, name, part), answer)
  if #list ~= count or #list[1] ~= h then
    error(("%s: %s gave a %s of %d steps × %d columns, expected %d × %d"):format(WHO, name, part,
      #list[1], #list, h, count), 0)
  end
  return list
end

local function ask(name, model, task, given)
  local read, names = task.read, nil
  local mean, low, high = model:forecast(read.horizon, next(given) and given or nil)
  if type(mean) == "table" and mean.mean then
    names = task.names and mean.names
    mean, low, high = mean.mean, mean.low, mean.high
  end
  local function take(part, answer)
    if answer and names then answer = by_name(name, part, answer, names, task.names) end
    return as_columns(name, part, answer, read.horizon, #task.list)
  end
  local answer = { mean = take("forecast", mean) }
  if read.level then
    answer.low, answer.high = take("lower bound", low), take("upper bound", high)
  end
  return answer
end

-- Whether a model learns anew at origin number i.
local function learns(read, i)
  if i == 1 or read.refit == true then return true end
  return read.refit and (i - 1) % read.refit == 0
end

-- The first row of the window that ends at an origin.
local function first_row(read, origin)
  return read.window == "sliding" and origin - read.length + 1 or 1
end

-- The forecasts of one model from all origins.
local function roll(name, model, task)
  local answers, read, origins = {}, task.read, task.origins
  local simple = getmetatable(model) == Baseline
  local values = simple and task.judged or task.whole
  for i, origin in ipairs(origins) do
    local given = { level = read.level }
    if learns(read, i) then
      model:fit(columns.slice(values, first_row(read, origin), origin))
    elseif model.update then
      model:update(columns.slice(values, origins[i - 1] + 1, origin))
    else
      given.history = columns.slice(values, 1, origin)
    end
    -- All that is known, for some read further than the horizon that is judged.
    given.known = not simple and task.known and task.known:slice(origin + 1) or nil
    answers[i] = ask(name, model, task, given)
  end
  return answers
end

-- Judging -----------------------------------------------------------------------------------------

-- The rows of a list of columns, or one row.
local function cut(list, from, to)
  local part = {}
  for d, column in ipairs(list) do part[d] = table.move(column, from, to, 1, {}) end
  return part
end

local function to_rows(list)
  local rows = {}
  for t = 1, #list[1] do
    rows[t] = {}
    for d, column in ipairs(list) do rows[t][d] = column[t] end
  end
  return rows
end

-- Rows of all origins one below the other: of one step, or of all steps (nil).
local function pooled(answers, part, step)
  local rows = {}
  for _, answer in ipairs(answers) do
    local list = answer.rows[part]
    for t = step or 1, step or #list do rows[#rows + 1] = list[t] end
  end
  return rows
end

-- Everything that needs no history.
local function measure(answers, level, step)
  local actual, mean = pooled(answers, "actual", step), pooled(answers, "mean", step)
  local found = { mae = metrics.mae(actual, mean), mse = metrics.mse(actual, mean),
    rmse = metrics.rmse(actual, mean), smape = metrics.smape(actual, mean),
    mape = metrics.mape(actual, mean) }
  if level then
    local low, high = pooled(answers, "low", step), pooled(answers, "high", step)
    found.coverage = metrics.coverage(actual, low, high)
    found.winkler = metrics.winkler(actual, low, high, level)
    found.pinball = (metrics.pinball(actual, low, (1 - level) / 2)
      + metrics.pinball(actual, high, (1 + level) / 2)) / 2
  end
  return found
end

-- By origin and column, what MASE and RMSSE divide by; the history of an origin is what models saw.
local function scales_of(task)
  local list, read = {}, task.read
  for i, origin in ipairs(task.origins) do
    list[i] = {}
    for d, column in ipairs(task.list) do
      local absolute, squared = metrics.naive_errors(column, read.period, first_row(read, origin),
        origin)
      list[i][d] = { absolute = absolute, squared = squared }
    end
  end
  return list
end

-- MASE and RMSSE: means over origins and columns; nil where one is not defined.
local function scaled_errors(answers, task)
  local mase, rmsse, count = 0, 0, 0
  local values, origins = task.list, task.origins
  for i, answer in ipairs(answers) do
    for d, predicted in ipairs(answer.mean) do
      local scale = task.scales[i][d]
      if scale.absolute == 0 then return nil end
      local sum, squares = 0, 0
      for step, value in ipairs(predicted) do
        local e = values[d][origins[i] + step] - value
        sum, squares = sum + math.abs(e), squares + e * e
      end
      mase = mase + sum / #predicted / scale.absolute
      rmsse = rmsse + math.sqrt(squares / #predicted / scale.squared)
      count = count + 1
    end
  end
  return mase / count, rmsse / count
end

local function judge(answers, task)
  local values, read = task.list, task.read
  local count, h = #values, read.horizon
  for i, answer in ipairs(answers) do
    local origin = task.origins[i]
    answer.rows = { actual = to_rows(cut(values, origin + 1, origin + h)) }
    for _, part in ipairs{ "mean", "low", "high" } do
      if answer[part] then answer.rows[part] = to_rows(answer[part]) end
    end
  end
  local found = measure(answers, read.level)
  found.mase, found.rmsse = scaled_errors(answers, task)
  found.by_horizon, found.by_column = {}, {}
  for step = 1, h do found.by_horizon[step] = measure(answers, read.level, step) end
  if count > 1 then
    for d = 1, count do
      local part = {}
      for i, answer in ipairs(answers) do
        part[i] = { rows = {} }
        for name, rows in pairs(answer.rows) do
          part[i].rows[name] = {}
          for t, row in ipairs(rows) do part[i].rows[name][t] = { row[d] } end
        end
      end
      found.by_column[d] = measure(part, read.level)
    end
  end
  return found
end

-- All together ------------------------------------------------------------------------------------

local function name_of(model, names, i)
  if names and names[i] then return names[i] end
  if type(model.name) == "function" then return model:name() end
  return "model " .. i
end

local function as_list(models)
  local list = type(models) == "table" and not models.fit
    and (next(models) == nil or type(models[1]) == "table")
  return list and table.move(models, 1, #models, 1, {}) or { models }
end

local function check_models(list)
  for i, model in ipairs(list) do
    local kind = type(model)
    if kind ~= "table" and kind ~= "userdata" or not model.fit or not model.forecast then
      error(("%s: model %d must have the methods fit and forecast, got %s"):format(WHO, i,
        options.show(model)), 0)
    end
  end
end

local function forecasts_of(answers)
  local list = {}
  for i, answer in ipairs(answers) do
    list[i] = { mean = answer.rows.mean, low = answer.rows.low, high = answer.rows.high }
  end
  return list
end

--- Judges models from many origins, beside the seasonal naive forecast (with period 1: the last
-- value), which is always the last one in the table.
--
-- Origins are the rows `initial`, initial + step … up to the last from which `horizon` rows follow.
-- A model is anything with `fit(values)` and `forecast(h, { level })`. Where it is not to learn anew
-- it gets the rows since the last origin by `update(values)`, or, without that method, the whole
-- history in `forecast(h, { history })`. Of a Series with columns that are not targets every model but
-- those of timeseries.baselines gets all, and the future of the known ones in `forecast(h, { known })`.
-- @tparam table models one model, or a list of them (which may be empty)
-- @param values list of T numbers or of rows, tensor (T) or (T,D), or a Series; parts of it, in the
-- same form, are what the models get
-- @tparam table given
--
-- - `initial`: rows before the first origin; `horizon` (1): steps; `step` (1) between origins
-- - `window`: "expanding" (all rows before an origin, default) or "sliding" (the last `length`, by
--   default initial)
-- - `refit`: true (learn anew at every origin, default), false (only at the first), or a number n (at
--   every n-th)
-- - `period` (a Series' own, else 1): steps in a season, for the seasonal naive forecast and MASE
-- - `level`: judge intervals that are to cover so much, such as 0.8
-- - `targets`: the columns of a Series that are forecast and judged (all whose future is not known)
-- - `names`: what the models are called in the table (default: what `model:name()` says)
-- @treturn Result { origins = rows, horizon, level, period, targets, models = list }; it can be
-- printed. Each model: { name, mae, mse, rmse, mape, smape, mase, rmsse, skill, coverage, winkler,
-- pinball, by_horizon = list of such, by_column = list of such (where there are several), forecasts =
-- list by origin of { mean, low, high } (rows) }. Measures are over all origins, steps and columns;
-- mape, mase and rmsse are nil where they are not defined; pinball is the mean of both bounds as
-- quantiles; skill is 1 - RMSE / RMSE of the seasonal naive forecast.
-- @raise when the series has holes or missing values or holds no origin, or a model answers with NaN
-- or too few steps
function backtest.backtest(models, values, given)
  local task = lay_out(values, type(given) == "table" and given.targets or nil)
  local read = read_options(given, #task.list[1], type(values) == "table" and values.period or nil)
  models = as_list(models)
  check_models(models)
  task.read, task.origins = read, {}
  for origin = read.initial, #task.list[1] - read.horizon, read.step do
    task.origins[#task.origins + 1] = origin
  end
  task.scales = scales_of(task)
  local reference = read.period > 1 and baselines.seasonal_naive{ period = read.period }
    or baselines.naive{}
  models[#models + 1] = reference
  local result = { origins = task.origins, horizon = read.horizon, level = read.level,
    period = read.period, window = read.window, refit = read.refit, targets = task.names, models = {} }
  for i, model in ipairs(models) do
    local name = model == reference and model:name() or name_of(model, read.names, i)
    local answers = roll(name, model, task)
    local found = judge(answers, task)
    found.name, found.forecasts = name, forecasts_of(answers)
    result.models[i] = found
  end
  result.reference = result.models[#models]
  for _, found in ipairs(result.models) do
    found.skill = metrics.skill(found.rmse, result.reference.rmse)
    for step, part in ipairs(found.by_horizon) do
      part.skill = metrics.skill(part.rmse, result.reference.by_horizon[step].rmse)
    end
  end
  return setmetatable(result, report)
end

return backtest
