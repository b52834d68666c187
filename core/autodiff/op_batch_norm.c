/* Batch normalisation over the rows of a batch; see ops.h. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"

/* The normalised values, 1/deviation of each column and the rows' weights are kept. */
typedef struct batch_context {
  int64_t rows, D;
  double count; /* of visible rows, at least 1 */
  marea_real *normal, *inverse;
  const marea_real *mask, *gamma; /* each may be NULL */
} batch_context;

static double weight_of(const batch_context *c, int64_t row) {
  return c->mask == NULL ? 1 : (double)c->mask[row];
}

/* sums[j] = sum of dy and along[j] = sum of dy normal, over all rows. */
static void sum_columns(const batch_context *c, const marea_real *dy, double *sums, double *along) {
  memset(sums, 0, (size_t)c->D * sizeof *sums);
  memset(along, 0, (size_t)c->D * sizeof *along);
  for (int64_t i = 0; i < c->rows; i++)
    for (int64_t j = 0; j < c->D; j++) {
      sums[j] += (double)dy[i * c->D + j];
      along[j] += (double)dy[i * c->D + j] * (double)c->normal[i * c->D + j];
    }
}

/* Every row takes part through itself; the visible ones also through mean and variance. */
static void batch_inputs(const batch_context *c, marea_real *dx, const marea_real *dy,
                         const double *sums, const double *along) {
  for (int64_t i = 0; i < c->rows; i++) {
    double share = weight_of(c, i) / c->count;
    for (int64_t j = 0; j < c->D; j++) {
      int64_t at = i * c->D + j;
      double factor = (double)c->inverse[j] * (c->gamma != NULL ? (double)c->gamma[j] : 1);
      double centred = (double)dy[at] - share * (sums[j] + (double)c->normal[at] * along[j]);
      dx[at] += (marea_real)(factor * centred);
    }
  }
}

static marea_status batch_backward(marea_node *node) {
  const batch_context *c = node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  double *sums = marea_alloc_array((size_t)c->D, 2 * sizeof *sums);
  if (sums == NULL) return MAREA_NOMEM;
  sum_columns(c, dy, sums, sums + c->D);
  marea_status status = MAREA_OK;
  for (int k = 0; k < 3 && status == MAREA_OK; k++) {
    if (!marea_wants_gradient(node->inputs[k])) continue;
    marea_real *d = marea_gradient_sum(node->inputs[k]);
    const double *from = k == 1 ? sums + c->D : sums;
    if (d == NULL)
      status = MAREA_NOMEM;
    else if (k == 0)
      batch_inputs(c, d, dy, sums, sums + c->D);
    for (int64_t j = 0; d != NULL && k > 0 && j < c->D; j++) d[j] += (marea_real)from[j];
  }
  marea_free(sums);
  return status;
}

/* Mean and biased variance of each column's visible rows, in two passes. */
static void statistics(const batch_context *c, const marea_real *x, double *mean,
                       double *variance) {
  memset(mean, 0, (size_t)c->D * sizeof *mean);
  memset(variance, 0, (size_t)c->D * sizeof *variance);
  for (int64_t i = 0; i < c->rows; i++) {
    if (!(weight_of(c, i) > 0)) continue;
    for (int64_t j = 0; j < c->D; j++) mean[j] += (double)x[i * c->D + j];
  }
  for (int64_t j = 0; j < c->D; j++) mean[j] /= c->count;
  for (int64_t i = 0; i < c->rows; i++) {
    if (!(weight_of(c, i) > 0)) continue;
    for (int64_t j = 0; j < c->D; j++) {
      double apart = (double)x[i * c->D + j] - mean[j];
      variance[j] += apart * apart;
    }
  }
  for (int64_t j = 0; j < c->D; j++) variance[j] /= c->count;
}

static marea_status check_batch(const marea_tensor *x, const marea_tensor *mask,
                                const marea_tensor *gamma, const marea_tensor *beta,
                                double epsilon) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("batch_norm", x, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (x->rank < 2 || x->size[x->rank - 1] < 1)
    return marea_fail(MAREA_SHAPE, "batch_norm: x is %s, expected (B, …, D) with D of 1 or more",
                      marea_shape_text(x, left));
  if (mask != NULL && op_check_mask("batch_norm", mask, x->size[0], x->rank == 3 ? x->size[1] : -1))
    return MAREA_SHAPE;
  const marea_tensor *given[] = {gamma, beta};
  for (int i = 0; i < 2; i++) {
    if (given[i] == NULL) continue;
    if (op_expect("batch_norm", given[i], MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
    if (given[i]->rank != 1 || given[i]->size[0] != x->size[x->rank - 1])
      return marea_fail(MAREA_SHAPE, "batch_norm: x is %s, %s is %s; expected (…, D) and (D)",
                        marea_shape_text(x, left), i == 0 ? "gamma" : "beta",
                        marea_shape_text(given[i], right));
  }
  if (epsilon >= 0) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "batch_norm: epsilon is %g, expected 0 or more", epsilon);
}

static double count_visible(const marea_tensor *mask, int64_t rows) {
  if (mask == NULL) return rows > 0 ? (double)rows : 1;
  double count = 0;
  for (int64_t i = 0; i < rows; i++) count += marea_reals(mask)[i] > 0;
  return count > 0 ? count : 1;
}

/* y from contiguous operands; mean and variance (D) are filled. */
static void normalise(const batch_context *c, marea_real *y, const marea_real *x,
                      const marea_real *beta, double epsilon, double *mean, double *variance) {
  statistics(c, x, mean, variance);
  for (int64_t j = 0; j < c->D; j++) c->inverse[j] = (marea_real)(1 / sqrt(variance[j] + epsilon));
  for (int64_t i = 0; i < c->rows; i++)
    for (int64_t j = 0; j < c->D; j++) {
      int64_t at = i * c->D + j;
      c->normal[at] = (marea_real)((double)x[at] - mean[j]) * c->inverse[j];
      y[at] = (c->gamma != NULL ? c->gamma[j] : 1) * c->normal[at] + (beta != NULL ? beta[j] : 0);
    }
}

/* The operands x, mask, gamma, beta, contiguous. */
static marea_tensor *run(marea_tensor *const *inputs, marea_tensor *const *plain, double epsilon,
                         double *mean, double *variance) {
  const marea_tensor *x = plain[0];
  batch_context c = {.D = x->size[x->rank - 1]};
  c.rows = marea_tensor_count(x) / c.D;
  c.count = count_visible(plain[3], c.rows);
  c.gamma = plain[1] != NULL ? marea_reals(plain[1]) : NULL;
  c.mask = plain[3] != NULL ? marea_reals(plain[3]) : NULL;
  bool record = marea_recording(inputs, 3);
  size_t bytes = (size_t)((c.rows + 1) * c.D) * sizeof(marea_real);
  c.normal = record ? marea_tape_alloc(bytes) : marea_alloc(bytes);
  marea_tensor *y = c.normal == NULL ? NULL : marea_result(MAREA_REAL, x->rank, x->size);
  if (y != NULL) {
    marea_node *node = NULL;
    c.inverse = c.normal + c.rows * c.D;
    normalise(&c, marea_reals(y), marea_reals(x), plain[2] != NULL ? marea_reals(plain[2]) : NULL,
              epsilon, mean, variance);
    if (record) y = op_record("batch_norm", inputs, 4, y, batch_backward, sizeof c, &node);
    if (node != NULL) *(batch_context *)node->context = c;
  }
  if (!record) marea_free(c.normal);
  return y;
}

marea_tensor *marea_batch_norm(marea_tensor *x, marea_tensor *mask, marea_tensor *gamma,
                               marea_tensor *beta, double epsilon, double *mean, double *variance) {
  if (x == NULL || check_batch(x, mask, gamma, beta, epsilon) != MAREA_OK) return NULL;
  marea_tensor *plain[4], *inputs[] = {x, gamma, beta, mask};
  bool whole = true;
  for (int i = 0; i < 4; i++) {
    plain[i] = marea_compact(inputs[i]);
    whole = whole && (plain[i] != NULL || inputs[i] == NULL);
  }
  marea_tensor *y = whole ? run(inputs, plain, epsilon, mean, variance) : NULL;
  for (int i = 0; i < 4; i++) marea_tensor_free(plain[i]);
  return y;
}
