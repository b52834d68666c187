/* Cutting at a literal text, and at punctuation, with the separator kept or not. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "text/split/split_rule.h"

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
