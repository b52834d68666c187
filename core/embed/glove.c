#include "embed/glove.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "embed/pair_tiles.h"
#include "kernels/simd/glove_pairs.h"

enum { DIMENSIONS_MAX = 65536 };
enum { STREAM_WORDS = 0x73, STREAM_CONTEXTS = 0x74, STREAM_ORDER = 0x75 };

struct marea_glove {
  marea_glove_options options;
  marea_pair_tiles tiles;
  size_t width; /* of a vector with what belongs to it; a row has twice as many elements */
  marea_real *words, *contexts;
  marea_real *word_rates, *context_rates, *clips;
  size_t iteration, round;
  int32_t *order; /* of the rounds of this iteration */
};

/* ---- making ---- */

static marea_status check(const marea_glove_options *o) {
  if (o->dimensions < 1 || o->dimensions > DIMENSIONS_MAX)
    return marea_fail(MAREA_RANGE, "glove: %zu dimensions, expected 1 to %d", o->dimensions,
                      DIMENSIONS_MAX);
  bool good = o->x_max > 0 && o->alpha >= 0 && o->eta > 0 && o->clip > 0;
  if (!good || !isfinite(o->x_max) || !isfinite(o->alpha) || o->eta > 1e30)
    return marea_fail(
        MAREA_RANGE,
        "glove: x_max %g, alpha %g, eta %g, clip %g; expected positive numbers, eta at most 1e30",
        o->x_max, o->alpha, o->eta, o->clip);
  return MAREA_OK;
}

/* Rates: of the vector, of the bias, of what stays as it is. */
static marea_status make_rates(marea_glove *g) {
  const marea_glove_options *o = &g->options;
  const double bias_rate = o->paper ? o->eta : 1.0;
  const double longest = 1e15; /* so that no sum of squares, as float, ends in infinity */
  size_t d = o->dimensions;
  g->word_rates = marea_alloc_zero(g->width, sizeof(marea_real));
  g->context_rates = marea_alloc_zero(g->width, sizeof(marea_real));
  g->clips = marea_alloc_array(g->width, sizeof(marea_real));
  if (g->word_rates == NULL || g->context_rates == NULL || g->clips == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < d; i++) g->word_rates[i] = g->context_rates[i] = (marea_real)o->eta;
  g->word_rates[d] = g->context_rates[d + 1] = (marea_real)bias_rate;
  for (size_t i = 0; i < g->width; i++)
    g->clips[i] = (marea_real)(i < d ? fmin(o->clip, longest / o->eta) : longest / bias_rate);
  return MAREA_OK;
}

static marea_real *row_of(const marea_glove *g, marea_real *rows, size_t word) {
  return rows + (size_t)g->tiles.place_of[word] * 2 * g->width;
}

/* A table's rows: random vectors and biases, ones where the layout has them, accumulators of 1. */
static marea_status make_table(marea_glove *g, marea_real **rows, bool contexts) {
  size_t d = g->options.dimensions, words = g->tiles.words;
  double bound = 0.5 / (double)d;
  marea_stream stream =
      marea_stream_new(g->options.seed, contexts ? STREAM_CONTEXTS : STREAM_WORDS);
  marea_real *drawn = marea_alloc_array(d + 1, sizeof *drawn);
  *rows = marea_alloc_zero(words * 2 + 1, g->width * sizeof(marea_real));
  for (size_t word = 0; word < words && drawn != NULL && *rows != NULL; word++) {
    marea_real *row = row_of(g, *rows, word);
    marea_stream_fill_uniform(&stream, drawn, d + 1, -bound, bound);
    memcpy(row, drawn, d * sizeof *row);
    row[d + contexts] = drawn[d];
    row[d + !contexts] = 1;
    for (size_t i = g->width; i < 2 * g->width; i++) row[i] = 1;
  }
  bool made = drawn != NULL && *rows != NULL;
  marea_free(drawn);
  return made ? MAREA_OK : MAREA_NOMEM;
}

static void order_rounds(marea_glove *g) {
  marea_stream stream = marea_stream_new(g->options.seed, STREAM_ORDER);
  stream.position = (uint64_t)g->iteration << 32;
  marea_stream_permutation(&stream, g->order, g->tiles.blocks);
}

static marea_status make(marea_glove *g, const marea_cooccurrence *matrix) {
  const marea_glove_options *o = &g->options;
  size_t d = o->dimensions;
  g->width = (d + 2 + MAREA_GLOVE_ALIGN - 1) / MAREA_GLOVE_ALIGN * MAREA_GLOVE_ALIGN;
  marea_status status = marea_pair_tiles_make(&g->tiles, matrix, 2 * g->width * sizeof(marea_real),
                                              o->memory, o->seed);
  if (status == MAREA_OK) status = make_rates(g);
  if (status == MAREA_OK) status = make_table(g, &g->words, false);
  if (status == MAREA_OK) status = make_table(g, &g->contexts, true);
  if (status != MAREA_OK) return status;
  g->order = marea_alloc_array(g->tiles.blocks + 1, sizeof *g->order);
  if (g->order == NULL) return MAREA_NOMEM;
  order_rounds(g);
  return MAREA_OK;
}

marea_glove *marea_glove_new(const marea_glove_options *options, const marea_cooccurrence *matrix) {
  if (check(options) != MAREA_OK) return NULL;
  marea_glove *g = marea_alloc_zero(1, sizeof *g);
  if (g == NULL) return NULL;
  g->options = *options;
  if (make(g, matrix) == MAREA_OK) return g;
  marea_glove_free(g);
  return NULL;
}

void marea_glove_free(marea_glove *g) {
  if (g == NULL) return;
  marea_pair_tiles_free(&g->tiles);
  marea_free(g->words);
  marea_free(g->contexts);
  marea_free(g->word_rates);
  marea_free(g->context_rates);
  marea_free(g->clips);
  marea_free(g->order);
  marea_free(g);
}

/* ---- training ---- */

size_t marea_glove_rounds(const marea_glove *g) {
  return g->tiles.updates == 0 ? 0 : g->tiles.blocks;
}

uint64_t marea_glove_entries(const marea_glove *g) {
  return g->tiles.updates;
}

/* Some rounds: tile k of round r lies in row block k, column block k + order[r]. */
typedef struct rounds {
  marea_glove *glove;
  size_t first; /* round */
  marea_glove_result *results;
} rounds;

static marea_glove_tile tile_of(const marea_glove *g, size_t words, size_t contexts) {
  const marea_pair_tiles *t = &g->tiles;
  bool transposed = t->symmetric && words < contexts;
  size_t tile =
      transposed ? marea_pair_tile(t, contexts, words) : marea_pair_tile(t, words, contexts);
  size_t stride = t->block * 2 * g->width;
  return (marea_glove_tile){.places = t->places + t->offsets[tile],
                            .logs = t->logs + t->offsets[tile],
                            .count = (size_t)(t->offsets[tile + 1] - t->offsets[tile]),
                            .transposed = transposed,
                            .words = g->words + words * stride,
                            .contexts = g->contexts + contexts * stride,
                            .width = g->width,
                            .word_rates = g->word_rates,
                            .context_rates = g->context_rates,
                            .clips = g->clips,
                            .log_max = (marea_real)log(g->options.x_max),
                            .alpha = (marea_real)g->options.alpha};
}

static void train_tile(void *context, size_t piece) {
  const rounds *r = context;
  const marea_glove *g = r->glove;
  size_t blocks = g->tiles.blocks, words = piece % blocks;
  size_t contexts = (words + (size_t)g->order[r->first + piece / blocks]) % blocks;
  marea_glove_tile tile = tile_of(g, words, contexts);
  const marea_glove_table *table = MAREA_PICK(marea_glove_pairs);
  table->update(&tile, &r->results[piece]);
  if (!g->tiles.symmetric || words != contexts) return;
  tile.transposed = true; /* a tile on the diagonal has one half of its pairs */
  tile.skip_equal = true;
  table->update(&tile, &r->results[piece]);
}

static size_t at_most(size_t bound, size_t x) {
  return x < bound ? x : bound;
}

marea_status marea_glove_go_on(marea_glove *g, size_t count, marea_glove_progress *progress,
                               bool *done) {
  size_t blocks = g->tiles.blocks, together = g->options.lock_free ? count : 1;
  count = at_most(blocks - g->round, count);
  together = at_most(count, together);
  marea_glove_result *results = marea_alloc_array(blocks * together + 1, sizeof *results);
  if (results == NULL) return MAREA_NOMEM;
  for (size_t end = g->round + count; g->round < end;) {
    size_t now = at_most(end - g->round, together);
    memset(results, 0, blocks * now * sizeof *results);
    marea_parallel(blocks * now, train_tile, &(rounds){g, g->round, results});
    for (size_t i = 0; i < blocks * now; i++) {
      progress->cost += results[i].cost;
      progress->pairs += results[i].pairs;
      progress->skipped += results[i].skipped;
    }
    g->round += now;
  }
  marea_free(results);
  *done = g->round == blocks;
  if (*done) marea_glove_set_iteration(g, g->iteration + 1);
  return MAREA_OK;
}

static void visit_tile(const marea_glove *g, const marea_glove_tile *tile, const int32_t *word_at,
                       marea_glove_visitor *visitor, void *context) {
  size_t stride = 2 * g->width;
  const int32_t *words = word_at + (size_t)(tile->words - g->words) / stride;
  const int32_t *contexts = word_at + (size_t)(tile->contexts - g->contexts) / stride;
  for (size_t i = 0; i < tile->count; i++) {
    size_t row = tile->places[i] & 0xffff, column = tile->places[i] >> 16;
    if (tile->skip_equal && row == column) continue;
    visitor(context, words[tile->transposed ? column : row],
            contexts[tile->transposed ? row : column], (double)tile->logs[i]);
  }
}

marea_status marea_glove_visit(const marea_glove *g, marea_glove_visitor *visitor, void *context) {
  size_t blocks = g->tiles.blocks;
  int32_t *word_at = marea_alloc_array(g->tiles.words + 1, sizeof *word_at);
  if (word_at == NULL) return MAREA_NOMEM;
  for (size_t i = 0; i < g->tiles.words; i++) word_at[g->tiles.place_of[i]] = (int32_t)i;
  for (size_t i = 0; i < blocks * blocks; i++) {
    size_t words = i % blocks, contexts = (words + (size_t)g->order[i / blocks]) % blocks;
    marea_glove_tile tile = tile_of(g, words, contexts);
    visit_tile(g, &tile, word_at, visitor, context);
    if (!g->tiles.symmetric || words != contexts) continue;
    tile.transposed = tile.skip_equal = true;
    visit_tile(g, &tile, word_at, visitor, context);
  }
  marea_free(word_at);
  return MAREA_OK;
}

size_t marea_glove_iteration(const marea_glove *g) {
  return g->iteration;
}

void marea_glove_set_iteration(marea_glove *g, size_t iteration) {
  g->iteration = iteration;
  g->round = 0;
  order_rounds(g);
}

/* ---- parameters ---- */

/* Where a part lies in its table's rows, and where its bias is. */
typedef struct part_layout {
  marea_real *rows;
  size_t offset, bias;
} part_layout;

static part_layout layout_of(const marea_glove *g, marea_glove_part part) {
  bool contexts = part == MAREA_GLOVE_CONTEXTS || part == MAREA_GLOVE_CONTEXT_SQUARES;
  bool squares = part == MAREA_GLOVE_WORD_SQUARES || part == MAREA_GLOVE_CONTEXT_SQUARES;
  return (part_layout){contexts ? g->contexts : g->words, squares ? g->width : 0,
                       g->options.dimensions + contexts};
}

void marea_glove_shape(const marea_glove *g, int64_t size[2]) {
  size[0] = (int64_t)g->tiles.words;
  size[1] = (int64_t)g->options.dimensions + 1;
}

void marea_glove_export(const marea_glove *g, marea_glove_part part, marea_real *to) {
  part_layout l = layout_of(g, part);
  size_t d = g->options.dimensions;
  for (size_t word = 0; word < g->tiles.words; word++) {
    const marea_real *row = row_of(g, l.rows, word) + l.offset;
    memcpy(to + word * (d + 1), row, d * sizeof *to);
    to[word * (d + 1) + d] = row[l.bias];
  }
}

marea_status marea_glove_import(marea_glove *g, marea_glove_part part, const marea_real *from) {
  part_layout l = layout_of(g, part);
  size_t d = g->options.dimensions;
  for (size_t i = 0; i < g->tiles.words * (d + 1); i++)
    if (!isfinite(from[i]) || (l.offset > 0 && from[i] <= 0))
      return marea_fail(MAREA_NONFINITE, "glove: the parameters of word %zu have the value %g",
                        i / (d + 1) + 1, (double)from[i]);
  for (size_t word = 0; word < g->tiles.words; word++) {
    marea_real *row = row_of(g, l.rows, word) + l.offset;
    memcpy(row, from + word * (d + 1), d * sizeof *row);
    row[l.bias] = from[word * (d + 1) + d];
  }
  return MAREA_OK;
}
