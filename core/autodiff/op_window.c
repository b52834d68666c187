/* Convolution and pooling along time; see ops.h. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"
#include "base/threads.h"
#include "kernels/convolution.h"

/* ---- what both check ---- */

static marea_status check_window(const char *op, const marea_window *window) {
  if (window->size >= 1 && window->strides >= 1 && window->dilation >= 1) return MAREA_OK;
  return marea_fail(
      MAREA_RANGE, "%s: size %lld, strides %lld, dilation %lld; each must be 1 or more", op,
      (long long)window->size, (long long)window->strides, (long long)window->dilation);
}

/* The number of output steps, or -1. */
static int64_t fit_window(const char *op, const marea_window *window, int64_t T, int64_t *left) {
  /* A reach beyond any tensor would overflow below. */
  bool far =
      window->size > INT32_MAX || window->strides > INT32_MAX || window->dilation > INT32_MAX;
  int64_t steps = far ? 0 : marea_window_steps(window, T, left);
  if (steps > 0 || T == 0) return steps;
  marea_fail(MAREA_SHAPE,
             "%s: %lld steps are fewer than the window's %lld (size %lld, dilation %lld); pad the "
             "sequences, or use padding \"same\"",
             op, (long long)T,
             far ? (long long)INT32_MAX : (long long)((window->size - 1) * window->dilation + 1),
             (long long)window->size, (long long)window->dilation);
  return -1;
}

/* ---- convolution ---- */

typedef struct conv_context {
  marea_convolution c;
  marea_tensor *x, *kernel; /* contiguous and kept */
} conv_context;

static marea_status conv_backward(marea_node *node) {
  const conv_context *k = node->context;
  const marea_real *dy = marea_gradient_of(node->outputs[0]);
  marea_real *workspace = marea_alloc_array(marea_convolution_workspace(&k->c), sizeof(marea_real));
  if (workspace == NULL) return MAREA_NOMEM;
  marea_status status = MAREA_OK;
  for (int i = 0; i < 3 && status == MAREA_OK; i++) {
    if (!marea_wants_gradient(node->inputs[i])) continue;
    marea_real *d = marea_gradient_sum(node->inputs[i]);
    if (d == NULL)
      status = MAREA_NOMEM;
    else if (i == 0)
      marea_convolution_backward_input(&k->c, d, dy, marea_reals(k->kernel), workspace);
    else if (i == 1)
      marea_convolution_backward_kernel(&k->c, d, marea_reals(k->x), dy, workspace);
    else
      marea_sum_rows(d, dy, k->c.B * k->c.steps, k->c.F);
  }
  marea_free(workspace);
  return status;
}

static marea_status check_conv(const marea_tensor *x, const marea_tensor *kernel,
                               const marea_tensor *bias, int64_t groups) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("conv1d", x, MAREA_REAL) != MAREA_OK ||
      op_expect("conv1d", kernel, MAREA_REAL) != MAREA_OK ||
      (bias != NULL && op_expect("conv1d", bias, MAREA_REAL) != MAREA_OK))
    return MAREA_TYPE;
  if (groups < 1)
    return marea_fail(MAREA_RANGE, "conv1d: groups is %lld, expected 1 or more", (long long)groups);
  bool fits = x->rank == 3 && kernel->rank == 3 && x->size[2] % groups == 0 &&
              kernel->size[1] == x->size[2] / groups && kernel->size[2] % groups == 0;
  if (!fits)
    return marea_fail(
        MAREA_SHAPE,
        "conv1d: x is %s, kernel is %s, groups %lld; expected (B, T, D), (k, D/groups, "
        "F) and D and F multiples of groups",
        marea_shape_text(x, left), marea_shape_text(kernel, right), (long long)groups);
  if (bias == NULL || (bias->rank == 1 && bias->size[0] == kernel->size[2])) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "conv1d: kernel is %s, bias is %s; expected (k, D, F) and (F)",
                    marea_shape_text(kernel, left), marea_shape_text(bias, right));
}

static bool plan_conv(const marea_tensor *x, const marea_tensor *kernel, const marea_window *given,
                      int64_t groups, marea_convolution *c) {
  marea_window window = *given;
  int64_t left = 0;
  window.size = kernel->size[0];
  if (check_window("conv1d", &window) != MAREA_OK) return false;
  int64_t steps = fit_window("conv1d", &window, x->size[1], &left);
  if (steps < 0) return false;
  *c = (marea_convolution){.B = (size_t)x->size[0],
                           .T = (size_t)x->size[1],
                           .D = (size_t)x->size[2],
                           .k = (size_t)window.size,
                           .F = (size_t)kernel->size[2],
                           .groups = (size_t)groups,
                           .strides = (size_t)window.strides,
                           .dilation = (size_t)window.dilation,
                           .left = (size_t)left,
                           .steps = (size_t)steps};
  return true;
}

static marea_tensor *convolve(const conv_context *k, const marea_tensor *bias) {
  const marea_convolution *c = &k->c;
  marea_tensor *y =
      marea_result(MAREA_REAL, 3, (int64_t[]){(int64_t)c->B, (int64_t)c->steps, (int64_t)c->F});
  marea_real *workspace = marea_alloc_array(marea_convolution_workspace(c), sizeof(marea_real));
  if (y != NULL && workspace != NULL) {
    marea_convolution_forward(c, marea_reals(y), marea_reals(k->x), marea_reals(k->kernel),
                              bias != NULL ? marea_reals(bias) : NULL, workspace);
  } else {
    marea_tensor_free(y);
    y = NULL;
  }
  marea_free(workspace);
  return y;
}

marea_tensor *marea_conv1d(marea_tensor *x, marea_tensor *kernel, marea_tensor *bias,
                           const marea_window *window, int64_t groups) {
  conv_context k;
  if (x == NULL || kernel == NULL || check_conv(x, kernel, bias, groups) != MAREA_OK ||
      !plan_conv(x, kernel, window, groups, &k.c))
    return NULL;
  marea_tensor *y = NULL, *inputs[] = {x, kernel, bias}, *plain_bias = marea_compact(bias);
  k.x = marea_compact(x);
  k.kernel = marea_compact(kernel);
  if (k.x != NULL && k.kernel != NULL && (plain_bias != NULL || bias == NULL)) {
    marea_node *node;
    y = convolve(&k, plain_bias);
    y = op_record("conv1d", inputs, 3, y, conv_backward, sizeof k, &node);
    if (node != NULL) *(conv_context *)node->context = k;
  }
  marea_tensor_free(k.x);
  marea_tensor_free(k.kernel);
  marea_tensor_free(plain_bias);
  return y;
}

/* ---- pooling ---- */

/* For the maximum, `from` has the input step of each output element, or -1; for the average it has
 * the number of visible steps in each window. */
typedef struct pool_context {
  marea_window window;
  int64_t B, T, D, steps, left;
  bool average;
  const marea_real *x, *mask; /* (B, T, D), (B, T) or NULL */
  marea_real *y;
  const marea_real *dy;
  marea_real *dx;
  int32_t *from;
} pool_context;

/* The input steps [*first, *last) of a window that lie in the sequence. */
static void window_range(const pool_context *p, int64_t step, int64_t *first, int64_t *last) {
  *first = step * p->window.strides - p->left;
  *last = *first + p->window.size;
  if (*first < 0) *first = 0;
  if (*last > p->T) *last = p->T;
}

static bool visible(const pool_context *p, int64_t sample, int64_t t) {
  return p->mask == NULL || p->mask[sample * p->T + t] != 0;
}

static void max_window(const pool_context *p, int64_t sample, int64_t step) {
  int64_t first, last, place = (sample * p->steps + step) * p->D;
  window_range(p, step, &first, &last);
  for (int64_t j = 0; j < p->D; j++) p->y[place + j] = 0, p->from[place + j] = -1;
  for (int64_t t = first; t < last; t++) {
    if (!visible(p, sample, t)) continue;
    const marea_real *row = p->x + (sample * p->T + t) * p->D;
    for (int64_t j = 0; j < p->D; j++) {
      bool better = p->from[place + j] < 0 || row[j] > p->y[place + j] ||
                    (isnan(row[j]) && !isnan(p->y[place + j])); /* a NaN is not to be lost */
      if (better) p->y[place + j] = row[j], p->from[place + j] = (int32_t)t;
    }
  }
}

static void average_window(const pool_context *p, int64_t sample, int64_t step) {
  int64_t first, last, place = sample * p->steps + step;
  marea_real *y = p->y + place * p->D;
  int32_t count = 0;
  window_range(p, step, &first, &last);
  memset(y, 0, (size_t)p->D * sizeof *y);
  for (int64_t t = first; t < last; t++) {
    if (!visible(p, sample, t)) continue;
    count++;
    for (int64_t j = 0; j < p->D; j++) y[j] += p->x[(sample * p->T + t) * p->D + j];
  }
  p->from[place] = count;
  for (int64_t j = 0; j < p->D && count > 0; j++) y[j] /= (marea_real)count;
}

static void pool_sample(void *context, size_t sample) {
  const pool_context *p = context;
  for (int64_t step = 0; step < p->steps; step++)
    (p->average ? average_window : max_window)(p, (int64_t)sample, step);
}

static void pool_backward_sample(void *context, size_t which) {
  const pool_context *p = context;
  int64_t sample = (int64_t)which;
  for (int64_t step = 0; step < p->steps; step++) {
    int64_t first, last, place = sample * p->steps + step;
    const marea_real *dy = p->dy + place * p->D;
    marea_real *dx = p->dx + sample * p->T * p->D;
    if (!p->average) {
      const int32_t *from = p->from + place * p->D;
      for (int64_t j = 0; j < p->D; j++)
        if (from[j] >= 0) dx[from[j] * p->D + j] += dy[j];
      continue;
    }
    window_range(p, step, &first, &last);
    for (int64_t t = first; t < last; t++) {
      if (!visible(p, sample, t)) continue;
      for (int64_t j = 0; j < p->D; j++) dx[t * p->D + j] += dy[j] / (marea_real)p->from[place];
    }
  }
}

static marea_status pool_backward(marea_node *node) {
  pool_context p = *(const pool_context *)node->context;
  p.dy = marea_gradient_of(node->outputs[0]);
  p.dx = marea_gradient_sum(node->inputs[0]);
  if (p.dx == NULL) return MAREA_NOMEM;
  marea_parallel((size_t)p.B, pool_backward_sample, &p);
  return MAREA_OK;
}

static marea_status check_pool(const marea_tensor *x, const marea_tensor *mask,
                               const marea_window *window) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (op_expect("pool1d", x, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (x->rank != 3)
    return marea_fail(MAREA_SHAPE, "pool1d: x is %s, expected (B, T, D)",
                      marea_shape_text(x, text));
  if (window->dilation != 1)
    return marea_fail(MAREA_RANGE, "pool1d: dilation is %lld, expected 1",
                      (long long)window->dilation);
  if (op_check_mask("pool1d", mask, x->size[0], x->size[1]) != MAREA_OK) return MAREA_SHAPE;
  return check_window("pool1d", window);
}

/* The node of a pooling whose operands are contiguous. */
static marea_tensor *pool(pool_context *p, marea_tensor *x, marea_tensor *plain,
                          marea_tensor *mask) {
  marea_tensor *inputs[] = {x, mask};
  bool record = marea_recording(&x, 1);
  size_t count = (size_t)(p->B * p->steps * (p->average ? 1 : p->D));
  p->from =
      record ? marea_tape_alloc(count * sizeof *p->from) : marea_alloc(count * sizeof *p->from);
  marea_tensor *y =
      p->from == NULL ? NULL : marea_result(MAREA_REAL, 3, (int64_t[]){p->B, p->steps, p->D});
  if (y != NULL) {
    marea_node *node = NULL;
    p->x = marea_reals(plain);
    p->mask = mask != NULL ? marea_reals(mask) : NULL;
    p->y = marea_reals(y);
    marea_parallel((size_t)p->B, pool_sample, p);
    if (record) y = op_record("pool1d", inputs, 2, y, pool_backward, sizeof *p, &node);
    if (node != NULL) *(pool_context *)node->context = *p;
  }
  if (!record) marea_free(p->from);
  return y;
}

marea_tensor *marea_pool1d(marea_tensor *x, marea_tensor *mask, const marea_window *window,
                           bool average) {
  pool_context p = {.window = *window, .average = average};
  if (x == NULL || check_pool(x, mask, window) != MAREA_OK) return NULL;
  p.B = x->size[0], p.T = x->size[1], p.D = x->size[2];
  p.steps = fit_window("pool1d", window, p.T, &p.left);
  if (p.steps < 0) return NULL;
  marea_tensor *plain = marea_compact(x), *plain_mask = marea_compact(mask), *y = NULL;
  if (plain != NULL && (plain_mask != NULL || mask == NULL)) y = pool(&p, x, plain, plain_mask);
  marea_tensor_free(plain);
  marea_tensor_free(plain_mask);
  return y;
}
