-- Every layer of the library, from one table: gradients, and what becomes of a mask.
local marea = require "marea"
local registry = require "marea.nn.registry"
local support = require "spec.support"
local nn, near, raises, numbers = marea.nn, support.near, support.raises, support.numbers

local function ids(t)
  return marea.tensor(t, { dtype = "int32" })
end

-- Class → how to make it, its input, and call options: gradients of all are checked below, and a
-- layer of the library that is missing here fails.
local function sequence() return numbers{ 2, 4, 3 } end
local mask = { { 1, 1, 0, 1 }, { 0, 1, 1, 0 } }
local function masked() return { mask = marea.tensor(mask) } end

local table_of_layers = {
  Dense = { { function() return nn.Dense{ 3, activation = "tanh" } end, sequence } },
  Embedding = { { function() return nn.Embedding{ 5, 3 } end,
    function() return ids{ { 1, 4, 1 }, { 0, 2, 4 } } end } },
  Flatten = { { function() return nn.Flatten{} end, sequence } },
  Reshape = { { function() return nn.Reshape{ { 2, 6 } } end, sequence } },
  RepeatVector = { { function() return nn.RepeatVector{ 3 } end, function() return numbers{ 2, 3 } end } },
  Activation = { { function() return nn.Activation{ "softmax" } end, sequence } },
  Lambda = { { function() return nn.Lambda{ function(x) return x * x end } end, sequence } },
  Dropout = { { function() return nn.Dropout{ .5 } end, sequence } },
  SpatialDropout1D = { { function() return nn.SpatialDropout1D{ .5 } end, sequence } },
  GlobalAveragePooling1D = { { function() return nn.GlobalAveragePooling1D{} end, sequence },
    { function() return nn.GlobalAveragePooling1D{} end, sequence, masked } },
  GlobalMaxPooling1D = { { function() return nn.GlobalMaxPooling1D{} end, sequence },
    { function() return nn.GlobalMaxPooling1D{} end, sequence, masked } },
  Masking = { { function() return nn.Masking{} end, sequence } },
  LayerNormalization = { { function() return nn.LayerNormalization{} end, sequence } },
  Input = { { function() return nn.Input{ { 4, 3 } } end, sequence } },
  TimeDistributed = { { function() return nn.TimeDistributed{ nn.Dense{ 2 } } end, sequence } },
  Sequential = { { function() return marea.Sequential{ nn.GRU{ 2 }, nn.Dense{ 1 } } end, sequence } },
}
for _, class in ipairs{ "SimpleRNN", "LSTM", "GRU" } do
  table_of_layers[class] = {}
  for _, options in ipairs{ { return_sequences = true }, { go_backwards = true },
    { return_sequences = true, go_backwards = true, zero_output_for_mask = true },
    { use_bias = false, activation = "softsign" }, { reset_after = class == "GRU" and false or nil } } do
    local make = function()
      local given = { 2 }
      for key, value in pairs(options) do given[key] = value end
      return nn[class](given)
    end
    table.insert(table_of_layers[class], { make, sequence })
    table.insert(table_of_layers[class], { make, sequence, masked })
  end
end
-- Cells with an update gate alone, and the forms of all cells.
local function forms(class, ...)
  table_of_layers[class] = table_of_layers[class] or {}
  for _, given in ipairs{ ... } do
    local function make()
      local options = { 2, return_sequences = true }
      for key, value in pairs(given) do options[key] = value end
      return nn[class](options)
    end
    table.insert(table_of_layers[class], { make, sequence })
    table.insert(table_of_layers[class], { make, sequence, masked })
  end
end
forms("SimpleGRU", {}, { candidate = "x", update = "keep" }, { norm = "layer" },
  { candidate = "x", norm = "layer", learn_initial_state = true })
forms("MinimalGatedUnit", {}, { update = "keep" }, { gate = "hb" }, { gate = "h", use_bias = false },
  { gate = "b", norm = "layer" }, { norm = "layer", activation = "softsign" })
forms("SimpleRNN", { norm = "layer" }, { learn_initial_state = true }, { zoneout = .3 })
forms("GRU", { update = "write" }, { update = "write", reset_after = false }, { norm = "layer" },
  { norm = "layer", reset_after = false, zoneout = .2 })
forms("LSTM", { peephole = "gers2000" }, { peephole = "slides" }, { coupled = true },
  { projection = 1 }, { cell_clip = .15 }, { norm = "layer" }, { zoneout = .2, zoneout_cell = .3 },
  { peephole = "onnx", norm = "layer", projection = 1, zoneout_cell = .3 },
  { peephole = "slides", norm = "layer", zoneout = .2, zoneout_cell = .3, go_backwards = true },
  { peephole = "slides", coupled = true, projection = 1, activation = "softsign" },
  { peephole = "gers2000", coupled = true, norm = "layer", learn_initial_state = true,
    projection = 1 })
local function lua_cell(x, state)
  local h = (x * .5 + state[1]):tanh()
  return h, { h }
end
forms("Elman", {}, { output_units = 3, g1 = "softsign", g2 = "softmax" },
  { go_backwards = true, norm = "layer", learn_initial_state = true })
table_of_layers.RNN = {}
for _, backwards in ipairs{ false, true } do
  table.insert(table_of_layers.RNN, { function()
    return nn.RNN{ cells = { nn.LSTM{ 2, projection = 1 }, nn.Elman{ 3 }, { lua_cell, state_size = 3 } },
      return_sequences = true, go_backwards = backwards }
  end, sequence, masked })
end
for _, given in ipairs{ {}, { go_backwards = true, zero_output_for_mask = true },
  { learn_initial_state = true, zoneout = .3 } } do
  local function make()
    return nn.RNN{ lua_cell, state_size = 3, return_sequences = true,
      learn_initial_state = given.learn_initial_state, zoneout = given.zoneout,
      go_backwards = given.go_backwards, zero_output_for_mask = given.zero_output_for_mask }
  end
  table.insert(table_of_layers.RNN, { make, sequence })
  table.insert(table_of_layers.RNN, { make, sequence, masked })
end
-- Layers with windows, statistics and attention.
table_of_layers.Conv1D = {
  { function() return nn.Conv1D{ 2, 2, padding = "causal", activation = "tanh" } end, sequence, masked },
  { function() return nn.Conv1D{ 3, 2, strides = 2, groups = 3 } end, sequence },
}
for _, class in ipairs{ "MaxPooling1D", "AveragePooling1D" } do
  table_of_layers[class] = { { function() return nn[class]{} end, sequence },
    { function() return nn[class]{ 3, strides = 1, padding = "same" } end, sequence, masked } }
end
for _, class in ipairs{ "BatchNormalization", "RMSNormalization", "AttentionPooling1D", "CRF" } do
  local argument = class == "CRF" and 3 or nil
  table_of_layers[class] = { { function() return nn[class]{ argument } end, sequence, masked } }
end
table_of_layers.SampledSoftmax = { { function() return nn.SampledSoftmax{ 7 } end, sequence, masked } }

local function pair() return { numbers{ 2, 4, 3 }, numbers({ 2, 4, 3 }, 5) } end
local function pair_masked()
  return { mask = { marea.tensor{ { 1, 1, 0, 0 }, { 1, 1, 1, 1 } }, marea.tensor(mask) } }
end
local function causal() return { use_causal_mask = true } end
for class, given in pairs{ Attention = { use_scale = true, score_mode = "concat" },
  AdditiveAttention = {}, MultiHeadAttention = { 2, 2, value_dim = 3 } } do
  local function make() return nn[class](given) end
  table_of_layers[class] = { { make, pair, pair_masked }, { make, pair, causal } }
end
table.insert(table_of_layers.Attention, { function() return nn.Attention{} end, pair, pair_masked })
table.insert(table_of_layers.MultiHeadAttention,
  { function() return nn.MultiHeadAttention{ 1, 2 } end, sequence, masked })

table_of_layers.Bidirectional = {}
for _, mode in ipairs{ "concat", "sum", "mul", "ave" } do
  table.insert(table_of_layers.Bidirectional, { function()
    return nn.Bidirectional{ nn.LSTM{ 2, return_sequences = mode ~= "sum" }, merge_mode = mode }
  end, sequence, masked })
end

for name, cases in pairs(require "spec.layer_cases") do table_of_layers[name] = cases end

local function shapes_of(x)
  if type(x) ~= "table" then return x:shape() end
  local shapes = {}
  for i, item in ipairs(x) do shapes[i] = item:shape() end
  return shapes
end

describe("gradients", function()
  it("are checked for every layer", function()
    for _, name in ipairs(registry.builtin_names()) do
      local steps_only = registry.find(name).call == nil -- a cell that nn.RNN is made of
      assert.is_truthy(steps_only or table_of_layers[name], name .. " is missing in the table")
    end
  end)

  for name, cases in pairs(table_of_layers) do
    it("of " .. name .. " agree with differences", function()
      for number, case in ipairs(cases) do
        local layer, x = case[1](), case[2]()
        local call = case[3] and case[3]() or {}
        call.training = false
        layer:build(shapes_of(x))
        support.scatter(layer)
        if layer.moving_variance then -- a variance is not negative
          layer.moving_variance:assign_(layer.moving_variance:square() + .5)
        end
        local weights = numbers(layer(x, call):shape(), 1)
        local inputs = {}
        for _, input in ipairs(type(x) == "table" and x or { x }) do
          if input:dtype() ~= "int32" then inputs[#inputs + 1] = input end
        end
        for _, tensor in pairs(layer:parameters()) do inputs[#inputs + 1] = tensor end
        if #inputs > 0 then
          local ok, report = marea.gradcheck(function()
            return (layer(x, call) * weights):sum()
          end, inputs)
          assert.is_true(ok, ("%s case %d: input %s element %s: %s, measured %s"):format(name, number,
            report.input, report.element, report.analytic, report.numeric))
        end
      end
    end)
  end
end)

describe("what becomes of a mask", function()
  local hidden_numbers = 100

  -- The input with other numbers at the hidden steps.
  local function disturb(x)
    local y = x:clone()
    for b, row in ipairs(mask) do
      for t, visible in ipairs(row) do
        for d = 1, visible == 0 and y:size(3) or 0 do y:set(b, t, d, hidden_numbers) end
      end
    end
    return y
  end

  for name, cases in pairs(table_of_layers) do
    it("is declared and kept by " .. name, function()
      local class = registry.find(name)
      assert.not_nil(rawget(class, "masking"), name .. " does not say what becomes of a mask")
      for number, case in ipairs(cases) do
        local layer, x = case[1](), case[2]()
        local many = type(x) == "table"
        local first = many and x[1] or x
        if first:dtype() == "int32" or #first:shape() ~= 3 then goto continue end
        local given = many and { marea.tensor(mask) } or marea.tensor(mask)
        if many and #x[2]:shape() == 3 and name ~= "Dot" then given[2] = given[1] end
        if layer.masking == "refuse" then
          raises(function() layer(x, { mask = given }) end, name, "mask")
        else
          local where = ("%s case %d"):format(name, number)
          local y = layer(x, { mask = given, training = false })
          local out = layer:compute_mask(x, given)
          if layer.masking == "pass" and not (name == "Dot" or name == "Sequential") then
            assert.not_nil(out, where .. " loses the mask")
          end
          if out then assert.same({ y:size(1), y:size(2) }, out:shape(), where) end
          local other = disturb(first)
          if many then
            other = { other, table.unpack(x, 2) }
            if given[2] then other[2] = disturb(x[2]) end
          end
          local z = layer(other, { mask = given, training = false })
          if out then -- what is visible does not depend on what is hidden
            local shape = out:shape()
            while #shape < #y:shape() do shape[#shape + 1] = 1 end
            y, z = y * out:reshape(shape), z * out:reshape(shape)
          end
          near(y, z)
        end
        ::continue::
      end
    end)
  end
end)
