/* Losses whose formula needs care with numbers; see ops.h. */
#include <math.h>

#include "autodiff/op_help.h"

static const double CLIP = 1e-7; /* Keras's epsilon */

/* Target and prediction, contiguous and kept. */
typedef struct loss_context {
  marea_tensor *target, *p;
} loss_context;

static double bce(double y, double p) {
  double q = p < CLIP ? CLIP : p > 1 - CLIP ? 1 - CLIP : p;
  return -(y * log(q) + (1 - y) * log1p(-q));
}

static double bce_slope(double y, double p) {
  if (p < CLIP || p > 1 - CLIP) return 0;
  return (p - y) / (p * (1 - p));
}

static double bce_logits(double y, double x) {
  return (x > 0 ? x : 0) - x * y + log1p(exp(-fabs(x)));
}

static double bce_logits_slope(double y, double x) {
  return 1 / (1 + exp(-x)) - y;
}

static marea_status elementwise_backward(marea_node *node, double (*slope)(double, double)) {
  const loss_context *c = node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_real *dp = marea_gradient_sum(node->inputs[1]);
  if (dp == NULL) return MAREA_NOMEM;
  int64_t count = marea_tensor_count(c->p);
  for (int64_t i = 0; i < count; i++)
    dp[i] += (marea_real)((double)dy[i] *
                          slope((double)marea_reals(c->target)[i], (double)marea_reals(c->p)[i]));
  return MAREA_OK;
}

static marea_status bce_backward(marea_node *node) {
  return elementwise_backward(node, bce_slope);
}

static marea_status bce_logits_backward(marea_node *node) {
  return elementwise_backward(node, bce_logits_slope);
}

static marea_tensor *elementwise(const char *op, marea_tensor *target, marea_tensor *p,
                                 double (*loss)(double, double), marea_backward *backward) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (target == NULL || p == NULL || op_expect(op, target, MAREA_REAL) != MAREA_OK ||
      op_expect(op, p, MAREA_REAL) != MAREA_OK)
    return NULL;
  if (!marea_same_shape(target, p)) {
    marea_fail(MAREA_SHAPE, "%s: targets are %s, predictions are %s; they must agree", op,
               marea_shape_text(target, left), marea_shape_text(p, right));
    return NULL;
  }
  loss_context c = {marea_compact(target), marea_compact(p)};
  marea_tensor *y =
      c.target == NULL || c.p == NULL ? NULL : marea_result(MAREA_REAL, p->rank, p->size);
  if (y != NULL) {
    marea_node *node;
    marea_tensor *inputs[] = {c.target, p};
    int64_t count = marea_tensor_count(p);
    for (int64_t i = 0; i < count; i++)
      marea_reals(y)[i] =
          (marea_real)loss((double)marea_reals(c.target)[i], (double)marea_reals(c.p)[i]);
    y = marea_wants_gradient(p) ? op_record(op, inputs, 2, y, backward, sizeof c, &node) : y;
    if (y != NULL && marea_recording(&p, 1)) *(loss_context *)node->context = c;
  }
  marea_tensor_free(c.target);
  marea_tensor_free(c.p);
  return y;
}

marea_tensor *marea_binary_crossentropy(marea_tensor *target, marea_tensor *p) {
  return elementwise("binary_crossentropy", target, p, bce, bce_backward);
}

marea_tensor *marea_binary_crossentropy_logits(marea_tensor *target, marea_tensor *logits) {
  return elementwise("binary_crossentropy", target, logits, bce_logits, bce_logits_backward);
}

marea_tensor *marea_sparse_crossentropy_logits(marea_tensor *ids, marea_tensor *logits) {
  marea_tensor *logarithms = marea_log_softmax(logits);
  marea_tensor *picked = marea_pick(logarithms, ids);
  marea_tensor *loss = marea_neg(picked);
  marea_tensor_free(logarithms);
  marea_tensor_free(picked);
  return loss;
}
