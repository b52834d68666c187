--- What a forecaster has learnt from, and whether a part that is to validate or to judge is of it.
--
-- Dates tell where a part lies. Without dates rows are counted from the series' first one, and two
-- series are one where all rows that both hold are equal.
-- @module marea.timeseries.leakage
local leakage = {}

local names = { "first_time", "last_time", "first", "last", "rows", "from", "to" }

--- The fields of a span that travel in files.
leakage.span = names

local function column_of(series, name)
  for d, own in ipairs(series.names) do
    if own == name then return series.columns[d] end
  end
end

local function root_of(series)
  return rawget(series, "root") or series
end

--- The span of a part: its rows, dates, and (in memory only) the series that it is of.
function leakage.span_of(series)
  return { root = root_of(series), first = series.first, last = series.first + series.rows - 1,
    first_time = series.times and series.times[1],
    last_time = series.times and series.times[series.rows],
    from = series:date(1), to = series:date(series.rows), rows = series.rows }
end

-- Whether the columns `targets` of a part's series are those of `known`, whose first row is number
-- `first`, in the rows that both have.
local function is_same(part, known, first, targets)
  local root = root_of(part)
  if root == known then return true end
  local from = math.max(root.first, first)
  local to = math.min(root.first + root.rows, first + known.rows) - 1
  if from > to then return false end
  for _, name in ipairs(targets) do
    local own, other = column_of(known, name), column_of(root, name)
    if not other then return false end -- another error, told by whoever reads it
    for row = from, to do
      local a, b = own[row - first + 1], other[row - root.first + 1]
      if a ~= b and a == a and b == b then return false end -- a missing value is like any
    end
  end
  return true
end

-- Whether a part begins before a span ends (`within`: and ends after it begins).
local function overlaps(part, span, known, first, targets, within)
  if part.times and span.last_time then
    return part.times[1] <= span.last_time and part.times[part.rows] >= span.first_time
  end
  return is_same(part, known, first, targets) and part.first <= span.last
    and (not within or part.first + part.rows > span.first)
end

--- Raises unless a validation part comes after the series that is learnt from.
-- @tparam Series part
-- @tparam Series series
-- @tparam {string,...} targets
function leakage.check_order(part, series, targets)
  local early
  if part.times and series.times then
    early = part.times[1] <= series.times[series.rows]
  else
    local root = root_of(series)
    early = is_same(part, root, root.first, targets) and part.first < series.first + series.rows
  end
  if early then
    error(("fit: the validation part begins at %s, the training part ends at %s: leakage"):format(
      part:date(1), series:date(series.rows)), 0)
  end
end

local function refuse(what, span, advice, part)
  error(("evaluate: leakage: %s have learnt from %s … %s (%d rows), the part to be judged begins at %s; "
    .. "%s, or say in_sample = true"):format(what, span.from, span.to, span.rows, part:date(1), advice),
    0)
end

--- Raises when the part's targets begin within what the forecaster has learnt from: the training part,
-- or the one that stopped its training and gave its intervals.
-- @tparam Forecaster self
-- @tparam Series part
function leakage.check_unseen(self, part)
  local fitted, targets = self.fitted, self.roles.targets
  local known, first = fitted.root, fitted.root and fitted.root.first
  if not known then -- of a file: the last rows are there
    known, first = self.history, fitted.last - self.history.rows + 1
  end
  if overlaps(part, fitted, known, first, targets) then
    refuse("transforms and network", fitted, "fit on what lies before it", part)
  end
  local span = fitted.validation
  if not span then return end
  if span.root then known, first = span.root, span.root.first end
  if overlaps(part, span, known, first, targets, true) then
    refuse("early stopping and intervals", span, "judge by what lies behind it", part)
  end
end

return leakage
