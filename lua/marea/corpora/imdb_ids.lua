--- IMDB's reviews as ids, by the rules of Keras's imdb.load_data, with a decoder.
--
-- 0 is padding, 1 the start mark, 2 a word left out; the commonest word has id 4 (rank 1 moved up
-- by index_from = 3).
-- @module marea.corpora.imdb_ids
local native = require "marea.native"
local options = require "marea.nn.options"
local reviews = require "marea.corpora.reviews"

-- No word of a text can be this one: the marks are filtered out.
local NO_RANK = "<no rank>"
local PIECE = 2000 -- texts encoded at a time

local declared = { dir = options.optional, num_words = options.optional, skip_top = 0,
  maxlen = options.optional, drop_longer = options.optional, truncate = options.optional,
  truncating = "pre", start_char = 1, oov_char = 2, index_from = 3, seed = 113, shuffle = true,
  breaks = true, counted = "all", corpus = options.optional }

local function read_options(given)
  local read = options.read("corpora.imdb_ids", given, declared, { "dir" })
  for name, low in pairs{ num_words = 1, skip_top = 0, maxlen = 1, drop_longer = 1, truncate = 1,
    start_char = 0, oov_char = 0, index_from = 0, seed = 0 } do
    if read[name] then -- nil or false: without
      read[name] = options.integer("corpora.imdb_ids", name, read[name], low)
    end
  end
  options.choice("corpora.imdb_ids", "truncating", read.truncating, { "pre", "post" })
  options.choice("corpora.imdb_ids", "counted", read.counted, { "all", "train" })
  if read.maxlen and read.drop_longer then
    error("corpora.imdb_ids: maxlen and drop_longer are the same (reviews of so many ids or more are "
      .. "left out); to cut reviews use truncate", 0)
  end
  return read
end

local function rank_words(corpus, read)
  local tokenizer = require("marea.text").Tokenizer{ oov_token = NO_RANK }
  tokenizer:fit_on_texts(corpus.train.texts)
  if read.counted == "all" then tokenizer:fit_on_texts(corpus.test.texts) end
  return tokenizer
end

-- Ranks moved up, with start marks; reviews that are too long are left out.
local function shift_part(tokenizer, part, read)
  local moved, kept = native.sequences{}, {}
  for first = 1, #part.texts, PIECE do
    local last = math.min(first + PIECE - 1, #part.texts)
    local texts = table.move(part.texts, first, last, 1, {})
    local ranks = native.sequences((tokenizer:texts_to_sequences(texts)))
    -- the tokenizer's ids are ranks + 1, and 1 for a word without a rank
    local flags = native.keras_shift(moved, ranks, read.start_char or nil, read.index_from,
      read.oov_char or nil, -1, read.maxlen or read.drop_longer or 0)
    for i, flag in ipairs(flags) do
      if flag then kept[#kept + 1] = first + i - 2 end
    end
  end
  return { moved = moved, kept = kept }
end

local function finish_part(part, labels, read, limit, stream)
  local sequences, cut, outside = native.keras_limit(part.moved, read.skip_top, limit,
    read.oov_char or nil, read.truncate or 0, read.truncating)
  local lists, kept = sequences:totable(), part.kept
  if read.shuffle then
    local shuffled, places = {}, {}
    for i, place in ipairs(stream:permutation(#lists):totable()) do
      shuffled[i], places[i] = lists[place + 1], kept[place + 1]
    end
    lists, kept = shuffled, places
  end
  return { sequences = lists, labels = labels:take(native.tensor(kept, { dtype = "int32" })),
    report = { reviews = #lists, dropped = labels:size(1) - #lists, cut = cut, outside = outside } }
end

-- Ids → text. Marks are shown in angle brackets, padding not at all.
local function make_decoder(index_word, read)
  local marks = { [0] = false }
  if read.start_char then marks[read.start_char] = "<start>" end
  if read.oov_char then marks[read.oov_char] = "<oov>" end
  return function(ids)
    local words = {}
    for _, id in ipairs(ids) do
      local word = marks[id]
      if word == nil then word = index_word[id - read.index_from + 1] or "<" .. id .. ">" end
      if word then words[#words + 1] = word end
    end
    return table.concat(words, " ")
  end
end

--- IMDB's reviews as lists of ids. Words are ranked by how often they occur in the reviews.
-- @tparam[opt] table given Keras's names, and two more:
--
-- - `num_words` (all), `skip_top` (0): an id stays if skip_top <= id < num_words; any other becomes
-- `oov_char`. Without num_words the limit is the largest id there is, which becomes oov_char itself
-- - `start_char` (1), `oov_char` (2), `index_from` (3); false: no start mark; words left out vanish
-- - `drop_longer`, or Keras's `maxlen`: reviews of so many ids **or more** are left out
-- - `truncate`: longer reviews keep so many ids; `truncating` ("pre": the last ones stay, or
-- "post")
-- - `shuffle` (true), `seed` (113): a fixed order (not NumPy's)
-- - `counted` ("all": train and test, as in Keras's word index; or "train": words of the test part
--   that the training part lacks are left out)
-- - `dir`, `breaks` (true: `<br />` gives the word "br", as in Keras), or `corpus`: what
--   corpora.imdb returned
-- @treturn table { train = { sequences, labels, report }, test = …, word_index (word → rank),
-- decode (ids → text) }; report: reviews, dropped, cut (ids cut off), outside (ids by num_words and
-- skip_top)
-- @return nil and a message; also when drop_longer leaves no review
local function imdb_ids(given)
  local read = read_options(given)
  local corpus, message = read.corpus
  if not corpus then corpus, message = reviews.imdb{ dir = read.dir, breaks = read.breaks } end
  if not corpus then return nil, message end
  local tokenizer = rank_words(corpus, read)
  local parts, largest = {}, 0
  for _, name in ipairs{ "train", "test" } do
    local part = shift_part(tokenizer, corpus[name], read)
    if #part.kept == 0 then
      return nil, ("corpora.imdb_ids: no review of %s is shorter than %d ids"):format(name,
        read.maxlen or read.drop_longer or 0)
    end
    parts[name] = part
    largest = math.max(largest, native.largest_id(part.moved))
  end
  local result, stream = {}, native.new_stream(read.seed, 0)
  for _, name in ipairs{ "train", "test" } do
    result[name] = finish_part(parts[name], corpus[name].labels, read, read.num_words or largest,
      stream)
  end
  result.word_index = {}
  for word, id in pairs(tokenizer.word_index) do
    if word ~= NO_RANK then result.word_index[word] = id - 1 end
  end
  result.decode = make_decoder(tokenizer.index_word, read)
  return result
end

return imdb_ids
