-- Files of word vectors: every format both ways, gensim's files, and files that lie.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local embeddings = marea.embeddings

local function golden()
  local file = assert(io.open("spec/golden/vectors.json"))
  local value = assert(marea.json.decode(file:read("a")))
  file:close()
  return value
end

local g = golden()

local function write(bytes, ending)
  local path = os.tmpname() .. (ending or "")
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  return path
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

local function from_hex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- Loads bytes; the file is gone afterwards (a mapped one stays readable).
local function load(bytes, given, ending)
  local path = write(bytes, ending)
  local vectors, report = embeddings.load(path, given)
  os.remove(path)
  return vectors, report
end

local function refused(part, bytes, given)
  local vectors, message = load(bytes, given)
  assert.is_nil(vectors)
  assert.is_truthy(message:find(part, 1, true), message)
end

local function store(kind)
  return embeddings.Vectors{ words = g.words, matrix = g.matrix, type = kind }
end

local function same(v, w, tolerance)
  assert.are.same(v:words(), w:words())
  assert.near_all(v:vectors(), w:vectors(), tolerance or 0)
end

describe("files of vectors", function()
  local v = store()

  it("of every format come back as they were", function()
    for format, named in pairs{ marea = "marea", glove = "text", text = "text", word2vec = "word2vec" } do
      local path = os.tmpname()
      assert(v:save(path, { format = format }))
      local w, report = assert(embeddings.load(path))
      assert.are.equal(named, report.format)
      assert.are.equal(format == "marea", report.mapped)
      assert.are.equal(#g.words, report.rows)
      same(v, w)
      os.remove(path)
    end
  end)

  it("packed by gzip come back too", function()
    for _, format in ipairs{ "glove", "text", "word2vec" } do
      local path = os.tmpname() .. ".gz"
      assert(v:save(path, { format = format }))
      assert.are.equal("\x1f\x8b", read(path):sub(1, 2))
      same(v, (assert(embeddings.load(path))))
      os.remove(path)
    end
  end)

  it("are what gensim writes", function()
    for _, name in ipairs{ "word2vec_text", "word2vec_binary" } do
      same(v, (assert(load(from_hex(g[name])))))
    end
    local path = os.tmpname()
    assert(v:save(path, { format = "word2vec" }))
    -- word2vec itself ends each vector with a line end, gensim does not
    assert.are.equal(#from_hex(g.word2vec_binary) + #v, #read(path))
    os.remove(path)
  end)

  it("of fastText give vectors to unknown words", function()
    local w, report = assert(load(from_hex(g.fasttext)))
    assert.are.equal("fasttext", report.format)
    local known = {}
    for _, word in ipairs(g.fasttext_known) do known[word] = true end
    for _, word in ipairs(w:words()) do assert.is_true(word == "</s>" or known[word]) end
    for word, numbers in pairs(g.fasttext_vectors) do assert.near_all(numbers, w:vector(word), 1e-6) end
    assert.is_false(w:has("desconocido"))
    local x, coverage = w:matrix({ "año", "desconocido" }, { oov = "subword" })
    assert.near_all(g.fasttext_vectors["desconocido"], x:select(1, 2), 1e-6)
    assert.are.equal(1, coverage.types.found)
    local path = os.tmpname()
    assert(w:save(path))
    local again = assert(embeddings.load(path))
    assert.near_all(w:vector("niñas"), again:vector("niñas"), 0)
    assert.near_all(w:vector("niñas"), assert(embeddings.load(path, { mapped = false })):vector("niñas"), 0)
    os.remove(path)
    local bare = assert(load(from_hex(g.fasttext), { subwords = false }))
    assert.fails("has no vector", bare.vector, bare, "niñas")
  end)

  it("of fastText are written as fastText writes them", function()
    local path = os.tmpname()
    local w = assert(load(from_hex(g.fasttext)))
    assert(w:save(path, { format = "fasttext" }))
    local again, report = assert(embeddings.load(path))
    assert.are.equal("fasttext", report.format)
    assert.same(w:words(), again:words())
    assert.near_all(w:vectors(w:words()), again:vectors(w:words()), 1e-5)
    assert.near_all(w:vector("desconocido"), again:vector("desconocido"), 0)
    -- An output matrix of zeros and its sizes behind what fastText put there itself.
    local bytes = read(path)
    local rows, width = ("<i8i8"):unpack(bytes, #bytes - 4 * #w * w.width - 15)
    assert.same({ #w, w.width }, { rows, width })
    assert(v:save(path, { format = "fasttext" })) -- without parts
    same(v, (assert(embeddings.load(path))))
    os.remove(path)
    local blank = embeddings.Vectors{ words = { "a b" }, matrix = marea.ones{ 1, 2 } }
    assert.fails("holds a blank or line end", blank.save, blank, path, { format = "fasttext" })
    assert.is_nil(io.open(path))
  end)

  it("hash parts of words as fastText does", function()
    for text, hash in pairs{ ["<ca"] = 1066916747, gato = 476116100, ["<año>"] = 2565029883,
      ["ñ"] = 620380921 } do
      assert.are.equal(hash, embeddings.subword_hash(text))
    end
  end)

  it("of half and quarter size", function()
    for _, kind in ipairs{ "float16", "int8" } do
      local path = os.tmpname()
      assert(v:save(path, { type = kind }))
      local w = assert(embeddings.load(path))
      assert.are.equal(kind, w.type)
      same(store(kind), w)
      assert.are.equal("float32", assert(embeddings.load(path, { type = "float32" })).type)
      same(store(kind), (assert(embeddings.load(path, { mapped = false }))))
      os.remove(path)
    end
    local text = "a 1 2\nb 3 4\n"
    assert.are.equal("int8", assert(load(text, { type = "int8" })).type)
  end)

  it("carry a card", function()
    local w = store()
    w.card = { source = "hecho aquí", licence = "CC0" }
    local path = os.tmpname()
    assert(w:save(path))
    assert.are.same(w.card, assert(embeddings.load(path)).card)
    os.remove(path)
  end)

  it("hold only the words that are needed", function()
    local text = "el 1 2\n. . . 3 4\ncanción 5 6\nmar 7 8\n"
    local w, report = assert(load(text, { words = { "Mar", ". . .", "nadie" }, fallback = { "lower" } }))
    assert.are.same({ ". . .", "mar" }, w:words())
    assert.are.same({ 2, 4 }, { report.left_out, report.seen })
    w = assert(load(text, { limit = 2 }))
    assert.are.same({ "el", ". . ." }, w:words())
    local path = os.tmpname()
    assert(v:save(path))
    assert.are.same({ "mar" }, assert(embeddings.load(path, { words = { "mar" } })):words())
    assert.are.same({ "rey" }, assert(embeddings.load(path, { limit = 1 })):words())
    os.remove(path)
    assert.are.same({ "mar" }, assert(load(from_hex(g.word2vec_binary), { words = { "mar" } })):words())
  end)

  it("of text in every dress", function()
    local plain = { "el", "mar" }
    for _, text in ipairs{ "el 1 2\nmar 3 4\n", "el 1 2\nmar 3 4", "2 2\nel 1 2 \nmar 3 4 \n",
      "el\t1\t2\r\nmar\t3\t4\r\n", "\xef\xbb\xbfel 1 2\nmar 3 4\n", "el 1 2\n\nmar 3e0 +4.\n\n" } do
      local w = assert(load(text))
      assert.are.same(plain, w:words())
      assert.near_all({ { 1, 2 }, { 3, 4 } }, w:vectors(), 0)
    end
    local w = assert(load("a 1 2\n. . . 3 4\nat x@y 5 6\n1 1 7 8\n"))
    assert.are.same({ "a", ". . .", "at x@y", "1 1" }, w:words())
    local report
    w, report = assert(load("a 1 2\nb 3 4\na 5 6\n"))
    assert.are.equal(1, report.duplicates)
    assert.near_all({ { 1, 2 }, { 3, 4 } }, w:vectors(), 0)
    assert.near_all({ { 5 }, { 6 } }, assert(load("10 5\n11 6\n")):vectors(), 0)
    w = assert(load("0 5\n"))
    assert.are.same({ 0, 5 }, { #w, w.width })
    assert.are.same({ {} }, w:neighbours(marea.ones{ 1, 5 }))
    w = assert(load("palabra\xff 1 2\n")) -- no UTF-8: bytes are kept
    assert.are.equal("palabra\xff", (w:word(1)))
  end)

  it("have numbers read as exactly as they can be", function()
    local texts = { "0.1", "-0", "1e-45", "3.4028234e38", "1.17549435e-38", "0.30000001192092896",
      "123456789012345678901234567890", "1e-400", "6.3681e-05", "00012.5000", ".5", "-.5e1", "7.",
      "2.2250738585072011e-308", "9007199254740993", "0.000000000000000000000000000001" }
    for _, text in ipairs(texts) do
      local w = assert(load("a " .. text .. " 1\n"))
      local expected = string.unpack("f", string.pack("f", tonumber(text)))
      assert.are.equal(expected, w:vectors():get(1, 1), text)
    end
    marea.manual_seed(11)
    local lines, expected = {}, {}
    for i = 1, 500 do
      local number = (marea.stream:number() - .5) * 10 ^ math.floor(marea.stream:number() * 40 - 20)
      lines[i] = ("w%d %.9g"):format(i, number)
      expected[i] = string.unpack("f", string.pack("f", tonumber(("%.9g"):format(number))))
    end
    local found = assert(load(table.concat(lines, "\n"))):vectors():reshape{ -1 }:totable()
    for i, number in ipairs(expected) do assert.are.equal(number, found[i]) end
  end)

  it("are the same for any number of threads", function()
    local lines = {}
    for i = 1, 3000 do lines[i] = ("w%d %.5f %.5f"):format(i % 2500, math.sin(i), math.cos(i)) end
    local text, before, results = table.concat(lines, "\n"), marea.threads(), {}
    for _, threads in ipairs{ 1, 3 } do
      marea.threads(threads)
      local w, report = assert(load(text))
      assert.are.equal(500, report.duplicates)
      results[#results + 1] = { w:words(), w:vectors():totable() }
    end
    marea.threads(before)
    assert.are.same(results[1], results[2])
  end)

  it("tell how far reading is, and stop when told to", function()
    local calls = 0
    assert(load("a 1\nb 2\n", { progress = function(done, all)
      calls = calls + 1
      assert(done <= all)
    end }))
    assert.is_true(calls > 0)
    refused("was stopped", "a 1\nb 2\n", { progress = function() return false end })
    assert.fails("my own", load, "a 1\nb 2\n", { progress = function() error("my own") end })
  end)

  it("that cannot be written say so", function()
    local w = embeddings.Vectors{ words = { "un mar" }, matrix = { { 1 } } }
    local path = os.tmpname()
    assert.fails("holds a blank or line end", w.save, w, path, { format = "word2vec" })
    assert(w:save(path, { format = "glove" }))
    assert.are.same({ "un mar" }, assert(embeddings.load(path, { width = 1 })):words())
    local ok, message = w:save("/nowhere/file")
    assert.is_nil(ok)
    assert.is_truthy(message:find("/nowhere/file", 1, true))
    assert.fails("format must be one of", w.save, w, path, { format = "csv" })
    os.remove(path)
  end)
end)

describe("files that lie", function()
  it("are refused with the line", function()
    refused("is empty", "")
    refused("line 2: expected a word and 2 numbers", "a 1 2\nb 1\n")
    refused('line 2: number 2 is "x2"', "a 1 2\nb 1 x2\n")
    refused('line 2: number 1 is "nan"', "a 1 2\nb nan 2\n")
    refused('line 1: number 2 is "1e999"', "a 1 1e999\n")
    refused("the header promises 3 vectors, 2 follow", "3 2\na 1 2\nb 3 4\n")
    refused("the header promises 1 vectors, 2 follow", "1 2\na 1 2\nb 3 4\n")
    refused("the header promises 10 vectors, 0 follow", "10 5\n")
    refused("line 1: expected a word and its numbers", "palabra\n")
    refused("line 2: number 2", "a 1 2\nb 1 0x10\n")
    refused("the header promises 9999999999 vectors", "9999999999 2\na 1 2\n")
    assert.is_nil((embeddings.load("/nowhere")))
    assert.is_nil((embeddings.load("/tmp")))
  end)

  it("are refused with the byte", function()
    local good = from_hex(g.word2vec_binary)
    local options = { format = "word2vec" }
    for _, length in ipairs{ 3, 10, 60, #good - 3 } do
      local vectors, message = load(good:sub(1, length), options)
      assert.is_nil(vectors)
      assert.is_truthy(message:find("byte", 1, true) or message:find("promises", 1, true), message)
    end
    refused("more follows the last vector", good .. "more", options)
    refused("more than the file holds", "99999999 300\na \0\0\0\0", options)
    refused("more than the file holds", "1 999999999999999\na \0\0\0\0", options)
    refused("NaN or infinite", "1 1\na \0\0\xc0\x7f", options)
    refused("expected a line with the number", "hola", options)
    local fast = from_hex(g.fasttext)
    for length = 5, #fast - 2000 < 100 and 900 or #fast - 2000, 37 do
      assert.is_nil((load(fast:sub(1, length))))
    end
    refused("version 99", fast:sub(1, 4) .. "\99\0\0\0" .. fast:sub(9))
    refused("out of range", fast:sub(1, 8) .. "\255\255\255\127" .. fast:sub(13))
  end)

  it("of our own kind never crash, whatever byte is changed", function()
    local path = os.tmpname()
    local w = assert(load(from_hex(g.fasttext)))
    assert(w:save(path))
    local good = read(path)
    os.remove(path)
    for length = 1, #good - 1, 97 do assert.is_nil((load(good:sub(1, length), { format = "marea" }))) end
    marea.manual_seed(9)
    local loaded = 0
    for _ = 1, 400 do
      local at = marea.stream:below(#good) + 1
      local bytes = good:sub(1, at - 1) .. string.char(marea.stream:below(256)) .. good:sub(at + 1)
      local x, message = load(bytes, { format = "marea" })
      if x then
        loaded = loaded + 1
        pcall(x.words, x)
        pcall(x.most_similar, x, "año")
        pcall(x.vector, x, "niñas")
        x:has("nadie")
      else
        assert.are.equal("string", type(message))
      end
    end
    assert.is_true(loaded > 0)
  end)

  it("of any bytes never crash a reader", function()
    marea.manual_seed(10)
    local seeds = { from_hex(g.word2vec_text), from_hex(g.word2vec_binary), from_hex(g.fasttext) }
    for i, format in ipairs{ "text", "word2vec", "fasttext" } do
      for _ = 1, 150 do
        local bytes = seeds[i]
        for _ = 1, 1 + marea.stream:below(3) do
          local at = marea.stream:below(math.min(#bytes, 400)) + 1
          bytes = bytes:sub(1, at - 1) .. string.char(marea.stream:below(256)) .. bytes:sub(at + 1)
        end
        local x, message = load(bytes, { format = format })
        assert.is_true(x ~= nil or type(message) == "string")
      end
    end
  end)
end)

describe("memory that runs out", function()
  local function fails_cleanly(f)
    for n = 1, 400 do
      local before = helper.bytes()
      native.fail_at(n)
      local ok, message = pcall(f)
      native.fail_at(0)
      if ok then
        assert.is_true(n > 1)
        return
      end
      assert.is_truthy(tostring(message):find("out of memory", 1, true), message)
      message = nil -- luacheck: ignore
      assert.are.equal(before, helper.bytes())
    end
    error("it never succeeded")
  end

  it("while reading and writing", function()
    for _, name in ipairs{ "word2vec_text", "word2vec_binary", "fasttext" } do
      local path = write(from_hex(g[name]))
      fails_cleanly(function() native.vectors_load(path, {}) end)
      os.remove(path)
    end
    local v = store()
    for _, format in ipairs{ "text", "word2vec", "marea" } do
      local path = os.tmpname() .. ".gz"
      fails_cleanly(function() v.core:save(path, format, true) end)
      if format == "marea" then
        fails_cleanly(function() native.vectors_load(path, {}) end)
        fails_cleanly(function() native.vectors_load(path, { type = "int8", only = { "mar" } }) end)
      end
      os.remove(path)
    end
  end)

  it("while searching and changing", function()
    local v = store("int8")
    local one = marea.ones{ 1, 6 }
    fails_cleanly(function() v.core:search(one, {}) end)
    fails_cleanly(function() v.core:cosines(one) end)
    fails_cleanly(function() v.core:rows() end)
    fails_cleanly(function() native.transport(marea.ones{ 2 }, marea.ones{ 2 }, marea.ones{ 2, 2 }) end)
    fails_cleanly(function() native.singular_values(marea.ones{ 3, 3 }) end)
    fails_cleanly(function() native.vectors({ "a" }, marea.ones{ 1, 2 }) end)
  end)

  it("leaves nothing behind when all goes well", function()
    helper.leak_check(function()
      local v = store()
      v:most_similar("rey")
      v:centred()
      local path = os.tmpname()
      assert(v:save(path))
      assert(embeddings.load(path)):similarity("rey", "mar")
      os.remove(path)
    end)
  end)
end)
