#include "text/unicode.h"

#include <utf8proc.h>

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
  if (value < smallest[wanted] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return 0;
  *code = value;
  return wanted;
}

size_t marea_utf8_encode(int32_t code, char bytes[4]) {
  return (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)bytes);
}

size_t marea_utf8_invalid(marea_text text) {
  size_t i = 0;
  while (i < text.length) {
    int32_t code;
    size_t width = marea_utf8_decode(text.bytes + i, text.length - i, &code);
    if (width == 0) return i;
    i += width;
  }
  return text.length;
}

int32_t marea_lower(int32_t code) {
  return utf8proc_tolower(code);
}

bool marea_is_cased(int32_t code) {
  return utf8proc_tolower(code) != code || utf8proc_toupper(code) != code;
}
