/* Prints samples a second of forward + backward for each cell at common sizes. Not a test.
 * Usage: bench_recurrent [threads] [seconds] */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "kernels/recurrent.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static marea_real *numbers(size_t n) {
  marea_real *x = marea_alloc_array(n, sizeof *x);
  marea_stream stream = marea_stream_new(1, n);
  marea_stream_fill_uniform(&stream, x, n, -0.1, 0.1);
  return x;
}

static void measure(const char *name, marea_cell cell, size_t B, size_t T, size_t D, size_t H,
                    double seconds) {
  size_t width = marea_cell_gates(cell) * H, biases = marea_cell_biases(cell, H), bytes = 0;
  marea_recurrent layer = {cell, MAREA_TANH, MAREA_SIGMOID, B, T, D, H, false, false, 0, true};
  marea_real *x = numbers(B * T * D), *dx = numbers(B * T * D), *y = numbers(B * H);
  marea_real *kernel = numbers(D * width), *recurrent = numbers(H * width), *bias = numbers(biases);
  marea_real *dk = numbers(D * width), *du = numbers(H * width), *db = numbers(biases);
  marea_recurrent_weights weights = {kernel, recurrent, bias};
  marea_recurrent_inputs inputs = {.x = x};
  marea_recurrent_outputs outputs = {.y_last = y};
  marea_recurrent_output_gradients given = {.y_last = y};
  marea_recurrent_gradients wanted = {.x = dx, .kernel = dk, .recurrent_kernel = du, .bias = db};
  marea_recurrent_workspace(&layer, &bytes);
  void *workspace = marea_alloc(bytes);
  double best = 1e9, end = now() + seconds;
  do {
    double start = now();
    marea_recurrent_forward(&layer, &weights, &inputs, &outputs, workspace);
    marea_recurrent_backward(&layer, &weights, &inputs, &given, &wanted, workspace);
    double took = now() - start;
    if (took < best) best = took;
  } while (now() < end);
  double flops = 6.0 * (double)(B * T * (D + H) * width);
  printf("%-10s B=%-4zu T=%-4zu D=%-4zu H=%-4zu %9.0f samples/s %7.1f GFLOP/s\n", name, B, T, D, H,
         (double)B / best, flops / best * 1e-9);
  marea_real *all[] = {x, dx, y, kernel, recurrent, bias, dk, du, db};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) marea_free(all[i]);
  marea_free(workspace);
}

int main(int argc, char **argv) {
  double seconds = argc > 2 ? atof(argv[2]) : 1;
  marea_threads_set(argc > 1 ? atoi(argv[1]) : 1);
  static const char *const names[] = {"SimpleRNN", "LSTM", "GRU", "GRU before"};
  static const size_t sizes[][4] = {
      {32, 200, 32, 32}, {128, 200, 100, 128}, {64, 128, 512, 512}, {1, 1, 128, 128}};
  for (size_t i = 0; i < 4; i++)
    for (size_t cell = 0; cell < 4; cell++)
      measure(names[cell], (marea_cell)cell, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3],
              seconds);
  return 0;
}
