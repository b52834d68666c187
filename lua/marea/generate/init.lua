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

-- Options that only matter in one of the two ways to go on.
local drawing = { "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "greedy" }
local searching = { "length_penalty", "penalty" }

local function refuse_others(who, read)
  for _, name in ipairs(read.beam and drawing or searching) do
    if read[name] ~= token_options[name] then
      local message = read.beam
        and "%s: %s is for drawing token by token, and a beam draws none; leave out beam or %s"
        or "%s: %s belongs to beam search; give beam = a width as well, or leave out %s"
      error(message:format(who, name, name), 0)
    end
  end
  if read.greedy and read.temperature ~= 1 and read.temperature ~= 0 then
    error(("%s: greedy takes the likeliest token, temperature = %s draws one; leave one of them "
      .. "out"):format(who, tostring(read.temperature)), 0)
  end
end

local function require_table(who, given)
  if given == nil or type(given) == "table" and not getmetatable(given) then return end
  error(("%s: the options must be a table such as { temperature = 0.5 }, got %s"):format(who,
    options.show(given)), 0)
end

-- The options of `tokens`, checked, and the sampler.
local function read_tokens(who, given)
  require_table(who, given)
  for _, name in ipairs{ "n_best", "width" } do
    if given and given[name] ~= nil then
      error(("%s: %s belongs to generate.beam; here beam = a width gives the best sequence"):format(who,
        name), 0)
    end
  end
  local read = options.read(who, given, token_options)
  read.max_length = options.integer(who, "max_length", read.max_length, 0)
  options.boolean(who, "greedy", read.greedy)
  if read.beam then read.beam = options.integer(who, "beam", read.beam) end
  refuse_others(who, read)
  beam.check_penalty(who, read)
  if read.greedy then read.temperature = 0 end
  return read, read_rule(who, read)
end

-- As coroutine.wrap, without a place in front of messages.
local function results(thread, ok, ...)
  if ok then return ... end
  coroutine.close(thread)
  error((...), 0)
end

local function iterator(f)
  local thread = coroutine.create(f)
  return function() return results(thread, coroutine.resume(thread)) end
end

local function tokens(who, source, given)
  local read, sampler = read_tokens(who, given)
  source = sources.of(source)
  sources.check_start(who, source, read)
  if read.beam then return iterator(function() yield_beam(source, read) end) end
  local stream = read.stream
  if not stream then
    stream = read.seed and ops.new_stream(options.integer(who, "seed", read.seed, math.mininteger), 0)
      or ops.new_stream()
  end
  return iterator(function() yield_samples(source, read, sampler, stream) end)
end

--- Tokens one after another, as a coroutine: `for token, probability, state in generate.tokens(…)`.
-- @tparam table|function source see above
-- @tparam[opt] table given `prompt` ({}, ids) or `start` (an id) to begin with, `state` to go on from,
-- `max_length` (100 tokens), `stop` (an id or a list: ends before it); `temperature` (1; 0 takes the
-- likeliest, as `greedy = true` does), `top_k` (0: all), `top_p` (1), `min_p` (0),
-- `repetition_penalty` (1; tokens of the prompt count), applied in the order penalty, temperature,
-- top-k, top-p, min-p; `seed`: the same numbers each time, or `stream` (default: a new random
-- stream); or, instead of what draws, `beam` (a width) with `length_penalty`, `penalty` as for beam
-- @treturn function an iterator: token, its probability by the model itself (at temperature 1), and
-- the state after the tokens before it, from which generation can go on with this token as `start`
-- @raise when nothing is there to begin with, for options out of range or of the other way to go on, for
-- ids that the model does not read, and for logits that are NaN
function generate.tokens(source, given)
  return tokens("generate.tokens", source, given)
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
  sources.check_start("generate.beam", source, read)
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

--- Text that goes on from a prompt; of characters, words or sub-words, as the tokenizer has it.
-- @tparam table|function source see above
-- @tparam string prompt
-- @tparam[opt] table given as for tokens; `start` and `stop` may be tokens' texts ("<s>"); `tokenizer`
-- (default: the model's)
-- @treturn string what was generated, without the prompt
-- @treturn {integer,...} its ids
-- @treturn table what the tokenizer reports of the prompt: words, unknown (those that it does not know,
-- which are left out, or are its token for unknown ones) …
-- @raise when the vocabulary lacks a mark, or the prompt gives no id
function generate.text(source, prompt, given)
  local texts, who = require "marea.generate.texts", "generate.text"
  require_table(who, given)
  local read = {}
  for name, value in pairs(given or {}) do read[name] = value end
  if read.prompt ~= nil then error(who .. ": the prompt is the second argument, not an option", 0) end
  local tokenizer = read.tokenizer or type(source) == "table" and source.tokenizer or nil
  read.tokenizer = nil
  texts.require_tokenizer(who, tokenizer)
  read.start = texts.mark(who, tokenizer, "start", read.start)
  read.stop = texts.marks(who, tokenizer, "stop", read.stop)
  local ids, report = texts.encode(who, tokenizer, prompt)
  read.prompt = ids
  if read.start then
    table.insert(read.prompt, 1, read.start)
  elseif #read.prompt == 0 then
    texts.refuse_empty(who, prompt, report)
  end
  local written = {}
  for token in tokens(who, source, read) do written[#written + 1] = token end
  return texts.decode(tokenizer, written), written, report
end

return generate
