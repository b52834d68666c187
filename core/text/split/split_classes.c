/* Rules by classes of characters. */
#include "text/split/split_rule.h"

typedef bool code_class(int32_t code);

/* End of the run of a class that begins at `at`. */
static size_t run_end(marea_text text, size_t at, code_class *is, size_t *characters) {
  *characters = 0;
  while (at < text.length) {
    int32_t code;
    size_t width = marea_utf8_next(text.bytes + at, &code);
    if (!is(code)) break;
    at += width;
    ++*characters;
  }
  return at;
}

static bool is_other(int32_t code) {
  return !marea_is_space(code) && !marea_is_word_rust(code);
}

marea_status marea_split_words_or_marks(const marea_splitter *s, marea_text text,
                                        const split_out *out) {
  (void)s;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    size_t characters, end = run_end(text, i, marea_is_word_rust, &characters);
    if (end == i) end = run_end(text, i, is_other, &characters);
    status = split_give(out, i, end);
    i = end > i ? end : run_end(text, i, marea_is_space, &characters);
  }
  return status;
}

static bool is_plain(int32_t code) {
  return !marea_is_space(code) && !marea_is_punctuation(code);
}

marea_status marea_split_bert(const marea_splitter *s, marea_text text, const split_out *out) {
  (void)s;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    size_t characters, end = run_end(text, i, is_plain, &characters);
    status = split_give(out, i, end);
    if (status != MAREA_OK || end == text.length) return status;
    int32_t code;
    i = end + marea_utf8_next(text.bytes + end, &code);
    if (marea_is_punctuation(code)) status = split_give(out, end, i);
  }
  return status;
}

marea_status marea_split_digits(const marea_splitter *s, marea_text text, const split_out *out) {
  marea_status status = MAREA_OK;
  size_t begin = 0;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    int32_t code;
    size_t end = i + marea_utf8_next(text.bytes + i, &code), characters;
    if (marea_is_number(code)) {
      status = split_give(out, begin, i);
      if (!s->options.each) end = run_end(text, end, marea_is_number, &characters);
      if (status == MAREA_OK) status = split_give(out, i, end);
      begin = end;
    }
    i = end;
  }
  return status == MAREA_OK ? split_give(out, begin, text.length) : status;
}

/* ---- GPT-2 ---- */

/* Length of 's 't 're 've 'm 'll 'd at the beginning, else 0. */
static size_t contraction(const char *bytes, size_t length) {
  if (length < 2 || bytes[0] != '\'') return 0;
  char a = bytes[1], b = length > 2 ? bytes[2] : '\0';
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
  return two ? 3 : 0;
}

static bool is_neither(int32_t code) {
  return !marea_is_space(code) && !marea_is_letter(code) && !marea_is_number(code);
}

/* End of the run of letters, digits or other marks at `at`; `at` itself when white space is there.
 */
static size_t byte_level_run(marea_text text, size_t at) {
  static code_class *const classes[] = {marea_is_letter, marea_is_number, is_neither};
  for (int i = 0; i < 3; i++) {
    size_t characters, end = run_end(text, at, classes[i], &characters);
    if (end > at) return end;
  }
  return at;
}

/* White space at `at`: all of it at the end of the text, else without its last character, which a
 * blank gives to the run behind it. */
static size_t byte_level_space(marea_text text, size_t at) {
  size_t characters, end = run_end(text, at, marea_is_space, &characters);
  if (end == text.length || characters == 1) return end;
  int32_t code;
  return end - marea_utf8_before(text.bytes, end, &code);
}

marea_status marea_split_byte_level(const marea_splitter *s, marea_text text,
                                    const split_out *out) {
  (void)s;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < text.length && status == MAREA_OK;) {
    size_t end = i + contraction(text.bytes + i, text.length - i);
    if (end == i) {
      size_t start = text.bytes[i] == ' ' ? i + 1 : i;
      size_t run = start < text.length ? byte_level_run(text, start) : start;
      end = run > start ? run : byte_level_space(text, i);
    }
    status = split_give(out, i, end);
    i = end;
  }
  return status;
}
