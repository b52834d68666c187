--- What all builders do before a model's own `fit`, `evaluate` and `train_on_batch`: read what they are
-- given, of the data and of the validation, and say what was left out.
-- @module marea.builders.lessons
local data = require "marea.model.data"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local parts = require "marea.model.parts"
local sequence = require "marea.sequence"
local vocabularies = require "marea.builders.vocabularies"

local lessons = {}

--- A copy of the options of a call.
function lessons.options(who, given)
  if given ~= nil and (type(given) ~= "table" or getmetatable(given)) then
    error(("%s: options are a table, got %s"):format(who, options.show(given)), 0)
  end
  local read = {}
  for key, value in pairs(given or {}) do read[key] = value end
  return read
end

--- Vectors of reals as a tensor (N, T, D), lists of them padded with zeros behind.
-- @tparam string where for messages: "fit: source" …
-- @tparam integer features D
-- @tparam tensor|table given (N, T, D), or a list of sequences of vectors, of any lengths
-- @treturn tensor
-- @treturn tensor|nil lengths (N), when they differ
-- @treturn tensor|nil lengths (N) of lists
-- @raise naming the sequence that is empty or does not fit
function lessons.vectors(where, features, given)
  local x, lengths, all = given, nil, nil
  if ops.is_tensor(given) then
    x = ops.as_real(given)
  elseif type(given) ~= "table" or #given == 0 then
    error(("%s: expected a tensor (samples, steps, %d) or a list of sequences of vectors, got %s"):format(where,
      features, type(given) == "table" and "an empty list" or options.show(given)), 0)
  else
    local report
    x, report = data.attempt(where, sequence.pad_sequences, given, { padding = "post", dtype = "real" })
    all = report.lengths
    for i, length in ipairs(all:totable()) do
      if length == 0 then error(("%s: sample %d is empty; leave it out"):format(where, i), 0) end
      if length < report.maxlen then lengths = all end
    end
  end
  local shape = x:shape()
  if #shape ~= 3 or shape[3] ~= features or shape[2] < 1 then
    error(("%s is (%s), expected (samples, steps, %d)"):format(where, table.concat(shape, ", "), features), 0)
  end
  return x, lengths, all
end

--- Lengths of samples as a list.
-- @tparam string where for messages
-- @tparam tensor|{integer,...} given
-- @tparam integer count number of samples
-- @tparam function steps(i) → the steps that sample i has
-- @raise naming the sample whose length is not from 1 to its steps
function lessons.lengths(where, given, count, steps)
  local list = ops.is_tensor(given) and given:totable() or given
  if type(list) ~= "table" or #list ~= count then
    error(("%s: lengths are %s, expected one for each of %d samples"):format(where,
      type(list) == "table" and #list or options.show(list), count), 0)
  end
  for i, length in ipairs(list) do
    local whole = type(length) == "number" and math.tointeger(length)
    if not whole or whole < 1 or whole > steps(i) then
      error(("%s: lengths: sample %d has length %s, allowed are 1 to %d"):format(where, i,
        whole or options.show(length), steps(i)), 0)
    end
  end
  return list
end

--- Lengths of a model with two inputs, by place: one list, of input number `place`, or one for each.
function lessons.lengths_of(who, names, given, place)
  if ops.is_tensor(given) or type(given) == "table" and type(given[1]) == "number" then
    return { [place] = given }
  end
  return parts.list(who, "lengths", names, given, true)
end

-- fit, evaluate or train_on_batch with the builder's reading before it.
local function extend(class, name)
  local method = class[name]
  class[name] = function(self, x, y, given)
    if not self.compiled then self:compile{} end
    local read = lessons.options(name, given)
    self.report = {}
    x, y, read.lengths = self:lesson(name, x, y, read.lengths)
    if name == "fit" and self.before_fit then self:before_fit(y) end
    local validation = read.validation_data
    if type(validation) == "table" and validation[1] ~= nil and validation[2] ~= nil then
      local vx, vy, lengths = self:lesson(name .. ": validation", validation[1], validation[2], validation.lengths)
      read.validation_data = { vx, vy, validation[3], lengths = lengths }
    end
    vocabularies.tell(self, name, read.verbose)
    return method(self, x, y, read)
  end
end

--- Lets a class of models read before it trains.
--
-- The class has `lesson(who, x, y, lengths)` → x, y and lengths as marea.model.training takes them, and
-- may have `before_fit(y)`.
-- @tparam table class
function lessons.extend(class)
  for _, name in ipairs{ "fit", "evaluate", "train_on_batch" } do extend(class, name) end
end

return lessons
