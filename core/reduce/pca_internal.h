/* The two ways to principal components; pca.c chooses and completes. */
#ifndef MAREA_REDUCE_PCA_INTERNAL_H
#define MAREA_REDUCE_PCA_INTERNAL_H

#include <stdbool.h>

#include "reduce/pca.h"

/* product (l, l) = A A' for A (l, m) or, transposed, A' A for A (m, l): products of fixed blocks
 * of m, added up in double precision. */
marea_status marea_pca_square(bool transposed, const marea_real *a, size_t l, size_t m,
                              double *product);

/* Fill components and singular from centred rows (N, D); signs are left as they come. */
marea_status marea_pca_exact(marea_pca *pca, const marea_real *centred, size_t n);
marea_status marea_pca_randomised(marea_pca *pca, const marea_real *centred, size_t n,
                                  uint64_t seed);

/* components from the eigenvectors `vectors` (count, n) of the rows' products: v = X' u / s. Rows
 * of singular value 0 become unit vectors at right angles to the others. */
marea_status marea_pca_from_rows(marea_pca *pca, const marea_real *centred, size_t n,
                                 const double *vectors);

#endif
