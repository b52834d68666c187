/* Optimizers on row-sparse gradients: the same bits as dense ones and for any number of threads,
 * lazy rules, gradients that are not finite, going on from copied state. */
#include "base/threads.h"
#include "test/optimizer_cases.h"

/* ---- dense against row-sparse ---- */

static void compare_dense_sparse(marea_optimizer_options options) {
  marea_step_report report_a, report_b;
  twin a = make_twin(&options), b = make_twin(&options);
  marea_threads_set(1);
  run_twin(&a, false, 3, &report_a);
  marea_threads_set(4);
  run_twin(&b, true, 3, &report_b);
  CHECK(same_twins(&a, &b));
  CHECK(report_a.norm_before == report_b.norm_before && report_a.parameters == 2);
  CHECK(report_a.norm_after == report_b.norm_after);
  free_twin(&a);
  free_twin(&b);
}

static void test_dense_sparse(void) {
  for (int kind = 0; kind < MAREA_OPTIMIZER_COUNT; kind++)
    for (int variant = 0; variant < 12; variant++)
      compare_dense_sparse(variant_of((marea_optimizer_kind)kind, variant));
}

/* The work of several pieces: the bits of a large parameter do not depend on the threads. */
static void test_threads(void) {
  enum { N = 100001 };
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_ADAM, false);
  options.clip.global = 0.5;
  marea_tensor *results[3];
  marea_tensor *g = vector(N, 0);
  for (int run = 0; run < 3; run++) {
    marea_stream stream = marea_stream_new(3, 1);
    marea_threads_set(run == 0 ? 1 : run == 1 ? 3 : 8);
    marea_optimizer *optimizer = marea_optimizer_new(&options);
    results[run] = vector(N, 1);
    marea_optimizer_add(optimizer, "w", results[run], true);
    for (int t = 0; t < 3; t++) {
      marea_stream_fill_normal(&stream, marea_reals(g), N, 0, 1);
      give_gradient(results[run], marea_reals(g));
      CHECK(marea_optimizer_step(optimizer, NULL) == MAREA_OK);
    }
    marea_optimizer_free(optimizer);
  }
  CHECK(same_bits(results[0], results[1]) && same_bits(results[0], results[2]));
  for (int run = 0; run < 3; run++) marea_tensor_free(results[run]);
  marea_tensor_free(g);
}

/* Adam moves rows that were not looked up; lazily it leaves them and their moments alone, and the
 * looked-up rows get what a dense step gives while their history is the same. */
static void test_lazy(void) {
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_ADAM, false);
  options.weight_decay = 0.1;
  twin exact = make_twin(&options);
  options.lazy = true;
  twin lazy = make_twin(&options);
  marea_tensor *before = marea_tensor_copy(lazy.table);
  run_twin(&exact, true, 1, NULL);
  run_twin(&lazy, true, 1, NULL);
  const marea_gradient *g = lazy.table->gradient;
  int64_t next = 0;
  for (int64_t row = 0; row < ROWS; row++) {
    bool touched = next < g->row_count && g->rows[next] == row;
    next += touched;
    for (int64_t i = row * WIDTH; i < (row + 1) * WIDTH; i++) {
      double old = marea_tensor_get(before, i), now = marea_tensor_get(lazy.table, i);
      CHECK(touched ? now == marea_tensor_get(exact.table, i) : now == old);
      if (!touched) CHECK(marea_tensor_get(exact.table, i) != old);
    }
  }
  CHECK(next == g->row_count);
  marea_tensor_free(before);
  free_twin(&exact);
  free_twin(&lazy);
}

static void test_nonfinite(void) {
  marea_optimizer_options options = marea_optimizer_defaults(MAREA_ADAM, false);
  twin t = make_twin(&options);
  marea_tensor *before = marea_tensor_copy(t.table);
  marea_real values[2 * WIDTH] = {0}, bias_gradient[3] = {1, 1, 1};
  values[WIDTH + 2] = (marea_real)INFINITY;
  marea_gradient_pass_begin(false);
  marea_gradient_add(t.bias, bias_gradient);
  marea_gradient_add_rows(t.table, (int32_t[]){4, 17}, 2, values);
  CHECK(marea_optimizer_step(t.optimizer, NULL) == MAREA_NONFINITE);
  CHECK_ERROR("\"table\" (3001, 7)");
  CHECK_ERROR("element (18, 3)");
  CHECK(same_bits(before, t.table) && marea_optimizer_iterations(t.optimizer) == 0);
  give_gradient(t.bias, (marea_real[]){1, (marea_real)NAN, 1});
  CHECK(marea_optimizer_step(t.optimizer, NULL) == MAREA_NONFINITE);
  CHECK_ERROR("\"bias\" (3)");
  marea_step_report report;
  give_gradient(t.bias, (marea_real[]){1, (marea_real)NAN, 1});
  CHECK(marea_optimizer_try_step(t.optimizer, &report) == MAREA_OK);
  CHECK(report.refused && isnan(report.norm_before));
  CHECK(marea_optimizer_iterations(t.optimizer) == 0 && marea_tensor_get(t.bias, 0) == 0);
  CHECK(marea_optimizer_try_step(t.optimizer, &report) == MAREA_STATE);
  give_gradient(t.bias, (marea_real[]){2, 3, 6});
  CHECK(marea_optimizer_try_step(t.optimizer, &report) == MAREA_OK);
  CHECK(!report.refused && report.norm_before == 7 && marea_optimizer_iterations(t.optimizer) == 1);
  free_twin(&t);
  options.allow_nonfinite = true;
  t = make_twin(&options);
  give_gradient(t.bias, (marea_real[]){1, (marea_real)NAN, 1});
  CHECK(marea_optimizer_step(t.optimizer, NULL) == MAREA_OK);
  CHECK(isnan(marea_tensor_get(t.bias, 1)) && !isnan(marea_tensor_get(t.bias, 0)));
  free_twin(&t);
  marea_tensor_free(before);
}

/* ---- state ---- */

static void copy_state(const twin *from, twin *to) {
  const char *parameter, *slot;
  marea_tensor_assign(to->table, from->table);
  marea_tensor_assign(to->bias, from->bias);
  for (int64_t i = 0; i < marea_optimizer_slot_count(from->optimizer); i++)
    marea_tensor_assign(marea_optimizer_slot(to->optimizer, i, &parameter, &slot),
                        marea_optimizer_slot(from->optimizer, i, &parameter, &slot));
  marea_optimizer_set_iterations(to->optimizer, marea_optimizer_iterations(from->optimizer));
}

static void test_resume(void) {
  for (int kind = 0; kind < MAREA_OPTIMIZER_COUNT; kind++) {
    marea_optimizer_options options = variant_of((marea_optimizer_kind)kind, 5);
    options.average = true;
    twin whole = make_twin(&options), resumed = make_twin(&options);
    run_twin(&whole, true, 5, NULL);
    copy_state(&whole, &resumed);
    run_twin(&whole, true, 3, NULL);
    run_twin(&resumed, true, 3, NULL);
    CHECK(same_twins(&whole, &resumed));
    free_twin(&whole);
    free_twin(&resumed);
  }
}

int main(void) {
  test_dense_sparse();
  test_threads();
  test_lazy();
  test_nonfinite();
  test_resume();
  return test_end();
}
