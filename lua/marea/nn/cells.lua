--- Cells of nn.RNN that are made of others: a function as a layer, and cells on top of each other.
-- @module marea.nn.cells
local functions = require "marea.nn.functions"
local Layer = require "marea.nn.layer"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local registry = require "marea.nn.registry"

local cells = {}

--- A list of positive whole numbers from a number or a list.
-- @raise naming `who` and the option state_size
function cells.sizes(who, given)
  if given == nil then error(who .. ": state_size is needed, a number or a list of them", 0) end
  local list = type(given) == "table" and given or { given }
  if #list == 0 then
    error(who .. ": state_size is an empty list, expected one number or more", 0)
  end
  local sizes = {}
  for i, size in ipairs(list) do sizes[i] = options.integer(who, "state_size", size) end
  return sizes
end

--- Whether a value is a layer that can be a cell: it has step(self, x, state, call).
function cells.is_cell(value)
  return type(value) == "table" and type(value.step) == "function" and value.add_weight ~= nil
end

-- What a layer of the library does over whole sequences and cannot do step by step.
local whole = { dropout = 0, recurrent_dropout = 0, stateful = false, go_backwards = false,
  learn_initial_state = false }

--- A cell of the library, in a stack or by itself, that carries its first state on as it is given, so
-- that what is dropped there is lost; or nil.
function cells.carrying(cell)
  if not cell then return nil end
  if cell.cell and cell.update ~= nil then return cell end
  for _, inner in ipairs(cell.counts and cell.children or {}) do
    local found = cells.carrying(inner)
    if found then return found end
  end
end

--- Refuses a recurrent layer whose options need the whole sequence.
function cells.check(who, cell)
  for name, usual in pairs(whole) do
    if cell.cell and cell[name] ~= nil and cell[name] ~= usual then
      local taken = name ~= "recurrent_dropout" or not cells.carrying(cell)
      error(("%s: the cell %s has %s = %s, which belongs to whole sequences; %suse the layer without "
        .. "nn.RNN"):format(who, tostring(cell), name, tostring(cell[name]),
        taken and "give it to nn.RNN, or " or ""), 0)
    end
  end
end

--- Builds a cell for inputs (B, D).
function cells.build(cell, batch, features)
  cell:build(cell.cell and { batch, 1, features } or { batch, features })
end

--- The places of the first state of each cell: { 1 }, or several for a stack.
function cells.firsts(cell)
  local list, at = {}, 1
  for i, count in ipairs(cell and cell.counts or { 1 }) do
    list[i], at = at, at + count
  end
  return list
end

--- Features of a cell's output.
function cells.width(who, cell)
  return cell.output_size or cells.sizes(who, cell.state_size)[1]
end

--- A cell of the same options: functions as they are, layers with weights of their own.
function cells.copy(cell)
  if not cells.is_cell(cell) then return cell end
  if cell.copy_cell then return cell:copy_cell() end
  return registry.deserialize(registry.serialize(cell))
end

-- A function, or the name of a registered one, as a cell of a stack.
local FunctionCell = Layer:extend("FunctionCell", {
  builtin = true, positional = { "f" }, masking = "pass",
  options = { f = options.required, version = options.optional, state_size = options.required,
    output_size = options.optional },
})

function FunctionCell:init()
  if type(self.f) == "string" then
    self.run, self.version = functions.find("RNN", self.f, self.version)
  elseif type(self.f) == "function" then
    self.run, self.f = self.f, functions.name_of(self.f) or self.f
  else
    error("RNN: a cell of a stack must be a layer with a method step or { f, state_size = n }, got "
      .. options.show(self.f), 0)
  end
  cells.sizes("RNN", self.state_size)
end

function FunctionCell:step(x, state, call)
  return self.run(x, state, call)
end

function FunctionCell:copy_cell()
  return FunctionCell{ self.f, version = self.version, state_size = self.state_size,
    output_size = self.output_size, name = self.name }
end

--- Cells on top of each other: the output of one is the input of the next; the states are those of
-- all, from the first cell on. `cells`: layers with a method step, or { f, state_size = n, output_size = o }.
-- What nn.RNN{ cells = {…} } makes.
local StackedRNNCells = Layer:extend("StackedRNNCells", {
  builtin = true, positional = { "cells" }, masking = "pass",
  options = { cells = options.required },
})

function StackedRNNCells:init()
  if type(self.cells) ~= "table" or #self.cells == 0 then
    error("RNN: cells must be a list of one cell or more, got " .. options.show(self.cells), 0)
  end
  self.state_size, self.counts = {}, {}
  for i, cell in ipairs(self.cells) do
    if not cells.is_cell(cell) then
      cell = FunctionCell(type(cell) == "table" and cell or { cell, state_size = 0 })
    end
    cells.check("RNN", cell)
    local sizes = cells.sizes("RNN", cell.state_size)
    table.move(sizes, 1, #sizes, #self.state_size + 1, self.state_size)
    self.counts[i], self.children[i] = #sizes, cell
  end
  self.output_size = cells.width("RNN", self.children[#self.children])
end

function StackedRNNCells:build_weights(shape)
  local features = shape[2]
  for _, cell in ipairs(self.children) do
    cells.build(cell, shape[1], features)
    features = cells.width("RNN", cell)
  end
end

function StackedRNNCells:step(x, state, call)
  local after, at = {}, 0
  for i, cell in ipairs(self.children) do
    local own = table.move(state, at + 1, at + self.counts[i], 1, {})
    local fine, y, new = pcall(cell.step, cell, x, own, call)
    if not fine then
      if type(y) ~= "string" then error(y, 0) end
      return nil, nil, ("in cell %d of the stack: %s"):format(i, y)
    end
    if ops.is_tensor(new) then new = { new } end
    if not ops.is_tensor(y) or type(new) ~= "table" or #new ~= self.counts[i] then
      return nil, nil, ("cell %d of the stack returned %s and %s, expected a tensor and a list of %d"):
        format(i, options.show(y), type(new) == "table" and "a list of " .. #new or options.show(new),
        self.counts[i])
    end
    table.move(new, 1, #new, #after + 1, after)
    x, at = y, at + self.counts[i]
  end
  return x, after
end

function StackedRNNCells:copy_cell()
  local list = {}
  for i, cell in ipairs(self.children) do list[i] = cells.copy(cell) end
  return StackedRNNCells{ list, name = self.name, trainable = self.trainable }
end

function StackedRNNCells:get_config()
  local list = {}
  for i, cell in ipairs(self.children) do list[i] = registry.serialize(cell) end
  return { name = self.name, trainable = self.trainable, cells = list }
end

function StackedRNNCells.from_config(class, config)
  local list = {}
  for i, description in ipairs(config.cells or {}) do list[i] = registry.deserialize(description) end
  return class{ list, name = config.name, trainable = config.trainable }
end

cells.StackedRNNCells = StackedRNNCells

return cells
