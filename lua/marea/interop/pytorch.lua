--- Weights under the names and in the layout of a PyTorch state dict.
--
--     interop.pytorch.save(model, "lstm.safetensors", { map = { lstm = "encoder.rnn" } })
--
-- and in Python `net.load_state_dict(safetensors.torch.load_file("lstm.safetensors"))`; the other
-- way round, `safetensors.torch.save_file(net.state_dict(), path)` and `interop.pytorch.load`.
--
-- A layer's names begin with its own name and a dot ("lstm.weight_ih_l0", "dense.bias") or with
-- what `map` says. Recurrent layers that `map` gives the same name are one stack: _l0, _l1, … in the
-- model's order. What is converted:
--
-- - matrices are transposed; Conv1D (k, D, F) ↔ (F, D, k);
-- - LSTM: gates i, f, c, o stay; the two biases are added (and written as b and 0);
-- - GRU with reset_after: the blocks z and r change places, both biases are kept;
-- - Bidirectional: the backward copy's names end in _reverse;
-- - LayerNormalization and BatchNormalization: gamma, beta, moving_mean and moving_variance are
--   weight, bias, running_mean and running_var;
-- - MultiHeadAttention: query, key and value in one in_proj_weight; out_proj.
--
-- What has no counterpart raises an error that names the layer: GRU with reset_after = false, other
-- activations than PyTorch's, a layer that runs backwards alone, layers of one's own with weights.
-- @module marea.interop.pytorch
local exchange = require "marea.interop.exchange"
local files = require "marea.interop.files"
local ops = require "marea.ops"
local rules = require "marea.interop.torch_rules"

local pytorch = {}

local function rule_of(who, layer)
  local rule = rules[layer.class_name]
  if not rule then
    error(("%s: %s has weights that PyTorch's names do not cover; known are Embedding, Dense, "
      .. "Conv1D, SimpleRNN, GRU, LSTM, Bidirectional, MultiHeadAttention, LayerNormalization, "
      .. "BatchNormalization")
      :format(who, tostring(layer)), 0)
  end
  local reason = rule.refuse and rule.refuse(layer)
  if reason then error(("%s: %s: %s"):format(who, tostring(layer), reason), 0) end
  return rule
end

-- The layer's weights paired with their new values.
local function pairs_of(rule, layer, own, list)
  if rule.both then
    for copy, values in pairs(own) do pairs_of(rules[copy.class_name], copy, values, list) end
    return list
  end
  for _, entry in ipairs(layer.weight_list) do
    list[#list + 1] = { entry.tensor, own[entry.name] }
  end
  return list
end

local function part_of(rule, layer, path, prefix, tail)
  local dotted = prefix == "" and "" or prefix .. "."
  local part = { label = tostring(layer), path = path, wanted = {}, optional = {} }
  for suffix, tensor in pairs(rule.save(layer, tail)) do part.wanted[dotted .. suffix] = tensor end
  for _, suffix in ipairs(rule.optional or {}) do part.optional[dotted .. suffix] = true end
  function part.take(found)
    local bare = {}
    for name, tensor in pairs(found) do bare[name:sub(#dotted + 1)] = tensor end
    local own, message = rule.load(layer, bare, tail)
    if not own then return nil, ("%s: %s"):format(tostring(layer), message) end
    return pairs_of(rule, layer, own, {})
  end
  return part
end

local function plan_of(who, model, map)
  local plan, known, levels = { notes = {}, computed = true }, {}, {}
  exchange.each(model, rules, function(layer, path)
    local rule = rule_of(who, layer)
    known[path] = true
    local prefix, tail = map[path] or (path:gsub("/", ".")), ""
    if rule.recurrent then
      tail = "_l" .. (levels[prefix] or 0)
      levels[prefix] = (levels[prefix] or 0) + 1
    end
    plan[#plan + 1] = part_of(rule, layer, path, prefix, tail)
    local note = rule.note and rule.note(layer)
    if note then table.insert(plan.notes, tostring(layer) .. ": " .. note) end
  end)
  exchange.check_map(who, map, known)
  return plan
end

--- Writes the weights of a built model or layer.
-- @tparam Layer model
-- @tparam string path ends in .safetensors or .npz
-- @tparam[opt] table given `map` (path of a layer → prefix; "" for none), `format`
-- @treturn table|nil a list of notes: what the weights alone do not tell (eps, padding_idx …), or
-- nil and a message when the file cannot be written
-- @raise when a layer has no counterpart in PyTorch
function pytorch.save(model, path, given)
  local who = "pytorch.save"
  local read = exchange.read_options(who, given)
  exchange.require_built(who, model)
  return ops.no_grad(function()
    local plan = plan_of(who, model, read.map)
    local written, message = exchange.save(who, plan, path, read.format, { format = "pt" })
    if not written then return nil, message end
    return plan.notes
  end)
end

--- Reads weights into a built model or layer. Nothing changes unless everything fits.
-- @tparam Layer model
-- @tparam string path ends in .safetensors or .npz
-- @tparam[opt] table given `map`, `format`; `strict = false` takes the layers that fit and leaves
-- the others as they are
-- @treturn table|nil { loaded, missing, misfits, unexpected, notes }, or nil and a message: a file
-- that is missing or broken, or the names and shapes that do not fit (with strict = false: when no
-- layer fits)
-- @raise when a layer has no counterpart in PyTorch
function pytorch.load(model, path, given)
  local who = "pytorch.load"
  local read = exchange.read_options(who, given)
  exchange.require_built(who, model)
  return ops.no_grad(function()
    local plan = plan_of(who, model, read.map)
    local tensors, message = files.read(who, path, read.format)
    if not tensors then return nil, message end
    return exchange.load(who, plan, tensors, path, read.strict)
  end)
end

return pytorch
