--- How the result of a rolling-origin evaluation is printed.
-- @module marea.timeseries.backtest_report
local report = { __name = "marea backtest" }
report.__index = report

local function text_of(value, form)
  return value and form:format(value) or "–"
end

-- Cells of a table, the first column to the left, the others to the right.
local function lay_out(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, utf8.len(cell)) end
  end
  for n, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local gap = (" "):rep(widths[i] - utf8.len(cell))
      cells[i] = i == 1 and cell .. gap or gap .. cell
    end
    lines[n] = "  " .. table.concat(cells, "  "):gsub("%s+$", "")
  end
  return lines
end

local function head(result)
  local first, last = result.origins[1], result.origins[#result.origins]
  local fitted = result.refit == true and "fitted at each" or not result.refit and "fitted at the first"
    or ("fitted at each %d origins"):format(result.refit)
  return ("%d origin%s, rows %d to %d, horizon %d; %s window, %s"):format(#result.origins,
    #result.origins == 1 and "" or "s", first, last, result.horizon, result.window, fitted)
end

-- Error by horizon in a few columns: first, last and what lies between.
local function shown_steps(h)
  if h < 2 then return {} end
  local list, seen = {}, {}
  for k = 0, 4 do
    local step = 1 + (h - 1) * k // 4
    if not seen[step] then list[#list + 1], seen[step] = step, true end
  end
  return list
end

function report.__tostring(result)
  local title = { "", "RMSE", "MAE", "MAPE %", "sMAPE %", "MASE", "skill" }
  if result.level then
    title[#title + 1] = ("covers (%g %%)"):format(100 * result.level)
    title[#title + 1] = "Winkler"
  end
  local steps = shown_steps(result.horizon)
  for _, step in ipairs(steps) do title[#title + 1] = "RMSE@" .. step end
  local rows, undefined = { title }, false
  for _, m in ipairs(result.models) do
    local row = { m.name, text_of(m.rmse, "%.4g"), text_of(m.mae, "%.4g"), text_of(m.mape, "%.2f"),
      text_of(m.smape, "%.2f"), text_of(m.mase, "%.3f"), text_of(m.skill, "%+.3f") }
    undefined = undefined or not (m.mape and m.mase and m.skill)
    if result.level then
      row[#row + 1] = ("%.1f"):format(100 * m.coverage)
      row[#row + 1] = ("%.4g"):format(m.winkler)
    end
    for _, step in ipairs(steps) do
      row[#row + 1] = ("%.4g"):format(m.by_horizon[step].rmse)
    end
    rows[#rows + 1] = row
  end
  local lines = lay_out(rows)
  table.insert(lines, 1, head(result))
  lines[#lines + 1] = ("  skill: 1 - RMSE / RMSE of %s"):format(result.reference.name)
  if undefined then
    lines[#lines + 1] = "  –: not defined (MAPE with an actual value of 0; MASE and skill with a series"
      .. " that repeats itself exactly)"
  end
  return table.concat(lines, "\n")
end

return report
