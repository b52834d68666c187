--- Bidirectional: a recurrent layer forwards and a copy of it backwards.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"

--- Both directions of `layer` (Schuster and Paliwal, 1997), merged by `merge_mode`: "concat", "sum",
-- "mul", "ave" or "none" (both outputs). Each row is reversed within its own length when there is a
-- mask. Weights: those of the forward copy, then of the backward one. Initial states: first those
-- of the forward copy. With return_state of the layer, the states follow in the same order.
-- @usage nn.Bidirectional{ nn.LSTM{ 32 }, merge_mode = "sum" }
local Bidirectional = Layer:extend("Bidirectional", {
  builtin = true,
  positional = { "layer" },
  masking = "consume",
  options = { layer = options.required, merge_mode = "concat", backward_layer = options.optional },
})

local function copy_of(layer, prefix, reverse)
  local name, backwards = prefix .. layer.name, layer.go_backwards
  if reverse then backwards = not backwards end
  if layer.copy then return layer:copy(name, backwards) end
  local description = registry.serialize(layer)
  description.config.name, description.config.go_backwards = name, backwards
  return registry.deserialize(description)
end

function Bidirectional:init()
  local layer = self.layer
  if type(layer) ~= "table" or not layer.cell then
    error("Bidirectional: layer must be a recurrent layer such as nn.LSTM{ 32 }, got "
      .. options.show(layer), 0)
  end
  options.choice("Bidirectional", "merge_mode", self.merge_mode,
    { "concat", "sum", "mul", "ave", "none" })
  self.forward = copy_of(layer, "forward_")
  local backward = self.backward_layer
  if backward then
    if type(backward) ~= "table" or not backward.cell
      or backward.go_backwards == layer.go_backwards
      or backward.return_sequences ~= layer.return_sequences
      or backward.return_state ~= layer.return_state then
      error("Bidirectional: backward_layer must be a recurrent layer with the opposite go_backwards "
        .. "and the same return_sequences and return_state", 0)
    end
    self.backward = copy_of(backward, "backward_")
  else
    self.backward = copy_of(layer, "backward_", true)
  end
  self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
  if self.return_sequences then
    self.forward.zero_output_for_mask, self.backward.zero_output_for_mask = true, true
    -- The backward copy's outputs come back in the order of x, ready to be merged.
    self.backward.original_order = self.backward.go_backwards
  end
  self.states = self.forward.states + self.backward.states
  self.children = { self.forward, self.backward }
end

local function features(layer, shape)
  local result = layer:output_shape(shape)
  return result[#result]
end

function Bidirectional:build_weights(shape)
  self.forward:build(shape)
  self.backward:build(shape)
  local a, b = features(self.forward, shape), features(self.backward, shape)
  if a ~= b and self.merge_mode ~= "concat" and self.merge_mode ~= "none" then
    self:fail("merge_mode %q needs as many features from both layers, got %d forwards and %d backwards; "
      .. 'give them the same units or use "concat"', self.merge_mode, a, b)
  end
end

local function merge(mode, a, b)
  if mode == "concat" then return ops.concat({ a, b }, #a:shape()) end
  if mode == "sum" then return a + b end
  if mode == "mul" then return a * b end
  return (a + b) * 0.5
end

local function split_states(self, given)
  if given == nil then return nil, nil end
  local half = self.forward.states
  if type(given) ~= "table" or #given ~= half + self.backward.states then
    self:fail("initial_state must hold %d tensors, forward first", half + self.backward.states)
  end
  return table.move(given, 1, half, 1, {}), table.move(given, half + 1, #given, 1, {})
end

function Bidirectional:call(x, call)
  local first, second = split_states(self, call.initial_state)
  local a = table.pack(self.forward(x,
    { mask = call.mask, training = call.training, initial_state = first,
      return_state = call.return_state }))
  local b = table.pack(self.backward(x,
    { mask = call.mask, training = call.training, initial_state = second,
      return_state = call.return_state }))
  if self.return_sequences and not self.backward.go_backwards then b[1] = ops.flip(b[1], 2) end
  local results
  if self.merge_mode == "none" then
    results = { a[1], b[1] }
  else
    results = { merge(self.merge_mode, a[1], b[1]) }
  end
  for i = 2, a.n do results[#results + 1] = a[i] end
  for i = 2, b.n do results[#results + 1] = b[i] end
  return table.unpack(results)
end

--- Forgets the states of both copies.
function Bidirectional:reset_states()
  self.forward:reset_states()
  self.backward:reset_states()
end

function Bidirectional:compute_mask(_, mask)
  if not self.return_sequences or not mask then return nil end
  return self.merge_mode == "none" and { mask, mask } or mask
end

function Bidirectional:output_shape(shape)
  local result = self.forward:output_shape(shape)
  if self.merge_mode == "concat" then
    result[#result] = result[#result] + self.backward:output_shape(shape)[#result]
  end
  return result
end

return Bidirectional
