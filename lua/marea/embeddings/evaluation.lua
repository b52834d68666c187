--- Judging word vectors: analogy questions and pairs that people have rated.
-- @module marea.embeddings.evaluation
local native = require "marea.native"
local options = require "marea.nn.options"
local ops = require "marea.ops"

local evaluation = {}

local CHUNK <const> = 2048 -- questions a search

-- ---- words without regard to case ----------------------------------------------------------------

-- ASCII words are folded here; others by Unicode's rule, and not at all when they are no UTF-8.
local function folder()
  local pipeline = native.pipeline{ normalize = { { kind = "lower" } } }
  return function(word)
    if not word:find("[\128-\255]") then return word:lower() end
    return utf8.len(word) and pipeline:normalize(word) or word
  end
end

-- A function from words of questions to rows, and one from rows to what is compared.
local function lookup(self, read, last)
  local fold = folder()
  if read.case == "exact" or read.case == "lower" then
    local find = function(word)
      local row = self.core:find(read.case == "lower" and fold(word) or word)
      return row and row <= last and row or nil
    end
    return find, function(row) return row end
  end
  local first, key = {}, {}
  for row, word in ipairs(self.core:words(1, last)) do
    local folded = fold(word)
    key[row] = folded
    if not first[folded] then first[folded] = row end
  end
  return function(word) return first[fold(word)] end,
    function(row) return first[key[row]] or row end
end

-- ---- analogies -----------------------------------------------------------------------------------

local presets = {
  glove = { case = "lower", dummy4unknown = false },
  gensim = { case = "insensitive", restrict_vocab = 300000, candidates = 5 },
  word2vec = { case = "insensitive", restrict_vocab = 30000, candidates = 1 },
}

local function read_preset(who, given)
  local name = given and given.preset or "glove"
  options.choice(who, "preset", name, { "glove", "gensim", "word2vec" })
  local defaults = { preset = name, case = "lower", restrict_vocab = options.optional,
    dummy4unknown = false, candidates = 1, method = "add" }
  for key, value in pairs(presets[name]) do defaults[key] = value end
  local read = options.read(who, given, defaults)
  options.choice(who, "case", read.case, { "exact", "lower", "insensitive" })
  options.choice(who, "method", read.method, { "add", "mul" })
  return read
end

-- { { name =, questions = { { a, b, c, d }, … } }, … }, or nil and a message.
local function read_questions(path)
  local reader, message = native.lines(path)
  if not reader then return nil, message end
  local lines <close> = reader
  local sections, number = {}, 0
  while true do
    local line
    line, message = lines:next()
    if not line then break end
    number = number + 1
    local name = line:match("^:%s*(.-)%s*$")
    if name then
      sections[#sections + 1] = { name = name, questions = {} }
    elseif line:find("%S") then
      local words = {}
      for word in line:gmatch("%S+") do words[#words + 1] = word end
      if #words ~= 4 then
        return nil, ('"%s" line %d: expected four words, got %d'):format(path, number, #words)
      end
      if #sections == 0 then sections[1] = { name = "questions", questions = {} } end
      table.insert(sections[#sections].questions, words)
    end
  end
  if message then return nil, message end
  return sections
end

-- Rows of the known questions; how many are unknown.
local function known_questions(section, find)
  local known, unknown = {}, 0
  for _, words in ipairs(section.questions) do
    local rows = {}
    for i, word in ipairs(words) do rows[i] = find(word) end
    if rows[1] and rows[2] and rows[3] and rows[4] then
      known[#known + 1] = rows
    else
      unknown = unknown + 1
    end
  end
  return known, unknown
end

-- The vectors that questions first … last ask for.
local function terms_of(self, known, first, last, multiply)
  local a, b, c, mixed = {}, {}, {}, {}
  for i = first, last do
    local rows = known[i]
    a[#a + 1], b[#b + 1], c[#c + 1] = rows[1], rows[2], rows[3]
    table.move({ rows[2], rows[3], rows[1] }, 1, 3, #mixed + 1, mixed)
  end
  if multiply then return self.core:rows(mixed, true) end
  return self.core:rows(b, true) - self.core:rows(a, true) + self.core:rows(c, true)
end

-- Whether the first answer that is no word of the question is the right one. `candidates`: how many
-- rows beside those of the question are looked at.
local function is_right(found, rows, same, candidates)
  local looked = 0
  for _, row in ipairs(found) do
    local own = row == rows[1] or row == rows[2] or row == rows[3]
    if not own then
      looked = looked + 1
      if looked > candidates then return false end
      local answer = same(row)
      if candidates == 1 or (answer ~= same(rows[1]) and answer ~= same(rows[2])
        and answer ~= same(rows[3])) then
        return answer == same(rows[4])
      end
    end
  end
  return false
end

local function count_right(self, known, read, last, same)
  local correct = 0
  local multiply = read.method == "mul"
  for first = 1, #known, CHUNK do
    local stop = math.min(first + CHUNK - 1, #known)
    local rows = self.core:search(terms_of(self, known, first, stop, multiply), {
      best = math.min(read.candidates + 3, math.max(last, 1)), last = last, multiply = multiply,
      positive = multiply and 2 or 1, negative = multiply and 1 or 0 })
    for i, found in ipairs(rows) do
      if is_right(found, known[first + i - 1], same, read.candidates) then correct = correct + 1 end
    end
  end
  return correct
end

local function add(sum, section)
  sum.correct, sum.total = sum.correct + section.correct, sum.total + section.total
end

local function with_accuracy(sum)
  sum.accuracy = sum.total > 0 and sum.correct / sum.total or 0
  return sum
end

--- Analogy questions "a b c d" in sections ": name" (questions-words.txt; Mikolov et al., 2013): d
-- should be the nearest word to b - a + c, the three words themselves left out.
-- @tparam string path plain or gzip
-- @tparam[opt] table given
-- `preset`: "glove" (default: questions in lower case, all rows, questions with an unknown word are
-- left out), "gensim" (without regard to case, the first 300,000 rows, the five best), "word2vec"
-- (without regard to case, the first 30,000 rows). Its parts can be changed: `case` "exact", "lower",
-- "insensitive"; `restrict_vocab`; `candidates`; `dummy4unknown` (false): a question with an unknown
-- word counts as wrong; `method` "add" or "mul"
-- @treturn table `correct`, `total`, `accuracy`, the same in `semantic`, `syntactic` (sections whose
-- names begin with "gram") and each of `sections` (with `name`, `unknown`); `seen`: the share of the
-- questions whose words all have rows; `questions`
-- @return or nil and a message for a file that is missing or broken
function evaluation.evaluate_analogies(self, path, given)
  local read = read_preset("evaluate_analogies", given)
  local sections, message = read_questions(path)
  if not sections then return nil, message end
  local last = math.min(self.rows, read.restrict_vocab or self.rows)
  local find, same = lookup(self, read, last)
  local result = { correct = 0, total = 0, sections = {}, questions = 0,
    semantic = { correct = 0, total = 0 }, syntactic = { correct = 0, total = 0 } }
  local unknown_count = 0
  for i, section in ipairs(sections) do
    local known, unknown = known_questions(section, find)
    local score = { name = section.name, unknown = unknown, total = #known,
      correct = count_right(self, known, read, last, same) }
    if read.dummy4unknown then score.total = score.total + unknown end
    result.questions = result.questions + #section.questions
    unknown_count = unknown_count + unknown
    result.sections[i] = with_accuracy(score)
    add(result, score)
    add(section.name:find("^gram") and result.syntactic or result.semantic, score)
  end
  with_accuracy(result.semantic)
  with_accuracy(result.syntactic)
  result.seen = result.questions > 0 and 1 - unknown_count / result.questions or 0
  return with_accuracy(result)
end

-- ---- rated pairs ---------------------------------------------------------------------------------

local function fields_of(line)
  local a, b, score = line:match("^%s*(.-)%s*\t%s*(.-)%s*\t%s*(%S+)")
  if not a then a, b, score = line:match("^%s*([^,]-)%s*,%s*([^,]-)%s*,%s*([^,%s]+)") end
  if not a then a, b, score = line:match("^%s*(%S+)%s+(%S+)%s+(%S+)") end
  return a, b, tonumber(score)
end

local function read_pairs(path)
  local reader, message = native.lines(path)
  if not reader then return nil, message end
  local lines <close> = reader
  local list, number, headers = {}, 0, 0
  while true do
    local line
    line, message = lines:next()
    if not line then break end
    number = number + 1
    if line:find("%S") and not line:find("^#") then
      local a, b, score = fields_of(line)
      if not score or score ~= score or math.abs(score) == math.huge then
        headers = headers + 1 -- one line of names of columns may come first
        if #list > 0 or headers > 1 then
          return nil, ('"%s" line %d: expected two words and a score'):format(path, number)
        end
      else
        list[#list + 1] = { a, b, score }
      end
    end
  end
  if message then return nil, message end
  return list
end

-- Ranks from 1, the mean of their places for equal values.
local function mean_ranks(values)
  local order, ranks = {}, {}
  for i = 1, #values do order[i] = i end
  table.sort(order, function(a, b)
    if values[a] ~= values[b] then return values[a] < values[b] end
    return a < b
  end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order and values[order[last + 1]] == values[order[first]] do last = last + 1 end
    for i = first, last do ranks[order[i]] = (first + last) / 2 end
    first = last + 1
  end
  return ranks
end

-- Pearson's correlation; 0 when one side does not vary.
local function correlation(x, y)
  local n, mean_x, mean_y = #x, 0, 0
  for i = 1, n do mean_x, mean_y = mean_x + x[i] / n, mean_y + y[i] / n end
  local xx, yy, xy = 0, 0, 0
  for i = 1, n do
    local a, b = x[i] - mean_x, y[i] - mean_y
    xx, yy, xy = xx + a * a, yy + b * b, xy + a * b
  end
  return xx > 0 and yy > 0 and xy / math.sqrt(xx * yy) or 0
end

--- Similarities that people have rated (WordSim-353 and the like): lines of two words and a score,
-- apart by tabs, commas or blanks; "#" begins a remark.
-- @tparam string path plain or gzip
-- @tparam[opt] table given `case` "lower" (default), "exact", "insensitive"; `restrict_vocab`;
-- `dummy4unknown` (false): a pair with an unknown word counts with similarity 0
-- @treturn table `spearman` (mean ranks for ties), `pearson`, `pairs` (how many were compared), `oov`
-- (share of the pairs with a word without row), `unknown`
-- @return or nil and a message for a file that is missing or broken
function evaluation.evaluate_pairs(self, path, given)
  local read = options.read("evaluate_pairs", given, { case = "lower",
    restrict_vocab = options.optional, dummy4unknown = false })
  options.choice("evaluate_pairs", "case", read.case, { "exact", "lower", "insensitive" })
  local list, message = read_pairs(path)
  if not list then return nil, message end
  local find = lookup(self, read, math.min(self.rows, read.restrict_vocab or self.rows))
  local rated, first, second, unknown = {}, {}, {}, 0
  for _, pair in ipairs(list) do
    local a, b = find(pair[1]), find(pair[2])
    if not (a and b) then unknown = unknown + 1 end
    if (a and b) or read.dummy4unknown then
      rated[#rated + 1] = pair[3]
      first[#first + 1], second[#second + 1] = a and b and a or 0, a and b and b or 0
    end
  end
  local cosines = {}
  if #rated > 0 then
    local product = self.core:rows(first, true) * self.core:rows(second, true)
    cosines = ops.as_real(product):sum(2):totable()
  end
  return { pairs = #rated, unknown = unknown, oov = #list > 0 and unknown / #list or 0,
    pearson = correlation(rated, cosines),
    spearman = correlation(mean_ranks(rated), mean_ranks(cosines)) }
end

return evaluation
