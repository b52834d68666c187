-- A label for each word: names in Spanish news, or parts of speech in English, by a bidirectional
-- LSTM with a conditional random field on top and without.
--
-- Usage: marea scripts/labels.lua [options]
--   --data DIR      folder of conll2002-es/ and ud-english-ewt/; also the variable MAREA_DATA. Without
--                   it: sentences with names that the script makes up
--   --task NAME     names (default) or speech
--   --epochs N      passes over the training part (default 8; made-up sentences: 25)
--   --units N       units of the LSTM in each direction (default 100; made-up sentences: 24)
--   --limit N       use only N sentences of each part (to try things out)
--   --seed N        seed of all random numbers (default 1)
--
-- Of a word the network sees: itself in lower case, its first and last one to three letters, and its
-- shape (Sevilla → Xx, 1999 → 9), each as an embedding. Words of the training part that occur once
-- stand for all unknown ones. The validation part decides which epoch counts; the test part is looked
-- at once. The loop that `fit` hides is written out, since sentences of like lengths go together.
local marea = require "marea"
local nn = marea.nn

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ task = "names", seed = 1, epochs = 0,
  units = 0, limit = math.maxinteger, data = os.getenv("MAREA_DATA") or "" }
local tasks = { names = "conll2002_es", speech = "ud_english_ewt" }
if not tasks[options.task] then error("--task must be names or speech", 0) end
local made_up = options.data == ""
local epochs = options.epochs > 0 and options.epochs or (made_up and 25 or 8)
local units = options.units > 0 and options.units or (made_up and 24 or 100)
local start = marea.clock()

local function say(format, ...)
  print(("%6.1f s  "):format(marea.clock() - start) .. format:format(...))
end

-- Sentences --------------------------------------------------------------------------------------

-- Sentences from a few moulds; the test part has names that the training part has not.
local function invent()
  local people = { "Lucía", "Mateo", "Ángela", "Íñigo", "Carmen", "Óscar", "Rosa", "Ñ.", "Julián",
    "Elena", "Tomás", "Begoña" }
  local families = { "Ruiz", "Peña", "Vidal", "Campos", "Núñez", "Soler", "Rey", "Bravo" }
  local towns = { "Villaluna", "Puerto Alto", "Sotomonte", "Ribera", "Castroviejo", "Las Peñas" }
  local firms = { "Tejidos Luna", "Banco del Sur", "Radio Marea", "Aceros Norte" }
  local moulds = { "PER viajó a LOC con PER .", "El director de ORG , PER , habló en LOC .",
    "Ayer llovió en LOC .", "ORG vende su fábrica de LOC a ORG .", "PER trabaja en ORG .",
    "Nadie vio el partido .", "¿ Quién llamó a PER ?" }
  local state = options.seed
  local function pick(list, first, last)
    state = (state * 1103515245 + 12345) % 2 ^ 31 // 1
    return list[first + state // 65536 % (last - first + 1)]
  end
  local function part(count, from, to)
    local function some(list)
      return pick(list, 1 + math.floor(from * #list), math.floor(to * #list))
    end
    local fill = { PER = function() return some(people) .. " " .. some(families) end,
      LOC = function() return some(towns) end, ORG = function() return some(firms) end }
    local result = { sentences = {}, tags = {} }
    for i = 1, count do
      local words, tags = {}, {}
      for piece in pick(moulds, 1, #moulds):gmatch("%S+") do
        local mark = fill[piece] and "B-" or "O"
        for word in (fill[piece] and fill[piece]() or piece):gmatch("%S+") do
          words[#words + 1] = word
          tags[#tags + 1] = mark == "O" and mark or mark .. piece
          if mark == "B-" then mark = "I-" end
        end
      end
      result.sentences[i], result.tags[i] = words, tags
    end
    return result
  end
  return { train = part(300, 0, 0.75), valid = part(60, 0, 0.75), test = part(60, 0.5, 1) }
end

local corpus
if made_up then
  if options.task == "speech" then error("--task speech needs --data", 0) end
  corpus = invent()
else
  corpus = assert(marea.corpora[tasks[options.task]]{ dir = options.data })
end
for _, part in pairs(corpus) do
  for _, list in pairs{ part.sentences, part.tags } do
    for i = #list, math.min(#list, options.limit) + 1, -1 do list[i] = nil end
  end
end
say("%d sentences to learn from, %d to choose by, %d to be judged by", #corpus.train.sentences,
  #corpus.valid.sentences, #corpus.test.sentences)

-- A few sentences of the news begin a name with I-; the scorer reads that as B-, and so does the CRF.
for _, part in pairs(corpus) do
  for _, tags in ipairs(options.task == "names" and part.tags or {}) do
    for _, entity in ipairs(marea.chunks.read(tags)) do tags[entity.first] = "B-" .. entity.kind end
  end
end

-- Words as features ------------------------------------------------------------------------------

local function letters(word, from, to)
  local length = utf8.len(word) or #word
  if not utf8.len(word) then return word:sub(from, to) end
  from, to = from < 0 and math.max(length + from + 1, 1) or from, to < 0 and length or math.min(to, length)
  return word:sub(utf8.offset(word, from), utf8.offset(word, to + 1) - 1)
end

-- Runs of capitals, small letters, digits and marks: "Nº-12b" → "Xx-9x".
local function shape_of(word, lower)
  local kinds = {}
  local small = {}
  for _, code in utf8.codes(lower, true) do small[#small + 1] = code end
  local place = 0
  for _, code in utf8.codes(word, true) do
    place = place + 1
    local c = utf8.char(code)
    local kind = c:find("^%d$") and "9" or c:find("^[%p]$") and c
      or (small[place] == code and "x" or "X")
    if kind ~= kinds[#kinds] then kinds[#kinds + 1] = kind end
  end
  return table.concat(kinds)
end

-- All words of a sentence in lower case, by the rules of Unicode.
local function lowered(words)
  local list = marea.text.text_to_word_sequence(table.concat(words, "\n"), { filters = "", split = "\n" })
  if #list ~= #words then error("a word without letters in: " .. table.concat(words, " "), 0) end
  return list
end

local function features(word, lower)
  return { lower, letters(lower, 1, 1), letters(lower, 1, 2), letters(lower, 1, 3), letters(lower, -1, -1),
    letters(lower, -2, -1), letters(lower, -3, -1), shape_of(word, lower) }
end
local widths <const> = { 100, 8, 12, 16, 8, 16, 24, 16 }

-- The features of all words, as strings; ids by feature from what the training part has twice.
for _, part in pairs(corpus) do
  part.features = {}
  for i, words in ipairs(part.sentences) do
    local lower, row = lowered(words), {}
    for t, word in ipairs(words) do row[t] = features(word, lower[t]) end
    part.features[i] = row
  end
end

local tables, sizes = {}, {} -- feature → value → id; 0 pads, 1 is unknown
for f = 1, #widths do
  local counts = {}
  for _, row in ipairs(corpus.train.features) do
    for _, word in ipairs(row) do counts[word[f]] = (counts[word[f]] or 0) + 1 end
  end
  local values = {}
  for value, count in pairs(counts) do if count > 1 then values[#values + 1] = value end end
  table.sort(values)
  tables[f], sizes[f] = {}, #values + 2
  for i, value in ipairs(values) do tables[f][value] = i + 1 end
end

local names, tag_ids = {}, {}
for _, tags in ipairs(corpus.train.tags) do
  for _, tag in ipairs(tags) do
    if not tag_ids[tag] then
      names[#names + 1] = tag
      tag_ids[tag] = true
    end
  end
end
table.sort(names)
for i, name in ipairs(names) do tag_ids[name] = i - 1 end
say("%d different words in the table, %d tags", sizes[1] - 2, #names)

-- Batches of like lengths ------------------------------------------------------------------------

local function make_batch(part, list)
  local longest, lengths, x, y = 0, {}, {}, {}
  for b, i in ipairs(list) do
    lengths[b] = #part.sentences[i]
    longest = math.max(longest, lengths[b])
  end
  for b, i in ipairs(list) do
    x[b], y[b] = {}, {}
    for t = 1, longest do
      local word = part.features[i][t]
      x[b][t] = {}
      for f = 1, #widths do x[b][t][f] = word and (tables[f][word[f]] or 1) or 0 end
      y[b][t] = tag_ids[part.tags[i][t]] or 0
    end
  end
  return { x = marea.tensor(x, { dtype = "int32" }), y = marea.tensor(y, { dtype = "int32" }),
    lengths = marea.tensor(lengths, { dtype = "int32" }), list = list }
end

local function batches(part, size)
  local places, result = {}, {}
  for i = 1, #part.sentences do places[i] = i end
  table.sort(places, function(a, b)
    local one, two = #part.sentences[a], #part.sentences[b]
    if one ~= two then return one < two end
    return a < b
  end)
  for first = 1, #places, size do
    result[#result + 1] = make_batch(part, table.move(places, first, math.min(first + size - 1, #places),
      1, {}))
  end
  return result
end

local parts = { train = batches(corpus.train, 16), valid = batches(corpus.valid, 64),
  test = batches(corpus.test, 64) }

-- The network ------------------------------------------------------------------------------------

-- Several ids a step, each with a table of its own, side by side: (B, T, F) → (B, T, sum of widths).
local FeatureEmbedding = nn.Layer:extend("FeatureEmbedding", {
  options = { sizes = {}, widths = {}, word_dropout = 0 },
  masking = "pass",
  build = function(self)
    self.tables = {}
    for f, size in ipairs(self.sizes) do
      self.tables[f] = self:add_weight{ name = "table_" .. f, shape = { size, self.widths[f] },
        initializer = "uniform" }
    end
  end,
  call = function(self, x, call)
    local list = {}
    for f, weights in ipairs(self.tables) do list[f] = weights:embedding(x:select(3, f)) end
    if call.training and self.word_dropout > 0 then
      local kept = marea.rand{ x:size(1), x:size(2), 1 }:greater(self.word_dropout)
      list[1] = list[1] * kept
    end
    return marea.concat(list, 3)
  end,
  output_shape = function(self, shape)
    local width = 0
    for _, w in ipairs(self.widths) do width = width + w end
    return { shape[1], shape[2], width }
  end,
})

local function network(top)
  return marea.Sequential{ FeatureEmbedding{ sizes = sizes, widths = widths, word_dropout = 0.3 },
    nn.SpatialDropout1D{ 0.3 }, nn.Bidirectional{ nn.LSTM{ units, return_sequences = true } },
    nn.Dropout{ 0.4 }, nn.Dense{ #names }, top }
end

-- Tags of a part by name, in the order of its sentences.
local function tags_of(model, part, choose)
  local result = {}
  for _, batch in ipairs(part) do
    local _ <close> = marea.tape()
    marea.no_grad(function()
      local ids = choose(model(batch.x, { lengths = batch.lengths, training = false }), batch):totable()
      for b, i in ipairs(batch.list) do
        result[i] = {}
        for t = 1, batch.lengths:get(b) do result[i][t] = names[ids[b][t] + 1] end
      end
    end)
  end
  return result
end

local function accuracy(truth, found)
  local right, total = 0, 0
  for i, tags in ipairs(truth) do
    for t, tag in ipairs(tags) do
      total = total + 1
      right = right + (found[i][t] == tag and 1 or 0)
    end
  end
  return right / total
end

local function quality(truth, found)
  if options.task == "speech" then return accuracy(truth, found) end
  return marea.chunks.score(truth, found).f1
end

local function train(title, model, loss_of, choose)
  marea.manual_seed(options.seed)
  local optimizer = marea.optim.Adam{ global_clipnorm = 5,
    learning_rate = marea.optim.schedules.CosineDecay{ 0.003, epochs * #parts.train } }
  optimizer:build(model)
  local best, best_found = -1, nil
  for epoch = 1, epochs do
    local total = 0
    for _, place in ipairs(marea.stream:permutation(#parts.train):totable()) do
      local batch = parts.train[place + 1]
      local tape <close> = marea.tape()
      local loss = loss_of(model(batch.x, { lengths = batch.lengths }), batch)
      tape:backward(loss)
      optimizer:step()
      total = total + loss:item()
    end
    local reached = quality(corpus.valid.tags, tags_of(model, parts.valid, choose))
    if reached > best then
      best, best_found = reached, tags_of(model, parts.test, choose)
    end
    say("%s, epoch %d: loss %.4f, validation %.2f%%", title, epoch, total / #parts.train, 100 * reached)
  end
  return best_found
end

local function mask_of(batch)
  local steps = marea.arange(0, batch.x:size(2) - 1):reshape{ 1, -1 }
  return steps:less(batch.lengths:cast("real"):reshape{ -1, 1 })
end

marea.manual_seed(options.seed)
local each = marea.losses.SparseCategoricalCrossentropy{ from_logits = true }
local plain = train("without CRF", network(nn.Activation{ "linear" }),
  function(p, batch) return each(batch.y, p, { mask = mask_of(batch) }) end,
  function(p) return (p:argmax(3):cast("real") - 1):cast("int32") end) -- ids count from 0

marea.manual_seed(options.seed)
local crf = nn.CRF{ names, constraint = options.task == "names" and "iob2" or nil }
local loss = crf:loss()
local together = train("with CRF", network(crf),
  function(p, batch) return loss(batch.y, p, { mask = mask_of(batch) }) end,
  function(p, batch) return crf:decode(p, { lengths = batch.lengths }) end)

print(("\n%-14s %10s %10s"):format("on the test", "accuracy", options.task == "names" and "F1" or ""))
for _, row in ipairs{ { "without CRF", plain }, { "with CRF", together } } do
  local f1 = options.task == "names"
    and ("%9.2f%%"):format(100 * marea.chunks.score(corpus.test.tags, row[2]).f1) or ""
  print(("%-14s %9.2f%% %s"):format(row[1], 100 * accuracy(corpus.test.tags, row[2]), f1))
end
if options.task == "names" then
  print("\nWith CRF:\n" .. tostring(marea.chunks.score(corpus.test.tags, together)))
end
local shown = {}
for t, word in ipairs(corpus.test.sentences[1]) do shown[t] = word .. "/" .. together[1][t] end
print("\n" .. table.concat(shown, " "))
