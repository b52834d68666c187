--- Generation: tokens one after another from a model, an encoder–decoder or a function.
--
--     for token, probability, state in marea.generate.tokens(model, { prompt = ids,
--       temperature = 0.7, top_k = 40, max_length = 200, seed = 1 }) do … end
--     print(marea.generate.text(model, "En un lugar de ", { temperature = 0.5 }))
--     local best = marea.generate.beam(model, { prompt = ids, width = 5, stop = 3 })[1]
--
-- A source is a model that can stream (marea.generate.stream), an object with a method
-- `advance(tokens, states)` → logits (n, V), new states, or a function(state, token) → logits, new state,
-- where state is nil at first and logits a tensor or list of V numbers.
-- @module marea.generate
local beam = require "marea.generate.beam"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local sources = require "marea.generate.sources"

local generate = {}

local rule = { temperature = 1, top_k = 0, top_p = 1, min_p = 0, repetition_penalty = 1 }

local function read_rule(who, read)
  if read.top_k ~= 0 then options.integer(who, "top_k", read.top_k) end
  for _, name in ipairs{ "temperature", "top_p", "min_p", "repetition_penalty" } do
    options.number(who, name, read[name])
  end
  return ops.sampler(read)
end

local function with_rule(declared)
  for name, default in pairs(rule) do declared[name] = default end
  return declared
end

local token_options = with_rule{ prompt = options.optional, start = options.optional,
  stop = options.optional, max_length = 100, seed = options.optional, stream = options.optional,
  state = options.optional, greedy = false, beam = options.optional, length_penalty = 0,
  penalty = "length" }

-- The tokens of a beam's best hypothesis.
local function yield_beam(source, read)
  local best = beam.search(source, { prompt = read.prompt, start = read.start, stop = read.stop,
    max_length = read.max_length, state = read.state, width = read.beam, n_best = 1,
    length_penalty = read.length_penalty, penalty = read.penalty })[1]
  for i, token in ipairs(best and best.tokens or {}) do
    coroutine.yield(token, best.probabilities[i], best.states[i])
  end
end

local function yield_samples(source, read, sampler, stream)
  local stops = sources.stop_set(read.stop)
  local begun = sources.begin(source, read)
  local seen, listed = {}, {}
  local function note(token)
    if listed[token] then return end
    listed[token] = true
    seen[#seen + 1] = token
  end
  local penalised = read.repetition_penalty ~= 1
  if penalised then for _, token in ipairs(begun.tokens) do note(token) end end
  local token, state = begun.token, begun.state
  for _ = 1, read.max_length do
    local logits, new = source:advance({ token }, { state })
    local log_probability
    token, log_probability = sampler:draw(logits, stream, penalised and seen or nil)
    state = new[1]
    if stops[token] then return end
    if penalised then note(token) end
    coroutine.yield(token, math.exp(log_probability), state)
  end
end

--- Tokens one after another, as a coroutine: `for token, probability, state in generate.tokens(…)`.
-- @tparam table|function source see above
-- @tparam[opt] table given `prompt` ({}, ids) or `start` (an id) to begin with, `state` to go on from,
-- `max_length` (100 tokens), `stop` (an id or a list: ends before it); `temperature` (1; 0 takes the
-- likeliest, as `greedy = true` does), `top_k` (0: all), `top_p` (1), `min_p` (0),
-- `repetition_penalty` (1; tokens of the prompt count), applied in the order penalty, temperature,
-- top-k, top-p, min-p; `seed`: the same numbers each time, or `stream` (default: a new random
-- stream); or `beam` (a width) with `length_penalty`, `penalty` as for beam
-- @treturn function an iterator: token, its probability by the model itself (at temperature 1), and
-- the state after the tokens before it, from which generation can go on with this token as `start`
-- @raise when nothing is there to begin with, for options out of range, and for logits that are NaN
function generate.tokens(source, given)
  local read = options.read("generate.tokens", given, token_options)
  read.max_length = options.integer("generate.tokens", "max_length", read.max_length, 0)
  if read.greedy then read.temperature = 0 end
  local sampler = read_rule("generate.tokens", read)
  source = sources.of(source)
  sources.check_start("generate.tokens", read)
  if read.beam then return coroutine.wrap(function() yield_beam(source, read) end) end
  local stream = read.stream
  if not stream then
    stream = read.seed and ops.new_stream(options.integer("generate.tokens", "seed", read.seed,
      math.mininteger), 0) or ops.new_stream()
  end
  return coroutine.wrap(function() yield_samples(source, read, sampler, stream) end)
end

--- The likeliest sequences by beam search.
-- @tparam table|function source see above
-- @tparam[opt] table given `width` (5 hypotheses at a time), `n_best` (1), `prompt`, `start`, `state`,
-- `stop`, `max_length` (100) as for tokens; score = sum of ln p over len^a with `penalty` "length" (a =
-- 1: the mean), or over ((5 + len)/6)^a with "gnmt" (Wu et al., 2016), where a is `length_penalty` (0)
-- and len counts the stop token
-- @treturn {table,...} the best first: tokens (without the stop token), probabilities, states (before
-- each token), log_probability, score, finished (whether it ended in a stop token)
function generate.beam(source, given)
  local read = options.read("generate.beam", given, beam.options)
  source = sources.of(source)
  sources.check_start("generate.beam", read)
  return beam.search(source, read)
end

--- The probabilities that tokens are drawn with, after all steps of the rule.
-- @tparam tensor|{number,...} logits (V)
-- @tparam[opt] table given `temperature`, `top_k`, `top_p`, `min_p`, `repetition_penalty` as for
-- tokens, and `seen`: the ids that the penalty is for, each once
-- @treturn tensor (V)
function generate.distribution(logits, given)
  local read = options.read("generate.distribution", given, with_rule{ seen = options.optional })
  return read_rule("generate.distribution", read):distribution(sources.row(logits), read.seen)
end

--- One draw: token and ln of its probability by the model.
-- @tparam tensor|{number,...} logits (V)
-- @tparam stream stream random numbers (marea.stream, or native.new_stream)
-- @tparam[opt] table given as for distribution
-- @treturn integer token
-- @treturn number
function generate.sample(logits, stream, given)
  local read = options.read("generate.sample", given, with_rule{ seen = options.optional })
  return read_rule("generate.sample", read):draw(sources.row(logits), stream, read.seen)
end

local text_options = { prompt = true, start = true, stop = true, tokenizer = true, n_best = true }

--- Text that goes on from a prompt; of characters, words or sub-words, as the tokenizer has it.
-- @tparam table|function source see above
-- @tparam string prompt
-- @tparam[opt] table given as for tokens; `start` and `stop` may be tokens' texts ("<s>"); `tokenizer`
-- (default: the model's)
-- @treturn string what was generated, without the prompt
-- @treturn {integer,...} its ids
-- @raise when the vocabulary lacks a mark, or the prompt gives no id
function generate.text(source, prompt, given)
  local texts = require "marea.generate.texts"
  local read = {}
  for name, value in pairs(given or {}) do if not text_options[name] then read[name] = value end end
  given = given or {}
  local tokenizer = given.tokenizer or type(source) == "table" and source.tokenizer or nil
  texts.require_tokenizer("generate.text", tokenizer)
  read.start = texts.mark("generate.text", tokenizer, "start", given.start)
  read.stop = texts.marks("generate.text", tokenizer, "stop", given.stop)
  read.prompt = texts.encode("generate.text", tokenizer, prompt)
  if read.start then table.insert(read.prompt, 1, read.start) end
  local ids = {}
  for token in generate.tokens(source, read) do ids[#ids + 1] = token end
  return texts.decode(tokenizer, ids), ids
end

return generate
