/* Rules of the form "what stands between separators": Keras's filters, white space, runs of word
 * characters. Separators become bits, 64 bytes at a time; only characters beyond ASCII are looked
 * at one by one. */
#include "text/split/split_rule.h"

enum { BLOCKS = 16, CHUNK = 64 * BLOCKS };

typedef struct runs {
  const marea_splitter *splitter;
  marea_text text;
  const split_out *out;
  uint64_t masks[BLOCKS];
  uint64_t carry;  /* bits of a separator that reaches into the next chunk */
  uint64_t before; /* 1: the byte before is of a separator */
  bool inside;     /* a piece that began at `begin` is open */
  size_t begin;
} runs;

static void mark(runs *r, size_t place, size_t width) {
  for (size_t i = place; i < place + width; i++) {
    if (i < CHUNK)
      r->masks[i / 64] |= (uint64_t)1 << i % 64;
    else
      r->carry |= (uint64_t)1 << (i - CHUNK);
  }
}

/* Separators beyond ASCII among the chunk's bytes. */
static void mark_wide(runs *r, size_t at, size_t length) {
  uint64_t high[BLOCKS];
  marea_scan_high(r->text.bytes + at, length, high);
  for (size_t i = 0; i * 64 < length; i++) {
    size_t rest = length - i * 64;
    if (rest < 64) high[i] &= ~(~(uint64_t)0 << rest);
    for (; high[i] != 0; high[i] &= high[i] - 1) {
      size_t place = i * 64 + (size_t)__builtin_ctzll(high[i]);
      const char *bytes = r->text.bytes + at + place;
      if (((unsigned char)*bytes & 0xC0) == 0x80) continue; /* inside a character */
      int32_t code;
      size_t width = marea_utf8_next(bytes, &code);
      if (r->splitter->cuts_wide(r->splitter, code)) mark(r, place, width);
    }
  }
}

/* Whether a piece has `least` characters. */
static bool reaches(const char *bytes, size_t length, size_t least) {
  int32_t code;
  for (size_t i = 0; i < length;) {
    i += marea_utf8_next(bytes + i, &code);
    if (--least == 0) return true;
  }
  return false;
}

static marea_status give(const runs *r, size_t end) {
  size_t length = end - r->begin, least = r->splitter->options.least;
  if (least > 1 && !reaches(r->text.bytes + r->begin, length, least)) return MAREA_OK;
  return split_give(r->out, r->begin, end);
}

/* A bit of `turns` is where separators begin or end. */
static marea_status give_turns(runs *r, uint64_t turns, size_t at) {
  for (; turns != 0; turns &= turns - 1) {
    size_t place = at + (size_t)__builtin_ctzll(turns);
    if (r->inside) {
      marea_status status = give(r, place);
      if (status != MAREA_OK) return status;
    }
    r->begin = place;
    r->inside = !r->inside;
  }
  return MAREA_OK;
}

static marea_status cut_chunk(runs *r, size_t at, size_t length) {
  marea_scan_set(&r->splitter->cuts, r->text.bytes + at, length, r->masks);
  r->masks[0] |= r->carry;
  r->carry = 0;
  if (r->splitter->cuts_wide != NULL) mark_wide(r, at, length);
  for (size_t i = 0; i * 64 < length; i++) {
    size_t rest = length - i * 64;
    uint64_t mask = r->masks[i];
    if (rest < 64) mask |= ~(uint64_t)0 << rest; /* behind the text all separates */
    uint64_t turns = mask ^ (mask << 1 | r->before);
    r->before = mask >> 63;
    marea_status status = give_turns(r, turns, at + i * 64);
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

marea_status marea_split_runs(const marea_splitter *s, marea_text text, const split_out *out) {
  runs r = {.splitter = s, .text = text, .out = out, .before = 1};
  for (size_t at = 0; at < text.length; at += CHUNK) {
    size_t left = text.length - at;
    marea_status status = cut_chunk(&r, at, left < CHUNK ? left : CHUNK);
    if (status != MAREA_OK) return status;
  }
  return r.inside ? give(&r, text.length) : MAREA_OK;
}
