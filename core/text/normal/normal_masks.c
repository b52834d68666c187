/* Masks for what is no word: HTML, URLs, digits. Hand-written scanners that look at each byte a
 * bounded number of times; nothing goes back. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "text/normal/normal_step.h"

/* ---- HTML ---- */

/* A forward search that is told once that there is nothing more. */
typedef struct seeker {
  const char *mark;
  size_t mark_length, found; /* place of the mark at or behind the last question; length: none */
  bool known;
} seeker;

static size_t seek(seeker *s, marea_text in, size_t from) {
  if (s->known && (s->found >= from || s->found == in.length)) return s->found;
  const char *at = memmem(in.bytes + from, in.length - from, s->mark, s->mark_length);
  s->known = true;
  return s->found = at != NULL ? (size_t)(at - in.bytes) : in.length;
}

static bool is_ascii_letter(char c) {
  return (unsigned char)((c | 32) - 'a') < 26;
}

/* Length of the tag or comment at `at`, where a < is; 0 when there is none. */
static size_t tag_length(marea_text in, size_t at, seeker *end_of_tag, seeker *end_of_comment) {
  marea_text rest = {in.bytes + at, in.length - at};
  if (rest.length >= 4 && memcmp(rest.bytes, "<!--", 4) == 0) {
    size_t end = seek(end_of_comment, in, at + 4);
    return end < in.length ? end + 3 - at : 0;
  }
  if (rest.length < 3) return 0;
  bool opens = is_ascii_letter(rest.bytes[1]) || rest.bytes[1] == '!' || rest.bytes[1] == '?' ||
               (rest.bytes[1] == '/' && is_ascii_letter(rest.bytes[2]));
  if (!opens) return 0;
  size_t end = seek(end_of_tag, in, at + 1);
  return end < in.length ? end + 1 - at : 0;
}

/* &#233; and &#xE9;: the code point, or -1. */
static int32_t numeric_entity(const char *digits, size_t length) {
  bool hexadecimal = length > 1 && (digits[0] | 32) == 'x';
  int32_t code = 0;
  size_t i = hexadecimal ? 1 : 0;
  if (i == length) return -1;
  for (; i < length; i++) {
    int digit = digits[i] - '0';
    if (hexadecimal && is_ascii_letter(digits[i])) digit = (digits[i] | 32) - 'a' + 10;
    if (digit < 0 || digit >= (hexadecimal ? 16 : 10)) return -1;
    code = code * (hexadecimal ? 16 : 10) + digit;
    if (code >= MAREA_CODES) return -1;
  }
  return code == 0 || (code >= 0xD800 && code < 0xE000) ? -1 : code;
}

/* The character of the entity at `at`, where a & is, and its length; 0: none that is known. */
static size_t entity_at(marea_text in, size_t at, int32_t *code) {
  enum { LONGEST = 10 };
  static const struct {
    const char *name;
    int32_t code;
  } names[] = {{"amp", '&'},     {"lt", '<'},      {"gt", '>'},      {"quot", '"'},
               {"apos", '\''},   {"nbsp", ' '},    {"aacute", 0xE1}, {"eacute", 0xE9},
               {"iacute", 0xED}, {"oacute", 0xF3}, {"uacute", 0xFA}, {"ntilde", 0xF1},
               {"uuml", 0xFC},   {"iexcl", 0xA1},  {"iquest", 0xBF}, {"hellip", 0x2026}};
  size_t left = in.length - at - 1, most = left < LONGEST ? left : LONGEST;
  const char *name = in.bytes + at + 1, *end = memchr(name, ';', most);
  if (end == NULL) return 0;
  size_t length = (size_t)(end - name);
  *code = length > 1 && name[0] == '#' ? numeric_entity(name + 1, length - 1) : -1;
  for (size_t i = 0; i < sizeof names / sizeof *names && *code < 0; i++)
    if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0)
      *code = names[i].code;
  return *code < 0 ? 0 : length + 2;
}

marea_status marea_normal_html(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                               marea_normal_report *report) {
  seeker tags = {.mark = ">", .mark_length = 1}, comments = {.mark = "-->", .mark_length = 3};
  marea_status status = MAREA_OK;
  for (size_t i = 0, next; i < in.length && status == MAREA_OK; i = next) {
    int32_t code = 0;
    next = i;
    while (next < in.length && in.bytes[next] != '<' && in.bytes[next] != '&') next++;
    status = marea_rewrite_keep(out, in.bytes + i, next - i);
    if (status != MAREA_OK || next == in.length) break;
    size_t tag = in.bytes[next] == '<' ? tag_length(in, next, &tags, &comments) : 0;
    size_t entity = in.bytes[next] == '&' ? entity_at(in, next, &code) : 0;
    report->tags += tag > 0;
    report->entities += entity > 0;
    if (tag > 0)
      status = marea_rewrite_exchange(out, (marea_text){in.bytes + next, tag}, step->to.bytes,
                                      step->to.length);
    else if (entity > 0)
      status = marea_rewrite_code(out, entity, code);
    else
      status = marea_rewrite_keep(out, in.bytes + next, 1);
    next += tag + entity > 0 ? tag + entity : 1;
  }
  return status;
}

/* ---- URLs ---- */

/* Length of "http://", "https://", "ftp://" or "www." at the beginning, in any case; else 0. */
static size_t url_head(const char *bytes, size_t length) {
  static const char *const heads[] = {"http://", "https://", "ftp://", "www."};
  for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
    size_t n = strlen(heads[h]), i = 0;
    if (length <= n) continue;
    while (i < n && (is_ascii_letter(bytes[i]) ? bytes[i] | 32 : bytes[i]) == heads[h][i]) i++;
    if (i == n) return n;
  }
  return 0;
}

/* Where a URL that begins at `at` ends: at white space, < > " or quotes, without the marks that end
 * the sentence around it. */
static size_t url_end(marea_text in, size_t at, size_t head) {
  size_t end = at + head;
  while (end < in.length) {
    int32_t code;
    size_t width = marea_utf8_next(in.bytes + end, &code);
    if (marea_is_space(code) || code < 33 || code == '<' || code == '>' || code == '"' ||
        code == 0xAB || code == 0xBB || (code >= 0x2018 && code <= 0x201F))
      break;
    end += width;
  }
  while (end > at + head && strchr(".,;:!?)]}'*_", in.bytes[end - 1]) != NULL) end--;
  return end;
}

static bool word_before(marea_text in, size_t at) {
  int32_t code;
  if (at == 0) return false;
  marea_utf8_before(in.bytes, at, &code);
  return marea_is_word_python(code);
}

marea_status marea_normal_urls(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                               marea_normal_report *report) {
  marea_status status = MAREA_OK;
  size_t kept = 0;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    char c = (char)(in.bytes[i] | 32);
    size_t head = c == 'h' || c == 'f' || c == 'w' ? url_head(in.bytes + i, in.length - i) : 0;
    size_t end = head == 0 || word_before(in, i) ? i : url_end(in, i, head);
    if (end <= i + head) { /* nothing follows the head */
      i++;
      continue;
    }
    status = marea_rewrite_keep(out, in.bytes + kept, i - kept);
    if (status == MAREA_OK)
      status = marea_rewrite_exchange(out, (marea_text){in.bytes + i, end - i}, step->to.bytes,
                                      step->to.length);
    report->urls++;
    kept = i = end;
  }
  return status == MAREA_OK ? marea_rewrite_keep(out, in.bytes + kept, in.length - kept) : status;
}

/* ---- digits ---- */

static size_t digit_width(const char *bytes) {
  int32_t code;
  size_t width = marea_utf8_next(bytes, &code);
  return marea_is_digit(code) ? width : 0;
}

marea_status marea_normal_digits(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                 marea_normal_report *report) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < in.length && status == MAREA_OK;) {
    int32_t code;
    size_t run = digit_width(in.bytes + i);
    if (run == 0) {
      size_t width = marea_utf8_next(in.bytes + i, &code);
      status = marea_rewrite_keep(out, in.bytes + i, width);
      i += width;
      continue;
    }
    report->digits++;
    for (size_t more; step->whole && i + run < in.length; run += more) {
      more = digit_width(in.bytes + i + run);
      if (more == 0) break;
      report->digits++;
    }
    status = marea_rewrite_exchange(out, (marea_text){in.bytes + i, run}, step->to.bytes,
                                    step->to.length);
    i += run;
  }
  return status;
}
