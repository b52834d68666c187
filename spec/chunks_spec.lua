-- Entities in tags, counted by hand.
local marea = require "marea"
require "spec.helper"
local chunks = marea.chunks

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

describe("chunks.read", function()
  it("finds kinds and ends", function()
    assert.same({ { kind = "PER", first = 1, last = 2 }, { kind = "PER", first = 3, last = 3 },
      { kind = "LOC", first = 5, last = 5 } }, chunks.read(words "B-PER I-PER B-PER O B-LOC"))
    assert.same({}, chunks.read(words "O O"))
    assert.same({}, chunks.read{})
  end)

  it("begins an entity where an I follows something else", function()
    assert.same({ { kind = "LOC", first = 1, last = 1 }, { kind = "PER", first = 2, last = 3 } },
      chunks.read(words "I-LOC I-PER I-PER"))
  end)

  it("says what a tag should look like", function()
    assert.fails('the tag "PER" is neither O nor B-… nor I-…', chunks.read, { "PER" })
    assert.fails("tags are strings", chunks.read, { 3 })
    assert.fails("expected a list of tags", chunks.read, "O")
  end)
end)

describe("chunks.score", function()
  it("wants kind and both ends right", function()
    local truth = { words "B-PER I-PER O B-LOC", words "B-ORG O B-PER" }
    local found = { words "B-PER O O B-LOC", words "B-LOC O B-PER" }
    local score = chunks.score(truth, found)
    assert.same({ 4, 4, 2 }, { score.truth, score.found, score.right })
    assert.equal(0.5, score.precision)
    assert.equal(0.5, score.recall)
    assert.equal(0.5, score.f1)
    assert.equal(0.5, score.kinds.PER.f1)
    assert.equal(0.5, score.kinds.LOC.precision)
    assert.equal(1, score.kinds.LOC.recall)
    assert.equal(0, score.kinds.ORG.f1)
    assert.truthy(tostring(score):find("all           50.00%   50.00%   50.00%         4", 1, true))
  end)

  it("is 0 where nothing is there, not NaN", function()
    assert.equal(0, chunks.score({ { "O" } }, { { "O" } }).f1)
    assert.equal(0, chunks.score({}, {}).f1)
  end)

  it("names the sentence that does not fit", function()
    assert.fails("sentence 2 has 1 tags and 2 were found", chunks.score, { { "O" }, { "O" } },
      { { "O" }, { "O", "O" } })
    assert.fails("of the same sentences", chunks.score, { { "O" } }, {})
  end)
end)
