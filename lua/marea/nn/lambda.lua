--- Lambda: a Lua function as a layer.
local functions = require "marea.nn.functions"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

--- f(x, call) of the input, or of a list of inputs. A model with it can be saved when `f` is a
-- registered function or its name. `mask` says what becomes of a mask: "refuse" (the default), "pass"
-- (each step by itself), "consume" (f uses `call.mask`). `stepwise = true` says that `f` gives for each
-- step what it would give for that step alone, which streams, states as values and tbptt need to know.
-- @usage nn.register_function("double", function(x) return x * 2 end)
--   nn.Lambda{ "double", mask = "pass" }
local Lambda = Layer:extend("Lambda", {
  builtin = true,
  positional = { "f" },
  takes_list = true,
  masking = "refuse",
  mask_hint = 'say mask = "pass" if f treats each step by itself, or "consume" if it uses call.mask',
  options = { f = options.required, mask = options.optional, stepwise = false,
    version = options.optional },
})

function Lambda:init()
  options.boolean("Lambda", "stepwise", self.stepwise)
  if self.mask ~= nil then
    self.masking = options.choice("Lambda", "mask", self.mask, { "refuse", "pass", "consume" })
  end
  if type(self.f) == "string" then
    self.run, self.version = functions.find("Lambda", self.f, self.version)
  elseif type(self.f) == "function" then
    self.run, self.f = self.f, functions.name_of(self.f) or self.f
    if type(self.f) == "string" then
      local _
      _, self.version = functions.find("Lambda", self.f)
    end
  else
    error("Lambda: f must be a function or the name of a registered one, got " .. options.show(self.f), 0)
  end
end

function Lambda:call(x, call)
  local results = table.pack(self.run(x, call))
  while results.n > 1 and results[results.n] == nil do results.n = results.n - 1 end
  for i = 1, math.max(results.n, 1) do
    if not ops.is_tensor(results[i]) then
      self:fail("f must return a tensor, result %d is %s", i, options.show(results[i]))
    end
  end
  return table.unpack(results, 1, results.n)
end

-- Several inputs with the mask "pass": as layers that merge do.
function Lambda:compute_mask(x, mask)
  if self.masking ~= "pass" then return nil end
  if type(mask) == "table" then return require("marea.nn.masks").any(x, mask) end
  return mask
end

function Lambda:get_config()
  if type(self.f) == "function" then
    self:fail("f is a function without a name, which a file cannot hold; "
      .. 'nn.register_function("name", f) and give nn.Lambda{ "name" }, or make a class with '
      .. "nn.Layer:extend")
  end
  return Layer.get_config(self)
end

return Lambda
