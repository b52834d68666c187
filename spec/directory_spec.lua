-- Folders of labelled texts.
local helper = require "spec.helper"
local folders = require "spec.folders"
local marea = require "marea"
local native = require "marea.native"
local corpora = marea.corpora

local function collect(reader)
  local list = {}
  for text, label, path in reader do list[#list + 1] = { text, label, path } end
  return list
end

describe("directory", function()
  after_each(folders.clean)

  it("gives labels and files in byte order of their names", function()
    local names = { "a.txt", "B.txt", "z.txt", "Ñ.txt", "10.txt", "9.txt" }
    local files = { ["pos/x.txt"] = "sí", ["neg/sub/y.txt"] = "hondo", ["neg/~.txt"] = "tilde" }
    for _, name in ipairs(names) do files["neg/" .. name] = name end
    local root = folders.new(files)
    local reader = assert(corpora.directory(root))
    assert.are.same({ "neg", "pos" }, reader.labels)
    local texts = {}
    for _, item in ipairs(collect(reader)) do texts[#texts + 1] = item[1] end
    assert.are.same({ "10.txt", "9.txt", "B.txt", "a.txt", "hondo", "z.txt", "tilde", "Ñ.txt",
      "sí" }, texts)
    assert.are.same({ "sí", "pos", root .. "/pos/x.txt" }, collect(reader)[9])
    assert.are.same({ files = 9, skipped = 0 }, reader:report())
  end)

  it("takes the labels that were asked for, in their order", function()
    local root = folders.new{ ["a/1"] = "x", ["b/1"] = "y", ["c/1"] = "z", ["other.md"] = "" }
    local list = collect(assert(corpora.directory(root, { labels = { "c", "a" } })))
    assert.are.same({ { "z", "c", root .. "/c/1" }, { "x", "a", root .. "/a/1" } }, list)
    list = collect(assert(corpora.directory(root .. "/b", { labels = false })))
    assert.are.same({ { "y", nil, root .. "/b/1" } }, list)
    local reader, message = corpora.directory(root, { labels = { "a", "d" } })
    assert.is_nil(reader)
    assert.is_truthy(message:find(root .. "/d", 1, true), message)
  end)

  it("counts what it skips", function()
    local root = folders.new{ ["a/1.txt"] = "x", ["a/.hidden.txt"] = "", ["a/1.md"] = "",
      [".git/x.txt"] = "", ["README"] = "" }
    folders.run("ln -s ..", root .. "/a/loop") -- a link to a folder, which could go in a circle
    folders.run("ln -s nowhere", root .. "/a/broken.txt")
    folders.run("ln -s 1.txt", root .. "/a/2.txt") -- a link to a file is that file
    local reader = assert(corpora.directory(root, { suffix = ".txt" }))
    assert.are.equal(2, #collect(reader))
    assert.are.same({ files = 2, skipped = 6 }, reader:report())
  end)

  it("takes hostile names as they are", function()
    local names = { "-rf", "a b", "$(touch pwned)", "'; rm x", "new\nline", "\xff\xfe", "*", "\\" }
    local files = {}
    for _, name in ipairs(names) do files["la bel\n/" .. name] = name end
    local list = collect(assert(corpora.directory(folders.new(files))))
    assert.are.equal(#names, #list)
    for _, item in ipairs(list) do
      assert.are.equal("la bel\n", item[2])
      assert.are.equal(item[1], item[3]:match("[^/]*$"))
    end
  end)

  it("unpacks gzip and leaves byte order marks out", function()
    local root = folders.new{ ["a/1.txt"] = "\xef\xbb\xbfuno\r\ndos\n", ["a/2.txt"] = "" }
    folders.run("gzip -n", root .. "/a/1.txt")
    local list = collect(assert(corpora.directory(root)))
    assert.are.equal("uno\r\ndos\n", list[1][1])
    assert.are.equal("", list[2][1])
  end)

  it("comes in batches and says how far it is", function()
    local files = {}
    for i = 1, 20 do files[("%d/%02d"):format(i % 2, i)] = ("x"):rep(10) end
    local reader = assert(corpora.directory(folders.new(files)))
    local count, progress = 0, {}
    for texts, labels, paths in reader:batches(50) do
      assert.are.same({ 5, 5, 5 }, { #texts, #labels, #paths })
      count = count + 1
      progress[count] = reader:progress()
    end
    assert.are.same({ 50, 100, 150, 200 }, progress)
    assert.are.equal(200, select(2, reader:progress()))
    assert.are.equal(20, #collect(reader))
  end)

  it("says what is wrong", function()
    local reader, message = corpora.directory("/nowhere")
    assert.is_nil(reader)
    assert.is_truthy(message:find('cannot read "/nowhere": No such file', 1, true), message)
    local root = folders.new{ ["x.txt"] = "" }
    reader, message = corpora.directory(root)
    assert.is_nil(reader)
    assert.is_truthy(message:find("has no sub-folder", 1, true), message)
    reader, message = corpora.directory(root .. "/x.txt")
    assert.is_nil(reader)
    assert.is_truthy(message:find("Not a directory", 1, true), message)
    assert.fails("a label must be the name of a sub-folder", corpora.directory, root,
      { labels = { "../x" } })
    assert.fails("labels must be a list of names or false", corpora.directory, root,
      { labels = "x" })
    root = folders.new{ ["a/1"] = ("x"):rep(100) }
    reader = assert(corpora.directory(root, { longest = 99 }))
    reader, message = reader:next()
    assert.is_nil(reader)
    assert.is_truthy(message:find("/a/1\": longer than 99 bytes", 1, true), message)
    assert.are.equal(1, #collect(assert(corpora.directory(root, { longest = 100 }))))
    reader = assert(corpora.directory(root))
    os.remove(root .. "/a/1")
    assert.fails("No such file", collect, reader)
  end)

  it("gives all memory back, also when it runs out", function()
    local root = folders.new{ ["a/1"] = "uno", ["b/2"] = "dos" }
    helper.leak_check(function()
      for n = 1, 30 do
        native.fail_at(n)
        pcall(function() collect(assert(corpora.directory(root))) end)
        native.fail_at(0)
      end
    end)
  end)
end)
