/* Products of sparse and dense matrices. */
#ifndef MAREA_KERNELS_SPARSE_H
#define MAREA_KERNELS_SPARSE_H

#include "base/csr.h"

/* y (N, U) = a (N, V) w (V, U) + bias (U); bias may be NULL. All dense arrays are row-major and
 * contiguous; y is written over. Rows are shared among the threads, the entries of a row are added
 * in the order of the columns: the same bits for any number of threads. */
void marea_sparse_product(const marea_csr *a, const marea_real *w, size_t U, const marea_real *bias,
                          marea_real *y);

#endif
