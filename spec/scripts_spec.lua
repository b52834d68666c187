-- The scripts run as they stand: a few steps of each, in a process of their own.
local function output_of(command)
  local process = assert(io.popen(command .. " 2>&1"))
  local text = process:read("a")
  local ok = process:close()
  return ok, text
end

local program = require("spec.helper").program

-- A case that needs our own interpreter.
local function runs(title, f)
  it(title, program and f or function() pending("runs only in our own interpreter") end)
end

describe("scripts/sentiment.lua", function()
  for _, model in ipairs{ "lstm", "rnn", "gru", "bilstm", "flatten" } do
    runs("trains, saves, loads and answers: " .. model, function()
      local ok, text = output_of(("%q scripts/sentiment.lua --model %s --epochs 2 --limit 96")
        :format(program, model))
      assert.is_true(ok, text)
      assert.is_truthy(text:find("Test accuracy (" .. model .. ")", 1, true), text)
      assert.is_truthy(text:find("película", 1, true), text)
    end)
  end

  runs("says what is wrong with its options", function()
    local ok, text = output_of(("%q scripts/sentiment.lua --data /nowhere"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("/nowhere/train.tsv.gz: No such file", 1, true), text)
    ok, text = output_of(("%q scripts/sentiment.lua --colour red"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("unknown option or missing value: --colour", 1, true), text)
  end)
end)

describe("the interpreter", function()
  runs("runs code, shows its version, refuses what it does not know", function()
    local _, text = output_of(("%q -e 'print(1 + 1, _VERSION)'"):format(program))
    assert.are.equal("2\tLua 5.4\n", text)
    _, text = output_of(("%q -v"):format(program))
    assert.is_truthy(text:find("Marea", 1, true))
    local ok
    ok, text = output_of(("%q --what"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("unknown option --what", 1, true))
  end)

  runs("reads a script from its input", function()
    local _, text = output_of(("echo 'print(require(\"marea\").ones{ 2 })' | %q"):format(program))
    assert.is_truthy(text:find("[1 1]", 1, true), text)
  end)
end)

describe("scripts/text_encodings.lua", function()
  runs("judges every encoding and shows them side by side", function()
    local ok, text = output_of(("%q scripts/text_encodings.lua --epochs 1 --limit 64"):format(program))
    assert.is_true(ok, text)
    for _, name in ipairs{ "one-hot, words", "one-hot, characters", "hashing", "counts", "tf-idf",
      "learned embedding" } do
      assert.is_truthy(text:find("\n" .. name:gsub("%p", "%%%0") .. " +%d+ +[%d.]+ +[01]%.%d%d%d%d"), name)
    end
    assert.is_truthy(text:find("cosine of any two words is 0", 1, true), text)
  end)

  runs("says what is wrong with its options", function()
    local ok, text = output_of(("%q scripts/text_encodings.lua --words many"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--words must be a whole number", 1, true), text)
  end)
end)

describe("scripts/word_map.lua", function()
  runs("draws the words that have vectors, and says what is missing", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    for i, word in ipairs{ "bread", "cheese", "wine", "beer", "dog", "cat", "horse", "walk", "run",
      "read" } do
      file:write(("%s %.3f %.3f %.3f\n"):format(word, math.sin(i), math.cos(3 * i), math.sin(7 * i)))
    end
    file:close()
    local page = os.tmpname()
    local ok, text = output_of(("%q scripts/word_map.lua --vectors %s --page %s"):format(program,
      path, page))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("10 of the words have vectors", 1, true), text)
    assert.is_truthy(assert(io.open(page)):read("a"):find("cheese", 1, true))
    os.remove(path)
    os.remove(page)
    ok, text = output_of(("%q scripts/word_map.lua --vectors /nowhere.txt"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("/nowhere.txt", 1, true), text)
  end)
end)

describe("scripts/word_vectors.lua", function()
  for language, word in pairs{ en = "film", es = "película" } do
    runs("trains on what is there and asks, " .. language, function()
      local ok, text = output_of(("MAREA_DATA= %q scripts/word_vectors.lua --language %s "
        .. "--iterations 3 --size 8"):format(program, language))
      assert.is_true(ok, text)
      for _, part in ipairs{ "iteration 3/3", "\nNeighbours, trained here", "\nAnalogies", "right: ",
        "\nDirections", "\nWhich one does not belong", word } do
        assert.is_truthy(text:find(part, 1, true), part .. " in " .. text)
      end
    end)
  end

  runs("takes a corpus of one's own, and keeps the vectors", function()
    local corpus, kept = os.tmpname(), os.tmpname()
    local file = assert(io.open(corpus, "w"))
    file:write(("the king and the queen saw a film\n"):rep(20))
    file:close()
    local ok, text = output_of(("MAREA_DATA= %q scripts/word_vectors.lua --corpus %s "
      .. "--iterations 1 --size 4 --save %s"):format(program, corpus, kept))
    assert.is_true(ok, text)
    assert.are.equal(7, #assert(require("marea").embeddings.load(kept)))
    os.remove(corpus)
    os.remove(kept)
  end)

  runs("says what is wrong with its options", function()
    for arguments, part in pairs{ ["--language fr"] = "--language is en or es, got fr",
      ["--colour red"] = "unknown option or missing value: --colour",
      ["--corpus /nowhere.txt"] = "/nowhere.txt", ["--data /nowhere"] = "/nowhere/",
      ["--size x"] = "--size must be a whole number" } do
      local ok, text = output_of(("MAREA_DATA= %q scripts/word_vectors.lua %s"):format(program,
        arguments))
      assert.is_falsy(ok)
      assert.is_truthy(text:find(part, 1, true), text)
    end
  end)
end)

describe("scripts/transfer.lua", function()
  runs("puts from scratch, frozen and fine-tuned in one table", function()
    local ok, text = output_of(("MAREA_DATA= %q scripts/transfer.lua --labels 20,40 --seeds 2 "
      .. "--epochs 5"):format(program))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("words have vectors", 1, true), text)
    for _, model in ipairs{ "flatten", "mean", "lstm" } do
      for _, labels in ipairs{ 20, 40 } do
        local row = "\n" .. model .. " +" .. labels .. " +2" .. (" +%d+%.%d ± %d+%.%d"):rep(3)
        assert.is_truthy(text:find(row), text)
      end
    end
  end)

  runs("says what is wrong with its options", function()
    for arguments, part in pairs{ ["--models tree"] = "there is no model tree",
      ["--labels 9"] = "--labels: expected numbers from 10 to 384, got 9",
      ["--labels many"] = "--labels: expected numbers from 10 to 384, got many",
      ["--vectors /nowhere.txt"] = "/nowhere.txt", ["--language fr"] = "language must be one of",
      ["--data /nowhere"] = "/nowhere" } do
      local ok, text = output_of(("MAREA_DATA= %q scripts/transfer.lua %s"):format(program,
        arguments))
      assert.is_falsy(ok)
      assert.is_truthy(text:find(part, 1, true), text)
    end
  end)
end)

describe("scripts/gradients.lua", function()
  runs("shows gradients, clipping and the adding problem", function()
    local ok, text = output_of(("%q scripts/gradients.lua --lengths 4 --steps 12"):format(program))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("RNN, gain", 1, true), text)
    assert.is_truthy(text:find("clipnorm 1 +last loss"), text)
    assert.is_truthy(text:find("\n +4 +[%d.]+ +%a+"), text)
    ok, text = output_of(("%q scripts/gradients.lua --steps some"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--steps must be a whole number", 1, true), text)
  end)

  runs("says the same twice, but for the seconds", function()
    local function said()
      local ok, text = output_of(("%q scripts/gradients.lua --lengths 4,6 --steps 12 --seed 5"):format(program))
      assert.is_true(ok, text)
      return (text:gsub(" +%d+%.%d\n", "\n"):gsub("\n%d+ s%.", "\n"))
    end
    assert.are.equal(said(), said())
  end)
end)

describe("scripts/reviews.lua", function()
  runs("puts networks and bags of words into one table", function()
    local ok, text = output_of(("MAREA_DATA= %q scripts/reviews.lua --epochs 1 --limit 64"):format(program))
    assert.is_true(ok, text)
    for _, name in ipairs{ "SimpleRNN 32", "GRU 32", "LSTM 32", "largest value", "Conv1D", "attention",
      "words, weighted", "triples" } do
      assert.is_truthy(text:find(name .. "[^\n]* +%d+ +%d+ +[%d.]+ +[01]%.%d%d%d%d"), name)
    end
    ok, text = output_of(("MAREA_DATA= %q scripts/reviews.lua --models tree"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("there is no model tree; there are rnn, gru", 1, true), text)
  end)
end)

describe("scripts/labels.lua", function()
  runs("finds names with a CRF and without", function()
    local ok, text = output_of(("MAREA_DATA= %q scripts/labels.lua --epochs 2"):format(program))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("without CRF +[%d.]+%% +[%d.]+%%\nwith CRF +[%d.]+%% +[%d.]+%%"), text)
    ok, text = output_of(("MAREA_DATA= %q scripts/labels.lua --task verbs"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--task must be names or speech", 1, true), text)
  end)
end)

describe("scripts/questions.lua", function()
  runs("tells kinds of questions apart", function()
    local ok, text = output_of(("MAREA_DATA= %q scripts/questions.lua --epochs 2 --runs 1"):format(program))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("Mean test accuracy of 1 runs: [01]%.%d%d%d%d"), text)
    assert.is_truthy(text:find("¿", 1, true), text)
  end)
end)

describe("scripts/translate.lua", function()
  runs("translates with and without attention, in both directions", function()
    local command = "MAREA_DATA= %q scripts/translate.lua --epochs 4 --units 16 --direction %s"
    for _, direction in ipairs{ "en-es", "es-en" } do
      local ok, text = output_of(command:format(program, direction))
      assert.is_true(ok, text)
      assert.is_truthy(text:find("The short pairs that come with Marea", 1, true), text)
      assert.is_truthy(text:find("432 pairs to learn from, 48 sentences to be judged by", 1, true), text)
      assert.is_truthy(text:find("\nwith attention +%d+ +[%d.]+ +[%d.]+ +0%.%d+ +[%d.]+ +[%d.]+"), text)
      assert.is_truthy(text:find("\n5 to 6 +%d+ +[%d.]+ / [%d.]+ +[%d.]+ / [%d.]+"), text)
      assert.is_truthy(text:find("\n    attention: %S"), text)
      assert.is_truthy(text:find("Where attention looks", 1, true), text)
    end
    local ok, text = output_of(("MAREA_DATA= %q scripts/translate.lua --direction es-fr"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--direction must be en-es or es-en", 1, true), text)
    ok, text = output_of(("MAREA_DATA= %q scripts/translate.lua --attention dot"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--attention must be general or additive", 1, true), text)
    ok, text = output_of(("MAREA_DATA= %q scripts/translate.lua --rate much"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--rate must be a number above 0", 1, true), text)
    ok, text = output_of(("MAREA_DATA= %q scripts/translate.lua --longest 2"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("there are too few sentences", 1, true), text)
  end)
end)

describe("scripts/language_model.lua", function()
  local run = "MAREA_DATA= %q scripts/language_model.lua --epochs 1 --units 8 --limit 3000 "

  -- Validation and test text end alike, and the table says what the line above it says.
  local function check_table(text, unit)
    assert.is_truthy(text:find("\npart +tokens +perplexity +bits a " .. unit .. " +seconds"), text)
    for _, part in ipairs{ "training", "validation", "test" } do
      assert.is_truthy(text:find("\n" .. part .. " +%d+ +[%d.]+ +[%d.]+ +[%d.]+\n"), part)
    end
    for _, temperature in ipairs{ "0.5", "0.8", "1.1" } do
      assert.is_truthy(text:find("\nTemperature " .. temperature .. "\n  %S"), text)
    end
  end

  runs("learns words, writes some and keeps the model", function()
    local path = os.tmpname()
    local ok, text = output_of((run .. "--start film --length 10 --save %s"):format(program, path))
    assert.is_true(ok, text)
    local validation, test = text:match("Validation: perplexity ([%d.]+); test: perplexity ([%d.]+)")
    check_table(text, "word")
    assert.is_truthy(text:find("\nvalidation +%d+ +" .. validation:gsub("%p", "%%%0")), text)
    assert.is_truthy(text:find("\ntest +%d+ +" .. test:gsub("%p", "%%%0")), text)
    local _, samples = text:gsub("\n  film ", "")
    assert.are.equal(3, samples)
    local marea = require "marea"
    local model = assert(marea.load(path))
    os.remove(path)
    local again = { marea.generate.text(model, "film", { greedy = true, max_length = 5 }) }
    assert.are.equal(5, #again[2])
  end)

  runs("reads every part with an end behind each text", function()
    local ok, text = output_of((run .. "--limit 9000 --length 1"):format(program))
    assert.is_true(ok, text)
    local tokens = 0
    for _, review in ipairs(require("marea").corpora.reviews{ language = "en" }.test.texts) do
      local _, words = review:gsub("[.,;:!?()\"]", " %0 "):gsub("%S+", "")
      tokens = tokens + words + 1
    end
    assert.are.equal(tokens // 10 * 10, tonumber(text:match("\ntest +(%d+)")))
  end)

  runs("learns characters: as many as there are", function()
    local ok, text = output_of((run .. "--unit characters --batch 5"):format(program))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("Validation: [%d.]+ bits a character"), text)
    local different = tonumber(text:match("tokens to learn from, (%d+) different"))
    assert.is_true(different > 40 and different < 100, text)
    check_table(text, "character")
  end)

  runs("says what is wrong with its options", function()
    local ok, text = output_of((run .. "--unit lines"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--unit must be words or characters", 1, true), text)
  end)
end)

describe("scripts/airline.lua", function()
  runs("shows the usual recipe, better forecasts and a file that forecasts again", function()
    local path = os.tmpname()
    local ok, text = output_of(("%q scripts/airline.lua --seeds 1 --save %s"):format(program, path))
    assert.is_true(ok, text)
    for _, part in ipairs{ "95 windows: lookback 1, horizon 1", "RMSE over 1 seeds: ",
      "one month ahead, 96 months", "12 months at once, 132 months", "24 months at once, 120 months",
      "published: ARIMA.* 43.18", "this network, mean over 1 seeds",
      "48 months on: RMSE [%d.]+, 80%% intervals hold %d+%%", "37 months on: RMSE", "25 months on: RMSE",
      "rehearsals within", "in all" } do
      assert.is_truthy(text:find(part), part)
    end
    -- A fresh process reads the file and the numbers.
    local again
    ok, again = output_of(([[%q -e '
      local ts = require("marea").timeseries
      local forecaster = assert(ts.load("%s"))
      print(forecaster:forecast(24))']]):format(program, path))
    assert.is_true(ok, again)
    assert.is_truthy(again:find("1959%-01 +[%d.]+"), again)
    assert.is_truthy(again:find("1960%-12 +[%d.]+"), again)
    os.remove(path)
    ok, text = output_of(("%q scripts/airline.lua --seeds none"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--seeds must be a whole number", 1, true), text)
  end)
end)

describe("scripts/airline_rehearsals.lua", function()
  runs("rehearses networks on bases and their means, and takes the least", function()
    local run = ("%q scripts/airline_rehearsals.lua --seeds 1 --bases "):format(program)
    local ok, text = output_of(run .. "2")
    assert.is_true(ok, text)
    local singles, count, means = {}, 0, 0
    for rmse in text:gmatch("epochs +([%d.]+)") do singles[rmse], count = true, count + 1 end
    assert.are.equal(12, count)
    assert.is_truthy(text:find("the base alone +[%d.]+"), text)
    local last, ranking = 0, text:match("The least of 18 with a network, alone or as an ensemble:\n(.*)")
    for rmse, setting in ranking:gmatch("([%d.]+)  ([^\n]+)") do
      assert.is_true(tonumber(rmse) >= last, ranking)
      last = tonumber(rmse)
      if setting:find("mean of: ", 1, true) then means = means + 1 else assert.is_true(singles[rmse], rmse) end
    end
    assert.is_true(means > 0, ranking)
    ok, text = output_of(run .. "1 --months 84")
    assert.is_true(ok, text)
    assert.is_truthy(text:find("RMSE  from 60     72\n", 1, true), text)
    ok, text = output_of(run .. "0")
    assert.is_falsy(ok)
    assert.is_truthy(text:find("must be at least 1", 1, true), text)
    ok, text = output_of(run .. "1 --months 83")
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--months must be 84 to 144, got 83", 1, true), text)
  end)
end)

describe("scripts/energy.lua", function()
  runs("says where its data comes from, and forecasts what it is given", function()
    local ok, text = output_of(("MAREA_DATA= %q scripts/energy.lua"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("scripts/corpus list", 1, true), text)
    local folder = os.getenv("MAREA_DATA") or "../shared/data"
    if not io.open(folder .. "/time-series/ETTh1.csv.gz") then return pending("no ETTh1 in " .. folder) end
    ok, text = output_of(("%q scripts/energy.lua --data %s --epochs 1 --limit 1200"):format(program, folder))
    assert.is_true(ok, text)
    assert.is_truthy(text:find("DLinear +%d%.%d%d%d +%d%.%d%d%d"), text)
    assert.is_truthy(text:find("GRU over days +%d%.%d%d%d +%d%.%d%d%d"), text)
  end)
end)

describe("scripts/generate.lua", function()
  runs("writes by several temperatures", function()
    local ok, text = output_of(("MAREA_DATA= %q scripts/generate.lua --epochs 1 --units 8 --limit 5000 "
      .. "--length 20 --start ¿Qué"):format(program))
    assert.is_true(ok, text)
    for _, part in ipairs{ "likeliest character", "Temperature 0.4", "Temperature 1.5", "top_p 0.9", "beam of 8",
      "¿Qué|" } do
      assert.is_truthy(text:find(part, 1, true), part)
    end
    for _, rule in ipairs{ "the likeliest", "temperature 0.4", "temperature 1.5", "top_p 0.9" } do
      local row = rule:gsub("%p", "%%%0") .. " +%d+" .. (" +([%d.]+)%%"):rep(3)
      local known, _, by_heart = text:match("\n" .. row)
      assert.is_true(known and tonumber(known) <= 100 and tonumber(by_heart) <= tonumber(known), text)
    end
    assert.is_truthy(utf8.len(text))
    ok, text = output_of(("%q scripts/generate.lua --data x --corpus bible"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find("--corpus must be quijote or shakespeare, got bible", 1, true), text)
    ok, text = output_of(("MAREA_DATA= %q scripts/generate.lua --start 日本"):format(program))
    assert.is_falsy(ok)
    assert.is_truthy(text:find('--start "日本": the text to learn from has none of its characters', 1, true), text)
    assert.is_falsy(text:find("learnt", 1, true))
  end)
end)
