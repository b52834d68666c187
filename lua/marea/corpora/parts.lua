--- What is done with a part { texts, labels } of a corpus.
-- @module marea.corpora.parts
local native = require "marea.native"
local options = require "marea.nn.options"

local parts = {}

--- A part in random order, or a random sample of it. Files are often sorted by label, and
-- validation_split takes the last rows: so the order matters.
-- @tparam table part { texts, labels }
-- @tparam[opt] table given `limit`: how many to take (default: all); `stream`: the random stream
-- (default: marea.stream, which marea.manual_seed starts)
-- @treturn table { texts, labels }
function parts.shuffled(part, given)
  local read = options.read("corpora.shuffled", given,
    { limit = options.optional, stream = options.optional })
  if type(part) ~= "table" or type(part.texts) ~= "table" or not native.is_tensor(part.labels) then
    error("corpora.shuffled: expected a part { texts, labels }, got " .. options.show(part), 0)
  end
  local wanted = #part.texts
  if read.limit then
    wanted = math.min(wanted, options.integer("corpora.shuffled", "limit", read.limit))
  end
  local stream = read.stream or require("marea").stream
  local order = stream:permutation(#part.texts):narrow(1, 1, wanted)
  local texts = {}
  for i, place in ipairs(order:totable()) do texts[i] = part.texts[place + 1] end
  return { texts = texts, labels = part.labels:take(order) }
end

return parts
