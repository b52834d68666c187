/* Accents: letters without their marks, with exceptions such as ñ. */
#define _GNU_SOURCE /* memmem */
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "text/normal/normal_step.h"

/* Whether a step drops a mark: by category (BERT: Mn; Hugging Face's StripAccents: all of M), or by
 * combining class (scikit-learn). */
static bool drops(const marea_normal_step *step, int32_t code) {
  if (code < 0x300) return false;
  if (step->kind == MAREA_NORMAL_STRIP_MARKS && step->whole) return marea_is_mark(code);
  const utf8proc_property_t *property = utf8proc_get_property(code);
  return step->kind == MAREA_NORMAL_STRIP_COMBINING ? property->combining_class != 0
                                                    : property->category == UTF8PROC_CATEGORY_MN;
}

marea_status marea_normal_marks(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                marea_normal_report *report) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    int32_t code;
    size_t width = marea_ascii_prefix(in.bytes + i, in.length - i);
    bool dropped = false;
    if (width == 0) {
      width = marea_utf8_next(in.bytes + i, &code);
      dropped = drops(step, code);
      report->accents += dropped;
    }
    status = marea_rewrite_change(out, width, in.bytes + i, dropped ? 0 : width);
    i += width;
  }
  return status;
}

/* Whether the composed character is one of the text's. */
static bool holds(marea_text kept, const char *bytes, size_t length) {
  return length > 0 && memmem(kept.bytes, kept.length, bytes, length) != NULL;
}

/* A segment without its marks, composed again (for Hangul, whose parts are no marks). */
static marea_status strip_segment(const marea_normal_step *step, marea_text segment,
                                  marea_rewrite *parts, marea_rewrite *out,
                                  marea_normal_report *report) {
  marea_rewrite_start(parts, false);
  marea_status status = marea_normal_segment(MAREA_NORMAL_NFC, segment, parts);
  if (status != MAREA_OK) return status;
  if (holds(step->from, parts->bytes, parts->length))
    return marea_rewrite_exchange(out, segment, parts->bytes, parts->length);
  marea_rewrite_start(parts, false);
  status = marea_normal_segment(MAREA_NORMAL_NFD, segment, parts);
  if (status != MAREA_OK) return status;
  size_t kept = 0;
  for (size_t i = 0; i < parts->length;) {
    int32_t code;
    size_t width = marea_utf8_next(parts->bytes + i, &code);
    bool dropped = drops(step, code);
    report->accents += dropped;
    if (!dropped) memmove(parts->bytes + kept, parts->bytes + i, width);
    kept += dropped ? 0 : width;
    i += width;
  }
  marea_text rest = {parts->bytes, kept};
  if (kept == 0) return marea_rewrite_change(out, segment.length, "", 0);
  size_t decomposed = parts->length;
  status = marea_normal_segment(MAREA_NORMAL_NFC, rest, parts); /* behind the parts */
  if (status != MAREA_OK) return status;
  return marea_rewrite_exchange(out, segment, parts->bytes + decomposed,
                                parts->length - decomposed);
}

marea_status marea_normal_accents(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                  marea_normal_report *report) {
  marea_rewrite parts = {0};
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    size_t plain = marea_ascii_prefix(in.bytes + i, in.length - i);
    if (plain > 1 || (plain == 1 && i + 1 == in.length)) {
      if (i + plain < in.length) plain--; /* it may have a mark */
      status = marea_rewrite_keep(out, in.bytes + i, plain);
      i += plain;
      continue;
    }
    marea_text segment = {in.bytes + i, in.length - i};
    segment.length = marea_normal_segment_length(segment);
    status = strip_segment(step, segment, &parts, out, report);
    i += segment.length;
  }
  marea_rewrite_free(&parts);
  return status;
}
