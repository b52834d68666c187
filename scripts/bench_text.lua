-- Tokenizing and counting, MB/s, one and two threads. Reads the IMDB reviews when MAREA_DATA names
-- their folder, else a text made of random words.
local marea = require "marea"

local function made_texts()
  local texts, stream = {}, marea.stream
  for i = 1, 20000 do
    local words = {}
    for j = 1, 230 do
      words[j] = ("palabra%d"):format(math.floor(30000 * stream:number() ^ 4))
    end
    texts[i] = table.concat(words, " ") .. "."
  end
  return texts
end

local data = os.getenv("MAREA_DATA")
local corpus = data and marea.corpora.imdb { dir = data }
local texts = corpus and corpus.train.texts or made_texts()
local bytes = 0
for _, source in ipairs(texts) do bytes = bytes + #source end

for _, threads in ipairs { 1, 2 } do
  marea.threads(threads)
  local rates = {}
  for i = 1, 5 do
    local tokenizer = marea.text.Tokenizer { num_words = 10000 }
    local start = marea.clock()
    tokenizer:fit_on_texts(texts)
    rates[i] = bytes / (marea.clock() - start) / 1e6
  end
  table.sort(rates)
  print(("Tokenize and count (%s, %.1f MB), %d thread%s: %.0f MB/s (median of 5)"):format(
    corpus and "IMDB" or "made text", bytes / 1e6, threads, threads == 1 and "" or "s", rates[3]))
end
