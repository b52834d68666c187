--- Tables as text: CSV and TSV.
-- @module marea.corpora.tables
local native = require "marea.native"
local options = require "marea.nn.options"
local reader = require "marea.corpora.reader"

local tables = {}

local Csv = reader.class("csv")

-- Where the wanted columns are, by name or number.
local function find_columns(self)
  local places, repeated = {}, {}
  for place, name in ipairs(self.header or {}) do
    repeated[name] = places[name] ~= nil
    places[name] = places[name] or place
  end
  local found = {}
  for i, wanted in ipairs(self.columns or self.header) do
    if math.type(wanted) == "integer" then
      found[i] = wanted
      if wanted < 1 or self.header and wanted > #self.header then
        return nil, ('"%s" line 1: there is no column %d'):format(self.path, wanted)
      end
    elseif places[wanted] and not repeated[wanted] then
      found[i] = places[wanted]
    else
      return nil, ('"%s" line 1: there is %s column "%s" in the header'):format(self.path,
        repeated[wanted] and "more than one" or "no", wanted)
    end
  end
  return found
end

function Csv:open()
  local source, message = native.csv(self.path, self.separator, self.quote, self.longest)
  if not source or not self.has_header then return source, message end
  self.header, message = source:row()
  if not self.header then
    source:close()
    return nil, message or ('"%s" is empty'):format(self.path)
  end
  self.places, message = find_columns(self)
  if not self.places then
    source:close()
    return nil, message
  end
  return source
end

function Csv:read(source)
  if self.columns then return source:next(self.places) end
  local row, message = source:row()
  if not row or not self.has_header then return row, message end
  local named = {}
  for place, name in ipairs(self.header) do named[name] = row[place] end
  return named
end

function Csv:read_batch(source, bytes)
  if not self.places then
    error("csv: batches of a file without a header need columns = { … }", 0)
  end
  if self.columns then return source:batch(bytes, self.places) end
  local lists = table.pack(source:batch(bytes, self.places))
  if lists[1] == nil then return nil, lists[2] end
  local named = {}
  for i, name in ipairs(self.header) do named[name] = lists[i] end
  return named
end

--- Counts so far: { line (on which the last row begins), rows (the header too), empty_lines }.
function Csv:report()
  if not self.source then error("csv: the reader is closed", 2) end
  local line, rows, empty = self.source:report()
  return { line = line, rows = rows, empty_lines = empty }
end

local function check_columns(who, columns, header)
  if type(columns) ~= "table" or #columns == 0 then
    error(who .. ": columns must be a list of names or numbers, got " .. options.show(columns), 0)
  end
  for _, column in ipairs(columns) do
    local kind = math.type(column) or type(column)
    if kind ~= "integer" and (kind ~= "string" or not header) then
      error(("%s: a column must be a number%s, got %s"):format(who, header and " or a name" or
        " (there is no header)", options.show(column)), 0)
    end
  end
end

--- The rows of a table, by the rules of RFC 4180: cells with separators, line ends or quotes stand
-- in quotes, and a quote in them is doubled. Lines may end with LF or CR LF. Empty lines are passed
-- over and counted; a byte order mark is left out.
-- @tparam string path plain or gzip
-- @tparam[opt] table given
--
-- - `columns`: list of names or numbers (from 1); each step then gives these cells as values, in
--   this order. Without it each step gives a table: name → cell, or a list when there is no header
-- - `header` (true): the first row holds the names, found in `reader.header`
-- - `separator` (",") and `quote` ('"'): one byte each; `quote = false`: quotes mean nothing
-- - `longest` (268435456): a row with more bytes is an error
-- @return a reader, or nil and a message with path, line and column
function tables.csv(path, given)
  local read = options.read("corpora.csv", given, { columns = options.optional, header = true,
    separator = ",", quote = '"', longest = options.optional })
  options.boolean("corpora.csv", "header", read.header)
  if read.columns ~= nil then check_columns("corpora.csv", read.columns, read.header) end
  if read.longest then options.integer("corpora.csv", "longest", read.longest) end
  for _, name in ipairs{ "separator", "quote" } do
    local value = read[name]
    if not (name == "quote" and value == false) and (type(value) ~= "string" or #value ~= 1) then
      error(("corpora.csv: %s must be a string of one byte, got %s"):format(name,
        options.show(value)), 0)
    end
  end
  return reader.start(setmetatable({ path = path, columns = read.columns, has_header = read.header,
    places = read.columns, separator = read.separator, quote = read.quote or "",
    longest = read.longest }, Csv))
end

--- Tab-separated values, in which quotes mean nothing: csv with other defaults.
-- @return a reader, or nil and a message
function tables.tsv(path, given)
  local read = { separator = "\t", quote = false }
  for name, value in pairs(given or {}) do read[name] = value end
  return tables.csv(path, read)
end

--- Reads columns of a file of tab-separated values with a header line, all at once.
-- @tparam string path plain or gzip
-- @tparam {string,...} columns
-- @treturn table column name → list of strings
-- @return nil and a message for a file that is missing, cut short or has a line with too few cells
function tables.read_tsv(path, columns)
  return tables.read_table(tables.tsv(path, { columns = columns }))
end

--- All rows of a csv reader with `columns`: column → list of strings.
-- @return nil and a message
function tables.read_table(opened, message)
  if not opened then return nil, message end
  local rows <close> = opened
  local lists = table.pack(rows:read_batch(rows.source, math.maxinteger))
  if lists[1] == nil and lists[2] then return nil, lists[2] end
  local result = {}
  for i, name in ipairs(rows.columns) do result[name] = lists[i] or {} end
  return result
end

return tables
