--- Sequences of ids: padding.
-- @module marea.sequence
local native = require "marea.native"
local options = require "marea.nn.options"

local sequence = {}

local function length_of(sequences, maxlen)
  if maxlen == nil then return math.max(1, sequences:quantile(1)) end
  local share = type(maxlen) == "string" and maxlen:match("^p(%d+%.?%d*)$")
  if share then return math.max(1, sequences:quantile(tonumber(share) / 100)) end
  return options.integer("pad_sequences", "maxlen", maxlen)
end

--- Lists of ids as one tensor, cut and filled to the same length.
-- Keras's defaults, both of which surprise: zeros go before, and what is too long loses its
-- beginning. The report says how much was lost.
-- @tparam {{integer,...},...} sequences
-- @tparam[opt] table given `maxlen` (default: the longest; "p95": the length that 95% do not
-- exceed), `padding` and `truncating` ("pre" or "post"), `value` (0)
-- @treturn tensor int32 (N, maxlen)
-- @treturn table report: rows, maxlen, tokens, truncated (rows), lost (tokens), longest
-- @raise for maxlen 0, or naming the item that is no id
function sequence.pad_sequences(sequences, given)
  local read = options.read("pad_sequences", given, { maxlen = options.optional, dtype = "int32",
    padding = "pre", truncating = "pre", value = 0 })
  options.choice("pad_sequences", "padding", read.padding, { "pre", "post" })
  options.choice("pad_sequences", "truncating", read.truncating, { "pre", "post" })
  if type(sequences) == "table" then sequences = native.sequences(sequences) end
  if type(sequences) ~= "userdata" then
    error("pad_sequences: expected a list of lists of ids, got a " .. type(sequences), 0)
  end
  if #sequences == 0 then error("pad_sequences: the list is empty", 0) end
  local x, report = sequences:pad(length_of(sequences, read.maxlen), read.padding,
    read.truncating, read.value)
  if read.dtype ~= "int32" then x = x:cast(read.dtype) end
  return x, report
end

return sequence
