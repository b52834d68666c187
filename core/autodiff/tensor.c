#include "autodiff/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autodiff/storage.h"

/* ---- shapes ---- */

const char *marea_sizes_text(int rank, const int64_t *size, char text[MAREA_SHAPE_TEXT_BYTES]) {
  size_t used = (size_t)snprintf(text, MAREA_SHAPE_TEXT_BYTES, "(");
  for (int axis = 0; axis < rank; axis++)
    used += (size_t)snprintf(text + used, MAREA_SHAPE_TEXT_BYTES - used, "%s%lld",
                             axis == 0 ? "" : ", ", (long long)size[axis]);
  snprintf(text + used, MAREA_SHAPE_TEXT_BYTES - used, ")");
  return text;
}

const char *marea_shape_text(const marea_tensor *x, char text[MAREA_SHAPE_TEXT_BYTES]) {
  return marea_sizes_text(x->rank, x->size, text);
}

int64_t marea_tensor_count(const marea_tensor *x) {
  int64_t count = 1;
  for (int axis = 0; axis < x->rank; axis++) count *= x->size[axis];
  return count;
}

bool marea_tensor_contiguous(const marea_tensor *x) {
  int64_t expected = 1;
  for (int axis = x->rank - 1; axis >= 0; axis--) {
    if (x->size[axis] != 1 && x->stride[axis] != expected) return false;
    expected *= x->size[axis];
  }
  return true;
}

bool marea_same_shape(const marea_tensor *a, const marea_tensor *b) {
  if (a->rank != b->rank) return false;
  for (int axis = 0; axis < a->rank; axis++)
    if (a->size[axis] != b->size[axis]) return false;
  return true;
}

const char *marea_dtype_name(marea_dtype dtype) {
  return dtype == MAREA_INT32 ? "int32" : MAREA_REAL_NAME;
}

size_t marea_dtype_bytes(marea_dtype dtype) {
  return dtype == MAREA_INT32 ? sizeof(int32_t) : sizeof(marea_real);
}

size_t marea_tensor_bytes(const marea_tensor *x) {
  if (x->storage != NULL) return marea_storage_bytes(x->storage);
  return (size_t)marea_tensor_count(x) * marea_dtype_bytes(x->dtype);
}

marea_status marea_tensor_layout(marea_tensor *x, marea_dtype dtype, int rank, const int64_t *size,
                                 size_t *bytes) {
  char text[MAREA_SHAPE_TEXT_BYTES];
  if (rank < 0 || rank > MAREA_MAX_RANK)
    return marea_fail(MAREA_SHAPE, "a tensor has 0 to %d axes, %d asked for", MAREA_MAX_RANK, rank);
  int64_t count = 1, limit = PTRDIFF_MAX / (int64_t)sizeof(double);
  for (int axis = rank - 1; axis >= 0; axis--) {
    if (size[axis] < 0 || (size[axis] > 0 && count > limit / size[axis]))
      return marea_fail(MAREA_SHAPE, "no tensor can have the shape %s",
                        marea_sizes_text(rank, size, text));
    x->size[axis] = size[axis];
    x->stride[axis] = count;
    count *= size[axis];
  }
  x->rank = rank;
  x->dtype = dtype;
  *bytes = (size_t)count * marea_dtype_bytes(dtype);
  return MAREA_OK;
}

/* ---- lifetime ---- */

marea_tensor *marea_tensor_uninitialised(marea_dtype dtype, int rank, const int64_t *size) {
  marea_tensor *x = marea_alloc_zero(1, sizeof *x);
  size_t bytes;
  if (x == NULL) return NULL;
  x->references = 1;
  if (marea_tensor_layout(x, dtype, rank, size, &bytes) == MAREA_OK) {
    x->storage = marea_storage_new(bytes);
    if (x->storage != NULL) {
      x->data = marea_storage_data(x->storage);
      return x;
    }
  }
  marea_free(x);
  return NULL;
}

marea_tensor *marea_tensor_new(marea_dtype dtype, int rank, const int64_t *size) {
  marea_tensor *x = marea_tensor_uninitialised(dtype, rank, size);
  if (x != NULL) memset(x->data, 0, marea_tensor_bytes(x));
  return x;
}

marea_tensor *marea_tensor_retain(marea_tensor *x) {
  if (x != NULL && x->tape == NULL) x->references++;
  return x;
}

void marea_tensor_free(marea_tensor *x) {
  if (x == NULL || x->tape != NULL || --x->references > 0) return;
  marea_tensor_clear_gradient(x);
  marea_storage_free(x->storage);
  marea_free(x);
}

marea_tensor *marea_tensor_copy(const marea_tensor *x) {
  if (x == NULL) return NULL;
  marea_tensor *copy = marea_tensor_uninitialised(x->dtype, x->rank, x->size);
  if (copy != NULL) marea_tensor_gather(x, copy->data);
  return copy;
}

/* ---- elements ---- */

int64_t marea_tensor_offset(const marea_tensor *x, int64_t i) {
  int64_t offset = 0;
  for (int axis = x->rank - 1; axis >= 0; axis--) {
    offset += i % x->size[axis] * x->stride[axis];
    i /= x->size[axis];
  }
  return offset;
}

double marea_tensor_get(const marea_tensor *x, int64_t i) {
  int64_t offset = marea_tensor_offset(x, i);
  return x->dtype == MAREA_INT32 ? (double)marea_ints(x)[offset] : (double)marea_reals(x)[offset];
}

marea_status marea_tensor_set(marea_tensor *x, int64_t i, double value) {
  int64_t offset = marea_tensor_offset(x, i);
  if (x->dtype == MAREA_REAL) {
    marea_reals(x)[offset] = (marea_real)value;
    return MAREA_OK;
  }
  if (!(value >= INT32_MIN && value <= INT32_MAX && value == floor(value)))
    return marea_fail(MAREA_RANGE, "an int32 tensor holds whole numbers of 32 bits, not %.17g",
                      value);
  marea_ints(x)[offset] = (int32_t)value;
  return MAREA_OK;
}

static void gather_line(const marea_tensor *x, int64_t n, int64_t stride, const char *from,
                        char *to) {
  if (stride == 1) {
    memcpy(to, from, (size_t)n * marea_dtype_bytes(x->dtype));
  } else if (x->dtype == MAREA_INT32) {
    const int32_t *source = (const int32_t *)(const void *)from;
    for (int64_t i = 0; i < n; i++) ((int32_t *)(void *)to)[i] = source[i * stride];
  } else {
    const marea_real *source = (const marea_real *)(const void *)from;
    for (int64_t i = 0; i < n; i++) ((marea_real *)(void *)to)[i] = source[i * stride];
  }
}

/* Copies one axis after the other; the result is where `to` goes on. */
static char *gather_axis(const marea_tensor *x, int axis, const char *from, char *to) {
  int64_t item = (int64_t)marea_dtype_bytes(x->dtype);
  int64_t n = x->size[axis], stride = x->stride[axis];
  if (axis + 1 == x->rank) {
    gather_line(x, n, stride, from, to);
    return to + n * item;
  }
  for (int64_t i = 0; i < n; i++) to = gather_axis(x, axis + 1, from + i * stride * item, to);
  return to;
}

void marea_tensor_gather(const marea_tensor *from, void *to) {
  int64_t count = marea_tensor_count(from);
  if (count == 0) return;
  if (marea_tensor_contiguous(from)) {
    memcpy(to, from->data, (size_t)count * marea_dtype_bytes(from->dtype));
  } else {
    gather_axis(from, 0, from->data, to);
  }
}

marea_status marea_tensor_assign(marea_tensor *x, const marea_tensor *from) {
  char left[MAREA_SHAPE_TEXT_BYTES], right[MAREA_SHAPE_TEXT_BYTES];
  if (!marea_same_shape(x, from))
    return marea_fail(MAREA_SHAPE, "assign: the tensor is %s, the values are %s",
                      marea_shape_text(x, left), marea_shape_text(from, right));
  if (x->dtype == from->dtype && marea_tensor_contiguous(x)) {
    if (x->data != from->data) marea_tensor_gather(from, x->data);
    return MAREA_OK;
  }
  int64_t count = marea_tensor_count(x);
  for (int64_t i = 0; i < count; i++) {
    marea_status status = marea_tensor_set(x, i, marea_tensor_get(from, i));
    if (status != MAREA_OK) return status;
  }
  return MAREA_OK;
}

void marea_tensor_fill(marea_tensor *x, double value) {
  int64_t count = marea_tensor_count(x);
  bool plain = marea_tensor_contiguous(x);
  for (int64_t i = 0; i < count; i++) {
    int64_t offset = plain ? i : marea_tensor_offset(x, i);
    if (x->dtype == MAREA_INT32)
      marea_ints(x)[offset] = (int32_t)value;
    else
      marea_reals(x)[offset] = (marea_real)value;
  }
}

/* ---- gradients ---- */

static void spread_rows(const marea_tensor *x, const marea_gradient *g, marea_real *dense) {
  size_t width = (size_t)x->size[1];
  for (int64_t row = 0; row < g->row_count; row++)
    memcpy(dense + (size_t)g->rows[row] * width, g->row_values + (size_t)row * width,
           width * sizeof(marea_real));
}

marea_tensor *marea_tensor_gradient(const marea_tensor *x) {
  marea_tensor *copy = marea_tensor_new(MAREA_REAL, x->rank, x->size);
  const marea_gradient *g = x->gradient;
  if (copy == NULL || g == NULL) return copy;
  if (g->sparse)
    spread_rows(x, g, marea_reals(copy));
  else if (g->dense != NULL)
    memcpy(copy->data, g->dense, marea_tensor_bytes(copy));
  return copy;
}

void marea_tensor_clear_gradient(marea_tensor *x) {
  marea_gradient *g = x->gradient;
  if (g == NULL || x->tape != NULL) return;
  x->gradient = NULL;
  marea_free(g->dense);
  marea_free(g->rows);
  marea_free(g->row_values);
  marea_free(g);
}
