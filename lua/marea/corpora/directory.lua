--- Folders of labelled texts.
-- @module marea.corpora.directory
local native = require "marea.native"
local options = require "marea.nn.options"
local reader = require "marea.corpora.reader"

local directory = {}

-- The source of a directory reader: files that are read one by one.
local Files = {}
Files.__index = Files

function Files:next()
  local item = self.items[self.at + 1]
  if not item then return nil end
  local text, message = native.read_text(item.path, self.longest)
  if not text then return nil, message end
  self.at = self.at + 1
  self.bytes = self.bytes + item.size
  return text, item.label, item.path
end

function Files:progress() return self.bytes, self.total end
function Files.close() end

local Directory = reader.class("directory")

-- Files of a folder and of those in it, in byte order of their names.
local function gather(self, folder, label, items)
  local names, sizes, others = native.folder(folder)
  if not names then return nil, sizes end
  self.skipped = self.skipped + others
  for i, name in ipairs(names) do
    local path = folder .. "/" .. name
    if name:sub(1, 1) == "." or sizes[i] and self.suffix
        and name:sub(-#self.suffix) ~= self.suffix then
      self.skipped = self.skipped + 1
    elseif sizes[i] then
      items[#items + 1] = { path = path, label = label, size = sizes[i] }
    else
      local ok, message = gather(self, path, label, items)
      if not ok then return nil, message end
    end
  end
  return items
end

-- The sub-folders, which are the labels.
local function find_labels(self)
  local names, sizes, others = native.folder(self.path)
  if not names then return nil, sizes end
  local labels = {}
  self.skipped = others
  for i, name in ipairs(names) do
    if sizes[i] or name:sub(1, 1) == "." then self.skipped = self.skipped + 1
    else labels[#labels + 1] = name
    end
  end
  if #labels == 0 then
    return nil, ('"%s" has no sub-folder; each sub-folder is a label'):format(self.path)
  end
  return labels
end

function Directory:open()
  local items, message = {}
  self.skipped = 0
  if self.unlabelled then
    items, message = gather(self, self.path, nil, items)
    if not items then return nil, message end
  else
    self.labels = self.given_labels
    if not self.labels then self.labels, message = find_labels(self) end
    if not self.labels then return nil, message end
    for _, label in ipairs(self.labels) do
      local ok
      ok, message = gather(self, self.path .. "/" .. label, label, items)
      if not ok then return nil, message end
    end
  end
  local total = 0
  for _, item in ipairs(items) do total = total + item.size end
  self.items = items
  return setmetatable({ items = items, at = 0, bytes = 0, total = total, longest = self.longest },
    Files)
end

function Directory.read(_, source)
  return source:next()
end

function Directory.read_batch(_, source, bytes)
  local texts, labels, paths, so_far = {}, {}, {}, 0
  while so_far < bytes do
    local text, label, path = source:next()
    if text == nil then
      if label then return nil, label end -- then it is a message
      break
    end
    local place = #texts + 1
    texts[place], labels[place], paths[place] = text, label, path
    so_far = so_far + #text
  end
  if #texts == 0 then return nil end
  return texts, labels, paths
end

--- Counts: { files, skipped (hidden, with another suffix, links to folders, files beside labels) }.
function Directory:report()
  return { files = #self.items, skipped = self.skipped }
end

--- Texts in folders: each sub-folder of `path` is a label, and the files in it (also further down)
-- are the texts. Labels and files come in byte order of their names, the same on every file system;
-- names with a dot in front are skipped. Each step gives text, label and path; the text is the
-- whole file (unpacked when it is gzip) without a byte order mark.
-- @tparam string path
-- @tparam[opt] table given `labels`: list of those wanted, in the order wanted; false: no labels,
-- the files of the folder itself. `suffix`: only files with this end. `longest` (268435456) bytes
-- of a file
-- @return a reader, or nil and a message; `reader.labels` is the list of labels
function directory.directory(path, given)
  local read = options.read("corpora.directory", given, { labels = options.optional,
    suffix = options.optional, longest = options.optional })
  if read.labels and type(read.labels) ~= "table" then
    error("corpora.directory: labels must be a list of names or false, got "
      .. options.show(read.labels), 0)
  end
  for _, label in ipairs(read.labels or {}) do
    if type(label) ~= "string" or label:find("/", 1, true) or label == "." or label == ".." then
      error("corpora.directory: a label must be the name of a sub-folder, got "
        .. options.show(label), 0)
    end
  end
  return reader.start(setmetatable({ path = path, given_labels = read.labels or nil,
    unlabelled = read.labels == false, suffix = read.suffix, longest = read.longest }, Directory))
end

return directory
