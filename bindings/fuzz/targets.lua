-- What the fuzz targets do with an input: its bytes, and the path of a file that holds them.
-- Whatever the bytes, a parser gives a result or a message of ours; Lua's own errors ("attempt to
-- index a nil value") are bugs.
local marea = require "marea"
local json, text = marea.json, marea.text

local targets = {}

local function check_message(message)
  assert(type(message) == "string" and message ~= "", "no message")
  -- What stands behind a quote may be the input's.
  for _, part in ipairs{ "attempt to ", "invalid order function", "stack overflow" } do
    assert(not message:find("^[^\"']*" .. part), message)
  end
end

-- f raises messages of ours, or gives what is returned.
local function raising(f, ...)
  local results = table.pack(xpcall(f, function(message)
    return type(message) == "string" and message:find("^[^\"']*attempt to ")
      and debug.traceback(message, 2) or message
  end, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  check_message(results[2])
end

-- f gives a result, or nil and a message.
local function giving(f, ...)
  local result, message = f(...)
  if result == nil then check_message(message) end
  return result
end

function targets.json(bytes)
  local value, message = json.decode(bytes)
  if value == nil then
    if message then check_message(message) end
    return
  end
  -- A list that holds null, or an object without anything, is not told apart: the second round is.
  local ok, written = pcall(json.encode, value)
  if not ok then return check_message(written) end
  local again = json.encode(giving(json.decode, written))
  assert(again == written or written:find("null", 1, true), written)
end

local SAMPLES <const> = { "¿El niño corrió?  the sea", "", "a\u{301} 👩‍👧 <b>x</b> 12" }

function targets.vocabulary(bytes, path)
  local v = giving(text.Vocabulary.load, path, { specials = { "<pad>" } })
  if v then
    for id = 0, math.min(v:size(), 50) - 1 do assert(v:id(v:word(id)) ~= nil) end
    assert(#tostring(v) > 0 and #v:table(5) > 0)
  end
  local config = json.decode(bytes)
  if config == nil then return end
  v = raising(text.Vocabulary.from_config, config)
  if v then assert(#v:table(5) > 0 and json.encode(v:get_config())) end
end

function targets.keras_tokenizer(bytes)
  local tokenizer = giving(text.Tokenizer.from_json, bytes)
  if not tokenizer then return end
  for _, ids in ipairs(tokenizer:texts_to_sequences(SAMPLES)) do tokenizer:sequences_to_texts{ ids } end
  assert(text.Tokenizer.from_json(tokenizer:to_json()))
end

function targets.pipeline_config(bytes)
  local config = json.decode(bytes)
  if config == nil then return end
  local pipeline = raising(text.Pipeline.from_config, config)
  if not pipeline then return end
  raising(pipeline.encode, pipeline, SAMPLES)
  if pipeline.phrases then assert(type(pipeline.phrases[1]:top(3)) == "table") end
  for _, sample in ipairs(SAMPLES) do
    local tokens, first, last = pipeline:tokens(sample, { places = true })
    for i = 1, #tokens do assert(first[i] >= 1 and last[i] <= #sample and first[i] <= last[i] + 1) end
  end
  assert(json.encode(pipeline:get_config()))
end

function targets.tokenizer_json(bytes, path)
  local tokenizer = giving(text.huggingface.load, path)
  if not tokenizer then return end
  local ids = raising(tokenizer.encode, tokenizer, SAMPLES)
  for _, list in ipairs(ids or {}) do
    local decoded = raising(tokenizer.decode, tokenizer, list, { specials = true })
    assert(decoded == nil or type(decoded) == "string")
  end
  for _, sample in ipairs(SAMPLES) do
    local _, first, last = raising(tokenizer.places, tokenizer, sample)
    for i = 1, #(first or {}) do
      assert(first[i] >= 1 and last[i] <= #sample and first[i] <= last[i] + 1)
    end
  end
  local again = raising(text.huggingface.describe, tokenizer)
  if again then giving(json.decode, json.encode(again)) end
  raising(text.SubwordTokenizer.from_config, json.decode(json.encode(tokenizer:get_config())))
  assert(bytes)
end

function targets.model(_, path)
  giving(marea.load, path)
end

return targets
