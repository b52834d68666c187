-- Part 2 of the course: word vectors from a corpus, by GloVe, and the questions one asks them.
--
-- Usage: marea scripts/word_vectors.lua [options]
--   --corpus FILE     text, plain or gzip, a document a line
--   --data DIR        without --corpus: text8-head (en) or es-quijote (es) in this folder; also the
--                     variable MAREA_DATA. Without both: the reviews that come with Marea, a very small
--                     corpus
--   --language en|es  which questions (default en)
--   --size N          numbers a word (default 50)
--   --window N        words to each side (default 10)
--   --iterations N    (default 25)
--   --seed N          (default 1)
--   --save FILE       keeps the vectors
-- The same questions go to the vectors that come with Marea: they have read far more.
local marea = require "marea"
local corpora = marea.corpora
local read = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua")

local options = read{ corpus = "", data = os.getenv("MAREA_DATA") or "", language = "en", size = 50,
  window = 10, iterations = 25, seed = 1, save = "" }

-- What is asked --------------------------------------------------------------------------------------

local english = {
  neighbours = { "king", "film", "water", "story" },
  -- a is to b as c is to d
  analogies = { { "man", "king", "woman", "queen" }, { "man", "father", "woman", "mother" },
    { "france", "paris", "germany", "berlin" }, { "good", "better", "bad", "worse" },
    { "car", "cars", "film", "films" }, { "write", "wrote", "take", "took" } },
  directions = {
    { "gender", { { "man", "woman" }, { "king", "queen" }, { "father", "mother" },
      { "son", "daughter" } },
      { "brother", "sister", "boy", "girl", "husband", "wife" } },
    { "number", { { "film", "films" }, { "car", "cars" }, { "year", "years" }, { "word", "words" } },
      { "book", "books", "city", "cities", "day", "days" } },
    { "verb form", { { "take", "took" }, { "make", "made" }, { "go", "went" }, { "see", "saw" } },
      { "write", "wrote", "come", "came", "find", "found" } },
  },
  odd = { { "breakfast", "lunch", "dinner", "violin" }, { "king", "queen", "prince", "water" },
    { "red", "green", "blue", "monday" }, { "film", "movie", "actor", "river" } },
  similarity = { { "king", "queen" }, { "good", "bad" }, { "film", "movie" }, { "film", "river" } },
}
local spanish = {
  neighbours = { "rey", "película", "agua", "historia" },
  analogies = { { "hombre", "rey", "mujer", "reina" }, { "hombre", "padre", "mujer", "madre" },
    { "hermano", "hermana", "hijo", "hija" }, { "casa", "casas", "libro", "libros" },
    { "hablar", "habló", "mirar", "miró" }, { "bueno", "buena", "malo", "mala" } },
  directions = {
    { "género", { { "hombre", "mujer" }, { "rey", "reina" }, { "padre", "madre" },
      { "hijo", "hija" } },
      { "hermano", "hermana", "tío", "tía", "duque", "duquesa" } },
    { "número", { { "casa", "casas" }, { "ojo", "ojos" }, { "mano", "manos" }, { "día", "días" } },
      { "libro", "libros", "noche", "noches", "palabra", "palabras" } },
    { "forma del verbo", { { "hablar", "habló" }, { "mirar", "miró" }, { "llegar", "llegó" },
      { "salir", "salió" } }, { "entrar", "entró", "volver", "volvió", "comer", "comió" } },
  },
  odd = { { "desayuno", "almuerzo", "cena", "violín" }, { "rey", "reina", "príncipe", "agua" },
    { "rojo", "verde", "azul", "lunes" }, { "caballero", "escudero", "lanza", "queso" } },
  similarity = { { "rey", "reina" }, { "bueno", "malo" }, { "padre", "madre" }, { "padre", "río" } },
}
local questions = ({ en = english, es = spanish })[options.language]
  or error("--language is en or es, got " .. options.language, 0)

-- The corpus -----------------------------------------------------------------------------------------

local function pick_corpus()
  if options.corpus ~= "" then return options.corpus, options.corpus end
  if options.data == "" then
    local set = assert(corpora.reviews{ language = options.language })
    return table.move(set.test.texts, 1, #set.test.texts, #set.train.texts + 1, set.train.texts),
      "the reviews that come with Marea"
  end
  local name = options.language == "en" and "text8_head" or "es_quijote"
  return assert(corpora[name]{ dir = options.data }).train.texts, name
end

local corpus, name = pick_corpus()
local analogies_path = options.data .. "/analogies/questions-words.txt.gz"
local file <close> = options.language == "en" and io.open(analogies_path) or nil
local judged = file ~= nil

-- Training -------------------------------------------------------------------------------------------

-- The cost falls from one iteration to the next; what the vectors are good for, analogies tell.
local function watch(info)
  if not judged or info.iteration % 5 ~= 0 then return end
  local score = assert(info.vectors():evaluate_analogies(analogies_path))
  print(("  analogies so far: %.1f %% of %d"):format(100 * score.accuracy, score.total))
end

print("GloVe on " .. name)
local vectors, training = assert(marea.embeddings.train_glove(corpus, { vector_size = options.size,
  window_size = options.window, iter = options.iterations, x_max = 10, seed = options.seed,
  verbose = 1, on_iteration = watch }))
if #vectors == 0 then error("the corpus has no words", 0) end
if #training.costs > 1 then
  print(marea.plot.curves({ cost = training.costs }, { title = "cost", height = 10 }))
end
local shipped = assert(corpora.vectors(options.language))

-- Questions ------------------------------------------------------------------------------------------

local function knows(store, words)
  for _, word in ipairs(words) do
    if not store:has(word) then return false, word end
  end
  return true
end

-- Runs f for our vectors and for the shipped ones, and prints what they say side by side.
local function ask(what, words, f)
  local answers = {}
  for i, store in ipairs{ vectors, shipped } do
    local all, missing = knows(store, words)
    answers[i] = all and f(store) or ('"%s" is unknown'):format(missing)
  end
  local gap = (" "):rep(math.max(1, 34 - utf8.len(what)))
  print("  " .. what .. gap .. answers[1] .. (" "):rep(math.max(2, 38 - utf8.len(answers[1])))
    .. answers[2])
end

local function heading(text)
  print(("\n%s%strained here%s%s"):format(text, (" "):rep(math.max(1, 36 - utf8.len(text))),
    (" "):rep(26), "shipped with Marea"))
end

for i, store in ipairs{ vectors, shipped } do
  local columns = {}
  for _, word in ipairs(questions.neighbours) do
    if store:has(word) then
      columns[#columns + 1] = { word, store:most_similar{ positive = word, topn = 6 } }
    end
  end
  print(("\nNeighbours, %s: %d words"):format(i == 1 and "trained here" or "shipped", #store))
  print(marea.plot.neighbours(columns))
end

heading("Cosines")
for _, pair in ipairs(questions.similarity) do
  ask(table.concat(pair, ", "), pair, function(store)
    return ("%.3f"):format(store:similarity(pair[1], pair[2]))
  end)
end

-- b - a + c: the three nearest, the right one in brackets; or where it stands.
heading("Analogies")
local right, asked = { 0, 0 }, { 0, 0 }
for _, q in ipairs(questions.analogies) do
  ask(("%s - %s + %s = %s?"):format(q[2], q[1], q[3], q[4]), q, function(store)
    local which, words, place = store == vectors and 1 or 2, {}, nil
    for i, item in ipairs(store:analogy(q[1], q[2], q[3], { topn = 1000 })) do
      local hit = item.word == q[4]
      if hit then place = i end
      if i <= 3 then words[i] = hit and "[" .. item.word .. "]" or item.word end
    end
    asked[which] = asked[which] + 1
    if place == 1 then right[which] = right[which] + 1 end
    local where = place and place > 3 and (" (no. %d)"):format(place) or ""
    return table.concat(words, " ") .. where
  end)
end
print(("  right: %d of %d, shipped %d of %d"):format(right[1], asked[1], right[2], asked[2]))

-- The mean difference of some pairs is an axis; other pairs should lie along it, in the same order.
heading("Directions")
for _, direction in ipairs(questions.directions) do
  local words = {}
  for _, pair in ipairs(direction[2]) do table.move(pair, 1, 2, #words + 1, words) end
  for i = 1, #direction[3], 2 do
    local pair = { direction[3][i], direction[3][i + 1] }
    local needed = table.move(pair, 1, 2, #words + 1, table.move(words, 1, #words, 1, {}))
    ask(("%s: %s → %s"):format(direction[1], pair[1], pair[2]), needed, function(store)
      local along = store:project(pair, direction[2])
      return ("%+.2f → %+.2f %s"):format(along[1], along[2], along[2] > along[1] and "yes" or "no")
    end)
  end
end

heading("Which one does not belong?")
for _, words in ipairs(questions.odd) do
  ask(table.concat(words, " "), words, function(store)
    local odd, how = store:doesnt_match(words)
    return ("%s (margin %.2f)"):format(odd, how.margin)
  end)
end

-- Scores ---------------------------------------------------------------------------------------------

if judged then
  print("\nScores (questions whose words are all known)")
  for i, store in ipairs{ vectors, shipped } do
    local a = assert(store:evaluate_analogies(analogies_path))
    local p = assert(store:evaluate_pairs(options.data .. "/wordsim/wordsim353.tsv"))
    print(("  %-12s analogies: %.1f %% semantic, %.1f %% syntactic of %d; WordSim-353: %.3f on %d")
      :format(i == 1 and "trained here" or "shipped", 100 * a.semantic.accuracy,
        100 * a.syntactic.accuracy, a.total, p.spearman, p.pairs))
  end
end
if options.save ~= "" then
  assert(vectors:save(options.save))
  print("\nwritten: " .. options.save)
end
