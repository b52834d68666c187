/* Fourier transforms and convolutions against their definitions, at every instruction set. */
#include <stdlib.h>

#include "base/random.h"
#include "base/threads.h"
#include "kernels/simd/fourier_steps.h"
#include "reduce/convolution.h"
#include "test.h"

enum { EIGHT = MAREA_FOURIER_LANES, GROUP = MAREA_FOURIER_GROUP };

static const double TURN = 6.283185307179586476925286766559;

static double *random_numbers(size_t count, uint64_t id) {
  marea_stream stream = marea_stream_new(5, id);
  double *x = malloc(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = 2 * marea_stream_uniform(&stream) - 1;
  return x;
}

/* Element k of one of the eight sequences, by the definition; sign -1 is forward. */
static void naive(const double *data, size_t n, size_t lane, size_t k, double sign, double z[2]) {
  z[0] = z[1] = 0;
  for (size_t j = 0; j < n; j++) {
    double angle = sign * TURN * (double)(j * k % n) / (double)n;
    double re = data[j * GROUP + lane], im = data[j * GROUP + EIGHT + lane];
    z[0] += re * cos(angle) - im * sin(angle);
    z[1] += re * sin(angle) + im * cos(angle);
  }
}

static void check_size(size_t n) {
  marea_fourier *plan = marea_fourier_new(n);
  double *x = random_numbers(n * GROUP, n), *data = malloc(2 * n * GROUP * sizeof *data);
  if (!CHECK(plan != NULL)) return;
  for (int inverse = 0; inverse < 2; inverse++) {
    memcpy(data, x, n * GROUP * sizeof *x);
    const double *z = marea_fourier_run(plan, inverse, data, data + n * GROUP);
    double worst = 0;
    for (size_t k = 0; k < n; k++) {
      double expected[2];
      naive(x, n, k % EIGHT, k, inverse ? 1 : -1, expected);
      worst = fmax(worst, fabs(expected[0] - z[k * GROUP + k % EIGHT]));
      worst = fmax(worst, fabs(expected[1] - z[k * GROUP + EIGHT + k % EIGHT]));
    }
    CHECK_NEAR(worst, 0, 2e-15 * (double)(n + 8));
  }
  memcpy(data, x, n * GROUP * sizeof *x);
  double *there = marea_fourier_run(plan, false, data, data + n * GROUP);
  double *other = there == data ? data + n * GROUP : data;
  CHECK(marea_fourier_run(plan, true, there, other) == data);
  double worst = 0;
  for (size_t i = 0; i < n * GROUP; i++) worst = fmax(worst, fabs(data[i] / (double)n - x[i]));
  CHECK_NEAR(worst, 0, 1e-14);
  free(x);
  free(data);
  marea_fourier_free(plan);
}

static void test_sizes(void) {
  for (size_t n = 1; n <= 60; n++)
    if (marea_fourier_size(n) == n || n == 1 || n == 3 || n == 15 || n == 25 || n == 45)
      check_size(n);
  check_size(128);
  check_size(360);
  check_size(1000);
  CHECK(marea_fourier_size(0) == 2 && marea_fourier_size(3) == 4 && marea_fourier_size(7) == 8);
  CHECK(marea_fourier_size(14) == 16 && marea_fourier_size(62) == 64);
  CHECK(marea_fourier_size(75) == 80);
  CHECK(marea_fourier_new(0) == NULL);
  CHECK(marea_fourier_new(77) == NULL);
  CHECK_ERROR("size 77, expected one with the factors 2, 3 and 5");
}

/* ---- convolutions ---- */

static double bell(const void *context, double x, double y) {
  return 1 / (1 + *(const double *)context * (x * x + 2 * y * y));
}

/* used[0] x used[1] numbers in rows of `stride`, zero between. */
static double *random_grid(const size_t used[2], size_t stride) {
  double *grid = random_numbers(used[1] * stride, 7);
  for (size_t i = 0; i < used[1] * stride; i++)
    if (i % stride >= used[0]) grid[i] = 0;
  return grid;
}

static double naive_convolution(const double *grid, const size_t used[2], size_t stride,
                                double scale, size_t column, size_t row) {
  double sum = 0;
  for (size_t i = 0; i < used[1]; i++)
    for (size_t j = 0; j < used[0]; j++)
      sum +=
          grid[i * stride + j] * bell(&scale, (double)column - (double)j, (double)row - (double)i);
  return sum;
}

static void check_convolution(size_t columns, size_t rows, int threads) {
  const double scale = 0.3;
  size_t used[2] = {columns, rows}, stride = marea_pieces(columns, 16) * 16;
  size_t size[2] = {marea_fourier_size(2 * columns), marea_fourier_size(2 * rows)};
  double *grid = random_grid(used, stride), *result = malloc(rows * stride * sizeof *result);
  marea_threads_set(threads);
  marea_convolution *c =
      marea_convolution_new(size, bell, &scale, (const double *const[2]){NULL, NULL});
  if (!CHECK(c != NULL)) return;
  for (int again = 0; again < 2; again++) { /* nothing is left of the first */
    memcpy(result, grid, rows * stride * sizeof *result);
    CHECK(marea_convolution_run(c, used, result, stride) == MAREA_OK);
  }
  double worst = 0;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      worst = fmax(
          worst, fabs(result[i * stride + j] - naive_convolution(grid, used, stride, scale, j, i)));
  CHECK_NEAR(worst, 0, 1e-12);
  marea_convolution_free(c);
  free(grid);
  free(result);
}

/* A divisor of 2 at every frequency along one axis halves the result. */
static void test_divisor(void) {
  const double scale = 1;
  static const double twos[] = {2, 2, 2, 2, 2, 2, 2, 2, 2};
  const size_t size[2] = {16, 12}, used[2] = {1, 1};
  double grid[16] = {3};
  marea_convolution *c =
      marea_convolution_new(size, bell, &scale, (const double *const[2]){twos, NULL});
  CHECK(marea_convolution_run(c, used, grid, 16) == MAREA_OK);
  CHECK_NEAR(grid[0], 1.5, 1e-14);
  marea_convolution_free(c);
}

static void test_bad_input(void) {
  const double scale = 1;
  const double *const none[2] = {NULL, NULL};
  CHECK(marea_convolution_new((const size_t[2]){14, 16}, bell, &scale, none) == NULL);
  CHECK_ERROR("size 14");
  size_t n = 0;
  for (marea_convolution *c = NULL; c == NULL && n < 100;) {
    marea_memory_fail_at(++n);
    c = marea_convolution_new((const size_t[2]){16, 16}, bell, &scale, none);
    marea_memory_fail_at(0);
    marea_convolution_free(c);
    if (c != NULL) break;
  }
  CHECK(n > 5 && n < 100);
}

int main(void) {
  marea_isa highest = marea_isa_level();
  for (int level = 0; level <= (int)highest; level++) {
    CHECK(marea_isa_set((marea_isa)level) == MAREA_OK);
    test_sizes();
    check_convolution(1, 1, 1);
    check_convolution(7, 40, 2);
    check_convolution(16, 3, 1);
    check_convolution(33, 17, 3);
  }
  test_divisor();
  test_bad_input();
  marea_threads_stop();
  return test_end();
}
