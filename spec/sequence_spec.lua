-- Padding, windows, batches of like lengths, skip-grams.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local sequence = marea.sequence
local pad = sequence.pad_sequences

local function golden()
  local file = assert(io.open("spec/golden/sequences.json"))
  local text = file:read("a")
  file:close()
  return assert(marea.json.decode(text))
end

local function ids(t) return native.tensor(t, { dtype = "int32" }) end

describe("pad_sequences", function()
  local given = { { 1 }, { 2, 3 }, { 4, 5, 6, 7 } }
  local cases = {
    { "pre", "pre", { { 0, 0, 1 }, { 0, 2, 3 }, { 5, 6, 7 } } },
    { "pre", "post", { { 0, 0, 1 }, { 0, 2, 3 }, { 4, 5, 6 } } },
    { "post", "pre", { { 1, 0, 0 }, { 2, 3, 0 }, { 5, 6, 7 } } },
    { "post", "post", { { 1, 0, 0 }, { 2, 3, 0 }, { 4, 5, 6 } } },
  }
  for _, case in ipairs(cases) do
    it(("fills %s and cuts %s"):format(case[1], case[2]), function()
      local x, report = pad(given, { maxlen = 3, padding = case[1], truncating = case[2] })
      assert.are.same(case[3], x:totable())
      assert.are.same({ 3, 7, 1, 1, 4 }, { report.maxlen, report.tokens, report.truncated,
        report.lost, report.longest })
      assert.are.same({ 1, 2, 3 }, report.lengths:totable())
    end)
  end

  it("agrees with Keras, also on reals and vectors", function()
    for i, case in ipairs(golden().padding) do
      local x = pad(case.rows, { maxlen = case.maxlen, padding = case.padding, value = case.value,
        truncating = case.truncating, dtype = case.real and "real" or "int32" })
      assert.are.same(case.padded, x:totable(), "case " .. i)
    end
  end)

  it("takes the longest, or a percentile, as length", function()
    assert.are.same({ 3, 4 }, pad(given):shape())
    assert.are.same({ 3, 2 }, pad(given, { maxlen = "p50" }):shape())
    assert.are.same({ 3, 4 }, pad(given, { maxlen = "p100" }):shape())
    assert.are.same({ 2, 2, 1 }, pad({ { { 1.5 } }, { { 1 }, { 2 } } }, { maxlen = "p99.5",
      dtype = "real" }):shape())
    assert.are.same({ { 9, 9 }, { 9, 8 } }, pad({ {}, { 8 } }, { maxlen = 2, value = 9 }):totable())
  end)

  it("reports what was lost, and lengths and a mask", function()
    local _, report = pad(given, { maxlen = 3, mask = true })
    assert.near_all({ 1 / 7, 3 / 9 }, { report.lost_share, report.padding_share })
    assert.are.equal("1 of 3 rows cut to 3, 1 of 7 tokens (14.3%) lost; 33.3% of the places are "
      .. "padding", tostring(report))
    assert.are.same({ { 0, 0, 1 }, { 0, 1, 1 }, { 1, 1, 1 } }, report.mask:totable())
    _, report = pad({ {}, { 5, 0 } }, { maxlen = 3, mask = true, padding = "post" })
    assert.are.same({ { 0, 0, 0 }, { 1, 1, 0 } }, report.mask:totable())
    assert.are.same({ 0, 2 }, report.lengths:totable())
    assert.is_nil(select(2, pad(given)).mask)
  end)

  it("gives lengths and masks that layers take", function()
    marea.manual_seed(1)
    local layer = marea.nn.GRU{ 3 }
    local rows = { { { 1, 2 } }, { { 3, 4 }, { 5, 6 } } }
    local before, report = pad(rows, { dtype = "real", mask = true, maxlen = 4 })
    local after, other = pad(rows, { dtype = "real", padding = "post", maxlen = 3 })
    assert.near_all(layer(before, { mask = report.mask }), layer(after, { lengths = other.lengths }))
  end)

  it("takes tensors as sequences or as items", function()
    local x = pad{ ids{ 1, 2 }, { 3 } }
    assert.are.same({ { 1, 2 }, { 0, 3 } }, x:totable())
    x = pad({ marea.ones{ 2, 3 }, {}, { marea.ones{ 3 } } }, { dtype = "real", padding = "post" })
    assert.are.same({ 3, 2, 3 }, x:shape())
    assert.are.equal(9, x:sum():item())
    assert.fails("sequence 2: its items have 0 axes, those of sequence 1 have 1", pad,
      { marea.ones{ 1, 2 }, marea.ones{ 2 } })
    assert.fails("axis 1 of the item has 3 elements, those of sequence 1 have 2", pad,
      { marea.ones{ 1, 2 }, marea.ones{ 1, 3 } })
  end)

  it("takes sequences of a tokenizer, as reals with any value too", function()
    local sequences = native.sequences(given)
    assert.are.same({ { -.5, 1 }, { 2, 3 }, { 6, 7 } }, pad(sequences, { maxlen = 2, dtype = "real",
      value = -.5 }):totable())
  end)

  it("says what is wrong, with sequence and place", function()
    assert.fails("maxlen must be a positive whole number", pad, given, { maxlen = 0 })
    assert.fails("percentile", pad, given, { maxlen = "p101" })
    assert.fails("percentile", pad, given, { maxlen = "long" })
    assert.fails("padding must be one of pre, post", pad, given, { padding = "left" })
    assert.fails("value must be a whole number when dtype is int32", pad, given, { value = .5 })
    assert.fails("sequence 2, place 1: 0.5", pad, { { 1 }, { 0.5 } })
    assert.fails("sequence 2, place 1: x", pad, { { 1 }, { "x" } })
    assert.fails("sequence 1 is a number", pad, { 3 })
    assert.fails("the list is empty", pad, {})
    assert.fails("expected a list of lists of ids, got a string", pad, "abc")
    assert.fails("expected a list of lists of ids, got a tensor", pad, marea.ones{ 2 })
    local deep = { {}, { { 1, 2 } }, { { 3, 4 }, { 5 } } }
    assert.fails("sequence 3, place 2: axis 1 of the item has 1 elements, those of sequence 2 have 2",
      pad, deep)
    assert.fails("sequence 2, place 1: the item is a number, expected a list of 1", pad,
      { { { 1 } }, { 2 } })
    assert.fails("sequence 1, place 2: table", pad, { { 1, { 2 } } }, { dtype = "real" })
    assert.fails("sequence 2, place 1: 2.5, expected a whole number of 32 bits", pad,
      { { { 1 } }, { { 2.5 } } })
    assert.fails("sequence 1, place 1: the item is empty", pad, { { {} } })
    assert.fails("an item has more than 4 axes", pad, { { { { { { { 1 } } } } } } })
    assert.fails("sequence 1, place 1: axis 2 of the item has 1 elements", pad,
      { { { { 1, 2 }, { 3 } } } })
  end)
end)

describe("bucket", function()
  local rows = {}
  for i = 1, 23 do
    rows[i] = {}
    for t = 1, (i * 7) % 11 do rows[i][t] = i end
  end

  it("gives every row once, with its lengths, as narrow as can be", function()
    for _, given in ipairs{ { batch_size = 4 }, { batch_size = 4, shuffle = true, pool = 2 },
      { batch_size = 5, shuffle = true, seed = 3, padding = "post" } } do
      local seen, tokens = {}, 0
      local batches, report = sequence.bucket(rows, given)
      for _, batch in ipairs(batches) do
        local lengths, x = batch.lengths:totable(), batch.ids:totable()
        assert.are.equal(math.max(1, table.unpack(lengths)), batch.ids:size(2))
        for i, row in ipairs(batch.rows:totable()) do
          assert.is_nil(seen[row])
          seen[row] = true
          assert.are.equal(#rows[row + 1], lengths[i])
          for _, id in ipairs(x[i]) do
            assert.is_true(id == 0 or id == row + 1)
            tokens = tokens + (id == 0 and 0 or 1)
          end
        end
      end
      assert.are.equal(#rows, (function() local n = 0 for _ in pairs(seen) do n = n + 1 end return n end)())
      assert.are.equal(report.tokens, tokens)
      assert.is_true(report.padding_share < report.padding_share_before)
    end
  end)

  it("reports the share of padding by the formula, and is sorted with fixed ties", function()
    local batches, report = sequence.bucket({ { 1 }, { 1, 2, 3 }, { 2 }, { 4, 4, 4 } },
      { batch_size = 2 })
    assert.are.same({ { 0, 2 }, { 1, 3 } }, { batches[1].rows:totable(), batches[2].rows:totable() })
    assert.are.equal(0, report.padding_share)
    assert.near_all(4 / 12, report.padding_share_before)
  end)

  it("is the same for the same seed", function()
    local function order(seed)
      local list = {}
      for _, batch in ipairs((sequence.bucket(rows, { batch_size = 3, shuffle = true, seed = seed }))) do
        table.move(batch.rows:totable(), 1, 3, #list + 1, list)
      end
      return list
    end
    assert.are.same(order(5), order(5))
    assert.are_not.same(order(5), order(6))
    marea.manual_seed(2)
    local first = order()
    assert.are_not.same(first, order())
    marea.manual_seed(2)
    assert.are.same(first, order())
  end)

  it("cuts to maxlen and drops a short batch when asked", function()
    local batches, report = sequence.bucket(rows, { batch_size = 4, maxlen = 5, drop_last = true })
    assert.are.equal(5, #batches)
    assert.are.equal(5, batches[5].ids:size(2))
    assert.is_true(report.lost > 0 and report.truncated > 0)
    assert.fails("unknown option", sequence.bucket, rows, { batch = 3 })
    assert.fails("expected a list of lists of ids", sequence.bucket, "abc")
    assert.fails("seed must be a whole number", sequence.bucket, rows, { shuffle = true, seed = .5 })
    assert.fails("expected a list of lists of ids", sequence.bucket, { { { 1 } } })
  end)
end)

describe("windows", function()
  local function range(n)
    local list = {}
    for i = 1, n do list[i] = i end
    return list
  end

  it("count by formula, show every token, and know where they are from", function()
    for n = 0, 12 do
      for length = 1, 5 do
        for stride = 1, 7 do
          local x, origin = sequence.windows({ range(n) }, { length = length, stride = stride })
          local wanted = n <= length and 1 or math.ceil((n - length) / stride) + 1
          if stride > length then wanted = math.max(1, math.min(wanted, math.ceil(n / stride))) end
          assert.are.equal(wanted, x:size(1))
          local first, lengths, seen = origin.first:totable(), origin.lengths:totable(), {}
          for i, window in ipairs(x:totable()) do
            assert.are.equal((i - 1) * stride + 1, first[i])
            for j, id in ipairs(window) do
              assert.are.equal(j <= lengths[i] and first[i] + j - 1 or 0, id)
              if id > 0 then seen[id] = true end
            end
          end
          local shown = 0
          for _ in pairs(seen) do shown = shown + 1 end
          assert.are.equal(n - shown, origin.lost)
          if stride <= length then assert.are.equal(0, origin.lost) end
          local whole, rest = sequence.windows({ range(n) }, { length = length, stride = stride,
            drop_last = true })
          assert.are.equal(n < length and 0 or (n - length) // stride + 1, whole:size(1))
          assert.are.equal(0, rest.filled)
        end
      end
    end
  end)

  it("are padded on either side, from several sequences", function()
    local x, origin = sequence.windows({ range(3), {}, range(5) }, { length = 4, stride = 3,
      pad = "pre", value = 9 })
    assert.are.same({ { 9, 1, 2, 3 }, { 9, 9, 9, 9 }, { 1, 2, 3, 4 }, { 9, 9, 4, 5 } }, x:totable())
    assert.are.same({ 1, 2, 3, 3 }, origin.sequence:totable())
    assert.are.same({ 1, 1, 1, 4 }, origin.first:totable())
    assert.are.same({ 3, 0, 4, 2 }, origin.lengths:totable())
    assert.are.same({ 3, 8, 7, 0 }, { origin.sequences, origin.tokens, origin.filled, origin.without })
    assert.are.equal(1, select(2, sequence.windows(range(2), { length = 3, drop_last = true })).without)
    assert.are.same({ { 1, 2 }, { 3, 0 } }, sequence.windows(ids(range(3)), { length = 2 }):totable())
  end)

  it("pass labels down and vote for one answer", function()
    local _, origin = sequence.windows({ range(2), range(5) }, { length = 2 })
    assert.are.same({ 7, 8, 8, 8 }, sequence.spread({ 7, 8 }, origin):totable())
    assert.are.same({ { 1, 0 }, { 0, 1 }, { 0, 1 }, { 0, 1 } },
      sequence.spread({ { 1, 0 }, { 0, 1 } }, origin):totable())
    assert.are.same({ 7, 8, 8, 8 }, sequence.spread(ids{ 7, 8 }, origin):totable())
    local p = marea.tensor{ { .9, .1 }, { .2, .8 }, { .6, .4 }, { .1, .9 } }
    assert.near_all({ { .9, .1 }, { .3, .7 } }, sequence.vote(p, origin))
    assert.near_all({ { 1, 0 }, { 1 / 3, 2 / 3 } }, sequence.vote(p, origin, { how = "majority" }))
    assert.near_all({ .1, .7 }, sequence.vote(p:select(2, 2), origin))
    assert.near_all({ { 0 }, { 2 / 3 } }, sequence.vote(p:narrow(2, 2, 1), origin,
      { how = "majority" }))
  end)

  it("say what is wrong", function()
    assert.fails("windows: length is missing", sequence.windows, { range(3) })
    assert.fails("stride must be a positive whole number", sequence.windows, { range(3) },
      { length = 2, stride = 0 })
    assert.fails("pad must be one of", sequence.windows, { range(3) }, { length = 2, pad = "left" })
    assert.fails("got a string", sequence.windows, "abc", { length = 2 })
    local _, origin = sequence.windows({ range(1), range(4) }, { length = 2, drop_last = true })
    assert.fails("sequence 1 has no window", sequence.vote, marea.ones{ 2, 2 }, origin)
    assert.fails("expected (2 windows)", sequence.vote, marea.ones{ 3 }, origin)
    assert.fails("3 values for 2 sequences", sequence.spread, { 1, 2, 3 }, origin)
    assert.fails("what sequence.windows returned", sequence.vote, marea.ones{ 3 }, {})
  end)
end)

describe("skipgrams", function()
  local fixture = golden().skipgrams

  it("pairs neighbours as Keras does, in the order of the text", function()
    for _, case in ipairs(fixture.cases) do
      local couples, labels = sequence.skipgrams(fixture.sequence, 10, { window_size = case.window,
        negative_samples = 0, shuffle = false })
      assert.are.same(case.couples, couples:totable())
      assert.are.same(case.labels, labels:totable())
    end
  end)

  it("draws as many negatives, with centres from the true pairs in equal parts", function()
    for _, case in ipairs(fixture.counts) do
      local couples, labels = sequence.skipgrams(fixture.sequence, 10, { window_size = 2,
        negative_samples = case.share, shuffle = false, seed = 1 })
      assert.are.equal(case.pairs, couples:size(1))
      assert.are.equal(case["true"], labels:cast("real"):sum():item())
      local list, centres = couples:totable(), {}
      local positives = case["true"]
      for i = 1, positives do centres[list[i][1]] = (centres[list[i][1]] or 0) + 1 end
      for i = positives + 1, #list do
        assert.is_true(list[i][2] >= 1 and list[i][2] <= 9)
        assert.is_truthy(centres[list[i][1]])
      end
      if case.share == 1 then -- once through the cycle: each centre as often as among the true ones
        for i = positives + 1, #list do centres[list[i][1]] = centres[list[i][1]] - 1 end
        for _, left in pairs(centres) do assert.are.equal(0, left) end
      end
    end
  end)

  it("shuffles couples and labels together, by the seed alone", function()
    local function run(seed, shuffle)
      local couples, labels = sequence.skipgrams(fixture.sequence, 10, { seed = seed,
        shuffle = shuffle })
      local list = couples:totable()
      for i, label in ipairs(labels:totable()) do list[i] = table.concat(list[i], "-") .. "=" .. label end
      return list
    end
    local mixed, plain = run(4), run(4, false)
    assert.are.same(mixed, run(4))
    assert.are_not.same(mixed, run(5))
    assert.are_not.same(mixed, plain)
    table.sort(mixed)
    table.sort(plain)
    assert.are.same(plain, mixed)
    marea.manual_seed(8)
    local first, second = run(), run()
    marea.manual_seed(8)
    assert.are.same(first, run())
    assert.are_not.same(first, second)
  end)

  it("takes centres by the sampling table", function()
    local long = {}
    for i = 1, 20000 do long[i] = i % 2 + 1 end
    local couples = sequence.skipgrams(long, 3, { window_size = 1, negative_samples = 0, seed = 2,
      shuffle = false, sampling_table = { 1, .25, 1 } })
    local ones = native.equal(couples:select(2, 1), ids{ 1 }):sum():item()
    assert.is_true(math.abs(ones / 20000 - .25) < .02, ones)
    assert.are.equal(0, sequence.skipgrams({ 1, 2 }, 3, { sampling_table = { 0, 0, 0 } }):size(1))
    couples = sequence.skipgrams(long, 3, { sampling_table = sequence.make_sampling_table(3) })
    assert.is_true(couples:size(1) < 20000)
  end)

  it("gives labels by category, and nothing for nothing", function()
    local _, labels = sequence.skipgrams({ 1, 2 }, 3, { categorical = true, shuffle = false })
    assert.are.same({ { 0, 1 }, { 0, 1 }, { 1, 0 }, { 1, 0 } }, labels:totable())
    assert.are.same({ 0, 2 }, sequence.skipgrams({}, 3):shape())
    assert.are.same({ 0, 2 }, sequence.skipgrams({ 0, 0, 5 }, 6):shape())
    assert.are.same({ 0, 2 }, select(2, sequence.skipgrams({ 1 }, 6, { categorical = true })):shape())
  end)

  it("trains an embedding whose loss takes the labels as they are", function()
    local couples, labels = sequence.skipgrams(fixture.sequence, 10, { seed = 1 })
    local model = marea.Sequential{ marea.nn.Embedding{ 10, 4 }, marea.nn.Flatten{},
      marea.nn.Dense{ 1, activation = "sigmoid" } }
    model:compile{ optimizer = "adam", loss = "binary_crossentropy" }
    assert.is_true(model:fit(couples, labels, { verbose = 0 }).loss[1] > 0)
  end)

  it("says what is wrong", function()
    local grams = sequence.skipgrams
    assert.fails("place 3 has id 10, allowed are 0 to 9", grams, { 1, 2, 10 }, 10)
    assert.fails("place 1 has id -1", grams, { -1 }, 10)
    assert.fails("the sampling table has 2 entries, the vocabulary has 10 words", grams, { 1 }, 10,
      { sampling_table = { 1, 1 } })
    assert.fails("vocabulary_size must be a whole number of at least 2", grams, { 1 }, 1)
    assert.fails("negative_samples", grams, { 1 }, 5, { negative_samples = -1 })
    assert.fails("expected a list of ids, got string", grams, "abc", 5)
    assert.fails("a list of ids expected", grams, ids{ { 1 } }, 5)
  end)
end)

describe("make_sampling_table", function()
  it("is Keras's", function()
    local fixture = golden()
    assert.near_all(fixture.sampling_table, sequence.make_sampling_table(12), 1e-8)
    assert.near_all(fixture.sampling_table_large,
      sequence.make_sampling_table(12, { sampling_factor = 0.01 }), 1e-7)
    assert.are.equal(1, sequence.make_sampling_table(10, { sampling_factor = 9 }):get(1))
    assert.fails("sampling_factor", sequence.make_sampling_table, 10, { sampling_factor = 0 })
    assert.fails("size must be a positive whole number", sequence.make_sampling_table, 0)
  end)
end)

describe("memory that runs out in sequences", function()
  it("is an error at every place, and leaves nothing behind", function()
    local rows, deep = { { 1, 2, 3 }, { 4 }, {} }, { { { 1.5, 2 } }, { { 3, 4 }, { 5, 6 } } }
    local function work()
      pad(rows, { mask = true })
      pad(deep, { dtype = "real" })
      pad({ { { 1 } }, { { 2 } } })
      local _, origin = sequence.windows(rows, { length = 2 })
      sequence.vote(marea.ones{ 4, 2 }, origin)
      sequence.bucket(rows, { batch_size = 1, shuffle = true })
      sequence.skipgrams({ 1, 2, 3 }, 4)
    end
    work()
    local before, failures = helper.bytes(), 0
    for n = 1, 400 do
      native.fail_at(n)
      local ok, message = pcall(work)
      native.fail_at(0)
      if ok then break end
      failures = failures + 1
      assert.is_truthy(tostring(message):find("memory", 1, true), tostring(message))
    end
    assert.is_true(failures > 20 and failures < 400, failures)
    assert.are.equal(before, helper.bytes())
  end)
end)
