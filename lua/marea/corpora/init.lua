--- Corpora: readers of files of any size, and loaders of public data sets.
--
--     for text, label in assert(corpora.directory("reviews")) do print(label, #text) end
--     local imdb = assert(corpora.imdb{ dir = "aclImdb" })
--     print(#imdb.train.texts, imdb.train.labels)
--
-- Readers go through a file in constant memory: `lines`, `csv`, `tsv`, `directory`, `conll`,
-- `conllu`. Files may be plain or gzip, told by their content.
--
-- Loaders read a set as a whole: each takes { dir = … } (the folder of the set or the one above it;
-- default: the variable MAREA_DATA) and returns a table with the parts train, valid, test (those
-- that there are), or nil and a message with the file's name and the line. `scripts/corpus` fetches
-- the public originals.
-- @module marea.corpora
local corpora = { imdb_ids = require "marea.corpora.imdb_ids" }

for _, name in ipairs{ "lines", "tables", "directory", "sentences", "reviews", "labelled", "tagged",
  "running", "words", "numbers", "parts" } do
  for key, value in pairs(require("marea.corpora." .. name)) do corpora[key] = value end
end

--- A whole file as a string, unpacked when it is gzip, without a byte order mark.
-- @function read_text
-- @tparam string path
-- @tparam[opt=268435456] integer longest most bytes
-- @return nil and a message
corpora.read_text = require("marea.native").read_text

--- A tensor from an IDX file (the format of MNIST).
-- @function read_idx
-- @tparam string path
-- @tparam[opt="real"] string dtype "real" or "int32"
-- @return nil and a message
corpora.read_idx = require("marea.native").idx

return corpora
