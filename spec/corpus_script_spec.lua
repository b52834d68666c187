-- scripts/corpus against a server on the loopback.
local here -- a folder of this spec's own
local server -- { port, pid, log }

local function run(command)
  local process = assert(io.popen(command .. " 2>&1", "r"))
  local text = process:read("a")
  local ok, _, code = process:close()
  return ok, text, code
end

local function exists(program) return (run("command -v " .. program .. " >/dev/null")) end

local missing
for _, program in ipairs{ "perl", "curl", "tar", "sha256sum" } do
  if not exists(program) then missing = program end
end

local function write(path, content)
  assert(run(("mkdir -p \"$(dirname '%s')\""):format(path)))
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local content = file:read("a")
  file:close()
  return content
end

local function start_server(cut)
  local port_file, log = here .. "/port", here .. "/log"
  os.remove(port_file)
  os.remove(log)
  local _, pid = run(("perl spec/server.pl %s/public %s %s %s >/dev/null 2>&1 & echo $!"):format(
    here, port_file, log, cut or ""))
  for _ = 1, 100 do
    if read(port_file) then break end
    run("sleep 0.05")
  end
  server = { port = assert(read(port_file), "the server did not start"), pid = pid:match("%d+"),
    log = log }
end

local function stop_server()
  if server then run("kill " .. server.pid) end
  server = nil
end

local function sha256(path) return (select(2, run("sha256sum < " .. path)):match("%x+")) end

-- A table of one set with one file, as scripts/corpus reads it.
local function table_of(row)
  local path = here .. "/sources.tsv"
  write(path, "set\tfile\turl\tbytes\tsha256\tunpack\tlicence\n" .. table.concat({ "toy",
    row.file, "http://example.invalid/elsewhere/" .. row.file, row.bytes or "-",
    row.sha256 or "-", row.unpack or "-", "MIT" }, "\t") .. "\n")
  return path
end

local function corpus(row, options)
  return run(("MAREA_DATA= MAREA_CORPUS_PAUSE=0 scripts/corpus toy --dir %s/data --sources %s "
    .. "--from http://127.0.0.1:%s %s"):format(here, table_of(row), server.port, options or ""))
end

-- 300 kB that differ everywhere.
local function big_text()
  local lines = {}
  for i = 1, 20000 do lines[i] = ("line %05d of it"):format(i) end
  return table.concat(lines, "\n")
end

describe("scripts/corpus", function()
  if missing then
    it("fetches sets", function()
      pending(missing .. " is not installed (Debian: perl-base, curl, tar, coreutils)")
    end)
    return
  end

  before_each(function()
    here = os.tmpname()
    os.remove(here)
    assert(run("mkdir -p " .. here .. "/public/toy"))
  end)
  after_each(function()
    stop_server()
    if here:match("^/tmp/") then run("rm -r " .. here) end
  end)

  it("lists the sets with size and licence", function()
    local ok, text = run("scripts/corpus list")
    assert.is_true(ok)
    for _, name in ipairs{ "imdb", "es-quijote", "conll2002-es", "mnist" } do
      assert.is_truthy(text:find(name, 1, true), text)
    end
    assert.is_truthy(text:find("CC BY-SA 4.0", 1, true))
  end)

  it("has a table whose rows are whole", function()
    for line in io.lines("corpora/sources.tsv") do
      local cells = {}
      for cell in (line .. "\t"):gmatch("([^\t]*)\t") do cells[#cells + 1] = cell end
      assert.are.equal(7, #cells, line)
      if cells[1] ~= "set" then
        assert.is_truthy(cells[3]:find("^https://"), line)
        assert.is_truthy(cells[4] == "-" or tonumber(cells[4]), line)
        assert.is_truthy(cells[5] == "-" or #cells[5] == 64, line)
        assert.is_truthy(({ tar = 1, zip = 1, ["-"] = 1 })[cells[6]], line)
      end
    end
  end)

  it("says what is wrong with its arguments", function()
    local ok, text, code = run("scripts/corpus no-such-set --dir /tmp")
    assert.is_falsy(ok)
    assert.are.equal(2, code)
    assert.is_truthy(text:find("There is no set no-such-set", 1, true), text)
    for command, part in pairs{
      ["scripts/corpus"] = "Usage:",
      ["MAREA_DATA= scripts/corpus mnist"] = "--dir DIR",
      ["scripts/corpus mnist --dir"] = "--dir needs a value",
      ["scripts/corpus mnist --colour red"] = "Usage:",
    } do
      local _, output, number = run(command)
      assert.are.equal(2, number, command)
      assert.is_truthy(output:find(part, 1, true), output)
    end
  end)

  it("fetches a file, checks it, and leaves it alone the next time", function()
    write(here .. "/public/toy/words.txt", big_text())
    start_server()
    local row = { file = "words.txt", bytes = #big_text(),
      sha256 = sha256(here .. "/public/toy/words.txt") }
    local ok, text = corpus(row)
    assert.is_true(ok, text)
    assert.are.equal(big_text(), read(here .. "/data/toy/words.txt"))
    assert.is_nil(read(here .. "/data/toy/words.txt.part"))
    ok, text = corpus(row)
    assert.is_true(ok, text)
    assert.is_truthy(text:find("words.txt is there", 1, true), text)
    assert.are.equal("/toy/words.txt -\n", read(server.log))
  end)

  it("goes on with a file that was cut", function()
    write(here .. "/public/toy/words.txt", big_text())
    write(here .. "/data/toy/words.txt.part", big_text():sub(1, 100000))
    start_server()
    local ok, text = corpus{ file = "words.txt", bytes = #big_text(),
      sha256 = sha256(here .. "/public/toy/words.txt") }
    assert.is_true(ok, text)
    assert.are.equal(big_text(), read(here .. "/data/toy/words.txt"))
    assert.are.equal("/toy/words.txt 100000\n", read(server.log))
  end)

  it("goes on by itself when the connection breaks", function()
    write(here .. "/public/toy/words.txt", big_text())
    start_server(70000)
    local ok, text = corpus{ file = "words.txt", bytes = #big_text(),
      sha256 = sha256(here .. "/public/toy/words.txt") }
    assert.is_true(ok, text)
    assert.is_truthy(text:find("The connection broke after 70000 bytes", 1, true), text)
    assert.are.equal(big_text(), read(here .. "/data/toy/words.txt"))
    assert.are.equal("/toy/words.txt -\n/toy/words.txt 70000\n", read(server.log))
  end)

  it("knows a whole file whose size it was not told", function()
    write(here .. "/public/toy/words.txt", big_text())
    write(here .. "/data/toy/words.txt.part", big_text())
    start_server()
    local ok, text = corpus{ file = "words.txt" }
    assert.is_true(ok, text)
    assert.are.equal(big_text(), read(here .. "/data/toy/words.txt"))
    assert.is_truthy(text:find("no checksum is known", 1, true), text)
  end)

  it("refuses a wrong checksum, deletes nothing, says what to do", function()
    write(here .. "/public/toy/words.txt", "not what was expected")
    start_server()
    local row = { file = "words.txt", bytes = 21, sha256 = ("0"):rep(64) }
    local ok, text, code = corpus(row)
    assert.is_falsy(ok)
    assert.are.equal(1, code)
    for _, part in ipairs{ "wrong checksum", "expected " .. ("0"):rep(64), "rm '",
      "--no-checksum", "toy is not complete" } do
      assert.is_truthy(text:find(part, 1, true), text)
    end
    assert.is_nil(read(here .. "/data/toy/words.txt"))
    assert.are.equal("not what was expected", read(here .. "/data/toy/words.txt.part"))
    ok, text = corpus(row, "--no-checksum")
    assert.is_true(ok, text)
    assert.are.equal("not what was expected", read(here .. "/data/toy/words.txt"))
  end)

  it("leaves a file of the user's that differs", function()
    write(here .. "/public/toy/words.txt", "the public one")
    write(here .. "/data/toy/words.txt", "my own")
    start_server()
    local ok, text = corpus{ file = "words.txt", bytes = 14,
      sha256 = sha256(here .. "/public/toy/words.txt") }
    assert.is_falsy(ok)
    assert.is_truthy(text:find("has 6 bytes, expected 14", 1, true), text)
    assert.is_truthy(text:find("It was left as it is", 1, true), text)
    assert.are.equal("my own", read(here .. "/data/toy/words.txt"))
    assert.is_nil(read(server.log):match("%S"))
  end)

  it("says that a file is missing on the server", function()
    start_server()
    local ok, text, code = corpus{ file = "nothing.txt" }
    assert.is_falsy(ok)
    assert.are.equal(1, code)
    assert.is_truthy(text:find("The server answers 404", 1, true), text)
  end)

  it("unpacks an archive once, over nothing", function()
    write(here .. "/public/toy/aclImdb/train/neg/0_3.txt", "mala")
    assert(run(("cd %s/public/toy && tar -czf toy.tar.gz aclImdb"):format(here)))
    start_server()
    local row = { file = "toy.tar.gz", unpack = "tar",
      sha256 = sha256(here .. "/public/toy/toy.tar.gz") }
    local ok, text = corpus(row)
    assert.is_true(ok, text)
    assert.are.equal("mala", read(here .. "/data/toy/aclImdb/train/neg/0_3.txt"))
    ok, text = corpus(row)
    assert.is_true(ok, text)
    assert.is_falsy(text:find("unpacking", 1, true), text)
    os.remove(here .. "/data/toy/toy.tar.gz.unpacked")
    write(here .. "/data/toy/aclImdb/train/neg/0_3.txt", "mine")
    ok, text = corpus(row)
    assert.is_falsy(ok)
    assert.is_truthy(text:find("is there already", 1, true), text)
    assert.are.equal("mine", read(here .. "/data/toy/aclImdb/train/neg/0_3.txt"))
  end)

  it("says that an archive is broken", function()
    write(here .. "/public/toy/toy.tar.gz", "no archive")
    start_server()
    local ok, text = corpus{ file = "toy.tar.gz", unpack = "tar" }
    assert.is_falsy(ok)
    assert.is_truthy(text:find("cannot be unpacked", 1, true), text)
    assert.are.equal("no archive", read(here .. "/data/toy/toy.tar.gz"))
  end)
end)
