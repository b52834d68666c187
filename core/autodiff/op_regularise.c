/* Dropout and layer normalisation. */
#include <math.h>

#include "autodiff/op_help.h"

marea_tensor *marea_dropout(marea_tensor *x, double rate, const int64_t *noise,
                            marea_stream *stream) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (x == NULL || op_expect("dropout", x, MAREA_REAL) != MAREA_OK) return NULL;
  if (!(rate >= 0 && rate < 1)) {
    marea_fail(MAREA_RANGE, "dropout: the rate is %g, allowed are 0 up to but not 1", rate);
    return NULL;
  }
  if (noise == NULL) noise = x->size;
  for (int i = 0; i < x->rank; i++) {
    if (noise[i] == 1 || noise[i] == x->size[i]) continue;
    marea_fail(MAREA_SHAPE, "dropout: the noise is %s for a tensor %s; each axis is equal or 1",
               marea_sizes_text(x->rank, noise, left), marea_shape_text(x, right));
    return NULL;
  }
  marea_tensor *multipliers = marea_result(MAREA_REAL, x->rank, noise);
  if (multipliers == NULL) return NULL;
  marea_stream_fill_dropout(stream, marea_reals(multipliers),
                            (size_t)marea_tensor_count(multipliers), rate);
  marea_tensor *y = marea_mul(x, multipliers);
  marea_tensor_free(multipliers);
  return y;
}

/* ---- layer normalisation ---- */

/* The normalised values and 1/deviation of each row are kept. */
typedef struct norm_context {
  marea_real *normal, *inverse;
  int64_t rows, D;
} norm_context;

static marea_status norm_inputs(const norm_context *c, marea_tensor *x, const marea_tensor *gamma,
                                const marea_real *dy) {
  marea_real *dx = marea_gradient_sum(x);
  if (dx == NULL) return MAREA_NOMEM;
  for (int64_t i = 0; i < c->rows; i++) {
    const marea_real *d = dy + i * c->D, *normal = c->normal + i * c->D;
    double sum = 0, along = 0;
    for (int64_t j = 0; j < c->D; j++) {
      double g = (double)d[j] * (gamma != NULL ? marea_tensor_get(gamma, j) : 1);
      sum += g;
      along += g * (double)normal[j];
    }
    for (int64_t j = 0; j < c->D; j++) {
      double g = (double)d[j] * (gamma != NULL ? marea_tensor_get(gamma, j) : 1);
      double centred = g - (sum + (double)normal[j] * along) / (double)c->D;
      dx[i * c->D + j] += (marea_real)((double)c->inverse[i] * centred);
    }
  }
  return MAREA_OK;
}

static marea_status norm_backward(marea_node *node) {
  const norm_context *c = node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_tensor *gamma = node->inputs[1], *beta = node->inputs[2];
  if (marea_wants_gradient(gamma)) {
    marea_real *d = marea_gradient_sum(gamma);
    if (d == NULL) return MAREA_NOMEM;
    for (int64_t i = 0; i < c->rows * c->D; i++) d[i % c->D] += dy[i] * c->normal[i];
  }
  if (marea_wants_gradient(beta)) {
    marea_real *d = marea_gradient_sum(beta);
    if (d == NULL) return MAREA_NOMEM;
    marea_sum_rows(d, dy, (size_t)c->rows, (size_t)c->D);
  }
  if (!marea_wants_gradient(node->inputs[0])) return MAREA_OK;
  return norm_inputs(c, node->inputs[0], gamma, dy);
}

static void normalise(const norm_context *c, const marea_real *x, double epsilon) {
  for (int64_t i = 0; i < c->rows; i++) {
    const marea_real *row = x + i * c->D;
    double mean = marea_sum_all(row, (size_t)c->D) / (double)c->D, variance = 0;
    for (int64_t j = 0; j < c->D; j++)
      variance += ((double)row[j] - mean) * ((double)row[j] - mean);
    double inverse = 1 / sqrt(variance / (double)c->D + epsilon);
    c->inverse[i] = (marea_real)inverse;
    for (int64_t j = 0; j < c->D; j++)
      c->normal[i * c->D + j] = (marea_real)(((double)row[j] - mean) * inverse);
  }
}

static marea_status check_norm(const marea_tensor *x, const marea_tensor *gamma,
                               const marea_tensor *beta) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("layer_norm", x, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  const marea_tensor *given[] = {gamma, beta};
  for (int i = 0; i < 2; i++) {
    if (given[i] == NULL) continue;
    if (x->rank < 1 || given[i]->rank != 1 || given[i]->size[0] != x->size[x->rank - 1])
      return marea_fail(MAREA_SHAPE, "layer_norm: x is %s, %s is %s; expected (…, D) and (D)",
                        marea_shape_text(x, left), i == 0 ? "gamma" : "beta",
                        marea_shape_text(given[i], right));
  }
  if (x->rank >= 1 && x->size[x->rank - 1] > 0) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "layer_norm: x is %s, expected a last axis of 1 or more",
                    marea_shape_text(x, left));
}

marea_tensor *marea_layer_norm(marea_tensor *x, marea_tensor *gamma, marea_tensor *beta,
                               double epsilon) {
  if (x == NULL || check_norm(x, gamma, beta) != MAREA_OK) return NULL;
  if (!(epsilon >= 0)) {
    marea_fail(MAREA_RANGE, "layer_norm: epsilon is %g, expected 0 or more", epsilon);
    return NULL;
  }
  marea_tensor *inputs[] = {x, gamma, beta};
  norm_context c = {.D = x->size[x->rank - 1]};
  c.rows = marea_tensor_count(x) / c.D;
  bool record = marea_recording(inputs, 3);
  size_t bytes = (size_t)(c.rows * (c.D + 1)) * sizeof(marea_real);
  c.normal = record ? marea_tape_alloc(bytes) : marea_alloc(bytes);
  marea_tensor *plain = marea_compact(x);
  marea_tensor *y =
      c.normal == NULL || plain == NULL ? NULL : marea_result(MAREA_REAL, x->rank, x->size);
  if (y != NULL) {
    c.inverse = c.normal + c.rows * c.D;
    normalise(&c, marea_reals(plain), epsilon);
    for (int64_t i = 0; i < c.rows * c.D; i++)
      marea_reals(y)[i] =
          (gamma != NULL ? (marea_real)marea_tensor_get(gamma, i % c.D) : 1) * c.normal[i] +
          (beta != NULL ? (marea_real)marea_tensor_get(beta, i % c.D) : 0);
    marea_node *node;
    y = op_record("layer_norm", inputs, 3, y, norm_backward, sizeof c, &node);
    if (node != NULL) *(norm_context *)node->context = c;
  }
  marea_tensor_free(plain);
  if (!record) marea_free(c.normal);
  return y;
}
