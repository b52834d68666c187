/* Skip-grams with negative sampling (Mikolov et al., 2013, "Distributed representations of words
 * and phrases and their compositionality"), by Keras's rule and wholly seeded. */
#ifndef MAREA_TEXT_SKIPGRAMS_H
#define MAREA_TEXT_SKIPGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

typedef struct marea_skipgrams {
  int64_t vocabulary_size; /* ids are 0 … vocabulary_size-1; 0 is no word */
  size_t window;           /* neighbours on each side */
  double negatives;        /* random pairs for each true one */
  bool shuffle;
  const marea_real *table; /* by id, the probability to take it as a centre; NULL: always */
  size_t table_size;
  uint64_t seed;
} marea_skipgrams;

/* How many pairs there will be: true ones and random ones. MAREA_RANGE names an id that is out of
 * range, or says that the pairs are too many (2^31). */
marea_status marea_skipgrams_count(const int32_t *ids, size_t count, const marea_skipgrams *options,
                                   size_t *positives, size_t *negatives);

/* Fills couples (N, 2), centre and neighbour, and labels (N) of 1 and 0, for the numbers that
 * _count gave. Without `shuffle` the true pairs stand first, in the order of the text. A random
 * pair takes its centre from the true ones, shuffled, in a cycle, and its partner from
 * 1 … vocabulary_size-1, so that it may be a true pair by chance. */
marea_status marea_skipgrams_fill(const int32_t *ids, size_t count, const marea_skipgrams *options,
                                  size_t positives, size_t negatives, int32_t *couples,
                                  int32_t *labels);

/* table[r] = min(1, sqrt(f)), f = factor (r (ln r + 0.577) + 1/2 - 1/(12 r)): the probability to
 * keep the word of rank r when frequencies follow Zipf's law; rank 0 counts as 1. */
void marea_sampling_table(double factor, marea_real *table, size_t count);

#endif
