#include "text/vocabulary/count.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/threads.h"

enum { RUN_BYTES = 1 << 18 };

/* One thread's part. */
typedef struct worker {
  marea_count_place place; /* the first worker's table is the result itself */
  size_t text;             /* the one that it counts */
  marea_status status;
  char message[200];
} worker;

typedef struct counting {
  marea_counting *how;
  pthread_mutex_t lock; /* around the source and what follows */
  size_t runs;
  bool stopped;
  worker workers[MAREA_COUNT_WORKERS];
} counting;

/* ---- any way of counting ---- */

/* Takes the next run; *count 0 when there is none. */
static marea_status take_run(counting *all, worker *w, const marea_text **texts, size_t *count) {
  marea_counting *how = all->how;
  marea_status status = MAREA_OK;
  *count = 0;
  pthread_mutex_lock(&all->lock);
  w->text = how->texts;
  if (!all->stopped) status = how->source(how->source_context, w->place.worker, texts, count);
  if (status != MAREA_OK) all->stopped = true;
  how->texts += *count;
  w->place.table->run = ++all->runs;
  pthread_mutex_unlock(&all->lock);
  return status;
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
  const marea_text *texts = NULL;
  for (size_t count = 1; w->status == MAREA_OK && count > 0;) {
    w->status = take_run(all, w, &texts, &count);
    for (size_t i = 0; i < count && w->status == MAREA_OK; i++) {
      w->status = all->how->counter(all->how->counter_context, &w->place, texts[i]);
      if (w->status == MAREA_OK) w->text++;
    }
  }
  if (w->status != MAREA_OK) stop(all, w);
}

/* The first failure in the order of the texts. */
static marea_status first_failure(const counting *all, size_t workers) {
  const worker *first = NULL;
  for (size_t i = 0; i < workers; i++) {
    const worker *w = &all->workers[i];
    if (w->status != MAREA_OK && (first == NULL || w->text < first->text)) first = w;
  }
  if (first == NULL) return MAREA_OK;
  if (first->status != MAREA_FORMAT) return marea_fail(first->status, "%s", first->message);
  return marea_fail(first->status, "text %zu: %s", first->text + 1, first->message);
}

static marea_status make_workers(counting *all, size_t workers, marea_vocabulary *v) {
  for (size_t i = 0; i < workers; i++) {
    worker *w = &all->workers[i];
    w->place =
        (marea_count_place){i, i == 0 ? v : marea_vocabulary_new(), marea_pipeline_scratch_new()};
    if (w->place.table == NULL || w->place.scratch == NULL) return MAREA_NOMEM;
  }
  return MAREA_OK;
}

/* The other workers' tables into the first one's. */
static marea_status gather(counting *all, size_t workers) {
  marea_vocabulary *v = all->workers[0].place.table;
  marea_status status = MAREA_OK;
  for (size_t i = 1; i < workers && status == MAREA_OK; i++) {
    status = marea_vocabulary_merge(v, all->workers[i].place.table, true);
    marea_vocabulary_free(all->workers[i].place.table);
    all->workers[i].place.table = NULL;
  }
  return status;
}

static void free_workers(counting *all, size_t workers, marea_pipeline_report *report) {
  for (size_t i = 0; i < workers; i++) {
    worker *w = &all->workers[i];
    if (report != NULL && w->place.scratch != NULL)
      marea_pipeline_report_add(report, &w->place.scratch->report);
    marea_pipeline_scratch_free(w->place.scratch);
    if (i > 0) marea_vocabulary_free(w->place.table);
  }
}

static marea_status count_with(counting *all, size_t workers, marea_vocabulary *v,
                               marea_pipeline_report *report) {
  marea_status status = make_workers(all, workers, v);
  if (status == MAREA_OK) {
    marea_parallel(workers, count_runs, all);
    status = first_failure(all, workers);
  }
  if (status == MAREA_OK) status = gather(all, workers);
  marea_vocabulary_settle(v);
  free_workers(all, workers, report);
  return status;
}

marea_status marea_count(marea_vocabulary *v, marea_counting *how, marea_pipeline_report *report) {
  size_t workers = (size_t)marea_threads();
  if (workers > MAREA_COUNT_WORKERS) workers = MAREA_COUNT_WORKERS;
  if (marea_pipeline_has_function(how->pipeline)) workers = 1;
  counting *all = marea_alloc_zero(1, sizeof *all);
  if (all == NULL) return MAREA_NOMEM;
  all->how = how;
  pthread_mutex_init(&all->lock, NULL);
  marea_status status = count_with(all, workers, v, report);
  pthread_mutex_destroy(&all->lock);
  marea_free(all);
  return status;
}

/* ---- the words of texts ---- */

/* Tokens on their way into a table. */
typedef struct batch {
  marea_vocabulary *table;
  size_t count;
  marea_prepared words[MAREA_PREPARED];
} batch;

static marea_status note_batch(batch *b) {
  marea_status status = marea_vocabulary_note_all(b->table, b->words, b->count);
  b->count = 0;
  return status;
}

static marea_status batch_token(void *context, const marea_token *token) {
  batch *b = context;
  marea_vocabulary_prepare(b->table, token->bytes, token->length, &b->words[b->count++]);
  return b->count == MAREA_PREPARED ? note_batch(b) : MAREA_OK;
}

static marea_status note_token(void *context, const marea_token *token) {
  const batch *b = context;
  return marea_vocabulary_note(b->table, token->bytes, token->length);
}

static marea_status count_text(void *context, const marea_count_place *place, marea_text text) {
  const marea_pipeline *pipeline = ((const marea_counting *)context)->pipeline;
  batch b;
  b.table = place->table;
  b.count = 0; /* the words are not cleared for each text */
  marea_token_sink *sink = marea_pipeline_keeps_tokens(pipeline) ? batch_token : note_token;
  marea_status status = marea_pipeline_run(pipeline, text, false, place->scratch, sink, &b);
  if (status == MAREA_OK) status = note_batch(&b);
  place->table->document_count++;
  return status;
}

marea_status marea_count_source(marea_vocabulary *v, const marea_pipeline *pipeline,
                                marea_text_source *source, void *context,
                                marea_pipeline_report *report) {
  marea_counting how = {pipeline, source, context, count_text, NULL, 0};
  how.counter_context = &how;
  return marea_count(v, &how, report);
}

/* A list as a source: runs of about RUN_BYTES. */
typedef struct text_list {
  const marea_text *texts;
  size_t count, next;
} text_list;

static marea_status next_of_list(void *context, size_t number, const marea_text **texts,
                                 size_t *count) {
  (void)number;
  text_list *list = context;
  size_t first = list->next;
  for (size_t bytes = 0; list->next < list->count && bytes < RUN_BYTES;)
    bytes += list->texts[list->next++].length + 1;
  *texts = list->texts + first;
  *count = list->next - first;
  return MAREA_OK;
}

marea_status marea_count_texts(marea_vocabulary *v, const marea_pipeline *pipeline,
                               const marea_text *texts, size_t count,
                               marea_pipeline_report *report) {
  text_list list = {texts, count, 0};
  return marea_count_source(v, pipeline, next_of_list, &list, report);
}

marea_status marea_count_words(marea_vocabulary *v, const marea_text *words, size_t count) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = marea_vocabulary_note(v, words[i].bytes, words[i].length);
  v->document_count++;
  return status;
}
