--- Word vectors by skip-gram or CBOW with negative sampling (Mikolov et al., 2013), beside GloVe.
--
--     local vectors, training = train_word2vec("corpus.txt", { model = "skipgram" })
--
-- Texts, words and vocabulary are those of train_glove: the `pipeline` that one returns can be given
-- to the other. The same seed gives the same bits for any number of threads.
-- @module marea.embeddings.word2vec
local native = require "marea.native"
local options = require "marea.nn.options"
local Corpus = require "marea.embeddings.corpus"

local word2vec = {}

local STEP_WORDS <const> = 1 << 18 -- of text, between two looks at Ctrl-C
local usual_rate = { skipgram = 0.025, cbow = 0.05 }

local declared = {
  model = "skipgram", vector_size = 100, window_size = 5, negative = 5, epochs = 5,
  learning_rate = options.optional, sample = 1e-3, power = 0.75, seed = 1, deterministic = true,
  pipeline = Corpus.declared.pipeline, min_count = options.optional, max_vocab = options.optional,
  on_epoch = options.optional, progress = options.optional, verbose = 0,
}

local function check(read)
  local who = "train_word2vec"
  options.choice(who, "model", read.model, { "skipgram", "cbow" })
  for _, name in ipairs{ "vector_size", "window_size", "negative", "epochs" } do
    options.integer(who, name, read[name])
  end
  options.boolean(who, "deterministic", read.deterministic)
  read.seed = options.integer(who, "seed", read.seed, 0)
  read.learning_rate = read.learning_rate or usual_rate[read.model]
  for name, low in pairs{ learning_rate = 1e-12, sample = 0, power = -10 } do
    options.number(who, name, read[name], low, 1e6)
  end
end

-- One epoch: its mean loss (0 without examples), or nil when Ctrl-C came in between.
local function run_epoch(training, report)
  local loss, examples = 0, 0
  local ended
  repeat
    if native.interrupted() then return nil end
    local more, count, at, last
    ended, more, count, at, last = training.native:go_on(STEP_WORDS)
    loss, examples = loss + more, examples + count
    if report then report(at, last) end
  until ended
  return loss / math.max(examples, 1), examples
end

-- What follows an epoch; false: the caller wants no more.
local function after_epoch(training, info, examples)
  local read = training.options
  if read.verbose > 0 then
    io.stdout:write(("epoch %d/%d - %.1fs - loss %.6f - %.2f M examples/s\n"):format(info.epoch,
      read.epochs, info.seconds, info.loss, examples / math.max(info.seconds, 1e-9) / 1e6))
    io.stdout:flush()
  end
  info.vectors = function()
    return Corpus.vectors(training.words, training.native:export("inputs"))
  end
  return not read.on_epoch or read.on_epoch(info) ~= false
end

local function run(training)
  local read = training.options
  native.interrupted()
  local before = native.interrupt_watch(true)
  local _ <close> = setmetatable({}, { __close = function() native.interrupt_watch(before) end })
  for epoch = 1, read.epochs do
    local start = native.clock()
    local loss, examples = run_epoch(training, read.progress and function(done, total)
      read.progress{ epoch = epoch, epochs = read.epochs, done = done, total = total }
    end)
    if not loss then
      training.interrupted = true
      return
    end
    local finite = loss < math.huge -- false for NaN
    if not finite then
      error(("train_word2vec: the loss of epoch %d is %s; lower learning_rate (%g)"):format(epoch,
        tostring(loss), read.learning_rate), 0)
    end
    training.losses[epoch] = loss
    if not after_epoch(training, { epoch = epoch, loss = loss, seconds = native.clock() - start },
      examples) then return end
  end
end

--- Trains skip-gram or CBOW with negative sampling.
-- @param corpus as for train_glove; its ids are kept in memory, eight bytes a word
-- @tparam[opt] table given `model` ("skipgram" or "cbow"), `vector_size` (100), `window_size` (5),
-- `negative` (5: words drawn for each), `epochs` (5), `learning_rate` (0.025; 0.05 for CBOW; falls
-- linearly), `sample` (1e-3: more frequent words are left out at times; 0: none), `power` (0.75 of
-- the counts, for drawing), `seed` (1), `deterministic` (true; false: threads update as they come),
-- `pipeline` ("unicode"), `min_count` (5; 1 for small corpora), `max_vocab`, `verbose` (0), `progress`
-- (function of { epoch, epochs, done, total }), `on_epoch` (function of { epoch, loss, seconds,
-- vectors = function }; false ends the training)
-- @treturn Vectors
-- @treturn table training: `words`, `matrix` (words, vector_size), `losses` (mean logistic loss of
-- each epoch), `notes`, `vocabulary`, `pipeline`, `interrupted`
-- @return nil and a message for a file that is missing or broken
-- @raise for options that do not exist or are out of range, and when the loss is not finite
function word2vec.train(corpus, given)
  local read = options.read("train_word2vec", given, declared)
  check(read)
  local opened, message = Corpus.open("train_word2vec", corpus, read)
  if not opened then return nil, message end
  local training = { options = read, losses = {}, words = opened:words() }
  training.native = native.word2vec(opened:counts(), { dimensions = read.vector_size,
    window = read.window_size, negative = read.negative, epochs = read.epochs,
    cbow = read.model == "cbow", lock_free = not read.deterministic, rate = read.learning_rate,
    sample = read.sample, power = read.power, seed = read.seed })
  local ok
  ok, message = opened:each(function(ids) return training.native:add(ids) end)
  if not ok then return nil, message end
  run(training)
  local matrix = training.native:export("inputs")
  training.native:close()
  return Corpus.vectors(training.words, matrix), { words = training.words, matrix = matrix,
    losses = training.losses, notes = opened.notes, pipeline = opened.pipeline,
    vocabulary = opened.pipeline.vocabulary, interrupted = training.interrupted }
end

return word2vec
