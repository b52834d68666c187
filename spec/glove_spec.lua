local helper = require "spec.helper"
local folders = require "spec.folders"
local marea = require "marea"
local native = require "marea.native"
local glove = require "marea.embeddings.glove"
local Cooccurrence = require "marea.embeddings.cooccurrence"

local program = helper.program

local texts = {}
for i = 1, 120 do
  local words = {}
  for j = 1, 40 do words[j] = "w" .. (i * j * 7 + j * j) % 97 % (5 + (i + j) % 60) end
  texts[i] = table.concat(words, " ")
end

-- Every number of a tensor, as bytes that show each bit.
local function bits(tensor)
  local list = tensor:reshape{ -1 }:totable()
  for i, x in ipairs(list) do list[i] = ("%a"):format(x) end
  return table.concat(list, " ")
end

local function train(given, corpus)
  local _, training = assert(glove.train(corpus or texts, given))
  return training
end

local function never_nan(training)
  for _, tensor in ipairs{ training.matrix, training.biases } do
    for _, x in ipairs(tensor:reshape{ -1 }:totable()) do
      assert.is_true(x == x and math.abs(x) < math.huge)
    end
  end
  for _, cost in ipairs(training.costs) do assert.is_true(cost == cost and cost < math.huge) end
end

describe("GloVe", function()
  after_each(function() native.threads(2) end)

  -- One entry, X = 4, of the words w and c: the numbers of a step were worked out in double
  -- precision.
  local function one_step(given)
    local counts = Cooccurrence.count({ "w c", "w c", "w c", "w c" }, { symmetric = false })
    local options = { dimensions = 2, x_max = 100, alpha = 0.75, eta = 0.05, clip = 100, seed = 1 }
    for name, value in pairs(given or {}) do options[name] = value end
    local training = native.glove(counts.counter, options)
    local w = counts.words[1] == "w" and 1 or 2
    local function rows(first, second)
      return marea.tensor(w == 1 and { first, second } or { second, first })
    end
    training:import("words", rows({ .1, -.2, .01 }, { 9, 9, 9 }))
    training:import("contexts", rows({ 9, 9, 9 }, { .3, .05, -.02 }))
    local _, cost, entries, skipped = training:go_on(1 << 20)
    local function row(part, number) return training:export(part):select(1, number):totable() end
    return { cost = cost, entries = entries, skipped = skipped, word = row("words", w),
      context = row("contexts", 3 - w), word_squares = row("word_squares", w),
      other = row("words", 3 - w) }
  end

  it("makes the step of Stanford's program", function()
    local step = one_step()
    local near = helper.double and 1e-9 or 2e-7
    assert.near_all({ 0.101846493, -0.199692251, 0.133099510 }, step.word, near)
    assert.near_all({ 0.300615498, 0.048769005, 0.103099510 }, step.context, near)
    assert.near_all({ 1.000003409535, 1.000000094709, 1.015153489 }, step.word_squares, near)
    assert.near_all({ 0.084710581 }, { step.cost }, near)
    assert.are.same({ 9, 9, 9 }, step.other)
    assert.are.equal(1, step.entries)
  end)

  it("gives the biases the rate too, as in the paper", function()
    local step = one_step{ paper = true }
    local near = helper.double and 1e-9 or 2e-7
    assert.near_all({ 0.101846493, -0.199692251, 0.01 + 0.05 * 0.123099510 }, step.word, near)
    assert.near_all({ -0.02 + 0.05 * 0.123099510 }, { step.context[3] }, near)
  end)

  it("bounds the gradient of vectors, not of biases", function()
    local step = one_step{ clip = 0.001 }
    assert.near_all({ 0.1 + 0.05 * 0.001, -0.2 + 0.05 * 0.001, 0.133099510 }, step.word, 1e-7)
  end)

  it("weighs nothing above x_max down", function()
    local step = one_step{ x_max = 4 }
    assert.near_all({ 0.5 * 1.376294361 ^ 2 }, { step.cost }, 1e-6)
    step = one_step{ x_max = 2 }
    assert.near_all({ 0.5 * 1.376294361 ^ 2 }, { step.cost }, 1e-6)
  end)

  -- Plain AdaGrad over the entries in their order.
  local function reference_iteration(training, p, given)
    local words, contexts, logs = training:order()
    local d, cost = given.dimensions, 0
    for k = 1, #words do
      local i, j = words[k] + 1, contexts[k] + 1
      local w, c, gw, gc = p.words[i], p.contexts[j], p.word_squares[i], p.context_squares[j]
      local diff = w[d + 1] + c[d + 1] - logs[k]
      for n = 1, d do diff = diff + w[n] * c[n] end
      local x = math.exp(logs[k])
      local fdiff = x > given.x_max and diff or (x / given.x_max) ^ given.alpha * diff
      cost = cost + 0.5 * fdiff * diff
      for n = 1, d do
        local tw, tc = given.eta * fdiff * c[n], given.eta * fdiff * w[n]
        w[n], gw[n] = w[n] - tw / gw[n] ^ 0.5, gw[n] + tw * tw
        c[n], gc[n] = c[n] - tc / gc[n] ^ 0.5, gc[n] + tc * tc
      end
      w[d + 1], gw[d + 1] = w[d + 1] - fdiff / gw[d + 1] ^ 0.5, gw[d + 1] + fdiff * fdiff
      c[d + 1], gc[d + 1] = c[d + 1] - fdiff / gc[d + 1] ^ 0.5, gc[d + 1] + fdiff * fdiff
    end
    return cost, #words
  end

  it("agrees with a plain loop", function()
    local parts = { "words", "contexts", "word_squares", "context_squares" }
    for _, symmetric in ipairs{ true, false } do
      local counts = Cooccurrence.count(texts, { symmetric = symmetric, min_count = 1 })
      for _, d in ipairs{ 1, 14, 15, 33 } do
        local given = { dimensions = d, x_max = 10, alpha = 0.75, eta = 0.05, clip = 100, seed = 3 }
        local training = native.glove(counts.counter, given)
        local p = {}
        for _, part in ipairs(parts) do p[part] = training:export(part):totable() end
        for _ = 1, 2 do
          local expected, entries = reference_iteration(training, p, given)
          local done, cost, count, skipped = training:go_on(1 << 20)
          assert.is_true(done)
          assert.are.equal(entries, count)
          assert.are.equal(0, skipped)
          assert.is_true(math.abs(expected - cost) < (helper.double and 1e-9 or 1e-3) * expected)
          for _, part in ipairs(parts) do
            assert.near_all(p[part], training:export(part), helper.double and 1e-10 or 1e-4)
          end
        end
      end
    end
  end)

  it("visits every entry once, both ways when the matrix is symmetric", function()
    local counts = Cooccurrence.count(texts, { min_count = 1 })
    local training = native.glove(counts.counter, { dimensions = 2, x_max = 10, alpha = 1, eta = 1,
      clip = 1, seed = 1 })
    local expected, total, seen = {}, 0, 0
    for _, pair in ipairs(counts:pairs()) do
      expected[pair[1] .. " " .. pair[2]], expected[pair[2] .. " " .. pair[1]] = pair[3], pair[3]
    end
    for _ in pairs(expected) do total = total + 1 end
    local words, contexts, logs = training:order()
    for k = 1, #words do
      local key = counts.words[words[k] + 1] .. " " .. counts.words[contexts[k] + 1]
      assert.is_true(math.abs(math.log(expected[key]) - logs[k]) < 1e-6)
      expected[key], seen = nil, seen + 1
    end
    assert.are.equal(total, seen)
    assert.are.equal(total, select(2, training:size()))
    training:go_on(1 << 20)
    local again = training:order()
    assert.are.equal(#words, #again)
    assert.are_not.same(words, again) -- the rounds of another iteration have another order
  end)

  it("gives the same bits for any number of threads, spilled or not", function()
    local given = { vector_size = 20, iter = 3, window_size = 8, min_count = 1 }
    native.threads(1)
    local one = train(given)
    for _, threads in ipairs{ 2, 8 } do
      native.threads(threads)
      local more = train(given)
      assert.are.same(one.costs, more.costs)
      assert.are.equal(bits(one.matrix), bits(more.matrix))
    end
    given.memory = 1e-6
    local spilled = train(given)
    assert.is_true(spilled.report.files > 0)
    assert.are.equal(bits(one.matrix), bits(spilled.matrix))
    given.memory, given.seed = nil, 2
    assert.are_not.equal(bits(one.matrix), bits(train(given).matrix))
  end)

  it("learns as well without waiting for each other", function()
    local given = { vector_size = 20, iter = 10, min_count = 1 }
    local bound = train(given)
    given.deterministic = false
    local free = train(given)
    never_nan(free)
    assert.is_true(bound.costs[10] < 0.5 * bound.costs[1])
    assert.is_true(free.costs[10] < 0.5 * free.costs[1]) -- other numbers each time, the same learning
  end)

  it("has five kinds of result", function()
    local sum = train{ vector_size = 5, iter = 1 }.matrix
    local word = train{ vector_size = 5, iter = 1, model = "word" }.matrix
    local context = train{ vector_size = 5, iter = 1, model = "context" }.matrix
    local both = train{ vector_size = 5, iter = 1, model = "both" }
    assert.are.equal(bits(sum), bits(word + context))
    assert.are.equal(bits(word), bits(both.matrix))
    assert.are.equal(bits(context), bits(both.context))
    assert.are.same({ #both.words, 5 }, both.matrix:shape())
    local all = train{ vector_size = 5, iter = 1, model = "all" }
    assert.are.same({ #both.words, 12 }, all.matrix:shape())
    assert.are.equal(bits(word), bits(all.matrix:narrow(2, 1, 5)))
    assert.are.equal(bits(all.biases), bits(all.matrix:narrow(2, 6, 1)))
    assert.are.equal(bits(context), bits(all.matrix:narrow(2, 7, 5)))
  end)

  it("has a row for unknown words when asked", function()
    local plain, unk = train{ vector_size = 5, iter = 1 }, train{ vector_size = 5, iter = 1, unk = true }
    local rows = #plain.words
    assert.are.equal(rows + 1, #unk.words)
    assert.are.equal("<unk>", unk.words[rows + 1])
    assert.are.equal(bits(plain.matrix), bits(unk.matrix:narrow(1, 1, rows)))
    assert.near_all(plain.matrix:mean(1, true), unk.matrix:narrow(1, rows + 1, 1)) -- fewer than 100
    local many = {}
    for i = 1, 150 do many[i] = ("a%d b%d "):format(i, i):rep(i) end
    local wide = train({ vector_size = 2, iter = 1, unk = true, model = "both", min_count = 1 }, many)
    assert.are.equal(301, #wide.words)
    for _, matrix in ipairs{ wide.matrix, wide.context } do
      assert.near_all(matrix:narrow(1, 201, 100):mean(1, true), matrix:narrow(1, 301, 1))
    end
    assert.are.equal(0, #train({ iter = 1, unk = true }, {}).words)
    assert.fails("unk = true adds a row <unk>, but the corpus has this word", glove.train,
      { "a <unk> b" }, { unk = true, pipeline = "glove" })
  end)

  it("trains on counts as often as wanted", function()
    local counts = Cooccurrence.count(texts, {})
    local first = train({ vector_size = 5, iter = 2 }, counts)
    assert.are.equal(bits(first.matrix), bits(train({ vector_size = 5, iter = 2 }, counts).matrix))
    assert.are.equal(bits(first.matrix), bits(train{ vector_size = 5, iter = 2 }.matrix))
  end)

  it("never gives NaN for tiny corpora", function()
    for _, corpus in ipairs{ {}, { "" }, { "sol" }, { "sol sol" }, { "el sol brilla" },
      { "¿qué?", "¡ah!" } } do
      for _, given in ipairs{ { iter = 30, vector_size = 4 }, { iter = 30, eta = 50, x_max = 1e-3 },
        { iter = 3, vector_size = 4, compat = "paper", eta = 1e30 } } do
        local training = train(given, corpus)
        never_nan(training)
        assert.are.equal(given.iter, #training.costs)
      end
    end
    local training = train({ iter = 1 }, { "el sol brilla" })
    assert.are.equal(1, training.x_max)
    assert.are.same({ "the corpus has 3 words: min_count is 1", "the corpus has 3 words: x_max is 1" },
      training.notes)
  end)

  it("tells how it gets on, and stops when it is told to", function()
    local seen, last = {}, nil
    local training = train{ vector_size = 4, iter = 9, min_count = 1,
      progress = function(p) last = p end,
      on_iteration = function(info)
        seen[#seen + 1] = info.cost
        assert.is_truthy(info.vectors())
        return info.iteration < 4
      end }
    assert.are.equal(4, #training.costs)
    assert.are.same(training.costs, seen)
    assert.are.equal(4, last.iteration)
    assert.are.equal(last.total, last.done)
  end)

  it("is scored on analogies while it learns", function()
    local folder = folders.new{ ["questions.txt"] = ": own\nw0 w1 w2 w3\nw0 w1 w4 nowhere\n" }
    local totals = {}
    glove.train(texts, { vector_size = 4, iter = 3, on_iteration = function(info)
      local score = assert(info.vectors():evaluate_analogies(folder .. "/questions.txt"))
      totals[info.iteration] = score.total
      assert.are.equal(0.5, score.seen)
    end })
    folders.clean()
    assert.are.same({ 1, 1, 1 }, totals)
  end)

  describe("with a checkpoint", function()
    local folder
    before_each(function() folder = folders.new{} end)
    after_each(folders.clean)

    it("goes on to the same bits", function()
      local path = folder .. "/state.safetensors"
      local given = { vector_size = 7, iter = 6, min_count = 1 }
      local whole = train(given)
      given.iter, given.checkpoint, given.checkpoint_every = 4, path, 3
      train(given)
      given.iter, given.resume = 6, true
      local resumed = train(given)
      assert.are.same(whole.costs, resumed.costs)
      assert.are.equal(bits(whole.matrix), bits(resumed.matrix))
      assert.are.equal(bits(whole.matrix), bits(train(given).matrix)) -- nothing is left to do
    end)

    it("says what does not fit", function()
      local path = folder .. "/state.safetensors"
      local given = { vector_size = 7, iter = 1, checkpoint = path, resume = true }
      local function message_of(change)
        local options = {}
        for name, value in pairs(given) do options[name] = value end
        for name, value in pairs(change) do options[name] = value end
        local result, message = glove.train(texts, options)
        assert.is_nil(result)
        return message
      end
      assert.is_truthy(message_of{}:find("No such file", 1, true))
      given.resume = false
      train(given)
      given.resume = true
      assert.is_truthy(message_of{ seed = 5 }:find("trained with seed 1, this training has 5", 1, true))
      assert.is_truthy(message_of{ max_vocab = 9 }:find("trained with", 1, true))
      assert.is_truthy(message_of{ window_size = 3 }:find("trained with", 1, true))
      local file = assert(io.open(path, "r+b"))
      file:seek("set", 20)
      file:write("????")
      file:close()
      assert.is_truthy(message_of{}:find(path, 1, true))
      native.save_tensors(path, {}, { format = "something else" })
      assert.is_truthy(message_of{}:find('expected a "marea glove 1" file', 1, true))
      native.save_tensors(path, {}, { format = "marea glove 1", training = "[1" })
      assert.is_truthy(message_of{}:find("malformed", 1, true))
      given.resume, given.checkpoint = false, folder .. "/none/state"
      assert.is_truthy(message_of{}:find("No such file", 1, true))
    end)
  end)

  it("names what is wrong with the options", function()
    local function fails(part, given, corpus)
      assert.fails(part, glove.train, corpus or texts, given)
    end
    fails('unknown option "vectorsize"', { vectorsize = 3 })
    fails("vector_size must be a positive whole number", { vector_size = 0 })
    fails("eta must be a number above 0, got number -1", { eta = -1 })
    fails("x_max must be a number above 0", { x_max = 0 / 0 })
    fails("unk must be true or false", { unk = 1 })
    fails("compat must be one of stanford, paper", { compat = "gensim" })
    fails("model must be one of sum, word, context, both, all", { model = "none" })
    fails("resume = true goes on from `checkpoint`", { resume = true })
    fails("70000 dimensions, expected 1 to 65536", { vector_size = 70000 })
  end)

  it("runs out of memory without a leak", function()
    local function run() return train{ vector_size = 3, iter = 1, model = "both" } end
    helper.survives_failures(run)
  end)
end)

describe("marea glove", function()
  local folder
  before_each(function()
    folder = folders.new{ ["corpus.txt"] = table.concat(texts, "\n") .. "\n" }
  end)
  after_each(folders.clean)

  local function run(arguments)
    local process = assert(io.popen(("cd %s && %s glove %s 2>&1"):format(folder, program, arguments)))
    local said = process:read("a")
    return process:close(), said
  end

  local function content(name)
    local file = assert(io.open(folder .. "/" .. name, "rb"))
    local bytes = file:read("a")
    file:close()
    return bytes
  end

  it("writes what train_glove gives", function()
    if not program then return pending("runs only in our own interpreter") end
    if program:sub(1, 1) ~= "/" then program = os.getenv("PWD") .. "/" .. program end
    local ok, said = run("--vector-size 3 --iter 2 --min-count 4 --write-header 1 "
      .. "--save-vocab vocab.txt corpus.txt out.txt")
    assert.is_true(ok, said)
    assert.is_truthy(said:find("iteration 2/2", 1, true), said)
    local training = train{ vector_size = 3, iter = 2, min_count = 4 }
    assert.are.equal(("%d 3\n"):format(#training.words), content("out.txt"):match("^[^\n]*\n"))
    local vectors = assert(marea.embeddings.load(folder .. "/out.txt"))
    assert.are.same(training.words, vectors:words())
    assert.near_all(training.matrix, vectors:vectors(), 1e-6)
    assert.is_truthy(content("vocab.txt"):find("^" .. training.words[1] .. " %d+\n"))
    ok, said = run("--vector-size 3 --iter 2 --min-count 4 --write-header 1 corpus.txt -")
    assert.is_true(ok)
    assert.are.equal(content("out.txt"), said)
  end)

  it("writes binary forms, a row for unknown words, and all parameters", function()
    if not program then return pending("runs only in our own interpreter") end
    for _, name in ipairs{ "out.safetensors", "out.bin" } do
      local ok, said = run("--vector-size 3 --iter 2 --unk 1 corpus.txt " .. name)
      assert.is_true(ok, said)
      local vectors, report = marea.embeddings.load(folder .. "/" .. name)
      assert.is_truthy(vectors, report)
      assert.are.equal(name == "out.bin" and "word2vec" or "marea", report.format)
      assert.near_all(train{ vector_size = 3, iter = 2, unk = true }.matrix, vectors:vectors(), 1e-6)
      assert.is_true(vectors:has("<unk>"))
    end
    local ok, said = run("--vector-size 3 --iter 1 --model all corpus.txt out.txt")
    assert.is_true(ok, said)
    assert.are.equal(8, select(2, content("out.txt"):match("^[^\n]+"):gsub(" ", "")))
  end)

  it("says what is wrong", function()
    if not program then return pending("runs only in our own interpreter") end
    for arguments, part in pairs{
      ["--model both corpus.txt o"] = "--model takes sum, word, context or all",
      ["--colour red corpus.txt o"] = "unknown option --colour",
      ["--iter"] = "--iter needs a value",
      ["--iter x corpus.txt o"] = "--iter takes a number, got x",
      ["--symmetric yes corpus.txt o"] = "--symmetric takes 0 or 1",
      ["corpus.txt"] = "expected a corpus and an output",
      ["none.txt o"] = "No such file",
      ["--compat x corpus.txt o"] = "compat must be one of",
      ["--iter 1 corpus.txt none/o"] = "No such file",
    } do
      local ok, said = run(arguments)
      assert.is_falsy(ok, arguments)
      assert.is_truthy(said:find("marea glove: ", 1, true), said)
      assert.is_truthy(said:find(part, 1, true), said)
    end
    local ok, said = run("--help")
    assert.is_true(ok)
    assert.is_truthy(said:find("usage: marea glove", 1, true))
  end)
end)
