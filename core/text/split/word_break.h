/* The Word_Break property of code points (UAX #29), a table made from Unicode's data files. */
#ifndef MAREA_TEXT_WORD_BREAK_H
#define MAREA_TEXT_WORD_BREAK_H

#include <stddef.h>
#include <stdint.h>

enum {
  MAREA_BREAK_OTHER,
  MAREA_BREAK_CR,
  MAREA_BREAK_LF,
  MAREA_BREAK_NEWLINE,
  MAREA_BREAK_EXTEND,
  MAREA_BREAK_ZWJ,
  MAREA_BREAK_FORMAT,
  MAREA_BREAK_REGIONAL_INDICATOR,
  MAREA_BREAK_KATAKANA,
  MAREA_BREAK_HEBREW_LETTER,
  MAREA_BREAK_ALETTER,
  MAREA_BREAK_SINGLE_QUOTE,
  MAREA_BREAK_DOUBLE_QUOTE,
  MAREA_BREAK_MIDNUMLET,
  MAREA_BREAK_MIDLETTER,
  MAREA_BREAK_MIDNUM,
  MAREA_BREAK_NUMERIC,
  MAREA_BREAK_EXTENDNUMLET,
  MAREA_BREAK_WSEGSPACE,
  MAREA_BREAK_PICTOGRAPHIC = 32 /* added to the class */
};

typedef struct marea_break_range {
  int32_t first, last;
  int32_t value;
} marea_break_range;

/* In ascending order, without overlaps; what is in none is OTHER. */
extern const marea_break_range marea_break_ranges[];
extern const size_t marea_break_range_count;

#endif
