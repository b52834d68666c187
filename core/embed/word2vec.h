/* Skip-gram and CBOW with negative sampling (Mikolov et al., 2013).
 *
 * An example is an input h (skip-gram: the vector of a neighbour; CBOW: the mean of all
 * neighbours'), a word and k others drawn by count^power. For each of these, with label 1 for the
 * word and 0 for the others, the output row takes g h and the input rows take g times the output
 * row, where g = rate (label − σ(h · output)). As in the original program frequent words are left
 * out at random beforehand, the window shrinks at random, and the rate falls linearly to a
 * ten-thousandth.
 *
 * Examples of BATCH words in a row are computed from the same parameters and then added in order:
 * the same bits for any number of threads. With `lock_free` each thread goes through a part of the
 * text word by word. */
#ifndef MAREA_EMBED_WORD2VEC_H
#define MAREA_EMBED_WORD2VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

typedef struct marea_word2vec_options {
  size_t words, dimensions, window, negative, epochs;
  bool cbow, lock_free;
  double rate;   /* at the beginning */
  double sample; /* words that are more frequent than this share are left out at times; 0: none */
  double power;  /* of the counts, for the others */
  uint64_t seed;
} marea_word2vec_options;

typedef struct marea_word2vec_progress {
  double loss; /* sum over the examples of their logistic losses */
  uint64_t examples;
} marea_word2vec_progress;

typedef struct marea_word2vec marea_word2vec;

/* counts: how often each word occurs (> 0). NULL: MAREA_RANGE for options out of range,
 * MAREA_NOMEM. */
marea_word2vec *marea_word2vec_new(const marea_word2vec_options *options, const int64_t *counts);
void marea_word2vec_free(marea_word2vec *trainer); /* NULL is allowed */

/* Adds documents, which are kept: four bytes a token, and as much again while training. */
marea_status marea_word2vec_add(marea_word2vec *trainer, const int32_t *ids, const size_t *offsets,
                                size_t documents);

/* Goes on by about `words` words of the text, within the current epoch; adds to `progress`. *done
 * tells whether the epoch has ended. */
marea_status marea_word2vec_go_on(marea_word2vec *trainer, size_t words,
                                  marea_word2vec_progress *progress, bool *done);

/* Words of this epoch, after leaving out, that were trained on, and all of them. */
void marea_word2vec_position(const marea_word2vec *trainer, size_t *at, size_t *end);

/* Input rows (words, dimensions); with `outputs` the output rows. */
void marea_word2vec_export(const marea_word2vec *trainer, bool outputs, marea_real *to);

#endif
