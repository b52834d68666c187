-- Bags of words, tf-idf, hashing and one-hot against the libraries whose rules they follow
-- (spec/golden/encodings.json, made by scripts/fixtures/encodings.py) and by hand.
local helper = require "spec.helper"
local marea = require "marea"
local native = require "marea.native"
local text = marea.text
local encodings = text.encodings

local golden = (function()
  local file = assert(io.open("spec/golden/encodings.json"))
  local result = assert(marea.json.decode(file:read("a")))
  file:close()
  return result
end)()

local documents = { "a a b", "b c", "c c c d" }

local function fitted(texts, given)
  local tokenizer = text.Tokenizer(given)
  tokenizer:fit_on_texts(texts)
  return tokenizer
end

-- Compares rows by word, whatever the order of the columns; entries of 0 do not count.
local function same_by_word(expected, x, tokenizer)
  for i, wanted in ipairs(expected) do
    local columns, values = x:row(i)
    local got, count = {}, 0
    for k, column in ipairs(columns) do
      if values[k] ~= 0 then
        got[tokenizer.index_word[column]] = values[k] -- column 1 is id 1
        count = count + 1
      end
    end
    local left = count
    for word, value in pairs(wanted) do
      assert.is_number(got[word], ("row %d lacks %s"):format(i, word))
      assert.near_all({ value }, { got[word] })
      left = left - 1
    end
    assert.are.equal(0, left, "row " .. i)
  end
end

describe("bags of words", function()
  it("have the golden numbers of the reference", function()
    local tokenizer = fitted(documents)
    assert.near_all({ { 0, 0, 1.551415069, .693147181, 0 }, { 0, .693147181, 0, .693147181, 0 },
      { 0, 1.454647191, 0, 0, .916290732 } },
      tokenizer:texts_to_matrix(documents, "tfidf", { sparse = true }):todense())
    -- columns c a b d
    assert.near_all({ { 0, .934701964, .355432468, 0 }, { .707106781, 0, .707106781, 0 },
      { .915890332, 0, 0, .401428574 } }, encodings.matrix(documents, { tokenizer = tokenizer,
        scheme = "tfidf", rule = "sklearn", sparse = false }))
  end)

  it("equal Keras's, dense and sparse, with limits and unknown words", function()
    for _, case in ipairs(golden.keras) do
      local tokenizer = fitted(golden.texts, case.options)
      for _, mode in ipairs{ "binary", "count", "freq", "tfidf" } do
        assert.near_all(case[mode], tokenizer:texts_to_matrix(golden.texts, mode))
        assert.near_all(case[mode],
          tokenizer:texts_to_matrix(golden.texts, mode, { sparse = true }):todense())
        assert.near_all(case[mode], encodings.matrix(golden.texts, { tokenizer = tokenizer,
          scheme = mode, sparse = false }))
        if mode ~= "freq" then
          assert.near_all(case[mode .. "_new"],
            tokenizer:texts_to_matrix(golden.new, mode, { sparse = true }):todense())
        end
      end
    end
  end)

  it("equal scikit-learn's in every form", function()
    local tokenizer = fitted(golden.texts, { filters = "" })
    for _, case in ipairs(golden.sklearn) do
      local tfidf = encodings.Tfidf{ rule = "sklearn", tokenizer = tokenizer,
        norm = case.options.norm, sublinear_tf = case.options.sublinear_tf,
        smooth_idf = case.options.smooth_idf, use_idf = case.options.use_idf }
      same_by_word(case.fitted, tfidf:fit_transform(golden.texts), tokenizer)
      same_by_word(case.new, tfidf:transform(golden.new), tokenizer)
      -- with a tokenizer that was fitted on the same texts, matrix weighs new ones alike
      local given = { scheme = "tfidf" }
      for name, value in pairs(case.options) do given[name] = value end
      given.rule, given.tokenizer = "sklearn", tokenizer
      same_by_word(case.new, encodings.matrix(golden.new, given), tokenizer)
    end
  end)

  it("equal gensim's", function()
    local tokenizer = fitted(golden.texts, { filters = "" })
    for _, case in ipairs(golden.gensim) do
      same_by_word(case.fitted, encodings.matrix(golden.texts, { scheme = "tfidf", rule = "gensim",
        norm = case.norm, tokenizer = tokenizer }), tokenizer)
    end
  end)

  it("equal TextVectorization's, the OOV column too", function()
    local case, place = golden.textvectorization, {}
    for i, word in ipairs(case.vocabulary) do place[word] = i end
    local tokenizer = fitted(golden.texts, { oov_token = "[UNK]" })
    local tfidf = encodings.Tfidf{ rule = "textvectorization", tokenizer = tokenizer, sparse = false }
    for _, part in ipairs{ { case.fitted, tfidf:fit_transform(golden.texts) },
      { case.new, tfidf:transform(golden.new) },
      { case.new, encodings.matrix(golden.new, { tokenizer = tokenizer, scheme = "tfidf",
        rule = "textvectorization", sparse = false }) } } do
      assert.are.equal(#case.vocabulary, part[2]:size(2))
      for i, row in ipairs(part[1]) do
        for id, word in ipairs(tokenizer.index_word) do
          assert.near_all({ row[place[word]] }, { part[2]:get(i, id) }, 1e-6) -- its floats
        end
      end
    end
  end)

  it("are made from ids, padded ids and counts as well", function()
    local ids = { { 2, 2, 3 }, {}, { 1, 9, 1 } }
    local count = { { 0, 0, 2, 1 }, { 0, 0, 0, 0 }, { 0, 2, 0, 0 } }
    assert.near_all(count, encodings.matrix(ids, { scheme = "count", columns = 4, sparse = false }))
    assert.near_all(count, encodings.matrix(native.sequences(ids),
      { scheme = "count", columns = 4, sparse = false }))
    -- Keras divides by the length, ids beyond the columns included
    assert.near_all({ { 0, 0, 2 / 3, 1 / 3 }, { 0, 0, 0, 0 }, { 0, 2 / 3, 0, 0 } },
      encodings.matrix(ids, { scheme = "freq", columns = 4, sparse = false }))
    local padded = marea.tensor({ { 2, 2, 3 }, { 0, 0, 0 }, { 1, 9, 1 } }, { dtype = "int32" })
    local x = encodings.matrix(padded, { scheme = "count", rule = "sklearn" })
    assert.are.same({ 3, 9 }, x:shape())
    assert.are.equal(4, x:nnz())
    assert.near_all(x:normalize("l1"):todense(),
      encodings.matrix(x, { scheme = "freq", sparse = false }))
    assert.near_all({ { 0, 0, 1, 1 } }, encodings.matrix({ { 3, 2, 3 } },
      { columns = 4, sparse = false }))
    assert.are.same({ 2, 0 }, encodings.matrix({ {}, {} }, { first_id = 1 }):shape())
  end)

  it("give rows of zeros for texts without a known word", function()
    local tokenizer = fitted(documents)
    for _, rule in ipairs{ "keras", "sklearn", "gensim", "textvectorization" } do
      local x = encodings.matrix({ "", "zzz ¿qué?", "a" }, { tokenizer = tokenizer,
        scheme = "tfidf", rule = rule })
      assert.near_all({ 0, 0 }, x:narrow(1, 1, 2):sum(2))
      assert.is_nil(x:nonfinite())
    end
    assert.are.same({ 0, 5 }, encodings.matrix({}, { columns = 5 }):shape())
  end)

  it("refuse what cannot be meant", function()
    local tokenizer = fitted(documents)
    local function matrix(x, given) return function() return encodings.matrix(x, given) end end
    assert.fails("texts need a tokenizer", matrix(documents, {}))
    assert.fails("got a single string", matrix("a text", { tokenizer = tokenizer }))
    assert.fails('scheme must be one of binary, count, freq, tfidf', matrix({}, { scheme = "tf" }))
    assert.fails("rule must be one of", matrix({ { 1 } }, { rule = "lucene" }))
    assert.fails('smooth_idf belongs to rule "sklearn", the rule is "gensim"',
      matrix(documents, { scheme = "tfidf", rule = "gensim", smooth_idf = false }))
    assert.fails('unknown option "smooth_idf"', matrix(documents, { smooth_idf = false }))
    assert.fails("norm must be one of", matrix({ { 1 } }, { norm = "l7" }))
    assert.fails("sequence 2 has the negative id -1", matrix({ { 1 }, { -1 } }, { columns = 3 }))
    assert.fails("columns is 9, the tokenizer has ids for 5", matrix(documents,
      { tokenizer = tokenizer, columns = 9 }))
    assert.fails("tfidf needs fit_on_texts first", matrix(documents,
      { tokenizer = text.Tokenizer{}, scheme = "tfidf" }))
    assert.fails("transform comes after fit", function() encodings.Tfidf{}:transform{ { 1 } } end)
    assert.fails("no documents", function() encodings.Tfidf{}:fit{} end)
    assert.fails("the counts have 3 columns, it was fitted on 2", function()
      encodings.Tfidf{}:fit{ { 1 } }:transform(marea.sparse{ { 1, 1, 1 } })
    end)
    assert.fails("column 1 is in 3 of 2 documents", function()
      native.idf("gensim", 2, marea.tensor({ 3 }, { dtype = "int32" }))
    end)
    assert.fails('unknown option "parse"', function()
      tokenizer:texts_to_matrix(documents, "count", { parse = true })
    end)
    assert.fails("mode must be one of", function()
      tokenizer:texts_to_matrix(documents, "tf-idf", { sparse = true })
    end)
  end)

  it("come back from a config", function()
    local tokenizer = fitted(documents, { oov_token = "?" })
    for _, given in ipairs{ { rule = "sklearn", sublinear_tf = true }, { rule = "gensim", norm = "l1" },
      { rule = "textvectorization", tokenizer = tokenizer }, { rule = "keras", sparse = false } } do
      local x = given.tokenizer and documents or { { 1, 1, 2 }, { 2, 3 }, { 3, 3, 3, 4 } }
      local tfidf = encodings.Tfidf(given):fit(x)
      local config = marea.json.decode(marea.json.encode(tfidf:get_config()))
      local again = encodings.Tfidf.from_config(config)
      local a, b = tfidf:transform(x), again:transform(x)
      if native.is_sparse(a) then a, b = a:todense(), b:todense() end
      assert.is_true(a:same(b))
      assert.are.same(tfidf:get_config().df, again:get_config().df)
      table.remove(config.df)
      assert.fails("malformed", encodings.Tfidf.from_config, config)
    end
    local unfitted = encodings.Tfidf.from_config(encodings.Tfidf{ rule = "gensim" }:get_config())
    assert.fails("transform comes after fit", function() unfitted:transform{ { 1 } } end)
    assert.fails("malformed", encodings.Tfidf.from_config, "text")
  end)

  it("do not depend on the number of threads", function()
    local texts, before, results = {}, marea.threads(), {}
    for i = 1, 900 do texts[i] = golden.texts[i % 6 + 1] .. " word" .. i % 77 end
    local tokenizer = fitted(texts)
    for i, n in ipairs{ 1, 2, 8 } do
      marea.threads(n)
      results[i] = encodings.matrix(texts, { tokenizer = tokenizer, scheme = "tfidf",
        rule = "sklearn", sparse = false })
    end
    marea.threads(before)
    assert.is_true(results[1]:same(results[2]) and results[1]:same(results[3]))
  end)
end)

describe("hashing", function()
  it("has the hashes of the references", function()
    for _, case in ipairs(golden.murmur) do
      assert.are.equal(case[3], native.murmur3(case[1], case[2]))
    end
    for _, case in ipairs(golden.md5) do assert.are.equal(case[2], native.md5(case[1])) end
    for _, case in ipairs(golden.hashing_trick) do
      assert.are.same(case[3], text.hashing_trick(case[1], case[2], { hash = "md5" }))
    end
  end)

  it("equals scikit-learn's HashingVectorizer", function()
    for _, case in ipairs(golden.hashing) do
      local x = encodings.hashing(golden.texts, { rule = "sklearn", columns = case.columns,
        signed = case.signed, norm = case.norm, tokenizer = { filters = "" } })
      assert.are.same({ #golden.texts, case.columns }, x:shape())
      for i, wanted in ipairs(case.rows) do
        local columns, values = x:row(i)
        assert.are.equal(#wanted, #columns)
        for k, entry in ipairs(wanted) do
          assert.are.equal(entry[1], columns[k])
          assert.near_all({ entry[2] }, { values[k] })
        end
      end
    end
  end)

  it("counts by Keras's md5 rule and leaves its first column empty", function()
    local x = encodings.hashing({ "mar mar luna" }, { rule = "keras", columns = 10, sparse = false })
    local wanted = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
    for _, id in ipairs(text.hashing_trick("mar mar luna", 10, { hash = "md5" })) do
      wanted[id + 1] = wanted[id + 1] + 1
    end
    assert.near_all({ wanted }, x)
  end)

  it("reports the collisions that it finds and the ones to expect", function()
    local words = {}
    for i = 1, 1000 do words[i] = "word" .. i end
    local texts = { table.concat(words, " "), "word1 word2" }
    for _, seed in ipairs{ 0, 1 } do
      local x, report = encodings.hashing(texts, { columns = 1024, seed = seed, signed = false,
        norm = "none" })
      assert.are.equal(1000, report.words)
      assert.are.equal(1024, report.columns)
      local used = x:narrow(1, 1, 1):nnz()
      assert.are.equal(used, report.used)
      assert.are.equal(1000 - used, report.collisions)
      assert.near_all({ 1000 - 1024 * (1 - (1023 / 1024) ^ 1000) }, { report.expected_collisions })
      assert.is_true(math.abs(report.collisions - report.expected_collisions) < 50)
      assert.near_all({ 1000, 2 }, x:sum(2))
    end
    local a = encodings.hashing(texts, { columns = 64, seed = 1, sparse = false })
    assert.is_false(a:same(encodings.hashing(texts, { columns = 64, seed = 2, sparse = false })))
    assert.is_true(a:same(encodings.hashing(texts, { columns = 64, seed = 1, sparse = false })))
  end)

  it("takes lists of words, empty texts, one column, and no text at all", function()
    local x = encodings.hashing({ { "Mar", "mar" }, {} }, { columns = 1, signed = false, norm = "none" })
    assert.near_all({ { 2 }, { 0 } }, x:todense())
    local none, report = encodings.hashing({}, { columns = 8 })
    assert.are.same({ 0, 8 }, none:shape())
    assert.are.equal(0, report.words)
    assert.near_all({ 0 }, { report.expected_collisions })
  end)

  it("refuses what it does not know", function()
    assert.fails("columns must be a positive whole number", encodings.hashing, {}, { columns = 0 })
    assert.fails("columns must be a whole number of at least 2", encodings.hashing, {},
      { columns = 1, rule = "keras" })
    assert.fails("rule must be one of", encodings.hashing, {}, { rule = "crc" })
    assert.fails("signed must be true or false", encodings.hashing, {}, { signed = 1 })
    assert.fails("single string", encodings.hashing, "a text")
    assert.fails("text 2 is a number", encodings.hashing, { "a", 2 })
    assert.fails("md5 has no seed", text.hashing_trick, "a", 9, { hash = "md5", seed = 1 })
    assert.fails("hash must be one of", text.hashing_trick, "a", 9, { hash = "sha1" })
  end)
end)

describe("one-hot", function()
  local ids = { { 2, 1 }, { 3 } }

  it("is written out, padding as zeros", function()
    local x = encodings.one_hot(ids, 4)
    assert.near_all({ { { 0, 0, 1, 0 }, { 0, 1, 0, 0 } }, { { 0, 0, 0, 1 }, { 0, 0, 0, 0 } } }, x)
    assert.near_all({ { { 0, 1, 0, 0 } }, { { 0, 0, 0, 1 } } },
      encodings.one_hot(ids, 4, { maxlen = 1, truncating = "pre" }))
    assert.near_all({ { 0, 1 }, { 0, 0 } }, encodings.one_hot({ 1, 0 }, 2))
  end)

  it("is for characters as well as for words", function()
    local letters = fitted({ "aña" }, { char_level = true })
    assert.near_all({ { { 0, 1, 0 }, { 0, 0, 1 }, { 0, 1, 0 } } },
      encodings.one_hot(letters:texts_to_sequences{ "aña" }, 3))
  end)

  it("multiplies as a gather, with the gradient of the product", function()
    local view, w = encodings.OneHot(ids, 4), native.new_stream(1, 1):uniform({ 4, 3 }, -1, 1)
    assert.are.same({ 2, 2, 4 }, view:shape())
    assert.are.equal(16, view:bytes())
    assert.near_all(view:todense():matmul(w), view:matmul(w))
    local weights, gradients = native.new_stream(2, 2):uniform({ 2, 2, 3 }, -1, 1), {}
    w.requires_grad = true
    for i = 1, 2 do
      local tape <close> = marea.tape()
      local y = i == 1 and view:matmul(w) or view:todense():matmul(w)
      tape:backward((y * weights):sum())
      gradients[i] = w.grad
    end
    assert.near_all(gradients[2], gradients[1])
    assert.is_truthy(tostring(view):find("one-hot (2, 2, 4)", 1, true))
  end)

  it("refuses ids beyond its depth", function()
    assert.fails("an id is 3, allowed are 0 to 2", encodings.OneHot, ids, 3)
    assert.fails("an id is -1", encodings.one_hot, { -1, 2 }, 3)
    assert.fails("depth must be a positive whole number", encodings.OneHot, ids, 0)
  end)

  it("answers what is wrong with it", function()
    local tokenizer = fitted(documents)
    local report = encodings.one_hot_report(tokenizer, tokenizer:texts_to_sequences(documents),
      { embedding = 8 })
    local real = helper.double and 8 or 4
    assert.are.equal(3, report.texts)
    assert.are.equal(9, report.positions)
    assert.are.equal(4, report.longest)
    assert.are.equal(5, report.depth)
    assert.near_all({ 1 - 9 / 60 }, { report.sparsity })
    assert.are.equal(60 * real, report.bytes.dense)
    assert.are.equal(12 * 4, report.bytes.ids)
    assert.are.equal(5 * 8 * real, report.bytes.table)
    assert.are.equal(12 * 8 * real, report.bytes.embedded)
    assert.are.equal(9 * (4 + real) + 4 * 8, report.bytes.sparse)
    assert.are.equal(0, report.cosine)
    assert.is_truthy(report.text:find("85.0000 % of all numbers are 0", 1, true))
    assert.is_truthy(report.text:find('"c" is as far from "a"', 1, true))
    assert.is_nil(encodings.one_hot_report(5, { { 1, 1 } }).cosine)
    assert.are.equal(1, encodings.one_hot_report(5, { {} }).sparsity)
    assert.fails("an id is 7, allowed are 0 to 4", encodings.one_hot_report, 5, { { 7 } })
    assert.fails("expected lists of ids", encodings.one_hot_report, 5, {})
  end)
end)

describe("encodings and memory", function()
  local function everything()
    local tokenizer = fitted(documents, { oov_token = "?" })
    encodings.matrix(documents, { tokenizer = tokenizer, scheme = "tfidf", rule = "textvectorization" })
    encodings.hashing(documents, { columns = 16 })
    encodings.OneHot({ { 1, 2 } }, 3):matmul(marea.ones{ 3, 2 })
    encodings.matrix(marea.ones({ 2, 2 }, { dtype = "int32" }), { scheme = "freq" })
  end

  it("leave nothing behind", function() helper.leak_check(everything) end)

  it("survive every failed allocation", function()
    local n, ok = 0
    repeat
      n = n + 1
      helper.leak_check(function()
        native.fail_at(n)
        ok = pcall(everything)
        native.fail_at(0)
      end)
    until ok or n > 300
    assert.is_true(ok)
    assert.is_true(n > 20)
  end)
end)

describe("a linear classifier on the IMDB reviews", function()
  it("learns from sparse tf-idf in seconds", function()
    local folder = helper.data_folder()
    if not folder then return pending("needs the data sets of ../shared/data") end
    local imdb = assert(marea.corpora.imdb{ dir = folder })
    local order = native.new_stream(1, 0):permutation(#imdb.train.texts):totable()
    local texts, labels = {}, {}
    for i = 1, 4000 do
      texts[i] = imdb.train.texts[order[i] + 1]
      labels[i] = imdb.train.labels:get(order[i] + 1)
    end
    local tfidf = encodings.Tfidf{ rule = "sklearn", sublinear_tf = true,
      tokenizer = fitted(texts, { num_words = 10000 }) }
    marea.manual_seed(1)
    local model = marea.Sequential{ marea.nn.Dense{ 1, activation = "sigmoid" } }
    model:compile{ optimizer = marea.optim.Adam{ learning_rate = 0.02 },
      loss = "binary_crossentropy", metrics = { "accuracy" } }
    local x = tfidf:fit_transform(texts)
    model:fit(x:rows(1, 3000), marea.tensor(table.move(labels, 1, 3000, 1, {})),
      { epochs = 5, verbose = 0 })
    local held = model:evaluate(x:rows(3001, 4000), marea.tensor(table.move(labels, 3001, 4000, 1, {})))
    assert.is_true(held.accuracy > 0.8, held.accuracy)
  end)
end)

describe("encodings of pipelines", function()
  local texts = { "el gato y la gata", "la casa del gato", "perro" }

  it("have a column for each word, and nothing for padding", function()
    local pipeline = text.Pipeline{ "sklearn" }
    pipeline:fit(texts)
    local x = encodings.matrix(texts, { tokenizer = pipeline, scheme = "count", rule = "sklearn",
      sparse = false })
    -- casa del el gata gato la perro
    assert.are.same({ { 0, 0, 1, 1, 1, 1, 0 }, { 1, 1, 0, 0, 1, 1, 0 }, { 0, 0, 0, 0, 0, 0, 1 } },
      x:totable())
    local padded = text.Pipeline{ normalize = "lower", split = "words", unknown = false }
    padded:fit(texts)
    assert.are.same({ 3, 8 }, encodings.matrix(texts, { tokenizer = padded, scheme = "tfidf",
      rule = "sklearn" }):shape())
  end)

  it("weigh new documents after saving as before", function()
    local pipeline = text.Pipeline{ "unicode" }
    pipeline:fit(texts)
    local tfidf = encodings.Tfidf{ rule = "sklearn", tokenizer = pipeline }:fit_tokenizer()
    local json = marea.json
    local again = encodings.Tfidf.from_config(json.decode(json.encode(tfidf:get_config())))
    local new = { "la gata y el ratón" }
    assert.are.same(tfidf:transform(new):todense():totable(),
      again:transform(new):todense():totable())
  end)

  it("hash the words that a pipeline cuts", function()
    local x, report = encodings.hashing(texts, { columns = 64, pipeline = "sklearn" })
    assert.are.same({ 3, 64 }, x:shape())
    assert.are.equal(7, report.words)
    assert.fails("not both", encodings.hashing, texts, { pipeline = "sklearn", tokenizer = {} })
  end)

  it("answer what is wrong with one-hot", function()
    local pipeline = text.Pipeline{ "unicode" }
    pipeline:fit(texts)
    local report = encodings.one_hot_report(pipeline, (pipeline:encode(texts)))
    assert.are.equal(pipeline.vocabulary:size(), report.depth)
    assert.are.equal(0, report.cosine)
  end)
end)
