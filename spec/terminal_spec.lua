-- The REPL as a person meets it: keys go in, text comes out, through a terminal of its own
-- (bindings/test/terminal.c, built beside the interpreter).
local program = io.popen("readlink /proc/$PPID/exe"):read("l") or ""
local driver = program:gsub("[^/]*$", "terminal")

local NO_TERMINAL <const> = 77

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- Plays a conversation; raises with everything that was shown when it goes otherwise.
local function play(home, conversation)
  local script, shown = os.tmpname(), os.tmpname()
  write_file(script, conversation)
  local _, _, code = os.execute(("HOME='%s' XDG_STATE_HOME='%s' '%s' '%s' '%s' >'%s' 2>&1"):format(
    home, home, driver, script, program, shown))
  local text = assert(io.open(shown)):read("a")
  os.remove(script)
  os.remove(shown)
  if code == NO_TERMINAL then return false end
  assert(code == 0, text)
  return true
end

describe("the REPL in a terminal", function()
  local home

  setup(function()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir '" .. home .. "'"))
  end)

  teardown(function() os.execute("rm -r '" .. home .. "'") end)

  local function it_plays(name, conversation)
    it(name, function()
      local file = io.open(driver)
      if not file or not program:find("marea") then
        pending("the program build/PRESET/terminal was not built, or another Lua runs the specs")
        return
      end
      file:close()
      if not play(home, conversation) then pending("this machine gives no pseudo-terminal") end
    end)
  end

  it_plays("shows results, also of unfinished statements; help() helps, Ctrl-D leaves", [==[
prompt >
send 1 + 41\r
expect 42
prompt >
send "¿ñandú?" .. 1\r
expect ¿ñandú?1
prompt >
send for i = 1, 2 do\r
prompt >>
send io.write(i, "-") end\r
expect 1-2-
prompt >
send marea.ones{ 1, 2 }\r
expect [[1 1]]
prompt >
send no.such.thing\r
expect error:
expect attempt to index
prompt >
send x = = 1\r
expect error:
expect unexpected symbol
prompt >
send help()\r
expect Ctrl-C stops
prompt >
send \x04
end
]==])

  it_plays("completes names with Tab", [==[
prompt >
send marea.te\t\t
expect marea.tensor
expect marea.text
send nsor{ 1, 2 }:size(1) * 100\r
expect 200
prompt >
send x = marea.tensor{ 1, 2 }\r
prompt >
send x:tot\t
expect able
send ()[2] * 21\r
expect 42
prompt >
send callba\t
absent callbacks
send \x03
prompt >
send marea.callb\t
expect acks
send \x03
prompt >
send \x04
end
]==])

  it_plays("brings back earlier lines, also of the session before", [==[
prompt >
send 'first' .. ' line'\r
expect first line
prompt >
send \e[A\r
expect first line
prompt >
send \x04
end
]==])

  it_plays("keeps them", [==[
prompt >
send \e[A\r
expect first line
prompt >
send \x04
end
]==])

  it_plays("stops a computation with Ctrl-C and lives on", [==[
prompt >
send io.write("star", "ted\\n") while true do end\r
expect started
send \x03
expect interrupted!
prompt >
send m = marea.ones{ 700, 700 } io.write("star", "ted\\n") while true do n = m:matmul(m) end\r
expect started
send \x03
expect interrupted!
prompt >
send 6 * 7\r
expect 42
prompt >
send 'half a li\x03
prompt >
send for i = 1, 2 do\r
prompt >>
send \x03
prompt >
send \x03
prompt >
send 2 * 4 .. 'eight'\r
expect 8eight
prompt >
send \x04
end
]==])

  it_plays("ends fit in order with Ctrl-C", [==[
prompt >
send m = marea.Sequential{ nn.Dense{ 1 } } m:compile{ loss = "mse" }\r
prompt >
send h = m:fit(marea.randn{ 640, 8 }, marea.zeros{ 640, 1 }, { epochs = 1000000 })\r
expect Epoch 3/
send \x03
expect the model keeps
prompt >
send h.interrupted, #m:get_weights()\r
expect true
expect 2
prompt >
send \x04
end
]==])
end)
