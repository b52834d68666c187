/* Principal components of a large matrix by randomised subspace iteration. */
#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/eigen.h"
#include "kernels/gemm.h"
#include "reduce/pca_internal.h"

enum { EXTRA = 10, ROUNDS = 6 };

typedef struct subspace {
  const marea_real *x; /* (n, d), centred */
  size_t n, d, l;
  marea_real *q, *swap; /* (l, n) and (l, d) */
  double *square, *vectors, *values;
} subspace;

/* Rows of a (l, m) := orthonormal rows of the same span, as eigenvectors of A A' tell them: two
 * matrix products instead of one row at a time. Directions of no length become zero. */
static marea_status orthonormal(subspace *s, marea_real *a, size_t m) {
  size_t l = s->l;
  marea_status status = marea_pca_square(false, a, l, m, s->square);
  if (status == MAREA_OK) status = marea_eigen_symmetric(s->square, l, l, s->values, s->vectors);
  if (status != MAREA_OK) return status;
  marea_real *turn = marea_alloc_array(l, l * sizeof *turn);
  marea_real *copy = marea_alloc_array(l, m * sizeof *copy);
  if (turn == NULL || copy == NULL) {
    marea_free(turn);
    marea_free(copy);
    return MAREA_NOMEM;
  }
  for (size_t i = 0; i < l; i++) {
    double value = s->values[i] > s->values[0] * MAREA_REAL_EPSILON ? s->values[i] : 0;
    for (size_t j = 0; j < l; j++)
      turn[i * l + j] = value > 0 ? (marea_real)(s->vectors[i * l + j] / sqrt(value)) : 0;
  }
  for (size_t i = 0; i < l * m; i++) copy[i] = a[i];
  marea_gemm(false, false, l, m, l, 1, turn, l, copy, m, 0, a, m);
  marea_free(turn);
  marea_free(copy);
  return MAREA_OK;
}

/* Twice, because the first time carries the square root of the rounding. */
static marea_status straighten(subspace *s, marea_real *a, size_t m) {
  marea_status status = orthonormal(s, a, m);
  return status == MAREA_OK ? orthonormal(s, a, m) : status;
}

/* q (l, n) := rows that span the first columns of X's left singular vectors; swap (l, d) = q X. */
static marea_status iterate(subspace *s, uint64_t seed) {
  marea_stream stream = marea_stream_new(seed, 0);
  marea_stream_fill_normal(&stream, s->swap, s->l * s->d, 0, 1);
  for (int round = 0;; round++) {
    marea_gemm(false, true, s->l, s->n, s->d, 1, s->swap, s->d, s->x, s->d, 0, s->q, s->n);
    marea_status status = straighten(s, s->q, s->n);
    if (status != MAREA_OK) return status;
    marea_gemm(false, false, s->l, s->d, s->n, 1, s->q, s->n, s->x, s->d, 0, s->swap, s->d);
    if (round == ROUNDS) return MAREA_OK;
    status = straighten(s, s->swap, s->d);
    if (status != MAREA_OK) return status;
  }
}

/* The singular vectors of the small matrix swap (l, d), whose rows' products are (l, l). */
static marea_status finish(subspace *s, marea_pca *pca) {
  marea_status status = marea_pca_square(false, s->swap, s->l, s->d, s->square);
  if (status == MAREA_OK)
    status = marea_eigen_symmetric(s->square, s->l, s->l, s->values, s->vectors);
  if (status != MAREA_OK) return status;
  for (size_t i = 0; i < pca->count; i++)
    pca->singular[i] = s->values[i] > 0 ? sqrt(s->values[i]) : 0;
  return marea_pca_from_rows(pca, s->swap, s->l, s->vectors);
}

marea_status marea_pca_randomised(marea_pca *pca, const marea_real *centred, size_t n,
                                  uint64_t seed) {
  size_t d = pca->columns, most = n < d ? n : d;
  subspace s = {.x = centred, .n = n, .d = d, .l = pca->count + EXTRA};
  if (s.l > most) s.l = most;
  s.q = marea_alloc_array(s.l, n * sizeof *s.q);
  s.swap = marea_alloc_array(s.l, d * sizeof *s.swap);
  s.square = marea_alloc_array(s.l, s.l * sizeof *s.square);
  s.vectors = marea_alloc_array(s.l, s.l * sizeof *s.vectors);
  s.values = marea_alloc_array(s.l, sizeof *s.values);
  marea_status status = MAREA_NOMEM;
  if (s.q != NULL && s.swap != NULL && s.square != NULL && s.vectors != NULL && s.values != NULL)
    status = iterate(&s, seed);
  if (status == MAREA_OK) status = finish(&s, pca);
  marea_free(s.q);
  marea_free(s.swap);
  marea_free(s.square);
  marea_free(s.vectors);
  marea_free(s.values);
  return status;
}
