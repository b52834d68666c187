/* The activations of pointwise.h: names, values, derivatives. */
#include <math.h>
#include <string.h>

#include "kernels/pointwise.h"

static const marea_real SELU_SCALE = (marea_real)1.05070098735548,
                        SELU_ALPHA = (marea_real)1.67326324235437;
static const double HALF_ROOT_2 = 0.70710678118654752440, INVERSE_ROOT_2PI = 0.39894228040143267794;

static const char *const NAMES[MAREA_ACTIVATION_COUNT] = {
    "linear", "tanh",     "sigmoid",  "relu",         "leaky_relu",      "elu",         "selu",
    "gelu",   "softplus", "softsign", "hard_sigmoid", "hard_sigmoid_tf", "exponential", "silu"};

const char *marea_activation_name(marea_activation activation) {
  return activation < MAREA_ACTIVATION_COUNT ? NAMES[activation] : NULL;
}

bool marea_activation_find(const char *name, marea_activation *activation) {
  if (strcmp(name, "swish") == 0) name = "silu";
  for (int i = 0; i < MAREA_ACTIVATION_COUNT; i++) {
    if (strcmp(name, NAMES[i]) != 0) continue;
    *activation = (marea_activation)i;
    return true;
  }
  return false;
}

bool marea_activation_needs_input(marea_activation activation) {
  return activation == MAREA_GELU || activation == MAREA_SILU;
}

static double normal_cdf(double x) {
  return 0.5 * (1 + erf(x * HALF_ROOT_2));
}

static double logistic(double x) {
  return 1 / (1 + exp(-x));
}

static marea_real clip01(marea_real x) {
  return x < 0 ? 0 : x > 1 ? 1 : x;
}

static marea_real value(marea_activation activation, marea_real x) {
  switch (activation) {
  case MAREA_RELU: return x > 0 ? x : x != x ? x : 0;
  case MAREA_LEAKY_RELU: return x > 0 ? x : (marea_real)0.2 * x;
  case MAREA_ELU: return x > 0 ? x : (marea_real)expm1((double)x);
  case MAREA_SELU: return SELU_SCALE * (x > 0 ? x : SELU_ALPHA * (marea_real)expm1((double)x));
  case MAREA_GELU: return (marea_real)((double)x * normal_cdf((double)x));
  case MAREA_SOFTPLUS: return (x > 0 ? x : 0) + (marea_real)log1p(exp(-fabs((double)x)));
  case MAREA_SOFTSIGN: return x / (1 + (x < 0 ? -x : x));
  case MAREA_HARD_SIGMOID: return clip01(x / 6 + (marea_real)0.5);
  case MAREA_HARD_SIGMOID_TF: return clip01((marea_real)0.2 * x + (marea_real)0.5);
  case MAREA_SILU: return (marea_real)((double)x * logistic((double)x));
  default: return x;
  }
}

void marea_activate(marea_activation activation, marea_real *a, const marea_real *x, size_t n) {
  switch (activation) {
  case MAREA_LINEAR:
    if (a != x) memcpy(a, x, n * sizeof *a);
    return;
  case MAREA_TANH: marea_pointwise_tanh(a, x, n); return;
  case MAREA_SIGMOID: marea_pointwise_sigmoid(a, x, n); return;
  case MAREA_EXPONENTIAL: marea_pointwise_exp(a, x, n); return;
  default:
    for (size_t i = 0; i < n; i++) a[i] = value(activation, x[i]);
  }
}

/* The derivative, from the output a or, for gelu and silu, from the input x. */
static marea_real slope(marea_activation activation, marea_real x, marea_real a) {
  switch (activation) {
  case MAREA_TANH: return 1 - a * a;
  case MAREA_SIGMOID: return a * (1 - a);
  case MAREA_RELU: return a > 0;
  case MAREA_LEAKY_RELU: return a > 0 ? 1 : (marea_real)0.2;
  case MAREA_ELU: return a > 0 ? 1 : a + 1;
  case MAREA_SELU: return a > 0 ? SELU_SCALE : a + SELU_SCALE * SELU_ALPHA;
  case MAREA_GELU: {
    double v = (double)x;
    return (marea_real)(normal_cdf(v) + v * INVERSE_ROOT_2PI * exp(-0.5 * v * v));
  }
  case MAREA_SOFTPLUS: return (marea_real)-expm1(-(double)a);
  case MAREA_SOFTSIGN: {
    marea_real left = 1 - (a < 0 ? -a : a);
    return left * left;
  }
  case MAREA_HARD_SIGMOID: return a > 0 && a < 1 ? (marea_real)(1.0 / 6) : 0;
  case MAREA_HARD_SIGMOID_TF: return a > 0 && a < 1 ? (marea_real)0.2 : 0;
  case MAREA_EXPONENTIAL: return a;
  case MAREA_SILU: {
    double s = logistic((double)x);
    return (marea_real)(s * (1 + (double)x * (1 - s)));
  }
  default: return 1;
  }
}

void marea_activate_backward(marea_activation activation, marea_real *dx, const marea_real *da,
                             const marea_real *x, const marea_real *a, size_t n) {
  bool by_input = marea_activation_needs_input(activation);
  for (size_t i = 0; i < n; i++)
    dx[i] += da[i] * slope(activation, by_input ? x[i] : 0, by_input ? 0 : a[i]);
}
