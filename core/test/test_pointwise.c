/* Element-wise kernels against libm, at special values, at odd lengths, at every instruction set.
 */
#include "test/test.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/threads.h"
#include "kernels/pointwise.h"
#include "kernels/simd.h"

static const bool is_double = sizeof(marea_real) == 8;

static double clip(double x) {
  return x < 0 ? 0 : x > 1 ? 1 : x;
}

static double normal(double x) {
  return 0.5 * erfc(x * -0.70710678118654752);
}

static double expected(marea_activation f, double x) {
  const double scale = 1.0507009873554805, q = 1.6732632423543772;
  switch (f) {
  case MAREA_TANH: return tanh(x);
  case MAREA_SIGMOID: return 1 / (1 + exp(-x));
  case MAREA_RELU: return x > 0 ? x : 0;
  case MAREA_LEAKY_RELU: return x > 0 ? x : 0.2 * x;
  case MAREA_ELU: return x > 0 ? x : expm1(x);
  case MAREA_SELU: return scale * (x > 0 ? x : q * expm1(x));
  case MAREA_GELU: return x * normal(x);
  case MAREA_SOFTPLUS: return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
  case MAREA_SOFTSIGN: return x / (1 + fabs(x));
  case MAREA_HARD_SIGMOID: return clip(x / 6 + 0.5);
  case MAREA_HARD_SIGMOID_TF: return clip(0.2 * x + 0.5);
  case MAREA_EXPONENTIAL: return exp(x);
  case MAREA_SILU: return x / (1 + exp(-x));
  default: return x;
  }
}

static double slope(marea_activation f, double x) {
  const double h = 1e-5;
  return (expected(f, x + h) - expected(f, x - h)) / (2 * h);
}

/* Distance in units of the last place of the wanted number. */
static double ulps(double came, double wanted) {
  if (came == wanted || (isnan(came) && isnan(wanted))) return 0;
  if (is_double) return fabs(came - wanted) / (fabs(wanted) * 2.2e-16 + 5e-324);
  float near = (float)fabs(wanted), next = nextafterf(near, (double)INFINITY);
  return fabs(came - wanted) / ((double)next - (double)near);
}

typedef void map(marea_real *y, const marea_real *x, size_t n);
typedef double reference(double x);

static double logistic(double x) {
  return 1 / (1 + exp(-x));
}

static void check_map(const char *what, map *f, reference *truth, double low, double high,
                      double most) {
  enum { N = 20011 };
  static marea_real x[N], y[N];
  double worst = 0, where = 0;
  for (int i = 0; i < N; i++) x[i] = (marea_real)(low + (high - low) * i / (N - 1));
  f(y, x, N);
  for (int i = 0; i < N; i++) {
    double off = ulps((double)y[i], truth((double)x[i]));
    if (!(off <= worst)) worst = off, where = (double)x[i];
  }
  if (!CHECK(worst <= most)) fprintf(stderr, "  %s: %g ulp at %.9g\n", what, worst, where);
}

static void test_accuracy(void) {
  check_map("exp", marea_pointwise_exp, exp, is_double ? -700 : -87, is_double ? 700 : 88, 3);
  check_map("exp", marea_pointwise_exp, exp, -1, 1, 3);
  check_map("log", marea_pointwise_log, log, 1e-6, 4, 3);
  check_map("log", marea_pointwise_log, log, 1, 1e30, 3);
  check_map("tanh", marea_pointwise_tanh, tanh, -12, 12, 5);
  check_map("tanh", marea_pointwise_tanh, tanh, -1e-3, 1e-3, 5);
  check_map("sigmoid", marea_pointwise_sigmoid, logistic, -80, 80, 5);
  check_map("erf", marea_pointwise_erf, erf, -6, 6, 5);
  check_map("erf", marea_pointwise_erf, erf, -1e-3, 1e-3, 5);
}

static marea_real one(map *f, double x) {
  marea_real in = (marea_real)x, out;
  f(&out, &in, 1);
  return out;
}

static void test_special_values(void) {
  const double tiny = is_double ? 4.9e-324 : 1.4e-45, small = is_double ? 1e-310 : 1e-40;
  CHECK(one(marea_pointwise_exp, (double)INFINITY) == (marea_real)INFINITY);
  CHECK(one(marea_pointwise_exp, -(double)INFINITY) == 0);
  CHECK(one(marea_pointwise_exp, 0) == 1);
  CHECK(isnan(one(marea_pointwise_exp, (double)NAN)));
  CHECK(one(marea_pointwise_exp, is_double ? 710 : 89) == (marea_real)INFINITY);
  double low = is_double ? -740 : -100; /* e^low is denormal */
  CHECK(ulps((double)one(marea_pointwise_exp, low), exp(low)) <= 2);
  CHECK(one(marea_pointwise_log, 0) == (marea_real)-INFINITY);
  CHECK(one(marea_pointwise_log, -0.0) == (marea_real)-INFINITY);
  CHECK(isnan(one(marea_pointwise_log, -1)) && isnan(one(marea_pointwise_log, (double)NAN)));
  CHECK(one(marea_pointwise_log, (double)INFINITY) == (marea_real)INFINITY);
  CHECK(one(marea_pointwise_log, 1) == 0);
  CHECK(ulps((double)one(marea_pointwise_log, tiny), log((double)(marea_real)tiny)) <= 2);
  map *const odd[] = {marea_pointwise_tanh, marea_pointwise_erf};
  for (int i = 0; i < 2; i++) {
    CHECK(one(odd[i], (double)INFINITY) == 1 && one(odd[i], -(double)INFINITY) == -1);
    CHECK(isnan(one(odd[i], (double)NAN)));
    CHECK(one(odd[i], 0) == 0 && !signbit(one(odd[i], 0)));
    CHECK(one(odd[i], -0.0) == 0 && signbit(one(odd[i], -0.0)));
  }
  CHECK(one(marea_pointwise_tanh, small) == (marea_real)small);
  CHECK(one(marea_pointwise_sigmoid, (double)INFINITY) == 1);
  CHECK(one(marea_pointwise_sigmoid, -(double)INFINITY) == 0);
  CHECK(one(marea_pointwise_sigmoid, 0) == (marea_real)0.5);
  CHECK(isnan(one(marea_pointwise_sigmoid, (double)NAN)));
}

static void test_activations(void) {
  enum { N = 1203 };
  static marea_real x[N], a[N], dx[N], ones[N];
  const double near = is_double ? 1e-13 : 4e-7;
  for (int f = 0; f < MAREA_ACTIVATION_COUNT; f++) {
    marea_activation activation = (marea_activation)f, found;
    CHECK(marea_activation_find(marea_activation_name(activation), &found) && found == activation);
    for (int i = 0; i < N; i++) {
      x[i] = (marea_real)((i - 600) * 0.00937 + 0.001);
      dx[i] = 2;
      ones[i] = 1;
    }
    marea_activate(activation, a, x, N);
    marea_activate_backward(activation, dx, ones, x, a, N);
    for (int i = 0; i < N; i++) {
      double v = (double)x[i], truth = expected(activation, v);
      if (!CHECK_NEAR(a[i], truth, near * (1 + fabs(truth))))
        fprintf(stderr, "  %s(%g) = %g\n", marea_activation_name(activation), v, (double)a[i]);
      bool kink = (fabs(v) < 2e-5 || fabs(fabs(v) - 3) < 2e-5 || fabs(fabs(v) - 2.5) < 2e-5);
      if (!kink) CHECK_NEAR(dx[i] - 2, slope(activation, v), 3e-6 * (1 + fabs(truth)));
    }
    const marea_real nan = (marea_real)NAN;
    marea_activate(activation, a, &nan, 1);
    CHECK(isnan(a[0]));
  }
  marea_activation found;
  CHECK(marea_activation_find("swish", &found) && found == MAREA_SILU);
  CHECK(!marea_activation_find("Tanh", &found));
  CHECK(marea_activation_name((marea_activation)77) == NULL);
  CHECK(ulps((double)one(marea_pointwise_tanh, 0.5), tanh(0.5)) < 4);
  marea_real far = -5, tail;
  marea_activate(MAREA_GELU, &tail, &far, 1);
  CHECK_NEAR((double)tail / (-5 * normal(-5)), 1, 1e-5); /* no cancellation in the tail */
}

static void test_odd_lengths(void) {
  marea_real x[67] = {0}, y[68], sum[67];
  for (size_t n = 0; n <= 66; n++) {
    for (size_t i = 0; i < n; i++) x[i] = (marea_real)i - 20;
    for (size_t i = 0; i <= n; i++) y[i] = 7;
    marea_pointwise_tanh(y, x, n);
    for (size_t i = 0; i < n; i++) CHECK_NEAR(y[i], tanh((double)i - 20), 1e-6);
    CHECK(y[n] == 7);
    marea_pointwise_axpy(y, 2, x, n);
    CHECK(y[n] == 7);
    memset(sum, 0, sizeof sum);
    marea_sum_rows(sum, x, 1, n);
    marea_sum_rows(sum, x, 1, n);
    for (size_t i = 0; i < n; i++) CHECK(sum[i] == 2 * x[i]);
    marea_add_bias(y, x, x, 1, n);
    for (size_t i = 0; i < n; i++) CHECK(y[i] == 2 * x[i]);
    CHECK(y[n] == 7);
    CHECK(marea_sum_all(x, n) == (double)n * ((double)n - 1) / 2 - 20 * (double)n);
    if (n > 0) CHECK(marea_largest(x, n) == (marea_real)n - 21);
  }
  x[40] = (marea_real)NAN;
  CHECK(isnan(marea_largest(x, 60)) && marea_largest(x, 40) == 19);
}

static void test_sums(void) {
  enum { N = 300007 };
  marea_real *x = marea_alloc_array(N, sizeof *x), *y = marea_alloc_array(N, sizeof *y);
  marea_stream stream = marea_stream_new(3, 1);
  marea_stream_fill_normal(&stream, x, N, 0.5, 1);
  marea_stream_fill_normal(&stream, y, N, 0.5, 1);
  double sum = 0, dot = 0, squares = 0;
  for (int i = 0; i < N; i++) {
    sum += (double)x[i];
    dot += (double)x[i] * (double)y[i];
    squares += (double)x[i] * (double)x[i];
  }
  double first[3] = {0};
  for (int threads = 1; threads <= 8; threads *= 2) {
    CHECK(marea_threads_set(threads) == MAREA_OK);
    double now[] = {marea_sum_all(x, N), marea_dot(x, y, N), marea_sum_squares(x, N)};
    const double near = is_double ? 1e-8 : 0.05;
    CHECK_NEAR(now[0], sum, near);
    CHECK_NEAR(now[1], dot, near);
    CHECK_NEAR(now[2], squares, near * 4);
    if (threads == 1) memcpy(first, now, sizeof now);
    CHECK(memcmp(first, now, sizeof now) == 0);
  }
  marea_free(x);
  marea_free(y);
}

static void test_softmax(void) {
  enum { R = 3, N = 37 };
  marea_real x[R * N], y[R * N], log_y[R * N], dx[R * N], dy[R * N];
  for (int i = 0; i < R * N; i++) {
    x[i] = (marea_real)(i % 11) * (marea_real)0.7 + (i / N == 1 ? 500 : i / N == 2 ? -500 : 0);
    dy[i] = (marea_real)(i % 5);
    dx[i] = 1;
  }
  x[4] = (marea_real)-INFINITY;
  marea_softmax_rows(y, x, R, N);
  marea_log_softmax_rows(log_y, x, R, N);
  CHECK(y[4] == 0 && log_y[4] == (marea_real)-INFINITY);
  for (int r = 0; r < R; r++) {
    double total = 0, largest = (double)marea_largest(x + r * N, N);
    for (int j = 0; j < N; j++) total += exp((double)x[r * N + j] - largest);
    for (int j = 0; j < N; j++) {
      double truth = exp((double)x[r * N + j] - largest) / total;
      CHECK_NEAR(y[r * N + j], truth, 1e-6 * (truth + 0.01));
      if (truth > 0) CHECK_NEAR(log_y[r * N + j], log(truth), 2e-6 * (1 - log(truth)));
    }
  }
  marea_softmax_backward(dx, dy, y, R, N);
  double mean = marea_dot(dy, y, N);
  CHECK_NEAR(dx[3], 1 + (double)y[3] * ((double)dy[3] - mean), 1e-6);
  for (int i = 0; i < R * N; i++) dx[i] = 1;
  marea_log_softmax_backward(dx, dy, log_y, R, N);
  CHECK_NEAR(dx[3], 1 + (double)dy[3] - (double)y[3] * marea_sum_all(dy, N), 1e-5);
}

int main(void) {
  marea_isa highest = marea_isa_level();
  for (int level = 0; level <= (int)highest; level++) {
    CHECK(marea_isa_set((marea_isa)level) == MAREA_OK);
    test_accuracy();
    test_special_values();
    test_activations();
    test_odd_lengths();
    test_sums();
    test_softmax();
  }
  marea_threads_stop();
  return test_end();
}
