#include "embed/pair_tiles.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"

/* A block is what half of a core's second cache holds, but there are enough of them for many
 * threads, and not too many tiles. */
enum { BLOCK_BYTES = 1 << 18, LEAST_BLOCKS = 32, MOST_BLOCKS = 1024, MOST_ROWS = 1 << 16 };
enum { STREAM_PLACES = 0x71, STREAM_PAIRS = 0x72 };

static size_t at_most(size_t bound, size_t x) {
  return x < bound ? x : bound;
}

static void choose_blocks(marea_pair_tiles *t, size_t row_bytes) {
  size_t rows = BLOCK_BYTES / row_bytes + 1;
  size_t blocks = (t->words + rows - 1) / rows;
  if (blocks < LEAST_BLOCKS) blocks = at_most(LEAST_BLOCKS, (t->words + 3) / 4);
  blocks = at_most(MOST_BLOCKS, blocks);
  if (blocks == 0) blocks = 1;
  t->block = (t->words + blocks - 1) / blocks;
  if (t->block > MOST_ROWS) t->block = MOST_ROWS;
  if (t->block == 0) t->block = 1;
  t->blocks = t->words == 0 ? 0 : (t->words + t->block - 1) / t->block;
  t->tiles = t->symmetric ? t->blocks * (t->blocks + 1) / 2 : t->blocks * t->blocks;
}

size_t marea_pair_tile(const marea_pair_tiles *t, size_t row_block, size_t column_block) {
  return t->symmetric ? row_block * (row_block + 1) / 2 + column_block
                      : row_block * t->blocks + column_block;
}

/* Where a pair belongs. */
typedef struct target {
  size_t tile;
  uint32_t place;
} target;

static target find(const marea_pair_tiles *t, uint32_t row, uint32_t column) {
  size_t i = (size_t)t->place_of[row], j = (size_t)t->place_of[column];
  if (t->symmetric && i < j) {
    size_t other = i;
    i = j;
    j = other;
  }
  uint32_t place = (uint32_t)(i % t->block) | (uint32_t)(j % t->block) << 16;
  return (target){marea_pair_tile(t, i / t->block, j / t->block), place};
}

typedef struct filling {
  marea_pair_tiles *tiles;
  const marea_cooccurrence *matrix;
  uint64_t *next; /* of each tile */
} filling;

static marea_status count_row(void *context, const marea_cooccurrence_row *row) {
  filling *f = context;
  marea_pair_tiles *t = f->tiles;
  for (uint32_t k = 0; k < row->count; k++) {
    uint32_t column = row->body[k];
    t->offsets[find(t, row->row, column).tile + 1]++;
    t->updates += t->symmetric && column != row->row ? 2 : 1;
  }
  return MAREA_OK;
}

static marea_status fill_row(void *context, const marea_cooccurrence_row *row) {
  filling *f = context;
  marea_pair_tiles *t = f->tiles;
  for (uint32_t k = 0; k < row->count; k++) {
    target to = find(t, row->row, row->body[k]);
    uint64_t at = f->next[to.tile]++;
    t->places[at] = to.place;
    t->logs[at] = (marea_real)marea_cooccurrence_value(f->matrix, row, k);
  }
  return MAREA_OK;
}

static marea_status make_room(marea_pair_tiles *t, size_t memory, const char *folder) {
  size_t a_pair = sizeof *t->places + sizeof *t->logs;
  size_t head = (size_t)(t->pairs * sizeof *t->places + MAREA_ALIGNMENT) / MAREA_ALIGNMENT;
  if (t->pairs > SIZE_MAX / (2 * a_pair)) return marea_fail(MAREA_NOMEM, "too many pairs");
  head *= MAREA_ALIGNMENT;
  t->byte_count = head + (size_t)t->pairs * sizeof *t->logs;
  t->mapped = memory > 0 && t->byte_count > memory;
  if (t->mapped) {
    marea_status status = marea_scratch_file_open(&t->file, folder);
    if (status != MAREA_OK) return status;
    t->bytes = marea_scratch_file_map(&t->file, t->byte_count);
    if (t->bytes == NULL) return MAREA_IO;
  } else {
    t->bytes = marea_alloc(t->byte_count);
    if (t->bytes == NULL) return MAREA_NOMEM;
  }
  t->places = t->bytes;
  t->logs = (marea_real *)((char *)t->bytes + head);
  return MAREA_OK;
}

/* Shuffles the pairs of a tile (Fisher-Yates) and takes the logarithms. */
typedef struct finishing {
  marea_pair_tiles *tiles;
  uint64_t seed;
} finishing;

static void finish_tile(void *context, size_t tile) {
  const finishing *f = context;
  uint64_t from = f->tiles->offsets[tile], count = f->tiles->offsets[tile + 1] - from;
  uint32_t *places = f->tiles->places + from, block[4] = {0};
  marea_real *logs = f->tiles->logs + from;
  for (uint64_t i = count; i > 1; i--) {
    if ((count - i) % 4 == 0)
      marea_random_block(f->seed, STREAM_PAIRS, (uint64_t)tile << 32 | (count - i) / 4, block);
    uint64_t j = (block[(count - i) % 4] * i) >> 32;
    uint32_t place = places[i - 1];
    marea_real log = logs[i - 1];
    places[i - 1] = places[j];
    logs[i - 1] = logs[j];
    places[j] = place;
    logs[j] = log;
  }
  for (uint64_t i = 0; i < count; i++) logs[i] = (marea_real)log((double)logs[i]);
}

static marea_status fill(marea_pair_tiles *t, const marea_cooccurrence *matrix, size_t memory,
                         uint64_t seed) {
  filling f = {t, matrix, NULL};
  marea_status status = marea_cooccurrence_rows(matrix, count_row, &f);
  for (size_t i = 0; i < t->tiles; i++) t->offsets[i + 1] += t->offsets[i];
  t->pairs = t->offsets[t->tiles];
  if (status == MAREA_OK) status = make_room(t, memory, marea_cooccurrence_asked(matrix)->folder);
  if (status != MAREA_OK) return status;
  f.next = marea_alloc_array(t->tiles + 1, sizeof *f.next);
  if (f.next == NULL) return MAREA_NOMEM;
  memcpy(f.next, t->offsets, (t->tiles + 1) * sizeof *f.next);
  status = marea_cooccurrence_rows(matrix, fill_row, &f);
  marea_free(f.next);
  if (status == MAREA_OK) marea_parallel(t->tiles, finish_tile, &(finishing){t, seed});
  return status;
}

marea_status marea_pair_tiles_make(marea_pair_tiles *t, const marea_cooccurrence *matrix,
                                   size_t row_bytes, size_t memory, uint64_t seed) {
  const marea_cooccurrence_options *asked = marea_cooccurrence_asked(matrix);
  *t = (marea_pair_tiles){.words = asked->words, .symmetric = asked->symmetric};
  t->file.descriptor = -1;
  choose_blocks(t, row_bytes);
  t->offsets = marea_alloc_zero(t->tiles + 1, sizeof *t->offsets);
  t->place_of = marea_alloc_array(t->words + 1, sizeof *t->place_of);
  if (t->offsets == NULL || t->place_of == NULL) return MAREA_NOMEM;
  marea_stream stream = marea_stream_new(seed, STREAM_PLACES);
  marea_stream_permutation(&stream, t->place_of, t->words);
  return fill(t, matrix, memory, seed);
}

void marea_pair_tiles_free(marea_pair_tiles *t) {
  if (t->mapped)
    marea_scratch_file_unmap(t->bytes, t->byte_count);
  else
    marea_free(t->bytes);
  marea_scratch_file_close(&t->file);
  marea_free(t->offsets);
  marea_free(t->place_of);
  *t = (marea_pair_tiles){.file.descriptor = -1};
}
