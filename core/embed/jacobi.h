/* Singular values of a small square matrix. */
#ifndef MAREA_EMBED_JACOBI_H
#define MAREA_EMBED_JACOBI_H

#include <stddef.h>

#include "base/status.h"

/* a (n, n) = U diag(s) V': one-sided rotations (Hestenes, 1958), exact to rounding. `a` becomes U,
 * with columns to the values s[n], the largest first; v (n, n) has the right vectors in its
 * columns. U is orthogonal even when `a` has not full rank. A symmetric matrix without negative
 * values has them as eigenvalues. MAREA_NONFINITE, MAREA_NOMEM. */
marea_status marea_singular_values(size_t n, double *a, double *s, double *v);

#endif
