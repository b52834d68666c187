-- What tokens come from: models, encoder–decoders and functions, behind one method.
--
-- source:advance(tokens, states) → logits (n, V), new states: one token and one state (nil: the
-- beginning) for each of n hypotheses. The logits may be overwritten by the next call.
local ops = require "marea.ops"
local options = require "marea.nn.options"
local states = require "marea.nn.states"
local Stream = require "marea.generate.stream"

local sources = {}

--- Logits as one row of reals side by side.
function sources.row(logits)
  if type(logits) == "table" then logits = ops.tensor(logits) end
  if not ops.is_tensor(logits) then
    error("generate: expected logits as a tensor or a list of numbers, got "
      .. options.show(logits), 0)
  end
  return logits:reshape{ -1 }
end

local of_function = {}
of_function.__index = of_function

function of_function:advance(tokens, given)
  local rows, new = {}, {}
  for i, token in ipairs(tokens) do
    local logits
    logits, new[i] = self.f(given[i], token)
    rows[i] = sources.row(logits)
    if new[i] == nil then new[i] = false end -- a function without state
  end
  return #rows == 1 and rows[1] or ops.stack(rows, 1), new
end

local of_model = {}
of_model.__index = of_model

local function stream_of(self, n)
  local known = self.streams[n]
  if not known then
    known = Stream.stream(self.model, { batch = n, logits = true })
    self.streams[n] = known
  end
  return known
end

local function get_row(stream, row)
  local list = {}
  for i, tensor in ipairs(stream.values) do list[i] = tensor:narrow(1, row, 1):clone() end
  return states.new(list)
end

function of_model:advance(tokens, given)
  local n, new = #tokens, {}
  local stream = stream_of(self, n)
  for i = 1, n do stream:restore_row(i, given[i]) end
  local logits = stream:step(n == 1 and tokens[1] or tokens)
  for i = 1, n do new[i] = get_row(stream, i) end
  return logits, new
end

-- The layer that reads the tokens; how many ids it knows, if that is told; how many have scores.
local function sizes_of(stream)
  local first, scores = stream.layers[1], stream.output:size(2)
  return first, first.class_name == "Embedding" and first.input_dim or math.maxinteger, scores
end

--- The source that a model, an object or a function is.
function sources.of(given)
  if type(given) == "function" then return setmetatable({ f = given }, of_function) end
  if type(given) == "table" and given.advance and not given.weight_list then return given end
  if type(given) == "table" and given.layers and given.weight_list then
    if not given.stream then
      given:fail("generate: reads a source before it writes; use its decode(source, { … })")
    end
    local source = setmetatable({ model = given, streams = {} }, of_model)
    local stream = stream_of(source, 1) -- refuses models that cannot stream now
    if not stream.ids then
      given:fail("generate: must begin with an Embedding, which reads tokens")
    end
    local reader, ids, scores = sizes_of(stream)
    if ids < scores then
      given:fail("generate: gives scores for the ids 0 to %d, but %s reads the ids 0 to %d; make them "
        .. "as many", scores - 1, tostring(reader), ids - 1)
    end
    return source
  end
  error("generate: expected a model, an object with advance or a function(state, token), got "
    .. options.show(given), 0)
end

--- A set of the ids that end a sequence.
function sources.stop_set(stop)
  if stop ~= nil and type(stop) ~= "table" then stop = { stop } end
  local set = {}
  for i, token in ipairs(stop or {}) do
    if math.type(token) ~= "integer" then
      error(("generate: stop token %d must be an id, got %s"):format(i, options.show(token)), 0)
    end
    set[token] = true
  end
  return set
end

-- What a model knows of its tokens and states, before the first step.
local function check_model(who, source, read)
  local stream = stream_of(source, 1)
  local reader, ids, scores = sizes_of(stream)
  local function check(id, what, ...)
    if id < 0 or id >= ids then
      error(("%s: %s is %d, %s reads the ids 0 to %d"):format(who, what:format(...), id,
        tostring(reader), ids - 1), 0)
    end
  end
  for i, id in ipairs(read.prompt) do check(id, "item %d of the prompt", i) end
  if read.start then check(read.start, "start") end
  for id in pairs(sources.stop_set(read.stop)) do
    if id < 0 or id >= scores then
      error(("%s: the stop token %d never comes; %s gives scores for the ids 0 to %d"):format(who, id,
        tostring(source.model), scores - 1), 0)
    end
  end
  stream:restore_row(1, read.state)
end

--- Raises unless there is a token to begin with, and where a model does not know a token or a state.
function sources.check_start(who, source, read)
  if read.prompt == nil then read.prompt = {} end
  if type(read.prompt) ~= "table" then
    error(("%s: prompt must be a list of ids, got %s"):format(who, options.show(read.prompt)), 0)
  end
  for i, token in ipairs(read.prompt) do
    if math.type(token) ~= "integer" then
      error(("%s: item %d of the prompt must be an id, got %s"):format(who, i, options.show(token)),
        0)
    end
  end
  if read.start ~= nil then
    options.integer(who, "start", read.start, 0)
  elseif #read.prompt == 0 then
    error(who .. ": there is nothing to begin with; give a prompt that is not empty, or start (the "
      .. "id of the start mark)", 0)
  end
  if getmetatable(source) == of_model then
    check_model(who, source, read)
  else
    sources.stop_set(read.stop)
  end
end

--- Goes through start and prompt up to their last token: { token, state, tokens }.
function sources.begin(source, read)
  local tokens = {}
  if read.start and read.prompt[1] ~= read.start then tokens[1] = read.start end
  table.move(read.prompt, 1, #read.prompt, #tokens + 1, tokens)
  local state = read.state
  for i = 1, #tokens - 1 do
    local _, new = source:advance({ tokens[i] }, { state })
    state = new[1]
  end
  return { token = tokens[#tokens], state = state, tokens = tokens }
end

return sources
