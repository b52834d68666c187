-- Unicode's own tests and data files (Debian's package unicode-data) against the stages that follow
-- its rules: word and grapheme boundaries (UAX #29), normal forms (UAX #15), case, classes of
-- characters. Pending where the files are missing or of another version.
local marea = require "marea"
local text = marea.text

local FOLDER <const> = "/usr/share/unicode"
local VERSION <const> = "15.0.0" -- of utf8proc's tables and of word_break_table.c

-- The lines of a file, without comments; nil and why.
local function read(name)
  local path = FOLDER .. "/" .. name
  local compressed = name:match("%.bz2$")
  local probe = io.open(path, "rb")
  if not probe then return nil, path .. " is not here (package unicode-data)" end
  probe:close()
  local file = compressed and io.popen("bzip2 -dc '" .. path .. "' 2>/dev/null") or io.open(path)
  local first = file:read("l") or ""
  if not first:find(VERSION, 1, true) then
    file:close()
    return nil, ("%s is of another version than %s, or cannot be read"):format(path, VERSION)
  end
  local lines = {}
  for line in file:lines() do
    line = line:gsub("%s*#.*", "")
    if line ~= "" then lines[#lines + 1] = line end
  end
  file:close()
  return lines
end

-- "0061 0308" → "ä"
local function characters(codes)
  local list = {}
  for code in codes:gmatch("%x+") do list[#list + 1] = utf8.char(tonumber(code, 16)) end
  return table.concat(list)
end

-- "÷ 0061 × 0308 ÷ 0062 ÷" → { "ä", "b" }
local function pieces(line)
  local list = {}
  for part in (line:gsub("÷", "|")):gmatch("[^|]+") do
    local piece = characters((part:gsub("×", " ")))
    if piece ~= "" then list[#list + 1] = piece end
  end
  return list
end

-- Ranges of a property in a file: code → true.
local function property(lines, name)
  local set = {}
  for _, line in ipairs(lines) do
    local first, last, value = line:match("^(%x+)%.*(%x*)%s*;%s*([%w_]+)")
    if value == name then
      for code = tonumber(first, 16), tonumber(last ~= "" and last or first, 16) do
        set[code] = true
      end
    end
  end
  return set
end

-- Every character of the assigned planes, and some of the empty rest.
local function each_code(f)
  for code = 0, 0x323AF do
    if code < 0xD800 or code > 0xDFFF then f(code) end
  end
  for code = 0x323B0, 0x10FFFF, 1009 do f(code) end
  for code = 0xE0000, 0xE01EF do f(code) end
end

-- One line a difference, the first few.
local function nothing_wrong(wrong)
  assert.are.equal(0, #wrong, table.concat(wrong, "\n", 1, math.min(#wrong, 5)))
end

describe("Unicode's tests", function()
  it("of grapheme clusters", function()
    local lines, message = read("auxiliary/GraphemeBreakTest.txt")
    if not lines then return pending(message) end
    local pipeline, wrong = text.Pipeline{ split = "graphemes" }, {}
    for _, line in ipairs(lines) do
      local expected = pieces(line)
      local got = pipeline:tokens(table.concat(expected))
      if table.concat(got, "\0") ~= table.concat(expected, "\0") then wrong[#wrong + 1] = line end
    end
    assert.is_true(#lines > 500)
    nothing_wrong(wrong)
  end)

  -- Pieces in which nothing is visible are not given; all others are, with their places, which
  -- proves both ends of each.
  it("of word boundaries", function()
    local lines, message = read("auxiliary/WordBreakTest.txt")
    if not lines then return pending(message) end
    local classes = assert(read("auxiliary/WordBreakProperty.txt"))
    local unseen = property(assert(read("PropList.txt")), "White_Space")
    for _, name in ipairs{ "Extend", "Format", "ZWJ" } do
      for code in pairs(property(classes, name)) do unseen[code] = true end
    end
    local pipeline = text.Pipeline{ split = { { "words", punctuation = "keep" } } }
    local wrong, seen = {}, 0
    for _, line in ipairs(lines) do
      local all, expected, at = pieces(line), {}, 1
      for _, piece in ipairs(all) do
        local visible = false
        for _, code in utf8.codes(piece) do visible = visible or not unseen[code] end
        if visible then expected[#expected + 1] = at .. " " .. piece end
        at = at + #piece
      end
      local tokens, first = pipeline:tokens(table.concat(all), { places = true })
      for i = 1, #tokens do tokens[i] = first[i] .. " " .. tokens[i] end
      seen = seen + #tokens
      if table.concat(tokens, "\0") ~= table.concat(expected, "\0") then wrong[#wrong + 1] = line end
    end
    assert.is_true(#lines > 1500 and seen > 3000)
    nothing_wrong(wrong)
  end)

  it("of normal forms", function()
    local lines, message = read("NormalizationTest.txt.bz2")
    if not lines then return pending(message) end
    local forms = { "nfc", "nfd", "nfkc", "nfkd" }
    -- Which of the five columns each form must give, for each column.
    local results = { nfc = { 2, 2, 2, 4, 4 }, nfd = { 3, 3, 3, 5, 5 }, nfkc = { 4, 4, 4, 4, 4 },
      nfkd = { 5, 5, 5, 5, 5 } }
    local pipelines, wrong, seen, count = {}, {}, {}, 0
    for _, form in ipairs(forms) do
      pipelines[form] = text.Pipeline{ normalize = { form }, split = "none" }
    end
    for _, line in ipairs(lines) do
      local columns = {}
      for part in line:gmatch("([^;]*);") do columns[#columns + 1] = characters(part) end
      if line:sub(1, 1) ~= "@" then
        count = count + 1
        if utf8.len(columns[1]) == 1 then seen[utf8.codepoint(columns[1])] = true end
        for _, form in ipairs(forms) do
          for i, column in ipairs(columns) do
            local expected = columns[results[form][i]]
            if pipelines[form]:normalized(column) ~= expected then
              wrong[#wrong + 1] = ("%s of column %d: %s"):format(form, i, line)
            end
          end
        end
      end
    end
    assert.is_true(count > 18000)
    nothing_wrong(wrong)
    -- Part 1 has every character that changes; all others stay.
    each_code(function(code)
      if seen[code] then return end
      local character = utf8.char(code)
      for _, form in ipairs(forms) do
        if pipelines[form]:normalized(character) ~= character then
          wrong[#wrong + 1] = ("%s changes U+%04X"):format(form, code)
        end
      end
    end)
    nothing_wrong(wrong)
  end)
end)

describe("Unicode's data files", function()
  -- UnicodeData.txt has no version line of its own; DerivedCoreProperties.txt stands for both.
  local function unicode_data()
    local _, message = read("DerivedCoreProperties.txt")
    if message then return nil, message end
    local lower, category = {}, {}
    for line in io.lines(FOLDER .. "/UnicodeData.txt") do
      local fields = {}
      for field in (line .. ";"):gmatch("([^;]*);") do fields[#fields + 1] = field end
      local code = tonumber(fields[1], 16)
      category[code] = fields[3]
      if fields[14] ~= "" then lower[code] = tonumber(fields[14], 16) end
    end
    return lower, category
  end

  it("of lower case: simple mappings of every character", function()
    local lower, message = unicode_data()
    if not lower then return pending(message) end
    local pipeline, wrong = text.Pipeline{ normalize = { "lower" }, split = "none" }, {}
    each_code(function(code)
      local expected = code == 0x130 and "i\u{307}" or utf8.char(lower[code] or code)
      if pipeline:normalized(utf8.char(code)) ~= expected then
        wrong[#wrong + 1] = ("U+%04X"):format(code)
      end
    end)
    nothing_wrong(wrong)
  end)

  it("of case folding: every character", function()
    local lines, message = read("CaseFolding.txt")
    if not lines then return pending(message) end
    local folded = {}
    for _, line in ipairs(lines) do
      local code, status, result = line:match("^(%x+); (%u); ([%x ]+);")
      if status == "C" or status == "F" then folded[tonumber(code, 16)] = characters(result) end
    end
    local pipeline, wrong = text.Pipeline{ normalize = { "fold" }, split = "none" }, {}
    each_code(function(code)
      local character = utf8.char(code)
      if pipeline:normalized(character) ~= (folded[code] or character) then
        wrong[#wrong + 1] = ("U+%04X"):format(code)
      end
    end)
    nothing_wrong(wrong)
  end)

  it("of the final sigma: every character before and behind it", function()
    local lines, message = read("DerivedCoreProperties.txt")
    if not lines then return pending(message) end
    local cased, ignorable = property(lines, "Cased"), property(lines, "Case_Ignorable")
    local pipeline, wrong = text.Pipeline{ normalize = { "lower" }, split = "none" }, {}
    local function is_final(source) return pipeline:normalized(source):find("ς", 1, true) ~= nil end
    each_code(function(code)
      if code == 0x3C2 then return end -- the final sigma itself
      local character = utf8.char(code)
      -- Alone in front, between a letter and the sigma, behind "aΣ".
      local before = not ignorable[code] and cased[code] or false
      local between = ignorable[code] or cased[code] or false
      local behind = ignorable[code] or not cased[code]
      local fine = is_final(character .. "Σ") == before
        and is_final("a" .. character .. "Σ") == between
        and is_final("aΣ" .. character) == (behind or code == 0x3A3)
      if not fine then wrong[#wrong + 1] = ("U+%04X"):format(code) end
    end)
    nothing_wrong(wrong)
  end)

  it("of the classes of characters that splitters ask for", function()
    local lines, message = read("DerivedCoreProperties.txt")
    if not lines then return pending(message) end
    local properties = assert(read("PropList.txt"))
    local lower, category = unicode_data()
    assert(lower)
    local word, space = property(lines, "Alphabetic"), property(properties, "White_Space")
    for code in pairs(property(properties, "Join_Control")) do word[code] = true end
    for code, value in pairs(category) do
      if value:find("^M") or value == "Nd" or value == "Pc" then word[code] = true end
    end
    local tables = {
      words_or_marks = function(code) return word[code] end,
      word_runs = function(code)
        local value = category[code]
        return value and (value:find("^L") or value:find("^N")) or code == 0x5F
      end,
      digits = function(code) return category[code] and category[code]:find("^N") end,
      whitespace = function(code) return not space[code] end,
    }
    local wrong = {}
    for name, belongs in pairs(tables) do
      -- "a" and "1" belong to all four classes but digits; the character joins its neighbours or not.
      local pipeline = text.Pipeline{ split = name }
      local mate = name == "digits" and "1" or "a"
      each_code(function(code)
        -- The middle of ranges that UnicodeData.txt names by their ends is left out.
        if not (category[code] or space[code]) then return end
        local joined = mate .. utf8.char(code) .. mate
        local is_one = pipeline:tokens(joined)[1] == joined
        if is_one ~= (belongs(code) and true or false) then
          wrong[#wrong + 1] = ("%s: U+%04X"):format(name, code)
        end
      end)
    end
    nothing_wrong(wrong)
  end)
end)
