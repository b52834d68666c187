-- A language model: an LSTM that says how likely each next word (or character) is, judged by its
-- perplexity (or bits a character) on text that it has not seen; then it writes text of its own.
--
-- Usage: marea scripts/language_model.lua [options]
--   --data DIR     folder of ptb/ and tiny-shakespeare/; also the variable MAREA_DATA. Without it: the
--                  reviews that come with Marea
--   --unit NAME    words (the Penn Treebank; default) or characters (Shakespeare)
--   --units N      of each of the two LSTM layers, and of a word's vector (default 200; without data 64
--                  words, 128 characters)
--   --steps N      steps that a gradient goes back (default 20 words, 100 characters; without data 50)
--   --batch N      streams read side by side (default 20 words, 50 characters; without data 10)
--   --epochs N     passes over the training part (default 13; without data 16 words, 8 characters)
--   --dropout X    between the layers (default 0.2)
--   --rate X       of Adam at the start; it falls along half a cosine (default 0.004 words, 0.002
--                  characters)
--   --limit N      use only so many tokens of each part (to try things out)
--   --start TEXT   what the samples go on from (default: the beginning of a sentence or line)
--   --length N     tokens of each sample (default 40 words, 200 characters)
--   --save FILE    keeps the model, without `stateful`, so that marea.generate can go on with it
--   --seed N       seed of all random numbers (default 1)
--
-- The size and the length of a step are those of Zaremba, Sutskever and Vinyals (2014, "small": two
-- layers of 200), whose test perplexity is 114.5. The text is cut into parallel streams; the layers
-- are stateful: each window begins with the states in which the one before it ended, and gradients stop
-- at its border (truncated back-propagation through time). The scores of words come from the table of
-- the embedding (nn.TiedDense), which halves the model; a character's vector has 64 numbers and its
-- scores have weights of their own, since there are few of them.
local marea = require "marea"
local nn = marea.nn
local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ seed = 1, units = 0, steps = 0,
  batch = 0, epochs = 0, length = 0, limit = math.maxinteger, data = os.getenv("MAREA_DATA") or "",
  unit = "words", dropout = "0.2", rate = "", start = "", save = "" }
local made_up, by_words = options.data == "", options.unit == "words"
if not by_words and options.unit ~= "characters" then error("--unit must be words or characters", 0) end
if options.rate == "" then options.rate = by_words and "0.004" or "0.002" end
local function number(name)
  return tonumber(options[name]) or error("--" .. name .. " must be a number", 0)
end
local dropout, rate = number("dropout"), number("rate")
local function default(name, value)
  if options[name] == 0 then options[name] = value end
end
default("units", not made_up and 200 or by_words and 64 or 128)
default("steps", by_words and 20 or made_up and 50 or 100)
default("batch", made_up and 10 or by_words and 20 or 50)
default("epochs", not made_up and 13 or by_words and 16 or 8)
default("length", by_words and 40 or 200)
marea.manual_seed(options.seed)
local start = marea.clock()

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

-- Text → streams of ids ---------------------------------------------------------------------------

-- What stands behind each text, and before the first word of the next.
local MARK <const> = by_words and "<eos>" or "\n"

local function read_corpus()
  if made_up then
    local reviews = assert(marea.corpora.reviews{ language = "en" })
    local parts = { train = {}, valid = {}, test = {} }
    local function add(part, text) -- marks are words of their own, as in the Penn Treebank
      if by_words then text = text:gsub("[.,;:!?()\"]", " %0 ") .. " " end
      table.insert(parts[part], text .. MARK)
    end
    for i, text in ipairs(reviews.train.texts) do add(i % 10 == 0 and "valid" or "train", text) end
    for _, text in ipairs(reviews.test.texts) do add("test", text) end
    return { train = { texts = parts.train }, valid = { texts = parts.valid }, test = { texts = parts.test } }
  elseif by_words then
    return assert(marea.corpora.ptb{ dir = options.data })
  end
  local plays = assert(marea.corpora.tiny_shakespeare{ dir = options.data })
  return { train = plays.train, valid = plays.valid, test = plays.valid }
end

local corpus = read_corpus()
local tokenizer = marea.text.Tokenizer{ filters = "", lower = made_up and by_words,
  char_level = not by_words, oov_token = made_up and "<unk>" or nil,
  num_words = made_up and by_words and 2000 or nil }
tokenizer:fit_on_texts(corpus.train.texts)
local V = tokenizer:id_count()

-- All ids of a part in a row, laid out as `batch` streams: (batch, n). What is over at the end goes.
local function streams(part, batch)
  local ids = {}
  for _, sequence in ipairs(tokenizer:texts_to_sequences(part.texts)) do
    for _, id in ipairs(sequence) do
      if #ids < options.limit then ids[#ids + 1] = id end
    end
  end
  local length = #ids // batch
  return marea.tensor(table.move(ids, 1, length * batch, 1, {}), { dtype = "int32" }):reshape{ batch, length }
end

local train = streams(corpus.train, options.batch)
local valid, test = streams(corpus.valid, 10), streams(corpus.test, 10)
say("%d tokens to learn from, %d different", train:size(1) * train:size(2), V - 1)

-- Model -------------------------------------------------------------------------------------------

local function uniform() return nn.initializers.RandomUniform{ minval = -0.1, maxval = 0.1 } end

local function model_of_words()
  local words = nn.Embedding{ V, options.units, embeddings_initializer = uniform() }
  return words, { kernel_initializer = uniform(), recurrent_initializer = uniform() }, nn.TiedDense{ words }
end

local function model_of_characters()
  local vectors = nn.Embedding{ V, 64, embeddings_initializer = nn.initializers.RandomNormal{ stddev = 1 } }
  return vectors, {}, nn.Dense{ V }
end

-- The same layers with or without states of their own.
local function make_model(stateful)
  local vectors, initializers, scores = (by_words and model_of_words or model_of_characters)()
  local function lstm()
    return nn.LSTM{ options.units, return_sequences = true, stateful = stateful,
      kernel_initializer = initializers.kernel_initializer,
      recurrent_initializer = initializers.recurrent_initializer }
  end
  return marea.Sequential{ vectors, nn.Dropout{ dropout }, lstm(), nn.Dropout{ dropout }, lstm(),
    nn.Dropout{ dropout }, scores }
end

local model = make_model(true)
local loss_of = marea.losses.SparseCategoricalCrossentropy{ from_logits = true }

-- Runs over the streams window by window; `learn(loss, tape)` does what is to be done with each.
-- Returns the mean loss of a token, in nats.
local function read_streams(ids, training, learn)
  local total, count, last = 0, 0, ids:size(2) - 1
  model:reset_states()
  for first = 1, last, options.steps do
    local steps = math.min(options.steps, last - first + 1)
    local tape <close> = marea.tape{ retain_grad = false }
    local p = model(ids:narrow(2, first, steps), { training = training })
    local loss = loss_of(ids:narrow(2, first + 1, steps), p)
    if learn then learn(loss, tape) end
    total, count = total + loss:item() * steps, count + steps
  end
  model:reset_states()
  return total / count
end

-- The loss of a token, and the seconds that it took to find.
local function judge(ids)
  local began = marea.clock()
  local nats = marea.no_grad(function() return read_streams(ids, false) end)
  return nats, marea.clock() - began
end

local function show(nats)
  if by_words then return ("perplexity %.2f"):format(math.exp(nats)) end
  return ("%.4f bits a character"):format(nats / math.log(2))
end

local windows = math.ceil((train:size(2) - 1) / options.steps)
local optimizer = marea.optim.Adam{ global_clipnorm = 5,
  learning_rate = marea.optim.schedules.CosineDecay{ rate, options.epochs * windows, alpha = 0.02 } }
model:build{ options.batch, -1 }
optimizer:build(model)
model:summary()
local best, kept = { valid = math.huge }, nil
local training_seconds = 0
for epoch = 1, options.epochs do
  local began = marea.clock()
  local reached = read_streams(train, true, function(loss, tape)
    tape:backward(loss)
    optimizer:step()
  end)
  local seconds = marea.clock() - began
  training_seconds = training_seconds + seconds
  local found, took = judge(valid)
  if found < best.valid then
    best, kept = { valid = found, train = reached, epoch = epoch, seconds = took }, model:get_weights()
  end
  say("epoch %d: training %s, validation %s, %.0f tokens a second", epoch, show(reached), show(found),
    train:size(1) * train:size(2) / seconds)
end
if not kept then error("the model never had a finite loss on the validation part; lower --rate", 0) end
model:set_weights(kept)

-- What came out ------------------------------------------------------------------------------------

local found, seconds = judge(test)
print(("\nValidation: %s; test: %s\n"):format(show(best.valid), show(found)))
print(("part           tokens   perplexity   bits a %-9s   seconds"):format(by_words and "word" or "character"))
local function row(name, ids, nats, took)
  print(("%-10s %10d %12.2f %18.4f %9.1f"):format(name, ids:size(1) * ids:size(2), math.exp(nats),
    nats / math.log(2), took))
end
row("training", train, best.train, training_seconds)
row("validation", valid, best.valid, best.seconds)
if corpus.test ~= corpus.valid then row("test", test, found, seconds) end
print(("Training: the mean over pass %d of %d, with dropout and weights that still changed; its seconds are\n"
  .. "those of all passes."):format(best.epoch, options.epochs))

-- A stateful layer keeps its states itself; generation hands them on from token to token. So the weights
-- go into the same layers without `stateful`.
local writer = make_model(false)
writer:build{ -1, -1 }
writer:set_weights(kept)
writer.tokenizer = tokenizer

-- The states are those behind a text, as they were in training; a state of zeros is a rare sight there.
local lead = corpus.train.texts[#corpus.train.texts]
lead = by_words and lead .. " " or lead:sub(utf8.offset(lead, -math.min(200, utf8.len(lead)))) .. MARK

local function sample(temperature)
  local written = marea.generate.text(writer, lead .. options.start, { temperature = temperature,
    max_length = options.length, seed = options.seed })
  if options.start ~= "" then written = options.start .. (by_words and " " or "") .. written end
  if by_words then written = written:gsub(" ?<eos> ?", "\n") end
  print(("\nTemperature %g\n  %s"):format(temperature, (written:gsub("\n", "\n  "))))
end

for _, temperature in ipairs{ 0.5, 0.8, 1.1 } do sample(temperature) end
if options.save ~= "" then
  assert(writer:save(options.save))
  print("\nsaved: " .. options.save)
end
