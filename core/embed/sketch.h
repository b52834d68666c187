/* Inside embed only: the rows at length 1 in bytes, for a first look. A question reads a quarter of
 * the memory; how far a cosine of bytes can be off is known for each row, and what could be among
 * the best is then computed from the rows themselves: the answer is that of a full scan, to the
 * bit. */
#ifndef MAREA_EMBED_SKETCH_H
#define MAREA_EMBED_SKETCH_H

#include "embed/search.h"

struct marea_sketch {
  size_t stride; /* bytes of a row */
  int8_t *codes; /* (rows, stride) */
  float *scales; /* a row at length 1 = scale * codes + rest */
  float *errors; /* length of the rest, rounded up */
};

/* Whether a search can begin with the sketch. */
bool marea_sketch_suits(const marea_vectors *vectors, const marea_search *search);

/* The rows (ascending) that can be among the best of the one question; *count of them, in a block
 * to be freed with marea_free. NULL: MAREA_NOMEM. */
int64_t *marea_sketch_candidates(const marea_vectors *vectors, const marea_search *search,
                                 size_t *count);

#endif
