--- The nearest points, and answers taken from them (k-NN).
--
--     local knn = marea.neighbors.KNeighborsClassifier{ 5 }
--     knn:fit(x, labels)
--     print(knn:predict(new_x), knn:score(test_x, test_labels))
--
-- Names are scikit-learn's. Exact, by Euclidean distance; on rows of length 1 the order is that of
-- the cosine. A t-SNE map is refused with a warning: what is near in it may be far in truth.
-- @module marea.neighbors
local manifold = require "marea.manifold"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local neighbors = {}

local function read_points(who, x, what)
  x = ops.as_real(x)
  if #x:shape() ~= 2 or x:size(1) == 0 then
    error(("%s: %s must be a (points, dimensions) tensor with a point at least, got (%s)"):format(who,
      what, table.concat(x:shape(), ", ")), 0)
  end
  manifold.warn_if_map(x, who)
  return x
end

--- The k rows of `points` nearest to each row of `queries`.
-- @tparam tensor points (N, D)
-- @tparam ?tensor queries (M, D); nil: the points' own neighbours, themselves left out
-- @tparam integer k 1 to N (N - 1 without queries)
-- @treturn tensor places (M, k) in `points`, int32, from 1, nearest first, equally near ones in order
-- @treturn tensor distances (M, k)
-- @raise for other shapes, NaN or infinities
function neighbors.kneighbors(points, queries, k)
  points = read_points("kneighbors", points, "points")
  if queries ~= nil then queries = read_points("kneighbors", queries, "queries") end
  local places, squared = ops.neighbours(points, queries, options.integer("kneighbors", "k", k))
  return ops.as_ids(ops.as_real(places) + 1), ops.sqrt(squared)
end

local KNN = {}
KNN.__index = KNN
KNN.__name = "marea.KNeighborsClassifier"

--- A classifier that asks the nearest points (Fix and Hodges, 1951; Cover and Hart, 1967).
-- @tparam table given `n_neighbors` (5, also positional); `weights`: "uniform" (each counts 1) or
-- "distance" (each counts 1/distance; points at distance 0 decide alone)
-- @treturn KNeighborsClassifier
function neighbors.KNeighborsClassifier(given)
  if type(given) == "number" then given = { given } end
  local read = options.read("KNeighborsClassifier", given, { n_neighbors = 5, weights = "uniform" },
    { "n_neighbors" })
  options.integer("KNeighborsClassifier", "n_neighbors", read.n_neighbors)
  options.choice("KNeighborsClassifier", "weights", read.weights, { "uniform", "distance" })
  return setmetatable(read, KNN)
end

--- Keeps the points and their labels.
-- @tparam tensor x (N, D)
-- @tparam tensor|table labels (N): ids from 0
-- @treturn KNeighborsClassifier itself
function KNN:fit(x, labels)
  self.points = read_points("KNeighborsClassifier", x, "x")
  labels = ops.as_ids(labels)
  if #labels:shape() ~= 1 or labels:size(1) ~= self.points:size(1) then
    error(("KNeighborsClassifier: %d points need as many labels, got (%s)"):format(self.points:size(1),
      table.concat(labels:shape(), ", ")), 0)
  end
  if ops.as_real(labels):min():item() < 0 then
    error("KNeighborsClassifier: labels are ids from 0", 0)
  end
  if self.n_neighbors > self.points:size(1) then
    error(("KNeighborsClassifier: n_neighbors is %d, but there are %d points"):format(self.n_neighbors,
      self.points:size(1)), 0)
  end
  self.labels = labels
  self.classes = math.tointeger(ops.as_real(labels):max():item()) + 1
  return self
end

-- What each neighbour counts, (M, k).
local function votes(self, squared)
  if self.weights == "uniform" then return ops.ones(squared:shape()) end
  local same = ops.equal(squared, 0)
  local any = ops.max(same, 2, true)
  local by_distance = 1 / ops.sqrt(ops.where(same, ops.ones{}, squared))
  return ops.where(any, same, by_distance)
end

--- The share of the votes for each class.
-- @tparam tensor x (M, D)
-- @treturn tensor (M, classes), rows that sum to 1
function KNN:predict_proba(x)
  if not self.points then error("KNeighborsClassifier: call fit(x, labels) first", 0) end
  x = read_points("KNeighborsClassifier", x, "x")
  local places, squared = ops.neighbours(self.points, x, self.n_neighbors)
  local of_neighbours = self.labels:take(places:reshape{ -1 }):reshape(places:shape())
  local weights = votes(self, squared)
  local shape = weights:shape()
  local sums = ops.sum(ops.one_hot(of_neighbours, self.classes)
    * weights:reshape{ shape[1], shape[2], 1 }, 2)
  return sums / ops.sum(sums, 2, true)
end

--- The class with most votes, the lower id where two have as many.
-- @tparam tensor x (M, D)
-- @treturn tensor ids (M)
function KNN:predict(x)
  return ops.argmax_ids(self:predict_proba(x), 2)
end

--- The share of right answers.
function KNN:score(x, labels)
  return ops.mean(ops.equal(ops.as_real(self:predict(x)), ops.as_real(labels))):item()
end

return neighbors
