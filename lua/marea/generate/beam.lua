-- Beam search: the `width` likeliest beginnings are continued side by side.
local ops = require "marea.ops"
local options = require "marea.nn.options"
local sources = require "marea.generate.sources"

local beam = {}

beam.options = { width = 5, n_best = 1, prompt = options.optional, start = options.optional,
  stop = options.optional, max_length = 100, state = options.optional, length_penalty = 0,
  penalty = "length" }

local function norm_of(read)
  local a = read.length_penalty
  if read.penalty == "gnmt" then return function(length) return ((5 + length) / 6) ^ a end end
  return function(length) return length ^ a end
end

-- The continuations of all hypotheses, the likeliest first; equal ones in the order of hypotheses
-- and tokens.
local function continuations(source, live, count)
  local tokens, given = {}, {}
  for i, hypothesis in ipairs(live) do
    tokens[i], given[i] = hypothesis.token, hypothesis.state
  end
  local logits, new = source:advance(tokens, given)
  logits = logits:reshape{ #live, -1 }
  local list = {}
  for i, hypothesis in ipairs(live) do
    local best, log_probabilities = ops.top_tokens(logits:select(1, i), count)
    for j, token in ipairs(best) do
      list[#list + 1] = { token = token, parent = hypothesis, state = new[i], own = log_probabilities[j],
        sum = hypothesis.sum + log_probabilities[j], length = hypothesis.length + 1,
        place = #list + 1 }
    end
  end
  table.sort(list, function(a, b)
    if a.sum ~= b.sum then return a.sum > b.sum end
    return a.place < b.place
  end)
  return list
end

local function insert_sorted(pool, hypothesis, most)
  local at = #pool + 1
  while at > 1 and pool[at - 1].score < hypothesis.score do at = at - 1 end
  table.insert(pool, at, hypothesis)
  pool[most + 1] = nil
end

-- Whether a live hypothesis may still come before the last of a full pool.
local function can_improve(live, pool, most, norm, longest)
  if #pool < most then return true end
  local sum, length = live[1].sum, live[1].length + 1
  return math.max(sum / norm(length), sum / norm(longest)) > pool[most].score
end

-- A finished or cut hypothesis as the caller sees it.
local function describe(last, finished)
  local result = { tokens = {}, probabilities = {}, states = {}, finished = finished,
    log_probability = last.sum, score = last.score }
  local at = finished and last.parent or last
  local n = at.length
  while at.parent do
    result.tokens[n], result.probabilities[n] = at.token, math.exp(at.own)
    result.states[n] = at.state
    at, n = at.parent, n - 1
  end
  return result
end

local function finish(hypothesis, pool, most, norm, finished)
  hypothesis.score, hypothesis.finished = hypothesis.sum / norm(hypothesis.length), finished
  insert_sorted(pool, hypothesis, most)
end

-- One step: finished continuations go to the pool, the others stay live.
local function step(source, live, run)
  local next_live = {}
  for rank, item in ipairs(continuations(source, live, run.width + run.stop_count)) do
    if run.stops[item.token] then
      if rank <= run.width then finish(item, run.pool, run.width, run.norm, true) end
    elseif item.sum > -math.huge then
      next_live[#next_live + 1] = item
      if #next_live == run.width then break end
    end
  end
  return next_live
end

--- Checks `length_penalty` and `penalty`.
function beam.check_penalty(who, read)
  options.number(who, "length_penalty", read.length_penalty)
  options.choice(who, "penalty", read.penalty, { "length", "gnmt" })
end

local function check(read)
  for _, name in ipairs{ "width", "n_best", "max_length" } do
    read[name] = options.integer("generate.beam", name, read[name])
  end
  if read.n_best > read.width then
    error(("generate.beam: n_best is %d, but only %d hypotheses are kept; make width at least as "
      .. "large"):format(read.n_best, read.width), 0)
  end
  beam.check_penalty("generate.beam", read)
end

--- The best sequences; see marea.generate.beam.
function beam.search(source, read)
  check(read)
  local stops, stop_count = sources.stop_set(read.stop), 0
  for _ in pairs(stops) do stop_count = stop_count + 1 end
  local run = { width = read.width, stops = stops, stop_count = stop_count, pool = {},
    norm = norm_of(read) }
  local begun = sources.begin(source, read)
  local live = { { token = begun.token, state = begun.state, sum = 0, length = 0 } }
  for _ = 1, read.max_length do
    live = step(source, live, run)
    if #live == 0 or not can_improve(live, run.pool, run.width, run.norm, read.max_length) then
      live = {}
      break
    end
  end
  for _, hypothesis in ipairs(live) do
    finish(hypothesis, run.pool, run.width, run.norm, false)
  end
  local results = {}
  for i = 1, math.min(read.n_best, #run.pool) do
    results[i] = describe(run.pool[i], run.pool[i].finished)
  end
  return results
end

return beam
