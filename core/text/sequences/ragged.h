/* Rows of different lengths whose items are numbers, vectors or deeper: what pad_sequences takes
 * besides ids. */
#ifndef MAREA_TEXT_RAGGED_H
#define MAREA_TEXT_RAGGED_H

#include "text/sequences/padding.h"

enum { MAREA_ITEM_RANK = 4 };

/* Row i holds items offsets[i] … offsets[i+1] - 1, each of item_values numbers in row-major order;
 * a single number has item_rank 0 and item_values 1. */
typedef struct marea_ragged {
  double *values;
  size_t value_count, value_capacity;
  size_t *offsets;
  size_t count, capacity;
  int item_rank;
  int64_t item_size[MAREA_ITEM_RANK];
  size_t item_values;
} marea_ragged;

marea_ragged *marea_ragged_new(void);
void marea_ragged_free(marea_ragged *ragged); /* NULL is allowed */

/* The shape of an item, before the first number: sizes of 1 or more, else MAREA_SHAPE. */
marea_status marea_ragged_shape(marea_ragged *ragged, int rank, const int64_t *size);
marea_status marea_ragged_push(marea_ragged *ragged, double value);
/* Ends the row; MAREA_SHAPE when its last item is not whole. */
marea_status marea_ragged_end(marea_ragged *ragged);

/* out (count, maxlen, item shape), as reals or ids, filled with `value`. MAREA_RANGE for maxlen 0
 * and, naming row and place, for a number that is no id. */
marea_status marea_ragged_pad_reals(const marea_ragged *ragged, const marea_padding *padding,
                                    double value, marea_real *out, marea_padding_report *report);
marea_status marea_ragged_pad_ids(const marea_ragged *ragged, const marea_padding *padding,
                                  double value, int32_t *out, marea_padding_report *report);

#endif
