--- A recurrent layer's weights in the layout of another program, and back.
--
--     local convert = marea.nn.convert
--     local theirs = convert.export(layer, "pytorch")   -- { weight_ih = …, weight_hh = … }
--     convert.import(layer, theirs, "pytorch")
--
-- The layout is the layer's `compat` unless it is given. Kernels here are (D, G u), gates i, f, c, o
-- and z, r, h side by side.
--
-- - "keras": the layer's own names and shapes; z keeps.
-- - "pytorch": weight_ih (G u, D), weight_hh (G u, u), bias_ih, bias_hh (G u), weight_hr (P, u) of a
--   projection; gates i, f, g, o and r, z, n. One bias of two is exported beside zeros; both are
--   added when they come in. GRU with reset_after alone.
-- - "onnx": W (G u, D), R (G u, u), B (2 G u), P (3u), of one direction; gates i, o, f, c and z, r, h.
--   `export` returns the attributes as its second value: hidden_size, and linear_before_reset,
--   input_forget and the activations where they matter. Learned initial states are initial_h and
--   initial_c (1, u), to be repeated for each sequence. A simple GRU whose candidate sees x is a GRU
--   whose reset gate has nothing to multiply.
-- - "slides": a matrix W_g (u, u + D) over [h, x] and b_g (u) for each gate g; z writes; with their
--   peepholes W_g (u, 2u) over [h, c].
--
-- A z that writes is one that keeps with its block negated, as s(-a) = 1 - s(a) for the sigmoids. The
-- minimal gated unit's gate stands in its candidate as well, so that no weights make one from the other.
-- What a layout cannot express, or the layer has no place for, raises, naming the layer and the reason.
-- Sources: the documentation of PyTorch's nn.RNN, GRU and LSTM and of ONNX's RNN, GRU and LSTM.
-- @module marea.nn.convert
local onnx_activations = require "marea.interop.onnx_activations"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

local convert = {}

-- The gates of each cell, in the order of its weights.
local gates = {
  rnn = { "h" }, lstm = { "i", "f", "c", "o" }, lstm_coupled = { "i", "c", "o" },
  gru = { "z", "r", "h" }, gru_before = { "z", "r", "h" }, simple_gru = { "z", "h" },
  simple_gru_x = { "z", "h" }, mgu = { "z", "h" },
}

-- Blocks --------------------------------------------------------------------------------------------

-- gate → its columns of x (…, G u).
local function split(layer, x)
  local blocks, axis = {}, #x:shape()
  for i, gate in ipairs(gates[layer.cell]) do
    blocks[gate] = ops.narrow(x, axis, (i - 1) * layer.units + 1, layer.units)
  end
  return blocks
end

local function join(blocks, order, axis)
  local list = {}
  for i, gate in ipairs(order) do list[i] = blocks[gate] end
  return #list == 1 and list[1] or ops.concat(list, axis)
end

-- Blocks of another order, with zeros for gates that are not there.
local function reorder(layer, x, order)
  local blocks, shape = split(layer, x), x:shape()
  shape[#shape] = layer.units
  for _, gate in ipairs(order) do blocks[gate] = blocks[gate] or ops.zeros(shape) end
  return join(blocks, order, #shape)
end

local function refuse_numbers(layer, name, block, gate)
  if ops.abs(block):max():item() == 0 then return end
  layer:fail("%s holds numbers for gate %s where this cell has no place for them; only zeros can be "
    .. "left out", name, gate)
end

-- The reverse: blocks in `order` of the weight `name` → the layer's own.
local function restore(layer, name, x, order)
  local blocks, axis, own = {}, #x:shape(), gates[layer.cell]
  for i, gate in ipairs(order) do
    blocks[gate] = ops.narrow(x, axis, (i - 1) * layer.units + 1, layer.units)
  end
  for _, gate in ipairs(order) do
    local has = false
    for _, other in ipairs(own) do has = has or other == gate end
    if not has then refuse_numbers(layer, name, blocks[gate], gate) end
  end
  return join(blocks, own, axis)
end

local symmetric = { sigmoid = true, hard_sigmoid = true, hard_sigmoid_tf = true }

-- Negates the block of z in a table of the layer's weights.
local function negate_z(layer, own)
  if not symmetric[layer.recurrent_activation] then
    layer:fail("update = %q needs a sigmoid to be converted, its recurrent_activation is %s",
      layer.update, options.show(layer.recurrent_activation))
  end
  for _, name in ipairs{ "kernel", "recurrent_kernel", "bias" } do
    if own[name] then
      local blocks = split(layer, own[name])
      blocks.z = -blocks.z
      own[name] = join(blocks, gates[layer.cell], #own[name]:shape())
    end
  end
end

-- Own weights with z as the layout has it ("keep" or "write"); cells without z as they are.
local function with_z(layer, own, update)
  if layer.cell == "mgu" and layer.update ~= update then
    layer:fail("its gate %ss and that of the layout %ss; the gate stands in the candidate, too, so that "
      .. "no weights give the same cell: make it with update = %q", layer.update, update, update)
  end
  if layer.update ~= nil and layer.update ~= update then negate_z(layer, own) end
  return own
end

local function turned(x)
  return ops.transpose(x)
end

-- Raises for a form that the layout has no place for.
local function refuse_forms(layer, layout, allowed)
  for _, name in ipairs{ "norm", "cell_clip", "projection", "peephole", "zoneout", "zoneout_cell" } do
    local value = layer[name]
    if not allowed[name] and value ~= nil and value ~= 0 then
      layer:fail("%s has no %s in its layout", layout, name)
    end
  end
  if layer.learn_initial_state and not allowed.learn_initial_state then
    layer:fail("%s has no learned initial state", layout)
  end
end

-- Layouts: export(layer, own) and import(layer, theirs) -----------------------------------------------

local layouts = {}

layouts.keras = {
  update = "keep",
  check = function() end,
  export = function(_, own) return own end,
  import = function(_, theirs) return theirs end,
}

--- Why PyTorch's cell has other activations than a SimpleRNN, GRU or LSTM; nil where they agree.
function convert.strange_to_torch(layer)
  local allowed = layer.cell == "rnn" and { tanh = true, relu = true } or { tanh = true }
  if not allowed[layer.activation] then
    return ("its activation is %q, PyTorch's is %s"):format(layer.activation,
      layer.cell == "rnn" and "tanh or relu" or "tanh")
  end
  if layer.cell ~= "rnn" and layer.recurrent_activation ~= "sigmoid" then
    return ("its recurrent_activation is %q, PyTorch's is sigmoid"):format(layer.recurrent_activation)
  end
end

local torch_order = { rnn = { "h" }, lstm = { "i", "f", "c", "o" }, gru = { "r", "z", "h" } }

layouts.pytorch = {
  update = "keep",
  check = function(layer)
    if not torch_order[layer.cell] then
      layer:fail("PyTorch has no such cell%s", layer.cell == "gru_before"
        and ": its GRU resets after the product (reset_after = true)" or "")
    end
    refuse_forms(layer, "PyTorch", { projection = true })
    local strange = convert.strange_to_torch(layer)
    if strange then layer:fail("%s", strange) end
  end,
  export = function(layer, own)
    local order = torch_order[layer.cell]
    local theirs = { weight_ih = turned(reorder(layer, own.kernel, order)),
      weight_hh = turned(reorder(layer, own.recurrent_kernel, order)),
      weight_hr = own.projection_kernel and turned(own.projection_kernel) }
    if not own.bias then return theirs end
    local bias = reorder(layer, own.bias, order)
    local two = #bias:shape() == 2
    theirs.bias_ih = two and ops.select(bias, 1, 1) or bias
    theirs.bias_hh = two and ops.select(bias, 1, 2) or ops.zeros(bias:shape())
    return theirs
  end,
  import = function(layer, theirs)
    local order = torch_order[layer.cell]
    local own = { kernel = restore(layer, "weight_ih", turned(theirs.weight_ih), order),
      recurrent_kernel = restore(layer, "weight_hh", turned(theirs.weight_hh), order),
      projection_kernel = theirs.weight_hr and turned(theirs.weight_hr) }
    if layer.bias then
      local input, state = theirs.bias_ih, theirs.bias_hh
      own.bias = restore(layer, "bias_ih",
        layer.reset_after and ops.stack({ input, state }, 1) or input + state, order)
    end
    return own
  end,
}

local lstm_order, gru_order = { "i", "o", "f", "c" }, { "z", "r", "h" }
local onnx_order = { rnn = { "h" }, lstm = lstm_order, lstm_coupled = lstm_order, gru = gru_order,
  gru_before = gru_order, simple_gru_x = gru_order }

local function onnx_peepholes(layer, own)
  if not own.peephole_i then return nil end
  return ops.concat({ own.peephole_i, own.peephole_o,
    own.peephole_f or ops.zeros{ layer.units } }, 1)
end

layouts.onnx = {
  update = "keep",
  check = function(layer)
    if not onnx_order[layer.cell] then layer:fail("ONNX has no such cell") end
    refuse_forms(layer, "ONNX", { peephole = true, learn_initial_state = true })
    local looks = layer.looks
    if looks and (looks.form ~= "diagonal" or looks.output ~= "new" or looks.inputs ~= "xhc") then
      layer:fail("ONNX's peepholes are diagonal, beside x, with o on the new cell state")
    end
    local known, _, name = onnx_activations.attributes{ layer }
    if not known then
      layer:fail("activation %q does not exist in ONNX's %s", name,
        layer.states == 2 and "LSTM" or layer.gates == 1 and "RNN" or "GRU")
    end
  end,
  export = function(layer, own)
    local order = onnx_order[layer.cell]
    local theirs = { W = turned(reorder(layer, own.kernel, order)),
      R = turned(reorder(layer, own.recurrent_kernel, order)), P = onnx_peepholes(layer, own),
      initial_h = own.initial_h, initial_c = own.initial_c }
    if layer.cell == "simple_gru_x" then -- the candidate sees no h
      theirs.R = ops.concat({ ops.narrow(theirs.R, 1, 1, 2 * layer.units),
        ops.zeros{ layer.units, layer.units } }, 1)
    end
    if own.bias then
      local bias = reorder(layer, own.bias, order)
      theirs.B = #bias:shape() == 2 and ops.reshape(bias, { -1 })
        or ops.concat({ bias, ops.zeros(bias:shape()) }, 1)
    end
    local attributes = onnx_activations.attributes{ layer }
    attributes.hidden_size = layer.units
    attributes.linear_before_reset = order == gru_order and (layer.cell == "gru" and 1 or 0) or nil
    attributes.input_forget = layer.cell == "lstm_coupled" and 1 or nil
    return theirs, attributes
  end,
  import = function(layer, theirs)
    local order, units = onnx_order[layer.cell], layer.units
    local own = { kernel = restore(layer, "W", turned(theirs.W), order),
      recurrent_kernel = restore(layer, "R", turned(theirs.R), order),
      initial_h = theirs.initial_h, initial_c = theirs.initial_c }
    if layer.cell == "simple_gru_x" then
      refuse_numbers(layer, "R", ops.narrow(theirs.R, 1, 2 * units + 1, units), "h")
    end
    if layer.bias then
      local bias = ops.reshape(theirs.B, { 2, -1 })
      own.bias = restore(layer, "B", layer.reset_after and bias or ops.sum(bias, 1), order)
    end
    if layer.looks and layer.coupled then
      refuse_numbers(layer, "P", ops.narrow(theirs.P, 1, 2 * units + 1, units), "f")
    end
    if layer.looks then
      for i, gate in ipairs(layer.coupled and { "i", "o" } or { "i", "o", "f" }) do
        own["peephole_" .. gate] = ops.narrow(theirs.P, 1, (i - 1) * units + 1, units)
      end
    end
    return own
  end,
}

-- What the slides' gates see beside h: x, the cell state, or nothing (the simple GRU's candidate
-- sees x alone).
local function slides_sees(layer, gate)
  local looks = layer.looks ~= nil and gate ~= "c"
  local h = not (layer.cell == "simple_gru_x" and gate == "h")
  return h, looks and "c" or "x"
end

layouts.slides = {
  update = "write",
  check = function(layer)
    if layer.cell == "gru" then
      layer:fail("the slides' GRU resets before the product; make it with reset_after = false")
    end
    refuse_forms(layer, "the slides", { peephole = true })
    local looks = layer.looks
    if looks and (looks.form ~= "full" or looks.output ~= "old" or looks.inputs ~= "hc") then
      layer:fail("the slides' peepholes are full, in the place of x, all on the old cell state")
    end
  end,
  export = function(layer, own)
    local theirs, K, U = {}, split(layer, own.kernel), split(layer, own.recurrent_kernel)
    local bias = own.bias and split(layer, own.bias)
    for _, gate in ipairs(gates[layer.cell]) do
      local h, other = slides_sees(layer, gate)
      local second = turned(other == "x" and K[gate] or own["peephole_" .. gate])
      theirs["W_" .. gate] = h and ops.concat({ turned(U[gate]), second }, 2) or second
      theirs["b_" .. gate] = bias and bias[gate]
    end
    return theirs
  end,
  import = function(layer, theirs)
    local own, K, U, bias = {}, {}, {}, {}
    local units, features = layer.units, layer.features
    for _, gate in ipairs(gates[layer.cell]) do
      local h, other = slides_sees(layer, gate)
      local W, start = theirs["W_" .. gate], h and units or 0
      U[gate] = h and turned(ops.narrow(W, 2, 1, units)) or ops.zeros{ units, units }
      local second = turned(ops.narrow(W, 2, start + 1, other == "x" and features or units))
      K[gate] = other == "x" and second or ops.zeros{ features, units }
      if other == "c" then own["peephole_" .. gate] = second end
      bias[gate] = theirs["b_" .. gate]
    end
    local order = gates[layer.cell]
    own.kernel, own.recurrent_kernel = join(K, order, 2), join(U, order, 2)
    own.bias = layer.bias and join(bias, order, 1)
    return own
  end,
}

-- The room's functions ---------------------------------------------------------------------------------

local function layout_of(layer, name)
  if type(layer) ~= "table" or not gates[layer.cell] then
    error("convert: expected a recurrent layer such as nn.LSTM{ 32 }, got " .. options.show(layer), 0)
  end
  name = name or layer.compat
  options.choice("convert", "layout", name, { "keras", "onnx", "pytorch", "slides" })
  if layer.class_name == "Elman" and name ~= "keras" then
    layer:fail("%s has no output flow of its own; convert a SimpleRNN and a Dense", name)
  end
  if layer.gate ~= nil and layer.gate ~= "xhb" then
    layer:fail("gate = %q lacks weights that %s has a place for; conversion takes \"xhb\"", layer.gate,
      name)
  end
  if not layer.built then layer:fail("has no weights before it is built; call build(shape) first") end
  layouts[name].check(layer)
  return layouts[name]
end

local function own_weights(layer)
  local own = {}
  for _, entry in ipairs(layer.weight_list) do own[entry.name] = entry.tensor end
  return own
end

--- The weights in another layout, by its names; copies where the layout is not the layer's own.
-- @tparam Layer layer built; a SimpleRNN, GRU, LSTM or one of their kin
-- @tparam[opt] string layout "keras", "pytorch", "onnx" or "slides"; default: the layer's `compat`
-- @treturn table name → tensor
-- @treturn ?table attributes of the ONNX operator
-- @raise naming the layer when the layout cannot express it
function convert.export(layer, layout)
  local rules = layout_of(layer, layout)
  return rules.export(layer, with_z(layer, own_weights(layer), rules.update))
end

local function check_shapes(layer, theirs, expected)
  for name, tensor in pairs(expected) do
    local came = theirs[name] ~= nil and weights.shape_text(ops.tensor(theirs[name]):shape()) or "missing"
    local wanted = weights.shape_text(tensor:shape())
    if came ~= wanted then layer:fail("%s is %s, expected %s", name, came, wanted) end
  end
  for name in pairs(theirs) do
    if expected[name] == nil then layer:fail("the layout has no %s", options.show(name)) end
  end
end

--- The layer's own values from tensors (or nested lists) of another layout; nothing is set.
-- @treturn table own name → tensor
-- @raise naming the layer for a name or shape that does not fit
function convert.values(layer, theirs, layout)
  local rules = layout_of(layer, layout)
  check_shapes(layer, theirs, (rules.export(layer, with_z(layer, own_weights(layer), rules.update))))
  local tensors = {}
  for name, tensor in pairs(theirs) do tensors[name] = ops.tensor(tensor) end
  return with_z(layer, rules.import(layer, tensors), rules.update)
end

--- Sets the layer's weights from tensors of another layout, as `export` gives them.
-- @raise as `values`; nothing has changed then
function convert.import(layer, theirs, layout)
  local own = ops.no_grad(convert.values, layer, theirs, layout)
  for _, entry in ipairs(layer.weight_list) do
    if own[entry.name] then entry.tensor:assign_(own[entry.name]) end
  end
  return layer
end

return convert
