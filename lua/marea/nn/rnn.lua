--- RNN: a cell written in Lua over whole sequences, with automatic gradients.
local cells = require "marea.nn.cells"
local forms = require "marea.nn.recurrent_forms"
local functions = require "marea.nn.functions"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

--- Runs `cell` step by step. Input (B, T, D); output (B, O), or (B, T, O) with `return_sequences`.
--
-- `cell`: a function f(x, state, call) → y, state with x (B, D), state a list of tensors (B, n) and
-- y (B, O), registered under a name if it is to be saved; or a layer (nn.Layer:extend) with the
-- method step(self, x, state, call) of the same kind, whose weights are built for (B, D), train and
-- are saved with this layer; the library's recurrent layers are such cells. `cells`: a list of
-- cells on top of each other, functions as { f, state_size = n }. `state_size`: n, or a list of
-- several; `output_size`: O, else the first n. Masks, states and directions are those of the other
-- recurrent layers.
--
-- In training: `dropout` is on x and `recurrent_dropout` on the first state that a cell gets (h; of a
-- stack, that each cell gets), the same units at all steps; what a cell carries on of that state is
-- dropped, too. `zoneout` is the chance that a unit of the first state, and of the output if that is
-- the same tensor, keeps its value (outside of training that share of it; Krueger et al., 2017).
-- `learn_initial_state`: weights initial_state_1, initial_state_2 … (1, n), before those of the cell.
-- @usage nn.RNN{ function(x, state) local h = (x + state[1]):tanh() return h, { h } end, state_size = 3 }
local RNN = Layer:extend("RNN", {
  builtin = true, positional = { "cell" }, masking = "consume",
  options = {
    cell = options.required, state_size = options.optional, output_size = options.optional,
    version = options.optional, dropout = 0, recurrent_dropout = 0, zoneout = 0,
    learn_initial_state = false, activity_regularizer = options.optional,
    return_sequences = false, return_state = false,
    go_backwards = false, stateful = false, zero_output_for_mask = false,
  },
})

-- `cells` is short for a stack as the cell.
function RNN.arrange(given)
  if type(given) ~= "table" or getmetatable(given) then return given end
  if given.compat ~= nil then
    error("RNN: compat chooses forms of the library's cells; give it to the cell, as in "
      .. 'nn.RNN{ nn.GRU{ 3, compat = "slides" } }', 0)
  end
  if given.cells == nil then return given end
  if given.cell ~= nil or given[1] ~= nil then error("RNN: give a cell or cells, not both", 0) end
  local all = {}
  for key, value in pairs(given) do all[key] = value end
  all.cells, all.cell = nil, cells.StackedRNNCells{ given.cells }
  return all
end

local function read_cell(layer)
  local cell = layer.cell
  if type(cell) == "string" then
    layer.step, layer.version = functions.find("RNN", cell, layer.version)
  elseif type(cell) == "function" then
    layer.step, layer.cell = cell, functions.name_of(cell) or cell
  elseif cells.is_cell(cell) then
    cells.check("RNN", cell)
    layer.step = function(...) return cell:step(...) end
    layer.children = { cell }
    layer.state_size = layer.state_size or cell.state_size
    layer.output_size = layer.output_size or cell.output_size
  else
    error("RNN: cell must be a function, the name of a registered one or a layer with a method "
      .. "step(self, x, state, call), got " .. options.show(cell), 0)
  end
end

-- What the options need of the cell.
local function check_cell(layer)
  local cell = layer.children[1]
  layer.firsts = cells.firsts(cell)
  if layer.zoneout > 0 and #layer.firsts > 1 then
    error("RNN: zoneout is for one cell; in a stack give it to the cells that know it, as in "
      .. "{ nn.LSTM{ 4, zoneout = 0.1 } }", 0)
  end
  local carrying = layer.recurrent_dropout > 0 and cells.carrying(cell)
  if carrying then
    error(("RNN: recurrent_dropout would also drop what the cell %s carries on of its state; use the "
      .. "layer without nn.RNN"):format(tostring(carrying)), 0)
  end
end

function RNN:init()
  for _, name in ipairs{ "dropout", "recurrent_dropout", "zoneout" } do
    options.number("RNN", name, self[name], 0, 1)
  end
  read_cell(self)
  check_cell(self)
  self.sizes = cells.sizes("RNN", self.state_size)
  self.states = #self.sizes
  self.state_units = self.sizes[1]
  if self.output_size ~= nil then
    self.state_units = options.integer("RNN", "output_size", self.output_size)
  end
  for _, name in ipairs{ "learn_initial_state", "return_sequences", "return_state", "go_backwards",
    "stateful", "zero_output_for_mask" } do
    options.boolean("RNN", name, self[name])
  end
end

function RNN:build_weights(shape)
  if #shape ~= 3 then
    self:fail("input is (%s), expected (batch, time, features)", table.concat(shape, ", "))
  end
  self.features = shape[3]
  local names = {}
  for i in ipairs(self.sizes) do names[i] = "initial_state_" .. i end
  forms.build_initial_states(self, self.sizes, names)
  if self.children[1] then cells.build(self.children[1], shape[1], shape[3]) end
end

local function check(layer, what, x, batch, width)
  local got = ops.is_tensor(x) and weights.shape_text(x:shape()) or options.show(x)
  local wanted = weights.shape_text{ batch, width }
  if got ~= wanted then layer:fail("%s is %s, expected %s", what, got, wanted) end
end

-- `what` has a place for the number of a state, as in "initial_state%s".
local function check_states(layer, what, states, batch)
  if ops.is_tensor(states) then states = { states } end
  if type(states) ~= "table" or #states ~= layer.states then
    layer:fail("%s must be a list of %d tensor%s, got %s", what:format(""), layer.states,
      layer.states == 1 and "" or "s", type(states) == "table" and #states or options.show(states))
  end
  for i, state in ipairs(states) do
    check(layer, what:format(" " .. i), state, batch, layer.sizes[i])
  end
  return states
end

local function initial_states(layer, batch, call)
  if call.initial_state ~= nil then
    return check_states(layer, "initial_state%s", call.initial_state, batch)
  end
  if layer.stateful and layer.kept_states then
    return check_states(layer, "kept state%s (call reset_states() for another batch size)",
      layer.kept_states, batch)
  end
  local states = forms.initial_states(layer, batch)
  if #states > 0 then return states end
  for i, size in ipairs(layer.sizes) do states[i] = ops.zeros{ batch, size } end
  return states
end

-- The states as the cell gets them.
local function dropped(state, noise)
  if not noise then return state end
  local given = table.move(state, 1, #state, 1, {})
  for i, factors in pairs(noise) do given[i] = given[i] * factors end
  return given
end

-- Output and states after zoneout, where d of the first state stays.
local function zone_out(layer, y, new, old, training)
  local rate = layer.zoneout
  if rate == 0 then return y, new end
  local h
  if training then
    local moves = ops.no_grad(function()
      return ops.not_zero(ops.dropout(ops.ones(old[1]:shape()), rate, layer.random))
    end)
    h = ops.where(moves, new[1], old[1])
  else
    h = old[1] * rate + new[1] * (1 - rate)
  end
  if rawequal(y, new[1]) then y = h end
  return y, { h, table.unpack(new, 2) }
end

-- What the cell makes of one step; its errors name layer and step.
local function run_cell(layer, t, x, state, call)
  local fine, y, new, problem = pcall(layer.step, x, state, call)
  if not fine then
    if type(y) ~= "string" then error(y, 0) end
    layer:fail("at step %d, in the cell: %s", t, y)
  end
  if y == nil and problem then layer:fail("at step %d, %s", t, problem) end
  check(layer, ("the cell's output at step %d"):format(t), y, x:size(1), layer.state_units)
  return y, check_states(layer, ("the cell's state%%s at step %d"):format(t), new, x:size(1))
end

-- One step; where the mask (B, 1) hides it, states and output stay.
local function advance(layer, t, x, state, y, mask, call, noise)
  local new_y, new = run_cell(layer, t, x, dropped(state, noise), call)
  new_y, new = zone_out(layer, new_y, new, state, call.training)
  if not mask then return new_y, new_y, new end
  local states = {}
  for i = 1, layer.states do states[i] = ops.where(mask, new[i], state[i]) end
  local zeros = ops.zeros{ x:size(1), layer.state_units }
  local kept = ops.where(mask, new_y, y or zeros)
  return layer.zero_output_for_mask and ops.where(mask, new_y, zeros) or kept, kept, states
end

local function factors(layer, shape, rate)
  return ops.dropout(ops.ones(shape), rate, layer.random)
end

local function drop(layer, x, training)
  if not training or layer.dropout == 0 then return x end
  return x * factors(layer, { x:size(1), 1, x:size(3) }, layer.dropout)
end

-- For each first state of a cell what it is multiplied with at all steps.
local function state_noise(layer, batch, training)
  if not training or layer.recurrent_dropout == 0 then return nil end
  local noise = {}
  for _, i in ipairs(layer.firsts) do
    noise[i] = factors(layer, { batch, layer.sizes[i] }, layer.recurrent_dropout)
  end
  return noise
end

function RNN:call(x, call)
  local shape = x:shape()
  if #shape ~= 3 or shape[3] ~= self.features then
    self:fail("input is (%s), expected (batch, time, %d)", table.concat(shape, ", "), self.features)
  end
  local B, T, D = shape[1], shape[2], shape[3]
  if T == 0 then self:fail("input has no time step") end
  x = drop(self, x, call.training)
  local noise = state_noise(self, B, call.training)
  local state, outputs, shown, y = initial_states(self, B, call), {}, nil, nil
  for p = 1, T do
    local t = self.go_backwards and T + 1 - p or p
    local mask = call.mask and call.mask:narrow(2, t, 1)
    shown, y, state = advance(self, t, x:narrow(2, t, 1):reshape{ B, D }, state, y, mask, call, noise)
    outputs[self.original_order and t or p] = shown
  end
  if self.stateful then self:reset_states(state) end
  local result = self.return_sequences and ops.stack(outputs, 2) or shown
  self:regularize_activity(result)
  if self.return_state or call.return_state then return result, table.unpack(state) end
  return result
end

--- Forgets the states that a stateful layer kept, or sets them ((B, n) each).
function RNN:reset_states(states)
  self.kept_states = nil
  if states == nil then return end
  local first = type(states) == "table" and states[1] or states
  local batch = ops.is_tensor(first) and first:size(1) or 0
  local kept = {}
  for i, state in ipairs(check_states(self, "state%s", states, batch)) do kept[i] = state:clone() end
  self.kept_states = kept
end

function RNN:compute_mask(_, mask)
  return self.return_sequences and mask or nil
end

function RNN:output_shape(shape)
  if self.return_sequences then return { shape[1], shape[2], self.state_units } end
  return { shape[1], self.state_units }
end

--- Another layer of the same options, which has weights of its own; it need not fit into a file.
-- @tparam string name
-- @tparam boolean go_backwards
function RNN:copy(name, go_backwards)
  local given = {}
  for option in pairs(RNN.options) do given[option] = self[option] end
  given.name, given.go_backwards, given.cell = name, go_backwards, cells.copy(self.cell)
  return RNN(given)
end

function RNN:get_config()
  if type(self.cell) == "function" then
    self:fail("cell is a function without a name, which a file cannot hold; "
      .. 'nn.register_function("name", f) and give nn.RNN{ "name" }, or make a class with '
      .. "nn.Layer:extend")
  end
  return Layer.get_config(self)
end

return RNN
