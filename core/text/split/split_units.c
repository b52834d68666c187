/* Whole texts, code points, grapheme clusters, bytes; the caller's own rule. */
#include <utf8proc.h>

#include "text/split/split_rule.h"

marea_status marea_split_whole(const marea_splitter *s, marea_text text, const split_out *out) {
  (void)s;
  return split_give(out, 0, text.length);
}

marea_status marea_split_bytes(const marea_splitter *s, marea_text text, const split_out *out) {
  (void)s;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK; i++) status = split_give(out, i, i + 1);
  return status;
}

marea_status marea_split_code_points(const marea_splitter *s, marea_text text,
                                     const split_out *out) {
  (void)s;
  marea_status status = MAREA_OK;
  for (size_t i = 0, width; i < text.length && status == MAREA_OK; i += width) {
    int32_t code;
    width = marea_utf8_next(text.bytes + i, &code);
    status = split_give(out, i, i + width);
  }
  return status;
}

marea_status marea_split_graphemes(const marea_splitter *s, marea_text text, const split_out *out) {
  (void)s;
  int32_t before = 0, code, state = 0;
  size_t begin = 0;
  for (size_t i = 0, width; i < text.length; i += width, before = code) {
    width = marea_utf8_next(text.bytes + i, &code);
    if (i == 0 || !utf8proc_grapheme_break_stateful(before, code, &state)) continue;
    marea_status status = split_give(out, begin, i);
    if (status != MAREA_OK) return status;
    begin = i;
  }
  return split_give(out, begin, text.length);
}

marea_status marea_split_own(const marea_splitter *s, marea_text text, const split_out *out) {
  return s->options.function(s->options.context, text, out->sink, out->context);
}
