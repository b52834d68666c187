--- Sequences out of a decoder: many at once by the likeliest token, or one by sampling and beam search.
-- @module marea.builders.decoding
local generate = require "marea.generate"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local states = require "marea.nn.states"
local vocabularies = require "marea.builders.vocabularies"

local decoding = {}

-- States by layer as one list, and back.
local function flatten(by_layer)
  local list = {}
  for _, tensors in ipairs(by_layer) do table.move(tensors, 1, #tensors, #list + 1, list) end
  return list
end

local function by_layer(decoder, list)
  local result, at = {}, 0
  for i, layer in ipairs(decoder.layers) do
    result[i] = table.move(list, at + 1, at + layer.states, 1, {})
    at = at + layer.states
  end
  return result
end

local function constant_ids(rows, id)
  return ops.zeros({ rows, 1 }, { dtype = "int32" }):fill_(id)
end

--- What keeps padding, the start mark and, without `unknown`, the unknown word from being said: added to
-- logits.
-- @tparam table model
-- @tparam boolean unknown
-- @treturn tensor (ids) of 0 and -inf
function decoding.silence(model, unknown)
  local target = model.target
  target.silence = target.silence or {}
  if not target.silence[unknown] then
    local list = {}
    for id = 1, model.decoder.scores.units do list[id] = 0 end
    list[1], list[target.start_id + 1] = -math.huge, -math.huge
    for _, id in ipairs(unknown and {} or vocabularies.unknown_ids(target)) do list[id + 1] = -math.huge end
    list[target.stop_id + 1] = 0
    target.silence[unknown] = ops.tensor(list)
  end
  return target.silence[unknown]
end

-- One step of all rows: the next ids (B, 1), states that outlive the tape, weights of attention (B, S).
local function step(model, fed, list, begun)
  local _ <close> = ops.tape{ retain_grad = false }
  return ops.no_grad(function()
    local decoder = model.decoder
    local y, after, weights = decoder:run(fed, nil, by_layer(decoder, list), begun.memory, false)
    local ids = ops.argmax_ids(decoder.scores(y) + begun.silence, 3):clone()
    return ids, states.new(flatten(after)):keep(),
      weights and weights:reshape{ weights:size(1), weights:size(3) }:clone()
  end)
end

-- The likeliest token at each step, for all rows of a batch side by side.
local function greedy(model, begun, most)
  local rows, target = begun.rows, model.target
  local results, weights, live = {}, {}, rows
  for i = 1, rows do results[i], weights[i] = {}, {} end
  local fed, list, ended = constant_ids(rows, target.start_id), flatten(begun.states), {}
  for _ = 1, most do
    local seen
    fed, list, seen = step(model, fed, list, begun)
    for i, row in ipairs(fed:totable()) do
      if row[1] == target.stop_id and not ended[i] then
        ended[i], live = true, live - 1
      elseif not ended[i] then
        table.insert(results[i], row[1])
        if seen then table.insert(weights[i], seen:select(1, i):totable()) end
      end
    end
    if live == 0 then break end
  end
  return results, weights
end

-- ---- one sequence, by marea.generate ------------------------------------------------------------

local Source = {}
Source.__index = Source

-- Row i of each state; `given[i]` nil: the states that the encoder handed over.
local function stack(self, given, n)
  local list = {}
  for k, first in ipairs(self.first) do
    local parts = {}
    for i = 1, n do parts[i] = given[i] and given[i][k] or first end
    list[k] = n == 1 and parts[1] or ops.concat(parts, 1)
  end
  return list
end

--- What marea.generate asks: logits (n, V) after one more token for each of n hypotheses. They are as
-- many queries of one memory.
function Source:advance(tokens, given)
  local n, decoder = #tokens, self.model.decoder
  local _ <close> = ops.tape{ retain_grad = false }
  return ops.no_grad(function()
    local fed = ops.tensor(tokens, { dtype = "int32" }):reshape{ n, 1 }
    local y, after = decoder:run(fed, nil, by_layer(decoder, stack(self, given, n)), self.memory, false)
    local new, list = {}, flatten(after)
    for i = 1, n do
      local row = {}
      for k, tensor in ipairs(list) do row[k] = tensor:narrow(1, i, 1):clone() end
      new[i] = states.new(row)
    end
    local logits = decoder.scores(y) + self.silence
    return logits:reshape{ n, -1 }:clone(), new
  end)
end

--- A source for marea.generate of one encoded sample.
function decoding.source(model, begun)
  return setmetatable({ model = model, first = flatten(begun.states), memory = begun.memory,
    silence = begun.silence }, Source)
end

-- Options of decode that belong to one method.
local methods = {
  greedy = { batch_size = 64, attention = false },
  beam = { width = 5, n_best = 1, length_penalty = 1, penalty = "length" },
  sample = { temperature = 1, top_k = 0, top_p = 1, min_p = 0, repetition_penalty = 1 },
}

-- `seed` too is for all: what draws nothing is the same each time.
local method_options = { method = "greedy", max_length = options.optional, unknown = false,
  lengths = options.optional, seed = options.optional }
for _, own in pairs(methods) do
  for name, default in pairs(own) do method_options[name] = default end
end

-- An option of another method would change nothing.
local function refuse_idle(who, given, method)
  for other, own in pairs(methods) do
    for name in pairs(other ~= method and own or {}) do
      if given[name] ~= nil and given[name] ~= false then
        error(("%s: %s belongs to method = %q; the method is %q"):format(who, name, other, method), 0)
      end
    end
  end
end

--- Raises when `decode` of a model without methods is given options of them.
-- @tparam table model
-- @tparam table|nil given
-- @tparam string why what the model gives instead
-- @tparam table taken option → true, or the only value that it may have
function decoding.refuse_methods(model, given, why, taken)
  for name, value in pairs(given or {}) do
    if taken[name] ~= true and taken[name] ~= value then
      error(("%s:decode: %s = %s would change nothing: %s"):format(model.class_name, name,
        type(value) == "table" and "a list" or tostring(value), why), 0)
    end
  end
end

--- The options of `decode`, checked.
function decoding.read(model, given)
  local who = model.class_name .. ":decode"
  local read = options.read(who, given, method_options)
  options.choice(who, "method", read.method, { "greedy", "sample", "beam" })
  refuse_idle(who, given or {}, read.method)
  for _, name in ipairs{ "attention", "unknown" } do options.boolean(who, name, read[name]) end
  read.batch_size = options.integer(who, "batch_size", read.batch_size)
  read.width = options.integer(who, "width (of the beam)", read.width)
  read.max_length = options.integer(who, "max_length", read.max_length or model.max_length)
  if read.attention and not model.attention then
    error(who .. ": the weights of attention are there for a model with attention", 0)
  end
  return read
end

local function beam(model, begun, read)
  local found = generate.beam(decoding.source(model, begun), { start = model.target.start_id,
    stop = model.target.stop_id, max_length = read.max_length, width = read.width, n_best = read.n_best,
    length_penalty = read.length_penalty, penalty = read.penalty })
  for _, hypothesis in ipairs(found) do
    hypothesis.output = vocabularies.show(model.target, hypothesis.tokens)
  end
  return found
end

local function sample(model, begun, read, seed)
  local ids = {}
  for token in generate.tokens(decoding.source(model, begun), { start = model.target.start_id,
    stop = model.target.stop_id, max_length = read.max_length, temperature = read.temperature,
    top_k = read.top_k, top_p = read.top_p, min_p = read.min_p, seed = seed,
    repetition_penalty = read.repetition_penalty }) do
    ids[#ids + 1] = token
  end
  return ids
end

--- Sequences for `count` samples; neither padding nor the start mark is said, nor, without `unknown`, the
-- unknown word. `begin(first, last)` encodes a range of them: { rows, states, memory }.
-- @treturn table texts, or lists of ids; with n_best > 1 a list of hypotheses for each sample
-- @treturn table with `attention`, for each sample its weights: a row of the source's steps a token
function decoding.run(model, count, begin, read)
  local results, attention = {}, {}
  local size = read.method == "greedy" and read.batch_size or 1
  for first = 1, count, size do
    local last = math.min(first + size - 1, count)
    local begun = ops.no_grad(function() return begin(first, last) end)
    begun.silence = decoding.silence(model, read.unknown)
    if read.method == "greedy" then
      local rows, weights = greedy(model, begun, read.max_length)
      for i, ids in ipairs(rows) do
        results[#results + 1] = vocabularies.show(model.target, ids)
        attention[#attention + 1] = weights[i]
      end
    elseif read.method == "beam" then
      local found = beam(model, begun, read)
      results[#results + 1] = read.n_best > 1 and found or found[1].output
    else
      results[#results + 1] = vocabularies.show(model.target,
        sample(model, begun, read, read.seed and read.seed + first - 1))
    end
  end
  return results, read.attention and attention or nil
end

return decoding
