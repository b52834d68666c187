--- Lines of text files.
-- @module marea.corpora.lines
local native = require "marea.native"
local options = require "marea.nn.options"
local reader = require "marea.corpora.reader"

local lines = {}

local Lines = reader.class("lines")

function Lines:open() return native.lines(self.path, self.longest) end
function Lines.read(_, source) return source:next() end
function Lines.read_batch(_, source, bytes) return source:batch(bytes) end

--- The number of the line that came last.
function Lines:number() return self.source and self.source:number() or 0 end

--- The lines of a file, plain or gzip (told by its content), without LF or CR LF.
-- @tparam string path
-- @tparam[opt] table given `longest` (268435456): a line of more bytes is an error
-- @return a reader, or nil and a message
function lines.lines(path, given)
  local read = options.read("corpora.lines", given, { longest = options.optional })
  if read.longest then options.integer("corpora.lines", "longest", read.longest) end
  return reader.start(setmetatable({ path = path, longest = read.longest }, Lines))
end

--- All lines of a file as a list.
-- @return nil and a message
function lines.read_lines(path)
  local source, message = native.lines(path)
  if not source then return nil, message end
  local opened <close> = source
  local list
  list, message = opened:batch(math.maxinteger)
  if message then return nil, message end
  return list or {}
end

return lines
