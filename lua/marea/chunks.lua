--- Entities in sequences of tags: what IOB2 tags mark, and how well it was found.
--
--     local chunks = marea.chunks
--     chunks.read{ "B-PER", "I-PER", "O" }              -- { { kind = "PER", first = 1, last = 2 } }
--     print(chunks.score(truth, found))                 -- precision, recall, F1 by kind
--
-- An entity is found when its kind and both its ends are right (Tjong Kim Sang and Buchholz, 2000).
-- @module marea.chunks
local options = require "marea.nn.options"

local chunks = {}

local function split(tag)
  if type(tag) ~= "string" then
    error("chunks: tags are strings such as \"B-PER\" or \"O\", got " .. options.show(tag), 0)
  end
  local mark, kind = tag:match("^([BI])%-(.+)$")
  if not mark and tag ~= "O" then
    error(("chunks: the tag %q is neither O nor B-… nor I-…"):format(tag), 0)
  end
  return mark, kind
end

--- The entities of a sentence.
-- An I- behind an O or behind another kind begins an entity too, as in the scorer of CoNLL.
-- @tparam {string,...} tags IOB2: B-kind begins, I-kind goes on, O is outside
-- @treturn {table,...} { kind, first, last } by their places from 1
-- @raise for a tag of another form
function chunks.read(tags)
  if type(tags) ~= "table" then
    error("chunks.read: expected a list of tags, got " .. options.show(tags), 0)
  end
  local list, open = {}, nil
  for i, tag in ipairs(tags) do
    local mark, kind = split(tag)
    if mark == "I" and open and open.kind == kind then
      open.last = i
    else
      open = kind and { kind = kind, first = i, last = i } or nil
      list[#list + 1] = open
    end
  end
  return list
end

local function count(counts, list, field)
  for _, entity in ipairs(list) do
    counts[entity.kind] = counts[entity.kind] or { truth = 0, found = 0, right = 0 }
    counts[entity.kind][field] = counts[entity.kind][field] + 1
  end
end

local function matching(truth, found)
  local places, right = {}, {}
  for _, entity in ipairs(truth) do places[entity.first] = entity end
  for _, entity in ipairs(found) do
    local same = places[entity.first]
    if same and same.last == entity.last and same.kind == entity.kind then
      right[#right + 1] = entity
    end
  end
  return right
end

local function rates(c)
  c.precision = c.found > 0 and c.right / c.found or 0
  c.recall = c.truth > 0 and c.right / c.truth or 0
  local sum = c.precision + c.recall
  c.f1 = sum > 0 and 2 * c.precision * c.recall / sum or 0
  return c
end

local Score = {}

function Score.__tostring(score)
  local names = {}
  for name in pairs(score.kinds) do names[#names + 1] = name end
  table.sort(names)
  local lines = { "kind       precision   recall       F1   in the text" }
  local function row(name, c)
    lines[#lines + 1] = ("%-10s %8.2f%% %7.2f%% %7.2f%% %9d"):format(name, 100 * c.precision,
      100 * c.recall, 100 * c.f1, c.truth)
  end
  for _, name in ipairs(names) do row(name, score.kinds[name]) end
  row("all", score)
  return table.concat(lines, "\n")
end

--- Precision, recall and F1 of the entities in many sentences.
-- @tparam {{string,...},...} truth tags of each sentence
-- @tparam {{string,...},...} found tags of the same sentences
-- @treturn table `precision`, `recall`, `f1` in 0 … 1, `truth`, `found`, `right` (numbers of
-- entities) of all together, and `kinds`: the same by kind; tostring shows it
-- @raise naming the sentence whose lengths differ
function chunks.score(truth, found)
  if type(truth) ~= "table" or type(found) ~= "table" or #truth ~= #found then
    error("chunks.score: expected two lists with tags of the same sentences", 0)
  end
  local kinds = {}
  for i, tags in ipairs(truth) do
    local expected, got = chunks.read(tags), chunks.read(found[i])
    if #tags ~= #found[i] then
      error(("chunks.score: sentence %d has %d tags and %d were found"):format(i, #tags, #found[i]), 0)
    end
    count(kinds, expected, "truth")
    count(kinds, got, "found")
    count(kinds, matching(expected, got), "right")
  end
  local all = setmetatable({ truth = 0, found = 0, right = 0, kinds = kinds }, Score)
  for _, c in pairs(kinds) do
    rates(c)
    for _, field in ipairs{ "truth", "found", "right" } do all[field] = all[field] + c[field] end
  end
  return rates(all)
end

return chunks
