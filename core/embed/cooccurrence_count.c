#include "embed/cooccurrence_count.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

/* Rows are counted one by one, by the places of their word: the sums of a row fit in the cache, and
 * no two threads write to the same ones. */
enum { PIECES_A_WAVE = 64, WORKERS = 64, MOST_PLACES = 1 << 16, LEAST_PLACES = 256 };

typedef struct wave {
  const marea_text_chunk *chunk;
  size_t rows[PIECES_A_WAVE + 1]; /* piece k: rows[k] … rows[k + 1] - 1 */
  size_t pieces;
  atomic_size_t next;
  marea_row_sums sums[WORKERS];
  marea_pair_buffer buffers[PIECES_A_WAVE];
  atomic_int failed;
} wave;

/* Of a symmetric matrix: the neighbours on both sides that do not come later in the vocabulary; a
 * pair of equal words is seen once and stands for both. */
static void sum_both_sides(const marea_text_chunk *c, int32_t row, size_t place,
                           marea_row_sums *sums) {
  const int32_t *at = c->ids + place;
  for (size_t d = 1; place >= c->fresh && d <= c->window; d++) {
    int32_t column = *(at - d);
    if (column < 0) break;
    if (column <= row) marea_row_sums_add(sums, (uint32_t)column, c->weights[d] << (column == row));
  }
  for (size_t d = 1; d <= c->window; d++) {
    int32_t column = at[d];
    if (column < 0) break;
    if (column < row && place + d >= c->fresh)
      marea_row_sums_add(sums, (uint32_t)column, c->weights[d]);
  }
}

static void sum_right_side(const marea_text_chunk *c, size_t place, marea_row_sums *sums) {
  for (size_t d = 1; d <= c->window; d++) {
    int32_t column = c->ids[place + d];
    if (column < 0) break;
    if (place + d >= c->fresh) marea_row_sums_add(sums, (uint32_t)column, c->weights[d]);
  }
}

static marea_status count_rows(const marea_text_chunk *c, size_t from, size_t to,
                               marea_row_sums *sums, marea_pair_buffer *buffer) {
  marea_status status = MAREA_OK;
  for (size_t row = from; row < to && status == MAREA_OK; row++) {
    for (size_t k = c->first[row]; k < c->first[row + 1]; k++) {
      if (c->symmetric)
        sum_both_sides(c, (int32_t)row, c->places[k], sums);
      else
        sum_right_side(c, c->places[k], sums);
    }
    status = marea_row_sums_take(sums, (uint32_t)row, buffer);
  }
  return status;
}

static void work(void *context, size_t worker) {
  wave *w = context;
  for (;;) {
    size_t piece = atomic_fetch_add(&w->next, 1);
    if (piece >= w->pieces || atomic_load(&w->failed)) return;
    if (count_rows(w->chunk, w->rows[piece], w->rows[piece + 1], &w->sums[worker],
                   &w->buffers[piece]) != MAREA_OK)
      atomic_store(&w->failed, 1);
  }
}

/* The next pieces: rows with some `places` places each. Returns the first row behind them. */
static size_t cut_wave(wave *w, size_t row, size_t places) {
  const marea_text_chunk *c = w->chunk;
  w->pieces = 0;
  while (row < c->words && w->pieces < PIECES_A_WAVE) {
    w->rows[w->pieces++] = row;
    size_t goal = c->first[row] + places;
    do row++;
    while (row < c->words && c->first[row + 1] <= goal);
  }
  w->rows[w->pieces] = row;
  atomic_store(&w->next, 0);
  return row;
}

static marea_status run_wave(wave *w, size_t workers, marea_pair_run *run) {
  marea_status status = MAREA_OK;
  marea_parallel(workers, work, w);
  if (atomic_load(&w->failed)) return marea_fail(MAREA_NOMEM, "out of memory while counting pairs");
  for (size_t i = 0; i < w->pieces && status == MAREA_OK; i++)
    status = marea_pair_run_append(run, &w->buffers[i]);
  return status;
}

/* Sorts the places by word: a counting sort, which keeps their order. */
static void index_places(marea_text_chunk *c) {
  memset(c->first, 0, (c->words + 1) * sizeof *c->first);
  for (size_t i = 0; i < c->used; i++)
    if (c->ids[i] >= 0) c->first[c->ids[i] + 1]++;
  for (size_t word = 0; word < c->words; word++) c->first[word + 1] += c->first[word];
  for (size_t i = 0; i < c->used; i++)
    if (c->ids[i] >= 0) c->places[c->first[c->ids[i]]++] = (uint32_t)i;
  for (size_t word = c->words; word > 0; word--) c->first[word] = c->first[word - 1];
  c->first[0] = 0;
}

/* Places a piece, so that a wave's rows take a part of the memory even if no two pairs are alike.
 */
static size_t piece_places(size_t memory, size_t window) {
  size_t places = memory / 4 / ((size_t)PIECES_A_WAVE * window * 2 * 12);
  if (places > MOST_PLACES) places = MOST_PLACES;
  return places < LEAST_PLACES ? LEAST_PLACES : places;
}

marea_status marea_chunk_count(marea_text_chunk *chunk, size_t memory, marea_pair_run *run,
                               marea_chunk_watch *watch, void *context) {
  size_t workers = (size_t)marea_threads(), places = piece_places(memory, chunk->window);
  if (workers > WORKERS) workers = WORKERS;
  wave *w = marea_alloc_zero(1, sizeof *w);
  if (w == NULL) return MAREA_NOMEM;
  w->chunk = chunk;
  marea_status status = MAREA_OK;
  for (size_t i = 0; i < workers && status == MAREA_OK; i++)
    status = marea_row_sums_begin(&w->sums[i], chunk->words);
  index_places(chunk);
  for (size_t row = 0; row < chunk->words && status == MAREA_OK;) {
    row = cut_wave(w, row, places);
    status = run_wave(w, workers, run);
    if (status == MAREA_OK) status = watch(context);
  }
  for (size_t i = 0; i < workers; i++) marea_row_sums_end(&w->sums[i]);
  for (size_t i = 0; i < PIECES_A_WAVE; i++) marea_pair_buffer_free(&w->buffers[i]);
  marea_free(w);
  return status;
}
