/* Scaling rows and columns of sparse matrices, and norms. */
#include <math.h>
#include <string.h>

#include "base/csr.h"
#include "base/memory.h"
#include "base/threads.h"

marea_csr *marea_csr_like(const marea_csr *m) {
  size_t first = m->offsets[0], n = marea_csr_entries(m);
  marea_csr *t = marea_csr_new(m->rows, m->columns, n);
  if (t == NULL) return NULL;
  for (int64_t i = 0; i < m->rows; i++) t->offsets[i + 1] = m->offsets[i + 1] - first;
  memcpy(t->column, m->column + first, n * sizeof *t->column);
  return t;
}

static double norm_of(const marea_real *value, size_t n, marea_norm norm) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double size = fabs((double)value[i]);
    if (norm == MAREA_NORM_MAX)
      sum = size > sum ? size : sum;
    else
      sum += norm == MAREA_NORM_L2 ? size * size : size;
  }
  return norm == MAREA_NORM_L2 ? sqrt(sum) : sum;
}

void marea_csr_normalize(marea_real *value, size_t n, marea_norm norm) {
  if (norm == MAREA_NORM_NONE) return;
  double size = norm_of(value, n, norm);
  for (size_t i = 0; i < n && size != 0; i++) value[i] = (marea_real)((double)value[i] / size);
}

typedef struct scaling {
  const marea_csr *m;
  marea_csr *result;
  const marea_real *by_row, *by_column;
  marea_norm norm;
} scaling;

static void scale_piece(void *context, size_t piece) {
  const scaling *s = context;
  int64_t from = (int64_t)piece * MAREA_CSR_CHUNK, to = from + MAREA_CSR_CHUNK;
  for (int64_t i = from; i < to && i < s->m->rows; i++) {
    size_t n = s->m->offsets[i + 1] - s->m->offsets[i];
    const marea_real *value = s->m->value + s->m->offsets[i];
    const int32_t *column = s->m->column + s->m->offsets[i];
    marea_real *out = s->result->value + s->result->offsets[i];
    marea_real factor = s->by_row != NULL ? s->by_row[i] : 1;
    for (size_t e = 0; e < n; e++)
      out[e] = value[e] * factor * (s->by_column != NULL ? s->by_column[column[e]] : 1);
    marea_csr_normalize(out, n, s->norm);
  }
}

marea_csr *marea_csr_scale(const marea_csr *m, const marea_real *by_row,
                           const marea_real *by_column, marea_norm norm) {
  scaling s = {m, marea_csr_like(m), by_row, by_column, norm};
  if (s.result == NULL) return NULL;
  marea_parallel(marea_pieces((size_t)m->rows, MAREA_CSR_CHUNK), scale_piece, &s);
  return s.result;
}
