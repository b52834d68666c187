-- Optimizers and schedules as scripts see them; the numbers themselves are tested in core/test.
require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local optim = require "marea.optim"
local schedules = optim.schedules

local tolerance = marea.precision == "double" and 1e-9 or 2e-7

local function parameter(values)
  local x = marea.tensor(values)
  x.requires_grad = true
  return x
end

-- Leaves the gradient g at w.
local function give(w, g)
  local tape <close> = marea.tape()
  tape:backward((w * marea.tensor(g)):sum())
end

describe("optimizers", function()
  local names = { "SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam",
    "Lion" }

  it("are made by class, by name and from their config", function()
    for _, name in ipairs(names) do
      local a = optim[name]{}
      assert.equal(name, a.class_name)
      assert.equal(a.learning_rate, optim.get(name:lower()).learning_rate)
      local b = optim.get{ class_name = name, config = a:get_config() }
      assert.same(a:get_config(), b:get_config())
      assert.equal(a, optim.get(a))
    end
    assert.equal(0.5, optim.SGD{ 0.5 }.learning_rate)
    assert.equal(0.01, optim.SGD{}.learning_rate)
    assert.equal(1, optim.Adadelta{ compat = "pytorch" }.learning_rate)
  end)

  it("follow Keras's and PyTorch's paths", function()
    local cases = {
      { optim.Adam{}, { 0.999000006, 0.998733671, 0.998075561, 0.997536478 } },
      { optim.Adam{ compat = "pytorch" }, { 0.999000000, 0.998733663, 0.998075551, 0.997536466 } },
      { optim.SGD{ momentum = 0.9, nesterov = true }, { 0.9905, 0.9912, 0.97058, 0.961022 } },
      { optim.Nadam{}, { 0.998937212, 0.999329808, 0.998381926, 0.998279887 } },
    }
    for _, case in ipairs(cases) do
      local w = parameter{ 1 }
      case[1]:build{ w }
      for step, g in ipairs{ 0.5, -0.25, 1, 0 } do
        give(w, { g })
        case[1]:step()
        assert.near(case[2][step], w:item(), tolerance)
      end
      assert.equal(4, case[1].iterations)
    end
  end)

  it("clip and report both norms", function()
    local w = parameter{ 0, 0 }
    local optimizer = optim.SGD{ 1, clipnorm = 1 }:build{ w }
    give(w, { 3, 4 })
    assert.near(5, optimizer:gradient_norm(), 1e-6)
    local before, after = optimizer:step()
    assert.near(5, before, 1e-6)
    assert.near(1, after, 1e-6)
    assert.near(-0.6, w:get(1), 1e-6)
    assert.near(-0.8, w:get(2), 1e-6)
  end)

  it("refuse what makes no sense", function()
    assert.fails('Adam: unknown option "lr"', optim.Adam, { lr = 1 })
    assert.fails('Adam: unknown option "momentum"', optim.Adam, { momentum = 1 })
    assert.fails("only one of clipnorm", optim.Adam, { clipnorm = 1, clipvalue = 1 })
    assert.fails("clipnorm must be a number above 0", optim.Adam, { clipnorm = 0 })
    assert.fails("beta_1 is 1", optim.Adam, { beta_1 = 1 })
    assert.fails("learning_rate is -1", optim.Adam, { -1 })
    assert.fails("compat must be one of keras3, pytorch", optim.Adam, { compat = "torch" })
    assert.fails("one of Adadelta, Adagrad", optim.get, "adm")
    assert.fails("it has no weights", function() optim.Adam{}:step() end)
    local w = parameter{ 1 }
    assert.fails("fresh gradient", function() optim.Adam{}:build{ w }:step() end)
    assert.fails("no tensor that requires", function()
      optim.Adam{}:build{ marea.tensor{ 1 } }
    end)
    local optimizer = optim.Adam{}:build{ w = w }
    assert.fails('another tensor called "w"', function()
      optimizer:build{ w = parameter{ 2 } }
    end)
    assert.fails("learning_rate", function() optimizer.learning_rate = -2 end)
  end)

  it("name the weight whose gradient is not finite", function()
    local w = parameter{ 1, 2 }
    local optimizer = optim.SGD{}:build{ ["lstm/kernel"] = w }
    give(w, { 1, 1 / 0 })
    assert.fails('"lstm/kernel" (2) is NaN or infinite, first at element (2)', optimizer.step,
      optimizer)
    assert.same({ 1, 2 }, w:totable())
    local lenient = optim.SGD{ check_finite = false }:build{ w }
    give(w, { 1, 1 / 0 })
    lenient:step()
    assert.equal(-1 / 0, w:get(2))
  end)

  it("exempt weights from decay by parts of their names", function()
    local kernel, bias = parameter{ 1 }, parameter{ 1 }
    local optimizer = optim.SGD{ 0.1, weight_decay = 0.5, exclude_from_weight_decay = { "bias" } }
    optimizer:build{ ["dense/kernel"] = kernel, ["dense/bias"] = bias }
    give(kernel, { 0 })
    optimizer:step()
    give(bias, { 0 })
    optimizer:step()
    assert.near(0.95, kernel:item(), 1e-6)
    assert.equal(1, bias:item())
  end)

  it("take lazy and exact rows", function()
    for _, lazy in ipairs{ true, false } do
      local table_ = parameter{ { 1, 1 }, { 1, 1 }, { 1, 1 } }
      local optimizer = optim.Adam{ lazy = lazy }:build{ table_ }
      for _, id in ipairs{ 1, 2 } do
        local tape <close> = marea.tape()
        tape:backward(native.embedding(table_, marea.tensor({ id }, { dtype = "int32" })):sum())
        optimizer:step()
      end
      local one, two = table_:get(2, 1), table_:get(3, 1)
      assert.equal(1, table_:get(1, 1))
      if lazy then assert.near(0.999, one, 1e-6) else assert.is_true(one < 0.9989) end
      assert.is_true(two < 1)
    end
  end)

  it("keep averages of the weights", function()
    local w = parameter{ 10 }
    local optimizer = optim.SGD{ 1, use_ema = true, ema_momentum = 0.5 }:build{ w }
    for _ = 1, 2 do
      give(w, { 2 })
      optimizer:step()
    end
    optimizer:swap_ema()
    assert.equal(7, w:item())
    optimizer:swap_ema()
    assert.equal(6, w:item())
  end)

  it("apply constraints after the step", function()
    local w = parameter{ 3, -4 }
    local optimizer = optim.SGD{ 1 }
    optimizer:bind{ { path = "w", tensor = w, constraint = marea.nn.constraints.get("non_neg") } }
    give(w, { 1, 1 })
    optimizer:step()
    assert.same({ 2, 0 }, w:totable())
  end)

  it("resume from a state as if never interrupted", function()
    for _, name in ipairs(names) do
      local a, b = parameter{ 1, -2 }, parameter{ 0, 0 }
      local whole = optim[name]{ use_ema = true }:build{ w = a }
      local resumed = optim[name]{ use_ema = true }
      for i = 1, 3 do
        give(a, { i, -0.5 })
        whole:step()
      end
      whole.learning_rate = whole.learning_rate * 0.5
      local state = whole:state()
      resumed:load_state(state)         -- before there are weights
      b:assign_(a)
      resumed:build{ w = b }
      assert.equal(3, resumed.iterations)
      assert.equal(whole.learning_rate, resumed.learning_rate)
      for i = 1, 3 do
        give(a, { i, -0.5 })
        whole:step()
        give(b, { i, -0.5 })
        resumed:step()
      end
      assert.is_true(a:same(b), name)
    end
  end)

  it("refuse a state that does not fit, and change nothing", function()
    local w = parameter{ 1, 2 }
    local optimizer = optim.Adam{}:build{ w = w }
    local state = optimizer:state()
    state.slots["w/velocity"] = marea.tensor{ 1 }
    assert.fails('"w/velocity" is (1) in the state, expected (2)', optimizer.load_state,
      optimizer, state)
    state.slots["w/velocity"] = nil
    assert.fails('lacks "w/velocity"', optimizer.load_state, optimizer, state)
    state = optimizer:state()
    state.slots["v/velocity"] = marea.tensor{ 1 }
    assert.fails('has "v/velocity"', optimizer.load_state, optimizer, state)
    assert.fails("iterations and slots", optimizer.load_state, optimizer, { slots = {} })
    assert.equal(0, optimizer.iterations)
  end)
end)

describe("schedules", function()
  local function check(schedule, values)
    for step, expected in pairs(values) do
      assert.near(expected, schedule(step), 2e-8, schedule.class_name .. " at " .. step)
    end
  end

  it("have Keras's values", function()
    check(schedules.ExponentialDecay{ 0.1, 10, 0.96 }, { [0] = 0.1, [5] = 0.0979795897, [25] =
      0.0902979899 })
    check(schedules.ExponentialDecay{ 0.1, 10, 0.96, true }, { [5] = 0.1, [25] = 0.09216 })
    check(schedules.InverseTimeDecay{ 0.1, 2, 0.5 }, { [0] = 0.1, [3] = 0.0571428571 })
    check(schedules.InverseTimeDecay{ 0.1, 2, 0.5, true }, { [3] = 0.0666666667 })
    check(schedules.PiecewiseConstantDecay{ { 10, 20 }, { 1, 0.5, 0.1 } }, { [0] = 1, [10] = 1,
      [11] = 0.5, [20] = 0.5, [21] = 0.1 })
    check(schedules.PolynomialDecay{ 0.1, 10, power = 2 }, { [0] = 0.1, [5] = 0.025075,
      [15] = 0.0001 })
    check(schedules.PolynomialDecay{ 0.1, 10, cycle = true }, { [0] = 0.1, [10] = 0.0001,
      [15] = 0.025075, [25] = 0.01675 })
    check(schedules.CosineDecay{ 0.1, 100 }, { [0] = 0.1, [25] = 0.0853553391, [150] = 0 })
    check(schedules.CosineDecay{ 0.1, 100, 0.1 }, { [25] = 0.0868198052, [200] = 0.01 })
    check(schedules.CosineDecay{ 0.01, 100, alpha = 0.1, warmup_target = 0.1, warmup_steps = 10 },
      { [0] = 0.01, [5] = 0.055, [10] = 0.1, [35] = 0.0868198052, [110] = 0.01, [200] = 0.01 })
    check(schedules.CosineDecayRestarts{ 0.1, 10 }, { [5] = 0.05, [9] = 0.0024471742, [10] = 0.1,
      [20] = 0.05, [29] = 0.0006155830, [30] = 0.1, [100] = 0.0691341716 })
    check(schedules.CosineDecayRestarts{ 0.1, 10, t_mul = 1, m_mul = 0.5, alpha = 0.1 },
      { [5] = 0.055, [10] = 0.055, [15] = 0.0325, [25] = 0.02125 })
    check(schedules.CosineDecayRestarts{ 0.1, 10, t_mul = 2, m_mul = 0.5, alpha = 0.1 },
      { [5] = 0.055, [15] = 0.0484099026, [35] = 0.0316436440 })
  end)

  it("drive an optimizer and are saved with it", function()
    local w = parameter{ 0 }
    local optimizer = optim.SGD{ schedules.PiecewiseConstantDecay{ { 0 }, { 1, 0.5 } } }:build{ w }
    assert.equal(1, optimizer.learning_rate)
    give(w, { 1 })
    optimizer:step()
    assert.equal(-1, w:item())
    assert.equal(0.5, optimizer.learning_rate)
    give(w, { 1 })
    optimizer:step()
    assert.equal(-1.5, w:item())
    local again = optim.get{ class_name = "SGD", config = optimizer:get_config() }
    assert.equal(1, again.learning_rate)
    assert.same(optimizer:get_config(), again:get_config())
    optimizer.learning_rate = 0.25
    assert.equal(0.25, optimizer.learning_rate)
    optimizer.learning_rate = function(step) return step * 10 end
    assert.equal(20, optimizer.learning_rate)
    assert.fails("cannot be saved", optimizer.get_config, optimizer)
  end)

  it("refuse what makes no sense", function()
    assert.fails("decay_steps must be above 0", schedules.CosineDecay, { 0.1, 0 })
    assert.fails("decay_rate is missing", schedules.ExponentialDecay, { 0.1, 1 })
    assert.fails("one value more", schedules.PiecewiseConstantDecay, { { 1 }, { 1 } })
    assert.fails("must rise", schedules.PiecewiseConstantDecay, { { 2, 1 }, { 1, 2, 3 } })
    assert.fails("no schedule is called", schedules.deserialize, { class_name = "os.exit",
      config = {} })
  end)
end)
