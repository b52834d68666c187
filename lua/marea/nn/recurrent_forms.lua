--- The forms of recurrent cells beyond the plain ones: peepholes, coupled gates, cell clip,
-- projection, layer normalisation, zoneout, update convention, learned initial states.
-- What recurrent layers share; the formulas are in core/kernels/recurrent.h.
-- @module marea.nn.recurrent_forms
local ops = require "marea.ops"
local options = require "marea.nn.options"

local forms = {}

-- Keras's LayerNormalization has the same epsilon.
local EPSILON = 1e-3

-- How i, f and o see the cell state, and whether they see x.
local peepholes = {
  gers2000 = { form = "diagonal", output = "new", inputs = "xhc" },
  onnx = { form = "diagonal", output = "new", inputs = "xhc" },
  slides = { form = "full", output = "old", inputs = "hc" },
}

--- Options that every cell has, then those of the LSTM and of cells with an update gate.
forms.shared = {
  norm = options.optional, norm_epsilon = EPSILON, zoneout = 0, learn_initial_state = false,
}
forms.lstm = {
  peephole = options.optional, coupled = false, cell_clip = options.optional,
  projection = options.optional, zoneout_cell = 0,
}
forms.gated = { update = "keep" }

-- The three choices behind the option `peephole`, of a preset or of a table.
local function read_peephole(who, given)
  if given == nil then return nil end
  if type(given) ~= "table" then
    options.choice(who, "peephole", given, { "gers2000", "onnx", "slides" })
    return peepholes[given]
  end
  local what = who .. ": peephole"
  local read = options.read(what, given, peepholes.gers2000)
  options.choice(what, "form", read.form, { "diagonal", "full" })
  options.choice(what, "output", read.output, { "new", "old" })
  options.choice(what, "inputs", read.inputs, { "xhc", "hc" })
  return read
end

--- Checks the options of a layer.
function forms.init(layer)
  local who = layer.class_name
  if layer.norm ~= nil then options.choice(who, "norm", layer.norm, { "layer" }) end
  options.number(who, "norm_epsilon", layer.norm_epsilon, 1e-12, 1)
  options.number(who, "zoneout", layer.zoneout, 0, 1)
  options.boolean(who, "learn_initial_state", layer.learn_initial_state)
  if layer.update ~= nil then options.choice(who, "update", layer.update, { "keep", "write" }) end
  layer.state_units = layer.units
  layer.state_size = { layer.units }
  if layer.states == 1 then return end
  layer.state_size[2] = layer.units
  options.number(who, "zoneout_cell", layer.zoneout_cell, 0, 1)
  options.boolean(who, "coupled", layer.coupled)
  layer.looks = read_peephole(who, layer.peephole)
  if layer.cell_clip ~= nil then options.number(who, "cell_clip", layer.cell_clip, 1e-12, math.huge) end
  if layer.projection == nil then return end
  layer.projection = options.integer(who, "projection", layer.projection)
  if layer.projection > layer.units then
    error(("%s: projection is %d, allowed are 1 to the %d units"):format(who, layer.projection,
      layer.units), 0)
  end
  layer.state_units, layer.state_size[1] = layer.projection, layer.projection
end

local function add(layer, name, shape, initializer)
  layer[name] = layer:add_weight{ name = name, shape = shape, initializer = initializer }
end

local function add_peepholes(layer)
  local units, shape = layer.units, { layer.units }
  if layer.looks.form == "full" then shape = { units, units } end
  for _, gate in ipairs(layer.coupled and { "i", "o" } or { "i", "f", "o" }) do
    add(layer, "peephole_" .. gate, shape, "glorot_uniform")
  end
end

--- Adds the weights, after kernel, recurrent_kernel and bias: peepholes i, f, o, projection, gains,
-- learned initial states.
function forms.build(layer)
  local units = layer.units
  if layer.peephole then add_peepholes(layer) end
  if layer.projection then
    add(layer, "projection_kernel", { units, layer.projection }, "glorot_uniform")
  end
  if layer.norm then
    local gains = layer.cell == "gru" and 4 or layer.gates
    add(layer, "norm_gain", { gains, units }, "ones")
    if layer.states > 1 then
      add(layer, "cell_gain", { units }, "ones")
      add(layer, "cell_bias", { units }, "zeros")
    end
  end
  forms.build_initial_states(layer, layer.state_size, { "initial_h", "initial_c" })
end

--- Adds the initial states of these widths, if they are to be learned.
function forms.build_initial_states(layer, widths, names)
  layer.initial_weights = {}
  if not layer.learn_initial_state then return end
  for i, width in ipairs(widths) do
    add(layer, names[i], { 1, width }, "zeros")
    layer.initial_weights[i] = layer[names[i]]
  end
end

--- The learned initial states for a batch, or none.
function forms.initial_states(layer, batch)
  local states = {}
  for i, learned in ipairs(layer.initial_weights) do
    states[i] = ops.zeros{ batch, learned:size(2) } + learned
  end
  return states
end

--- Adds the forms to the arguments of the kernel's call.
function forms.add(layer, arguments, training)
  local looks = layer.looks or {}
  arguments.z_writes = layer.update == "write"
  arguments.peephole_i, arguments.peephole_f = layer.peephole_i, layer.peephole_f
  arguments.peephole_o = layer.peephole_o
  arguments.peephole_on_old = looks.output == "old"
  arguments.gates_without_x = looks.inputs == "hc"
  arguments.cell_clip = layer.cell_clip
  arguments.projection = layer.projection_kernel
  arguments.gain, arguments.epsilon = layer.norm_gain, layer.norm_epsilon
  arguments.cell_gain, arguments.cell_bias = layer.cell_gain, layer.cell_bias
  arguments.zoneout_h, arguments.zoneout_c = layer.zoneout, layer.zoneout_cell
  arguments.training = training
  return arguments
end

return forms
