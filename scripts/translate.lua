-- English into Spanish or back, word by word: an encoder–decoder that must put the whole sentence
-- into one vector, beside the same with attention, which looks back at the words.
--
-- Usage: marea scripts/translate.lua [options]
--   --data DIR      folder of spa-eng/; also the variable MAREA_DATA. Without it: the 480 short pairs
--                   that come with Marea
--   --direction D   en-es (default) or es-en
--   --pairs N       use only N sentence pairs, drawn at random; 0: all that fit (60000)
--   --longest N     most words of a sentence, marks counted (default 8; Marea's pairs: 12)
--   --epochs N      passes over the training part (default 8; Marea's pairs: 60)
--   --units N       units of the LSTMs (default 128; Marea's pairs: 64)
--   --attention A   general (default) or additive
--   --rate R        learning rate of the first step (default 0.01); half a cosine takes it to 0
--   --seed N        seed of all random numbers (default 1)
--   --picture FILE  the alignment of a sentence as a picture, .png or .svg
--
-- The test part has every twentieth sentence (Marea's pairs: tenth) with all its translations: no
-- source of it was learnt from, and each translation counts as a reference. Words that occur once
-- are unknown (not so in Marea's pairs).
-- Times are of the processor, over all threads.
local marea = require "marea"
local metrics = marea.metrics

local options = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua"){ direction = "en-es",
  pairs = 60000, longest = 0, epochs = 0, units = 0, rate = "0.01", seed = 1, attention = "general",
  picture = "", data = os.getenv("MAREA_DATA") or "" }
if options.direction ~= "en-es" and options.direction ~= "es-en" then
  error("--direction must be en-es or es-en", 0)
end
if options.attention ~= "general" and options.attention ~= "additive" then
  error("--attention must be general or additive", 0)
end
local own = options.data == ""
local rate = tonumber(options.rate)
if not rate or rate <= 0 then error("--rate must be a number above 0", 0) end
local epochs = options.epochs > 0 and options.epochs or (own and 60 or 8)
local longest = options.longest > 0 and options.longest or (own and 12 or 8)
local units = options.units > 0 and options.units or (own and 64 or 128)
marea.manual_seed(options.seed)

local function say(format, ...)
  print(("%6.1f s  "):format(os.clock()) .. format:format(...))
end

-- Sentences ---------------------------------------------------------------------------------------

local corpus = own and assert(marea.corpora.sentence_pairs())
  or assert(marea.corpora.spa_eng{ dir = options.data })
local sources, targets = corpus.train.texts, corpus.train.targets
if options.direction == "es-en" then sources, targets = targets, sources end

-- Words and marks, each a token: "¿Qué tal?" → ¿ qué tal ?
local function reader()
  return marea.text.Pipeline{ normalize = { "nfc", "lower" },
    split = { { "words", punctuation = "keep" } }, min_count = own and 1 or 2 }
end
local read_source, read_target = reader(), reader()

-- Every sentence once, with its translations as tokens: { text, length, translations, references }.
local function gather()
  local list, known, kept = {}, {}, 0
  for _, place in ipairs(marea.stream:permutation(#sources):totable()) do
    local text, translation = sources[place + 1], targets[place + 1]
    local said, words = read_source:tokens(text), read_target:tokens(translation)
    if #said > 0 and #said <= longest and #words > 0 and #words <= longest then
      local item = known[text]
      if not item then
        item = { text = text, length = #said, translations = {}, references = {} }
        known[text], list[#list + 1] = item, item
      end
      table.insert(item.translations, translation)
      table.insert(item.references, table.concat(words, " "))
      kept = kept + 1
    end
    if kept == options.pairs then break end
  end
  return list
end

local function split(list)
  local train, test = { sources = {}, targets = {} }, {}
  for i, item in ipairs(list) do
    if i % (own and 10 or 20) == 0 then
      test[#test + 1] = item
    else
      for _, translation in ipairs(item.translations) do
        table.insert(train.sources, item.text)
        table.insert(train.targets, translation)
      end
    end
  end
  return train, test
end

local train, test = split(gather())
if #test == 0 then
  error("there are too few sentences; give more --pairs, or a larger --longest", 0)
end
read_source:fit(train.sources)
read_target:fit(train.targets)
if own then
  print("The short pairs that come with Marea (set MAREA_DATA or give --data for real ones)")
end
say("%d pairs to learn from, %d sentences to be judged by; %d words of the source, %d of the target",
  #train.sources, #test, read_source:id_count(), read_target:id_count())

local questions, answers, references = {}, {}, {}
for i, item in ipairs(test) do
  questions[i], answers[i], references[i] = item.text, item.translations[1], item.references
end

-- Two models --------------------------------------------------------------------------------------

local function learn(attention)
  marea.manual_seed(options.seed)
  local size = own and 16 or 64
  local model = marea.builders.encoder_decoder{
    source = { tokenizer = read_source, embedding = units },
    target = { tokenizer = read_target, embedding = units }, units = units, attention = attention,
    bidirectional = true, dropout = 0.2, max_length = longest }
  local schedule = marea.optim.schedules.CosineDecay{ rate,
    math.ceil(#train.sources / size) * epochs }
  model:compile{ optimizer = marea.optim.Adam{ schedule, global_clipnorm = 5 }, metrics = { "accuracy" } }
  local before = os.clock()
  local history = model:fit(train.sources, train.targets, { epochs = epochs, batch_size = size,
    bucket_by_length = true, verbose = 0 })
  local seconds = os.clock() - before
  local judged = model:evaluate(questions, answers, { batch_size = 64 })
  return { model = model, seconds = seconds, parameters = (model:count_params()), judged = judged,
    loss = history.loss[#history.loss], said = model:decode(questions) }
end

local function is_exact(said, known)
  for _, reference in ipairs(known) do
    if said == reference then return true end
  end
  return false
end

-- BLEU and the share of exact translations over the sentences that `keep` chooses.
local function score(said, keep)
  local chosen, known, exact = {}, {}, 0
  for i, item in ipairs(test) do
    if keep(item) then
      chosen[#chosen + 1], known[#known + 1] = said[i], references[i]
      if is_exact(said[i], references[i]) then exact = exact + 1 end
    end
  end
  if #chosen == 0 then return nil end
  return { count = #chosen, bleu = metrics.bleu(chosen, known, { smooth = true }),
    exact = 100 * exact / #chosen }
end

local plain = learn(false)
say("without attention: %d epochs, %.0f s", epochs, plain.seconds)
local attending = learn(options.attention)
say("with attention: %d epochs, %.0f s", epochs, attending.seconds)

-- Tables ------------------------------------------------------------------------------------------

local function all() return true end

print(("\n%-20s %9s %7s %7s %9s %6s %8s %8s"):format("", "weights", "learnt", "test", "accuracy",
  "BLEU", "exact %", "seconds"))
for _, row in ipairs{ { "without attention", plain }, { "with attention", attending } } do
  local run = row[2]
  local total = score(run.said, all)
  print(("%-20s %9d %7.3f %7.3f %9.4f %6.1f %8.1f %8.0f"):format(row[1], run.parameters, run.loss,
    run.judged.loss, run.judged.accuracy, total.bleu, total.exact, run.seconds))
end
print("(learnt, test: loss a word; accuracy: of words, the words before them given)")

print(("\n%-20s %9s %21s %21s"):format("words of the source", "sentences", "BLEU without / with",
  "exact % without / with"))
for _, range in ipairs{ { 1, 4 }, { 5, 6 }, { 7, 8 }, { 9, math.maxinteger } } do
  local function within(item) return item.length >= range[1] and item.length <= range[2] end
  local without, with = score(plain.said, within), score(attending.said, within)
  if without then
    local last = range[2] < math.maxinteger and "to " .. range[2] or "and more"
    print(("%-20s %9d %14.1f / %-5.1f %15.1f / %-5.1f"):format(range[1] .. " " .. last,
      without.count, without.bleu, with.bleu, without.exact, with.exact))
  end
end

print("\nTen sentences")
for i = 1, math.min(10, #test) do
  print(("  %s\n    right:     %s\n    without:   %s\n    attention: %s"):format(questions[i],
    references[i][1], plain.said[i], attending.said[i]))
end

-- Where attention looks ---------------------------------------------------------------------------

-- A sentence of some length that is translated well, else the first.
local function choose()
  local best = 1
  for i, item in ipairs(test) do
    local right = is_exact(attending.said[i], references[i])
    if right and item.length > test[best].length then best = i end
  end
  return best
end

local chosen = choose()
local _, seen = attending.model:decode({ questions[chosen] }, { attention = true })
local map = { rows = {}, columns = read_source:tokens(questions[chosen]), low = 0, high = 1 }
for word in attending.said[chosen]:gmatch("%S+") do map.rows[#map.rows + 1] = word end
if #map.rows > 0 and #map.rows == #seen[1] then
  print(("\nWhere attention looks: %s → %s"):format(questions[chosen], attending.said[chosen]))
  print(marea.plot.heat_map(seen[1], map))
  if options.picture ~= "" then
    map.path, map.title = options.picture, questions[chosen]
    assert(marea.plot.heat_map(seen[1], map))
    say("picture: %s", options.picture)
  end
end
