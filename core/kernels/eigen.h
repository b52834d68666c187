/* Eigenvectors of a symmetric matrix; the only caller of LAPACK. */
#ifndef MAREA_KERNELS_EIGEN_H
#define MAREA_KERNELS_EIGEN_H

#include <stddef.h>

#include "base/status.h"

/* The `count` largest eigenvalues of the symmetric (n, n) matrix `a`, largest first, with their
 * eigenvectors as rows of `vectors` (count, n), each of length 1 and of either sign. The lower
 * triangle of a is read; a is overwritten. 1 <= count <= n, all elements finite. MAREA_NOMEM, or
 * MAREA_STATE when the iteration does not end. Runs on the calling thread. */
marea_status marea_eigen_symmetric(double *a, size_t n, size_t count, double *values,
                                   double *vectors);

#endif
