/* GFLOP/s of marea_gemm at the shapes that models use, best of several rounds. Not a test.
 *   bench_gemm [threads]     MAREA_ISA and OPENBLAS_CORETYPE choose the kernels. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/gemm.h"

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double measure(bool ta, bool tb, size_t m, size_t n, size_t k, marea_real *a, marea_real *b,
                      marea_real *c) {
  double flops = 2.0 * (double)m * (double)n * (double)k, best = 0;
  size_t times = (size_t)(2e7 / flops) + 1;
  for (double until = seconds() + 0.15; seconds() < until;) {
    double start = seconds();
    for (size_t i = 0; i < times; i++)
      marea_gemm(ta, tb, m, n, k, 1, a, ta ? m : k, b, tb ? k : n, 0, c, n);
    double rate = flops * (double)times / (seconds() - start) * 1e-9;
    if (rate > best) best = rate;
  }
  return best;
}

int main(int count, char **words) {
  static const size_t sizes[][3] = {
      {1, 128, 32},       {1, 512, 128},    {8, 8, 8},        {16, 50, 30},    {32, 1, 128},
      {32, 32, 32},       {32, 128, 32},    {32, 512, 128},   {33, 100, 77},   {128, 128, 128},
      {128, 512, 128},    {100, 512, 6400}, {6400, 100, 512}, {200, 200, 200}, {512, 512, 512},
      {1024, 1024, 1024}, {32, 10000, 100}, {6400, 1, 32}};
  marea_threads_set(count > 1 ? atoi(words[1]) : 1);
  size_t most = (size_t)6400 * 1024;
  marea_real *a = marea_alloc_zero(most, sizeof *a), *b = marea_alloc_zero(most, sizeof *b);
  marea_real *c = marea_alloc_zero(most, sizeof *c);
  printf("     m     n     k       NN       NT       TN       TT\n");
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    printf("%6zu%6zu%6zu", sizes[i][0], sizes[i][1], sizes[i][2]);
    for (int form = 0; form < 4; form++)
      printf("%9.1f", measure(form & 2, form & 1, sizes[i][0], sizes[i][1], sizes[i][2], a, b, c));
    printf("\n");
  }
  marea_free(a);
  marea_free(b);
  marea_free(c);
  marea_threads_stop();
  return 0;
}
