-- The word vectors that come with Marea, and how they are made.
local folders = require "spec.folders"
local marea = require "marea"
local corpora = marea.corpora

local program = require("spec.helper").program

local function output_of(command)
  local process = assert(io.popen(command .. " 2>&1"))
  local text = process:read("a")
  return process:close(), text
end

-- Words that belong together; what is asked, and what must be among the ten nearest answers.
local known = {
  en = {
    pairs = { { "king", "queen" }, { "film", "movie" }, { "boring", "dull" }, { "monday", "friday" },
      { "father", "mother" }, { "red", "blue" }, { "actor", "actress" }, { "three", "four" } },
    analogies = { { "man", "king", "woman", "queen" }, { "france", "paris", "germany", "berlin" },
      { "he", "his", "she", "her" } },
    odd = { "breakfast", "lunch", "dinner", "violin" },
  },
  es = {
    pairs = { { "rey", "reina" }, { "padre", "madre" }, { "lunes", "viernes" }, { "rojo", "azul" },
      { "tristeza", "alegría" }, { "niño", "niña" }, { "perro", "gato" }, { "tres", "cuatro" } },
    analogies = { { "hombre", "rey", "mujer", "reina" }, { "hermano", "hermana", "tío", "tía" },
      { "él", "señor", "ella", "señora" } },
    odd = { "desayuno", "almuerzo", "cena", "violín" },
  },
}

describe("the vectors that come with Marea:", function()
  it("their files are those that the list of checksums names", function()
    local ok, text = output_of("cd corpora && sha256sum --check --quiet SHA256SUMS")
    assert.is_true(ok, text)
    for _, language in ipairs{ "en", "es" } do
      local listed = false
      for line in io.lines("corpora/SHA256SUMS") do
        listed = listed or line:find(("vectors_%s.safetensors"):format(language), 1, true) ~= nil
      end
      assert.is_true(listed)
    end
  end)

  for language, facts in pairs(known) do
    describe(language, function()
      local vectors = assert(corpora.vectors(language))

      it("are small, in bytes, and say where they come from", function()
        assert.are.equal("int8", vectors.type)
        assert.are.equal(16000, #vectors)
        assert.are.equal(80, vectors.width)
        for _, name in ipairs{ "made_by", "method", "texts", "tokens", "licence", "language" } do
          assert.are.equal("string", type(vectors.card[name]), name)
        end
        assert.are.equal(language, vectors.card.language)
        assert.are.equal(#vectors, #assert(corpora.vectors{ language = language }))
      end)

      it("put together what belongs together", function()
        -- words far down the list, which have nothing to do with each other
        local others, sum = vectors:words(3000, 3199), 0
        for i = 1, #others, 2 do sum = sum + vectors:similarity(others[i], others[i + 1]) end
        local usual = sum / (#others / 2)
        for _, pair in ipairs(facts.pairs) do
          local cosine = vectors:similarity(pair[1], pair[2])
          assert.is_true(cosine > usual + .2, ("%s, %s: %.3f, usual %.3f"):format(pair[1], pair[2],
            cosine, usual))
        end
      end)

      it("answer the course's questions", function()
        for _, q in ipairs(facts.analogies) do
          local found = {}
          for i, item in ipairs(vectors:analogy(q[1], q[2], q[3])) do found[item.word] = i end
          assert.is_truthy(found[q[4]], table.concat(q, " "))
        end
        assert.are.equal(facts.odd[4], (vectors:doesnt_match(facts.odd)))
      end)

      it("cover the reviews", function()
        local tokenizer = marea.text.Tokenizer{}
        tokenizer:fit_on_texts(assert(corpora.reviews{ language = language }).train.texts)
        local _, coverage = vectors:matrix(tokenizer)
        assert.is_true(coverage.tokens.share > .85, tostring(coverage))
      end)
    end)
  end

  it("say what is wrong", function()
    assert.fails("language must be one of en, es", corpora.vectors, "fr")
    assert.fails("corpora.vectors", corpora.vectors, {})
    local vectors, message = corpora.vectors{ language = "es", dir = "/nowhere" }
    assert.is_nil(vectors)
    assert.is_truthy(message:find("/nowhere/vectors_es.safetensors", 1, true), message)
  end)
end)

describe("scripts/make_vectors.lua", function()
  after_each(folders.clean)

  it("makes the same file of the same texts, on one thread or two", function()
    if not program then return pending("runs only in our own interpreter") end
    local folder = folders.new{
      ["es-quijote/quijote.txt"] = ("En un lugar de la Mancha\nvivía un hidalgo.\n\n"):rep(20),
      ["es-novels/a.txt"] = ("La mujer miró al rey y la reina miró al hombre.\n"):rep(30),
      ["es-novels/remarks.md"] = "no text\n",
      ["spa-eng/spa.txt"] = ("A hundred.\tUn centenar.\n"):rep(9),
    }
    local said = {}
    for threads = 1, 2 do
      local ok, text = output_of(("MAREA_ISA=baseline MAREA_THREADS=%d %q scripts/make_vectors.lua es "
        .. "--data %s --size 8 --epochs 2 --output %s/%d.safetensors"):format(threads, program, folder,
        folder, threads))
      assert.is_true(ok, text)
      said[threads] = text
    end
    assert.is_truthy(said[1]:find("     1 texts of spa-eng", 1, true), said[1]) -- each sentence once
    assert.is_truthy(said[1]:find("    30 texts of es-novels", 1, true), said[1])
    local ok, text = output_of(("cmp %s/1.safetensors %s/2.safetensors"):format(folder, folder))
    assert.is_true(ok, text)
    local vectors = assert(marea.embeddings.load(folder .. "/1.safetensors"))
    assert.is_true(vectors:has("reina"))
    assert.are.equal("int8", vectors.type)
    assert.are.equal("CC BY 4.0", vectors.card.licence)
  end)

  it("says what is wrong", function()
    if not program then return pending("runs only in our own interpreter") end
    for arguments, part in pairs{
      [""] = "expected the language, en or es", ["fr"] = "expected the language, en or es",
      ["en --colour red"] = "unknown option or missing value: --colour",
      ["en --size big"] = "--size must be a whole number",
      ["en --data /nowhere"] = "/nowhere",
    } do
      local ok, text = output_of(("MAREA_DATA= %q scripts/make_vectors.lua %s"):format(program,
        arguments))
      assert.is_falsy(ok, arguments)
      assert.is_truthy(text:find(part, 1, true), text)
    end
  end)
end)
