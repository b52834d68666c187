/* Broadcasting operations on two or three tensors. */
#include "autodiff/op_help.h"

/* The arrays of one walk, in the walk's order. */
typedef struct arrays {
  marea_real *at[OPERANDS_MAX];
} arrays;

/* ---- one line of each operation: y = f(a, b); da += dy f_a; db += dy f_b ---- */

#define DEFINE_BINARY(name, value, slope_a, slope_b)                                               \
  static void name##_line(void *context, const int64_t *offset, const int64_t *step, int64_t n) {  \
    const arrays *all = context;                                                                   \
    marea_real *out = all->at[0] + offset[0];                                                      \
    const marea_real *in_a = all->at[1] + offset[1], *in_b = all->at[2] + offset[2];               \
    for (int64_t i = 0; i < n; i++) {                                                              \
      marea_real a = in_a[i * step[1]], b = in_b[i * step[2]];                                     \
      out[i * step[0]] = (value);                                                                  \
    }                                                                                              \
  }                                                                                                \
  static void name##_back(void *context, const int64_t *offset, const int64_t *step, int64_t n) {  \
    const arrays *all = context;                                                                   \
    const marea_real *dy = all->at[0] + offset[0];                                                 \
    const marea_real *in_a = all->at[1] + offset[1], *in_b = all->at[2] + offset[2];               \
    marea_real *da = all->at[3], *db = all->at[4];                                                 \
    for (int64_t i = 0; i < n; i++) {                                                              \
      marea_real a = in_a[i * step[1]], b = in_b[i * step[2]], d = dy[i * step[0]];                \
      (void)a, (void)b;                                                                            \
      if (da != NULL) da[offset[3] + i * step[3]] += d * (slope_a);                                \
      if (db != NULL) db[offset[4] + i * step[4]] += d * (slope_b);                                \
    }                                                                                              \
  }

#define HALF(better, equal) ((better) ? (marea_real)1 : (equal) ? (marea_real)0.5 : (marea_real)0)
DEFINE_BINARY(add, a + b, 1, 1)
DEFINE_BINARY(sub, a - b, 1, -1)
DEFINE_BINARY(mul, a *b, b, a)
DEFINE_BINARY(div, a / b, 1 / b, -a / (b * b))
DEFINE_BINARY(maximum, a > b || a != a ? a : b, HALF(a > b, a == b), HALF(b > a, a == b))
DEFINE_BINARY(minimum, a < b || a != a ? a : b, HALF(a < b, a == b), HALF(b < a, a == b))

typedef struct binary_context {
  op_line *back;
} binary_context;

static marea_status binary_backward(marea_node *node) {
  const binary_context *c = node->context;
  marea_tensor *y = node->outputs[0], *a = node->inputs[0], *b = node->inputs[1];
  const marea_real *dy = marea_gradient_of(y);
  arrays all = {{(marea_real *)(size_t)dy, marea_reals(a), marea_reals(b)}};
  if (marea_wants_gradient(a) && (all.at[3] = marea_gradient_sum(a)) == NULL) return MAREA_NOMEM;
  if (marea_wants_gradient(b) && (all.at[4] = marea_gradient_sum(b)) == NULL) return MAREA_NOMEM;
  op_walk walk = {.rank = y->rank};
  for (int axis = 0; axis < y->rank; axis++) walk.size[axis] = y->size[axis];
  op_walk_add(&walk, y, true);
  op_walk_add(&walk, a, false);
  op_walk_add(&walk, b, false);
  op_walk_add(&walk, a, true);
  op_walk_add(&walk, b, true);
  op_walk_lines(&walk, c->back, &all);
  return MAREA_OK;
}

static marea_tensor *combine(const char *op, marea_tensor *a, marea_tensor *b, op_line *line) {
  op_walk walk = {0};
  if (op_broadcast(op, a, b, &walk.rank, walk.size) != MAREA_OK) return NULL;
  marea_tensor *y = marea_result(MAREA_REAL, walk.rank, walk.size);
  if (y == NULL) return NULL;
  arrays all = {{marea_reals(y), marea_reals(a), marea_reals(b)}};
  op_walk_add(&walk, y, false);
  op_walk_add(&walk, a, false);
  op_walk_add(&walk, b, false);
  op_walk_lines(&walk, line, &all);
  return y;
}

static marea_tensor *binary(const char *op, marea_tensor *a, marea_tensor *b, op_line *line,
                            op_line *back) {
  if (a == NULL || b == NULL || op_expect(op, a, MAREA_REAL) != MAREA_OK ||
      op_expect(op, b, MAREA_REAL) != MAREA_OK)
    return NULL;
  marea_node *node;
  marea_tensor *inputs[] = {a, b}, *y = combine(op, a, b, line);
  y = op_record(op, inputs, 2, y, binary_backward, sizeof(binary_context), &node);
  if (node != NULL) ((binary_context *)node->context)->back = back;
  return y;
}

#define BINARY(name)                                                                               \
  marea_tensor *marea_##name(marea_tensor *a, marea_tensor *b) {                                   \
    return binary(#name, a, b, name##_line, name##_back);                                          \
  }
MAREA_BINARY_OPS(BINARY)

/* ---- relations ---- */

#define DEFINE_COMPARE(name, relation)                                                             \
  static void name##_line(void *context, const int64_t *offset, const int64_t *step, int64_t n) {  \
    const arrays *all = context;                                                                   \
    for (int64_t i = 0; i < n; i++) {                                                              \
      marea_real a = all->at[1][offset[1] + i * step[1]];                                          \
      marea_real b = all->at[2][offset[2] + i * step[2]];                                          \
      all->at[0][offset[0] + i * step[0]] = (marea_real)(a relation b);                            \
    }                                                                                              \
  }                                                                                                \
  marea_tensor *marea_##name(marea_tensor *a, marea_tensor *b) {                                   \
    return compare(#name, a, b, name##_line);                                                      \
  }

static marea_tensor *compare(const char *op, marea_tensor *a, marea_tensor *b, op_line *line) {
  if (a == NULL || b == NULL) return NULL;
  marea_tensor *left = marea_cast(a, MAREA_REAL), *right = marea_cast(b, MAREA_REAL);
  marea_tensor *y = left == NULL || right == NULL ? NULL : combine(op, left, right, line);
  marea_tensor_free(left);
  marea_tensor_free(right);
  return y;
}

DEFINE_COMPARE(equal, ==)
DEFINE_COMPARE(not_equal, !=)
DEFINE_COMPARE(less, <)
DEFINE_COMPARE(less_equal, <=)
DEFINE_COMPARE(greater, >)
DEFINE_COMPARE(greater_equal, >=)

/* ---- where ---- */

static void where_line(void *context, const int64_t *offset, const int64_t *step, int64_t n) {
  const arrays *all = context;
  for (int64_t i = 0; i < n; i++) {
    bool first = all->at[1][offset[1] + i * step[1]] != 0;
    all->at[0][offset[0] + i * step[0]] =
        first ? all->at[2][offset[2] + i * step[2]] : all->at[3][offset[3] + i * step[3]];
  }
}

static void where_back(void *context, const int64_t *offset, const int64_t *step, int64_t n) {
  const arrays *all = context;
  for (int64_t i = 0; i < n; i++) {
    int chosen = all->at[1][offset[1] + i * step[1]] != 0 ? 2 : 3;
    if (all->at[chosen] != NULL)
      all->at[chosen][offset[chosen] + i * step[chosen]] += all->at[0][offset[0] + i * step[0]];
  }
}

static marea_status where_backward(marea_node *node) {
  marea_tensor *y = node->outputs[0], *a = node->inputs[1], *b = node->inputs[2];
  const marea_real *dy = marea_gradient_of(y);
  arrays all = {{(marea_real *)(size_t)dy, marea_reals(node->inputs[0])}};
  if (marea_wants_gradient(a) && (all.at[2] = marea_gradient_sum(a)) == NULL) return MAREA_NOMEM;
  if (marea_wants_gradient(b) && (all.at[3] = marea_gradient_sum(b)) == NULL) return MAREA_NOMEM;
  op_walk walk = {.rank = y->rank};
  for (int axis = 0; axis < y->rank; axis++) walk.size[axis] = y->size[axis];
  op_walk_add(&walk, y, true);
  op_walk_add(&walk, node->inputs[0], false);
  op_walk_add(&walk, a, true);
  op_walk_add(&walk, b, true);
  op_walk_lines(&walk, where_back, &all);
  return MAREA_OK;
}

static marea_tensor *choose(marea_tensor *condition, marea_tensor *a, marea_tensor *b) {
  marea_tensor shape = {0};
  op_walk walk = {0};
  if (op_broadcast("where", a, b, &shape.rank, shape.size) != MAREA_OK ||
      op_broadcast("where", &shape, condition, &walk.rank, walk.size) != MAREA_OK)
    return NULL;
  marea_tensor *y = marea_result(MAREA_REAL, walk.rank, walk.size);
  if (y == NULL) return NULL;
  arrays all = {{marea_reals(y), marea_reals(condition), marea_reals(a), marea_reals(b)}};
  op_walk_add(&walk, y, false);
  op_walk_add(&walk, condition, false);
  op_walk_add(&walk, a, false);
  op_walk_add(&walk, b, false);
  op_walk_lines(&walk, where_line, &all);
  return y;
}

marea_tensor *marea_where(marea_tensor *condition, marea_tensor *a, marea_tensor *b) {
  if (condition == NULL || a == NULL || b == NULL ||
      op_expect("where", a, MAREA_REAL) != MAREA_OK ||
      op_expect("where", b, MAREA_REAL) != MAREA_OK)
    return NULL;
  marea_tensor *real = marea_cast(condition, MAREA_REAL);
  if (real == NULL) return NULL;
  marea_node *node;
  marea_tensor *inputs[] = {real, a, b};
  marea_tensor *y = choose(real, a, b);
  y = op_record("where", inputs, 3, y, where_backward, 0, &node);
  marea_tensor_free(real);
  return y;
}
