-- Loaders on small sets of our own, in the collection's form and in that of the originals.
local helper = require "spec.helper"
local folders = require "spec.folders"
local marea = require "marea"
local corpora = marea.corpora

local function fails_with(part, result, message)
  assert.is_nil(result)
  assert.is_truthy(message:find(part, 1, true), message)
end

describe("reviews", function()
  for _, language in ipairs{ "es", "en" } do
    it("are balanced, each in one part only: " .. language, function()
      local corpus = assert(corpora.reviews{ language = language })
      local seen, positive = {}, 0
      for _, part in ipairs{ "train", "test" } do
        for i, source in ipairs(corpus[part].texts) do
          assert.is_nil(seen[source])
          seen[source] = true
          positive = positive + corpus[part].labels:get(i)
        end
      end
      local all = #corpus.train.texts + #corpus.test.texts
      assert.are.equal(640, all)
      assert.are.equal(all / 2, positive)
      assert.are.equal(math.floor(all * 0.2 + 0.5), #corpus.test.texts)
    end)
  end
end)

describe("imdb", function()
  after_each(folders.clean)

  local tables = {
    ["imdb/train.tsv"] = "id\tlabel\trating\ttext\nneg/2\t0\t1\tmala<br />peor\n"
      .. "neg/10\t0\t3\tfea\npos/0\t1\t9\tbuena\n",
    ["imdb/test.tsv"] = "label\ttext\n1\tbuena <br/>y <br>más\n",
    ["imdb/unsup.txt"] = "una\notra<br />más\n",
  }
  local originals = {
    ["aclImdb/train/neg/2_1.txt"] = "mala<br />peor", ["aclImdb/train/neg/10_3.txt"] = "fea",
    ["aclImdb/train/pos/0_9.txt"] = "buena", ["aclImdb/test/pos/0_7.txt"] = "buena <br/>y <br>más",
    ["aclImdb/test/neg/0_1.txt"] = "x", ["aclImdb/train/unsup/0_0.txt"] = "una",
    ["aclImdb/train/unsup/1_0.txt"] = "otra<br />más", ["aclImdb/train/urls_pos.txt"] = "http",
  }

  it("is read from tables and from the original folders, in the same order", function()
    local roots = { folders.new(tables), folders.new(originals) }
    roots[3], roots[4] = roots[1] .. "/imdb", roots[2] .. "/aclImdb"
    for _, root in ipairs(roots) do
      local set = assert(corpora.imdb{ dir = root, unsup = true })
      assert.are.same({ "mala peor", "fea", "buena" }, set.train.texts)
      assert.are.same({ 0, 0, 1 }, set.train.labels:totable())
      assert.are.same({ 1, 3, 9 }, set.train.ratings:totable())
      assert.are.same({ "neg/2", "neg/10", "pos/0" }, set.train.names)
      assert.are.same({ "una", "otra más" }, set.unsup.texts)
      assert.are.equal("buena  y  más", set.test.texts[#set.test.texts])
      assert.is_nil(corpora.imdb{ dir = root }.unsup)
      set = assert(corpora.imdb{ dir = root, breaks = true })
      assert.are.equal("mala<br />peor", set.train.texts[1])
    end
    assert.is_nil(corpora.imdb{ dir = roots[1] }.test.ratings)
  end)

  it("says what is wrong", function()
    fails_with("/nowhere/train.tsv", corpora.imdb{ dir = "/nowhere" })
    local root = folders.new{ ["train.tsv"] = "label\ttext\n0\tx\n2\ty\n" }
    fails_with('line 3: the label is "2", expected 0 or 1', corpora.imdb{ dir = root })
    root = folders.new{ ["train.tsv"] = "label\ttext\trating\n0\tx\tfive\n" }
    fails_with('line 2: the rating is "five"', corpora.imdb{ dir = root })
    root = folders.new{ ["train/neg/0.txt"] = "x", ["train/pos/0_1.txt"] = "" }
    fails_with("expected a name as 12_7.txt", corpora.imdb{ dir = root })
    root = folders.new{ ["train/neg/0_1.txt"] = "x" }
    fails_with("/train/pos", corpora.imdb{ dir = root })
    root = folders.new{ ["imdb/sample-2000.csv"] = 'review,sentiment\n"a, ""b""",neutral\n' }
    fails_with('row 1: the sentiment is "neutral"', corpora.imdb_sample{ dir = root })
    assert.fails("dir must be the path of a folder", corpora.imdb, { dir = 5 })
  end)

  it("takes its folder from MAREA_DATA, or says that there is none", function()
    if os.getenv("MAREA_DATA") then return pending("MAREA_DATA is set") end
    fails_with("give dir = …, or set the variable MAREA_DATA", corpora.imdb{})
  end)
end)

describe("movie_reviews", function()
  after_each(folders.clean)

  it("is read from the table and from the original folders, in official folds", function()
    local root = folders.new{
      ["movie-reviews-v2/movie_reviews.tsv"] = "name\tlabel\tfold\ttext\n"
        .. "cv000_1\t0\t0\tbad .\ncv100_2\t0\t1\tworse .\ncv999_3\t1\t9\tgood !\n" }
    local original = folders.new{ ["movie_reviews/neg/cv000_1.txt"] = "bad .",
      ["movie_reviews/neg/cv100_2.txt"] = "worse .", ["movie_reviews/pos/cv999_3.txt"] = "good !" }
    for _, dir in ipairs{ root, original } do
      local set = assert(corpora.movie_reviews{ dir = dir, fold = 1 })
      assert.are.same({ "worse ." }, set.test.texts)
      assert.are.same({ "bad .", "good !" }, set.train.texts)
      assert.are.same({ 0, 1 }, set.train.labels:totable())
      assert.are.same({ 0, 1, 9 }, set.all.folds)
      assert.are.same({ "cv000_1", "cv999_3" }, set.train.names)
    end
    assert.fails("fold must be 0 to 9", corpora.movie_reviews, { dir = root, fold = 10 })
    fails_with("movie_reviews.tsv", corpora.movie_reviews{ dir = "/nowhere" })
  end)
end)

describe("labelled texts", function()
  after_each(folders.clean)

  it("of TREC are read from tables and from the originals, which are Latin-1", function()
    local root = folders.new{
      ["train.tsv"] = "coarse\tfine\ttext\nLOC\tcity\tWhere is Málaga ?\nDESC\tdef\tWhat is it ?\n",
      ["test.tsv"] = "coarse\tfine\ttext\nDESC\tmanner\tHow ?\n" }
    local original = folders.new{
      ["trec-questions/train_5500.label"] = "LOC:city Where is M\xe1laga ?\nDESC:def What is it ?\n",
      ["trec-questions/TREC_10.label"] = "DESC:manner How ?\n" }
    for _, dir in ipairs{ root, original } do
      local set = assert(corpora.trec_questions{ dir = dir })
      assert.are.same({ "Where is Málaga ?", "What is it ?" }, set.train.texts)
      assert.are.same({ 1, 0 }, set.train.labels:totable())
      assert.are.same({ [0] = "DESC", "LOC" }, set.label_names)
      assert.are.same({ [0] = "DESC:def", "DESC:manner", "LOC:city" }, set.fine_names)
      assert.are.same({ 1 }, set.test.fine_labels:totable())
    end
    root = folders.new{ ["train_5500.label"] = "no class\n", ["TREC_10.label"] = "" }
    fails_with("line 1: expected CLASS:kind and a question", corpora.trec_questions{ dir = root })
  end)

  it("of tweets are read from tables and from pairs of files", function()
    local tables, pairs_of_files = {}, {}
    for _, part in ipairs{ "train", "val", "test" } do
      tables[part .. ".tsv"] = "label\ttext\n0\tqué mal\n2\tqué \"bien\n"
      pairs_of_files[part .. "_text.txt"] = "qué mal\nqué \"bien"
      pairs_of_files[part .. "_labels.txt"] = "0\n2"
    end
    for _, files in ipairs{ tables, pairs_of_files } do
      local set = assert(corpora.es_sentiment_tweets{ dir = folders.new(files) })
      for _, part in ipairs{ "train", "valid", "test" } do
        assert.are.same({ "qué mal", 'qué "bien' }, set[part].texts)
        assert.are.same({ 0, 2 }, set[part].labels:totable())
      end
    end
    tables["val.tsv"] = "label\ttext\n3\tx\n"
    fails_with('row 1: the label is "3"',
      corpora.es_sentiment_tweets{ dir = folders.new(tables) })
    pairs_of_files["test_labels.txt"] = "0\n"
    fails_with("1 labels for 2 texts",
      corpora.es_sentiment_tweets{ dir = folders.new(pairs_of_files) })
    tables["val.tsv"] = "label\n1\n"
    fails_with('there is no column "text"',
      corpora.es_sentiment_tweets{ dir = folders.new(tables) })
  end)
end)

describe("running text", function()
  after_each(folders.clean)

  it("of the original Quijote leaves out the publisher's words", function()
    local root = folders.new{ ["es-quijote/pg2000.txt"] = "\xef\xbb\xbfLicence\r\n"
      .. "*** START OF THE PROJECT GUTENBERG EBOOK DON QUIJOTE ***\r\n\r\nEn un\r\nlugar\r\n\r\n\r\n"
      .. "de la Mancha\r\n*** END OF THE PROJECT GUTENBERG EBOOK ***\r\nmore\r\n" }
    local set = assert(corpora.es_quijote{ dir = root })
    assert.are.same({ "En un lugar", "de la Mancha" }, set.train.texts)
    assert.is_nil(set.text:find("Licence", 1, true))
    assert.is_nil(set.text:find("\r", 1, true))
  end)

  it("of PTB ends sentences with a mark, or not", function()
    local files = {}
    for _, part in ipairs{ "train", "valid", "test" } do
      files["ptb/simple-examples/data/ptb." .. part .. ".txt"] = " uno <unk> N \n dos \n"
    end
    local root = folders.new(files)
    assert.are.same({ "uno <unk> N <eos>", "dos <eos>" }, assert(corpora.ptb{ dir = root }).test.texts)
    assert.are.same({ "uno <unk> N", "dos" },
      assert(corpora.ptb{ dir = root, eos = false }).valid.texts)
    fails_with("ptb.train.txt", corpora.ptb{ dir = "/nowhere" })
  end)

  it("of text8 is found where the archive was unpacked", function()
    local set = assert(corpora.text8_head{ dir = folders.new{ ["text8/text8"] = " a b" } })
    assert.are.equal(" a b", set.text)
  end)

  it("in pairs may have a third column", function()
    local root = folders.new{ ["spa-eng/spa-eng/spa.txt"] = "Go.\tVe.\tCC-BY\nHi.\t\"Hola\tCC-BY\n" }
    local set = assert(corpora.spa_eng{ dir = root })
    assert.are.same({ { "Go.", "Hi." }, { "Ve.", '"Hola' } }, { set.train.texts, set.train.targets })
  end)

  it("in pairs come with Marea, each once", function()
    local train = assert(corpora.sentence_pairs()).train
    assert.are.equal(480, #train.texts)
    local met, spanish = {}, {}
    for i, text in ipairs(train.texts) do
      assert.is_nil(met[text], text)
      met[text], spanish[train.targets[i]] = train.targets[i], true
      assert.is_truthy(text:find("^%u.*[.?]$"), text)
    end
    assert.are.equal("¿Qué hora es?", met["What time is it?"])
    assert.is_true(spanish["La luna mueve el mar."])
    local none, message = corpora.sentence_pairs{ dir = "/nowhere" }
    assert.is_nil(none)
    assert.is_truthy(message:find("/nowhere/pairs_en_es.txt", 1, true), message)
  end)
end)

describe("words and numbers", function()
  after_each(folders.clean)

  it("say what is wrong", function()
    local root = folders.new{ ["wordsim/rg65.tsv"] = "a\tb\tfour\n",
      ["analogies/questions-words.txt"] = ": s\na b c d\na b c\n",
      ["glove/g.txt"] = "uno 1 2\ndos 1 x\n", ["time-series/shampoo.csv"] = "Month,Sales\n1,2\n2,-\n",
      ["mnist/t10k-images-idx3-ubyte"] = "\0\0\8\1\0\0\0\1x",
      ["mnist/t10k-labels-idx1-ubyte"] = "\0\0\8\1\0\0\0\2xx" }
    fails_with('line 1: the score is "four"', corpora.wordsim{ "rg65", dir = root })
    fails_with('line 3: expected ": section" or four words', corpora.analogies{ dir = root })
    fails_with('line 2: number 2 is "x", expected a finite number', corpora.glove{ "g", dir = root })
    fails_with('row 2, column "Sales": "-" is no number', corpora.time_series{ "shampoo", dir = root })
    fails_with("2 labels for 1 images", corpora.mnist{ dir = root })
    fails_with("has no t10k-images-idx3-ubyte", corpora.mnist{ dir = "/nowhere" })
    assert.fails("name must be one of wordsim353,", corpora.wordsim, { "wordsim", dir = root })
    assert.fails("name is missing", corpora.time_series, { dir = root })
  end)

  it("are read", function()
    local root = folders.new{ ["glove/g.txt"] = "uno 1 -2.5e-1\nñu 3 4\n",
      ["time-series/exchange_rate.txt"] = "1.5,2\r\n3,4\r\n" }
    local set = assert(corpora.glove{ "g", dir = root })
    assert.are.same({ "uno", "ñu" }, set.words)
    assert.are.same({ { 1, -0.25 }, { 3, 4 } }, set.vectors:totable())
    set = assert(corpora.time_series{ "exchange_rate", dir = root })
    assert.are.same({ { 1.5, 2 }, { 3, 4 } }, set.values:totable())
    assert.is_nil(set.dates)
  end)

  it("give all memory back", function()
    local root = folders.new{ ["glove/g.txt"] = "uno 1 2\ndos 1 x\n" }
    helper.leak_check(function() corpora.glove{ "g", dir = root } end)
  end)
end)

describe("shuffled", function()
  local part = { texts = { "a", "b", "c", "d" }, labels = marea.tensor{ 1, 2, 3, 4 } }

  it("moves texts and labels alike, or takes a sample", function()
    marea.manual_seed(3)
    local all = corpora.shuffled(part)
    local seen = {}
    for i, text in ipairs(all.texts) do seen[text] = all.labels:get(i) end
    assert.are.same({ a = 1, b = 2, c = 3, d = 4 }, seen)
    assert.are.equal(2, #corpora.shuffled(part, { limit = 2 }).texts)
    assert.are.equal(4, #corpora.shuffled(part, { limit = 9 }).texts)
  end)

  it("refuses what is no part", function()
    assert.fails("expected a part { texts, labels }", corpora.shuffled, { "a" })
    assert.fails("limit must be", corpora.shuffled, part, { limit = 0 })
  end)
end)

describe("es_novels", function()
  after_each(folders.clean)

  it("are paragraphs of the .txt files, in the order of their names", function()
    local folder = folders.new{ ["es-novels/b.txt"] = "\t\n\tUno.\r\nDos.\n",
      ["es-novels/a.txt"] = "Cero.\n\n", ["es-novels/list.csv"] = "a,b\n" }
    for _, dir in ipairs{ folder, folder .. "/es-novels" } do
      local set = assert(corpora.es_novels{ dir = dir })
      assert.are.same({ "Cero.", "Uno.", "Dos." }, set.train.texts)
      assert.are.same({ "a.txt", "b.txt" }, set.names)
    end
  end)

  it("say what is missing", function()
    local folder = folders.new{ ["es-novels/list.csv"] = "a,b\n" }
    fails_with("es-novels\": there is no .txt file", corpora.es_novels{ dir = folder })
    fails_with("/nowhere\": no such folder", corpora.es_novels{ dir = "/nowhere" })
  end)
end)
