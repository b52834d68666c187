/* t-SNE: maps of many dimensions in 1, 2 or 3 (van der Maaten and Hinton, 2008).
 *
 * The pull of near points is summed over the sparse weights of affinity.h; the push of all points
 * in one of three ways:
 *   exact   every pair, O(n^2), vectorised: the fastest up to a few thousand points
 *   tree    cells far away count as one point (Barnes and Hut, 1986; van der Maaten, 2014)
 *   grid    by convolution: the push is minus half the gradient of the potential
 *           sum_j 1 / (1 + |y - y_j|^2), which is spread to a regular grid by B-splines,
 *           convolved by Fourier transforms, and differentiated in its spline (the idea of
 *           Linderman et al., 2019, and of smooth particle-mesh Ewald sums, Essmann et al., 1995);
 *           O(n) for a map of a given extent, 1 or 2 axes; where the map is so wide for its points
 *           that all pairs cost less, those are summed instead
 *
 * All sums are taken in an order fixed by the sizes: the same bits for any number of threads. */
#ifndef MAREA_REDUCE_TSNE_H
#define MAREA_REDUCE_TSNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

typedef enum marea_tsne_method {
  MAREA_TSNE_AUTO, /* exact up to 3,000 points, then grid, or tree with 3 axes */
  MAREA_TSNE_EXACT,
  MAREA_TSNE_TREE,
  MAREA_TSNE_GRID
} marea_tsne_method;

typedef enum marea_tsne_metric {
  MAREA_TSNE_EUCLIDEAN,
  MAREA_TSNE_COSINE /* 1 - cos; a row of zeros is at distance 1 from all others */
} marea_tsne_metric;

typedef struct marea_tsne_options {
  int axes;          /* 1 to 3 */
  double perplexity; /* 1 … n - 1; min(3 perplexity, n - 1) neighbours are looked at */
  marea_tsne_metric metric;
  marea_tsne_method method;
  double angle; /* tree: width / distance up to which a cell is one point, 0 … 1; usually 0.5 */
} marea_tsne_options;

typedef struct marea_tsne marea_tsne;

/* Neighbours and weights of the rows of x (n, d), n >= 2; the map is all zero until it is set.
 * NULL: MAREA_RANGE, MAREA_NONFINITE (naming the element), MAREA_NOMEM, MAREA_INTERRUPTED. */
marea_tsne *marea_tsne_new(const marea_real *x, size_t n, size_t d,
                           const marea_tsne_options *options);

/* The same from neighbours and symmetric weights that are given (columns ascend in each row, the
 * weights are >= 0 and add up to 1; copied). Perplexity and metric are not looked at. */
marea_tsne *marea_tsne_from_pairs(const size_t *offsets, const int32_t *columns,
                                  const marea_real *p, size_t n, const marea_tsne_options *options);

void marea_tsne_free(marea_tsne *t); /* NULL is allowed */

/* The map (n, axes), set and read; setting it forgets speeds and gains. All elements finite. */
marea_status marea_tsne_set_map(marea_tsne *t, const marea_real *map);
void marea_tsne_get_map(const marea_tsne *t, marea_real *map);

typedef struct marea_tsne_phase {
  double exaggeration;  /* of the pull, >= 1 in the first phase */
  double learning_rate; /* > 0; the gradient is taken without its factor 4 */
  double momentum;      /* 0 … 1 */
  double largest_step;  /* a point moves no further in one iteration; 0: no bound */
} marea_tsne_phase;

/* Up to `iterations` steps of gradient descent with momentum and gains (Jacobs, 1988); *done is
 * their number. Stops early, with MAREA_OK, when a stop was requested (base/interrupt.h).
 * MAREA_NONFINITE when the map diverges, MAREA_NOMEM. */
marea_status marea_tsne_run(marea_tsne *t, const marea_tsne_phase *phase, size_t iterations,
                            size_t *done);

/* The Kullback-Leibler divergence of the map as it is, in nats. `exact` sums over every pair
 * instead of using the method's approximation. */
marea_status marea_tsne_divergence(marea_tsne *t, bool exact, double *divergence);

/* The gradient's length at the last step (without the factor 4). */
double marea_tsne_gradient_norm(const marea_tsne *t);
marea_tsne_method marea_tsne_used(const marea_tsne *t);
const double *
marea_tsne_precisions(const marea_tsne *t); /* beta (n), or NULL if pairs were given */
/* The weights: (n + 1) offsets, columns, p. */
void marea_tsne_pairs(const marea_tsne *t, const size_t **offsets, const int32_t **columns,
                      const marea_real **p);

/* Places new points into an old map that stays as it is: each of the m rows of new_x starts at the
 * median of its neighbours and descends its own divergence from all n old points (the idea of
 * openTSNE's transform, Poličar et al., 2019), so a point's place does not depend on which others
 * are placed with it. map (n, axes), placed (m, axes). */
typedef struct marea_tsne_placing {
  double perplexity; /* 1 … n */
  marea_tsne_metric metric;
  size_t iterations;
  double learning_rate, exaggeration, momentum, largest_step;
} marea_tsne_placing;

marea_status marea_tsne_place(const marea_real *x, const marea_real *map, size_t n, size_t d,
                              int axes, const marea_real *new_x, size_t m,
                              const marea_tsne_placing *options, marea_real *placed);

#endif
