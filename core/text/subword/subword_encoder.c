#include "text/subword/subword_encoder.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "text/subword/subword_internal.h"
#include "text/encode/text_runs.h"

enum { POOL = 64, CACHE_BYTES = 1 << 24 };

/* What one thread works with. */
typedef struct bench {
  marea_pipeline_scratch *normal, *split;
  marea_subword_worker *worker;
  char *word; /* with before_word */
  size_t word_capacity;
} bench;

typedef struct pool_slot {
  atomic_flag busy;
  bench *bench; /* NULL until it is needed */
} pool_slot;

struct marea_subword_encoder {
  marea_subword_encoder_options options; /* its copies lie in ids and bytes */
  int32_t *ids;
  char *bytes;
  pool_slot pool[POOL];
};

/* ---- making ---- */

static void bench_free(bench *b) {
  if (b == NULL) return;
  marea_pipeline_scratch_free(b->normal);
  marea_pipeline_scratch_free(b->split);
  marea_subword_worker_free(b->worker);
  marea_free(b->word);
  marea_free(b);
}

static bench *bench_new(const marea_subword_encoder *e) {
  bench *b = marea_alloc_zero(1, sizeof *b);
  if (b == NULL) return NULL;
  b->normal = marea_pipeline_scratch_new();
  b->split = marea_pipeline_scratch_new();
  b->worker = marea_subword_worker_new(e->options.model, CACHE_BYTES);
  if (b->normal != NULL && b->split != NULL && b->worker != NULL) return b;
  bench_free(b);
  return NULL;
}

static marea_status copy_lists(marea_subword_encoder *e, const marea_subword_encoder_options *o) {
  e->ids = marea_alloc_array(o->before_count + o->after_count, sizeof *e->ids);
  e->bytes = marea_alloc(o->before_word.length);
  if (e->ids == NULL || e->bytes == NULL) return MAREA_NOMEM;
  if (o->before_count > 0) memcpy(e->ids, o->before, o->before_count * sizeof *e->ids);
  if (o->after_count > 0)
    memcpy(e->ids + o->before_count, o->after, o->after_count * sizeof *e->ids);
  if (o->before_word.length > 0) memcpy(e->bytes, o->before_word.bytes, o->before_word.length);
  e->options.before = e->ids;
  e->options.after = e->ids + o->before_count;
  e->options.before_word.bytes = e->bytes;
  return MAREA_OK;
}

marea_subword_encoder *marea_subword_encoder_new(const marea_subword_encoder_options *o) {
  if (o->most > 0 && o->most < o->before_count + o->after_count) {
    marea_fail(MAREA_RANGE, "at most %zu ids are asked for, but %zu stand around each text",
               o->most, o->before_count + o->after_count);
    return NULL;
  }
  marea_subword_encoder *e = marea_alloc_zero(1, sizeof *e);
  if (e == NULL) return NULL;
  e->options = *o;
  for (int i = 0; i < POOL; i++) atomic_flag_clear(&e->pool[i].busy);
  if (copy_lists(e, o) == MAREA_OK) return e;
  marea_subword_encoder_free(e);
  return NULL;
}

void marea_subword_encoder_free(marea_subword_encoder *e) {
  if (e == NULL) return;
  for (int i = 0; i < POOL; i++) bench_free(e->pool[i].bench);
  marea_free(e->ids);
  marea_free(e->bytes);
  marea_free(e);
}

/* A free slot of the pool; waits when every one is in use. NULL: MAREA_NOMEM. */
static pool_slot *acquire(marea_subword_encoder *e) {
  for (int i = 0;; i = (i + 1) % POOL) {
    pool_slot *slot = &e->pool[i];
    if (atomic_flag_test_and_set(&slot->busy)) continue;
    if (slot->bench == NULL) slot->bench = bench_new(e);
    if (slot->bench != NULL) return slot;
    atomic_flag_clear(&slot->busy);
    return NULL;
  }
}

/* ---- one text ---- */

typedef struct places {
  marea_place *list;
  size_t count, capacity;
} places;

typedef struct job {
  const marea_subword_encoder *encoder;
  bench *bench;
  marea_sequences *ids;
  places *places; /* NULL: not asked for */
  marea_subword_encoder_report *report;
  marea_text text;   /* raw */
  size_t part;       /* where the part being normalized begins in it */
  marea_text normal; /* that part, normalized */
  size_t piece;      /* where the piece being split begins there */
} job;

static marea_status push(job *j, int32_t id, size_t begin, size_t end) {
  places *p = j->places;
  if (p != NULL) {
    marea_place *list = marea_grow(p->list, &p->capacity, p->count + 1, sizeof *list);
    if (list == NULL) return MAREA_NOMEM;
    p->list = list;
    p->list[p->count++] = (marea_place){begin, end};
  }
  return marea_sequences_push(j->ids, id);
}

/* A piece's blanks: Hugging Face's byte level trims them alone, and any white space of added
 * tokens.
 */
static void trim_blanks(const job *j, size_t *begin, size_t *end) {
  while (*begin < *end && j->text.bytes[*begin] == ' ') ++*begin;
  while (*begin < *end && j->text.bytes[*end - 1] == ' ') --*end;
}

static marea_status push_added(job *j, const marea_added_token *token, size_t begin, size_t end) {
  marea_text upto = {j->text.bytes, end};
  j->report->added++;
  if (j->encoder->options.trim) {
    begin = marea_space_behind(upto, begin);
    end = marea_space_before(upto, begin, end);
  }
  return push(j, token->id, begin, end);
}

/* Where the text lies that a scratch's last normalization gave. */
static const char *base_of(const marea_normal_scratch *s) {
  return s->steps[s->used_count > 0 ? s->used[s->used_count - 1] : 0].bytes;
}

/* From bytes of the split pipeline's text back to the raw text. */
static marea_status push_placed(job *j, int32_t id, size_t begin, size_t end) {
  marea_normal_origin(&j->bench->split->normal, &begin, &end);
  begin += j->piece;
  end += j->piece;
  marea_normal_origin(&j->bench->normal->normal, &begin, &end);
  begin += j->part;
  end += j->part;
  if (j->encoder->options.trim)
    trim_blanks(j, &begin, &end);
  else if (begin == end)
    end = marea_character_end(j->text, begin); /* what was put in front of it */
  return push(j, id, begin, end);
}

static marea_status push_word(job *j, const char *word, const marea_subword_token *tokens,
                              size_t count, size_t before) {
  marea_status status = MAREA_OK;
  if (j->places == NULL) {
    for (size_t i = 0; i < count && status == MAREA_OK; i++)
      status = marea_sequences_push(j->ids, tokens[i].id);
    return status;
  }
  size_t at = (size_t)(word - base_of(&j->bench->split->normal));
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    size_t begin = tokens[i].begin > before ? tokens[i].begin - before : 0;
    size_t end = tokens[i].end > before ? tokens[i].end - before : 0;
    status = push_placed(j, tokens[i].id, at + begin, at + end);
  }
  return status;
}

static bool begins_with(const char *bytes, size_t length, marea_text start) {
  return start.length <= length && memcmp(bytes, start.bytes, start.length) == 0;
}

static marea_status take_word(void *context, const marea_token *word) {
  job *j = context;
  bench *b = j->bench;
  marea_text before = j->encoder->options.before_word;
  const marea_subword_token *tokens;
  const char *bytes = word->bytes;
  size_t count, length = word->length, added = 0;
  if (before.length > 0 && !begins_with(bytes, length, before)) {
    char *room = marea_grow(b->word, &b->word_capacity, length + before.length, 1);
    if (room == NULL) return MAREA_NOMEM;
    b->word = room;
    memcpy(b->word, before.bytes, before.length);
    memcpy(b->word + before.length, bytes, length);
    bytes = b->word;
    added = before.length;
    length += added;
  }
  marea_status status = marea_subword_encode(b->worker, bytes, length, &tokens, &count);
  return status == MAREA_OK ? push_word(j, word->bytes, tokens, count, added) : status;
}

static marea_status take_normal_part(void *context, const marea_added_token *token, size_t begin,
                                     size_t end) {
  job *j = context;
  const marea_subword_encoder_options *o = &j->encoder->options;
  if (token != NULL) {
    marea_normal_origin(&j->bench->normal->normal, &begin, &end);
    return push_added(j, token, j->part + begin, j->part + end);
  }
  const marea_pipeline *pipeline = j->part == 0 && begin == 0 ? o->first : o->rest;
  marea_text piece = {j->normal.bytes + begin, end - begin};
  j->piece = begin;
  return marea_pipeline_run(pipeline, piece, j->places != NULL, j->bench->split, take_word, j);
}

static marea_status take_normal(void *context, const marea_token *normal) {
  job *j = context;
  const marea_added_tokens *added = j->encoder->options.added;
  j->normal = (marea_text){normal->bytes, normal->length};
  if (added == NULL) return take_normal_part(j, NULL, 0, normal->length);
  return marea_added_tokens_cut(added, j->normal, true, take_normal_part, j);
}

static marea_status take_part(void *context, const marea_added_token *token, size_t begin,
                              size_t end) {
  job *j = context;
  if (token != NULL) return push_added(j, token, begin, end);
  j->part = begin;
  marea_text part = {j->text.bytes + begin, end - begin};
  return marea_pipeline_run(j->encoder->options.normalize, part, j->places != NULL,
                            j->bench->normal, take_normal, j);
}

static marea_status push_marks(job *j, const int32_t *ids, size_t count) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) status = push(j, ids[i], 0, 0);
  return status;
}

/* Leaves room for the ids behind the text. */
static void shorten(job *j, size_t first) {
  const marea_subword_encoder_options *o = &j->encoder->options;
  size_t most = o->most - o->after_count, count = j->ids->id_count - first;
  if (o->most == 0 || count <= most) return;
  j->report->cut += count - most;
  j->ids->id_count = first + most;
  if (j->places != NULL) j->places->count -= count - most;
}

static marea_status encode_text(job *j, marea_text text) {
  const marea_subword_encoder_options *o = &j->encoder->options;
  size_t first = j->ids->id_count;
  j->text = text;
  size_t bad = o->replace_invalid ? text.length : marea_utf8_invalid(text);
  if (bad < text.length)
    return marea_fail(MAREA_FORMAT, "byte %zu is not valid UTF-8 (0x%02x)", bad + 1,
                      (unsigned char)text.bytes[bad]);
  marea_status status = push_marks(j, o->before, o->before_count);
  if (status == MAREA_OK)
    status = o->added == NULL ? take_part(j, NULL, 0, text.length)
                              : marea_added_tokens_cut(o->added, text, false, take_part, j);
  if (status != MAREA_OK) return status;
  j->report->empty += j->ids->id_count == first + o->before_count;
  shorten(j, first);
  status = push_marks(j, o->after, o->after_count);
  return status == MAREA_OK ? marea_sequences_end(j->ids) : status;
}

/* ---- many texts ---- */

typedef struct encoding_work {
  marea_subword_encoder *encoder;
  const marea_text *texts;
  const uint64_t *seed;
  places *places;
} encoding_work;

static void start_bench(bench *b) {
  b->normal->report = b->split->report = (marea_pipeline_report){0};
  b->normal->normal.report = b->split->normal.report = (marea_normal_report){0};
  b->worker->report = (marea_subword_report){0};
}

static marea_status encode_with(const encoding_work *work, marea_text_run *run, bench *b) {
  marea_subword_encoder_report *report = run->report;
  job j = {.encoder = work->encoder,
           .bench = b,
           .ids = run->sequences,
           .places = work->places,
           .report = report};
  start_bench(b);
  for (run->text = run->first; run->text < run->last; run->text++) {
    marea_stream stream = marea_stream_new(work->seed != NULL ? *work->seed : 0, run->text);
    marea_subword_worker_stream(b->worker, work->seed != NULL ? &stream : NULL);
    marea_status status = encode_text(&j, work->texts[run->text]);
    if (status != MAREA_OK) return status;
  }
  report->model = b->worker->report;
  marea_pipeline_report_add(&report->pipeline, &b->normal->report);
  marea_pipeline_report_add(&report->pipeline, &b->split->report);
  return MAREA_OK;
}

static marea_status encode_run(void *context, marea_text_run *run) {
  const encoding_work *work = context;
  pool_slot *slot = acquire(work->encoder);
  if (slot == NULL) return MAREA_NOMEM;
  marea_status status = encode_with(work, run, slot->bench);
  atomic_flag_clear(&slot->busy);
  return status;
}

static void add_report(void *to, const void *from) {
  marea_subword_encoder_report *a = to;
  const marea_subword_encoder_report *b = from;
  a->model.words += b->model.words;
  a->model.tokens += b->model.tokens;
  a->model.unknown += b->model.unknown;
  a->model.dropped += b->model.dropped;
  a->added += b->added;
  a->cut += b->cut;
  a->empty += b->empty;
  marea_pipeline_report_add(&a->pipeline, &b->pipeline);
}

static bool has_function(const marea_subword_encoder_options *o) {
  return marea_pipeline_has_function(o->normalize) || marea_pipeline_has_function(o->first) ||
         marea_pipeline_has_function(o->rest);
}

static marea_status encode_all(encoding_work *work, size_t count, marea_sequences *sequences,
                               marea_subword_encoder_report *report) {
  marea_text_runs runs = {.encode = encode_run,
                          .add_report = add_report,
                          .context = work,
                          .report_bytes = sizeof *report,
                          .serial = has_function(&work->encoder->options)};
  return marea_text_runs_encode(&runs, work->texts, count, sequences, report);
}

marea_status marea_subword_encode_texts(marea_subword_encoder *e, const marea_text *texts,
                                        size_t count, const uint64_t *seed,
                                        marea_sequences *sequences,
                                        marea_subword_encoder_report *report) {
  encoding_work work = {.encoder = e, .texts = texts, .seed = seed};
  return encode_all(&work, count, sequences, report);
}

marea_status marea_subword_encode_places(marea_subword_encoder *e, marea_text text,
                                         const uint64_t *seed, marea_sequences *sequences,
                                         marea_place **list, marea_subword_encoder_report *report) {
  places p = {NULL, 0, 0};
  encoding_work work = {.encoder = e, .texts = &text, .seed = seed, .places = &p};
  marea_status status = encode_all(&work, 1, sequences, report);
  *list = p.list;
  if (status == MAREA_OK) return status;
  marea_free(p.list);
  *list = NULL;
  return status;
}
