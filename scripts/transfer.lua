-- Part 2 of the course: what are word vectors that were learnt elsewhere worth to a classifier that has
-- only a few labelled reviews? From scratch, frozen and fine-tuned, for more and more labels.
--
-- Usage: marea scripts/transfer.lua [options]
--   --data DIR       the IMDB reviews; also the variable MAREA_DATA. Without it: the small corpus that
--                    comes with Marea, with fewer labels
--   --vectors FILE   GloVe, word2vec, fastText or Marea's own; "shipped": those that come with Marea.
--                    Default: glove.6B.50d.top10000 of the data folder; without one: the shipped ones
--   --language en|es of the shipped reviews and vectors (default en)
--   --models NAMES   of flatten, mean, lstm (default: all three)
--   --labels LIST    how many labelled reviews (default 200,2000,20000; small corpus: 50,100,300)
--   --seeds N        runs, each on other reviews (default 5; of IMDB only with the fewest labels: with
--                    more, where runs differ less, 2, and 1 from 10,000 on)
--   --epochs N       at most (default 100)
--   --limit N        judge by so many test reviews (default: all)
--
-- A fifth of the labelled reviews says when to stop; the test part is only looked at in the end. The
-- nets' learning rates and patience (below) were settled on 5,000 reviews of the training part.
local marea = require "marea"
local nn, corpora = marea.nn, marea.corpora
local read = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua")

local options = read{ data = os.getenv("MAREA_DATA") or "", vectors = "", language = "en",
  models = "flatten,mean,lstm", labels = "", seeds = 5, epochs = 100, limit = 0 }
local small = options.data == ""
local start = marea.clock()

-- The nets -------------------------------------------------------------------------------------------

-- What follows the embedding; the learning rate; epochs without progress before it stops.
local nets = {
  -- Every place of the text has weights of its own: order counts, and little is learnt from few texts.
  flatten = { rate = 0.001, patience = 10, layers = function()
    return { nn.Flatten{}, nn.Dropout{ 0.5 }, nn.Dense{ 32, activation = "relu" }, nn.Dropout{ 0.5 } }
  end },
  -- The mean of the words' vectors: a bag of words.
  mean = { rate = 0.02, patience = 10, layers = function()
    return { nn.GlobalAveragePooling1D{} }
  end },
  lstm = { rate = 0.003, patience = 5, layers = function() return { nn.LSTM{ 32 } } end },
}
local maxlen = small and 60 or 100
local variants = { "from scratch", "frozen", "fine-tuned" }

local function list_of(text)
  local list = {}
  for item in text:gmatch("[^,]+") do list[#list + 1] = item end
  return list
end

local models = list_of(options.models)
for _, name in ipairs(models) do
  if not nets[name] then error("there is no model " .. name .. " (flatten, mean, lstm)", 0) end
end

-- Reviews, words, vectors ----------------------------------------------------------------------------

marea.manual_seed(1)
local corpus
if small then corpus = assert(corpora.reviews{ language = options.language, test_share = 0.4 })
else corpus = assert(corpora.imdb{ dir = options.data })
end
local train, test = corpora.shuffled(corpus.train), corpus.test
if options.limit > 0 then test = corpora.shuffled(test, { limit = options.limit }) end

local vectors
if options.vectors == "shipped" or options.vectors == "" and small then
  vectors = assert(corpora.vectors(options.language))
else
  local path = options.vectors ~= "" and options.vectors
    or options.data .. "/glove/glove.6B.50d.top10000.txt.gz"
  vectors = assert(marea.embeddings.load(path))
end
print(vectors)
-- At length 1 frequent and rare words enter a net with the same strength.
vectors = vectors:normalised()

-- Words get their ids from the texts of the whole training part: texts without labels cost nothing.
local tokenizer = marea.text.Tokenizer{ num_words = 10000 }
tokenizer:fit_on_texts(train.texts)
-- GloVe's texts were cut as "does n't", "it 's": such words take the vector of the part that says more.
-- What then has none gets zeros.
local function part_of(word)
  return word:find("n't$") and "n't" or word:match("^(.+)'") or word
end
local weights, coverage = vectors:matrix(tokenizer, { oov = "zeros", fallback = { "lower", part_of } })
print(coverage)

local x = tokenizer:texts_to_padded(train.texts, { maxlen = maxlen })
local x_test = tokenizer:texts_to_padded(test.texts, { maxlen = maxlen })
print(("%d reviews to take labels from, %d to be judged by; the last %d words of each"):format(
  #train.texts, #test.texts, maxlen))

-- One run --------------------------------------------------------------------------------------------

-- Trains on some of the reviews, the same for each variant, and returns the accuracy on the test part.
local function run(name, variant, labels, seed)
  marea.manual_seed(seed)
  local rows = marea.stream:permutation(#train.texts):narrow(1, 1, labels)
  local net = nets[name]
  local given = { mask_zero = name ~= "flatten" }
  if variant == "from scratch" then
    given.input_dim, given.output_dim = weights:size(1), weights:size(2)
  else
    given.weights, given.trainable = weights, false
  end
  local layers = net.layers()
  table.insert(layers, 1, nn.Embedding(given))
  layers[#layers + 1] = nn.Dense{ 1, activation = "sigmoid" }
  local model = marea.Sequential(layers)
  model:compile{ optimizer = marea.optim.Adam{ learning_rate = net.rate, clipnorm = 1 },
    loss = "binary_crossentropy", metrics = { "accuracy" } }
  local callbacks = { marea.callbacks.EarlyStopping{ monitor = "val_loss", patience = net.patience,
    restore_best_weights = true } }
  -- First the layers above learn what to do with the vectors; then the vectors move, with care.
  if variant == "fine-tuned" then
    callbacks[2] = marea.callbacks.UnfreezeEmbeddings{ epoch = 4, factor = 0.5 }
  end
  model:fit(x:take(rows), train.labels:take(rows), { epochs = options.epochs, batch_size = 32,
    verbose = 0, validation_split = 0.2, validation_method = "stratified", callbacks = callbacks })
  return model:evaluate(x_test, test.labels, { batch_size = 500, verbose = 0 }).accuracy
end

-- Mean and spread (deviation of the runs) in per cent.
local function summary(values)
  local mean, squares = 0, 0
  for _, value in ipairs(values) do mean = mean + value / #values end
  for _, value in ipairs(values) do squares = squares + (value - mean) ^ 2 end
  if #values == 1 then return ("%.1f"):format(100 * mean) end
  return ("%.1f ± %.1f"):format(100 * mean, 100 * math.sqrt(squares / (#values - 1)))
end

-- The table ------------------------------------------------------------------------------------------

local sizes = list_of(options.labels ~= "" and options.labels
  or small and "50,100,300" or "200,2000,20000")

local function runs_of(place, labels)
  if small or place == 1 then return options.seeds end
  return labels < 10000 and math.min(2, options.seeds) or 1
end

-- A row of the table; "±" is one character of two bytes.
local function row(name, labels, runs, cells, seconds)
  local line = ("%-8s %7s %5s "):format(name, labels, runs)
  for _, cell in ipairs(cells) do line = line .. "  " .. cell .. (" "):rep(12 - utf8.len(cell)) end
  print(line .. (" %8s"):format(seconds))
  io.stdout:flush()
end

print()
row("model", "labels", "runs", variants, "seconds")
print(("-"):rep(74))
for _, name in ipairs(models) do
  for place, size in ipairs(sizes) do
    local labels = math.tointeger(tonumber(size))
    if not labels or labels < 10 or labels > #train.texts then
      error(("--labels: expected numbers from 10 to %d, got %s"):format(#train.texts, size), 0)
    end
    local began, cells = marea.clock(), {}
    for i, variant in ipairs(variants) do
      local accuracies = {}
      for seed = 1, runs_of(place, labels) do
        accuracies[seed] = run(name, variant, labels, seed)
      end
      cells[i] = summary(accuracies)
    end
    row(name, labels, runs_of(place, labels), cells, ("%.1f"):format(marea.clock() - began))
  end
end
print(("\nAccuracy on the test part in per cent, mean ± spread of the runs; %.0f s in all."):format(
  marea.clock() - start))
