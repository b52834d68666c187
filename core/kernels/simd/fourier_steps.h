/* The passes of a Fourier transform of eight sequences at once, for each instruction set; see
 * kernels/fourier.h, which lays out the data. */
#ifndef MAREA_KERNELS_SIMD_FOURIER_STEPS_H
#define MAREA_KERNELS_SIMD_FOURIER_STEPS_H

#include <stddef.h>

#include "kernels/fourier.h"
#include "kernels/simd.h"

/* Of a transform of `radix` x `before` x `after` elements whose first passes made `before`. */
typedef struct marea_fourier_pass {
  size_t radix; /* 2, 3, 4 or 5 */
  size_t before, after;
  const double *turns; /* (after, radix - 1, 2): cosine and sine */
} marea_fourier_pass;

typedef struct marea_fourier_table {
  /* One pass; from and to do not overlap. `real` is where an element's real parts lie, 0, or
   * MAREA_FOURIER_LANES for the inverse, which exchanges real and imaginary parts. */
  void (*pass)(const marea_fourier_pass *pass, size_t real, const double *from, double *to);
  /* to[j * to_stride + i] = from[i * from_stride + j], 8 x 8. */
  void (*transpose)(const double *from, size_t from_stride, double *to, size_t to_stride);
} marea_fourier_table;

MAREA_TABLES(marea_fourier_steps, const marea_fourier_table);

#endif
