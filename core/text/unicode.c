#include "text/unicode.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

/* ---- UTF-8 ---- */

size_t marea_utf8_decode(const char *bytes, size_t length, int32_t *code) {
  const unsigned char *b = (const unsigned char *)bytes;
  if (b[0] < 0x80) {
    *code = b[0];
    return 1;
  }
  size_t wanted = b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
  if (b[0] < 0xC2 || b[0] > 0xF4 || length < wanted) return 0;
  int32_t value = b[0] & (0xFF >> (wanted + 1));
  for (size_t i = 1; i < wanted; i++) {
    if ((b[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (b[i] & 0x3F);
  }
  static const int32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < smallest[wanted] || value >= MAREA_CODES || (value >= 0xD800 && value < 0xE000))
    return 0;
  *code = value;
  return wanted;
}

size_t marea_utf8_before(const char *bytes, size_t at, int32_t *code) {
  size_t start = at - 1;
  while (start > 0 && ((unsigned char)bytes[start] & 0xC0) == 0x80) start--;
  return marea_utf8_next(bytes + start, code);
}

size_t marea_utf8_encode(int32_t code, char bytes[4]) {
  return (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)bytes);
}

size_t marea_ascii_prefix(const char *bytes, size_t length) {
  size_t i = 0;
  for (uint64_t word; i + 8 <= length; i += 8) {
    memcpy(&word, bytes + i, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < length && (unsigned char)bytes[i] < 0x80) i++;
  return i;
}

size_t marea_utf8_invalid(marea_text text) {
  size_t i = 0;
  while (i < text.length) {
    int32_t code;
    if ((unsigned char)text.bytes[i] < 0x80) {
      i += marea_ascii_prefix(text.bytes + i, text.length - i);
      continue;
    }
    size_t width = marea_utf8_decode(text.bytes + i, text.length - i, &code);
    if (width == 0) return i;
    i += width;
  }
  return text.length;
}

/* ---- case ---- */

enum { TABLE_CODES = 0x10000 };

static uint16_t lower_table[TABLE_CODES];
static pthread_once_t lower_once = PTHREAD_ONCE_INIT;

static void fill_lower_table(void) {
  for (int32_t code = 0; code < TABLE_CODES; code++) {
    int32_t lowered = utf8proc_tolower(code);
    lower_table[code] = (uint16_t)(lowered < TABLE_CODES ? lowered : code);
  }
}

const uint16_t *marea_lower_table(void) {
  pthread_once(&lower_once, fill_lower_table);
  return lower_table;
}

int32_t marea_lower(int32_t code) {
  return utf8proc_tolower(code);
}

/* Circled and squared Latin letters. */
static bool is_enclosed_letter(int32_t code) {
  return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
         (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
}

bool marea_is_cased(int32_t code) {
  switch (utf8proc_category(code)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT: return true;
  case UTF8PROC_CATEGORY_NL: return code >= 0x2160 && code <= 0x217F; /* Roman numerals */
  case UTF8PROC_CATEGORY_SO: return is_enclosed_letter(code);
  default: return code == 0xAA || code == 0xBA; /* ordinal indicators */
  }
}

bool marea_is_case_ignorable(int32_t code) {
  switch (utf8proc_category(code)) {
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_SK: return true;
  default: break;
  }
  static const int32_t within_words[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,
                                         0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                         0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
  for (size_t i = 0; i < sizeof within_words / sizeof *within_words; i++)
    if (within_words[i] == code) return true;
  return false;
}

/* ---- properties ---- */

const char *marea_category(int32_t code) {
  return utf8proc_category_string(code);
}

bool marea_is_mark(int32_t code) {
  return code >= 0x300 && marea_category(code)[0] == 'M';
}

bool marea_is_punctuation(int32_t code) {
  if (code < 0x80)
    return (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) ||
           (code >= 123 && code <= 126);
  return marea_category(code)[0] == 'P';
}

bool marea_is_space(int32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool marea_is_space_of(marea_spaces spaces, int32_t code) {
  if (spaces == MAREA_SPACES_ASCII && code >= 0x80) return false;
  if (spaces == MAREA_SPACES_PYTHON && code >= 0x1C && code <= 0x1F) return true;
  return marea_is_space(code);
}

static bool is_ascii_letter(int32_t code) {
  return (unsigned)(code | 32) - 'a' < 26;
}

bool marea_is_letter(int32_t code) {
  return code < 0x80 ? is_ascii_letter(code) : marea_category(code)[0] == 'L';
}

bool marea_is_number(int32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : marea_category(code)[0] == 'N';
}

bool marea_is_digit(int32_t code) {
  return code < 0x80 ? code >= '0' && code <= '9' : utf8proc_category(code) == UTF8PROC_CATEGORY_ND;
}

bool marea_is_word_python(int32_t code) {
  if (code < 0x80) return is_ascii_letter(code) || (code >= '0' && code <= '9') || code == '_';
  char major = marea_category(code)[0];
  return major == 'L' || major == 'N';
}

bool marea_is_word_rust(int32_t code) {
  if (code < 0x80) return marea_is_word_python(code);
  switch (utf8proc_category(code)) {
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_PC: return true;
  case UTF8PROC_CATEGORY_SO: return is_enclosed_letter(code); /* Other_Alphabetic */
  default: break;
  }
  char major = marea_category(code)[0];
  return major == 'L' || major == 'M' || code == 0x200C || code == 0x200D;
}
