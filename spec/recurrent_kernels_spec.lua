-- The recurrent kernels against reference numbers (computed in double precision, apart from this
-- code), against differences, and against themselves under padding and threads.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"

-- D = u = 2, three steps; weights by formula from row i and column j, both from 0.
local function matrix(rows, columns, formula)
  local t = {}
  for i = 0, rows - 1 do
    t[i + 1] = {}
    for j = 0, columns - 1 do t[i + 1][j + 1] = formula(i, j) end
  end
  return marea.tensor(t)
end

local gates = { rnn = 1, lstm = 4, gru = 3, gru_before = 3, lstm_coupled = 3, simple_gru = 2,
  simple_gru_x = 2, mgu = 2 }

local function reference(cell)
  local columns = 2 * gates[cell]
  local bias = {}
  for j = 0, columns - 1 do bias[j + 1] = (j % 5 - 2) / 20 end
  if cell == "gru" then
    local second = {}
    for j = 0, columns - 1 do second[j + 1] = (j % 3 - 1) / 20 end
    bias = { bias, second }
  end
  return {
    cell = cell,
    x = marea.tensor{ { { 0.5, -1 }, { 1, 0.25 }, { -0.75, 0.5 } } },
    kernel = matrix(2, columns, function(i, j) return ((5 * i + 3 * j) % 7 - 3) / 10 end),
    recurrent_kernel = matrix(2, columns, function(i, j) return ((2 * i + 5 * j) % 9 - 4) / 10 end),
    bias = marea.tensor(bias),
    return_sequences = true,
  }
end

local golden = {
  { cell = "rnn", h = { -0.421899005, 0.148885034, -0.207940118, -0.097216377, 0.316380013, -0.197335845 },
    dx = { -0.226599737, -0.348205028, -0.238879348, -0.315547814, -0.269971106, -0.204442688 },
    loss = -0.604793488, bias = { 2.451500637, 6.792478290 },
    row = { -0.523069277, -1.401275005 } },
  { cell = "lstm", h = { 0.040265521, -0.100605804, 0.080846346, -0.086312082, 0.016685056, 0.012377350 },
    c = { 0.036912858, 0.020817435 }, loss = -0.211284150,
    dx = { -0.017718104, 0.180739109, -0.039671665, 0.212031495, -0.040940754, 0.156748152 },
    bias = { 0.089573864, -0.131797383, 0.032057498, -0.141543364, 0.896267022, 1.674181255,
      0.073300945, -0.176742674 },
    row = { 0.001464593, 0.003713153, 0.002027342, -0.008044512, 0.031472308, 0.066065837,
      0.002519210, -0.002620660 } },
  { cell = "gru", h = { 0.122858110, -0.203404162, 0.216067061, -0.174433524, 0.082022484, 0.073225009 },
    loss = -0.188277699,
    dx = { 0.007869772, 0.250535781, -0.092203047, 0.395854331, -0.135031011, 0.346331545 },
    bias = { -0.069217428, 0.067816582, -0.010253528, 0.117936327, 2.395483249, 3.521782365,
      -0.069217428, 0.067816582, -0.010253528, 0.117936327, 1.282013588, 1.724710689 },
    row = { 0.008099659, -0.053064995, -0.001726407, 0.017103147, 0.109882280, 0.178832442 } },
  { cell = "gru_before",
    h = { 0.120525114, -0.213761605, 0.213425369, -0.186922147, 0.084727967, 0.056464065 },
    loss = -0.269760923,
    dx = { 0.022261131, 0.239768689, -0.086058802, 0.400301221, -0.132565105, 0.359311527 },
    bias = { -0.076220002, 0.088805521, 0.018435988, 0.048275454, 2.383758457, 3.483418597 },
    row = { 0.007609591, -0.051100493, 0.003274633, 0.007586400, 0.103068023, 0.192764130 } },
  { cell = "lstm", mask = { 1, 0, 1 }, loss = -0.330041735,
    h = { 0.040265521, -0.100605804, 0.040265521, -0.100605804, 0.001237862, -0.004693711 },
    dx = { -0.023194826, 0.270361210, 0, 0, -0.037985333, 0.158288065 } },
  { cell = "gru", mask = { 0, 1, 1 }, loss = 0.214977255,
    h = { 0, 0, 0.174405266, -0.104718306, 0.061826252, 0.094091174 },
    dx = { 0, 0, -0.062277160, 0.350256641, -0.130909219, 0.339320146 } },
}

local function with(given, extra)
  for name, value in pairs(extra) do given[name] = value end
  return given
end

describe("recurrent kernels", function()
  for _, case in ipairs(golden) do
    local name = case.cell .. (case.mask and " with mask " .. table.concat(case.mask) or "")
    it("agree with the reference numbers: " .. name, function()
      local given = reference(case.cell)
      if case.mask then given.mask = marea.tensor{ case.mask } end
      for _, w in ipairs{ "x", "kernel", "recurrent_kernel", "bias" } do given[w].requires_grad = true end
      local tape <close> = marea.tape()
      local y, _, c = native.recurrent(given)
      assert.near_all(case.h, y)
      if case.c then assert.near_all(case.c, c) end
      local loss = (y * marea.tensor{ 1, 2 }):sum()
      assert.near_all(case.loss, loss:item())
      tape:backward(loss)
      assert.near_all(case.dx, given.x.grad)
      if case.bias then assert.near_all(case.bias, given.bias.grad, 4 * helper.tolerance) end
      if case.row then assert.near_all(case.row, given.recurrent_kernel.grad:select(1, 1)) end
    end)
  end

  local stream = native.new_stream(11, 1)
  local function random(cell, B, T, D, H)
    local G = gates[cell]
    local function uniform(shape) return stream:uniform(shape, -1, 1) end
    return { cell = cell, x = uniform{ B, T, D }, kernel = uniform{ D, G * H },
      recurrent_kernel = uniform{ H, G * H },
      bias = uniform(cell == "gru" and { 2, G * H } or { G * H }), initial_h = uniform{ B, H },
      initial_c = cell:find("lstm") and uniform{ B, H } or nil, return_sequences = true }
  end

  local variants = {
    plain = {},
    ["any activation"] = { activation = "softsign", recurrent_activation = "sigmoid" },
    ["relu-like"] = { activation = "elu", recurrent_activation = "hard_sigmoid" },
    backwards = { backwards = true },
    ["original order"] = { backwards = true, original_order = true },
    masked = { mask = marea.tensor{ { 0, 1, 0, 1 }, { 0, 0, 0, 0 }, { 1, 1, 0, 0 } } },
    ["masked, backwards, zeros"] = { backwards = true, zero_output_for_mask = true,
      mask = marea.tensor{ { 0, 1, 0, 1 }, { 1, 0, 0, 0 }, { 1, 1, 1, 0 } } },
    ["last output"] = { return_sequences = false,
      mask = marea.tensor{ { 1, 1, 0, 0 }, { 0, 0, 0, 0 }, { 0, 1, 1, 1 } } },
    ["both dropouts"] = { dropout = 0.4, recurrent_dropout = 0.3 },
    ["input dropout"] = { dropout = 0.4 },
  }

  for cell in pairs(gates) do
    for name, extra in pairs(variants) do
      it(("have right gradients: %s, %s"):format(cell, name), function()
        local given = with(random(cell, 3, 4, 2, 3), extra)
        local names = { "x", "kernel", "recurrent_kernel", "bias", "initial_h", "initial_c" }
        local inputs = {}
        for _, n in ipairs(names) do inputs[#inputs + 1] = given[n] end
        local ok, report = marea.gradcheck(function()
          given.stream = native.new_stream(5, 5)
          local y, h, c = native.recurrent(given)
          local loss = (y * y):sum() + (h * 0.7):sum()
          return c and loss + (c * 0.3):sum() or loss
        end, inputs, { tolerance = helper.double and 1e-7 or 5e-2 })
        assert.is_true(ok, ("worst %g at %s, element %s: %s, differences say %s"):format(report.worst,
          report.input, report.element, report.analytic, report.numeric))
      end)
    end

    -- The forms beside dropout, which has to multiply what the forms add to. Differences in float
    -- say nothing about normalised sums of three units.
    for name, extra in pairs(helper.double and {
      normalised = {}, zoned = { zoneout_h = 0.4, zoneout_c = 0.3 }, both = { zoneout_h = 0.4 } } or {}) do
      it(("have right gradients: %s, %s, dropout"):format(cell, name), function()
        local given = with(random(cell, 3, 4, 2, 3), extra)
        local lstm = given.initial_c ~= nil
        if name ~= "zoned" then
          given.gain = stream:uniform({ cell == "gru" and 4 or gates[cell], 3 }, 0.5, 1.5)
          given.epsilon = 1e-3
          given.cell_gain = lstm and stream:uniform({ 3 }, 0.5, 1.5) or nil
          given.cell_bias = lstm and stream:uniform({ 3 }, -1, 1) or nil
        end
        if name == "both" and lstm then
          given.peephole_i, given.peephole_o = stream:uniform{ 3, 3 }, stream:uniform{ 3, 3 }
          given.peephole_f = cell == "lstm" and stream:uniform{ 3, 3 } or nil
          given.projection, given.cell_clip = stream:uniform{ 3, 2 }, 0.4
          given.recurrent_kernel = given.recurrent_kernel:narrow(1, 1, 2):clone()
          given.initial_h = stream:uniform{ 3, 2 }
        end
        with(given, { dropout = 0.3, recurrent_dropout = 0.3, training = true,
          mask = marea.tensor{ { 0, 1, 0, 1 }, { 1, 1, 1, 1 }, { 1, 1, 0, 0 } } })
        local inputs = {}
        for _, n in ipairs{ "x", "kernel", "recurrent_kernel", "bias", "initial_h", "initial_c", "gain",
          "cell_gain", "cell_bias", "peephole_i", "peephole_f", "peephole_o", "projection" } do
          inputs[#inputs + 1] = given[n]
        end
        local ok, report = marea.gradcheck(function()
          given.stream = native.new_stream(5, 5)
          local y, h, c = native.recurrent(given)
          local loss = (y * y):sum() + (h * 0.7):sum()
          return c and loss + (c * 0.3):sum() or loss
        end, inputs, { tolerance = 1e-5 })
        assert.is_true(ok, ("worst %g at %s, element %s: %s, differences say %s"):format(report.worst,
          report.input, report.element, report.analytic, report.numeric))
      end)
    end

    it("do not feel padding on either side: " .. cell, function()
      local given = random(cell, 3, 4, 2, 3)
      given.return_sequences = false
      local plain = native.recurrent(given)
      for _, width in ipairs{ 1, 2, 3, 4, 7, 8 } do
        local zeros = stream:uniform({ 3, width, 2 })
        for _, side in ipairs{ "before", "after" } do
          local x = side == "before" and { zeros, given.x } or { given.x, zeros }
          local on, off = marea.ones{ 3, 4 }, marea.zeros{ 3, width }
          local mask = side == "before" and { off, on } or { on, off }
          local padded = with(with({}, given), { x = marea.concat(x, 2), mask = marea.concat(mask, 2) })
          assert.near_all(plain, (native.recurrent(padded)), 1e-6)
        end
      end
    end)

    it("give the same bits for any number of threads: " .. cell, function()
      local given = random(cell, 37, 9, 5, 7)
      given.mask = stream:uniform{ 37, 9 }:cast("real"):mul(3):hard_sigmoid():sub(0.9):relu()
      local before, outputs, gradients = marea.threads(), {}, {}
      for i, n in ipairs{ 1, 2, 8 } do
        marea.threads(n)
        given.kernel.requires_grad = true
        local tape <close> = marea.tape()
        local y = native.recurrent(given)
        tape:backward((y * y):sum())
        outputs[i], gradients[i] = y:keep(), given.kernel.grad
      end
      marea.threads(before)
      for i = 2, 3 do
        assert.is_true(outputs[1]:same(outputs[i]))
        assert.is_true(gradients[1]:same(gradients[i]))
      end
    end)
  end

  it("say what does not fit", function()
    local given = random("lstm", 2, 3, 4, 5)
    assert.fails("encoder: input is (batch 2, time 3, 7), kernel expects 4 features", function()
      native.recurrent(with(with({}, given), { name = "encoder", x = marea.ones{ 2, 3, 7 } }))
    end)
    assert.fails("the mask is (2, 2), expected (2, 3)", function()
      native.recurrent(with(with({}, given), { mask = marea.ones{ 2, 2 } }))
    end)
    assert.fails("the initial state h is (1, 5), expected (2, 5)", function()
      native.recurrent(with(with({}, given), { initial_h = marea.ones{ 1, 5 } }))
    end)
    assert.fails('there is no activation "softsin"', function()
      native.recurrent(with(with({}, given), { activation = "softsin" }))
    end)
  end)

  it("survive the failure of any allocation", function()
    helper.leak_check(function()
      local given = random("gru", 3, 4, 2, 3)
      given.mask = marea.ones{ 3, 4 }
      for n = 1, 30 do
        native.fail_at(n)
        local ok, message = pcall(function()
          given.kernel.requires_grad = true
          local tape <close> = marea.tape()
          tape:backward((native.recurrent(given)):sum())
        end)
        native.fail_at(0)
        assert.is_true(ok or message:find("out of memory", 1, true) ~= nil, message)
      end
    end)
  end)
end)
