--- Weights under Keras's names, in Keras's layout, which is Marea's own.
--
-- The names are the paths of Keras 3 without the model's: "lstm/lstm_cell/kernel",
-- "bidirectional/forward_lstm/lstm_cell/bias", "dense/kernel". In Python:
--
--     weights = numpy.load("w.npz")
--     for w in model.weights: w.assign(weights[w.path.split("/", 1)[1]])
--
-- and the other way `numpy.savez("w.npz", **{ w.path: w.numpy() for w in model.weights })`; the
-- model's name in front is found and ignored. `numpy.savez("w.npz", *model.get_weights())`, which
-- has no names, is read in the order of `get_weights`. A `.weights.h5` file is refused with that
-- hint.
--
-- Layers that Keras does not have (SimpleGRU, MinimalGatedUnit, Elman, CRF, AttentionPooling1D,
-- TiedDense …) raise an error that names them, as do options of recurrent layers that Keras lacks.
-- Layers of one's own keep the names of their weights: Keras's counterpart is one's own as well.
-- @module marea.interop.keras
local exchange = require "marea.interop.exchange"
local files = require "marea.interop.files"
local ops = require "marea.ops"
local strange_option = require "marea.interop.strange_option"

local keras = {}

-- A recurrent layer's weights belong to its cell.
local cells = { SimpleRNN = "simple_rnn_cell", GRU = "gru_cell", LSTM = "lstm_cell" }

-- Layers with weights that both sides have.
local shared = {}
for name in ([[Embedding Dense Conv1D SimpleRNN GRU LSTM BatchNormalization LayerNormalization
  RMSNormalization PReLU Attention AdditiveAttention MultiHeadAttention]]):gmatch("%S+") do
  shared[name] = true
end

local function check(who, layer)
  if getmetatable(layer).builtin and not shared[layer.class_name] then
    error(("%s: %s: Keras has no %s"):format(who, tostring(layer), layer.class_name), 0)
  end
  local strange = cells[layer.class_name] and strange_option(layer)
  if strange then
    error(("%s: %s: option %s has no counterpart in Keras"):format(who, tostring(layer), strange), 0)
  end
end

local function part_of(layer, prefix, path)
  local part, own = { label = tostring(layer), path = path, wanted = {} }, {}
  local cell = cells[layer.class_name] and cells[layer.class_name] .. "/" or ""
  for _, entry in ipairs(layer.weight_list) do
    local name = (prefix == "" and "" or prefix .. "/") .. cell .. entry.name
    part.wanted[name], own[#own + 1] = entry.tensor, { entry.tensor, name }
  end
  function part.take(found)
    local list = {}
    for i, item in ipairs(own) do list[i] = { item[1], found[item[2]] } end
    return list
  end
  return part
end

-- map may name a layer or one that holds it: "bidirectional" renames both copies.
local function renamed(path, map, known)
  local rest = path
  while true do
    known[rest] = true
    if map[rest] then return map[rest] .. path:sub(#rest + 1) end
    local shorter = rest:match("^(.*)/[^/]+$")
    if not shorter then return path end
    rest = shorter
  end
end

local function plan_of(who, model, map)
  local plan, known = { notes = {} }, {}
  exchange.each(model, {}, function(layer, path)
    check(who, layer)
    plan[#plan + 1] = part_of(layer, renamed(path, map, known), path)
  end)
  exchange.check_map(who, map, known)
  return plan
end

-- Without the part of all names before the first "/", when they have it in common and only then fit
-- the plan.
local function without_model(tensors, plan)
  local common
  for name in pairs(tensors) do
    local first = name:match("^([^/]+)/")
    if not first or (common and first ~= common) then return tensors end
    common = first
  end
  if not common then return tensors end
  local bare, fits = {}, false
  for name, tensor in pairs(tensors) do bare[name:sub(#common + 2)] = tensor end
  for _, part in ipairs(plan) do
    for name in pairs(part.wanted) do
      if tensors[name] then return tensors end
      fits = fits or bare[name] ~= nil
    end
  end
  return fits and bare or tensors
end

-- arr_0, arr_1, … get the names of the weights in their order.
local function named(tensors, model, plan)
  if not tensors.arr_0 then return without_model(tensors, plan) end
  local names = {}
  for _, part in ipairs(plan) do
    for name, tensor in pairs(part.wanted) do names[tensor] = name end
  end
  local result = {}
  for i, entry in ipairs(model:entries()) do
    local key = ("arr_%d"):format(i - 1)
    result[names[entry.tensor]], tensors[key] = tensors[key], nil
  end
  for name, tensor in pairs(tensors) do result[name] = tensor end
  return result
end

--- Writes the weights of a built model or layer.
-- @tparam Layer model
-- @tparam string path ends in .safetensors or .npz
-- @tparam[opt] table given `map` (path of a layer → its name in Keras), `format`
-- @treturn boolean|nil true, or nil and a message when the file cannot be written
-- @raise when a layer has no counterpart in Keras
function keras.save(model, path, given)
  local who = "keras.save"
  local read = exchange.read_options(who, given)
  exchange.require_built(who, model)
  local plan = plan_of(who, model, read.map)
  return exchange.save(who, plan, path, read.format, { format = "keras" })
end

--- Reads weights into a built model or layer. Nothing changes unless everything fits.
-- @tparam Layer model
-- @tparam string path ends in .safetensors or .npz
-- @tparam[opt] table given `map`, `format`; `strict = false` takes the layers that fit and leaves
-- the others as they are
-- @treturn table|nil { loaded, missing, misfits, unexpected }, or nil and a message: a file that is
-- missing or broken, or the names and shapes that do not fit (with strict = false: when no layer
-- fits)
-- @raise when a layer has no counterpart in Keras
function keras.load(model, path, given)
  local who = "keras.load"
  local read = exchange.read_options(who, given)
  exchange.require_built(who, model)
  local plan = plan_of(who, model, read.map)
  local tensors, message = files.read(who, path, read.format)
  if not tensors then return nil, message end
  return ops.no_grad(function()
    return exchange.load(who, plan, named(tensors, model, plan), path, read.strict)
  end)
end

return keras
