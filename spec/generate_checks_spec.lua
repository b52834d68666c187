-- Generation: what is drawn is what predict says, and what does not fit is said before the first token.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local ops = require "marea.ops"
local support = require "spec.support"
local nn, generate = marea.nn, marea.generate

local function words(...)
  local model = marea.Sequential{ nn.Embedding{ 4, 5, name = "words" },
    nn.GRU{ 5, return_sequences = true, name = "gru" }, ... }
  model:build{ -1, -1 }
  support.scatter(model)
  return model
end

describe("a model that ends in a softmax", function()
  local prompt = marea.tensor({ { 1, 2 } }, { dtype = "int32" })

  -- The shares of 4,000 draws are its probabilities, and so are those that come with the tokens.
  local function check(model)
    local expected, counts = model:predict(prompt):select(2, 2):reshape{ -1 }, { 0, 0, 0, 0 }
    local logits = model:stream{ logits = true }:feed{ 1, 2 }:reshape{ -1 }
    local stream = native.new_stream(3, 0)
    for _ = 1, 4000 do
      local token = generate.sample(logits, stream)
      counts[token + 1] = counts[token + 1] + 1 / 4000
    end
    assert.near_all(expected, counts, 0.03)
    local token, p = generate.tokens(model, { prompt = { 1, 2 }, seed = 1 })()
    assert.near_all({ expected:get(token + 1) }, { p }, 1e-6)
  end

  for name, make in pairs{
    ["of its Dense"] = function() return nn.Dense{ 4, activation = "softmax" } end,
    ["of an Activation"] = function() return nn.Dense{ 4 }, nn.Activation{ "softmax" } end,
    ["of a Softmax"] = function() return nn.Dense{ 4 }, nn.Softmax{} end,
    ["within TimeDistributed, behind dropout"] = function()
      return nn.TimeDistributed{ nn.Dense{ 4, activation = "softmax" } }, nn.Dropout{ 0.5 }
    end,
  } do
    it("is drawn from its probabilities: " .. name, function() check(words(make())) end)
  end

  it("is drawn from its probabilities: of a TiedDense", function()
    local table_of_words = nn.Embedding{ 4, 5 }
    local model = marea.Sequential{ table_of_words, nn.GRU{ 5, return_sequences = true },
      nn.TiedDense{ table_of_words, activation = "softmax" } }
    model:build{ -1, -1 }
    support.scatter(model)
    check(model)
  end)

  it("is refused where the softmax cannot be left out", function()
    local function refuse(part, ...)
      assert.fails(part, generate.tokens, words(nn.Dense{ 4 }, ...), { start = 1 })
    end
    local part = "whose outputs are probabilities, not logits; end in a Dense"
    refuse('ends in Lambda "l", ' .. part, nn.Lambda{ function(x) return ops.softmax(x) end, stepwise = true,
      name = "l" })
    refuse('ends in Activation "a", ' .. part, nn.Softmax{}, nn.Activation{ "linear", name = "a" })
    refuse(part, nn.Softmax{}, nn.ActivityRegularization{ l2 = 0.1 })
    refuse('ends in string "sigmoid", which gives no logits', nn.Activation{ "sigmoid" })
    assert.is_truthy(generate.tokens(words(nn.Dense{ 4 }, nn.Lambda{ function(x) return x * 2 end,
      stepwise = true }), { start = 1 })())
  end)
end)

describe("generate.tokens", function()
  local function network(class, units)
    local model = marea.Sequential{ nn.Embedding{ 4, 5, name = "words" },
      nn[class]{ units, return_sequences = true, name = "cell" }, nn.Dense{ 4 }, name = "net" }
    model:build{ -1, -1 }
    return model
  end

  local function state_of(model)
    local _, _, state = generate.tokens(model, { start = 1, seed = 1 })()
    return state
  end

  it("checks states by the layer that they are for", function()
    local gru, lstm, wide = network("GRU", 3), network("LSTM", 3), network("GRU", 6)
    for part, case in pairs{
      ['the state holds 2 tensors, the model has 1: GRU "cell" (1, 3)'] = { gru, state_of(lstm) },
      ['the state holds 1 tensors, the model has 2: LSTM "cell" (1, 3), LSTM "cell" (1, 3)'] =
        { lstm, state_of(gru) },
      ['state 1 is (1, 6), expected (1, 3), as GRU "cell" has it'] = { gru, state_of(wide) },
      ['state 1 is number 1, expected (1, 3), as GRU "cell" has it'] = { gru, { 1 } },
      ["the state holds number 3, the model has 1"] = { gru, 3 },
    } do
      for _, method in ipairs{ "tokens", "beam" } do
        assert.fails(part, generate[method], case[1], { start = 1, state = case[2] })
      end
    end
    assert.is_truthy(generate.tokens(gru, { start = 1, state = state_of(gru) })())
    assert.is_truthy(generate.tokens(gru, { start = 1, state = {} })())
  end)

  it("says which way to go on an option belongs to", function()
    local model = network("GRU", 3)
    local function refuse(part, given)
      given.start = 1
      assert.fails("generate.tokens: " .. part, generate.tokens, model, given)
    end
    for name, value in pairs{ temperature = 5, top_k = 2, top_p = 0.5, min_p = 0.1, repetition_penalty = 3,
      greedy = true } do
      refuse(name .. " is for drawing token by token, and a beam draws none", { beam = 3, [name] = value })
    end
    refuse("penalty belongs to beam search", { penalty = "gnmt" })
    refuse("penalty belongs to beam search", { penalty = "nonsense" })
    refuse("length_penalty belongs to beam search", { length_penalty = 1 })
    refuse("penalty must be one of length, gnmt", { beam = 2, penalty = "nonsense" })
    refuse("beam must be a positive whole number", { beam = 0 })
    refuse("n_best belongs to generate.beam", { n_best = 2 })
    refuse("width belongs to generate.beam", { width = 2 })
    refuse("greedy takes the likeliest token, temperature = 5 draws one", { greedy = true, temperature = 5 })
    refuse("greedy must be true or false", { greedy = 1 })
    assert.fails("generate.tokens: the options must be a table", generate.tokens, model, 0.5)
    local found = {}
    for token in generate.tokens(model, { start = 1, beam = 2, length_penalty = 1, penalty = "gnmt",
      temperature = 1, max_length = 3 }) do
      found[#found + 1] = token
    end
    assert.equal(3, #found)
  end)

  it("knows the ids of its model, and where the others stand", function()
    local model = network("GRU", 3)
    for _, method in ipairs{ "tokens", "beam" } do
      local function refuse(part, given)
        assert.fails(("generate.%s: %s"):format(method, part), generate[method], model, given)
      end
      refuse('item 2 of the prompt is 99, Embedding "words" reads the ids 0 to 3', { prompt = { 1, 99, 2 } })
      refuse('item 1 of the prompt is -1, Embedding "words"', { prompt = { -1 } })
      refuse('start is 4, Embedding "words" reads the ids 0 to 3', { start = 4 })
      refuse('the stop token 99 never comes; Sequential "net" gives scores for the ids 0 to 3',
        { start = 1, stop = { 1, 99 } })
    end
    local wide = marea.Sequential{ nn.Embedding{ 12, 3, name = "words" }, nn.Dense{ 40 }, name = "wide" }
    wide:build{ -1, -1 }
    assert.fails('Sequential "wide": generate: gives scores for the ids 0 to 39, but Embedding "words" reads '
      .. "the ids 0 to 11", generate.tokens, wide, { start = 1 })
  end)

  it("raises what a function raised, as it was", function()
    local step = generate.tokens(function() error("no more", 0) end, { start = 1 })
    local ok, message = pcall(step)
    assert.same({ false, "no more" }, { ok, message })
    assert.fails("dead coroutine", step)
  end)
end)

describe("generate.text", function()
  local tokenizer, model

  before_each(function()
    tokenizer = marea.text.Tokenizer{ char_level = true, filters = "" }
    tokenizer:fit_on_texts{ "hola ñandú" }
    local size = tokenizer.vocabulary:size() + 1
    model = marea.Sequential{ nn.Embedding{ size, 5 }, nn.GRU{ 5, return_sequences = true }, nn.Dense{ size } }
    model:build{ -1, -1 }
    model.tokenizer = tokenizer
  end)

  it("reports what the vocabulary does not know of the prompt", function()
    local known, _, none = generate.text(model, "hola", { seed = 1, max_length = 5 })
    local text, ids, report = generate.text(model, "hWola日", { seed = 1, max_length = 5 })
    assert.equal(known, text)
    assert.equal(5, #ids)
    assert.same({ 4, 0 }, { none.words, none.unknown })
    assert.same({ 6, 2 }, { report.words, report.unknown })
  end)

  it("says when a prompt gives nothing to begin with", function()
    assert.fails('generate.text: there is nothing to begin with; the vocabulary has none of the 2 tokens of the '
      .. 'prompt "日本"', generate.text, model, "日本")
    assert.fails("give a prompt that is not empty, or start", generate.text, model, "")
    assert.equal(3, #select(2, generate.text(model, "日本", { start = "h", max_length = 3 })))
  end)

  it("takes a table of options that have a meaning", function()
    assert.fails("generate.text: the options must be a table such as { temperature = 0.5 }, got number 0.5",
      generate.text, model, "hola", 0.5)
    assert.fails("generate.text: the prompt is the second argument", generate.text, model, "hola",
      { prompt = { 2, 2 } })
    assert.fails("generate.text: n_best belongs to generate.beam", generate.text, model, "hola", { n_best = 3 })
    assert.fails("generate.text: top_k is for drawing", generate.text, model, "hola", { top_k = 3, beam = 2 })
    assert.fails('generate.text: unknown option "beams"', generate.text, model, "hola", { beams = 2 })
  end)

  it("gives memory back", function()
    local function write() generate.text(model, "hola", { seed = 1, max_length = 5 }) end
    write()
    helper.leak_check(write)
  end)
end)
