#include "text/splitter.h"

#include <string.h>

#include "base/memory.h"

enum { TABLE_CODES = 0x10000, CAPITAL_SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2, DOTTED_I = 0x130 };
enum { SEPARATOR = 0 }; /* in ascii: the byte ends a piece */

struct marea_splitter {
  bool lower, characters;
  bool simple;              /* the split string is one ASCII character */
  unsigned char ascii[128]; /* what each ASCII byte becomes; SEPARATOR ends a piece */
  bool nul_is_text;         /* byte 0 is a character, not a separator */
  uint16_t *lower_table;    /* of the code points below TABLE_CODES; NULL: keep case */
  int32_t *filters;         /* code points from 128 on */
  size_t filter_count;
  char *split;
  size_t split_length;
};

/* ---- making ---- */

static marea_status read_filters(marea_splitter *s, marea_text filters) {
  s->filters = marea_alloc_array(filters.length + 1, sizeof *s->filters);
  if (s->filters == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < filters.length;) {
    int32_t code;
    i += marea_utf8_decode(filters.bytes + i, filters.length - i, &code);
    if (code >= 128)
      s->filters[s->filter_count++] = code;
    else
      s->ascii[code] = SEPARATOR;
  }
  return MAREA_OK;
}

static marea_status make_lower_table(marea_splitter *s) {
  s->lower_table = marea_alloc_array(TABLE_CODES, sizeof *s->lower_table);
  if (s->lower_table == NULL) return MAREA_NOMEM;
  for (int32_t code = 0; code < TABLE_CODES; code++) {
    int32_t lowered = marea_lower(code);
    s->lower_table[code] = (uint16_t)(lowered < TABLE_CODES ? lowered : code);
  }
  return MAREA_OK;
}

static marea_status fill(marea_splitter *s, const marea_splitter_options *o) {
  for (int i = 0; i < 128; i++)
    s->ascii[i] = (unsigned char)(o->lower && i >= 'A' && i <= 'Z' ? i + 32 : i);
  s->nul_is_text = memchr(o->filters.bytes, 0, o->filters.length) == NULL || o->characters;
  s->split = marea_alloc(o->split.length);
  if (s->split == NULL) return MAREA_NOMEM;
  memcpy(s->split, o->split.bytes, o->split.length);
  s->split_length = o->split.length;
  s->simple = o->split.length == 1;
  marea_status status = o->characters ? MAREA_OK : read_filters(s, o->filters);
  if (status == MAREA_OK && o->lower) status = make_lower_table(s);
  if (s->simple && !o->characters) s->ascii[(unsigned char)s->split[0]] = SEPARATOR;
  return status;
}

marea_splitter *marea_splitter_new(const marea_splitter_options *o) {
  if (marea_utf8_invalid(o->filters) < o->filters.length ||
      marea_utf8_invalid(o->split) < o->split.length) {
    marea_fail(MAREA_FORMAT, "filters and split must be UTF-8");
    return NULL;
  }
  if (o->split.length == 0) {
    marea_fail(MAREA_ARGUMENT, "split must be at least one character");
    return NULL;
  }
  marea_splitter *s = marea_alloc_zero(1, sizeof *s);
  if (s == NULL) return NULL;
  s->lower = o->lower;
  s->characters = o->characters;
  if (fill(s, o) == MAREA_OK) return s;
  marea_splitter_free(s);
  return NULL;
}

void marea_splitter_free(marea_splitter *s) {
  if (s == NULL) return;
  marea_free(s->lower_table);
  marea_free(s->filters);
  marea_free(s->split);
  marea_free(s);
}

/* ---- cutting ---- */

/* The piece that is being built, or the whole text when the split string is long. */
typedef struct builder {
  const marea_splitter *splitter;
  marea_piece *piece;
  void *context;
  char *bytes, *end; /* room for the whole text */
  bool cased_before; /* the last character has case: for the final sigma */
} builder;

static marea_status flush(builder *b) {
  b->cased_before = false;
  if (b->end == b->bytes) return MAREA_OK;
  size_t length = (size_t)(b->end - b->bytes);
  b->end = b->bytes;
  return b->piece(b->context, b->bytes, length);
}

static bool is_filtered(const marea_splitter *s, int32_t code) {
  for (size_t i = 0; i < s->filter_count; i++)
    if (s->filters[i] == code) return true;
  return false;
}

static bool cased_follows(const char *bytes, size_t length) {
  int32_t code;
  return length > 0 && marea_utf8_decode(bytes, length, &code) > 0 && marea_is_cased(code);
}

static int32_t lowered(const builder *b, int32_t code, const char *rest, size_t left) {
  const marea_splitter *s = b->splitter;
  if (code == CAPITAL_SIGMA && b->cased_before && !cased_follows(rest, left)) return FINAL_SIGMA;
  return code < TABLE_CODES ? s->lower_table[code] : marea_lower(code);
}

static void append(builder *b, int32_t code) {
  b->end += marea_utf8_encode(code, b->end);
}

static marea_status separate(builder *b) {
  const marea_splitter *s = b->splitter;
  if (s->simple) return flush(b);
  memcpy(b->end, s->split, s->split_length);
  b->end += s->split_length;
  b->cased_before = false;
  return MAREA_OK;
}

/* One character from 128 on, of `width` bytes. */
static marea_status take_wide(builder *b, int32_t code, const char *rest, size_t left) {
  const marea_splitter *s = b->splitter;
  if (s->filter_count > 0 && is_filtered(s, code)) return separate(b);
  if (s->lower && code == DOTTED_I) { /* Python: i and a combining dot */
    *b->end++ = 'i';
    if (s->characters && flush(b) != MAREA_OK) return marea_error_code();
    append(b, 0x307);
  } else {
    append(b, s->lower ? lowered(b, code, rest, left) : code);
  }
  b->cased_before = s->lower && marea_is_cased(code);
  if (!s->characters) return MAREA_OK;
  bool cased = b->cased_before;
  marea_status status = flush(b);
  b->cased_before = cased;
  return status;
}

static marea_status take_ascii(builder *b, unsigned char byte) {
  const marea_splitter *s = b->splitter;
  unsigned char becomes = s->ascii[byte];
  if (becomes == SEPARATOR && !s->characters && !(byte == 0 && s->nul_is_text)) return separate(b);
  *b->end++ = (char)becomes;
  b->cased_before = becomes >= 'a' && becomes <= 'z';
  if (!s->characters) return MAREA_OK;
  bool cased = b->cased_before;
  marea_status status = flush(b);
  b->cased_before = cased;
  return status;
}

static marea_status take_all(builder *b, marea_text text) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    unsigned char byte = (unsigned char)text.bytes[i];
    if (byte < 128) {
      status = take_ascii(b, byte);
      i++;
      continue;
    }
    int32_t code;
    size_t width = marea_utf8_decode(text.bytes + i, text.length - i, &code);
    if (width == 0)
      return marea_fail(MAREA_FORMAT, "byte %zu is not valid UTF-8 (0x%02x)", i + 1, byte);
    status = take_wide(b, code, text.bytes + i + width, text.length - i - width);
    i += width;
  }
  return status;
}

/* With a long split string the whole text was transformed first; now it is cut. */
static marea_status cut(builder *b) {
  const marea_splitter *s = b->splitter;
  const char *from = b->bytes;
  for (const char *at = from; at <= b->end; at++) {
    bool here =
        (size_t)(b->end - at) >= s->split_length && memcmp(at, s->split, s->split_length) == 0;
    if (!here && at < b->end) continue;
    if (at > from) {
      marea_status status = b->piece(b->context, from, (size_t)(at - from));
      if (status != MAREA_OK) return status;
    }
    from = at + s->split_length;
    at = from - 1;
  }
  return MAREA_OK;
}

marea_status marea_split(const marea_splitter *s, marea_text text, marea_piece *piece,
                         void *context) {
  char small[4096];
  size_t growth = s->split_length > 3 ? s->split_length : 3; /* of one byte, at worst */
  size_t room = text.length * growth + 8;
  if (room / growth < text.length) return marea_fail(MAREA_NOMEM, "the text is too long");
  char *large = room > sizeof small ? marea_alloc(room) : NULL;
  if (room > sizeof small && large == NULL) return MAREA_NOMEM;
  builder b = {.splitter = s, .piece = piece, .context = context};
  b.bytes = b.end = large != NULL ? large : small;
  marea_status status = take_all(&b, text);
  if (status == MAREA_OK) status = s->simple || s->characters ? flush(&b) : cut(&b);
  marea_free(large);
  return status;
}
