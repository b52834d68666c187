--- Fewer dimensions by straight lines: principal components.
--
--     local scores, info = marea.decomposition.pca(x, 2)
--     print(info)                       -- how much of the variance each component explains
--     local more = info:transform(new_x)
--
-- PCA is linear: distances in the scores are distances in x seen from one side, so they may be fed
-- to k-means or k-NN. A t-SNE map may not (marea.manifold).
-- @module marea.decomposition
local ops = require "marea.ops"
local options = require "marea.nn.options"

local decomposition = {}

local Components = {}
Components.__index = Components
Components.__name = "marea.pca"

--- A fitted PCA. Fields: `components` (n, D), rows of length 1 whose largest element is positive;
-- `mean` (D); lists with a value for each component: `explained_variance` (divided by N - 1),
-- `explained_variance_ratio` (of the variance of all columns), `singular_values`; `total_variance`,
-- `method` ("exact" or "randomised").
-- @type Components

--- The scores (N, n) of points (N, D).
function Components:transform(x)
  return self.fitted:transform(ops.as_real(x))
end

--- Points (N, D) from scores (N, n); what the missing components held is lost.
function Components:inverse(scores)
  return self.fitted:inverse(ops.as_real(scores))
end

function Components:__tostring()
  local lines = { ("pca: %d components of %d columns (%s)"):format(#self.explained_variance,
    self.components:size(2), self.method) }
  local sum = 0
  for i, ratio in ipairs(self.explained_variance_ratio) do
    sum = sum + ratio
    if i <= 10 then
      lines[#lines + 1] = ("  %2d  variance %-10.4g %5.1f%%  together %5.1f%%"):format(i,
        self.explained_variance[i], 100 * ratio, 100 * sum)
    end
  end
  if #self.explained_variance > 10 then
    lines[#lines + 1] = ("  all together %5.1f%%"):format(100 * sum)
  end
  return table.concat(lines, "\n")
end

--- Principal components of points.
--
-- The signs do not depend on the method, and nothing depends on the number of threads. "auto" is
-- exact up to 1,000 rows or columns, whichever are fewer, or when more than a fifth of all
-- components is wanted; else randomised (Halko, Martinsson and Tropp, 2011). Columns that are
-- constant have no variance and do no harm.
-- @tparam tensor x points (N, D), N at least 2
-- @tparam[opt=2] integer n components, 1 to min(N, D)
-- @tparam[opt] table given `method` "auto" (default), "exact" or "randomised"; `seed` (0) of the
-- randomised start
-- @treturn tensor scores (N, n)
-- @treturn Components
-- @raise for numbers that are not finite, naming the first, and for n out of range
function decomposition.pca(x, n, given)
  local read = options.read("pca", given, { method = "auto", seed = 0 })
  options.choice("pca", "method", read.method, { "auto", "exact", "randomised" })
  x = ops.as_real(x)
  local fitted = ops.pca(x, options.integer("pca", "n", n or 2), read.method,
    options.integer("pca", "seed", read.seed, math.mininteger))
  local info = setmetatable(fitted:report(), Components)
  info.fitted = fitted
  info.explained_variance_ratio = {}
  for i, variance in ipairs(info.explained_variance) do
    info.explained_variance_ratio[i] = info.total_variance > 0 and variance / info.total_variance
      or 0
  end
  return fitted:transform(x), info
end

return decomposition
