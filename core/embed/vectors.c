#include "embed/vectors.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "embed/halves.h"

static const size_t TYPE_BYTES[] = {sizeof(float), sizeof(uint16_t), sizeof(int8_t)};
enum { INT8_MOST = 127 };

size_t marea_row_type_bytes(marea_row_type type) {
  return TYPE_BYTES[type];
}

/* ---- making ---- */

marea_vectors *marea_vectors_new(size_t width, marea_row_type type, size_t rows) {
  if (width < 1 || width > MAREA_MOST_WIDTH || rows > MAREA_MOST_ROWS) {
    marea_fail(MAREA_RANGE, "vectors: %zu rows of %zu numbers, expected 1 to %d numbers", rows,
               width, MAREA_MOST_WIDTH);
    return NULL;
  }
  marea_vectors *v = marea_alloc_zero(1, sizeof *v);
  if (v == NULL) return NULL;
  v->width = width;
  v->type = type;
  v->capacity = rows > 0 ? rows : 16;
  if (marea_lexicon_init(&v->words, v->capacity) == MAREA_OK) {
    v->data = marea_alloc_array(v->capacity, width * TYPE_BYTES[type]);
    v->norms = marea_alloc_array(v->capacity, sizeof *v->norms);
    if (type == MAREA_INT8) v->scales = marea_alloc_array(v->capacity, sizeof *v->scales);
    if (v->data != NULL && v->norms != NULL && (type != MAREA_INT8 || v->scales != NULL)) return v;
  }
  marea_vectors_free(v);
  return NULL;
}

void marea_vectors_free(marea_vectors *v) {
  if (v == NULL) return;
  marea_lexicon_clear(&v->words);
  if (!v->borrowed) {
    marea_free(v->data);
    marea_free(v->scales);
    marea_free(v->norms);
  }
  if (!v->subwords.borrowed) marea_free(v->subwords.rows);
  marea_sketch_free(v->sketch);
  marea_free(v->card);
  marea_mapping_close(&v->mapping);
  marea_free(v);
}

static marea_status resize(marea_vectors *v, size_t rows) {
  size_t row_bytes = v->width * TYPE_BYTES[v->type];
  if (rows > SIZE_MAX / row_bytes)
    return marea_fail(MAREA_NOMEM, "out of memory: %zu rows of %zu bytes", rows, row_bytes);
  void *data = marea_realloc(v->data, rows * row_bytes);
  if (data == NULL) return MAREA_NOMEM;
  v->data = data;
  float *norms = marea_realloc(v->norms, rows * sizeof *norms);
  if (norms == NULL) return MAREA_NOMEM;
  v->norms = norms;
  if (v->scales != NULL) {
    float *scales = marea_realloc(v->scales, rows * sizeof *scales);
    if (scales == NULL) return MAREA_NOMEM;
    v->scales = scales;
  }
  v->capacity = rows;
  return MAREA_OK;
}

marea_status marea_vectors_trim(marea_vectors *v) {
  if (v->borrowed || v->capacity - v->rows <= v->rows / 8 + 16) return MAREA_OK;
  return resize(v, v->rows > 0 ? v->rows : 1);
}

/* ---- rows in and out ---- */

static marea_status store_halves(uint16_t *to, const float *row, size_t width) {
  for (size_t i = 0; i < width; i++) {
    if (!(fabsf(row[i]) < 65520.0f))
      return marea_fail(MAREA_RANGE, "number %zu is %g, float16 holds at most 65504", i + 1,
                        (double)row[i]);
    to[i] = marea_float_to_half(row[i]);
  }
  return MAREA_OK;
}

static void store_bytes(int8_t *to, float *scale, const float *row, size_t width) {
  float largest = 0;
  for (size_t i = 0; i < width; i++) largest = fmaxf(largest, fabsf(row[i]));
  *scale = largest / INT8_MOST;
  float inverse = *scale > 0 ? 1 / *scale : 0;
  if (!isfinite(inverse)) *scale = inverse = 0; /* too small a number for a scale */
  for (size_t i = 0; i < width; i++) to[i] = (int8_t)lrintf(row[i] * inverse);
}

static marea_status store(marea_vectors *v, size_t at, const float *row) {
  size_t width = v->width;
  switch (v->type) {
  case MAREA_FLOAT16: return store_halves((uint16_t *)v->data + at * width, row, width);
  case MAREA_INT8:
    store_bytes((int8_t *)v->data + at * width, &v->scales[at], row, width);
    return MAREA_OK;
  default: memcpy((float *)v->data + at * width, row, width * sizeof *row); return MAREA_OK;
  }
}

static float norm_of(const marea_vectors *v, size_t at) {
  double sum = 0;
  size_t width = v->width, first = at * width;
  if (v->type == MAREA_FLOAT32) {
    const float *row = (const float *)v->data + first;
    for (size_t i = 0; i < width; i++) sum += (double)row[i] * (double)row[i];
  } else if (v->type == MAREA_FLOAT16) {
    const uint16_t *row = (const uint16_t *)v->data + first;
    for (size_t i = 0; i < width; i++) {
      double x = (double)marea_half_to_float(row[i]);
      sum += x * x;
    }
  } else {
    const int8_t *row = (const int8_t *)v->data + first;
    for (size_t i = 0; i < width; i++) sum += (double)(row[i] * row[i]);
    return (float)(sqrt(sum) * (double)v->scales[at]);
  }
  return (float)sqrt(sum);
}

marea_status marea_vectors_append(marea_vectors *v, const char *bytes, size_t length,
                                  const float *row, bool *is_new) {
  *is_new = false;
  if (v->rows == MAREA_MOST_ROWS)
    return marea_fail(MAREA_RANGE, "vectors: more than %d rows", MAREA_MOST_ROWS);
  for (size_t i = 0; i < v->width; i++)
    if (!isfinite(row[i]))
      return marea_fail(MAREA_NONFINITE, "number %zu is NaN or infinite", i + 1);
  if (v->rows == v->capacity) {
    marea_status status = resize(v, v->capacity + v->capacity / 2 + 16);
    if (status != MAREA_OK) return status;
  }
  marea_status status = store(v, v->rows, row);
  if (status != MAREA_OK) return status;
  float norm = norm_of(v, v->rows);
  if (!isfinite(norm))
    return marea_fail(MAREA_NONFINITE, "the length of the vector is beyond float32");
  status = marea_lexicon_add(&v->words, bytes, length, is_new);
  if (status == MAREA_OK && *is_new) v->norms[v->rows++] = norm;
  return status;
}

void marea_vectors_row(const marea_vectors *v, size_t at, float *to) {
  size_t width = v->width, first = at * width;
  if (v->type == MAREA_FLOAT16) {
    const uint16_t *row = (const uint16_t *)v->data + first;
    for (size_t i = 0; i < width; i++) to[i] = marea_half_to_float(row[i]);
  } else if (v->type == MAREA_INT8) {
    const int8_t *row = (const int8_t *)v->data + first;
    for (size_t i = 0; i < width; i++) to[i] = v->scales[at] * (float)row[i];
  } else {
    memcpy(to, (const float *)v->data + first, width * sizeof *to);
  }
}

void marea_vectors_rows(const marea_vectors *v, size_t first, size_t count, marea_real *to) {
#ifdef MAREA_DOUBLE
  for (size_t at = first; at < first + count; at++, to += v->width) {
    float *narrow = (float *)(void *)to; /* the first half of the row, widened from behind */
    marea_vectors_row(v, at, narrow);
    for (size_t i = v->width; i-- > 0;) {
      float number;
      memcpy(&number, narrow + i, sizeof number);
      to[i] = (marea_real)number;
    }
  }
#else
  for (size_t at = first; at < first + count; at++, to += v->width) marea_vectors_row(v, at, to);
#endif
}

size_t marea_vectors_bytes(const marea_vectors *v) {
  size_t bytes = sizeof *v;
  if (!v->words.borrowed) bytes += marea_lexicon_bytes(&v->words);
  if (!v->borrowed)
    bytes += v->capacity * (v->width * TYPE_BYTES[v->type] + sizeof(float) +
                            (v->scales != NULL ? sizeof(float) : 0));
  if (!v->subwords.borrowed) bytes += v->subwords.buckets * v->width * sizeof(float);
  return bytes;
}
