local helper = require "spec.helper"
local folders = require "spec.folders"
local native = require "marea.native"
local Cooccurrence = require "marea.embeddings.cooccurrence"

local program = helper.program

-- Texts of Zipf-like words from a generator of our own, the same everywhere.
local function texts_of(documents, length, words)
  local state, list = 12345, {}
  local function draw()
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  end
  for i = 1, documents do
    local text = {}
    for j = 1, length do text[j] = ("w%d"):format(math.floor(words ^ draw())) end
    list[i] = table.concat(text, " ")
  end
  return list
end

-- X by the definition, as { ["row column"] = value }.
local function reference(texts, given)
  local sums = {}
  local function add(a, b, weight)
    sums[a .. " " .. b] = (sums[a .. " " .. b] or 0) + weight
  end
  for _, text in ipairs(texts) do
    local words = {}
    for word in text:gmatch("%S+") do words[#words + 1] = word end
    for i = 1, #words do
      for d = 1, math.min(given.window_size, i - 1) do
        local weight = given.distance_weighting == false and 1 or 1 / d
        add(words[i - d], words[i], weight)
        if given.symmetric ~= false then add(words[i], words[i - d], weight) end
      end
    end
  end
  return sums
end

-- The whole matrix in the same form.
local function matrix_of(counts)
  local sums = {}
  for _, pair in ipairs(counts:pairs()) do
    local a, b, value = pair[1], pair[2], pair[3]
    sums[a .. " " .. b] = value
    if counts.asked.symmetric then sums[b .. " " .. a] = value end
  end
  return sums
end

local function same(expected, got, tolerance)
  for key, value in pairs(expected) do
    assert.is_truthy(got[key], key .. " is missing")
    assert.is_true(math.abs(value - got[key]) <= tolerance * value, key)
  end
  for key in pairs(got) do assert.is_truthy(expected[key], key .. " is too much") end
end

local function exact(a, b)
  assert.are.same(a:pairs(), b:pairs())
end

describe("co-occurrences", function()
  after_each(function() native.threads(2) end)

  it("count a b c a by hand", function()
    local counts = Cooccurrence.count({ "a b c a" }, { window_size = 2 })
    assert.are.same({ ["a b"] = 1.5, ["b a"] = 1.5, ["b c"] = 1, ["c b"] = 1, ["a c"] = 1.5,
      ["c a"] = 1.5 }, matrix_of(counts))
    assert.are.equal("Cooccurrence: 3 words, 4 tokens, 3 pairs", tostring(counts))
  end)

  it("count a pair of equal words from both sides", function()
    assert.are.same({ ["a a"] = 2 }, matrix_of(Cooccurrence.count({ "a a" }, {})))
    assert.are.same({ ["a a"] = 1 }, matrix_of(Cooccurrence.count({ "a a" }, { symmetric = false })))
  end)

  it("never cross the border of a text, and leave rare words out without a place", function()
    local counts = Cooccurrence.count({ "ñu ñu x", "x año ñu x" }, { window_size = 1, min_count = 2 })
    assert.are.same({ ["ñu ñu"] = 2, ["ñu x"] = 3, ["x ñu"] = 3 }, matrix_of(counts))
    assert.are.same({ "x", "ñu" }, counts.words)
    assert.are.equal(6, counts.report.tokens)
  end)

  it("follow the definition for every option and window", function()
    local texts = texts_of(20, 60, 40)
    for _, window in ipairs{ 1, 2, 15, 22, 23, 100 } do
      for _, symmetric in ipairs{ true, false } do
        for _, weighting in ipairs{ true, false } do
          local given = { window_size = window, symmetric = symmetric,
            distance_weighting = weighting, min_count = 1 }
          same(reference(texts, given), matrix_of(Cooccurrence.count(texts, given)),
            window > 22 and 1e-8 or 1e-14)
        end
      end
    end
  end)

  it("are the same for any number of threads", function()
    local texts = texts_of(60, 300, 500)
    native.threads(1)
    local one = Cooccurrence.count(texts, {})
    for _, threads in ipairs{ 2, 8 } do
      native.threads(threads)
      exact(one, Cooccurrence.count(texts, {}))
    end
  end)

  describe("beyond the memory", function()
    local folder
    before_each(function() folder = folders.new{} end)
    after_each(folders.clean)

    local function nothing_left()
      local list = io.popen("ls -A '" .. folder .. "'")
      local content = list:read("a")
      list:close()
      assert.are.equal("", content)
    end

    it("spill to files without a name and give the same", function()
      for _, symmetric in ipairs{ true, false } do
        for _, texts in ipairs{ texts_of(100, 200, 2000), texts_of(1, 30000, 2000) } do
          local given = { symmetric = symmetric, window_size = 7, folder = folder, min_count = 1 }
          local whole = Cooccurrence.count(texts, given)
          given.memory = 1e-5
          local spilled = Cooccurrence.count(texts, given)
          assert.are.equal(0, whole.report.files)
          assert.is_true(spilled.report.files > 2 and spilled.report.spilled > 100000)
          exact(whole, spilled)
          exact(whole, spilled) -- and can be read again
          nothing_left()
        end
      end
    end)

    it("merge on the way when there are very many files", function()
      local texts = texts_of(1, 300000, 50)
      local whole = Cooccurrence.count(texts, { window_size = 2 })
      local spilled = Cooccurrence.count(texts, { window_size = 2, memory = 1e-7, folder = folder })
      assert.is_true(spilled.report.files > 64)
      exact(whole, spilled)
      nothing_left()
    end)

    it("say that the folder does not exist", function()
      local counts, message = Cooccurrence.count(texts_of(1, 30000, 2000),
        { memory = 1e-5, folder = folder .. "/none" })
      assert.is_nil(counts)
      assert.is_truthy(message:find("cannot create a temporary file in", 1, true), message)
      assert.is_truthy(message:find("No such file", 1, true), message)
    end)

    it("say that the disk is full", function()
      if not program then return pending("runs only in our own interpreter") end
      local script = folder .. "/full.lua"
      local file = assert(io.open(script, "w"))
      file:write([[
        local text = {}
        for i = 1, 30000 do text[i] = "w" .. i * 7919 % 3001 end
        print(require("marea.embeddings.cooccurrence").count({ table.concat(text, " ") },
          { memory = 1e-5, folder = ]] .. ("%q"):format(folder) .. " }))")
      file:close()
      -- A limit on the size of files stands for a disk with that much room.
      local run = io.popen(("(trap '' XFSZ; ulimit -f 64; %s %s 2>&1)"):format(program, script))
      local said = run:read("a")
      run:close()
      os.remove(script)
      assert.is_truthy(said:find("nil\tcannot write a temporary file in", 1, true), said)
      nothing_left()
    end)

    it("run out of memory without a leak", function()
      local texts = texts_of(1, 9000, 300)
      local function count()
        return Cooccurrence.count(texts, { memory = 1e-5, folder = folder })
      end
      helper.survives_failures(count)
      nothing_left()
    end)
  end)

  it("read lists, files of lines and iterators alike", function()
    local texts = texts_of(30, 50, 100)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(table.concat(texts, "\n"), "\n")
    file:close()
    local list = Cooccurrence.count(texts, {})
    exact(list, assert(Cooccurrence.count(path, {})))
    local reader = assert(require("marea.corpora").lines(path))
    exact(list, assert(Cooccurrence.count(reader, {})))
    local at = 0
    exact(list, assert(Cooccurrence.count(function()
      at = at + 1
      return texts[at] and { texts[at] }
    end, {})))
    os.remove(path)
    local counts, message = Cooccurrence.count(path, {})
    assert.is_nil(counts)
    assert.is_truthy(message:find("cannot read", 1, true))
  end)

  it("name what is wrong with the options", function()
    assert.fails("window_size must be a positive whole number, got number 0", Cooccurrence.count,
      { "a" }, { window_size = 0 })
    assert.fails("window is 20000, expected 1 to 10000", Cooccurrence.count, { "a" },
      { window_size = 20000 })
    assert.fails("unknown option \"windwo\"", Cooccurrence.count, { "a" }, { windwo = 1 })
    assert.fails("the corpus must be a list of texts", Cooccurrence.count, 7, {})
    assert.fails("memory must be", Cooccurrence.count, { "a" }, { memory = 0 })
    assert.fails("pipeline must be", Cooccurrence.count, { "a" }, { pipeline = 7 })
    local counts = Cooccurrence.count({ "a b" }, {})
    counts:close()
    assert.fails("the co-occurrences are closed", counts.pairs, counts)
  end)
end)
