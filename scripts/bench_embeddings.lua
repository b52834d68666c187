-- The Marea side of `scripts/bench embeddings`: one measurement, printed as numbers.
-- Usage: marea scripts/bench_embeddings.lua WHAT THREADS FOLDER
--   make        writes 400,000 × 100 made vectors: FOLDER/vectors.txt and FOLDER/vectors.safetensors
--   text        loads the text file: seconds, peak MB over the matrix's own MB
--   own         loads Marea's own file: milliseconds
--   one         the ten nearest words of one word: milliseconds, of 100 questions
--   batch       the ten nearest words of 1,000 words at once: seconds
--   text8-head, imdb   writes FOLDER/WHAT.txt, prepared as the measurements of GloVe have it
--   iteration   trains GloVe on the file FOLDER three times over, in order and free: CPU and wall
--               seconds an iteration
--   analogies   the share of the questions that the vectors of the file FOLDER answer
--   points      writes FOLDER/points.txt: 10,000 × 50 of GloVe's vectors
--   tsne        maps them: wall and CPU seconds, the map's exact divergence
--   divergence  the exact divergence of the map FOLDER/peer.txt
--   grow        maps as many points as the fourth argument says
local marea = require "marea"
local embeddings = marea.embeddings

local what, threads, folder, count = arg[1], tonumber(arg[2]), arg[3], tonumber(arg[4])
local ROWS <const>, WIDTH <const> = 400000, 100
marea.threads(threads)

local function seconds_of(f)
  local start = marea.clock()
  f()
  return marea.clock() - start
end

local function own_file()
  return assert(embeddings.load(folder .. "/vectors.safetensors"))
end

local jobs = {}

function jobs.make()
  marea.manual_seed(1)
  local words = {}
  for i = 1, ROWS do words[i] = "w" .. i end
  local vectors = embeddings.Vectors{ words = words, matrix = marea.randn{ ROWS, WIDTH } }
  assert(vectors:save(folder .. "/vectors.txt", { format = "text" }))
  assert(vectors:save(folder .. "/vectors.safetensors"))
end

function jobs.text()
  marea.memory("reset")
  local vectors
  local seconds = seconds_of(function() vectors = assert(embeddings.load(folder .. "/vectors.txt")) end)
  print(("%.3f %.3f"):format(seconds, marea.memory().peak / (#vectors * vectors.width * 4)))
end

function jobs.own()
  print(("%.3f"):format(seconds_of(own_file) * 1000))
end

function jobs.one()
  local vectors = own_file()
  for _ = 1, 4 do vectors:most_similar("w1") end -- from the third question on it is at full speed
  local seconds = seconds_of(function()
    for i = 1, 100 do vectors:most_similar("w" .. i * 37) end
  end)
  print(("%.3f"):format(seconds * 10))
end

function jobs.batch()
  local vectors, words = own_file(), {}
  for i = 1, 1000 do words[i] = "w" .. i * 37 end
  print(("%.3f"):format(seconds_of(function() vectors:neighbours(words, { topn = 10 }) end)))
end

-- ---- GloVe ---------------------------------------------------------------------------------------

local data = os.getenv("MAREA_DATA") or "../shared/data"

-- What a job needs, or an end that says what is missing.
local function needed(value, message)
  if value then return value end
  io.stderr:write("left out: ", tostring(message), "\n")
  os.exit(1)
end

jobs["text8-head"] = function()
  local text = needed(marea.corpora.read_text(data .. "/text8-head/text8-head.txt.gz"))
  local file <close> = assert(io.open(folder .. "/text8-head.txt", "w"))
  file:write(text)
end

-- Lower case, <br /> to a blank, [a-z0-9'] kept; a review is a line.
function jobs.imdb()
  local file <close> = assert(io.open(folder .. "/imdb.txt", "w"))
  local function write(text)
    file:write((text:lower():gsub("<br />", " "):gsub("[^a-z0-9']+", " ")), "\n")
  end
  local reviews = needed(marea.corpora.imdb{ dir = data })
  for _, part in ipairs{ reviews.train, reviews.test } do
    for _, text in ipairs(part.texts) do write(text) end
  end
  for _, text in ipairs(needed(marea.corpora.read_lines(data .. "/imdb/unsup.txt.gz"))) do
    write(text)
  end
end

function jobs.iteration()
  local settings = { pipeline = "glove", min_count = 5, window_size = 15 }
  local counts = assert(embeddings.cooccurrence(folder, settings))
  local cpu, wall = {}, {}
  for _, deterministic in ipairs{ true, false } do
    local start, seconds = nil, 0
    assert(embeddings.train_glove(counts, { vector_size = 50, x_max = 10, iter = 4,
      deterministic = deterministic, on_iteration = function(info)
        if info.iteration == 1 then start = os.clock() else seconds = seconds + info.seconds end
      end }))
    cpu[#cpu + 1] = (os.clock() - start) / 3
    wall[#wall + 1] = seconds / 3
  end
  print(("  an iteration on %d threads: in order %.3f s wall, %.3f s cpu; free %.3f s wall, %.3f s "
    .. "cpu (%.2f and %.2f of it)"):format(threads, wall[1], cpu[1], wall[2], cpu[2],
    wall[2] / wall[1], cpu[2] / cpu[1]))
end

function jobs.analogies()
  local vectors = assert(embeddings.load(folder))
  local score = needed(vectors:evaluate_analogies(data .. "/analogies/questions-words.txt.gz"))
  print(("%.2f"):format(100 * score.correct / score.total))
end

-- ---- t-SNE ---------------------------------------------------------------------------------------

local PERPLEXITY <const> = 30

local function glove_points()
  local read = needed(embeddings.load(data .. "/glove/glove.6B.50d.top10000.txt.gz"))
  return read:vectors(read:words())
end

local function numbers_of(path)
  local rows = {}
  for line in io.lines(path) do
    local row = {}
    for number in line:gmatch("%S+") do row[#row + 1] = tonumber(number) end
    rows[#rows + 1] = row
  end
  return marea.tensor(rows)
end

function jobs.points()
  local file <close> = assert(io.open(folder .. "/points.txt", "w"))
  for _, row in ipairs(glove_points():totable()) do file:write(table.concat(row, " "), "\n") end
end

local function map_of(x, exact)
  local cpu, wall = os.clock(), marea.clock()
  local _, info = marea.manifold.tsne(x, { perplexity = PERPLEXITY, seed = 1,
    exact_divergence = exact })
  return marea.clock() - wall, os.clock() - cpu, info.kl_divergence
end

function jobs.tsne()
  print(("%.2f %.2f %.4f"):format(map_of(numbers_of(folder .. "/points.txt"), true)))
end

function jobs.divergence()
  local x, map = numbers_of(folder .. "/points.txt"), numbers_of(folder .. "/peer.txt")
  local _, info = marea.manifold.tsne(x, { perplexity = PERPLEXITY, initial = map, iterations = 0,
    exact_divergence = true })
  print(("%.4f"):format(info.kl_divergence))
end

-- The points of GloVe, again and again, with noise of a third of their spread.
function jobs.grow()
  local rows, all = glove_points():totable(), {}
  local noise = marea.randn{ count, #rows[1] }:totable()
  for i = 1, count do
    local row, from = noise[i], rows[(i - 1) % #rows + 1]
    for j = 1, #row do row[j] = from[j] + (i > #rows and .2 * row[j] or 0) end
    all[i] = row
  end
  local wall, cpu = map_of(marea.tensor(all), false)
  print(("  %6d: %6.1f wall, %6.1f cpu, %5.0f"):format(count, wall, cpu, cpu / count * 1e6))
end

jobs[what]()
