--- Marea: sequence models in Lua on a C core.
--
--     local marea = require "marea"
--     local x = marea.tensor{ { 1, 2 }, { 3, 4 } }
--     print(x:matmul(x))
--
-- Parts (marea.nn, marea.text …) are loaded when they are first used.
-- @module marea
local native = require "marea.native"
require "marea.display"

local marea = { _VERSION = "Marea " .. native.version, precision = native.precision }

--- A tensor from a number or a (nested) list of numbers.
-- @function tensor
-- @tparam table|number values rows must be equally long
-- @tparam[opt] table options `dtype`: "real" (default) or "int32"
-- @treturn tensor
-- @raise naming the element (1-based) that does not fit
marea.tensor = native.tensor

--- Tensors of zeros, ones, one value. `shape` is a table; options as in `tensor`.
-- @function zeros
marea.zeros, marea.ones, marea.full = native.zeros, native.ones, native.full

--- first, first + step, … up to and including last.
-- @function arange
marea.arange = native.arange

--- Starts all random numbers anew: initial weights, dropout, shuffling, sampling.
-- @function manual_seed
-- @tparam integer seed
function marea.manual_seed(seed)
  native.manual_seed(seed)
  marea.stream = native.new_stream()
end

marea.stream = native.new_stream()

--- Uniform numbers in [0, 1) of a shape (a table), from the global stream.
function marea.rand(shape)
  return marea.stream:uniform(shape)
end

--- Normal numbers with mean 0 and deviation 1.
function marea.randn(shape)
  return marea.stream:normal(shape)
end

--- The number of threads; set it with an argument (1 to 256). Results do not depend on it.
-- @function threads
marea.threads = native.threads

--- A new tape: operations from now on are recorded until it is closed. With `{ retain_grad = false }`
-- results in between may stay without a gradient, which saves time where a recurrent layer reads word
-- vectors: equal words are then taken together. `fit`, `evaluate` and `predict` do so.
-- @usage local tape <close> = marea.tape()
-- @function tape
marea.tape = native.tape

--- no_grad(f, …): f's results, computed without recording.
-- @function no_grad
marea.no_grad = native.no_grad

--- Wall-clock seconds from an arbitrary start.
-- @function clock
marea.clock = native.clock

--- Memory outside Lua: { used, peak } in bytes, and how many allocations there were since the start.
-- `marea.memory("reset")` starts the peak anew.
-- @treturn table { used, peak, allocations }
function marea.memory(reset)
  local used, peak, allocations = native.memory(reset)
  return { used = used, peak = peak, allocations = allocations }
end

--- Joins tensors along an existing or a new axis.
marea.concat, marea.stack = native.concat, native.stack

--- a where condition is not 0, else b.
marea.where = native.where

--- A model of layers in a row; see marea.model.sequential. @function Sequential
--- A model with any number of inputs and outputs; see marea.model.functional. @function Model
--- Declares the shape of a sample; see marea.nn.input. @function Input
--- A saved model; nil and a message for a file that is missing or broken; see
-- marea.model.checkpoint. @function load @tparam string path
--- Compares gradients with differences; see marea.gradcheck. @function gradcheck

local parts = {
  nn = "marea.nn", optim = "marea.optim", losses = "marea.losses", metrics = "marea.metrics",
  callbacks = "marea.callbacks", chunks = "marea.chunks", cluster = "marea.cluster",
  neighbors = "marea.neighbors", diagnostics = "marea.diagnostics", text = "marea.text",
  sequence = "marea.sequence", corpora = "marea.corpora", json = "marea.json", embeddings = "marea.embeddings",
  decomposition = "marea.decomposition", manifold = "marea.manifold", plot = "marea.plot",
  timeseries = "marea.timeseries", interop = "marea.interop", generate = "marea.generate",
  builders = "marea.builders",
}
-- name → module and field
local functions = {
  Sequential = { "marea.model", "Sequential" }, Model = { "marea.model", "Model" }, load = { "marea.model", "load" },
  Input = { "marea.nn", "Input" }, gradcheck = { "marea.gradcheck" }, sparse = { "marea.sparse" },
}

return setmetatable(marea, {
  __index = function(_, name)
    local value
    if parts[name] then
      value = require(parts[name])
    elseif functions[name] then
      value = require(functions[name][1])
      if functions[name][2] then value = value[functions[name][2]] end
    end
    rawset(marea, name, value)
    return value
  end,
  __name = "marea",
  lazy = { parts, functions }, -- for completion in the REPL
})
