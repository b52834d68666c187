/* New points in an old t-SNE map. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/simd/map_loops.h"
#include "reduce/neighbours.h"
#include "reduce/rows.h"
#include "reduce/tsne_internal.h"

enum { POINTS = 16 }; /* of a piece */

typedef struct placing {
  const marea_tsne_placing *options;
  const marea_real *y; /* planar, the old map */
  size_t n, m, k;
  int axes;
  const int32_t *index; /* (m, k): neighbours of new points among the old ones */
  const marea_real *p;  /* (m, k): their weights, a row adds up to 1 */
  marea_real *placed;   /* (m, axes) */
  atomic_bool stopped, failed;
} placing;

static int ascending(const void *a, const void *b) {
  marea_real x = *(const marea_real *)a, y = *(const marea_real *)b;
  return (x > y) - (x < y);
}

static void start_at_median(const placing *s, const int32_t *index, marea_real *near,
                            marea_real *at) {
  for (int a = 0; a < s->axes; a++) {
    for (size_t j = 0; j < s->k; j++) near[j] = s->y[(size_t)a * s->n + (size_t)index[j]];
    qsort(near, s->k, sizeof *near, ascending);
    at[a] = (near[(s->k - 1) / 2] + near[s->k / 2]) / 2;
  }
}

static void descend(const placing *s, size_t i, marea_real *at) {
  const marea_tsne_placing *o = s->options;
  const marea_map_table *map = MAREA_PICK(marea_map);
  double velocity[TSNE_AXES] = {0}, gain[TSNE_AXES] = {1, 1, 1};
  for (size_t step = 0; step < o->iterations; step++) {
    marea_real pull[TSNE_AXES], push[TSNE_AXES];
    double length = 0;
    map->attract(s->axes, s->y, s->n, s->index + i * s->k, s->p + i * s->k, s->k, at, pull);
    double z = map->repel(s->axes, s->y, s->n, s->n, at, push);
    for (int a = 0; a < s->axes; a++) {
      double slope = o->exaggeration * (double)pull[a] - (double)push[a] / z;
      gain[a] = (slope > 0) != (velocity[a] > 0) ? gain[a] + 0.2 : fmax(gain[a] * 0.8, 0.01);
      velocity[a] = o->momentum * velocity[a] - o->learning_rate * gain[a] * slope;
      length += velocity[a] * velocity[a];
    }
    double most = o->largest_step;
    double scale = most > 0 && length > most * most ? most / sqrt(length) : 1;
    for (int a = 0; a < s->axes; a++) {
      velocity[a] *= scale;
      at[a] = (marea_real)((double)at[a] + velocity[a]);
    }
  }
}

static void place_piece(void *context, size_t piece) {
  placing *s = context;
  if (marea_interrupted()) atomic_store(&s->stopped, true);
  if (atomic_load(&s->stopped) || atomic_load(&s->failed)) return;
  marea_real *near = marea_alloc_array(s->k, sizeof *near);
  if (near == NULL) {
    atomic_store(&s->failed, true);
    return;
  }
  for (size_t i = piece * POINTS; i < s->m && i < (piece + 1) * POINTS; i++) {
    marea_real *at = s->placed + i * (size_t)s->axes;
    start_at_median(s, s->index + i * s->k, near, at);
    descend(s, i, at);
  }
  marea_free(near);
}

static marea_status place_all(placing *s) {
  atomic_init(&s->stopped, false);
  atomic_init(&s->failed, false);
  marea_parallel(marea_pieces(s->m, POINTS), place_piece, s);
  if (atomic_load(&s->failed)) return marea_fail(MAREA_NOMEM, "tsne: out of memory");
  if (atomic_load(&s->stopped)) return marea_fail(MAREA_INTERRUPTED, "tsne: interrupted");
  return MAREA_OK;
}

typedef struct buffers {
  marea_real *mean, *rows, *new_rows, *y, *p;
  double *beta;
  int32_t *index;
} buffers;

static void drop(buffers *b) {
  marea_free(b->mean);
  marea_free(b->rows);
  marea_free(b->new_rows);
  marea_free(b->y);
  marea_free(b->p);
  marea_free(b->beta);
  marea_free(b->index);
}

static marea_status fill(buffers *b, const marea_real *x, const marea_real *map,
                         const marea_real *new_x, size_t d, const placing *s) {
  size_t axes = (size_t)s->axes;
  b->mean = marea_alloc_array(d, sizeof *b->mean);
  b->y = marea_alloc_array(s->n, axes * sizeof *b->y);
  b->p = marea_alloc_array(s->m, s->k * sizeof *b->p);
  b->beta = marea_alloc_array(s->m, sizeof *b->beta);
  b->index = marea_alloc_array(s->m, s->k * sizeof *b->index);
  if (b->mean == NULL || b->y == NULL || b->p == NULL || b->beta == NULL || b->index == NULL)
    return MAREA_NOMEM;
  marea_status status = marea_rows_mean(x, s->n, d, b->mean);
  if (status != MAREA_OK) return status;
  b->rows = tsne_prepare(x, s->n, d, s->options->metric, b->mean);
  b->new_rows = tsne_prepare(new_x, s->m, d, s->options->metric, b->mean);
  if (b->rows == NULL || b->new_rows == NULL) return MAREA_NOMEM;
  for (size_t a = 0; a < axes; a++)
    for (size_t i = 0; i < s->n; i++) b->y[a * s->n + i] = map[i * axes + a];
  return marea_neighbours(b->new_rows, s->m, b->rows, s->n, d, s->k, false, b->index, b->p);
}

static marea_status check(const marea_real *x, const marea_real *map, size_t n, size_t d, int axes,
                          const marea_real *new_x, size_t m, double perplexity) {
  if (n < 1 || axes < 1 || axes > TSNE_AXES)
    return marea_fail(MAREA_RANGE,
                      "tsne: an old map of %zu points in %d dimensions; at least one "
                      "point in 1 to 3 is needed",
                      n, axes);
  if (!(perplexity >= 1 && perplexity <= (double)n))
    return marea_fail(MAREA_RANGE, "tsne: perplexity %g with %zu old points; expected 1 to %zu",
                      perplexity, n, n);
  marea_status status = marea_rows_check("tsne: old points", x, n, d);
  if (status == MAREA_OK) status = marea_rows_check("tsne: the old map", map, n, (size_t)axes);
  return status == MAREA_OK ? marea_rows_check("tsne: new points", new_x, m, d) : status;
}

marea_status marea_tsne_place(const marea_real *x, const marea_real *map, size_t n, size_t d,
                              int axes, const marea_real *new_x, size_t m,
                              const marea_tsne_placing *options, marea_real *placed) {
  marea_status status = check(x, map, n, d, axes, new_x, m, options->perplexity);
  if (status != MAREA_OK || m == 0) return status;
  size_t k = (size_t)(3 * options->perplexity);
  placing s = {.options = options, .n = n, .m = m, .k = k < n ? k : n, .axes = axes};
  buffers b = {0};
  status = fill(&b, x, map, new_x, d, &s);
  if (status == MAREA_OK) {
    tsne_metric_squares(options->metric, b.p, m * s.k);
    marea_perplexity_search(b.p, m, s.k, options->perplexity, b.p, b.beta);
    s.y = b.y;
    s.index = b.index;
    s.p = b.p;
    s.placed = placed;
    status = place_all(&s);
  }
  drop(&b);
  return status;
}
