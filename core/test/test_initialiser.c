/* Initial values and constraints: check values, moments, orthogonality, reproducibility. */
#include "test.h"

#include <stdbool.h>

#include "base/threads.h"
#include "train/constraint.h"
#include "train/initialiser.h"

static marea_tensor *matrix(int64_t rows, int64_t cols) {
  return marea_tensor_new(MAREA_REAL, 2, (int64_t[]){rows, cols});
}

static double deviation(const marea_tensor *x) {
  double sum = 0;
  int64_t n = marea_tensor_count(x);
  for (int64_t i = 0; i < n; i++) sum += pow(marea_tensor_get(x, i), 2);
  return sqrt(sum / (double)n);
}

static double largest(const marea_tensor *x) {
  double most = 0;
  for (int64_t i = 0; i < marea_tensor_count(x); i++)
    most = fmax(most, fabs(marea_tensor_get(x, i)));
  return most;
}

static void test_fans(void) {
  double in, out;
  marea_fans(0, NULL, &in, &out);
  CHECK(in == 1 && out == 1);
  marea_fans(1, (int64_t[]){7}, &in, &out);
  CHECK(in == 7 && out == 7);
  marea_fans(2, (int64_t[]){100, 32}, &in, &out);
  CHECK(in == 100 && out == 32);
  marea_fans(3, (int64_t[]){5, 8, 16}, &in, &out);
  CHECK(in == 40 && out == 80);
}

/* Name, largest possible value and deviation for a matrix of 100 x 32. */
static void test_named(void) {
  static const struct {
    const char *name;
    double limit, deviation;
  } cases[] = {
      {"glorot_uniform", 0.213200716, 0.213200716 / 1.7320508},
      {"glorot_normal", 2 * 0.123091490 / 0.87962566, 0.123091490},
      {"he_uniform", 0.244948974, 0.244948974 / 1.7320508},
      {"he_normal", 2 * 0.160774478, 0.141421356},
      {"lecun_uniform", 0.173205081, 0.1},
      {"lecun_normal", 0.2 / 0.87962566, 0.1},
      {"uniform", 0.05, 0.05 / 1.7320508},
      {"random_uniform", 0.05, 0.05 / 1.7320508},
      {"random_normal", 0.3, 0.05},
      {"normal", 0.3, 0.05},
      {"truncated_normal", 0.1, 0.05 * 0.87962566},
      {"zeros", 0, 0},
      {"ones", 1, 1},
  };
  marea_tensor *x = matrix(100, 32);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    marea_stream stream = marea_stream_new(11, i);
    CHECK(marea_initialise(x, cases[i].name, &stream) == MAREA_OK);
    double most = largest(x), spread = deviation(x);
    bool good = most <= cases[i].limit * (1 + 1e-6) &&
                (strstr(cases[i].name, "ormal") != NULL ? most > cases[i].limit / 2
                                                        : most >= cases[i].limit * 0.99) &&
                fabs(spread - cases[i].deviation) <= 0.04 * cases[i].deviation;
    if (!CHECK(good))
      fprintf(stderr, "  %s: largest %g, deviation %g\n", cases[i].name, most, spread);
  }
  marea_stream stream = marea_stream_new(1, 1);
  CHECK(marea_initialise(x, "glorot", &stream) == MAREA_ARGUMENT);
  CHECK_ERROR("no initializer is called \"glorot\"");
  CHECK(marea_initialise_scaled(x, &stream, 0, MAREA_FAN_IN, MAREA_UNIFORM) == MAREA_RANGE);
  marea_tensor_free(x);
}

/* The largest error of the Gram matrix of the shorter side against gain^2 on the diagonal. */
static double gram_error(const marea_tensor *x, double gain) {
  int64_t cols = x->size[x->rank - 1], rows = marea_tensor_count(x) / cols;
  bool wide = rows < cols;
  int64_t n = wide ? rows : cols, length = wide ? cols : rows;
  double worst = 0;
  for (int64_t a = 0; a < n; a++)
    for (int64_t b = 0; b <= a; b++) {
      double sum = 0;
      for (int64_t i = 0; i < length; i++)
        sum += marea_tensor_get(x, wide ? a * cols + i : i * cols + a) *
               marea_tensor_get(x, wide ? b * cols + i : i * cols + b);
      worst = fmax(worst, fabs(sum - (a == b ? gain * gain : 0)));
    }
  return worst;
}

static void check_orthogonal(int rank, const int64_t *size, double gain) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, rank, size);
  marea_stream stream = marea_stream_new(2, 3);
  CHECK(marea_initialise_orthogonal(x, &stream, gain) == MAREA_OK);
  CHECK(gram_error(x, gain) < 8 * MAREA_REAL_EPSILON * gain * gain);
  marea_tensor_free(x);
}

static void test_orthogonal(void) {
  check_orthogonal(2, (int64_t[]){64, 64}, 1);
  check_orthogonal(2, (int64_t[]){32, 128}, 1);
  check_orthogonal(2, (int64_t[]){31, 17}, 2);
  check_orthogonal(2, (int64_t[]){1, 5}, 1);
  check_orthogonal(2, (int64_t[]){5, 1}, 1);
  check_orthogonal(2, (int64_t[]){1, 1}, 1);
  check_orthogonal(3, (int64_t[]){3, 4, 5}, 1);
  check_orthogonal(3, (int64_t[]){3, 4, 50}, 1);
  check_orthogonal(2, (int64_t[]){0, 4}, 1);
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){4});
  marea_stream stream = marea_stream_new(2, 3);
  CHECK(marea_initialise_orthogonal(x, &stream, 1) == MAREA_SHAPE);
  marea_tensor_free(x);
}

/* The signs make R's diagonal positive: Q'A, upper triangular, for the A that was drawn. */
static void test_signs(void) {
  enum { N = 6, M = 4 };
  marea_tensor *q = matrix(N, M), *a = matrix(N, M);
  marea_stream one = marea_stream_new(8, 8), two = one;
  marea_initialise_orthogonal(q, &one, 1);
  marea_initialise_normal(a, &two, 0, 1);
  for (int j = 0; j < M; j++)
    for (int k = 0; k <= j; k++) {
      double sum = 0;
      for (int i = 0; i < N; i++)
        sum += marea_tensor_get(q, i * M + j) * marea_tensor_get(a, i * M + k);
      if (j == k)
        CHECK(sum > 0.01);
      else
        CHECK_NEAR(sum, 0, 20 * MAREA_REAL_EPSILON);
    }
  marea_tensor_free(q);
  marea_tensor_free(a);
}

static void test_reproducible(void) {
  marea_tensor *x = matrix(300, 600), *y = matrix(300, 600);
  marea_stream one = marea_stream_new(5, 1), two = one;
  marea_threads_set(1);
  marea_initialise(x, "orthogonal", &one);
  marea_threads_set(4);
  marea_initialise(y, "orthogonal", &two);
  CHECK(memcmp(x->data, y->data, marea_tensor_bytes(x)) == 0 && one.position == two.position);
  marea_tensor_free(x);
  marea_tensor_free(y);
}

static void test_identity(void) {
  marea_tensor *x = matrix(2, 3), *v = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){3});
  CHECK(marea_initialise_identity(x, 2) == MAREA_OK);
  for (int i = 0; i < 6; i++) CHECK(marea_tensor_get(x, i) == (i == 0 || i == 4 ? 2 : 0));
  CHECK(marea_initialise_identity(v, 1) == MAREA_SHAPE);
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, 2, (int64_t[]){2, 2});
  CHECK(marea_initialise_constant(ids, 1) == MAREA_ARGUMENT);
  marea_tensor_free(ids);
  marea_tensor_free(x);
  marea_tensor_free(v);
}

/* ---- constraints ---- */

static void check_norms(unsigned axes, double low, double high, double rate,
                        const double expected[4]) {
  static const double values[4] = {3, 0.3, 4, 0.4}; /* columns of norm 5 and 0.5 */
  marea_tensor *w = matrix(2, 2);
  for (int i = 0; i < 4; i++) marea_tensor_set(w, i, values[i]);
  CHECK(marea_constrain_norm(w, axes, low, high, rate) == MAREA_OK);
  for (int i = 0; i < 4; i++) CHECK_NEAR(marea_tensor_get(w, i), expected[i], 1e-6);
  marea_tensor_free(w);
}

static void test_constraints(void) {
  check_norms(1, 0, 2, 1, (double[]){1.2, 0.3, 1.6, 0.4});
  check_norms(1, 1, 1, 1, (double[]){0.6, 0.6, 0.8, 0.8});
  check_norms(1, 1, 2, 0.5, (double[]){2.1, 0.45, 2.8, 0.6});
  double norm = sqrt(25.25);
  check_norms(3, 1, 1, 1, (double[]){3 / norm, 0.3 / norm, 4 / norm, 0.4 / norm});
  check_norms(2, 1, 1, 1,
              (double[]){3 / sqrt(9.09), 0.3 / sqrt(9.09), 4 / sqrt(16.16), 0.4 / sqrt(16.16)});
  check_norms(0, 1, 1, 1, (double[]){1, 1, 1, 1});
  marea_tensor *w = marea_tensor_new(MAREA_REAL, 3, (int64_t[]){2, 2, 2});
  for (int i = 0; i < 8; i++) marea_tensor_set(w, i, i - 3);
  marea_constrain_norm(w, 1 | 4, 1, 1, 1); /* groups by the middle axis */
  double squares[2] = {0};
  for (int i = 0; i < 8; i++) squares[i / 2 % 2] += pow(marea_tensor_get(w, i), 2);
  CHECK_NEAR(squares[0], 1, 1e-6);
  CHECK_NEAR(squares[1], 1, 1e-6);
  CHECK(marea_constrain_nonnegative(w) == MAREA_OK);
  CHECK(marea_tensor_get(w, 0) == 0 && marea_tensor_get(w, 7) > 0);
  CHECK(marea_constrain_norm(w, 8, 0, 1, 1) == MAREA_ARGUMENT);
  CHECK(marea_constrain_norm(w, 1, 2, 1, 1) == MAREA_RANGE);
  CHECK(marea_constrain_norm(w, 1, 0, 1, 2) == MAREA_RANGE);
  marea_memory_fail_at(1);
  CHECK(marea_constrain_norm(w, 1, 0, 1, 1) == MAREA_NOMEM);
  marea_tensor_free(w);
}

static void test_allocation_failures(void) {
  marea_tensor *x = matrix(8, 4);
  size_t used = marea_memory_used();
  for (size_t n = 1; n <= 4; n++) {
    marea_stream stream = marea_stream_new(1, 1);
    marea_memory_fail_at(n);
    marea_status status = marea_initialise(x, "orthogonal", &stream);
    marea_memory_fail_at(0);
    CHECK(status == (n <= 3 ? MAREA_NOMEM : MAREA_OK) && marea_memory_used() == used);
  }
  marea_tensor_free(x);
}

int main(void) {
  test_fans();
  test_named();
  test_orthogonal();
  test_signs();
  test_reproducible();
  test_identity();
  test_constraints();
  test_allocation_failures();
  return test_end();
}
