-- Conv1D and pooling over windows: against loops, masks, threads, bad input. Golden numbers are in
-- layers_golden_spec.lua, gradients in ops_spec.lua and layers_table_spec.lua.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

-- Input steps that output `o` sees, 1-based, and their tap.
local function window(o, T, size, strides, dilation, left)
  local list = {}
  for tap = 1, size do
    local t = (o - 1) * strides + (tap - 1) * dilation - left + 1
    if t >= 1 and t <= T then list[#list + 1] = { t, tap } end
  end
  return list
end

local function steps_and_left(T, size, strides, dilation, padding)
  local reach = (size - 1) * dilation + 1
  if padding == "valid" then return (T - reach) // strides + 1, 0 end
  local steps = (T + strides - 1) // strides
  if padding == "causal" then return steps, reach - 1 end
  return steps, math.max(0, (steps - 1) * strides + reach - T) // 2
end

local function naive(x, kernel, given)
  local T, D = #x[1], #x[1][1]
  local size, filters = #kernel, #kernel[1][1]
  local steps, left = steps_and_left(T, size, given.strides, given.dilation, given.padding)
  local width, part = D // given.groups, filters // given.groups
  local y = {}
  for b = 1, #x do
    y[b] = {}
    for o = 1, steps do
      y[b][o] = {}
      for f = 1, filters do
        local first, sum = (f - 1) // part * width, 0
        for _, seen in ipairs(window(o, T, size, given.strides, given.dilation, left)) do
          for c = 1, width do
            sum = sum + x[b][seen[1]][first + c] * kernel[seen[2]][c][f]
          end
        end
        y[b][o][f] = sum
      end
    end
  end
  return y
end

describe("conv1d", function()
  it("agrees with a loop for every border, stride, dilation and number of groups", function()
    for _, padding in ipairs{ "valid", "same", "causal" } do
      for _, case in ipairs{ { 1, 1, 1, 1 }, { 3, 1, 1, 1 }, { 4, 2, 1, 2 }, { 2, 3, 1, 4 },
        { 3, 1, 3, 2 }, { 2, 1, 5, 1 } } do
        local given = { strides = case[2], dilation = case[3], groups = case[4], padding = padding }
        local x, kernel = numbers{ 2, 9, 4 }, numbers{ case[1], 4 // case[4], 8 }
        local y = native.conv1d(x, kernel, nil, padding, case[2], case[3], case[4])
        near(naive(x:totable(), kernel:totable(), given), y, 1e-5)
      end
    end
  end)

  it("agrees with a loop where a sequence takes several tiles", function()
    local x, kernel = numbers{ 1, 600, 3 }, numbers{ 3, 3, 2 }
    local given = { strides = 1, dilation = 2, groups = 1, padding = "same" }
    near(naive(x:totable(), kernel:totable(), given), native.conv1d(x, kernel, nil, "same", 1, 2), 1e-5)
  end)

  it("gives the same bits for any number of threads", function()
    local x, kernel = numbers{ 5, 300, 12 }, numbers{ 5, 12, 16 }
    x.requires_grad, kernel.requires_grad = true, true
    local before, results = marea.threads(), {}
    for _, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      local tape <close> = marea.tape()
      local y = native.conv1d(x, kernel, nil, "causal")
      tape:backward(y:square():sum())
      results[#results + 1] = { y:clone(), x.grad, kernel.grad }
    end
    marea.threads(before)
    for i = 1, 3 do
      assert.is_true(results[1][i]:same(results[2][i]) and results[1][i]:same(results[3][i]))
    end
  end)

  it("takes an empty batch", function()
    assert.are.same({ 0, 3, 2 }, native.conv1d(marea.zeros{ 0, 5, 4 }, numbers{ 3, 4, 2 }):shape())
  end)

  it("refuses operands that do not fit", function()
    local x = numbers{ 2, 5, 4 }
    raises(function() native.conv1d(x, numbers{ 3, 3, 2 }) end, "(2, 5, 4)", "(3, 3, 2)", "groups 1")
    raises(function() native.conv1d(x, numbers{ 3, 2, 3 }, nil, "same", 1, 1, 2) end, "groups 2")
    raises(function() native.conv1d(x, numbers{ 3, 4, 2 }, numbers{ 3 }) end, "bias is (3)")
    raises(function() native.conv1d(x, numbers{ 3, 4, 2 }, nil, "valid", 0) end, "strides 0")
    raises(function() native.conv1d(x, numbers{ 3, 4, 2 }, nil, "valid", 1, 3) end,
      "5 steps are fewer than the window's 7")
    raises(function() native.conv1d(x, numbers{ 3, 4, 2 }, nil, "valid", 1, math.maxinteger) end,
      "fewer than the window's")
    raises(function() native.conv1d(x, numbers{ 3, 4, 2 }, nil, "full") end, "full")
    raises(function() native.conv1d(x, numbers{ 3, 4, 2 }, nil, "same", 1, 1, 0) end, "groups is 0")
    raises(function() native.pool1d(x, nil, 0) end, "size 0")
    raises(function() native.pool1d(x, marea.ones{ 2, 4 }, 2) end, "the mask is (2, 4), expected (2, 5)")
  end)
end)

-- The rows of x with `front` and `behind` steps of other numbers around, and the mask that hides them.
local function padded(x, front, behind)
  local shape = x:shape()
  local list = { x }
  if front > 0 then table.insert(list, 1, numbers({ shape[1], front, shape[3] }, 3)) end
  if behind > 0 then list[#list + 1] = numbers({ shape[1], behind, shape[3] }, 5) end
  local wide = native.concat(list, 2)
  local mask = marea.zeros{ shape[1], wide:size(2) }
  mask:narrow(2, front + 1, shape[2]):assign_(marea.ones{ shape[1], shape[2] })
  return wide, mask
end

-- The steps of y that the mask shows.
local function visible(layer, x, mask)
  local y, seen = layer(x, { mask = mask }):totable(), layer:compute_mask(x, mask):totable()
  local rows = {}
  for b, row in ipairs(y) do
    rows[b] = {}
    for t, step in ipairs(row) do
      if seen[b][t] ~= 0 then table.insert(rows[b], step) end
    end
  end
  return rows
end

describe("masks of layers with windows", function()
  it("make the width and side of the padding irrelevant", function()
    local x = numbers{ 2, 6, 3 }
    for _, layer in ipairs{ nn.Conv1D{ 2, 3 }, nn.Conv1D{ 2, 3, padding = "same" },
      nn.Conv1D{ 2, 4, padding = "causal", dilation_rate = 2 },
      nn.Conv1D{ 2, 2, dilation_rate = 3 } } do
      local expected = layer(x):totable()
      for _, around in ipairs{ { 0, 3 }, { 4, 0 }, { 2, 5 } } do
        near(expected, visible(layer, padded(x, around[1], around[2])), 1e-5)
      end
    end
    for _, class in ipairs{ "MaxPooling1D", "AveragePooling1D" } do
      local layer = nn[class]{ 2 }
      near(layer(x):totable(), visible(layer, padded(x, 0, 4)), 1e-6)
      near(layer(x):totable(), visible(layer, padded(x, 2, 1)), 1e-6)
    end
  end)

  it("go on with the steps that are left", function()
    local mask = marea.tensor{ { 1, 1, 1, 1, 0, 0, 0 }, { 0, 0, 1, 1, 1, 1, 1 } }
    local x = numbers{ 2, 7, 1 }
    near({ { 1, 1, 0, 0, 0 }, { 0, 0, 1, 1, 1 } }, nn.Conv1D{ 1, 3 }:compute_mask(x, mask))
    near({ { 1, 1, 0, 0 }, { 0, 1, 1, 1 } },
      nn.Conv1D{ 1, 3, strides = 2, padding = "same" }:compute_mask(x, mask))
    near({ { 1, 1, 0 }, { 0, 1, 1 } }, nn.MaxPooling1D{ 2 }:compute_mask(x, mask))
    near({ { 1, 1, 0, 0 }, { 0, 1, 1, 1 } },
      nn.AveragePooling1D{ 2, padding = "same" }:compute_mask(x, mask))
  end)

  it("leave hidden steps out of maximum and average", function()
    local x = marea.tensor{ { { -3 }, { 9 }, { -1 }, { 5 } } }
    local call = { mask = marea.tensor{ { 1, 0, 1, 0 } } }
    near({ { { -3 }, { -1 } } }, nn.MaxPooling1D{}(x, call))
    near({ { { -3 }, { -1 } } }, nn.AveragePooling1D{}(x, call))
    near({ { { 0 } } }, nn.MaxPooling1D{ 4 }(x, { mask = marea.zeros{ 1, 4 } }))
    near({ { { -2 } } }, nn.AveragePooling1D{ 4 }(x, call))
  end)

  it("keep a NaN visible", function()
    local y = nn.MaxPooling1D{ 3 }(marea.tensor{ { { 1 }, { 0 / 0 }, { 2 } } }):get(1, 1, 1)
    assert.is_true(y ~= y)
  end)
end)

describe("BatchNormalization", function()
  it("looks at visible steps only", function()
    local x = numbers{ 2, 6, 3 }
    local function after(input, mask)
      local layer = nn.BatchNormalization{ momentum = .5 }
      local y = layer(input, { training = true, mask = mask })
      return y, layer:get_weights()
    end
    local y, weights = after(x)
    local wide, mask = padded(x, 3, 2)
    local y2, weights2 = after(wide, mask)
    near(y, y2:narrow(2, 4, 6), 1e-5)
    near(weights[3], weights2[3], 1e-5)
    near(weights[4], weights2[4], 1e-5)
  end)

  it("keeps its averages when it sees nothing, is frozen, or does not train", function()
    local x = numbers{ 2, 3, 2 }
    local layer = nn.BatchNormalization{}
    layer(x, { training = true, mask = marea.zeros{ 2, 3 } })
    layer(x, { training = false })
    layer.trainable = false
    layer(x, { training = true })
    near({ 0, 0 }, layer:get_weights()[3])
    near({ 1, 1 }, layer:get_weights()[4])
  end)

  it("is saved with its averages, which no optimizer touches", function()
    local model = marea.Sequential{ nn.Dense{ 3 }, nn.BatchNormalization{}, nn.Dense{ 1 } }
    model:compile{ optimizer = "adam", loss = "mse" }
    local x, y = numbers{ 16, 2 }, numbers{ 16, 1 }
    model:fit(x, y, { epochs = 3, verbose = 0 })
    local path = os.tmpname()
    assert(model:save(path))
    local loaded = assert(marea.load(path))
    os.remove(path)
    assert.is_true(model:predict(x):same(loaded:predict(x)))
    local all, trainable = model:count_params()
    assert.are.equal(6, all - trainable)
  end)

  it("refuses what it cannot take", function()
    raises(function() nn.BatchNormalization{}(numbers{ 2, 3, 2, 2 }) end, "(2, 3, 2, 2)")
    raises(function() nn.BatchNormalization{ momentum = 1 } end, "momentum")
    raises(function() native.batch_norm(numbers{ 2, 3 }, nil, numbers{ 2 }) end, "gamma is (2)")
    raises(function() native.batch_norm(numbers{ 2, 3 }, nil, nil, nil, -1) end, "epsilon is -1")
    raises(function() native.batch_norm(numbers{ 3 }) end, "x is (3)")
  end)
end)

describe("layers with windows", function()
  it("say which option is wrong", function()
    raises(function() nn.Conv1D{ 3 } end, "kernel_size is missing")
    raises(function() nn.Conv1D{ 3, 2, padding = "full" } end, "padding", "causal")
    raises(function() nn.Conv1D{ 3, 2, strides = 2, dilation_rate = 2 } end, "both")
    raises(function() nn.Conv1D{ 3, 2, groups = 2 } end, "filters (3)")
    raises(function() nn.Conv1D{ 4, 2, groups = 2 }(numbers{ 1, 4, 3 }) end, "3 input features")
    raises(function() nn.Conv1D{ 4, 5 }(numbers{ 1, 4, 3 }) end, "4 steps", "spans 5")
    raises(function() nn.Conv1D{ 4, 5 }(numbers{ 4, 3 }) end, "(batch, time, features)")
    raises(function() nn.MaxPooling1D{ 5 }(numbers{ 1, 4, 3 }) end, "4 steps", "spans 5")
    raises(function() nn.MaxPooling1D{ 2, padding = "causal" } end, "padding")
    raises(function() nn.AveragePooling1D{ 0 } end, "pool_size")
  end)

  it("know their shapes before they run", function()
    for _, layer in ipairs{ nn.Conv1D{ 4, 3 }, nn.Conv1D{ 4, 3, strides = 2, padding = "same" },
      nn.Conv1D{ 4, 2, dilation_rate = 3, padding = "causal" }, nn.MaxPooling1D{ 3 },
      nn.AveragePooling1D{ 3, strides = 2, padding = "same" } } do
      local x = numbers{ 2, 10, 5 }
      assert.are.same(layer(x):shape(), layer:output_shape{ 2, 10, 5 })
      assert.are.equal(-1, layer:output_shape{ -1, -1, 5 }[2])
    end
  end)

  it("classify texts, and leave no memory behind", function()
    helper.leak_check(function()
      marea.manual_seed(4)
      local ids = { { 5, 2, 3, 4 }, { 2, 3, 6, 0 }, { 6, 2, 4, 0 }, { 4, 4, 2, 6 }, { 2, 3, 0, 0 },
        { 2, 6, 3, 5 } } -- positive where 3 follows 2
      local y = marea.tensor{ 1, 1, 0, 0, 1, 0 }
      local model = marea.Sequential{ nn.Embedding{ 8, 6, mask_zero = true },
        nn.Conv1D{ 8, 2, padding = "same", activation = "relu" }, nn.MaxPooling1D{},
        nn.GlobalMaxPooling1D{}, nn.Dense{ 1, activation = "sigmoid" } }
      model:compile{ optimizer = marea.optim.Adam{ .05 }, loss = "binary_crossentropy" }
      local history = model:fit(marea.tensor(ids, { dtype = "int32" }), y,
        { epochs = 60, verbose = 0 })
      assert.is_true(history.loss[60] < .1, "loss " .. history.loss[60])
    end)
  end)
end)
