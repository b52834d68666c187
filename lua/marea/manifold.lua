--- Maps of many dimensions in two or three, to be looked at: t-SNE.
--
--     local map, info = marea.manifold.tsne(x)              -- (N, D) → (N, 2)
--     print(info)                                           -- settings, divergence, notes
--     local more = info:place(new_x)                        -- new points in the old map
--     print(marea.manifold.trustworthiness(x, map, 5))
--
-- t-SNE keeps neighbours together and nothing else: sizes of groups, distances between groups and
-- densities mean nothing. So a map is for eyes; k-means, k-NN and the like belong on x, or on the
-- scores of marea.decomposition.pca. What takes distances calls `warn_if_map` on what it is given.
-- @module marea.manifold
local decomposition = require "marea.decomposition"
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local manifold = {}

-- Maps are known by the tensor itself, as long as it lives.
local maps = setmetatable({}, { __mode = "k" })

--- Whether a tensor was made by `tsne` or `info:place`.
function manifold.is_map(x)
  return maps[x] ~= nil
end

--- Warns when `x` is a t-SNE map. For functions that measure distances.
-- @tparam tensor x
-- @tparam string who the function's name
-- @tparam[opt] function warn gets the text; default: standard error
-- @treturn boolean whether it is a map
function manifold.warn_if_map(x, who, warn)
  if not maps[x] then return false end
  local text = who .. ": this is a t-SNE map: distances between and sizes of its groups mean "
    .. "nothing; use the points it was made from, or their PCA scores"
  if warn then warn(text) else io.stderr:write(text, "\n") end
  return true
end

-- Settings ----------------------------------------------------------------------------------------

local defaults = {
  n_components = 2, perplexity = "auto", metric = "euclidean", method = "auto", angle = 0.5,
  iterations = 1000, early_iterations = 250, early_exaggeration = 12, exaggeration = 1,
  learning_rate = "auto", early_momentum = 0.5, momentum = 0.8, max_step = 5,
  initial = "pca", seed = 0, min_gradient_norm = 1e-7, every = 50, callback = options.optional,
  verbose = false, exact_divergence = "auto",
}

local function number_or_auto(read, name, low)
  if read[name] ~= "auto" then options.number("tsne", name, read[name], low) end
end

local function check(read)
  for _, name in ipairs{ "iterations", "early_iterations" } do
    read[name] = options.integer("tsne", name, read[name], 0)
  end
  read.n_components = options.integer("tsne", "n_components", read.n_components)
  read.every = options.integer("tsne", "every", read.every)
  read.seed = options.integer("tsne", "seed", read.seed, math.mininteger)
  for _, name in ipairs{ "early_exaggeration", "exaggeration" } do
    options.number("tsne", name, read[name], 1)
  end
  for _, name in ipairs{ "early_momentum", "momentum" } do
    options.number("tsne", name, read[name], 0, 1)
  end
  for _, name in ipairs{ "max_step", "min_gradient_norm" } do
    options.number("tsne", name, read[name], 0)
  end
  number_or_auto(read, "perplexity", 1)
  number_or_auto(read, "learning_rate", 0)
  options.choice("tsne", "metric", read.metric, { "euclidean", "cosine" })
  options.choice("tsne", "method", read.method, { "auto", "exact", "barnes_hut", "fft" })
  if read.callback ~= nil and type(read.callback) ~= "function" then
    error("tsne: callback must be a function, got " .. options.show(read.callback), 0)
  end
end

-- The largest perplexity that leaves three neighbours for each one counted.
local function settle_perplexity(read, n, notes)
  if read.perplexity ~= "auto" then return end
  read.perplexity = math.max(1, math.min(30, (n - 1) / 3))
  if read.perplexity < 30 then
    notes[#notes + 1] = ("perplexity %g instead of 30, because there are only %d points")
      :format(read.perplexity, n)
  end
end

local function rate(read, n, exaggeration)
  if read.learning_rate ~= "auto" then return read.learning_rate end
  return math.max(50, n / exaggeration)
end

-- The start ---------------------------------------------------------------------------------------

local spread = 1e-4 -- standard deviation along the first axis, small beside the forces' width of 1

local function deviation(x)
  local n = x:size(1)
  local first = x:narrow(2, 1, 1)
  local mean = first:sum():item() / n
  return math.sqrt(math.max(0, (first * first):sum():item() / n - mean * mean))
end

-- Points at the same place would stay together for ever, so all are moved a little.
local function jitter(n, axes, seed, size)
  return native.new_stream(seed, 0):normal({ n, axes }, 0, size)
end

local function start(x, read, notes)
  local n, axes = x:size(1), read.n_components
  if native.is_tensor(read.initial) or type(read.initial) == "table" then
    return ops.as_real(read.initial)
  end
  options.choice("tsne", "initial", read.initial, { "pca", "random" })
  if read.initial == "random" then return jitter(n, axes, read.seed, spread) end
  if x:size(2) < axes then
    notes[#notes + 1] = "a random start, because the points have fewer dimensions than the map"
    return jitter(n, axes, read.seed, spread)
  end
  if n < axes then return jitter(n, axes, read.seed, spread) end
  local scores = decomposition.pca(x, axes, { seed = read.seed })
  local wide = deviation(scores)
  local noise = jitter(n, axes, read.seed, spread / 100)
  return wide > 0 and scores * (spread / wide) + noise or noise
end

-- The run -----------------------------------------------------------------------------------------

local Info = {}
Info.__index = Info
Info.__name = "marea.tsne info"

local function say(run, text)
  if run.read.verbose then io.stderr:write("tsne: ", text, "\n") end
end

-- Shows the map as it is to the callback; true when that wants no more.
local function show(run, force)
  local read, info = run.read, run.info
  if not (read.callback or read.verbose or force) then return false end
  local divergence = run.tsne:divergence()
  info.history[#info.history + 1] = { iteration = info.iterations, kl_divergence = divergence }
  say(run, ("iteration %4d  divergence %.4f"):format(info.iterations, divergence))
  if not read.callback then return false end
  local map = run.tsne:map()
  maps[map] = true
  return read.callback(info.iterations, divergence, map) == false
end

-- Iterations of one phase, in stretches up to the next call; true when the run is to end.
local function phase(run, until_iteration, settings)
  local info = run.info
  while info.iterations < until_iteration do
    local next_call = info.iterations - info.iterations % run.read.every + run.read.every
    local stretch = math.min(next_call, until_iteration) - info.iterations
    local done, interrupted = run.tsne:run(stretch, settings)
    info.iterations = info.iterations + done
    if interrupted then
      info.stopped = "interrupted"
      native.interrupted() -- this run has obeyed
      return true
    end
    if info.iterations % run.read.every == 0 and show(run) then
      info.stopped = "callback"
      return true
    end
    local report = run.tsne:report()
    if report.gradient_norm < run.read.min_gradient_norm then
      info.stopped = "gradient"
      return true
    end
  end
  return false
end

local function descend(run, n)
  local read = run.read
  local early = math.min(read.early_iterations, read.iterations)
  local stopped = phase(run, early, { exaggeration = read.early_exaggeration,
    learning_rate = rate(read, n, read.early_exaggeration), momentum = read.early_momentum,
    max_step = read.max_step })
  if stopped and run.info.stopped ~= "gradient" then return end
  run.info.stopped = nil
  phase(run, read.iterations, { exaggeration = read.exaggeration,
    learning_rate = rate(read, n, read.exaggeration), momentum = read.momentum,
    max_step = read.max_step })
end

local function watch()
  native.interrupted() -- one that came too late for whoever ran before is forgotten
  local before = native.interrupt_watch(true)
  return setmetatable({}, { __close = function() native.interrupt_watch(before) end })
end

--- Maps points so that neighbours stay neighbours (van der Maaten and Hinton, 2008).
--
-- The method "auto" sums over all pairs up to 3,000 points; above, it convolves on a grid by Fourier
-- transforms ("fft", 1 or 2 dimensions) or takes far groups as one point ("barnes_hut", 3
-- dimensions). The map is the same for any number of threads, and for the same seed. Ctrl-C ends the
-- run with the map so far.
-- @tparam tensor x points (N, D), N at least 2
-- @tparam[opt] table given
--
-- * `n_components` (2): dimensions of the map, 1 to 3
-- * `perplexity` ("auto": min(30, (N - 1) / 3)): neighbours that count, 1 to N - 1
-- * `metric` ("euclidean") or "cosine"
-- * `method` ("auto"), "exact", "barnes_hut" or "fft"; `angle` (0.5) of barnes_hut
-- * `iterations` (1000), of which `early_iterations` (250) with `early_exaggeration` (12), the
--   others with `exaggeration` (1)
-- * `learning_rate` ("auto": N / exaggeration of the phase, at least 50; for the gradient without
--   its factor 4), `early_momentum` (0.5), `momentum` (0.8), `max_step` (5; 0 for none)
-- * `initial` ("pca": scaled to a standard deviation of 1e-4), "random" or a tensor; `seed` (0)
-- * `min_gradient_norm` (1e-7): the run ends below it
-- * `callback(iteration, divergence, map)`, called `every` (50) iterations; returns false to stop
-- * `verbose` (false): the divergence on standard error `every` iterations
-- * `exact_divergence` ("auto": up to 20,000 points), true or false: whether the divergence reported
--   at the end sums over every pair
-- @treturn tensor map (N, n_components)
-- @treturn table info: `kl_divergence`, `iterations`, `perplexity`, `method`, `learning_rate`,
-- `notes` (texts), `history` ({ iteration, kl_divergence } of each call), `stopped` (nil,
-- "interrupted", "callback" or "gradient"); `info:place(new_x)`; printable
-- @raise for numbers that are not finite (naming the first), a perplexity that N does not allow, a
-- map that diverges
function manifold.tsne(x, given)
  local read = options.read("tsne", given, defaults)
  check(read)
  x = ops.as_real(x)
  if x:rank() ~= 2 then error("tsne: expected points (N, D), got " .. tostring(x), 0) end
  local n, notes = x:size(1), {}
  settle_perplexity(read, n, notes)
  local _ <close> = watch()
  local tsne <close> = ops.tsne(x, read)
  tsne:set_map(start(x, read, notes))
  local info = setmetatable({ iterations = 0, history = {}, notes = notes, metric = read.metric,
    perplexity = read.perplexity, learning_rate = rate(read, n, read.exaggeration),
    points = n, columns = x:size(2), method = tsne:report().method }, Info)
  local run = { read = read, tsne = tsne, info = info }
  for _, note in ipairs(notes) do say(run, note) end
  descend(run, n)
  local exact = read.exact_divergence
  if exact == "auto" then exact = n <= 20000 end
  info.kl_divergence = tsne:divergence(exact)
  local map = tsne:map()
  maps[map] = true
  info.x, info.map = x, map
  return map, info
end

-- New points in an old map ------------------------------------------------------------------------

local placing = { perplexity = 5, iterations = 250, learning_rate = 0.1, exaggeration = 1.5,
  momentum = 0.8, max_step = 0.25 }

--- Places new points into the map, which stays as it is. Each starts at the median of its nearest
-- neighbours' places and descends its own divergence, so its place does not depend on which others
-- come with it.
-- @tparam tensor new_x (M, D)
-- @tparam[opt] table given `perplexity` (5), `iterations` (250), `learning_rate` (0.1),
-- `exaggeration` (1.5), `momentum` (0.8), `max_step` (0.25)
-- @treturn tensor (M, n_components)
function Info:place(new_x, given)
  local read = options.read("place", given, placing)
  for _, name in ipairs{ "perplexity", "learning_rate", "exaggeration", "max_step" } do
    options.number("place", name, read[name], 0)
  end
  read.iterations = options.integer("place", "iterations", read.iterations, 0)
  options.number("place", "momentum", read.momentum, 0, 1)
  read.perplexity = math.max(1, math.min(read.perplexity, self.points))
  read.metric = self.metric
  local _ <close> = watch()
  local placed = ops.tsne_place(self.x, self.map, ops.as_real(new_x), read)
  maps[placed] = true
  return placed
end

function Info:__tostring()
  local lines = { ("t-SNE of %d points (%d dimensions): %s, %s, perplexity %g, learning rate %g")
    :format(self.points, self.columns, self.method, self.metric, self.perplexity,
      self.learning_rate),
    ("  divergence %.4f after %d iterations%s"):format(self.kl_divergence, self.iterations,
      self.stopped and " (stopped: " .. self.stopped .. ")" or "") }
  for _, note in ipairs(self.notes) do lines[#lines + 1] = "  note: " .. note end
  lines[#lines + 1] = "  for eyes only: distances between its groups mean nothing"
  return table.concat(lines, "\n")
end

--- How well a map keeps neighbourhoods (Venna and Kaski, 2001), 0 to 1: points that are among the k
-- nearest in the map but not in x count against it by their rank in x.
-- @tparam tensor x (N, D)
-- @tparam tensor y (N, e)
-- @tparam[opt=5] integer k below N / 2
-- @treturn number
function manifold.trustworthiness(x, y, k)
  return ops.trustworthiness(ops.as_real(x), ops.as_real(y),
    options.integer("trustworthiness", "k", k or 5))
end

return manifold
