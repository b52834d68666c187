--- Texts of many scripts for the specs of the text room: written ones and made ones.
local marea = require "marea"

local texts = {}

texts.written = {
  "El ÑANDÚ come; ¿quién lo diría? «Nadie», dijo… ¡el pingüino!",
  "e\u{301}l bebio\u{301} cafe\u{301} con n\u{303}oquis y a\u{323}\u{302} y \u{1EAD}",
  "İstanbul'da IĞDIR ılık, İZMİR de öyle.",
  "Die Straße heißt GROẞ und STRASSE; 3,5 km weit.",
  "Ο ΟΔΥΣΣΕΑΣ ΕΙΔΕ ΤΟΥΣ ΣΟΦΟΥΣ. Σ ΑΣ'Β",
  "שלום, עולם! 12 מילים בְּרֵאשִׁית",
  "مرحبا بالعالم ١٢٣ الطَّقْسُ",
  "हिन्दी वाक्य है।", "ไม่มีช่องว่าง", "日本語ｶﾞ東京 한국어 각",
  "👨\u{200D}👩\u{200D}👧 👍🏽 🇪🇸🇲🇽 ❤\u{FE0F}",
  "see <b>http://a.org/x?y=1</b>, www.b.net. &amp; &ntilde; &#233;",
  " \t two  blanks\u{A0}and\u{3000}more\u{2028}\r\n", "a_b 1,234.5 x² ½ №5 don't C++",
  "", " ", "x", "a\0b \0", "\u{301}\u{302}", "\u{FEFF}\u{200B}\u{AD}",
}

local alphabet = {}
for _, source in ipairs{ "aeiou AEIOU nñÑ zZ ", "áéíóúüç ÁÉ", "ßẞİıIi", "ΑΣσςΟΔος ", "дЖёй ",
  "שלבְּ ", "مرحَبا ١٢ ", "हिन्दी ", "日本ｶﾞ 각가ᄀ ", "👍🏽🇪🇸👨\u{200D}", "'’.,:;!?¿¡«»…-_#&<>/\"() ",
  "0123456789½² ", "\t\n\r \u{A0}\u{3000}\u{85}\u{1C}", "\u{301}\u{303}\u{323}\u{302}\u{FE0F}\u{200B}" } do
  local characters = {}
  for _, code in utf8.codes(source) do characters[#characters + 1] = utf8.char(code) end
  alphabet[#alphabet + 1] = characters
end

-- The same numbers on every machine.
local function generator(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
    return (state >> 33) % n + 1
  end
end

--- n texts of up to `longest` characters, each mixed of a few scripts.
function texts.made(n, longest, seed)
  local pick, list = generator(seed or 1), {}
  for i = 1, n do
    local sets, parts = {}, {}
    for k = 1, 1 + pick(3) do sets[k] = alphabet[pick(#alphabet)] end
    for k = 1, pick(longest) do
      local set = sets[pick(#sets)]
      parts[k] = set[pick(#set)]
    end
    list[i] = table.concat(parts)
  end
  return list
end

--- Written and made ones.
function texts.all(n, seed)
  local list = texts.made(n, 40, seed)
  table.move(texts.written, 1, #texts.written, #list + 1, list)
  return list
end

--- Runs f with n threads.
function texts.with_threads(n, f)
  local before = marea.threads()
  marea.threads(n)
  local ok, message = pcall(f)
  marea.threads(before)
  if not ok then error(message, 0) end
end

return texts
