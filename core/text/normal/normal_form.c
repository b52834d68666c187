/* Unicode's normal forms (UAX #15), segment by segment, so that every character keeps its place in
 * the raw text. utf8proc decomposes and composes. */
#include <utf8proc.h>

#include "base/memory.h"
#include "text/normal/normal_step.h"

/* A base with more marks than this is cut (UAX #15 calls 30 safe): ordering takes quadratic time.
 */
enum { MOST_MARKS = 32, SEGMENT_CODES = 64 };

/* Whether a character belongs to the one before it: a mark, or a vowel or final of a Hangul
 * syllable. Nothing else is composed with what stands before it. */
static bool continues(int32_t code) {
  if (code < 0x300) return false;
  if (marea_is_mark(code) || (code >= 0x1160 && code <= 0x11FF)) return true;
  /* Compatible forms of the same: Hangul of old standards, half-width Katakana and Hangul. */
  bool halves = (code >= 0x3131 && code <= 0x3164) || (code >= 0xFF9E && code <= 0xFFDC);
  if (!halves) return false;
  int32_t parts[4];
  int ignored = 0;
  utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  utf8proc_ssize_t count = utf8proc_decompose_char(code, parts, 4, options, &ignored);
  return count > 0 && parts[0] != code && continues(parts[0]);
}

size_t marea_normal_segment_length(marea_text in) {
  int32_t code;
  size_t length = marea_utf8_next(in.bytes, &code);
  for (int marks = 0; marks < MOST_MARKS && length < in.length; marks++) {
    size_t width = marea_utf8_next(in.bytes + length, &code);
    if (!continues(code)) break;
    length += width;
  }
  return length;
}

static utf8proc_option_t options_of(marea_normal_kind form) {
  int options = UTF8PROC_STABLE;
  bool composes = form == MAREA_NORMAL_NFC || form == MAREA_NORMAL_NFKC;
  if (form == MAREA_NORMAL_NFKC || form == MAREA_NORMAL_NFKD) options |= UTF8PROC_COMPAT;
  return (utf8proc_option_t)(options | (composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE));
}

static marea_status reencode(utf8proc_int32_t *codes, utf8proc_ssize_t count,
                             utf8proc_option_t options, marea_text in, marea_rewrite *out) {
  utf8proc_ssize_t length = utf8proc_reencode(codes, count, options); /* in place */
  if (length < 0) return marea_fail(MAREA_FORMAT, "normalizer: %s", utf8proc_errmsg(length));
  return marea_rewrite_exchange(out, in, (const char *)codes, (size_t)length);
}

marea_status marea_normal_segment(marea_normal_kind form, marea_text in, marea_rewrite *out) {
  utf8proc_int32_t few[SEGMENT_CODES + 1]; /* one more: reencode ends the text with a NUL */
  utf8proc_option_t options = options_of(form);
  const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)in.bytes;
  utf8proc_ssize_t length = (utf8proc_ssize_t)in.length;
  utf8proc_ssize_t count = utf8proc_decompose(bytes, length, few, SEGMENT_CODES, options);
  if (count < 0) return marea_fail(MAREA_FORMAT, "normalizer: %s", utf8proc_errmsg(count));
  if (count <= SEGMENT_CODES) return reencode(few, count, options, in, out);
  utf8proc_int32_t *many = marea_alloc_array((size_t)count + 1, sizeof *many);
  if (many == NULL) return MAREA_NOMEM;
  utf8proc_decompose(bytes, length, many, count, options);
  marea_status status = reencode(many, count, options, in, out);
  marea_free(many);
  return status;
}

/* Letters of Latin-1 and Latin Extended-A (below U+0180) other than a few are composed already:
 * they need no work under NFC when no mark follows. */
static bool stays(marea_normal_kind form, int32_t code) {
  return form == MAREA_NORMAL_NFC && code < 0x300;
}

marea_status marea_normal_form(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                               marea_normal_report *report) {
  (void)report;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    size_t plain = marea_ascii_prefix(in.bytes + i, in.length - i);
    /* The last ASCII character may take the mark that follows. */
    if (plain > 1 || (plain == 1 && i + 1 == in.length)) {
      if (i + plain < in.length) plain--;
      status = marea_rewrite_keep(out, in.bytes + i, plain);
      i += plain;
      continue;
    }
    int32_t code;
    marea_text rest = {in.bytes + i, in.length - i};
    size_t length = marea_normal_segment_length(rest);
    size_t width = marea_utf8_next(rest.bytes, &code);
    if (width == length && (code < 0x80 || stays(step->kind, code)))
      status = marea_rewrite_keep(out, rest.bytes, length);
    else
      status = marea_normal_segment(step->kind, (marea_text){rest.bytes, length}, out);
    i += length;
  }
  return status;
}
