#include "text/subword/byte_alphabet.h"

#include "text/unicode.h"

static int is_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* How many of the bytes below this one have a character from 256 on. */
static int moved_below(int byte) {
  if (byte <= 33) return byte;
  if (byte <= 127) return 33;
  if (byte <= 161) return 33 + byte - 127;
  return 67;
}

int32_t marea_byte_character(unsigned char byte) {
  return is_itself(byte) ? byte : 256 + moved_below(byte);
}

int marea_character_byte(int32_t character) {
  if (character < 0 || character >= MAREA_ALPHABET_END) return -1;
  if (character < 256) return is_itself(character) ? (int)character : -1;
  int n = (int)character - 256;
  if (n < 33) return n;
  return n < 67 ? n - 33 + 127 : 173;
}

size_t marea_bytes_spell(const char *bytes, size_t length, char *out) {
  size_t used = 0;
  for (size_t i = 0; i < length; i++)
    used += marea_utf8_encode(marea_byte_character((unsigned char)bytes[i]), out + used);
  return used;
}

size_t marea_bytes_unspell(const char *text, size_t length, char *out) {
  size_t used = 0;
  for (size_t i = 0; i < length;) {
    int32_t character;
    size_t width = marea_utf8_decode(text + i, length - i, &character);
    int byte = width == 0 ? -1 : marea_character_byte(character);
    if (byte < 0) return SIZE_MAX;
    out[used++] = (char)byte;
    i += width;
  }
  return used;
}
