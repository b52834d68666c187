--- Corpora: texts with labels, from files.
--
--     local reviews = corpora.reviews{ language = "es" }
--     local imdb = assert(corpora.imdb{ dir = "aclImdb" })
--     print(#imdb.train.texts, imdb.train.labels)
--
-- Files may be plain or gzip. A file that is missing or broken gives nil and a message with the
-- file's name and the line.
-- @module marea.corpora
local native = require "marea.native"
local options = require "marea.nn.options"

local corpora = {}

-- The folder with the data that the project ships: beside the sources, or installed.
local function own_folder()
  local here = debug.getinfo(1, "S").source:match("^@(.*)/lua/marea/[^/]*$")
  if here then return here .. "/corpora" end
  local installed = debug.getinfo(1, "S").source:match("^@(.*)/lua/5%.4/marea/[^/]*$")
  return installed and installed .. "/marea/corpora"
end

local function cells_of(line)
  local cells = {}
  for cell in (line .. "\t"):gmatch("([^\t]*)\t") do cells[#cells + 1] = cell end
  return cells
end

-- Where the wanted columns are in the header.
local function find_columns(path, header, wanted)
  local places = {}
  for place, name in ipairs(cells_of(header)) do places[name] = place end
  local found = {}
  for _, name in ipairs(wanted) do
    if not places[name] then
      return nil, ('"%s" line 1: there is no column "%s" in the header'):format(path, name)
    end
    found[name] = places[name]
  end
  return found
end

--- Reads columns of a file of tab-separated values with a header line.
-- @tparam string path plain or gzip
-- @tparam {string,...} columns
-- @treturn table column name → list of strings
-- @return nil and a message for a file that is missing, cut short or has a line with too few cells
function corpora.read_tsv(path, columns)
  local reader, message = native.lines(path)
  if not reader then return nil, message end
  local lines <close> = reader
  local header
  header, message = lines:next()
  if not header then return nil, message or ('"%s" is empty'):format(path) end
  local places
  places, message = find_columns(path, header, columns)
  if not places then return nil, message end
  local result, number = {}, 1
  for _, name in ipairs(columns) do result[name] = {} end
  while true do
    local line
    line, message = lines:next()
    if not line then break end
    number = number + 1
    local cells = cells_of(line)
    for name, place in pairs(places) do
      if not cells[place] then
        return nil, ('"%s" line %d: %d cells, the column "%s" is number %d'):format(path, number,
          #cells, name, place)
      end
      result[name][number - 1] = cells[place]
    end
  end
  if message then return nil, message end
  return result
end

-- Texts and labels of a file; labels must be 0 or 1.
local function labelled(path)
  local columns, message = corpora.read_tsv(path, { "label", "text" })
  if not columns then return nil, message end
  local labels = {}
  for i, label in ipairs(columns.label) do
    if label ~= "0" and label ~= "1" then
      return nil, ('"%s" line %d: the label is "%s", expected 0 or 1'):format(path, i + 1, label)
    end
    labels[i] = tonumber(label)
  end
  return { texts = columns.text, labels = native.tensor(labels) }
end

local function join(a, b)
  local texts = table.move(a.texts, 1, #a.texts, 1, {})
  table.move(b.texts, 1, #b.texts, #texts + 1, texts)
  return { texts = texts, labels = native.concat({ a.labels, b.labels }, 1) }
end

local function pick(set, order, first, last)
  local texts, places = {}, {}
  for i = first, last do
    texts[#texts + 1] = set.texts[order[i] + 1]
    places[#places + 1] = order[i]
  end
  return { texts = texts, labels = set.labels:take(native.tensor(places, { dtype = "int32" })) }
end

--- The film reviews that come with Marea: short, in Spanish and English, written for it.
-- @tparam[opt] table given `language` ("es", "en"; default both), `test_share` (0.2), `seed` (1:
-- which reviews are in the test part)
-- @treturn table { train = { texts, labels }, test = … }; labels: tensor (N), 1 is positive
function corpora.reviews(given)
  local read = options.read("corpora.reviews", given,
    { language = options.optional, test_share = 0.2, seed = 1, dir = options.optional })
  options.number("corpora.reviews", "test_share", read.test_share, 0, 1)
  local languages = { read.language or "es", not read.language and "en" or nil }
  local all
  for _, language in ipairs(languages) do
    options.choice("corpora.reviews", "language", language, { "es", "en" })
    local folder = read.dir or own_folder()
    local set, message = labelled(("%s/reviews_%s.tsv"):format(folder, language))
    if not set then return nil, message end
    all = all and join(all, set) or set
  end
  local order = native.new_stream(read.seed, 0):permutation(#all.texts):totable()
  local tests = math.floor(#all.texts * read.test_share + 0.5)
  return { test = pick(all, order, 1, tests), train = pick(all, order, tests + 1, #order) }
end

local function first_readable(paths)
  local message
  for _, path in ipairs(paths) do
    local file, why = io.open(path, "rb")
    if file then
      file:close()
      return path
    end
    message = message or why
  end
  return nil, message
end

--- The Large Movie Review Dataset (Maas et al., 2011), as two tables train.tsv and test.tsv with
-- the columns label and text (plain or .gz), in `dir` or `dir`/imdb.
-- @tparam table given `dir`; `breaks` (false): keep `<br />` instead of making it a blank
-- @treturn table { train = { texts, labels }, test = … }
-- @return nil and a message
function corpora.imdb(given)
  local read = options.read("corpora.imdb", given, { dir = options.required, breaks = false },
    { "dir" })
  local result = {}
  for _, part in ipairs{ "train", "test" } do
    local path, message = first_readable{ ("%s/%s.tsv.gz"):format(read.dir, part),
      ("%s/%s.tsv"):format(read.dir, part), ("%s/imdb/%s.tsv.gz"):format(read.dir, part),
      ("%s/imdb/%s.tsv"):format(read.dir, part) }
    if not path then return nil, message end
    local set
    set, message = labelled(path)
    if not set then return nil, message end
    if not read.breaks then
      for i, source in ipairs(set.texts) do set.texts[i] = source:gsub("<br%s*/?>", " ") end
    end
    result[part] = set
  end
  return result
end

return corpora
