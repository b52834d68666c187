/* y = f(x), element by element. */
#include <math.h>

#include "autodiff/op_help.h"

/* x and y are kept; both lie contiguously. */
typedef struct unary_context {
  marea_tensor *x;
  marea_activation activation;
  double low, high; /* clip's bounds; low: the power */
} unary_context;

typedef void forward_loop(marea_real *y, const marea_real *x, int64_t n, const unary_context *c);

static marea_tensor *run(const char *op, marea_tensor *x, unary_context c, forward_loop *forward,
                         marea_backward *backward) {
  if (x == NULL || op_expect(op, x, MAREA_REAL) != MAREA_OK) return NULL;
  marea_tensor *plain = marea_compact(x);
  marea_tensor *y = plain == NULL ? NULL : marea_result(MAREA_REAL, x->rank, x->size);
  if (y != NULL) {
    marea_node *node;
    forward(marea_reals(y), marea_reals(plain), marea_tensor_count(y), &c);
    c.x = plain;
    y = op_record(op, &x, 1, y, backward, sizeof c, &node);
    if (node != NULL) *(unary_context *)node->context = c;
  }
  marea_tensor_free(plain); /* a recorded owned operand is retained by its node */
  return y;
}

/* One operation: its value and its slope, as expressions of x and y. */
#define DEFINE_UNARY(name, value, slope)                                                           \
  static void name##_loop(marea_real *out, const marea_real *in, int64_t n,                        \
                          const unary_context *c) {                                                \
    (void)c;                                                                                       \
    for (int64_t i = 0; i < n; i++) {                                                              \
      double x = (double)in[i];                                                                    \
      out[i] = (marea_real)(value);                                                                \
    }                                                                                              \
  }                                                                                                \
  static marea_status name##_backward(marea_node *node) {                                          \
    const unary_context *c = node->context;                                                        \
    const marea_real *dy = marea_gradient_of(node->outputs[0]);                                    \
    const marea_real *in = marea_reals(c->x), *out = marea_reals(node->outputs[0]);                \
    marea_real *dx = marea_gradient_sum(node->inputs[0]);                                          \
    if (dx == NULL) return MAREA_NOMEM;                                                            \
    int64_t n = marea_tensor_count(node->inputs[0]);                                               \
    for (int64_t i = 0; i < n; i++) {                                                              \
      double x = (double)in[i], y = (double)out[i];                                                \
      (void)x, (void)y;                                                                            \
      dx[i] += (marea_real)((double)dy[i] * (slope));                                              \
    }                                                                                              \
    return MAREA_OK;                                                                               \
  }

DEFINE_UNARY(neg, -x, -1.0)
DEFINE_UNARY(abs, fabs(x), x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0)
DEFINE_UNARY(log, log(x), 1 / x)
DEFINE_UNARY(log1p, log1p(x), 1 / (1 + x))
DEFINE_UNARY(sqrt, sqrt(x), 0.5 / y)
DEFINE_UNARY(square, x *x, 2 * x)
DEFINE_UNARY(reciprocal, 1 / x, -y *y)
DEFINE_UNARY(sin, sin(x), cos(x))
DEFINE_UNARY(cos, cos(x), -sin(x))
DEFINE_UNARY(clip, x<c->low ? c->low : x> c->high ? c->high : x,
             x >= c->low && x <= c->high ? 1.0 : 0.0)
DEFINE_UNARY(power, pow(x, c->low), c->low == 0 ? 0.0 : c->low * pow(x, c->low - 1))

#define PLAIN(name)                                                                                \
  marea_tensor *marea_##name(marea_tensor *x) {                                                    \
    return run(#name, x, (unary_context){0}, name##_loop, name##_backward);                        \
  }
PLAIN(neg)
PLAIN(abs)
PLAIN(log)
PLAIN(log1p)
PLAIN(sqrt)
PLAIN(square)
PLAIN(reciprocal)
PLAIN(sin)
PLAIN(cos)

marea_tensor *marea_clip(marea_tensor *x, double low, double high) {
  return run("clip", x, (unary_context){.low = low, .high = high}, clip_loop, clip_backward);
}

marea_tensor *marea_power(marea_tensor *x, double p) {
  return run("power", x, (unary_context){.low = p}, power_loop, power_backward);
}

/* ---- activations ---- */

static void activation_loop(marea_real *y, const marea_real *x, int64_t n, const unary_context *c) {
  marea_activate(c->activation, y, x, (size_t)n);
}

static marea_status activation_backward(marea_node *node) {
  const unary_context *c = node->context;
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  marea_activate_backward(c->activation, dx, marea_gradient_of(node->outputs[0]), marea_reals(c->x),
                          marea_reals(node->outputs[0]),
                          (size_t)marea_tensor_count(node->inputs[0]));
  return MAREA_OK;
}

#define ACTIVATION(name, id)                                                                       \
  marea_tensor *marea_##name(marea_tensor *x) {                                                    \
    return run(#name, x, (unary_context){.activation = id}, activation_loop, activation_backward); \
  }
ACTIVATION(exp, MAREA_EXPONENTIAL)
ACTIVATION(tanh, MAREA_TANH)
ACTIVATION(sigmoid, MAREA_SIGMOID)
ACTIVATION(relu, MAREA_RELU)
ACTIVATION(leaky_relu, MAREA_LEAKY_RELU)
ACTIVATION(elu, MAREA_ELU)
ACTIVATION(selu, MAREA_SELU)
ACTIVATION(gelu, MAREA_GELU)
ACTIVATION(silu, MAREA_SILU)
ACTIVATION(softplus, MAREA_SOFTPLUS)
ACTIVATION(softsign, MAREA_SOFTSIGN)
ACTIVATION(hard_sigmoid, MAREA_HARD_SIGMOID)
ACTIVATION(hard_sigmoid_tf, MAREA_HARD_SIGMOID_TF)
