/* The hot loops, compiled once per instruction set and chosen at run time.
 *
 * core/kernels/simd/loops.c is built for baseline x86-64 (or whatever the target is), for AVX2 with
 * FMA (x86-64-v3) and for AVX-512 (x86-64-v4). MAREA_ISA=baseline|v3|v4 in the environment lowers
 * the choice; it never raises it above what the processor has. */
#ifndef MAREA_KERNELS_SIMD_H
#define MAREA_KERNELS_SIMD_H

#include <stddef.h>

#include "base/real.h"

typedef struct marea_simd {
  const char *name; /* "baseline", "v3" or "v4" */
  void (*exp)(marea_real *y, const marea_real *x, size_t n);
  void (*tanh)(marea_real *y, const marea_real *x, size_t n);
  void (*sigmoid)(marea_real *y, const marea_real *x, size_t n);
  void (*axpy)(marea_real *y, marea_real a, const marea_real *x, size_t n);
  /* One row of an LSTM step with tanh and sigmoid: gates (4H: i f c o, pre-activations in,
   * activations out), c = f c_before + i g, tanh_c, h = o tanh_c. */
  void (*lstm_row)(marea_real *gates, const marea_real *c_before, marea_real *c, marea_real *tanh_c,
                   marea_real *h, size_t H);
  /* Its gradient: gates become pre-activation gradients; dc goes from this step's to the one
   * before's; dh is dL/dh of this step. */
  void (*lstm_row_backward)(marea_real *gates, const marea_real *c_before, const marea_real *tanh_c,
                            const marea_real *dh, marea_real *dc, size_t H);
  /* One row of a GRU step, reset after: a (3H: z r h) and q (3H, recurrent part) in; a = z, r, g.
   */
  void (*gru_row)(marea_real *a, const marea_real *q, const marea_real *h_before, marea_real *h,
                  size_t H);
  /* Its gradient: a becomes dL/da, q becomes dL/dq, dh_before = the direct part z dh. */
  void (*gru_row_backward)(marea_real *a, marea_real *q, const marea_real *h_before,
                           const marea_real *dh, marea_real *dh_before, size_t H);
} marea_simd;

/* The table for this machine; the same pointer at every call. */
const marea_simd *marea_simd_get(void);

#endif
