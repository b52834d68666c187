#include "text/vocabulary/phrases_count.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/threads.h"

enum { WORKERS = 64, RUN_BYTES = 1 << 18, ROUND_RUNS = 64 };

/* One thread's part. */
typedef struct worker {
  marea_vocabulary *table;
  marea_pipeline_scratch *scratch;
  marea_phrase_line line;
  int64_t words;
  size_t failed_text;
  marea_status status;
  char message[200];
} worker;

typedef struct counting {
  const marea_phrases *phrases;
  const marea_pipeline *pipeline;
  const marea_text *texts;
  size_t count, next; /* texts: all, the next one */
  size_t runs, round_end;
  bool stopped;
  pthread_mutex_t lock; /* around next, runs, stopped */
  worker workers[WORKERS];
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

static marea_status count_text(const counting *all, worker *w, marea_text text) {
  target t = {all->phrases, &w->line};
  w->line.count = w->line.used = 0;
  marea_status status = marea_pipeline_run(all->pipeline, text, false, w->scratch, add_token, &t);
  return status == MAREA_OK ? marea_phrases_note(&w->line, w->table, &w->words) : status;
}

/* ---- all texts ---- */

/* The next texts for a worker; 0 when the round has no more. */
static size_t take_run(counting *all, worker *w, size_t *first) {
  size_t bytes = 0;
  pthread_mutex_lock(&all->lock);
  *first = all->next;
  if (!all->stopped && all->runs < all->round_end && all->next < all->count) {
    while (all->next < all->count && bytes < RUN_BYTES) bytes += all->texts[all->next++].length + 1;
    w->table->run = ++all->runs;
  }
  size_t count = all->next - *first;
  pthread_mutex_unlock(&all->lock);
  return count;
}

static void stop(counting *all, worker *w) {
  pthread_mutex_lock(&all->lock);
  all->stopped = true;
  pthread_mutex_unlock(&all->lock);
  snprintf(w->message, sizeof w->message, "%s", marea_error_text()); /* errors are per thread */
}

static void count_runs(void *context, size_t number) {
  counting *all = context;
  worker *w = &all->workers[number];
  size_t first, count;
  while (w->status == MAREA_OK && (count = take_run(all, w, &first)) > 0)
    for (size_t i = 0; i < count && w->status == MAREA_OK; i++) {
      w->failed_text = first + i;
      w->status = count_text(all, w, all->texts[first + i]);
    }
  if (w->status != MAREA_OK) stop(all, w);
}

/* The first failure in the order of the texts. */
static marea_status first_failure(const counting *all, size_t workers) {
  const worker *first = NULL;
  for (size_t i = 0; i < workers; i++) {
    const worker *w = &all->workers[i];
    if (w->status != MAREA_OK && (first == NULL || w->failed_text < first->failed_text)) first = w;
  }
  if (first == NULL) return MAREA_OK;
  if (first->status != MAREA_FORMAT) return marea_fail(first->status, "%s", first->message);
  return marea_fail(first->status, "text %zu: %s", first->failed_text + 1, first->message);
}

/* Counts one round and merges it into the table. */
static marea_status count_round(counting *all, size_t workers, marea_vocabulary *table) {
  marea_status status = MAREA_OK;
  all->round_end = all->runs + ROUND_RUNS;
  for (size_t i = 0; i < workers && status == MAREA_OK; i++) {
    all->workers[i].table = marea_vocabulary_new();
    if (all->workers[i].table == NULL) status = MAREA_NOMEM;
  }
  if (status == MAREA_OK) {
    marea_parallel(workers, count_runs, all);
    status = first_failure(all, workers);
  }
  for (size_t i = 0; i < workers; i++) {
    worker *w = &all->workers[i];
    if (status == MAREA_OK) status = marea_vocabulary_merge(table, w->table, true);
    marea_vocabulary_free(w->table);
    w->table = NULL;
  }
  if (status == MAREA_OK) marea_vocabulary_settle(table);
  return status;
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

static marea_status count_all(counting *all, size_t workers, marea_phrases *p,
                              marea_phrases_report *report) {
  int64_t least = 1, words = 0;
  marea_status status = MAREA_OK;
  marea_vocabulary *table = marea_vocabulary_new();
  if (table == NULL) status = MAREA_NOMEM;
  for (size_t i = 0; i < workers && status == MAREA_OK; i++) {
    all->workers[i].scratch = marea_pipeline_scratch_new();
    if (all->workers[i].scratch == NULL) status = MAREA_NOMEM;
  }
  while (status == MAREA_OK && all->next < all->count) {
    status = count_round(all, workers, table);
    if (status == MAREA_OK && too_many(p, table)) status = prune(&table, least++, &report->pruned);
  }
  for (size_t i = 0; i < workers; i++) words += all->workers[i].words;
  if (status == MAREA_OK) return marea_phrases_take(p, table, words, least, report);
  marea_vocabulary_free(table);
  return status;
}

static void free_workers(counting *all, size_t workers, marea_phrases_report *report) {
  for (size_t i = 0; i < workers; i++) {
    worker *w = &all->workers[i];
    if (w->scratch != NULL) marea_pipeline_report_add(&report->pipeline, &w->scratch->report);
    marea_pipeline_scratch_free(w->scratch);
    marea_phrase_line_free(&w->line);
  }
}

marea_status marea_phrases_count(marea_phrases *p, const marea_pipeline *pipeline,
                                 const marea_text *texts, size_t count,
                                 marea_phrases_report *report) {
  if (p->scores != NULL)
    return marea_fail(MAREA_STATE, "phrases: frozen phrases cannot count more texts");
  counting *all = marea_alloc_zero(1, sizeof *all);
  if (all == NULL) return MAREA_NOMEM;
  size_t workers = (size_t)marea_threads();
  if (workers > WORKERS) workers = WORKERS;
  if (marea_pipeline_has_function(pipeline)) workers = 1;
  all->phrases = p;
  all->pipeline = pipeline;
  all->texts = texts;
  all->count = count;
  pthread_mutex_init(&all->lock, NULL);
  marea_status status = count_all(all, workers, p, report);
  free_workers(all, workers, report);
  pthread_mutex_destroy(&all->lock);
  marea_free(all);
  return status;
}
