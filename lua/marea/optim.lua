--- Optimizers with Keras's rules, names and defaults, and PyTorch's by `compat = "pytorch"`.
--
--     local optimizer = optim.Adam{ learning_rate = 1e-3, clipnorm = 1 }
--     optimizer:build(model)                     -- a layer, a model, or its parameters
--     ...
--     tape:backward(loss)
--     local norm, clipped_norm = optimizer:step()
--
-- A step clips, decays the weights, applies the rule, moves the averages and then applies the
-- weights' constraints. Weights that backward did not reach are left alone.
--
-- Options of every optimizer, beside those of its rule:
--
-- - `learning_rate`: a number, a schedule of `optim.schedules` or a function of the step;
-- - at most one of `clipnorm` (each gradient by itself), `global_clipnorm` (all by one factor) and
--   `clipvalue` (each element);
-- - `weight_decay`: w shrinks by rate · weight_decay before the rule; `exclude_from_weight_decay`
--   lists parts of the names of weights that do not: { "bias", "embedding" };
-- - `lazy`: rows of an embedding that were not looked up stay as they are. Without it the result is
--   exactly that of a dense gradient, where Adam for one moves every row at every step;
-- - `use_ema`, `ema_momentum` (0.99), `ema_overwrite_frequency`: a moving average of the weights;
-- - `loss_scale_factor`: what the loss was multiplied by, or how many batches were accumulated;
-- - `check_finite` (true): a NaN or infinity in a gradient is an error that names the weight;
-- - `compat`: "keras3" or "pytorch": formulas and defaults.
-- @module marea.optim
local native = require "marea.native"
local options = require "marea.nn.options"
local schedules = require "marea.optim.schedules"

local optim = { schedules = schedules }

-- rule → its own options
local rules = {
  SGD = { "momentum", "nesterov" },
  RMSprop = { "rho", "momentum", "epsilon", "centered" },
  Adam = { "beta_1", "beta_2", "epsilon", "amsgrad" },
  AdamW = { "beta_1", "beta_2", "epsilon", "amsgrad" },
  Adagrad = { "initial_accumulator_value", "epsilon" },
  Adadelta = { "rho", "epsilon" },
  Adamax = { "beta_1", "beta_2", "epsilon" },
  Nadam = { "beta_1", "beta_2", "epsilon" },
  Lion = { "beta_1", "beta_2" },
}

local Optimizer = {}

-- What is asked for most is a field to the script and a function here.
local fields = {
  learning_rate = function(self)
    if self.schedule then return self.schedule(self.native:iterations()) end
    return self.rate
  end,
  iterations = function(self) return self.native:iterations() end,
}

local function fail(self, message, ...)
  error(("%s: %s"):format(self.class_name, message:format(...)), 0)
end

local function set_learning_rate(self, value)
  local number = tonumber(value)
  if number then
    self.native:rate(number)
    rawset(self, "schedule", nil)
    rawset(self, "rate", number)
    return
  end
  if value == nil or type(value) == "string" then
    fail(self, "learning_rate must be a number or a schedule, got %s", options.show(value))
  end
  rawset(self, "schedule", schedules.get(value))
end

local metatable = {
  __index = function(self, key)
    local field = fields[key]
    if field then return field(self) end
    return Optimizer[key]
  end,
  __newindex = function(self, key, value)
    if key == "learning_rate" then
      set_learning_rate(self, value)
    elseif key == "iterations" then
      self.native:iterations(value)
    else
      rawset(self, key, value)
    end
  end,
  __tostring = function(self)
    return ("%s{ learning_rate = %g }"):format(self.class_name, self.learning_rate)
  end,
}

-- Making --------------------------------------------------------------------------------------

local function declared_options(name, pytorch)
  local defaults = native.optimizer_defaults(name, pytorch)
  local declared = {
    learning_rate = defaults.learning_rate, weight_decay = defaults.weight_decay,
    clipnorm = options.optional, clipvalue = options.optional, global_clipnorm = options.optional,
    use_ema = false, ema_momentum = defaults.ema_momentum,
    ema_overwrite_frequency = options.optional, loss_scale_factor = options.optional,
    lazy = false, check_finite = true, compat = "keras3", name = options.optional,
    exclude_from_weight_decay = options.optional,
  }
  for _, option in ipairs(rules[name]) do declared[option] = defaults[option] end
  return declared
end

local function native_options(config)
  local given = {}
  for key, value in pairs(config) do
    if type(value) == "number" or type(value) == "boolean" then given[key] = value end
  end
  given.allow_nonfinite = not config.check_finite
  return given
end

local function check_options(self)
  local config, name = self.config, self.class_name
  for _, option in ipairs{ "clipnorm", "clipvalue", "global_clipnorm" } do
    local value = config[option]
    if value ~= nil and not (type(value) == "number" and value > 0) then
      fail(self, "%s must be a number above 0, got %s", option, options.show(value))
    end
  end
  if config.ema_overwrite_frequency ~= nil then
    options.integer(name, "ema_overwrite_frequency", config.ema_overwrite_frequency)
  end
  for option, value in pairs(declared_options(name, config.compat == "pytorch")) do
    if type(value) == "boolean" then options.boolean(name, option, config[option]) end
    if type(value) == "number" and option ~= "learning_rate" then
      options.number(name, option, config[option])
    end
  end
end

local function compat_of(name, given)
  local compat = type(given) == "table" and given.compat or "keras3"
  return options.choice(name, "compat", compat, { "keras3", "pytorch" })
end

local function new(name, given)
  local pytorch = compat_of(name, given) == "pytorch"
  local config = options.read(name, given, declared_options(name, pytorch), { "learning_rate" })
  local self = setmetatable({ class_name = name, config = config, tensors = {}, constrained = {} },
    metatable)
  check_options(self)
  local ok, made = pcall(native.optimizer, name, native_options(config), pytorch)
  if not ok then fail(self, "%s", made) end
  rawset(self, "native", made)
  self.learning_rate = config.learning_rate
  return self
end

-- Each takes a table of options, `learning_rate` first. Formulas: core/train/rules_*.c.

--- w -= rate g; with `momentum` 0, `nesterov` false. Rate 0.01. @function SGD
--- Divides by the root of a running mean of g² (`rho` 0.9; Hinton, 2012); `momentum` 0, `epsilon`
-- 1e-7, `centered` false. Rate 0.001. @function RMSprop
--- Running means of g and g² (Kingma and Ba, 2014): `beta_1` 0.9, `beta_2` 0.999, `epsilon` 1e-7,
-- `amsgrad` false. Rate 0.001. @function Adam
--- Adam with `weight_decay` 0.004 apart from the gradient (Loshchilov and Hutter, 2017).
-- @function AdamW
--- Divides by the root of the sum of g² (Duchi et al., 2011); `initial_accumulator_value` 0.1,
-- `epsilon` 1e-7. Rate 0.001. @function Adagrad
--- Steps in the units of the weights (Zeiler, 2012); `rho` 0.95, `epsilon` 1e-7. Rate 0.001.
-- @function Adadelta
--- Adam with the largest |g| (Kingma and Ba, 2014, section 7). Rate 0.001. @function Adamax
--- Adam with Nesterov's momentum (Dozat, 2016). Rate 0.001. @function Nadam
--- The sign of a running mean (Chen et al., 2023); `beta_1` 0.9, `beta_2` 0.99. Rate 0.001.
-- @function Lion
for name in pairs(rules) do
  optim[name] = function(given) return new(name, given) end
end

--- The optimizer meant by a name ("adam", without regard to case), an object, or a saved
-- description { class_name, config }.
-- @raise for an unknown name, with the list of names
function optim.get(given)
  if type(given) == "table" and getmetatable(given) == metatable then return given end
  local wanted, config = given, nil
  if type(given) == "table" then wanted, config = given.class_name, given.config end
  local names = {}
  for name in pairs(rules) do
    if type(wanted) == "string" and wanted:lower() == name:lower() then return new(name, config) end
    names[#names + 1] = name
  end
  table.sort(names)
  error(("optimizer must be an object or one of %s, got %s"):format(table.concat(names, ", "),
    options.show(wanted)), 0)
end

--- The same, under the name that every room has.
optim.deserialize = optim.get

--- The options that make an equal optimizer, as a table for JSON; the learning rate as it is now,
-- or its schedule. The state is not in it.
-- @raise when the learning rate is a function
function Optimizer:get_config()
  local config = {}
  for key, value in pairs(self.config) do config[key] = value end
  config.learning_rate = self.rate
  if self.schedule then
    if type(self.schedule) ~= "table" or not self.schedule.get_config then
      fail(self, "a learning rate that is a function cannot be saved; use one of optim.schedules")
    end
    config.learning_rate = { class_name = self.schedule.class_name,
      config = self.schedule:get_config() }
  end
  return config
end

-- Parameters ----------------------------------------------------------------------------------

-- A list of { path, tensor, constraint } from the forms that build takes.
local function entries_of(self, given)
  if type(given) ~= "table" then
    fail(self, "build expects a layer or its parameters, got %s", options.show(given))
  end
  local entries = rawget(given, "entries")
  if type(entries) == "table" then return entries end
  if type(given.entries) == "function" then return given:entries() end
  local list = {}
  for i, item in ipairs(given) do
    local tensor = native.is_tensor(item)
    list[i] = tensor and { path = "parameter_" .. i, tensor = item } or item
  end
  if #list > 0 then return list end
  for name, tensor in pairs(given) do list[#list + 1] = { path = name, tensor = tensor } end
  table.sort(list, function(a, b) return tostring(a.path) < tostring(b.path) end)
  return list
end

local function decays(self, name)
  for _, part in ipairs(self.config.exclude_from_weight_decay or {}) do
    if name:find(part, 1, true) then return false end
  end
  return true
end

--- Takes up the trainable weights of a list of { path, tensor, constraint }; those that it has
-- already stay with their state, so that calling it again after unfreezing a layer adds the rest.
function Optimizer:bind(entries)
  for _, entry in ipairs(entries) do
    local name, tensor = entry.path or entry.name, entry.tensor
    if type(name) ~= "string" or not native.is_tensor(tensor) then
      fail(self, "expected names and tensors, got %s", options.show(tensor))
    end
    local known = self.tensors[name]
    if known and not rawequal(known, tensor) then
      fail(self, "it trains another tensor called %q; make a new optimizer for a new model", name)
    end
    if tensor.requires_grad and not known then
      self.native:add(name, tensor, decays(self, name))
      self.tensors[name] = tensor
      if entry.constraint then table.insert(self.constrained, entry) end
    end
  end
  self.bound = next(self.tensors) ~= nil
  if self.pending and self.bound then
    local state = self.pending
    self.pending = nil
    self:load_state(state)
  end
end

--- Says which weights to train: a layer or model (whose weights may not exist yet: they are looked
-- up at the first step), `layer:parameters()`, a list of tensors, or a table name → tensor.
-- @treturn table the optimizer
function Optimizer:build(given)
  if type(given) == "table" and given.built == false and type(given.entries) == "function" then
    self.source = given
  else
    self:bind(entries_of(self, given))
    if not self.bound then fail(self, "build got no tensor that requires a gradient") end
  end
  return self
end

local function ready(self)
  if self.bound then return end
  if self.source then self:bind(self.source:entries()) end
  if not self.bound then
    fail(self, "it has no weights to train yet; call optimizer:build(model) first")
  end
end

--- Gives a weight a learning rate of its own: the optimizer's times a factor.
-- @tparam string name of the weight, such as "embedding/embeddings"
-- @tparam number factor >= 0
-- @raise when the optimizer does not train such a weight
function Optimizer:set_factor(name, factor)
  ready(self)
  self.native:factor(name, factor)
end

-- Steps ---------------------------------------------------------------------------------------

--- The norm of all fresh gradients together, before clipping.
-- @treturn number
function Optimizer:gradient_norm()
  ready(self)
  return self.native:gradient_norm()
end

-- The rate of this step, before it.
local function set_rate(self)
  ready(self)
  if not self.schedule then return end
  local rate = self.schedule(self.native:iterations())
  if type(rate) ~= "number" then fail(self, "the schedule gave %s", options.show(rate)) end
  self.native:rate(rate)
end

local function constrain(self)
  for _, entry in ipairs(self.constrained) do
    if entry.tensor.requires_grad then
      native.no_grad(function() entry.tensor:assign_(entry.constraint(entry.tensor)) end)
    end
  end
end

--- One step with the gradients that `tape:backward` left.
-- @treturn number the norm of all gradients together, before clipping
-- @treturn number and after
-- @raise when there is no fresh gradient, or a NaN or infinity in one (then no weight changes)
function Optimizer:step()
  set_rate(self)
  local before, after = self.native:step()
  constrain(self)
  return before, after
end

--- A step for a loop that handles NaN and infinity itself.
-- @treturn number the norm of all gradients together, before clipping
-- @treturn number|nil and after; nil when the first is NaN or infinite: then no weight changes
-- @raise when there is no fresh gradient
function Optimizer:try_step()
  set_rate(self)
  local before, after = self.native:try_step()
  if after then constrain(self) end
  return before, after
end

--- build(parameters), if need be, and step().
function Optimizer:apply(parameters)
  self:build(parameters)
  return self:step()
end

--- Exchanges the weights with their moving averages (`use_ema`): call it before evaluating with the
-- averages, and again before training goes on.
function Optimizer:swap_ema()
  ready(self)
  self.native:swap_average()
end

-- State ---------------------------------------------------------------------------------------

--- Everything that a later optimizer of the same options needs to go on as if never interrupted.
-- @treturn table `iterations`, `learning_rate` (unless there is a schedule) and `slots`, a table
-- name → tensor (copies) such as "dense/kernel/velocity"
function Optimizer:state()
  if self.pending then return self.pending end
  local slots = {}
  for name, tensor in pairs(self.native:slots()) do slots[name] = tensor:clone() end
  return { iterations = self.native:iterations(), learning_rate = not self.schedule and self.rate
    or nil, slots = slots }
end

local function shape_text(tensor)
  return "(" .. table.concat(tensor:shape(), ", ") .. ")"
end

-- Checks all before anything is changed.
local function check_state(self, own, state)
  if type(state) ~= "table" or type(state.slots) ~= "table"
    or math.type(state.iterations) ~= "integer" then
    fail(self, "a state holds iterations and slots")
  end
  for name, tensor in pairs(own) do
    local given = state.slots[name]
    if not native.is_tensor(given) then fail(self, "the state lacks %q", name) end
    if shape_text(given) ~= shape_text(tensor) then
      fail(self, "%q is %s in the state, expected %s", name, shape_text(given), shape_text(tensor))
    end
  end
  for name in pairs(state.slots) do
    if not own[name] then fail(self, "the state has %q, which this optimizer lacks", name) end
  end
end

--- Goes on from a state. Before `build`, the state is kept until there are weights.
-- @raise when names or shapes do not fit; nothing is changed then
function Optimizer:load_state(state)
  if not self.bound then
    if type(state) ~= "table" then check_state(self, {}, state) end
    self.pending = state
    return
  end
  local own = self.native:slots()
  check_state(self, own, state)
  for name, tensor in pairs(own) do tensor:assign_(state.slots[name]) end
  self.native:iterations(state.iterations)
  if type(state.learning_rate) == "number" and not self.schedule then
    self.learning_rate = state.learning_rate
  end
end

return optim
