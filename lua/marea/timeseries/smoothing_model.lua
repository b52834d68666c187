--- Exponential smoothing on one column: the recursion, and its parameters by least squares.
--
-- In the form that corrects errors (Hyndman, Koehler, Ord and Snyder, 2008), with e = y - mean:
--
--     mean   = (level + phi trend) + season        or  (level + phi trend) · season
--     level ← level + phi trend + alpha e          or  … + alpha e / season
--     trend ← phi trend + beta e                   or  … + beta e / season
--     season ← season + gamma e                    or  … + gamma e / (level + phi trend)
--
-- beta is alpha times, gamma is (1 - alpha) times a share in [0, 1], so that the classical equations
-- of Holt and Winters hold with these shares.
-- @module marea.timeseries.smoothing_model
local least_squares = require "marea.timeseries.least_squares"
local smoothing_states = require "marea.timeseries.smoothing_states"

local smoothing_model = {}

-- Values × numbers searched², for all starts of a search together.
local WORK <const> = 120000
-- Where the search for the damping of a trend begins.
local DAMPINGS <const> = { 0.85, 0.95, 0.98 }

--- The forecast of the next value.
function smoothing_model.mean(state)
  local base = state.level + state.phi * state.trend
  local s = state.season[state.slot]
  if not s then return base end
  return state.multiplicative and base * s or base + s
end

--- Takes the next value in. Where a multiplicative mean is not above 0 the model says nothing about
-- errors, and only time goes on.
function smoothing_model.update(state, y)
  local base, damped = state.level + state.phi * state.trend, state.phi * state.trend
  local slot = state.slot
  local s = state.season[slot]
  if not s then
    local e = y - base
    state.level, state.trend = base + state.alpha * e, damped + state.beta * e
    return
  end
  state.slot = slot % #state.season + 1
  if not state.multiplicative then
    local e = y - base - s
    state.level, state.trend = base + state.alpha * e, damped + state.beta * e
    state.season[slot] = s + state.gamma * e
  elseif base > 0 and s > 0 then
    local e = y - base * s
    state.level, state.trend = base + state.alpha * e / s, damped + state.beta * e / s
    state.season[slot] = s + state.gamma * e / base
  else
    state.level, state.trend = base, damped
  end
end

function smoothing_model.copy(state)
  local copy = {}
  for name, value in pairs(state) do copy[name] = value end
  copy.season = table.move(state.season, 1, #state.season, 1, {})
  return copy
end

-- From the list that is searched to a state: shares, then level, trend and season.
local function unpack_state(form, x)
  local state = { alpha = x[1], beta = 0, gamma = 0, phi = 1, trend = 0, slot = 1,
    multiplicative = form.multiplicative, season = {} }
  local i = 1
  if form.trended then
    i = i + 1
    state.beta = x[i] * state.alpha
  end
  if form.damped then
    i = i + 1
    state.phi = x[i]
  end
  if form.m > 1 then
    i = i + 1
    state.gamma = x[i] * (1 - state.alpha)
  end
  i = i + 1
  state.level = x[i]
  if form.trended then
    i = i + 1
    state.trend = x[i]
  end
  local season = form.fixed_season
  if season then
    table.move(season, 1, #season, 1, state.season)
  elseif form.m > 1 then
    table.move(x, i + 1, i + form.m, 1, state.season)
  end
  return state
end

-- Runs through y; r gets the errors, which are divided by the mean for relative ones. Returns the
-- sum of squares and the sum of the logarithms of means; math.huge where a multiplicative mean is
-- not above 0.
local function run(form, state, y, r)
  local squares, logarithms = 0, 0
  local positive = form.multiplicative or form.relative
  for t = 1, #y do
    local mean = smoothing_model.mean(state)
    if positive and mean <= 0 then return math.huge, 0 end
    local e = y[t] - mean
    if form.relative then
      e = e / mean
      logarithms = logarithms + math.log(mean)
    end
    r[t] = e
    squares = squares + e * e
    smoothing_model.update(state, y[t])
  end
  if squares ~= squares then return math.huge, 0 end
  return squares, logarithms
end

-- The likelihood of relative errors is greatest where n ln Σ e² + 2 Σ ln mean is least, so where the
-- errors times the geometric mean of the means have the least sum of squares.
local function objective(form, y)
  return function(x, r)
    local squares, logarithms = run(form, unpack_state(form, x), y, r)
    if not form.relative or squares == math.huge then return squares end
    local factor = math.exp(logarithms / #y)
    for t = 1, #y do r[t] = r[t] * factor end
    return squares * factor * factor
  end
end

local function deviation(y)
  local sum, squares = 0, 0
  for _, value in ipairs(y) do sum = sum + value end
  for _, value in ipairs(y) do squares = squares + (value - sum / #y) ^ 2 end
  local found = math.sqrt(squares / #y)
  return found > 0 and found or math.max(1, math.abs(sum / #y))
end

-- Bounds and scales of the list that is searched, and the guess of its states.
local function problem_of(form, y)
  local level, trend, season = smoothing_states.guess(y, form.m, form.multiplicative, form.trended)
  local problem = { low = {}, high = {}, scale = {}, residuals = objective(form, y) }
  local states = {}
  local function add(low, high, scale, value)
    local i = #problem.low + 1
    problem.low[i], problem.high[i], problem.scale[i] = low, high, scale
    if value then states[#states + 1] = value end
  end
  add(0, 1, 1)
  if form.trended then add(0, 1, 1) end
  if form.damped then add(0.8, 0.98, 1) end
  if form.m > 1 then add(0, 1, 1) end
  local width = deviation(y)
  add(-math.huge, math.huge, width, level)
  if form.trended then add(-math.huge, math.huge, width / 10, trend) end
  if form.fixed_season then
    form.fixed_season = season
  else
    for _, s in ipairs(season) do
      add(form.multiplicative and 1e-6 or -math.huge, math.huge, form.multiplicative and 1 or width, s)
    end
  end
  return problem, states
end

-- Every combination of a few values for each share: a list of lists, each with the `valley` that the
-- last share puts it in: a trend that soon dies and one that lasts end in different valleys, and so do a
-- season that hardly moves and one that moves much.
local function grid(form)
  local list = { {} }
  local function cross(values)
    local longer = {}
    for _, head in ipairs(list) do
      for i, value in ipairs(values) do
        local x = table.move(head, 1, #head, 1, {})
        x[#x + 1], x.valley = value, i
        longer[#longer + 1] = x
      end
    end
    list = longer
  end
  cross{ 0.1, 0.3, 0.6, 0.9 }
  if form.trended then cross{ 0.02, 0.2, 0.8 } end
  -- With a season, whose numbers make each search dear, one start of the damping has to do.
  if form.damped then cross(form.m > 1 and { 0.95 } or DAMPINGS) end
  if form.m > 1 then cross{ 0.05, 0.4 } end
  return list
end

-- Starts of the search: first the best of the grid in each valley, then the second best, and so on.
local function ranked(list, problem, states)
  local ranks = {}
  for place, x in ipairs(list) do
    local group = x.valley
    table.move(states, 1, #states, #x + 1, x)
    list[place] = { x = x, sum = problem.residuals(x, {}), place = place, group = group, rank = 0 }
  end
  local function before(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    if a.sum ~= b.sum then return a.sum < b.sum end
    return a.place < b.place
  end
  table.sort(list, before)
  for _, start in ipairs(list) do
    start.rank = (ranks[start.group] or 0) + 1
    ranks[start.group] = start.rank
  end
  table.sort(list, before)
  return list
end

local function starts(form, problem, states, y)
  local list = ranked(grid(form), problem, states)
  if list[1].sum < math.huge then return list end
  -- The guess leads below 0; without slope and season, level and mean stay between the values.
  states = { y[1] }
  if form.trended then states[2] = 0 end
  for _ = 1, form.fixed_season and 0 or form.m > 1 and form.m or 0 do
    states[#states + 1] = form.multiplicative and 1 or 0
  end
  list = grid(form)
  for _, x in ipairs(list) do
    if form.trended then x[2] = 0 end
  end
  return ranked(list, problem, states)
end

-- Level and season hold one number too many: the season is brought to mean 0, or 1.
local function normalise(form, state)
  local m, sum = #state.season, 0
  if m == 0 then return end
  for _, s in ipairs(state.season) do sum = sum + s end
  local mean = sum / m
  for slot, s in ipairs(state.season) do
    state.season[slot] = form.multiplicative and s / mean or s - mean
  end
  if form.multiplicative then
    state.level, state.trend = state.level * mean, state.trend * mean
  else
    state.level = state.level + mean
  end
end

-- Measures of fit; constants of the normal density are left out (as statsmodels does).
local function judge(form, state, sum, count)
  local n = state.count
  -- A season is m - 1 free numbers beside a level, whether searched or guessed.
  local k = count + (form.m == 1 and 0 or form.fixed_season and form.m - 1 or -1)
  local deviance = n * math.log(math.max(sum / n, 1e-300))
  state.free, state.objective = k, sum
  state.aic, state.bic = deviance + 2 * k, deviance + k * math.log(n)
  -- With the variance as one more parameter (Hurvich and Tsai, 1989).
  local room = n - k - 2
  state.aicc = room > 0 and deviance + 2 * (k + 1) + 2 * (k + 1) * (k + 2) / room or math.huge
end

--- Fits the parameters and first states.
-- @tparam table form `trended`, `damped`, `multiplicative` (season), `relative` (errors): booleans;
-- `m`: steps in a season, 1 for none; `fixed_season`: true leaves the season's guess as it is
-- @tparam {number,...} y
-- @treturn table state after the last value, with `residuals`, `sigma`, `sse` (sum of squares of
-- y - mean), `aic`, `aicc`, `bic`, `start` (the state before the first value)
function smoothing_model.fit(form, y)
  local problem, states = problem_of(form, y)
  local list = starts(form, problem, states, y)
  local best, least
  -- Short series have several valleys and cost little: more starts, and as many for each damping.
  local size = #list[1].x
  local tries = math.max(2, math.min(6, WORK // (#y * size * size)))
  if form.damped and form.m == 1 then tries = tries * #DAMPINGS end
  for i = 1, math.min(tries, #list) do
    local x, sum = least_squares.nonlinear(problem, list[i].x)
    if not least or sum < least then best, least = x, sum end
  end
  if least == math.huge then return nil end
  local state = unpack_state(form, best)
  normalise(form, state)
  local start = smoothing_model.copy(state)
  local residuals = {}
  run(form, state, y, residuals)
  state.start, state.residuals, state.relative, state.count = start, residuals, form.relative, #y
  judge(form, state, least, #best)
  local squares, sse, again = 0, 0, smoothing_model.copy(start)
  for t, e in ipairs(residuals) do
    squares = squares + e * e
    sse = sse + (y[t] - smoothing_model.mean(again)) ^ 2
    smoothing_model.update(again, y[t])
  end
  state.sse, state.sigma = sse, math.sqrt(squares / math.max(1, #y - state.free))
  return state
end

--- The deviation of the error h steps ahead; nil where errors or season multiply.
-- (Hyndman, Koehler, Ord and Snyder, 2008, table 6.1.)
function smoothing_model.spread(state, h)
  if state.multiplicative or state.relative then return nil end
  local sum, weight, power, m = 1, 0, 1, #state.season
  for j = 1, h - 1 do
    power = power * state.phi
    weight = weight + power
    local c = state.alpha + state.beta * weight + (m > 0 and j % m == 0 and state.gamma or 0)
    sum = sum + c * c
  end
  return state.sigma * math.sqrt(sum)
end

return smoothing_model
