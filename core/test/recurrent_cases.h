/* Random layers for the tests of the recurrent kernels. */
#ifndef MAREA_TEST_RECURRENT_CASES_H
#define MAREA_TEST_RECURRENT_CASES_H

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "kernels/simd.h"
#include "test/recurrent_naive.h"

enum { CASE_ARRAYS = 24 };

/* Everything that a call takes and gives; all arrays are filled. */
typedef struct layer_case {
  marea_recurrent layer;
  marea_recurrent_weights weights;
  marea_recurrent_inputs inputs;
  marea_recurrent_outputs outputs;
  marea_recurrent_output_gradients given;
  marea_recurrent_gradients gradients;
  unsigned char *mask;
  marea_real *arrays[CASE_ARRAYS];
  size_t sizes[CASE_ARRAYS];
  size_t count;
  marea_stream stream;
} layer_case;

static inline marea_real *case_array(layer_case *c, size_t n, double deviation) {
  marea_real *x = marea_alloc_array(n, sizeof *x);
  marea_stream_fill_normal(&c->stream, x, n, 0, deviation);
  c->sizes[c->count] = n;
  return c->arrays[c->count++] = x;
}

/* A mask with full, empty, left-, right-padded and pierced rows. */
static inline void case_mask(layer_case *c) {
  size_t T = c->layer.time;
  c->mask = marea_alloc(c->layer.batch * T);
  for (size_t b = 0; b < c->layer.batch; b++) {
    size_t length = (size_t)marea_stream_below(&c->stream, T + 1);
    for (size_t t = 0; t < T; t++) {
      unsigned char visible[] = {1, 0, t < length, t >= length,
                                 (unsigned char)(2 * marea_stream_below(&c->stream, 2))};
      c->mask[b * T + t] = visible[b % 5 == 1 && b > 5 ? 4 : b % 5];
    }
  }
  c->inputs.mask = c->mask;
}

/* `bits` choose the extras: 1 mask, 2 initial states, 4 shared dropout, 8 dropout a gate,
 * 16 backwards, 32 original order, 64 zero masked outputs. */
static inline layer_case case_new(marea_recurrent layer, unsigned bits, uint64_t seed) {
  layer_case c = {.layer = layer, .stream = marea_stream_new(seed, 7)};
  size_t B = layer.batch, T = layer.time, D = layer.input, H = layer.hidden;
  size_t G = marea_cell_gates(layer.cell), n = bits & 8 ? G : 1;
  c.layer.backwards = bits & 16;
  c.layer.original_order = bits & 32;
  c.layer.masked_output = bits & 64 ? MAREA_MASKED_ZERO : MAREA_MASKED_REPEATS;
  c.weights.kernel = case_array(&c, D * G * H, 0.5);
  c.weights.recurrent_kernel = case_array(&c, H * G * H, 1 / sqrt((double)H));
  c.weights.bias = case_array(&c, marea_cell_biases(layer.cell, H), 0.5);
  c.inputs.x = case_array(&c, B * T * D, 1);
  if (bits & 1) case_mask(&c);
  if (bits & 2) {
    c.inputs.initial[0] = case_array(&c, B * H, 0.7);
    c.inputs.initial[1] = case_array(&c, B * H, 0.7);
  }
  if (bits & 12) {
    c.inputs.input_dropout_gates = c.inputs.recurrent_dropout_gates = n;
    c.inputs.input_dropout = case_array(&c, B * n * D, 1);
    c.inputs.recurrent_dropout = case_array(&c, B * n * H, 1);
  }
  c.outputs.y = case_array(&c, B * T * H, 1);
  c.outputs.y_last = case_array(&c, B * H, 1);
  c.outputs.last[0] = case_array(&c, B * H, 1);
  c.outputs.last[1] = case_array(&c, B * H, 1);
  c.given.y = case_array(&c, B * T * H, 1);
  c.given.y_last = case_array(&c, B * H, 1);
  c.given.last[0] = case_array(&c, B * H, 1);
  c.given.last[1] = case_array(&c, B * H, 1);
  c.gradients.x = case_array(&c, B * T * D, 0);
  c.gradients.kernel = case_array(&c, D * G * H, 0);
  c.gradients.recurrent_kernel = case_array(&c, H * G * H, 0);
  c.gradients.bias = case_array(&c, marea_cell_biases(layer.cell, H), 0);
  c.gradients.initial[0] = case_array(&c, B * H, 0);
  c.gradients.initial[1] = case_array(&c, B * H, 0);
  if (marea_cell_states(layer.cell) == 1) {
    c.inputs.initial[1] = c.given.last[1] = NULL;
    c.outputs.last[1] = c.gradients.initial[1] = NULL;
  }
  return c;
}

static inline void case_free(layer_case *c) {
  for (size_t i = 0; i < c->count; i++) marea_free(c->arrays[i]);
  marea_free(c->mask);
}

/* Forward, and with keep backward, in a workspace full of NaN. */
static inline void case_run(layer_case *c) {
  size_t bytes = 0;
  CHECK(marea_recurrent_workspace(&c->layer, &bytes) == MAREA_OK);
  void *workspace = marea_alloc(bytes);
  memset(workspace, 0xff, bytes);
  CHECK(marea_recurrent_forward(&c->layer, &c->weights, &c->inputs, &c->outputs, workspace) ==
        MAREA_OK);
  if (c->layer.keep)
    CHECK(marea_recurrent_backward(&c->layer, &c->weights, &c->inputs, &c->given, &c->gradients,
                                   workspace) == MAREA_OK);
  marea_free(workspace);
}

static inline void case_run_naive(layer_case *c) {
  naive n = naive_new(&c->layer, &c->weights, &c->inputs);
  naive_forward(&n, &c->outputs);
  if (c->layer.keep) naive_backward(&n, &c->given, &c->gradients);
  naive_free(&n);
}

/* Largest difference between the arrays of two cases, relative to 1 + size of the array's largest
 * element; NaN counts as infinite. */
static inline double case_distance(const layer_case *a, const layer_case *b) {
  double worst = 0;
  for (size_t i = 0; i < a->count; i++) {
    double size = 1, most = 0;
    for (size_t j = 0; j < a->sizes[i]; j++) {
      double difference = fabs((double)a->arrays[i][j] - (double)b->arrays[i][j]);
      if (!(difference < 1e30)) difference = 1e30;
      if (difference > most) most = difference;
      if (fabs((double)b->arrays[i][j]) > size) size = fabs((double)b->arrays[i][j]);
    }
    if (most / size > worst) worst = most / size;
  }
  return worst;
}

static inline bool case_equal(const layer_case *a, const layer_case *b) {
  for (size_t i = 0; i < a->count; i++)
    if (memcmp(a->arrays[i], b->arrays[i], a->sizes[i] * sizeof(marea_real)) != 0) return false;
  return true;
}

#endif
