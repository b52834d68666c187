--- Word vectors from a corpus: GloVe (Pennington, Socher & Manning, 2014).
--
--     local vectors, training = train_glove("corpus.txt", { vector_size = 50, iter = 15 })
--     print(training.costs[#training.costs])
--
-- From text to vectors in one process: words are counted, pairs are counted (beyond a memory limit in
-- temporary files), and AdaGrad runs over tiles of the co-occurrence matrix on all threads. The same
-- seed gives the same bits for any number of threads.
-- @module marea.embeddings.glove
local native = require "marea.native"
local options = require "marea.nn.options"
local Corpus = require "marea.embeddings.corpus"
local Cooccurrence = require "marea.embeddings.cooccurrence"
local state = require "marea.embeddings.glove_state"

local glove = {}

-- Entries between two looks at Ctrl-C and two calls of `progress`.
local STEP_ENTRIES <const> = 4000000
-- A corpus with fewer words gets a lower x_max: no pair could come near the usual one.
local USUAL_X_MAX <const>, SMALL_TOKENS <const> = 100, 1000000

local declared = {
  vector_size = 50, x_max = options.optional, alpha = 0.75, eta = 0.05, grad_clip = 100, iter = 25,
  compat = "stanford", model = "sum", unk = false, seed = 1, deterministic = true,
  checkpoint = options.optional, checkpoint_every = 1, resume = false,
  on_iteration = options.optional, progress = options.optional, verbose = 0,
}
for name, default in pairs(Cooccurrence.declared) do declared[name] = default end

local function check(read)
  local who = "train_glove"
  options.integer(who, "vector_size", read.vector_size)
  read.iter = options.integer(who, "iter", read.iter, 0)
  options.integer(who, "checkpoint_every", read.checkpoint_every)
  options.choice(who, "compat", read.compat, { "stanford", "paper" })
  options.choice(who, "model", read.model, { "sum", "word", "context", "both", "all" })
  options.boolean(who, "deterministic", read.deterministic)
  options.boolean(who, "unk", read.unk)
  read.seed = options.integer(who, "seed", read.seed, 0)
  for _, name in ipairs{ "x_max", "alpha", "eta", "grad_clip" } do
    local value = read[name]
    if value ~= nil and not (type(value) == "number" and value > 0 and value < math.huge) then
      error(("%s: %s must be a number above 0, got %s"):format(who, name, options.show(value)), 0)
    end
  end
  if read.resume and not read.checkpoint then
    error(who .. ": resume = true goes on from `checkpoint`, which is not given", 0)
  end
end

-- Counts, unless the corpus is counted already. nil and a message for a file.
local function counts_of(corpus, read)
  if Cooccurrence.is(corpus) then return corpus, false end
  local asked = {}
  for name in pairs(Cooccurrence.declared) do asked[name] = read[name] end
  local counts, message = Cooccurrence.count(corpus, asked)
  return counts, counts ~= nil or message
end

local function choose_x_max(read, counts, notes)
  if read.x_max then return read.x_max end
  local tokens = counts.report.tokens
  if tokens >= SMALL_TOKENS then return USUAL_X_MAX end
  local x_max = math.max(1, USUAL_X_MAX * tokens / SMALL_TOKENS)
  notes[#notes + 1] = ("the corpus has %d words: x_max is %.4g"):format(tokens, x_max)
  return x_max
end

-- ---- results -------------------------------------------------------------------------------------

-- The row of "<unk>" stands for words that the vocabulary does not have: the mean of its last, rarest
-- ones, as Stanford's program writes it.
local UNK <const>, RARE_WORDS <const> = "<unk>", 100

local function with_unk(matrix)
  local rows = matrix:size(1)
  local rare = math.min(rows, RARE_WORDS)
  if rare == 0 then return matrix end
  return native.concat({ matrix, matrix:narrow(1, rows - rare + 1, rare):mean(1, true) }, 1)
end

local function words_of(training)
  local words = training.counts.words
  if not training.options.unk or #words == 0 then return words end
  words = table.move(words, 1, #words, 1, {})
  words[#words + 1] = UNK
  return words
end

-- The matrix of a model by name.
local function matrix_of(training, model)
  local d = training.options.vector_size
  local function part(name)
    local tensor = training.native:export(name)
    return model == "all" and tensor or tensor:narrow(2, 1, d):clone()
  end
  local matrix
  if model == "all" then matrix = native.concat({ part("words"), part("contexts") }, 2)
  elseif model == "sum" then matrix = part("words") + part("contexts")
  else matrix = part(model == "context" and "contexts" or "words")
  end
  return training.options.unk and with_unk(matrix) or matrix
end

local function current(training)
  return Corpus.vectors(words_of(training), matrix_of(training, training.options.model))
end

-- ---- the loop ------------------------------------------------------------------------------------

-- One iteration. Returns its mean cost (0 without pairs), or nil when Ctrl-C came in between.
local function run_iteration(training, report)
  local rounds, entries = training.native:size()
  if rounds == 0 then return 0 end
  local step = math.max(1, rounds * STEP_ENTRIES // math.max(entries, 1))
  local cost, done, seen, skipped = 0, 0, 0, 0
  local ended
  repeat
    if native.interrupted() then return nil end
    local more, count, left_out
    ended, more, count, left_out = training.native:go_on(step)
    cost, seen, skipped = cost + more, seen + count, skipped + left_out
    done = done + count
    if report then report(done, entries) end
  until ended
  training.skipped = training.skipped + skipped
  return cost / math.max(seen - skipped, 1)
end

local function print_iteration(training, info)
  local _, entries = training.native:size()
  io.stdout:write(("iteration %d/%d - %.1fs - cost %.6f - %.2f M pairs/s\n"):format(info.iteration,
    training.options.iter, info.seconds, info.cost,
    entries / math.max(info.seconds, 1e-9) / 1e6))
  io.stdout:flush()
end

-- What follows an iteration; false: the caller wants no more. nil and a message for a checkpoint.
local function after_iteration(training, info)
  local read = training.options
  if read.verbose > 0 then print_iteration(training, info) end
  local last = info.iteration == read.iter
  if read.checkpoint and (last or info.iteration % read.checkpoint_every == 0) then
    local ok, message = state.save(training, read.checkpoint)
    if not ok then return nil, message end
  end
  if not read.on_iteration then return true end
  info.vectors = function() return current(training) end
  return read.on_iteration(info) ~= false
end

local function run(training)
  local read = training.options
  native.interrupted() -- one that came too late for whoever ran before is forgotten
  local before = native.interrupt_watch(true)
  local _ <close> = setmetatable({}, { __close = function() native.interrupt_watch(before) end })
  for iteration = training.native:iteration() + 1, read.iter do
    local start = native.clock()
    local report = read.progress and function(done, total)
      read.progress{ iteration = iteration, iterations = read.iter, done = done, total = total }
    end
    local cost = run_iteration(training, report)
    if not cost then
      training.interrupted = true
      training.notes[#training.notes + 1] = ("interrupted in iteration %d"):format(iteration)
      return true
    end
    training.costs[iteration] = cost
    local go_on, message = after_iteration(training, { iteration = iteration, cost = cost,
      seconds = native.clock() - start })
    if go_on == nil then return nil, message end
    if not go_on then return true end
  end
  return true
end

local function finish(training, owned)
  local d = training.options.vector_size
  local result = { costs = training.costs, iterations = #training.costs, x_max = training.x_max,
    notes = training.notes, interrupted = training.interrupted, skipped = training.skipped,
    report = training.counts.report, vocabulary = training.counts.vocabulary,
    pipeline = training.counts.pipeline }
  if training.options.model == "both" then result.context = matrix_of(training, "context") end
  if training.skipped > 0 then
    result.notes[#result.notes + 1] = ("%d steps were left out: their error was not finite")
      :format(training.skipped)
  end
  result.biases = training.native:export("words"):narrow(2, d + 1, 1):reshape{ -1 }:clone()
  result.words = words_of(training)
  result.matrix = matrix_of(training, training.options.model)
  training.native:close()
  if owned then training.counts:close() end
  return Corpus.vectors(result.words, result.matrix), result
end

local function print_start(training)
  local rounds, entries = training.native:size()
  io.stdout:write(("%s; %d entries in %d rounds\n"):format(tostring(training.counts), entries,
    rounds))
  for _, note in ipairs(training.notes) do io.stdout:write("note: ", note, "\n") end
  io.stdout:flush()
end

--- Trains GloVe.
-- @param corpus list of texts, path of a file of lines (plain or gzip), reader, iterator that gives
-- lists of texts, or what `cooccurrence.count` returned
-- @tparam[opt] table given
-- counting: `window_size` (15), `symmetric` (true), `distance_weighting` (true), `memory` (4.0
-- gigabytes, for counting and, as much again, for pairs; beyond it temporary files are used),
-- `folder` (of those), `pipeline` ("unicode"), `min_count` (5; 1 for small corpora), `max_vocab`;
-- training: `vector_size` (50), `x_max` (100; less for corpora of less than a million words, with a
-- note), `alpha` (0.75), `eta` (0.05), `grad_clip` (100), `iter` (25), `compat` ("stanford"; "paper":
-- the biases take eta too), `seed` (1), `deterministic` (true; false: threads do not wait for each
-- other), `model` ("sum" of word and context vectors, "word", "context", "both"; "all": everything in
-- one row, word vector, its bias, context vector, its bias), `unk` (false; true adds a last row "<unk>":
-- the mean of the 100 rarest words);
-- on the way: `verbose` (0; 1 prints a line an iteration), `progress` (function of { iteration,
-- iterations, done, total }), `on_iteration` (function of { iteration, cost, seconds, vectors =
-- function }; false ends the training), `checkpoint` (path), `checkpoint_every` (1), `resume`
-- (false; true goes on from the checkpoint, to the same bits as without the pause)
-- @treturn Vectors
-- @treturn table training: `words`, `matrix` (words, vector_size), `costs` (mean cost of each
-- iteration), `notes`, `report` (of counting), `vocabulary`, `pipeline`, `biases`, `context` (with
-- model "both"), `interrupted`, `x_max`
-- @return nil and a message for a file that is missing or broken and for a full disk
-- @raise for options that do not exist or are out of range
function glove.train(corpus, given)
  local read = options.read("train_glove", given, declared)
  check(read)
  local counts, owned = counts_of(corpus, read)
  if not counts then return nil, owned end
  if read.unk and counts.vocabulary:count(UNK) > 0 then
    error(("train_glove: unk = true adds a row %s, but the corpus has this word"):format(UNK), 0)
  end
  local training = { options = read, counts = counts, costs = {}, skipped = 0,
    notes = table.move(counts.notes, 1, #counts.notes, 1, {}) }
  training.x_max = choose_x_max(read, counts, training.notes)
  local message
  training.native, message = native.glove(counts.counter, { dimensions = read.vector_size,
    x_max = training.x_max, alpha = read.alpha, eta = read.eta, clip = read.grad_clip,
    paper = read.compat == "paper", lock_free = not read.deterministic, seed = read.seed,
    memory = math.floor(counts.memory * 2 ^ 30) })
  if not training.native then return nil, message end
  if owned then counts.counter:close() end
  local ok = true
  if read.resume then ok, message = state.load(training, read.checkpoint) end
  if ok and read.verbose > 0 then print_start(training) end
  if ok then ok, message = run(training) end
  if not ok then return nil, message end
  return finish(training, owned)
end

return glove
