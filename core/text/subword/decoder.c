#include "text/subword/decoder.h"

#include <string.h>

#include "base/memory.h"
#include "text/subword/byte_alphabet.h"

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

struct marea_decoder {
  marea_decode_step *steps; /* their texts lie in bytes */
  size_t count;
  char *bytes;
};

/* ---- making ---- */

static marea_status check_step(const marea_decode_step *s) {
  if ((unsigned)s->kind >= MAREA_DECODE_COUNT)
    return marea_fail(MAREA_ARGUMENT, "there is no decoder of kind %d", (int)s->kind);
  bool needs = s->kind == MAREA_DECODE_METASPACE || s->kind == MAREA_DECODE_SUFFIX ||
               s->kind == MAREA_DECODE_STRIP || s->kind == MAREA_DECODE_REPLACE;
  if (needs && s->from.length == 0)
    return marea_fail(MAREA_ARGUMENT, "decoder: what is to be replaced must not be empty");
  return MAREA_OK;
}

static char *take(char *to, marea_text *text) {
  if (text->length > 0) memcpy(to, text->bytes, text->length);
  text->bytes = to;
  return to + text->length;
}

marea_decoder *marea_decoder_new(const marea_decode_step *steps, size_t count) {
  size_t bytes = 1;
  for (size_t i = 0; i < count; i++) {
    if (check_step(&steps[i]) != MAREA_OK) return NULL;
    bytes += steps[i].from.length + steps[i].to.length;
  }
  marea_decoder *d = marea_alloc_zero(1, sizeof *d);
  if (d == NULL) return NULL;
  d->count = count;
  d->steps = marea_alloc_array(count, sizeof *d->steps);
  d->bytes = marea_alloc(bytes);
  if (d->steps == NULL || d->bytes == NULL) {
    marea_decoder_free(d);
    return NULL;
  }
  char *to = d->bytes;
  for (size_t i = 0; i < count; i++) {
    d->steps[i] = steps[i];
    to = take(to, &d->steps[i].from);
    to = take(to, &d->steps[i].to);
  }
  return d;
}

void marea_decoder_free(marea_decoder *d) {
  if (d == NULL) return;
  marea_free(d->steps);
  marea_free(d->bytes);
  marea_free(d);
}

/* ---- lists of pieces ---- */

typedef struct list {
  char *bytes;
  size_t used, capacity;
  size_t *ends; /* per piece */
  size_t count, end_capacity;
} list;

static void list_clear(list *l) {
  marea_free(l->bytes);
  marea_free(l->ends);
  *l = (list){0};
}

static marea_text list_at(const list *l, size_t i) {
  size_t begin = i > 0 ? l->ends[i - 1] : 0;
  return (marea_text){l->bytes + begin, l->ends[i] - begin};
}

/* Bytes behind the last piece; list_end makes them a piece. */
static marea_status list_put(list *l, const char *bytes, size_t length) {
  char *moved = marea_grow(l->bytes, &l->capacity, l->used + length + 1, 1);
  if (moved == NULL) return MAREA_NOMEM;
  l->bytes = moved;
  if (length > 0) memcpy(l->bytes + l->used, bytes, length);
  l->used += length;
  return MAREA_OK;
}

static marea_status list_end(list *l) {
  size_t *moved = marea_grow(l->ends, &l->end_capacity, l->count + 1, sizeof *moved);
  if (moved == NULL) return MAREA_NOMEM;
  l->ends = moved;
  l->ends[l->count++] = l->used;
  return MAREA_OK;
}

static marea_status put_replaced(list *out, marea_text text, marea_text from, marea_text to) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    bool here =
        from.length <= text.length - i && memcmp(text.bytes + i, from.bytes, from.length) == 0;
    status = here ? list_put(out, to.bytes, to.length) : list_put(out, text.bytes + i, 1);
    i += here ? from.length : 1;
  }
  return status;
}

/* ---- bytes ---- */

/* Bytes at the beginning that could begin a character but do not make one: 1 to 3 (the maximal
 * subpart of the Unicode standard, chapter 3). */
static size_t broken_width(const unsigned char *b, size_t left) {
  if (b[0] < 0xC2 || b[0] > 0xF4) return 1;
  size_t wanted = b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
  unsigned low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
  unsigned high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
  size_t width = 1;
  for (; width < wanted && width < left && b[width] >= low && b[width] <= high; width++) {
    low = 0x80;
    high = 0xBF;
  }
  return width;
}

static marea_status put_valid(list *out, const char *bytes, size_t length) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < length && status == MAREA_OK;) {
    marea_text rest = {bytes + i, length - i};
    size_t good = marea_utf8_invalid(rest);
    status = list_put(out, rest.bytes, good);
    i += good;
    if (i == length || status != MAREA_OK) break;
    status = list_put(out, replacement, 3);
    i += broken_width((const unsigned char *)bytes + i, length - i);
  }
  return status;
}

static marea_status byte_level(const marea_decode_step *step, const list *in, list *out) {
  (void)step;
  size_t used = 0;
  char *bytes = marea_alloc(in->used);
  if (bytes == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < in->count; i++) {
    marea_text piece = list_at(in, i);
    size_t width = marea_bytes_unspell(piece.bytes, piece.length, bytes + used);
    if (width == SIZE_MAX) { /* not spelt in the alphabet: a special token */
      memcpy(bytes + used, piece.bytes, piece.length);
      width = piece.length;
    }
    used += width;
  }
  marea_status status = put_valid(out, bytes, used);
  marea_free(bytes);
  return status == MAREA_OK ? list_end(out) : status;
}

static int hexadecimal(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of <0xNN>, or -1. */
static int fallback_byte(marea_text piece) {
  if (piece.length != 6 || memcmp(piece.bytes, "<0x", 3) != 0 || piece.bytes[5] != '>') return -1;
  int high = hexadecimal(piece.bytes[3]), low = hexadecimal(piece.bytes[4]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* A run of byte pieces is one text when it is UTF-8, else a mark for each byte. */
static marea_status put_run(list *out, const char *bytes, size_t length) {
  marea_status status = MAREA_OK;
  if (length == 0) return MAREA_OK;
  if (marea_utf8_invalid((marea_text){bytes, length}) == length) {
    status = list_put(out, bytes, length);
    return status == MAREA_OK ? list_end(out) : status;
  }
  for (size_t i = 0; i < length && status == MAREA_OK; i++) {
    status = list_put(out, replacement, 3);
    if (status == MAREA_OK) status = list_end(out);
  }
  return status;
}

static marea_status byte_fallback(const marea_decode_step *step, const list *in, list *out) {
  (void)step;
  size_t run = 0;
  marea_status status = MAREA_OK;
  char *bytes = marea_alloc(in->count);
  if (bytes == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < in->count && status == MAREA_OK; i++) {
    marea_text piece = list_at(in, i);
    int byte = fallback_byte(piece);
    if (byte >= 0) {
      bytes[run++] = (char)byte;
      continue;
    }
    status = put_run(out, bytes, run);
    run = 0;
    if (status == MAREA_OK) status = list_put(out, piece.bytes, piece.length);
    if (status == MAREA_OK) status = list_end(out);
  }
  if (status == MAREA_OK) status = put_run(out, bytes, run);
  marea_free(bytes);
  return status;
}

/* ---- words ---- */

#define TEXT(literal) ((marea_text){literal, sizeof(literal) - 1})

/* English punctuation and contractions, one replacement after the other. */
static marea_status clean_up(list *out, marea_text text) {
  const marea_text pairs[][2] = {
      {TEXT(" ."), TEXT(".")},     {TEXT(" ?"), TEXT("?")},           {TEXT(" !"), TEXT("!")},
      {TEXT(" ,"), TEXT(",")},     {TEXT(" ' "), TEXT("'")},          {TEXT(" n't"), TEXT("n't")},
      {TEXT(" 'm"), TEXT("'m")},   {TEXT(" do not"), TEXT(" don't")}, {TEXT(" 's"), TEXT("'s")},
      {TEXT(" 've"), TEXT("'ve")}, {TEXT(" 're"), TEXT("'re")}};
  list a = {0}, b = {0};
  marea_status status = list_put(&a, text.bytes, text.length);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs && status == MAREA_OK; i++) {
    b.used = 0;
    status = put_replaced(&b, (marea_text){a.bytes, a.used}, pairs[i][0], pairs[i][1]);
    list swap = a;
    a = b;
    b = swap;
  }
  if (status == MAREA_OK) status = list_put(out, a.bytes, a.used);
  list_clear(&a);
  list_clear(&b);
  return status;
}

static bool begins_with(marea_text text, marea_text start) {
  return start.length <= text.length && memcmp(text.bytes, start.bytes, start.length) == 0;
}

static marea_status wordpiece(const marea_decode_step *step, const list *in, list *out) {
  list word = {0};
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in->count && status == MAREA_OK; i++) {
    marea_text piece = list_at(in, i);
    word.used = 0;
    if (i > 0 && begins_with(piece, step->from)) {
      piece.bytes += step->from.length;
      piece.length -= step->from.length;
    } else if (i > 0) {
      status = list_put(&word, " ", 1);
    }
    if (status == MAREA_OK) status = list_put(&word, piece.bytes, piece.length);
    if (status != MAREA_OK) break;
    status = step->flag ? clean_up(out, (marea_text){word.bytes, word.used})
                        : list_put(out, word.bytes, word.used);
    if (status == MAREA_OK) status = list_end(out);
  }
  list_clear(&word);
  return status;
}

static marea_status metaspace(const marea_decode_step *step, const list *in, list *out) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in->count && status == MAREA_OK; i++) {
    marea_text blank = {" ", i > 0 || !step->flag ? 1 : 0};
    status = put_replaced(out, list_at(in, i), step->from, blank);
    if (status == MAREA_OK) status = list_end(out);
  }
  return status;
}

static marea_status suffix(const marea_decode_step *step, const list *in, list *out) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in->count && status == MAREA_OK; i++) {
    marea_text blank = {" ", i + 1 < in->count ? 1 : 0};
    status = put_replaced(out, list_at(in, i), step->from, blank);
    if (status == MAREA_OK) status = list_end(out);
  }
  return status;
}

static marea_status fuse(const marea_decode_step *step, const list *in, list *out) {
  (void)step;
  marea_status status = list_put(out, in->bytes, in->used);
  return status == MAREA_OK ? list_end(out) : status;
}

static marea_text stripped(marea_text piece, const marea_decode_step *step) {
  marea_text from = step->from;
  for (size_t n = step->left; n > 0 && begins_with(piece, from); n--) {
    piece.bytes += from.length;
    piece.length -= from.length;
  }
  for (size_t n = step->right; n > 0 && piece.length >= from.length; n--) {
    if (memcmp(piece.bytes + piece.length - from.length, from.bytes, from.length) != 0) break;
    piece.length -= from.length;
  }
  return piece;
}

static marea_status strip(const marea_decode_step *step, const list *in, list *out) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in->count && status == MAREA_OK; i++) {
    marea_text piece = stripped(list_at(in, i), step);
    status = list_put(out, piece.bytes, piece.length);
    if (status == MAREA_OK) status = list_end(out);
  }
  return status;
}

static marea_status replace(const marea_decode_step *step, const list *in, list *out) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in->count && status == MAREA_OK; i++) {
    status = put_replaced(out, list_at(in, i), step->from, step->to);
    if (status == MAREA_OK) status = list_end(out);
  }
  return status;
}

/* ---- the whole ---- */

typedef marea_status decode_function(const marea_decode_step *step, const list *in, list *out);

static decode_function *const functions[MAREA_DECODE_COUNT] = {
    [MAREA_DECODE_BYTE_LEVEL] = byte_level,
    [MAREA_DECODE_WORDPIECE] = wordpiece,
    [MAREA_DECODE_METASPACE] = metaspace,
    [MAREA_DECODE_SUFFIX] = suffix,
    [MAREA_DECODE_BYTE_FALLBACK] = byte_fallback,
    [MAREA_DECODE_FUSE] = fuse,
    [MAREA_DECODE_STRIP] = strip,
    [MAREA_DECODE_REPLACE] = replace};

marea_status marea_decode(const marea_decoder *d, const marea_text *pieces, size_t count,
                          char **out, size_t *length) {
  list in = {0}, next = {0};
  marea_status status = list_put(&in, "", 0);
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    if (d->count == 0 && i > 0) status = list_put(&in, " ", 1);
    if (status == MAREA_OK) status = list_put(&in, pieces[i].bytes, pieces[i].length);
    if (status == MAREA_OK) status = list_end(&in);
  }
  for (size_t i = 0; i < d->count && status == MAREA_OK; i++) {
    next.used = next.count = 0;
    status = functions[d->steps[i].kind](&d->steps[i], &in, &next);
    list swap = in;
    in = next;
    next = swap;
  }
  if (status == MAREA_OK) status = list_put(&in, "", 1); /* so that *out is never NULL */
  list_clear(&next);
  marea_free(in.ends);
  if (status != MAREA_OK) {
    marea_free(in.bytes);
    return status;
  }
  *out = in.bytes;
  *length = in.used - 1;
  return MAREA_OK;
}
