/* Matrix products on plain row-major arrays; the only caller of BLAS.
 *
 * "ld" is the distance in elements between the starts of two rows (at least the row's length).
 * Work is cut by size alone, so the bits do not depend on the number of threads; they do depend
 * on the instruction set and on the BLAS library. Nothing here allocates or fails. */
#ifndef MAREA_KERNELS_GEMM_H
#define MAREA_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

/* C = alpha op(A) op(B) + beta C with op(A) (m, k), op(B) (k, n), C (m, n).
 * transpose_a: A is stored (k, m); transpose_b: B is stored (n, k).
 * beta = 0 never reads C (it may hold anything); k = 0 gives beta C. A and B do not overlap C. */
void marea_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, marea_real alpha,
                const marea_real *a, size_t lda, const marea_real *b, size_t ldb, marea_real beta,
                marea_real *c, size_t ldc);

/* `count` such products; the i-th uses a + i stride_a, b + i stride_b, c + i stride_c. A stride of
 * 0 for a or b shares that matrix among all products; the products' places in c are disjoint. */
void marea_gemm_batched(size_t count, bool transpose_a, bool transpose_b, size_t m, size_t n,
                        size_t k, marea_real alpha, const marea_real *a, size_t lda,
                        size_t stride_a, const marea_real *b, size_t ldb, size_t stride_b,
                        marea_real beta, marea_real *c, size_t ldc, size_t stride_c);

/* y = alpha op(A) x + beta y with A stored (m, n): op(A) = A takes x (n) to y (m), op(A) = A' takes
 * x (m) to y (n). x and y are contiguous. beta = 0 never reads y. */
void marea_gemv(bool transpose_a, size_t m, size_t n, marea_real alpha, const marea_real *a,
                size_t lda, const marea_real *x, marea_real beta, marea_real *y);

#endif
