--- BLEU: how many words, pairs, triples and quadruples of words translations share with references
-- (Papineni, Roukos, Ward & Zhu, 2002), over a whole corpus.
--
--     local score, parts = metrics.bleu({ "the cat sat" }, { { "the cat sat down", "a cat sat" } })
--
-- @module marea.metrics.bleu
local options = require "marea.nn.options"

local WHO <const> = "metrics.bleu"

-- The tokens of a text (cut at blanks) or of a list.
local function tokens_of(text, where)
  if type(text) == "string" then
    local tokens = {}
    for token in text:gmatch("%S+") do tokens[#tokens + 1] = token end
    return tokens
  end
  if type(text) ~= "table" then
    error(("%s: %s is %s, expected a text or a list of tokens"):format(WHO, where, options.show(text)), 0)
  end
  return text
end

-- A sentence has one reference (a text) or several (a list of texts, or of lists of tokens).
local function references_of(given, i)
  local where = "reference " .. i
  if type(given) == "string" then return { tokens_of(given, where) } end
  if type(given) ~= "table" or #given == 0 then
    error(("%s: %s is %s, expected a text or a list of texts"):format(WHO, where, options.show(given)), 0)
  end
  local list = {}
  for k, reference in ipairs(given) do list[k] = tokens_of(reference, where) end
  return list
end

-- How often each run of n tokens occurs. Tokens are joined by a byte that no UTF-8 text holds.
local function count_runs(tokens, n)
  local counts = {}
  for first = 1, #tokens - n + 1 do
    local run = table.concat(tokens, "\xff", first, first + n - 1)
    counts[run] = (counts[run] or 0) + 1
  end
  return counts
end

-- Runs that hypothesis and references share; each counts as often as in the reference that has it most.
local function shared_runs(hypothesis, references, n)
  local most, shared = {}, 0
  for _, reference in ipairs(references) do
    for run, count in pairs(count_runs(reference, n)) do most[run] = math.max(most[run] or 0, count) end
  end
  for run, count in pairs(count_runs(hypothesis, n)) do
    shared = shared + math.min(count, most[run] or 0)
  end
  return shared
end

-- The length of the reference that comes nearest, of two equally near ones the shorter.
local function nearest_length(length, references)
  local best
  for _, reference in ipairs(references) do
    local further, nearer = math.abs(#reference - length), best and math.abs(best - length)
    if not best or further < nearer or further == nearer and #reference < best then best = #reference end
  end
  return best
end

-- Sums over the corpus.
local function count_corpus(hypotheses, references, max_order)
  local sums = { shared = {}, runs = {}, length = 0, reference_length = 0 }
  for n = 1, max_order do sums.shared[n], sums.runs[n] = 0, 0 end
  for i, hypothesis in ipairs(hypotheses) do
    local tokens, known = tokens_of(hypothesis, "hypothesis " .. i), references_of(references[i], i)
    sums.length = sums.length + #tokens
    sums.reference_length = sums.reference_length + nearest_length(#tokens, known)
    for n = 1, max_order do
      sums.shared[n] = sums.shared[n] + shared_runs(tokens, known, n)
      sums.runs[n] = sums.runs[n] + math.max(#tokens - n + 1, 0)
    end
  end
  return sums
end

-- Share of runs of each length; an order without any shared run gets half of one, the next such order a
-- quarter … with `smooth` (Chen & Cherry, 2014, method 3, as in NIST's program).
local function precisions_of(sums, max_order, smooth)
  local precisions, part = {}, 1
  for n = 1, max_order do
    local shared, runs = sums.shared[n], sums.runs[n]
    if shared == 0 and smooth then
      part = part / 2
      shared = part
    end
    precisions[n] = runs > 0 and shared / runs or 0
  end
  return precisions
end

-- The geometric mean; orders longer than every hypothesis do not count with `smooth`.
local function geometric_mean(precisions, sums, smooth)
  local total, orders = 0, 0
  for n, precision in ipairs(precisions) do
    if smooth and sums.runs[n] == 0 then break end
    if precision == 0 then return 0 end
    total, orders = total + math.log(precision), orders + 1
  end
  return orders > 0 and math.exp(total / orders) or 0
end

--- The score of a corpus.
-- @tparam {string|{string,…},…} hypotheses translations, cut at blanks or as lists of tokens
-- @tparam table references for each: a text, or a list of texts or lists of tokens
-- @tparam[opt] table given `max_order` (4: longest run of tokens), `smooth` (false; true: an order
-- without hits does not bring the score to 0, for small corpora)
-- @treturn number 0 to 100
-- @treturn table `precisions` (of each order, 0 to 1), `brevity` (penalty for short translations, 0 to
-- 1), `length` and `reference_length` (tokens)
-- @raise when the lists differ in length or hold something else
local function bleu(hypotheses, references, given)
  local read = options.read(WHO, given, { max_order = 4, smooth = false })
  options.integer(WHO, "max_order", read.max_order)
  options.boolean(WHO, "smooth", read.smooth)
  if type(hypotheses) ~= "table" or type(references) ~= "table" or #hypotheses ~= #references then
    error(("%s: %s hypotheses and %s references; expected two lists of one length"):format(WHO,
      type(hypotheses) == "table" and #hypotheses or options.show(hypotheses),
      type(references) == "table" and #references or options.show(references)), 0)
  end
  local sums = count_corpus(hypotheses, references, read.max_order)
  local precisions = precisions_of(sums, read.max_order, read.smooth)
  local short = sums.length < sums.reference_length
  local brevity = short and math.exp(1 - sums.reference_length / math.max(sums.length, 1e-9)) or 1
  local score = 100 * brevity * geometric_mean(precisions, sums, read.smooth)
  return score, { precisions = precisions, brevity = brevity, length = sums.length,
    reference_length = sums.reference_length }
end

return bleu
