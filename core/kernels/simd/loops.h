/* The loops of pointwise.h on one thread, for each instruction set. */
#ifndef MAREA_KERNELS_SIMD_LOOPS_H
#define MAREA_KERNELS_SIMD_LOOPS_H

#include "kernels/pointwise.h"
#include "kernels/simd.h"

typedef struct marea_loops_table {
  void (*activate)(marea_activation f, marea_real *a, const marea_real *x, size_t n);
  void (*activate_backward)(marea_activation f, marea_real *dx, const marea_real *da,
                            const marea_real *x, const marea_real *a, size_t n);
  void (*log)(marea_real *y, const marea_real *x, size_t n);
  void (*erf)(marea_real *y, const marea_real *x, size_t n);
  void (*axpy)(marea_real *y, marea_real a, const marea_real *x, size_t n);
  void (*add)(marea_real *y, const marea_real *a, const marea_real *b, size_t n);
  /* Sums in vectors of marea_real: for pieces of some thousand elements. */
  double (*sum)(const marea_real *x, size_t n);
  double (*dot)(const marea_real *x, const marea_real *y, size_t n);
  marea_real (*largest)(const marea_real *x, size_t n);
  /* y = e^(x - shift); the sum of y. */
  double (*exp_shifted)(marea_real *y, const marea_real *x, marea_real shift, size_t n);
  /* The sum alone. */
  double (*sum_exp_shifted)(const marea_real *x, marea_real shift, size_t n);
  /* y = a x + b. */
  void (*scale_shift)(marea_real *y, const marea_real *x, marea_real a, marea_real b, size_t n);
  /* dx += y (dy - mean); dx += dy - e^y total. */
  void (*softmax_back)(marea_real *dx, const marea_real *dy, const marea_real *y, marea_real mean,
                       size_t n);
  void (*log_softmax_back)(marea_real *dx, const marea_real *dy, const marea_real *y,
                           marea_real total, size_t n);
} marea_loops_table;

MAREA_TABLES(marea_loops, const marea_loops_table);

#endif
