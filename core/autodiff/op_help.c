#include "autodiff/op_help.h"

static void walk_axis(const op_walk *walk, int axis, int64_t *offset, const int64_t *step,
                      op_line *line, void *context) {
  if (axis >= walk->rank - 1) {
    line(context, offset, step, walk->rank == 0 ? 1 : walk->size[walk->rank - 1]);
    return;
  }
  int64_t here[OPERANDS_MAX] = {0};
  for (int k = 0; k < walk->operands; k++) here[k] = offset[k];
  for (int64_t i = 0; i < walk->size[axis]; i++) {
    walk_axis(walk, axis + 1, here, step, line, context);
    for (int k = 0; k < walk->operands; k++) here[k] += walk->stride[k][axis];
  }
}

void op_walk_lines(const op_walk *walk, op_line *line, void *context) {
  int64_t offset[OPERANDS_MAX] = {0}, step[OPERANDS_MAX] = {0};
  for (int k = 0; k < walk->operands && walk->rank > 0; k++)
    step[k] = walk->stride[k][walk->rank - 1];
  walk_axis(walk, 0, offset, step, line, context);
}

void op_walk_add(op_walk *walk, const marea_tensor *x, bool contiguous) {
  int64_t *stride = walk->stride[walk->operands++];
  int64_t plain = 1;
  for (int axis = walk->rank - 1; axis >= 0; axis--) {
    int own = axis - (walk->rank - x->rank);
    if (own < 0) {
      stride[axis] = 0;
      continue;
    }
    int64_t step = contiguous ? plain : x->stride[own];
    stride[axis] = x->size[own] == 1 && walk->size[axis] != 1 ? 0 : step;
    plain *= x->size[own];
  }
}

marea_status op_broadcast(const char *op, const marea_tensor *a, const marea_tensor *b, int *rank,
                          int64_t *size) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  *rank = a->rank > b->rank ? a->rank : b->rank;
  for (int back = 1; back <= *rank; back++) {
    int64_t m = back <= a->rank ? a->size[a->rank - back] : 1;
    int64_t n = back <= b->rank ? b->size[b->rank - back] : 1;
    if (m != n && m != 1 && n != 1)
      return marea_fail(MAREA_SHAPE, "%s: a is %s, b is %s; axes must be equal or 1", op,
                        marea_shape_text(a, left), marea_shape_text(b, right));
    size[*rank - back] = m == 1 ? n : m;
  }
  return MAREA_OK;
}

marea_status op_expect(const char *op, const marea_tensor *x, marea_dtype dtype) {
  if (x->dtype == dtype) return MAREA_OK;
  return marea_fail(MAREA_TYPE, "%s: expects %s, got %s", op,
                    dtype == MAREA_REAL ? "real numbers" : "int32 ids", marea_dtype_name(x->dtype));
}

marea_status op_check_ids(const char *op, const marea_tensor *ids, int64_t limit) {
  int64_t count = marea_tensor_count(ids);
  int64_t steps = ids->rank > 1 ? ids->size[ids->rank - 1] : 1;
  bool plain = marea_tensor_contiguous(ids);
  for (int64_t i = 0; i < count; i++) {
    int32_t id = marea_ints(ids)[plain ? i : marea_tensor_offset(ids, i)];
    if (id >= 0 && id < limit) continue;
    return marea_fail(MAREA_RANGE, "%s: sample %lld, step %lld has id %d, allowed are 0 to %lld",
                      op, (long long)(i / steps + 1), (long long)(i % steps + 1), (int)id,
                      (long long)(limit - 1));
  }
  return MAREA_OK;
}

marea_status op_check_mask(const char *op, const marea_tensor *mask, int64_t B, int64_t T) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (mask == NULL) return MAREA_OK;
  if (op_expect(op, mask, MAREA_REAL) != MAREA_OK) return MAREA_TYPE;
  if (mask->rank == 2 && mask->size[0] == B && mask->size[1] == T) return MAREA_OK;
  return marea_fail(MAREA_SHAPE, "%s: the mask is %s, expected (%lld, %lld)", op,
                    marea_shape_text(mask, text), (long long)B, (long long)T);
}

marea_status op_check_axis(const char *op, const marea_tensor *x, int axis) {
  if (axis >= 0 && axis < x->rank) return MAREA_OK;
  return marea_fail(MAREA_RANGE, "%s: axis %d, the tensor has axes 1 to %d", op, axis + 1, x->rank);
}

op_span op_around(const marea_tensor *x, int axis) {
  op_span span = {1, 1, 1};
  if (axis < 0) span.n = marea_tensor_count(x);
  for (int i = 0; i < x->rank && axis >= 0; i++)
    *(i < axis ? &span.outer : i == axis ? &span.n : &span.inner) *= x->size[i];
  return span;
}

marea_tensor *op_record(const char *op, marea_tensor *const *inputs, int count, marea_tensor *y,
                        marea_backward *backward, size_t context_bytes, marea_node **node) {
  *node = NULL;
  if (y == NULL || !marea_recording(inputs, count)) return y;
  *node = marea_record(op, inputs, count, &y, 1, backward, context_bytes);
  if (*node != NULL) return y;
  marea_tensor_free(y);
  return NULL;
}
