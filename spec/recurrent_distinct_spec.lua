-- Recurrent layers that read word vectors: with `retain_grad = false` equal words are taken together.
-- Outputs are the same bits, gradients the same numbers as word by word.
local marea = require "marea"
local support = require "spec.support"
local nn, near, numbers = marea.nn, support.near, support.numbers

local WORDS <const>, FEATURES <const>, BATCH <const>, TIME <const> = 12, 5, 9, 20

-- Ids of few words (many equal ones), or of nearly as many as there are steps.
local function make_ids(words)
  local rows, state = {}, 7
  for i = 1, BATCH do
    rows[i] = {}
    for t = 1, TIME do
      state = (state * 1103515245 + 12345) % 2147483648
      rows[i][t] = 1 + state // 65536 % (words - 1)
    end
  end
  rows[2][1], rows[2][2], rows[3][TIME] = 0, 0, 0
  return marea.tensor(rows, { dtype = "int32" })
end

local cases = {
  { "SimpleRNN", {} }, { "LSTM", {} }, { "LSTM", { return_sequences = true, go_backwards = true } },
  { "GRU", {} }, { "GRU", { reset_after = false } }, { "SimpleGRU", {} }, { "MinimalGatedUnit", {} },
  { "LSTM", { coupled = true } }, { "LSTM", { norm = "layer" } }, { "GRU", { norm = "layer" } },
  { "LSTM", { peephole = "gers2000", projection = 3 } }, { "LSTM", { peephole = "slides" } },
  { "GRU", { recurrent_dropout = 0.3 } }, { "LSTM", { dropout = 0.3 } }, { "LSTM", { units = 16 } },
}

local function layers_of(case, mask_zero, words)
  marea.manual_seed(5)
  local given = { 7 }
  for name, value in pairs(case[2]) do given[name == "units" and 1 or name] = value end
  local embedding, layer = nn.Embedding{ words, FEATURES, mask_zero = mask_zero }, nn[case[1]](given)
  embedding:build{ BATCH, TIME }
  layer:build{ BATCH, TIME, FEATURES }
  support.scatter(embedding)
  support.scatter(layer)
  return embedding, layer
end

-- The output and the gradients of the table and of all weights.
local function run(embedding, layer, ids, retain)
  local tape <close> = marea.tape{ retain_grad = retain }
  local y = layer(embedding(ids), { mask = embedding:compute_mask(ids), training = true })
  tape:backward((y * numbers(y:shape(), 3)):sum())
  local gradients = {}
  for _, part in ipairs{ embedding, layer } do
    for _, gradient in ipairs(part:get_gradients()) do gradients[#gradients + 1] = gradient:totable() end
  end
  return y:totable(), gradients
end

local function both(case, mask_zero, words)
  local embedding, layer = layers_of(case, mask_zero, words)
  local ids = make_ids(words)
  local y, gradients = run(embedding, layer, ids, true)
  embedding, layer = layers_of(case, mask_zero, words)
  local z, others = run(embedding, layer, ids, false)
  assert.are.same(y, z)
  local tolerance = marea.precision == "float" and 2e-5 or nil
  for i, expected in ipairs(gradients) do near(expected, others[i], tolerance) end
  return others
end

local function title(case)
  local words = { case[1] }
  for name, value in pairs(case[2]) do words[#words + 1] = name .. "=" .. tostring(value) end
  return table.concat(words, " ")
end

describe("a recurrent layer on word vectors", function()
  for _, case in ipairs(cases) do
    it("gives for equal words together what it gives word by word: " .. title(case), function()
      for _, mask_zero in ipairs{ false, true } do
        both(case, mask_zero, WORDS)
        both(case, mask_zero, 400)
      end
    end)
  end

  it("adds to what others ask of the same vectors", function()
    local embedding, first = layers_of({ "LSTM", {} }, false, WORDS)
    local second, ids = nn.GRU{ 4 }, make_ids(WORDS)
    second:build{ BATCH, TIME, FEATURES }
    local function gradient(retain)
      local tape <close> = marea.tape{ retain_grad = retain }
      local x = embedding(ids)
      tape:backward(first(x):sum() + second(x):sum() + (x * x):sum())
      return embedding:get_gradients()[1]:clone()
    end
    near(gradient(true), gradient(false), marea.precision == "float" and 2e-4 or nil)
  end)

  it("leaves frozen vectors alone, and gives the same bits for any number of threads", function()
    local before = marea.threads()
    local results = {}
    for i, threads in ipairs{ 1, 2, 5 } do
      marea.threads(threads)
      local embedding, layer = layers_of({ "LSTM", {} }, true, WORDS)
      embedding.trainable = i == 3
      results[i] = both({ "GRU", {} }, true, WORDS)
      if i < 3 then
        local _, gradients = run(embedding, layer, make_ids(WORDS), false)
        for _, row in ipairs(gradients[1]) do assert.are.same({ 0, 0, 0, 0, 0 }, row) end
      end
    end
    marea.threads(before)
    assert.are.same(results[1], results[2])
    assert.are.same(results[1], results[3])
  end)
end)
