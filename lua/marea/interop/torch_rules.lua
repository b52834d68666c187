--- How the weights of each layer look in a PyTorch state dict.
--
-- A rule has `save(layer, tail)`: suffix → tensor, and `load(layer, found, tail)`: the layer's
-- weight name → tensor; `tail` is what a recurrent layer's names end in ("_l0", "_l1_reverse").
-- `refuse(layer)` gives the reason why a layer has no counterpart, `note(layer)` what the weights
-- alone do not carry over.
--
-- Source of the layouts: PyTorch's documentation of nn.RNN, nn.GRU, nn.LSTM, nn.Linear, nn.Conv1d,
-- nn.Embedding, nn.MultiheadAttention, nn.LayerNorm and nn.BatchNorm1d (1.13 and 2).
-- @module marea.interop.torch_rules
local convert = require "marea.nn.convert"
local ops = require "marea.ops"
local strange_option = require "marea.interop.strange_option"

local rules = {}

local function turned(x)
  return ops.transpose(x)
end

rules.Embedding = {
  save = function(layer) return { weight = layer.embeddings } end,
  load = function(_, found) return { embeddings = found.weight } end,
  note = function(layer)
    if layer.mask_zero then
      return "id 0 is padding: padding_idx = 0 in PyTorch, which keeps its row from learning but "
        .. "masks nothing; give lengths by pack_padded_sequence"
    end
  end,
}

rules.Dense = {
  save = function(layer) return { weight = turned(layer.kernel), bias = layer.bias } end,
  load = function(_, found) return { kernel = turned(found.weight), bias = found.bias } end,
}

-- kernel (k, D / groups, filters) ↔ weight (filters, D / groups, k)
rules.Conv1D = {
  save = function(layer)
    return { weight = ops.permute(layer.kernel, 3, 2, 1), bias = layer.bias }
  end,
  load = function(_, found)
    return { kernel = ops.permute(found.weight, 3, 2, 1), bias = found.bias }
  end,
  note = function(layer)
    return "PyTorch's Conv1d takes (batch, features, time)" .. (layer.padding == "causal"
      and (" and pads both sides: put %d zeros before the sequence"):format(
        (layer.kernel_size - 1) * layer.dilation_rate) or "")
  end,
}

-- Attention -------------------------------------------------------------------------------------

local PROJECTIONS <const> = { "query", "key", "value" }

-- (D, heads, width) ↔ (heads width, D)
local function flat(kernel, rows)
  return turned(ops.reshape(kernel, { rows, -1 }))
end

rules.MultiHeadAttention = {
  refuse = function(layer)
    local width = layer.num_heads * layer.key_dim
    local same_width = layer.value_dim == layer.key_dim and layer.out == width
    for _, name in ipairs(PROJECTIONS) do
      same_width = same_width and layer.features[name] == width
    end
    if not same_width then
      return ("PyTorch's needs as many features everywhere as num_heads times key_dim (%d)"):format(
        width)
    end
  end,
  save = function(layer)
    local kernels, biases = {}, {}
    for i, name in ipairs(PROJECTIONS) do
      local projection = layer.projections[name]
      kernels[i] = flat(projection.kernel, layer.features[name])
      biases[i] = projection.bias and ops.reshape(projection.bias, { -1 })
    end
    return { in_proj_weight = ops.concat(kernels, 1),
      in_proj_bias = #biases > 0 and ops.concat(biases, 1) or nil,
      ["out_proj.weight"] = turned(ops.reshape(layer.output_projection.kernel, { -1, layer.out })),
      ["out_proj.bias"] = layer.output_projection.bias }
  end,
  load = function(layer, found)
    local own, width = {}, layer.out
    for i, name in ipairs(PROJECTIONS) do
      local first = (i - 1) * width + 1
      own[name .. "/kernel"] = ops.reshape(turned(ops.narrow(found.in_proj_weight, 1, first, width)),
        { width, layer.num_heads, layer.key_dim })
      own[name .. "/bias"] = found.in_proj_bias and ops.reshape(
        ops.narrow(found.in_proj_bias, 1, first, width), { layer.num_heads, layer.key_dim })
    end
    own["attention_output/kernel"] = ops.reshape(turned(found["out_proj.weight"]),
      { layer.num_heads, layer.value_dim, width })
    own["attention_output/bias"] = found["out_proj.bias"]
    return own
  end,
}

-- Normalisation ---------------------------------------------------------------------------------

-- PyTorch has gamma and beta together or not at all.
local function affine(layer)
  if not layer.gamma and not layer.beta then return {} end
  local size = { layer.features }
  return { weight = layer.gamma or ops.ones(size), bias = layer.beta or ops.zeros(size) }
end

local function all_equal(x, value)
  return ops.min(x):item() == value and ops.max(x):item() == value
end

local function read_affine(layer, found)
  if found.weight and not layer.gamma and not all_equal(found.weight, 1) then
    return nil, "its weight is not all ones, but the layer has scale = false"
  end
  if found.bias and not layer.beta and not all_equal(found.bias, 0) then
    return nil, "its bias is not all zeros, but the layer has center = false"
  end
  return { gamma = layer.gamma and found.weight, beta = layer.beta and found.bias }
end

rules.LayerNormalization = {
  save = affine, load = read_affine,
  note = function(layer) return ("eps = %g in PyTorch"):format(layer.epsilon) end,
}

rules.BatchNormalization = {
  save = function(layer)
    local names = affine(layer)
    names.running_mean, names.running_var = layer.moving_mean, layer.moving_variance
    names.num_batches_tracked = ops.tensor(0, { dtype = "int32" })
    return names
  end,
  load = function(layer, found)
    local own, message = read_affine(layer, found)
    if not own then return nil, message end
    own.moving_mean, own.moving_variance = found.running_mean, found.running_var
    return own
  end,
  optional = { "num_batches_tracked" },
  note = function(layer)
    return ("eps = %g, momentum = %g in PyTorch"):format(layer.epsilon, 1 - layer.momentum)
  end,
}

-- Recurrent layers ------------------------------------------------------------------------------

local cells = { rnn = true, gru = true, lstm = true }

local function save_recurrent(layer, tail)
  local names = {}
  for name, tensor in pairs((convert.export(layer, "pytorch"))) do names[name .. tail] = tensor end
  return names
end

local function load_recurrent(layer, found, tail)
  local theirs = {}
  for _, name in ipairs{ "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr" } do
    theirs[name] = found[name .. tail]
  end
  return convert.values(layer, theirs, "pytorch")
end

local function refuse_cell(layer)
  if layer.cell == "gru_before" then
    return "its reset gate works before the matrix product (reset_after = false), PyTorch's GRU "
      .. "has it after; there is no conversion: train with reset_after = true"
  end
  if not cells[layer.cell] then return "PyTorch has no such cell" end
  local strange = strange_option(layer, { projection = true, update = true })
  if strange then return ("option %s has no counterpart in PyTorch"):format(strange) end
  return convert.strange_to_torch(layer)
end

local function refuse_recurrent(layer)
  if layer.go_backwards then
    return "it runs backwards; PyTorch only has that in a bidirectional layer"
  end
  return refuse_cell(layer)
end

local recurrent = {
  recurrent = true, save = save_recurrent, load = load_recurrent, refuse = refuse_recurrent,
  note = function(layer)
    return layer.activation == "relu" and 'nonlinearity = "relu" in PyTorch' or nil
  end,
}
rules.SimpleRNN, rules.GRU, rules.LSTM = recurrent, recurrent, recurrent

--- Both directions under one prefix; the backward copy's names end in _reverse. Its `load` gives
-- weights of the two copies apart: { [forward] = {…}, [backward] = {…} }.
rules.Bidirectional = {
  recurrent = true, both = true,
  save = function(layer, tail)
    local names = save_recurrent(layer.forward, tail)
    for name, tensor in pairs(save_recurrent(layer.backward, tail .. "_reverse")) do
      names[name] = tensor
    end
    return names
  end,
  load = function(layer, found, tail)
    return { [layer.forward] = load_recurrent(layer.forward, found, tail),
      [layer.backward] = load_recurrent(layer.backward, found, tail .. "_reverse") }
  end,
  refuse = function(layer)
    if layer.forward.go_backwards then return "its forward copy runs backwards" end
    if layer.forward.class_name ~= layer.backward.class_name
      or layer.forward.units ~= layer.backward.units then
      return "its two copies differ in class or size, PyTorch's cannot"
    end
    return refuse_cell(layer.forward) or refuse_cell(layer.backward)
  end,
  note = function(layer)
    if layer.merge_mode ~= "concat" then
      return ("PyTorch joins the directions; merge them by %q there"):format(layer.merge_mode)
    end
  end,
}

return rules
