-- Eight ways to tell good film reviews from bad ones, side by side in one table.
--
-- Usage: marea scripts/reviews.lua [options]
--   --data DIR       the IMDB reviews (train.tsv.gz, test.tsv.gz); also the variable MAREA_DATA.
--                    Without it: the small Spanish and English corpus that comes with Marea
--   --models LIST    some of rnn,gru,lstm,bilstm,conv,attention,words,phrases (default: all)
--   --vectors FILE   published vectors for the networks to start from (default: GloVe's 10,000 words
--                    in DATA/../glove, if they are there; "none" starts from random ones)
--   --words N        size of the networks' vocabulary (default 20000)
--   --maxlen N       words of a review that they read (default 300; the small corpus: 60)
--   --limit N        use only N reviews of each part (to try things out)
--   --epochs N       most passes over the training part (default: what each model needs)
--   --seed N         seed of all random numbers (default 1)
--
-- A tenth of the training part decides when to stop; the test part is looked at once, at the end.
-- "words" and "phrases" are no networks: a review is the set of its words (and of its pairs and
-- triples of words), each weighted by how much more often it occurs in good than in bad reviews, and
-- one layer learns the rest (Wang and Manning, 2012). Do not train a network before you know what
-- this gives.
local marea = require "marea"
local nn, text = marea.nn, marea.text

local order = { "rnn", "gru", "lstm", "bilstm", "conv", "attention", "words", "phrases" }

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ words = 20000, maxlen = 0,
  limit = math.maxinteger, epochs = 0, seed = 1, vectors = "", data = os.getenv("MAREA_DATA") or "",
  models = table.concat(order, ",") }
local small = options.data == ""
local maxlen = options.maxlen > 0 and options.maxlen or (small and 60 or 300)
local start = marea.clock()

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

-- Corpus: train, validation, test -----------------------------------------------------------------

marea.manual_seed(options.seed)
local corpus = assert(small and marea.corpora.reviews{} or marea.corpora.imdb{ dir = options.data })
local train = marea.corpora.shuffled(corpus.train, { limit = options.limit })
local test = marea.corpora.shuffled(corpus.test, { limit = options.limit })
local kept = #train.texts - #train.texts // 10
say("%d reviews to learn from, %d to decide when to stop, %d to be judged by", kept,
  #train.texts - kept, #test.texts)

local y, y_test = train.labels, test.labels

-- Trains until the validation loss has not fallen for `patience` epochs; the best weights stay.
local function learn(model, x, given)
  local stop = marea.callbacks.EarlyStopping{ monitor = "val_loss", patience = given.patience,
    restore_best_weights = true }
  local history = model:fit(x, y, { epochs = options.epochs > 0 and options.epochs or given.epochs,
    batch_size = given.batch_size, validation_split = 0.1, callbacks = { stop }, verbose = 0,
    bucket_by_length = given.bucket })
  return #history.history.loss
end

-- Networks ----------------------------------------------------------------------------------------

local ids, ids_test, tokenizer, weights

local function published(words)
  local path = options.vectors ~= "" and options.vectors or not small
    and options.data .. "/../glove/glove.6B.50d.top10000.txt.gz"
  if not path or path == "none" then return nil end
  local vectors, message = marea.embeddings.load(path)
  if not vectors then
    say("no published vectors: %s", message)
    return nil
  end
  local matrix, coverage = vectors:matrix(words, { oov = "random" })
  say("%s: %.1f%% of the words read have a vector there", path:match("[^/]+$"), 100 * coverage.tokens.share)
  return matrix
end

local function prepare_ids()
  if ids then return end
  tokenizer = text.Tokenizer{ num_words = options.words }
  tokenizer:fit_on_texts(train.texts)
  ids = tokenizer:texts_to_padded(train.texts, { maxlen = maxlen })
  ids_test = tokenizer:texts_to_padded(test.texts, { maxlen = maxlen })
  weights = published(tokenizer)
end

local function embedding(scale)
  if weights then return nn.Embedding{ weights = weights * scale, mask_zero = true } end
  return nn.Embedding{ options.words, 50, mask_zero = true }
end

local function network(layers, rate, patience, scale)
  return function()
    prepare_ids()
    local list = { embedding(scale or 1), nn.SpatialDropout1D{ 0.3 } }
    for _, layer in ipairs(layers()) do list[#list + 1] = layer end
    list[#list + 1] = nn.Dropout{ 0.3 }
    list[#list + 1] = nn.Dense{ 1, activation = "sigmoid" }
    local model = marea.Sequential(list)
    model:compile{
      optimizer = marea.optim.Adam{ learning_rate = small and 0.005 or rate or 0.002,
        clipnorm = 1 },
      loss = "binary_crossentropy", metrics = { "accuracy" } }
    local epochs = learn(model, ids, { epochs = small and 15 or 8, patience = small and 3 or patience or 1,
      batch_size = small and 32 or 64, bucket = true })
    return model, ids_test, epochs
  end
end

-- Bags of words -----------------------------------------------------------------------------------

-- ln of how much more often each column occurs in good reviews than in bad ones.
local function log_ratios(x)
  local good, bad = {}, {}
  for i = 1, kept do table.insert(y:get(i) == 1 and good or bad, i) end
  local function shares(rows)
    local counts = x:rows(rows):sum(1) + 1
    return counts / counts:sum():item()
  end
  return (shares(good) / shares(bad)):log()
end

local function bag(longest, columns)
  return function()
    local lengths = {}
    for n = 1, longest do lengths[n] = n end
    local pipeline = text.Pipeline{ normalize = { "html", "lower" }, split = "words", ngrams = lengths,
      keep = columns, min_count = 2 }
    local learnt = table.move(train.texts, 1, kept, 1, {})
    pipeline:fit(learnt)
    local given = { tokenizer = pipeline, scheme = "binary" }
    local x = text.encodings.matrix(train.texts, given)
    local ratios = log_ratios(x)
    local model = marea.Sequential{ nn.Dense{ 1, activation = "sigmoid", kernel_initializer = "zeros" } }
    model:compile{ optimizer = marea.optim.Adam{ learning_rate = small and 0.01 or 0.001 },
      loss = "binary_crossentropy", metrics = { "accuracy" } }
    local epochs = learn(model, x:scale_columns(ratios), { epochs = 15, patience = 1, batch_size = 128 })
    return model, text.encodings.matrix(test.texts, given):scale_columns(ratios), epochs
  end
end

local models = {
  -- GloVe's numbers are large enough to saturate a network without gates: it gets a tenth of them.
  rnn = { "Embedding, SimpleRNN 32", network(function() return { nn.SimpleRNN{ 32 } } end, 0.0005, 3, 0.1) },
  gru = { "Embedding, GRU 32", network(function() return { nn.GRU{ 32 } } end) },
  lstm = { "Embedding, LSTM 32", network(function() return { nn.LSTM{ 32 } } end) },
  bilstm = { "Embedding, Bi-LSTM 2 × 32, largest value", network(function()
    return { nn.Bidirectional{ nn.LSTM{ 32, return_sequences = true } }, nn.GlobalMaxPooling1D{} }
  end) },
  conv = { "Embedding, Conv1D 100 × 3, largest value", network(function()
    return { nn.Conv1D{ 100, 3, activation = "relu", padding = "same" }, nn.GlobalMaxPooling1D{} }
  end) },
  attention = { "Embedding, Bi-LSTM 2 × 32, attention", network(function()
    return { nn.Bidirectional{ nn.LSTM{ 32, return_sequences = true } },
      nn.AttentionPooling1D{ 32 } }
  end) },
  words = { "words, weighted, one layer", bag(1, small and 20000 or 100000) },
  phrases = { "words, pairs and triples, weighted, one layer", bag(3, small and 50000 or 1000000) },
}

local rows = {}
for name in options.models:gmatch("[^,%s]+") do
  local entry = models[name] or error(("there is no model %s; there are %s"):format(name,
    table.concat(order, ", ")), 0)
  marea.manual_seed(options.seed)
  local began = marea.clock()
  local model, x_test, epochs = entry[2]()
  local seconds = marea.clock() - began
  local accuracy = model:evaluate(x_test, y_test, { batch_size = 250 }).accuracy
  rows[#rows + 1] = ("%-46s %10d %7d %8.1f %9.4f"):format(entry[1], (model:count_params()), epochs,
    seconds, accuracy)
  say("%s: %.4f", entry[1], accuracy)
end
print(("\n%-46s %10s %7s %8s %9s"):format("model", "parameters", "epochs", "seconds", "accuracy"))
print(table.concat(rows, "\n"))
