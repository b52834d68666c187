/* Clipping and norms: the reference values, dense against row-sparse, limits. */
#include "test.h"

#include "autodiff/tape.h"
#include "train/clipping.h"
#include "train/optimizer.h"

static marea_tensor *with_gradient(int64_t n, const marea_real *g) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, &n);
  CHECK(marea_gradient_add(x, g) == MAREA_OK);
  return x;
}

/* One SGD step at rate 1 from 0 shows the clipped gradient, negated. */
static void clipped(const marea_clipping *limits, marea_tensor *const *w, int count,
                    marea_step_report *report) {
  static const char *const names[] = {"a", "b"};
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_SGD, false);
  options.learning_rate = 1;
  options.clip = *limits;
  marea_optimizer *optimizer = marea_optimizer_new(&options);
  for (int i = 0; i < count; i++) marea_optimizer_add(optimizer, names[i], w[i], true);
  CHECK(marea_optimizer_step(optimizer, report) == MAREA_OK);
  marea_optimizer_free(optimizer);
}

static void check_values(const marea_tensor *w, const double *expected) {
  for (int64_t i = 0; i < marea_tensor_count(w); i++)
    CHECK_NEAR(-marea_tensor_get(w, i), expected[i], 1e-6);
}

static void test_three_kinds(void) {
  static const struct {
    marea_clipping limits;
    double a[2], b[1], before, after;
  } cases[] = {
      {{.norm = 1}, {0.6, 0.8}, {1}, 13, 1.4142135624},
      {{.norm = 10}, {3, 4}, {10}, 13, 11.1803398875},
      {{.value = 3.5}, {3, 3.5}, {3.5}, 13, 5.7879184514},
      {{.global = 6.5}, {1.5, 2}, {6}, 13, 6.5},
      {{.global = 20}, {3, 4}, {12}, 13, 13},
      {{.norm = 0}, {3, 4}, {12}, 13, 13},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    marea_gradient_pass_begin(false);
    marea_tensor *w[2] = {with_gradient(2, (marea_real[]){3, 4}),
                          with_gradient(1, (marea_real[]){12})};
    marea_step_report report;
    clipped(&cases[i].limits, w, 2, &report);
    check_values(w[0], cases[i].a);
    check_values(w[1], cases[i].b);
    CHECK_NEAR(report.norm_before, cases[i].before, 1e-9);
    CHECK_NEAR(report.norm_after, cases[i].after, 1e-9);
    marea_tensor_free(w[0]);
    marea_tensor_free(w[1]);
  }
}

static void test_norm(void) {
  marea_gradient_pass_begin(false);
  marea_tensor *table = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){100000, 3});
  CHECK(marea_gradient_norm(table) == 0 && marea_gradient_nonfinite(table) == -1);
  marea_real values[] = {1, 2, 2, 4, 0, 0, 0, 0, (marea_real)NAN};
  marea_gradient_add_rows(table, (int32_t[]){99999, 5}, 2, values);
  CHECK_NEAR(marea_gradient_norm(table), 5, 1e-12);
  CHECK(marea_gradient_nonfinite(table) == -1);
  marea_gradient_add_rows(table, (int32_t[]){70000}, 1, values + 6);
  CHECK(isnan(marea_gradient_norm(table)));
  CHECK(marea_gradient_nonfinite(table) == 70000 * 3 + 2);
  marea_tensor_free(table);
}

static void test_limits(void) {
  CHECK(marea_clip_check(&(marea_clipping){.norm = 0}) == MAREA_OK);
  CHECK(marea_clip_check(&(marea_clipping){.value = 1}) == MAREA_OK);
  CHECK(marea_clip_check(&(marea_clipping){.norm = (double)NAN}) == MAREA_RANGE);
  CHECK(marea_clip_check(&(marea_clipping){.global = (double)INFINITY}) == MAREA_RANGE);
  CHECK(marea_clip_check(&(marea_clipping){.norm = 1, .value = 1}) == MAREA_ARGUMENT);
}

int main(void) {
  test_three_kinds();
  test_norm();
  test_limits();
  return test_end();
}
