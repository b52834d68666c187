/* Speed of the recurrent kernels: forward and backward (all gradients), and inference, in samples
 * a second and GFLOP/s, best of several rounds. Not a test.
 *
 *   bench_recurrent [threads] [cell B T D H]     e.g. bench_recurrent 2 lstm 32 200 32 32 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "kernels/recurrent.h"
#include "kernels/simd.h"

static const char *const cell_names[MAREA_CELL_COUNT] = {
    "rnn", "lstm", "gru", "gru_before", "lstm_coupled", "simple_gru", "simple_gru_x", "mgu"};

enum { PLAIN, HALF_MASKED, RECURRENT_DROPOUT, INFERENCE, MODES };
static const char *const mode_names[] = {"training", "half masked", "recurrent dropout",
                                         "inference"};

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static marea_real *numbers(size_t n, double deviation, uint64_t id) {
  marea_real *x = marea_alloc_array(n, sizeof *x);
  marea_stream stream = marea_stream_new(1, id);
  marea_stream_fill_normal(&stream, x, n, 0, deviation);
  return x;
}

static double run(const marea_recurrent *layer, int mode) {
  size_t B = layer->batch, T = layer->time, D = layer->input, H = layer->hidden;
  size_t G = marea_cell_gates(layer->cell), bytes;
  marea_recurrent_weights weights = {.kernel = numbers(D * G * H, 0.1, 1),
                                     .recurrent_kernel = numbers(H * G * H, 0.1, 2),
                                     .bias = numbers(2 * G * H, 0.1, 3)};
  marea_recurrent_inputs inputs = {.x = numbers(B * T * D, 1, 4)};
  unsigned char *mask = marea_alloc(B * T);
  for (size_t i = 0; i < B * T; i++) mask[i] = i % T >= T / 2;
  if (mode == HALF_MASKED) inputs.mask = mask;
  marea_real *multipliers = numbers(B * G * H, 1, 6);
  if (mode == RECURRENT_DROPOUT) {
    inputs.recurrent_dropout = multipliers;
    inputs.recurrent_dropout_gates = G;
  }
  marea_recurrent_outputs outputs = {.y = numbers(B * T * H, 1, 7)};
  marea_recurrent_output_gradients given = {.y = numbers(B * T * H, 1, 8)};
  marea_recurrent_gradients gradients = {.x = numbers(B * T * D, 0, 9),
                                         .kernel = numbers(D * G * H, 0, 9),
                                         .recurrent_kernel = numbers(H * G * H, 0, 9),
                                         .bias = numbers(2 * G * H, 0, 9)};
  if (marea_recurrent_workspace(layer, &bytes) != MAREA_OK) exit(1);
  void *workspace = marea_alloc(bytes);
  double best = 1e30, until = seconds() + 1.2;
  for (int round = 0; round < 3 || seconds() < until; round++) {
    double start = seconds();
    marea_recurrent_forward(layer, &weights, &inputs, &outputs, workspace);
    if (layer->keep)
      marea_recurrent_backward(layer, &weights, &inputs, &given, &gradients, workspace);
    double took = seconds() - start;
    if (took < best) best = took;
  }
  void *const blocks[] = {(void *)weights.kernel,
                          (void *)weights.recurrent_kernel,
                          (void *)weights.bias,
                          (void *)inputs.x,
                          mask,
                          multipliers,
                          outputs.y,
                          (void *)given.y,
                          gradients.x,
                          gradients.kernel,
                          gradients.recurrent_kernel,
                          gradients.bias,
                          workspace};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) marea_free(blocks[i]);
  return best;
}

static void report(marea_recurrent layer) {
  double flops = 2.0 * (double)(layer.input + layer.hidden) * (double)layer.hidden *
                 (double)marea_cell_gates(layer.cell) * (double)(layer.batch * layer.time);
  for (int mode = 0; mode < MODES; mode++) {
    layer.keep = mode != INFERENCE;
    double took = run(&layer, mode);
    printf("%-12s B %3zu T %3zu D %3zu H %3zu  %-17s %10.0f samples/s %7.1f GFLOP/s  %9.3f ms\n",
           cell_names[layer.cell], layer.batch, layer.time, layer.input, layer.hidden,
           mode_names[mode], (double)layer.batch / took, (layer.keep ? 3 : 1) * flops / took * 1e-9,
           took * 1e3);
  }
}

int main(int count, char **words) {
  static const size_t sizes[][4] = {
      {32, 200, 32, 32}, {128, 200, 100, 128}, {64, 128, 512, 512}, {1, 1, 128, 128}};
  if (count > 1) marea_threads_set(atoi(words[1]));
  printf("%s, %s, %d threads\n", MAREA_REAL_NAME, marea_isa_name(marea_isa_level()),
         marea_threads());
  for (int cell = 0; cell < MAREA_CELL_COUNT; cell++) {
    marea_recurrent layer = {
        .cell = (marea_cell)cell, .activation = MAREA_TANH, .recurrent_activation = MAREA_SIGMOID};
    if (count > 2 && strcmp(words[2], cell_names[cell]) != 0) continue;
    if (count > 6) {
      layer.batch = strtoul(words[3], NULL, 10);
      layer.time = strtoul(words[4], NULL, 10);
      layer.input = strtoul(words[5], NULL, 10);
      layer.hidden = strtoul(words[6], NULL, 10);
      report(layer);
      continue;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      layer.batch = sizes[i][0];
      layer.time = sizes[i][1];
      layer.input = sizes[i][2];
      layer.hidden = sizes[i][3];
      report(layer);
    }
  }
  marea_threads_stop();
  return 0;
}
