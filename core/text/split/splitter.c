/* Splitters: making one, and choosing its rule. */
#include "text/split/splitter.h"

#include <string.h>

#include "base/memory.h"
#include "text/split/split_rule.h"

static split_rule *const rules[] = {
#define SPLIT_RULE(name, text, function) marea_split_##function,
    MAREA_SPLIT_MAP(SPLIT_RULE)
#undef SPLIT_RULE
};

static marea_status check(const marea_split_options *o) {
  if ((unsigned)o->kind >= MAREA_SPLIT_COUNT)
    return marea_fail(MAREA_ARGUMENT, "splitter: kind %d, expected 0 to %d", (int)o->kind,
                      MAREA_SPLIT_COUNT - 1);
  if (marea_utf8_invalid(o->text) < o->text.length)
    return marea_fail(MAREA_FORMAT, "splitter: the separators must be UTF-8");
  bool needs = o->kind == MAREA_SPLIT_METASPACE || o->kind == MAREA_SPLIT_LITERAL;
  if (needs && o->text.length == 0)
    return marea_fail(MAREA_ARGUMENT, "splitter: the separator must be at least one character");
  if (o->kind == MAREA_SPLIT_FUNCTION && o->function == NULL)
    return marea_fail(MAREA_ARGUMENT, "splitter: a rule of one's own needs a function");
  return MAREA_OK;
}

static bool cuts_listed(const marea_splitter *s, int32_t code) {
  for (size_t i = 0; i < s->wide_count; i++)
    if (s->wide[i] == code) return true;
  return false;
}

static bool cuts_space(const marea_splitter *s, int32_t code) {
  return marea_is_space_of(s->options.spaces, code);
}

static bool cuts_non_word(const marea_splitter *s, int32_t code) {
  (void)s;
  return !marea_is_word_python(code);
}

static marea_status list_filters(marea_splitter *s) {
  s->wide = marea_alloc_array(s->options.text.length + 1, sizeof *s->wide);
  if (s->wide == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < s->options.text.length;) {
    int32_t code;
    i += marea_utf8_next(s->options.text.bytes + i, &code);
    if (code < 0x80)
      marea_byte_set_add(&s->cuts, (unsigned char)code);
    else
      s->wide[s->wide_count++] = code;
  }
  s->cuts_wide = s->wide_count > 0 ? cuts_listed : NULL;
  return MAREA_OK;
}

/* What separates, for the rules of split_runs.c. */
static marea_status fill_cuts(marea_splitter *s) {
  if (s->options.kind == MAREA_SPLIT_FILTERS) return list_filters(s);
  if (s->options.kind == MAREA_SPLIT_WHITESPACE) s->cuts_wide = cuts_space;
  if (s->options.kind == MAREA_SPLIT_WORD_RUNS) s->cuts_wide = cuts_non_word;
  for (int code = 0; code < 0x80 && s->cuts_wide != NULL; code++)
    if (s->cuts_wide(s, code)) marea_byte_set_add(&s->cuts, (unsigned char)code);
  return MAREA_OK;
}

static marea_status fill(marea_splitter *s, const marea_split_options *o) {
  s->options = *o;
  s->options.text.bytes = NULL;
  char *bytes = marea_alloc(o->text.length + 1);
  if (bytes == NULL) return MAREA_NOMEM;
  if (o->text.length > 0) memcpy(bytes, o->text.bytes, o->text.length);
  s->options.text.bytes = bytes;
  return fill_cuts(s);
}

marea_splitter *marea_splitter_new(const marea_split_options *o) {
  if (check(o) != MAREA_OK) return NULL;
  marea_splitter *s = marea_alloc_zero(1, sizeof *s);
  if (s == NULL) return NULL;
  if (fill(s, o) == MAREA_OK) return s;
  marea_splitter_free(s);
  return NULL;
}

void marea_splitter_free(marea_splitter *s) {
  if (s == NULL) return;
  marea_free((char *)s->options.text.bytes);
  marea_free(s->wide);
  marea_free(s);
}

bool marea_splitter_has_function(const marea_splitter *s) {
  return s->options.kind == MAREA_SPLIT_FUNCTION;
}

marea_status marea_split(const marea_splitter *s, marea_text text, marea_token_sink *sink,
                         void *context) {
  split_out out = {text.bytes, sink, context};
  return rules[s->options.kind](s, text, &out);
}
