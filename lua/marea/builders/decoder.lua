--- The decoder of the models that feed their own output back: an embedding (for ids), recurrent layers
-- that begin in states that they are given, attention if there is a memory, and a Dense layer.
-- @module marea.builders.decoder
local attending = require "marea.builders.attending"
local nn = require "marea.nn"
local parts = require "marea.builders.parts"

local Decoder = {}
Decoder.__index = Decoder

local decoder = {}

--- A decoder; `layers` holds its layers.
-- @tparam string who for messages
-- @tparam table given the options of parts.options, `target` { vocabulary, embedding } or { features,
-- activation }, and `attention`
-- @tparam[opt] integer memory_width of the encoder's outputs, for attention
function decoder.new(who, given, memory_width)
  local self = setmetatable({ layers = {}, ids = given.target.vocabulary ~= nil }, Decoder)
  local function add(layer)
    table.insert(self.layers, layer)
    return layer
  end
  local target = given.target
  if self.ids then self.embedding = add(parts.embedding(target, "decoder_embedding", true)) end
  self.cells = parts.stack(given, "decoder", true)
  for _, cell in ipairs(self.cells) do add(cell) end
  self.width = self.cells[#self.cells].state_units
  if given.attention then
    self.attention = attending.new(who, given.attention, self.width, memory_width)
    for _, layer in ipairs(self.attention.layers) do add(layer) end
  end
  if given.dropout > 0 then self.dropout = add(nn.Dropout{ given.dropout, name = "output_dropout" }) end
  self.outputs = target.vocabulary or target.features
  self.output = add(nn.Dense{ self.outputs, activation = not self.ids and target.activation or nil,
    name = "output" })
  return self
end

--- Builds the layers.
function Decoder:build()
  local width = self.outputs
  if self.ids then
    self.embedding:build{ -1, -1 }
    width = self.embedding.output_dim
  end
  for _, cell in ipairs(self.cells) do
    cell:build{ -1, -1, width }
    width = cell.state_units
  end
  if self.attention then self.attention:build() end
  if self.dropout then self.dropout:build{ -1, -1, width } end
  self.output:build{ -1, -1, width }
end

--- The sizes of the states, in order, and the name of the layer that each belongs to.
function Decoder:state_sizes()
  local sizes, names = {}, {}
  for _, cell in ipairs(self.cells) do
    for i = 1, cell:state_count() do
      sizes[#sizes + 1], names[#names + 1] = cell.state_size[i], cell.name
    end
  end
  return sizes, names
end

--- Some steps.
-- @tparam tensor x (B, T) ids or (B, T, D)
-- @tparam {tensor,...} given states, (B, size) each
-- @tparam table|nil memory what the attention remembered
-- @tparam table call `mask` (B, T) and `training`
-- @treturn tensor outputs (B, T, K); of ids the logits
-- @treturn {tensor,...} the states after the last step
-- @treturn tensor|nil mask of the outputs
-- @treturn tensor|nil weights of the attention (B, T, S)
function Decoder:run(x, given, memory, call)
  local mask, training, new, weights = call.mask, call.training, {}, nil
  if self.embedding then
    local y = self.embedding(x, { mask = mask, training = training })
    x, mask = y, self.embedding:compute_mask(x, mask)
  end
  for _, cell in ipairs(self.cells) do
    local count = cell:state_count()
    local own = table.move(given, #new + 1, #new + count, 1, {})
    local results = table.pack(cell(x, { mask = mask, training = training, initial_state = own,
      return_state = true }))
    x = results[1]
    table.move(results, 2, count + 1, #new + 1, new)
  end
  if self.attention then x, weights = self.attention:attend(x, memory, training) end
  if self.dropout then x = self.dropout(x, { training = training }) end
  return self.output(x), new, mask, weights
end

return decoder
