--- many_to_many: a sequence to one of the same length, a class or numbers at each step.
--
--     local model = marea.builders.many_to_many{ source = { tokenizer = words }, units = 64,
--       bidirectional = true, outputs = { "O", "B-LOC", "I-LOC" }, crf = "iob2" }
--     model:fit(sentences, tags, { epochs = 8 })          -- lists of words, lists of tags
--     print(table.concat(model:decode({ { "Vivo", "en", "Lugo" } })[1], " "))   -- O O B-LOC
--
-- @module marea.builders.many_to_many
local data = require "marea.model.data"
local lessons = require "marea.builders.lessons"
local nn = require "marea.nn"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local room = require "marea.builders.reading_sequences"
local sequence = require "marea.sequence"

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

ManyToMany.aligned = true

-- "accuracy" beside a CRF is that of the best path, which `decode` gives; largest scores are none.
local function of_best_path(self, metric)
  if type(metric) == "table" and not metric.update and not metric.class_name then -- a list of an output
    local list = {}
    for name, each in pairs(metric) do list[name] = of_best_path(self, each) end
    return list
  end
  if metric ~= "accuracy" and metric ~= "acc" then return metric end
  local own = self.crf_layer:accuracy()
  own.name = metric
  function own.get_config() return metric end -- as a file says it, for this compile
  return own
end

local compile = ManyToMany.compile

--- As for Sequential; loss and optimizer ("adam") that fit where they are not given. With a CRF the metric
-- "accuracy" is the share of right labels on the best path.
function ManyToMany:compile(given)
  local read = lessons.options("compile", given)
  if type(read.metrics) == "string" then read.metrics = { read.metrics } end
  if self.crf_layer then read.metrics = of_best_path(self, read.metrics) end
  return compile(self, read)
end

--- Targets (lists of classes, or of numbers) as a tensor of as many steps as x.
function ManyToMany:read_targets(where, x, lengths, y)
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
  return (data.attempt(where .. ": y", sequence.pad_sequences, rows, { padding = "post", maxlen = x:size(2),
    dtype = self.task == "classes" and "int32" or "real" }))
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
  local p, padded, lengths = room.predict(self, "decode", x, given)
  local long = visible(self, padded, lengths)
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
