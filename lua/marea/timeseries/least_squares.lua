--- Least squares: linear by Householder reflections, nonlinear within bounds.
-- @module marea.timeseries.least_squares
local least_squares = {}

-- Turns column k of the design (rows k … n) into a multiple of the k-th unit vector, and all later
-- columns and y with it. False when nothing of the column is left beside the earlier ones.
local function reflect(columns, y, k, length)
  local pivot, n = columns[k], #y
  local squares = 0
  for t = k, n do squares = squares + pivot[t] * pivot[t] end
  if squares <= 1e-20 * length then return false end
  local norm = pivot[k] > 0 and -math.sqrt(squares) or math.sqrt(squares)
  local v = table.move(pivot, k, n, k, {})
  v[k] = v[k] - norm
  local half = norm * norm - norm * pivot[k] -- v'v / 2
  local function apply(column)
    local dot = 0
    for t = k, n do dot = dot + v[t] * column[t] end
    dot = dot / half
    for t = k, n do column[t] = column[t] - dot * v[t] end
  end
  for j = k + 1, #columns do apply(columns[j]) end
  apply(y)
  pivot[k] = norm
  return true
end

--- Coefficients that make the sum of squares of y - Σ coefficient · column least.
-- A column that depends linearly on earlier ones gets the coefficient 0.
-- @tparam {{number,...},...} columns K lists of n numbers; overwritten
-- @tparam {number,...} y n numbers, n ≥ K; overwritten
-- @treturn {number,...} K coefficients
-- @treturn {number,...} sums[k + 1]: the sum of squares that the first k columns leave, k = 0 … K
function least_squares.linear(columns, y)
  local lengths, kept = {}, {}
  for k, column in ipairs(columns) do
    lengths[k] = 0
    for _, value in ipairs(column) do lengths[k] = lengths[k] + value * value end
  end
  for k = 1, #columns do kept[k] = reflect(columns, y, k, lengths[k]) end
  local sums, rest = {}, 0
  for t = #y, #columns + 1, -1 do rest = rest + y[t] * y[t] end
  sums[#columns + 1] = rest
  for k = #columns, 1, -1 do
    rest = rest + y[k] * y[k]
    sums[k] = rest
  end
  local coefficients = {}
  for k = #columns, 1, -1 do
    local sum = y[k]
    for j = k + 1, #columns do sum = sum - columns[j][k] * coefficients[j] end
    coefficients[k] = kept[k] and sum / columns[k][k] or 0
  end
  return coefficients, sums
end

-- Solves (a + damping · diagonal) x = b for the rows in `free`; a is symmetric. Cholesky.
local function solve(a, b, free, damping)
  local n, l, x = #free, {}, {}
  for i = 1, n do
    l[i] = {}
    for j = 1, i do
      local sum = a[free[i]][free[j]]
      if i == j then sum = sum * (1 + damping) + 1e-300 end
      for k = 1, j - 1 do sum = sum - l[i][k] * l[j][k] end
      if i == j then
        if sum <= 0 then return nil end
        l[i][i] = math.sqrt(sum)
      else
        l[i][j] = sum / l[j][j]
      end
    end
  end
  for i = 1, n do
    local sum = b[free[i]]
    for k = 1, i - 1 do sum = sum - l[i][k] * x[k] end
    x[i] = sum / l[i][i]
  end
  for i = n, 1, -1 do
    for k = i + 1, n do x[i] = x[i] - l[k][i] * x[k] end
    x[i] = x[i] / l[i][i]
  end
  return x
end

-- The slopes of all residuals by parameter j, by a small step that stays within the bounds.
local function slope(problem, x, r, j)
  local kept, step = x[j], 1e-6 * problem.scale[j]
  if kept + step > problem.high[j] then step = -step end
  local moved = {}
  x[j] = kept + step
  if problem.residuals(x, moved) == math.huge then
    step = -step
    x[j] = kept + step
    if problem.residuals(x, moved) == math.huge then
      for t = 1, #r do moved[t] = r[t] end
    end
  end
  x[j] = kept
  for t = 1, #r do moved[t] = (moved[t] - r[t]) / step end
  return moved
end

-- J'J and -J'r.
local function normal_equations(slopes, r)
  local a, b = {}, {}
  for i = 1, #slopes do a[i] = {} end
  for i, s in ipairs(slopes) do
    for j = 1, i do
      local other, sum = slopes[j], 0
      for t = 1, #r do sum = sum + s[t] * other[t] end
      a[i][j], a[j][i] = sum, sum
    end
    local sum = 0
    for t = 1, #r do sum = sum + s[t] * r[t] end
    b[i] = -sum
  end
  return a, b
end

-- One step that makes the sum less: the new point, its residuals, sum and damping; nil when none does.
local function improve(problem, x, r, sum, damping)
  local slopes, free = {}, {}
  for j = 1, #x do slopes[j] = slope(problem, x, r, j) end
  local a, b = normal_equations(slopes, r)
  for j = 1, #x do
    local stuck = x[j] <= problem.low[j] and b[j] <= 0 or x[j] >= problem.high[j] and b[j] >= 0
    if not stuck and a[j][j] > 0 then free[#free + 1] = j end
  end
  if #free == 0 then return nil end
  for _ = 1, 14 do
    local step = solve(a, b, free, damping)
    if step then
      local moved, residuals = table.move(x, 1, #x, 1, {}), {}
      for i, j in ipairs(free) do
        moved[j] = math.max(problem.low[j], math.min(problem.high[j], x[j] + step[i]))
      end
      local reached = problem.residuals(moved, residuals)
      if reached < sum then return moved, residuals, reached, math.max(damping / 8, 1e-9) end
    end
    damping = damping * 5
  end
  return nil
end

--- Makes a sum of squares least by damped Gauss–Newton steps (Levenberg, 1944; Marquardt, 1963) with
-- slopes by differences; parameters at a bound that want to leave it stay there for the step. The
-- same start always gives the same end.
-- @tparam table problem `residuals(x, r)` fills the list r and returns its sum of squares
-- (math.huge: x is not allowed); `low`, `high`, `scale`: lists by parameter
-- @tparam {number,...} x the start, within the bounds
-- @tparam[opt=60] integer steps at most
-- @treturn {number,...} x
-- @treturn number the sum of squares
function least_squares.nonlinear(problem, x, steps)
  local r, quiet, damping = {}, 0, 1e-3
  local sum = problem.residuals(x, r)
  if sum == math.huge then return x, sum end
  for _ = 1, steps or 60 do
    local moved, residuals, reached, next_damping = improve(problem, x, r, sum, damping)
    if not moved then break end
    quiet = sum - reached <= 1e-9 * sum and quiet + 1 or 0
    x, r, sum, damping = moved, residuals, reached, next_damping
    if quiet == 2 then break end
  end
  return x, sum
end

return least_squares
