-- Sequences in pieces: what streams, states as values and tbptt take, what they refuse, and one step at a
-- time through graphs.
require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local nn, raises, numbers = marea.nn, support.raises, support.numbers

local function ids(list) return marea.tensor(list, { dtype = "int32" }) end

local function sequences(units) return nn.GRU{ units or 3, return_sequences = true } end

local function built(layers, shape)
  local model = marea.Sequential(layers)
  model:build(shape or { -1, -1, 3 })
  support.scatter(model)
  return model
end

-- Layers that look across time, as they are and in the form that keeps the number of steps.
local across = {
  { "Conv1D", function() return nn.Conv1D{ 3, 2, padding = "causal" } end },
  { "Conv1D", function() return nn.Conv1D{ 3, 3, padding = "same" } end },
  { "MaxPooling1D", function() return nn.MaxPooling1D{ 2, strides = 1, padding = "same" } end },
  { "MultiHeadAttention", function() return nn.MultiHeadAttention{ 2, 2 } end },
  { "GlobalMaxPooling1D", function() return nn.GlobalMaxPooling1D{} end },
  { "GRU", function() return nn.GRU{ 3, return_sequences = true, go_backwards = true } end, "from its end" },
  { "Bidirectional", function() return nn.Bidirectional{ sequences() } end, "from its end" },
  { "Lambda", function()
    return nn.Lambda{ function(x) return x - x:mean(2, true) end, mask = "pass" }
  end, "stepwise = true" },
}

describe("a sequence in pieces", function()
  before_each(function() marea.manual_seed(3) end)

  for _, case in ipairs(across) do
    local name, make, why = case[1], case[2], case[3] or "looks across time"
    it("is refused by " .. name .. ", whether by states, streams, generation or tbptt", function()
      local x = numbers{ 1, 4, 3 }
      local model = built{ make(), nn.Dense{ 3 } }
      raises(function() model(x, model:zero_state()) end, name, "called with states", why)
      raises(function() built{ marea.Sequential{ make() }, nn.Dense{ 3 } }:stream() end, name, "stream", why)
      local writer = built({ nn.Embedding{ 5, 3 }, sequences(), make(), nn.Dense{ 5 } }, { -1, -1 })
      raises(function() marea.generate.tokens(writer, { start = 1 }) end, name, "stream", why)
      writer:compile{ loss = "mse" }
      local tokens = ids{ { 1, 2, 3, 4 } }
      raises(function() writer:fit(tokens, marea.zeros{ 1, 4, 5 }, { tbptt = 2, verbose = 0 }) end, name, why)
    end)
  end

  it("is refused by a layer that has no states, called by itself", function()
    local layer, x = nn.Conv1D{ 3, 2, padding = "causal" }, numbers{ 1, 4, 3 }
    raises(function() layer(x, layer:zero_state()) end, "Conv1D", "looks across time")
  end)

  it("is taken by a recurrent layer by itself in both directions, as initial_state is", function()
    local layer, x = nn.Bidirectional{ sequences() }, numbers{ 2, 4, 3 }
    local _, state = layer(x, layer:zero_state())
    assert.near_all(layer(x, { initial_state = { state[1], state[2] } }), (layer(x, state)), 1e-9)
  end)

  it("is refused where joined along time or weighed by the step, else taken", function()
    local from = marea.Input{ { -1, 3 } }
    local function joined(axis)
      local a = sequences()(from)
      return marea.Model{ inputs = from, outputs = nn.Concatenate{ axis }{ a, from } }
    end
    raises(function() joined(2):stream() end, "Concatenate", "looks across time")
    raises(function() joined(-2):stream() end, "Concatenate", "looks across time")
    assert.not_nil(joined(-1):stream())
    assert.not_nil(joined(3):stream())
    assert.not_nil(built{ nn.PReLU{ shared_axes = { 1 } }, sequences() }:stream())
    raises(function() built({ nn.PReLU{}, sequences() }, { -1, 4, 3 }):stream() end, "PReLU")
    assert.not_nil(built{ nn.Conv1D{ 3, 1 }, sequences() }:stream())
    raises(function() built{ nn.Conv1D{ 3, 1, strides = 2 }, sequences() }:stream() end, "Conv1D")
  end)

  it("is taken by a Lambda and a class that say so", function()
    local Plain = nn.Layer:extend("SpecPlainStep", { masking = "pass", call = function(_, x) return x * 2 end })
    local Told = Plain:extend("SpecToldStep", { masking = "pass", stepwise = true })
    raises(function() built{ Plain{}, sequences() }:stream() end, "SpecPlainStep", "stepwise = true in the class")
    local model = built{ Told{}, nn.Lambda{ function(x) return x * x end, stepwise = true }, sequences() }
    local x, stream = numbers{ 2, 3, 3 }, model:stream{ batch = 2 }
    local whole = model(x)
    local a, state = model(x:narrow(2, 1, 1), model:zero_state())
    assert.near_all(whole, marea.concat({ a, (model(x:narrow(2, 2, 2), state)) }, 2), 1e-6)
    for t = 1, 3 do assert.near_all(whole:select(2, t), stream:step(x:select(2, t)), 1e-6) end
    raises(function() nn.Lambda{ function(x_) return x_ end, stepwise = 1 } end, "stepwise must be")
  end)

  it("does not reach into TimeDistributed, whose steps are samples", function()
    local model = built{ nn.Dense{ 4 }, nn.TimeDistributed{ marea.Sequential{ nn.Reshape{ { 2, 2 } },
      nn.Bidirectional{ nn.LSTM{ 2 } } } }, sequences() }
    local x, stream = numbers{ 2, 4, 3 }, model:stream{ batch = 2 }
    local whole = model(x)
    for t = 1, 4 do assert.near_all(whole:select(2, t), stream:step(x:select(2, t)), 1e-6) end
    local a, state = model(x:narrow(2, 1, 3), model:zero_state())
    assert.near_all(whole, marea.concat({ a, (model(x:narrow(2, 4, 1), state)) }, 2), 1e-6)
    model:compile{ loss = "mse" }
    model:fit(x, numbers{ 2, 4, 3 }, { tbptt = { k1 = 2, k2 = 3 }, epochs = 1, verbose = 0 })
  end)
end)

describe("a graph", function()
  before_each(function() marea.manual_seed(4) end)

  local function row()
    local from = marea.Input{ { -1 }, dtype = "int32" }
    local y = sequences(4)(nn.Embedding{ 7, 3 }(from))
    local model = marea.Model{ inputs = from, outputs = nn.Dense{ 7, activation = "softmax" }(y) }
    support.scatter(model)
    return model
  end

  -- Two ways from the input, one recurrent layer that is called twice.
  local function branched(ends)
    local from = marea.Input{ { -1 }, dtype = "int32" }
    local words, again = nn.Embedding{ 7, 3 }(from), nn.LSTM{ 3, return_sequences = true }
    local deep = again(again(words))
    local y = nn.Concatenate{}{ deep, words, sequences(2)(words) }
    local model = marea.Model{ inputs = from, outputs = nn.Dense{ 7, activation = ends }(y) }
    support.scatter(model)
    return model
  end

  for name, make in pairs{ row = row, branched = branched } do
    it("that is " .. name .. " streams and takes states", function()
      local model, tokens = make(), ids{ { 1, 2, 3, 4 }, { 6, 5, 0, 3 } }
      local whole, stream = model(tokens), model:stream{ batch = 2 }
      for t = 1, 4 do assert.near_all(whole:select(2, t), stream:step(tokens:select(2, t)), 1e-6) end
      local a, state = model(tokens:narrow(2, 1, 3), model:zero_state())
      assert.equal(name == "row" and 1 or 5, #state)
      assert.near_all(whole, marea.concat({ a, (model(tokens:narrow(2, 4, 1), state)) }, 2), 1e-6)
      assert.equal(name == "row", stream.stepper ~= nil)
    end)
  end

  it("inside a row of layers streams too", function()
    for _, make in ipairs{ row, branched } do
      local model = marea.Sequential{ make(), nn.SimpleRNN{ 2, return_sequences = true } }
      model:build{ -1, -1 }
      local tokens, stream = ids{ { 1, 2, 3, 4 } }, model:stream()
      local whole = model(tokens)
      for t = 1, 4 do assert.near_all(whole:select(2, t), stream:step(tokens:get(1, t)), 1e-6) end
    end
  end)

  it("begins with the initial states that were learned", function()
    local from = marea.Input{ { -1, 3 } }
    local a = nn.LSTM{ 3, return_sequences = true, learn_initial_state = true }(from)
    local model = marea.Model{ inputs = from, outputs = nn.Add{}{ a, from } }
    support.scatter(model)
    local x = numbers{ 1, 2, 3 }
    local whole, stream = model(x), model:stream()
    for _ = 1, 2 do
      for t = 1, 2 do assert.near_all(whole:select(2, t), stream:step(x:select(2, t)), 1e-6) end
      stream:reset()
    end
  end)

  it("has logits before its softmax, wherever that stands", function()
    local plain, soft = branched(), branched("softmax")
    soft:set_weights(plain:get_weights())
    local inside = marea.Sequential{ soft, nn.Dropout{ 0.5 } }
    inside:build{ -1, -1 }
    local expected = plain:stream{ logits = true }:step(2)
    for _, model in ipairs{ soft, inside } do
      local logits = model:stream{ logits = true }:step(2)
      assert.near_all(expected - expected:max(), logits - logits:max(), 1e-6)
      local token, p = marea.generate.tokens(model, { start = 2, greedy = true })()
      assert.equal(expected:argmax(2):item() - 1, token)
      assert.near_all({ model:stream():step(2):max():item() }, { p }, 1e-6)
    end
    local words = built({ nn.Embedding{ 7, 3 }, nn.Dense{ 7 }, nn.Softmax{} }, { -1, -1 })
    local logits, p = words:stream{ logits = true }:step(3):clone(), words:stream():step(3)
    assert.near_all(nn.Activation{ "softmax" }(logits), p, 1e-6)
    assert.near_all(marea.ones{ 1 }, p:sum(2), 1e-6)
  end)

  it("says where states cannot follow it", function()
    local from = marea.Input{ { -1, 3 } }
    local whole, h = nn.GRU{ 3, return_sequences = true, return_state = true, name = "first" }(from)
    local begun = marea.Model{ inputs = from, outputs = sequences()(whole, { initial_state = { h } }) }
    raises(function() begun:stream() end, "GRU", "initial states come from the graph")
    local x = numbers{ 1, 4, 3 }
    raises(function() begun(x, begun:zero_state()) end, "GRU", "initial states come from the graph")
    begun:compile{ loss = "mse" }
    raises(function() begun:fit(x, x, { tbptt = 2, verbose = 0 }) end, "initial states come from the graph")
    local last = marea.Model{ inputs = from, outputs = nn.Dense{ 2 }(h) }
    raises(function() last:stream() end, 'GRU "first"', "output 2 is used")
    local always = marea.Model{ inputs = from, outputs = sequences()(from, { training = true }) }
    raises(function() always(x, always:zero_state()) end, "called with training")
    local two = marea.Model{ inputs = from, outputs = { whole, nn.Dense{ 2 }(whole) } }
    raises(function() two(x, two:zero_state()) end, "has 2 outputs; states need one")
    raises(function() two:stream() end, "has 2 outputs; states need one")
    local other = marea.Input{ { -1, 3 } }
    local pair = marea.Model{ inputs = { from, other }, outputs = sequences()(nn.Add{}{ from, other }) }
    raises(function() pair:stream() end, "has 2 inputs; a step takes one")
    local y, state = pair({ x:narrow(2, 1, 2), x:narrow(2, 1, 2) }, pair:zero_state())
    local z = pair({ x:narrow(2, 3, 2), x:narrow(2, 3, 2) }, state)
    assert.near_all(pair{ x, x }, marea.concat({ y, z }, 2), 1e-6)
  end)
end)

describe("a step", function()
  before_each(function() marea.manual_seed(5) end)

  it("takes views, lists and tensors of either kind", function()
    for _, slow in ipairs{ false, true } do
      local model = built{ slow and nn.LayerNormalization{} or nn.Dense{ 3 }, sequences(), nn.Dense{ 2 } }
      local x = numbers{ 1, 3, 3 }
      local whole = model(x)
      local function same(input)
        local stream = model:stream()
        assert.equal(slow, stream.stepper == nil)
        assert.near_all(whole:select(2, 1), stream:step(input), 1e-6)
      end
      local list = x:select(2, 1):totable()[1]
      same(list)
      same{ list }
      same(x:select(2, 1))
      same(x:select(2, 1):reshape{ 3 })
      same(x:narrow(2, 1, 1))
      local turned = x:transpose(1, 2) -- (3, 1, 3), whose rows lie apart for a batch of more
      same(turned:select(1, 1))
      local pair = numbers{ 2, 3, 3 }
      local stream, both = model:stream{ batch = 2 }, model(pair)
      assert.near_all(both:select(2, 2), stream:step(pair:select(2, 1)) and stream:step(pair:select(2, 2)), 1e-6)
    end
    local words = built({ nn.Embedding{ 5, 3 }, sequences() }, { -1, -1 })
    local tokens = ids{ { 1, 2, 3 }, { 4, 0, 1 } }
    local stream, whole = words:stream{ batch = 2 }, words(tokens)
    assert.near_all(whole:select(2, 1), stream:step(tokens:select(2, 1)), 1e-6)
    assert.near_all(whole:select(2, 2), stream:step(marea.tensor{ 2, 0 }), 1e-6) -- reals that are ids
    assert.near_all(whole:select(2, 3), stream:step{ 3, 1 }, 1e-6)
  end)

  it("says what it takes and what came", function()
    for _, slow in ipairs{ false, true } do
      local model = built{ slow and nn.LayerNormalization{} or nn.Dense{ 3 }, sequences() }
      local one, two = model:stream(), model:stream{ batch = 2 }
      raises(function() one:step{ 1, 2 } end, "stream: step takes a vector of 3, got a list of 2")
      raises(function() one:step(3) end, "a vector of 3, got number 3")
      raises(function() one:step(marea.zeros{ 3, 3 }) end, "got a tensor (3, 3)")
      raises(function() two:step{ 1, 2, 3 } end, "a vector of 3 for each of 2 sequences, got a list of 3")
      raises(function() two:step{ { 1, 2, 3 }, { 1, 2 } } end, "a vector of 3 for each of 2 sequences")
      raises(function() two:step(marea.zeros{ 3, 2 }) end, "got a tensor (3, 2)")
    end
    local words = built({ nn.Embedding{ 5, 3 }, sequences() }, { -1, -1 })
    local stream = words:stream{ batch = 2 }
    raises(function() stream:step(3) end, "an id for each of 2 sequences, got number 3")
    raises(function() stream:step(ids{ 1, 2, 3 }) end, "got a tensor (3)")
    raises(function() stream:step{ 1, "a" } end, "the id of sequence 2 must be a whole number", '"a"')
    raises(function() words:stream():step(1.5) end, "must be a whole number, got number 1.5")
    raises(function() stream:step() end, "got nil")
    raises(function() stream:restore{ marea.zeros{ 1, 3 } } end, "stream: state 1 is (1, 3), expected (2, 3)")
    raises(function() stream:restore{ 1, 2 } end, "the state holds 2 tensors, the model has 1")
    raises(function() stream:restore{ 1 } end, "state 1 is number 1, expected (2, 3)")
    raises(function() stream:restore_row(1, { marea.zeros{ 2, 3 } }) end, "state 1 is (2, 3), expected (1, 3)")
  end)

  it("needs no build where Input declares the shape, and neither does a file", function()
    local function declared() return marea.Sequential{ marea.Input{ { -1, 3 } }, sequences(), nn.Dense{ 2 } } end
    assert.same({ 1, 2 }, declared():stream():step{ 1, 2, 3 }:shape())
    local path, model = os.tmpname(), declared()
    assert(model:save(path))
    assert.near_all(model(numbers{ 1, 2, 3 }), assert(marea.load(path))(numbers{ 1, 2, 3 }), 0)
    os.remove(path)
    raises(function() marea.Sequential{ sequences() }:save(path) end, "has no weights yet")
  end)
end)
