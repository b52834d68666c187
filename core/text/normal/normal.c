/* The normalizer: its steps one after the other. */
#include "text/normal/normal.h"

#include <string.h>

#include "base/memory.h"
#include "text/normal/normal_step.h"

typedef struct step_kind {
  normal_step *run;
  bool ascii_stays;
} step_kind;

static const step_kind kinds[] = {
#define STEP_KIND(name, text, ascii, family) {marea_normal_##family, ascii},
    MAREA_NORMAL_MAP(STEP_KIND)
#undef STEP_KIND
};

struct marea_normalizer {
  marea_normal_step steps[MAREA_NORMAL_STEPS_MAX];
  size_t count;
  marea_invalid invalid;
};

static marea_status copy_text(marea_text *text) {
  if (marea_utf8_invalid(*text) < text->length)
    return marea_fail(MAREA_FORMAT, "normalizer: a text to replace or to insert is not UTF-8");
  char *bytes = marea_alloc(text->length + 1);
  if (bytes == NULL) return MAREA_NOMEM;
  if (text->length > 0) memcpy(bytes, text->bytes, text->length);
  text->bytes = bytes;
  return MAREA_OK;
}

static marea_status add_step(marea_normalizer *n, const marea_normal_step *given) {
  if ((unsigned)given->kind >= MAREA_NORMAL_COUNT)
    return marea_fail(MAREA_ARGUMENT, "normalizer: step kind %d, expected 0 to %d",
                      (int)given->kind, MAREA_NORMAL_COUNT - 1);
  if (given->kind == MAREA_NORMAL_REPLACE && given->from.length == 0)
    return marea_fail(MAREA_ARGUMENT, "normalizer: replace needs a text to look for");
  if (given->kind == MAREA_NORMAL_FUNCTION && given->function == NULL)
    return marea_fail(MAREA_ARGUMENT, "normalizer: a step of one's own needs a function");
  marea_normal_step step = *given;
  marea_status status = copy_text(&step.from);
  if (status != MAREA_OK) return status;
  status = copy_text(&step.to);
  if (status != MAREA_OK) {
    marea_free((char *)step.from.bytes);
    return status;
  }
  n->steps[n->count++] = step;
  return MAREA_OK;
}

marea_normalizer *marea_normalizer_new(const marea_normal_step *steps, size_t count,
                                       marea_invalid invalid) {
  if (count > MAREA_NORMAL_STEPS_MAX) {
    marea_fail(MAREA_ARGUMENT, "normalizer: %zu steps, at most %d are allowed", count,
               MAREA_NORMAL_STEPS_MAX);
    return NULL;
  }
  marea_normalizer *n = marea_alloc_zero(1, sizeof *n);
  if (n == NULL) return NULL;
  n->invalid = invalid;
  for (size_t i = 0; i < count; i++)
    if (add_step(n, &steps[i]) != MAREA_OK) {
      marea_normalizer_free(n);
      return NULL;
    }
  return n;
}

void marea_normalizer_free(marea_normalizer *n) {
  if (n == NULL) return;
  for (size_t i = 0; i < n->count; i++) {
    marea_free((char *)n->steps[i].from.bytes);
    marea_free((char *)n->steps[i].to.bytes);
  }
  marea_free(n);
}

bool marea_normalizer_has_function(const marea_normalizer *n) {
  for (size_t i = 0; i < n->count; i++)
    if (n->steps[i].kind == MAREA_NORMAL_FUNCTION) return true;
  return false;
}

void marea_normal_scratch_free(marea_normal_scratch *scratch) {
  for (int i = 0; i <= MAREA_NORMAL_STEPS_MAX; i++) marea_rewrite_free(&scratch->steps[i]);
}

/* ---- running ---- */

/* Each byte that is no UTF-8 becomes U+FFFD. */
static marea_status replace_invalid(marea_text in, marea_rewrite *out, size_t *replaced) {
  for (size_t i = 0; i < in.length;) {
    marea_text rest = {in.bytes + i, in.length - i};
    size_t valid = marea_utf8_invalid(rest);
    marea_status status = marea_rewrite_keep(out, rest.bytes, valid);
    i += valid;
    if (status == MAREA_OK && i < in.length) {
      status = marea_rewrite_code(out, 1, 0xFFFD);
      ++*replaced;
      i++;
    }
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

static marea_text rewritten(marea_normal_scratch *scratch, int step) {
  scratch->used[scratch->used_count++] = step;
  return (marea_text){scratch->steps[step].bytes, scratch->steps[step].length};
}

static marea_status validate(const marea_normalizer *n, bool track, marea_normal_scratch *scratch,
                             marea_text *text) {
  size_t bad = marea_utf8_invalid(*text);
  if (bad == text->length) return MAREA_OK;
  if (n->invalid == MAREA_INVALID_REFUSE)
    return marea_fail(MAREA_FORMAT, "byte %zu is not valid UTF-8 (0x%02x)", bad + 1,
                      (unsigned char)text->bytes[bad]);
  marea_rewrite_start(&scratch->steps[0], track);
  marea_status status = replace_invalid(*text, &scratch->steps[0], &scratch->report.invalid_bytes);
  if (status == MAREA_OK) *text = rewritten(scratch, 0);
  return status;
}

/* Nothing was changed: a copy, for what may be read behind it. */
static marea_status copy_whole(marea_normal_scratch *scratch, marea_text *text) {
  marea_rewrite *copy = &scratch->steps[0];
  marea_rewrite_start(copy, false);
  marea_status status = marea_rewrite_keep(copy, text->bytes, text->length);
  text->bytes = copy->bytes;
  return status;
}

marea_status marea_normalize(const marea_normalizer *n, marea_text in, bool track,
                             marea_normal_scratch *scratch, marea_text *out) {
  scratch->used_count = 0;
  marea_text text = in;
  marea_status status = validate(n, track, scratch, &text);
  for (size_t i = 0; i < n->count && status == MAREA_OK; i++) {
    const marea_normal_step *step = &n->steps[i];
    const step_kind *kind = &kinds[step->kind];
    if (kind->ascii_stays && marea_ascii_prefix(text.bytes, text.length) == text.length) continue;
    marea_rewrite *to = &scratch->steps[i + 1];
    marea_rewrite_start(to, track);
    /* An empty result has bytes of its own all the same. */
    if (marea_rewrite_room(to, text.length) == NULL) return MAREA_NOMEM;
    status = kind->run(step, text, to, &scratch->report);
    if (status == MAREA_OK) text = rewritten(scratch, (int)i + 1);
  }
  if (status == MAREA_OK && scratch->used_count == 0) status = copy_whole(scratch, &text);
  *out = text;
  return status;
}

void marea_normal_origin(const marea_normal_scratch *scratch, size_t *begin, size_t *end) {
  for (int i = scratch->used_count; i-- > 0;)
    marea_rewrite_origin(&scratch->steps[scratch->used[i]], begin, end);
}
