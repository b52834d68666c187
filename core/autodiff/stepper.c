#include "autodiff/stepper.h"

#include <string.h>

#include "kernels/gemm.h"

typedef enum stage_kind {
  EMBEDDING,
  RECURRENT,
  DENSE,
  ACTIVATION,
  SOFTMAX,
  LOG_SOFTMAX
} stage_kind;

enum { TENSORS = 5 }; /* kernel (or table), recurrent kernel, bias, h, c */
enum { KERNEL, RECURRENT_KERNEL, BIAS, H, C };
enum { WEIGHTS = H }; /* the tensors before the states */

typedef struct stage {
  stage_kind kind;
  size_t width; /* of the output */
  marea_tensor *tensors[TENSORS];
  marea_recurrent layer;
  marea_activation activation;
  void *workspace;
  marea_real *filled[WEIGHTS]; /* of weights without the first gate's columns: with zeros there */
  marea_real *y, *last[2];     /* (batch, width) */
} stage;

struct marea_stepper {
  size_t batch, features, width; /* width: of the last stage's output */
  stage *stages;
  size_t count, capacity;
};

marea_stepper *marea_stepper_new(int64_t batch, int64_t features) {
  if (batch < 1 || batch > INT32_MAX || features < 0 || features > INT32_MAX) {
    marea_fail(MAREA_RANGE, "stepper: a batch of %lld with %lld features", (long long)batch,
               (long long)features);
    return NULL;
  }
  marea_stepper *s = marea_alloc_zero(1, sizeof *s);
  if (s == NULL) return NULL;
  s->batch = (size_t)batch;
  s->features = s->width = (size_t)features;
  return s;
}

static void free_stage(stage *g) {
  for (int i = 0; i < TENSORS; i++) marea_tensor_free(g->tensors[i]);
  marea_free(g->workspace);
  for (int i = 0; i < WEIGHTS; i++) marea_free(g->filled[i]);
  marea_free(g->y);
  for (int i = 0; i < 2; i++) marea_free(g->last[i]);
}

void marea_stepper_free(marea_stepper *s) {
  if (s == NULL) return;
  for (size_t i = 0; i < s->count; i++) free_stage(&s->stages[i]);
  marea_free(s->stages);
  marea_free(s);
}

int64_t marea_stepper_batch(const marea_stepper *s) {
  return (int64_t)s->batch;
}

int64_t marea_stepper_features(const marea_stepper *s) {
  return (int64_t)s->features;
}

int64_t marea_stepper_width(const marea_stepper *s) {
  return (int64_t)s->width;
}

static marea_status check(const char *what, const marea_tensor *x, int rank, const int64_t *size) {
  char came[MAREA_SHAPE_TEXT_BYTES], wanted[MAREA_SHAPE_TEXT_BYTES];
  if (x == NULL) return MAREA_OK;
  if (x->dtype != MAREA_REAL)
    return marea_fail(MAREA_TYPE, "stepper: %s holds %s, expected reals", what,
                      marea_dtype_name(x->dtype));
  if (x->tape != NULL || !marea_tensor_contiguous(x))
    return marea_fail(MAREA_STATE, "stepper: %s must be owned and contiguous", what);
  bool fits = x->rank == rank;
  for (int i = 0; i < rank && fits; i++) fits = size[i] < 0 || x->size[i] == size[i];
  if (fits) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "stepper: %s is %s, expected %s", what, marea_shape_text(x, came),
                    marea_sizes_text(rank, size, wanted));
}

/* Appends the stage, which then belongs to the stepper; frees it on failure. */
static marea_status append(marea_stepper *s, stage *g) {
  for (int i = 0; i < TENSORS; i++)
    if (g->tensors[i] != NULL) marea_tensor_retain(g->tensors[i]);
  g->y = marea_alloc_array(s->batch * g->width, sizeof(marea_real));
  stage *grown =
      g->y == NULL ? NULL : marea_grow(s->stages, &s->capacity, s->count + 1, sizeof *grown);
  if (grown == NULL) {
    free_stage(g);
    return MAREA_NOMEM;
  }
  s->stages = grown;
  s->stages[s->count++] = *g;
  s->width = g->width;
  return MAREA_OK;
}

marea_status marea_stepper_embedding(marea_stepper *s, marea_tensor *table) {
  if (s->count > 0 || s->features > 0)
    return marea_fail(MAREA_STATE, "stepper: an embedding is the first layer, and takes ids");
  marea_status status = check("the table", table, 2, (int64_t[]){-1, -1});
  if (status != MAREA_OK) return status;
  stage g = {.kind = EMBEDDING, .width = (size_t)table->size[1], .tensors = {table}};
  return append(s, &g);
}

static marea_status need_input(const marea_stepper *s) {
  if (s->width > 0) return MAREA_OK;
  return marea_fail(MAREA_STATE, "stepper: ids go into an embedding first");
}

/* Whether a weight has the columns of one gate alone where there are two, f and h. */
static bool lacks_gate(marea_cell cell, const marea_tensor *x, size_t units) {
  return cell == MAREA_CELL_MGU && x != NULL && x->rank > 0 &&
         x->size[x->rank - 1] == (int64_t)units;
}

static marea_status check_weights(const marea_stepper *s, const marea_recurrent_options *o,
                                  const stage *g) {
  static const char *const names[WEIGHTS] = {"the kernel", "the recurrent kernel", "the bias"};
  int64_t rows[WEIGHTS] = {(int64_t)s->width, (int64_t)g->width, 2};
  marea_status status = MAREA_OK;
  for (int i = 0; i < WEIGHTS && status == MAREA_OK; i++) {
    bool vector = i == BIAS && o->cell != MAREA_CELL_GRU;
    size_t gates = marea_cell_gates(o->cell) - lacks_gate(o->cell, g->tensors[i], g->width);
    int64_t columns = (int64_t)(gates * g->width);
    int64_t size[2] = {vector ? columns : rows[i], columns};
    status = check(names[i], g->tensors[i], vector ? 1 : 2, size);
  }
  return status;
}

static marea_status check_recurrent(const marea_stepper *s, const marea_recurrent_options *o,
                                    const stage *g) {
  int64_t units = (int64_t)g->width, B = (int64_t)s->batch;
  marea_status status = check_weights(s, o, g);
  for (int i = H; i <= C && status == MAREA_OK; i++)
    status = check(i == H ? "state h" : "state c", g->tensors[i], 2, (int64_t[]){B, units});
  if (status == MAREA_OK && (g->tensors[C] != NULL) != (marea_cell_states(o->cell) > 1))
    status = marea_fail(MAREA_ARGUMENT, "stepper: state c belongs to cells that have one");
  return status;
}

/* All that the steps of a recurrent layer write into, but y. */
static marea_status make_room(const marea_stepper *s, stage *g) {
  size_t bytes, gates = marea_cell_gates(g->layer.cell);
  marea_status status = marea_recurrent_workspace(&g->layer, &bytes);
  if (status != MAREA_OK) return status;
  g->workspace = marea_alloc(bytes);
  bool made = g->workspace != NULL;
  for (int i = 0; i < (g->tensors[C] != NULL ? 2 : 1) && made; i++) {
    g->last[i] = marea_alloc_array(s->batch * g->width, sizeof(marea_real));
    made = g->last[i] != NULL;
  }
  for (int i = 0; i < WEIGHTS && made; i++) {
    const marea_tensor *x = g->tensors[i];
    if (!lacks_gate(g->layer.cell, x, g->width)) continue;
    size_t columns = gates * g->width, rows = (size_t)marea_tensor_count(x) / g->width;
    g->filled[i] = marea_alloc_zero(rows * columns, sizeof(marea_real));
    made = g->filled[i] != NULL;
  }
  return made ? MAREA_OK : MAREA_NOMEM;
}

marea_status marea_stepper_recurrent(marea_stepper *s, const marea_recurrent_options *o,
                                     marea_tensor *kernel, marea_tensor *recurrent_kernel,
                                     marea_tensor *bias, marea_tensor *h, marea_tensor *c) {
  marea_status status = need_input(s);
  if (status != MAREA_OK) return status;
  if (kernel == NULL || recurrent_kernel == NULL || h == NULL || marea_cell_gates(o->cell) == 0)
    return marea_fail(MAREA_ARGUMENT, "stepper: a recurrent layer needs a cell, weights and h");
  stage g = {.kind = RECURRENT, .tensors = {kernel, recurrent_kernel, bias, h, c}};
  g.width = recurrent_kernel->rank == 2 ? (size_t)recurrent_kernel->size[0] : 0;
  status = check_recurrent(s, o, &g);
  if (status != MAREA_OK) return status;
  g.layer = (marea_recurrent){.cell = o->cell,
                              .activation = o->activation,
                              .recurrent_activation = o->recurrent_activation,
                              .batch = s->batch,
                              .time = 1,
                              .input = s->width,
                              .hidden = g.width,
                              .z_writes = o->z_writes};
  status = make_room(s, &g);
  if (status == MAREA_OK) return append(s, &g);
  memset(g.tensors, 0, sizeof g.tensors); /* not retained yet */
  free_stage(&g);
  return status;
}

marea_status marea_stepper_dense(marea_stepper *s, marea_tensor *kernel, marea_tensor *bias) {
  marea_status status = need_input(s);
  if (status == MAREA_OK && kernel == NULL)
    status = marea_fail(MAREA_ARGUMENT, "stepper: a dense layer needs a kernel");
  if (status == MAREA_OK)
    status = check("the kernel", kernel, 2, (int64_t[]){(int64_t)s->width, -1});
  if (status == MAREA_OK) status = check("the bias", bias, 1, (int64_t[]){kernel->size[1]});
  if (status != MAREA_OK) return status;
  stage g = {.kind = DENSE, .width = (size_t)kernel->size[1]};
  g.tensors[KERNEL] = kernel;
  g.tensors[BIAS] = bias;
  return append(s, &g);
}

static marea_status append_pointwise(marea_stepper *s, stage_kind kind,
                                     marea_activation activation) {
  marea_status status = need_input(s);
  if (status != MAREA_OK) return status;
  stage g = {.kind = kind, .width = s->width, .activation = activation};
  return append(s, &g);
}

marea_status marea_stepper_activation(marea_stepper *s, marea_activation activation) {
  return append_pointwise(s, ACTIVATION, activation);
}

marea_status marea_stepper_softmax(marea_stepper *s, bool log) {
  return append_pointwise(s, log ? LOG_SOFTMAX : SOFTMAX, MAREA_LINEAR);
}

static const marea_real *reals_or_null(const marea_tensor *x) {
  return x != NULL ? marea_reals(x) : NULL;
}

/* A weight as the kernels want it. Copied anew at each step, which sees what training changes. */
static const marea_real *weight_of(const stage *g, int which) {
  const marea_tensor *x = g->tensors[which];
  marea_real *to = g->filled[which];
  if (to == NULL) return reals_or_null(x);
  size_t columns = marea_cell_gates(g->layer.cell) * g->width, missing = g->width;
  size_t given = columns - missing, rows = (size_t)marea_tensor_count(x) / given;
  for (size_t i = 0; i < rows; i++)
    memcpy(to + i * columns + missing, marea_reals(x) + i * given, given * sizeof *to);
  return to;
}

static marea_status run_recurrent(const marea_stepper *s, stage *g, const marea_real *x) {
  marea_recurrent_weights weights = {.kernel = weight_of(g, KERNEL),
                                     .recurrent_kernel = weight_of(g, RECURRENT_KERNEL),
                                     .bias = weight_of(g, BIAS)};
  marea_recurrent_inputs inputs = {
      .x = x, .initial = {reals_or_null(g->tensors[H]), reals_or_null(g->tensors[C])}};
  marea_recurrent_outputs outputs = {.y_last = g->y, .last = {g->last[0], g->last[1]}};
  marea_status status =
      marea_recurrent_forward(&g->layer, &weights, &inputs, &outputs, g->workspace);
  if (status != MAREA_OK) return status;
  size_t bytes = s->batch * g->width * sizeof(marea_real);
  for (int i = 0; i < 2; i++)
    if (g->last[i] != NULL) memcpy(g->tensors[H + i]->data, g->last[i], bytes);
  return MAREA_OK;
}

static void run_dense(const marea_stepper *s, const stage *g, const marea_real *x) {
  const marea_tensor *kernel = g->tensors[KERNEL];
  size_t D = (size_t)kernel->size[0];
  marea_gemm(false, false, s->batch, g->width, D, 1, x, D, marea_reals(kernel), g->width, 0, g->y,
             g->width);
  if (g->tensors[BIAS] != NULL)
    marea_add_bias(g->y, g->y, marea_reals(g->tensors[BIAS]), s->batch, g->width);
}

static marea_status run_stage(const marea_stepper *s, stage *g, const marea_real *x) {
  switch (g->kind) {
  case RECURRENT: return run_recurrent(s, g, x);
  case DENSE: run_dense(s, g, x); break;
  case ACTIVATION: marea_activate(g->activation, g->y, x, s->batch * g->width); break;
  case SOFTMAX: marea_softmax_rows(g->y, x, s->batch, g->width); break;
  case LOG_SOFTMAX: marea_log_softmax_rows(g->y, x, s->batch, g->width); break;
  case EMBEDDING: break; /* done by marea_stepper_ids */
  }
  return MAREA_OK;
}

static marea_status run_from(marea_stepper *s, size_t first, const marea_real *x, marea_real *y) {
  for (size_t i = first; i < s->count; i++) {
    marea_status status = run_stage(s, &s->stages[i], x);
    if (status != MAREA_OK) return status;
    x = s->stages[i].y;
  }
  memcpy(y, x, s->batch * s->width * sizeof *y);
  return MAREA_OK;
}

marea_status marea_stepper_ids(marea_stepper *s, const int32_t *ids, marea_real *y) {
  if (s->count == 0 || s->stages[0].kind != EMBEDDING)
    return marea_fail(MAREA_STATE, "stepper: takes vectors of %zu features, got ids", s->features);
  stage *g = &s->stages[0];
  const marea_tensor *table = g->tensors[KERNEL];
  for (size_t i = 0; i < s->batch; i++)
    if (ids[i] < 0 || ids[i] >= table->size[0])
      return marea_fail(MAREA_RANGE, "stream: sequence %zu has id %d, allowed are 0 to %lld", i + 1,
                        (int)ids[i], (long long)table->size[0] - 1);
  for (size_t i = 0; i < s->batch; i++)
    memcpy(g->y + i * g->width, marea_reals(table) + (size_t)ids[i] * g->width,
           g->width * sizeof *y);
  return run_from(s, 1, g->y, y);
}

marea_status marea_stepper_vectors(marea_stepper *s, const marea_real *x, marea_real *y) {
  if (s->features == 0) return marea_fail(MAREA_STATE, "stepper: takes ids, got vectors");
  return run_from(s, 0, x, y);
}
