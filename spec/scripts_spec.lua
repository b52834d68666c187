-- The scripts run as they stand: a few steps of each, in a process of their own.
local function output_of(command)
  local process = assert(io.popen(command .. " 2>&1"))
  local text = process:read("a")
  local ok = process:close()
  return ok, text
end

local program
for i = 0, -9, -1 do
  if arg and arg[i] and arg[i]:match("marea[^/]*$") then program = arg[i] end
end

describe("scripts/sentiment.lua", function()
  for _, model in ipairs{ "lstm", "rnn", "gru", "bilstm", "flatten" } do
    it("trains, saves, loads and answers: " .. model, function()
      if not program then return pending("runs only in our own interpreter") end
      local ok, text = output_of(("%q scripts/sentiment.lua --model %s --epochs 2 --limit 96")
        :format(program, model))
      assert.is_true(ok, text)
      assert.is_truthy(text:find("Test accuracy (" .. model .. ")", 1, true), text)
      assert.is_truthy(text:find("película", 1, true), text)
    end)
  end

  it("says what is wrong with its options", function()
    if not program then return pending("runs only in our own interpreter") end
    local ok, text = output_of(("%q scripts/sentiment.lua --data /nowhere"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("/nowhere/train.tsv.gz: No such file", 1, true), text)
    ok, text = output_of(("%q scripts/sentiment.lua --colour red"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("unknown option or missing value: --colour", 1, true), text)
  end)
end)

describe("the interpreter", function()
  it("runs code, shows its version, refuses what it does not know", function()
    if not program then return pending("runs only in our own interpreter") end
    local _, text = output_of(("%q -e 'print(1 + 1, _VERSION)'"):format(program))
    assert.are.equal("2\tLua 5.4\n", text)
    _, text = output_of(("%q -v"):format(program))
    assert.is_truthy(text:find("Marea", 1, true))
    local ok
    ok, text = output_of(("%q --what"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("unknown option --what", 1, true))
  end)

  it("reads a script from its input", function()
    if not program then return pending("runs only in our own interpreter") end
    local _, text = output_of(("echo 'print(require(\"marea\").ones{ 2 })' | %q"):format(program))
    assert.is_truthy(text:find("[1 1]", 1, true), text)
  end)
end)

describe("scripts/text_encodings.lua", function()
  it("judges every encoding and shows them side by side", function()
    if not program then return pending("runs only in our own interpreter") end
    local ok, text = output_of(("%q scripts/text_encodings.lua --epochs 1 --limit 64"):format(program))
    assert.is_true(ok, text)
    for _, name in ipairs{ "one-hot, words", "one-hot, characters", "hashing", "counts", "tf-idf",
      "learned embedding" } do
      assert.is_truthy(text:find("\n" .. name:gsub("%p", "%%%0") .. " +%d+ +[%d.]+ +[01]%.%d%d%d%d"), name)
    end
    assert.is_truthy(text:find("cosine of any two words is 0", 1, true), text)
  end)

  it("says what is wrong with its options", function()
    if not program then return pending("runs only in our own interpreter") end
    local ok, text = output_of(("%q scripts/text_encodings.lua --words many"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--words must be a whole number", 1, true), text)
  end)
end)

describe("scripts/word_map.lua", function()
  it("draws the words that have vectors, and says what is missing", function()
    if not program then return pending("runs only in our own interpreter") end
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    for i, word in ipairs{ "bread", "cheese", "wine", "beer", "dog", "cat", "horse", "walk", "run",
      "read" } do
      file:write(("%s %.3f %.3f %.3f\n"):format(word, math.sin(i), math.cos(3 * i), math.sin(7 * i)))
    end
    file:close()
    local page = os.tmpname()
    local ok, text = output_of(("%q scripts/word_map.lua --vectors %s --page %s"):format(program,
      path, page))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("10 of the words have vectors", 1, true), text)
    assert.is_truthy(assert(io.open(page)):read("a"):find("cheese", 1, true))
    os.remove(path)
    os.remove(page)
    ok, text = output_of(("%q scripts/word_map.lua --vectors /nowhere.txt"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("/nowhere.txt", 1, true), text)
  end)
end)

describe("scripts/gradients.lua", function()
  it("shows gradients, clipping and the adding problem", function()
    if not program then return pending("runs only in our own interpreter") end
    local ok, text = output_of(("%q scripts/gradients.lua --lengths 4 --steps 12"):format(program))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("RNN, gain", 1, true), text)
    assert.is_truthy(text:find("clipnorm 1 +last loss"), text)
    assert.is_truthy(text:find("\n +4 +[%d.]+ +%a+"), text)
    ok, text = output_of(("%q scripts/gradients.lua --steps some"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--steps must be a whole number", 1, true), text)
  end)
end)
