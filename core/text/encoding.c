#include "text/encoding.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/threads.h"

enum { RUN_BYTES = 1 << 18 };

/* The id of a word whose place in the vocabulary is known. */
static int32_t id_of(const marea_encoding *e, const char *bytes, size_t length, int32_t place,
                     marea_encoding_report *report) {
  report->tokens++;
  if (e->specials != NULL) {
    int32_t special = marea_vocabulary_find(e->specials, bytes, length);
    if (special >= 0) return e->special_ids[special];
  }
  int32_t rank = place >= 0 ? marea_vocabulary_rank_of(e->vocabulary, place) : -1;
  if (rank >= 0) {
    int32_t id = rank + e->first_id;
    if (e->limit == 0 || (size_t)id < e->limit) return id;
    report->beyond++;
  } else {
    report->unknown++;
  }
  if (e->unknown_id < 0 || e->unknown_ids < 2) return e->unknown_id;
  return e->unknown_id + (int32_t)(marea_hash_bytes(bytes, length, 0) % e->unknown_ids);
}

int32_t marea_encode_word(const marea_encoding *e, const char *bytes, size_t length,
                          marea_encoding_report *report) {
  int32_t place = marea_vocabulary_find(e->vocabulary, bytes, length);
  return id_of(e, bytes, length, place, report);
}

/* Runs of texts are encoded side by side and then joined in order. */
typedef struct run {
  size_t first, last, failed_text;
  marea_sequences *sequences;
  marea_encoding_report report;
  marea_status status;
  char message[200];
} run;

typedef struct encoding_work {
  const marea_encoding *encoding;
  const marea_pipeline *pipeline;
  const marea_text *texts;
  run *runs;
} encoding_work;

typedef struct receiver {
  const marea_encoding *encoding;
  run *run;
  size_t count; /* words that wait for their places */
  marea_prepared words[MAREA_PREPARED];
} receiver;

static marea_status push(const receiver *r, const char *bytes, size_t length, int32_t place) {
  int32_t id = id_of(r->encoding, bytes, length, place, &r->run->report);
  return id < 0 ? MAREA_OK : marea_sequences_push(r->run->sequences, id);
}

static marea_status push_waiting(receiver *r) {
  marea_status status = MAREA_OK;
  marea_vocabulary_find_all(r->encoding->vocabulary, r->words, r->count);
  for (size_t i = 0; i < r->count && status == MAREA_OK; i++)
    status = push(r, r->words[i].bytes, r->words[i].length, r->words[i].place);
  r->count = 0;
  return status;
}

static marea_status let_wait(void *context, const marea_token *token) {
  receiver *r = context;
  marea_vocabulary_prepare(r->encoding->vocabulary, token->bytes, token->length,
                           &r->words[r->count++]);
  return r->count == MAREA_PREPARED ? push_waiting(r) : MAREA_OK;
}

static marea_status push_at_once(void *context, const marea_token *token) {
  const receiver *r = context;
  int32_t place = marea_vocabulary_find(r->encoding->vocabulary, token->bytes, token->length);
  return push(r, token->bytes, token->length, place);
}

static marea_status encode_run(const encoding_work *work, run *r, marea_pipeline_scratch *scratch) {
  receiver to = {.encoding = work->encoding, .run = r};
  marea_token_sink *sink = marea_pipeline_keeps_tokens(work->pipeline) ? let_wait : push_at_once;
  for (size_t i = r->first; i < r->last; i++) {
    size_t before = r->sequences->id_count;
    r->failed_text = i;
    marea_status status =
        marea_pipeline_run(work->pipeline, work->texts[i], false, scratch, sink, &to);
    if (status == MAREA_OK) status = push_waiting(&to);
    if (status == MAREA_OK) status = marea_sequences_end(r->sequences);
    if (status != MAREA_OK) return status;
    r->report.empty += r->sequences->id_count == before;
  }
  return MAREA_OK;
}

static void encode_piece(void *context, size_t number) {
  const encoding_work *work = context;
  run *r = &work->runs[number];
  marea_pipeline_scratch *scratch = marea_pipeline_scratch_new();
  r->sequences = marea_sequences_new();
  r->status = scratch == NULL || r->sequences == NULL ? MAREA_NOMEM : encode_run(work, r, scratch);
  if (scratch != NULL) r->report.pipeline = scratch->report;
  marea_pipeline_scratch_free(scratch);
  if (r->status != MAREA_OK) /* errors are per thread */
    snprintf(r->message, sizeof r->message, "%s", marea_error_text());
}

/* Cuts the list into runs; returns their number. `runs` may be NULL. */
static size_t cut_list(const marea_text *texts, size_t count, run *runs) {
  size_t number = 0, bytes = 0, first = 0;
  for (size_t i = 0; i < count; i++) {
    bytes += texts[i].length + 1;
    if (bytes < RUN_BYTES && i + 1 < count) continue;
    if (runs != NULL) runs[number] = (run){.first = first, .last = i + 1};
    number++;
    first = i + 1;
    bytes = 0;
  }
  return number;
}

static void add_report(marea_encoding_report *a, const marea_encoding_report *b) {
  a->tokens += b->tokens;
  a->unknown += b->unknown;
  a->beyond += b->beyond;
  a->empty += b->empty;
  marea_pipeline_report_add(&a->pipeline, &b->pipeline);
}

static marea_status fail_run(const run *r) {
  if (r->status != MAREA_FORMAT) return marea_fail(r->status, "%s", r->message);
  return marea_fail(r->status, "text %zu: %s", r->failed_text + 1, r->message);
}

static marea_status join(run *runs, size_t number, marea_sequences *sequences,
                         marea_encoding_report *report) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < number; i++) {
    run *r = &runs[i];
    if (status == MAREA_OK && r->status != MAREA_OK) status = fail_run(r);
    if (status == MAREA_OK) status = marea_sequences_append(sequences, r->sequences);
    if (status == MAREA_OK) add_report(report, &r->report);
    marea_sequences_free(r->sequences);
  }
  return status;
}

marea_status marea_encode_texts(const marea_encoding *encoding, const marea_pipeline *pipeline,
                                const marea_text *texts, size_t count, marea_sequences *sequences,
                                marea_encoding_report *report) {
  size_t number = cut_list(texts, count, NULL);
  run *runs = marea_alloc_zero(number, sizeof *runs);
  if (runs == NULL) return MAREA_NOMEM;
  cut_list(texts, count, runs);
  encoding_work work = {encoding, pipeline, texts, runs};
  if (marea_pipeline_has_function(pipeline)) {
    for (size_t i = 0; i < number; i++) {
      encode_piece(&work, i);
      if (runs[i].status != MAREA_OK) break; /* the function must not be called again */
    }
  } else {
    marea_parallel(number, encode_piece, &work);
  }
  marea_status status = join(runs, number, sequences, report);
  marea_free(runs);
  return status;
}
