/* Every operation, used from C alone: gradients against central differences, operands that lie in
 * memory in another order, missing operands, wrong types, and memory that runs out at each call. */
#include "test.h"

#include <stdlib.h>

#include "op_cases.h"

enum { CASES = sizeof op_cases / sizeof op_cases[0] };

static const double STEP = sizeof(marea_real) == 8 ? 1e-5 : 1e-2;
static const double TOLERANCE = sizeof(marea_real) == 8 ? 1e-7 : 3e-2;

/* Operands of a case; `turned`: the axes lie in memory in reverse order. */
static void draw(const op_case *c, bool turned, marea_tensor *store[OPERANDS]) {
  marea_stream stream = marea_stream_new(14, 7);
  for (int k = 0; k < OPERANDS; k++) {
    store[k] = NULL;
    if (k >= c->count) continue;
    int rank = c->shape[k].rank;
    int64_t size[4] = {0};
    for (int i = 0; i < rank; i++) size[turned ? rank - 1 - i : i] = c->shape[k].size[i];
    store[k] = marea_tensor_new(MAREA_REAL, rank, size);
    if (store[k] == NULL) continue;
    store[k]->requires_grad = true;
    int64_t count = marea_tensor_count(store[k]);
    for (int64_t i = 0; i < count; i++)
      marea_tensor_set(store[k], i, c->low + (c->high - c->low) * marea_stream_uniform(&stream));
  }
}

static void drop(marea_tensor *list[OPERANDS]) {
  for (int k = 0; k < OPERANDS; k++) marea_tensor_free(list[k]);
}

/* The operands as the case wants them: views when turned. */
static void present(marea_tensor *store[OPERANDS], bool turned, marea_tensor *in[OPERANDS]) {
  for (int k = 0; k < OPERANDS; k++) {
    int axes[4];
    int rank = store[k] == NULL ? 0 : store[k]->rank;
    for (int i = 0; i < rank; i++) axes[i] = rank - 1 - i;
    in[k] = turned ? marea_permute(store[k], axes) : store[k];
  }
}

/* sum of y_i (i + 1)/10: unequal weights, so that no gradient is right by accident. */
static marea_tensor *weigh(marea_tensor *y) {
  if (y == NULL) return NULL;
  int64_t count = marea_tensor_count(y);
  marea_tensor *weights = marea_result(MAREA_REAL, 1, &count);
  for (int64_t i = 0; weights != NULL && i < count; i++)
    marea_tensor_set(weights, i, 0.1 * (double)(i + 1));
  return marea_sum(marea_mul(marea_reshape(y, 1, &count), weights), -1, false);
}

static double value(const op_case *c, bool turned, marea_tensor *store[OPERANDS]) {
  bool before = marea_grad_enable(false);
  marea_tape *tape = marea_tape_new();
  marea_tensor *in[OPERANDS];
  present(store, turned, in);
  marea_tensor *loss = weigh(c->run(in));
  double result = loss == NULL ? (double)NAN : marea_tensor_get(loss, 0);
  marea_tape_free(tape);
  marea_grad_enable(before);
  return result;
}

static marea_status backward(const op_case *c, bool turned, marea_tensor *store[OPERANDS]) {
  marea_tape *tape = marea_tape_new();
  if (tape == NULL) return MAREA_NOMEM;
  marea_tensor *in[OPERANDS];
  present(store, turned, in);
  marea_tensor *loss = weigh(c->run(in));
  marea_status status = loss == NULL ? marea_error_code() : marea_tape_backward(tape, loss, false);
  marea_tape_free(tape);
  return status;
}

static void check_gradients(const op_case *c, bool turned) {
  marea_tensor *store[OPERANDS];
  draw(c, turned, store);
  if (!CHECK(backward(c, turned, store) == MAREA_OK)) fprintf(stderr, "  in %s\n", c->name);
  for (int k = 0; k < c->count; k++) {
    marea_tensor *gradient = marea_tensor_gradient(store[k]);
    for (int64_t i = 0; i < marea_tensor_count(store[k]); i++) {
      double x = marea_tensor_get(store[k], i);
      marea_tensor_set(store[k], i, x + STEP);
      double above = value(c, turned, store);
      marea_tensor_set(store[k], i, x - STEP);
      double below = value(c, turned, store);
      marea_tensor_set(store[k], i, x);
      double measured = (above - below) / (2 * STEP);
      if (!CHECK_NEAR(marea_tensor_get(gradient, i), measured, TOLERANCE * (1 + fabs(measured))))
        fprintf(stderr, "  in %s%s, operand %d, element %d: %g, measured %g\n", c->name,
                turned ? " (turned)" : "", k, (int)i, marea_tensor_get(gradient, i), measured);
    }
    marea_tensor_free(gradient);
  }
  drop(store);
}

/* Without a tape results are owned; a missing operand gives NULL and keeps the message. */
static void check_plain_calls(const op_case *c) {
  marea_tensor *store[OPERANDS], *none[OPERANDS] = {NULL};
  draw(c, false, store);
  marea_tensor *y = c->run(store);
  CHECK(y != NULL && y->tape == NULL && y->references >= 1);
  marea_tensor_free(y);
  marea_fail(MAREA_RANGE, "the first message");
  if (strstr("rnn lstm gru gru_before", c->name) == NULL) {
    if (!CHECK(c->run(none) == NULL)) fprintf(stderr, "  in %s\n", c->name);
    CHECK_ERROR("the first message");
  }
  drop(store);
}

static void check_types(const op_case *c) {
  marea_tensor *ids = marea_tensor_new(MAREA_INT32, c->shape[0].rank, c->shape[0].size);
  static const char *const any_type[] = {"reshape",   "permute", "narrow",          "select",
                                         "broadcast", "concat",  "stack",           "flip",
                                         "cast",      "take",    "reverse_sequence"};
  bool all_types = false;
  for (size_t i = 0; i < sizeof any_type / sizeof *any_type; i++)
    all_types = all_types || strcmp(any_type[i], c->name) == 0;
  marea_tensor *store[OPERANDS];
  draw(c, false, store);
  marea_tensor *first = store[0];
  store[0] = ids;
  if (!all_types) {
    if (!CHECK(c->run(store) == NULL && marea_error_code() == MAREA_TYPE))
      fprintf(stderr, "  in %s\n", c->name);
  }
  store[0] = first;
  drop(store);
  marea_tensor_free(ids);
}

static void one_step(const op_case *c, bool turned) {
  marea_tensor *store[OPERANDS];
  draw(c, turned, store);
  backward(c, turned, store);
  marea_tensor *in[OPERANDS];
  present(store, turned, in);
  bool whole = true;
  for (int k = 0; k < c->count; k++) whole = whole && in[k] != NULL;
  if (whole) marea_tensor_free(c->run(in));
  if (turned) drop(in);
  drop(store);
}

static void check_allocation_failures(const op_case *c, bool turned) {
  marea_arena_trim(); /* memory that waits would need no allocation */
  size_t before = marea_memory_allocations();
  one_step(c, turned);
  size_t needed = marea_memory_allocations() - before;
  for (size_t n = 1; n <= needed; n++) {
    marea_arena_trim();
    marea_memory_fail_at(n);
    one_step(c, turned);
    marea_memory_fail_at(0);
    if (!CHECK(marea_memory_used() == 0 && marea_tape_active() == NULL))
      fprintf(stderr, "  in %s, allocation %d\n", c->name, (int)n);
  }
}

int main(void) {
  for (int i = 0; i < CASES; i++) {
    const op_case *c = &op_cases[i];
    for (int turned = 0; turned < 2; turned++) {
      check_gradients(c, turned == 1);
      check_allocation_failures(c, turned == 1);
    }
    check_plain_calls(c);
    check_types(c);
  }
  return test_end();
}
