#include "kernels/gemm.h"

#include <cblas.h>
#include <stdatomic.h>

#include "base/threads.h"

#ifdef MAREA_DOUBLE
#define BLAS_GEMM cblas_dgemm
#define BLAS_GEMV cblas_dgemv
#else
#define BLAS_GEMM cblas_sgemm
#define BLAS_GEMV cblas_sgemv
#endif

/* Rows of C in one piece, and the product size (m n k) from which pieces are worth a thread. */
enum { ROWS_A_PIECE = 64 };
static const double WORTH_SPLITTING = 1 << 20;

/* OpenBLAS works on the calling thread alone: this library cuts the work itself, by size, so that
 * the bits do not depend on the number of threads. The OpenMP build keeps its setting per thread,
 * hence the call in each worker. */
static void one_blas_thread(void) {
  openblas_set_num_threads(1);
}

static void limit_blas(void) {
  static atomic_flag done = ATOMIC_FLAG_INIT;
  if (atomic_flag_test_and_set(&done)) return;
  one_blas_thread();
  marea_threads_on_start(one_blas_thread);
}

typedef struct product {
  bool transpose_a, transpose_b;
  size_t m, n, k, lda, ldb, ldc;
  marea_real alpha, beta;
  const marea_real *a, *b;
  marea_real *c;
} product;

static void multiply(const product *p, size_t first, size_t rows) {
  const marea_real *a = p->a + (p->transpose_a ? first : first * p->lda);
  BLAS_GEMM(CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans,
            p->transpose_b ? CblasTrans : CblasNoTrans, (blasint)rows, (blasint)p->n, (blasint)p->k,
            p->alpha, a, (blasint)p->lda, p->b, (blasint)p->ldb, p->beta, p->c + first * p->ldc,
            (blasint)p->ldc);
}

static void multiply_piece(void *context, size_t piece) {
  const product *p = context;
  size_t first = piece * ROWS_A_PIECE;
  multiply(p, first, p->m - first < ROWS_A_PIECE ? p->m - first : ROWS_A_PIECE);
}

static void scale_only(const product *p) {
  for (size_t i = 0; i < p->m; i++)
    for (size_t j = 0; j < p->n; j++) {
      marea_real *c = p->c + i * p->ldc + j;
      *c = p->beta == 0 ? 0 : p->beta * *c;
    }
}

static void run(const product *p) {
  if (p->m == 0 || p->n == 0) return;
  if (p->k == 0) {
    scale_only(p);
  } else if ((double)p->m * (double)p->n * (double)p->k < WORTH_SPLITTING) {
    multiply(p, 0, p->m);
  } else {
    marea_parallel(marea_pieces(p->m, ROWS_A_PIECE), multiply_piece, (void *)(size_t)p);
  }
}

void marea_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, marea_real alpha,
                const marea_real *a, size_t lda, const marea_real *b, size_t ldb, marea_real beta,
                marea_real *c, size_t ldc) {
  limit_blas();
  product p = {transpose_a, transpose_b, m, n, k, lda, ldb, ldc, alpha, beta, a, b, c};
  run(&p);
}

typedef struct batch {
  product first;
  size_t stride_a, stride_b, stride_c;
} batch;

static void multiply_member(void *context, size_t i) {
  const batch *all = context;
  product p = all->first;
  p.a += i * all->stride_a;
  p.b += i * all->stride_b;
  p.c += i * all->stride_c;
  run(&p);
}

void marea_gemm_batched(size_t count, bool transpose_a, bool transpose_b, size_t m, size_t n,
                        size_t k, marea_real alpha, const marea_real *a, size_t lda,
                        size_t stride_a, const marea_real *b, size_t ldb, size_t stride_b,
                        marea_real beta, marea_real *c, size_t ldc, size_t stride_c) {
  limit_blas();
  batch all = {{transpose_a, transpose_b, m, n, k, lda, ldb, ldc, alpha, beta, a, b, c},
               stride_a,
               stride_b,
               stride_c};
  marea_parallel(count, multiply_member, &all);
}

void marea_gemv(bool transpose_a, size_t m, size_t n, marea_real alpha, const marea_real *a,
                size_t lda, const marea_real *x, marea_real beta, marea_real *y) {
  limit_blas();
  BLAS_GEMV(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, alpha,
            a, (blasint)lda, x, 1, beta, y, 1);
}
