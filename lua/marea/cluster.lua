--- Groups of points: k-means.
--
--     local groups = marea.cluster.kmeans(vectors:vectors(words), 8, { seed = 1 })
--     print(groups)                                  -- sizes, how tight
--     print(groups.labels, groups.centers, groups:predict(new_x))
--
-- Rules and defaults are scikit-learn's (Lloyd, 1982; k-means++: Arthur and Vassilvitskii, 2007). The
-- same groups for any number of threads and for the same seed. Of a t-SNE map it warns: sizes of and
-- distances between its groups mean nothing.
-- @module marea.cluster
local manifold = require "marea.manifold"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local cluster = {}

-- For each point the place of its nearest center (from 0) and the squared distance.
local function nearest(x, centers)
  local places, squared = ops.neighbours(centers, x, 1)
  return places:reshape{ -1 }, squared:reshape{ -1 }
end

-- A place by chance, each as likely as its weight.
local function draw(weights, stream)
  local total = 0
  for _, weight in ipairs(weights) do total = total + weight end
  local left, chosen = stream:number() * total, #weights
  for i, weight in ipairs(weights) do
    left = left - weight
    if left < 0 then
      chosen = i
      break
    end
  end
  return chosen
end

local function row(x, place)
  return x:narrow(1, place, 1)
end

-- k-means++: the first center at random, each next one as likely as its squared distance to those
-- there are; of a few tries the one that leaves least.
local function first_centers(x, k, stream)
  local tries = 2 + math.floor(math.log(k))
  local centers = row(x, stream:below(x:size(1)) + 1):clone()
  local _, squared = nearest(x, centers)
  for _ = 2, k do
    local weights, best, best_squared, least = squared:totable(), nil, nil, math.huge
    for _ = 1, tries do
      local candidate = row(x, draw(weights, stream))
      local _, to_candidate = nearest(x, candidate)
      local left = ops.minimum(squared, to_candidate)
      local sum = ops.sum(left):item()
      if sum < least then best, best_squared, least = candidate, left, sum end
    end
    centers, squared = ops.concat({ centers, best }, 1), best_squared
  end
  return centers
end

-- The mean of each group's points; an empty group takes the point farthest from its center.
local function means(x, places, squared, k)
  local members = ops.one_hot(places, k):transpose()
  local counts = ops.sum(members, 2)
  local sums = members:matmul(x)
  local list, far = counts:totable(), nil
  for group, count in ipairs(list) do
    if count == 0 then
      far = far or squared:clone()
      local place = far:argmax():item()
      row(sums, group):assign_(row(x, place))
      counts:set(group, 1)
      far:set(place, -1)
    end
  end
  return sums / counts:reshape{ k, 1 }
end

-- One run: centers, places, squared distances, rounds.
local function run(x, centers, read, tolerance)
  local k = centers:size(1)
  local places, squared = nearest(x, centers)
  for round = 1, read.max_iter do
    local moved = means(x, places, squared, k)
    local step = ops.sum((moved - centers) * (moved - centers)):item()
    centers = moved
    local now, now_squared = nearest(x, centers)
    local same = ops.sum(ops.not_equal(ops.as_real(now), ops.as_real(places))):item() == 0
    places, squared = now, now_squared
    if same or step <= tolerance then return centers, places, squared, round end
  end
  return centers, places, squared, read.max_iter
end

local Groups = {}
Groups.__index = Groups
Groups.__name = "marea.kmeans"

--- The group of new points: ids (M) from 0.
function Groups:predict(x)
  x = ops.as_real(x)
  manifold.warn_if_map(x, "kmeans")
  return (nearest(x, self.centers))
end

function Groups:__tostring()
  local sizes = ops.sum(ops.one_hot(self.labels, self.centers:size(1)), 1):totable()
  for i, size in ipairs(sizes) do sizes[i] = ("%d"):format(size) end
  return ("kmeans: %d groups of %s points, inertia %.6g after %d rounds"):format(self.centers:size(1),
    table.concat(sizes, ", "), self.inertia, self.rounds)
end

local function check_points(x, k)
  local shape = x:shape()
  if #shape ~= 2 then
    error(("kmeans: x must be a (points, dimensions) tensor, got (%s)"):format(table.concat(shape, ", ")), 0)
  end
  if k > shape[1] then
    error(("kmeans: %d groups of %d points; there must be a point for each"):format(k, shape[1]), 0)
  end
end

local function starting_centers(x, k, read, stream)
  if read.init == "k-means++" then return first_centers(x, k, stream) end
  if read.init == "random" then return x:take(stream:permutation(x:size(1)):narrow(1, 1, k)) end
  local centers = ops.as_real(read.init)
  local shape = centers:shape()
  if #shape ~= 2 or shape[1] ~= k or shape[2] ~= x:size(2) then
    error(("kmeans: init is (%s), expected (%d, %d)"):format(table.concat(shape, ", "), k, x:size(2)), 0)
  end
  return centers
end

--- k groups of points whose squared distances to their group's mean are small.
-- @tparam tensor x (N, D), finite
-- @tparam integer k 1 to N
-- @tparam[opt] table given `init` ("k-means++", "random", or centers (k, D)), `n_init` (10; given
-- centers: 1) starts of which the best counts, `max_iter` 300, `tol` 1e-4 (of the columns' mean
-- variance), `seed` 0
-- @treturn table `labels` (N) ids from 0, `centers` (k, D), `inertia` (sum of squared distances),
-- `rounds`, and `predict(x)`
-- @raise for other shapes, NaN or infinities, more groups than points
function cluster.kmeans(x, k, given)
  local read = options.read("kmeans", given, { init = "k-means++", n_init = options.optional,
    max_iter = 300, tol = 1e-4, seed = 0 })
  x = ops.as_real(x)
  check_points(x, options.integer("kmeans", "k", k))
  local starts = options.integer("kmeans", "n_init", read.n_init or (ops.is_tensor(read.init) and 1 or 10))
  options.integer("kmeans", "max_iter", read.max_iter)
  manifold.warn_if_map(x, "kmeans")
  local centred = x - ops.mean(x, 1, true)
  local tolerance = options.number("kmeans", "tol", read.tol, 0) * ops.mean(centred * centred):item()
  local stream = ops.new_stream(options.integer("kmeans", "seed", read.seed, 0), 1)
  local best
  ops.no_grad(function()
    for _ = 1, starts do
      local centers, places, squared, rounds = run(x, starting_centers(x, k, read, stream), read, tolerance)
      local inertia = ops.sum(squared):item()
      if not best or inertia < best.inertia then
        best = { centers = centers, labels = places, inertia = inertia, rounds = rounds }
      end
    end
  end)
  return setmetatable(best, Groups)
end

return cluster
