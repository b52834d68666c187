/* Reductions over one axis or all, softmax, argmax. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"

/* x (kept, contiguous) seen as (outer, n, inner); y as (outer, inner). */
typedef struct reduce_context {
  marea_tensor *x;
  op_span span;
} reduce_context;

typedef void reduce_loop(marea_real *y, const marea_real *x, op_span s);

static marea_tensor *reduced(const marea_tensor *x, int axis, bool keep, marea_dtype dtype) {
  int64_t size[MAREA_MAX_RANK];
  int rank = 0;
  for (int i = 0; i < x->rank; i++) {
    bool gone = axis < 0 || i == axis;
    if (!gone || keep) size[rank++] = gone ? 1 : x->size[i];
  }
  return marea_result(dtype, rank, size);
}

static marea_status check_reduce(const char *op, const marea_tensor *x, int axis, bool nonempty) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  marea_status status = op_expect(op, x, MAREA_REAL);
  if (status == MAREA_OK && axis >= 0) status = op_check_axis(op, x, axis);
  if (status == MAREA_OK && nonempty && op_around(x, axis).n == 0)
    status = marea_fail(MAREA_SHAPE, "%s: nothing to reduce in %s", op, marea_shape_text(x, text));
  return status;
}

static marea_tensor *run(const char *op, marea_tensor *x, int axis, bool keep, bool nonempty,
                         reduce_loop *loop, marea_backward *backward) {
  if (x == NULL || check_reduce(op, x, axis, nonempty) != MAREA_OK) return NULL;
  marea_tensor *plain = marea_compact(x);
  marea_tensor *y = plain == NULL ? NULL : reduced(x, axis, keep, MAREA_REAL);
  if (y != NULL) {
    marea_node *node;
    op_span span = op_around(x, axis);
    loop(marea_reals(y), marea_reals(plain), span);
    y = op_record(op, &x, 1, y, backward, sizeof(reduce_context), &node);
    if (node != NULL) *(reduce_context *)node->context = (reduce_context){plain, span};
  }
  marea_tensor_free(plain);
  return y;
}

/* Element (o, i, j) of x, and (o, j) of y. */
#define X_AT(s, o, i, j) (((o) * (s).n + (i)) * (s).inner + (j))
#define Y_AT(s, o, j)    ((o) * (s).inner + (j))

static void sum_loop(marea_real *y, const marea_real *x, op_span s) {
  for (int64_t o = 0; o < s.outer; o++) {
    if (s.inner == 1) {
      y[o] = (marea_real)marea_sum_all(x + o * s.n, (size_t)s.n);
      continue;
    }
    memset(y + o * s.inner, 0, (size_t)s.inner * sizeof *y);
    for (int64_t i = 0; i < s.n; i++)
      for (int64_t j = 0; j < s.inner; j++) y[Y_AT(s, o, j)] += x[X_AT(s, o, i, j)];
  }
}

static void mean_loop(marea_real *y, const marea_real *x, op_span s) {
  sum_loop(y, x, s);
  for (int64_t i = 0; i < s.outer * s.inner; i++) y[i] /= (marea_real)s.n;
}

static void extreme_loop(marea_real *y, const marea_real *x, op_span s, marea_real sign) {
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t j = 0; j < s.inner; j++) {
      marea_real best = x[X_AT(s, o, 0, j)];
      for (int64_t i = 1; i < s.n; i++) {
        marea_real v = x[X_AT(s, o, i, j)];
        if (sign * v > sign * best || v != v) best = v;
      }
      y[Y_AT(s, o, j)] = best;
    }
}

static void max_loop(marea_real *y, const marea_real *x, op_span s) {
  extreme_loop(y, x, s, 1);
}

static void min_loop(marea_real *y, const marea_real *x, op_span s) {
  extreme_loop(y, x, s, -1);
}

static void logsumexp_loop(marea_real *y, const marea_real *x, op_span s) {
  max_loop(y, x, s);
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t j = 0; j < s.inner; j++) {
      marea_real largest = y[Y_AT(s, o, j)];
      if (!isfinite(largest)) continue;
      double total = 0;
      for (int64_t i = 0; i < s.n; i++) total += exp((double)(x[X_AT(s, o, i, j)] - largest));
      y[Y_AT(s, o, j)] = largest + (marea_real)log(total);
    }
}

/* dx += dy * slope(x, y), where slope may look at the whole line through `ties`. */
#define DEFINE_BACKWARD(name, slope)                                                               \
  static marea_status name##_backward(marea_node *node) {                                          \
    const reduce_context *c = node->context;                                                       \
    op_span s = c->span;                                                                           \
    const marea_real *dy = marea_gradient_of(node->outputs[0]);                                    \
    const marea_real *in = marea_reals(c->x), *out = marea_reals(node->outputs[0]);                \
    marea_real *dx = marea_gradient_sum(node->inputs[0]);                                          \
    if (dx == NULL) return MAREA_NOMEM;                                                            \
    for (int64_t o = 0; o < s.outer; o++)                                                          \
      for (int64_t i = 0; i < s.n; i++)                                                            \
        for (int64_t j = 0; j < s.inner; j++) {                                                    \
          marea_real x = in[X_AT(s, o, i, j)], y = out[Y_AT(s, o, j)];                             \
          (void)x, (void)y;                                                                        \
          dx[X_AT(s, o, i, j)] += dy[Y_AT(s, o, j)] * (marea_real)(slope);                         \
        }                                                                                          \
    return MAREA_OK;                                                                               \
  }

/* The share of an extreme element among its equals. */
static double share(const marea_real *x, marea_real y, op_span s, int64_t o, int64_t j) {
  int64_t equals = 0;
  for (int64_t i = 0; i < s.n; i++) equals += x[X_AT(s, o, i, j)] == y;
  return equals == 0 ? 0 : 1 / (double)equals;
}

/* to[i] (+)= factor from[i step]. */
static inline void add_line(marea_real *to, const marea_real *from, int64_t step, int64_t n,
                            marea_real factor, bool first) {
  if (first) {
    for (int64_t i = 0; i < n; i++) to[i] = from[i * step] * factor;
  } else {
    for (int64_t i = 0; i < n; i++) to[i] += from[i * step] * factor;
  }
}

/* dx += factor dy all along the axis. */
static marea_status spread(marea_node *node, marea_real factor) {
  op_span s = ((const reduce_context *)node->context)->span;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  bool first;
  marea_real *dx = marea_gradient_target(node->inputs[0], &first);
  if (dx == NULL) return MAREA_NOMEM;
  for (int64_t o = 0; o < s.outer; o++, dy += s.inner, dx += s.n * s.inner) {
    if (s.inner == 1) add_line(dx, dy, 0, s.n, factor, first);
    for (int64_t i = 0; s.inner > 1 && i < s.n; i++)
      add_line(dx + i * s.inner, dy, 1, s.inner, factor, first);
  }
  return MAREA_OK;
}

static marea_status sum_backward(marea_node *node) {
  return spread(node, 1);
}

static marea_status mean_backward(marea_node *node) {
  return spread(node, (marea_real)(1 / (double)((const reduce_context *)node->context)->span.n));
}

DEFINE_BACKWARD(extreme, x == y ? share(in, y, s, o, j) : 0)
DEFINE_BACKWARD(logsumexp, exp((double)(x - y)))

marea_tensor *marea_sum(marea_tensor *x, int axis, bool keep) {
  return run("sum", x, axis, keep, false, sum_loop, sum_backward);
}

marea_tensor *marea_mean(marea_tensor *x, int axis, bool keep) {
  return run("mean", x, axis, keep, true, mean_loop, mean_backward);
}

marea_tensor *marea_max(marea_tensor *x, int axis, bool keep) {
  return run("max", x, axis, keep, true, max_loop, extreme_backward);
}

marea_tensor *marea_min(marea_tensor *x, int axis, bool keep) {
  return run("min", x, axis, keep, true, min_loop, extreme_backward);
}

marea_tensor *marea_logsumexp(marea_tensor *x, int axis, bool keep) {
  return run("logsumexp", x, axis, keep, true, logsumexp_loop, logsumexp_backward);
}

marea_tensor *marea_argmax(marea_tensor *x, int axis) {
  if (x == NULL || check_reduce("argmax", x, axis, true) != MAREA_OK) return NULL;
  marea_tensor *plain = marea_compact(x);
  marea_tensor *y = plain == NULL ? NULL : reduced(x, axis, false, MAREA_INT32);
  op_span s = op_around(x, axis);
  for (int64_t o = 0; o < s.outer && y != NULL; o++)
    for (int64_t j = 0; j < s.inner; j++) {
      int64_t best = 0;
      for (int64_t i = 1; i < s.n; i++)
        if (marea_reals(plain)[X_AT(s, o, i, j)] > marea_reals(plain)[X_AT(s, o, best, j)])
          best = i;
      marea_ints(y)[Y_AT(s, o, j)] = (int32_t)best;
    }
  marea_tensor_free(plain);
  return y;
}

/* ---- softmax ---- */

typedef void row_loop(marea_real *y, const marea_real *x, size_t rows, size_t columns);
typedef void row_backward(marea_real *dx, const marea_real *dy, const marea_real *y, size_t rows,
                          size_t columns);

static marea_status rows_backward(marea_node *node) {
  const marea_tensor *y = node->outputs[0];
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  size_t columns = (size_t)y->size[y->rank - 1];
  (*(row_backward **)node->context)(dx, marea_gradient_of(y), marea_reals(y),
                                    (size_t)marea_tensor_count(y) / columns, columns);
  return MAREA_OK;
}

static marea_tensor *by_rows(const char *op, marea_tensor *x, row_loop *loop, row_backward *back) {
  if (x == NULL || check_reduce(op, x, x->rank - 1, true) != MAREA_OK) return NULL;
  if (x->rank == 0) {
    marea_fail(MAREA_SHAPE, "%s: needs an axis, got a single number", op);
    return NULL;
  }
  marea_tensor *plain = marea_compact(x);
  marea_tensor *y = plain == NULL ? NULL : marea_result(MAREA_REAL, x->rank, x->size);
  if (y != NULL) {
    marea_node *node;
    size_t columns = (size_t)x->size[x->rank - 1];
    loop(marea_reals(y), marea_reals(plain), (size_t)marea_tensor_count(x) / columns, columns);
    y = op_record(op, &x, 1, y, rows_backward, sizeof back, &node);
    if (node != NULL) *(row_backward **)node->context = back;
  }
  marea_tensor_free(plain);
  return y;
}

marea_tensor *marea_softmax(marea_tensor *x) {
  return by_rows("softmax", x, marea_softmax_rows, marea_softmax_backward);
}

marea_tensor *marea_log_softmax(marea_tensor *x) {
  return by_rows("log_softmax", x, marea_log_softmax_rows, marea_log_softmax_backward);
}
