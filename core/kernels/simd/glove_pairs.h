/* AdaGrad steps of GloVe over a tile of the co-occurrence matrix: pairs whose rows lie in one block
 * of words and one block of contexts.
 *
 * A row is a vector of `width` elements (a multiple of 16) and behind it as many accumulators. Of a
 * word the vector is w, its bias, 1, zeros; of a context it is c, 1, its bias, zeros: so the
 * product of the two is w·c + b + b', and each bias has the other row's 1 for its gradient. The
 * rates of the ones and zeros are 0, which keeps them. */
#ifndef MAREA_KERNELS_SIMD_GLOVE_PAIRS_H
#define MAREA_KERNELS_SIMD_GLOVE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "kernels/simd.h"

enum { MAREA_GLOVE_ALIGN = 16 }; /* widths are multiples of it */

typedef struct marea_glove_tile {
  const uint32_t *places; /* of each pair: row in the lower, column in the upper 16 bits */
  const marea_real *logs; /* ln x */
  size_t count;
  bool transposed;              /* the column is the word and the row the context */
  bool skip_equal;              /* pairs with row == column are left out */
  marea_real *words, *contexts; /* the blocks' first rows */
  size_t width;
  const marea_real *word_rates, *context_rates; /* (width) */
  const marea_real *clips;                      /* (width): bounds of a gradient before its rate */
  marea_real log_max, alpha;                    /* f(x) = (x / x_max)^alpha below x_max, else 1 */
} marea_glove_tile;

typedef struct marea_glove_result {
  double cost;           /* sum of f(x) diff² / 2 */
  size_t pairs, skipped; /* skipped: the difference was not finite */
} marea_glove_result;

typedef struct marea_glove_table {
  void (*update)(const marea_glove_tile *tile, marea_glove_result *result); /* adds to result */
} marea_glove_table;

MAREA_TABLES(marea_glove_pairs, const marea_glove_table);

#endif
