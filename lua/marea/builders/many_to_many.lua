--- many_to_many: a sequence to one of the same length, a class or numbers at each step.
--
--     local model = marea.builders.many_to_many{ source = { tokenizer = words }, units = 64,
--       bidirectional = true, outputs = { "O", "B-LOC", "I-LOC" }, crf = "iob2" }
--     model:fit(sentences, tags, { epochs = 8 })          -- lists of words, lists of tags
--     print(table.concat(model:decode({ { "Vivo", "en", "Lugo" } })[1], " "))   -- O O B-LOC
--
-- @module marea.builders.many_to_many
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local room = require "marea.builders.reading_sequences"
local sequence = require "marea.sequence"
local Sequential = require "marea.model.sequential"

local function make(self)
  options.boolean(self.class_name, "bidirectional", self.bidirectional)
  room.add_recurrent(self, true)
  room.add_outputs(self, self.crf and "linear" or nil)
  if not self.crf then return end
  if self.task ~= "classes" then error("ManyToMany: a CRF is for classes", 0) end
  self.crf_layer = nn.CRF{ self.classes or self.units_out, name = "crf",
    constraint = self.crf ~= true and self.crf or nil }
  table.insert(self.layers, self.crf_layer)
end

--- A Sequential with `decode`, whose `fit` takes sequences of different lengths as lists.
--
-- `source`, `outputs`, `task`, `cell`, `units`, `num_layers`, `cell_options`, `dropout` as for
-- many_to_one; `bidirectional` (false), `crf` (false; true, or the constraint of nn.CRF such as "iob2").
local ManyToMany = room.class("ManyToMany", { bidirectional = false, crf = false }, "pass", make)

-- Lists of words as lists of ids.
local function encode(self, where, x)
  if not self.tokenizer then
    error(where .. " holds words, but the model has no tokenizer; give source = { tokenizer = … }", 0)
  end
  local rows = self.tokenizer:encode_sequences(x):totable()
  for i, row in ipairs(rows) do
    if type(x[i]) == "table" and #row ~= #x[i] then
      error(("%s: sample %d has %d words, of which the tokenizer knows %d; give it an oov_token"):format(where,
        i, #x[i], #row), 0)
    end
  end
  return rows
end

-- Sequences as a tensor padded behind, and their lengths; tensors as they are.
local function read_source(self, where, x)
  if ops.is_tensor(x) then return x end
  if type(x) ~= "table" or #x == 0 then
    error(("%s: expected a tensor or a list of sequences, got %s"):format(where, options.show(x)), 0)
  end
  local first = type(x[1]) == "table" and x[1][1] or x[1]
  if type(first) == "string" then x = encode(self, where, x) end
  local padded, report = sequence.pad_sequences(x, { padding = "post",
    dtype = self.from.vocabulary and "int32" or "real" })
  return padded, report.lengths
end

-- Targets (lists of classes, or of numbers) as a tensor of as many steps as x.
local function read_targets(self, where, x, lengths, y)
  if ops.is_tensor(y) then return y end
  if type(y) ~= "table" or #y ~= x:size(1) then
    error(("%s: x has %d sequences, y %s"):format(where, x:size(1),
      type(y) == "table" and #y or options.show(y)), 0)
  end
  local rows = {}
  for i, row in ipairs(y) do
    local length = lengths and lengths:get(i) or x:size(2)
    if type(row) ~= "table" or #row ~= length then
      error(("%s: sample %d has %d steps and %s targets"):format(where, i, length,
        type(row) == "table" and #row or options.show(row)), 0)
    end
    rows[i] = {}
    for t, value in ipairs(row) do
      rows[i][t] = room.class_id(self, ("%s: sample %d, step %d"):format(where, i, t), value)
    end
  end
  return (sequence.pad_sequences(rows, { padding = "post", maxlen = x:size(2),
    dtype = self.task == "classes" and "int32" or "real" }))
end

--- x, y and the options of Sequential's fit, with the lengths that follow from lists; y may be nil.
function ManyToMany:lesson(who, x, y, given)
  local read = {}
  for key, value in pairs(given or {}) do read[key] = value end
  local padded, lengths = read_source(self, who .. ": x", x)
  read.lengths = read.lengths or lengths
  return padded, y ~= nil and read_targets(self, who, padded, lengths, y) or nil, read
end

--- As for Sequential; x and y may be lists of sequences: words or ids, names or ids of classes.
function ManyToMany:fit(x, y, given)
  if not self.compiled then self:compile{} end
  local padded, targets, read = self:lesson("fit", x, y, given)
  local validation = read.validation_data
  if type(validation) == "table" and validation[2] then
    local vx, vy, options_of = self:lesson("fit: validation", validation[1], validation[2],
      { lengths = validation.lengths })
    read.validation_data = { vx, vy, validation[3], lengths = options_of.lengths }
  end
  return Sequential.fit(self, padded, targets, read)
end

--- As for Sequential; x and y may be lists of sequences.
function ManyToMany:evaluate(x, y, given)
  return Sequential.evaluate(self, self:lesson("evaluate", x, y, given))
end

-- How many steps of each row are real.
local function visible(self, x, lengths)
  if lengths then return ops.as_ids(lengths):totable() end
  local list, steps = {}, x:size(2)
  local rows = self.from.vocabulary and x:totable()
  for i = 1, x:size(1) do
    list[i] = steps
    while rows and list[i] > 0 and rows[i][list[i]] == 0 do list[i] = list[i] - 1 end
  end
  return list
end

--- What each step is: names or ids of classes (the best path with a CRF), or numbers.
-- @param x as for fit
-- @tparam[opt] table given as for predict
-- @treturn {table,...} for each sequence a list as long as it is
function ManyToMany:decode(x, given)
  local read = {}
  for key, value in pairs(given or {}) do read[key] = value end
  local padded, lengths = read_source(self, "decode: x", x)
  read.lengths = read.lengths or lengths
  local p = self:predict(padded, read)
  local long = visible(self, padded, read.lengths)
  local rows
  if self.crf_layer then rows = self.crf_layer:decode(p, { lengths = long }):totable()
  elseif self.task == "values" then rows = p:totable()
  else rows = room.likeliest(self, p)
  end
  for i, row in ipairs(rows) do
    rows[i] = table.move(row, 1, long[i], 1, {})
    if self.task ~= "values" then
      for t, id in ipairs(rows[i]) do rows[i][t] = room.class_name(self, id) end
    end
  end
  return rows
end

return ManyToMany
