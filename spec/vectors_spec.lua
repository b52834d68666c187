-- Questions to word vectors, changes of their space, and their way into a model.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local embeddings, nn = marea.embeddings, marea.nn

local function golden()
  local file = assert(io.open("spec/golden/vectors.json"))
  local value = assert(marea.json.decode(file:read("a")))
  file:close()
  return value
end

local g = golden()

local function store(kind)
  return embeddings.Vectors{ words = g.words, matrix = g.matrix, type = kind }
end

local function same_list(expected, found, tolerance)
  assert.are.equal(#expected, #found)
  for i, pair in ipairs(expected) do
    assert.are.equal(pair[1], found[i].word)
    assert.is_true(math.abs(pair[2] - found[i].score) <= tolerance * math.max(1, math.abs(pair[2])))
  end
end

describe("vectors answer as gensim does:", function()
  local v = store()

  it("cosines", function()
    for _, case in ipairs(g.similarity) do
      assert.near_all({ case[3] }, { v:similarity(case[1], case[2]) }, 2e-6)
    end
    assert.near_all(g.distances, v:distances("rey", { "reina", "mar", "rey" }), 2e-6)
    assert.near_all({ g.n_similarity },
      { v:n_similarity({ "rey", "mujer" }, { "lobo", "perro", "gato" }) }, 2e-6)
    assert.near_all({ 1 - g.similarity[1][3] }, { v:distances("rey"):get(2) }, 2e-6)
  end)

  it("sums, products, weights, the first rows", function()
    local asked = { positive = { "reina", "hombre" }, negative = { "rey" }, topn = 5 }
    same_list(g.add, v:most_similar(asked), 2e-6)
    asked.method = "mul"
    same_list(g.mul, v:most_similar(asked), 2e-5)
    same_list(g.weighted, v:most_similar{ positive = { { "rey", .5 }, "mar" }, topn = 4 }, 2e-6)
    same_list(g.restricted, v:most_similar{ positive = "mar", topn = 3, restrict_vocab = 6 }, 2e-6)
    same_list(g.add, v:analogy("rey", "reina", "hombre", { topn = 5 }), 2e-6)
  end)

  it("the odd one, ranks, what is closer", function()
    local odd, report = v:doesnt_match{ "rey", "reina", "casa", "mar" }
    assert.are.equal(g.odd, odd)
    assert.is_true(report.margin > 0)
    assert.are.equal(g.rank, v:rank("rey", "mar"))
    local closer = v:closer_than("rey", "mar")
    table.sort(closer)
    assert.are.same(g.closer, closer)
  end)
end)

describe("vectors", function()
  it("find many neighbours at once, as one by one", function()
    local v = store()
    local lists = v:neighbours(g.words, { topn = 4 })
    assert.are.equal(#g.words, #lists)
    for i, word in ipairs(g.words) do
      local alone = {}
      for j, item in ipairs(v:most_similar{ positive = word, topn = 4 }) do
        alone[j] = { item.word, item.score }
      end
      same_list(alone, lists[i], 2e-6)
    end
    local by_tensor = v:neighbours(v:vectors{ "rey" } * 3, { topn = 1 })
    assert.are.equal("rey", by_tensor[1][1].word)
  end)

  it("give the same bits for any number of threads, and plain sorting's order", function()
    marea.manual_seed(5)
    local words = {}
    for i = 1, 5000 do words[i] = "w" .. i end
    local v = embeddings.Vectors{ words = words, matrix = marea.randn{ 5000, 33 } }
    local before, results = marea.threads(), {}
    for _, threads in ipairs{ 1, 2, 5 } do
      marea.threads(threads)
      local text = {}
      for _, list in ipairs(v:neighbours({ "w1", "w77", "w4999" }, { topn = 30 })) do
        for _, item in ipairs(list) do text[#text + 1] = ("%s %a"):format(item.word, item.score) end
      end
      for _, item in ipairs(v:most_similar("w9")) do
        text[#text + 1] = ("%s %a"):format(item.word, item.score)
      end
      results[#results + 1] = table.concat(text, "\n")
    end
    marea.threads(before)
    assert.are.equal(results[1], results[2])
    assert.are.equal(results[1], results[3])
    local scores, order = v.core:cosines(v:vector("w77", { unit = true })):totable(), {}
    for row in ipairs(scores) do if row ~= 77 then order[#order + 1] = row end end
    table.sort(order, function(a, b) return scores[a] > scores[b] end)
    for i, item in ipairs(v:neighbours({ "w77" }, { topn = 30 })[1]) do
      assert.near_all({ scores[order[i]] }, { item.score }, 1e-5)
    end
  end)

  it("answer a question from bytes first as from all rows, to the bit", function()
    marea.manual_seed(6)
    local words = {}
    for i = 1, 20000 do words[i] = "w" .. i end
    local x = marea.randn{ 20000, 21 }
    x:narrow(1, 300, 1):assign_(marea.zeros{ 1, 21 })
    x:narrow(1, 500, 1):assign_(x:narrow(1, 7, 1)) -- equal scores go by row
    local v = embeddings.Vectors{ words = words, matrix = x }
    local function ask()
      local text = {}
      for _, word in ipairs{ "w1", "w7", "w300", "w500", "w20000" } do
        for _, item in ipairs(v:most_similar{ positive = word, topn = 200 }) do
          text[#text + 1] = ("%s %a"):format(item.word, item.score)
        end
        for _, item in ipairs(v:most_similar{ positive = word, topn = 3, restrict_vocab = 17000 }) do
          text[#text + 1] = ("%s %a"):format(item.word, item.score)
        end
      end
      return table.concat(text, "\n")
    end
    local bytes = helper.bytes()
    local first = v:most_similar{ positive = "w7", topn = 200 }
    assert.are.equal("w500", first[1].word)
    ask() -- from the third question on there are bytes
    assert.is_true(helper.bytes() > bytes + 20000 * 32)
    local from_bytes = ask()
    local fresh = {}
    for _, word in ipairs{ "w1", "w7", "w300", "w500", "w20000" } do
      for _, asked in ipairs{ { positive = word, topn = 200 },
        { positive = word, topn = 3, restrict_vocab = 17000 } } do
        local other = embeddings.Vectors{ words = words, matrix = x }
        for _, item in ipairs(other:most_similar(asked)) do
          fresh[#fresh + 1] = ("%s %a"):format(item.word, item.score)
        end
      end
    end
    assert.are.equal(table.concat(fresh, "\n"), from_bytes)
  end)

  it("keep half and quarter rows that are near", function()
    local v = store()
    for kind, tolerance in pairs{ float16 = 2e-3, int8 = 2e-2 } do
      local small = store(kind)
      assert.are.equal(kind, small.type)
      assert.is_true(small.bytes < v.bytes or v.width < 8)
      for _, word in ipairs(g.words) do
        assert.near_all(v:vector(word), small:vector(word), tolerance)
        assert.near_all({ v:similarity("rey", word) }, { small:similarity("rey", word) }, tolerance)
      end
      assert.are.equal(v:most_similar("mar")[1].word, small:most_similar("mar")[1].word)
      assert.near_all(small:vectors(), small:converted("float32"):vectors(), 0)
    end
    assert.fails("float16 holds at most 65504", embeddings.Vectors,
      { words = { "a" }, matrix = { { 1e6 } }, type = "float16" })
  end)

  it("of zeros have cosine 0, never NaN", function()
    local v = embeddings.Vectors{ words = { "nada", "a", "b" }, matrix = { { 0, 0 }, { 1, 0 }, { 1, 1 } } }
    assert.are.equal(0, v:similarity("nada", "a"))
    assert.are.equal(0, v:n_similarity({ "nada" }, { "a" }))
    for _, item in ipairs(v:most_similar("nada")) do assert.are.equal(0, item.score) end
    for _, item in ipairs(v:most_similar{ positive = { "nada", "a" }, negative = "b", method = "mul" }) do
      assert.is_true(item.score == item.score)
    end
    assert.are.equal("nada", (v:doesnt_match{ "a", "b", "nada" }))
    for _, changed in ipairs{ v:centred(), v:normalised(), v:all_but_the_top(1) } do
      assert.is_true(changed:similarity("nada", "a") == changed:similarity("nada", "a"))
    end
  end)

  it("move words: exact on small texts", function()
    local v = embeddings.Vectors{ words = { "a", "b", "c", "d" },
      matrix = { { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 } } }
    local function distance(x, y) return v:wmdistance(x, y, { norm = false }) end
    local root = math.sqrt(2)
    assert.near_all({ root }, { distance({ "a" }, { "b" }) }, 1e-6)
    assert.near_all({ 0 }, { distance({ "a", "b" }, { "b", "a" }) }, 1e-6)
    assert.near_all({ 4 / 3 }, { distance({ "a", "a", "b" }, { "b", "c", "c" }) }, 1e-6) -- b stays
    assert.are.equal(math.huge, v:wmdistance({ "zzz" }, { "a" }))
    assert.near_all({ root / 2 }, { distance({ "a", "zzz", "c" }, { "a", "d" }) }, 1e-6)
  end)

  it("transport costs what trying all assignments costs", function()
    marea.manual_seed(3)
    local n = 6
    for _ = 1, 10 do
      local cost = marea.rand{ n, n }
      local mass, c, best = marea.full({ n }, 1 / n), cost:totable(), math.huge
      local used = {}
      local function try(row, sum)
        if row > n then best = math.min(best, sum) return end
        for column = 1, n do
          if not used[column] then
            used[column] = true
            try(row + 1, sum + c[row][column] / n)
            used[column] = nil
          end
        end
      end
      try(1, 0)
      assert.near_all({ best }, { native.transport(mass, mass, cost) }, 1e-6)
    end
    assert.fails("equal sums", native.transport, marea.ones{ 2 }, marea.ones{ 3 }, marea.ones{ 2, 3 })
  end)

  it("refuse what they cannot answer", function()
    local v = store()
    assert.fails('the word "zorro" has no vector', v.similarity, v, "rey", "zorro")
    assert.fails("give positive or negative", v.most_similar, v, {})
    assert.fails('unknown option "top"', v.most_similar, v, { positive = "rey", top = 3 })
    assert.fails("topn must be a positive whole number", v.most_similar, v, { positive = "rey", topn = 0 })
    assert.fails("expected 6 numbers, got 2", v.vector, v, marea.ones{ 2 })
    assert.fails("two words or more", v.doesnt_match, v, { "rey" })
    assert.fails("not empty", v.n_similarity, v, {}, { "rey" })
    assert.fails("is there twice", embeddings.Vectors, { words = { "a", "a" }, matrix = { { 1 }, { 2 } } })
    assert.fails("NaN or infinite", embeddings.Vectors, { words = { "a" }, matrix = { { 0 / 0 } } })
    assert.fails("a row of reals a word", embeddings.Vectors, { words = { "a", "b" }, matrix = { { 1 } } })
    assert.fails("NaN or infinity", v.neighbours, v, marea.full({ 1, 6 }, 0 / 0))
    assert.are.same({}, v:neighbours{})
  end)
end)

describe("a space", function()
  it("has directions", function()
    local v = store()
    local direction, agreement = v:direction{ { "hombre", "mujer" }, { "rey", "reina" } }
    assert.near_all({ 1 }, { (direction * direction):sum():item() }, 1e-5)
    assert.are.equal(2, #agreement)
    local places = v:project({ "mujer", "hombre" }, { { "hombre", "mujer" } })
    assert.is_true(places[1] > places[2])
  end)

  it("is centred and freed of its first components", function()
    local v = store()
    assert.near_all({ 0, 0, 0, 0, 0, 0 }, v:centred():vectors():mean(1), 1e-6)
    marea.manual_seed(4)
    local mixed = embeddings.Vectors{ words = g.words, matrix = marea.randn{ 12, 6 } + 1 }
    local left = mixed:all_but_the_top(2):vectors()
    local _, values = native.singular_values(left:transpose():matmul(left))
    assert.near_all({ 0, 0 }, { values:get(5), values:get(6) }, 1e-5)
    assert.is_true(values:get(4) > 1e-3)
  end)

  it("is turned onto another", function()
    local v = store()
    marea.manual_seed(2)
    local u = native.singular_values(marea.randn{ 6, 6 })
    local other = embeddings.Vectors{ words = g.words, matrix = v:vectors():matmul(u) }
    local turned, report = v:aligned_to(other)
    assert.are.equal(#g.words, report.pairs)
    assert.near_all({ 1 }, { report.cosine }, 1e-5)
    assert.near_all(other:vectors(), turned:vectors(), 1e-4)
    assert.near_all({ v:similarity("rey", "mar") }, { turned:similarity("rey", "mar") }, 1e-5)
    assert.fails("no pair of words", v.aligned_to, v, other, { pairs = { { "x", "y" } } })
  end)

  it("has singular values that give the matrix back", function()
    for _, rows in ipairs{ { { 3, 1 }, { 1, 3 } }, { { 1, 2 }, { 2, 4 } }, { { 0, 0 }, { 0, 0 } } } do
      local a = marea.tensor(rows)
      local u, s, w = native.singular_values(a)
      local back = (u * s:reshape{ 1, -1 }):matmul(w:transpose())
      assert.near_all(a, back, 1e-5)
      assert.near_all({ { 1, 0 }, { 0, 1 } }, u:transpose():matmul(u), 1e-5)
    end
  end)
end)

describe("evaluation", function()
  local function written(text)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
  end

  it("counts by section, and what is unknown", function()
    local v = embeddings.Vectors{ words = { "man", "woman", "king", "queen", "Paris" },
      matrix = { { 1, 0, 0 }, { 1, 1, 0 }, { 1, 0, 1 }, { 1, 1, 1 }, { 0, 0, -1 } } }
    local path = written(": family\nman woman king queen\nMAN WOMAN KING QUEEN\nman woman king paris\n"
      .. ": gram1\nman zorro king queen\n")
    local r = assert(v:evaluate_analogies(path))
    assert.are.same({ 2, 2, .5 }, { r.correct, r.total, r.seen })
    assert.are.equal(0, r.syntactic.total)
    assert.are.equal("family", r.sections[1].name)
    r = assert(v:evaluate_analogies(path, { preset = "gensim" }))
    assert.are.same({ 2, 3 }, { r.correct, r.total })
    r = assert(v:evaluate_analogies(path, { preset = "word2vec", dummy4unknown = true }))
    assert.are.same({ 2, 4 }, { r.correct, r.total })
    r = assert(v:evaluate_analogies(path, { method = "mul" }))
    assert.are.equal(2, r.total)
    os.remove(path)
    local broken = written("a b c\n")
    local none, message = v:evaluate_analogies(broken)
    assert.is_nil(none)
    assert.is_truthy(message:find("line 1: expected four words, got 3", 1, true))
    os.remove(broken)
    assert.is_nil((v:evaluate_analogies("/nowhere")))
  end)

  it("correlates with ranks that share places", function()
    local v = embeddings.Vectors{ words = { "a", "b", "c", "d" },
      matrix = { { 1, 0 }, { 1, 1 }, { 0, 1 }, { -1, 0 } } }
    local path = written("# pairs\nword1\tword2\tscore\na\tb\t9\na\tc\t5\na\td\t1\nb\tc\t9\na\tz\t3\n")
    local r = assert(v:evaluate_pairs(path))
    assert.are.same({ 4, 1 }, { r.pairs, r.unknown })
    assert.near_all({ 1, .2 }, { r.spearman, r.oov }, 1e-6)
    assert.is_true(r.pearson > .9 and r.pearson <= 1)
    os.remove(path)
  end)

  it("gives the numbers that were measured on the published files", function()
    local data = helper.data_folder()
    if not data then return pending("the data sets are not here") end
    local expected = {
      ["6B.50d.top10000"] = { 1232, 2087, 2726, 4675, "0.5269", 269, "0.2770", 690 },
      ["6B.100d.top2600"] = { 136, 191, 668, 848, "0.6609", 138, "0.2278", 197 },
      ["twitter.27B.25d.common11925"] = { 178, 1938, 945, 4225, "0.4269", 284, "0.1011", 804 },
    }
    for name, e in pairs(expected) do
      local v = assert(embeddings.load(data .. "/glove/glove." .. name .. ".txt.gz"))
      local r = assert(v:evaluate_analogies(data .. "/analogies/questions-words.txt.gz"))
      local sim = assert(v:evaluate_pairs(data .. "/wordsim/wordsim353.tsv"))
      local lex = assert(v:evaluate_pairs(data .. "/wordsim/simlex999.tsv"))
      assert.are.same(e, { r.semantic.correct, r.semantic.total, r.syntactic.correct,
        r.syntactic.total, ("%.4f"):format(sim.spearman), sim.pairs, ("%.4f"):format(lex.spearman),
        lex.pairs })
    end
  end)
end)

describe("the way into a model:", function()
  local v = store()
  local tokenizer = marea.text.Tokenizer{ num_words = 8, oov_token = "<oov>" }
  tokenizer:fit_on_texts{ "rey rey rey Reina zorro zorro", "LEÓN gato mar perro casa" }

  it("a row for each id, and what is covered", function()
    local x, report = v:matrix(tokenizer)
    assert.are.same({ 8, 6 }, x:shape())
    assert.near_all({ 0, 0, 0, 0, 0, 0 }, x:select(1, 1), 0)
    assert.near_all(v:vector("rey"), x:select(1, tokenizer.word_index.rey + 1), 0)
    assert.are.same({ 5, 6 }, { report.types.found, report.types.total })
    assert.are.same({ 7, 9 }, { report.tokens.found, report.tokens.total })
    assert.are.same({ { word = "zorro", id = tokenizer.word_index.zorro, count = 2 } }, report.misses)
    assert.is_truthy(tostring(report):find("zorro (2)", 1, true))
    assert.are.same({ 1, tokenizer.word_index.zorro }, report.ids_missed)
  end)

  it("fallbacks in their order", function()
    local bare = embeddings.Vectors{ words = { "leon", "mar" }, matrix = { { 1, 2 }, { 3, 4 } } }
    local x, report = bare:matrix({ "LEÓN", "Mar", "zorro" }, { fallback = { "lower", "strip_accents" } })
    assert.near_all({ { 1, 2 }, { 3, 4 }, { 0, 0 } }, x, 0)
    assert.are.same({ lower = 1, strip_accents = 1 }, report.by)
    assert.fails("fallback must be one of", bare.matrix, bare, { "a" }, { fallback = { "stem" } })
  end)

  it("what unknown words get", function()
    local mean = v:vectors():mean(1)
    local x = v:matrix({ "rey", "zorro" }, { oov = "mean" })
    assert.near_all(mean, x:select(1, 2), 1e-6)
    marea.manual_seed(1)
    local y = v:matrix({ "rey", "zorro", "zorra" }, { oov = "random" }):totable()
    assert.are_not.same(y[2], y[3])
    assert.fails('no "<unk>"', v.matrix, v, { "zorro" }, { oov = "unk" })
    assert.fails("needs vectors with the parts of words", v.matrix, v, { "zorro" }, { oov = "subword" })
  end)

  it("from a pipeline", function()
    local pipeline = marea.text.Pipeline{ split = "words" }
    pipeline:fit{ "rey mar zorro" }
    local x, report = v:matrix(pipeline)
    assert.are.same({ 5, 6 }, x:shape())
    assert.are.same({ 2, 3 }, { report.types.found, report.types.total })
    assert.near_all(v:vector("mar"), x:select(1, pipeline.vocabulary:id("mar") + 1), 0)
    assert.fails("expected a Tokenizer", v.matrix, v, 7)
  end)

  local function train(layer, given)
    local model = marea.Sequential{ layer, nn.GlobalAveragePooling1D{},
      nn.Dense{ 1, activation = "sigmoid" } }
    model:compile{ optimizer = marea.optim.Adam{ .01 }, loss = "binary_crossentropy" }
    given = given or {}
    given.verbose, given.epochs = 0, given.epochs or 2
    model:fit(marea.tensor({ { 0, 1, 2 }, { 3, 4, 5 }, { 5, 5, 5 } }, { dtype = "int32" }),
      marea.tensor{ { 0 }, { 1 }, { 1 } }, given)
    return model
  end

  it("frozen, whole, or by rows", function()
    local weights = v:vectors():narrow(1, 1, 6)
    local function moved(trainable)
      local layer = nn.Embedding{ weights = weights, trainable = trainable }
      train(layer)
      local rows = {}
      for i, row in ipairs((layer:get_weights()[1] - weights):totable()) do
        for _, value in ipairs(row) do if value ~= 0 then rows[i] = true end end
      end
      local list = {}
      for i = 1, 6 do list[i] = rows[i] and 1 or 0 end
      return table.concat(list)
    end
    assert.are.equal("000000", moved(false))
    assert.are.equal("111111", moved(true))
    assert.are.equal("100001", moved{ 0, 5 })
    assert.fails("expected an id from 0 to 5", nn.Embedding, { weights = weights, trainable = { 6 } })
    assert.fails("input_dim is missing", nn.Embedding, {})
  end)

  it("rows that learn are saved with the model", function()
    local model = train(nn.Embedding{ weights = v:vectors():narrow(1, 1, 6), trainable = { 0, 5 } })
    local path = os.tmpname()
    assert(model:save(path))
    local again = assert(marea.load(path))
    assert.are.same({ 0, 5 }, again.layers[1].trainable_rows)
    os.remove(path)
  end)

  it("unfrozen at an epoch with its own rate", function()
    local weights = v:vectors():narrow(1, 1, 6)
    local layer = nn.Embedding{ weights = weights, trainable = false }
    local seen = {}
    local spy = { on_epoch_end = function(_, epoch)
      seen[epoch] = (layer:get_weights()[1] - weights):totable()[1][1]
    end }
    train(layer, { epochs = 3,
      callbacks = { marea.callbacks.UnfreezeEmbeddings{ 3, learning_rate = 1e-4 }, spy } })
    assert.are.same({ 0, 0 }, { seen[1], seen[2] })
    -- Adam's third step, with a first gradient: rate · 0.1/(1 - 0.9³) / √(0.001/(1 - 0.999³))
    assert.near_all({ .638962e-4 }, { math.abs(seen[3]) }, 2e-6)
    assert.fails("the model has no Embedding other", train, nn.Embedding{ weights = weights },
      { callbacks = { marea.callbacks.UnfreezeEmbeddings{ 1, layer = "other" } } })
    assert.fails("no parameter", function()
      local optimizer = marea.optim.SGD{}
      local weight = marea.ones{ 1 }
      weight.requires_grad = true
      optimizer:build{ w = weight }
      optimizer:set_factor("other", 1)
    end)
  end)
end)
