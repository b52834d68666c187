--- Sequences of ids: padding, windows, batches of like lengths, skip-grams.
--
-- Sequences are given as a list of lists of ids, or as what Tokenizer's encoder keeps in C.
-- @module marea.sequence
local native = require "marea.native"
local options = require "marea.nn.options"

local sequence = {}

-- What a report says in one line.
local Report = {}
Report.__index = Report

function Report:__tostring()
  return ("%d of %d rows cut to %d, %d of %d tokens (%.1f%%) lost; %.1f%% of the places are padding")
    :format(self.truncated, self.rows, self.maxlen, self.lost, self.tokens, 100 * self.lost_share,
      100 * self.padding_share)
end

local function share(part, whole)
  return whole == 0 and 0 or part / whole
end

local function complete(report)
  report.lost_share = share(report.lost, report.tokens)
  local places = report.rows * report.maxlen
  report.padding_share = share(places - (report.tokens - report.lost), places)
  return setmetatable(report, Report)
end

-- Padding -----------------------------------------------------------------------------------------

local function length_of(sequences, maxlen)
  if maxlen == nil then return math.max(1, sequences:quantile(1)) end
  if type(maxlen) ~= "string" then return options.integer("pad_sequences", "maxlen", maxlen) end
  local percent = tonumber(maxlen:match("^p(%d+%.?%d*)$"))
  if not percent or percent > 100 then
    error(("pad_sequences: maxlen must be a whole number or a percentile such as \"p95\", got %q")
      :format(maxlen), 0)
  end
  return math.max(1, sequences:quantile(percent / 100))
end

-- Whether the items are more than single numbers: the first one decides.
local function has_deep_items(sequences)
  for _, row in ipairs(sequences) do
    if native.is_tensor(row) then return true end
    if type(row) ~= "table" then return false end
    if row[1] ~= nil then return type(row[1]) ~= "number" end
  end
  return false
end

-- Ids go the short way; reals, vectors and tensors are "ragged".
local function read_sequences(who, sequences, ragged)
  if type(sequences) == "table" and not getmetatable(sequences) then
    sequences = (ragged or has_deep_items(sequences)) and native.ragged(sequences)
      or native.sequences(sequences)
  elseif native.is_tensor(sequences) or type(sequences) ~= "userdata" then
    error(("%s: expected a list of lists of ids, got a %s"):format(who,
      native.is_tensor(sequences) and "tensor" or type(sequences)), 0)
  end
  if #sequences == 0 then error(who .. ": the list is empty", 0) end
  return sequences
end

local function read_padding(given)
  local read = options.read("pad_sequences", given, { maxlen = options.optional, dtype = "int32",
    padding = "pre", truncating = "pre", value = 0, mask = false })
  options.choice("pad_sequences", "padding", read.padding, { "pre", "post" })
  options.choice("pad_sequences", "truncating", read.truncating, { "pre", "post" })
  options.choice("pad_sequences", "dtype", read.dtype, { "int32", "real", "float", "double" })
  options.boolean("pad_sequences", "mask", read.mask)
  if type(read.value) ~= "number" or read.dtype == "int32" and not math.tointeger(read.value) then
    error(("pad_sequences: value must be a %s, got %s"):format(
      read.dtype == "int32" and "whole number when dtype is int32" or "number",
      options.show(read.value)), 0)
  end
  return read
end

--- Sequences of different lengths as one tensor, cut and filled to the same length.
-- Keras's defaults, both of which surprise: zeros go before, and what is too long loses its
-- beginning. The report says how much was lost; `tostring(report)` is a line of it.
-- @tparam table|userdata sequences lists of ids; also lists of reals, of vectors or deeper (the
-- first item sets the shape that all others must have), or tensors (T, …)
-- @tparam[opt] table given `maxlen` (default: the longest; "p95": the length that 95% do not
-- exceed), `padding` and `truncating` ("pre" or "post"), `value` (0), `dtype` ("int32" or "real"),
-- `mask` (false)
-- @treturn tensor (N, maxlen) or, for items with axes of their own, (N, maxlen, …)
-- @treturn table report: rows, maxlen, tokens, longest, truncated (rows), lost (tokens),
-- lost_share, padding_share (0 to 1), lengths (int32 tensor (N) of what is left of each row) and,
-- with `mask`, mask (N, maxlen) of 1 and 0
-- @raise for maxlen 0, or naming sequence and place of the item that does not fit
function sequence.pad_sequences(sequences, given)
  local read = read_padding(given)
  local fraction = not math.tointeger(read.value)
  if type(sequences) == "userdata" and not native.is_tensor(sequences) and fraction then
    sequences = sequences:totable()
  end
  sequences = read_sequences("pad_sequences", sequences, read.dtype ~= "int32")
  local value = fraction and read.value or math.tointeger(read.value)
  local x, report = sequences:pad(length_of(sequences, read.maxlen), read.padding, read.truncating,
    value, read.mask, read.dtype)
  if read.dtype ~= "int32" then x = x:cast("real") end
  return x, complete(report)
end

-- Batches of like lengths --------------------------------------------------------------------------

-- A stream of its own, by the seed given or else by manual_seed.
local function stream_of(seed)
  if seed == nil then return native.new_stream() end
  if math.type(seed) ~= "integer" then
    error("seed must be a whole number, got " .. options.show(seed), 0)
  end
  return native.new_stream(seed, 1)
end

local function bucket_order(lengths, read)
  local rows = lengths:size(1)
  local stream = read.shuffle and stream_of(read.seed)
  local order = stream and stream:permutation(rows)
    or native.arange(0, rows - 1, 1, { dtype = "int32" })
  local pool = stream and read.pool * read.batch_size or rows
  native.bucket_sort(order, lengths, pool)
  if stream then native.bucket_shuffle(order, read.batch_size, stream) end
  return order
end

local function cut_batches(sequences, order, read)
  local batches, rows, report = {}, order:size(1), { truncated = 0, lost = 0, tokens = 0 }
  for first = 1, rows, read.batch_size do
    local count = math.min(read.batch_size, rows - first + 1)
    if count < read.batch_size and read.drop_last then break end
    local part = order:narrow(1, first, count):clone()
    local picked = sequences:pick(part)
    local longest = math.max(1, picked:quantile(1))
    local ids, padded = sequence.pad_sequences(picked, { value = read.value, padding = read.padding,
      truncating = read.truncating, maxlen = math.min(read.maxlen or longest, longest) })
    batches[#batches + 1] = { ids = ids, lengths = padded.lengths, rows = part }
    for name in pairs(report) do report[name] = report[name] + padded[name] end
  end
  return batches, report
end

--- Batches of rows of like lengths, each as wide as its longest row, in an order that is fixed: by
-- length, ties by row. With `shuffle`, rows are drawn at random into pools of `pool` batches, sorted
-- within them, and the batches come in random order; the same seed gives the same batches.
-- @tparam table|userdata sequences lists of ids
-- @tparam[opt] table given `batch_size` (32), `shuffle` (false), `seed` (by manual_seed), `pool`
-- (50), `drop_last` (false: a short batch is kept), `maxlen`, `padding`, `truncating`, `value` as for
-- pad_sequences
-- @treturn {table,...} batches of { ids = int32 (B, T), lengths = int32 (B), rows = int32 (B) }; rows
-- are counted from 0, as `x:take(rows)` does
-- @treturn table report: batches, padding_share (0 to 1; of all places), padding_share_before (the
-- same without bucketing), truncated, lost, tokens
-- @usage for _, batch in ipairs(sequence.bucket(ids, { batch_size = 64, padding = "post" })) do
--   model:forward(batch.ids, { lengths = batch.lengths }) …
function sequence.bucket(sequences, given)
  local read = options.read("bucket", given, { batch_size = 32, shuffle = false, drop_last = false,
    seed = options.optional, pool = 50, maxlen = options.optional, padding = "pre",
    truncating = "pre", value = 0 })
  read.batch_size = options.integer("bucket", "batch_size", read.batch_size)
  read.pool = options.integer("bucket", "pool", read.pool)
  if read.maxlen then read.maxlen = options.integer("bucket", "maxlen", read.maxlen) end
  sequences = read_sequences("bucket", sequences)
  if not sequences.pick then error("bucket: expected a list of lists of ids", 0) end
  local lengths = sequences:lengths()
  local order = bucket_order(lengths, read)
  local batches, report = cut_batches(sequences, order, read)
  local places, items = native.bucket_measure(order, lengths, read.batch_size)
  report.padding_share = share(places - items, places)
  places, items = native.bucket_measure(nil, lengths, read.batch_size)
  report.padding_share_before = share(places - items, places)
  report.batches = #batches
  return batches, report
end

-- Windows -----------------------------------------------------------------------------------------

local function read_windows(given)
  local read = options.read("windows", given, { length = options.required,
    stride = options.optional, drop_last = false, pad = "post", value = 0 })
  read.length = options.integer("windows", "length", read.length)
  read.stride = options.integer("windows", "stride", read.stride or read.length)
  options.boolean("windows", "drop_last", read.drop_last)
  options.choice("windows", "pad", read.pad, { "pre", "post" })
  read.value = options.integer("windows", "value", read.value, math.mininteger)
  return read
end

-- One sequence may be given as it is.
local function as_list(sequences)
  if native.is_tensor(sequences) then return { sequences:totable() } end
  if type(sequences) == "table" and type(sequences[1]) == "number" then return { sequences } end
  return sequences
end

--- Windows of `length` items over long sequences, one beginning at every `stride`-th item.
-- A sequence of n items has, with `drop_last`, 0 windows if n < length, else
-- floor((n - length) / stride) + 1; without it 1 if n <= length (also when it is empty), else
-- ceil((n - length) / stride) + 1, of which the last is padded.
-- @tparam table|userdata|tensor sequences lists of ids, or a single one
-- @tparam table given `length`, `stride` (length: windows do not overlap), `drop_last` (false),
-- `pad` ("post" or "pre"), `value` (0)
-- @treturn tensor int32 (windows, length)
-- @treturn table origin: sequence and first (int32 tensors: which sequence a window is from and at
-- which place it begins, both counted from 1), lengths (its items), and the numbers sequences,
-- tokens, lost (tokens in no window), filled (places without a token), without (sequences without a
-- window)
function sequence.windows(sequences, given)
  local read = read_windows(given)
  sequences = read_sequences("windows", as_list(sequences))
  if not sequences.windows then error("windows: expected a list of lists of ids", 0) end
  return sequences:windows(read.length, read.stride, read.drop_last, read.pad == "pre", read.value)
end

local function check_origin(who, origin)
  if type(origin) ~= "table" or not native.is_tensor(origin.sequence) then
    error(who .. ": the second argument is what sequence.windows returned second", 0)
  end
end

--- Each window's share of what belongs to its sequence, such as a label.
-- @tparam tensor|table values (sequences, …)
-- @tparam table origin from sequence.windows
-- @treturn tensor (windows, …)
function sequence.spread(values, origin)
  check_origin("spread", origin)
  if not native.is_tensor(values) then values = native.tensor(values) end
  if values:size(1) ~= origin.sequences then
    error(("spread: %d values for %d sequences"):format(values:size(1), origin.sequences), 0)
  end
  -- Sequences count from 1 and take from 0: a row before the first sets that right.
  return native.take(native.concat({ values:narrow(1, 1, 1), values }, 1), origin.sequence)
end

--- One prediction for each sequence from those for its windows.
-- @tparam tensor predictions (windows) or (windows, C)
-- @tparam table origin from sequence.windows
-- @tparam[opt] table given `how`: "mean" (the default) or "majority" (the share of windows that vote
-- for each class; with one output: that are above 0.5)
-- @treturn tensor (sequences) or (sequences, C)
-- @raise for a sequence without a window, which drop_last can make
function sequence.vote(predictions, origin, given)
  local read = options.read("vote", given, { how = "mean" })
  options.choice("vote", "how", read.how, { "mean", "majority" })
  check_origin("vote", origin)
  if not native.is_tensor(predictions) then predictions = native.tensor(predictions) end
  local shape = predictions:shape()
  if #shape < 1 or #shape > 2 or shape[1] ~= origin.sequence:size(1) then
    error(("vote: predictions are (%s), expected (%d windows) or (%d windows, classes)"):format(
      table.concat(shape, ", "), origin.sequence:size(1), origin.sequence:size(1)), 0)
  end
  local rows = predictions:cast("real"):clone():reshape{ shape[1], shape[2] or 1 }
  local result = native.vote(rows, origin.sequence, origin.sequences, read.how == "majority")
  return shape[2] and result or result:reshape{ origin.sequences }
end

-- Skip-grams --------------------------------------------------------------------------------------

--- The probability to keep a word by its rank, for corpora in which the r-th commonest word is 1/r
-- as common as the first (Mikolov et al., 2013): min(1, f/sqrt(f)), f = factor (r (ln r + 0.577) +
-- 1/2 - 1/(12 r)); rank 0 counts as 1.
-- @tparam integer size
-- @tparam[opt] table given `sampling_factor` (1e-5)
-- @treturn tensor (size)
function sequence.make_sampling_table(size, given)
  local read = options.read("make_sampling_table", given, { sampling_factor = 1e-5 })
  local factor = options.number("make_sampling_table", "sampling_factor", read.sampling_factor)
  if factor <= 0 then error("make_sampling_table: sampling_factor must be above 0", 0) end
  return native.sampling_table(options.integer("make_sampling_table", "size", size), factor)
end

--- Pairs of words that stand near each other, and random pairs (Mikolov et al., 2013), by Keras's
-- rule. Id 0 is no word. A seed governs the sampling, the random words and the order.
-- @tparam {integer,...}|tensor ids one sequence
-- @tparam integer vocabulary_size ids are 0 to vocabulary_size - 1
-- @tparam[opt] table given `window_size` (4; neighbours on each side), `negative_samples` (1; random
-- pairs for each true one; they may be true by chance), `shuffle` (true; else true pairs stand first,
-- in the order of the text), `categorical` (false; else labels are rows {0, 1} for true, {1, 0}),
-- `sampling_table` (by id, the probability to be a centre), `seed` (by manual_seed)
-- @treturn tensor couples, int32 (N, 2): centre and neighbour
-- @treturn tensor labels, int32 (N) of 1 and 0, or (N, 2)
-- @raise naming the place of an id that is out of range
function sequence.skipgrams(ids, vocabulary_size, given)
  local read = options.read("skipgrams", given, { window_size = 4, negative_samples = 1,
    shuffle = true, categorical = false, sampling_table = options.optional,
    seed = options.optional })
  if not native.is_tensor(ids) then
    if type(ids) ~= "table" then
      error("skipgrams: expected a list of ids, got " .. options.show(ids), 0)
    end
    ids = #ids == 0 and native.zeros({ 0 }, { dtype = "int32" })
      or native.tensor(ids, { dtype = "int32" })
  end
  local size = options.integer("skipgrams", "vocabulary_size", vocabulary_size, 2)
  local window = options.integer("skipgrams", "window_size", read.window_size, 0)
  local negatives = options.number("skipgrams", "negative_samples", read.negative_samples, 0)
  local chances = read.sampling_table
  if chances and not native.is_tensor(chances) then chances = native.tensor(chances) end
  local seed = read.seed and options.integer("skipgrams", "seed", read.seed, math.mininteger)
    or native.new_stream():below(1 << 62)
  local couples, labels = native.skipgrams(ids, size, window, negatives, read.shuffle, seed, chances)
  if read.categorical then labels = native.cast(native.one_hot(labels, 2), "int32") end
  return couples, labels
end

return sequence
