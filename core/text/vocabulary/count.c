#include "text/vocabulary/count.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/threads.h"

enum { RUN_BYTES = 1 << 18 };

/* One thread's part. */
typedef struct worker {
  marea_vocabulary *table; /* the first worker's is the result itself */
  marea_pipeline_scratch *scratch;
  size_t failed_text;
  marea_status status;
  char message[200];
} worker;

typedef struct counting {
  const marea_pipeline *pipeline;
  marea_text_source *source;
  void *context;
  pthread_mutex_t lock; /* around the source and what follows */
  size_t runs, texts;
  bool stopped;
  worker workers[MAREA_COUNT_WORKERS];
} counting;

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

static marea_status count_run(const counting *all, worker *w, const marea_text *texts, size_t count,
                              size_t first) {
  marea_status status = MAREA_OK;
  batch b = {.table = w->table};
  marea_token_sink *sink = marea_pipeline_keeps_tokens(all->pipeline) ? batch_token : note_token;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    status = marea_pipeline_run(all->pipeline, texts[i], false, w->scratch, sink, &b);
    if (status == MAREA_OK) status = note_batch(&b);
    w->table->document_count++;
    w->failed_text = first + i;
  }
  return status;
}

/* Takes the next run; *count 0 when there is none. */
static marea_status take_run(counting *all, size_t number, const marea_text **texts, size_t *count,
                             size_t *first) {
  marea_status status = MAREA_OK;
  *count = 0;
  pthread_mutex_lock(&all->lock);
  *first = all->texts;
  if (!all->stopped) status = all->source(all->context, number, texts, count);
  if (status != MAREA_OK) all->stopped = true;
  all->texts += *count;
  all->workers[number].table->run = ++all->runs;
  all->workers[number].failed_text = *first;
  pthread_mutex_unlock(&all->lock);
  return status;
}

static void count_runs(void *context, size_t number) {
  counting *all = context;
  worker *w = &all->workers[number];
  const marea_text *texts = NULL;
  for (size_t count = 1, first = 0; w->status == MAREA_OK && count > 0;) {
    w->status = take_run(all, number, &texts, &count, &first);
    if (w->status == MAREA_OK) w->status = count_run(all, w, texts, count, first);
  }
  if (w->status == MAREA_OK) return;
  pthread_mutex_lock(&all->lock);
  all->stopped = true;
  pthread_mutex_unlock(&all->lock);
  snprintf(w->message, sizeof w->message, "%s", marea_error_text()); /* errors are per thread */
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

static marea_status make_workers(counting *all, size_t workers, marea_vocabulary *v) {
  for (size_t i = 0; i < workers; i++) {
    worker *w = &all->workers[i];
    w->table = i == 0 ? v : marea_vocabulary_new();
    w->scratch = marea_pipeline_scratch_new();
    if (w->table == NULL || w->scratch == NULL) return MAREA_NOMEM;
  }
  return MAREA_OK;
}

/* The other workers' tables into the first one's. */
static marea_status gather(counting *all, size_t workers) {
  marea_vocabulary *v = all->workers[0].table;
  marea_status status = MAREA_OK;
  for (size_t i = 1; i < workers && status == MAREA_OK; i++) {
    status = marea_vocabulary_merge(v, all->workers[i].table, true);
    marea_vocabulary_free(all->workers[i].table);
    all->workers[i].table = NULL;
  }
  return status;
}

static void free_workers(counting *all, size_t workers, marea_pipeline_report *report) {
  for (size_t i = 0; i < workers; i++) {
    worker *w = &all->workers[i];
    if (report != NULL && w->scratch != NULL)
      marea_pipeline_report_add(report, &w->scratch->report);
    marea_pipeline_scratch_free(w->scratch);
    if (i > 0) marea_vocabulary_free(w->table);
  }
}

static marea_status count_with(size_t workers, marea_vocabulary *v, const marea_pipeline *pipeline,
                               marea_text_source *source, void *context,
                               marea_pipeline_report *report) {
  counting *all = marea_alloc_zero(1, sizeof *all);
  if (all == NULL) return MAREA_NOMEM;
  all->pipeline = pipeline;
  all->source = source;
  all->context = context;
  pthread_mutex_init(&all->lock, NULL);
  marea_status status = make_workers(all, workers, v);
  if (status == MAREA_OK) {
    marea_parallel(workers, count_runs, all);
    status = first_failure(all, workers);
  }
  if (status == MAREA_OK) status = gather(all, workers);
  marea_vocabulary_settle(v);
  free_workers(all, workers, report);
  pthread_mutex_destroy(&all->lock);
  marea_free(all);
  return status;
}

marea_status marea_count_source(marea_vocabulary *v, const marea_pipeline *pipeline,
                                marea_text_source *source, void *context,
                                marea_pipeline_report *report) {
  size_t workers = (size_t)marea_threads();
  if (workers > MAREA_COUNT_WORKERS) workers = MAREA_COUNT_WORKERS;
  if (marea_pipeline_has_function(pipeline)) workers = 1;
  return count_with(workers, v, pipeline, source, context, report);
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
