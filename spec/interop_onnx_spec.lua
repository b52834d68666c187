-- ONNX files: the bytes are those that onnxruntime has run, and its outputs are ours; what is in a
-- file; what is refused. With MAREA_ONNX_PYTHON (a Python that has onnx and onnxruntime) the files
-- are run again.
local helper = require "spec.helper"
local marea = require "marea"
local cases = require "spec.interop_cases"
local golden = cases.golden("interop_onnx")

local nn, onnx = marea.nn, marea.interop.onnx

local function compare(expected, case, model)
  local outputs = cases.outputs(case, model)
  assert.equal(#expected, outputs.n)
  for i, values in ipairs(expected) do assert.near_all(values, outputs[i], 1e-5) end
end

-- Reading protocol buffers: field → list of values; nested messages are read when asked for.
local function message(bytes)
  local fields, at = {}, 1
  local function varint()
    local n, shift = 0, 0
    while true do
      local byte = bytes:byte(at)
      at, n, shift = at + 1, n | (byte & 127) << shift, shift + 7
      if byte < 128 then return n end
    end
  end
  while at <= #bytes do
    local tag = varint()
    local value
    if tag & 7 == 0 then
      value = varint()
    elseif tag & 7 == 2 then
      local size = varint()
      value, at = bytes:sub(at, at + size - 1), at + size
    else
      assert.equal(5, tag & 7)
      value, at = ("<f"):unpack(bytes, at)
    end
    local field = tag >> 3
    fields[field] = fields[field] or {}
    table.insert(fields[field], value)
  end
  return setmetatable(fields, { __index = function() return {} end })
end

-- The graph of a file: nodes as { op, inputs, outputs, attributes }, initializers by name.
local function read(bytes)
  local model = message(bytes)
  local graph = message(model[7][1])
  local result = { model = model, graph = graph, nodes = {}, initializers = {} }
  for i, node in ipairs(graph[1]) do
    node = message(node)
    result.nodes[i] = { op = node[4][1], inputs = node[1], outputs = node[2], attributes = {} }
    for _, attribute in ipairs(node[5]) do
      attribute = message(attribute)
      result.nodes[i].attributes[attribute[1][1]] = attribute
    end
  end
  for _, tensor in ipairs(graph[5]) do
    tensor = message(tensor)
    result.initializers[tensor[8][1]] = { shape = tensor[1], raw = tensor[9][1] }
  end
  return result
end

local function nodes_of(file, op)
  local list = {}
  for _, node in ipairs(file.nodes) do
    if node.op == op then list[#list + 1] = node end
  end
  return list
end

describe("interop.onnx", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  for _, case in ipairs(cases.onnx) do
    it("exports what onnxruntime ran with our outputs: " .. case.name, function()
      local model = cases.model(case)
      local expected = assert(golden[case.name], "run scripts/fixtures/interop_onnx.lua")
      compare(expected.outputs, case, model)
      assert.equal(expected.sum, cases.sum(cases.export(case, model, path)),
        "other bytes than onnxruntime has run; see scripts/fixtures/interop_onnx.lua")
    end)
  end

  it("is run by onnxruntime again", function()
    local python = os.getenv("MAREA_ONNX_PYTHON")
    if not python then return pending("MAREA_ONNX_PYTHON is not set") end
    os.remove(path)
    assert(os.execute(("mkdir '%s'"):format(path)))
    local outputs = cases.run(python, path)
    assert(os.execute(("rm -r '%s'"):format(path)))
    for _, case in ipairs(cases.onnx) do compare(outputs[case.name], case, cases.model(case)) end
  end)

  local function exported(model, options)
    assert(onnx.export(model, path, options))
    local file = assert(io.open(path, "rb"))
    local bytes = file:read("a")
    file:close()
    return read(bytes)
  end

  it("writes gates, lengths and attributes as ONNX has them", function()
    nn.reset_names()
    local model = marea.Sequential{ nn.Embedding{ 5, 2, mask_zero = true },
      nn.LSTM{ 1, name = "l" } }
    model:build{ -1, 3 }
    model.layers[2]:set_weights{ { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } }, { { 9, 10, 11, 12 } },
      { 13, 14, 15, 16 } }
    local file = exported(model, { padding = "post" })
    local lstm = nodes_of(file, "LSTM")[1]
    local function numbers(name)
      local tensor = file.initializers[name]
      return { ("<" .. ("f"):rep(#tensor.raw // 4)):unpack(tensor.raw) }, tensor.shape
    end
    local function check(at, shape, ...)
      local list, sizes = numbers(lstm.inputs[at])
      list[#list] = nil
      assert.same({ { ... }, shape }, { list, sizes })
    end
    -- i, o, f, c
    check(2, { 1, 4, 2 }, 1, 5, 4, 8, 2, 6, 3, 7)
    check(3, { 1, 4, 1 }, 9, 12, 10, 11)
    check(4, { 1, 8 }, 13, 16, 14, 15, 0, 0, 0, 0)
    assert.equal(1, lstm.attributes.hidden_size[3][1])
    assert.equal("forward", lstm.attributes.direction[4][1])
    assert.is_nil(lstm.attributes.activations)
    local lengths
    for _, node in ipairs(file.nodes) do
      if node.outputs[1] == lstm.inputs[5] then lengths = node end
    end
    assert.same({ "Cast", 6 }, { lengths.op, lengths.attributes.to[3][1] })
    assert.same({}, nodes_of(file, "TopK")) -- padding behind needs no gathering
    assert.equal(1, #nodes_of(exported(model), "TopK"))
    assert.same({ 8, 17 }, { file.model[1][1], message(file.model[8][1])[2][1] })
    assert.equal("marea", file.model[2][1])
    local input = message(file.graph[11][1])
    local tensor = message(message(input[2][1])[1][1])
    assert.same({ "input", 7 }, { input[1][1], tensor[1][1] })
    local dims = message(tensor[2][1])[1]
    assert.same({ "batch", "time" }, { message(dims[1])[2][1], message(dims[2])[2][1] })
    assert.equal("output", message(file.graph[12][1])[1][1])
  end)

  it("writes GRU's two forms, activations and no nodes for dropout", function()
    local function gru(given)
      local model = marea.Sequential{ marea.Input{ { 4, 3 } }, nn.Dropout{ 0.5 }, nn.GRU(given) }
      local file = exported(model)
      assert.same({}, nodes_of(file, "Dropout"))
      return nodes_of(file, "GRU")[1].attributes
    end
    assert.equal(1, gru{ 2 }.linear_before_reset[3][1])
    assert.equal(0, gru{ 2, reset_after = false }.linear_before_reset[3][1])
    local attributes = gru{ 2, recurrent_activation = "hard_sigmoid", activation = "relu" }
    assert.same({ "HardSigmoid", "Relu" }, attributes.activations[9])
    assert.near_all({ 1 / 6 }, attributes.activation_alpha[7], 1e-7)
    assert.same({ 0.5 }, attributes.activation_beta[7])
  end)

  it("shares the weights of a layer that is called twice", function()
    for _, case in ipairs(cases.onnx) do
      if case.name == "two texts" then
        local file = exported(cases.model(case))
        local lstm = nodes_of(file, "LSTM")
        assert.equal(2, #lstm)
        assert.equal(lstm[1].inputs[2], lstm[2].inputs[2])
      end
    end
  end)

  it("carries the tokenizer", function()
    local model = marea.Sequential{ nn.Embedding{ 5, 2 }, nn.GlobalAveragePooling1D{} }
    model:build{ -1, 3 }
    model.tokenizer = marea.text.Tokenizer{ num_words = 5 }
    model.tokenizer:fit_on_texts{ "la marea sube" }
    local texts = message(exported(model).model[14][1])
    assert.equal("marea.tokenizer", texts[1][1])
    assert.match("marea", texts[2][1], 1, true)
  end)

  it("refuses by name what ONNX does not have", function()
    local function refuse(part, ...)
      local model = marea.Sequential{ marea.Input{ { 4, 3 } }, ... }
      assert.fails(part, onnx.export, model, path)
    end
    local Own = nn.Layer:extend("OnnxOwn", { call = function(_, x) return x end })
    refuse('onnx.export: OnnxOwn "mine": ONNX files cannot hold layers of the class OnnxOwn',
      Own{ name = "mine" })
    refuse("layers of the class CRF", nn.CRF{ 3 })
    refuse("layers of the class Lambda", nn.Lambda{ function(x) return x end })
    refuse('LSTM "s": is stateful', nn.LSTM{ 2, stateful = true, name = "s" })
    local clipped = 'LSTM "s": cell_clip cuts the cell state; clip of ONNX\'s LSTM cuts'
    refuse(clipped, nn.LSTM{ 2, cell_clip = 1, name = "s" })
    refuse("cell_clip cuts the cell state", nn.Bidirectional{ nn.LSTM{ 2, coupled = true, cell_clip = 1 } })
    refuse("activation \"selu\" does not exist in ONNX's LSTM", nn.LSTM{ 2, activation = "selu" })
    refuse("none of the library's by name", nn.Dense{ 2, activation = function(x) return x end })
    refuse("of Flatten", nn.Reshape{ { 2, 2, 3 } },
      nn.TimeDistributed{ nn.Flatten{ name = "f" }, name = "t" })
    refuse("cannot respect the mask", nn.Masking{}, nn.Flatten{})
    local strange = nn.LSTM{ 2, name = "s" }
    strange.zero_output_for_mask = false
    local class = getmetatable(strange)
    class.options.phases = false -- as a variant of the cell would have it
    strange.phases = true
    refuse('LSTM "s": option phases has no counterpart in ONNX', strange)
    class.options.phases = nil
  end)

  it("refuses models and layers with inputs of their own", function()
    local builders, words = marea.builders, { vocabulary = 6, start = 1, stop = 2 }
    local holds = ": ONNX files cannot hold layers of the class "
    local from = { vocabulary = 5 }
    for class, model in pairs{
      SequenceToSequence = builders.encoder_decoder{ source = from, target = words, name = "m" },
      OneToMany = builders.one_to_many{ source = from, target = { features = 1 }, name = "m" },
      ManyToOne = builders.many_to_one{ source = from, outputs = 1, name = "m" },
    } do
      local part = ('onnx.export: %s "m"%s%s'):format(class, holds, class)
      assert.fails(part, onnx.export, model, path)
      assert.fails(part, onnx.export, model, path, { lengths = true })
    end
    local sum, x = nn.Add{ name = "s" }, marea.zeros{ 2, 3, 4 }
    sum{ x, x }
    assert.fails('Add "s": takes several inputs; make it part of a marea.Model', onnx.export, sum, path)
  end)

  it("refuses what it does not know about functional models", function()
    local a, b = marea.Input{ { 4, 3 } }, marea.Input{ { 3 } }
    local model = marea.Model{ inputs = { a, b }, outputs = nn.Add{}{ a, b } }
    assert.fails("inputs with 3 and 2 axes are not exported", onnx.export, model, path)
    assert.fails("lengths = true needs a model with one input", onnx.export, model, path,
      { lengths = true })
    local ids = marea.Input{ { 4 }, dtype = "int32" }
    local seen = nn.Embedding{ 3, 2, mask_zero = true }(ids)
    model = marea.Model{ inputs = ids, outputs = nn.Concatenate{ 2 }{ seen, seen } }
    assert.fails("joining masked sequences along the time", onnx.export, model, path)
    model = marea.Model{ inputs = a,
      outputs = nn.Attention{ name = "look" }({ a, a }, { return_attention_scores = true }) }
    assert.fails('Attention "look": option return_attention_scores of its call is not exported',
      onnx.export, model, path)
    local two = nn.Bidirectional{ nn.GRU{ 2 }, backward_layer = nn.GRU{ 2, reset_after = false,
      go_backwards = true } }
    local states = marea.Input{ { 2 } }
    model = marea.Model{ inputs = { ids, states }, outputs = two(seen, { initial_state = { states, states } }) }
    assert.fails("initial states of two different copies are not exported", onnx.export, model, path)
  end)

  it("says what is wrong with its arguments", function()
    local model = marea.Sequential{ marea.Input{ { 3 } }, nn.Dense{ 1 } }
    assert.fails("path must be a string, got nil", onnx.export, model)
    assert.fails("opset must be 17 to 22, got 23", onnx.export, model, path, { opset = 23 })
    assert.fails("opset must be a whole number of at least 17", onnx.export, model, path,
      { opset = 9 })
    assert.fails("padding must be one of any, post", onnx.export, model, path, { padding = "pre" })
    assert.fails("lengths must be true or false", onnx.export, model, path, { lengths = 1 })
    assert.fails("unknown option \"opsets\"", onnx.export, model, path, { opsets = 17 })
    assert.fails("has no weights yet", onnx.export, marea.Sequential{ nn.Dense{ 1 } }, path)
    assert.fails("expected a model or a layer", onnx.export, {}, path)
    local done, text = onnx.export(model, "/nowhere/model.onnx")
    assert.is_nil(done)
    assert.match("/nowhere/model.onnx", text, 1, true)
  end)

  it("leaves no memory behind", function()
    local case = cases.onnx[1]
    cases.export(case, cases.model(case), path)
    helper.leak_check(function() cases.export(case, cases.model(case), path) end)
  end)
end)
