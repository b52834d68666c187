--- What the readers of files share: lines, tables, folders of texts, sentences.
--
--     for line in assert(corpora.lines("big.txt.gz")) do print(#line) end
--
--     local reader = assert(corpora.csv("reviews.csv", { columns = { "sentiment", "review" } }))
--     for label, text in reader do print(label, #text) end           -- from the beginning
--     for labels, texts in reader:batches(1 << 20) do print(#texts) end  -- and once more
--
-- A reader can be used in a generic `for` as often as one likes: each loop goes through the whole
-- file. Opening a file that cannot be read gives nil and a message; what is broken further on
-- raises an error in a loop and gives nil and a message from `reader:next()`.
-- @module marea.corpora.reader
local options = require "marea.nn.options"

-- What every reader can do. A kind of reader gives: open(self) → source, or nil and a message;
-- read(self, source) → the next values; read_batch(self, source, bytes) → lists of the next values.
local Reader = {}

local function source_of(self)
  if not self.source then error(self.kind .. ": the reader is closed", 3) end
  self.fresh = false
  return self.source
end

--- The next values: a line; the cells of a row; text, label and path.
-- @return nil at the end; nil and a message when the file is broken
function Reader:next()
  return self:read(source_of(self))
end

--- Goes back to the beginning, also after `close`.
-- @return the reader, or nil and a message
function Reader:restart()
  if self.fresh then return self end
  self:close()
  local source, message = self:open()
  if not source then return nil, message end
  self.source, self.fresh = source, true
  return self
end

--- Bytes of the file that were used so far, and all its bytes (nil for a pipe). For a plain file
-- the first number is exact: the byte behind the last value. For gzip these are packed bytes.
function Reader:progress()
  if not self.source then error(self.kind .. ": the reader is closed", 2) end
  return self.source:progress()
end

--- Closes the file; a reader that is closed already is left as it is.
function Reader:close()
  if self.source then self.source:close() end
  self.source, self.fresh = nil, false
end

local function raise_or_pass(value, message, ...)
  if value == nil and message ~= nil then error(message, 0) end
  return value, message, ...
end

--- An iterator over the whole file that gives lists of values instead of single ones: about `bytes`
-- bytes of text in each step, and at least one value.
-- @tparam[opt=1048576] integer bytes
-- @usage for texts in reader:batches(1 << 20) do vocabulary:count(texts) end
function Reader:batches(bytes)
  bytes = options.integer("batches", "bytes", bytes or 1 << 20)
  raise_or_pass(self:restart())
  return function() return raise_or_pass(self:read_batch(source_of(self), bytes)) end
end

local reader = {}

--- A class of readers, named in messages.
function reader.class(kind)
  local class = setmetatable({ kind = kind }, { __index = Reader })
  class.__index = class
  class.__name = "marea reader"
  class.__close = Reader.close
  -- A generic `for` passes nil at its beginning, and then the first of the last values.
  class.__call = function(self, _, last)
    if last == nil then raise_or_pass(self:restart()) end
    return raise_or_pass(self:next())
  end
  return class
end

--- Opens a new reader. A `for` takes all four results and closes the reader when it ends.
function reader.start(self)
  local source, message = self:open()
  if not source then return nil, message end
  self.source, self.fresh = source, true
  return self, nil, nil, self
end

return reader
