-- The Marea side of `scripts/bench embeddings`: one measurement, printed as numbers.
-- Usage: marea scripts/bench_embeddings.lua WHAT THREADS FOLDER
--   make    writes 400,000 × 100 made vectors: FOLDER/vectors.txt and FOLDER/vectors.safetensors
--   text    loads the text file: seconds, peak MB over the matrix's own MB
--   own     loads Marea's own file: milliseconds
--   one     the ten nearest words of one word: milliseconds, of 100 questions
--   batch   the ten nearest words of 1,000 words at once: seconds
local marea = require "marea"
local embeddings = marea.embeddings

local what, threads, folder = arg[1], tonumber(arg[2]), arg[3]
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

jobs[what]()
