#include "embed/cooccurrence.h"

#include <string.h>

#include "base/memory.h"
#include "embed/cooccurrence_count.h"

enum { RUNS_MAX = 64, LEAST_TOKENS = 4096, EXACT_WINDOW = 22 };
static const size_t STANDARD_MEMORY = (size_t)4 << 30, MOST_TOKENS = (size_t)1 << 30;

struct marea_cooccurrence {
  marea_cooccurrence_options options;
  marea_cooccurrence_report report;
  char *folder;
  uint64_t unit;
  uint64_t *weights; /* by distance */
  marea_text_chunk chunk;
  marea_pair_run *runs[RUNS_MAX];
  size_t run_count;
  bool finished;
};

/* ---- weights ---- */

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  while (b != 0) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Unit and weights: 1/d in units, exactly where the unit is a common multiple of all d. */
static marea_status make_weights(marea_cooccurrence *c) {
  size_t window = c->options.window;
  c->weights = marea_alloc_array(window + 1, sizeof *c->weights);
  if (c->weights == NULL) return MAREA_NOMEM;
  c->unit = 1;
  for (uint64_t d = 1; c->options.weighting && d <= window && window <= EXACT_WINDOW; d++)
    c->unit = c->unit / common_divisor(c->unit, d) * d;
  if (c->options.weighting && window > EXACT_WINDOW) c->unit = (uint64_t)1 << 32;
  c->weights[0] = 0;
  for (uint64_t d = 1; d <= window; d++)
    c->weights[d] = c->options.weighting ? (c->unit + d / 2) / d : 1;
  return MAREA_OK;
}

/* ---- life ---- */

static marea_status make_chunk(marea_cooccurrence *c) {
  const marea_cooccurrence_options *o = &c->options;
  marea_text_chunk *chunk = &c->chunk;
  size_t tokens = o->memory / 4 / (sizeof *chunk->ids + sizeof *chunk->places);
  if (tokens > MOST_TOKENS) tokens = MOST_TOKENS;
  chunk->capacity = tokens < LEAST_TOKENS + 2 * o->window ? LEAST_TOKENS + 2 * o->window : tokens;
  chunk->words = o->words;
  chunk->window = o->window;
  chunk->symmetric = o->symmetric;
  chunk->weights = c->weights;
  chunk->first = marea_alloc_zero(o->words + 1, sizeof *chunk->first);
  return chunk->first != NULL ? MAREA_OK : MAREA_NOMEM;
}

marea_cooccurrence *marea_cooccurrence_new(const marea_cooccurrence_options *options) {
  if (options->words > INT32_MAX || options->window < 1 || options->window > MAREA_WINDOW_MAX) {
    marea_fail(MAREA_RANGE, "co-occurrence: window is %zu, expected 1 to %d", options->window,
               MAREA_WINDOW_MAX);
    return NULL;
  }
  marea_cooccurrence *c = marea_alloc_zero(1, sizeof *c);
  if (c == NULL) return NULL;
  c->options = *options;
  if (c->options.memory == 0) c->options.memory = STANDARD_MEMORY;
  c->options.folder = NULL;
  bool made = make_weights(c) == MAREA_OK && make_chunk(c) == MAREA_OK;
  if (made && options->folder != NULL) {
    c->folder = marea_strdup(options->folder);
    c->options.folder = c->folder;
    made = c->folder != NULL;
  }
  if (made) return c;
  marea_cooccurrence_free(c);
  return NULL;
}

static void free_chunk(marea_text_chunk *chunk) {
  marea_free(chunk->ids);
  marea_free(chunk->places);
  marea_free(chunk->first);
  *chunk = (marea_text_chunk){0};
}

void marea_cooccurrence_free(marea_cooccurrence *c) {
  if (c == NULL) return;
  free_chunk(&c->chunk);
  for (size_t i = 0; i < c->run_count; i++) marea_pair_run_free(c->runs[i]);
  marea_free(c->weights);
  marea_free(c->folder);
  marea_free(c);
}

/* ---- keeping within the memory ---- */

static marea_status spill(marea_cooccurrence *c, marea_pair_run *run) {
  bool before = marea_pair_run_spilled(run);
  marea_status status = marea_pair_run_spill(run);
  c->report.files += !before;
  return status;
}

static marea_status keep_within(void *context) {
  marea_cooccurrence *c = context;
  marea_status status = MAREA_OK;
  size_t held = 0;
  for (size_t i = 0; i < c->run_count; i++) held += marea_pair_run_held(c->runs[i]);
  if (held <= c->options.memory / 2) return MAREA_OK;
  for (size_t i = 0; i < c->run_count && status == MAREA_OK; i++) status = spill(c, c->runs[i]);
  return status;
}

/* ---- merging runs ---- */

/* The rows `row` of all cursors, added up, into the buffer. */
static marea_status merge_row(marea_pair_cursor *cursors, size_t count, uint32_t row,
                              marea_row_sums *sums, marea_pair_buffer *buffer) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    marea_pair_cursor *from = &cursors[i];
    if (!from->there || from->row != row) continue;
    for (uint32_t k = 0; k < from->count; k++)
      marea_row_sums_add(sums, marea_pair_column(from->body, k),
                         marea_pair_sum(from->body, from->count, k));
    status = marea_pair_cursor_next(from);
  }
  return status == MAREA_OK ? marea_row_sums_take(sums, row, buffer) : status;
}

static marea_status merge_rows(marea_cooccurrence *c, marea_pair_cursor *cursors, size_t count,
                               marea_row_sums *sums, marea_pair_run *to) {
  enum { BUFFER_WORDS = 1 << 18 };
  marea_status status = MAREA_OK;
  marea_pair_buffer buffer = {0};
  for (size_t i = 0; i < count && status == MAREA_OK; i++)
    status = marea_pair_cursor_next(&cursors[i]);
  for (size_t row = 0; row < c->options.words && status == MAREA_OK; row++) {
    status = merge_row(cursors, count, (uint32_t)row, sums, &buffer);
    if (status != MAREA_OK || buffer.used < BUFFER_WORDS) continue;
    status = marea_pair_run_append(to, &buffer);
    if (status == MAREA_OK && marea_pair_run_held(to) > c->options.memory / 2)
      status = spill(c, to);
  }
  if (status == MAREA_OK) status = marea_pair_run_append(to, &buffer);
  marea_pair_buffer_free(&buffer);
  return status;
}

/* All runs become one. */
static marea_status merge_runs(marea_cooccurrence *c) {
  size_t count = c->run_count;
  marea_row_sums sums = {0};
  marea_pair_cursor cursors[RUNS_MAX];
  marea_pair_run *to = marea_pair_run_new(c->folder);
  marea_status status = to == NULL ? MAREA_NOMEM : marea_row_sums_begin(&sums, c->options.words);
  for (size_t i = 0; i < count; i++) marea_pair_cursor_begin(&cursors[i], c->runs[i]);
  if (status == MAREA_OK) status = merge_rows(c, cursors, count, &sums, to);
  for (size_t i = 0; i < count; i++) {
    marea_pair_cursor_end(&cursors[i]);
    c->report.spilled += marea_pair_run_file_bytes(c->runs[i]);
    marea_pair_run_free(c->runs[i]);
  }
  marea_row_sums_end(&sums);
  c->run_count = to != NULL;
  c->runs[0] = to;
  return status;
}

/* ---- texts ---- */

static marea_status new_run(marea_cooccurrence *c) {
  marea_status status = c->run_count == RUNS_MAX ? merge_runs(c) : MAREA_OK;
  if (status != MAREA_OK) return status;
  marea_pair_run *run = marea_pair_run_new(c->folder);
  if (run == NULL) return MAREA_NOMEM;
  c->runs[c->run_count++] = run;
  return MAREA_OK;
}

/* Counts what the chunk holds. The last words of a document that goes on stay as neighbours. */
static marea_status count_chunk(marea_cooccurrence *c) {
  marea_text_chunk *chunk = &c->chunk;
  if (chunk->used == 0) return MAREA_OK;
  marea_status status = new_run(c);
  if (status != MAREA_OK) return status;
  chunk->ids[chunk->used] = -1;
  status = marea_chunk_count(chunk, c->options.memory, c->runs[c->run_count - 1], keep_within, c);
  size_t kept = 0;
  while (kept < chunk->window && chunk->ids[chunk->used - 1 - kept] >= 0) kept++;
  memmove(chunk->ids + 1, chunk->ids + chunk->used - kept, kept * sizeof *chunk->ids);
  chunk->used = kept + 1;
  chunk->fresh = chunk->used;
  return status;
}

/* Room for one more id and the mark at the end; it grows until the chunk is full. */
static marea_status widen(marea_text_chunk *chunk) {
  if (chunk->used + 2 <= chunk->room) return MAREA_OK;
  size_t wider = chunk->room + chunk->room / 2 + LEAST_TOKENS;
  if (wider > chunk->capacity + 2) wider = chunk->capacity + 2;
  int32_t *ids = marea_realloc(chunk->ids, wider * sizeof *ids);
  if (ids == NULL) return MAREA_NOMEM;
  chunk->ids = ids;
  uint32_t *places = marea_realloc(chunk->places, wider * sizeof *places);
  if (places == NULL) return MAREA_NOMEM;
  chunk->places = places;
  chunk->room = wider;
  return MAREA_OK;
}

static marea_status push(marea_cooccurrence *c, int32_t id) {
  marea_text_chunk *chunk = &c->chunk;
  marea_status status = chunk->used == chunk->capacity ? count_chunk(c) : MAREA_OK;
  if (status == MAREA_OK) status = widen(chunk);
  if (status == MAREA_OK) chunk->ids[chunk->used++] = id;
  return status;
}

static marea_status push_document(marea_cooccurrence *c, const int32_t *ids, size_t count) {
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < count && status == MAREA_OK; i++) {
    if (ids[i] < 0 || (size_t)ids[i] >= c->options.words)
      return marea_fail(MAREA_RANGE, "co-occurrence: id %d, expected 0 to %zu", ids[i],
                        c->options.words - 1);
    status = push(c, ids[i]);
  }
  c->report.tokens += count;
  return status == MAREA_OK ? push(c, -1) : status;
}

marea_status marea_cooccurrence_add(marea_cooccurrence *c, const int32_t *ids,
                                    const size_t *offsets, size_t documents) {
  if (c->finished) return marea_fail(MAREA_STATE, "co-occurrence: counting has been finished");
  marea_status status = c->chunk.used == 0 ? push(c, -1) : MAREA_OK;
  for (size_t k = 0; k < documents && status == MAREA_OK; k++)
    status = push_document(c, ids + offsets[k], offsets[k + 1] - offsets[k]);
  return status;
}

marea_status marea_cooccurrence_finish(marea_cooccurrence *c) {
  if (c->finished) return MAREA_OK;
  marea_status status = count_chunk(c);
  free_chunk(&c->chunk);
  if (status == MAREA_OK && c->run_count == 0) status = new_run(c);
  if (status == MAREA_OK && c->run_count > 1) status = merge_runs(c);
  if (status != MAREA_OK) return status;
  c->report.spilled += marea_pair_run_file_bytes(c->runs[0]);
  c->report.stored = marea_pair_run_pairs(c->runs[0]);
  c->finished = true;
  return MAREA_OK;
}

/* ---- asking ---- */

marea_status marea_cooccurrence_rows(const marea_cooccurrence *c, marea_cooccurrence_sink *sink,
                                     void *context) {
  if (!c->finished) return marea_fail(MAREA_STATE, "co-occurrence: counting is not finished");
  marea_pair_cursor cursor;
  marea_pair_cursor_begin(&cursor, c->runs[0]);
  marea_status status = marea_pair_cursor_next(&cursor);
  while (status == MAREA_OK && cursor.there) {
    marea_cooccurrence_row row = {cursor.row, cursor.count, cursor.body};
    status = sink(context, &row);
    if (status == MAREA_OK) status = marea_pair_cursor_next(&cursor);
  }
  marea_pair_cursor_end(&cursor);
  return status;
}

double marea_cooccurrence_value(const marea_cooccurrence *c, const marea_cooccurrence_row *row,
                                uint32_t k) {
  return (double)marea_pair_sum(row->body, row->count, k) / (double)c->unit;
}

const marea_cooccurrence_options *marea_cooccurrence_asked(const marea_cooccurrence *c) {
  return &c->options;
}

const marea_cooccurrence_report *marea_cooccurrence_told(const marea_cooccurrence *c) {
  return &c->report;
}
