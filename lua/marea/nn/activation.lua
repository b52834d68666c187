--- Layers that apply a function: Activation, Lambda.
local activations = require "marea.nn.activations"
local Layer = require "marea.nn.layer"
local options = require "marea.nn.options"

local room = {}

--- An activation by name as a layer of its own.
room.Activation = Layer:extend("Activation", {
  builtin = true,
  positional = { "activation" },
  masking = "pass",
  options = { activation = options.required },
})

function room.Activation:init()
  self.activate = activations.get(self.activation, "Activation")
end

function room.Activation:call(x)
  return self.activate(x)
end

function room.Activation.output_shape(_, shape)
  return shape
end

--- Any function of a tensor. It cannot be saved: a class made with nn.Layer:extend can.
room.Lambda = Layer:extend("Lambda", {
  builtin = true,
  positional = { "f" },
  options = { f = options.required },
  mask_hint = "make a class with nn.Layer:extend that declares masking",
})

function room.Lambda:init()
  if type(self.f) ~= "function" then
    error("Lambda: f must be a function, got " .. options.show(self.f), 0)
  end
end

function room.Lambda:call(x)
  return self.f(x)
end

return room
