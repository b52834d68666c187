-- What the specs of interop and scripts/fixtures/interop_onnx.lua share: golden numbers, and the
-- models that are exported to ONNX.
--
-- Weights and inputs are multiples of 1/1024 from a generator of their own: the same on any machine
-- and in either precision, so that an exported file has the same bytes everywhere.
local json = require "marea.json"
local marea = require "marea"

local nn = marea.nn

local cases = {}

-- The numbers that scripts/fixtures/NAME made.
function cases.golden(name)
  local file = assert(io.open("spec/golden/" .. (name or "interop") .. ".json"))
  local golden = assert(json.decode(file:read("a")))
  file:close()
  return golden
end

-- A generator of multiples of 1/1024 in [-1, 1] (Knuth's constants).
local function generator(seed)
  local state = seed
  return function()
    state = state * 6364136223846793005 + 1442695040888963407
    return ((state >> 33) % 2049 - 1024) / 1024
  end
end

local function tensor_from(draw, shape)
  local count, list = 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for i = 1, count do list[i] = draw() end
  return marea.tensor(list):reshape(shape)
end

local function set_weights(model)
  local draw = generator(7)
  for _, entry in ipairs(model:entries()) do
    local x = tensor_from(draw, entry.tensor:shape())
    if entry.name == "moving_variance" then x = x + 1.5 end
    entry.tensor:assign_(x)
  end
  return model
end

local function ids(rows)
  return marea.tensor(rows, { dtype = "int32" })
end

-- Rows with padding behind; rows with padding anywhere, one of padding alone.
local behind = ids{ { 3, 1, 4, 0, 0 }, { 2, 5, 1, 3, 2 }, { 4, 0, 0, 0, 0 } }
local anywhere = ids{ { 0, 0, 3, 1, 4 }, { 2, 0, 5, 0, 1 }, { 0, 0, 0, 0, 0 }, { 5, 4, 3, 2, 1 } }
local series = tensor_from(generator(3), { 3, 6, 4 })
local flat = tensor_from(generator(4), { 3, 4 }) * 3

-- Hides steps 1 and 4 of one row, the last two of another.
local function gaps()
  local x = series:clone():totable()
  for _, place in ipairs{ { 1, 1 }, { 1, 4 }, { 2, 5 }, { 2, 6 } } do
    x[place[1]][place[2]] = { 0, 0, 0, 0 }
  end
  return marea.tensor(x)
end

local function words()
  return nn.Embedding{ 6, 4, mask_zero = true }
end

local list = {} -- { name, x or inputs, options, make }

local function case(name, x, make, options)
  list[#list + 1] = { name = name, x = x, make = make, options = options }
end

local function row(name, x, make, options)
  case(name, x, function() return marea.Sequential{ make() } end, options)
end

local function recurrent(name, class, given)
  local function layer(more)
    local all = { 3 }
    for _, part in ipairs{ given or {}, more or {} } do
      for key, value in pairs(part) do all[key] = value end
    end
    return class(all)
  end
  row(name .. " last", series, layer)
  row(name .. " all", series, function() return layer{ return_sequences = true } end)
  row(name .. " masked last", anywhere, function() return words(), layer() end)
  row(name .. " masked all", anywhere, function()
    return words(), layer{ return_sequences = true }
  end)
end

recurrent("lstm", nn.LSTM)
recurrent("gru", nn.GRU)
recurrent("gru before", nn.GRU, { reset_after = false })
recurrent("rnn", nn.SimpleRNN, { activation = "relu" })
recurrent("lstm backwards", nn.LSTM, { go_backwards = true })
recurrent("lstm zeros", nn.LSTM, { zero_output_for_mask = true, use_bias = false })
recurrent("lstm peephole", nn.LSTM, { peephole = "onnx" })
recurrent("lstm coupled", nn.LSTM, { coupled = true, peephole = "gers2000", go_backwards = true })
recurrent("gru write", nn.GRU, { update = "write" })
recurrent("gru slides", nn.GRU, { compat = "slides" })
recurrent("simple gru", nn.SimpleGRU, { candidate = "x" })
recurrent("lstm other", nn.LSTM, { activation = "softsign", recurrent_activation = "hard_sigmoid" })
recurrent("gru other", nn.GRU, { activation = "elu", recurrent_activation = "hard_sigmoid_tf" })
recurrent("rnn linear", nn.SimpleRNN, { activation = "linear" })
recurrent("rnn leaky", nn.SimpleRNN, { activation = "leaky_relu" })

row("post", behind, function()
  return words(), nn.LSTM{ 3, return_sequences = true }, nn.GRU{ 2 },
    nn.Dense{ 1, activation = "sigmoid" }
end, { padding = "post" })
row("post opset 22", behind, function()
  return words(), nn.GRU{ 3, return_sequences = true }, nn.GlobalMaxPooling1D{}
end, { padding = "post", opset = 22 })
row("lengths", { input = behind, lengths = ids{ 3, 5, 1 } }, function()
  return nn.Embedding{ 6, 4 }, nn.Bidirectional{ nn.GRU{ 2, return_sequences = true } },
    nn.GlobalAveragePooling1D{}
end, { lengths = true })

for _, mode in ipairs{ "concat", "sum", "mul", "ave" } do
  row("bi " .. mode, anywhere, function()
    return words(), nn.Bidirectional{ nn.LSTM{ 3, return_sequences = true }, merge_mode = mode }
  end)
  row("bi last " .. mode, anywhere, function()
    return words(), nn.Bidirectional{ nn.SimpleRNN{ 3 }, merge_mode = mode }
  end)
end
-- Both directions by themselves are two outputs.
local function two_ways(name, make)
  case(name, anywhere, function()
    local x = marea.Input{ { -1 }, dtype = "int32" }
    local a, b = nn.Bidirectional{ make(), merge_mode = "none" }(words()(x))
    return marea.Model{ inputs = x, outputs = { a, b } }
  end)
end
two_ways("bi none", function() return nn.LSTM{ 3, return_sequences = true } end)
two_ways("bi last none", function() return nn.SimpleRNN{ 3 } end)
row("bi of two kinds", anywhere, function()
  return words(), nn.Bidirectional{ nn.GRU{ 3, return_sequences = true },
    backward_layer = nn.LSTM{ 2, return_sequences = true, go_backwards = true } }
end)
row("bi of the reverse", anywhere, function()
  return words(), nn.Bidirectional{ nn.GRU{ 3, return_sequences = true, go_backwards = true } }
end)
row("stack", anywhere, function()
  return words(), nn.Bidirectional{ nn.LSTM{ 3, return_sequences = true } }, nn.Dropout{ 0.5 },
    nn.Bidirectional{ nn.GRU{ 2 } }, nn.Dense{ 2, activation = "softmax" }
end)

for _, name in ipairs{ "linear", "relu", "tanh", "sigmoid", "softplus", "softsign", "exponential",
  "elu", "selu", "leaky_relu", "hard_sigmoid", "hard_sigmoid_tf", "softmax", "log_softmax", "silu",
  "swish", "gelu", "relu6", "mish" } do
  row("activation " .. name, flat, function() return nn.Activation{ name } end)
end

local function gapped(name, make)
  row(name, series, make)
  row(name .. " masked", gaps(), function() return nn.Masking{}, make() end)
end

gapped("mean", function() return nn.GlobalAveragePooling1D{} end)
gapped("max", function() return nn.GlobalMaxPooling1D{} end)
gapped("attention", function() return nn.AttentionPooling1D{ 3 } end)
row("max of nothing", anywhere, function() return words(), nn.GlobalMaxPooling1D{} end)
row("mean of nothing", anywhere, function() return words(), nn.GlobalAveragePooling1D{} end)
row("attention to nothing", anywhere, function() return words(), nn.AttentionPooling1D{} end)
for name, given in pairs{ valid = { 3, 3 }, same = { 3, 4, padding = "same" },
  causal = { 3, 2, padding = "causal", dilation_rate = 2, activation = "relu" },
  strides = { 3, 3, padding = "same", strides = 2 }, jumps = { 3, 2, strides = 2 },
  groups = { 4, 3, groups = 2, use_bias = false },
  dilated = { 3, 3, padding = "same", dilation_rate = 2 } } do
  gapped("conv " .. name, function() return nn.Conv1D(given), nn.GRU{ 2 } end)
end
for _, padding in ipairs{ "valid", "same" } do
  gapped("max pool " .. padding, function()
    return nn.MaxPooling1D{ 4, strides = 3, padding = padding }, nn.LSTM{ 2 }
  end)
  gapped("average pool " .. padding, function()
    return nn.AveragePooling1D{ 4, strides = 3, padding = padding }, nn.LSTM{ 2 }
  end)
end

row("norms", series, function()
  return nn.LayerNormalization{}, nn.LayerNormalization{ scale = false, epsilon = 1e-5 },
    nn.RMSNormalization{}, nn.BatchNormalization{}, nn.BatchNormalization{ center = false }
end)
row("shapes", series, function()
  return nn.TimeDistributed{ nn.Dense{ 3, activation = "tanh" } }, nn.Flatten{},
    nn.Reshape{ { 9, 2 } }, nn.SpatialDropout1D{ 0.2 }, nn.Flatten{}, nn.RepeatVector{ 2 }
end)
row("inner", behind, function()
  return marea.Sequential{ words(), nn.LSTM{ 3 } }, nn.Dense{ 2, use_bias = false }
end)

gapped("cropped", function() return nn.Cropping1D{ { 1, 2 } }, nn.GRU{ 2 } end)
gapped("padded", function() return nn.ZeroPadding1D{ { 2, 1 } }, nn.GRU{ 2 } end)
gapped("up", function() return nn.UpSampling1D{ 3 }, nn.GRU{ 2, return_sequences = true } end)
row("permuted", series, function() return nn.Permute{ { 2, 1 } }, nn.SimpleRNN{ 2 } end)
row("padded before", behind, function()
  return words(), nn.ZeroPadding1D{ { 2, 0 } }, nn.GRU{ 2 }
end, { padding = "post" })
row("tied", anywhere, function()
  local both = words()
  return both, nn.GRU{ 4, return_sequences = true }, nn.TiedDense{ both, activation = "softmax" }
end)
gapped("heads", function() return nn.MultiHeadAttention{ 2, 3, value_dim = 2 }, nn.GRU{ 2 } end)

-- A decoder that looks at an encoder's steps, some of them hidden.
local function looking(name, attention, given)
  for _, x in ipairs{ series, "gaps" } do
    local value = x == "gaps" and gaps() or x
    case(name .. (x == "gaps" and " masked" or ""), { a = value, b = value }, function()
      local a, b = marea.Input{ { -1, 4 }, name = "a" }, marea.Input{ { -1, 4 }, name = "b" }
      local seen = x == "gaps" and nn.Masking{}(a) or a
      local reader = nn.GRU{ 4, return_sequences = true }
      local own = reader(seen)
      local y = attention()({ reader(b), own }, given)
      local z = attention()({ own, reader(b), own }, given)
      return marea.Model{ inputs = { a, b }, outputs = { y, z } }
    end)
  end
end

looking("dot", function() return nn.Attention{ use_scale = true } end)
looking("dot causal", function() return nn.Attention{} end, { use_causal_mask = true })
looking("concat", function() return nn.Attention{ use_scale = true, score_mode = "concat" } end)
looking("additive", function() return nn.AdditiveAttention{} end)
looking("additive plain", function() return nn.AdditiveAttention{ use_scale = false } end)
looking("many heads", function() return nn.MultiHeadAttention{ 2, 3, use_bias = false } end,
  { use_causal_mask = true })
row("attention to no word", anywhere, function()
  return words(), nn.MultiHeadAttention{ 2, 2 }, nn.GlobalAveragePooling1D{}
end)

case("two texts", { title = behind, body = behind }, function()
  local title = marea.Input{ { -1 }, dtype = "int32", name = "title" }
  local body = marea.Input{ { 5 }, dtype = "int32", name = "body" }
  local table_of_words, reader = words(), nn.LSTM{ 3 }
  local a, b = reader(table_of_words(title)), reader(table_of_words(body))
  local both = nn.Concatenate{}{ a, b, nn.Add{}{ a, b }, nn.Subtract{}{ a, b },
    nn.Multiply{}{ a, b }, nn.Average{}{ a, b }, nn.Maximum{}{ a, b }, nn.Minimum{}{ a, b } }
  return marea.Model{ inputs = { title, body },
    outputs = { class = nn.Dense{ 2, name = "class" }(both), sum = nn.Add{}{ a, b } } }
end)
case("encoder and decoder", { source = series, target = series }, function()
  local source = marea.Input{ { -1, 4 }, name = "source" }
  local target = marea.Input{ { -1, 4 }, name = "target" }
  local _, h, c = nn.LSTM{ 3, return_state = true }(source)
  local y = nn.LSTM{ 3, return_sequences = true }(target, { initial_state = { h, c } })
  local _, f, b = nn.Bidirectional{ nn.GRU{ 3, return_state = true } }(source)
  local z = nn.Bidirectional{ nn.GRU{ 3, return_sequences = true } }(target,
    { initial_state = { f, b } })
  return marea.Model{ inputs = { source, target }, outputs = nn.Concatenate{}{ y, z } }
end)
-- Padding in both texts; what the decoder begins with is given, or learned.
for _, name in ipairs{ "LSTM", "GRU" } do
  case("masked encoder and decoder " .. name, { source = anywhere, target = anywhere }, function()
    local source = marea.Input{ { -1 }, dtype = "int32", name = "source" }
    local target = marea.Input{ { -1 }, dtype = "int32", name = "target" }
    local seen, said = words()(source), words()(target)
    local states = { nn[name]{ 3, return_state = true }(seen) }
    table.remove(states, 1)
    local decoder = nn[name]{ 3, return_sequences = true, return_state = true }
    local results = { decoder(said, { initial_state = states }) }
    results[#results + 1] = nn[name]{ 3, go_backwards = true }(said, { initial_state = states })
    local both = { nn.Bidirectional{ nn[name]{ 3, return_state = true } }(seen) }
    table.remove(both, 1)
    results[#results + 1] = nn.Bidirectional{ nn[name]{ 3 } }(said, { initial_state = both })
    return marea.Model{ inputs = { source, target }, outputs = results }
  end)
  recurrent(name:lower() .. " learned", nn[name], { learn_initial_state = true })
end
case("states of learned beginnings", anywhere, function()
  local input, results = marea.Input{ { -1 }, dtype = "int32" }, {}
  local seen = words()(input)
  for _, layer in ipairs{ nn.LSTM{ 3, return_state = true, learn_initial_state = true },
    nn.Bidirectional{ nn.GRU{ 2, return_state = true, learn_initial_state = true } } } do
    for _, value in ipairs{ layer(seen) } do results[#results + 1] = value end
  end
  return marea.Model{ inputs = input, outputs = results }
end)
case("masks that meet", { left = anywhere, right = anywhere }, function()
  local left = marea.Input{ { -1 }, dtype = "int32", name = "left" }
  local right = marea.Input{ { -1 }, dtype = "int32", name = "right" }
  local joined = nn.Maximum{}{ words()(left), words()(right) }
  return marea.Model{ inputs = { left, right }, outputs = nn.GRU{ 3 }(joined) }
end)

table.sort(list, function(a, b) return a.name < b.name end)
cases.onnx = list

-- The model of a case, with its weights set; names are the same whatever was made before.
function cases.model(this)
  nn.reset_names()
  local model = this.make()
  if not model.built then
    local x = this.x.input or this.x
    model:build(x:shape())
  end
  return set_weights(model)
end

-- The inputs by the names that they have in the file.
function cases.inputs(this)
  return getmetatable(this.x) == nil and this.x or { input = this.x }
end

-- What the model itself gives: a list of tensors.
function cases.outputs(this, model)
  local x = this.x
  if not model.graph then
    local lengths = this.options and this.options.lengths and x.lengths or nil
    return { model(x.input or x, { training = false, lengths = lengths }), n = 1 }
  end
  return table.pack(model(x, { training = false }))
end

-- A sum of all bytes (FNV-1a, 64 bits) as text.
function cases.sum(bytes)
  local hash = 0xcbf29ce484222325
  for i = 1, #bytes do hash = (hash ~ bytes:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(hash)
end

-- The bytes that export writes.
function cases.export(this, model, path)
  assert(marea.interop.onnx.export(model, path, this.options))
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

-- Exports every case into a folder and lets onnxruntime run it: name → list of outputs.
function cases.run(python, folder)
  local requests = {}
  for i, this in ipairs(list) do
    cases.export(this, cases.model(this), ("%s/%d.onnx"):format(folder, i))
    local inputs = {}
    for name, x in pairs(cases.inputs(this)) do
      inputs[name] = { kind = x:dtype() == "int32" and "int64" or "float32", values = x:totable() }
    end
    requests[i] = { file = i .. ".onnx", inputs = inputs }
  end
  local path = folder .. "/requests.json"
  assert(require("marea.native").write_file(path, json.encode(requests)))
  assert(os.execute(("%s scripts/fixtures/interop_onnx.py '%s'"):format(python, folder)))
  local file = assert(io.open(folder .. "/outputs.json"))
  local outputs, result = assert(json.decode(file:read("a"))), {}
  file:close()
  for i, this in ipairs(list) do result[this.name] = outputs[i] end
  return result
end

return cases
