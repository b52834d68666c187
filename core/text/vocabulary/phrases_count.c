#include "text/vocabulary/phrases_count.h"

#include "base/memory.h"
#include "text/vocabulary/count.h"

enum { RUN_BYTES = 1 << 18, ROUND_RUNS = 64 };

/* One thread's part. */
typedef struct part {
  marea_phrase_line line;
  int64_t words;
} part;

typedef struct counting {
  const marea_phrases *phrases;
  const marea_pipeline *pipeline;
  const marea_text *texts;
  size_t count, next; /* texts: all, the next one */
  size_t runs;        /* left in this round */
  part parts[MAREA_COUNT_WORKERS];
} counting;

/* ---- one text ---- */

marea_status marea_phrases_note(const marea_phrase_line *line, marea_vocabulary *counts,
                                int64_t *words) {
  marea_prepared batch[MAREA_PREPARED];
  size_t used = 0, start = SIZE_MAX;
  *words += (int64_t)line->count;
  for (size_t i = 0; i < line->count; i++) {
    const marea_phrase_piece *piece = &line->pieces[i];
    if (piece->connector) continue;
    marea_vocabulary_prepare(counts, line->bytes + piece->offset, piece->length, &batch[used++]);
    if (start != SIZE_MAX) {
      size_t from = line->pieces[start].offset;
      marea_vocabulary_prepare(counts, line->bytes + from, piece->offset + piece->length - from,
                               &batch[used++]);
    }
    start = i;
    if (used + 2 <= MAREA_PREPARED) continue;
    marea_status status = marea_vocabulary_note_all(counts, batch, used);
    if (status != MAREA_OK) return status;
    used = 0;
  }
  return marea_vocabulary_note_all(counts, batch, used);
}

/* A token on its way into a worker's line. */
typedef struct target {
  const marea_phrases *phrases;
  marea_phrase_line *line;
} target;

static marea_status add_token(void *context, const marea_token *token) {
  const target *t = context;
  return marea_phrase_line_add(t->phrases, t->line, token);
}

static marea_status count_text(void *context, const marea_count_place *place, marea_text text) {
  counting *all = context;
  part *own = &all->parts[place->worker];
  target t = {all->phrases, &own->line};
  own->line.count = own->line.used = 0;
  marea_status status =
      marea_pipeline_run(all->pipeline, text, false, place->scratch, add_token, &t);
  return status == MAREA_OK ? marea_phrases_note(&own->line, place->table, &own->words) : status;
}

/* ---- all texts ---- */

/* The next texts for a worker; none when the round has no more. */
static marea_status next_run(void *context, size_t worker, const marea_text **texts,
                             size_t *count) {
  (void)worker;
  counting *all = context;
  size_t first = all->next;
  if (all->runs > 0) {
    all->runs--;
    for (size_t bytes = 0; all->next < all->count && bytes < RUN_BYTES;)
      bytes += all->texts[all->next++].length + 1;
  }
  *texts = all->texts + first;
  *count = all->next - first;
  return MAREA_OK;
}

/* Leaves out what was counted less than `least` times; the table is replaced. */
static marea_status prune(marea_vocabulary **table, int64_t least, size_t *pruned) {
  marea_vocabulary *old = *table, *kept = marea_vocabulary_new();
  if (kept == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < old->word_count; i++) {
    if (old->words[i].count < least) continue;
    marea_text word = marea_vocabulary_word(old, (int32_t)i);
    int32_t place = marea_vocabulary_add(kept, word.bytes, word.length);
    if (place < 0) {
      marea_vocabulary_free(kept);
      return marea_error_code();
    }
    kept->words[place].count = old->words[i].count;
  }
  *pruned += old->word_count - kept->word_count;
  marea_vocabulary_free(old);
  *table = kept;
  return MAREA_OK;
}

static bool too_many(const marea_phrases *p, const marea_vocabulary *table) {
  return p->options.max_vocabulary > 0 && table->word_count > p->options.max_vocabulary;
}

/* What was counted before and the new counts as one table; NULL on failure. */
static marea_vocabulary *both(const marea_phrases *p, const marea_vocabulary *counts) {
  marea_vocabulary *merged = marea_vocabulary_new();
  if (merged == NULL) return NULL;
  if (marea_vocabulary_merge(merged, p->counts, false) == MAREA_OK &&
      marea_vocabulary_merge(merged, counts, false) == MAREA_OK)
    return merged;
  marea_vocabulary_free(merged);
  return NULL;
}

marea_status marea_phrases_take(marea_phrases *p, marea_vocabulary *counts, int64_t words,
                                int64_t least, marea_phrases_report *report) {
  if (p->counts->word_count > 0) {
    marea_vocabulary *merged = both(p, counts);
    marea_vocabulary_free(counts);
    if (merged == NULL) return marea_error_code();
    counts = merged;
    if (least < p->least) least = p->least;
    if (too_many(p, counts) && prune(&counts, least++, &report->pruned) != MAREA_OK) {
      marea_vocabulary_free(counts);
      return marea_error_code();
    }
    p->least = least; /* gensim, too, forgets the first call's */
  }
  marea_vocabulary_free(p->counts);
  p->counts = counts;
  p->words += words;
  return MAREA_OK;
}

static marea_status count_all(counting *all, marea_phrases *p, marea_phrases_report *report) {
  int64_t least = 1, words = 0;
  marea_counting how = {all->pipeline, next_run, all, count_text, all, 0};
  marea_vocabulary *table = marea_vocabulary_new();
  marea_status status = table != NULL ? MAREA_OK : MAREA_NOMEM;
  while (status == MAREA_OK && all->next < all->count) {
    all->runs = ROUND_RUNS;
    status = marea_count(table, &how, &report->pipeline);
    if (status == MAREA_OK && too_many(p, table)) status = prune(&table, least++, &report->pruned);
  }
  for (size_t i = 0; i < MAREA_COUNT_WORKERS; i++) words += all->parts[i].words;
  if (status == MAREA_OK) return marea_phrases_take(p, table, words, least, report);
  marea_vocabulary_free(table);
  return status;
}

marea_status marea_phrases_count(marea_phrases *p, const marea_pipeline *pipeline,
                                 const marea_text *texts, size_t count,
                                 marea_phrases_report *report) {
  if (p->scores != NULL)
    return marea_fail(MAREA_STATE, "phrases: frozen phrases cannot count more texts");
  counting *all = marea_alloc_zero(1, sizeof *all);
  if (all == NULL) return MAREA_NOMEM;
  all->phrases = p;
  all->pipeline = pipeline;
  all->texts = texts;
  all->count = count;
  marea_status status = count_all(all, p, report);
  for (size_t i = 0; i < MAREA_COUNT_WORKERS; i++) marea_phrase_line_free(&all->parts[i].line);
  marea_free(all);
  return status;
}
