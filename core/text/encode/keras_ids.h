/* Ids as Keras's loaders of ready-made corpora (imdb, reuters) give them: ranks of words, moved up
 * to make room for a start mark and a mark for words left out. */
#ifndef MAREA_TEXT_KERAS_IDS_H
#define MAREA_TEXT_KERAS_IDS_H

#include <stdbool.h>
#include "text/sequences/sequences.h"

enum { MAREA_NO_ID = -1 };

/* Appends sequence i of `ranks` (1 is the commonest word, 0 a word without a rank) to `out`: the
 * start mark (unless MAREA_NO_ID), then rank + index_from, or `unranked` for rank 0 (left out when
 * that is MAREA_NO_ID). `shift` is added to the ranks first. *length is the new sequence's. */
typedef struct marea_keras_shift {
  int32_t start, index_from, unranked, shift;
} marea_keras_shift;
marea_status marea_keras_shift_ids(const marea_sequences *ranks, size_t i,
                                   const marea_keras_shift *rule, marea_sequences *out);

/* Appends `in` to `out`, keeping ids with skip_top <= id < num_words; any other becomes `oov`, or
 * is left out when that is MAREA_NO_ID. Then at most `longest` ids stay (0: all), the last ones
 * when cut_front. *cut counts the ids that were cut off, *replaced those that lay outside. */
typedef struct marea_keras_limit {
  int32_t skip_top, num_words, oov;
  size_t longest;
  bool cut_front;
} marea_keras_limit;
marea_status marea_keras_limit_ids(const marea_sequences *in, const marea_keras_limit *rule,
                                   marea_sequences *out, size_t *cut, size_t *replaced);

/* The largest id; 0 when there is none. */
int32_t marea_sequences_largest(const marea_sequences *sequences);

#endif
