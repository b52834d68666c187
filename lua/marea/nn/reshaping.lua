--- Layers that only move numbers: Flatten, Reshape, RepeatVector.
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"

local reshaping = {}

local function product(shape, first)
  local n = 1
  for i = first, #shape do
    if shape[i] < 0 then return -1 end
    n = n * shape[i]
  end
  return n
end

--- (B, T, E) → (B, T·E).
reshaping.Flatten = Layer:extend("Flatten", {
  builtin = true,
  mask_hint = "padded steps would count as data. Use GlobalAveragePooling1D or a recurrent layer, "
    .. "or mask_zero = false if padding is meant to count",
})

function reshaping.Flatten.call(_, x)
  local shape = x:shape()
  return x:reshape({ shape[1], product(shape, 2) })
end

function reshaping.Flatten.output_shape(_, shape)
  return { shape[1], product(shape, 2) }
end

--- Gives each sample the shape `target_shape`, without the batch axis.
reshaping.Reshape = Layer:extend("Reshape", {
  builtin = true,
  positional = { "target_shape" },
  options = { target_shape = options.required },
  mask_hint = "the time axis may be gone after it",
})

function reshaping.Reshape:init()
  if type(self.target_shape) ~= "table" then
    error("Reshape: target_shape must be a table of sizes, got " .. options.show(self.target_shape), 0)
  end
end

function reshaping.Reshape:call(x)
  return x:reshape({ x:size(1), table.unpack(self.target_shape) })
end

function reshaping.Reshape:output_shape(shape)
  return { shape[1], table.unpack(self.target_shape) }
end

--- (B, D) → (B, n, D): the same vector at n steps, as a decoder's input.
reshaping.RepeatVector = Layer:extend("RepeatVector", {
  builtin = true,
  positional = { "n" },
  options = { n = options.required },
})

function reshaping.RepeatVector:init()
  self.n = options.integer("RepeatVector", "n", self.n)
end

function reshaping.RepeatVector:call(x)
  local shape = self:expect(x, 2)
  local one = x:reshape({ shape[1], 1, shape[2] })
  return ops.broadcast(one, { shape[1], self.n, shape[2] })
end

function reshaping.RepeatVector:output_shape(shape)
  return { shape[1], self.n, shape[2] }
end

return reshaping
