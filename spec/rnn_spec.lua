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
    raises(function() nn.RNN{ nn.LSTM{ 2, stateful = true } } end, "LSTM", "stateful")
    raises(function()
      nn.RNN{ cells = { Cell{ 3 }, { function(y) return y, {} end, state_size = 3 } }, name = "mine" }(x)
    end, 'RNN "mine": at step 1, cell 2 of the stack', "a list of 0", "a list of 1")
  end)

  it("refuses wrong returns, naming layer and step", function()
    local function with(f) return function() nn.RNN{ f, state_size = 3, name = "mine" }(x) end end
    raises(with(function(_, s) return 1, s end), "mine", "output at step 1", "(2, 3)")
    raises(with(function(_, s) return s[1] end), "mine", "state at step 1", "1 tensor")
    raises(with(function(_, s) return s[1], { marea.zeros{ 2, 2 } } end), "state at step 1 1 is (2, 2)")
  end)

  it("refuses what is no cell, and states without a size", function()
    raises(function() nn.RNN{ 3, state_size = 3 } end, "RNN: cell must be a function")
    raises(function() nn.RNN{ function() end } end, "RNN: state_size is needed")
    raises(function() nn.RNN{ function() end, state_size = {} } end, "empty list")
  end)
end)
