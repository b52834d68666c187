--- What is wrong with one-hot vectors, in numbers.
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local SAMPLE <const> = 12 -- words whose vectors are compared in pairs

local function bytes_text(bytes)
  for _, unit in ipairs{ { 2 ^ 30, "GB" }, { 2 ^ 20, "MB" }, { 2 ^ 10, "KB" } } do
    if bytes >= unit[1] then return ("%.1f %s"):format(bytes / unit[1], unit[2]) end
  end
  return ("%d bytes"):format(bytes)
end

-- The first ids that occur, all different.
local function some_ids(sequences, depth)
  local columns = native.sparse_counts(sequences, 0, depth):column_counts():totable()
  local ids = {}
  for id = 1, depth - 1 do
    if #ids == SAMPLE then break end
    if columns[id + 1] > 0 then ids[#ids + 1] = id end
  end
  return ids
end

-- The smallest and largest cosine between the one-hot vectors of different words; they have length
-- 1, so the product of the vectors is the cosine.
local function cosines(ids, depth)
  if #ids < 2 then return nil end
  local vectors = ops.one_hot(ops.tensor(ids, { dtype = "int32" }), depth)
  local products = vectors:matmul(vectors:transpose()):totable()
  local low, high = math.huge, -math.huge
  for i = 1, #ids do
    for j = 1, i - 1 do
      low, high = math.min(low, products[i][j]), math.max(high, products[i][j])
    end
  end
  return low, high
end

local function word_of(tokenizer, id)
  return tokenizer and tokenizer:word_of(id) or "id " .. id
end

local function describe(report, tokenizer, ids)
  local bytes = report.bytes
  local lines = {
    ("One-hot vectors of %d texts, padded to %d positions, over %d ids:"):format(report.texts,
      report.longest, report.depth),
    ("  Sparsity   %.4f %% of all numbers are 0; a vector of %d numbers says one thing."):format(
      100 * report.sparsity, report.depth),
    ("  Memory     written out %s; as sparse vectors %s; as ids %s."):format(
      bytes_text(bytes.dense), bytes_text(bytes.sparse), bytes_text(bytes.ids)),
    ("             An embedding of %d numbers a word: a table of %s, its vectors %s."):format(
      report.embedding, bytes_text(bytes.table), bytes_text(bytes.embedded)),
  }
  if report.cosine then
    lines[#lines + 1] = ("  Likeness   the cosine of any two words is %g (measured on %d): \"%s\" is "
      .. "as far from \"%s\""):format(report.cosine, #ids, word_of(tokenizer, ids[1]),
      word_of(tokenizer, ids[2]))
    lines[#lines + 1] = "             as from any other; what is learnt about one says nothing of the rest."
  end
  lines[#lines + 1] = "  Growth     a new word makes every vector longer, and every model has to be "
    .. "built anew."
  return table.concat(lines, "\n")
end

--- What is wrong with one-hot: sparsity, memory beside other forms, the cosine between words.
-- @tparam Tokenizer|integer source a tokenizer (depth: its number of ids) or the depth itself
-- @tparam {{integer,...},...} sequences lists of ids
-- @tparam[opt] table given `embedding` (32): the width to compare with
-- @treturn table texts, positions (ids in all texts), longest, depth, sparsity (share of zeros in the
-- padded (N, T, depth) tensor), bytes { dense, sparse, ids, table, embedded }, cosine (between
-- different words; nil when there is only one), and `text`, which says it in words
local function one_hot_report(source, sequences, given)
  local read = options.read("one_hot_report", given, { embedding = 32 })
  local width = options.integer("one_hot_report", "embedding", read.embedding)
  local tokenizer, depth = type(source) == "table" and source or nil, source
  if tokenizer then depth = tokenizer:id_count() end
  depth = options.integer("one_hot_report", "depth", depth)
  if type(sequences) == "table" then sequences = native.sequences(sequences) end
  if type(sequences) ~= "userdata" or #sequences == 0 then
    error("one_hot_report: expected lists of ids, got none", 0)
  end
  local highest = native.highest_id(sequences)
  if highest >= depth then
    error(("one_hot_report: an id is %d, allowed are 0 to %d"):format(highest, depth - 1), 0)
  end
  local texts, longest = #sequences, math.max(1, sequences:quantile(1))
  local positions = math.tointeger(ops.as_real(sequences:lengths()):sum():item())
  local real = native.precision == "double" and 8 or 4
  local report = { texts = texts, positions = positions, longest = longest, depth = depth,
    embedding = width, sparsity = 1 - positions / (texts * longest * depth), bytes = {
      dense = texts * longest * depth * real, sparse = positions * (4 + real) + (texts + 1) * 8,
      ids = texts * longest * 4, table = depth * width * real,
      embedded = texts * longest * width * real } }
  local ids = some_ids(sequences, depth)
  local _, high = cosines(ids, depth)
  report.cosine = high
  report.text = describe(report, tokenizer, ids)
  return report
end

return one_hot_report
