/* Matrix products against the naive triple loop, at every instruction set; thread invariance. */
#include "test/test.h"

#include "base/random.h"
#include "base/threads.h"
#include "kernels/gemm.h"
#include "kernels/simd.h"

static const double tolerance = sizeof(marea_real) == 8 ? 1e-12 : 1e-4;

enum { MOST = 200 * 300 };
static marea_real a[MOST], b[MOST], c[MOST], truth[MOST];

static void fill(void) {
  marea_stream stream = marea_stream_new(9, 9);
  marea_stream_fill_normal(&stream, a, MOST, 0, 1);
  marea_stream_fill_normal(&stream, b, MOST, 0, 1);
}

static void check(bool ta, bool tb, size_t m, size_t n, size_t k, marea_real alpha,
                  marea_real beta) {
  size_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
  for (size_t i = 0; i < m * ldc; i++)
    c[i] = truth[i] = beta == 0 ? (marea_real)NAN : (marea_real)(i % 7);
  marea_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      double sum = 0;
      for (size_t l = 0; l < k; l++)
        sum +=
            (double)a[ta ? l * lda + i : i * lda + l] * (double)b[tb ? j * ldb + l : l * ldb + j];
      double old = beta == 0 ? 0 : (double)beta * (double)truth[i * ldc + j];
      if (!CHECK_NEAR(c[i * ldc + j], (double)alpha * sum + old, tolerance * 5)) {
        fprintf(stderr, "  %d %d (%zu, %zu, %zu)\n", ta, tb, m, n, k);
        return;
      }
    }
  for (size_t i = 0; i < m; i++) /* what lies between the rows stays */
    CHECK(memcmp(c + i * ldc + n, truth + i * ldc + n, 2 * sizeof *c) == 0);
}

static void test_forms(void) {
  static const size_t sizes[][3] = {{1, 1, 1},   {1, 37, 5},  {3, 16, 0},    {5, 17, 3},
                                    {7, 64, 33}, {33, 1, 20}, {130, 20, 70}, {65, 129, 40}};
  for (int form = 0; form < 4; form++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      size_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
      check(form & 2, form & 1, m, n, k, 1, 0);
      check(form & 2, form & 1, m, n, k, 1, 1);
      check(form & 2, form & 1, m, n, k, (marea_real)-0.5, 2);
      check(form & 2, form & 1, m, n, k, 0, 1);
    }
}

static void test_gemv(void) {
  marea_real y[60];
  for (int transpose = 0; transpose < 2; transpose++) {
    size_t m = 41, n = 23, out = transpose ? n : m, in = transpose ? m : n;
    for (size_t i = 0; i < out; i++) y[i] = 1;
    marea_gemv(transpose, m, n, 2, a, 30, b, 3, y);
    for (size_t i = 0; i < out; i++) {
      double sum = 0;
      for (size_t j = 0; j < in; j++)
        sum += (double)a[transpose ? j * 30 + i : i * 30 + j] * (double)b[j];
      CHECK_NEAR(y[i], 2 * sum + 3, tolerance * 5);
    }
  }
}

static void test_batched(void) {
  marea_gemm_batched(5, false, true, 4, 6, 3, 1, a, 3, 12, b, 3, 0, 0, c, 6, 24);
  for (size_t i = 0; i < 5; i++) {
    marea_gemm(false, true, 4, 6, 3, 1, a + 12 * i, 3, b, 3, 0, truth, 6);
    CHECK(memcmp(truth, c + 24 * i, 24 * sizeof *c) == 0);
  }
}

static void test_threads_do_not_matter(void) {
  static const size_t sizes[][3] = {{200, 290, 150}, {64, 900, 60}, {40, 40, 1400}};
  for (size_t i = 0; i < 3; i++)
    for (int form = 0; form < 4; form++) {
      size_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2], bytes = m * n * sizeof *c;
      for (int threads = 1; threads <= 8; threads *= 2) {
        CHECK(marea_threads_set(threads) == MAREA_OK);
        marea_gemm(form & 2, form & 1, m, n, k, 1, a, form & 2 ? m : k, b, form & 1 ? k : n, 0, c,
                   n);
        if (threads == 1) memcpy(truth, c, bytes);
        CHECK(memcmp(truth, c, bytes) == 0);
      }
    }
}

int main(void) {
  fill();
  marea_isa highest = marea_isa_level();
  for (int level = 0; level <= (int)highest; level++) {
    CHECK(marea_isa_set((marea_isa)level) == MAREA_OK);
    test_forms();
    test_gemv();
    test_batched();
    test_threads_do_not_matter();
  }
  marea_threads_stop();
  return test_end();
}
