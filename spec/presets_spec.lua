-- Presets and stages against the tools that they reproduce: tokens, places, counts and ids that
-- scripts/fixtures/presets.py computed with the tools themselves.
local json = require "marea.json"
local marea = require "marea"
local text = marea.text

local function golden()
  local file = assert(io.open("spec/golden/presets.json", "rb"))
  local data = assert(json.decode(file:read("a")))
  file:close()
  return data
end

local data = golden()

-- Every list of texts once, so that messages are short: item by item.
local function same_lists(expected, actual, texts)
  assert.are.equal(#expected, #actual)
  for i = 1, #expected do
    assert.are.same(expected[i], actual[i], ("text %d: %q"):format(i, texts[i]))
  end
end

local function check_tokens(case, pipeline, texts)
  local tokens = {}
  for i, source in ipairs(texts) do tokens[i] = pipeline:tokens(source) end
  same_lists(case.tokens, tokens, texts)
end

-- The file has bytes from 0 and the end behind the last.
local function check_places(case, pipeline, texts)
  local places = {}
  for i, source in ipairs(texts) do
    local tokens, first, last = pipeline:tokens(source, { places = true })
    places[i] = {}
    for k = 1, #tokens do places[i][k] = { first[k] - 1, last[k] } end
  end
  same_lists(case.places, places, texts)
end

local function check_vocabulary(case, pipeline)
  local ids, count = {}, 0
  for word, id in pairs(case.vocabulary) do
    ids[word], count = pipeline.vocabulary:id(word), count + 1
    assert.are.equal(id, ids[word], ("id of %q"):format(word))
  end
  local padding = pipeline.pad and not case.vocabulary[pipeline.pad] and 1 or 0
  assert.are.equal(count, pipeline.vocabulary:size() - padding)
end

local function check_counts(case, pipeline)
  local number = 0
  for word, count in pairs(case.counts) do
    assert.are.equal(count, (pipeline.vocabulary:count(word)), ("count of %q"):format(word))
    assert.is_truthy(pipeline.vocabulary:id(word), word)
    number = number + 1
  end
  assert.are.equal(number, #pipeline.vocabulary)
end

describe("As the tool itself:", function()
  for _, case in ipairs(data.cases) do
    it(case.name, function()
      local texts = case.texts == "lines" and data.lines or data.texts
      local pipeline = text.Pipeline(case.pipeline)
      if case.tokens then check_tokens(case, pipeline, texts) end
      if case.places then check_places(case, pipeline, texts) end
      if not (case.vocabulary or case.counts) then return end
      pipeline:fit(texts)
      if case.vocabulary then check_vocabulary(case, pipeline) end
      if case.counts then check_counts(case, pipeline) end
      if case.ids then same_lists(case.ids, (pipeline:encode(texts)), texts) end
    end)
  end

  it("the file has enough of everything", function()
    assert.is_true(#data.texts >= 40 and #data.cases >= 50)
  end)
end)
