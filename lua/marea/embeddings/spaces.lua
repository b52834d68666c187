--- Directions in a space of words, and changes of the space as a whole. A change gives new vectors
-- (float32) of the same words; the parts of words (fastText) stay behind.
-- @module marea.embeddings.spaces
local native = require "marea.native"
local options = require "marea.nn.options"
local ops = require "marea.ops"

local spaces = {}

local function changed(self, rows)
  local copy = require("marea.embeddings.vectors").from_core(self.core:with_rows(rows))
  copy.card = self.card
  return copy
end

local function unit(x)
  local length = math.sqrt((x * x):sum():item())
  return length > 0 and x * (1 / length) or x
end

--- The direction that pairs have in common: the mean of the second word's vector less the first's,
-- at length 1: from "man" to "woman", from "car" to "cars".
-- @tparam {{string,string},...} pairs
-- @treturn tensor (D), of length 1
-- @treturn {number,...} for each pair, the cosine of its own difference with the direction
function spaces.direction(self, pairs_)
  if type(pairs_) ~= "table" or #pairs_ == 0 then
    error("direction: expected a list of pairs of words that is not empty", 0)
  end
  local from, to = {}, {}
  for i, pair in ipairs(pairs_) do
    if type(pair) ~= "table" or #pair ~= 2 then
      error(("direction: item %d is no pair of words"):format(i), 0)
    end
    from[i], to[i] = pair[1], pair[2]
  end
  local differences = self:vectors(to, { unit = true }) - self:vectors(from, { unit = true })
  local direction = unit(differences:mean(1))
  local agreement = {}
  for i = 1, #pairs_ do
    local own = unit(differences:narrow(1, i, 1):reshape{ -1 })
    agreement[i] = (own * direction):sum():item()
  end
  return direction, agreement
end

--- How far words lie along a direction: the cosine of each with it.
-- @tparam {string,...} words
-- @tparam tensor|{{string,string},...} direction as `direction` gives it, or its pairs
-- @treturn {number,...}
function spaces.project(self, words, direction)
  if not ops.is_tensor(direction) then direction = spaces.direction(self, direction) end
  local x = self:vectors(words, { unit = true })
  return x:matmul(unit(self:vector(direction)):reshape{ -1, 1 }):reshape{ -1 }:totable()
end

--- Each row divided by its length; rows of zeros stay.
function spaces.normalised(self)
  return changed(self, self.core:rows(nil, true))
end

--- The mean of all rows taken away.
function spaces.centred(self)
  local x = self.core:rows()
  return changed(self, x - x:mean(1, true))
end

--- All but the top (Mu and Viswanath, 2018): centred, and without what lies along the first principal
-- components, which say little about meaning.
-- @tparam[opt] integer count how many components; default D / 100, rounded, at least 1
function spaces.all_but_the_top(self, count)
  count = options.integer("all_but_the_top", "count",
    count or math.max(1, math.floor(self.width / 100 + .5)))
  if count >= self.width then
    error(("all_but_the_top: %d components of %d numbers leave nothing"):format(count, self.width),
      0)
  end
  local x = self.core:rows()
  x = x - x:mean(1, true)
  local _, _, axes = native.singular_values(x:transpose():matmul(x))
  local top = axes:narrow(2, 1, count)
  return changed(self, x - x:matmul(top):matmul(top:transpose()))
end

-- The rows of the words that tie two spaces together.
local function anchors(self, other, given, limit)
  local own, theirs = {}, {}
  local function tie(a, b)
    local row, their_row = self.core:find(a), other.core:find(b)
    if row and their_row then own[#own + 1], theirs[#theirs + 1] = row, their_row end
  end
  if given then
    for i, pair in ipairs(given) do
      if type(pair) ~= "table" then error(("aligned_to: item %d is no pair"):format(i), 0) end
      tie(pair[1], pair[2])
    end
  else
    for _, word in ipairs(self.core:words(1, limit)) do tie(word, word) end
  end
  return own, theirs
end

--- The vectors turned so that they fit another space (orthogonal Procrustes; Schönemann, 1966): two
-- corpora, or two languages by a list of translations. Distances and cosines within stay as they are.
-- @tparam Vectors other of the same width
-- @tparam[opt] table given `pairs`: { { word, word of the other }, … } (default: the words that both
-- have), `limit` (20000): of the first so many rows when there are no pairs
-- @treturn Vectors
-- @treturn table report: `pairs` that were used, `cosine`: the mean cosine of pairs after turning,
-- `rotation`: the matrix (D,D), row vectors are multiplied with it from the right
function spaces.aligned_to(self, other, given)
  local read = options.read("aligned_to", given, { pairs = options.optional, limit = 20000 })
  if other.width ~= self.width then
    error(("aligned_to: %d numbers a row here, %d there"):format(self.width, other.width), 0)
  end
  local own, theirs = anchors(self, other, read.pairs, read.limit)
  if #own == 0 then error("aligned_to: no pair of words has vectors in both", 0) end
  local x, y = self.core:rows(own, true), other.core:rows(theirs, true)
  local u, _, v = native.singular_values(x:transpose():matmul(y))
  local rotation = u:matmul(v:transpose())
  local cosine = (x:matmul(rotation) * y):sum(2):mean():item()
  return changed(self, self.core:rows():matmul(rotation)),
    { pairs = #own, cosine = cosine, rotation = rotation }
end

return spaces
