--- marea glove: word vectors from a file of text, in one command.
-- @module marea.commands.glove
local glove = require "marea.embeddings.glove"
local native = require "marea.native"

local USAGE <const> = [[
usage: marea glove [options] corpus output

Trains GloVe vectors (Pennington, Socher & Manning, 2014). Every line of the corpus, plain or gzip,
is a document. The output has a line a word: the word, then its numbers, with as many digits as give
the same number back; with --write-header 1 a line "words size" comes first. A name that ends in
.safetensors gets Marea's own form, which is mapped when it is loaded, one that ends in .bin word2vec's
binary form. "-" is standard output.

  --vector-size N (50)     --iter N (25)            --window-size N (15)
  --x-max X (100; less for small corpora)           --alpha X (0.75)     --eta X (0.05)
  --grad-clip X (100)      --min-count N (5)        --max-vocab N
  --symmetric 0|1 (1)      --distance-weighting 0|1 (1)
  --memory GB (4)          --folder PATH for temporary files
  --model sum|word|context|all (sum; all: word vector, bias, context vector, bias)
  --unk 0|1 (0; 1: a last row <unk>, the mean of the 100 rarest words)
  --compat stanford|paper (stanford)
  --seed N (1)             --threads N              --deterministic 0|1 (1)
  --pipeline NAME (unicode; "glove" cuts at blanks alone)
  --checkpoint PATH        --checkpoint-every N (1) --resume 0|1 (0)
  --save-vocab PATH        "word count" lines       --write-header 0|1 (0)
  --verbose 0|1 (1)
]]

local kinds = { -- option → how its value is read
  vector_size = "number", iter = "number", window_size = "number", x_max = "number",
  alpha = "number", eta = "number", grad_clip = "number", min_count = "number",
  max_vocab = "number", symmetric = "switch", distance_weighting = "switch", memory = "number",
  folder = "text", model = "text", unk = "switch", compat = "text", seed = "number", threads = "number",
  deterministic = "switch", pipeline = "text", checkpoint = "text", checkpoint_every = "number",
  resume = "switch", save_vocab = "text", write_header = "switch", verbose = "number",
}

local function fail(message)
  io.stderr:write("marea glove: ", message, "\n")
  os.exit(1, true)
end

local function read_value(option, text)
  if text == nil then fail(option .. " needs a value") end
  local kind = kinds[option:gsub("^%-+", ""):gsub("-", "_")]
  if kind == "text" then return text end
  if kind == "switch" then
    if text ~= "0" and text ~= "1" then fail(option .. " takes 0 or 1, got " .. text) end
    return text == "1"
  end
  return tonumber(text) or fail(option .. " takes a number, got " .. text)
end

local function read_arguments(arguments)
  local given, files, i = {}, {}, 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "-h" or word == "--help" then
      io.stdout:write(USAGE)
      os.exit(0, true)
    elseif word:sub(1, 1) == "-" and word ~= "-" then
      local name = word:gsub("^%-+", ""):gsub("-", "_")
      if not kinds[name] then fail("unknown option " .. word .. "; --help lists them") end
      given[name] = read_value(word, arguments[i + 1])
      i = i + 1
    else
      files[#files + 1] = word
    end
    i = i + 1
  end
  if #files ~= 2 then fail("expected a corpus and an output; --help explains") end
  return given, files[1], files[2]
end

-- The formats that a file's name asks for; others are text.
local formats = { safetensors = "marea", bin = "word2vec" }

-- Standard output gets the file that any other name would get.
local function print_file(vectors, format)
  local path = os.tmpname()
  local _ <close> = setmetatable({}, { __close = function() os.remove(path) end })
  local ok, message = vectors:save(path, { format = format })
  if not ok then return nil, message end
  local file <close> = assert(io.open(path, "rb"))
  return io.stdout:write(file:read("a"))
end

local function save(vectors, training, path, header)
  if #training.words == 0 then return nil, "the corpus has no words" end
  local format = formats[path:match("%.(%w+)$")] or (header and "text" or "glove")
  if path == "-" then return print_file(vectors, format) end
  return vectors:save(path, { format = format })
end

local function main(arguments)
  local given, corpus, output = read_arguments(arguments)
  local save_vocab, header = given.save_vocab, given.write_header
  given.save_vocab, given.write_header = nil, nil
  if given.threads then native.threads(given.threads) end
  given.threads = nil
  given.verbose = output == "-" and 0 or given.verbose or 1
  if given.model == "both" then fail("--model takes sum, word, context or all") end
  local ok, vectors, training = pcall(glove.train, corpus, given)
  if not ok then fail(tostring(vectors)) end
  if not vectors then fail(training) end
  local written, message = true, nil
  if save_vocab then written, message = training.vocabulary:save(save_vocab) end
  if written then
    written, message = save(vectors, training, output, header)
  end
  if not written then fail(message) end
end

main(arg)
