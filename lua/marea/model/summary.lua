--- The table that model:summary() prints.
local weights = require "marea.nn.weights"

local function grouped(n)
  local text = tostring(n)
  local rest
  repeat
    text, rest = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until rest == 0
  return text
end

local function sizes_text(sizes)
  for i, size in ipairs(sizes) do sizes[i] = size < 0 and "any" or tostring(size) end
  sizes[1] = "batch"
  return weights.shape_text(sizes)
end

local function shape_text(layer)
  if not layer.built then return "?" end
  return sizes_text(layer:output_shape(layer.input_shape))
end

local function pad(text, width)
  return text .. (" "):rep(width - (utf8.len(text) or #text))
end

local function parameters_text(layer)
  local count, trainable = layer:count_params()
  local text = grouped(count)
  if trainable < count then text = text .. (" (%s trained)"):format(grouped(trainable)) end
  return text
end

local function row_of(layer)
  return { ("%s (%s)"):format(layer.name, layer.class_name), shape_text(layer), parameters_text(layer) }
end

local function sources_text(node)
  local names = {}
  for _, symbols in ipairs{ node.inputs, node.states or {} } do
    for _, symbol in ipairs(symbols) do
      local name = symbol.node.layer.name
      names[#names + 1] = symbol.index == 1 and name or ("%s[%d]"):format(name, symbol.index)
    end
  end
  return table.concat(names, ", ")
end

-- A row for each call; a layer that is called again has no parameters of its own.
local function graph_rows(graph)
  local rows, met = { { "Layer", "Output", "Parameters", "Connected to" } }, {}
  for _, node in ipairs(graph.nodes) do
    local layer = node.layer
    local shapes = {}
    for i, symbol in ipairs(node.outputs) do shapes[i] = sizes_text(symbol:shape()) end
    rows[#rows + 1] = { ("%s (%s)"):format(layer.name, layer.class_name), table.concat(shapes, ", "),
      met[layer] and "shared" or parameters_text(layer), sources_text(node) }
    met[layer] = true
  end
  return rows
end

local function table_rows(model)
  if model.graph then return graph_rows(model.graph) end
  local rows = { { "Layer", "Output", "Parameters" } }
  for _, layer in ipairs(model.layers) do rows[#rows + 1] = row_of(layer) end
  return rows
end

local function summary(model, write)
  local rows, widths = table_rows(model), {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, utf8.len(cell) or #cell) end
  end
  local total = 2 * #widths - 2
  for _, width in ipairs(widths) do total = total + width end
  write(("Model %q"):format(model.name))
  for i, row in ipairs(rows) do
    local cells = {}
    for k, cell in ipairs(row) do cells[k] = k < #row and pad(cell, widths[k]) or cell end
    write(table.concat(cells, "  "))
    if i == 1 then write(("-"):rep(total)) end
  end
  local count, trainable = model:count_params()
  write(("Parameters: %s, trained: %s, frozen: %s"):format(grouped(count), grouped(trainable),
    grouped(count - trainable)))
end

return summary
