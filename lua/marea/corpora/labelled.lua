--- Labelled short texts: Spanish tweets, TREC's questions.
-- @module marea.corpora.labelled
local native = require "marea.native"
local options = require "marea.nn.options"
local files = require "marea.corpora.files"
local lines = require "marea.corpora.lines"
local tables = require "marea.corpora.tables"

local labelled = {}

-- Columns label and text of a part: a table, or the original pair of files, a line for each tweet.
local function read_tweets(dir, name)
  local path, message = files.find(dir, { "es-sentiment-tweets" },
    { name .. ".tsv", name .. "_text.txt" })
  if not path then return nil, message end
  if not path:find("_text.txt", 1, true) then
    local columns
    columns, message = tables.read_tsv(path, { "label", "text" })
    return columns, columns and path or message
  end
  local labels_path, texts, labels
  texts, message = lines.read_lines(path)
  if not texts then return nil, message end
  labels_path, message = files.find(dir, { "es-sentiment-tweets" }, name .. "_labels.txt")
  if not labels_path then return nil, message end
  labels, message = lines.read_lines(labels_path)
  if not labels then return nil, message end
  if #labels ~= #texts then
    return nil, ('"%s": %d labels for %d texts'):format(labels_path, #labels, #texts)
  end
  return { label = labels, text = texts }, labels_path
end

--- The Spanish part of UMSAB (Barbieri et al., 2022; InterTASS 2017): tweets, balanced. Reads tables
-- train.tsv, val.tsv, test.tsv, or the original train_text.txt and train_labels.txt and so on.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { train = { texts, labels }, valid = …, test = …, label_names }; labels: int32
-- tensor (N): 0 negative, 1 neutral, 2 positive
-- @return nil and a message
function labelled.es_sentiment_tweets(given)
  local read = options.read("corpora.es_sentiment_tweets", given, { dir = options.optional },
    { "dir" })
  local dir, message = files.folder("corpora.es_sentiment_tweets", read.dir)
  if not dir then return nil, message end
  local result = { label_names = { [0] = "negative", "neutral", "positive" } }
  for part, name in pairs{ train = "train", valid = "val", test = "test" } do
    local columns, path = read_tweets(dir, name)
    if not columns then return nil, path end
    for i, label in ipairs(columns.label) do
      if not label:find("^[012]$") then
        return nil, ('"%s" row %d: the label is "%s", expected 0, 1 or 2'):format(path, i, label)
      end
    end
    result[part] = { texts = columns.text, labels = native.numbers(columns.label, "int32") }
  end
  return result
end

-- "DESC:manner How did …" → DESC, manner, text; the original is Latin-1.
local function read_original(path)
  local rows = { coarse = {}, fine = {}, text = {} }
  local list, message = lines.read_lines(path)
  if not list then return nil, message end
  for i, line in ipairs(list) do
    local coarse, fine, text = line:match("^([A-Z]+):([A-Za-z]+) (.*)$")
    if not coarse then
      return nil, ('"%s" line %d: expected CLASS:kind and a question'):format(path, i)
    end
    if not utf8.len(text) then
      text = text:gsub("[\x80-\xff]", function(byte) return utf8.char(byte:byte()) end)
    end
    rows.coarse[i], rows.fine[i], rows.text[i] = coarse, fine, text
  end
  return rows
end

-- Ids from 0 on of names, in byte order of the names of all parts.
local function number_names(parts, key)
  local names, ids = {}, {}
  for _, rows in pairs(parts) do
    for _, name in ipairs(rows[key]) do
      if not ids[name] then
        ids[name] = 0
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do ids[name] = i - 1 end
  local by_id = {}
  for name, id in pairs(ids) do by_id[id] = name end
  return ids, by_id
end

local function as_labels(names, ids)
  local list = {}
  for i, name in ipairs(names) do list[i] = ids[name] end
  return native.tensor(list, { dtype = "int32" })
end

--- TREC's questions by what they ask for (Li & Roth, 2002): 6 classes, 50 fine ones. Reads the
-- tables train.tsv and test.tsv, or the original train_5500.label and TREC_10.label.
-- @tparam[opt] table given `dir` (default: MAREA_DATA)
-- @treturn table { train = { texts, labels, fine_labels }, test = …, label_names, fine_names };
-- labels: int32 tensors (N); names by label, from 0, in byte order; fine ones as "DESC:manner"
-- @return nil and a message
function labelled.trec_questions(given)
  local read = options.read("corpora.trec_questions", given, { dir = options.optional }, { "dir" })
  local dir, message = files.folder("corpora.trec_questions", read.dir)
  if not dir then return nil, message end
  local parts = {}
  for part, original in pairs{ train = "train_5500.label", test = "TREC_10.label" } do
    local path, rows
    path, message = files.find(dir, { "trec-questions" }, { part .. ".tsv", original })
    if not path then return nil, message end
    if path:find(original, 1, true) then rows, message = read_original(path)
    else rows, message = tables.read_tsv(path, { "coarse", "fine", "text" })
    end
    if not rows then return nil, message end
    for i, fine in ipairs(rows.fine) do rows.fine[i] = rows.coarse[i] .. ":" .. fine end
    parts[part] = rows
  end
  local coarse_ids, label_names = number_names(parts, "coarse")
  local fine_ids, fine_names = number_names(parts, "fine")
  local result = { label_names = label_names, fine_names = fine_names }
  for part, rows in pairs(parts) do
    result[part] = { texts = rows.text, labels = as_labels(rows.coarse, coarse_ids),
      fine_labels = as_labels(rows.fine, fine_ids) }
  end
  return result
end

return labelled
