#include "text/vocabulary/phrases.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/scan.h" /* MAREA_SLACK */

/* ---- making ---- */

static marea_status check(const marea_phrases_options *o) {
  if (o->join.length == 0)
    return marea_fail(MAREA_ARGUMENT, "phrases: join must be at least one character");
  if (marea_utf8_invalid(o->join) < o->join.length)
    return marea_fail(MAREA_FORMAT, "phrases: join is not UTF-8");
  if (o->min_count < 1)
    return marea_fail(MAREA_ARGUMENT, "phrases: min_count is %lld, expected 1 or more",
                      (long long)o->min_count);
  if (o->scoring == MAREA_PHRASES_DEFAULT && !(o->threshold > 0))
    return marea_fail(MAREA_ARGUMENT, "phrases: threshold is %g, expected more than 0",
                      o->threshold);
  if (o->scoring == MAREA_PHRASES_NPMI && !(o->threshold >= -1 && o->threshold <= 1))
    return marea_fail(MAREA_ARGUMENT, "phrases: threshold is %g, expected -1 to 1 for npmi",
                      o->threshold);
  return MAREA_OK;
}

static marea_status fill(marea_phrases *p, const marea_phrases_options *o) {
  p->options = *o;
  p->options.join.bytes = NULL;
  p->options.connectors = NULL;
  p->options.connector_count = 0;
  p->least = 1;
  char *join = marea_alloc(o->join.length);
  if (join == NULL) return MAREA_NOMEM;
  memcpy(join, o->join.bytes, o->join.length);
  p->options.join.bytes = join;
  p->connectors = marea_vocabulary_new();
  p->counts = marea_vocabulary_new();
  if (p->connectors == NULL || p->counts == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < o->connector_count; i++)
    if (marea_vocabulary_add(p->connectors, o->connectors[i].bytes, o->connectors[i].length) < 0)
      return marea_error_code();
  return MAREA_OK;
}

marea_phrases *marea_phrases_new(const marea_phrases_options *o) {
  if (check(o) != MAREA_OK) return NULL;
  marea_phrases *p = marea_alloc_zero(1, sizeof *p);
  if (p == NULL) return NULL;
  if (fill(p, o) == MAREA_OK) return p;
  marea_phrases_free(p);
  return NULL;
}

void marea_phrases_free(marea_phrases *p) {
  if (p == NULL) return;
  marea_free((char *)p->options.join.bytes);
  marea_vocabulary_free(p->connectors);
  marea_vocabulary_free(p->counts);
  marea_free(p->scores);
  marea_free(p);
}

/* ---- a text's tokens ---- */

void marea_phrase_line_free(marea_phrase_line *line) {
  marea_free(line->bytes);
  marea_free(line->pieces);
  *line = (marea_phrase_line){0};
}

static marea_status widen_line(marea_phrase_line *line, size_t length) {
  char *bytes = marea_grow(line->bytes, &line->capacity, line->used + length + MAREA_SLACK, 1);
  if (bytes == NULL) return MAREA_NOMEM;
  line->bytes = bytes;
  marea_phrase_piece *pieces =
      marea_grow(line->pieces, &line->piece_capacity, line->count + 1, sizeof *pieces);
  if (pieces == NULL) return MAREA_NOMEM;
  line->pieces = pieces;
  return MAREA_OK;
}

marea_status marea_phrase_line_add(const marea_phrases *p, marea_phrase_line *line,
                                   const marea_token *token) {
  marea_text join = p->options.join;
  marea_status status = widen_line(line, token->length + join.length);
  if (status != MAREA_OK) return status;
  if (line->count > 0) {
    memcpy(line->bytes + line->used, join.bytes, join.length);
    line->used += join.length;
  }
  if (token->length > 0) memcpy(line->bytes + line->used, token->bytes, token->length);
  bool connector = p->connectors->word_count > 0 &&
                   marea_vocabulary_find(p->connectors, token->bytes, token->length) >= 0;
  line->pieces[line->count++] = (marea_phrase_piece){.offset = line->used,
                                                     .length = token->length,
                                                     .begin = token->begin,
                                                     .end = token->end,
                                                     .connector = connector};
  line->used += token->length;
  return MAREA_OK;
}

/* ---- scores ---- */

double marea_phrases_score(const marea_phrases *p, int64_t first, int64_t second, int64_t pair) {
  const marea_phrases_options *o = &p->options;
  double a = (double)first, b = (double)second, ab = (double)pair, all = (double)p->words;
  if (first <= 0 || second <= 0 || pair <= 0) return -HUGE_VAL;
  if (o->scoring == MAREA_PHRASES_DEFAULT)
    return (double)(pair - o->min_count) / (a * b) * (double)p->counts->word_count;
  if (pair < o->min_count) return -HUGE_VAL;
  double p_ab = ab / all;
  return log(p_ab / (a / all * (b / all))) / -log(p_ab);
}

static int64_t count_of(const marea_phrases *p, const char *bytes, size_t length) {
  int32_t place = marea_vocabulary_find(p->counts, bytes, length);
  return place < 0 ? 0 : p->counts->words[place].count;
}

/* Whether `whole`, which begins with the first word and ends with the second, is a phrase. */
static bool is_phrase(const marea_phrases *p, marea_text whole, size_t first, size_t second,
                      double *score) {
  int32_t place = marea_vocabulary_find(p->counts, whole.bytes, whole.length);
  if (place < 0) return false;
  if (p->scores != NULL) {
    *score = p->scores[place];
    return *score > p->options.threshold;
  }
  int64_t pair = p->counts->words[place].count;
  /* Neither score of a rarer pair is above any threshold that is allowed. */
  if (pair < p->options.min_count) return false;
  *score = marea_phrases_score(p, count_of(p, whole.bytes, first),
                               count_of(p, whole.bytes + whole.length - second, second), pair);
  return *score > p->options.threshold;
}

static bool try_join(const marea_phrases *p, const marea_phrase_line *line, size_t from, size_t to,
                     marea_phrase_piece *joined) {
  const marea_phrase_piece *a = &line->pieces[from], *b = &line->pieces[to];
  marea_text whole = {line->bytes + a->offset, b->offset + b->length - a->offset};
  *joined = (marea_phrase_piece){.offset = a->offset,
                                 .length = whole.length,
                                 .begin = a->begin,
                                 .end = b->end,
                                 .joined = true};
  return is_phrase(p, whole, a->length, b->length, &joined->score);
}

size_t marea_phrases_join(const marea_phrases *p, marea_phrase_line *line) {
  marea_phrase_piece *pieces = line->pieces, joined;
  size_t out = 0, found = 0, start = SIZE_MAX; /* where a phrase may begin */
  for (size_t i = 0; i < line->count; i++) {
    if (pieces[i].connector) {
      if (start == SIZE_MAX) pieces[out++] = pieces[i];
      continue;
    }
    if (start != SIZE_MAX && try_join(p, line, start, i, &joined)) {
      pieces[out++] = joined;
      found++;
      start = SIZE_MAX;
      continue;
    }
    while (start < i) pieces[out++] = pieces[start++];
    start = i;
  }
  while (start < line->count) pieces[out++] = pieces[start++];
  line->count = out;
  return found;
}

/* ---- what was learned ---- */

/* The first and the last join in a text; false when there is none. They do not overlap others on
 * their left. */
static bool find_joins(marea_text text, marea_text join, size_t *first, size_t *last) {
  bool found = false;
  for (size_t i = 0; i + join.length <= text.length;) {
    if (memcmp(text.bytes + i, join.bytes, join.length) != 0) {
      i++;
      continue;
    }
    if (!found) *first = i;
    found = true;
    *last = i;
    i += join.length;
  }
  return found;
}

bool marea_phrases_at(const marea_phrases *p, int32_t place, double *score) {
  marea_text whole = marea_vocabulary_word(p->counts, place);
  size_t first = 0, last = 0;
  if (p->scores != NULL) {
    *score = p->scores[place];
    return *score > p->options.threshold;
  }
  if (!find_joins(whole, p->options.join, &first, &last)) return false;
  return is_phrase(p, whole, first, whole.length - last - p->options.join.length, score);
}

static marea_status copy_phrases(const marea_phrases *from, marea_phrases *to) {
  marea_status status = marea_vocabulary_merge(to->connectors, from->connectors, false);
  to->scores = marea_alloc_array(from->counts->word_count + 1, sizeof *to->scores);
  if (to->scores == NULL) status = MAREA_NOMEM;
  to->words = from->words;
  for (size_t i = 0; i < from->counts->word_count && status == MAREA_OK; i++) {
    double score;
    if (!marea_phrases_at(from, (int32_t)i, &score)) continue;
    marea_text word = marea_vocabulary_word(from->counts, (int32_t)i);
    int32_t place = marea_vocabulary_add(to->counts, word.bytes, word.length);
    if (place < 0) return marea_error_code();
    to->counts->words[place].count = from->counts->words[i].count;
    to->scores[place] = score;
  }
  return status;
}

marea_phrases *marea_phrases_freeze(const marea_phrases *p) {
  marea_phrases *frozen = marea_phrases_new(&p->options);
  if (frozen == NULL || copy_phrases(p, frozen) == MAREA_OK) return frozen;
  marea_phrases_free(frozen);
  return NULL;
}
