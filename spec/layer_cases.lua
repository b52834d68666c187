-- Cases for the table of layers_table_spec: layers that merge, move and disturb.
local marea = require "marea"
local support = require "spec.support"
local nn, numbers = marea.nn, support.numbers

local function sequence() return numbers{ 2, 4, 3 } end
local function pair() return { numbers{ 2, 4, 3 }, numbers({ 2, 4, 3 }, 1) } end
local function single(make) return { { make, sequence } } end

local function merge(name)
  return { { function() return nn[name]{} end, pair },
    { function() return nn[name]{} end,
      function() return { numbers{ 2, 4, 3 }, numbers({ 2, 4, 1 }, 1) } end } }
end

local function model()
  local a = marea.Input{ { 4, 3 } }
  local b = marea.Input{ { 3 } }
  local cell = nn.GRU{ 2, return_sequences = true, return_state = true }
  local y, state = cell(a)
  return marea.Model{ inputs = { a, b }, outputs = nn.Dense{ 2 }(nn.Add{}{ y, nn.Dense{ 2 }(b), state }) }
end

local function previous() return marea.tensor({ { 4, 1, 2 }, { 4, 3, 0 } }, { dtype = "int32" }) end
local builders = marea.builders

return {
  ManyToOne = single(function() return builders.many_to_one{ source = { features = 3 }, units = 2 } end),
  ManyToMany = single(function()
    return builders.many_to_many{ source = { features = 3 }, units = 2, outputs = 3 }
  end),
  OneToMany = { { function()
    return builders.one_to_many{ source = { features = 3 }, target = { features = 2 }, units = 2 }
  end, function() return { numbers{ 2, 3 }, numbers{ 2, 4, 2 } } end } },
  SequenceToSequence = { { function()
    return builders.encoder_decoder{ source = { features = 3 }, target = { vocabulary = 4, embedding = 2 },
      units = 2, attention = "general", bidirectional = true }
  end, function() return { sequence(), previous() } end } },
  Add = { { function() return nn.Add{} end, pair },
    { function() return nn.Add{} end, function() return { numbers{ 2, 4, 3 }, numbers{ 2, 3 } } end } },
  Subtract = merge "Subtract", Multiply = merge "Multiply", Average = merge "Average",
  Maximum = merge "Maximum", Minimum = merge "Minimum",
  Concatenate = { { function() return nn.Concatenate{} end, pair },
    { function() return nn.Concatenate{ axis = 2 } end, pair } },
  Dot = { { function() return nn.Dot{ 3 } end, pair }, { function() return nn.Dot{ { 2, 2 } } end, pair },
    { function() return nn.Dot{ -1, normalize = true } end, pair },
    { function() return nn.Dot{ 2 } end, function() return { numbers{ 2, 3 }, numbers({ 2, 3 }, 1) } end } },
  Permute = single(function() return nn.Permute{ { 2, 1 } } end),
  Cropping1D = single(function() return nn.Cropping1D{ { 1, 2 } } end),
  ZeroPadding1D = single(function() return nn.ZeroPadding1D{ { 2, 0 } } end),
  UpSampling1D = single(function() return nn.UpSampling1D{} end),
  ReLU = { { function() return nn.ReLU{ max_value = .8, negative_slope = .1, threshold = .2 } end, sequence },
    { function() return nn.ReLU{} end, sequence } },
  LeakyReLU = single(function() return nn.LeakyReLU{} end),
  ELU = { { function() return nn.ELU{ .7 } end, sequence }, { function() return nn.ELU{} end, sequence } },
  PReLU = { { function() return nn.PReLU{} end, sequence },
    { function() return nn.PReLU{ shared_axes = { 1 } } end, sequence } },
  Softmax = single(function() return nn.Softmax{} end),
  ActivityRegularization = single(function() return nn.ActivityRegularization{ l2 = .1 } end),
  GaussianNoise = single(function() return nn.GaussianNoise{ .5 } end),
  GaussianDropout = single(function() return nn.GaussianDropout{ .5 } end),
  AlphaDropout = single(function() return nn.AlphaDropout{ .5 } end),
  TiedDense = single(function() return nn.TiedDense{ nn.Embedding{ 5, 3 } } end),
  Model = { { model, function() return { numbers{ 2, 4, 3 }, numbers{ 2, 3 } } end } },
}
