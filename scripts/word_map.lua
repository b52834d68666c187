-- A map of words: food, animals and verbs in two dimensions, by t-SNE from published vectors.
--
-- Usage: marea scripts/word_map.lua [--vectors FILE] [--picture FILE.png|.svg] [--page FILE.html]
--   --vectors   GloVe, word2vec or fastText, plain or gzip; without it the GloVe file of 10,000 words
--               in the folder that the variable MAREA_DATA names
-- Words of a kind should lie together: nobody told the vectors what food is; it follows from the
-- company that words keep. How far apart the groups lie says nothing: see the last line.
local marea = require "marea"

local options = {}
for i = 1, #arg, 2 do options[arg[i]:match("^%-%-(%a+)$") or ""] = arg[i + 1] end
local path = options.vectors or (os.getenv("MAREA_DATA") or "")
  .. "/glove/glove.6B.50d.top10000.txt.gz"

local kinds = {
  food = "bread cheese wine beer rice meat fish fruit sugar milk butter chicken beef salt coffee tea",
  animal = "dog cat horse cow sheep pig bird wolf bear lion tiger snake mouse rabbit elephant whale",
  verb = "walk run eat drink sleep write read speak listen think know give take buy sell build",
}

local vectors, message = marea.embeddings.load(path)
if not vectors then
  io.stderr:write(message, "\nGive a file of vectors with --vectors, or fetch one: scripts/corpus list\n")
  os.exit(1)
end

local words, groups = {}, {}
for _, kind in ipairs{ "food", "animal", "verb" } do
  for word in kinds[kind]:gmatch("%S+") do
    if vectors:has(word) then
      words[#words + 1], groups[#groups + 1] = word, kind
    end
  end
end
if #words < 5 then
  io.stderr:write(("only %d of the words are in %s; that is no map\n"):format(#words, path))
  os.exit(1)
end
print(("%d of the words have vectors in %s"):format(#words, path))

local x = vectors:vectors(words)
local map, info = marea.manifold.tsne(x, { metric = "cosine", seed = 1 })
print(("Kullback-Leibler divergence %.3f, trustworthiness %.3f"):format(info.kl_divergence,
  marea.manifold.trustworthiness(x, map, math.min(5, (#words - 1) // 2))))
print((marea.plot.scatter(map, { labels = words })))

local title = "Food, animals, verbs"
if options.picture then
  assert(marea.plot.scatter(map, { labels = words, groups = groups, title = title,
    path = options.picture }))
  print("written: " .. options.picture)
end
if options.page then
  assert(marea.plot.html_map(options.page, { points = map, labels = words, groups = groups,
    title = title }))
  print("written: " .. options.page)
end
print("A map shows who is near whom. Distances between groups and their sizes mean little, so do not "
  .. "feed it to k-means or k-NN: use the vectors.")
