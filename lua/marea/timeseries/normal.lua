--- Quantiles of the normal distribution.
-- @module marea.timeseries.normal
local normal = {}

-- 1 - Φ(z) for z ≥ 0 as a continued fraction (Abramowitz and Stegun, 1964, 26.2.14); near 0 by the
-- series 26.2.10.
local function upper_tail(z)
  local density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
  if z > 3 then
    local fraction = z
    for k = 60, 1, -1 do fraction = z + k / fraction end
    return density / fraction
  end
  local term, sum, k = z, z, 1
  while math.abs(term) > 1e-17 * math.abs(sum) do
    term, k = term * z * z / (2 * k + 1), k + 1
    sum = sum + term
  end
  return 0.5 - density * sum
end

-- The number above which it lies with probability `tail`, at most 1/2, by Newton's method.
local function from_tail(tail)
  if tail == 0.5 then return 0 end
  -- Start: Abramowitz and Stegun, 26.2.23, within 4.5e-4.
  local t = math.sqrt(-2 * math.log(tail))
  local z = t - (2.515517 + t * (0.802853 + t * 0.010328))
    / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
  for _ = 1, 4 do
    z = z + (upper_tail(z) - tail) * math.sqrt(2 * math.pi) * math.exp(z * z / 2)
  end
  return z
end

--- The number below which a standard normal variable lies with probability p.
-- @tparam number p in (0, 1)
-- @treturn number
function normal.quantile(p)
  if p < 0.5 then return -from_tail(p) end
  return from_tail(1 - p)
end

return normal
