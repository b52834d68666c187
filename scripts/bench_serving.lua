-- The serving part of `scripts/bench recurrent`: answers to one raw text, and steps of a stream, of
-- Embedding(10000, 32) + LSTM(32) + Dense on one thread, in processor time; and what they leave
-- behind in memory.
-- Usage: marea scripts/bench_serving.lua CALLS
local marea = require "marea"
local nn = marea.nn

local CALLS <const> = math.tointeger(arg[1]) or 100000
local WORDS <const>, VOCABULARY <const>, ROUNDS <const> = 200, 10000, 20

marea.threads(1)
marea.manual_seed(1)

-- A review of 200 words, of sentences of the small corpus.
local function review(texts)
  local words = {}
  for _, text in ipairs(texts) do
    for word in text:gmatch("%S+") do
      words[#words + 1] = word
      if #words == WORDS then return table.concat(words, " ") end
    end
  end
end

-- Pages of this process that lie in memory, in MB; nil where the system does not tell.
local function resident()
  local file <close> = io.open("/proc/self/statm")
  local pages = file and file:read("a"):match("^%d+ (%d+)")
  return pages and pages * 4096 / 2 ^ 20
end

local function measure()
  local pages = resident()
  collectgarbage()
  return { core = marea.memory().used, lua = collectgarbage("count"), resident = pages }
end

-- Microseconds of processor time a call, in the best and the median of the rounds, and the most
-- resident memory at their ends.
local function time(f)
  local rounds, most = {}, 0
  for round = 1, ROUNDS do
    local start = os.clock()
    for _ = 1, CALLS // ROUNDS do f() end
    rounds[round] = (os.clock() - start) / (CALLS // ROUNDS) * 1e6
    most = math.max(most, resident() or 0)
  end
  table.sort(rounds)
  return rounds[1], rounds[ROUNDS // 2], most
end

-- Times f when it is warm; says what memory was before and after.
local function report(what, f)
  for _ = 1, math.max(100, CALLS // 50) do f() end
  local before = measure()
  local best, median, most = time(f)
  local after = measure()
  print(("%s: %.1f µs (median of %d rounds; best %.1f)"):format(what, median, ROUNDS, best))
  print(("  memory over %d calls: core %d → %d bytes, Lua %.0f → %.0f KB"):format(CALLS, before.core,
    after.core, before.lua, after.lua) .. (after.resident and
    (", resident %.1f → %.1f MB (most %.1f)"):format(before.resident, after.resident, most) or ""))
end

local corpus = marea.corpora.reviews{}
local tokenizer = marea.text.Tokenizer{ num_words = VOCABULARY }
tokenizer:fit_on_texts(corpus.train.texts)
local model = marea.Sequential{ nn.Embedding{ VOCABULARY, 32, mask_zero = true }, nn.LSTM{ 32 },
  nn.Dense{ 1, activation = "sigmoid" } }
model:build{ -1, WORDS }
model.tokenizer, model.maxlen = tokenizer, WORDS
local text = review(corpus.train.texts)
report(("One review of %d words, from raw text"):format(WORDS), function()
  model:predict_text{ text }
end)

local stream = model:stream{ batch = 1 }
local id = 2
local function step()
  id = id % (VOCABULARY - 1) + 1
  stream:step(id)
end
report("One step of a stream", step)

-- The steps alone, with Lua's collector at rest: what they ask for is seen.
collectgarbage()
collectgarbage("stop")
local allocations, lua = marea.memory().allocations, collectgarbage("count")
for _ = 1, 1000 do step() end
print(("  1000 steps: %d allocations in the core, %.0f bytes in Lua"):format(
  marea.memory().allocations - allocations, (collectgarbage("count") - lua) * 1024))
