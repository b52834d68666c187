--- Which tags of a CRF may follow each other.
-- @module marea.nn.crf_constraints
local ops = require "marea.ops"
local options = require "marea.nn.options"

local constraints = {}

--- What a forbidden transition adds to a path's score, with a minus.
constraints.PENALTY = 1e4

--- Names (or nil) and number of the tags.
function constraints.tags(tags)
  if type(tags) ~= "table" then return nil, options.integer("CRF", "tags", tags) end
  local seen = {}
  for i, name in ipairs(tags) do
    if type(name) ~= "string" or seen[name] then
      error(("CRF: tags must be different names; number %d is %s"):format(i, options.show(name)), 0)
    end
    seen[name] = true
  end
  if #tags == 0 then error("CRF: tags is an empty list", 0) end
  return tags, #tags
end

-- Inside (I-X) only behind the beginning (B-X) or the inside of the same kind (Ramshaw and Marcus,
-- 1995, in its second version).
local function iob2(names)
  local list = {}
  for to, name in ipairs(names) do
    local kind = name:match("^I%-(.+)$")
    if kind then
      list[#list + 1] = { "start", to - 1 }
      for from, before in ipairs(names) do
        if before ~= "B-" .. kind and before ~= name then list[#list + 1] = { from - 1, to - 1 } end
      end
    end
  end
  return list
end

local function tag_id(which, ids, count, outside)
  if which == outside then return which end
  local id = ids[which] or math.tointeger(which)
  if not id or id < 0 or id >= count then
    error(("CRF: the constraint names the tag %s, which there is not (%s)"):format(
      options.show(which), outside == "start" and '"start" stands first in a pair'
        or '"end" stands second in a pair'), 0)
  end
  return id
end

--- The forbidden pairs { from, to } as ids, "start" and "end".
function constraints.pairs(constraint, names, count)
  if constraint == nil then return {} end
  if constraint == "iob2" then
    if not names then error('CRF: constraint "iob2" needs the names of the tags', 0) end
    return iob2(names)
  end
  if type(constraint) ~= "table" then
    error('CRF: constraint must be "iob2" or a list of pairs { from, to }, got '
      .. options.show(constraint), 0)
  end
  local ids, list = {}, {}
  for i, name in ipairs(names or {}) do ids[name] = i - 1 end
  for i, pair in ipairs(constraint) do
    if type(pair) ~= "table" or #pair ~= 2 then
      error(("CRF: constraint number %d is %s, expected { from, to }"):format(i, options.show(pair)), 0)
    end
    list[i] = { tag_id(pair[1], ids, count, "start"), tag_id(pair[2], ids, count, "end") }
    if list[i][1] == "start" and list[i][2] == "end" then
      error(("CRF: constraint number %d forbids the empty sequence"):format(i), 0)
    end
  end
  return list
end

--- Tensors to add to the scores: first (K), last (K), between (K, K).
function constraints.penalties(forbidden, count)
  local first, last = ops.zeros{ count }, ops.zeros{ count }
  local between = ops.zeros{ count, count }
  for _, pair in ipairs(forbidden) do
    local from, to = pair[1], pair[2]
    if from == "start" then
      first:set(to + 1, -constraints.PENALTY)
    elseif to == "end" then
      last:set(from + 1, -constraints.PENALTY)
    else
      between:set(from + 1, to + 1, -constraints.PENALTY)
    end
  end
  return { first = first, last = last, between = between }
end

return constraints
