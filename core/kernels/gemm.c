#include "kernels/gemm.h"

#include <cblas.h>
#include <string.h>

void marea_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, marea_real alpha,
                const marea_real *a, size_t lda, const marea_real *b, size_t ldb, marea_real beta,
                marea_real *c, size_t ldc) {
  if (m == 0 || n == 0) return;
#ifdef MAREA_DOUBLE
  cblas_dgemm(
#else
  cblas_sgemm(
#endif
      CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
      transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b,
      (int)ldb, beta, c, (int)ldc);
}

void marea_gemm_batched(size_t count, bool transpose_a, bool transpose_b, size_t m, size_t n,
                        size_t k, marea_real alpha, const marea_real *a, size_t lda,
                        size_t stride_a, const marea_real *b, size_t ldb, size_t stride_b,
                        marea_real beta, marea_real *c, size_t ldc, size_t stride_c) {
  for (size_t i = 0; i < count; i++)
    marea_gemm(transpose_a, transpose_b, m, n, k, alpha, a + i * stride_a, lda, b + i * stride_b,
               ldb, beta, c + i * stride_c, ldc);
}

void marea_gemv(bool transpose_a, size_t m, size_t n, marea_real alpha, const marea_real *a,
                size_t lda, const marea_real *x, marea_real beta, marea_real *y) {
  if (transpose_a)
    marea_gemm(false, false, 1, n, m, alpha, x, m, a, lda, beta, y, n);
  else
    marea_gemm(false, false, m, 1, n, alpha, a, lda, x, 1, beta, y, 1);
}
