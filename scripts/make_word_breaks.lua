-- Writes core/text/split/word_break_table.c from Unicode's data files (Debian's package unicode-data):
-- the Word_Break property and Extended_Pictographic (UAX #29).
-- Usage: marea scripts/make_word_breaks.lua [/usr/share/unicode] > core/text/split/word_break_table.c
local folder = arg[1] or "/usr/share/unicode"
local short = { CR = "CR", LF = "LF", Newline = "NL", Extend = "EX", ZWJ = "ZJ", Format = "FO",
  Regional_Indicator = "RI", Katakana = "KA", Hebrew_Letter = "HE", ALetter = "AL",
  Single_Quote = "SQ", Double_Quote = "DQ", MidNumLet = "MB", MidLetter = "ML", MidNum = "MN",
  Numeric = "NU", ExtendNumLet = "EN", WSegSpace = "WS" }

local function each_range(path, use)
  for line in assert(io.open(path)):lines() do
    local first, last, name = line:match("^(%x+)%.*(%x*)%s*;%s*([%w_]+)")
    if first then
      first = tonumber(first, 16)
      use(first, last ~= "" and tonumber(last, 16) or first, name)
    end
  end
end

local class, pictographic = {}, {}
each_range(folder .. "/auxiliary/WordBreakProperty.txt", function(first, last, name)
  for code = first, last do class[code] = assert(short[name], name) end
end)
each_range(folder .. "/emoji/emoji-data.txt", function(first, last, name)
  if name ~= "Extended_Pictographic" then return end
  for code = first, last do pictographic[code] = true end
end)

local function value(code)
  local name = class[code]
  if pictographic[code] then return name and ("P | " .. name) or "P" end
  return name
end

local ranges, code = {}, 0
while code < 0x110000 do
  local here, last = value(code), code
  while last + 1 < 0x110000 and value(last + 1) == here do last = last + 1 end
  if here then ranges[#ranges + 1] = ("{0x%X, 0x%X, %s}"):format(code, last, here) end
  code = last + 1
end

local names = {}
for long, name in pairs(short) do names[#names + 1] = { name, long } end
table.sort(names, function(a, b) return a[1] < b[1] end)

print "/* Made by scripts/make_word_breaks.lua from Unicode's data files; not to be edited. */"
print '#include "text/split/word_break.h"\n'
print "/* clang-format off */"
print "enum {"
for _, pair in ipairs(names) do print(("  %s = MAREA_BREAK_%s,"):format(pair[1], pair[2]:upper())) end
print "  P = MAREA_BREAK_PICTOGRAPHIC\n};\n"
print "const marea_break_range marea_break_ranges[] = {"
for i = 1, #ranges, 4 do print("  " .. table.concat(ranges, ", ", i, math.min(i + 3, #ranges)) .. ",") end
print "};\n"
print(("const size_t marea_break_range_count = %d;"):format(#ranges))
