/* Bag-of-words matrices. */
#ifndef MAREA_TEXT_BAGS_H
#define MAREA_TEXT_BAGS_H

#include "base/real.h"
#include "text/sequences/sequences.h"

typedef enum marea_bag {
  MAREA_BAG_BINARY,
  MAREA_BAG_COUNT,
  MAREA_BAG_FREQ,
  MAREA_BAG_TFIDF
} marea_bag;

/* out (count, columns), Keras's texts_to_matrix: 1; c; c / length; (1 + ln c) ln(1 + N/(1 + df)).
 * Ids from `columns` on are left out. `frequency` (columns) holds df by id, for tfidf only. */
marea_status marea_bag_matrix(const marea_sequences *sequences, marea_bag mode, size_t columns,
                              const int64_t *frequency, int64_t documents, marea_real *out);

#endif
