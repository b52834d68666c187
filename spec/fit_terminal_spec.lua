-- fit as a user sees it: the bar on a terminal, plain lines elsewhere, Ctrl-C. Child processes run
-- short scripts; a real pseudo-terminal comes from util-linux's `script`.
local progress = require "marea.progress"

local program = require("spec.helper").program

local function temporary(text)
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  local file = assert(io.open(path, "w"))
  file:write(text or "")
  file:close()
  return path
end

local function output_of(command)
  local process = assert(io.popen(command .. " 2>&1 </dev/null"))
  local text = process:read("a")
  process:close()
  return text
end

local training = [[
local marea = require "marea"
local nn = marea.nn
local model = marea.Sequential{ nn.Embedding{ 9, 4 }, nn.GRU{ 8 }, nn.Dense{ 1, activation = "sigmoid" } }
local x, y = {}, {}
for i = 1, 240 do
  x[i], y[i] = {}, i % 2
  for t = 1, 20 do x[i][t] = (i * t) % 9 end
end
x = marea.tensor(x, { dtype = "int32" })
model:compile{ loss = "binary_crossentropy", metrics = { "accuracy" } }
]]

describe("the progress line", function()
  local function line(columns, name)
    local bar = setmetatable({ epochs = 12, steps = 250, epoch = 3 }, progress)
    return bar:line(100, 50, { loss = .5, [name or "accuracy"] = .25, gradient_norm = 3 }, columns)
  end

  it("has epoch, bar, batches, time left and values", function()
    assert.are.equal("Epoch 3/12 [=========               ] 100/250 1:15 left loss 0.5000 - "
      .. "accuracy 0.2500", line(100))
  end)

  it("never reaches the last column, at any width", function()
    for _, name in ipairs{ "accuracy", "precisión", "ñandú" } do
      for columns = 1, 120 do
        local length = utf8.len(line(columns, name))
        assert.is_truthy(length)
        assert.is_true(length < columns, columns)
      end
    end
    assert.truthy(line(60):find("Epoch 3/12 [=", 1, true))
    assert.is_nil(line(39):find("[", 1, true))
  end)
end)

-- Whether util-linux's script is here and this machine gives it a pseudo-terminal.
local function has_terminal()
  return output_of("script --version"):find("util-linux", 1, true) ~= nil
    and output_of("script -qec 'echo there' /dev/null"):find("there", 1, true) ~= nil
end

describe("on a terminal", function()
  it("one line is rewritten, some ten times a second, and stays within the width", function()
    if not program then return pending("runs only in our own interpreter") end
    if not has_terminal() then return pending("needs util-linux's script and a pseudo-terminal") end
    local path = temporary(training .. [[
      local start = marea.clock()
      model:fit(x, y, { epochs = 2, batch_size = 1 })
      print(("seconds %.6f"):format(marea.clock() - start))]])
    for _, columns in ipairs{ 100, 50 } do
      local text = output_of(("TERM=xterm script -qec 'stty cols %d; exec \"%s\" \"%s\"' /dev/null")
        :format(columns, program, path))
      local draws, lines = 0, 0
      for piece in text:gmatch("\r\27%[K([^\r]*)") do
        if piece:find("left", 1, true) then
          draws = draws + 1
          assert.is_true(#piece < columns, piece)
          assert.is_nil(piece:find("\n", 1, true))
          assert.truthy(piece:find("^Epoch [12]/2 %[=* *%] +%d+/240 [%d:]+s? left loss"), piece)
        else
          lines = lines + 1
          assert.truthy(piece:find("^Epoch [12]/2 %- %d+%.%ds %- loss .* %- accuracy "), piece)
        end
      end
      local seconds = tonumber(text:match("seconds ([%d.]+)"))
      assert.are.equal(2, lines, text)
      assert.is_true(draws >= 2 and draws <= seconds / 0.1 + 2, draws .. " in " .. seconds)
    end
  end)

  it("that is dumb, and in a pipe, there are plain lines", function()
    if not program then return pending("runs only in our own interpreter") end
    local path = temporary(training .. "model:fit(x, y, { epochs = 2 })")
    local commands = { ('"%s" "%s"'):format(program, path) }
    if has_terminal() then
      commands[2] = ("TERM=dumb script -qec '\"%s\" \"%s\"' /dev/null"):format(program, path)
    end
    for _, command in ipairs(commands) do
      local text = output_of(command)
      assert.is_nil(text:find("\27", 1, true), text)
      assert.are.equal(2, select(2, text:gsub("\n", "")), text)
      assert.truthy(text:find("^Epoch 1/2 %- "), text)
    end
  end)
end)

-- Runs a script, sends it signals once its marker file is there, and returns what it printed and
-- its exit code.
local function interrupted(script, signals)
  local marker = temporary()
  os.remove(marker)
  local path = temporary(("local marker = %q\n"):format(marker) .. training .. script)
  local shell = temporary(([[
    "%s" "%s" & child=$!
    n=0
    while [ ! -e "%s" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done
    for i in %s; do kill -INT $child; sleep 0.3; done
    wait $child
    echo "code $?"]]):format(program, path, marker, signals == 2 and "1 2" or "1"))
  local text = output_of(("sh %q"):format(shell))
  return text, tonumber(text:match("code (%d+)"))
end

local mark = [[
local function mark() assert(io.open(marker, "w")):close() end
]]

local report = [[
print("interrupted", history.interrupted, "epochs", #history.epoch, #(history.loss or {}), history.partial.loss > 0)
print("predicts", model:predict(x):size(1))
print("again", #model:fit(x, y, { verbose = 0 }).loss)
]]

describe("Ctrl-C in fit", function()
  it("ends the epoch; model and history are kept and the script goes on", function()
    if not program then return pending("runs only in our own interpreter") end
    local text, code = interrupted(mark .. [[
      local history = model:fit(x, y, { epochs = 100000, callbacks = {
        { on_epoch_end = function(_, epoch) if epoch == 2 then mark() end end } } })
    ]] .. report, 1)
    assert.are.equal(0, code, text)
    local epochs, losses = text:match("interrupted\ttrue\tepochs\t(%d+)\t(%d+)\ttrue")
    assert.is_truthy(epochs, text)
    assert.is_true(tonumber(epochs) >= 2 and epochs == losses)
    assert.truthy(text:find("Interrupted after batch %d+ of 8 in epoch %d+; the model keeps"), text)
    assert.truthy(text:find("predicts\t240\nagain\t1\n", 1, true), text)
  end)

  it("also during the validation", function()
    if not program then return pending("runs only in our own interpreter") end
    local text, code = interrupted(mark .. [[
      local validating
      model:compile{ loss = "binary_crossentropy", metrics = { function(target)
        if validating then
          mark()
          local start = marea.clock()
          while marea.clock() - start < 0.2 do end
        end
        return target
      end } }
      local history = model:fit(x, y, { batch_size = 2, validation_data = { x, y }, callbacks = {
        { on_batch_end = function(_, batch) validating = batch == 120 end } } })
      validating = false
    ]] .. report, 1)
    assert.are.equal(0, code, text)
    assert.truthy(text:find("Interrupted during the validation in epoch 1", 1, true), text)
    assert.truthy(text:find("interrupted\ttrue\tepochs\t0\t0\ttrue\n", 1, true), text)
    assert.truthy(text:find("predicts\t240\nagain\t1\n", 1, true), text)
  end)

  it("a second time ends the process", function()
    if not program then return pending("runs only in our own interpreter") end
    local text, code = interrupted(mark .. [[
      model:fit(x, y, { verbose = 0, callbacks = { { on_batch_end = function()
        mark()
        local start = marea.clock()
        while marea.clock() - start < 60 do end
      end } } })
      print("not reached")]], 2)
    assert.are.equal(130, code, text)
    assert.is_nil(text:find("not reached", 1, true))
  end)

  it("outside fit is an error with a traceback, as in Lua's own interpreter", function()
    if not program then return pending("runs only in our own interpreter") end
    local text, code = interrupted(mark .. [[
      mark()
      local start = marea.clock()
      while marea.clock() - start < 60 do end
      print("not reached")]], 1)
    assert.are.equal(1, code, text)
    assert.truthy(text:find("interrupted!", 1, true), text)
  end)
end)
