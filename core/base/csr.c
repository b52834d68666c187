#include "base/csr.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* ---- lifetime ---- */

static marea_csr *without_entries(int64_t rows, int64_t columns) {
  if (rows < 0 || columns < 0 || rows > INT32_MAX || columns > INT32_MAX) {
    marea_fail(MAREA_SHAPE, "a sparse matrix has 0 to %d rows and columns, (%lld, %lld) asked for",
               INT32_MAX, (long long)rows, (long long)columns);
    return NULL;
  }
  marea_csr *m = marea_alloc_zero(1, sizeof *m);
  if (m == NULL) return NULL;
  m->rows = rows;
  m->columns = columns;
  m->references = 1;
  return m;
}

marea_csr *marea_csr_new(int64_t rows, int64_t columns, size_t entries) {
  marea_csr *m = without_entries(rows, columns);
  if (m == NULL) return NULL;
  m->offsets = marea_alloc_zero((size_t)rows + 1, sizeof *m->offsets);
  m->column = marea_alloc_array(entries, sizeof *m->column);
  m->value = marea_alloc_array(entries, sizeof *m->value);
  if (m->offsets != NULL && m->column != NULL && m->value != NULL) return m;
  marea_csr_free(m);
  return NULL;
}

marea_csr *marea_csr_retain(marea_csr *m) {
  if (m != NULL) m->references++;
  return m;
}

void marea_csr_free(marea_csr *m) {
  if (m == NULL || --m->references > 0) return;
  if (m->owner != NULL) {
    marea_csr_free(m->owner);
  } else {
    marea_free(m->offsets);
    marea_free(m->column);
    marea_free(m->value);
  }
  marea_free(m);
}

size_t marea_csr_bytes(const marea_csr *m) {
  if (m->owner != NULL) return 0;
  return ((size_t)m->rows + 1) * sizeof *m->offsets +
         m->offsets[m->rows] * (sizeof *m->column + sizeof *m->value);
}

/* ---- cutting by rows ---- */

marea_csr *marea_csr_narrow(marea_csr *m, int64_t first, int64_t count) {
  if (first < 0 || count < 0 || first > m->rows || count > m->rows - first) {
    marea_fail(MAREA_RANGE, "rows %lld to %lld of a sparse matrix that has %lld",
               (long long)first + 1, (long long)(first + count), (long long)m->rows);
    return NULL;
  }
  marea_csr *slice = without_entries(count, m->columns);
  if (slice == NULL) return NULL;
  slice->offsets = m->offsets + first;
  slice->column = m->column;
  slice->value = m->value;
  slice->owner = marea_csr_retain(m->owner != NULL ? m->owner : m);
  return slice;
}

marea_csr *marea_csr_take(const marea_csr *m, size_t count, const int32_t *list) {
  size_t entries = 0;
  for (size_t i = 0; i < count; i++) {
    if (list[i] < 0 || list[i] >= m->rows) {
      marea_fail(MAREA_RANGE, "item %zu of the list is row %d, allowed are 0 to %lld", i + 1,
                 list[i], (long long)m->rows - 1);
      return NULL;
    }
    entries += m->offsets[list[i] + 1] - m->offsets[list[i]];
  }
  marea_csr *t = marea_csr_new((int64_t)count, m->columns, entries);
  for (size_t i = 0; i < count && t != NULL; i++) {
    size_t from = m->offsets[list[i]], n = m->offsets[list[i] + 1] - from, to = t->offsets[i];
    t->offsets[i + 1] = to + n;
    memcpy(t->column + to, m->column + from, n * sizeof *t->column);
    memcpy(t->value + to, m->value + from, n * sizeof *t->value);
  }
  return t;
}

/* ---- asking ---- */

void marea_csr_to_dense(const marea_csr *m, marea_real *x) {
  memset(x, 0, (size_t)m->rows * (size_t)m->columns * sizeof *x);
  for (int64_t i = 0; i < m->rows; i++, x += m->columns)
    for (size_t e = m->offsets[i]; e < m->offsets[i + 1]; e++) x[m->column[e]] = m->value[e];
}

marea_csr *marea_csr_from_dense(int64_t rows, int64_t columns, const marea_real *x) {
  size_t n = (size_t)rows * (size_t)columns, entries = 0;
  for (size_t i = 0; i < n; i++) entries += x[i] != 0;
  marea_csr *m = marea_csr_new(rows, columns, entries);
  size_t next = 0;
  for (int64_t i = 0; i < rows && m != NULL; i++, x += columns) {
    for (int64_t j = 0; j < columns; j++) {
      if (x[j] == 0) continue;
      m->column[next] = (int32_t)j;
      m->value[next++] = x[j];
    }
    m->offsets[i + 1] = next;
  }
  return m;
}

bool marea_csr_nonfinite(const marea_csr *m, int64_t *row, size_t *entry) {
  for (int64_t i = 0; i < m->rows; i++)
    for (size_t e = m->offsets[i]; e < m->offsets[i + 1]; e++)
      if (!isfinite(m->value[e])) {
        *row = i, *entry = e;
        return true;
      }
  return false;
}

void marea_csr_column_counts(const marea_csr *m, int32_t *counts) {
  memset(counts, 0, (size_t)m->columns * sizeof *counts);
  for (size_t e = m->offsets[0]; e < m->offsets[m->rows]; e++) counts[m->column[e]]++;
}

marea_status marea_csr_sum_rows(const marea_csr *m, marea_real *sums) {
  for (int64_t i = 0; i < m->rows; i++) {
    double sum = 0;
    for (size_t e = m->offsets[i]; e < m->offsets[i + 1]; e++) sum += (double)m->value[e];
    sums[i] = (marea_real)sum;
  }
  return MAREA_OK;
}

marea_status marea_csr_sum_columns(const marea_csr *m, marea_real *sums) {
  double *wide = marea_alloc_zero((size_t)m->columns, sizeof *wide);
  if (wide == NULL) return MAREA_NOMEM;
  for (size_t e = m->offsets[0]; e < m->offsets[m->rows]; e++)
    wide[m->column[e]] += (double)m->value[e];
  for (int64_t j = 0; j < m->columns; j++) sums[j] = (marea_real)wide[j];
  marea_free(wide);
  return MAREA_OK;
}
