-- Text that writes itself: a network learns which character follows which, and goes on from a
-- beginning, careful or daring by the temperature. A table says what that costs and brings: words that
-- are none, runs of words that come again, runs that are learnt by heart.
--
-- Usage: marea scripts/generate.lua [options]
--   --data DIR      folder of es-quijote/ (or tiny-shakespeare/); also the variable MAREA_DATA. Without
--                   it: the Spanish reviews that come with Marea
--   --corpus NAME   quijote (default) or shakespeare
--   --start TEXT    the beginning (default: one for each corpus)
--   --units N       of each of the two LSTM layers (default 128; without data 96)
--   --epochs N      passes over the training part (default 2; without data 30)
--   --limit N       learn from so many characters (default 400000)
--   --length N      characters of each sample that are shown (default 200; the table counts ten times
--                   as many)
--   --save PATH     where to keep the model
--   --seed N        seed of all random numbers (default 1)
local marea = require "marea"
local nn, generate = marea.nn, marea.generate
local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ seed = 1, units = 0, epochs = 0,
  limit = 400000, length = 200, corpus = "quijote", start = "", save = "", data = os.getenv("MAREA_DATA") or "" }
local made_up = options.data == ""
local start = marea.clock()
marea.manual_seed(options.seed)

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

local function read_text()
  if made_up then
    local reviews = assert(marea.corpora.reviews{ language = "es" })
    return table.concat(reviews.train.texts, "\n"), "La película "
  elseif options.corpus == "quijote" then
    return assert(marea.corpora.es_quijote{ dir = options.data }).text, "En un lugar de "
  elseif options.corpus == "shakespeare" then
    return assert(marea.corpora.tiny_shakespeare{ dir = options.data }).text, "ROMEO: "
  end
  error("--corpus must be quijote or shakespeare, got " .. options.corpus, 0)
end

local text, beginning = read_text()
if options.start ~= "" then beginning = options.start end
local tokenizer = marea.text.Tokenizer{ char_level = true, lower = false }
tokenizer:fit_on_texts{ text }
local ids = tokenizer:texts_to_sequences{ text }[1]
local V = tokenizer.vocabulary:size() + 1
local begun, report = tokenizer:texts_to_sequences{ beginning }
if #begun[1] == 0 then
  error(("--start %q: the text to learn from has none of its characters"):format(beginning), 0)
elseif report.unknown > 0 then
  say("--start: %d of %d characters are not in the text and are left out", report.unknown, report.words)
end

-- Windows of 64 characters; the answer at each step is the character that follows.
local STEPS <const> = 64
local count = (math.min(#ids, options.limit) - 1) // STEPS
local function windows(shift)
  return marea.tensor(table.move(ids, 1 + shift, count * STEPS + shift, 1, {}), { dtype = "int32" })
    :reshape{ count, STEPS }
end
say("%d characters, %d different; %d windows of %d", #ids, V - 1, count, STEPS)

local units = options.units > 0 and options.units or (made_up and 96 or 128)
local model = marea.Sequential{ nn.Embedding{ V, 32 }, nn.LSTM{ units, return_sequences = true },
  nn.LSTM{ units, return_sequences = true }, nn.Dense{ V, activation = "softmax" } }
model:compile{ optimizer = marea.optim.Adam{ learning_rate = 0.005, clipnorm = 1 },
  loss = "sparse_categorical_crossentropy" }
local history = model:fit(windows(0), windows(1), { batch_size = 32, verbose = 0, validation_split = 0.1,
  epochs = options.epochs > 0 and options.epochs or (made_up and 30 or 2) })
local loss = history.history.val_loss
say("learnt: %.2f bits a character on text it has not seen", loss[#loss] / math.log(2))

model.tokenizer = tokenizer
if options.save ~= "" then
  assert(model:save(options.save))
  say("saved: %s", options.save)
end

-- Words of a text, and their runs of three, as a list.
local MARKS <const> = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\r\n¿¡«»—…“”"

local function words_of(written)
  return marea.text.text_to_word_sequence(written, { filters = MARKS })
end

local function triples(words)
  local runs = {}
  for i = 1, #words - 2 do runs[i] = table.concat(words, " ", i, i + 2) end
  return runs
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

local learnt = words_of(text:sub(1, (utf8.offset(text, count * STEPS + 1) or #text + 1) - 1))
local known_words, known_triples = set_of(learnt), set_of(triples(learnt))

local function share(list, holds)
  local n = 0
  for _, item in ipairs(list) do if holds(item) then n = n + 1 end end
  return #list > 0 and 100 * n / #list or 0
end

local rows = {}

-- The beginning of a long sample is shown, the whole of it counted; its last word may be cut off.
local function sample(title, name, given)
  given.max_length = 10 * options.length
  local written = generate.text(model, beginning, given)
  local shown = written:sub(1, (utf8.offset(written, options.length + 1) or #written + 1) - 1)
  print(("\n%s\n  %s|%s"):format(title, beginning, (shown:gsub("\n", "\n  "))))
  local words, seen = words_of(beginning:match("%S*$") .. written), {} -- the rest was given
  words[#words] = nil
  local runs = triples(words)
  rows[#rows + 1] = ("%-18s %6d %7.1f%% %12.1f%% %10.1f%%"):format(name, #words,
    share(words, function(word) return known_words[word] end),
    share(runs, function(run)
      local again = seen[run]
      seen[run] = true
      return again
    end),
    share(runs, function(run) return known_triples[run] end))
end

sample("Always the likeliest character", "the likeliest", { greedy = true })
for _, temperature in ipairs{ 0.4, 0.7, 1, 1.5 } do
  sample(("Temperature %g"):format(temperature), ("temperature %g"):format(temperature),
    { temperature = temperature, seed = options.seed })
end
sample("Temperature 1, from the likeliest that make up nine tenths (top_p 0.9)", "top_p 0.9",
  { temperature = 1, top_p = 0.9, seed = options.seed })
local best = generate.beam(model, { prompt = begun[1], width = 8, max_length = math.min(options.length, 60) })[1]
local letters = {}
for i, id in ipairs(best.tokens) do letters[i] = tokenizer:word_of(id) or "" end
print(("\nThe likeliest line of %d characters that a beam of 8 finds\n  %s|%s"):format(#letters, beginning,
  (table.concat(letters):gsub("\n", "\n  "))))
print("\n                    words   known   said before   by heart")
print(table.concat(rows, "\n"))
print("known: words of the text that was learnt; said before: runs of three words that the sample holds\n"
  .. "already; by heart: runs of three words that the text holds, too.")
say("done")
