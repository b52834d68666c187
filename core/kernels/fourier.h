/* Fourier transforms of eight sequences of complex numbers at once, in double precision.
 *
 * Element i of all eight is a group of 16 numbers: eight real parts, then eight imaginary ones. So
 * every step is one on whole vectors whatever the size is. Sizes have the factors 2, 3 and 5 only;
 * the passes are Stockham's (Cochran et al., 1967), which need no order of reversed digits. */
#ifndef MAREA_KERNELS_FOURIER_H
#define MAREA_KERNELS_FOURIER_H

#include <stdbool.h>
#include <stddef.h>

enum { MAREA_FOURIER_LANES = 8, MAREA_FOURIER_GROUP = 2 * MAREA_FOURIER_LANES };

typedef struct marea_fourier marea_fourier;

/* The next even size, at least n (and 2), with factors 2, 3 and 5 only. */
size_t marea_fourier_size(size_t n);

/* For sequences of n elements. NULL: MAREA_RANGE for n = 0 or another factor, MAREA_NOMEM. */
marea_fourier *marea_fourier_new(size_t n);
void marea_fourier_free(marea_fourier *plan); /* NULL is allowed */

/* z_k = sum_j z_j exp(-2 pi i j k / n), or with + for `inverse`, without a factor 1/n. `data` and
 * `spare` have n groups each; both are overwritten. Returns the one of the two that holds the
 * result: after a transform and one back it is the one that began. */
double *marea_fourier_run(const marea_fourier *plan, bool inverse, double *data, double *spare);

#endif
