/* Earth mover's distance: the least cost of turning one distribution into another. */
#ifndef MAREA_EMBED_TRANSPORT_H
#define MAREA_EMBED_TRANSPORT_H

#include <stddef.h>

#include "base/status.h"

/* Moves the masses a[n] to the masses b[m], both positive with the same sum, over costs (n, m) that
 * are not negative; *total is the least sum of mass times cost. Exact (successive shortest paths
 * with potentials; Edmonds and Karp, 1972), in time (n + m)^3 at worst. MAREA_ARGUMENT,
 * MAREA_NOMEM.
 */
marea_status marea_transport(size_t n, size_t m, const double *a, const double *b,
                             const double *cost, double *total);

#endif
