/* UTF-8 and lower case. */
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

/* The code point at the beginning of `bytes` (at least one byte) and its length; length 0 when the
 * bytes are no valid UTF-8 (too long forms, surrogates and cut sequences are not). */
size_t marea_utf8_decode(const char *bytes, size_t length, int32_t *code);

/* Writes a code point; returns its 1 to 4 bytes. */
size_t marea_utf8_encode(int32_t code, char bytes[4]);

/* The offset of the first byte that is no valid UTF-8, or the text's length. */
size_t marea_utf8_invalid(marea_text text);

/* Simple lower-case mapping of one code point. */
int32_t marea_lower(int32_t code);

/* Whether upper and lower case make a difference to a code point, or it is one of them. */
bool marea_is_cased(int32_t code);

#endif
