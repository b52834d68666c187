--- Sequence → value or class.
local marea = require "marea.model"
local options = require "marea.nn.options"
local parts = require "marea.builders.parts"

local room = {}

local who <const> = "many_to_one"

local declared = parts.options{ input = options.required, outputs = options.required,
  activation = "linear", bidirectional = false }

--- A model (B, T) of ids or (B, T, D) → (B, outputs): recurrent layers, of which the last gives its last
-- step, and a Dense layer. Padding does not count, on either side.
-- @usage builders.many_to_one{ input = { vocabulary = 10000, embedding = 32 }, cell = "gru", units = 64,
--   outputs = 5, activation = "softmax" }
-- @tparam table given `input` (see marea.builders.parts.read_input), `units`, `outputs`, `activation`
-- ("linear"; "softmax" for classes from 0, "sigmoid" for yes or no), `bidirectional` (false), and what
-- marea.builders.parts.options names
-- @treturn Sequential compiled
function room.build(given)
  local read = options.read(who, given, declared)
  parts.check(who, read)
  options.boolean(who, "bidirectional", read.bidirectional)
  local layers, input = parts.reader(who, read.input)
  local stack = parts.stack(read, read.cell, false, read.bidirectional)
  table.move(stack, 1, #stack, #layers + 1, layers)
  layers[#layers + 1] = parts.output(who, read)
  local model = marea.Sequential{ layers = layers, name = read.name or who }
  model.tokenizer = input.tokenizer
  return parts.compile(model, read)
end

return room
