-- Readers of lines, tables, folders and sentences: what they accept, and what is wrong where.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local corpora = marea.corpora

local paths = {}

local function file_with(content)
  local path = os.tmpname()
  paths[#paths + 1] = path
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  return path
end

-- A gzip file of "uno\ndos\n": header, deflated bytes, checksum and length.
local GZIP = "\x1f\x8b\x08\0\0\0\0\0\0\3" .. "\x2b\xcd\xcb\xe7\x4a\xc9\x2f\xe6\x02\0"
  .. "\x69\xfd\x01\xfa\8\0\0\0"

local function collect(reader)
  local list = {}
  for value in reader do list[#list + 1] = value end
  return list
end

local function has(message, ...)
  for _, part in ipairs{ ... } do assert.is_truthy(message:find(part, 1, true), message) end
end

after_each(function()
  for _, path in ipairs(paths) do os.remove(path) end
  paths = {}
end)

describe("lines", function()
  local cases = {
    ["LF"] = { "uno\ndos\n", { "uno", "dos" } },
    ["CR LF"] = { "uno\r\ndos\r\n", { "uno", "dos" } },
    ["no line end at the end"] = { "uno\ndos", { "uno", "dos" } },
    ["empty lines"] = { "\n\nuno\n\n", { "", "", "uno", "" } },
    ["CR inside"] = { "u\rno\n\r\r\n", { "u\rno", "\r" } },
    ["NUL bytes"] = { "a\0b\n\0\n", { "a\0b", "\0" } },
    ["a byte order mark"] = { "\xef\xbb\xbfñandú\n\xef\xbb\xbfx", { "ñandú", "\xef\xbb\xbfx" } },
    ["a cut byte order mark"] = { "\xef\xbb", { "\xef\xbb" } },
    ["nothing"] = { "", {} },
    ["one byte"] = { "\x1f", { "\x1f" } },
    ["gzip"] = { GZIP, { "uno", "dos" } },
    ["gzip of two members"] = { GZIP .. GZIP, { "uno", "dos", "uno", "dos" } },
  }
  for name, case in pairs(cases) do
    it("take " .. name, function()
      local path = file_with(case[1])
      assert.are.same(case[2], collect(assert(corpora.lines(path))))
      local list = {}
      for batch in assert(corpora.lines(path)):batches(3) do
        table.move(batch, 1, #batch, #list + 1, list)
      end
      assert.are.same(case[2], list)
    end)
  end

  it("start again in each loop, also after closing and a break", function()
    local reader = assert(corpora.lines(file_with("uno\ndos\ntres\n")))
    assert.are.equal("uno", reader:next())
    assert.are.same({ "uno", "dos", "tres" }, collect(reader))
    assert.is_nil(reader:next())
    local first = reader(nil, nil) -- as a for begins
    assert.are.equal("uno", first)
    reader:close()
    reader:close()
    assert.fails("the reader is closed", reader.next, reader)
    assert.fails("the reader is closed", reader.progress, reader)
    assert.are.same({ "uno", "dos", "tres" }, collect(reader))
    assert.are.equal(3, reader:number())
    do
      local closing <close> = assert(reader:restart())
      assert.are.equal("uno", closing:next())
    end
    assert.fails("the reader is closed", reader.next, reader)
  end)

  it("are closed by a for that opened them", function()
    helper.leak_check(function()
      local path, count = file_with("uno\ndos\n"), 0
      for _ in assert(corpora.lines(path)) do
        count = count + 1
        if count == 1 then break end
      end
    end)
  end)

  it("tell to the byte how far they are", function()
    local reader = assert(corpora.lines(file_with("uno\r\nñu\n\nx")))
    local places = {}
    assert.are.same({ 0, 11 }, { reader:progress() })
    for _ in reader do places[#places + 1] = reader:progress() end
    assert.are.same({ 5, 9, 10, 11 }, places)
    reader = assert(corpora.lines(file_with(GZIP)))
    collect(reader)
    assert.are.same({ #GZIP, #GZIP }, { reader:progress() })
  end)

  it("come in batches of about the wanted size", function()
    local path = file_with(("nueve..\r\n"):rep(1000))
    local sizes = {}
    for batch in assert(corpora.lines(path)):batches(80) do sizes[#sizes + 1] = #batch end
    assert.are.equal(100, #sizes)
    for _, size in ipairs(sizes) do assert.are.equal(10, size) end
    assert.fails("bytes must be a positive whole number", function()
      corpora.lines(path):batches(0)
    end)
  end)

  it("may be long, up to a limit that can be set", function()
    local long = ("x"):rep(5 * 1024 * 1024)
    local path = file_with("uno\n" .. long .. "\n" .. long)
    local lengths = {}
    for line in assert(corpora.lines(path)) do lengths[#lengths + 1] = #line end
    assert.are.same({ 3, #long, #long }, lengths)
    assert.are.equal(3, #collect(assert(corpora.lines(path, { longest = #long }))))
    local reader = assert(corpora.lines(path, { longest = #long - 1 }))
    assert.are.equal("uno", reader:next())
    local line, message = reader:next()
    assert.is_nil(line)
    has(message, path, "line 2: longer than 5242879 bytes")
    assert.fails("line 2: longer than", collect, reader)
    assert.fails("longest must be a positive whole number", corpora.lines, path, { longest = 0 })
    path = file_with("abc\r\nabcd")
    assert.fails("line 2: longer than 3 bytes", collect, corpora.lines(path, { longest = 3 }))
  end)

  it("of files that cannot be read give nil and a message", function()
    local reader, message = corpora.lines("/nowhere/at all")
    assert.is_nil(reader)
    has(message, '"/nowhere/at all"', "No such file or directory")
    reader, message = corpora.lines("/tmp")
    assert.is_nil(reader)
    has(message, '"/tmp"', "Is a directory")
  end)

  it("name the byte where a gzip file is cut or damaged", function()
    for cut = 2, #GZIP - 1 do
      local reader, message = corpora.lines(file_with(GZIP:sub(1, cut)))
      if reader then
        repeat
          local line
          line, message = reader:next()
        until not line
      end
      has(message, "cut short at byte " .. cut .. " of the gzip file")
    end
    assert.fails("incorrect data check", collect,
      corpora.lines(file_with(GZIP:sub(1, -6) .. "\xfb\8\0\0\0")))
    assert.fails("incorrect length check", collect,
      corpora.lines(file_with(GZIP:sub(1, -5) .. "\9\0\0\0")))
    assert.fails("something that is no gzip follows at byte 28", collect,
      corpora.lines(file_with(GZIP .. "dos\n")))
  end)

  it("need the same memory for a file of any size", function()
    local piece = ("una línea cualquiera de un texto largo\n"):rep(1000)
    local path = file_with("")
    local file = assert(io.open(path, "wb"))
    for _ = 1, 1000 do file:write(piece) end -- 40 MB
    file:close()
    for _, each in ipairs{
      function() for _ in assert(corpora.lines(path)) do end end,
      function() for _ in assert(corpora.lines(path)):batches(1 << 16) do end end,
      function()
        for _ in assert(corpora.csv(path, { header = false, columns = { 1 } })):batches(1 << 16) do
        end
      end,
    } do
      collectgarbage()
      local before = native.memory("reset")
      local lua_before = collectgarbage("count")
      each()
      local _, peak = native.memory()
      assert.is_true(peak - before < 1 << 19, tostring(peak - before))
      -- How much garbage lies around depends on the size of Lua's heap; nothing may be kept.
      collectgarbage()
      assert.is_true(collectgarbage("count") - lua_before < 256)
    end
  end)
end)

describe("csv", function()
  local function rows(content, options)
    options = options or { header = false }
    return collect(assert(corpora.csv(file_with(content), options)))
  end

  local cases = {
    ["plain cells"] = { "a,b\nc,d\n", { { "a", "b" }, { "c", "d" } } },
    ["CR LF and no end"] = { "a,b\r\nc,d", { { "a", "b" }, { "c", "d" } } },
    ["a CR at the end"] = { "a,b\r", { { "a", "b" } } },
    ["empty cells"] = { ",\n,b\na,\n", { { "", "" }, { "", "b" }, { "a", "" } } },
    ["quotes"] = { '"a,b","c""d"\n"",""""\n', { { "a,b", 'c"d' }, { "", '"' } } },
    ["line ends in quotes"] = { '"a\nb","\r\n"\nc,d', { { "a\nb", "\r\n" }, { "c", "d" } } },
    ["empty lines"] = { "\n\r\na\n\n\nb\n\r\n", { { "a" }, { "b" } } },
    ["a quoted nothing"] = { '""\n', { { "" } } },
    ["CR inside"] = { "a\rb,\rc\r\n\rd,e\n", { { "a\rb", "\rc" }, { "\rd", "e" } } },
    ["NUL bytes"] = { 'a\0,"\0"\n', { { "a\0", "\0" } } },
    ["a byte order mark"] = { '\xef\xbb\xbf"a",b\n', { { "a", "b" } } },
    ["blanks"] = { ' a , b\n', { { " a ", " b" } } },
    ["nothing"] = { "", {} },
    ["empty lines only"] = { "\n\n\r\n", {} },
    ["a lone CR"] = { "\r", {} },
  }
  for name, case in pairs(cases) do
    it("takes " .. name, function() assert.are.same(case[2], rows(case[1])) end)
  end

  it("takes them wherever a chunk of the file ends", function()
    local row = 'x,"y ""z""\r\n, ñ",\r\n'
    for shift = 0, #row do
      local first = ("f"):rep(65536 - 2 * #row + shift)
      local found = rows(first .. ",,\n" .. row:rep(4))
      assert.are.equal(5, #found)
      assert.are.equal(first, found[1][1])
      for i = 2, 5 do assert.are.same({ "x", 'y "z"\r\n, ñ', "" }, found[i]) end
    end
  end)

  it("takes other separators and no quotes", function()
    assert.are.same({ { "a", "b,c" } }, rows("a;b,c\n", { header = false, separator = ";" }))
    assert.are.same({ { "a", "b;c" } }, rows("a;'b;c'\n",
      { header = false, separator = ";", quote = "'" }))
    assert.are.same({ { 'he said "no', '"' } },
      collect(corpora.tsv(file_with('he said "no\t"\n'), { header = false })))
  end)

  it("names cells by the header", function()
    local path = file_with("id,texto\n1,uno\n2,dos\n")
    local reader = assert(corpora.csv(path))
    assert.are.same({ "id", "texto" }, reader.header)
    assert.are.same({ { id = "1", texto = "uno" }, { id = "2", texto = "dos" } },
      collect(reader))
    assert.are.same({ "uno", "dos" }, collect(corpora.csv(path, { columns = { "texto" } })))
    reader = assert(corpora.csv(path, { columns = { "texto", 1 } }))
    local seen = {}
    for text, id in reader do seen[#seen + 1] = id .. text end
    assert.are.same({ "1uno", "2dos" }, seen)
    assert.are.same({ line = 3, rows = 3, empty_lines = 0 }, reader:report())
  end)

  it("comes in batches of columns", function()
    local path = file_with("a,b\n" .. ("123,456\n"):rep(50))
    local count, batches = 0, 0
    for bs, as in assert(corpora.csv(path, { columns = { "b", "a" } })):batches(70) do
      assert.are.equal(#as, #bs)
      assert.are.equal("456", bs[1])
      assert.are.equal("123", as[#as])
      count, batches = count + #as, batches + 1
    end
    assert.are.same({ 50, 5 }, { count, batches })
    for batch in assert(corpora.csv(path)):batches() do
      assert.are.equal(50, #batch.a)
      assert.are.equal("456", batch.b[50])
    end
    assert.fails("need columns", function()
      return corpora.csv(path, { header = false }):batches()()
    end)
  end)

  local broken = {
    { 'a,b\nc,"d\ne,f\n', "line 2, column 3: the quote that opens here is never closed" },
    { 'ñandú,"d', "line 1, column 7: the quote that opens here is never closed" },
    { '"x\ny",z"\n', "line 2, column 5: a quote inside a cell" },
    { 'a,b\n"c"d,e\n', "line 2, column 4: text behind the quote" },
    { 'a,b\n"c"\rd,e\n', "line 2, column 5: text behind the quote" },
    { "a,b\nc\n", "line 2, column 2: the row has 1 cell, expected 2 as in line 1" },
    { "\na,b\n\nc,d,e", "line 4, column 6: the row has 3 cells, expected 2 as in line 2" },
  }
  for _, case in ipairs(broken) do
    it("names the place: " .. case[2], function()
      local path = file_with(case[1])
      local reader = assert(corpora.csv(path, { header = false }))
      local row, message
      repeat row, message = reader:next() until not row
      has(message, path, case[2])
      assert.are.same({ nil, message }, { reader:next() }) -- it stays broken
      assert.fails(case[2], collect, reader)
    end)
  end

  it("refuses rows that are too long", function()
    local path = file_with('a,"' .. ("b"):rep(100) .. '"\n')
    assert.fails("line 1, column 1: the row is longer than 50 bytes", collect,
      corpora.csv(path, { header = false, longest = 50 }))
    assert.fails("more than 1048576 cells", collect,
      corpora.csv(file_with((","):rep(1 << 20)), { header = false }))
  end)

  it("misses columns of the header", function()
    local path = file_with("a,b,b\n1,2,3\n")
    local reader, message = corpora.csv(path, { columns = { "c" } })
    assert.is_nil(reader)
    has(message, path, 'line 1: there is no column "c"')
    reader, message = corpora.csv(path, { columns = { "b" } })
    assert.is_nil(reader)
    has(message, 'there is more than one column "b"')
    reader, message = corpora.csv(path, { columns = { 4 } })
    assert.is_nil(reader)
    has(message, "there is no column 4")
    assert.are.same({ "3" }, collect(corpora.csv(path, { columns = { 3 } })))
    reader, message = corpora.csv(file_with(""), { columns = { "a" } })
    assert.is_nil(reader)
    has(message, "is empty")
  end)

  it("refuses options that make no sense", function()
    local path = file_with("a,b\n")
    assert.fails("separator must be a string of one byte", corpora.csv, path, { separator = ", " })
    assert.fails("must be two characters", corpora.csv, path, { separator = '"' })
    assert.fails("must be two characters", corpora.csv, path, { separator = "\n" })
    assert.fails("columns must be a list", corpora.csv, path, { columns = "a" })
    assert.fails("a column must be a number (there is no header)", corpora.csv, path,
      { header = false, columns = { "a" } })
    assert.fails("unknown option", corpora.csv, path, { seperator = ";" })
  end)

  it("tells to the byte how far it is", function()
    local reader = assert(corpora.csv(file_with('a,b\n"x\n",y\r\nz,ñ'), { header = false }))
    local places = {}
    for _ in reader do places[#places + 1] = reader:progress() end
    assert.are.same({ 4, 12, 16 }, places)
    assert.are.equal(16, select(2, reader:progress()))
  end)
end)

-- Numbers that look random and are the same each time.
local function generator(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407)
    return (seed >> 33) % n + 1
  end
end

describe("csv of any content", function()
  it("gives back what was written by the rules", function()
    local random = generator(7)
    local pieces = { "a", "ñ", ",", '"', "\n", "\r\n", "\r", " ", "\0", "😀", "" }
    for _ = 1, 300 do
      local rows, lines, width = {}, {}, random(4)
      for i = 1, random(5) do
        local cells, quoted = {}, {}
        for j = 1, width do
          local cell = {}
          for k = 1, random(6) do cell[k] = pieces[random(#pieces)] end
          cells[j] = table.concat(cell)
          quoted[j] = '"' .. cells[j]:gsub('"', '""') .. '"'
          if not cells[j]:find('[,"\r\n]') and cells[j] ~= "" then quoted[j] = cells[j] end
        end
        rows[i], lines[i] = cells, table.concat(quoted, ",")
      end
      local path = file_with(table.concat(lines, "\r\n"))
      assert.are.same(rows, collect(assert(corpora.csv(path, { header = false }))))
      os.remove(path)
    end
  end)

  it("ends with the file or with a message that names the place", function()
    local random = generator(11)
    local pieces = { "a", ",", '"', "\n", "\r", "\xc3", "\xef\xbb\xbf", "\x1f\x8b", "\0" }
    for _ = 1, 500 do
      local content = {}
      for i = 1, random(12) do content[i] = pieces[random(#pieces)] end
      local path = file_with(table.concat(content))
      local reader, message = corpora.csv(path, { header = false })
      while reader do
        local row
        row, message = reader:next()
        if not row then break end
      end
      if message then assert.is_truthy(message:find("line %d+, column %d+:")
        or message:find("at byte %d+ of the gzip file"), message) end
      os.remove(path)
    end
  end)
end)

describe("read_tsv", function()
  it("finds columns by name", function()
    local path = file_with("id\ttext\tlabel\n1\tuno\t0\n2\tdos\t1\n")
    assert.are.same({ label = { "0", "1" }, text = { "uno", "dos" } },
      corpora.read_tsv(path, { "label", "text" }))
    assert.are.same({ label = {} }, corpora.read_tsv(file_with("label\n"), { "label" }))
  end)

  local broken = {
    ["there is no column"] = "a\tb\n1\t2\n",
    ["line 3, column 2: the row has 1 cell"] = "label\ttext\n1\tx\n0\n",
    ["is empty"] = "",
    ["cut short at byte 12"] = GZIP:sub(1, 12),
  }
  for part, content in pairs(broken) do
    it("says what is broken: " .. part, function()
      local result, message = corpora.read_tsv(file_with(content), { "label", "text" })
      assert.is_nil(result)
      has(message, part)
    end)
  end
end)

describe("readers", function()
  it("give all memory back, also when it runs out", function()
    local path = file_with(GZIP)
    local table_path = file_with('a,b\n"' .. ("c"):rep(200000) .. '",d\n')
    local conllu = file_with("1\tx" .. ("\t_"):rep(8) .. "\n\n")
    helper.leak_check(function()
      for n = 1, 30 do
        for _, f in ipairs{
          function() return collect(assert(corpora.lines(path))) end,
          function() return collect(assert(corpora.csv(table_path))) end,
          function() return corpora.read_tsv(table_path, { 1 }) end,
          function() return corpora.read_text(table_path) end,
          function() return native.folder("spec") end,
          function() return collect(assert(corpora.conllu(conllu))) end,
        } do
          native.fail_at(n)
          local ok, _, message = pcall(f)
          native.fail_at(0)
          if ok and type(message) == "string" then has(tostring(message), "out of memory") end
        end
      end
    end)
  end)
end)
