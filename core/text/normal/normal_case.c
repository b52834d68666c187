/* Lower case and case folding. */
#include <utf8proc.h>

#include "kernels/scan.h"
#include "text/normal/normal_step.h"

enum { CAPITAL_SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2, DOTTED_I = 0x130, DOT_ABOVE = 0x307 };

static marea_status lower_run(const char *from, size_t length, marea_rewrite *out) {
  char *to = marea_rewrite_room(out, length);
  if (to == NULL) return MAREA_NOMEM;
  marea_scan_lower(to, from, length);
  return marea_rewrite_wrote(out, length, length);
}

marea_status marea_normal_lower_ascii(const marea_normal_step *step, marea_text in,
                                      marea_rewrite *out, marea_normal_report *report) {
  (void)step, (void)report;
  return lower_run(in.bytes, in.length, out);
}

/* Whether a cased letter stands next to `at` in a direction, case-ignorable characters left out. */
static bool cased_before(marea_text in, size_t at) {
  while (at > 0) {
    int32_t code;
    at -= marea_utf8_before(in.bytes, at, &code);
    if (!marea_is_case_ignorable(code)) return marea_is_cased(code);
  }
  return false;
}

static bool cased_after(marea_text in, size_t at) {
  while (at < in.length) {
    int32_t code;
    at += marea_utf8_next(in.bytes + at, &code);
    if (!marea_is_case_ignorable(code)) return marea_is_cased(code);
  }
  return false;
}

/* A code point from 128 on, at `at`: as Python's str.lower does it. */
static marea_status lower_wide(bool apart, marea_text in, size_t at, size_t width, int32_t code,
                               marea_rewrite *out) {
  if (code == CAPITAL_SIGMA && !apart && cased_before(in, at) && !cased_after(in, at + width))
    return marea_rewrite_code(out, width, FINAL_SIGMA);
  if (code == DOTTED_I) return marea_rewrite_change(out, width, "i\xCC\x87", 3);
  return marea_rewrite_code(out, width, marea_lower(code));
}

/* Latin letters of two bytes whose lower case has two bytes as well, by far the most frequent. */
static size_t lower_latin(const char *from, size_t length, const uint16_t *table, char *to) {
  size_t i = 0;
  while (i + 1 < length) {
    unsigned char first = (unsigned char)from[i], second = (unsigned char)from[i + 1];
    if (first < 0xC3 || first > 0xC8) break; /* U+00C0 to U+023F */
    uint16_t code = table[(first & 0x1F) << 6 | (second & 0x3F)];
    if (code < 0x80 || code >= 0x800 || (first == 0xC4 && second == 0xB0)) break;
    to[i++] = (char)(0xC0 | code >> 6);
    to[i++] = (char)(0x80 | (code & 0x3F));
  }
  return i;
}

marea_status marea_normal_lower(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                marea_normal_report *report) {
  (void)report;
  const uint16_t *table = marea_lower_table();
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    size_t plain = marea_ascii_prefix(in.bytes + i, in.length - i);
    if (plain > 0) {
      status = lower_run(in.bytes + i, plain, out);
      i += plain;
      continue;
    }
    char *to = marea_rewrite_room(out, in.length - i);
    if (to == NULL) return MAREA_NOMEM;
    size_t latin = lower_latin(in.bytes + i, in.length - i, table, to);
    if (latin > 0) {
      status = marea_rewrite_wrote(out, latin, latin);
      i += latin;
      continue;
    }
    int32_t code;
    size_t width = marea_utf8_next(in.bytes + i, &code);
    status = lower_wide(step->apart, in, i, width, code, out);
    i += width;
  }
  return status;
}

marea_status marea_normal_fold(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                               marea_normal_report *report) {
  (void)step, (void)report;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    size_t plain = marea_ascii_prefix(in.bytes + i, in.length - i);
    if (plain > 0) {
      status = lower_run(in.bytes + i, plain, out);
      i += plain;
      continue;
    }
    int32_t code, folded[8];
    int last = 0;
    size_t width = marea_utf8_next(in.bytes + i, &code), length = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(code, folded, 8, UTF8PROC_CASEFOLD, &last);
    char bytes[8 * 4];
    for (utf8proc_ssize_t k = 0; k < count && k < 8; k++)
      length += marea_utf8_encode(folded[k], bytes + length);
    status = marea_rewrite_change(out, width, bytes, length);
    i += width;
  }
  return status;
}
