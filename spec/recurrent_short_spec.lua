-- Few rows and steps: the core then uses the weights where they lie instead of packing them. The
-- same sequences behind padding take the other way, so both must agree, with every option.
local helper = require "spec.helper"
local marea = require "marea"
local support = require "spec.support"
local nn, numbers = marea.nn, support.numbers

local LONG = 12 -- steps; more than any short call has rows times steps

-- Of the largest element, and at least of 1.
local TOLERANCE = helper.double and 1e-12 or 2e-5

local function assert_near(expected, got, what)
  local size = math.max(1, expected:abs():max():item())
  local distance = (expected - got):abs():max():item()
  assert.is_true(distance <= TOLERANCE * size, ("%s: %g apart"):format(what, distance))
end

local function merge(...)
  local all = {}
  for _, options in ipairs{ ... } do
    for name, value in pairs(options) do all[name] = value end
  end
  return all
end

-- Outputs, last states and gradients of a new layer with one set of weights and random masks.
local function run(class, options, x, call)
  marea.manual_seed(3)
  local layer = nn[class](options)
  layer:build{ -1, -1, x:size(3) }
  local weights = layer:get_weights()
  for i, w in ipairs(weights) do weights[i] = marea.randn(w:shape()) * .4 end
  layer:set_weights(weights)
  x.requires_grad = true
  local tape <close> = marea.tape()
  local out = table.pack(layer(x, call))
  local loss = (out[1] * out[1]):sum()
  for i = 2, out.n do loss = loss + (out[i] * (.5 / i)):sum() end
  tape:backward(loss)
  for i = 1, out.n do out[i] = out[i]:clone() end
  return { y = out[1], states = { table.unpack(out, 2) }, dx = x.grad,
    gradients = layer:get_gradients() }
end

-- x (B, T, D) with junk before or behind, and its mask.
local function with_padding(x, side)
  local B, T, D = table.unpack(x:shape())
  local long, mask = marea.full({ B, LONG, D }, 9), marea.zeros{ B, LONG }
  local first = side == "pre" and LONG - T + 1 or 1
  long:narrow(2, first, T):assign_(x)
  mask:narrow(2, first, T):fill_(1)
  return long, mask, first
end

local function compare(class, options, B, T, D, side)
  options = merge({ return_sequences = true, return_state = true, zero_output_for_mask = true },
    options)
  local x = numbers{ B, T, D }
  local long, mask, first = with_padding(x, side)
  local training = not options.zoneout -- whose choices in training differ from step to step
  local short = run(class, options, x, { training = training })
  local padded = run(class, options, long, { training = training, mask = mask })
  local what = ("%s (%d, %d, %d), %s"):format(class, B, T, D, side)
  local from = options.go_backwards and LONG - T + 2 - first or first
  assert.is_true(short.y:same(padded.y:narrow(2, from, T):clone()), what)
  for i, state in ipairs(short.states) do assert.is_true(state:same(padded.states[i]), what) end
  assert_near(padded.dx:narrow(2, first, T), short.dx, what .. ", dx")
  for i, gradient in ipairs(short.gradients) do
    assert_near(padded.gradients[i], gradient, ("%s, gradient %d"):format(what, i))
  end
end

local cells = {
  { "SimpleRNN", {} }, { "LSTM", {} }, { "GRU", {} }, { "GRU", { reset_after = false } },
  { "GRU", { update = "write" } }, { "SimpleGRU", {} }, { "SimpleGRU", { candidate = "x" } },
  { "MinimalGatedUnit", {} }, { "LSTM", { coupled = true } }, { "LSTM", { projection = 16 } },
  { "LSTM", { peephole = "gers2000" } }, { "LSTM", { peephole = "slides" } },
  { "LSTM", { cell_clip = .2 } },
}

local extras = {
  plain = {}, dropout = { dropout = .3 }, ["recurrent dropout"] = { recurrent_dropout = .3 },
  norm = { norm = "layer" }, backwards = { go_backwards = true },
  ["without bias"] = { use_bias = false }, ["learned state"] = { learn_initial_state = true },
  ["other activations"] = { activation = "softsign" }, zoneout = { zoneout = .3 },
}

describe("short sequences", function()
  for _, cell in ipairs(cells) do
    local class, form = cell[1], cell[2]
    local name = next(form)
    local title = name and ("%s, %s = %s"):format(class, name, form[name]) or class
    for extra, options in pairs(extras) do
      it(("are the padded ones: %s, %s"):format(title, extra), function()
        for B = 1, 3 do
          for T = 1, 3, extra == "plain" and 1 or B % 2 + 1 do
            local H = (B + T) % 3 == 0 and 17 or 32 -- 17: packed in both
            local all = merge(form, options, { H })
            compare(class, all, B, T, ({ 1, 7, 16 })[B], "pre")
          end
        end
        compare(class, merge(form, options, { 48 }), 2, 4, 5, "post")
      end)
    end
  end
end)
