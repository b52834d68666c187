/* Parameters, gradients and options for the tests of the optimizers. */
#ifndef MAREA_TEST_OPTIMIZER_CASES_H
#define MAREA_TEST_OPTIMIZER_CASES_H

#include "autodiff/tape.h"
#include "base/random.h"
#include "test/test.h"
#include "train/optimizer.h"

static inline marea_tensor *vector(int64_t n, double value) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, &n);
  marea_tensor_fill(x, value);
  return x;
}

static inline void give_gradient(marea_tensor *x, const marea_real *g) {
  marea_gradient_pass_begin(false);
  CHECK(marea_gradient_add(x, g) == MAREA_OK);
}

/* ---- a table of rows beside a bias ---- */

enum { ROWS = 3001, WIDTH = 7, TOUCHED = 40 };

typedef struct twin {
  marea_optimizer *optimizer;
  marea_tensor *table, *bias;
} twin;

static inline twin make_twin(const marea_optimizer_options *options) {
  marea_stream stream = marea_stream_new(5, 0);
  int64_t bias_size = 3;
  twin t = {marea_optimizer_new(options), marea_tensor_new(MAREA_REAL, 2, (int64_t[]){ROWS, WIDTH}),
            marea_tensor_new(MAREA_REAL, 1, &bias_size)};
  marea_stream_fill_normal(&stream, marea_reals(t.table), (size_t)ROWS * WIDTH, 0, 1);
  CHECK(t.optimizer != NULL);
  CHECK(marea_optimizer_add(t.optimizer, "table", t.table, true) == MAREA_OK);
  CHECK(marea_optimizer_add(t.optimizer, "bias", t.bias, false) == MAREA_OK);
  return t;
}

static inline void free_twin(twin *t) {
  marea_tensor_free(t->table);
  marea_tensor_free(t->bias);
  marea_optimizer_free(t->optimizer);
}

/* Ids may repeat; they include the first and the last row. */
static inline void draw_lookup(marea_stream *stream, int32_t *ids, marea_real *values) {
  for (int i = 0; i < TOUCHED; i++) ids[i] = (int32_t)marea_stream_below(stream, ROWS);
  ids[0] = 0;
  ids[1] = ROWS - 1;
  ids[3] = ids[2];
  marea_stream_fill_normal(stream, values, (size_t)TOUCHED * WIDTH, 0, 1);
}

static inline void spread(const int32_t *ids, const marea_real *values, marea_real *dense) {
  memset(dense, 0, sizeof(marea_real) * ROWS * WIDTH);
  for (int i = 0; i < TOUCHED; i++)
    for (int j = 0; j < WIDTH; j++) dense[ids[i] * WIDTH + j] += values[i * WIDTH + j];
}

static inline void run_twin(twin *t, bool sparse, int steps, marea_step_report *last) {
  static marea_real dense[ROWS * WIDTH];
  marea_real values[TOUCHED * WIDTH], bias_gradient[3] = {1, -2, (marea_real)0.5};
  int32_t ids[TOUCHED];
  marea_stream stream = marea_stream_new(9, (uint64_t)marea_optimizer_iterations(t->optimizer));
  for (int i = 0; i < steps; i++) {
    draw_lookup(&stream, ids, values);
    marea_gradient_pass_begin(false);
    marea_gradient_add(t->bias, bias_gradient);
    if (sparse) {
      CHECK(marea_gradient_add_rows(t->table, ids, TOUCHED, values) == MAREA_OK);
      CHECK(t->table->gradient->sparse);
    } else {
      spread(ids, values, dense);
      marea_gradient_add(t->table, dense);
    }
    CHECK(marea_optimizer_step(t->optimizer, last) == MAREA_OK);
    CHECK(!t->table->gradient->fresh && !t->bias->gradient->fresh);
  }
}

static inline bool same_bits(const marea_tensor *a, const marea_tensor *b) {
  return memcmp(a->data, b->data, marea_tensor_bytes(a)) == 0;
}

static inline bool same_twins(const twin *a, const twin *b) {
  bool same = same_bits(a->table, b->table) && same_bits(a->bias, b->bias);
  for (int64_t i = 0; i < marea_optimizer_slot_count(a->optimizer); i++) {
    const char *parameter, *slot;
    same = same && same_bits(marea_optimizer_slot(a->optimizer, i, &parameter, &slot),
                             marea_optimizer_slot(b->optimizer, i, &parameter, &slot));
  }
  return same;
}

/* Variant 0 … 11 of the options that change what is done with a gradient. */
static inline marea_optimizer_options variant_of(marea_optimizer_kind kind, int variant) {
  marea_optimizer_options options = marea_optimizer_defaults(kind, variant >= 6);
  bool sgd = kind == MAREA_SGD, rmsprop = kind == MAREA_RMSPROP;
  switch (variant % 6) {
  case 1: options.clip.norm = 1; break;
  case 2: options.clip.value = 0.5; break;
  case 3:
    options.clip.global = 2;
    options.average = true;
    options.average_overwrite = 2;
    break;
  case 4:
    options.weight_decay = 0.01;
    options.loss_scale = 3;
    if (sgd || rmsprop) options.momentum = 0.9;
    break;
  case 5:
    options.amsgrad = kind == MAREA_ADAM || kind == MAREA_ADAMW;
    options.nesterov = sgd;
    options.centered = rmsprop;
    if (sgd || rmsprop) options.momentum = 0.5;
    break;
  default: break;
  }
  return options;
}

#endif
