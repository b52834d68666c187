/* Tensors, tapes and gradient stores, with a scaling operation made here. */
#include "test.h"

#include "autodiff/tape.h"

static marea_status scale_backward(marea_node *node) {
  double factor = *(double *)node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  int64_t count = marea_tensor_count(node->inputs[0]);
  for (int64_t i = 0; i < count; i++) dx[i] += (marea_real)factor * dy[i];
  return MAREA_OK;
}

/* y = factor * x: the smallest whole operation. */
static marea_tensor *scale(marea_tensor *x, double factor) {
  if (x == NULL) return NULL;
  marea_tensor *y = marea_result(MAREA_REAL, x->rank, x->size);
  if (y == NULL) return NULL;
  int64_t count = marea_tensor_count(x);
  for (int64_t i = 0; i < count; i++) marea_reals(y)[i] = (marea_real)factor * marea_reals(x)[i];
  if (marea_recording(&x, 1)) {
    marea_node *node = marea_record("scale", &x, 1, &y, 1, scale_backward, sizeof(double));
    if (node == NULL) return NULL;
    *(double *)node->context = factor;
  }
  return y;
}

static void test_tensor(void) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){2, 3});
  for (int i = 0; i < 6; i++) marea_tensor_set(x, i, i);
  marea_tensor *turned = marea_view(x, 2, (int64_t[]){3, 2}, (int64_t[]){1, 3}, 0);
  static const double expected[] = {0, 3, 1, 4, 2, 5};
  for (int i = 0; i < 6; i++) CHECK(marea_tensor_get(turned, i) == expected[i]);
  marea_tensor *copy = marea_tensor_copy(turned);
  marea_tensor_free(x); /* the view keeps the storage alive */
  for (int i = 0; i < 6; i++) CHECK(marea_tensor_get(copy, i) == expected[i]);
  char text[MAREA_SHAPE_TEXT_BYTES];
  CHECK(strcmp(marea_shape_text(copy, text), "(3, 2)") == 0);
  marea_tensor_free(turned);
  marea_tensor_free(copy);
  CHECK(marea_tensor_new(MAREA_REAL, 2, (int64_t[]){1 << 30, INT64_MAX / 4}) == NULL);
  CHECK_ERROR("no tensor can have the shape");
  CHECK(marea_tensor_new(MAREA_REAL, 7, (int64_t[7]){0}) == NULL);
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, 1, (int64_t[]){1});
  CHECK(marea_tensor_set(ids, 0, 0.5) == MAREA_RANGE);
  CHECK(marea_tensor_set(ids, 0, 3e9) == MAREA_RANGE);
  marea_tensor_free(ids);
}

static void test_backward(void) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){1});
  x->requires_grad = true;
  for (int pass = 0; pass < 3; pass++) {
    marea_tape *tape = marea_tape_new();
    marea_tensor *y = scale(scale(x, 2), 5);
    CHECK(marea_tape_backward(tape, y, pass == 2) == MAREA_OK);
    CHECK(marea_tape_backward(tape, y, false) == MAREA_STATE);
    marea_tensor *gradient = marea_tensor_gradient(x);
    CHECK(marea_tensor_get(gradient, 0) == (pass == 2 ? 20 : 10));
    marea_tensor_free(gradient);
    marea_tape_free(tape);
  }
  marea_tape *tape = marea_tape_new();
  bool before = marea_grad_enable(false);
  CHECK(before);
  marea_tensor *constant = scale(x, 2);
  marea_grad_enable(true);
  CHECK(marea_tape_backward(tape, constant, false) == MAREA_STATE);
  CHECK_ERROR("requires a gradient");
  CHECK(marea_tape_length(tape) == 0);
  marea_tape_free(tape);
  marea_tensor_free(x);
}

static void test_nonfinite(void) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){3});
  x->requires_grad = true;
  marea_tape *tape = marea_tape_new();
  marea_tensor_set(x, 1, 1e30);
  marea_tape_label(tape, "first");
  marea_tensor *y = scale(x, 2);
  marea_tape_label(tape, "second");
  scale(y, (double)INFINITY);
  const marea_node *node;
  int output;
  int64_t element;
  CHECK(marea_tape_nonfinite(tape, &node, &output, &element));
  CHECK(strcmp(node->label, "second") == 0 && output == 0 && element == 0);
  marea_tape_free(tape);
  marea_tensor_free(x);
}

static void test_nesting(void) {
  marea_tape *outer = marea_tape_new();
  marea_tape *inner = marea_tape_new();
  CHECK(marea_tape_active() == inner);
  marea_tape_close(outer);
  CHECK(marea_tape_closed(inner) && marea_tape_active() == NULL);
  marea_tape_free(inner);
  marea_tape_free(outer);
}

/* A view on an inner tape looks into the outer one's arena, which must live as long. */
static void test_forgotten_outer(void) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){3});
  marea_tensor_fill(x, 7);
  marea_tape *outer = marea_tape_new();
  marea_tensor *y = scale(x, 2);
  marea_tape *inner = marea_tape_new();
  marea_tensor *view = marea_view(y, 1, (int64_t[]){2}, (int64_t[]){1}, 1);
  marea_tape_free(outer); /* nobody but the inner tape knows it now */
  CHECK(marea_tape_active() == inner && marea_tensor_get(view, 1) == 14);
  marea_tape_free(inner);
  CHECK(marea_tape_active() == NULL);
  for (int i = 0; i < 100000; i++) marea_tape_free(i % 2 == 0 ? marea_tape_new() : NULL);
  marea_tape *first = marea_tape_new();
  for (int i = 0; i < 100000; i++) {
    marea_tape *last = marea_tape_new();
    marea_tape_free(first);
    first = last;
  }
  marea_tape_free(first);
  CHECK(marea_tape_active() == NULL);
  marea_tensor_free(x);
}

/* A lost handle: the tape stays while results may be in use, and goes when it is innermost. */
static void test_forget(void) {
  marea_tape *lost = marea_tape_new();
  marea_tape *holder = marea_tape_retain(lost);
  marea_tape_forget(lost);
  CHECK(!marea_tape_closed(holder) && marea_tape_active() == holder);
  marea_tape *next = marea_tape_new();
  CHECK(marea_tape_closed(holder) && marea_tape_active() == next);
  marea_tape *inner = marea_tape_new();
  marea_tape_retain(next);
  marea_tape_forget(next);
  CHECK(!marea_tape_closed(next)); /* the inner one is in use */
  marea_tape_close(inner);
  CHECK(marea_tape_closed(next) && marea_tape_active() == NULL);
  marea_tape_free(inner);
  marea_tape_free(next);
  marea_tape_free(holder);
}

/* A view on a tape keeps the bytes of an owned tensor that is dropped. */
static void test_dropped_owner(void) {
  marea_tape *tape = marea_tape_new();
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){3});
  marea_tensor_fill(x, 7);
  marea_tensor *view = marea_view(x, 1, (int64_t[]){2}, (int64_t[]){1}, 1);
  marea_tensor *again = marea_view(view, 1, (int64_t[]){1}, (int64_t[]){1}, 1);
  marea_tensor_free(x);
  CHECK(marea_tensor_get(view, 1) == 7 && marea_tensor_get(again, 0) == 7);
  marea_tape_free(tape);
}

static marea_tape *walked, *other;
static marea_tensor *of_other, *view_of_other;
static double inner_gradient;

/* Closes the tape that is walked, opens another, and walks that. */
static marea_status meddle_backward(marea_node *node) {
  marea_tape_close(walked);
  CHECK(!marea_tape_closed(walked) && marea_tape_active() == walked);
  view_of_other = marea_view(of_other, 1, (int64_t[]){1}, (int64_t[]){1}, 0);
  marea_tape_close(other); /* opened before the walk, inside the walked one */
  CHECK(marea_tape_closed(other) && marea_tape_active() == walked);
  CHECK(marea_tensor_get(view_of_other, 0) == 6);
  marea_tensor *w = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){1});
  w->requires_grad = true;
  marea_tape *inner = marea_tape_new();
  CHECK(marea_tape_active() == inner);
  CHECK(marea_tape_backward(inner, scale(w, 4), false) == MAREA_OK);
  CHECK(marea_tape_active() == inner);
  marea_tape_free(inner);
  marea_tensor *gradient = marea_tensor_gradient(w);
  inner_gradient = marea_tensor_get(gradient, 0);
  marea_tensor_free(gradient);
  marea_tensor_free(w);
  CHECK(marea_tape_active() == walked);
  return marea_gradient_add(node->inputs[0], marea_gradient_of(node->outputs[0]));
}

static void test_meddling_node(void) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){1});
  x->requires_grad = true;
  marea_tensor_fill(x, 3);
  walked = marea_tape_new();
  marea_tensor *a = scale(x, 3), *b = marea_view(a, 1, a->size, a->stride, 0);
  CHECK(marea_record("meddle", &a, 1, &b, 1, meddle_backward, 0) != NULL);
  marea_tensor *loss = scale(b, 5);
  other = marea_tape_new();
  of_other = scale(x, 2);
  CHECK(marea_tape_backward(walked, loss, false) == MAREA_OK);
  CHECK(marea_tape_closed(walked) && marea_tape_active() == NULL);
  CHECK(inner_gradient == 4);
  marea_tensor *gradient = marea_tensor_gradient(x);
  CHECK(marea_tensor_get(gradient, 0) == 15); /* the pass went on after the one inside it */
  marea_tensor_free(gradient);
  marea_tape_free(other);
  marea_tape_free(walked);
  marea_tensor_free(x);
}

static void test_rows(void) {
  marea_tensor *table = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){5, 2});
  marea_real values[] = {1, 2, 10, 20, 100, 200};
  CHECK(marea_gradient_add_rows(table, (int32_t[]){3, 1, 3}, 3, values) == MAREA_OK);
  CHECK(marea_gradient_add_rows(table, (int32_t[]){0, 4}, 2, values) == MAREA_OK);
  marea_gradient *g = table->gradient;
  CHECK(g->sparse && g->row_count == 4);
  CHECK(g->rows[0] == 0 && g->rows[1] == 1 && g->rows[2] == 3 && g->rows[3] == 4);
  static const double expected[] = {1, 2, 10, 20, 0, 0, 101, 202, 10, 20};
  marea_tensor *dense = marea_tensor_gradient(table);
  for (int i = 0; i < 10; i++) CHECK(marea_tensor_get(dense, i) == expected[i]);
  marea_real all[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  CHECK(marea_gradient_add(table, all) == MAREA_OK && !g->sparse);
  marea_tensor *sum = marea_tensor_gradient(table);
  for (int i = 0; i < 10; i++) CHECK(marea_tensor_get(sum, i) == expected[i] + 1);
  marea_tensor_free(sum);
  marea_tensor_free(dense);
  marea_tensor_free(table);
}

static void one_step(void) {
  marea_tensor *x = marea_tensor_new(MAREA_REAL, 1, (int64_t[]){1});
  marea_tape *tape = x != NULL ? marea_tape_new() : NULL;
  if (tape != NULL) {
    x->requires_grad = true;
    marea_tensor *y = scale(scale(x, 2), 3);
    if (y != NULL) marea_tape_backward(tape, y, false);
  }
  marea_tape_free(tape);
  marea_tensor_free(x);
}

static void test_allocation_failures(void) {
  size_t before = marea_memory_allocations();
  one_step();
  size_t needed = marea_memory_allocations() - before;
  for (size_t n = 1; n <= needed; n++) {
    marea_memory_fail_at(n);
    one_step();
    CHECK(marea_memory_used() == 0 && marea_tape_active() == NULL);
  }
  marea_memory_fail_at(0);
}

int main(void) {
  test_tensor();
  test_backward();
  test_nonfinite();
  test_nesting();
  test_forgotten_outer();
  test_dropped_owner();
  test_forget();
  test_meddling_node();
  test_rows();
  test_allocation_failures();
  return test_end();
}
