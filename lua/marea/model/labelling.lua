--- decode: the label of each step, for models whose output is (N, T, K).
-- @module marea.model.labelling
local data = require "marea.model.data"
local ops = require "marea.ops"
local options = require "marea.nn.options"
local weights = require "marea.nn.weights"

local labelling = {}

-- The ids of one batch (B, T), and its mask.
local function label_batch(model, batch, crf)
  local p, mask = model:forward(batch.x, { training = false, lengths = batch.lengths })
  local shape = p:shape()
  if #shape ~= 3 then
    model:fail("decode: the output is %s, expected (batch, time, labels); predict_classes serves one "
      .. "class a sample", weights.shape_text(shape))
  end
  if crf then return crf:decode(p, { mask = mask }), mask end
  return ops.argmax_ids(p, 3), mask
end

--- The labels of sequences, as ids from 0 or, where a CRF knows them, by name; padding is left out. With
-- a CRF it is the best path (Viterbi, 1967), else the largest output of each step.
-- @tparam tensor|table x (N, T) or (N, T, D), or texts when the model has a tokenizer
-- @tparam[opt] table given `batch_size` 32, `lengths` (as for fit)
-- @treturn {{string|int,...},...}
function labelling.decode(model, x, given)
  local read = options.read("decode", given, { batch_size = 32, lengths = options.optional })
  local size = options.integer("decode", "batch_size", read.batch_size)
  if #model:output_names() > 1 then
    model:fail("decode: has several outputs; use predict and argmax")
  end
  local set = data.read_inputs("decode", model, x, read)
  if not model.built then model:build(data.build_shape(set)) end
  local last, results = model.layers[#model.layers], {}
  local crf = last.class_name == "CRF" and last or nil
  for i = 1, data.steps(set.rows, size) do
    local _ <close> = ops.tape()
    local ids, mask = ops.no_grad(label_batch, model, data.batch(set, i, size), crf)
    local seen = mask and mask:totable()
    for b, row in ipairs(ids:totable()) do
      local labels = {}
      for t, id in ipairs(row) do
        if not seen or seen[b][t] ~= 0 then
          labels[#labels + 1] = crf and crf.names and crf.names[id + 1] or id
        end
      end
      results[#results + 1] = labels
    end
  end
  return results
end

return labelling
