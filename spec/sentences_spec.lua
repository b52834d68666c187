-- Sentences in columns, and IDX files.
require "spec.helper"
local folders = require "spec.folders"
local marea = require "marea"
local corpora = marea.corpora

local function collect(reader)
  local list = {}
  for sentence in reader do list[#list + 1] = sentence end
  return list
end

local function file_with(content) return folders.new{ ["x"] = content } .. "/x" end

-- Columns apart by blanks here, by tabs in the file.
local function conllu(text) return file_with((text:gsub("  +", "\t"))) end

describe("conll", function()
  after_each(folders.clean)

  it("gives the columns of each sentence", function()
    local path = file_with("\nLa D B-LOC\nCoruña N I-LOC\n\n\n, F O\r\n\r\n23  Z  O  ")
    assert.are.same({
      { word = { "La", "Coruña" }, pos = { "D", "N" }, tag = { "B-LOC", "I-LOC" } },
      { word = { "," }, pos = { "F" }, tag = { "O" } },
      { word = { "23" }, pos = { "Z" }, tag = { "O" } },
    }, collect(assert(corpora.conll(path))))
    assert.are.same({}, collect(assert(corpora.conll(file_with("\n\n")))))
    local sizes = {}
    for batch in assert(corpora.conll(path)):batches(11) do sizes[#sizes + 1] = #batch end
    assert.are.same({ 1, 2 }, sizes)
  end)

  it("takes other columns and separators", function()
    local path = file_with("uno\t\tX\n# no comment here\t1\t2\n")
    assert.are.same({ { a = { "uno", "# no comment here" }, b = { "", "1" }, c = { "X", "2" } } },
      collect(corpora.conll(path, { columns = { "a", "b", "c" }, separator = "\t" })))
  end)

  it("names the place of what is wrong", function()
    for content, part in pairs{
      ["a b c\nd e\n"] = "line 2, column 4: the line ends before its last column",
      ["a b c d\n"] = "line 1, column 7: more columns than expected",
    } do
      local path = file_with(content)
      local reader = assert(corpora.conll(path))
      local sentence, message = reader:next()
      assert.is_nil(sentence)
      assert.is_truthy(message:find(path, 1, true) and message:find(part, 1, true), message)
      assert.fails(part, collect, corpora.conll(path))
    end
    assert.fails("columns must be a list", corpora.conll, "x", { columns = "word" })
    assert.fails("separator must be a string of one byte", corpora.conll, "x", { separator = "" })
  end)
end)

describe("conllu", function()
  after_each(folders.clean)

  local sample = [[
# newdoc id = mío
# sent_id = s-1
# text = Dámelo ya.
0.1  Yo  yo  PRON  _  _  _  _  1:nsubj  _
1-3  Dámelo  _  _  _  _  _  _  _  _
1  Da  dar  VERB  V  Mood=Imp  0  root  _  _
2  me  yo  PRON  P  _  1  iobj  _  _
3  lo  él  PRON  P  _  1  obj  _  _
4  ya  ya  ADV  R  _  1  advmod  _  SpaceAfter=No
4.1  ahora  ahora  ADV  _  _  _  _  1:advmod  _
5  .  .  PUNCT  F  _  1  punct  _  _

# only a comment

# sent_id = s-2
1  Sí  sí  INTJ  I  _  0  root  _  _
]]

  it("gives words, ranges, empty nodes and comments apart", function()
    local list = collect(assert(corpora.conllu(conllu(sample))))
    assert.are.equal(2, #list)
    local first, second = list[1], list[2]
    assert.are.same({ "Da", "me", "lo", "ya", "." }, first.form)
    assert.are.same({ "VERB", "PRON", "PRON", "ADV", "PUNCT" }, first.upos)
    assert.are.same({ "0", "1", "1", "1", "1" }, first.head)
    assert.are.equal("SpaceAfter=No", first.misc[4])
    assert.are.equal("Dámelo ya.", first.text)
    assert.are.equal("s-1", first.sent_id)
    assert.are.same({ 1, 3, "Dámelo" },
      { first.ranges[1].first, first.ranges[1].last, first.ranges[1].form })
    assert.are.same({ 0, 1, "Yo" },
      { first.empty[1].after, first.empty[1].number, first.empty[1].form })
    assert.are.same({ 4, 1, "1:advmod" },
      { first.empty[2].after, first.empty[2].number, first.empty[2].deps })
    assert.are.same({ "newdoc id = mío", "sent_id = s-1", "text = Dámelo ya." }, first.comments)
    assert.are.same({ { "Sí" }, {}, {}, { "sent_id = s-2" } },
      { second.form, second.ranges, second.empty, second.comments })
  end)

  it("gives the columns that were asked for", function()
    local list = collect(assert(corpora.conllu(conllu(sample), { columns = { "upos" } })))
    assert.are.same({ "INTJ" }, list[2].upos)
    assert.is_nil(list[2].form)
    assert.fails("columns must be one of form, lemma", corpora.conllu, "x", { columns = { "tag" } })
  end)

  local rest = "  a  _  X  _  _  0  root  _  _\n"
  for content, part in pairs{
    ["2" .. rest] = "line 1, column 1: the ID must be",
    ["1" .. rest .. "3" .. rest] = "line 2, column 1: the ID must be",
    ["x" .. rest] = "line 1, column 1: the ID must be",
    ["1x" .. rest] = "line 1, column 1: the ID must be",
    ["1-" .. rest] = "line 1, column 1: the ID must be",
    ["-1" .. rest] = "line 1, column 1: the ID must be",
    ["2-3" .. rest] = "line 1, column 1: the ID must be",
    ["1.1" .. rest] = "line 1, column 1: the ID must be",
    ["99999999999999999999999999" .. rest] = "line 1, column 1: the ID must be",
    ["1  a  b\n"] = "line 1, column 6: the line ends before",
    ["1" .. rest:sub(1, -2) .. "  _\n"] = "line 1, column 24: more columns",
  } do
    it("refuses " .. content:sub(1, 12):gsub("\n", " "), function()
      local sentence, message = assert(corpora.conllu(conllu(content))):next()
      assert.is_nil(sentence)
      assert.is_truthy(message:find(part, 1, true), message)
    end)
  end
end)

describe("read_idx", function()
  after_each(folders.clean)

  local function header(kind, ...)
    return string.pack(">BBBB" .. (">I4"):rep(select("#", ...)), 0, 0, kind, select("#", ...), ...)
  end

  local cases = {
    bytes = { header(8, 2, 3) .. "\0\1\2\3\254\255", { { 0, 1, 2 }, { 3, 254, 255 } } },
    ["signed bytes"] = { header(9, 2) .. "\127\128", { 127, -128 } },
    shorts = { header(11, 2) .. string.pack(">i2i2", -2, 300), { -2, 300 } },
    integers = { header(12, 2) .. string.pack(">i4i4", -70000, 7), { -70000, 7 } },
    floats = { header(13, 2) .. string.pack(">ff", 1.5, -0.25), { 1.5, -0.25 } },
    doubles = { header(14, 1) .. string.pack(">d", 1 / 8), { 0.125 } },
  }
  for name, case in pairs(cases) do
    it("takes " .. name, function()
      assert.are.same(case[2], assert(corpora.read_idx(file_with(case[1]))):totable())
    end)
  end

  it("gives int32 tensors, of more elements than a piece", function()
    local x = assert(corpora.read_idx(file_with(header(8, 5000) .. ("\7"):rep(5000)), "int32"))
    assert.are.equal("int32", x:dtype())
    assert.are.equal(5000, x:size(1))
    assert.are.equal(7, x:get(5000))
    local path = file_with(header(13, 1) .. string.pack(">f", 0.5))
    local none, message = corpora.read_idx(path, "int32")
    assert.is_nil(none)
    assert.is_truthy(message:find("whole numbers", 1, true), message)
  end)

  local broken = {
    ["is cut short"] = "\0\0\8",
    ["is no IDX file"] = "PK\3\4",
    ["has 7 axes"] = "\0\0\8\7",
    ["has 0 axes"] = "\0\0\8\0",
    ["announces more than the file can hold"] = header(8, 0xffffffff, 0xffffffff, 0xffffffff),
    ["its header announces more"] = header(8, 100) .. "\1",
    ["something follows the last element"] = header(8, 1) .. "\1\2",
  }
  for part, content in pairs(broken) do
    it("refuses a file that " .. part, function()
      local path = file_with(content)
      local x, message = corpora.read_idx(path)
      assert.is_nil(x)
      assert.is_truthy(message:find(path, 1, true) and message:find(part, 1, true), message)
    end)
  end
end)
