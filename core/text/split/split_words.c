/* Word boundaries of Unicode (UAX #29, rules WB3 to WB16), in one pass. */
#include <pthread.h>

#include "text/split/split_rule.h"
#include "text/split/word_break.h"

static int find_class(int32_t code) {
  size_t low = 0, high = marea_break_range_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const marea_break_range *range = &marea_break_ranges[middle];
    if (code < range->first)
      high = middle;
    else if (code > range->last)
      low = middle + 1;
    else
      return range->value;
  }
  return MAREA_BREAK_OTHER;
}

/* Classes of the scripts below U+2100, by far the most frequent, as a table. */
enum { TABLE_CODES = 0x2100 };

static unsigned char table[TABLE_CODES];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void) {
  for (int32_t code = 0; code < TABLE_CODES; code++) table[code] = (unsigned char)find_class(code);
}

static int class_of(int32_t code) {
  return code < TABLE_CODES ? table[code] : find_class(code);
}

static bool is_ignored(int class) {
  return class == MAREA_BREAK_EXTEND || class == MAREA_BREAK_FORMAT || class == MAREA_BREAK_ZWJ;
}

static bool is_newline(int class) {
  return class == MAREA_BREAK_CR || class == MAREA_BREAK_LF || class == MAREA_BREAK_NEWLINE;
}

static bool is_letter(int class) {
  return class == MAREA_BREAK_ALETTER || class == MAREA_BREAK_HEBREW_LETTER;
}

/* A mark that stays between letters, or between numbers. */
static bool joins_letters(int class) {
  return class == MAREA_BREAK_MIDLETTER || class == MAREA_BREAK_MIDNUMLET ||
         class == MAREA_BREAK_SINGLE_QUOTE;
}

static bool joins_numbers(int class) {
  return class == MAREA_BREAK_MIDNUM || class == MAREA_BREAK_MIDNUMLET ||
         class == MAREA_BREAK_SINGLE_QUOTE;
}

/* What stands before a place: the last class, the last ones that are not ignored, flags in a row.
 */
typedef struct context {
  int last, base, before_base;
  size_t indicators;
} context;

static int strip(int class) {
  return class & ~MAREA_BREAK_PICTOGRAPHIC;
}

/* The next class from `at` on that is not ignored. */
static int class_ahead(marea_text text, size_t at) {
  while (at < text.length) {
    int32_t code;
    at += marea_utf8_next(text.bytes + at, &code);
    int class = strip(class_of(code));
    if (!is_ignored(class)) return class;
  }
  return MAREA_BREAK_OTHER;
}

/* WB5 to WB7c. */
static bool letters_join(const context *c, int class, marea_text text, size_t after) {
  if (is_letter(c->base)) {
    if (is_letter(class)) return true;
    if (joins_letters(class) && is_letter(class_ahead(text, after))) return true;
  }
  if (is_letter(c->before_base) && joins_letters(c->base) && is_letter(class)) return true;
  const int hebrew = MAREA_BREAK_HEBREW_LETTER;
  if (c->base == hebrew && class == MAREA_BREAK_SINGLE_QUOTE) return true;
  if (c->base == hebrew && class == MAREA_BREAK_DOUBLE_QUOTE)
    return class_ahead(text, after) == hebrew;
  return c->before_base == hebrew && c->base == MAREA_BREAK_DOUBLE_QUOTE && class == hebrew;
}

/* WB8 to WB13b. */
static bool numbers_join(const context *c, int class, marea_text text, size_t after) {
  const int number = MAREA_BREAK_NUMERIC, kana = MAREA_BREAK_KATAKANA,
            line = MAREA_BREAK_EXTENDNUMLET;
  if (class == number && (c->base == number || is_letter(c->base))) return true;
  if (c->base == number && is_letter(class)) return true;
  if (c->before_base == number && joins_numbers(c->base) && class == number) return true;
  if (c->base == number && joins_numbers(class) && class_ahead(text, after) == number) return true;
  if (c->base == kana && class == kana) return true;
  bool word_before = is_letter(c->base) || c->base == number || c->base == kana;
  if (class == line && (word_before || c->base == line)) return true;
  return c->base == line && (is_letter(class) || class == number || class == kana);
}

/* Whether a boundary lies before a character of `class`, behind which `after` is. */
static bool breaks(const context *c, int class_and_flag, marea_text text, size_t after) {
  int class = strip(class_and_flag);
  if (c->last == MAREA_BREAK_CR && class == MAREA_BREAK_LF) return false;
  if (is_newline(c->last) || is_newline(class)) return true;
  if (c->last == MAREA_BREAK_ZWJ && (class_and_flag & MAREA_BREAK_PICTOGRAPHIC) != 0) return false;
  if (c->last == MAREA_BREAK_WSEGSPACE && class == MAREA_BREAK_WSEGSPACE) return false;
  if (is_ignored(class)) return false;
  if (class == MAREA_BREAK_REGIONAL_INDICATOR && c->indicators % 2 == 1) return false;
  return !letters_join(c, class, text, after) && !numbers_join(c, class, text, after);
}

static void pass(context *c, int class) {
  bool ignored = is_ignored(class) && !is_newline(c->last) && c->last >= 0;
  c->last = class;
  if (ignored) return;
  c->indicators = class == MAREA_BREAK_REGIONAL_INDICATOR ? c->indicators + 1 : 0;
  c->before_base = c->base;
  c->base = class;
}

/* Whether a reader sees a word: a letter, a number or a pictograph is in it. */
static bool is_wordlike(int32_t code, int class) {
  if (is_letter(class) || class == MAREA_BREAK_NUMERIC) return true;
  if (class == MAREA_BREAK_WSEGSPACE) return false;
  return (class & MAREA_BREAK_PICTOGRAPHIC) != 0 || class == MAREA_BREAK_REGIONAL_INDICATOR ||
         marea_is_letter(code) || marea_is_number(code);
}

typedef struct piece {
  size_t begin;
  bool word, visible;
} piece;

static marea_status give(const marea_splitter *s, const piece *p, size_t end,
                         const split_out *out) {
  bool wanted = p->word || (s->options.keep && p->visible);
  return wanted ? split_give(out, p->begin, end) : MAREA_OK;
}

marea_status marea_split_words(const marea_splitter *s, marea_text text, const split_out *out) {
  context c = {.last = -1, .base = -1, .before_base = -1};
  pthread_once(&table_once, fill_table);
  piece p = {0, false, false};
  for (size_t i = 0, after; i < text.length; i = after) {
    int32_t code;
    after = i + marea_utf8_next(text.bytes + i, &code);
    int class = class_of(code);
    if (i > 0 && breaks(&c, class, text, after)) {
      marea_status status = give(s, &p, i, out);
      if (status != MAREA_OK) return status;
      p = (piece){i, false, false};
    }
    p.word = p.word || is_wordlike(code, class);
    p.visible = p.visible || !(marea_is_space(code) || is_ignored(class));
    pass(&c, strip(class));
  }
  return give(s, &p, text.length, out);
}
