#include "text/encode/encoding.h"

#include "text/encode/text_runs.h"

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

typedef struct receiver {
  const marea_encoding *encoding;
  marea_sequences *sequences;
  marea_encoding_report *report;
  size_t count; /* words that wait for their places */
  marea_prepared words[MAREA_PREPARED];
} receiver;

static marea_status push(const receiver *r, const char *bytes, size_t length, int32_t place) {
  int32_t id = id_of(r->encoding, bytes, length, place, r->report);
  return id < 0 ? MAREA_OK : marea_sequences_push(r->sequences, id);
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

typedef struct encoding_work {
  const marea_encoding *encoding;
  const marea_pipeline *pipeline;
  const marea_text *texts;
} encoding_work;

static marea_status encode_texts(const encoding_work *work, marea_text_run *run,
                                 marea_pipeline_scratch *scratch) {
  receiver to = {.encoding = work->encoding, .sequences = run->sequences, .report = run->report};
  marea_token_sink *sink = marea_pipeline_keeps_tokens(work->pipeline) ? let_wait : push_at_once;
  for (run->text = run->first; run->text < run->last; run->text++) {
    size_t before = run->sequences->id_count;
    marea_status status =
        marea_pipeline_run(work->pipeline, work->texts[run->text], false, scratch, sink, &to);
    if (status == MAREA_OK) status = push_waiting(&to);
    if (status == MAREA_OK) status = marea_sequences_end(run->sequences);
    if (status != MAREA_OK) return status;
    to.report->empty += run->sequences->id_count == before;
  }
  return MAREA_OK;
}

static marea_status encode_run(void *context, marea_text_run *run) {
  marea_encoding_report *report = run->report;
  marea_pipeline_scratch *scratch = marea_pipeline_scratch_new();
  if (scratch == NULL) return MAREA_NOMEM;
  marea_status status = encode_texts(context, run, scratch);
  report->pipeline = scratch->report;
  marea_pipeline_scratch_free(scratch);
  return status;
}

static void add_report(void *to, const void *from) {
  marea_encoding_report *a = to;
  const marea_encoding_report *b = from;
  a->tokens += b->tokens;
  a->unknown += b->unknown;
  a->beyond += b->beyond;
  a->empty += b->empty;
  marea_pipeline_report_add(&a->pipeline, &b->pipeline);
}

marea_status marea_encode_texts(const marea_encoding *encoding, const marea_pipeline *pipeline,
                                const marea_text *texts, size_t count, marea_sequences *sequences,
                                marea_encoding_report *report) {
  encoding_work work = {encoding, pipeline, texts};
  marea_text_runs runs = {.encode = encode_run,
                          .add_report = add_report,
                          .context = &work,
                          .report_bytes = sizeof *report,
                          .serial = marea_pipeline_has_function(pipeline)};
  return marea_text_runs_encode(&runs, texts, count, sequences, report);
}
