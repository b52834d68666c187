--- Sequence → a value or label at each step.
local marea = require "marea.model"
local nn = require "marea.nn"
local options = require "marea.nn.options"
local parts = require "marea.builders.parts"

local room = {}

local who <const> = "many_to_many"

local declared = parts.options{ input = options.required, outputs = options.optional,
  activation = "linear", bidirectional = false, crf = false, tags = options.optional,
  constraint = options.optional }

-- The number of outputs, which names of tags give as well.
local function count_outputs(read)
  if read.tags == nil then return end
  if type(read.tags) ~= "table" or #read.tags == 0 then
    error(("%s: tags must be a list of names, got %s"):format(who, options.show(read.tags)), 0)
  end
  if read.outputs ~= nil and read.outputs ~= #read.tags then
    error(("%s: outputs is %s, but there are %d tags"):format(who, tostring(read.outputs), #read.tags), 0)
  end
  read.outputs = #read.tags
end

local function check(read)
  parts.check(who, read)
  for _, name in ipairs{ "bidirectional", "crf" } do options.boolean(who, name, read[name]) end
  count_outputs(read)
  if read.constraint ~= nil and not read.crf then
    error(who .. ": constraint forbids transitions of tags and needs crf = true", 0)
  end
  if read.crf and read.activation ~= "linear" then
    error(("%s: with crf = true the output has no activation, got %s"):format(who,
      options.show(read.activation)), 0)
  end
end

--- A model (B, T) of ids or (B, T, D) → (B, T, outputs). Loss and metrics count the steps that are not
-- padding. `model:decode(x)` gives the best label of each step, padding left out; with `crf` the best
-- path.
-- @usage builders.many_to_many{ input = { vocabulary = 5000, embedding = 64 }, units = 100,
--   bidirectional = true, crf = true, tags = { "O", "B-LOC", "I-LOC" }, constraint = "iob2" }
-- @tparam table given `input` (see marea.builders.parts.read_input), `units`, `outputs` or the names of
-- the `tags`, `activation` ("linear"; "softmax" for labels from 0), `bidirectional` (false), `crf` (false;
-- a conditional random field over the labels, see nn.CRF) and its `constraint`, and what
-- marea.builders.parts.options names
-- @treturn Sequential compiled
function room.build(given)
  local read = options.read(who, given, declared)
  check(read)
  local layers, input = parts.reader(who, read.input)
  local stack = parts.stack(read, read.cell, true, read.bidirectional)
  table.move(stack, 1, #stack, #layers + 1, layers)
  layers[#layers + 1] = parts.output(who, read)
  local crf = read.crf and nn.CRF{ read.tags or read.outputs, constraint = read.constraint, name = "crf" }
  if crf then layers[#layers + 1] = crf end
  local model = marea.Sequential{ layers = layers, name = read.name or who }
  model.tokenizer = input.tokenizer
  if crf then return parts.compile(model, read, crf:loss(), { crf:accuracy() }) end
  return parts.compile(model, read)
end

return room
