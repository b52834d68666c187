-- Part 1 of the course: how does a text become numbers? Seven answers, each judged by how well a
-- small model tells good film reviews from bad ones with it.
--
-- Usage: marea scripts/text_encodings.lua [options]
--   --data DIR      the IMDB reviews (train.tsv.gz, test.tsv.gz); also the variable MAREA_DATA.
--                   Without it: the small Spanish and English corpus that comes with Marea
--   --words N       size of the vocabulary (default 10000)
--   --epochs N      passes over the training part (default: what each model needs)
--   --limit N       use only N reviews of each part (to try things out)
--   --seed N        seed of all random numbers (default 1)
local marea = require "marea"
local nn, encodings = marea.nn, marea.text.encodings

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ words = 10000, seed = 1, epochs = 0,
  limit = math.maxinteger, data = os.getenv("MAREA_DATA") or "" }
local small = options.data == ""
local start = marea.clock()
marea.manual_seed(options.seed)

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

-- The reviews --------------------------------------------------------------------------------------

local corpus
if small then corpus = assert(marea.corpora.reviews{})
else corpus = assert(marea.corpora.imdb{ dir = options.data })
end
-- The files are sorted by label; a model should see both kinds from the start.
local sample = { limit = options.limit }
local train = marea.corpora.shuffled(corpus.train, sample)
local test = marea.corpora.shuffled(corpus.test, sample)
say("%d reviews to learn from, %d to be judged by", #train.texts, #test.texts)

local results = {}

-- Trains a model on one encoding and notes how it did. `x` and `x_test` may be sparse.
local function judge(name, x, x_test, layers, epochs, rate)
  local began = marea.clock()
  local model = marea.Sequential(layers)
  model:compile{ optimizer = marea.optim.Adam{ learning_rate = rate },
    loss = "binary_crossentropy", metrics = { "accuracy" } }
  model:fit(x, train.labels, { epochs = options.epochs > 0 and options.epochs or epochs, batch_size = 32, verbose = 0 })
  local seconds = marea.clock() - began
  local accuracy = model:evaluate(x_test, test.labels).accuracy
  results[#results + 1] = { name = name, numbers = model:count_params(), seconds = seconds,
    accuracy = accuracy }
  say("%-30s accuracy %.4f", name, accuracy)
  return model
end

-- A linear model: one weight a column, and the sum of what a review's columns weigh.
local function linear()
  return { nn.Dense{ 1, activation = "sigmoid" } }
end

-- 1. Words get numbers -----------------------------------------------------------------------------

-- A tokenizer cuts texts into words, counts them, and numbers them: the most frequent is 1.
local words = marea.text.Tokenizer{ num_words = options.words }
words:fit_on_texts(train.texts)
print("\nThe first text, and its ids:")
local first = train.texts[1]:sub(1, 60):gsub("[\128-\255]*$", "")
print("  " .. first .. " …")
print("  " .. table.concat(words:texts_to_sequences({ first })[1], " "))

-- 2. One-hot: a vector per word, 1 at the word's number, 0 elsewhere -------------------------------

-- A number is no quantity (word 20 is not twice word 10), so each word gets an axis of its own. A
-- text is then a matrix: positions by words. What is wrong with that?
local sequences = words:texts_to_sequences(train.texts)
print("\n" .. encodings.one_hot_report(words, sequences).text .. "\n")

-- To learn from it without writing it down: a one-hot vector times a matrix only picks a row.
-- Here the text is the set of its words (the one-hot vectors, joined by "or"): 1 if it is there.
local binary = { tokenizer = words, scheme = "binary" }
judge("one-hot, words", encodings.matrix(train.texts, binary), encodings.matrix(test.texts, binary),
  linear(), 10, small and 0.05 or 0.002)

-- Characters: a hundred axes instead of thousands, and none unknown. But what does an "e" say about
-- a film? As a set of characters every text looks alike; and in the order of their places, a linear
-- model would have to learn each letter anew at each position.
local letters = marea.text.Tokenizer{ char_level = true }
letters:fit_on_texts(train.texts)
local characters = { tokenizer = letters, scheme = "binary" }
judge("one-hot, characters", encodings.matrix(train.texts, characters),
  encodings.matrix(test.texts, characters), linear(), 10, small and 0.05 or 0.002)

-- 3. Hashing: no vocabulary at all -----------------------------------------------------------------

-- A hash of the word's bytes picks the column. Nothing has to be learnt or kept, new words have a
-- place at once; in return, some words share a column.
local columns = small and 2 ^ 10 or 2 ^ 16
local hashed, report = encodings.hashing(train.texts, { columns = columns })
judge("hashing", hashed, (encodings.hashing(test.texts, { columns = columns })), linear(), small and 10 or 5,
  small and 0.1 or 0.02)
say("  %d words in %d columns: %d share one with another (a perfect hash: %.0f)", report.words,
  report.columns, report.collisions, report.expected_collisions)

-- 4. Counts: how often, not just whether -----------------------------------------------------------

local counted = { tokenizer = words, scheme = "count" }
judge("counts", encodings.matrix(train.texts, counted), encodings.matrix(test.texts, counted),
  linear(), 10, small and 0.05 or 0.001)

-- 5. tf-idf: rare words weigh more -----------------------------------------------------------------

-- "the" is in every review and decides nothing. A word's count is multiplied by how rare the word
-- is among the documents, and each review is scaled to length 1: a long one has no louder voice.
local tfidf = encodings.Tfidf{ rule = "sklearn", sublinear_tf = true, tokenizer = words }
judge("tf-idf", tfidf:fit_transform(train.texts), tfidf:transform(test.texts), linear(), small and 10 or 5,
  small and 0.1 or 0.01)

-- 6. A learned embedding: a short vector per word, and the task decides where it lies --------------

-- Instead of one axis a word: a few numbers each, learnt together with the answer, so that words
-- that mean the same for the task come to lie together.
local maxlen, width = small and 40 or 200, 16
local padding = { maxlen = maxlen, padding = "post", truncating = "pre" }
local x, x_test = words:texts_to_padded(train.texts, padding),
  words:texts_to_padded(test.texts, padding)
local model = judge("learned embedding", x, x_test, {
  nn.Embedding{ options.words, width, mask_zero = true },
  nn.GlobalAveragePooling1D{},
  nn.Dense{ 1, activation = "sigmoid" },
}, small and 20 or 4, small and 0.02 or 0.005)

-- What it has learnt: the cosine between two words is no longer always 0.
local rows = model.layers[1]:get_weights()[1]
local function cosine(a, b)
  local ids = words.word_index
  if not (ids[a] and ids[b]) or math.max(ids[a], ids[b]) >= options.words then return nil end
  local u, v = rows:select(1, ids[a] + 1), rows:select(1, ids[b] + 1)
  return (u * v):sum():item() / math.sqrt((u * u):sum():item() * (v * v):sum():item())
end
for _, pair in ipairs{ { "wonderful", "great" }, { "wonderful", "boring" } } do
  local value = cosine(table.unpack(pair))
  if value then say('  cosine of "%s" and "%s": %.2f', pair[1], pair[2], value) end
end

-- 7. Side by side ----------------------------------------------------------------------------------

print(("\n%-24s %10s %12s %9s"):format("Encoding", "Parameters", "Training (s)", "Accuracy"))
print(("-"):rep(58))
for _, row in ipairs(results) do
  print(("%-24s %10d %12.1f %9.4f"):format(row.name, row.numbers, row.seconds, row.accuracy))
end
