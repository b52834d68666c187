/* Sparse matrices in compressed rows (CSR): of each row only the entries that are stored, by
 * ascending column, no column twice. The counts of words in texts are of this kind: 10,000 columns,
 * of which a review fills a hundred.
 *
 * A matrix does not change once it is made; what scales or cuts it gives a new one. Reference
 * counted: _new gives a reference, _free drops it. Rows and columns are 0-based in C; messages
 * count from 1, as the Lua user does. Work on many rows is shared among the threads, row by row, so
 * that the bits do not depend on their number. */
#ifndef MAREA_BASE_CSR_H
#define MAREA_BASE_CSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

typedef struct marea_csr {
  int64_t rows, columns; /* each at most INT32_MAX */
  size_t *offsets;       /* row i: entries offsets[i] … offsets[i+1]-1; a slice begins above 0 */
  int32_t *column;
  marea_real *value;
  struct marea_csr *owner; /* whose arrays these are; NULL: its own */
  int references;
} marea_csr;

/* ---- making ---- */

/* `entries` uninitialised entries and offsets of zero, for the caller to fill in order. NULL:
 * MAREA_SHAPE for sizes out of range, MAREA_NOMEM. */
marea_csr *marea_csr_new(int64_t rows, int64_t columns, size_t entries);
marea_csr *marea_csr_retain(marea_csr *m);
void marea_csr_free(marea_csr *m); /* NULL is allowed */

/* From n triples in any order; those of one place are added up. MAREA_RANGE names the entry that
 * lies outside. */
marea_csr *marea_csr_from_triples(int64_t rows, int64_t columns, size_t n, const int64_t *row,
                                  const int64_t *column, const double *value);

/* The elements of x (rows, columns; row-major) that are not 0. */
marea_csr *marea_csr_from_dense(int64_t rows, int64_t columns, const marea_real *x);

/* Counts lists of items: row i counts items[offsets[i]] … items[offsets[i+1]-1]. An item c counts 1
 * in column c, an item ~c (which is negative) counts -1 there. Items of columns from `columns` on
 * are left out, and with `first` c stands for column c - first and lower ones are left out. */
marea_csr *marea_csr_count(int64_t rows, const size_t *offsets, const int32_t *items, int32_t first,
                           int64_t columns);

/* ---- cutting ---- */

/* Rows first … first+count-1, sharing the entries of m. MAREA_RANGE when there are not so many. */
marea_csr *marea_csr_narrow(marea_csr *m, int64_t first, int64_t count);
/* Rows list[0], list[1], …, which may repeat. MAREA_RANGE names the one that does not exist. */
marea_csr *marea_csr_take(const marea_csr *m, size_t count, const int32_t *list);
/* Columns first … first+count-1. */
marea_csr *marea_csr_columns(const marea_csr *m, int64_t first, int64_t count);
/* Column c goes to column to[c], or with the opposite sign to ~to[c] when that is negative; what
 * meets in one place is added up. MAREA_RANGE unless all lie below `columns`. */
marea_csr *marea_csr_remap(const marea_csr *m, const int32_t *to, int64_t columns);
/* The transpose without its empty rows: row i of the result is column (*touched)[i] of m, and the
 * caller frees *touched. */
marea_csr *marea_csr_transpose(const marea_csr *m, int32_t **touched);

/* ---- asking ---- */

static inline size_t marea_csr_entries(const marea_csr *m) {
  return m->offsets[m->rows] - m->offsets[0];
}
size_t marea_csr_bytes(const marea_csr *m); /* 0 for a slice, which has no entries of its own */

/* x (rows, columns), row-major. */
void marea_csr_to_dense(const marea_csr *m, marea_real *x);
/* The place among the entries of row *row of the first NaN or infinity; false when there is none.
 */
bool marea_csr_nonfinite(const marea_csr *m, int64_t *row, size_t *entry);
/* How many rows have an entry in each column: the document frequency. */
void marea_csr_column_counts(const marea_csr *m, int32_t *counts);
/* Sums along the rows (to (rows)) and along the columns (to (columns)), in double precision. */
marea_status marea_csr_sum_rows(const marea_csr *m, marea_real *sums);
marea_status marea_csr_sum_columns(const marea_csr *m, marea_real *sums);

/* ---- scaling ---- */

typedef enum marea_norm {
  MAREA_NORM_NONE,
  MAREA_NORM_L1,
  MAREA_NORM_L2,
  MAREA_NORM_MAX
} marea_norm;

/* Row i times by_row[i], column j times by_column[j] (NULL: 1), then each row divided by its norm;
 * rows whose norm is 0 stay. */
marea_csr *marea_csr_scale(const marea_csr *m, const marea_real *by_row,
                           const marea_real *by_column, marea_norm norm);
/* Divides n values by their norm, unless that is 0. */
void marea_csr_normalize(marea_real *value, size_t n, marea_norm norm);

/* A matrix with m's entries, whose values the caller fills. */
marea_csr *marea_csr_like(const marea_csr *m);

/* Loops over rows are cut into pieces of this many. */
enum { MAREA_CSR_CHUNK = 256 };

#endif
