#include "embed/row_sums.h"

#include "base/memory.h"

marea_status marea_row_sums_begin(marea_row_sums *row, size_t columns) {
  row->columns = columns;
  row->sums = marea_alloc_zero(columns, sizeof *row->sums);
  row->bits = marea_alloc_zero(columns / 64 + 1, sizeof *row->bits);
  row->tops = marea_alloc_zero(columns / 4096 + 1, sizeof *row->tops);
  return row->sums != NULL && row->bits != NULL && row->tops != NULL ? MAREA_OK : MAREA_NOMEM;
}

void marea_row_sums_end(marea_row_sums *row) {
  marea_free(row->sums);
  marea_free(row->bits);
  marea_free(row->tops);
  *row = (marea_row_sums){0};
}

/* The lowest bit that is set, taken out. */
static uint32_t take_bit(uint64_t *word) {
  uint32_t bit = (uint32_t)__builtin_ctzll(*word);
  *word &= *word - 1;
  return bit;
}

static uint32_t count_columns(const marea_row_sums *row) {
  uint32_t n = 0;
  for (size_t t = 0; t <= row->columns / 4096; t++)
    for (uint64_t top = row->tops[t]; top != 0;)
      n += (uint32_t)__builtin_popcountll(row->bits[t * 64 + take_bit(&top)]);
  return n;
}

marea_status marea_row_sums_take(marea_row_sums *row, uint32_t number, marea_pair_buffer *buffer) {
  uint32_t n = count_columns(row), k = 0;
  if (n == 0) return MAREA_OK;
  uint32_t *body = marea_pair_buffer_row(buffer, number, n);
  if (body == NULL) return MAREA_NOMEM;
  for (size_t t = 0; t <= row->columns / 4096; t++)
    while (row->tops[t] != 0) {
      size_t word = t * 64 + take_bit(&row->tops[t]);
      while (row->bits[word] != 0) {
        uint32_t column = (uint32_t)(word * 64) + take_bit(&row->bits[word]);
        marea_pair_set(body, n, k++, column, row->sums[column]);
        row->sums[column] = 0;
      }
    }
  return MAREA_OK;
}
