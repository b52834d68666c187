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

local function shape_text(layer)
  if not layer.built then return "?" end
  local sizes = layer:output_shape(layer.input_shape)
  for i, size in ipairs(sizes) do sizes[i] = size < 0 and "any" or tostring(size) end
  sizes[1] = "batch"
  return weights.shape_text(sizes)
end

local function pad(text, width)
  return text .. (" "):rep(width - (utf8.len(text) or #text))
end

local function summary(model, write)
  local rows, widths = { { "Layer", "Output", "Parameters" } }, { 0, 0, 0 }
  for _, layer in ipairs(model.layers) do
    local count, trainable = layer:count_params()
    local text = grouped(count)
    if trainable < count then text = text .. (" (%s trained)"):format(grouped(trainable)) end
    rows[#rows + 1] = { ("%s (%s)"):format(layer.name, layer.class_name), shape_text(layer), text }
  end
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i], utf8.len(cell) or #cell) end
  end
  write(("Model %q"):format(model.name))
  for i, row in ipairs(rows) do
    write((pad(row[1], widths[1]) .. "  " .. pad(row[2], widths[2]) .. "  " .. row[3]))
    if i == 1 then write(("-"):rep(widths[1] + widths[2] + widths[3] + 4)) end
  end
  local count, trainable = model:count_params()
  write(("Parameters: %s, trained: %s, frozen: %s"):format(grouped(count), grouped(trainable),
    grouped(count - trainable)))
end

return summary
