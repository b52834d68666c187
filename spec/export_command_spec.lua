-- marea export: the command, its files and what it says.
local marea = require "marea"
local native = require "marea.native"
local folders = require "spec.folders"

local nn = marea.nn
local program = require("spec.helper").program

describe("marea export", function()
  local folder, model

  before_each(function()
    folder = folders.new{}
    model = marea.Sequential{ nn.Embedding{ 6, 3, mask_zero = true, name = "words" },
      nn.GRU{ 2, name = "gru" }, nn.Dense{ 1, name = "out" } }
    model:build{ -1, 4 }
    assert(model:save(folder .. "/model.safetensors"))
  end)
  after_each(folders.clean)

  local function run(arguments)
    if program:sub(1, 1) ~= "/" then program = os.getenv("PWD") .. "/" .. program end
    local command = ("cd %s && %s export %s 2>&1"):format(folder, program, arguments)
    local process = assert(io.popen(command))
    local said = process:read("a")
    return process:close(), said
  end

  it("writes ONNX files and weights", function()
    if not program then return pending("runs only in our own interpreter") end
    local ok, said = run("--opset 18 --padding post --lengths 0 model.safetensors m.onnx")
    assert.same({ true, "" }, { ok, said })
    local file = assert(io.open(folder .. "/m.onnx", "rb"))
    assert.is_truthy(file:read("a"):find("words/Gather", 1, true))
    file:close()
    ok, said = run("--to pytorch --map words=emb --map gru=rnn model.safetensors w.npz")
    assert.is_true(ok, said)
    assert.match('Embedding "words": id 0 is padding', said, 1, true)
    local tensors = assert(native.load_npz(folder .. "/w.npz"))
    assert.is_true(tensors["emb.weight"]:same(model.layers[1].embeddings))
    assert.is_truthy(tensors["rnn.weight_ih_l0"] and tensors["out.bias"])
    assert.is_true(run("--to keras model.safetensors w.safetensors"))
    tensors = assert(native.load_tensors(folder .. "/w.safetensors"))
    assert.is_truthy(tensors["gru/gru_cell/kernel"])
    assert.match("usage: marea export", select(2, run("--help")), 1, true)
  end)

  it("says what is wrong", function()
    if not program then return pending("runs only in our own interpreter") end
    local function refuse(part, arguments)
      local ok, said = run(arguments)
      assert.is_nil(ok)
      assert.match("marea export: ", said, 1, true)
      assert.match(part, said, 1, true)
    end
    refuse("expected a model and an output", "model.safetensors")
    refuse("unknown option --form", "--form x model.safetensors m.onnx")
    refuse("--to pytorch or --to keras says", "model.safetensors w.npz")
    refuse("--to takes pytorch or keras, got jax", "--to jax model.safetensors w.npz")
    refuse("--to and --map are for weights", "--to keras model.safetensors m.onnx")
    refuse("--opset is for ONNX files", "--to keras --opset 17 model.safetensors w.npz")
    refuse("opset must be 17 to 22, got 40", "--opset 40 model.safetensors m.onnx")
    refuse("--opset takes a number, got x", "--opset x model.safetensors m.onnx")
    refuse("--lengths takes 0 or 1", "--lengths yes model.safetensors m.onnx")
    refuse("--map takes OURS=THEIRS", "--map words model.safetensors w.npz")
    refuse("--map needs a value", "model.safetensors w.npz --map")
    refuse("ends in neither", "--to keras model.safetensors w.h5")
    refuse("nowhere", "nowhere m.onnx")
  end)
end)
