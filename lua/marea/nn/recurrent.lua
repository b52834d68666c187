--- Recurrent layers over whole sequences: SimpleRNN, GRU, LSTM, SimpleGRU, MinimalGatedUnit.
--
-- Input (B, T, D); output (B, units), or (B, T, units) with `return_sequences`; with `return_state`
-- the last states follow. A masked step keeps the states and repeats the output of the step before
-- (or gives zeros, with `zero_output_for_mask`), so padding on either side changes nothing.
--
-- `compat`: "keras" (the default), "pytorch", "onnx" or "slides": the forms and defaults of that
-- program or course where nothing else is said; see marea.nn.recurrent_compat.
-- @module marea.nn.recurrent
local activations = require "marea.nn.activations"
local compat = require "marea.nn.recurrent_compat"
local forms = require "marea.nn.recurrent_forms"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

local room = {}

local shared = {
  units = options.required, activation = "tanh", use_bias = true,
  kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal",
  bias_initializer = "zeros",
  kernel_regularizer = options.optional, recurrent_regularizer = options.optional,
  bias_regularizer = options.optional, activity_regularizer = options.optional,
  kernel_constraint = options.optional, recurrent_constraint = options.optional,
  bias_constraint = options.optional,
  dropout = 0, recurrent_dropout = 0,
  return_sequences = false, return_state = false, go_backwards = false, stateful = false,
  zero_output_for_mask = false, compat = "keras",
}

local methods = { lacks = {} }

-- The kernels know activations by name; a function of Lua's would be called at every step.
local function check_activation(layer, name)
  local which = layer[name] == nil and "linear" or layer[name]
  if not ops.recurrent_activation(which) then
    activations.get(type(which) == "string" and which or nil, layer.class_name)
    error(("%s: %s %s cannot run inside the recurrence; it takes the element-wise ones by name"):format(
      layer.class_name, name, options.show(which)), 0)
  end
  layer[name] = which
end

function methods:init()
  local who = self.class_name
  self.units = options.integer(who, "units", self.units)
  options.number(who, "dropout", self.dropout, 0, 1)
  options.number(who, "recurrent_dropout", self.recurrent_dropout, 0, 1)
  for _, name in ipairs{ "use_bias", "return_sequences", "return_state", "go_backwards", "stateful",
    "zero_output_for_mask" } do
    options.boolean(who, name, self[name])
  end
  check_activation(self, "activation")
  if self.gates > 1 then check_activation(self, "recurrent_activation") end
  forms.init(self)
end

-- Columns of a weight: those of each gate, less the first gate's when it does not see that part.
local function columns(layer, part)
  return (layer.lacks[part] and layer.gates - 1 or layer.gates) * layer.units
end

-- The weight as the kernels want it, with zeros in the place of the columns that it lacks.
local function filled(layer, part, weight)
  if weight == nil or not layer.lacks[part] then return weight end
  local shape = weight:shape()
  local axis = #shape
  shape[axis] = layer.units
  return ops.concat({ ops.zeros(shape), weight }, axis)
end

function methods:build_weights(shape)
  if #shape ~= 3 then
    self:fail("input is (%s), expected (batch, time, features)", table.concat(shape, ", "))
  end
  self.features = shape[3]
  self.kernel = self:add_weight{ name = "kernel", shape = { self.features, columns(self, "x") },
    initializer = self.kernel_initializer, regularizer = self.kernel_regularizer,
    constraint = self.kernel_constraint }
  self.recurrent_kernel = self:add_weight{ name = "recurrent_kernel",
    shape = { self.state_units, columns(self, "h") }, initializer = self.recurrent_initializer,
    regularizer = self.recurrent_regularizer, constraint = self.recurrent_constraint }
  if self.use_bias then self:build_bias(columns(self, "b")) end
  forms.build(self)
end

function methods:build_bias(width)
  self.bias = self:add_weight{ name = "bias",
    shape = self.reset_after and { 2, width } or { width }, initializer = self.bias_initializer,
    regularizer = self.bias_regularizer, constraint = self.bias_constraint }
  if self.unit_forget_bias and not self.coupled and not self.source then
    ops.no_grad(function() self.bias:narrow(1, self.units + 1, self.units):fill_(1) end)
  end
end

local function as_states(layer, given, batch)
  if ops.is_tensor(given) then given = { given } end
  local widths = layer.state_size
  if type(given) ~= "table" or #given ~= layer.states then
    layer:fail("initial_state must hold %d tensor%s of (%d, %d), got %s", layer.states,
      layer.states == 1 and "" or "s", batch, widths[1],
      type(given) == "table" and #given or options.show(given))
  end
  for i, state in ipairs(given) do
    local shape = ops.is_tensor(state) and weights.shape_text(state:shape()) or options.show(state)
    local wanted = weights.shape_text{ batch, widths[i] }
    if shape ~= wanted then
      layer:fail("initial_state %d is %s, expected %s", i, shape, wanted)
    end
  end
  return given
end

--- The states that a call begins with: those given, kept or learned; none for zeros.
-- @tparam integer batch
-- @tparam table call `initial_state`
-- @treturn {tensor,...}
function methods:initial_states(batch, call)
  if call.initial_state ~= nil then return as_states(self, call.initial_state, batch) end
  local kept = self.stateful and self.kept_states
  if not kept then return forms.initial_states(self, batch) end
  if kept[1]:size(1) ~= batch then
    self:fail("is stateful and holds the states of %d samples, got a batch of %d; keep the batch "
      .. "size or call reset_states()", kept[1]:size(1), batch)
  end
  return kept
end

-- The output and the last states.
function methods:run(x, call)
  local shape = x:shape()
  if #shape ~= 3 or shape[3] ~= self.features then
    self:fail("input is (batch %s, time %s, %s), kernel expects %d features", shape[1],
      shape[2] or "?", table.concat(shape, ", ", 3), self.features)
  end
  if shape[2] == 0 then self:fail("input has no time step") end
  local initial = self:initial_states(shape[1], call)
  local y, h, c = ops.recurrent(forms.add(self, {
    name = tostring(self), cell = self.cell, x = x, kernel = filled(self, "x", self.kernel),
    recurrent_kernel = filled(self, "h", self.recurrent_kernel),
    bias = filled(self, "b", self.bias), activation = self.activation,
    recurrent_activation = self.recurrent_activation, mask = call.mask, initial_h = initial[1],
    initial_c = initial[2], return_sequences = self.return_sequences,
    backwards = self.go_backwards, original_order = self.original_order,
    zero_output_for_mask = self.zero_output_for_mask,
    dropout = call.training and self.dropout or 0,
    recurrent_dropout = call.training and self.recurrent_dropout or 0, stream = self.random,
  }, call.training))
  if self.stateful then self:reset_states{ h, c } end
  return y, h, c
end

function methods:call(x, call)
  local y, h, c = self:run(x, call)
  self:regularize_activity(y)
  if not (self.return_state or call.return_state) then return y end
  if self.states == 1 then return y, h end
  return y, h, c
end

--- One step, x (B, D), for nn.RNN: the layers of the library are cells, too.
-- @treturn tensor y
-- @treturn {tensor,...} the states after it
function methods:step(x, state, call)
  local results = table.pack(self(x:reshape{ x:size(1), 1, x:size(2) },
    { initial_state = state, return_state = true, training = call.training }))
  local y = results[1]
  if self.return_sequences then y = y:select(2, 1) end
  return y, table.move(results, 2, results.n, 1, {})
end

--- Forgets the states that a stateful layer kept, or sets them ((B, units) each).
function methods:reset_states(states)
  if states == nil then
    self.kept_states = nil
    return
  end
  if ops.is_tensor(states) then states = { states } end
  as_states(self, states, ops.is_tensor(states[1]) and states[1]:size(1) or 0)
  local kept = {}
  for i, state in ipairs(states) do kept[i] = state:clone() end
  self.kept_states = kept
end

-- Outputs of a layer that goes backwards come last step first, and so does their mask.
function methods:compute_mask(_, mask)
  if not (self.return_sequences and mask) then return nil end
  return self.go_backwards and not self.original_order and ops.flip(mask, 2) or mask
end

function methods:output_shape(shape)
  if self.return_sequences then return { shape[1], shape[2], self.state_units } end
  return { shape[1], self.state_units }
end

-- A class of cells: options and fields of its own beside the shared ones.
local function recurrent(name, own, fields)
  local definition = { builtin = true, positional = { "units" }, masking = "consume", options = {} }
  for key, value in pairs(shared) do definition.options[key] = value end
  for key, value in pairs(forms.shared) do definition.options[key] = value end
  for key, value in pairs(own) do definition.options[key] = value end
  for key, value in pairs(methods) do definition[key] = value end
  for key, value in pairs(fields) do definition[key] = value end
  local class
  function definition.arrange(given) return compat.arrange(class, given) end
  class = Layer:extend(name, definition)
  return class
end
room.define = recurrent

--- h = activation(x K + h' U + b) (Elman, 1990). Weights: kernel (D, u), recurrent_kernel (u, u),
-- bias (u).
room.SimpleRNN = recurrent("SimpleRNN", {}, { cell = "rnn", gates = 1, states = 1 })

local function with(own, more)
  for key, value in pairs(more) do own[key] = value end
  return own
end

--- Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers et al., 2000), gates i, f, c, o.
-- Weights: kernel (D, 4u), recurrent_kernel (u, 4u), bias (4u), which starts with ones for the
-- forget gate if `unit_forget_bias`. States: h, c.
--
-- Forms. `peephole`: "gers2000" and "onnx" add p c to the sums of i, f (the old c) and o (the new
-- c), p (u); "slides" adds c P of the old c to all three, P (u, u), and takes x from them; a table
-- chooses one by one: { form = "diagonal" or "full", output = "new" or "old" (the c that o sees),
-- inputs = "xhc" or "hc" (what the gates see) }.
-- `coupled`: f = 1 - i, three gates i, c, o. `cell_clip`: c stays in [-clip, clip].
-- `projection`: h = (o f(c)) R with that many features (Sak et al., 2014). `norm = "layer"`
-- (Ba et al., 2016). `zoneout`, `zoneout_cell` (Krueger et al., 2017): chances that a unit of h, of
-- c keeps its value. Weights follow the bias: peephole_i, _f, _o, projection_kernel, norm_gain,
-- cell_gain, cell_bias, initial_h, initial_c.
room.LSTM = recurrent("LSTM",
  with({ recurrent_activation = "sigmoid", unit_forget_bias = true }, forms.lstm),
  { gates = 4, states = 2 })

local recurrent_init = room.LSTM.init

function room.LSTM:init()
  recurrent_init(self)
  self.cell = self.coupled and "lstm_coupled" or "lstm"
  self.gates = self.coupled and 3 or 4
end

--- Gated recurrent unit (Cho et al., 2014), gates z, r, h. Weights: kernel (D, 3u),
-- recurrent_kernel (u, 3u), bias (2, 3u) with `reset_after` (the default), else (3u).
-- `update`: "keep" for h = z h' + (1 - z) g, "write" for h = (1 - z) h' + z g.
room.GRU = recurrent("GRU",
  with({ recurrent_activation = "sigmoid", reset_after = true }, forms.gated),
  { gates = 3, states = 1 })

function room.GRU:init()
  options.boolean("GRU", "reset_after", self.reset_after)
  self.cell = self.reset_after and "gru" or "gru_before"
  recurrent_init(self)
end

--- The GRU without a reset gate, gates z, h; the candidate sees x and h (`candidate = "xh"`) or x
-- alone ("x"). Weights: kernel (D, 2u), recurrent_kernel (u, 2u), bias (2u).
room.SimpleGRU = recurrent("SimpleGRU",
  { recurrent_activation = "sigmoid", candidate = "xh", update = "write" },
  { gates = 2, states = 1 })

function room.SimpleGRU:init()
  options.choice("SimpleGRU", "candidate", self.candidate, { "x", "xh" })
  self.cell = self.candidate == "x" and "simple_gru_x" or "simple_gru"
  recurrent_init(self)
end

--- Minimal gated unit (Zhou et al., 2016), gates f, h: g = tanh(x K + (f h') U + b),
-- h = (1 - f) h' + f g. Weights: kernel (D, 2u), recurrent_kernel (u, 2u), bias (2u).
--
-- `gate`: what f sees (Heck and Salem, 2017): "xhb" for f = s(x K_f + h' U_f + b_f), "hb" (their
-- MGU1) without x, "h" (MGU2) of h' alone, "b" (MGU3) of the bias alone. Weights lack f's columns
-- of the parts that f does not see: with "h", kernel is (D, u), recurrent_kernel (u, 2u), bias (u).
room.MinimalGatedUnit = recurrent("MinimalGatedUnit",
  { recurrent_activation = "sigmoid", update = "write", gate = "xhb" },
  { cell = "mgu", gates = 2, states = 1 })

function room.MinimalGatedUnit:init()
  options.choice("MinimalGatedUnit", "gate", self.gate, { "xhb", "hb", "h", "b" })
  recurrent_init(self)
  if self.gate == "b" and not self.use_bias then
    error('MinimalGatedUnit: gate "b" sees the bias alone; it needs use_bias = true', 0)
  end
  self.lacks = {}
  for part in ("xhb"):gmatch(".") do self.lacks[part] = not self.gate:find(part, 1, true) end
end

return room
