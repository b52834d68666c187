--- Models as ONNX files, which onnxruntime and many others run.
--
--     assert(interop.onnx.export(model, "model.onnx"))
--
-- The batch may have any size, and so may the time axis unless an Input declares it. Ids are
-- int64, everything else float32, in the double build too. Dropout and noise are left out: the file
-- answers as `predict` does.
--
-- Masks (`mask_zero`, Masking, `lengths`) become sequence_lens. ONNX only knows lengths from a
-- row's beginning; so that padding in front or between gives the same numbers as here, steps are
-- gathered and spread again. `padding = "post"` promises that only ends are hidden and leaves that
-- out.
--
-- Exported are Sequential and Model (several inputs and outputs, shared layers) of Embedding,
-- Masking, SimpleRNN, GRU, LSTM (states; initial states, given or learned), Bidirectional, Dense,
-- Activation, TiedDense, Conv1D, pooling, the attention layers, the normalisations, merging layers
-- except Dot, Flatten, Reshape, Permute, RepeatVector, Cropping1D, ZeroPadding1D, UpSampling1D,
-- TimeDistributed of layers that work on the last axis. Any other is named and refused, among them
-- layers of one's own, Lambda, CRF and cells that ONNX does not have.
--
-- Source: ONNX's operator documentation, sets 17 to 22.
-- @module marea.interop.onnx
local attention = require "marea.interop.onnx_attention"
local exchange = require "marea.interop.exchange"
local Graph = require "marea.interop.onnx_graph"
local layers = require "marea.interop.onnx_layers"
local native = require "marea.native"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local windows = require "marea.interop.onnx_windows"

local onnx = {}

local function refuse(layer, message, ...)
  error(("onnx.export: %s: %s"):format(tostring(layer), message:format(...)), 0)
end

local emit

local containers = {}

-- Of several outputs the first goes on, as in `call`.
function containers.Sequential(g, model, x)
  for _, layer in ipairs(model.layers) do x = emit(g, layer, x)[1] end
  return { x }
end

local function gather(symbols, known)
  local list = {}
  for i, symbol in ipairs(symbols) do list[i] = known[symbol] end
  return list
end

local function check_call(node)
  for name, value in pairs(node.call or {}) do
    if value and not (attention[node.layer.class_name] and attention.call_options[name]) then
      refuse(node.layer, "option %s of its call is not exported", name)
    end
  end
end

function containers.Model(g, model, x)
  local known, single = {}, #model.inputs == 1
  for i, symbol in ipairs(model.inputs) do known[symbol] = single and x or x[i] end
  for _, node in ipairs(model.graph.nodes) do
    if #node.inputs > 0 then
      check_call(node)
      local list = gather(node.inputs, known)
      local values = emit(g, node.layer, node.list and list or list[1],
        node.states and gather(node.states, known), node.call)
      for i, symbol in pairs(node.outputs) do known[symbol] = values[i] end
    end
  end
  return gather(model.outputs, known)
end

-- Classes that work on the last axis alone, whatever stands before it.
local pointwise = { Dense = true, Activation = true, Dropout = true, LayerNormalization = true,
  RMSNormalization = true, BatchNormalization = true }

function containers.TimeDistributed(g, layer, x)
  local inner = layer.layer
  if not pointwise[inner.class_name] then
    refuse(layer, "of %s is not exported; what works on the last axis alone is", tostring(inner))
  end
  return { { value = emit(g, inner, { value = x.value })[1].value, mask = x.mask } }
end

local function maker_of(layer)
  local class = layer.class_name
  -- A class of one's own cannot have the name of one of the library's.
  return containers[class] or windows[class] or attention[class] or layers[class]
    or refuse(layer, "ONNX files cannot hold layers of the class %s (marea.interop.onnx lists "
      .. "those that can be exported)", class)
end

-- The values that a layer gives for those it gets.
function emit(g, layer, x, states, call)
  local make = maker_of(layer)
  if layer.masking == "refuse" and x.mask then
    refuse(layer, "cannot respect the mask of its input; %s", layer.mask_hint)
  end
  local outer = g.prefix
  g.prefix = outer .. layer.name .. "/"
  local values = make(g, layer, x, refuse, states, call)
  g.prefix = outer
  return values
end

-- Inputs and outputs ----------------------------------------------------------------------------

local inputs_of

-- Whether the first layer that looks at the input takes ids.
local function takes_ids(layer)
  while layer.class_name == "Sequential" or layer.class_name == "TimeDistributed" do
    local inner = layer.layers or { layer.layer }
    layer = inner[1].class_name == "Input" and inner[2] or inner[1]
    if not layer then return false end
  end
  if layer.class_name == "Model" then return inputs_of(layer)[1].kind == "int64" end
  return layer.class_name == "Embedding"
end

-- { name, kind, sizes } of each input: of a Sequential one, whose time axis may vary unless it is
-- declared.
function inputs_of(model)
  if model.class_name == "Model" then
    local list, names = {}, model:input_names()
    for i, symbol in ipairs(model.inputs) do
      list[i] = { name = names[i], sizes = symbol:shape(),
        kind = symbol.dtype == "int32" and "int64" or "float" }
    end
    for _, node in ipairs(model.graph.nodes) do -- an Input that does not say that it takes ids
      for _, symbol in ipairs(node.inputs) do
        for i, own in ipairs(model.inputs) do
          if symbol == own and takes_ids(node.layer) then list[i].kind = "int64" end
        end
      end
    end
    return list
  end
  if type(model.input_shape[1]) == "table" then
    refuse(model, "takes several inputs; make it part of a marea.Model, which names them")
  end
  local ids, first = takes_ids(model), model.layers and model.layers[1]
  local sizes = table.move(model.input_shape, 1, #model.input_shape, 1, {})
  if first and first.full_shape then
    sizes = first:full_shape()
  elseif ids or #sizes == 3 then
    sizes[2] = -1
  end
  return { { name = "input", sizes = sizes, kind = ids and "int64" or "float" } }
end

local function declare_inputs(g, list)
  local values = {}
  for i, input in ipairs(list) do
    local sizes = {}
    for axis, size in ipairs(input.sizes) do
      sizes[axis] = axis == 1 and "batch" or size < 0
        and (axis == 2 and (#list == 1 and "time" or input.name .. "_time")
          or ("%s_%d"):format(input.name, axis)) or size
    end
    values[i] = { value = g:input(input.name, input.kind, sizes) }
  end
  return values
end

-- A second input with the length of each row; what lies behind it is hidden.
local function add_lengths(g, model, x, list)
  if #list > 1 or #list[1].sizes < 2 then
    refuse(model, "lengths = true needs a model with one input (batch, time, …)")
  end
  local lengths = g:input("lengths", "int64", { "batch" })
  local shape = g:node("Shape", { x.value })
  local steps = g:node("Range", { g:ints(0), g:node("Gather", { shape, g:ints(1) }), g:ints(1) })
  local seen = g:node("Less", { steps, g:unsqueeze(lengths, -1) })
  x.mask = { value = g:cast(seen, "float"), post = true }
end

local function output_names(model, count)
  if model.class_name == "Model" then return model:output_names() end
  local names = { "output" }
  for i = 2, count do names[i] = "output_" .. i end -- of a layer that gives its states
  return names
end

-- The sizes that a reader may rely on: of the last axis, and how many axes there are.
local function output_shapes(model, list, count)
  local shapes = {}
  if model.class_name == "Model" then
    for i, symbol in ipairs(model.outputs) do shapes[i] = symbol:shape() end
  elseif count == 1 then
    shapes[1] = model:output_shape(list[1].sizes)
  end
  return shapes
end

local function declare_outputs(g, model, list, values)
  local names, shapes = output_names(model, #values), output_shapes(model, list, #values)
  for i, value in ipairs(values) do
    local sizes = shapes[i]
    if sizes then
      sizes = table.move(sizes, 1, #sizes, 1, {})
      sizes[1] = "batch"
      for axis = 2, #sizes - 1 do sizes[axis] = -1 end
    end
    g:output(value.value, names[i], sizes)
  end
end

-- The file --------------------------------------------------------------------------------------

local function build_graph(model, read)
  maker_of(model) -- what ONNX does not have may have other inputs than those known here
  local g = Graph.new(read.opset)
  g.post = read.padding == "post"
  local list = inputs_of(model)
  local x = declare_inputs(g, list)
  if read.lengths then add_lengths(g, model, x[1], list) end
  declare_outputs(g, model, list, emit(g, model, #x == 1 and x[1] or x))
  return g
end

-- What the model needs beside its numbers, for programs that prepare the input.
local function texts_of(model)
  local texts = {}
  if model.tokenizer then
    texts["marea.tokenizer"] = require("marea.json").encode(model.tokenizer:get_config())
  end
  return texts
end

--- Writes a built model (or layer) as an ONNX file, which is replaced as a whole or stays as it
-- was.
-- @tparam Layer model
-- @tparam string path
-- @tparam[opt] table given `opset` (17 to 22; 17); `padding` "any" (default) or "post": whether
-- masks may hide other steps than the last ones; `lengths` (false): a second input "lengths"
-- (batch) int64 with the number of visible steps of each row
-- @treturn boolean|nil true, or nil and a message when the file cannot be written
-- @raise for a model that ONNX cannot express, naming the layer
function onnx.export(model, path, given)
  local who = "onnx.export"
  local read = options.read(who, given, { opset = 17, padding = "any", lengths = false })
  if type(path) ~= "string" then
    error(("%s: path must be a string, got %s"):format(who, options.show(path)), 0)
  end
  read.opset = options.integer(who, "opset", read.opset, 17)
  if read.opset > 22 then
    error(("%s: opset must be 17 to 22, got %d"):format(who, read.opset), 0)
  end
  options.choice(who, "padding", read.padding, { "any", "post" })
  options.boolean(who, "lengths", read.lengths)
  exchange.require_built(who, model)
  local bytes = ops.no_grad(function()
    return build_graph(model, read):serialize(model.name, native.version, texts_of(model))
  end)
  if #bytes >= 1 << 31 then
    error(("%s: the file would have %d bytes, ONNX's limit is 2 GiB"):format(who, #bytes), 0)
  end
  return native.write_file(path, bytes)
end

return onnx
