/* One row of a sparse matrix while it is summed: a sum a column, and two levels of bits that find
 * the columns with a sum in ascending order without sorting. */
#ifndef MAREA_EMBED_ROW_SUMS_H
#define MAREA_EMBED_ROW_SUMS_H

#include "embed/pair_run.h"

typedef struct marea_row_sums {
  uint64_t *sums;
  uint64_t *bits; /* a bit a column */
  uint64_t *tops; /* a bit for each of those words */
  size_t columns;
} marea_row_sums;

marea_status marea_row_sums_begin(marea_row_sums *row, size_t columns);
void marea_row_sums_end(marea_row_sums *row);

static inline void marea_row_sums_add(marea_row_sums *row, uint32_t column, uint64_t sum) {
  if (row->sums[column] == 0) {
    row->bits[column / 64] |= (uint64_t)1 << column % 64;
    row->tops[column / 4096] |= (uint64_t)1 << column / 64 % 64;
  }
  row->sums[column] += sum;
}

/* Appends the row to the buffer, nothing when it is empty, and begins anew. */
marea_status marea_row_sums_take(marea_row_sums *row, uint32_t number, marea_pair_buffer *buffer);

#endif
