-- Makes the word vectors that come with Marea (corpora/vectors_en.safetensors, vectors_es…), rows of
-- bytes: skip-gram by marea.embeddings.train_word2vec, on texts that may be passed on.
--
-- Usage: MAREA_ISA=baseline marea scripts/make_vectors.lua en|es [--data DIR] [--output FILE]
--          [--size N] [--words N] [--epochs N] [--limit N]
--   --data     the folder with the texts (default: the variable MAREA_DATA); scripts/corpus fetches
--              them: en: text8-head spa-eng ud-english-ewt movie-reviews-v2;
--              es: es-quijote es-novels spa-eng
--   --output   default corpora/vectors_LANGUAGE.safetensors
--   --limit    only so many texts of each set (to try things out)
-- The same texts give the same file, bit for bit, on any number of threads; MAREA_ISA=baseline makes
-- processors of different age round alike. What the vectors are worth is printed at the end.
local marea = require "marea"
local corpora, embeddings = marea.corpora, marea.embeddings

local read = dofile((arg[0]:match("^.*/") or "") .. "arguments.lua")

local options = read{ data = os.getenv("MAREA_DATA") or "", output = "", size = 80, words = 16000,
  epochs = 15, limit = 0 }
local language = options[1]
if language ~= "en" and language ~= "es" then
  error("expected the language, en or es (see the top of the script)", 0)
end
if options.output == "" then options.output = ("corpora/vectors_%s.safetensors"):format(language) end

-- The part of text8 that is read, where the whole lies there too.
local TEXT8_HEAD <const> = 6877824

local where = { dir = options.data ~= "" and options.data or nil }

-- The texts ------------------------------------------------------------------------------------------

-- A sentence of Tatoeba stands once for each of its translations; here once.
local function distinct(list)
  local seen, texts = {}, {}
  for _, text in ipairs(list) do
    if not seen[text] then texts[#texts + 1] = text end
    seen[text] = true
  end
  return texts
end

local function sentences_of_ewt()
  local set = assert(corpora.ud_english_ewt(where))
  local texts = {}
  for _, part in ipairs{ "train", "valid", "test" } do
    table.move(set[part].texts, 1, #set[part].texts, #texts + 1, texts)
  end
  return texts
end

-- Name, licence, a function that gives the list of texts.
local sets = {
  en = {
    { "text8-head (Wikipedia, 2006)", "CC BY-SA",
      function() return { assert(corpora.text8_head(where)).text:sub(1, TEXT8_HEAD) } end },
    { "spa-eng (Tatoeba, English side)", "CC BY 2.0",
      function() return distinct(assert(corpora.spa_eng(where)).train.texts) end },
    { "ud-english-ewt", "CC BY-SA 4.0", sentences_of_ewt },
    { "movie-reviews-v2 (Pang & Lee, 2004; without the labels)", "CC BY 4.0, as distributed by NLTK",
      function() return assert(corpora.movie_reviews(where)).all.texts end },
  },
  es = {
    { "es-quijote (Project Gutenberg no. 2000)", "public domain",
      function() return assert(corpora.es_quijote(where)).train.texts end },
    { "es-novels (63 novels, 1880-1940, collected by CLiGS)", "public domain; collection CC BY 4.0",
      function() return assert(corpora.es_novels(where)).train.texts end },
    { "spa-eng (Tatoeba, Spanish side)", "CC BY 2.0",
      function() return distinct(assert(corpora.spa_eng(where)).train.targets) end },
  },
}
local licences = { en = "CC BY-SA 4.0", es = "CC BY 4.0" }

local texts, sources = {}, {}
for _, set in ipairs(sets[language]) do
  local own = set[3]()
  local count = options.limit > 0 and math.min(#own, options.limit) or #own
  table.move(own, 1, count, #texts + 1, texts)
  sources[#sources + 1] = ("%s: %s"):format(set[1], set[2])
  print(("%7d texts of %s, %s"):format(count, set[1], set[2]))
end

-- Training -------------------------------------------------------------------------------------------

-- Small texts want many epochs, and frequent words left out often: then the window reaches further.
local settings = { model = "skipgram", vector_size = options.size, window_size = 5, negative = 5,
  sample = 1e-4, epochs = options.epochs, min_count = 5, max_vocab = options.words, seed = 1,
  verbose = 1 }
local start = marea.clock()
local vectors, training = assert(embeddings.train_word2vec(texts, settings))
local tokens = 0
for rank = 1, #training.vocabulary do
  tokens = tokens + training.vocabulary:count(training.words[rank])
end
print(("%d words, %d of the corpus's words are among them; %.1f s"):format(#vectors, tokens,
  marea.clock() - start))

-- Rows of length 1: in a row of bytes each number gets the same share of the range.
vectors = vectors:normalised()
vectors.card = {
  language = language,
  made_by = "Marea, scripts/make_vectors.lua " .. language,
  method = ("skip-gram, %d numbers a word, window %d, %d negatives, sample %g, %d epochs, seed %d; "
    .. "rows at length 1, in bytes"):format(settings.vector_size, settings.window_size,
    settings.negative, settings.sample, settings.epochs, settings.seed),
  texts = table.concat(sources, "; "), tokens = tostring(tokens),
  licence = licences[language],
}
assert(vectors:save(options.output, { type = "int8" }))
vectors = assert(embeddings.load(options.output))
print(vectors)

-- What they are worth --------------------------------------------------------------------------------

-- Pairs that differ in one respect. Every two pairs of a group make a question (and its mirror).
local groups = {
  es = {
    { "género", "rey reina hombre mujer padre madre hijo hija hermano hermana tío tía abuelo abuela "
      .. "niño niña marido esposa príncipe princesa actor actriz duque duquesa muchacho muchacha" },
    { "número", "casa casas libro libros ojo ojos mano manos mujer mujeres hombre hombres flor flores "
      .. "árbol árboles ciudad ciudades noche noches palabra palabras" },
    { "verbo: infinitivo, pasado", "hablar habló mirar miró llegar llegó salir salió comer comió "
      .. "vivir vivió escribir escribió llorar lloró cantar cantó entrar entró" },
    { "verbo: singular, plural", "habla hablan canta cantan tiene tienen sabe saben viene vienen "
      .. "quiere quieren puede pueden está están" },
    { "adjetivo: contrarios", "bueno malo grande pequeño alto bajo rico pobre joven viejo alegre triste "
      .. "fuerte débil" },
  },
  en = {
    { "gender", "king queen man woman father mother son daughter brother sister boy girl husband wife "
      .. "prince princess actor actress uncle aunt" },
    { "opposites", "good bad large small high low rich poor young old happy sad strong weak" },
  },
}

-- Writes the questions as a file that `evaluate_analogies` reads.
local function question_file(list)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  for _, group in ipairs(list) do
    file:write(": ", group[1], "\n")
    local words = {}
    for word in group[2]:gmatch("%S+") do words[#words + 1] = word end
    for i = 1, #words, 2 do
      for j = 1, #words, 2 do
        if i ~= j then
          file:write(words[i], " ", words[i + 1], " ", words[j], " ", words[j + 1], "\n")
        end
      end
    end
  end
  file:close()
  return path
end

local function show(name, score)
  print(("  %-28s %4d of %5d  %5.1f %%"):format(name, score.correct, score.total,
    100 * score.accuracy))
end

local path = question_file(groups[language])
print("analogies of our own pairs (3CosAdd):")
local result = assert(vectors:evaluate_analogies(path))
os.remove(path)
for _, section in ipairs(result.sections) do show(section.name, section) end
show("all", result)
if language == "en" then
  local published = assert(vectors:evaluate_analogies(options.data
    .. "/analogies/questions-words.txt.gz"))
  print("analogies of Mikolov et al. (2013), those whose words there are:")
  show("semantic", published.semantic)
  show("syntactic", published.syntactic)
  for _, name in ipairs{ "wordsim353", "simlex999" } do
    local pairs_ = assert(vectors:evaluate_pairs(("%s/wordsim/%s.tsv"):format(options.data, name)))
    print(("%s: Spearman %.3f on %d pairs"):format(name, pairs_.spearman, pairs_.pairs))
  end
end
print("written: " .. options.output)
