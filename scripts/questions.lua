-- What does a question ask for: a person, a place, a number …? A bidirectional GRU reads it; what it
-- saw is summed up in two ways side by side, the largest values and a weighted mean.
--
-- Usage: marea scripts/questions.lua [options]
--   --data DIR      folder of trec-questions/ and glove/; also the variable MAREA_DATA. Without it:
--                   questions that the script makes up
--   --vectors FILE  published vectors to start from (default: DATA/glove's 10,000 words; "none")
--   --runs N        runs with different seeds (default 3)
--   --epochs N      most passes over the training part (default 30)
--   --limit N       use only N questions of each part (to try things out)
local marea = require "marea"
local nn = marea.nn
local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ runs = 3, epochs = 30,
  limit = math.maxinteger, data = os.getenv("MAREA_DATA") or "", vectors = "" }
local made_up = options.data == ""
local start = marea.clock()

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

-- Questions ---------------------------------------------------------------------------------------

local function invent()
  local moulds = {
    { "¿Quién escribió %s?", "¿Quién fue %s?", "¿Qué actriz aparece en %s?" },
    { "¿Dónde está %s?", "¿En qué ciudad nació %s?", "¿Cuál es la capital de %s?" },
    { "¿Cuánto pesa %s?", "¿Cuántos años tiene %s?", "¿En qué año apareció %s?" },
  }
  local things = { "la sirena", "el faro", "Lucía", "el río", "la luna", "Mateo", "el reino", "la torre" }
  local function part(first, last)
    local texts, labels = {}, {}
    for label, list in ipairs(moulds) do
      for _, mould in ipairs(list) do
        for i = first, last do
          texts[#texts + 1], labels[#labels + 1] = mould:format(things[i]), label - 1
        end
      end
    end
    return { texts = texts, labels = marea.tensor(labels, { dtype = "int32" }) }
  end
  return { train = part(1, 6), test = part(7, 8), label_names = { [0] = "persona", "lugar", "número" } }
end

local corpus = made_up and invent() or assert(marea.corpora.trec_questions{ dir = options.data })
local names = corpus.label_names -- by label, from 0
local kinds = #names + 1
marea.manual_seed(1)
local train = marea.corpora.shuffled(corpus.train, { limit = options.limit })
local test = marea.corpora.shuffled(corpus.test, { limit = options.limit })

-- Marks are words: "?" says little, but "'s" and quotes say something.
local pipeline = marea.text.Pipeline{ normalize = { "nfc", "lower" }, split = "words" }
pipeline:fit(train.texts)
local x = pipeline:texts_to_padded(train.texts)
local x_test = pipeline:texts_to_padded(test.texts, { maxlen = x:size(2) })
say("%d questions to learn from, %d to be judged by, %d kinds, %d words", #train.texts, #test.texts, kinds,
  pipeline.vocabulary:size())

local function published()
  local path = options.vectors ~= "" and options.vectors
    or not made_up and options.data .. "/glove/glove.6B.50d.top10000.txt.gz"
  if not path or path == "none" then return nil end
  local vectors, message = marea.embeddings.load(path)
  if not vectors then
    say("no published vectors: %s", message)
    return nil
  end
  local matrix, coverage = vectors:matrix(pipeline, { oov = "random" })
  print(coverage)
  return matrix
end
local weights = published()

-- The model: one input, two branches, one output --------------------------------------------------

local function network()
  local ids = marea.Input{ { -1 }, dtype = "int32" }
  local embedding = weights and nn.Embedding{ weights = weights, mask_zero = true }
    or nn.Embedding{ pipeline.vocabulary:size(), 50, mask_zero = true }
  local words = nn.SpatialDropout1D{ 0.4 }(embedding(ids))
  local seen = nn.Bidirectional{ nn.GRU{ 64, return_sequences = true } }(words)
  local largest, weighed = nn.GlobalMaxPooling1D{}(seen), nn.AttentionPooling1D{ 32 }(seen)
  local kind = nn.Dense{ kinds, activation = "softmax" }(nn.Dropout{ 0.5 }(nn.Concatenate{}{ largest, weighed }))
  local model = marea.Model{ inputs = ids, outputs = kind }
  model:compile{ optimizer = marea.optim.Adam{ learning_rate = 0.003 },
    loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
  return model
end

local sum, model = 0, nil
for run = 1, options.runs do
  marea.manual_seed(run)
  model = network()
  if run == 1 then model:summary() end
  local stop = marea.callbacks.EarlyStopping{ monitor = "val_loss", patience = 4, restore_best_weights = true }
  model:fit(x, train.labels, { epochs = options.epochs, batch_size = 50, validation_split = 0.1,
    callbacks = { stop }, verbose = 0 })
  local accuracy = model:evaluate(x_test, test.labels).accuracy
  sum = sum + accuracy
  say("run %d: test accuracy %.4f", run, accuracy)
end
print(("\nMean test accuracy of %d runs: %.4f\n"):format(options.runs, sum / options.runs))

for i, id in ipairs(model:predict_classes(x_test:narrow(1, 1, 5))) do
  print(("%-8s %s"):format(names[id], test.texts[i]))
end
