/* Small edits: replacing, removing, trimming, and a step of the caller's own. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "text/normal/normal_step.h"

marea_status marea_normal_replace(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                  marea_normal_report *report) {
  (void)report;
  marea_status status = MAREA_OK;
  size_t at = 0;
  while (at < in.length && status == MAREA_OK) {
    const char *found = memmem(in.bytes + at, in.length - at, step->from.bytes, step->from.length);
    size_t next = found != NULL ? (size_t)(found - in.bytes) : in.length;
    status = marea_rewrite_keep(out, in.bytes + at, next - at);
    at = next;
    if (status != MAREA_OK || found == NULL) break;
    status = marea_rewrite_exchange(out, step->from, step->to.bytes, step->to.length);
    at += step->from.length;
  }
  return status;
}

static bool is_among(marea_text characters, const char *bytes, size_t width) {
  return width == 1 ? memchr(characters.bytes, bytes[0], characters.length) != NULL
                    : memmem(characters.bytes, characters.length, bytes, width) != NULL;
}

marea_status marea_normal_characters(const marea_normal_step *step, marea_text in,
                                     marea_rewrite *out, marea_normal_report *report) {
  (void)report;
  marea_status status = MAREA_OK;
  size_t kept = 0;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    int32_t code;
    size_t width = marea_utf8_next(in.bytes + i, &code);
    if (is_among(step->from, in.bytes + i, width)) {
      status = marea_rewrite_keep(out, in.bytes + kept, i - kept);
      if (status == MAREA_OK)
        status = marea_rewrite_exchange(out, (marea_text){in.bytes + i, width}, step->to.bytes,
                                        step->to.length);
      kept = i + width;
    }
    i += width;
  }
  return status == MAREA_OK ? marea_rewrite_keep(out, in.bytes + kept, in.length - kept) : status;
}

marea_status marea_normal_prepend(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                  marea_normal_report *report) {
  (void)report;
  if (in.length == 0) return MAREA_OK;
  marea_text to = step->to;
  bool there = in.length >= to.length && memcmp(in.bytes, to.bytes, to.length) == 0;
  marea_status status = MAREA_OK;
  if (!step->once || !there) status = marea_rewrite_change(out, 0, to.bytes, to.length);
  return status == MAREA_OK ? marea_rewrite_keep(out, in.bytes, in.length) : status;
}

marea_status marea_normal_strip(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                marea_normal_report *report) {
  (void)report;
  size_t first = 0, last = in.length;
  int32_t code;
  while (step->left && first < last) {
    size_t width = marea_utf8_next(in.bytes + first, &code);
    if (!marea_is_space(code)) break;
    first += width;
  }
  while (step->right && last > first) {
    size_t width = marea_utf8_before(in.bytes, last, &code);
    if (!marea_is_space(code)) break;
    last -= width;
  }
  marea_status status = MAREA_OK;
  if (first > 0) status = marea_rewrite_change(out, first, "", 0);
  if (status == MAREA_OK) status = marea_rewrite_keep(out, in.bytes + first, last - first);
  if (status == MAREA_OK && last < in.length)
    status = marea_rewrite_change(out, in.length - last, "", 0);
  return status;
}

marea_status marea_normal_collapse(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                   marea_normal_report *report) {
  (void)report;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    int32_t code;
    size_t width = marea_utf8_next(in.bytes + i, &code), run = width;
    int blanks = marea_is_space_of(step->spaces, code);
    for (size_t more; blanks > 0 && i + run < in.length; run += more, blanks++) {
      more = marea_utf8_next(in.bytes + i + run, &code);
      if (!marea_is_space_of(step->spaces, code)) break;
    }
    if (blanks > 1)
      status = marea_rewrite_change(out, run, " ", 1);
    else
      status = marea_rewrite_keep(out, in.bytes + i, width);
    i += blanks > 1 ? run : width;
  }
  return status;
}

/* What BERT counts as control, as Hugging Face has it: category C without TAB, LF, CR and without
 * code points that are not assigned. */
static bool is_control(int32_t code) {
  if (code == '\t' || code == '\n' || code == '\r') return false;
  if (code < 0x80) return code < 32 || code == 127;
  const char *category = marea_category(code);
  return category[0] == 'C' && category[1] != 'n';
}

marea_status marea_normal_clean(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                marea_normal_report *report) {
  (void)step;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    int32_t code;
    size_t width = marea_utf8_next(in.bytes + i, &code);
    if (code == 0 || code == 0xFFFD || is_control(code)) {
      status = marea_rewrite_change(out, width, "", 0);
      report->controls++;
    } else if (marea_is_space(code)) {
      status = marea_rewrite_change(out, width, " ", 1);
    } else {
      status = marea_rewrite_keep(out, in.bytes + i, width);
    }
    i += width;
  }
  return status;
}

/* The ranges of Hugging Face's BertNormalizer, whose last but two begins at 2B920, not 2B820. */
static bool is_ideograph(int32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B73F) ||
         (code >= 0x2B740 && code <= 0x2B81F) || (code >= 0x2B920 && code <= 0x2CEAF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

marea_status marea_normal_cjk_spaces(const marea_normal_step *step, marea_text in,
                                     marea_rewrite *out, marea_normal_report *report) {
  (void)step, (void)report;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    int32_t code;
    size_t width = marea_utf8_next(in.bytes + i, &code);
    bool apart = is_ideograph(code);
    if (apart) status = marea_rewrite_change(out, 0, " ", 1);
    if (status == MAREA_OK) status = marea_rewrite_keep(out, in.bytes + i, width);
    if (apart && status == MAREA_OK) status = marea_rewrite_change(out, 0, " ", 1);
    i += width;
  }
  return status;
}

marea_status marea_normal_own(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                              marea_normal_report *report) {
  (void)report;
  marea_status status = step->function(step->context, in, out);
  if (status != MAREA_OK) return status;
  marea_text text = {out->bytes, out->length};
  size_t bad = marea_utf8_invalid(text);
  if (bad < text.length)
    return marea_fail(MAREA_FORMAT,
                      "the step's own function gave a text whose byte %zu is not "
                      "valid UTF-8",
                      bad + 1);
  return MAREA_OK;
}
