-- The Marea side of `scripts/bench text`: one measurement, printed as a number.
-- Usage: marea scripts/bench_text.lua WHAT THREADS [FILE]
--   count     tokenize and count, Keras's rule, MB/s     FILE: a text a line
--   unicode   the same by Unicode's words, NFC, lower case
--   sklearn   CountVectorizer's fit: tokens, counts, vocabulary
--   matrix    its fit_transform: also the sparse matrix of counts
--   words     word-level encoding of a vocabulary of 30,000 words
--   bpe       encoding by the tokenizer.json of MAREA_BENCH_BPE
--   stream    counts the file without loading it: MB/s, peak MB, the vocabulary's own MB
--   train-bpe trains a byte-level BPE of 10,000 pieces and writes MAREA_BENCH_BPE
local marea = require "marea"
local text = marea.text

local what, threads, path = arg[1], tonumber(arg[2]), arg[3]
marea.threads(threads)

local function read(file)
  local texts, bytes = {}, 0
  for line in assert(marea.corpora.lines(file)) do
    texts[#texts + 1] = line
    bytes = bytes + #line
  end
  return texts, bytes
end

if what == "stream" then
  local pipeline = text.Pipeline{ "keras" }
  local size = assert(io.open(path, "rb")):seek("end")
  marea.memory("reset")
  local start = marea.clock()
  assert(pipeline:fit_lines(path))
  local seconds = marea.clock() - start
  print(("%.0f %.1f %.1f"):format(size / seconds / 1e6, marea.memory().peak / 1e6,
    pipeline.vocabulary:bytes() / 1e6))
  return
end

local texts, bytes = read(path)

if what == "train-bpe" then
  local tokenizer = text.SubwordTokenizer{ kind = "bpe", byte_level = true, vocab_size = 10000 }
  tokenizer:fit(texts)
  assert(text.huggingface.write(tokenizer, os.getenv("MAREA_BENCH_BPE")))
  return
end

local fitted
local jobs = {
  count = function() text.Tokenizer{ num_words = 10000 }:fit_on_texts(texts) end,
  unicode = function() text.Pipeline{ "unicode" }:fit(texts) end,
  sklearn = function() text.Pipeline{ "sklearn" }:fit(texts) end,
  matrix = function()
    local pipeline = text.Pipeline{ "sklearn" }
    pipeline:fit(texts)
    return text.encodings.matrix(pipeline:encode_sequences(texts),
      { scheme = "count", sparse = true, columns = pipeline.vocabulary:size() })
  end,
  words = function() fitted:encode_sequences(texts) end,
  bpe = function() fitted:encode_sequences(texts) end,
}
if what == "words" then
  fitted = text.Pipeline{ normalize = { "lower" }, split = { "words_or_marks" }, keep = 30000 }
  fitted:fit(texts)
elseif what == "bpe" then
  fitted = assert(text.huggingface.load(os.getenv("MAREA_BENCH_BPE")))
end

local rates = {}
for i = 1, 5 do
  collectgarbage()
  local start = marea.clock()
  jobs[what]()
  rates[i] = bytes / (marea.clock() - start) / 1e6
end
table.sort(rates)
print(("%.1f"):format(rates[3]))
