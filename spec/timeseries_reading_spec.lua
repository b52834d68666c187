-- Series from CSV files: what is read, reported and refused.
local helper = require "spec.helper"
local marea = require "marea"
local timeseries = marea.timeseries

local function with_file(text, f)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, message = pcall(f, path)
  os.remove(path)
  if not ok then error(message, 0) end
end

local function read_text(text, given)
  local result
  with_file(text, function(path)
    given = given or {}
    given[1] = path
    result = table.pack(timeseries.read_csv(given))
    for i = 1, result.n do
      if type(result[i]) == "string" then
        result[i] = result[i]:gsub(path:gsub("%p", "%%%0"), "FILE")
      end
    end
  end)
  return table.unpack(result, 1, result.n)
end

describe("a CSV file with dates", function()
  it("is read whole, with its report", function()
    local series, report = read_text('Fecha,Ventas,Visitas\n2024-01,1.5,10\n2024-02,-2e1,"20"\n')
    assert.are.same({ "Ventas", "Visitas" }, series.names)
    assert.are.same({ { 1.5, 10 }, { -20, 20 } }, series.values:totable())
    assert.are.same({ 2, "month", 0 }, { report.rows, report.frequency, #report.gaps })
    series = read_text("v;fecha\n1.234,5;3 de enero de 2024\n2,5;4 de enero de 2024\n",
      { separator = ";", decimal = ",", date = "fecha" })
    assert.are.same({ { 1234.5 }, { 2.5 } }, series.values:totable())
    series = read_text("d,x\n2024-01-31,1\n2024-02,2\n")
    assert.are.same({ "2024-01-31", "2024-02-01" }, series.dates)
    series = read_text("1,2\n3,4\n", { header = false, date = false })
    assert.are.same({ { 1, 2 }, { 3, 4 } }, series.values:totable())
    assert.is_nil(series.dates)
    series = read_text("d,a,b\n03/02/2024,1,2\n04/02/2024,3,4\n", { date_format = "%d/%m/%Y",
      columns = { "b" }, period = 5, known = { "b" } })
    assert.are.same({ "2024-02-04", 5, true, 4 }, { series:date(2), series.period, series.known.b,
      series.values:get(2, 1) })
  end)

  it("reports holes and missing values with their lines, and leaves them", function()
    local series, report = read_text("d,x,y\n2024-01-01,1,1\n2024-01-02,NA,2\n\n2024-01-05,4,\n"
      .. "2024-01-06,5,4\n")
    assert.are.same({ { after = 2, line = 3, missing = 2, from = "2024-01-03", to = "2024-01-04" } },
      report.gaps)
    assert.are.same({ { row = 2, column = "x", date = "2024-01-02", line = 3 },
      { row = 3, column = "y", date = "2024-01-05", line = 5 } }, report.missing)
    local text = tostring(report)
    for _, part in ipairs{ "after line 3 2 rows are missing: 2024-01-03 … 2024-01-04",
      'line 5, column "y": missing (2024-01-05)' } do
      assert.is_truthy(text:find(part, 1, true), text)
    end
    assert.is_truthy(tostring(series):find("2 rows missing in holes, 2 values missing", 1, true))
    assert.fails("the series has holes: 2 rows are missing, the first 2024-01-03", timeseries.windows,
      series, { lookback = 1 })
    local regular = series:regular()
    assert.fails('6 values are missing, the first in column "x" at 2024-01-02', timeseries.windows,
      regular, { lookback = 1 })
  end)

  it("is refused with line and column", function()
    for _, case in ipairs{
      { "d,x\n2024-01,1\n2024-02,many\n", 'line 3, column "x": "many" is no number' },
      { "d,x\n2024-01,0x10\n", '"0x10" is no number' }, { "d,x\n2024-01,1e999\n", "too large" },
      { "d,x\n2024-01,1\nsoon,2\n", 'line 3: date "soon": is no date' },
      { "d,x\n2024-02,1\n2024-01,2\n", "line 3: 2024-01 comes before 2024-02 of line 2: the dates are "
        .. "not sorted; sort = true" },
      { "d,x\n2024-01,1\n2024-02,2\n2024-02,3\n", "lines 3, 4: the date 2024-02 is there 2 times" },
      { "d,x\n", "has no rows" }, { "", "is empty" }, { "d\n2024-01\n", "no column of numbers" },
      { "d,x\n2024-01,1,2\n", "line 2" },
      { "d,x\n2024-01,1\n", "there is no column string \"z\"; there are d, x", { columns = { "z" } } },
      { "d,x\n2024-01-01,1\n2024-01-02,1\n", "line 3: 2024-01-02 is no whole number of steps (week)",
        { frequency = "week" } },
      { "d,x\n31/12/2024,1\n", "date_format" } } do
      local series, message = read_text(case[1], case[3])
      assert.is_nil(series, case[2])
      assert.is_truthy(message:find(case[2], 1, true), message)
      assert.is_truthy(message:find("FILE", 1, true), message)
    end
    local nothing, message = timeseries.read_csv("/nowhere.csv")
    assert.is_nil(nothing)
    assert.is_truthy(message:find("/nowhere.csv", 1, true))
    assert.fails("path must be a string", timeseries.read_csv, { 3 })
    assert.fails("duplicates must be one of", timeseries.read_csv, { "x", duplicates = "all" })
    assert.fails("unknown option", timeseries.read_csv, { "x", colour = 1 })
  end)

  it("has a name for each column, in a header line", function()
    local function refused(text, given, ...)
      local series, message = read_text(text, given)
      assert.is_nil(series, text)
      for _, part in ipairs{ "FILE", ... } do
        assert.is_truthy(message:find(part, 1, true), message)
      end
    end
    local twins = "d,x,y,x\n2024-01,1,2,3\n2024-02,4,5,6\n"
    for _, given in ipairs{ {}, { columns = { 2, 4 } }, { columns = { "x" } }, { date = "x" } } do
      refused(twins, given, 'line 1: the columns 2 and 4 are both called "x"', "rename", "columns = {")
    end
    assert.are.same({ 3, 6 }, (read_text(twins, { columns = { 4 } })):column("x"))
    assert.are.same({ "y" }, (read_text(twins, { columns = "y" })).names)
    refused(twins, { columns = { "y", 3 } }, 'columns has "y" (column 3) twice')
    refused("d,x, \n2024-01,1,2\n", {}, "line 1: column 3 has no name", "columns = {")
    assert.are.same({ "column_3" }, (read_text("d,x, \n2024-01,1,2\n", { columns = { 3 } })).names)
    assert.are.same({ "x" }, (read_text(",x\n2024-01,1\n")).names) -- the date's needs none
    -- Without a header line the first row must not be lost.
    for text, given in pairs{ ["1949-01,112\n1949-02,118\n"] = {}, ["1949-01,NA\n1949-02,1\n"] = {},
      ["112,1949-01\n118,1949-02\n"] = { date = 2 }, ["1,2\n3,4\n"] = { date = false },
      ['1949-01,"1,5"\n1949-02,2\n'] = { decimal = "," } } do
      refused(text, given, "line 1", "are no names of columns", "header = false")
    end
    local series = read_text("1949-01,112\n1949-02,118\n", { header = false })
    assert.are.same({ { 112, 118 }, "1949-01" }, { series:column(1), series:date(1) })
    series = read_text("d,1949,1950\n2024-01,1,2\n")
    assert.are.same({ "1949", "1950" }, series.names)
    series = read_text("0,1\n5,2\n", { date = false, header = true })
    assert.are.same({ "0", "1" }, series.names)
  end)

  it("with a decimal comma has points between groups of three digits, or is refused", function()
    local function read(cell)
      local series, message = read_text("d;x\n2024-01;" .. cell .. "\n", { separator = ";",
        decimal = "," })
      return series and series:column(1)[1], message
    end
    for cell, value in pairs{ ["1.500"] = 1500, ["-1.234.567,25"] = -1234567.25, ["12345,5"] = 12345.5,
      ["+0,5"] = 0.5, [",5"] = 0.5, ["1,5e2"] = 150, ["100"] = 100 } do
      assert.are.equal(value, (read(cell)), cell)
    end
    for _, cell in ipairs{ "1.5", "1.2.3.4", "0.123", "1234.567", "1.234.56", ".500", "1.", "1..000",
      "1,234.5", "1,5,5", "1.500.", "1.500e2.000" } do
      local value, message = read(cell)
      assert.is_nil(value, cell)
      assert.is_truthy(message:find('line 2, column "x": "' .. cell .. '" is no number', 1, true),
        message)
      assert.are.equal(cell:find(".", 1, true) ~= nil, message:find("groups of three", 1, true) ~= nil)
    end
  end)

  it("is not read with options that make no sense", function()
    for part, given in pairs{ ["columns must be a list of names or numbers"] = { columns = {} },
      ["got boolean true"] = { columns = true },
      ["a column must be a name or a whole number, got number 1.5"] = { columns = { 1.5 } },
      ["date must be the name or number of a column, or false"] = { date = true },
      ["date_format must be a string, got number 3"] = { date_format = 3 },
      ["missing must be a table, got string \"NA\""] = { missing = "NA" },
      ["known must be a table"] = { known = true }, ["header must be true or false"] = { header = 1 },
      ["period must be a positive whole number"] = { period = 0 } } do
      given[1] = "x.csv"
      assert.fails(part, timeseries.read_csv, given)
    end
  end)

  it("has months that end", function()
    local text = "d,x\n2020-01-31,1\n2020-02-29,2\n2020-03-31,4\n2020-05-31,8\n"
    for _, given in ipairs{ {}, { frequency = "month" } } do
      local series, report = read_text(text, given)
      assert.are.same({ "month", "2020-06-30" }, { report.frequency, series:date(5) })
      assert.are.equal("2020-04-30", report.gaps[1].from)
    end
    local _, message = read_text(text, { frequency = "quarter" })
    assert.is_truthy(message:find("line 3: 2020-02-29 is no whole number of steps (quarter)", 1, true))
  end)

  it("is put in order and joined only on demand", function()
    local text = "d,x\n2024-03,5\n2024-01,1\n2024-02,2\n2024-02,4\n"
    local series, report = read_text(text, { sort = true, duplicates = "mean" })
    assert.are.same({ { 1 }, { 3 }, { 5 } }, series.values:totable())
    assert.are.same({ 1, { date = "2024-02", lines = { 4, 5 } } }, { report.out_of_order,
      report.duplicates[1] })
    assert.is_truthy(tostring(report):find("2024-02 is there 2 times (lines 4, 5)", 1, true))
    for how, value in pairs{ first = 2, last = 4, sum = 6 } do
      series = read_text(text, { sort = true, duplicates = how })
      assert.are.equal(value, series.values:get(2, 1))
    end
  end)
end)

describe("the collection's series", function()
  local folder = helper.data_folder()
  for name, expected in pairs{
    ["airline-passengers.csv"] = "series of 144 rows, 1949-01 … 1960-12 (month, season of 12): Passengers",
    ["daily-min-temperatures.csv"] = "series of 3650 rows, 1981-01-01 … 1990-12-31 (day, season of 7): "
      .. "Temp; 2 rows missing in holes",
    ["monthly-sunspots.csv"] = "series of 2820 rows, 1749-01 … 1983-12 (month, season of 12): Sunspots",
    ["shampoo.csv"] = "series of 36 rows, 1-01 … 3-12 (month, season of 12): Sales",
    ["ETTh1.csv.gz"] = "series of 17420 rows, 2016-07-01 00:00 … 2018-06-26 19:00 (hour, season of 24): "
      .. "HUFL, HULL, MUFL, MULL, LUFL, LULL, OT" } do
    it("are read: " .. name, function()
      if not folder then return pending("needs the data collection") end
      local series = assert(timeseries.read_csv(folder .. "/time-series/" .. name))
      assert.are.equal(expected, tostring(series))
    end)
  end
end)
