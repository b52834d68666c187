/* The byte-level alphabet of GPT-2 (Radford et al., 2019): each byte has a printable character, so
 * that any text can be spelt with 256 symbols. The bytes 33–126, 161–172 and 174–255 are written as
 * the characters of the same number; the other 68, in order, as the characters from 256 on (a blank
 * is "Ġ"). */
#ifndef MAREA_TEXT_BYTE_ALPHABET_H
#define MAREA_TEXT_BYTE_ALPHABET_H

#include <stddef.h>
#include <stdint.h>

enum { MAREA_ALPHABET_END = 256 + 68 }; /* one more than the largest character */

/* The character of a byte. */
int32_t marea_byte_character(unsigned char byte);

/* The byte of a character; -1 when the alphabet lacks it. */
int marea_character_byte(int32_t character);

/* Spells bytes; `out` has room for 2 * length bytes. Returns how many were written. */
size_t marea_bytes_spell(const char *bytes, size_t length, char *out);

/* The reverse; `out` has room for `length` bytes. Returns how many were written, or SIZE_MAX when
 * the text has a character that the alphabet lacks. */
size_t marea_bytes_unspell(const char *text, size_t length, char *out);

#endif
