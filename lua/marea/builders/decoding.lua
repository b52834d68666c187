--- decode: sequences from a trained model, greedily in whole batches, or one source at a time by
-- marea.generate (sampling, beams).
-- @module marea.builders.decoding
local generate = require "marea.generate"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local sources = require "marea.builders.pairs"
local states = require "marea.nn.states"
local texts = require "marea.generate.texts"

local decoding = {}

local function keep(list)
  return states.new(list):keep()
end

-- The context of sources x (N, …), which outlives every tape.
local function encode(model, x)
  local _ <close> = ops.tape()
  return ops.no_grad(function()
    local context = model:encode(x, nil, false)
    local kept = { states = keep(context.states) }
    if context.memory then
      kept.memory = {}
      for name, tensor in pairs(context.memory) do kept.memory[name] = tensor:clone() end
    end
    return kept
  end)
end

-- The context of some of the rows: ids from 0.
local function choose(context, rows)
  local ids = ops.as_ids(rows)
  local chosen = { states = context.states:rows(ids) }
  if context.memory then
    chosen.memory = {}
    for name, tensor in pairs(context.memory) do chosen.memory[name] = ops.take(tensor, ids) end
  end
  return chosen
end

-- One step for ids: logits (n, V) without what may not be said, and new states; both outlive the tape.
local function step(model, ids, given, memory)
  local _ <close> = ops.tape()
  return ops.no_grad(function()
    local x = ops.as_ids(ids):reshape{ #ids, 1 }
    local y, new = model.decoder:run(x, given, memory, { training = false })
    return (y + model:hidden_ids()):reshape{ #ids, -1 }:clone(), keep(new)
  end)
end

-- A source for marea.generate --------------------------------------------------------------------

local Source = {}
Source.__index = Source

--- Logits and new states for n hypotheses of the one source.
function Source:advance(tokens, given)
  local n, joined = #tokens, {}
  for j, first in ipairs(self.context.states) do
    local rows = {}
    for i = 1, n do rows[i] = given[i] and given[i][j] or first end
    joined[j] = n == 1 and rows[1] or ops.concat(rows, 1)
  end
  local logits, new = step(self.model, tokens, joined, self:memory(n))
  local list = {}
  for i = 1, n do list[i] = n == 1 and new or new:rows{ i - 1 } end
  return logits, list
end

-- The memory for n hypotheses.
function Source:memory(n)
  if not self.context.memory then return nil end
  if n == 1 then return self.context.memory end
  if not self.memories[n] then
    local rows = {}
    for i = 1, n do rows[i] = 0 end
    self.memories[n] = choose(self.context, rows).memory
  end
  return self.memories[n]
end

local function source_of(model, x)
  return setmetatable({ model = model, context = encode(model, x), memories = {} }, Source)
end

local function require_ids(model, who)
  if not model.decoder.ids then model:fail("%s: gives vectors; only ids can be drawn or searched", who) end
end

local function require_built(model, who)
  if not model.built then model:fail("%s: has no weights yet; fit it first", who) end
end

--- What marea.generate reads: `generate.tokens(model:source_of(x), { start = model.marks.start, … })`.
-- @tparam any source one text, or one row of ids or vectors in a list
-- @treturn table with the method `advance`
function decoding.source_of(model, source)
  require_built(model, "source_of")
  require_ids(model, "source_of")
  local x = model:read_source("source_of", type(source) == "string" and { source } or source)
  if x:size(1) ~= 1 then model:fail("source_of: takes one source, got %d", x:size(1)) end
  return source_of(model, x)
end

-- Batches -------------------------------------------------------------------------------------------

-- Takes up the new ids; returns the places (from 0) of the rows that go on, and their ids.
local function note(best, active, results, stop)
  local rows, ids, still = {}, {}, {}
  for i, id in ipairs(best) do
    if id ~= stop then
      table.insert(results[active[i]], id)
      rows[#rows + 1], ids[#ids + 1], still[#still + 1] = i - 1, id, active[i]
    end
  end
  return rows, ids, still
end

-- The likeliest ids of each row until the stop mark; rows that are done are left out of the next steps.
local function greedy_batch(model, x, longest)
  local context, results, active, ids = encode(model, x), {}, {}, {}
  for i = 1, x:size(1) do results[i], active[i], ids[i] = {}, i, model.marks.start end
  for _ = 1, longest do
    local logits
    logits, context.states = step(model, ids, context.states, context.memory)
    local best = ops.argmax_ids(logits, 2):totable()
    local rows
    rows, ids, active = note(best, active, results, model.marks.stop)
    if #rows == 0 then break end
    if #rows < #best then context = choose(context, rows) end
  end
  return results
end

-- Vectors (B, steps, D), each step reading the one before.
local function run_vectors(model, x, steps)
  local _ <close> = ops.tape()
  return ops.no_grad(function()
    local context, outputs = model:encode(x, nil, false), {}
    local current = context.states
    local y = ops.zeros{ x:size(1), 1, model.decoder.outputs }
    for t = 1, steps do
      y, current = model.decoder:run(y, current, context.memory, { training = false })
      outputs[t] = y
    end
    return ops.concat(outputs, 2):clone()
  end)
end

local function each_batch(x, size, f)
  for first = 1, x:size(1), size do
    f(x:narrow(1, first, math.min(size, x:size(1) - first + 1)))
  end
end

-- Methods -------------------------------------------------------------------------------------------

local beam_options = { "length_penalty", "penalty" }
local rule_options = { "temperature", "top_k", "top_p", "min_p", "repetition_penalty" }

local declared = { method = options.optional, beam = options.optional, n_best = 1,
  max_length = options.optional, batch_size = 64, seed = options.optional, details = false,
  return_attention = false }
for _, list in ipairs{ beam_options, rule_options } do
  for _, name in ipairs(list) do declared[name] = options.optional end
end

local methods = { "greedy", "sample", "beam" }

-- Options of other methods have no say and would mislead.
local function refuse_foreign(model, read)
  local owner = { seed = "sample", beam = "beam" }
  for _, name in ipairs(beam_options) do owner[name] = "beam" end
  for _, name in ipairs(rule_options) do owner[name] = "sample" end
  for name, method in pairs(owner) do
    if read[name] ~= nil and read.method ~= method then
      model:fail("decode: %s belongs to the method %q, the method is %q", name, method, read.method)
    end
  end
end

local function read_options(model, given)
  local read = options.read("decode", given, declared)
  if read.method == nil then read.method = read.beam ~= nil and "beam" or "greedy" end
  options.choice("decode", "method", read.method, methods)
  refuse_foreign(model, read)
  if read.method == "beam" then read.beam = options.integer("decode", "beam", read.beam or 5) end
  for _, name in ipairs{ "n_best", "batch_size" } do
    read[name] = options.integer("decode", name, read[name])
  end
  read.max_length = options.integer("decode", "max_length", read.max_length or model.max_length)
  if read.n_best > 1 and read.method ~= "beam" then
    model:fail("decode: n_best is %d, but %s gives one sequence; use method = \"beam\"", read.n_best,
      read.method)
  end
  return read
end

local function hypothesis_of_tokens(source, read, given)
  local made = { tokens = {}, probabilities = {}, log_probability = 0 }
  for token, probability in generate.tokens(source, given) do
    table.insert(made.tokens, token)
    table.insert(made.probabilities, probability)
    made.log_probability = made.log_probability + math.log(probability)
  end
  made.finished = #made.tokens < read.max_length
  return { made }
end

-- The hypotheses of one source, by marea.generate.
local function hypotheses(model, x, read, number)
  local given = { start = model.marks.start, stop = model.marks.stop, max_length = read.max_length }
  local source = source_of(model, x)
  if read.method == "beam" then
    for _, name in ipairs(beam_options) do given[name] = read[name] end
    given.width, given.n_best = read.beam, read.n_best
    return generate.beam(source, given)
  end
  for _, name in ipairs(rule_options) do given[name] = read[name] end
  given.greedy = read.method == "greedy"
  -- Each source has its own numbers, whatever comes before it.
  if read.seed then
    given.stream = ops.new_stream(options.integer("decode", "seed", read.seed, math.mininteger), number - 1)
  end
  return hypothesis_of_tokens(source, read, given)
end

local function add_texts(model, list)
  local tokenizer = model.tokenizers.target
  for _, made in ipairs(list) do
    if tokenizer then made.text = texts.decode(tokenizer, made.tokens) end
  end
  return list
end

-- The results of ids, as lists of hypotheses.
local function search(model, x, read)
  local results = {}
  if read.method == "greedy" and not read.details then
    each_batch(x, read.batch_size, function(batch)
      for _, tokens in ipairs(greedy_batch(model, batch, read.max_length)) do
        results[#results + 1] = { { tokens = tokens } }
      end
    end)
  else
    for i = 1, x:size(1) do results[i] = hypotheses(model, x:narrow(1, i, 1), read, i) end
  end
  for _, list in ipairs(results) do add_texts(model, list) end
  return results
end

local function decode_vectors(model, x, read)
  if read.method ~= "greedy" then require_ids(model, "decode: method " .. read.method) end
  if read.details or read.return_attention then require_ids(model, "decode: details and attention") end
  local list = {}
  each_batch(x, read.batch_size, function(batch)
    list[#list + 1] = run_vectors(model, batch, model.steps or read.max_length)
  end)
  return #list == 1 and list[1] or ops.concat(list, 1)
end

--- The sequences that the model makes of sources.
--
-- Greedily (the default) whole batches step at once; "sample" and "beam" go through marea.generate
-- source by source. Padding and the start mark are never said; the stop mark ends and is left out.
-- @tparam string|table|tensor source one text, texts, rows of ids (N, S), vectors
-- @tparam[opt] table given `method` "greedy", "sample" or "beam" (the default when `beam` is given),
-- `max_length` (the builder's), `batch_size` 64; for "sample" `temperature`, `top_k`, `top_p`, `min_p`,
-- `repetition_penalty`, `seed`; for "beam" `beam` (5 hypotheses), `n_best` (1), `length_penalty`,
-- `penalty`, all as in marea.generate; `details`; `return_attention`
-- @treturn any for each source its text where the target has a tokenizer, else its ids; of one bare
-- string just its text. With `details`, or `n_best` above 1: for each a list of { tokens, text,
-- log_probability, probabilities, finished, score (of a beam) }. Models of vectors give (N, steps, D).
-- @treturn table|nil with `return_attention`: what attention_weights gives for the best of each
-- @raise for options out of range, and naming the source that is empty
function decoding.decode(model, source, given)
  require_built(model, "decode")
  local read = read_options(model, given)
  local one = type(source) == "string"
  local x = model:read_source("decode", one and { source } or source)
  if not model.decoder.ids then return decode_vectors(model, x, read) end
  if read.n_best > 1 then read.details = true end
  local results, best, plain = search(model, x, read), {}, {}
  for i, list in ipairs(results) do
    best[i] = list[1] and list[1].tokens or {}
    plain[i] = read.details and list or list[1] and (list[1].text or list[1].tokens) or best[i]
  end
  local attention = read.return_attention and model:attention_weights(x, best) or nil
  return one and plain[1] or plain, attention
end

-- Attention -----------------------------------------------------------------------------------------

-- The words of ids, where there is a tokenizer.
local function labels_of(tokenizer, ids)
  local labels = {}
  for i, id in ipairs(ids) do labels[i] = tokenizer and tokenizer:word_of(id) or tostring(id) end
  return labels
end

-- Whether the weights of each place of a row are to be seen.
local function visible(row)
  local places = {}
  for i, id in ipairs(row) do if id ~= 0 then places[#places + 1] = i end end
  return places
end

local function alignment(model, rows, source, target)
  local from, to = source and visible(source) or nil, visible(target)
  local cut, ids, said = {}, {}, {}
  for i, t in ipairs(to) do
    said[i], cut[i] = target[t], {}
    for j, s in ipairs(from or {}) do cut[i][j] = rows[t][s] end
    if not from then cut[i] = rows[t] end
  end
  for j, s in ipairs(from or {}) do ids[j] = source[s] end
  return { weights = ops.tensor(cut), source = source and labels_of(model.tokenizers.source, ids) or nil,
    target = labels_of(model.tokenizers.target, said) }
end

--- Where the decoder looks while it reads a target: for each pair { weights (T, S): a row for each word
-- of the target and its stop mark, a column for each of the source; `source`, `target`: their words }.
-- @tparam any source as for decode
-- @tparam any target as for fit
function decoding.attention_weights(model, source, target)
  require_built(model, "attention_weights")
  if not model.decoder.attention then
    model:fail("attention_weights: has no attention; build it with attention = \"general\"")
  end
  local x, y = sources.read(model, "attention_weights", source, target)
  local results = {}
  for i = 1, x[1]:size(1) do
    local _ <close> = ops.tape()
    local one, teacher = x[1]:narrow(1, i, 1), x[2]:narrow(1, i, 1)
    local _, _, _, rows = ops.no_grad(function()
      local context = model:encode(one, nil, false)
      return model.decoder:run(teacher, context.states, context.memory, { training = false })
    end)
    results[i] = alignment(model, rows:select(1, 1):totable(),
      model.reads_ids and one:select(1, 1):totable() or nil, y:narrow(1, i, 1):select(1, 1):totable())
  end
  return results
end

return decoding
