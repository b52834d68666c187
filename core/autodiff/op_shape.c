/* Views, and copies that only move elements. */
#include <math.h>
#include <string.h>

#include "autodiff/op_help.h"

/* ---- views: y[index] = x[offset + index . stride]; the gradient goes the same way ---- */

typedef struct view_context {
  int64_t offset; /* in a contiguous x */
  int64_t stride[MAREA_MAX_RANK];
} view_context;

typedef struct view_arrays {
  marea_real *dx;
  const marea_real *dy;
} view_arrays;

static void view_line(void *context, const int64_t *offset, const int64_t *step, int64_t n) {
  const view_arrays *all = context;
  for (int64_t i = 0; i < n; i++)
    all->dx[offset[1] + i * step[1]] += all->dy[offset[0] + i * step[0]];
}

static marea_status view_backward(marea_node *node) {
  const view_context *c = node->context;
  const marea_tensor *y = node->outputs[0];
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  view_arrays all = {dx + c->offset, marea_gradient_of(y)};
  op_walk walk = {.rank = y->rank};
  for (int axis = 0; axis < y->rank; axis++) walk.size[axis] = y->size[axis];
  op_walk_add(&walk, y, true);
  memcpy(walk.stride[walk.operands++], c->stride, sizeof c->stride);
  op_walk_lines(&walk, view_line, &all);
  return MAREA_OK;
}

/* How a view steps through x, axis by axis: which axis of x (or -1: none), forwards or not. */
typedef struct view_map {
  int rank;
  int64_t size[MAREA_MAX_RANK];
  int axis[MAREA_MAX_RANK];
  int64_t sign;                  /* of every step; -1 only for flip's own axis */
  int flipped;                   /* that axis, or -1 */
  int64_t start[MAREA_MAX_RANK]; /* first index along each axis of x */
} view_map;

static void map_strides(const view_map *map, const marea_tensor *x, const int64_t *from,
                        int64_t *stride, int64_t *offset) {
  *offset = 0;
  for (int axis = 0; axis < x->rank; axis++) *offset += map->start[axis] * from[axis];
  for (int i = 0; i < map->rank; i++) {
    stride[i] = map->axis[i] < 0 ? 0 : from[map->axis[i]];
    if (map->flipped >= 0 && map->axis[i] == map->flipped) stride[i] = -stride[i];
  }
}

static marea_tensor *make_view(const char *op, marea_tensor *x, const view_map *map) {
  int64_t stride[MAREA_MAX_RANK], offset, plain[MAREA_MAX_RANK], step = 1;
  map_strides(map, x, x->stride, stride, &offset);
  marea_node *node;
  marea_tensor *y = marea_view(x, map->rank, map->size, stride, offset);
  y = op_record(op, &x, 1, y, view_backward, sizeof(view_context), &node);
  if (node == NULL) return y;
  view_context *c = node->context;
  for (int axis = x->rank - 1; axis >= 0; axis--) {
    plain[axis] = step;
    step *= x->size[axis];
  }
  map_strides(map, x, plain, c->stride, &c->offset);
  return y;
}

static view_map same(const marea_tensor *x) {
  view_map map = {.rank = x->rank, .flipped = -1};
  for (int i = 0; i < x->rank; i++) map.axis[i] = i, map.size[i] = x->size[i];
  return map;
}

marea_tensor *marea_permute(marea_tensor *x, const int *axes) {
  if (x == NULL) return NULL;
  view_map map = same(x);
  bool seen[MAREA_MAX_RANK] = {false};
  for (int i = 0; i < x->rank; i++) {
    if (op_check_axis("permute", x, axes[i]) != MAREA_OK) return NULL;
    if (seen[axes[i]]) {
      marea_fail(MAREA_ARGUMENT, "permute: axis %d is named twice", axes[i] + 1);
      return NULL;
    }
    seen[axes[i]] = true;
    map.axis[i] = axes[i];
    map.size[i] = x->size[axes[i]];
  }
  return make_view("permute", x, &map);
}

marea_tensor *marea_narrow(marea_tensor *x, int axis, int64_t start, int64_t length) {
  if (x == NULL || op_check_axis("narrow", x, axis) != MAREA_OK) return NULL;
  if (start < 0 || length < 0 || start > x->size[axis] || length > x->size[axis] - start) {
    marea_fail(MAREA_RANGE, "narrow: elements %lld to %lld of axis %d, which has %lld",
               (long long)((uint64_t)start + 1), (long long)((uint64_t)start + (uint64_t)length),
               axis + 1, (long long)x->size[axis]);
    return NULL;
  }
  view_map map = same(x);
  map.start[axis] = start;
  map.size[axis] = length;
  return make_view("narrow", x, &map);
}

marea_tensor *marea_select(marea_tensor *x, int axis, int64_t index) {
  if (x == NULL || op_check_axis("select", x, axis) != MAREA_OK) return NULL;
  if (index < 0 || index >= x->size[axis]) {
    marea_fail(MAREA_RANGE, "select: element %lld of axis %d, which has %lld", (long long)index + 1,
               axis + 1, (long long)x->size[axis]);
    return NULL;
  }
  view_map map = {.flipped = -1};
  map.start[axis] = index;
  for (int i = 0; i < x->rank; i++) {
    if (i == axis) continue;
    map.axis[map.rank] = i;
    map.size[map.rank++] = x->size[i];
  }
  return make_view("select", x, &map);
}

marea_tensor *marea_flip(marea_tensor *x, int axis) {
  if (x == NULL || op_check_axis("flip", x, axis) != MAREA_OK) return NULL;
  view_map map = same(x);
  map.flipped = axis;
  map.start[axis] = x->size[axis] > 0 ? x->size[axis] - 1 : 0;
  return make_view("flip", x, &map);
}

marea_tensor *marea_broadcast(marea_tensor *x, int rank, const int64_t *size) {
  if (x == NULL) return NULL;
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  view_map map = {.rank = rank, .flipped = -1};
  bool fits = rank >= x->rank && rank <= MAREA_MAX_RANK;
  for (int i = 0; i < rank && fits; i++) {
    int own = i - (rank - x->rank);
    map.size[i] = size[i];
    map.axis[i] = own < 0 || (x->size[own] == 1 && size[i] != 1) ? -1 : own;
    fits = map.axis[i] < 0 || x->size[own] == size[i];
  }
  if (!fits) {
    marea_fail(MAREA_SHAPE, "broadcast: %s cannot become %s", marea_shape_text(x, left),
               marea_sizes_text(rank > MAREA_MAX_RANK ? MAREA_MAX_RANK : rank, size, right));
    return NULL;
  }
  return make_view("broadcast", x, &map);
}

marea_tensor *marea_detach(marea_tensor *x) {
  return x == NULL ? NULL : marea_view(x, x->rank, x->size, x->stride, 0);
}

/* ---- reshape ---- */

static marea_status pass_on(marea_node *node) {
  return marea_gradient_add(node->inputs[0], marea_gradient_of(node->outputs[0]));
}

static marea_status infer_size(const marea_tensor *x, int rank, const int64_t *wish,
                               int64_t *size) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  int64_t known = 1, count = marea_tensor_count(x);
  int open = -1;
  for (int i = 0; i < rank; i++) {
    size[i] = wish[i];
    if (wish[i] == -1 && open < 0)
      open = i;
    else if (wish[i] >= 0 && (wish[i] == 0 || known <= INT64_MAX / wish[i]))
      known *= wish[i];
    else
      known = -1, i = rank;
  }
  if (open >= 0 && known > 0 && count % known == 0) size[open] = count / known, known = count;
  if (known == count && (open < 0 || size[open] >= 0)) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "reshape: %s has %lld elements and cannot become %s",
                    marea_shape_text(x, left), (long long)count,
                    marea_sizes_text(rank, wish, right));
}

marea_tensor *marea_reshape(marea_tensor *x, int rank, const int64_t *wish) {
  if (x == NULL) return NULL;
  int64_t size[MAREA_MAX_RANK], stride[MAREA_MAX_RANK], step = 1;
  if (rank < 0 || rank > MAREA_MAX_RANK) {
    marea_fail(MAREA_SHAPE, "reshape: a tensor has 0 to %d axes, %d asked for", MAREA_MAX_RANK,
               rank);
    return NULL;
  }
  if (infer_size(x, rank, wish, size) != MAREA_OK) return NULL;
  for (int axis = rank - 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= size[axis];
  }
  marea_node *node;
  marea_tensor *plain = marea_compact(x);
  marea_tensor *y = plain == NULL ? NULL : marea_view(plain, rank, size, stride, 0);
  marea_tensor_free(plain);
  return op_record("reshape", &x, 1, y, pass_on, 0, &node);
}

/* ---- concat, stack ---- */

static marea_status concat_backward(marea_node *node) {
  int axis = *(int *)node->context;
  const marea_tensor *y = node->outputs[0];
  const marea_real *dy = marea_gradient_of(y);
  int64_t before = 0, whole = op_around(y, axis).n;
  for (int k = 0; k < node->input_count; k++) {
    marea_tensor *x = node->inputs[k];
    op_span s = op_around(x, axis);
    int64_t line = s.n * s.inner;
    marea_real *dx = marea_wants_gradient(x) ? marea_gradient_sum(x) : NULL;
    if (marea_wants_gradient(x) && dx == NULL) return MAREA_NOMEM;
    for (int64_t o = 0; o < s.outer && dx != NULL; o++)
      for (int64_t i = 0; i < line; i++) dx[o * line + i] += dy[(o * whole + before) * s.inner + i];
    before += s.n;
  }
  return MAREA_OK;
}

static marea_status check_concat(marea_tensor *const *list, int count, int axis) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (count < 1) return marea_fail(MAREA_ARGUMENT, "concat: the list is empty");
  for (int k = 0; k < count; k++)
    if (list[k] == NULL) return marea_error_code();
  marea_status status = op_check_axis("concat", list[0], axis);
  for (int k = 1; k < count && status == MAREA_OK; k++) {
    bool fits = list[k]->rank == list[0]->rank && list[k]->dtype == list[0]->dtype;
    for (int i = 0; i < list[0]->rank && fits; i++)
      fits = i == axis || list[k]->size[i] == list[0]->size[i];
    if (!fits)
      status = marea_fail(MAREA_SHAPE, "concat: item 1 is %s, item %d is %s; all but axis %d agree",
                          marea_shape_text(list[0], left), k + 1, marea_shape_text(list[k], right),
                          axis + 1);
  }
  return status;
}

/* The size of the joined axis; views may claim more than fits. */
static marea_status join_sizes(marea_tensor *const *list, int count, int axis, int64_t *joined) {
  *joined = 0;
  for (int k = 0; k < count; k++) {
    if (list[k]->size[axis] > INT64_MAX - *joined)
      return marea_fail(MAREA_SHAPE, "concat: %d items are too long together", count);
    *joined += list[k]->size[axis];
  }
  return MAREA_OK;
}

marea_tensor *marea_concat(marea_tensor *const *list, int count, int axis) {
  if (check_concat(list, count, axis) != MAREA_OK) return NULL;
  int64_t size[MAREA_MAX_RANK], before = 0;
  memcpy(size, list[0]->size, sizeof size);
  if (join_sizes(list, count, axis, &size[axis]) != MAREA_OK) return NULL;
  marea_tensor *y = marea_result(list[0]->dtype, list[0]->rank, size);
  size_t item = marea_dtype_bytes(list[0]->dtype);
  for (int k = 0; k < count && y != NULL; k++) {
    op_span s = op_around(list[k], axis);
    size_t line = (size_t)(s.n * s.inner) * item;
    marea_tensor *plain = marea_compact(list[k]);
    if (plain == NULL) {
      marea_tensor_free(y);
      return NULL;
    }
    for (int64_t o = 0; o < s.outer; o++)
      memcpy((char *)y->data + (size_t)((o * size[axis] + before) * s.inner) * item,
             (char *)plain->data + (size_t)o * line, line);
    marea_tensor_free(plain);
    before += s.n;
  }
  marea_node *node;
  y = op_record("concat", list, count, y, concat_backward, sizeof axis, &node);
  if (node != NULL) *(int *)node->context = axis;
  return y;
}

static marea_status check_stack(marea_tensor *const *list, int count, int axis) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (count < 1) return marea_fail(MAREA_ARGUMENT, "stack: the list is empty");
  for (int k = 0; k < count; k++)
    if (list[k] == NULL) return marea_error_code();
  int rank = list[0]->rank;
  if (axis < 0 || axis > rank || rank == MAREA_MAX_RANK)
    return marea_fail(MAREA_RANGE, "stack: new axis %d for items %s, of at most %d axes then",
                      axis + 1, marea_shape_text(list[0], left), MAREA_MAX_RANK);
  for (int k = 1; k < count; k++)
    if (!marea_same_shape(list[k], list[0]))
      return marea_fail(MAREA_SHAPE, "stack: item 1 is %s, item %d is %s; all shapes agree",
                        marea_shape_text(list[0], left), k + 1, marea_shape_text(list[k], right));
  return MAREA_OK;
}

marea_tensor *marea_stack(marea_tensor *const *list, int count, int axis) {
  if (check_stack(list, count, axis) != MAREA_OK) return NULL;
  marea_tensor **raised = marea_alloc_zero((size_t)count, sizeof *raised);
  marea_tensor *y = NULL;
  bool whole = raised != NULL;
  for (int k = 0; k < count && whole; k++) {
    int64_t size[MAREA_MAX_RANK];
    int rank = list[k]->rank + 1;
    for (int i = 0; i < rank; i++) size[i] = i == axis ? 1 : list[k]->size[i < axis ? i : i - 1];
    raised[k] = marea_reshape(list[k], rank, size);
    whole = raised[k] != NULL;
  }
  if (whole) y = marea_concat(raised, count, axis);
  for (int k = 0; k < count && raised != NULL; k++) marea_tensor_free(raised[k]);
  marea_free(raised);
  return y;
}

/* ---- reversal within each row's length ---- */

static void reverse_rows(marea_real *to, const marea_real *from, const marea_tensor *x,
                         const marea_tensor *lengths, bool add) {
  int64_t T = x->size[1], width = 1;
  for (int axis = 2; axis < x->rank; axis++) width *= x->size[axis];
  for (int64_t b = 0; b < x->size[0]; b++) {
    int64_t length = (int64_t)marea_tensor_get(lengths, b);
    for (int64_t t = 0; t < T; t++) {
      const marea_real *source = from + (b * T + (t < length ? length - 1 - t : t)) * width;
      marea_real *place = to + (b * T + t) * width;
      for (int64_t j = 0; j < width; j++) place[j] = add ? place[j] + source[j] : source[j];
    }
  }
}

static marea_status reverse_backward(marea_node *node) {
  marea_real *dx = marea_gradient_sum(node->inputs[0]);
  if (dx == NULL) return MAREA_NOMEM;
  reverse_rows(dx, marea_gradient_of(node->outputs[0]), node->inputs[0], node->inputs[1], true);
  return MAREA_OK;
}

marea_tensor *marea_reverse_sequence(marea_tensor *x, marea_tensor *lengths) {
  if (x == NULL || lengths == NULL || op_expect("reverse_sequence", x, MAREA_REAL) != MAREA_OK)
    return NULL;
  if (x->rank < 2 || lengths->rank != 1 || lengths->size[0] != x->size[0]) {
    char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
    marea_fail(MAREA_SHAPE, "reverse_sequence: x is %s, lengths are %s; expected (B, T, …) and (B)",
               marea_shape_text(x, left), marea_shape_text(lengths, right));
    return NULL;
  }
  for (int64_t b = 0; b < x->size[0]; b++) {
    double length = marea_tensor_get(lengths, b);
    if (length >= 0 && length <= (double)x->size[1]) continue;
    marea_fail(MAREA_RANGE, "reverse_sequence: sample %lld has length %g, allowed are 0 to %lld",
               (long long)b + 1, length, (long long)x->size[1]);
    return NULL;
  }
  marea_node *node;
  marea_tensor *inputs[] = {x, lengths}, *plain = marea_compact(x);
  marea_tensor *y = plain == NULL ? NULL : marea_result(MAREA_REAL, x->rank, x->size);
  if (y != NULL) reverse_rows(marea_reals(y), marea_reals(plain), x, lengths, false);
  marea_tensor_free(plain);
  return op_record("reverse_sequence", inputs, 2, y, reverse_backward, 0, &node);
}

/* ---- cast ---- */

marea_tensor *marea_cast(marea_tensor *x, marea_dtype dtype) {
  if (x == NULL) return NULL;
  if (x->dtype == dtype) {
    view_map map = same(x);
    return make_view("cast", x, &map);
  }
  marea_tensor *y = marea_result(dtype, x->rank, x->size);
  int64_t count = y == NULL ? 0 : marea_tensor_count(x);
  if (dtype == MAREA_REAL && marea_tensor_contiguous(x)) { /* ids of every batch are checked so */
    for (int64_t i = 0; i < count; i++) marea_reals(y)[i] = (marea_real)marea_ints(x)[i];
    return y;
  }
  for (int64_t i = 0; i < count; i++) {
    if (marea_tensor_set(y, i, marea_tensor_get(x, i)) == MAREA_OK) continue;
    marea_tensor_free(y);
    return NULL;
  }
  return y;
}
