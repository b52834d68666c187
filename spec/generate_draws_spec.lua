-- Draws that stay the same where only the last digits of the logits differ.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local generate = marea.generate

-- How many of 1,000 seeds draw another token when the logits move by up to 1e-6.
local function changed(logits, given)
  local moved, count = {}, 0
  for i, logit in ipairs(logits) do moved[i] = logit + 1e-6 * math.cos(7 * i) end
  for seed = 1, 1000 do
    local token = generate.sample(logits, native.new_stream(seed, 0), given)
    if generate.sample(moved, native.new_stream(seed, 0), given) ~= token then count = count + 1 end
  end
  return count
end

local function spread(width)
  local logits = {}
  for i = 1, 500 do logits[i] = width * math.sin(i * i) end
  return logits
end

describe("a draw", function()
  it("does not depend on the last digits of the logits", function()
    assert.equal(0, changed{ 1, 2, 3, 0.5, 1.2 })
    for _, given in ipairs{ {}, { top_k = 40 }, { top_p = 0.8 }, { min_p = 0.1 }, { temperature = 0.5 } } do
      assert.is_true(changed(spread(3), given) <= 1)
    end
  end)

  it("does not depend on the order of tokens that are nearly alike", function()
    for _, given in ipairs{ { top_k = 500 }, { top_p = 1 - 1e-9 } } do
      assert.is_true(changed(spread(1e-4), given) <= 1)
    end
  end)

  it("is the same text on every level of the processor", function()
    local code = [[local marea = require "marea"
      local nn = marea.nn
      marea.manual_seed(1)
      local model = marea.Sequential{ nn.Embedding{ 40, 8 }, nn.LSTM{ 32, return_sequences = true },
        nn.Dense{ 40 } }
      model:build{ -1, -1 }
      for seed = 1, 5 do
        for id in marea.generate.tokens(model, { start = 1, seed = seed, max_length = 30, top_k = 20 }) do
          io.write(id, " ")
        end
      end]]
    local texts = {}
    for i, level in ipairs{ "baseline", "v3", "v4" } do
      local pipe = assert(io.popen(("MAREA_ISA=%s %q -e '%s'"):format(level, helper.program, code)))
      texts[i] = pipe:read("a")
      assert.is_true(pipe:close())
    end
    assert.equal(150, select(2, texts[1]:gsub("%d+", "")))
    assert.equal(texts[1], texts[2])
    assert.equal(texts[1], texts[3])
  end)
end)
