-- Sentiment of film reviews: a recurrent network learns to tell good reviews from bad ones.
--
-- Usage: marea scripts/sentiment.lua [options]
--   --data DIR      the IMDB reviews (train.tsv.gz, test.tsv.gz); also the variable MAREA_DATA.
--                   Without it: the small Spanish and English corpus that comes with Marea
--   --model NAME    lstm (default), rnn, gru, bilstm or flatten
--   --epochs N      passes over the training part
--   --words N       size of the vocabulary (default 10000)
--   --maxlen N      words of a review that are read (default 200; the small corpus: 60)
--   --seed N        seed of all random numbers (default 1)
--   --limit N       use only N reviews of each part (to try things out)
--   --save PATH     where to keep the model (default: a temporary file, removed at the end)
local marea = require "marea"
local nn = marea.nn

-- What to run ------------------------------------------------------------------------------------

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){
  model = "lstm", words = 10000, seed = 1, epochs = 0, maxlen = 0,
  limit = math.maxinteger, save = "", data = os.getenv("MAREA_DATA") or "" }
local small = options.data == ""

-- Each entry: the layers after the embedding, the embedding's width, learning rate, epochs.
local recipes = {
  lstm = { 32, 0.001, 5, function() return { nn.LSTM { 32 } } end },
  rnn = { 32, 0.001, 5, function() return { nn.SimpleRNN { 32 } } end },
  gru = { 32, 0.001, 5, function() return { nn.GRU { 32 } } end },
  bilstm = { 32, 0.001, 5, function() return { nn.Bidirectional { nn.LSTM { 32 } } } end },
  flatten = { 8, 0.001, 5, function() return { nn.Flatten {} } end },
}
local recipe = recipes[options.model] or error("there is no model " .. options.model, 0)
local width, rate, epochs, layers = table.unpack(recipe)
if small then rate, epochs = 0.005, options.model == "flatten" and 20 or 15 end
epochs = options.epochs > 0 and options.epochs or epochs
local maxlen = options.maxlen > 0 and options.maxlen or (small and 60 or 200)

-- Corpus → words → ids ---------------------------------------------------------------------------

marea.manual_seed(options.seed)
local start = marea.clock()

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

local corpus
if small then corpus = assert(marea.corpora.reviews {})
else corpus = assert(marea.corpora.imdb { dir = options.data })
end
-- The files are sorted by label; a model should see both kinds from the start.
local sample = { limit = options.limit }
local train = marea.corpora.shuffled(corpus.train, sample)
local test = marea.corpora.shuffled(corpus.test, sample)
say("%d reviews to learn from, %d to be judged by", #train.texts, #test.texts)

local tokenizer = marea.text.Tokenizer { num_words = options.words }
tokenizer:fit_on_texts(train.texts)
local x, report = tokenizer:texts_to_padded(train.texts, { maxlen = maxlen })
local x_test = tokenizer:texts_to_padded(test.texts, { maxlen = maxlen })
say("%d different words; ids below %d; %d of %d reviews are cut to %d words",
  (tokenizer.vocabulary:size()), options.words, report.truncated, report.rows, maxlen)

-- Model, training, judgement ---------------------------------------------------------------------

local list = { nn.Embedding { options.words, width, input_length = maxlen,
  mask_zero = options.model ~= "flatten" } }
if options.model ~= "flatten" then list[#list + 1] = nn.SpatialDropout1D { small and 0.3 or 0.4 } end
for _, layer in ipairs(layers()) do list[#list + 1] = layer end
if options.model ~= "flatten" then list[#list + 1] = nn.Dropout { 0.2 } end
list[#list + 1] = nn.Dense { 1, activation = "sigmoid" }

local model = marea.Sequential(list)
model:compile { optimizer = marea.optim.Adam { learning_rate = rate, clipnorm = 1.0 },
  loss = "binary_crossentropy", metrics = { "accuracy" } }
model:summary()
local before = marea.clock()
local stopping = marea.callbacks.EarlyStopping { monitor = "val_loss", patience = small and 3 or 2,
  restore_best_weights = true }
local history = model:fit(x, train.labels, { epochs = epochs, batch_size = 32,
  validation_split = 0.1, callbacks = { stopping } })
local seconds = marea.clock() - before
local done = #history.history.loss
say("trained %d epochs in %.1f s: %.0f reviews a second", done, seconds,
  0.9 * #train.texts * done / seconds)

local scores = model:evaluate(x_test, test.labels, { verbose = 0 })
print(("\nTest accuracy (%s): %.4f\n"):format(options.model, scores.accuracy))

-- One file holds the model and its words: a program that loads it can read raw text ---------------

model.tokenizer, model.maxlen = tokenizer, maxlen
local path = options.save ~= "" and options.save or os.tmpname()
assert(model:save(path))
local loaded = assert(marea.load(path))
if options.save == "" then os.remove(path) end

local sentences = {
  "A wonderful film, I loved every minute of it and the acting is superb.",
  "What a waste of time: the plot is boring and the dialogue is terrible.",
  "Not bad at all, a moving story with an excellent ending.",
}
if small then
  sentences[#sentences + 1] = "Una película maravillosa, me encantó de principio a fin."
  sentences[#sentences + 1] = "Qué decepción: aburrida, lenta y con un guion pésimo."
  sentences[#sentences + 1] = "Emocionante y muy bien actuada, la recomiendo."
end
local ids = loaded.tokenizer:texts_to_padded(sentences, { maxlen = maxlen })
local answers = loaded:predict(ids)
for i, sentence in ipairs(sentences) do
  local p = answers:get(i, 1)
  print(("%s %.2f  %s"):format(p > 0.5 and "good" or "bad ", p, sentence))
end
