-- States as values, one step at a time, drawing, beam search.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, generate = marea.nn, marea.generate

local function ids(list) return marea.tensor(list, { dtype = "int32" }) end

local function largest_gap(a, b) return (a - b):abs():max():item() end

-- The cells that steps in C know.
local cells = {}
for name, given in pairs{ SimpleRNN = { "SimpleRNN" }, LSTM = { "LSTM" }, GRU = { "GRU" },
  ["GRU, reset before"] = { "GRU", reset_after = false }, ["GRU, z writes"] = { "GRU", update = "write" },
  ["LSTM, coupled"] = { "LSTM", coupled = true }, SimpleGRU = { "SimpleGRU" },
  ["SimpleGRU, candidate of x"] = { "SimpleGRU", candidate = "x", update = "keep" },
  MGU = { "MinimalGatedUnit" }, ["MGU, z keeps"] = { "MinimalGatedUnit", update = "keep" },
  ["MGU, gate of h and bias"] = { "MinimalGatedUnit", gate = "hb" },
  ["MGU, gate of h"] = { "MinimalGatedUnit", gate = "h" },
  ["MGU, gate of h, no bias"] = { "MinimalGatedUnit", gate = "h", use_bias = false },
  ["MGU, gate of the bias"] = { "MinimalGatedUnit", gate = "b", update = "keep" } } do
  cells[name] = function(options)
    for option, value in pairs(given) do
      if option ~= 1 then options[option] = value end
    end
    return nn[given[1]](options)
  end
end

local function network(make)
  local model = marea.Sequential{ nn.Embedding{ 7, 4 }, make{ 5, return_sequences = true }, nn.Dropout{ 0.5 },
    nn.LSTM{ 3, return_sequences = true }, nn.Dense{ 7, activation = "softmax" } }
  model:build{ -1, -1 }
  support.scatter(model) -- biases too
  return model
end

describe("states as values", function()
  before_each(function() marea.manual_seed(1) end)

  for name, make in pairs(cells) do
    it("let a sequence come in pieces: " .. name, function()
      local layer, x = make{ 4, return_sequences = true }, marea.randn{ 3, 6, 2 }
      local whole = layer(x)
      local state, pieces = layer:zero_state(), {}
      for i, piece in ipairs{ { 1, 2 }, { 3, 1 }, { 4, 3 } } do
        pieces[i], state = layer(x:narrow(2, piece[1], piece[2]), state)
      end
      assert.near_all(whole, marea.concat(pieces, 2), 1e-6)
      local model = network(make)
      local tokens = ids{ { 1, 2, 3, 4, 5 }, { 6, 5, 4, 3, 2 } }
      local y, s = model(tokens:narrow(2, 1, 2), model:zero_state())
      local z = model(tokens:narrow(2, 3, 3), s)
      assert.near_all(model(tokens), marea.concat({ y, z }, 2), 1e-6)
    end)
  end

  it("fork, rewind, and choose rows", function()
    local layer, x = nn.GRU{ 4 }, marea.randn{ 3, 2, 2 }
    local _, state = layer(x, layer:zero_state())
    local before = state[1]:totable()
    local one, two = layer(x, state), layer(x * 2, state)
    assert.is_true(largest_gap(one, two) > 0)
    assert.same(before, state[1]:totable())
    assert.near_all(one, layer(x, state), 0)
    local row = layer(x:narrow(1, 3, 1), state:rows{ 2 })
    assert.near_all(one:narrow(1, 3, 1), row, 1e-6)
    assert.equal("State (3, 4)", tostring(state))
  end)

  it("carry gradients until they are detached", function()
    local layer, x = nn.LSTM{ 3 }, marea.randn{ 2, 2, 2 }
    local function gradient(cut)
      local first = x:clone()
      first.requires_grad = true
      local tape <close> = marea.tape()
      local _, state = layer(first, layer:zero_state())
      if cut then state = state:detach() end
      tape:backward((layer(x, state)):sum())
      return first.grad and first.grad:abs():sum():item() or 0
    end
    assert.is_true(gradient(false) > 0)
    assert.equal(0, gradient(true))
  end)

  it("say what does not fit", function()
    local layer, x = nn.LSTM{ 3, name = "l" }, marea.randn{ 2, 2, 2 }
    local _, state = layer(x, layer:zero_state())
    assert.fails('GRU "g": the state holds 2 tensors, expected 1', nn.GRU{ 3, name = "g" }, x, state)
    assert.fails("expected (1, 3)", layer, x:narrow(1, 1, 1), state)
    assert.fails("zero_state()", layer, x, { states = 3 })
    assert.fails("states or initial_state, not both", layer, x, { states = state, initial_state = {} })
    local kept = nn.LSTM{ 3, stateful = true }
    assert.fails("is stateful", kept, x, state)
  end)
end)

describe("a stream", function()
  before_each(function() marea.manual_seed(2) end)

  for name, make in pairs(cells) do
    it("is the model, one step at a time: " .. name, function()
      local model = network(make)
      local whole = model(ids{ { 1, 2, 3, 4 }, { 6, 5, 4, 0 } })
      local two = model:stream{ batch = 2 }
      assert.not_nil(two.stepper)
      for t, pair in ipairs{ { 1, 6 }, { 2, 5 }, { 3, 4 }, { 4, 0 } } do
        local y = two:step(pair)
        assert.near_all(whole:select(2, t), y, 1e-6)
      end
      local one = model:stream{ logits = true }
      one:step(1)
      local state = one:state()
      local logits = one:step(2):clone()
      local p = nn.Activation{ "softmax" }(logits)
      assert.near_all(whole:select(1, 1):select(1, 2), p:select(1, 1), 1e-6)
      assert.near_all(logits, one:restore(state):step(2), 0)
      assert.near_all(one:reset():feed{ 1, 2 }, logits, 0)
    end)
  end

  it("runs layers that the steps in C do not know", function()
    local Twice = nn.Layer:extend("TwiceForStreams", { masking = "pass", stepwise = true,
      call = function(_, x) return x * 2 end })
    local model = marea.Sequential{ nn.Embedding{ 5, 3 }, Twice{}, nn.SimpleRNN{ 4, return_sequences = true },
      nn.Dense{ 5 } }
    model:build{ -1, -1 }
    local stream = model:stream()
    assert.is_nil(stream.stepper)
    local whole = model(ids{ { 1, 4, 2 } })
    for t, id in ipairs{ 1, 4, 2 } do assert.near_all(whole:select(2, t), stream:step(id), 1e-6) end
  end)

  it("takes vectors where there is no embedding", function()
    local model = marea.Sequential{ nn.GRU{ 3, return_sequences = true }, nn.Dense{ 2, activation = "tanh" } }
    model:build{ -1, -1, 2 }
    local x = marea.randn{ 2, 3, 2 }
    local stream, whole = model:stream{ batch = 2 }, model(x)
    for t = 1, 3 do assert.near_all(whole:select(2, t), stream:step(x:select(2, t):clone()), 1e-6) end
  end)

  for _, name in ipairs{ "GRU", "MGU, gate of h", "MGU, gate of the bias" } do
    it("holds its memory over a hundred thousand steps: " .. name, function()
      local stream = network(cells[name]):stream{}
      for i = 0, 999 do stream:step(i % 7) end
      collectgarbage()
      collectgarbage("stop")
      local before, lua = marea.memory(), collectgarbage("count")
      for i = 0, 99999 do stream:step(i % 7) end
      local after = marea.memory()
      assert.equal(before.used, after.used)
      assert.equal(before.allocations, after.allocations)
      assert.is_true(before.allocations > 0)
      assert.is_true(collectgarbage("count") - lua < 64, "Lua's memory grew")
      collectgarbage("restart")
    end)

    it("sees what training changes: " .. name, function()
      local model = network(cells[name])
      local stream, tokens = model:stream{}, ids{ { 3, 1, 2 } }
      local before = stream:feed{ 3, 1, 2 }:clone()
      support.scatter(model, -.8)
      local after = stream:reset():feed{ 3, 1, 2 }
      assert.near_all(model(tokens):select(2, 3), after, 1e-6)
      assert.is_true(largest_gap(before, after) > .001)
    end)
  end

  it("keeps its states when an id is refused", function()
    local stream = network(cells.LSTM):stream{}
    stream:step(1)
    local state = stream:state()
    local after = stream:step(2):clone()
    stream:restore(state)
    assert.fails("allowed are 0 to 6", stream.step, stream, 7)
    assert.near_all(after, stream:step(2), 0)
  end)

  it("gives memory back, whatever allocation fails", function()
    for _, name in ipairs{ "LSTM", "MGU, gate of h", "MGU, gate of the bias" } do
      local model = network(cells[name])
      helper.survives_failures(function() model:stream{ batch = 2 }:step{ 1, 2 } end, 3)
    end
  end)

  it("refuses weights and states that do not belong to the cell", function()
    local function add(cell, kernel, recurrent, bias, c)
      local function zeros(shape) return shape and marea.zeros(shape) or nil end
      native.stepper(1, 3):recurrent(cell, "tanh", "sigmoid", zeros(kernel), zeros(recurrent), zeros(bias),
        marea.zeros{ 1, 2 }, zeros(c))
    end
    add("mgu", { 3, 2 }, { 2, 2 }, { 2 })
    assert.fails("the kernel is (3, 6), expected (3, 4)", add, "mgu", { 3, 6 }, { 2, 4 })
    assert.fails("the kernel is (4, 2), expected (3, 2)", add, "mgu", { 4, 2 }, { 2, 4 })
    assert.fails("the recurrent kernel is (2, 6), expected (2, 4)", add, "mgu", { 3, 2 }, { 2, 6 })
    assert.fails("the bias is (2, 2), expected (2)", add, "mgu", { 3, 2 }, { 2, 4 }, { 2, 2 })
    -- Columns may be missing from this cell alone.
    assert.fails("the kernel is (3, 2), expected (3, 4)", add, "simple_gru", { 3, 2 }, { 2, 4 })
    assert.fails("the recurrent kernel is (2, 4), expected (2, 6)", add, "gru", { 3, 6 }, { 2, 4 })
    assert.fails("the bias is (4), expected (6)", add, "gru_before", { 3, 6 }, { 2, 6 }, { 4 })
    assert.fails("state c belongs to cells that have one", add, "mgu", { 3, 4 }, { 2, 4 }, nil, { 1, 2 })
    assert.fails("state c belongs to cells that have one", add, "lstm_coupled", { 3, 6 }, { 2, 6 })
  end)

  it("names what cannot come step by step", function()
    local function stream_of(layers)
      local model = marea.Sequential(layers)
      model:build{ -1, 3 }
      return model:stream()
    end
    assert.fails("has no weights yet", function() marea.Sequential{ nn.Dense{ 1 } }:stream() end)
    assert.fails("reads the sequence from its end", stream_of,
      { nn.Embedding{ 3, 2 }, nn.Bidirectional{ nn.LSTM{ 2, return_sequences = true } }, nn.Dense{ 2 } })
    assert.fails("needs the whole sequence", stream_of,
      { nn.Embedding{ 3, 2 }, nn.GRU{ 2, return_sequences = true }, nn.GlobalMaxPooling1D{}, nn.Dense{ 2 } })
    local stream = network(cells.GRU):stream{ batch = 2 }
    assert.fails("an id for each of 2 sequences", stream.step, stream, 3)
    assert.fails("the state holds 1 tensors, the model has 3", stream.restore, stream, { marea.zeros{ 2, 5 } })
  end)
end)

describe("generate.distribution", function()
  local logits = { 2, 1, 0.5, -1 }
  local near = helper.double and 1e-9 or 1e-6

  it("divides by the temperature", function()
    assert.near_all({ 0.609460038, 0.224207818, 0.135988916, 0.030343229 }, generate.distribution(logits), near)
    assert.near_all({ 0.842033572, 0.113956852, 0.041922383, 0.002087193 },
      generate.distribution(logits, { temperature = 0.5 }), near)
    assert.near_all({ 0.434399700, 0.263476737, 0.205195889, 0.096927675 },
      generate.distribution(logits, { temperature = 2 }), near)
    assert.near_all({ 1, 0, 0, 0 }, generate.distribution(logits, { temperature = 0 }), 0)
  end)

  it("keeps the k largest, the nucleus, or what is near the largest", function()
    local pair = { 0.609460038 / 0.833667856, 0.224207818 / 0.833667856, 0, 0 }
    assert.near_all(pair, generate.distribution(logits, { top_k = 2 }), 1e-6)
    assert.near_all(pair, generate.distribution(logits, { top_p = 0.8 }), 1e-6)
    assert.near_all({ 1, 0, 0, 0 }, generate.distribution(logits, { top_p = 0.6 }), 0)
    assert.near_all(pair, generate.distribution(logits, { min_p = 0.3 }), 1e-6)
    assert.near_all(generate.distribution(logits), generate.distribution(logits, { top_k = 9 }), 0)
  end)

  it("makes tokens that were there less likely", function()
    assert.near_all(generate.distribution{ 1, 1, 0.5, -2 },
      generate.distribution(logits, { repetition_penalty = 2, seen = { 0, 3 } }), 1e-9)
    assert.fails("token 4 was seen", generate.distribution, logits, { repetition_penalty = 2, seen = { 4 } })
  end)

  it("stands extreme logits at every temperature", function()
    for _, temperature in ipairs{ 0, 1e-3, 0.1, 1, 5, 10 } do
      for _, list in ipairs{ { 1e30, -1e30, 0 }, { -1e30, -1e30, -1e30 }, { 80, 79, -math.huge },
        { 1e-30, 0, -1e-30 } } do
        local p = generate.distribution(list, { temperature = temperature })
        assert.near_all({ 1 }, { p:sum():item() }, 1e-6)
        assert.is_true(p:min():item() >= 0)
      end
    end
    assert.fails("the logit of token 1 is NaN", generate.distribution, { 0, 0 / 0 })
    assert.fails("are -infinity", generate.distribution, { -math.huge, -math.huge })
  end)

  it("refuses rules out of range", function()
    for part, rule in pairs{ ["temperature is -1"] = { temperature = -1 }, ["top_p is 0"] = { top_p = 0 },
      ["min_p is 2"] = { min_p = 2 }, ["repetition_penalty is 0"] = { repetition_penalty = 0 },
      ["top_k"] = { top_k = -1 } } do
      assert.fails(part, generate.distribution, logits, rule)
    end
  end)

  it("is what is drawn", function()
    local stream, counts = require("marea.native").new_stream(5, 0), { 0, 0, 0, 0 }
    for _ = 1, 20000 do
      local token, log_probability = generate.sample(logits, stream, { temperature = 2 })
      counts[token + 1] = counts[token + 1] + 1
      assert.near_all({ math.log(({ 0.609460038, 0.224207818, 0.135988916, 0.030343229 })[token + 1]) },
        { log_probability }, 1e-6)
    end
    for i, p in ipairs{ 0.434399700, 0.263476737, 0.205195889, 0.096927675 } do
      assert.near_all({ p }, { counts[i] / 20000 }, 0.02)
    end
  end)
end)

-- A language of four tokens whose logits depend on the last two.
local function toy(state, token)
  state = state or 0
  local logits = {}
  for next = 0, 3 do logits[next + 1] = math.sin(3 * token + 7 * next + 2 * state + token * next) * 2 end
  return logits, token
end

describe("generate.tokens", function()
  it("gives the same tokens for the same seed, with their probabilities", function()
    local function run(given)
      local list, sum = {}, 0
      given.start = 0
      for token, probability in generate.tokens(toy, given) do
        list[#list + 1], sum = token, sum + math.log(probability)
      end
      return table.concat(list, " "), sum, #list
    end
    local first = run{ seed = 3, max_length = 30 }
    assert.equal(first, (run{ seed = 3, max_length = 30 }))
    assert.is_true(first ~= run{ seed = 4, max_length = 30 })
    assert.equal(run{ greedy = true, max_length = 9 }, (run{ temperature = 0, max_length = 9 }))
    local _, _, count = run{ seed = 3, max_length = 0 }
    assert.equal(0, count)
    local stopped = run{ seed = 3, max_length = 30, stop = 2 }
    assert.is_nil(stopped:find("2", 1, true))
    assert.is_true(first:sub(1, #stopped) == stopped)
  end)

  it("goes on from a state as if it had not stopped", function()
    marea.manual_seed(4)
    local model = network(cells.LSTM)
    local whole, states = {}, {}
    for token, _, state in generate.tokens(model, { prompt = { 1, 2 }, greedy = true, max_length = 8 }) do
      whole[#whole + 1], states[#states + 1] = token, state
    end
    local rest = {}
    for token in generate.tokens(model, { start = whole[3], state = states[3], greedy = true,
      max_length = 5 }) do
      rest[#rest + 1] = token
    end
    assert.same(table.move(whole, 4, 8, 1, {}), rest)
  end)

  it("says what is missing", function()
    assert.fails("nothing to begin with", generate.tokens, toy)
    assert.fails("prompt must be a list of ids", generate.tokens, toy, { prompt = "a" })
    assert.fails("item 1 of the prompt", generate.tokens, toy, { prompt = { "a" } })
    assert.fails("expected a model", generate.tokens, 3, { start = 1 })
    assert.fails("must be an id", function() generate.tokens(toy, { start = 1, stop = "x" })() end)
    local model = marea.Sequential{ nn.GRU{ 2, return_sequences = true } }
    model:build{ -1, -1, 2 }
    assert.fails("must begin with an Embedding", generate.tokens, model, { start = 1 })
  end)
end)

describe("generate.beam", function()
  -- Every sequence that ends in 3 or has `longest` tokens, with its log-probability.
  local function all_sequences(longest)
    local list = {}
    local function extend(tokens, state, last, sum)
      local logits, new = toy(state, last)
      local p = generate.distribution(logits):totable()
      for next = 0, 3 do
        local total = sum + math.log(p[next + 1])
        local grown = table.move(tokens, 1, #tokens, 1, {})
        if next == 3 then
          list[#list + 1] = { tokens = grown, sum = total, length = #grown + 1 }
        else
          grown[#grown + 1] = next
          if #grown == longest then list[#list + 1] = { tokens = grown, sum = total, length = longest }
          else extend(grown, new, next, total)
          end
        end
      end
    end
    extend({}, nil, 0, 0)
    return list
  end

  for name, norm in pairs{ none = function() return 1 end, length = function(n) return n ^ 0.8 end,
    gnmt = function(n) return ((5 + n) / 6) ^ 0.8 end } do
    it("equals the exhaustive search when it is wide enough: " .. name, function()
      local list = all_sequences(4)
      for _, item in ipairs(list) do item.score = item.sum / norm(item.length) end
      table.sort(list, function(a, b) return a.score > b.score end)
      local found = generate.beam(toy, { start = 0, stop = 3, width = 200, n_best = 10, max_length = 4,
        length_penalty = name == "none" and 0 or 0.8, penalty = name == "gnmt" and "gnmt" or "length" })
      for i = 1, 10 do
        assert.same(list[i].tokens, found[i].tokens)
        assert.near_all({ list[i].score, list[i].sum }, { found[i].score, found[i].log_probability }, 1e-5)
      end
    end)
  end

  it("of width one is greedy", function()
    local greedy = {}
    for token in generate.tokens(toy, { start = 1, greedy = true, max_length = 6 }) do
      greedy[#greedy + 1] = token
    end
    assert.same(greedy, generate.beam(toy, { start = 1, width = 1, max_length = 6 })[1].tokens)
    local through = {}
    for token in generate.tokens(toy, { start = 1, beam = 1, max_length = 6 }) do through[#through + 1] = token end
    assert.same(greedy, through)
  end)

  it("runs on a model as on the function that it is", function()
    marea.manual_seed(6)
    local model = network(cells.GRU)
    local function as_function(state, token)
      local y, s = model(ids{ { token } }, state or model:zero_state())
      return y:select(2, 1):log(), s
    end
    local a = generate.beam(model, { start = 2, width = 4, n_best = 4, max_length = 5, stop = 6 })
    local b = generate.beam(as_function, { start = 2, width = 4, n_best = 4, max_length = 5, stop = 6 })
    for i = 1, 4 do assert.same(b[i].tokens, a[i].tokens) end
  end)

  it("refuses what makes no sense", function()
    for part, given in pairs{ width = { start = 0, width = 0 },
      ["n_best is 3"] = { start = 0, width = 2, n_best = 3 },
      ["penalty must be one of"] = { start = 0, penalty = "wu" }, ["nothing to begin with"] = {} } do
      assert.fails(part, generate.beam, toy, given)
    end
  end)
end)

describe("generate.text", function()
  local texts = { "añil azul", "azul añil añil" }

  it("goes on in characters and in words", function()
    marea.manual_seed(7)
    for _, by_character in ipairs{ true, false } do
      local tokenizer = marea.text.Tokenizer{ char_level = by_character, filters = "" }
      tokenizer:fit_on_texts(texts)
      local size = tokenizer.vocabulary:size() + 1
      local model = marea.Sequential{ nn.Embedding{ size, 3 }, nn.GRU{ 4, return_sequences = true },
        nn.Dense{ size, activation = "softmax" } }
      model:build{ -1, -1 }
      model.tokenizer = tokenizer
      local text, list = generate.text(model, "añil", { seed = 2, max_length = 6 })
      assert.is_truthy(utf8.len(text))
      assert.is_true(#list <= 6)
      assert.equal(text, (generate.text(model, "añil", { seed = 2, max_length = 6 })))
    end
  end)

  it("goes on in sub-words, whose pieces join to words again", function()
    marea.manual_seed(3)
    local lines = { "la marea sube y el agua baja", "añil azul del mar del norte" }
    for _, by_byte in ipairs{ true, false } do
      local tokenizer = marea.text.SubwordTokenizer{ kind = "bpe", byte_level = by_byte,
        vocab_size = by_byte and 300 or 60, special_tokens = { "<pad>", "<unk>", "<s>", "</s>" } }
      tokenizer:fit(lines)
      local size = tokenizer:id_count()
      local model = marea.Sequential{ nn.Embedding{ size, 12 }, nn.LSTM{ 24, return_sequences = true },
        nn.Dense{ size } }
      model:compile{ optimizer = marea.optim.Adam{ 0.03 },
        loss = marea.losses.SparseCategoricalCrossentropy{ from_logits = true } }
      local rows, longest = {}, 0
      for i, list in ipairs((tokenizer:encode(lines))) do
        rows[i] = { tokenizer:id("<s>"), table.unpack(list) }
        rows[i][#rows[i] + 1] = tokenizer:id("</s>")
        longest = math.max(longest, #rows[i])
      end
      local all = marea.sequence.pad_sequences(rows, { padding = "post", maxlen = longest,
        value = tokenizer:id("</s>") })
      model:fit(all:narrow(2, 1, longest - 1), all:narrow(2, 2, longest - 1),
        { epochs = 150, verbose = 0 })
      model.tokenizer = tokenizer
      local text, pieces = generate.text(model, "la marea sube",
        { start = "<s>", stop = "</s>", greedy = true })
      local blank = by_byte and " " or "" -- the other decoder leaves out the first word's
      assert.equal(blank .. "y el agua baja", text)
      assert.is_true(#pieces < #text) -- sub-words, not bytes
      assert.equal(text, (generate.text(model, "la marea sube",
        { start = "<s>", stop = "</s>", beam = 3 })))
      assert.equal(blank .. "del mar del norte", (generate.text(model, "añil azul",
        { start = tokenizer:id("<s>"), stop = { "</s>" }, top_k = 1, seed = 1 })))
      assert.fails('lacks the stop mark "<fin>"', generate.text, model, "la", { stop = "<fin>" })
    end
  end)

  it("says which mark the vocabulary lacks", function()
    local tokenizer = marea.text.Tokenizer{ filters = "" }
    tokenizer:fit_on_texts(texts)
    local function source() return { 0, 0, 0 } end
    assert.fails('lacks the start mark "<s>"', generate.text, source, "añil",
      { tokenizer = tokenizer, start = "<s>" })
    assert.fails("needs a tokenizer", generate.text, source, "añil")
    assert.fails("the prompt must be a text", generate.text, source, 3, { tokenizer = tokenizer })
    assert.fails("nothing to begin with", generate.text, source, "", { tokenizer = tokenizer })
  end)
end)
