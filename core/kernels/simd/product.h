/* The register-tiled matrix product of every level: C = alpha A B + (accumulate) C on blocks that
 * fit the caches. Each element is one chain of multiply-adds over the depth (in pieces of
 * PRODUCT_DEPTH), so its bits depend neither on its place nor on the other rows. */
#ifndef MAREA_KERNELS_SIMD_PRODUCT_H
#define MAREA_KERNELS_SIMD_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"
#include "kernels/simd.h"

enum { PANEL_VECTORS = 4, PRODUCT_DEPTH = 512 };

typedef struct marea_product {
  size_t m, n, k;      /* C (m, n), depth k; n a multiple of the table's lanes */
  const marea_real *a; /* element (i, j) of A at a[i * a_row + j * a_column]; one of them is 1 */
  size_t a_row, a_column;
  const marea_real *b; /* (k, n) with ldb; or, packed, panels as pack_panels makes them */
  size_t ldb;
  size_t packed_depth; /* 0: not packed; else the depth that was packed, */
  size_t packed_start; /* of which rows packed_start … packed_start + k - 1 are used */
  marea_real *c;
  size_t ldc;
  bool accumulate;
} marea_product;

typedef struct marea_product_table {
  size_t lanes; /* elements of a vector */
  void (*product)(const marea_product *p);
  /* Packs op(B) (k, n) into panels of PANEL_VECTORS vectors, zero-padding the columns up to a
   * multiple of lanes; element (i, j) of op(B) is b[i * row + j * column]. The result takes
   * k * round_up(n, lanes) elements: panel after panel, each (k, panel width). */
  void (*pack)(marea_real *panels, const marea_real *b, size_t row, size_t column, size_t k,
               size_t n);
  /* out (m, n) (+)= A B' for few rows: a (m, k) with lda, b (n, k) with ldb; k a multiple of lanes.
   * B is read once, as it lies. */
  void (*dots)(marea_real *out, size_t ldo, const marea_real *a, size_t lda, const marea_real *b,
               size_t ldb, size_t m, size_t n, size_t k, bool accumulate);
  /* y[j] += sum over i < rows of x[i * ldx + j], j < n, n a multiple of lanes. */
  void (*sum_rows)(marea_real *y, const marea_real *x, size_t ldx, size_t rows, size_t n);
} marea_product_table;

MAREA_TABLES(marea_products, const marea_product_table);

static inline size_t marea_round_up(size_t n, size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

#endif
