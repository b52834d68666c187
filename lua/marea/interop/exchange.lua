--- Weights under other names and in another layout: what the rooms of PyTorch and Keras share.
--
-- A plan is a list of parts, one for a layer:
-- `{ label, path, wanted = { foreign name → tensor }, optional = { foreign name → true }, take }`,
-- where `path` is the one that `map` takes, `wanted` holds the layer's weights as the other side
-- writes them, and `take(found)` turns tensors of those names and shapes into a list of { tensor of
-- the layer, new values }.
-- @module marea.interop.exchange
local files = require "marea.interop.files"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

local exchange = {}

--- Refuses what is no model or has no weights yet. One whose shape is declared gets them now.
function exchange.require_built(who, model)
  if type(model) ~= "table" or not model.walk or not model.entries then
    error(("%s: expected a model or a layer, got %s"):format(who, options.show(model)), 0)
  end
  if model.build_declared then model:build_declared() end
  if not model.built then
    error(("%s: %s has no weights yet; fit it, call it, or build(shape) it first"):format(who,
      tostring(model)), 0)
  end
end

--- The options of `load` and `save`: map ({}), format (by the path's ending), strict (true).
function exchange.read_options(who, given)
  local read = options.read(who, given, { map = options.optional, format = options.optional,
    strict = true })
  read.map = read.map or {}
  if type(read.map) ~= "table" then exchange.check_map(who, read.map) end
  options.boolean(who, "strict", read.strict)
  return read
end

--- Calls visit(layer, path) for the layers that hold weights of their own or for which `rules` has
-- an entry, in the model's order; paths as in `layer:walk`.
function exchange.each(model, rules, visit)
  local function go(layer, path)
    if rules[layer.class_name] or #layer.weight_list > 0 then return visit(layer, path) end
    for _, child in ipairs(layer.children) do
      go(child, path == "" and child.name or path .. "/" .. child.name)
    end
  end
  go(model, "")
end

--- Checks the option `map`: path of a layer → name on the other side.
function exchange.check_map(who, map, known)
  if type(map) ~= "table" then
    error(("%s: map must be a table { [\"our layer\"] = \"their name\" }, got %s"):format(who,
      options.show(map)), 0)
  end
  for path, name in pairs(map) do
    if type(path) ~= "string" or type(name) ~= "string" then
      error(("%s: map holds %s = %s, expected the names of a layer and of its counterpart"):format(
        who, options.show(path), options.show(name)), 0)
    end
    if not known[path] then
      local names = {}
      for each in pairs(known) do names[#names + 1] = each end
      table.sort(names)
      error(("%s: map names the layer %q, which is not there; the layers with weights are %s")
        :format(who, path, table.concat(names, ", ")), 0)
    end
  end
end

--- Writes the parts of a plan. Two of the same name are an error. Tensors that were computed
-- (plan.computed) may be on a tape; a file takes copies.
-- @treturn boolean|nil true, or nil and a message
function exchange.save(who, plan, path, format, texts)
  local tensors = {}
  for _, part in ipairs(plan) do
    for name, tensor in pairs(part.wanted) do
      if tensors[name] then
        error(("%s: %s gives a second %q; tell them apart with map"):format(who, part.label,
          name), 0)
      end
      tensors[name] = plan.computed and tensor:clone() or tensor
    end
  end
  return files.write(who, path, tensors, texts, format)
end

-- Moves what one part needs from the file's tensors to `found`; problems go to the lists. The
-- second result: whether a name is missing.
local function find(part, tensors, report)
  local found, whole, missing = {}, true, false
  local names = {}
  for name in pairs(part.wanted) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local tensor, wanted = tensors[name], weights.shape_text(part.wanted[name]:shape())
    tensors[name] = nil
    if not tensor then
      if not (part.optional and part.optional[name]) then
        whole, missing = false, true
        table.insert(report.missing, ("%s %s, for %s"):format(name, wanted, part.label))
      end
    elseif weights.shape_text(tensor:shape()) ~= wanted then
      whole = false
      table.insert(report.misfits, ("%s is %s, %s expects %s"):format(name,
        weights.shape_text(tensor:shape()), part.label, wanted))
    else
      found[name] = ops.as_real(tensor)
    end
  end
  return whole and found, missing
end

local function listed(what, list)
  if #list == 0 then return nil end
  local shown = table.move(list, 1, math.min(#list, 20), 1, {})
  if #list > 20 then shown[21] = ("and %d more"):format(#list - 20) end
  return what .. ": " .. table.concat(shown, "; ")
end

-- Names that are only different ones: a second model in one process has lstm_1, dense_1.
local function map_hint(example, report)
  if not example or #report.unexpected == 0 then return nil end
  return ("if only the names differ, give the file's: map = { [%q] = \"…\" }"):format(example)
end

local function complaint(who, path, report, example)
  local parts = { listed("missing", report.missing) }
  parts[#parts + 1] = listed("of another shape", report.misfits)
  parts[#parts + 1] = listed("unexpected", report.unexpected)
  parts[#parts + 1] = map_hint(example, report)
  return ("%s: %q does not fit the model; %s"):format(who, path, table.concat(parts, ". "))
end

--- Fills the layers of a plan from tensors of a file. Nothing changes unless everything fits; with
-- strict = false whatever fits is taken, layer by layer, and one layer must.
-- @tparam table tensors name → tensor; emptied
-- @treturn table|nil { loaded (layers), missing, misfits, unexpected (lists of texts) }, or nil and
-- a message that lists them
function exchange.load(who, plan, tensors, path, strict)
  local report = { loaded = 0, missing = {}, misfits = {}, unexpected = {}, notes = plan.notes }
  local changes, strange = {}, nil
  for _, part in ipairs(plan) do
    local found, missing = find(part, tensors, report)
    if missing then strange = strange or part.path end
    if found then
      report.loaded = report.loaded + 1
      local own, message = part.take(found)
      if not own then return nil, ("%s: %q: %s"):format(who, path, message) end
      table.move(own, 1, #own, #changes + 1, changes)
    end
  end
  for name in pairs(tensors) do table.insert(report.unexpected, name) end
  table.sort(report.unexpected)
  local clean = #report.missing + #report.misfits + #report.unexpected == 0
  if not clean and (strict or report.loaded == 0) then
    return nil, complaint(who, path, report, strange)
  end
  for _, change in ipairs(changes) do change[1]:assign_(change[2]) end
  return report
end

return exchange
