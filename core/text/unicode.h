/* UTF-8 and the properties of code points that the text room asks for. */
#ifndef MAREA_TEXT_UNICODE_H
#define MAREA_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text: bytes that need no end mark, borrowed. */
typedef struct marea_text {
  const char *bytes;
  size_t length;
} marea_text;

#define MAREA_TEXT(literal) ((marea_text){(literal), sizeof(literal) - 1})

enum { MAREA_CODES = 0x110000 };

/* The code point at the beginning of `bytes` (at least one byte) and its length; length 0 when the
 * bytes are no valid UTF-8 (too long forms, surrogates and cut sequences are not). */
size_t marea_utf8_decode(const char *bytes, size_t length, int32_t *code);

/* The same for bytes that are known to be valid UTF-8. */
static inline size_t marea_utf8_next(const char *bytes, int32_t *code) {
  const unsigned char *b = (const unsigned char *)bytes;
  if (b[0] < 0x80) return *code = b[0], 1;
  if (b[0] < 0xE0) return *code = (b[0] & 0x1F) << 6 | (b[1] & 0x3F), 2;
  if (b[0] < 0xF0) return *code = (b[0] & 0xF) << 12 | (b[1] & 0x3F) << 6 | (b[2] & 0x3F), 3;
  *code = (b[0] & 7) << 18 | (b[1] & 0x3F) << 12 | (b[2] & 0x3F) << 6 | (b[3] & 0x3F);
  return 4;
}

/* The code point that ends before `bytes + at` (at > 0), of valid UTF-8, and its length. */
size_t marea_utf8_before(const char *bytes, size_t at, int32_t *code);

/* Writes a code point; returns its 1 to 4 bytes. */
size_t marea_utf8_encode(int32_t code, char bytes[4]);

/* Length of the ASCII beginning of a text. */
size_t marea_ascii_prefix(const char *bytes, size_t length);

/* The offset of the first byte that is no valid UTF-8, or the text's length. */
size_t marea_utf8_invalid(marea_text text);

/* Simple lower-case mapping of one code point. */
int32_t marea_lower(int32_t code);

/* The same for all code points below 0x10000, as a table that lives as long as the program. */
const uint16_t *marea_lower_table(void);

/* Unicode's Cased, for code points that are not case-ignorable. */
bool marea_is_cased(int32_t code);

/* Whether a code point is looked over when the neighbours of a sigma are judged (Unicode's
 * Case_Ignorable: marks, modifiers, format characters, marks within words). */
bool marea_is_case_ignorable(int32_t code);

/* General category, two letters as in "Lu"; [0] is the major class. */
const char *marea_category(int32_t code);
bool marea_is_mark(int32_t code);        /* M*: accents and other combining characters */
bool marea_is_punctuation(int32_t code); /* P*, and all ASCII marks as BERT counts them */
bool marea_is_space(int32_t code);       /* Unicode's White_Space */
bool marea_is_letter(int32_t code);      /* L* */
bool marea_is_number(int32_t code);      /* N* */
bool marea_is_digit(int32_t code);       /* Nd */

/* The w class of Python's re (letters, numbers, underscore), and of the Rust regex that Hugging
 * Face uses (also marks, connectors, joiners). */
bool marea_is_word_python(int32_t code);
bool marea_is_word_rust(int32_t code);

/* Which characters are white space. */
typedef enum marea_spaces {
  MAREA_SPACES_UNICODE, /* White_Space */
  MAREA_SPACES_ASCII,   /* blank, TAB, LF, VT, FF, CR: TensorFlow */
  MAREA_SPACES_PYTHON   /* White_Space and U+001C to U+001F: Python's str.split and its s class */
} marea_spaces;

bool marea_is_space_of(marea_spaces spaces, int32_t code);

#endif
