/* Principal components: the directions of largest variance. */
#ifndef MAREA_REDUCE_PCA_H
#define MAREA_REDUCE_PCA_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

/* How they are found. AUTO: exact up to 1,000 rows or columns, whichever are fewer, and when more
 * than a fifth of all components is asked for; else randomised. */
typedef enum marea_pca_method {
  MAREA_PCA_AUTO,
  MAREA_PCA_EXACT,
  MAREA_PCA_RANDOMISED
} marea_pca_method;

typedef struct marea_pca {
  size_t columns, count;   /* D, and the components kept */
  marea_real *mean;        /* (D) */
  marea_real *components;  /* (count, D): orthonormal rows, largest variance first */
  double *variance;        /* (count): of the scores, divided by N - 1 */
  double *singular;        /* (count): sqrt((N - 1) variance) */
  double total_variance;   /* of all D columns */
  marea_pca_method method; /* the one that was used */
} marea_pca;

/* The first `count` components of the rows of x (N, D), 1 <= count <= min(N, D). The element of
 * largest magnitude in each component is positive, so the signs do not depend on the method.
 *
 * Exact: eigenvectors of the covariance (D <= N) or of the rows' products (N < D). Randomised:
 * subspace iteration from a random start (Halko, Martinsson and Tropp, 2011, algorithm 4.4), 10
 * directions more than asked for, 6 rounds; `seed` decides the start.
 *
 * N >= 2; NULL with MAREA_RANGE, MAREA_NONFINITE (naming the element) or MAREA_NOMEM. The bits do
 * not depend on the number of threads. */
marea_pca *marea_pca_fit(const marea_real *x, size_t n, size_t d, size_t count,
                         marea_pca_method method, uint64_t seed);

/* scores (N, count) of the rows of x (N, D), and back: x from scores (exact for count = D). */
marea_status marea_pca_transform(const marea_pca *pca, const marea_real *x, size_t n,
                                 marea_real *scores);
void marea_pca_inverse(const marea_pca *pca, const marea_real *scores, size_t n, marea_real *x);

void marea_pca_free(marea_pca *pca); /* NULL is allowed */

#endif
