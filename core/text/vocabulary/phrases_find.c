#include "text/vocabulary/phrases_find.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void marea_phrases_found_free(marea_phrases_found *found) {
  marea_vocabulary_free(found->phrases);
  marea_free(found->scores);
  *found = (marea_phrases_found){0};
}

static marea_status add(marea_phrases_found *found, marea_text phrase, double score,
                        int64_t count) {
  if (found->phrases == NULL) found->phrases = marea_vocabulary_new();
  if (found->phrases == NULL) return MAREA_NOMEM;
  int32_t place = marea_vocabulary_add(found->phrases, phrase.bytes, phrase.length);
  if (place < 0) return marea_error_code();
  double *scores = marea_grow(found->scores, &found->capacity, (size_t)place + 1, sizeof *scores);
  if (scores == NULL) return MAREA_NOMEM;
  found->scores = scores;
  found->phrases->words[place].count += count;
  found->scores[place] = score;
  return MAREA_OK;
}

marea_status marea_phrases_find_line(const marea_phrase_line *line, marea_phrases_found *found) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < line->count && status == MAREA_OK; i++) {
    const marea_phrase_piece *piece = &line->pieces[i];
    marea_text phrase = {line->bytes + piece->offset, piece->length};
    if (piece->joined) status = add(found, phrase, piece->score, 1);
  }
  return status;
}

typedef struct target {
  const marea_phrases *phrases;
  marea_phrase_line line;
} target;

static marea_status add_token(void *context, const marea_token *token) {
  target *t = context;
  return marea_phrase_line_add(t->phrases, &t->line, token);
}

static marea_status find_in(target *t, const marea_pipeline *pipeline, marea_text text,
                            marea_pipeline_scratch *scratch, marea_phrases_found *found) {
  t->line.count = t->line.used = 0;
  marea_status status = marea_pipeline_run(pipeline, text, false, scratch, add_token, t);
  if (status != MAREA_OK) return status;
  marea_phrases_join(t->phrases, &t->line);
  return marea_phrases_find_line(&t->line, found);
}

marea_status marea_phrases_find(const marea_phrases *p, const marea_pipeline *pipeline,
                                const marea_text *texts, size_t count, marea_phrases_found *found) {
  target t = {.phrases = p};
  char message[200];
  marea_status status = MAREA_OK;
  marea_pipeline_scratch *scratch = marea_pipeline_scratch_new();
  if (scratch == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    status = find_in(&t, pipeline, texts[i], scratch, found);
    if (status != MAREA_FORMAT) continue;
    snprintf(message, sizeof message, "%s", marea_error_text());
    marea_fail(status, "text %zu: %s", i + 1, message);
  }
  marea_phrase_line_free(&t.line);
  marea_pipeline_scratch_free(scratch);
  return status;
}

marea_status marea_phrases_find_all(const marea_phrases *p, marea_phrases_found *found) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < p->counts->word_count && status == MAREA_OK; i++) {
    double score;
    if (marea_phrases_at(p, (int32_t)i, &score))
      status = add(found, marea_vocabulary_word(p->counts, (int32_t)i), score,
                   p->counts->words[i].count);
  }
  return status;
}

/* ---- order ---- */

typedef struct scored {
  double score;
  int32_t place;
} scored;

static int by_score(const void *left, const void *right) {
  const scored *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->place < b->place ? -1 : a->place > b->place;
}

marea_status marea_phrases_found_order(const marea_phrases_found *found, int32_t *order) {
  size_t count = found->phrases == NULL ? 0 : found->phrases->word_count;
  scored *list = marea_alloc_array(count + 1, sizeof *list);
  if (list == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < count; i++) list[i] = (scored){found->scores[i], (int32_t)i};
  if (count > 0) qsort(list, count, sizeof *list, by_score);
  for (size_t i = 0; i < count; i++) order[i] = list[i].place;
  marea_free(list);
  return MAREA_OK;
}
