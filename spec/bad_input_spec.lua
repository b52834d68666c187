-- What a person gets wrong, and what is said then: what was expected, what came, and where.
local helper = require "spec.helper"
local marea = require "marea"
local nn, losses, optim = marea.nn, marea.losses, marea.optim

local function ids(values) return marea.tensor(values, { dtype = "int32" }) end

local x = marea.randn{ 4, 5, 3 }

local function model()
  local made = marea.Sequential{ nn.Dense{ 1, name = "out" } }
  made:compile{ loss = "mse", optimizer = "sgd" }
  return made
end

local function fit(a, b, given)
  given = given or {}
  given.verbose = 0
  return model():fit(a, b, given)
end

local function built(layer, input)
  layer(input)
  return layer
end

-- { what is wrong, part of the message, function }
local mistakes = {
  { "two axes for a sequence", 'LSTM "one": input is (4, 3), expected (batch, time, features)',
    function() return nn.LSTM{ 8, name = "one" }(marea.randn{ 4, 3 }) end },
  { "other features than before", "input is (batch 4, time 5, 7), kernel expects 3 features",
    function() return built(nn.LSTM{ 8 }, x)(marea.randn{ 4, 5, 7 }) end },
  { "ids where reals are due", 'Dense "two": expects real numbers, got int32 ids',
    function() return nn.Dense{ 8, name = "two" }(ids{ { 1, 2 } }) end },
  { "ids for a recurrent layer", "expects real numbers, got int32",
    function() return nn.GRU{ 8 }(marea.zeros({ 4, 5, 3 }, { dtype = "int32" })) end },
  { "no units", "LSTM: units is missing", function() return nn.LSTM{} end },
  { "half a unit", "units must be a positive whole number, got number 2.5",
    function() return nn.LSTM{ 2.5 } end },
  { "units as text", 'units must be a positive whole number, got string "8"',
    function() return nn.LSTM{ "8" } end },
  { "a misspelt option", 'LSTM: unknown option "retrun_sequences"; the options are activation',
    function() return nn.LSTM{ 8, retrun_sequences = true } end },
  { "a misspelt option of a call", 'unknown option "trainig" in the call; the options are',
    function() return nn.LSTM{ 8 }(x, { trainig = true }) end },
  { "options of a call that are no table", "is a table of options, got boolean true",
    function() return nn.LSTM{ 8 }(x, true) end },
  { "an unknown activation", 'unknown activation string "tanhh"; known are',
    function() return nn.LSTM{ 8, activation = "tanhh" } end },
  { "an unknown initialiser", "glorrot",
    function() return nn.Dense{ 8, kernel_initializer = "glorrot" }(x) end },
  { "an unknown regulariser", "l3",
    function() return nn.Dense{ 8, kernel_regularizer = "l3" }:build{ -1, 3 }:losses() end },
  { "too much dropout", "dropout must be a number in [0, 1), got number 1.5",
    function() return nn.LSTM{ 8, dropout = 1.5 } end },
  { "a table for a tensor", "expects a tensor, got a table",
    function() return nn.Dense{ 2 }({ 1, 2 }) end },
  { "nothing for a tensor", "expects a tensor, got nil",
    function() return nn.Dense{ 2 }(nil) end },
  { "a mask of another width", "the mask is (4, 6), expected (batch 4, time 5)",
    function() return nn.LSTM{ 8 }(x, { mask = marea.ones{ 4, 6 } }) end },
  { "a word as mask", 'the mask must be a (batch, time) tensor of 0 and 1, got string "all"',
    function() return nn.LSTM{ 8 }(x, { mask = "all" }) end },
  { "too few lengths", "lengths must hold one number for each of 4 samples, got 2",
    function() return nn.LSTM{ 8 }(x, { lengths = { 1, 2 } }) end },
  { "lengths behind the end", "lengths hold 9, allowed are 0 to 5",
    function() return nn.LSTM{ 8 }(x, { lengths = { 1, 2, 9, 3 } }) end },
  { "negative lengths", "lengths hold -1, allowed are 0 to 5",
    function() return nn.LSTM{ 8 }(x, { lengths = { 1, 2, -1, 3 } }) end },
  { "mask and lengths", "give mask or lengths, not both",
    function() return nn.LSTM{ 8 }(x, { lengths = { 1, 2, 3, 3 }, mask = marea.ones{ 4, 5 } }) end },
  { "one state of two", "initial_state must hold 2 tensors of (4, 8), got 1",
    function() return nn.LSTM{ 8 }(x, { initial_state = { marea.zeros{ 4, 8 } } }) end },
  { "a state of another width", "initial_state 1 is (4, 9), expected (4, 8)",
    function() return nn.GRU{ 8 }(x, { initial_state = marea.zeros{ 4, 9 } }) end },
  { "an id too large", 'Embedding "words": embedding: sample 2, step 2 has id 10, allowed are 0 to 9',
    function() return nn.Embedding{ 10, 4, name = "words" }(ids{ { 1, 2 }, { 3, 10 } }) end },
  { "a negative id", "sample 1, step 2 has id -2, allowed are 0 to 9",
    function() return nn.Embedding{ 10, 4 }(ids{ { 1, -2 } }) end },
  { "half an id", "1.5", function() return nn.Embedding{ 10, 4 }(marea.tensor{ { 1.5 } }) end },
  { "a table of other sizes", 'weight 1, "embeddings", is (10, 4), got (5, 4)',
    function() return nn.Embedding{ 10, 4, weights = marea.zeros{ 5, 4 } }(ids{ { 1 } }) end },
  { "too few weights", 'Dense "three" has 2 weights, got 1',
    function() built(nn.Dense{ 2, name = "three" }, x):set_weights{ marea.zeros{ 3, 2 } } end },
  { "weights of other shapes", '"kernel", is (3, 2), got (2, 3)', function()
    built(nn.Dense{ 2 }, x):set_weights{ marea.zeros{ 2, 3 }, marea.zeros{ 2 } }
  end },
  { "weights before building", "has no weights before it is built",
    function() nn.Dense{ 2 }:set_weights{} end },
  { "a dense layer run both ways", "layer must be a recurrent layer such as",
    function() return nn.Bidirectional{ nn.Dense{ 1 } } end },
  { "no layer in a model", 'item 1 is not a layer: number 3',
    function() return marea.Sequential{ 3 } end },
  { "ids for a recurrent layer", 'LSTM "ids": the input expects real numbers, got int32',
    function() return nn.LSTM{ 3, name = "ids" }(ids{ { { 1, 2 } } }) end },
  { "an empty batch", "batch 0, time 2", function() return nn.LSTM{ 3 }(marea.zeros{ 0, 2, 3 }) end },
  { "another's states in a stream", "stream: state 1 is (1, 3), expected (2, 3)", function()
    local made = marea.Sequential{ nn.Embedding{ 5, 2 }, nn.GRU{ 3 } }
    made:build{ -1, -1 }
    made:stream{ batch = 2 }:restore{ marea.zeros{ 1, 3 } }
  end },
  { "an id that a stream does not have", "stream: sequence 1 has id 9, allowed are 0 to 4", function()
    local made = marea.Sequential{ nn.Embedding{ 5, 2 }, nn.GRU{ 3 } }
    made:build{ -1, -1 }
    made:stream{ batch = 2 }:step{ 9, 1 }
  end },
  { "a blank that is no class, for ctc", "ctc: the blank is 7, allowed are 0 to 3",
    function() return losses.ctc(ids{ { 1, 2 } }, marea.zeros{ 1, 3, 4 }, { blank = 7 }) end },
  { "rows of different lengths", "rows must be equally long", function() marea.tensor{ { 1, 2 }, { 1 } } end },
  { "an encoder–decoder where a writer is needed", "generate: reads a source before it writes; use its decode",
    function()
      local both = { vocabulary = 5 }
      marea.generate.tokens(marea.builders.encoder_decoder{ source = both, target = both, units = 2 }, { start = 1 })
    end },
  { "an empty model", "has no layer", function()
    local empty = marea.Sequential{}
    empty:compile{ loss = "mse" }
    empty:fit(x, x)
  end },
  { "no loss", "compile: loss is missing", function() model():compile{} end },
  { "an unknown loss", 'unknown loss string "mee"; known are',
    function() model():compile{ loss = "mee" } end },
  { "an unknown optimizer", 'one of Adadelta, Adagrad, Adam',
    function() model():compile{ loss = "mse", optimizer = "adamm" } end },
  { "an unknown metric", 'unknown metric string "acuracy"; known are',
    function() model():compile{ loss = "mse", metrics = { "acuracy" } } end },
  { "training without compile", "call model:compile{",
    function() marea.Sequential{ nn.Dense{ 1 } }:fit(x, x) end },
  { "samples without targets", "fit: x has 4 samples, y has 3",
    function() fit(marea.ones{ 4, 2 }, marea.ones{ 3, 1 }) end },
  { "targets of another width", "targets are (4, 2), predictions (4, 1)",
    function() fit(marea.ones{ 4, 2 }, marea.ones{ 4, 2 }) end },
  { "NaN in x", "fit: x holds NaN at sample 2, step 1",
    function() fit(marea.tensor{ { 1, 1 }, { 0 / 0, 1 } }, marea.ones{ 2, 1 }) end },
  { "infinity in y", "fit: y holds inf at sample 1, step 1",
    function() fit(marea.ones{ 2, 2 }, marea.tensor{ { math.huge }, { 1 } }) end },
  { "a misspelt option of fit", 'fit: unknown option "epoch"; the options are',
    function() fit(marea.ones{ 2, 2 }, marea.ones{ 2, 1 }, { epoch = 3 }) end },
  { "no epochs", "epochs must be a positive whole number, got number -1",
    function() fit(marea.ones{ 2, 2 }, marea.ones{ 2, 1 }, { epochs = -1 }) end },
  { "everything for validation", "validation_split must be a number in [0, 1), got number 1",
    function() fit(marea.ones{ 2, 2 }, marea.ones{ 2, 1 }, { validation_split = 1 }) end },
  { "no samples", "fit: x has no samples",
    function() fit(marea.zeros{ 0, 2 }, marea.zeros{ 0, 1 }) end },
  { "weights for other samples", "sample_weight is (3) for 2 samples", function()
    fit(marea.ones{ 2, 2 }, marea.ones{ 2, 1 }, { sample_weight = marea.ones{ 3 } })
  end },
  { "a bare string", 'fit: x is a bare string; give a list of texts: { "abc" }',
    function() fit("abc", marea.ones{ 1, 1 }) end },
  { "texts for a model without words", "this model has no tokenizer",
    function() fit({ "abc" }, marea.ones{ 1, 1 }) end },
  { "an unknown class", "sparse_categorical_crossentropy: sample 2 has class 7, allowed are 0 to 1",
    function()
      return losses.sparse_categorical_crossentropy(ids{ 1, 7 }, marea.full({ 2, 2 }, 0.5))
    end },
  { "an unknown class in a sequence", "sample 1, step 2 has class -1, allowed are 0 to 1",
    function()
      return losses.sparse_categorical_crossentropy(ids{ { 1, -1 } }, marea.full({ 1, 2, 2 }, 0.5))
    end },
  { "a negative learning rate", "Adam: learning_rate is -1, expected a number >= 0",
    function() return optim.Adam{ learning_rate = -1 } end },
  { "a word as learning rate", 'learning_rate must be a number or a schedule, got string "fast"',
    function() return optim.Adam{ learning_rate = "fast" } end },
  { "two kinds of clipping", "only one of clipnorm (1), clipvalue (1)",
    function() return optim.Adam{ clipnorm = 1, clipvalue = 1 } end },
  { "rows of different lengths", "list [2] has 1 items, the first one has 2",
    function() return marea.tensor{ { 1, 2 }, { 3 } } end },
  { "a word in a tensor", "tensor: element [1][2] is a string, expected a number",
    function() return marea.tensor{ { 1, "a" } } end },
  { "a fraction as id", "an int32 tensor holds whole numbers of 32 bits, not 1.5",
    function() return ids{ 1.5 } end },
  { "an unknown element type", 'dtype is "float64", expected real or int32',
    function() return marea.tensor({ 1 }, { dtype = "float64" }) end },
  { "a negative size", "no tensor can have the shape (-1)", function() return marea.zeros{ -1 } end },
  { "more than fits in a number", "no tensor can have the shape",
    function() return marea.zeros{ 1 << 40, 1 << 20 } end },
  { "more than fits in memory", "out of memory", function() return marea.zeros{ 1 << 22, 1 << 22 } end },
  { "an index behind the end", "index 5 of axis 1, which has 4", function() return x:get(5, 1, 1) end },
  { "many elements as one", "item: the tensor is (4, 5, 3), expected a single element",
    function() return x:item() end },
  { "an axis that is not there", "axis 4, the tensor has axes 1 to 3",
    function() return x:narrow(4, 1, 1) end },
  { "a number of threads", "threads: 0 asked for, allowed are 1 to 256",
    function() marea.threads(0) end },
  { "nothing to check", "gradcheck: expects a function and a list of tensors, got nil",
    function() return marea.gradcheck(function() end) end },
}

describe("a mistake is explained:", function()
  for _, mistake in ipairs(mistakes) do
    local name, part, f = table.unpack(mistake)
    it(name, function()
      assert.fails(part, f)
      local _, message = pcall(f) -- what the library's own files are called helps nobody
      assert.is_nil(tostring(message):find("lua/marea/", 1, true), message)
    end)
  end

  it("an ignored class may lie outside", function()
    local loss = losses.sparse_categorical_crossentropy(ids{ 1, -1 }, marea.full({ 2, 2 }, 0.5),
      { ignore_class = -1 })
    assert.near_all({ math.log(2) }, loss, 1e-6)
  end)
end)

describe("saving", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir '" .. folder .. "'"))
  end)

  after_each(function() os.execute("rm -r '" .. folder .. "'") end)

  local function content(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    return text
  end

  local function files()
    local pipe = assert(io.popen("ls -A '" .. folder .. "' | wc -l"))
    local count = pipe:read("n")
    pipe:close()
    return count
  end

  it("stops when the disk is full: nil, a message, the old file whole, nothing beside it", function()
    local path = folder .. "/model.safetensors"
    assert(model():build{ -1, 4 }:save(path))
    local before = content(path)
    local script = folder .. "/again.lua"
    local file = assert(io.open(script, "w"))
    file:write(([[
      local marea = require "marea"
      local large = marea.Sequential{ marea.nn.Dense{ 400 } }:build{ -1, 400 }
      print(large:save(%q))
    ]]):format(path))
    file:close()
    -- A limit for files behaves as a full disk does: write tells an error.
    local program = io.popen("readlink /proc/$PPID/exe"):read("l")
    local pipe = assert(io.popen(("trap '' XFSZ; ulimit -f 100; '%s' '%s' 2>&1"):format(program,
      script)))
    local said = pipe:read("a")
    pipe:close()
    if not program:find("marea") then
      pending("another Lua runs the specs")
      return
    end
    assert.is_truthy(said:find("^nil%s+cannot write \"" .. path:gsub("%p", "%%%0")), said)
    assert.are.equal(before, content(path))
    assert.are.equal(2, files())
    assert.is_truthy(marea.load(path))
  end)

  it("replaces no device and no folder", function()
    local path = folder .. "/fifo"
    assert(os.execute("mkfifo '" .. path .. "'"))
    local ok, message = model():build{ -1, 4 }:save(path)
    assert.is_nil(ok)
    assert.is_truthy(message:find("not a regular file", 1, true), message)
    assert.is_true(os.execute("test -p '" .. path .. "'"))
    ok, message = model():build{ -1, 4 }:save(folder)
    assert.is_nil(ok)
    assert.is_truthy(message:find("not a regular file", 1, true), message)
  end)

  it("follows a link and leaves it", function()
    local path, link = folder .. "/model.safetensors", folder .. "/newest"
    assert(model():build{ -1, 4 }:save(path))
    local before = content(path)
    assert(os.execute(("ln -s model.safetensors '%s'"):format(link)))
    assert(model():build{ -1, 7 }:save(link))
    assert.is_true(os.execute("test -L '" .. link .. "'"))
    assert.are_not.equal(before, content(path))
  end)

  it("says what the system said", function()
    local ok, message = model():build{ -1, 4 }:save(folder .. "/no/such/folder")
    assert.is_nil(ok)
    assert.is_truthy(message:find("No such file or directory", 1, true), message)
    ok, message = marea.load(folder .. "/nothing")
    assert.is_nil(ok)
    assert.is_truthy(message:find("No such file or directory", 1, true), message)
  end)
end)

describe("after every mistake", function()
  it("nothing is left behind", function()
    helper.leak_check(function()
      for _, mistake in ipairs(mistakes) do pcall(mistake[3]) end
    end)
  end)
end)
