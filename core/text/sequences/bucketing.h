/* Batches of rows of like lengths, in an order that is fixed. */
#ifndef MAREA_TEXT_BUCKETING_H
#define MAREA_TEXT_BUCKETING_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "base/status.h"

/* Sorts each run of `pool` rows of `order` (rows counted from 0) by length, ties in the order in
 * which they stood. A pool of the size of the data sorts it as a whole; a smaller one keeps
 * neighbours as random as the order was. MAREA_RANGE for a row out of range, MAREA_NOMEM. */
marea_status marea_bucket_sort(const int32_t *lengths, size_t count, size_t pool, int32_t *order);

/* Puts the whole batches of `order` into a random order; a short last one stays last. */
marea_status marea_bucket_shuffle(marea_stream *stream, size_t count, size_t batch, int32_t *order);

/* What batches as wide as their longest row hold: all places, and those with an item. `order` may
 * be NULL: the rows as they stand. MAREA_RANGE for a row out of range. */
typedef struct marea_bucket_size {
  size_t places, items;
} marea_bucket_size;
marea_status marea_bucket_measure(const int32_t *lengths, const int32_t *order, size_t count,
                                  size_t batch, marea_bucket_size *size);

#endif
