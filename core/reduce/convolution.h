/* Convolution of a grid of numbers with an even function, by Fourier transforms.
 *
 * Reals become transforms of half the size: columns 1 … 8 of a block are the real parts of eight
 * sequences and columns 9 … 16 the imaginary ones. Lines of the second direction lie eight
 * frequencies side by side, so that they too are eight sequences; each is transformed, multiplied
 * and brought back while it is in the cache. The same bits for any number of threads. */
#ifndef MAREA_REDUCE_CONVOLUTION_H
#define MAREA_REDUCE_CONVOLUTION_H

#include <stddef.h>

#include "base/status.h"

enum { MAREA_CONVOLUTION_BLOCK = 16 }; /* columns of a block */

typedef struct marea_convolution marea_convolution;

/* The kernel at (x, y) nodes from the middle; even in both. */
typedef double marea_convolution_kernel(const void *context, double x, double y);

/* For grids of up to size[0] columns and size[1] rows, wrapped round; both sizes even with factors
 * 2, 3 and 5 only (marea_fourier_size). `divisor[axis]`, if not NULL, has size[axis] / 2 + 1
 * numbers that the transform is divided by at each frequency along that axis. NULL: MAREA_RANGE or
 * MAREA_NOMEM. */
marea_convolution *marea_convolution_new(const size_t size[2], marea_convolution_kernel *kernel,
                                         const void *context, const double *const divisor[2]);
void marea_convolution_free(marea_convolution *c); /* NULL is allowed */

/* Replaces the grid's used[1] rows and used[0] columns, beside which it is zero, by its convolution
 * there. Rows are `stride` apart, a multiple of the block's size and at least used[0]; what lies
 * between is zero before and anything after. used <= size. MAREA_NOMEM. */
marea_status marea_convolution_run(marea_convolution *c, const size_t used[2], double *grid,
                                   size_t stride);

#endif
