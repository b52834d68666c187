--- Losses of whole sequences, which read masks and lengths themselves: one value a sample.
-- @module marea.losses.structured
local ops = require "marea.ops"
local options = require "marea.nn.options"

local structured = {}

local function lengths_option(name, given, rows)
  local lengths = ops.as_ids(given)
  if #lengths:shape() == 2 and lengths:size(2) == 1 then lengths = lengths:reshape({ -1 }) end
  if #lengths:shape() ~= 1 or lengths:size(1) ~= rows then
    error(("ctc: %s must hold one number for each of %d samples, got (%s)"):format(name, rows,
      table.concat(lengths:shape(), ", ")), 0)
  end
  return lengths
end

-- Lengths of the inputs as a mask, joined with the one that came.
local function visible_steps(p, given)
  if given.input_lengths == nil then return given.mask end
  local rows, steps = p:size(1), p:size(2)
  local lengths = ops.as_real(lengths_option("input_lengths", given.input_lengths, rows))
  local wrong = ops.less(lengths, 0) + ops.greater(lengths, steps)
  if rows > 0 and wrong:max():item() > 0 then
    local place = math.tointeger(wrong:argmax():item())
    error(("ctc: sample %d has input length %d, allowed are 0 to %d"):format(place,
      lengths:get(place), steps), 0)
  end
  local mask = ops.less(ops.arange(0, steps - 1):reshape({ 1, steps }), lengths:reshape({ rows, 1 }))
  return given.mask and mask * given.mask or mask
end

-- Labels are padded behind with the blank (as in Keras) or with negative ids.
local function count_labels(y, blank)
  local reals = ops.as_real(y)
  local real_labels = ops.greater_equal(reals, 0) * ops.not_equal(reals, blank)
  return ops.cast(ops.sum(real_labels, 2), "int32")
end

--- -ln P(labels) of each sample by connectionist temporal classification (Graves et al., 2006).
-- @tparam tensor|table y labels (B, U), padded behind with the blank or negative ids
-- @tparam tensor p logits (B, T, C)
-- @tparam table given `blank` 0, `label_lengths` (B), `input_lengths` (B), `mask` (B, T),
-- `zero_infinity` false
-- @treturn tensor (B)
function structured.ctc(y, p, given)
  y = ops.as_ids(y)
  local blank = options.integer("ctc", "blank", given.blank or 0, 0)
  if #y:shape() ~= 2 or #p:shape() ~= 3 then
    error(("ctc: labels are (%s), logits (%s); expected (batch, labels) and (batch, time, classes)")
      :format(table.concat(y:shape(), ", "), table.concat(p:shape(), ", ")), 0)
  end
  local lengths = given.label_lengths and lengths_option("label_lengths", given.label_lengths,
    y:size(1)) or count_labels(y, blank)
  return ops.ctc_loss(p, y, lengths, visible_steps(p, given), blank, given.zero_infinity)
end

--- Labels from the logits of a network trained with `ctc`.
-- @tparam tensor p logits (B, T, C)
-- @tparam[opt] table given `blank` 0, `mask` (B, T), `input_lengths` (B), `beam_width` 1 (1: the best
-- path, greedily; more: prefix beam search), `paths` 1 results a sample
-- @treturn {{int,...},...} ids of each sample; with `paths` above 1 a list of results, best first,
-- each with its log probability in the field `log_p`
-- @usage losses.ctc_decode(model:predict(x), { beam_width = 20 })
function structured.ctc_decode(p, given)
  local read = options.read("ctc_decode", given, { blank = 0, mask = options.optional,
    input_lengths = options.optional, beam_width = 1, paths = 1 })
  p = ops.tensor(p)
  if #p:shape() ~= 3 then
    error(("ctc_decode: logits are (%s), expected (batch, time, classes)"):format(
      table.concat(p:shape(), ", ")), 0)
  end
  local width = options.integer("ctc_decode", "beam_width", read.beam_width)
  local paths = options.integer("ctc_decode", "paths", read.paths)
  if paths > width then
    error(("ctc_decode: %d paths from a beam of %d; beam_width must be at least paths"):format(paths,
      width), 0)
  end
  if read.mask then read.mask = ops.as_real(read.mask) end
  local mask = visible_steps(p, read)
  if width == 1 then
    local ids, scores = ops.ctc_greedy(p, mask, read.blank)
    for i, list in ipairs(ids) do list.log_p = scores[i] end
    return ids
  end
  local results = ops.ctc_beam(p, mask, read.blank, width, paths)
  if paths > 1 then return results end
  for i, list in ipairs(results) do results[i] = list[1] end
  return results
end

return structured
