/* The nearest rows of a store, for many questions at once: blocked matrix products and a list of
 * the best per question. The result is the same for any number of threads. */
#ifndef MAREA_EMBED_SEARCH_H
#define MAREA_EMBED_SEARCH_H

#include "embed/vectors.h"

enum { MAREA_MOST_FOUND = 1 << 16 }; /* the longest list of one question */

typedef struct marea_found {
  double score;
  int64_t row; /* -1: there are fewer rows than asked for */
} marea_found;

typedef struct marea_search {
  const marea_real *terms; /* unit vectors; of each question the positive ones, then the negative */
  size_t questions;
  size_t positive, negative; /* terms of each question; sums are one positive term */
  bool multiply; /* 3CosMul (Levy and Goldberg, 2014): the product of (1 + cos)/2 of the positive
                    terms over that of the negative ones + 1e-6; else the cosine of the one term */
  size_t first, last; /* rows first … last-1 */
  size_t best;        /* 1 … MAREA_MOST_FOUND a question */
} marea_search;

/* Fills found (questions, best): the highest scores first, equal ones by row. A row of zeros has
 * cosine 0. MAREA_ARGUMENT, MAREA_NOMEM. */
marea_status marea_vectors_search(const marea_vectors *vectors, const marea_search *search,
                                  marea_found *found);

/* Makes later searches of one question over many float32 rows several times as fast, for a quarter
 * more memory (rows in bytes, looked at first; the answers stay the same, bit for bit). Small
 * stores and other types: nothing. MAREA_NOMEM. */
marea_status marea_vectors_prepare(marea_vectors *vectors);

/* The cosines of all rows with one vector of length 1 into scores[rows]. */
marea_status marea_vectors_cosines(const marea_vectors *vectors, const marea_real *term,
                                   marea_real *scores);

#endif
