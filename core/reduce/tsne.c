#include "reduce/tsne.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "reduce/neighbours.h"
#include "reduce/rows.h"
#include "reduce/tsne_internal.h"

enum { EXACT_MOST = 3000, STRIDE = 16 };

void marea_tsne_free(marea_tsne *t) {
  if (t == NULL) return;
  marea_affinity_clear(&t->affinity);
  tsne_tree_free(t->tree);
  tsne_grid_free(t->grid);
  marea_free(t->beta);
  marea_free(t->y);
  marea_free(t->velocity);
  marea_free(t->gain);
  marea_free(t->pull);
  marea_free(t->push);
  marea_free(t->sums);
  marea_free(t);
}

static marea_status check(size_t n, const marea_tsne_options *o) {
  if (n < 2)
    return marea_fail(MAREA_RANGE, "tsne: %zu point%s, at least 2 are needed", n,
                      n == 1 ? "" : "s");
  if (n > INT32_MAX) return marea_fail(MAREA_RANGE, "tsne: more than 2^31 - 1 points");
  if (o->axes < 1 || o->axes > TSNE_AXES)
    return marea_fail(MAREA_RANGE, "tsne: %d dimensions asked for, possible are 1 to 3", o->axes);
  if (o->method == MAREA_TSNE_GRID && o->axes == 3)
    return marea_fail(MAREA_RANGE, "tsne: the method fft makes maps of 1 or 2 dimensions; use "
                                   "barnes_hut or exact for 3");
  if (!(o->angle >= 0 && o->angle <= 1))
    return marea_fail(MAREA_RANGE, "tsne: angle is %g, expected 0 to 1", o->angle);
  return MAREA_OK;
}

static marea_status check_perplexity(const char *who, double perplexity, size_t most) {
  if (perplexity >= 1 && perplexity <= (double)most) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "%s: perplexity %g, but a point has %zu others; expected 1 to %zu",
                    who, perplexity, most, most);
}

static marea_tsne *new_tsne(size_t n, const marea_tsne_options *o) {
  marea_tsne *t = marea_alloc_zero(1, sizeof *t);
  if (t == NULL) return NULL;
  t->n = n;
  t->stride = marea_pieces(n, STRIDE) * STRIDE;
  t->axes = o->axes;
  t->angle = o->angle;
  t->method = o->method;
  if (o->method == MAREA_TSNE_AUTO)
    t->method = n <= EXACT_MOST ? MAREA_TSNE_EXACT
                : o->axes < 3   ? MAREA_TSNE_GRID
                                : MAREA_TSNE_TREE;
  size_t count = (size_t)o->axes * t->stride;
  t->y = marea_alloc_zero(count, sizeof *t->y);
  t->velocity = marea_alloc_zero(count, sizeof *t->velocity);
  t->gain = marea_alloc_zero(count, sizeof *t->gain);
  t->pull = marea_alloc_zero(count, sizeof *t->pull);
  t->push = marea_alloc_zero(count, sizeof *t->push);
  t->sums = marea_alloc_array(marea_pieces(n, TSNE_CHUNK), TSNE_SUMS * sizeof *t->sums);
  if (t->y != NULL && t->velocity != NULL && t->gain != NULL && t->pull != NULL &&
      t->push != NULL && t->sums != NULL)
    return t;
  marea_tsne_free(t);
  return NULL;
}

static void unit_rows(marea_real *x, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++) {
    double squares = 0;
    for (size_t j = 0; j < d; j++) squares += (double)x[i * d + j] * (double)x[i * d + j];
    double scale = squares > 0 ? 1 / sqrt(squares) : 0;
    for (size_t j = 0; j < d; j++) x[i * d + j] = (marea_real)((double)x[i * d + j] * scale);
  }
}

marea_real *tsne_prepare(const marea_real *x, size_t n, size_t d, marea_tsne_metric metric,
                         marea_real *mean) {
  marea_real *rows = marea_alloc_array(n, d * sizeof *rows);
  if (rows == NULL) return NULL;
  if (metric == MAREA_TSNE_EUCLIDEAN) {
    marea_rows_centre(rows, x, n, d, mean);
  } else {
    memcpy(rows, x, n * d * sizeof *rows);
    unit_rows(rows, n, d);
  }
  return rows;
}

void tsne_metric_squares(marea_tsne_metric metric, marea_real *squared, size_t count) {
  if (metric == MAREA_TSNE_COSINE) /* |a - b|^2 = 2 (1 - cos) of unit vectors */
    for (size_t i = 0; i < count; i++) squared[i] = squared[i] / 2 * (squared[i] / 2);
}

/* Overflowing distances would leave no weight at all. */
static marea_status check_distances(const marea_real *squared, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!isfinite(squared[i]))
      return marea_fail(MAREA_NONFINITE, "tsne: distances overflow; scale the columns down");
  return MAREA_OK;
}

static marea_status weigh(marea_tsne *t, const marea_real *rows, size_t d, size_t k,
                          const marea_tsne_options *o) {
  int32_t *index = marea_alloc_array(t->n, k * sizeof *index);
  marea_real *p = marea_alloc_array(t->n, k * sizeof *p);
  t->beta = marea_alloc_array(t->n, sizeof *t->beta);
  marea_status status = MAREA_NOMEM;
  if (index != NULL && p != NULL && t->beta != NULL)
    status = marea_neighbours(rows, t->n, rows, t->n, d, k, true, index, p);
  if (status == MAREA_OK) status = check_distances(p, t->n * k);
  if (status == MAREA_OK) {
    tsne_metric_squares(o->metric, p, t->n * k);
    marea_perplexity_search(p, t->n, k, o->perplexity, p, t->beta);
    status = marea_affinity_symmetric(index, p, t->n, k, &t->affinity);
  }
  marea_free(index);
  marea_free(p);
  return status;
}

static marea_status fill(marea_tsne *t, const marea_real *x, size_t d,
                         const marea_tsne_options *o) {
  size_t k = (size_t)(3 * o->perplexity);
  if (k > t->n - 1) k = t->n - 1;
  marea_real *mean = marea_alloc_array(d, sizeof *mean);
  marea_status status = mean == NULL ? MAREA_NOMEM : marea_rows_mean(x, t->n, d, mean);
  marea_real *rows = status == MAREA_OK ? tsne_prepare(x, t->n, d, o->metric, mean) : NULL;
  if (rows == NULL && status == MAREA_OK) status = MAREA_NOMEM;
  if (status == MAREA_OK) status = weigh(t, rows, d, k, o);
  marea_free(mean);
  marea_free(rows);
  return status;
}

marea_tsne *marea_tsne_new(const marea_real *x, size_t n, size_t d, const marea_tsne_options *o) {
  if (check(n, o) != MAREA_OK || check_perplexity("tsne", o->perplexity, n - 1) != MAREA_OK ||
      marea_rows_check("tsne", x, n, d) != MAREA_OK)
    return NULL;
  marea_tsne *t = new_tsne(n, o);
  if (t == NULL) return NULL;
  if (fill(t, x, d, o) == MAREA_OK) return t;
  marea_tsne_free(t);
  return NULL;
}

static marea_status copy_pairs(marea_affinity *a, const size_t *offsets, const int32_t *columns,
                               const marea_real *p, size_t n) {
  size_t total = offsets[n];
  *a = (marea_affinity){.n = n};
  a->offsets = marea_alloc_array(n + 1, sizeof *a->offsets);
  a->columns = marea_alloc_array(total, sizeof *a->columns);
  a->p = marea_alloc_array(total, sizeof *a->p);
  if (a->offsets == NULL || a->columns == NULL || a->p == NULL) return MAREA_NOMEM;
  memcpy(a->offsets, offsets, (n + 1) * sizeof *offsets);
  memcpy(a->columns, columns, total * sizeof *columns);
  memcpy(a->p, p, total * sizeof *p);
  for (size_t e = 0; e < total; e++)
    if (p[e] > 0) a->entropy -= (double)p[e] * log((double)p[e]);
  return MAREA_OK;
}

marea_tsne *marea_tsne_from_pairs(const size_t *offsets, const int32_t *columns,
                                  const marea_real *p, size_t n, const marea_tsne_options *o) {
  if (check(n, o) != MAREA_OK) return NULL;
  marea_tsne *t = new_tsne(n, o);
  if (t == NULL) return NULL;
  if (copy_pairs(&t->affinity, offsets, columns, p, n) == MAREA_OK) return t;
  marea_tsne_free(t);
  return NULL;
}

/* ---- the map ---- */

marea_status marea_tsne_set_map(marea_tsne *t, const marea_real *map) {
  size_t axes = (size_t)t->axes;
  marea_status status = marea_rows_check("tsne: the start", map, t->n, axes);
  if (status != MAREA_OK) return status;
  memset(t->velocity, 0, axes * t->stride * sizeof *t->velocity);
  for (size_t a = 0; a < axes; a++)
    for (size_t i = 0; i < t->n; i++) {
      t->y[a * t->stride + i] = map[i * axes + a];
      t->gain[a * t->stride + i] = 1;
    }
  return MAREA_OK;
}

void marea_tsne_get_map(const marea_tsne *t, marea_real *map) {
  size_t axes = (size_t)t->axes;
  for (size_t a = 0; a < axes; a++)
    for (size_t i = 0; i < t->n; i++) map[i * axes + a] = t->y[a * t->stride + i];
}

double marea_tsne_gradient_norm(const marea_tsne *t) {
  return t->gradient_norm;
}

marea_tsne_method marea_tsne_used(const marea_tsne *t) {
  return t->method;
}

const double *marea_tsne_precisions(const marea_tsne *t) {
  return t->beta;
}

void marea_tsne_pairs(const marea_tsne *t, const size_t **offsets, const int32_t **columns,
                      const marea_real **p) {
  *offsets = t->affinity.offsets;
  *columns = t->affinity.columns;
  *p = t->affinity.p;
}
