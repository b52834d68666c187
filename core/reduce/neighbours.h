/* Nearest neighbours in many dimensions, exactly, by blocks of matrix products. */
#ifndef MAREA_REDUCE_NEIGHBOURS_H
#define MAREA_REDUCE_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/status.h"

/* The k rows of points (n, d) nearest to each row of queries (m, d) by Euclidean distance, nearest
 * first, equally near ones in their order: index (m, k) and the squared distances (m, k).
 * `themselves`: the queries are the points, and a point is no neighbour of its own. All elements
 * are finite, 1 <= k <= n (n - 1 for themselves). O(m n d) time, O(m k) memory and blocks of a
 * fixed size. MAREA_NOMEM or MAREA_INTERRUPTED; the bits do not depend on the number of threads. */
marea_status marea_neighbours(const marea_real *queries, size_t m, const marea_real *points,
                              size_t n, size_t d, size_t k, bool themselves, int32_t *index,
                              marea_real *squared);

/* How well a map keeps neighbourhoods (Venna and Kaski, 2001): 1 minus the penalties of points that
 * are among the k nearest in the map y (n, e) but not in x (n, d), by how far they rank in x,
 * divided by the largest possible sum; in 0 … 1. 1 <= k < n / 2, else MAREA_RANGE. O(n^2 (d + k)).
 */
marea_status marea_trustworthiness(const marea_real *x, size_t d, const marea_real *y, size_t e,
                                   size_t n, size_t k, double *result);

#endif
