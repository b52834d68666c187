--- Reviews of films: those that come with Marea, IMDB's, and the polarity set 2.0.
-- @module marea.corpora.reviews
local native = require "marea.native"
local options = require "marea.nn.options"
local directory = require "marea.corpora.directory"
local files = require "marea.corpora.files"
local lines = require "marea.corpora.lines"
local tables = require "marea.corpora.tables"

local reviews = {}

-- Columns of a file with labels 0 and 1; extra ones when the header has them.
local function labelled(path, extra)
  local opened, message = tables.tsv(path)
  if not opened then return nil, message end
  local wanted = { "label", "text" }
  for _, name in ipairs(opened.header) do
    for _, other in ipairs(extra or {}) do
      if name == other then wanted[#wanted + 1] = name end
    end
  end
  opened:close()
  local columns
  columns, message = tables.read_tsv(path, wanted)
  if not columns then return nil, message end
  local labels = columns.label
  for i, label in ipairs(labels) do
    if label ~= "0" and label ~= "1" then
      return nil, ('"%s" line %d: the label is "%s", expected 0 or 1'):format(path, i + 1, label)
    end
  end
  return { texts = columns.text, labels = native.numbers(labels) }, columns
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
function reviews.reviews(given)
  local read = options.read("corpora.reviews", given,
    { language = options.optional, test_share = 0.2, seed = 1, dir = options.optional })
  options.number("corpora.reviews", "test_share", read.test_share, 0, 1)
  local languages = { read.language or "es", not read.language and "en" or nil }
  local all
  for _, language in ipairs(languages) do
    options.choice("corpora.reviews", "language", language, { "es", "en" })
    local folder = read.dir or files.own_folder()
    local set, message = labelled(("%s/reviews_%s.tsv"):format(folder, language))
    if not set then return nil, message end
    all = all and join(all, set) or set
  end
  local order = native.new_stream(read.seed, 0):permutation(#all.texts):totable()
  local tests = math.floor(#all.texts * read.test_share + 0.5)
  return { test = pick(all, order, 1, tests), train = pick(all, order, tests + 1, #order) }
end

-- IMDB --------------------------------------------------------------------------------------------

local function without_breaks(texts)
  for i, source in ipairs(texts) do texts[i] = source:gsub("<br%s*/?>", " ") end
  return texts
end

local function int32(list) return native.tensor(list, { dtype = "int32" }) end

-- Files named ID_RATING.txt in one folder, by ID.
local function numbered_texts(folder, label)
  local items = {}
  local opened, message = directory.directory(folder, { labels = { label }, suffix = ".txt" })
  if not opened then return nil, message end
  for i = 1, opened:report().files do
    local text, why, path = opened:next()
    if not text then return nil, why end
    local id, rating = path:match("([0-9]+)_([0-9]+)%.txt$")
    if not id then return nil, ('"%s": expected a name as 12_7.txt, ID and rating'):format(path) end
    items[i] = { id = tonumber(id), rating = tonumber(rating), text = text }
  end
  table.sort(items, function(a, b) return a.id < b.id end)
  return items
end

-- A part from the folders neg and pos of the original archive.
local function part_from_folders(folder)
  local texts, labels, ratings, names = {}, {}, {}, {}
  for label, name in ipairs{ "neg", "pos" } do
    local items, message = numbered_texts(folder, name)
    if not items then return nil, message end
    for _, item in ipairs(items) do
      local place = #texts + 1
      texts[place], labels[place], ratings[place] = item.text, label - 1, item.rating
      names[place] = name .. "/" .. item.id
    end
  end
  return { texts = texts, labels = native.tensor(labels), ratings = int32(ratings), names = names }
end

local function part_from_table(path)
  local set, columns = labelled(path, { "rating", "id" })
  if not set then return nil, columns end
  set.names = columns.id
  if columns.rating then
    local ratings, place = native.numbers(columns.rating, "int32")
    if not ratings then
      return nil, ('"%s" line %d: the rating is "%s", expected a number'):format(path, place + 1,
        columns.rating[place])
    end
    set.ratings = ratings
  end
  return set
end

local function imdb_part(dir, part)
  local path, message = files.find(dir, { "imdb" }, part .. ".tsv")
  if path then return part_from_table(path) end
  local folder = files.find_folder(dir, { part, "aclImdb/" .. part, "imdb/aclImdb/" .. part })
  if folder then return part_from_folders(folder) end
  return nil, message
end

local function imdb_unlabelled(dir)
  local path, message = files.find(dir, { "imdb" }, "unsup.txt")
  if not path then
    local folder = files.find_folder(dir, { "train", "aclImdb/train", "imdb/aclImdb/train" })
    if not folder then return nil, message end
    local items
    items, message = numbered_texts(folder, "unsup")
    if not items then return nil, message end
    local texts = {}
    for i, item in ipairs(items) do texts[i] = item.text end
    return { texts = texts }
  end
  local texts
  texts, message = lines.read_lines(path)
  return texts and { texts = texts }, message
end

--- The Large Movie Review Dataset (Maas et al., 2011), from one of two forms in `dir`, `dir`/imdb
-- or `dir`/aclImdb: tables train.tsv and test.tsv (plain or .gz) with the columns label and text,
-- and perhaps id and rating; or the original archive's folders train/neg, train/pos, test/neg,
-- test/pos.
-- @tparam[opt] table given `dir` (default: MAREA_DATA); `breaks` (false): keep `<br />` instead of
-- making it a blank; `unsup` (false): read the 50,000 reviews without label as well
-- @treturn table { train = { texts, labels, ratings, names }, test = …, unsup = { texts } };
-- labels: tensor (N), 1 is positive; ratings: int32 tensor (N), 1 to 10; first all negative
-- reviews, then all positive ones, so shuffle before training
-- @return nil and a message
function reviews.imdb(given)
  local read = options.read("corpora.imdb", given,
    { dir = options.optional, breaks = false, unsup = false }, { "dir" })
  local dir, message = files.folder("corpora.imdb", read.dir)
  if not dir then return nil, message end
  local result = {}
  for _, part in ipairs{ "train", "test" } do
    result[part], message = imdb_part(dir, part)
    if not result[part] then return nil, message end
  end
  if read.unsup then
    result.unsup, message = imdb_unlabelled(dir)
    if not result.unsup then return nil, message end
  end
  if not read.breaks then
    for _, part in pairs(result) do without_breaks(part.texts) end
  end
  return result
end

--- 2,000 training reviews of IMDB as CSV (sample-2000.csv), positive and negative in turn.
-- @tparam[opt] table given `dir`, `breaks` as for imdb
-- @treturn table { train = { texts, labels } }
-- @return nil and a message
function reviews.imdb_sample(given)
  local read = options.read("corpora.imdb_sample", given,
    { dir = options.optional, breaks = false }, { "dir" })
  local dir, message = files.folder("corpora.imdb_sample", read.dir)
  if not dir then return nil, message end
  local path, columns
  path, message = files.find(dir, { "imdb" }, "sample-2000.csv")
  if not path then return nil, message end
  columns, message = tables.read_table(tables.csv(path, { columns = { "sentiment", "review" } }))
  if not columns then return nil, message end
  local labels, values = {}, { negative = 0, positive = 1 }
  for i, name in ipairs(columns.sentiment) do
    labels[i] = values[name]
    if not labels[i] then
      return nil, ('"%s" row %d: the sentiment is "%s", expected positive or negative'):format(path,
        i, name)
    end
  end
  local texts = columns.review
  if not read.breaks then without_breaks(texts) end
  return { train = { texts = texts, labels = native.tensor(labels) } }
end

-- Polarity 2.0 ------------------------------------------------------------------------------------

-- Rows { name, label, fold, text } from the table or from folders neg and pos.
local function polarity_rows(dir)
  local path, message = files.find(dir, { "movie-reviews-v2" }, "movie_reviews.tsv")
  if path then return tables.read_tsv(path, { "name", "label", "fold", "text" }) end
  local folder = files.find_folder(dir, { "movie_reviews", "txt_sentoken",
    "review_polarity/txt_sentoken", "movie-reviews-v2/movie_reviews",
    "movie-reviews-v2/txt_sentoken" })
  if not folder then return nil, message end
  local rows = { name = {}, label = {}, fold = {}, text = {} }
  local opened
  opened, message = directory.directory(folder, { labels = { "neg", "pos" }, suffix = ".txt" })
  if not opened then return nil, message end
  for _ = 1, opened:report().files do
    local text, label, file = opened:next()
    if not text then return nil, label end
    local name, number = file:match("(cv(%d%d%d)_%d+)%.txt$")
    if not name then return nil, ('"%s": expected a name as cv012_3456.txt'):format(file) end
    local i = #rows.name + 1
    rows.name[i], rows.label[i] = name, label == "pos" and "1" or "0"
    rows.fold[i], rows.text[i] = number:sub(1, 1), text
  end
  return rows
end

--- The polarity dataset 2.0 (Pang & Lee, 2004): 1,000 positive and 1,000 negative reviews, split
-- into words already, in ten official folds. Reads movie_reviews.tsv(.gz) or the original folders
-- neg, pos.
-- @tparam[opt] table given `dir` (default: MAREA_DATA); `fold` (0): 0 to 9, which fold is the test
-- part
-- @treturn table { train = { texts, labels, names, folds }, test = …, all = … }; labels: tensor (N)
-- @return nil and a message
function reviews.movie_reviews(given)
  local read = options.read("corpora.movie_reviews", given, { dir = options.optional, fold = 0 },
    { "dir" })
  local fold = options.integer("corpora.movie_reviews", "fold", read.fold, 0)
  if fold > 9 then error("corpora.movie_reviews: fold must be 0 to 9, got " .. fold, 0) end
  local dir, message = files.folder("corpora.movie_reviews", read.dir)
  if not dir then return nil, message end
  local rows
  rows, message = polarity_rows(dir)
  if not rows then return nil, message end
  local result = {}
  for _, part in ipairs{ "train", "test", "all" } do
    local set, labels = { texts = {}, names = {}, folds = {} }, {}
    for i, text in ipairs(rows.text) do
      local own = tonumber(rows.fold[i])
      if part == "all" or (own == fold) == (part == "test") then
        local place = #labels + 1
        set.texts[place], set.names[place], set.folds[place] = text, rows.name[i], own
        labels[place] = tonumber(rows.label[i])
      end
    end
    set.labels = native.tensor(labels)
    result[part] = set
  end
  return result
end

return reviews
