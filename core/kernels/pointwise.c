#include "kernels/pointwise.h"

#include <math.h>
#include <string.h>

static const char *const names[MAREA_ACTIVATION_COUNT] = {
    "linear", "tanh",     "sigmoid",  "relu",         "leaky_relu",      "elu",         "selu",
    "gelu",   "softplus", "softsign", "hard_sigmoid", "hard_sigmoid_tf", "exponential", "silu"};

const char *marea_activation_name(marea_activation activation) {
  return (unsigned)activation < MAREA_ACTIVATION_COUNT ? names[activation] : NULL;
}

bool marea_activation_find(const char *name, marea_activation *activation) {
  if (strcmp(name, "swish") == 0) name = "silu";
  for (int i = 0; i < MAREA_ACTIVATION_COUNT; i++)
    if (strcmp(name, names[i]) == 0) {
      *activation = (marea_activation)i;
      return true;
    }
  return false;
}

bool marea_activation_needs_input(marea_activation activation) {
  return activation == MAREA_GELU || activation == MAREA_SILU;
}

#define SELU_SCALE 1.0507009873554805
#define SELU_ALPHA 1.6732632423543772

static double clip(double x) {
  return x < 0 ? 0 : x > 1 ? 1 : x;
}
static double f(marea_activation k, double x) {
  switch (k) {
  case MAREA_TANH:
    return tanh(x);
  case MAREA_SIGMOID:
    return 1 / (1 + exp(-x));
  case MAREA_RELU:
    return x > 0 ? x : x != x ? x : 0;
  case MAREA_LEAKY_RELU:
    return x > 0 ? x : 0.2 * x;
  case MAREA_ELU:
    return x > 0 ? x : expm1(x);
  case MAREA_SELU:
    return SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1(x));
  case MAREA_GELU:
    return x / 2 * (1 + erf(x * 0.70710678118654752));
  case MAREA_SOFTPLUS:
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
  case MAREA_SOFTSIGN:
    return x / (1 + fabs(x));
  case MAREA_HARD_SIGMOID:
    return clip(x / 6 + 0.5);
  case MAREA_HARD_SIGMOID_TF:
    return clip(0.2 * x + 0.5);
  case MAREA_EXPONENTIAL:
    return exp(x);
  case MAREA_SILU:
    return x / (1 + exp(-x));
  default:
    return x;
  }
}
static double df(marea_activation k, double x, double a) {
  double s;
  switch (k) {
  case MAREA_TANH:
    return 1 - a * a;
  case MAREA_SIGMOID:
    return a * (1 - a);
  case MAREA_RELU:
    return a > 0;
  case MAREA_LEAKY_RELU:
    return a > 0 ? 1 : 0.2;
  case MAREA_ELU:
    return a > 0 ? 1 : a + 1;
  case MAREA_SELU:
    return a > 0 ? SELU_SCALE : a + SELU_SCALE * SELU_ALPHA;
  case MAREA_GELU:
    return 0.5 * (1 + erf(x * 0.70710678118654752)) + x * exp(-x * x / 2) * 0.3989422804014327;
  case MAREA_SOFTPLUS:
    return -expm1(-a);
  case MAREA_SOFTSIGN:
    return (1 - fabs(a)) * (1 - fabs(a));
  case MAREA_HARD_SIGMOID:
    return a > 0 && a < 1 ? 1.0 / 6 : 0;
  case MAREA_HARD_SIGMOID_TF:
    return a > 0 && a < 1 ? 0.2 : 0;
  case MAREA_EXPONENTIAL:
    return a;
  case MAREA_SILU:
    s = 1 / (1 + exp(-x));
    return s * (1 + x * (1 - s));
  default:
    return 1;
  }
}
void marea_activate(marea_activation k, marea_real *a, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) a[i] = (marea_real)f(k, (double)x[i]);
}
void marea_activate_backward(marea_activation k, marea_real *dx, const marea_real *da,
                             const marea_real *x, const marea_real *a, size_t n) {
  bool input = marea_activation_needs_input(k);
  for (size_t i = 0; i < n; i++)
    dx[i] += da[i] * (marea_real)df(k, input ? (double)x[i] : 0, input ? 0 : (double)a[i]);
}
#define MAP(name, call)                                                                            \
  void marea_pointwise_##name(marea_real *y, const marea_real *x, size_t n) {                      \
    for (size_t i = 0; i < n; i++) y[i] = (marea_real)(call);                                      \
  }
MAP(exp, exp((double)x[i]))
MAP(log, log((double)x[i]))
MAP(tanh, tanh((double)x[i]))
MAP(sigmoid, 1 / (1 + exp(-(double)x[i])))
MAP(erf, erf((double)x[i]))
MAP(sqrt, sqrt((double)x[i]))
#define MAP2(name, op)                                                                             \
  void marea_pointwise_##name(marea_real *y, const marea_real *a, const marea_real *b, size_t n) { \
    for (size_t i = 0; i < n; i++) y[i] = a[i] op b[i];                                            \
  }
MAP2(add, +)
MAP2(subtract, -)
MAP2(multiply, *)
MAP2(divide, /)
void marea_pointwise_scale(marea_real *y, marea_real a, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = a * x[i];
}
void marea_pointwise_axpy(marea_real *y, marea_real a, const marea_real *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}
void marea_pointwise_fill(marea_real *y, marea_real a, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = a;
}
void marea_pointwise_multiply_add(marea_real *y, const marea_real *x, const marea_real *z,
                                  size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i] * z[i];
}
double marea_sum(const marea_real *x, size_t n) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += (double)x[i];
  return s;
}
double marea_dot(const marea_real *x, const marea_real *y, size_t n) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += (double)x[i] * (double)y[i];
  return s;
}
double marea_sum_squares(const marea_real *x, size_t n) {
  return marea_dot(x, x, n);
}
marea_real marea_max(const marea_real *x, size_t n) {
  marea_real m = x[0];
  for (size_t i = 1; i < n; i++) m = x[i] > m || x[i] != x[i] ? x[i] : m;
  return m;
}
void marea_sum_rows(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[j] += x[i * columns + j];
}
void marea_add_bias(marea_real *y, const marea_real *x, const marea_real *bias, size_t rows,
                    size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[i * columns + j] = x[i * columns + j] + bias[j];
}
void marea_softmax(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  marea_log_softmax(y, x, rows, columns);
  marea_pointwise_exp(y, y, rows * columns);
}
void marea_log_softmax(marea_real *y, const marea_real *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++, x += columns, y += columns) {
    double max = (double)marea_max(x, columns), sum = 0;
    for (size_t j = 0; j < columns; j++) sum += exp((double)x[j] - max);
    for (size_t j = 0; j < columns; j++) y[j] = (marea_real)((double)x[j] - max - log(sum));
  }
}
void marea_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y, size_t rows,
                            size_t columns) {
  for (size_t i = 0; i < rows; i++, dx += columns, dy += columns, y += columns) {
    marea_real dot = (marea_real)marea_dot(dy, y, columns);
    for (size_t j = 0; j < columns; j++) dx[j] += y[j] * (dy[j] - dot);
  }
}
void marea_log_softmax_backward(marea_real *dx, const marea_real *dy, const marea_real *y,
                                size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++, dx += columns, dy += columns, y += columns) {
    double sum = marea_sum(dy, columns);
    for (size_t j = 0; j < columns; j++)
      dx[j] += (marea_real)((double)dy[j] - exp((double)y[j]) * sum);
  }
}
