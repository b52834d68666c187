--- A model as one safetensors file.
--
-- Tensors: weights by name (`lstm/kernel`), the optimizer's slots (`optimizer/lstm/kernel/velocity`),
-- the states of stateful layers (`states/lstm/1`), the weights that callbacks keep
-- (`callbacks/1/best/1`). Metadata, as JSON texts: `architecture`, `compile`, `training` (epoch,
-- iterations, random streams), `callbacks`, `tokenizer`, `text`, `extra` (texts by
-- name that the caller put into `model.extra`). Nothing in a file is ever executed.
-- @module marea.model.checkpoint
local json = require "marea.json"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"
local weights = require "marea.nn.weights"

local checkpoint = {}

local FORMAT <const> = "marea model 1"

-- Saving ------------------------------------------------------------------------------------------

local function add_weights(model, tensors)
  for _, entry in ipairs(model:entries()) do tensors[entry.path] = entry.tensor end
end

local function add_states(model, tensors)
  model:walk(function(layer, path)
    for i, state in ipairs(layer.kept_states or {}) do
      tensors[("states/%s/%d"):format(path, i)] = state
    end
  end)
end

local function add_slots(model, tensors)
  for name, slot in pairs(model.optimizer:state().slots) do tensors["optimizer/" .. name] = slot end
end

local function describe_architecture(model)
  local description = registry.serialize(model)
  description.input_shape = model.input_shape
  return json.encode(description)
end

local function describe_metrics(head)
  local list = json.array{}
  for i, spec in ipairs(head.metric_specs) do
    local message
    if type(spec) == "table" then
      spec, message = spec:get_config()
    elseif type(spec) ~= "string" then
      spec, message = nil, "a metric that is a function cannot be saved"
    end
    if not spec then return nil, message end
    list[i] = spec
  end
  return list
end

-- Losses and metrics of several outputs by the outputs' names; those of one as they are.
local function describe_heads(model)
  local described = { loss = {}, metrics = {}, loss_weights = {} }
  for _, head in ipairs(model.heads) do
    local message
    if head.loss then
      described.loss[head.name], message = head.loss:get_config()
      if message then return nil, message end
    end
    described.metrics[head.name], message = describe_metrics(head)
    if message then return nil, message end
    described.loss_weights[head.name] = head.weight
  end
  if #model.heads == 1 then
    local name = model.heads[1].name
    described = { loss = described.loss[name], metrics = described.metrics[name],
      loss_weights = model.heads[1].weight ~= 1 and { model.heads[1].weight } or nil }
  end
  return described
end

-- Loss, metrics and optimizer as JSON; nil and why when one of them is a function.
local function describe_compile(model)
  local described, message = describe_heads(model)
  if not described then return nil, message end
  local optimizer
  optimizer, message = model.optimizer:get_config()
  if not optimizer then return nil, message end
  described.optimizer = { class_name = model.optimizer.class_name, config = optimizer }
  return json.encode(described)
end

local function describe_training(model)
  local training = { epoch = model.epoch or 0, streams = {} }
  model:walk(function(layer, path)
    if layer.random then training.streams[path] = { layer.random:state() } end
  end)
  if model.shuffle_stream then training.shuffle = { model.shuffle_stream:state() } end
  training.split_seed = model.split_seed
  if model.optimizer then training.iterations = model.optimizer.iterations end
  return json.encode(training)
end

-- The states of the callbacks of the last fit, or of a file's that no fit has taken up yet.
local function describe_callbacks(model, tensors)
  local states = model.callback_list and model.callback_list:states() or model.callback_states
  if not states or #states == 0 then return nil end
  local list = json.array{}
  for i, item in ipairs(states) do
    list[i] = { class_name = item.class_name, monitor = item.monitor, state = item.state }
    for name, tensor in pairs(item.tensors) do
      tensors[("callbacks/%d/%s"):format(i, name)] = tensor
    end
  end
  return json.encode{ epoch = states.epoch, list = list }
end

local function describe_text(model, texts)
  if not model.tokenizer then return end
  texts.tokenizer = json.encode(model.tokenizer:get_config())
  local width = model.input_shape[2]
  texts.text = json.encode{ maxlen = model.maxlen or type(width) == "number" and width or nil,
    padding = model.padding,
    truncating = model.truncating }
end

-- Texts of the caller's own that travel with the model: model.extra, name → text.
local function describe_extra(model, texts)
  if model.extra and next(model.extra) ~= nil then texts.extra = json.encode(model.extra) end
end

local function require_built(model, who)
  if not model:build_declared() then
    model:fail("%s: has no weights yet; fit it, call it, or build(shape) it first", who)
  end
end

-- What a layer shares with another (TiedDense with its Embedding) lies with the other one.
local function check_partners(model)
  local inside = {}
  model:walk(function(layer) inside[layer] = true end)
  model:walk(function(layer)
    local partner = layer.partner and layer:partner()
    if partner and not inside[partner] then
      layer:fail("shares the weights of %s, which is not in the model that is saved", tostring(partner))
    end
  end)
end

--- Writes everything into one file, which is replaced as a whole or stays as it was.
-- @tparam string path
-- @tparam[opt] table given `include_optimizer` (true): what training on needs
-- @treturn boolean|nil true, or nil and a message when the file cannot be written
-- @raise when the model is not built or an option is a function, which a file cannot hold
function checkpoint.save(model, path, given)
  local read = options.read("save", given, { include_optimizer = true })
  require_built(model, "save")
  check_partners(model)
  local tensors, texts = {}, { format = FORMAT, architecture = describe_architecture(model) }
  add_weights(model, tensors)
  describe_text(model, texts)
  describe_extra(model, texts)
  if read.include_optimizer then
    texts.training = describe_training(model)
    texts.callbacks = describe_callbacks(model, tensors)
    add_states(model, tensors)
    if model.compiled then
      local message
      texts.compile, message = describe_compile(model)
      if texts.compile then
        add_slots(model, tensors)
      else
        io.stderr:write(("save: %s; the file will need compile{} after loading\n"):format(message))
      end
    end
  end
  return ops.save_tensors(path, tensors, texts)
end

--- Writes the weights alone.
-- @treturn boolean|nil true, or nil and a message
function checkpoint.save_weights(model, path)
  require_built(model, "save_weights")
  local tensors = {}
  add_weights(model, tensors)
  return ops.save_tensors(path, tensors, { format = "marea weights 1" })
end

-- Loading -----------------------------------------------------------------------------------------

local function refuse(message, ...)
  error(message:format(...), 0)
end

local function decode(texts, key)
  local value, message = json.decode(texts[key])
  if value == nil then refuse("metadata %q: %s", key, tostring(message)) end
  if type(value) ~= "table" then refuse("metadata %q must be a JSON object", key) end
  return value
end

local function take(tensors, name, shape)
  local tensor = tensors[name]
  if not tensor then refuse("weight %q is missing", name) end
  local wanted, came = weights.shape_text(shape), weights.shape_text(tensor:shape())
  if wanted ~= came then refuse("weight %q is %s, the architecture expects %s", name, came, wanted) end
  if tensor:dtype() == "int32" then refuse("weight %q holds whole numbers, expected reals", name) end
  tensors[name] = nil
  return tensor
end

-- The shape that the model was built with; a list of shapes for several inputs.
local function read_shape(shape, several)
  if type(shape) ~= "table" or #shape == 0 then refuse("the input shape is missing") end
  for i, size in ipairs(shape) do
    if several then
      read_shape(size)
    elseif not math.tointeger(size) or size < -1 or size > 2 ^ 31 then
      refuse("the input shape holds %s", tostring(size))
    else
      shape[i] = math.tointeger(size)
    end
  end
  if not several then shape[1] = -1 end
  return shape
end

-- While it builds, each layer takes its weights from the file instead of making new ones: a file
-- that lies about sizes is refused before anything of that size is made.
local function build_from(model, shape, tensors)
  shape = read_shape(shape, #model:input_names() > 1)
  model:walk(function(layer, path)
    local prefix = path == "" and "" or path .. "/"
    function layer.source(name, wanted) return take(tensors, prefix .. name, wanted) end
  end)
  model:build(shape)
  model:walk(function(layer) layer.source = nil end)
  -- A layer of one's own may have built another while it was made.
  for _, entry in ipairs(model:entries()) do
    if tensors[entry.path] then
      entry.tensor:assign_(take(tensors, entry.path, entry.tensor:shape()))
    end
  end
end

local function restore_stream(stream, state)
  if type(state) ~= "table" or #state ~= 3 then refuse("a random stream's state is malformed") end
  for i = 1, 3 do
    if not math.tointeger(state[i]) then refuse("a random stream's state is malformed") end
  end
  if stream then
    stream:set_state(table.unpack(state))
    return stream
  end
  return ops.new_stream(table.unpack(state))
end

local function restore_training(model, training)
  local epoch = math.tointeger(training.epoch)
  if not epoch or epoch < 0 or type(training.streams) ~= "table" then
    refuse("metadata \"training\" is malformed")
  end
  model.epoch = epoch
  model:walk(function(layer, path)
    local state = training.streams[path]
    if layer.random and state then restore_stream(layer.random, state) end
  end)
  if training.shuffle then model.shuffle_stream = restore_stream(nil, training.shuffle) end
  if training.split_seed ~= nil and math.type(training.split_seed) ~= "integer" then
    refuse("the seed of the validation split is malformed")
  end
  model.split_seed = training.split_seed
end

local function check_state(item)
  local fine = type(item) == "table" and type(item.class_name) == "string"
    and (item.monitor == nil or type(item.monitor) == "string") and type(item.state) == "table"
  for _, value in pairs(fine and item.state or {}) do fine = fine and type(value) ~= "table" end
  if not fine then refuse("metadata \"callbacks\" is malformed") end
end

-- Best or last weights that a file holds for a callback must fit the model's.
local function check_kept(model, item)
  local entries = model:entries()
  for name, tensor in pairs(item.tensors) do
    local entry = entries[math.tointeger(name:match("^%a+/(%d+)$")) or 0]
    if item.class_name == "EarlyStopping" and (not entry or tensor:dtype() == "int32"
      or weights.shape_text(entry.tensor:shape()) ~= weights.shape_text(tensor:shape())) then
      refuse("tensor %q of %s does not fit the architecture", name, item.class_name)
    end
  end
end

-- They wait for the next fit.
local function restore_callbacks(model, description, tensors)
  local epoch = math.tointeger(description.epoch)
  if not epoch or type(description.list) ~= "table" then
    refuse("metadata \"callbacks\" is malformed")
  end
  local states = { epoch = epoch }
  for i, item in ipairs(description.list) do
    check_state(item)
    states[i] = { class_name = item.class_name, monitor = item.monitor, state = item.state,
      tensors = {} }
    local prefix = ("callbacks/%d/"):format(i)
    for name, tensor in pairs(tensors) do
      if name:sub(1, #prefix) == prefix then states[i].tensors[name:sub(#prefix + 1)] = tensor end
    end
    for name in pairs(states[i].tensors) do tensors[prefix .. name] = nil end
    check_kept(model, states[i])
  end
  model.callback_states = states
end

local function restore_states(model, tensors)
  model:walk(function(layer, path)
    local states, i = {}, 1
    while tensors[("states/%s/%d"):format(path, i)] do
      local name = ("states/%s/%d"):format(path, i)
      states[i], tensors[name], i = tensors[name], nil, i + 1
    end
    if #states > 0 then
      if not layer.reset_states then refuse("layer %q has no states to restore", path) end
      layer:reset_states(states)
    end
  end)
end

-- A model that was compiled but never trained has no slots in its file.
local function restore_optimizer(model, iterations, tensors)
  iterations = math.tointeger(iterations)
  if not iterations or iterations < 0 then refuse("the number of iterations is malformed") end
  local slots = {}
  for name, tensor in pairs(tensors) do
    local slot = name:match("^optimizer/(.+)$")
    if slot then slots[slot] = tensor end
  end
  if next(slots) == nil and iterations == 0 then return end
  model:sync()
  model.optimizer:bind(model:entries())
  model.optimizer:load_state{ iterations = iterations, slots = slots }
  for slot in pairs(slots) do tensors["optimizer/" .. slot] = nil end
end

local function compile(model, description)
  if type(description.metrics) ~= "table" then refuse("metadata \"compile\" is malformed") end
  model:compile{ optimizer = require("marea.optim").get(description.optimizer),
    loss = description.loss, metrics = description.metrics, loss_weights = description.loss_weights }
end

local function restore_text(model, texts)
  if not texts.tokenizer then return end
  model.tokenizer = require("marea.text.reading").from_config(decode(texts, "tokenizer"))
  local reading = texts.text and decode(texts, "text") or {}
  model.maxlen, model.padding, model.truncating = reading.maxlen, reading.padding, reading.truncating
end

local function restore_extra(model, texts)
  if not texts.extra then return end
  model.extra = decode(texts, "extra")
  for name, value in pairs(model.extra) do
    if type(name) ~= "string" or type(value) ~= "string" then
      refuse("metadata \"extra\" must hold texts by name")
    end
  end
end

local function check_leftovers(tensors, compiled)
  for name in pairs(tensors) do
    if compiled or not name:find("^optimizer/") then
      refuse("tensor %q belongs to nothing in the architecture", name)
    end
  end
end

local function restore(tensors, texts)
  if texts.format ~= FORMAT then
    refuse("is not a model of this library (format %s, expected %q)", options.show(texts.format), FORMAT)
  end
  if not texts.architecture then refuse("has no architecture") end
  local description = decode(texts, "architecture")
  local class = type(description.class_name) == "string" and registry.find(description.class_name)
  if class and not class.fit then
    refuse("holds a %s, expected a Sequential or another model", description.class_name)
  end
  local seed, streams = ops.seed_state()
  local model = registry.load(description)
  build_from(model, description.input_shape, tensors)
  ops.set_seed_state(seed, streams)
  restore_text(model, texts)
  restore_extra(model, texts)
  if texts.compile then compile(model, decode(texts, "compile")) end
  if texts.training then
    local training = decode(texts, "training")
    restore_training(model, training)
    restore_states(model, tensors)
    if texts.callbacks then restore_callbacks(model, decode(texts, "callbacks"), tensors) end
    if texts.compile then restore_optimizer(model, training.iterations, tensors) end
  end
  check_leftovers(tensors, texts.compile ~= nil)
  return model
end

--- The model of a file that model:save wrote; training can go on with
-- `fit(x, y, { initial_epoch = model.epoch, epochs = … })`.
-- @tparam string path
-- @treturn Sequential|Model|nil the model, or nil and a message when the file is missing or broken, or
-- holds a layer class that is not known here
function checkpoint.load(path)
  if type(path) ~= "string" then error("load: path must be a string, got " .. options.show(path), 0) end
  local tensors, texts = ops.load_tensors(path)
  if not tensors then return nil, texts end
  local ok, model = pcall(restore, tensors, texts)
  if not ok then return nil, ("%s: %s"):format(path, tostring(model)) end
  return model
end

--- Weights from a file of save_weights or save into a built model of the same names and shapes.
-- @treturn boolean|nil true, or nil and a message; then nothing has changed
function checkpoint.load_weights(model, path)
  require_built(model, "load_weights")
  local tensors, message = ops.load_tensors(path)
  if not tensors then return nil, message end
  local list = {}
  local ok, problem = pcall(function()
    for i, entry in ipairs(model:entries()) do
      list[i] = take(tensors, entry.path, entry.tensor:shape())
    end
  end)
  if not ok then return nil, ("%s: %s"):format(path, problem) end
  model:set_weights(list)
  return true
end

return checkpoint
