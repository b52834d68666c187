-- The texts of `scripts/bench text`, a text a line: reviews.txt (mostly ASCII), accented.txt (Spanish)
-- and, when asked for, big.txt (the reviews again and again, a gigabyte).
-- Usage: marea scripts/bench_text_data.lua FOLDER [big]
-- The real texts are read where MAREA_DATA names their folder; else texts of made-up words.
local marea = require "marea"

local folder, big = arg[1], arg[2] == "big"
local REVIEW_BYTES <const>, ACCENTED_BYTES <const>, BIG_BYTES <const> = 33e6, 33e6, 1e9

local function made_lines(letters)
  local lines = {}
  for i = 1, 2000 do
    local words = {}
    for j = 1, 230 do
      words[j] = ("palabra%s%d"):format(letters, math.floor(30000 * marea.stream:number() ^ 4))
    end
    lines[i] = table.concat(words, " ") .. "."
  end
  return lines
end

local function reviews()
  local set = os.getenv("MAREA_DATA") and marea.corpora.imdb{}
  return set and set.train.texts or made_lines("")
end

local function accented()
  local set = os.getenv("MAREA_DATA") and marea.corpora.es_quijote{}
  return set and { set.text } or made_lines("ñá")
end

-- Writes lines, again and again, until so many bytes are there; returns bytes and the share of
-- bytes beyond ASCII.
local function fill(name, lines, bytes)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  local content = table.concat(lines, "\n"):gsub("\r", "") .. "\n"
  local wide = select(2, content:gsub("[\x80-\xff]", ""))
  local written = 0
  while written < bytes do
    assert(file:write(content))
    written = written + #content
  end
  file:close()
  return written, wide / #content
end

for _, part in ipairs{ { "reviews.txt", reviews, REVIEW_BYTES }, { "accented.txt", accented,
  ACCENTED_BYTES }, big and { "big.txt", reviews, BIG_BYTES } or nil } do
  local bytes, wide = fill(part[1], part[2](), part[3])
  print(("%s: %.1f MB, %.1f %% of the bytes beyond ASCII"):format(part[1], bytes / 1e6, 100 * wide))
end
