/* Three ways for a product, chosen by its sizes and the instruction set: OpenBLAS in one call;
 * OpenBLAS on blocks of C, shared among the threads, for large products; and the register tiles
 * of kernels/simd where OpenBLAS 0.3.21 was measured to be behind them: its AVX2 and older
 * kernels at small products, whose AVX-512 forms are near the peak (bench_gemm). */
#include "kernels/gemm.h"

#include <cblas.h>
#include <stdatomic.h>

#include "base/threads.h"
#include "kernels/simd/product.h"

#ifdef MAREA_DOUBLE
#define BLAS_GEMM cblas_dgemm
#define BLAS_GEMV cblas_dgemv
#else
#define BLAS_GEMM cblas_sgemm
#define BLAS_GEMV cblas_sgemv
#endif

enum {
  SMALL_DEPTH = 512, /* of products by our own tiles */
  SMALL_ROWS = 4,    /* up to which OpenBLAS copies more than it computes */
  TAIL_ROWS = 128,   /* of a last, partial vector of columns at a time */
  LANES_MOST = 16,   /* elements of the widest vector */
  LEAST_BLOCK = 64,  /* rows or columns of a block of a large product */
  MOST_BLOCKS = 8    /* each block packs its part of A and B again */
};
static const double SMALL_PRODUCT = 1e5; /* m n k */
static const double LARGE_PRODUCT = 2e6;

typedef struct product {
  bool transpose_a, transpose_b;
  size_t m, n, k, lda, ldb, ldc;
  marea_real alpha, beta;
  const marea_real *a, *b;
  marea_real *c;
} product;

/* ---- OpenBLAS ---- */

/* OpenBLAS works on the calling thread alone: this library cuts the work itself. Its build with
 * threads of its own has one setting for the process. Its OpenMP build keeps the setting with each
 * thread, so every worker says it for itself, from its start on. */
static void limit_worker(void) {
  if (openblas_get_parallel() == OPENBLAS_OPENMP) openblas_set_num_threads(1);
}

__attribute__((constructor)) static void prepare_workers(void) {
  marea_threads_on_start(limit_worker);
}

static void limit_blas(void) {
  static atomic_flag done = ATOMIC_FLAG_INIT;
  if (!atomic_flag_test_and_set(&done)) openblas_set_num_threads(1);
}

static void blas(const product *p) {
  BLAS_GEMM(CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans,
            p->transpose_b ? CblasTrans : CblasNoTrans, (blasint)p->m, (blasint)p->n, (blasint)p->k,
            p->alpha, p->a, (blasint)p->lda, p->b, (blasint)p->ldb, p->beta, p->c, (blasint)p->ldc);
}

typedef struct blocks {
  const product *whole;
  size_t rows, columns, across; /* of a block; blocks side by side */
} blocks;

static void block_piece(void *context, size_t piece) {
  const blocks *b = context;
  product p = *b->whole;
  size_t row = piece / b->across * b->rows, column = piece % b->across * b->columns;
  p.a += p.transpose_a ? row : row * p.lda;
  p.b += p.transpose_b ? column * p.ldb : column;
  p.c += row * p.ldc + column;
  p.m = p.m - row < b->rows ? p.m - row : b->rows;
  p.n = p.n - column < b->columns ? p.n - column : b->columns;
  blas(&p);
}

/* Length of a block along a side, a multiple of LEAST_BLOCK. */
static size_t block_length(size_t side, size_t most_blocks) {
  return marea_pieces(marea_pieces(side, most_blocks), LEAST_BLOCK) * LEAST_BLOCK;
}

/* Blocks of rows; of columns when C is wide and low. */
static void large(const product *p) {
  blocks b = {p, p->m, p->n, 1};
  if (p->m >= p->n || p->m >= 2 * LEAST_BLOCK * 2)
    b.rows = block_length(p->m, MOST_BLOCKS);
  else
    b.columns = block_length(p->n, MOST_BLOCKS);
  b.across = marea_pieces(p->n, b.columns);
  marea_parallel(marea_pieces(p->m, b.rows) * b.across, block_piece, &b);
}

/* ---- own tiles: B as stored, alpha = 1, beta = 0 or 1 ---- */

/* The last n % lanes columns: B's are packed with zeros behind, C's go through a buffer. */
static void tail_columns(const marea_product_table *table, const product *p, size_t first) {
  _Alignas(64) marea_real panel[SMALL_DEPTH * LANES_MOST], out[TAIL_ROWS * LANES_MOST];
  size_t columns = p->n - first, lanes = table->lanes;
  table->pack(panel, p->b + first, p->ldb, 1, p->k, columns);
  for (size_t row = 0; row < p->m; row += TAIL_ROWS) {
    size_t rows = p->m - row < TAIL_ROWS ? p->m - row : TAIL_ROWS;
    marea_product tiles = {.m = rows,
                           .n = lanes,
                           .k = p->k,
                           .a = p->a + (p->transpose_a ? row : row * p->lda),
                           .a_row = p->transpose_a ? 1 : p->lda,
                           .a_column = p->transpose_a ? p->lda : 1,
                           .b = panel,
                           .packed_depth = p->k,
                           .c = out,
                           .ldc = lanes,
                           .accumulate = p->beta != 0};
    marea_real *c = p->c + row * p->ldc + first;
    for (size_t i = 0; i < rows && p->beta != 0; i++)
      for (size_t j = 0; j < lanes; j++) out[i * lanes + j] = j < columns ? c[i * p->ldc + j] : 0;
    table->product(&tiles);
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < columns; j++) c[i * p->ldc + j] = out[i * lanes + j];
  }
}

static void small(const product *p) {
  const marea_product_table *table = MAREA_PICK(marea_products);
  size_t whole = p->n / table->lanes * table->lanes;
  marea_product tiles = {.m = p->m,
                         .n = whole,
                         .k = p->k,
                         .a = p->a,
                         .a_row = p->transpose_a ? 1 : p->lda,
                         .a_column = p->transpose_a ? p->lda : 1,
                         .b = p->b,
                         .ldb = p->ldb,
                         .c = p->c,
                         .ldc = p->ldc,
                         .accumulate = p->beta != 0};
  if (whole > 0) table->product(&tiles);
  if (whole < p->n) tail_columns(table, p, whole);
}

static bool suits_tiles(const product *p) {
  if (marea_isa_level() >= MAREA_ISA_V4 || p->transpose_b || p->alpha != 1 ||
      (p->beta != 0 && p->beta != 1))
    return false;
  return p->n >= MAREA_PICK(marea_products)->lanes && p->k <= SMALL_DEPTH &&
         (p->m <= SMALL_ROWS || (double)p->m * (double)p->n * (double)p->k <= SMALL_PRODUCT);
}

/* ---- any product ---- */

static void scale_only(const product *p) {
  for (size_t i = 0; i < p->m; i++)
    for (size_t j = 0; j < p->n; j++) {
      marea_real *c = p->c + i * p->ldc + j;
      *c = p->beta == 0 ? 0 : p->beta * *c;
    }
}

static void run(const product *p) {
  if (p->m == 0 || p->n == 0) return;
  if (p->k == 0)
    scale_only(p);
  else if (suits_tiles(p))
    small(p);
  else if ((double)p->m * (double)p->n * (double)p->k < LARGE_PRODUCT)
    blas(p);
  else
    large(p);
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
  if (transpose_a)
    marea_gemm(false, false, 1, n, m, alpha, x, m, a, lda, beta, y, n);
  else
    marea_gemm(false, false, m, 1, n, alpha, a, lda, x, 1, beta, y, 1);
}
