/* Principal components by the eigenvectors of a whole matrix of products. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/eigen.h"
#include "kernels/gemm.h"
#include "reduce/pca_internal.h"

enum { BLOCK = 256, BLOCKS_AT_ONCE = 16 };

typedef struct square {
  bool transposed;
  const marea_real *a;
  size_t l, m, first; /* first: the block that piece 0 is */
  marea_real *parts;  /* (BLOCKS_AT_ONCE, l, l) */
} square;

static void square_piece(void *context, size_t piece) {
  const square *s = context;
  size_t from = (s->first + piece) * BLOCK, size = s->m - from < BLOCK ? s->m - from : BLOCK;
  marea_real *part = s->parts + piece * s->l * s->l;
  if (s->transposed)
    marea_gemm(true, false, s->l, s->l, size, 1, s->a + from * s->l, s->l, s->a + from * s->l, s->l,
               0, part, s->l);
  else
    marea_gemm(false, true, s->l, s->l, size, 1, s->a + from, s->m, s->a + from, s->m, 0, part,
               s->l);
}

marea_status marea_pca_square(bool transposed, const marea_real *a, size_t l, size_t m,
                              double *product) {
  size_t blocks = marea_pieces(m, BLOCK);
  size_t at_once = blocks < BLOCKS_AT_ONCE ? blocks : BLOCKS_AT_ONCE;
  square s = {transposed, a, l, m, 0, marea_alloc_array(at_once * l, l * sizeof(marea_real))};
  if (s.parts == NULL) return MAREA_NOMEM;
  memset(product, 0, l * l * sizeof *product);
  for (; s.first < blocks; s.first += at_once) {
    size_t now = blocks - s.first < at_once ? blocks - s.first : at_once;
    marea_parallel(now, square_piece, &s);
    for (size_t block = 0; block < now; block++)
      for (size_t i = 0; i < l * l; i++) product[i] += (double)s.parts[block * l * l + i];
  }
  marea_free(s.parts);
  return MAREA_OK;
}

static double root(double value) {
  return value > 0 ? sqrt(value) : 0;
}

marea_status marea_pca_exact(marea_pca *pca, const marea_real *centred, size_t n) {
  size_t d = pca->columns, size = n < d ? n : d, count = pca->count;
  double *product = marea_alloc_array(size, size * sizeof *product);
  double *vectors = marea_alloc_array(count, size * sizeof *vectors);
  marea_status status = MAREA_NOMEM;
  if (product != NULL && vectors != NULL)
    status = marea_pca_square(d <= n, centred, size, d <= n ? n : d, product);
  if (status == MAREA_OK)
    status = marea_eigen_symmetric(product, size, count, pca->singular, vectors);
  if (status == MAREA_OK) {
    for (size_t i = 0; i < count; i++) pca->singular[i] = root(pca->singular[i]);
    if (d <= n)
      for (size_t i = 0; i < count * d; i++) pca->components[i] = (marea_real)vectors[i];
    else
      status = marea_pca_from_rows(pca, centred, n, vectors);
  }
  marea_free(product);
  marea_free(vectors);
  return status;
}

/* row := row without its parts along the `before` rows of v, of length 1; its length before. */
static double straighten(double *row, const double *v, size_t before, size_t d) {
  for (int twice = 0; twice < 2; twice++) /* once leaves rounding behind */
    for (size_t i = 0; i < before; i++) {
      double along = 0;
      for (size_t j = 0; j < d; j++) along += row[j] * v[i * d + j];
      for (size_t j = 0; j < d; j++) row[j] -= along * v[i * d + j];
    }
  double squares = 0;
  for (size_t j = 0; j < d; j++) squares += row[j] * row[j];
  double length = sqrt(squares);
  for (size_t j = 0; length > 0 && j < d; j++) row[j] /= length;
  return length;
}

/* Where X has no more variance any direction will do: the first axis that is not yet spanned. */
static void any_direction(double *row, const double *v, size_t before, size_t d) {
  for (size_t axis = 0; axis < d; axis++) {
    memset(row, 0, d * sizeof *row);
    row[axis] = 1;
    if (straighten(row, v, before, d) > 0.5 / sqrt((double)d)) return;
  }
}

static void project(double *row, const marea_real *centred, size_t n, size_t d, const double *u) {
  memset(row, 0, d * sizeof *row);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) row[j] += u[i] * (double)centred[i * d + j];
}

marea_status marea_pca_from_rows(marea_pca *pca, const marea_real *centred, size_t n,
                                 const double *vectors) {
  size_t d = pca->columns;
  double *v = marea_alloc_array(pca->count, d * sizeof *v);
  if (v == NULL) return MAREA_NOMEM;
  double least = pca->singular[0] * MAREA_REAL_EPSILON * sqrt((double)(n + d));
  for (size_t i = 0; i < pca->count; i++) {
    project(v + i * d, centred, n, d, vectors + i * n);
    if (pca->singular[i] <= least) pca->singular[i] = 0;
    if (pca->singular[i] == 0 || !(straighten(v + i * d, v, i, d) > 0))
      any_direction(v + i * d, v, i, d);
  }
  for (size_t i = 0; i < pca->count * d; i++) pca->components[i] = (marea_real)v[i];
  marea_free(v);
  return MAREA_OK;
}
