/* Keras's rule, and cutting at a literal text. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "text/split_rule.h"

static bool separates(const marea_splitter *s, const char *bytes, size_t *width) {
  int32_t code;
  *width = marea_utf8_next(bytes, &code);
  for (size_t i = 0; i < s->wide_count; i++)
    if (s->wide[i] == code) return true;
  return false;
}

/* Separators from 128 on as well. */
static marea_status filter_wide(const marea_splitter *s, marea_text text, const split_out *out) {
  size_t begin = 0;
  for (size_t i = 0, width; i < text.length; i += width) {
    width = 1;
    unsigned char byte = (unsigned char)text.bytes[i];
    bool cut =
        byte < 0x80 ? marea_byte_set_has(&s->cuts, byte) : separates(s, text.bytes + i, &width);
    if (!cut) continue;
    marea_status status = split_give(out, begin, i);
    if (status != MAREA_OK) return status;
    begin = i + width;
  }
  return split_give(out, begin, text.length);
}

/* Pieces of at most BLOCKS × 64 bytes at a time. A bit of `turns` is where separators begin or end;
 * *inside: a piece that began at *begin is open. */
enum { BLOCKS = 16 };

static marea_status give_turns(uint64_t turns, size_t at, bool *inside, size_t *begin,
                               const split_out *out) {
  for (; turns != 0; turns &= turns - 1) {
    size_t place = at + (size_t)__builtin_ctzll(turns);
    if (*inside) {
      marea_token token = {out->text + *begin, place - *begin, *begin, place};
      marea_status status = out->sink(out->context, &token);
      if (status != MAREA_OK) return status;
    }
    *begin = place;
    *inside = !*inside;
  }
  return MAREA_OK;
}

marea_status marea_split_filters(const marea_splitter *s, marea_text text, const split_out *out) {
  if (s->wide_count > 0) return filter_wide(s, text, out);
  uint64_t masks[BLOCKS], before = 1; /* the place before is a separator */
  bool inside = false;
  size_t begin = 0;
  for (size_t at = 0; at < text.length; at += 64 * BLOCKS) {
    size_t left = text.length - at, length = left < 64 * BLOCKS ? left : 64 * BLOCKS;
    marea_scan_set(&s->cuts, text.bytes + at, length, masks);
    for (size_t i = 0; i * 64 < length; i++) {
      size_t rest = length - i * 64;
      if (rest < 64) masks[i] |= ~(uint64_t)0 << rest; /* behind the text all separates */
      uint64_t turns = masks[i] ^ (masks[i] << 1 | before);
      before = masks[i] >> 63;
      marea_status status = give_turns(turns, at + i * 64, &inside, &begin, out);
      if (status != MAREA_OK) return status;
    }
  }
  return inside ? split_give(out, begin, text.length) : MAREA_OK;
}

marea_status marea_split_before(const marea_splitter *s, marea_text text, const split_out *out) {
  marea_text mark = s->options.text;
  size_t begin = 0, from = 0;
  for (;;) {
    const char *at = memmem(text.bytes + from, text.length - from, mark.bytes, mark.length);
    size_t next = at != NULL ? (size_t)(at - text.bytes) : text.length;
    marea_status status = split_give(out, begin, next);
    if (status != MAREA_OK || at == NULL) return status;
    begin = next;
    from = next + mark.length;
  }
}

static marea_status give_separator(const marea_splitter *s, const split_out *out, size_t *begin,
                                   size_t at, size_t end) {
  marea_status status = MAREA_OK;
  switch (s->options.behavior) {
  case MAREA_SPLIT_REMOVED: status = split_give(out, *begin, at); break;
  case MAREA_SPLIT_WITH_PREVIOUS: status = split_give(out, *begin, end); break;
  case MAREA_SPLIT_WITH_NEXT:
    status = split_give(out, *begin, at);
    *begin = at;
    return status;
  default:
    status = split_give(out, *begin, at);
    if (status == MAREA_OK) status = split_give(out, at, end);
  }
  *begin = end;
  return status;
}

marea_status marea_split_literal(const marea_splitter *s, marea_text text, const split_out *out) {
  marea_text mark = s->options.text;
  size_t begin = 0, from = 0;
  while (from < text.length) {
    const char *found = memmem(text.bytes + from, text.length - from, mark.bytes, mark.length);
    if (found == NULL) break;
    size_t at = (size_t)(found - text.bytes), end = at + mark.length;
    while (s->options.behavior == MAREA_SPLIT_CONTIGUOUS && text.length - end >= mark.length &&
           memcmp(text.bytes + end, mark.bytes, mark.length) == 0)
      end += mark.length;
    marea_status status = give_separator(s, out, &begin, at, end);
    if (status != MAREA_OK) return status;
    from = end;
  }
  return split_give(out, begin, text.length);
}

/* A mark by itself, by behavior. */
marea_status marea_split_punctuation(const marea_splitter *s, marea_text text,
                                     const split_out *out) {
  size_t begin = 0;
  for (size_t i = 0, end; i < text.length; i = end) {
    int32_t code;
    end = i + marea_utf8_next(text.bytes + i, &code);
    if (!marea_is_punctuation(code)) continue;
    while (s->options.behavior == MAREA_SPLIT_CONTIGUOUS && end < text.length) {
      size_t width = marea_utf8_next(text.bytes + end, &code);
      if (!marea_is_punctuation(code)) break;
      end += width;
    }
    marea_status status = give_separator(s, out, &begin, i, end);
    if (status != MAREA_OK) return status;
  }
  return split_give(out, begin, text.length);
}
