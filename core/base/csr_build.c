/* Sparse matrices from entries in any order: rows are sorted, and what lies in one place is added
 * up. */
#include <string.h>

#include "base/csr.h"
#include "base/memory.h"
#include "base/threads.h"

/* ---- sorting and merging rows ---- */

/* Shell sort with the gaps of Ciura (2001), beyond them times 2.25: in place, without bad cases
 * that matter, and fast for the few hundred entries that a text has. */
static void sort_by_gap(int32_t *column, marea_real *value, size_t n, size_t gap) {
  for (size_t i = gap; i < n; i++) {
    int32_t c = column[i];
    marea_real v = value[i];
    size_t j = i;
    for (; j >= gap && column[j - gap] > c; j -= gap) {
      column[j] = column[j - gap];
      value[j] = value[j - gap];
    }
    column[j] = c;
    value[j] = v;
  }
}

static void sort_row(int32_t *column, marea_real *value, size_t n) {
  static const size_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
  size_t gap = gaps[0];
  while (gap < n / 3) gap = gap * 9 / 4;
  for (; gap > gaps[0]; gap = gap * 4 / 9) sort_by_gap(column, value, n, gap);
  for (size_t k = 0; k < sizeof gaps / sizeof *gaps; k++) sort_by_gap(column, value, n, gaps[k]);
}

typedef struct tidying {
  const marea_csr *m;
  size_t *kept; /* entries of each row after merging */
} tidying;

static size_t merge_row(int32_t *column, marea_real *value, size_t n) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (kept > 0 && column[kept - 1] == column[i]) {
      value[kept - 1] += value[i];
    } else {
      column[kept] = column[i];
      value[kept++] = value[i];
    }
  }
  return kept;
}

static void tidy_piece(void *context, size_t piece) {
  const tidying *t = context;
  size_t from = piece * MAREA_CSR_CHUNK, to = from + MAREA_CSR_CHUNK;
  for (size_t i = from; i < to && i < (size_t)t->m->rows; i++) {
    size_t begin = t->m->offsets[i], n = t->m->offsets[i + 1] - begin;
    sort_row(t->m->column + begin, t->m->value + begin, n);
    t->kept[i] = merge_row(t->m->column + begin, t->m->value + begin, n);
  }
}

/* Closes the gaps that merging left, and gives memory back when there is much of it. On failure to
 * get smaller blocks the larger ones stay. */
static void close_gaps(marea_csr *m, const size_t *kept) {
  size_t next = 0, before = m->offsets[m->rows];
  for (int64_t i = 0; i < m->rows; i++) {
    size_t from = m->offsets[i];
    memmove(m->column + next, m->column + from, kept[i] * sizeof *m->column);
    memmove(m->value + next, m->value + from, kept[i] * sizeof *m->value);
    m->offsets[i] = next;
    next += kept[i];
  }
  m->offsets[m->rows] = next;
  if (next + next / 8 >= before) return;
  int32_t *column = marea_realloc(m->column, next * sizeof *column);
  if (column != NULL) m->column = column;
  marea_real *value = marea_realloc(m->value, next * sizeof *value);
  if (value != NULL) m->value = value;
}

/* m as it should be; NULL, and m freed, when memory is short. */
static marea_csr *tidy(marea_csr *m) {
  tidying t = {m, marea_alloc_array((size_t)m->rows, sizeof *t.kept)};
  if (t.kept == NULL) {
    marea_csr_free(m);
    return NULL;
  }
  marea_parallel(marea_pieces((size_t)m->rows, MAREA_CSR_CHUNK), tidy_piece, &t);
  close_gaps(m, t.kept);
  marea_free(t.kept);
  return m;
}

/* ---- triples ---- */

static marea_status check_triples(int64_t rows, int64_t columns, size_t n, const int64_t *row,
                                  const int64_t *column) {
  for (size_t k = 0; k < n; k++)
    if (row[k] < 0 || row[k] >= rows || column[k] < 0 || column[k] >= columns)
      return marea_fail(MAREA_RANGE, "entry %zu lies at (%lld, %lld), the matrix is (%lld, %lld)",
                        k + 1, (long long)row[k] + 1, (long long)column[k] + 1, (long long)rows,
                        (long long)columns);
  return MAREA_OK;
}

marea_csr *marea_csr_from_triples(int64_t rows, int64_t columns, size_t n, const int64_t *row,
                                  const int64_t *column, const double *value) {
  if (check_triples(rows, columns, n, row, column) != MAREA_OK) return NULL;
  marea_csr *m = marea_csr_new(rows, columns, n);
  size_t *next = marea_alloc_array((size_t)(rows < 0 ? 0 : rows) + 1, sizeof *next);
  if (m == NULL || next == NULL) {
    marea_csr_free(m);
    marea_free(next);
    return NULL;
  }
  for (size_t k = 0; k < n; k++) m->offsets[row[k] + 1]++;
  for (int64_t i = 0; i < rows; i++) m->offsets[i + 1] += m->offsets[i];
  memcpy(next, m->offsets, ((size_t)rows + 1) * sizeof *next);
  for (size_t k = 0; k < n; k++) {
    size_t place = next[row[k]]++;
    m->column[place] = (int32_t)column[k];
    m->value[place] = (marea_real)value[k];
  }
  marea_free(next);
  return tidy(m);
}

/* ---- counting ---- */

/* The column of an item, -1 when it is left out, and its sign. */
static int64_t column_of(int32_t item, int32_t first, int64_t columns, marea_real *sign) {
  int64_t c = (item < 0 ? ~(int64_t)item : item) - (int64_t)first;
  *sign = item < 0 ? -1 : 1;
  return c >= 0 && c < columns ? c : -1;
}

marea_csr *marea_csr_count(int64_t rows, const size_t *offsets, const int32_t *items, int32_t first,
                           int64_t columns) {
  marea_csr *m = marea_csr_new(rows, columns, offsets[rows] - offsets[0]);
  size_t next = 0;
  for (int64_t i = 0; i < rows && m != NULL; i++) {
    for (size_t k = offsets[i]; k < offsets[i + 1]; k++) {
      int64_t c = column_of(items[k], first, columns, &m->value[next]);
      if (c >= 0) m->column[next++] = (int32_t)c;
    }
    m->offsets[i + 1] = next;
  }
  return m != NULL ? tidy(m) : NULL;
}

/* ---- columns ---- */

marea_csr *marea_csr_remap(const marea_csr *m, const int32_t *to, int64_t columns) {
  for (int64_t j = 0; j < m->columns; j++) {
    if ((to[j] < 0 ? ~(int64_t)to[j] : to[j]) < columns) continue;
    marea_fail(MAREA_RANGE, "column %lld goes to column %lld, the new matrix has %lld",
               (long long)j + 1, (long long)(to[j] < 0 ? ~(int64_t)to[j] : to[j]) + 1,
               (long long)columns);
    return NULL;
  }
  marea_csr *t = marea_csr_new(m->rows, columns, marea_csr_entries(m));
  if (t == NULL) return NULL;
  size_t first = m->offsets[0], n = marea_csr_entries(m);
  for (int64_t i = 0; i < m->rows; i++) t->offsets[i + 1] = m->offsets[i + 1] - first;
  for (size_t e = 0; e < n; e++) {
    marea_real sign;
    t->column[e] = (int32_t)column_of(to[m->column[first + e]], 0, columns, &sign);
    t->value[e] = sign * m->value[first + e];
  }
  return tidy(t);
}

marea_csr *marea_csr_columns(const marea_csr *m, int64_t first, int64_t count) {
  if (first < 0 || count < 0 || first > m->columns || count > m->columns - first) {
    marea_fail(MAREA_RANGE, "columns %lld to %lld of a sparse matrix that has %lld",
               (long long)first + 1, (long long)(first + count), (long long)m->columns);
    return NULL;
  }
  size_t entries = 0, next = 0;
  for (size_t e = m->offsets[0]; e < m->offsets[m->rows]; e++)
    entries += m->column[e] >= first && m->column[e] < first + count;
  marea_csr *t = marea_csr_new(m->rows, count, entries);
  for (int64_t i = 0; i < m->rows && t != NULL; i++) {
    for (size_t e = m->offsets[i]; e < m->offsets[i + 1]; e++) {
      if (m->column[e] < first || m->column[e] >= first + count) continue;
      t->column[next] = (int32_t)(m->column[e] - first);
      t->value[next++] = m->value[e];
    }
    t->offsets[i + 1] = next;
  }
  return t;
}

/* ---- transposing ---- */

/* slot[c] becomes the place of column c among those with entries, -1 for the empty ones, and
 * offsets (touched + 1) where their entries begin. Returns how many there are. */
static int64_t number_columns(const marea_csr *m, int32_t *slot) {
  int64_t touched = 0;
  memset(slot, 0xff, (size_t)m->columns * sizeof *slot);
  for (size_t e = m->offsets[0]; e < m->offsets[m->rows]; e++) slot[m->column[e]] = 0;
  for (int64_t c = 0; c < m->columns; c++)
    if (slot[c] == 0) slot[c] = (int32_t)touched++;
  return touched;
}

/* Fills t, whose offsets then serve as cursors and end where the next row begins. */
static void scatter(const marea_csr *m, const int32_t *slot, marea_csr *t) {
  for (size_t e = m->offsets[0]; e < m->offsets[m->rows]; e++) t->offsets[slot[m->column[e]] + 1]++;
  for (int64_t i = 0; i < t->rows; i++) t->offsets[i + 1] += t->offsets[i];
  for (int64_t i = 0; i < m->rows; i++)
    for (size_t e = m->offsets[i]; e < m->offsets[i + 1]; e++) {
      size_t place = t->offsets[slot[m->column[e]]]++;
      t->column[place] = (int32_t)i;
      t->value[place] = m->value[e];
    }
  memmove(t->offsets + 1, t->offsets, (size_t)t->rows * sizeof *t->offsets);
  t->offsets[0] = 0;
}

marea_csr *marea_csr_transpose(const marea_csr *m, int32_t **touched) {
  int32_t *slot = marea_alloc_array((size_t)m->columns, sizeof *slot);
  if (slot == NULL) return NULL;
  int64_t count = number_columns(m, slot);
  int32_t *list = marea_alloc_array((size_t)count, sizeof *list);
  marea_csr *t = list == NULL ? NULL : marea_csr_new(count, m->rows, marea_csr_entries(m));
  if (t != NULL) {
    for (int64_t c = 0; c < m->columns; c++)
      if (slot[c] >= 0) list[slot[c]] = (int32_t)c;
    scatter(m, slot, t);
    *touched = list;
  } else {
    marea_free(list);
  }
  marea_free(slot);
  return t;
}
