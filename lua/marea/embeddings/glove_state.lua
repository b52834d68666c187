--- A GloVe training as one safetensors file: all parameters and accumulators, the iteration, the
-- costs, and what the training was asked for, so that only the same training goes on.
-- @module marea.embeddings.glove_state
local json = require "marea.json"
local native = require "marea.native"

local state = {}

local FORMAT <const> = "marea glove 1"
local parts = { "words", "contexts", "word_squares", "context_squares" }

-- What must be equal for a training to go on.
local function identity(training)
  local asked = training.counts.asked
  local o = training.options
  return { vector_size = o.vector_size, x_max = training.x_max, alpha = o.alpha, eta = o.eta,
    grad_clip = o.grad_clip, compat = o.compat, seed = o.seed, precision = native.precision,
    window_size = asked.window_size, symmetric = asked.symmetric,
    distance_weighting = asked.distance_weighting,
    vocabulary = training.counts.vocabulary.native:hash(), pairs = training.counts.report.stored }
end

--- Writes the state after the last iteration; the file is replaced as a whole or stays as it was.
-- @treturn true, or nil and a message
function state.save(training, path)
  local tensors = {}
  for _, part in ipairs(parts) do tensors[part] = training.native:export(part) end
  return native.save_tensors(path, tensors, { format = FORMAT, training = json.encode{
    iteration = training.native:iteration(), costs = json.array(training.costs),
    identity = identity(training) } })
end

local function decode(texts, path)
  if texts.format ~= FORMAT then
    return nil, ('"%s": expected a "%s" file, got %s'):format(path, FORMAT,
      texts.format and '"' .. texts.format .. '"' or "another kind of file")
  end
  local saved = json.decode(texts.training or "")
  if type(saved) ~= "table" or type(saved.identity) ~= "table" or type(saved.costs) ~= "table"
    or math.type(saved.iteration) ~= "integer" or saved.iteration < 0
    or #saved.costs ~= saved.iteration then
    return nil, ('"%s": the description of the training is malformed'):format(path)
  end
  return saved
end

--- Takes up a saved state. nil and a message for a file that is missing, broken or of another
-- training, whose first difference is named.
function state.load(training, path)
  local tensors, texts = native.load_tensors(path)
  if not tensors then return nil, texts end
  local saved, message = decode(texts, path)
  if not saved then return nil, message end
  local mine = identity(training)
  local names = {}
  for name in pairs(mine) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if saved.identity[name] ~= mine[name] then
      return nil, ('"%s": it was trained with %s %s, this training has %s'):format(path, name,
        tostring(saved.identity[name]), tostring(mine[name]))
    end
  end
  for _, part in ipairs(parts) do
    if not tensors[part] then return nil, ('"%s": has no tensor %s'):format(path, part) end
    local ok, problem = pcall(training.native.import, training.native, part, tensors[part])
    if not ok then return nil, ('"%s": %s'):format(path, problem) end
  end
  training.native:iteration(saved.iteration)
  for i, cost in ipairs(saved.costs) do training.costs[i] = cost end
  return true
end

return state
