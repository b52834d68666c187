require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

-- The LSTM of the library as a cell in Lua; `name` in the registry of classes.
local Cell = nn.Layer:extend("SpecLstmCell", { positional = { "units" }, masking = "consume",
  options = { units = 3 } })

function Cell:init()
  self.state_size = { self.units, self.units }
end

function Cell:build_weights(shape)
  local function add(name, rows)
    self[name] = self:add_weight{ name = name, shape = { rows, 4 * self.units },
      initializer = "glorot_uniform" }
  end
  add("kernel", shape[2])
  add("recurrent_kernel", self.units)
  self.bias = self:add_weight{ name = "bias", shape = { 4 * self.units }, initializer = "zeros" }
end

function Cell:step(x, state)
  local sums, u = x:matmul(self.kernel) + state[1]:matmul(self.recurrent_kernel) + self.bias, self.units
  local function gate(i) return sums:narrow(2, 1 + (i - 1) * u, u) end
  local c = gate(2):sigmoid() * state[2] + gate(1):sigmoid() * gate(3):tanh()
  local h = gate(4):sigmoid() * c:tanh()
  return h, { h, c }
end

local x = numbers{ 2, 5, 4 }
local mask = marea.tensor{ { 1, 0, 1, 1, 0 }, { 0, 1, 1, 0, 1 } }

local function pair(options)
  local fast, slow = { 3 }, { Cell{ 3 } }
  for key, value in pairs(options) do fast[key], slow[key] = value, value end
  fast, slow = nn.LSTM(fast), nn.RNN(slow)
  fast:build{ -1, 5, 4 }
  slow:build{ -1, 5, 4 }
  support.scatter(fast)
  slow:set_weights(fast:get_weights())
  return fast, slow
end

describe("RNN with a cell in Lua", function()
  for _, options in ipairs{ { return_sequences = true }, { go_backwards = true },
    { return_sequences = true, go_backwards = true, zero_output_for_mask = true } } do
    it("is the LSTM in C when its cell is, forward and backward", function()
      for _, call in ipairs{ {}, { mask = mask },
        { mask = mask, initial_state = { numbers({ 2, 3 }, 1), numbers({ 2, 3 }, 2) } } } do
        local results = {}
        for i, layer in ipairs{ pair(options) } do
          local tape <close> = marea.tape()
          local y = layer(x, call)
          tape:backward((y * numbers(y:shape(), 3)):sum())
          results[i] = { y:totable() }
          for _, gradient in ipairs(layer:get_gradients()) do table.insert(results[i], gradient:totable()) end
        end
        near(results[1], results[2], 1e-5)
      end
    end)
  end

  it("hands its states out, and keeps them when stateful", function()
    local fast, slow = pair{ return_state = true, stateful = true }
    for _ = 1, 2 do
      local a, b = { fast(x) }, { slow(x) }
      for i = 1, 3 do near(a[i], b[i], 1e-5) end
    end
  end)

  it("refuses to keep what is no state", function()
    local layer = nn.RNN{ Cell{ 3 }, stateful = true, name = "mine" }
    layer(x)
    raises(function() layer:reset_states{ 1, 2 } end, 'RNN "mine": state 1 is number 1')
    raises(function() layer:reset_states(3) end, 'RNN "mine": state must be a list of 2 tensors, got number 3')
    raises(function() layer:reset_states{ marea.zeros{ 2, 3 } } end, "a list of 2 tensors, got 1")
    raises(function() layer:reset_states{ marea.zeros{ 2, 3 }, marea.zeros{ 2, 2 } } end, "state 2 is (2, 2)")
  end)

  it("works in both directions", function()
    local fast, slow = pair{ return_sequences = true }
    fast, slow = nn.Bidirectional{ fast }, nn.Bidirectional{ slow }
    fast:build{ -1, 5, 4 }
    slow:build{ -1, 5, 4 }
    slow:set_weights(fast:get_weights())
    near(fast(x, { mask = mask }), slow(x, { mask = mask }), 1e-5)
  end)

  it("stacks cells of the library, of Lua, of functions", function()
    local stack = nn.RNN{ cells = { nn.LSTM{ 4 }, nn.Elman{ 3, 2 } }, return_sequences = true }
    local row = marea.Sequential{ nn.LSTM{ 4, return_sequences = true },
      nn.Elman{ 3, 2, return_sequences = true } }
    stack:build{ -1, 5, 4 }
    row:build{ -1, 5, 4 }
    row:set_weights(stack:get_weights())
    near(row(x, { mask = mask }), stack(x, { mask = mask }), 1e-6)
    local function f(y, s) return y:sum(2, true) + s[1], { s[1] + 1 } end
    local mixed = nn.RNN{ cells = { Cell{ 3 }, { f, state_size = 2 } }, return_state = true }
    local out = table.pack(mixed(x))
    assert.equal(4, out.n) -- h and c of the first, the state of the second
    assert.same({ 2, 2 }, out[4]:shape())
    assert.equal(5, out[4]:get(1, 1))
  end)

  it("comes back from a file with its stack", function()
    nn.register_function("spec_adds", function(y, s) return y + s[1], { s[1] + y } end)
    local model = marea.Sequential{
      nn.RNN{ cells = { nn.GRU{ 3 }, { "spec_adds", state_size = 3 } } }, nn.Dense{ 1 } }
    local y = model(x)
    local path = os.tmpname()
    assert(model:save(path))
    near(y, marea.load(path)(x), 0)
    os.remove(path)
  end)

  it("refuses stacks that cannot be", function()
    raises(function() nn.RNN{ cells = {} } end, "RNN: cells must be a list")
    raises(function() nn.RNN{ Cell{ 2 }, cells = { Cell{ 2 } } } end, "not both")
    raises(function() nn.RNN{ cells = { 3 } } end, "a layer with a method step", "number 3")
    raises(function() nn.RNN{ cells = { nn.GRU{ 2, recurrent_dropout = .1 } } } end, "GRU",
      "recurrent_dropout", "whole sequences")
    raises(function() nn.RNN{ nn.LSTM{ 2, stateful = true } } end, "LSTM", "stateful", "give it to nn.RNN")
    raises(function()
      nn.RNN{ cells = { Cell{ 3 }, { function(y) return y, {} end, state_size = 3 } }, name = "mine" }(x)
    end, 'RNN "mine": at step 1, cell 2 of the stack', "a list of 0", "a list of 1")
  end)

  it("refuses wrong returns, naming layer and step", function()
    local function with(f) return function() nn.RNN{ f, state_size = 3, name = "mine" }(x) end end
    raises(with(function(_, s) return 1, s end), "mine", "output at step 1", "(2, 3)")
    raises(with(function(_, s) return s[1] end), "mine", "state at step 1", "1 tensor")
    raises(with(function(_, s) return s[1], { marea.zeros{ 2, 2 } } end), "the cell's state 1 at step 1 is (2, 2)")
  end)

  it("refuses what is no cell, and states without a size", function()
    raises(function() nn.RNN{ 3, state_size = 3 } end, "RNN: cell must be a function")
    raises(function() nn.RNN{ function() end } end, "RNN: state_size is needed")
    raises(function() nn.RNN{ function() end, state_size = {} } end, "empty list")
  end)

  it("says where an error in the cell arose", function()
    local function wrong(y, s)
      if s[1]:get(1, 1) >= 2 then return y:matmul(marea.ones{ 2, 2 }), s end
      return s[1] + 1, { s[1] + 1 }
    end
    raises(function() nn.RNN{ wrong, state_size = 3, name = "mine" }(x) end, 'RNN "mine": at step 3, in the cell:',
      "matmul: a is (2, 4)")
    raises(function() nn.RNN{ wrong, state_size = 3, name = "mine", go_backwards = true }(x) end, "at step 3")
    raises(function()
      nn.RNN{ cells = { nn.GRU{ 2 }, { function(y, s) return y + s[2], s end, state_size = 2 } }, name = "mine" }(x)
    end, 'RNN "mine": at step 1, in cell 2 of the stack:')
    local thrown = {}
    local _, came = pcall(nn.RNN{ function() error(thrown) end, state_size = 3 }, x)
    assert.equal(thrown, came)
  end)
end)

describe("RNN has the options of the other recurrent layers:", function()
  -- A cell that shows what it gets.
  local function watched(options)
    local seen = {}
    options[1] = function(y, s)
      seen[#seen + 1] = { x = y:totable(), h = s[1]:totable(), c = s[2]:totable() }
      local h = s[1] + 1
      return h, { h, s[2] + 1 }
    end
    options.state_size = { 8, 8 }
    marea.manual_seed(2)
    local layer = nn.RNN(options)
    return layer, seen
  end

  it("recurrent_dropout, the same units at all steps, in training", function()
    local layer, seen = watched{ recurrent_dropout = 0.5 }
    layer(marea.ones{ 3, 4, 2 }, { training = true })
    local kept = 0
    for t = 2, 4 do
      for b = 1, 3 do
        for i = 1, 8 do
          local h, first = seen[t].h[b][i], seen[2].h[b][i]
          assert.equal(first == 0, h == 0)
          kept = kept + (h > 0 and 1 or 0)
          assert.equal(t - 1, seen[t].c[b][i]) -- the second state is not dropped
        end
      end
      for _, h in ipairs(seen[2].h[1]) do assert.is_true(h == 0 or h == 2) end
    end
    assert.is_true(kept > 9 and kept < 63)
    layer, seen = watched{ recurrent_dropout = 0.5 }
    layer(marea.ones{ 3, 4, 2 })
    assert.equal(3, seen[4].h[1][1])
  end)

  it("zoneout, as a cell in C has it", function()
    local fast, slow = pair{ return_sequences = true, zoneout = 0.3 }
    near(fast(x, { mask = mask }), slow(x, { mask = mask }), 1e-5)
    local layer = watched{ zoneout = 0.4, return_sequences = true }
    local y = layer(marea.ones{ 50, 4, 2 }, { training = true })
    local held = 0
    for b = 1, 50 do
      for i = 1, 8 do
        local before = 0
        for t = 1, 4 do
          local step = y:get(b, t, i) - before
          held, before = held + (step == 0 and 1 or 0), y:get(b, t, i)
          assert.is_true(step == 0 or step == 1)
        end
      end
    end
    assert.is_true(math.abs(held / 1600 - 0.4) < 0.06)
  end)

  it("learn_initial_state, with gradients, in files and streams", function()
    nn.register_function("spec_sums", function(y, s)
      local h = (y + s[1] * 0.5 + s[2]):tanh()
      return h, { h, s[2] * 0.5 }
    end)
    local model = marea.Sequential{ nn.RNN{ "spec_sums", state_size = { 4, 4 }, learn_initial_state = true,
      return_sequences = true, name = "learns" } }
    model:build{ -1, -1, 4 }
    assert.same({ { 1, 4 }, { 1, 4 } }, { model:get_weights()[1]:shape(), model:get_weights()[2]:shape() })
    support.scatter(model)
    local weights = model:get_weights()
    local function ones(w) return marea.ones{ 2, 4 } * w end
    near(model.layers[1](x, { initial_state = { ones(weights[1]), ones(weights[2]) } }), model(x), 1e-6)
    local parameters = model:parameters()
    assert.is_true(marea.gradcheck(function() return (model(x) * numbers({ 2, 5, 4 }, 1)):sum() end,
      { parameters[1], parameters[2] }))
    local stream, whole = model:stream{ batch = 2 }, model(x)
    for t = 1, 5 do near(whole:select(2, t), stream:step(x:select(2, t)), 1e-6) end
    local path = os.tmpname()
    assert(model:save(path))
    near(whole, assert(marea.load(path))(x), 0)
    os.remove(path)
  end)

  it("activity_regularizer", function()
    local layer = nn.RNN{ Cell{ 3 }, activity_regularizer = "l2", return_sequences = true }
    local y = layer(x)
    near({ 0.01 * (y * y):sum():item() }, { layer:losses()[1]:item() }, 1e-6)
  end)

  it("and both directions, for functions without a name", function()
    local function f(y, s)
      local h = (y:sum(2, true) + s[1] * 0.5):tanh()
      return h, { h }
    end
    local layer = nn.Bidirectional{ nn.RNN{ f, state_size = 3, return_sequences = true } }
    local one = nn.RNN{ f, state_size = 3, return_sequences = true }
    local back = nn.RNN{ f, state_size = 3, return_sequences = true, go_backwards = true }
    local turned = marea.zeros{ 2, 5, 3 }
    local b = back(x)
    for t = 1, 5 do turned:narrow(2, t, 1):assign_(b:narrow(2, 6 - t, 1)) end
    near(marea.concat({ one(x), turned }, 3), layer(x), 1e-6)
    local stack = nn.Bidirectional{ nn.RNN{ cells = { Cell{ 3 }, { f, state_size = 2 } } } }
    assert.same({ 2, 4 }, stack(x):shape())
    assert.equal(6, #stack:get_weights()) -- each direction has its own
    raises(function() marea.Sequential{ stack }:build{ -1, 5, 4 }:save(os.tmpname()) end, "which a file cannot hold")
  end)

  it("and says which it has not", function()
    raises(function() nn.RNN{ Cell{ 3 }, compat = "keras" } end, "RNN: compat", "give it to the cell")
    raises(function() nn.RNN{ Cell{ 3 }, recurrent_dropout = 2 } end, "RNN: recurrent_dropout")
    raises(function() nn.RNN{ Cell{ 3 }, zoneout = -1 } end, "RNN: zoneout")
    raises(function() nn.RNN{ Cell{ 3 }, learn_initial_state = 1 } end, "RNN: learn_initial_state")
    raises(function() nn.RNN{ cells = { nn.LSTM{ 2 }, Cell{ 3 } }, zoneout = 0.1 } end, "zoneout is for one cell")
    raises(function() nn.RNN{ cells = { nn.LSTM{ 2 }, nn.GRU{ 3 } }, recurrent_dropout = 0.1 } end,
      "recurrent_dropout would also drop what the cell GRU", "carries on")
    assert.not_nil(nn.RNN{ cells = { nn.LSTM{ 2 }, Cell{ 3 } }, recurrent_dropout = 0.1 }(x, { training = true }))
  end)
end)
